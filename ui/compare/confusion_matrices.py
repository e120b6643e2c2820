"""Confusion matrices of every model for a condition, and the pictures behind a cell or a disagreement."""

import math
from collections.abc import Sequence

import streamlit as st

from scalp_core.evaluation.comparison import Model
from scalp_core.labels import Condition, Severity
from scalp_core.metrics import alignment
from scalp_core.metrics.alignment import AlignedPredictions, Places, in_cell
from ui.choices import choose, choose_from_list, choose_page
from ui.compare.model_answers import first_runs, show_model_answers
from ui.compare.selection import ModelSelection
from ui.components.answer_cards import Card, ModelGrade, show_answer_cards
from ui.components.matrices import Matrix, MatrixCell, parse_cell, show_matrices
from ui.dataset.gallery import show_over_page
from ui.markdown import Markdown, code
from ui.words import Say

PER_PAGE = 24  # pictures

_PICKS = "matrix-picks"  # how often a cell was picked in this session


def show_confusion_matrices(selection: ModelSelection, say: Say) -> None:
    """Show the matrices of all models; below them the pictures of the cell, or of the disagreement, in the address."""
    graded = selection.grading_models
    cell = parse_cell(st.query_params.get("cell", ""), [model.key for model in graded])
    _show_matrices(selection, graded, cell, say)
    if not graded:
        return
    _show_pictures(selection, graded, cell, say)
    show_over_page(lambda image_id: show_model_answers(selection, graded, image_id, say), say)


# ---- the matrices ----


def _show_matrices(selection: ModelSelection, graded: Sequence[Model], cell: MatrixCell | None, say: Say) -> None:
    reference = _choose_reference(graded, say)
    st.caption(say("matrices_note", condition=say.of(selection.condition.text), part=say.part(selection.part)))
    if reference:
        st.caption(say("matrices_difference_note", name=reference.name))
    matrices = {model.key: _matrix(selection, model, model in graded, say) for model in selection.models}
    base = matrices[reference.key] if reference else None
    show_matrices(list(matrices.values()), base, cell, "wall", _pick_cell, say)


def _choose_reference(graded: Sequence[Model], say: Say) -> Model | None:
    """Offer the reference of differences; None where the matrices themselves are shown."""
    if len(graded) < 2:
        return None
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        options = {"shares": say("matrices_cells_shares"), "difference": say("matrices_cells_difference")}
        if choose(say("matrices_cells"), options, "cells", "shares", say.language) == "shares":
            return None
    with right:
        return _choose_model("reference", say("matrices_reference"), graded, say)


def _choose_model(key: str, label: Markdown, graded: Sequence[Model], say: Say) -> Model:
    models = {model.key: model for model in graded}
    return models[choose_from_list(label, {name: model.name for name, model in models.items()}, key, say.language)]


def _matrix(selection: ModelSelection, model: Model, graded: bool, say: Say) -> Matrix:
    comparison = selection.comparison
    counts = comparison.counts[comparison.models.index(model.key), comparison.conditions.index(selection.condition)]
    note = say("matrices_seeds", count=len(model.runs)) if len(model.runs) > 1 else ""
    return Matrix(model.key, model.name, note, counts if graded else None)


def _pick_cell(cell: MatrixCell) -> None:
    """Write the cell, and that its pictures are to be shown, into the address."""
    st.query_params.update({"cell": str(cell), "only": "cell"})
    st.session_state[_PICKS] = st.session_state.get(_PICKS, 0) + 1


# ---- the pictures ----


