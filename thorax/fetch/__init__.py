"""Archives from where the data sets are published: fetched once into a cache that all studies and checkouts share,
checked, never half there.

    kaggle.py, credentials.py   Kaggle's API, and what it gave the user to sign in with
    github.py                   a repository at one commit
    mendeley.py                 a version of a data set of Mendeley Data, with its files' hashes
    http.py                     how all of them are asked: timeouts, patience, silence about secrets
    transfer.py                 an archive's bytes, resumed after a cut where the service can
    archives.py                 what a zip must be before anything is read from it

The `kaggle` package's own download is not used. Importing it with KAGGLE_API_TOKEN set makes an HTTP call and creates
folders, its `authenticate()` ends the process, its API calls have no timeout (a stalled one hangs for ever), with
VERBOSE=1 it prints the Authorization header, and it checks no hash. What is used of it is its service: the API's
address (kagglesdk.kaggle_env), one POST that answers with a signed address, and a plain GET of that.
"""

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from thorax.errors import ThoraxError
from thorax.fetch import credentials, github, http, kaggle, mendeley, transfer
from thorax.fetch.archives import check_archive
from thorax.running import LOCK_WAIT_S, locked

__all__ = ["archive_of", "cache_folder", "check_archive", "fingerprint", "origin_of"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")  # owner/name, of Kaggle and of GitHub
COMMIT = re.compile(r"[0-9a-f]{40}")
KEY = re.compile(r"[a-z0-9]+")
SERVICES = {"kaggle": "Kaggle", "github": "GitHub", "mendeley": "Mendeley Data"}


def cache_folder() -> Path:
    """Where archives are kept: $THORAX_CACHE, or ~/.cache/thorax."""
    return Path(os.environ.get("THORAX_CACHE") or "~/.cache/thorax").expanduser()


def origin_of(dataset: ModuleType) -> str | None:
    """Where a data set's module says that it is published: kaggle, github, mendeley or, by its silence, nowhere."""
    found = [name for name in ("KAGGLE", "GITHUB", "MENDELEY") if hasattr(dataset, name)]
    return found[0].lower() if found else None


def archive_of(dataset: ModuleType, version: int | str | None, cache: Path, key: str) -> tuple[Path, dict]:
    """The archive of the data set of a module, in the folder `cache`, and where it came from: source, name, version.

    `version` is the recipe's, of the type that the set's origin has: a number counted from 1 for Kaggle and Mendeley
    Data, a commit for GitHub. None takes the one that the module pins (VERSION, COMMIT, the second part of MENDELEY);
    for a set of Kaggle that pins none, the current one is asked for. `key` names the recipe's version in messages.

    An archive that is in the cache already needs neither network nor credentials. ThoraxError, in one line, for
    whatever is wrong with the version, the credentials, the rights, the network, the disk or the archive.
    """
    origin = origin_of(dataset)
    if version is not None and isinstance(version, str) != (origin == "github"):
        kind = "a commit of 40 hexadecimal digits" if origin == "github" else "a number"
        raise ThoraxError(f"{key}: {version!r} is no version of this data set; on {SERVICES[origin]} it is {kind}")
    if origin == "github":
        name, version = dataset.GITHUB, version or dataset.COMMIT
        path = github_archive(name, version, cache)
    elif origin == "mendeley":
        name, version = dataset.MENDELEY[0], version or dataset.MENDELEY[1]
        path = mendeley_archive(name, version, cache)
    else:
        name, version = dataset.KAGGLE, version or getattr(dataset, "VERSION", None)
        version = version or current_version(name)
        path = kaggle_archive(name, version, cache)
    return path, {"source": origin, "name": name, "version": version}


def current_version(slug: str) -> int:
    signed_in = credentials.find(slug)
    return http.patiently(lambda: kaggle.current_version(slug, signed_in))


def kaggle_archive(slug: str, version: int, cache: Path) -> Path:
    """The zip of version `version` (from 1) of the Kaggle data set `slug` ("owner/name"), complete and checked."""
    if not NAME.fullmatch(slug):
        raise ThoraxError(f"{slug!r} is no Kaggle data set; it must look like owner/name")
    # The credentials are looked for where they are needed: not for an archive that the cache has.
    return cached(cache / f"{slug.replace('/', '-')}-v{version}.zip",
                  lambda part: kaggle.download(slug, version, credentials.find(slug), part))


def github_archive(repository: str, commit: str, cache: Path) -> Path:
    """The zip of a GitHub repository ("owner/name") at a commit (40 hexadecimal digits), complete and checked."""
    if not NAME.fullmatch(repository):
        raise ThoraxError(f"{repository!r} is no GitHub repository; it must look like owner/name")
    if not COMMIT.fullmatch(commit):
        raise ThoraxError(f"{commit!r} is no commit; it must be 40 hexadecimal digits, as a branch or tag may move")
    return cached(cache / f"{repository.replace('/', '-')}-{commit}.zip",
                  lambda part: github.download(repository, commit, part))


def mendeley_archive(key: str, version: int, cache: Path) -> Path:
    """The zip of a version (from 1) of the Mendeley data set `key` (the letters and digits in its address), complete
    and checked."""
    if not KEY.fullmatch(key):
        raise ThoraxError(f"{key!r} is no data set of Mendeley Data; it must be letters and digits, as in its address")
    return cached(cache / f"mendeley-{key}-v{version}.zip", lambda part: mendeley.download(key, version, part))


def cached(target: Path, download: Callable[[Path], None]) -> Path:
    """`target`, brought there by `download`, which writes a complete and checked archive to the path that it is given.

    What arrived of an archive before a cut stays, if the service can go on from there.
    """
    if target.is_file():  # under this name only when complete: no lock, so that a read-only cache will do
        return still_good(target)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(target, LOCK_WAIT_S))
        except OSError as error:
            raise ThoraxError(f"{target.parent}: cannot write the archive cache ({error.strerror}); set THORAX_CACHE "
                              "to a folder that can be written") from None
        if target.is_file():  # by the process that held the lock
            return still_good(target)
        part = target.with_name(f"{target.name}.part")
        download(part)
        transfer.keep(part, target)
    return target


def still_good(target: Path) -> Path:
    """`target`, if its directory can be read: its members had their checksums when it got this name."""
    check_archive(target, str(target), "delete this file and run the same command again", contents=False)
    return target


def fingerprint(archive: Path) -> dict[str, int | str]:
    """`bytes` and `sha256` of a file, for source.json."""
    return {"bytes": archive.stat().st_size, "sha256": transfer.digest(archive, "sha256")}
