"""Charts of one training run."""

import altair as alt
import pandas as pd

from scalp_core import terms
from scalp_core.charts.comparison_tables import VERDICT_COLORS
from scalp_core.charts.dataset_charts import AXES, distinct
from scalp_core.errors import Text
from scalp_core.metrics.verdict import NEGLIGIBLE, Verdict
from scalp_core.palette import OUTLINE, UNKNOWN

_ROW, _AROUND = 24, 100  # pixels: of a condition, and of axis and legend
_SHAPES = ("circle", "diamond")  # of the runs that it is compared with
_WORDS = {
    "difference": Text("QWK difference on validation (better → right)", "검증 QWK 차이 (오른쪽일수록 더 좋음)"),
    "against": Text("against", "비교 대상"),
    "verdict": terms.VERDICT,
}


def verdict_chart(table: pd.DataFrame, language: str) -> alt.LayerChart:
    """Draw a run's difference of kappa from other runs, a row a condition and a mark a run, with 95 % intervals.

    Differences within the band are practically zero.

    Args:
        table: condition, against, difference, low, high and verdict (a Verdict's value), in the order of the rows.
    """
    verdicts = [Verdict(value) for value in table["verdict"]]
    table = table.assign(
        word=[verdict.text(language) for verdict in verdicts],
        interval=[f"{low:+.3f} … {high:+.3f}" for low, high in zip(table["low"], table["high"], strict=True)],
    )
    reach = NEGLIGIBLE["quadratic_weighted_kappa"]
    ends = alt.Chart(pd.DataFrame({"from": [-reach], "to": [reach], "zero": [0.0]}))
    band = ends.mark_rect(color=UNKNOWN, opacity=0.25).encode(x="from:Q", x2="to:Q")
    zero = ends.mark_rule(color=UNKNOWN, strokeDash=[4, 3]).encode(x="zero:Q")
    rows, runs = distinct(table["condition"]), distinct(table["against"])
    rows_of_runs = alt.Chart(table).encode(
        y=alt.Y(
            "condition:N",
            sort=rows,
            title=None,
            axis=alt.Axis(labelLimit=200, labelOverlap=False, domain=False, ticks=False),
        ),
        yOffset=alt.YOffset("against:N", sort=runs, scale=alt.Scale(paddingOuter=0.2)),
    )
    marks = rows_of_runs.encode(
        color=alt.Color(
            "verdict:N",
            scale=alt.Scale(domain=[verdict.value for verdict in VERDICT_COLORS], range=list(VERDICT_COLORS.values())),
            legend=None,
        ),
        tooltip=[
            alt.Tooltip("against:N", title=_WORDS["against"](language)),
            alt.Tooltip("difference:Q", title="QWK", format="+.3f"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
            alt.Tooltip("word:N", title=_WORDS["verdict"](language)),
        ],
    )
    x_axis = alt.Axis(tickCount=5, format="+.2~f", labelExpr="datum.value ? datum.label : '0'")
    intervals = marks.mark_rule(strokeWidth=3).encode(
        x=alt.X("low:Q", title=_WORDS["difference"](language), axis=x_axis), x2="high:Q"
    )
    points = marks.mark_point(filled=True, size=110, opacity=1).encode(
        x=alt.X("difference:Q"),
        shape=alt.Shape(
            "against:N",
            scale=alt.Scale(domain=runs, range=list(_SHAPES[: len(runs)])),
            legend=alt.Legend(
                title=None, symbolFillColor=UNKNOWN, symbolStrokeWidth=0, orient="top", labelLimit=400, offset=4
            ),
        ),
    )
    words = rows_of_runs.mark_text(align="left", dx=8, fontSize=12, color=OUTLINE)
    words = words.encode(x=alt.X("high:Q"), text="word:N")
    chart = alt.LayerChart(layer=[band, zero, intervals, points, words])
    return chart.properties(height=len(rows) * (_ROW + 16 * (len(runs) - 1)) + _AROUND)
