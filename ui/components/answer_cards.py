"""Cards of pictures with the label and the answer of every model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset
from scalp_core.palette import SEVERITY_COLORS, UNKNOWN
from ui.components.assets import asset
from ui.components.colors import ink
from ui.components.thumbnail_urls import thumbnail_source
from ui.words import Say

_answer_cards = st.components.v2.component(
    "scalp_answer_cards",
    html=asset("answer_cards.html"),
    css=asset("thumbnail.css") + asset("answer_cards.css"),
    js=asset("elements.js") + asset("answer_cards.js"),
)


@dataclass(frozen=True)
class ModelGrade:
    """The answer of one model.

    Attributes:
        grade: None where the model does not grade the condition.
        probability: of that grade.
    """

    name: str
    grade: int | None
    probability: float


@dataclass(frozen=True)
class Card:
    """One picture.

    Attributes:
        truth: None without a label.
        answers: in the same order on every card.
    """

    image: str
    truth: int | None
    answers: tuple[ModelGrade, ...]


def show_answer_cards(
    dataset: Dataset, cards: Sequence[Card], selected: str, key: str, on_pick: Callable[[str], None], say: Say
) -> None:
    """Show the cards in a row; a click, or an arrow key anywhere on the page, goes to another picture.

    The browser writes the picture into `image=` of the address itself, in place of the one before.

    Args:
        selected: id of the picture that is marked.
        on_pick: called with the id of the picture that was picked, before the page runs again.
    """

    def pick() -> None:
        picked = st.session_state[key].picked
        if picked in [card.image for card in cards]:
            on_pick(picked)

    contents = [_card_content(dataset, card, say) for card in cards]
    _answer_cards(key=key, data={"cards": contents, "selected": selected}, on_picked_change=pick)


def _card_content(dataset: Dataset, card: Card, say: Say) -> dict[str, Any]:
    truth = say("unlabelled") if card.truth is None else grade_name(card.truth, say.language)
    color = _color(card.truth)
    return {
        "id": card.image,
        "source": thumbnail_source(dataset, card.image),
        "truth": truth,
        "color": color,
        "ink": ink(color),
        "description": say.text("matrices_card", image=card.image, truth=truth),
        "answers": [_answer_content(answer, card.truth, say) for answer in card.answers],
    }


def _answer_content(answer: ModelGrade, truth: int | None, say: Say) -> dict[str, Any]:
    color = _color(answer.grade)
    colors = {"color": color, "ink": ink(color)}
    if answer.grade is None:
        return colors | {"text": "–", "right": False, "description": f"{answer.name}: {say('matrices_not_graded')}"}
    description = say.text(
        "matrices_answer",
        name=answer.name,
        grade=grade_name(answer.grade, say.language),
        probability=f"{answer.probability:.0%}",
    )
    return colors | {"text": str(answer.grade), "right": answer.grade == truth, "description": description}


def _color(grade: int | None) -> str:
    return UNKNOWN if grade is None else SEVERITY_COLORS[grade]
