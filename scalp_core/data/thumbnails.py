"""Small pictures by address: `thumbnails/<data set>/<row>-<beginning of its hash>.webp`. Knows no page and no route.

An address names a content, not a place: after a re-import it leads to the same picture or to none, so that a browser
may keep what it got. Of what a client sends, only a checked name and a number ever reach the file system.
"""

import hashlib
import re
import secrets
from contextlib import suppress
from pathlib import Path

from scalp_core import images
from scalp_core.data.dataset import NAME, Dataset, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.files import TEMPORARY

SIDE = 220  # pixels along the longer edge

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(rf"thumbnails/({NAME.pattern})/([0-9]{{1,9}})-([0-9a-f]{{8}})\.webp")


def address(dataset: Dataset, row: int) -> str:
    """Where the thumbnail of this row of the index is found, below the server's own address."""
    return f"thumbnails/{dataset.name}/{row}-{_hash(dataset, row)[:8]}.webp"


def thumbnail_at(path: str) -> bytes:
    """The WebP behind an address, made when it is first asked for.

    Raises:
        ScalpError: `path` is no address, or leads to no data set, row or readable picture of this content.
    """
    parts = _ADDRESS.fullmatch(path)
    if not parts:
        raise _nothing(path)
    dataset, row = open_dataset(parts[1]), int(parts[2])
    if row >= len(dataset.column("sha256")) or not _hash(dataset, row).startswith(parts[3]):
        raise _nothing(path)
    return thumbnail(dataset, row)


def thumbnail(dataset: Dataset, row: int) -> bytes:
    """A WebP of the picture at this row of the index, at most SIDE pixels along the longer edge; kept in the cache.

    Raises:
        ScalpError: the picture is gone, cannot be read, or is not the one that was imported.
    """
    digest = _hash(dataset, row)
    if not _SHA256.fullmatch(digest):  # it becomes a file name
        raise _nothing(address(dataset, row))
    path = dataset.folder / "cache" / "thumbnails" / digest[:2] / f"{digest}.webp"
    return _kept(path) or _make(dataset, row, digest, path)


def _hash(dataset: Dataset, row: int) -> str:
    return str(dataset.column("sha256").iloc[row])


def _make(dataset: Dataset, row: int, digest: str, path: Path) -> bytes:
    data = dataset.read(str(dataset.column("id").iloc[row]))
    if hashlib.sha256(data).hexdigest() != digest:
        raise _nothing(address(dataset, row))
    small = images.thumbnail(data, SIDE)
    _keep(path, small)
    return small


def _kept(path: Path) -> bytes | None:
    try:
        small = path.read_bytes()
    except OSError:
        return None
    whole = small.startswith(b"RIFF") and int.from_bytes(small[4:8], "little") + 8 == len(small)
    return small if whole else None


def _keep(path: Path, small: bytes) -> None:
    """Not forced to disk: what a power cut spoils is made again. Nor is a folder that cannot be written a reason."""
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(small)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _nothing(path: str) -> ScalpError:
    return ScalpError(
        "no_thumbnail",
        f"There is no picture at “{path[:120]}”. Open the page again.",
        f"“{path[:120]}” 주소에 사진이 없어요. 페이지를 다시 여세요.",
    )
