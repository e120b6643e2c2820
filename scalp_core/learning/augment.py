"""Augmentation of a batch of pictures, within the variation of a microscope.

One resampling and one colour matrix a picture, whatever their number: both are computed for the whole batch at once, on
the device the pixels are on.
"""

import math
from typing import overload

import torch
from torch import Tensor

from scalp_core.learning.placement import draw_placements, place, uniform

# Any side may be up and hair has no preferred direction, so flips are free; turns are small only because their corners
# have to be filled. The crop stays close to the whole: the graded area must not leave it.
_TURN = math.radians(10)
_ZOOM = (0.95, 1.15)
_SHIFT = 0.06  # of width and height
_LIGHT = 0.15  # brightness, contrast and saturation: 1 ± this
# White balance differs between devices by far more (a* −12…+19) than erythema does (Δa* +4, +9, +17), so the shade of
# the whole picture tells little of it; what tells is the difference between skin and skin, which gains leave standing.
# This is the standard deviation of their logarithms and shifts a* and b* by about 4, the first step of erythema. At
# twice that, one healthy picture in forty would be as red as severe erythema.
_WHITE_BALANCE = 0.04
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@overload
def augment(pixels: Tensor) -> Tensor: ...


@overload
def augment(pixels: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]: ...


def augment(pixels: Tensor, masks: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
    """Vary every picture of a batch: flips, turn, zoom, shift, brightness, contrast, saturation, white balance.

    Random numbers come from torch's generator of the pixels' device, so `torch.manual_seed` repeats them.

    Args:
        pixels: (n, 3, height, width), float32, 0–255; any memory format.
        masks: (n, channels, height of masks, width of masks), float32, over the same frames.

    Returns:
        A new tensor of the shape and memory format of the pixels, 0–255; with masks also these, in the same places.
    """
    placements = _placements(pixels)
    varied = _recoloured(place(pixels, placements))
    clamped = torch.clamp(varied, 0, 255, out=torch.empty_like(pixels))
    return clamped if masks is None else (clamped, place(masks, placements))


def _placements(pixels: Tensor) -> Tensor:
    pictures, _, height, width = pixels.shape
    return draw_placements(pictures, _TURN, _ZOOM, _SHIFT, height / width, pixels.device)


def _recoloured(pixels: Tensor) -> Tensor:
    """Apply gains · saturation · (contrast around the mean grey · brightness), as one matrix and offset."""
    pictures, _, height, width = pixels.shape
    device = pixels.device
    brightness, contrast, saturation = (uniform(pictures, 1 - _LIGHT, 1 + _LIGHT, device) for _ in range(3))
    logarithms = torch.randn(pictures, 3, device=device) * _WHITE_BALANCE
    gains = (logarithms - logarithms.mean(dim=1, keepdim=True)).exp()  # brightness varies separately
    luma = torch.tensor(LUMA, device=device)
    saturate = torch.lerp(luma.expand(3, 3), torch.eye(3, device=device), saturation[:, None, None])
    matrix = gains[:, :, None] * saturate * (contrast * brightness)[:, None, None]
    grey = pixels.mean(dim=(2, 3)) @ luma
    offset = gains * ((1 - contrast) * brightness * grey)[:, None]
    return torch.baddbmm(offset[:, :, None], matrix, pixels.flatten(2)).view(pictures, 3, height, width)
