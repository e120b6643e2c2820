"""One picture with all that is said of it: whether it can be graded, six grades, their reasons, and the scalp type."""

from collections.abc import Hashable

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core.charts.dataset_charts import grade_name, probabilities_chart
from scalp_core.errors import ScalpError
from scalp_core.images import Pixels
from scalp_core.inference.evidence import evidence_for
from scalp_core.inference.predict import Answer, Grading
from scalp_core.metrics.operating_point import COVERAGE
from scalp_core.palette import SEVERITY_COLORS
from ui.choices import choose_threshold
from ui.components.colors import ink
from ui.components.evidence_maps import grade_set_name, show_evidence
from ui.diagnose.agreement import show_agreement, show_nearest
from ui.diagnose.grading import Graded, insist, pixels_of, typed
from ui.diagnose.provenance import show_provenance, show_taken
from ui.diagnose.sources import InputImage
from ui.feedback import errors
from ui.words import Say

_NO_BREAK_SPACE, _WORD_JOINER = "\N{NO-BREAK SPACE}", "\N{WORD JOINER}"


def show_graded(one: Graded, say: Say, threshold: int | None = None) -> None:
    """The whole of it; of a picture that the gate advises against only why, until somebody insists.

    Args:
        threshold: of the scalp type; chosen beside the type where it was not chosen for all pictures.
    """
    if isinstance(one.answer, ScalpError):
        st.error(say.plain(one.answer.text), icon=":material/error:")
        return
    pixels = pixels_of(one.shot)
    if one.withheld:
        _withheld(one, pixels, say)
        return
    if one.flagged:
        st.warning(_reasons(one, say("gate_insisted"), say), icon=":material/warning:")
    one = _answer(one, pixels, threshold, say)
    _evidence(one, pixels, say)
    show_agreement(one, say)
    show_nearest(one, say)
    show_taken(one, say)
    show_provenance(one, say)


# ---- the gate ----


def _withheld(one: Graded, pixels: Pixels, say: Say) -> None:
    left, right = st.columns([2, 3])
    left.image(pixels, width="stretch", alt=one.shot.name)
    with right:
        st.warning(_reasons(one, say("gate_advises"), say), icon=":material/warning:")
        if st.button(say("gate_insist"), key="insist", icon=":material/gavel:"):
            insist(one.shot)
            st.rerun()


def _reasons(one: Graded, before: str, say: Say) -> str:
    return "\n".join([f"**{before}**", "", *(f"* {say.of(reason.text)}" for reason in one.reasons)])


def _gate(answer: Answer, say: Say) -> None:
    """What speaks against the picture has been said; here, that nothing does or that nobody looked."""
    if answer.gradable is None:
        st.caption(say("gate_unchecked"))
    if answer.gradable:
        st.caption(say("gate_passed"))


# ---- grades ----


def _answer(one: Graded, pixels: Pixels, threshold: int | None, say: Say) -> Graded:
    """Draws it; returns it with the scalp type that was drawn."""
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.image(pixels, width="stretch", alt=one.shot.name)
        _gate(one.graded, say)
        heading = st.container()
        one = typed(one, choose_threshold(say) if threshold is None else threshold)
        with heading:
            _scalp_type(one.graded, say)
    with right:
        st.subheader(say("diagnose_grades"))
        _grades(one.graded, one.shot, say)
    return one


def _grades(answer: Answer, shot: InputImage, say: Say) -> None:
    promised = any(grading.grade_set for grading in answer.gradings.values())
    _table(answer, shot, promised, say)
    if promised:
        st.caption(say("grade_set_note", coverage=f"{COVERAGE:.0%}"))
    if any(one.grade != int(np.argmax(one.probabilities)) for one in answer.gradings.values()):
        st.caption(say("grade_by_rule"))
    _chart(answer, say)


def _table(answer: Answer, shot: InputImage, promised: bool, say: Say) -> None:
    rows = pd.DataFrame(
        [
            _row(grading, shot.labels.get(condition), promised, bool(shot.labels), say)
            for condition, grading in answer.gradings.items()
        ]
    ).set_index(say("condition"))
    colours = {grade_name(grade, say.language): color for grade, color in enumerate(SEVERITY_COLORS)}
    graded: list[Hashable] = [name for name in (say("grade"), say("label")) if name in rows]
    styled = rows.style.map(lambda name: _style(colours.get(name)), subset=graded)
    st.table(styled.format(lambda name: _unbroken(name, say.language), subset=graded))


def _row(grading: Grading, label: int | None, promised: bool, labelled: bool, say: Say) -> dict[str, str]:
    row = {
        say("condition"): say.of(grading.condition.text),
        say("grade"): grade_name(grading.grade, say.language),
        say("probability_of_grade"): f"{grading.probabilities[grading.grade]:.0%}",
    }
    if promised:
        row[say("grade_set", coverage=f"{COVERAGE:.0%}")] = grade_set_name(grading.grade_set, say)
    if labelled:
        row[say("label")] = say("unlabelled") if label is None else grade_name(label, say.language)
    return row


def _unbroken(name: str, language: str) -> str:
    """Korean words may be broken anywhere, and here they would be; English columns need the space to fit a phone."""
    return _WORD_JOINER.join(name.replace(" ", _NO_BREAK_SPACE)) if language == "ko" else name


def _style(color: str | None) -> str:
    return f"background-color: {color}; color: {ink(color)}" if color else ""


def _chart(answer: Answer, say: Say) -> None:
    table = pd.DataFrame(
        [
            {"name": say.of(condition.text), **{f"p{n}": p for n, p in enumerate(grading.probabilities)}}
            for condition, grading in answer.gradings.items()
        ]
    )
    st.altair_chart(probabilities_chart(table, say.language), alt=say("diagnose_probabilities"))


def _scalp_type(answer: Answer, say: Say) -> None:
    found = answer.scalp_type
    st.subheader(say("diagnose_type", name=say.of(found.text)))
    st.markdown(say.of(found.reason))
    if found.tendencies:
        st.caption(say("diagnose_tendencies", names=", ".join(say.of(one.text) for one in found.tendencies)))


# ---- evidence ----


@st.fragment
def _evidence(one: Graded, pixels: Pixels, say: Say) -> None:
    """The slider draws nothing but this anew."""
    with errors(say):
        st.subheader(say("diagnose_evidence"))
        speaking = {
            f"{say.of(condition.text)}: {grade_name(grading.grade, say.language)}": evidence_for(
                grading.evidence, int(grading.grade)
            )
            for condition, grading in one.graded.gradings.items()
        }
        show_evidence(pixels, speaking, say)