def _show_pictures(selection: ModelSelection, graded: Sequence[Model], cell: MatrixCell | None, say: Say) -> None:
    only = _choose_only(graded, say)
    right_model = _choose_model("who", say("matrices_model"), graded, say) if only == "only_right" else graded[0]
    if only == "cell" and cell is None:
        st.info(say("matrices_pick"))
        return
    places = select_places(selection.aligned, selection.condition, graded, only, cell, right_model)
    count = say("matrices_count", count=len(places), whole=len(selection.aligned.images), part=say.part(selection.part))
    st.markdown(f"{_heading(graded, only, cell, right_model, say)} {count}")
    if several := [model.runs[0].id for model in graded if len(model.runs) > 1]:
        st.caption(say("matrices_first_run", runs=Markdown(", ".join(code(run_id) for run_id in several))))
    if not len(places):
        return
    st.caption(say("matrices_strip", names=" · ".join(model.name for model in graded)))
    keys = [model.key for model in graded]
    content = f"{selection.dataset.name}-{selection.condition}-{selection.part}-{keys}-{only}-{cell}-{right_model.key}"
    start = PER_PAGE * (_choose_page(len(places), content) - 1)
    cards = cards_of(selection.aligned, selection.condition, graded, places[start : start + PER_PAGE])
    picked = show_answer_cards(selection.dataset, cards, "wall-pictures", say)
    if picked:
        st.query_params["image"] = picked


def _choose_page(pictures: int, content: str) -> int:
    if pictures > PER_PAGE:
        return choose_page(math.ceil(pictures / PER_PAGE), content)
    st.query_params.pop("page", None)
    return 1


def _choose_only(graded: Sequence[Model], say: Say) -> str:
    options = {"cell": say("matrices_only_cell"), "all_wrong": say("matrices_only_all_wrong")}
    if len(graded) > 1:
        options |= {"only_right": say("matrices_only_right"), "apart": say("matrices_only_apart")}
    # Whenever a cell is picked this starts from the address, which then says that its pictures are to be shown.
    fresh = f"{say.language}-{st.session_state.get(_PICKS, 0)}"
    return choose(say("matrices_only"), options, "only", "cell", fresh)


def _heading(graded: Sequence[Model], only: str, cell: MatrixCell | None, right_model: Model, say: Say) -> Markdown:
    if only == "cell" and cell:
        name = next(model.name for model in graded if model.key == cell.matrix)
        truth, predicted = (say.of(Severity(grade).text) for grade in (cell.truth, cell.predicted))
        return say("matrices_of_cell", name=name, truth=truth, predicted=predicted)
    if only == "all_wrong":
        return say("matrices_of_all_wrong")
    return say("matrices_of_only_right", name=right_model.name) if only == "only_right" else say("matrices_of_apart")


def select_places(
    aligned: AlignedPredictions,
    condition: Condition,
    graded: Sequence[Model],
    only: str,
    cell: MatrixCell | None,
    right_model: Model,
) -> Places:
    """Return the places of the pictures to show among the aligned ones.

    A model of several runs answers by its first run.

    Args:
        only: `cell`, `all_wrong`, `only_right` or `apart`.
        right_model: the model that alone is right, for `only_right`.
    """
    if only == "cell" and cell:
        run = next(model.runs[0] for model in graded if model.key == cell.matrix)
        return in_cell(aligned, run.id, condition, cell.truth, cell.predicted)
    place = aligned.condition(condition)
    truth, grades = aligned.truth[place], aligned.grades[first_runs(aligned, graded), place]
    if only == "all_wrong":
        return alignment.all_wrong(truth, grades)
    if only == "only_right":
        return alignment.only_right(truth, grades, list(graded).index(right_model))
    return alignment.far_apart(grades)


def cards_of(aligned: AlignedPredictions, condition: Condition, graded: Sequence[Model], places: Places) -> list[Card]:
    """Return a card per picture with the label and the answer of every model, in the order of the models."""
    at, runs = aligned.condition(condition), first_runs(aligned, graded)
    truth, grades, probabilities = aligned.truth[at], aligned.grades[runs, at], aligned.probabilities[runs, at]

    def answers(place: int) -> tuple[ModelGrade, ...]:
        columns = zip(graded, grades[:, place].tolist(), probabilities[:, place].tolist(), strict=True)
        return tuple(ModelGrade(model.name, grade, shares[grade]) for model, grade, shares in columns)

    return [
        Card(str(aligned.images[place]), None if truth[place] < 0 else int(truth[place]), answers(place))
        for place in places.tolist()
    ]
