"""Tools of all benchmarks: clocks, the machine, the memory of a process, label vectors as often as in the real data."""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.data.dataset import LABEL_COLUMNS

ROOT = Path(__file__).resolve().parent.parent
REAL_SITES = 190  # of the 91,156 real pictures
REPEATS = 5  # after the first time

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Seconds by name: of the first time, and the median of the repeats.
Seconds = dict[str, dict[str, float]]

# Streamlit warns that there is no browser.
WITHOUT_BROWSER = {"STREAMLIT_LOGGER_LEVEL": "error"}


def machine() -> dict[str, Any]:
    """Describe the machine and its load."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }


def memory() -> dict[str, float]:
    """Return the MiB that this process holds now and held at most; not numbers where the system is not Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {"resident": math.nan, "peak": math.nan}
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    # Not ru_maxrss: a new process inherits that from its parent.
    return {name: int(fields[key].split()[0]) / 1024 for name, key in (("resident", "VmRSS"), ("peak", "VmHWM"))}


def measure_apart(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """Return the figures of a fresh process, whose memory is its own: `python -m benchmarks ARGUMENTS --json …`.

    Args:
        folder: for its files; its datasets and runs are in `data` and `artifacts` there.
    """
    path = folder / "figures.json"
    command = [sys.executable, "-m", "benchmarks", *arguments, "--json", str(path)]
    folders = {"SCALP_DATA": str(folder / "data"), "SCALP_ARTIFACTS": str(folder / "artifacts")}
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, **folders, **environment})
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return figures


def measure(interactions: dict[str, Callable[[int], object]]) -> Seconds:
    """Measure the seconds of each interaction: the first time in this process, and the median of the repeats.

    Each is called with the number of the repetition, so that it can ask each time for something not cached.
    """
    seconds = {}
    for name, interaction in interactions.items():
        first, *others = [_seconds(interaction, repeat) for repeat in range(REPEATS + 1)]
        seconds[name] = {"first": first, "median": median(others)}
    return seconds


def _seconds(interaction: Callable[[int], object], repeat: int) -> float:
    start = time.perf_counter()
    interaction(repeat)
    return time.perf_counter() - start


def label_vectors() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_], npt.NDArray[np.float64]]:
    """Return the label vectors of the real data, the class folders they lie in, and how likely each is."""
    table = pd.read_csv(ROOT / "scalp_core" / "synthetic" / "label_joint_counts.csv")
    vectors = table[list(LABEL_COLUMNS)].to_numpy(np.int64)
    folders = [
        " ".join(f"{name}/{grade}" for name, grade in zip(LABEL_COLUMNS, vector, strict=True) if grade)
        for vector in vectors
    ]
    return vectors, np.array(folders, dtype=object), (table["n"] / table["n"].sum()).to_numpy(np.float64)


def write_json(path: Path, figures: dict[str, Any]) -> None:
    """Write figures, readable by people as well."""
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
