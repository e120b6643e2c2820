"""Interactive figures of a comparison, and the tables behind them; pure. Knows no run folder and no page.

Sides are shown in the order in which they are named. Families of networks have their colour and shape everywhere; of
several sides of one family the first is filled and its line drawn through, the others hollow and dashed.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core import terms
from scalp_core.architectures import ARCHITECTURE_NAME, family
from scalp_core.charts.dataset_charts import AXES, grade_name
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import Baseline
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.calibration import calibration_error
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison, Verdict
from scalp_core.palette import DIVERGING, MATRIX_COLORS, UNKNOWN, architecture_color, architecture_shape

_WORDS = {
    "side": terms.MODEL,
    "condition": terms.CONDITION,
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
    "milliseconds": terms.MILLISECONDS,
    "parameters": terms.PARAMETERS,
}
_INK, _LIGHT = "#1f2937", "white"  # writing on pale and on dark cells
_NARROW = "width < 520"  # pixels of a chart, asked in the browser: on a telephone

# What guessing reaches, drawn palest; 0 for the metrics that are not here. Errors get darker downwards.
_GUESSED = {"average_mean_absolute_error": 1.0, "ranked_probability_score": 0.25, "far_error_share": 0.5}

# Orange speaks for it and blue against, as on evidence maps.
_VERDICTS = {
    Verdict.BETTER: (DIVERGING[2], "triangle-up"),
    Verdict.WORSE: (DIVERGING[0], "triangle-down"),
    Verdict.PRACTICALLY_EQUAL: (UNKNOWN, "square"),
    Verdict.UNDECIDED: (UNKNOWN, "circle"),
}
_DASHES = ([1, 0], [6, 3], [2, 2])


def short(value: float) -> str:
    """`.71`, `−.05`, `1.20`: cells fit a narrow screen only without the nought."""
    if math.isnan(value):
        return "–"
    digits = f"{abs(value):.2f}".removeprefix("0") if abs(value) < 1 else f"{abs(value):.2f}"
    return f"−{digits}" if value < 0 and float(digits) else digits


# ---- the leaderboard ----


def leaderboard_table(comparison: Comparison, names: Mapping[str, str], metric: str) -> pd.DataFrame:
    """Every named side in every condition.

    Returns:
        side, name, condition, images, value, low, high (95 %), tied (letter, empty where there is nothing to compare),
        seeds, lowest, highest (of the seeds).
    """
    letters = [_letters(comparison, metric, condition) for condition in comparison.conditions]
    rows = []
    for side, name in names.items():
        seeds = len(comparison.of_runs[metric][comparison.sides.index(side)])
        for place, condition in enumerate(comparison.conditions):
            found = comparison.estimate(metric, side, condition)
            facts = (side, name, condition.value, int(comparison.images[place]), found.value, found.low, found.high)
            spread = comparison.spread(metric, side, condition)
            rows.append((*facts, letters[place].get(side, ""), seeds, *spread))
    columns = ["side", "name", "condition", "images", "value", "low", "high", "tied", "seeds", "lowest", "highest"]
    return pd.DataFrame(rows, columns=columns)


def _letters(comparison: Comparison, metric: str, condition: Condition) -> dict[str, str]:
    """None where one stands alone."""
    letters = comparison.tied(metric, condition)
    return letters if len(letters) > 1 else {}


def leaderboard_chart(
    comparison: Comparison,
    names: Mapping[str, str],
    metric: str,
    references: Mapping[Condition, Sequence[Baseline]],
    language: str,
) -> alt.LayerChart:
    """A metric by side (rows) and condition (columns), dark where it is good, with interval and tie letter.

    References stand below a line. Palest is what guessing reaches; a cell about which nothing is known is grey.

    Args:
        names: of the sides shown, by key.
        metric: a key of evaluate.METRICS; references to others are left out.
    """
    table = _cells(comparison, names, metric, references, language)
    heads = {one.value: "\n".join(wrap(one.text(language), 20)) for one in comparison.conditions}
    rows = _order(table["row"])
    cells = alt.Chart(table.assign(column=table["condition"].map(heads))).encode(
        x=alt.X("column:N", sort=list(heads.values()), title=None, axis=_HEAD_AXIS),
        y=alt.Y("row:N", sort=rows, title=None, axis=_row_axis(rows)),
    )
    scale = alt.Scale(range=list(MATRIX_COLORS), domain=[0, 1])
    boxes = cells.mark_rect(stroke=UNKNOWN, strokeWidth=0.3).encode(
        color=alt.condition("isValid(datum.good)", alt.Color("good:Q", scale=scale, legend=None), alt.value(UNKNOWN)),
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["side"](language)),
            alt.Tooltip("condition_name:N", title=_WORDS["condition"](language)),
            alt.Tooltip("value:Q", title=METRICS[metric].short(language), format=".3f"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
            alt.Tooltip("spread:N", title=_WORDS["seeds"](language)),
            alt.Tooltip("images:N", title=AXES["images"](language)),
            alt.Tooltip("protocol:N", title=_WORDS["protocol"](language)),
        ],
    )
    ink = alt.condition("datum.good > 0.6", alt.value(_LIGHT), alt.value(_INK))
    bold = cells.mark_text(fontSize=13, fontWeight="bold", dy=-7).encode(text="text:N", color=ink)
    values = bold.transform_filter("datum.detail")
    alone = bold.mark_text(fontSize=13, fontWeight="bold").transform_filter("!datum.detail")
    details = cells.mark_text(fontSize=9.5, dy=9).encode(text="detail:N", color=ink)
    # A line above the references, a piece a column.
    line = cells.transform_filter("datum.first").mark_rule(color=UNKNOWN, strokeWidth=3)
    apart = line.encode(
        x=alt.X("column:N", sort=list(heads.values()), bandPosition=0, axis=_HEAD_AXIS),
        x2=alt.X2("column:N", bandPosition=1),
        y=alt.Y("row:N", sort=rows, bandPosition=0, axis=_row_axis(rows)),
    )
    chart: alt.LayerChart = boxes + values + alone + details + apart
    return chart.properties(height=alt.Step(42))


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


def _row_axis(names: Sequence[str]) -> alt.Axis:
    """Names of as many lines each (see `_centred`), their middle beside the middle of the row."""
    lines = max((name.count("\n") for name in names), default=0)
    return alt.Axis(labelExpr=_LINES, labelOverlap=False, ticks=False, domain=False, labelOffset=-6 * lines)


def _centred(names: Sequence[Sequence[str]]) -> list[str]:
    """Names of one or several lines as texts that all have as many, empty ones about those that have fewer."""
    most = max(map(len, names), default=0)
    above = [(most - len(lines)) // 2 for lines in names]
    return [
        "\n".join([""] * empty + [*lines] + [""] * (most - len(lines) - empty))
        for lines, empty in zip(names, above, strict=True)
    ]


def _cells(
    comparison: Comparison,
    names: Mapping[str, str],
    metric: str,
    references: Mapping[Condition, Sequence[Baseline]],
    language: str,
) -> pd.DataFrame:
    """A row a cell: those of the sides, then those of the references; `first` is the first row of references."""
    sides = leaderboard_table(comparison, names, metric).assign(protocol="–", first=False)
    ends = list(zip(sides["low"], sides["high"], strict=True))
    spreads = zip(sides["lowest"], sides["highest"], sides["seeds"], strict=True)
    sides = sides.assign(
        detail=["" if math.isnan(low) else f"[{short(low)}\N{EN SPACE}{short(high)}]" for low, high in ends],
        interval=["–" if math.isnan(low) else f"{low:.3f} – {high:.3f}" for low, high in ends],
        spread=[f"{low:.3f} – {high:.3f}" if seeds > 1 else "–" for low, high, seeds in spreads],
        images=[f"{images:,}" for images in sides["images"]],
        text=[f"{short(value)} {tied}".strip() for value, tied in zip(sides["value"], sides["tied"], strict=True)],
    )
    below = _reference_cells(comparison, metric, references, language)
    table = pd.concat([sides, below], ignore_index=True).fillna({"images": "–"})
    return table.assign(
        row=_centred([wrap(name, 17) for name in table["name"]]),
        good=goodness(table["value"], metric),
        condition_name=[Condition(one).text(language) for one in table["condition"]],
    )


def _reference_cells(
    comparison: Comparison, metric: str, references: Mapping[Condition, Sequence[Baseline]], language: str
) -> pd.DataFrame:
    """Those that are known in one condition have a cell in all."""
    known = {
        (one.name(language), condition): one
        for condition in comparison.conditions
        for one in references.get(condition, ())
        if one.metric == metric and not math.isnan(one.value)
    }
    rows = []
    names = list(dict.fromkeys(name for name, _ in known))
    for name in names:
        for condition in comparison.conditions:
            one = known.get((name, condition))
            value, protocol = (one.value, one.protocol(language)) if one else (math.nan, "–")
            rows.append((name, condition.value, value, short(value), protocol, name == names[0]))
    table = pd.DataFrame(rows, columns=["name", "condition", "value", "text", "protocol", "first"])
    return table.assign(detail="", interval="–", spread="–")


def goodness(values: pd.Series, metric: str) -> pd.Series:
    """0 what guessing reaches, 1 perfect."""
    if METRICS[metric].higher_is_better:
        return values.clip(0, 1)
    return (1 - values / _GUESSED[metric]).clip(0, 1)


def _order(names: pd.Series) -> list[str]:
    return list(dict.fromkeys(names))


# ---- differences ----


def forest_chart(
    pairs: pd.DataFrame, names: Mapping[str, str], reference: str, metric: str, language: str
) -> alt.LayerChart:
    """Every side's difference from the reference with its Holm-corrected interval; the verdict stands under its name.

    The band holds differences that nobody would notice.

    Args:
        pairs: of Comparison.pairs.
        names: of the sides shown, by key.
        reference: key of a side.
    """
    table = pairs[(pairs["other"] == reference) & pairs["side"].isin(list(names))]
    table = table.set_index("side").reindex([one for one in names if one in set(table["side"])]).reset_index()
    words = [Verdict(one).text(language) for one in table["verdict"]]
    lines = [[*wrap(names[side], 17), word] for side, word in zip(table["side"], words, strict=True)]
    table = table.assign(
        row=_centred(lines),
        name=table["side"].map(dict(names)),
        word=words,
        kind=[Verdict(one).value for one in table["verdict"]],
        interval=[_signed(low, high) for low, high in zip(table["low"], table["high"], strict=True)],
    )
    band, nought = _negligible_band(METRICS[metric].negligible)
    intervals, points = _forest_marks(table, names[reference], metric, language)
    chart = alt.LayerChart(layer=[band, nought, intervals, points])
    return chart.properties(height=alt.Step(46))


def _signed(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{low:+.3f} … {high:+.3f}".replace("-", "−")


def _negligible_band(reach: float) -> tuple[alt.Chart, alt.Chart]:
    """Where differences are practically nought, and nought."""
    ends = alt.Chart(pd.DataFrame({"from": [-reach], "to": [reach], "nought": [0.0]}))
    band = ends.mark_rect(color=UNKNOWN, opacity=0.25).encode(x="from:Q", x2="to:Q")
    return band, ends.mark_rule(color=UNKNOWN, strokeDash=[4, 3]).encode(x="nought:Q")


def _forest_marks(table: pd.DataFrame, reference: str, metric: str, language: str) -> tuple[alt.Chart, alt.Chart]:
    shown = METRICS[metric]
    better = _WORDS["right_better" if shown.higher_is_better else "left_better"](language)
    title = [_WORDS["difference"](language).format(metric=shown.short(language), reference=reference), better]
    kinds, (colors, shapes) = [one.value for one in _VERDICTS], zip(*_VERDICTS.values(), strict=True)
    rows = _order(table["row"])
    marks = alt.Chart(table).encode(
        y=alt.Y("row:N", sort=rows, title=None, axis=_row_axis(rows)),
        color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=list(colors)), legend=None),
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["side"](language)),
            alt.Tooltip("difference:Q", title=shown.short(language), format="+.3f"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
            alt.Tooltip("p_holm:Q", title=_WORDS["p_holm"](language), format=".3g"),
            alt.Tooltip("word:N", title=_WORDS["verdict"](language)),
        ],
    )
    # In lines of their own: a telephone is too narrow for both.
    reach = alt.X(
        "low:Q", title=title, axis=alt.Axis(tickCount=5, format="+.2~f", labelExpr="datum.value ? datum.label : '0'")
    )
    intervals = marks.mark_rule(strokeWidth=3).encode(x=reach, x2="high:Q")
    points = marks.mark_point(filled=True, size=150, opacity=1).encode(
        x=alt.X("difference:Q", title=title),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=list(shapes)), legend=None),
    )
    return intervals, points


# ---- recall of each grade ----


def wilson(right: npt.ArrayLike, images: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """95 % interval of a share `right` / `images` (Wilson 1927): within 0 … 1 and sensible for few; NaN for none.

    It takes every picture for a head of its own, so it is a little too narrow.
    """
    total = np.where(np.asarray(images) > 0, images, math.nan).astype(np.float64)
    share, squared = np.asarray(right) / total, 1.959964**2
    middle = (share + squared / (2 * total)) / (1 + squared / total)
    half = np.sqrt(squared * (share * (1 - share) / total + squared / (4 * total**2))) / (1 + squared / total)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def recall_table(comparison: Comparison, condition: Condition, names: Mapping[str, str]) -> pd.DataFrame:
    """How much of each grade every named side recognises.

    Returns:
        side, name, grade, images (of that grade), recall (mean over the side's seeds), low, high (95 %, see `wilson`);
        NaN for a grade that no picture has. Sides that do not grade the condition are left out.
    """
    place = comparison.conditions.index(condition)
    rows = []
    for side, name in names.items():
        counts = comparison.counts[comparison.sides.index(side), place]
        images, right = counts.sum(axis=1), np.diagonal(counts)
        if not images.any():
            continue
        low, high = wilson(right, images)
        shares = right / np.where(images > 0, images, math.nan)
        rows += [
            (side, name, int(grade), round(images[grade]), shares[grade], low[grade], high[grade]) for grade in GRADES
        ]
    return pd.DataFrame(rows, columns=["side", "name", "grade", "images", "recall", "low", "high"])


def recall_chart(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], language: str
) -> alt.LayerChart:
    """Recall of every grade by side, with 95 % Wilson intervals; under each grade how many pictures have it."""
    table = recall_table(comparison, condition, names)
    grades = zip(table["grade"], table["images"], strict=True)
    table = table.assign(
        row=[f"{grade_name(grade, language)}\nn = {images:,}" for grade, images in grades],
        interval=[f"{low:.0%} – {high:.0%}" for low, high in zip(table["low"], table["high"], strict=True)],
    )
    looks, rows = _Looks(tuple(names.values())), _order(table["row"])
    marks = alt.Chart(table.dropna(subset="recall")).encode(
        # With its domain given, a grade that no picture has keeps its row.
        y=alt.Y("row:N", scale=alt.Scale(domain=rows), title=None, axis=_row_axis(rows)),
        yOffset=alt.YOffset("name:N", sort=list(looks.names), scale=alt.Scale(paddingOuter=0.3)),
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["side"](language)),
            alt.Tooltip("row:N", title=AXES["grade"](language)),
            alt.Tooltip("recall:Q", title=_WORDS["recall"](language), format=".1%"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
        ],
    )
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(format="%", tickCount=5)
    reach = alt.X("low:Q", scale=scale, axis=axis, title=_WORDS["recall"](language))
    intervals = marks.mark_rule(strokeWidth=2).encode(x=reach, x2="high:Q", stroke=looks.lines)
    points = marks.mark_point(size=60, opacity=1, strokeWidth=2).encode(x="recall:Q", **looks.points)
    chart: alt.LayerChart = intervals + points
    return chart.properties(height=alt.Step(16))


# ---- what a side looks like ----


@dataclass(frozen=True)
class _Looks:
    """How sides are drawn, by what they are called; that begins with their architecture."""

    names: tuple[str, ...]

    @property
    def lines(self) -> alt.Stroke:
        """For rules and lines."""
        return alt.Stroke("name:N", scale=self._scale(self._colors), **self._shared)

    @property
    def dashes(self) -> alt.StrokeDash:
        dashes = [_DASHES[place % len(_DASHES)] for place in self._places]
        return alt.StrokeDash("name:N", scale=self._scale(dashes), legend=None)

    @property
    def points(self) -> dict[str, Any]:
        """Channels for a mark that is not filled."""
        fills = ["transparent" if place else color for place, color in zip(self._places, self._colors, strict=True)]
        return {
            "stroke": self.lines,
            "fill": alt.Fill("name:N", scale=self._scale(fills), **self._shared),
            "shape": alt.Shape("name:N", scale=self._scale(self._shapes), **self._shared),
        }

    @property
    def _shared(self) -> dict[str, Any]:
        """One legend for all channels."""
        widest = 40 + 7 * max(map(len, self.names), default=0)  # pixels, about
        columns = alt.expr(f"max(1, floor((width + 60) / {widest}))")
        legend = alt.Legend(orient="top", columns=columns, labelLimit=300, symbolStrokeWidth=2, symbolOpacity=1)
        return {"sort": list(self.names), "title": None, "legend": legend}

    def _scale(self, looks: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=list(self.names), range=list(looks))

    @property
    def _architectures(self) -> list[str]:
        found = (ARCHITECTURE_NAME.match(name) for name in self.names)
        return [one[0] if one else "" for one in found]

    @property
    def _colors(self) -> list[str]:
        return [architecture_color(one) for one in self._architectures]

    @property
    def _shapes(self) -> list[str]:
        return [architecture_shape(one) for one in self._architectures]

    @property
    def _places(self) -> list[int]:
        """Of each side within its family: 0 for the first."""
        seen: Counter[str] = Counter()
        places = []
        for one in map(family, self._architectures):
            places.append(seen[one])
            seen[one] += 1
        return places


# ---- probabilities, epochs, costs ----


def reliability_chart(tables: Mapping[str, pd.DataFrame], language: str) -> alt.LayerChart:
    """Accuracy against confidence in bins of equally many pictures; on the diagonal probabilities keep their word.

    Args:
        tables: of calibration.reliability_bins, by side's name; the legend adds its expected calibration error.
    """
    labels = {
        name: _WORDS["calibration"](language).format(name=name, error=calibration_error(table))
        for name, table in tables.items()
    }
    known = [table.assign(name=labels[name]) for name, table in tables.items()]
    table, looks = pd.concat(known, ignore_index=True), _Looks(tuple(labels.values()))
    least = math.floor(10 * min(table["confidence"].min(), table["accuracy"].min())) / 10
    scale, percent = alt.Scale(domain=[least, 1], nice=False), alt.Axis(format="%", tickCount=5)
    marks = alt.Chart(table).encode(
        x=alt.X("confidence:Q", scale=scale, axis=percent, title=_WORDS["confidence"](language)),
        y=alt.Y("accuracy:Q", scale=scale, axis=percent, title=_WORDS["right"](language)),
    )
    lines = marks.mark_line(strokeWidth=1.5).encode(stroke=looks.lines, strokeDash=looks.dashes)
    tooltip = [
        alt.Tooltip("name:N", title=_WORDS["side"](language)),
        alt.Tooltip("confidence:Q", title=_WORDS["confidence"](language), format=".1%"),
        alt.Tooltip("accuracy:Q", title=_WORDS["right"](language), format=".1%"),
        alt.Tooltip("images:Q", title=AXES["images"](language)),
    ]
    points = marks.mark_point(size=50, opacity=1).encode(**looks.points, tooltip=tooltip)
    ends = alt.Chart(pd.DataFrame({"confidence": [least, 1.0], "accuracy": [least, 1.0]}))
    kept = ends.mark_line(color=UNKNOWN, strokeDash=[4, 3]).encode(x="confidence:Q", y=alt.Y("accuracy:Q", scale=scale))
    chart: alt.LayerChart = kept + lines + points
    return chart.properties(height=330 + 22 * len(tables))  # its legend has a row a side on a telephone


def curves_chart(histories: Mapping[str, pd.DataFrame], measure: str, language: str) -> alt.LayerChart:
    """One line a run over its epochs.

    Args:
        histories: of runs, by name.
        measure: `valid_qwk`, `valid_loss` or `train_loss`.
    """
    known = [history[["epoch", measure]].assign(name=name) for name, history in histories.items()]
    table = pd.concat(known, ignore_index=True)
    looks = _Looks(tuple(histories))
    longest = int(table["epoch"].max())
    axis = alt.Axis(values=list(range(0, longest + 1, max(1, math.ceil(longest / 8)))), format="d")
    marks = alt.Chart(table).encode(
        x=alt.X("epoch:Q", title=AXES["epoch"](language), axis=axis, scale=alt.Scale(zero=False, padding=8)),
        y=alt.Y(f"{measure}:Q", title=AXES[measure](language), scale=alt.Scale(zero=False)),
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["side"](language)),
            alt.Tooltip("epoch:Q", title=AXES["epoch"](language)),
            alt.Tooltip(f"{measure}:Q", title=AXES[measure](language), format=".3f"),
        ],
    )
    lines = marks.mark_line(strokeWidth=2).encode(stroke=looks.lines, strokeDash=looks.dashes)
    size = 60 if longest <= _MARKED_EPOCHS else 12  # a single epoch is a point, and seen
    chart: alt.LayerChart = lines + marks.mark_point(size=size, opacity=1).encode(**looks.points)
    return chart.properties(height=280 + 12 * len(histories))  # room for the legend


_MARKED_EPOCHS = 30


def front(table: pd.DataFrame, metric: str, cost: str) -> pd.DataFrame:
    """The rows of sides that no other beats in both value and cost, the cheapest first (Pareto front).

    Args:
        table: as for `pareto_chart`.
    """
    ordered = table.assign(worth=table["value"] if METRICS[metric].higher_is_better else -table["value"])
    ordered = ordered.dropna(subset=["worth", cost]).sort_values([cost, "worth"], ascending=[True, False])
    best_before = ordered["worth"].cummax().shift(fill_value=-math.inf)
    return ordered[ordered["worth"] > best_before].drop(columns="worth")


def pareto_chart(table: pd.DataFrame, metric: str, cost: str, language: str) -> alt.LayerChart:
    """What a metric costs; along the stepped line nothing is both cheaper and better.

    Args:
        table: name, value, low, high (95 %), milliseconds, parameters, a row a side; NaN where a cost is not known.
        metric: a key of evaluate.METRICS.
        cost: `milliseconds` or `parameters`.
    """
    table = table.dropna(subset=["value", cost])
    shown = table.assign(
        interval=[f"{low:.3f} – {high:.3f}" for low, high in zip(table["low"], table["high"], strict=True)]
    )
    looks = _Looks(tuple(shown["name"]))
    across = alt.X(
        f"{cost}:Q",
        title=_WORDS[cost](language),
        scale=alt.Scale(type="log", nice=False, padding=30),
        axis=alt.Axis(format="~s", tickCount=5, labelOverlap=True),
    )
    marks = alt.Chart(shown).encode(
        x=across,
        tooltip=[
            alt.Tooltip("name:N", title=_WORDS["side"](language)),
            alt.Tooltip("value:Q", title=METRICS[metric].short(language), format=".3f"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
            alt.Tooltip("milliseconds:Q", title="ms", format=".1f"),
            alt.Tooltip("parameters:Q", title=_WORDS["parameters"](language), format=","),
        ],
    )
    height = alt.Y("low:Q", title=METRICS[metric].text(language), scale=alt.Scale(zero=False))
    intervals = marks.mark_rule(strokeWidth=2).encode(y=height, y2="high:Q", stroke=looks.lines)
    points = marks.mark_point(size=110, opacity=1, strokeWidth=2).encode(y="value:Q", **looks.points)
    texts = marks.mark_text(
        align="left", dx=8, dy=-8, fontSize=11, limit=130, color=UNKNOWN, opacity=alt.expr(f"{_NARROW} ? 0 : 1")
    )
    names = texts.encode(y="value:Q", text="name:N")
    stepped = alt.Chart(front(shown, metric, cost)).mark_line(
        interpolate="step-after", color=UNKNOWN, strokeWidth=1.5, strokeDash=[4, 3]
    )
    chart: alt.LayerChart = stepped.encode(x=across, y="value:Q") + intervals + points + names
    return chart.properties(height=340 + 12 * len(shown))
