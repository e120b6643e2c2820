"""Interactive figures of a comparison, drawn by Altair from the tables of comparison_tables, curves also by Plotly.

Models are shown in the order of `names`. A family of networks has its colour and shape everywhere; of several models of
one family the first is filled and its line solid, the others hollow and dashed.
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from scalp_core import terms
from scalp_core.charts.comparison_tables import (
    VERDICT_COLORS,
    ModelStyle,
    baseline_table,
    forest_table,
    goodness,
    leaderboard_table,
    model_styles,
    pareto_front,
    recall_table,
    referral_corners,
)
from scalp_core.charts.dataset_charts import AXES, distinct, grade_name, if_any, of_rows, short_number
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import Baseline
from scalp_core.labels import Condition
from scalp_core.metrics.calibration import calibration_error
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison
from scalp_core.metrics.verdict import NEGLIGIBLE, Verdict
from scalp_core.palette import MATRIX_COLORS, OUTLINE, UNKNOWN

if TYPE_CHECKING:
    import plotly.graph_objects as go

_WORDS = {
    "model": terms.MODEL,
    "condition": terms.CONDITION,
    "mean_rank": Text("mean rank {rank:.1f}", "평균 순위 {rank:.1f}"),
    "seeds": Text("lowest and highest seed", "시드별 최저–최고"),
    "protocol": terms.PROTOCOL,
    "verdict": terms.VERDICT,
    "difference": terms.DIFFERENCE,
    "right_better": terms.BETTER_TO_THE_RIGHT,
    "left_better": terms.BETTER_TO_THE_LEFT,
    "p_holm": terms.P_HOLM,
    "recall": terms.RECALL,
    "confidence": terms.CONFIDENCE,
    "right": terms.ACCURACY,
    "calibration": Text("{name} · error {error:.3f}", "{name} · 오차 {error:.3f}"),
    "referred": terms.REFERRED,
    "unseen": terms.UNSEEN,
    "limit": terms.FAR_LIMIT,
    "milliseconds": terms.MILLISECONDS,
    "parameters": terms.PARAMETERS,
}
_MEAN = "mean"  # the column beside the conditions
_INK, _LIGHT = "#1f2937", "white"  # writing on pale and on dark cells
_NARROW = "width < 520"  # pixels of a chart, asked in the browser: on a telephone

_VERDICT_SHAPES = {
    Verdict.BETTER: "triangle-up",
    Verdict.WORSE: "triangle-down",
    Verdict.PRACTICALLY_EQUAL: "square",
    Verdict.UNDECIDED: "circle",
}
_MARKED_EPOCHS = 30  # up to so many, points are large
_DASHES = ([1, 0], [6, 3], [2, 2])
_PLOTLY_DASHES = ("solid", "dash", "dot")


# ---- the leaderboard ----


def leaderboard_chart(
    comparison: Comparison,
    names: Mapping[str, str],
    metric: str,
    baselines: Mapping[Condition, Sequence[Baseline]],
    language: str,
    *,
    intervals: bool = True,
) -> alt.LayerChart:
    """Draw a metric by model (rows) and condition (columns) with its tie letter, and its mean; the darker, the better.

    Baselines stand below a line. The palest cells are as good as guessing, grey ones have no value.

    Args:
        names: of the shown models, by key, the best first.
        metric: a key of metrics.METRICS.
        baselines: those of other metrics are left out.
        intervals: whether they are written into the cells; below the pointer they are in any case.
    """
    table = _leaderboard_cells(comparison, names, metric, baselines, language)
    if not intervals:
        table = table.assign(detail="")
    heads = {condition.value: "\n".join(wrap(condition.text(language), 20)) for condition in comparison.conditions}
    heads |= {_MEAN: AXES["mean"](language)}
    columns, rows = list(heads.values()), distinct(table["row"])
    cells = alt.Chart(table.assign(column=table["condition"].map(heads))).encode(
        x=alt.X("column:N", sort=columns, title=None, axis=_HEAD_AXIS),
        y=alt.Y("row:N", sort=rows, title=None, axis=_row_axis(rows)),
    )
    # A line above the baselines, a piece a column.
    line = cells.transform_filter("datum.first").mark_rule(color=UNKNOWN, strokeWidth=3)
    separator = line.encode(
        x=alt.X("column:N", sort=columns, bandPosition=0, axis=_HEAD_AXIS),
        x2=alt.X2("column:N", bandPosition=1),
        y=alt.Y("row:N", sort=rows, bandPosition=0, axis=_row_axis(rows)),
    )
    chart = alt.LayerChart(layer=[_leaderboard_boxes(cells, metric, language), *_leaderboard_texts(cells), separator])
    return of_rows(chart, len(rows), max(42 if intervals else 32, _height_of(rows)))


def _leaderboard_boxes(cells: alt.Chart, metric: str, language: str) -> alt.Chart:
    scale = alt.Scale(range=list(MATRIX_COLORS), domain=[0, 1])
    boxes: alt.Chart = cells.mark_rect(stroke=UNKNOWN, strokeWidth=0.3).encode(
        color=alt.condition("isValid(datum.good)", alt.Color("good:Q", scale=scale, legend=None), alt.value(UNKNOWN)),
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["model"](language)),
            alt.Tooltip("condition_name:N", title=_WORDS["condition"](language)),
            alt.Tooltip("value:Q", title=METRICS[metric].short(language), format=".3f"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
            alt.Tooltip("spread:N", title=_WORDS["seeds"](language)),
            alt.Tooltip("images:N", title=AXES["images"](language)),
            alt.Tooltip("protocol:N", title=_WORDS["protocol"](language)),
        ],
    )
    return boxes


def _leaderboard_texts(cells: alt.Chart) -> list[alt.Chart]:
    """Draw values above their intervals, and values without an interval in the middle of the cell."""
    ink = alt.condition("datum.good > 0.6", alt.value(_LIGHT), alt.value(_INK))
    bold = cells.mark_text(fontSize=13, fontWeight="bold", dy=-7).encode(text="text:N", color=ink)
    values = bold.transform_filter("datum.detail")
    alone = bold.mark_text(fontSize=13, fontWeight="bold").transform_filter("!datum.detail")
    return [values, alone, cells.mark_text(fontSize=9.5, dy=9).encode(text="detail:N", color=ink)]


_LINE = 15  # pixels of a line of a name
_LINES = "split(datum.label, '\\n')"
_HEAD_AXIS = alt.Axis(
    orient="top",
    labelExpr=_LINES,
    labelAngle=alt.expr(f"{_NARROW} ? -90 : 0"),
    labelAlign=alt.expr(f"{_NARROW} ? 'left' : 'center'"),
    labelBaseline=alt.expr(f"{_NARROW} ? 'middle' : 'bottom'"),
    labelPadding=alt.expr(f"{_NARROW} ? 4 : 16"),  # room for a second line
    labelLimit=200,
    labelOverlap=False,
    ticks=False,
    domain=False,
)


def _height_of(names: Iterable[str]) -> int:
    """Return the pixels that a row needs for a name of as many lines as the longest has."""
    return _LINE * (1 + max((name.count("\n") for name in names), default=0)) + _LINE // 2


def _row_axis(names: Sequence[str]) -> alt.Axis:
    """Return an axis for names of equally many lines (see `_centred`), their middle beside the middle of the row."""
    lines = max((name.count("\n") for name in names), default=0)
    return alt.Axis(labelExpr=_LINES, labelOverlap=False, ticks=False, domain=False, labelOffset=-6 * lines)


def _centred(names: Sequence[Sequence[str]]) -> list[str]:
    """Return names of one or several lines as texts of equally many, with empty lines around shorter names."""
    longest = max(map(len, names), default=0)
    above = [(longest - len(lines)) // 2 for lines in names]
    return [
        "\n".join([""] * empty + [*lines] + [""] * (longest - len(lines) - empty))
        for lines, empty in zip(names, above, strict=True)
    ]


def _leaderboard_cells(
    comparison: Comparison,
    names: Mapping[str, str],
    metric: str,
    baselines: Mapping[Condition, Sequence[Baseline]],
    language: str,
) -> pd.DataFrame:
    """Return one row a cell, models before baselines; `first` marks the first row of baselines."""
    models = leaderboard_table(comparison, names, metric).assign(protocol="–", first=False)
    ends = list(zip(models["low"], models["high"], strict=True))
    spreads = zip(models["lowest"], models["highest"], models["seeds"], strict=True)
    values = zip(models["value"], models["tied"], strict=True)
    models = models.assign(
        detail=[
            "" if math.isnan(low) else f"[{short_number(low)}\N{EN SPACE}{short_number(high)}]" for low, high in ends
        ],
        interval=["–" if math.isnan(low) else f"{low:.3f} – {high:.3f}" for low, high in ends],
        spread=[f"{low:.3f} – {high:.3f}" if seeds > 1 else "–" for low, high, seeds in spreads],
        images=[f"{images:,}" for images in models["images"]],
        text=[f"{short_number(value)} {tied}".strip() for value, tied in values],
    )
    models = pd.concat([models, _mean_cells(comparison, names, metric, language)], ignore_index=True)
    below = baseline_table(baselines, comparison.conditions, metric, language)
    below = below.assign(
        text=[short_number(value) for value in below["value"]],
        first=below["name"] == below["name"].iloc[0] if len(below) else False,
        detail="",
        interval="–",
        spread="–",
    )
    table = pd.concat([models, below], ignore_index=True).fillna({"images": "–"})
    return table.assign(
        row=_centred([wrap(name, 17) for name in table["name"]]),
        good=goodness(table["value"], metric),
        condition_name=[
            AXES["mean"](language) if condition == _MEAN else Condition(condition).text(language)
            for condition in table["condition"]
        ],
    )


def _mean_cells(comparison: Comparison, names: Mapping[str, str], metric: str, language: str) -> pd.DataFrame:
    """Return one row a model: its mean over the conditions, and its mean rank."""
    table = comparison.overall(metric)
    table = table[table["model"].isin(list(names))]
    bounds = list(zip(table["low"], table["high"], strict=True))
    return pd.DataFrame(
        {
            **{"model": table["model"], "name": table["model"].map(dict(names)), "condition": _MEAN, "first": False},
            **{"value": table["value"], "low": table["low"], "high": table["high"]},
            "text": ["" if math.isnan(value) else short_number(value) for value in table["value"]],
            "detail": [
                "" if math.isnan(rank) else _WORDS["mean_rank"](language).format(rank=rank)
                for rank in table["mean_rank"]
            ],
            "interval": ["–" if math.isnan(low) else f"{low:.3f} – {high:.3f}" for low, high in bounds],
            **{"spread": "–", "protocol": "–", "images": "–"},
        }
    )


# ---- differences ----


def forest_chart(
    pairs: pd.DataFrame, names: Mapping[str, str], reference: str, metric: str, language: str
) -> alt.LayerChart:
    """Draw every model's difference from the reference with its Holm-corrected interval and the verdict in words.

    Differences within the band are practically zero.

    Args:
        pairs: of Comparison.pairs.
        names: of the shown models, by key.
        reference: key of a model.
    """
    table = forest_table(pairs, names, reference)
    verdicts = [Verdict(verdict) for verdict in table["verdict"]]
    words = [verdict.text(language) for verdict in verdicts]
    table = table.assign(
        row=_centred([[*wrap(name, 17), word] for name, word in zip(table["name"], words, strict=True)]),
        word=words,
        kind=[verdict.value for verdict in verdicts],
        interval=[_signed(low, high) for low, high in zip(table["low"], table["high"], strict=True)],
    )
    band, zero = _negligible_band(NEGLIGIBLE[metric])
    intervals, points = _forest_marks(table, names[reference], metric, language)
    chart = alt.LayerChart(layer=[band, zero, *if_any(intervals, table["low"]), points])
    return of_rows(chart, len(table), max(46, _height_of(table["row"])))


def _signed(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{low:+.3f} … {high:+.3f}".replace("-", "−")


def _negligible_band(reach: float) -> tuple[alt.Chart, alt.Chart]:
    """Draw the band of practically equal models, and the line at zero."""
    ends = alt.Chart(pd.DataFrame({"from": [-reach], "to": [reach], "zero": [0.0]}))
    band = ends.mark_rect(color=UNKNOWN, opacity=0.25).encode(x="from:Q", x2="to:Q")
    return band, ends.mark_rule(color=UNKNOWN, strokeDash=[4, 3]).encode(x="zero:Q")


def _forest_marks(table: pd.DataFrame, reference: str, metric: str, language: str) -> tuple[alt.Chart, alt.Chart]:
    about = METRICS[metric]
    better = _WORDS["right_better" if about.higher_is_better else "left_better"](language)
    title = [_WORDS["difference"](language).format(metric=about.short(language), reference=reference), better]
    kinds = [verdict.value for verdict in VERDICT_COLORS]
    colors, shapes = list(VERDICT_COLORS.values()), [_VERDICT_SHAPES[verdict] for verdict in VERDICT_COLORS]
    rows = distinct(table["row"])
    marks = alt.Chart(table).encode(
        y=alt.Y("row:N", sort=rows, title=None, axis=_row_axis(rows)),
        color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=colors), legend=None),
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["model"](language)),
            alt.Tooltip("difference:Q", title=about.short(language), format="+.3f"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
            alt.Tooltip("p_holm:Q", title=_WORDS["p_holm"](language), format=".3g"),
            alt.Tooltip("word:N", title=_WORDS["verdict"](language)),
        ],
    )
    # The title has two lines, as a telephone is too narrow for one.
    axis = alt.Axis(tickCount=5, format="+.2~f", labelExpr="datum.value ? datum.label : '0'")
    intervals = marks.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", title=title, axis=axis), x2="high:Q")
    points = marks.mark_point(filled=True, size=150, opacity=1).encode(
        x=alt.X("difference:Q", title=title, axis=axis),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=shapes), legend=None),
    )
    return intervals, points


# ---- recall of each grade ----


def recall_chart(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], language: str
) -> alt.LayerChart:
    """Draw the recall of every grade by model, with 95 % Wilson intervals and each grade's number of pictures."""
    table = recall_table(comparison, condition, names)
    grades = zip(table["grade"], table["images"], strict=True)
    table = table.assign(
        row=[f"{grade_name(grade, language)}\nn = {images:,}" for grade, images in grades],
        interval=[f"{low:.0%} – {high:.0%}" for low, high in zip(table["low"], table["high"], strict=True)],
    )
    tooltip = [
        alt.Tooltip("row:N", title=AXES["grade"](language)),
        alt.Tooltip("value:Q", title=_WORDS["recall"](language), format=".1%"),
    ]
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format="%", tickCount=5)
    reach = alt.X("low:Q", scale=scale, axis=axis, title=_WORDS["recall"](language))
    return _models_in_rows(table.rename(columns={"recall": "value"}), tuple(names.values()), reach, tooltip, language)


