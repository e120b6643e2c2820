"""Is one network better than another? Paired bootstrap over groups of pictures. Knows no run, no file, no page.

A side of a comparison is one network, or several that differ only in their seed: its figure is their mean. The same
resample of groups goes to every side and condition, so what makes a head easy for one and for the other cancels out.
Groups and not pictures, because pictures of one head are alike (docs/design/evaluation.md).
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
    Sample,
    deviation,
    holm,
    merge_groups,
    percentiles,
    resample,
    sample,
)
from scalp_core.metrics.metrics import COUNTED, METRICS, Counts, Matrices, Values

# A difference in quadratic weighted kappa that nobody would notice (docs/design/evaluation.md).
PRACTICALLY_EQUAL = METRICS["quadratic_weighted_kappa"].negligible

_GRADES = len(GRADES)
_OFTEN = 0.8  # “four in five cases” of `detectable`


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


def verdict(difference: Difference, negligible: float = PRACTICALLY_EQUAL) -> Verdict:
    """Of a difference of which more is better. Too small to matter goes before certainly larger than nothing.

    Args:
        negligible: a difference that nobody would notice; see evaluate.Metric.
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
    """Every metric of every side and condition, with all that resampling says about them.

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
        samples=_samples(sums),
    )


def _figures(sums: npt.NDArray[np.floating]) -> dict[str, Values]:
    """Every metric (…) of sums (…, 17) of tallies."""
    # In double precision, as kappa multiplies counts with each other.
    counts = sums[..., :CELLS].astype(np.float64).reshape(*sums.shape[:-1], _GRADES, _GRADES)
    images = np.einsum("...ij->...", counts)
    scores = np.where(images > 0, sums[..., CELL_COUNTS - 1] / np.maximum(images, 1), math.nan)
    return {name: COUNTED[name](counts) if name in COUNTED else scores for name in METRICS}


def _samples(sums: npt.NDArray[np.float32]) -> dict[str, tuple[Sample, ...]]:
    """Of each metric and condition, how much the groups tell of chance; of tallies (groups, runs, conditions, 17)."""
    truths = sums[..., :CELLS].reshape(*sums.shape[:3], _GRADES, _GRADES).sum(axis=4).max(axis=1)
    return {name: tuple(_sample(name, truths[:, place]) for place in range(truths.shape[1])) for name in METRICS}


def _sample(metric: str, truths: Matrices) -> Sample:
    """Of one metric, with how many pictures of each true grade every group has (groups, 4)."""
    carried = np.array([(truths[:, list(part)] > 0).any(axis=1).sum() for part in METRICS[metric].parts])
    carried = carried[carried > 0]
    return sample(carried[carried == carried.min()][:1] if METRICS[metric].worst and len(carried) else carried)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What sides reach on the same pictures, and how far chance goes. A metric is named as in evaluate.METRICS.

    Attributes:
        sides: S names.
        conditions: C.
        images: (C,) labelled pictures.
        groups: how many were resampled.
        counts: (S, C, 4, 4), truth × prediction, the mean over the side's runs.
        of_runs: of each metric and side (runs, C).
        replicates: of each metric (replicates, S, C); none where there are fewer than two groups.
        samples: of each metric (C,), how much the groups tell of chance.
    """

    sides: tuple[str, ...]
    conditions: tuple[Condition, ...]
    images: npt.NDArray[np.int64]
    groups: int
    counts: Values
    of_runs: Mapping[str, Sequence[Values]]
    replicates: Mapping[str, Values]
    samples: Mapping[str, Sequence[Sample]]

    def values(self, metric: str) -> Values:
        """(S, C); NaN where a side does not grade a condition or nothing is labelled."""
        return np.stack([runs.mean(axis=0) for runs in self.of_runs[metric]])

    def estimate(self, metric: str, side: str, condition: Condition) -> Estimate:
        """The value with its 95 % interval."""
        number, place = self._place(side, condition)
        level = self.samples[metric][place].percentile_level
        low, high = percentiles(self.replicates[metric][:, number, place], level)
        return Estimate(float(self.values(metric)[number, place]), float(low), float(high))

    def spread(self, metric: str, side: str, condition: Condition) -> tuple[float, float]:
        """The lowest and the highest of the side's runs, which differ in their seed."""
        number, place = self._place(side, condition)
        runs = self.of_runs[metric][number][:, place]
        return float(runs.min()), float(runs.max())

    def graded(self, condition: Condition, metric: str = "quadratic_weighted_kappa") -> tuple[str, ...]:
        """The sides of which something can be said there."""
        known = ~np.isnan(self.values(metric)[:, self.conditions.index(condition)])
        return tuple(side for side, one in zip(self.sides, known, strict=True) if one)

    def best(self, metric: str, condition: Condition) -> str | None:
        """The side with the best value."""
        ranked = self._ranked(metric, condition)
        return ranked[0] if ranked else None

    def _ranked(self, metric: str, condition: Condition) -> list[str]:
        """The best first."""
        values = dict(zip(self.sides, self._oriented(metric, condition)[0], strict=True))
        return sorted(self.graded(condition, metric), key=lambda side: -values[side])

    def pairs(self, metric: str, condition: Condition) -> pd.DataFrame:
        """Every side against every other.

        Differences of figures of hundreds of pictures are nearly normal, so interval and p value are of Student's t
        with the standard deviation of the resampled differences: percentiles so far out would need tens of thousands
        of resamples. Both are corrected over all pairs (Holm 1979), not only those with the best side: which one that
        is, the same pictures have decided.

        Returns:
            side, other, difference (side − other), low, high, p, p_holm, verdict (of side). NaN where chance is
            unknown.
        """
        couples, differences, deviations = self._couples(metric, condition)
        known = self._sample(metric, condition)
        p = known.p_values(differences, deviations)
        corrected, levels = holm(p)
        reach = known.half_widths(deviations, levels)
        rows = [
            row
            for couple, *figures in zip(couples, differences, reach, p, corrected, strict=True)
            for row in _both_ways(metric, couple, *figures)
        ]
        table = pd.DataFrame(rows, columns=["side", "other", "difference", "low", "high", "p", "p_holm", "verdict"])
        # As it is, not as the text that pandas makes of it.
        return table.assign(verdict=pd.Series([row[-1] for row in rows], dtype=object))

    def _couples(self, metric: str, condition: Condition) -> tuple[list[tuple[str, str]], Values, Values]:
        """Every two sides, how far the first is ahead, and the standard deviation of that."""
        values, drawn = self._oriented(metric, condition)
        at = {side: self.sides.index(side) for side in self.graded(condition, metric)}
        couples = list(combinations(at, 2))
        differences = [values[at[one]] - values[at[other]] for one, other in couples]
        deviations = [deviation(drawn[:, at[one]] - drawn[:, at[other]]) for one, other in couples]
        return couples, np.array(differences), np.array(deviations)

    def tied(self, metric: str, condition: Condition) -> dict[str, str]:
        """A letter for every side, the best first.

        “a” have the best and all that are not told apart from it; “b” the best of the rest and those of the rest that
        are not told apart from that one, and so on. A side may so stand behind one of a later letter: from the best it
        is not told apart, as its difference is the less certain one.
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
        """How stable the order is.

        Returns:
            side, rank (1 = best), low and high (95 % of the resamples), best_share (share of them in which it is the
            best; sides that are equal there share it); the best first.
        """
        sides = self._ranked(metric, condition)
        values, drawn = self._of_sides(metric, condition, sides)
        above = (drawn[:, np.newaxis, :] > drawn[:, :, np.newaxis]).sum(axis=2) + 1.0
        low, high = percentiles(above)
        first = above == 1
        shares = (first / first.sum(axis=1, keepdims=True)).mean(axis=0) if len(drawn) else low
        ranks = (values > values[:, np.newaxis]).sum(axis=1) + 1
        return pd.DataFrame({"side": sides, "rank": ranks, "low": low, "high": high, "best_share": shares})

    def detectable(self, metric: str, condition: Condition) -> tuple[float, float]:
        """True differences that `pairs` would call certain in about half of the cases, and in four of five.

        Of the middle pair, at the first step of the correction. NaN where chance is unknown.
        """
        _, _, deviations = self._couples(metric, condition)
        if not len(deviations):
            return math.nan, math.nan
        known, middle = self._sample(metric, condition), float(np.median(deviations))
        certain = float(known.reach(LEVEL / len(deviations)))
        return certain * middle, (certain + float(ndtri(_OFTEN)) * math.sqrt(known.shortfall)) * middle

    def chance_spread(self, metric: str, condition: Condition) -> float:
        """How far the best of these sides would lie above the worst if all were equally good, on average."""
        _, drawn = self._of_sides(metric, condition, self.graded(condition, metric))
        if drawn.size == 0:
            return math.nan
        around = drawn - drawn.mean(axis=0)
        return float((around.max(axis=1) - around.min(axis=1)).mean())

    def _of_sides(self, metric: str, condition: Condition, sides: Sequence[str]) -> tuple[Values, Values]:
        """Values (s,) and resamples (replicates, s) of these sides, more is better. Resamples in which one of them
        cannot say are left out; where these are most, or too few groups, all are.
        """
        places = [self.sides.index(side) for side in sides]
        values, drawn = self._oriented(metric, condition)
        known = drawn[~np.isnan(drawn[:, places]).any(axis=1)][:, places]
        enough = 2 * len(known) >= len(drawn) and not math.isnan(self._sample(metric, condition).freedom)
        return values[places], known if enough else known[:0]

    def _sample(self, metric: str, condition: Condition) -> Sample:
        return self.samples[metric][self.conditions.index(condition)]

    def _oriented(self, metric: str, condition: Condition) -> tuple[Values, Values]:
        """Values (S,) and resamples (replicates, S), turned so that more is better."""
        place, sign = self.conditions.index(condition), 1 if METRICS[metric].higher_is_better else -1
        return sign * self.values(metric)[:, place], sign * self.replicates[metric][:, :, place]

    def _place(self, side: str, condition: Condition) -> tuple[int, int]:
        return self.sides.index(side), self.conditions.index(condition)


def _both_ways(
    metric: str, couple: tuple[str, str], difference: float, reach: float, p: float, p_holm: float
) -> list[tuple[object, ...]]:
    """Two rows of `pairs`. The difference is how far the first is ahead; what is shown is the metric's own."""
    better, rows = METRICS[metric], []
    sign = 1 if better.higher_is_better else -1
    for (one, other), found in ((couple, difference), (couple[::-1], -difference)):
        shown = sorted((sign * (found - reach), sign * (found + reach)))
        said = verdict(Difference(found, found - reach, found + reach), better.negligible)
        rows.append((one, other, sign * found, *shown, p, p_holm, said))
    return rows


