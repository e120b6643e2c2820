"""Kills at random moments, through the real runner and its processes: every run ends bit for bit as if there were none.

A few kills as a test; `python tests/test_kills.py KILLS RUNS` for as many as you like, with the figures.
"""

import contextlib
import math
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from conftest import ROOT, Folders, Trained, processes, until
from support.training_fixtures import ALL_OPTIONS, HEAD_ONLY, assert_same_outcome, copy_source

from scalp_core.data.dataset import Dataset
from scalp_core.learning import process
from scalp_core.runs import worker
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.synthetic.generate import make_dataset

# Epochs enough that a kill meets the middle of the work, and none that patience would save it.
RECIPE = replace(ALL_OPTIONS, epochs=30, patience=0)
HEAD = replace(HEAD_ONLY, epochs=300, patience=0)
_IN_A_ROW = 2  # kills without a finished epoch between them; at three the runner rightly gives up
_PATIENCE = 900.0  # seconds; these machines are busy


@dataclass
class Endured:
    """The kills of a run: how many, how many met weights half written, and after which epochs they came."""

    kills: int = 0
    while_saving: int = 0
    after_epochs: tuple[int, ...] = ()


def endure(run: Run, kills: int, seconds: float, seed: int) -> Endured:
    """Let the runner train `run`, which takes about so many seconds, and kill its process so many times; fewer if it
    is faster."""
    chance, endured = random.Random(seed), Endured()
    worker.ensure()
    while endured.kills < kills and not run.finished:
        until(lambda: trainings(run) or run.finished, _PATIENCE)
        if endured.after_epochs[-_IN_A_ROW:] == (len(run.history),) * _IN_A_ROW:
            wait_for_an_epoch(run)
        wait_for_a_moment(run, seconds, chance)
        saving = half_written(run)
        if killed := kill(run):
            endured.kills += killed
            endured.while_saving += saving
            endured.after_epochs += (len(run.history),)
    until(lambda: not run.state.active and not run.locked, _PATIENCE)  # the export comes after the manifest
    return endured


def kill(run: Run) -> int:
    """Kill its training processes and return how many there were: one, or none if it has just ended."""
    killed = trainings(run)
    for process_id in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
    until(lambda: set(killed).isdisjoint(trainings(run)))
    return len(killed)


def trainings(run: Run) -> list[int]:
    return processes("scalp_core", "train", str(run.folder))


def wait_for_an_epoch(run: Run) -> None:
    reached = len(run.history)
    until(lambda: len(run.history) > reached or run.finished, _PATIENCE)


def wait_for_a_moment(run: Run, seconds: float, chance: random.Random) -> None:
    """Any in the first half of what a training takes; or, half of the times, when a checkpoint is half written."""
    # On a busy machine no look may meet a checkpoint: then any moment will do.
    while_saving = chance.random() < 0.5
    end = time.monotonic() + (2 * seconds if while_saving else chance.uniform(0, seconds / 2))
    until(lambda: time.monotonic() > end or run.finished or (while_saving and half_written(run)), _PATIENCE)


def half_written(run: Run) -> bool:
    return any(run.folder.glob(".tmp-*.safetensors"))


def leftovers(run: Run) -> list[Path]:
    return list(run.folder.glob(".tmp-*"))


def uninterrupted(recipe: Recipe) -> tuple[Run, float]:
    """A run that is trained in this process and not killed, and the seconds it took."""
    run, begun, threads = create_run(recipe), time.monotonic(), torch.get_num_threads()
    try:
        process.main(["train", str(run.folder)])
    finally:  # what the process of a training sets for itself
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
    return run, time.monotonic() - begun


def assert_nothing_left(run: Run, data: Path) -> None:
    assert not leftovers(run)
    assert not list(data.rglob(".tmp-*"))
    until(lambda: not trainings(run))


@pytest.fixture
def ground(tiny: Dataset, folders: Folders) -> Iterator[Folders]:
    """Ends what a failed test would leave running."""
    yield folders
    for path in folders.artifacts.glob("*/recipe.json"):
        Run(path.parent).cancel()
        kill(Run(path.parent))


def test_randomly_killed_runs_equal_uninterrupted_ones(trained: Trained, tiny: Dataset, ground: Folders) -> None:
    copy_source(trained, ground)
    for seed, recipe in enumerate((replace(RECIPE, epochs=10), replace(HEAD, epochs=60))):
        twin, seconds = uninterrupted(recipe)
        run = create_run(recipe)
        assert endure(run, 2, seconds, seed).kills == 2
        assert run.finished, run.error
        assert_same_outcome(twin, run)
        assert_nothing_left(run, tiny.folder)


def main(kills: int, runs: int) -> None:
    """So many kills over so many runs, in turn of the whole network and of the head alone, and what came of them.

    A run that is faster than its kills leaves them to the next.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ |= {"SCALP_DATA": str(folder / "data"), "SCALP_ARTIFACTS": str(folder / "artifacts")}
        (folder / "artifacts").mkdir()
        make_dataset("tiny", 48, 0, processes=2)
        source = create_run(replace(RECIPE, epochs=2), "source")
        worker.ensure()
        until(lambda: source.finished, _PATIENCE)
        left = kills
        for number in range(runs):
            recipe = replace((RECIPE, HEAD)[number % 2], seed=number)
            twin, seconds = uninterrupted(recipe)
            run = create_run(recipe)
            endured = endure(run, math.ceil(left / (runs - number)), seconds, number)
            left -= endured.kills
            assert_same_outcome(twin, run)
            assert_nothing_left(run, folder / "data")
            sys.stdout.write(f"{recipe.learns}: {endured}; bit for bit like its twin\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(int(sys.argv[1]), int(sys.argv[2]))
