"""Paired comparison of models by a bootstrap over groups of pictures (docs/design/evaluation.md).

A side of a comparison is one run, or several that differ only in their seed: its figure is their mean. Every side and
condition gets the same resample of groups, so that the difficulty of a head cancels out of differences. Groups are
resampled and not pictures, because pictures of one head are alike.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from string import ascii_lowercase

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import bdtr, ndtri

from scalp_core.errors import Text
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.alignment import CELL_COUNTS, CELLS, AlignedPredictions, cell_counts
from scalp_core.metrics.bootstrap import (
    LEVEL,
    REPLICATES,
    EffectiveSize,
    deviation,
    effective_size,
    holm,
    merge_groups,
    percentiles,
    resample,
)
from scalp_core.metrics.metrics import COUNTED, METRICS, Counts, Matrices, Values

# A difference in quadratic weighted kappa that is too small to matter (docs/design/evaluation.md).
PRACTICALLY_EQUAL = METRICS["quadratic_weighted_kappa"].negligible

_GRADES = len(GRADES)
_POWER = 0.8  # “four in five cases” of `detectable`


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95 % interval (percentile bootstrap over groups). NaN where undefined.

    The interval is about other heads, not about other seeds: it treats the runs as given.
    """

    value: float
    low: float
    high: float


class Difference(Estimate):
    """One side's figure minus the other's."""


class Verdict(StrEnum):
    """The outcome of a comparison, in a word."""

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


def verdict(difference: Difference, negligible: float = PRACTICALLY_EQUAL) -> Verdict:
    """Judge a difference of which more is better. Too small to matter goes before significantly above 0.

    Args:
        negligible: a difference too small to matter; see metrics.Metric.
    """
    if difference.low >= -negligible and difference.high <= negligible:
        return Verdict.PRACTICALLY_EQUAL
    if difference.low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if difference.high < 0 else Verdict.UNDECIDED


# ---- many sides ----


def compare(
    aligned: AlignedPredictions, sides: Mapping[str, Sequence[str]], replicates: int = REPLICATES, seed: int = 0
) -> "Comparison":
    """Estimate every metric of every side and condition, with its replicates.

    Args:
        sides: ids of the runs of each side, by the side's name.
        replicates: of the bootstrap.

    Raises:
        ValueError: a side has no run, or one that is not among the aligned.
    """
    if not sides or not all(sides.values()):
        raise ValueError("every side needs a run")
    members = [[aligned.run(run_id) for run_id in runs] for runs in sides.values()]
    sums = cell_counts(replace(aligned, groups=merge_groups(aligned.groups)))
    whole = sums.sum(axis=0, dtype=np.float64)
    counts = whole[..., :CELLS].reshape(*whole.shape[:2], _GRADES, _GRADES)
    return Comparison(
        sides=tuple(sides),
        conditions=aligned.conditions,
        images=(aligned.truth >= 0).sum(axis=1),
        groups=int(aligned.groups.max(initial=-1)) + 1,
        counts=np.stack([counts[places].mean(axis=0) for places in members]),
        of_runs={name: tuple(values[places] for places in members) for name, values in _figures(whole).items()},
        replicates={
            name: np.stack([values[:, places].mean(axis=1) for places in members], axis=1)
            for name, values in _figures(resample(sums, replicates, seed)).items()
        },
        sizes=_sizes(sums),
    )


def _figures(sums: npt.NDArray[np.floating]) -> dict[str, Values]:
    """Compute every metric (…) of summed cell counts (…, 17)."""
    # In double precision, as kappa multiplies counts with each other.
    counts = sums[..., :CELLS].astype(np.float64).reshape(*sums.shape[:-1], _GRADES, _GRADES)
    images = np.einsum("...ij->...", counts)
    scores = np.where(images > 0, sums[..., CELL_COUNTS - 1] / np.maximum(images, 1), math.nan)
    return {name: COUNTED[name](counts) if name in COUNTED else scores for name in METRICS}


def _sizes(sums: npt.NDArray[np.float32]) -> dict[str, tuple[EffectiveSize, ...]]:
    """Return the effective size of each metric and condition, of cell counts (groups, runs, conditions, 17)."""
    truths = sums[..., :CELLS].reshape(*sums.shape[:3], _GRADES, _GRADES).sum(axis=4).max(axis=1)
    return {name: tuple(_size(name, truths[:, place]) for place in range(truths.shape[1])) for name in METRICS}


