"""The leaderboard: the outcome in a sentence, and a metric of every model in every condition."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from scalp_core.charts.comparison_charts import leaderboard_chart
from scalp_core.charts.comparison_tables import leaderboard_table
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import Baseline, find_baselines
from scalp_core.evaluation.comparison import Model
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import summary
from scalp_core.metrics.metrics import METRICS
from ui.compare.selection import ModelSelection
from ui.downloads import offer_figure, offer_table, show_table
from ui.markdown import literal_cells
from ui.words import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_leaderboard(selection: ModelSelection, say: Say) -> None:
    """Show who ranks first, then the figures of all six conditions, the best model on top."""
    if not selection.comparison.images.any():
        show_summary(selection, say)
        return
    baselines = find_baselines(selection.dataset, selection.part)
    metric = say.of(METRICS[selection.metric].text)
    ranking = selection.comparison.overall(selection.metric)
    names = {key: names_by_key(selection.models)[key] for key in ranking["model"]}
    _show_first(selection, ranking, names, say)
    with st.container(horizontal=True, vertical_alignment="center"):
        intervals = st.toggle(say("leaderboard_intervals"), key="leaderboard-intervals")
        _offer_leaderboard(selection, names, baselines, say)
    marked = marked_names(selection.models, say)
    ranked = {key: marked[key] for key in names}
    st.altair_chart(
        leaderboard_chart(selection.comparison, ranked, selection.metric, baselines, say.language, intervals=intervals),
        alt=say.text("leaderboard_alt", metric=metric),
    )
    _show_legend(selection, say)
    with st.expander(say("leaderboard_table"), icon=":material/table:"):
        _show_tables(selection, names, baselines, say)


def _show_first(selection: ModelSelection, ranking: pd.DataFrame, names: Mapping[str, str], say: Say) -> None:
    first = ranking.iloc[0]
    if math.isnan(first["mean_rank"]):
        return
    rank = f"{first['mean_rank']:.1f}"
    if math.isnan(first["value"]):  # it leaves out a condition
        sentence = say("leaderboard_first_rank", name=names[first["model"]], rank=rank)
    else:
        metric = say.of(METRICS[selection.metric].short)
        mean = f"{first['value']:z.2f}".replace("-", "−")
        sentence = say("leaderboard_first", name=names[first["model"]], rank=rank, metric=metric, mean=mean)
    st.markdown(f"**{sentence}**")


def _offer_leaderboard(
    selection: ModelSelection, names: Mapping[str, str], baselines: dict[Condition, list[Baseline]], say: Say
) -> None:
    def figure() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.leaderboard(
            selection.comparison,
            names,
            selection.metric,
            baselines,
            say.language,
            synthetic=selection.dataset.synthetic,
        )

    name = f"leaderboard-{selection.metric}-{selection.part}"
    offer_figure(figure, name, say, synthetic=selection.dataset.synthetic)


def names_by_key(models: tuple[Model, ...]) -> dict[str, str]:
    """Return the names of the models by key."""
    return {model.key: model.name for model in models}


def is_new(model: Model) -> bool:
    """Return whether the address tells a run of this model to have finished just now, as its result's link does."""
    return st.query_params.get("new") in [run.id for run in model.runs]


def marked_names(models: tuple[Model, ...], say: Say) -> dict[str, str]:
    """Return the names of the models by key, for the page alone: beside a new one's name stands that it is."""
    return {
        model.key: say.text("compare_new_model", name=model.name) if is_new(model) else model.name for model in models
    }


# ---- in words ----


def outcome(selection: ModelSelection) -> list[Text]:
    """Return the outcome for the chosen condition in a few sentences, the verdict first."""
    costs = {model.key: summary.Cost(model.parameters, model.milliseconds) for model in selection.models}
    return summary.summarize(
        selection.comparison, selection.condition, names_by_key(selection.models), costs, selection.metric
    )


def show_summary(selection: ModelSelection, say: Say) -> None:
    """Show the outcome for the chosen condition, its first sentence bold."""
    first, *others = outcome(selection)
    st.markdown(f"**{say.plain(first)}** {' '.join(say.plain(other) for other in others)}")


