"""One training's progress as a bar with words, redrawn while it lasts. Knows no form and no table."""

import streamlit as st

from scalp_core.runs import Progress, Run, State
from ui.words import Say

POLL_SECONDS = 2.5  # a faster poll costs the server more than it tells


def progress_bar(run: Run, say: Say) -> None:
    """How far an active run is."""
    progress = run.progress
    state = run.state
    done = progress.done if progress and not state.waiting else 0.0
    words = say("phase_stopping") if run.asked_to_stop else progress_words(state, progress, say)
    st.progress(done, text=words)


def progress_words(state: State, progress: Progress | None, say: Say) -> str:
    """`epoch 3 of 20 · about 4 min 10 s left`"""
    if state.waiting:  # an interrupted one may have progress of its former life
        return say("phase_queued")
    if progress is None:
        return say("phase_starting")
    words = say(f"phase_{progress.phase}", epoch=progress.epoch, epochs=progress.epochs)
    if progress.seconds_left is None:
        return words
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f"{words} · {say('time_left', minutes=minutes, seconds=seconds)}"
