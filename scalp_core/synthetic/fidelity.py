"""Measures of every cue in synthetic frames, beside the range of real pictures.

What is added by a severity is measured on pairs: two frames of the same scene and the same chance, one of them with
that condition at 0, so that their difference is the cue and nothing else.

Sources of the ranges: figures computed on 575 hair masks, 230 thumbnails and 10 frames of real microscope pictures
(640×480, 9–12 µm a pixel), and, for what has no such figure, the words by which the grades are told apart.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic.drawing.canvas import HEIGHT, SHIFT, WIDTH, Field, Pixels, Points, corners
from scalp_core.synthetic.drawing.frame import render
from scalp_core.synthetic.drawing.hair import plan_hair
from scalp_core.synthetic.drawing.scene import CASTS, Camera, Cast, Hair, Scene
from scalp_core.synthetic.generate import PlannedPicture, plan_pictures, render_picture

Mask = npt.NDArray[np.bool_]
Range = tuple[float, float]

# More severity than a dataset ever draws as grade 0; even here no more than a trace may show.
TRACE = 0.2
SEVERITIES = (0.0, TRACE, 1.0, 2.0, 3.0)
TURN = 2.4  # radians from the hair of one seed to that of the next: no two heads are combed alike
APART = 40  # pictures of a dataset from one that is looked at to the next: a site has about as many

# --- What counts as what, in CIE L*a*b* ------------------------------------------------------------------------------

LIFTED = 6.0  # L* over the clean frame from which a scale or flake counts as there; the thinnest have little more
WHITE_LIGHTNESS, WHITE_CHROMA = 80.0, 22.0  # bright and nearly without colour
GLOSS_LIGHTNESS, GLOSS_RISE = 78.0, 13.0  # a wet highlight as far as half its height; hair may have moved beside it
RED, HALO_RED = 8.0, 14.0  # Δa* from which skin counts as reddened, and where a halo ends within its faint field
DOME_RISE = 8.0  # L* by which a pustule's head is brighter than the skin was
DARK_BELOW_SKIN = 17.0  # L* below the median of the skin from which a pixel is hair
SHADOW = 13  # px about hairs that count neither as skin nor as hair
STEADY = (3, 3)  # the blur that takes the noise of the sensor out of a difference
CROSSED = 15  # px of hair across a halo or dome that do not part it
SMALLEST_HIGHLIGHT, SMALLEST_DOME, SMALLEST_HALO, SMALLEST_PLATE = 3.0, 5.0, 14.0, 6.0  # px across
FINE = 4  # hair is measured on masks that much larger: widths are a few pixels, and what is filled gets one wider


@dataclass(frozen=True)
class Check:
    """A measured figure beside its range.

    Attributes:
        cue: what was measured, with its unit.
        grade_or_cast: a severity such as "2", a cast such as "teal", or what else the figure is of.
        low: least that is allowed.
        high: most that is allowed.
        measured: mean over the seeds; NaN where there was nothing to measure.
    """

    cue: str
    grade_or_cast: str
    low: float
    high: float
    measured: float

    @property
    def ok(self) -> bool:
        return self.low <= self.measured <= self.high


# --- Frames ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame with one condition, and the same without it. All fields are (480, 640)."""

    frame: Pixels
    normal: Pixels
    hair: Hair
    skin: Mask

    @cached_property
    def lab(self) -> Field:
        return lab_of(self.frame)

    @cached_property
    def rise(self) -> Field:
        """The effect of the condition on L*, a* and b*, a little smoothed."""
        return np.asarray(cv2.blur(self.lab - lab_of(self.normal), STEADY), dtype=np.float32)


def scene_of(severities: Mapping[Condition, float], seed: int, cast: Cast | None = None) -> Scene:
    """Return a scene of black hair before a neutral camera; casts and directions go round with the seed."""
    levels = dict.fromkeys(CONDITIONS, 0.0) | dict(severities)
    return Scene(levels, cast or CASTS[seed % len(CASTS)], Camera(), direction=TURN * seed)


def pictures_of(count: int, seed: int, prior: str = "real") -> list[PlannedPicture]:
    """Return some pictures of a synthetic dataset, each of another head."""
    return plan_pictures(APART * count, seed, prior=prior)[::APART]


def lab_of(frame: Pixels) -> Field:
    """Return CIE L*a*b* of an RGB frame."""
    return np.asarray(cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32)


def frame_of(scene: Scene, seed: int) -> Pixels:
    return render(scene, np.random.default_rng(seed))


