"""What a zip must be before anything is read from it.

The standard library strips `../`, keeps the last of two members of one name and expands whatever it is told to; these
checks come first and say what is wrong. Nothing is ever extracted.
"""

import errno
import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from thorax.errors import ThoraxError

# Films are compressed already: the real sets expand by less than 2. Tables expand by 10, deflate at most by 1,032.
MAX_RATIO = 200
SMALL_BYTES = 16 << 20  # that much may come from any ratio: a blank mask, a folder's settings file
MAX_TOTAL_BYTES = 500 * 10**9  # ten times NIH, the largest set
CHUNK_BYTES = 1 << 20

# What the standard library raises for damaged zips, beside OSError without a number (from bz2).
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, OverflowError)

OTHERWISE = "download it again, or unpack it with a tool that you trust and say folder:<path>"


class Unfit(Exception):
    """What is wrong with a zip."""


def check_archive(path: Path, where: str, otherwise: str = OTHERWISE, contents: bool = True) -> None:
    """Raise ThoraxError, "<where>: <fault>; <otherwise>", unless `path` is a zip that can be read from safely.

    Refused: no zip, cut short, encrypted, names that lead out of a folder, a name twice, a bomb, and, with `contents`
    (which reads it all, at 0.2 to 1 GB a second), a member that does not have its checksum.
    """
    try:
        with open_checked(path) as archive:
            members = [member for member in archive.infolist() if not member.filename.endswith("/")]
            check_names(members)
            check_sizes(members, path.stat().st_size)
            if contents:
                read_all(archive, members)
    except Unfit as fault:
        raise ThoraxError(f"{where}: {fault}; {otherwise}") from None


def open_checked(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except IsADirectoryError:
        raise Unfit("a folder, not a zip (say folder:<path> to read it)") from None
    except OSError as error:
        raise Unfit(f"cannot be read ({error.strerror or 'damaged'})") from None
    except (*DAMAGE, NotImplementedError):
        raise Unfit(what_instead(path)) from None


def what_instead(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(1024).lstrip()
    if head.startswith(b"PK"):
        return "the zip is cut short or damaged, its directory cannot be read"
    if head[:1] == b"<":
        return "a web page, not a zip"
    return "not a zip" if head else "an empty file, not a zip"


def check_names(members: Sequence[zipfile.ZipInfo]) -> None:
    if not members:
        raise Unfit("the zip holds no file")
    seen = set()
    for member in members:
        name = member.orig_filename  # before the standard library cut it at a NUL
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
            raise Unfit(f"refused, as the member {name!r} would lie outside of its folder")
        if not name:
            raise Unfit("refused, as it holds a member without a name")
        if "\0" in name:
            raise Unfit(f"refused, as the member {name!r} has a NUL in its name")
        plain = posixpath.normpath(name)
        if plain in seen:
            raise Unfit(f"refused, as it holds {name!r} twice and nobody can say which is meant")
        seen.add(plain)


def check_sizes(members: Sequence[zipfile.ZipInfo], archive_bytes: int) -> None:
    """Refuse bombs by the sizes that the directory states; a member that holds more than it states fails `read_all`."""
    total = sum(member.file_size for member in members)
    if total > MAX_TOTAL_BYTES or total > max(SMALL_BYTES, MAX_RATIO * archive_bytes):
        raise Unfit(f"refused as a zip bomb, as its {archive_bytes:,} bytes would expand to {total:,}")
    for member in members:
        if member.file_size > max(SMALL_BYTES, MAX_RATIO * member.compress_size):
            raise Unfit(f"refused as a zip bomb, as the {member.compress_size:,} bytes of its member "
                        f"{member.filename!r} would expand to {member.file_size:,}")
        if member.flag_bits & 1:
            raise Unfit(f"the member {member.filename!r} is encrypted")


def read_all(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> None:
    """Read every member to its end, which compares its checksum."""
    with tqdm(total=sum(member.file_size for member in members), desc="check the zip", unit="B", unit_scale=True,
              unit_divisor=1024, disable=None) as bar:
        for member in members:
            for data in read_member(archive, member):
                bar.update(len(data))


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of a member, in chunks, to its end, which compares its checksum."""
    try:
        with archive.open(member) as file:
            while data := file.read(CHUNK_BYTES):
                yield data
    except NotImplementedError:
        raise Unfit(f"the member {member.filename!r} is compressed in a way that Python cannot read") from None
    except (*DAMAGE, OSError) as error:
        # EINVAL is the zip's: it says that a member begins before the file does.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's fault
        raise Unfit(f"the zip is damaged at the member {member.filename!r}") from None
