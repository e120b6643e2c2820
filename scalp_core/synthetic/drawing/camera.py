"""The optics and electronics of a device: blur, over-sharpened edges, noise, black and white point, white balance."""

import math
from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
    COLUMNS,
    HALF,
    HEIGHT,
    ROWS,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Pixels,
    Points,
    direction_of,
    smoothstep,
)
from scalp_core.synthetic.drawing.scene import Camera, Scene

NOISE_MIDDLE = 24
# Shares of the noise before it is smoothed, in the lightness and in the colours.
GRAIN = 2.0
# Of two colour noises: red against green, and blue against both, without lightness. The blue channel is the noisiest.
COLOUR_NOISE = np.array([[0.9, 0.0], [-0.46, -0.27], [0.0, 2.3]])
GRAIN_SIZE = 0.75  # px; devices smooth what they read, so neighbours go together
FOCUS_SPREAD = 0.12  # px; the distance is never held exactly
HALO = 1.8  # px, radius of the device's own sharpening
DEFOCUS = (1.8, 3.5)  # px
MOTION = (6.0, 14.0)  # px moved while the shutter is open
# The probe stands a little askew: one side of the frame lies beyond the focus, over the outer part of the frame.
ASKEW_SHARE = 0.35
ASKEW_BLUR = (1.2, 2.8)  # px
ASKEW_RAMP = (0.0, 1.1)  # from the middle towards that side, in halves of the frame
# The tone curve is straight between TOE and SHOULDER; the black point bends it below. Above, the bluish lamp shows:
# what is BRIGHT in a grey light is read as BRIGHT_READ, and the white point is the end.
TOE, SHOULDER, BRIGHT = 60.0, 165.0, 220.0
BRIGHT_READ = (212.0, 221.0, 224.0)


def photograph(frame: Pixels, scene: Scene, generator: np.random.Generator) -> Pixels:
    """Return the frame as the device photographs it, whatever the scalp is like."""
    camera = scene.camera
    blur = max(0.5, camera.blur + generator.normal(0.0, FOCUS_SPREAD))
    out_of_focus, moved, angle = generator.uniform(*DEFOCUS), generator.uniform(*MOTION), generator.uniform(0, math.pi)
    if "motion" in scene.confusers:
        frame = _moved(frame, moved, angle)
    if "defocus" in scene.confusers:
        blur = out_of_focus
    frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), blur), dtype=np.uint8)
    if camera.sharpening > 0:
        halo = cv2.GaussianBlur(frame, (7, 7), HALO)
        frame = np.asarray(cv2.addWeighted(frame, 1 + camera.sharpening, halo, -camera.sharpening, 0), dtype=np.uint8)
    frame = _askew(frame, generator)
    frame = _grainy(frame, camera.noise, generator)
    return np.asarray(cv2.LUT(frame, _tones(camera)), dtype=np.uint8)


def _askew(frame: Pixels, generator: np.random.Generator) -> Pixels:
    """Blur one side of some frames."""
    askew, blur, angle = generator.random() < ASKEW_SHARE, generator.uniform(*ASKEW_BLUR), generator.uniform(0, 6.28)
    if not askew:
        return frame
    x, y = direction_of(angle)
    towards = (COLUMNS / SOFT_WIDTH * 2 - 1) * np.float32(x) + (ROWS / SOFT_HEIGHT * 2 - 1) * np.float32(y)
    alpha = cv2.resize(smoothstep(towards, *ASKEW_RAMP), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(frame, (0, 0), blur)
    return np.asarray(cv2.blendLinear(soft, frame, alpha, np.float32(1.0) - alpha), dtype=np.uint8)


def _moved(frame: Pixels, length: float, angle: float) -> Pixels:
    """Smear the frame along a line: its mean with itself moved by half the way, then a quarter, then an eighth."""
    for share in (0.5, 0.25, 0.125):
        step = np.hstack([np.eye(2), direction_of(angle)[:, None] * length * share])
        other = cv2.warpAffine(frame, step, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        frame = np.asarray(cv2.addWeighted(frame, 0.5, other, 0.5, 0), dtype=np.uint8)
    return frame


def _grainy(frame: Pixels, deviation: float, generator: np.random.Generator) -> Pixels:
    """Add fine grain in the lightness and coarser noise in the colours, as the device leaves them after smoothing."""
    grain = cv2.GaussianBlur(_normal((HEIGHT, WIDTH), deviation * GRAIN, generator), (5, 5), GRAIN_SIZE)
    spots = cv2.merge([_normal((HEIGHT // HALF, WIDTH // HALF), deviation, generator) for _ in range(2)])
    offsets = NOISE_MIDDLE * (1.0 - COLOUR_NOISE.sum(axis=1, keepdims=True))
    coloured = cv2.transform(spots, np.hstack([COLOUR_NOISE, offsets]))
    coarse = cv2.resize(coloured, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    noise = cv2.add(cv2.merge([grain] * 3), coarse)
    return np.asarray(cv2.addWeighted(frame, 1.0, noise, 1.0, -2.0 * NOISE_MIDDLE), dtype=np.uint8)


def _normal(shape: tuple[int, ...], deviation: float, generator: np.random.Generator) -> Pixels:
    """Return normal noise about NOISE_MIDDLE."""
    levels = np.frombuffer(generator.bytes(math.prod(shape)), dtype=np.uint8).reshape(shape)
    return np.asarray(cv2.LUT(levels, _noise_table(deviation)), dtype=np.uint8)


@lru_cache(maxsize=64)
def _noise_table(deviation: float) -> Pixels:
    """Return the table from random bytes to normal noise about NOISE_MIDDLE: far cheaper than normal numbers."""
    normal = NormalDist(NOISE_MIDDLE, deviation)
    levels = [normal.inv_cdf((byte + 0.5) / 256) for byte in range(256)]
    return np.asarray(np.clip(np.round(levels), 0, 2 * NOISE_MIDDLE), dtype=np.uint8)


@lru_cache(maxsize=64)
def _tones(camera: Camera) -> Pixels:
    """Return tone curve, white balance, black and white point as one look-up table a channel."""
    levels = (np.arange(256) / 255.0) ** camera.gamma * 255.0
    channels = zip(camera.gains, camera.black, BRIGHT_READ, camera.white, strict=True)
    curves = [_curve(levels * gain, *points) for gain, *points in channels]
    return np.round(np.stack(curves, axis=1))[None].astype(np.uint8)


def _curve(levels: Points, black: float, bright: float, white: float) -> Points:
    after = (black, TOE, SHOULDER, min(bright, white), white)
    return np.asarray(np.interp(levels, (0.0, TOE, SHOULDER, BRIGHT, 255.0), after))
