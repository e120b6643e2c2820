"""Confusion matrices side by side with shared row labels, whose cells are picked by click or keyboard."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from scalp_core.labels import CONDITIONS, GRADES, Condition, Severity
from scalp_core.metrics.alignment import FAR
from scalp_core.metrics.metrics import Values, accuracies, row_shares, within_one_accuracies
from scalp_core.metrics.verdict import Estimate
from scalp_core.palette import DIVERGING, FAR_MARKS, MATRIX_COLORS, SELECTED
from ui.components.assets import asset
from ui.components.colors import blend, ink, readable
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


class Standing(NamedTuple):
    """The place of a model among the compared ones.

    Attributes:
        letter: the same for models without a significant difference; empty where nothing is compared.
    """

    kappa: Estimate
    letter: str
    best: bool


@dataclass(frozen=True, eq=False)
class Matrix:
    """The confusion matrix of one model.

    Attributes:
        key: of the model.
        note: stands below the name.
        counts: (4, 4) truth × prediction, whole or a mean; None where the model does not grade the condition.
        standing: None where models are not ranked.
        badge: stands beside the name.
    """

    key: str
    name: str
    note: str
    counts: Values | None
    standing: Standing | None = None
    badge: str = ""


def show_matrices(
    matrices: Sequence[Matrix],
    reference: Matrix | None,
    selected: MatrixCell | None,
    key: str,
    on_pick: Callable[[MatrixCell], None],
    say: Say,
    on_number: Callable[[Condition], None] | None = None,
    forgotten: Sequence[str] = (),
) -> None:
    """Show the matrices, coloured by row share or, given a reference, by how much better or worse than it they are.

    Args:
        reference: a member of `matrices` that has counts; it keeps its plain matrix.
        selected: the cell that is marked.
        on_pick: called with the cell that was clicked, before the page runs again.
        on_number: called with the condition whose number, 1 to 6, was pressed; None where conditions are not offered.
        forgotten: parameters that the browser takes out of the address, without an entry to go back to.
    """
    base = None if reference is None or reference.counts is None else reference

    def pick() -> None:
        cell = parse_cell(str(st.session_state[key].picked), [matrix.key for matrix in matrices])
        if cell:
            on_pick(cell)

    def press() -> None:
        number = st.session_state[key].number
        condition = next((condition for condition in CONDITIONS if condition.number == number), None)
        if condition and on_number:
            on_number(condition)

    _matrices(
        key=key,
        data={
            "matrices": [_matrix_content(matrix, base if matrix is not base else None, say) for matrix in matrices],
            "words": {"axes": say("matrices_axes"), "grades": [say.of(grade.text) for grade in GRADES]},
            "legend": _legend(base, any(matrix.standing for matrix in matrices), on_number is not None, say),
            "selected": str(selected or ""),
            "selectedColor": SELECTED,
            "numbered": on_number is not None,
            "forgotten": list(forgotten),
        },
        on_picked_change=pick,
        on_number_change=press,
    )


def _matrix_content(matrix: Matrix, base: Matrix | None, say: Say) -> dict[str, Any]:
    heading: dict[str, Any] = {"key": matrix.key, "name": matrix.name, "note": matrix.note, "badge": matrix.badge}
    if matrix.counts is None:
        return heading | {"missing": say("matrices_not_graded")}
    shares = row_shares(matrix.counts)
    base_shares = None if base is None or base.counts is None else row_shares(base.counts)
    accuracy, near = float(accuracies(matrix.counts)), float(within_one_accuracies(matrix.counts))
    foot = say.text("matrices_foot", accuracy=f"{accuracy:.0%}", far=f"{1 - near:.0%}")
    return heading | {
        **(_standing_content(matrix.standing) if matrix.standing else {}),
        "description": say.text("matrices_matrix", name=matrix.name),
        "images": [f"n = {row:,.0f}" for row in matrix.counts.sum(axis=1)],
        "foot": foot if matrix.counts.any() else "",
        "cells": [
            [_cell_content(matrix.counts, shares, base_shares, truth, predicted, say) for predicted in GRADES]
            for truth in GRADES
        ],
    }


def _standing_content(standing: Standing) -> dict[str, Any]:
    kappa = standing.kappa
    defined, bounded = not math.isnan(kappa.value), not math.isnan(kappa.low)
    return {
        "score": _decimals(kappa.value) if defined else "",
        "interval": f"[{_decimals(kappa.low)}, {_decimals(kappa.high)}]" if bounded else "",
        "letter": standing.letter,
        "best": standing.best,
    }


def _decimals(value: float) -> str:
    """Return two decimals without the zero before the point."""
    return f"{value:z.2f}".replace("-", "−").replace("0.", ".", 1)


def _cell_content(
    counts: Values, shares: Values, base_shares: Values | None, truth: int, predicted: int, say: Say
) -> dict[str, str]:
    """Return the per cent of the row or, given another model's shares, the points better or worse; and the count."""
    at = truth, predicted
    names = {"truth": say.of(Severity(truth).text), "predicted": say.of(Severity(predicted).text)}
    if np.isnan(shares[at]):
        description = say.text("matrices_cell_empty", **names)
        return {
            "text": "–",
            "count": "",
            "color": "",
            "ink": "",
            "mark": "",
            "description": description,
            "kind": "empty",
        }
    count, text, color = _count(counts[at]), _per_cent(shares[at]), blend(MATRIX_COLORS, shares[at])
    description = say.text("matrices_cell", **names, count=count, share=f"{shares[at]:.0%}")
    if base_shares is not None:
        difference = shares[at] - base_shares[at]
        better = difference if truth == predicted else -difference
        text, color = _points(difference), blend(DIVERGING, 0.5 + better / FULL_DIFFERENCE / 2)
        description = say.text("matrices_cell_against", cell=description, points=text)
    kind = _kind(counts, truth, predicted)
    mark = readable(FAR_MARKS, color) if kind == "far" else ""
    return {
        **{"text": text, "count": count, "color": color, "ink": ink(color), "mark": mark},
        **{"description": description, "kind": kind},
    }


def _kind(counts: Values, truth: int, predicted: int) -> str:
    if truth == predicted:
        return "right"
    return "far" if abs(truth - predicted) >= FAR and counts[truth, predicted] > 0 else ""


def _count(count: float) -> str:
    """Round a count, which may be a mean over seeds; more than zero never reads as zero."""
    return "<1" if 0 < count < 1 else f"{math.floor(count + 0.5):,}"


def _per_cent(share: float) -> str:
    """Return whole per cent without the sign; more than zero never reads as zero."""
    return "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"


def _points(difference: float) -> str:
    """Return percentage points with their sign."""
    points = round(100 * difference)
    return f"{points:+d}".replace("-", "−") if points else "0"


def _legend(base: Matrix | None, ranked: bool, numbered: bool, say: Say) -> dict[str, Any]:
    if base is None:
        scale = {"low": "0%", "high": say.text("matrices_legend_shares"), "colors": MATRIX_COLORS}
    else:
        better = say.text("matrices_legend_better", name=base.name)
        scale = {"low": say.text("matrices_legend_worse"), "high": better, "colors": DIVERGING}
    notes = [say.text("matrices_legend_letters")] if ranked else []
    return scale | {
        "right": say("matrices_legend_right"),
        "far": say("matrices_legend_far"),
        "mark": FAR_MARKS[0],
        "pale": MATRIX_COLORS[0],
        "notes": notes + ([say.text("matrices_legend_numbers")] if numbered else []),
    }
