"""The pictures of a dataset and their labels, an audit of them, and the import of more."""

import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.data.filters import Filters, Rows, select, size, to_csv
from ui.choices import choose, choose_dataset
from ui.components.assets import asset_path
from ui.dataset.audit import show_audit
from ui.dataset.feature_map import choose_map, show_map
from ui.dataset.filters import choose_filters
from ui.dataset.gallery import choose_order, show_picture, show_pictures
from ui.dataset.imports import show_imports, turn_to_imported
from ui.dataset.labels import choose_condition, choose_measure, show_labels
from ui.dataset.removal import offer_dataset_management, turn_to_renamed
from ui.dataset.review import show_review
from ui.downloads import offer_file
from ui.shell import show_page, toolbar
from ui.words import Say

VIEWS = ("pictures", "labels", "map", "audit", "review", "import")


def explore(say: Say) -> None:
    turn_to_imported()
    turn_to_renamed()
    with toolbar():
        dataset = choose_dataset(say)
        if dataset is not None:
            view = choose(say("view"), {view: say(f"view_{view}") for view in VIEWS}, "view", VIEWS[0], say.language)
            if view == "import":
                offer_dataset_management(dataset, say)
    if dataset is None or view == "import":
        show_imports(dataset, say)
        return
    if view == "audit":
        show_audit(dataset, say)
    elif view == "review":
        show_review(dataset, say)
    else:
        _show_filtered(dataset, view, say)
    show_picture(dataset, say)


def _show_filtered(dataset: Dataset, view: str, say: Say) -> None:
    """Show a view of the pictures that the filters beside it leave."""
    with toolbar():
        if view == "pictures":
            order = choose_order(dataset, say)
        elif view == "labels":
            condition, measure = choose_condition(say), choose_measure(say)
        else:
            settings = choose_map(dataset, say)
    st.html(asset_path("dataset_page.css"))
    with st.container(key="beside-facets"):
        rail, body = st.container(key="facets"), st.container(key="filtered")
    with rail:
        filters = choose_filters(dataset, say)
    rows = select(dataset, filters)
    with body:
        _show_size(dataset, rows, filters, say)
        if not len(rows):
            st.info(say("dataset_none"))
        elif view == "labels":
            show_labels(dataset, rows, condition, measure, say)
        elif view == "map":
            show_map(dataset, rows, settings, say)
        else:
            show_pictures(dataset, rows, filters, order, say)


def _show_size(dataset: Dataset, rows: Rows, filters: Filters, say: Say) -> None:
    """Show how much the filters let through, of how much, and offer it as a table."""
    selected, whole = size(dataset, rows), dataset.images
    words = say("dataset_size", images=selected.images, captures=selected.captures, sites=selected.sites)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(
            words if selected.images == whole else f"{words} {say('dataset_of', whole=whole)}",
            width="content",
        )
        offer_file(
            say("export_csv"),
            # Selected again at the click: the index may be another one by then, and rows are positions in it.
            lambda: b"".join(to_csv(dataset, select(dataset, filters))),
            f"{dataset.name}.csv" if filters == Filters() else f"{dataset.name}-filtered.csv",
            "text/csv",
        )


show_page("dataset", explore)
