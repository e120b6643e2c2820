"""Variation of scalp pictures for fitting the gate: what other cameras and other hair change about a picture.

The pictures of one dataset come from few cameras. A gate that is fitted on them alone takes another camera's scalps for
something else. Ranges follow the spread of real frames (docs/design/gate.md), measured at a width of 640 px; those that
a training randomises alike lie in `camera_spread.py`.
"""

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.images import Pixels
from scalp_core.inference.camera_spread import (
    CHANNEL_GAIN,
    CHANNEL_GAMMA,
    CLIPPING_LEVEL,
    GLINTS,
    MOST_SHARPENING,
    MOST_TILT,
    SHARPENING_RADIUS,
)

Floats = npt.NDArray[np.float32]

_WIDTH = 640  # px, the width that all lengths below refer to

# Hair. Shares of pictures whose hair is clipped to stubble, or turned grey or white.
_CLIPPED, _GREYED = 0.2, 0.2
_HAIR_WIDTH = 24  # px; darker structures that are narrower count as hair
_STUBBLE = (4.0, 16.0)  # px, length of the pieces that clipping leaves
_KEPT = (0.15, 0.6)  # share of the hair that clipping leaves
_GREY_LEVELS = (110.0, 225.0)

# Geometry.
_CROPPED, _CROP = 0.5, (0.5, 1.0)  # share of pictures; share of width and height that stays
# Light and colour, in units of 8-bit Lab and as factors of channels.
_CAST, _LIGHTNESS = 6.5, 6.5  # standard deviations of the shifts of a* and b*, and of L*
_FIELD_SHARE, _FIELD = 0.5, (3.0, 2.0, 2.5)  # share of pictures; standard deviation of a slow field of L*, a*, b*
_FIELD_CELLS = (4, 6)
_BLACK = (0.0, 45.0)
_SATURATION = (0.7, 1.3)
# Glints: the small bright marks of a shiny skin.
_GLINTS_SHARE, _GLINT_PEAK = 0.5, (20.0, 90.0)
_GLINT_SIZE, _GLINT_ELONGATION = (0.8, 2.2), (1.0, 4.0)  # px, half the width; length over width
# Optics and file.
_BLURRED, _BLUR = 0.6, (0.3, 2.5)  # share of pictures; px
_SHARPENED, _SHARPENING = 0.3, (0.1, MOST_SHARPENING)
_NOISE = (0.0, 3.0)  # grey levels
_JPEG = (55, 100)


