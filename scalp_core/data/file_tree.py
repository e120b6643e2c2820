"""Files of a folder tree and of the zip files in it, found without unpacking anything. Knows no conditions.

Members of a zip are read by the place of their bytes; nothing is ever written under a name from an archive, and nothing
is inflated beyond what a picture or a label may have.
"""

import hashlib
import io
import mmap
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scalp_core.data.aihub import readable
from scalp_core.files import quote_path, unquote_path
from scalp_core.images import MAX_BYTES

MAX_MEMBERS = 500_000  # of one zip file; the real ones have up to 28,061
# Deflating a photograph saves a few per cent, a label file shrinks to a third; a thousandfold is no file of ours.
_MAX_RATIO = 200
_RATIO_FROM = 2**20  # bytes
_IGNORED_NAMES = {".ds_store", "thumbs.db", "desktop.ini"}
_LONGEST_IGNORED = 12
_IGNORED_FOLDERS = {"__macosx", ".git", "@eadir"}
USUAL_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".json"}
_PARTIAL = (".crdownload", ".part", ".partial", ".download", ".!ut")
_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_CODE_BYTES = 1024  # a block of deflated data begins with the code that it is in, at most a few hundred bytes
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of the name and of the extra field
_LOCAL_SIGNATURE = b"PK\x03\x04"
_END_SIGNATURE, _END_BYTES, _LONGEST_COMMENT = b"PK\x05\x06", 22, 2**16 - 1
_MEMBERS_AT = 10  # where the end of a zip file says how many members there are
_ENCRYPTED = 0x1
_UTF8_NAME = 0x800


@dataclass(frozen=True)
class Container:
    """A folder with files, or a zip file.

    Attributes:
        path: relative to the tree, as `files.quote_path` writes it; empty for the tree's own folder.
        stamp: changes when anything in it does, as far as names, sizes and times tell.
        files: how many there are; for a zip file what its last bytes say, so only good for planning.
    """

    path: str
    is_zip: bool
    stamp: str
    files: int


class Member(NamedTuple):
    """One file in a container.

    Attributes:
        parts: folders from the tree down, zip files among them, readable and without `.zip`.
        name: readable file name.
        ending: its last part in lower case, such as `.jpg`; empty where there is none.
        file: of a file of its own the name as `files.quote_path` writes it; None in a zip file.
        size: bytes of content.
        stamp: the CRC of a zip's member, the time (ns) when a file or its permissions changed.
        offset, length, deflated: where its bytes lie in the zip file; None for a file of its own.
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
    """Something in a tree that cannot be used as it is; kinds are in `importer.FAULTS`."""

    kind: str
    name: str
    where: str
    detail: str = ""


def containers(root: Path) -> Iterator[Container | Fault]:
    """Every folder with files and every zip file below `root`, in the order of names. Links are not followed."""
    folders = [os.fspath(root)]
    while folders:
        folder = folders.pop()
        digest, files = hashlib.blake2b(digest_size=16), 0
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield Fault("unreadable", Path(folder).name, _relative(root, folder), error.strerror or "")
            continue
        below = []
        for entry in entries:
            if entry.is_symlink():
                yield Fault("unsafe_name", readable(entry.name), _readable_path(root, folder), "a link")
            elif entry.is_dir():
                if entry.name.casefold() not in _IGNORED_FOLDERS:
                    below.append(entry.path)
            elif stamp := "" if _ignored(entry.name) else _stamp(entry):
                if _is_zip(entry.name):
                    yield Container(_relative(root, entry.path), True, stamp, _members_said(Path(entry.path)))
                else:
                    digest.update(f"{os.fsencode(entry.name)!r} {stamp}\n".encode())
                    files += 1
        if files:
            yield Container(_relative(root, folder), False, digest.hexdigest(), files)
        folders += reversed(below)


def _stamp(entry: os.DirEntry[str]) -> str:
    """Changes with the content and with who may read it; empty for a file that has just gone."""
    try:
        status = entry.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_ctime_ns}"


def _members_said(path: Path) -> int:
    """How many members a zip file says it has, 1 for what says nothing: an empty one, a damaged one, no zip file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES - _LONGEST_COMMENT))
            last = file.read()
    except OSError:
        return 1  # whoever reads it will say why not
    at = last.rfind(_END_SIGNATURE)
    return int.from_bytes(last[at + _MEMBERS_AT : at + _MEMBERS_AT + 2], "little") or 1 if at >= 0 else 1


class Reader:
    """Reads members of one container, keeping its zip file mapped."""

    def __init__(self, root: Path, container: Container) -> None:
        self.root = root
        self.path = root / unquote_path(container.path)
        self.zip = _mapped(self.path) if container.is_zip else None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self.zip, mmap.mmap):
            self.zip.close()

    def members(self, container: Container) -> Iterator[Member | Fault]:
        """What is in the container, in the order it is stored."""
        return _in_folder(self.root, container) if self.zip is None else _in_zip(self.root, container, self.zip)

    def read(self, member: Member, most: int) -> bytes:
        """The content, or its first `most` bytes.

        Raises:
            OSError, zlib.error: it is gone or damaged.
        """
        if self.zip is None or member.offset is None or member.length is None:
            # No more than it has: to provide a mebibyte for every label takes longer than to read it.
            return _first_bytes(f"{self.path}/{unquote_path(member.file or '')}", min(member.size, most))
        return _stored(self.zip, member.offset, member.length, member.deflated, most)


def members_of(archive: bytes, name: str) -> Iterator[Member | Fault]:
    """What is in a zip file that was sent, in the order it is stored; as `Reader.members` of one that lies somewhere.

    Args:
        name: of the zip file; only told, and only where it is the fault's.
    """
    return _listed(io.BytesIO(archive), archive, name, (), "")


