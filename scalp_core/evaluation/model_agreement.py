"""Every architecture's gradings of one picture, and how far they agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import ExcludedRun
from scalp_core.inference.predict import Grading, grade_with_run
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs.champions import split_readable
from scalp_core.runs.election import score
from scalp_core.runs.run import Run
from scalp_core.runs.store import list_runs


@dataclass(frozen=True)
class Candidate:
    """A run that answers for its architecture.

    Attributes:
        conditions: those that it answers for, in their order.
    """

    run: Run
    conditions: tuple[Condition, ...]

    @property
    def name(self) -> str:
        return self.run.recipe.architecture


class ModelAnswer(NamedTuple):
    """One architecture's grading of one condition."""

    name: str
    run: Run
    grading: Grading


class CandidateResult(NamedTuple):
    """One candidate's gradings of a picture, or the error that prevented them."""

    candidate: Candidate
    outcome: dict[Condition, Grading] | ScalpError


@dataclass(frozen=True)
class Agreement:
    """Agreement of the models with the answering run about one condition.

    Attributes:
        others: number of models beside the answering run.
        agreeing: number of those with the same grade.
        lowest, highest: extreme grades among all of them and the answering run.
    """

    others: int
    agreeing: int
    lowest: int
    highest: int

    @property
    def spread(self) -> int:
        """Grades between the lowest and the highest, 0–3."""
        return self.highest - self.lowest


def list_candidates() -> tuple[list[Candidate], list[ExcludedRun]]:
    """Return the runs that answer for each architecture, by name, and the finished runs that cannot, with the reason.

    An architecture is represented by the run that grades most conditions, of several by the best one in mean quadratic
    weighted kappa on the validation part. The next best run answers for conditions that it does not grade. Runs
    judged on rendered pictures are candidates only where none is judged on real ones.
    """
    readable, damaged = split_readable(run for run in list_runs() if run.finished)
    failures = {run: failure for run in readable if (failure := run.export_failure)}
    readable = [run for run in readable if run not in failures]
    real = [run for run in readable if not run.synthetic_data]
    covered: dict[str, set[Condition]] = {}
    candidates = []
    for run in sorted(real or readable, key=_rank, reverse=True):
        earlier = covered.setdefault(run.recipe.architecture, set())
        conditions = tuple(condition for condition in CONDITIONS if condition in set(run.recipe.conditions) - earlier)
        earlier.update(conditions)
        if conditions:
            candidates.append(Candidate(run, conditions))
    candidates.sort(key=lambda candidate: (candidate.name, candidate.conditions))
    reasons = failures | {run: error.text for run, error in damaged.items()}
    return candidates, [ExcludedRun(run, reason) for run, reason in reasons.items()]


def _rank(run: Run) -> tuple[int, float, str]:
    kappas = [score(run, condition, "valid") for condition in run.recipe.conditions]
    defined = [kappa for kappa in kappas if kappa is not None]
    return len(kappas), float(np.mean(defined)) if defined else 0.0, run.created


def predict_all_models(data: bytes, candidates: Sequence[Candidate]) -> Iterator[CandidateResult]:
    """Yield every candidate's result for the picture in `data`; a run's first prediction may export its network."""
    for candidate in candidates:
        try:
            gradings = grade_with_run(candidate.run, data)
        except ScalpError as error:
            yield CandidateResult(candidate, error)
        else:
            yield CandidateResult(candidate, {condition: gradings[condition] for condition in candidate.conditions})


def answers_by_condition(results: Sequence[CandidateResult]) -> dict[Condition, list[ModelAnswer]]:
    """Return the answers about each condition, by architecture; failed candidates are left out."""
    return {
        condition: [
            ModelAnswer(result.candidate.name, result.candidate.run, result.outcome[condition])
            for result in results
            if isinstance(result.outcome, Mapping) and condition in result.outcome
        ]
        for condition in CONDITIONS
    }


def measure_agreement(answering: Grading, answers: Sequence[ModelAnswer]) -> Agreement:
    """Return how far the models' answers about one condition agree with the grading of the answering run."""
    others = [int(answer.grading.grade) for answer in answers if answer.run != answering.run]
    grades = [int(answering.grade), *others]
    return Agreement(len(others), others.count(int(answering.grade)), min(grades), max(grades))
