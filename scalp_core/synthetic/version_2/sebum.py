"""Excess sebum: an oil film with wet highlights, menisci at pores and shafts, darker yellower skin, waxy plugs."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from scalp_core.synthetic.version_2.canvas import (
    HALF,
    HEIGHT,
    SHIFT,
    SOFT,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Field,
    Pixels,
    Points,
    at_severity,
    blend_spot,
    corners,
    direction_of,
    fill,
    noise,
    overlay,
    smoothstep,
    soft_noise,
    threshold,
)
from scalp_core.synthetic.version_2.scene import Follicle, Hair, Shaft

FILM_COVERAGE = (0.0, 0.13, 0.32, 0.62)  # share of the skin under a film, by grade
FILM_DEPTH = (0.0, 0.78, 0.92, 1.06)
# Severities between which the pores, one after the other, and the shafts near their roots become wet.
PORES_WET = (0.0, 2.3)
SHAFTS_WET = (0.5, 4.2)
SOAKING = 0.9  # severity from a pore's first droplet to all the oil it holds
PLUGS_SHARE = (0.0, 0.08, 0.4, 0.85)

RELIEF_CELL = 10.0  # px across a bump of the skin; with RELIEF_STRETCH it decides how large highlights are
RELIEF_STRETCH = 1.5
RELIEF_WARP = 3.4  # px by which bumps are pushed about, so that highlights flow together
WARP_CELL = 26.0  # px over which the push changes
# In deviations of the relief: how high a bump must be to shine where it is dry, and what oil takes off that.
DRY_LEVEL = 3.6
HIGHEST_BUMP = 2.4  # or chance would let a dry skin shine
FILM_LIFT = 2.8
MENISCUS_LIFT = 3.6
HIDDEN = 2.2  # taken off under a shaft, which a meniscus may still climb

GLOSS_COLOUR = (255.0, 252.0, 240.0)
PLUG_SHADOW_COLOUR = (128, 98, 60)
PLUG_COLOUR = (206, 178, 112)
PLUG_TOP_COLOUR = (236, 220, 170)
HALF_WIDTH, HALF_HEIGHT = WIDTH // HALF, HEIGHT // HALF
TURNING = 420  # side of a square that covers the half-size frame however it is turned
HALF_ROWS, HALF_COLUMNS = np.mgrid[0:HALF_HEIGHT, 0:HALF_WIDTH].astype(np.float32)


@dataclass(frozen=True)
class Oil:
    """The wetness of the skin (`film`, 0–1, quarter size) and its shine (`gloss`, 0–1, half size)."""

    film: Field
    gloss: Field


def gloss_mask(severity: float, hair: Hair, generator: np.random.Generator) -> Oil:
    """Return the oil of a frame: bumps of the skin shine where the film reaches them, without hard edges."""
    # Oily hairs lie otherwise than dry ones, so there may be more or fewer: that must not move the film.
    pores, strands, lie, bumps = generator.spawn(4)
    soaked = _soaked(severity, len(hair.follicles), PORES_WET, pores)
    dripping = _soaked(severity, len(hair.shafts), SHAFTS_WET, strands)
    film = _film(severity, hair, soaked, dripping, lie)
    relief = _relief(hair, bumps)
    menisci = _menisci(hair, soaked, dripping, pores, strands)
    wetness = cv2.resize(film, (HALF_WIDTH, HALF_HEIGHT), interpolation=cv2.INTER_LINEAR)
    skin = np.minimum(relief, HIGHEST_BUMP) + FILM_LIFT * wetness - HIDDEN * _under_hair(hair)
    height = skin + MENISCUS_LIFT * menisci - np.float32(DRY_LEVEL)
    # A saturated heart within a veil, and the glow about it that the lens adds.
    gloss = 0.34 * smoothstep(height, -1.3, 0.7) + 0.6 * smoothstep(height, 0.0, 1.0)
    return Oil(film, gloss + 0.3 * cv2.GaussianBlur(gloss, (0, 0), 3.0) * (1.0 - gloss))


def _under_hair(hair: Hair) -> Field:
    """Return the share of the skin that the shafts hide, 0–1."""
    mask = np.zeros((HALF_HEIGHT, HALF_WIDTH), dtype=np.uint8)
    for shaft in hair.shafts:
        fill(mask, shaft.outline() / HALF, (255,))
    return np.asarray(mask.astype(np.float32) / np.float32(255.0), dtype=np.float32)


def _soaked(severity: float, count: int, wet: tuple[float, float], generator: np.random.Generator) -> Points:
    """Return the share of its oil, 0–1, that each pore or shaft holds: they begin one after the other."""
    return np.asarray(np.clip((severity - generator.uniform(*wet, count)) / SOAKING, 0.0, 1.0))


def _film(severity: float, hair: Hair, soaked: Points, dripping: Points, generator: np.random.Generator) -> Field:
    """Return patches of oil, and the surroundings of wet pores and shafts."""
    lie = 0.75 * soft_noise(generator, 120) + 0.4 * soft_noise(generator, 42)
    edge = threshold(lie, at_severity(severity, FILM_COVERAGE))
    depth = np.float32(at_severity(severity, FILM_DEPTH))
    patches = depth * smoothstep(lie, edge - 0.5, edge + 0.9)
    return np.asarray(np.maximum(patches, _wet_surroundings(hair, soaked, dripping)), dtype=np.float32)


def _wet_surroundings(hair: Hair, soaked: Points, dripping: Points) -> Field:
    mask = np.zeros((SOFT_HEIGHT, SOFT_WIDTH), dtype=np.uint8)
    for follicle, amount in zip(hair.follicles, soaked, strict=True):
        x, y = corners(follicle.centre / SOFT)
        radius = int((9 + 13 * amount) / SOFT * (1 << SHIFT))
        cv2.circle(mask, (int(x), int(y)), radius, (255 * amount,), -1, cv2.LINE_AA, SHIFT)
    for shaft, amount in zip(hair.shafts, dripping, strict=True):
        if amount:
            line = corners(_wet_part(shaft, amount) / SOFT)
            cv2.polylines(mask, [line], False, (200 * amount,), 3, cv2.LINE_AA, SHIFT)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.6).astype(np.float32) / np.float32(255.0), dtype=np.float32)


def _wet_part(shaft: Shaft, amount: float) -> Points:
    """Return the first part of a shaft, on the side of the lamp."""
    reach = 3 + round(7 * amount)
    return np.asarray((shaft.path + shaft.normals * shaft.widths[:, None] * 0.3)[1:reach])


def _relief(hair: Hair, generator: np.random.Generator) -> Field:
    """Return bumps along the skin lines, which run across the hair; pushed about, so that their shape is irregular."""
    cell, push = RELIEF_CELL / HALF, RELIEF_WARP / HALF
    coarse, fine = (noise(generator, size, TURNING, TURNING, RELIEF_STRETCH) for size in (cell, cell / 2))
    across, down = (push * noise(generator, WARP_CELL / HALF, HALF_WIDTH, HALF_HEIGHT) for _ in range(2))
    x, y = HALF_COLUMNS - HALF_WIDTH / 2 + across, HALF_ROWS - HALF_HEIGHT / 2 + down
    along = hair.follicles[0].angle + math.pi / 2
    cosine, sine, middle = (np.float32(value) for value in (math.cos(along), math.sin(along), TURNING / 2))
    bumps = 0.85 * coarse + 0.35 * fine
    turned = cv2.remap(bumps, cosine * x + sine * y + middle, cosine * y - sine * x + middle, cv2.INTER_LINEAR)
    return np.asarray(turned, dtype=np.float32)


def _menisci(
    hair: Hair, soaked: Points, dripping: Points, pores: np.random.Generator, strands: np.random.Generator
) -> Field:
    """Return crescents where the film climbs a pore, droplets beside it, lines along wet shafts; 0–1."""
    mask = np.zeros((HALF_HEIGHT, HALF_WIDTH), dtype=np.uint8)
    for follicle, amount in zip(hair.follicles, soaked, strict=True):
        chances = pores.random((3, 4))
        if amount:
            _draw_crescent(mask, follicle, float(amount), chances[0])
            for chance in chances[1:]:
                _draw_droplet(mask, follicle.centre, float(amount), chance)
    for shaft, amount in zip(hair.shafts, dripping, strict=True):
        chance = strands.random(4)
        if amount:
            line = _wet_part(shaft, amount)
            cv2.polylines(mask, [corners(line / HALF)], False, (80 + 70 * amount,), 1, cv2.LINE_AA, SHIFT)
            _draw_droplet(mask, line[int(chance[0] * len(line))], float(amount), chance)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.9).astype(np.float32) / np.float32(255.0), dtype=np.float32)


def _draw_crescent(mask: Pixels, follicle: Follicle, amount: float, chance: Points) -> None:
    x, y = corners(follicle.centre / HALF)
    long = (9.0 + 5.0 * chance[0]) / HALF * (1 << SHIFT)
    axes = (int(long), int(long * (0.7 + 0.25 * chance[1])))
    turn = math.degrees(follicle.angle)
    # From behind the hairs, where the rim of the pore is free, round to both sides.
    middle, half = 180 + 90 * (chance[2] - 0.5), 25 + 95 * amount * (0.5 + 0.5 * chance[3])
    for thickness, share in ((1, 1.0), (2, 0.35)):
        arc = (turn, middle - half * share, middle + half * share)
        cv2.ellipse(mask, (int(x), int(y)), axes, *arc, (110 + 60 * amount,), thickness, cv2.LINE_AA, SHIFT)


def _draw_droplet(mask: Pixels, place: Points, amount: float, chance: Points) -> None:
    x, y = corners((place + direction_of(2 * math.pi * chance[1]) * (9 + 22 * chance[2])) / HALF)
    long = (3.0 + 4.5 * chance[3] * amount) / HALF * (1 << SHIFT)
    axes = (int(long), int(long * (0.5 + 0.5 * chance[0])))
    cv2.ellipse(mask, (int(x), int(y)), axes, 360 * chance[2], 0, 360, (150 + 90 * chance[0],), -1, cv2.LINE_AA, SHIFT)


def wet_skin(lab: Field, severity: float, oil: Oil, generator: np.random.Generator) -> None:
    """Let light into the oily skin: darker and more saturated under the film, and yellow all over."""
    patches = smoothstep(soft_noise(generator, 110), -0.6, 1.2)
    amount = np.float32(severity / 3.0)
    film = cv2.GaussianBlur(oil.film, (0, 0), 2.5)
    lab[..., 0] -= 6.5 * film + 2.0 * amount
    lab[..., 1:] *= (1.0 + 0.14 * film)[..., None]
    lab[..., 1] += 1.6 * film
    lab[..., 2] += amount * (4.0 + 3.5 * patches) + 2.5 * film


def draw_plugs(frame: Pixels, severity: float, hair: Hair, generator: np.random.Generator) -> None:
    """Draw waxy yellow plugs in the pores of an oily scalp."""
    share = at_severity(severity, PLUGS_SHARE)
    for follicle in hair.follicles:
        chance, size, squeeze = generator.random(3)
        place = follicle.centre + generator.normal(0, 2.0, 2) - 3.0 * direction_of(follicle.angle)
        if chance < share:
            radius = (5.0 + 4.5 * size) * (0.75 + 0.25 * min(1.0, share - chance + 0.5))
            flatness = 0.75 + 0.45 * squeeze
            blend_spot(frame, place + 1.0, radius * 1.12, PLUG_SHADOW_COLOUR, 0.4, 0.5, flatness)
            blend_spot(frame, place, radius, PLUG_COLOUR, 0.72, 0.55, flatness)
            blend_spot(frame, place - radius * 0.22, radius * 0.55, PLUG_TOP_COLOUR, 0.6, 0.2, flatness)


def add_gloss(frame: Pixels, oil: Oil) -> Pixels:
    """Draw the highlights over all that lies under them."""
    if float(oil.gloss.max()) < 0.05:
        return frame
    alpha = cv2.resize(oil.gloss, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return overlay(frame, GLOSS_COLOUR, np.asarray(alpha, dtype=np.float32))
