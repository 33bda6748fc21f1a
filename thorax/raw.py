"""Raw data on disk: data/raw/<study>/<dataset>/ holds an archive, or a reference to one or to a folder, and a manifest.

`source.json` says which; `manifest.csv` has a row per film with its path, bytes, SHA-256 and what its data set knows of
it. Films are read from the archive without extracting it.
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from thorax.errors import ThoraxError

ARCHIVE = "films.zip"
# The earliest date a zip can hold; a fixed one, so that the same films give the same bytes.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def write_archive(path: Path, members: Iterable[tuple[str, bytes]], title: str) -> None:
    """Store (name, bytes) pairs in a zip: films are compressed already, and the same pairs give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in tqdm(members, title, unit="file", disable=None):
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), data)


def link_archive(archive: Path, target: Path) -> None:
    """Put `archive` at `target` as a hard link, which costs no space, or as a copy where the disk has no links."""
    try:
        os.link(archive, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(archive, target)


def list_folder(folder: Path, where: str) -> list[str]:
    """The files below `folder`, as paths relative to it. ThoraxError if there are none."""
    if not folder.is_dir():
        raise ThoraxError(f"{where}: {'not a folder' if folder.exists() else 'no such folder'}; "
                          "give the folder that holds the download, or a zip as archive:<path.zip>")
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    if not names:
        raise ThoraxError(f"{where}: the folder is empty; give the folder that holds the download")
    return names


def list_archive(path: Path) -> list[str]:
    return [name for name in open_archive(path).namelist() if not name.endswith("/")]


@lru_cache(maxsize=4)
def open_archive(path: Path) -> zipfile.ZipFile:
    # One open archive per process: its directory is read once, not once per film.
    return zipfile.ZipFile(path)


def reader(raw: Path) -> Callable[[str], bytes]:
    """The function that reads a file of the raw data `raw` (a folder with source.json) by its path."""
    source = json.loads((raw / "source.json").read_text())
    if source["kind"] == "archive":
        # The user's own archive is referred to; all others lie here.
        return open_archive(Path(source["archive"]) if "archive" in source else raw / ARCHIVE).read
    return lambda name: (Path(source["folder"]) / name).read_bytes()


def write_manifest(raw: Path, source: dict, films: pd.DataFrame, skipped: Counter,
                   read: Callable[[str], bytes]) -> None:
    """Write source.json and manifest.csv into `raw`; reads every film for its length and hash."""
    lengths, hashes = [], []
    for path in tqdm(films["path"], "hash films", unit="film", disable=None):
        data = read(path)
        lengths.append(len(data))
        hashes.append(hashlib.sha256(data).hexdigest())
    manifest = films.assign(bytes=lengths, sha256=hashes)
    manifest.to_csv(raw / "manifest.csv", index=False, lineterminator="\n")
    source = source | {"films": len(films), "left_out": dict(sorted(skipped.items()))}
    (raw / "source.json").write_text(json.dumps(source, indent=2) + "\n")


def read_manifest(raw: Path) -> pd.DataFrame:
    return pd.read_csv(raw / "manifest.csv", dtype={"bytes": int}, keep_default_na=False)


def checked(data: bytes, row) -> bool:
    """Whether `data` is still the film that the manifest row describes."""
    return len(data) == row.bytes and hashlib.sha256(data).hexdigest() == row.sha256


def datasets_in(raw: Path) -> Sequence[Path]:
    return sorted(path.parent for path in raw.glob("*/source.json"))
