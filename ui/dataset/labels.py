"""Counts of labels: by grade and split, of two conditions together, and by region, device or any other field."""

from typing import Literal, cast

import pandas as pd
import streamlit as st

from scalp_core.charts.dataset_charts import (
    by_field_chart,
    cooccurrence_chart,
    counts_chart,
    grade_name,
    spearman_chart,
)
from scalp_core.data.dataset import PARTS, Dataset
from scalp_core.data.filters import ALL_PARTS, Rows, by_field, cooccurrence, counts, filterable, spearman
from scalp_core.labels import CONDITIONS, Condition
from ui.choices import choose_from_list
from ui.dataset.fields import field_name, value_name
from ui.words import Say

Measure = Literal["images", "captures", "sites"]
_MEASURES: tuple[Measure, ...] = ("images", "captures", "sites")


def choose_condition(say: Say) -> Condition:
    """Offer the conditions as a list and return that of `?condition=`."""
    options = {condition.value: say.of(condition.text) for condition in CONDITIONS}
    return Condition(choose_from_list(say("condition"), options, "condition", say.language))


def choose_measure(say: Say) -> Measure:
    """Offer what is counted and return it."""
    measures: dict[str, str] = {measure: say.text(f"count_{measure}") for measure in _MEASURES}
    return cast(Measure, choose_from_list(say("count_what"), measures, "count", say.language))


def show_labels(dataset: Dataset, rows: Rows, condition: Condition, measure: Measure, say: Say) -> None:
    """Show the counts and correlations of the filtered rows."""
    _show_counts(dataset, rows, measure, say)
    left, right = st.columns(2)
    with left:
        st.subheader(say("spearman"), help=say("spearman_note"))
        st.altair_chart(spearman_chart(spearman(dataset, rows), say.language), alt=say("spearman"))
    with right:
        st.subheader(say("cooccurrence"), help=say("cooccurrence_note"))
        st.altair_chart(cooccurrence_chart(cooccurrence(dataset, rows), say.language), alt=say("cooccurrence"))
    _show_by_field(dataset, rows, condition, say)


def _show_counts(dataset: Dataset, rows: Rows, measure: Measure, say: Say) -> None:
    st.subheader(say("dataset_counts"))
    table = counts(dataset, rows)
    st.altair_chart(counts_chart(table, say.language, measure), alt=say("dataset_counts"))
    with st.expander(say("dataset_table")):
        st.dataframe(_wide_table(table, measure, say), alt=say("dataset_counts"))


def _wide_table(counted: pd.DataFrame, measure: str, say: Say) -> pd.DataFrame:
    """Return a row per condition and grade and a column per split; without unlabelled rows of zero."""
    parts = {part: say.part(part) for part in PARTS} | {ALL_PARTS: say("all_parts")}
    table = counted.assign(grade=counted["grade"].fillna(-1)).pivot(
        index=["condition", "grade"], columns="part", values=measure
    )[list(parts)]
    table = table[(table[ALL_PARTS] > 0) | (table.index.get_level_values("grade") >= 0)].rename(columns=parts)
    names = [
        (say.of(Condition(key).text), say("unlabelled") if grade < 0 else grade_name(grade, say.language))
        for key, grade in table.index
    ]
    table.index = pd.MultiIndex.from_tuples(names, names=[say("condition"), say("grade")])
    return table


def _show_by_field(dataset: Dataset, rows: Rows, condition: Condition, say: Say) -> None:
    st.subheader(say("by_field", condition=say.of(condition.text)))
    names = [name for name in filterable(dataset) if name not in ("capture", condition.value)]
    first = [name for name in ("region", "device", "site", "part") if name in names]
    options = {name: field_name(name, say) for name in dict.fromkeys([*first, *names])}
    name = choose_from_list(say("by_what"), options, "by", say.language)
    table = by_field(dataset, rows, name, condition.value)
    if table.empty:
        st.caption(say("by_nothing"))
        return
    table["value"] = [value_name(name, value, say) for value in table["value"]]
    st.altair_chart(by_field_chart(table, say.language), alt=say.text("by_field", condition=say.of(condition.text)))
