"""Models from elsewhere: adding one by a file of its predictions, renaming and removing it."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from scalp_core.data.dataset import Dataset
from scalp_core.evaluation.comparison import Model
from scalp_core.importing.prediction_file import read_predictions
from scalp_core.runs.external import (
    MOST_LETTERS,
    ExternalRun,
    add_external,
    all_external,
    remove_external,
    rename_external,
)
from ui.access import change_form_button
from ui.choices import write_address
from ui.feedback import errors, toast_after_rerun
from ui.markdown import Markdown, literal
from ui.removal import Managed, offer_management, size_words
from ui.words import Say

_MOST_MEGABYTES = 100  # 100,000 pictures with six conditions have some 40
_MOST_COMPARED = 5  # models, as many as the page opens with


def show_external(dataset: Dataset, models: Sequence[Model], shown_first: Sequence[str], say: Say) -> None:
    """Offer to add a model from elsewhere, and list those that are there.

    Args:
        shown_first: keys of the models that are compared when nothing is chosen.
    """
    everywhere = all_external(dataset)
    compared = {run.id for model in models for run in model.runs if model.external}
    with st.expander(say("external", count=len(everywhere)), icon=":material/north_east:"), errors(say):
        for run in everywhere:
            with st.container(horizontal=True, vertical_alignment="center"):
                here = "" if run.id in compared else f" · {say('external_not_here', data=dataset.name)}"
                st.markdown(Markdown(f"{literal(run.id)}{here}"), width="stretch")
                _offer_management(run, say)
        _offer_adding(dataset, shown_first, say)


def _offer_adding(dataset: Dataset, shown_first: Sequence[str], say: Say) -> None:
    with st.form("external-add", border=False):
        file = st.file_uploader(
            say("external_file"),
            type=["csv", "parquet", "xlsx"],
            max_upload_size=_MOST_MEGABYTES,
            help=say("external_columns"),
            key="external-file",
        )
        left, middle, right = st.columns(3)
        name = left.text_input(say("external_name"), max_chars=64, key="external-name", help=say("external_name_help"))
        about = middle.text_input(say("external_about"), max_chars=MOST_LETTERS, key="external-about")
        link = right.text_input(say("external_link"), max_chars=MOST_LETTERS, key="external-link")
        pressed = change_form_button(say("external_add", data=dataset.name), say, icon=":material/add:")
    if not pressed:
        return
    if not file or not name:
        st.warning(say("external_incomplete"))
        return
    run = _add(dataset, file, name.strip(), about, link)
    write_address({"runs": ",".join([run.id, *shown_first[: _MOST_COMPARED - 1]])})
    toast_after_rerun(say("external_added", run=run.id))
    st.rerun()


def _add(dataset: Dataset, file: UploadedFile, name: str, about: str, link: str) -> ExternalRun:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "predictions"  # its content decides what it is, not its name
        path.write_bytes(file.getbuffer())
        predictions = read_predictions(path, dataset)
    return add_external(name, dataset, predictions.table, about, link, predictions.grades_alone)


def _offer_management(run: ExternalRun, say: Say) -> None:
    def rename(name: str) -> Markdown:
        renamed = rename_external(run, name)
        write_address({"runs": None})
        return say("external_renamed", before=run.id, after=renamed.id)

    def delete() -> Markdown:
        size = size_words(sum(size for _, size in run.files))
        remove_external(run)
        write_address({"runs": None})
        return say("external_deleted", run=run.id, size=size)

    def question() -> Markdown:
        return say("external_question", run=run.id, size=size_words(sum(size for _, size in run.files)))

    offer_management(Managed(run.id, run.id, say("external_name_help"), (), rename, question, delete), say)
