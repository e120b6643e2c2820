"""Fine scaling: white threads in broken cobwebs and wrinkle lines, fluffy tufts, collars about roots, few thin plates.

As on real frames it is translucent with bright cores and lies between calm, matte skin; filled plates are a minority.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
    HALF,
    HEIGHT,
    SHIFT,
    WIDTH,
    Field,
    Pixels,
    Points,
    at_severity,
    corners,
    noise,
    overlay,
    ragged,
)
from scalp_core.synthetic.drawing.scene import Hair

# By grade. What a frame shows at a higher severity begins with all that it shows at a lower one.
THREADS = (0.0, 62.0, 165.0, 400.0)
TUFTS = (0.0, 2.2, 6.5, 15.0)
COLLARS = (0.0, 0.3, 0.62, 0.95)  # share of the follicles that wear one
PLATES = (0.0, 1.5, 4.0, 10.0)
STRENGTH = (0.55, 0.85, 0.95, 1.0)  # how white all of it is

WEBS, WEB_SPREAD = 7, (34.0, 62.0)  # places where threads gather, and how widely in px along and across the skin lines
LOOSE_SHARE = 0.22  # of the threads, which lie anywhere
WRINKLED_SHARE = 0.45  # of the webs, whose threads are parallel; the others are cobwebs
WRINKLE_TURN = 0.14  # radians by which parallel threads stray from the skin lines
FORK_TURN = (0.45, 1.3)  # radians by which a thread of a cobweb leaves the one that it hangs on
THREAD_LENGTH, THREAD_LENGTHS, THREAD_SPREAD = 26.0, (10.0, 60.0), 0.6  # px, lognormal
WRINKLE_STRETCH = 1.35  # threads of wrinkles are that much longer
THREAD_WIDTHS, THREAD_WIDTH_SHARES = (1, 2, 3), (0.3, 0.5, 0.2)  # px, before the lens blurs them
BEND = 0.6  # radians that a thread turns over its length
STEPS = 7  # points of a thread

TUFT_RADIUS = (10.0, 30.0)  # px
TUFT_HAIRS = 22  # strokes of a tuft
COLLAR_RADIUS, COLLAR_CORNERS = (10.0, 17.0), 16  # px
AT_ROOT = 0.35  # share of the tufts that lie at a root
PLATE_RADIUS = (6.0, 14.0)  # px

# Opacities of 255. Brightness is the lamp's, a little bluish.
WHITE = (234.0, 246.0, 252.0)
CORE = (120.0, 235.0)  # of threads
TUFT, COLLAR, PLATE, PLATE_RIM = (70.0, 190.0), (150.0, 240.0), 62.0, 150.0
VEIL, VEIL_BLUR = 0.62, 3.2  # what shines about the cores, translucent, and how widely in px
MAX_OPACITY = 225.0
BEADS = 3.2  # px of half size after which a thread is thinner or thicker


@dataclass(frozen=True, eq=False)
class Scales:
    """The scales of a frame: their opacity, full size, 0–1, and how much there is, in the order of the elements."""

    opacity: Field
    threads: float
    tufts: float
    collars: float
    plates: float


def plan_scales(severity: float, hair: Hair, generator: np.random.Generator) -> Scales | None:
    """Plan the scales of a frame; None where there are none."""
    if severity <= 0.0:
        return None
    lines, fluff, rings, thin, grain = generator.spawn(5)
    threads, tufts, collars, plates = (
        at_severity(severity, by_grade) for by_grade in (THREADS, TUFTS, COLLARS, PLATES)
    )
    cores = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    _draw_plates(cores, plates, thin)
    _draw_tufts(cores, tufts, hair, fluff)
    _draw_collars(cores, collars, hair, rings)
    _draw_threads(cores, threads, hair, lines)
    opacity = _translucent(cores, grain) * np.float32(at_severity(severity, STRENGTH))
    return Scales(opacity, threads, tufts, collars, plates)


def draw_scales(frame: Pixels, scales: Scales) -> Pixels:
    """Draw the scales over the skin."""
    return overlay(frame, WHITE, cv2.convertScaleAbs(scales.opacity, alpha=255.0))


def _translucent(cores: Pixels, generator: np.random.Generator) -> Field:
    """Return the opacity, 0–1, of cores that are broken like beads, within a veil."""
    beads = 0.72 + 0.28 * noise(generator, BEADS, WIDTH // HALF, HEIGHT // HALF)
    broken = cv2.resize(np.clip(beads, 0.15, 1.1), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    bright = cv2.multiply(cv2.GaussianBlur(cores, (3, 3), 0.7), broken, dtype=cv2.CV_32F)
    half = cv2.resize(cores, (WIDTH // HALF, HEIGHT // HALF), interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(half, (0, 0), VEIL_BLUR / HALF)
    veil = cv2.resize(wide, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    opacity = cv2.max(bright, cv2.multiply(veil, VEIL, dtype=cv2.CV_32F))
    return np.asarray(cv2.min(opacity, MAX_OPACITY) * np.float32(1 / 255.0), dtype=np.float32)


def shown(count: float, most: int) -> Points:
    """Return how far each of `most` things shows, 0–1: they come one after the other, the last one fading in."""
    return np.asarray(np.clip(count - np.arange(most), 0.0, 1.0))


def _draw_threads(cores: Pixels, count: float, hair: Hair, generator: np.random.Generator) -> None:
    """Draw threads, most of them in webs about a few places."""
    most = math.ceil(THREADS[-1])
    web = generator.integers(WEBS, size=most)
    middles = generator.uniform((30, 30), (WIDTH - 30, HEIGHT - 30), (WEBS, 2))
    wrinkled = (generator.random(WEBS) < WRINKLED_SHARE)[web]
    lines = (_skin_lines(hair) + generator.normal(0, 0.35, WEBS))[web]
    lengths = THREAD_LENGTH * np.exp(THREAD_SPREAD * generator.standard_normal(most))
    lengths = np.clip(lengths * np.where(wrinkled, WRINKLE_STRETCH, 1.0), *THREAD_LENGTHS)
    along, across = (generator.normal(0, spread, (most, 1)) for spread in WEB_SPREAD)
    ahead = np.stack([np.cos(lines), np.sin(lines)], axis=1)
    places = middles[web] + along * ahead + across * np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    angles = lines + WRINKLE_TURN * generator.standard_normal(most)
    _hang(places, angles, lengths, np.where(wrinkled, -1, web), generator)
    loose = generator.random(most) < LOOSE_SHARE
    places[loose] = generator.uniform((0, 0), (WIDTH, HEIGHT), (most, 2))[loose]
    widths = generator.choice(THREAD_WIDTHS, most, p=THREAD_WIDTH_SHARES)
    brightness = shown(count, most) * generator.uniform(*CORE, most)
    _draw_strokes(cores, strokes(places, angles, lengths, generator), widths, brightness)


def _hang(places: Points, angles: Points, lengths: Points, web: Points, generator: np.random.Generator) -> None:
    """Hang the threads of a cobweb on each other, in place; `web` is −1 for those of none."""
    chances, where, turns = generator.random((3, len(web)))
    for cobweb in range(WEBS):
        members = np.flatnonzero(web == cobweb)
        for number, thread in enumerate(members[1:], start=1):
            parent = members[int(chances[thread] * number)]
            reach = lengths[parent] * (0.3 + 0.7 * where[thread])
            turn = FORK_TURN[0] + (FORK_TURN[1] - FORK_TURN[0]) * abs(2 * turns[thread] - 1)
            places[thread] = places[parent] + reach * np.array([np.cos(angles[parent]), np.sin(angles[parent])])
            angles[thread] = angles[parent] + math.copysign(turn, turns[thread] - 0.5)


def _draw_tufts(cores: Pixels, count: float, hair: Hair, generator: np.random.Generator) -> None:
    """Draw tufts: short strokes that start from one place, mostly to one side."""
    most = math.ceil(TUFTS[-1])
    middles = generator.uniform((0, 0), (WIDTH, HEIGHT), (most, 2))
    roots = generator.integers(max(len(hair.follicles), 1), size=most)
    for tuft in np.flatnonzero(generator.random(most) < AT_ROOT) if hair.follicles else ():
        middles[tuft] = hair.follicles[int(roots[tuft])].centre
    sizes, leans = generator.uniform(*TUFT_RADIUS, most), generator.uniform(0, 2 * math.pi, most)
    shape = (most, TUFT_HAIRS)
    angles = leans[:, None] + 0.9 * generator.standard_normal(shape)
    starts = middles[:, None] + sizes[:, None, None] * 0.35 * generator.standard_normal((*shape, 2))
    lengths = sizes[:, None] * generator.uniform(0.35, 1.0, shape)
    widths = generator.choice((1, 2, 3), most * TUFT_HAIRS, p=(0.4, 0.4, 0.2))
    brightness = np.repeat(shown(count, most), TUFT_HAIRS) * generator.uniform(*TUFT, most * TUFT_HAIRS)
    paths = strokes(starts.reshape(-1, 2), angles.ravel(), lengths.ravel(), generator)
    _draw_strokes(cores, paths, widths, brightness)


def _draw_collars(cores: Pixels, share: float, hair: Hair, generator: np.random.Generator) -> None:
    """Draw broken ragged rings of scale about the roots, thickest on one side."""
    for follicle in hair.follicles:
        turn, first, gap, brightness = generator.random(4)
        uneven = generator.uniform(0.78, 1.25, COLLAR_CORNERS)
        radii = generator.uniform(*COLLAR_RADIUS) * uneven
        angles = 2 * math.pi * (turn + np.linspace(0.0, 0.45 + 0.45 * gap, COLLAR_CORNERS))
        ring = follicle.centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
        opacity = float(np.interp(brightness, (0, 1), COLLAR)) * min(max((share - first) * 4.0, 0.0), 1.0)
        for part, width in ((ring, 2), (ring[COLLAR_CORNERS // 4 : COLLAR_CORNERS // 2 + 2], 5)):
            cv2.polylines(cores, [corners(part)], False, (opacity,), width, cv2.LINE_AA, SHIFT)


def _draw_plates(cores: Pixels, count: float, generator: np.random.Generator) -> None:
    """Draw thin plates with a whiter rim that has lifted on one side."""
    most = math.ceil(PLATES[-1])
    places, sizes = generator.uniform((0, 0), (WIDTH, HEIGHT), (most, 2)), generator.uniform(*PLATE_RADIUS, most)
    for plate, (own, part) in enumerate(zip(generator.spawn(most), shown(count, most), strict=True)):
        if part:
            outline = corners(ragged(places[plate], float(sizes[plate]), own))
            cv2.fillPoly(cores, [outline], (PLATE * part,), cv2.LINE_AA, SHIFT)
            cv2.polylines(cores, [outline[: len(outline) // 2]], False, (PLATE_RIM * part,), 2, cv2.LINE_AA, SHIFT)


def _skin_lines(hair: Hair) -> float:
    """Return the direction of the skin lines, across the hair."""
    return (hair.follicles[0].angle if hair.follicles else 0.0) + math.pi / 2


def strokes(starts: Points, angles: Points, lengths: Points, generator: np.random.Generator) -> Points:
    """Return gently bent strokes, (count, STEPS, 2)."""
    along = np.linspace(0.0, 1.0, STEPS - 1)
    count = len(starts)
    bent = angles[:, None] + BEND * generator.standard_normal((count, 1)) * along
    bent += 0.22 * generator.standard_normal((count, STEPS - 1))
    steps = np.stack([np.cos(bent), np.sin(bent)], axis=2) * (lengths / (STEPS - 1))[:, None, None]
    return np.asarray(starts[:, None] + np.concatenate([np.zeros((count, 1, 2)), np.cumsum(steps, axis=1)], axis=1))


def _draw_strokes(cores: Pixels, paths: Points, widths: Points, brightness: Points) -> None:
    lines = corners(paths)
    for stroke in np.flatnonzero(brightness):
        width, opacity = int(widths[stroke]), float(brightness[stroke])
        cv2.polylines(cores, [lines[stroke]], False, (opacity,), width, cv2.LINE_AA, SHIFT)
