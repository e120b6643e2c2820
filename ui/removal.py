"""Renaming and deleting a run or a dataset, with a question first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import streamlit as st

from ui.access import change_button
from ui.feedback import errors, toast_after_rerun
from ui.markdown import Markdown, bullets, literal
from ui.words import Say

_ASKED = "deletion-asked"  # the key of what the reader is asked about


@dataclass(frozen=True)
class Managed:
    """A run or a dataset that can be renamed and deleted.

    Attributes:
        key: of its widgets, different from that of all others.
        name: its name now.
        name_help: which names there are, and what does not follow a new one.
        before_renaming: sentences about what hangs on the name.
        rename: gives it a new name, turns the page to it, and returns what to tell.
        question: returns what is asked before it is deleted, and what is lost with it.
        delete: deletes it, turns the page away from it, and returns what to tell.
        kept: why it stays as it is; None where it does not have to.
    """

    key: str
    name: str
    name_help: Markdown
    before_renaming: tuple[Markdown, ...]
    rename: Callable[[str], Markdown]
    question: Callable[[], Markdown]
    delete: Callable[[], Markdown]
    kept: Markdown | None = None


def offer_management(managed: Managed, say: Say) -> None:
    """Offer a popover in which a run or dataset is renamed or deleted."""
    with st.popover(say("manage"), icon=":material/edit:", key=f"manage-{managed.key}"), errors(say):
        if managed.kept:
            st.caption(literal(managed.kept))
            return
        _offer_new_name(managed, say)
        _offer_deletion(managed, say)


def _offer_new_name(managed: Managed, say: Say) -> None:
    for sentence in managed.before_renaming:
        st.caption(literal(sentence))
    key = managed.key
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            say("manage_name"), managed.name, max_chars=64, key=f"name-{key}", help=literal(managed.name_help)
        ).strip()
        pressed = change_button(say("manage_rename"), say, key=f"rename-{key}", icon=":material/edit:")
    if pressed and name and name != managed.name:
        toast_after_rerun(literal(managed.rename(name)))
        st.rerun()


def _offer_deletion(managed: Managed, say: Say) -> None:
    key = managed.key
    if st.session_state.get(_ASKED) != key:
        if change_button(say("manage_delete"), say, key=f"delete-{key}", icon=":material/delete:"):
            st.session_state[_ASKED] = key
            st.rerun()
        return
    st.warning(literal(managed.question()), icon=":material/delete:")
    with st.container(horizontal=True):
        pressed = change_button(
            say("manage_delete_now"), say, key=f"delete-now-{key}", icon=":material/delete_forever:", type="primary"
        )
        st.button(say("manage_keep"), key=f"delete-keep-{key}", on_click=_forget_question)
    if pressed:
        words = literal(managed.delete())
        _forget_question()
        toast_after_rerun(words)
        st.rerun()


def _forget_question() -> None:
    st.session_state.pop(_ASKED, None)


def with_losses(question: Markdown, losses: Iterable[Markdown]) -> Markdown:
    """Return a question with what is lost in a line each."""
    lines = bullets(losses)
    return Markdown(f"{question}\n\n{lines}") if lines else question


def size_words(size: int) -> str:
    """Return `12.3 MB`."""
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"
