"""A map of pictures as a run sees them: pictures that its network takes for alike lie near each other."""

import pandas as pd
import streamlit as st

from scalp_core.charts.dataset_charts import map_chart
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.filters import Rows, filterable, measured
from scalp_core.inference.embeddings import features, project, sample
from scalp_core.labels import Condition
from scalp_core.runs.store import finished_runs
from ui.choices import choose_from_list
from ui.dataset.fields import field_name, value_name
from ui.dataset.gallery import PER_PAGE, rows_of, show_thumbnails
from ui.words import Say

_SAMPLES = (500, 1000, 2000, 5000)
_FEWEST = 3  # pictures; fewer span no plane


def show_map(dataset: Dataset, rows: Rows, condition: Condition, say: Say) -> None:
    """Show the points of a sample; a click or a box opens the pictures behind them."""
    runs = {run.id: run for run in finished_runs()}
    if not runs:
        st.info(say("none_finished"))
        return
    first, second, third = st.columns(3)
    with first:
        run = runs[choose_from_list(say("map_run"), {run_id: run_id for run_id in runs}, "run", say.language)]
    with second:
        color_by = choose_from_list(say("map_colour"), _color_options(dataset, condition, say), "colour", say.language)
    with third:
        samples = {str(most): f"{most:,}" for most in _SAMPLES}
        most = int(choose_from_list(say("map_sample"), samples, "sample", say.language))
    if len(rows) < _FEWEST:
        st.info(say("map_few"))
        return
    bar = st.empty()
    readable_rows, vectors = features(
        run,
        dataset,
        sample(dataset, rows, most),
        lambda done, total: bar.progress(done / total, text=say("map_working", done=done, total=total)),
    )
    bar.empty()
    if len(readable_rows) < _FEWEST:
        st.info(say("map_few"))
        return
    points, explained = project(vectors)
    ids = dataset.column("id").iloc[readable_rows].to_numpy()
    table = pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "id": ids})
    table["colour"], kind = _color_values(dataset, readable_rows, color_by, say)
    st.caption(say("map_note", count=len(ids), run=run.id, first=explained[0], second=explained[1]))
    chart = map_chart(table, say.language, kind)
    key = f"map-{dataset.name}-{run.id}-{color_by}-{most}"
    event = st.altair_chart(chart, on_select="rerun", key=key, alt=say("map_alt"))
    _show_selected(dataset, table, event["selection"], condition, say)


def _color_options(dataset: Dataset, condition: Condition, say: Say) -> dict[str, str]:
    """Return the columns that can colour the points, with their names, the chosen condition first."""
    names = [name for name in (*filterable(dataset), *measured(dataset)) if name != "capture"]
    ordered = dict.fromkeys([condition.value, "part", *names])
    return {name: field_name(name, say) for name in ordered}


def _color_values(dataset: Dataset, rows: Rows, name: str, say: Say):  # noqa: ANN202  a column and a word
    column = dataset.column(name).iloc[rows].reset_index(drop=True)
    if name in LABEL_COLUMNS:
        return column, "grade"
    if name in measured(dataset):
        return column, "number"
    texts = column.astype(object)
    return texts.map(lambda value: None if pd.isna(value) else value_name(name, value, say)), "category"


def _show_selected(dataset: Dataset, table: pd.DataFrame, selection: dict, condition: Condition, say: Say) -> None:
    """Show the pictures in the box, or else the one that was clicked."""
    box, clicked = selection.get("box") or {}, selection.get("pick") or []
    # A clicked point that the filters leave out by now is not in the table any longer.
    inside = table if box else table[table["id"].isin([point["id"] for point in clicked])]
    for axis, ends in box.items():
        inside = inside[inside[axis].between(min(ends), max(ends))]
    ids = list(inside["id"])
    if not ids:
        st.caption(say("map_pick"))
        return
    st.caption(say("dataset_shown", count=len(ids)))
    if len(ids) > PER_PAGE:
        st.caption(say("compare_first", count=PER_PAGE))
    show_thumbnails(dataset, rows_of(dataset, ids[:PER_PAGE]), condition, "map-wall", say)
