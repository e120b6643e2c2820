"""Is one network better than another? Paired bootstrap over groups of pictures. Knows no run, no file, no page.

A side of a comparison is one network, or several that differ only in their seed: its figure is their mean. The same
resample of groups goes to every side and condition, so what makes a head easy for one and for the other cancels out.
Source: Efron & Tibshirani 1993; groups instead of pictures, because pictures of one head are alike
(docs/design/evaluation.md).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import bdtr, ndtr, ndtri

from scalp_core.aligned import CELLS, TALLIES, Aligned, tallies
from scalp_core.errors import Text
from scalp_core.evaluate import COUNTED, METRICS, Counts, Values
from scalp_core.labels import GRADES, Condition

REPLICATES = 2000
# A difference in quadratic weighted kappa that nobody would notice (docs/design/evaluation.md).
PRACTICALLY_EQUAL = 0.02

_LEVEL = 0.05  # of wrong verdicts; intervals hold 95 %
_GRADES = len(GRADES)
_REPLICATES_AT_ONCE = 100  # bounds the memory that many groups take
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


def verdict(difference: Difference) -> Verdict:
    """Of a difference of which more is better. Too small to matter goes before certainly larger than nothing."""
    if difference.low >= -PRACTICALLY_EQUAL and difference.high <= PRACTICALLY_EQUAL:
        return Verdict.PRACTICALLY_EQUAL
    if difference.low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if difference.high < 0 else Verdict.UNDECIDED


# ---- the resamples ----


def resample(sums: npt.NDArray[np.float32], replicates: int = REPLICATES, seed: int = 0) -> npt.NDArray[np.float32]:
    """Sums over groups drawn with replacement, as many as there are: (replicates, …) of (groups, …).

    The draws depend on the number of groups and the seed alone: whatever is resampled apart is paired all the same.
    Single precision counts pictures exactly up to 16 million.
    """
    groups, flat = len(sums), sums.reshape(len(sums), math.prod(sums.shape[1:]))
    generator, drawn = np.random.default_rng(seed), np.empty((replicates, flat.shape[1]), dtype=np.float32)
    for start in range(0, replicates, _REPLICATES_AT_ONCE):
        block = drawn[start : start + _REPLICATES_AT_ONCE]
        # Counting drawn places is many times faster than numpy's multinomial, and the same distribution.
        weights = [np.bincount(generator.integers(0, groups, groups), minlength=groups) for _ in block]
        np.matmul(np.array(weights, dtype=np.float32), flat, out=block)
    return drawn.reshape(replicates, *sums.shape[1:])


def _ends(replicates: Values, level: float = _LEVEL) -> tuple[Values, Values]:
    """Percentile interval along the first axis. NaN where most resamples have nothing to agree on; of the others,
    those are left out.
    """
    if not len(replicates):
        nothing = np.full(replicates.shape[1:], math.nan)
        return nothing, nothing
    ordered = np.sort(replicates, axis=0)  # NaN last
    known = len(ordered) - np.isnan(ordered).sum(axis=0)
    low, high = (_at(ordered, known, share) for share in (level / 2, 1 - level / 2))
    enough = known * 2 >= len(ordered)
    return np.where(enough, low, math.nan), np.where(enough, high, math.nan)


def _at(ordered: Values, known: npt.NDArray[np.intp], share: float) -> Values:
    """The percentile of the first `known` values along the first axis, interpolated linearly as numpy does."""
    place = share * np.maximum(known - 1, 0)
    below = np.floor(place).astype(np.intp)
    first, second = (
        np.take_along_axis(ordered, np.minimum(one, len(ordered) - 1)[np.newaxis], axis=0)[0]
        for one in (below, np.ceil(place).astype(np.intp))
    )
    between: Values = first + (place - below) * (second - first)
    return between


# ---- many sides ----


def compare(
    aligned: Aligned, sides: Mapping[str, Sequence[str]], replicates: int = REPLICATES, seed: int = 0
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
    sums = tallies(aligned)
    drawn = resample(sums, replicates if len(sums) > 1 else 0, seed)
    members = [[aligned.run(run_id) for run_id in runs] for runs in sides.values()]
    of_runs = _figures(sums.sum(axis=0, dtype=np.float64))
    counts = sums.sum(axis=0, dtype=np.float64)[..., :CELLS].reshape(*sums.shape[1:3], _GRADES, _GRADES)
    return Comparison(
        sides=tuple(sides),
        conditions=aligned.conditions,
        images=(aligned.truth >= 0).sum(axis=1),
        groups=len(sums),
        counts=np.stack([counts[places].mean(axis=0) for places in members]),
        of_runs={name: tuple(values[places] for places in members) for name, values in of_runs.items()},
        replicates={
            name: np.stack([values[:, places].mean(axis=1) for places in members], axis=1)
            for name, values in _figures(drawn).items()
        },
    )


def _figures(sums: npt.NDArray[np.floating]) -> dict[str, Values]:
    """Every metric (…) of sums (…, 17) of tallies."""
    # In double precision, as kappa multiplies counts with each other.
    counts = sums[..., :CELLS].astype(np.float64).reshape(*sums.shape[:-1], _GRADES, _GRADES)
    images = counts.sum(axis=(-2, -1))
    scores = np.where(images > 0, sums[..., TALLIES - 1] / np.maximum(images, 1), math.nan)
    return {name: COUNTED[name](counts) if name in COUNTED else scores for name in METRICS}


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
    """

    sides: tuple[str, ...]
    conditions: tuple[Condition, ...]
    images: npt.NDArray[np.int64]
    groups: int
    counts: Values
    of_runs: Mapping[str, Sequence[Values]]
    replicates: Mapping[str, Values]

    def values(self, metric: str) -> Values:
        """(S, C); NaN where a side does not grade a condition or nothing is labelled."""
        return np.stack([runs.mean(axis=0) for runs in self.of_runs[metric]])

    def estimate(self, metric: str, side: str, condition: Condition) -> Estimate:
        """The value with its 95 % interval."""
        number, place = self._place(side, condition)
        low, high = _ends(self.replicates[metric][:, number, place])
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

        Differences of figures of hundreds of pictures are nearly normal, so interval and p value come from the standard
        deviation of the resampled differences: percentiles so far out would need tens of thousands of resamples. Both
        are corrected over all pairs (Holm 1979), not only those with the best side: which one that is, the same
        pictures have decided.

        Returns:
            side, other, difference (side − other), low, high, p, p_holm, verdict (of side). NaN where chance is
            unknown.
        """
        sides = self.graded(condition, metric)
        values, drawn = self._oriented(metric, condition)
        places = [self.sides.index(side) for side in sides]
        couples = [(first, second) for at, first in enumerate(places) for second in places[at + 1 :]]
        differences = np.array([values[first] - values[second] for first, second in couples])
        deviations = np.array([_deviation(drawn[:, first] - drawn[:, second]) for first, second in couples])
        p = _p_values(differences, deviations)
        corrected, levels = holm(p)
        reach = -ndtri(levels / 2) * deviations
        rows = [
            row
            for (first, second), *figures in zip(couples, differences, reach, p, corrected, strict=True)
            for row in self._both_ways(metric, first, second, *figures)
        ]
        return pd.DataFrame(rows, columns=["side", "other", "difference", "low", "high", "p", "p_holm", "verdict"])

    def _both_ways(
        self, metric: str, first: int, second: int, difference: float, reach: float, p: float, p_holm: float
    ) -> list[tuple[object, ...]]:
        """Two rows of `pairs`. The difference is oriented; what is shown is the metric's own."""
        sign, rows = (1 if METRICS[metric].higher_is_better else -1), []
        for one, other, found in ((first, second, difference), (second, first, -difference)):
            shown = sorted((sign * (found - reach), sign * (found + reach)))
            said = verdict(Difference(found, found - reach, found + reach))
            rows.append((self.sides[one], self.sides[other], sign * found, *shown, p, p_holm, said))
        return rows

    def tied(self, metric: str, condition: Condition) -> dict[str, str]:
        """A letter for every side, the best first.

        “a” have the best and all that are not told apart from it; “b” the best of the rest and those not told apart
        from that one, and so on.
        """
        pairs = self.pairs(metric, condition)
        worse = {(row.side, row.other) for row in pairs.itertuples() if row.verdict is Verdict.WORSE}
        letters: dict[str, str] = {}
        left = self._ranked(metric, condition)
        for letter in "abcdefghijklmnopqrstuvwxyz":
            joined = [side for side in left if (side, left[0]) not in worse]
            letters |= dict.fromkeys(joined, letter)
            left = [side for side in left if side not in letters]
            if not left:
                break
        return letters | dict.fromkeys(left, "z")

    def best_share(self, metric: str, condition: Condition) -> dict[str, float]:
        """In what share of the resamples each side is the best."""
        table = self.ranks(metric, condition)
        return dict(zip(table["side"], table["best_share"], strict=True))

    def ranks(self, metric: str, condition: Condition) -> pd.DataFrame:
        """How stable the order is.

        Returns:
            side, rank (1 = best), low and high (95 % of the resamples), best_share (share of them in which it is the
            best; sides that are equal there share it); the best first.
        """
        sides = self._ranked(metric, condition)
        places = [self.sides.index(side) for side in sides]
        drawn = self._oriented(metric, condition)[1][:, places]
        drawn = drawn[~np.isnan(drawn).any(axis=1)]
        above = (drawn[:, np.newaxis, :] > drawn[:, :, np.newaxis]).sum(axis=2) + 1.0
        low, high = _ends(above)
        first = above == 1
        shares = (first / np.maximum(first.sum(axis=1, keepdims=True), 1)).mean(axis=0) if len(drawn) else low
        return pd.DataFrame(
            {"side": sides, "rank": np.arange(len(sides)) + 1, "low": low, "high": high, "best_share": shares}
        )

    def detectable(self, metric: str, condition: Condition) -> tuple[float, float]:
        """True differences that `pairs` would call certain in about half of the cases, and in four of five.

        Of the middle pair, at the first step of the correction. NaN where chance is unknown.
        """
        drawn = self._oriented(metric, condition)[1]
        places = [self.sides.index(side) for side in self.graded(condition, metric)]
        deviations = [
            _deviation(drawn[:, first] - drawn[:, second])
            for at, first in enumerate(places)
            for second in places[at + 1 :]
        ]
        if not deviations:
            return math.nan, math.nan
        middle, certain = float(np.median(deviations)), -float(ndtri(_LEVEL / 2 / len(deviations)))
        return certain * middle, (certain + float(ndtri(_OFTEN))) * middle

    def chance_spread(self, metric: str, condition: Condition) -> float:
        """How far the best of these sides would lie above the worst if all were equally good, on average."""
        drawn = self._oriented(metric, condition)[1]
        drawn = drawn[:, [self.sides.index(side) for side in self.graded(condition, metric)]]
        drawn = drawn[~np.isnan(drawn).any(axis=1)]
        if drawn.size == 0:
            return math.nan
        around = drawn - drawn.mean(axis=0)
        return float((around.max(axis=1) - around.min(axis=1)).mean())

    def _oriented(self, metric: str, condition: Condition) -> tuple[Values, Values]:
        """Values (S,) and resamples (replicates, S), turned so that more is better."""
        place, sign = self.conditions.index(condition), 1 if METRICS[metric].higher_is_better else -1
        return sign * self.values(metric)[:, place], sign * self.replicates[metric][:, :, place]

    def _place(self, side: str, condition: Condition) -> tuple[int, int]:
        return self.sides.index(side), self.conditions.index(condition)


