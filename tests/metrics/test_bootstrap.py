"""Resampling, few groups and many comparisons, against scipy, numpy and by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from scalp_core.metrics.bootstrap import EffectiveSize, effective_size, merge_groups, percentiles, resample


def test_resampled_sums_have_the_right_spread() -> None:
    generator = np.random.default_rng(0)
    values = generator.exponential(2, (300, 1)).astype(np.float32)
    replicates = resample(values, 4000)
    assert replicates.shape == (4000, 1)
    assert replicates.mean() == pytest.approx(values.sum(), rel=0.01)
    assert replicates.std() == pytest.approx(values.std() * math.sqrt(300), rel=0.05)
    assert np.array_equal(replicates, resample(values, 4000))
    assert not np.array_equal(replicates, resample(values, 4000, seed=1))


@pytest.mark.parametrize("groups", [0, 1])
def test_too_few_groups_are_not_resampled(groups: int) -> None:
    assert resample(np.ones((groups, 2, 3), dtype=np.float32)).shape == (0, 2, 3)


def test_merged_groups_keep_the_spread() -> None:
    generator = np.random.default_rng(1)
    values = generator.gamma(0.5, 2, 20_000)
    sets = merge_groups(np.arange(20_000))
    assert len(np.unique(sets)) == sets.max() + 1 == 4096
    assert set(np.bincount(sets)) == {4, 5}
    sums = np.bincount(sets, values).astype(np.float32)[:, np.newaxis]
    assert resample(sums).std() == pytest.approx(values.std() * math.sqrt(20_000), rel=0.06)
    few = np.array([0, 1, 1, 2])
    assert merge_groups(few) is few


def test_percentiles_are_numpys_of_what_is_known() -> None:
    replicates = np.random.default_rng(2).normal(size=(500, 3))
    replicates[:200, 1], replicates[:300, 2] = math.nan, math.nan
    low, high = percentiles(replicates)
    for column in (0, 1):
        assert [low[column], high[column]] == pytest.approx(np.nanpercentile(replicates[:, column], [2.5, 97.5]))
    assert math.isnan(low[2])  # most cannot say


def test_one_part_is_students_t() -> None:
    size = effective_size(np.array([25]))
    assert (size.groups, size.freedom, size.inflation) == (25, 24, pytest.approx(25 / 24))
    assert float(size.reach(0.05)) == pytest.approx(stats.t.ppf(0.975, 24) * math.sqrt(25 / 24))
    assert size.percentile_level == pytest.approx(2 * stats.norm.cdf(-float(size.reach(0.05))))
    assert effective_size(np.array([100_000])).percentile_level == pytest.approx(0.05, rel=1e-3)


def test_sample_mean_has_the_t_test_p_value() -> None:
    """The bootstrap's deviation of a mean lacks the factor that the inflation puts back."""
    values = np.random.default_rng(3).normal(0.4, 1, 20)
    deviation = np.array([values.std(ddof=0) / math.sqrt(20)])
    p_values = effective_size(np.array([20])).p_values(np.array([values.mean()]), deviation)
    assert p_values[0] == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_a_rare_part_leaves_little_freedom() -> None:
    even, uneven = effective_size(np.array([50, 50, 50, 50])), effective_size(np.array([50, 50, 50, 4]))
    assert even.freedom == pytest.approx(4 * 49)
    assert 3 < uneven.freedom < 6
    assert effective_size(np.array([50, 0, 50, 50])).freedom == pytest.approx(3 * 49)  # a grade that does not occur


@pytest.mark.parametrize("groups", [[], [0, 0], [1], [60, 1]])
def test_a_single_group_says_nothing_of_chance(groups: list[int]) -> None:
    size = effective_size(np.array(groups, dtype=np.int64))
    assert math.isnan(size.freedom)
    assert math.isnan(size.percentile_level)
    assert math.isnan(size.p_values(np.array([0.3]), np.array([0.1]))[0])
    assert np.isnan(percentiles(np.zeros((10, 2)), size.percentile_level)).all()


def test_where_no_resample_moves_a_difference_groups_vote() -> None:
    differences, steady = np.array([0.5, 0.0]), np.zeros(2)
    few, many = effective_size(np.array([3])), effective_size(np.array([30]))
    assert few.p_values(differences, steady).tolist() == [stats.binomtest(3, 3).pvalue, 1]
    assert np.isnan(few.half_widths(steady, np.array([0.05, 0.05]))).all()
    assert many.p_values(differences, steady)[0] < 1e-8
    assert many.half_widths(steady, np.array([0.05, 0.05])).tolist() == [0, 0]
    assert isinstance(many, EffectiveSize)
