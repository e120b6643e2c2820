"""Sizes, smooth noise, soft spots and filled outlines that the layers of a frame share.

OpenCV draws it all: smooth-edged polygons with sub-pixel corners, blurs and look-up tables, on 8-bit pictures.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 640, 480
AREA = WIDTH * HEIGHT

# What is blurred anyway is drawn small and enlarged once: it makes a frame several times cheaper.
SOFT = 4
SOFT_WIDTH, SOFT_HEIGHT = WIDTH // SOFT, HEIGHT // SOFT
HALF = 2

# OpenCV takes polygon corners as whole numbers; four bits behind the point give sub-pixel edges.
SHIFT = 4

# Standard deviation of the nodes of `noise`: what lies between them is their mean, and so weaker.
NODE_DEVIATION = 1.35

# By severity 0–3, read off with np.interp for anything between.
GRADES = (0.0, 1.0, 2.0, 3.0)

Field = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
Colour = tuple[float, float, float]

ROWS, COLUMNS = np.mgrid[0:SOFT_HEIGHT, 0:SOFT_WIDTH].astype(np.float32)


def noise(
    generator: np.random.Generator,
    cell: float,
    width: int = WIDTH,
    height: int = HEIGHT,
    stretch: float = 1.0,
    node_deviation: float = NODE_DEVIATION,
) -> Field:
    """Return smooth noise of mean 0 and deviation near 1 with features of `cell` px, `stretch` times as long across."""
    columns, rows = math.ceil(width / (cell * stretch)) + 2, math.ceil(height / cell) + 2
    grid = generator.standard_normal((rows, columns), dtype=np.float32) * np.float32(node_deviation)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def soft_noise(generator: np.random.Generator, cell: float) -> Field:
    return noise(generator, cell / SOFT, SOFT_WIDTH, SOFT_HEIGHT)


def at_severity(severity: float, by_grade: Sequence[float]) -> float:
    return float(np.interp(severity, GRADES, by_grade))


def whole(expected: float, generator: np.random.Generator) -> int:
    """Return a whole number that is `expected` on average: rounded up as often as its fraction says."""
    return int(expected + generator.random())


def smoothstep(field: npt.NDArray[np.floating], low: float, high: float) -> Field:
    ramp = np.clip((field - np.float32(low)) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), dtype=np.float32)


def threshold(field: Field, coverage: float) -> float:
    """Return the value that `coverage` of the field lies above."""
    return float(np.quantile(field[::8, ::8], 1.0 - min(max(coverage, 0.0), 1.0)))


def corners(points: Points) -> npt.NDArray[np.int32]:
    return np.round(points * (1 << SHIFT)).astype(np.int32)


def direction_of(angle: float) -> Points:
    return np.array([math.cos(angle), math.sin(angle)])


def inside(points: Points, margin: float = 0.0) -> npt.NDArray[np.bool_]:
    x, y = points[..., 0], points[..., 1]
    return np.asarray((x > margin) & (x < WIDTH - margin) & (y > margin) & (y < HEIGHT - margin))


def scattered(count: int, margin: float, generator: np.random.Generator) -> Points:
    """Return points that keep their distance from each other: of some random ones always the loneliest."""
    low, high = np.array([margin, margin]), np.array([WIDTH - margin, HEIGHT - margin])
    points = [generator.uniform(low, high)]
    for _ in range(count - 1):
        candidates = generator.uniform(low, high, (7, 2))
        distances = np.linalg.norm(candidates[:, None] - np.array(points)[None], axis=2).min(axis=1)
        points.append(candidates[int(distances.argmax())])
    return np.array(points)


def blend(image: Pixels | Field, colour: Colour | Field, alpha: Field) -> None:
    """Lay `colour` over `image` in place."""
    opacity = alpha[..., None]
    mixed = image + (np.asarray(colour, dtype=np.float32) - image) * opacity
    image[...] = mixed


def blend_spot(
    image: Pixels, centre: Points, radius: float, colour: Colour, opacity: float, hardness: float, squeeze: float = 1.0
) -> None:
    """Blend a round spot with a soft rim: `hardness` 0 fades from the middle, towards 1 the rim is sharp."""
    reach = math.ceil(radius * 1.3) + 1
    left, top = round(float(centre[0])) - reach, round(float(centre[1])) - reach
    right, bottom = min(left + 2 * reach + 1, WIDTH), min(top + 2 * reach + 1, HEIGHT)
    left, top = max(left, 0), max(top, 0)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=np.float32) - np.float32(centre[0])
    y = (np.arange(top, bottom, dtype=np.float32) - np.float32(centre[1])) / np.float32(squeeze)
    distance = np.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / np.float32(radius)
    alpha = np.float32(opacity) * (1.0 - smoothstep(distance, 0.95 * hardness, 1.25))
    blend(image[top:bottom, left:right], colour, alpha)


def overlay(frame: Pixels, colour: Colour, opacity: cv2.typing.MatLike) -> Pixels:
    """Return the frame under `colour`, as opaque as `opacity` of 0–255; whole numbers are four times cheaper."""
    own = cv2.merge([cv2.convertScaleAbs(opacity, alpha=share / 255.0) for share in colour])
    return np.asarray(cv2.add(_under(frame, opacity), own), dtype=np.uint8)


def overlay_picture(frame: Pixels, picture: cv2.typing.MatLike, opacity: cv2.typing.MatLike) -> Pixels:
    """Return the frame under a picture of its size, as opaque as `opacity` of 0–255."""
    own = cv2.multiply(picture, cv2.merge([opacity] * 3), scale=1 / 255.0)
    return np.asarray(cv2.add(_under(frame, opacity), own), dtype=np.uint8)


def _under(frame: Pixels, opacity: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Return what is left of the frame under `opacity`."""
    return cv2.multiply(frame, cv2.merge([cv2.bitwise_not(opacity)] * 3), scale=1 / 255.0)


def fill(image: Pixels, outline: Points, colour: tuple[float, ...]) -> None:
    cv2.fillPoly(image, [corners(outline)], colour, cv2.LINE_AA, SHIFT)


def ragged(centre: Points, radius: float, generator: np.random.Generator) -> Points:
    """Return a polygon with sharp irregular edges."""
    corners = int(generator.integers(14, 26))
    angles = np.sort(generator.uniform(0, 2 * math.pi, corners))
    twofold, threefold = generator.uniform(0, 2 * math.pi, 2)
    lobes = 1.0 + 0.28 * np.cos(2 * angles + twofold) + 0.16 * np.cos(3 * angles + threefold)
    radii = radius * lobes * generator.uniform(0.7, 1.15, corners)
    return np.asarray(centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None])


def window(centre: Points, reach: float, width: int, height: int) -> tuple[slice, slice, Field, Field]:
    """Return the rows and columns within `reach` of a point, and the distances of their pixels across and down."""
    left, top = (max(0, math.floor(float(middle) - reach)) for middle in centre)
    right, bottom = (max(0, math.ceil(float(middle) + reach) + 1) for middle in centre)
    rows, columns = slice(top, min(bottom, height)), slice(left, min(right, width))
    y, x = np.mgrid[rows, columns].astype(np.float32)
    return rows, columns, x - np.float32(centre[0]), y - np.float32(centre[1])
