"""Settles what a process is started in, before it opens or imports anything else: streams, home, telemetry."""

import os
import sys
from pathlib import Path


def settle() -> None:
    """Give this process the standard streams and the home that its libraries count on, and keep them from reporting."""
    _open_streams()
    try:
        Path.home()
    except RuntimeError:
        # A user without HOME and without an entry, as containers have them. Streamlit and Altair end there; of a home
        # that cannot be written they only read.
        os.environ["HOME"] = "/"
    # ONNX Runtime otherwise keeps a device id and a database in the home and sends them to its maker.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def _open_streams() -> None:
    """Open standard streams that are closed on the null device.

    Otherwise the next files get their numbers, and what a library prints is written into a database or a checkpoint.
    """
    for number in range(3):  # the lowest first: a file gets the lowest number that is free
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  for good
