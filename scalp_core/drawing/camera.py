"""What optics and electronics add to every picture of a device."""

from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np

from scalp_core.drawing.canvas import Pixels, plain
from scalp_core.drawing.scene import Scene

NOISE_MIDDLE = 24


def photograph(frame: Pixels, scene: Scene, generator: np.random.Generator) -> Pixels:
    """What optics and electronics add whatever the scalp is like: blur, noise, white balance."""
    camera = scene.camera
    blur = generator.uniform(1.2, 1.9) if "defocus" in scene.confusers else generator.uniform(0.7, 1.05)
    frame = np.asarray(cv2.GaussianBlur(frame, (7, 7), blur), dtype=np.uint8)
    noise = np.frombuffer(generator.bytes(frame.size), dtype=np.uint8).reshape(frame.shape)
    shifted = cv2.add(frame, cv2.LUT(noise, _noise_table(camera.noise)))
    frame = np.asarray(cv2.subtract(shifted, plain((NOISE_MIDDLE,) * 3)), dtype=np.uint8)
    levels = (np.arange(256) / 255.0) ** camera.gamma * 255.0
    curve = np.clip(levels[:, None] * np.array(camera.gains), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(frame, curve[None]), dtype=np.uint8)


@lru_cache(maxsize=64)
def _noise_table(deviation: float) -> Pixels:
    """What turns random bytes into normal noise about NOISE_MIDDLE: far cheaper than drawing normal numbers."""
    normal = NormalDist(NOISE_MIDDLE, deviation)
    levels = [normal.inv_cdf((byte + 0.5) / 256) for byte in range(256)]
    return np.asarray(np.clip(np.round(levels), 0, 2 * NOISE_MIDDLE), dtype=np.uint8)
