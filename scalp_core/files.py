"""Writes files so that a reader sees the old one or the new one, never half of one; paths as text."""

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

TEMPORARY = ".tmp-"


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, force it to disk, then rename it over `path`.

    The temporary file is removed when `write` fails; a kill leaves it behind under the prefix `.tmp-`, for `sweep`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # otherwise a power cut may forget the rename
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    write_atomic(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


# What reading a damaged JSON file raises, a folder in its place and missing members of it included.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


def folders_with(name: str, parent: Path) -> list[Path]:
    """Return the folders in `parent` that hold a file of that name, and those that may not be looked into.

    Raises:
        PermissionError: `parent` may not be looked into.
    """
    return [folder for folder in sorted(parent.iterdir()) if _may_hold(folder, name)] if parent.is_dir() else []


def _may_hold(folder: Path, name: str) -> bool:
    try:
        return (folder / name).exists()
    except PermissionError:
        return folder.name != "lost+found"  # every new file system has it, closed to all but root


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


class Signature(NamedTuple):
    """The state of a file, as far as it can be told without reading it."""

    size: int
    inode: int
    modified_ns: int
    changed_ns: int  # also when a copy tool sets `modified_ns` back


def signature(path: Path) -> Signature | None:
    """Return the signature of a file; None where there is none."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Signature(stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file; it is read once, until it changes.

    Raises:
        OSError: it cannot be read.
    """
    return _sha256(path, signature(path))


@lru_cache(maxsize=4096)
def _sha256(path: Path, _signature: Signature | None) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Path) -> None:
    """Remove what a killed writer left in `folder`. Only for the holder of the folder's lock."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        leftover.unlink(missing_ok=True)


_REMOVED = ".deleted"  # what is listed lies no deeper than one folder, so nothing in it is


def put_away(folder: Path) -> Path:
    """Move a folder into a hidden one beside it, for `shutil.rmtree`, and return that.

    It is one step, so that no reader sees half a folder. What a kill leaves there goes with the next removal.
    """
    removed = folder.parent / _REMOVED
    removed.mkdir(exist_ok=True)
    folder.rename(removed / f"{folder.name}-{secrets.token_hex(4)}")
    return removed


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock at `path`."""
    if not path.exists():
        return False
    # A shared look: two pages that look at the same moment do not take each other for the owner.
    try:
        file = path.open("rb")
    except PermissionError:  # of another user, and never taken by one of ours
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def take_lock(path: Path, seconds: float) -> int | None:
    """Take the lock at `path` and return its open file; None if another process holds it for so many seconds.

    A child process can inherit the file: both then hold one lock, which the kernel frees when neither is left.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(file)
                return None
            time.sleep(0.05)
        else:
            return file


# A spreadsheet runs text that begins so as a formula (OWASP, CSV Injection); full-width letters are read as well.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def formula_safe(cell: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def quote_path(path: Path | str) -> str:
    """Return a relative path as text of the index. Names that are no UTF-8, as old archives leave them, become %XX."""
    raw = os.fsencode(path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return quote_from_bytes(raw, safe="/ ")
    return text.replace("%", "%25")


def unquote_path(text: str) -> str:
    """Return the path behind `quote_path`, as this system's file functions take it."""
    return os.fsdecode(unquote_to_bytes(text))
