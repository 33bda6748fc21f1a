"""Archives from Kaggle: fetched once into a cache that all studies and checkouts share, checked, never half there.

    credentials.py   what Kaggle gave the user, wherever its own client would look for it
    service.py       the questions to Kaggle's API, and patience with it
    transfer.py      the archive's bytes, resumed after a cut
    archives.py      what a zip must be before anything is read from it

The `kaggle` package's own download is not used. Importing it with KAGGLE_API_TOKEN set makes an HTTP call and creates
folders, its `authenticate()` ends the process, its API calls have no timeout (a stalled one hangs for ever), with
VERBOSE=1 it prints the Authorization header, and it checks no hash. What is used of it is its service: the API's
address (kagglesdk.kaggle_env), one POST that answers with a signed address, and a plain GET of that.
"""

import contextlib
import hashlib
import os
import re
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.fetch import credentials, service, transfer
from thorax.fetch.archives import check_archive
from thorax.running import LOCK_WAIT_S, locked

__all__ = ["cache_folder", "check_archive", "fingerprint", "kaggle_archive", "version_of"]

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9_-]*")


def cache_folder() -> Path:
    """Where archives are kept: $THORAX_CACHE, or ~/.cache/thorax."""
    return Path(os.environ.get("THORAX_CACHE") or "~/.cache/thorax").expanduser()


def kaggle_archive(slug: str, version: int | None, cache: Path) -> Path:
    """The zip of the Kaggle data set `slug` ("owner/name") in the folder `cache`, complete and checked.

    `version` counts from 1; None asks Kaggle for the current one. An archive that is in the cache already needs neither
    network nor credentials. ThoraxError, in one line, for whatever is wrong with the credentials, the rights, the
    network, the disk or the archive; what arrived of an archive before a cut is kept, and the next call goes on there.
    """
    if not SLUG.fullmatch(slug):
        raise ThoraxError(f"{slug!r} is no Kaggle data set; it must look like owner/name")
    if version is None:
        signed_in = credentials.find(slug)
        version = service.patiently(lambda: service.current_version(slug, signed_in))
    target = cache / f"{slug.replace('/', '-')}-v{version}.zip"
    if target.is_file():  # under this name only when complete: no lock, so that a read-only cache will do
        return still_good(target)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(target, LOCK_WAIT_S))
        except OSError as error:
            raise ThoraxError(f"{cache}: cannot write the archive cache ({error.strerror}); set THORAX_CACHE to a "
                              "folder that can be written") from None
        if target.is_file():  # by the process that held the lock
            return still_good(target)
        signed_in = credentials.find(slug)
        part = target.with_name(f"{target.name}.part")
        transfer.fetch(lambda: service.archive_address(slug, version, signed_in), part, slug)
        try:
            check_archive(part, f"{slug} version {version} as fetched",
                          f"it was thrown away; run the same command again, {credentials.by_hand(slug)}")
        except ThoraxError:
            transfer.forget(part)
            raise
        transfer.keep(part, target)
    return target


def still_good(target: Path) -> Path:
    """`target`, if its directory can be read: its members had their checksums when it got this name."""
    check_archive(target, str(target), "delete this file and run the same command again", contents=False)
    return target


def version_of(archive: Path) -> int:
    """The version of a file of the cache, by its name."""
    return int(re.search(r"-v(\d+)\.zip$", archive.name)[1])


def fingerprint(archive: Path) -> dict[str, int | str]:
    """`bytes` and `sha256` of a file, for source.json."""
    with open(archive, "rb") as file:
        return {"bytes": archive.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
