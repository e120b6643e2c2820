"""The drawing of the demonstration pictures beside the server: how far it is, or why it cannot be."""

import streamlit as st

from scalp_core.access import access
from scalp_core.data.background_jobs import JobState
from scalp_core.data.dataset import list_datasets
from scalp_core.errors import ScalpError
from scalp_core.synthetic import demonstration
from ui.markdown import Markdown
from ui.runs.progress import POLL_SECONDS, time_left_words
from ui.words import Say


def show_drawing(say: Say) -> bool:
    """Show how far the drawing is, until it ends; return whether there was something to show.

    A killed drawing goes on with the next look, which comes by itself as long as a page is open.
    """
    if access().read_only:
        return _show_read_only(say)
    try:
        demonstration.resume_drawing()
    except ScalpError as error:
        # Other pictures may be kept where nothing is to be written.
        if error.code == "cannot_write" and list_datasets():
            return False
        st.error(say.plain(error.text), icon=":material/error:")
        return True
    state = demonstration.drawing()
    if state is None:
        return False
    _show_state(say, polling=state.error is None)
    return True


def is_drawing() -> bool:
    """Return whether the pictures are being drawn, or are about to be."""
    if access().read_only:
        return False
    state = demonstration.drawing()
    return state is not None and state.error is None


def _show_read_only(say: Say) -> bool:
    missing = not list_datasets() and demonstration.is_missing()
    if missing:
        st.info(say("drawing_read_only"), icon=":material/draw:")
    return missing


def _show_state(say: Say, *, polling: bool) -> None:
    @st.fragment(run_every=POLL_SECONDS if polling else None, key="drawing")
    def status() -> None:
        try:
            demonstration.resume_drawing()
        except ScalpError as error:
            st.error(say.plain(error.text), icon=":material/error:")
            return
        state = demonstration.drawing()
        if polling and (state is None or state.error is not None):
            st.rerun()  # the whole page once: the dataset belongs in its lists
        if state is None:
            return
        if state.error is None:
            st.progress(state.done / state.total if state.total else 0.0, text=_words(state, say))
        else:
            st.error(say.plain(state.error), icon=":material/error:")

    status()


def _words(state: JobState, say: Say) -> Markdown:
    """Return `Drawing the demonstration pictures · 512 / 2,400 · about 1 min 10 s left`."""
    words = [say("drawing_anew") if demonstration.renews(state) else say("drawing")]
    words.append(Markdown(f"{state.done:,} / {state.total:,}") if state.total else say("phase_starting"))
    if state.seconds_left is not None:
        words.append(time_left_words(state.seconds_left, say))
    return Markdown(" · ".join(words))
