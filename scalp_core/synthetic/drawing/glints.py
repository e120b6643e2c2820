"""The sparkle of moist skin: small bluish-white reflections on every scalp, whatever its condition.

Their number differs more from head to head than the lower grades of oil and scale change it, so that it tells no grade.
Source: counts, sizes and colours of bright spots on ten real frames of 640×480 px.
"""

import math

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
    HEIGHT,
    SHIFT,
    SOFT,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Colour,
    Field,
    Pixels,
    Points,
    corners,
    overlay,
    soft_noise,
)
from scalp_core.synthetic.drawing.scene import Hair

WHITE: Colour = (224.0, 244.0, 255.0)
COUNT, COUNT_SPREAD = 450.0, 0.5  # a frame: median, lognormal
MOST = 1500
AREA, AREA_SPREAD = 10.0, 1.0  # px², lognormal
ELONGATION, ELONGATION_SPREAD = 2.8, 0.45  # length by width, lognormal
# From frame to frame, lognormal: whether a skin sparkles in dots or in lines, small or large.
KIND_SPREAD, SIZE_SPREAD = 0.35, 0.35
WIDTHS = (1.3, 4.5)  # px
CROSSING = (0.5, 0.9)  # radians from the skin lines to either of the two directions of the strokes
ASTRAY = 0.35  # radians, their deviation
SWARM_CELL, SWARMING = 60.0, 1.5  # px; exponent of the noise that gathers them
FLOCK, FLOCK_SPREAD = 3, 7.0  # strokes that lie together about a place, and px between them
NEAR_ROOT, ROOT_GAIN = 40.0, (0.0, 2.0)  # px; how many times more there are about roots
BENT = 0.9  # radians by which a stroke turns, at most: commas
# Opacities in steps, and how many of the glints have each: most hardly lighten the skin.
STRENGTHS = (0.25, 0.4, 0.56, 0.76, 1.0)
SHARES = (0.30, 0.29, 0.22, 0.14, 0.05)
POINTS = 5  # along either side of a stroke


def draw_glints(frame: Pixels, direction: float, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Return the frame with glints on its skin: short strokes in swarms, most of them about roots."""
    count = min(MOST, int(COUNT * math.exp(COUNT_SPREAD * generator.standard_normal()))) // FLOCK
    outlines = _strokes(_places(count, hair, generator), direction, generator)
    steps = generator.choice(len(STRENGTHS), len(outlines), p=SHARES)
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for step, strength in enumerate(STRENGTHS):
        for part in np.array_split(outlines[steps == step], 2):  # overlapping outlines of one call cancel out
            cv2.fillPoly(mask, list(part), (255 * strength,), cv2.LINE_AA, SHIFT)
    return overlay(frame, WHITE, mask)


def _places(count: int, hair: Hair, generator: np.random.Generator) -> Points:
    """Return random places, (n, 2), far more of them where the skin happens to lie towards the lamp."""
    chance = np.exp(SWARMING * soft_noise(generator, SWARM_CELL)) * (1.0 + _about_roots(hair, generator))
    cumulative = np.cumsum(chance, dtype=np.float64)
    cells = np.searchsorted(cumulative, generator.random(count) * cumulative[-1], side="right")
    cells = np.minimum(cells, SOFT_WIDTH * SOFT_HEIGHT - 1)
    corner = np.stack([cells % SOFT_WIDTH, cells // SOFT_WIDTH], axis=1)
    middles = (corner + generator.random((count, 2))) * SOFT
    return np.asarray(np.repeat(middles, FLOCK, axis=0) + generator.normal(0.0, FLOCK_SPREAD, (FLOCK * count, 2)))


def _about_roots(hair: Hair, generator: np.random.Generator) -> Field:
    """Return how many times more glints there are by pixel of quarter size: the skin is moist about roots."""
    mask = np.zeros((SOFT_HEIGHT, SOFT_WIDTH), dtype=np.uint8)
    for follicle in hair.follicles:
        x, y = corners(follicle.centre / SOFT).tolist()
        cv2.circle(mask, (x, y), int(NEAR_ROOT / SOFT) << SHIFT, (255,), -1, cv2.LINE_AA, SHIFT)
    gain = np.float32(generator.uniform(*ROOT_GAIN) / 255.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 3.0) * gain, dtype=np.float32)


def _strokes(middles: Points, direction: float, generator: np.random.Generator) -> Points:
    """Return outlines of strokes that taper to both ends, as OpenCV takes them: (n, 2 × POINTS, 2) whole numbers."""
    count = len(middles)
    kind, size = np.exp(np.array([KIND_SPREAD, SIZE_SPREAD]) * generator.standard_normal(2))
    areas = AREA * size * np.exp(AREA_SPREAD * generator.standard_normal(count))
    elongations = ELONGATION * kind * np.exp(ELONGATION_SPREAD * generator.standard_normal(count))
    widths = np.clip(np.sqrt(areas / (0.75 * elongations)), *WIDTHS)
    lengths = np.minimum(areas / (0.75 * widths), 10.0 * widths)
    crossing = generator.uniform(*CROSSING) * generator.choice((-1.0, 1.0), count)
    angles = direction + math.pi / 2 + crossing + ASTRAY * generator.standard_normal(count)
    bends = BENT * generator.uniform(-1.0, 1.0, count) * np.minimum(1.0, elongations / 3.0)
    along = np.linspace(-0.5, 0.5, POINTS)
    turned = angles[:, None] + bends[:, None] * along
    steps = np.stack([np.cos(turned), np.sin(turned)], axis=2)
    spine = middles[:, None] + steps * (along * lengths[:, None])[..., None]
    across = np.stack([-steps[..., 1], steps[..., 0]], axis=2)
    # A ragged outline: light catches on what is never smooth.
    half = widths[:, None] / 2 * np.sqrt(1.0 - (1.7 * along) ** 2) * generator.uniform(0.7, 1.3, (2, count, POINTS))
    sides = [spine + across * half[0][..., None], (spine - across * half[1][..., None])[:, ::-1]]
    return np.asarray(corners(np.concatenate(sides, axis=1)))
