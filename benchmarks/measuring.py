"""What benchmarks need: the machine, the memory of a process, likely labels.

Knows nothing of what is measured.
"""

import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.data.dataset import LABEL_COLUMNS

ROOT = Path(__file__).resolve().parent.parent
REAL_SITES = 190  # that took the 91,156 real pictures


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }


def memory() -> dict[str, float]:
    """MiB that this process holds, and held at most. Only Linux tells."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {"resident": math.nan, "peak": math.nan}
    told = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    # Not ru_maxrss: a new process inherits that from the one that started it.
    return {name: int(told[key].split()[0]) / 1024 for name, key in (("resident", "VmRSS"), ("peak", "VmHWM"))}


def measured_apart(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """What a fresh process finds, so that its memory is its own: `python -m benchmarks ARGUMENTS --json …`.

    Args:
        folder: for what it writes; its data sets and runs are in `data` and `artifacts` there.
    """
    written = folder / "found.json"
    command = [sys.executable, "-m", "benchmarks", *arguments, "--json", str(written)]
    places = {"SCALP_DATA": str(folder / "data"), "SCALP_ARTIFACTS": str(folder / "artifacts")}
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, **places, **environment})
    found: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    return found


# Streamlit warns that there is no browser.
WITHOUT_BROWSER = {"STREAMLIT_LOGGER_LEVEL": "error"}


def label_vectors() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_], npt.NDArray[np.float64]]:
    """The label vectors that occur in the real data, the class folders they lie in, and how likely each is."""
    table = pd.read_csv(ROOT / "scalp_core" / "synthetic" / "label_joint_counts.csv")
    vectors = table[list(LABEL_COLUMNS)].to_numpy(np.int64)
    folders = [
        " ".join(f"{name}/{grade}" for name, grade in zip(LABEL_COLUMNS, vector, strict=True) if grade)
        for vector in vectors
    ]
    return vectors, np.array(folders, dtype=object), (table["n"] / table["n"].sum()).to_numpy(np.float64)


def write_json(path: Path, figures: dict[str, Any]) -> None:
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
