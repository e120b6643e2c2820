"""One training's progress as a bar with words, redrawn while it lasts, and what it reached. Knows no form, no table."""

import streamlit as st

from scalp_core.runs.run import Progress, Run, State
from ui.words import Say

POLL_SECONDS = 2.5  # a faster poll costs the server more than it tells


def progress_bar(run: Run, say: Say) -> None:
    """How far an active run is."""
    progress = run.progress
    state = run.state
    done = progress.done if progress and not state.waiting else 0.0
    words = say("phase_stopping") if run.stop_requested else progress_words(state, progress, say)
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


def live_words(run: Run, say: Say) -> str:
    """What the last epoch reached beside the best one, how much patience is left, and whether memory ran short."""
    history = run.history
    if history.empty:
        return ""
    last = history.iloc[-1]
    # As the training ranks epochs: by kappa, then by loss, the earlier of equals.
    best = history.sort_values(["valid_qwk", "valid_loss"], ascending=[False, True], kind="stable").iloc[0]
    epoch = int(best["epoch"])
    told = [
        say(
            "live_reached",
            qwk=f"{last['valid_qwk']:.3f}",
            best=f"{best['valid_qwk']:.3f}",
            epoch=epoch,
            loss=f"{last['valid_loss']:.3f}",
        )
    ]
    if run.recipe.patience:
        told.append(say("live_patience", count=max(0, run.recipe.patience - len(history) + epoch)))
    at_once = last.get("at_once", run.recipe.batch_size)  # earlier versions did not write it
    if at_once < run.recipe.batch_size:
        told.append(say("live_at_once", count=int(at_once)))
    return " · ".join(told)
