"""Interactive figures of a dataset and of single pictures, drawn from tables; evidence maps over pictures."""

import math
from collections.abc import Iterable
from typing import Literal, TypeVar

import altair as alt
import pandas as pd

from scalp_core import terms
from scalp_core.data.filters import ALL_PARTS
from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS, GRADES, Condition, Severity
from scalp_core.palette import CATEGORY_COLORS, DIVERGING, MATRIX_COLORS, OUTLINE, SELECTED, SEVERITY_COLORS, UNKNOWN

_MOST_BARS = 20
_MOST_COLORS = len(CATEGORY_COLORS)

AXES = {
    "truth": terms.LABEL,
    "predicted": terms.PREDICTION,
    "images": terms.PICTURES,
    "captures": terms.CAPTURES,
    "sites": terms.SITES,
    "grade": terms.GRADE,
    "share": terms.SHARE_OF_ROW,
    "probability": terms.PROBABILITY,
    "epoch": terms.EPOCH,
    "mean": Text("mean", "평균"),
    "valid_qwk": terms.VALID_QWK,
    "valid_loss": terms.VALID_LOSS,
    "train_loss": terms.TRAIN_LOSS,
    "share_of_images": Text("share of pictures", "사진 비율"),
    "spearman": Text("Spearman correlation", "스피어만 상관계수"),
    "together": Text("pictures with both", "함께 나타난 사진 수"),
    "given": Text("share of pictures with the row's condition", "행의 증상이 있는 사진 중 비율"),
    "picture": terms.PICTURE,  # a tooltip takes what is called “image” for the address of one
    "value": Text("value", "값"),
    "unlabelled": terms.UNLABELLED,
    "unknown": terms.UNKNOWN,
    "others": Text("others", "기타"),
    "quadratic_weighted_kappa": terms.QUADRATIC_WEIGHTED_KAPPA,
    "worst_grade_recall": terms.WORST_GRADE_RECALL,
    "step": Text("step", "단계"),
    "interval": terms.INTERVAL,
}


Chart = TypeVar("Chart", alt.Chart, alt.LayerChart)

# Every row keeps its name, however narrow the screen.
NAME_AXIS = alt.Axis(labelLimit=220, labelOverlap=False)


def of_rows(chart: Chart, rows: int, pixels: int) -> Chart:
    """Return a chart that is as high as its rows, of so many pixels each, and as wide as its place.

    Not by `alt.Step`: whatever is fitted, Vega-Lite then warns in the browser that it cannot fit such a height.
    """
    return chart.properties(height=rows * pixels, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))


def if_any(layer: alt.Chart, values: pd.Series) -> list[alt.Chart]:
    """Return the layer, or nothing where it has no values: without an extent Vega warns in the browser."""
    return [layer] if values.notna().any() else []


def grade_name(grade: int, language: str) -> str:
    """Return `2 moderate`, `2 중등도`."""
    return f"{int(grade)} {Severity(grade).text(language)}"


def short_number(value: float) -> str:
    """Return `.71`, `−.05`, `1.20`: without the leading zero cells fit a narrow screen."""
    if math.isnan(value):
        return "–"
    digits = f"{abs(value):.2f}".removeprefix("0") if abs(value) < 1 else f"{abs(value):.2f}"
    return f"−{digits}" if value < 0 and float(digits) else digits


def distinct(names: Iterable[str]) -> list[str]:
    """Return every name once, in the order of their first occurrence."""
    return list(dict.fromkeys(names))


def counts_chart(
    counts: pd.DataFrame, language: str, measure: Literal["images", "captures", "sites"] = "images"
) -> alt.Chart:
    """Draw the images, captures or sites of each condition by grade, over all splits.

    Images are stacked. A capture or site may show several grades, so those bars stand beside each other.

    Args:
        counts: of filters.counts.
    """
    names = [*(grade_name(grade, language) for grade in GRADES), AXES["unlabelled"](language)]
    table = counts[counts["part"] == ALL_PARTS].astype({"grade": "Int8"})
    table = table[table["grade"].notna() | (table["images"] > 0)].fillna({"grade": len(GRADES)})
    table["name"] = [Condition(key).text(language) for key in table["condition"]]
    table["grade_name"] = [names[grade] for grade in table["grade"]]
    bars: alt.Chart = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=distinct(table["name"]), title=None, axis=NAME_AXIS),
            x=alt.X(f"{measure}:Q", title=AXES[measure](language), axis=alt.Axis(labelOverlap=True, tickCount=5)),
            order=alt.Order("grade:O"),
            color=_severity_color([name for name in names if name in set(table["grade_name"])]),
            tooltip=[
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("grade_name:N", title=AXES["grade"](language)),
                *(alt.Tooltip(f"{name}:Q", title=AXES[name](language)) for name in ("images", "captures", "sites")),
            ],
        )
    )
    rows = table["name"].nunique()
    if measure == "images":
        return of_rows(bars, rows, 34)
    side_by_side: alt.Chart = bars.encode(yOffset=alt.YOffset("grade:O"))
    return of_rows(side_by_side, rows, 11 * table["grade"].nunique())


