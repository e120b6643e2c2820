"""Pictures of a dataset: the gallery of the filtered ones, and a single one with its labels and facts."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core import images
from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset
from scalp_core.data.filters import Filters, Rows, grades, labels_of, measured, neighbours, sort, sortable
from scalp_core.labels import CONDITIONS, GRADES, META, Condition, Severity
from scalp_core.synthetic.label_noise import truth_of
from ui.choices import choose_from_list, choose_page, close_over_page, link_params, open_over_page, over_page
from ui.components.picture_urls import picture_url
from ui.components.thumbnail_grid import Mark, show_thumbnail_grid
from ui.dataset.fields import field_name, value_name
from ui.feedback import errors
from ui.markdown import literal_cells
from ui.words import Say

PER_PAGE = 60  # pictures
_FACTS = ("region", "part", "site", "device", "capture", "official")
_MEASURES = ("sharpness", "lightness", "clipped", "cast_red", "cast_yellow")


def choose_order(dataset: Dataset, say: Say) -> tuple[str, bool]:
    """Offer the columns and directions of sorting; return the column, and whether it descends."""
    names = {name: field_name(name, say) for name in sortable(dataset) if name != "capture"}
    column = choose_from_list(say("sort_by"), names, "sort", say.language)
    orders = {"up": say("sort_up"), "down": say("sort_down")}
    return column, choose_from_list(say("sort_order"), orders, "order", say.language) == "down"


def show_pictures(dataset: Dataset, rows: Rows, filters: Filters, order: tuple[str, bool], say: Say) -> None:
    """Show a page of thumbnails in this order; a click opens a picture."""
    ordered = sort(dataset, rows, *order)
    pages = math.ceil(len(ordered) / PER_PAGE)
    place = st.container()  # the page number belongs below the pictures, and is needed before them
    page = choose_page(pages, f"{dataset.name}-{hash(filters)}-{order}") if pages > 1 else 1
    with place:
        show_thumbnails(dataset, ordered[(page - 1) * PER_PAGE : page * PER_PAGE], "wall", say)


def show_thumbnails(dataset: Dataset, rows: Rows, key: str, say: Say) -> None:
    """Show pictures with their grades in all conditions; a click writes the picture into the address."""
    marks = marks_of(dataset, rows, say)
    captions = [""] * len(rows)
    _open(show_thumbnail_grid(dataset, _ids(dataset, rows), captions, key, st.query_params.get("image"), marks=marks))


def marks_of(dataset: Dataset, rows: Rows, say: Say) -> list[list[Mark]]:
    """Return the grades of pictures in all conditions, a list each."""
    columns = [_condition_marks(grades(dataset, condition)[rows].tolist(), condition, say) for condition in CONDITIONS]
    return [list(marks) for marks in zip(*columns, strict=True)]


def _condition_marks(labels: list[int], condition: Condition, say: Say) -> list[Mark]:
    names = {grade: f"{say.of(condition.text)}: {grade_name(grade, say.language)}" for grade in GRADES}
    unlabelled = f"{say.of(condition.text)}: {say.text('unlabelled')}"
    return [Mark(None, unlabelled) if grade < 0 else Mark(grade, names[Severity(grade)]) for grade in labels]


def _ids(dataset: Dataset, rows: Rows) -> list[str]:
    return dataset.column("id").iloc[rows].tolist()


def _open(image_id: str | None) -> None:
    if image_id:
        open_over_page("image", image_id)
        st.rerun()  # the gallery above still marks the picture that was open before


def show_picture(dataset: Dataset, say: Say) -> None:
    """Show the picture of the address over the page, with its labels, its facts and the pictures related to it."""
    show_over_page(lambda image_id: _show_details(dataset, image_id, say), say)


def show_over_page(show: Callable[[str], None], say: Say) -> None:
    """Show the picture of the address in a dialog over the page; closing it clears the address.

    Args:
        show: shows the picture of an id.
    """
    image_id = over_page("image")
    if image_id is None:
        return

    @st.dialog(say("picture"), width="large", on_dismiss=_close)
    def dialog() -> None:
        with errors(say):  # a dialog runs after the page's own block for errors
            show(image_id)

    dialog()


def _close() -> None:
    close_over_page("image")


def _show_details(dataset: Dataset, image_id: str, say: Say) -> None:
    picture = images.decode(dataset.read(image_id))
    row = dataset.row(image_id)
    if dataset.synthetic:
        st.caption(say("synthetic_data"))
    left, right = st.columns([3, 2])
    left.image(picture_url(picture.pixels), width="stretch", alt=image_id)
    left.code(image_id, language=None)
    with right:
        _show_labels(dataset, row, say)
        _show_facts(dataset, row, say)
        show_grading_link(image_id, say)
    same_capture, alike = neighbours(dataset, image_id)
    for key, others in (("same_capture", same_capture), ("look_alikes", alike)):
        if len(others):
            st.markdown(f"**{say(key)}**")
            _show_related(dataset, others[:PER_PAGE], key, say)


def show_grading_link(image_id: str, say: Say) -> None:
    """Show a link to the same picture on the Diagnose page."""
    st.page_link(
        "pages/3_Diagnose.py",
        label=say("grade_this"),
        icon=":material/biotech:",
        query_params=link_params() | {"source": "example", "image": image_id},
    )


def _show_related(dataset: Dataset, rows: Rows, key: str, say: Say) -> None:
    captions = [value_name("region", region, say) for region in dataset.column("region").iloc[rows]]
    _open(show_thumbnail_grid(dataset, _ids(dataset, rows), captions, key))


def _show_labels(dataset: Dataset, row: int, say: Say) -> None:
    labels = labels_of(dataset, row)
    names = [say("unlabelled") if grade is None else grade_name(grade, say.language) for grade in labels.values()]
    table = {say("condition"): [say.of(condition.text) for condition in labels], say("label"): names}
    if truth := truth_of(dataset, row):
        table[say("rendered_as")] = [
            f"{grade_name(clean, say.language)} ({severity:.2f})" for clean, severity in truth.values()
        ]
    st.table(literal_cells(pd.DataFrame(table).set_index(say("condition"))))


def _show_facts(dataset: Dataset, row: int, say: Say) -> None:
    """Show origin and measurements as plain text: names and values come from imported files."""
    names = [name for name in dataset.columns if name in _FACTS or name.startswith(META)]
    facts = {name: dataset.column(name).iloc[row] for name in (*names, *measured(dataset))}
    facts = {name: value for name, value in facts.items() if pd.notna(value) and value != ""}
    lines = [f"{field_name(name, say)}: {value_name(name, str(facts[name]), say)}" for name in names if name in facts]
    if {"width", "height", "bytes"} <= facts.keys():
        lines.append(f"{facts['width']} × {facts['height']} px, {facts['bytes'] / 1000:.0f} kB")
    lines += [f"{field_name(name, say)}: {facts[name]:.3g}" for name in _MEASURES if name in facts]
    if "confusers" in dataset.columns and (confusers := dataset.column("confusers").iloc[row]):
        lines.append(f"{say('confusers')}: {', '.join(say(f'confuser_{name}') for name in confusers.split())}")
    st.text("\n".join(lines))


def rows_of(dataset: Dataset, ids: list[str]) -> Rows:
    """Return the rows of these ids; ids that the index does not have are left out."""
    rows = np.array([dataset.row(image_id) for image_id in ids], dtype=np.intp)
    return rows[rows >= 0]
