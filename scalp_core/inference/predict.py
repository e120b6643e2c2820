"""The single prediction path of page, REST and bulk: a picture in, six gradings out. Imports no torch."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from scalp_core import images
from scalp_core.errors import ScalpError
from scalp_core.images import Picture
from scalp_core.inference import input_gate, session
from scalp_core.inference.input_gate import Gate, Reason
from scalp_core.inference.session import Floats, Outputs
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, Condition, ScalpType, Severity, scalp_type
from scalp_core.metrics.operating_point import Decision, OperatingPoint, PerGrade, per_grade
from scalp_core.runs.champions import champions
from scalp_core.runs.runs import Run, Serving

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
    evidence: Floats
    run: Run


@dataclass(frozen=True)
class Answer:
    """All that is said about one picture.

    Attributes:
        picture: as the run that answers most conditions saw it, perhaps with fewer pixels than the file has.
        reasons: why it should not be graded; empty where nothing speaks against it, None where nobody checked, because
            that run has no gate.
        features: (C,) of each run: the mean of the feature map that its evidence is made of.
    """

    picture: Picture
    gradings: dict[Condition, Grading]
    scalp_type: ScalpType
    reasons: tuple[Reason, ...] | None
    features: Mapping[Run, Floats]

    @property
    def main(self) -> Run:
        """The run that answered most conditions; the first of several."""
        return _main(grading.run for grading in self.gradings.values())

    @property
    def gradable(self) -> bool | None:
        """None where nobody checked."""
        return None if self.reasons is None else not self.reasons


@dataclass(frozen=True)
class Graders:
    """The run that grades each condition and how it decides, as both stood at one moment.

    Whoever is promoted and whatever is fitted afterwards changes nothing of it, so that a table of many pictures is
    graded alike from the first to the last.

    Attributes:
        gate: of the run that answers most conditions.
    """

    runs: Mapping[Condition, Run]
    points: Mapping[Run, OperatingPoint]
    serving: Mapping[Run, Serving]
    gate: Gate | None

    @property
    def main(self) -> Run:
        """The run that answers most conditions; the first of several."""
        return _main(self.runs.values())

    def load(self) -> None:
        """Load, and export where needed, every run of them, so that `grade` has nothing left to fail at.

        Raises:
            ScalpError: a run is damaged, or cannot be exported.
        """
        for run, serving in self.serving.items():
            session.load(run, serving)

    def grade(self, data: bytes, threshold: int = DEFAULT_THRESHOLD) -> Answer:
        """All that they say about the picture in these bytes. A run that answers for several conditions sees it once.

        Raises:
            ScalpError: not a picture, too large; a run is damaged, or cannot be exported; the threshold is not 1, 2, 3.
        """
        networks = {run: session.load(run, serving) for run, serving in self.serving.items()}
        # Each run's pixels depend on that run alone: it answers the same whoever answers beside it.
        least = {run: network.preprocessing.least for run, network in networks.items()}
        decoded = {one: images.decode(data, one) for one in set(least.values())}
        passes = session.side_by_side(lambda run: networks[run].answer(decoded[least[run]].pixels), networks)
        outputs = dict(zip(networks, passes, strict=True))
        known = {run: _gradings(run, self.points[run], said) for run, said in outputs.items()}
        gradings = {condition: known[run][condition] for condition, run in self.runs.items()}
        grades = {condition: int(grading.grade) for condition, grading in gradings.items()}
        features = {run: said.features for run, said in outputs.items()}
        picture = decoded[least[self.main]]
        reasons = self.gate.check(picture, features[self.main]) if self.gate else None
        return Answer(picture, gradings, scalp_type(grades, threshold), reasons, features)


def _main(runs: Iterable[Run]) -> Run:
    return Counter(runs).most_common(1)[0][0]


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
    several = dict.fromkeys(runs.values())
    points = {one: one.operating_point for one in several}
    chosen = Graders(runs, points, {one: one.serving for one in several}, None)
    return replace(chosen, gate=_gate_of(chosen.main))


def _gate_of(run: Run) -> Gate | None:
    return input_gate.read(run.gate_path, run.manifest["files"]["model.safetensors"])


def _no_model() -> ScalpError:
    return ScalpError(
        "no_model",
        "No finished run answers for this yet. Train one from the sidebar or with python -m training.train.",
        "이 증상의 등급을 추정할 완료된 실행이 없어요. 사이드바나 python -m training.train으로 학습하세요.",
    )


def _not_graded(run: Run, conditions: Sequence[Condition]) -> ScalpError:
    en, ko = (", ".join(condition.text(language) for condition in conditions) for language in ("en", "ko"))
    return ScalpError(
        "not_graded",
        f"Run “{run.id}” does not grade “{en}”.",
        f"“{run.id}” 실행은 ‘{ko}’의 등급을 추정하지 않아요.",
    )


def grade(data: bytes, conditions: Sequence[Condition] = CONDITIONS, threshold: int = DEFAULT_THRESHOLD) -> Answer:
    """Grade the picture in these bytes with the champion of each condition; see `graders`.

    Raises:
        ScalpError: not a picture, too large, or `no_model` when no run answers any of the conditions.
    """
    return graders(conditions).grade(data, threshold)


def answer_by(run: Run, data: bytes) -> dict[Condition, Grading]:
    """What this run says of a picture, champion or not: all conditions that its network knows, in one pass.

    Raises:
        ScalpError: not a picture, too large; the run is damaged, or cannot be exported.
    """
    return graders(run=run).grade(data).gradings


def _gradings(run: Run, point: OperatingPoint, said: Outputs) -> dict[Condition, Grading]:
    return {
        condition: _grading(
            run, condition, point.decision(condition), said.probabilities[number], said.evidence[number]
        )
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


def warm() -> list[Run]:
    """Load (and export where needed) every run that answers, so that the first request does not wait."""
    if not champions():
        return []
    answering = graders()
    answering.load()
    return list(answering.points)
