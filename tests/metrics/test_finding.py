"""The error that the comparison names first."""

import numpy as np

from scalp_core.metrics.finding import FarError, worst_far_error

RIGHT = np.diag([10, 10, 10, 10])


def test_certain_share_counts_more_than_a_small_row() -> None:
    small, large = RIGHT.copy(), RIGHT.copy()
    small[3] = [0, 2, 0, 0]  # two of two
    large[3] = [0, 40, 0, 10]
    assert worst_far_error({"small": small, "large": large}) == FarError("large", 3, 1, 40, 50)


def test_three_grades_off_is_worse_than_two() -> None:
    near, far = RIGHT.copy(), RIGHT.copy()
    near[3] = [0, 8, 0, 2]
    far[3] = [8, 0, 0, 2]
    assert worst_far_error({"near": near, "far": far}) == FarError("far", 3, 0, 8, 10)


def test_neighbours_and_single_pictures_are_no_finding() -> None:
    counts = RIGHT.copy()
    counts[0] = [4, 5, 1, 0]
    assert worst_far_error({"model": counts}) is None
    assert worst_far_error({}) is None
