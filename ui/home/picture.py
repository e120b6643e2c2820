"""One picture with its six grades: an example of the dataset, or the reader's own, graded on the spot."""

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.images import MAX_BYTES
from scalp_core.inference import predict
from scalp_core.labels import CONDITIONS
from ui.choices import link_params
from ui.components.grade_table import Block, GradeCell, Row, condition_columns, show_grade_table
from ui.components.picture_urls import picture_url
from ui.diagnose.grading import GradedImage, grade_all, grade_for_all_sessions, pixels_of
from ui.diagnose.sources import IMAGE_TYPES, InputImage, example_image, take_file
from ui.feedback import errors
from ui.frame import mark
from ui.words import Say

_PAGE = "pages/3_Diagnose.py"
_MOST_MEGABYTES = MAX_BYTES // 2**20


def show_picture(dataset: Dataset | None, say: Say) -> None:
    """Show a picture and its grades beside a place to drop another one."""
    graders = predict.graders()
    if any(run.synthetic for run in graders.points):
        mark("synthetic", say("diagnose_synthetic"))
    left, right = st.columns([2, 7], vertical_alignment="center")
    with right:
        grades = st.container()
        file = st.file_uploader(say("home_drop"), type=IMAGE_TYPES, max_upload_size=_MOST_MEGABYTES, key="home-upload")
    image = take_file(file) if file else example_image(dataset) if dataset else None
    if image is None:
        return
    with grades, errors(say):
        graded = grade_all([image], graders, say)[0] if file else grade_for_all_sessions(image, graders)
        _show_grades(graded, say)
        if not isinstance(graded.outcome, ScalpError):
            left.image(picture_url(pixels_of(image)), width="stretch", alt=image.name)
    with left:
        st.page_link(
            _PAGE,
            label=say("home_more"),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=link_params() | _address(image),
        )


def _show_grades(graded: GradedImage, say: Say) -> None:
    if isinstance(graded.outcome, ScalpError):
        st.error(say.plain(graded.outcome.text), icon=":material/error:")
        return
    if graded.withheld:
        st.warning(say("home_withheld"), icon=":material/warning:")
    else:
        cells = tuple(_cell(graded, number, say) for number in range(len(CONDITIONS)))
        labels = graded.image.labels
        show_grade_table(
            condition_columns(say),
            [Block("", (Row(graded.image.key, say.text("grade"), cells),))],
            "home-grades",
            say,
            corner=say.text("condition"),
            label=say.text("page_diagnose"),
            ringed=say.text("overview_ringed") if labels else "",
            first="12%",
        )


def _cell(graded: GradedImage, number: int, say: Say) -> GradeCell:
    condition = CONDITIONS[number]
    grading = graded.answer.gradings.get(condition)
    if grading is None:
        return GradeCell(None, text="–")
    probability = f"{grading.probabilities[grading.grade]:.0%}"
    description = f"{say.of(condition.text)}: {grade_name(grading.grade, say.language)}, {probability}"
    agrees = graded.image.labels.get(condition) == int(grading.grade)
    return GradeCell(int(grading.grade), description, probability, ringed=agrees)


def _address(image: InputImage) -> dict[str, str]:
    return {"source": "example", "image": image.image_id} if image.image_id else {"source": "upload"}
