"""Hair: follicles and shafts by severity of hair loss, and their shadows on the skin.

Every follicle has a random stream of its own, so a head that thins keeps the hairs it has left in place.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

import cv2
import numpy as np

from scalp_core.labels import Condition
from scalp_core.synthetic.drawing.canvas import (
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
from scalp_core.synthetic.drawing.scene import Follicle, Hair, Scene, Shaft
from scalp_core.synthetic.drawing.strand import GRAINS, draw_strand, grains

# A little less than the measured .164 / .111 / .099 / .057, as shadows and soft edges count as hair in pixels.
HAIR_COVERAGE = (0.157, 0.106, 0.095, 0.056)
HAIR_COVERAGE_SPREAD = 0.022  # less than the .05 measured, or the grades would overlap more than a label allows
FULL_COVERAGE = (0.45, 0.70)  # a frame almost all hair, whatever the scalp below is like
# px, of a typical hair. With tips, vellus hairs and clumps the median over a mask is 7.2 / 6.7 / 5.8 / 5.0 as measured.
HAIR_WIDTH = (8.7, 8.5, 8.2, 7.8)
HAIR_WIDTH_SPREAD = (0.18, 0.23, 0.29, 0.32)  # lognormal; heterogeneity is an early sign of thinning
WIDTH_OF_HEADS = 0.11  # lognormal, from head to head
UNITS = (9.5, 8.0, 6.5, 5.5)  # pores with hair
EMPTY_PORES = (0.0, 0.6, 3.0, 6.0)
VELLUS_HAIRS = (0.0, 1.0, 4.5, 8.0)
# How often a pore has at least two, three, four hairs.
UNIT_SIZES = ((0.90, 0.68, 0.42, 0.14), (0.45, 0.22, 0.10, 0.0), (0.08, 0.02, 0.0, 0.0))
SLOTS = (-0.5, 0.5, 1.5, -1.5)  # where they leave it, side by side
MARGIN = 14.0  # px from the border to the outermost pore
# Radians by which the hairs of a frame differ in direction: median and lognormal deviation, least and most.
SPREAD, SPREAD_SPREAD, SPREADS = 0.5, 0.5, (0.15, 1.1)
FULL_SPREAD = 0.3  # so many hairs have been combed
PARTED_HEADS, PARTED = 0.15, (0.45, 0.9)  # radians to either side of a parting
CURLY_HEADS = 0.1
BUNDLES = (0.35, 0.3, 0.2, 0.15)  # shares of the hairs from outside that come alone, by two, by three, by four
CROSSING_HAIRS = (0, 3)  # hairs that lie at any angle
CLING = (0.05, 0.95)  # how widely the hairs of a pore fan out, from head to head
ROOTS = (20.0, 60.0)  # px of a root that are seen through the skin
COLLARS = (0.25, 1.0)  # how white the rim of a pore is

# As the centre of a shaft reflects it, by the names of scene.HAIR_COLOURS: a hair lies anywhere between two of them.
# The lamp is bluish, so black is greenish. A grey head has white hairs between dark ones.
PALETTES: dict[str, tuple[Colour, ...]] = {
    "black": ((26, 30, 22), (40, 44, 34), (56, 58, 48)),
    "dark_brown": ((46, 44, 34), (70, 63, 49), (40, 42, 33)),
    "brown": ((72, 62, 47), (56, 50, 39), (88, 74, 55)),
    "grey": ((36, 38, 29), (58, 56, 47)),
}
PALE: tuple[Colour, ...] = ((168, 174, 164), (206, 210, 200), (184, 172, 136))  # white hairs, and a blond one
PALE_SHARE = (0.15, 0.6)  # of the hairs of a grey head
RED_BROWN: Colour = (112, 66, 48)
RED_BROWN_HEADS, RED_BROWN_SHARE = 0.08, 0.2  # heads that have such hairs between others, and how many of their hairs
TONE_SPREAD = 0.16  # lognormal, from hair to hair
# Hairs above the focus: share of the frames that have some, of the hairs there, px of their edges, opacity, and how
# much wider they look.
BLURRED_FRAMES, BLURRED_HAIRS = 0.3, 0.3
BLURRED_EDGE, BLURRED_OPACITY, BLURRED_WIDTH = (4.0, 7.0), (0.45, 0.8), (1.0, 1.4)
GREY_LIGHT: Colour = (130, 134, 128)  # what a blurred hair mixes with
DYES: tuple[Colour, ...] = ((122, 76, 46), (104, 54, 42), (150, 114, 74), (88, 54, 44), (72, 44, 56))  # one a head
NATURAL: Colour = (44, 37, 35)  # what grows back under a dye
VELLUS_COLOUR: Colour = (132, 100, 76)

STEPS = 26  # points along a shaft
# Where they lie between its root, 0, and its tip, 1: densest at the root.
ALONG = np.linspace(0.0, 1.0, STEPS) ** 1.6
FILLED_EDGE = 0.6  # px that OpenCV fills a shaft wider than it looks
MIDDLE = np.array([WIDTH / 2, HEIGHT / 2])
MAX_SHIFT = 800  # px of a grain that are skipped, so that no two hairs shine alike


@dataclass(frozen=True)
class Growth:
    """Parameters that the hairs of one head share.

    Attributes:
        spread: radians by which they differ in direction.
        turning: radians by which their direction turns over half of the frame, across and down.
        parted: radians by which they leave a parting to either side, 0 without one.
        bend, bend_spread: radians by which a hair turns over its length, mean and deviation.
        cling: how widely the hairs of a pore part, less where oil holds them together.
        pale: share of white hairs.
        blurred: share of hairs above the focus.
    """

    severity: float
    direction: float
    spread: float
    turning: Points
    parted: float
    width: float
    bend: float
    bend_spread: float
    cling: float
    palette: Sequence[Colour]
    pale: float
    red_brown: float
    blurred: float
    regrown: float

    def lean(self, place: Points) -> float:
        """Return the direction in which hairs lie at a place, radians."""
        x, y = (place - MIDDLE) / MIDDLE
        side = 1.0 if float((place - MIDDLE) @ direction_of(self.direction + math.pi / 2)) > 0 else -1.0
        return float(self.direction + np.clip(self.turning @ (x, y), -1.2, 1.2) + side * self.parted)


def plan_hair(severity: float, scene: Scene, generator: np.random.Generator) -> Hair:
    """Plan follicles with their shafts, then hairs that cross from outside until the measured coverage is reached."""
    head, places, units, visitors, short, crossing = generator.spawn(6)
    growth = _growth(severity, scene, head)
    deviation, full = HAIR_COVERAGE_SPREAD * head.standard_normal(), head.uniform(*FULL_COVERAGE)
    coverage = max(0.02, at_severity(severity, HAIR_COVERAGE) + deviation)
    if "full_of_hair" in scene.confusers:
        coverage = full
    follicles = _follicles(growth, places)
    others = [*_vellus_hairs(growth, short), *_crossing_hairs(growth, crossing)]
    # Every pore gets its first hair before any gets its second: a low coverage leaves none bald by chance.
    streams = units.spawn(len(follicles))
    turns = zip_longest(*(_unit(pore, growth, own) for pore, own in zip(follicles, streams, strict=True)))
    rooted = (shaft for turn in turns for shaft in turn if shaft)
    shafts = _until_covered(chain(rooted, _visitors(growth, visitors)), others, coverage)
    return Hair(follicles, (*shafts, *others))


def _growth(severity: float, scene: Scene, generator: np.random.Generator) -> Growth:
    width = at_severity(severity, HAIR_WIDTH) * math.exp(WIDTH_OF_HEADS * generator.standard_normal())
    bend, regrown = generator.normal(0.0, 0.25), max(0.0, generator.uniform(-150.0, 260.0))
    cling = generator.uniform(*CLING) * (1.0 - 0.22 * float(scene.severities[Condition.EXCESS_SEBUM]))
    dye, dyed = DYES[int(generator.integers(len(DYES)))], scene.hair == "dyed"
    spread = float(np.clip(SPREAD * math.exp(SPREAD_SPREAD * generator.standard_normal()), *SPREADS))
    if "full_of_hair" in scene.confusers:
        spread = min(spread, FULL_SPREAD)
    parting, curls, mixing, blur = generator.random(4)
    parted, pale = generator.uniform(*PARTED), generator.uniform(*PALE_SHARE)
    return Growth(
        severity=severity,
        direction=scene.direction,
        spread=spread,
        turning=generator.normal(0.0, 0.8 * spread, 2),
        parted=parted if parting < PARTED_HEADS else 0.0,
        width=width,
        bend=bend,
        bend_spread=0.9 if curls < CURLY_HEADS else 0.32,
        cling=cling,
        palette=(dye,) if dyed else PALETTES[scene.hair],
        pale=pale if scene.hair == "grey" else 0.0,
        red_brown=RED_BROWN_SHARE if mixing < RED_BROWN_HEADS else 0.0,
        blurred=BLURRED_HAIRS if blur < BLURRED_FRAMES else 0.0,
        regrown=regrown if dyed else 0.0,
    )


def _follicles(growth: Growth, generator: np.random.Generator) -> tuple[Follicle, ...]:
    units = max(3, round(at_severity(growth.severity, UNITS) + generator.normal(0.0, 1.0)))
    empty = whole(at_severity(growth.severity, EMPTY_PORES), generator)
    lean, place = generator.spawn(2)
    centres = scattered(units + empty, MARGIN, place)
    strays = 0.5 * growth.spread * lean.standard_normal(len(centres))
    angles = [growth.lean(centre) + float(stray) for centre, stray in zip(centres, strays, strict=True)]
    roots, collars = lean.uniform(*ROOTS, len(centres)), lean.uniform(*COLLARS, len(centres))
    pores = zip(centres, angles, roots.tolist(), collars.tolist(), strict=True)
    return tuple(Follicle(centre, angle, place >= units, *own) for place, (centre, angle, *own) in enumerate(pores))


def _unit(pore: Follicle, growth: Growth, generator: np.random.Generator) -> Iterator[Shaft]:
    """Plan the hairs of one pore: they leave it side by side, then part gently."""
    chance = generator.random()
    count = 0 if pore.empty else 1 + sum(chance < at_severity(growth.severity, odds) for odds in UNIT_SIZES)
    aside = direction_of(pore.angle + math.pi / 2)
    for slot in SLOTS[:count]:
        root = pore.centre + aside * (slot * 0.6 * growth.width) + generator.normal(0, 2.0, 2)
        # Now and then a hair crosses its neighbour instead of leaving it.
        side = np.sign(slot) if generator.random() < 0.8 else -np.sign(slot)
        fan = growth.cling * (side * abs(generator.normal(0.16, 0.12)) + generator.normal(0, 0.06))
        yield _shaft(root, pore.angle + generator.normal(0, 0.03), fan, growth, generator)


def _shaft(root: Points, angle: float, fan: float, growth: Growth, generator: np.random.Generator) -> Shaft:
    spread = at_severity(growth.severity, HAIR_WIDTH_SPREAD)
    own = float(np.clip(growth.width * math.exp(spread * generator.standard_normal()), 2.2, 12.0))
    cut = generator.random() < 0.1
    # Most hairs are much longer than the frame is wide; a thin one is also a short one.
    length = generator.uniform(90, 340) if cut else generator.uniform(320, 900) * min(1.0, 0.3 + own / 7.0)
    path = arc(root, angle, length, generator, fan, growth.bend, growth.bend_spread)
    widths = own * _profile(length, 0.1 if cut else 0.75)
    colour, above, edge = _colour(growth, generator), bool(generator.random() < 0.4), 1.7 + generator.exponential(0.65)
    hair = Shaft(path, widths, colour, above, edge, 0.92, growth.regrown, NATURAL)
    return _blurred(hair, growth, generator)


def _colour(growth: Growth, generator: np.random.Generator) -> Colour:
    """Return a colour between two of the palette, or that of a white or red-brown hair."""
    ends = np.array(growth.palette, dtype=np.float64)[generator.integers(0, len(growth.palette), 2)]
    share, tone = generator.random(), math.exp(TONE_SPREAD * generator.standard_normal())
    pale, other = PALE[int(generator.integers(len(PALE)))], generator.random(2)
    mixed = ends[0] + (ends[1] - ends[0]) * share
    if other[0] < growth.pale:
        mixed = np.array(pale)
    elif other[1] < growth.red_brown:
        mixed = np.array(RED_BROWN)
    red, green, blue = np.minimum(mixed * tone, 235.0).tolist()
    return red, green, blue


def _blurred(hair: Shaft, growth: Growth, generator: np.random.Generator) -> Shaft:
    """Return the hair as it looks: some lie above the focus and are wide, grey and translucent."""
    edge, opacity = generator.uniform(*BLURRED_EDGE), generator.uniform(*BLURRED_OPACITY)
    wider, mist = generator.uniform(*BLURRED_WIDTH), generator.uniform(0.0, 0.5)
    if generator.random() >= growth.blurred:
        return hair
    red, green, blue = (own + (grey - own) * mist for own, grey in zip(hair.colour, GREY_LIGHT, strict=True))
    widths = np.minimum(hair.widths * wider, 12.0)
    return replace(hair, widths=widths, colour=(red, green, blue), above=True, edge=edge, opacity=opacity)


def _profile(length: float, taper: float) -> Points:
    """Return the relative width along a shaft: a slightly swollen root, and a tip that loses the share `taper`."""
    swelling = 1.0 + 0.22 * np.exp(-((ALONG * length / 13.0) ** 2))
    tapering = 1.0 - taper * (0.35 * ALONG + 0.65 * np.clip(ALONG - 0.6, 0, 1) / 0.4)
    return np.asarray(swelling * tapering)


def arc(
    root: Points,
    angle: float,
    length: float,
    generator: np.random.Generator,
    fan: float = 0.0,
    lean: float = 0.0,
    spread: float = 0.28,
) -> Points:
    """Return a gentle arc; it turns by `fan` soon after the root, and by `lean` ± `spread` over its length."""
    bend, sway = np.clip(lean + generator.normal(0, spread), -1.2, 1.2), generator.normal(0, 0.08)
    turned = fan * (1.0 - np.exp(-ALONG * length / 110.0))
    angles = angle + turned + bend * ALONG + sway * np.sin(ALONG * generator.uniform(3, 7))
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:-1] * (np.diff(ALONG) * length)[:, None]
    return np.asarray(root + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]))


def _visitors(growth: Growth, generator: np.random.Generator) -> Iterator[Shaft]:
    """Yield hairs rooted outside the frame, without end; one in six crosses the others, some come side by side."""
    while True:
        where, stray = MIDDLE * generator.uniform(0.0, 2.0, 2), 0.7 if generator.random() < 5 / 6 else 2.0
        angle = growth.lean(where) + stray * growth.spread * generator.standard_normal()
        start = where - generator.uniform(420, 560) * direction_of(angle)
        aside = direction_of(angle + math.pi / 2) * growth.width
        for slot in SLOTS[: 1 + int(generator.choice(len(BUNDLES), p=BUNDLES))]:
            root, stray = start + aside * (slot * 0.6), 0.02 * generator.standard_normal()
            yield _shaft(root, angle + stray, 0.0, growth, generator)


def _crossing_hairs(growth: Growth, generator: np.random.Generator) -> list[Shaft]:
    """Plan hairs that have fallen or lie across the others, at any angle."""
    hairs = []
    for _ in range(int(generator.integers(*CROSSING_HAIRS))):
        where, angle = MIDDLE * generator.uniform(0.2, 1.8, 2), generator.uniform(0, 2 * math.pi)
        start = where - generator.uniform(100, 420) * direction_of(angle)
        hair = _shaft(start, angle, 0.0, growth, generator)
        hairs.append(replace(hair, widths=hair.widths * 0.7, above=True))
    return hairs


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
        behind = follicle.centre - np.outer([1.0, 0.5, 0.0], direction_of(follicle.angle)) * follicle.root
        strength = 70 if follicle.empty else 200
        cv2.polylines(roots, [corners(behind / SOFT)], False, (strength,), 2, cv2.LINE_AA, SHIFT)
        cv2.polylines(roots, [corners(behind[1:] / SOFT)], False, (strength,), 3, cv2.LINE_AA, SHIFT)
    for shaft in hair.shafts:
        thickness = max(1, round(float(shaft.widths[0]) / SOFT))
        rise = 2.0 + np.linspace(0.0, 1.0, len(shaft.path))[:, None] ** 1.6 * 6.0
        cv2.polylines(cast, [corners((shaft.path + rise) / SOFT)], False, (150,), thickness, cv2.LINE_AA, SHIFT)
    deep = cv2.GaussianBlur(roots, (0, 0), 1.7).astype(np.float32) / 255.0
    shadow = cv2.GaussianBlur(cast, (0, 0), 1.0).astype(np.float32) / 255.0
    lab[..., 0] -= 12.5 * deep + 11.0 * shadow
    lab[..., 2] += 2.5 * shadow - 9.0 * deep
    lab[..., 1] *= 1.0 - 0.35 * deep


def draw_hair(frame: Pixels, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Draw all shafts into `frame`; return the mask of those that lie on top of flakes."""
    above = np.zeros(HEIGHT * WIDTH, dtype=np.uint8)
    shades, shift = grains(generator), generator.integers(0, MAX_SHIFT, len(hair.shafts))
    shine = generator.uniform(0.35, 1.0, len(hair.shafts))
    for number in sorted(range(len(hair.shafts)), key=lambda number: hair.shafts[number].above):
        shaft, grain = hair.shafts[number], shades[number % GRAINS, :, shift[number] :]
        index, opacity = draw_strand(frame, shaft, grain, float(shine[number]))
        if shaft.above and len(index):
            above[index] = np.maximum(above[index], cv2.convertScaleAbs(opacity, alpha=255.0).ravel())
    return above.reshape(HEIGHT, WIDTH)
