"""Architectures side by side on one data set: which is really better, where each fails, and those pictures."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.evaluation.comparison import ExcludedRun, Model, list_candidates
from scalp_core.labels import Condition
from scalp_core.metrics.metrics import HEADLINE, METRICS
from scalp_core.runs.champions import score
from ui.choices import choose, choose_condition, choose_dataset, choose_from_list, choose_some
from ui.compare.best_models import show_best
from ui.compare.confusion_matrices import show_wall
from ui.compare.decision_lab import show_decision
from ui.compare.differences import show_differences
from ui.compare.leaderboard import show_leaderboard
from ui.compare.selection import ModelSelection
from ui.downloads import file_stem
from ui.shell import show
from ui.words import Say

VIEWS = {
    "leaderboard": show_leaderboard,
    "wall": show_wall,
    "differences": show_differences,
    "decision": show_decision,
    "best": show_best,
}
# Those that choose on validation and calibration, and show test, whatever the address says.
_OF_ALL_PARTS = ("decision", "best")
_OF_A_METRIC = ("leaderboard", "differences")


def compare(say: Say) -> None:
    dataset = choose_dataset(say)
    if dataset is None:
        return
    sides, left_out = list_candidates(dataset)
    if not sides:
        st.info(say("compare_none", data=dataset.name))
    else:
        _compare(say, dataset, sides, left_out)
    _tell_left_out(say, left_out)


def _compare(say: Say, dataset: Dataset, sides: Sequence[Model], left_out: Sequence[ExcludedRun]) -> None:
    view = choose(say("compare_view"), {key: say(f"view_{key}") for key in VIEWS}, "view", "leaderboard", say.language)
    condition = choose_condition(say)
    chosen = _choose_sides(say, condition, sides)
    part, metric = _choose_part_and_metric(say, view)
    if not chosen:
        st.info(say("compare_choose"))
        return
    one = ModelSelection(dataset, condition, part, chosen, metric)
    VIEWS[view](one, say)
    _offer_report(say, one, left_out)


def _choose_part_and_metric(say: Say, view: str) -> tuple[str, str]:
    """Where the view leaves something to choose."""
    if view in _OF_ALL_PARTS:
        return "test", HEADLINE
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        parts = {name: say.part(name) for name in ("test", "valid", "calib")}
        part = choose(say("part"), parts, "part", "test", say.language)
    metric = HEADLINE
    if view in _OF_A_METRIC:
        with right:
            names = {name: say.of(one.text) for name, one in METRICS.items()}
            metric = choose_from_list(say("compare_metric"), names, "metric", say.language)
    if part != "test":
        st.caption(say("compare_not_test"))
    return part, metric


def _choose_sides(say: Say, condition: Condition, sides: Sequence[Model]) -> tuple[Model, ...]:
    """To begin with one an architecture, the best on validation."""
    known = {side.key: side for side in sides}
    names = {key: side.name + (f" × {len(side.runs)}" if len(side.runs) > 1 else "") for key, side in known.items()}
    chosen = choose_some(say("compare_runs"), names, "runs", _best_by_architecture(sides, condition), say.language)
    return tuple(known[key] for key in chosen)


def _best_by_architecture(sides: Sequence[Model], condition: Condition) -> list[str]:
    best: dict[str, str] = {}
    for side in sorted(sides, key=lambda side: score(side.runs[0], condition, "valid") or 0.0):
        best[side.recipe.architecture] = side.key
    return list(best.values())


def _offer_report(say: Say, one: ModelSelection, left_out: Sequence[ExcludedRun]) -> None:
    def make_report() -> str:
        from scalp_core.reports.comparison_report import render_report  # imports seaborn, which takes a second

        today = datetime.now(UTC).date().isoformat()
        return render_report(one.dataset, one.sides, left_out, one.part, say.language, today)

    st.divider()
    st.caption(say("compare_report_note"))
    name = file_stem(f"comparison-{one.dataset.name}-{one.part}", one.dataset.synthetic)
    st.download_button(
        say("compare_report"),
        make_report,
        f"{name}.html",
        "text/html",
        key="report",
        icon=":material/print:",
        on_click="ignore",
    )


def _tell_left_out(say: Say, left_out: Sequence[ExcludedRun]) -> None:
    if not left_out:
        return
    with st.expander(say("compare_left_out", count=len(left_out))):
        rows = [{say("run"): one.run.id, say("compare_reason"): say.of(one.reason)} for one in left_out]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=say("compare_left_out", count=len(left_out)))


show("compare", compare)
