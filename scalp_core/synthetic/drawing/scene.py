"""The parameters of a frame, and the parts that several layers share: hairs, follicles, pustules."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalp_core.labels import Condition
from scalp_core.synthetic.drawing.canvas import Colour, Points


@dataclass(frozen=True)
class Cast:
    """The colour of the skin as a lamp and a camera show it, in CIE L*a*b*."""

    name: str
    lightness: float
    a: float
    b: float


# Five casts at the borders of what occurs, for sheets and checks; a dataset draws its own ones from a distribution.
CASTS: tuple[Cast, ...] = (
    Cast("teal", 66.0, -9.0, 1.0),
    Cast("blue-grey", 65.5, -0.5, 0.2),
    Cast("yellow", 68.5, 2.5, 13.0),
    Cast("apricot", 67.5, 8.5, 11.5),
    Cast("pink", 65.5, 12.5, 4.5),
)


@dataclass(frozen=True)
class Camera:
    """The effect of one device at one site on every picture.

    Attributes:
        gains: factor for red, green and blue (the white balance).
        gamma: exponent of the tone curve.
        noise: standard deviation in grey levels, before the device smooths it.
        blur: px that a point is smeared at best focus.
        sharpening: how much the device overdoes edges afterwards, 0 for not at all.
        black: red, green and blue of what sends no light back.
        white: red, green and blue of what is too bright.
        quality: of the JPEG that the device writes.
    """

    gains: Colour = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    noise: float = 3.0
    blur: float = 0.9
    sharpening: float = 0.3
    black: Colour = (22.0, 25.0, 12.0)
    white: Colour = (235.0, 245.0, 244.0)
    quality: int = 95


# What may be in a picture whatever its labels are, and how often it is (docs/design/synthetic.md).
CONFUSERS = {
    "bubbles": 0.07,
    "motion": 0.04,
    "defocus": 0.06,
    "dye": 0.04,
    "blood": 0.04,
    "over_exposed": 0.01,
    "front_hair": 0.07,
    "full_of_hair": 0.03,
}
# Near black to dark brown for most heads; dyed, and black with white or blond hairs between for some.
HAIR_COLOURS = {"black": 0.32, "dark_brown": 0.31, "brown": 0.20, "dyed": 0.04, "grey": 0.13}


@dataclass(frozen=True)
class Scene:
    """All that decides a frame apart from chance.

    Attributes:
        severities: 0.0–3.0 for each condition; the grade is the nearest whole number.
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
    """One hair.

    Attributes:
        path: points along it from the root.
        widths: its width at each of them, px.
        above: whether it lies on the flakes.
        edge: px over which its rim fades; more where it is out of focus.
        regrown: px from the root that have not been dyed and still are `root_colour`.
    """

    path: Points
    widths: Points
    colour: Colour
    above: bool
    edge: float = 1.6
    opacity: float = 1.0
    regrown: float = 0.0
    root_colour: Colour = (0.0, 0.0, 0.0)

    @cached_property
    def along(self) -> Points:
        """Return the distance of each point from the root along the shaft, in px."""
        steps = np.linalg.norm(np.diff(self.path, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @cached_property
    def normals(self) -> Points:
        """Return unit vectors across the shaft, one a point."""
        steps = np.empty_like(self.path)
        steps[1:-1] = self.path[2:] - self.path[:-2]
        steps[0], steps[-1] = self.path[1] - self.path[0], self.path[-1] - self.path[-2]
        steps /= np.sqrt((steps**2).sum(axis=1, keepdims=True))
        return np.stack([-steps[:, 1], steps[:, 0]], axis=1)

    def outline(self, trim: float = 0.0) -> Points:
        """Return the polygon about the shaft, `trim` px narrower than it is."""
        half = self.normals * (np.maximum(self.widths - trim, 0.0)[:, None] / 2)
        return np.concatenate([self.path + half, (self.path - half)[::-1]])


@dataclass(frozen=True)
class Follicle:
    """A pore at `centre`; `angle` is where its hairs lean. Empty ones have lost theirs.

    The root is seen through the skin over `root` px, and `collar`, 0–1, is how white a rim the pore has.
    """

    centre: Points
    angle: float
    empty: bool = False
    root: float = 30.0
    collar: float = 0.5


@dataclass(frozen=True)
class Hair:
    follicles: tuple[Follicle, ...]
    shafts: tuple[Shaft, ...]


@dataclass(frozen=True)
class Pustule:
    """An inflamed follicle.

    Attributes:
        centre: the follicle.
        halo: radius of the red halo about it.
        redness: share, 0–1, of what a fully inflamed one shows.
        head: middle of the droplet.
        dome: radius of the droplet, 0 where there is none.
        crust: whether dried secretion lies on it.
        phases: two angles that decide how it differs from a circle.
        clear: whether the droplet is a clear lens; otherwise it is a white-yellow dome.
    """

    centre: Points
    halo: float
    redness: float
    head: Points
    dome: float
    crust: bool
    phases: Points
    clear: bool
