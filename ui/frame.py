"""The top of every page: its title, chips that open into a sentence, a toolbar for its selectors, and notices."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.components.assets import asset_path
from ui.markdown import Markdown
from ui.words import Say

_ICONS = {"research": ":material/science:", "synthetic": ":material/draw:", "tempered": ":material/balance:"}


@dataclass
class _Frame:
    """The parts of the page being made.

    Attributes:
        chips: container of the chips.
        opened: the content of each chip so far.
    """

    say: Say
    chips: DeltaGenerator
    toolbar: DeltaGenerator | None = None
    notices: DeltaGenerator | None = None
    opened: dict[str, DeltaGenerator] = field(default_factory=dict)
    sentences: set[tuple[str, str]] = field(default_factory=set)


_frame: ContextVar[_Frame | None] = ContextVar("frame", default=None)


@contextmanager
def page_frame(title: Markdown, say: Say) -> Iterator[None]:
    """Show title and chips; within, `toolbar`, `notices` and `mark` add to the top of this page."""
    st.html(asset_path("frame.css"))
    with st.container(
        key="page-header", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small"
    ):
        st.title(title, anchor=False, width="content")
        chips = st.container(key="page-chips", horizontal=True, width="content", gap="small")
    reset = _frame.set(_Frame(say, chips))
    mark("research", say("research_only"))
    try:
        yield
    finally:
        _frame.reset(reset)


def toolbar() -> DeltaGenerator:
    """Return the row of the page's selectors, which stays in sight; labels in it are for screen readers."""
    frame = _frame.get()
    if frame is None:
        return st.container(horizontal=True)
    if frame.toolbar is None:
        frame.toolbar = st.container(key="toolbar", horizontal=True, vertical_alignment="center", gap="small")
        frame.notices = st.container(key="notices", gap="small")
    return frame.toolbar


def notices() -> DeltaGenerator:
    """Return the place below the toolbar for warnings about what it offers; without a toolbar, the place here."""
    frame = _frame.get()
    return (frame.notices if frame else None) or st.container()


def mark(chip: str, sentence: Markdown) -> None:
    """Show a chip at the top of the page, `research`, `synthetic` or `tempered`, that opens into the sentence."""
    frame = _frame.get()
    if frame is None or (chip, sentence) in frame.sentences:
        return
    frame.sentences.add((chip, sentence))
    if chip not in frame.opened:
        say = frame.say
        frame.opened[chip] = frame.chips.popover(
            say(f"chip_{chip}"), icon=_ICONS[chip], type="tertiary", key=f"chip-{chip}", width="content"
        )
    frame.opened[chip].markdown(sentence)
