"""Statistics of one picture at one small scale: sharpness, exposure, brightness, colours and textures.

All are taken at 160 px along the longer side, so that pictures of all sizes compare, and pictures decoded at a reduced
scale. A picture with fewer pixels is enlarged, and counts as less sharp.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.images import STATS_SIDE as SIDE
from scalp_core.images import Pixels
from scalp_core.inference.image_structure import STRUCTURE_FEATURES, structure_features
from scalp_core.structure_tensor import gradient_products

Floats = npt.NDArray[np.float32]

TEXTURE_FEATURES = 28 + STRUCTURE_FEATURES  # numbers of `texture_features`
_OVEREXPOSED = 250  # a channel from this value on has left the range of the sensor
_BRIGHTNESS_QUANTILE = 0.95
_TONES = (0.02, 0.25, 0.75, 0.98)  # quantiles of L*
_OCTAVES = 4  # of detail, from 2 px to 16 px
_MIN_SIDE = 4  # px that can still be halved


class ImageStats(NamedTuple):
    """Statistics of one picture.

    Attributes:
        sharpness: deviation of the Laplacian of grey over the deviation of grey: the share of the contrast that is fine
            detail. Unlike the variance of the Laplacian (Pech-Pacheco et al. 2000) it does not fall with the light.
        overexposed: share of pixels with a channel at 250 or more.
        brightness: grey level (0–255) that a twentieth of the picture lies above.
        texture_features: (TEXTURE_FEATURES,), colours and textures; see `_texture_features`.
    """

    sharpness: float
    overexposed: float
    brightness: float
    texture_features: Floats


def image_stats(pixels: Pixels) -> ImageStats:
    """Measure a picture of any size, from one pixel; the numbers are always finite."""
    small = _scale(pixels)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    detail, contrast = (_deviations(values)[0] for values in (cv2.Laplacian(grey, cv2.CV_16S), grey))
    exposed = cv2.countNonZero(cv2.inRange(small, (0, 0, 0), (_OVEREXPOSED - 1,) * 3))
    (brightness,) = _quantiles(grey, (_BRIGHTNESS_QUANTILE,))
    return ImageStats(detail / (contrast + 1), 1 - exposed / grey.size, float(brightness), _texture_features(small))


def _scale(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    while max(pixels.shape[:2]) >= 4 * SIDE:  # halves are three times as fast as all at once
        halves = (max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
        pixels = np.asarray(cv2.resize(pixels, halves, interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _texture_features(small: Pixels) -> Floats:
    """Return mean, deviation and correlation of CIE L*, a*, b*; tones of L*; strength of each octave of detail in all
    three and its skew in L* (hairs are dark, flakes are bright); how far the edges lie in one direction; and the
    `structure_features` of L*.
    """
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    half = cv2.resize(lab, (max(1, lab.shape[1] // 2), max(1, lab.shape[0] // 2)), interpolation=cv2.INTER_AREA)
    mean = np.array(cv2.mean(half)[:3])
    centred = half.reshape(-1, 3).astype(np.float32) - mean.astype(np.float32)
    covariance = centred.T @ centred / len(centred)
    deviation = np.sqrt(np.diag(covariance))
    softened = deviation + 2  # grey levels, below which a correlation is one of noise
    correlation = (covariance / np.outer(softened, softened))[[0, 0, 1], [1, 2, 2]]
    lightness = np.ascontiguousarray(lab[..., 0])
    tones = (_quantiles(lightness, _TONES) - mean[0]) / 10
    octaves, coherence = _octaves(lab, half), _coherence(half[..., 0])
    groups = (mean, np.log(deviation + 1), correlation, tones, octaves, [coherence], structure_features(lightness))
    return np.concatenate(groups).astype(np.float32)


def _octaves(lab: Pixels, half: Pixels) -> list[float]:
    """Return strengths and skew of each octave of detail; the finest is of L* alone, as JPEG keeps no finer colours."""
    lightness = lab[..., 0].astype(np.float32)
    numbers = _octave(lightness, cv2.blur(lightness, (3, 3)))
    fine = half.astype(np.float32)
    for _ in range(_OCTAVES - 1):
        if min(fine.shape[:2]) < _MIN_SIDE:
            numbers += [0.0] * 4
            continue
        coarse = cv2.pyrDown(fine)
        numbers += _octave(fine, cv2.pyrUp(coarse, dstsize=(fine.shape[1], fine.shape[0])))
        fine = coarse
    return numbers


def _octave(fine: Floats, coarse: Floats) -> list[float]:
    """Return the logarithm of the strength of each channel, and the skew of the first."""
    detail = cv2.subtract(fine, coarse)
    channels = 1 if detail.ndim == 2 else detail.shape[2]
    strength = np.sqrt(np.array(cv2.mean(cv2.multiply(detail, detail))[:channels]))
    first = detail if channels == 1 else detail[..., 0]
    cubed = cv2.mean(cv2.multiply(cv2.multiply(first, first), first))[0]
    return [*np.log(strength + 0.5).tolist(), float(cubed / (strength[0] ** 3 + 1))]


def _coherence(lightness: Pixels) -> float:
    """Return the coherence of the structure tensor: 0 with edges in every direction, towards 1 with edges in one."""
    xx, yy, xy = (cv2.mean(product)[0] for product in gradient_products(lightness))
    return float(np.hypot(xx - yy, 2 * xy) / (xx + yy + 100))


def _deviations(values: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.meanStdDev(values)[1]).ravel()


def _quantiles(grey: Pixels, shares: tuple[float, ...]) -> npt.NDArray[np.intp]:
    cumulated = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    return np.asarray(np.searchsorted(cumulated, np.array(shares) * cumulated[-1]))
