"""The runner, with real processes: one at a time, whatever is killed, and nothing is forgotten."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TINY, Folders, processes, until

from scalp_core import runner
from scalp_core.dataset import Dataset
from scalp_core.files import is_locked
from scalp_core.runs import Recipe, Run, State, create_run, list_runs

RECIPE = Recipe(**TINY, conditions=Recipe.conditions[:1])


def runners(folders: Folders) -> list[int]:
    """Runners of this test's own artifacts folder."""
    mine = f"SCALP_ARTIFACTS={folders.artifacts}".encode()
    found = []
    for process in processes("-m", "scalp_core.runner"):
        with contextlib.suppress(OSError):
            if mine in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
                found.append(process)
    return found


def trainings(run: Run) -> list[int]:
    return processes("scalp_core.train", "train", str(run.folder))


@pytest.fixture
def ground(tiny: Dataset, folders: Folders) -> Iterator[Folders]:
    """Ends what a failed test would leave running."""
    yield folders
    for run in list_runs():
        run.cancel()
    for process in (*runners(folders), *(one for run in list_runs() for one in trainings(run))):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def test_killed_paused_and_resumed_it_still_finishes_with_one_runner(ground: Folders) -> None:
    run = create_run(replace(RECIPE, epochs=8))
    runner.ensure()
    runner.ensure()
    until(lambda: run.state is State.RUNNING)
    runner.ensure()
    until(lambda: len(run.history) >= 1)
    assert len(runners(ground)) == 1
    assert os.getsid(runners(ground)[0]) != os.getsid(0), "a closed terminal would take the runner with it"

    (killed,) = trainings(run)
    os.kill(killed, signal.SIGKILL)
    until(lambda: run.locked and trainings(run) not in ([], [killed]))
    reached = len(run.history)
    assert reached >= 1

    run.pause()
    until(lambda: run.state is State.PAUSED)
    run.resume()  # before the process has ended and the runner looked
    until(lambda: run.state in (State.FINISHED, State.FAILED), 90)
    assert run.state is State.FINISHED, run.error
    assert run.history["epoch"].tolist() == list(range(1, 9))
    assert not list(run.folder.glob(".tmp-*"))
    until(lambda: not runners(ground))
    runner.ensure()
    assert not is_locked(ground.artifacts / ".runner.lock")


def test_what_dies_three_times_at_the_same_place_fails_in_words(ground: Folders) -> None:
    run = create_run(replace(RECIPE, epochs=8))
    runner.ensure()
    killed: set[int] = set()

    def kill_on_sight() -> bool:
        for process in set(trainings(run)) - killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            killed.add(process)
        return run.state is State.FAILED

    until(kill_on_sight)
    assert len(killed) == 3
    assert "SIGKILL" in run.error[0].en
    assert "batch_size" in run.error[0].ko
    until(lambda: not runners(ground))


def test_a_run_added_while_the_runner_is_ending_is_not_forgotten(
    ground: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its last look at the queue and letting go of the lock, nobody else can start a runner."""
    taken: list[str] = []

    def instead_of_training(run: Run) -> int:
        taken.append(run.id)
        run.cancel()
        return 0

    def work_through_and_be_late() -> None:
        real()
        if len(taken) == 1:
            create_run(RECIPE, "late")
            runner.ensure()  # finds the lock taken and starts nothing

    real = runner._work_through
    monkeypatch.setattr(runner, "_train", instead_of_training)
    monkeypatch.setattr(runner, "_work_through", work_through_and_be_late)
    create_run(RECIPE, "early")
    runner.work()
    assert taken == ["early", "late"]
    assert runners(ground) == []


def test_the_queue_is_worked_through_in_order_and_what_is_paused_waits(
    ground: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def instead_of_training(run: Run) -> int:
        taken.append(run.id)
        run.cancel()
        return 0

    monkeypatch.setattr(runner, "_train", instead_of_training)
    runs = [create_run(RECIPE, name) for name in ("c", "a", "b")]
    runs[1].pause()
    runner.work()
    assert taken == ["c", "b"]
    runs[1].resume()
    runner.work()
    assert taken == ["c", "b", "a"]


def test_folders_given_relative_to_here_are_the_same_in_the_runner(
    ground: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ground.artifacts.parent)
    monkeypatch.setenv("SCALP_ARTIFACTS", "artifacts")
    monkeypatch.setenv("SCALP_DATA", "data")
    environment = runner.environment()
    assert environment["SCALP_ARTIFACTS"] == str(ground.artifacts)
    assert environment["SCALP_DATA"] == str(ground.data)


def test_without_waiting_runs_no_runner_starts(ground: Folders) -> None:
    runner.ensure()
    run = create_run(RECIPE)
    run.pause()
    runner.ensure()
    assert not (ground.artifacts / "runner.log").exists()