def groups_chart(table: pd.DataFrame, metric: str, language: str) -> alt.LayerChart:
    """Draw a metric by groups of pictures and model, with 95 % intervals.

    Args:
        table: name (of the model), row (the group in words), value, low, high; NaN where a group is too small.
        metric: a key of metrics.METRICS.
    """
    title = METRICS[metric].short(language)
    ends = zip(table["low"], table["high"], strict=True)
    table = table.assign(interval=[f"{low:.3f} – {high:.3f}" for low, high in ends])
    tooltip = [alt.Tooltip("row:N", title=AXES["value"](language)), alt.Tooltip("value:Q", title=title, format=".3f")]
    reach = alt.X("low:Q", scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=5), title=title)
    return _models_in_rows(table, tuple(distinct(table["name"])), reach, tooltip, language)


def _models_in_rows(
    table: pd.DataFrame, names: tuple[str, ...], reach: alt.X, tooltip: list[alt.Tooltip], language: str
) -> alt.LayerChart:
    """Draw values with their intervals, the models of a row below one another.

    Args:
        table: name, row, value, low, high, interval (in words).
        reach: the axis, of `low`.
    """
    channels, rows = _ModelChannels(names), distinct(table["row"])
    marks = alt.Chart(table.dropna(subset="value")).encode(
        # With its domain given, a row without a value keeps its place.
        y=alt.Y("row:N", scale=alt.Scale(domain=rows), title=None, axis=_row_axis(rows)),
        yOffset=alt.YOffset("name:N", sort=list(names), scale=alt.Scale(paddingOuter=0.3)),
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["model"](language)),
            *tooltip,
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
        ],
    )
    intervals = marks.mark_rule(strokeWidth=2).encode(x=reach, x2="high:Q", stroke=channels.lines)
    points = marks.mark_point(size=60, opacity=1, strokeWidth=2).encode(x="value:Q", **channels.points)
    chart = alt.LayerChart(layer=[*if_any(intervals, table["low"]), points])
    return of_rows(chart, len(rows), 20 * (len(names) + 1))


