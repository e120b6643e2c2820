"""Architectures side by side on one data set and condition: confusion matrices, metrics, learning curves."""

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from scalp_core import evaluate
from scalp_core.champions import judged_on, run_report, score
from scalp_core.charts import confusion_chart, grade_name, learning_curves
from scalp_core.dataset import Dataset
from scalp_core.labels import REGIONS, Condition
from scalp_core.runs import Run, finished_runs
from scalp_core.truth import ceiling
from ui.choices import carried, choose, choose_condition, choose_dataset
from ui.gallery import gallery
from ui.shell import show
from ui.words import Say

MATRICES_A_ROW = 3
SHOWN_PICTURES = 24


def compare(say: Say) -> None:
    dataset = choose_dataset(say)
    if dataset is None:
        return
    condition = choose_condition(say)
    part = _choose_part(say)
    runs = _choose_runs(say, dataset, condition)
    if not runs:
        return
    _matrices(say, dataset, runs, condition, part)
    _metrics(say, dataset, runs, condition, part)
    _curves(say, runs)


def _choose_part(say: Say) -> str:
    options = {part: say.part(part) for part in ("test", "valid", "calib")}
    return choose(say("part"), options, "part", "test", say.language)


def _choose_runs(say: Say, dataset: Dataset, condition: Condition) -> list[Run]:
    """Only runs judged on the same pictures; to begin with one an architecture, the best on validation."""
    able = {run.id: run for run in judged_on(dataset) if condition in run.recipe.conditions}
    others = [
        run.id
        for run in finished_runs()
        if run.recipe.data == dataset.name and condition in run.recipe.conditions and run.id not in able
    ]
    if others:
        st.caption(say("compare_left_out", data=dataset.name, runs=", ".join(f"`{name}`" for name in others)))
    if not able:
        st.info(say("compare_none", data=dataset.name))
        return []
    best = _best_by_architecture(able.values(), condition)
    chosen = st.multiselect(
        say("compare_runs"),
        list(able),
        default=[run.id for run in best],
        format_func=lambda name: f"{able[name].recipe.architecture} · {name}",
        # New runs and another data set mean other options: a fresh widget starts from its default again.
        key=f"runs-{dataset.name}-{condition}-{len(able)}",
    )
    if not chosen:
        st.info(say("compare_choose"))
    return [able[name] for name in chosen]


def _best_by_architecture(runs: Sequence[Run], condition: Condition) -> list[Run]:
    best: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: score(run, condition, "valid") or 0.0):
        best[run.recipe.architecture] = run
    return [best[name] for name in sorted(best)]


def _matrices(say: Say, dataset: Dataset, runs: Sequence[Run], condition: Condition, part: str) -> None:
    st.caption(say("compare_note"))
    columns = st.columns(max(2, min(len(runs), MATRICES_A_ROW)))  # one alone would stretch over the page
    picks = {}
    for number, run in enumerate(runs):
        with columns[number % len(columns)]:
            st.markdown(f"**{run.recipe.architecture}**")
            st.caption(f"`{run.id}`")
            event = st.altair_chart(
                confusion_chart(evaluate.confusion(run.predictions, condition, part), say.language),
                on_select="rerun",
                key=f"matrix-{run.id}",
                alt=say("compare_matrix_alt", run=run.id, condition=say.of(condition.text)),
            )
            picks[run.id] = next(iter(event["selection"].get("pick") or []), None)
    for run in runs:
        if picks[run.id]:
            _cell(say, dataset, run, condition, part, picks[run.id])


def _cell(say: Say, dataset: Dataset, run: Run, condition: Condition, part: str, cell: dict[str, int]) -> None:
    """The pictures behind one cell of one matrix."""
    ids = evaluate.images_in_cell(run.predictions, condition, part, cell["truth"], cell["predicted"])
    truth, predicted = (grade_name(cell[side], say.language) for side in ("truth", "predicted"))
    st.markdown(
        say(
            "compare_cell",
            run=f"**{run.recipe.architecture}**",
            truth=truth,
            predicted=predicted,
            count=len(ids),
            part=say.part(part),
        )
    )
    if len(ids) > SHOWN_PICTURES:
        st.caption(say("compare_first", count=SHOWN_PICTURES))
    shown = list(ids[:SHOWN_PICTURES])
    known = dataset.column("region").iloc[[dataset.row(image_id) for image_id in shown]]
    regions = [say.of(REGIONS[region]) if region in REGIONS else "" for region in known]
    picked = gallery(dataset, shown, regions, key=f"cell-{run.id}")
    if picked:
        st.switch_page(
            "pages/3_Diagnose.py",
            query_params=carried() | {"source": "example", "image": picked},
        )


def _metrics(say: Say, dataset: Dataset, runs: Sequence[Run], condition: Condition, part: str) -> None:
    st.subheader(say("compare_metrics"))
    rows = []
    for run in runs:
        table = run_report(run)
        rows_of_part = table[(table["condition"] == condition) & (table["part"] == part)]
        if rows_of_part.empty:
            continue
        measured = rows_of_part.iloc[0]
        manifest = run.manifest
        rows.append(
            {say("architecture"): run.recipe.architecture}
            | {say(f"metric_{name}"): measured[name] for name in (*evaluate.METRIC_NAMES, "images")}
            | {
                say("parameters"): manifest["parameters"],
                say("training_seconds"): manifest["seconds"],
                say("run"): run.id,
            }
        )
    numbers = {say(f"metric_{name}"): st.column_config.NumberColumn(format="%.3f") for name in evaluate.METRIC_NAMES}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=numbers, alt=say("compare_metrics"))
    best = ceiling(dataset, part).get(condition, math.nan)
    if not math.isnan(best):
        st.caption(say("compare_ceiling", ceiling=f"{best:.3f}"))
    st.caption(say("metric_help"))
    st.caption(say("compare_chance"))


def _curves(say: Say, runs: Sequence[Run]) -> None:
    st.subheader(say("compare_curves"))
    histories = {run.id: run.history for run in runs}
    for column, measure in zip(st.columns(2), ("valid_qwk", "valid_loss"), strict=True):
        column.plotly_chart(
            learning_curves(histories, measure, say.language), key=f"curve-{measure}", alt=say("compare_curves")
        )


show("compare", compare)
