"""Estimates of how long a recipe will train on this machine, from speeds measured here once.

A separate process learns from a few blank batches; the speeds are kept in `artifacts/.speeds.json`.
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
from scalp_core.images import Preprocessing
from scalp_core.paths import ROOT, artifacts_folder
from scalp_core.processes import command, environment
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import not_writable
from scalp_core.runs.store import check_recipe
from scalp_core.runs.training_labels import learned_pictures_count
from scalp_core.seals import read_sealed_json, write_sealed_json

_SAMPLE = 8  # pictures that are read to time it
_LEARNED_BATCHES, _GRADED_BATCHES = 4, 3  # that the measuring process works through
_NICENESS = 10  # as of the worker's trainings
# Tracing a network for its export is a single thread of Python at work, as importing torch is: 0.4 to 1.0 s of the five
# smallest, where a start takes about 6.
_EXPORT_IN_STARTS = 0.15
_EPOCH_OVERHEAD = 0.3  # seconds an epoch that are not spent on pictures: report, history, checkpoint


class Stage(NamedTuple):
    """One stage of a training."""

    name: Text
    seconds: float


@dataclass(frozen=True)
class Speed:
    """Speeds of this machine.

    Attributes:
        prepared: pictures a second that are read and resized.
        learned: pictures a second that are learned from.
        graded: pictures a second that are graded.
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
    """The duration of a training, by stage.

    Attributes:
        measured: time at which the speeds were measured, UTC, ISO 8601.
        may_end_early: all epochs are counted, but the recipe stops when nothing gets better.
    """

    stages: tuple[Stage, ...]
    measured: str
    may_end_early: bool

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    @property
    def text(self) -> Text:
        """The duration in words: “about 12 min, less if it stops early”."""
        about = duration(self.seconds)
        if not self.may_end_early:
            return about
        return Text(f"{about.en}, less if it stops early", f"{about.ko}, 일찍 멈추면 더 짧음")


def duration(seconds: float) -> Text:
    """Word a duration: “about 40 s”, “about 12 min”, “about 3 h 20 min”."""
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
    """Estimate the duration of a recipe; None where no such recipe was measured on this machine.

    Raises:
        ScalpError: there is no such dataset.
    """
    speed = _stored_speeds().get(_key(recipe))
    return None if speed is None else estimate_at(recipe, speed)


def measure(recipe: Recipe) -> DurationEstimate:
    """Measure how fast this machine is at a recipe, and keep it; some ten seconds for the smaller networks.

    Raises:
        ScalpError: the recipe cannot be trained, the measuring process failed (its last line is in the message), or
            the speeds cannot be written.
    """
    check_recipe(recipe)
    speed = _measure_speed(recipe)
    speeds = _stored_speeds() | {_key(recipe): speed}
    try:
        write_sealed_json(_path(), {key: asdict(stored) for key, stored in speeds.items()})
    except OSError as error:
        raise not_writable(error) from error
    return estimate_at(recipe, speed)


# ---- arithmetic ----


def estimate_at(recipe: Recipe, speed: Speed) -> DurationEstimate:
    """Estimate the duration of a recipe at given speeds, if it trains all its epochs."""
    dataset = open_dataset(recipe.data)
    parts, learned = dataset.column("part").value_counts(), learned_pictures_count(recipe)[0]
    valid, graded = int(parts.get("valid", 0)), dataset.images - int(parts.get("train", 0))
    unprepared = 0 if _is_prepared(dataset, recipe) else dataset.images
    head_alone = recipe.learns == "head"
    stages = (
        Stage(Text("start", "시작"), speed.start),
        Stage(Text("preparing pictures", "사진 준비"), unprepared / speed.prepared),
        Stage(Text("features", "특징 계산"), dataset.images / speed.graded if head_alone else 0.0),
        Stage(
            Text(f"{recipe.epochs} epochs", f"{recipe.epochs}에폭"),
            recipe.epochs * _EPOCH_OVERHEAD + (0.0 if head_alone else _epochs(recipe, speed, learned, valid)),
        ),
        Stage(Text("grading", "평가"), 0.0 if head_alone else graded / speed.graded),
        Stage(Text("export", "내보내기"), _EXPORT_IN_STARTS * speed.start),
    )
    return DurationEstimate(tuple(stage for stage in stages if stage.seconds), speed.measured, bool(recipe.patience))


