"""Variation of the colours of a batch: other lamps, sensors and tone curves, and slow fields of light and colour.

Ranges are the spread measured on real frames, times 1.3 (docs/design/training.md). A step of L*, a*, b* is the gain of
each channel that moves skin by it: so hair, which is dark, moves less, as under another lamp. How far the mean a* and
the local a* may move is bounded, as redness is a label.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from scalp_core.inference.camera_spread import CHANNEL_GAIN, CHANNEL_GAMMA, CLIPPING_LEVEL, MOST_TILT
from scalp_core.learning.augment import LUMA
from scalp_core.learning.placement import centres, uniform

# Mean skin of real frames, L* 66, a* 0, b* 4: its sRGB, and how red, green and blue change by a step of L*, a*, b*
# there. Moves of 15 % are off by less than 1.
_SKIN = (163.6, 160.1, 153.2)
_STEPS = ((2.670, 1.852, 0.770), (2.657, -0.569, -0.066), (2.637, 0.035, -1.776))
_CAST = 5.0  # standard deviations of L*, a* and b* of a whole picture
_DARKEST = (10.0, 60.0)  # where a sensor puts the darkest hair
_CONTRAST = (0.8, 1.3)  # what the darkest level may change the contrast by
_HUE = math.radians(8)
_SATURATION = (0.6, 1.3)
# Erythema adds 4, 9, 17 to a* of skin at grades 1, 2, 3.
# L*, a*, b* of the mean of a picture: twice the deviations of real skin at most, and less than half of what severe
# erythema adds to a*. Without it casts, gains and tone curves add up to lamps that no microscope has.
_MOST_SHIFT = (12.0, 8.0, 10.0)
_SOFTNESS = 1.5  # of the bound: few shifts lie at it, and those of a* have a standard deviation of about 5
_MOST_FIELD_REDDER = 3.5  # of one place against the mean of its picture: less than slight erythema adds
# The slow field: half of the covariance of L*, a*, b* within a real frame.
_FIELD_SHARE = 0.5  # of the pictures
_FIELD_STRENGTH = 0.5
_COVARIANCE = ((19.3, -2.8, -3.0), (-2.8, 13.1, 3.6), (-3.0, 3.6, 9.8))
_CELLS = ((5, 7), (3, 4))  # nodes down and across, about 110 and 230 pixels of a frame apart
_NODES = 16  # a side, on which the field is put together
_WARM_REDNESS = 8.0  # largest a* that the middle of a frame is redder by, where the probe presses
_WARM_YELLOWNESS = (4.0, 2.6)  # mean and standard deviation of the same in b*
_MIDDLE_LIGHTNESS = 4.0  # standard deviation of the same in L*, of either sign
_TILT = (1.0, MOST_TILT)  # L* from the middle to an edge
_FIELD_GAINS = (0.6, 1.5)
_SAMPLED = 4  # every fourth pixel down and across tells the darkest level
_DARK_SHARE = 0.005


def vary_colours(pixels: Tensor) -> Tensor:
    """Return a batch (n, 3, height, width), 0–255, as other lamps and sensors would have taken it.

    Values may be below 0 or above 255 where they were, and no more so.
    """
    pictures, _, height, width = pixels.shape
    mean = pixels.mean(dim=(2, 3))
    matrix, offset = _linear(pixels, mean)
    gamma = uniform(3 * pictures, *CHANNEL_GAMMA, pixels.device).view(pictures, 3)
    linear = (matrix @ mean[:, :, None])[:, :, 0] + offset
    gains = _gains(mean, linear, gamma)
    # (gain · x)^gamma · 255^(1 − gamma), with all that is constant in a picture in the matrix and the offset.
    gains = gains * 255 ** (1 / gamma - 1)
    varied = torch.baddbmm((offset * gains)[:, :, None], matrix * gains[:, :, None], pixels.flatten(2)).view(
        pixels.shape
    )
    varied = varied * interpolate(_fields(pictures, pixels.device), (height, width), mode="bilinear")
    varied = varied.clamp_(min=0.1).pow_(gamma[:, :, None, None])
    caps = uniform(3 * pictures, *CLIPPING_LEVEL, pixels.device).view(pictures, 3, 1, 1)
    return torch.minimum(varied, caps)


def _linear(pixels: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Return matrices (n, 3, 3) and offsets (n, 3): hue and saturation about grey, contrast about the mean grey."""
    pictures, device = len(pixels), pixels.device
    luma = torch.tensor(LUMA, device=device)
    angles = uniform(pictures, -_HUE, _HUE, device)
    saturation = uniform(pictures, *_SATURATION, device)
    contrast = _contrast(pixels, mean @ luma)
    grey = luma.expand(3, 3)
    colour = torch.eye(3, device=device) - grey
    # A rotation of the plane of colours, on which `turned` stands at right angles to `colour`.
    red, green, blue = colour
    turned = torch.stack([green - blue, blue - red, red - green]) / math.sqrt(3)
    wheel = angles.cos()[:, None, None] * colour + angles.sin()[:, None, None] * (turned - luma @ turned)
    matrix = contrast[:, None, None] * (grey + saturation[:, None, None] * wheel)
    return matrix, ((1 - contrast) * (mean @ luma))[:, None].expand(-1, 3)


