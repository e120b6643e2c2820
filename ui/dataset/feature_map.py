"""A map of pictures as a run sees them: pictures that its network takes for alike lie near each other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core.charts.dataset_charts import map_chart
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.filters import Rows, filterable, measured
from scalp_core.inference.embeddings import Features, features, neighbor_map, rank_map, sample
from scalp_core.labels import CONDITIONS
from scalp_core.runs.run import Run
from scalp_core.runs.store import finished_runs
from ui.choices import choose_from_list
from ui.components.thumbnail_urls import thumbnail_source
from ui.dataset.fields import field_name, value_name
from ui.dataset.gallery import PER_PAGE, rows_of, show_thumbnails
from ui.words import Say

_SAMPLES = (500, 1000, 2000, 5000)
_FEWEST = 3  # pictures; fewer span no plane
_LAYOUTS = {"tsne": neighbor_map, "ranks": rank_map}


@dataclass(frozen=True)
class MapSettings:
    """Settings of a map.

    Attributes:
        color_by: a column.
        layout: of _LAYOUTS.
        most: pictures.
    """

    run: Run
    color_by: str
    layout: str
    most: int


def choose_map(dataset: Dataset, say: Say) -> MapSettings | None:
    """Offer the settings and return them; None where no run has finished."""
    runs = {run.id: run for run in finished_runs()}
    if not runs:
        return None
    color_by = choose_from_list(say("map_colour"), _color_options(dataset, say), "colour", say.language)
    with st.popover(say("map_settings"), icon=":material/tune:", key="map-settings", width="content"):
        layouts = {layout: say.text(f"map_{layout}") for layout in _LAYOUTS}
        layout = choose_from_list(say("map_layout"), layouts, "layout", say.language)
        run = runs[choose_from_list(say("map_run"), {run_id: run_id for run_id in runs}, "run", say.language)]
        samples = {str(most): f"{most:,}" for most in _SAMPLES}
        most = int(choose_from_list(say("map_sample"), samples, "sample", say.language))
    return MapSettings(run, color_by, layout, most)


def show_map(dataset: Dataset, rows: Rows, settings: MapSettings | None, say: Say) -> None:
    """Show the points of a sample; a click or a box opens the pictures behind them."""
    if settings is None:
        st.info(say("none_finished"))
        return
    if len(rows) < _FEWEST:
        st.info(say("map_few"))
        return
    bar = st.empty()
    readable_rows, vectors = features(
        settings.run,
        dataset,
        sample(dataset, rows, settings.most),
        lambda done, total: bar.progress(done / total, text=say("map_working", done=done, total=total)),
    )
    bar.empty()
    if len(readable_rows) < _FEWEST:
        st.info(say("map_few"))
        return
    with st.spinner(say("map_placing")):
        points = _place(settings.layout, vectors)
    ids = dataset.column("id").iloc[readable_rows].to_numpy()
    sources = [thumbnail_source(dataset, image_id) for image_id in ids]
    table = pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "id": ids, "image": sources})
    table["colour"], kind = _color_values(dataset, readable_rows, settings.color_by, say)
    key = f"map-{dataset.name}-{settings.run.id}-{settings.color_by}-{settings.layout}-{settings.most}"
    event = st.altair_chart(map_chart(table, say.language, kind), on_select="rerun", key=key, alt=say("map_alt"))
    st.caption(say(f"map_note_{settings.layout}", count=len(ids), run=settings.run.id))
    _show_selected(dataset, table, event["selection"], say)


# The values are hashed: seconds are saved wherever the same pictures are placed again.
@st.cache_data(max_entries=32, show_spinner=False)
def _place(layout: str, vectors: Features) -> Features:
    return np.asarray(_LAYOUTS[layout](vectors))


def _color_options(dataset: Dataset, say: Say) -> dict[str, str]:
    """Return the columns that can colour the points, with their names, the condition of the address first."""
    condition = st.query_params.get("condition")
    first = condition if condition in LABEL_COLUMNS else CONDITIONS[0].value
    names = [name for name in (*filterable(dataset), *measured(dataset)) if name != "capture"]
    return {name: field_name(name, say) for name in dict.fromkeys([first, *LABEL_COLUMNS, "part", *names])}


def _color_values(dataset: Dataset, rows: Rows, name: str, say: Say):  # noqa: ANN202  a column and a word
    column = dataset.column(name).iloc[rows].reset_index(drop=True)
    if name in LABEL_COLUMNS:
        return column, "grade"
    if name in measured(dataset):
        return column, "number"
    texts = column.astype(object)
    return texts.map(lambda value: None if pd.isna(value) else value_name(name, value, say)), "category"


def _show_selected(dataset: Dataset, table: pd.DataFrame, selection: dict, say: Say) -> None:
    """Show the pictures in the box, or else the one that was clicked."""
    box, clicked = selection.get("box") or {}, selection.get("pick") or []
    # A clicked point that the filters leave out by now is not in the table any longer.
    inside = table if box else table[table["id"].isin([point["id"] for point in clicked])]
    for axis, ends in box.items():
        inside = inside[inside[axis].between(min(ends), max(ends))]
    ids = list(inside["id"])
    if not ids:
        return
    st.caption(say("dataset_shown", count=len(ids)))
    if len(ids) > PER_PAGE:
        st.caption(say("compare_first", count=PER_PAGE))
    show_thumbnails(dataset, rows_of(dataset, ids[:PER_PAGE]), "map-wall", say)
