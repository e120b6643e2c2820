"""Renaming and deleting a run, with a question first."""

import streamlit as st

from scalp_core.runs.removal import Consequences, consequences, delete_run, rename_run
from scalp_core.runs.run import Run
from ui.access import change_button
from ui.choices import write_address
from ui.feedback import errors, toast_after_rerun
from ui.markdown import bullets
from ui.runs.run_list import turn_to_run
from ui.words import Say

_ASKED = "deletion-asked"  # the run that the reader is asked about


def offer_management(run: Run, say: Say) -> None:
    """Offer a popover in which the run is renamed or deleted."""
    with st.popover(say("manage"), icon=":material/edit:", key=f"manage-{run.id}"), errors(say):
        _offer_new_name(run, say)
        _offer_deletion(run, say)


def _offer_new_name(run: Run, say: Say) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            say("manage_name"), run.id, max_chars=64, key=f"name-{run.id}", help=say("manage_name_help")
        ).strip()
        pressed = change_button(say("manage_rename"), say, key=f"rename-{run.id}", icon=":material/edit:")
    if pressed and name and name != run.id:
        renamed = rename_run(run, name)
        toast_after_rerun(say("manage_renamed", before=run.id, after=renamed.id))
        turn_to_run(renamed.id)
        st.rerun()


def _offer_deletion(run: Run, say: Say) -> None:
    if st.session_state.get(_ASKED) != run.id:
        if change_button(say("manage_delete"), say, key=f"delete-{run.id}", icon=":material/delete:"):
            st.session_state[_ASKED] = run.id
            st.rerun()
        return
    hanging = consequences(run)
    st.warning(_question(run, hanging, say), icon=":material/delete:")
    with st.container(horizontal=True):
        pressed = change_button(
            say("manage_delete_now"), say, key=f"delete-now-{run.id}", icon=":material/delete_forever:", type="primary"
        )
        st.button(say("manage_keep"), key=f"delete-keep-{run.id}", on_click=_forget_question)
    if pressed:
        delete_run(run)
        _forget_question()
        toast_after_rerun(say("manage_deleted", run=run.id, size=size_words(hanging.size)))
        write_address({"run": None})
        st.rerun()


def _forget_question() -> None:
    st.session_state.pop(_ASKED, None)


def _question(run: Run, hanging: Consequences, say: Say) -> str:
    """Return the question, with what hangs on the run in a line each."""
    lines = []
    if hanging.answers:
        conditions = ", ".join(say.of(condition.text) for condition in hanging.answers)
        lines.append(say("manage_answers", conditions=conditions))
    if hanging.children:
        lines.append(say("manage_children", runs=", ".join(child.id for child in hanging.children)))
    question = say("manage_question", run=run.id, size=size_words(hanging.size))
    return f"{question}\n\n{bullets(lines)}" if lines else question


def size_words(size: int) -> str:
    """Return `12.3 MB`."""
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"
