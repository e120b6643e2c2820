"""Confusers independent of the labels: bubbles, blood, dye, over-exposure, hairs before the lens.

Blur by motion and by a wrong distance is the camera's; a frame full of hair is the hair's.
"""

import math

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
    COLUMNS,
    HEIGHT,
    ROWS,
    SHIFT,
    SOFT,
    SOFT_HEIGHT,
    SOFT_WIDTH,
    WIDTH,
    Colour,
    Field,
    Pixels,
    Points,
    blend,
    blend_spot,
    corners,
    direction_of,
    fill,
    overlay,
    smoothstep,
    soft_noise,
    threshold,
)
from scalp_core.synthetic.drawing.hair import arc

# What is left of red, green and blue under the thickest film.
DYES: tuple[Colour, ...] = ((0.50, 0.48, 0.72), (0.66, 0.53, 0.45), (0.62, 0.47, 0.42))  # blue-violet, brown, red-brown
DYED_SHARE = (0.05, 0.22)  # of the skin
POOLS = (4, 14)  # dots of dye left in pores
BLOOD_THIN: Colour = (128.0, 46.0, 40.0)
BLOOD_THICK: Colour = (70.0, 22.0, 20.0)
CRUST: Colour = (112.0, 62.0, 42.0)
BLOOD_RADIUS = (3.5, 10.0)  # px
SCRATCH_SHARE = 0.35  # of the frames with blood
SCRATCH_LENGTH = (60.0, 170.0)  # px
BUBBLE_RADIUS = 13.0  # px, median
BUBBLE_RING: Colour = (46.0, 42.0, 44.0)
BUBBLE_SHINE: Colour = (250.0, 252.0, 254.0)
GLARE_REACH = (0.3, 0.6)  # from the corner, as a share of half the frame
FRONT_WIDTH = (14.0, 26.0)  # px
FRONT_BLUR = (3.5, 7.0)  # px


def draw_stains(frame: Pixels, confusers: frozenset[str], generator: np.random.Generator) -> Pixels:
    """Draw stains on the skin under the hair: dye, spots of blood with their crusts."""
    dye, blood = generator.spawn(2)
    if "dye" in confusers:
        frame = _dyed(frame, dye)
    if "blood" in confusers:
        _draw_blood(frame, blood)
    return frame


def _dyed(frame: Pixels, generator: np.random.Generator) -> Pixels:
    """Lay a film that swallows light, uneven, a little darker where its edge dried, with dots of it left in pores."""
    left = DYES[int(generator.integers(len(DYES)))]
    field = soft_noise(generator, 190) + 0.5 * soft_noise(generator, 55) + 0.2 * soft_noise(generator, 22)
    edge = threshold(field, generator.uniform(*DYED_SHARE))
    film = smoothstep(field, edge - 0.35, edge + 0.25) * np.float32(0.62)
    film += 0.3 * smoothstep(field, edge - 0.1, edge + 0.12) * (1 - smoothstep(field, edge + 0.05, edge + 0.5))
    film *= np.clip(0.85 + 0.2 * soft_noise(generator, 26), 0, 1)
    alpha = _enlarged(film * np.float32(generator.uniform(0.6, 1.0)))
    for centre in generator.uniform((0, 0), (WIDTH, HEIGHT), (int(generator.integers(*POOLS)), 2)):
        cv2.circle(
            alpha, *_disc(centre, generator.uniform(2.0, 5.5)), (generator.uniform(0.4, 0.9),), -1, cv2.LINE_AA, SHIFT
        )
    return _filtered(frame, left, cv2.GaussianBlur(alpha, (9, 9), 1.6))


def _disc(centre: Points, radius: float) -> tuple[list[int], int]:
    """Return centre and radius of a circle as OpenCV takes them."""
    return corners(centre).tolist(), int(corners(np.array([radius]))[0])


def _filtered(frame: Pixels, left: Colour, alpha: Field) -> Pixels:
    """Return `frame` through a coloured film, as thick as `alpha` says."""
    coloured = cv2.multiply(frame, (*left, 1.0))
    return np.asarray(cv2.blendLinear(coloured, frame, alpha, np.float32(1.0) - alpha), dtype=np.uint8)


def _enlarged(soft: Field) -> Field:
    return np.asarray(cv2.resize(soft.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC))


def _draw_blood(frame: Pixels, generator: np.random.Generator) -> None:
    """Draw one to three drops with sharp edges and no halo, or a scratch."""
    if generator.random() < SCRATCH_SHARE:
        _draw_scratch(frame, generator)
        return
    for _ in range(int(generator.integers(1, 4))):
        place = generator.uniform((0, 0), (WIDTH, HEIGHT))
        _draw_drop(frame, place, generator.uniform(*BLOOD_RADIUS), BLOOD_THIN, generator)


def _draw_scratch(frame: Pixels, generator: np.random.Generator) -> None:
    """Draw a thin broken line with crusts on it, in a row."""
    start, angle = generator.uniform((100, 100), (WIDTH - 100, HEIGHT - 100)), generator.uniform(0, 2 * math.pi)
    length = generator.uniform(*SCRATCH_LENGTH)
    along = np.sort(generator.random(int(length / 7)))
    bow = length * generator.uniform(-0.12, 0.12) * along * (1 - along) * 4
    ahead, aside = direction_of(angle), direction_of(angle + math.pi / 2)
    path = start + np.outer(along * length, ahead) + np.outer(bow + generator.normal(0, 0.8, len(along)), aside)
    bleeding = corners(np.stack([path[:-1], path[1:]], axis=1))[generator.random(len(path) - 1) < 0.6]
    cv2.polylines(frame, list(bleeding), False, BLOOD_THIN, 1, cv2.LINE_AA, SHIFT)
    for place in path:
        colour = CRUST if generator.random() < 0.5 else BLOOD_THIN
        _draw_drop(frame, place, float(generator.uniform(0.8, 3.2)), colour, generator)


