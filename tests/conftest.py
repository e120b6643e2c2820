"""Shared fixtures: temporary folders, one small synthetic dataset, one finished run on it, processes by name."""

import gc
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs.champions import promote
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.synthetic.generate import make_dataset
from scalp_core.synthetic.label_noise import CLEAN_COLUMNS, SEVERITY_COLUMNS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Importing the test modules makes millions of objects and hardly any garbage: not searched until they are collected.
gc.disable()

# The same examples every time and no deadline: these machines are busy and a failure must repeat.
settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tests")

# Bit-identical weights are promised on a CPU; set the variable to try a GPU. Child processes inherit it.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

# Pages import only from below this folder, and the clients of these tests call the server by a name of their own.
os.environ["SCALP_IMPORT_FROM"] = "/"
os.environ["SCALP_ALLOWED_HOSTS"] = "testserver"

# Trainings do not stand back: their tests wait for them.
os.environ["SCALP_NICE"] = "0"

# Servers of these tests draw nothing unless a test says how much.
os.environ["SCALP_DEMO_IMAGES"] = "0"

# torch's threads spin while they wait for each other unless they are told to sleep, and here all cores are wanted.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Shells start what runs in the background deaf to Ctrl-C, child processes inherit it, and some are interrupted here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent

# Files that take longest, in the order in which they start: with two workers none is left for the end alone.
SLOWEST = (
    "runs/test_kills.py",
    "test_readme.py",
    "ui/test_browser.py",
    "benchmarks/test_benchmarks.py",
    "ui/test_pages.py",
    "training/test_commands.py",
    "runs/test_worker.py",
    "inference/test_pillow_pictures.py",
    "ui/test_dataset_page.py",
    "synthetic/test_fidelity.py",
)

NEW_OBJECTS = 50_000  # since the last module, from which on they are put aside

TINY = {
    "architecture": "test_efficientnet",
    "data": "tiny",
    "weights": "none",
    "image_size": 64,
    "batch_size": 8,
    "loss": "cross_entropy",  # the default imports sympy and scipy's statistics: seconds of every process
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {ROOT / "tests" / name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def imports_are_no_garbage() -> None:
    """Keep what the modules imported so far hold out of the collections that Streamlit asks for after every page.

    Each walked half a million objects of torch, pandas and Streamlit, for longer than most pages take.
    """
    if len(gc.get_objects()) > NEW_OBJECTS:
        gc.collect()
        gc.freeze()


@dataclass(frozen=True)
class Folders:
    """Folders of this test's datasets and runs."""

    data: Path
    artifacts: Path


@dataclass(frozen=True)
class Trained:
    """A finished run, what it was trained on, and one JPEG of the test part."""

    run: Run
    dataset: Dataset
    picture: bytes


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Empty folders of its own for one test."""
    made = Folders(tmp_path / "data", tmp_path / "artifacts")
    for name, folder in (("SCALP_DATA", made.data), ("SCALP_ARTIFACTS", made.artifacts)):
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    return made


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """48 synthetic pictures, drawn once: processes that test side by side take copies of their own."""
    own, base = tmp_path_factory.mktemp("data"), tmp_path_factory.getbasetemp()
    shared_folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "drawn"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(shared_folder))
        with FileLock(f"{shared_folder}.lock"):
            shared_folder.mkdir(exist_ok=True)
            made = make_dataset("tiny", 48, 0, processes=1)  # at once where it is there
        shutil.copytree(made.folder, own / "tiny")
        patch.setenv("SCALP_DATA", str(own))
        return open_dataset("tiny")


@pytest.fixture
def tiny(folders: Folders, tiny_data: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The dataset "tiny" together with an empty artifacts folder of this test's own."""
    monkeypatch.setenv("SCALP_DATA", str(tiny_data.folder.parent))
    return tiny_data


@pytest.fixture(scope="session")
def trained(tiny_data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """One finished run of all six conditions, in force for the whole session wherever `folders` is not used."""
    import torch

    from scalp_core.learning.train import train

    torch.set_num_threads(1)  # faster for so small a network, and the same for every training compared in tests
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(tiny_data.folder.parent))
        patch.setenv("SCALP_ARTIFACTS", str(tmp_path_factory.mktemp("artifacts")))
        run = create_run(Recipe(**TINY, epochs=2), "tiny")
        with run.lock():
            train(run)
        promote_everywhere(run)
        test_part = tiny_data.index[tiny_data.index["part"] == "test"]
        yield Trained(run, tiny_data, tiny_data.read(test_part["id"].iloc[0]))


def promote_everywhere(run: Run) -> Run:
    """Let a run answer for all that it grades: these are judged on too little to answer by themselves."""
    for condition in run.recipe.conditions:
        promote(condition, run)
    return run


def with_all_pixels(run: Run) -> None:
    """Make a copied run one of an earlier version, which had JPEGs decoded at their full size."""
    run.write_preprocessing(replace(run.preprocessing, reduced=False))
    run.write_manifest({key: value for key, value in run.manifest.items() if key != "files"})


def without_truth(dataset: Dataset, folder: Path) -> Dataset:
    """The same pictures in `folder` as if they were photographs."""
    rows = dataset.index.reset_index(drop=True)
    rows = rows.drop(columns=[*CLEAN_COLUMNS, *SEVERITY_COLUMNS, "confusers"])
    folder.mkdir(parents=True)
    return write_dataset(folder, "csv", {}, rows, source=str(dataset.folder), parts=dataset.parts)


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A headless Chromium; skips where there is none, unless one is required."""
    from support import browser  # only tests that ask for it import playwright

    with browser.started() as chromium:
        yield chromium


def labels_of(row: pd.Series) -> dict[Condition, int | None]:
    """The six labels of one row of an index, None where unlabelled."""
    return {c: None if pd.isna(row[c.value]) else int(row[c.value]) for c in CONDITIONS}


def until(fact: Callable[[], object], seconds: float = 600.0, pause: float = 0.05) -> None:
    """Wait for something another process does, on a busy machine too. A look costs milliseconds: hence the pause."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, f"nothing happened within {seconds} s"
        time.sleep(pause)


def processes(*words: str) -> list[int]:
    """Living processes whose command line has all these words."""
    collected = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if int(folder.name) != os.getpid() and all(word in line for word in words):
            collected.append(int(folder.name))
    return collected
