"""Confusion matrices side by side, whose cells are picked by click or keyboard."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from scalp_core.labels import GRADES, Severity
from scalp_core.metrics.alignment import FAR
from scalp_core.metrics.metrics import Values, row_shares
from scalp_core.palette import DIVERGING, MATRIX_COLORS, SELECTED
from ui.components.assets import asset
from ui.components.colors import blend, ink
from ui.words import Say

# Difference of row shares that has the full colour. The shares of two good networks rarely differ by more.
FULL_DIFFERENCE = 0.5

_matrices = st.components.v2.component(
    "scalp_matrices",
    html=asset("matrices.html"),
    css=asset("matrices.css"),
    js=asset("elements.js") + asset("matrices.js"),
)


@dataclass(frozen=True)
class MatrixCell:
    """One cell of one model's matrix. Its text stands in addresses.

    Attributes:
        matrix: key of its model.
    """

    matrix: str
    truth: int
    predicted: int

    def __str__(self) -> str:
        return f"{self.matrix}.{self.truth}.{self.predicted}"


_NUMBERS = {str(int(grade)): int(grade) for grade in GRADES}


def parse_cell(text: str, keys: Collection[str]) -> MatrixCell | None:
    """Return the cell that an address names, None where it names no cell of these models."""
    matrix, *grades = text.rsplit(".", 2)
    if matrix not in keys or len(grades) != 2 or not _NUMBERS.keys() >= set(grades):
        return None
    return MatrixCell(matrix, _NUMBERS[grades[0]], _NUMBERS[grades[1]])


@dataclass(frozen=True, eq=False)
class Matrix:
    """The confusion matrix of one model.

    Attributes:
        key: of the model.
        note: stands behind the name.
        counts: (4, 4) truth × prediction, whole or a mean; None where the model does not grade the condition.
    """

    key: str
    name: str
    note: str
    counts: Values | None


def show_matrices(
    matrices: Sequence[Matrix],
    reference: Matrix | None,
    selected: MatrixCell | None,
    key: str,
    on_pick: Callable[[MatrixCell], None],
    say: Say,
) -> None:
    """Show the matrices, coloured by row share or, given a reference, by the difference from its row shares.

    Args:
        reference: a member of `matrices` that has counts; it keeps its plain matrix.
        selected: the cell that is marked.
        on_pick: called with the cell that was clicked, before the page runs again.
    """
    base = None if reference is None or reference.counts is None else reference

    def pick() -> None:
        cell = parse_cell(str(st.session_state[key].picked), [matrix.key for matrix in matrices])
        if cell:
            on_pick(cell)

    _matrices(
        key=key,
        data={
            "matrices": [_matrix_content(matrix, base if matrix is not base else None, say) for matrix in matrices],
            "words": {
                "rows": say("matrices_rows"),
                "columns": say("matrices_columns"),
                "grades": [say.of(grade.text) for grade in GRADES],
            },
            "legend": _legend(base, say),
            "selected": str(selected or ""),
            "selectedColor": SELECTED,
        },
        on_picked_change=pick,
    )


def _matrix_content(matrix: Matrix, base: Matrix | None, say: Say) -> dict[str, Any]:
    heading: dict[str, Any] = {"key": matrix.key, "name": matrix.name, "note": matrix.note}
    if matrix.counts is None:
        return heading | {"missing": say("matrices_not_graded")}
    shares = row_shares(matrix.counts)
    base_shares = None if base is None or base.counts is None else row_shares(base.counts)
    return heading | {
        "description": say.text("matrices_matrix", name=matrix.name),
        "images": [f"n = {row:,.0f}" for row in matrix.counts.sum(axis=1)],
        "cells": [
            [_cell_content(matrix.counts, shares, base_shares, truth, predicted, say) for predicted in GRADES]
            for truth in GRADES
        ],
    }


def _cell_content(
    counts: Values, shares: Values, base_shares: Values | None, truth: int, predicted: int, say: Say
) -> dict[str, str]:
    """Return the number of pictures on the scale of shares or, given another model's shares, the difference."""
    at = truth, predicted
    names = {"truth": say.of(Severity(truth).text), "predicted": say.of(Severity(predicted).text)}
    if np.isnan(shares[at]):
        return {
            "text": "–",
            "color": "",
            "ink": "",
            "description": say.text("matrices_cell_empty", **names),
            "kind": "empty",
        }
    text, color = _count(counts[at]), blend(MATRIX_COLORS, shares[at])
    description = say.text("matrices_cell", **names, count=text, share=f"{shares[at]:.0%}")
    if base_shares is not None:
        difference = shares[at] - base_shares[at]
        text, color = _points(difference), blend(DIVERGING, 0.5 + difference / FULL_DIFFERENCE / 2)
        description = say.text("matrices_cell_against", cell=description, points=text)
    kind = _kind(counts, truth, predicted)
    return {"text": text, "color": color, "ink": ink(color), "description": description, "kind": kind}


def _kind(counts: Values, truth: int, predicted: int) -> str:
    return "far" if abs(truth - predicted) >= FAR and counts[truth, predicted] > 0 else ""


def _count(count: float) -> str:
    """Round a count, which may be a mean over seeds; more than zero never reads as zero."""
    return "<1" if 0 < count < 1 else f"{math.floor(count + 0.5):,}"


def _points(difference: float) -> str:
    """Return percentage points with their sign."""
    points = round(100 * difference)
    return f"{points:+d}".replace("-", "−") if points else "0"


def _legend(base: Matrix | None, say: Say) -> dict[str, Any]:
    if base is None:
        scale = {"low": "0%", "high": "100%", "meaning": say("matrices_legend_shares"), "colors": MATRIX_COLORS}
    else:
        full = f"{100 * FULL_DIFFERENCE:.0f}"
        meaning = say.text("matrices_legend_difference", name=base.name)
        scale = {"low": f"−{full}", "high": f"+{full}", "meaning": meaning, "colors": DIVERGING}
    return scale | {"far": say("matrices_legend_far"), "selected": say("matrices_legend_chosen")}
