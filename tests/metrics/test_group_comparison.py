"""Figures by groups of pictures: checked against scikit-learn and a bootstrap written out, and what is too small."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from scalp_core.labels import CONDITIONS
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.group_comparison import MIN_IMAGES, MOST_GROUPS, compare_groups
from scalp_core.metrics.paired_comparison import compare
from scalp_core.metrics.verdict import Verdict

CONDITION, NAMES = CONDITIONS[1], ("good", "poor", "tiny")
KAPPA, ACCURACY = "quadratic_weighted_kappa", "accuracy"


def draw(
    seed: int = 0, captures: int = 60, each: int = 6, errors: tuple[float, float] = (0.1, 0.5)
) -> AlignedPredictions:
    """Two runs; pictures of odd places in a capture are graded wrong more often. Captures lie in both groups."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(captures), each)
    truth = generator.integers(0, 4, len(groups)).astype(np.int8)
    wrong = generator.random((2, len(groups))) < np.where(places(len(groups)) == 0, *errors)
    grades = np.where(wrong, (truth + 1) % 4, truth).astype(np.int8)
    shape = (2, len(CONDITIONS), len(groups))
    probabilities = np.eye(4, dtype=np.float32)[np.broadcast_to(grades[:, np.newaxis], shape)]
    spread = [
        np.broadcast_to(values[:, np.newaxis], shape).copy() for values in (grades, grades, np.minimum(grades + 1, 3))
    ]
    images = np.array([f"{place:05d}" for place in range(len(groups))], dtype=object)
    every_truth = np.broadcast_to(truth, (len(CONDITIONS), len(groups))).copy()
    return AlignedPredictions(("a", "b"), CONDITIONS, images, groups, every_truth, *spread, probabilities)


def places(images: int) -> np.ndarray:
    codes = np.arange(images) % 2
    codes[-4:] = 2
    return codes


@pytest.fixture
def aligned() -> AlignedPredictions:
    return draw()


def test_values_are_scikit_learn_s_and_intervals_a_plain_bootstrap_s(aligned: AlignedPredictions) -> None:
    codes = places(len(aligned.images))
    compared = compare_groups(aligned, {"a": ["a"], "b": ["b"]}, CONDITION, codes, NAMES, replicates=500)
    table = compared.by_group(KAPPA, "b").set_index("group")
    truth, grades = aligned.truth[1], aligned.grades[1, 1]

    def kappa(rows: np.ndarray) -> float:
        return cohen_kappa_score(truth[rows], grades[rows], weights="quadratic", labels=range(4))

    inside, rest = np.flatnonzero(codes == 1), np.flatnonzero(codes != 1)
    assert table.loc["poor", "value"] == pytest.approx(kappa(inside))
    assert table.loc["poor", "difference"] == pytest.approx(kappa(inside) - kappa(rest))
    assert table.loc["poor", "images"] == len(inside)
    assert table.loc["poor", "captures"] == len(set(aligned.groups[inside]))
    generator, differences = np.random.default_rng(1), []
    for _ in range(300):
        resampled = generator.integers(0, 60, 60)
        rows = np.concatenate([np.flatnonzero(aligned.groups == capture) for capture in resampled])
        differences.append(kappa(rows[codes[rows] == 1]) - kappa(rows[codes[rows] != 1]))
    half_width = (table.loc["poor", "difference_high"] - table.loc["poor", "difference_low"]) / 2
    assert half_width == pytest.approx(2.0 * np.std(differences), rel=0.25)  # Holm's last step is not corrected
    assert table.loc["poor", "verdict"] is Verdict.WORSE
    assert table.loc["good", "verdict"] is Verdict.BETTER


def test_one_group_of_all_is_the_whole_comparison(aligned: AlignedPredictions) -> None:
    whole = compare(aligned, {"a": ["a"]}, replicates=200)
    grouped = compare_groups(
        aligned, {"a": ["a"]}, CONDITION, np.zeros(len(aligned.images), dtype=np.int64), ["all"], replicates=200
    )
    (row,) = grouped.by_group(KAPPA, "a").to_dict("records")
    estimate = whole.estimate(KAPPA, "a", CONDITION)
    assert (row["value"], row["low"], row["high"]) == pytest.approx((estimate.value, estimate.low, estimate.high))
    assert math.isnan(row["difference"])  # there is no rest


def test_too_small_groups_say_nothing_and_correct_nothing(aligned: AlignedPredictions) -> None:
    codes = places(len(aligned.images))
    compared = compare_groups(aligned, {"a": ["a"]}, CONDITION, codes, NAMES, replicates=100)
    row = compared.by_group(ACCURACY, "a").set_index("group").loc["tiny"]
    assert not compared.large_enough("tiny")
    assert row["images"] == 4 < MIN_IMAGES
    assert row[["value", "difference", "p_holm"]].isna().all()
    assert row["verdict"] is None


def test_equal_groups_are_seldom_told_apart() -> None:
    """In about a twentieth of the draws at most, where nothing differs in truth."""
    called = 0
    for seed in range(40):
        aligned = draw(seed, captures=40, errors=(0.3, 0.3))
        codes = np.arange(len(aligned.images)) % 2
        table = compare_groups(aligned, {"a": ["a"]}, CONDITION, codes, NAMES[:2], replicates=200).by_group(
            ACCURACY, "a"
        )
        called += bool((table["p_holm"] < 0.05).any())
    assert called <= 6


def test_of_many_groups_the_largest_are_kept_in_order(aligned: AlignedPredictions) -> None:
    codes = np.repeat(np.arange(20), 18)
    codes[:5] = 19
    names = [f"site {number}" for number in range(20)]
    compared = compare_groups(aligned, {"a": ["a"]}, CONDITION, codes, names, replicates=50)
    assert len(compared.names) == MOST_GROUPS
    assert list(compared.names) == sorted(compared.names, key=names.index)
    assert "site 0" not in compared.names  # the smallest
    assert "site 19" in compared.names
    assert compared.left_out == 20 - MOST_GROUPS


def test_pictures_without_a_group_or_label_count_nowhere(aligned: AlignedPredictions) -> None:
    codes = places(len(aligned.images))
    codes[:60] = -1
    truth = aligned.truth.copy()
    truth[1, 60:80] = -1
    compared = compare_groups(replace(aligned, truth=truth), {"a": ["a"]}, CONDITION, codes, NAMES, replicates=50)
    assert compared.images.sum() == len(codes) - 80


@pytest.mark.parametrize("names", [(), NAMES])
def test_a_column_without_values_has_no_groups(aligned: AlignedPredictions, names: tuple[str, ...]) -> None:
    codes = np.full(len(aligned.images), -1)
    compared = compare_groups(aligned, {"a": ["a"]}, CONDITION, codes, names, replicates=20)
    assert compared.names == ()
    assert compared.by_group(ACCURACY, "a").empty
