"""One graded picture: whether it can be graded, six grades with their evidence, and the scalp type."""

from collections.abc import Hashable

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core.charts.dataset_charts import grade_name, probabilities_chart
from scalp_core.errors import ScalpError
from scalp_core.images import Pixels
from scalp_core.inference.predict import Answer, Grading
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.palette import SEVERITY_COLORS
from ui.choices import choose_threshold
from ui.components.colors import ink
from ui.components.evidence_maps import GradeEvidence, grade_set_name, show_evidence
from ui.diagnose.agreement import show_agreement
from ui.diagnose.grading import GradedImage, insist, pixels_of, with_threshold
from ui.diagnose.provenance import show_downloads, show_provenance
from ui.diagnose.similar_images import show_similar_images
from ui.diagnose.sources import InputImage
from ui.feedback import errors
from ui.markdown import Markdown, literal_cells
from ui.words import Say

_NO_BREAK_SPACE, _WORD_JOINER = "\N{NO-BREAK SPACE}", "\N{WORD JOINER}"


def show_graded_image(graded: GradedImage, say: Say, threshold: int | None = None) -> None:
    """Show all about a picture or, where the gate advises against grading, the reasons until the reader insists.

    Args:
        threshold: of the scalp type; None offers the choice beside the type.
    """
    if isinstance(graded.outcome, ScalpError):
        st.error(say.plain(graded.outcome.text), icon=":material/error:")
        return
    pixels = pixels_of(graded.image)
    if graded.withheld:
        _show_withheld(graded, pixels, say)
        return
    if graded.flagged:
        st.warning(_reasons(graded, say("gate_insisted"), say), icon=":material/warning:")
    elif graded.unusual:
        st.info(_reasons(graded, say("gate_marked"), say), icon=":material/info:")
    graded = _show_answer(graded, pixels, threshold, say)
    _show_evidence(graded, pixels, say)
    show_agreement(graded, say)
    show_similar_images(graded, say)
    show_downloads(graded, say)
    show_provenance(graded, say)


# ---- the gate ----


def _show_withheld(graded: GradedImage, pixels: Pixels, say: Say) -> None:
    left, right = st.columns([2, 3])
    left.image(pixels, width="stretch", alt=graded.image.name)
    with right:
        st.warning(_reasons(graded, say("gate_advises"), say), icon=":material/warning:")
        if st.button(say("gate_insist"), key="insist", icon=":material/gavel:"):
            insist(graded.image)
            st.rerun()


def _reasons(graded: GradedImage, heading: Markdown, say: Say) -> Markdown:
    return Markdown("\n".join([f"**{heading}**", "", *(f"* {say.plain(reason.text)}" for reason in graded.reasons)]))


def _show_gate(answer: Answer, say: Say) -> None:
    """Show that the gate passed the picture, or that it was not checked; its reasons stand above."""
    if answer.gradable is None:
        st.caption(say("gate_unchecked"))
    if answer.reasons == ():
        st.caption(say("gate_passed"))


# ---- grades ----


def _show_answer(graded: GradedImage, pixels: Pixels, threshold: int | None, say: Say) -> GradedImage:
    """Show picture, scalp type and grades, and return the picture with the scalp type at the chosen threshold."""
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.image(pixels, width="stretch", alt=graded.image.name)
        _show_gate(graded.answer, say)
        heading = st.container()
        graded = with_threshold(graded, choose_threshold(say) if threshold is None else threshold)
        with heading:
            _show_scalp_type(graded.answer, say)
    with right:
        st.subheader(say("diagnose_grades"))
        _show_grades(graded.answer, graded.image, say)
    return graded


def _show_grades(answer: Answer, image: InputImage, say: Say) -> None:
    with_sets = any(grading.grade_set for grading in answer.gradings.values())
    _show_grade_table(answer, image, with_sets, say)
    if with_sets:
        st.caption(say("grade_set_note", coverage=f"{COVERAGE:.0%}"))
    if any(grading.grade != int(np.argmax(grading.probabilities)) for grading in answer.gradings.values()):
        st.caption(say("grade_by_rule"))
    _show_probabilities(answer, say)


def _show_grade_table(answer: Answer, image: InputImage, with_sets: bool, say: Say) -> None:
    rows = pd.DataFrame(
        [
            _row(grading, image.labels.get(condition), with_sets, bool(image.labels), say)
            for condition, grading in answer.gradings.items()
        ]
    ).set_index(say("condition"))
    colors = {grade_name(grade, say.language): color for grade, color in enumerate(SEVERITY_COLORS)}
    columns: list[Hashable] = [name for name in (say("grade"), say("label")) if name in rows]
    styled = (
        literal_cells(rows)
        .style.map(lambda name: _style(colors.get(name)), subset=columns)
        .format(lambda name: _unbroken(name, say.language), subset=columns)
    )
    st.table(styled)


def _row(grading: Grading, label: int | None, with_sets: bool, labelled: bool, say: Say) -> dict[str, str]:
    row = {
        say("condition"): say.of(grading.condition.text),
        say("grade"): grade_name(grading.grade, say.language),
        say("probability_of_grade"): f"{grading.probabilities[grading.grade]:.0%}",
    }
    if with_sets:
        row[say("grade_set", coverage=f"{COVERAGE:.0%}")] = grade_set_name(grading.grade_set, say)
    if labelled:
        row[say("label")] = say("unlabelled") if label is None else grade_name(label, say.language)
    return row


def _unbroken(name: str, language: str) -> str:
    """Keep Korean names on one line: browsers break Korean anywhere. English needs its spaces to fit a phone."""
    return _WORD_JOINER.join(name.replace(" ", _NO_BREAK_SPACE)) if language == "ko" else name


def _style(color: str | None) -> str:
    return f"background-color: {color}; color: {ink(color)}" if color else ""


def _show_probabilities(answer: Answer, say: Say) -> None:
    table = pd.DataFrame(
        [
            {"name": say.of(condition.text), **{f"p{n}": p for n, p in enumerate(grading.probabilities)}}
            for condition, grading in answer.gradings.items()
        ]
    )
    st.altair_chart(probabilities_chart(table, say.language), alt=say("diagnose_probabilities"))


def _show_scalp_type(answer: Answer, say: Say) -> None:
    scalp_type = answer.scalp_type
    st.subheader(say("diagnose_type", name=say.of(scalp_type.text)))
    st.markdown(say.plain(scalp_type.reason))
    if scalp_type.tendencies:
        names = ", ".join(say.of(tendency.text) for tendency in scalp_type.tendencies)
        st.caption(say("diagnose_tendencies", names=names))


# ---- evidence ----


# A fragment: the slider leaves the rest of the page alone.
@st.fragment
def _show_evidence(graded: GradedImage, pixels: Pixels, say: Say) -> None:
    with errors(say):
        st.subheader(say("diagnose_evidence"))
        maps = {
            f"{say.of(condition.text)}: {grade_name(grading.grade, say.language)}": GradeEvidence(
                grading.evidence, int(grading.grade)
            )
            for condition, grading in graded.answer.gradings.items()
        }
        show_evidence(pixels, maps, say)
