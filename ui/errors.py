"""What goes wrong is said in the reader's language, in place of what would have been drawn. Knows no page."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from scalp_core.errors import ScalpError, Text
from ui.words import Say


@contextmanager
def errors(say: Say) -> Iterator[None]:
    """Say what is raised in here. Every fragment needs one of its own: nothing that is raised in it gets out."""
    try:
        yield
    except ScalpError as error:
        st.error(say.plain(error.text), icon=":material/error:")
    except FileNotFoundError as error:  # a run or data set was removed since the page, or a part of it, looked
        st.error(say.plain(_gone(Path(error.filename or ""))), icon=":material/error:")


def _gone(path: Path) -> Text:
    name = f"{path.parent.name}/{path.name}"
    return Text(f"“{name}” is gone. Load the page anew.", f"“{name}” 파일이 없어졌어요. 페이지를 다시 여세요.")
