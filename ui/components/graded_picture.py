"""A picture under the map of its local grades, beside a card for each condition that chooses the map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from scalp_core.images import Pixels
from scalp_core.inference.evidence import local_grade
from scalp_core.inference.predict import Grading
from scalp_core.labels import GRADES, Severity
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.palette import LOCAL_GRADE_COLORS, SEVERITY_COLORS
from ui.components.assets import asset
from ui.components.colors import channels, ink
from ui.components.evidence_maps import grade_set_name
from ui.components.picture_urls import picture_url
from ui.words import Say

_graded_picture = st.components.v2.component(
    "scalp_graded_picture",
    html=asset("graded_picture.html"),
    css=asset("graded_picture.css"),
    js=asset("elements.js") + asset("graded_picture.js"),
)


@dataclass(frozen=True)
class ArchitectureGrade:
    """The grade that one architecture estimates."""

    name: str
    grading: Grading


@dataclass(frozen=True)
class GradeCard:
    """One condition of the picture.

    Attributes:
        label: of the dataset that holds the picture; None without one.
        agreement: how many architectures agree, in words; empty where none was asked.
        architectures: their grades.
    """

    grading: Grading
    label: int | None = None
    agreement: str = ""
    architectures: Sequence[ArchitectureGrade] = ()


_KEY, _PICKS = "graded-picture", "picks-of-graded-picture"


def show_graded_picture(
    pixels: Pixels,
    name: str,
    cards: Sequence[GradeCard],
    selected: str,
    on_pick: Callable[[str], None],
    say: Say,
    *,
    plain: bool,
) -> None:
    """Show picture and cards.

    Args:
        name: of the picture, for screen readers.
        selected: condition whose map lies on the picture.
        on_pick: called with the condition whose card was clicked, before the page runs again.
        plain: leave out probabilities, ranges, labels and architectures.
    """

    def pick() -> None:
        # The browser marks a card before the page answers. When the reader goes back before that, the page answers
        # what it answered last; without a number that differs the browser would not be told to mark it again.
        st.session_state[_PICKS] = st.session_state.get(_PICKS, 0) + 1
        picked = st.session_state[_KEY].picked
        if picked in [card.grading.condition.value for card in cards]:
            on_pick(picked)

    height, width = pixels.shape[:2]
    _graded_picture(
        key=_KEY,
        data={
            "picture": picture_url(pixels),
            "alt": name,
            "width": width,
            "height": height,
            "plain": plain,
            "selected": selected,
            "picks": st.session_state.get(_PICKS, 0),
            "cards": [_card_content(card, say, plain=plain) for card in cards],
            "grades": [{"name": say.of(grade.text)} for grade in GRADES],
            "scale": [[*channels(color), round(255 * opacity)] for color, opacity in LOCAL_GRADE_COLORS],
            "words": {
                "map": say.text("local_map"),
                "picture": say.text("picture"),
                "subject": say.text("local_subject", name="{name}"),
                "hint": say.text("local_hint"),
                "note": "" if plain else say.text("grade_set_note", coverage=f"{COVERAGE:.0%}"),
                "cell": say.text("local_cell", row="{row}", column="{column}", grade="{grade}", value="{value}"),
            },
        },
        on_picked_change=pick,
    )


def _card_content(card: GradeCard, say: Say, *, plain: bool) -> dict[str, Any]:
    grading, color = card.grading, SEVERITY_COLORS[card.grading.grade]
    name, grade = _capitalized(say.of(grading.condition.text)), say.of(grading.grade.text)
    shares = [] if plain else [_share(grade, share, say) for grade, share in enumerate(grading.probabilities)]
    notes = [say.text("refer")] if card.grading.refer else []
    notes += [] if plain else _notes(card, say)
    agreement = "" if plain else card.agreement
    spoken = [f"{name}: {grade}", ", ".join(share["description"] for share in shares), *notes, agreement]
    return {
        "key": grading.condition.value,
        "name": name,
        "grade": int(grading.grade),
        "gradeName": grade,
        "color": color,
        "ink": ink(color),
        "description": ". ".join(filter(None, spoken)),
        "probabilities": shares,
        "notes": notes,
        "agreement": agreement,
        "answers": [] if plain else [_answer_content(answer, say) for answer in card.architectures],
        "map": _map_content(local_grade(grading.evidence, grading.probabilities)),
    }


def _capitalized(name: str) -> str:
    return name[:1].upper() + name[1:]


def _share(grade: int, share: float, say: Say) -> dict[str, Any]:
    color = SEVERITY_COLORS[grade]
    description = f"{say.of(Severity(grade).text)} {share:.0%}"
    return {"share": share, "text": f"{share:.0%}", "color": color, "ink": ink(color), "description": description}


def _notes(card: GradeCard, say: Say) -> list[str]:
    notes = []
    if card.grading.grade_set:
        notes.append(
            f"{say.text('grade_set', coverage=f'{COVERAGE:.0%}')}: {grade_set_name(card.grading.grade_set, say)}"
        )
    if card.label is not None:
        matches = " ✓" if card.label == card.grading.grade else ""
        notes.append(f"{say.text('label')}: {say.of(Severity(card.label).text)}{matches}")
    return notes


def _answer_content(answer: ArchitectureGrade, say: Say) -> dict[str, Any]:
    grading = answer.grading
    color, grade = SEVERITY_COLORS[grading.grade], say.of(grading.grade.text)
    probability = f"{grading.probabilities[grading.grade]:.0%}"
    description = say.text("matrices_answer", name=answer.name, grade=grade, probability=probability)
    return {"text": str(int(grading.grade)), "color": color, "ink": ink(color), "description": description}


def _map_content(grades: npt.NDArray[np.float32]) -> dict[str, Any]:
    rows, columns = grades.shape
    return {"rows": rows, "columns": columns, "values": [round(float(grade), 3) for grade in grades.ravel()]}
