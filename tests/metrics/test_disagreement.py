"""Pictures on which networks err together or part from each other, on tiny arrays."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalp_core.metrics.disagreement import all_wrong, apart, only_right

# Pictures:        0  1  2  3   4   5
TRUTH = np.array([0, 1, 2, 3, -1, 2], dtype=np.int8)
GRADES = np.array(
    [
        [0, 2, 1, 0, 0, -1],
        [0, 1, 1, 2, 3, -1],
        [1, 2, 3, 2, 1, -1],
        [-1] * 6,  # grades other conditions
    ],
    dtype=np.int8,
)


def test_all_wrong_are_labelled_pictures_that_nobody_has_right() -> None:
    assert all_wrong(TRUTH, GRADES).tolist() == [2, 3]  # nobody grades the last one, and the one before has no label


def test_only_right_is_right_alone() -> None:
    assert [only_right(TRUTH, GRADES, network).tolist() for network in range(4)] == [[], [1], [], []]


def test_whoever_is_alone_is_not_right_alone() -> None:
    assert only_right(TRUTH, GRADES[[1, 3]], 0).tolist() == []
    assert only_right(TRUTH, GRADES[:1], 0).tolist() == []


def test_apart_is_about_answers_and_needs_no_label() -> None:
    assert apart(GRADES).tolist() == [2, 3, 4]
    assert apart(GRADES, least=3).tolist() == [4]
    assert apart(GRADES[3:]).tolist() == []


@given(st.lists(st.tuples(st.integers(-1, 3), *[st.integers(-1, 3)] * 3), min_size=1))
def test_every_picture_is_sorted_as_one_would_by_hand(pictures: list[tuple[int, ...]]) -> None:
    table: npt.NDArray[np.int8] = np.array(pictures, dtype=np.int8).T
    truth, grades = table[0], table[1:]
    for place, (label, *answers) in enumerate(pictures):
        given_answers = [answer for answer in answers if answer >= 0]
        right = [label >= 0 and answer == label for answer in answers]
        assert (place in all_wrong(truth, grades)) == (label >= 0 and bool(given_answers) and not any(right))
        for network in range(3):
            alone = right[network] and sum(right) == 1 and len(given_answers) > 1
            assert (place in only_right(truth, grades, network)) == alone
        spread = max(given_answers) - min(given_answers) if given_answers else 0
        assert (place in apart(grades)) == (spread >= 2)


@pytest.mark.parametrize("function", [lambda: all_wrong(TRUTH[:0], GRADES[:, :0]), lambda: apart(GRADES[:, :0])])
def test_no_picture_is_no_trouble(function) -> None:
    assert function().tolist() == []
