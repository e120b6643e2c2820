"""Measures of a picture's quality: size, focus, light, cast, and its perceptual hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from scalp_core.data.dataset import OPTIONAL_COLUMNS
from scalp_core.data.near_duplicates import LOOK_CROPS, crop_looks, find_near_duplicates, look_hash, number_column
from scalp_core.images import Pixels, decode

# Sharpness means something only at one scale; real pictures have this many pixels along their longer side.
_STANDARD_SIDE = 640
# Lightness and cast are means: a small picture has the same ones.
_COLOUR_SIDE = 160
# Grey levels (0–255): a pixel that is at most or at least this in all three channels is clipped.
_BLACK, _WHITE = 5, 250


@dataclass(frozen=True)
class ImageMeasures:
    """Measures of one picture, named as the columns of an index.

    Attributes:
        bytes, sha256: of the file.
        width, height: pixels, upright.
        sharpness: variance of the Laplacian of grey in squared grey levels (0–255), the focus measure of Pech-Pacheco
            et al. (2000), at 640 pixels along the longer side so that pictures of all sizes compare.
        lightness: mean CIE 1976 L*, 0–100, white point D65.
        clipped: share of pixels with all three channels at most 5 or all at least 250.
        cast_red, cast_yellow: mean CIE 1976 a* and b*.
        look, look_inner …: perceptual hashes, see `near_duplicates.look_hash` and LOOK_CROPS.
    """

    bytes: int
    sha256: str
    width: int
    height: int
    sharpness: float
    lightness: float
    clipped: float
    cast_red: float
    cast_yellow: float
    look: int
    look_inner: int
    look_right_below: int
    look_left_below: int
    look_right_above: int
    look_left_above: int


def measure(data: bytes) -> ImageMeasures:
    """Measure the file of a picture. Raises ScalpError as `images.decode` does."""
    return measure_pixels(decode(data).pixels, data)


def measure_pixels(pixels: Pixels, data: bytes) -> ImageMeasures:
    """Measure a picture that is decoded already; `data` is its file."""
    height, width = pixels.shape[:2]
    standard = _scaled(pixels, _STANDARD_SIDE)
    grey = cv2.cvtColor(standard, cv2.COLOR_RGB2GRAY)
    lightness, cast_red, cast_yellow = _colour(standard)
    return ImageMeasures(
        len(data),
        hashlib.sha256(data).hexdigest(),
        width,
        height,
        float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1][0, 0] ** 2),
        lightness,
        _clipped(standard),
        cast_red,
        cast_yellow,
        look_hash(grey),
        *crop_looks(grey),
    )


def _scaled(pixels: Pixels, side: int) -> Pixels:
    """Return the picture with its longer side at `side` pixels."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale == 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _colour(pixels: Pixels) -> tuple[float, float, float]:
    small = _scaled(pixels, _COLOUR_SIDE).astype(np.float32) / np.float32(255)
    lightness, red, yellow = cv2.mean(cv2.cvtColor(small, cv2.COLOR_RGB2Lab))[:3]
    return lightness, red, yellow


def _clipped(pixels: Pixels) -> float:
    black = cv2.inRange(pixels, (0, 0, 0), (_BLACK, _BLACK, _BLACK))
    white = cv2.inRange(pixels, (_WHITE, _WHITE, _WHITE), (255, 255, 255))
    return float(np.count_nonzero(black | white) / black.size)


def measure_columns(measures: Sequence[ImageMeasures]) -> pd.DataFrame:
    """Return the index columns of measured pictures, one row a picture, with their sets of near-duplicates."""
    types = {name: kind for name, kind in OPTIONAL_COLUMNS.items() if name in ImageMeasures.__dataclass_fields__}
    columns = {
        name: np.array([getattr(picture, name) for picture in measures], kind.lower()) for name, kind in types.items()
    }
    crops = {name: columns[name] for name in LOOK_CROPS}
    sets = find_near_duplicates(columns["look"], np.array([picture.sha256 for picture in measures]), crops)
    return pd.DataFrame(columns).astype(types).assign(look_alikes=number_column(sets))
