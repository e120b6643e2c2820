"""The optics and electronics of a device: blur, over-sharpened edges, noise, white balance."""

import math
from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np

from scalp_core.synthetic.version_2.canvas import HALF, HEIGHT, WIDTH, Pixels, direction_of
from scalp_core.synthetic.version_2.scene import Camera, Scene

NOISE_MIDDLE = 24
# Shares of the noise before it is smoothed, in the lightness and in the colours.
GRAIN = 1.35
COLOUR_NOISE = 0.6
GRAIN_SIZE = 0.75  # px; devices smooth what they read, so neighbours go together
FOCUS_SPREAD = 0.12  # px; the distance is never held exactly
HALO = 1.8  # px, radius of the device's own sharpening
DEFOCUS = (1.8, 3.5)  # px
MOTION = (6.0, 14.0)  # px moved while the shutter is open


def photograph(frame: Pixels, scene: Scene, generator: np.random.Generator) -> Pixels:
    """Return the frame as the device photographs it, whatever the scalp is like."""
    camera = scene.camera
    blur = max(0.4, camera.blur + generator.normal(0.0, FOCUS_SPREAD))
    out_of_focus, moved, angle = generator.uniform(*DEFOCUS), generator.uniform(*MOTION), generator.uniform(0, math.pi)
    if "motion" in scene.confusers:
        frame = _moved(frame, moved, angle)
    if "defocus" in scene.confusers:
        blur = out_of_focus
    frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), blur), dtype=np.uint8)
    if camera.sharpening > 0:
        halo = cv2.GaussianBlur(frame, (7, 7), HALO)
        frame = np.asarray(cv2.addWeighted(frame, 1 + camera.sharpening, halo, -camera.sharpening, 0), dtype=np.uint8)
    frame = _grainy(frame, camera.noise, generator)
    return np.asarray(cv2.LUT(frame, _tones(camera)), dtype=np.uint8)


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
    spots = _normal((HEIGHT // HALF, WIDTH // HALF, 3), deviation * COLOUR_NOISE, generator)
    coarse = cv2.resize(spots, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
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
    """Return tone curve and white balance as one look-up table a channel."""
    levels = (np.arange(256) / 255.0) ** camera.gamma * 255.0
    return np.asarray(np.clip(levels[:, None] * np.array(camera.gains), 0, 255)[None], dtype=np.uint8)
