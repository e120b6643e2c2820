"""Weights by hand, and shares sampled with them from the joint label counts of the real data."""

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from scalp_core.learning.balancing import Labels, grade_weights, picture_weights, sampled_shares

NAN = np.nan
STRENGTHS = ["none", "square_root", "full"]
every_strength = pytest.mark.parametrize("strength", STRENGTHS)


@pytest.fixture(scope="module")
def real() -> Labels:
    table = pd.read_csv(ROOT / "scalp_core" / "synthetic" / "label_joint_counts.csv")
    return np.repeat(table.drop(columns="n").to_numpy(dtype=np.float64), table["n"], axis=0)


def column(*grades: float) -> Labels:
    return np.array(grades)[:, None]


def test_weights_match_a_hand_calculation() -> None:
    labels = column(0, 0, 0, 0, 0, 0, 3, 3, NAN)
    assert grade_weights(labels, "full")[0, [0, 3]] == pytest.approx([8 / (2 * 6), 8 / (2 * 2)])
    assert picture_weights(labels, "full") == pytest.approx([2 / 3] * 6 + [2, 2, 1])
    roots = np.sqrt([2 / 3] * 6 + [2, 2])
    assert picture_weights(labels, "square_root") == pytest.approx([*(roots / roots.mean()), 1])


def test_full_makes_grades_of_single_condition_equal() -> None:
    labels = column(0, 0, 0, 0, 0, 1, 1, 3, NAN, NAN)
    assert sampled_shares(labels, picture_weights(labels, "full")) == pytest.approx(np.array([[1, 1, 0, 1]]) / 3)


def test_the_rarest_grade_on_a_picture_decides() -> None:
    labels = np.array([[0, 0], [0, 0], [0, 0], [0, 1], [3, 0], [3, 1.0]])
    weights = picture_weights(labels, "full")
    assert weights[0] < weights[3] == weights[4] == weights[5]


@every_strength
def test_weights_are_one_on_average(real: Labels, strength: str) -> None:
    assert picture_weights(real, strength).mean() == pytest.approx(1)
    weights = grade_weights(real, strength)
    for condition, grades in enumerate(real.T.astype(np.int64)):
        assert weights[condition, grades].mean() == pytest.approx(1)


def test_none_changes_nothing(real: Labels) -> None:
    assert (grade_weights(real, "none") == 1).all()
    weights = picture_weights(real, "none")
    assert (weights == 1).all()
    shares = [np.bincount(grades, minlength=4) / len(grades) for grades in real.T.astype(np.int64)]
    assert sampled_shares(real, weights) == pytest.approx(np.array(shares))


def test_the_stronger_the_more_of_every_rarest_grade(real: Labels) -> None:
    plain, root, full = (sampled_shares(real, picture_weights(real, strength)) for strength in STRENGTHS)
    rarest = np.arange(6), plain.argmin(axis=1)
    assert (plain[rarest] < root[rarest]).all()
    assert (root[rarest] < full[rarest]).all()
    assert (full[rarest] < 1 / 4).all()  # no condition comes out uniform: pictures carry other labels too


def test_sampled_shares_match_a_sampler(real: Labels) -> None:
    weights = picture_weights(real, "square_root")
    sampled = np.random.default_rng(0).choice(len(real), 40_000, p=weights / weights.sum())
    shares = [np.bincount(grades, minlength=4) / len(sampled) for grades in real[sampled].T.astype(np.int64)]
    assert sampled_shares(real, weights) == pytest.approx(np.array(shares), abs=0.01)


@every_strength
def test_missing_labels_count_neither_way(real: Labels, strength: str) -> None:
    some = real[:500]
    gaps = np.vstack([some, np.full((20, 6), NAN)])
    assert grade_weights(gaps, strength) == pytest.approx(grade_weights(some, strength))
    weights = picture_weights(gaps, strength)
    assert weights == pytest.approx([*picture_weights(some, strength), *[1.0] * 20])
    assert sampled_shares(gaps, weights) == pytest.approx(sampled_shares(some, weights[:500]))


@every_strength
@pytest.mark.parametrize("labels", [np.full((3, 2), NAN), np.empty((0, 6)), column(2, 2, NAN)], ids=["NaN", "0", "one"])
@pytest.mark.filterwarnings("error")
def test_where_there_is_nothing_to_balance(labels: Labels, strength: str) -> None:
    weights = picture_weights(labels, strength)
    assert weights == pytest.approx(np.ones(len(labels)))
    assert np.isfinite(grade_weights(labels, strength)).all()
    shares = sampled_shares(labels, weights)
    assert shares.sum(axis=1) == pytest.approx((~np.isnan(labels)).any(axis=0).astype(float))


def test_an_unknown_strength_is_refused() -> None:
    with pytest.raises(KeyError):
        picture_weights(column(0, 1), "double")


def test_loss_weights_do_not_repeat_sampling_balance() -> None:
    generator = np.random.default_rng(0)
    labels = generator.choice(4, size=(2000, 1), p=[0.8, 0.12, 0.06, 0.02]).astype(float)
    sampled = picture_weights(labels, "full")
    assert grade_weights(labels, "full", sampled) == pytest.approx(np.ones((1, 4)))
    half = grade_weights(labels, "full", picture_weights(labels, "square_root"))
    shares = sampled_shares(labels, picture_weights(labels, "square_root")) * half
    assert shares / shares.sum() == pytest.approx(np.full((1, 4), 0.25))
