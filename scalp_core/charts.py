"""Figures from tables, and evidence maps over pictures; pure. Knows no run and no page.

One place for colours: severities grow from light to dark, so they read in print and by colour-blind eyes.
"""

import altair as alt
import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from scalp_core.errors import Text
from scalp_core.evaluate import Counts
from scalp_core.images import Pixels
from scalp_core.labels import GRADES, Condition, Severity

SEVERITY_COLORS = ("#bfe3dc", "#f3c969", "#dd7a33", "#8f2317")
_MATRIX_COLORS = ["#f1f7f6", "#0f5f59"]
_SELECTED = "#e11d48"

_FOR, _AGAINST = np.array([230, 97, 1]), np.array([33, 102, 172])  # orange and blue, apart for every eye

_AXES = {
    "truth": Text("label", "라벨"),
    "predicted": Text("predicted", "예측"),
    "images": Text("images", "사진 수"),
    "grade": Text("grade", "등급"),
    "share": Text("share of the row", "행 비율"),
    "probability": Text("probability", "확률"),
    "epoch": Text("epoch", "에폭"),
    "valid_qwk": Text("QWK on validation", "검증 QWK"),
    "valid_loss": Text("loss on validation", "검증 손실"),
    "train_loss": Text("loss in training", "학습 손실"),
}


# Every row keeps its name, however narrow the screen.
_NAME_AXIS = alt.Axis(labelLimit=220, labelOverlap=False)


# The rows beside it carry the names; three matrices in a row leave no room for them twice.
_NUMBER_AXIS = alt.Axis(labelAngle=0, labelOverlap=False, labelExpr="split(datum.label, ' ')[0]")


def grade_name(grade: int, language: str) -> str:
    """`2 moderate`, `2 중등도`."""
    return f"{int(grade)} {Severity(grade).text(language)}"


def confusion_chart(counts: Counts, language: str) -> alt.LayerChart:
    """A confusion matrix: rows the truth, columns the prediction, colour the share of the row, images in the cells.

    Clicking a cell selects it under the name `pick` with its `truth` and `predicted`.
    """
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    names = [grade_name(grade, language) for grade in GRADES]
    table = pd.DataFrame(
        [
            {"truth": t, "predicted": p, "row": names[t], "column": names[p], "n": counts[t, p], "share": shares[t, p]}
            for t in GRADES
            for p in GRADES
        ]
    )
    pick = alt.selection_point(name="pick", fields=["truth", "predicted"], on="click", toggle=False)
    cells = alt.Chart(table).encode(
        x=alt.X("column:N", sort=names, title=_AXES["predicted"](language), axis=_NUMBER_AXIS),
        y=alt.Y("row:N", sort=names, title=_AXES["truth"](language)),
    )
    # Chosen cells are outlined: fading the others turns them grey on dark.
    boxes = cells.mark_rect(cursor="pointer").encode(
        color=alt.Color("share:Q", scale=alt.Scale(range=_MATRIX_COLORS, domain=[0, 1]), legend=None),
        stroke=alt.value(_SELECTED),
        strokeWidth=alt.condition(pick, alt.value(3), alt.value(0), empty=False),
        tooltip=[
            alt.Tooltip("row:N", title=_AXES["truth"](language)),
            alt.Tooltip("column:N", title=_AXES["predicted"](language)),
            alt.Tooltip("n:Q", title=_AXES["images"](language)),
            alt.Tooltip("share:Q", title=_AXES["share"](language), format=".0%"),
        ],
    )
    numbers = cells.mark_text(fontSize=14).encode(
        text="n:Q", color=alt.condition("datum.share > 0.6", alt.value("white"), alt.value("#1f2937"))
    )
    matrix: alt.LayerChart = (boxes.add_params(pick) + numbers).properties(height=230)
    return matrix


def counts_chart(counted: pd.DataFrame, language: str) -> alt.Chart:
    """Labelled images of each condition, stacked by grade; from dataset.grade_counts."""
    names = [grade_name(grade, language) for grade in GRADES]
    table = counted.groupby(["condition", "grade"], as_index=False)["images"].sum()
    table["name"] = [Condition(key).text(language) for key in table["condition"]]
    table["grade_name"] = [names[grade] for grade in table["grade"]]
    bars: alt.Chart = (
        alt.Chart(table)
        .mark_bar()
        .encode(
            y=alt.Y("name:N", sort=_order(table["name"]), title=None, axis=_NAME_AXIS),
            x=alt.X("images:Q", title=_AXES["images"](language)),
            order=alt.Order("grade:O"),
            color=_severity_color(names),
            tooltip=[
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("grade_name:N", title=_AXES["grade"](language)),
                alt.Tooltip("images:Q", title=_AXES["images"](language)),
            ],
        )
        .properties(height=alt.Step(34))
    )
    return bars


