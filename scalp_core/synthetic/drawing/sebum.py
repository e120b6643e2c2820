"""Excess sebum: many compact sparkles evenly over the skin, wet rims, clumped glossy hair, waxy lumps at roots.

As on real frames oil neither yellows the skin nor blows out: sparkles are small, round and of medium contrast.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
    HEIGHT,
    SHIFT,
    WIDTH,
    Colour,
    Pixels,
    Points,
    at_severity,
    corners,
    direction_of,
    overlay,
)
from scalp_core.synthetic.drawing.scaling import shown
from scalp_core.synthetic.drawing.scene import Follicle, Hair, Shaft

# By grade. What a frame shows at a higher severity begins with all that it shows at a lower one.
SPARKLES = (0.0, 130.0, 330.0, 760.0)
RIMS = (0.0, 6.0, 17.0, 40.0)
LUMPS = (0.0, 0.09, 0.2, 0.34)  # share of the roots
CLUMPED = (0.0, 36.0, 95.0, 210.0)  # px from the root along which hairs of a pore stick together
GLOSSY = (0.0, 0.25, 0.55, 1.0)  # how strongly clumps shine

SPARKLE_RADIUS, SPARKLE_RADII, RADIUS_SPREAD = 2.3, (1.4, 4.0), 0.35  # px, lognormal; the lens adds about 1
SPARKLE_OPACITY, SPARKLE_SPREAD, SPARKLE_OPACITIES = 0.40, 0.32, (0.16, 0.80)  # lognormal
MAX_ELONGATION = 1.5
CORE_SHARE, CORE_RADIUS, CORE_OPACITY = 0.4, 1.1, 1.7  # sparkles with a brighter core, its px, and how much brighter
GRID = (40, 30)  # cells of the frame; each gets a sparkle before any gets the next, so that they lie evenly
RIM_LENGTH = (5.0, 13.0)  # px, half the length of a lens
RIM_OPACITY = (0.35, 0.7)
AT_ROOT = 0.5  # share of the rims that lie at a root
LUMP_LENGTH = (8.0, 20.0)  # px, half of it
LUMP_OPACITY = 0.66
STICKING = 15.0  # px between hairs from which they no longer stick together
ROOTED = 16.0  # px from a pore within which its hairs begin
CLUMP_OPACITY = 0.8
GLOSS_WIDTHS = (1, 2)  # px of the bright lines along a clump
GLOSS_OPACITY = (0.25, 0.65)

SPARKLE_COLOUR = (236.0, 246.0, 250.0)
LUMP_COLOUR = (234.0, 234.0, 220.0)
CLUMP_SHADE = 0.8  # of the colour of the hairs


@dataclass(frozen=True, eq=False)
class Oil:
    """The oil of a frame.

    Attributes:
        shine, lumps, clumps, gloss: opacity of sparkles and rims, of lumps, of what joins hairs, and of the gloss on
            it; full size, 0–255.
        clump_colour: of what joins hairs.
        sparkles, rims, waxy: how many sparkles, rims and lumps there are.
    """

    shine: Pixels
    lumps: Pixels
    clumps: Pixels
    gloss: Pixels
    clump_colour: Colour
    sparkles: float
    rims: float
    waxy: int


def plan_oil(severity: float, hair: Hair, generator: np.random.Generator) -> Oil | None:
    """Plan the oil of a frame; None where there is none."""
    if severity <= 0.0:
        return None
    # Oily hairs lie otherwise than dry ones, so there may be more or fewer: that must not move the sparkles.
    drops, lenses, wax, strands = generator.spawn(4)
    sparkles, rims = at_severity(severity, SPARKLES), at_severity(severity, RIMS)
    shine = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    _draw_sparkles(shine, sparkles, drops)
    _draw_rims(shine, rims, hair, lenses)
    lumps, waxy = _lumps(at_severity(severity, LUMPS), hair, wax)
    reach = at_severity(severity, CLUMPED)
    clumps, gloss = _clumps(reach, at_severity(severity, GLOSSY), hair, strands)
    return Oil(
        _softened(shine, 1.0),
        _softened(lumps, 2.2),
        _softened(clumps, 0.8),
        _softened(gloss, 0.9),
        _clump_colour(hair),
        sparkles,
        rims,
        waxy,
    )


def draw_oil(frame: Pixels, oil: Oil) -> None:
    """Draw lumps, sparkles and rims on the skin, and the clumps that hairs will lie in."""
    _lay(frame, LUMP_COLOUR, oil.lumps)
    _lay(frame, SPARKLE_COLOUR, oil.shine)
    _lay(frame, oil.clump_colour, oil.clumps)


def draw_gloss(frame: Pixels, oil: Oil) -> None:
    """Draw the gloss on clumped hair."""
    _lay(frame, SPARKLE_COLOUR, oil.gloss)


def _lay(frame: Pixels, colour: Colour, opacity: Pixels) -> None:
    """Lay a colour over the part of the frame where it has opacity."""
    left, top, width, height = cv2.boundingRect(opacity)
    if width:
        part = frame[top : top + height, left : left + width]
        part[...] = overlay(part, colour, opacity[top : top + height, left : left + width])


def _softened(mask: Pixels, blur: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), blur), dtype=np.uint8)


def _draw_sparkles(shine: Pixels, count: float, generator: np.random.Generator) -> None:
    """Draw compact sparkles, evenly over the frame."""
    most = math.ceil(SPARKLES[-1])
    places = _even_places(most, generator)
    radii = np.clip(SPARKLE_RADIUS * np.exp(RADIUS_SPREAD * generator.standard_normal(most)), *SPARKLE_RADII)
    beside = generator.normal(0, 0.75, (most, 2)) * radii[:, None]
    flat = np.sqrt(generator.uniform(1.0, MAX_ELONGATION, most))
    turns = generator.uniform(0, 180, most)
    opacity = np.clip(
        SPARKLE_OPACITY * np.exp(SPARKLE_SPREAD * generator.standard_normal(most)), *SPARKLE_OPACITIES
    ) * shown(count, most)
    bright = generator.random(most) < CORE_SHARE
    axes = corners(np.stack([radii * flat, radii / flat], axis=1)).tolist()
    middles, others = corners(places).tolist(), corners(places + beside).tolist()
    for number in np.flatnonzero(opacity):
        colour = (255.0 * float(opacity[number]),)
        turn = float(turns[number])
        # Two that overlap, so that none is a disc.
        for middle, turned in ((middles[number], turn), (others[number], turn + 70.0)):
            cv2.ellipse(shine, middle, axes[number], turned, 0, 360, colour, -1, cv2.LINE_AA, SHIFT)
        if bright[number]:
            core = (min(255.0, CORE_OPACITY * colour[0]),)
            cv2.circle(shine, middles[number], int(CORE_RADIUS * (1 << SHIFT)), core, -1, cv2.LINE_AA, SHIFT)


def _even_places(count: int, generator: np.random.Generator) -> Points:
    """Return places by cells in random order, no cell twice before all have had their turn."""
    columns, rows = GRID
    rounds = math.ceil(count / (columns * rows))
    cells = np.concatenate([generator.permutation(columns * rows) for _ in range(rounds)])[:count]
    within = generator.uniform(0, 1, (count, 2))
    return np.asarray((np.stack([cells % columns, cells // columns], axis=1) + within) * (WIDTH / columns))


def _draw_rims(shine: Pixels, count: float, hair: Hair, generator: np.random.Generator) -> None:
    """Draw the rims of lens-like drops: a bright crescent towards the lamp, a fainter one across."""
    most = math.ceil(RIMS[-1])
    places = generator.uniform((0, 0), (WIDTH, HEIGHT), (most, 2))
    roots = generator.integers(max(len(hair.follicles), 1), size=most)
    beside = generator.normal(0, 9.0, (most, 2))
    for rim in np.flatnonzero(generator.random(most) < AT_ROOT) if hair.follicles else ():
        places[rim] = hair.follicles[int(roots[rim])].centre + beside[rim]
    long, flat = generator.uniform(*RIM_LENGTH, most), generator.uniform(0.5, 0.95, most)
    turns, strength = generator.uniform(0, 360, most), generator.uniform(*RIM_OPACITY, most) * shown(count, most)
    for rim in np.flatnonzero(strength):
        middle = corners(places[rim]).tolist()
        axes = corners(np.array([long[rim], long[rim] * flat[rim]])).tolist()
        for start, end, share, width in ((190, 320, 1.0, 2), (20, 120, 0.6, 1)):
            colour = (255.0 * share * float(strength[rim]),)
            cv2.ellipse(shine, middle, axes, float(turns[rim]), start, end, colour, width, cv2.LINE_AA, SHIFT)


def _lumps(share: float, hair: Hair, generator: np.random.Generator) -> tuple[Pixels, int]:
    """Return the opacity of waxy lumps at some roots, and how many there are."""
    mask, count = np.zeros((HEIGHT, WIDTH), dtype=np.uint8), 0
    for follicle, own in zip(hair.follicles, generator.spawn(len(hair.follicles)), strict=True):
        first, opacity = own.random(2)
        place = follicle.centre - 8.0 * direction_of(follicle.angle)
        parts = own.normal(0, 5.0, (4, 2))
        lengths, flats = own.uniform(*LUMP_LENGTH, 4), own.uniform(0.5, 0.9, 4)
        if first >= share:
            continue
        count += 1
        strength = 255.0 * LUMP_OPACITY * (0.6 + 0.4 * opacity) * min(1.0, 0.4 + (share - first) * 6.0)
        for offset, length, flat in zip(parts, lengths, flats, strict=True):
            axes = corners(np.array([length, length * flat])).tolist()
            turn = math.degrees(follicle.angle)
            cv2.ellipse(mask, corners(place + offset).tolist(), axes, turn, 0, 360, (strength,), -1, cv2.LINE_AA, SHIFT)
            strength *= 0.9
    return mask, count


def _clumps(reach: float, glossy: float, hair: Hair, generator: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Return the opacity of what joins the hairs of a pore, and of the bright lines along them."""
    clumps, gloss = (np.zeros((HEIGHT, WIDTH), dtype=np.uint8) for _ in range(2))
    if not hair.shafts:
        return clumps, gloss
    streams = generator.spawn(len(hair.follicles))
    roots = np.array([shaft.path[0] for shaft in hair.shafts])
    for follicle, own in zip(hair.follicles, streams, strict=True):
        wet = reach * float(own.uniform(0.5, 1.5))
        for first, second in _neighbours(follicle, hair, roots):
            joined = _joined(first, second, wet)
            if joined > 1:
                outline = np.concatenate([first.path[:joined], second.path[:joined][::-1]])
                cv2.fillPoly(clumps, [corners(outline)], (255.0 * CLUMP_OPACITY,), cv2.LINE_AA, SHIFT)
                middle = (first.path[1:joined] + second.path[1:joined]) / 2
                opacity = 255.0 * glossy * float(own.uniform(*GLOSS_OPACITY))
                width = int(own.choice(GLOSS_WIDTHS))
                cv2.polylines(gloss, [corners(middle)], False, (opacity,), width, cv2.LINE_AA, SHIFT)
    return clumps, gloss


def _neighbours(follicle: Follicle, hair: Hair, roots: Points) -> Iterator[tuple[Shaft, Shaft]]:
    """Yield the hairs of a pore that lie next to each other; `roots` of all hairs."""
    away = roots - follicle.centre
    rooted = np.flatnonzero((away**2).sum(axis=1) < ROOTED**2)
    across = away[rooted] @ direction_of(follicle.angle + math.pi / 2)
    yield from pairwise(hair.shafts[int(number)] for number in rooted[np.argsort(across, kind="stable")])


def _joined(first: Shaft, second: Shaft, reach: float) -> int:
    """Return how many points of two hairs stick together, within `reach` px of the root."""
    apart = np.linalg.norm(first.path - second.path, axis=1)
    free = np.flatnonzero((apart > STICKING) | (first.along > reach))
    return int(free[0]) if len(free) else len(first.path)


def _clump_colour(hair: Hair) -> Colour:
    colours = [shaft.colour for shaft in hair.shafts] or [(60.0, 60.0, 60.0)]
    red, green, blue = np.median(np.array(colours), axis=0) * CLUMP_SHADE
    return float(red), float(green), float(blue)
