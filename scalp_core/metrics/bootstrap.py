"""How far chance goes: resampling of groups, and what is corrected for few of them and for many comparisons. Knows no
metric, no run.

Every choice is measured by `python -m benchmarks coverage` and `verdicts` (docs/design/evaluation.md).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtr, stdtrit

Values = npt.NDArray[np.float64]

REPLICATES = 2000
LEVEL = 0.05  # of wrong verdicts; intervals hold 95 %

# More groups than this are put together at random. A standard deviation of so many sums is uncertain by 1.1 % of it,
# which is less than by 2,000 resamples; time and memory stop growing.
_GROUPS_AT_MOST = 4096
_AT_ONCE = 1000  # replicates; bounds the memory. Many small products would cost more where other work takes turns
_STEADY = 1e-6  # a smaller deviation is the rounding of single precision


def merge_groups(groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """What is resampled as one, of groups 0 … G − 1 (n,): the groups themselves, or sets of them drawn by lot.

    Groups that are alike in distribution and independent are so in sets as well, whatever these are called.
    """
    found = int(groups.max(initial=-1)) + 1
    if found <= _GROUPS_AT_MOST:
        return groups
    drawn: npt.NDArray[np.int64] = np.random.default_rng(0).permutation(found)[groups] % _GROUPS_AT_MOST
    return drawn


def resample(sums: npt.NDArray[np.float32], replicates: int = REPLICATES, seed: int = 0) -> npt.NDArray[np.float32]:
    """Sums over groups drawn with replacement, as many as there are: (replicates, …) of (groups, …).

    The draws depend on the number of groups and the seed alone: whatever is resampled apart is paired all the same.
    Fewer than two groups tell nothing of chance: then there is no replicate. Single precision counts exactly up to 16
    million. Source: Efron & Tibshirani 1993, of groups: Field & Welsh 2007.
    """
    groups, flat = len(sums), sums.reshape(len(sums), math.prod(sums.shape[1:]))
    replicates = replicates if groups > 1 else 0
    generator, drawn = np.random.default_rng(seed), np.empty((replicates, flat.shape[1]), dtype=np.float32)
    weights = np.empty((min(_AT_ONCE, replicates), groups), dtype=np.float32)
    for start in range(0, replicates, _AT_ONCE):
        block = drawn[start : start + _AT_ONCE]
        for row in weights[: len(block)]:
            # Counting drawn places is many times faster than numpy's multinomial, and the same distribution.
            row[:] = np.bincount(generator.integers(0, groups, groups), minlength=groups)
        np.matmul(weights[: len(block)], flat, out=block)
    return drawn.reshape(replicates, *sums.shape[1:])


def percentiles(replicates: Values, level: float = LEVEL) -> tuple[Values, Values]:
    """Both ends of the percentile interval along the first axis. Resamples that cannot say (NaN) are left out; where
    most cannot, or the level is NaN, so are the ends.
    """
    if not len(replicates) or math.isnan(level):
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


def deviation(replicates: Values) -> float:
    """Standard deviation of resamples (n,); NaN where most cannot say."""
    known = replicates[~np.isnan(replicates)]
    return float(known.std(ddof=1)) if len(known) > max(1, len(replicates) // 2) else math.nan


# ---- few groups ----


@dataclass(frozen=True)
class Sample:
    """How much groups can tell of chance.

    Attributes:
        groups: that carry a figure; of several parts the fewest.
        freedom: degrees of freedom of the resamples' standard deviation; NaN with fewer than two groups.
        shortfall: by what to multiply the resamples' variance, which is too small: k / (k − 1) of k groups.
    """

    groups: int
    freedom: float
    shortfall: float

    def reach(self, levels: Values | float) -> Values:
        """Half the width of intervals, in standard deviations of the resamples: t quantiles."""
        return np.asarray(stdtrit(self.freedom, 1 - np.asarray(levels) / 2) * math.sqrt(self.shortfall))

    @property
    def percentile_level(self) -> float:
        """The level at which percentiles of resamples hold LEVEL: they reach as far as t quantiles do. Source: the
        expanded percentile interval of Hesterberg 2015, The American Statistician 69(4).
        """
        return float(2 * ndtr(-self.reach(LEVEL)))

    def p_values(self, differences: Values, deviations: Values) -> Values:
        """Two-sided, of no difference. Where no resample moves a difference, groups vote: the sign test."""
        steady = deviations < _STEADY
        distances = np.abs(differences) / np.where(steady, 1, deviations) / math.sqrt(self.shortfall)
        votes = np.where(np.abs(differences) < _STEADY, 1.0, self._unanimous)
        return np.where(steady, votes, 2 * stdtr(self.freedom, -distances))

    def half_widths(self, deviations: Values, levels: Values) -> Values:
        """Of the intervals of differences at their levels. NaN where no resample moves a difference and the groups are
        too few to make that sure.
        """
        unsure = (deviations < _STEADY) & (self._unanimous >= levels)
        return np.where(unsure, math.nan, self.reach(levels) * deviations)

    @property
    def _unanimous(self) -> float:
        """How likely it is that fair coins, one a group, all fall alike."""
        return min(1.0, 2.0 ** (1 - self.groups))


def sample(groups: npt.NDArray[np.integer]) -> Sample:
    """Of a figure that is the mean of parts, each carried by so many groups (parts,); parts without any do not count.

    A part's variance is taken to be the smaller the more groups carry it, so the degrees of freedom of the mean are
    those of Satterthwaite 1946: with one rare grade among four, little more than that grade's.
    """
    carried = groups[groups > 0].astype(np.float64)
    if not len(carried) or carried.min() < 2:
        return Sample(int(carried.min(initial=0)) if len(carried) else 0, math.nan, math.nan)
    variances = 1 / carried
    freedom = variances.sum() ** 2 / (variances**2 / (carried - 1)).sum()
    shortfall = (variances * carried / (carried - 1)).sum() / variances.sum()
    return Sample(int(carried.min()), float(freedom), float(shortfall))


# ---- many comparisons ----


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
        if highest < LEVEL:
            level = LEVEL / (len(order) - step)
        highest = max(highest, min(1.0, (len(order) - step) * float(p[place])))
        corrected[place], levels[place] = highest, level
    return corrected, levels
