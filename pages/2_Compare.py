"""Models side by side on one dataset: which are really better, where each fails, and the pictures behind it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from scalp_core.evaluation.comparison import ExcludedRun, Model, leak_warnings, list_candidates, newest_and_best
from scalp_core.labels import Condition
from scalp_core.metrics.metrics import HEADLINE, METRICS
from ui.choices import choose, choose_condition, choose_dataset, choose_from_list, choose_some
from ui.compare.best_models import show_best_models
from ui.compare.confusion_matrices import show_confusion_matrices
from ui.compare.decision_lab import show_decision_lab
from ui.compare.differences import show_differences
from ui.compare.leaderboard import show_leaderboard
from ui.compare.selection import ModelSelection
from ui.downloads import file_stem, offer_file
from ui.feedback import show_damaged_points
from ui.shell import show_page
from ui.words import Say

VIEWS = {
    "leaderboard": show_leaderboard,
    "wall": show_confusion_matrices,
    "differences": show_differences,
    "decision": show_decision_lab,
    "best": show_best_models,
}
# Views that choose on validation and calibration, and report on test, whatever the address says.
_ON_TEST_ONLY = ("decision", "best")
_OF_A_METRIC = ("leaderboard", "differences")


def compare(say: Say) -> None:
    dataset = choose_dataset(say)
    if dataset is None:
        return
    models, excluded = list_candidates(dataset)
    show_damaged_points((run for model in models for run in model.runs), say)
    if models:
        view = choose(
            say("compare_view"), {key: say(f"view_{key}") for key in VIEWS}, "view", "leaderboard", say.language
        )
        condition = choose_condition(say)
        selected = _choose_models(say, condition, models)
        part, metric = _choose_part_and_metric(say, view)
        if selected:
            selection = ModelSelection(dataset, condition, part, selected, metric)
            _show_warnings(selection, say)
            VIEWS[view](selection, say)
            _offer_report(say, selection, excluded)
        else:
            st.info(say("compare_choose"))
    else:
        st.info(say("compare_none", data=dataset.name))
    _show_excluded(say, excluded)


def _show_warnings(selection: ModelSelection, say: Say) -> None:
    """Show what spoils figures: pictures that were learned from before, and runs that learned from synthetic ones."""
    leaks, notes = leak_warnings(selection.models)
    for text in leaks:
        st.error(say.plain(text), icon=":material/error:")
    for text in notes:
        st.caption(say.plain(text))
    runs = [run.id for model in selection.models for run in model.runs if run.synthetic]
    if runs and not selection.dataset.synthetic:
        st.warning(say("compare_synthetic", runs=", ".join(runs)), icon=":material/draw:")


def _choose_part_and_metric(say: Say, view: str) -> tuple[str, str]:
    """Offer the split and the metric, where the view leaves them open."""
    if view in _ON_TEST_ONLY:
        return "test", HEADLINE
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        parts = {name: say.part(name) for name in ("test", "valid", "calib")}
        part = choose(say("part"), parts, "part", "test", say.language)
    metric = HEADLINE
    if view in _OF_A_METRIC:
        with right:
            names = {name: say.of(metric.text) for name, metric in METRICS.items()}
            metric = choose_from_list(say("compare_metric"), names, "metric", say.language)
    if part != "test":
        st.caption(say("compare_not_test"))
    return part, metric


def _choose_models(say: Say, condition: Condition, models: Sequence[Model]) -> tuple[Model, ...]:
    """Offer the models; the default is the newest and the best on validation, all taught by one dataset."""
    by_key = {model.key: model for model in models}
    names = {
        key: model.name + (f" × {len(model.runs)}" if len(model.runs) > 1 else "") for key, model in by_key.items()
    }
    keys = choose_some(say("compare_runs"), names, "runs", newest_and_best(models, condition), say.language)
    return tuple(by_key[key] for key in keys)


def _offer_report(say: Say, selection: ModelSelection, excluded: Sequence[ExcludedRun]) -> None:
    def report() -> bytes:
        from scalp_core.reports.comparison_report import render_report  # imports seaborn, which takes a second

        today = datetime.now(UTC).date().isoformat()
        page = render_report(selection.dataset, selection.models, excluded, selection.part, say.language, today)
        return page.encode()

    st.divider()
    st.caption(say("compare_report_note"))
    name = file_stem(f"comparison-{selection.dataset.name}-{selection.part}", selection.dataset.synthetic)
    offer_file(say("compare_report"), report, f"{name}.html", "text/html", icon=":material/print:")


def _show_excluded(say: Say, excluded: Sequence[ExcludedRun]) -> None:
    if not excluded:
        return
    with st.expander(say("compare_left_out", count=len(excluded))):
        rows = [{say("run"): entry.run.id, say("compare_reason"): say.of(entry.reason)} for entry in excluded]
        st.dataframe(pd.DataFrame(rows), hide_index=True, alt=say("compare_left_out", count=len(excluded)))


show_page("compare", compare)
