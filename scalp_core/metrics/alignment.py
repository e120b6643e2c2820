"""Several runs' answers to the pictures of one part, lined up picture by picture: tables become arrays, so that what is
compared is compared fast. Knows no run folder, no metric.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.metrics import PROBABILITIES, ranked_probability_scores

Grades = npt.NDArray[np.int8]  # −1 where there is none
CellCounts = npt.NDArray[np.float32]

_GRADES = len(GRADES)
CELLS = _GRADES**2
CELL_COUNTS = CELLS + 1  # the cells of a confusion matrix, and the sum of ranked probability scores


@dataclass(frozen=True, eq=False)
class PartPredictions:
    """One run's answers to the pictures of one part.

    Attributes:
        images: (n,) ids, ascending.
        truth: (conditions, n), −1 without a label; all −1 for a condition that the run does not grade.
        grades: (conditions, n) as decided at the operating point, −1 for a condition that the run does not grade.
        low: (conditions, n) lowest grade of the grade set, −1 where none is promised.
        high: (conditions, n) highest grade of the grade set, likewise.
        probabilities: (conditions, n, 4), calibrated.
    """

    images: npt.NDArray[np.object_]
    truth: Grades
    grades: Grades
    low: Grades
    high: Grades
    probabilities: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AlignedPredictions:
    """Several runs' answers to the same pictures.

    Attributes:
        runs: R ids.
        conditions: C, in their order.
        images: (n,) ids, ascending.
        groups: (n,) which group (capture) each picture belongs to, 0 … G − 1.
        truth: (C, n), −1 without a label.
        grades: (R, C, n), −1 where the run does not grade the condition.
        low: (R, C, n) lowest grade of the grade set, −1 where none is promised.
        high: (R, C, n) highest grade of the grade set, likewise.
        probabilities: (R, C, n, 4), calibrated.
    """

    runs: tuple[str, ...]
    conditions: tuple[Condition, ...]
    images: npt.NDArray[np.object_]
    groups: npt.NDArray[np.int64]
    truth: Grades
    grades: Grades
    low: Grades
    high: Grades
    probabilities: npt.NDArray[np.float32]

    def run(self, run_id: str) -> int:
        """Its place among the runs. ValueError for another's."""
        return self.runs.index(run_id)

    def condition(self, condition: Condition) -> int:
        """Its place among the conditions."""
        return self.conditions.index(condition)

    @property
    def judged(self) -> npt.NDArray[np.bool_]:
        """(R, C, n): labelled, and graded by the run."""
        judged: npt.NDArray[np.bool_] = (self.truth >= 0) & (self.grades >= 0)
        return judged


def arrange(predictions: pd.DataFrame, part: str) -> PartPredictions:
    """One run's answers to the pictures of a part.

    Args:
        predictions: columns image, condition, part, truth, p0 … p3, grade, low, high (see runs.Run.predictions).
    """
    rows = predictions[predictions["part"] == part]
    codes, names = pd.factorize(rows["image"], sort=True)
    found: npt.NDArray[np.object_] = np.asarray(names, dtype=object)
    places = pd.Index([condition.value for condition in CONDITIONS]).get_indexer(pd.Index(rows["condition"]))

    def spread(name: str) -> Grades:
        laid = np.full((len(CONDITIONS), len(found)), -1, dtype=np.int8)
        laid[places, codes] = rows[name].fillna(-1).to_numpy(dtype=np.int8)
        return laid

    probabilities = np.zeros((len(CONDITIONS), len(found), _GRADES), dtype=np.float32)
    probabilities[places, codes] = rows[PROBABILITIES].to_numpy(dtype=np.float32)
    return PartPredictions(found, spread("truth"), spread("grade"), spread("low"), spread("high"), probabilities)


def align(answers: Mapping[str, PartPredictions], groups: Mapping[str, object]) -> AlignedPredictions:
    """The answers of these runs side by side.

    Args:
        groups: of every image id, what resampling keeps together; an image of which nothing is known is a group of its
            own.

    Raises:
        ValueError: there is none, or they are not about the same pictures with the same labels.
    """
    if not answers:
        raise ValueError("nothing to line up")
    first, *others = answers.values()
    truth = first.truth.copy()
    for other in others:
        if not np.array_equal(first.images, other.images):
            raise ValueError("only what was judged on the same pictures can be compared")
        truth = _joined(truth, other.truth)
    named = pd.Series([groups.get(image) for image in first.images], dtype=object)
    codes, _ = pd.factorize(named.where(named.notna(), first.images).astype(str))
    stacked = {
        name: np.stack([getattr(one, name) for one in answers.values()])
        for name in ("grades", "low", "high", "probabilities")
    }
    return AlignedPredictions(tuple(answers), CONDITIONS, first.images, codes.astype(np.int64), truth, **stacked)


def _joined(truth: Grades, other: Grades) -> Grades:
    """A run knows only the labels of the conditions that it grades."""
    if (truth != other)[(truth >= 0) & (other >= 0)].any():
        raise ValueError("only what was judged on the same labels can be compared")
    joined: Grades = np.maximum(truth, other)
    return joined


def cell_counts(aligned: AlignedPredictions) -> CellCounts:
    """(G, R, C, 17): of each group, run and condition the 16 cells (truth × prediction) and the sum of ranked
    probability scores. Everything that is compared is a function of sums of these.
    """
    shape = (int(aligned.groups.max(initial=-1)) + 1, len(aligned.runs), len(aligned.conditions))
    laid = np.zeros((*shape, CELL_COUNTS), dtype=np.float32)
    for run in range(len(aligned.runs)):
        for condition in range(len(aligned.conditions)):
            chosen = np.flatnonzero(aligned.judged[run, condition])
            groups, truth = aligned.groups[chosen], aligned.truth[condition, chosen].astype(np.int64)
            cells = groups * CELLS + truth * _GRADES + aligned.grades[run, condition, chosen]
            counts = np.bincount(cells, minlength=shape[0] * CELLS).reshape(-1, CELLS)
            laid[:, run, condition, :CELLS] = counts
            scores = ranked_probability_scores(aligned.probabilities[run, condition, chosen], truth)
            laid[:, run, condition, CELLS] = np.bincount(groups, scores, minlength=shape[0])
    return laid


def confusion(aligned: AlignedPredictions) -> npt.NDArray[np.int64]:
    """(R, C, 4, 4): every run's and condition's confusion matrix, truth × prediction."""
    cells = aligned.truth.astype(np.int64) * _GRADES + aligned.grades
    runs, conditions = aligned.grades.shape[:2]
    places = np.arange(runs * conditions).reshape(runs, conditions, 1) * CELLS
    counted = np.bincount((places + cells)[aligned.judged], minlength=runs * conditions * CELLS)
    return counted.reshape(runs, conditions, _GRADES, _GRADES)


def in_cell(
    aligned: AlignedPredictions, run_id: str, condition: Condition, truth: int, predicted: int
) -> npt.NDArray[np.intp]:
    """Places (k,) of the pictures that make up one cell of a run's confusion matrix."""
    place = aligned.condition(condition)
    return np.flatnonzero((aligned.truth[place] == truth) & (aligned.grades[aligned.run(run_id), place] == predicted))
