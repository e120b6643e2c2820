"""The limits of the gate, and how strict they are: fitted so that few pictures of real scalps pass them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalp_core.labels import GRADES

Floats = npt.NDArray[np.floating]
Rows = npt.NDArray[np.bool_]

UNUSUAL_SHARE = 0.05  # of calibration pictures that are marked, as they are
# Shares of calibration pictures that are refused as no scalp: of each grade of each condition as they are and varied,
# and of all varied ones together. The widest of these limits holds.
REFUSED_OF_GRADE, REFUSED_OF_VARIED_GRADE, REFUSED_OF_VARIED = 0.05, 0.10, 0.02
EXTREME = 0.005  # share of calibration pictures beyond each other limit, before its margin
_MARGIN = 0.95  # of sharpness and brightness
_OVEREXPOSED_MARGIN = 0.02  # of the picture
FARTHEST = 1e6  # distance that no picture passes


@dataclass(frozen=True)
class GateLimits:
    """Limits of what a run can grade; see ImageStats and ScalpDistance for what is limited.

    Attributes:
        pixels: lowest number of pixels along either side: the side of the network's input.
        sharpness: lowest.
        overexposed: highest share.
        brightness: lowest.
        distance: highest, in deviations of the logarithm from the median of scalps.
        usual_distance: likewise; a picture beyond is graded and marked as unusual.
    """

    pixels: int
    sharpness: float
    overexposed: float
    brightness: float
    distance: float
    usual_distance: float


@dataclass(frozen=True)
class Measurements:
    """Measured values of n pictures that have limits: sharpness, overexposed, brightness and distance, (n,) each."""

    sharpness: Floats
    overexposed: Floats
    brightness: Floats
    distance: Floats


def fit_limits(pixels: int, original: Measurements, varied: Measurements, grades: Floats) -> GateLimits:
    """Set the limits by the measurements of n calibration pictures, as they are and varied.

    Each limit is the widest of those of the pictures of every grade of every condition, so that none of them is refused
    more than the others. The usual distance is one of all pictures together.

    Args:
        pixels: along a side of the network's input.
        grades: (n, conditions), NaN where unlabelled.
    """
    groups = grade_groups(grades)

    def highest(name: str, share: float, pictures: Measurements = original) -> float:
        return max(_conformal_limit(getattr(pictures, name)[group], share) for group in groups)

    def lowest(name: str) -> float:
        return min(float(np.quantile(getattr(original, name)[group], EXTREME)) for group in groups)

    return GateLimits(
        pixels,
        sharpness=_MARGIN * lowest("sharpness"),
        overexposed=_OVEREXPOSED_MARGIN + highest("overexposed", EXTREME),
        brightness=_MARGIN * lowest("brightness"),
        distance=max(
            highest("distance", REFUSED_OF_GRADE),
            highest("distance", REFUSED_OF_VARIED_GRADE, varied),
            _conformal_limit(varied.distance, REFUSED_OF_VARIED),
        ),
        usual_distance=_conformal_limit(original.distance, UNUSUAL_SHARE),
    )


def grade_groups(grades: Floats) -> Sequence[Rows]:
    """Return which pictures (n,) have each grade of each condition, and last all of them; empty groups are left out."""
    groups = [column == grade for column in grades.T for grade in GRADES]
    return [*(group for group in groups if group.any()), np.ones(len(grades), dtype=bool)]


def _conformal_limit(values: Floats, share: float) -> float:
    """Return the ⌈(n + 1)(1 − share)⌉-th smallest value, which a new one passes with a chance of at most `share` (split
    conformal prediction, Vovk et al. 2005); the largest where n is too small for that promise.
    """
    place = int(np.ceil((len(values) + 1) * (1 - share)))
    return float(np.sort(values)[min(place, len(values)) - 1])
