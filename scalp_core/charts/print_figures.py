"""Figures of a comparison for print and download, drawn by matplotlib and seaborn from the tables of comparison_tables.

Importing seaborn takes a second, so callers import this module when a figure is asked for.
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
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from scalp_core import terms
from scalp_core.charts.comparison_tables import (
    VERDICT_COLORS,
    baseline_table,
    forest_table,
    goodness,
    model_styles,
    pareto_front,
    recall_table,
    referral_corners,
)
from scalp_core.charts.dataset_charts import AXES, distinct, grade_name
from scalp_core.charts.fonts import korean_font, language_of_figures
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import Baseline
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.calibration import calibration_error
from scalp_core.metrics.metrics import METRICS, row_shares
from scalp_core.metrics.paired_comparison import Comparison
from scalp_core.metrics.verdict import NEGLIGIBLE, Estimate, Verdict
from scalp_core.palette import DIVERGING, FAR_MARKS, MATRIX_COLORS, UNKNOWN

Counts = npt.NDArray[np.number]  # (4, 4): truth × prediction
Values = npt.NDArray[np.float64]
Parameters = ParamSpec("Parameters")

_WORDS = {
    "truth": Text("label (rows)", "라벨 (행)"),
    "predicted": Text("prediction (columns)", "예측 (열)"),
    "far": Text("marked corner: off by two grades or more", "모서리 표시: 두 등급 이상 벗어난 오류"),
    "difference": terms.DIFFERENCE,
    "right_better": terms.BETTER_TO_THE_RIGHT,
    "left_better": terms.BETTER_TO_THE_LEFT,
    "darker": Text("darker is better", "진할수록 좋음"),
    "tied": Text("a: not significantly different from the best", "a: 최고값과 유의한 차이 없음"),
    "recall": terms.RECALL,
    "confidence": terms.CONFIDENCE,
    "right": terms.ACCURACY,
    "calibration": Text("error {error:.3f}", "오차 {error:.3f}"),
    "referred": terms.REFERRED,
    "unseen": terms.UNSEEN,
    "milliseconds": terms.MILLISECONDS,
    "parameters": terms.PARAMETERS,
    "front": Text("dashed: Pareto front", "점선: 파레토 경계"),
}

_WIDTH = 7.1  # inches: what A4 leaves between its margins
_ROW_WRAP, _COLUMN_WRAP, _TITLE_WRAP, _DIAGRAM_WRAP, _FOREST_WRAP = 24, 15, 30, 19, 40  # letters a line
_MATRICES_A_ROW, _DIAGRAMS_A_ROW = 3, 5
_DARK = 0.6  # share of the colour scale; text on darker cells is white
_STEPS = 40  # of a colour bar
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
    "text.parse_math": False,  # names of runs may hold dollars
    "axes.unicode_minus": True,
}

_MARKERS = {
    **{"square": "s", "circle": "o", "diamond": "D"},
    **{"triangle-up": "^", "cross": "P", "triangle-down": "v"},
}
_VERDICT_MARKERS = {
    Verdict.BETTER: ">",
    Verdict.WORSE: "<",
    Verdict.PRACTICALLY_EQUAL: "s",
    Verdict.UNDECIDED: "o",
}

_SYNTHETIC = Text("SYNTHETIC pictures", "합성(SYNTHETIC) 사진")
_RESEARCH = terms.RESEARCH_CHIP


# ---- style and files ----


_one_figure_at_a_time = threading.RLock()


@contextmanager
def _styled() -> Iterator[None]:
    """Apply the style to one figure at a time: matplotlib's settings belong to the process, which has many threads."""
    korean = korean_font()
    with _one_figure_at_a_time, matplotlib.rc_context(), seaborn.axes_style("ticks"):
        # Each letter is taken from the first font that has it.
        matplotlib.rcParams.update(_STYLE | {"font.family": ["sans-serif", *([korean] if korean else [])]})
        yield


