"""The wall of confusion matrices, whose cells can be clicked or reached by keyboard. Knows no run and no picture."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from scalp_core.labels import GRADES, Severity
from scalp_core.metrics.alignment import FAR
from scalp_core.metrics.metrics import Matrices, Values
from scalp_core.palette import DIVERGING, MATRIX_COLORS, SELECTED
from ui.components.style import ELEMENTS, channels, ink
from ui.words import Say

# Row shares of two good networks rarely differ by more; what does has the full colour.
FULL_DIFFERENCE = 0.5

_HTML = "<div class='legend'></div><div class='wall'></div>"
_CSS = """
.wall { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 258px), 1fr)); gap: 14px;
  color: var(--st-text-color); font: 13px/1.3 var(--st-font); }
.matrix { border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); padding: 8px 10px 10px;
  box-sizing: border-box; min-width: 0; }
table { border-collapse: separate; border-spacing: 2px; width: 100%; table-layout: fixed; }
caption { text-align: left; padding: 0 0 4px 2px; font-weight: 600; overflow-wrap: anywhere; }
.note { font-weight: 400; opacity: 0.75; margin-left: 6px; white-space: nowrap; }
.missing { margin: 4px 2px; opacity: 0.8; }
th { font-weight: 400; font-size: 11px; line-height: 1.2; padding: 0; }
.corner { width: 27%; text-align: left; vertical-align: bottom; padding-left: 2px; }
.axis, .corner { opacity: 0.75; }
.row { text-align: left; padding: 0 2px; }
.grade, .images { display: block; }
.images { opacity: 0.7; font-size: 10px; }
.column { font-size: 10px; }
td { padding: 0; }
td button { all: unset; box-sizing: border-box; cursor: pointer; width: 100%; height: 38px; border-radius: 4px;
  text-align: center; font-variant-numeric: tabular-nums; border: 1px solid transparent; }
td button.empty { border-color: var(--st-border-color); }
td button.far { border: 2px dashed currentColor; }
td button:hover { box-shadow: 0 0 0 2px var(--st-primary-color); }
td button[aria-pressed="true"] { box-shadow: 0 0 0 3px var(--selected); }
td button:focus-visible { outline: 2px solid var(--st-text-color); outline-offset: 3px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: center; margin: 0 0 10px;
  color: var(--st-text-color); font: 12px/1.4 var(--st-font); }
.legend > span { display: inline-flex; align-items: center; gap: 6px; }
.bar { width: 96px; height: 12px; border-radius: 3px; box-shadow: 0 0 0 1px var(--st-border-color); }
.box { width: 14px; height: 14px; border-radius: 3px; box-sizing: border-box; }
.box.far { border: 2px dashed currentColor; }
.box.chosen { box-shadow: 0 0 0 3px var(--selected); width: 10px; height: 10px; margin: 3px; }
"""
_JS = """
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }

function head(name, scope, span, ...inside) {
  const made = element("th", name, ...inside)
  made.scope = scope
  made.colSpan = span
  return made
}

function drawCell(cell, place) {
  const button = element("button", cell.kind, cell.text)
  button.type = "button"
  button.tabIndex = -1
  button.dataset.place = place
  button.style.background = cell.color
  button.style.color = cell.ink
  button.title = cell.said
  button.setAttribute("aria-label", cell.said)
  return element("td", "", button)
}

function drawTable(matrix, words) {
  const corner = head("corner", "col", 1, words.rows)
  corner.rowSpan = 2
  const columns = words.grades.map((grade, number) => head("column", "col", 1,
    element("span", "grade", String(number)), element("span", "grade", grade)))
  const rows = matrix.cells.map((cells, truth) => element("tr", "",
    head("row", "row", 1,
      element("span", "grade", truth + " " + words.grades[truth]), element("span", "images", matrix.images[truth])),
    ...cells.map((cell, predicted) => drawCell(cell, truth + "." + predicted))))
  const table = element("table", "",
    element("caption", "", matrix.name, element("span", "note", matrix.note)),
    element("thead", "",
      element("tr", "", corner, head("axis", "colgroup", 4, words.columns)), element("tr", "", ...columns)),
    element("tbody", "", ...rows))
  table.setAttribute("role", "grid")
  table.setAttribute("aria-label", matrix.said)
  table.querySelector("td button").tabIndex = 0
  return table
}

