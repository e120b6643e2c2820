"""The ablation ladder: its choices, what it needs trained and how long that takes, and what each step brought."""

import math
from dataclasses import replace

import pandas as pd
import streamlit as st

from scalp_core.architectures import ARCHITECTURES
from scalp_core.charts.dataset_charts import ablation_chart
from scalp_core.data.dataset import list_datasets, open_dataset
from scalp_core.errors import Text
from scalp_core.evaluation import ablation
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs import worker
from scalp_core.runs.duration import duration, estimate, measure
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.store import list_runs
from ui.feedback import errors, toast_after_rerun
from ui.runs.recipe_settings import start_name
from ui.words import Say

_MOST_SEEDS = 3


def show_ablation(say: Say) -> None:
    """All of it, folded away until somebody asks."""
    names = [dataset.name for dataset in list_datasets()]
    if not names:
        return
    opened = st.expander(say("ablation"), icon=":material/stairs:", key="ablation", on_change="rerun")
    with opened:
        if opened.open:
            _ladder(say, names)


# A fragment: its choices leave the rest of the page alone.
@st.fragment
def _ladder(say: Say, names: list[str]) -> None:
    st.caption(say("ablation_note"))
    with errors(say):
        base, condition, seeds = _choose(say, names)
        base.check()
        plan = ablation.plan_trainings(base, range(seeds))
        _plan(base, seeds, plan, say)
        _table(base, seeds, condition, plan, say)


# ---- choices ----


def _choose(say: Say, names: list[str]) -> tuple[Recipe, Condition, int]:
    """The recipe that the ladder leads to, the condition whose grades are judged, and how many seeds."""
    runs = {run.id: run for run in list_runs()[::-1]}
    first, second, third = st.columns(3)
    like = first.selectbox(
        say("ablation_like"),
        ["", *runs],
        format_func=lambda one: one or say("ablation_defaults"),
        key="ablate_like",
    )
    base = runs[like].recipe if like else Recipe()
    condition = second.selectbox(
        say("condition"), CONDITIONS, format_func=lambda one: say.of(one.text), key="ablate_condition"
    )
    shared = third.selectbox(
        say("ablation_networks"),
        [False, True],
        format_func=lambda one: say("ablation_shared") if one else say("ablation_alone"),
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
        list(dict.fromkeys((base.weights, "pretrained", "none"))),
        format_func=lambda one: start_name(one, say),
        key=f"ablate_weights-{like}",
    )
    epochs = first.number_input(say("epochs"), 1, 1000, base.epochs, key=f"ablate_epochs-{like}")
    size = second.number_input(say("image_size"), 64, 1024, base.image_size, 32, key=f"ablate_size-{like}")
    seeds = third.segmented_control(
        say("ablation_seeds"), range(1, _MOST_SEEDS + 1), default=_MOST_SEEDS, required=True, key="ablate_seeds"
    )
    conditions = CONDITIONS if shared else (condition,)
    kept = base.condition_weights if len(base.condition_weights) == len(conditions) else ()
    chosen = replace(
        base,
        architecture=architecture,
        data=data,
        weights=weights,
        epochs=epochs,
        image_size=size,
        conditions=conditions,
        condition_weights=kept,
        seed=0,
    )
    return chosen, condition, seeds


# ---- what it takes ----


def _plan(base: Recipe, seeds: int, plan: list[ablation.Training], say: Say) -> None:
    rows = []
    for step in ablation.ladder(base):
        its = [training for training in plan if step.key in training.steps]
        done = sum(_finished(training.run) for training in its)
        rows.append(
            {
                say("ablation_step"): say.plain(_name(step)),  # a plus would begin a list
                say("ablation_does"): say.of(step.text),
                say("ablation_done"): f"{done} / {len(its)}",
            }
        )
    st.table(pd.DataFrame(rows).set_index(say("ablation_step")), alt=say("ablation"))
    st.caption(say("ablation_aside"))
    missing = [training.recipe for training in plan if not _finished(training.run)]
    st.markdown(say("ablation_plan", networks=len(plan), missing=len(missing)))
    if not missing:
        return
    _time(missing, say)
    if st.button(say("ablation_start"), key="ablate_start", icon=":material/play_arrow:", type="primary"):
        asked = ablation.ensure_runs(base, range(seeds))
        worker.ensure()
        toast_after_rerun(say("ablation_started", count=sum(run.state.active for run in asked)))
        st.rerun()


def _name(step: ablation.Step) -> Text:
    return Text(*(f"({name})" for name in step.name)) if step.alternative else step.name


def _finished(run: Run | None) -> bool:
    return run is not None and run.finished


def _time(missing: list[Recipe], say: Say) -> None:
    known = [estimate(recipe) for recipe in missing]
    times = [one.seconds for one in known if one is not None]
    if len(times) == len(missing):
        st.caption(say("ablation_time", time=say.of(duration(sum(times)))))
        return
    st.caption(say("estimate_unknown"))
    if st.button(say("estimate_measure"), key="ablate_measure", icon=":material/timer:"):
        with st.spinner(say("estimate_measuring")):
            while unknown := [recipe for recipe in missing if estimate(recipe) is None]:
                measure(unknown[0])
        st.rerun(scope="fragment")


# ---- what came of it ----


def _table(base: Recipe, seeds: int, condition: Condition, plan: list[ablation.Training], say: Say) -> None:
    changed = tuple(
        (training.run.id, training.run.changed_ns) for training in plan if training.run and training.run.finished
    )
    if not changed:
        return
    table = _reached(base, seeds, condition, changed)
    names = {step.key: say.of(_name(step)) for step in ablation.ladder(base)}
    named = table.assign(name=table["step"].map(names))
    st.altair_chart(ablation_chart(named, say.language), alt=say("ablation_alt"))
    st.dataframe(_worded(named, say), hide_index=True, alt=say("ablation_alt"))


@st.cache_data(max_entries=50)
def _reached(base: Recipe, seeds: int, condition: Condition, _changed: tuple[tuple[str, int], ...]) -> pd.DataFrame:
    dataset = open_dataset(base.data)
    captures = dict(zip(dataset.column("id"), dataset.column("capture"), strict=True))
    return ablation.step_table(base, range(seeds), condition, captures)


def _worded(table: pd.DataFrame, say: Say) -> pd.DataFrame:
    rows = []
    for row in table.to_dict("records"):
        verdict = row["verdict"]
        rows.append(
            {
                say("ablation_step"): row["name"],
                say("ablation_done"): f"{row['seeds']} / {row['wanted']}",
                say("metric_quadratic_weighted_kappa"): _digits(row.get("quadratic_weighted_kappa"), ".3f"),
                say("metric_average_mean_absolute_error"): _digits(row.get("average_mean_absolute_error"), ".3f"),
                say("metric_worst_grade_recall"): _digits(row.get("worst_grade_recall"), ".3f"),
                say("point_error"): _digits(row.get(ablation.ERROR), ".3f"),
                say("ablation_difference"): _difference(row, "quadratic_weighted_kappa"),
                say("ablation_recall"): _difference(row, "worst_grade_recall"),
                say("ablation_verdict"): say.of(verdict.text) if verdict else "–",
            }
        )
    return pd.DataFrame(rows)


def _difference(row: dict[str, float], metric: str) -> str:
    value, low, high = (_digits(row.get(f"{metric}_difference{end}"), "+.3f") for end in ("", "_low", "_high"))
    return value if low == "–" else f"{value} ({low} … {high})"


def _digits(value: float | None, form: str) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:{form}}"
