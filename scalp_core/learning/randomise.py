"""Randomisation of a batch of drawn pictures: what differs between cameras, lamps and heads and tells no grade.

Stronger than augmentation (`augment.py`), which stays within one microscope. Drawn pictures are all alike in ways that
no one meant; a network that has learned to rely on one of these fails on real pictures. Lengths are given in pixels of
a frame of 640 × 480 and scale with the size of the input.
"""

import math
from typing import overload

import torch
from torch import Tensor

from scalp_core.learning.colour_variation import vary_colours
from scalp_core.learning.glint_overlay import vary_glints
from scalp_core.learning.lens_variation import vary_lens
from scalp_core.learning.placement import FRAME_HEIGHT, FRAME_WIDTH, draw_placements, place

_TURN = math.pi
_ZOOM = (0.85, 1.2)
_PIXELS_AT_ONCE = 2**17  # of all channels' pictures; what is worked on stays in the cache of the processor


@overload
def randomise(pixels: Tensor) -> Tensor: ...


@overload
def randomise(pixels: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]: ...


def randomise(pixels: Tensor, masks: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
    """Vary every picture of a batch: its place, glints, sharpness, noise and colours.

    Random numbers come from torch's generator of the pixels' device, so `torch.manual_seed` repeats them.

    Args:
        pixels: (n, 3, height, width), float32, 0–255, of frames as wide to high as 4 : 3; any memory format.
        masks: (n, channels, height of masks, width of masks), float32, over the same frames.

    Returns:
        A new tensor of the shape and memory format of the pixels, 0–255; with masks also these, in the same places.
    """
    placements = draw_placements(len(pixels), _TURN, _ZOOM, 0.0, FRAME_HEIGHT / FRAME_WIDTH, pixels.device)
    varied = torch.empty_like(pixels)
    at_once = max(1, _PIXELS_AT_ONCE // (pixels.shape[2] * pixels.shape[3]))
    for source, matrices, target in zip(
        *(torch.split(part, at_once) for part in (pixels, placements, varied)), strict=True
    ):
        placed = vary_glints(place(source, matrices))
        torch.clamp(vary_colours(vary_lens(placed)), 0, 255, out=target)
    return varied if masks is None else (varied, place(masks, placements))