# ---- right and wrong answers, one by one ----


@dataclass(frozen=True)
class McNemar:
    """Pictures that only one of two sides has right, and how likely so uneven a split is by chance alone."""

    only_first: int
    only_second: int
    p: float


def mcnemar(right: npt.NDArray[np.bool_], other_right: npt.NDArray[np.bool_]) -> McNemar:
    """The exact test of two sides' accuracies on the same pictures (n,) (McNemar 1947).

    It takes every picture for a head of its own, so it is a secondary figure: p is too small where they are not.
    """
    first, second = int((right & ~other_right).sum()), int((other_right & ~right).sum())
    p = min(1.0, 2 * float(bdtr(min(first, second), first + second, 0.5))) if first + second else 1.0
    return McNemar(first, second, p)


# ---- two sides ----


@dataclass(frozen=True)
class Estimates:
    """What a side reaches; the names are those of evaluate.METRICS.

    The worst recall of a resample lies below that of all pictures more often than above, as every minimum does: its
    interval leans downwards.
    """

    quadratic_weighted_kappa: Estimate
    average_mean_absolute_error: Estimate
    worst_grade_recall: Estimate


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


def estimate(side: Counts) -> Estimates:
    """What a side reaches, with intervals.

    Args:
        side: (seeds, groups, 4, 4) count tables, truth × prediction; see evaluate.counts_by_group.
    """
    return Estimates(*(Estimate(*_interval(*figures)) for figures in _one_by_one(side)))


def difference(side: Counts, other: Counts) -> Differences:
    """What a side reaches beyond the other, in a comparison that was wanted before the pictures were looked at: nothing
    is corrected.

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
            Difference(*_interval(value - others, drawn - drawn_others, level))
            for (value, drawn, level), (others, drawn_others, _) in zip(
                _one_by_one(side), _one_by_one(other), strict=True
            )
        )
    )


def _one_by_one(side: Counts) -> list[tuple[float, Values, float]]:
    """Value, resamples (replicates,) and level of percentiles of every metric of Estimates: the mean over the seeds."""
    drawn = resample(side.transpose(1, 0, 2, 3).astype(np.float32)).astype(np.float64)
    whole, truths = side.sum(axis=1), side[0].sum(axis=-1)
    of = {name: COUNTED[name] for name in Estimates.__dataclass_fields__}
    return [
        (float(one(whole).mean()), one(drawn).mean(axis=-1), _sample(name, truths).percentile_level)
        for name, one in of.items()
    ]


def _interval(value: float, replicates: Values, level: float) -> tuple[float, float, float]:
    low, high = percentiles(replicates, level)
    return value, float(low), float(high)
