"""Rater noise and the ceiling that follows from it."""

import itertools

import numpy as np
import pytest
from conftest import without_truth

from scalp_core.data.dataset import Dataset
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import count, quadratic_weighted_kappa
from scalp_core.synthetic.label_noise import best_kappa, ceiling, clean_grades, draw_labels, label_chances, truth_of

GENERATOR = np.random.default_rng(0)


def severities(**of: float) -> np.ndarray:
    return np.array([[of.get(condition.code, 0.0) for condition in CONDITIONS]])


def chance(severities: np.ndarray, condition: Condition) -> np.ndarray:
    return label_chances(severities)[0, CONDITIONS.index(condition)]


def test_chances_sum_to_one_and_labels_follow_them() -> None:
    severe = GENERATOR.uniform(0, 3, (40_000, len(CONDITIONS)))
    severe[:] = severe[0]
    chances = label_chances(severe)
    assert chances.sum(axis=-1) == pytest.approx(1)
    labels = draw_labels(severe, GENERATOR)
    for place in range(len(CONDITIONS)):
        shares = np.bincount(labels[:, place], minlength=4) / len(labels)
        assert shares == pytest.approx(chances[0, place], abs=0.01)


def test_middle_of_grade_is_surer_than_its_border() -> None:
    middle, border = (chance(severities(hair_loss=first), Condition.HAIR_LOSS) for first in (2.0, 2.45))
    assert middle[2] > 0.9 > 0.65 > border[2] > border[3] > 0.3


def test_what_is_absent_is_hardly_ever_seen() -> None:
    assert chance(severities(hair_loss=0.1), Condition.HAIR_LOSS)[0] > 0.995
    assert chance(severities(pustules=0.1, erythema=3.0), Condition.PUSTULES)[0] > 0.99


@pytest.mark.parametrize(
    ("first", "second"), [("erythema", "pustules"), ("pustules", "erythema"), ("fine_scaling", "dandruff")]
)
def test_related_conditions_are_taken_for_each_other(first: str, second: str) -> None:
    condition = next(condition for condition in CONDITIONS if condition.code == first)
    alone = chance(severities(**{first: 1.0, second: 1.0}), condition)
    beside = chance(severities(**{first: 1.0, second: 3.0}), condition)
    assert beside[2] > alone[2] + 0.04


def test_clean_grades_are_the_nearest() -> None:
    assert clean_grades(np.array([0.0, 0.49, 0.51, 1.49, 1.51, 2.6, 3.0])).tolist() == [0, 0, 1, 1, 2, 3, 3]


def test_no_grades_agree_better_than_the_ceiling() -> None:
    """Every way to grade five kinds of pictures, tried out: 4⁵ of them."""
    kinds = GENERATOR.dirichlet(np.ones(4), 5)
    best = max(_expected_kappa(kinds, predicted) for predicted in itertools.product(range(4), repeat=5))
    assert best_kappa(kinds) == pytest.approx(best, abs=1e-9)


def _expected_kappa(chances: np.ndarray, predicted: tuple[int, ...]) -> float:
    counts = np.zeros((4, 4))
    for row, grade in zip(chances, predicted, strict=True):
        counts[:, grade] += row
    squared = np.square(np.subtract.outer(np.arange(4), np.arange(4)))
    expected = (squared * np.outer(counts.sum(1), counts.sum(0))).sum() / counts.sum()
    return -np.inf if expected == 0 else 1 - (squared * counts).sum() / expected


def test_certain_labels_have_no_ceiling_below_one() -> None:
    assert best_kappa(np.eye(4)) == pytest.approx(1)
    assert np.isnan(best_kappa(np.array([[1.0, 0, 0, 0]] * 3)))
    assert np.isnan(best_kappa(np.empty((0, 4))))


def test_the_ceiling_is_what_a_perfect_eye_reaches() -> None:
    """On many pictures the clean grades agree with drawn labels about as well as the ceiling says."""
    severe = GENERATOR.choice([0.1, 0.9, 1.1, 1.8, 2.2, 2.9], size=(20_000, len(CONDITIONS)))
    chances, labels, clean = label_chances(severe), draw_labels(severe, GENERATOR), clean_grades(severe)
    for place in range(len(CONDITIONS)):
        reached = quadratic_weighted_kappa(count(labels[:, place], clean[:, place]))
        assert best_kappa(chances[:, place]) == pytest.approx(reached, abs=0.01)


def test_drawn_data_set_has_ceiling_and_truth(tiny_data: Dataset) -> None:
    best = ceiling(tiny_data, "test")
    assert set(best) == set(CONDITIONS)
    defined = [value for value in best.values() if not np.isnan(value)]
    assert len(defined) >= 3
    assert all(0 < value < 1 for value in defined)
    for row in (0, 5):
        for clean, severity in truth_of(tiny_data, row).values():
            assert abs(severity - clean) <= 0.5


def test_pictures_of_others_have_none(tiny: Dataset, folders) -> None:
    imported = without_truth(tiny, folders.data / "imported")
    assert ceiling(imported, "test") == {}
    assert truth_of(imported, 0) == {}
