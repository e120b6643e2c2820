"""Models by groups of pictures: which device, site, region or age is graded worse, and by how much."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from scalp_core.charts.comparison_charts import groups_chart
from scalp_core.evaluation.comparison import Model
from scalp_core.evaluation.groups import (
    Grouping,
    compare_by_group,
    group_columns,
    group_pictures,
    reliability_by_group,
)
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.metrics.group_comparison import MIN_CAPTURES, MIN_IMAGES, GroupComparison
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.verdict import Verdict
from ui.choices import choose_from_list, link_params
from ui.compare.leaderboard import names_by_key, show_summary
from ui.compare.selection import ModelSelection
from ui.dataset.fields import field_name, value_name
from ui.downloads import offer_table, show_table
from ui.markdown import literal
from ui.words import Say

_FIRST = ("region", "device", "site")  # what pictures are grouped by first
_DATASET = "pages/1_Dataset.py"


def show_groups(selection: ModelSelection, say: Say) -> None:
    """Show a metric by the groups of a column that the reader chooses, the models side by side."""
    keys = selection.comparison.graded(selection.condition, selection.metric)
    models = [model for model in selection.models if model.key in keys]
    if not models:
        show_summary(selection, say)
        return
    columns = group_columns(selection.dataset, selection.condition)
    columns = list(dict.fromkeys([*(name for name in _FIRST if name in columns), *columns]))
    if not columns:
        st.info(say("groups_none"))
        return
    with st.container(width=280):
        column = choose_from_list(
            say("groups_by"), {name: field_name(name, say) for name in columns}, "by", say.language
        )
    grouping = group_pictures(selection.dataset, column)
    compared = compare_by_group(selection.dataset, models, selection.part, selection.condition, column)
    if not any(compared.large_enough(name) for name in compared.names):
        st.info(say("groups_small", images=MIN_IMAGES, captures=MIN_CAPTURES))
        return
    words = {name: _group_words(grouping, name, say) for name in compared.names}
    table = _table(selection, models, compared)
    _show_outcome(selection, models, table, words, say)
    large = table[[compared.large_enough(name) for name in table["group"]]]
    images = dict(zip(compared.names, compared.images, strict=True))
    rows = [f"{words[name]}\nn = {images[name]:,}" for name in large["group"]]
    st.altair_chart(
        groups_chart(large.assign(row=rows), selection.metric, say.language),
        alt=say.text("groups_alt", metric=say.of(METRICS[selection.metric].text), column=field_name(column, say)),
    )
    _show_notes(compared, words, say)
    _link_pictures(selection, grouping, compared, words, say)
    _show_table(selection, table, words, column, say)


def _group_words(grouping: Grouping, name: str, say: Say) -> str:
    if grouping.ranges:
        return " – ".join(f"{float(end):.3g}" for end in name.split(".."))
    return value_name(grouping.column, name, say)


def _table(selection: ModelSelection, models: list[Model], compared: GroupComparison) -> pd.DataFrame:
    tables = [
        compared.by_group(selection.metric, model.key).assign(model=model.key, name=model.name) for model in models
    ]
    return pd.concat(tables, ignore_index=True)


def _show_outcome(
    selection: ModelSelection, models: list[Model], table: pd.DataFrame, words: Mapping[str, str], say: Say
) -> None:
    """Name the group that the best model grades worst against the rest, a significant difference before others."""
    best = selection.comparison.best(selection.metric, selection.condition) or models[0].key
    name, sign = names_by_key(selection.models)[best], 1 if METRICS[selection.metric].higher_is_better else -1
    judged = table[(table["model"] == best) & table["p_holm"].notna()]
    if judged.empty:
        return
    worse = judged[judged["verdict"] == Verdict.WORSE]
    candidates = judged if worse.empty else worse
    row = candidates.loc[(sign * candidates["difference"]).idxmin()]
    figures = {key: f"{row[key]:+.2f}".replace("-", "−") for key in ("difference", "difference_low", "difference_high")}
    value = f"{row['value']:.2f}"
    metric = say.of(METRICS[selection.metric].short)
    words_of_row = {"name": name, "group": words[row["group"]], "metric": metric, "value": value, **figures}
    sentence = say("groups_equal", **words_of_row) if worse.empty else say("groups_worse", **words_of_row)
    st.markdown(f"**{sentence}**")


def _show_notes(compared: GroupComparison, words: Mapping[str, str], say: Say) -> None:
    st.caption(say("groups_note", captures=f"{compared.comparison.groups:,}"))
    if small := [words[name] for name in compared.names if not compared.large_enough(name)]:
        st.caption(say("groups_too_small", groups=", ".join(small), images=MIN_IMAGES, captures=MIN_CAPTURES))
    if compared.left_out:
        st.caption(say("groups_more", count=compared.left_out))


def _link_pictures(
    selection: ModelSelection, grouping: Grouping, compared: GroupComparison, words: Mapping[str, str], say: Say
) -> None:
    with st.container(horizontal=True, gap="small"):
        st.markdown(say("groups_pictures"), width="content")
        for name in compared.names:
            address = {"data": selection.dataset.name, "part": selection.part} | grouping.filters(name).to_address()
            st.page_link(_DATASET, label=literal(words[name]), query_params=link_params() | address, width="content")


def _show_table(
    selection: ModelSelection, table: pd.DataFrame, words: Mapping[str, str], column: str, say: Say
) -> None:
    reliabilities = [
        reliability_by_group(
            selection.dataset, model.runs[0], selection.part, selection.condition, column, list(words)
        ).assign(model=model.key)
        for model in selection.models
        if model.key in set(table["model"])
    ]
    table = table.merge(pd.concat(reliabilities, ignore_index=True), on=["model", "group"], how="left")
    table["verdict"] = [None if verdict is None else say.of(verdict.text) for verdict in table["verdict"]]
    heads = {
        "name": say("leaderboard_model"),
        "group": field_name(column, say),
        "images": say("metric_images"),
        "captures": say("groups_captures"),
        "value": say("leaderboard_value"),
        "low": say("leaderboard_low"),
        "high": say("leaderboard_high"),
        "difference": say("groups_difference"),
        "difference_low": say("groups_difference_low"),
        "difference_high": say("groups_difference_high"),
        "p_holm": say("groups_p"),
        "verdict": say("groups_verdict"),
        "coverage": say("groups_coverage", coverage=f"{COVERAGE:.0%}"),
        "size": say("point_size"),
        "calibration_error": say("point_error"),
    }
    in_words = table.assign(group=[words[name] for name in table["group"]])
    caption = f"{say('view_groups')}: {say.of(selection.condition.text)}"
    with st.expander(say("leaderboard_table"), icon=":material/table:"):
        displayed = show_table(in_words, heads, caption)
    facts = {"part": selection.part, "metric": selection.metric, "condition": selection.condition.value, "by": column}
    figures = selection.figures(table.drop(columns="name"), **facts)
    name = f"groups-{column}-{selection.condition.value}-{selection.part}"
    offer_table(displayed, figures, name, say, caption, synthetic=selection.dataset.synthetic)
