"""One hair as pixels: a translucent cylinder with a broken reflection, its root sinking into the skin.

A hair is a gentle arc, so every line of pixels across its main direction cuts it once. The pixels of all these cuts are
the only ones ever touched, and each knows how far off the axis and how far from the root it lies.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.synthetic.drawing.canvas import HEIGHT, WIDTH, Colour, Field, Pixels, Points, noise, smoothstep
from scalp_core.synthetic.drawing.scene import Shaft

BURIED = 15  # px of the root that are seen through the skin
ROUND_ROOT = 0.45  # how blunt its end is: 1 is half a circle, less is longer
UNDER_SKIN: Colour = (64.0, 66.0, 76.0)  # skin scatters blue light back over what lies in it
BLUR_UNDER_SKIN = 2.6  # px by which edges are softer there
EDGE_TONE = 0.7  # a cylinder is darkest at its rim, where light leaves it sideways
LAMP: Colour = (206.0, 219.0, 216.0)
LINE, GLOSS = 0.52, 0.18  # most of it that the bright line and the broad gloss reflect
LINE_WIDTH, THINNEST_LINE = 0.8, 1.6  # in half widths, but at least so many px
DULLEST = 0.12  # share of the bright line that is left between its beads
SHEEN_OFF_AXIS = 0.16  # in half widths, towards the lamp
MAX_LENGTH = 2048  # px that the grains of hair reach
GRAINS = 8  # different ones in a frame; no two hairs begin at the same place of one
REGROWTH_EDGE = 25.0  # px over which a dye ends
END = 4  # px behind the tip where it has faded

Index = npt.NDArray[np.int32]


def grains(generator: np.random.Generator) -> Field:
    """Return variations along hairs, (GRAINS, 4, MAX_LENGTH): tone, bright line, broad gloss, wandering of the line."""
    slow, middle, short, fine = (noise(generator, 1.0, MAX_LENGTH, GRAINS, cell) for cell in (90.0, 38.0, 14.0, 5.0))
    tone = np.float32(1.0) + np.float32(0.10) * slow + np.float32(0.06) * fine
    beads = smoothstep(slow + np.float32(0.6) * middle + np.float32(0.5) * short + np.float32(0.4) * fine, -1.4, 2.4)
    line = np.float32(DULLEST) + np.float32(1.0 - DULLEST) * beads
    gloss = smoothstep(slow[::-1] + np.float32(0.4) * middle, -0.6, 1.8)
    wander = np.float32(SHEEN_OFF_AXIS) + np.float32(0.07) * middle[::-1]
    return np.stack([tone, LINE * line, GLOSS * gloss, wander], axis=1)


def draw_strand(frame: Pixels, shaft: Shaft, grain: Field, shine: float) -> tuple[Index, Field]:
    """Draw a hair into the frame; return the flat places of its pixels and how opaque it is there."""
    index, across, place = _strip(shaft)
    if len(index) == 0:
        return index, across
    first, end = max(int(place.min()), 0), int(min(place.max(), BURIED + shaft.along[-1] + END)) + 1
    table = _lengthwise(shaft, grain, shine, first, end)
    rim, edge, clear, depth, inverse_half, *grain_here = np.take(table, place - first, axis=1, mode="clip")
    opacity = (np.clip(rim - abs(across) * edge, 0.0, 1.0) * clear)[:, None]
    own, lamp = _light(across * inverse_half, grain_here)
    shares, colours = [own, lamp, depth], [shaft.colour, LAMP, UNDER_SKIN]
    if shaft.regrown > 0.0:
        dyed = smoothstep(place.astype(np.float32), shaft.regrown - REGROWTH_EDGE, shaft.regrown + REGROWTH_EDGE)
        shares, colours = [own * (1.0 - dyed), own * dyed, lamp, depth], [shaft.root_colour, *colours]
    mixed = cv2.transform(cv2.merge([share[:, None] for share in shares]), np.array(colours, dtype=np.float32).T)
    flat = frame.reshape(-1, 1, 3)
    flat[index] = cv2.blendLinear(cv2.convertScaleAbs(mixed), flat[index], opacity, np.float32(1.0) - opacity)
    return index, opacity[:, 0]


def _strip(shaft: Shaft) -> tuple[Index, Field, Index]:
    """Return the pixels near a shaft: their flat places, distance off its axis, and distance along it from BURIED."""
    main = int(np.argmin(abs(shaft.path[-1] - shaft.path[0]))) ^ 1
    size, size_across = (WIDTH, HEIGHT) if main == 0 else (HEIGHT, WIDTH)
    knots, others = _knots(shaft, main)
    lines = np.arange(max(0, int(knots[0])), min(size - 1, int(knots[-1])) + 1, dtype=np.int32)
    middle, half, travelled, upright, skew = (np.interp(lines, knots, values).astype(np.float32) for values in others)
    reach = (half + 0.75 * shaft.edge) / np.maximum(upright, 0.3)
    seen = (middle > -reach) & (middle < size_across + reach)
    lines, first = lines[seen, None], np.floor(middle[seen] - reach[seen]).astype(np.int32)
    places = first[:, None] + np.arange(int(2 * np.max(reach, initial=0.0)) + 3, dtype=np.int32)
    offset = places.astype(np.float32) - middle[seen, None]
    near = np.flatnonzero((abs(offset) < reach[seen, None]) & (places >= 0) & (places < size_across))
    index = places + lines * WIDTH if main else places * WIDTH + lines
    across = np.asarray(offset * upright[seen, None], dtype=np.float32)
    along = offset * skew[seen, None] + (travelled[seen, None] + np.float32(BURIED))
    return index.take(near).astype(np.int32), across.take(near), along.take(near).astype(np.int32)


def _knots(shaft: Shaft, main: int) -> tuple[Points, list[Points]]:
    """Return knots along the axis `main`, upwards: place of the shaft, half width, distance from root, direction."""
    forward = np.stack([shaft.normals[:, 1], -shaft.normals[:, 0]], axis=1)
    path = np.concatenate([shaft.path[:1] - forward[:1] * BURIED, shaft.path, shaft.path[-1:] + forward[-1:] * END])
    along = np.concatenate([[-BURIED], shaft.along, shaft.along[-1:] + END])
    half, forward = (np.concatenate([ends[:1], ends, ends[-1:]]) for ends in (shaft.widths / 2, forward))
    columns = [path[:, main], path[:, 1 - main], half, along, abs(forward[:, main]), forward[:, 1 - main]]
    if path[-1, main] < path[0, main]:
        columns = [column[::-1] for column in columns]
    return np.maximum.accumulate(columns[0]), columns[1:]


def _lengthwise(shaft: Shaft, grain: Field, shine: float, first: int, end: int) -> Field:
    """Return all that depends only on the distance from the root, one column a px from BURIED behind it,
    those from `first` up to `end`:

    half width in edges, 1 / edge, opacity, share of skin before it, 1 / half width, tone, bright line, gloss, and the
    line's place and 1 / its width.
    """
    length = float(shaft.along[-1])
    along = np.arange(first - BURIED, end - BURIED, dtype=np.float32)
    depth = smoothstep(-along, -3.0, BURIED)
    half = np.interp(along, shaft.along, shaft.widths / 2).astype(np.float32)
    edge = np.float32(1.0) / (np.float32(shaft.edge) + np.float32(BLUR_UNDER_SKIN) * depth)
    sunk = np.square(np.minimum(along, 0.0) * np.float32(ROUND_ROOT))
    rim = 0.5 + np.sqrt(np.maximum(half * half - sunk, 0.0)) * edge
    clear = np.clip((length - along) * edge + 0.5, 0.0, 1.0) * (1.0 - depth) * shaft.opacity
    tone, line, gloss, wander = grain[:, first:end]
    # A thin hair is too narrow to show a line, and a root is dull.
    seen = smoothstep(half, 1.2, 3.0) * smoothstep(along, 4.0, 26.0) * shine
    narrow = np.maximum(LINE_WIDTH, THINNEST_LINE / half)
    rows = [rim, edge, clear, depth, 1 / half, tone * (1.0 - depth), line * seen, gloss * seen, wander, 1 / narrow]
    return np.stack(rows).astype(np.float32)


def _light(across: Field, grain: Sequence[Field]) -> tuple[Field, Field]:
    """Return the shares of the hair's own colour and of the lamp's in each pixel; `across` in half widths."""
    tone, line, gloss, wander, narrow = grain
    off_axis = across - wander
    lamp = line * _bump(off_axis * narrow) + gloss * _bump(off_axis)
    cylinder = np.float32(EDGE_TONE) + np.float32(1.0 - EDGE_TONE) * _bump(across * np.float32(0.9))
    return np.asarray(tone * cylinder * (1.0 - lamp), dtype=np.float32), np.asarray(lamp, dtype=np.float32)


def _bump(x: Field) -> Field:
    """Return a bump: 1 in the middle, 0 from ±1 on."""
    return np.asarray(np.square(np.clip(1.0 - x * x, 0.0, None)), dtype=np.float32)
