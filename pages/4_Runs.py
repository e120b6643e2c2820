"""The training queue, and one run with its curves, verdict and settings."""

import streamlit as st

from scalp_core.runs.champions import left_out
from scalp_core.runs.run import Run
from scalp_core.runs.store import damaged_runs, find_run, finished_runs, list_runs
from ui.choices import choose_from_list
from ui.feedback import errors, show_damaged
from ui.runs.ablation import show_ablation
from ui.runs.progress import POLL_SECONDS
from ui.runs.promotion import offer_runs_in_use, show_broken_pins
from ui.runs.removal import offer_run_management
from ui.runs.run_details import show_run
from ui.runs.run_list import follow_click, show_list
from ui.shell import show_page, toolbar
from ui.words import Say


def show_runs(say: Say) -> None:
    show_damaged([*damaged_runs(), *left_out()], say)
    runs = list_runs()[::-1]
    if runs:
        _show_list_and_run(runs, say)
    else:
        st.info(say("runs_none"))
    show_ablation(say)


def _show_list_and_run(runs: list[Run], say: Say) -> None:
    follow_click()
    with toolbar():
        opened = _choose_run(say, {run.id: run for run in runs})
        offer_run_management(opened, say)
        if finished_runs():
            offer_runs_in_use(say)
    show_broken_pins(say)
    active = any(run.state.active for run in runs)

    # One fragment for all of it: while something trains, list, curves and log move together.
    @st.fragment(run_every=POLL_SECONDS if active else None)
    def list_and_run() -> None:
        current = list_runs()[::-1]
        if active and not any(run.state.active for run in current):
            st.rerun()
        with errors(say):
            show_list(current, find_run(opened.id), say)
        with errors(say):
            show_run(opened, say)

    list_and_run()


def _choose_run(say: Say, runs: dict[str, Run]) -> Run:
    return runs[choose_from_list(say("run"), {name: name for name in runs}, "run", say.language)]


show_page("runs", show_runs)