def vary(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Return a scalp picture (h, w, 3) as another camera, or other hair, would have shown it; the same size."""
    scale = pixels.shape[1] / _WIDTH
    lot = generator.random()
    if lot < _CLIPPED:
        pixels = _clipped(pixels, scale, generator)
    elif lot < _CLIPPED + _GREYED:
        pixels = _greyed(pixels, scale, generator)
    pixels = _placed(pixels, generator)
    if generator.random() < _GLINTS_SHARE:
        pixels = _with_glints(pixels, scale, generator)
    pixels = _recoloured(pixels, generator)
    return _photographed(pixels, scale, generator)


# ---- hair ----


def _hair(pixels: Pixels, scale: float) -> tuple[Floats, Pixels]:
    """Return how surely each pixel is dark hair, (h, w, 1) 0–1, and the picture (h, w, 3) without it."""
    size = max(3, round(_HAIR_WIDTH * scale)) | 1
    skin = cv2.morphologyEx(pixels, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    skin = cv2.GaussianBlur(skin, (0, 0), size / 2)
    darker = cv2.subtract(skin, pixels).max(axis=2).astype(np.float32)
    return np.clip((darker - 15) / 30, 0, 1)[..., None], np.asarray(skin, dtype=np.uint8)


def _clipped(pixels: Pixels, scale: float, generator: np.random.Generator) -> Pixels:
    """Leave short pieces of the hair; where it goes the skin behind it comes forth, with the grain of the rest."""
    hair, skin = _hair(pixels, scale)
    cells = smooth_noise(pixels.shape[:2], generator.uniform(*_STUBBLE) * scale, generator)
    kept = cells > np.quantile(cells, 1 - generator.uniform(*_KEPT))
    gone = hair * ~kept[..., None]
    grain = generator.normal(0, 2, pixels.shape[:2])[..., None]
    return _whole(pixels + gone * (skin.astype(np.float32) + grain - pixels))


def _greyed(pixels: Pixels, scale: float, generator: np.random.Generator) -> Pixels:
    """Turn a share of the hair towards grey or white, keeping its own light and dark."""
    hair, _ = _hair(pixels, scale)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None]
    level = generator.uniform(*_GREY_LEVELS) + 0.8 * (grey - np.median(grey[hair > 0.5]) if (hair > 0.5).any() else 0)
    strands = smooth_noise(pixels.shape[:2], 30 * scale, generator) > generator.normal(-0.5, 0.8)
    return _whole(pixels + hair * strands[..., None] * (level - pixels))


# ---- place, light and colour ----


def _placed(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Turn by half a turn or mirror, and perhaps look from nearer."""
    pixels = pixels[:: generator.choice((-1, 1)), :: generator.choice((-1, 1))]
    if generator.random() >= _CROPPED:
        return np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    share = generator.uniform(*_CROP)
    part = (max(1, round(height * share)), max(1, round(width * share)))
    top, left = (int(generator.integers(whole - side + 1)) for whole, side in zip((height, width), part, strict=True))
    cropped = pixels[top : top + part[0], left : left + part[1]]
    return np.asarray(cv2.resize(cropped, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _with_glints(pixels: Pixels, scale: float, generator: np.random.Generator) -> Pixels:
    """Lay small bright strokes over the picture, in swarms and two crossing directions."""
    height, width = pixels.shape[:2]
    light = np.zeros((height, width), dtype=np.float32)
    swarms = np.exp(1.5 * smooth_noise((height, width), 60 * scale, generator))
    count = int(generator.lognormal(np.log(GLINTS), 0.5) * height * width / (scale * _WIDTH) ** 2 / 0.75)
    places = generator.choice(swarms.size, size=count, p=(swarms / swarms.sum()).ravel())
    main = generator.uniform(0, 180)
    for place in places:
        size = generator.uniform(*_GLINT_SIZE) * scale
        axes = (size * generator.uniform(*_GLINT_ELONGATION), size)
        angle = main + 45 * int(generator.integers(2)) + generator.normal(0, 20)
        # In sixteenths of a pixel, as most are smaller than one.
        centre = (int(place % width) * 16, int(place // width) * 16)
        fixed = (max(4, round(axes[0] * 16)), max(4, round(axes[1] * 16)))
        cv2.ellipse(light, centre, fixed, angle, 0, 360, generator.uniform(*_GLINT_PEAK), -1, cv2.LINE_AA, 4)
    return _whole(pixels + cv2.GaussianBlur(light, (0, 0), max(0.4, scale))[..., None] * np.array([0.95, 1.0, 1.0]))


def _recoloured(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Change cast, slow colour field and saturation, then the tone curve of each channel."""
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[..., 1:] *= generator.uniform(*_SATURATION)
    lab += generator.normal(0, (_LIGHTNESS, _CAST, _CAST)).astype(np.float32)
    if generator.random() < _FIELD_SHARE:
        lab += _field(pixels.shape[:2], generator)
    return np.asarray(cv2.LUT(_whole(255 * cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)), _tones(generator)), dtype=np.uint8)


def _tones(generator: np.random.Generator) -> Pixels:
    """Return gamma, gain, lifted black and lowered white of each channel as one look-up table (1, 256, 3)."""
    levels = np.linspace(0, 1, 256)[:, None] ** generator.uniform(*CHANNEL_GAMMA, size=3)
    levels = levels * generator.uniform(*CHANNEL_GAIN, size=3)
    black, white = generator.uniform(*_BLACK), generator.uniform(*CLIPPING_LEVEL, size=3)
    return _whole(black + np.clip(levels, 0, 1) * (white - black))[None]


def _field(size: tuple[int, int], generator: np.random.Generator) -> Floats:
    """Return a slow field (h, w, 3) of L*, a*, b*, with a tilt of the light."""
    height, width = size
    cells = generator.normal(0, _FIELD, (*_FIELD_CELLS, 3)).astype(np.float32)
    field = np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle, tilt = generator.uniform(0, 2 * np.pi), generator.uniform(0, MOST_TILT)
    field[..., 0] += tilt * (np.cos(angle) * across + np.sin(angle) * down)
    return field


# ---- optics and file ----


def _photographed(pixels: Pixels, scale: float, generator: np.random.Generator) -> Pixels:
    if generator.random() < _BLURRED:
        pixels = _blurred(pixels, generator.uniform(*_BLUR) * scale)
    if generator.random() < _SHARPENED:
        soft = _blurred(pixels, generator.uniform(*SHARPENING_RADIUS) * scale)
        amount = generator.uniform(*_SHARPENING)
        pixels = np.asarray(cv2.addWeighted(pixels, 1 + amount, soft, -amount, 0), dtype=np.uint8)
    noise = generator.normal(0, generator.uniform(*_NOISE), pixels.shape[:2])[..., None]
    quality = int(generator.integers(*_JPEG, endpoint=True))
    noisy = _whole(pixels + noise)[..., ::-1]
    code = cv2.imencode(".jpg", np.ascontiguousarray(noisy), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1])


def _blurred(pixels: Pixels, deviation: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(0.1, deviation)), dtype=np.uint8)


def smooth_noise(
    size: tuple[int, int], cell: float, generator: np.random.Generator, aspect: float = 1.0, further_nodes: int = 0
) -> Floats:
    """Return smooth noise (h, w) of deviation near 1 that changes over about `cell` px down, and `aspect` times as many
    across.

    Args:
        further_nodes: random numbers in each direction beyond one a cell.
    """
    height, width = size
    down, across = (max(2, round(side / max(length, 1))) for side, length in ((height, cell), (width, cell * aspect)))
    noise = generator.normal(size=(down + further_nodes, across + further_nodes)).astype(np.float32)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _whole(values: npt.ArrayLike) -> Pixels:
    return np.asarray(np.clip(np.round(np.asarray(values)), 0, 255), dtype=np.uint8)
