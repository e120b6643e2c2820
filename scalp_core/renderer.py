"""Draws one microscope picture of a scalp from its parameters. Knows no file, no label table and no data set.

A frame is layered as the real ones are: what shimmers through the skin (soft, drawn at a quarter of the size), the
surface (mottling, vessels, lace, pustules), the hair, what lies on the hair (plates, gloss), and the camera. Every
layer has its own random stream, so that changing one severity leaves all that belongs to the others in its place
(but oil makes the hairs of a follicle cling together).
The figures are measurements of the public pictures of AI Hub 216 (docs/design/data.md).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.labels import CONDITIONS, Condition

WIDTH, HEIGHT = 640, 480
AREA = WIDTH * HEIGHT

# What is blurred anyway is drawn small and enlarged once: it makes a frame several times cheaper.
SOFT = 4
SOFT_WIDTH, SOFT_HEIGHT = WIDTH // SOFT, HEIGHT // SOFT
HALF = 2

# OpenCV takes polygon corners as whole numbers; four bits behind the point give sub-pixel edges.
SHIFT = 4

# By severity 0–3, read off with np.interp for anything between.
GRADES = (0.0, 1.0, 2.0, 3.0)
HAIR_COVERAGE = (0.164, 0.111, 0.099, 0.057)
HAIR_COVERAGE_SPREAD = 0.018  # less than the .05 measured, or the grades would overlap more than a label allows
HAIR_WIDTH = (7.2, 6.7, 5.8, 5.0)
HAIR_WIDTH_SPREAD = (0.16, 0.22, 0.32, 0.42)  # lognormal; heterogeneity is an early sign of thinning
UNITS = (9.5, 8.0, 6.5, 5.5)
VELLUS_HAIRS = (0.0, 1.0, 4.5, 8.0)
EMPTY_PORES = (0.0, 0.6, 3.0, 6.0)
SCALING_COVERAGE = (0.0, 0.05, 0.12, 0.25)
GLOSS_BLOBS = (2.0, 38.0, 95.0, 190.0)
ERYTHEMA_REDNESS = (0.0, 7.0, 13.0, 20.5)  # at the reddest place; over the frame about +4 / +9 / +17
ERYTHEMA_AREA = (0.2, 0.35, 0.55, 0.8)
PUSTULE_COUNT = (0.0, 1.0, 2.6, 5.4)
VESSELS = (0.0, 3.0, 8.0, 15.0)
DANDRUFF_COVERAGE = (0.0, 0.018, 0.075, 0.28)
DANDRUFF_SIZE = (12.0, 17.0, 30.0, 58.0)  # usual radius of a plate in px

Field = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
Colour = tuple[float, float, float]


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


@dataclass(frozen=True)
class Scene:
    """All that decides a frame apart from chance.

    Attributes:
        severities: 0.0–3.0 for each condition; a label is the nearest whole number.
        direction: where most hairs point, in radians.
    """

    severities: Mapping[Condition, float]
    cast: Cast
    camera: Camera
    direction: float


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


def render(scene: Scene, generator: np.random.Generator) -> Pixels:
    """One frame, (480, 640, 3) RGB. The same scene and generator state give the same pixels."""
    skin, hairs, gloss, flakes, lace, redness, spots, camera = generator.spawn(8)
    level = {condition: float(scene.severities[condition]) for condition in CONDITIONS}
    hair = plan_hair(level[Condition.HAIR_LOSS], scene, hairs)
    pustules = plan_pustules(level[Condition.PUSTULES], hair, spots)
    wet = gloss_mask(level[Condition.EXCESS_SEBUM], hair, gloss)

    colours = soft_colours(scene, hair, pustules, wet, skin, redness)
    vessels = vessel_mask(level[Condition.ERYTHEMA], redness)
    surface = skin_surface(colours, vessels, scene.direction, skin)
    frame = add_lace(surface, level[Condition.FINE_SCALING], hair, lace)
    draw_ticks(frame, scene.direction, skin)
    draw_pores(frame, hair, skin)
    draw_pustules(frame, pustules, spots)
    draw_plugs(frame, level[Condition.EXCESS_SEBUM], hair, gloss)
    above = draw_hair(frame, hair, hairs)
    frame = add_plates(frame, level[Condition.DANDRUFF], above, flakes)
    frame = add_gloss(frame, wet, gloss)
    return photograph(frame, scene.camera, camera)


# --- Chance and geometry --------------------------------------------------------------------------------------------


def _noise(
    generator: np.random.Generator, cell: float, width: int = WIDTH, height: int = HEIGHT, stretch: float = 1.0
) -> Field:
    """Smooth noise of mean 0 and a deviation near 1 with features of `cell` px, `stretch` times as long across."""
    columns, rows = math.ceil(width / (cell * stretch)) + 2, math.ceil(height / cell) + 2
    grid = generator.standard_normal((rows, columns), dtype=np.float32) * np.float32(1.35)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _at(severity: float, by_grade: Sequence[float]) -> float:
    return float(np.interp(severity, GRADES, by_grade))


def _count(expected: float, generator: np.random.Generator) -> int:
    """A whole number that is `expected` on average: rounded up as often as its fraction says."""
    return int(expected + generator.random())


def _smoothstep(field: npt.NDArray[np.floating], low: float, high: float) -> Field:
    ramp = np.clip((field - np.float32(low)) * np.float32(1.0 / (high - low)), 0.0, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), dtype=np.float32)


def _threshold(field: Field, coverage: float) -> float:
    """The value that `coverage` of the field lies above."""
    return float(np.quantile(field[::8, ::8], 1.0 - min(max(coverage, 0.0), 1.0)))


def _corners(points: Points) -> npt.NDArray[np.int32]:
    return np.round(points * (1 << SHIFT)).astype(np.int32)


def _direction(angle: float) -> Points:
    return np.array([math.cos(angle), math.sin(angle)])


def _inside(points: Points, margin: float = 0.0) -> npt.NDArray[np.bool_]:
    x, y = points[..., 0], points[..., 1]
    return np.asarray((x > margin) & (x < WIDTH - margin) & (y > margin) & (y < HEIGHT - margin))


def _scattered(count: int, margin: float, generator: np.random.Generator) -> Points:
    """Points that keep their distance from each other: of some random ones always the loneliest."""
    low, high = np.array([margin, margin]), np.array([WIDTH - margin, HEIGHT - margin])
    points = [generator.uniform(low, high)]
    for _ in range(count - 1):
        candidates = generator.uniform(low, high, (7, 2))
        distances = np.linalg.norm(candidates[:, None] - np.array(points)[None], axis=2).min(axis=1)
        points.append(candidates[int(distances.argmax())])
    return np.array(points)


def _blend(image: Pixels | Field, colour: Colour | Field, alpha: Field) -> None:
    """Lay `colour` over `image` in place."""
    opacity = alpha[..., None]
    mixed = image + (np.asarray(colour, dtype=np.float32) - image) * opacity
    image[...] = mixed


def _blend_spot(
    image: Pixels, centre: Points, radius: float, colour: Colour, opacity: float, hardness: float, squeeze: float = 1.0
) -> None:
    """A round spot with a soft rim: `hardness` 0 fades from the middle, towards 1 the rim is sharp."""
    reach = math.ceil(radius * 1.3) + 1
    left, top = round(float(centre[0])) - reach, round(float(centre[1])) - reach
    right, bottom = min(left + 2 * reach + 1, WIDTH), min(top + 2 * reach + 1, HEIGHT)
    left, top = max(left, 0), max(top, 0)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=np.float32) - np.float32(centre[0])
    y = (np.arange(top, bottom, dtype=np.float32) - np.float32(centre[1])) / np.float32(squeeze)
    distance = np.sqrt(x[None, :] ** 2 + y[:, None] ** 2) / np.float32(radius)
    alpha = np.float32(opacity) * (1.0 - _smoothstep(distance, 0.95 * hardness, 1.25))
    _blend(image[top:bottom, left:right], colour, alpha)


# --- Hair -----------------------------------------------------------------------------------------------------------

# Near black to dark brown, as the centre of a shaft reflects it.
HAIR_COLOURS: tuple[Colour, ...] = ((40, 34, 34), (48, 40, 37), (58, 45, 39), (70, 52, 42), (84, 62, 48))
DYED_COLOURS: tuple[Colour, ...] = ((112, 72, 46), (104, 56, 46), (146, 112, 72))
GREY_COLOURS: tuple[Colour, ...] = ((158, 156, 152), (184, 182, 178), (132, 130, 128))
VELLUS_COLOUR: Colour = (138, 104, 78)
DYED_SHARE, GREY_SHARE = 0.07, 0.08
SMOOTHED_EDGE = 0.8  # px that a filled polygon with smooth edges is wider than its corners say
HALF_A_SHAFT = 900.0  # px by which adding whole shafts overshoots on average
STEPS = 22
ROOT_STEPS = 3  # points within the swollen, darker root
MARGIN = 14.0


def plan_hair(severity: float, scene: Scene, generator: np.random.Generator) -> Hair:
    """Follicles with their shafts, then hairs that cross from outside until the measured coverage is reached."""
    palette = _palette(generator)
    width = _at(severity, HAIR_WIDTH) * math.exp(0.07 * generator.standard_normal())
    coverage = _at(severity, HAIR_COVERAGE) + HAIR_COVERAGE_SPREAD * generator.standard_normal()
    vellus = _vellus_hairs(_at(severity, VELLUS_HAIRS), scene.direction, generator.spawn(1)[0])
    target = AREA * max(0.02, coverage) - sum(map(_covered, vellus)) - HALF_A_SHAFT
    units = max(3, round(_at(severity, UNITS) + generator.normal(0.0, 1.0)))
    empty = _count(_at(severity, EMPTY_PORES), generator)
    clumping = 1.0 - 0.22 * float(scene.severities[Condition.EXCESS_SEBUM])  # oily hairs of a unit stick together
    centres = _scattered(units + empty, MARGIN, generator)
    follicles, shafts, covered = [], [], 0.0
    for number, centre in enumerate(centres):
        angle = scene.direction + 0.16 * generator.standard_normal()
        follicles.append(Follicle(centre, angle, number >= units))
        if number >= units or covered > target:
            continue
        for _ in range(_shafts_of_unit(severity, generator)):
            spread = angle + clumping * 0.13 * generator.standard_normal()
            shaft = _shaft(centre + generator.normal(0, 1.6, 2), spread, width, severity, palette, generator)
            shafts.append(shaft)
            covered += _covered(shaft)
    while covered < target:
        shaft = _visitor(scene.direction, width, severity, palette, generator)
        shafts.append(shaft)
        covered += max(_covered(shaft), 200.0)
    return Hair(tuple(follicles), (*vellus, *shafts))


def _palette(generator: np.random.Generator) -> tuple[Colour, ...]:
    chance = generator.random()
    if chance < DYED_SHARE:
        return (DYED_COLOURS[int(generator.integers(len(DYED_COLOURS)))],)
    base = HAIR_COLOURS[int(generator.integers(len(HAIR_COLOURS)))]
    if chance < DYED_SHARE + GREY_SHARE:
        return (base, *GREY_COLOURS)
    return (base,)


def _shafts_of_unit(severity: float, generator: np.random.Generator) -> int:
    single = _at(severity, (0.12, 0.35, 0.65, 0.9))
    if generator.random() < single:
        return 1
    return 3 if generator.random() < _at(severity, (0.4, 0.25, 0.1, 0.0)) else 2


def _shaft(
    root: Points,
    angle: float,
    width: float,
    severity: float,
    palette: Sequence[Colour],
    generator: np.random.Generator,
) -> Shaft:
    spread = _at(severity, HAIR_WIDTH_SPREAD)
    own = float(np.clip(width * math.exp(spread * generator.standard_normal()), 2.2, 14.0))
    length = generator.uniform(220, 700)
    path = _arc(root, angle, length, generator)
    widths = own * _profile(length)
    tone = generator.uniform(0.85, 1.15)
    red, green, blue = palette[int(generator.integers(len(palette)))]
    return Shaft(path, widths, (red * tone, green * tone, blue * tone), bool(generator.random() < 0.4))


def _along() -> Points:
    """Where the points of a path lie between its root, 0, and its tip, 1: densest at the root."""
    return np.asarray(np.linspace(0.0, 1.0, STEPS) ** 1.7)


def _profile(length: float) -> Points:
    """Relative width along a shaft: a rounded, swollen root and a tapering tip."""
    from_root = _along() * length
    swelling = 1.0 + 0.3 * np.exp(-((from_root / 11.0) ** 2))
    rounding = 0.45 + 0.55 * np.clip(from_root / 3.0, 0, 1)
    tapering = 1.0 - 0.7 * np.clip(_along() - 0.55, 0, 1) / 0.45
    return np.asarray(swelling * rounding * tapering)


def _arc(root: Points, angle: float, length: float, generator: np.random.Generator) -> Points:
    along = _along()
    bend, sway = generator.normal(0, 0.32), generator.normal(0, 0.07)
    angles = angle + bend * along + sway * np.sin(along * generator.uniform(3, 7))
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:-1] * (np.diff(along) * length)[:, None]
    return np.asarray(root + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]))


def _visitor(
    direction: float, width: float, severity: float, palette: Sequence[Colour], generator: np.random.Generator
) -> Shaft:
    """A hair rooted outside the frame; one in six crosses the others."""
    angle = direction + generator.normal(0, 0.28 if generator.random() < 5 / 6 else 1.0)
    across = generator.uniform(-0.46, 0.46) * HEIGHT * _direction(angle + math.pi / 2)
    start = np.array([WIDTH / 2, HEIGHT / 2]) + across - 430.0 * _direction(angle)
    shaft = _shaft(start, angle, width, severity, palette, generator)
    stretched = start + (shaft.path - start) * max(1.0, generator.uniform(600, 900) / 460.0)
    return Shaft(stretched, shaft.widths, shaft.colour, shaft.above)


def _vellus_hairs(expected: float, direction: float, generator: np.random.Generator) -> list[Shaft]:
    """Short, thin, light brown hairs, as follicles make them before they stop."""
    shafts = []
    for _ in range(_count(expected, generator)):
        root = generator.uniform((0, 0), (WIDTH, HEIGHT))
        path = _arc(root, direction + 0.7 * generator.standard_normal(), generator.uniform(45, 130), generator)
        widths = np.linspace(3.0, 1.0, STEPS) * generator.uniform(0.8, 1.1)
        shafts.append(Shaft(path, widths, VELLUS_COLOUR, above=False))
    return shafts


def _covered(shaft: Shaft) -> float:
    """Pixels of the frame that the shaft hides."""
    middles = (shaft.path[1:] + shaft.path[:-1]) / 2
    lengths = np.linalg.norm(np.diff(shaft.path, axis=0), axis=1)
    return float((lengths * (shaft.widths[1:] + SMOOTHED_EDGE))[_inside(middles)].sum())


def draw_hair(frame: Pixels, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Draw all shafts into `frame`; return the mask of those that lie on top of flakes."""
    above = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for shaft in sorted(hair.shafts, key=lambda shaft: shaft.above):
        _draw_shaft(frame, shaft, generator)
        if shaft.above:
            _fill(above, shaft.outline(), (255,))
    return above


