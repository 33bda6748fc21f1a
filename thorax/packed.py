"""The packed array: all films of a study in one .npy file, uint8 (films, side, side), read as a memory map.

One file, not 20,000: DVC hashes it in a moment and training reads it at memory speed. The masks lie in such an array
too, all at one size, as bits; (films, 0, 0) in a study whose data sets have no masks. The columns `lung_mask` and
`lesion_mask` of films.csv are empty where a mask is not known: the bit is 0 there, as it is outside of a known mask.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from thorax.errors import ThoraxError

MASKS = "masks.npy"
LUNG, LESION = 1, 2  # bits of a mask's pixels


@contextlib.contextmanager
def writers(sides: Mapping[Path, int]) -> Iterator[Callable[[Sequence[np.ndarray]], None]]:
    """A function that appends one film, uint8 (side, side), to each file; `sides` maps the files to their sides.

    Written with ordinary writes: on a full disk these raise an error, where a memory map kills the process.
    """
    with contextlib.ExitStack() as stack:
        files = {stack.enter_context(open(path, "wb")): side for path, side in sides.items()}
        # The number of films is known at the end only; NumPy pads the header so that a longer number fits.
        for file, side in files.items():
            file.write(header(0, side))
        count = 0

        def append(images: Sequence[np.ndarray]) -> None:
            nonlocal count
            for (file, side), image in zip(files.items(), images, strict=True):
                if image.shape != (side, side) or image.dtype != np.uint8:
                    raise ValueError(f"a film of {image.shape} {image.dtype} in an array of ({side}, {side}) uint8")
                file.write(image.tobytes())
            count += 1

        yield append
        for file, side in files.items():
            final, room = header(count, side), len(header(0, side))
            if len(final) != room:
                raise ValueError(f"the header of {count} films takes {len(final)} bytes, {room} were left for it")
            file.seek(0)
            file.write(final)


def header(count: int, side: int) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (count, side, side)})
    return buffer.getvalue()


def read(folder: Path, variant: str) -> tuple[np.ndarray, pd.DataFrame]:
    """The variant's films, memory-mapped uint8 (films, side, side), and their table in the same order."""
    films = pd.read_csv(folder / "films.csv", dtype=str, keep_default_na=False)
    array = np.load(folder / f"{variant}.npy", mmap_mode="r")
    if len(array) != len(films):
        raise ThoraxError(f"{folder}: {variant}.npy has {len(array)} films and films.csv {len(films)}; "
                          "run `dvc repro`, which makes both again")
    return array, films
