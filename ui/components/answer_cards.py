"""Pictures as cards with every model's answer beside the label. Knows no filters and no matrices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset
from scalp_core.palette import SEVERITY_COLORS, UNKNOWN
from ui.components.style import ELEMENTS, THUMBNAIL_STYLE, ink, thumbnail_source
from ui.words import Say

_HTML = "<div class='wall'></div>"
_CSS = """
.wall { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(46%, 148px), 1fr)); gap: 10px;
  color: var(--st-text-color); font: 12px/1.35 var(--st-font); }
.card { border: 2px solid var(--st-border-color); border-radius: var(--st-base-radius); overflow: hidden;
  background: var(--st-secondary-background-color); box-sizing: border-box; cursor: pointer; }
.card:hover, .card:focus-within { border-color: var(--st-primary-color); }
.card button { all: unset; display: block; width: 100%; cursor: pointer; box-sizing: border-box; }
.card:has(button:focus-visible) { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.caption { display: flex; align-items: center; gap: 5px; padding: 5px 7px 0; }
.badge { border-radius: 999px; padding: 0 8px; white-space: nowrap; }
.strip { display: flex; flex-wrap: wrap; gap: 7px; list-style: none; margin: 0; padding: 8px 9px 9px; }
.answer { display: block; width: 20px; height: 20px; border-radius: 3px; text-align: center; line-height: 20px;
  font-variant-numeric: tabular-nums; }
.answer.right { box-shadow: 0 0 0 2px var(--st-secondary-background-color), 0 0 0 4px var(--st-text-color); }
"""
_JS = """
function square(answer) {
  const drawn = element("span", answer.right ? "answer right" : "answer", answer.text)
  return element("li", "", coloured(drawn, answer))
}

function draw(card) {
  const badge = element("span", "badge", card.truth)
  badge.style.background = card.color
  badge.style.color = card.ink
  const button = element("button", "", thumbnail(card.source), element("span", "caption", card.label, badge))
  button.type = "button"
  button.title = card.id
  button.setAttribute("aria-label", card.said)
  const strip = element("ul", "strip", ...card.answers.map(square))
  strip.setAttribute("role", "list")  // a list without bullets is none to some screen readers
  return element("div", "card", button, strip)
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall")
  const cards = JSON.stringify(data.cards)
  if (wall.cards !== cards) {  // otherwise a click would throw the focus away
    wall.replaceChildren(...data.cards.map(draw))
    wall.cards = cards
  }
  data.cards.forEach((card, number) => {
    wall.children[number].onclick = () => setTriggerValue("picked", card.id)
  })
}
"""
_wall = st.components.v2.component("scalp_answer_cards", html=_HTML, css=THUMBNAIL_STYLE + _CSS, js=ELEMENTS + _JS)


@dataclass(frozen=True)
class ModelGrade:
    """What one model says.

    Attributes:
        grade: None where it does not grade the condition.
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


def answer_cards(dataset: Dataset, cards: Sequence[Card], key: str, say: Say) -> str | None:
    """Show these pictures; the id of the one that was just opened, else None."""
    told = [_card(dataset, card, say) for card in cards]
    result = _wall(key=key, data={"cards": told}, on_picked_change=lambda: None)
    picked: str | None = result.picked
    return picked if picked in [card.image for card in cards] else None


def _card(dataset: Dataset, card: Card, say: Say) -> dict[str, Any]:
    truth = say("unlabelled") if card.truth is None else grade_name(card.truth, say.language)
    color = _color(card.truth)
    return {
        "id": card.image,
        "source": thumbnail_source(dataset, card.image),
        "label": say("label"),
        "truth": truth,
        "color": color,
        "ink": ink(color),
        "said": say("wall_card", image=card.image, truth=truth),
        "answers": [_answer(answer, card.truth, say) for answer in card.answers],
    }


def _answer(answer: ModelGrade, truth: int | None, say: Say) -> dict[str, Any]:
    color = _color(answer.grade)
    told = {"color": color, "ink": ink(color)}
    if answer.grade is None:
        return told | {"text": "–", "right": False, "said": f"{answer.name}: {say('wall_not_graded')}"}
    said = say(
        "wall_answer",
        name=answer.name,
        grade=grade_name(answer.grade, say.language),
        probability=f"{answer.probability:.0%}",
    )
    return told | {"text": str(answer.grade), "right": answer.grade == truth, "said": said}


def _color(grade: int | None) -> str:
    return UNKNOWN if grade is None else SEVERITY_COLORS[grade]
