"""The list of all runs: state, curve, kappa, difference to the parent, and age; a click opens a run."""

import math
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS
from scalp_core.runs.parents import kappas, parent_of
from scalp_core.runs.run import Run
from ui.choices import turn_to
from ui.markdown import Markdown, literal
from ui.words import Say

_TURN = "runs-turn-to"  # the run that a click asks for
_SEEN_ROWS = 6
_ROW, _HEAD = 35, 38  # pixels


def follow_click() -> None:
    """Let the choice of runs, offered later in this run of the page, follow a click in the list."""
    if name := st.session_state.pop(_TURN, ""):
        turn_to({"run": name})


def turn_to_run(name: str) -> None:
    """Show this run as soon as the page runs again."""
    st.session_state[_TURN] = name


def show_list(runs: list[Run], opened: Run, say: Say) -> None:
    """Show the runs, that which is opened selected."""
    rows = pd.DataFrame([_row(say, run) for run in runs])
    heads = _columns(say)
    if rows["parent_difference"].isna().all():
        heads.pop("parent_difference")
    names = [run.id for run in runs]
    selected: Any = {"selection": {"rows": [names.index(opened.id)]}}
    key = f"runs-list-{hash((tuple(names), opened.id))}"  # another run that is opened is another selection
    st.dataframe(
        rows[list(heads)],
        hide_index=True,
        column_config=heads,
        placeholder="–",
        alt=say("page_runs"),
        height=_HEAD + _ROW * min(len(runs), _SEEN_ROWS),
        on_select=lambda: _turn_by_click(key, names),
        selection_mode="single-row-required",
        selection_default=selected,
        key=key,
    )
    if st.session_state.get(_TURN):
        st.rerun()


def _turn_by_click(key: str, names: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(names):
        turn_to_run(names[rows[0]])


def _columns(say: Say) -> dict[str, Any]:
    column = st.column_config
    return {
        "run": column.TextColumn(say("run"), width="medium"),
        "state": column.TextColumn(say("state")),
        "curve": column.LineChartColumn(say("runs_curve"), width="small", y_min=0, y_max=1),
        "mean_valid_qwk": column.NumberColumn(say("mean_qwk"), format="%.3f"),
        "parent_difference": column.NumberColumn(say("runs_difference"), format="%+.3f"),
        "age": column.TextColumn(say("runs_age")),
        "architecture": column.TextColumn(say("architecture")),
        "dataset": column.TextColumn(say("data_set")),
        "epochs": column.TextColumn(say("epochs_done")),
    }


def _row(say: Say, run: Run) -> dict[str, object]:
    state, curve = _progress(say, run)
    return {
        "run": run.id,
        "state": state,
        "curve": curve,
        "mean_valid_qwk": max((value for value in curve if not math.isnan(value)), default=math.nan),
        "parent_difference": _parent_difference(run),
        "age": age_words(run.created, say),
        "architecture": run.recipe.architecture,
        "dataset": run.recipe.data,
        "epochs": f"{len(curve)} / {run.recipe.epochs}",
    }


def _progress(say: Say, run: Run) -> tuple[str, list[float]]:
    """Return state and kappa by epoch; a damaged run does not take the others from the list."""
    try:
        history = run.history
    except ScalpError:  # the reason is shown where the run is opened
        return say("runs_damaged"), []
    curve = [float(value) for value in history["valid_qwk"]] if "valid_qwk" in history else []
    return (say("runs_not_exported") if run.export_failure else say.of(run.state.text)), curve


def _parent_difference(run: Run) -> float:
    try:
        parent = parent_of(run) if run.finished and run.complete else None
        means = kappas(run, parent) if parent else None
    except ScalpError:  # damaged
        return math.nan
    return means[1] - means[0] if means else math.nan


def age_words(created: str, say: Say) -> Markdown:
    """Return how long ago it was created: `5 min`, `3 h`, `12 days`."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    if seconds < 3600:
        return say("age_minutes", count=max(0, int(seconds // 60)))
    if seconds < 48 * 3600:
        return say("age_hours", count=int(seconds // 3600))
    return say("age_days", count=int(seconds // 86400))


def origin_words(run: Run, say: Say) -> Markdown:
    """Return what it learned from: dataset, whether that or its origin is synthetic, and conditions if not all six."""
    parts = [run.recipe.data]
    if run.synthetic_data:
        parts.append(say("synthetic"))
    elif run.synthetic:
        parts.append(say("runs_from_synthetic"))
    if len(run.recipe.conditions) < len(CONDITIONS):
        parts.append(", ".join(say.of(condition.text) for condition in run.recipe.conditions))
    return Markdown(" · ".join(map(literal, parts)))
