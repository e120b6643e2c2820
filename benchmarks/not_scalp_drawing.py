"""Rendered pictures that show no scalp: faces, pets, documents, skin of other places, noise and more.

They measure how many such pictures the gate flags. No person was photographed; the renderings are simple, and prove
nothing about photographs.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.labels import CONDITIONS
from scalp_core.synthetic.drawing import canvas
from scalp_core.synthetic.drawing.camera import photograph
from scalp_core.synthetic.drawing.erythema import plan_redness, redden
from scalp_core.synthetic.drawing.glints import draw_glints
from scalp_core.synthetic.drawing.scene import CASTS, Camera, Hair, Scene
from scalp_core.synthetic.drawing.skin import skin_surface, soft_skin

Pixels = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Chance = np.random.Generator
Colour = tuple[float, float, float]
Draw = Callable[[Chance], Pixels]

WIDTH, HEIGHT = 960, 720
# Sizes that cameras and phones write; a fifth of the pictures is held upright.
SIZES = ((640, 480), (800, 600), (960, 720), (1280, 960))
UPRIGHT_SHARE = 0.2
NODE_DEVIATION = 1.3  # of noise; another one would draw other pictures than those that the gate was measured on
JPEG_QUALITIES = (75, 96)
SKIN_TONES: tuple[Colour, ...] = (
    *((244, 214, 196), (233, 190, 163), (224, 172, 134), (198, 142, 105), (160, 108, 77), (118, 77, 54)),
    *((82, 54, 40), (238, 196, 182)),
)
# Skin as the lamps of scalp cameras show it.
LAMPS: tuple[Colour, ...] = ((140, 166, 159), (158, 159, 159), (180, 164, 143), (186, 157, 143), (183, 149, 152))
HAIR: tuple[Colour, ...] = ((28, 24, 24), (62, 42, 32), (110, 76, 48), (196, 160, 96), (150, 150, 152), (140, 52, 36))
FURS: tuple[Colour, ...] = (
    *((60, 54, 50), (122, 98, 74), (188, 142, 92), (222, 206, 182), (150, 146, 142), (90, 60, 40), (240, 236, 228)),
)


def draw(kind: str, seed: int) -> bytes:
    """Render one picture of that kind (see KINDS) as a JPEG file; the same seed renders the same file."""
    chance = np.random.default_rng([*map(ord, kind), seed])
    frame = KINDS[kind](chance)
    finished = frame if kind in PHOTOGRAPHED else _photographed(frame, chance)
    return encoded(finished, int(chance.integers(*JPEG_QUALITIES)))


def drawing_of(kind_and_seed: tuple[str, int]) -> tuple[str, int, bytes]:
    """Return kind, seed and file: workers send them back in any order."""
    return *kind_and_seed, draw(*kind_and_seed)


def in_colours_of(data: bytes, other: bytes) -> bytes:
    """Give a picture the mean and deviation of lightness and both colours of another one (Reinhard et al. 2001).

    Its content stays: only more than light and colours still tells it from the other.
    """
    lab, wanted = (_lab(opened(file)) for file in (data, other))
    moved = (lab - lab.mean(axis=(0, 1))) / np.maximum(lab.std(axis=(0, 1)), 1.0)
    moved = moved * wanted.std(axis=(0, 1)) + wanted.mean(axis=(0, 1))
    return encoded(_whole(255 * cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_Lab2RGB)), 90)


def _lab(frame: npt.NDArray[np.uint8]) -> Field:
    return np.asarray(cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), dtype=np.float32)


def _photographed(frame: Pixels, chance: Chance) -> Pixels:
    """Add a camera's traces: size, white balance, a dark rim, focus and noise."""
    width, height = SIZES[int(chance.integers(len(SIZES)))]
    if chance.random() < UPRIGHT_SHARE:
        aside = (WIDTH - HEIGHT * 3 // 4) // 2
        frame, width, height = np.ascontiguousarray(frame[:, aside:-aside]), height, width
    blur = chance.uniform(0.3, 1.1)
    small = cv2.GaussianBlur(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), (0, 0), blur)
    gains = chance.normal(1.0, 0.03, 3) * chance.uniform(0.85, 1.1)
    rim = 1.0 - chance.uniform(0.0, 0.3) * _from_centre(width, height)[..., None] ** 2 / 2
    grain = chance.standard_normal(small.shape, dtype=np.float32) * chance.uniform(1.0, 4.0)
    return _whole(small * gains * rim + grain)


