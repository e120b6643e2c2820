"""The single prediction path of page, REST and bulk: a picture in, six gradings out. Imports no torch.

A run answers through its ONNX export, made once in a process of its own.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import onnxruntime

from scalp_core import images, runner
from scalp_core.champions import champions
from scalp_core.errors import ScalpError
from scalp_core.images import Picture
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, Condition, ScalpType, Severity, scalp_type
from scalp_core.operating_point import Decision, OperatingPoint, PerGrade, per_grade
from scalp_core.runs import Run

INTENDED_USE = "research_only"


@dataclass(frozen=True)
class Grading:
    """One condition of one picture.

    Attributes:
        grade: decided at the run's operating point.
        grade_set: lowest and highest grade that the truth lies between in 90 of 100 pictures; None where the operating
            point was not fitted, so that nothing can be promised.
        probabilities: of grades 0–3, sum 1, calibrated.
        evidence: (4, h, w) float32 over the whole picture; the mean of each map is the network's logit of that
            grade, exactly, before calibration.
    """

    condition: Condition
    grade: Severity
    grade_set: tuple[Severity, Severity] | None
    probabilities: PerGrade
    evidence: npt.NDArray[np.float32]
    run: Run


@dataclass(frozen=True)
class Answer:
    """All that is said about one picture."""

    picture: Picture
    gradings: dict[Condition, Grading]
    scalp_type: ScalpType


@dataclass(frozen=True)
class Graders:
    """The run that grades each condition and how it decides, as both stood at one moment.

    Whoever is promoted and whatever is fitted afterwards changes nothing of it, so that a table of many pictures is
    graded alike from the first to the last.
    """

    runs: Mapping[Condition, Run]
    points: Mapping[Run, OperatingPoint]

    def load(self) -> None:
        """Load, and export where needed, every run of them, so that `answer` has nothing left to fail at.

        Raises:
            ScalpError: a run is damaged, or cannot be exported.
        """
        for run in self.points:
            _answering(run)

    def answer(self, picture: Picture, threshold: int = DEFAULT_THRESHOLD) -> Answer:
        """All that they say about a picture. Runs that answer for several conditions are passed through once.

        Raises:
            ScalpError: a run is damaged, or cannot be exported; the threshold is not 1, 2 or 3.
        """
        known = {run: _gradings(run, point, picture) for run, point in self.points.items()}
        gradings = {condition: known[run][condition] for condition, run in self.runs.items()}
        grades = {condition: int(grading.grade) for condition, grading in gradings.items()}
        return Answer(picture, gradings, scalp_type(grades, threshold))


def graders(conditions: Sequence[Condition] = CONDITIONS, run: Run | None = None) -> Graders:
    """Who answers for these conditions now; those that nobody answers for are left out.

    Args:
        run: finished; answers in place of the champions.

    Raises:
        ScalpError: `no_model` when no run answers any of the conditions, `not_graded` when `run` grades none of them.
    """
    if run:
        answering = dict.fromkeys(run.recipe.conditions, run)
    else:
        answering = {condition: champion.run for condition, champion in champions().items()}
    runs = {condition: answering[condition] for condition in conditions if condition in answering}
    if not runs:
        raise _not_graded(run, conditions) if run else _no_model()
    return Graders(runs, {one: one.operating_point for one in runs.values()})


def _no_model() -> ScalpError:
    return ScalpError(
        "no_model",
        "No finished run answers for this yet. Train one from the sidebar or with python -m training.train.",
        "이 증상의 등급을 추정할 완료된 실행이 없습니다. 사이드바나 python -m training.train으로 학습하십시오.",
    )


def _not_graded(run: Run, conditions: Sequence[Condition]) -> ScalpError:
    en, ko = (", ".join(condition.text(language) for condition in conditions) for language in ("en", "ko"))
    return ScalpError(
        "not_graded",
        f"Run “{run.id}” does not grade “{en}”.",
        f"“{run.id}” 실행은 ‘{ko}’의 등급을 추정하지 않습니다.",
    )


def grade(data: bytes, conditions: Sequence[Condition] = CONDITIONS, threshold: int = DEFAULT_THRESHOLD) -> Answer:
    """Grade the picture in these bytes with the champion of each condition; see `graders`.

    Raises:
        ScalpError: not a picture, too large, or `no_model` when no run answers any of the conditions.
    """
    picture = images.decode(data)
    return graders(conditions).answer(picture, threshold)


def answer_by(run: Run, picture: Picture) -> dict[Condition, Grading]:
    """What this run says of a picture, champion or not: all conditions that its network knows, in one pass.

    Raises:
        ScalpError: the run is damaged, or cannot be exported.
    """
    # Read anew each time: it may be replaced while the network stays loaded.
    return _gradings(run, run.operating_point, picture)


def _gradings(run: Run, point: OperatingPoint, picture: Picture) -> dict[Condition, Grading]:
    said, evidence = _answering(run).answer(picture.pixels)
    return {
        condition: _grading(run, condition, point.decision(condition), said[number], evidence[number])
        for number, condition in enumerate(run.recipe.conditions)
    }


def _grading(
    run: Run,
    condition: Condition,
    decision: Decision,
    said: npt.NDArray[np.float32],
    evidence: npt.NDArray[np.float32],
) -> Grading:
    """What one condition's decision makes of the network's probabilities (4,)."""
    calibrated = decision.calibrated(said)
    low, high = decision.grade_set(calibrated)
    return Grading(
        condition=condition,
        grade=Severity(int(decision.grade(calibrated))),
        grade_set=(Severity(int(low)), Severity(int(high))) if decision.fitted else None,
        probabilities=per_grade(calibrated),
        evidence=evidence,
        run=run,
    )


class _Network:
    """A run's export, loaded."""

    def __init__(self, run: Run) -> None:
        run.verify()
        if not run.exported:
            runner.export(run)
        options = onnxruntime.SessionOptions()
        # One thread a picture and as many pictures as cores: more only take turns under load.
        options.intra_op_num_threads = 1
        self.preprocessing = run.preprocessing
        self.session = onnxruntime.InferenceSession(run.export_path, options, providers=["CPUExecutionProvider"])

    def answer(self, pixels: images.Pixels) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Probabilities (conditions, 4) and evidence (conditions, 4, h, w) of one picture."""
        batch = images.resize(pixels, self.preprocessing)[np.newaxis]
        probabilities, evidence = self.session.run(["probabilities", "evidence"], {"pixels": batch})
        return probabilities[0], evidence[0]


# Loading twice at once would only cost memory; the lock makes the second caller wait for the first.
_LOADING = threading.Lock()


def _answering(run: Run) -> _Network:
    with _LOADING:
        # A finished run's network never changes, but one made anew under the same name is another one.
        return _load(run, run.finished_ns)


@lru_cache(maxsize=8)
def _load(run: Run, _finished_ns: int) -> _Network:
    return _Network(run)


def warm() -> list[Run]:
    """Load (and export where needed) every run that answers, so that the first request does not wait."""
    runs = list(dict.fromkeys(champion.run for champion in champions().values()))
    for run in runs:
        _answering(run)
    return runs


def time_of_grading(run: Run, repeats: int = 15) -> float:
    """Milliseconds that a run needs for one picture on one core, decoded already: the median of some."""
    network = _answering(run)
    frame = np.zeros((480, 640, 3), dtype=np.uint8)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        network.answer(frame)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds))
