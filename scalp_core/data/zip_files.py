"""Members of zip files, listed and read without unpacking, with the limits of what is read.

Members are read by the place of their bytes. Nothing is written under a name from an archive, and nothing is inflated
beyond what a picture or a label may have.
"""

import io
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scalp_core.data.aihub import readable
from scalp_core.images import ENDINGS, MAX_BYTES

MAX_MEMBERS = 500_000  # of one zip file; the real ones have up to 28,061
# Inflated over stored bytes: deflating a photograph saves a few per cent, a label file shrinks to a third.
MAX_RATIO = 200
RATIO_FROM = 2**20  # bytes; the ratio of smaller members does not matter

# Of pictures and their label files.
USUAL_ENDINGS = {*ENDINGS, ".json"}
# What systems and programs keep beside pictures: copies of them, thumbnails, what was thrown away.
_IGNORED_FOLDERS = {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
_IGNORED_NAMES = {".ds_store", "thumbs.db", "desktop.ini"}
_IGNORED_LENGTH = max(map(len, _IGNORED_NAMES))
_PARTIAL = (".crdownload", ".part", ".partial", ".download", ".!ut")

_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_CODE_BYTES = 1024  # a block of deflated data begins with the code that it is in, at most a few hundred bytes
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of the name and of the extra field
_LOCAL_SIGNATURE = b"PK\x03\x04"
_END_SIGNATURE, _END_BYTES, _MAX_COMMENT = b"PK\x05\x06", 22, 2**16 - 1
_MEMBERS_AT = 10  # where the end of a zip file holds the number of its members
_ENCRYPTED = 0x1
_UTF8_NAME = 0x800

Content = mmap.mmap | bytes  # of a whole zip file


class Member(NamedTuple):
    """One file of a folder or of a zip file.

    Attributes:
        parts: folders from the tree down, zip files among them, readable and without `.zip`.
        name: readable file name.
        ending: its last part in lower case, such as `.jpg`; empty for a name without one.
        file: the name of a file in a folder, as `files.quote_path` writes it; None in a zip file.
        size: bytes of content.
        stamp: in a zip file the CRC of the content, in a folder the time (ns) when the file or its permissions changed.
        offset, length, deflated: where its bytes lie in the zip file; None for a file in a folder.
    """

    parts: tuple[str, ...]
    name: str
    ending: str
    file: str | None
    size: int
    stamp: int
    offset: int | None = None
    length: int | None = None
    deflated: bool = False


@dataclass(frozen=True)
class Fault:
    """A file, folder or zip file that cannot be used as it is; kinds are in `importer.FAULTS`."""

    kind: str
    name: str
    where: str
    detail: str = ""


# --- Listing ----------------------------------------------------------------------------------------------------------


def list_members(
    file: Path | io.BytesIO, content: Content, name: str, above: tuple[str, ...] = (), where: str = ""
) -> Iterator[Member | Fault]:
    """Yield the members of a zip file in the order they are stored.

    Args:
        file: the zip file as `zipfile` reads its directory.
        content: all bytes of the same zip file.
        name, where: of the zip file, for its faults.
        above: the folders that the members' own begin with.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            yield Fault("too_large", name, where, f"{len(infos):,} members; at most {MAX_MEMBERS:,} are read")
            return
        if _overlap(infos):
            yield Fault("bad_zip", name, where, "members lie on each other, as in a zip bomb")
            return
        for info in infos:
            if member := _member(info, content, above, where):
                yield member
    # What zipfile raises on what is no archive or half of one.
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        yield Fault("bad_zip", name, where, str(error))


def _overlap(infos: list[zipfile.ZipInfo]) -> bool:
    """Return whether two members share bytes: so a small file claims any number of pictures (Fifield 2019)."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            return True
        # At least so long: its name and extra field are in the local header, whose lengths are not read here.
        end = info.header_offset + _LOCAL_HEADER.size + info.compress_size
    return False


def member_count(path: Path) -> int:
    """Return how many members the last bytes of a zip file claim; 1 for an empty, damaged or unreadable one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - _END_BYTES - _MAX_COMMENT))
            tail = file.read()
    except OSError:
        return 1  # reading it will report why not
    at = tail.rfind(_END_SIGNATURE)
    return int.from_bytes(tail[at + _MEMBERS_AT : at + _MEMBERS_AT + 2], "little") or 1 if at >= 0 else 1


def _member(info: zipfile.ZipInfo, content: Content, above: tuple[str, ...], where: str) -> Member | Fault | None:
    path = info.orig_filename
    if not path.isascii():
        path = readable(path if info.flag_bits & _UTF8_NAME else path.encode("cp437"))
    folders, name = list[str](), path
    if "/" in path or "\\" in path:
        *folders, name = [part for part in path.replace("\\", "/").split("/") if part] or [""]
    if info.is_dir() or is_ignored(name) or any(map(is_ignored_folder, folders)):
        return None
    ending = ending_of(name)
    kind, detail = _fault(info, path, folders, ending)
    if kind:
        return Fault(kind, name, f"{where}/{'/'.join(folders)}".rstrip("/"), detail)
    start = _data_offset(content, info.header_offset)
    if start is None:
        return Fault("bad_zip", name, where, "the member is not where the directory says")
    parts = (*above, *folders) if folders else above
    deflated = info.compress_type == _DEFLATED
    return Member(parts, name, ending, None, info.file_size, info.CRC, start, info.compress_size, deflated)


def _data_offset(content: Content, header: int) -> int | None:
    """Return where the bytes of the member with this local header begin; None where there is no such header."""
    if not 0 <= header <= len(content) - _LOCAL_HEADER.size:
        return None
    signature, name_length, extra_length = _LOCAL_HEADER.unpack_from(content, header)
    return header + _LOCAL_HEADER.size + name_length + extra_length if signature == _LOCAL_SIGNATURE else None


def _fault(info: zipfile.ZipInfo, path: str, folders: list[str], ending: str) -> tuple[str, str]:
    """Return the kind of fault that keeps a member out, and its details; empty for one that may be read."""
    if path.startswith(("/", "\\")) or ".." in folders or path[1:2] == ":" or "\0" in path:
        return "unsafe_name", "the name leads out of the archive"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted", ""
    if ending == ".zip":
        return "nested_zip", "unpack it once and import again"
    if ending not in USUAL_ENDINGS and is_partial(path):
        return "partial_download", ""
    if info.compress_type not in (_STORED, _DEFLATED):
        return "bad_zip", f"compression method {info.compress_type} is not read"
    if max(info.file_size, info.compress_size) > MAX_BYTES:
        return "too_large", f"{max(info.file_size, info.compress_size):,} bytes"
    if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size):
        return "too_large", f"{info.compress_size:,} bytes that claim to be {info.file_size:,}"
    return "", ""


# --- Reading ----------------------------------------------------------------------------------------------------------


def read_member(content: Content, member: Member, limit: int) -> bytes:
    """Return the content of a member of a zip file, or its first `limit` bytes.

    Raises:
        zlib.error: it is damaged.
    """
    if member.offset is None or member.length is None:
        raise ValueError(f"{member.name} lies in no zip file")
    length = min(member.length, _stored_limit(member.deflated, limit))
    return _inflated(content[member.offset : member.offset + length], member.deflated, limit)


def read_stored(path: Path, offset: int, length: int, deflated: bool) -> bytes:
    """Return the content of a member by the place of its data, at most MAX_BYTES and one.

    The zip's directory is not read again: with tens of thousands of members that would take longer than the picture,
    and an open archive cannot be shared by forked workers.

    Raises:
        OSError, zlib.error: the file is gone, or shorter or other than it was.
    """
    limit = MAX_BYTES + 1
    length = min(length, _stored_limit(deflated, limit))
    with path.open("rb") as file:
        file.seek(offset)
        stored = file.read(length)
    if len(stored) < length:
        raise OSError(f"{path.name} is shorter than it was")
    return _inflated(stored, deflated, limit)


def _stored_limit(deflated: bool, limit: int) -> int:
    return limit + _CODE_BYTES if deflated else limit


def _inflated(stored: bytes, deflated: bool, limit: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, limit) if deflated else stored


# --- Names ------------------------------------------------------------------------------------------------------------


def ending_of(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


def is_zip(name: str) -> bool:
    return name.casefold().endswith(".zip")


def is_partial(name: str) -> bool:
    """Return whether the name is one that browsers and tools give to an unfinished download."""
    lower = name.casefold()
    return lower.endswith(_PARTIAL) or (".part" in lower and lower.rpartition(".part")[2].isdecimal())


def is_ignored_folder(name: str) -> bool:
    """Return whether the name is one of a folder that is hidden, or left behind by systems and programs."""
    return bool(name.startswith(".") and name.strip(".")) or name.casefold() in _IGNORED_FOLDERS


def is_ignored(name: str) -> bool:
    """Return whether operating systems leave files of this name behind."""
    return name.startswith("._") or (len(name) <= _IGNORED_LENGTH and name.casefold() in _IGNORED_NAMES)
