"""The operating point of a finished run: what it changed, fitting it anew, its versions and bringing one back."""

import math
from functools import lru_cache
from typing import NamedTuple

import pandas as pd
import streamlit as st

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import calibration, metrics
from scalp_core.metrics.calibration import SetQuality
from scalp_core.metrics.operating_point import (
    COSTS,
    COVERAGE,
    MAX_WHO,
    MIN_IMAGES,
    Decision,
    OperatingPoint,
    fit,
    sign,
)
from scalp_core.runs.run import Run
from ui.feedback import toast_after_rerun
from ui.words import Say


def show_point(run: Run, say: Say) -> None:
    """A row a condition, then the versions, then the button."""
    st.subheader(say("point"))
    if run.operating_point.fitted:
        st.caption(say("point_note"))
        st.dataframe(_worded(_figures(run, run.changed_ns), say), hide_index=True, alt=say("point"))
    else:
        st.caption(say("point_none", count=MIN_IMAGES))
    _fit_anew(run, say)
    show_versions(run, say)


class _Figures(NamedTuple):
    """One condition's decision, and what was reached before it and with it; see `_reached`."""

    condition: Condition
    decision: Decision
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    sets: SetQuality


@lru_cache(maxsize=64)
def _figures(run: Run, _changed_ns: int) -> list[_Figures]:
    before, after = OperatingPoint().apply(run.raw_predictions), run.predictions
    return [
        _Figures(
            condition,
            run.operating_point.decision(condition),
            _reached(before, condition),
            _reached(after, condition),
            calibration.measure_sets(after, condition, "test"),
        )
        for condition in run.recipe.conditions
    ]


def _reached(predictions: pd.DataFrame, condition: Condition) -> tuple[float, float, float]:
    """Quadratic weighted kappa, worst grade's recall and calibration error on the validation part."""
    measured = metrics.measure(metrics.confusion(predictions, condition, "valid"))
    error = calibration.expected_calibration_error(predictions, condition, "valid")
    return measured.quadratic_weighted_kappa, measured.worst_grade_recall, error


def _worded(figures: list[_Figures], say: Say) -> pd.DataFrame:
    share, measures = f"{COVERAGE:.0%}", ("metric_quadratic_weighted_kappa", "metric_worst_grade_recall", "point_error")
    return pd.DataFrame(
        [
            {
                say("condition"): say.of(one.condition.text),
                say("point_rule"): _rule_words(one.decision, say) if _decides(one.decision) else say("point_unfitted"),
                **{say(key): _change(*pair) for key, *pair in zip(measures, one.before, one.after, strict=True)},
                say("point_sets", coverage=share): f"{one.sets.coverage:.1%}" if one.sets.images else "–",
                say("point_size"): f"{one.sets.size:.2f}" if one.sets.images else "–",
                say("point_temperature"): f"{one.decision.temperature:.2f}",
                say("point_tau"): f"{one.decision.tau:g}",
            }
            for one in figures
        ]
    )


def _change(before: float, after: float) -> str:
    return " → ".join("–" if math.isnan(value) else f"{value:.3f}" for value in (before, after))


def _fit_anew(run: Run, say: Say) -> None:
    point = run.operating_point
    kept = point.recall_floor if point.made else run.recipe.recall_floor
    with st.container(horizontal=True, vertical_alignment="bottom"):
        floor = st.number_input(say("recall_floor"), 0.0, 1.0, kept, step=0.05, key=f"floor-{run.id}", width=260)
        if st.button(say("point_fit"), key=f"fit-{run.id}", icon=":material/tune:"):
            run.verify()
            run.change_operating_point(lambda _: fit(run.raw_predictions, floor, say("point_why")))
            toast_after_rerun(say("point_fitted"))
            st.rerun()


def _decides(decision: Decision) -> bool:
    """Somebody or something settled how it decides."""
    return decision.fitted or decision.way != Decision().way


def decision_words(decision: Decision, say: Say, costs: bool = True) -> str:
    """`median, τ 0.5`: how grades are decided, in a few words; without the costs in fewer."""
    rule = _rule_words(decision, say) if costs else say(f"rule_{decision.rule}")
    return f"{rule}, τ {decision.tau:g}" if decision.tau else rule


def _rule_words(decision: Decision, say: Say) -> str:
    words, (_, _, cost) = say(f"rule_{decision.rule}"), decision.way
    if cost is None or cost == COSTS["squared"].cost:
        return words
    named = (say.of(preset.text) for preset in COSTS.values() if preset.cost == cost)
    return f"{words} ({next(named, say('point_own_cost'))})"


def show_versions(run: Run, say: Say) -> None:
    """All versions, the one in force first: who decided what, when and why. Earlier ones can be brought back."""
    points = [run.operating_point, *run.earlier_operating_points]
    if not points[0].made:
        return
    with st.expander(say("point_versions")):
        rows = [
            {
                say("point_made"): _moment(point) + (f" · {say('point_current')}" if not number else ""),
                say("point_author"): point.who or "–",
                say("point_what"): _what(point, before, say),
                say("recall_floor"): f"{point.recall_floor:g}",
                say("point_occasion"): point.why,
            }
            for number, (point, before) in enumerate(zip(points, [*points[1:], None], strict=True))
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=say("point_versions"))
        if points[1:]:
            _bring_back(run, points, say)


def _moment(point: OperatingPoint) -> str:
    return point.made[:19].replace("T", " ")


def _what(point: OperatingPoint, before: OperatingPoint | None, say: Say) -> str:
    """What it decides otherwise than the version before it."""
    if before is None:
        return say("point_first")
    changed = [one for one in CONDITIONS if point.decision(one) != before.decision(one)]
    if len(changed) > 1:
        return say("point_changed", count=len(changed))
    return ", ".join(f"{say.of(one.text)}: {decision_words(point.decision(one), say)}" for one in changed) or "–"


def _bring_back(run: Run, points: list[OperatingPoint], say: Say) -> None:
    key = f"{run.id}-{points[0].made}"  # of the next version the choice begins anew
    earlier = {point.made: point for point in points[1:]}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        made = st.selectbox(
            say("point_earlier"),
            list(earlier),
            format_func=lambda made: " · ".join(filter(None, (_moment(earlier[made]), earlier[made].who))),
            key=f"version-{key}",
            width=300,
        )
        who = st.text_input(say("point_author"), max_chars=MAX_WHO, key=f"version-who-{key}", width=220)
        pressed = st.button(say("point_bring_back"), key=f"bring-back-{key}", icon=":material/history:")
    if not pressed or made not in earlier:
        return
    why = say("point_brought_back", made=_moment(earlier[made]), why=earlier[made].why or "–")
    run.change_operating_point(lambda _: sign(earlier[made], who or "", why))
    toast_after_rerun(say("point_back"))
    st.rerun()
