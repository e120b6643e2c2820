"""The operating point of a finished run: its figures, a new fit, its versions and the way back to one."""

import math
from functools import lru_cache
from typing import NamedTuple

import pandas as pd
import streamlit as st

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import calibration, grade_sets, metrics
from scalp_core.metrics.grade_sets import COVERAGE, SetQuality
from scalp_core.metrics.operating_point import (
    COSTS,
    MAX_LOSS,
    MAX_WHO,
    MIN_IMAGES,
    Decision,
    OperatingPoint,
    evaluate_referral,
    fit,
    labelled_predictions,
    sign,
)
from scalp_core.metrics.referral import ReferralQuality
from scalp_core.runs.champions import logged_elections
from scalp_core.runs.run import Run
from ui.access import change_button
from ui.feedback import toast_after_rerun
from ui.markdown import Markdown, bullets, literal_cells
from ui.words import Say


def show_operating_point(run: Run, say: Say) -> None:
    """Show a table with a row per condition, a button to fit anew, and the versions."""
    st.subheader(say("point"))
    if run.operating_point.fitted:
        st.caption(say("point_note"))
        table = _figure_table(_figures(run, run.changed_ns), say)
        st.table(literal_cells(table.set_index(say("condition"))), alt=say("point"))
        truths = {c: metrics.confusion(run.predictions, c, "valid").sum(axis=1) for c in run.recipe.conditions}
        if reason := metrics.explain_undefined(truths):
            st.caption(say.plain(reason))
    else:
        st.caption(say("point_none", count=MIN_IMAGES))
    warnings = _refusals(run, say) + (_losses(run, say) if run.operating_point.fitted else [])
    if warnings:
        st.warning(bullets(warnings), icon=":material/trending_down:")
    _offer_fit(run, say)
    show_versions(run, say)


def _refusals(run: Run, say: Say) -> list[Markdown]:
    return [
        say("point_refused", condition=say.of(condition.text), before=f"{before:.3f}", after=f"{after:.3f}")
        for condition, (before, after) in run.operating_point.refused.items()
    ]


def _losses(run: Run, say: Say) -> list[Markdown]:
    """Return a sentence for every decision that loses kappa on validation, be it for the recall floor."""
    return [
        say("point_loses", condition=say.of(row.condition.text), before=f"{before:.3f}", after=f"{after:.3f}")
        for row in _figures(run, run.changed_ns)
        for before, after in [(row.before[0], row.after[0])]
        if before - after > MAX_LOSS
    ]


class _Figures(NamedTuple):
    """The decision of one condition, and the figures of `_measure` without and with it."""

    condition: Condition
    decision: Decision
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    sets: SetQuality
    referral: ReferralQuality


@lru_cache(maxsize=64)
def _figures(run: Run, _changed_ns: int) -> list[_Figures]:
    before, after = OperatingPoint().apply(run.raw_predictions), run.predictions
    return [
        _Figures(
            condition,
            run.operating_point.decision(condition),
            _measure(before, condition),
            _measure(after, condition),
            grade_sets.measure_sets(after, condition, "test"),
            evaluate_referral(
                run.operating_point.decision(condition), labelled_predictions(run.raw_predictions, condition, "test")
            ),
        )
        for condition in run.recipe.conditions
    ]


def _measure(predictions: pd.DataFrame, condition: Condition) -> tuple[float, float, float]:
    """Return quadratic weighted kappa, recall of the worst grade and calibration error on validation."""
    figures = metrics.measure(metrics.confusion(predictions, condition, "valid"))
    error = calibration.expected_calibration_error(predictions, condition, "valid")
    return figures.quadratic_weighted_kappa, figures.worst_grade_recall, error


def _figure_table(figures: list[_Figures], say: Say) -> pd.DataFrame:
    share, measures = f"{COVERAGE:.0%}", ("metric_quadratic_weighted_kappa", "metric_worst_grade_recall", "point_error")
    limited = any(row.decision.far_limit is not None for row in figures)
    return pd.DataFrame(
        [
            {
                say("condition"): say.of(row.condition.text),
                say("point_rule"): _rule_words(row.decision, say) if _decides(row.decision) else say("point_unfitted"),
                **{say(key): _change(*pair) for key, *pair in zip(measures, row.before, row.after, strict=True)},
                say.text("point_sets", coverage=share): f"{row.sets.coverage:.1%}" if row.sets.images else "–",
                say("point_size"): f"{row.sets.size:.2f}" if row.sets.images else "–",
                **(_referral_cells(row, say) if limited else {}),
                say("point_temperature"): f"{row.decision.temperature:.2f}",
                say("point_tau"): f"{row.decision.tau:g}",
            }
            for row in figures
        ]
    )


