"""What goes wrong is said in the reader's language, in place of what would have been drawn. Knows no page."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from scalp_core.errors import ScalpError
from ui.words import Say


@contextmanager
def told(say: Say) -> Iterator[None]:
    """Say what is raised in here. Every fragment needs one of its own: nothing that is raised in it gets out."""
    try:
        yield
    except ScalpError as error:
        st.error(say.plain(error.text), icon=":material/error:")
