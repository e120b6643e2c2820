"""Finished runs that cannot be compared on a dataset, why, and judging those of other datasets on it."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.evaluation.comparison import ExcludedRun
from scalp_core.inference.evaluate import evaluate
from scalp_core.runs.run import Run
from ui.access import change_button
from ui.feedback import errors, toast_after_rerun
from ui.words import Say

_PRESELECTED = 5  # runs: as many as are compared at first


def show_excluded(dataset: Dataset, excluded: Sequence[ExcludedRun], say: Say, opened: bool) -> None:
    """Show the runs folded away, or opened."""
    if not excluded:
        return
    with st.expander(say("compare_left_out", count=len(excluded)), expanded=opened):
        rows = [{say("run"): entry.run.id, say("compare_reason"): say.of(entry.reason)} for entry in excluded]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=say("compare_left_out", count=len(excluded)))
        with errors(say):
            _offer_judging(dataset, [entry.run for entry in excluded if entry.can_be_judged], say)


def _offer_judging(dataset: Dataset, runs: Sequence[Run], say: Say) -> None:
    if not runs:
        return
    by_id = {run.id: run for run in runs}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run_ids = st.multiselect(
            say("compare_judge_runs"),
            list(by_id),
            list(by_id)[:_PRESELECTED],
            key=f"judge-{dataset.name}",
            placeholder=say("compare_choose"),
        )
        pressed = change_button(
            say("compare_judge", data=dataset.name), say, icon=":material/fact_check:", disabled=not run_ids
        )
    st.caption(say("compare_judge_note"))
    if not pressed:
        return
    judged = 0
    for run_id in run_ids:
        with errors(say):  # one that cannot be judged does not keep the others from it
            _judge(by_id[run_id], dataset, say)
            judged += 1
    if judged == len(run_ids):
        toast_after_rerun(say("compare_judged", count=judged, data=dataset.name))
        st.rerun()


def _judge(run: Run, dataset: Dataset, say: Say) -> None:
    bar = st.progress(0.0, text=say("compare_judging", run=run.id, done=0, total="…"))

    def show(done: int, total: int) -> None:
        bar.progress(done / total, text=say("compare_judging", run=run.id, done=done, total=total))

    evaluate(run, dataset, show)
