"""Figures of a comparison for print and download: tables in, matplotlib figures out. Pure; knows no run and no page.

On the pages Altair draws the same, to be clicked. Importing seaborn takes a second: whoever needs a figure imports
this when one is asked for.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from io import BytesIO
from math import ceil, isnan, nan
from textwrap import fill
from typing import Any, ParamSpec

import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from scalp_core import terms
from scalp_core.architectures import ARCHITECTURE_NAME
from scalp_core.charts.comparison_charts import front, goodness, recall_table
from scalp_core.charts.dataset_charts import AXES, grade_name
from scalp_core.charts.fonts import korean_font, language_of_figures
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import Baseline
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.calibration import calibration_error
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison, Estimate, Verdict
from scalp_core.palette import (
    DIVERGING,
    MATRIX_COLORS,
    SEVERITY_COLORS,
    UNKNOWN,
    architecture_color,
    architecture_shape,
)

Counts = npt.NDArray[np.number]  # (4, 4): truth × prediction
Values = npt.NDArray[np.float64]
Parameters = ParamSpec("Parameters")

_WORDS = {
    "truth": Text("label (rows)", "라벨 (행)"),
    "predicted": Text("prediction (columns)", "예측 (열)"),
    "points": Text("difference in the share of the row, percentage points", "행 비율의 차이, %p"),
    "far": Text("outlined: off by two grades or more", "테두리: 두 등급 이상 벗어난 오류"),
    "reference": Text("{name} (reference)", "{name} (기준)"),
    "difference": terms.DIFFERENCE,
    "right_better": terms.BETTER_TO_THE_RIGHT,
    "left_better": terms.BETTER_TO_THE_LEFT,
    "darker": Text("darker is better", "진할수록 좋음"),
    "tied": Text("a: not significantly different from the best", "a: 최고값과 유의한 차이 없음"),
    "recall": terms.RECALL,
    "confidence": terms.CONFIDENCE,
    "right": terms.ACCURACY,
    "calibration": Text("error {error:.3f}", "오차 {error:.3f}"),
    "milliseconds": terms.MILLISECONDS,
    "parameters": terms.PARAMETERS,
    "front": Text("dashed: Pareto front", "점선: 파레토 경계"),
}

_WIDTH = 7.1  # inches: what A4 leaves between its margins
_ROW_WRAP, _COLUMN_WRAP, _TITLE_WRAP = 24, 15, 30  # letters
_MATRICES_A_ROW, _DIAGRAMS_A_ROW = 3, 5
_DARK = 0.6  # from this share of the scale on, writing is white
_STEPS = 40  # of a bar of colours
_FURTHEST = 0.5  # differences in shares: further is coloured alike
_LINES = ("-", "--", ":")
_LADDER_COLORS = (MATRIX_COLORS[1], DIVERGING[-1])

_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: it can be searched, and any Korean font of the viewer draws it
    "svg.hashsalt": "scalp-lab",  # the same figure is the same file
    "axes.unicode_minus": True,
}

_MARKERS = {
    **{"square": "s", "circle": "o", "diamond": "D"},
    **{"triangle-up": "^", "cross": "P", "triangle-down": "v"},
}
# Orange speaks for it and blue against.
_VERDICTS = {
    Verdict.BETTER: (DIVERGING[2], ">"),
    Verdict.WORSE: (DIVERGING[0], "<"),
    Verdict.PRACTICALLY_EQUAL: (UNKNOWN, "s"),
    Verdict.UNDECIDED: (UNKNOWN, "o"),
}

_SYNTHETIC = Text("SYNTHETIC pictures", "합성(SYNTHETIC) 사진")
_RESEARCH = Text("research only", "연구용")


# ---- style and files ----


_one_at_a_time = threading.RLock()


@contextmanager
def _styled() -> Iterator[None]:
    """matplotlib's settings belong to the whole process, and visitors have a thread each: one figure at a time."""
    korean = korean_font()
    with _one_at_a_time, matplotlib.rc_context(), seaborn.axes_style("ticks"):
        # Each letter is taken from the first font that has it.
        matplotlib.rcParams.update(_STYLE | {"font.family": ["sans-serif", *([korean] if korean else [])]})
        yield


