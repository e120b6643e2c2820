"""Pictures named by paths, to be read one after another: files, folders, zip files, patterns.

Nothing is unpacked. A picture that cannot be read appears in its place, with the reason.
"""

import glob
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from scalp_core.data.aihub import readable
from scalp_core.data.file_tree import Container, ContainerReader, list_containers
from scalp_core.data.zip_files import Fault, Member, is_zip, list_members, read_member
from scalp_core.errors import ScalpError, Text
from scalp_core.files import quote_path, unquote_path
from scalp_core.images import ENDINGS, MAX_BYTES, OTHER_ENDINGS

# A file without any ending is tried, its content decides. Pictures in formats that cannot be read are listed as well,
# so that they are reported and not silently passed over.
_TRIED = {"", *ENDINGS, *OTHER_ENDINGS}

_FAULTS = {
    "bad_zip": Text("The zip file, or this file in it, is damaged", "zip 파일 또는 그 안의 이 파일이 손상되었어요"),
    "encrypted": Text("It is behind a password", "암호가 걸려 있어요"),
    "nested_zip": Text("A zip file in a zip file is not opened", "zip 안의 zip은 열지 않아요"),
    "partial_download": Text("The download was not finished", "다운로드가 완료되지 않았어요"),
    "too_large": Text("It is larger than any picture", "사진이라기엔 너무 커요"),
    "unreadable": Text("It cannot be read", "읽을 수 없어요"),
    "unsafe_name": Text(
        "Links, and names that lead elsewhere, are not followed", "링크나 다른 곳을 가리키는 이름은 따라가지 않아요"
    ),
}
# Reported whatever the name: there may have been pictures in it. (Readable zip files are looked into and have no row.)
_ALWAYS_REPORTED = ("unreadable", "partial_download")


class ImageSource(NamedTuple):
    """A picture that can be read, or the reason why it cannot.

    Attributes:
        path: as given, `archive.zip!member` for a file in a zip file; always text that can be written.
        root, container, member: where it lies; see `file_tree`.
        fault: why it cannot be read, if that is clear before reading; then there is no member.
    """

    path: str
    root: Path
    container: Container
    member: Member | None
    fault: ScalpError | None = None

    @property
    def stamp(self) -> str:
        """A text that changes when the picture does, as far as size and time (in a zip file its checksum) tell."""
        return f"{self.member.size}-{self.member.stamp}" if self.member else ""


@dataclass(frozen=True)
class Listing:
    """The pictures below some paths.

    Attributes:
        sources: each picture once, in the order of the paths and the names below them.
        others: number of files without the ending of a picture, by ending.
    """

    sources: tuple[ImageSource, ...]
    others: Mapping[str, int]


def find_images(paths: Iterable[str]) -> Listing:
    """List all pictures of files, folders with everything below them, zip files, and patterns (`*`, `**`).

    Raises:
        ScalpError: there is nothing at one of the paths.
    """
    sources: dict[tuple[str, object], ImageSource] = {}
    others: Counter[str] = Counter()
    for path in (path for pattern in paths for path in _expand(pattern)):
        for source, name in _sources(path):
            ending = Path(name).suffix.lower()
            if ending in _TRIED or ending == ".zip" or (source.fault and source.fault.code in _ALWAYS_REPORTED):
                sources.setdefault(_identity(source), source)
            else:
                others[ending] += 1
    return Listing(tuple(sources.values()), dict(others.most_common()))


def read_images(sources: Iterable[ImageSource]) -> Iterator[tuple[ImageSource, bytes | ScalpError]]:
    """Yield each source with its bytes, or the reason why there are none.

    Neighbours of one zip file are read with it opened once.
    """
    for (root, container), group in groupby(sources, lambda source: (source.root, source.container)):
        neighbours = list(group)
        try:
            with ContainerReader(root, container) as reader:
                for source in neighbours:
                    yield source, _read_source(reader, source)
        except OSError as error:  # of opening the container; reading handles its own
            yield from ((source, _fault("unreadable", error.strerror or "")) for source in neighbours)


def _read_source(reader: ContainerReader, source: ImageSource) -> bytes | ScalpError:
    if source.member is None:
        return source.fault or _fault("unreadable")
    return _read(reader.read, source.member, source.container.is_zip)


def list_zip_images(archive: bytes, name: str) -> list[tuple[str, Member | ScalpError]]:
    """List the pictures in a zip file in memory; nothing is unpacked yet.

    Args:
        name: of the zip file, for the fault of one that cannot be read as a whole.

    Returns:
        The path inside of each, with the member for `read_zip_image` or the reason why it cannot be read.
    """
    images: list[tuple[str, Member | ScalpError]] = []
    for member in list_members(io.BytesIO(archive), archive, name):
        ending = Path(member.name).suffix.lower()
        if isinstance(member, Member):
            images += [("/".join((*member.parts, member.name)), member)] if ending in _TRIED else []
        elif ending in _TRIED or ending == ".zip" or member.kind in _ALWAYS_REPORTED:
            images.append((f"{member.where}/{member.name}".strip("/"), _fault_of(member)))
    return images


