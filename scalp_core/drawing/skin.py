"""The healthy skin: its colour and shading, mottling, skin lines, glints and pores."""

import math

import cv2
import numpy as np

from scalp_core.drawing.canvas import (
    FROM_CENTRE,
    HALF,
    HEIGHT,
    SHIFT,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Field,
    Pixels,
    blend_spot,
    corners,
    noise,
    soft_noise,
)
from scalp_core.drawing.scene import Hair, Scene


def soft_skin(scene: Scene, generator: np.random.Generator) -> Field:
    """Colour of the healthy skin without detail: (120, 160, 3) float L*a*b*, enlarged when it has all it needs."""
    lab = np.empty((SOFT_HEIGHT, SOFT_WIDTH, 3), dtype=np.float32)
    shade = 0.65 * soft_noise(generator, 240) + 0.35 * soft_noise(generator, 90)
    warmth = 1.0 - FROM_CENTRE**2 * generator.uniform(0.6, 1.1) + 0.35 * soft_noise(generator, 160)
    vignette = scene.camera.vignette * np.clip(FROM_CENTRE - 0.45, 0, None) ** 2
    lab[..., 0] = scene.cast.lightness + generator.normal(0, 1.2) + 2.9 * shade - vignette
    lab[..., 1] = scene.cast.a + generator.normal(0, 1.0) + 1.3 * warmth
    lab[..., 2] = scene.cast.b + generator.normal(0, 1.2) + 2.2 * warmth
    return lab


def skin_surface(lab: Field, vessels: Field | None, direction: float, generator: np.random.Generator) -> Pixels:
    """Mottling, skin lines and vessels over the soft colours; (480, 640, 3) RGB."""
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(255.0)
    colours = cv2.resize(rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    width, height = WIDTH // HALF, HEIGHT // HALF
    pores = noise(generator, 6, width, height) * np.float32(0.017) + np.float32(1.0)
    pores += noise(generator, 2.3, width, height) * np.float32(0.024)
    texture = cv2.resize(pores, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    texture = texture + _skin_lines(direction, generator) * np.float32(0.022)
    layers = [texture] * 3
    if vessels is not None:
        # Blood swallows green and blue light, hardly any red.
        layers = [texture * (1.0 - vessels * np.float32(share)) for share in (0.12, 0.40, 0.33)]
    return np.asarray(cv2.convertScaleAbs(cv2.multiply(colours, cv2.merge(layers))), dtype=np.uint8)


def _skin_lines(direction: float, generator: np.random.Generator) -> Field:
    """Fine noise stretched along the skin lines, which run across the hair."""
    size = 400
    lines = noise(generator, 2.6, size, size, stretch=2.6)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), -math.degrees(direction) - 90.0, 2.05)
    turn[:, 2] += np.array([WIDTH / 2 - size / 2, HEIGHT / 2 - size / 2])
    turned = cv2.warpAffine(lines, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, dtype=np.float32)


def draw_ticks(frame: Pixels, direction: float, generator: np.random.Generator) -> None:
    """The many tiny white reflections of the skin's relief, along the skin lines."""
    skin = frame[::16, ::16].reshape(-1, 3).mean(axis=0)
    for strength, count in ((0.35, 260), (0.6, 130), (0.9, 45)):
        amount = int(count * generator.uniform(0.5, 1.3))
        middles = generator.uniform((0, 0), (WIDTH, HEIGHT), (amount, 2))
        angles = direction + math.pi / 2 + 0.35 * generator.standard_normal(amount)
        halves = np.stack([np.cos(angles), np.sin(angles)], axis=1) * generator.uniform(0.5, 2.6, (amount, 1))
        colour = tuple(float(channel) for channel in skin + (252.0 - skin) * strength)
        ends = corners(np.stack([middles - halves, middles + halves], axis=1))
        cv2.polylines(frame, list(ends), False, colour, 1, cv2.LINE_AA, SHIFT)


def draw_pores(frame: Pixels, hair: Hair, generator: np.random.Generator) -> None:
    """A translucent collar about every follicle; an empty one shows a yellowish, shadowed hole."""
    for follicle in hair.follicles:
        radius = generator.uniform(7.0, 10.0)
        blend_spot(frame, follicle.centre, radius, (214, 206, 194), 0.22, 0.5)
        if follicle.empty:
            blend_spot(frame, follicle.centre, radius * 0.72, (122, 96, 76), 0.62, 0.25)
            blend_spot(frame, follicle.centre - 1.0, 2.4, (72, 56, 50), 0.55, 0.2)
