"""One picture as every model grades it: answers beside each other, and where each sees its reasons."""

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
from scalp_core.inference.evidence import evidence_for
from scalp_core.inference.predict import grade_with_run
from scalp_core.labels import GRADES, Condition, Severity
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.operating_point import COVERAGE
from scalp_core.runs.run import Run
from ui.choices import choose
from ui.compare.selection import ModelSelection
from ui.components.evidence_maps import grade_set_name, show_evidence
from ui.dataset.pictures import link_to_grading
from ui.feedback import errors
from ui.words import Say


@dataclass(frozen=True, eq=False)
class _Opened:
    """The picture and its place among those that the sides were judged on."""

    one: ModelSelection
    graded: Sequence[Model]
    image_id: str
    data: bytes
    picture: Picture
    place: int

    @property
    def truth(self) -> int:
        """−1 without a label."""
        return int(self.one.aligned.truth[self.one.aligned.condition(self.one.condition), self.place])

    def recorded(self, values: npt.NDArray[Any]) -> list[Any]:
        """Of a field of Aligned (runs, conditions, pictures, …) what belongs here: one a side, of its first run."""
        aligned = self.one.aligned
        return list(values[first_runs(aligned, self.graded), aligned.condition(self.one.condition), self.place])


def first_runs(aligned: AlignedPredictions, sides: Sequence[Model]) -> list[int]:
    """Places of each side's first run: pictures and answers are those of one run, not of several seeds."""
    return [aligned.run(side.runs[0].id) for side in sides]


def show_answered_picture(one: ModelSelection, graded: Sequence[Model], image_id: str, say: Say) -> None:
    """The picture, what each of these sides says of it, and where in it each sees its reasons.

    Raises:
        ScalpError: the picture is gone, cannot be read, or is not of this part.
    """
    data = one.dataset.read(image_id)
    opened = _Opened(one, graded, image_id, data, images.decode(data), _place(one, image_id))
    if one.dataset.synthetic:
        st.caption(say("synthetic_data"))
    left, right = st.columns([2, 3])
    with left:
        st.image(opened.picture.pixels, width="stretch", alt=image_id)
        st.code(image_id, language=None, wrap_lines=True)
        link_to_grading(image_id, say)
    with right:
        label = say("unlabelled") if opened.truth < 0 else grade_name(opened.truth, say.language)
        st.markdown(f"{say.of(one.condition.text)} – {say('label')}: **{label}**")
        _probabilities(opened, say)
    _answers(opened, say)
    st.markdown(f"**{say('diagnose_evidence')}**")
    _evidence(opened, say)


def _place(one: ModelSelection, image_id: str) -> int:
    places = np.flatnonzero(one.aligned.images == image_id)
    if not len(places):
        raise ScalpError(
            "not_in_part",
            f"“{image_id[:80]}” is not an evaluation picture of this split.",
            f"“{image_id[:80]}”은(는) 이 분할에서 모델을 평가한 사진이 아니에요.",
        )
    return int(places[0])


def _probabilities(opened: _Opened, say: Say) -> None:
    recorded = opened.recorded(opened.one.aligned.probabilities)
    bars = pd.DataFrame(recorded, columns=[f"p{int(grade)}" for grade in GRADES])
    bars["name"] = [side.name for side in opened.graded]
    st.altair_chart(probabilities_chart(bars, say.language), alt=say("diagnose_probabilities"))


def _answers(opened: _Opened, say: Say) -> None:
    """What was recorded when the runs were judged, so that it agrees with the matrices."""
    aligned, rows = opened.one.aligned, []
    recorded = [opened.recorded(one) for one in (aligned.grades, aligned.low, aligned.high, aligned.probabilities)]
    for side, grade, low, high, probabilities in zip(opened.graded, *recorded, strict=True):
        ends = None if low < 0 else (Severity(low), Severity(high))
        rows.append(
            {
                say("matrices_model"): side.name,
                say("grade"): grade_name(grade, say.language),
                say("answers_error"): _error(int(grade), opened.truth, say),
                say("probability_of_grade"): f"{probabilities[grade]:.0%}",
                say("grade_set", coverage=f"{COVERAGE:.0%}"): grade_set_name(ends, say),
            }
        )
    st.table(pd.DataFrame(rows).set_index(say("matrices_model")))


def _error(grade: int, truth: int, say: Say) -> str:
    if truth < 0:
        return "–"
    if grade == truth:
        return say("answers_right")
    return say("answers_high", count=grade - truth) if grade > truth else say("answers_low", count=truth - grade)


def _evidence(opened: _Opened, say: Say) -> None:
    """For the grade of the label, or for the one that each side decided; each network looks at the picture anew."""
    options = {"decided": say("answers_evidence_decided")}
    if opened.truth >= 0:
        options = {"label": say("answers_evidence_label")} | options
    wanted = choose(say("answers_evidence"), options, "evidence", next(iter(options)), say.language)
    speaking, bar = {}, st.empty()
    for number, (side, decided) in enumerate(
        zip(opened.graded, opened.recorded(opened.one.aligned.grades), strict=True)
    ):
        # The first time on a machine a network is exported, which takes seconds.
        bar.progress(number / len(opened.graded), text=say("answers_working", name=side.name))
        grade = opened.truth if wanted == "label" else int(decided)
        with errors(say):  # a damaged run leaves the others' evidence to be seen
            maps = _maps_of(opened, side.runs[0])
            speaking[f"{side.name}: {grade_name(grade, say.language)}"] = evidence_for(maps, grade)
    bar.empty()
    if speaking:
        show_evidence(opened.picture.pixels, speaking, say)


def _maps_of(opened: _Opened, run: Run) -> npt.NDArray[np.float32]:
    dataset = opened.one.dataset
    content = f"{dataset.folder} {dataset.version} {opened.image_id}"
    return _maps(str(run.folder), run.finished_ns, content, opened.one.condition.value, run, opened.data)


@st.cache_data(max_entries=256, show_spinner=False)
def _maps(
    folder: str, finished_ns: int, content: str, condition: str, _run: Run, _data: bytes
) -> npt.NDArray[np.float32]:
    """Evidence (4, h, w), kept: every move of the slider asks for it anew."""
    return grade_with_run(_run, _data)[Condition(condition)].evidence
