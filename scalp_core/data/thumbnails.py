"""Small pictures by address: `thumbnails/<dataset>/<row>-<beginning of its hash>.webp`.

An address names a content, not a place: after a re-import it leads to the same picture or to none, so that a browser
may keep what it got. Of what a client sends, only a checked name and a number ever reach the file system.
"""

import hashlib
import io
import re
import secrets
from contextlib import suppress
from pathlib import Path

from PIL import Image

from scalp_core import images
from scalp_core.data.dataset import NAME, Dataset, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.files import TEMPORARY

SIDE = 220  # pixels along the longer edge
_QUALITY = 75  # of WebP, up to 100
_DIGEST_BYTES = 32  # SHA-256 behind the end of a cached picture, where decoders do not look

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(rf"thumbnails/({NAME.pattern})/([0-9]{{1,9}})-([0-9a-f]{{8}})\.webp")


def address(dataset: Dataset, row: int) -> str:
    """Return the address of the thumbnail of a row of the index, below the server's own address."""
    return f"thumbnails/{dataset.name}/{row}-{_hash(dataset, row)[:8]}.webp"


def thumbnail_at(path: str) -> bytes:
    """Return the WebP behind an address; it is made when first requested.

    Raises:
        ScalpError: `path` is no address, or leads to no dataset, row or readable picture of this content.
    """
    match = _ADDRESS.fullmatch(path)
    if not match:
        raise _no_thumbnail(path)
    dataset, row = open_dataset(match[1]), int(match[2])
    if row >= len(dataset.column("sha256")) or not _hash(dataset, row).startswith(match[3]):
        raise _no_thumbnail(path)
    return thumbnail(dataset, row)


def thumbnail(dataset: Dataset, row: int) -> bytes:
    """Return a WebP of the picture at this row of the index, at most SIDE pixels along the longer edge; cached.

    Raises:
        ScalpError: the picture is gone, cannot be read, or is not the one that was imported.
    """
    digest = _hash(dataset, row)
    if not _SHA256.fullmatch(digest):  # it becomes a file name
        raise _no_thumbnail(address(dataset, row))
    path = dataset.folder / "cache" / "thumbnails" / digest[:2] / f"{digest}.webp"
    return _read_cached(path) or _render(dataset, row, path)


def _hash(dataset: Dataset, row: int) -> str:
    return str(dataset.column("sha256").iloc[row])


def _render(dataset: Dataset, row: int, path: Path) -> bytes:
    small = encode_thumbnail(dataset.read(str(dataset.column("id").iloc[row])))
    _write_cached(path, small)
    return small


def encode_thumbnail(data: bytes, side: int = SIDE) -> bytes:
    """Return a WebP of at most `side` pixels along the longer edge. Raises ScalpError as `images.decode` does."""
    image = Image.fromarray(images.decode(data, (side, side)).pixels)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=2)  # more effort: twice the time for 5 % fewer bytes
    return buffer.getvalue()


def _read_cached(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    small, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    return small if hashlib.sha256(small).digest() == digest else None


def _write_cached(path: Path, small: bytes) -> None:
    """Write a thumbnail into the cache if that is possible.

    It is not forced to disk: a file that a power cut spoils is made again.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(small + hashlib.sha256(small).digest())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _no_thumbnail(path: str) -> ScalpError:
    return ScalpError(
        "no_thumbnail",
        f"There is no picture at “{path[:120]}”. Open the page again.",
        f"“{path[:120]}” 주소에 사진이 없어요. 페이지를 다시 여세요.",
    )
