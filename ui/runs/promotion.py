"""A finished run against the current champions, and its promotion."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

from scalp_core.charts.run_charts import verdict_chart
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import confusion, explain_undefined
from scalp_core.metrics.verdict import Difference
from scalp_core.runs import champions, election
from scalp_core.runs.champions import Champion
from scalp_core.runs.election import score
from scalp_core.runs.parents import kappa_differences, parent_of
from scalp_core.runs.run import Run
from ui.access import change_button
from ui.feedback import toast_after_rerun
from ui.markdown import Markdown, bullets, literal
from ui.words import Say

_FIGURES_OF = ("valid", "test")  # splits
_ANNOUNCED = timedelta(days=7)  # so long a change of the automatic choice stands on the pages


def show_broken_pins(say: Say) -> None:
    """Show a warning where the promotions cannot be read."""
    try:
        champions.pins()
    except ScalpError as error:
        st.warning(say.plain(error.text), icon=":material/warning:")


def run_words(champion: Champion | None, say: Say) -> str:
    """Return the id of the run in use, and whether it was promoted, perhaps below the floor."""
    if champion is None:
        return "–"
    if not champion.pinned:
        return champion.run.id
    return f"{champion.run.id} · {say('pinned_below') if champion.shortfalls else say('pinned')}"


def show_passed_over(say: Say) -> None:
    """Say for which conditions no run answers, and which runs would answer if they reached the floor."""
    answering, waiting = champions.champions(), champions.passed_over()
    if vacant := [say.of(condition.text) for condition in CONDITIONS if condition not in answering]:
        st.warning(say("none_answers", conditions=", ".join(vacant)), icon=":material/block:")
    if waiting:
        sentences = "\n".join(f"* {say.plain(passed.text)}" for passed in waiting.values())
        st.info(f"{say('passed_over')}\n\n{sentences}", icon=":material/balance:")


def show_elections(answering: Mapping[Condition, Champion], say: Say) -> None:
    """Announce the automatic choices of the last days that still stand."""
    latest: dict[Condition, champions.Change] = {}
    for change in champions.changes():
        latest.setdefault(change.condition, change)
    sentences = [
        _election_words(latest[condition], say)
        for condition in CONDITIONS
        if condition in latest and _to_announce(latest[condition], answering.get(condition))
    ]
    if sentences:
        st.info(bullets(sentences), icon=":material/published_with_changes:")


def _to_announce(change: champions.Change, champion: Champion | None) -> bool:
    stands = change.after == (champion.run.id if champion else "")
    return change.elected and stands and change.time >= (datetime.now(UTC) - _ANNOUNCED).isoformat()


def _election_words(change: champions.Change, say: Say) -> Markdown:
    condition, time, why = say.of(change.condition.text), _time_words(change), say.of(change.reasons)
    if not change.after:
        return say("elected_none", condition=condition, time=time, before=change.before, why=why)
    if not change.before:
        return say("elected_first", condition=condition, time=time, after=change.after, why=why)
    return say("elected", condition=condition, time=time, before=change.before, after=change.after, why=why)


def _time_words(change: champions.Change) -> str:
    return change.time[:16].replace("T", " ")


def show_undefined(answering: Mapping[Condition, Champion], say: Say) -> None:
    """Say for which conditions kappa of the answering run is undefined, and why."""
    for part in _FIGURES_OF:
        truths = {
            condition: confusion(champion.run.predictions, condition, part).sum(axis=1)
            for condition, champion in answering.items()
            if score(champion.run, condition, part) is None
        }
        if reason := explain_undefined(truths):
            st.caption(f"{literal(say.part(part))}: {say.plain(reason)}")


def show_verdict(run: Run, say: Say) -> None:
    """Show where the run is in use, and its differences of kappa from its parent and from the runs in use."""
    answering = champions.champions()
    here = [say.of(condition.text) for condition, champion in answering.items() if champion.run == run]
    parent = parent_of(run)
    table = _difference_table(run, parent, answering, say)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{say('verdict')}**", help=say("verdict_note"), width="content")
        if here:
            st.badge(say("verdict_in_use", conditions=", ".join(here)), color="green", icon=":material/check:")
    if not table.empty:
        st.altair_chart(verdict_chart(table, say.language), alt=say("verdict"))
    elif not here:
        st.caption(say("verdict_none"))


def _difference_table(run: Run, parent: Run | None, answering: Mapping[Condition, Champion], say: Say) -> pd.DataFrame:
    """Return a row for each condition and run that it is compared with, where there is an interval."""
    rows = []
    from_parent = kappa_differences(run, parent, run.recipe.conditions) if parent else {}
    for condition in run.recipe.conditions:
        champion = answering.get(condition)
        pairs = {}
        if condition in from_parent and parent:
            pairs[say.text("verdict_parent", run=parent.id)] = from_parent[condition]
        if champion and champion.run not in (run, parent):
            for pair in kappa_differences(run, champion.run, (condition,)).values():
                pairs[say.text("verdict_answering")] = pair
        rows += [
            {
                "condition": say.of(condition.text),
                "against": against,
                "difference": difference.value,
                "low": difference.low,
                "high": difference.high,
                "verdict": verdict.value,
            }
            for against, (difference, verdict) in pairs.items()
        ]
    return pd.DataFrame(rows)


def offer_promotions(run: Run, say: Say) -> None:
    """Offer a line per condition: the difference to the champion, and the buttons that promote this run or undo it."""
    with st.popover(say("promote"), icon=":material/keep:", key=f"promotions-{run.id}"):
        answering = champions.champions()
        for condition in run.recipe.conditions:
            text, buttons = st.columns([3, 2], vertical_alignment="center", gap="small")
            champion = answering.get(condition)
            words = _verdict_words(run, condition, champion, say)
            missing = champions.listed(election.shortfalls(run, condition), say.language)
            tooltip = say("verdict_misses", why=missing) if missing else None
            text.markdown(f"**{say.plain(condition.text)}** · {literal(words)}", help=tooltip)
            with buttons.container(horizontal=True):
                show_promotion_buttons(run, condition, champion, words, say)


def offer_runs_in_use(say: Say) -> None:
    """Offer a popover with the run in use for each condition, what changed lately, and the log of changes."""
    answering = champions.champions()
    with st.popover(say("runs_in_use"), icon=":material/fact_check:", key="runs-in-use"):
        lines = [
            Markdown(f"**{say.plain(condition.text)}** · {literal(run_words(answering.get(condition), say))}")
            for condition in CONDITIONS
        ]
        st.markdown(bullets(lines))
        show_elections(answering, say)
        show_passed_over(say)
        show_changes(say)


def _verdict_words(run: Run, condition: Condition, champion: Champion | None, say: Say) -> str:
    missing = election.shortfalls(run, condition)
    if champion is None or champion.run != run:
        words = _comparison_words(run, condition, champion, say)
        return say.text("verdict_below", words=words) if missing else words
    if not champion.pinned:
        return say.text("verdict_answers")
    return say.text("verdict_promoted_below") if missing else say.text("verdict_promoted")


def _comparison_words(run: Run, condition: Condition, champion: Champion | None, say: Say) -> str:
    if champion is None:
        return say.text("verdict_no_run")
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
    if not (promoted and champion.run.id == run.id) and change_button(
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
    """Show the log of promotions and elections."""
    changes = champions.changes()
    if not changes:
        return
    with st.expander(say("promote_log")):
        rows = [
            {
                say("promote_time"): _time_words(change),
                say("condition"): say.of(change.condition.text),
                say("promote_kind"): _kind_words(change, say),
                say("promote_before"): change.before or "–",
                say("promote_after"): change.after or "–",
                say("promote_why"): say.of(change.reasons),
            }
            for change in changes
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=say("promote_log"))


def _kind_words(change: champions.Change, say: Say) -> str:
    if change.elected:
        return say("promote_elected")
    return say("promote_pinned") if change.pinned else say("promote_unpinned")
