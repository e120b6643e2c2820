"""Downloads of graded pictures, in one menu of the toolbar."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from scalp_core.reports import picture_report
from scalp_core.rest.schemas import predict_all_response
from ui.diagnose.grading import GradedImage
from ui.downloads import offer_file
from ui.frame import toolbar
from ui.words import Say


def offer_downloads(
    graded_images: Sequence[GradedImage], opened: GradedImage | None, say: Say, *, for_client: bool = False
) -> None:
    """Offer the open picture as JSON, table and report, and several together; the files are made at the click.

    Args:
        for_client: offer the report alone.
    """
    several = len(graded_images) > 1 and not for_client
    if not several and not (opened and opened.shown):
        return
    with toolbar().popover(say("downloads"), icon=":material/download:", key="downloads"):
        if opened and opened.shown:
            _offer(opened, say, for_client=for_client)
        if several:
            offer_file(say("download_csv_all"), lambda: csv(graded_images, say), "scalp-grades-all.csv", "text/csv")
            offer_file(
                say("download_report_all"), lambda: report(graded_images, say), "scalp-report-all.html", "text/html"
            )
        st.caption(say("download_note"))


def _offer(graded: GradedImage, say: Say, *, for_client: bool) -> None:
    offer_file(say("download_report"), lambda: report([graded], say), "scalp-report.html", "text/html")
    if not for_client:
        response = predict_all_response(graded.answer).model_dump_json(indent=1, exclude_none=True)
        offer_file(say("download_csv"), lambda: csv([graded], say), "scalp-grades.csv", "text/csv")
        offer_file(say("download_json"), response.encode, "scalp-grades.json", "application/json")


def csv(graded_images: Sequence[GradedImage], say: Say) -> bytes:
    """Return the grades as CSV, without those that the page withholds."""
    return picture_report.to_csv(_report_pictures(graded_images), say.language)


def report(graded_images: Sequence[GradedImage], say: Say) -> bytes:
    """Return the printable page in the reader's language, without grades that the page withholds."""
    return picture_report.render_html(_report_pictures(graded_images), say.language, datetime.now(UTC)).encode()


def _report_pictures(graded_images: Sequence[GradedImage]) -> list[picture_report.GradedPicture]:
    return [
        picture_report.GradedPicture(
            graded.image.name,
            graded.image.data if isinstance(graded.image.data, bytes) else b"",
            graded.outcome,
            graded.withheld,
        )
        for graded in graded_images
    ]
