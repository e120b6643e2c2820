"""The training queue, and one run in depth."""

import math

import pandas as pd
import streamlit as st

from scalp_core.charts.dataset_charts import learning_curves
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS
from scalp_core.runs import worker
from scalp_core.runs.champions import champions, left_out
from scalp_core.runs.run import Run, State
from scalp_core.runs.store import damaged_runs, finished_runs, list_runs
from ui.access import change_button
from ui.choices import choose_from_list
from ui.downloads import show_table
from ui.feedback import errors, show_damaged
from ui.markdown import literal_cells
from ui.runs.ablation import show_ablation
from ui.runs.operating_point import show_operating_point
from ui.runs.progress import POLL_SECONDS, epoch_words, show_progress
from ui.runs.promotion import show_elections, show_passed_over, show_verdict
from ui.runs.recipe_settings import changed_settings
from ui.shell import show_page
from ui.words import Say


def show_runs(say: Say) -> None:
    show_damaged([*damaged_runs(), *left_out()], say)
    if list_runs():
        _show_table_and_run(say)
    else:
        st.info(say("runs_none"))
    show_ablation(say)


def _show_table_and_run(say: Say) -> None:
    if finished_runs():
        show_elections(champions(), say)
        show_passed_over(say)
    active = any(run.state.active for run in list_runs())

    # One fragment for all of it: while something trains, table, curves and log move together.
    @st.fragment(run_every=POLL_SECONDS if active else None)
    def table_and_run() -> None:
        runs = list_runs()[::-1]
        show_table(pd.DataFrame([_row(say, run) for run in runs]), _heads(say), say("page_runs"))
        with errors(say):
            _show_run(say, _choose_run(say, {run.id: run for run in runs}))
        if active and not any(run.state.active for run in runs):
            st.rerun()

    table_and_run()


def _heads(say: Say) -> dict[str, str]:
    return {
        "run": say("run"),
        "state": say("state"),
        "architecture": say("architecture"),
        "dataset": say("data_set"),
        "conditions": say("conditions"),
        "epochs_done": say("epochs_done"),
        "epochs": say("epochs_planned"),
        "mean_valid_qwk": say("mean_qwk"),
        "created": say("created"),
    }


def _row(say: Say, run: Run) -> dict[str, object]:
    recipe = run.recipe
    state, epochs, kappa = _progress(say, run)
    some = len(recipe.conditions) < len(CONDITIONS)
    return {
        "state": state,
        "architecture": recipe.architecture,
        "dataset": recipe.data + _origin_words(say, run),
        "conditions": ", ".join(say.of(c.text) for c in recipe.conditions) if some else say("retrain_six"),
        "epochs_done": epochs,
        "epochs": recipe.epochs,
        "mean_valid_qwk": kappa,
        "created": run.created[:16].replace("T", " "),
        "run": run.id,
    }


def _origin_words(say: Say, run: Run) -> str:
    """Say whether it learned from synthetic pictures, itself or through the run that it started from."""
    if run.synthetic_data:
        return f" ({say('synthetic')})"
    return f" ({say('runs_from_synthetic')})" if run.synthetic else ""


def _progress(say: Say, run: Run) -> tuple[str, int | None, float]:
    """Return state, finished epochs and best kappa; a damaged run does not take the others from the table."""
    try:
        history = run.history
    except ScalpError:  # the reason is shown where the run is opened
        return say("runs_damaged"), None, math.nan
    kappa = float(history["valid_qwk"].max()) if "valid_qwk" in history else math.nan
    state = say("runs_not_exported") if run.export_failure else say.of(run.state.text)
    return state, len(history), kappa


def _choose_run(say: Say, runs: dict[str, Run]) -> Run:
    options = {name: f"{name} · {say.of(run.state.text)}" for name, run in runs.items()}
    return runs[choose_from_list(say("runs_choose"), options, "run", say.language)]


def _show_run(say: Say, run: Run) -> None:
    state = run.state
    if state.active:
        show_progress(run, say)
        st.caption(epoch_words(run, say))
    sentence, details = run.error
    if sentence.en:
        st.error(say.plain(sentence), icon=":material/error:")
        if details:
            st.code(details, language=None)
    _show_buttons(say, run, state)
    whole = state is State.FINISHED and run.complete
    if whole:
        _show_export_failure(say, run)
        if unlabelled := run.manifest.get("pictures_unlabelled"):
            st.caption(say("runs_unlabelled", unlabelled=unlabelled, learned=run.manifest.get("pictures_learned")))
        show_verdict(run, say)
        show_operating_point(run, say)
    _show_curves(say, run)
    left, right = st.columns(2)
    with left:
        _show_recipe(say, run)
    with right.expander(say("runs_files"), expanded=True):
        files, heads = pd.DataFrame(run.files, columns=["file", "bytes"]), {"file": say("file"), "bytes": say("size")}
        show_table(files, heads, say("runs_files"), {"bytes": "bytes"})
    if whole:
        with st.expander(say("runs_manifest")):
            st.json(run.manifest, expanded=1)
    with st.expander(say("runs_log")):
        st.code(run.log or say("empty_log"), language=None, height=300)


def _show_recipe(say: Say, run: Run) -> None:
    st.markdown(f"**{say('runs_changed')}**")
    settings = changed_settings(run.recipe, say)
    if settings.empty:
        st.caption(say("runs_nothing_changed"))
    else:
        st.table(literal_cells(settings.set_index(say("setting"))), alt=say("runs_changed"))
    with st.expander(say("runs_recipe_whole")):
        hashes = {"index_hash": run.index_hash, "evaluation_hash": run.evaluation_hash, "created": run.created}
        st.json(vars(run.recipe) | hashes, expanded=1)


def _show_buttons(say: Say, run: Run, state: State) -> None:
    # Each run has buttons of its own: a click meant for one run never reaches the next.
    with st.container(horizontal=True):
        if state.active and change_button(say("pause"), say, key=f"pause-{run.id}", icon=":material/pause:"):
            run.pause()
            st.rerun()
        cancellable = state.active or state is State.PAUSED
        if cancellable and change_button(say("cancel"), say, key=f"cancel-{run.id}", icon=":material/stop:"):
            run.cancel()
            st.rerun()
        resumable = state in (State.PAUSED, State.CANCELLED, State.FAILED)
        if resumable and change_button(say("resume"), say, key=f"resume-{run.id}", icon=":material/play_arrow:"):
            run.resume()
            worker.ensure()
            st.rerun()


def _show_export_failure(say: Say, run: Run) -> None:
    """Show why a finished run grades no pictures, and a button that exports it again."""
    failure = run.export_failure
    if failure is None:
        return
    st.warning(say.plain(run.no_export(failure).text), icon=":material/warning:")
    if change_button(say("runs_export"), say, key=f"export-{run.id}", icon=":material/refresh:"):
        with st.spinner(say("runs_exporting")):
            worker.export(run, again=True)
        st.rerun()


def _show_curves(say: Say, run: Run) -> None:
    history = run.history
    measures = ("valid_qwk", "valid_loss", "train_loss")
    if history.empty or not set(measures) <= set(history):
        st.caption(say("no_epoch"))
        return
    for column, measure in zip(st.columns(3), measures, strict=True):
        figure = learning_curves({run.id: history}, measure, say.language).update_layout(showlegend=False, height=240)
        column.plotly_chart(figure, key=f"depth-{measure}", alt=say("runs_curves"))


show_page("runs", show_runs)