# ---- encodings of models ----


@dataclass(frozen=True)
class _ModelChannels:
    """The encodings that tell models apart, by their names."""

    names: tuple[str, ...]
    legend: bool = True

    @property
    def _styles(self) -> list[ModelStyle]:
        return model_styles(self.names)

    @property
    def lines(self) -> alt.Stroke:
        """The channel of rules and lines."""
        colors = [style.color for style in self._styles]
        return alt.Stroke("name:N", scale=self._scale(colors), **self._shared)

    @property
    def dashes(self) -> alt.StrokeDash:
        dashes = [_DASHES[style.place % len(_DASHES)] for style in self._styles]
        return alt.StrokeDash("name:N", scale=self._scale(dashes), **self._shared)

    @property
    def points(self) -> dict[str, Any]:
        """The channels of a mark that is not filled."""
        fills = ["transparent" if style.place else style.color for style in self._styles]
        shapes = [style.shape for style in self._styles]
        return {
            "stroke": self.lines,
            "fill": alt.Fill("name:N", scale=self._scale(fills), **self._shared),
            "shape": alt.Shape("name:N", scale=self._scale(shapes), **self._shared),
        }

    @property
    def _shared(self) -> dict[str, Any]:
        """The legend that all channels share."""
        if not self.legend:
            return {"sort": list(self.names), "title": None, "legend": None}
        widest = 40 + 7 * max(map(len, self.names), default=0)  # pixels, about
        columns = alt.expr(f"max(1, floor((width + 60) / {widest}))")
        legend = alt.Legend(orient="top", columns=columns, labelLimit=300, symbolStrokeWidth=2, symbolOpacity=1)
        return {"sort": list(self.names), "title": None, "legend": legend}

    def _scale(self, values: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=list(self.names), range=list(values))


