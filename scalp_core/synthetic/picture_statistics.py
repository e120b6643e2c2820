"""Statistics of one picture by which drawn scalps are told from real ones.

Colour of the skin and its slow change, tones, octaves of detail, hair, bright blobs, direction and relief; in CIE
L*a*b*. Lengths are in 1/106 of the width and areas in its square, so a frame and its thumbnail are described alike.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from scalp_core.structure_tensor import gradient_products

Pixels = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Statistics = dict[str, float]

SIZES = {"thumb": (106, 79), "frame": (640, 480)}  # width, height of each scale that pictures are compared at
OCTAVES = {"thumb": 4, "frame": 6}
THUMBNAIL_WIDTH = 106
COARSER_OCTAVES = 2  # of a frame, which has two octaves finer than a thumbnail has: they are numbered −2 and −1

HAIR_BELOW = 11.0  # L* below the local skin from which a pixel is hair
STRAY = 7.0  # L* about the local skin within which a pixel is bare skin, while that is estimated
BRIGHT_ABOVE = {"glint": 8.0, "bright": 16.0, "white": 28.0}  # L* above the local skin, off the hair
LARGE_BLOB, THIN_BLOB = 12.0, 2.2  # area from which, and width up to which
MEASURED_BLOBS = 60  # the largest of a picture; the shape of the others hardly counts
TONES = (1, 5, 25, 50, 75, 95, 99)
FEW = 50  # pixels that are too few to be described
SAME_SHAPE = 0.03  # deviation from the wanted proportions up to which a picture is not cropped

_CHANNELS = "Lab"
_HAIR_NAMES = (
    *("hair_L_mean", "hair_L_p10", "hair_a", "hair_b", "hair_contrast", "hair_L_std", "hair_shine", "hair_shine_L"),
    *("hair_width", "hair_width_p90", "hair_width_spread", "hair_pieces", "rim_L", "rim2_L", "rim2_b"),
    "hair_coherence",
)
_BRIGHT_NAMES = (
    *("bright_contrast", "bright_contrast_p95", "bright_a", "bright_b", "bright_b_own", "bright_a_own"),
    *("bright_to_hair", "bright_coherence"),
)
_BLOB_NAMES = ("area_median", "area_p90", "area_max", "large_share", "elongation", "thin_share")


def resized(pixels: Pixels, scale: str) -> Pixels:
    """Return the RGB pixels of a picture (height, width, 3) at one of SIZES: the middle of the picture, antialiased.

    Pillow's bicubic filter reproduces the spectrum of the real thumbnails to 0.06 decades in every octave.
    """
    image, size = Image.fromarray(pixels), SIZES[scale]
    if image.size == size:
        return pixels
    width, height = image.size
    shape = size[0] / size[1]
    if abs(width / height / shape - 1) > SAME_SHAPE:
        wide, high = min(width, round(height * shape)), min(height, round(width / shape))
        left, top = (width - wide) // 2, (height - high) // 2
        image = image.crop((left, top, left + wide, top + high))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def statistics(pixels: Pixels) -> Statistics:
    """Return the statistics of one RGB picture by name; its scale is told from its width, see SIZES."""
    view = _View(pixels)
    values = {
        **_skin_colour(view),
        **_slow_colour(view),
        **_tones(view),
        **_octaves(view),
        **_directions(view),
        **_hair(view),
        **_bright(view),
        **_relief(view),
    }
    return {name: float(value) if math.isfinite(value) else 0.0 for name, value in values.items()}


# --- What is where ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _View:
    """A picture (height, width, 3) and the masks of its parts, (height, width), each computed once."""

    pixels: Pixels

    @cached_property
    def unit(self) -> float:
        """Pixels in 1/106 of the width."""
        return float(self.pixels.shape[1] / THUMBNAIL_WIDTH)

    @property
    def scale(self) -> str:
        return "thumb" if self.unit < 2 else "frame"

    @cached_property
    def lab(self) -> Field:
        scaled = np.ascontiguousarray(self.pixels).astype(np.float32) / 255
        lab = np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB), dtype=np.float32)
        if self.scale == "thumb":  # some real thumbnails are JPEGs with halved colours: nothing finer is compared
            lab[..., 1:] = cv2.GaussianBlur(np.ascontiguousarray(lab[..., 1:]), (0, 0), 1.0)
        return lab

    @property
    def light(self) -> Field:
        return self.lab[..., 0]

    @cached_property
    def local(self) -> Field:
        """Colour of the skin around each pixel, (height, width, 3)."""
        likely = _likely_skin(self.light)
        local = _soft(self.lab, likely, 9 * self.unit)
        for _ in range(2):
            away = self.light - local[..., 0]
            likely = (away > -STRAY) & (away < STRAY)
            local = _soft(self.lab, likely, 8 * self.unit)
        return local

    @cached_property
    def away(self) -> Field:
        """L* above the local skin."""
        return np.asarray(self.light - self.local[..., 0], dtype=np.float32)

    @cached_property
    def hair(self) -> Mask:
        hair = self.away < -HAIR_BELOW
        return _morphed(hair, cv2.MORPH_OPEN, 3) if self.unit > 2 else hair

    @cached_property
    def closed(self) -> Mask:
        """Hair with the broken bright line along it."""
        return _morphed(self.hair, cv2.MORPH_CLOSE, max(3, 1.6 * self.unit))

    @cached_property
    def bright(self) -> Mask:
        return np.asarray((self.away > BRIGHT_ABOVE["glint"]) & ~self.closed)

    @cached_property
    def skin(self) -> Mask:
        skin = ~self.closed & ~self.bright
        return skin if skin.sum() >= FEW else ~self.hair

    @cached_property
    def core(self) -> Mask:
        """Skin that no hair shades."""
        core = ~_morphed(self.closed, cv2.MORPH_DILATE, 2.2 * self.unit) & ~self.bright
        return core if core.sum() >= FEW else self.skin

    @cached_property
    def inside(self) -> Mask:
        """Skin that no hair or glint is near."""
        return _morphed(self.skin, cv2.MORPH_ERODE, 2.2 * self.unit)


def _likely_skin(light: Field) -> Mask:
    """Return pixels near the commonest lightness that is no hair's: flakes and glints vary more than skin."""
    grey = np.clip(light * 2.55, 0, 255).astype(np.uint8)
    threshold = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 2.55
    counted = np.histogram(light, bins=100, range=(0, 100))[0].astype(np.float32)
    counted = cv2.GaussianBlur(counted[None], (0, 0), 2.0)[0]
    counted[: int(max(25, min(threshold, 55)))] = 0
    likely = np.asarray(abs(light - (float(counted.argmax()) + 0.5)) < 11)
    return likely if likely.mean() >= 0.05 else np.asarray(light > threshold)