def hair_of(scene: Scene, seed: int) -> Hair:
    """Return the hair of the frame that `frame_of` draws, from the second random stream of the frame."""
    return plan_hair(scene.severities[Condition.HAIR_LOSS], scene, np.random.default_rng(seed).spawn(2)[1])


@lru_cache(maxsize=4)
def pair(condition: Condition, severity: float, seed: int) -> Pair:
    """Return the frame of `seed` with one condition at `severity`, and with all at 0."""
    scene = scene_of({condition: severity}, seed)
    normal, normal_skin = _normal(seed)
    hair = hair_of(scene, seed)
    return Pair(frame_of(scene, seed), normal, hair, bare_skin(hair) & normal_skin)


@lru_cache(maxsize=64)
def _normal(seed: int) -> tuple[Pixels, Mask]:
    scene = scene_of({}, seed)
    return frame_of(scene, seed), bare_skin(hair_of(scene, seed))


# --- Masks and shapes ------------------------------------------------------------------------------------------------


def hair_mask(hair: Hair, scale: int = 1) -> Pixels:
    """Return a mask, 255 where a shaft lies."""
    mask = np.zeros((HEIGHT * scale, WIDTH * scale), dtype=np.uint8)
    for shaft in hair.shafts:
        cv2.fillPoly(mask, [corners(shaft.outline() * scale)], (255,), cv2.LINE_8, SHIFT)
    return mask


def bare_skin(hair: Hair) -> Mask:
    """Return the mask of skin without hair or its shadow."""
    return np.asarray(cv2.dilate(hair_mask(hair), _disc(SHADOW)) == 0)


def _disc(size: int) -> Pixels:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), dtype=np.uint8)


