"""Grades as a table of coloured numbers whose rows can be opened, by click or keyboard. Knows no run and no picture."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.palette import SEVERITY_COLORS, UNKNOWN
from ui.components.style import ELEMENTS, ink
from ui.words import Say

_MANY = 12  # rows; more are scrolled through

_HTML = "<div class='grid'><div class='window'></div><div class='legend'></div></div>"
_CSS = """
.grid { container-type: inline-size; color: var(--st-text-color); font: 13px/1.35 var(--st-font); }
.window { overflow: auto; }
.window.long { max-height: 560px; }
table { border-collapse: separate; border-spacing: 0 4px; width: 100%; table-layout: fixed; }
col.first { width: 34%; }
thead th { position: sticky; top: 0; z-index: 1; background: var(--st-background-color); font-weight: 400;
  font-size: 12px; line-height: 1.25; padding: 2px 3px 5px; vertical-align: bottom; }
thead th:first-child { text-align: left; }
.short { display: none; }
.title th { text-align: left; font-weight: 600; padding: 9px 2px 2px; overflow-wrap: anywhere; }
tr.row > * { border-top: 1px solid var(--st-border-color); border-bottom: 1px solid var(--st-border-color);
  background: var(--st-secondary-background-color); padding: 3px; }
tr.row > :first-child { border-left: 3px solid transparent; border-radius: 6px 0 0 6px; text-align: left;
  font-weight: 400; }
tr.row > :last-child { border-right: 1px solid var(--st-border-color); border-radius: 0 6px 6px 0; }
tr.open { cursor: pointer; }
tr.open:hover > *, tr.chosen > * { border-top-color: var(--st-primary-color);
  border-bottom-color: var(--st-primary-color); }
tr.chosen > :first-child { border-left-color: var(--st-primary-color); }
tr.open:hover > :last-child, tr.chosen > :last-child { border-right-color: var(--st-primary-color); }
tr button { all: unset; cursor: pointer; display: block; width: 100%; border-radius: 4px; }
tr button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.head { display: flex; align-items: center; gap: 9px; min-width: 0; }
.head img { width: 64px; height: 48px; object-fit: cover; border-radius: 4px; flex: none; display: block; }
.gap { width: 64px; height: 48px; flex: none; border-radius: 4px; border: 1px dashed var(--st-border-color);
  box-sizing: border-box; }
.words { min-width: 0; }
.name { display: block; overflow-wrap: anywhere; }
.note { display: block; font-size: 11.5px; opacity: 0.8; overflow-wrap: anywhere; }
.note.flagged { opacity: 1; font-weight: 600; }
td { text-align: center; }
.cell { display: inline-block; min-width: 42px; border-radius: 4px; padding: 4px; box-sizing: border-box;
  font-variant-numeric: tabular-nums; line-height: 1.25; }
.cell small { display: block; font-size: 10.5px; }
.cell.ringed { box-shadow: 0 0 0 2px var(--st-secondary-background-color), 0 0 0 4px var(--st-text-color); }
td.sentence { text-align: left; padding: 5px 9px; overflow-wrap: anywhere; }
td.text { font-size: 12px; }
.legend { display: flex; flex-wrap: wrap; gap: 3px 14px; font-size: 12px; margin-top: 4px; }
.legend .key { display: inline-flex; align-items: center; gap: 5px; }
.legend .box { width: 13px; height: 13px; border-radius: 3px; box-shadow: 0 0 0 1px var(--st-border-color); }
.legend .box.ringed { box-shadow: 0 0 0 2px var(--st-background-color), 0 0 0 4px var(--st-text-color);
  width: 9px; height: 9px; margin: 3px; background: var(--unknown); }
.names { display: none; width: 100%; }
@container (max-width: 620px) {
  .full { display: none; }
  .short, .names { display: inline; }
  thead th:first-child .full { display: inline; }
  .head { flex-direction: column; align-items: flex-start; gap: 3px; }
  .cell { min-width: 25px; padding: 3px 2px; }
  tr.row > * { padding: 3px 1px; }
}
"""
_JS = """
function heading(column) {
  const made = element("th", "", element("span", "full", column.name), element("span", "short", column.short))
  made.scope = "col"
  made.title = column.name
  made.setAttribute("aria-label", column.name)
  return made
}

function cellOf(cell) {
  if (!cell.color) return element("td", "text", cell.text)
  const drawn = element("span", cell.ringed ? "cell ringed" : "cell", cell.text)
  if (cell.note) drawn.append(element("small", "", cell.note))
  return element("td", "", coloured(drawn, cell))
}

function headOf(row) {
  const words = element("span", "words", element("span", "name", row.name))
  if (row.note) words.append(element("span", row.flagged ? "note flagged" : "note", row.note))
  const head = element("span", "head")
  if (row.picture) {
    const image = element("img", "")
    image.alt = ""
    image.loading = "lazy"
    image.onerror = () => image.replaceWith(element("span", "gap"))
    image.src = row.picture
    head.append(image)
  } else if (row.pictured) {
    head.append(element("span", "gap"))
  }
  head.append(words)
  const cell = element("th", "", head)
  cell.scope = "row"
  if (row.opens) {
    const button = element("button", "", head)
    button.type = "button"
    button.setAttribute("aria-label", row.said)
    button.title = row.said
    cell.replaceChildren(button)
  }
  return cell
}

function rowOf(row, columns) {
  const drawn = element("tr", row.opens ? "row open" : "row", headOf(row))
  drawn.dataset.key = row.key
  if (!row.sentence) {
    drawn.append(...row.cells.map(cellOf))
    return drawn
  }
  const sentence = element("td", "sentence", row.sentence)
  sentence.colSpan = columns
  drawn.append(sentence)
  return drawn
}

