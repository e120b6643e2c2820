"""The worker, with real processes: one at a time, whatever is killed, and nothing is forgotten."""

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TINY, Folders, processes, until

from scalp_core.data.dataset import Dataset
from scalp_core.files import is_locked
from scalp_core.processes import environment as child_environment
from scalp_core.runs import worker
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run, State
from scalp_core.runs.store import list_runs

RECIPE = Recipe(**TINY, conditions=Recipe.conditions[:1])


def workers(folders: Folders) -> list[int]:
    """Return the workers of this test's own artifacts folder."""
    environment_entry = f"SCALP_ARTIFACTS={folders.artifacts}".encode()
    own = []
    for process in processes("-m", "scalp_core", "worker"):
        with contextlib.suppress(OSError):
            if environment_entry in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
                own.append(process)
    return own


def trainings(run: Run) -> list[int]:
    """Return the processes that train this run, without what they fork themselves, which is called as they are."""
    living = processes("scalp_core", "train", str(run.folder))
    return [process for process in living if parent_of(process) not in living]


def parent_of(process: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


@pytest.fixture
def ground(tiny: Dataset, folders: Folders) -> Iterator[Folders]:
    """End processes that a failed test would leave running."""
    yield folders
    for run in list_runs():
        run.cancel()
    for process in (*workers(folders), *(training for run in list_runs() for training in trainings(run))):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def test_one_runner_and_one_training_whatever_happens_to_them(ground: Folders) -> None:
    """The runner is killed, a second one waits for the training that the first one left, and the run is paused.

    Kills of trainings are test_kills'.
    """
    run = create_run(replace(RECIPE, epochs=12, patience=0), "first")
    worker.ensure()
    worker.ensure()
    until(lambda: trainings(run))
    until(lambda: len(workers(ground)) == 1)  # the other one saw the lock of the first
    (training,), (runner,) = trainings(run), workers(ground)
    assert os.getsid(runner) != os.getsid(0), "a closed terminal would take the runner with it"
    os.kill(runner, signal.SIGKILL)
    assert run.locked, "its training holds the lock from its first moment, long before torch is imported"
    until(lambda: not is_locked(ground.artifacts / ".runner.lock"))
    other = create_run(RECIPE, "other")
    worker.ensure()
    worker.ensure()
    seen: set[tuple[int, ...]] = set()

    def learned_an_epoch() -> bool:
        seen.add(tuple(trainings(run)))
        return len(run.history) >= 1

    until(learned_an_epoch)
    assert run.state is State.RUNNING
    run.pause()
    assert seen == {(training,)}
    until(lambda: len(workers(ground)) == 1)
    assert other.state is State.QUEUED, "it waits for the training that goes on without its runner"
    other.cancel()
    until(lambda: run.state is State.PAUSED)
    run.resume()
    worker.ensure()  # as the page does: the runner may have looked before it was resumed
    until(lambda: run.state in (State.FINISHED, State.FAILED))
    assert run.state is State.FINISHED, run.error
    assert run.history["epoch"].tolist() == list(range(1, 13))
    assert not (other.folder / "log.txt").exists(), "what was cancelled is not begun"
    assert not list(run.folder.glob(".tmp-*"))
    until(lambda: not workers(ground))
    worker.ensure()
    assert not is_locked(ground.artifacts / ".runner.lock")


@pytest.mark.parametrize(("setting", "niceness"), [("0", 0), ("5", 5), ("", 10), ("20", 10), ("-3", 10), ("x", 10)])
def test_setting_says_how_far_trainings_stand_back(
    setting: str, niceness: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_NICE", setting)
    assert worker._niceness() == niceness


def test_third_death_at_one_place_fails(ground: Folders) -> None:
    """By whatever signal: each run of the queue dies of one, and the runner goes on with the next."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    outside = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGRTMIN + 5]
    crashes = [signal.SIGSEGV]
    runs = {number: create_run(RECIPE, f"signal-{number}") for number in [*outside, *crashes]}
    worker.ensure()
    killed: dict[int, set[int]] = {number: set() for number in runs}

    def kill_on_sight() -> bool:
        for number, run in runs.items():  # in the order of the queue
            if run.state is State.FAILED:
                continue
            for process in set(trainings(run)) - killed[number]:
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    # Before its own first line Python itself takes SIGINT for an error.
                    if number != signal.SIGINT or "torch" in Path(f"/proc/{process}/maps").read_text():
                        os.kill(process, number)
                        killed[number].add(process)
            return False
        return True

    until(kill_on_sight)
    for number, run in runs.items():
        sentence = run.error[0].en
        assert len(killed[number]) == 3, sentence
        assert (signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}") in sentence
        assert ("crashed" if number in crashes else "from outside") in sentence
        assert "memory" not in sentence, "nothing tells that it ran out"
        assert "resumed" in sentence
    until(lambda: not workers(ground))


def test_run_added_to_an_ending_runner_is_trained(ground: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its last look at the queue and the release of the lock, no other worker can start."""
    taken: list[str] = []

    def instead_of_training(run: Run, at_once: int | None) -> int:
        taken.append(run.id)
        run.cancel()
        return 0

    def work_through_and_be_late() -> None:
        real()
        if len(taken) == 1:
            create_run(RECIPE, "late")
            worker.ensure()  # finds the lock taken and starts nothing

    real = worker._work_through
    monkeypatch.setattr(worker, "_train", instead_of_training)
    monkeypatch.setattr(worker, "_work_through", work_through_and_be_late)
    create_run(RECIPE, "early")
    worker.work()
    assert taken == ["early", "late"]
    assert workers(ground) == []


def test_queue_runs_in_order_and_skips_paused(ground: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def instead_of_training(run: Run, at_once: int | None) -> int:
        taken.append(run.id)
        run.cancel()
        return 0

    monkeypatch.setattr(worker, "_train", instead_of_training)
    runs = [create_run(RECIPE, name) for name in ("c", "a", "b")]
    runs[1].pause()
    worker.work()
    assert taken == ["c", "b"]
    runs[1].resume()
    worker.work()
    assert taken == ["c", "b", "a"]


def test_relative_folders_are_absolute_in_the_runner(ground: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ground.artifacts.parent)
    monkeypatch.setenv("SCALP_ARTIFACTS", "artifacts")
    monkeypatch.setenv("SCALP_DATA", "data")
    environment = child_environment()
    assert environment["SCALP_ARTIFACTS"] == str(ground.artifacts)
    assert environment["SCALP_DATA"] == str(ground.data)


def test_without_waiting_runs_no_runner_starts(ground: Folders) -> None:
    worker.ensure()
    run = create_run(RECIPE)
    run.pause()
    worker.ensure()
    assert not (ground.artifacts / "runner.log").exists()


# ---- where the kernel ends a training for its memory ----

WORDS = "under_oom 0\noom_kill_disable 0\noom 7\noom_kill {}\noom_group_kill 5\n"


@pytest.mark.parametrize(
    ("own_group", "counter"),
    [
        ("0::/user.slice/app\n", "user.slice/app/memory.events"),
        ("0::/host/path/of/a/container\n", "memory.events"),
        ("3:cpu:/elsewhere\n2:memory:/docker/1a\n0::/\n", "memory/docker/1a/memory.oom_control"),
        ("5:cpuset,memory:/host/path\n0::/\n", "memory/memory.oom_control"),
    ],
    ids=["v2", "v2 in a container", "v1", "v1 in a container"],
)
def test_the_kernels_count_is_found(
    own_group: str, counter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").write_text(own_group)
    monkeypatch.setattr(worker, "_OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(worker, "_GROUPS", tmp_path / "groups")
    assert worker._memory_kills() == 0
    (tmp_path / "groups" / counter).parent.mkdir(parents=True)
    (tmp_path / "groups" / counter).write_text(WORDS.format(3))
    assert worker._memory_kills() == 3
    monkeypatch.setattr(worker, "_OWN_GROUP", tmp_path / "absent")
    assert worker._memory_kills() == 0


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A counter that looks like the kernel's."""
    counter = tmp_path / "groups" / "memory.events"
    counter.parent.mkdir()
    counter.write_text(WORDS.format(4))
    (tmp_path / "own").write_text("0::/\n")
    monkeypatch.setattr(worker, "_OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(worker, "_GROUPS", counter.parent)
    return counter


def test_memory_kill_halves_the_batch(ground: Folders, kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process is ended by a signal; twice the kernel's counter says by whom, then a person did it."""
    tries: list[int | None] = []
    real = worker._train

    def ended(run: Run, at_once: int | None) -> int:
        tries.append(at_once)
        if len(tries) == 4:
            return real(run, at_once)
        if len(tries) < 3:
            kernel.write_text(WORDS.format(4 + len(tries)))
        (run.folder / "history.jsonl").touch()
        return -signal.SIGKILL

    monkeypatch.setattr(worker, "_train", ended)
    run = create_run(replace(RECIPE, epochs=1))
    worker.work()
    assert tries == [None, 4, 2, 2]
    assert run.state is State.FINISHED, run.error
    assert run.history["at_once"].tolist() == [2]
    assert run.manifest["at_once"] == 2
    assert "memory ran out; batches now pass in pieces of 2 pictures" in run.log


def test_memory_kill_at_two_pictures_fails(ground: Folders, kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int | None] = []

    def ended(run: Run, at_once: int | None) -> int:
        tries.append(at_once)
        kernel.write_text(WORDS.format(4 + len(tries)))
        return -signal.SIGKILL

    monkeypatch.setattr(worker, "_train", ended)
    run = create_run(RECIPE)
    worker.work()
    assert tries == [None, 4, 2, 2, 2]
    assert run.state is State.FAILED
    assert "memory" in run.error[0].en


def test_what_a_person_kills_keeps_its_batch(ground: Folders, kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int | None] = []

    def ended(run: Run, at_once: int | None) -> int:
        tries.append(at_once)
        return -signal.SIGKILL

    monkeypatch.setattr(worker, "_train", ended)
    create_run(RECIPE)
    worker.work()
    assert tries == [None, None, None]
