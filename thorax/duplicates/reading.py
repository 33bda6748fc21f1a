"""The thumbnails of all films in a folder or a .zip, read by one process per CPU."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thorax import raw
from thorax.duplicates import SIDE, thumbnail
from thorax.errors import ThoraxError
from thorax.films import UnreadableFilm, read_film
from thorax.running import worker_pool

SUFFIXES = (".png", ".jpg", ".jpeg")


def films_in(folder: Path) -> list[str]:
    """The files of `folder`, or of the archive, that are films by their names, sorted; ThoraxError if none is."""
    files = raw.list_archive(folder) if folder.suffix == ".zip" else raw.list_folder(folder, str(folder))
    names = sorted(name for name in files if name.lower().endswith(SUFFIXES))
    if not names:
        raise ThoraxError(f"{folder}: none of the {len(files)} files ends in {', '.join(SUFFIXES)}; give the folder, "
                          "or the .zip, that holds the films")
    return names


def thumbnails_of(folder: Path, names: list[str]) -> tuple[list[str], np.ndarray, dict[str, str]]:
    """The names of the readable films, their thumbnails uint8 (n, 16, 16), and the others with the reason."""
    kept, thumbnails, unreadable = [], [], {}
    with worker_pool() as pool:
        results = pool.map(partial(read, folder), names, chunksize=16)
        for name, (image, reason) in zip(names, tqdm(results, folder.name, len(names), unit="film", disable=None),
                                         strict=True):
            if image is None:
                unreadable[name] = reason
            else:
                kept.append(name)
                thumbnails.append(image)
    return kept, np.array(thumbnails, np.uint8).reshape(-1, SIDE, SIDE), unreadable


def read(folder: Path, name: str) -> tuple[np.ndarray | None, str]:
    cv2.setNumThreads(1)  # one process per CPU already
    try:
        data = raw.open_archive(folder).read(name) if folder.suffix == ".zip" else (folder / name).read_bytes()
        return thumbnail(read_film(data)), ""
    except (UnreadableFilm, OSError) as error:
        return None, str(error)
