"""One graded picture: whether it can be graded, its findings in a line, six grades with their places, and details."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.errors import ScalpError
from scalp_core.evaluation.model_agreement import ModelAnswer
from scalp_core.images import Pixels
from scalp_core.inference.predict import Answer, Grading
from scalp_core.labels import Condition
from ui.choices import choose_threshold, write_address
from ui.components.evidence_maps import GradeEvidence, show_evidence
from ui.components.graded_picture import ArchitectureGrade, GradeCard, show_graded_picture
from ui.components.picture_urls import picture_url
from ui.diagnose.agreement import answers_of_architectures, count_agreeing, show_agreement
from ui.diagnose.grading import GradedImage, insist, pixels_of, with_threshold
from ui.diagnose.provenance import show_provenance
from ui.diagnose.similar_images import show_similar_images
from ui.feedback import errors
from ui.markdown import Markdown, as_sentence, bullets
from ui.words import Say


def show_graded_image(
    graded: GradedImage, say: Say, threshold: int | None = None, *, for_client: bool = False
) -> GradedImage:
    """Show all about a picture or, where the gate advises against grading, the reasons until the reader insists.

    Args:
        threshold: of the scalp type; None offers the choice beside the type.
        for_client: leave out what only an expert reads.

    Returns:
        The picture with the scalp type at the chosen threshold.
    """
    if isinstance(graded.outcome, ScalpError):
        st.error(say.plain(graded.outcome.text), icon=":material/error:")
        return graded
    pixels = pixels_of(graded.image)
    if graded.withheld:
        _show_withheld(graded, pixels, say)
        return graded
    if graded.flagged:
        st.warning(_reasons(graded, say("gate_insisted"), say), icon=":material/warning:")
    graded = _show_summary(graded, threshold, say, for_client=for_client)
    answers = {} if for_client else answers_of_architectures(graded, say)
    _show_cards(graded, pixels, answers, say, plain=for_client)
    if for_client:
        st.caption(say("research_only"))
        return graded
    if any(grading.grade != int(np.argmax(grading.probabilities)) for grading in graded.answer.gradings.values()):
        st.caption(say("grade_by_rule"))
    show_agreement(graded, say)
    show_similar_images(graded, say)
    _show_evidence(graded, pixels, say)
    show_provenance(graded, say)
    return graded


# ---- the gate ----


def _show_withheld(graded: GradedImage, pixels: Pixels, say: Say) -> None:
    left, right = st.columns([2, 3])
    left.image(picture_url(pixels), width="stretch", alt=graded.image.name)
    with right:
        st.warning(_reasons(graded, say("gate_advises"), say), icon=":material/warning:")
        if st.button(say("gate_insist"), key="insist", icon=":material/gavel:"):
            insist(graded.image)
            st.rerun()


def _reasons(graded: GradedImage, heading: Markdown, say: Say) -> Markdown:
    return Markdown(f"**{heading}**\n\n{bullets(say.plain(reason.text) for reason in graded.reasons)}")


def _show_gate(graded: GradedImage, say: Say) -> None:
    """Show that the gate passed the picture, marks it, or did not check it; what speaks against it stands above."""
    if graded.unusual and not graded.flagged:
        with st.popover(say("gate_unusual_picture"), icon=":material/info:", type="tertiary", key="gate-mark"):
            st.info(_reasons(graded, say("gate_marked"), say))
    elif graded.answer.gradable is None:
        st.badge(say("gate_not_checked"), icon=":material/help:", color="gray", help=say("gate_unchecked"))
    elif not graded.flagged:
        st.badge(say("gate_ok"), icon=":material/check:", color="green", help=say("gate_passed"))


# ---- grades ----


def _show_summary(graded: GradedImage, threshold: int | None, say: Say, *, for_client: bool) -> GradedImage:
    """Show the findings in a line with scalp type and gate; return the picture at the chosen threshold."""
    with st.container(
        key="findings", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small"
    ):
        st.header(_findings(graded.answer, say), anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small"):
            if not for_client or graded.unusual:
                _show_gate(graded, say)
            graded = _show_scalp_type(graded, threshold, say)
    return graded


def _findings(answer: Answer, say: Say) -> Markdown:
    """Return “Moderate dandruff, mild erythema”: the conditions that are not normal, worst first."""
    present = [grading for grading in _worst_first(answer) if grading.grade > 0]
    if not present:
        return say("findings_none")
    groups = []
    for grade, gradings in groupby(present, key=lambda grading: grading.grade):
        names = [say(f"finding_{grading.condition.value}") for grading in gradings]
        groups.append(f"{say.plain(grade.text)} {', '.join(names)}")
    findings = "; ".join(groups) if any(", " in group for group in groups) else ", ".join(groups)
    return as_sentence(Markdown(findings))


def _worst_first(answer: Answer) -> list[Grading]:
    """Return the gradings by grade, then by the mean of the probabilities, from severe to normal."""
    return sorted(
        answer.gradings.values(),
        key=lambda grading: (-grading.grade, -float(np.dot(grading.probabilities, range(len(grading.probabilities))))),
    )


def _show_scalp_type(graded: GradedImage, threshold: int | None, say: Say) -> GradedImage:
    """Show the type beside a menu with its reason, and with the threshold unless that is chosen elsewhere."""
    heading = st.container(width="content")
    with st.popover(say("type_why"), type="tertiary", key="type-why"):
        reason = st.container()
        graded = with_threshold(graded, choose_threshold(say) if threshold is None else threshold)
    scalp_type = graded.answer.scalp_type
    heading.markdown(say("diagnose_type", name=say.of(scalp_type.text)))
    reason.markdown(say.plain(scalp_type.reason))
    if scalp_type.tendencies:
        names = ", ".join(say.of(tendency.text) for tendency in scalp_type.tendencies)
        reason.caption(say("diagnose_tendencies", names=names))
    return graded


def _show_cards(
    graded: GradedImage, pixels: Pixels, answers: Mapping[Condition, Sequence[ModelAnswer]], say: Say, *, plain: bool
) -> None:
    """Show the picture with six cards, worst first; the chosen one is kept in the address."""
    gradings = _worst_first(graded.answer)
    cards = [_card(grading, graded.image.labels.get(grading.condition), answers, say) for grading in gradings]
    conditions = [grading.condition.value for grading in gradings]
    wanted = st.query_params.get("condition", "")
    selected = wanted if wanted in conditions else conditions[0]
    show_graded_picture(pixels, graded.image.name, cards, selected, _choose_condition, say, plain=plain)


def _choose_condition(condition: str) -> None:
    write_address({"condition": condition})


def _card(
    grading: Grading, label: int | None, answers: Mapping[Condition, Sequence[ModelAnswer]], say: Say
) -> GradeCard:
    own = answers.get(grading.condition, ())
    if not own:
        return GradeCard(grading, label)
    grades = [ArchitectureGrade(answer.name, answer.grading) for answer in own]
    return GradeCard(
        grading, label, say.text("agreement_of", agreeing=count_agreeing(grading, own), all=len(own)), grades
    )


# ---- evidence ----


# A fragment: the slider leaves the rest of the page alone.
@st.fragment
def _show_evidence(graded: GradedImage, pixels: Pixels, say: Say) -> None:
    box = st.expander(say("diagnose_evidence"), key="evidence", on_change="rerun", icon=":material/layers:")
    with box, errors(say):
        if not box.open:
            return
        maps = {
            f"{say.of(condition.text)}: {grade_name(grading.grade, say.language)}": GradeEvidence(
                grading.evidence, grading.probabilities, int(grading.grade)
            )
            for condition, grading in graded.answer.gradings.items()
        }
        show_evidence(pixels, maps, say)
