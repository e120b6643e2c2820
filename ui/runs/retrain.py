"""Retraining from the sidebar of every page: three starts, what to expect of them, and the run in progress."""

from collections import Counter

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core.access import access
from scalp_core.architectures import ARCHITECTURES, PACKAGES, packaged_file
from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import offered_datasets, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.learning.balancing import before_and_after
from scalp_core.runs import worker
from scalp_core.runs.ancestry import overlap_before
from scalp_core.runs.champions import champions
from scalp_core.runs.duration import estimate, measure
from scalp_core.runs.queue import active_runs, create_run
from scalp_core.runs.recipe import CHOICES, Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.store import finished_runs
from scalp_core.runs.training_labels import left_out_text, unlabelled_text, without_unlabelled
from ui.access import ask_for_token, change_button
from ui.demonstration import is_drawing
from ui.feedback import errors, show_pending_toast, toast_after_rerun
from ui.markdown import Markdown, literal_cells
from ui.runs.recipe_settings import SETTING_HELP, SETTING_LIMITS, choice_name, start_name
from ui.runs.training_status import announce_finished, show_status
from ui.words import Say

_DEFAULT = Recipe()
_HEAD, _FINE_TUNE, _SCRATCH = _STARTS = ("head", "fine_tune", "scratch")
# Settings of the whole network, without effect where its features are computed once.
_OF_BACKBONE = frozenset({"frozen_epochs", "layer_decay", "augmentation", "mask_weight", "teacher", "teacher_weight"})
_EMPTY = frozenset[str]()


def show_retraining(say: Say) -> None:
    """Show the run in progress or the latest result and, below it, the settings."""
    st.subheader(say("retrain"), divider="grey")
    announce_finished(say)
    show_pending_toast()
    ask_for_token(say)
    names = [dataset.name for dataset in offered_datasets()]
    if not names:
        st.caption(say("retrain_waits") if is_drawing() else say("no_dataset"))
        return
    if not access().read_only:
        worker.ensure()  # resumes the queue of a killed runner with the next page that is opened
    show_status(say)
    _show_form(say, names)


# ---- the settings ----


# A fragment: a changed setting runs this panel again and leaves the page alone.
@st.fragment
def _show_form(say: Say, names: list[str]) -> None:
    with errors(say), st.container(gap="xsmall", key="retrain-form"):
        recipe = _choose_recipe(say, names)
        unlabelled = st.container(gap="xsmall")
        start = st.container(key="retrain-go")  # a child of the form, within which it stays in sight
        expected = st.container(gap="xsmall")
        with st.expander(say("retrain_advanced")):
            name = _choose_name(say)
            recipe = without_unlabelled(_choose_details(recipe, say))
        with unlabelled, errors(say):
            _show_unlabelled(recipe, say)
        with start, errors(say):
            _offer_start(recipe, name, say)
        with expected, errors(say):
            _show_duration(recipe, say)
            if recipe.weights.startswith("run:"):
                _show_overlap(recipe, say)


def _offer_start(recipe: Recipe, name: str, say: Say) -> None:
    pressed = change_button(
        say("retrain_start"), say, key="retrain_start", icon=":material/play_arrow:", width="stretch", type="primary"
    )
    if pressed:
        _start(recipe, name, say)


def _start(recipe: Recipe, name: str, say: Say) -> None:
    active_before = {run.id for run in active_runs()}
    run = create_run(recipe, name or None)
    worker.ensure()
    if run.id in active_before:
        toast_after_rerun(say("retrain_already", run=run.id))
    else:
        toast_after_rerun(say("retrain_started", run=run.id))
    st.rerun()  # the whole page: the new run belongs on it


def _choose_recipe(say: Say, names: list[str]) -> Recipe:
    """Offer what every training needs: its start, its network, its data and conditions."""
    _follow_page(names)
    runs = {f"run:{run.id}": run for run in finished_runs()[::-1]}
    start = st.radio(
        say("retrain_way"),
        _STARTS,
        index=0 if runs else _STARTS.index(_SCRATCH),
        format_func=lambda start: say(f"retrain_way_{start}"),
        key="retrain_way",
        label_visibility="collapsed",
    )
    weights = "none" if start == _SCRATCH else _choose_weights(start, runs, say)
    source = runs.get(weights)
    _take_image_size(weights, source)
    architecture = source.recipe.architecture if source else _choose_architecture(weights, say)
    data = st.selectbox(say("data_set"), names, key="retrain_data", help=say.plain(SETTING_HELP["data"]))
    return Recipe(
        architecture=architecture,
        data=data,
        conditions=_choose_conditions(say),
        weights=weights,
        learns="head" if start == _HEAD else "everything",
    )


