"""The confusion wall: every model's matrix of a condition, and the pictures behind a cell or a disagreement."""

import math
from collections.abc import Sequence

import streamlit as st

from scalp_core.evaluation.comparison import Model
from scalp_core.labels import Condition, Severity
from scalp_core.metrics import alignment
from scalp_core.metrics.alignment import AlignedPredictions, Places, in_cell
from ui.choices import choose, choose_from_list, choose_page
from ui.compare.picture import first_runs, show_answered_picture
from ui.compare.selection import ModelSelection
from ui.components.answer_cards import Card, ModelGrade, show_answer_cards
from ui.components.matrices import Matrix, MatrixCell, parse_cell, show_matrices
from ui.dataset.pictures import show_over_page
from ui.words import Say

PER_PAGE = 24

_PICKS = "wall-picks"  # how often a cell was picked in this session


def show_wall(one: ModelSelection, say: Say) -> None:
    """Matrices of all sides; below them the pictures of the cell, or of the disagreement, that the address names."""
    graded = [side for side in one.sides if one.condition in side.recipe.conditions]
    chosen = parse_cell(st.query_params.get("cell", ""), [side.key for side in graded])
    _matrices(one, graded, chosen, say)
    if not graded:
        return
    _pictures(one, graded, chosen, say)
    show_over_page(lambda image_id: show_answered_picture(one, graded, image_id, say), say)


def _matrices(one: ModelSelection, graded: Sequence[Model], chosen: MatrixCell | None, say: Say) -> None:
    reference = _choose_reference(graded, say)
    st.caption(say("matrices_note", condition=say.of(one.condition.text), part=say.part(one.part)))
    if reference:
        st.caption(say("matrices_difference_note", name=reference.name))
    drawn = {side.key: _matrix(one, side, side in graded, say) for side in one.sides}
    base = drawn[reference.key] if reference else None
    show_matrices(list(drawn.values()), base, chosen, "wall", _remember, say)


def _choose_reference(graded: Sequence[Model], say: Say) -> Model | None:
    """The side from which differences are shown; None where the matrices themselves are."""
    if len(graded) < 2:
        return None
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        options = {"shares": say("matrices_cells_shares"), "difference": say("matrices_cells_difference")}
        if choose(say("matrices_cells"), options, "cells", "shares", say.language) == "shares":
            return None
    with right:
        return _choose_side("reference", say("matrices_reference"), graded, say)


def _choose_side(key: str, label: str, graded: Sequence[Model], say: Say) -> Model:
    sides = {side.key: side for side in graded}
    return sides[choose_from_list(label, {name: side.name for name, side in sides.items()}, key, say.language)]


def _matrix(one: ModelSelection, side: Model, graded: bool, say: Say) -> Matrix:
    comparison = one.comparison
    counts = comparison.counts[comparison.sides.index(side.key), comparison.conditions.index(one.condition)]
    note = say("matrices_seeds", count=len(side.runs)) if len(side.runs) > 1 else ""
    return Matrix(side.key, side.name, note, counts if graded else None)


def _remember(cell: MatrixCell) -> None:
    """A cell was picked: the address says so, and that its pictures are wanted."""
    st.query_params.update({"cell": str(cell), "only": "cell"})
    st.session_state[_PICKS] = st.session_state.get(_PICKS, 0) + 1


# ---- the pictures ----


