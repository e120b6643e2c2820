"""Colours of our components: mixing them, and the text that can be read on them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_DARK, _LIGHT = "#000000", "#ffffff"  # at least 4.58 : 1 on every colour, for one of them
_OF_MARKS = 3.0  # contrast that marks need (WCAG 2, 1.4.11)


def ink(background: str) -> str:
    """Return dark or light, whichever reads better on this colour (#rrggbb) by the contrast ratio of WCAG 2."""
    light = _luminance(background)
    on_dark, on_light = (_LIGHT_OFF + 0.05) / (light + 0.05), (light + 0.05) / (_DARK_OFF + 0.05)
    return _LIGHT if on_dark > on_light else _DARK


def readable(colors: Sequence[str], background: str) -> str:
    """Return the first of these colours whose contrast to the background suffices for a mark, else the best of them."""
    first = next((color for color in colors if _contrast(color, background) >= _OF_MARKS), None)
    return first or max(colors, key=lambda color: _contrast(color, background))


def _contrast(color: str, other: str) -> float:
    low, high = sorted((_luminance(color), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def channels(color: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0–255, of #rrggbb."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def blend(colors: Sequence[str], place: float) -> str:
    """Return the colour, #rrggbb, at `place` (0–1, clipped) of a scale through these colours."""
    stops = np.linspace(0, 1, len(colors))
    scale: npt.NDArray[np.int_] = np.array([channels(color) for color in colors])
    mixed = [round(float(np.interp(place, stops, scale[:, channel]))) for channel in range(3)]
    return f"#{bytes(mixed).hex()}"


def _luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2: 0 black, 1 white."""
    shares = [channel / 255 for channel in channels(color)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


_DARK_OFF, _LIGHT_OFF = _luminance(_DARK), _luminance(_LIGHT)
