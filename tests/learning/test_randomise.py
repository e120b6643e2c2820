"""Randomisation as a whole: what stays, what repeats, and that redness is neither made nor destroyed."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from scalp_core.learning import randomise as module
from scalp_core.learning.glint_overlay import vary_glints
from scalp_core.learning.randomise import randomise

SKIN = torch.tensor([167.0, 152.0, 145.0])[:, None, None]
ERYTHEMA = torch.tensor([205.0, 133.0, 140.0])[:, None, None]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def skin_with_hair(pictures: int, height: int = 96, width: int = 96) -> Tensor:
    """Noise about skin with one dark hair, the same for every picture of the batch."""
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    pixels = SKIN + 6 * noise
    pixels[..., width // 3 : width // 3 + 3] = 45.0
    return pixels.clamp(0, 255).repeat(pictures, 1, 1, 1)


def redness(pixels: Tensor) -> np.ndarray:
    """Mean a* of each picture."""
    rgb = pixels.permute(0, 2, 3, 1).numpy() / 255
    return np.array([cv2.cvtColor(picture, cv2.COLOR_RGB2Lab)[..., 1].mean() for picture in np.float32(rgb)])


@pytest.mark.parametrize("size", [(64, 64), (96, 128), (224, 224)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_shape_type_and_range_are_kept(size: tuple[int, int], layout: torch.memory_format) -> None:
    pixels = skin_with_hair(5, *size).contiguous(memory_format=layout)
    before = pixels.clone()
    varied = randomise(pixels)
    assert varied.shape == pixels.shape
    assert varied.dtype == torch.float32
    assert varied.is_contiguous(memory_format=layout)
    assert varied.isfinite().all()
    assert varied.min() >= 0
    assert varied.max() <= 255
    assert torch.equal(pixels, before)


def test_a_seed_repeats_the_randomisation() -> None:
    first, second = randomise(skin_with_hair(20)), randomise(skin_with_hair(20))
    torch.manual_seed(0)
    assert torch.equal(randomise(skin_with_hair(20)), first)
    assert not torch.equal(first, second)
    for number in range(1, 20):
        assert not torch.equal(first[number], first[0])


def test_black_and_white_pictures_stay_finite() -> None:
    for level in (0.0, 255.0):
        assert randomise(torch.full((16, 3, 64, 64), level)).isfinite().all()


def test_erythema_is_neither_made_nor_destroyed() -> None:
    healthy, red = SKIN.expand(200, 3, 64, 64).clone(), ERYTHEMA.expand(200, 3, 64, 64).clone()
    for pixels in (healthy, red):
        before = redness(pixels)[0]
        shifts = redness(randomise(pixels)) - before
        assert np.abs(shifts).max() < 12  # severe erythema adds 17, and glints dilute some of it
        assert np.abs(shifts).mean() < 5.5
        assert shifts.std() > 2


def test_red_place_stays_redder_than_its_surroundings() -> None:
    pixels = SKIN.repeat(100, 1, 96, 96)
    pixels[:, :, 24:72, 24:72] = torch.tensor([187.0, 143.0, 142.0])[:, None, None]  # a* + 10
    masks = torch.zeros(100, 1, 96, 96)
    masks[:, :, 24:72, 24:72] = 1
    varied, places = randomise(pixels, masks)
    difference = varied[:, 0] - varied[:, 1]
    inside, outside = (places[:, 0] > 0.9), (places[:, 0] < 0.1)
    contrast = torch.stack(
        [
            values[red].mean() - values[rest].mean()
            for values, red, rest in zip(difference, inside, outside, strict=True)
        ]
    )
    assert contrast.min() > 5
    assert contrast.median() > 18  # of 29


def test_masks_of_another_size_move_along() -> None:
    pixels = torch.full((40, 3, 96, 96), 150.0)
    pixels[:, :, 60:84, 12:40] = 20.0
    masks = (pixels[:, :1, ::4, ::4] < 100).float()
    varied, moved = randomise(pixels, masks)
    assert moved.shape == (40, 1, 24, 24)
    grey = varied.mean(dim=1, keepdim=True)[..., 2::4, 2::4]
    dark = torch.stack([picture[mask > 0.9].mean() for picture, mask in zip(grey, moved, strict=True)])
    light = torch.stack([picture[mask < 0.1].mean() for picture, mask in zip(grey, moved, strict=True)])
    assert (light - dark).min() > 30


def test_pictures_at_once_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def counted(pixels: Tensor) -> Tensor:
        sizes.append(len(pixels))
        return vary_glints(pixels)

    monkeypatch.setattr(module, "vary_glints", counted)
    randomise(skin_with_hair(20))
    assert sum(sizes) == 20
    assert max(sizes) * 96 * 96 <= 2**17
