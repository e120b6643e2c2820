"""Several runs' answers to the pictures of one split, aligned as arrays, and the pictures on which they disagree.

Tables become arrays once, so that comparisons are fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.metrics import PROBABILITIES, ranked_probability_scores

Grades = npt.NDArray[np.int8]  # −1 where there is none
Places = npt.NDArray[np.intp]
CellCounts = npt.NDArray[np.float32]

_GRADES = len(GRADES)
CELLS = _GRADES**2
CELL_COUNTS = CELLS + 1  # the cells of a confusion matrix, and the sum of ranked probability scores
FAR = 2  # grades: an error of this size or larger is more than a confusion of neighbours


@dataclass(frozen=True, eq=False)
class PartPredictions:
    """One run's answers to the pictures of one split.

    Attributes:
        images: (n,) ids, ascending.
        truth: (conditions, n), −1 without a label; all −1 for a condition that the run does not grade.
        grades: (conditions, n) as decided at the operating point, −1 for a condition that the run does not grade.
        low: (conditions, n) lowest grade of the grade set, −1 where the run has none.
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
        conditions: C, in the order of CONDITIONS.
        images: (n,) ids, ascending.
        groups: (n,) which group (capture) each picture belongs to, 0 … G − 1.
        truth: (C, n), −1 without a label.
        grades: (R, C, n), −1 where the run does not grade the condition.
        low: (R, C, n) lowest grade of the grade set, −1 where the run has none.
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
        """Return the place of a run on the runs' axis.

        Raises:
            ValueError: the run is not among the aligned.
        """
        return self.runs.index(run_id)

    def condition(self, condition: Condition) -> int:
        """Return the place of a condition on the conditions' axis."""
        return self.conditions.index(condition)

    def correct(self, run_id: str, condition: Condition) -> npt.NDArray[np.bool_]:
        """Return for every labelled picture whether the run gives the label: (labelled pictures,)."""
        place = self.condition(condition)
        truth = self.truth[place]
        correct: npt.NDArray[np.bool_] = (self.grades[self.run(run_id), place] == truth)[truth >= 0]
        return correct

    @property
    def judged(self) -> npt.NDArray[np.bool_]:
        """Mask (R, C, n) of the pictures that are labelled and graded by the run."""
        judged: npt.NDArray[np.bool_] = (self.truth >= 0) & (self.grades >= 0)
        return judged


def arrange(predictions: pd.DataFrame, part: str) -> PartPredictions:
    """Turn one run's answers to the pictures of a split into arrays.

    Args:
        predictions: columns image, condition, part, truth, p0 … p3, grade, low, high (see runs.Run.predictions).
    """
    rows = predictions[predictions["part"] == part]
    codes, names = pd.factorize(rows["image"], sort=True)
    images: npt.NDArray[np.object_] = np.asarray(names, dtype=object)
    places = pd.Index([condition.value for condition in CONDITIONS]).get_indexer(pd.Index(rows["condition"]))

    def spread(name: str) -> Grades:
        grid = np.full((len(CONDITIONS), len(images)), -1, dtype=np.int8)
        grid[places, codes] = rows[name].fillna(-1).to_numpy(dtype=np.int8)
        return grid

    probabilities = np.zeros((len(CONDITIONS), len(images), _GRADES), dtype=np.float32)
    probabilities[places, codes] = rows[PROBABILITIES].to_numpy(dtype=np.float32)
    return PartPredictions(images, spread("truth"), spread("grade"), spread("low"), spread("high"), probabilities)


def in_common(answers: Mapping[str, PartPredictions]) -> dict[str, PartPredictions]:
    """Return the answers of several runs, by run id, to the pictures that all of them answer."""
    images = reduce(np.intersect1d, (predictions.images for predictions in answers.values()))
    return {run_id: _restricted(predictions, images) for run_id, predictions in answers.items()}


def _restricted(predictions: PartPredictions, images: npt.NDArray[np.object_]) -> PartPredictions:
    places = np.searchsorted(predictions.images, images)  # both ascend
    by_picture = ("truth", "grades", "low", "high", "probabilities")  # pictures are their second axis
    return PartPredictions(images, **{name: getattr(predictions, name)[:, places] for name in by_picture})


