"""One run: its curves, its verdict, and in tabs its decisions, settings, files and log."""

import pandas as pd
import streamlit as st

from scalp_core.charts.comparison_charts import curves_chart
from scalp_core.reports.evidence_pack import pack_bytes
from scalp_core.runs import worker
from scalp_core.runs.run import Run, State
from ui.access import change_button
from ui.downloads import file_stem, offer_file, show_table
from ui.markdown import Markdown, literal, literal_cells
from ui.runs.operating_point import show_operating_point
from ui.runs.progress import epoch_words, show_progress
from ui.runs.promotion import offer_promotions, show_verdict
from ui.runs.recipe_settings import changed_settings
from ui.runs.run_list import age_words, origin_words
from ui.words import Say

_CURVES = ("valid_qwk", "valid_loss", "train_loss")


def show_run(run: Run, say: Say) -> None:
    """Show a run: what it does now or did, then how good it is, then everything else in tabs."""
    state = run.state
    whole = state is State.FINISHED and run.complete
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = Markdown(
            f"**{literal(run.id)}** · {literal(say.of(state.text))} · {literal(run.recipe.architecture)} · "
            f"{origin_words(run, say)} · {age_words(run.created, say)}"
        )
        st.markdown(words, width="stretch")
        _show_buttons(say, run, state)
        if whole:
            offer_promotions(run, say)
    if state.active:
        show_progress(run, say)
        st.caption(epoch_words(run, say))
    _show_faults(run, whole, say)
    _show_curves(say, run)
    if whole:
        show_verdict(run, say)
    _show_tabs(run, whole, say)


def _show_faults(run: Run, whole: bool, say: Say) -> None:
    sentence, details = run.error
    if sentence.en:
        st.error(say.plain(sentence), icon=":material/error:")
        if details:
            st.code(details, language=None)
    if not whole:
        return
    _show_export_failure(say, run)
    if unlabelled := run.manifest.get("pictures_unlabelled"):
        st.caption(say("runs_unlabelled", unlabelled=unlabelled, learned=run.manifest.get("pictures_learned")))


def _show_tabs(run: Run, whole: bool, say: Say) -> None:
    """Show the tab that is open, and no other: the page stands sooner."""
    names = [say("runs_settings"), say("runs_files"), say("runs_log")]
    shows = [*([show_operating_point] if whole else []), _show_recipe, _show_files, _show_log]
    key = f"run-tabs-{say.language}"
    tabs = st.tabs([say("point"), *names] if whole else names, key=key, on_change="rerun")
    for tab, show in zip(tabs, shows, strict=True):
        if tab.open:
            with tab:
                show(run, say)


def _show_files(run: Run, say: Say) -> None:
    files, heads = pd.DataFrame(run.files, columns=["file", "bytes"]), {"file": say("file"), "bytes": say("size")}
    show_table(files, heads, say("runs_files"), {"bytes": "bytes"})
    if run.finished and run.complete and run.export_failure is None:
        name = f"{file_stem(run.id, run.synthetic)}.zip"
        offer_file(say("runs_pack"), lambda: pack_bytes(run), name, "application/zip", note=say("runs_pack_note"))
    if run.finished and run.complete:
        with st.expander(say("runs_manifest")):
            st.json(run.manifest, expanded=1)


def _show_log(run: Run, say: Say) -> None:
    st.code(run.log or say("empty_log"), language=None, height=300)


def _show_recipe(run: Run, say: Say) -> None:
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
    if history.empty or not set(_CURVES) <= set(history):
        st.caption(say("no_epoch"))
        return
    for column, measure in zip(st.columns(3), _CURVES, strict=True):
        chart = curves_chart({run.id: history}, measure, say.language).properties(height=170)
        column.altair_chart(chart, alt=say("runs_curves"))
