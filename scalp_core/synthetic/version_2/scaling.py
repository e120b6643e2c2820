"""Fine scaling: the horny layer breaks into thin dull plates with whitish lifted edges; translucent, never thick."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from scalp_core.synthetic.version_2.canvas import (
    HALF,
    HEIGHT,
    SHIFT,
    WIDTH,
    Field,
    Pixels,
    at_severity,
    corners,
    noise,
    overlay,
    smoothstep,
    threshold,
)
from scalp_core.synthetic.version_2.scene import Hair

# Share of the frame whose plates have begun to lift. What shows is less: skin is seen between and through them.
LIFTED = (0.0, 0.115, 0.245, 0.45)
STRENGTH = (0.6, 0.88, 0.95, 1.0)  # how white what has lifted is
COLLARS = (0.0, 0.35, 0.65, 1.0)  # share of the follicles that wear one
MIN_LIFTED = 0.005  # of the frame, below which nothing would be seen

# The plates are laid out at half size, lengths in px of that; only their edges are drawn at full size.
SMALL_WIDTH, SMALL_HEIGHT = WIDTH // HALF, HEIGHT // HALF
PLATES = 480  # in the frame, so that most are 15-45 px across at full size
BEND, BEND_CELL = 2.0, 12.0  # how far their straight edges are bent
COLLAR_RADIUS, COLLAR_CORNERS = (4.0, 7.0), 18
AROUND_FOLLICLE = 5  # px of quarter size where plates lift first

# Opacities of 255; together never so white as dandruff.
WHITE = (240.0, 240.0, 238.0)
FILM, RIM, LIT, CRACK, COLLAR, MAX_OPACITY = 80.0, 76.0, 1.0, 84.0, 105.0, 170.0
SHADE = 0.22  # of the light that a lifted edge keeps from the skin behind it
LEVEL = 128  # grey level of what is neither turned to the light nor away from it
RELIEF = np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], dtype=np.float32) * np.float32(0.16)

# Profiles by the distance from the edge of a plate, told in steps of 8 bits so that a table turns it into opacity.
STEPS_A_PX = 24.0
DISTANCE = np.arange(256, dtype=np.float32) / np.float32(STEPS_A_PX)
BODY = (255.0 * smoothstep(DISTANCE, 0.3, 0.9)).astype(np.uint8)
EDGE = (RIM * (1.0 - smoothstep(DISTANCE, 0.9, 2.2))).astype(np.uint8)
LINE = (CRACK * (1.0 - smoothstep(DISTANCE, 0.6, 1.5))).astype(np.uint8)


@dataclass(frozen=True)
class Layer:
    """The horny layer at half size.

    Attributes:
        readiness: how soon a plate lifts, by pixel.
        inwards: px from the edge of its plate.
        ragged, patchy: noises of small and of middle size.
    """

    readiness: Field
    inwards: Field
    ragged: Field
    patchy: Field


def add_lace(surface: Pixels, severity: float, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Draw plates with lifted edges, cracks between those about to lift, collars about the follicles."""
    lifted = at_severity(severity, LIFTED)
    if lifted < MIN_LIFTED:
        return surface
    plates, rings = generator.spawn(2)
    layer = _horny_layer(hair, plates)
    edge = threshold(layer.readiness, lifted)
    depth, solid = _plates(layer, edge)
    relief = cv2.filter2D(solid, -1, RELIEF, delta=LEVEL)
    white = cv2.addWeighted(_film(layer, depth, solid), 1.0, cv2.subtract(relief, LEVEL), LIT, 0.0)
    white = cv2.max(cv2.max(white, _cracks(layer, edge)), _collars(severity, hair, rings))
    opacity = np.minimum(white, np.uint8(MAX_OPACITY)).astype(np.float32)
    opacity *= np.float32(at_severity(severity, STRENGTH) / 255.0)
    shade = cv2.convertScaleAbs(cv2.subtract(LEVEL, relief), alpha=SHADE)
    return overlay(np.asarray(cv2.subtract(surface, cv2.merge([shade] * 3)), dtype=np.uint8), WHITE, opacity)


def _horny_layer(hair: Hair, generator: np.random.Generator) -> Layer:
    """Lay out plates that lift sooner or later by region, by chance, and sooner about a follicle."""
    plate, inwards = _net(generator)
    own = generator.standard_normal(PLATES + 1, dtype=np.float32) * np.float32(0.55)
    region, ragged, patchy = (noise(generator, cell, SMALL_WIDTH, SMALL_HEIGHT) for cell in (46.0, 2.6, 9.0))
    readiness = own[plate] + 0.6 * region + 0.7 * _near_follicles(hair)
    return Layer(np.asarray(readiness, dtype=np.float32), inwards, ragged, patchy)


