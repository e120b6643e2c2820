"""Dandruff: translucent cream-white pieces with crisp bright rims and glints, on skin and hair, and crumbs of them."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
    AREA,
    HALF,
    HEIGHT,
    SHIFT,
    WIDTH,
    Field,
    Pixels,
    Points,
    at_severity,
    corners,
    inside,
    noise,
    overlay,
    overlay_picture,
    scattered,
    smoothstep,
    whole,
)
from scalp_core.synthetic.drawing.scene import Hair

FLAKES = (0.0, 5.0, 13.0, 34.0)
COVERAGE = (0.0, 0.024, 0.105, 0.36)  # share of the frame, were no flake to lie on another or across the border
COVERAGE_SPREAD = 0.1  # lognormal
SIZE_SPREAD = 0.6  # lognormal
RADII = (5.0, 64.0)  # px
NESTS, NEST_SPREAD = 5, 85.0  # places where flakes gather, and how widely in px
MARGIN = 15.0  # px from the border to the middle of a flake
LAYERS = 5  # of the thickest flake
PX_A_LAYER = 9.0  # radius that every further layer takes
ON_A_SHAFT = 0.3  # share of the flakes that hang on a hair, stretched along it
BREAKS, HALVINGS = 6, 3  # straight edges of a sheet, and how often each of them is frayed by halves
SATELLITES = 3  # crumbs about every flake
POWDER = (0.0, 8.0, 24.0, 60.0)  # crumbs anywhere
# Flakes and crumbs decided on at any severity, so that a higher one only adds to those of a lower one.
MAX_FLAKES, MAX_POWDER = 36, 60

LAYER = 46.0  # thickness of a layer in steps of 8 bits
EDGE = 24  # thickness from which a piece is seen
# Opacity of a piece: its interior, by patches from the one to the other; its crisp rim, and how wide that is in px.
INTERIOR, PATCH, RIM_OPACITY, RIM_WIDTH = (0.32, 0.94), 15.0, 0.85, (3.0, 7.5)
LAYER_OPACITY = 0.05  # what every further layer adds
SHEET_RADIUS = 26.0  # px; larger pieces may be sheets
SHEET_SHARE, SHEET_OPACITY = 0.4, (0.12, 0.48)  # of the larger pieces, which are hardly more than a veil within a rim
GLINT_CELL, GLINT_FROM, GLINT = 4.2, (1.25, 1.9), 0.7  # px, deviations of the noise, opacity
CREAM = (233.0, 239.0, 236.0)
BRIGHT = (238.0, 248.0, 252.0)  # of rims and glints
CAST_ON_FLAKES = 0.3  # share of 255 that a hair takes from a flake
SHADOW_OFFSET = (2.0, 3.0)  # px, as the lamp stands to the upper left
TINT = 0.08  # how much of the light's colour, as the skin shows it, the flakes take


# Distances from the edge of a piece in steps of 8 bits, so that tables turn them into opacity; as what patches are.
STEPS_A_PX = 16.0
DISTANCE = np.arange(256, dtype=np.float32) / np.float32(STEPS_A_PX)
SHARE = np.arange(256, dtype=np.float32) / np.float32(255.0)
BODY = (255.0 * smoothstep(DISTANCE, 0.0, 1.6)).astype(np.uint8)
RIM = (255.0 * RIM_OPACITY * smoothstep(DISTANCE, 0.0, 0.8)).astype(np.uint8)
# By the distance in narrowest rims, and by patch: how narrow the rim is there, and how much of it is left.
WITHIN_RIM = (255.0 * (1.0 - smoothstep(DISTANCE / RIM_WIDTH[0], 0.45, 1.0))).astype(np.uint8)
NARROWNESS = (255.0 * RIM_WIDTH[0] / np.interp(SHARE, (0, 1), RIM_WIDTH)).astype(np.uint8)
BROKEN = (255.0 * (0.06 + 0.94 * (1.0 - smoothstep(SHARE, 0.15, 0.7)))).astype(np.uint8)
FULL, THIN = ((255.0 * np.interp(SHARE, (0, 1), ends)).astype(np.uint8) for ends in (INTERIOR, SHEET_OPACITY))


@dataclass(frozen=True, eq=False)
class Flakes:
    """The flakes of a frame.

    Attributes:
        cream, bright: opacity of their interiors, and of rims and glints; full size, 0–255.
        count: how many there are, crumbs left out.
        coverage: the share of the frame that they were meant to cover.
    """

    cream: Pixels
    bright: Pixels
    count: int
    coverage: float


def plan_flakes(severity: float, hair: Hair, generator: np.random.Generator) -> Flakes | None:
    """Plan the flakes; None where there are none."""
    shapes, grain = generator.spawn(2)
    thickness, sheets, count = _layers(severity, hair, shapes)
    if not thickness.any():
        return None
    cream, bright = _translucent(thickness, sheets, grain)
    return Flakes(cream, bright, count, at_severity(severity, COVERAGE))


def draw_flakes(frame: Pixels, flakes: Flakes, above: Pixels) -> Pixels:
    """Draw flakes under the shafts of the mask `above`, in the light that shows the skin as it does."""
    free = cv2.bitwise_not(above)
    skin = frame[::16, ::16].mean(axis=(0, 1))
    tint = (skin / skin.mean()) ** TINT
    cream, bright = (np.minimum(np.array(colour) * tint, 255.0).tolist() for colour in (CREAM, BRIGHT))
    lit = cv2.bitwise_not(_shadow(above, 1.6, CAST_ON_FLAKES))
    shaded = cv2.merge([cv2.convertScaleAbs(lit, alpha=share / 255.0) for share in cream])
    frame = overlay_picture(frame, shaded, _product(flakes.cream, free))
    return overlay(frame, bright, _product(flakes.bright, free))


def _translucent(thickness: Pixels, sheets: Pixels, generator: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Return the opacity of what is cream and of what is bright, 0–255."""
    piece = cv2.threshold(thickness, EDGE, 255, cv2.THRESH_BINARY)[1]
    depth = cv2.convertScaleAbs(cv2.distanceTransform(piece, cv2.DIST_L2, 3), alpha=STEPS_A_PX)
    width, height = WIDTH // HALF, HEIGHT // HALF
    veil = _bytes(noise(generator, PATCH / HALF, width, height) + 0.6 * noise(generator, 3.0, width, height), -1.6, 1.8)
    inner = _enlarged(cv2.LUT(veil, FULL))
    cv2.copyTo(_enlarged(cv2.LUT(veil, THIN)), sheets, inner)
    inner = cv2.addWeighted(inner, 1.0, thickness, 255.0 * LAYER_OPACITY / LAYER, 0.0)
    narrow = _product(depth, _enlarged(cv2.LUT(veil, NARROWNESS)))
    rim = _product(_product(cv2.LUT(depth, RIM), cv2.LUT(narrow, WITHIN_RIM)), _enlarged(cv2.LUT(veil, BROKEN)))
    glints = _enlarged(_bytes(noise(generator, GLINT_CELL / HALF, width, height), *GLINT_FROM))
    glints = cv2.bitwise_and(cv2.convertScaleAbs(glints, alpha=GLINT), piece)
    return _product(inner, cv2.LUT(depth, BODY)), np.asarray(cv2.max(rim, glints), dtype=np.uint8)


