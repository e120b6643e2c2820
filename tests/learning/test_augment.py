"""Augmentation: what varies and what stays, on pictures in which every place shows its coordinates."""

import numpy as np
import pytest
import torch
from torch import Tensor

from scalp_core.learning import augment as module
from scalp_core.learning.augment import augment

QUARTERS = [(slice(8, 24), slice(8, 24)), (slice(8, 24), slice(40, 56)), (slice(40, 56), slice(8, 24))]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def picture(pictures: int, height: int = 64, width: int = 64) -> Tensor:
    """Noise about skin, the same for every picture of the batch."""
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    skin = torch.tensor([167.0, 152.0, 145.0])[:, None, None]
    return (skin + 12 * noise).clamp(0, 255).repeat(pictures, 1, 1, 1)


@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_shape_type_and_range_stay(size: tuple[int, int], layout: torch.memory_format) -> None:
    pixels = picture(5, *size).contiguous(memory_format=layout)
    before = pixels.clone()
    varied = augment(pixels)
    assert varied.shape == pixels.shape
    assert varied.dtype == torch.float32
    assert varied.is_contiguous(memory_format=layout)
    assert varied.min() >= 0
    assert varied.max() <= 255
    assert torch.equal(pixels, before)


def test_the_layout_changes_nothing_but_rounding() -> None:
    pixels = picture(5)
    plain = augment(pixels)
    torch.manual_seed(0)
    torch.testing.assert_close(augment(pixels.contiguous(memory_format=torch.channels_last)), plain, rtol=0, atol=0.01)


def test_seed_repeats_it_and_no_two_are_alike() -> None:
    first, second = augment(picture(6)), augment(picture(6))
    torch.manual_seed(0)
    assert torch.equal(augment(picture(6)), first)
    assert not torch.equal(first, second)
    for number in range(1, 6):
        assert not torch.equal(first[number], first[0])


def test_every_side_comes_up_equally_often() -> None:
    pixels = torch.full((400, 3, 64, 64), 80.0)
    pixels[:, :, 8:24, 8:24] = 200.0  # only the upper left quarter is bright
    grey = augment(pixels).mean(dim=1)
    brightest = torch.stack([grey[:, rows, columns].mean(dim=(1, 2)) for rows, columns in QUARTERS], dim=1)
    corner = torch.where(brightest.max(dim=1).values > 120, brightest.argmax(dim=1), 3)
    assert all(70 <= count <= 130 for count in np.bincount(corner, minlength=4))


def test_grey_picture_stays_even_and_takes_gains_only() -> None:
    varied = augment(torch.full((200, 3, 32, 32), 128.0))
    assert (varied - varied[:, :, :1, :1]).abs().max() < 1e-2
    logarithms = (varied[:, :, 0, 0] / 128).log()
    lightness = logarithms.mean(dim=1)
    assert lightness.exp().min() > 0.84
    assert lightness.exp().max() < 1.16
    gains = logarithms - lightness[:, None]
    assert 0.025 < gains.std() < 0.04  # centring takes a third of the variance
    assert gains.abs().max() < 0.15


def test_no_corner_is_filled_with_anything() -> None:
    varied = augment(torch.full((200, 3, 48, 64), 128.0))
    edges = torch.cat([varied[..., 0, :], varied[..., -1, :], varied[..., :, 0], varied[..., :, -1]], dim=-1)
    assert edges.min() > 90


def test_skin_keeps_its_redness_beside_other_skin() -> None:
    # Grade 1 of erythema, Δa* of about 4, on half of the picture.
    pixels = torch.tensor([167.0, 152.0, 145.0])[:, None, None].repeat(200, 1, 64, 64)
    pixels[:, :, :, 32:] = torch.tensor([173.0, 149.0, 145.0])[:, None, None]
    varied = augment(pixels)
    redness = varied[:, 0] - varied[:, 1]
    ends = (redness[:, 24:40, :12].mean(dim=(1, 2)) - redness[:, 24:40, -12:].mean(dim=(1, 2))).abs()
    assert ends.min() > 4
    assert ends.max() < 16


def test_red_spot_of_three_pixels_is_still_there() -> None:
    pixels = torch.tensor([167.0, 152.0, 145.0])[:, None, None].repeat(200, 1, 64, 64)
    pixels[:, :, 31:34, 31:34] = torch.tensor([200.0, 50.0, 50.0])[:, None, None]
    varied = augment(pixels)
    redness = varied[:, 0] - varied[:, 1]
    spot = redness.amax(dim=(1, 2)) - redness.flatten(1).median(dim=1).values
    assert spot.min() > 75  # of 135


def test_fine_structure_stays_sharp() -> None:
    def sharpness(pixels: Tensor) -> Tensor:
        return pixels.mean(dim=1).diff(dim=-1).std(dim=(1, 2))

    # One pixel's own detail is the worst case for bilinear resampling.
    kept = sharpness(augment(picture(64))) / sharpness(picture(64))
    assert kept.median() > 0.5


def test_turns_keep_right_angles_in_any_frame() -> None:
    placements = module._placements(picture(100, 48, 80))[:, :, :2]
    sizes = torch.tensor([80.0, 48.0])
    in_pixels = placements * sizes[:, None] / sizes
    products = in_pixels @ in_pixels.transpose(1, 2)
    zooms = products[:, 0, 0].rsqrt()
    torch.testing.assert_close(products, torch.eye(2) / zooms[:, None, None].square())
    assert 0.95 <= zooms.min() < 0.98
    assert 1.12 < zooms.max() <= 1.15


def test_masks_move_with_their_pictures() -> None:
    pixels = torch.full((40, 3, 64, 64), 40.0)
    pixels[:, :, 8:24, 8:32] = 200.0
    masks = (pixels[:, :1, ::2, ::2] > 100).float()
    varied, moved = augment(pixels, masks)
    assert moved.shape == (40, 1, 32, 32)
    cue = varied.mean(dim=1, keepdim=True)[..., ::2, ::2] > 120
    assert ((moved > 0.5) == cue).float().mean() > 0.97
