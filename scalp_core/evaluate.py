"""Reports: pure functions of prediction tables, by way of 4 × 4 count tables. Knows no run, no network.

In every matrix rows are the truth and columns the prediction. Metrics of an ordinal grade (docs/design/evaluation.md):
quadratic weighted kappa leads, the macro-averaged mean absolute error and the worst grade's recall keep it honest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.labels import GRADES

Counts = npt.NDArray[np.int64]  # (4, 4), or (groups, 4, 4): truth × prediction

PROBABILITIES = ["p0", "p1", "p2", "p3"]
_GRADES = len(GRADES)


@dataclass(frozen=True)
class Metrics:
    """How good one condition's grades are in one part. NaN where the pictures cannot say.

    Attributes:
        images: labelled pictures.
        quadratic_weighted_kappa: agreement beyond chance, errors weighted by squared distance (Cohen 1968).
        average_mean_absolute_error: mean over true grades of the mean absolute error (Baccianella et al. 2009).
        worst_grade_recall: recall of the grade that is recognised least; 0 shows a dead grade.
        macro_f1: mean F1 over the grades that occur in truth or prediction.
    """

    images: int
    quadratic_weighted_kappa: float
    average_mean_absolute_error: float
    worst_grade_recall: float
    accuracy: float
    macro_f1: float


METRIC_NAMES = tuple(name for name in Metrics.__dataclass_fields__ if name != "images")


def count(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> Counts:
    """The confusion matrix of grades 0–3, in images."""
    cells = np.asarray(truth, dtype=np.int64) * _GRADES + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=_GRADES**2).reshape(_GRADES, _GRADES)


def measure(counts: Counts) -> Metrics:
    """All metrics of one confusion matrix."""
    total, truth, predicted, right = counts.sum(), counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    if not total:
        return Metrics(0, *[float("nan")] * len(METRIC_NAMES))
    present = truth > 0
    distance = np.abs(np.subtract.outer(np.arange(_GRADES), np.arange(_GRADES)))
    errors = (counts * distance).sum(axis=1)[present] / truth[present]
    named = present | (predicted > 0)
    f1 = 2 * right[named] / (truth + predicted)[named]
    return Metrics(
        images=int(total),
        quadratic_weighted_kappa=quadratic_weighted_kappa(counts),
        average_mean_absolute_error=float(errors.mean()),
        worst_grade_recall=float(worst_recalls(counts)),
        accuracy=float(right.sum() / total),
        macro_f1=float(f1.mean()),
    )


def quadratic_weighted_kappa(counts: npt.NDArray[np.integer]) -> float:
    """1 − observed over expected squared distance. NaN when truth and prediction are one and the same constant."""
    return float(kappas(np.asarray(counts)))


def kappas(counts: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """Quadratic weighted kappa (…) of many matrices (…, 4, 4)."""
    squared = np.square(np.subtract.outer(np.arange(_GRADES), np.arange(_GRADES)))
    total = counts.sum(axis=(-2, -1))
    marginals = counts.sum(axis=-1)[..., :, None] * counts.sum(axis=-2)[..., None, :]
    observed = (squared * counts).sum(axis=(-2, -1)) * total
    expected = (squared * marginals).sum(axis=(-2, -1))
    known = expected > 0
    return np.where(known, 1 - observed / np.where(known, expected, 1), np.nan)


def worst_recalls(counts: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """Recall (…) of the grade that is recognised least, of many matrices (…, 4, 4); every one has a truth."""
    truth = counts.sum(axis=-1)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    worst: npt.NDArray[np.float64] = np.where(truth > 0, right / truth.clip(1), np.inf).min(axis=-1)
    return worst


REPLICATES = 2000
_REPLICATES_AT_ONCE = 200  # bounds the memory that many groups take


def kappa_interval(counts: Counts, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of quadratic weighted kappa, by resampling whole groups (percentile bootstrap).

    Images of one head or site are alike; resampling them one by one would promise too much (docs/design/evaluation.md).

    Args:
        counts: (groups, 4, 4), one matrix a group; see `counts_by_group`.

    Returns:
        Lowest and highest; NaN for fewer than two groups, or where most resamples have nothing to agree on. (Of the
        others, those are left out.)
    """
    groups = len(counts)
    if groups < 2:
        return float("nan"), float("nan")
    generator, drawn = np.random.default_rng(seed), []
    for _ in range(REPLICATES // _REPLICATES_AT_ONCE):
        weights = generator.multinomial(groups, np.full(groups, 1 / groups), size=_REPLICATES_AT_ONCE)
        drawn.append(kappas((weights @ counts.reshape(groups, -1)).reshape(-1, _GRADES, _GRADES)))
    replicates = np.concatenate(drawn)
    if np.isnan(replicates).mean() > 0.5:
        return float("nan"), float("nan")
    low, high = np.nanpercentile(replicates, (2.5, 97.5))
    return float(low), float(high)


def counts_by_group(predictions: pd.DataFrame, condition: str, part: str, groups: Mapping[str, object]) -> Counts:
    """One confusion matrix a group, (groups, 4, 4); `groups` names the group of each image id, or it is its own."""
    rows = _labelled(predictions, condition, part)
    codes, names = pd.factorize(rows["image"].map(groups).fillna(rows["image"]).astype(str), sort=True)
    cells = codes * _GRADES**2 + rows["truth"].to_numpy(dtype=np.int64) * _GRADES + _predicted(rows)
    return np.bincount(cells, minlength=len(names) * _GRADES**2).reshape(-1, _GRADES, _GRADES)


def confusion(predictions: pd.DataFrame, condition: str, part: str) -> Counts:
    """The confusion matrix of one condition in one part of a run's prediction table."""
    rows = _labelled(predictions, condition, part)
    return count(rows["truth"].to_numpy(dtype=np.int64), _predicted(rows))


def _labelled(predictions: pd.DataFrame, condition: str, part: str) -> pd.DataFrame:
    rows = predictions[(predictions["condition"] == condition) & (predictions["part"] == part)]
    return rows.dropna(subset="truth")


def _predicted(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    return rows["grade"].to_numpy(dtype=np.int64)


def report(predictions: pd.DataFrame) -> pd.DataFrame:
    """Metrics of every condition and part of a prediction table: columns condition, part and those of Metrics."""
    pairs = predictions[["condition", "part"]].drop_duplicates().itertuples(index=False)
    rows = [
        {"condition": condition, "part": part, **vars(measure(confusion(predictions, condition, part)))}
        for condition, part in pairs
    ]
    return pd.DataFrame(rows)


def images_in_cell(predictions: pd.DataFrame, condition: str, part: str, truth: int, predicted: int) -> list[str]:
    """Ids of the pictures that make up one cell of `confusion`."""
    rows = predictions[(predictions["condition"] == condition) & (predictions["part"] == part)]
    rows = rows[(rows["truth"] == truth).fillna(False)]
    return list(rows["image"][_predicted(rows) == predicted])


# What the probabilities and grade sets are worth. These need the pictures themselves, not their counts.

BINS = 15


def reliability(predictions: pd.DataFrame, condition: str, part: str, bins: int = BINS) -> pd.DataFrame:
    """How sure and how right: one row a bin of about as many pictures, the least sure first.

    Returns:
        confidence (mean probability of the most probable grade), accuracy (share in which it is the true one), images.
        The most probable grade and not the decided one: so the figure is about probabilities alone, whatever the rule.
    """
    probabilities, truth = _probabilities_and_truth(predictions, condition, part)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
    rows = [(confidence[one].mean(), right[one].mean(), len(one)) for one in parts if len(one)]
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "images"])


