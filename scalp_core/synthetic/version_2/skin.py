"""The healthy skin: its colour and shading, the furrows of its relief, mottling, glints and pores."""

import math
from functools import lru_cache

import cv2
import numpy as np

from scalp_core.synthetic.version_2.canvas import (
    FROM_CENTRE,
    HALF,
    HEIGHT,
    SHIFT,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Colour,
    Field,
    Pixels,
    Points,
    blend_spot,
    corners,
    direction_of,
    noise,
    soft_noise,
)
from scalp_core.synthetic.version_2.scene import Hair, Scene

# What blood in a vessel leaves of red, green and blue light: nearly all the red. (A fourth number for OpenCV.)
THROUGH_BLOOD = (0.88, 0.60, 0.67, 1.0)

# One large piece of relief is drawn once; every frame sees another part of it, turned and scaled.
TILE = 640  # px of half size
TILE_SEED = 2161  # any number; the tile has to be the same in every process
PLATEAU = 12.0  # px of half size from furrow to furrow
PLATEAU_STRETCH = 1.45  # rhombs rather than honeycombs: that much longer along the skin lines
FINE_PLATEAU = 6.5
FURROW_WIDTH = 1.7  # px of half size
RELIEF_CONTRAST = 0.020  # share of the lightness
MOTTLE_CONTRAST = 0.008
GRAIN_CONTRAST = 0.016

TICKS = 850
TICK_LENGTH = 1.2  # px, median
TICK_STRENGTHS = (0.3, 0.45, 0.6, 0.8, 1.0)  # share of the way from skin to white
TICK_SHARES = (0.40, 0.28, 0.18, 0.10, 0.04)
LAMP_WHITE = np.array([250.0, 252.0, 252.0])
# Lighter or darker than the skin in red, green and blue.
PORE_SHADOW = (-26.0, -32.0, -38.0)
PORE_COLLAR = (26.0, 25.0, 24.0)
PORE_RIM = (54.0, 55.0, 55.0)
DIMPLE = (-18.0, -27.0, -46.0)
HOLE = (-80.0, -84.0, -86.0)
# Skin lines cross at this angle to either side of their main direction, radians.
LINE_CROSSING = 0.5


def soft_skin(scene: Scene, generator: np.random.Generator) -> Field:
    """Return the colour of the healthy skin without detail: (120, 160, 3) float L*a*b*, enlarged later."""
    lab = np.empty((SOFT_HEIGHT, SOFT_WIDTH, 3), dtype=np.float32)
    shade = 0.8 * soft_noise(generator, 280) + 0.3 * soft_noise(generator, 110)
    warmth = 0.55 - FROM_CENTRE**2 * generator.uniform(0.55, 1.0) + 0.35 * soft_noise(generator, 200)
    vignette = scene.camera.vignette * np.clip(FROM_CENTRE - 0.4, 0, None) ** 2
    # Blood and pigment shine through unevenly: blotches of hue without an edge, hardly lighter or darker.
    blotches = soft_noise(generator, 34)
    lab[..., 0] = scene.cast.lightness + generator.normal(0, 1.0) + 2.4 * shade - vignette - 0.5 * blotches
    lab[..., 1] = scene.cast.a + generator.normal(0, 0.9) + 1.9 * warmth + 0.65 * blotches
    lab[..., 2] = scene.cast.b + generator.normal(0, 0.9) + 2.6 * warmth + 0.5 * soft_noise(generator, 50)
    return lab


def skin_surface(lab: Field, vessels: Field | None, direction: float, generator: np.random.Generator) -> Pixels:
    """Draw relief, mottling and vessels over the soft colours; (480, 640, 3) RGB."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(255.0)
    colours = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    texture = _relief(direction, generator) * np.float32(RELIEF_CONTRAST) + np.float32(1.0)
    texture += noise(generator, 5, width, height) * np.float32(MOTTLE_CONTRAST)
    texture += noise(generator, 1.7, width, height) * np.float32(GRAIN_CONTRAST)
    small = cv2.convertScaleAbs(cv2.multiply(colours, cv2.merge([texture] * 3)))
    frame = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    if vessels is not None:
        bloody = cv2.multiply(frame, THROUGH_BLOOD)
        frame = cv2.blendLinear(bloody, frame, vessels, np.float32(1.0) - vessels)
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


def draw_ticks(frame: Pixels, direction: float, generator: np.random.Generator) -> None:
    """Draw the many tiny white reflections of the skin's relief, along the skin lines, in swarms."""
    skin = _skin_colour(frame)
    middles = _swarms(int(TICKS * generator.uniform(0.5, 1.4)), generator)
    amount = len(middles)
    side = np.where(generator.random(amount) < 0.5, LINE_CROSSING, -LINE_CROSSING)
    angles = direction + math.pi / 2 + side + 0.35 * generator.standard_normal(amount)
    lengths = TICK_LENGTH * np.exp(0.6 * generator.standard_normal((amount, 1)))
    halves = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths / 2
    ends = corners(np.stack([middles - halves, middles + halves], axis=1))
    brightness = generator.choice(len(TICK_STRENGTHS), amount, p=TICK_SHARES)
    for place, strength in enumerate(TICK_STRENGTHS):
        colour = tuple(float(channel) for channel in skin + (LAMP_WHITE - skin) * strength)
        cv2.polylines(frame, list(ends[brightness == place]), False, colour, 1, cv2.LINE_AA, SHIFT)


def _swarms(amount: int, generator: np.random.Generator) -> Points:
    """Return random places, far more of them where the skin happens to lie towards the lamp."""
    places = generator.uniform((0, 0), (WIDTH, HEIGHT), (4 * amount, 2))
    towards = soft_noise(generator, 70)[(places[:, 1] // 4).astype(int), (places[:, 0] // 4).astype(int)]
    chance = np.exp(0.85 * towards)
    return np.asarray(places[generator.random(len(places)) < chance * amount / chance.sum()])


def draw_pores(frame: Pixels, hair: Hair, generator: np.random.Generator) -> None:
    """Draw a translucent collar about every follicle; an empty one shows a yellowish, shadowed dimple."""
    skin = _skin_colour(frame)
    shadow, collar, rim = (_tinted(skin, shift) for shift in (PORE_SHADOW, PORE_COLLAR, PORE_RIM))
    for follicle in hair.follicles:
        radius, squeeze = generator.uniform(7.0, 11.0), generator.uniform(0.75, 1.0)
        behind = follicle.centre - direction_of(follicle.angle) * radius * 0.45
        blend_spot(frame, follicle.centre, radius * 1.6, shadow, 0.16, 0.1, squeeze)
        blend_spot(frame, follicle.centre, radius, collar, 0.36, 0.5, squeeze)
        blend_spot(frame, behind, radius * 0.42, rim, 0.3, 0.2, squeeze)
        if follicle.empty:
            _draw_dimple(frame, follicle.centre, radius, squeeze)


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