# ---- probabilities, epochs, costs ----


def reliability_chart(tables: Mapping[str, pd.DataFrame], language: str) -> alt.LayerChart:
    """Draw accuracy against confidence in bins of equally many pictures; calibrated models lie on the diagonal.

    Args:
        tables: of calibration.reliability_bins, by name of the model; the legend adds the expected calibration error.
    """
    labels = {
        name: _WORDS["calibration"](language).format(name=name, error=calibration_error(table))
        for name, table in tables.items()
    }
    table = pd.concat([table.assign(name=labels[name]) for name, table in tables.items()], ignore_index=True)
    channels = _ModelChannels(tuple(labels.values()))
    least = math.floor(10 * min(table["confidence"].min(), table["accuracy"].min())) / 10
    scale, percent = alt.Scale(domain=[least, 1], nice=False), alt.Axis(format="%", tickCount=5)
    marks = alt.Chart(table).encode(
        x=alt.X("confidence:Q", scale=scale, axis=percent, title=_WORDS["confidence"](language)),
        y=alt.Y("accuracy:Q", scale=scale, axis=percent, title=_WORDS["right"](language)),
    )
    lines = marks.mark_line(strokeWidth=1.5).encode(stroke=channels.lines, strokeDash=channels.dashes)
    tooltip = [
        alt.Tooltip("name:N", title=_WORDS["model"](language)),
        alt.Tooltip("confidence:Q", title=_WORDS["confidence"](language), format=".1%"),
        alt.Tooltip("accuracy:Q", title=_WORDS["right"](language), format=".1%"),
        alt.Tooltip("images:Q", title=AXES["images"](language)),
    ]
    points = marks.mark_point(size=50, opacity=1).encode(**channels.points, tooltip=tooltip)
    ends = alt.Chart(pd.DataFrame({"confidence": [least, 1.0], "accuracy": [least, 1.0]}))
    diagonal = ends.mark_line(color=UNKNOWN, strokeDash=[4, 3]).encode(
        x="confidence:Q", y=alt.Y("accuracy:Q", scale=scale)
    )
    chart: alt.LayerChart = diagonal + lines + points
    return chart.properties(height=330 + 22 * len(tables))  # on a telephone the legend has a row a model