def _size(metric: str, truths: Matrices) -> EffectiveSize:
    """Return the effective size of one metric, given the pictures of each true grade in every group (groups, 4)."""
    groups = np.array([(truths[:, list(grades)] > 0).any(axis=1).sum() for grades in METRICS[metric].strata])
    groups = groups[groups > 0]
    return effective_size(groups[groups == groups.min()][:1] if METRICS[metric].worst and len(groups) else groups)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Figures of several sides on the same pictures, and their uncertainty. Metrics are named as in METRICS.

    Attributes:
        sides: S names.
        conditions: C.
        images: (C,) labelled pictures.
        groups: number of groups.
        counts: (S, C, 4, 4), truth × prediction, the mean over the side's runs.
        of_runs: values of each metric and side (runs, C).
        replicates: of each metric (replicates, S, C); none where there are fewer than two groups.
        sizes: effective sizes of each metric (C,).
    """

    sides: tuple[str, ...]
    conditions: tuple[Condition, ...]
    images: npt.NDArray[np.int64]
    groups: int
    counts: Values
    of_runs: Mapping[str, Sequence[Values]]
    replicates: Mapping[str, Values]
    sizes: Mapping[str, Sequence[EffectiveSize]]

    def values(self, metric: str) -> Values:
        """Return the values (S, C); NaN where a side does not grade a condition or nothing is labelled."""
        return np.stack([runs.mean(axis=0) for runs in self.of_runs[metric]])

    def estimate(self, metric: str, side: str, condition: Condition) -> Estimate:
        """Return the value with its 95 % interval."""
        number, place = self._place(side, condition)
        level = self.sizes[metric][place].percentile_level
        low, high = percentiles(self.replicates[metric][:, number, place], level)
        return Estimate(float(self.values(metric)[number, place]), float(low), float(high))

    def spread(self, metric: str, side: str, condition: Condition) -> tuple[float, float]:
        """Return the lowest and the highest value of the side's runs, which differ in their seed."""
        number, place = self._place(side, condition)
        runs = self.of_runs[metric][number][:, place]
        return float(runs.min()), float(runs.max())

    def graded(self, condition: Condition, metric: str = "quadratic_weighted_kappa") -> tuple[str, ...]:
        """Return the sides with a value."""
        defined = ~np.isnan(self.values(metric)[:, self.conditions.index(condition)])
        return tuple(side for side, has_value in zip(self.sides, defined, strict=True) if has_value)

    def best(self, metric: str, condition: Condition) -> str | None:
        """Return the side with the best value."""
        ranked = self._ranked(metric, condition)
        return ranked[0] if ranked else None

    def _ranked(self, metric: str, condition: Condition) -> list[str]:
        """Return the sides with a value, the best first."""
        values = dict(zip(self.sides, self._oriented(metric, condition)[0], strict=True))
        return sorted(self.graded(condition, metric), key=lambda side: -values[side])

    def pairs(self, metric: str, condition: Condition) -> pd.DataFrame:
        """Compare every side with every other.

        Differences of figures of hundreds of pictures are nearly normal, so interval and p value are of Student's t
        with the standard deviation of the replicates' differences: percentiles so far out would need tens of thousands
        of replicates. Both are corrected over all pairs (Holm 1979), not only those with the best side, because the
        same pictures decided which side that is.

        Returns:
            side, other, difference (side − other), low, high, p, p_holm, verdict (of side). NaN where the uncertainty
            is unknown.
        """
        couples, differences, deviations = self._couples(metric, condition)
        size = self._size(metric, condition)
        p = size.p_values(differences, deviations)
        corrected, levels = holm(p)
        half_widths = size.half_widths(deviations, levels)
        rows = [
            row
            for couple, *figures in zip(couples, differences, half_widths, p, corrected, strict=True)
            for row in _both_ways(metric, couple, *figures)
        ]
        table = pd.DataFrame(rows, columns=["side", "other", "difference", "low", "high", "p", "p_holm", "verdict"])
        # As verdicts, which pandas would turn into text.
        return table.assign(verdict=pd.Series([row[-1] for row in rows], dtype=object))

    def _couples(self, metric: str, condition: Condition) -> tuple[list[tuple[str, str]], Values, Values]:
        """Return every two sides, how far the first is ahead, and the standard deviation of that."""
        values, replicates = self._oriented(metric, condition)
        at = {side: self.sides.index(side) for side in self.graded(condition, metric)}
        couples = list(combinations(at, 2))
        differences = [values[at[side]] - values[at[other]] for side, other in couples]
        deviations = [deviation(replicates[:, at[side]] - replicates[:, at[other]]) for side, other in couples]
        return couples, np.array(differences), np.array(deviations)

    def tied(self, metric: str, condition: Condition) -> dict[str, str]:
        """Return a letter for every side, the best side first.

        “a” marks the best and all sides that are not significantly worse; “b” the best of the rest and those of the
        rest that are not significantly worse than it, and so on. A side may so stand behind one of a later letter: its
        difference from the best is the less certain one.
        """
        pairs = self.pairs(metric, condition)
        worse = set(pairs.loc[pairs["verdict"] == Verdict.WORSE, ["side", "other"]].itertuples(index=False, name=None))
        ranked = self._ranked(metric, condition)
        letters: dict[str, str] = {}
        for letter in ascii_lowercase:
            left = [side for side in ranked if side not in letters]
            letters |= {side: letter for side in left if (side, left[0]) not in worse}
        return {side: letters.get(side, "z") for side in ranked}

    def ranks(self, metric: str, condition: Condition) -> pd.DataFrame:
        """Rank the sides, with the uncertainty of the ranks.

        Returns:
            side, rank (1 = best), low and high (95 % of the replicates), best_share (share of them in which it is the
            best; sides that are equal there share it); the best first.
        """
        sides = self._ranked(metric, condition)
        values, replicates = self._of_sides(metric, condition, sides)
        replicate_ranks = (replicates[:, np.newaxis, :] > replicates[:, :, np.newaxis]).sum(axis=2) + 1.0
        low, high = percentiles(replicate_ranks)
        first = replicate_ranks == 1
        shares = (first / first.sum(axis=1, keepdims=True)).mean(axis=0) if len(replicates) else low
        ranks = (values > values[:, np.newaxis]).sum(axis=1) + 1
        return pd.DataFrame({"side": sides, "rank": ranks, "low": low, "high": high, "best_share": shares})

    def detectable(self, metric: str, condition: Condition) -> tuple[float, float]:
        """Return the true differences that `pairs` would find significant in half, and in four fifths, of the cases.

        They are those of the median pair, at the first step of the correction. NaN where the uncertainty is unknown.
        """
        _, _, deviations = self._couples(metric, condition)
        if not len(deviations):
            return math.nan, math.nan
        size, median = self._size(metric, condition), float(np.median(deviations))
        significant = float(size.reach(LEVEL / len(deviations)))
        return significant * median, (significant + float(ndtri(_POWER)) * math.sqrt(size.inflation)) * median

    def chance_spread(self, metric: str, condition: Condition) -> float:
        """Return the mean distance between the best and the worst of these sides if all were equally good."""
        _, replicates = self._of_sides(metric, condition, self.graded(condition, metric))
        if replicates.size == 0:
            return math.nan
        centred = replicates - replicates.mean(axis=0)
        return float((centred.max(axis=1) - centred.min(axis=1)).mean())

    def _of_sides(self, metric: str, condition: Condition, sides: Sequence[str]) -> tuple[Values, Values]:
        """Return values (s,) and replicates (replicates, s) of these sides, of which more is better.

        Replicates with NaN are left out; where these are most, or there are too few groups, all are.
        """
        places = [self.sides.index(side) for side in sides]
        values, replicates = self._oriented(metric, condition)
        defined = replicates[~np.isnan(replicates[:, places]).any(axis=1)][:, places]
        enough = 2 * len(defined) >= len(replicates) and not math.isnan(self._size(metric, condition).freedom)
        return values[places], defined if enough else defined[:0]

    def _size(self, metric: str, condition: Condition) -> EffectiveSize:
        return self.sizes[metric][self.conditions.index(condition)]

    def _oriented(self, metric: str, condition: Condition) -> tuple[Values, Values]:
        """Return values (S,) and replicates (replicates, S), with a sign such that more is better."""
        place, sign = self.conditions.index(condition), 1 if METRICS[metric].higher_is_better else -1
        return sign * self.values(metric)[:, place], sign * self.replicates[metric][:, :, place]

    def _place(self, side: str, condition: Condition) -> tuple[int, int]:
        return self.sides.index(side), self.conditions.index(condition)