def encoded(frame: Pixels, quality: int) -> bytes:
    """Encode an RGB frame as a JPEG file."""
    return cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def opened(data: bytes) -> Pixels:
    """Decode a file to an RGB frame."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


# ---- shared by the renderings ----


def _whole(values: npt.NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.round(values), 0, 255), dtype=np.uint8)


def _one_of(choices: Sequence[Colour], chance: Chance, spread: float = 5.0) -> Colour:
    """Pick one of these colours, a little varied."""
    colour = np.array(choices[int(chance.integers(len(choices)))]) + chance.normal(0, spread, 3)
    red, green, blue = np.clip(colour, 0, 255).tolist()
    return red, green, blue


def _any_colour(chance: Chance, low: float = 0, high: float = 255) -> Colour:
    """Seldom as bright as paint: most things are closer to grey."""
    pure = chance.uniform(low, high, 3)
    red, green, blue = (pure.mean() + chance.uniform(0.1, 1) ** 1.5 * (pure - pure.mean())).tolist()
    return red, green, blue


def _lighter(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255.0, max(0.0, channel * factor)) for channel in colour)
    return red, green, blue


def _plain(colour: Colour) -> Pixels:
    return np.full((HEIGHT, WIDTH, 3), np.round(colour), dtype=np.uint8)


def _smooth(chance: Chance, cell: float, stretch: float = 1.0) -> Field:
    """Noise over a whole picture, see `canvas.noise`."""
    return canvas.noise(chance, cell, WIDTH, HEIGHT, stretch, NODE_DEVIATION)


def _turned(field: Field, degrees: float) -> Field:
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1.5)
    return np.asarray(cv2.warpAffine(field, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), dtype=np.float32)


def _from_centre(width: int, height: int) -> Field:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.asarray(np.hypot(x, y), dtype=np.float32)


def _shaded(frame: Pixels, shade: Field) -> Pixels:
    """Lighter and darker by `shade`, in shares of the light."""
    return _whole(frame * (1.0 + shade[..., None]))


def _gradient(chance: Chance) -> Pixels:
    """From one colour to another, straight or round."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    angle = chance.uniform(0, 2 * math.pi)
    along = x * math.cos(angle) + y * math.sin(angle) if chance.random() < 0.6 else 2 * np.hypot(x, y) - 1.4
    share = np.clip(along / 2.8 + 0.5, 0, 1)[..., None]
    return _whole(np.array(_any_colour(chance)) * share + np.array(_any_colour(chance)) * (1 - share))


def _ellipse(
    frame: Pixels, centre: Sequence[float], radii: Sequence[float], colour: Colour, angle: float = 0.0
) -> None:
    middle, axes = [round(16 * value) for value in centre], [max(1, round(16 * value)) for value in radii]
    cv2.ellipse(frame, middle, axes, angle, 0, 360, colour, -1, cv2.LINE_AA, 4)


