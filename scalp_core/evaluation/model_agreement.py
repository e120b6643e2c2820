"""What every architecture says of one picture, and how far they agree. Knows no page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import ExcludedRun, sound
from scalp_core.inference.predict import Grading, answer_by
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs.champions import score
from scalp_core.runs.runs import Run, list_runs


@dataclass(frozen=True)
class Candidate:
    """A run that speaks for its architecture.

    Attributes:
        conditions: those that it speaks about, in their order.
    """

    run: Run
    conditions: tuple[Condition, ...]

    @property
    def name(self) -> str:
        return self.run.recipe.architecture


class ModelAnswer(NamedTuple):
    """What one architecture says of one condition."""

    name: str
    run: Run
    grading: Grading


class CandidateResult(NamedTuple):
    """What became of asking one speaker: its gradings, or why there are none."""

    speaker: Candidate
    said: dict[Condition, Grading] | ScalpError


@dataclass(frozen=True)
class Agreement:
    """How far the voices about one condition agree with the run that answers.

    Attributes:
        others: voices beside the answering run.
        agreeing: those of them with the same grade.
        lowest, highest: grade that any of them says, the answering run among them.
    """

    others: int
    agreeing: int
    lowest: int
    highest: int

    @property
    def spread(self) -> int:
        """Grades between the lowest and the highest, 0–3."""
        return self.highest - self.lowest


def candidates() -> tuple[list[Candidate], list[ExcludedRun]]:
    """Who speaks for each architecture, by name; and the finished runs that are damaged, with the reason.

    Of an architecture the run that grades most conditions speaks, of several the best by mean quadratic weighted kappa
    on the validation part; what it does not grade, the next best one speaks about. Runs that learned from rendered
    pictures speak only where none learned from real ones.
    """
    able, damaged = sound(run for run in list_runs() if run.finished)
    real = [run for run in able if not run.synthetic]
    ranked = sorted(real or able, key=_standing, reverse=True)
    spoken: dict[str, set[Condition]] = {}
    found = []
    for run in ranked:
        before = spoken.setdefault(run.recipe.architecture, set())
        new = tuple(condition for condition in CONDITIONS if condition in set(run.recipe.conditions) - before)
        before.update(new)
        found += [Candidate(run, new)] if new else []
    return sorted(found, key=lambda one: (one.name, one.conditions)), damaged


def _standing(run: Run) -> tuple[int, float, str]:
    kappas = [score(run, condition, "valid") for condition in run.recipe.conditions]
    known = [kappa for kappa in kappas if kappa is not None]
    return len(kappas), float(np.mean(known)) if known else 0.0, run.created


def predict_all_models(data: bytes, asked: Sequence[Candidate]) -> Iterator[CandidateResult]:
    """What each says of the picture in these bytes, one after another: the first time a run may have to be exported.

    A run that cannot answer is told in its place.
    """
    for speaker in asked:
        try:
            known = answer_by(speaker.run, data)
        except ScalpError as error:
            yield CandidateResult(speaker, error)
        else:
            yield CandidateResult(speaker, {condition: known[condition] for condition in speaker.conditions})


def answers_by_condition(heard: Sequence[CandidateResult]) -> dict[Condition, list[ModelAnswer]]:
    """What was said about each condition, by architecture; without those who could not answer."""
    return {
        condition: [
            ModelAnswer(one.speaker.name, one.speaker.run, one.said[condition])
            for one in heard
            if isinstance(one.said, Mapping) and condition in one.said
        ]
        for condition in CONDITIONS
    }


def agreement(answered: Grading, said: Sequence[ModelAnswer]) -> Agreement:
    """How far these voices about a condition agree with the grading of the run that answers."""
    others = [int(voice.grading.grade) for voice in said if voice.run != answered.run]
    grades = [int(answered.grade), *others]
    return Agreement(len(others), others.count(int(answered.grade)), min(grades), max(grades))