def _disc(size: float) -> Pixels:
    odd = max(1, round(size)) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (odd, odd)), dtype=np.uint8)


def _morphed(mask: Mask, operation: int, size: float) -> Mask:
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), operation, _disc(size)) > 0)


def _soft(values: Field, mask: Mask, sigma: float) -> Field:
    """Return the mean of `values` near every pixel over the pixels of `mask` alone."""
    weight = mask.astype(np.float32)
    below = cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-4
    if values.ndim == 3:
        weight, below = weight[..., None], below[..., None]
    return np.asarray(cv2.GaussianBlur(values * weight, (0, 0), sigma) / below, dtype=np.float32)


def _moments(values: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    """Return deviation, clipped skewness, and the logarithm of the kurtosis."""
    exact = values.astype(np.float64)
    deviation = exact.std() + 1e-6
    centred = (exact - exact.mean()) / deviation
    return float(deviation), float(np.clip((centred**3).mean(), -5, 5)), float(np.log((centred**4).mean()))


def _orientation(light: Field, sigma: float, mask: Mask | None = None) -> tuple[float, float]:
    """Return coherence (0–1) and direction (radians) of the structure tensor over the pixels of `mask`."""
    soft = cv2.GaussianBlur(light, (0, 0), sigma) if sigma else light
    weight = np.ones_like(light) if mask is None else mask.astype(np.float32)
    xx, yy, xy = ((product * weight).sum() for product in gradient_products(soft))
    return float(math.hypot(xx - yy, 2 * xy) / (xx + yy + 1e-6)), 0.5 * math.atan2(2 * xy, xx - yy)


# --- Colours and tones -----------------------------------------------------------------------------------------------


def _skin_colour(view: _View) -> Statistics:
    core = view.lab[view.core]
    values: Statistics = {}
    for place, channel in enumerate(_CHANNELS):
        values[f"skin_{channel}_mean"] = core.mean(axis=0)[place]
        values[f"skin_{channel}_std"] = core.std(axis=0)[place]
    chroma = np.hypot(view.lab[..., 1], view.lab[..., 2])[view.core]
    values["skin_chroma_p10"], values["skin_chroma_p90"] = np.percentile(chroma, (10, 90))
    for channel in "ab":
        low, middle, high = np.percentile(core[:, _CHANNELS.index(channel)], (5, 50, 95))
        values[f"skin_{channel}_upper"], values[f"skin_{channel}_lower"] = high - middle, middle - low
    return values


def _slow_colour(view: _View) -> Statistics:
    """Describe the colour field of the skin without its detail: spread, correlations, centre against edge."""
    slow = _soft(view.lab, view.skin & ~view.bright, 6 * view.unit)
    values: Statistics = {}
    for place, channel in enumerate(_CHANNELS):
        values[f"slow_{channel}_std"] = slow[..., place].std()
        values[f"slow_{channel}_range"] = np.subtract(*np.percentile(slow[..., place], (97, 3)))
    flat = slow[::4, ::4].reshape(-1, 3) - slow.reshape(-1, 3).mean(axis=0)
    softened = flat.std(axis=0) + 0.7
    for first, second in ((0, 1), (0, 2), (1, 2)):
        product = (flat[:, first] * flat[:, second]).mean()
        name = f"slow_corr_{_CHANNELS[first]}{_CHANNELS[second]}"
        values[name] = product / (softened[first] * softened[second])
    return values | _centre_minus_edge(view)


def _centre_minus_edge(view: _View) -> Statistics:
    height, width = view.light.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    from_centre = np.hypot(columns / width - 0.5, rows / height - 0.5) * 2
    inner, outer = view.skin & (from_centre < 0.55), view.skin & (from_centre > 0.95)
    if min(inner.sum(), outer.sum()) <= 20:
        return {f"centre_minus_edge_{channel}": 0.0 for channel in _CHANNELS}
    channels = {channel: view.lab[..., place] for place, channel in enumerate(_CHANNELS)}
    return {
        f"centre_minus_edge_{channel}": float(values[inner].mean() - values[outer].mean())
        for channel, values in channels.items()
    }


def _tones(view: _View) -> Statistics:
    """Describe the lightness of the whole picture, and what is burnt, white or black of it."""
    tones = np.percentile(view.light, TONES)
    values: Statistics = {f"tone_p{share}": tone for share, tone in zip(TONES, tones, strict=True)}
    values["L_std"], values["L_skew"], values["L_kurtosis"] = _moments(view.light)
    brightest, darkest = view.pixels.max(axis=2), view.pixels.min(axis=2)
    values["burnt"] = np.sqrt((brightest >= 250).mean())
    values["white"] = np.sqrt((darkest >= 215).mean())
    values["black"] = np.sqrt((brightest <= 40).mean())
    return values


# --- Detail ----------------------------------------------------------------------------------------------------------


def _octaves(view: _View) -> Statistics:
    """Describe detail by octave, everywhere and on bare skin; octave 0 is a thumbnail's finest."""
    values: Statistics = {}
    here, mask = view.lab, view.skin
    numbers = range(OCTAVES[view.scale]) if view.scale == "thumb" else range(-COARSER_OCTAVES, 4)
    for number in numbers:
        coarse = np.asarray(cv2.pyrDown(here), dtype=np.float32)
        values |= _octave(f"band{number}", here - cv2.pyrUp(coarse, dstsize=here.shape[1::-1]), mask)
        here, size = coarse, coarse.shape[1::-1]
        mask = np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5)
    values["finest_over_next"] = values[f"band{numbers[0]}_L"] - values[f"band{numbers[1]}_L"]
    values["laplacian_log"] = np.log(cv2.Laplacian(view.light, cv2.CV_32F).std() + 0.05)
    return values