def _follow_page(names: list[str]) -> None:
    """Set the dataset to the page's, once each time that changes; what is chosen here afterwards stays."""
    page = st.query_params.get("data", names[0])
    if page in names and st.session_state.get("retrain_page") != page:
        st.session_state["retrain_page"] = st.session_state["retrain_data"] = page


def _choose_weights(start: str, runs: dict[str, Run], say: Say) -> str:
    """Offer finished runs, and weights from elsewhere after them; first of all what needs no network."""
    options = [*runs, *(["packaged", "pretrained"] if _has_package() else ["pretrained", "packaged"])]
    preferred = f"run:{_run_in_use()}"
    weights: str = st.selectbox(
        say("retrain_start_from"),
        options,
        index=options.index(preferred) if preferred in options else 0,
        format_func=lambda weights: weights.removeprefix("run:") if weights in runs else start_name(weights, say),
        key=f"retrain_weights-{start}",
        help=say.plain(SETTING_HELP["weights"]),
    )
    return weights


def _has_package() -> bool:
    """Return whether a package with weights of its own is installed."""
    for architecture in PACKAGES:
        try:
            packaged_file(architecture)
        except ScalpError:
            continue
        return True
    return False


def _run_in_use() -> str:
    """Return the id of the run that answers for most conditions, of those judged on the dataset of the page if any."""
    answering = [champion.run for champion in champions().values()]
    data = st.session_state.get("retrain_data")  # None in the first run of a session that shows this part alone
    try:
        judged = open_dataset(data).evaluation_hash if data else ""
    except ScalpError:
        judged = ""
    here = [run for run in answering if run.evaluation_hash == judged] or answering
    return Counter(run.id for run in here).most_common(1)[0][0] if here else ""


def _take_image_size(weights: str, source: Run | None) -> None:
    """Set the image size to that of the chosen run, once; some networks take no other."""
    if st.session_state.get("retrain_sized") == weights:
        return
    st.session_state["retrain_sized"] = weights
    size = source.recipe.image_size if source else _DEFAULT.image_size
    if st.session_state.get("retrain_image_size") != size:
        # Only then: even an equal value, set here, would replace a number that is typed meanwhile.
        st.session_state["retrain_image_size"] = size


def _choose_architecture(weights: str, say: Say) -> str:
    options = list(PACKAGES) if weights == "packaged" else list(ARCHITECTURES)
    architecture: str = st.selectbox(
        say("architecture"),
        options,
        index=options.index(_DEFAULT.architecture) if _DEFAULT.architecture in options else 0,
        key="retrain_architecture-packaged" if weights == "packaged" else "retrain_architecture",
        help=say.plain(SETTING_HELP["architecture"]),
    )
    return architecture


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


# ---- the other settings ----


def _choose_name(say: Say) -> str:
    return st.text_input(
        say("retrain_name"),
        key="retrain_name",
        max_chars=64,
        placeholder=say("retrain_name_automatic"),
        help=say("retrain_name_help"),
    ).strip()


def _choose_details(recipe: Recipe, say: Say) -> Recipe:
    """Offer all other settings; those without effect on this training are disabled and keep their default."""
    idle = _without_effect(recipe)
    epochs, loss = _number("epochs", say), _choice("loss", say)
    sampling = _choice("sampling", say)
    _show_sampling(recipe, sampling, say)
    no_file = recipe.weights.startswith("run:") or recipe.weights == "none"
    file = _typed("retrain_file", say("retrain_file_help"), say, disabled=no_file)
    other = _typed(
        "retrain_other",
        say.plain(SETTING_HELP["architecture"]),
        say,
        disabled=recipe.weights.startswith("run:"),
    )
    return Recipe(
        architecture=other or recipe.architecture,
        data=recipe.data,
        conditions=recipe.conditions,
        epochs=epochs,
        weights=file or recipe.weights,
        learns=recipe.learns,
        loss=loss,
        sampling=sampling,
        grade_weights=_choice("grade_weights", say),
        condition_weights=_choose_condition_weights(recipe.conditions, say),
        colours=_choice("colours", say),
        frozen_epochs=_number("frozen_epochs", say, idle=idle),
        layer_decay=_number("layer_decay", say, idle=idle),
        ema=_number("ema", say),
        mask_weight=_number("mask_weight", say, idle=idle),
        teacher=_choose_teacher(recipe.conditions, say, idle),
        teacher_weight=_number("teacher_weight", say, idle=idle),
        mixup=_number("mixup", say),
        patience=_number("patience", say),
        recall_floor=_number("recall_floor", say),
        image_size=_number("image_size", say, step=32),
        batch_size=_number("batch_size", say),
        lr=_number("lr", say),
        weight_decay=_number("weight_decay", say),
        warmup_epochs=_number("warmup_epochs", say),
        augmentation=_choice("augmentation", say, idle),
        precision=_choice("precision", say),
        seed=_number("seed", say),
    )


