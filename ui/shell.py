"""The frame around every page: log-in, navigation, language, title with chips, toolbar and retraining."""

import gc
from collections.abc import Callable

import streamlit as st

from ui.choices import choose, follow_address, link_params
from ui.components.page_language import set_page_language
from ui.feedback import errors
from ui.frame import page_frame, toolbar
from ui.login import ask_for_login, may_look, show_user
from ui.markdown import Markdown
from ui.runs.retrain import show_retraining
from ui.words import Say

__all__ = ["PAGES", "show_page", "toolbar"]

PAGES = {
    "home": ("Home.py", ":material/home:"),
    "dataset": ("pages/1_Dataset.py", ":material/photo_library:"),
    "compare": ("pages/2_Compare.py", ":material/grid_on:"),
    "diagnose": ("pages/3_Diagnose.py", ":material/biotech:"),
    "runs": ("pages/4_Runs.py", ":material/model_training:"),
}

_SIDEBAR_WIDTH = 264  # pixels


def show_page(name: str, show_body: Callable[[Say], None]) -> None:
    """Show the page `name` of PAGES, and errors of its body in the reader's language."""
    with follow_address():
        with st.sidebar:
            say = _show_navigation()
        title = f"{say(f'page_{name}')} · Scalp Lab"
        st.set_page_config(title, page_icon="🔬", layout="wide", initial_sidebar_state=_SIDEBAR_WIDTH)
        set_page_language(say.language)
        if not may_look():
            with page_frame(say("login_title"), say):
                ask_for_login(say)
            return
        with page_frame(say(f"title_{name}"), say), errors(say):
            show_body(say)
        with st.sidebar, errors(say):
            show_retraining(say)
        _put_imports_aside(name)


@st.cache_resource(show_spinner=False)
def _put_imports_aside(page: str) -> None:
    """Take what this page imported out of all later collections, once a process.

    Streamlit collects garbage after every run of a page. Each time it walked 400,000 objects of libraries, while
    pictures and other readers waited for the interpreter.
    """
    gc.collect()
    gc.freeze()


def _show_navigation() -> Say:
    links = st.container()  # above the language switch, in the language it chooses
    say = Say(_choose_language())
    show_user(say)
    if not may_look():
        return say
    for page, (path, icon) in PAGES.items():
        links.page_link(path, label=say(f"page_{page}"), icon=icon, query_params=link_params())
    return say


def _choose_language() -> str:
    """Return `ko` or `en` from `?lang=`, else from the browser."""
    browser = "ko" if (st.context.locale or "ko").startswith("ko") else "en"
    return choose(Markdown("언어 / Language"), {"ko": "한국어", "en": "English"}, "lang", browser, "both")
