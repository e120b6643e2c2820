"""Is one network better than another? Paired bootstrap over groups of pictures. Knows no run, no table, no network.

A side of a comparison is one network, or several that differ only in their seed: its figure is their mean. The same
resample of groups goes to both sides, so what makes a head easy for one and for the other cancels out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from scalp_core.errors import Text
from scalp_core.evaluate import REPLICATES, Counts, kappas, worst_recalls
from scalp_core.labels import GRADES

# A difference in quadratic weighted kappa that nobody would notice (docs/design/evaluation.md).
PRACTICALLY_EQUAL = 0.02

_GRADES = len(GRADES)
_DISTANCE = np.abs(np.subtract.outer(np.arange(_GRADES), np.arange(_GRADES)))
_REPLICATES_AT_ONCE = 200  # bounds the memory that many groups take

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95 % interval (percentile bootstrap over groups). NaN where nothing can be said.

    The interval is about other heads, not about other seeds: it treats the networks as given.
    """

    value: float
    low: float
    high: float


class Difference(Estimate):
    """One side's figure minus the other's."""


@dataclass(frozen=True)
class Estimates:
    """What a side reaches; the names are those of evaluate.Metrics.

    The worst recall of a resample lies below that of all pictures more often than above, as every minimum does: its
    interval leans downwards.
    """

    quadratic_weighted_kappa: Estimate
    average_mean_absolute_error: Estimate
    worst_grade_recall: Estimate


class Verdict(StrEnum):
    """A comparison in a word."""

    BETTER = "better"
    WORSE = "worse"
    PRACTICALLY_EQUAL = "practically_equal"
    UNDECIDED = "undecided"

    @property
    def text(self) -> Text:
        return _VERDICT_TEXT[self]


_VERDICT_TEXT = {
    Verdict.BETTER: Text("better", "더 좋음"),
    Verdict.WORSE: Text("worse", "더 나쁨"),
    Verdict.PRACTICALLY_EQUAL: Text("practically equal", "사실상 같음"),
    Verdict.UNDECIDED: Text("undecided", "판단 보류"),
}


@dataclass(frozen=True)
class Differences:
    """One side minus the other; of the error, less is better."""

    quadratic_weighted_kappa: Difference
    average_mean_absolute_error: Difference
    worst_grade_recall: Difference

    @property
    def verdict(self) -> Verdict:
        """Of the side that stands first, by quadratic weighted kappa."""
        return verdict(self.quadratic_weighted_kappa)


def verdict(difference: Difference) -> Verdict:
    """Of a difference in quadratic weighted kappa. Too small to matter goes before certainly larger than nothing."""
    if difference.low >= -PRACTICALLY_EQUAL and difference.high <= PRACTICALLY_EQUAL:
        return Verdict.PRACTICALLY_EQUAL
    if difference.low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if difference.high < 0 else Verdict.UNDECIDED


def estimate(side: Counts) -> Estimates:
    """What a side reaches, with intervals.

    Args:
        side: (seeds, groups, 4, 4) count tables, truth × prediction; see evaluate.counts_by_group.
    """
    return Estimates(*(Estimate(*figures) for figures in _figures(side)))


def difference(side: Counts, other: Counts) -> Differences:
    """What a side reaches beyond the other, by the paired bootstrap of docs/design/evaluation.md.

    Args:
        side: (seeds, groups, 4, 4) count tables, truth × prediction.
        other: the same groups in the same order; it may have another number of seeds.

    Raises:
        ValueError: the sides were not judged on the same labels of the same groups.
    """
    if not np.array_equal(_labels(side), _labels(other)):
        raise ValueError("only what was judged on the same labels of the same groups can be compared")
    return Differences(*(Difference(*figures) for figures in _figures(side, other)))


def _labels(side: Counts) -> npt.NDArray[np.int64]:
    """(groups, 4): how many pictures of each grade a group has, which does not depend on who graded them."""
    labels: npt.NDArray[np.int64] = side[0].sum(axis=-1)
    return labels


def _figures(*sides: Counts) -> Iterator[tuple[float, float, float]]:
    """Value, low and high of each metric: of the one side, or of the first less the second."""
    reached = [_measured(side.sum(axis=1)) for side in sides]
    drawn = [_resampled(side) for side in sides]
    for metric in range(len(_METRICS)):
        value, *second = (float(one[metric].mean()) for one in reached)
        replicates, *others = (one[metric].mean(axis=-1) for one in drawn)
        yield value - sum(second), *_interval(replicates - sum(others))


def _interval(replicates: Values) -> tuple[float, float]:
    # As evaluate.kappa_interval: a few resamples may have nothing to agree on.
    if not len(replicates) or np.isnan(replicates).mean() > 0.5:
        return float("nan"), float("nan")
    low, high = np.nanpercentile(replicates, (2.5, 97.5))
    return float(low), float(high)


def _resampled(side: Counts, seed: int = 0) -> list[Values]:
    """Every metric of every resample and seed, each (replicates, seeds); empty for fewer than two groups.

    The resamples depend on the number of groups alone: both sides of a comparison get the same.
    """
    seeds, groups = side.shape[:2]
    if groups < 2:
        return [np.empty((0, seeds)) for _ in _METRICS]
    # In floating point the product goes through BLAS, and is exact for such small whole numbers.
    flat = side.transpose(1, 0, 2, 3).reshape(groups, -1).astype(np.float64)
    generator, drawn = np.random.default_rng(seed), []
    for _ in range(REPLICATES // _REPLICATES_AT_ONCE):
        weights = generator.multinomial(groups, np.full(groups, 1 / groups), size=_REPLICATES_AT_ONCE)
        drawn.append(_measured((weights.astype(np.float64) @ flat).reshape(-1, seeds, _GRADES, _GRADES)))
    return [np.concatenate(one) for one in zip(*drawn, strict=True)]


def _measured(counts: npt.NDArray[np.number]) -> list[Values]:
    """Every metric of matrices (…, 4, 4), each (…)."""
    return [metric(counts) for metric in _METRICS]


def _errors(counts: npt.NDArray[np.number]) -> Values:
    """Mean over the grades that occur of their mean absolute error, of matrices (…, 4, 4)."""
    truth = counts.sum(axis=-1)
    present = truth > 0
    errors = (counts * _DISTANCE).sum(axis=-1) / np.maximum(truth, 1)
    grades = present.sum(axis=-1)
    return np.where(grades, errors.sum(axis=-1) / np.maximum(grades, 1), np.nan)


def _recalls(counts: npt.NDArray[np.number]) -> Values:
    recalls = worst_recalls(counts)
    return np.where(np.isinf(recalls), np.nan, recalls)  # nothing was labelled


# In the order of the fields of Estimates and Differences.
_METRICS: tuple[Callable[[npt.NDArray[np.number]], Values], ...] = (kappas, _errors, _recalls)
