"""Differences between models: which are certain, in which grade they lie, how sure the models are, how they learned,
and what they cost. One figure at a time; the address says which (`figure`).
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from scalp_core.charts.comparison_charts import (
    curves_chart,
    forest_chart,
    pareto_chart,
    recall_chart,
    reliability_chart,
)
from scalp_core.charts.comparison_tables import recall_table
from scalp_core.charts.dataset_charts import grade_name
from scalp_core.evaluation import comparison
from scalp_core.evaluation.comparison import Model
from scalp_core.metrics import calibration
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import McNemar, Verdict, mcnemar
from ui.choices import choose, choose_from_list
from ui.compare.leaderboard import names_of, say_opening
from ui.compare.selection import ModelSelection
from ui.downloads import offer_figure, offer_table
from ui.words import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 10  # fewer than for the error alone: a line through forty pictures a point is mostly chance
_MEASURES = ("valid_qwk", "valid_loss")  # over the epochs


def show_differences(one: ModelSelection, say: Say) -> None:
    """What is certain about the chosen condition, and the figure that the address names."""
    options = {
        "forest": say("figure_forest"),
        "recall": say("figure_recall"),
        "reliability": say("figure_reliability"),
        "curves": say("figure_curves"),
        "pareto": say("figure_pareto"),
    }
    shown = choose(say("figure"), options, "figure", "forest", say.language)
    # Curves are of training and need no labels of this part.
    if shown != "curves" and not _graded(one):
        say_opening(one, say)
        return
    _SHOWN[shown](one, say)


def _graded(one: ModelSelection) -> tuple[Model, ...]:
    """The sides of which something can be said in the condition."""
    known = one.comparison.graded(one.condition, one.metric)
    return tuple(side for side in one.sides if side.key in known)


# ---- which differences are certain ----


def _forest(one: ModelSelection, say: Say) -> None:
    say_opening(one, say)
    sides = _graded(one)
    if len(sides) < 2:
        return
    reference = _choose_reference(one, sides, say)
    names, metric = names_of(sides), METRICS[one.metric]
    pairs = one.comparison.pairs(one.metric, one.condition)
    st.altair_chart(
        forest_chart(pairs, names, reference, one.metric, say.language),
        alt=say("forest_alt", metric=say.of(metric.text), reference=names[reference]),
    )
    st.caption(say("forest_note", captures=f"{one.comparison.groups:,}", negligible=metric.negligible))

    def drawn() -> "Figure":
        from scalp_core.charts import print_figures

        given = (pairs, names, reference, one.metric, say.language)
        return print_figures.forest(*given, condition=one.condition, synthetic=one.dataset.synthetic)

    offer_figure(drawn, _file(one, "differences"), say, synthetic=one.dataset.synthetic)
    _pairs(one, sides, pairs, reference, say)
    _ranks(one, names, say)


def _choose_reference(one: ModelSelection, sides: tuple[Model, ...], say: Say) -> str:
    """To begin with the best on validation: the part that is reported on takes no part in the choice."""
    validated = comparison.compare_models(one.dataset, one.sides, "valid").best(one.metric, one.condition)
    ordered = sorted(sides, key=lambda side: side.key != validated)
    return choose_from_list(say("forest_reference"), names_of(tuple(ordered)), "reference", say.language)


def _pairs(one: ModelSelection, sides: tuple[Model, ...], pairs: pd.DataFrame, reference: str, say: Say) -> None:
    """Every pair once; those with the reference first, and it stands second."""
    names, right = names_of(sides), _right(one, sides)
    order = sorted(names, key=lambda key: key == reference)  # the reference last
    rows = []
    for row in pairs.to_dict("records"):
        if order.index(row["side"]) < order.index(row["other"]):
            split = mcnemar(right[row["side"]], right[row["other"]])
            rows.append((row["other"] != reference, _pair(row, names, split, say)))
    table = pd.DataFrame([row for _, row in sorted(rows, key=lambda found: found[0])])
    st.markdown(f"**{say('pairs_title')}**")
    st.dataframe(table, hide_index=True, alt=say("pairs_title"))
    st.caption(say("pairs_note"))
    if any(len(side.runs) > 1 for side in sides):
        st.caption(say("pairs_seeds"))
    caption = f"{say('pairs_title')}: {say.of(METRICS[one.metric].text)}, {say.of(one.condition.text)}"
    offer_table(table, _file(one, "pairs"), say, caption, synthetic=one.dataset.synthetic)


def _right(one: ModelSelection, sides: tuple[Model, ...]) -> dict[str, npt.NDArray[np.bool_]]:
    """(labelled pictures,) by side: whether its first run has the label."""
    aligned = one.aligned
    place = aligned.condition(one.condition)
    truth = aligned.truth[place]
    runs = {side.key: aligned.run(side.runs[0].id) for side in sides}
    return {key: (aligned.grades[run, place] == truth)[truth >= 0] for key, run in runs.items()}


def _pair(row: Mapping[str, float], names: Mapping[str, str], split: McNemar, say: Say) -> dict[str, str]:
    return {
        say("pairs_first"): names[row["side"]],
        say("pairs_second"): names[row["other"]],
        say("pairs_verdict"): say.of(Verdict(row["verdict"]).text),
        say("pairs_difference"): _signed(row["difference"]),
        say("pairs_interval"): f"{_signed(row['low'])} … {_signed(row['high'])}",
        say("pairs_p"): _chance(row["p_holm"]),
        say("pairs_only"): f"{split.only_first:,} / {split.only_second:,}",
        say("pairs_mcnemar"): _chance(split.p),
    }


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def _chance(p: float) -> str:
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _ranks(one: ModelSelection, names: Mapping[str, str], say: Say) -> None:
    """How stable the order is."""
    found = one.comparison.ranks(one.metric, one.condition).to_dict("records")
    table = pd.DataFrame(
        [
            {
                say("leaderboard_model"): names[row["side"]],
                say("ranks_rank"): int(row["rank"]),
                say("ranks_range"): _range(row["low"], row["high"]),
                say("ranks_best"): "–" if math.isnan(row["best_share"]) else f"{row['best_share']:.0%}",
            }
            for row in found
        ]
    )
    st.markdown(f"**{say('ranks_title')}**")
    st.dataframe(table, hide_index=True, alt=say("ranks_title"))
    st.caption(say("ranks_note"))
    caption = f"{say('ranks_title')}: {say.of(METRICS[one.metric].text)}, {say.of(one.condition.text)}"
    offer_table(table, _file(one, "ranks"), say, caption, synthetic=one.dataset.synthetic)


def _range(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{low:.0f} – {high:.0f}"


def _file(one: ModelSelection, name: str) -> str:
    return f"{name}-{one.condition.code}-{one.metric}-{one.part}"


# ---- recall of each grade ----


def _recall(one: ModelSelection, say: Say) -> None:
    names = names_of(one.sides)
    st.altair_chart(
        recall_chart(one.comparison, one.condition, names, say.language),
        alt=say("recall_alt", condition=say.of(one.condition.text)),
    )
    st.caption(say("recall_note"))

    def drawn() -> "Figure":
        from scalp_core.charts import print_figures

        given = (one.comparison, one.condition, names, say.language)
        return print_figures.recall(*given, synthetic=one.dataset.synthetic)

    name = f"recall-{one.condition.code}-{one.part}"
    offer_figure(drawn, name, say, synthetic=one.dataset.synthetic)
    table = recall_table(one.comparison, one.condition, names).drop(columns="model")
    heads = {
        "name": say("leaderboard_model"),
        "grade": say("grade"),
        "images": say("metric_images"),
        "recall": say("recall"),
        "low": say("leaderboard_low"),
        "high": say("leaderboard_high"),
    }
    table = table.assign(grade=[grade_name(grade, say.language) for grade in table["grade"]]).rename(columns=heads)
    _table(one, table, name, f"{say('figure_recall')}: {say.of(one.condition.text)}", say)


def _table(one: ModelSelection, table: pd.DataFrame, name: str, caption: str, say: Say) -> None:
    """The figure's numbers, folded away."""
    with st.expander(say("leaderboard_table"), icon=":material/table:"):
        st.dataframe(table.round(3), hide_index=True, alt=caption)
        offer_table(table, name, say, caption, synthetic=one.dataset.synthetic)