def _both_ways(
    metric: str, couple: tuple[str, str], difference: float, half_width: float, p: float, p_holm: float
) -> list[tuple[object, ...]]:
    """Return two rows of `pairs`, in the metric's own direction; `difference` is how far the first side is ahead."""
    judged_by, rows = METRICS[metric], []
    sign = 1 if judged_by.higher_is_better else -1
    for (side, other), ahead in ((couple, difference), (couple[::-1], -difference)):
        low, high = ahead - half_width, ahead + half_width
        outcome = verdict(Difference(ahead, low, high), judged_by.negligible)
        rows.append((side, other, sign * ahead, *sorted((sign * low, sign * high)), p, p_holm, outcome))
    return rows


# ---- right and wrong answers, one by one ----


@dataclass(frozen=True)
class McNemar:
    """Pictures that only one of two sides has right, and the p value of a division so uneven."""

    only_first: int
    only_second: int
    p: float


def mcnemar(right: npt.NDArray[np.bool_], other_right: npt.NDArray[np.bool_]) -> McNemar:
    """Test two sides' accuracies on the same pictures (n,), exactly (McNemar 1947).

    It takes every picture for a head of its own, so it is a secondary figure: p is too small where heads have several.
    """
    first, second = int((right & ~other_right).sum()), int((other_right & ~right).sum())
    p = min(1.0, 2 * float(bdtr(min(first, second), first + second, 0.5))) if first + second else 1.0
    return McNemar(first, second, p)


