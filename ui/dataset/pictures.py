"""Pictures of a data set: the wall of those that were chosen, and one with all that is known. Knows no counts."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core import images
from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset
from scalp_core.data.filters import Filters, Rows, grades, labels_of, measured, neighbours, sort, sortable
from scalp_core.labels import META, Condition
from scalp_core.synthetic.label_noise import truth_of
from ui.choices import choose_from_list, choose_page, link_params
from ui.components.gallery import show_gallery
from ui.dataset.fields import field_name, value_name
from ui.feedback import errors
from ui.words import Say

PER_PAGE = 60
_FACTS = ("region", "part", "site", "device", "capture", "official")
_MEASURES = ("sharpness", "lightness", "clipped", "cast_red", "cast_yellow")


def show_wall(dataset: Dataset, rows: Rows, filters: Filters, condition: Condition, say: Say) -> None:
    """A page of thumbnails in the order that was asked for; a click opens one."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        names = {name: field_name(name, say) for name in sortable(dataset) if name != "capture"}
        by = choose_from_list(say("sort_by"), names, "sort", say.language)
    with right:
        orders = {"up": say("sort_up"), "down": say("sort_down")}
        order = choose_from_list(say("sort_order"), orders, "order", say.language)
    ordered = sort(dataset, rows, by, descending=order == "down")
    pages = math.ceil(len(ordered) / PER_PAGE)
    page = choose_page(pages, f"{dataset.name}-{hash(filters)}-{by}-{order}")
    show_thumbnails(dataset, ordered[(page - 1) * PER_PAGE : page * PER_PAGE], condition, "wall", say)


def show_thumbnails(dataset: Dataset, rows: Rows, condition: Condition, key: str, say: Say) -> None:
    """These pictures with their grade in one condition; a click chooses one for the address."""
    shown = [None if grade < 0 else int(grade) for grade in grades(dataset, condition)[rows]]
    captions = [say("unlabelled") if grade is None else grade_name(grade, say.language) for grade in shown]
    _clicked(show_gallery(dataset, _ids(dataset, rows), captions, key, st.query_params.get("image"), shown))


def _ids(dataset: Dataset, rows: Rows) -> list[str]:
    return dataset.column("id").iloc[rows].tolist()


def _clicked(image_id: str | None) -> None:
    if image_id:
        st.query_params["image"] = image_id
        st.rerun()  # the wall is drawn already, with the one chosen before marked


def show_picture(dataset: Dataset, say: Say) -> None:
    """The picture of the address, over the page: its labels, where it is from, and what belongs to it."""
    show_over_page(lambda image_id: _picture(dataset, image_id, say), say)


def show_over_page(draw: Callable[[str], None], say: Say) -> None:
    """What `draw` shows of the picture of the address, over the page; closing it clears the address."""
    image_id = st.query_params.get("image")
    if image_id is None:
        return

    @st.dialog(say("picture"), width="large", on_dismiss=_close)
    def opened() -> None:
        with errors(say):  # a dialog draws itself, after the page has asked what went wrong
            draw(image_id)

    opened()


def _close() -> None:
    st.query_params.pop("image", None)


def _picture(dataset: Dataset, image_id: str, say: Say) -> None:
    picture = images.decode(dataset.read(image_id))
    row = dataset.row(image_id)
    if dataset.synthetic:
        st.caption(say("synthetic_data"))
    left, right = st.columns([3, 2])
    left.image(picture.pixels, width="stretch", alt=image_id)
    left.code(image_id, language=None)
    with right:
        _labels(dataset, row, say)
        _facts(dataset, row, say)
        link_to_grading(image_id, say)
    same_capture, alike = neighbours(dataset, image_id)
    for key, others in (("same_capture", same_capture), ("look_alikes", alike)):
        if len(others):
            st.markdown(f"**{say(key)}**")
            _beside(dataset, others[:PER_PAGE], key, say)


def link_to_grading(image_id: str, say: Say) -> None:
    """To the same picture on the page that grades one."""
    st.page_link(
        "pages/3_Diagnose.py",
        label=say("grade_this"),
        icon=":material/biotech:",
        query_params=link_params() | {"source": "example", "image": image_id},
    )


def _beside(dataset: Dataset, rows: Rows, key: str, say: Say) -> None:
    regions = dataset.column("region").iloc[rows]
    _clicked(show_gallery(dataset, _ids(dataset, rows), [value_name("region", region, say) for region in regions], key))


def _labels(dataset: Dataset, row: int, say: Say) -> None:
    labels = labels_of(dataset, row)
    names = [say("unlabelled") if grade is None else grade_name(grade, say.language) for grade in labels.values()]
    table = {say("condition"): [say.of(condition.text) for condition in labels], say("label"): names}
    if drawn := truth_of(dataset, row):
        table[say("rendered_as")] = [
            f"{grade_name(clean, say.language)} ({severity:.2f})" for clean, severity in drawn.values()
        ]
    st.table(pd.DataFrame(table).set_index(say("condition")))


def _facts(dataset: Dataset, row: int, say: Say) -> None:
    """Where it is from and how it was measured; plain text, as names and answers come from somebody's files."""
    names = [name for name in dataset.columns if name in _FACTS or name.startswith(META)]
    known = {name: dataset.column(name).iloc[row] for name in (*names, *measured(dataset))}
    known = {name: value for name, value in known.items() if pd.notna(value) and value != ""}
    lines = [f"{field_name(name, say)}: {value_name(name, str(known[name]), say)}" for name in names if name in known]
    if {"width", "height", "bytes"} <= known.keys():
        lines.append(f"{known['width']} × {known['height']} px, {known['bytes'] / 1000:.0f} kB")
    lines += [f"{field_name(name, say)}: {known[name]:.3g}" for name in _MEASURES if name in known]
    if "confusers" in dataset.columns and (confusers := dataset.column("confusers").iloc[row]):
        lines.append(f"{say('confusers')}: {', '.join(say(f'confuser_{name}') for name in confusers.split())}")
    st.text("\n".join(lines))


def rows_of(dataset: Dataset, ids: list[str]) -> Rows:
    """Positions of those of these ids that are there."""
    found = np.array([dataset.row(image_id) for image_id in ids], dtype=np.intp)
    return found[found >= 0]