# ---- probabilities ----


def _reliability(one: ModelSelection, say: Say) -> None:
    tables = {side.name: _reliability_of(one, side) for side in _graded(one)}
    st.altair_chart(
        reliability_chart(tables, say.language), alt=say("reliability_alt", condition=say.of(one.condition.text))
    )
    st.caption(say("reliability_note", bins=BINS))

    def drawn() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.reliability(tables, say.language, condition=one.condition, synthetic=one.dataset.synthetic)

    name = f"reliability-{one.condition.code}-{one.part}"
    offer_figure(drawn, name, say, synthetic=one.dataset.synthetic)
    heads = {
        "name": say("leaderboard_model"),
        "confidence": say("reliability_confidence"),
        "accuracy": say("reliability_accuracy"),
        "images": say("metric_images"),
    }
    table = pd.concat([found.assign(name=model) for model, found in tables.items()], ignore_index=True)
    table = table[list(heads)].rename(columns=heads)
    _table(one, table, name, f"{say('figure_reliability')}: {say.of(one.condition.text)}", say)


def _reliability_of(one: ModelSelection, side: Model) -> pd.DataFrame:
    """Of all its runs together."""
    aligned = one.aligned
    place = aligned.condition(one.condition)
    labelled = aligned.truth[place] >= 0
    runs = [aligned.run(run.id) for run in side.runs]
    probabilities = aligned.probabilities[runs, place][:, labelled].astype(np.float64)
    truth = np.tile(aligned.truth[place, labelled].astype(np.int64), len(runs))
    return calibration.reliability_bins(probabilities.reshape(len(truth), -1), truth, BINS)


