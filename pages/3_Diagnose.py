"""Pictures in; out comes a grade for each of six conditions with its places, or why a picture cannot be graded."""

import streamlit as st

from scalp_core.inference import predict
from ui.choices import choose, choose_threshold
from ui.components.assets import asset_path
from ui.diagnose.graded_image import show_graded_image
from ui.diagnose.grading import GradedImage, grade_all, with_threshold
from ui.diagnose.overview import name_of, show_overview
from ui.diagnose.reports import offer_downloads
from ui.diagnose.sources import InputImage, choose_images, opened_image
from ui.feedback import show_damaged_points
from ui.frame import mark, toolbar
from ui.markdown import literal
from ui.shell import show_page
from ui.words import Say


def diagnose(say: Say) -> None:
    st.html(asset_path("diagnose_page.css"))
    images = choose_images(say)
    if not images:
        return
    graders = predict.graders()
    if any(run.synthetic for run in graders.points):
        mark("synthetic", say("diagnose_synthetic"))
    show_damaged_points(graders.points, say)
    graded_images = grade_all(images, graders, say)
    opened = opened_image(images)
    for_client = bool(opened) and _choose_view(say) == "client"
    if len(images) == 1:
        show_one(graded_images, graded_images[0], say, None, for_client=for_client)
    else:
        show_several(graded_images, opened, say, for_client=for_client)


def show_one(
    graded_images: list[GradedImage], graded: GradedImage, say: Say, threshold: int | None, *, for_client: bool
) -> None:
    with st.container(key="client-view" if for_client else "detail-view"):
        graded = show_graded_image(graded, say, threshold, for_client=for_client)
    offer_downloads(graded_images, graded, say, for_client=for_client)


def show_several(graded_images: list[GradedImage], opened: InputImage | None, say: Say, *, for_client: bool) -> None:
    with toolbar().popover(say("threshold"), key="threshold-menu", icon=":material/tune:"):
        threshold = choose_threshold(say)
    graded_images = [with_threshold(graded, threshold) for graded in graded_images]
    if not for_client:
        show_overview(graded_images, opened, say)
    if not opened:
        offer_downloads(graded_images, None, say)
        return
    graded = next(graded for graded in graded_images if graded.image.key == opened.key)
    st.header(literal(name_of(graded, graded_images, say)), divider="gray")
    show_one(graded_images, graded, say, threshold, for_client=for_client)


def _choose_view(say: Say) -> str:
    """Offer all details or only what a client is shown, and return `details` or `client`."""
    views = {"details": say("grades_details"), "client": say("grades_client")}
    with toolbar():
        return choose(say("grades_view"), views, "view", "details", say.language)


show_page("diagnose", diagnose)