def _fill(image: Pixels, outline: Points, colour: tuple[float, ...]) -> None:
    cv2.fillPoly(image, [_corners(outline)], colour, cv2.LINE_AA, SHIFT)


def _draw_shaft(frame: Pixels, shaft: Shaft, generator: np.random.Generator) -> None:
    red, green, blue = shaft.colour
    _fill(frame, shaft.outline(), (red * 0.62, green * 0.62, blue * 0.66))
    # A translucent cylinder is lightest off its axis, on the side of the lamp.
    body = slice(ROOT_STEPS, None)
    _fill(frame, shaft.outline(0.55, 0.07, body), shaft.colour)
    _fill(frame, shaft.outline(0.24, 0.1, body), (red * 1.35 + 14, green * 1.35 + 14, blue * 1.35 + 16))
    if float(shaft.widths.max()) < 3.4:
        return
    shine = tuple(min(255.0, 90.0 + channel * 0.85) for channel in shaft.colour)
    for _ in range(int(generator.integers(2, 5))):
        # The bright line along a shaft is broken into pieces.
        first = int(generator.integers(ROOT_STEPS, STEPS - 3))
        piece = slice(first, min(STEPS, first + int(generator.integers(2, 5))))
        strength = generator.uniform(0.55, 1.0)
        _fill(frame, shaft.outline(0.17, 0.13, piece), tuple(channel * strength for channel in shine))