def _bytes(field: Field, low: float, high: float) -> Pixels:
    """Return a ramp: 0 below `low`, 255 above `high`."""
    ramp = (field - np.float32(low)) * np.float32(255.0 / (high - low))
    return np.asarray(np.clip(ramp, 0.0, 255.0), dtype=np.uint8)


def _product(first: cv2.typing.MatLike, second: cv2.typing.MatLike) -> Pixels:
    return np.asarray(cv2.multiply(first, second, scale=1 / 255.0), dtype=np.uint8)


def _enlarged(small: cv2.typing.MatLike) -> Pixels:
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _layers(severity: float, hair: Hair, generator: np.random.Generator) -> tuple[Pixels, Pixels, int]:
    """Return the thickness of the flakes in whole layers, 0 where there are none; where sheets lie; the flakes."""
    thickness, sheets = (np.zeros((HEIGHT, WIDTH), dtype=np.uint8) for _ in range(2))
    count = whole(at_severity(severity, FLAKES), generator)
    if count == 0:
        return thickness, sheets, count
    radii = _radii(count, at_severity(severity, COVERAGE), generator)
    centres, axes = _places(hair, generator)
    shapes = _torn(generator).reshape(MAX_FLAKES, -1, 2)
    outlines = (centres[:, None] + shapes @ axes * radii[:, None, None]).reshape(MAX_FLAKES, LAYERS, -1, 2)
    amounts = LAYER * generator.uniform(0.6, 1.25, (MAX_FLAKES, 1)) * generator.uniform(0.8, 1.2, (MAX_FLAKES, LAYERS))
    sheet = (generator.random(MAX_FLAKES) < SHEET_SHARE) & (radii > SHEET_RADIUS)
    for flake in range(count):
        if sheet[flake]:
            cv2.fillPoly(sheets, [corners(outlines[flake, 0])], (255,), cv2.LINE_8, SHIFT)
        for layer in range(min(LAYERS, 2 + int(radii[flake] / PX_A_LAYER))):
            _add(thickness, outlines[flake, layer], float(amounts[flake, layer]))
    _add_crumbs(thickness, _around(centres, radii, generator), count * SATELLITES, generator)
    powder = generator.uniform((0, 0), (WIDTH, HEIGHT), (MAX_POWDER, 2))
    _add_crumbs(thickness, powder, int(at_severity(severity, POWDER)), generator)
    return thickness, sheets, count


