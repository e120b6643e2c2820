"""The ablation ladder: its choices, the trainings that it needs, and the effect of each step."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from scalp_core.architectures import ARCHITECTURES, NAMED_WEIGHTS
from scalp_core.charts.dataset_charts import ablation_chart
from scalp_core.data.dataset import offered_datasets, open_dataset
from scalp_core.errors import Text
from scalp_core.evaluation import ablation
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs import worker
from scalp_core.runs.duration import duration, estimate, measure
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.store import list_runs
from scalp_core.runs.training_labels import left_out_text, without_unlabelled
from ui.access import change_button
from ui.downloads import show_table
from ui.feedback import errors, toast_after_rerun
from ui.markdown import literal_cells
from ui.runs.recipe_settings import SETTING_LIMITS, start_name
from ui.words import Say

_MOST_SEEDS = 3  # trainings of each step


def show_ablation(say: Say) -> None:
    """Show the ladder, folded away until it is opened."""
    names = [dataset.name for dataset in offered_datasets()]
    if not names:
        return
    opened = st.expander(say("ablation"), icon=":material/stairs:", key="ablation", on_change="rerun")
    with opened:
        if opened.open:
            _show_ladder(say, names)


# A fragment: its choices leave the rest of the page alone.
@st.fragment
def _show_ladder(say: Say, names: list[str]) -> None:
    st.caption(say("ablation_note"))
    with errors(say):
        base, condition, seeds = _choose_ladder(say, names)
        if len(base.conditions) > 1 and (note := left_out_text(base.data)):
            st.caption(say.plain(note))
        ablation.check(base, condition)
        plan = ablation.plan_trainings(base, range(seeds))
        _show_plan(base, seeds, plan, say)
        _show_effects(base, seeds, condition, plan, say)


# ---- choices ----


def _choose_ladder(say: Say, names: list[str]) -> tuple[Recipe, Condition, int]:
    """Offer and return the recipe at the top of the ladder, the condition that is judged, and the number of seeds."""
    first, second, third = st.columns(3)
    with first:
        like, base = _choose_base(say)
    condition = second.selectbox(
        say("condition"), CONDITIONS, format_func=lambda condition: say.of(condition.text), key="ablate_condition"
    )
    shared = third.selectbox(
        say("ablation_networks"),
        [False, True],
        format_func=lambda shared: say("ablation_shared") if shared else say("ablation_alone"),
        index=int(len(base.conditions) > 1 and bool(like)),
        key=f"ablate_shared-{like}",
    )
    architecture = first.selectbox(
        say("architecture"),
        list(dict.fromkeys((base.architecture, *ARCHITECTURES))),
        key=f"ablate_architecture-{like}",
    )
    data = second.selectbox(
        say("data_set"),
        names,
        index=names.index(base.data) if base.data in names else 0,
        key=f"ablate_data-{like}",
    )
    weights = third.selectbox(
        say("retrain_start_from"),
        list(dict.fromkeys((base.weights, *NAMED_WEIGHTS))),
        format_func=lambda weights: start_name(weights, say),
        key=f"ablate_weights-{like}",
    )
    epochs = first.number_input(say("epochs"), *SETTING_LIMITS["epochs"], base.epochs, key=f"ablate_epochs-{like}")
    size = second.number_input(
        say("image_size"), *SETTING_LIMITS["image_size"], base.image_size, step=32, key=f"ablate_size-{like}"
    )
    seeds = third.segmented_control(
        say("ablation_seeds"), range(1, _MOST_SEEDS + 1), default=_MOST_SEEDS, required=True, key="ablate_seeds"
    )
    conditions = CONDITIONS if shared else (condition,)
    condition_weights = base.condition_weights if len(base.condition_weights) == len(conditions) else ()
    recipe = replace(
        base,
        architecture=architecture,
        data=data,
        weights=weights,
        epochs=epochs,
        image_size=size,
        conditions=conditions,
        condition_weights=condition_weights,
        seed=0,
    )
    return without_unlabelled(recipe), condition, seeds


def _choose_base(say: Say) -> tuple[str, Recipe]:
    """Offer the runs and return the id and the recipe of one; an empty id and the default recipe for none."""
    runs = {run.id: run for run in list_runs()[::-1]}
    like = st.selectbox(
        say("ablation_like"),
        ["", *runs],
        format_func=lambda run_id: run_id or say("ablation_defaults"),
        key="ablate_like",
    )
    return like, runs[like].recipe if like else Recipe()


# ---- the trainings that it needs ----


def _show_plan(base: Recipe, seeds: int, plan: list[ablation.Training], say: Say) -> None:
    rows = []
    for step in ablation.ladder(base):
        trainings = [training for training in plan if step.key in training.steps]
        done = sum(_is_finished(training.run) for training in trainings)
        rows.append(
            {
                say("ablation_step"): say.of(_step_name(step)),
                say("ablation_does"): say.of(step.text),
                say("ablation_done"): f"{done} / {len(trainings)}",
            }
        )
    st.table(literal_cells(pd.DataFrame(rows).set_index(say("ablation_step"))), alt=say("ablation"))
    st.caption(say("ablation_aside"))
    missing = [training.recipe for training in plan if not _is_finished(training.run)]
    st.markdown(say("ablation_plan", networks=len(plan), missing=len(missing)))
    if not missing:
        return
    _show_time(missing, say)
    if change_button(say("ablation_start"), say, key="ablate_start", icon=":material/play_arrow:", type="primary"):
        runs = ablation.ensure_runs(base, range(seeds))
        worker.ensure()
        toast_after_rerun(say("ablation_started", count=sum(run.state.active for run in runs)))
        st.rerun()


def _step_name(step: ablation.Step) -> Text:
    return Text(*(f"({name})" for name in step.name)) if step.alternative else step.name


def _is_finished(run: Run | None) -> bool:
    return run is not None and run.finished


def _show_time(missing: list[Recipe], say: Say) -> None:
    estimates = [estimate(recipe) for recipe in missing]
    times = [time.seconds for time in estimates if time is not None]
    if len(times) == len(missing):
        st.caption(say("ablation_time", time=say.of(duration(sum(times)))))
        return
    st.caption(say("estimate_unknown"))
    if change_button(say("estimate_measure"), say, key="ablate_measure", icon=":material/timer:"):
        with st.spinner(say("estimate_measuring")):
            while unknown := [recipe for recipe in missing if estimate(recipe) is None]:
                measure(unknown[0])
        st.rerun(scope="fragment")


# ---- the effect of each step ----


def _show_effects(base: Recipe, seeds: int, condition: Condition, plan: list[ablation.Training], say: Say) -> None:
    changed = tuple(
        (training.run.id, training.run.changed_ns) for training in plan if training.run and training.run.finished
    )
    if not changed:
        return
    table = _effects(base, seeds, condition, changed)
    names = {step.key: say.of(_step_name(step)) for step in ablation.ladder(base)}
    named = table.assign(name=table["step"].map(names))
    st.altair_chart(ablation_chart(named, say.language), alt=say("ablation_alt"))
    _show_effect_table(named, say)


@st.cache_data(max_entries=50)
def _effects(base: Recipe, seeds: int, condition: Condition, _changed: tuple[tuple[str, int], ...]) -> pd.DataFrame:
    dataset = open_dataset(base.data)
    captures = dict(zip(dataset.column("id"), dataset.column("capture"), strict=True))
    return ablation.step_table(base, range(seeds), condition, captures)


_KAPPA, _RECALL = "quadratic_weighted_kappa", "worst_grade_recall"


def _show_effect_table(table: pd.DataFrame, say: Say) -> None:
    heads = {
        "name": say("ablation_step"),
        "seeds": say("ablation_done"),
        "wanted": say("ablation_planned"),
        _KAPPA: say("metric_quadratic_weighted_kappa"),
        "average_mean_absolute_error": say("metric_average_mean_absolute_error"),
        _RECALL: say("metric_worst_grade_recall"),
        ablation.ERROR: say("point_error"),
    }
    heads |= _difference_heads(_KAPPA, say("ablation_difference"), say)
    heads |= _difference_heads(_RECALL, say("ablation_recall"), say)
    formats = {name: "%+.3f" for name in heads if "_difference" in name}
    heads["verdict"] = say("ablation_verdict")
    verdicts = [say.of(outcome.text) if outcome else "–" for outcome in table["verdict"]]
    # Metrics of steps that are not trained yet may be missing altogether.
    show_table(table.assign(verdict=verdicts).reindex(columns=list(heads)), heads, say("ablation_alt"), formats)


def _difference_heads(metric: str, words: str, say: Say) -> dict[str, str]:
    return {
        f"{metric}_difference": words,
        f"{metric}_difference_low": say.text("ablation_low", difference=words),
        f"{metric}_difference_high": say.text("ablation_high", difference=words),
    }