def _octave(name: str, detail: Field, mask: Mask) -> Statistics:
    enough = bool(mask.sum() > 30)
    values: Statistics = {}
    for place, channel in enumerate(_CHANNELS):
        strength = np.log(detail[..., place].std() + 0.05)
        values[f"{name}_{channel}"] = strength
        values[f"{name}_{channel}_skin"] = np.log(detail[..., place][mask].std() + 0.05) if enough else strength
    light = detail[..., 0]
    _, values[f"{name}_skew"], values[f"{name}_kurtosis"] = _moments(light)
    _, skew, kurtosis = _moments(light[mask]) if enough else (0.0, 0.0, math.log(3))
    values[f"{name}_skin_skew"], values[f"{name}_skin_kurtosis"] = skew, kurtosis
    for channel in "ab":
        colour = detail[..., _CHANNELS.index(channel)]
        spread = (light.ravel().std() + 0.3) * (colour.ravel().std() + 0.3)
        values[f"{name}_corr_L{channel}"] = (light.ravel() * colour.ravel()).mean() / spread
    return values


def _directions(view: _View) -> Statistics:
    coherence, direction = _orientation(view.light, 0.0)
    on_skin, skin_direction = _orientation(view.light, 0.0, view.inside if view.inside.sum() > FEW else view.skin)
    return {
        "coherence": coherence,
        "coherence_coarse": _orientation(view.light, 2.0 * view.unit)[0],
        "coherence_skin": on_skin,
        "skin_across_hair": math.cos(2 * (direction - skin_direction)),
    }