def referral_chart(
    curves: Mapping[str, pd.DataFrame], points: pd.DataFrame, limit: float, language: str
) -> alt.LayerChart:
    """Draw the share of unseen far errors over the share of pictures that are left to a person, a line a model.

    Args:
        curves: of referral.referral_curve, by name of the model.
        points: name, referred and unseen of the models whose threshold was chosen on the calibration split.
        limit: the dashed line.
    """
    channels, percent = _ModelChannels(tuple(curves)), alt.Axis(format=".1~%", tickCount=5)
    lines = pd.concat([referral_corners(curve).assign(name=name) for name, curve in curves.items()], ignore_index=True)
    encodings = {
        "x": alt.X("referred:Q", title=_WORDS["referred"](language), scale=alt.Scale(domain=[0, 1]), axis=percent),
        # A title of two lines, as it is longer than the axis; the root, as limits are small beside weak models' errors.
        "y": alt.Y(
            "unseen:Q", title=_WORDS["unseen"](language).split(", "), axis=percent, scale=alt.Scale(type="sqrt")
        ),
        "tooltip": [
            alt.Tooltip("name:N", title=_WORDS["model"](language)),
            alt.Tooltip("referred:Q", title=_WORDS["referred"](language), format=".1%"),
            alt.Tooltip("unseen:Q", title=_WORDS["unseen"](language), format=".2%"),
        ],
    }
    marks = alt.Chart(lines).mark_line(strokeWidth=1.5)
    drawn_lines = marks.encode(**encodings, stroke=channels.lines, strokeDash=channels.dashes)
    limits = alt.Chart(pd.DataFrame({"unseen": [limit]})).mark_rule(strokeDash=[4, 3], color=UNKNOWN)
    tooltip = [alt.Tooltip("unseen:Q", title=_WORDS["limit"](language), format=".1%")]
    layers = [drawn_lines, limits.encode(y=encodings["y"], tooltip=tooltip)]
    layers += if_any(
        alt.Chart(points).mark_point(size=110, strokeWidth=2, opacity=1).encode(**encodings, **channels.points),
        points["referred"],
    )
    return alt.LayerChart(layer=layers, height=330 + 22 * len(curves))


