"""A wall of thumbnails that can be clicked or reached by keyboard. Knows no filters.

The pictures come from the route of serve.py; where a page runs without it, the wall shows gaps.
"""

from collections.abc import Sequence

import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.palette import SEVERITY_COLORS
from ui.components.style import ELEMENTS, THUMBNAIL_STYLE, thumbnail_source

_HTML = "<div class='wall'></div>"
_CSS = """
.wall { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 8px; }
button { all: unset; cursor: pointer; border-radius: var(--st-base-radius); overflow: hidden; box-sizing: border-box;
  border: 2px solid var(--st-border-color); background: var(--st-secondary-background-color);
  color: var(--st-text-color); font: 12px/1.35 var(--st-font); }
button:hover, button:focus-visible { border-color: var(--st-primary-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
button[aria-pressed="true"] { border-color: var(--st-primary-color); box-shadow: 0 0 0 2px var(--st-primary-color); }
.caption { display: block; padding: 4px 6px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.badge { display: inline-block; width: 9px; height: 9px; margin-right: 5px; border-radius: 50%;
  box-shadow: 0 0 0 1px var(--st-text-color); }
"""
_JS = """
function draw(picture) {
  const caption = element("span", "caption", picture.caption)
  if (picture.badge) {
    const badge = element("span", "badge")
    badge.style.background = picture.badge
    caption.prepend(badge)
  }
  const button = element("button", "", thumbnail(picture.source), caption)
  button.type = "button"
  button.setAttribute("aria-label", picture.id + " " + picture.caption)
  button.title = picture.id
  return button
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall")
  const pictures = JSON.stringify(data.pictures)
  if (wall.pictures !== pictures) {  // otherwise a click would throw the focus away
    wall.replaceChildren(...data.pictures.map(draw))
    wall.pictures = pictures
  }
  data.pictures.forEach((picture, number) => {
    const button = wall.children[number]
    button.setAttribute("aria-pressed", String(picture.id === data.chosen))
    button.onclick = () => setTriggerValue("picked", picture.id)
  })
}
"""
_wall = st.components.v2.component("scalp_gallery", html=_HTML, css=THUMBNAIL_STYLE + _CSS, js=ELEMENTS + _JS)


def gallery(
    dataset: Dataset,
    ids: Sequence[str],
    captions: Sequence[str],
    key: str,
    chosen: str | None = None,
    grades: Sequence[int | None] | None = None,
) -> str | None:
    """Show these pictures; the id of the one that was just clicked, else None.

    Args:
        grades: 0–3 puts a dot of the severity's colour before the caption, which should name the grade in words.
    """
    pictures = [
        {"id": image_id, "caption": caption, "source": thumbnail_source(dataset, image_id), "badge": _color(grade)}
        for image_id, caption, grade in zip(ids, captions, grades or [None] * len(ids), strict=True)
    ]
    result = _wall(key=key, data={"pictures": pictures, "chosen": chosen or ""}, on_picked_change=lambda: None)
    picked: str | None = result.picked
    return picked if picked in ids else None


def _color(grade: int | None) -> str:
    return "" if grade is None else SEVERITY_COLORS[grade]
