"""Dandruff: opaque flakes of several thin layers, lying on skin and hair, with crumbs about them."""

import math

import cv2
import numpy as np

from scalp_core.synthetic.version_2.canvas import (
    AREA,
    HALF,
    HEIGHT,
    SHIFT,
    WIDTH,
    Pixels,
    Points,
    at_severity,
    corners,
    inside,
    noise,
    scattered,
    smoothstep,
    whole,
)
from scalp_core.synthetic.version_2.scene import Hair

FLAKES = (0.0, 4.0, 10.0, 32.0)
COVERAGE = (0.0, 0.022, 0.118, 0.49)  # share of the frame, were no flake to lie on another or across the border
COVERAGE_SPREAD = 0.1  # lognormal
SIZE_SPREAD = 0.55  # lognormal
RADII = (7.0, 82.0)  # px
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

# Thickness in steps of 8 bits: one layer is translucent and greyish, three are opaque and cream.
LAYER = 46.0
THICKNESS = np.arange(256, dtype=np.float32)
OPACITY = np.interp(THICKNESS, (0, 10, 26, 60, 110), (0, 0, 160, 230, 250)).astype(np.uint8)
TONE = np.interp(THICKNESS, (0, 40, 90, 150, 255), (190, 198, 212, 222, 240)).astype(np.uint8)
CREAM = np.interp(THICKNESS, (0, 40, 110, 255), (0, 1, 11, 18)).astype(np.uint8)  # what blue lacks
# What gives a relief: thick flakes are pressed together and flat on top.
RISE = np.interp(THICKNESS, (0, 60, 120, 255), (0, 64, 106, 160)).astype(np.uint8)
LEVEL = 128  # grey level of what is neither turned to the light nor away from it
RELIEF = np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], dtype=np.float32) * np.float32(0.42)
SHADOW_OFFSET = (2.0, 3.0)  # px, as the lamp stands to the upper left
CAST, CAST_ON_FLAKES = 0.28, 0.4  # share of 255 that a flake takes from the skin and a hair from a flake
TINT = 0.15  # how much of the light's colour, as the skin shows it, the flakes take


def add_plates(frame: Pixels, severity: float, hair: Hair, above: Pixels, generator: np.random.Generator) -> Pixels:
    """Draw flakes with a relief and a soft shadow, under the shafts of the mask `above`."""
    flakes, grain = generator.spawn(2)
    layers = _layers(severity, hair, flakes)
    if not layers.any():
        return frame
    thickness = _worn(layers, grain)
    free = cv2.bitwise_not(above)
    opacity = cv2.multiply(cv2.LUT(thickness, OPACITY), free, scale=1 / 255.0**2, dtype=cv2.CV_32F)
    shadow = cv2.multiply(_shadow(layers, 2.2, CAST), free, scale=1 / 255.0)
    darker = cv2.subtract(frame, cv2.merge([shadow] * 3))
    flaky = _flaky(thickness, _shadow(above, 1.6, CAST_ON_FLAKES), frame[::16, ::16].mean(axis=(0, 1)))
    return np.asarray(cv2.blendLinear(flaky, darker, opacity, np.float32(1.0) - opacity), dtype=np.uint8)


def _layers(severity: float, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Return the thickness of the flakes in whole layers, 0 where there are none."""
    thickness = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    count = whole(at_severity(severity, FLAKES), generator)
    if count == 0:
        return thickness
    radii = _radii(count, at_severity(severity, COVERAGE), generator)
    centres, axes = _places(hair, generator)
    shapes = _torn(generator).reshape(MAX_FLAKES, -1, 2)
    outlines = (centres[:, None] + shapes @ axes * radii[:, None, None]).reshape(MAX_FLAKES, LAYERS, -1, 2)
    amounts = LAYER * generator.uniform(0.6, 1.25, (MAX_FLAKES, 1)) * generator.uniform(0.8, 1.2, (MAX_FLAKES, LAYERS))
    for flake in range(count):
        for layer in range(min(LAYERS, 2 + int(radii[flake] / PX_A_LAYER))):
            _add(thickness, outlines[flake, layer], float(amounts[flake, layer]))
    _add_crumbs(thickness, _around(centres, radii, generator), count * SATELLITES, generator)
    powder = generator.uniform((0, 0), (WIDTH, HEIGHT), (MAX_POWDER, 2))
    _add_crumbs(thickness, powder, int(at_severity(severity, POWDER)), generator)
    return thickness


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


def _worn(layers: Pixels, generator: np.random.Generator) -> Pixels:
    """Return the thickness of the layers with grain and fine cracks."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    cracks = np.minimum(abs(noise(generator, 10.0, width, height)), abs(noise(generator, 14.0, width, height)))
    wear = 1.0 - 0.35 * (1.0 - smoothstep(cracks, 0.0, 0.12)) + 0.06 * noise(generator, 1.6, width, height)
    wear += 0.1 * noise(generator, 8.0, width, height)
    small = np.clip(wear * LEVEL, 0, 255).astype(np.uint8)
    full = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(layers, full, scale=1 / LEVEL), dtype=np.uint8)


def _shadow(mask: Pixels, blur: float, strength: float) -> Pixels:
    """Return the light that `mask` takes away."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    dense = cv2.convertScaleAbs(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), alpha=2.5)
    offset = np.array([[1.0, 0.0, SHADOW_OFFSET[0] / HALF], [0.0, 1.0, SHADOW_OFFSET[1] / HALF]])
    moved = cv2.warpAffine(dense, offset, (width, height))
    soft = cv2.convertScaleAbs(cv2.GaussianBlur(moved, (0, 0), blur / HALF), alpha=strength)
    return np.asarray(cv2.resize(soft, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _flaky(thickness: Pixels, shade: Pixels, skin: Points) -> Pixels:
    """Return the colour of flakes in the light that shows the skin as it does: thin ones grey, thick ones cream."""
    rise = cv2.GaussianBlur(cv2.LUT(thickness, RISE), (3, 3), 0.8)
    relief = cv2.filter2D(rise, -1, RELIEF, delta=LEVEL)
    tone = cv2.subtract(cv2.addWeighted(cv2.LUT(thickness, TONE), 1.0, relief, 1.0, -LEVEL), shade)
    cream = cv2.LUT(thickness, CREAM)
    channels = (tone, cv2.subtract(tone, cv2.convertScaleAbs(cream, alpha=0.3)), cv2.subtract(tone, cream))
    tint = (skin / skin.mean()) ** TINT
    return np.asarray(cv2.merge([cv2.convertScaleAbs(c, alpha=float(t)) for c, t in zip(channels, tint, strict=True)]))