def _epochs(recipe: Recipe, speed: Speed, pictures: int, valid: int) -> float:
    """Return the seconds of all epochs, in which pictures pass through the whole network."""
    steps = max(1, pictures // recipe.batch_size)  # the last, smaller batch is left out
    learned = min(pictures, steps * recipe.batch_size)
    frozen = min(recipe.frozen_epochs, recipe.epochs)  # a backbone that stands still does what grading does
    return (
        frozen * learned / speed.graded
        + (recipe.epochs - frozen) * learned / speed.learned
        + recipe.epochs * valid / speed.graded
    )


def _is_prepared(dataset: Dataset, recipe: Recipe) -> bool:
    """Tell whether pictures of this size are cached (`learning.pixel_cache`), with any interpolation."""
    return any((dataset.folder / "cache").glob(f"{recipe.image_size}x{recipe.image_size}-*.npy"))


# ---- stored speeds ----


def _path() -> Path:
    return artifacts_folder() / ".speeds.json"


def _stored_speeds() -> dict[str, Speed]:
    try:
        return {key: Speed(**values) for key, values in read_sealed_json(_path()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):  # damaged: no loss, it is measured again
        return {}


def _key(recipe: Recipe) -> str:
    """Return all that decides the speed: of the recipe, of torch, and of the machine, as folders may be copied."""
    facts = {
        "architecture": recipe.architecture,
        "image_size": recipe.image_size,
        "batch_size": recipe.batch_size,
        "conditions": len(recipe.conditions),
        "precision": recipe.precision,
        "augmentation": recipe.augmentation_of(open_dataset(recipe.data).synthetic),
        "average": recipe.ema > 0,
        "torch": version("torch"),
        "host": platform.node(),
        "cores": os.cpu_count(),
        "gpus": sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*")),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }
    return json.dumps(facts)


# ---- measuring ----


def _measure_speed(recipe: Recipe) -> Speed:
    started = time.monotonic()
    rates = _run_measuring_process(recipe)
    seconds = time.monotonic() - started
    batches = _LEARNED_BATCHES / rates["learned"] + _GRADED_BATCHES / rates["graded"]
    return Speed(
        prepared=_preparing_rate(open_dataset(recipe.data), recipe.image_size),
        learned=rates["learned"],
        graded=rates["graded"],
        start=max(0.1, seconds - recipe.batch_size * batches),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _run_measuring_process(recipe: Recipe) -> Mapping[str, float]:
    """Return pictures a second, `learned` and `graded`, from the process that has torch."""
    process = subprocess.run(
        command("speed"),
        input=json.dumps(asdict(recipe)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        preexec_fn=partial(os.nice, _NICENESS),
        check=False,
    )
    if process.returncode:
        raise _not_measured(recipe, process.returncode, process.stderr)
    rates: Mapping[str, float] = json.loads(process.stdout.splitlines()[-1])
    return rates


def _not_measured(recipe: Recipe, code: int, errors: str) -> ScalpError:
    reason = (errors.strip().splitlines() or [f"exit code {code}"])[-1]
    if code < 0:  # by the kernel, most often, where memory ran out
        reason = f"{signal.Signals(-code).name}, batch_size {recipe.batch_size}, image_size {recipe.image_size}"
    return ScalpError(
        "not_measured",
        f"Training speed of {recipe.architecture} on this machine could not be measured: {reason}",
        f"이 컴퓨터에서 {recipe.architecture} 학습 속도를 측정하지 못했어요: {reason}",
    )


def _preparing_rate(dataset: Dataset, size: int) -> float:
    """Measure the pictures a second that are read and resized, by as many threads as there are cores."""
    preprocessing = Preprocessing(size, size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bicubic", reduced=True)
    ids = dataset.column("id")
    sample = ids.iloc[:: max(1, len(ids) // _SAMPLE)].iloc[:_SAMPLE]
    started = time.monotonic()
    for image_id in sample:
        images.preprocess(dataset.read(str(image_id)), preprocessing)
    return len(sample) / (time.monotonic() - started) * (os.cpu_count() or 1)
