"""Glints of wet skin over a batch, and their removal, whatever the label: their amount tells no grade.

Sizes, directions and contrast are those of real frames (docs/design/training.md). What tells oil and scale is their
kind, which stays in the drawing below.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from scalp_core.inference.camera_spread import GLINTS
from scalp_core.learning.augment import LUMA
from scalp_core.learning.placement import FRAME_HEIGHT, FRAME_WIDTH, uniform

_OVERLAID_SHARE, _REMOVED_SHARE = 0.6, 0.15  # of the pictures
_MOST_TIMES = 3.0  # as many as usual
_AREA = (math.log(10), 1.0)  # of its logarithm, mean and standard deviation; pixels² of a frame of 640 × 480
_LARGEST = 200.0  # pixels², of a glint
_ELONGATION = (math.log(2), 0.45)
_MOST_SPREAD = math.radians(20)  # about each of two directions
_CROSSING = (math.radians(60), math.radians(100))  # between the two directions
_SWARMS = 8  # cells a side in which glints are denser or rarer
_SWARMING = 1.2  # standard deviation of the logarithm of their density
_COVER = (0.15, 1.0)  # of the colour beneath: +10…45 L* over skin
_LIGHT = (232.0, 244.0, 245.0)  # RGB: the lamp is bluish
_POINTS_PIXELS = 24.0  # pixels of a frame that a row of points spans; longer glints are rare
_REMOVED_WIDTH = 15.0  # pixels of a frame: what is bright and narrower goes
_REMOVED_CONTRAST = 6.0  # grey levels; less is texture of the skin


def vary_glints(pixels: Tensor) -> Tensor:
    """Return a batch (n, 3, height, width), 0–255, with fewer glints in some pictures and more in others."""
    draws = torch.rand(2, len(pixels), device=pixels.device)
    bare = (draws[0] < _REMOVED_SHARE).nonzero()[:, 0]
    if len(bare):
        pixels = pixels.index_copy(0, bare, _without_glints(pixels[bare]))
    wet = (draws[1] < _OVERLAID_SHARE).nonzero()[:, 0]
    if not len(wet):
        return pixels
    cover = _cover(len(wet), pixels)
    light = torch.tensor(_LIGHT, device=pixels.device)[:, None, None]
    return pixels.index_copy(0, wet, torch.lerp(pixels[wet], torch.maximum(light, pixels[wet]), cover))


def _grey(pixels: Tensor) -> Tensor:
    return torch.einsum("c,nchw->nhw", torch.tensor(LUMA, device=pixels.device), pixels)[:, None]


def _without_glints(pixels: Tensor) -> Tensor:
    """Return pictures without what is bright and narrow: the opening of the luma, in all channels alike."""
    height, width = pixels.shape[2:]
    sides = [
        max(3, 2 * round((_REMOVED_WIDTH * size / frame - 1) / 2) + 1)
        for size, frame in ((height, FRAME_HEIGHT), (width, FRAME_WIDTH))
    ]
    half = [side // 2 for side in sides]
    grey = _grey(pixels)
    opened = max_pool2d(-max_pool2d(-grey, sides, stride=1, padding=half), sides, stride=1, padding=half)
    excess = grey - opened
    return pixels - torch.where(excess > _REMOVED_CONTRAST, excess, 0)


def _cover(pictures: int, pixels: Tensor) -> Tensor:
    """Return how much of each pixel is glint, (n, 1, height, width), 0–1."""
    height, width = pixels.shape[2:]
    glints = int(GLINTS * _MOST_TIMES)
    down, across, areas, lengths, turns = _glints(pictures, glints, pixels.device)
    present = torch.arange(glints, device=pixels.device) < uniform(pictures, 0, glints, pixels.device)[:, None]
    pixel = FRAME_HEIGHT * FRAME_WIDTH / (height * width)  # area of one, pixels² of a frame
    points = max(2, math.ceil(_POINTS_PIXELS * width / FRAME_WIDTH))
    weights = present * areas * uniform(pictures * glints, *_COVER, pixels.device).view(areas.shape) / (pixel * points)
    along = (torch.arange(points, device=pixels.device) + 0.5) / points - 0.5
    y = (down[..., None] + along * (lengths * turns.sin())[..., None]) * (height / FRAME_HEIGHT)
    x = (across[..., None] + along * (lengths * turns.cos())[..., None]) * (width / FRAME_WIDTH)
    cover = _splat(y.flatten(1), x.flatten(1), weights.repeat_interleave(points, dim=1), height, width)
    return cover.clamp_(max=_COVER[1])


def _glints(pictures: int, glints: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return places down and across, areas, lengths (pixels of a frame) and directions of glints, each (n, glints)."""
    size = (pictures, glints)
    density = (_SWARMING * torch.randn(pictures, _SWARMS**2, device=device)).exp()
    cells = torch.multinomial(density, glints, replacement=True)
    # A triangle as wide as two cells, so that no edge between cells shows.
    jitter = torch.rand(2, 2, *size, device=device).sum(dim=0) - 0.5
    down = (cells // _SWARMS + jitter[0]) * (FRAME_HEIGHT / _SWARMS)
    across = (cells % _SWARMS + jitter[1]) * (FRAME_WIDTH / _SWARMS)
    areas = (_AREA[0] + _AREA[1] * torch.randn(size, device=device)).exp().clamp(max=_LARGEST)
    elongation = (_ELONGATION[0] + _ELONGATION[1] * torch.randn(size, device=device)).exp()
    first = uniform(pictures, 0, math.pi, device)[:, None]
    second = uniform(pictures, *_CROSSING, device)[:, None]
    turns = first + second * torch.randint(0, 2, size, device=device) + _MOST_SPREAD * torch.randn(size, device=device)
    return down, across, areas, (areas * elongation).sqrt(), turns


def _splat(y: Tensor, x: Tensor, weights: Tensor, height: int, width: int) -> Tensor:
    """Add weights (n, points) to the four pixels around each place; (n, 1, height, width)."""
    pictures = len(y)
    y, x = y.clamp(0.5, height - 1.5) - 0.5, x.clamp(0.5, width - 1.5) - 0.5
    row, column = y.floor(), x.floor()
    below, right = y - row, x - column
    first = (row * width + column).long() + height * width * torch.arange(pictures, device=y.device)[:, None]
    cover = torch.zeros(pictures * height * width, device=y.device)
    for offset, share in (
        (0, (1 - below) * (1 - right)),
        (1, (1 - below) * right),
        (width, below * (1 - right)),
        (width + 1, below * right),
    ):
        cover.index_add_(0, (first + offset).flatten(), (weights * share).flatten())
    return cover.view(pictures, 1, height, width)