def _referral_cells(row: _Figures, say: Say) -> dict[str, str]:
    """Return what is left to a person on the test split, and the far errors that are not, with the limit."""
    limit, shares = row.decision.far_limit, (row.referral.referred_share, row.referral.unseen_share)
    if limit is None or not row.referral.images:
        return {say("point_referred"): "–", say("point_unseen"): "–"}
    return {say("point_referred"): f"{shares[0]:.1%}", say("point_unseen"): f"{shares[1]:.2%} (≤ {100 * limit:g}%)"}


def _change(before: float, after: float) -> str:
    return " → ".join("–" if math.isnan(value) else f"{value:.3f}" for value in (before, after))


def _offer_fit(run: Run, say: Say) -> None:
    point = run.operating_point
    current = point.recall_floor if point.made else run.recipe.recall_floor
    with st.container(horizontal=True, vertical_alignment="bottom"):
        floor = st.number_input(say("recall_floor"), 0.0, 1.0, current, step=0.05, key=f"floor-{run.id}", width=260)
        if change_button(say("point_fit"), say, key=f"fit-{run.id}", icon=":material/tune:"):
            run.verify()
            with logged_elections():
                run.change_operating_point(
                    lambda point: fit(run.raw_predictions, floor, say("point_why"), point.far_limits)
                )
            toast_after_rerun(say("point_fitted"))
            st.rerun()


def _decides(decision: Decision) -> bool:
    """Return whether the decision was fitted or set by hand."""
    return decision.fitted or decision.way != Decision().way


def decision_words(decision: Decision, say: Say, costs: bool = True) -> str:
    """Return the decision in a few words, `median, τ 0.5`; `costs` names the costs too."""
    words = [_rule_words(decision, say) if costs else say(f"rule_{decision.rule}")]
    if decision.tau:
        words.append(f"τ {decision.tau:g}")
    if decision.far_limit is not None:
        words.append(say("point_limit", limit=f"{100 * decision.far_limit:g}%"))
    return ", ".join(words)


def _rule_words(decision: Decision, say: Say) -> str:
    words, (_, _, cost, _) = say(f"rule_{decision.rule}"), decision.way
    if cost is None or cost == COSTS["squared"].cost:
        return words
    names = (say.of(preset.text) for preset in COSTS.values() if preset.cost == cost)
    return f"{words} ({next(names, say('point_own_cost'))})"


def show_versions(run: Run, say: Say) -> None:
    """Show all versions, the current one first, with author, change, time and reason, and offer the way back to one."""
    points = [run.operating_point, *run.earlier_operating_points]
    if not points[0].made:
        return
    with st.expander(say("point_versions")):
        rows = [
            {
                say("point_made"): _time_words(point) + (f" · {say('point_current')}" if not number else ""),
                say("point_author"): point.who or "–",
                say("point_what"): _change_words(point, before, say),
                say("recall_floor"): point.recall_floor,
                say("point_occasion"): point.why,
            }
            for number, (point, before) in enumerate(zip(points, [*points[1:], None], strict=True))
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=say("point_versions"))
        if points[1:]:
            _offer_way_back(run, points, say)


def _time_words(point: OperatingPoint) -> str:
    return point.made[:19].replace("T", " ")


def _change_words(point: OperatingPoint, before: OperatingPoint | None, say: Say) -> str:
    """Return the decisions that differ from the version before."""
    if before is None:
        return say("point_first")
    changed = [condition for condition in CONDITIONS if point.decision(condition) != before.decision(condition)]
    if len(changed) > 1:
        return say("point_changed", count=len(changed))
    words = (f"{say.of(condition.text)}: {decision_words(point.decision(condition), say)}" for condition in changed)
    return ", ".join(words) or "–"


def _offer_way_back(run: Run, points: list[OperatingPoint], say: Say) -> None:
    key = f"{run.id}-{points[0].made}"  # the choice starts again with every new version
    earlier = {point.made: point for point in points[1:]}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        made = st.selectbox(
            say("point_earlier"),
            list(earlier),
            format_func=lambda made: " · ".join(filter(None, (_time_words(earlier[made]), earlier[made].who))),
            key=f"version-{key}",
            width=300,
        )
        who = st.text_input(say("point_author"), max_chars=MAX_WHO, key=f"version-who-{key}", width=220)
        pressed = change_button(say("point_bring_back"), say, key=f"bring-back-{key}", icon=":material/history:")
    if not pressed or made not in earlier:
        return
    why = say.text("point_brought_back", made=_time_words(earlier[made]), why=earlier[made].why or "–")
    with logged_elections():
        run.change_operating_point(lambda _: sign(earlier[made], who or "", why))
    toast_after_rerun(say("point_back"))
    st.rerun()
