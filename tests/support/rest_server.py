"""REST without the dashboard as a process of its own, for tests of the whole service."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
from conftest import ROOT, until


@contextmanager
def serving(log: Path, *arguments: str, base: str = "") -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`python -m scalp_core.rest` on a free port, the first of a group of processes; its address when it is ready.

    Args:
        base: `SCALP_BASE_PATH` of the environment.
    """
    line = [sys.executable, "-m", "scalp_core.rest", "--port", str(port := free_port()), *arguments]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(line, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    try:
        until(lambda: process.poll() is not None or ready(address + base))
        assert process.poll() is None, log.read_text()
        yield process, address
    finally:
        if alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/api/ready").status_code == 200
    except httpx.TransportError:
        return False


def alive(group: int) -> bool:
    """Return whether the group has a process left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
