"""Dandruff: opaque cream plates on skin and hair."""

import math

import cv2
import numpy as np

from scalp_core.drawing.canvas import (
    AREA,
    HALF,
    HEIGHT,
    WIDTH,
    Pixels,
    at_severity,
    fill,
    inside,
    noise,
    overlay,
    ragged,
)

DANDRUFF_COVERAGE = (0.0, 0.018, 0.075, 0.28)


DANDRUFF_SIZE = (12.0, 17.0, 30.0, 58.0)  # usual radius of a plate in px


def add_plates(frame: Pixels, severity: float, above: Pixels, generator: np.random.Generator) -> Pixels:
    """Opaque cream plates with a relief and a shadow, under the shafts of the mask `above`."""
    coverage = at_severity(severity, DANDRUFF_COVERAGE) * math.exp(0.18 * generator.standard_normal())
    thickness = _plates(coverage, at_severity(severity, DANDRUFF_SIZE), generator)
    if thickness is None:
        return frame
    width, height = WIDTH // HALF, HEIGHT // HALF
    crumbs = 10.0 * noise(generator, 1.7, width, height) + 16.0 * noise(generator, 6.5, width, height)
    body = thickness.astype(np.float32) + cv2.resize(crumbs, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    # Light from the upper left: what rises towards it is bright, what falls away is dark.
    relief = cv2.filter2D(cv2.GaussianBlur(body, (3, 3), 0.8), -1, np.array([[-1, 0, 0], [0, 0, 0], [0, 0, 1]]) * -0.55)
    tone = np.clip(150.0 + 0.33 * body + relief, 90.0, 252.0).astype(np.uint8)
    cream = cv2.merge([tone, cv2.convertScaleAbs(tone, alpha=0.975), cv2.convertScaleAbs(tone, alpha=0.915)])
    present = cv2.threshold(thickness, 50, 255, cv2.THRESH_BINARY)[1]
    free = np.float32(1.0) - above.astype(np.float32) * np.float32(1 / 255.0)
    opacity = cv2.GaussianBlur(present, (3, 3), 0.6).astype(np.float32) * np.float32(0.95 / 255.0) * free
    shadow = cv2.GaussianBlur(present, (0, 0), 2.5).astype(np.float32) * np.float32(0.42 / 255.0)
    shadow = cv2.warpAffine(shadow, np.array([[1.0, 0, 3.0], [0, 1, 4.0]]), (WIDTH, HEIGHT)) * free
    darker = overlay(frame, (40.0, 32.0, 30.0), np.asarray(shadow * (1.0 - opacity), dtype=np.float32))
    return np.asarray(cv2.blendLinear(cream, darker, opacity, np.float32(1.0) - opacity), dtype=np.uint8)


def _plates(coverage: float, size: float, generator: np.random.Generator) -> Pixels | None:
    """Thickness of the flakes, 0 where there are none; None for a clean frame."""
    thickness = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    if coverage * AREA < 60.0:
        return None
    nests = generator.uniform((0, 0), (WIDTH, HEIGHT), (4, 2))
    covered = 0
    for _ in range(400):
        centre = nests[int(generator.integers(len(nests)))] + generator.normal(0, 95, 2)
        radius = float(np.clip(size * math.exp(0.5 * generator.standard_normal()), 6.0, 76.0))
        if not bool(inside(centre)):
            continue
        outline = ragged(centre, radius, generator)
        fill(thickness, outline, (float(generator.uniform(110, 190)),))
        fill(thickness, centre + (outline - centre) * 0.6 + generator.normal(0, 2, 2), (generator.uniform(140, 230),))
        covered += int(math.pi * radius**2)
        if covered > coverage * AREA and cv2.countNonZero(thickness) > coverage * AREA:
            break
    return _frayed(thickness, generator)


def _frayed(thickness: Pixels, generator: np.random.Generator) -> Pixels:
    """The plates with crumbling instead of straight edges: every pixel is fetched from somewhere near."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    shifts = [6.0 * noise(generator, 16, width, height) + 2.6 * noise(generator, 4, width, height) for _ in range(2)]
    across, down = (cv2.resize(shift, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) for shift in shifts)
    across = across + np.arange(WIDTH, dtype=np.float32)[None, :]
    down = down + np.arange(HEIGHT, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(thickness, across, down, cv2.INTER_LINEAR), dtype=np.uint8)
