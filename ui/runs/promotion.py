"""A finished run against those that answer now, and who is promoted. Knows nothing of how runs are compared."""

import math

import pandas as pd
import streamlit as st

from scalp_core.errors import ScalpError
from scalp_core.labels import Condition
from scalp_core.metrics.paired_comparison import Difference
from scalp_core.runs import champions
from scalp_core.runs.champions import Champion
from scalp_core.runs.run import Run
from ui.feedback import toast_after_rerun
from ui.words import Say


def tell_broken_pins(say: Say) -> None:
    """Say so where promotions cannot be read."""
    try:
        champions.pins()
    except ScalpError as error:
        st.warning(say.plain(error.text), icon=":material/warning:")


def show_verdict(run: Run, say: Say) -> None:
    """A line a condition: the difference to the run that answers, and the button that changes who does."""
    st.subheader(say("verdict"))
    tell_broken_pins(say)
    st.caption(say("verdict_note"))
    answering = champions.champions()
    for condition in run.recipe.conditions:
        told, buttons = st.columns([3, 2], vertical_alignment="center")
        champion = answering.get(condition)
        words = _verdict(run, condition, champion, say)
        told.markdown(f"**{say.of(condition.text)}** · {words}")
        with buttons.container(horizontal=True):
            promotion_buttons(run, condition, champion, words, say)
    show_changes(say)


def _verdict(run: Run, condition: Condition, champion: Champion | None, say: Say) -> str:
    if champion is None:
        return say("verdict_no_run")
    if champion.run == run:
        return say("verdict_promoted") if champion.pinned else say("verdict_answers")
    try:
        found = champions.against(run, champion.run, condition)
    except ScalpError as error:
        return say.plain(error.text)
    against = f"`{champion.run.id}`"
    kappa = found.quadratic_weighted_kappa
    if math.isnan(kappa.value):
        return say("verdict_unlabelled", run=against)
    if math.isnan(kappa.low):
        return say("verdict_no_interval", difference=f"{kappa.value:+.3f}", run=against)
    verdict = f"**{say.of(found.verdict.text)}**"
    return say("verdict_against", difference=_figure(kappa), run=against, verdict=verdict)


def _figure(difference: Difference) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} … {difference.high:+.3f})"


def promotion_buttons(run: Run, condition: Condition, champion: Champion | None, words: str, say: Say) -> None:
    """Promote this run, or take its promotion back; `words` say what the decision rested on."""
    key = f"{condition.value}-{run.id}"
    why, name = words.replace("*", "").replace("`", ""), say.of(condition.text)
    promoted = champion is not None and champion.pinned
    if not (promoted and champion.run == run) and st.button(
        say("promote"), key=f"promote-{key}", icon=":material/keep:"
    ):
        champions.promote(condition, run, why)
        toast_after_rerun(say("promote_done", run=run.id, condition=name))
        st.rerun()
    if promoted and st.button(say("promote_back"), key=f"unpin-{key}", icon=":material/undo:"):
        champions.unpin(condition, why)
        toast_after_rerun(say("promote_automatic", condition=name))
        st.rerun()


def show_changes(say: Say) -> None:
    """What was promoted and taken back so far."""
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
