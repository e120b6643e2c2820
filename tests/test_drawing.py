"""The renderer: every condition shows in the pixels, and grows with its grade while all else stays as it is."""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import pytest

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.drawing.frame import render
from scalp_core.drawing.hair import plan_hair
from scalp_core.drawing.scene import CASTS, Camera, Scene

SEEDS = range(6)
Frame = np.ndarray


def scene(condition: Condition, grade: float, seed: int) -> Scene:
    severities = dict.fromkeys(CONDITIONS, 0.0) | {condition: grade}
    return Scene(severities, CASTS[seed % len(CASTS)], Camera(), direction=2.2)


@lru_cache(maxsize=64)
def frame(condition: Condition, grade: float, seed: int) -> Frame:
    return render(scene(condition, grade, seed), np.random.default_rng(seed))


def lab(image: Frame) -> Frame:
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def brighter(image: Frame, normal: Frame) -> float:
    return float((lab(image)[..., 0] > lab(normal)[..., 0] + 6).mean())


def redness(image: Frame, normal: Frame) -> float:
    return float((lab(image)[..., 1] - lab(normal)[..., 1]).mean())


def red_area(image: Frame, normal: Frame) -> float:
    return float((lab(image)[..., 1] > lab(normal)[..., 1] + 8).mean())


def bright_and_dull(image: Frame, _normal: Frame) -> float:
    """Opaque cream: bright, but without the glare of a wet spot."""
    lightness = lab(image)[..., 0]
    return float(((lightness > 74) & (lightness < 96)).mean())


def glare(image: Frame, _normal: Frame) -> float:
    return float((image.min(axis=2) > 205).mean())


def dark(image: Frame, _normal: Frame) -> float:
    """Hair; no skin is that dark, and grey hair is rare."""
    return float((lab(image)[..., 0] < 38).mean())


CUES: list[tuple[Condition, Callable[[Frame, Frame], float], int]] = [
    (Condition.FINE_SCALING, brighter, 1),
    (Condition.EXCESS_SEBUM, glare, 1),
    (Condition.ERYTHEMA, redness, 1),
    (Condition.PUSTULES, red_area, 1),
    (Condition.DANDRUFF, bright_and_dull, 1),
    (Condition.HAIR_LOSS, dark, -1),
]


@pytest.mark.parametrize(("condition", "measure", "sign"), CUES, ids=[cue[0].code for cue in CUES])
def test_a_cue_grows_with_its_grade(condition: Condition, measure: Callable[[Frame, Frame], float], sign: int) -> None:
    means = []
    for grade in range(4):
        pairs = [(frame(condition, grade, seed), frame(condition, 0, seed)) for seed in SEEDS]
        means.append(np.mean([measure(graded, normal) for graded, normal in pairs]))
    assert (np.diff(means) * sign > 0).all(), means


def test_erythema_reddens_as_measured() -> None:
    """About +4 / +9 / +17 on the skin, so a little less over frames that are partly hair."""
    shifts = [
        np.mean([redness(frame(Condition.ERYTHEMA, grade, seed), frame(Condition.ERYTHEMA, 0, seed)) for seed in SEEDS])
        for grade in (1, 2, 3)
    ]
    assert shifts == pytest.approx([3.4, 7.6, 14.5], abs=1.5)


def test_hair_coverage_is_as_measured() -> None:
    for grade, expected in enumerate((0.164, 0.111, 0.099, 0.057)):
        covered = []
        for seed in range(30):
            mask = np.zeros((480, 640), dtype=np.uint8)
            for shaft in plan_hair(grade, scene(Condition.HAIR_LOSS, grade, seed), np.random.default_rng(seed)).shafts:
                cv2.fillPoly(mask, [np.round(shaft.outline()).astype(np.int32)], 255)
            covered.append((mask > 0).mean())
        assert np.mean(covered) == pytest.approx(expected, abs=0.025), grade


def test_the_same_state_gives_the_same_pixels() -> None:
    assert (frame(Condition.DANDRUFF, 2, 3) == frame(Condition.DANDRUFF, 2, 3)).all()
    assert (frame(Condition.DANDRUFF, 2, 3) != frame(Condition.DANDRUFF, 2, 4)).any()


@pytest.mark.parametrize("condition", [c for c in CONDITIONS if c not in (Condition.HAIR_LOSS, Condition.EXCESS_SEBUM)])
def test_a_severity_leaves_the_hair_in_its_place(condition: Condition) -> None:
    plans = [
        plan_hair(0.0, scene(condition, grade, 1), np.random.default_rng(1)).shafts[0].path.tolist() for grade in (0, 3)
    ]
    assert plans[0] == plans[1]


@pytest.mark.parametrize("cast", CASTS, ids=[cast.name for cast in CASTS])
def test_extremes_are_drawn_too(cast: object) -> None:
    for grade in (0.0, 3.0):
        image = render(Scene(dict.fromkeys(CONDITIONS, grade), cast, Camera(), 0.0), np.random.default_rng(0))
        assert image.shape == (480, 640, 3)
        assert image.dtype == np.uint8
        assert image.std() > 10
