"""Pictures that somebody points at, to be read one after another: files, folders, zip files, patterns.

Nothing is unpacked, and what cannot be had is told in its place. Knows neither pixels nor what is made of them.
"""

import glob
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from scalp_core.data.aihub import readable
from scalp_core.data.file_tree import Container, Fault, Member, Reader, containers, content_of, members_of
from scalp_core.errors import ScalpError, Text
from scalp_core.files import quote_path, unquote_path
from scalp_core.images import MAX_BYTES

# A file without any ending is tried, its content decides. Pictures of kinds that we cannot read are taken as well, for
# nobody should have to find out that they were passed over.
_TRIED = {"", ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"}
_TRIED |= {".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif", ".avif", ".jp2", ".dng"}

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
# Told of whatever name: there may have been pictures in it. (Sound zip files are looked into and have no row.)
_ALWAYS_TOLD = ("unreadable", "partial_download")


class ImageSource(NamedTuple):
    """A picture that was pointed at.

    Attributes:
        path: as it was pointed at, `archive.zip!member` for a file in a zip file; always text that can be written.
        root, container, member: where it is; see `trees`.
        fault: why it cannot be had, known before reading it; then there is no member.
    """

    path: str
    root: Path
    container: Container
    member: Member | None
    fault: ScalpError | None = None

    @property
    def stamp(self) -> str:
        """Changes when the picture does, as far as size and time (in a zip file its checksum) tell."""
        return f"{self.member.size}-{self.member.stamp}" if self.member else ""


@dataclass(frozen=True)
class Listing:
    """What was found.

    Attributes:
        sources: each picture once, in the order of the paths and the names below them.
        others: files left out because no picture has such an ending; how many, by ending.
    """

    sources: tuple[ImageSource, ...]
    others: Mapping[str, int]


def find(paths: Iterable[str]) -> Listing:
    """All pictures of these files, folders with everything below them, zip files, and patterns (`*`, `**`).

    Raises:
        ScalpError: there is nothing at one of the paths.
    """
    found: dict[tuple[str, object], ImageSource] = {}
    others: Counter[str] = Counter()
    for path in (path for asked in paths for path in _expanded(asked)):
        for source, name in _sources(path):
            ending = Path(name).suffix.lower()
            if ending in _TRIED or ending == ".zip" or (source.fault and source.fault.code in _ALWAYS_TOLD):
                found.setdefault(_identity(source), source)
            else:
                others[ending] += 1
    return Listing(tuple(found.values()), dict(others.most_common()))


def contents(sources: Iterable[ImageSource]) -> Iterator[tuple[ImageSource, bytes | ScalpError]]:
    """The bytes of each in turn, or why there are none. Neighbours of one zip file are read with it opened once."""
    for (root, container), neighbours in groupby(sources, lambda source: (source.root, source.container)):
        several = list(neighbours)
        try:
            with Reader(root, container) as reader:
                for source in several:
                    yield source, _content(reader, source)
        except OSError as error:  # of opening it: reading has its own
            yield from ((source, _fault("unreadable", error.strerror or "")) for source in several)


def _content(reader: Reader, source: ImageSource) -> bytes | ScalpError:
    if source.member is None:
        return source.fault or _fault("unreadable")
    return _read(reader.read, source.member, source.container.is_zip)


def packed(archive: bytes, name: str) -> list[tuple[str, Member | ScalpError]]:
    """What is in a zip file that was sent: the pictures, and what cannot be had. Nothing is unpacked yet.

    Args:
        name: of the zip file, told where it cannot be read as a whole.

    Returns:
        The path inside of each, with the member to be `unpacked` or the reason why it cannot be.
    """
    found: list[tuple[str, Member | ScalpError]] = []
    for one in members_of(archive, name):
        ending = Path(one.name).suffix.lower()
        if isinstance(one, Member):
            found += [("/".join((*one.parts, one.name)), one)] if ending in _TRIED else []
        elif ending in _TRIED or ending == ".zip" or one.kind in _ALWAYS_TOLD:
            found.append((f"{one.where}/{one.name}".strip("/"), _fault_of(one)))
    return found


def unpacked(archive: bytes, member: Member) -> bytes | ScalpError:
    """The bytes of one of `packed`, or why there are none."""
    return _read(partial(content_of, archive), member, zipped=True)


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
    told = f" ({_writable(detail)})" if detail else ""
    return ScalpError(kind, f"{en}{told}.", f"{ko}{told}.")


def _fault_of(fault: Fault) -> ScalpError:
    return _fault(fault.kind, "unpack it once" if fault.kind == "nested_zip" else fault.detail)


def _expanded(asked: str) -> list[Path]:
    if Path(asked).exists() or Path(asked).is_symlink():
        return [Path(asked)]
    # A pattern may begin at the root, which Path.glob does not take.
    if matches := sorted(glob.glob(asked, recursive=True)):  # noqa: PTH207
        return [Path(match) for match in matches]
    named = _writable(asked)
    raise ScalpError("nothing_there", f"There is nothing at “{named}”.", f"“{named}” 위치에 파일이나 폴더가 없어요.")


def _sources(asked: Path) -> Iterator[tuple[ImageSource, str]]:
    """What is at one path, each with its name: a folder is walked through, a zip file looked into."""
    if asked.is_dir():
        root = asked.resolve()
        for one in containers(root):
            yield from _told(asked, root, one) if isinstance(one, Fault) else _inside(asked, root, one)
    elif asked.name.casefold().endswith(".zip"):
        yield from _inside(asked.parent, asked.parent.resolve(), Container(quote_path(asked.name), True, "", 1))
    else:
        yield _alone(asked), asked.name


def _alone(path: Path) -> ImageSource:
    """A file that was named itself, link or not."""
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


def _told(asked: Path, root: Path, fault: Fault) -> Iterator[tuple[ImageSource, str]]:
    """What the walk through a folder could not enter or would not follow."""
    link = fault.kind == "unsafe_name"
    path = asked / fault.where / fault.name if link else asked / unquote_path(fault.where)
    nowhere = Container("", False, "", 0)
    yield ImageSource(_writable(path), root, nowhere, None, _fault_of(fault)), fault.name


def _inside(asked: Path, root: Path, container: Container) -> Iterator[tuple[ImageSource, str]]:
    """The files of a folder, or of a zip file, that is the container or has it somewhere below."""
    within = Path(unquote_path(container.path))
    outer, depth = asked / within, len(within.parts)
    try:
        with Reader(root, container) as reader:
            for one in reader.members(container):
                if isinstance(one, Fault):
                    path, fault = _place_of(one, outer, container), _fault_of(one)
                    yield ImageSource(_writable(path), root, container, None, fault), one.name
                else:
                    inner = "/".join((*one.parts[depth:], one.name))
                    path = f"{outer}!{inner}" if container.is_zip else outer / unquote_path(one.file or "")
                    yield ImageSource(_writable(path), root, container, one), one.name
    except OSError as error:
        yield (
            ImageSource(_writable(outer), root, container, None, _fault("unreadable", error.strerror or "")),
            outer.name,
        )


def _place_of(fault: Fault, outer: Path, container: Container) -> Path | str:
    if not container.is_zip:
        return outer / fault.name
    inner = fault.where.removeprefix(readable(unquote_path(container.path))).strip("/")
    if not inner and fault.name == readable(outer.name):
        return outer  # the zip file as a whole
    return f"{outer}!{inner}/{fault.name}" if inner else f"{outer}!{fault.name}"


def _identity(source: ImageSource) -> tuple[str, object]:
    """The same for a picture that was pointed at twice."""
    member = source.member
    if member is None:
        return source.path, None
    place = source.root / unquote_path(source.container.path)
    return str(place), member.offset if member.file is None else member.file


def _writable(path: Path | str) -> str:
    """The path as text; with %XX in names that are no UTF-8, as old archives leave them."""
    text = str(path)
    return (
        text if _is_utf8(text) else str(Path(*(one if _is_utf8(one) else quote_path(one) for one in Path(text).parts)))
    )


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