def _with_style(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Draw in the style and lay out once, as otherwise every save would move things a little."""

    @wraps(draw)
    def styled(*args: Parameters.args, **options: Parameters.kwargs) -> Figure:
        with _styled():
            figure = draw(*args, **options)
            if engine := figure.get_layout_engine():
                engine.execute(figure)
            figure.set_layout_engine(None)
        return figure

    return styled


def as_svg(figure: Figure) -> str:
    """Return the figure as SVG; equal figures give equal text."""
    buffer = BytesIO()
    with _styled():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().decode()


def as_png(figure: Figure, dpi: int = 200) -> bytes:
    """Return the figure as PNG, `dpi` pixels an inch."""
    buffer = BytesIO()
    with _styled():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def as_pdf(figure: Figure) -> bytes:
    """Return the figure as PDF; equal figures give equal files."""
    buffer = BytesIO()
    with _styled():
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    return buffer.getvalue()


def _figure(height: float, synthetic: bool, language: str, title: str = "", width: float = _WIDTH) -> Figure:
    """Return an empty figure of `width` and `height` inches, with its title above and its notices below."""
    figure = Figure(figsize=(width, height + (0.15 if title else 0)), layout="constrained")
    if title:
        figure.suptitle(title, x=0.005, ha="left", fontsize=9)
    notices = (_SYNTHETIC, _RESEARCH) if synthetic else (_RESEARCH,)
    figure.supxlabel(
        " · ".join(notice(language) for notice in notices), x=0.995, ha="right", fontsize=6.5, color="0.35"
    )
    return figure


def _title(condition: Condition | None, language: str) -> str:
    return condition.text(language) if condition else ""


def _say(key: str, language: str, **values: object) -> str:
    return _WORDS[key](language).format(**values)


def _number(value: float, form: str = "z.2f") -> str:
    return "–" if isnan(value) else f"{value:{form}}".replace("-", "−")


# ---- matrices ----


@_with_style
def leaderboard(
    comparison: Comparison,
    names: Mapping[str, str],
    metric: str,
    baselines: Mapping[Condition, Sequence[Baseline]],
    language: str,
    *,
    synthetic: bool = False,
) -> Figure:
    """Draw a metric by model (rows) and condition (columns), and its mean, with 95 % intervals.

    “a” marks the best of a condition and its ties.

    Args:
        names: of the shown models, by key, in their order.
        metric: a key of metrics.METRICS.
        baselines: of baselines.find_baselines; those of the metric are rows below.
        synthetic: the pictures are synthetic; every figure says so.
    """
    language, conditions = language_of_figures(language), comparison.conditions
    baseline_rows = baseline_table(baselines, conditions, metric, language).groupby("name", sort=False)
    below = {str(name): dict(zip(rows["condition"], rows["value"], strict=True)) for name, rows in baseline_rows}
    figure = _figure(1.1 + 0.42 * len(names) + 0.26 * len(below), synthetic, language)
    panel = figure.subplots()
    _draw_estimates(panel, comparison, names, metric)
    places = len(names) + 0.35 + 0.6 * np.arange(len(below))
    for place, values in zip(places, below.values(), strict=True):
        for column, condition in enumerate(conditions):
            panel.text(column + 0.5, place, _number(values[condition.value]), ha="center", va="center")
    panel.set_ylim(len(names) + 0.6 * len(below), 0)
    panel.xaxis.tick_top()
    heads = [fill(condition.text(language), _COLUMN_WRAP) for condition in conditions]
    panel.set_xticks(_middles(len(conditions) + 1), [*heads, AXES["mean"](language)])
    rows = [fill(name, _ROW_WRAP) for name in (*names.values(), *below)]
    panel.set_yticks([*_middles(len(names)), *places], rows, rotation=0)
    panel.tick_params(length=0)
    legend = (METRICS[metric].text(language), AXES["interval"](language))
    panel.set_xlabel(" · ".join((*legend, _say("tied", language), _say("darker", language))))
    return figure


def _draw_estimates(panel: Axes, comparison: Comparison, names: Mapping[str, str], metric: str) -> None:
    means = comparison.mean_estimates(metric)
    values = comparison.values(metric)[[comparison.models.index(model) for model in names]]
    values = np.column_stack([values, [means[model].value for model in names]])
    shades = goodness(pd.Series(values.ravel()), metric).to_numpy().reshape(values.shape)
    _heat(panel, shades, MATRIX_COLORS)
    for column, condition in enumerate(comparison.conditions):
        letters = comparison.tied(metric, condition)
        for row, model in enumerate(names):
            estimate = comparison.estimate(metric, model, condition)
            _write_estimate(panel, row, column, estimate, letters.get(model, ""), _ink(shades[row, column]))
    for row, model in enumerate(names):
        _write_estimate(panel, row, len(comparison.conditions), means[model], "", _ink(shades[row, -1]))


def _heat(panel: Axes, shades: Values, colors: Sequence[str]) -> None:
    """Draw coloured cells of 0 … 1 without text; NaN stays white."""
    scale = LinearSegmentedColormap.from_list("", list(colors))
    plain: dict[str, Any] = {"cbar": False, "xticklabels": False, "yticklabels": False, "linewidths": 1}
    seaborn.heatmap(shades, ax=panel, cmap=scale, vmin=0, vmax=1, **plain)


def _write_estimate(panel: Axes, row: int, column: int, estimate: Estimate, letter: str, ink: str) -> None:
    """Write `0.87 a`, and the interval small below it."""
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
    value, weight = f"{_number(estimate.value)} {letter}".strip(), "bold" if letter == "a" else "normal"
    panel.text(column + 0.5, row + 0.36, value, fontweight=weight, **middle)
    if not isnan(estimate.low):
        ends = f"{_number(estimate.low)} … {_number(estimate.high)}"
        panel.text(column + 0.5, row + 0.7, ends, fontsize=6.5, **middle)


def _ink(shade: float) -> str:
    return "white" if shade > _DARK else "0.15"


def _middles(count: int) -> Values:
    return np.arange(count, dtype=np.float64) + 0.5


@_with_style
def confusion_matrices(
    counts_by_model: Mapping[str, Counts],
    condition: Condition,
    language: str,
    *,
    synthetic: bool = False,
) -> Figure:
    """Draw the confusion matrices of one condition on one colour scale: rows the label, columns the prediction.

    Args:
        counts_by_model: (4, 4) images by name of the model; means over seeds may be fractions.
    """
    language = language_of_figures(language)
    title = f"{condition.text(language)} · {_say('far', language)}"
    figure, panels = _panels(len(counts_by_model), _MATRICES_A_ROW, 2.3, synthetic, language, title)
    for number, (panel, (name, counts)) in enumerate(zip(panels, counts_by_model.items(), strict=True)):
        _draw_matrix(panel, np.asarray(counts, dtype=np.float64))
        panel.set_title(fill(name, _TITLE_WRAP))
        _name_axes(panel, language, first=number % _MATRICES_A_ROW == 0)
    _draw_color_bar(panels, AXES["share"](language))
    return figure


def _draw_color_bar(panels: Sequence[Axes], label: str) -> None:
    # More steps would be drawn as pixels, in a figure that is otherwise lines and letters.
    colors = LinearSegmentedColormap.from_list("", list(MATRIX_COLORS), N=_STEPS)
    beside: dict[str, Any] = {"location": "right", "aspect": 30, "pad": 0.01, "shrink": 0.8}
    bar = panels[0].figure.colorbar(ScalarMappable(Normalize(0, 1), colors), ax=list(panels), label=label, **beside)
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1))
    bar.outline.set_visible(False)


def _panels(
    count: int, a_row: int, height: float, synthetic: bool, language: str, title: str
) -> tuple[Figure, list[Axes]]:
    """Return `count` panels, `a_row` of them in a row, `height` inches each."""
    rows = max(1, ceil(count / a_row))
    figure = _figure(0.3 + height * rows, synthetic, language, title)
    panels: list[Axes] = list(figure.subplots(rows, a_row, squeeze=False).flat)
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure, panels[:count]


def _draw_matrix(panel: Axes, counts: Values) -> None:
    """Write per cent large, pictures small; outline what is right, mark the corner of errors of two grades or more."""
    shares = row_shares(counts)
    _heat(panel, np.nan_to_num(shares), MATRIX_COLORS)
    for truth in GRADES:
        for predicted in GRADES:
            images, share = float(counts[truth, predicted]), float(shares[truth, predicted])
            text = f"{images:,.0f}" if images.is_integer() else f"{images:,.1f}"
            _write_cell(panel, truth, predicted, share, text)


def _write_cell(panel: Axes, truth: int, predicted: int, share: float, images: str) -> None:
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": _ink(0 if isnan(share) else share)}
    percent = "–" if isnan(share) else "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"
    panel.text(predicted + 0.5, truth + 0.4, percent, fontsize=9, fontweight="bold", **middle)
    panel.text(predicted + 0.5, truth + 0.76, images, fontsize=6, **middle)
    if truth == predicted:
        panel.add_patch(Rectangle((predicted + 0.03, truth + 0.03), 0.94, 0.94, fill=False, edgecolor="0.1", lw=1.3))
    elif abs(truth - predicted) > 1 and images != "0":
        right, top = predicted + 0.97, truth + 0.03
        mark = FAR_MARKS[0 if share < 0.3 else 2 if share <= _DARK else 1]  # each contrasts with its cells
        panel.add_patch(Polygon([(right - 0.2, top), (right, top), (right, top + 0.2)], facecolor=mark, linewidth=0))


@_with_style
def poster(
    comparison: Comparison, names: Mapping[str, str], metric: str, language: str, *, synthetic: bool = False
) -> Figure:
    """Draw the confusion matrices of every condition (rows) and model (columns), each with score, interval and letter.

    Args:
        names: of the shown models, by key, in their order.
        metric: a key of metrics.METRICS.
    """
    language = language_of_figures(language)
    across, down = len(names), len(comparison.conditions)
    title = " · ".join((METRICS[metric].text(language), AXES["interval"](language), _say("far", language)))
    figure = _figure(0.5 + 1.95 * down, synthetic, language, title, width=1.0 + 1.85 * across)
    panels = figure.subplots(down, across, squeeze=False)
    for row, condition in enumerate(comparison.conditions):
        letters = comparison.tied(metric, condition)
        for column, (model, name) in enumerate(names.items()):
            panel = panels[row, column]
            _draw_matrix(panel, comparison.counts[comparison.models.index(model), row].astype(np.float64))
            estimate = comparison.estimate(metric, model, condition)
            score = "–" if isnan(estimate.value) else f"{_interval_words(estimate)}  {letters.get(model, '')}".strip()
            panel.set_title(f"{fill(name, _TITLE_WRAP)}\n{score}" if row == 0 else score)
            _name_axes(panel, language, first=column == 0)
            panel.set_xlabel(_say("predicted", language) if row == down - 1 else "")
            panel.set_ylabel(fill(condition.text(language), _COLUMN_WRAP) if column == 0 else "", fontweight="bold")
    return figure


def _interval_words(estimate: Estimate) -> str:
    ends = "" if isnan(estimate.low) else f" [{_number(estimate.low)}, {_number(estimate.high)}]"
    return f"{_number(estimate.value)}{ends}"


def _name_axes(panel: Axes, language: str, first: bool) -> None:
    """Name the rows' grades in words in the first panel of a row, in numbers elsewhere."""
    numbers = [str(int(grade)) for grade in GRADES]
    panel.set_aspect("equal")
    panel.set_xticks(_middles(len(GRADES)), numbers)
    names = [grade_name(grade, language) for grade in GRADES]
    panel.set_yticks(_middles(len(GRADES)), names if first else numbers, rotation=0)
    panel.tick_params(length=0)
    panel.set_xlabel(_say("predicted", language))
    panel.set_ylabel(_say("truth", language))


# ---- intervals and points ----


@_with_style
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
    """Draw the difference of each model from `reference`, with Holm-corrected 95 % interval and verdict in words.

    Differences within the band are practically zero.

    Args:
        pairs: of Comparison.pairs.
        names: of the shown models, by key, in their order.
        reference: key of the model that the others are compared with.
    """
    language = language_of_figures(language)
    rows = forest_table(pairs, names, reference).to_dict("records")
    figure = _figure(1.1 + 0.3 * max(len(rows), 1), synthetic, language, _title(condition, language))
    panel = figure.subplots()
    reach = NEGLIGIBLE[metric]
    panel.axvspan(-reach, reach, color=UNKNOWN, alpha=0.25, linewidth=0)
    panel.axvline(0, color="0.4", linewidth=0.8)
    for place, row in enumerate(rows):
        verdict = Verdict(row["verdict"])
        color, marker = VERDICT_COLORS[verdict], _VERDICT_MARKERS[verdict]
        panel.plot([row["low"], row["high"]], [place, place], color=color, linewidth=1.8, solid_capstyle="butt")
        panel.plot(row["difference"], place, marker, color=color, markersize=6.5)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_yticks(range(len(rows)), [fill(row["name"], _FOREST_WRAP) for row in rows])
    _write_right(panel, [_verdict(row, language) for row in rows])
    better = "right_better" if METRICS[metric].higher_is_better else "left_better"
    axis = _say("difference", language, metric=METRICS[metric].short(language), reference=names[reference])
    panel.set_xlabel(" · ".join((axis, AXES["interval"](language), _say(better, language))))
    _remove_frames(figure, left=True)
    return figure


def _verdict(row: Mapping[Hashable, Any], language: str) -> str:
    return f"{_number(row['difference'], '+z.3f')}  {Verdict(row['verdict']).text(language)}"


def _write_right(panel: Axes, texts: Sequence[str]) -> None:
    right = panel.twinx()
    right.set_ylim(panel.get_ylim())
    right.set_yticks(range(len(texts)), list(texts))
    right.tick_params(length=0)
    right.spines[:].set_visible(False)


def _remove_frames(figure: Figure, left: bool = False) -> None:
    seaborn.despine(figure, left=left)
    for panel in figure.axes if left else ():
        panel.tick_params(axis="y", length=0)


@_with_style
def recall(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], language: str, *, synthetic: bool = False
) -> Figure:
    """Draw the recall of every grade by model with 95 % Wilson intervals, and each grade's number of pictures.

    It shows the grades that a model never predicts.
    """
    language = language_of_figures(language)
    table = recall_table(comparison, condition, names)
    styles, models = _styles(names.values()), distinct(table["name"])
    figure = _figure(1.0 + 0.1 * len(GRADES) * (len(models) + 2), synthetic, language, condition.text(language))
    panel = figure.subplots()
    for place, name in enumerate(models):
        rows = table[table["name"] == name]
        heights = rows["grade"] + (place - (len(models) - 1) / 2) / (len(models) + 2)
        panel.hlines(heights, rows["low"], rows["high"], color=styles[name]["color"], linewidth=1.5)
        panel.plot(rows["recall"], heights, label=name, **styles[name] | {"linestyle": "none"}, markersize=5.5)
    images = table.groupby("grade")["images"].max()
    heads = [f"{grade_name(grade, language)}\nn = {images.get(grade, 0):,}" for grade in GRADES]
    panel.set_yticks([int(grade) for grade in GRADES], heads)
    panel.set(xlim=(-0.02, 1.02), ylim=(len(GRADES) - 0.5, -0.5), ylabel=AXES["truth"](language))
    panel.set_xlabel(f"{_say('recall', language)} · {AXES['interval'](language)}")
    for height in np.arange(len(GRADES) - 1) + 0.5:
        panel.axhline(height, color="0.9", linewidth=0.8)
    if models:
        figure.legend(loc="outside right upper", frameon=False)
    _remove_frames(figure, left=True)
    return figure


