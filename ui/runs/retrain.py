"""Retraining from the sidebar of every page: the settings, what to expect of them, and the run in progress."""

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core.access import access
from scalp_core.architectures import ARCHITECTURES, NAMED_WEIGHTS, PACKAGES
from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import list_datasets, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.learning.balancing import before_and_after
from scalp_core.runs import worker
from scalp_core.runs.ancestry import overlap_before
from scalp_core.runs.duration import estimate, measure
from scalp_core.runs.queue import active_runs, create_run
from scalp_core.runs.recipe import CHOICES, Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_run, finished_runs, list_runs
from scalp_core.runs.training_labels import left_out_text, unlabelled_text, without_unlabelled
from ui.access import ask_for_token, change_button
from ui.demonstration import is_drawing
from ui.feedback import errors, show_pending_toast, toast_after_rerun
from ui.markdown import Markdown, code, literal, literal_cells
from ui.runs.progress import POLL_SECONDS, epoch_words, show_progress
from ui.runs.recipe_settings import SETTING_HELP, SETTING_LIMITS, choice_name, start_name
from ui.words import Say

_DEFAULT = Recipe()


def show_retraining(say: Say) -> None:
    """Show the settings and, below them, the run in progress."""
    st.subheader(say("retrain"), divider="grey")
    show_pending_toast()
    ask_for_token(say)
    names = [dataset.name for dataset in list_datasets()]
    if not names:
        st.caption(say("retrain_waits") if is_drawing() else say("no_dataset"))
        return
    _show_form(say, names)
    if not access().read_only:
        worker.ensure()  # resumes the queue of a killed runner with the next page that is opened
    _show_status(say)


# ---- the settings ----


# A fragment: a changed setting runs this panel again and leaves the page alone.
@st.fragment
def _show_form(say: Say, names: list[str]) -> None:
    with errors(say):
        recipe = _choose_recipe(say, names)
        if recipe.weights.startswith("run:"):
            _show_overlap(recipe, say)
        _show_unlabelled(recipe, say)
        _show_sampling(recipe, say)
        _show_duration(recipe, say)
        if change_button(
            say("retrain_start"),
            say,
            key="retrain_start",
            icon=":material/play_arrow:",
            width="stretch",
            type="primary",
        ):
            _start(recipe, say)


def _start(recipe: Recipe, say: Say) -> None:
    active_before = {run.id for run in active_runs()}
    run = create_run(recipe)
    worker.ensure()
    if run.id in active_before:
        toast_after_rerun(say("retrain_already", run=run.id))
    else:
        toast_after_rerun(say("retrain_started", run=run.id))
    st.rerun()  # the whole page: the new run belongs on it


def _choose_recipe(say: Say, names: list[str]) -> Recipe:
    weights, source = _choose_start(say)
    architecture = _choose_architecture(say, weights, source)
    _follow_page(names)
    data = st.selectbox(say("data_set"), names, key="retrain_data", help=say.plain(SETTING_HELP["data"]))
    epochs = _number("epochs", say)
    conditions = _choose_conditions(say)
    learns, loss, sampling = _choice("learns", say), _choice("loss", say), _choice("sampling", say)
    with st.expander(say("retrain_advanced")):
        file, other = _typed("retrain_file", say("retrain_file_help"), say), ""
        if source is None:
            other = _typed("retrain_other", say.plain(SETTING_HELP["architecture"]), say)
        recipe = Recipe(
            architecture=other or architecture,
            data=data,
            conditions=conditions,
            epochs=epochs,
            weights=file or weights,
            learns=learns,
            loss=loss,
            sampling=sampling,
            grade_weights=_choice("grade_weights", say),
            condition_weights=_choose_condition_weights(conditions, say),
            colours=_choice("colours", say),
            frozen_epochs=_number("frozen_epochs", say),
            layer_decay=_number("layer_decay", say),
            ema=_number("ema", say),
            mask_weight=_number("mask_weight", say),
            mixup=_number("mixup", say),
            patience=_number("patience", say),
            recall_floor=_number("recall_floor", say),
            image_size=_number("image_size", say, step=32),
            batch_size=_number("batch_size", say),
            lr=_number("lr", say),
            weight_decay=_number("weight_decay", say),
            warmup_epochs=_number("warmup_epochs", say),
            augmentation=_choice("augmentation", say),
            precision=_choice("precision", say),
            seed=_number("seed", say),
        )
    return without_unlabelled(recipe)


