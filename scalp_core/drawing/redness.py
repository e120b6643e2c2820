"""Erythema between the follicles (fields and vessels) and pustules on them (halos, domes, crusts)."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from scalp_core.drawing.canvas import (
    COLUMNS,
    HEIGHT,
    ROWS,
    SHIFT,
    SOFT,
    WIDTH,
    Field,
    Pixels,
    Points,
    at_severity,
    blend_spot,
    corners,
    fill,
    inside,
    ragged,
    smoothstep,
    soft_noise,
    threshold,
    whole,
)
from scalp_core.drawing.scene import Hair, Pustule

ERYTHEMA_REDNESS = (0.0, 7.0, 13.0, 20.5)  # at the reddest place; over the frame about +4 / +9 / +17


ERYTHEMA_AREA = (0.2, 0.35, 0.55, 0.8)


VESSELS = (0.0, 3.0, 8.0, 15.0)


PUSTULE_COUNT = (0.0, 1.0, 2.6, 5.4)


def redden(lab: Field, severity: float, generator: np.random.Generator) -> None:
    """The diffuse red field between the follicles, with soft borders."""
    field = 0.7 * soft_noise(generator, 130) + 0.45 * soft_noise(generator, 48)
    edge = threshold(field, at_severity(severity, ERYTHEMA_AREA))
    patches = smoothstep(field, edge - 1.1, edge + 1.1)
    patches = np.asarray(cv2.GaussianBlur(patches, (0, 0), 5.0), dtype=np.float32)
    redness = at_severity(severity, ERYTHEMA_REDNESS) * (0.35 + 0.65 * patches)
    lab[..., 1] += redness
    lab[..., 2] += redness * 0.16
    lab[..., 0] -= redness * 0.28


def vessel_mask(severity: float, generator: np.random.Generator) -> Field | None:
    """Thin winding vessels with branches, 0–1; None where there are none."""
    count = whole(at_severity(severity, VESSELS), generator)
    if not count:
        return None
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for _ in range(count):
        start = generator.uniform((20, 20), (WIDTH - 20, HEIGHT - 20))
        trunk = _winding(start, generator.uniform(0, 2 * math.pi), generator.uniform(40, 110), generator)
        strength = float(generator.uniform(0.55, 1.0) * 255)
        cv2.polylines(mask, [corners(trunk)], False, (strength,), 2, cv2.LINE_AA, SHIFT)
        for _ in range(int(generator.integers(1, 4))):
            fork = trunk[int(generator.integers(2, len(trunk) - 2))]
            twig = _winding(fork, generator.uniform(0, 2 * math.pi), generator.uniform(20, 50), generator)
            cv2.polylines(mask, [corners(twig)], False, (strength * 0.8,), 1, cv2.LINE_AA, SHIFT)
    blurred = cv2.GaussianBlur(mask, (3, 3), 0.8)
    return np.asarray(blurred * np.float32(1.0 / 255.0), dtype=np.float32)


def _winding(start: Points, angle: float, length: float, generator: np.random.Generator) -> Points:
    angles = angle + np.cumsum(generator.normal(0, 0.42, 14))
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (length / 14)
    return np.asarray(start + np.cumsum(steps, axis=0))


def plan_pustules(severity: float, hair: Hair, generator: np.random.Generator) -> tuple[Pustule, ...]:
    """One halo at grade 1, two or three at 2, more with heads and crusts at 3, each centred on a follicle."""
    order = generator.permutation(len(hair.follicles))
    ready = [hair.follicles[int(number)].centre for number in order]
    places = [place for place in ready if bool(inside(place, 30))] or [np.array([WIDTH / 2, HEIGHT / 2])]
    wanted = round(at_severity(severity, PUSTULE_COUNT) + generator.uniform(-0.3, 0.3))
    count = 0 if severity < 0.5 else max(1, wanted)
    head_share = at_severity(severity, (0.0, 0.5, 0.7, 0.85))
    pustules = []
    for place in places[:count]:
        halo = generator.uniform(19.0, 24.0) + 2.0 * severity
        dome = generator.uniform(5.0, 8.5) + 1.3 * severity if generator.random() < head_share else 0.0
        crust = bool(generator.random() < at_severity(severity, (0.0, 0.0, 0.15, 0.4)))
        pustules.append(Pustule(place + generator.normal(0, 3.0, 2), halo, dome, crust))
    return tuple(pustules)


def add_halos(lab: Field, pustules: Sequence[Pustule]) -> None:
    for pustule in pustules:
        x, y = pustule.centre / SOFT
        spread = pustule.halo / SOFT * 0.62
        glow = np.exp(-((COLUMNS - np.float32(x)) ** 2 + (ROWS - np.float32(y)) ** 2) / np.float32(2 * spread**2))
        glow = smoothstep(np.asarray(glow, dtype=np.float32), 0.0, 0.75)
        lab[..., 1] += 27.0 * glow
        lab[..., 2] += 7.0 * glow
        lab[..., 0] -= 8.0 * glow


def draw_pustules(frame: Pixels, pustules: Sequence[Pustule], generator: np.random.Generator) -> None:
    for pustule in pustules:
        if pustule.dome:
            _draw_dome(frame, pustule, generator)
        if pustule.crust:
            place = pustule.centre + generator.normal(0, pustule.halo * 0.4, 2)
            outline = ragged(place, generator.uniform(5, 9), generator)
            fill(frame, outline + 1.2, (92, 52, 40))
            fill(frame, outline, (168, 116, 66))


def _draw_dome(frame: Pixels, pustule: Pustule, generator: np.random.Generator) -> None:
    squeeze = generator.uniform(0.85, 1.15)
    blend_spot(frame, pustule.centre, pustule.dome * 1.18, (176, 92, 78), 0.6, 0.6, squeeze)
    blend_spot(frame, pustule.centre, pustule.dome, (228, 208, 142), 0.9, 0.6, squeeze)
    blend_spot(frame, pustule.centre - pustule.dome * 0.15, pustule.dome * 0.6, (246, 238, 200), 0.8, 0.1, squeeze)
    blend_spot(frame, pustule.centre - pustule.dome * 0.35, 1.8, (255, 255, 252), 0.95, 0.3)
