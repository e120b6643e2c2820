"""Permission to change something from the pages: a token entered once a session; none at all in read-only mode.

Every button that changes something is a `change_button`. The server decides by itself: what a browser makes of a
disabled button counts for nothing.
"""

import hashlib
from typing import Any

import streamlit as st

from scalp_core.access import access, is_exposed
from ui.login import may_look
from ui.markdown import Markdown
from ui.words import Say

_ACCEPTED = "accepted-token"  # the hash of the token that this session has given


def may_change() -> bool:
    """Return whether this session may change something."""
    settings = access()
    if settings.read_only or not may_look():
        return False
    return not settings.token or st.session_state.get(_ACCEPTED) == _hash(settings.token)


def change_button(label: Markdown, say: Say, **options: Any) -> bool:
    """Show a button whose click changes something, and return whether it was clicked by a session that may.

    Args:
        options: of `st.button`, without `on_click`.
    """
    return st.button(label, **_checked(options, say)) and may_change()


def change_form_button(label: Markdown, say: Say, **options: Any) -> bool:
    """Show the button of a form likewise."""
    return st.form_submit_button(label, **_checked(options, say)) and may_change()


def _checked(options: dict[str, Any], say: Say) -> dict[str, Any]:
    if may_change():
        return options
    return options | {"disabled": True, "help": say("access_read_only") if access().read_only else say("access_needed")}


def ask_for_token(say: Say) -> None:
    """Show what keeps this session from changing something, with a field for the token where one would help."""
    settings = access()
    if settings.read_only:
        st.caption(say("access_read_only"))
    elif not may_change():
        candidate = st.text_input(
            say("access_token"), type="password", key="access-token", help=say("access_token_help")
        )
        if candidate and settings.accepts_token(candidate):
            st.session_state[_ACCEPTED] = _hash(settings.token)
            st.rerun()
        elif candidate:
            st.error(say("access_wrong"), icon=":material/lock:")
        st.caption(say("access_needed"))


def warn_if_exposed(say: Say) -> None:
    """Warn where others can reach this server and change something."""
    if is_exposed(str(st.get_option("server.address") or ""), access()):
        st.warning(say("access_exposed"), icon=":material/lock_open:")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