def _choose_conditions(say: Say) -> tuple[Condition, ...]:
    """Offer and return the conditions to grade; none chosen: all six."""
    selected = st.multiselect(
        say("conditions"),
        CONDITIONS,
        format_func=lambda condition: say.of(condition.text),
        key="retrain_conditions",
        placeholder=say("retrain_six"),
        help=say.plain(SETTING_HELP["conditions"]),
    )
    return tuple(condition for condition in CONDITIONS if condition in selected) or CONDITIONS


def _follow_page(names: list[str]) -> None:
    """Set the dataset to the page's, once each time that changes; what is chosen here afterwards stays."""
    page = st.query_params.get("data", names[0])
    if page in names and st.session_state.get("retrain_page") != page:
        st.session_state["retrain_page"] = st.session_state["retrain_data"] = page


def _choose_start(say: Say) -> tuple[str, Run | None]:
    """Offer and return the recipe's `weights`, and the run that they come from."""
    runs = {f"run:{run.id}": run for run in finished_runs()[::-1]}
    weights = st.selectbox(
        say("retrain_start_from"),
        [*NAMED_WEIGHTS, *runs],
        format_func=lambda weights: start_name(weights, say),
        key="retrain_weights",
        on_change=_take_image_size,
        help=say.plain(SETTING_HELP["weights"]),
    )
    return weights, runs.get(weights)


def _take_image_size() -> None:
    """Set the image size to that of the chosen run; some networks take no other."""
    weights = st.session_state["retrain_weights"]
    source = find_run(weights.removeprefix("run:")).recipe if weights.startswith("run:") else _DEFAULT
    if st.session_state.get("retrain_image_size") != source.image_size:
        # Only then: even an equal value, set here, would replace a number that is typed meanwhile.
        st.session_state["retrain_image_size"] = source.image_size


def _choose_architecture(say: Say, weights: str, source: Run | None) -> str:
    if source is not None:  # weights fit into their own network alone
        options, key = [source.recipe.architecture], f"retrain_architecture-{source.id}"
    elif weights == "packaged":
        options, key = list(PACKAGES), "retrain_architecture-packaged"
    else:
        options, key = list(ARCHITECTURES), "retrain_architecture"
    default = options.index(_DEFAULT.architecture) if _DEFAULT.architecture in options else 0
    architecture: str = st.selectbox(
        say("architecture"),
        options,
        index=default,
        key=key,
        disabled=source is not None,
        help=say.plain(SETTING_HELP["architecture"]),
    )
    return architecture


def _choose_condition_weights(conditions: tuple[Condition, ...], say: Say) -> tuple[float, ...]:
    if len(conditions) == 1:
        return ()
    text = st.text_input(
        say("condition_weights"),
        key="retrain_condition_weights",
        placeholder=", ".join("1" for _ in conditions),
        max_chars=100,
        help=f"{say.plain(SETTING_HELP['condition_weights'])}. {say('retrain_weights_help')}",
    )
    try:
        return tuple(float(number) for number in text.split(",")) if text.strip() else ()
    except ValueError as error:
        raise ScalpError(
            "bad_recipe",
            f"The weights of the conditions are “{text}”; they must be numbers with commas between.",
            f"증상별 가중치 “{text}”은(는) 쉼표로 구분한 숫자여야 해요.",
        ) from error


def _typed(key: str, explanation: Markdown, say: Say) -> str:
    return st.text_input(say(key), key=key, max_chars=300, help=explanation).strip()


def _number(name: str, say: Say, step: int | None = None):  # noqa: ANN202  int or float, as the recipe's field
    default, (low, high) = getattr(_DEFAULT, name), SETTING_LIMITS[name]
    whole = isinstance(default, int)
    key = f"retrain_{name}"
    st.session_state.setdefault(key, default)
    return st.number_input(
        say(name),
        int(low) if whole else float(low),
        int(high) if whole else float(high),
        step=step if whole else None,
        format=None if whole else "%.6g",
        key=key,
        help=say.plain(SETTING_HELP[name]),
    )


