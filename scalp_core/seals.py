"""Seals: a file says what it was when it was written, so that a flipped bit is noticed however well it still reads.

A seal is `sealed-sha256:` and the SHA-256 of the file as it is while these digits are zeros. It stands inside the file,
where the format keeps text: a member of JSON, the metadata of Parquet, Arrow and safetensors, behind the end of a .npy
file. So file and seal are replaced in one step and travel together.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from scalp_core.files import Signature, signature, write_atomic

SEAL = "seal"  # the name of the member, or of the entry of metadata
_MARK = b"sealed-sha256:"
_ZEROS = b"0" * 64
BLANK = (_MARK + _ZEROS).decode()  # what a writer leaves in the file for `fill_seal`
_SEARCHED = 1 << 20  # bytes at either end of a file: headers and footers lie there


class SealBrokenError(ValueError):
    """The content of a file is not what was written."""


def fill_seal(path: Path) -> None:
    """Replace the blank seal in a file by its seal."""
    with path.open("r+b") as file:
        _fill(file)


def write_sealed(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file that `write` leaves a blank seal in, as `write_atomic` does."""

    def write_and_fill(temporary: Path) -> None:
        write(temporary)
        fill_seal(temporary)

    write_atomic(path, write_and_fill)


def seal_holds(path: Path) -> bool:
    """Return whether a file has a seal and is what was sealed; read once, until it changes.

    Raises:
        OSError: it cannot be read.
    """
    return _seal_holds(path, signature(path))


def require_seal(path: Path) -> None:
    """Raise SealBrokenError unless the seal of a file holds, OSError where it cannot be read."""
    if not seal_holds(path):
        raise SealBrokenError(f"{path} is not what was written")


@lru_cache(maxsize=4096)
def _seal_holds(path: Path, _signature: Signature | None) -> bool:
    with path.open("rb") as file:
        return _holds(file)


# ---- JSON ----


def sealed_json(values: Mapping[str, Any], indent: int | None = None) -> bytes:
    """Return the values as JSON with a seal as the last member."""
    file = io.BytesIO((json.dumps({**values, SEAL: BLANK}, ensure_ascii=False, indent=indent) + "\n").encode())
    _fill(file)
    return file.getvalue()


def parse_sealed_json(content: bytes) -> dict[str, Any]:
    """Return the values of `sealed_json`, without the seal.

    Raises:
        SealBrokenError: it is not what was sealed.
    """
    if not _holds(io.BytesIO(content)):
        raise SealBrokenError("JSON that is not what was written")
    values: dict[str, Any] = json.loads(content)
    del values[SEAL]
    return values


def write_sealed_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write the values as JSON with a seal."""
    content = sealed_json(values, indent=1)
    write_atomic(path, lambda temporary: temporary.write_bytes(content))


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Return what `write_sealed_json` wrote.

    Raises:
        OSError, SealBrokenError: it cannot be read, or is not what was written.
    """
    return parse_sealed_json(path.read_bytes())


# ---- places and digests ----


def _fill(file: BinaryIO) -> None:
    place = _place(file)
    digest = _digest(file, place)
    file.seek(place)
    file.write(digest)


def _holds(file: BinaryIO) -> bool:
    try:
        place = _place(file)
    except SealBrokenError:
        return False
    file.seek(place)
    return file.read(len(_ZEROS)) == _digest(file, place)


def _place(file: BinaryIO) -> int:
    """Return where the digits of the last seal begin: near the end of the file, else near its beginning."""
    size = file.seek(0, os.SEEK_END)
    for start in (max(0, size - _SEARCHED), 0):
        file.seek(start)
        if (place := file.read(_SEARCHED).rfind(_MARK)) >= 0:
            return start + place + len(_MARK)
    raise SealBrokenError("there is no seal in the file")


def _digest(file: BinaryIO, place: int) -> bytes:
    file.seek(0)
    running = hashlib.sha256()
    while (left := place - file.tell()) > 0 and (part := file.read(min(left, _SEARCHED))):
        running.update(part)
    running.update(_ZEROS)
    file.seek(place + len(_ZEROS))
    while part := file.read(_SEARCHED):
        running.update(part)
    return running.hexdigest().encode()