def _blobs(mask: Mask, smallest: float) -> list[Points]:
    """Return outlines of the connected areas at least `smallest` px across; holes are filled."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [outline for outline in outlines if _diameter(outline) >= smallest]


def _diameter(outline: Points) -> float:
    """Return the diameter of the disc of the same area; a contour runs through the middles of its outermost pixels."""
    area = cv2.contourArea(outline) + len(outline) / 2 + 1
    return 2 * math.sqrt(area / math.pi)


def _typical(outlines: list[Points]) -> float:
    """Return the median diameter in px; NaN if there are no outlines."""
    return float(np.median([_diameter(outline) for outline in outlines])) if outlines else math.nan


# --- Measures: one figure a frame ------------------------------------------------------------------------------------


def hair_coverage(pair: Pair) -> float:
    """Return the share of the frame under planned shafts."""
    return float((hair_mask(pair.hair, FINE) > 0).mean())


def dark_share(pair: Pair) -> float:
    """Return the share of the frame that is hair by its pixels alone, bright lines along the shafts included."""
    lightness = pair.lab[..., 0]
    dark = (lightness < np.median(lightness[pair.skin]) - DARK_BELOW_SKIN).astype(np.uint8)
    return float(cv2.morphologyEx(dark, cv2.MORPH_CLOSE, _disc(5)).mean())


def shaft_widths(hair: Hair) -> Points:
    """Return the widths in px along the middle of every shaft, or of several side by side as one."""
    mask = hair_mask(hair, FINE)
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    ridge = (mask > 0) & (depth >= cv2.dilate(depth, np.ones((3, 3), dtype=np.uint8)))
    return np.asarray((2 * depth[ridge] - 1.5) / FINE)  # 1 for the filling, 0.5 as the middle of odd widths is deeper


def median_width(pair: Pair) -> float:
    return float(np.median(shaft_widths(pair.hair)))


def upper_width(pair: Pair) -> float:
    return float(np.percentile(shaft_widths(pair.hair), 90))


def units(pair: Pair) -> float:
    """Count the follicles that bear hair."""
    return float(sum(not follicle.empty for follicle in pair.hair.follicles))


def empty_pores(pair: Pair) -> float:
    return float(sum(follicle.empty for follicle in pair.hair.follicles))


def scaled_share(pair: Pair) -> float:
    """Return the share of the bare skin that translucent scales lighten."""
    return float((pair.rise[..., 0][pair.skin] > LIFTED).mean())


def white_share(pair: Pair) -> float:
    """Return the share of the frame that is nearly white, and was not without the condition."""
    white = (pair.lab[..., 0] > WHITE_LIGHTNESS) & (np.hypot(pair.lab[..., 1], pair.lab[..., 2]) < WHITE_CHROMA)
    return float((white & (pair.rise[..., 0] > LIFTED)).mean())


def plates(pair: Pair) -> Mask:
    return np.asarray(pair.rise[..., 0] > LIFTED)


def plate_share(pair: Pair) -> float:
    """Return the share of the frame under opaque flakes."""
    return float(plates(pair).mean())


def plate_size(pair: Pair) -> float:
    """Return the diameter in px of the flake that a covered pixel lies in, on average: crumbs hardly count."""
    areas = np.array([_diameter(outline) ** 2 for outline in _blobs(plates(pair), SMALLEST_PLATE)])
    return float((np.sqrt(areas) * areas).sum() / areas.sum()) if len(areas) else math.nan


def gloss(pair: Pair) -> Mask:
    return np.asarray((pair.lab[..., 0] > GLOSS_LIGHTNESS) & (pair.rise[..., 0] > GLOSS_RISE))


def gloss_share(pair: Pair) -> float:
    """Return the share of the frame that is wet highlight."""
    return float(gloss(pair).mean())


def highlight_size(pair: Pair) -> float:
    """Return the median diameter in px of the highlights, single glints left out."""
    return _typical(_blobs(gloss(pair), SMALLEST_HIGHLIGHT))


def yellowing(pair: Pair) -> float:
    """Return Δb* of the bare skin, highlights left out."""
    return float(np.median(pair.rise[..., 2][pair.skin & ~gloss(pair)]))


def reddening(pair: Pair) -> float:
    """Return the mean Δa* of the bare skin."""
    return float(pair.rise[..., 1][pair.skin].mean())


def red_share(pair: Pair) -> float:
    """Return the share of the bare skin that is clearly redder."""
    return float((pair.rise[..., 1][pair.skin] > RED).mean())


def halos(pair: Pair) -> list[Points]:
    """Return outlines of the red halos; hairs across them and heads within them do not part them."""
    red = (pair.rise[..., 1] > HALO_RED).astype(np.uint8)
    return _blobs(cv2.morphologyEx(red, cv2.MORPH_CLOSE, _disc(CROSSED)) > 0, SMALLEST_HALO)


def halo_count(pair: Pair) -> float:
    return float(len(halos(pair)))


def halo_size(pair: Pair) -> float:
    return _typical(halos(pair))


def halo_core(pair: Pair) -> float:
    """Return the Δa* that the reddest tenth of the halos exceeds."""
    inside = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    cv2.drawContours(inside, halos(pair), -1, (1,), cv2.FILLED)
    return float(np.percentile(pair.rise[..., 1][inside > 0], 90)) if inside.any() else math.nan


def halo_share(pair: Pair) -> float:
    """Return the share of the frame that is halo."""
    return float((pair.rise[..., 1] > RED).mean())


def dome_size(pair: Pair) -> float:
    """Return the median diameter in px of the white-yellow heads."""
    bright = (pair.rise[..., 0] > DOME_RISE).astype(np.uint8)
    return _typical(_blobs(cv2.morphologyEx(bright, cv2.MORPH_CLOSE, _disc(7)) > 0, SMALLEST_DOME))


# --- Targets ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Cue:
    """A measure with its range by severity. `growth` is 1 where it grows with the severity, −1 where it shrinks."""

    name: str
    condition: Condition
    measure: Callable[[Pair], float]
    targets: Mapping[float, Range]
    growth: int = 0


def _about(values: tuple[float, ...], tolerance: float) -> dict[float, Range]:
    """Return ranges about a value for each of the severities 0, 1, 2, 3."""
    return {float(grade): (value - tolerance, value + tolerance) for grade, value in enumerate(values)}


def _everywhere(low: float, high: float, severities: tuple[float, ...] = (1.0, 2.0, 3.0)) -> dict[float, Range]:
    return dict.fromkeys(severities, (low, high))


CUES: tuple[Cue, ...] = (
    # 575 hair masks: coverage .164 / .111 / .099 / .057 (their deviation is .05: the tolerance is a third of it).
    Cue("hair: coverage", Condition.HAIR_LOSS, hair_coverage, _about((0.164, 0.111, 0.099, 0.057), 0.017), growth=-1),
    # The same coverage seen in the pixels, where shadows and blur blunt it.
    Cue("hair: dark pixels", Condition.HAIR_LOSS, dark_share, _about((0.164, 0.111, 0.099, 0.057), 0.03), growth=-1),
    # The same masks: median and 90th percentile of the width, within about a tenth and a sixth.
    Cue("hair: median width, px", Condition.HAIR_LOSS, median_width, _about((7.2, 6.7, 5.8, 5.0), 0.7)),
    Cue("hair: 90th percentile of width, px", Condition.HAIR_LOSS, upper_width, _about((12.9, 11.8, 11.0, 8.8), 1.8)),
    # "Five to twelve follicular units a frame"; "empty pores at 2–3".
    Cue("hair: units a frame", Condition.HAIR_LOSS, units, _everywhere(5.0, 12.0, (0.0, 1.0, 2.0, 3.0))),
    Cue(
        "hair: empty pores a frame",
        Condition.HAIR_LOSS,
        empty_pores,
        {0.0: (0.0, 0.5), 1.0: (0.0, 2.0), 2.0: (1.0, 6.0), 3.0: (3.0, 12.0)},
    ),
    # Threads, tufts and collars instead of filled plates: "2–3 times the bright pieces" of the plates drawn before, on
    # less of the skin, all of it "translucent-white with bright cores".
    Cue(
        "fine scaling: share of skin",
        Condition.FINE_SCALING,
        scaled_share,
        {TRACE: (0.0, 0.015), 1.0: (0.015, 0.045), 2.0: (0.05, 0.11), 3.0: (0.13, 0.26)},
        growth=1,
    ),
    Cue(
        "fine scaling: white share",
        Condition.FINE_SCALING,
        white_share,
        {TRACE: (0.0, 0.005), 1.0: (0.0, 0.02), 2.0: (0.0, 0.05), 3.0: (0.0, 0.1)},
    ),
    # "Few small → several → a sheet over 20–40 %", 15–150 px; opaque, so at least a third of it is white. The
    # plates of a sheet hang together, so that it counts as larger ones.
    Cue(
        "dandruff: coverage",
        Condition.DANDRUFF,
        plate_share,
        {TRACE: (0.0, 0.01), 1.0: (0.01, 0.035), 2.0: (0.05, 0.13), 3.0: (0.2, 0.4)},
        growth=1,
    ),
    Cue(
        "dandruff: white share",
        Condition.DANDRUFF,
        white_share,
        {TRACE: (0.0, 0.008), 1.0: (0.004, 0.03), 2.0: (0.02, 0.12), 3.0: (0.07, 0.4)},
    ),
    Cue("dandruff: plate size, px", Condition.DANDRUFF, plate_size, {1.0: (15, 60), 2.0: (20, 110), 3.0: (50, 220)}),
    # "Many small compact sparkles 4–10 px of medium contrast", "> 28 L* share at most .3 %", "Δb* −1…+2"; a highlight
    # is measured at half its height. How much of them there is by grade was not measured: the ranges ask that it shows
    # at 1 and never floods the frame.
    Cue("sebum: highlight size, px", Condition.EXCESS_SEBUM, highlight_size, _everywhere(4.0, 10.0)),
    Cue(
        "sebum: gloss share",
        Condition.EXCESS_SEBUM,
        gloss_share,
        {TRACE: (0.0, 0.003), 1.0: (0.0005, 0.01), 2.0: (0.002, 0.025), 3.0: (0.006, 0.06)},
        growth=1,
    ),
    Cue("sebum: Δb* of skin", Condition.EXCESS_SEBUM, yellowing, _everywhere(-1.0, 2.0)),
    # "Δa* about +4 / +9 / +17 over a growing area (> 60 % at 3)".
    Cue(
        "erythema: Δa* of skin",
        Condition.ERYTHEMA,
        reddening,
        {TRACE: (0.0, 1.5), 1.0: (3.0, 5.0), 2.0: (7.5, 10.5), 3.0: (15.0, 19.0)},
        growth=1,
    ),
    Cue(
        "erythema: reddened share of skin",
        Condition.ERYTHEMA,
        red_share,
        {TRACE: (0.0, 0.02), 1.0: (0.0, 0.3), 2.0: (0.3, 0.85), 3.0: (0.6, 1.0)},
    ),
    # "A magenta field over several roots, droplets of 15–30 px at the pores": within the field the halos of single
    # pores, one → three → a cluster. A droplet is clear: what is bright of it, rim and highlight, is narrower than it.
    Cue(
        "pustules: halos a frame",
        Condition.PUSTULES,
        halo_count,
        {TRACE: (0.0, 0.1), 1.0: (0.8, 1.4), 2.0: (1.5, 3.2), 3.0: (3.0, 8.0)},
    ),
    Cue("pustules: halo size, px", Condition.PUSTULES, halo_size, _everywhere(40.0, 110.0)),
    # Redder than erythema 3 is on average, or it would drown there.
    Cue("pustules: Δa* of the core", Condition.PUSTULES, halo_core, _everywhere(18.0, 34.0)),
    Cue("pustules: halo share", Condition.PUSTULES, halo_share, {TRACE: (0.0, 0.001)}, growth=1),
    Cue("pustules: dome size, px", Condition.PUSTULES, dome_size, _everywhere(6.0, 30.0, (2.0, 3.0))),
)

# 230 thumbnails: L* 60–69, a* −12…+19, b* −2…+14; the casts by what their names mean within these.
SKIN_LIGHTNESS: Range = (60.0, 69.0)
SKIN_A: dict[str, Range] = {
    "teal": (-12.0, -4.0),
    "blue-grey": (-4.0, 4.0),
    "yellow": (-4.0, 6.0),
    "apricot": (4.0, 13.0),
    "pink": (7.0, 19.0),
}
SKIN_B: dict[str, Range] = {
    "teal": (-2.0, 5.0),
    "blue-grey": (-2.0, 3.0),
    "yellow": (8.0, 14.0),
    "apricot": (7.0, 14.0),
    "pink": (-2.0, 8.0),
}
# No frame of a neutral camera may be taken for one of another cast.
TOLD_APART: Range = (0.95, 1.0)
# Laplacian variance of ten good real frames: 60–190. The extremes of ten are about the outer tenths of all, here of a
# dataset with labels as often as the real ones, its own cameras and no confusers; a tenth is allowed either way.
SHARPNESS: Range = (54.0, 209.0)
OUTER_TENTHS = (10, 90)


# --- Checks ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def checks(seeds: int = 20) -> tuple[Check, ...]:
    """Measure every figure with its range, each a mean over the frames of `seeds` seeds."""
    return (*_graded(seeds), *_casts(seeds), *_sharpness(seeds))


def _graded(seeds: int) -> list[Check]:
    return [
        Check(cue.name, f"{severity:g}", *cue.targets[severity], measured)
        for condition in CONDITIONS
        for severity in SEVERITIES
        for cue, measured in _means(condition, severity, seeds).items()
    ]


def _means(condition: Condition, severity: float, seeds: int) -> dict[Cue, float]:
    """Return every cue that has a range there, on average over the seeds that show it."""
    cues = [cue for cue in CUES if cue.condition == condition and severity in cue.targets]
    figures = [[cue.measure(pair(condition, severity, seed)) for cue in cues] for seed in range(seeds)]
    return {cue: _mean([row[place] for row in figures]) for place, cue in enumerate(cues)}


def _mean(figures: list[float]) -> float:
    valid = [figure for figure in figures if not math.isnan(figure)]
    return sum(valid) / len(valid) if valid else math.nan


def _casts(seeds: int) -> list[Check]:
    skins = {cast.name: np.array([skin_colour(cast, seed) for seed in range(seeds)]) for cast in CASTS}
    results = []
    for name, skin in skins.items():
        lightness, a, b = (float(value) for value in skin.mean(axis=0))
        results.append(Check("skin: L*", name, *SKIN_LIGHTNESS, lightness))
        results.append(Check("skin: a*", name, *SKIN_A[name], a))
        results.append(Check("skin: b*", name, *SKIN_B[name], b))
    return [*results, Check("skin: casts told apart", "all", *TOLD_APART, _told_apart(list(skins.values())))]


def skin_colour(cast: Cast, seed: int) -> Points:
    """Return median L*, a* and b* of the bare skin of a normal frame."""
    scene = scene_of({}, seed, cast)
    skin = lab_of(frame_of(scene, seed))[bare_skin(hair_of(scene, seed))]
    return np.asarray(np.median(skin, axis=0), dtype=np.float64)


def _told_apart(skins: list[Points]) -> float:
    """Return the share of the frames whose skin is nearest to the mean of its own cast."""
    centres = np.array([skin.mean(axis=0) for skin in skins])
    nearest = [np.linalg.norm(skin[:, None] - centres, axis=2).argmin(axis=1) for skin in skins]
    return float(np.mean([nearest[own] == own for own in range(len(skins))]))


def _sharpness(seeds: int) -> list[Check]:
    good = [picture for picture in pictures_of(8 * seeds, 0) if not picture.confusers]
    figures = np.percentile([sharpness(render_picture(picture, 0)) for picture in good], OUTER_TENTHS)
    return [
        Check("dataset: Laplacian variance", f"{share}th percentile", *SHARPNESS, float(figure))
        for share, figure in zip(OUTER_TENTHS, figures, strict=True)
    ]


def sharpness(frame: Pixels) -> float:
    """Return the variance of the Laplacian of the grey picture."""
    return float(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