def _pictures(one: ModelSelection, graded: Sequence[Model], chosen: MatrixCell | None, say: Say) -> None:
    only = _choose_only(graded, say)
    who = _choose_side("who", say("matrices_model"), graded, say) if only == "only_right" else graded[0]
    if only == "cell" and chosen is None:
        st.info(say("matrices_pick"))
        return
    places = found(one.aligned, one.condition, graded, only, chosen, who)
    told = say("matrices_count", count=len(places), whole=len(one.aligned.images), part=say.part(one.part))
    st.markdown(f"{_asked(graded, only, chosen, who, say)} {told}")
    if several := [side.runs[0].id for side in graded if len(side.runs) > 1]:
        st.caption(say("matrices_first_run", runs=", ".join(f"`{run_id}`" for run_id in several)))
    if not len(places):
        return
    st.caption(say("matrices_strip", names=" · ".join(side.name for side in graded)))
    leafed = f"{one.dataset.name}-{one.condition}-{one.part}-{[side.key for side in graded]}-{only}-{chosen}-{who.key}"
    start = PER_PAGE * (_choose_page(len(places), leafed) - 1)
    cards = cards_of(one.aligned, one.condition, graded, places[start : start + PER_PAGE])
    picked = show_answer_cards(one.dataset, cards, "wall-pictures", say)
    if picked:
        st.query_params["image"] = picked


def _choose_page(pictures: int, leafed: str) -> int:
    if pictures > PER_PAGE:
        return choose_page(math.ceil(pictures / PER_PAGE), leafed)
    st.query_params.pop("page", None)
    return 1


def _choose_only(graded: Sequence[Model], say: Say) -> str:
    options = {"cell": say("matrices_only_cell"), "all_wrong": say("matrices_only_all_wrong")}
    if len(graded) > 1:
        options |= {"only_right": say("matrices_only_right"), "apart": say("matrices_only_apart")}
    # Whenever a cell is picked this starts from the address, which then says that its pictures are wanted.
    fresh = f"{say.language}-{st.session_state.get(_PICKS, 0)}"
    return choose(say("matrices_only"), options, "only", "cell", fresh)


def _asked(graded: Sequence[Model], only: str, chosen: MatrixCell | None, who: Model, say: Say) -> str:
    if only == "cell" and chosen:
        name = next(side.name for side in graded if side.key == chosen.side)
        truth, predicted = (say.of(Severity(grade).text) for grade in (chosen.truth, chosen.predicted))
        return say("matrices_of_cell", name=name, truth=truth, predicted=predicted)
    if only == "all_wrong":
        return say("matrices_of_all_wrong")
    return say("matrices_of_only_right", name=who.name) if only == "only_right" else say("matrices_of_apart")


def found(
    aligned: AlignedPredictions,
    condition: Condition,
    graded: Sequence[Model],
    only: str,
    chosen: MatrixCell | None,
    who: Model,
) -> Places:
    """Places among the aligned pictures of those that are asked for; of a side with several runs its first one's.

    Args:
        only: `cell`, `all_wrong`, `only_right` (of `who`) or `apart`.
    """
    if only == "cell" and chosen:
        run = next(side.runs[0] for side in graded if side.key == chosen.side)
        return in_cell(aligned, run.id, condition, chosen.truth, chosen.predicted)
    place = aligned.condition(condition)
    truth, grades = aligned.truth[place], aligned.grades[first_runs(aligned, graded), place]
    if only == "all_wrong":
        return alignment.all_wrong(truth, grades)
    if only == "only_right":
        return alignment.only_right(truth, grades, list(graded).index(who))
    return alignment.far_apart(grades)


def cards_of(aligned: AlignedPredictions, condition: Condition, graded: Sequence[Model], places: Places) -> list[Card]:
    """These pictures with the label and every side's answer, in the order of the sides."""
    at, runs = aligned.condition(condition), first_runs(aligned, graded)
    truth, grades, probabilities = aligned.truth[at], aligned.grades[runs, at], aligned.probabilities[runs, at]

    def answers(place: int) -> tuple[ModelGrade, ...]:
        said = zip(graded, grades[:, place].tolist(), probabilities[:, place].tolist(), strict=True)
        return tuple(ModelGrade(side.name, grade, shares[grade]) for side, grade, shares in said)

    return [
        Card(str(aligned.images[place]), None if truth[place] < 0 else int(truth[place]), answers(place))
        for place in places.tolist()
    ]
