"""The figure of the decision lab: kappa and worst-grade recall over the strength for rare grades."""

import altair as alt
import pandas as pd

from scalp_core import terms
from scalp_core.charts.dataset_charts import if_any
from scalp_core.errors import Text
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.operating_point import TAUS
from scalp_core.palette import CATEGORY_COLORS, UNKNOWN

METRIC_NAMES = ("quadratic_weighted_kappa", "worst_grade_recall")
# Marks that coincide lie inside each other, the selected one innermost.
MARKS = {
    "here": Text("selected", "지금 선택"),
    "stored": terms.CURRENT,
    "optimum": terms.FITTED,
}
_SHAPES, _SIZES = ("circle", "square", "diamond"), (70, 260, 620)
_TAU = terms.TAU
_FLOOR = terms.RECALL_FLOOR


def decision_chart(curves: pd.DataFrame, marks: pd.DataFrame, recall_floor: float, language: str) -> alt.LayerChart:
    """Draw kappa and worst-grade recall over tau with marked decisions; the dashed line is the floor of the recall.

    Args:
        curves: of operating_point.over_taus.
        marks: the same columns and `mark`, a key of MARKS.
    """
    names = {mark: text(language) for mark, text in MARKS.items()}
    points = _long(marks.assign(mark=marks["mark"].map(names)), language)
    by_size = [(points[points["mark"] == names[mark]], size) for mark, size in zip(MARKS, _SIZES, strict=True)]
    lines = _long(curves, language)
    layers = [_floor(recall_floor, language), *if_any(_lines(lines, language), lines["value"])]
    for rows, size in by_size:
        layers += if_any(_points(rows, size, language), rows["value"])
    return alt.LayerChart(layer=layers, height=320)


def _floor(recall_floor: float, language: str) -> alt.Chart:
    table = pd.DataFrame({"recall": [recall_floor]})
    tooltip = alt.Tooltip("recall:Q", title=_FLOOR(language), format=".2f")
    line: alt.Chart = (
        alt.Chart(table).mark_rule(strokeDash=[4, 4], color=UNKNOWN).encode(y=alt.Y("recall:Q"), tooltip=[tooltip])
    )
    return line


def _lines(curves: pd.DataFrame, language: str) -> alt.Chart:
    lines: alt.Chart = alt.Chart(curves).mark_line().encode(**_channels(language))
    return lines


def _points(marks: pd.DataFrame, size: int, language: str) -> alt.Chart:
    names = [text(language) for text in MARKS.values()]
    points: alt.Chart = (
        alt.Chart(marks)
        .mark_point(size=size, strokeWidth=2, opacity=1, filled=False)
        .encode(
            **_channels(language),
            shape=alt.Shape(
                "mark:N",
                title=None,
                sort=names,
                scale=alt.Scale(domain=names, range=list(_SHAPES)),
                legend=alt.Legend(orient="bottom", symbolSize=90, symbolFillColor="transparent", labelLimit=220),
            ),
            tooltip=[
                alt.Tooltip("mark:N", title=" "),
                alt.Tooltip("metric:N", title="  "),
                alt.Tooltip("value:Q", title="   ", format=".3f"),
                alt.Tooltip("tau:Q", title="τ"),
            ],
        )
    )
    return points


def _channels(language: str) -> dict[str, alt.X | alt.Y | alt.Color]:
    names = [METRICS[name].short(language) for name in METRIC_NAMES]
    ends = alt.Scale(domain=[TAUS[0], TAUS[-1]], nice=False)
    return {
        "x": alt.X("tau:Q", title=_TAU(language), scale=ends, axis=alt.Axis(tickCount=6)),
        "y": alt.Y("value:Q", title=None, scale=alt.Scale(domainMax=1, nice=False)),
        "color": alt.Color(
            "metric:N",
            title=None,
            sort=names,
            scale=alt.Scale(domain=names, range=list(CATEGORY_COLORS[: len(names)])),
            legend=alt.Legend(orient="top", symbolType="stroke", labelLimit=220),
        ),
    }


def _long(table: pd.DataFrame, language: str) -> pd.DataFrame:
    """Return one row a metric, under its short name."""
    others = [name for name in table if name not in METRIC_NAMES]
    long: pd.DataFrame = table.rename(columns={name: METRICS[name].short(language) for name in METRIC_NAMES}).melt(
        others, var_name="metric", value_name="value"
    )
    return long.dropna(subset="value")
