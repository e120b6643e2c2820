"""Statistics of the structure of one small picture: dark and bright lines, how far they run on, and how they lie.

Hair is dark, thin, straight over many pixels, and lies in few directions. Colours and octaves of detail alone hardly
tell that from fur, gravel or grass (docs/design/gate.md).
"""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.images import Pixels
from scalp_core.structure_tensor import gradient_products

Floats = npt.NDArray[np.float32]

STRUCTURE_FEATURES = 21
_WIDTHS = (5, 11)  # px; darker and brighter marks that are narrower are measured apart
_LINE_WIDTH, _LINE_LENGTH, _DIRECTIONS = 9, 15, 8  # px at full and at half size; directions in half a turn
_MARKS = (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)  # dark marks, bright marks
_NEIGHBOURHOOD = 4.0  # px, standard deviation of the window in which edges have one direction
_NOISE = 1.0  # squared gradient, below which a direction is one of noise
_BAND, _BANDS = 1.5, 3  # px of the blur that leaves the detail whose kurtosis is measured; sizes, each half of the last
_MIN_SIDE = 4  # px that can still be halved


def structure_features(lightness: Pixels) -> Floats:
    """Return (STRUCTURE_FEATURES,) numbers of L* (h, w) of any size: amount and contrast of dark and bright marks, of
    the lines among them, coherence and unevenness of the edges, and kurtosis of the detail.
    """
    numbers = [number for width in _WIDTHS for mark in _MARKS for number in _amounts(_marks(lightness, width, mark))]
    numbers += [number for mark in _MARKS for number in _lines(_marks(lightness, _LINE_WIDTH, mark))]
    return np.array([*numbers, *_edges(lightness), *_kurtoses(lightness)], dtype=np.float32)


def _marks(lightness: Pixels, width: int, mark: int) -> Floats:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.asarray(cv2.morphologyEx(lightness, mark, kernel), dtype=np.float32)


def _amounts(marks: Floats) -> list[float]:
    return [float(np.log(marks.mean() + 1)), float(np.log(marks.std() + 1))]


def _lines(marks: Floats) -> list[float]:
    """Return how much stronger marks are along their own direction than across: its mean over that of the marks, its
    deviation and 95 % quantile, and the entropy of the directions.
    """
    half = (max(1, marks.shape[1] // 2), max(1, marks.shape[0] // 2))
    small = np.asarray(cv2.resize(marks, half, interpolation=cv2.INTER_AREA))
    along = np.stack([cv2.filter2D(small, -1, kernel) for kernel in _line_kernels()])
    excess = along.max(axis=0) - along.min(axis=0)
    weights = np.bincount(along.argmax(axis=0).ravel(), weights=excess.ravel(), minlength=_DIRECTIONS)
    shares = weights / (weights.sum() + 1e-6)
    entropy = -(shares * np.log(shares + 1e-6)).sum()
    numbers = (
        excess.mean() / (small.mean() + 1),
        np.log(excess.std() + 0.5),
        np.log(np.quantile(excess, 0.95) + 1),
        entropy,
    )
    return [float(number) for number in numbers]


@lru_cache(maxsize=1)
def _line_kernels() -> list[Floats]:
    return [_line_kernel(np.pi * number / _DIRECTIONS) for number in range(_DIRECTIONS)]


def _line_kernel(angle: float) -> Floats:
    kernel = np.zeros((_LINE_LENGTH, _LINE_LENGTH), dtype=np.float32)
    middle = _LINE_LENGTH // 2
    across, down = round(middle * np.cos(angle)), round(middle * np.sin(angle))
    cv2.line(kernel, (middle - across, middle - down), (middle + across, middle + down), 1.0, 1)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _edges(lightness: Pixels) -> list[float]:
    """Return the mean coherence of the structure tensor of small neighbourhoods, and how unevenly edges are spread."""
    smooth = cv2.GaussianBlur(lightness, (0, 0), 1).astype(np.float32)
    xx, yy, xy = (cv2.GaussianBlur(product, (0, 0), _NEIGHBOURHOOD) for product in gradient_products(smooth))
    strength = cv2.add(xx, yy)
    coherence = np.hypot(xx - yy, 2 * xy).sum() / (strength.sum() + _NOISE * strength.size)
    return [float(coherence), float(np.log(strength.std() / (strength.mean() + 1) + 0.1))]


def _kurtoses(lightness: Pixels) -> list[float]:
    """Return the logarithm of the kurtosis of the detail at each size."""
    fine, numbers = lightness.astype(np.float32), []
    for _ in range(_BANDS):
        detail = cv2.subtract(fine, cv2.GaussianBlur(fine, (0, 0), _BAND))
        fourth = np.square(np.square(detail)).mean() / (detail.std() + 0.5) ** 4
        numbers.append(float(np.log(fourth + 0.5)))
        fine = np.asarray(cv2.pyrDown(fine)) if min(fine.shape) >= _MIN_SIDE else fine
    return numbers
