"""The paired bootstrap: a known better side is better, equal ones are not, and intervals keep what they promise."""

import time

import numpy as np
import pytest

from scalp_core import compare, evaluate
from scalp_core.compare import Difference, Verdict, difference, estimate, verdict

METRICS = tuple(compare.Estimates.__dataclass_fields__)


def sides(
    generator: np.random.Generator, groups: int, shares: tuple[float, ...], images: int = 4, seeds: int = 1
) -> list[np.ndarray]:
    """Sides that grade the same pictures, each with that share of grades that are one off; (seeds, groups, 4, 4).

    How hard a head is, all sides share: pictures of one group go wrong together.
    """
    truth = generator.integers(0, 4, (groups, images))
    hard = generator.beta(0.5, 0.5, (groups, 1))
    found = []
    for share in shares:
        wrong = generator.random((seeds, groups, images)) < 2 * share * hard
        given = np.where(wrong, np.where(truth == 0, 1, truth - 1), truth)
        cells = np.arange(groups)[:, np.newaxis] * 16 + truth * 4 + given
        counts = [np.bincount(one.ravel(), minlength=groups * 16).reshape(-1, 4, 4) for one in cells]
        found.append(np.stack(counts))
    return found


def test_one_network_is_as_evaluate_says() -> None:
    (side,) = sides(np.random.default_rng(0), 60, (0.3,))
    counts = side[0].sum(axis=0)
    found, measured = estimate(side), evaluate.measure(counts)
    for name in METRICS:
        one = getattr(found, name)
        assert one.value == pytest.approx(getattr(measured, name))
        assert one.low < one.value < one.high
    kappa = found.quadratic_weighted_kappa
    assert (kappa.low, kappa.high) == pytest.approx(evaluate.kappa_interval(side[0]))


def test_several_seeds_count_by_their_mean() -> None:
    (side,) = sides(np.random.default_rng(1), 40, (0.3,), seeds=3)
    alone = [estimate(side[seed : seed + 1]) for seed in range(3)]
    for name in METRICS:
        mean = np.mean([getattr(one, name).value for one in alone])
        assert getattr(estimate(side), name).value == pytest.approx(mean)
    widths = [one.quadratic_weighted_kappa.high - one.quadratic_weighted_kappa.low for one in alone]
    together = estimate(side).quadratic_weighted_kappa
    assert together.high - together.low < max(widths)


def test_a_better_side_is_better_and_the_other_worse() -> None:
    good, bad = sides(np.random.default_rng(2), 150, (0.1, 0.35), seeds=3)
    found, back = difference(good, bad), difference(bad, good)
    assert found.verdict is Verdict.BETTER
    assert back.verdict is Verdict.WORSE
    assert found.average_mean_absolute_error.high < 0 < found.worst_grade_recall.low
    for name in METRICS:
        one, other = getattr(found, name), getattr(back, name)
        assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
        assert one.value == pytest.approx(getattr(estimate(good), name).value - getattr(estimate(bad), name).value)


def test_the_same_networks_are_practically_equal() -> None:
    (side,) = sides(np.random.default_rng(3), 30, (0.3,), seeds=2)
    found = difference(side, side)
    assert found.verdict is Verdict.PRACTICALLY_EQUAL
    assert vars(found.quadratic_weighted_kappa) == {"value": 0, "low": 0, "high": 0}


def test_equally_good_networks_on_few_pictures_are_undecided() -> None:
    one, other = sides(np.random.default_rng(4), 25, (0.3, 0.3))
    assert difference(one, other).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.001, 0.1, Verdict.BETTER),
        (-0.1, -0.001, Verdict.WORSE),
        (-0.019, 0.019, Verdict.PRACTICALLY_EQUAL),
        (0.005, 0.015, Verdict.PRACTICALLY_EQUAL),  # certain, and too small for anybody to notice
        (-0.01, 0.03, Verdict.UNDECIDED),
        (float("nan"), float("nan"), Verdict.UNDECIDED),
    ],
)
def test_verdicts(low: float, high: float, said: Verdict) -> None:
    assert verdict(Difference((low + high) / 2, low, high)) is said
    assert said.text.en
    assert said.text.ko


def test_pairing_sees_what_two_intervals_do_not() -> None:
    """Most errors are the same ones: heads that are hard for both say nothing about who is better."""
    generator = np.random.default_rng(5)
    same, mine, theirs = sides(generator, 120, (0.4, 0.05, 0.15))
    good, bad = same + mine, same + theirs  # the same truth twice, so the labels agree
    found = difference(good, bad).quadratic_weighted_kappa
    alone = [estimate(side).quadratic_weighted_kappa for side in (good, bad)]
    assert alone[0].low < alone[1].high
    assert found.low > 0
    assert found.high - found.low < min(one.high - one.low for one in alone)


def test_equal_sides_differ_about_as_seldom_as_the_interval_says() -> None:
    generator = np.random.default_rng(6)
    inside = dict.fromkeys(METRICS, 0)
    for _ in range(100):
        found = difference(*sides(generator, 60, (0.3, 0.3), images=5))
        for name in METRICS:
            inside[name] += getattr(found, name).low <= 0 <= getattr(found, name).high
    assert all(88 <= count <= 100 for count in inside.values()), inside  # of a nominal 95


def test_a_dead_grade_shows() -> None:
    truth = np.zeros((1, 20, 4, 4), dtype=np.int64)
    truth[..., 0, 0], truth[..., 3, 2] = 5, 1
    found = estimate(truth)
    assert vars(found.worst_grade_recall) == {"value": 0, "low": 0, "high": 0}
    assert found.average_mean_absolute_error.value == pytest.approx(0.5)


def test_nothing_says_nothing() -> None:
    for groups in (0, 1):
        side = np.zeros((2, groups, 4, 4), dtype=np.int64)
        side[..., 1, 2] = 3
        for name in METRICS:
            one = getattr(estimate(side), name)
            assert np.isnan([one.low, one.high]).all()
            assert np.isnan(one.value) == (groups == 0)
        assert difference(side, side).verdict is Verdict.UNDECIDED


def test_other_pictures_cannot_be_compared() -> None:
    one, _ = sides(np.random.default_rng(7), 20, (0.3, 0.3))
    (other,) = sides(np.random.default_rng(8), 20, (0.3,))
    with pytest.raises(ValueError, match="same labels"):
        difference(one, other)
    with pytest.raises(ValueError, match="same labels"):
        difference(one, one[:, :10])


def test_the_usual_case_takes_no_time_to_wait_for() -> None:
    one, other = sides(np.random.default_rng(9), 170, (0.3, 0.2), seeds=3)
    start = time.process_time()
    difference(one, other)
    assert time.process_time() - start < 1  # a few hundredths on an idle machine