def expected_calibration_error(predictions: pd.DataFrame, condition: str, part: str, bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy over bins of equal mass (Guo et al. 2017; Nguyen & O'Connor 2015).

    Never 0 in practice: with forty pictures a bin chance alone makes 0.03–0.06. NaN where nothing is labelled.
    """
    table = reliability(predictions, condition, part, bins)
    if table.empty:
        return float("nan")
    return float(np.average((table["confidence"] - table["accuracy"]).abs(), weights=table["images"]))


def ranked_probability_score(predictions: pd.DataFrame, condition: str, part: str) -> float:
    """Mean squared distance of the cumulated probabilities from the truth's: 0 is best, 1 worst (Epstein 1969)."""
    probabilities, truth = _probabilities_and_truth(predictions, condition, part)
    if not len(truth):
        return float("nan")
    reached = truth[:, np.newaxis] <= np.arange(_GRADES - 1)
    return float(np.square(probabilities.cumsum(axis=1)[:, :-1] - reached).mean())


def _probabilities_and_truth(
    predictions: pd.DataFrame, condition: str, part: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rows = _labelled(predictions, condition, part)
    return rows[PROBABILITIES].to_numpy(dtype=np.float64), rows["truth"].to_numpy(dtype=np.int64)


@dataclass(frozen=True)
class SetQuality:
    """What grade sets keep. NaN where there are none.

    Attributes:
        images: labelled pictures with a set.
        coverage: share of them whose set holds the truth.
        size: mean number of grades in a set.
    """

    images: int
    coverage: float
    size: float


def measure_sets(predictions: pd.DataFrame, condition: str, part: str) -> SetQuality:
    """Coverage and size of one condition's grade sets (columns low and high) in one part."""
    rows = _labelled(predictions, condition, part).dropna(subset=["low", "high"])
    if rows.empty:
        return SetQuality(0, float("nan"), float("nan"))
    truth, low, high = (rows[name].to_numpy(dtype=np.int64) for name in ("truth", "low", "high"))
    return SetQuality(len(rows), float(((low <= truth) & (truth <= high)).mean()), float((high - low + 1).mean()))