def _styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the arguments of `plot` for every model, by its name."""
    names = list(names)
    return {
        name: {
            "color": style.color,
            "marker": _MARKERS[style.shape],
            "markerfacecolor": "white" if style.place else style.color,
            "markeredgecolor": style.color,
            "linestyle": _LINES[style.place % len(_LINES)],
        }
        for name, style in zip(names, model_styles(names), strict=True)
    }


@_with_style
def reliability(
    tables: Mapping[str, pd.DataFrame], language: str, *, condition: Condition | None = None, synthetic: bool = False
) -> Figure:
    """Draw accuracy against confidence, a panel a model with its expected calibration error.

    Calibrated models lie on the dashed line.

    Args:
        tables: of calibration.reliability_bins, by name of the model.
    """
    language = language_of_figures(language)
    figure, panels = _panels(len(tables), _DIAGRAMS_A_ROW, 1.75, synthetic, language, _title(condition, language))
    styles, least = _styles(tables), 1 / len(GRADES)  # the most probable of four grades has at least a quarter
    for number, (panel, (name, table)) in enumerate(zip(panels, tables.items(), strict=True)):
        panel.plot([least, 1], [least, 1], "--", color=UNKNOWN, linewidth=1)
        panel.plot(table["confidence"], table["accuracy"], **styles[name], markersize=4, clip_on=False)
        error = _say("calibration", language, error=calibration_error(table))
        panel.text(0.97, 0.05, error, ha="right", transform=panel.transAxes, fontsize=7)
        panel.set(xlim=(least, 1), ylim=(0, 1), box_aspect=1, xlabel=_say("confidence", language))
        panel.set_ylabel(_say("right", language) if number % _DIAGRAMS_A_ROW == 0 else "")
        panel.set_title(fill(name, _DIAGRAM_WRAP))
    _remove_frames(figure)
    return figure


@_with_style
def referral(
    curves: Mapping[str, pd.DataFrame],
    points: pd.DataFrame,
    limit: float,
    language: str,
    *,
    condition: Condition | None = None,
    synthetic: bool = False,
) -> Figure:
    """Draw the share of unseen far errors over the share of pictures that are left to a person; dashed: the limit.

    Args:
        curves: of referral.referral_curve, by name of the model.
        points: name, referred and unseen of the models whose threshold was chosen on the calibration split.
    """
    language = language_of_figures(language)
    figure = _figure(2.9, synthetic, language, _title(condition, language))
    panel, by_name = figure.subplots(), points.set_index("name")
    styles = _styles(curves)
    for name, style in styles.items():
        corners = referral_corners(curves[name])
        panel.plot(corners["referred"], corners["unseen"], **{**style, "marker": None})
    for name in (name for name in styles if name in by_name.index):
        panel.plot(*by_name.loc[name, ["referred", "unseen"]], **{**styles[name], "linestyle": "none"}, markersize=6)
    panel.axhline(limit, linestyle="--", color=UNKNOWN, linewidth=1)
    panel.set(xlim=(0, 1), ylim=(0, None), xlabel=_say("referred", language), ylabel=_say("unseen", language))
    panel.xaxis.set_major_formatter(PercentFormatter(1))
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(panel.lines[: len(curves)], list(curves), loc="outside right upper", frameon=False)
    _remove_frames(figure)
    return figure


@_with_style
def curves(histories: Mapping[str, pd.DataFrame], measure: str, language: str, *, synthetic: bool = False) -> Figure:
    """Draw one line a run over its epochs.

    Args:
        histories: columns epoch, valid_qwk, valid_loss, train_loss (see Run.history), by the name of the run.
        measure: one of these columns.
    """
    language = language_of_figures(language)
    figure = _figure(2.7, synthetic, language)
    panel = figure.subplots()
    for name, style in _styles(histories).items():
        seaborn.lineplot(histories[name], x="epoch", y=measure, ax=panel, errorbar=None, markersize=4, **style)
    panel.set(xlabel=AXES["epoch"](language), ylabel=AXES[measure](language))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(axis="y", color="0.9")
    figure.legend(panel.lines, list(histories), loc="outside right upper", frameon=False)
    _remove_frames(figure)
    return figure


@_with_style
def pareto(
    table: pd.DataFrame,
    metric: str,
    cost: str,
    language: str,
    *,
    condition: Condition | None = None,
    synthetic: bool = False,
) -> Figure:
    """Draw a metric against a cost; along the dashed line no model is both cheaper and better (Pareto front).

    Args:
        table: name, value, low, high (95 %), milliseconds, parameters, a row a model; NaN where a cost is unknown.
        metric: a key of metrics.METRICS.
        cost: `milliseconds` or `parameters`.
    """
    language = language_of_figures(language)
    table = table.dropna(subset=["value", cost])
    figure = _figure(2.5, synthetic, language, _title(condition, language))
    panel, front = figure.subplots(), pareto_front(table, metric, cost)
    panel.step(front[cost], front["value"], where="post", linestyle="--", color=UNKNOWN, linewidth=1.2, zorder=1)
    for row, style in zip(table.to_dict("records"), _styles(table["name"]).values(), strict=True):
        panel.vlines(row[cost], row["low"], row["high"], color=style["color"], linewidth=1.5)
        panel.plot(row[cost], row["value"], **style, markersize=6.5)
        label, place = f"{row['name']}\n{row['parameters'] / 1e6:.1f} M", (row[cost], row["value"])
        behind = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5}
        panel.annotate(
            label, place, (6, 3), textcoords="offset points", va="bottom", fontsize=7, bbox=behind, zorder=1.5
        )
    panel.set_xscale("log")
    panel.margins(x=0.22)
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.set_xlabel(f"{_say(cost, language)} · {_say('front', language)}")
    panel.set_ylabel(f"{METRICS[metric].short(language)} · {AXES['interval'](language)}")
    _remove_frames(figure)
    return figure


@_with_style
def ladder(
    table: pd.DataFrame, names: Mapping[str, str], headings: Mapping[str, str], title: str, *, synthetic: bool = False
) -> Figure:
    """Draw metrics by step with their intervals; alternatives beside the ladder are hollow.

    Args:
        table: of ablation.step_table.
        names: of the steps, by key.
        headings: of the metrics that are shown, by key, a panel each.
    """
    figure = _figure(1.1 + 0.3 * len(table), synthetic, "en", title)
    panels = figure.subplots(1, len(headings), sharey=True, squeeze=False)[0]
    for panel, (metric, heading), color in zip(panels, headings.items(), _LADDER_COLORS, strict=False):
        for place, row in enumerate(table.to_dict("records")):
            value, low, high = (row.get(f"{metric}{end}", nan) for end in ("", "_low", "_high"))
            panel.plot([low, high], [place, place], color=color, linewidth=1.8)
            panel.plot(value, place, "o", color=color, markerfacecolor="white" if row["alternative"] else color)
        panel.set_xlabel(heading)
        panel.grid(axis="x", color="0.9")
    panels[0].set_yticks(range(len(table)), [names[key] for key in table["step"]])
    panels[0].invert_yaxis()
    _remove_frames(figure, left=True)
    return figure