# --- The skin and what shimmers through it --------------------------------------------------------------------------

_ROWS, _COLUMNS = np.mgrid[0:SOFT_HEIGHT, 0:SOFT_WIDTH].astype(np.float32)
_FROM_CENTRE = np.hypot((_COLUMNS / SOFT_WIDTH - 0.5) * 2, (_ROWS / SOFT_HEIGHT - 0.5) * 2)


def soft_colours(
    scene: Scene,
    hair: Hair,
    pustules: Sequence[Pustule],
    wet: Field,
    generator: np.random.Generator,
    redness_generator: np.random.Generator,
) -> Field:
    """Colour of the skin without detail, (480, 640, 3) float RGB 0–255."""
    lab = np.empty((SOFT_HEIGHT, SOFT_WIDTH, 3), dtype=np.float32)
    shade = 0.65 * _soft_noise(generator, 240) + 0.35 * _soft_noise(generator, 90)
    warmth = 1.0 - _FROM_CENTRE**2 * generator.uniform(0.6, 1.1) + 0.35 * _soft_noise(generator, 160)
    vignette = scene.camera.vignette * np.clip(_FROM_CENTRE - 0.45, 0, None) ** 2
    lab[..., 0] = scene.cast.lightness + generator.normal(0, 1.2) + 2.9 * shade - vignette
    lab[..., 1] = scene.cast.a + generator.normal(0, 1.0) + 1.3 * warmth
    lab[..., 2] = scene.cast.b + generator.normal(0, 1.2) + 2.2 * warmth
    _redden(lab, float(scene.severities[Condition.ERYTHEMA]), redness_generator)
    _add_halos(lab, pustules)
    _shade_under_hair(lab, hair)
    _wet(lab, float(scene.severities[Condition.EXCESS_SEBUM]), wet, generator)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(255.0)
    return np.asarray(cv2.resize(rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _soft_noise(generator: np.random.Generator, cell: float) -> Field:
    return _noise(generator, cell / SOFT, SOFT_WIDTH, SOFT_HEIGHT)


def _redden(lab: Field, severity: float, generator: np.random.Generator) -> None:
    """The diffuse red field between the follicles, with soft borders."""
    field = 0.7 * _soft_noise(generator, 130) + 0.45 * _soft_noise(generator, 48)
    edge = _threshold(field, _at(severity, ERYTHEMA_AREA))
    patches = _smoothstep(field, edge - 1.1, edge + 1.1)
    patches = np.asarray(cv2.GaussianBlur(patches, (0, 0), 5.0), dtype=np.float32)
    redness = _at(severity, ERYTHEMA_REDNESS) * (0.35 + 0.65 * patches)
    lab[..., 1] += redness
    lab[..., 2] += redness * 0.16
    lab[..., 0] -= redness * 0.28


def _add_halos(lab: Field, pustules: Sequence[Pustule]) -> None:
    for pustule in pustules:
        x, y = pustule.centre / SOFT
        spread = pustule.halo / SOFT * 0.62
        glow = np.exp(-((_COLUMNS - np.float32(x)) ** 2 + (_ROWS - np.float32(y)) ** 2) / np.float32(2 * spread**2))
        glow = _smoothstep(np.asarray(glow, dtype=np.float32), 0.0, 0.75)
        lab[..., 1] += 27.0 * glow
        lab[..., 2] += 7.0 * glow
        lab[..., 0] -= 8.0 * glow


def _shade_under_hair(lab: Field, hair: Hair) -> None:
    """The root showing blue-grey through the skin behind each pore, and the shadow that every shaft casts."""
    roots, cast = (np.zeros((SOFT_HEIGHT, SOFT_WIDTH), dtype=np.uint8) for _ in range(2))
    for follicle in hair.follicles:
        behind = follicle.centre - 15.0 * _direction(follicle.angle)
        line = np.stack([behind, follicle.centre]) / SOFT
        strength = 90 if follicle.empty else 230
        cv2.polylines(roots, [_corners(line)], False, (strength,), 3, cv2.LINE_AA, SHIFT)
    for shaft in hair.shafts:
        thickness = max(1, round(float(shaft.widths[0]) / SOFT))
        cv2.polylines(cast, [_corners((shaft.path + 3.5) / SOFT)], False, (150,), thickness, cv2.LINE_AA, SHIFT)
    deep = cv2.GaussianBlur(roots, (0, 0), 1.6).astype(np.float32) / 255.0
    shadow = cv2.GaussianBlur(cast, (0, 0), 1.3).astype(np.float32) / 255.0
    lab[..., 0] -= 20.0 * deep + 13.0 * shadow
    lab[..., 2] -= 8.0 * deep
    lab[..., 1] *= 1.0 - 0.3 * deep


def _wet(lab: Field, severity: float, wet: Field, generator: np.random.Generator) -> None:
    """Oil on the skin: darker, yellower, most about the gloss."""
    film = cv2.GaussianBlur(cv2.resize(wet, (SOFT_WIDTH, SOFT_HEIGHT), interpolation=cv2.INTER_AREA), (0, 0), 5.0)
    patches = _smoothstep(_soft_noise(generator, 110), -0.6, 1.2)
    amount = severity / 3.0
    lab[..., 2] += amount * (3.5 + 4.5 * patches) + 7.0 * film * amount
    lab[..., 0] -= 7.0 * film * amount


def skin_surface(colours: Field, vessels: Field | None, direction: float, generator: np.random.Generator) -> Pixels:
    """Mottling, skin lines and vessels over the soft colours."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    pores = _noise(generator, 6, width, height) * np.float32(0.017) + np.float32(1.0)
    pores += _noise(generator, 2.3, width, height) * np.float32(0.024)
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
    lines = _noise(generator, 2.6, size, size, stretch=2.6)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), -math.degrees(direction) - 90.0, 2.05)
    turn[:, 2] += np.array([WIDTH / 2 - size / 2, HEIGHT / 2 - size / 2])
    turned = cv2.warpAffine(lines, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, dtype=np.float32)


def vessel_mask(severity: float, generator: np.random.Generator) -> Field | None:
    """Thin winding vessels with branches, 0–1; None where there are none."""
    count = _count(_at(severity, VESSELS), generator)
    if not count:
        return None
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for _ in range(count):
        start = generator.uniform((20, 20), (WIDTH - 20, HEIGHT - 20))
        trunk = _winding(start, generator.uniform(0, 2 * math.pi), generator.uniform(40, 110), generator)
        strength = float(generator.uniform(0.55, 1.0) * 255)
        cv2.polylines(mask, [_corners(trunk)], False, (strength,), 2, cv2.LINE_AA, SHIFT)
        for _ in range(int(generator.integers(1, 4))):
            fork = trunk[int(generator.integers(2, len(trunk) - 2))]
            twig = _winding(fork, generator.uniform(0, 2 * math.pi), generator.uniform(20, 50), generator)
            cv2.polylines(mask, [_corners(twig)], False, (strength * 0.8,), 1, cv2.LINE_AA, SHIFT)
    blurred = cv2.GaussianBlur(mask, (3, 3), 0.8)
    return np.asarray(blurred * np.float32(1.0 / 255.0), dtype=np.float32)


def _winding(start: Points, angle: float, length: float, generator: np.random.Generator) -> Points:
    angles = angle + np.cumsum(generator.normal(0, 0.42, 14))
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (length / 14)
    return np.asarray(start + np.cumsum(steps, axis=0))


def draw_ticks(frame: Pixels, direction: float, generator: np.random.Generator) -> None:
    """The many tiny white reflections of the skin's relief, along the skin lines."""
    skin = frame[::16, ::16].reshape(-1, 3).mean(axis=0)
    for strength, count in ((0.35, 260), (0.6, 130), (0.9, 45)):
        amount = int(count * generator.uniform(0.5, 1.3))
        middles = generator.uniform((0, 0), (WIDTH, HEIGHT), (amount, 2))
        angles = direction + math.pi / 2 + 0.35 * generator.standard_normal(amount)
        halves = np.stack([np.cos(angles), np.sin(angles)], axis=1) * generator.uniform(0.5, 2.6, (amount, 1))
        colour = tuple(float(channel) for channel in skin + (252.0 - skin) * strength)
        ends = _corners(np.stack([middles - halves, middles + halves], axis=1))
        cv2.polylines(frame, list(ends), False, colour, 1, cv2.LINE_AA, SHIFT)


def draw_pores(frame: Pixels, hair: Hair, generator: np.random.Generator) -> None:
    """A translucent collar about every follicle; an empty one shows a yellowish, shadowed hole."""
    for follicle in hair.follicles:
        radius = generator.uniform(7.0, 10.0)
        _blend_spot(frame, follicle.centre, radius, (214, 206, 194), 0.22, 0.5)
        if follicle.empty:
            _blend_spot(frame, follicle.centre, radius * 0.72, (122, 96, 76), 0.62, 0.25)
            _blend_spot(frame, follicle.centre - 1.0, 2.4, (72, 56, 50), 0.55, 0.2)


# --- Fine scaling ---------------------------------------------------------------------------------------------------


def add_lace(surface: Pixels, severity: float, hair: Hair, generator: np.random.Generator) -> Pixels:
    """Thin translucent white scales: patches with lifted rims, crack-like lines, collars about the follicles."""
    coverage = _at(severity, SCALING_COVERAGE)
    if coverage < 0.003:
        return surface
    width, height = WIDTH // HALF, HEIGHT // HALF
    near = _near_follicles(hair, width, height)
    field = 0.62 * _noise(generator, 26, width, height) + 0.5 * _noise(generator, 8, width, height)
    field += 0.26 * _noise(generator, 3, width, height) + 0.7 * near
    edge = _threshold(field, coverage)
    patches = _smoothstep(field, edge, edge + 0.28)
    rims = np.exp(-(((field - np.float32(edge)) / np.float32(0.09)) ** 2))
    cracks = _cracks(generator, width, height) * _smoothstep(field, edge - 0.75, edge - 0.1)
    flecks = 0.75 + 0.25 * _noise(generator, 2, width, height)
    alpha = np.clip(0.3 * patches * flecks + 0.46 * rims + 0.42 * cracks, 0.0, 0.78)
    full = cv2.resize(alpha, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return _overlay(surface, (243.0, 243.0, 243.0), np.asarray(full, dtype=np.float32))


def _cracks(generator: np.random.Generator, width: int, height: int) -> Field:
    """A net of thin lines: where two smooth noises change sign."""
    lines = np.minimum(abs(_noise(generator, 11, width, height)), abs(_noise(generator, 7, width, height)) * 1.3)
    return np.asarray(1.0 - _smoothstep(lines, 0.02, 0.14), dtype=np.float32)


def _near_follicles(hair: Hair, width: int, height: int) -> Field:
    mask = np.zeros((height // 2, width // 2), dtype=np.uint8)
    for follicle in hair.follicles:
        centre = _corners(follicle.centre / (2 * HALF))
        cv2.circle(mask, (int(centre[0]), int(centre[1])), 4 << SHIFT, (255,), 2, cv2.LINE_AA, SHIFT)
    blurred = cv2.GaussianBlur(mask, (0, 0), 1.2)
    return np.asarray(cv2.resize(blurred, (width, height)) * np.float32(1 / 255.0), dtype=np.float32)


# --- Sebum ----------------------------------------------------------------------------------------------------------


def gloss_mask(severity: float, hair: Hair, generator: np.random.Generator) -> Field:
    """Wet highlights, 0–1 at half size: blobs that flow together, droplets at pores and along shafts."""
    mask = np.zeros((HEIGHT // HALF, WIDTH // HALF), dtype=np.uint8)
    pools = generator.uniform((40, 40), (WIDTH - 40, HEIGHT - 40), (7, 2))
    for _ in range(_count(_at(severity, GLOSS_BLOBS), generator)):
        centre = _gloss_place(hair, pools, generator)
        radius = 2.6 + generator.gamma(1.7, 1.2 + 0.35 * severity)
        for _ in range(int(generator.integers(1, 3))):
            part = _corners((centre + generator.normal(0, radius * 0.8, 2)) / HALF)
            reach = int(radius * generator.uniform(0.5, 1.0) / HALF * (1 << SHIFT))
            cv2.circle(mask, (int(part[0]), int(part[1])), reach, (255,), -1, cv2.LINE_AA, SHIFT)
    blurred = cv2.GaussianBlur(mask, (0, 0), 2.0).astype(np.float32) / 255.0
    return _smoothstep(blurred, 0.06, 0.95)


def _gloss_place(hair: Hair, pools: Points, generator: np.random.Generator) -> Points:
    chance = generator.random()
    if chance < 0.4:
        follicle = hair.follicles[int(generator.integers(len(hair.follicles)))]
        return np.asarray(follicle.centre + generator.normal(0, 13, 2))
    if chance < 0.6 and hair.shafts:
        shaft = hair.shafts[int(generator.integers(len(hair.shafts)))]
        return np.asarray(shaft.path[int(generator.integers(STEPS // 2))] + generator.normal(0, 4, 2))
    return np.asarray(pools[int(generator.integers(len(pools)))] + generator.normal(0, 64, 2))


def draw_plugs(frame: Pixels, severity: float, hair: Hair, generator: np.random.Generator) -> None:
    """Waxy yellow plugs in the pores of an oily scalp."""
    share = _at(severity, (0.0, 0.1, 0.45, 0.85))
    for follicle in hair.follicles:
        plugged, radius = generator.random() < share, generator.uniform(5.5, 10.5)
        if plugged:
            place = follicle.centre + generator.normal(0, 2.0, 2)
            _blend_spot(frame, place, radius, (216, 190, 122), 0.62, 0.45, generator.uniform(0.7, 1.2))
            _blend_spot(frame, place - 1.8, radius * 0.45, (244, 232, 190), 0.6, 0.3)


def add_gloss(frame: Pixels, wet: Field, generator: np.random.Generator) -> Pixels:
    if float(wet.max()) < 0.05:
        return frame
    # A veil with a bright heart that breaks over the relief: what tells gloss from scale is that it has no edge.
    relief = 0.86 + 0.3 * _noise(generator, 3.0, WIDTH // HALF, HEIGHT // HALF)
    alpha = 0.36 * wet + 0.62 * _smoothstep(wet * relief, 0.4, 1.0)
    full = cv2.resize(alpha, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return _overlay(frame, (255.0, 251.0, 234.0), np.asarray(full, dtype=np.float32))


def _overlay(frame: Pixels, colour: Colour, alpha: Field) -> Pixels:
    """`colour` over the whole frame, in whole numbers: cheaper than floats where alpha is mostly 0."""
    mixed = cv2.blendLinear(_plain(colour), frame, alpha, np.float32(1.0) - alpha)
    return np.asarray(mixed, dtype=np.uint8)


@lru_cache(maxsize=8)
def _plain(colour: Colour) -> Pixels:
    return np.full((HEIGHT, WIDTH, 3), colour, dtype=np.uint8)


# --- Pustules -------------------------------------------------------------------------------------------------------


def plan_pustules(severity: float, hair: Hair, generator: np.random.Generator) -> tuple[Pustule, ...]:
    """One halo at grade 1, two or three at 2, more with heads and crusts at 3, each centred on a follicle."""
    order = generator.permutation(len(hair.follicles))
    ready = [hair.follicles[int(number)].centre for number in order]
    places = [place for place in ready if bool(_inside(place, 30))] or [np.array([WIDTH / 2, HEIGHT / 2])]
    wanted = round(_at(severity, PUSTULE_COUNT) + generator.uniform(-0.3, 0.3))
    count = 0 if severity < 0.5 else max(1, wanted)
    head_share = _at(severity, (0.0, 0.5, 0.7, 0.85))
    pustules = []
    for place in places[:count]:
        halo = generator.uniform(19.0, 24.0) + 2.0 * severity
        dome = generator.uniform(5.0, 8.5) + 1.3 * severity if generator.random() < head_share else 0.0
        crust = bool(generator.random() < _at(severity, (0.0, 0.0, 0.15, 0.4)))
        pustules.append(Pustule(place + generator.normal(0, 3.0, 2), halo, dome, crust))
    return tuple(pustules)


def draw_pustules(frame: Pixels, pustules: Sequence[Pustule], generator: np.random.Generator) -> None:
    for pustule in pustules:
        if pustule.dome:
            _draw_dome(frame, pustule, generator)
        if pustule.crust:
            place = pustule.centre + generator.normal(0, pustule.halo * 0.4, 2)
            outline = _ragged(place, generator.uniform(5, 9), generator)
            _fill(frame, outline + 1.2, (92, 52, 40))
            _fill(frame, outline, (168, 116, 66))


def _draw_dome(frame: Pixels, pustule: Pustule, generator: np.random.Generator) -> None:
    squeeze = generator.uniform(0.85, 1.15)
    _blend_spot(frame, pustule.centre, pustule.dome * 1.18, (176, 92, 78), 0.6, 0.6, squeeze)
    _blend_spot(frame, pustule.centre, pustule.dome, (228, 208, 142), 0.9, 0.6, squeeze)
    _blend_spot(frame, pustule.centre - pustule.dome * 0.15, pustule.dome * 0.6, (246, 238, 200), 0.8, 0.1, squeeze)
    _blend_spot(frame, pustule.centre - pustule.dome * 0.35, 1.8, (255, 255, 252), 0.95, 0.3)


# --- Dandruff -------------------------------------------------------------------------------------------------------


def _ragged(centre: Points, radius: float, generator: np.random.Generator) -> Points:
    """A polygon with sharp irregular edges."""
    corners = int(generator.integers(14, 26))
    angles = np.sort(generator.uniform(0, 2 * math.pi, corners))
    twofold, threefold = generator.uniform(0, 2 * math.pi, 2)
    lobes = 1.0 + 0.28 * np.cos(2 * angles + twofold) + 0.16 * np.cos(3 * angles + threefold)
    radii = radius * lobes * generator.uniform(0.7, 1.15, corners)
    return np.asarray(centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None])


def add_plates(frame: Pixels, severity: float, above: Pixels, generator: np.random.Generator) -> Pixels:
    """Opaque cream plates with a relief and a shadow, under the shafts of the mask `above`."""
    coverage = _at(severity, DANDRUFF_COVERAGE) * math.exp(0.18 * generator.standard_normal())
    thickness = _plates(coverage, _at(severity, DANDRUFF_SIZE), generator)
    if thickness is None:
        return frame
    width, height = WIDTH // HALF, HEIGHT // HALF
    crumbs = 10.0 * _noise(generator, 1.7, width, height) + 16.0 * _noise(generator, 6.5, width, height)
    body = thickness.astype(np.float32) + cv2.resize(crumbs, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    # Light from the upper left: what rises towards it is bright, what falls away is dark.
    relief = cv2.filter2D(cv2.GaussianBlur(body, (3, 3), 0.8), -1, np.array([[-1, 0, 0], [0, 0, 0], [0, 0, 1]]) * -0.55)
    tone = np.clip(150.0 + 0.33 * body + relief, 90.0, 252.0).astype(np.uint8)
    cream = cv2.merge([tone, cv2.convertScaleAbs(tone, alpha=0.975), cv2.convertScaleAbs(tone, alpha=0.915)])
    present = cv2.threshold(thickness, 50, 255, cv2.THRESH_BINARY)[1]
    free = np.float32(1.0) - above.astype(np.float32) * np.float32(1 / 255.0)
    opacity = cv2.GaussianBlur(present, (3, 3), 0.6).astype(np.float32) * np.float32(0.95 / 255.0) * free
    shadow = cv2.GaussianBlur(present, (0, 0), 2.5).astype(np.float32) * np.float32(0.42 / 255.0)
    shadow = cv2.warpAffine(shadow, np.array([[1.0, 0, 3.0], [0, 1, 4.0]]), (WIDTH, HEIGHT)) * free
    darker = _overlay(frame, (40.0, 32.0, 30.0), np.asarray(shadow * (1.0 - opacity), dtype=np.float32))
    return np.asarray(cv2.blendLinear(cream, darker, opacity, np.float32(1.0) - opacity), dtype=np.uint8)


def _plates(coverage: float, size: float, generator: np.random.Generator) -> Pixels | None:
    """Thickness of the flakes, 0 where there are none; None for a clean frame."""
    thickness = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    if coverage * AREA < 60.0:
        return None
    nests = generator.uniform((0, 0), (WIDTH, HEIGHT), (4, 2))
    covered = 0
    for _ in range(400):
        centre = nests[int(generator.integers(len(nests)))] + generator.normal(0, 95, 2)
        radius = float(np.clip(size * math.exp(0.5 * generator.standard_normal()), 6.0, 76.0))
        if not bool(_inside(centre)):
            continue
        outline = _ragged(centre, radius, generator)
        _fill(thickness, outline, (float(generator.uniform(110, 190)),))
        _fill(thickness, centre + (outline - centre) * 0.6 + generator.normal(0, 2, 2), (generator.uniform(140, 230),))
        covered += int(math.pi * radius**2)
        if covered > coverage * AREA and cv2.countNonZero(thickness) > coverage * AREA:
            break
    return _frayed(thickness, generator)


def _frayed(thickness: Pixels, generator: np.random.Generator) -> Pixels:
    """The plates with crumbling instead of straight edges: every pixel is fetched from somewhere near."""
    width, height = WIDTH // HALF, HEIGHT // HALF
    shifts = [6.0 * _noise(generator, 16, width, height) + 2.6 * _noise(generator, 4, width, height) for _ in range(2)]
    across, down = (cv2.resize(shift, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) for shift in shifts)
    across = across + np.arange(WIDTH, dtype=np.float32)[None, :]
    down = down + np.arange(HEIGHT, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(thickness, across, down, cv2.INTER_LINEAR), dtype=np.uint8)


# --- The camera -----------------------------------------------------------------------------------------------------

BUBBLES_SHARE, BLUR_SHARE, FRONT_HAIR_SHARE = 0.08, 0.15, 0.08
NOISE_MIDDLE = 24


def photograph(frame: Pixels, camera: Camera, generator: np.random.Generator) -> Pixels:
    """What optics and electronics add whatever the scalp is like: bubbles, blur, noise, white balance."""
    if generator.random() < BUBBLES_SHARE:
        _draw_bubbles(frame, generator)
    if generator.random() < FRONT_HAIR_SHARE:
        _draw_front_hair(frame, generator)
    blur = generator.uniform(1.2, 1.9) if generator.random() < BLUR_SHARE else generator.uniform(0.7, 1.05)
    frame = np.asarray(cv2.GaussianBlur(frame, (7, 7), blur), dtype=np.uint8)
    noise = np.frombuffer(generator.bytes(frame.size), dtype=np.uint8).reshape(frame.shape)
    shifted = cv2.add(frame, cv2.LUT(noise, _noise_table(camera.noise)))
    frame = np.asarray(cv2.subtract(shifted, _plain((NOISE_MIDDLE,) * 3)), dtype=np.uint8)
    levels = (np.arange(256) / 255.0) ** camera.gamma * 255.0
    curve = np.clip(levels[:, None] * np.array(camera.gains), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(frame, curve[None]), dtype=np.uint8)


@lru_cache(maxsize=64)
def _noise_table(deviation: float) -> Pixels:
    """What turns random bytes into normal noise about NOISE_MIDDLE: far cheaper than drawing normal numbers."""
    normal = NormalDist(NOISE_MIDDLE, deviation)
    levels = [normal.inv_cdf((byte + 0.5) / 256) for byte in range(256)]
    return np.asarray(np.clip(np.round(levels), 0, 2 * NOISE_MIDDLE), dtype=np.uint8)


def _draw_bubbles(frame: Pixels, generator: np.random.Generator) -> None:
    for _ in range(int(generator.integers(1, 5))):
        centre, radius = generator.uniform((0, 0), (WIDTH, HEIGHT)), generator.uniform(6, 20)
        _blend_spot(frame, centre, radius, (226, 230, 230), 0.3, 0.85)
        _blend_spot(frame, centre, radius * 0.82, (120, 112, 108), 0.28, 0.7)
        _blend_spot(frame, centre - radius * 0.4, radius * 0.16 + 1.0, (255, 255, 255), 0.9, 0.3)


def _draw_front_hair(frame: Pixels, generator: np.random.Generator) -> None:
    """A hair between lens and skin, out of focus."""
    mask = np.zeros((SOFT_HEIGHT, SOFT_WIDTH), dtype=np.uint8)
    angle = generator.uniform(0, 2 * math.pi)
    start = np.array([WIDTH / 2, HEIGHT / 2]) - 450.0 * _direction(angle) + generator.normal(0, 130, 2)
    path = _arc(start, angle, 950.0, generator)
    cv2.polylines(mask, [_corners(path / SOFT)], False, (255,), 3, cv2.LINE_AA, SHIFT)
    soft = cv2.GaussianBlur(mask, (0, 0), generator.uniform(1.2, 2.2)).astype(np.float32) * np.float32(0.6 / 255.0)
    alpha = np.asarray(cv2.resize(soft, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    frame[...] = _overlay(frame, (60.0, 50.0, 46.0), alpha)
