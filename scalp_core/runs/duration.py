"""How long a recipe will take on this machine, from speeds measured here once. Knows no torch and no network.

A process of its own learns from a few blank batches; what it finds is remembered in `artifacts/.speeds.json`.
"""

import json
import math
import os
import platform
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from scalp_core import images
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.files import read_json, write_json
from scalp_core.images import Preprocessing
from scalp_core.paths import ROOT, artifacts_folder
from scalp_core.processes import command, environment
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import not_writable
from scalp_core.runs.store import check_recipe

_SAMPLE = 8  # pictures that are read to see how long it takes
_LEARNED_BATCHES, _GRADED_BATCHES = 4, 3  # that the measuring process works through
_NICENESS = 10  # as the runner's trainings have it
# Tracing a network for its export is a single thread of Python at work, as importing torch is: of the five families the
# smallest take 0.8 to 1.8 times as long.
_EXPORT_IN_STARTS = 1.5
_EPOCH_OVERHEAD = 0.3  # seconds an epoch that are not spent on pictures: report, history, checkpoint


class Piece(NamedTuple):
    """One stretch of a training."""

    what: Text
    seconds: float


@dataclass(frozen=True)
class Speed:
    """How fast this machine is.

    Attributes:
        prepared, learned, graded: pictures a second that are read and resized, learned from, graded.
        start: seconds until a training process has its network.
        measured: UTC, ISO 8601.
    """

    prepared: float
    learned: float
    graded: float
    start: float
    measured: str

    def __post_init__(self) -> None:
        speeds = (self.prepared, self.learned, self.graded, self.start)
        if not all(0 < speed < math.inf for speed in speeds):  # nor does NaN pass
            raise ValueError(f"no speed: {self}")


@dataclass(frozen=True)
class DurationEstimate:
    """How long a training takes, piece by piece.

    Attributes:
        measured: when the speeds were, UTC, ISO 8601.
        may_end_early: all epochs are counted, but the recipe stops when nothing gets better.
    """

    pieces: tuple[Piece, ...]
    measured: str
    may_end_early: bool

    @property
    def seconds(self) -> float:
        return sum(piece.seconds for piece in self.pieces)

    @property
    def text(self) -> Text:
        """“about 12 min, less if it stops early”."""
        about = duration(self.seconds)
        if not self.may_end_early:
            return about
        return Text(f"{about.en}, less if it stops early", f"{about.ko}, 일찍 멈추면 더 짧음")


def duration(seconds: float) -> Text:
    """“about 40 s”, “about 12 min”, “about 3 h 20 min”: as coarse as an estimate is."""
    if seconds < 90:
        rounded = max(5, 5 * round(seconds / 5))
        return Text(f"about {rounded} s", f"약 {rounded}초")
    if seconds < 90 * 60:
        minutes = round(seconds / 60)
        return Text(f"about {minutes} min", f"약 {minutes}분")
    hours, minutes = divmod(10 * round(seconds / 600), 60)
    if not minutes:
        return Text(f"about {hours} h", f"약 {hours}시간")
    return Text(f"about {hours} h {minutes} min", f"약 {hours}시간 {minutes}분")


def estimate(recipe: Recipe) -> DurationEstimate | None:
    """How long it takes; None where the like of it was never measured on this machine.

    Raises:
        ScalpError: there is no such data set.
    """
    speed = _remembered().get(_key(recipe))
    return None if speed is None else at(recipe, speed)


def measure(recipe: Recipe) -> DurationEstimate:
    """Measure how fast this machine is at it, some ten seconds for the smaller networks, and remember it.

    Raises:
        ScalpError: the recipe cannot be trained, the measuring process failed (its last line is in the message), or
            what was measured cannot be written down.
    """
    check_recipe(recipe)
    speed = _measured(recipe)
    speeds = _remembered() | {_key(recipe): speed}
    try:
        write_json(_path(), {key: asdict(one) for key, one in speeds.items()})
    except OSError as error:
        raise not_writable(error) from error
    return at(recipe, speed)


# ---- arithmetic ----