def _draw_drop(frame: Pixels, centre: Points, radius: float, thin: Colour, generator: np.random.Generator) -> None:
    """Draw a drop, thin at the rim, dark where it is thick, with a glint where it is still wet."""
    around = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    oval, lobe = generator.uniform(0, 2 * math.pi, 2)
    reach = radius * (1.0 + 0.18 * np.cos(2 * around + oval) + 0.10 * np.cos(3 * around + lobe))
    outline = centre + np.stack([np.cos(around), np.sin(around)], axis=1) * reach[:, None]
    blend_spot(frame, centre, radius * 1.25, thin, 0.35, 0.6)
    fill(frame, outline, thin)
    fill(frame, centre + (outline - centre) * 0.72 + generator.normal(0, 0.06 * radius, 2), BLOOD_THICK)
    if radius > 5.0:
        blend_spot(frame, centre - radius * 0.3, 1.5, (236, 214, 210), 0.8, 0.2)


def draw_before_lens(frame: Pixels, confusers: frozenset[str], generator: np.random.Generator) -> Pixels:
    """Draw bubbles and hairs out of focus between lens and scalp, and light that comes straight back."""
    bubbles, hairs, light = generator.spawn(3)
    if "bubbles" in confusers:
        _draw_bubbles(frame, bubbles)
    if "front_hair" in confusers:
        for _ in range(int(hairs.integers(1, 3))):
            frame = _behind_a_hair(frame, hairs)
    if "over_exposed" in confusers:
        frame = _over_exposed(frame, light)
    return frame


def _draw_bubbles(frame: Pixels, generator: np.random.Generator) -> None:
    """Draw bubbles in gel or water, in a loose heap."""
    middle = generator.uniform((60, 60), (WIDTH - 60, HEIGHT - 60))
    lamp = generator.uniform(0, 360)
    for _ in range(int(generator.integers(2, 9))):
        radius = BUBBLE_RADIUS * math.exp(0.5 * generator.standard_normal())
        _draw_bubble(frame, middle + generator.normal(0, 90, 2), min(radius, 45.0), lamp)


def _draw_bubble(frame: Pixels, centre: Points, radius: float, lamp: float) -> None:
    """Draw a dark ring, soft inwards, a bright crescent on the lamp's side, a fainter one across; clear inside."""
    reach = math.ceil(radius) + 4
    left, top = max(round(float(centre[0])) - reach, 0), max(round(float(centre[1])) - reach, 0)
    part = frame[top : round(float(centre[1])) + reach, left : round(float(centre[0])) + reach]
    if not part.size:
        return
    dark, light = np.zeros((2, *part.shape[:2]), dtype=np.uint8)
    at = centre - (left, top)
    cv2.circle(dark, *_disc(at, radius - 1.0), (150,), max(2, round(radius * 0.13)), cv2.LINE_AA, SHIFT)
    for share, start, end, strength, width in (
        (0.94, 0.0, 360.0, 46, 1),
        (0.78, lamp - 50, lamp + 50, 225, max(1, round(radius * 0.15))),
        (0.80, lamp + 155, lamp + 205, 120, 1),
    ):
        axes = corners(np.array([radius, radius]) * share).tolist()
        cv2.ellipse(light, corners(at).tolist(), axes, 0, start, end, (strength,), width, cv2.LINE_AA, SHIFT)
    for mask, colour in ((dark, BUBBLE_RING), (light, BUBBLE_SHINE)):
        blend(part, colour, cv2.GaussianBlur(mask, (0, 0), 0.5 + radius * 0.03).astype(np.float32) / np.float32(255))


def _behind_a_hair(frame: Pixels, generator: np.random.Generator) -> Pixels:
    """Draw a wide dark band with blurred sides: a hair far nearer than the focus."""
    mask = np.zeros((SOFT_HEIGHT, SOFT_WIDTH), dtype=np.uint8)
    angle = generator.uniform(0, 2 * math.pi)
    start = np.array([WIDTH / 2, HEIGHT / 2]) - 650.0 * direction_of(angle) + generator.normal(0, 130, 2)
    path = arc(start, angle, 1300.0, generator)
    width = max(2, round(generator.uniform(*FRONT_WIDTH) / SOFT))
    cv2.polylines(mask, [corners(path / SOFT)], False, (255,), width, cv2.LINE_AA, SHIFT)
    soft = cv2.GaussianBlur(mask, (0, 0), generator.uniform(*FRONT_BLUR) / SOFT).astype(np.float32)
    return overlay(frame, (42.0, 34.0, 31.0), cv2.convertScaleAbs(_enlarged(soft), alpha=generator.uniform(0.88, 1.0)))


def _over_exposed(frame: Pixels, generator: np.random.Generator) -> Pixels:
    """Blow out a corner or side that fades into glare, and further into a veil."""
    angle = generator.uniform(0, 2 * math.pi)
    x, y = np.clip(direction_of(angle) * 1.35, -1.02, 1.02)
    away = np.hypot(COLUMNS / SOFT_WIDTH * 2 - 1 - x, ROWS / SOFT_HEIGHT * 2 - 1 - y) + 0.05 * soft_noise(generator, 90)
    reach = generator.uniform(*GLARE_REACH)
    veil = 0.4 * (1 - smoothstep(away, 0.0, 2.4 * reach))
    blown = 1 - smoothstep(away, 0.5 * reach, 1.35 * reach)
    return overlay(frame, (253.0, 254.0, 252.0), cv2.convertScaleAbs(_enlarged(np.maximum(blown, veil)), alpha=255.0))
