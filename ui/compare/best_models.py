"""The best model for each condition: chosen on validation, shown on test, promoted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from scalp_core.evaluation import comparison
from scalp_core.evaluation.comparison import Model
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import summary
from scalp_core.metrics.metrics import HEADLINE
from scalp_core.metrics.paired_comparison import Comparison
from scalp_core.metrics.verdict import NEGLIGIBLE, Estimate
from scalp_core.runs import champions
from scalp_core.runs.champions import Champion
from scalp_core.runs.election import practically_equal
from scalp_core.runs.run import Run
from ui.compare.selection import ModelSelection
from ui.downloads import offer_table
from ui.markdown import literal, literal_cells
from ui.runs.promotion import run_words, show_broken_pins, show_changes, show_promotion_buttons
from ui.words import Say

_ENDS = ("value", "lower", "upper")


def show_best_models(selection: ModelSelection, say: Say) -> None:
    """Show a table with a row per condition, then the candidates for the chosen condition with their buttons.

    Models from elsewhere are not among them, as they never answer.
    """
    selection = replace(selection, models=tuple(model for model in selection.models if not model.external))
    if not selection.models:
        st.info(say("external_never"))
        return
    show_broken_pins(say)
    st.caption(say("best_note", margin=f"{NEGLIGIBLE['quadratic_weighted_kappa']:g}"))
    valid, test = (comparison.compare_models(selection.dataset, selection.models, part) for part in ("valid", "test"))
    answering = champions.champions()
    _show_table(selection, valid, test, answering, say)
    for part, compared in {"valid": valid, "test": test}.items():
        if reason := summary.undefined_kappas(compared):
            st.caption(f"{literal(say.part(part))}: {say.plain(reason)}")
    st.subheader(say("best_for", condition=say.of(selection.condition.text)))
    _show_candidates(selection, valid, test, answering.get(selection.condition), say)
    show_changes(say)


def _show_table(
    selection: ModelSelection,
    valid: Comparison,
    test: Comparison,
    answering: dict[Condition, Champion],
    say: Say,
) -> None:
    rows = [
        {"condition": condition.value} | _figures(selection, condition, valid, test, answering.get(condition))
        for condition in CONDITIONS
    ]
    figures = selection.figures(pd.DataFrame(rows), metric=HEADLINE)
    names = {model.key: model.name for model in selection.models}
    displayed = pd.DataFrame([_row(row, names, answering.get(Condition(row["condition"])), say) for row in rows])
    st.table(literal_cells(displayed.set_index(say("condition"))), alt=say("view_best"))
    offer_table(displayed, figures, "best", say, say("view_best"), synthetic=selection.dataset.synthetic)


def _figures(
    selection: ModelSelection, condition: Condition, valid: Comparison, test: Comparison, champion: Champion | None
) -> dict[str, object]:
    """Return a row for programs; it is empty where no model grades the condition."""
    able = [run for model in selection.models for run in model.runs if condition in run.recipe.conditions]
    tied = practically_equal(able, condition)
    if not tied:
        return {"model": None}
    model, *others = {model.key: model for model in (_model_of(selection.models, run) for run in tied)}.values()
    return {
        "model": model.key,
        "tied_with": " ".join(other.key for other in others),
        **_estimate_figures("valid", valid.estimate(HEADLINE, model.key, condition)),
        **_estimate_figures("test", test.estimate(HEADLINE, model.key, condition)),
        "in_use": champion.run.id if champion else None,
        "promoted": champion.pinned if champion else None,
        "below_floor": bool(champion.shortfalls) if champion else None,
        "parameters": model.parameters,
        "milliseconds": model.milliseconds,
    }


def _estimate_figures(part: str, estimate: Estimate) -> dict[str, float]:
    return {f"{part}_value": estimate.value, f"{part}_lower": estimate.low, f"{part}_upper": estimate.high}


def _row(figures: Mapping[str, Any], names: Mapping[str, str], champion: Champion | None, say: Say) -> dict[str, str]:
    """Return a row in words."""
    row = {say("condition"): say.of(Condition(figures["condition"]).text)}
    if not figures["model"]:
        return row
    tied, time = figures["tied_with"].split(), figures["milliseconds"]
    return row | {
        say("best_chosen"): names[figures["model"]],
        say("best_tied"): ", ".join(names[key] for key in tied) or "–",
        say("qwk_valid"): estimate_words(Estimate(*(figures[f"valid_{end}"] for end in _ENDS))),
        say("qwk_test"): estimate_words(Estimate(*(figures[f"test_{end}"] for end in _ENDS))),
        say("best_answers"): run_words(champion, say),
        say("parameters"): f"{figures['parameters'] / 1e6:.1f} M",
        say("best_time"): "–" if time is None else f"{time:.0f} ms",
    }


def _model_of(models: Sequence[Model], run: Run) -> Model:
    return next(model for model in models if run in model.runs)


def estimate_words(estimate: Estimate) -> str:
    """Return `0.71 (0.66–0.76)`."""
    if math.isnan(estimate.value):
        return "–"
    interval = "" if math.isnan(estimate.low) else f" ({estimate.low:z.2f}–{estimate.high:z.2f})"
    return f"{estimate.value:z.2f}{interval}"


def _show_candidates(
    selection: ModelSelection, valid: Comparison, test: Comparison, champion: Champion | None, say: Say
) -> None:
    """Show every model that grades the condition, the best on validation first."""
    models = selection.grading_models
    if not models:
        st.info(say("compare_no_model"))
        return
    place = valid.conditions.index(selection.condition)
    kappas = dict(zip(valid.models, valid.values(HEADLINE)[:, place], strict=True))
    for model in sorted(models, key=lambda model: -math.inf if math.isnan(kappas[model.key]) else -kappas[model.key]):
        words, buttons = st.columns([3, 2], vertical_alignment="center")
        why = say.text(
            "best_candidate",
            valid=estimate_words(valid.estimate(HEADLINE, model.key, selection.condition)),
            test=estimate_words(test.estimate(HEADLINE, model.key, selection.condition)),
        )
        words.markdown(f"**{literal(model.name)}** · {literal(why)}")
        with buttons.container(horizontal=True):
            show_promotion_buttons(model.runs[0], selection.condition, champion, why, say)