def at(recipe: Recipe, speed: Speed) -> DurationEstimate:
    """What a recipe takes at such speeds, if it trains all its epochs and finds only the pictures prepared."""
    dataset = open_dataset(recipe.data)
    parts = dataset.column("part").value_counts()
    valid, graded = int(parts.get("valid", 0)), dataset.images - int(parts.get("train", 0))
    unprepared = 0 if _is_prepared(dataset, recipe) else dataset.images
    head_alone = recipe.learns == "head"
    pieces = (
        Piece(Text("start", "시작"), speed.start),
        Piece(Text("preparing pictures", "사진 준비"), unprepared / speed.prepared),
        Piece(Text("features", "특징 계산"), dataset.images / speed.graded if head_alone else 0.0),
        Piece(
            Text(f"{recipe.epochs} epochs", f"{recipe.epochs}에폭"),
            recipe.epochs * _EPOCH_OVERHEAD
            + (0.0 if head_alone else _epochs(recipe, speed, int(parts.get("train", 0)), valid)),
        ),
        Piece(Text("grading", "평가"), 0.0 if head_alone else graded / speed.graded),
        Piece(Text("export", "내보내기"), _EXPORT_IN_STARTS * speed.start),
    )
    return DurationEstimate(tuple(piece for piece in pieces if piece.seconds), speed.measured, bool(recipe.patience))


def _epochs(recipe: Recipe, speed: Speed, pictures: int, valid: int) -> float:
    """Seconds of all epochs, in which pictures pass through the whole network."""
    steps = max(1, pictures // recipe.batch_size)  # the last, smaller batch is left out
    learned = min(pictures, steps * recipe.batch_size)
    frozen = min(recipe.frozen_epochs, recipe.epochs)  # a backbone that stands still does what grading does
    return (
        frozen * learned / speed.graded
        + (recipe.epochs - frozen) * learned / speed.learned
        + recipe.epochs * valid / speed.graded
    )


def _is_prepared(dataset: Dataset, recipe: Recipe) -> bool:
    """Pictures of this size lie there (`learning.pixel_cache`); which interpolation it takes only timm knows."""
    return any((dataset.folder / "cache").glob(f"{recipe.image_size}x{recipe.image_size}-*.npy"))


# ---- what is remembered ----


def _path() -> Path:
    return artifacts_folder() / ".speeds.json"


def _remembered() -> dict[str, Speed]:
    try:
        return {key: Speed(**values) for key, values in read_json(_path()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):  # somebody broke it: no loss, it is measured again
        return {}


def _key(recipe: Recipe) -> str:
    """What decides the speed: of the recipe, of torch, and of the machine, as folders are copied to others."""
    facts = {
        "architecture": recipe.architecture,
        "image_size": recipe.image_size,
        "batch_size": recipe.batch_size,
        "conditions": len(recipe.conditions),
        "precision": recipe.precision,
        "augmentation": recipe.augmentation,
        "average": recipe.ema > 0,
        "torch": version("torch"),
        "host": platform.node(),
        "cores": os.cpu_count(),
        "gpus": sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*")),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    return json.dumps(facts)


# ---- measuring ----


def _measured(recipe: Recipe) -> Speed:
    started = time.monotonic()
    told = _ask_process(recipe)
    whole = time.monotonic() - started
    batches = _LEARNED_BATCHES / told["learned"] + _GRADED_BATCHES / told["graded"]
    return Speed(
        prepared=_prepared_a_second(open_dataset(recipe.data), recipe.image_size),
        learned=told["learned"],
        graded=told["graded"],
        start=max(0.1, whole - recipe.batch_size * batches),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _ask_process(recipe: Recipe) -> Mapping[str, float]:
    """Pictures a second, `learned` and `graded`, from the process that has torch."""
    done = subprocess.run(
        command("speed"),
        input=json.dumps(asdict(recipe)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        preexec_fn=partial(os.nice, _NICENESS),
        check=False,
    )
    if done.returncode:
        raise _not_measured(recipe, done.returncode, done.stderr)
    told: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _not_measured(recipe: Recipe, code: int, errors: str) -> ScalpError:
    reason = (errors.strip().splitlines() or [f"exit code {code}"])[-1]
    if code < 0:  # by the kernel, most often, where memory ran out
        reason = f"{signal.Signals(-code).name}, batch_size {recipe.batch_size}, image_size {recipe.image_size}"
    return ScalpError(
        "not_measured",
        f"How fast this machine trains {recipe.architecture} could not be measured: {reason}",
        f"이 컴퓨터에서 {recipe.architecture} 학습 속도를 측정하지 못했어요: {reason}",
    )


def _prepared_a_second(dataset: Dataset, size: int) -> float:
    """Pictures a second that are read and resized, by as many threads as there are cores."""
    wanted = Preprocessing(size, size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bicubic", reduced=True)
    ids = dataset.column("id")
    sample = ids.iloc[:: max(1, len(ids) // _SAMPLE)].iloc[:_SAMPLE]
    started = time.monotonic()
    for image_id in sample:
        images.seen(dataset.read(str(image_id)), wanted)
    return len(sample) / (time.monotonic() - started) * (os.cpu_count() or 1)
