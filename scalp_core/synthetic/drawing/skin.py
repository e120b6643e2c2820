"""The healthy skin: its colour and shading, the furrows of its relief, mottling, glints and pores."""

import math
from functools import lru_cache

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
    COLUMNS,
    HALF,
    HEIGHT,
    ROWS,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Colour,
    Field,
    Pixels,
    Points,
    blend,
    blend_spot,
    direction_of,
    fill,
    noise,
    soft_noise,
    window,
)
from scalp_core.synthetic.drawing.scene import Follicle, Hair, Scene

# What blood in a vessel leaves of red, green and blue light: nearly all the red.
THROUGH_BLOOD = (0.88, 0.60, 0.67)

# One large piece of relief is drawn once; every frame sees another part of it, turned and scaled.
TILE = 640  # px of half size
TILE_SEED = 2161  # any number; the tile has to be the same in every process
PLATEAU = 12.0  # px of half size from furrow to furrow
PLATEAU_STRETCH = 1.45  # rhombs rather than honeycombs: that much longer along the skin lines
FINE_PLATEAU = 6.5
FURROW_WIDTH = 1.7  # px of half size
RELIEF_CONTRAST = (0.0, 0.014)  # share of the lightness
RELIEF_ASTRAY = 0.7  # radians between the skin lines and a right angle to the hair, deviation
MOTTLE_CONTRAST = 0.004
GRAIN_CONTRAST = 0.008

# Variations of L*, a* and b* within a frame: the covariance of the part that is neither tilt nor middle, its deviation
# from frame to frame (lognormal), px of its cells and their weights.
SLOW_COVARIANCE = ((9.5, -1.0, -2.3), (-1.0, 2.5, 0.9), (-2.3, 0.9, 3.8))
SLOW_STRENGTH = 0.3
SLOW_CELLS, SLOW_SHARES = (230.0, 110.0), (0.8, 0.6)
MIDDLE_LIGHTNESS, MIDDLE_A, MIDDLE_B = 4.0, (0.0, 8.0), (4.6, 2.4)  # from the middle to the corners
TILT, TILT_COLOUR = (1.0, 8.0), (1.7, 2.3)  # over half of the frame, in L*; in a* and b*
# Finer mottling: L*, a* and b* by px of its cells.
BLOTCHES = {34.0: (0.6, 0.5, 1.5), 14.0: (0.35, 0.25, 1.4), 8.0: (0.2, 0.2, 1.1)}

# Lighter or darker than the skin in red, green and blue.
PORE_SHADOW = (-26.0, -32.0, -38.0)
PORE_COLLAR = (26.0, 25.0, 24.0)
COLLAR_COLOUR = (226.0, 244.0, 254.0)
COLLAR_OPACITY = 0.8
COLLAR_RADIUS = (9.0, 20.0)  # px
COLLAR_REACH = (1.2, 3.8)  # radians about the pore
COLLAR_THICKNESS = 0.35  # of the radius, in the middle of the crescent
COLLAR_POINTS = 12
PORE_RIM = (54.0, 55.0, 55.0)
DIMPLE = (-18.0, -27.0, -46.0)
HOLE = (-80.0, -84.0, -86.0)


def soft_skin(scene: Scene, generator: np.random.Generator) -> Field:
    """Return the colour of the healthy skin without detail: (120, 160, 3) float L*a*b*, enlarged later."""
    lab = np.empty((SOFT_HEIGHT, SOFT_WIDTH, 3), dtype=np.float32)
    lab[...] = (scene.cast.lightness, scene.cast.a, scene.cast.b)
    lab += _slow_field(generator)
    lab += _pressed_middle(generator)
    angle, slope = generator.uniform(0, 2 * math.pi), generator.uniform(*TILT)
    x, y = direction_of(angle)
    across = COLUMNS * np.float32(2 * x / SOFT_WIDTH) + ROWS * np.float32(2 * y / SOFT_HEIGHT) - np.float32(x + y)
    lab += across[..., None] * (np.array([slope, *generator.normal(0.0, TILT_COLOUR, 2)], dtype=np.float32))
    # Blood and pigment shine through unevenly: blotches of hue without an edge, hardly lighter or darker.
    for size, (lightness, a, b) in BLOTCHES.items():
        hue, blue = soft_noise(generator, size), soft_noise(generator, size)
        lab[..., 0] += np.float32(-0.9 * lightness) * blue + np.float32(0.4 * lightness) * soft_noise(generator, size)
        lab[..., 1] += np.float32(a) * hue
        lab[..., 2] += np.float32(b) * (np.float32(0.25) * hue + np.float32(0.97) * blue)
    return lab