def _contrast(pixels: Tensor, grey: Tensor) -> Tensor:
    """Return the contrast (n,) that puts the darkest level of each picture to another one and leaves the mean."""
    sampled = (pixels[:, :, ::_SAMPLED, ::_SAMPLED] * torch.tensor(LUMA, device=pixels.device)[:, None, None]).sum(1)
    sampled = sampled.flatten(1)
    darkest = sampled.kthvalue(1 + int(_DARK_SHARE * sampled.shape[1]), dim=1).values
    wanted = uniform(len(pixels), *_DARKEST, pixels.device)
    return ((grey - wanted) / (grey - darkest).clamp(min=1)).clamp(*_CONTRAST)


def _gains(mean: Tensor, linear: Tensor, gamma: Tensor) -> Tensor:
    """Return gains (n, 3) of a cast and a sensor that shift the mean colour no further than is allowed.

    Args:
        mean: colours (n, 3) of the pictures.
        linear: these after `_linear`.
        gamma: exponents (n, 3) that follow the gains.
    """
    device = mean.device
    steps, skin = torch.tensor(_STEPS, device=device), torch.tensor(_SKIN, device=device)
    cast = (torch.randn(mean.shape, device=device) * _CAST) @ steps.T / skin
    gains = uniform(mean.numel(), *CHANNEL_GAIN, device).view(mean.shape) * (1 + cast).clamp(*_FIELD_GAINS)
    varied = 255 * (gains * linear.clamp(min=1) / 255).pow(gamma)
    most = torch.tensor(_MOST_SHIFT, device=device)
    shift = most * torch.tanh((varied - mean) @ torch.linalg.inv(steps).T / (_SOFTNESS * most))
    return gains * ((mean + shift @ steps.T).clamp(min=1) / varied).pow(1 / gamma)


def _fields(pictures: int, device: torch.device) -> Tensor:
    """Return slow fields of gains (n, 3, nodes, nodes); 1 everywhere in pictures without one."""
    field = _correlated(pictures, device) + _middles(pictures, device)
    field[:, 0] += _tilts(pictures, device)
    field = _FIELD_STRENGTH * field
    field = field - field.mean(dim=(2, 3), keepdim=True)
    field[:, 1] = _MOST_FIELD_REDDER * torch.tanh(field[:, 1] / _MOST_FIELD_REDDER)
    field = field * (torch.rand(pictures, 1, 1, 1, device=device) < _FIELD_SHARE)
    steps = torch.tensor(_STEPS, device=device) / torch.tensor(_SKIN, device=device)[:, None]
    return (1 + torch.einsum("cl,nlij->ncij", steps, field)).clamp(*_FIELD_GAINS)


def _correlated(pictures: int, device: torch.device) -> Tensor:
    """Return smooth noise (n, 3, nodes, nodes) in L*, a*, b* with the covariance of real frames."""
    noise = torch.stack(
        [
            interpolate(torch.randn(pictures, 3, *cells, device=device), (_NODES, _NODES), mode="bicubic")
            for cells in _CELLS
        ]
    ).sum(dim=0) / math.sqrt(len(_CELLS))
    factor = torch.linalg.cholesky(torch.tensor(_COVARIANCE, device=device))
    return torch.einsum("cl,nlij->ncij", factor, noise)


def _middles(pictures: int, device: torch.device) -> Tensor:
    """Return warm middles (n, 3, nodes, nodes) in L*, a*, b*."""
    at = centres(_NODES, device)
    radius = torch.hypot(at[:, None], at).clamp(max=1)
    strengths = torch.stack(
        [
            _MIDDLE_LIGHTNESS * torch.randn(pictures, device=device),
            uniform(pictures, 0, _WARM_REDNESS, device),
            _WARM_YELLOWNESS[0] + _WARM_YELLOWNESS[1] * torch.randn(pictures, device=device),
        ],
        dim=1,
    )
    return strengths[:, :, None, None] * (1 - radius.pow(1.5))


def _tilts(pictures: int, device: torch.device) -> Tensor:
    """Return L* (n, nodes, nodes) that rises across the picture in any direction."""
    at = centres(_NODES, device)
    turns = uniform(pictures, 0, 2 * math.pi, device)[:, None, None]
    across = turns.sin() * at[:, None] + turns.cos() * at
    return uniform(pictures, *_TILT, device)[:, None, None] * across
