"""What somebody sends to be graded, as pictures in memory: files as they are, zip files opened, all of it bounded.

Nothing is written anywhere, and a name decides nothing but what is shown. Knows neither pixels nor networks.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

from scalp_core.data.aihub import PictureName, picture_name, readable
from scalp_core.data.image_sources import packed, unpacked
from scalp_core.errors import ScalpError, Text
from scalp_core.labels import REGIONS

MOST = 100  # pictures
MOST_BYTES = 200 * 2**20  # of all of them, unpacked
MOST_MEMBERS = 10_000  # of one zip file, whatever they are
_LONGEST_NAME = 80  # characters
_MEMBER = b"PK\x01\x02"  # how each entry of a zip file's directory begins
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06")  # how zip files begin; the second is an empty one

_Content = Callable[[], bytes | ScalpError]


class UploadedFile(NamedTuple):
    """One picture that was sent, or why there is none.

    Attributes:
        name: the end of its path, different for each; for people, never a path.
        data: its bytes, which may be no picture after all.
    """

    name: str
    data: bytes | ScalpError


def read_uploads(files: Iterable[tuple[str, bytes]]) -> list[UploadedFile]:
    """The pictures of these files, each with its name; zip files are opened, but none inside of them.

    At most MOST of them, MOST_BYTES together: one entry at the end tells how many were left out. Label files and the
    like in a zip file are passed over.
    """
    taken: list[tuple[str, bytes | ScalpError]] = []
    left_out = size = 0
    for path, content in _offered(files):
        data = content() if len(taken) < MOST and size <= MOST_BYTES else None
        size += len(data) if isinstance(data, bytes) else 0
        if data is None or size > MOST_BYTES:
            left_out += 1
        else:
            taken.append((path, data))
    if left_out:
        taken.append((f"+ {left_out}", _too_many(left_out)))
    return [
        UploadedFile(name, data) for name, (_, data) in zip(_names([path for path, _ in taken]), taken, strict=True)
    ]


def captures(names: Sequence[str]) -> dict[str, list[int]]:
    """Which of these pictures are of one capture (one head at one sitting), as far as their names say.

    Returns:
        Places in `names` by capture, in the order of its frames: top, left, right, back of the head. Pictures that are
        named otherwise are in none.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for place, name in enumerate(names):
        if said := _said(name):
            found.setdefault(said.capture, []).append((said.frame, place))
    return {capture: [place for _, place in sorted(frames)] for capture, frames in found.items()}


def region(name: str) -> Text | None:
    """The part of the head that the picture of this name shows; None where the name does not say."""
    said = _said(name)
    return REGIONS[said.region] if said else None


def _said(name: str) -> PictureName | None:
    return picture_name(PurePosixPath(name).stem)


# ---- files and what is in them ----


def _offered(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, _Content]]:
    """Everything that may be a picture, each with what gives its bytes: most may never be unpacked."""
    for name, data in files:
        path = name.replace("\\", "/")
        if data.startswith(_ARCHIVES) or path.casefold().endswith(".zip"):
            yield from _inside(path, data)
        else:
            yield path, partial(_as_it_is, data)


def _as_it_is(data: bytes | ScalpError) -> bytes | ScalpError:
    return data


def _inside(path: str, archive: bytes) -> Iterator[tuple[str, _Content]]:
    # Counted before they are read: a directory of a million entries fits into a small file.
    if archive.count(_MEMBER) > MOST_MEMBERS:
        yield path, partial(_as_it_is, _too_many_members())
        return
    found = packed(archive, PurePosixPath(path).name)
    for inner, one in found:
        content = partial(_as_it_is, one) if isinstance(one, ScalpError) else partial(unpacked, archive, one)
        yield f"{path.removesuffix('.zip')}/{inner}", content
    if not found:
        yield path, partial(_as_it_is, _no_pictures())


# ---- names ----


def _names(paths: Sequence[str]) -> list[str]:
    """The last part of each; of those that are alike the folder as well, and numbers where that does not help."""
    last = [_end(path, 1) for path in paths]
    alike, used, names = Counter(last), set[str](), list[str]()
    for path, name in zip(paths, last, strict=True):
        wanted = _end(path, 2) if alike[name] > 1 else name
        shown, number = wanted, 1
        while shown in used:
            number += 1
            stem, dot, ending = wanted.rpartition(".")
            shown = f"{stem} ({number}).{ending}" if dot else f"{wanted} ({number})"
        used.add(shown)
        names.append(shown)
    return names


def _end(path: str, parts: int) -> str:
    """The last parts of a path as they were meant, without what would draw over other text or nothing at all."""
    kept = [part for part in readable(path).split("/") if part not in ("", ".", "..")][-parts:]
    text = "".join(one for one in "/".join(kept) if not unicodedata.category(one).startswith("C"))
    return f"…{text[1 - _LONGEST_NAME :]}" if len(text) > _LONGEST_NAME else text or "–"


# ---- what is told ----


def _too_many(left_out: int) -> ScalpError:
    return ScalpError(
        "too_many_pictures",
        f"{left_out:,} more were left out: at most {MOST} pictures of {MOST_BYTES // 2**20} MB together are taken at "
        "once. Send the rest afterwards, or grade them all with python -m training.predict.",
        f"나머지 {left_out:,}개는 제외했어요. 한 번에 {MOST}장, 모두 합해 {MOST_BYTES // 2**20} MB까지 받아요. "
        "나머지는 나누어 올리거나 python -m training.predict로 한꺼번에 처리하세요.",
    )


def _too_many_members() -> ScalpError:
    return ScalpError(
        "too_large",
        f"The zip file has more than {MOST_MEMBERS:,} files in it. Pack the pictures alone, or grade them with "
        "python -m training.predict.",
        f"zip 안에 파일이 {MOST_MEMBERS:,}개 넘게 있어요. 사진만 다시 압축하거나 python -m training.predict로 "
        "처리하세요.",
    )


def _no_pictures() -> ScalpError:
    return ScalpError(
        "no_pictures",
        "There is no picture in this zip file. Pack JPEG, PNG or WebP files.",
        "이 zip 파일에 사진이 없어요. JPEG, PNG, WebP 파일을 압축해서 올리세요.",
    )
