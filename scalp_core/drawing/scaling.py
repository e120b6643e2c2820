"""Fine scaling: thin translucent white lace on the skin."""

import cv2
import numpy as np

from scalp_core.drawing.canvas import (
    HALF,
    HEIGHT,
    SHIFT,
    WIDTH,
    Field,
    Pixels,
    at_severity,
    corners,
    noise,
    overlay,
    smoothstep,
    threshold,
)
from scalp_core.drawing.scene import Hair

SCALING_COVERAGE = (0.0, 0.05, 0.12, 0.25)


def add_lace(surface: Pixels, severity: float, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Thin translucent white scales: patches with lifted rims, crack-like lines, collars about the follicles."""
    coverage = at_severity(severity, SCALING_COVERAGE)
    if coverage < 0.003:
        return surface
    width, height = WIDTH // HALF, HEIGHT // HALF
    near = _near_follicles(hair, width, height)
    field = 0.62 * noise(generator, 26, width, height) + 0.5 * noise(generator, 8, width, height)
    field += 0.26 * noise(generator, 3, width, height) + 0.7 * near
    edge = threshold(field, coverage)
    patches = smoothstep(field, edge, edge + 0.28)
    rims = np.exp(-(((field - np.float32(edge)) / np.float32(0.09)) ** 2))
    cracks = _cracks(generator, width, height) * smoothstep(field, edge - 0.75, edge - 0.1)
    flecks = 0.75 + 0.25 * noise(generator, 2, width, height)
    alpha = np.clip(0.3 * patches * flecks + 0.46 * rims + 0.42 * cracks, 0.0, 0.78)
    full = cv2.resize(alpha, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return overlay(surface, (243.0, 243.0, 243.0), np.asarray(full, dtype=np.float32))


def _cracks(generator: np.random.Generator, width: int, height: int) -> Field:
    """A net of thin lines: where two smooth noises change sign."""
    lines = np.minimum(abs(noise(generator, 11, width, height)), abs(noise(generator, 7, width, height)) * 1.3)
    return np.asarray(1.0 - smoothstep(lines, 0.02, 0.14), dtype=np.float32)


def _near_follicles(hair: Hair, width: int, height: int) -> Field:
    mask = np.zeros((height // 2, width // 2), dtype=np.uint8)
    for follicle in hair.follicles:
        centre = corners(follicle.centre / (2 * HALF))
        cv2.circle(mask, (int(centre[0]), int(centre[1])), 4 << SHIFT, (255,), 2, cv2.LINE_AA, SHIFT)
    blurred = cv2.GaussianBlur(mask, (0, 0), 1.2)
    return np.asarray(cv2.resize(blurred, (width, height)) * np.float32(1 / 255.0), dtype=np.float32)
