"""Uncertainty: the cluster bootstrap, and its corrections for few groups.

Every choice is measured by `python -m benchmarks coverage` and `verdicts` (docs/design/evaluation.md).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

REPLICATES = 2000
LEVEL = 0.05  # of wrong verdicts
CONFIDENCE = f"{1 - LEVEL:.0%}"  # of intervals, for sentences

# More groups than this are merged at random. A standard deviation of so many sums is uncertain by 1.1 % of it, which is
# less than by 2,000 resamples; time and memory stop growing.
_MAX_GROUPS = 4096
_BLOCK = 1000  # replicates at once; bounds the memory. Many small products would cost more beside other work
_ROUNDING = 1e-6  # a smaller deviation is the rounding of single precision


def merge_groups(groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Merge groups 0 … G − 1 (n,) into random sets of groups where they are more than 4,096.

    Sets of independent groups of one distribution are again independent and of one distribution.
    """
    count = int(groups.max(initial=-1)) + 1
    if count <= _MAX_GROUPS:
        return groups
    merged: npt.NDArray[np.int64] = np.random.default_rng(0).permutation(count)[groups] % _MAX_GROUPS
    return merged


def resample(sums: npt.NDArray[np.float32], replicates: int = REPLICATES, seed: int = 0) -> npt.NDArray[np.float32]:
    """Bootstrap sums over groups: (replicates, …) of (groups, …), each over as many groups sampled with replacement.

    The resamples depend on the number of groups and the seed alone, so that separate calls are paired. With fewer than
    two groups nothing can be said and there is no replicate. Single precision counts exactly up to 16 million.
    Source: Efron & Tibshirani 1993; of clusters: Field & Welsh 2007.
    """
    groups, flat = len(sums), sums.reshape(len(sums), math.prod(sums.shape[1:]))
    replicates = replicates if groups > 1 else 0
    generator, resampled = np.random.default_rng(seed), np.empty((replicates, flat.shape[1]), dtype=np.float32)
    weights = np.empty((min(_BLOCK, replicates), groups), dtype=np.float32)
    for start in range(0, replicates, _BLOCK):
        block = resampled[start : start + _BLOCK]
        for row in weights[: len(block)]:
            # Counting sampled places is many times faster than numpy's multinomial, and the same distribution.
            row[:] = np.bincount(generator.integers(0, groups, groups), minlength=groups)
        np.matmul(weights[: len(block)], flat, out=block)
    return resampled.reshape(replicates, *sums.shape[1:])


def percentiles(replicates: Values, level: float = LEVEL) -> tuple[Values, Values]:
    """Return both ends of the percentile interval along the first axis.

    Replicates that are NaN are left out; where most are, or the level is, the ends are NaN.
    """
    if not len(replicates) or math.isnan(level):
        undefined = np.full(replicates.shape[1:], math.nan)
        return undefined, undefined
    ordered = np.sort(replicates, axis=0)  # NaN last
    counts = len(ordered) - np.isnan(ordered).sum(axis=0)
    low, high = (_quantile(ordered, counts, share) for share in (level / 2, 1 - level / 2))
    enough = counts * 2 >= len(ordered)
    return np.where(enough, low, math.nan), np.where(enough, high, math.nan)


def _quantile(ordered: Values, counts: npt.NDArray[np.intp], share: float) -> Values:
    """Return the quantile of the first `counts` values along the first axis, interpolated linearly as numpy does."""
    place = share * np.maximum(counts - 1, 0)
    below = np.floor(place).astype(np.intp)
    first, second = (
        np.take_along_axis(ordered, np.minimum(neighbour, len(ordered) - 1)[np.newaxis], axis=0)[0]
        for neighbour in (below, np.ceil(place).astype(np.intp))
    )
    between: Values = first + (place - below) * (second - first)
    return between


def deviation(replicates: Values) -> float:
    """Return the standard deviation of replicates (n,); NaN where most of them are."""
    defined = replicates[~np.isnan(replicates)]
    return float(defined.std(ddof=1)) if len(defined) > max(1, len(replicates) // 2) else math.nan


# ---- few groups ----


@dataclass(frozen=True)
class EffectiveSize:
    """Effective sample size of a figure's bootstrap.

    Attributes:
        groups: that carry the figure; of several strata the fewest.
        freedom: degrees of freedom of the replicates' standard deviation; NaN with fewer than two groups.
        inflation: factor of the replicates' variance, which is too small: k / (k − 1) of k groups.
    """

    groups: int
    freedom: float
    inflation: float

    def reach(self, levels: Values | float) -> Values:
        """Return half the width of intervals, in standard deviations of the replicates: t quantiles."""
        # Imported where it is needed: it takes 0.2 s that a server's start, which elects runs, need not wait for.
        from scipy.special import stdtrit

        return np.asarray(stdtrit(self.freedom, 1 - np.asarray(levels) / 2) * math.sqrt(self.inflation))

    @property
    def percentile_level(self) -> float:
        """The level at which percentiles reach as far as t quantiles do at LEVEL.

        Source: the expanded percentile interval of Hesterberg 2015, The American Statistician 69(4).
        """
        from scipy.special import ndtr

        return float(2 * ndtr(-self.reach(LEVEL)))

    def p_values(self, differences: Values, deviations: Values) -> Values:
        """Return two-sided p values of no difference: Student's t, or the sign test where all replicates are equal."""
        from scipy.special import stdtr

        constant = deviations < _ROUNDING
        statistics = np.abs(differences) / np.where(constant, 1, deviations) / math.sqrt(self.inflation)
        sign_test = np.where(np.abs(differences) < _ROUNDING, 1.0, self._sign_test_p)
        return np.where(constant, sign_test, 2 * stdtr(self.freedom, -statistics))

    def half_widths(self, deviations: Values, levels: Values) -> Values:
        """Return half the widths of the intervals of differences at their levels.

        NaN where all replicates are equal and the groups are too few for the sign test to reach the level.
        """
        unsure = (deviations < _ROUNDING) & (self._sign_test_p >= levels)
        return np.where(unsure, math.nan, self.reach(levels) * deviations)

    @property
    def _sign_test_p(self) -> float:
        """The probability that fair coins, one a group, all fall alike."""
        return min(1.0, 2.0 ** (1 - self.groups))


def effective_size(groups: npt.NDArray[np.integer]) -> EffectiveSize:
    """Return the effective sample size of a mean over strata, each with so many groups (strata,).

    Strata without groups do not count. A stratum's variance is taken to be inverse to its number of groups, so the
    degrees of freedom of the mean are those of Satterthwaite 1946: with one rare grade among four, little more than
    that grade's.
    """
    stratum_groups = groups[groups > 0].astype(np.float64)
    if not len(stratum_groups) or stratum_groups.min() < 2:
        return EffectiveSize(int(stratum_groups.min(initial=0)) if len(stratum_groups) else 0, math.nan, math.nan)
    variances = 1 / stratum_groups
    freedom = variances.sum() ** 2 / (variances**2 / (stratum_groups - 1)).sum()
    inflation = (variances * stratum_groups / (stratum_groups - 1)).sum() / variances.sum()
    return EffectiveSize(int(stratum_groups.min()), float(freedom), float(inflation))