# ---- two sides ----


@dataclass(frozen=True)
class Estimates:
    """Estimates of one side, named as in METRICS.

    The worst recall of a replicate lies below that of all pictures more often than above, as every minimum does: its
    interval leans downwards.
    """

    quadratic_weighted_kappa: Estimate
    average_mean_absolute_error: Estimate
    worst_grade_recall: Estimate


@dataclass(frozen=True)
class Differences:
    """One side's figures minus the other's; of the error, less is better."""

    quadratic_weighted_kappa: Difference
    average_mean_absolute_error: Difference
    worst_grade_recall: Difference

    @property
    def verdict(self) -> Verdict:
        """The verdict on the first side, by quadratic weighted kappa."""
        return verdict(self.quadratic_weighted_kappa)


def estimate(side: Counts) -> Estimates:
    """Estimate the figures of one side, with intervals.

    Args:
        side: (seeds, groups, 4, 4) count tables, truth × prediction; see metrics.counts_by_group.
    """
    return Estimates(*(Estimate(*_interval(*figures)) for figures in _figures_of_side(side)))


def difference(side: Counts, other: Counts) -> Differences:
    """Estimate the differences of two sides named before the pictures were seen, so that nothing is corrected.

    Args:
        side: (seeds, groups, 4, 4) count tables, truth × prediction.
        other: the same groups in the same order; it may have another number of seeds.

    Raises:
        ValueError: the sides were not judged on the same labels of the same groups.
    """
    if not np.array_equal(side[0].sum(axis=-1), other[0].sum(axis=-1)):
        raise ValueError("only what was judged on the same labels of the same groups can be compared")
    return Differences(
        *(
            Difference(*_interval(value - other_value, replicates - other_replicates, level))
            for (value, replicates, level), (other_value, other_replicates, _) in zip(
                _figures_of_side(side), _figures_of_side(other), strict=True
            )
        )
    )


def _figures_of_side(side: Counts) -> list[tuple[float, Values, float]]:
    """Return value, replicates and percentile level of every metric of Estimates: the means over the seeds."""
    replicates = resample(side.transpose(1, 0, 2, 3).astype(np.float32)).astype(np.float64)
    whole, truths = side.sum(axis=1), side[0].sum(axis=-1)
    computed = {name: COUNTED[name] for name in Estimates.__dataclass_fields__}
    return [
        (float(compute(whole).mean()), compute(replicates).mean(axis=-1), _size(name, truths).percentile_level)
        for name, compute in computed.items()
    ]


def _interval(value: float, replicates: Values, level: float) -> tuple[float, float, float]:
    low, high = percentiles(replicates, level)
    return value, float(low), float(high)
