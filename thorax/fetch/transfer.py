"""The bytes of one archive: into a partial file, resumed after a cut, compared with the announced length and hash.

`<name>.zip.part` holds the bytes so far, `<name>.zip.part.json` whose they are: the ETag, length and MD5 that the
storage announced with the first byte. A later try appends only to bytes of the same ETag (Range with If-Range).
"""

import base64
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tqdm import tqdm

from thorax.errors import ThoraxError
from thorax.fetch import http
from thorax.fetch.http import Trouble

CHUNK_BYTES = 1 << 20
AGAIN = "if this network has a sign-in page, sign in there, then run the same command again"
SPARE_BYTES = 64 << 20  # to leave free on the disk, for everything else that is writing to it


def fetch(address: Callable[[], str], part: Path, title: str, refusals: Mapping[int, str] | None = None) -> None:
    """Complete the file `part`. `address()` gives the archive's address, asked for at every try as it may expire;
    `refusals` are what statuses mean that no patience changes.

    ThoraxError if the disk is full, the archive is no zip, or its length or hash is not the announced one. What cannot
    be gone on from does not stay.
    """
    with leaving_only_what_helps(part):
        about = http.patiently(lambda: advance(address(), part, title, refusals or {}), lambda: size(part))
        if about["md5"] and digest(part, "md5") != about["md5"]:
            forget(part)
            raise ThoraxError(f"{title}: the archive as fetched has another hash than the service announced; it was "
                              "thrown away, run the same command again")


@contextlib.contextmanager
def leaving_only_what_helps(part: Path) -> Iterator[None]:
    """Remove `part` when the block fails, unless a later call can go on from it; say in one line what a disk does."""
    try:
        yield
    except BaseException as error:
        if about_part(part) is None:
            with contextlib.suppress(OSError):
                forget(part)
        if not isinstance(error, OSError):
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space, or set THORAX_CACHE to a larger disk" if full else "check the disk"
        raise ThoraxError(f"{part}: cannot be written ({error.strerror}); {advice}, then run the same command "
                          "again") from None


@contextlib.contextmanager
def discarding(part: Path) -> Iterator[None]:
    """Throw the complete `part` away when the block, which checks it, refuses it."""
    try:
        yield
    except ThoraxError:
        forget(part)
        raise


def advance(address: str, part: Path, title: str, refusals: Mapping[int, str]) -> dict:
    """One try to bring `part` to its end; what the service announced of it. Trouble if it did not get there."""
    about, start = about_part(part), size(part)
    if about and start == about["bytes"]:
        return about
    with http.get(address, {"Range": f"bytes={start}-", "If-Range": about["etag"]} if about else {}) as answer:
        host = http.host_of(answer.url)
        if answer.status_code == 206 and about and continues(answer, start, about):
            mode = "ab"
        elif answer.status_code == 200:
            mode, start, about = "wb", 0, announced(answer)
        elif answer.status_code in (206, 416):  # what is here cannot be completed: the next try begins anew
            forget(part)
            what = "another part of the archive than asked for" if answer.status_code == 206 else (
                "a shorter archive than it announced")
            raise Trouble(f"{host}: sends {what}; run the same command again later")
        elif http.is_busy(answer.status_code):
            raise http.busy(host, answer)
        elif answer.status_code in refusals:
            raise ThoraxError(refusals[answer.status_code])
        else:
            raise Trouble(f"{host}: does not give out the archive (status {answer.status_code}); run the same command "
                          "again later")
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise ThoraxError(f"{title}: {host} sends a web page instead of a zip; {AGAIN}")
        check_space(part, None if about["bytes"] is None else about["bytes"] - start)
        append(answer, part, mode, start, about, title)
    if about["bytes"] is not None and size(part) != about["bytes"]:
        there = ": it goes on there" if about_part(part) else ""
        raise Trouble(f"{host}: the connection was cut at {size(part):,} of {about['bytes']:,} bytes; run the same "
                      f"command again{there}")
    return about


def append(answer, part: Path, mode: str, start: int, about: dict, title: str) -> None:
    """Write the body of `answer` to `part` as it comes. What does not begin like a zip is refused unwritten."""
    host = http.host_of(answer.url)
    note = note_of(part)
    if mode == "wb":
        note.unlink(missing_ok=True)  # first: it must never stand beside bytes of another archive
    with (open(part, mode) as file,
          tqdm(total=about["bytes"], initial=start, desc=f"fetch {title}", unit="B", unit_scale=True,
               unit_divisor=1024, disable=None) as bar):
        if mode == "wb" and about["etag"]:
            note.write_text(json.dumps(about))
        while True:
            with http.network(host):
                # read1 gives what has come; read() would lose up to a whole chunk at a cut.
                data = answer.raw.read1(CHUNK_BYTES)
            if not data:
                break
            if file.tell() == 0 and not data.startswith(b"PK"[:len(data)]):
                raise ThoraxError(f"{title}: {host} sends {data[:8]!r}..., which is no zip; {AGAIN}")
            if about["bytes"] is None:  # no length: whoever sends without end must not fill the disk
                check_space(part, None)
            file.write(data)
            bar.update(len(data))


def announced(answer) -> dict:
    """ETag (None unless strong: a weak one does not tell bytes apart), length and MD5 (hex), None where not given.

    Google's storage gives `x-goog-hash: crc32c=...,md5=...` (base64), for archives put together from parts no md5.
    """
    etag, length = answer.headers.get("ETag", ""), answer.headers.get("Content-Length", "")
    found = re.search(r"\bmd5=([A-Za-z0-9+/]{22}==)", answer.headers.get("x-goog-hash", ""))
    return {"etag": etag if etag.startswith('"') else None,
            "bytes": int(length) if re.fullmatch("[0-9]{1,18}", length) else None,
            "md5": base64.b64decode(found[1]).hex() if found else None}


def continues(answer, start: int, about: dict) -> bool:
    """Whether a 206 is the rest, from byte `start`, of the archive that `about` describes."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("Content-Range", ""))
    return bool(found and int(found[1]) == start and int(found[3]) == about["bytes"] == int(found[2]) + 1
                and answer.headers.get("ETag", about["etag"]) == about["etag"])


def check_space(part: Path, needed: int | None) -> None:
    """ThoraxError if the disk has no room for `needed` more bytes, None where the service does not say how many."""
    free = shutil.disk_usage(part.parent).free
    if (needed or 0) + SPARE_BYTES > free:
        coming = "an archive of untold length is" if needed is None else f"{needed / 1e9:.2f} GB are"
        raise ThoraxError(f"{part.parent}: {coming} to come but only {free / 1e9:.2f} GB of the disk "
                          "are free; free some space, or set THORAX_CACHE to a larger disk")


def about_part(part: Path) -> dict | None:
    """What was announced of the bytes in `part`; None if that is not known or there are none to go on from."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads(note_of(part).read_text())
        if isinstance(about["etag"], str) and 0 < size(part) <= about["bytes"]:
            return {"etag": about["etag"], "bytes": about["bytes"], "md5": about["md5"]}
    return None


def note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def digest(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def forget(part: Path) -> None:
    note_of(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)


def keep(part: Path, target: Path) -> None:
    """Give the complete file its final name, once the disk has it: a power cut must not leave a hole under it."""
    with leaving_only_what_helps(part):
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
        note_of(part).unlink(missing_ok=True)