def _around(centres: Points, radii: Points, generator: np.random.Generator) -> Points:
    """Return the places of crumbs that broke off the flakes: SATELLITES beside each, in the order of the flakes."""
    angles = generator.uniform(0, 2 * math.pi, (MAX_FLAKES, SATELLITES))
    away = radii[:, None] * generator.uniform(0.9, 1.7, angles.shape) + generator.exponential(7.0, angles.shape)
    places = centres[:, None] + np.stack([np.cos(angles), np.sin(angles)], axis=-1) * away[..., None]
    return np.asarray(places.reshape(-1, 2))


def _radii(count: int, coverage: float, generator: np.random.Generator) -> Points:
    """Return the radii of all flakes, such that the first `count` of them have the target area."""
    area = coverage * math.exp(COVERAGE_SPREAD * generator.standard_normal()) * AREA
    sizes = np.exp(SIZE_SPREAD * generator.standard_normal(MAX_FLAKES))
    scale = math.sqrt(area / (math.pi * float((sizes[:count] ** 2).sum())))
    return np.asarray(np.clip(sizes * scale, *RADII))


def _places(hair: Hair, generator: np.random.Generator) -> tuple[Points, Points]:
    """Return the places of the flakes, and the two axes each is stretched along: many hang on a shaft."""
    nests = scattered(NESTS, 60.0, generator)[generator.integers(NESTS, size=MAX_FLAKES)]
    centres = nests + generator.normal(0, NEST_SPREAD, (MAX_FLAKES, 2))
    centres = np.clip(centres, MARGIN, (WIDTH - MARGIN, HEIGHT - MARGIN))
    angles, stretches = generator.uniform(0, math.pi, MAX_FLAKES), generator.uniform(1.0, 1.9, MAX_FLAKES)
    hung, which, where, longer = generator.random((4, MAX_FLAKES))
    for flake in np.flatnonzero(hung < ON_A_SHAFT) if hair.shafts else ():
        path = hair.shafts[int(which[flake] * len(hair.shafts))].path
        place = 1 + int(where[flake] * (len(path) - 1))
        if inside(path[place], MARGIN):
            x, y = path[place] - path[place - 1]
            centres[flake], stretches[flake], angles[flake] = path[place], 1.5 + 0.8 * longer[flake], math.atan2(y, x)
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    root = np.sqrt(stretches)[:, None]
    return centres, np.stack([along * root, across / root], axis=1)


