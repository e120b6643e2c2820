"""Trainings, exports and measurements in the process of the test: each of their own would import torch, for seconds.

For tests of what a command asks for and says. That these processes start, die and go on is held by tests/runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest
import torch

from scalp_core.errors import Text
from scalp_core.learning import process
from scalp_core.learning.speed import speed
from scalp_core.runs import duration, worker
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run


def train_in_this_process(patch: pytest.MonkeyPatch) -> None:
    """Let the worker, its trainings and the measuring of speeds run in this process while `patch` is in force."""
    patch.setattr(worker, "_train", _train)
    patch.setattr(worker, "ensure", worker.work)
    measure_in_this_process(patch)


def measure_in_this_process(patch: pytest.MonkeyPatch) -> None:
    """Let speeds be measured in this process while `patch` is in force."""
    patch.setattr(duration, "_run_measuring_process", _measure)


def export_in_this_process(patch: pytest.MonkeyPatch) -> None:
    """Let exports be made in this process while `patch` is in force."""
    patch.setattr(worker, "export", _export)


def _train(run: Run, at_once: int | None = None) -> int:
    with (run.folder / "log.txt").open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        return perform("train", str(run.folder), *([str(at_once)] if at_once else []))


def _export(run: Run, again: bool = False) -> None:
    if not again:
        run.check_exportable()
    if perform("export", str(run.folder)):
        raise run.no_export(run.export_failure or Text("no reason", "이유 없음"))


def _measure(recipe: Recipe) -> dict[str, float]:
    with _one_thread():
        return speed(recipe)


def perform(*task: str) -> int:
    """Do the task of a process of ours and return its exit code; what it sets for itself is taken back."""
    with pytest.MonkeyPatch.context() as patch, _one_thread():
        patch.setattr(process, "cores", lambda: 1)
        try:
            return process.main(list(task))
        finally:
            torch.use_deterministic_algorithms(False)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch have one thread: several spin while they wait for each other, and here other processes want the cores.

    Processes of ours let them sleep (`processes.environment`), which one that runs already cannot.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
