"""Renaming and deleting a dataset: what runs make of it, in words."""

import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.data.removal import size_of
from scalp_core.errors import ScalpError
from scalp_core.runs.data_use import delete_dataset, rename_dataset, runs_losing, runs_of
from scalp_core.runs.run import Run
from scalp_core.synthetic import demonstration
from ui.choices import turn_to_dataset, write_address
from ui.markdown import Markdown
from ui.removal import Managed, offer_management, size_words, with_losses
from ui.words import Say

_TURN = "dataset-turn-to"  # the new name, until the page has run again
_MOST_NAMES = 5


def turn_to_renamed() -> None:
    """Turn the page to a dataset that was just renamed; before datasets are offered."""
    if name := st.session_state.pop(_TURN, ""):
        turn_to_dataset(name)


def offer_dataset_management(dataset: Dataset, say: Say) -> None:
    """Offer a popover in which the dataset is renamed or deleted."""
    runs = runs_of(dataset)

    def rename(name: str) -> Markdown:
        demonstration.check_changeable(dataset.name)
        demonstration.check_changeable(name)
        rename_dataset(dataset, name)
        st.session_state[_TURN] = name
        return say("manage_data_renamed", before=dataset.name, after=name)

    def delete() -> Markdown:
        demonstration.check_changeable(dataset.name)
        size = size_words(size_of(dataset))
        delete_dataset(dataset)
        write_address({"data": None, "image": None})
        return say("manage_data_deleted", data=dataset.name, size=size)

    before = (say("manage_data_named", count=len(runs), runs=_names(runs)),) if runs else ()
    managed = Managed(
        # A point is in no name, so that a run of the same name has other widgets.
        f"data.{dataset.name}",
        dataset.name,
        say("manage_data_name_help"),
        before,
        rename,
        lambda: _question(dataset, say),
        delete,
        _why_kept(dataset, say),
    )
    offer_management(managed, say)


def _why_kept(dataset: Dataset, say: Say) -> Markdown | None:
    try:
        demonstration.check_changeable(dataset.name)
    except ScalpError as error:
        return say.plain(error.text)
    return None


def _question(dataset: Dataset, say: Say) -> Markdown:
    """Return the question, with what is lost and what stays in a line each."""
    if dataset.source:
        losses = [say("manage_data_source", images=dataset.images, folder=dataset.source)]
    else:
        losses = [say("manage_data_pictures", images=dataset.images)]
    if runs := runs_losing(dataset):
        losses.append(say("manage_data_runs", count=len(runs), runs=_names(runs)))
    return with_losses(say("manage_data_question", data=dataset.name, size=size_words(size_of(dataset))), losses)


def _names(runs: list[Run]) -> str:
    """Return the names of the runs, the newest first, as many as are read."""
    names = [run.id for run in reversed(runs)]
    return ", ".join([*names[:_MOST_NAMES], "…"] if len(names) > _MOST_NAMES else names)