def _relief(view: _View) -> Statistics:
    """Describe dark thin things that are no hair, and how lumpy the skin is without its glints."""
    if view.inside.sum() > FEW:
        light, disc = view.light, _disc(2.6 * view.unit)
        furrows = (cv2.morphologyEx(light, cv2.MORPH_CLOSE, disc) - light)[view.inside].mean()
        tops = (light - cv2.morphologyEx(light, cv2.MORPH_OPEN, disc))[view.inside]
        values = {"furrows": float(furrows), "tops": float(tops.mean()), "tops_p95": float(np.percentile(tops, 95))}
    else:
        values = dict.fromkeys(("furrows", "tops", "tops_p95"), 0.0)
    return values | {"tops_over_furrows": math.log((values["tops"] + 0.2) / (values["furrows"] + 0.2))}


# --- Hair ------------------------------------------------------------------------------------------------------------


def _hair(view: _View) -> Statistics:
    coverage = {"hair_coverage": float(view.hair.mean())}
    if view.hair.sum() <= 20 * view.unit:
        return coverage | dict.fromkeys(_HAIR_NAMES, 0.0)
    return coverage | _hair_colour(view) | _hair_shape(view) | _hair_rims(view)


def _hair_colour(view: _View) -> Statistics:
    light, shine = view.light[view.hair], view.closed & ~view.hair
    return {
        "hair_L_mean": light.mean(),
        "hair_L_p10": float(np.percentile(light, 10)),
        "hair_a": view.lab[..., 1][view.hair].mean(),
        "hair_b": view.lab[..., 2][view.hair].mean(),
        "hair_contrast": -view.away[view.hair].mean(),
        "hair_L_std": light.std(),
        "hair_shine": shine.sum() / view.closed.sum(),
        "hair_shine_L": view.light[shine].mean() if shine.any() else light.mean(),
    }


