"""Files of a folder tree and of the zip files in it, listed and read without unpacking anything."""

import hashlib
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scalp_core.data.aihub import readable
from scalp_core.data.zip_files import (
    USUAL_ENDINGS,
    Content,
    Fault,
    Member,
    ending_of,
    is_ignored,
    is_ignored_folder,
    is_partial,
    is_zip,
    list_members,
    member_count,
    read_member,
)
from scalp_core.files import quote_path, unquote_path


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


def list_containers(root: Path) -> Iterator[Container | Fault]:
    """Yield every folder with files and every zip file below `root`, in the order of names; links are not followed."""
    folders = [os.fspath(root)]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield Fault("unreadable", Path(folder).name, _relative(root, folder), error.strerror or "")
            continue
        digest, files = hashlib.blake2b(digest_size=16), 0
        below = []
        for entry in entries:
            if entry.is_symlink():
                yield Fault("unsafe_name", readable(entry.name), _readable_path(root, folder), "a link")
            elif entry.is_dir():
                if not is_ignored_folder(entry.name):
                    below.append(entry.path)
            elif stamp := "" if is_ignored(entry.name) else _stamp(entry):
                if is_zip(entry.name):
                    yield Container(_relative(root, entry.path), True, stamp, member_count(Path(entry.path)))
                else:
                    digest.update(f"{os.fsencode(entry.name)!r} {stamp}\n".encode())
                    files += 1
        if files:
            yield Container(_relative(root, folder), False, digest.hexdigest(), files)
        folders += reversed(below)


def _stamp(entry: os.DirEntry[str]) -> str:
    """Return a text that changes with the content and the permissions; empty for a file that has just gone."""
    try:
        status = entry.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_ctime_ns}"


class ContainerReader:
    """Lists and reads the files of one container, keeping its zip file mapped."""

    def __init__(self, root: Path, container: Container) -> None:
        self.root, self.container = root, container
        self.path = root / unquote_path(container.path)
        self.zip = _mapped(self.path) if container.is_zip else None

    def __enter__(self) -> "ContainerReader":
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self.zip, mmap.mmap):
            self.zip.close()

    def members(self) -> Iterator[Member | Fault]:
        """Yield the files of the container, in the order they are stored."""
        if self.zip is None:
            return _folder_members(self.root, self.container)
        *above, name = _readable_parts(self.container.path)
        return list_members(self.path, self.zip, name, (*above, name[:-4]), "/".join((*above, name)))

    def read(self, member: Member, limit: int) -> bytes:
        """Return the content, or its first `limit` bytes.

        Raises:
            OSError, zlib.error: it is gone or damaged.
        """
        if self.zip is None or member.file is not None:
            # No more than it has: to provide a mebibyte for every label takes longer than to read it.
            return _first_bytes(f"{self.path}/{unquote_path(member.file or '')}", min(member.size, limit))
        return read_member(self.zip, member, limit)


def _first_bytes(path: str, limit: int) -> bytes:
    # Without a file object around it, which would take three times as long as reading a label does.
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, limit)
    finally:
        os.close(file)


def _folder_members(root: Path, container: Container) -> Iterator[Member | Fault]:
    folder = root / unquote_path(container.path)
    parts = _readable_parts(container.path)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink() or not entry.is_file() or is_zip(entry.name) or is_ignored(entry.name):
            continue
        name = readable(entry.name)
        ending = ending_of(name)
        if ending not in USUAL_ENDINGS and is_partial(name):
            yield Fault("partial_download", name, "/".join(parts))
            continue
        status = entry.stat()
        yield Member(parts, name, ending, quote_path(entry.name), status.st_size, status.st_ctime_ns)


def _mapped(path: Path) -> Content:
    with path.open("rb") as file:
        # An empty file cannot be mapped.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _relative(root: Path, path: str) -> str:
    relative = os.path.relpath(path, root)
    return "" if relative == "." else quote_path(relative)


def _readable_parts(path: str) -> tuple[str, ...]:
    return tuple(readable(part) for part in unquote_path(path).split("/") if part)


def _readable_path(root: Path, path: str) -> str:
    return "/".join(_readable_parts(_relative(root, path)))
