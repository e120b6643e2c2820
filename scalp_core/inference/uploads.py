"""Uploaded files as pictures in memory: files as they are, zip files opened, all of it bounded.

Nothing is written anywhere, and a name decides nothing but its display.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

from scalp_core.data.aihub import PictureName, picture_name, readable
from scalp_core.data.image_sources import list_zip_images, read_zip_image
from scalp_core.errors import ScalpError, Text
from scalp_core.images import FORMAT_NAMES
from scalp_core.terms import REGIONS

MAX_PICTURES = 100  # of one upload
MAX_TOTAL_BYTES = 200 * 2**20  # of all its pictures together, unpacked
MAX_MEMBERS = 10_000  # of one zip file, pictures or not
_MAX_NAME = 80  # characters
_MEMBER = b"PK\x01\x02"  # how each entry of a zip file's directory begins
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06")  # how zip files begin; the second is an empty one

_Content = Callable[[], bytes | ScalpError]


class UploadedFile(NamedTuple):
    """One uploaded picture, or why there is none.

    Attributes:
        name: the end of its path, unique within the upload; for display, never a path.
        data: its bytes, which may be no picture after all.
    """

    name: str
    data: bytes | ScalpError


def read_uploads(files: Iterable[tuple[str, bytes]]) -> list[UploadedFile]:
    """Return the pictures of these files, each with its name; zip files are opened, but not zip files inside them.

    At most MAX_PICTURES are taken, MAX_TOTAL_BYTES together: one entry at the end tells how many were left out. Label
    files and the like in a zip file are passed over.
    """
    taken: list[tuple[str, bytes | ScalpError]] = []
    left_out = size = 0
    for path, content in _candidates(files):
        data = content() if len(taken) < MAX_PICTURES and size <= MAX_TOTAL_BYTES else None
        size += len(data) if isinstance(data, bytes) else 0
        if data is None or size > MAX_TOTAL_BYTES:
            left_out += 1
        else:
            taken.append((path, data))
    if left_out:
        taken.append((f"+ {left_out}", _too_many(left_out)))
    names = _unique_names([path for path, _ in taken])
    return [UploadedFile(name, data) for name, (_, data) in zip(names, taken, strict=True)]


def group_captures(names: Sequence[str]) -> dict[str, list[int]]:
    """Group pictures by capture (one head at one sitting), as far as their names tell.

    Returns:
        Places in `names` by capture, in the order of its frames: top, left, right, back of the head. Pictures with
        other names are in no group.
    """
    groups: dict[str, list[tuple[int, int]]] = {}
    for place, name in enumerate(names):
        if parsed := _parse(name):
            groups.setdefault(parsed.capture, []).append((parsed.frame, place))
    return {capture: [place for _, place in sorted(frames)] for capture, frames in groups.items()}


def region(name: str) -> Text | None:
    """Return the part of the head that the picture of this name shows; None where the name does not tell."""
    parsed = _parse(name)
    return REGIONS[parsed.region] if parsed else None


def _parse(name: str) -> PictureName | None:
    return picture_name(PurePosixPath(name).stem)


# ---- files and zip files ----


def _candidates(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, _Content]]:
    """Yield every path that may be a picture, with a function that returns its bytes: most may never be unpacked."""
    for name, data in files:
        path = name.replace("\\", "/")
        if data.startswith(_ARCHIVES) or path.casefold().endswith(".zip"):
            yield from _members(path, data)
        else:
            yield path, partial(_identity, data)


def _identity(data: bytes | ScalpError) -> bytes | ScalpError:
    return data


def _members(path: str, archive: bytes) -> Iterator[tuple[str, _Content]]:
    # Counted before they are read: a directory of a million entries fits into a small file.
    if archive.count(_MEMBER) > MAX_MEMBERS:
        yield path, partial(_identity, _too_many_members())
        return
    members = list_zip_images(archive, PurePosixPath(path).name)
    for inner, member in members:
        content = (
            partial(_identity, member) if isinstance(member, ScalpError) else partial(read_zip_image, archive, member)
        )
        yield f"{path.removesuffix('.zip')}/{inner}", content
    if not members:
        yield path, partial(_identity, _no_pictures())


# ---- names ----


def _unique_names(paths: Sequence[str]) -> list[str]:
    """Return the last part of each path; with its folder where several are alike, and numbered where that is alike."""
    last = [_end(path, 1) for path in paths]
    alike, used, names = Counter(last), set[str](), list[str]()
    for path, end in zip(paths, last, strict=True):
        wanted = _end(path, 2) if alike[end] > 1 else end
        name, number = wanted, 1
        while name in used:
            number += 1
            stem, dot, ending = wanted.rpartition(".")
            name = f"{stem} ({number}).{ending}" if dot else f"{wanted} ({number})"
        used.add(name)
        names.append(name)
    return names


def _end(path: str, parts: int) -> str:
    """Return the last parts of a path, without invisible characters and those that would overwrite other text."""
    kept = [part for part in readable(path).split("/") if part not in ("", ".", "..")][-parts:]
    text = "".join(letter for letter in "/".join(kept) if not unicodedata.category(letter).startswith("C"))
    return f"…{text[1 - _MAX_NAME :]}" if len(text) > _MAX_NAME else text or "–"


# ---- errors ----


def _too_many(left_out: int) -> ScalpError:
    megabytes = MAX_TOTAL_BYTES // 2**20
    return ScalpError(
        "too_many_pictures",
        f"{left_out:,} more were left out: at most {MAX_PICTURES} pictures of {megabytes} MB together are "
        "taken at once. Send the rest afterwards, or grade them all with python -m training.predict.",
        f"나머지 {left_out:,}개는 제외했어요. 한 번에 {MAX_PICTURES}장, 모두 합해 {megabytes} MB까지 받아요. "
        "나머지는 나누어 올리거나 python -m training.predict로 한꺼번에 처리하세요.",
    )


def _too_many_members() -> ScalpError:
    return ScalpError(
        "too_large",
        f"The zip file has more than {MAX_MEMBERS:,} files in it. Pack the pictures alone, or grade them with "
        "python -m training.predict.",
        f"zip 안에 파일이 {MAX_MEMBERS:,}개 넘게 있어요. 사진만 다시 압축하거나 python -m training.predict로 "
        "처리하세요.",
    )


def _no_pictures() -> ScalpError:
    return ScalpError(
        "no_pictures",
        f"There is no picture in this zip file. Pack pictures ({FORMAT_NAMES}).",
        f"이 zip 파일에 사진이 없어요. 사진({FORMAT_NAMES})을 압축해서 올리세요.",
    )
