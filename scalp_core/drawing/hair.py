"""Hair: which follicles and shafts there are at a severity of hair loss, and how they are drawn."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from scalp_core.drawing.canvas import (
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
    fill,
    inside,
    scattered,
    whole,
)
from scalp_core.drawing.scene import Follicle, Hair, Scene, Shaft
from scalp_core.labels import Condition

HAIR_COVERAGE = (0.164, 0.111, 0.099, 0.057)


HAIR_COVERAGE_SPREAD = 0.018  # less than the .05 measured, or the grades would overlap more than a label allows


HAIR_WIDTH = (7.2, 6.7, 5.8, 5.0)


HAIR_WIDTH_SPREAD = (0.16, 0.22, 0.32, 0.42)  # lognormal; heterogeneity is an early sign of thinning


UNITS = (9.5, 8.0, 6.5, 5.5)


VELLUS_HAIRS = (0.0, 1.0, 4.5, 8.0)


EMPTY_PORES = (0.0, 0.6, 3.0, 6.0)


# As the centre of a shaft reflects it, by the names of scene.HAIR_COLOURS; a grey head has dark hairs between.
PALETTES: dict[str, tuple[Colour, ...]] = {
    "black": ((40, 34, 34), (48, 40, 37)),
    "dark_brown": ((58, 45, 39), (70, 52, 42)),
    "brown": ((84, 62, 48),),
    "dyed": ((112, 72, 46), (104, 56, 46), (146, 112, 72)),
    "grey": ((48, 40, 37), (158, 156, 152), (184, 182, 178), (132, 130, 128)),
}
VELLUS_COLOUR: Colour = (138, 104, 78)


SMOOTHED_EDGE = 0.8  # px that a filled polygon with smooth edges is wider than its corners say


HALF_A_SHAFT = 900.0  # px by which adding whole shafts overshoots on average


STEPS = 22


ROOT_STEPS = 3  # points within the swollen, darker root


MARGIN = 14.0


def plan_hair(severity: float, scene: Scene, generator: np.random.Generator) -> Hair:
    """Follicles with their shafts, then hairs that cross from outside until the measured coverage is reached."""
    palette = PALETTES[scene.hair]
    width = at_severity(severity, HAIR_WIDTH) * math.exp(0.07 * generator.standard_normal())
    coverage = at_severity(severity, HAIR_COVERAGE) + HAIR_COVERAGE_SPREAD * generator.standard_normal()
    vellus = _vellus_hairs(at_severity(severity, VELLUS_HAIRS), scene.direction, generator.spawn(1)[0])
    target = AREA * max(0.02, coverage) - sum(map(_covered, vellus)) - HALF_A_SHAFT
    units = max(3, round(at_severity(severity, UNITS) + generator.normal(0.0, 1.0)))
    empty = whole(at_severity(severity, EMPTY_PORES), generator)
    clumping = 1.0 - 0.22 * float(scene.severities[Condition.EXCESS_SEBUM])  # oily hairs of a unit stick together
    centres = scattered(units + empty, MARGIN, generator)
    follicles, shafts, covered = [], [], 0.0
    for number, centre in enumerate(centres):
        angle = scene.direction + 0.16 * generator.standard_normal()
        follicles.append(Follicle(centre, angle, number >= units))
        if number >= units or covered > target:
            continue
        for _ in range(_shafts_of_unit(severity, generator)):
            spread = angle + clumping * 0.13 * generator.standard_normal()
            shaft = _shaft(centre + generator.normal(0, 1.6, 2), spread, width, severity, palette, generator)
            shafts.append(shaft)
            covered += _covered(shaft)
    while covered < target:
        shaft = _visitor(scene.direction, width, severity, palette, generator)
        shafts.append(shaft)
        covered += max(_covered(shaft), 200.0)
    return Hair(tuple(follicles), (*vellus, *shafts))


def _shafts_of_unit(severity: float, generator: np.random.Generator) -> int:
    single = at_severity(severity, (0.12, 0.35, 0.65, 0.9))
    if generator.random() < single:
        return 1
    return 3 if generator.random() < at_severity(severity, (0.4, 0.25, 0.1, 0.0)) else 2


def _shaft(
    root: Points,
    angle: float,
    width: float,
    severity: float,
    palette: Sequence[Colour],
    generator: np.random.Generator,
) -> Shaft:
    spread = at_severity(severity, HAIR_WIDTH_SPREAD)
    own = float(np.clip(width * math.exp(spread * generator.standard_normal()), 2.2, 14.0))
    length = generator.uniform(220, 700)
    path = arc(root, angle, length, generator)
    widths = own * _profile(length)
    tone = generator.uniform(0.85, 1.15)
    red, green, blue = palette[int(generator.integers(len(palette)))]
    return Shaft(path, widths, (red * tone, green * tone, blue * tone), bool(generator.random() < 0.4))


def _along() -> Points:
    """Where the points of a path lie between its root, 0, and its tip, 1: densest at the root."""
    return np.asarray(np.linspace(0.0, 1.0, STEPS) ** 1.7)


def _profile(length: float) -> Points:
    """Relative width along a shaft: a rounded, swollen root and a tapering tip."""
    from_root = _along() * length
    swelling = 1.0 + 0.3 * np.exp(-((from_root / 11.0) ** 2))
    rounding = 0.45 + 0.55 * np.clip(from_root / 3.0, 0, 1)
    tapering = 1.0 - 0.7 * np.clip(_along() - 0.55, 0, 1) / 0.45
    return np.asarray(swelling * rounding * tapering)


def arc(root: Points, angle: float, length: float, generator: np.random.Generator) -> Points:
    along = _along()
    bend, sway = generator.normal(0, 0.32), generator.normal(0, 0.07)
    angles = angle + bend * along + sway * np.sin(along * generator.uniform(3, 7))
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:-1] * (np.diff(along) * length)[:, None]
    return np.asarray(root + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]))


def _visitor(
    direction: float, width: float, severity: float, palette: Sequence[Colour], generator: np.random.Generator
) -> Shaft:
    """A hair rooted outside the frame; one in six crosses the others."""
    angle = direction + generator.normal(0, 0.28 if generator.random() < 5 / 6 else 1.0)
    across = generator.uniform(-0.46, 0.46) * HEIGHT * direction_of(angle + math.pi / 2)
    start = np.array([WIDTH / 2, HEIGHT / 2]) + across - 430.0 * direction_of(angle)
    shaft = _shaft(start, angle, width, severity, palette, generator)
    stretched = start + (shaft.path - start) * max(1.0, generator.uniform(600, 900) / 460.0)
    return Shaft(stretched, shaft.widths, shaft.colour, shaft.above)


def _vellus_hairs(expected: float, direction: float, generator: np.random.Generator) -> list[Shaft]:
    """Short, thin, light brown hairs, as follicles make them before they stop."""
    shafts = []
    for _ in range(whole(expected, generator)):
        root = generator.uniform((0, 0), (WIDTH, HEIGHT))
        path = arc(root, direction + 0.7 * generator.standard_normal(), generator.uniform(45, 130), generator)
        widths = np.linspace(3.0, 1.0, STEPS) * generator.uniform(0.8, 1.1)
        shafts.append(Shaft(path, widths, VELLUS_COLOUR, above=False))
    return shafts


def _covered(shaft: Shaft) -> float:
    """Pixels of the frame that the shaft hides."""
    middles = (shaft.path[1:] + shaft.path[:-1]) / 2
    lengths = np.linalg.norm(np.diff(shaft.path, axis=0), axis=1)
    return float((lengths * (shaft.widths[1:] + SMOOTHED_EDGE))[inside(middles)].sum())


def shade_under_hair(lab: Field, hair: Hair) -> None:
    """The root showing blue-grey through the skin behind each pore, and the shadow that every shaft casts."""
    roots, cast = (np.zeros((SOFT_HEIGHT, SOFT_WIDTH), dtype=np.uint8) for _ in range(2))
    for follicle in hair.follicles:
        behind = follicle.centre - 15.0 * direction_of(follicle.angle)
        line = np.stack([behind, follicle.centre]) / SOFT
        strength = 90 if follicle.empty else 230
        cv2.polylines(roots, [corners(line)], False, (strength,), 3, cv2.LINE_AA, SHIFT)
    for shaft in hair.shafts:
        thickness = max(1, round(float(shaft.widths[0]) / SOFT))
        cv2.polylines(cast, [corners((shaft.path + 3.5) / SOFT)], False, (150,), thickness, cv2.LINE_AA, SHIFT)
    deep = cv2.GaussianBlur(roots, (0, 0), 1.6).astype(np.float32) / 255.0
    shadow = cv2.GaussianBlur(cast, (0, 0), 1.3).astype(np.float32) / 255.0
    lab[..., 0] -= 20.0 * deep + 13.0 * shadow
    lab[..., 2] -= 8.0 * deep
    lab[..., 1] *= 1.0 - 0.3 * deep


def draw_hair(frame: Pixels, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Draw all shafts into `frame`; return the mask of those that lie on top of flakes."""
    above = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for shaft in sorted(hair.shafts, key=lambda shaft: shaft.above):
        _draw_shaft(frame, shaft, generator)
        if shaft.above:
            fill(above, shaft.outline(), (255,))
    return above


def _draw_shaft(frame: Pixels, shaft: Shaft, generator: np.random.Generator) -> None:
    red, green, blue = shaft.colour
    fill(frame, shaft.outline(), (red * 0.62, green * 0.62, blue * 0.66))
    # A translucent cylinder is lightest off its axis, on the side of the lamp.
    body = slice(ROOT_STEPS, None)
    fill(frame, shaft.outline(0.55, 0.07, body), shaft.colour)
    fill(frame, shaft.outline(0.24, 0.1, body), (red * 1.35 + 14, green * 1.35 + 14, blue * 1.35 + 16))
    if float(shaft.widths.max()) < 3.4:
        return
    shine = tuple(min(255.0, 90.0 + channel * 0.85) for channel in shaft.colour)
    for _ in range(int(generator.integers(2, 5))):
        # The bright line along a shaft is broken into pieces.
        first = int(generator.integers(ROOT_STEPS, STEPS - 3))
        piece = slice(first, min(STEPS, first + int(generator.integers(2, 5))))
        strength = generator.uniform(0.55, 1.0)
        fill(frame, shaft.outline(0.17, 0.13, piece), tuple(channel * strength for channel in shine))