function drawMatrix(matrix, words) {
  const inside = matrix.missing
    ? [element("strong", "", matrix.name), element("p", "missing", matrix.missing)]
    : [drawTable(matrix, words)]
  const drawn = element("div", "matrix", ...inside)
  drawn.dataset.side = matrix.key
  return drawn
}

function drawLegend(legend) {
  const bar = element("span", "bar")
  bar.style.background = "linear-gradient(to right, " + legend.colors.join(", ") + ")"
  return [
    element("span", "", legend.low, bar, legend.high + " " + legend.meaning),
    element("span", "", element("span", "box far"), legend.far),
    element("span", "", element("span", "box chosen"), legend.chosen),
  ]
}

function stay(button) {  // of each matrix, Tab reaches the cell that was left
  for (const other of button.closest("table").querySelectorAll("td button")) other.tabIndex = -1
  button.tabIndex = 0
}

function move(event) {
  const button = event.target.closest("td button"), step = MOVES[event.key]
  if (!button || !step) return
  event.preventDefault()
  const [truth, predicted] = button.dataset.place.split(".").map(Number)
  const to = (truth + step[0]) + "." + (predicted + step[1])
  button.closest("table").querySelector(`button[data-place="${to}"]`)?.focus()
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall"), legend = parentElement.querySelector(".legend")
  const drawn = JSON.stringify([data.matrices, data.words, data.legend])
  if (wall.drawn !== drawn) {  // otherwise a click would throw the focus away
    wall.replaceChildren(...data.matrices.map((matrix) => drawMatrix(matrix, data.words)))
    legend.replaceChildren(...drawLegend(data.legend))
    wall.drawn = drawn
    for (const part of [wall, legend]) part.style.setProperty("--selected", data.selected)
  }
  for (const button of wall.querySelectorAll("td button")) {
    const cell = button.closest(".matrix").dataset.side + "." + button.dataset.place
    button.setAttribute("aria-pressed", String(cell === data.chosen))
    if (cell === data.chosen) stay(button)
  }
  wall.onkeydown = move
  wall.onclick = (event) => {
    const button = event.target.closest("td button")
    if (!button) return
    stay(button)
    setTriggerValue("picked", button.closest(".matrix").dataset.side + "." + button.dataset.place)
  }
}
"""
_wall = st.components.v2.component("scalp_matrices", html=_HTML, css=_CSS, js=ELEMENTS + _JS)


@dataclass(frozen=True)
class MatrixCell:
    """One cell of one side's matrix. As text it stands in addresses."""

    side: str
    truth: int
    predicted: int

    def __str__(self) -> str:
        return f"{self.side}.{self.truth}.{self.predicted}"


_NUMBERS = {str(int(grade)): int(grade) for grade in GRADES}


def parse_cell(text: str, sides: Collection[str]) -> MatrixCell | None:
    """The cell that an address means; None where it means none of these sides'."""
    side, *grades = text.rsplit(".", 2)
    if side not in sides or len(grades) != 2 or not _NUMBERS.keys() >= set(grades):
        return None
    return MatrixCell(side, _NUMBERS[grades[0]], _NUMBERS[grades[1]])


@dataclass(frozen=True, eq=False)
class Matrix:
    """What is drawn of one side.

    Attributes:
        key: of the side.
        note: goes behind the name.
        counts: (4, 4) truth × prediction, whole or mean; None where the side does not grade the condition.
    """

    key: str
    name: str
    note: str
    counts: Values | None


def row_shares(counts: Matrices) -> Values:
    """Of counts (…, 4, 4), truth × prediction: the share of the row, NaN where no picture has its label."""
    rows = counts.sum(axis=-1, keepdims=True)
    shares: Values = np.divide(counts, rows, out=np.full(counts.shape, np.nan), where=rows > 0)
    return shares


