"""Lenses and sensors: half of the pictures stay sharp, the others are softened; brightness stays."""

import pytest
import torch
from torch import Tensor

from scalp_core.learning.lens_variation import vary_lens


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def texture(pictures: int, size: int = 128) -> Tensor:
    noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    return (150 + 12 * noise).repeat(pictures, 1, 1, 1)


def sharpness(pixels: Tensor) -> Tensor:
    return pixels.mean(dim=1).diff(dim=-1).std(dim=(1, 2))


def test_half_of_the_pictures_stay_sharp() -> None:
    kept = sharpness(vary_lens(texture(200))) / sharpness(texture(1))
    assert 0.4 < (kept > 0.97).float().mean() < 0.65
    assert 0.2 < (kept < 0.7).float().mean() < 0.5
    assert kept.max() < 1.8 + 0.1


def test_the_mean_of_a_picture_stays() -> None:
    means = vary_lens(texture(50)).mean(dim=(2, 3))
    torch.testing.assert_close(means, texture(50).mean(dim=(2, 3)), rtol=0, atol=1.0)


def test_an_even_picture_stays_even() -> None:
    varied = vary_lens(torch.full((50, 3, 64, 80), 120.0))
    assert (varied - 120).abs().max() < 3  # noise


def test_lengths_scale_with_the_picture() -> None:
    # The same frame, a bar of 40 px of 640, at two sizes: as soft relative to the frame.
    softened = []
    for size in (64, 256):
        pixels = torch.full((300, 3, size, size), 200.0)
        pixels[..., size // 2 : size // 2 + size // 16] = 50.0
        torch.manual_seed(0)
        softened.append(vary_lens(pixels).mean(dim=(1, 2)).amin(dim=1))
    assert (softened[0].mean() - softened[1].mean()).abs() < 10


def test_slow_redness_keeps_its_amplitude() -> None:
    across = torch.linspace(0, 6.28, 128).cos()
    pixels = torch.full((60, 3, 128, 128), 140.0)
    pixels[:, 0] += 20 * across
    pixels[:, 1] -= 20 * across * 0.299 / 0.587  # of equal luma
    red = vary_lens(pixels)
    swings = (red[:, 0] - red[:, 1]).mean(dim=1).amax(dim=1) - (red[:, 0] - red[:, 1]).mean(dim=1).amin(dim=1)
    assert (swings / (40 * (1 + 0.299 / 0.587)) - 1).abs().max() < 0.1
