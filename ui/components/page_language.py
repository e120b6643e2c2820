"""The language of the page for screen readers and fonts: Streamlit's own page always declares English."""

import streamlit as st

from ui.components.assets import asset

_page_language = st.components.v2.component(
    "scalp_page_language", html=asset("page_language.html"), js=asset("page_language.js")
)


def set_page_language(language: str) -> None:
    """Set the `lang` attribute of the document to `ko` or `en`."""
    _page_language(key="page-language", data={"language": language})
