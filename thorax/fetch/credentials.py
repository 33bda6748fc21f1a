"""What Kaggle gave the user to sign in with, in the places and the order of its own client (kaggle 2.2).

Read here and not by the client, because the client says neither where it looked nor what is wrong with a file: a
malformed kaggle.json looks to it like none. Secrets stay out of every message and of `repr`.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.fetch import http


@dataclass(frozen=True)
class Credentials:
    """`place` is where they were found, for messages. With a `user`, `secret` is an API key; without, a token; with
    `login`, the refresh token of `kaggle auth login`."""

    place: str
    secret: str = field(repr=False)
    user: str | None = field(default=None, repr=False)
    login: bool = False


def by_hand(slug: str) -> str:
    """The way without an account here, for messages."""
    return http.by_hand(f"https://www.kaggle.com/datasets/{slug}")


def find(slug: str) -> Credentials:
    """The first credentials there are. ThoraxError with all places if there are none; imports nothing that could
    use the network."""
    looked = []
    for place, found in candidates():
        if isinstance(found, Credentials):
            return checked(found)
        looked.append(f"{place} ({found})")
    raise ThoraxError(f"no Kaggle credentials to fetch {slug} with; looked at {', '.join(looked)}; make a token at "
                      f"https://www.kaggle.com/settings/api and export KAGGLE_API_TOKEN=<token>, {by_hand(slug)}")


def candidates() -> Iterator[tuple[str, Credentials | str]]:
    """Every place with what it holds, or why that is nothing."""
    environment, home = os.environ, Path.home() / ".kaggle"
    if environment.get("KAGGLE_KERNEL_RUN_TYPE") and environment.get("KAGGLE_API_V1_TOKEN"):  # in a Kaggle notebook
        yield "KAGGLE_API_V1_TOKEN", token_file("KAGGLE_API_V1_TOKEN", Path(environment["KAGGLE_API_V1_TOKEN"]))

    token = environment.get("KAGGLE_API_TOKEN", "").strip()
    if os.path.isfile(token):  # the client allows a path here; isfile, as Path.exists raises with the token in its text
        yield "KAGGLE_API_TOKEN", token_file("the file that KAGGLE_API_TOKEN names", Path(token))
    else:
        yield "KAGGLE_API_TOKEN", Credentials("KAGGLE_API_TOKEN", token) if token else "not set"
    for path in (home / "access_token", home / "access_token.txt"):
        yield short(path), token_file(short(path), path)

    given = {name: value for name in ("username", "key")
             if (value := environment.get(f"KAGGLE_{name.upper()}", "").strip())}
    place = "KAGGLE_USERNAME with KAGGLE_KEY"
    if len(given) == 2:
        yield place, Credentials(place, given["key"], given["username"])
    else:
        yield place, f"only KAGGLE_{next(iter(given)).upper()} is set" if given else "not set"
    for path in key_files(home):
        yield short(path), key_file(path, given)
    yield short(home / "credentials.json"), login_file(home / "credentials.json")


def key_files(home: Path) -> list[Path]:
    if folder := os.environ.get("KAGGLE_CONFIG_DIR"):
        return [Path(folder) / "kaggle.json"]
    other = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    return [home / "kaggle.json", other / "kaggle.json"]


def text_of(path: Path) -> tuple[str, str]:
    """The text of a file, and why there is none."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return "", "no such file"
    except OSError as error:
        return "", f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return "", "not text"
    return text, "" if text else "empty"


def token_file(place: str, path: Path) -> Credentials | str:
    text, fault = text_of(path)
    return fault or Credentials(place, text)


def key_file(path: Path, given: dict[str, str]) -> Credentials | str:
    """An API key. What the environment gives goes before what the file says, as in the client."""
    values, fault = mapping_of(path)
    values = values | given
    if not fault and all(isinstance(values.get(name), str) and values[name] for name in ("username", "key")):
        return Credentials(short(path), values["key"].strip(), values["username"].strip())
    return fault or "not JSON with username and key"


def login_file(path: Path) -> Credentials | str:
    values, fault = mapping_of(path)
    if not fault and isinstance(values.get("refresh_token"), str) and values["refresh_token"]:
        return Credentials(short(path), values["refresh_token"].strip(), login=True)
    return fault or "not JSON with refresh_token"


def mapping_of(path: Path) -> tuple[dict, str]:
    text, fault = text_of(path)
    if fault:
        return {}, fault
    try:
        values = json.loads(text)
    except ValueError:
        return {}, "not JSON"
    return (values, "") if isinstance(values, dict) else ({}, "not a JSON mapping")


def checked(credentials: Credentials) -> Credentials:
    """Refuse what cannot stand in an HTTP header: the HTTP library would, and would print it."""
    for text in (credentials.secret, credentials.user or "-"):
        if not (text.isascii() and text.isprintable() and " " not in text):
            raise ThoraxError(f"{credentials.place}: holds spaces, line breaks or other characters that no Kaggle "
                              "credential has; copy it again from https://www.kaggle.com/settings/api")
    return credentials


def short(path: Path) -> str:
    """A path below the home folder as ~/..., which is also how the instructions write it."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
