"""Pictures in; out comes a grade for each of six conditions with its evidence, or why a picture cannot be graded."""

import streamlit as st

from scalp_core.inference import predict
from ui.choices import choose_threshold
from ui.diagnose.graded_image import show_graded_image
from ui.diagnose.grading import grade_all, with_threshold
from ui.diagnose.overview import name_of, show_overview
from ui.diagnose.sources import choose_images, opened_image
from ui.feedback import show_damaged_points
from ui.markdown import literal
from ui.shell import show_page
from ui.words import Say


def diagnose(say: Say) -> None:
    images = choose_images(say)
    if not images:
        st.info(say("diagnose_wait"))
        return
    graders = predict.graders()
    if any(run.synthetic for run in graders.points):
        st.warning(say("diagnose_synthetic"), icon=":material/draw:")
    show_damaged_points(graders.points, say)
    graded_images = grade_all(images, graders, say)
    opened = opened_image(images)
    if len(images) == 1:
        show_graded_image(graded_images[0], say)
        return
    threshold = choose_threshold(say)
    show_overview([with_threshold(graded, threshold) for graded in graded_images], opened, say)
    if opened:
        graded = graded_images[images.index(opened)]
        name = name_of(graded, graded_images, say)
        st.header(literal(name), divider="gray")
        show_graded_image(graded, say, threshold)


show_page("diagnose", diagnose)
