"""The start page: what this is, which run answers for each condition, and what is training now."""

import pandas as pd
import streamlit as st

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs import election
from scalp_core.runs.champions import Champion, champions
from scalp_core.runs.election import score
from scalp_core.runs.queue import active_runs
from scalp_core.runs.store import finished_runs
from ui.access import warn_if_exposed
from ui.choices import link_params
from ui.demonstration import show_drawing
from ui.markdown import code, literal
from ui.runs.progress import POLL_SECONDS, show_progress
from ui.runs.promotion import run_words, show_broken_pins, show_elections, show_passed_over, show_undefined
from ui.shell import PAGES, show_page
from ui.words import Say


def show_home(say: Say) -> None:
    warn_if_exposed(say)
    st.markdown(say("home_intro"))
    _show_page_links(say)
    show_drawing(say)
    _show_champions(say)
    _show_training(say)
    st.caption(say("home_api"))


def _show_page_links(say: Say) -> None:
    with st.grid("auto", min_column_width=220):
        for page in ("dataset", "compare", "diagnose", "runs"):
            path, icon = PAGES[page]
            st.page_link(path, label=say(f"home_start_{page}"), icon=icon, width="stretch", query_params=link_params())


def _show_champions(say: Say) -> None:
    st.subheader(say("home_answers"))
    show_broken_pins(say)
    answering = champions()
    if not answering and not finished_runs():
        st.warning(say("none_finished"))
        return
    show_elections(answering, say)
    show_passed_over(say)
    if any(champion.run.synthetic for champion in answering.values()):
        st.warning(say("synthetic_data"), icon=":material/draw:")
    rows = [_champion_row(say, condition, answering.get(condition)) for condition in CONDITIONS]
    scale = st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="%.3f")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={say("qwk_valid"): scale, say("qwk_test"): scale},
        placeholder="–",
        alt=say("home_answers"),
    )
    show_undefined(answering, say)
    st.caption(say("home_answers_note"), help=say("home_floor", floor=say.of(election.FLOOR)))


def _champion_row(say: Say, condition: Condition, champion: Champion | None) -> dict[str, object]:
    row: dict[str, object] = {say("condition"): say.of(condition.text)}
    if champion is None:
        return row
    recipe = champion.run.recipe
    kind = f" ({say('synthetic')})" if champion.run.synthetic else ""
    return row | {
        say("architecture"): recipe.architecture,
        say("qwk_valid"): score(champion.run, condition, "valid"),
        say("qwk_test"): score(champion.run, condition, "test"),
        say("learned_from"): f"{recipe.data}{kind}",
        say("run"): run_words(champion, say),
    }


def _show_training(say: Say) -> None:
    st.subheader(say("home_training"))
    active = bool(active_runs())

    @st.fragment(run_every=POLL_SECONDS if active else None)
    def training() -> None:
        runs = active_runs()
        if active and not runs:  # it has finished and may answer now
            st.rerun()
        if not runs:
            st.caption(say("home_idle"))
        for run in runs:
            st.markdown(f"**{literal(run.recipe.architecture)}** · {literal(run.recipe.data)} · {code(run.id)}")
            show_progress(run, say)

    training()


show_page("home", show_home)
