"""The limits of the gate, and how strict they are: fitted so that few pictures of real scalps pass them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

FALSE_ALARMS = 0.05  # share of calibration pictures that lie beyond the limit of the distance
EXTREME = 0.005  # share of calibration pictures beyond each other limit, before its margin
_MARGIN = 0.95  # of sharpness and brightness
_OVEREXPOSED_MARGIN = 0.02  # of the picture
FARTHEST = 1e6  # distance that no picture passes


@dataclass(frozen=True)
class GateLimits:
    """Limits of what a run can grade; see ImageStats and PPCA for what is limited.

    Attributes:
        pixels: lowest number of pixels along either side: the side of the network's input.
        sharpness: lowest.
        overexposed: highest share.
        brightness: lowest.
        distance: highest, in deviations of the logarithm from the median of scalps.
    """

    pixels: int
    sharpness: float
    overexposed: float
    brightness: float
    distance: float


def fit_limits(
    pixels: int, sharpness: Floats, overexposed: Floats, brightness: Floats, distances: Floats
) -> GateLimits:
    """Set the limits by the measurements (n,) of n calibration pictures.

    Args:
        pixels: along a side of the network's input.
    """
    return GateLimits(
        pixels,
        sharpness=_MARGIN * float(np.quantile(sharpness, EXTREME)),
        overexposed=_OVEREXPOSED_MARGIN + float(np.quantile(overexposed, 1 - EXTREME)),
        brightness=_MARGIN * float(np.quantile(brightness, EXTREME)),
        distance=_conformal_limit(distances),
    )


def _conformal_limit(distances: Floats) -> float:
    """Return the ⌈(n + 1)(1 − FALSE_ALARMS)⌉-th smallest distance, which a new scalp passes with a chance of at most
    FALSE_ALARMS (split conformal prediction, Vovk et al. 2005).
    """
    place = int(np.ceil((len(distances) + 1) * (1 - FALSE_ALARMS)))
    return float(np.sort(distances)[min(place, len(distances)) - 1])
