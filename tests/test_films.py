import io
import os
import random
import struct
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from thorax.errors import ThoraxError
from thorax.films import MAX_PIXELS, MIN_SIDE, UnreadableFilm, pixel_sha256, read_film

pytestmark = pytest.mark.filterwarnings("error")

HEIGHT, WIDTH = 48, 64
GRAY = (np.add.outer(np.arange(HEIGHT) * 3, np.arange(WIDTH)) % 256).astype(np.uint8)
RGB = np.dstack([GRAY, GRAY[::-1], 255 - GRAY])


def encoded(image, format="PNG", **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, colour_type, depth, rows):
    """A PNG from its parts, for what Pillow does not write: 16-bit colour and headers that lie."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def png16(film, colour_type):
    return png(WIDTH, HEIGHT, colour_type, 16, b"".join(b"\0" + row.astype(">u2").tobytes() for row in film))


def reason(data):
    with pytest.raises(UnreadableFilm) as caught:
        read_film(data)
    assert isinstance(caught.value, ThoraxError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_film(film, expected, within=0):
    assert film.dtype == np.uint8
    assert film.shape == expected.shape
    assert np.abs(film.astype(int) - expected).max() <= within
    assert film.flags["C_CONTIGUOUS"] and film.flags["WRITEABLE"]


# Pixels ---------------------------------------------------------------------------------------------------------------


def test_a_png_comes_back_pixel_for_pixel():
    assert_film(read_film(encoded(GRAY)), GRAY)
    assert_film(read_film(encoded(RGB)), RGB)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_comes_back_as_pillow_decodes_it(options):
    data = encoded(GRAY, "JPEG", **options)
    assert_film(read_film(data), np.asarray(Image.open(io.BytesIO(data))))


def test_gray_stored_as_rgb_comes_back_two_dimensional():
    assert_film(read_film(encoded(np.dstack([GRAY] * 3))), GRAY)
    assert read_film(encoded(np.dstack([GRAY] * 3), "JPEG")).shape == GRAY.shape


def test_one_coloured_pixel_keeps_the_film_in_colour():
    film = np.dstack([GRAY] * 3)
    film[5, 7] = 200, 0, 0
    assert_film(read_film(encoded(film)), film)


def test_a_bilevel_film_is_black_and_white():
    assert_film(read_film(encoded(Image.fromarray(GRAY > 99))), np.where(GRAY > 99, 255, 0).astype(np.uint8))


@pytest.mark.parametrize("film", [GRAY, RGB], ids=["LA", "RGBA"])
def test_alpha_does_not_change_pixels(film):
    alpha = np.random.default_rng(0).integers(0, 256, GRAY.shape, np.uint8)
    assert_film(read_film(encoded(np.dstack([film, alpha]))), film)


def test_a_transparent_gray_level_does_not_change_pixels():
    assert_film(read_film(encoded(GRAY, transparency=int(GRAY[3, 3]))), GRAY)


@pytest.mark.parametrize("transparency", [None, 3, bytes([0, 100, 255])], ids=["opaque", "one index", "table"])
def test_a_palette_is_looked_up_with_or_without_transparency(transparency):
    image = Image.fromarray(RGB).quantize(32)
    options = {} if transparency is None else {"transparency": transparency}
    assert_film(read_film(encoded(image, **options)), np.asarray(image.convert("RGB")))


def test_a_palette_of_grays_comes_back_two_dimensional():
    image = Image.fromarray(GRAY).convert("P")
    image.putpalette([255 - value // 3 for value in range(768)])
    assert_film(read_film(encoded(image)), 255 - GRAY)


def test_a_cmyk_jpeg_is_not_inverted():
    smooth = np.broadcast_to(np.arange(WIDTH, dtype=np.uint8) * 4, GRAY.shape)
    image = Image.fromarray(np.dstack([smooth] * 3)).convert("CMYK")
    data = encoded(image, "JPEG", quality=100)
    assert b"Adobe" in data  # which means that its values are stored inverted
    film = read_film(data)
    assert np.abs(film.reshape(HEIGHT, WIDTH, -1).astype(int) - smooth[..., None]).max() <= 3


@pytest.mark.parametrize("depth", [8, 10, 12, 14, 16])
def test_16_bit_files_are_scaled_by_the_depth_they_use(depth):
    film = np.linspace(0, 2**depth - 1, GRAY.size).reshape(GRAY.shape).astype(np.uint16)
    assert_film(read_film(encoded(film)), (film >> (depth - 8)).astype(np.uint8))


@pytest.mark.parametrize(("brightest", "expected"), [(255, 255), (256, 64), (1023, 255), (1024, 64), (4095, 255),
                                                     (4096, 64), (16383, 255), (16384, 64), (65535, 255), (0, 0)])
def test_the_depth_changes_exactly_where_the_maximum_needs_more_bits(brightest, expected):
    film = np.zeros(GRAY.shape, np.uint16)
    film[1, 1] = brightest
    assert read_film(encoded(film)).max() == expected


def test_a_film_and_its_16_bit_copy_are_one_film():
    full = GRAY.copy()
    full[0, 0] = 255  # so that the copy needs all 16 bits
    assert_film(read_film(encoded(full.astype(np.uint16) * 257)), full)


def test_16_bit_colour_keeps_its_upper_byte():
    full = RGB.astype(np.uint16) * 257
    assert_film(read_film(png16(full, 2)), RGB)
    assert_film(read_film(png16(np.dstack([full, full[..., 0]]), 6)), RGB)


def test_12_bit_colour_in_16_bits_is_refused_instead_of_turning_black():
    assert "14 bits or less" in reason(png16(RGB.astype(np.uint16) * 16, 2))


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_upright_film(orientation, format):
    blocks = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    upright = np.kron(blocks, np.ones((16, 16), np.uint8))  # which JPEG stores exactly
    stored = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
              6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_film(read_film(encoded(np.ascontiguousarray(stored), format, exif=exif)), upright, within=1)


def test_16_bit_films_are_turned_upright_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    film = (GRAY.astype(np.uint16) << 4) | 8
    assert_film(read_film(encoded(np.ascontiguousarray(np.rot90(film)), exif=exif)), GRAY)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_film(read_film(encoded(GRAY, exif=exif)), GRAY)


def test_broken_exif_does_not_cost_the_film():
    assert_film(read_film(encoded(GRAY, "JPEG", exif=b"Exif\0\0junkjunk", quality=100)), GRAY, within=3)


def test_pictures_that_a_camera_appends_to_a_jpeg_are_ignored():
    data = encoded(GRAY, "MPO", save_all=True, append_images=[Image.fromarray(255 - GRAY)], quality=100)
    assert_film(read_film(data), GRAY, within=3)


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "expected"), [
    (b"", "empty file"),
    (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ", "a macOS resource fork"),
    (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    (b"<!DOCTYPE html><html>", "a web page"),
    (b"\0" * 128 + b"DICM" + b"\0" * 50, "DICOM"),
    (b"not an image", "begins with the bytes 6e 6f 74 20"),
    (b"\0" * 4000, "begins with the bytes 00 00 00 00"),
    (b"\x89PNG\r\n\x1a\n", "damaged PNG"),
    (b"\xff\xd8\xff", "damaged JPEG"),
    (encoded(GRAY, "GIF"), "GIF"),
    (encoded(GRAY, "BMP"), "BMP"),
    (encoded(GRAY, "TIFF"), "TIFF"),
    (encoded(GRAY, "WEBP"), "WebP"),
])
def test_what_is_no_film_is_refused_by_its_name(data, expected):
    assert expected in reason(data)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_truncated_jpeg_is_refused_wherever_it_was_cut(options):
    data = encoded(GRAY, "JPEG", **options)
    for end in range(1, len(data)):
        reason(data[:end])


def test_a_truncated_png_is_refused_wherever_it_was_cut():
    data = encoded(RGB)
    for end in range(1, len(data)):
        reason(data[:end])


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_file_whose_tail_was_lost_to_zeros_is_refused(format):
    data = encoded(GRAY, format)
    for end in range(10, len(data) - 2, 7):
        reason(data[:end] + bytes(len(data) - end))


def test_a_flipped_bit_in_a_png_is_refused():
    data = bytearray(encoded(GRAY))
    for at in range(8, len(data), 5):
        data[at] ^= 16
        reason(bytes(data))
        data[at] ^= 16


def test_bytes_after_the_end_of_a_film_are_ignored():
    assert_film(read_film(encoded(GRAY) + bytes(99)), GRAY)
    assert read_film(encoded(GRAY, "JPEG") + bytes(99)).shape == GRAY.shape


def test_a_film_of_400_megapixels_in_48_kilobytes_is_refused_from_its_header():
    body = zlib.compress(bytes(20_001 * 2_000), 9)
    data = png(20_000, 20_000, 0, 8, b"")[:33] + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    tracemalloc.start()
    start = time.perf_counter()
    assert "20000x20000 pixels" in reason(data)
    assert time.perf_counter() - start < 0.5
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("side", [9_600, 12_000, 65_000])  # for Pillow: fine, a warning, an error
def test_oversized_headers_have_one_reason_whatever_pillow_thinks_of_them(side):
    data = bytearray(encoded(GRAY, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5:at + 9] = struct.pack(">HH", side, side)
    assert f"at most {MAX_PIXELS:,}" in reason(bytes(data))


def test_thumbnails_are_refused_and_the_smallest_film_is_read():
    smallest = np.zeros((MIN_SIDE, MIN_SIDE), np.uint8)
    assert_film(read_film(encoded(smallest)), smallest)
    assert "at least" in reason(encoded(smallest[1:]))
    assert "at least" in reason(encoded(smallest[:, 1:].copy()))


def test_an_animation_is_refused():
    data = encoded(GRAY, save_all=True, append_images=[Image.fromarray(255 - GRAY)])
    assert "2 frames" in reason(data)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["PNG", "JPEG"]))
def test_damaged_bytes_give_a_film_or_a_reason_and_never_another_error(seed, format):
    rng = random.Random(seed)
    data = bytearray(encoded(GRAY, format, exif=Image.Exif()))
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about corrupt EXIF
        try:
            film = read_film(bytes(data))
        except UnreadableFilm:
            return
    assert film.dtype == np.uint8 and film.ndim in (2, 3)


# Hash -----------------------------------------------------------------------------------------------------------------


def test_one_film_has_one_hash_however_it_is_stored():
    alpha = np.full_like(GRAY, 255)
    copies = [encoded(GRAY), encoded(GRAY, compress_level=0), encoded(np.dstack([GRAY] * 3)),
              encoded(np.dstack([GRAY, alpha])), encoded(Image.fromarray(GRAY).convert("P"))]
    assert len({pixel_sha256(read_film(data)) for data in copies}) == 1
    assert pixel_sha256(np.dstack([GRAY] * 3)) == pixel_sha256(GRAY) == pixel_sha256(np.asfortranarray(GRAY))


def test_the_hash_depends_on_every_pixel_and_on_the_shape():
    changed = GRAY.copy()
    changed[-1, -1] ^= 1
    films = [GRAY, changed, GRAY.reshape(WIDTH, HEIGHT), RGB, RGB[..., ::-1], RGB.reshape(HEIGHT, -1)]
    assert len({pixel_sha256(film) for film in films}) == len(films)


def test_the_hash_is_the_same_in_every_release():
    film = np.zeros((32, 32), np.uint8)
    assert pixel_sha256(film) == "14ac0c5412ebfa24f86e8d6cc95f2c2afb3d8efbcbfaa535344d016ea087eba7"


def test_the_hash_refuses_what_is_no_film():
    with pytest.raises(TypeError, match="uint8"):
        pixel_sha256(GRAY.astype(float))


# Real films -----------------------------------------------------------------------------------------------------------


def test_real_films_of_every_set_are_read():
    if "THORAX_FILMS" not in os.environ:
        pytest.skip("THORAX_FILMS names no folder of real films")
    sets = [folder for folder in sorted(Path(os.environ["THORAX_FILMS"]).iterdir()) if folder.is_dir()]
    assert sets
    for folder in sets:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in {".png", ".jpg", ".jpeg"})
        for path in random.Random(0).sample(paths, min(40, len(paths))):
            film = read_film(path.read_bytes())
            assert film.dtype == np.uint8 and min(film.shape[:2]) >= 150, path
            assert film.std() > 5, path