def _slow_field(generator: np.random.Generator) -> Field:
    """Return slow variations of L*, a* and b* that go together as in real frames, stronger in some frames."""
    strength = math.exp(SLOW_STRENGTH * generator.standard_normal())
    fields = [
        SLOW_SHARES[0] * soft_noise(generator, SLOW_CELLS[0]) + SLOW_SHARES[1] * soft_noise(generator, SLOW_CELLS[1])
        for _ in range(3)
    ]
    mixing = np.linalg.cholesky(np.array(SLOW_COVARIANCE)) * strength
    return np.asarray(cv2.transform(cv2.merge(fields), mixing.astype(np.float32)), dtype=np.float32)


def _pressed_middle(generator: np.random.Generator) -> Field:
    """Return the warm middle, where the probe presses the skin, as L*, a* and b*; it may lie off the centre."""
    lightness = generator.normal(0.0, MIDDLE_LIGHTNESS)
    a, b = generator.uniform(*MIDDLE_A), generator.normal(*MIDDLE_B)
    x, y = generator.normal(0.0, 0.18, 2)
    away = np.hypot(COLUMNS / SOFT_WIDTH * 2 - 1 - x, ROWS / SOFT_HEIGHT * 2 - 1 - y).astype(np.float32)
    profile = np.float32(0.45) - np.minimum(away, np.float32(1.3)) ** 1.5
    return np.asarray(profile[..., None] * np.array([lightness, a, b], dtype=np.float32), dtype=np.float32)


