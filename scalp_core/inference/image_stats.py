"""What a picture is like at a glance: sharpness, light, colours and textures at one small scale. Knows no network.

All of it is taken at 160 px along the longer side, so that the numbers of pictures of all sizes compare, and of
pictures decoded at a reduced scale. What has fewer pixels is enlarged, and counts as less sharp.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.images import STATS_SIDE as SIDE
from scalp_core.images import Pixels

Floats = npt.NDArray[np.float32]

_BURNT = 250  # a channel from here on has left the range of the sensor
_LIGHT_SHARE = 0.95
_TONES = (0.02, 0.25, 0.75, 0.98)
_BANDS = 4  # octaves of detail, from 2 px to 16 px
_FEWEST_PIXELS = 4  # a side that can still be halved
TEXTURE_FEATURES = 28  # numbers of `looks`


class ImageStats(NamedTuple):
    """What a picture is like.

    Attributes:
        sharpness: deviation of the Laplacian of grey over the deviation of grey: how much of the contrast is fine
            detail. Unlike the variance of the Laplacian (Pech-Pacheco et al. 2000) it does not fall with the light.
        burnt: share of pixels with a channel at 250 or more.
        light: grey level (0–255) that a twentieth of the picture lies above.
        looks: (LOOKS,), colours and textures; see `_looks`.
    """

    sharpness: float
    burnt: float
    light: float
    looks: Floats


def image_stats(pixels: Pixels) -> ImageStats:
    """Of a picture of any size, from one pixel; always finite numbers."""
    small = _scaled(pixels)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    detail, contrast = (_deviations(values)[0] for values in (cv2.Laplacian(grey, cv2.CV_16S), grey))
    unburnt = cv2.countNonZero(cv2.inRange(small, (0, 0, 0), (_BURNT - 1,) * 3))
    (light,) = _quantiles(grey, (_LIGHT_SHARE,))
    return ImageStats(detail / (contrast + 1), 1 - unburnt / grey.size, float(light), _looks(small))


def _scaled(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    while max(pixels.shape[:2]) >= 4 * SIDE:  # halves are three times as fast as all at once
        halves = (max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
        pixels = np.asarray(cv2.resize(pixels, halves, interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _looks(small: Pixels) -> Floats:
    """Mean, deviation and correlation of CIE L*, a*, b*; tones of L*; strength of each octave of detail in all three
    and its skew in L* (hairs are dark, flakes are bright); how far the edges lie in one direction."""
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    half = cv2.resize(lab, (max(1, lab.shape[1] // 2), max(1, lab.shape[0] // 2)), interpolation=cv2.INTER_AREA)
    mean = np.array(cv2.mean(half)[:3])
    centred = half.reshape(-1, 3).astype(np.float32) - mean.astype(np.float32)
    covariance = centred.T @ centred / len(centred)
    deviation = np.sqrt(np.diag(covariance))
    softened = deviation + 2  # grey levels, below which a correlation is one of noise
    correlation = (covariance / np.outer(softened, softened))[[0, 0, 1], [1, 2, 2]]
    tones = (_quantiles(np.ascontiguousarray(lab[..., 0]), _TONES) - mean[0]) / 10
    parts = (mean, np.log(deviation + 1), correlation, tones, _bands(lab, half), [_aligned(half[..., 0])])
    return np.concatenate(parts).astype(np.float32)


def _bands(lab: Pixels, half: Pixels) -> list[float]:
    """The finest octave in L* alone, as JPEG keeps no finer colours."""
    lightness = lab[..., 0].astype(np.float32)
    found = _band(lightness, cv2.blur(lightness, (3, 3)))
    here = half.astype(np.float32)
    for _ in range(_BANDS - 1):
        if min(here.shape[:2]) < _FEWEST_PIXELS:
            found += [0.0] * 4
            continue
        coarse = cv2.pyrDown(here)
        found += _band(here, cv2.pyrUp(coarse, dstsize=(here.shape[1], here.shape[0])))
        here = coarse
    return found


def _band(here: Floats, coarse: Floats) -> list[float]:
    """Logarithm of the strength of each channel, and the skew of the first."""
    detail = cv2.subtract(here, coarse)
    channels = 1 if detail.ndim == 2 else detail.shape[2]
    strength = np.sqrt(np.array(cv2.mean(cv2.multiply(detail, detail))[:channels]))
    first = detail if channels == 1 else detail[..., 0]
    cubed = cv2.mean(cv2.multiply(cv2.multiply(first, first), first))[0]
    return [*np.log(strength + 0.5).tolist(), float(cubed / (strength[0] ** 3 + 1))]


def _aligned(lightness: Pixels) -> float:
    """Coherence of the structure tensor: 0 where edges lie in every direction, towards 1 where they lie in one."""
    across, down = (cv2.Sobel(lightness, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.mean(cv2.multiply(a, b))[0] for a, b in ((across, across), (down, down), (across, down)))
    return float(np.hypot(xx - yy, 2 * xy) / (xx + yy + 100))


def _deviations(values: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.meanStdDev(values)[1]).ravel()


def _quantiles(grey: Pixels, shares: tuple[float, ...]) -> npt.NDArray[np.intp]:
    counted = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    return np.asarray(np.searchsorted(counted, np.array(shares) * counted[-1]))