def _net(generator: np.random.Generator) -> tuple[Pixels, Field]:
    """Return the number of its plate for every pixel, and the distance from that plate's edge."""
    middles = generator.uniform((0, 0), (SMALL_WIDTH, SMALL_HEIGHT), (PLATES, 2)).astype(np.int32)
    elsewhere = np.ones((SMALL_HEIGHT, SMALL_WIDTH), dtype=np.uint8)
    elsewhere[middles[:, 1], middles[:, 0]] = 0
    nearest = cv2.distanceTransformWithLabels(elsewhere, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)[1]
    bends = [np.float32(BEND) * noise(generator, BEND_CELL, SMALL_WIDTH, SMALL_HEIGHT) for _ in range(2)]
    across = bends[0] + np.arange(SMALL_WIDTH, dtype=np.float32)[None, :]
    down = bends[1] + np.arange(SMALL_HEIGHT, dtype=np.float32)[:, None]
    plate = cv2.remap(nearest.astype(np.uint16), across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    within = np.ones_like(elsewhere)
    within[:, 1:] &= plate[:, 1:] == plate[:, :-1]
    within[1:] &= plate[1:] == plate[:-1]
    return plate, np.asarray(cv2.distanceTransform(within, cv2.DIST_L2, 3), dtype=np.float32)


def _near_follicles(hair: Hair) -> Field:
    mask = np.zeros((SMALL_HEIGHT // 2, SMALL_WIDTH // 2), dtype=np.uint8)
    for follicle in hair.follicles:
        x, y = corners(follicle.centre / (2 * HALF))
        cv2.circle(mask, (int(x), int(y)), AROUND_FOLLICLE << SHIFT, (255,), -1, cv2.LINE_AA, SHIFT)
    soft = cv2.resize(cv2.GaussianBlur(mask, (0, 0), 2.0), (SMALL_WIDTH, SMALL_HEIGHT))
    return np.asarray(soft * np.float32(1 / 255.0), dtype=np.float32)


def _plates(layer: Layer, edge: float) -> tuple[Pixels, Pixels]:
    """Return, at full size, the distance from the edges, and where and how far plates have lifted."""
    depth = _enlarged(_bytes((layer.inwards - 0.45 * layer.ragged - 0.4 * layer.patchy) * STEPS_A_PX))
    lift = _enlarged(_rising(layer.readiness, edge, edge + 0.4))
    return depth, _product(lift, cv2.LUT(depth, BODY))


def _film(layer: Layer, depth: Pixels, solid: Pixels) -> Pixels:
    """Return the opacity of plates: a thin uneven film and a whiter rim, which is broken like lace."""
    film = _enlarged(_bytes(FILM + 0.24 * FILM * layer.ragged))
    broken = _enlarged(_rising(layer.patchy - layer.ragged, -0.8, 0.8))
    return _product(solid, cv2.add(film, _product(cv2.LUT(depth, EDGE), broken)))


def _cracks(layer: Layer, edge: float) -> Pixels:
    """Return the opacity of the fine lines between plates that are about to lift."""
    near = _rising(layer.readiness, edge - 0.5, edge + 0.2)
    lines = cv2.LUT(_bytes(layer.inwards * STEPS_A_PX), LINE)
    return _enlarged(_product(_product(near, lines), _rising(layer.ragged - layer.patchy, 0.0, 1.2)))


def _rising(field: Field, low: float, high: float) -> Pixels:
    """Return a ramp: 0 below `low`, 255 above `high`."""
    return _bytes((field - np.float32(low)) * np.float32(255.0 / (high - low)))


def _bytes(field: Field) -> Pixels:
    return np.clip(field, 0.0, 255.0).astype(np.uint8)


def _product(first: cv2.typing.MatLike, second: cv2.typing.MatLike) -> Pixels:
    return np.asarray(cv2.multiply(first, second, scale=1 / 255.0), dtype=np.uint8)


def _enlarged(small: Pixels) -> Pixels:
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _collars(severity: float, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Return the opacity of the broken rings of scale at the pores."""
    rings = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    share = at_severity(severity, COLLARS)
    for follicle in hair.follicles:
        turn, first, gap = generator.random(3)
        radii = HALF * generator.uniform(*COLLAR_RADIUS) * generator.uniform(0.82, 1.2, COLLAR_CORNERS)
        angles = 2 * math.pi * (turn + np.linspace(0.0, 0.6 + 0.4 * gap, COLLAR_CORNERS))
        ring = follicle.centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
        opacity = COLLAR * min(max((share - first) * 4.0, 0.0), 1.0)
        cv2.polylines(rings, [corners(ring)], False, (opacity,), 2, cv2.LINE_AA, SHIFT)
    return rings
