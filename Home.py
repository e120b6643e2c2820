"""The start page: the conditions and the models in use, their matrices, a picture graded, and what is training now."""

import streamlit as st

from scalp_core.base_path import base_path
from scalp_core.evaluation.comparison import list_candidates
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs import election
from scalp_core.runs.champions import champions
from scalp_core.runs.queue import active_runs
from scalp_core.runs.store import finished_runs
from ui.access import warn_if_exposed
from ui.choices import address_dataset, value_of_address
from ui.demonstration import show_drawing
from ui.feedback import errors
from ui.frame import mark
from ui.home.conditions import show_conditions
from ui.home.matrices import show_home_matrices
from ui.home.picture import show_picture
from ui.markdown import code, literal
from ui.runs.progress import POLL_SECONDS, show_progress
from ui.runs.promotion import show_broken_pins, show_elections, show_passed_over, show_undefined
from ui.shell import show_page
from ui.words import Say


def show_home(say: Say) -> None:
    warn_if_exposed(say)
    show_drawing(say)
    show_broken_pins(say)
    answering = champions()
    if not answering and not finished_runs():
        st.warning(say("none_finished"))
    else:
        _show_models(say)
    _show_training(say)


def _show_models(say: Say) -> None:
    answering, dataset = champions(), address_dataset()
    condition = Condition(value_of_address("condition", CONDITIONS, CONDITIONS[0].value))
    models = list_candidates(dataset)[0] if dataset else []
    if any(champion.run.synthetic for champion in answering.values()) or (dataset and dataset.synthetic):
        mark("synthetic", say("synthetic_data"))
    with errors(say):
        show_conditions(dataset, models, answering, condition, say)
    st.caption(say("home_tiles"), help=f"{say('home_answers_note')} {say('home_floor', floor=say.of(election.FLOOR))}")
    show_passed_over(say)
    show_elections(answering, say)
    show_undefined(answering, say)
    with errors(say):
        show_home_matrices(dataset, models, condition, say)
    if answering:
        with errors(say):
            show_picture(dataset, say)


def _show_training(say: Say) -> None:
    active = bool(active_runs())

    @st.fragment(run_every=POLL_SECONDS if active else None)
    def training() -> None:
        runs = active_runs()
        if active and not runs:  # it has finished and may answer now
            st.rerun()
        if not runs:
            st.caption(f"{say('home_idle')} {say('home_api', address=f'{base_path()}/api/docs')}")
        for run in runs:
            st.markdown(f"**{literal(run.recipe.architecture)}** · {literal(run.recipe.data)} · {code(run.id)}")
            show_progress(run, say)

    training()


show_page("home", show_home)