def _polygon(frame: Pixels, corners: Sequence[Sequence[float]], colour: Colour) -> None:
    cv2.fillPoly(frame, [np.round(np.array(corners) * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def _curve(frame: Pixels, points: Points, colour: Colour, width: int) -> None:
    cv2.polylines(frame, [np.round(points * 16).astype(np.int32)], False, colour, max(1, width), cv2.LINE_AA, 4)


def _arc(start: Points, angle: float, length: float, bend: float, steps: int = 9) -> Points:
    """A bent line from `start`."""
    angles = angle + bend * np.linspace(0, 1, steps)
    moves = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / steps
    return np.asarray(start + np.concatenate([[[0.0, 0.0]], np.cumsum(moves, axis=0)]))


def _strokes(
    frame: Pixels, places: Points, angles: npt.NDArray[np.floating], length: float, colour: Colour, chance: Chance
) -> None:
    """Many short hairs, blades or threads, each a little lighter or darker."""
    for place, angle in zip(places, angles, strict=True):
        tone = _lighter(colour, chance.uniform(0.6, 1.35))
        path = _arc(place, angle + chance.normal(0, 0.15), length * chance.uniform(0.6, 1.3), chance.normal(0, 0.5), 5)
        _curve(frame, path, tone, int(chance.integers(1, 3)))


def _scattered(count: int, chance: Chance) -> Points:
    return chance.uniform((-10, -10), (WIDTH + 10, HEIGHT + 10), (count, 2))


# ---- faces ----


def face(chance: Chance) -> Pixels:
    """A cartoon head with shoulders before a wall, from a bust to a close look."""
    frame = _shaded(_gradient(chance), 0.05 * _smooth(chance, 60))
    size = chance.uniform(0.28, 0.62) * HEIGHT
    middle = np.array([WIDTH * chance.uniform(0.35, 0.65), HEIGHT * chance.uniform(0.42, 0.58)])
    skin, hair = _one_of(SKIN_TONES, chance), _one_of(HAIR, chance)
    long_hair = chance.random() < 0.5
    _ellipse(frame, middle - np.array([0, 0.16 * size]), (0.86 * size, (1.25 if long_hair else 0.98) * size), hair)
    _ellipse(frame, middle + np.array([0, 1.75 * size]), (1.5 * size, 0.85 * size), _any_colour(chance))
    _polygon(frame, [middle + np.array(p) * size for p in _NECK], _lighter(skin, 0.85))
    for side in (-1, 1):
        _ellipse(
            frame, middle + np.array([side * 0.74 * size, 0.05 * size]), (0.12 * size, 0.2 * size), _lighter(skin, 0.9)
        )
    _ellipse(frame, middle, (0.74 * size, 0.97 * size), skin)
    frame = _modelled(frame, middle, size, chance)
    _fringe(frame, middle, size, hair, chance)
    for side in (-1, 1):
        _eye(frame, middle + np.array([side * 0.3 * size, -0.08 * size]), 0.14 * size, hair, chance)
    _nose_and_mouth(frame, middle, size, skin, chance)
    return frame


_NECK = ((-0.35, 0.7), (0.35, 0.7), (0.42, 1.4), (-0.42, 1.4))


def _modelled(frame: Pixels, middle: Points, size: float, chance: Chance) -> Pixels:
    """Light from one side, red cheeks and the unevenness of skin."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    side = (x - middle[0]) / (2.5 * size) * chance.choice([-1, 1]) - (y - middle[1]) / (5 * size)
    shade = 0.25 * np.clip(side, -1, 1) + 0.015 * _smooth(chance, 6) + 0.02 * _smooth(chance, 40)
    lit = _shaded(frame, shade.astype(np.float32)).astype(np.float32)
    for cheek in (-0.42, 0.42):
        far = ((x - middle[0] - cheek * size) ** 2 + (y - middle[1] - 0.25 * size) ** 2) / (0.25 * size) ** 2
        lit -= np.exp(-far)[..., None] * np.array([0, 22, 18]) * chance.uniform(0.3, 1.2)
    return _whole(lit)


def _fringe(frame: Pixels, middle: Points, size: float, hair: Colour, chance: Chance) -> None:
    """The hair above the brow, strand by strand."""
    for x in np.linspace(-0.72, 0.72, 160):
        start = middle + np.array([x, -math.sqrt(max(0.0, 1 - (x / 0.8) ** 2)) * 1.05]) * size
        path = _arc(start, math.pi / 2 + chance.normal(0, 0.3), chance.uniform(0.2, 0.5) * size, chance.normal(0, 0.4))
        _curve(frame, path, _lighter(hair, chance.uniform(0.6, 1.5)), int(chance.integers(2, 7)))


def _eye(frame: Pixels, centre: Points, radius: float, hair: Colour, chance: Chance) -> None:
    iris = _one_of(((70, 48, 34), (90, 120, 150), (88, 110, 70), (40, 30, 26)), chance)
    _ellipse(frame, centre, (radius, 0.55 * radius), (238, 236, 232))
    _ellipse(frame, centre, (0.48 * radius, 0.48 * radius), iris)
    _ellipse(frame, centre, (0.22 * radius, 0.22 * radius), (12, 10, 10))
    _ellipse(frame, centre - (0.12 * radius, 0.14 * radius), (0.08 * radius, 0.08 * radius), (250, 250, 250))
    lid = _arc(centre - (1.05 * radius, -0.05 * radius), -0.75, 2.3 * radius, 1.5)
    _curve(frame, lid, _lighter(hair, 0.6), round(0.13 * radius))
    brow = _arc(centre - (1.1 * radius, 0.75 * radius), -0.45, 2.4 * radius, 0.9)
    _curve(frame, brow, hair, round(0.25 * radius))


def _nose_and_mouth(frame: Pixels, middle: Points, size: float, skin: Colour, chance: Chance) -> None:
    nose = middle + np.array([[-0.05, 0.0], [-0.12, 0.28], [0.0, 0.34], [0.12, 0.28]]) * size
    _curve(frame, nose, _lighter(skin, 0.72), round(0.03 * size))
    for side in (-0.06, 0.06):
        _ellipse(frame, middle + np.array([side * size, 0.3 * size]), (0.03 * size, 0.02 * size), _lighter(skin, 0.45))
    lips = (min(255.0, skin[0] * 0.9), skin[1] * 0.55, skin[2] * 0.6)
    wide = chance.uniform(0.2, 0.32)
    _ellipse(frame, middle + np.array([0, 0.55 * size]), (wide * size, 0.07 * size), lips)
    _curve(
        frame,
        _arc(middle + np.array([-wide, 0.54]) * size, 0.25, 2 * wide * size, -0.5),
        _lighter(lips, 0.6),
        round(0.02 * size),
    )


# ---- pets ----


def cat(chance: Chance) -> Pixels:
    """The head of a cat: pointed ears, slit pupils, stripes, whiskers, fur hair by hair."""
    frame, middle, size, fur = _pet(chance)
    for side in (-1, 1):
        ear = [(side * 0.85, -0.45), (side * 0.72, -1.35), (side * 0.18, -0.85)]
        _polygon(frame, [middle + np.array(p) * size for p in ear], fur)
        inner = [(side * 0.72, -0.6), (side * 0.67, -1.15), (side * 0.35, -0.85)]
        _polygon(frame, [middle + np.array(p) * size for p in inner], (214, 160, 150))
    _ellipse(frame, middle, (0.95 * size, 0.85 * size), fur)
    _furry(frame, middle, size, fur, chance)
    if chance.random() < 0.6:
        for x in (-0.3, 0.0, 0.3):
            _curve(
                frame, middle + np.array([[x, -0.75], [0.8 * x, -0.4]]) * size, _lighter(fur, 0.5), round(0.08 * size)
            )
    eyes = _one_of(((190, 180, 60), (110, 160, 80), (90, 150, 180), (200, 130, 40)), chance)
    for side in (-0.38, 0.38):
        centre = middle + np.array([side, -0.12]) * size
        _ellipse(frame, centre, (0.2 * size, 0.17 * size), eyes)
        _ellipse(frame, centre, (chance.uniform(0.03, 0.1) * size, 0.16 * size), (14, 12, 12))
        _ellipse(frame, centre - (0.05 * size, 0.05 * size), (0.03 * size, 0.03 * size), (250, 250, 250))
    _muzzle(frame, middle, size, (210, 130, 130), chance)
    for side in (-1, 1):
        for lift in (-0.25, -0.05, 0.15):
            start = middle + np.array([side * 0.25, 0.35 + lift / 3]) * size
            _curve(frame, _arc(start, (0 if side > 0 else math.pi) + lift, size, 0.2 * side), (240, 240, 238), 2)
    return frame


def dog(chance: Chance) -> Pixels:
    """The head of a dog: hanging ears, a long muzzle, perhaps its tongue, fur hair by hair."""
    frame, middle, size, fur = _pet(chance)
    _ellipse(frame, middle, (0.8 * size, 0.95 * size), fur)
    ears = _lighter(fur, chance.uniform(0.5, 0.9))
    for side in (-1, 1):
        _ellipse(frame, middle + np.array([side * 0.82 * size, 0]), (0.28 * size, 0.72 * size), ears, -side * 12)
    _furry(frame, middle, size, fur, chance)
    for side in (-0.34, 0.34):
        centre = middle + np.array([side, -0.22]) * size
        _ellipse(frame, centre, (0.13 * size, 0.13 * size), (60, 38, 24))
        _ellipse(frame, centre - (0.04 * size, 0.04 * size), (0.03 * size, 0.03 * size), (250, 250, 250))
    _ellipse(frame, middle + np.array([0, 0.4 * size]), (0.42 * size, 0.38 * size), _lighter(fur, 1.2))
    if chance.random() < 0.5:
        _ellipse(frame, middle + np.array([0, 0.85 * size]), (0.15 * size, 0.3 * size), (222, 110, 116))
    _muzzle(frame, middle, 1.6 * size, (26, 22, 22), chance)
    return frame


def fur(chance: Chance) -> Pixels:
    """The coat of a pet from near: nothing but hair."""
    colour = _one_of(FURS, chance)
    frame = _shaded(_plain(_lighter(colour, 0.7)), 0.15 * _smooth(chance, 120))
    places = _scattered(3500, chance)
    swirl = _smooth(chance, 300)
    rows, columns = (np.clip(places[:, axis].astype(int), 0, limit - 1) for axis, limit in ((1, HEIGHT), (0, WIDTH)))
    angles = chance.uniform(0, 2 * math.pi) + 0.5 * swirl[rows, columns]
    _strokes(frame, places, angles, chance.uniform(40, 110), colour, chance)
    return frame


def _pet(chance: Chance) -> tuple[Pixels, Points, float, Colour]:
    """A floor or a sofa, and where before it how large a head of which colour sits."""
    ground = fabric(chance) if chance.random() < 0.5 else _gradient(chance)
    middle = np.array([WIDTH * chance.uniform(0.35, 0.65), HEIGHT * chance.uniform(0.5, 0.65)])
    size, colour = chance.uniform(0.28, 0.5) * HEIGHT, _one_of(FURS, chance)
    _ellipse(ground, middle + np.array([0, 1.4 * size]), (1.1 * size, size), _lighter(colour, 0.85))
    return ground, middle, size, colour


def _furry(frame: Pixels, middle: Points, size: float, colour: Colour, chance: Chance) -> None:
    radius, turn = np.sqrt(chance.random(1800)), chance.uniform(0, 2 * math.pi, 1800)
    outwards = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius[:, None]
    _strokes(frame, middle + outwards * (0.95 * size, 0.9 * size), turn, 0.16 * size, colour, chance)


def _muzzle(frame: Pixels, middle: Points, size: float, nose: Colour, chance: Chance) -> None:
    tip = middle + np.array([0, 0.16]) * size
    _polygon(frame, [tip + np.array(p) * size for p in ((-0.1, 0), (0.1, 0), (0, 0.12))], nose)
    for side in (-1, 1):
        path = _arc(
            tip + np.array([0, 0.12 * size]), math.pi / 2 - side * 0.2, 0.3 * size, -side * chance.uniform(0.8, 1.6)
        )
        _curve(frame, path, (40, 30, 30), round(0.02 * size))


# ---- documents ----


def document(chance: Chance) -> Pixels:
    """A page of text, a form or table, or a screen; photographed a little askew, perhaps in a shadow."""
    dark = chance.random() < 0.2
    paper = _any_colour(chance, 16, 60) if dark else _any_colour(chance, 215, 255)
    ink = _any_colour(chance, 170, 250) if dark else _any_colour(chance, 0, 90)
    page = _plain(paper)
    (_text, _table, _receipt)[int(chance.integers(3))](page, ink, chance)
    return _shaded(_askew(page, chance), 0.06 * _smooth(chance, 400) + 0.01 * _smooth(chance, 4))


_WORDS = (
    *("invoice", "total", "patient", "date", "number", "name", "the", "of", "and", "report", "Seoul", "2020", "sample"),
    *("value", "page", "3,141", "No.", "hours"),
)
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def _line(page: Pixels, place: tuple[int, int], words: int, scale: float, ink: Colour, chance: Chance) -> None:
    text = " ".join(_WORDS[int(number)] for number in chance.integers(len(_WORDS), size=words))
    cv2.putText(page, text, place, _FONTS[int(chance.integers(4))], scale, ink, 1 + int(scale > 0.8), cv2.LINE_AA)


def _text(page: Pixels, ink: Colour, chance: Chance) -> None:
    scale = chance.uniform(0.45, 1.3)
    left, step = int(chance.integers(20, 120)), round(38 * scale + chance.uniform(2, 12))
    for row in range(60, HEIGHT - 20, step):
        if chance.random() < 0.9:
            _line(page, (left, row), int(chance.integers(5, 14)), scale, ink, chance)


def _table(page: Pixels, ink: Colour, chance: Chance) -> None:
    columns, rows = int(chance.integers(3, 7)), int(chance.integers(6, 16))
    across, down = (WIDTH - 80) // columns, (HEIGHT - 100) // rows
    for row in range(rows + 1):
        cv2.line(page, (40, 60 + row * down), (40 + columns * across, 60 + row * down), ink, 1 + (row == 1))
    for column in range(columns + 1):
        cv2.line(page, (40 + column * across, 60), (40 + column * across, 60 + rows * down), ink, 1)
        for row in range(rows if column < columns else 0):
            _line(page, (46 + column * across, 52 + (row + 1) * down), 1, 0.5, ink, chance)


def _receipt(page: Pixels, ink: Colour, chance: Chance) -> None:
    """A narrow slip on a table top."""
    page[:] = wood(chance) if chance.random() < 0.5 else _plain(_any_colour(chance))
    left, width = int(chance.integers(120, 360)), int(chance.integers(300, 460))
    cv2.rectangle(page, (left, 0), (left + width, HEIGHT), _any_colour(chance, 225, 255), -1)
    ink = _any_colour(chance, 0, 90)
    for row in range(40, HEIGHT - 90, int(chance.integers(22, 40))):
        _line(page, (left + 14, row), 2, 0.5, ink, chance)
        cv2.putText(page, f"{chance.uniform(1, 99):.2f}", (left + width - 80, row), _FONTS[0], 0.5, ink, 1, cv2.LINE_AA)
    bars = np.repeat(chance.random(90) < 0.5, 3)[: width - 60]
    page[HEIGHT - 80 : HEIGHT - 30, left + 30 : left + 30 + len(bars)][:, bars] = 20


def _askew(page: Pixels, chance: Chance) -> Pixels:
    corners = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], dtype=np.float32)
    moved = (corners + chance.uniform(-60, 60, (4, 2))).astype(np.float32)
    ground = tuple(_any_colour(chance))
    return np.asarray(
        cv2.warpPerspective(page, cv2.getPerspectiveTransform(corners, moved), (WIDTH, HEIGHT), borderValue=ground)
    )


# ---- skin of other places ----


def forearm(chance: Chance) -> Pixels:
    """Skin with its fine relief, veins, moles and thin hairs that lie one way."""
    skin = _near_skin(chance)
    frame = _veined(_skin(skin, chance), chance)
    angle = chance.uniform(0, 2 * math.pi)
    hair = _lighter(_one_of(HAIR, chance), 1.2)
    for place in _scattered(int(chance.integers(5, 70)), chance):
        path = _arc(place, angle + chance.normal(0, 0.3), chance.uniform(50, 190), chance.normal(0, 0.7))
        overlay = frame.copy()
        _curve(overlay, path, hair, int(chance.integers(1, 3)))
        frame = np.asarray(cv2.addWeighted(overlay, 0.6, frame, 0.4, 0), dtype=np.uint8)
    for place in _scattered(int(chance.integers(0, 4)), chance):
        _ellipse(frame, place, chance.uniform(4, 14, 2).tolist(), _lighter(skin, 0.5))
    return frame


def palm(chance: Chance) -> Pixels:
    """Skin with the ridges that make prints and a few deep creases, no hair."""
    skin = _near_skin(chance)
    frame = _skin(skin, chance, relief=0.01)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    phase = (x * math.cos(angle := chance.uniform(0, math.pi)) + y * math.sin(angle)) / chance.uniform(1.2, 3.0)
    frame = _shaded(frame, chance.uniform(0.02, 0.06) * np.sin(phase + 3 * _smooth(chance, 160)))
    for _ in range(int(chance.integers(2, 6))):
        start = chance.uniform((0, 0), (WIDTH, HEIGHT))
        path = _arc(start, chance.uniform(0, 2 * math.pi), chance.uniform(300, 900), chance.normal(0, 1.0), 20)
        _curve(frame, path + chance.normal(0, 1.5, path.shape), _lighter(skin, 0.7), int(chance.integers(2, 8)))
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 1.2), dtype=np.uint8)


def cheek(chance: Chance) -> Pixels:
    """Skin with pores, a flush, freckles and a few fine creases."""
    skin = _near_skin(chance)
    frame = _skin(skin, chance).astype(np.float32)
    flush = np.clip(_smooth(chance, 220), 0, 2)[..., None]
    frame = _whole(frame - flush * np.array([0, 14, 12]) * chance.uniform(0, 1.5))
    for place in _scattered(int(chance.integers(150, 900)), chance):
        _ellipse(
            frame, place, (chance.uniform(1, 3.2), chance.uniform(1, 3.2)), _lighter(skin, chance.uniform(0.7, 0.9))
        )
    for place in _scattered(int(chance.integers(0, 50)), chance):
        _ellipse(frame, place, chance.uniform(2, 8, 2).tolist(), _lighter(skin, 0.75))
    for place in _scattered(int(chance.integers(0, 5)), chance):
        path = _arc(place, chance.normal(0, 0.4), chance.uniform(150, 500), chance.normal(0, 0.5))
        _curve(frame, path, _lighter(skin, 0.78), int(chance.integers(2, 5)))
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 1.0), dtype=np.uint8)


def bare_skin(chance: Chance) -> Pixels:
    """Skin as the program that draws the scalps draws it, with their lamps and cameras, but without any hair."""
    cast = CASTS[int(chance.integers(len(CASTS)))]
    camera = Camera(noise=chance.uniform(2, 4), blur=chance.uniform(0.6, 1.1))
    scene = Scene(dict.fromkeys(CONDITIONS, 0.0), cast, camera, chance.uniform(0, 2 * math.pi))
    redness = plan_redness(chance.uniform(0, 2), chance)
    lab = soft_skin(scene, chance)
    redden(lab, redness)
    frame = skin_surface(lab, redness.vessels, scene.direction, chance)
    frame = draw_glints(frame, scene.direction, Hair((), ()), chance)
    return photograph(frame, scene, chance)


def _near_skin(chance: Chance) -> Colour:
    """Half of it under the lamp of a scalp camera, as if held to an arm."""
    return _one_of(LAMPS if chance.random() < 0.5 else SKIN_TONES, chance)


def _skin(colour: Colour, chance: Chance, relief: float = 0.035) -> Pixels:
    """Mottled skin with a relief of fine crossing lines, under a lamp."""
    mottled = 0.03 * _smooth(chance, 200) + 0.02 * _smooth(chance, 50) + 0.012 * _smooth(chance, 9)
    angle = chance.uniform(0, 180)
    lines = sum(_turned(_smooth(chance, chance.uniform(3, 6), 8), angle + turn) for turn in (0, chance.uniform(50, 90)))
    lamp = chance.uniform(0, 0.25) * (0.6 - _from_centre(WIDTH, HEIGHT))
    return _shaded(_plain(colour), (mottled + relief * np.asarray(lines) / 1.4 + lamp).astype(np.float32))


def _veined(frame: Pixels, chance: Chance) -> Pixels:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for _ in range(int(chance.integers(0, 4))):
        start = chance.uniform((0, 0), (WIDTH, HEIGHT))
        path = _arc(start, chance.uniform(0, 2 * math.pi), chance.uniform(400, 1000), chance.normal(0, 0.8), 16)
        cv2.polylines(mask, [np.round(path).astype(np.int32)], False, 255, int(chance.integers(15, 45)), cv2.LINE_AA)
    share = cv2.GaussianBlur(mask, (0, 0), 14).astype(np.float32)[..., None] / 255
    return _whole(frame - share * np.array([34, 12, 4]))


# ---- noise and plain colours ----


def noise(chance: Chance) -> Pixels:
    """Noise: of the sensor, of every colour, salt and pepper, clouds, or lines of a disturbed signal."""
    way = int(chance.integers(5))
    if way == 0:
        return _whole(
            chance.normal(chance.uniform(60, 190), chance.uniform(10, 70), (HEIGHT, WIDTH, 1)).repeat(3, axis=2)
        )
    if way == 1:
        return chance.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    if way == 2:
        frame, lot = _plain(_any_colour(chance)), chance.random((HEIGHT, WIDTH))
        frame[lot < 0.05], frame[lot > 0.95] = 0, 255
        return frame
    if way == 3:
        cell, depth = chance.uniform(4, 120), chance.uniform(15, 60)
        return _whole(
            np.array(_any_colour(chance, 60, 200)) + depth * np.stack([_smooth(chance, cell) for _ in range(3)], -1)
        )
    rows = chance.normal(128, 60, (HEIGHT, 1, 3)).repeat(WIDTH, axis=1)
    return _whole(rows + chance.normal(0, 20, (HEIGHT, WIDTH, 3)))


def plain(chance: Chance) -> Pixels:
    """One colour or a run of two: a wall, a lens cap, a finger on the lens."""
    way = chance.random()
    if way < 0.4:
        return _plain(_any_colour(chance))
    if way < 0.6:  # a finger on the lens, lit through
        return _shaded(_plain(_any_colour(chance, 40, 220)), 0.2 * _smooth(chance, 350))
    return _gradient(chance)


# ---- other things ----


def landscape(chance: Chance) -> Pixels:
    """Sky with clouds, hills one behind the other, a field, perhaps a sun and trees."""
    y = np.linspace(0, 1, HEIGHT)[:, None, None]
    sky = np.array(_one_of(((110, 160, 220), (230, 170, 120), (150, 160, 175), (40, 50, 90)), chance))
    frame = _whole(np.broadcast_to(sky * (1 - 0.3 * y) + 90 * y, (HEIGHT, WIDTH, 3)))
    clouds = np.clip(_smooth(chance, 90, 3) + 0.5 * _smooth(chance, 30, 2) - 0.6, 0, 1)[..., None]
    frame = _whole(frame + clouds * (245 - frame))
    for number in range(int(chance.integers(2, 5))):
        base = HEIGHT * (0.4 + 0.15 * number)
        ridge = base + 40 * _smooth(chance, 160)[0] + 8 * _smooth(chance, 25)[0]
        green = _lighter(
            _one_of(((90, 120, 80), (130, 140, 90), (110, 110, 120), (150, 130, 90)), chance), 1 - 0.1 * number
        )
        _polygon(frame, [(0, HEIGHT), *zip(range(WIDTH), ridge.tolist(), strict=True), (WIDTH, HEIGHT)], green)
    for place in _scattered(int(chance.integers(0, 25)), chance):
        if place[1] > 0.5 * HEIGHT:
            _ellipse(frame, place, chance.uniform(10, 45, 2).tolist(), _one_of(((40, 80, 40), (60, 90, 40)), chance))
    return _shaded(frame, 0.06 * _smooth(chance, 5))


def food(chance: Chance) -> Pixels:
    """A plate or bowl on a table with pieces, rice or noodles on it."""
    frame = wood(chance) if chance.random() < 0.6 else fabric(chance)
    middle, radius = np.array([WIDTH, HEIGHT]) * chance.uniform(0.42, 0.58, 2), chance.uniform(0.35, 0.6) * HEIGHT
    _ellipse(frame, middle + 10, (radius, radius), (50, 40, 36))
    for share, colour in ((1.0, _any_colour(chance, 190, 255)), (0.75, _any_colour(chance, 150, 250))):
        _ellipse(frame, middle, (share * radius, share * radius), colour)
    meal = _one_of(((230, 200, 140), (180, 90, 40), (200, 60, 40), (110, 140, 60), (240, 235, 220)), chance)
    far, turn = np.sqrt(chance.random(400)) * 0.65 * radius, chance.uniform(0, 2 * math.pi, 400)
    places = middle + np.stack([np.cos(turn), np.sin(turn)], axis=1) * far[:, None]
    if chance.random() < 0.4:
        _strokes(frame, places, chance.uniform(0, 2 * math.pi, 400), 0.3 * radius, meal, chance)
    else:
        for place in places[: int(chance.integers(60, 400))]:
            tone = _lighter(meal, chance.uniform(0.7, 1.15))
            _ellipse(frame, place, chance.uniform(0.03, 0.12, 2) * radius, tone, chance.uniform(0, 180))
    return _shaded(frame, 0.03 * _smooth(chance, 8))


def room(chance: Chance) -> Pixels:
    """Walls, floor, a window, a door, furniture."""
    frame = _shaded(_plain(_any_colour(chance, 120, 245)), 0.06 * _smooth(chance, 300))
    floor = HEIGHT * chance.uniform(0.6, 0.8)
    _polygon(
        frame,
        [(0, floor + 60), (WIDTH / 2, floor), (WIDTH, floor + 80), (WIDTH, HEIGHT), (0, HEIGHT)],
        _any_colour(chance, 60, 200),
    )
    for _ in range(int(chance.integers(3, 9))):
        left, top = chance.uniform(0, WIDTH - 100), chance.uniform(0, floor)
        right, bottom = left + chance.uniform(60, 350), top + chance.uniform(60, 400)
        colour = _any_colour(chance)
        _polygon(frame, [(left, top), (right, top), (right, bottom), (left, bottom)], colour)
        inset = chance.uniform(6, 20)
        inner = [
            (left + inset, top + inset),
            (right - inset, top + inset),
            (right - inset, bottom - inset),
            (left + inset, bottom - inset),
        ]
        _polygon(frame, inner, _lighter(colour, chance.uniform(0.7, 1.4)))
    return _shaded(frame, 0.02 * _smooth(chance, 4))


def grass(chance: Chance) -> Pixels:
    """A lawn or a meadow from above."""
    colour = _one_of(((70, 110, 40), (110, 130, 50), (150, 140, 80), (50, 90, 50)), chance)
    frame = _shaded(_plain(_lighter(colour, 0.5)), 0.2 * _smooth(chance, 80))
    places = _scattered(2500, chance)
    _strokes(frame, places, chance.normal(-math.pi / 2, 0.6, 2500), chance.uniform(30, 90), colour, chance)
    return frame


def fabric(chance: Chance) -> Pixels:
    """Woven cloth: threads across and along, plain, striped or checked."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    thread = chance.uniform(1.2, 5.0)
    weave = 0.12 * (np.sin(x / thread) * np.sign(np.sin(y / thread)) + 0.5 * np.sin(y / thread))
    frame = _plain(_any_colour(chance, 30, 230))
    if chance.random() < 0.5:
        stripes = (np.sin(x / chance.uniform(15, 60)) > 0.3) | ((chance.random() < 0.5) & (np.sin(y / 40) > 0.5))
        frame[stripes] = np.round(_any_colour(chance, 30, 230))
    folds = 0.15 * _turned(_smooth(chance, 120, 4), chance.uniform(0, 180))
    return _shaded(frame, (weave + folds + 0.04 * _smooth(chance, 3)).astype(np.float32))


def wood(chance: Chance) -> Pixels:
    """Boards with their grain."""
    colour = _one_of(((180, 130, 80), (130, 85, 50), (210, 175, 130), (90, 60, 40)), chance)
    grain = _smooth(chance, 7, 25) * 0.09 + _smooth(chance, 40, 12) * 0.12 + 0.03 * _smooth(chance, 3, 6)
    board = int(chance.integers(90, 260))
    grain[::board] -= 0.4
    grain[1::board] -= 0.3
    steps = np.repeat(chance.normal(0, 0.08, HEIGHT // board + 1), board)[:HEIGHT, None]
    frame = _shaded(_plain(colour), (grain + steps).astype(np.float32))
    return np.ascontiguousarray(frame[:, ::-1]) if chance.random() < 0.5 else frame


def gravel(chance: Chance) -> Pixels:
    """Pebbles or crumbs, side by side."""
    frame, colour = _plain(_any_colour(chance, 30, 90)), _any_colour(chance, 70, 220)
    size = chance.uniform(8, 40)
    for place in _scattered(1600, chance):
        tone = _lighter(colour, chance.uniform(0.6, 1.3))
        _ellipse(frame, place, chance.uniform(0.5, 1.2, 2) * size, tone, chance.uniform(0, 180))
    return _shaded(frame, 0.05 * _smooth(chance, 5) + 0.08 * _smooth(chance, 20))


KINDS: Mapping[str, Draw] = {
    drawing.__name__: drawing
    for drawing in (
        *(face, cat, dog, fur, document, forearm, palm, cheek, bare_skin, noise, plain),
        *(landscape, food, room, grass, fabric, wood, gravel),
    )
}
# These have gone through a camera already.
PHOTOGRAPHED = ("bare_skin",)
