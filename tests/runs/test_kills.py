"""Kills at random moments, through the real runner and its processes: every run ends bit for bit as if there were none.

A few kills as a test, `SCALP_KILLS=20` for more of them; `python tests/runs/test_kills.py KILLS RUNS` for as many as
you like, of the server too.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
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
# Of the whole network; the head alone, whose start costs as much, meets half as many.
KILLS = int(os.environ.get("SCALP_KILLS", "2"))
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
    until(
        lambda: time.monotonic() > end or run.finished or (while_saving and half_written(run)),
        _PATIENCE,
        pause=0.01 if while_saving else 0.05,
    )


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
    recipes = replace(RECIPE, epochs=10), replace(HEAD, epochs=60)
    twins = [uninterrupted(recipe) for recipe in recipes]
    runs = [create_run(recipe) for recipe in recipes]  # one queue, so that one runner meets all the kills
    for run, kills, (twin, seconds), seed in zip(runs, (KILLS, KILLS // 2), twins, range(2), strict=True):
        assert endure(run, kills, seconds, seed).kills >= 1  # others may come too late where the twin had to wait
        assert run.finished, run.error
        assert_same_outcome(twin, run)
        assert_nothing_left(run, tiny.folder)


# ---- as a program: server, runner and training, over runs of all families ----

PROCESSES = {"server": ("serve.py",), "runner": ("scalp_core", "worker"), "training": ("scalp_core", "train")}
FAMILIES = ("vgg11_bn", "resnet18", "efficientnet_b0", "googlenet", "vit_tiny")
EARLY_SECONDS = 3.0  # after the start of a process


class Watch(threading.Thread):
    """Counts the training processes, and those alive at once, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.started: set[int] = set()
        self.most_at_once = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.03):
            trainings = living("training")
            self.started.update(trainings)
            self.most_at_once = max(self.most_at_once, len(trainings))


def living(kind: str) -> list[int]:
    """Return the processes of the kind that serve or train in this program's folder, and no other's."""
    folder = os.environ["SCALP_ARTIFACTS"].encode()
    ours = []
    for process_id in processes(*PROCESSES[kind]):
        with contextlib.suppress(OSError):
            if folder in Path(f"/proc/{process_id}/environ").read_bytes():
                ours.append(process_id)
    return ours


def age(process_id: int) -> float:
    """Return the seconds since the process started; 0 if it has ended."""
    try:
        ticks = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return 0.0
    return float(Path("/proc/uptime").read_text().split()[0]) - int(ticks) / os.sysconf("SC_CLK_TCK")


def kill_at_age(kind: str, moment: float, runs: list[Run]) -> float | None:
    """Kill the first process of the kind that is so many seconds old; return its age, None if all runs are finished."""
    old_enough: list[int] = []

    def look() -> bool:
        worker.ensure()  # as a page does
        old_enough[:] = [process_id for process_id in living(kind) if age(process_id) >= moment]
        return bool(old_enough) or all(run.finished for run in runs)

    until(look, _PATIENCE)
    if not old_enough:
        return None
    killed_at = age(old_enough[0])
    os.kill(old_enough[0], signal.SIGKILL)
    until(lambda: old_enough[0] not in living(kind))
    return killed_at


def kill_in_turn(kills: int, runs: list[Run], log: Path) -> list[tuple[str, float]]:
    """Kill each kind in turn, once later and then its successor early; return kinds and ages at their deaths."""
    chance, deaths, epochs = random.Random(0), list[tuple[str, float]](), -1
    environment = {**os.environ, "PORT": "18599"}
    while len(deaths) < kills and not all(run.finished for run in runs):
        kind, early = list(PROCESSES)[len(deaths) // 2 % 3], len(deaths) % 2 == 1
        if not living("server"):
            with log.open("ab") as out:
                subprocess.Popen([sys.executable, "serve.py"], cwd=ROOT, env=environment, stdout=out, stderr=out)
        if kind == "training" and not early:  # at three deaths without an epoch the runner rightly gives up
            until(lambda least=epochs: finished_epochs(runs) > least, _PATIENCE)  # type: ignore[misc]
            epochs = finished_epochs(runs)
        moment = chance.uniform(0, EARLY_SECONDS) if early else chance.uniform(EARLY_SECONDS, 10)
        if (killed_at := kill_at_age(kind, moment, runs)) is not None:
            deaths.append((kind, killed_at))
            sys.stdout.write(f"{kind} killed at {killed_at:.2f} s\n")
            sys.stdout.flush()
    return deaths


def finished_epochs(runs: list[Run]) -> int:
    return sum(len(run.history) for run in runs)


def main(kills: int, runs: int) -> None:
    """So many kills over so many runs of all families, each bit for bit like a twin that was left alone."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ |= {"SCALP_DATA": str(folder / "data"), "SCALP_ARTIFACTS": str(folder / "artifacts")}
        (folder / "artifacts").mkdir()
        make_dataset("tiny", 48, 0, processes=2)
        recipes = [
            replace(RECIPE, architecture=FAMILIES[number % len(FAMILIES)], image_size=64, epochs=4, seed=number)
            for number in range(runs)
        ]
        twins = [uninterrupted(recipe)[0] for recipe in recipes]
        watch = Watch()
        watch.start()
        killed = [create_run(recipe) for recipe in recipes]
        deaths = kill_in_turn(kills, killed, folder / "server.txt")
        worker.ensure()
        until(lambda: not any(run.state.active or run.locked for run in killed), 3 * _PATIENCE)
        watch.stopped.set()
        for process_id in living("server"):
            os.kill(process_id, signal.SIGKILL)
        for twin, run in zip(twins, killed, strict=True):
            assert run.finished, run.error
            assert_same_outcome(twin, run)
            assert_nothing_left(run, folder / "data")
        kinds, early = Counter(kind for kind, _ in deaths), sum(killed_at < EARLY_SECONDS for _, killed_at in deaths)
        sys.stdout.write(
            f"{len(killed)} runs bit for bit like their twins after {len(deaths)} kills {dict(kinds)}, {early} within "
            f"{EARLY_SECONDS:.0f} s. Training processes: {len(watch.started)}, at most {watch.most_at_once} at once\n"
        )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(int(sys.argv[1]), int(sys.argv[2]))
