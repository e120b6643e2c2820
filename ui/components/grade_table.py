"""A table of grades as coloured numbers, whose rows are opened by click or keyboard."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.palette import SEVERITY_COLORS, UNKNOWN
from ui.components.assets import asset
from ui.components.colors import ink
from ui.words import Say

_SCROLLING_FROM = 12  # rows; a longer table scrolls

_grade_table = st.components.v2.component(
    "scalp_grade_table",
    html=asset("grade_table.html"),
    css=asset("grade_table.css"),
    js=asset("elements.js") + asset("grade_table.js"),
)


@dataclass(frozen=True)
class Column:
    """A column of grades.

    Attributes:
        short: stands in for the name on narrow screens, with a line below the table that lists both.
    """

    name: str
    short: str


@dataclass(frozen=True)
class GradeCell:
    """A grade, 0–3, in its colour; or `text` alone where there is no grade.

    Attributes:
        description: the whole answer in words.
        note: small, below the grade.
        ringed: the grade agrees with what the legend names.
    """

    grade: int | None
    description: str = ""
    note: str = ""
    text: str = ""
    ringed: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        description: what opening the row does; empty where the row cannot be opened.
        picture: address of a thumbnail; empty for a gap, None where rows have no pictures at all.
        flagged: the note is a warning.
        sentence: stands in the place of the cells.
    """

    key: str
    name: str
    cells: tuple[GradeCell, ...] = ()
    description: str = ""
    picture: str | None = None
    note: str = ""
    flagged: bool = False
    sentence: str = ""


@dataclass(frozen=True)
class Block:
    """Rows that belong together, below a title unless it is empty."""

    title: str
    rows: tuple[Row, ...]


def condition_columns(say: Say) -> list[Column]:
    """Return a column for each of the six conditions; the short name is the number."""
    return [Column(say.of(condition.text), str(condition.number)) for condition in CONDITIONS]


def show_grade_table(
    columns: Sequence[Column],
    blocks: Sequence[Block],
    key: str,
    say: Say,
    *,
    corner: str,
    label: str,
    selected: str = "",
    ringed: str = "",
    first: str = "",
) -> str | None:
    """Show the rows and return the key of the one that was just opened, None otherwise.

    Args:
        corner: heading of the rows' names.
        label: name of the table for screen readers.
        selected: key of the row that is open.
        ringed: what a ring around a grade means.
        first: CSS width of the rows' names; a third where empty.
    """
    result = _grade_table(
        key=key,
        data={
            "columns": [asdict(column) for column in columns],
            "blocks": [{"title": block.title, "rows": [_row_content(row) for row in block.rows]} for block in blocks],
            "long": sum(len(block.rows) for block in blocks) > _SCROLLING_FROM,
            "corner": corner,
            "description": label,
            "first": first,
            "selected": selected,
            "unknown": UNKNOWN,
            "legend": _legend(columns, ringed, say),
        },
        on_picked_change=lambda: None,
    )
    picked: str | None = result.picked
    return picked if picked in [row.key for block in blocks for row in block.rows if row.description] else None


def _legend(columns: Sequence[Column], ringed: str, say: Say) -> dict[str, Any]:
    return {
        "grades": [{"name": grade_name(grade, say.language), "color": SEVERITY_COLORS[grade]} for grade in GRADES],
        "ringed": ringed,
        "names": " · ".join(f"{column.short} {column.name}" for column in columns),
    }


def _row_content(row: Row) -> dict[str, Any]:
    return {
        "key": row.key,
        "name": row.name,
        "note": row.note,
        "flagged": row.flagged,
        "description": row.description,
        "opens": bool(row.description),
        "picture": row.picture or "",
        "pictured": row.picture is not None,
        "sentence": row.sentence,
        "cells": [_cell_content(cell) for cell in row.cells],
    }


def _cell_content(cell: GradeCell) -> dict[str, Any]:
    if cell.grade is None:
        return {"text": cell.text}
    color = SEVERITY_COLORS[cell.grade]
    words = {"text": str(int(cell.grade)), "note": cell.note, "description": cell.description}
    return words | {"color": color, "ink": ink(color), "ringed": cell.ringed}
