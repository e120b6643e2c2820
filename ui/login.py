"""Log-in at an OpenID Connect provider, where Streamlit's secrets have a section `[auth]`.

`SCALP_ALLOWED_USERS` says who is let in. Pages ask here before they show anything, `serve.py` before it sends a
picture. Streamlit signs and reads the cookie; for requests that are no page it has no public functions to read it.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.auth_util import (
    get_origin_from_redirect_uri,
    get_secrets_auth_section,
    is_authlib_installed,
    validate_auth_credentials,
)
from streamlit.errors import StreamlitAuthError, StreamlitSecretNotFoundError
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME
from streamlit.web.server.starlette.starlette_websocket import (
    _get_signed_cookie_with_chunks,
    _parse_decoded_user_cookie,
)

from scalp_core.access import MIN_TOKEN, access
from ui.words import Say

# ---- who may look ----


def needs_login() -> bool:
    """Return whether this server asks for a log-in. Half of its settings are enough, and let no user in."""
    return bool(access().users or get_secrets_auth_section())


def may_look() -> bool:
    """Return whether this session may see pages."""
    return not needs_login() or _is_admitted(st.user)


def is_logged_in(cookies: dict[str, str]) -> bool:
    """Return whether these cookies of a request are those of a user who may see pages."""
    cookie = _get_signed_cookie_with_chunks(cookies, USER_COOKIE_NAME)
    return bool(cookie) and _is_admitted(_parse_decoded_user_cookie(cookie, get_origin_from_redirect_uri() or ""))


def _is_admitted(claims: Mapping[str, Any]) -> bool:
    return claims.get("is_logged_in") is True and access().accepts_user(claims)


# ---- on the page ----


def ask_for_login(say: Say) -> None:
    """Show a button for each provider, or that this user is not let in, in place of the page's body."""
    if st.user.get("is_logged_in"):
        st.error(say("login_refused"), icon=":material/block:")
        return
    st.markdown(say("login_needed"))
    for provider in _providers():
        label = say("login_with", provider=provider) if provider else say("login_title")
        if st.button(label, key=f"login-{provider}", type="primary"):
            st.login(provider or None)


def show_user(say: Say) -> None:
    """Show who is logged in, with a button to log out."""
    if not (needs_login() and st.user.get("is_logged_in")):
        return
    st.text(next((str(st.user[claim]) for claim in ("email", "name", "sub") if st.user.get(claim)), ""))
    if st.button(say("logout"), key="logout", icon=":material/logout:"):
        st.logout()


def _providers() -> list[str]:
    """Return the names of the providers in `[auth.NAME]`; an empty one for that of `[auth]` itself."""
    section = get_secrets_auth_section()
    named = [name for name, value in section.items() if isinstance(value, Mapping) and name != "client_kwargs"]
    return [""] * ("client_id" in section or not named) + named


# ---- at the start ----


def check_login() -> None:
    """Exit where the log-in is set up by half: the server would let in all users, or none."""
    if problem := _problem():
        sys.exit(f"The log-in of docs/guide/access.md cannot work: {problem}")


def _problem() -> str:
    users = access().users
    try:
        # Streamlit takes secrets that it cannot read for none.
        if any(Path(path).exists() for path in st.get_option("secrets.files")):
            st.secrets.to_dict()
        section = get_secrets_auth_section()
        if not section:
            return "SCALP_ALLOWED_USERS is set, but Streamlit's secrets have no section [auth]." if users else ""
        for provider in _providers():
            validate_auth_credentials(provider or "default")
    except (StreamlitAuthError, StreamlitSecretNotFoundError) as error:
        return " ".join(str(error).split())
    if len(str(section["cookie_secret"])) < MIN_TOKEN:
        return f"cookie_secret has fewer than {MIN_TOKEN} characters; who guesses it is logged in."
    if not users:
        return "set SCALP_ALLOWED_USERS to addresses and @domains with commas between them, or to * for all users."
    return "" if is_authlib_installed() else "Authlib is not installed."
