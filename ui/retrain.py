"""Retraining from the sidebar of every page: a form that writes a recipe, and what is training now."""

from dataclasses import fields

import streamlit as st

from scalp_core import runner
from scalp_core.architectures import ARCHITECTURES
from scalp_core.dataset import list_datasets
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs import CHOICES, Recipe, active_runs, create_run, list_runs
from ui.progress import POLL_SECONDS, progress_bar
from ui.words import Say

_DEFAULT = Recipe()
_LIMITS = {one.name: (one.metadata["low"], one.metadata["high"]) for one in fields(Recipe)}
_HELP = {one.name: one.metadata["help"] for one in fields(Recipe)}


def retrain_panel(say: Say) -> None:
    """The form and, below it, the run in progress."""
    st.subheader(say("retrain"), divider="grey")
    names = [dataset.name for dataset in list_datasets()]
    if not names:
        st.caption(say("no_dataset"))
        return
    with st.form("retrain", border=False):
        recipe = _fields(say, names)
        if st.form_submit_button(say("retrain_start"), icon=":material/play_arrow:", width="stretch", type="primary"):
            _start(recipe, say)
    runner.ensure()  # a killed runner's queue goes on with the next page that is opened
    _status(say)


def _start(recipe: Recipe, say: Say) -> None:
    try:
        run = create_run(recipe)
    except ScalpError as error:
        st.error(say.plain(error.text))
        return
    runner.ensure()
    st.toast(say("retrain_started", run=run.id), icon=":material/check:")


def _fields(say: Say, names: list[str]) -> Recipe:
    architecture = st.selectbox(
        say("architecture"),
        ARCHITECTURES,
        index=ARCHITECTURES.index(_DEFAULT.architecture),
        key="retrain_architecture",
        help=say.of(_HELP["architecture"]),
    )
    data = st.selectbox(say("data_set"), names, key="retrain_data", help=say.of(_HELP["data"]))
    epochs = _number("epochs", say)
    condition = st.selectbox(
        say("conditions"),
        [None, *CONDITIONS],
        format_func=lambda one: say.of(one.text) if one else say("retrain_six"),
        key="retrain_conditions",
        help=say.of(_HELP["conditions"]),
    )
    with st.expander(say("retrain_advanced")):
        other = st.text_input(
            say("retrain_other"), key="retrain_other", max_chars=150, help=say.of(_HELP["architecture"])
        )
        return Recipe(
            architecture=other.strip() or architecture,
            data=data,
            conditions=(Condition(condition),) if condition else CONDITIONS,
            epochs=epochs,
            weights=st.text_input(
                say("weights"), _DEFAULT.weights, key="retrain_weights", help=say.of(_HELP["weights"])
            ).strip(),
            image_size=_number("image_size", say, step=32),
            batch_size=_number("batch_size", say),
            lr=_number("lr", say),
            weight_decay=_number("weight_decay", say),
            warmup_epochs=_number("warmup_epochs", say),
            augmentation=_choice("augmentation", say),
            precision=_choice("precision", say),
            seed=_number("seed", say),
        )


def _number(name: str, say: Say, step: int | None = None):  # noqa: ANN202  int or float, as the recipe's field
    default, (low, high) = getattr(_DEFAULT, name), _LIMITS[name]
    whole = isinstance(default, int)
    return st.number_input(
        say(name),
        int(low) if whole else float(low),
        int(high) if whole else float(high),
        default,
        step=step if whole else None,
        format=None if whole else "%.6g",
        key=f"retrain_{name}",
        help=say.of(_HELP[name]),
    )


def _choice(name: str, say: Say) -> str:
    return st.selectbox(say(name), CHOICES[name], key=f"retrain_{name}", help=say.of(_HELP[name]))


def _status(say: Say) -> None:
    active = bool(active_runs())

    # Polls only while something trains.
    @st.fragment(run_every=POLL_SECONDS if active else None, key="retrain_status")
    def status() -> None:
        runs = active_runs()
        if active and not runs:
            st.rerun()  # the whole page once: what is new belongs on it, and polling ends
        if not runs:
            _last(say)
            return
        run = runs[0]
        st.caption(f"**{run.recipe.architecture}** · `{run.id}`")
        progress_bar(run, say)
        if len(runs) > 1:
            st.caption(say("retrain_more", count=len(runs) - 1))
        if st.button(say("cancel"), key=f"retrain_cancel-{run.id}", icon=":material/stop:", width="stretch"):
            run.cancel()
            st.rerun()

    status()


def _last(say: Say) -> None:
    runs = list_runs()
    if not runs:
        return
    run = runs[-1]
    st.caption(say("retrain_last", run=f"`{run.id}`", state=say.of(run.state.text)))
    sentence, _ = run.error
    if sentence.en:
        st.error(say.plain(sentence))
