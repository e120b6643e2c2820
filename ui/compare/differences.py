"""Differences between models, a figure at a time: confidence intervals, recall, reliability, learning curves and costs.

The address says which (`figure`).
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from scalp_core.charts.comparison_charts import (
    curves_of_models,
    forest_chart,
    pareto_chart,
    recall_chart,
    reliability_chart,
)
from scalp_core.charts.comparison_tables import recall_table
from scalp_core.charts.dataset_charts import grade_name
from scalp_core.evaluation import comparison
from scalp_core.evaluation.comparison import Model
from scalp_core.metrics.calibration import DIAGRAM_BINS, pooled_reliability
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import McNemar, mcnemar
from scalp_core.metrics.verdict import NEGLIGIBLE, Verdict
from ui.access import change_button
from ui.choices import choose, choose_from_list, value_of_address
from ui.compare.leaderboard import marked_names, names_by_key, show_limits, show_summary
from ui.compare.selection import ModelSelection
from ui.downloads import offer_figure, offer_table, show_table
from ui.markdown import Markdown, code
from ui.words import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MEASURES = ("valid_qwk", "valid_loss")  # over the epochs


def address_figure() -> str:
    """Return the figure of the address: its view, or of an older address its `figure`."""
    view = st.query_params.get("view", "")
    return view if view in _FIGURES else value_of_address("figure", _FIGURES, "forest")


def show_differences(selection: ModelSelection, say: Say) -> None:
    """Show the figure of the address for the chosen condition."""
    figure = address_figure()
    # Learning curves need no labels of this split.
    if figure != "curves" and not _measured_models(selection):
        show_summary(selection, say)
        return
    _FIGURES[figure](selection, say)


def _measured_models(selection: ModelSelection) -> tuple[Model, ...]:
    """Return the models that have a value of the metric in the condition."""
    keys = selection.comparison.graded(selection.condition, selection.metric)
    return tuple(model for model in selection.models if model.key in keys)


# ---- confidence intervals ----


def _show_forest(selection: ModelSelection, say: Say) -> None:
    show_summary(selection, say)
    models = _measured_models(selection)
    if len(models) < 2:
        return
    reference = _choose_reference(selection, models, say)
    names, metric = names_by_key(models), METRICS[selection.metric]
    pairs = selection.comparison.pairs(selection.metric, selection.condition)
    st.altair_chart(
        forest_chart(pairs, marked_names(models, say), reference, selection.metric, say.language),
        alt=say.text("forest_alt", metric=say.of(metric.text), reference=names[reference]),
    )
    show_limits(selection, say)
    st.caption(say("forest_note", captures=f"{selection.comparison.groups:,}", negligible=NEGLIGIBLE[selection.metric]))

    def figure() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.forest(
            pairs,
            names,
            reference,
            selection.metric,
            say.language,
            condition=selection.condition,
            synthetic=selection.dataset.synthetic,
        )

    offer_figure(figure, _file_name(selection, "differences"), say, synthetic=selection.dataset.synthetic)
    _show_pairs(selection, models, pairs, reference, say)
    _show_ranks(selection, names, say)


def _choose_reference(selection: ModelSelection, models: tuple[Model, ...], say: Say) -> str:
    """Offer the model to compare with, the best on validation first: the reported split has no say in the choice."""
    best = comparison.compare_models(selection.dataset, selection.models, "valid").best(
        selection.metric, selection.condition
    )
    ordered = sorted(models, key=lambda model: model.key != best)
    names = {key: say.text("forest_against", name=name) for key, name in names_by_key(tuple(ordered)).items()}
    with st.container(width=280):
        return choose_from_list(say("forest_reference"), names, "reference", say.language)


def _show_pairs(
    selection: ModelSelection, models: tuple[Model, ...], pairs: pd.DataFrame, reference: str, say: Say
) -> None:
    """Show every pair of models once: first the pairs with the reference, which stands second in them."""
    names = names_by_key(models)
    correct = {model.key: selection.aligned.correct(model.runs[0].id, selection.condition) for model in models}
    order = sorted(names, key=lambda key: key == reference)  # the reference last
    rows = [row for row in pairs.to_dict("records") if order.index(row["model"]) < order.index(row["other"])]
    rows.sort(key=lambda row: row["other"] != reference)
    table = pd.DataFrame([_pair_row(row, mcnemar(correct[row["model"]], correct[row["other"]])) for row in rows])
    figures = _figures(selection, table)
    in_words = figures.assign(
        model=figures["model"].map(names),
        other=figures["other"].map(names),
        verdict=[say.of(Verdict(outcome).text) for outcome in figures["verdict"]],
    )
    heads = {
        "model": say("pairs_first"),
        "other": say("pairs_second"),
        "verdict": say("pairs_verdict"),
        "difference": say("pairs_difference"),
        "lower": say("leaderboard_low"),
        "upper": say("leaderboard_high"),
        "p_holm": say("pairs_p"),
        "only_model_right": say("pairs_only_first"),
        "only_other_right": say("pairs_only_second"),
        "p_mcnemar": say("pairs_mcnemar"),
    }
    formats = dict.fromkeys(("difference", "lower", "upper"), "%+.3f") | dict.fromkeys(("p_holm", "p_mcnemar"), "%.2g")
    st.markdown(f"**{say('pairs_title')}**")
    displayed = show_table(in_words, heads, say("pairs_title"), formats)
    st.caption(say("pairs_note"))
    if any(len(model.runs) > 1 for model in models):
        st.caption(say("pairs_seeds"))
    _offer_figures(selection, displayed, figures, "pairs", say("pairs_title"), say)


def _pair_row(row: Mapping[str, object], split: McNemar) -> dict[str, object]:
    return {
        **{name: row[name] for name in ("model", "other", "verdict", "difference", "low", "high", "p", "p_holm")},
        "only_model_right": split.only_first,
        "only_other_right": split.only_second,
        "p_mcnemar": split.p,
    }


def _figures(selection: ModelSelection, table: pd.DataFrame) -> pd.DataFrame:
    """Return figures of the chosen metric and condition as programs read them."""
    facts = {"part": selection.part, "metric": selection.metric, "condition": selection.condition.value}
    return selection.figures(table, **facts)


def _offer_figures(
    selection: ModelSelection, displayed: pd.DataFrame, figures: pd.DataFrame, name: str, title: str, say: Say
) -> None:
    """Offer a table of the chosen metric and condition."""
    caption = f"{title}: {say.of(METRICS[selection.metric].text)}, {say.of(selection.condition.text)}"
    offer_table(displayed, figures, _file_name(selection, name), say, caption, synthetic=selection.dataset.synthetic)


def _show_ranks(selection: ModelSelection, names: Mapping[str, str], say: Say) -> None:
    """Show how stable the order of the models is."""
    figures = _figures(selection, selection.comparison.ranks(selection.metric, selection.condition))
    heads = {
        "model": say("leaderboard_model"),
        "rank": say("ranks_rank"),
        "lower": say("leaderboard_low"),
        "upper": say("leaderboard_high"),
        "best_share": say("ranks_best"),
    }
    formats = {"lower": "%.0f", "upper": "%.0f", "best_share": "percent"}
    st.markdown(f"**{say('ranks_title')}**")
    displayed = show_table(figures.assign(model=figures["model"].map(dict(names))), heads, say("ranks_title"), formats)
    st.caption(say("ranks_note"))
    _offer_figures(selection, displayed, figures, "ranks", say("ranks_title"), say)


def _file_name(selection: ModelSelection, name: str) -> str:
    return f"{name}-{selection.condition.code}-{selection.metric}-{selection.part}"


# ---- recall of each grade ----


def _show_recall(selection: ModelSelection, say: Say) -> None:
    names = names_by_key(selection.models)
    st.altair_chart(
        recall_chart(selection.comparison, selection.condition, names, say.language),
        alt=say.text("recall_alt", condition=say.of(selection.condition.text)),
    )
    st.caption(say("recall_note"))

    def figure() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.recall(
            selection.comparison, selection.condition, names, say.language, synthetic=selection.dataset.synthetic
        )

    name = f"recall-{selection.condition.code}-{selection.part}"
    offer_figure(figure, name, say, synthetic=selection.dataset.synthetic)
    table = recall_table(selection.comparison, selection.condition, names)
    facts = {"part": selection.part, "condition": selection.condition.value}
    figures = selection.figures(table.drop(columns="name"), **facts)
    grades = [grade_name(grade, say.language) for grade in table["grade"]]
    heads = {
        "model": say("leaderboard_model"),
        "grade": say("grade"),
        "images": say("metric_images"),
        "recall": say("recall"),
        "lower": say("leaderboard_low"),
        "upper": say("leaderboard_high"),
    }
    caption = f"{say('view_recall')}: {say.of(selection.condition.text)}"
    _show_table(selection, figures, figures.assign(model=table["name"], grade=grades), heads, name, caption, say)


def _show_table(
    selection: ModelSelection,
    figures: pd.DataFrame,
    in_words: pd.DataFrame,
    heads: Mapping[str, str],
    name: str,
    caption: str,
    say: Say,
) -> None:
    """Show the numbers of the figure, folded away."""
    with st.expander(say("leaderboard_table"), icon=":material/table:"):
        displayed = show_table(in_words, heads, caption)
        offer_table(displayed, figures, name, say, caption, synthetic=selection.dataset.synthetic)


# ---- probabilities ----


def _show_reliability(selection: ModelSelection, say: Say) -> None:
    models = _measured_models(selection)
    tables = [
        pooled_reliability(selection.aligned, [run.id for run in model.runs], selection.condition) for model in models
    ]
    by_name = dict(zip((model.name for model in models), tables, strict=True))
    st.altair_chart(
        reliability_chart(by_name, say.language),
        alt=say.text("reliability_alt", condition=say.of(selection.condition.text)),
    )
    st.caption(say("reliability_note", bins=DIAGRAM_BINS))

    def figure() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.reliability(
            by_name, say.language, condition=selection.condition, synthetic=selection.dataset.synthetic
        )

    name = f"reliability-{selection.condition.code}-{selection.part}"
    offer_figure(figure, name, say, synthetic=selection.dataset.synthetic)
    heads = {
        "model": say("leaderboard_model"),
        "confidence": say("reliability_confidence"),
        "accuracy": say("reliability_accuracy"),
        "images": say("metric_images"),
    }
    keyed = [bins.assign(model=model.key, name=model.name) for model, bins in zip(models, tables, strict=True)]
    table = pd.concat(keyed, ignore_index=True)[[*heads, "name"]]
    facts = {"part": selection.part, "condition": selection.condition.value}
    figures = selection.figures(table.drop(columns="name"), **facts)
    caption = f"{say('view_reliability')}: {say.of(selection.condition.text)}"
    _show_table(selection, figures, figures.assign(model=table["name"]), heads, name, caption, say)


# ---- learning curves ----


def _show_curves(selection: ModelSelection, say: Say) -> None:
    histories = {_run_name(model, run.recipe.seed): run.history for model in selection.models for run in model.runs}
    histories = {name: history for name, history in histories.items() if {"epoch", *_MEASURES} <= set(history)}
    if not histories:
        st.info(say("no_epoch"))
        return
    st.caption(say("curves_note"))
    for column, measure in zip(st.columns(2), _MEASURES, strict=True):
        with column:
            figure = curves_of_models(histories, measure, say.language)
            st.plotly_chart(figure, key=f"curves-{measure}", alt=say("compare_curves"))
            _offer_curves(selection, histories, measure, say)


def _run_name(model: Model, seed: int) -> str:
    return model.name if len(model.runs) == 1 else f"{model.name} · {seed}"


def _offer_curves(selection: ModelSelection, histories: Mapping[str, pd.DataFrame], measure: str, say: Say) -> None:
    def figure() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.curves(histories, measure, say.language, synthetic=selection.dataset.synthetic)

    offer_figure(figure, f"curves-{measure}", say, synthetic=selection.dataset.synthetic)


# ---- costs ----


def _show_pareto(selection: ModelSelection, say: Say) -> None:
    options = {"parameters": say("parameters"), "milliseconds": say("cost_milliseconds")}
    cost = choose(say("cost"), options, "axis", "parameters", say.language)
    if cost == "milliseconds":
        _offer_measuring(selection, say)
    if unknown := [model.name for model in _measured_models(selection) if model.external]:
        st.caption(say("external_no_cost", names=", ".join(unknown)))
    table = _cost_table(selection)
    if table[cost].isna().all():
        return
    st.altair_chart(
        pareto_chart(table, selection.metric, cost, say.language),
        alt=say.text("pareto_alt", metric=say.of(METRICS[selection.metric].text), cost=options[cost]),
    )
    st.caption(say("pareto_note"))

    def figure() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.pareto(
            table,
            selection.metric,
            cost,
            say.language,
            condition=selection.condition,
            synthetic=selection.dataset.synthetic,
        )

    offer_figure(figure, _file_name(selection, cost), say, synthetic=selection.dataset.synthetic)
    heads = {
        "model": say("leaderboard_model"),
        "value": say("leaderboard_value"),
        "lower": say("leaderboard_low"),
        "upper": say("leaderboard_high"),
        "milliseconds": say("cost_milliseconds"),
        "parameters": say("parameters"),
    }
    caption = f"{say('view_pareto')}: {say.of(METRICS[selection.metric].text)}, {say.of(selection.condition.text)}"
    figures = _figures(selection, table.drop(columns="name"))
    in_words = figures.assign(model=table["name"])
    _show_table(selection, figures, in_words, heads, _file_name(selection, "costs"), caption, say)


def _offer_measuring(selection: ModelSelection, say: Say) -> None:
    """Show which models have no time of this machine yet, and a button to measure it."""
    models = [model for model in _measured_models(selection) if not model.external]
    unknown = [model for model in models if model.milliseconds is None and model.runs[0].export_failure is None]
    if not unknown:
        return
    st.info(say("cost_unknown", names=Markdown(", ".join(code(model.name) for model in unknown))))
    if change_button(say("cost_measure"), say, key="measure-milliseconds", icon=":material/timer:"):
        with st.spinner(say("cost_measuring")):
            for model in unknown:
                model.measure_milliseconds()
        st.rerun()


def _cost_table(selection: ModelSelection) -> pd.DataFrame:
    rows = []
    for model in _measured_models(selection):
        estimate = selection.comparison.estimate(selection.metric, model.key, selection.condition)
        time = math.nan if model.milliseconds is None else model.milliseconds
        size = math.nan if model.parameters is None else model.parameters
        rows.append((model.key, model.name, estimate.value, estimate.low, estimate.high, time, size))
    return pd.DataFrame(rows, columns=["model", "name", "value", "low", "high", "milliseconds", "parameters"])


_FIGURES: dict[str, Callable[[ModelSelection, Say], None]] = {
    "forest": _show_forest,
    "recall": _show_recall,
    "reliability": _show_reliability,
    "curves": _show_curves,
    "pareto": _show_pareto,
}
