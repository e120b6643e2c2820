"""A wall of thumbnails that can be clicked or reached by keyboard. Knows no filters."""

import base64
from collections.abc import Sequence

import streamlit as st

from scalp_core import images
from scalp_core.dataset import Dataset
from scalp_core.errors import ScalpError

THUMBNAIL_SIDE = 220  # pixels

_HTML = "<div class='wall'></div>"
_CSS = """
.wall { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 8px; }
button { all: unset; cursor: pointer; border-radius: var(--st-base-radius); overflow: hidden; box-sizing: border-box;
  border: 2px solid var(--st-border-color); background: var(--st-secondary-background-color);
  color: var(--st-text-color); font: 12px/1.35 var(--st-font); }
button:hover, button:focus-visible { border-color: var(--st-primary-color); }
button[aria-pressed="true"] { border-color: var(--st-primary-color); box-shadow: 0 0 0 2px var(--st-primary-color); }
img { width: 100%; aspect-ratio: 4 / 3; object-fit: cover; display: block; }
span { display: block; padding: 4px 6px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
"""
# Text goes in through textContent and attributes only: a name from somebody's folder is never markup.
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall")
  wall.replaceChildren(...data.pictures.map((picture) => {
    const button = document.createElement("button")
    button.type = "button"
    button.setAttribute("aria-pressed", String(picture.id === data.chosen))
    button.setAttribute("aria-label", picture.id + " " + picture.caption)
    button.title = picture.id
    const image = document.createElement("img")
    image.loading = "lazy"
    image.alt = ""
    image.src = picture.source
    const caption = document.createElement("span")
    caption.textContent = picture.caption
    button.append(image, caption)
    button.onclick = () => setTriggerValue("picked", picture.id)
    return button
  }))
}
"""
_wall = st.components.v2.component("scalp_gallery", html=_HTML, css=_CSS, js=_JS)


def gallery(
    dataset: Dataset, ids: Sequence[str], captions: Sequence[str], key: str, chosen: str | None = None
) -> str | None:
    """Show these pictures; the id of the one that was just clicked, else None."""
    pictures = [
        {"id": image_id, "caption": caption, "source": _source(dataset, image_id)}
        for image_id, caption in zip(ids, captions, strict=True)
    ]
    result = _wall(key=key, data={"pictures": pictures, "chosen": chosen or ""}, on_picked_change=lambda: None)
    picked: str | None = result.picked
    return picked if picked in ids else None


def _source(dataset: Dataset, image_id: str) -> str:
    try:
        return _thumbnail(str(dataset.image_path(image_id)), str(dataset.index.at[image_id, "sha256"]))
    except ScalpError:
        return ""  # a gap on the wall; opening the picture says what is wrong with it


@st.cache_data(max_entries=4000, show_spinner=False)
def _thumbnail(path: str, sha256: str) -> str:  # the hash keys the cache
    with open(path, "rb") as file:  # noqa: PTH123  a string keys the cache
        small = images.thumbnail(file.read(), THUMBNAIL_SIDE)
    return "data:image/jpeg;base64," + base64.b64encode(small).decode()
