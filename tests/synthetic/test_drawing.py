"""The renderer: what belongs to what, and that all there is can be drawn. How true it is: test_fidelity.py."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic.drawing.frame import render
from scalp_core.synthetic.drawing.hair import plan_hair
from scalp_core.synthetic.drawing.scene import CASTS, CONFUSERS, HAIR_COLOURS, Camera, Cast, Scene
from scalp_core.synthetic.fidelity import hair_mask, hair_of, lab_of, scene_of

# Oil makes the hairs of a pore cling together, and lost hair is no longer there.
HAIR_STAYS = [c for c in CONDITIONS if c not in (Condition.HAIR_LOSS, Condition.EXCESS_SEBUM)]


def frame(severities: dict[Condition, float], seed: int, **changes: object) -> np.ndarray:
    return render(replace(scene_of(severities, seed), **changes), np.random.default_rng(seed))


def test_the_same_state_gives_the_same_pixels() -> None:
    severities = {Condition.DANDRUFF: 2.0}
    assert (frame(severities, 3) == frame(severities, 3)).all()
    assert (frame(severities, 3) != frame(severities, 4)).any()


@pytest.mark.parametrize("condition", HAIR_STAYS, ids=[condition.code for condition in HAIR_STAYS])
def test_a_severity_leaves_the_hair_in_its_place(condition: Condition) -> None:
    plans = [hair_of(scene_of({condition: severity}, 1), 1) for severity in (0.0, 3.0)]
    paths = [[shaft.path.tolist() for shaft in plan.shafts] for plan in plans]
    assert paths[0] == paths[1]


@pytest.mark.parametrize("condition", [Condition.DANDRUFF, Condition.PUSTULES], ids=["dandruff", "pustules"])
def test_a_spot_changes_nothing_elsewhere(condition: Condition) -> None:
    """Every layer has its own chance: a mild severity leaves nearly all of the frame as it was, to the pixel."""
    changed = (frame({condition: 1.0}, 2) != frame({}, 2)).any(axis=2)
    assert 0.001 < changed.mean() < 0.2


def test_severities_add_up() -> None:
    """Redness is as red under dandruff as without it: where there is no plate, nothing else moves."""
    red, both = frame({Condition.ERYTHEMA: 2.0}, 5), frame({Condition.ERYTHEMA: 2.0, Condition.DANDRUFF: 1.0}, 5)
    assert (red == both).all(axis=2).mean() > 0.8


@pytest.mark.parametrize("cast", CASTS, ids=[cast.name for cast in CASTS])
@pytest.mark.parametrize("severity", [0.0, 3.0])
def test_extremes_are_drawn_too(cast: Cast, severity: float) -> None:
    image = render(Scene(dict.fromkeys(CONDITIONS, severity), cast, Camera(), 0.0), np.random.default_rng(0))
    assert image.shape == (480, 640, 3)
    assert image.dtype == np.uint8
    assert image.std() > 10


@pytest.mark.parametrize("colour", HAIR_COLOURS)
def test_every_colour_of_hair_is_told_from_skin(colour: str) -> None:
    """By all three of L*a*b*: grey hair is as light as skin."""
    scene = replace(scene_of({}, 4), hair=colour)
    core = cv2.erode(hair_mask(plan_hair(0.0, scene, np.random.default_rng(4).spawn(2)[1])), np.ones((3, 3))) > 0
    image = lab_of(render(scene, np.random.default_rng(4)))
    assert np.linalg.norm(np.median(image[core], axis=0) - np.median(image[~core], axis=0)) > 12


@pytest.mark.parametrize("confuser", CONFUSERS)
def test_every_confuser_shows(confuser: str) -> None:
    severities = {Condition.PUSTULES: 1.0}
    changed = frame(severities, 6, confusers=frozenset({confuser})) != frame(severities, 6)
    assert changed.any(axis=2).mean() > 0.002


@pytest.mark.parametrize("confuser", sorted(CONFUSERS.keys() - {"full_of_hair"}))
def test_a_confuser_leaves_the_hair_in_its_place(confuser: str) -> None:
    plain = scene_of({}, 6)
    confused = hair_of(replace(plain, confusers=frozenset({confuser})), 6)
    assert [shaft.path.tolist() for shaft in confused.shafts] == [s.path.tolist() for s in hair_of(plain, 6).shafts]


def test_full_hair_covers_the_frame() -> None:
    for severity in (0.0, 3.0):
        scene = replace(scene_of({Condition.HAIR_LOSS: severity}, 7), confusers=frozenset({"full_of_hair"}))
        assert (hair_mask(hair_of(scene, 7)) > 0).mean() > 0.4


def test_blur_blurs() -> None:
    sharp = cv2.Laplacian(frame({}, 8), cv2.CV_64F).var()
    for confuser in ("motion", "defocus"):
        blurred = cv2.Laplacian(frame({}, 8, confusers=frozenset({confuser})), cv2.CV_64F).var()
        assert blurred < 0.7 * sharp, confuser


def test_devices_differ() -> None:
    device = Camera(gains=(1.06, 1.0, 0.94), gamma=0.95, noise=1.5)
    own, other = frame({}, 9), frame({}, 9, camera=device)
    assert np.median(lab_of(other)[..., 2]) > np.median(lab_of(own)[..., 2]) + 2


def test_black_and_white_points_bound_the_tones() -> None:
    camera = Camera(noise=0.01, sharpening=0.0, black=(40.0, 46.0, 30.0), white=(225.0, 240.0, 250.0))
    image = frame({Condition.EXCESS_SEBUM: 3.0}, 3, camera=camera).reshape(-1, 3)
    assert (image.min(axis=0) >= (38, 44, 28)).all()
    assert (image.max(axis=0) <= (227, 242, 252)).all()


def test_heads_differ_in_direction_of_hair() -> None:
    spreads = []
    for seed in range(30):
        plan = hair_of(scene_of({}, seed), seed)
        angles = np.array([follicle.angle for follicle in plan.follicles])
        spreads.append(np.sqrt(-2 * np.log(abs(np.exp(1j * angles).mean()))))
    assert np.median(spreads) > 0.2
    assert np.quantile(spreads, 0.9) > 2 * np.quantile(spreads, 0.1)


def test_hairs_of_a_head_are_no_two_tones() -> None:
    colours = {shaft.colour for shaft in hair_of(scene_of({}, 2), 2).shafts}
    assert len(colours) > 10


def test_some_frames_have_blurred_hairs() -> None:
    blurred = [any(shaft.opacity < 0.81 for shaft in hair_of(scene_of({}, seed), seed).shafts) for seed in range(60)]
    assert 0.12 < np.mean(blurred) < 0.5
