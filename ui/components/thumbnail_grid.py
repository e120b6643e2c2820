"""A grid of thumbnails, opened by click or keyboard.

The thumbnails come from the route of serve.py; a page that runs without it shows gaps in their places.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.palette import SEVERITY_COLORS, UNKNOWN
from ui.components.assets import asset
from ui.components.colors import ink
from ui.components.thumbnail_urls import thumbnail_source

_grid = st.components.v2.component(
    "scalp_thumbnail_grid",
    html=asset("thumbnail_grid.html"),
    css=asset("thumbnail.css") + asset("thumbnail_grid.css"),
    js=asset("elements.js") + asset("thumbnail_grid.js"),
)


@dataclass(frozen=True)
class Mark:
    """The grade of a picture in one condition, None where unlabelled; described in words."""

    grade: int | None
    description: str


def show_thumbnail_grid(
    dataset: Dataset,
    ids: Sequence[str],
    captions: Sequence[str],
    key: str,
    selected: str | None = None,
    grades: Sequence[int | None] | None = None,
    marks: Sequence[Sequence[Mark]] | None = None,
) -> str | None:
    """Show pictures of a dataset and return the id of the one that was just clicked.

    Args:
        captions: one a picture.
        selected: id of the picture that is marked.
        grades: one a picture, 0–3 or None. A grade puts a dot of its colour before the caption, which should name the
            grade in words.
        marks: a strip of small marks a picture, in the place of its caption.

    Returns:
        The id, or None when nothing was clicked since the last run of the page.
    """
    pictures = [
        {
            "id": image_id,
            "caption": caption,
            "source": thumbnail_source(dataset, image_id),
            "badge": _color(grade),
            "marks": [_mark(mark) for mark in own],
        }
        for image_id, caption, grade, own in zip(
            ids, captions, grades or [None] * len(ids), marks or [()] * len(ids), strict=True
        )
    ]
    result = _grid(key=key, data={"pictures": pictures, "selected": selected or ""}, on_picked_change=lambda: None)
    picked: str | None = result.picked
    return picked if picked in ids else None


def _mark(mark: Mark) -> dict[str, str]:
    color = UNKNOWN if mark.grade is None else SEVERITY_COLORS[mark.grade]
    text = "–" if mark.grade is None else str(mark.grade)
    return {"text": text, "color": color, "ink": ink(color), "description": mark.description}


def _color(grade: int | None) -> str:
    return "" if grade is None else SEVERITY_COLORS[grade]
