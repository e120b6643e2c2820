"""Metrics of ordinal grades: pure functions of prediction tables, by way of 4 × 4 confusion matrices.

In every matrix rows are the truth and columns the prediction. Quadratic weighted kappa leads; the macro-averaged mean
absolute error and the worst grade's recall keep it honest (docs/design/evaluation.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core import terms
from scalp_core.errors import Text
from scalp_core.labels import GRADES, Condition

Matrices = npt.NDArray[np.number]  # (…, 4, 4): truth × prediction
Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]  # (4, 4), or (groups, 4, 4): truth × prediction

KAPPA_IMAGES = 3  # of one or two pictures, kappa is 1 or nothing by a single grade
PROBABILITIES = ["p0", "p1", "p2", "p3"]
_GRADES = len(GRADES)


@dataclass(frozen=True)
class Metric:
    """A figure of merit of one condition's grades.

    Attributes:
        text: its name in full.
        short: its name where there is little room.
        compute: maps count matrices (…, 4, 4), truth × prediction, to values (…), NaN where undefined. None for metrics
            of probabilities, for which counts are not enough.
        strata: sets of true grades that it averages over separately; its uncertainty depends on how many groups have
            pictures of each.
        worst: it is the worst of the strata's figures and not their mean.
    """

    text: Text
    short: Text
    higher_is_better: bool
    compute: Callable[[Matrices], Values] | None
    strata: tuple[tuple[int, ...], ...] = (tuple(GRADES),)
    worst: bool = False


def count(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> Counts:
    """Count the confusion matrix of grades 0–3, in images."""
    cells = np.asarray(truth, dtype=np.int64) * _GRADES + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=_GRADES**2).reshape(_GRADES, _GRADES)


def row_shares(counts: Matrices) -> Values:
    """Divide counts (…, 4, 4), truth × prediction, by the sums of their rows; NaN where no picture has the label."""
    rows = counts.sum(axis=-1, keepdims=True)
    shares: Values = np.divide(counts, rows, out=np.full(counts.shape, np.nan), where=rows > 0)
    return shares


def kappas(counts: Matrices) -> Values:
    """Return quadratic weighted kappa: 1 − observed over expected squared distance.

    It measures agreement beyond chance (Cohen 1968). NaN where the truth has a single grade, as nothing can then be
    told from chance, and with fewer than KAPPA_IMAGES pictures.
    """
    truth, total = _true_counts(counts), _total(counts)
    observed = _weighted(counts, _SQUARED) * total
    expected = np.einsum("...j,...j->...", truth @ _SQUARED, _predicted_counts(counts))
    grades = np.einsum("...i->...", (truth > 0).astype(np.float64))
    return np.where((grades > 1) & (total >= KAPPA_IMAGES), 1 - _share(observed, expected), np.nan)


def undefined_kappa(truth: npt.NDArray[np.number]) -> Text | None:
    """Return the reason why kappa is undefined; None where it is defined.

    Args:
        truth: pictures of every true grade (4,).
    """
    images, grades = round(float(truth.sum())), np.flatnonzero(truth)
    if not images:
        return Text("no labelled pictures", "라벨이 있는 사진이 없음")
    if images < KAPPA_IMAGES:
        count = "1 labelled picture" if images == 1 else f"{images} labelled pictures"
        return Text(f"only {count}", f"라벨이 있는 사진이 {images}장뿐임")
    if len(grades) == 1:
        return Text(f"all labels are grade {grades[0]}", f"모든 라벨이 {grades[0]}등급임")
    return None


def explain_undefined(truths: Mapping[Condition, npt.NDArray[np.number]]) -> Text | None:
    """Return a sentence that says of which conditions kappa is undefined and why; None where it is of none.

    Args:
        truths: pictures of every true grade (4,).
    """
    reasons = {condition: undefined_kappa(truth) for condition, truth in truths.items()}
    en, ko = (
        "; ".join(f"{condition.text(language)}: {reason(language)}" for condition, reason in reasons.items() if reason)
        for language in ("en", "ko")
    )
    return Text(f"No QWK – {en}.", f"QWK 없음 – {ko}.") if en else None


def average_mean_absolute_errors(counts: Matrices) -> Values:
    """Return the mean over the true grades of their mean absolute error (Baccianella, Esuli & Sebastiani 2009)."""
    return _mean(_share(np.einsum("...ij,ij->...i", counts, _DISTANCE), _true_counts(counts)))


def worst_recalls(counts: Matrices) -> Values:
    """Return the lowest recall of the grades that occur; 0 shows a grade that is never recognised."""
    recalls = grade_recalls(counts)
    lowest: Values = np.where(np.isnan(recalls), np.inf, recalls).min(axis=-1)
    return np.where(np.isinf(lowest), np.nan, lowest)


def grade_recalls(counts: Matrices) -> Values:
    """Return the recall of every grade, (…, 4)."""
    return _share(np.diagonal(counts, axis1=-2, axis2=-1), _true_counts(counts))


def accuracies(counts: Matrices) -> Values:
    """Return the share of the pictures whose grade is right."""
    return _share(np.einsum("...ii->...", counts), _total(counts))


def macro_f1(counts: Matrices) -> Values:
    """Return the mean F1 over the grades that occur in truth or prediction."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return _mean(_share(2 * right, _true_counts(counts) + _predicted_counts(counts)))