def by_field_chart(table: pd.DataFrame, language: str) -> alt.Chart:
    """Draw the shares of the grades of a condition by region, device or the like.

    The _MOST_BARS values with the most images have a bar each, in the order given; the rest share the last one.

    Args:
        table: of filters.by_field.
    """
    names = [grade_name(grade, language) for grade in GRADES]
    bars = _largest(table, language)
    totals = bars.groupby("value", sort=False)["images"].transform("sum")
    bars["share"] = bars["images"] / totals
    bars["name"] = [f"{value} ({images:,})" for value, images in zip(bars["value"], totals, strict=True)]
    bars["grade_name"] = [names[grade] for grade in bars["grade"]]
    chart: alt.Chart = (
        alt.Chart(bars)
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=distinct(bars["name"]), title=None, axis=NAME_AXIS),
            x=alt.X(
                "share:Q",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", tickCount=5),
                title=AXES["share_of_images"](language),
            ),
            order=alt.Order("grade:O"),
            color=_severity_color(names),
            tooltip=[
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("grade_name:N", title=AXES["grade"](language)),
                alt.Tooltip("images:Q", title=AXES["images"](language)),
                alt.Tooltip("share:Q", title=AXES["share_of_images"](language), format=".1%"),
            ],
        )
    )
    return of_rows(chart, bars["name"].nunique(), 24)


def _largest(table: pd.DataFrame, language: str) -> pd.DataFrame:
    """Return the rows of the values with the most images, and all others added up under one name."""
    totals = table.groupby("value", sort=False)["images"].sum()
    if len(totals) <= _MOST_BARS:
        return table.copy()
    kept = table["value"].isin(totals.nlargest(_MOST_BARS - 1).index)
    rest = table[~kept].groupby("grade", as_index=False)["images"].sum()
    more = len(totals) - _MOST_BARS + 1
    largest: pd.DataFrame = pd.concat(
        [table[kept], rest.assign(value=Text(f"{more} more", f"그 외 {more}개")(language))]
    )
    return largest


def _severity_color(names: list[str]) -> alt.Color:
    """Return the channel of grades in their colours; a fifth name is that of unlabelled images."""
    scale = alt.Scale(domain=names, range=[*SEVERITY_COLORS, UNKNOWN][: len(names)])
    return alt.Color("grade_name:N", sort=names, title=None, scale=scale, legend=alt.Legend(orient="top", columns=2))


def spearman_chart(matrix: pd.DataFrame, language: str) -> alt.LayerChart:
    """Draw the rank correlations of the conditions, of filters.spearman: orange positive, blue negative."""
    table = matrix.rename_axis("condition").reset_index().melt("condition", var_name="other", value_name="correlation")
    table["text"] = [short_number(value) for value in table["correlation"]]
    color = alt.Color(
        "correlation:Q", scale=alt.Scale(domain=[-1, 0, 1], range=list(DIVERGING), clamp=True), legend=None
    )
    tooltip = [alt.Tooltip("correlation:Q", title=AXES["spearman"](language), format=".3f")]
    return _condition_matrix(table, color, tooltip, "abs(datum.correlation) > 0.7", language)


def cooccurrence_chart(table: pd.DataFrame, language: str) -> alt.LayerChart:
    """Draw the share of images with the row's condition that have the column's too; of filters.cooccurrence."""
    table = table.assign(text=["–" if pd.isna(share) else f"{share:.0%}" for share in table["share"]])
    color = alt.Color("share:Q", scale=alt.Scale(range=list(MATRIX_COLORS), domain=[0, 1]), legend=None)
    tooltip = [
        alt.Tooltip("images:Q", title=AXES["together"](language)),
        alt.Tooltip("share:Q", title=AXES["given"](language), format=".1%"),
    ]
    return _condition_matrix(table, color, tooltip, "datum.share > 0.6", language)


