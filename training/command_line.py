"""Ends of commands, and progress on the way: explained mistakes, readers that have gone, bars and log files."""

import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TypeAlias

from tqdm import tqdm

from scalp_core.errors import ScalpError

Main: TypeAlias = "Callable[[Sequence[str] | None], int]"

MISTAKE, READER_GONE = 2, 141  # exit codes; the second is a shell's for a program that SIGPIPE ends
_LOG_SECONDS = 30.0  # between two lines of progress in a file


def explained(main: Main) -> Main:
    """Let a command end with a sentence where it cannot go on, and silently where its output has no reader any more.

    A folder that cannot be read or written is no mistake of the program: its traceback says less than its name.
    """

    @wraps(main)
    def run(arguments: Sequence[str] | None = None) -> int:
        try:
            try:
                return main(arguments)
            finally:
                sys.stdout.flush()
        except ScalpError as error:
            print(error, file=sys.stderr)
        except OSError as error:
            if _is_reader_gone(error):
                return READER_GONE
            place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            print(
                f"{place}{error.strerror or error}. Check that it is there, its permissions, and the room on its disk.",
                file=sys.stderr,
            )
        return MISTAKE

    return run


def _is_reader_gone(error: OSError) -> bool:
    """Return whether standard output leads nowhere, as in `… | head`; Python's own flush at the end is then silent.

    Any other broken pipe leads to a process of ours.
    """
    if not isinstance(error, BrokenPipeError):
        return False
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # errors are told unasked
    gone = any(event & select.POLLERR for _, event in output.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone


class Bar(tqdm):  # type: ignore[type-arg]
    """A progress bar on a terminal; in a file a line now and then, where a bar would be one line without end."""

    def __init__(self, *arguments: object, **options: object) -> None:
        self._next_line = 0.0
        super().__init__(*arguments, **options)

    def show(self, done: int, total: int) -> None:
        """Show how far it is."""
        self.total = total
        self.update(done - self.n)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        if self.fp.isatty():
            return bool(super().display(msg, pos))
        if time.monotonic() >= self._next_line:
            self._print_line()
        return True

    def clear(self, nolock: bool = False) -> None:
        if not self.disable and self.fp.isatty():
            super().clear(nolock)

    def close(self) -> None:
        if not self.disable and not self.fp.isatty():
            if self.leave:
                self._print_line()
            self.disable = True
            self._decr_instances(self)
        super().close()

    def _print_line(self) -> None:
        self._next_line = time.monotonic() + _LOG_SECONDS
        self.fp.write(f"{self}\n")
