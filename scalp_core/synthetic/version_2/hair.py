"""Hair: follicles and shafts by severity of hair loss, and their shadows on the skin.

Every follicle has a random stream of its own, so a head that thins keeps the hairs it has left in place.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

import cv2
import numpy as np

from scalp_core.labels import Condition
from scalp_core.synthetic.version_2.canvas import (
    AREA,
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
    at_severity,
    corners,
    direction_of,
    scattered,
    whole,
)
from scalp_core.synthetic.version_2.scene import Follicle, Hair, Scene, Shaft
from scalp_core.synthetic.version_2.strand import GRAINS, draw_strand, grains

HAIR_COVERAGE = (0.164, 0.111, 0.099, 0.057)
HAIR_COVERAGE_SPREAD = 0.022  # less than the .05 measured, or the grades would overlap more than a label allows
FULL_COVERAGE = (0.45, 0.70)  # a frame almost all hair, whatever the scalp below is like
# px, of a typical hair. With tips, vellus hairs and clumps the median over a mask is 7.2 / 6.7 / 5.8 / 5.0 as measured.
HAIR_WIDTH = (7.5, 7.3, 7.0, 6.6)
HAIR_WIDTH_SPREAD = (0.18, 0.23, 0.29, 0.32)  # lognormal; heterogeneity is an early sign of thinning
UNITS = (9.5, 8.0, 6.5, 5.5)  # pores with hair
EMPTY_PORES = (0.0, 0.6, 3.0, 6.0)
VELLUS_HAIRS = (0.0, 1.0, 4.5, 8.0)
# How often a pore has at least two, three, four hairs.
UNIT_SIZES = ((0.90, 0.68, 0.42, 0.14), (0.45, 0.22, 0.10, 0.0), (0.08, 0.02, 0.0, 0.0))
SLOTS = (-0.5, 0.5, 1.5, -1.5)  # where they leave it, side by side
MARGIN = 14.0  # px from the border to the outermost pore

# As the centre of a shaft reflects it, by the names of scene.HAIR_COLOURS; a grey head has dark hairs between.
PALETTES: dict[str, tuple[Colour, ...]] = {
    "black": ((38, 33, 34), (46, 39, 37), (42, 34, 31)),
    "dark_brown": ((58, 45, 39), (70, 52, 42), (50, 40, 36)),
    "brown": ((84, 62, 48), (72, 52, 41), (96, 70, 52)),
    "grey": ((48, 40, 37), (176, 175, 172), (208, 207, 203), (146, 145, 144)),
}
DYES: tuple[Colour, ...] = ((122, 76, 46), (104, 54, 42), (150, 114, 74), (88, 54, 44), (72, 44, 56))  # one a head
NATURAL: Colour = (44, 37, 35)  # what grows back under a dye
VELLUS_COLOUR: Colour = (132, 100, 76)

STEPS = 26  # points along a shaft
# Where they lie between its root, 0, and its tip, 1: densest at the root.
ALONG = np.linspace(0.0, 1.0, STEPS) ** 1.6
FILLED_EDGE = 0.6  # px that OpenCV fills a shaft wider than it looks
MAX_SHIFT = 800  # px of a grain that are skipped, so that no two hairs shine alike


@dataclass(frozen=True)
class Growth:
    """Parameters that the hairs of one head share; `cling` is 1, and less where oil holds them together."""

    severity: float
    direction: float
    width: float
    bend: float
    cling: float
    palette: Sequence[Colour]
    regrown: float


def plan_hair(severity: float, scene: Scene, generator: np.random.Generator) -> Hair:
    """Plan follicles with their shafts, then hairs that cross from outside until the measured coverage is reached."""
    head, places, units, visitors, short = generator.spawn(5)
    growth = _growth(severity, scene, head)
    deviation, full = HAIR_COVERAGE_SPREAD * head.standard_normal(), head.uniform(*FULL_COVERAGE)
    coverage = max(0.02, at_severity(severity, HAIR_COVERAGE) + deviation)
    if "full_of_hair" in scene.confusers:
        coverage = full
    follicles = _follicles(growth, places)
    vellus = _vellus_hairs(growth, short)
    # Every pore gets its first hair before any gets its second: a low coverage leaves none bald by chance.
    streams = units.spawn(len(follicles))
    turns = zip_longest(*(_unit(pore, growth, own) for pore, own in zip(follicles, streams, strict=True)))
    rooted = (shaft for turn in turns for shaft in turn if shaft)
    shafts = _until_covered(chain(rooted, _visitors(growth, visitors)), vellus, coverage)
    return Hair(follicles, (*shafts, *vellus))


def _growth(severity: float, scene: Scene, generator: np.random.Generator) -> Growth:
    width = at_severity(severity, HAIR_WIDTH) * math.exp(0.07 * generator.standard_normal())
    bend, regrown = generator.normal(0.0, 0.25), max(0.0, generator.uniform(-150.0, 260.0))
    cling = 1.0 - 0.22 * float(scene.severities[Condition.EXCESS_SEBUM])
    dye, dyed = DYES[int(generator.integers(len(DYES)))], scene.hair == "dyed"
    palette = (dye,) if dyed else PALETTES[scene.hair]
    return Growth(severity, scene.direction, width, bend, cling, palette, regrown if dyed else 0.0)


def _follicles(growth: Growth, generator: np.random.Generator) -> tuple[Follicle, ...]:
    units = max(3, round(at_severity(growth.severity, UNITS) + generator.normal(0.0, 1.0)))
    empty = whole(at_severity(growth.severity, EMPTY_PORES), generator)
    lean, place = generator.spawn(2)
    centres = scattered(units + empty, MARGIN, place)
    angles = growth.direction + 0.13 * lean.standard_normal(len(centres))
    pores = zip(centres, angles, strict=True)
    return tuple(Follicle(centre, float(angle), number >= units) for number, (centre, angle) in enumerate(pores))


def _unit(pore: Follicle, growth: Growth, generator: np.random.Generator) -> Iterator[Shaft]:
    """Plan the hairs of one pore: they leave it side by side, then part gently."""
    chance = generator.random()
    count = 0 if pore.empty else 1 + sum(chance < at_severity(growth.severity, odds) for odds in UNIT_SIZES)
    aside = direction_of(pore.angle + math.pi / 2)
    for slot in SLOTS[:count]:
        root = pore.centre + aside * (slot * 0.6 * growth.width) + generator.normal(0, 2.0, 2)
        # Now and then a hair crosses its neighbour instead of leaving it.
        side = np.sign(slot) if generator.random() < 0.8 else -np.sign(slot)
        fan = growth.cling * (side * abs(generator.normal(0.10, 0.07)) + generator.normal(0, 0.04))
        yield _shaft(root, pore.angle + generator.normal(0, 0.03), fan, growth, generator)


def _shaft(root: Points, angle: float, fan: float, growth: Growth, generator: np.random.Generator) -> Shaft:
    spread = at_severity(growth.severity, HAIR_WIDTH_SPREAD)
    own = float(np.clip(growth.width * math.exp(spread * generator.standard_normal()), 2.2, 12.0))
    cut = generator.random() < 0.1
    # Most hairs are much longer than the frame is wide; a thin one is also a short one.
    length = generator.uniform(90, 340) if cut else generator.uniform(520, 1150) * min(1.0, 0.3 + own / 7.0)
    path = arc(root, angle, length, generator, fan, growth.bend)
    widths = own * _profile(length, 0.1 if cut else 0.75)
    red, green, blue = growth.palette[int(generator.integers(len(growth.palette)))]
    tone = math.exp(0.13 * generator.standard_normal())
    above, edge = bool(generator.random() < 0.4), 1.5 + float(generator.exponential(0.5))
    colour = (red * tone, green * tone, blue * tone)
    return Shaft(path, widths, colour, above, edge, 0.97, growth.regrown, NATURAL)


def _profile(length: float, taper: float) -> Points:
    """Return the relative width along a shaft: a slightly swollen root, and a tip that loses the share `taper`."""
    swelling = 1.0 + 0.22 * np.exp(-((ALONG * length / 13.0) ** 2))
    tapering = 1.0 - taper * np.clip(ALONG - 0.6, 0, 1) / 0.4
    return np.asarray(swelling * tapering)


def arc(
    root: Points, angle: float, length: float, generator: np.random.Generator, fan: float = 0.0, lean: float = 0.0
) -> Points:
    """Return a gentle arc; it turns by `fan` soon after the root, and by about `lean` over its length."""
    bend, sway = np.clip(lean + generator.normal(0, 0.28), -0.8, 0.8), generator.normal(0, 0.08)
    turned = fan * (1.0 - np.exp(-ALONG * length / 110.0))
    angles = angle + turned + bend * ALONG + sway * np.sin(ALONG * generator.uniform(3, 7))
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:-1] * (np.diff(ALONG) * length)[:, None]
    return np.asarray(root + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]))


def _visitors(growth: Growth, generator: np.random.Generator) -> Iterator[Shaft]:
    """Yield hairs rooted outside the frame, without end; one in six crosses the others."""
    while True:
        angle = growth.direction + generator.normal(0, 0.22 if generator.random() < 5 / 6 else 0.9)
        across = generator.uniform(-0.55, 0.55) * WIDTH * direction_of(angle + math.pi / 2)
        start = np.array([WIDTH / 2, HEIGHT / 2]) + across - generator.uniform(420, 560) * direction_of(angle)
        yield _shaft(start, angle, 0.0, growth, generator)


def _until_covered(hairs: Iterator[Shaft], others: Sequence[Shaft], coverage: float) -> list[Shaft]:
    """Return as many of the hairs as bring the hidden share of the frame nearest to `coverage`."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for shaft in others:
        _cover(mask, shaft)
    shafts: list[Shaft] = []
    covered, target = cv2.countNonZero(mask), coverage * AREA
    while covered < target:
        shaft = next(hairs)
        _cover(mask, shaft)
        before, covered = covered, cv2.countNonZero(mask)
        if 0 < covered - before < 2 * (target - before):
            shafts.append(shaft)
    return shafts


