"""The pictures of a dataset and their labels, an audit of them, and the import of more."""

import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.data.filters import Filters, Rows, select, size, to_csv
from ui.choices import choose, choose_condition, choose_dataset
from ui.dataset.audit import show_audit
from ui.dataset.feature_map import show_map
from ui.dataset.filters import choose_filters
from ui.dataset.gallery import show_picture, show_pictures
from ui.dataset.imports import show_imports, turn_to_imported
from ui.dataset.labels import show_labels
from ui.downloads import offer_file
from ui.shell import show_page
from ui.words import Say

VIEWS = ("pictures", "labels", "map", "audit", "import")


def explore(say: Say) -> None:
    turn_to_imported()
    dataset = choose_dataset(say)
    if dataset is None:
        show_imports(None, say)
        return
    views = {view: say(f"view_{view}") for view in VIEWS}
    view = choose(say("view"), views, "view", VIEWS[0], say.language)
    if view == "import":
        show_imports(dataset, say)
        return
    condition = choose_condition(say)
    if view == "audit":
        show_audit(dataset, condition, say)
        show_picture(dataset, say)
        return
    filters = choose_filters(dataset, say)
    rows = select(dataset, filters)
    _show_size(dataset, rows, filters, say)
    if not len(rows):
        st.info(say("dataset_none"))
        return
    if view == "labels":
        show_labels(dataset, rows, condition, say)
        return
    if view == "map":
        show_map(dataset, rows, condition, say)
    else:
        show_pictures(dataset, rows, filters, condition, say)
    show_picture(dataset, say)


def _show_size(dataset: Dataset, rows: Rows, filters: Filters, say: Say) -> None:
    """Show how much the filters let through, of how much, and offer it as a table."""
    left, right = st.columns([3, 1], vertical_alignment="center")
    selected, whole = size(dataset, rows), dataset.images
    words = say("dataset_size", images=selected.images, captures=selected.captures, sites=selected.sites)
    left.markdown(words if selected.images == whole else f"{words} {say('dataset_of', whole=whole)}")
    with right:
        offer_file(
            say("export_csv"),
            # Selected again at the click: the index may be another one by then, and rows are positions in it.
            lambda: b"".join(to_csv(dataset, select(dataset, filters))),
            f"{dataset.name}.csv" if filters == Filters() else f"{dataset.name}-filtered.csv",
            "text/csv",
            width="stretch",
        )


show_page("dataset", explore)