def _choice(name: str, say: Say) -> str:
    choices = CHOICES[name]
    return st.selectbox(
        say(name),
        choices,
        index=choices.index(getattr(_DEFAULT, name)),
        format_func=lambda choice: choice_name(name, choice, say),
        key=f"retrain_{name}",
        help=say.plain(SETTING_HELP[name]),
    )


# ---- what to expect of them ----


def _show_overlap(recipe: Recipe, say: Say) -> None:
    """Show how many pictures that the run will be judged on its initial weights have learned from."""
    overlap = overlap_before(recipe, open_dataset(recipe.data))
    if text := overlap.text(start_name(recipe.weights, say)):
        (st.warning if overlap.leaks else st.caption)(say.plain(text))


def _show_unlabelled(recipe: Recipe, say: Say) -> None:
    """Show which of all six conditions are left out, and how many pictures, as they have no labels."""
    all_six = not st.session_state.get("retrain_conditions")
    if all_six and (note := left_out_text(recipe.data)):
        st.caption(say.plain(note))
    if warning := unlabelled_text(recipe):
        st.warning(say.plain(warning), icon=":material/label_off:")


def _show_sampling(recipe: Recipe, say: Say) -> None:
    """Show how often the training will see each grade."""
    shares = _grade_shares(recipe.data, open_dataset(recipe.data).version, recipe.conditions, recipe.sampling)
    with st.popover(say("sampled"), icon=":material/casino:", width="stretch"):
        st.caption(say("sampled_same") if recipe.sampling == "none" else say("sampled_note"))
        table = pd.DataFrame(
            [[_share_words(*cell) for cell in row] for row in shares],
            index=pd.Index([say.of(condition.text) for condition in recipe.conditions], name=say("condition")),
            columns=[grade_name(int(grade), say.language) for grade in GRADES],
        )
        st.table(literal_cells(table), alt=say("sampled"))


def _share_words(labelled: float, sampled: float) -> str:
    before, after = f"{100 * labelled:.0f}", f"{100 * sampled:.0f}"
    return before if before == after else f"{before} → {after}"


@st.cache_data(max_entries=100, show_spinner=False)
def _grade_shares(data: str, _version: int, conditions: tuple[Condition, ...], sampling: str) -> np.ndarray:
    """Return the share of each grade as labelled and as sampled: (conditions, 4, 2)."""
    labels = open_dataset(data).grades(conditions, "train")
    return np.stack(before_and_after(labels, sampling), axis=-1)


def _show_duration(recipe: Recipe, say: Say) -> None:
    time = estimate(recipe)
    if time:
        st.caption(say("estimate_here", time=say.of(time.text)))
        return
    st.caption(say("estimate_unknown"))
    if change_button(say("estimate_measure"), say, key="retrain_measure", icon=":material/timer:", width="stretch"):
        with st.spinner(say("estimate_measuring")):
            measure(recipe)
        st.rerun(scope="fragment")


# ---- the run in progress ----


def _show_status(say: Say) -> None:
    active = bool(active_runs())

    # Polls only while something trains.
    @st.fragment(run_every=POLL_SECONDS if active else None, key="retrain_status")
    def status() -> None:
        runs = active_runs()
        if active and not runs:
            st.rerun()  # the whole page once: the finished run belongs on it, and polling ends
        if not runs:
            _show_last_run(say)
            return
        run = runs[0]
        st.caption(f"**{literal(run.recipe.architecture)}** · {code(run.id)}")
        show_progress(run, say)
        st.caption(epoch_words(run, say))
        if len(runs) > 1:
            st.caption(say("retrain_more", count=len(runs) - 1))
        if change_button(say("cancel"), say, key=f"retrain_cancel-{run.id}", icon=":material/stop:", width="stretch"):
            run.cancel()
            st.rerun()

    status()


def _show_last_run(say: Say) -> None:
    runs = list_runs()
    if not runs:
        return
    run = runs[-1]
    st.caption(say("retrain_last", run=code(run.id), state=say.of(run.state.text)))
    sentence, _ = run.error
    if sentence.en:
        st.error(say.plain(sentence))
