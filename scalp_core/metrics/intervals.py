"""Confidence intervals of shares."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from scalp_core.metrics.bootstrap import LEVEL

_REACH = round(NormalDist().inv_cdf(1 - LEVEL / 2), 6)  # standard deviations, as tables print them


def wilson(right: npt.ArrayLike, images: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the ends of the 95 % interval of the share `right` / `images` (Wilson 1927); NaN where `images` is 0.

    They lie within 0 … 1 and are sensible for few pictures. The interval takes pictures of one head for independent
    ones, so it is a little too narrow.
    """
    total = np.where(np.asarray(images) > 0, images, math.nan).astype(np.float64)
    share, squared = np.asarray(right) / total, _REACH**2
    middle = (share + squared / (2 * total)) / (1 + squared / total)
    half = np.sqrt(squared * (share * (1 - share) / total + squared / (4 * total**2))) / (1 + squared / total)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