function bodyOf(block, columns) {
  const body = element("tbody", "", ...block.rows.map((row) => rowOf(row, columns)))
  if (!block.title) return body
  const title = element("th", "", block.title)
  title.colSpan = columns + 1
  title.scope = "rowgroup"
  body.prepend(element("tr", "title", title))
  return body
}

function tableOf(data) {
  const first = element("col", "first"), columns = element("colgroup", "", first)
  if (data.first) first.style.width = data.first
  data.columns.forEach(() => columns.append(element("col", "")))
  const corner = element("th", "", element("span", "full", data.corner))
  corner.scope = "col"
  const table = element("table", "", columns,
    element("thead", "", element("tr", "", corner, ...data.columns.map(heading))),
    ...data.blocks.map((block) => bodyOf(block, data.columns.length)))
  table.setAttribute("aria-label", data.said)
  return table
}

function legendOf(legend) {
  const drawn = legend.grades.map((grade) => {
    const box = element("span", "box")
    box.style.background = grade.color
    return element("span", "key", box, grade.name)
  })
  if (legend.ringed) drawn.push(element("span", "key", element("span", "box ringed"), legend.ringed))
  if (legend.names) drawn.push(element("span", "names", legend.names))
  return drawn
}

export default function ({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector(".grid"), open = parentElement.querySelector(".window")
  const drawn = JSON.stringify([data.columns, data.blocks, data.legend])
  if (grid.drawn !== drawn) {  // otherwise a click would throw the focus away
    open.replaceChildren(tableOf(data))
    parentElement.querySelector(".legend").replaceChildren(...legendOf(data.legend))
    open.className = data.long ? "window long" : "window"
    grid.style.setProperty("--unknown", data.unknown)
    grid.drawn = drawn
  }
  for (const row of open.querySelectorAll("tr.open")) {
    const chosen = row.dataset.key === data.chosen
    row.classList.toggle("chosen", chosen)
    row.querySelector("button").setAttribute("aria-pressed", String(chosen))
    row.onclick = () => setTriggerValue("picked", row.dataset.key)
  }
}
"""
_grid = st.components.v2.component("scalp_grade_grid", html=_HTML, css=_CSS, js=ELEMENTS + _JS)


@dataclass(frozen=True)
class Column:
    """`short` is what narrow screens show, with a line below the table that tells the names."""

    name: str
    short: str


@dataclass(frozen=True)
class GradeCell:
    """A grade, 0–3, in its colour; or, without one, `text` alone.

    Attributes:
        said: the whole of it in words.
        note: small, below the grade.
        ringed: it agrees with what the legend says.
    """

    grade: int | None
    said: str = ""
    note: str = ""
    text: str = ""
    ringed: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        said: what opening it does; empty where it cannot be opened.
        picture: address of a thumbnail; None where rows have no pictures at all.
        flagged: the note is a warning.
        sentence: in place of the cells.
    """

    key: str
    name: str
    cells: tuple[GradeCell, ...] = ()
    said: str = ""
    picture: str | None = None
    note: str = ""
    flagged: bool = False
    sentence: str = ""


@dataclass(frozen=True)
class Block:
    """Rows that belong together; an empty title is not drawn."""

    title: str
    rows: tuple[Row, ...]


def condition_columns(say: Say) -> list[Column]:
    """The six conditions with their numbers."""
    return [Column(say.of(condition.text), str(condition.number)) for condition in CONDITIONS]


def grade_grid(
    columns: Sequence[Column],
    blocks: Sequence[Block],
    key: str,
    say: Say,
    *,
    corner: str,
    label: str,
    chosen: str = "",
    ringed: str = "",
    first: str = "",
) -> str | None:
    """Show these rows; the key of the one that was just opened, else None.

    Args:
        corner: what the rows are.
        label: what the table is, for screen readers.
        ringed: what a ring around a grade means.
        first: width of the rows' names, as CSS has it; a third where empty.
    """
    result = _grid(
        key=key,
        data={
            "columns": [asdict(column) for column in columns],
            "blocks": [{"title": block.title, "rows": [_row(row) for row in block.rows]} for block in blocks],
            "long": sum(len(block.rows) for block in blocks) > _MANY,
            "corner": corner,
            "said": label,
            "first": first,
            "chosen": chosen,
            "unknown": UNKNOWN,
            "legend": _legend(columns, ringed, say),
        },
        on_picked_change=lambda: None,
    )
    picked: str | None = result.picked
    return picked if picked in [row.key for block in blocks for row in block.rows if row.said] else None


def _legend(columns: Sequence[Column], ringed: str, say: Say) -> dict[str, Any]:
    return {
        "grades": [{"name": grade_name(grade, say.language), "color": SEVERITY_COLORS[grade]} for grade in GRADES],
        "ringed": ringed,
        "names": " · ".join(f"{column.short} {column.name}" for column in columns),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "key": row.key,
        "name": row.name,
        "note": row.note,
        "flagged": row.flagged,
        "said": row.said,
        "opens": bool(row.said),
        "picture": row.picture or "",
        "pictured": row.picture is not None,
        "sentence": row.sentence,
        "cells": [_cell(cell) for cell in row.cells],
    }


def _cell(cell: GradeCell) -> dict[str, Any]:
    if cell.grade is None:
        return {"text": cell.text}
    color = SEVERITY_COLORS[cell.grade]
    told = {"text": str(int(cell.grade)), "note": cell.note, "said": cell.said}
    return told | {"color": color, "ink": ink(color), "ringed": cell.ringed}
