"""Confusion matrices of every model for a condition, what stands out in them, and the ways to the pictures behind."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from scalp_core.evaluation.comparison import Model
from scalp_core.labels import Condition, Severity
from scalp_core.metrics import alignment
from scalp_core.metrics.finding import worst_far_error
from scalp_core.metrics.metrics import HEADLINE
from ui.choices import choose, choose_from_list, turn_to_value
from ui.compare.cell_pictures import DISAGREEMENTS, KEYS, open_pictures, pictures_were_closed, show_pictures
from ui.compare.leaderboard import is_new, outcome
from ui.compare.model_answers import first_runs
from ui.compare.selection import ModelSelection
from ui.components.matrices import Matrix, MatrixCell, Standing, parse_cell, show_matrices
from ui.downloads import offer_figure
from ui.markdown import Markdown
from ui.words import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_confusion_matrices(selection: ModelSelection, say: Say) -> None:
    """Show the finding and the matrices of all models, the best first; over them the pictures of the address."""
    ordered = _ordered_models(selection)
    graded = [model for model in ordered if model in selection.grading_models]
    _show_finding(selection, graded, say)
    matrices = {model.key: _matrix(selection, model, model in graded, say) for model in ordered}
    cell = parse_cell(st.query_params.get("cell", ""), [model.key for model in graded])
    wall = st.container()
    reference = _show_ways_on(selection, graded, say)

    def turn_to_condition(condition: Condition) -> None:
        turn_to_value("condition", condition.value)

    with wall:
        base = matrices[reference.key] if reference else None
        closed = pictures_were_closed()
        show_matrices(
            list(matrices.values()),
            base,
            None if closed else cell,
            "wall",
            _open_cell,
            say,
            turn_to_condition,
            KEYS if closed else (),
        )
    if graded:
        show_pictures(selection, graded, say)


def matrices_of(selection: ModelSelection, say: Say) -> list[Matrix]:
    """Return the matrices of all models, the best first."""
    return [_matrix(selection, model, model in selection.grading_models, say) for model in _ordered_models(selection)]


def _open_cell(cell: MatrixCell) -> None:
    open_pictures({"cell": str(cell)})


def _ordered_models(selection: ModelSelection) -> list[Model]:
    """Order the models by kappa in the condition; those without a value, and those that do not grade it, come last."""
    ranked = list(selection.comparison.tied(HEADLINE, selection.condition))
    places = {key: place for place, key in enumerate(ranked)}

    def place(model: Model) -> tuple[int, bool]:
        return places.get(model.key, len(places)), model not in selection.grading_models

    return sorted(selection.models, key=place)


def _matrix(selection: ModelSelection, model: Model, graded: bool, say: Say) -> Matrix:
    comparison = selection.comparison
    counts = comparison.counts[comparison.models.index(model.key), comparison.conditions.index(selection.condition)]
    note = say("matrices_seeds", count=len(model.runs)) if len(model.runs) > 1 else ""
    badge = say.text("compare_new") if is_new(model) else ""
    if not graded:
        return Matrix(model.key, model.name, note, None, badge=badge)
    letters = comparison.tied(HEADLINE, selection.condition)
    letter = letters.get(model.key, "") if len(letters) > 1 else ""
    estimate = comparison.estimate(HEADLINE, model.key, selection.condition)
    standing = Standing(estimate, letter, next(iter(letters), "") == model.key)
    return Matrix(model.key, model.name, note, counts, standing, badge)


# ---- what stands out ----


def _show_finding(selection: ModelSelection, graded: Sequence[Model], say: Say) -> None:
    """Show who leads, and the error that is most worth a look, with a way to its pictures."""
    verdict = Markdown(f"**{say.plain(outcome(selection)[0])}**")
    place = selection.aligned.condition(selection.condition)
    counts = alignment.confusion(selection.aligned)[first_runs(selection.aligned, graded), place]
    error = worst_far_error({model.key: cells for model, cells in zip(graded, counts, strict=True)})
    if error is None:
        st.markdown(verdict)
        return
    name = next(model.name for model in graded if model.key == error.model)
    truth, predicted = (say.of(Severity(grade).text) for grade in (error.truth, error.predicted))
    numbers = {"count": error.images, "whole": error.labelled}
    sentence = say("finding_far", name=name, truth=truth, predicted=predicted, **numbers)
    words, way = st.columns([5, 1], vertical_alignment="center")
    words.markdown(f"{verdict} {sentence}")
    way.button(
        say("finding_pictures", count=error.images),
        key="finding-pictures",
        type="tertiary",
        icon=":material/arrow_forward:",
        icon_position="right",
        on_click=_open_cell,
        args=(MatrixCell(error.model, error.truth, error.predicted),),
    )


# ---- below the matrices ----


def _show_ways_on(selection: ModelSelection, graded: Sequence[Model], say: Say) -> Model | None:
    """Offer disagreements, differences and figures; return the reference of differences, None without any."""
    if not graded:
        return None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for only, select in DISAGREEMENTS.items():
            if only == "all_wrong" or len(graded) > 1:
                count = len(select(selection.aligned, selection.condition, graded, graded[0]))
                st.button(
                    say(f"matrices_only_{only}", count=count),
                    key=f"only-{only}",
                    disabled=not count and only != "only_right",
                    on_click=open_pictures,
                    args=({"only": only},),
                )
        reference = _choose_reference(graded, say)
        _offer_figures(selection, graded, say)
    return reference


def _choose_reference(graded: Sequence[Model], say: Say) -> Model | None:
    if len(graded) < 2:
        return None
    with st.popover(say("matrices_cells_difference"), icon=":material/compare_arrows:", width="content"):
        options = {"shares": say("matrices_cells_shares"), "difference": say("matrices_cells_better")}
        mode = choose(say("matrices_cells"), options, "cells", "shares", say.language)
        reference = choose_model("reference", say("matrices_reference"), graded, say)
    return reference if mode == "difference" else None


def choose_model(key: str, label: Markdown, graded: Sequence[Model], say: Say) -> Model:
    """Offer the models that grade the condition."""
    models = {model.key: model for model in graded}
    return models[choose_from_list(label, {name: model.name for name, model in models.items()}, key, say.language)]


def _offer_figures(selection: ModelSelection, graded: Sequence[Model], say: Say) -> None:
    """Offer the matrices of the condition, and a poster of all conditions."""
    synthetic = selection.dataset.synthetic
    by_name = {model.name: _matrix(selection, model, True, say) for model in graded}

    def figure() -> "Figure":
        from scalp_core.charts import print_figures

        counts = {name: matrix.counts for name, matrix in by_name.items() if matrix.counts is not None}
        return print_figures.confusion_matrices(counts, selection.condition, say.language, synthetic=synthetic)

    name = f"matrices-{selection.condition.code}-{selection.part}"
    offer_figure(figure, name, say, synthetic=synthetic)

    def poster() -> "Figure":
        from scalp_core.charts import print_figures

        ranked = selection.comparison.overall(HEADLINE)["model"]
        names = {key: model.name for key in ranked for model in selection.models if model.key == key}
        return print_figures.poster(selection.comparison, names, HEADLINE, say.language, synthetic=synthetic)

    label = say("matrices_poster")
    offer_figure(poster, f"matrices-{selection.part}", say, synthetic=synthetic, label=label)