def curves_chart(histories: Mapping[str, pd.DataFrame], measure: str, language: str) -> alt.LayerChart:
    """Draw one line a run over its epochs; a single one needs no legend.

    Args:
        histories: of runs, by name.
        measure: `valid_qwk`, `valid_loss` or `train_loss`.
    """
    rows = [history[["epoch", measure]].assign(name=name) for name, history in histories.items()]
    table = pd.concat(rows, ignore_index=True)
    channels = _ModelChannels(tuple(histories), legend=len(histories) > 1)
    longest = int(table["epoch"].max())
    axis = alt.Axis(values=list(range(0, longest + 1, max(1, math.ceil(longest / 8)))), format="d")
    marks = alt.Chart(table).encode(
        x=alt.X("epoch:Q", title=AXES["epoch"](language), axis=axis, scale=alt.Scale(zero=False, padding=8)),
        y=alt.Y(f"{measure}:Q", title=AXES[measure](language), scale=alt.Scale(zero=False)),
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["model"](language)),
            alt.Tooltip("epoch:Q", title=AXES["epoch"](language)),
            alt.Tooltip(f"{measure}:Q", title=AXES[measure](language), format=".3f"),
        ],
    )
    lines = marks.mark_line(strokeWidth=2).encode(stroke=channels.lines, strokeDash=channels.dashes)
    size = 60 if longest <= _MARKED_EPOCHS else 12  # so that a single epoch is visible
    chart: alt.LayerChart = lines + marks.mark_point(size=size, opacity=1).encode(**channels.points)
    return chart.properties(height=280 + 12 * len(histories) * channels.legend)  # room for the legend


