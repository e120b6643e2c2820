"""What our own components in the browser have in common. Knows none of them."""

import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.data.thumbnails import address

# Text goes in through textContent and attributes only: a name from somebody's folder is never markup.
ELEMENTS = """
function element(kind, name, ...inside) {
  const made = document.createElement(kind)
  made.className = name
  made.append(...inside)
  return made
}

// A coloured mark is a picture with a name to those who do not see it.
function coloured(mark, {color, ink, said}) {
  mark.style.background = color
  mark.style.color = ink
  mark.title = said
  mark.setAttribute("role", "img")
  mark.setAttribute("aria-label", said)
  return mark
}

function thumbnail(source) {
  const image = element("img", "")
  image.loading = "lazy"
  image.alt = ""
  image.onerror = () => image.remove()  // a gap; opening the picture says what is wrong with it
  image.src = source
  return element("span", "frame", image)
}
"""
THUMBNAIL_STYLE = """
.frame { display: block; aspect-ratio: 4 / 3; }
img { width: 100%; height: 100%; object-fit: cover; display: block; }
"""

_DARK, _LIGHT = "#111827", "#ffffff"


def thumbnail_source(dataset: Dataset, image_id: str) -> str:
    """Where the browser finds the thumbnail; empty for a picture that the index does not have (any more)."""
    row = dataset.row(image_id)
    if row < 0:
        return ""
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}/{address(dataset, row)}" if base else f"/{address(dataset, row)}"


def ink(background: str) -> str:
    """Dark or light, whichever reads better on this colour (#rrggbb), by the contrast ratio of WCAG 2."""
    light = _luminance(background)
    on_dark, on_light = (_LIGHT_OFF + 0.05) / (light + 0.05), (light + 0.05) / (_DARK_OFF + 0.05)
    return _LIGHT if on_dark > on_light else _DARK


def channels(color: str) -> tuple[int, int, int]:
    """Red, green and blue, 0–255, of #rrggbb."""
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


def _luminance(color: str) -> float:
    """Relative luminance, 0 black to 1 white (WCAG 2)."""
    shares = [channel / 255 for channel in channels(color)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


_DARK_OFF, _LIGHT_OFF = _luminance(_DARK), _luminance(_LIGHT)
