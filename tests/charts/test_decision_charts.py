"""The figure of the decision lab: its lines, its marks and its floor, in both languages."""

from typing import Any

import pandas as pd
import pytest

from scalp_core.charts.decision_charts import MARKS, METRIC_NAMES, decision_chart
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.operating_point import TAUS

CURVES = pd.DataFrame(
    {"tau": TAUS, "quadratic_weighted_kappa": [0.8] * len(TAUS), "worst_grade_recall": [0.1 * tau for tau in TAUS]}
)
POINTS = pd.DataFrame(
    [
        {"mark": mark, "tau": tau, "quadratic_weighted_kappa": 0.7, "worst_grade_recall": 0.3}
        for mark, tau in zip(MARKS, (0.5, 0.0, 0.25), strict=True)
    ]
)


def chart_layers(curves: pd.DataFrame, marks: pd.DataFrame, language: str) -> tuple[list[str], list[pd.DataFrame]]:
    """Kinds of the layers, and their data."""
    chart: dict[str, Any] = decision_chart(curves, marks, 0.2, language).to_dict()
    layers = [
        (layer["mark"]["type"], pd.DataFrame(chart["datasets"][layer["data"]["name"]])) for layer in chart["layer"]
    ]
    return [kind for kind, _ in layers], [table for _, table in layers]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_lines_marks_and_floor(language: str) -> None:
    kinds, (floor, lines, *points) = chart_layers(CURVES, POINTS, language)
    assert kinds == ["rule", "line", "point", "point", "point"]
    assert floor["recall"].tolist() == [0.2]
    names = [METRICS[name].short(language) for name in METRIC_NAMES]
    assert lines.groupby("metric", sort=False)["tau"].apply(list).to_dict() == {name: list(TAUS) for name in names}
    assert [table["mark"].unique().tolist() for table in points] == [[text(language)] for text in MARKS.values()]
    assert [table["tau"].unique().tolist() for table in points] == [[0.5], [0.0], [0.25]]
    for table in points:
        assert dict(zip(table["metric"], table["value"], strict=True)) == dict(zip(names, (0.7, 0.3), strict=True))


def test_what_cannot_be_said_is_left_out() -> None:
    unknown = CURVES.assign(quadratic_weighted_kappa=float("nan"))
    _, (_, lines, *points) = chart_layers(unknown, POINTS[POINTS["mark"] != "optimum"], "en")
    assert lines["metric"].unique().tolist() == [METRICS["worst_grade_recall"].short.en]
    assert [len(table) for table in points] == [2, 2]
    nothing = unknown.assign(worst_grade_recall=float("nan"))
    assert chart_layers(nothing, POINTS, "en")[0] == ["rule", "point", "point", "point"]
