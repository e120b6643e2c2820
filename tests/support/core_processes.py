"""Processes of the core that work in the folders of one test."""

from contextlib import suppress
from pathlib import Path

from conftest import processes


def drawers(data: Path) -> list[int]:
    """Processes that draw the demonstration into this folder of datasets."""
    return _processes_in("SCALP_DATA", data, "draw")


def runners(artifacts: Path) -> list[int]:
    """Processes that train what waits in this folder of runs."""
    return _processes_in("SCALP_ARTIFACTS", artifacts, "worker")


def _processes_in(variable: str, folder: Path, task: str) -> list[int]:
    """Processes of a task whose environment names this folder."""
    setting, collected = f"{variable}={folder}".encode(), []
    for process_id in processes("scalp_core", task):
        with suppress(OSError):  # it has just ended
            if setting in Path(f"/proc/{process_id}/environ").read_bytes().split(b"\0"):
                collected.append(process_id)
    return collected