def _without_effect(recipe: Recipe) -> frozenset[str]:
    """Return the settings that change nothing of this training."""
    idle = _OF_BACKBONE if recipe.learns == "head" else _EMPTY
    return idle if open_dataset(recipe.data).synthetic else idle | {"mask_weight"}


def _choose_teacher(conditions: tuple[Condition, ...], say: Say, idle: frozenset[str]) -> str:
    """Offer the finished runs that grade these conditions, and none."""
    runs = [f"run:{run.id}" for run in finished_runs()[::-1] if set(conditions) <= set(run.recipe.conditions)]
    teacher = st.selectbox(
        say("teacher"),
        [_DEFAULT.teacher, *runs],
        format_func=lambda teacher: teacher.removeprefix("run:") or say("empty_setting"),
        key="retrain_teacher",
        help=say.plain(SETTING_HELP["teacher"]),
        disabled="teacher" in idle,
    )
    return _DEFAULT.teacher if "teacher" in idle else teacher


def _choose_condition_weights(conditions: tuple[Condition, ...], say: Say) -> tuple[float, ...]:
    alone = len(conditions) == 1
    text = st.text_input(
        say("condition_weights"),
        key="retrain_condition_weights",
        placeholder=", ".join("1" for _ in conditions),
        max_chars=100,
        help=f"{say.plain(SETTING_HELP['condition_weights'])}. {say('retrain_weights_help')}",
        disabled=alone,
    )
    if alone or not text.strip():
        return ()
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise ScalpError(
            "bad_recipe",
            f"The weights of the conditions are “{text}”; they must be numbers with commas between.",
            f"증상별 가중치 “{text}”은(는) 쉼표로 구분한 숫자여야 해요.",
        ) from error


def _typed(key: str, explanation: Markdown, say: Say, *, disabled: bool) -> str:
    text = st.text_input(say(key), key=key, max_chars=300, help=explanation, disabled=disabled).strip()
    return "" if disabled else text


def _number(name: str, say: Say, step: int | None = None, idle: frozenset[str] = _EMPTY):  # noqa: ANN202  int or float, as the recipe's field
    default, (low, high) = getattr(_DEFAULT, name), SETTING_LIMITS[name]
    whole = isinstance(default, int)
    key = f"retrain_{name}"
    st.session_state.setdefault(key, default)
    number = st.number_input(
        say(name),
        int(low) if whole else float(low),
        int(high) if whole else float(high),
        step=step if whole else None,
        format=None if whole else "%.6g",
        key=key,
        help=say.plain(SETTING_HELP[name]),
        disabled=name in idle,
    )
    return default if name in idle else number


def _choice(name: str, say: Say, idle: frozenset[str] = _EMPTY) -> str:
    choices, default = CHOICES[name], str(getattr(_DEFAULT, name))
    choice = st.selectbox(
        say(name),
        choices,
        index=choices.index(default),
        format_func=lambda choice: choice_name(name, choice, say),
        key=f"retrain_{name}",
        help=say.plain(SETTING_HELP[name]),
        disabled=name in idle,
    )
    return default if name in idle else choice


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


def _show_sampling(recipe: Recipe, sampling: str, say: Say) -> None:
    """Show how often the training will see each grade."""
    conditions = without_unlabelled(recipe).conditions
    shares = _grade_shares(recipe.data, open_dataset(recipe.data).version, conditions, sampling)
    with st.popover(say("sampled"), icon=":material/casino:", width="stretch"):
        st.caption(say("sampled_same") if sampling == "none" else say("sampled_note"))
        table = pd.DataFrame(
            [[_share_words(*cell) for cell in row] for row in shares],
            index=pd.Index([say.of(condition.text) for condition in conditions], name=say("condition")),
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
    if change_button(say("estimate_measure"), say, key="retrain_measure", icon=":material/timer:", type="tertiary"):
        with st.spinner(say("estimate_measuring")):
            measure(recipe)
        st.rerun(scope="fragment")
