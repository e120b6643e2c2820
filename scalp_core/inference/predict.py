"""The single prediction path of dashboard, REST and batches: a picture in, six gradings out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scalp_core import images
from scalp_core.errors import ScalpError, Text
from scalp_core.images import Picture
from scalp_core.inference import input_gate, session
from scalp_core.inference.input_gate import Gate, Reason
from scalp_core.inference.session import Floats, Outputs
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, Condition, ScalpType, Severity, scalp_type
from scalp_core.metrics.operating_point import Decision, OperatingPoint, PerGrade, per_grade
from scalp_core.runs.champions import champions, left_out, passed_over, split_readable
from scalp_core.runs.run import Run, Serving
from scalp_core.runs.store import list_runs

INTENDED_USE = "research_only"


@dataclass(frozen=True)
class Grading:
    """One condition of one picture.

    Attributes:
        grade: decided at the run's operating point.
        grade_set: lowest and highest grade, between which the truth lies in 90 % of pictures; None where the operating
            point was not fitted.
        refer: whether the grade is left to a person, as the risk of a far error is too high; None where the operating
            point sets no limit.
        probabilities: of grades 0–3, sum 1, calibrated.
        evidence: (4, h, w) float32 over the whole picture; the mean of each map is the network's logit of that
            grade, exactly, before calibration.
    """

    condition: Condition
    grade: Severity
    grade_set: tuple[Severity, Severity] | None
    refer: bool | None
    probabilities: PerGrade
    evidence: Floats
    run: Run


@dataclass(frozen=True)
class Answer:
    """The gradings of one picture, and whether it should have been graded.

    Attributes:
        picture: as the run that answers most conditions saw it, perhaps with fewer pixels than the file has.
        reasons: why it should not be graded or is marked; empty for a usual picture, None where that run has no gate.
        features: (C,) of each run: the mean of the feature map that its evidence is computed from.
    """

    picture: Picture
    gradings: dict[Condition, Grading]
    scalp_type: ScalpType
    reasons: tuple[Reason, ...] | None
    features: Mapping[Run, Floats]

    @property
    def main(self) -> Run:
        """The run that answered most conditions; the first of several."""
        return _most_frequent(grading.run for grading in self.gradings.values())

    @property
    def refusals(self) -> tuple[Reason, ...]:
        """The reasons that speak against grading."""
        return tuple(reason for reason in self.reasons or () if reason.refuses)

    @property
    def remarks(self) -> tuple[Reason, ...]:
        """The reasons that mark the picture without speaking against grading."""
        return tuple(reason for reason in self.reasons or () if not reason.refuses)

    @property
    def gradable(self) -> bool | None:
        """Whether the gate lets the picture through; None without a gate."""
        return None if self.reasons is None else not self.refusals

    @property
    def unusual(self) -> bool | None:
        """Whether the gate marks the picture; None without a gate."""
        return None if self.reasons is None else bool(self.remarks)


@dataclass(frozen=True)
class Graders:
    """The run that grades each condition and how it decides, as both stood at one moment.

    Later promotions and fits change nothing of it, so that a table of many pictures is graded alike from the first to
    the last.

    Attributes:
        runs: by condition.
        points: operating point of each run.
        serving: short cuts of each run.
        gate: of the run that answers most conditions.
    """

    runs: Mapping[Condition, Run]
    points: Mapping[Run, OperatingPoint]
    serving: Mapping[Run, Serving]
    gate: Gate | None

    @property
    def main(self) -> Run:
        """The run that answers most conditions; the first of several."""
        return _most_frequent(self.runs.values())

    def load(self) -> None:
        """Load every run, and export it where needed, so that `grade` can only fail on pictures.

        Raises:
            ScalpError: a run is damaged, or cannot be exported.
        """
        if all(run.exported for run in self.serving):
            session.map_concurrently(lambda network: session.load(*network), self.serving.items())
            return
        for run, serving in self.serving.items():  # an export takes half a minute, and pictures go on being graded
            session.load(run, serving)

    def grade(self, data: bytes, threshold: int = DEFAULT_THRESHOLD) -> Answer:
        """Grade the picture in these bytes. A run that answers for several conditions sees it once.

        Raises:
            ScalpError: not a picture, too large; a run is damaged, or cannot be exported; the threshold is not 1, 2, 3.
        """
        networks = {run: session.load(run, serving) for run, serving in self.serving.items()}
        # Each run's pixels depend on that run alone: it answers the same whichever runs answer beside it.
        least = {run: network.preprocessing.least for run, network in networks.items()}
        decoded = {size: images.decode(data, size) for size in set(least.values())}
        passes = session.map_concurrently(lambda run: networks[run].answer(decoded[least[run]].pixels), networks)
        outputs = dict(zip(networks, passes, strict=True))
        by_run = {run: _gradings(run, self.points[run], run_outputs) for run, run_outputs in outputs.items()}
        gradings = {condition: by_run[run][condition] for condition, run in self.runs.items()}
        grades = {condition: int(grading.grade) for condition, grading in gradings.items()}
        features = {run: run_outputs.features for run, run_outputs in outputs.items()}
        picture = decoded[least[self.main]]
        reasons = self.gate.check(picture) if self.gate else None
        return Answer(picture, gradings, scalp_type(grades, threshold), reasons, features)


def _most_frequent(runs: Iterable[Run]) -> Run:
    return Counter(runs).most_common(1)[0][0]


def graders(conditions: Sequence[Condition] = CONDITIONS, run: Run | None = None) -> Graders:
    """Return the runs that answer for these conditions now; conditions without such a run are left out.

    Args:
        run: finished; answers in place of the champions.

    Raises:
        ScalpError: `no_model` when no run answers any of the conditions, `not_graded` when `run` grades none of them.
    """
    if run:
        run.check_exportable()
        answering = dict.fromkeys(run.recipe.conditions, run)
    else:
        answering = {condition: champion.run for condition, champion in champions().items()}
    runs = {condition: answering[condition] for condition in conditions if condition in answering}
    if not runs:
        raise not_graded(run, conditions) if run else no_model()
    distinct = dict.fromkeys(runs.values())
    points = {each: each.operating_point for each in distinct}
    main = _most_frequent(runs.values())
    gate = input_gate.read(main.gate_path, main.manifest["files"]["model.safetensors"])
    return Graders(runs, points, {each: each.serving for each in distinct}, gate)


NO_MODEL = Text(
    "No run is in use for this yet. Train one from the sidebar or with python -m training.train.",
    "이 증상의 등급을 추정할 실행이 아직 없어요. 사이드바나 python -m training.train으로 학습하세요.",
)
_PROMOTE = Text(
    "To use such a run, promote it on the page Training runs.",
    "그래도 사용하려면 ‘학습 실행’ 페이지에서 지정하세요.",
)


def no_model() -> ScalpError:
    """Return the error that no run answers for the conditions; it names those that might have, and why they do not."""
    readable, damaged = split_readable(run for run in list_runs() if run.finished)
    errors = [run.no_export(failure) for run in readable if (failure := run.export_failure)]
    errors += [*damaged.values(), *left_out()]
    reasons = list(dict.fromkeys(error.text for error in errors))
    if waiting := passed_over():
        reasons += [*(passed.text for passed in waiting.values()), _PROMOTE]
    texts = [NO_MODEL, *reasons]
    return ScalpError("no_model", " ".join(text.en for text in texts), " ".join(text.ko for text in texts))


def not_graded(run: Run, conditions: Sequence[Condition]) -> ScalpError:
    """Return the error that a run grades none of these conditions."""
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


def grade_with_run(run: Run, data: bytes) -> dict[Condition, Grading]:
    """Grade a picture with this run, champion or not: all conditions that its network grades, in one pass.

    Raises:
        ScalpError: not a picture, too large; the run is damaged, or cannot be exported.
    """
    return graders(run=run).grade(data).gradings


def _gradings(run: Run, point: OperatingPoint, outputs: Outputs) -> dict[Condition, Grading]:
    return {
        condition: _grading(
            run, condition, point.decision(condition), outputs.probabilities[number], outputs.evidence[number]
        )
        for number, condition in enumerate(run.recipe.conditions)
    }


def _grading(run: Run, condition: Condition, decision: Decision, probabilities: Floats, evidence: Floats) -> Grading:
    """Decide one condition by the network's probabilities (4,)."""
    calibrated = decision.calibrated(probabilities)
    low, high = decision.grade_set(calibrated)
    return Grading(
        condition=condition,
        grade=Severity(int(decision.grade(calibrated))),
        grade_set=(Severity(int(low)), Severity(int(high))) if decision.fitted else None,
        refer=None if decision.far_limit is None else bool(decision.refer(calibrated)),
        probabilities=per_grade(calibrated),
        evidence=evidence,
        run=run,
    )


def warm_up() -> list[Run]:
    """Load every run that answers, and export it where needed, so that the first request does not wait."""
    if not champions():
        return []
    answering = graders()
    answering.load()
    return list(answering.points)
