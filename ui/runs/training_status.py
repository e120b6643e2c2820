"""The training in progress, and the result of the latest one, in the sidebar of every page."""

import time

import streamlit as st

from scalp_core.metrics.verdict import Verdict
from scalp_core.runs.ancestry import judging_dataset
from scalp_core.runs.parents import Comparison, compare_with_parent
from scalp_core.runs.queue import active_runs
from scalp_core.runs.run import Run, State
from scalp_core.runs.store import list_runs
from ui.access import change_button
from ui.choices import link_params
from ui.feedback import errors, toast_after_rerun
from ui.markdown import Markdown, code, literal
from ui.runs.progress import POLL_SECONDS, epoch_words, kappa_words, show_progress
from ui.words import Say

_WATCHED, _CLOSED = "watched-runs", "closed-result"
_FRESH = 24 * 3600  # seconds during which a result stands in the sidebar


def announce_finished(say: Say) -> None:
    """Keep a toast for a run that this session saw in progress and that has finished meanwhile."""
    active = {run.id for run in active_runs()}
    ended = st.session_state.get(_WATCHED, set()) - active
    st.session_state[_WATCHED] = active
    for run in list_runs():
        if run.id in ended and run.finished:
            toast_after_rerun(say("retrain_done", run=run.id))


def show_status(say: Say) -> None:
    """Show the run in progress; where there is none, the result of the latest."""
    active = bool(active_runs())

    # Polls only while something trains.
    @st.fragment(run_every=POLL_SECONDS if active else None, key="retrain_status")
    def status() -> None:
        runs = active_runs()
        if active and not runs:
            st.rerun()  # the whole page once: the finished run belongs on it, and polling ends
        with errors(say):
            if runs:
                _show_progress(runs, say)
            else:
                _show_latest(say)

    status()


def _show_progress(runs: list[Run], say: Say) -> None:
    run = runs[0]
    with st.container(border=True, gap="xsmall", key="retrain-progress"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.caption(code(run.id), width="stretch")
            if change_button(
                say("cancel"), say, key=f"retrain_cancel-{run.id}", icon=":material/stop:", type="tertiary"
            ):
                run.cancel()
                st.rerun()
        show_progress(run, say)
        if words := epoch_words(run, say):
            st.caption(words)
        if len(runs) > 1:
            st.caption(say("retrain_more", count=len(runs) - 1))


def _show_latest(say: Say) -> None:
    """Show the result of the latest run, if it was trained here lately; of a failed one the reason."""
    runs = list_runs()
    if not runs:
        return
    run = runs[-1]
    sentence, _ = run.error
    if sentence.en:
        st.error(say.plain(sentence))
    elif run.finished and run.complete and st.session_state.get(_CLOSED) != run.id and _is_fresh(run):
        _show_result(run, say)
    elif run.state in (State.CANCELLED, State.PAUSED):
        st.caption(say("retrain_last", run=code(run.id), state=say.of(run.state.text)))


def _is_fresh(run: Run) -> bool:
    """Return whether it finished here lately; a run from elsewhere has no log."""
    return bool(run.log) and time.time() - run.finished_ns / 1e9 < _FRESH


def _show_result(run: Run, say: Say) -> None:
    """Show kappa before and after, in how many conditions it is better, and the links to it."""
    with st.container(border=True, gap="xsmall", key="retrain-result"):
        name, close = st.columns([5, 1], gap="xsmall")
        name.markdown(Markdown(f":material/check_circle: **{literal(run.id)}**"))
        close.button(
            "",
            key="retrain_result_close",
            icon=":material/close:",
            type="tertiary",
            help=say("retrain_result_close"),
            on_click=_close,
            args=(run.id,),
        )
        comparison = compare_with_parent(run)
        if comparison:
            _show_comparison(comparison, say)
        elif "valid_qwk" in (history := run.history):
            st.markdown(say("retrain_reached", qwk=kappa_words(history["valid_qwk"].max())))
        here = link_params()
        st.page_link(
            "pages/4_Runs.py",
            label=say("retrain_open"),
            icon=":material/open_in_full:",
            query_params=here | {"run": run.id},
        )
        if dataset := judging_dataset(run):
            pair = {"runs": f"{comparison.parent.id},{run.id}", "view": "differences"} if comparison else {}
            st.page_link(
                "pages/2_Compare.py",
                label=say("retrain_compare") if comparison else say("page_compare"),
                icon=":material/compare_arrows:",
                query_params=here | {"data": dataset.name, "new": run.id} | pair,
            )


def _close(run_id: str) -> None:
    st.session_state[_CLOSED] = run_id


def _show_comparison(comparison: Comparison, say: Say) -> None:
    difference = comparison.after - comparison.before
    st.markdown(
        say(
            "retrain_before_after",
            before=kappa_words(comparison.before),
            after=kappa_words(comparison.after),
            difference=f"{difference:+.3f}".replace("-", "−"),
        )
    )
    if not comparison.verdicts:
        return
    better, worse = comparison.count(Verdict.BETTER), comparison.count(Verdict.WORSE)
    words = say("retrain_better", better=better, worse=worse, count=len(comparison.verdicts))
    st.caption(
        words if better or worse else say("retrain_no_difference"),
        help=say("retrain_against", run=comparison.parent.id),
    )
