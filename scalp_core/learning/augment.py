"""Augmentation of a batch of pictures, within the variation of a microscope.

One resampling and one colour matrix a picture, whatever their number: both are computed for the whole batch at once, on
the device the pixels are on.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

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
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def augment(pixels: Tensor) -> Tensor:
    """Vary every picture of a batch: flips, turn, zoom, shift, brightness, contrast, saturation, white balance.

    Random numbers come from torch's generator of the pixels' device, so `torch.manual_seed` repeats them.

    Args:
        pixels: (n, 3, height, width), float32, 0–255; any memory format.

    Returns:
        A new tensor of the same shape and memory format, 0–255.
    """
    varied = _recoloured(_resampled(pixels))
    return torch.clamp(varied, 0, 255, out=torch.empty_like(pixels))


def _uniform(pictures: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.empty(pictures, device=device).uniform_(low, high)


def _resampled(pixels: Tensor) -> Tensor:
    grid = _grid(_placements(pixels), *pixels.shape[2:])
    # Reflected, as skin and hair go on beyond the frame; a filled or drawn-out border would be a shape of its own.
    return grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _placements(pixels: Tensor) -> Tensor:
    """Return matrices (n, 2, 3) from a place in the new picture to one in the old, both −1…1 from edge to edge."""
    pictures, _, height, width = pixels.shape
    device = pixels.device
    turn = _uniform(pictures, -_TURN, _TURN, device)
    zoom = _uniform(pictures, *_ZOOM, device)
    shift_x, shift_y = (_uniform(pictures, -2 * _SHIFT, 2 * _SHIFT, device) for _ in range(2))
    flips = 2.0 * torch.randint(0, 2, (pictures, 2, 1), device=device) - 1
    cosine, sine, aspect = turn.cos() / zoom, turn.sin() / zoom, height / width
    across = torch.stack([cosine, -sine * aspect, shift_x], dim=-1)
    down = torch.stack([sine / aspect, cosine, shift_y], dim=-1)
    return flips * torch.stack([across, down], dim=1)


def _grid(placements: Tensor, height: int, width: int) -> Tensor:
    """Return torch's affine_grid, (n, height, width, 2), in a tenth of the time by adding a column to a row."""
    across, down = (_centres(size, placements.device) for size in (width, height))
    by_column, by_row, shift = placements[..., None, None].unbind(dim=2)
    return (by_column * across + (by_row * down[:, None] + shift)).permute(0, 2, 3, 1)


def _centres(size: int, device: torch.device) -> Tensor:
    return (2 * torch.arange(size, device=device) + 1) / size - 1


def _recoloured(pixels: Tensor) -> Tensor:
    """Apply gains · saturation · (contrast around the mean grey · brightness), as one matrix and offset."""
    pictures, _, height, width = pixels.shape
    device = pixels.device
    brightness, contrast, saturation = (_uniform(pictures, 1 - _LIGHT, 1 + _LIGHT, device) for _ in range(3))
    logarithms = torch.randn(pictures, 3, device=device) * _WHITE_BALANCE
    gains = (logarithms - logarithms.mean(dim=1, keepdim=True)).exp()  # brightness varies separately
    luma = torch.tensor(_LUMA, device=device)
    saturate = torch.lerp(luma.expand(3, 3), torch.eye(3, device=device), saturation[:, None, None])
    matrix = gains[:, :, None] * saturate * (contrast * brightness)[:, None, None]
    grey = pixels.mean(dim=(2, 3)) @ luma
    offset = gains * ((1 - contrast) * brightness * grey)[:, None]
    return torch.baddbmm(offset[:, :, None], matrix, pixels.flatten(2)).view(pictures, 3, height, width)