def _torn(generator: np.random.Generator) -> Points:
    """Return outlines about (0, 0) of flakes of radius 1: (flakes, layers, points, 2).

    Every layer is smaller than the one below and drawn to the same side.
    """
    shape = (MAX_FLAKES, LAYERS, BREAKS)
    angles = 2 * math.pi * (np.arange(BREAKS) + generator.uniform(-0.42, 0.42, shape)) / BREAKS
    points = np.stack([np.cos(angles), np.sin(angles)], axis=-1) * generator.uniform(0.7, 1.3, (*shape, 1))
    for _ in range(HALVINGS):
        ahead = np.roll(points, -1, axis=-2) - points
        across = np.stack([-ahead[..., 1], ahead[..., 0]], axis=-1)
        share, offset = generator.uniform(0.35, 0.65, ahead.shape[:-1]), generator.normal(0, 0.11, ahead.shape[:-1])
        between = points + ahead * share[..., None] + across * offset[..., None]
        points = np.stack([points, between], axis=-2).reshape(MAX_FLAKES, LAYERS, -1, 2)
    shares = np.linspace(1.0, 0.42, LAYERS)[:, None, None]
    lean = generator.normal(0, 0.42, (MAX_FLAKES, 1, 1, 2))
    return np.asarray(points * shares + lean * (1.0 - shares))


def _add(thickness: Pixels, outline: Points, amount: float) -> None:
    """Lay one more sheet on the thickness."""
    polygon = corners(outline)
    left, top, width, height = cv2.boundingRect(polygon >> SHIFT)
    left, top, right, bottom = max(left - 1, 0), max(top - 1, 0), left + width + 2, top + height + 2
    below = thickness[top : max(bottom, 0), left : max(right, 0)]
    if not below.size:
        return
    sheet = np.zeros(below.shape, dtype=np.uint8)
    polygon -= np.array([left << SHIFT, top << SHIFT], dtype=np.int32)
    cv2.fillPoly(sheet, [polygon], (amount,), cv2.LINE_AA, SHIFT)
    cv2.add(below, sheet, dst=below)


def _add_crumbs(thickness: Pixels, places: Points, count: int, generator: np.random.Generator) -> None:
    """Add splinters of 2-10 px at the first `count` of the places."""
    radii = 1.2 + generator.exponential(1.1, (len(places), 1)).clip(0, 3.8)
    radii = radii * generator.uniform(0.5, 1.4, (len(places), 5))
    angles = generator.uniform(0, 2 * math.pi, (len(places), 1))
    angles = angles + np.cumsum(generator.uniform(0.5, 1.9, (len(places), 5)), axis=1)
    outlines = places[:, None] + np.stack([np.cos(angles), np.sin(angles)], axis=-1) * radii[..., None]
    crumbs = np.zeros_like(thickness)
    for first, layers in enumerate((0.8, 1.4, 2.2)):
        cv2.fillPoly(crumbs, list(corners(outlines[:count][first::3])), (layers * LAYER,), cv2.LINE_AA, SHIFT)
    cv2.add(thickness, crumbs, dst=thickness)


def _shadow(mask: Pixels, blur: float, strength: float) -> Pixels:
    """Return the light that `mask` takes away."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    dense = cv2.convertScaleAbs(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), alpha=2.5)
    offset = np.array([[1.0, 0.0, SHADOW_OFFSET[0] / HALF], [0.0, 1.0, SHADOW_OFFSET[1] / HALF]])
    moved = cv2.warpAffine(dense, offset, (width, height))
    soft = cv2.convertScaleAbs(cv2.GaussianBlur(moved, (0, 0), blur / HALF), alpha=strength)
    return np.asarray(cv2.resize(soft, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
