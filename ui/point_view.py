"""The operating point of a finished run: what it changed, its earlier versions, and fitting it anew."""

import math
from functools import lru_cache
from typing import NamedTuple

import pandas as pd
import streamlit as st

from scalp_core import evaluate
from scalp_core.evaluate import SetQuality
from scalp_core.labels import Condition
from scalp_core.operating_point import COVERAGE, MIN_IMAGES, Decision, OperatingPoint, fit
from scalp_core.runs import Run, not_writable
from ui.later import say_later
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
    _versions(run, say)


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
            evaluate.measure_sets(after, condition, "test"),
        )
        for condition in run.recipe.conditions
    ]


def _reached(predictions: pd.DataFrame, condition: Condition) -> tuple[float, float, float]:
    """Quadratic weighted kappa, worst grade's recall and calibration error on the validation part."""
    measured = evaluate.measure(evaluate.confusion(predictions, condition, "valid"))
    error = evaluate.expected_calibration_error(predictions, condition, "valid")
    return measured.quadratic_weighted_kappa, measured.worst_grade_recall, error


def _worded(figures: list[_Figures], say: Say) -> pd.DataFrame:
    share, measures = f"{COVERAGE:.0%}", ("metric_quadratic_weighted_kappa", "metric_worst_grade_recall", "point_error")
    return pd.DataFrame(
        [
            {
                say("condition"): say.of(one.condition.text),
                say("point_rule"): say(f"rule_{one.decision.rule}") if one.decision.fitted else say("point_unfitted"),
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
            try:
                run.write_operating_point(fit(run.raw_predictions, floor, say("point_why")))
            except OSError as error:
                raise not_writable(error) from error
            say_later(say("point_fitted"))
            st.rerun()


def _versions(run: Run, say: Say) -> None:
    if not run.operating_point.made:
        return
    with st.expander(say("point_versions")):
        points = [run.operating_point, *run.earlier_operating_points]
        rows = [
            {
                say("point_made"): point.made[:16].replace("T", " ") + (f" · {say('point_now')}" if not number else ""),
                say("recall_floor"): f"{point.recall_floor:g}",
                say("point_occasion"): point.why,
            }
            for number, point in enumerate(points)
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=say("point_versions"))
