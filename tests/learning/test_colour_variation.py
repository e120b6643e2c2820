"""Colours of other lamps and sensors: how far they may go, and what of redness stays."""

import cv2
import numpy as np
import pytest
import torch

from scalp_core.learning import colour_variation as module
from scalp_core.learning.colour_variation import vary_colours


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def lab(pixels: torch.Tensor) -> np.ndarray:
    rgb = pixels.clamp(0, 255).permute(0, 2, 3, 1).numpy() / 255
    return np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2Lab) for picture in np.float32(rgb)])


def test_steps_are_those_of_srgb() -> None:
    skin = np.array(module._SKIN)
    for number, change in enumerate(np.eye(3)):
        moved = np.float32((skin + np.array(module._STEPS)[:, number]) / 255)[None, None]
        before = np.float32(skin / 255)[None, None]
        step = cv2.cvtColor(moved, cv2.COLOR_RGB2Lab) - cv2.cvtColor(before, cv2.COLOR_RGB2Lab)
        np.testing.assert_allclose(step[0, 0], change, atol=0.1)


def test_mean_colours_move_within_their_bounds() -> None:
    pixels = torch.tensor([167.0, 152.0, 145.0])[:, None, None].repeat(400, 1, 32, 32)
    pixels[..., :2] = 40.0
    shifts = (lab(vary_colours(pixels)) - lab(pixels)).mean(axis=(1, 2))
    assert (np.abs(shifts).max(axis=0) < np.array(module._MOST_SHIFT) + 2.5).all()
    assert (shifts.std(axis=0) > (3, 3, 3)).all()


def test_fields_redden_less_than_slight_erythema() -> None:
    fields = module._fields(500, torch.device("cpu"))
    steps = torch.tensor(module._STEPS) / torch.tensor(module._SKIN)[:, None]
    redness = torch.einsum("lc,ncij->nlij", torch.linalg.inv(steps), fields - 1)[:, 1]
    assert redness.abs().max() < 4
    plain = (fields == 1).all(dim=(1, 2, 3)).float().mean()
    assert 0.4 < plain < 0.6


def test_channels_clip_at_levels_of_their_own() -> None:
    pixels = torch.full((100, 3, 32, 32), 140.0)
    pixels[..., :2], pixels[..., 16:20] = 40.0, 400.0
    white = vary_colours(pixels).amax(dim=(2, 3))
    assert white.min() > 180
    assert white.max() <= 255
    assert (white[:, 0] - white[:, 2]).abs().max() > 5


def test_skin_is_never_without_colour() -> None:
    pixels = torch.tensor([180.0, 140.0, 130.0])[:, None, None].repeat(200, 1, 32, 32)
    pixels[..., 16:] = torch.tensor([150.0, 150.0, 160.0])[:, None, None]
    pixels[:, :, :2] = 40.0
    varied = lab(vary_colours(pixels))[:, 4:, :, 1]
    contrast = varied[..., 2:14].mean(axis=(1, 2)) - varied[..., 18:30].mean(axis=(1, 2))
    before = lab(pixels[:1])[0, 4:, :, 1]
    kept = contrast / (before[:, 2:14].mean() - before[:, 18:30].mean())
    assert kept.min() > 0.25
    assert 0.75 < np.median(kept) < 1.1