def _drawn(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Draw in our style and lay out once: saving it twice would move things a little otherwise."""

    @wraps(draw)
    def styled(*given: Parameters.args, **options: Parameters.kwargs) -> Figure:
        with _styled():
            figure = draw(*given, **options)
            if engine := figure.get_layout_engine():
                engine.execute(figure)
            figure.set_layout_engine(None)
        return figure

    return styled


def as_svg(figure: Figure) -> str:
    """The same figure gives the same text, whenever it is asked for."""
    buffer = BytesIO()
    with _styled():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().decode()


def as_png(figure: Figure, dpi: int = 200) -> bytes:
    """Pixels, at `dpi` an inch."""
    buffer = BytesIO()
    with _styled():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def _figure(height: float, synthetic: bool, language: str, title: str = "") -> Figure:
    """An empty one of full width, with its title above and what has to be said of it wherever it goes below."""
    figure = Figure(figsize=(_WIDTH, height + (0.15 if title else 0)), layout="constrained")
    if title:
        figure.suptitle(title, x=0.005, ha="left", fontsize=9)
    told = (_SYNTHETIC, _RESEARCH) if synthetic else (_RESEARCH,)
    figure.supxlabel(" · ".join(text(language) for text in told), x=0.995, ha="right", fontsize=6.5, color="0.35")
    return figure


def _title(condition: Condition | None, language: str) -> str:
    return condition.text(language) if condition else ""


def _say(key: str, language: str, **values: object) -> str:
    return _WORDS[key](language).format(**values)


def _number(value: float, form: str = "z.2f") -> str:
    return "–" if isnan(value) else f"{value:{form}}".replace("-", "−")


# ---- matrices ----


@_drawn
def leaderboard(
    comparison: Comparison,
    names: Mapping[str, str],
    metric: str,
    references: Mapping[Condition, Sequence[Baseline]],
    language: str,
    *,
    synthetic: bool = False,
) -> Figure:
    """A metric by side (rows) and condition (columns) with 95 % intervals; the letter a marks the best and its ties.

    Args:
        names: of the sides, by key; those that are named are shown, in this order.
        metric: a key of evaluate.METRICS.
        references: what it is seen against (see comparison.references); those of the metric are rows below.
        synthetic: the pictures were drawn; every figure says so.
    """
    language = language_of_figures(language)
    below, conditions = _rows_below(references, metric, language), comparison.conditions
    figure = _figure(1.1 + 0.42 * len(names) + 0.26 * len(below), synthetic, language)
    panel = figure.subplots()
    values = comparison.values(metric)[[comparison.sides.index(side) for side in names]]
    shades = goodness(pd.Series(values.ravel()), metric).to_numpy().reshape(values.shape)
    _heat(panel, shades, MATRIX_COLORS)
    for column, condition in enumerate(conditions):
        tied = comparison.tied(metric, condition)
        for row, side in enumerate(names):
            reached = comparison.estimate(metric, side, condition)
            _write_estimate(panel, row, column, reached, tied.get(side, ""), _ink(shades[row, column]))
    places = len(names) + 0.35 + 0.6 * np.arange(len(below))
    for place, values_below in zip(places, below.values(), strict=True):
        for column, condition in enumerate(conditions):
            panel.text(column + 0.5, place, _number(values_below.get(condition, nan)), ha="center", va="center")
    panel.set_ylim(len(names) + 0.6 * len(below), 0)
    panel.xaxis.tick_top()
    panel.set_xticks(_middles(len(conditions)), [fill(one.text(language), _COLUMN_WRAP) for one in conditions])
    rows = [fill(name, _ROW_WRAP) for name in (*names.values(), *below)]
    panel.set_yticks([*_middles(len(names)), *places], rows, rotation=0)
    panel.tick_params(length=0)
    told = (METRICS[metric].text(language), AXES["interval"](language))
    panel.set_xlabel(" · ".join((*told, _say("tied", language), _say("darker", language))))
    return figure


def _rows_below(
    references: Mapping[Condition, Sequence[Baseline]], metric: str, language: str
) -> dict[str, dict[Condition, float]]:
    rows: dict[str, dict[Condition, float]] = {}
    for condition, found in references.items():
        for one in found:
            if one.metric == metric:
                rows.setdefault(one.name(language), {})[condition] = one.value
    return rows


def _heat(panel: Axes, shades: Values, colors: Sequence[str], low: float = 0, high: float = 1) -> None:
    """Coloured cells without writing; NaN stays white."""
    scale = LinearSegmentedColormap.from_list("", list(colors))
    plain: dict[str, Any] = {"cbar": False, "xticklabels": False, "yticklabels": False, "linewidths": 1}
    seaborn.heatmap(shades, ax=panel, cmap=scale, vmin=low, vmax=high, **plain)


def _write_estimate(panel: Axes, row: int, column: int, reached: Estimate, letter: str, ink: str) -> None:
    """`0.87 a`, and the interval small below it."""
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
    value, weight = f"{_number(reached.value)} {letter}".strip(), "bold" if letter == "a" else "normal"
    panel.text(column + 0.5, row + 0.36, value, fontweight=weight, **middle)
    if not isnan(reached.low):
        ends = f"{_number(reached.low)} … {_number(reached.high)}"
        panel.text(column + 0.5, row + 0.7, ends, fontsize=6.5, **middle)


def _ink(shade: float) -> str:
    return "white" if shade > _DARK else "0.15"


def _middles(count: int) -> Values:
    return np.arange(count, dtype=np.float64) + 0.5


@_drawn
def confusion_matrices(
    counts_by_side: Mapping[str, Counts],
    condition: Condition,
    language: str,
    reference: str | None = None,
    *,
    synthetic: bool = False,
) -> Figure:
    """The confusion matrices of one condition on one colour scale: rows the label, columns the prediction.

    Args:
        counts_by_side: (4, 4) images by the name of the side; means over seeds may be broken numbers.
        reference: the name of one side: the others show their shares of each row minus its shares.
    """
    language = language_of_figures(language)
    title = f"{condition.text(language)} · {_say('far', language)}"
    figure, panels = _panels(len(counts_by_side), _MATRICES_A_ROW, 2.3, synthetic, language, title)
    against = None if reference is None else np.asarray(counts_by_side[reference], dtype=np.float64)
    for number, (panel, (name, counts)) in enumerate(zip(panels, counts_by_side.items(), strict=True)):
        shown = np.asarray(counts, dtype=np.float64)
        if against is None or name == reference:
            _matrix(panel, shown)
        else:
            _matrix_of_differences(panel, shown, against)
        panel.set_title(fill(_say("reference", language, name=name) if name == reference else name, _TITLE_WRAP))
        _name_axes(panel, language, first=number % _MATRICES_A_ROW == 0)
    if against is None:
        _tell_colors(panels, AXES["share"](language), MATRIX_COLORS, 0, 1)
    else:
        _tell_colors(panels, _say("points", language), DIVERGING, -_FURTHEST, _FURTHEST)
    return figure


def _tell_colors(panels: Sequence[Axes], words: str, colors: Sequence[str], low: float, high: float) -> None:
    """A bar at the right that says what the cells' colours mean."""
    # More steps would be drawn as pixels, in a figure that is otherwise lines and letters.
    meaning = ScalarMappable(Normalize(low, high), LinearSegmentedColormap.from_list("", list(colors), N=_STEPS))
    beside: dict[str, Any] = {"location": "right", "aspect": 30, "pad": 0.01, "shrink": 0.8}
    bar = panels[0].figure.colorbar(meaning, ax=list(panels), label=words, **beside)
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, symbol="%" if low == 0 else ""))
    bar.outline.set_visible(False)


