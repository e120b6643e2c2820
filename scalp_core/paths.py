"""The folders of datasets and runs."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # holds the packages: the checkout, or site-packages
_IS_CHECKOUT = (ROOT / "serve.py").is_file()
APP = ROOT if _IS_CHECKOUT else ROOT / "scalp_lab"  # holds serve.py, Home.py and pages/


def data_folder() -> Path:
    """Return the folder of datasets: `SCALP_DATA`, or `data/` in the checkout or, installed, in the current folder."""
    return Path(os.environ.get("SCALP_DATA") or _home() / "data")


def artifacts_folder() -> Path:
    """Return the folder of runs: `SCALP_ARTIFACTS`, or `artifacts/` beside `data/`."""
    return Path(os.environ.get("SCALP_ARTIFACTS") or _home() / "artifacts")


def _home() -> Path:
    return ROOT if _IS_CHECKOUT else Path.cwd()