def _condition_matrix(
    table: pd.DataFrame, color: alt.Color, tooltip: list[alt.Tooltip], dark: str, language: str
) -> alt.LayerChart:
    """Draw the cells of `text` by condition (rows, with names) and other (columns, numbers only)."""
    names = {condition.value: f"{condition.number} {condition.text(language)}" for condition in CONDITIONS}
    table = table.assign(row=table["condition"].map(names), column=table["other"].map(names))
    axis = alt.Axis(orient="top", labelAngle=0, labelOverlap=False, labelExpr="split(datum.label, ' ')[0]")
    cells = alt.Chart(table).encode(
        x=alt.X("column:N", sort=list(names.values()), title=None, axis=axis),
        y=alt.Y("row:N", sort=list(names.values()), title=None, axis=NAME_AXIS),
    )
    ends = [alt.Tooltip("row:N", title=" "), alt.Tooltip("column:N", title="  ")]
    boxes = cells.mark_rect().encode(color=color, tooltip=[*ends, *tooltip])
    texts = cells.mark_text(fontSize=11).encode(
        text="text:N", color=alt.condition(dark, alt.value("white"), alt.value("#1f2937"))
    )
    matrix: alt.LayerChart = boxes + texts
    return of_rows(matrix, table["row"].nunique(), 32)


def map_chart(points: pd.DataFrame, language: str, kind: Literal["grade", "category", "number"]) -> alt.Chart:
    """Draw pictures as points, coloured by a field, the rarest on top; more than 5,000 make browsers slow.

    A click selects a point as `pick` with its `id`; dragging a box selects `box` with its ranges of x and y. There are
    no axes, as the directions of such maps mean nothing.

    Args:
        points: columns x, y, id, colour (a grade 0–3, any text, or a number; null where unknown), and image, the
            address of a thumbnail for the tooltip.
    """
    table = points[["x", "y", "id", "image", "colour"]].assign(colour=_colours(points["colour"], language, kind))
    table = table.loc[_frequency(table["colour"], language, kind).sort_values(ascending=False, kind="stable").index]
    pick = alt.selection_point(name="pick", fields=["id"], on="click", toggle=False)
    box = alt.selection_interval(name="box", zoom=False)
    field = "colour:Q" if kind == "number" else "colour:N"
    plain = alt.Scale(zero=False, nice=False, padding=12)
    chart: alt.Chart = (
        alt.Chart(table)
        .mark_circle(size=64, cursor="pointer", invalid=None)
        .encode(
            x=alt.X("x:Q", axis=None, scale=plain),
            y=alt.Y("y:Q", axis=None, scale=plain),
            color=_map_color(table["colour"], language, kind),
            opacity=alt.condition(box, alt.value(1), alt.value(0.15)),
            stroke=alt.condition(pick, alt.value(SELECTED), alt.value(OUTLINE), empty=False),
            strokeWidth=alt.condition(pick, alt.value(3), alt.value(0.9), empty=False),
            tooltip=[
                alt.Tooltip("image:N"),  # by this name it is shown as a picture
                alt.Tooltip("id:N", title=AXES["picture"](language)),
                alt.Tooltip(field, title=AXES["value"](language)),
            ],
        )
        .add_params(pick, box)
        .properties(height=520)
        .configure_view(stroke=None)
        # Points without a number would be left out.
        .configure_scale(invalid=alt.ScaleInvalidDataConfig(color={"value": UNKNOWN}))
    )
    return chart


def _colours(values: pd.Series, language: str, kind: str) -> pd.Series:
    """Return the values by their names in the legend; of many texts only the commonest keep a colour."""
    if kind == "number":
        return values.astype("float64")
    if kind == "grade":
        unlabelled = AXES["unlabelled"](language)
        return values.map(lambda grade: unlabelled if pd.isna(grade) else grade_name(grade, language)).astype(object)
    texts = values.astype(object).where(values.notna(), AXES["unknown"](language)).astype(str)
    commonest = texts.value_counts().index[: _MOST_COLORS - 1]
    return texts if texts.nunique() <= _MOST_COLORS else texts.where(texts.isin(commonest), AXES["others"](language))


def _frequency(colours: pd.Series, language: str, kind: str) -> pd.Series:
    """Return how often the colour of each point occurs; what has no value comes before everything."""
    unknown = colours.isna() | colours.isin(_unknown_names(language))
    counts = pd.Series(0, colours.index) if kind == "number" else colours.map(colours.value_counts())
    return counts.where(~unknown, len(colours) + 1).astype(float)


def _unknown_names(language: str) -> list[str]:
    return [AXES[name](language) for name in ("others", "unknown", "unlabelled")]


