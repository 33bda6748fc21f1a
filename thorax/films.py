"""The one reader of image files: decoders differ in the last bits and in what they forgive.

Pixel values are taken as stored; embedded colour profiles and gamma are ignored, as they are by the usual loaders.
"""

import hashlib
import io
import struct
import zlib

import numpy as np
from PIL import ImageOps
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from thorax.errors import ThoraxError

# A 43x43 cm detector with pixels of 0.1 mm has 18.5 million. 50 million in colour take 150 MB decoded, which every
# worker can afford, while a PNG of 48 kB can unpack to 400 million.
MAX_PIXELS = 50_000_000

# The smallest real film has 157 pixels a side. Below 32 a lung is a few pixels wide: an icon or a thumbnail.
MIN_SIDE = 32

# Pillow's classes are called directly: Image.open would try every format it knows, warn about large images where this
# reader refuses them, and take the preview pictures that cameras append to a JPEG for frames.
DECODERS = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,  # JFIF, Exif and Adobe files alike
}

# How files that turn up among films begin.
STRANGERS = {
    b"\x00\x05\x16\x07": "a macOS resource fork",
    b"version https://git-lfs": "a Git LFS pointer",
    b"<": "a web page or XML",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"RIFF": "WebP",
}

DEPTHS = (8, 10, 12, 14, 16)  # bits of a detector's pixel


class UnreadableFilm(ThoraxError):
    """The file is no film that can be trusted. The message is the reason in one line, without the path."""


def read_film(data: bytes) -> np.ndarray:
    """The film in the bytes of a PNG or JPEG file: uint8 0..255, (height, width), or (height, width, 3) RGB.

    It is RGB only where the channels really differ. EXIF orientation is applied. Alpha is dropped: it says how to show
    a pixel, not what was measured. 16-bit gray is taken for data of 8, 10, 12, 14 or 16 bits, the smallest that holds
    its maximum, of which the upper 8 are kept: 12-bit data in a 16-bit file uses the whole range.

    Raises UnreadableFilm for everything else, truncated and damaged files included. What no decoder sees passes: a JPEG
    that was cut and closed again with an end marker, or in which bits flipped.
    """
    decoder = _decoder(data)
    try:
        with decoder(io.BytesIO(data)) as image:
            _check_header(image)
            if decoder is PngImageFile:
                _check_png_chunks(data)
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _gray_if_equal(_pixels(image, wide=decoder is PngImageFile and data[24] == 16))
    except (UnreadableFilm, MemoryError):
        raise
    except Exception as error:  # on damaged bytes Pillow raises half a dozen unrelated types
        raise UnreadableFilm(f"damaged {decoder.format}: {' '.join(str(error).split())}") from error


def pixel_sha256(film: np.ndarray) -> str:
    """Hash over shape and pixels of a uint8 film, in hex. The same film stored gray or as R=G=B has one hash."""
    if film.dtype != np.uint8:
        raise TypeError(f"a film is uint8, not {film.dtype}")
    film = _gray_if_equal(film)
    digest = hashlib.sha256(str(film.shape).encode())
    digest.update(np.ascontiguousarray(film))
    return digest.hexdigest()


def _decoder(data: bytes) -> type[PngImageFile] | type[JpegImageFile]:
    if not data:
        raise UnreadableFilm("empty file (0 bytes)")
    for start, decoder in DECODERS.items():
        if data.startswith(start):
            return decoder
    for start, name in STRANGERS.items():
        if data.startswith(start):
            raise UnreadableFilm(f"not PNG or JPEG but {name}")
    if data[128:132] == b"DICM":
        raise UnreadableFilm("not PNG or JPEG but DICOM")
    raise UnreadableFilm(f"not PNG or JPEG (begins with the bytes {data[:4].hex(' ')})")


def _check_header(image: Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnreadableFilm(f"{width}x{height} pixels; at most {MAX_PIXELS:,} in all are read")
    if min(width, height) < MIN_SIDE:
        raise UnreadableFilm(f"{width}x{height} pixels; a film has at least {MIN_SIDE} a side")
    # Only PNG gets here with several. A film is one exposure, and nothing says which frame the label belongs to.
    if getattr(image, "n_frames", 1) > 1:
        raise UnreadableFilm(f"animated, {image.n_frames} frames; a film has one")


def _check_png_chunks(data: bytes) -> None:
    """Pillow does not compare the checksums of pixel data and returns half a film where the tail was lost to zeros."""
    at, view = 8, memoryview(data)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(view[at + 4:end]) != struct.unpack_from(">I", data, end)[0]:
            raise UnreadableFilm(f"damaged PNG: wrong checksum of chunk {kind.decode('latin-1')!r}")
        if kind == b"IEND":
            return
        at = end + 4
    raise UnreadableFilm("truncated PNG: the end is missing")


def _pixels(image: Image, wide: bool) -> np.ndarray:
    """uint8, (height, width) or (height, width, 3); `wide` says that the file holds 16 bits a channel."""
    # Pillow would warn that the transparency of a palette is lost, which is what is wanted.
    image.info.pop("transparency", None)
    if image.mode in ("1", "L", "LA"):
        return np.array(image.convert("L"))
    if image.mode.startswith("I"):  # I;16 here, I or I;16B in other releases of Pillow
        return _top_bits(np.asarray(image))
    if image.mode not in ("P", "RGB", "RGBA", "CMYK"):
        raise UnreadableFilm(f"pixel mode {image.mode} is not supported")
    film = np.array(image.convert("RGB"))  # of CMYK, Pillow has undone Adobe's inversion already
    # Of 16-bit colour Pillow keeps the upper byte. That is right for 16-bit data; of 12-bit data it leaves 16 levels.
    if wide and film.max() < 64:
        raise UnreadableFilm("16-bit colour PNG that holds 14 bits or less; convert it to 8 bits a channel")
    return film


def _top_bits(film: np.ndarray) -> np.ndarray:
    depth = next(depth for depth in DEPTHS if film.max() < 1 << depth)
    return (film >> (depth - 8)).astype(np.uint8)


def _gray_if_equal(film: np.ndarray) -> np.ndarray:
    if film.ndim == 3 and (film[..., 0] == film[..., 1]).all() and (film[..., 0] == film[..., 2]).all():
        return np.ascontiguousarray(film[..., 0])
    return film