def _panels(
    count: int, a_row: int, height: float, synthetic: bool, language: str, title: str
) -> tuple[Figure, list[Axes]]:
    """Small multiples, so many a row; `height` inches each."""
    rows = max(1, ceil(count / a_row))
    figure = _figure(0.3 + height * rows, synthetic, language, title)
    panels: list[Axes] = list(figure.subplots(rows, a_row, squeeze=False).flat)
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure, panels[:count]


def _shares(counts: Values) -> Values:
    """Of each row."""
    rows = counts.sum(axis=1, keepdims=True)
    shares: Values = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    return shares


def _matrix(panel: Axes, counts: Values) -> None:
    shares = _shares(counts)
    _heat(panel, shares, MATRIX_COLORS)
    for truth in GRADES:
        for predicted in GRADES:
            images = float(counts[truth, predicted])
            text = f"{images:,.0f}" if images.is_integer() else f"{images:,.1f}"
            _write_count(panel, truth, predicted, text, _ink(shares[truth, predicted]))


def _matrix_of_differences(panel: Axes, counts: Values, against: Values) -> None:
    """Shares of each row minus the other's, in percentage points."""
    shares = _shares(counts) - _shares(against)
    _heat(panel, shares, DIVERGING, -_FURTHEST, _FURTHEST)
    for truth in GRADES:
        for predicted in GRADES:
            share = float(shares[truth, predicted])
            text = _number(100 * share, "+z.0f") if abs(share) >= 0.005 else "0"
            _write_count(panel, truth, predicted, text, _ink(abs(share) / _FURTHEST))