def curves_of_models(histories: Mapping[str, pd.DataFrame], measure: str, language: str) -> "go.Figure":
    """Draw one line a run over its epochs, to be looked into: the values of an epoch together, and runs put aside.

    By Plotly, which offers both; its JavaScript takes a second, so pages that show curves at once use `curves_chart`.

    Args:
        histories: of runs, by name.
        measure: `valid_qwk`, `valid_loss` or `train_loss`.
    """
    import plotly.graph_objects as go  # .3 s, for one view

    figure = go.Figure()
    longest = max(int(history["epoch"].max()) for history in histories.values())
    for (name, history), style in zip(histories.items(), model_styles(histories), strict=True):
        figure.add_scatter(
            x=history["epoch"],
            y=history[measure],
            name=html.escape(name, quote=False),  # Plotly reads names as HTML
            mode="lines+markers" if longest <= _MARKED_EPOCHS else "lines",
            line={"color": style.color, "dash": _PLOTLY_DASHES[style.place % len(_PLOTLY_DASHES)]},
            hovertemplate="%{y:.3f}",
        )
    return figure.update_layout(
        xaxis={"title": AXES["epoch"](language), "tickformat": "d", "dtick": max(1, longest // 8)},
        yaxis_title=AXES[measure](language),
        height=360,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": -0.2},
        hovermode="x unified",
        showlegend=True,
    )


def pareto_chart(table: pd.DataFrame, metric: str, cost: str, language: str) -> alt.LayerChart:
    """Draw a metric against a cost; along the dashed line no model is both cheaper and better (Pareto front).

    Args:
        table: name, value, low, high (95 %), milliseconds, parameters, a row a model; NaN where a cost is unknown.
        metric: a key of metrics.METRICS.
        cost: `milliseconds` or `parameters`.
    """
    table = table.dropna(subset=["value", cost])
    ends = zip(table["low"], table["high"], strict=True)
    table = table.assign(interval=[f"{low:.3f} – {high:.3f}" for low, high in ends])
    channels = _ModelChannels(tuple(table["name"]))
    across = _cost_axis(cost, language)
    marks = alt.Chart(table).encode(
        x=across,
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["model"](language)),
            alt.Tooltip("value:Q", title=METRICS[metric].short(language), format=".3f"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
            alt.Tooltip("milliseconds:Q", title="ms", format=".1f"),
            alt.Tooltip("parameters:Q", title=_WORDS["parameters"](language), format=","),
        ],
    )
    height: dict[str, Any] = {"title": METRICS[metric].text(language), "scale": alt.Scale(zero=False)}
    intervals = marks.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", **height), y2="high:Q", stroke=channels.lines)
    points = marks.mark_point(size=110, opacity=1, strokeWidth=2).encode(
        y=alt.Y("value:Q", **height), **channels.points
    )
    texts = marks.mark_text(
        align="left", dx=8, dy=-8, fontSize=11, limit=130, color=OUTLINE, opacity=alt.expr(f"{_NARROW} ? 0 : 1")
    )
    names = texts.encode(y="value:Q", text="name:N")
    stepped = alt.Chart(pareto_front(table, metric, cost)).mark_line(
        interpolate="step-after", color=UNKNOWN, strokeWidth=1.5, strokeDash=[4, 3]
    )
    front = stepped.encode(x=across, y="value:Q")
    chart = alt.LayerChart(layer=[front, *if_any(intervals, table["low"]), points, names])
    return chart.properties(height=340 + 12 * len(table))


def _cost_axis(cost: str, language: str) -> alt.X:
    return alt.X(
        f"{cost}:Q",
        title=_WORDS[cost](language),
        scale=alt.Scale(type="log", nice=False, padding=30),
        axis=alt.Axis(format="~s", tickCount=5, labelOverlap=True),
    )