def show_limits(selection: ModelSelection, say: Say) -> None:
    """Show how far luck alone may go, and the smallest difference that these pictures can show."""
    limits = [
        limit(selection.comparison, selection.condition, selection.metric)
        for limit in (summary.chance_spread, summary.detectable_differences)
    ]
    if sentences := [say.plain(text) for text in limits if text]:
        st.caption(" ".join(sentences))


def _show_legend(selection: ModelSelection, say: Say) -> None:
    metric = METRICS[selection.metric]
    direction = say("leaderboard_more") if metric.higher_is_better else say("leaderboard_less")
    captures = f"{selection.comparison.groups:,}"
    st.caption(say("leaderboard_legend", metric=say.of(metric.text), direction=direction, captures=captures))
    undefined = summary.undefined_kappas(selection.comparison)
    st.caption(say("leaderboard_letters"), help=say.plain(undefined) if undefined else None)


# ---- as tables ----


def _show_tables(
    selection: ModelSelection, names: Mapping[str, str], baselines: dict[Condition, list[Baseline]], say: Say
) -> None:
    table = leaderboard_table(selection.comparison, names, selection.metric)
    metric = say.of(METRICS[selection.metric].text)
    caption = say.text("leaderboard_caption", metric=metric, part=say.part(selection.part))
    name, synthetic = f"leaderboard-{selection.metric}-{selection.part}", selection.dataset.synthetic
    wide = _wide_table(table, say)
    st.table(literal_cells(wide.set_index(say("leaderboard_model"))), alt=caption)
    offer_table(wide, None, f"{name}-wide", say, caption, synthetic=synthetic)
    figures = selection.figures(table.drop(columns="name"), part=selection.part, metric=selection.metric)
    conditions = [say.of(Condition(value).text) for value in table["condition"]]
    long = show_table(figures.assign(model=table["name"], condition=conditions), _heads(say), caption)
    offer_table(long, figures, name, say, caption, synthetic=synthetic)
    _show_references(baselines, selection.metric, say)


def _wide_table(table: pd.DataFrame, say: Say) -> pd.DataFrame:
    """Return a row per model and a column per condition: `0.71 [0.66, 0.76] a`."""
    rows: dict[str, dict[str, str]] = {}
    for row in table.to_dict("records"):
        cells = rows.setdefault(row["name"], {say("leaderboard_model"): row["name"]})
        cells[say.of(Condition(row["condition"]).text)] = _cell(row)
    return pd.DataFrame(list(rows.values()))


def _cell(row: dict[str, float]) -> str:
    if math.isnan(row["value"]):
        return "–"
    interval = "" if math.isnan(row["low"]) else f" [{row['low']:z.2f}, {row['high']:z.2f}]"
    return f"{row['value']:z.2f}{interval} {row['tied']}".strip().replace("-", "−")


def _heads(say: Say) -> dict[str, str]:
    return {
        "model": say("leaderboard_model"),
        "condition": say("condition"),
        "images": say("metric_images"),
        "value": say("leaderboard_value"),
        "lower": say("leaderboard_low"),
        "upper": say("leaderboard_high"),
        "tied": say("leaderboard_tied"),
        "seeds": say("leaderboard_seeds"),
        "lowest": say("leaderboard_lowest"),
        "highest": say("leaderboard_highest"),
    }


def _show_references(baselines: dict[Condition, list[Baseline]], metric: str, say: Say) -> None:
    rows = [
        (say.of(baseline.name), say.of(condition.text), baseline.value, say.of(baseline.protocol))
        for condition in CONDITIONS
        for baseline in baselines.get(condition, ())
        if baseline.metric == metric
    ]
    if not rows:
        return
    st.markdown(f"**{say('leaderboard_references')}**")
    heads = {
        "reference": say("leaderboard_reference"),
        "condition": say("condition"),
        "value": say("leaderboard_value"),
        "protocol": say("leaderboard_protocol"),
    }
    show_table(pd.DataFrame(rows, columns=list(heads)), heads, say("leaderboard_references"))
