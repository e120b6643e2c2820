"""The cues of a frame: where each condition is drawn, planned before any pixel, and their masks.

All of it is planned from random streams of its own, so the masks of a frame are those of its pixels, whether the
pixels are drawn or not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic.drawing.canvas import HEIGHT, SHIFT, WIDTH, Field, Pixels, corners, smoothstep
from scalp_core.synthetic.drawing.dandruff import Flakes, plan_flakes
from scalp_core.synthetic.drawing.erythema import Redness, plan_redness
from scalp_core.synthetic.drawing.hair import plan_hair
from scalp_core.synthetic.drawing.pustules import plan_pustules
from scalp_core.synthetic.drawing.scaling import Scales, plan_scales
from scalp_core.synthetic.drawing.scene import Hair, Pustule, Scene
from scalp_core.synthetic.drawing.sebum import Oil, plan_oil

MIN_HAIR_LOSS = 0.5  # severity below which hair is as it should be: the gaps of a healthy head are no cue
# px from the nearest hair where a place begins to look bare, and where it is bald.
GAP = (34.0, 62.0)
EMPTY_PORE_REACH = 26.0  # px about an empty pore
THIN_HAIR = 4.5  # px, the width of the widest hair that is a cue of thinning
THIN_REACH = 5  # px about such a hair
SMEARED = 5  # px, about the width of the blur of lens and sensor
HALF_OPAQUE = 0.5
FULL_HALO = 1.25  # radii of a halo within which it is seen


class Streams(NamedTuple):
    """The random streams of a frame, one a layer."""

    skin: np.random.Generator
    hairs: np.random.Generator
    gloss: np.random.Generator
    flakes: np.random.Generator
    lace: np.random.Generator
    redness: np.random.Generator
    spots: np.random.Generator
    stains: np.random.Generator
    camera: np.random.Generator


@dataclass(frozen=True, eq=False)
class Cues:
    """The plan of every cue of a frame; None where there is none of it."""

    hair_loss: float
    hair: Hair
    scales: Scales | None
    oil: Oil | None
    redness: Redness
    pustules: tuple[Pustule, ...]
    flakes: Flakes | None


def streams_of(generator: np.random.Generator) -> Streams:
    """Return the streams of the frame that `generator` begins."""
    return Streams(*generator.spawn(len(Streams._fields)))


def cues_of(scene: Scene, generator: np.random.Generator) -> Cues:
    """Return the cues of the frame that `render` draws of the same scene and generator state."""
    return plan_cues(scene, streams_of(generator))


def plan_cues(scene: Scene, streams: Streams) -> Cues:
    """Plan the cues of a frame from the streams of its layers, before anything else is taken from them."""
    level = {condition: float(scene.severities[condition]) for condition in CONDITIONS}
    hair = plan_hair(level[Condition.HAIR_LOSS], scene, streams.hairs)
    return Cues(
        hair_loss=level[Condition.HAIR_LOSS],
        hair=hair,
        scales=plan_scales(level[Condition.FINE_SCALING], hair, streams.lace),
        oil=plan_oil(level[Condition.EXCESS_SEBUM], hair, streams.gloss),
        redness=plan_redness(level[Condition.ERYTHEMA], streams.redness),
        pustules=plan_pustules(level[Condition.PUSTULES], hair, streams.spots),
        flakes=plan_flakes(level[Condition.DANDRUFF], hair, streams.flakes),
    )


def masks_of_cues(cues: Cues) -> Pixels:
    """Return how strongly the cue of each condition covers each pixel: (6, 480, 640), 0–255, in order of CONDITIONS.

    Hairs that lie on a cue are not cut out of its mask.
    """
    masks: dict[Condition, Callable[[Cues], Pixels]] = {
        Condition.FINE_SCALING: _scaling_mask,
        Condition.EXCESS_SEBUM: _sebum_mask,
        Condition.ERYTHEMA: _erythema_mask,
        Condition.PUSTULES: lambda cues: _pustule_mask(cues.pustules),
        Condition.DANDRUFF: _dandruff_mask,
        Condition.HAIR_LOSS: _bald_mask,
    }
    return np.stack([masks[condition](cues) for condition in CONDITIONS])


def _empty() -> Pixels:
    return np.zeros((HEIGHT, WIDTH), dtype=np.uint8)


def _spread(opacity: cv2.typing.MatLike) -> Pixels:
    """Return the mask of small things: as wide as a lens smears them, and full where they are half opaque."""
    wide = cv2.dilate(opacity, np.ones((SMEARED, SMEARED), dtype=np.uint8))
    return np.asarray(cv2.convertScaleAbs(wide, alpha=1.0 / HALF_OPAQUE), dtype=np.uint8)


def _bytes(field: Field) -> Pixels:
    """Return a field of 0–1 as bytes at full size."""
    full = cv2.resize(field, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(np.round(full * np.float32(255.0)), 0, 255), dtype=np.uint8)


def _scaling_mask(cues: Cues) -> Pixels:
    return _spread(cv2.convertScaleAbs(cues.scales.opacity, alpha=255.0)) if cues.scales else _empty()


def _sebum_mask(cues: Cues) -> Pixels:
    if not cues.oil:
        return _empty()
    return _spread(np.max((cues.oil.shine, cues.oil.lumps, cues.oil.clumps, cues.oil.gloss), axis=0))


def _erythema_mask(cues: Cues) -> Pixels:
    return _bytes(cues.redness.field)


def _pustule_mask(pustules: Sequence[Pustule]) -> Pixels:
    mask = _empty()
    for pustule in pustules:
        for centre, radius in ((pustule.centre, FULL_HALO * pustule.halo), (pustule.head, pustule.dome)):
            x, y = corners(centre)
            reach = math.ceil(radius * (1 << SHIFT))
            cv2.circle(mask, (int(x), int(y)), reach, (255 * pustule.redness,), -1, cv2.LINE_AA, SHIFT)
    return mask


def _dandruff_mask(cues: Cues) -> Pixels:
    return _spread(cv2.max(cues.flakes.cream, cues.flakes.bright)) if cues.flakes else _empty()


def _bald_mask(cues: Cues) -> Pixels:
    """Return where hair is missing or thin: wide gaps between the hairs, empty pores, hairs that have become thin."""
    if cues.hair_loss < MIN_HAIR_LOSS:
        return _empty()
    covered, thin = _empty(), _empty()
    for shaft in cues.hair.shafts:
        is_thin = float(shaft.widths.max()) < THIN_HAIR
        cv2.fillPoly(thin if is_thin else covered, [corners(shaft.outline())], (255,), cv2.LINE_8, SHIFT)
    away = cv2.distanceTransform(cv2.bitwise_not(covered), cv2.DIST_L2, 3)
    mask = np.maximum(_bytes(smoothstep(away, *GAP)), cv2.dilate(thin, np.ones((THIN_REACH, THIN_REACH), np.uint8)))
    for follicle in cues.hair.follicles:
        if follicle.empty:
            x, y = corners(follicle.centre)
            cv2.circle(mask, (int(x), int(y)), int(EMPTY_PORE_REACH) << SHIFT, (255,), -1, cv2.LINE_AA, SHIFT)
    return np.asarray(mask, dtype=np.uint8)