def read_zip_image(archive: bytes, member: Member) -> bytes | ScalpError:
    """Return the bytes of a member from `list_zip_images`, or the reason why there are none."""
    return _read(partial(read_member, archive), member, zipped=True)


def _read(read: Callable[[Member, int], bytes], member: Member, zipped: bool) -> bytes | ScalpError:
    if member.size > MAX_BYTES:
        return _fault("too_large", f"{member.size / 2**20:.1f} MB; at most {MAX_BYTES // 2**20} MB are read")
    try:
        content = read(member, MAX_BYTES)
    except OSError as error:
        return _fault("unreadable", error.strerror or "")
    except zlib.error as error:
        return _fault("bad_zip", str(error))
    if zipped and zlib.crc32(content) != member.stamp:
        return _fault("bad_zip", "its checksum is another one")
    return content


def _fault(kind: str, detail: str = "") -> ScalpError:
    en, ko = _FAULTS[kind]
    reason = f" ({_writable(detail)})" if detail else ""
    return ScalpError(kind, f"{en}{reason}.", f"{ko}{reason}.")


def _fault_of(fault: Fault) -> ScalpError:
    return _fault(fault.kind, "unpack it once" if fault.kind == "nested_zip" else fault.detail)


def _expand(pattern: str) -> list[Path]:
    if Path(pattern).exists() or Path(pattern).is_symlink():
        return [Path(pattern)]
    # A pattern may begin at the root, which Path.glob does not take.
    if matches := sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207
        return [Path(match) for match in matches]
    place = _writable(pattern)
    raise ScalpError("nothing_there", f"There is nothing at “{place}”.", f"“{place}” 위치에 파일이나 폴더가 없어요.")


def _sources(path: Path) -> Iterator[tuple[ImageSource, str]]:
    """Yield the pictures at one path, each with its name: a folder is walked through, a zip file looked into."""
    if path.is_dir():
        root = path.resolve()
        for container in list_containers(root):
            if isinstance(container, Fault):
                yield _faulty_source(path, root, container), container.name
            else:
                yield from _contained(path, root, container)
    elif is_zip(path.name):
        yield from _contained(path.parent, path.parent.resolve(), Container(quote_path(path.name), True, "", 1))
    else:
        yield _file_source(path), path.name


def _file_source(path: Path) -> ImageSource:
    """Return a file that was named itself, link or not."""
    root, here, member, fault = path.parent.resolve(), Container("", False, "", 1), None, None
    try:
        status = path.stat()
    except OSError as error:
        fault = _fault("unreadable", error.strerror or "")
    else:
        member = Member((), path.name, "", quote_path(path.name), status.st_size, status.st_ctime_ns)
    if member and not path.is_file():
        member, fault = None, _fault("unreadable", "no file")
    return ImageSource(_writable(path), root, here, member, fault)


def _faulty_source(folder: Path, root: Path, fault: Fault) -> ImageSource:
    """Return a folder that could not be entered, or a link that is not followed."""
    is_link = fault.kind == "unsafe_name"
    path = folder / fault.where / fault.name if is_link else folder / unquote_path(fault.where)
    return ImageSource(_writable(path), root, Container("", False, "", 0), None, _fault_of(fault))


def _contained(folder: Path, root: Path, container: Container) -> Iterator[tuple[ImageSource, str]]:
    """Yield the files of a container below `folder`, each with its name."""
    within = Path(unquote_path(container.path))
    outer, depth = folder / within, len(within.parts)
    try:
        with ContainerReader(root, container) as reader:
            for member in reader.members():
                if isinstance(member, Fault):
                    path, fault = _fault_path(member, outer, container), _fault_of(member)
                    yield ImageSource(_writable(path), root, container, None, fault), member.name
                else:
                    inner = "/".join((*member.parts[depth:], member.name))
                    path = f"{outer}!{inner}" if container.is_zip else outer / unquote_path(member.file or "")
                    yield ImageSource(_writable(path), root, container, member), member.name
    except OSError as error:
        fault = _fault("unreadable", error.strerror or "")
        yield ImageSource(_writable(outer), root, container, None, fault), outer.name


def _fault_path(fault: Fault, outer: Path, container: Container) -> Path | str:
    if not container.is_zip:
        return outer / fault.name
    inner = fault.where.removeprefix(readable(unquote_path(container.path))).strip("/")
    if not inner and fault.name == readable(outer.name):
        return outer  # the zip file as a whole
    return f"{outer}!{inner}/{fault.name}" if inner else f"{outer}!{fault.name}"


def _identity(source: ImageSource) -> tuple[str, object]:
    """Return a key that is equal for a picture named twice."""
    member = source.member
    if member is None:
        return source.path, None
    place = source.root / unquote_path(source.container.path)
    return str(place), member.offset if member.file is None else member.file


def _writable(path: Path | str) -> str:
    """Return the path as text, with %XX in names that are no UTF-8, as old archives leave them."""
    text = str(path)
    if _is_utf8(text):
        return text
    return str(Path(*(part if _is_utf8(part) else quote_path(part) for part in Path(text).parts)))


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
