"""Pictures that show no scalp, drawn without any object in mind, for the gate to tell scalps from.

Half of them have colours of their own; the others have mean and spread of L*, a*, b* of a scalp picture, so that the
gate learns to look at structure as well. No kind of the benchmark (benchmarks/not_scalp_drawing.py) is among them.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.images import STATS_SIDE, Pixels
from scalp_core.inference.gate_variation import smooth_noise

Floats = npt.NDArray[np.float32]
Draw = Callable[[np.random.Generator], Floats]

_WIDTH, _HEIGHT = STATS_SIDE, STATS_SIDE * 3 // 4
_SCALES = 6  # octaves of noise
_OWN_COLOURS = 0.5  # share of the drawn pictures


def background_picture(scalp: Pixels, generator: np.random.Generator) -> Pixels:
    """Return a picture (120, 160, 3) of no scalp.

    Args:
        scalp: (h, w, 3), whose colours it may take on, or whose parts it may be made of.
    """
    small = np.asarray(cv2.resize(scalp, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    kind = int(generator.integers(len(_DRAWN) + len(_MADE_OF_SCALPS)))
    if kind < len(_DRAWN):
        structure = _standardised(_DRAWN[kind](generator))
        if generator.random() < _OWN_COLOURS:
            return _noisy(_in_own_colours(structure, generator), generator)
        picture = 128 + 30 * structure
    else:
        picture = _MADE_OF_SCALPS[kind - len(_DRAWN)](small, generator)
    return _noisy(_in_colours_of(picture, small, generator), generator)


# ---- drawn structures ----


def _cloudy(generator: np.random.Generator) -> Floats:
    """Draw noise of every size, perhaps drawn out in one direction."""
    picture = np.zeros((_HEIGHT, _WIDTH, 3), dtype=np.float32)
    slope, aspect, angle = generator.uniform(0.3, 1.6), np.exp(generator.normal(0, 0.8)), generator.uniform(0, 180)
    for octave in range(_SCALES):
        cell = 2 ** (octave + 0.5)
        grey, *channels = (_turned(_smooth(cell, generator, aspect), angle) for _ in range(4))
        coloured = grey[..., None] + generator.uniform(0, 0.7) * np.stack(channels, axis=-1)
        picture += np.float32(cell**slope * generator.lognormal(0, 0.5)) * coloured
    return picture


def _overlapping(generator: np.random.Generator) -> Floats:
    """Draw discs or polygons of all sizes, one over the other (dead leaves)."""
    picture = np.zeros((_HEIGHT, _WIDTH, 3), dtype=np.float32)
    count, least = min(1500, int(generator.lognormal(4.5, 1))), generator.uniform(1.5, 6)
    angular, elongation = generator.random() < 0.5, generator.uniform(0, 1.2)
    for _ in range(count):
        radius = least * (generator.pareto(1.6) + 1)
        centre = generator.uniform((-10, -10), (_WIDTH + 10, _HEIGHT + 10))
        colour = _colour(generator)
        if angular:
            _polygon(picture, centre, radius, colour, generator)
        else:
            longer = radius * np.exp(elongation * abs(generator.normal()))
            _ellipse(picture, centre, (longer, radius), generator.uniform(0, 180), colour)
    picture += np.float32(generator.uniform(0, 0.4) / 20) * _cloudy(generator)
    return _blurred(picture, generator.uniform(0.4, 1.5))


def _strokes(generator: np.random.Generator) -> Floats:
    """Draw short strokes, in one direction or in all."""
    picture = np.ones((_HEIGHT, _WIDTH, 3), dtype=np.float32) * generator.normal(0, 1, 3).astype(np.float32)
    length, direction = generator.uniform(4, 40), generator.uniform(0, np.pi)
    spread, colour = generator.uniform(0.1, 2), generator.normal(0, 1, 3)
    for _ in range(int(generator.integers(200, 1500))):
        angle = direction + generator.normal() * spread
        step = length * generator.uniform(0.5, 1.5) * np.array([np.cos(angle), np.sin(angle)])
        start = generator.uniform((0, 0), (_WIDTH, _HEIGHT))
        own = colour * generator.uniform(0.4, 1.4) + generator.normal(0, 0.2, 3)
        _line(picture, start, start + step, own, int(generator.integers(1, 3)))
    return _blurred(picture, generator.uniform(0.3, 1.2))


def _periodic(generator: np.random.Generator) -> Floats:
    """Draw stripes and grids, straight or warped."""
    down, across = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
    period, angle = generator.uniform(0.6, 6), generator.uniform(0, np.pi)
    first = across * np.cos(angle) + down * np.sin(angle)
    second = down * np.cos(angle) - across * np.sin(angle)
    warp = generator.uniform(0, 3) * _smooth(40, generator)
    grid = np.sin(first / period + warp) * generator.uniform(0, 1)
    grid += np.sin(second / period * generator.uniform(0.5, 2) + warp) * generator.uniform(0, 1)
    shade = generator.uniform(0, 2) * _smooth(generator.uniform(20, 80), generator)
    grain = generator.uniform(0, 0.3) * generator.normal(size=(_HEIGHT, _WIDTH, 1))
    coloured = grid[..., None] * generator.normal(1, 0.2, 3) + shade[..., None] * generator.normal(1, 0.3, 3)
    return np.asarray(coloured + grain, dtype=np.float32)


def _arranged(generator: np.random.Generator) -> Floats:
    """Draw a few large shapes over a slow gradient."""
    slow = np.stack([_smooth(generator.uniform(40, 120), generator) for _ in range(3)], axis=-1)
    picture = np.ascontiguousarray(slow * np.float32(generator.uniform(0, 0.6)))
    for _ in range(int(generator.integers(1, 14))):
        colour, kind = _colour(generator), int(generator.integers(3))
        start, size = generator.uniform((-20, -20), (_WIDTH, _HEIGHT)), generator.uniform(5, 90, 2)
        if kind == 0:
            cv2.rectangle(picture, _point(start), _point(start + size), colour.tolist(), -1)
        elif kind == 1:
            _ellipse(picture, start, (size[0] / 2, size[1] / 2), generator.uniform(0, 180), colour)
        else:
            _line(picture, start, start + generator.normal(0, 60, 2), colour, int(generator.integers(1, 8)))
    texture = _cloudy(generator)
    rough = np.float32(generator.uniform(0, 0.3)) * texture / texture.std()
    return np.asarray(_blurred(picture, generator.uniform(0.3, 2.5)) + rough, dtype=np.float32)


_DRAWN: tuple[Draw, ...] = (_cloudy, _overlapping, _strokes, _periodic, _arranged, _overlapping)


# ---- scalps taken apart ----


def _scrambled(scalp: Pixels, generator: np.random.Generator) -> Floats:
    """Give the spectrum of a scalp phases of noise: its contrast at every size stays, without its lines."""
    spectrum = np.fft.fft2(scalp.astype(np.float32), axes=(0, 1))
    phases = np.angle(np.fft.fft2(generator.normal(size=scalp.shape[:2])))[..., None]
    return np.asarray(np.real(np.fft.ifft2(spectrum * np.exp(1j * phases), axes=(0, 1))), dtype=np.float32)


def _shuffled(scalp: Pixels, generator: np.random.Generator) -> Floats:
    """Turn small squares of a scalp and put them elsewhere."""
    side = int(generator.integers(6, 30))
    picture = scalp.copy()
    for _ in range(3 * (_HEIGHT // side) * (_WIDTH // side)):
        (top, left), (other, beside) = generator.integers((_HEIGHT - side, _WIDTH - side), size=(2, 2))
        square = scalp[other : other + side, beside : beside + side]
        picture[top : top + side, left : left + side] = np.rot90(square, int(generator.integers(4)))
    return _blurred(picture.astype(np.float32), generator.uniform(0.3, 1))


_MADE_OF_SCALPS = (_scrambled, _shuffled)


# ---- colours ----


def _standardised(picture: Floats) -> Floats:
    deviation = picture.std(axis=(0, 1)) + 1e-3
    return np.asarray((picture - picture.mean(axis=(0, 1))) / deviation, dtype=np.float32)


def _in_own_colours(structure: Floats, generator: np.random.Generator) -> Floats:
    middle = 128 + generator.normal(0, 22, 3) + generator.normal(0, 35)
    return np.asarray(np.clip(middle + structure * generator.lognormal(3.3, 0.6), 0, 255), dtype=np.float32)


def _in_colours_of(picture: Floats, scalp: Pixels, generator: np.random.Generator) -> Floats:
    """Give the picture mean and, about, deviation of L*, a* and b* of the scalp."""
    lab, wanted = (
        cv2.cvtColor(np.clip(values, 0, 255).astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for values in (picture, scalp)
    )
    deviation = wanted.std(axis=(0, 1)) * generator.lognormal(0, 0.3)
    moved = _standardised(np.asarray(lab, dtype=np.float32)) * deviation + wanted.mean(axis=(0, 1))
    rgb = cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.asarray(255 * np.clip(rgb, 0, 1), dtype=np.float32)


def _noisy(picture: Floats, generator: np.random.Generator) -> Pixels:
    noise = generator.normal(0, generator.uniform(0, 3), picture.shape[:2])[..., None]
    return np.asarray(np.clip(np.round(picture + noise), 0, 255), dtype=np.uint8)


def _colour(generator: np.random.Generator) -> npt.NDArray[np.float64]:
    return 0.6 * generator.normal(0, 1, 3) + generator.normal()


# ---- shapes ----


def _smooth(cell: float, generator: np.random.Generator, aspect: float = 1.0) -> Floats:
    """Return `smooth_noise` over a whole picture, with a node at both ends of each cell."""
    return smooth_noise((_HEIGHT, _WIDTH), cell, generator, aspect, further_nodes=1)


def _turned(field: Floats, degrees: float) -> Floats:
    """Turn a field (h, w) about its middle; enlarged first, so that no corner is empty."""
    size = (2 * _WIDTH, 2 * _HEIGHT)
    turn = cv2.getRotationMatrix2D((_WIDTH, _HEIGHT), degrees, 1)
    turned = cv2.warpAffine(cv2.resize(field, size), turn, size, borderMode=cv2.BORDER_REFLECT)
    top, left = _HEIGHT // 2, _WIDTH // 2
    return np.asarray(turned[top : top + _HEIGHT, left : left + _WIDTH], dtype=np.float32)


def _blurred(picture: Floats, deviation: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation), dtype=np.float32)


def _point(place: npt.NDArray[np.float64]) -> tuple[int, int]:
    return int(place[0]), int(place[1])


def _line(
    picture: Floats,
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    colour: npt.NDArray[np.float64],
    width: int,
) -> None:
    cv2.line(picture, _point(start), _point(end), colour.tolist(), width)


def _ellipse(
    picture: Floats,
    centre: npt.NDArray[np.float64],
    axes: tuple[float, float],
    degrees: float,
    colour: npt.NDArray[np.float64],
) -> None:
    whole = (max(1, int(axes[0])), max(1, int(axes[1])))
    cv2.ellipse(picture, _point(centre), whole, degrees, 0, 360, colour.tolist(), -1)


def _polygon(
    picture: Floats,
    centre: npt.NDArray[np.float64],
    radius: float,
    colour: npt.NDArray[np.float64],
    generator: np.random.Generator,
) -> None:
    angles = np.sort(generator.uniform(0, 2 * np.pi, int(generator.integers(3, 7))))
    corners = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cv2.fillPoly(picture, [corners.astype(np.int32)], colour.tolist())
