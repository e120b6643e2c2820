"""Downloads of graded pictures: a table and a printable report."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from scalp_core.reports import picture_report
from ui.diagnose.grading import GradedImage
from ui.downloads import offer_file
from ui.words import Say


def offer_table_and_report(graded_images: Sequence[GradedImage], say: Say) -> None:
    """Offer a table and a report of all pictures; the files are made at the click."""
    with st.container(horizontal=True):
        offer_file(say("download_csv_all"), lambda: csv(graded_images, say), "scalp-grades-all.csv", "text/csv")
        offer_file(say("download_report_all"), lambda: report(graded_images, say), "scalp-report-all.html", "text/html")


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
