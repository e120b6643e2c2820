"""The way a command is started: `execute(main)` at the end of its module."""

import signal
import sys
from collections.abc import Callable


def execute(main: Callable[[], int]) -> None:
    """Run a command and exit with its code."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` is no error
    sys.exit(main())