def _map_color(colours: pd.Series, language: str, kind: str) -> alt.Color:
    if kind == "number":
        return alt.Color("colour:Q", title=None, scale=alt.Scale(scheme="viridis"), legend=alt.Legend(orient="top"))
    unknown = _unknown_names(language)
    names = sorted(set(colours).difference(unknown))
    colors = dict(zip((grade_name(grade, language) for grade in GRADES), SEVERITY_COLORS, strict=True))
    if kind == "category":
        colors = dict(zip(names, CATEGORY_COLORS, strict=False))
    domain = [*names, *(name for name in unknown if name in set(colours))]
    scale = alt.Scale(domain=domain, range=[colors.get(name, UNKNOWN) for name in domain])
    legend = alt.Legend(orient="top", columns=2, symbolOpacity=1, symbolStrokeWidth=0, labelLimit=160)
    return alt.Color("colour:N", sort=domain, title=None, scale=scale, legend=legend)


def probabilities_chart(probabilities: pd.DataFrame, language: str) -> alt.Chart:
    """Draw one stacked bar of the grades' probabilities a row; columns name (row label) and p0 … p3."""
    long = probabilities.melt(id_vars="name", value_vars=["p0", "p1", "p2", "p3"], value_name="probability")
    long["grade"] = long["variable"].str[1:].astype(int)
    names = [grade_name(grade, language) for grade in GRADES]
    long["grade_name"] = [names[grade] for grade in long["grade"]]
    base = alt.Chart(long).encode(
        y=alt.Y("name:N", sort=distinct(probabilities["name"]), title=None, axis=NAME_AXIS),
        x=alt.X(
            "probability:Q",
            stack="zero",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format="%", tickCount=5),
            title=AXES["probability"](language),
        ),
        order=alt.Order("grade:O"),
    )
    bars: alt.Chart = base.mark_bar().encode(
        color=_severity_color(names),
        tooltip=[
            alt.Tooltip("name:N", title=" "),
            alt.Tooltip("grade_name:N", title=AXES["grade"](language)),
            alt.Tooltip("probability:Q", title=AXES["probability"](language), format=".1%"),
        ],
    )
    return of_rows(bars, long["name"].nunique(), 34)


# Distinguishable for colour-blind readers, and by shape.
_LADDER = {"quadratic_weighted_kappa": ("#2a9d8f", "circle"), "worst_grade_recall": ("#e66101", "diamond")}


def ablation_chart(table: pd.DataFrame, language: str) -> alt.LayerChart:
    """Draw quadratic weighted kappa and worst-grade recall of every step, with 95 % intervals; alternatives are pale.

    Args:
        table: of ablation.step_table, with a column `name`. Steps without results keep their place.
    """
    points = _ladder_points(table, language)
    titles = [AXES[measure](language) for measure in _LADDER]
    colors, shapes = zip(*_LADDER.values(), strict=True)
    marks = alt.Chart(points).encode(
        y=alt.Y("name:N", sort=distinct(table["name"]), title=None, axis=NAME_AXIS),
        yOffset=alt.YOffset("title:N", sort=titles),
        color=alt.Color("title:N", sort=titles, title=None, scale=alt.Scale(domain=titles, range=list(colors))),
        opacity=alt.condition("datum.alternative", alt.value(0.5), alt.value(1)),
        tooltip=[
            alt.Tooltip("name:N", title=AXES["step"](language)),
            alt.Tooltip("title:N", title=" "),
            alt.Tooltip("value:Q", title=AXES["value"](language), format=".3f"),
            alt.Tooltip("interval:N", title=AXES["interval"](language)),
        ],
    )

    def reach(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))

    intervals = marks.mark_rule(strokeWidth=2).encode(x=reach("low"), x2="high:Q")
    values = marks.mark_point(filled=True, size=70).encode(
        x=reach("value"),
        shape=alt.Shape("title:N", sort=titles, title=None, scale=alt.Scale(domain=titles, range=list(shapes))),
    )
    layers = [*if_any(intervals, points["low"]), values]
    chart: alt.LayerChart = alt.LayerChart(layer=layers).configure_legend(orient="top")
    return of_rows(chart, points["name"].nunique(), 22 * len(titles))


def _ladder_points(table: pd.DataFrame, language: str) -> pd.DataFrame:
    """Return one row a step and measure: name, alternative, title, value, low, high, interval."""
    tables = []
    for measure in _LADDER:
        columns = {f"{measure}{end}": name for end, name in (("", "value"), ("_low", "low"), ("_high", "high"))}
        values = table.reindex(columns=["name", "alternative", *columns]).rename(columns=columns)
        tables.append(values.assign(title=AXES[measure](language)))
    points = pd.concat(tables, ignore_index=True)
    ends = zip(points["low"], points["high"], strict=True)
    return points.assign(interval=["–" if pd.isna(low) else f"{low:.3f} – {high:.3f}" for low, high in ends])