def matrices(
    drawn: Sequence[Matrix],
    reference: Matrix | None,
    chosen: MatrixCell | None,
    key: str,
    on_pick: Callable[[MatrixCell], None],
    say: Say,
) -> None:
    """Show the matrices of these sides, coloured by row share or, given a reference, by the difference from its shares.

    Args:
        reference: one of `drawn` that has counts; it keeps its plain matrix.
        on_pick: told the cell that was clicked, before the page is drawn again.
    """
    base = None if reference is None or reference.counts is None else reference

    def picked() -> None:
        cell = parse_cell(str(st.session_state[key].picked), [matrix.key for matrix in drawn])
        if cell:
            on_pick(cell)

    _wall(
        key=key,
        data={
            "matrices": [_matrix(matrix, base if matrix is not base else None, say) for matrix in drawn],
            "words": {
                "rows": say("wall_rows"),
                "columns": say("wall_columns"),
                "grades": [say.of(grade.text) for grade in GRADES],
            },
            "legend": _legend(base, say),
            "chosen": str(chosen or ""),
            "selected": SELECTED,
        },
        on_picked_change=picked,
    )


def _matrix(matrix: Matrix, base: Matrix | None, say: Say) -> dict[str, Any]:
    told: dict[str, Any] = {"key": matrix.key, "name": matrix.name, "note": matrix.note}
    if matrix.counts is None:
        return told | {"missing": say("wall_not_graded")}
    shares = row_shares(matrix.counts)
    others = None if base is None or base.counts is None else row_shares(base.counts)
    return told | {
        "said": say("wall_matrix", name=matrix.name),
        "images": [f"n = {row:,.0f}" for row in matrix.counts.sum(axis=1)],
        "cells": [
            [_cell(matrix.counts, shares, others, truth, predicted, say) for predicted in GRADES] for truth in GRADES
        ],
    }


def _cell(
    counts: Values, shares: Values, others: Values | None, truth: int, predicted: int, say: Say
) -> dict[str, str]:
    """The number of pictures on the scale of shares or, given another side's shares, the difference from them."""
    at = truth, predicted
    names = {"truth": say.of(Severity(truth).text), "predicted": say.of(Severity(predicted).text)}
    if np.isnan(shares[at]):
        return {"text": "–", "color": "", "ink": "", "said": say("wall_cell_empty", **names), "kind": "empty"}
    text, color = _count(counts[at]), blend(MATRIX_COLORS, shares[at])
    said = say("wall_cell", **names, count=text, share=f"{shares[at]:.0%}")
    if others is not None:
        difference = shares[at] - others[at]
        text, color = _points(difference), blend(DIVERGING, 0.5 + difference / FULL_DIFFERENCE / 2)
        said = say("wall_cell_against", cell=said, points=text)
    return {"text": text, "color": color, "ink": ink(color), "said": said, "kind": _kind(counts, truth, predicted)}


def _kind(counts: Values, truth: int, predicted: int) -> str:
    return "far" if abs(truth - predicted) >= FAR and counts[truth, predicted] > 0 else ""


def _count(count: float) -> str:
    """Rounded, as it may be a mean over seeds; what is there is never shown as nothing."""
    return "<1" if 0 < count < 1 else f"{math.floor(count + 0.5):,}"


def _points(difference: float) -> str:
    """Percentage points with their sign."""
    points = round(100 * difference)
    return f"{points:+d}".replace("-", "−") if points else "0"


def _legend(base: Matrix | None, say: Say) -> dict[str, Any]:
    if base is None:
        scale = {"low": "0 %", "high": "100 %", "meaning": say("wall_legend_shares"), "colors": MATRIX_COLORS}
    else:
        full = f"{100 * FULL_DIFFERENCE:.0f}"
        meaning = say("wall_legend_difference", name=base.name)
        scale = {"low": f"−{full}", "high": f"+{full}", "meaning": meaning, "colors": DIVERGING}
    return scale | {"far": say("wall_legend_far"), "chosen": say("wall_legend_chosen")}


def blend(colors: Sequence[str], place: float) -> str:
    """The colour at `place` (0–1, clipped) of a scale through these colours, #rrggbb."""
    stops = np.linspace(0, 1, len(colors))
    scale: npt.NDArray[np.int_] = np.array([channels(color) for color in colors])
    mixed = [round(float(np.interp(place, stops, scale[:, channel]))) for channel in range(3)]
    return f"#{bytes(mixed).hex()}"
