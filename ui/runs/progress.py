"""The progress of a training: a bar with words, and the figures of the last epoch."""

import math

import streamlit as st

from scalp_core.runs.run import Progress, Run, State
from ui.markdown import Markdown
from ui.words import Say

POLL_SECONDS = 2.5  # between two looks; each costs the server a run of the fragment


def show_progress(run: Run, say: Say) -> None:
    """Show the progress of an active run as a bar."""
    progress = run.progress
    state = run.state
    done = progress.done if progress and not state.waiting else 0.0
    words = say("phase_stopping") if run.stop_requested else progress_words(state, progress, say)
    st.progress(done, text=words)


def progress_words(state: State, progress: Progress | None, say: Say) -> Markdown:
    """Return `epoch 3 of 20 · about 4 min 10 s left`."""
    if state.waiting:  # a resumed run may still have the progress from before its interruption
        return say("phase_queued")
    if progress is None or (progress.phase == "preparing" and not progress.done):
        return say("phase_starting")
    words = say(f"phase_{progress.phase}", epoch=progress.epoch, epochs=progress.epochs, share=f"{progress.done:.0%}")
    if progress.seconds_left is None:
        return words
    return Markdown(f"{words} · {time_left_words(progress.seconds_left, say)}")


def time_left_words(seconds: float, say: Say) -> Markdown:
    """Return `about 4 min 10 s left`."""
    minutes, rest = divmod(round(seconds), 60)
    return say("time_left", minutes=minutes, seconds=rest)


def kappa_words(kappa: float) -> str:
    """Return `0.712`; a dash where it is undefined."""
    return "–" if math.isnan(kappa) else f"{kappa:.3f}"


def epoch_words(run: Run, say: Say) -> Markdown:
    """Return the figures of the last epoch beside the best one, the patience left, and a reduced batch size."""
    history = run.history
    if history.empty:
        return Markdown()
    last = history.iloc[-1]
    # Epochs rank as in training: by kappa, then by loss, the earlier of equals.
    best = history.sort_values(["valid_qwk", "valid_loss"], ascending=[False, True], kind="stable").iloc[0]
    epoch = int(best["epoch"])
    parts = [
        say(
            "live_reached",
            qwk=kappa_words(last["valid_qwk"]),
            best=kappa_words(best["valid_qwk"]),
            epoch=epoch,
            loss=f"{last['valid_loss']:.3f}",
        )
    ]
    if run.recipe.patience:
        parts.append(say("live_patience", count=max(0, run.recipe.patience - len(history) + epoch)))
    if last["at_once"] < run.recipe.batch_size:
        parts.append(say("live_at_once", count=int(last["at_once"])))
    return Markdown(" · ".join(parts))
