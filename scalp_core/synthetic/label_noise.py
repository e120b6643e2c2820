"""The label errors of a rater on synthetic pictures, and the best agreement with such labels.

A rendered picture has a continuous severity of each condition; its clean grade is the nearest whole number. The
*labelled* grade is what a rater would have written: real labels of neighbouring grades are noisy, and erythema against
pustules and fine scaling against dandruff are confused even by people.
"""

from math import erf, sqrt

import numpy as np
import numpy.typing as npt

from scalp_core.data.dataset import Dataset
from scalp_core.labels import CONDITIONS, GRADES, Condition

Severities = npt.NDArray[np.float64]  # (pictures, conditions), 0–3

SEVERITY_COLUMNS = tuple(f"severity_{number}" for number in range(1, len(CONDITIONS) + 1))
CLEAN_COLUMNS = tuple(f"clean_{number}" for number in range(1, len(CONDITIONS) + 1))

# A rater sees the severity with a normal error of this deviation, in grades; where there is little to see, less of it.
RATER_ERROR, MIN_ERROR = 0.27, 0.1
# Conditions taken for each other: now and then a rater moves the grade towards the other one's, by this much.
MIXED_UP = (
    (Condition.ERYTHEMA, Condition.PUSTULES),
    (Condition.FINE_SCALING, Condition.DANDRUFF),
)
MIX_UP_CHANCE, MIX_UP_CHANCE_OF_NOTHING = 0.08, 0.004  # of a condition that is present; of one that is not
MIX_UP_SHIFT = 0.8  # grades

_EDGES = np.array([0.5, 1.5, 2.5])
_erf = np.vectorize(erf, otypes=[float])


def clean_grades(severities: Severities) -> npt.NDArray[np.int64]:
    """Return the grades of the severities without any error, of the same shape."""
    return np.searchsorted(_EDGES, severities, side="right")


def label_chances(severities: Severities) -> npt.NDArray[np.float64]:
    """Return the probability of each grade to be written down: (pictures, conditions, 4)."""
    others = severities[:, _PARTNERS]
    shift = np.clip(others - severities, -MIX_UP_SHIFT, MIX_UP_SHIFT)
    chance = np.where(severities < _EDGES[0], MIX_UP_CHANCE_OF_NOTHING, MIX_UP_CHANCE)[..., None]
    return (1 - chance) * _rater_chances(severities) + chance * _rater_chances(severities + shift)


def _partners() -> list[int]:
    """Return for each condition the one it is taken for; itself where there is none."""
    partner = {condition: condition for condition in CONDITIONS}
    for first, second in MIXED_UP:
        partner |= {first: second, second: first}
    return [CONDITIONS.index(partner[condition]) for condition in CONDITIONS]


_PARTNERS = _partners()


def _rater_chances(severities: Severities) -> npt.NDArray[np.float64]:
    """Return the probabilities of the four grades by the rater's error alone."""
    error = np.clip(RATER_ERROR * severities, MIN_ERROR, RATER_ERROR)[..., None]
    below = 0.5 * (1 + _erf((_EDGES - severities[..., None]) / (error * sqrt(2))))
    ends = np.zeros((*severities.shape, 1))
    return np.diff(np.concatenate([ends, below, ends + 1], axis=-1), axis=-1)


def draw_labels(severities: Severities, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw the labels that a rater writes: (pictures, conditions)."""
    cumulative = label_chances(severities).cumsum(axis=-1)
    labels: npt.NDArray[np.int64] = (generator.random((*severities.shape, 1)) > cumulative).sum(axis=-1)
    return np.minimum(labels, len(GRADES) - 1)


def best_kappa(chances: npt.NDArray[np.float64]) -> float:
    """Return the highest expected quadratic weighted kappa of any grades given to pictures with these label chances.

    Args:
        chances: (pictures, 4), rows sum to 1.

    Returns:
        NaN without pictures or where every label is certain to be the same.
    """
    return expected_kappa(best_grades(chances), chances)


def best_grades(chances: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the grades with the highest expected quadratic weighted kappa for these label chances.

    κ = 1 − O / E, and both are sums over pictures, so the best grades minimise O − ρE for the ρ = O / E that they
    reach (Dinkelbach 1967, On nonlinear fractional programming). O and E are taken in expectation over the labels.

    Args:
        chances: (pictures, 4), rows sum to 1.
    """
    observed, expected = _disagreements(chances)
    ratio = 0.0
    for _ in range(50):
        predicted = (observed - ratio * expected).argmin(axis=1)
        reached = np.take_along_axis(observed, predicted[:, None], axis=1).sum() / max(expected[predicted].sum(), 1e-12)
        if abs(reached - ratio) < 1e-12:
            break
        ratio = float(reached)
    return np.asarray(predicted, dtype=np.int64)


def expected_kappa(grades: npt.NDArray[np.int64], chances: npt.NDArray[np.float64]) -> float:
    """Return the quadratic weighted kappa to expect of grades given to pictures with these label chances.

    Args:
        grades: (pictures,).
        chances: (pictures, 4), rows sum to 1.

    Returns:
        NaN without pictures or where no disagreement is to be expected by chance.
    """
    observed, expected = _disagreements(chances)
    by_chance = float(expected[grades].sum())
    if len(chances) == 0 or by_chance <= 1e-9:
        return float("nan")
    return 1 - float(np.take_along_axis(observed, grades[:, None], axis=1).sum()) / by_chance


def _disagreements(chances: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the squared disagreement of each grade with each picture's labels, and with those of any picture."""
    grades = np.arange(len(GRADES))
    squared = np.square(np.subtract.outer(grades, grades)).astype(float)  # predicted × labelled
    mean = chances.mean(axis=0) if len(chances) else np.full(len(GRADES), np.nan)
    return chances @ squared.T, squared @ mean


def has_truth(dataset: Dataset) -> bool:
    """Return whether the dataset holds the severities of its pictures, as only synthetic ones do."""
    return set(SEVERITY_COLUMNS) <= set(dataset.columns)


def truth_of(dataset: Dataset, row: int) -> dict[Condition, tuple[int, float]]:
    """Return clean grade and severity of one picture in every condition; empty for real pictures."""
    if not has_truth(dataset):
        return {}
    names = zip(CONDITIONS, CLEAN_COLUMNS, SEVERITY_COLUMNS, strict=True)
    return {
        condition: (int(dataset.column(clean).iloc[row]), float(dataset.column(severity).iloc[row]))
        for condition, clean, severity in names
    }


def ceiling(dataset: Dataset, part: str) -> dict[Condition, float]:
    """Return the best quadratic weighted kappa to expect in each condition on a split; empty for real pictures.

    Taken over the pictures that have a label, as what it is compared with.
    """
    if not has_truth(dataset):
        return {}
    rows = np.flatnonzero(dataset.column("part") == part)
    severities = [dataset.column(name).to_numpy(np.float64)[rows] for name in SEVERITY_COLUMNS]
    chances = label_chances(np.stack(severities, axis=1))
    labelled = [dataset.column(condition.value).notna().to_numpy()[rows] for condition in CONDITIONS]
    return {condition: best_kappa(chances[labelled[place], place]) for place, condition in enumerate(CONDITIONS)}