def _write_count(panel: Axes, truth: int, predicted: int, text: str, ink: str) -> None:
    """Nothing is written pale; far errors are outlined."""
    panel.text(
        predicted + 0.5, truth + 0.5, text, ha="center", va="center", color=ink, alpha=0.45 if text == "0" else 1
    )
    if text != "0" and abs(truth - predicted) > 1:
        box = Rectangle((predicted + 0.04, truth + 0.04), 0.92, 0.92, fill=False, edgecolor=SEVERITY_COLORS[-1])
        panel.add_patch(box)


def _name_axes(panel: Axes, language: str, first: bool) -> None:
    """Grades of the rows in words where there is room for them, numbers elsewhere."""
    numbers = [str(int(grade)) for grade in GRADES]
    panel.set_aspect("equal")
    panel.set_xticks(_middles(len(GRADES)), numbers)
    names = [grade_name(grade, language) for grade in GRADES]
    panel.set_yticks(_middles(len(GRADES)), names if first else numbers, rotation=0)
    panel.tick_params(length=0)
    panel.set_xlabel(_say("predicted", language))
    panel.set_ylabel(_say("truth", language))


# ---- intervals and points ----


@_drawn
def forest(
    pairs: pd.DataFrame,
    names: Mapping[str, str],
    reference: str,
    metric: str,
    language: str,
    *,
    condition: Condition | None = None,
    synthetic: bool = False,
) -> Figure:
    """How far each side is from `reference`, with the Holm-corrected 95 % interval and the verdict in words.

    The band holds differences that nobody would notice.

    Args:
        pairs: of Comparison.pairs.
        names: of the sides, by key; those that are named are shown, in this order.
        reference: key of the side that the others are compared with.
    """
    language = language_of_figures(language)
    rows = pairs[pairs["other"] == reference].set_index("side")
    rows = rows.loc[[side for side in names if side in rows.index]]
    figure = _figure(1.1 + 0.3 * max(len(rows), 1), synthetic, language, _title(condition, language))
    panel = figure.subplots()
    reach = METRICS[metric].negligible
    panel.axvspan(-reach, reach, color=UNKNOWN, alpha=0.25, linewidth=0)
    panel.axvline(0, color="0.4", linewidth=0.8)
    for place, row in enumerate(rows.to_dict("records")):
        color, marker = _VERDICTS[Verdict(row["verdict"])]
        panel.plot([row["low"], row["high"]], [place, place], color=color, linewidth=1.8, solid_capstyle="butt")
        panel.plot(row["difference"], place, marker, color=color, markersize=6.5)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_yticks(range(len(rows)), [fill(names[side], 40) for side in rows.index])
    _write_right(panel, [_told(row, language) for row in rows.to_dict("records")])
    better = "right_better" if METRICS[metric].higher_is_better else "left_better"
    axis = _say("difference", language, metric=METRICS[metric].short(language), reference=names[reference])
    panel.set_xlabel(" · ".join((axis, AXES["interval"](language), _say(better, language))))
    _open(figure, left=True)
    return figure


