"""Pictures on which networks err together, or part from each other; pure. Knows no run, no page.

Everywhere truth is (n,), −1 without a label, and grades are (networks, n), −1 where a network does not grade.
"""

import numpy as np
import numpy.typing as npt

from scalp_core.labels import GRADES

Grades = npt.NDArray[np.int8]
Places = npt.NDArray[np.intp]

FAR = 2  # grades; errors of so many and more are of another kind than a neighbour's


def all_wrong(truth: Grades, grades: Grades) -> Places:
    """Labelled pictures that nobody who grades them has right."""
    return np.flatnonzero((truth >= 0) & (grades >= 0).any(axis=0) & (grades != truth).all(axis=0))


def only_right(truth: Grades, grades: Grades, network: int) -> Places:
    """Labelled pictures that this network alone has right, of two or more that grade them."""
    right = grades == truth
    alone = right[network] & (right.sum(axis=0) == 1)
    return np.flatnonzero((truth >= 0) & alone & ((grades >= 0).sum(axis=0) > 1))


def apart(grades: Grades, least: int = FAR) -> Places:
    """Pictures, labelled or not, whose lowest and highest answer are `least` grades apart or more."""
    lowest = np.where(grades < 0, len(GRADES), grades).min(axis=0)
    return np.flatnonzero(grades.max(axis=0) - lowest >= least)
