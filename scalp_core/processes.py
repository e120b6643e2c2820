"""Processes that the core starts itself: their command and environment. `scalp_core/__main__.py` is their entry."""

import os
import subprocess
import sys
from typing import IO

from scalp_core.paths import ROOT, artifacts_folder, data_folder


def command(task: str, *arguments: str) -> list[str]:
    """Return the command line of a process: `python -m scalp_core TASK ARGUMENTS`, see `scalp_core/__main__.py`."""
    return [sys.executable, "-m", "scalp_core", task, *arguments]


def start(log: IO[bytes], task: str, *arguments: str) -> None:
    """Start such a process, whose output goes to `log`, in a session of its own, so that it outlives this one."""
    subprocess.Popen(
        command(task, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd=ROOT,
        env=environment(),
    )


def environment() -> dict[str, str]:
    """Return the environment that such a process starts with, with its folders settled."""
    # The folders are settled now: the runner may outlive a change of directory or environment.
    python_path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "SCALP_ARTIFACTS": str(artifacts_folder().resolve()),
        "SCALP_DATA": str(data_folder().resolve()),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), python_path))),
        "PYTHONUNBUFFERED": "1",
        # torch's threads spin while they wait for each other; beside any other busy process on a small machine that
        # made a training step 6 times slower (measured, docs/design/runs.md). Sleeping costs next to nothing.
        "OMP_WAIT_POLICY": "PASSIVE",
    }
