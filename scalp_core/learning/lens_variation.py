"""Variation of sharpness and noise of a batch: other lenses, other sensors, fewer pixels, other compression.

All of it that is linear is one product in the frequency domain, so that a wide blur costs no more than a narrow one.
Ranges are the spread measured on real frames, times 1.3 (docs/design/training.md). The quantisation of JPEG is left
out: blocks of 8 × 8 pixels of a frame are one or two pixels of an input, where qualities of 70–100 leave nothing but
the loss of fine colour, which is here.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from scalp_core.inference.camera_spread import MOST_SHARPENING, SHARPENING_RADIUS
from scalp_core.learning.augment import LUMA
from scalp_core.learning.placement import FRAME_HEIGHT, FRAME_WIDTH, centres, uniform

# Lengths in pixels of a frame of 640 × 480.
_SOFT_SHARE = 0.5  # of the pictures; the others stay as sharp as they are
_BLUR = 8.0  # largest standard deviation
_REDUCED_SHARE = 0.6  # of the soft ones, so .3 of all
_REDUCED_WIDTH = (80.0, 320.0)
_TILTED_SHARE = 0.3  # of the soft ones: one side stays in focus
_SHARPENED_SHARE = 0.5
_COLOUR_BLUR = 6.0  # largest standard deviation
_NOISE = 2.0  # largest standard deviation of a pixel of the frame, grey levels
# The power of real frames falls with frequency to this power (.0075 to .05 cycles a pixel, 118 thumbnails, 5 frames).
_POWER_SLOPE, _SLOPE_SPREAD = -2.2, 0.3
_SLOW = 3.0  # cycles a frame: up to here amplitudes are mixed
_MIXED = 0.3  # largest share of the other amplitude; more destroys what grades depend on
_MARGIN = 16  # the border that is reflected is size / this: three of the largest standard deviation


def vary_lens(pixels: Tensor) -> Tensor:
    """Return a batch (n, 3, height, width), 0–255, as other lenses and sensors would have taken it.

    Values may leave 0–255 by ringing and noise.
    """
    (pictures, _, height, width), device = pixels.shape, pixels.device
    across, down = width // _MARGIN, height // _MARGIN
    padded = pad(pixels, (across, across, down, down), mode="reflect")
    spectrum = torch.fft.rfft2(padded)
    luma = (spectrum * _column(LUMA, device)).sum(dim=1)
    distances = _distances((height, width), (padded.shape[2], padded.shape[3]), device)
    light = _sharpening(pictures, distances) * _amplitude_mixing(luma, distances, padded.shape[2] / height)
    colour = _gaussian(uniform(pictures, 0, _COLOUR_BLUR, device), distances)
    soft = torch.rand(pictures, device=device) < _SOFT_SHARE
    blurring = _blurring(soft, distances)
    varied = _filtered(spectrum, luma, blurring * light, blurring * colour, padded.shape[3])
    tilted = (soft & (torch.rand(pictures, device=device) < _TILTED_SHARE)).nonzero()[:, 0]
    if len(tilted):
        focused = _filtered(spectrum[tilted], luma[tilted], light[tilted], colour[tilted], padded.shape[3])
        ramp = _ramp(len(tilted), focused)
        varied = varied.index_copy(0, tilted, torch.lerp(focused, varied[tilted], ramp))
    return varied[:, :, down : down + height, across : across + width] + _noise(pixels)


def _filtered(spectrum: Tensor, luma: Tensor, light: Tensor, colour: Tensor, width: int) -> Tensor:
    """Return pixels (n, 3, rows, width) with other amplitudes of the luma and of what each channel differs from it by.

    Args:
        spectrum: of the pixels, (n, 3, rows, columns).
        luma, light, colour: (n, rows, columns), its luma, and responses of the luma and of the colours.
    """
    changed = torch.addcmul(((light - colour) * luma)[:, None], spectrum, colour[:, None])
    filtered: Tensor = torch.fft.irfft2(changed, s=(spectrum.shape[2], width))
    return filtered


def _column(values: tuple[float, float, float], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)[:, None, None]


def _distances(size: tuple[int, int], padded: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return frequencies down (rows, 1) and across (1, columns), cycles per pixel of the frame."""
    down = torch.fft.fftfreq(padded[0], device=device) * (size[0] / FRAME_HEIGHT)
    across = torch.fft.rfftfreq(padded[1], device=device) * (size[1] / FRAME_WIDTH)
    return down[:, None], across[None]