# ---- learning curves ----


def _curves(one: ModelSelection, say: Say) -> None:
    histories = {_run_name(side, run.recipe.seed): run.history for side in one.sides for run in side.runs}
    histories = {name: history for name, history in histories.items() if {"epoch", *_MEASURES} <= set(history)}
    if not histories:
        st.info(say("no_epoch"))
        return
    st.caption(say("curves_note"))
    for column, measure in zip(st.columns(2), _MEASURES, strict=True):
        with column:
            st.altair_chart(curves_chart(histories, measure, say.language), alt=say("compare_curves"))
            _offer_curves(one, histories, measure, say)


def _run_name(side: Model, seed: int) -> str:
    return side.name if len(side.runs) == 1 else f"{side.name} · {seed}"


def _offer_curves(one: ModelSelection, histories: Mapping[str, pd.DataFrame], measure: str, say: Say) -> None:
    def drawn() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.curves(histories, measure, say.language, synthetic=one.dataset.synthetic)

    offer_figure(drawn, f"curves-{measure}", say, synthetic=one.dataset.synthetic)


# ---- costs ----


def _pareto(one: ModelSelection, say: Say) -> None:
    options = {"milliseconds": say("cost_milliseconds"), "parameters": say("parameters")}
    cost = choose(say("cost"), options, "axis", "milliseconds", say.language)
    if cost == "milliseconds":
        _measure(one, say)
    table = _costs(one)
    if table[cost].isna().all():
        return
    st.altair_chart(
        pareto_chart(table, one.metric, cost, say.language),
        alt=say("pareto_alt", metric=say.of(METRICS[one.metric].text), cost=options[cost]),
    )
    st.caption(say("pareto_note"))

    def drawn() -> "Figure":
        from scalp_core.charts import print_figures

        given = (table, one.metric, cost, say.language)
        return print_figures.pareto(*given, condition=one.condition, synthetic=one.dataset.synthetic)

    offer_figure(drawn, _file(one, f"{cost}"), say, synthetic=one.dataset.synthetic)
    heads = {
        "name": say("leaderboard_model"),
        "value": say("leaderboard_value"),
        "low": say("leaderboard_low"),
        "high": say("leaderboard_high"),
        "milliseconds": say("cost_milliseconds"),
        "parameters": say("parameters"),
    }
    caption = f"{say('figure_pareto')}: {say.of(METRICS[one.metric].text)}, {say.of(one.condition.text)}"
    _table(one, table[list(heads)].rename(columns=heads), _file(one, "costs"), caption, say)


def _measure(one: ModelSelection, say: Say) -> None:
    """Times are of this machine: who has none yet, and a button to take them."""
    unknown = [side for side in _graded(one) if side.milliseconds is None]
    if not unknown:
        return
    st.info(say("cost_unknown", names=", ".join(f"`{side.name}`" for side in unknown)))
    if st.button(say("cost_measure"), key="measure-milliseconds", icon=":material/timer:"):
        with st.spinner(say("cost_measuring")):
            for side in unknown:
                side.measure_milliseconds()
        st.rerun()


def _costs(one: ModelSelection) -> pd.DataFrame:
    rows = []
    for side in _graded(one):
        found = one.comparison.estimate(one.metric, side.key, one.condition)
        time = math.nan if side.milliseconds is None else side.milliseconds
        rows.append((side.name, found.value, found.low, found.high, time, side.parameters))
    return pd.DataFrame(rows, columns=["name", "value", "low", "high", "milliseconds", "parameters"])


_SHOWN: dict[str, Callable[[ModelSelection, Say], None]] = {
    "forest": _forest,
    "recall": _recall,
    "reliability": _reliability,
    "curves": _curves,
    "pareto": _pareto,
}
