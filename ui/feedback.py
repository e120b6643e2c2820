"""Messages to the reader: errors in place of what would have been shown, and toasts after the page has run again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from scalp_core.errors import ScalpError, Text
from scalp_core.runs.run import Run
from ui.markdown import Markdown, literal
from ui.words import Say

_PENDING_TOAST = "pending-toast"


@contextmanager
def errors(say: Say) -> Iterator[None]:
    """Show what is raised within, in the reader's language.

    Every fragment and dialog needs a block of its own: its errors never reach the page around it.
    """
    try:
        yield
    except ScalpError as error:
        st.error(say.plain(error.text), icon=":material/error:")
    except FileNotFoundError as error:  # a run or dataset was removed since the page, or a part of it, looked
        st.error(say.plain(_gone(Path(error.filename or ""))), icon=":material/error:")


def show_damaged(damaged: Iterable[ScalpError], say: Say) -> None:
    """Show what is left out of a list because it is damaged."""
    for error in damaged:
        st.error(say.plain(error.text), icon=":material/broken_image:")


def show_damaged_points(runs: Iterable[Run], say: Say) -> None:
    """Show which of these runs decide by an operating point that had to be fitted again."""
    show_damaged([error for run in runs if (error := run.operating_point_damage)], say)


def _gone(path: Path) -> Text:
    name = f"{path.parent.name}/{path.name}"
    return Text(f"“{name}” is gone. Reload the page.", f"“{name}” 파일이 없어졌어요. 페이지를 다시 여세요.")


def toast_after_rerun(words: Markdown) -> None:
    """Keep a toast for the next run of any page: a rerun that follows at once would swallow it."""
    st.session_state[_PENDING_TOAST] = words


def show_pending_toast() -> None:
    """Show the toast that was kept, if there is one."""
    if words := st.session_state.pop(_PENDING_TOAST, ""):
        st.toast(literal(words), icon=":material/check:")
