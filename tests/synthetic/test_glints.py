"""Glints: on every scalp, bluish, about roots, and of an amount that tells no grade."""

import numpy as np

from scalp_core.synthetic.drawing.canvas import HEIGHT, WIDTH
from scalp_core.synthetic.drawing.glints import draw_glints
from scalp_core.synthetic.drawing.scene import Follicle, Hair
from scalp_core.synthetic.fidelity import lab_of

SKIN = (160, 155, 150)
BALD = Hair((), ())
RISE = 8.0  # L* over the skin from which a pixel counts as glint


def sparkle(seed: int, hair: Hair = BALD) -> np.ndarray:
    frame = np.full((HEIGHT, WIDTH, 3), SKIN, dtype=np.uint8)
    return draw_glints(frame, 0.3, hair, np.random.default_rng(seed))


def glint_mask(seed: int, hair: Hair = BALD) -> np.ndarray:
    light = lab_of(sparkle(seed, hair))[..., 0]
    return np.asarray(light > np.median(light) + RISE)


def test_the_same_chance_gives_the_same_glints() -> None:
    assert (sparkle(1) == sparkle(1)).all()
    assert (sparkle(1) != sparkle(2)).any()


def test_every_skin_sparkles_and_none_is_flooded() -> None:
    shares = np.array([glint_mask(seed).mean() for seed in range(30)])
    assert shares.min() > 0.001
    assert shares.max() < 0.12


def test_amount_differs_widely_between_frames() -> None:
    shares = np.array([glint_mask(seed).mean() for seed in range(30)])
    assert np.quantile(shares, 0.9) > 2.5 * np.quantile(shares, 0.1)


def test_glints_are_bluer_than_the_skin() -> None:
    for seed in range(5):
        lab, mask = lab_of(sparkle(seed)), glint_mask(seed)
        assert lab[mask][:, 2].mean() < lab[~mask][:, 2].mean() - 2.0


def test_more_glints_lie_about_roots() -> None:
    root = np.array([WIDTH / 2, HEIGHT / 2])
    hair = Hair((Follicle(root, 0.0),), ())
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    near = np.hypot(columns - root[0], rows - root[1]) < 40
    masks = [glint_mask(seed, hair) for seed in range(40)]
    assert np.mean([mask[near].mean() for mask in masks]) > 1.2 * np.mean([mask[~near].mean() for mask in masks])
