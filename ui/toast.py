"""What is said once the page is drawn anew, as a change that concerns all of it is followed by a new drawing."""

import streamlit as st

_KEY = "said_later"


def toast_after_rerun(words: str) -> None:
    """Say this in the next drawing of any page."""
    st.session_state[_KEY] = words


def show_pending_toast() -> None:
    """Say what was put off."""
    if words := st.session_state.pop(_KEY, ""):
        st.toast(words, icon=":material/check:")