def within_one_accuracies(counts: Matrices) -> Values:
    """Return the share of the pictures whose grade is right or next to it."""
    return _share(_weighted(counts, _DISTANCE <= 1), _total(counts))


def far_error_shares(counts: Matrices) -> Values:
    """Return the share of the errors that are two grades or more off; 0 where there is no error."""
    wrong = _weighted(counts, _DISTANCE > 0)
    shares = _share(_weighted(counts, _DISTANCE > 1), wrong)
    return np.where((wrong == 0) & (_total(counts) > 0), 0.0, shares)


def sensitivities(counts: Matrices) -> Values:
    """Return the share of the pictures of grade 2 or 3 that are predicted to be."""
    return _share(_total(counts[..., _CLEAR:, _CLEAR:]), _total(counts[..., _CLEAR:, :]))


def specificities(counts: Matrices) -> Values:
    """Return the share of the pictures of grade 0 or 1 that are predicted to be."""
    return _share(_total(counts[..., :_CLEAR, :_CLEAR]), _total(counts[..., :_CLEAR, :]))


# Over axes so short einsum is many times faster than sum.


def _weighted(counts: Matrices, weights: npt.NDArray[np.generic]) -> npt.NDArray[np.number]:
    return np.asarray(np.einsum("...ij,ij->...", counts, weights.astype(counts.dtype)))


def _total(counts: Matrices) -> npt.NDArray[np.number]:
    return np.asarray(np.einsum("...ij->...", counts))


def _true_counts(counts: Matrices) -> npt.NDArray[np.number]:
    """Count the pictures of every true grade, (…, 4)."""
    return np.asarray(np.einsum("...ij->...i", counts))


def _predicted_counts(counts: Matrices) -> npt.NDArray[np.number]:
    """Count the pictures of every predicted grade, (…, 4)."""
    return np.asarray(np.einsum("...ij->...j", counts))


def _share(part: npt.NDArray[np.number], whole: npt.NDArray[np.number]) -> Values:
    """Return part / whole, NaN where the whole is 0."""
    positive = whole > 0
    return np.where(positive, part / np.where(positive, whole, 1), np.nan)


def _mean(values: Values) -> Values:
    """Return the mean over the last axis, without NaN; NaN where all are."""
    defined = ~np.isnan(values)
    total = np.einsum("...i->...", np.where(defined, values, 0.0))
    return _share(total, np.einsum("...i->...", defined.astype(np.float64)))


_SQUARED = np.square(np.subtract.outer(np.arange(_GRADES), np.arange(_GRADES)))
_DISTANCE = np.abs(np.subtract.outer(np.arange(_GRADES), np.arange(_GRADES)))
_CLEAR = 2  # the grade from which on a condition is clear to see
_EACH_GRADE = tuple((int(grade),) for grade in GRADES)

# The headline first, then its partners; accuracy and macro F1 only for comparison with what others publish.
METRICS: dict[str, Metric] = {
    "quadratic_weighted_kappa": Metric(terms.QUADRATIC_WEIGHTED_KAPPA, terms.QWK, True, kappas),
    "average_mean_absolute_error": Metric(
        terms.AVERAGE_MEAN_ABSOLUTE_ERROR,
        terms.AMAE,
        False,
        average_mean_absolute_errors,
        _EACH_GRADE,
    ),
    "worst_grade_recall": Metric(
        terms.WORST_GRADE_RECALL,
        terms.WORST_RECALL,
        True,
        worst_recalls,
        _EACH_GRADE,
        worst=True,
    ),
    "ranked_probability_score": Metric(
        Text("ranked probability score", "순위 확률 점수"),
        Text("RPS", "RPS"),
        False,
        None,
    ),
    "accuracy": Metric(terms.ACCURACY, terms.ACCURACY, True, accuracies),
    "macro_f1": Metric(Text("macro F1", "매크로 F1"), Text("macro F1", "매크로 F1"), True, macro_f1, _EACH_GRADE),
    "within_one_accuracy": Metric(
        Text("accuracy within one grade", "한 등급 이내 정확도"),
        Text("within one", "한 등급 이내"),
        True,
        within_one_accuracies,
    ),
    "far_error_share": Metric(
        Text("share of errors of two grades or more", "두 등급 이상 벗어난 오류 비율"),
        Text("far errors", "큰 오류"),
        False,
        far_error_shares,
    ),
    "sensitivity": Metric(
        Text("sensitivity at grade 2 or more", "2등급 이상 민감도"),
        Text("sensitivity", "민감도"),
        True,
        sensitivities,
        (tuple(GRADES[_CLEAR:]),),
    ),
    "specificity": Metric(
        Text("specificity at grade 2 or more", "2등급 이상 특이도"),
        Text("specificity", "특이도"),
        True,
        specificities,
        (tuple(GRADES[:_CLEAR]),),
    ),
}


