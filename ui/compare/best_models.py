"""The best model for each condition: chosen on validation, shown on test, promoted."""

import math
from collections.abc import Sequence

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
from ui.markdown import literal
from ui.runs.promotion import run_words, show_broken_pins, show_changes, show_promotion_buttons
from ui.words import Say

_WIDEST_COLUMN = 300  # pixels


def show_best_models(selection: ModelSelection, say: Say) -> None:
    """Show a table with a row per condition, then the candidates for the chosen condition with their buttons."""
    show_broken_pins(say)
    st.caption(say("best_note", margin=f"{NEGLIGIBLE['quadratic_weighted_kappa']:g}"))
    valid, test = (comparison.compare_models(selection.dataset, selection.models, part) for part in ("valid", "test"))
    answering = champions.champions()
    _show_table(selection, valid, test, answering, say)
    for part, compared in {"valid": valid, "test": test}.items():
        if reason := summary.undefined_kappas(compared):
            st.caption(f"{say.part(part)}: {say.plain(reason)}")
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
    rows = [_row(selection, condition, valid, test, answering.get(condition), say) for condition in CONDITIONS]
    table = pd.DataFrame(rows)
    # By default the column is as narrow as its head, and names are cut.
    longest = max(len(str(row.get(say("best_tied"), ""))) for row in rows)
    wide = {say("best_tied"): st.column_config.TextColumn(width=min(_WIDEST_COLUMN, 40 + 7 * longest))}
    st.dataframe(table, hide_index=True, column_config=wide, alt=say("view_best"))
    offer_table(table, "best", say, say("view_best"), synthetic=selection.dataset.synthetic)


def _row(
    selection: ModelSelection,
    condition: Condition,
    valid: Comparison,
    test: Comparison,
    champion: Champion | None,
    say: Say,
) -> dict[str, object]:
    able = [run for model in selection.models for run in model.runs if condition in run.recipe.conditions]
    tied = practically_equal(able, condition)
    row: dict[str, object] = {say("condition"): say.of(condition.text)}
    if not tied:
        return row
    model = _model_of(selection.models, tied[0])
    others = dict.fromkeys(_model_of(selection.models, run).name for run in tied[1:])
    return row | {
        say("best_chosen"): model.name,
        say("best_tied"): ", ".join(name for name in others if name != model.name) or "–",
        say("qwk_valid"): _estimate_words(valid.estimate(HEADLINE, model.key, condition)),
        say("qwk_test"): _estimate_words(test.estimate(HEADLINE, model.key, condition)),
        say("best_answers"): run_words(champion, say),
        say("parameters"): f"{model.parameters / 1e6:.1f} M",
        say("best_time"): "–" if model.milliseconds is None else f"{model.milliseconds:.0f} ms",
    }


def _model_of(models: Sequence[Model], run: Run) -> Model:
    return next(model for model in models if run in model.runs)


def _estimate_words(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "–"
    interval = "" if math.isnan(estimate.low) else f" ({estimate.low:.2f}–{estimate.high:.2f})"
    return f"{estimate.value:.2f}{interval}"


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
            valid=_estimate_words(valid.estimate(HEADLINE, model.key, selection.condition)),
            test=_estimate_words(test.estimate(HEADLINE, model.key, selection.condition)),
        )
        words.markdown(f"**{literal(model.name)}** · {literal(why)}")
        with buttons.container(horizontal=True):
            show_promotion_buttons(model.runs[0], selection.condition, champion, why, say)
