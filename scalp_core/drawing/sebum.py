"""Excess sebum: wet gloss, yellow film, waxy plugs."""

import cv2
import numpy as np

from scalp_core.drawing.canvas import (
    HALF,
    HEIGHT,
    SHIFT,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Field,
    Pixels,
    Points,
    at_severity,
    blend_spot,
    corners,
    noise,
    overlay,
    smoothstep,
    soft_noise,
    whole,
)
from scalp_core.drawing.hair import STEPS
from scalp_core.drawing.scene import Hair

GLOSS_BLOBS = (2.0, 38.0, 95.0, 190.0)


def gloss_mask(severity: float, hair: Hair, generator: np.random.Generator) -> Field:
    """Wet highlights, 0–1 at half size: blobs that flow together, droplets at pores and along shafts."""
    mask = np.zeros((HEIGHT // HALF, WIDTH // HALF), dtype=np.uint8)
    pools = generator.uniform((40, 40), (WIDTH - 40, HEIGHT - 40), (7, 2))
    for _ in range(whole(at_severity(severity, GLOSS_BLOBS), generator)):
        centre = _gloss_place(hair, pools, generator)
        radius = 2.6 + generator.gamma(1.7, 1.2 + 0.35 * severity)
        for _ in range(int(generator.integers(1, 3))):
            part = corners((centre + generator.normal(0, radius * 0.8, 2)) / HALF)
            reach = int(radius * generator.uniform(0.5, 1.0) / HALF * (1 << SHIFT))
            cv2.circle(mask, (int(part[0]), int(part[1])), reach, (255,), -1, cv2.LINE_AA, SHIFT)
    blurred = cv2.GaussianBlur(mask, (0, 0), 2.0).astype(np.float32) / 255.0
    return smoothstep(blurred, 0.06, 0.95)


def _gloss_place(hair: Hair, pools: Points, generator: np.random.Generator) -> Points:
    chance = generator.random()
    if chance < 0.4:
        follicle = hair.follicles[int(generator.integers(len(hair.follicles)))]
        return np.asarray(follicle.centre + generator.normal(0, 13, 2))
    if chance < 0.6 and hair.shafts:
        shaft = hair.shafts[int(generator.integers(len(hair.shafts)))]
        return np.asarray(shaft.path[int(generator.integers(STEPS // 2))] + generator.normal(0, 4, 2))
    return np.asarray(pools[int(generator.integers(len(pools)))] + generator.normal(0, 64, 2))


def wet_skin(lab: Field, severity: float, wet: Field, generator: np.random.Generator) -> None:
    """Oil on the skin: darker, yellower, most about the gloss."""
    film = cv2.GaussianBlur(cv2.resize(wet, (SOFT_WIDTH, SOFT_HEIGHT), interpolation=cv2.INTER_AREA), (0, 0), 5.0)
    patches = smoothstep(soft_noise(generator, 110), -0.6, 1.2)
    amount = severity / 3.0
    lab[..., 2] += amount * (3.5 + 4.5 * patches) + 7.0 * film * amount
    lab[..., 0] -= 7.0 * film * amount


def draw_plugs(frame: Pixels, severity: float, hair: Hair, generator: np.random.Generator) -> None:
    """Waxy yellow plugs in the pores of an oily scalp."""
    share = at_severity(severity, (0.0, 0.1, 0.45, 0.85))
    for follicle in hair.follicles:
        plugged, radius = generator.random() < share, generator.uniform(5.5, 10.5)
        if plugged:
            place = follicle.centre + generator.normal(0, 2.0, 2)
            blend_spot(frame, place, radius, (216, 190, 122), 0.62, 0.45, generator.uniform(0.7, 1.2))
            blend_spot(frame, place - 1.8, radius * 0.45, (244, 232, 190), 0.6, 0.3)


def add_gloss(frame: Pixels, wet: Field, generator: np.random.Generator) -> Pixels:
    if float(wet.max()) < 0.05:
        return frame
    # A veil with a bright heart that breaks over the relief: what tells gloss from scale is that it has no edge.
    relief = 0.86 + 0.3 * noise(generator, 3.0, WIDTH // HALF, HEIGHT // HALF)
    alpha = 0.36 * wet + 0.62 * smoothstep(wet * relief, 0.4, 1.0)
    full = cv2.resize(alpha, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return overlay(frame, (255.0, 251.0, 234.0), np.asarray(full, dtype=np.float32))
