"""What is in a picture whatever the labels say: bubbles, blood, dye, blur, over-exposure, hairs before the lens."""

import math

import cv2
import numpy as np

from scalp_core.drawing.canvas import (
    HEIGHT,
    SHIFT,
    SOFT,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Pixels,
    blend_spot,
    corners,
    direction_of,
    overlay,
)
from scalp_core.drawing.hair import arc


def draw_stains(frame: Pixels, confusers: frozenset[str], generator: np.random.Generator) -> Pixels:
    """What lies on the skin under the hair: dye stains, spots of blood with their crusts."""
    return frame


def draw_before_lens(frame: Pixels, confusers: frozenset[str], generator: np.random.Generator) -> Pixels:
    """What lies between lens and scalp: bubbles, a hair out of focus."""
    if "bubbles" in confusers:
        _draw_bubbles(frame, generator)
    if "front_hair" in confusers:
        _draw_front_hair(frame, generator)
    return frame


def _draw_bubbles(frame: Pixels, generator: np.random.Generator) -> None:
    for _ in range(int(generator.integers(1, 5))):
        centre, radius = generator.uniform((0, 0), (WIDTH, HEIGHT)), generator.uniform(6, 20)
        blend_spot(frame, centre, radius, (226, 230, 230), 0.3, 0.85)
        blend_spot(frame, centre, radius * 0.82, (120, 112, 108), 0.28, 0.7)
        blend_spot(frame, centre - radius * 0.4, radius * 0.16 + 1.0, (255, 255, 255), 0.9, 0.3)


def _draw_front_hair(frame: Pixels, generator: np.random.Generator) -> None:
    """A hair between lens and skin, out of focus."""
    mask = np.zeros((SOFT_HEIGHT, SOFT_WIDTH), dtype=np.uint8)
    angle = generator.uniform(0, 2 * math.pi)
    start = np.array([WIDTH / 2, HEIGHT / 2]) - 450.0 * direction_of(angle) + generator.normal(0, 130, 2)
    path = arc(start, angle, 950.0, generator)
    cv2.polylines(mask, [corners(path / SOFT)], False, (255,), 3, cv2.LINE_AA, SHIFT)
    soft = cv2.GaussianBlur(mask, (0, 0), generator.uniform(1.2, 2.2)).astype(np.float32) * np.float32(0.6 / 255.0)
    alpha = np.asarray(cv2.resize(soft, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    frame[...] = overlay(frame, (60.0, 50.0, 46.0), alpha)
