"""What decides a frame, and the things that several layers speak of: hairs, follicles, pustules."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalp_core.drawing.canvas import Colour, Points
from scalp_core.labels import Condition


@dataclass(frozen=True)
class Cast:
    """The colour of the skin as one kind of light and camera shows it, in CIE L*a*b*."""

    name: str
    lightness: float
    a: float
    b: float


CASTS: tuple[Cast, ...] = (
    Cast("teal", 65.0, -9.5, 0.5),
    Cast("blue-grey", 64.0, 0.5, -1.5),
    Cast("yellow", 67.0, 1.5, 13.0),
    Cast("apricot", 66.0, 7.0, 12.0),
    Cast("pink", 63.5, 10.5, 5.0),
)


@dataclass(frozen=True)
class Camera:
    """What one device at one site does to every picture.

    Attributes:
        gains: factor for red, green and blue (the white balance).
        gamma: exponent of the tone curve.
        noise: standard deviation of a channel in grey levels.
        vignette: lightness lost in the corners, in L*.
    """

    gains: Colour = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    noise: float = 3.0
    vignette: float = 5.0


# What may be in a picture whatever its labels are, and how often it is (docs/design/synthetic.md).
CONFUSERS = {
    "bubbles": 0.07,
    "motion": 0.04,
    "defocus": 0.06,
    "dye": 0.04,
    "blood": 0.04,
    "over_exposed": 0.05,
    "front_hair": 0.07,
    "full_of_hair": 0.03,
}
# Near black to dark brown for most heads; dyed, and black with white or grey hairs between for some.
HAIR_COLOURS = {"black": 0.34, "dark_brown": 0.34, "brown": 0.23, "dyed": 0.04, "grey": 0.05}


@dataclass(frozen=True)
class Scene:
    """All that decides a frame apart from chance.

    Attributes:
        severities: 0.0–3.0 for each condition; a label is the nearest whole number.
        direction: where most hairs point, in radians.
        hair: one of HAIR_COLOURS.
        confusers: some of CONFUSERS.
    """

    severities: Mapping[Condition, float]
    cast: Cast
    camera: Camera
    direction: float
    hair: str = "black"
    confusers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Shaft:
    """One hair: points along it from the root, its width at each, its colour, and whether it lies on the flakes."""

    path: Points
    widths: Points
    colour: Colour
    above: bool

    @cached_property
    def normals(self) -> Points:
        """Unit vectors across the shaft, one a point."""
        steps = np.empty_like(self.path)
        steps[1:-1] = self.path[2:] - self.path[:-2]
        steps[0], steps[-1] = self.path[1] - self.path[0], self.path[-1] - self.path[-2]
        steps /= np.sqrt((steps**2).sum(axis=1, keepdims=True))
        return np.stack([-steps[:, 1], steps[:, 0]], axis=1)

    def outline(self, width: float = 1.0, offset: float = 0.0, part: slice = slice(None)) -> Points:
        """The polygon about a part of the shaft; `width` and `offset` to the side are shares of the shaft's width."""
        across = self.normals[part] * self.widths[part, None]
        middle, half = self.path[part] + across * offset, across * (width / 2)
        return np.concatenate([middle + half, (middle - half)[::-1]])


@dataclass(frozen=True)
class Follicle:
    """A pore at `centre`; `angle` is where its hairs lean. Empty ones have lost theirs."""

    centre: Points
    angle: float
    empty: bool = False


@dataclass(frozen=True)
class Hair:
    follicles: tuple[Follicle, ...]
    shafts: tuple[Shaft, ...]


@dataclass(frozen=True)
class Pustule:
    """A red halo about a follicle; `dome` is the radius of the white-yellow head, 0 where there is none."""

    centre: Points
    halo: float
    dome: float
    crust: bool
