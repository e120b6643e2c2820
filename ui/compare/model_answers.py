"""One picture as every model grades it: the answers side by side, and the evidence of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from scalp_core import images
from scalp_core.charts.dataset_charts import grade_name, probabilities_chart
from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import Model
from scalp_core.images import Picture
from scalp_core.inference.predict import grade_with_run
from scalp_core.labels import GRADES, Condition, Severity
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.runs.run import Run
from ui.choices import choose
from ui.compare.selection import ModelSelection
from ui.components.evidence_maps import GradeEvidence, grade_set_name, show_evidence
from ui.components.picture_urls import picture_url
from ui.dataset.gallery import show_grading_link
from ui.feedback import errors
from ui.markdown import literal, literal_cells
from ui.words import Say


@dataclass(frozen=True, eq=False)
class OpenedPicture:
    """The picture and its place among those that the models were judged on."""

    selection: ModelSelection
    graded: Sequence[Model]
    image_id: str
    data: bytes
    picture: Picture
    place: int

    @property
    def truth(self) -> int:
        """The label, −1 without one."""
        return int(self.selection.aligned.truth[self.selection.aligned.condition(self.selection.condition), self.place])

    def recorded(self, values: npt.NDArray[Any]) -> list[Any]:
        """Take an entry per model, of its first run, from a field (runs, conditions, pictures, …) of `aligned`."""
        aligned = self.selection.aligned
        return list(values[first_runs(aligned, self.graded), aligned.condition(self.selection.condition), self.place])


def first_runs(aligned: AlignedPredictions, models: Sequence[Model]) -> list[int]:
    """Return the place of each model's first run: a picture has the answer of one run, not of several seeds."""
    return [aligned.run(model.runs[0].id) for model in models]


def open_picture(selection: ModelSelection, graded: Sequence[Model], image_id: str) -> OpenedPicture:
    """Read the picture.

    Raises:
        ScalpError: the picture is gone, cannot be read, or is not of this part.
    """
    data = selection.dataset.read(image_id)
    return OpenedPicture(selection, graded, image_id, data, images.decode(data), _place(selection, image_id))


def show_model_answers(opened: OpenedPicture, say: Say) -> None:
    """Show the picture, its label, and the answer of each model."""
    left, right = st.columns([2, 3])
    with left:
        st.image(picture_url(opened.picture.pixels), width="stretch", alt=opened.image_id)
    with right:
        label = say("unlabelled") if opened.truth < 0 else grade_name(opened.truth, say.language)
        st.markdown(f"{say.plain(opened.selection.condition.text)} – {say('label')}: **{literal(label)}**")
        _show_answers(opened, say)
        with st.container(horizontal=True, vertical_alignment="center"):
            show_grading_link(opened.image_id, say)
            if opened.selection.dataset.synthetic:
                st.badge(say("synthetic"), color="orange", help=say("synthetic_data"))


def show_model_evidence(opened: OpenedPicture, say: Say) -> None:
    """Show what stands behind the answers: all probabilities and, on demand, where in the picture the evidence lies."""
    options = {"none": say("answers_evidence_none"), "decided": say("answers_evidence_decided")}
    if opened.truth >= 0:
        options["label"] = say("answers_evidence_label")
    subject = choose(say("answers_evidence"), options, "evidence", "none", say.language)
    if subject == "none":
        return
    _show_evidence(opened, subject, say)
    _show_probabilities(opened, say)
    st.code(opened.image_id, language=None, wrap_lines=True)


def _place(selection: ModelSelection, image_id: str) -> int:
    places = np.flatnonzero(selection.aligned.images == image_id)
    if not len(places):
        raise ScalpError(
            "not_in_part",
            f"“{image_id[:80]}” is not an evaluation picture of this split.",
            f"“{image_id[:80]}”은(는) 이 분할에서 모델을 평가한 사진이 아니에요.",
        )
    return int(places[0])


def _show_probabilities(opened: OpenedPicture, say: Say) -> None:
    recorded = opened.recorded(opened.selection.aligned.probabilities)
    bars = pd.DataFrame(recorded, columns=[f"p{int(grade)}" for grade in GRADES])
    bars["name"] = [model.name for model in opened.graded]
    st.altair_chart(probabilities_chart(bars, say.language), alt=say("diagnose_probabilities"))


def _show_answers(opened: OpenedPicture, say: Say) -> None:
    """Show the answers recorded when the runs were judged, so that they agree with the matrices."""
    aligned, rows = opened.selection.aligned, []
    fields = (aligned.grades, aligned.low, aligned.high, aligned.probabilities)
    recorded = [opened.recorded(values) for values in fields]
    head = f"{say('probability_of_grade')} ({say('grade_set', coverage=f'{COVERAGE:.0%}')})"
    for model, grade, low, high, probabilities in zip(opened.graded, *recorded, strict=True):
        ends = None if low < 0 else (Severity(low), Severity(high))
        rows.append(
            {
                say("matrices_model"): model.name,
                say("grade"): grade_name(grade, say.language),
                say("answers_error"): _error_words(int(grade), opened.truth, say),
                head: f"{probabilities[grade]:.0%} ({grade_set_name(ends, say)})",
            }
        )
    st.table(literal_cells(pd.DataFrame(rows).set_index(say("matrices_model"))))


def _error_words(grade: int, truth: int, say: Say) -> str:
    if truth < 0:
        return "–"
    if grade == truth:
        return say("answers_right")
    return say("answers_high", count=grade - truth) if grade > truth else say("answers_low", count=truth - grade)


def _show_evidence(opened: OpenedPicture, subject: str, say: Say) -> None:
    """Show the evidence for the grade of the label, or for the one that each model decided, computed anew.

    Args:
        subject: `label` or `decided`.
    """
    maps, bar = {}, st.empty()
    aligned = opened.selection.aligned
    recorded = (opened.recorded(values) for values in (aligned.grades, aligned.probabilities))
    for number, (model, decided, probabilities) in enumerate(zip(opened.graded, *recorded, strict=True)):
        if model.external:
            continue  # its network is not here
        # The first time on a machine a network is exported, which takes seconds.
        bar.progress(number / len(opened.graded), text=say("answers_working", name=model.name))
        grade = opened.truth if subject == "label" else int(decided)
        with errors(say):  # a damaged run leaves the others' evidence to be seen
            evidence = _evidence_of(opened, model.runs[0])
            maps[f"{model.name}: {grade_name(grade, say.language)}"] = GradeEvidence(evidence, probabilities, grade)
    bar.empty()
    if maps:
        show_evidence(opened.picture.pixels, maps, say)


def _evidence_of(opened: OpenedPicture, run: Run) -> npt.NDArray[np.float32]:
    dataset = opened.selection.dataset
    content = f"{dataset.folder} {dataset.version} {opened.image_id}"
    return _compute_evidence(
        str(run.folder), run.finished_ns, content, opened.selection.condition.value, run, opened.data
    )


@st.cache_data(max_entries=256, show_spinner=False)
def _compute_evidence(
    folder: str, finished_ns: int, content: str, condition: str, _run: Run, _data: bytes
) -> npt.NDArray[np.float32]:
    """Compute the evidence (4, h, w); cached, as every move of the slider needs it again."""
    return grade_with_run(_run, _data)[Condition(condition)].evidence