def _cover(mask: Pixels, shaft: Shaft) -> None:
    cv2.fillPoly(mask, [corners(shaft.outline(FILLED_EDGE))], (255,), cv2.LINE_8, SHIFT)


def _vellus_hairs(growth: Growth, generator: np.random.Generator) -> list[Shaft]:
    """Plan short, thin, light brown hairs, as follicles make them before they stop."""
    shafts = []
    for _ in range(whole(at_severity(growth.severity, VELLUS_HAIRS), generator)):
        root, length = generator.uniform((0, 0), (WIDTH, HEIGHT)), generator.uniform(45, 120)
        path = arc(
            root, growth.direction + 0.6 * generator.standard_normal(), length, generator, lean=generator.normal(0, 0.4)
        )
        widths = np.linspace(3.2, 1.3, STEPS) * generator.uniform(0.8, 1.1)
        tone = generator.uniform(0.8, 1.15)
        red, green, blue = VELLUS_COLOUR
        shafts.append(Shaft(path, widths, (red * tone, green * tone, blue * tone), above=False, opacity=0.78))
    return shafts


def shade_under_hair(lab: Field, hair: Hair) -> None:
    """Draw the root, blue-grey through the skin behind each pore, and the shadow that every shaft casts."""
    roots, cast = (np.zeros((SOFT_HEIGHT, SOFT_WIDTH), dtype=np.uint8) for _ in range(2))
    for follicle in hair.follicles:
        behind = follicle.centre - np.outer([20.0, 10.0, 0.0], direction_of(follicle.angle))
        strength = 70 if follicle.empty else 220
        cv2.polylines(roots, [corners(behind / SOFT)], False, (strength,), 2, cv2.LINE_AA, SHIFT)
        cv2.polylines(roots, [corners(behind[1:] / SOFT)], False, (strength,), 3, cv2.LINE_AA, SHIFT)
    for shaft in hair.shafts:
        thickness = max(1, round(float(shaft.widths[0]) / SOFT))
        rise = 2.0 + np.linspace(0.0, 1.0, len(shaft.path))[:, None] ** 1.6 * 6.0
        cv2.polylines(cast, [corners((shaft.path + rise) / SOFT)], False, (150,), thickness, cv2.LINE_AA, SHIFT)
    deep = cv2.GaussianBlur(roots, (0, 0), 1.7).astype(np.float32) / 255.0
    shadow = cv2.GaussianBlur(cast, (0, 0), 1.3).astype(np.float32) / 255.0
    lab[..., 0] -= 20.0 * deep + 12.0 * shadow
    lab[..., 2] -= 9.0 * deep
    lab[..., 1] *= 1.0 - 0.35 * deep


def draw_hair(frame: Pixels, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Draw all shafts into `frame`; return the mask of those that lie on top of flakes."""
    above = np.zeros(HEIGHT * WIDTH, dtype=np.uint8)
    shades, shift = grains(generator), generator.integers(0, MAX_SHIFT, len(hair.shafts))
    shine = generator.uniform(0.35, 1.0, len(hair.shafts))
    for number in sorted(range(len(hair.shafts)), key=lambda number: hair.shafts[number].above):
        shaft, grain = hair.shafts[number], shades[number % GRAINS, :, shift[number] :]
        index, opacity = draw_strand(frame, shaft, grain, float(shine[number]))
        if shaft.above:
            above[index] = np.maximum(above[index], cv2.convertScaleAbs(opacity, alpha=255.0).ravel())
    return above.reshape(HEIGHT, WIDTH)