def _severity_color(names: list[str]) -> alt.Color:
    scale = alt.Scale(domain=names, range=list(SEVERITY_COLORS))
    return alt.Color("grade_name:N", sort=names, title=None, scale=scale, legend=alt.Legend(orient="top", columns=2))


def _order(names: pd.Series) -> list[str]:
    return list(dict.fromkeys(names))


def probabilities_chart(probabilities: pd.DataFrame, language: str) -> alt.Chart:
    """Stacked bars of p(grade), one a row; columns name (row label) and p0 … p3."""
    long = probabilities.melt(id_vars="name", value_vars=["p0", "p1", "p2", "p3"], value_name="probability")
    long["grade"] = long["variable"].str[1:].astype(int)
    names = [grade_name(grade, language) for grade in GRADES]
    long["grade_name"] = [names[grade] for grade in long["grade"]]
    base = alt.Chart(long).encode(
        y=alt.Y("name:N", sort=_order(probabilities["name"]), title=None, axis=_NAME_AXIS),
        x=alt.X(
            "probability:Q",
            stack="zero",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format="%", tickCount=5),
            title=_AXES["probability"](language),
        ),
        order=alt.Order("grade:O"),
    )
    bars: alt.Chart = (
        base.mark_bar()
        .encode(
            color=_severity_color(names),
            tooltip=[
                alt.Tooltip("name:N", title=" "),
                alt.Tooltip("grade_name:N", title=_AXES["grade"](language)),
                alt.Tooltip("probability:Q", title=_AXES["probability"](language), format=".1%"),
            ],
        )
        .properties(height=alt.Step(34))
    )
    return bars


def learning_curves(histories: dict[str, pd.DataFrame], measure: str, language: str) -> go.Figure:
    """One line a run of `valid_qwk`, `valid_loss` or `train_loss` over epochs."""
    figure = go.Figure()
    longest = max((len(history) for history in histories.values()), default=0)
    for name, history in histories.items():
        mode = "lines+markers" if len(history) < 30 else "lines"
        figure.add_scatter(x=history["epoch"], y=history[measure], name=name, mode=mode)
    figure.update_layout(
        xaxis={"title": _AXES["epoch"](language), "tickformat": "d", "dtick": max(1, longest // 8)},
        yaxis_title=_AXES[measure](language),
        height=320,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "y": -0.25},
        showlegend=True,
    )
    return figure


def evidence_for(evidence: npt.NDArray[np.float32], grade: int) -> npt.NDArray[np.float32]:
    """(h, w): where the picture speaks for `grade` rather than the other three, in logits.

    A softmax sees only differences of logits, so the map of the mean over the others is taken off. The mean of the
    result is the grade's logit minus the mean of the others', exactly.

    Args:
        evidence: (4, h, w) of one condition.
    """
    others = np.delete(evidence, grade, axis=0).mean(axis=0)
    difference: npt.NDArray[np.float32] = evidence[grade] - others
    return difference


def overlay(pixels: Pixels, speaking: npt.NDArray[np.float32], scale: float, opacity: float, side: int = 480) -> Pixels:
    """The picture with an evidence map on it: orange speaks for the grade, blue against it, nothing leaves it alone.

    Args:
        speaking: (h, w) from `evidence_for`.
        scale: value drawn with full `opacity` (0–1); larger ones are clipped.
        side: of the result along its longer edge, pixels.
    """
    factor = side / max(pixels.shape[:2])
    height, width = (max(1, round(length * factor)) for length in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    # The map covers the whole picture, so stretching it to the same size puts every value over its place.
    values = cv2.resize(speaking.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) / max(scale, 1e-9)
    weight = (np.abs(values).clip(0, 1) * opacity)[..., np.newaxis]
    colour = np.where(values[..., np.newaxis] > 0, _FOR, _AGAINST)
    drawn: Pixels = (small * (1 - weight) + colour * weight).round().astype(np.uint8)
    return drawn