def skin_surface(lab: Field, vessels: Field | None, direction: float, generator: np.random.Generator) -> Pixels:
    """Draw relief, mottling and vessels over the soft colours; (480, 640, 3) RGB."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(255.0)
    colours = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    turned, contrast = direction + generator.normal(0.0, RELIEF_ASTRAY), generator.uniform(*RELIEF_CONTRAST)
    texture = _relief(turned, generator) * np.float32(contrast) + np.float32(1.0)
    texture += noise(generator, 5, width, height) * np.float32(MOTTLE_CONTRAST)
    texture += noise(generator, 1.7, width, height) * np.float32(GRAIN_CONTRAST)
    small = cv2.convertScaleAbs(cv2.multiply(colours, cv2.merge([texture] * 3)))
    frame = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    if vessels is not None:
        left = [cv2.convertScaleAbs(vessels, alpha=255.0 * (share - 1.0), beta=255.0) for share in THROUGH_BLOOD]
        frame = cv2.multiply(frame, cv2.merge(left), scale=1 / 255.0)
    return np.asarray(frame, dtype=np.uint8)


def _relief(direction: float, generator: np.random.Generator) -> Field:
    """Return the part of the relief under this frame, at half size; its furrows fade in and out over the skin."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    middle = generator.uniform(0.37, 0.63, 2) * TILE
    turn = cv2.getRotationMatrix2D((0.0, 0.0), -math.degrees(direction) - 90.0, generator.uniform(0.85, 1.35))
    turn[:, 2] = np.array([width / 2, height / 2]) - turn[:, :2] @ middle
    relief = cv2.warpAffine(
        _relief_tile(), turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    clearness = np.clip(1.0 + 0.45 * noise(generator, 60, width, height), 0.25, 1.9)
    return np.asarray(relief * clearness, dtype=np.float32)


@lru_cache(maxsize=1)
def _relief_tile() -> Field:
    """Return plateaus parted by furrows, coarse and fine ones, lit from the side; deviation 1."""
    generator = np.random.default_rng(TILE_SEED)
    height = _plateaus(PLATEAU, generator) + 0.55 * _plateaus(FINE_PLATEAU, generator)
    height = cv2.GaussianBlur(height, (0, 0), 0.8)
    lit = cv2.Sobel(height, cv2.CV_32F, 1, 1, ksize=3)
    relief = height - height.mean() + np.float32(0.45) * lit
    return np.asarray(np.clip(relief / relief.std(), -2.5, 2.5), dtype=np.float32)


def _plateaus(spacing: float, generator: np.random.Generator) -> Field:
    """Return 0 in the furrows, up to 1 between them: the borders of cells about jittered points."""
    y, x = np.mgrid[0:TILE, 0:TILE].astype(np.float32)
    x = (x + 1.3 * noise(generator, 2 * spacing, TILE, TILE)) / np.float32(spacing * PLATEAU_STRETCH)
    y = (y + 1.3 * noise(generator, 2 * spacing, TILE, TILE)) / np.float32(spacing)
    column, row = np.floor(x), np.floor(y)
    cells = int(TILE / spacing) + 8
    jitter = generator.uniform(0.05, 0.95, (cells, cells, 2)).astype(np.float32)
    nearest = np.full_like(x, np.inf)
    second = np.full_like(x, np.inf)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            point = jitter[(row + down).astype(np.intp) % cells, (column + right).astype(np.intp) % cells]
            across, along = point[..., 0] + (column + right - x), point[..., 1] + (row + down - y)
            away = np.sqrt(across * across + along * along)
            second = np.minimum(second, np.maximum(nearest, away))
            nearest = np.minimum(nearest, away)
    return np.asarray(1.0 - np.exp(-((second - nearest) * np.float32(spacing / FURROW_WIDTH) / 2)), dtype=np.float32)


def draw_pores(frame: Pixels, hair: Hair, generator: np.random.Generator) -> None:
    """Draw a translucent collar about every follicle; an empty one shows a yellowish, shadowed dimple."""
    skin = _skin_colour(frame)
    shadow, collar = (_tinted(skin, shift) for shift in (PORE_SHADOW, PORE_COLLAR))
    for follicle in hair.follicles:
        radius, squeeze = generator.uniform(7.0, 11.0), generator.uniform(0.75, 1.0)
        blend_spot(frame, follicle.centre, radius * 1.6, shadow, 0.16, 0.1, squeeze)
        blend_spot(frame, follicle.centre, radius, collar, 0.3, 0.5, squeeze)
        _draw_collar(frame, follicle, generator)
        if follicle.empty:
            _draw_dimple(frame, follicle.centre, radius, squeeze)


def _draw_collar(frame: Pixels, follicle: Follicle, generator: np.random.Generator) -> None:
    """Draw the ragged white crescent on one side of a pore, where the skin sticks to the hair."""
    radius, reach = generator.uniform(*COLLAR_RADIUS), generator.uniform(*COLLAR_REACH)
    middle = follicle.angle + math.pi + generator.normal(0.0, 0.9)
    angles = middle + reach * np.linspace(-0.5, 0.5, COLLAR_POINTS)
    thick = COLLAR_THICKNESS * radius * np.sin(np.linspace(0.0, math.pi, COLLAR_POINTS))
    out = radius * generator.uniform(0.85, 1.2, COLLAR_POINTS)
    within = np.maximum(out - thick * generator.uniform(0.3, 1.6, COLLAR_POINTS), 1.0)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outline = np.concatenate([around * out[:, None], (around * within[:, None])[::-1]])
    rows, columns, _, _ = window(follicle.centre, radius * 1.3 + 2.0, WIDTH, HEIGHT)
    patch = frame[rows, columns]
    mask = np.zeros(patch.shape[:2], dtype=np.uint8)
    if patch.size:
        fill(mask, outline + follicle.centre - (columns.start, rows.start), (255 * follicle.collar * COLLAR_OPACITY,))
        blend(patch, COLLAR_COLOUR, cv2.GaussianBlur(mask, (5, 5), 1.0).astype(np.float32) / np.float32(255.0))


def _draw_dimple(frame: Pixels, centre: Points, radius: float, squeeze: float) -> None:
    """Draw a shallow hole filled with a little wax, deepest in the middle, its far wall lit."""
    skin = _skin_colour(frame)
    blend_spot(frame, centre, radius, _tinted(skin, DIMPLE), 0.65, 0.45, squeeze)
    blend_spot(frame, centre - radius * 0.1, radius * 0.5, _tinted(skin, HOLE), 0.55, 0.05, squeeze)
    blend_spot(frame, centre + radius * 0.5, radius * 0.35, _tinted(skin, PORE_RIM), 0.35, 0.05)


def _skin_colour(frame: Pixels) -> Points:
    return np.asarray(frame[8::16, 8::16].reshape(-1, 3).mean(axis=0), dtype=np.float64)


def _tinted(skin: Points, shift: Colour) -> Colour:
    """Return the colour of the skin, lighter or darker; a device's light is in it already."""
    red, green, blue = np.clip(skin + shift, 0.0, 255.0)
    return float(red), float(green), float(blue)