HEADLINE = "quadratic_weighted_kappa"
# Metrics for which counts are enough.
COUNTED = {name: metric.compute for name, metric in METRICS.items() if metric.compute}


@dataclass(frozen=True)
class Metrics:
    """All metrics of one condition's grades in one split, named as in METRICS; NaN where undefined.

    Attributes:
        images: labelled pictures.
    """

    images: int
    quadratic_weighted_kappa: float
    average_mean_absolute_error: float
    worst_grade_recall: float
    accuracy: float
    macro_f1: float
    within_one_accuracy: float
    far_error_share: float
    sensitivity: float
    specificity: float


def measure(counts: Counts) -> Metrics:
    """Compute all metrics of one confusion matrix (4, 4)."""
    return Metrics(int(counts.sum()), **{name: float(compute(counts)) for name, compute in COUNTED.items()})


def quadratic_weighted_kappa(counts: npt.NDArray[np.integer]) -> float:
    """Return quadratic weighted kappa of one matrix; see `kappas`."""
    return float(kappas(np.asarray(counts)))


def counts_by_group(predictions: pd.DataFrame, condition: str, part: str, groups: Mapping[str, object]) -> Counts:
    """Count one confusion matrix a group, (groups, 4, 4).

    Args:
        groups: the group of each image id; an image without one is a group of its own.
    """
    rows = labelled_rows(predictions, condition, part)
    group_names = rows["image"].map(groups).astype(object)
    codes, names = pd.factorize(group_names.where(group_names.notna(), rows["image"]).astype(str), sort=True)
    cells = codes * _GRADES**2 + rows["truth"].to_numpy(dtype=np.int64) * _GRADES + _predicted(rows)
    return np.bincount(cells, minlength=len(names) * _GRADES**2).reshape(-1, _GRADES, _GRADES)


def confusion(predictions: pd.DataFrame, condition: str, part: str) -> Counts:
    """Count the confusion matrix of one condition in one split of a run's prediction table."""
    rows = labelled_rows(predictions, condition, part)
    return count(rows["truth"].to_numpy(dtype=np.int64), _predicted(rows))


def labelled_rows(predictions: pd.DataFrame, condition: str, part: str) -> pd.DataFrame:
    """Return the labelled rows of one condition in one split of a prediction table."""
    rows = predictions[(predictions["condition"] == condition) & (predictions["part"] == part)]
    return rows.dropna(subset="truth")


def _predicted(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    return rows["grade"].to_numpy(dtype=np.int64)


def report(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compute the metrics of every condition and split: columns condition, part and those of Metrics."""
    # All matrices in one pass: choosing the rows of each took half of the time until a server is ready.
    pairs = predictions.groupby(["condition", "part"], sort=False, observed=True)
    rows = predictions.assign(pair=pairs.ngroup()).dropna(subset="truth")
    cells = rows["pair"].to_numpy() * _GRADES**2 + rows["truth"].to_numpy(dtype=np.int64) * _GRADES + _predicted(rows)
    matrices = np.bincount(cells, minlength=pairs.ngroups * _GRADES**2).reshape(-1, _GRADES, _GRADES)
    return pd.DataFrame(
        {"condition": condition, "part": part, **vars(measure(counts))}
        for (condition, part), counts in zip(pairs.size().index, matrices, strict=True)
    )


def ranked_probability_scores(probabilities: npt.NDArray[np.floating], truth: npt.NDArray[np.integer]) -> Values:
    """Return the mean squared distances (n,) of the cumulated probabilities from the truth's: 0 is best, 1 worst.

    Source: Epstein 1969.

    Args:
        probabilities: (n, 4).
        truth: (n,).
    """
    cumulated, scores = np.zeros_like(probabilities[:, 0]), np.zeros(len(truth))
    for grade in range(_GRADES - 1):  # column by column: a fourth of the time of numpy's cumsum over so short an axis
        cumulated = cumulated + probabilities[:, grade]
        scores += np.square(cumulated - (truth <= grade))
    return scores / (_GRADES - 1)
