"""The pictures behind a cell or a disagreement, over the page: one of them large, with every model's answer.

`?cell=` or `?only=` say which pictures, `?image=` which of them is large. Leafing replaces the address instead of
adding to it, so that going back closes the dialog.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from scalp_core.evaluation.comparison import Model
from scalp_core.labels import Condition, Severity
from scalp_core.metrics import alignment
from scalp_core.metrics.alignment import AlignedPredictions, Places, in_cell
from ui.choices import (
    choose_from_list,
    choose_page,
    mark_closed,
    mark_opened,
    value_of_address,
    was_closed,
    write_address,
)
from ui.compare.model_answers import first_runs, open_picture, show_model_answers, show_model_evidence
from ui.compare.selection import ModelSelection
from ui.components.answer_cards import Card, ModelGrade, show_answer_cards
from ui.components.matrices import MatrixCell, parse_cell
from ui.feedback import errors
from ui.markdown import Markdown, code
from ui.words import Say

PER_PAGE = 60  # pictures

KEYS = ("cell", "only", "image", "page")  # what the address says of open pictures


def _all_wrong(aligned: AlignedPredictions, condition: Condition, graded: Sequence[Model], _model: Model) -> Places:
    return alignment.all_wrong(*_answers(aligned, condition, graded))


def _only_right(aligned: AlignedPredictions, condition: Condition, graded: Sequence[Model], model: Model) -> Places:
    return alignment.only_right(*_answers(aligned, condition, graded), list(graded).index(model))


def _apart(aligned: AlignedPredictions, condition: Condition, graded: Sequence[Model], _model: Model) -> Places:
    return alignment.far_apart(_answers(aligned, condition, graded)[1])


def _answers(
    aligned: AlignedPredictions, condition: Condition, graded: Sequence[Model]
) -> tuple[alignment.Grades, alignment.Grades]:
    """Return the labels (n,) and the grades (models, n); a model of several runs answers by its first run."""
    place = aligned.condition(condition)
    return aligned.truth[place], aligned.grades[first_runs(aligned, graded), place]


# Each returns the places of its pictures among the aligned ones; the last argument is the model that alone is right.
DISAGREEMENTS: Mapping[str, Callable[[AlignedPredictions, Condition, Sequence[Model], Model], Places]] = {
    "all_wrong": _all_wrong,
    "apart": _apart,
    "only_right": _only_right,
}


def open_pictures(address: Mapping[str, str]) -> None:
    """Open the pictures of `cell` or `only`; for callbacks, which run before the page."""
    write_address(dict.fromkeys(KEYS) | dict(address))
    mark_opened(*_identity())


def show_pictures(selection: ModelSelection, graded: Sequence[Model], say: Say) -> None:
    """Show the pictures of the address in a dialog over the page; closing it clears the address."""
    cell = parse_cell(st.query_params.get("cell", ""), [model.key for model in graded])
    only = st.query_params.get("only", "")
    only = only if only in DISAGREEMENTS and (only == "all_wrong" or len(graded) > 1) else ""
    if not (cell or only or "image" in st.query_params) or pictures_were_closed():
        return

    @st.dialog(_heading(graded, cell, only, say), width="large", on_dismiss=_close)
    def dialog() -> None:
        with errors(say):  # a dialog runs after the page's own block for errors
            _show_content(selection, graded, cell, only, say)

    dialog()


def _close() -> None:
    mark_closed(*_identity())
    write_address(dict.fromkeys(KEYS))


def pictures_were_closed() -> bool:
    """Return whether the address is one that was closed in this session and then gone back to."""
    return was_closed(*_identity())


def _identity() -> tuple[str, ...]:
    """Return the keys of the address that say which pictures are open; of a single picture, the picture."""
    of_several = any(st.query_params.get(key) for key in ("cell", "only"))
    return ("data", "condition", "part", "cell", "only", *(() if of_several else ("image",)))


def _heading(graded: Sequence[Model], cell: MatrixCell | None, only: str, say: Say) -> Markdown:
    if cell:
        name = next(model.name for model in graded if model.key == cell.matrix)
        truth, predicted = (say.of(Severity(grade).text) for grade in (cell.truth, cell.predicted))
        return say("matrices_of_cell", name=name, truth=truth, predicted=predicted)
    return say(f"matrices_of_{only}") if only else say("picture")


def _show_content(
    selection: ModelSelection, graded: Sequence[Model], cell: MatrixCell | None, only: str, say: Say
) -> None:
    if not cell and not only:
        opened = open_picture(selection, graded, st.query_params["image"])
        show_model_answers(opened, say)
        show_model_evidence(opened, say)
        return
    right_model = _choose_right_model(graded, say) if only == "only_right" and not cell else graded[0]
    places = select_places(selection.aligned, selection.condition, graded, only, cell, right_model)
    _show_count(selection, graded, len(places), say)
    if not len(places):
        return
    content = f"{[st.query_params.get(key) for key in _identity()]}-{[model.key for model in graded]}-{right_model.key}"
    picture, leafing = st.container(), st.container()
    with leafing:
        start = PER_PAGE * (_choose_page(len(places), content) - 1)
    cards = cards_of(selection.aligned, selection.condition, graded, places[start : start + PER_PAGE])
    image_id = value_of_address("image", [card.image for card in cards], cards[0].image)
    opened = None
    with picture, errors(say):  # a picture that is gone leaves the others to be seen
        opened = open_picture(selection, graded, image_id)
        show_model_answers(opened, say)
    with picture:
        show_answer_cards(selection.dataset, cards, image_id, "wall-pictures", _open_picture, say)
    if opened:
        show_model_evidence(opened, say)


def _open_picture(image_id: str) -> None:
    if st.query_params.get("image") != image_id:  # the component wrote it, in place of the one before
        st.query_params["image"] = image_id


def _choose_right_model(graded: Sequence[Model], say: Say) -> Model:
    models = {model.key: model for model in graded}
    names = {key: model.name for key, model in models.items()}
    return models[choose_from_list(say("matrices_model"), names, "who", say.language)]


def _show_count(selection: ModelSelection, graded: Sequence[Model], count: int, say: Say) -> None:
    whole = len(selection.aligned.images)
    sentences = [say("matrices_count", count=count, whole=whole, part=say.part(selection.part))]
    if count > 1:
        sentences.append(say("matrices_keys"))
    if several := [model.runs[0].id for model in graded if len(model.runs) > 1]:
        sentences.append(say("matrices_first_run", runs=Markdown(", ".join(code(run_id) for run_id in several))))
    st.caption(" ".join(sentences))


def _choose_page(pictures: int, content: str) -> int:
    if pictures > PER_PAGE:
        return choose_page(math.ceil(pictures / PER_PAGE), content)
    return 1


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
        only: a key of DISAGREEMENTS, where there is no cell.
        right_model: the model that alone is right, for `only_right`.
    """
    if cell:
        run = next(model.runs[0] for model in graded if model.key == cell.matrix)
        return in_cell(aligned, run.id, condition, cell.truth, cell.predicted)
    return DISAGREEMENTS[only](aligned, condition, graded, right_model)


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
