"""A finished run against the current champions, and its promotion."""

import math

import pandas as pd
import streamlit as st

from scalp_core.errors import ScalpError
from scalp_core.labels import Condition
from scalp_core.metrics.verdict import Difference
from scalp_core.runs import champions
from scalp_core.runs.champions import Champion
from scalp_core.runs.run import Run
from ui.access import change_button
from ui.feedback import toast_after_rerun
from ui.markdown import literal
from ui.words import Say


def show_broken_pins(say: Say) -> None:
    """Show a warning where the promotions cannot be read."""
    try:
        champions.pins()
    except ScalpError as error:
        st.warning(say.plain(error.text), icon=":material/warning:")


def show_verdict(run: Run, say: Say) -> None:
    """Show a line per condition: the difference to the champion, and the buttons that promote this run or undo it."""
    st.subheader(say("verdict"))
    show_broken_pins(say)
    st.caption(say("verdict_note"))
    answering = champions.champions()
    for condition in run.recipe.conditions:
        text, buttons = st.columns([3, 2], vertical_alignment="center")
        champion = answering.get(condition)
        words = _verdict_words(run, condition, champion, say)
        text.markdown(f"**{say.plain(condition.text)}** · {literal(words)}")
        with buttons.container(horizontal=True):
            show_promotion_buttons(run, condition, champion, words, say)
    show_changes(say)


def _verdict_words(run: Run, condition: Condition, champion: Champion | None, say: Say) -> str:
    if champion is None:
        return say.text("verdict_no_run")
    if champion.run == run:
        return say.text("verdict_promoted") if champion.pinned else say.text("verdict_answers")
    try:
        differences = champions.against(run, champion.run, condition)
    except ScalpError as error:
        return say.of(error.text)
    other = champion.run.id
    kappa = differences.quadratic_weighted_kappa
    if math.isnan(kappa.value):
        return say.text("verdict_unlabelled", run=other)
    if math.isnan(kappa.low):
        return say.text("verdict_no_interval", difference=f"{kappa.value:+.3f}", run=other)
    verdict = say.of(differences.verdict.text)
    return say.text("verdict_against", difference=_interval_words(kappa), run=other, verdict=verdict)


def _interval_words(difference: Difference) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} … {difference.high:+.3f})"


def show_promotion_buttons(run: Run, condition: Condition, champion: Champion | None, words: str, say: Say) -> None:
    """Offer to promote this run, or to take its promotion back.

    Args:
        words: what the decision rests on; kept in the log of promotions.
    """
    key = f"{condition.value}-{run.id}"
    name = say.of(condition.text)
    promoted = champion is not None and champion.pinned
    if not (promoted and champion.run == run) and change_button(
        say("promote"), say, key=f"promote-{key}", icon=":material/keep:"
    ):
        champions.promote(condition, run, words)
        toast_after_rerun(say("promote_done", run=run.id, condition=name))
        st.rerun()
    if promoted and change_button(say("promote_back"), say, key=f"unpin-{key}", icon=":material/undo:"):
        champions.unpin(condition, words)
        toast_after_rerun(say("promote_automatic", condition=name))
        st.rerun()


def show_changes(say: Say) -> None:
    """Show the log of promotions."""
    changes = champions.changes()
    if not changes:
        return
    with st.expander(say("promote_log")):
        rows = [
            {
                say("promote_time"): change.time[:16].replace("T", " "),
                say("condition"): say.of(change.condition.text),
                say("promote_kind"): say("promote_pinned") if change.pinned else say("promote_unpinned"),
                say("promote_before"): change.before or "–",
                say("promote_after"): change.after or "–",
                say("promote_why"): change.why,
            }
            for change in changes
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=say("promote_log"))