def _gaussian(deviations: Tensor, distances: tuple[Tensor, Tensor]) -> Tensor:
    """Return responses (n, rows, columns) of blurs with these standard deviations (n,)."""
    exponents = -2 * (math.pi * deviations[:, None, None]).square()
    down, across = ((exponents * distance.square()).exp() for distance in distances)
    return down * across


def _blurring(soft: Tensor, distances: tuple[Tensor, Tensor]) -> Tensor:
    """Return responses (n, rows, columns) of a blur, and of fewer pixels in between for some of the soft pictures."""
    pictures, device = len(soft), soft.device
    blurring = _gaussian(uniform(pictures, 0, _BLUR, device) * soft, distances)
    reduced = soft & (torch.rand(pictures, device=device) < _REDUCED_SHARE)
    pixel = reduced * FRAME_WIDTH / uniform(pictures, *_REDUCED_WIDTH, device)
    for distance in distances:
        # The mean over a larger pixel, then a straight line between two: without what aliasing would add.
        cycles = pixel[:, None, None] * distance
        blurring = blurring * torch.where(cycles.abs() < 1, torch.sinc(cycles).abs().pow(3), 0)
    return blurring


def _sharpening(pictures: int, distances: tuple[Tensor, Tensor]) -> Tensor:
    """Return responses (n, rows, columns) of unsharp masking."""
    device = distances[0].device
    sharpened = torch.rand(pictures, device=device) < _SHARPENED_SHARE
    amounts = uniform(pictures, 0, MOST_SHARPENING, device) * sharpened
    fine = 1 - _gaussian(uniform(pictures, *SHARPENING_RADIUS, device), distances)
    return 1 + amounts[:, None, None] * fine


def _amplitude_mixing(luma: Tensor, distances: tuple[Tensor, Tensor], stretch: float) -> Tensor:
    """Return responses that mix random amplitudes of a natural slope into the slowest waves of the luma.

    Colours keep theirs: the slow field of redness is erythema.

    Args:
        luma: spectrum (n, rows, columns).
        stretch: the side with its reflected border, by the side of the picture.
    """
    pictures, device = len(luma), luma.device
    down, across = distances
    waves = torch.hypot(down * FRAME_HEIGHT, across * FRAME_WIDTH)  # cycles a frame
    slow = (waves > 0.5 / stretch) & (waves <= _SLOW)
    amplitudes = luma[:, slow].abs().clamp(min=1e-3)
    slopes = (_POWER_SLOPE + _SLOPE_SPREAD * torch.randn(pictures, 1, device=device)) / 2
    other = waves[slow].pow(slopes) * torch.randn(2, *amplitudes.shape, device=device).square().sum(dim=0).sqrt()
    other = other * (amplitudes.square().mean(dim=1) / other.square().mean(dim=1)).sqrt()[:, None]
    shares = uniform(pictures, 0, _MIXED, device)[:, None]
    mixing = torch.ones(luma.shape, device=device)
    mixing[:, slow] = torch.lerp(torch.ones_like(amplitudes), (other / amplitudes).clamp(max=3), shares)
    return mixing


def _ramp(pictures: int, pixels: Tensor) -> Tensor:
    """Return shares of defocus (n, 1, height, width) that rise from 0 to 1 across the picture, in any direction."""
    height, width = pixels.shape[2:]
    turns = uniform(pictures, 0, 2 * math.pi, pixels.device)[:, None, None]
    down, across = centres(height, pixels.device)[:, None], centres(width, pixels.device)
    return (0.5 + 0.6 * (turns.sin() * down + turns.cos() * across)).clamp(0, 1)[:, None]


def _noise(pixels: Tensor) -> Tensor:
    """Return grey noise (n, 1, height, width), as much as is left of a frame's when it is reduced to this size.

    Noise of colours, .6 grey levels of a frame, is left out: at 224 pixels less than a quarter of a level stays.
    """
    pictures, _, height, width = pixels.shape
    left = math.sqrt(height * width / (FRAME_HEIGHT * FRAME_WIDTH))
    amounts = uniform(pictures, 0, left * _NOISE, pixels.device)[:, None, None, None]
    return torch.randn(pictures, 1, height, width, device=pixels.device) * amounts