def align(answers: Mapping[str, PartPredictions], groups: Mapping[str, object]) -> AlignedPredictions:
    """Stack the answers of several runs, by run id.

    Args:
        groups: the group of every image id, which resampling keeps together; an image without one is a group of its
            own.

    Raises:
        ValueError: there are no answers, or they are not about the same pictures with the same labels.
    """
    if not answers:
        raise ValueError("nothing to line up")
    first, *others = answers.values()
    truth = first.truth.copy()
    for other in others:
        if not np.array_equal(first.images, other.images):
            raise ValueError("only what was judged on the same pictures can be compared")
        truth = _merge_truth(truth, other.truth)
    names = pd.Series([groups.get(image) for image in first.images], dtype=object)
    codes, _ = pd.factorize(names.where(names.notna(), first.images).astype(str))
    stacked = {
        name: np.stack([getattr(predictions, name) for predictions in answers.values()])
        for name in ("grades", "low", "high", "probabilities")
    }
    return AlignedPredictions(tuple(answers), CONDITIONS, first.images, codes.astype(np.int64), truth, **stacked)


def _merge_truth(truth: Grades, other: Grades) -> Grades:
    """Merge the labels of two runs, each of which holds only those of the conditions that it grades."""
    if (truth != other)[(truth >= 0) & (other >= 0)].any():
        raise ValueError("only what was judged on the same labels can be compared")
    merged: Grades = np.maximum(truth, other)
    return merged


def cell_counts(aligned: AlignedPredictions) -> CellCounts:
    """Count by group: (G, R, C, 17), the 16 confusion cells (truth × prediction) and the sum of probability scores.

    Every compared figure is a function of sums of these over groups.
    """
    shape = (int(aligned.groups.max(initial=-1)) + 1, len(aligned.runs), len(aligned.conditions))
    counts = np.zeros((*shape, CELL_COUNTS), dtype=np.float32)
    for run in range(len(aligned.runs)):
        for condition in range(len(aligned.conditions)):
            places = np.flatnonzero(aligned.judged[run, condition])
            groups, truth = aligned.groups[places], aligned.truth[condition, places].astype(np.int64)
            cells = groups * CELLS + truth * _GRADES + aligned.grades[run, condition, places]
            counts[:, run, condition, :CELLS] = np.bincount(cells, minlength=shape[0] * CELLS).reshape(-1, CELLS)
            scores = ranked_probability_scores(aligned.probabilities[run, condition, places], truth)
            counts[:, run, condition, CELLS] = np.bincount(groups, scores, minlength=shape[0])
    return counts


def confusion(aligned: AlignedPredictions) -> npt.NDArray[np.int64]:
    """Return the confusion matrix, truth × prediction, of every run and condition: (R, C, 4, 4)."""
    cells = aligned.truth.astype(np.int64) * _GRADES + aligned.grades
    runs, conditions = aligned.grades.shape[:2]
    places = np.arange(runs * conditions).reshape(runs, conditions, 1) * CELLS
    counts = np.bincount((places + cells)[aligned.judged], minlength=runs * conditions * CELLS)
    return counts.reshape(runs, conditions, _GRADES, _GRADES)


def in_cell(aligned: AlignedPredictions, run_id: str, condition: Condition, truth: int, predicted: int) -> Places:
    """Return the places (k,) of the pictures that make up one cell of a run's confusion matrix."""
    place = aligned.condition(condition)
    return np.flatnonzero((aligned.truth[place] == truth) & (aligned.grades[aligned.run(run_id), place] == predicted))


# ---- disagreement; truth is (n,) and grades are (runs, n) of one condition ----


def all_wrong(truth: Grades, grades: Grades) -> Places:
    """Return the labelled pictures that every run that grades them has wrong."""
    return np.flatnonzero((truth >= 0) & (grades >= 0).any(axis=0) & (grades != truth).all(axis=0))


def only_right(truth: Grades, grades: Grades, run: int) -> Places:
    """Return the labelled pictures that this run alone has right, of two or more that grade them."""
    right = grades == truth
    alone = right[run] & (right.sum(axis=0) == 1)
    return np.flatnonzero((truth >= 0) & alone & ((grades >= 0).sum(axis=0) > 1))


def far_apart(grades: Grades, distance: int = FAR) -> Places:
    """Return the pictures, labelled or not, whose lowest and highest answer are `distance` grades apart or more."""
    lowest = np.where(grades < 0, len(GRADES), grades).min(axis=0)
    return np.flatnonzero(grades.max(axis=0) - lowest >= distance)