def _deviation(differences: Values) -> float:
    """Standard deviation of resampled differences; NaN where most have nothing to agree on."""
    known = differences[~np.isnan(differences)]
    return float(known.std(ddof=1)) if len(known) > max(1, len(differences) // 2) else math.nan


def _p_values(differences: Values, deviations: Values) -> Values:
    """Two-sided, of no difference. Where resampling never moves a difference there is no chance in it."""
    steady = deviations == 0
    distances = np.abs(differences) / np.where(steady, 1, deviations)
    return np.where(steady, np.where(differences == 0, 1.0, 0.0), 2 * ndtr(-distances))


def holm(p: Values) -> tuple[Values, Values]:
    """Holm's step-down correction (Holm 1979) of p values (m,).

    Returns:
        Corrected p values, and the level of each one's interval, such that interval and p value agree: those behind the
        first that is not certain are held to its level. NaN where p is.
    """
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    corrected, levels = np.full(len(p), math.nan), np.full(len(p), math.nan)
    highest, level = 0.0, 0.0
    for step, place in enumerate(order):
        if highest < _LEVEL:
            level = _LEVEL / (len(order) - step)
        highest = max(highest, min(1.0, (len(order) - step) * float(p[place])))
        corrected[place], levels[place] = highest, level
    return corrected, levels


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
            Difference(*_interval(value - others, replicates - resampled))
            for (value, replicates), (others, resampled) in zip(_one_by_one(side), _one_by_one(other), strict=True)
        )
    )


def _one_by_one(side: Counts) -> list[tuple[float, Values]]:
    """Value and resamples (replicates,) of every metric of Estimates: the mean over the seeds."""
    sums = side.transpose(1, 0, 2, 3).astype(np.float32)
    drawn = resample(sums, REPLICATES if len(sums) > 1 else 0).astype(np.float64)
    whole = side.sum(axis=1)
    found = []
    for name in Estimates.__dataclass_fields__:
        of = COUNTED[name]
        found.append((float(of(whole).mean()), of(drawn).mean(axis=-1)))
    return found


def _interval(value: float, replicates: Values) -> tuple[float, float, float]:
    low, high = _ends(replicates)
    return value, float(low), float(high)
