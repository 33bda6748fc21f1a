"""What a zip must be before anything is read from it."""

import io
import zipfile

import pytest

from tests.local_services import bomb, zipped
from thorax.errors import ThoraxError
from thorax.fetch import archives

ARCHIVE = zipped(("a/1.jpeg", bytes(range(100))), ("a/2.jpeg", b"film" * 20))


def crowd() -> bytes:
    """Members that are small bombs each and a large one together."""
    return zipped(*((f"{number}.dat", bytes(1 << 20)) for number in range(20)), method=zipfile.ZIP_DEFLATED)


def patched(name: bytes, other: bytes) -> bytes:
    return zipped((name.decode(), b"film")).replace(name, other)


def encrypted() -> bytes:
    data = bytearray(ARCHIVE)
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def flipped() -> bytes:
    return ARCHIVE.replace(bytes(range(50, 60)), bytes(range(60, 50, -1)))


def nameless() -> bytes:
    """A member whose name in the directory has no byte; the one that it had counts as its extra field."""
    data = bytearray(zipped(("X", b"film")))
    start = data.rfind(b"PK\x01\x02")
    data[start + 28:start + 32] = b"\0\0\1\0"
    return bytes(data)


def lying() -> bytes:
    """A member that holds 1 MiB and says 10 bytes."""
    data = zipped(("a.dat", bytes(1 << 20)), method=zipfile.ZIP_DEFLATED)
    return data.replace((1 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little"))


def overlapping() -> bytes:
    """Ten names in the directory for one member."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a", b"film")
            for name in "bcdefghij":
                member = zipfile.ZipInfo(name)
                member.file_size, member.compress_size, member.CRC = 4, 4, archive.infolist()[0].CRC
                archive.filelist.append(member)
                member.header_offset = 0
        return file.getvalue()


@pytest.mark.parametrize(("data", "why"), [
    (lambda: ARCHIVE[:-1], "the zip is cut short or damaged"),
    (lambda: ARCHIVE[:200], "the zip is cut short or damaged"),
    (lambda: b"", "an empty file, not a zip"),
    (lambda: b"Rar!", "not a zip"),
    (lambda: b"\n<!DOCTYPE html><html>", "a web page, not a zip"),
    (lambda: zipped(), "the zip holds no file"),
    (lambda: zipped(("a/", b"")), "the zip holds no file"),
    (lambda: zipped(("../../a.jpeg", b"film")), "'../../a.jpeg' would lie outside"),
    (lambda: zipped(("a/../../b.jpeg", b"film")), "'a/../../b.jpeg' would lie outside"),
    (lambda: zipped(("..\\a.jpeg", b"film")), "would lie outside"),
    (lambda: zipped(("/etc/passwd", b"film")), "'/etc/passwd' would lie outside"),
    (lambda: zipped(("\\\\host\\a.jpeg", b"film")), "would lie outside"),
    (lambda: zipped(("C:/a.jpeg", b"film")), "'C:/a.jpeg' would lie outside"),
    (lambda: patched(b"aX.jpeg", b"a\x00.jpeg"), "has a NUL in its name"),
    (lambda: zipped(("a/1", b"film"), ("a/2", b"film")).replace(b"a/2", b"a/1"), "it holds 'a/1' twice"),
    (lambda: zipped(("a/1", b"film"), ("a/./1", b"film")), "it holds 'a/./1' twice"),
    (nameless, "a member without a name"),
    (lambda: ARCHIVE[90:], "damaged"),  # its members begin before the file does
    (bomb, "refused as a zip bomb"),
    (crowd, "refused as a zip bomb"),
    (encrypted, "is encrypted"),
    (flipped, "the zip is damaged at the member 'a/1.jpeg'"),
    (lying, "the zip is damaged at the member 'a.dat'"),
    (overlapping, "the zip is damaged at the member 'b'"),
])
def test_a_zip_that_must_not_be_read_is_refused_with_the_reason(tmp_path, data, why):
    path = tmp_path / "x.zip"
    path.write_bytes(data())
    with pytest.raises(ThoraxError) as caught:
        archives.check_archive(path, "here")
    assert str(caught.value).startswith("here: ")
    assert why in str(caught.value)
    assert str(caught.value).endswith(archives.OTHERWISE)


def test_no_cut_of_a_zip_passes(tmp_path):
    path = tmp_path / "x.zip"
    for number in range(len(ARCHIVE)):
        path.write_bytes(ARCHIVE[:number])
        with pytest.raises(ThoraxError):
            archives.check_archive(path, "here")


def test_no_changed_byte_of_a_film_passes(tmp_path):
    path, start = tmp_path / "x.zip", ARCHIVE.index(bytes(range(100)))
    for number in range(start, start + 100):
        path.write_bytes(ARCHIVE[:number] + bytes([ARCHIVE[number] ^ 1]) + ARCHIVE[number + 1:])
        with pytest.raises(ThoraxError, match="damaged at the member"):
            archives.check_archive(path, "here")


def test_a_zip_that_compresses_well_but_is_small_passes(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(("blank.bmp", bytes(1 << 20)), method=zipfile.ZIP_DEFLATED))
    archives.check_archive(path, "here")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ThoraxError, match=r"here: cannot be read \(No such file or directory\)"):
        archives.check_archive(tmp_path / "none.zip", "here")
