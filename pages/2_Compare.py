"""Models side by side on one dataset: which are really better, where each fails, and the pictures behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from scalp_core.evaluation.comparison import ExcludedRun, Model, leak_warnings, list_candidates, newest_and_best
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import HEADLINE, METRICS
from scalp_core.runs.evaluations import evaluation_notes
from ui.choices import (
    address_dataset,
    choose,
    choose_dataset,
    choose_from_list,
    choose_some,
    value_of_address,
    values_of_address,
)
from ui.compare.best_models import show_best_models
from ui.compare.confusion_matrices import show_confusion_matrices
from ui.compare.decision_lab import show_decision_lab
from ui.compare.differences import show_differences
from ui.compare.excluded_runs import show_excluded
from ui.compare.external_models import show_external
from ui.compare.groups import show_groups
from ui.compare.leaderboard import marked_names, show_leaderboard
from ui.compare.referral import show_referral
from ui.compare.selection import ModelSelection
from ui.downloads import file_stem, offer_file
from ui.feedback import show_damaged_points
from ui.markdown import Markdown, literal
from ui.shell import show_page, toolbar
from ui.words import Say


@dataclass(frozen=True)
class _View:
    """A view of the page, and which of the shared choices act on it."""

    show: Callable[[ModelSelection, Say], None]
    of_condition: bool = True
    of_part: bool = True
    of_metric: bool = False


# Two views choose on validation and calibration, and report on test, whatever the address says.
_VIEWS = {
    "wall": _View(show_confusion_matrices),
    "leaderboard": _View(show_leaderboard, of_condition=False, of_metric=True),
    "differences": _View(show_differences, of_metric=True),
    "recall": _View(show_differences),
    "groups": _View(show_groups, of_metric=True),
    "reliability": _View(show_differences),
    "referral": _View(show_referral),
    "pareto": _View(show_differences, of_metric=True),
    "curves": _View(show_differences, of_condition=False, of_part=False),
    "decision": _View(show_decision_lab, of_part=False),
    "best": _View(show_best_models, of_part=False),
}
_PARTS = ("test", "valid", "calib")


def compare(say: Say) -> None:
    dataset = address_dataset()
    if dataset is None:
        choose_dataset(say)  # says what is missing
        return
    models, excluded = list_candidates(dataset)
    view, condition = _choose_view(say)
    selection = _choose_models(say, view, condition, models)
    show_damaged_points((run for model in models for run in model.runs), say)
    if not models:
        st.info(say("compare_none", data=dataset.name))
    elif selection is None:
        st.info(say("compare_choose"))
    else:
        _show_warnings(selection, say)
        if not view.of_part or _show_common(selection, say):
            view.show(selection, say)
            _offer_report(say, selection, excluded)
        judged_since = evaluation_notes(run for model in selection.models for run in model.runs)
        for text in (*judged_since, *leak_warnings(selection.models)[1]):
            st.caption(say.plain(text))
    show_excluded(dataset, excluded, say, opened=not models)
    show_external(dataset, models, newest_and_best(models, condition), say)


# ---- the toolbar ----


def _choose_view(say: Say) -> tuple[_View, Condition]:
    """Offer the views, and the conditions where they act."""
    with toolbar():
        names = {name: say(f"view_{name}") for name in _VIEWS}
        view = _VIEWS[choose_from_list(say("compare_view"), names, "view", say.language)]
        conditions = {condition.value: say(f"short_{condition.code}") for condition in CONDITIONS}
        if view.of_condition:
            default = CONDITIONS[0].value
            return view, Condition(choose(say("condition"), conditions, "condition", default, say.language))
        return view, Condition(value_of_address("condition", conditions, CONDITIONS[0].value))


def _choose_models(say: Say, view: _View, condition: Condition, models: Sequence[Model]) -> ModelSelection | None:
    """Offer dataset, split, metric and models, folded away; return None where no model is selected."""
    by_key = {model.key: model for model in models}
    default = newest_and_best(models, condition)
    count = len(values_of_address("runs", by_key, default))
    part = value_of_address("part", _PARTS, "test") if view.of_part else "test"
    scope = say("compare_models", count=count)
    label = Markdown(f"{literal(say.part(part))} · {scope}") if view.of_part else scope
    with toolbar().popover(label, icon=":material/tune:", width="content"):
        dataset = choose_dataset(say)
        metric = HEADLINE
        if view.of_part:
            part = choose(say("part"), {name: say.part(name) for name in _PARTS}, "part", "test", say.language)
        if view.of_metric:
            names = {name: say.of(metric.text) for name, metric in METRICS.items()}
            metric = choose_from_list(say("compare_metric"), names, "metric", say.language)
        keys = (
            choose_some(say("compare_runs"), _model_names(models, say), "runs", default, say.language) if models else []
        )
    if part != "test":
        st.caption(say("compare_not_test"))
    selected = tuple(by_key[key] for key in keys)
    return ModelSelection(dataset, condition, part, selected, metric) if dataset and selected else None


def _model_names(models: Sequence[Model], say: Say) -> dict[str, str]:
    seeds = {model.key: f" × {len(model.runs)}" if len(model.runs) > 1 else "" for model in models}
    return {key: name + seeds[key] for key, name in marked_names(tuple(models), say).items()}


# ---- around the view ----


def _show_warnings(selection: ModelSelection, say: Say) -> None:
    """Show what spoils figures: pictures that a model learned from, and runs that learned from synthetic ones."""
    for text in leak_warnings(selection.models)[0]:
        st.error(say.plain(text), icon=":material/error:")
    runs = [run.id for model in selection.models for run in model.runs if run.synthetic]
    if runs and not selection.dataset.synthetic:
        st.warning(say("compare_synthetic", runs=", ".join(runs)), icon=":material/draw:")


def _show_common(selection: ModelSelection, say: Say) -> bool:
    """Say on how many pictures the models are compared where some answer fewer than all; return whether on any."""
    if not any(model.external for model in selection.models):
        return True
    count, whole = len(selection.aligned.images), int((selection.dataset.column("part") == selection.part).sum())
    if not count:
        st.info(say("compare_nothing_common"))
    elif count < whole:
        st.caption(say("compare_common", count=count, whole=whole))
    return count > 0


def _offer_report(say: Say, selection: ModelSelection, excluded: Sequence[ExcludedRun]) -> None:
    def report() -> bytes:
        from scalp_core.reports.comparison_report import render_report  # imports seaborn, which takes a second

        today = datetime.now(UTC).date().isoformat()
        page = render_report(selection.dataset, selection.models, excluded, selection.part, say.language, today)
        return page.encode()

    name = file_stem(f"comparison-{selection.dataset.name}-{selection.part}", selection.dataset.synthetic)
    offer_file(
        say("compare_report"),
        report,
        f"{name}.html",
        "text/html",
        icon=":material/print:",
        note=say("compare_report_note"),
    )


show_page("compare", compare)