def _hair_shape(view: _View) -> Statistics:
    closed = view.closed.astype(np.uint8)
    depth = cv2.distanceTransform(closed, cv2.DIST_L2, 5)
    ridge = view.closed & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)) - 1e-3)
    widths = (2 * depth[ridge] - 1) / view.unit
    areas = cv2.connectedComponentsWithStats(closed, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    skin = np.where(view.closed, view.local[..., 0] - 30, view.local[..., 0]).astype(np.float32)
    return {
        "hair_width": float(np.median(widths)),
        "hair_width_p90": float(np.percentile(widths, 90)),
        "hair_width_spread": widths.std() / (widths.mean() + 0.1),
        "hair_pieces": float((areas > 8 * view.unit**2).sum()),
        "hair_coherence": _orientation(skin, 0.6 * view.unit, _morphed(view.hair, cv2.MORPH_DILATE, 3))[0],
    }


def _hair_rims(view: _View) -> Statistics:
    """Describe the skin next to the hair, and a little further away."""
    near = _morphed(view.closed, cv2.MORPH_DILATE, 1 + 2 * view.unit) & ~view.closed
    far = _morphed(view.closed, cv2.MORPH_DILATE, 1 + 4 * view.unit) & ~view.closed & ~near
    yellow = view.lab[..., 2] - view.local[..., 2]
    return {
        "rim_L": view.away[near].mean() if near.any() else 0.0,
        "rim2_L": view.away[far].mean() if far.any() else 0.0,
        "rim2_b": yellow[far].mean() if far.any() else 0.0,
    }


# --- Bright things on the skin ---------------------------------------------------------------------------------------


def _bright(view: _View) -> Statistics:
    values: Statistics = {}
    for name, least in BRIGHT_ABOVE.items():
        values |= {f"{name}_{tail}": value for tail, value in _blobs(view, least).items()}
    if view.bright.sum() <= 8:
        return values | dict.fromkeys(_BRIGHT_NAMES, 0.0)
    to_hair = cv2.distanceTransform((~view.closed).astype(np.uint8), cv2.DIST_L2, 5) / view.unit
    here, contrast = view.bright, view.away[view.bright]
    relative = view.lab - view.local
    return values | {
        "bright_contrast": contrast.mean(),
        "bright_contrast_p95": float(np.percentile(contrast, 95)),
        "bright_a": relative[..., 1][here].mean(),
        "bright_b": relative[..., 2][here].mean(),
        "bright_a_own": view.lab[..., 1][here].mean(),
        "bright_b_own": view.lab[..., 2][here].mean(),
        "bright_to_hair": to_hair[here].mean() / (to_hair[~view.closed].mean() + 0.1),
        "bright_coherence": _orientation(np.where(here, view.away, 0).astype(np.float32), 0.0)[0],
    }


def _blobs(view: _View, least: float) -> Statistics:
    """Describe connected things on the skin that are more than `least` L* above it."""
    mask = ((view.away > least) & ~view.closed).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = boxes[1:, cv2.CC_STAT_AREA].astype(np.float64) / view.unit**2
    kept = np.flatnonzero(areas >= (0.99 if view.scale == "thumb" else 0.12))
    areas = areas[kept]
    skin = max(1.0, float((~view.closed).sum()) / view.unit**2)
    values = {"count_per_1000": 1000 * len(areas) / skin, "share": areas.sum() / skin}
    if len(areas) == 0:
        return values | dict.fromkeys(_BLOB_NAMES, 0.0)
    largest = kept[np.argsort(-areas)][:MEASURED_BLOBS] + 1
    return values | {
        "area_median": float(np.log(np.quantile(areas, 0.5))),
        "area_p90": float(np.log(np.quantile(areas, 0.9))),
        "area_max": float(np.log(areas.max())),
        "large_share": areas[areas > LARGE_BLOB].sum() / areas.sum(),
        **_shapes(labels, boxes, largest, view.unit),
    }


def _shapes(
    labels: npt.NDArray[np.int32], boxes: npt.NDArray[np.int32], largest: npt.NDArray[np.intp], unit: float
) -> Statistics:
    """Return the mean elongation of blobs, and the share of their area that is thin, both weighted by area."""
    shapes = []
    for place in largest:
        x, y, width, height = boxes[place, :4]
        rows, columns = np.nonzero(labels[y : y + height, x : x + width] == place)
        if len(columns) >= 4:
            covariance = np.cov(np.stack([columns, rows]).astype(np.float64)) + np.eye(2) / 12
            small, large = np.linalg.eigvalsh(covariance)
            shapes.append((math.sqrt(large / small), len(columns) / unit**2, 4 * math.sqrt(small) / unit))
    if not shapes:
        return {"elongation": 0.0, "thin_share": 0.0}
    elongation, area, width = np.array(shapes).T
    return {
        "elongation": float(np.log(np.average(elongation, weights=area))),
        "thin_share": area[width < THIN_BLOB].sum() / area.sum(),
    }