def _told(row: Mapping[Hashable, Any], language: str) -> str:
    return f"{_number(row['difference'], '+z.3f')}  {Verdict(row['verdict']).text(language)}"


def _write_right(panel: Axes, texts: Sequence[str]) -> None:
    right = panel.twinx()
    right.set_ylim(panel.get_ylim())
    right.set_yticks(range(len(texts)), list(texts))
    right.tick_params(length=0)
    right.spines[:].set_visible(False)


def _open(figure: Figure, left: bool = False) -> None:
    """Without the frame around each panel."""
    seaborn.despine(figure, left=left)
    for panel in figure.axes if left else ():
        panel.tick_params(axis="y", length=0)


@_drawn
def recall(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], language: str, *, synthetic: bool = False
) -> Figure:
    """Recall of every grade by side with 95 % Wilson intervals, and how many pictures have the grade: shows which grade
    a model has given up.
    """
    language = language_of_figures(language)
    table = recall_table(comparison, condition, names)
    looks, shown = _looks(names.values()), dict.fromkeys(table["name"])
    figure = _figure(1.0 + 0.1 * len(GRADES) * (len(shown) + 2), synthetic, language, condition.text(language))
    panel = figure.subplots()
    for at, name in enumerate(shown):
        rows = table[table["name"] == name]
        places = rows["grade"] + (at - (len(shown) - 1) / 2) / (len(shown) + 2)
        panel.hlines(places, rows["low"], rows["high"], color=looks[name]["color"], linewidth=1.5)
        panel.plot(rows["recall"], places, label=name, **looks[name] | {"linestyle": "none"}, markersize=5.5)
    images = table.groupby("grade")["images"].max()
    heads = [f"{grade_name(grade, language)}\nn = {images.get(grade, 0):,}" for grade in GRADES]
    panel.set_yticks([int(grade) for grade in GRADES], heads)
    panel.set(xlim=(-0.02, 1.02), ylim=(len(GRADES) - 0.5, -0.5), ylabel=AXES["truth"](language))
    panel.set_xlabel(f"{_say('recall', language)} · {AXES['interval'](language)}")
    for between in np.arange(len(GRADES) - 1) + 0.5:
        panel.axhline(between, color="0.9", linewidth=0.8)
    if shown:
        figure.legend(loc="outside right upper", frameon=False)
    _open(figure, left=True)
    return figure