def content_of(archive: bytes, member: Member, most: int) -> bytes:
    """The content of one of `members_of`, or its first `most` bytes. Raises zlib.error if it is damaged."""
    if member.offset is None or member.length is None:
        raise ValueError(f"{member.name} lies in no zip file")
    return _stored(archive, member.offset, member.length, member.deflated, most)


def _stored(content: mmap.mmap | bytes, offset: int, length: int, deflated: bool, most: int) -> bytes:
    if not deflated:
        return content[offset : offset + min(length, most)]
    stored = content[offset : offset + min(length, most + _CODE_BYTES)]
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, most)


def _first_bytes(path: str, most: int) -> bytes:
    # Without a file object around it, which would take three times as long as reading a label does.
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, most)
    finally:
        os.close(file)


def _in_folder(root: Path, container: Container) -> Iterator[Member | Fault]:
    folder = root / unquote_path(container.path)
    parts = _readable_parts(container.path)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink() or not entry.is_file() or _is_zip(entry.name) or _ignored(entry.name):
            continue
        name = readable(entry.name)
        ending = _ending(name)
        if ending not in USUAL_ENDINGS and _is_partial(name):
            yield Fault("partial_download", name, "/".join(parts))
            continue
        status = entry.stat()
        yield Member(parts, name, ending, quote_path(entry.name), status.st_size, status.st_ctime_ns)


def _mapped(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        # Nothing can be mapped of an empty file.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _in_zip(root: Path, container: Container, content: mmap.mmap | bytes) -> Iterator[Member | Fault]:
    *above, name = _readable_parts(container.path)
    outer, where = (*above, name[:-4]), "/".join((*above, name))
    yield from _listed(root / unquote_path(container.path), content, name, outer, where)


def _listed(
    file: Path | io.BytesIO, content: mmap.mmap | bytes, name: str, outer: tuple[str, ...], where: str
) -> Iterator[Member | Fault]:
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            yield Fault("too_large", name, where, f"{len(infos):,} members; at most {MAX_MEMBERS:,} are read")
            return
        for info in infos:
            if found := _member(info, content, outer, where):
                yield found
    # What zipfile raises on what is no archive or half of one.
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        yield Fault("bad_zip", name, where, str(error))


def _member(
    info: zipfile.ZipInfo, content: mmap.mmap | bytes, outer: tuple[str, ...], where: str
) -> Member | Fault | None:
    whole = info.orig_filename
    if not whole.isascii():
        whole = readable(whole if info.flag_bits & _UTF8_NAME else whole.encode("cp437"))
    folders, name = list[str](), whole
    if "/" in whole or "\\" in whole:
        *folders, name = [part for part in whole.replace("\\", "/").split("/") if part] or [""]
    if info.is_dir() or _ignored(name) or any(folder.casefold() in _IGNORED_FOLDERS for folder in folders):
        return None
    ending = _ending(name)
    kind, detail = _refused(info, whole, folders, ending)
    if kind:
        return Fault(kind, name, f"{where}/{'/'.join(folders)}".rstrip("/"), detail)
    start = _begin(content, info.header_offset)
    if start is None:
        return Fault("bad_zip", name, where, "the member is not where the directory says")
    parts = (*outer, *folders) if folders else outer
    deflated = info.compress_type == _DEFLATED
    return Member(parts, name, ending, None, info.file_size, info.CRC, start, info.compress_size, deflated)


def _begin(content: mmap.mmap | bytes, at: int) -> int | None:
    """Where the bytes of the member begin whose local header is at `at`; None where there is no header."""
    if not 0 <= at <= len(content) - _LOCAL_HEADER.size:
        return None
    signature, name_length, extra_length = _LOCAL_HEADER.unpack_from(content, at)
    return at + _LOCAL_HEADER.size + name_length + extra_length if signature == _LOCAL_SIGNATURE else None


def _refused(info: zipfile.ZipInfo, whole: str, folders: list[str], ending: str) -> tuple[str, str]:
    """The kind of fault that keeps a member out, and its details; empty for one that may be read."""
    if whole.startswith(("/", "\\")) or ".." in folders or whole[1:2] == ":" or "\0" in whole:
        return "unsafe_name", "the name leads out of the archive"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted", ""
    if ending == ".zip":
        return "nested_zip", "unpack it once and import again"
    if ending not in USUAL_ENDINGS and _is_partial(whole):
        return "partial_download", ""
    if info.compress_type not in (_STORED, _DEFLATED):
        return "bad_zip", f"compression method {info.compress_type} is not read"
    if max(info.file_size, info.compress_size) > MAX_BYTES:
        return "too_large", f"{max(info.file_size, info.compress_size):,} bytes"
    if info.file_size > _RATIO_FROM and info.file_size > _MAX_RATIO * max(1, info.compress_size):
        return "too_large", f"{info.compress_size:,} bytes that claim to be {info.file_size:,}"
    return "", ""


def _ending(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


def _is_zip(name: str) -> bool:
    return name.casefold().endswith(".zip")


def _is_partial(name: str) -> bool:
    lower = name.casefold()
    return lower.endswith(_PARTIAL) or (".part" in lower and lower.rpartition(".part")[2].isdecimal())


def _ignored(name: str) -> bool:
    return name.startswith("._") or (len(name) < _LONGEST_IGNORED and name.casefold() in _IGNORED_NAMES)


def _relative(root: Path, path: str) -> str:
    relative = os.path.relpath(path, root)
    return "" if relative == "." else quote_path(relative)


def _readable_parts(path: str) -> tuple[str, ...]:
    return tuple(readable(part) for part in unquote_path(path).split("/") if part)


def _readable_path(root: Path, path: str) -> str:
    return "/".join(_readable_parts(_relative(root, path)))