def _looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of the family of the architecture that each name begins with; of several sides of one family
    the first is filled and its line drawn through, the others hollow and dashed.
    """
    looks: dict[str, dict[str, Any]] = {}
    for name in names:
        found = ARCHITECTURE_NAME.match(name)
        architecture = found[0] if found else ""
        color = architecture_color(architecture)
        place = sum(look["color"] == color for look in looks.values())
        looks[name] = {
            "color": color,
            "marker": _MARKERS[architecture_shape(architecture)],
            "markerfacecolor": "white" if place else color,
            "markeredgecolor": color,
            "linestyle": _LINES[place % len(_LINES)],
        }
    return looks


@_drawn
def reliability(
    tables: Mapping[str, pd.DataFrame], language: str, *, condition: Condition | None = None, synthetic: bool = False
) -> Figure:
    """How sure against how right, a panel a side, with its expected calibration error: on the dashed line it is as sure
    as it is right.

    Args:
        tables: of calibration.reliability_bins, by the name of the side.
    """
    language = language_of_figures(language)
    figure, panels = _panels(len(tables), _DIAGRAMS_A_ROW, 1.75, synthetic, language, _title(condition, language))
    looks, least = _looks(tables), 1 / len(GRADES)  # of four grades the most probable has a quarter
    for number, (panel, (name, table)) in enumerate(zip(panels, tables.items(), strict=True)):
        panel.plot([least, 1], [least, 1], "--", color=UNKNOWN, linewidth=1)
        panel.plot(table["confidence"], table["accuracy"], **looks[name], markersize=4, clip_on=False)
        error = _say("calibration", language, error=calibration_error(table))
        panel.text(0.97, 0.05, error, ha="right", transform=panel.transAxes, fontsize=7)
        panel.set(xlim=(least, 1), ylim=(0, 1), box_aspect=1, xlabel=_say("confidence", language))
        panel.set_ylabel(_say("right", language) if number % _DIAGRAMS_A_ROW == 0 else "")
        panel.set_title(fill(name, 19))
    _open(figure)
    return figure


@_drawn
def curves(histories: Mapping[str, pd.DataFrame], measure: str, language: str, *, synthetic: bool = False) -> Figure:
    """One line a run over its epochs.

    Args:
        histories: columns epoch, valid_qwk, valid_loss, train_loss (see runs.Run.history), by the name of the run.
        measure: one of these columns.
    """
    language = language_of_figures(language)
    figure = _figure(2.7, synthetic, language)
    panel = figure.subplots()
    for name, look in _looks(histories).items():
        seaborn.lineplot(histories[name], x="epoch", y=measure, ax=panel, errorbar=None, markersize=4, **look)
    panel.set(xlabel=AXES["epoch"](language), ylabel=AXES[measure](language))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(axis="y", color="0.9")
    figure.legend(panel.lines, list(histories), loc="outside right upper", frameon=False)
    _open(figure)
    return figure


@_drawn
def pareto(
    table: pd.DataFrame,
    metric: str,
    cost: str,
    language: str,
    *,
    condition: Condition | None = None,
    synthetic: bool = False,
) -> Figure:
    """What a metric costs; along the stepped line nothing is both cheaper and better.

    Args:
        table: name, value, low, high (95 %), milliseconds, parameters, a row a side; NaN where a cost is not known.
        metric: a key of evaluate.METRICS.
        cost: `milliseconds` or `parameters`.
    """
    language = language_of_figures(language)
    shown = table.dropna(subset=["value", cost])
    figure = _figure(2.5, synthetic, language, _title(condition, language))
    panel, best = figure.subplots(), front(shown, metric, cost)
    panel.step(best[cost], best["value"], where="post", linestyle="--", color=UNKNOWN, linewidth=1.2, zorder=1)
    for row, look in zip(shown.to_dict("records"), _looks(shown["name"]).values(), strict=True):
        panel.vlines(row[cost], row["low"], row["high"], color=look["color"], linewidth=1.5)
        panel.plot(row[cost], row["value"], **look, markersize=6.5)
        words, place = f"{row['name']}\n{row['parameters'] / 1e6:.1f} M", (row[cost], row["value"])
        behind = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5}
        panel.annotate(
            words, place, (6, 3), textcoords="offset points", va="bottom", fontsize=7, bbox=behind, zorder=1.5
        )
    panel.set_xscale("log")
    panel.margins(x=0.22)
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.set_xlabel(f"{_say(cost, language)} · {_say('front', language)}")
    panel.set_ylabel(f"{METRICS[metric].short(language)} · {AXES['interval'](language)}")
    _open(figure)
    return figure


@_drawn
def ladder(
    table: pd.DataFrame, names: Mapping[str, str], headings: Mapping[str, str], title: str, *, synthetic: bool = False
) -> Figure:
    """Figures of merit by step with their intervals; what stands aside is hollow.

    Args:
        table: of ablation.table.
        names: of the steps, by key.
        headings: of the metrics that are shown, by key, a panel each.
    """
    figure = _figure(1.1 + 0.3 * len(table), synthetic, "en", title)
    panels = figure.subplots(1, len(headings), sharey=True, squeeze=False)[0]
    for panel, (metric, heading), color in zip(panels, headings.items(), _LADDER_COLORS, strict=False):
        for place, row in enumerate(table.to_dict("records")):
            value, low, high = (row.get(f"{metric}{end}", nan) for end in ("", "_low", "_high"))
            panel.plot([low, high], [place, place], color=color, linewidth=1.8)
            panel.plot(value, place, "o", color=color, markerfacecolor="white" if row["side"] else color)
        panel.set_xlabel(heading)
        panel.grid(axis="x", color="0.9")
    panels[0].set_yticks(range(len(table)), [names[key] for key in table["step"]])
    panels[0].invert_yaxis()
    _open(figure, left=True)
    return figure
