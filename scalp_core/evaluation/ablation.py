"""The ablation ladder: the effect of each measure against losing rare grades.

It leads from plain cross-entropy and the most probable grade to a recipe. Every step adds one measure to the step
before and is compared with it, under the same split and seeds (docs/design/evaluation.md).
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from scalp_core import terms
from scalp_core.data.dataset import open_dataset
from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import calibration, metrics, operating_point, paired_comparison
from scalp_core.metrics.metrics import Counts
from scalp_core.metrics.operating_point import OperatingPoint
from scalp_core.paths import artifacts_folder
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run, State, not_writable
from scalp_core.runs.store import check_recipe, list_runs

PART = "test"
METRICS = tuple(paired_comparison.Estimates.__dataclass_fields__)
ERROR = "expected_calibration_error"


class Decision(StrEnum):
    """The rule that turns the probabilities of a step's networks into grades."""

    ARGMAX = "argmax"  # the most probable grade
    CALIBRATED = "calibrated"  # the most probable grade of calibrated probabilities
    FULL = "full"  # the operating point


@dataclass(frozen=True)
class Step:
    """One measure, on top of those before it.

    Attributes:
        name: for axes and tables.
        text: one sentence on its effect.
        changes: fields of the recipe that it sets; empty where it only changes the decision of the same networks.
        alternative: beside the ladder: compared with its last step, because of its cost.
    """

    key: str
    name: Text
    text: Text
    changes: Mapping[str, Any] = field(default_factory=dict)
    decision: Decision = Decision.FULL
    alternative: bool = False


@dataclass(frozen=True)
class Training:
    """One training that the ladder needs.

    Attributes:
        steps: keys of the steps that share it.
        run: None where it has not been created.
    """

    steps: tuple[str, ...]
    recipe: Recipe
    run: Run | None


# Fields of the first step; every measure sets its own ones to those of the base recipe.
_FIRST_FIELDS: Mapping[str, Any] = {
    "loss": "cross_entropy",
    "sampling": "none",
    "grade_weights": "none",
    "condition_weights": (),
    "ema": 0.0,
    "frozen_epochs": 0,
    "layer_decay": 1.0,
    "mixup": 0.0,
}

_SEED = Step(
    "seed",
    terms.CROSS_ENTROPY,
    Text(
        "Baseline: cross-entropy, no balancing, most probable grade.",
        "기준선: 교차 엔트로피, 균형 조정 없음, 확률이 가장 높은 등급.",
    ),
    decision=Decision.ARGMAX,
)
_COLOURS = Step(
    "colours",
    Text(f"+ {terms.WHITENING.en}", f"+ {terms.WHITENING.ko}"),
    Text(
        "Colour varies as much as lightness, so that a model trained from scratch can see faint redness.",
        "색의 변화를 명암만큼 키워, 처음부터 학습한 모델도 옅은 붉은색을 볼 수 있어요.",
    ),
    decision=Decision.ARGMAX,
)
_TEMPERATURE = Step(
    "temperature",
    Text("+ calibration", "+ 확률 보정"),
    Text(
        "Same models, probabilities calibrated on the calibration split; most probable grade.",
        "같은 모델의 확률을 보정 분할에서 보정하고, 확률이 가장 높은 등급을 골라요.",
    ),
    decision=Decision.CALIBRATED,
)
_RULE = Step(
    "rule",
    Text("+ decision rule", "+ 판정 규칙"),
    Text(
        "Same models with the decision rule fitted on the calibration split.",
        "같은 모델에 보정 분할에서 맞춘 판정 규칙을 써요.",
    ),
)

# The steps that need other networks, each with its own fields.
_TRAINED_STEPS: tuple[tuple[Step, tuple[str, ...]], ...] = (
    (
        Step(
            "loss",
            Text("+ ordinal loss", "+ 순서형 손실"),
            Text(
                "Ordinal loss: near errors cost less than far ones.",
                "순서형 손실로 학습해요. 가까운 오류는 먼 오류보다 벌점이 작아요.",
            ),
        ),
        ("loss",),
    ),
    (
        Step(
            "sampling",
            Text("+ oversampling", "+ 오버샘플링"),
            Text("Pictures with rare grades are sampled more often.", "드문 등급의 사진을 더 자주 뽑아요."),
        ),
        ("sampling",),
    ),
    (
        Step(
            "weights",
            Text("+ class weights", "+ 클래스 가중치"),
            Text("Rare grades weigh more in the loss.", "드문 등급의 손실 가중치를 키워요."),
        ),
        ("grade_weights", "condition_weights"),
    ),
    (
        Step(
            "average",
            Text("+ weight averaging", "+ 가중치 이동 평균"),
            Text(
                "Exponential moving average of the weights (EMA) instead of the last ones.",
                "마지막 가중치 대신 지수 이동 평균(EMA)을 써요.",
            ),
        ),
        ("ema",),
    ),
    (
        Step(
            "transfer",
            Text("+ gradual fine-tuning", "+ 점진적 미세 조정"),
            Text(
                "Early layers are trained later or at a lower learning rate.",
                "앞쪽 층을 나중에 또는 더 낮은 학습률로 학습해요.",
            ),
        ),
        ("frozen_epochs", "layer_decay"),
    ),
    (
        Step(
            "mixup",
            Text(f"+ {terms.MIXUP.en}", f"+ {terms.MIXUP.ko}"),
            Text("Pairs of pictures and labels are blended.", "사진과 라벨을 두 장씩 섞어 학습해요."),
        ),
        ("mixup",),
    ),
)

_ALTERNATIVES = (
    Step(
        "square_root",
        Text("square-root oversampling", "제곱근 오버샘플링"),
        Text(
            "Variant: rare grades are sampled more often, by the square root of their rarity.",
            "변형: 드문 등급을 희소도의 제곱근만큼 더 자주 뽑아요.",
        ),
        {"sampling": "square_root"},
        alternative=True,
    ),
    Step(
        "full",
        Text("balanced oversampling", "완전 균형 오버샘플링"),
        Text(
            "Variant: all grades are sampled equally often; helps the worst grade, may lower QWK.",
            "변형: 모든 등급을 똑같이 자주 뽑아요. 최저 재현율은 오르지만 QWK는 낮아질 수 있어요.",
        ),
        {"sampling": "full"},
        alternative=True,
    ),
)


def ladder(base: Recipe) -> tuple[Step, ...]:
    """Return the steps that lead to `base`, the last of them `base` itself; then the alternatives.

    A measure that `base` does not take is no step. From random weights the colours come right after the first step:
    without them such a network does not find red spots at all, and the steps after it could not be told apart.
    """
    first_fields = dict(_FIRST_FIELDS)
    colours: tuple[Step, ...] = ()
    if base.weights == "none" and base.colours != "plain":
        first_fields["colours"] = "plain"
        colours = (replace(_COLOURS, changes={"colours": base.colours}),)
    trained = (replace(step, changes={name: getattr(base, name) for name in names}) for step, names in _TRAINED_STEPS)
    return (
        replace(_SEED, changes=first_fields),
        *colours,
        _TEMPERATURE,
        _RULE,
        *(step for step in trained if any(first_fields[name] != value for name, value in step.changes.items())),
        *(step for step in _ALTERNATIVES if replace(base, **step.changes) != base),
    )


def recipes(base: Recipe, seeds: Sequence[int]) -> dict[str, list[Recipe]]:
    """Return the recipes of every step by its key, one a seed."""
    by_step, previous = {}, base
    for step in ladder(base):
        recipe = replace(base if step.alternative else previous, **step.changes)
        by_step[step.key] = [replace(recipe, seed=seed) for seed in seeds]
        previous = recipe
    return by_step


# ---- runs ----


# The furthest first.
_STATES = (State.FINISHED, State.RUNNING, State.INTERRUPTED, State.QUEUED, State.PAUSED, State.FAILED, State.CANCELLED)


def _runs_by_recipe(data: str) -> dict[Recipe, Run]:
    """Return the furthest run of every recipe on the present dataset, whatever the runs' names."""
    index_hash = open_dataset(data).index_hash
    states = {run: run.state for run in list_runs() if run.index_hash == index_hash}
    undamaged = [run for run, state in states.items() if state is not State.FINISHED or run.complete]
    return {run.recipe: run for run in sorted(undamaged, key=lambda run: _STATES.index(states[run]), reverse=True)}


def check(base: Recipe, condition: Condition) -> None:
    """Check that the ladder's last step can be trained, and learns the condition that is judged.

    Raises:
        ScalpError: it cannot; or the dataset has no labels for the condition, which was left out of all six.
    """
    check_recipe(base)
    if condition not in base.conditions:
        check_recipe(replace(base, conditions=(condition,), condition_weights=()))


def end_steps(base: Recipe) -> tuple[str, str]:
    """Return the keys of the first and the last step of the ladder."""
    keys = [step.key for step in ladder(base) if not step.alternative]
    return keys[0], keys[-1]


def plan_trainings(base: Recipe, seeds: Sequence[int], only: Sequence[str] = ()) -> list[Training]:
    """Return every training that the ladder needs, once, in its order.

    Args:
        only: keys of the wanted steps; empty for all.
    """
    runs = _runs_by_recipe(base.data)
    steps: dict[Recipe, list[str]] = {}
    for key, step_recipes in recipes(base, seeds).items():
        for recipe in step_recipes if key in only or not only else ():
            steps.setdefault(recipe, []).append(key)
    return [Training(tuple(keys), recipe, runs.get(recipe)) for recipe, keys in steps.items()]


def ensure_runs(base: Recipe, seeds: Sequence[int], only: Sequence[str] = ()) -> list[Run]:
    """Create the missing runs of the ladder, resume the stopped ones, and return all of them.

    Args:
        only: keys of the wanted steps; empty for all.

    Raises:
        ScalpError: a recipe cannot be trained, too many runs wait, or nothing can be written.
    """
    try:
        artifacts_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(artifacts_folder() / ".ablation.lock"):  # two clicks make one ladder
            return [_ensure_run(training) for training in plan_trainings(base, seeds, only)]
    except OSError as error:
        raise not_writable(error) from error


def _ensure_run(training: Training) -> Run:
    run = training.run or create_run(training.recipe, _name(training))
    if run.state in (State.PAUSED, State.FAILED, State.CANCELLED):
        run.resume()
    return run


def _name(training: Training) -> str:
    """Return `ablate-value_4-efficientnet_b0-loss-s0`, with a number behind it where that name is taken."""
    recipe = training.recipe
    conditions = "six" if len(recipe.conditions) == len(CONDITIONS) else "_".join(recipe.conditions)
    architecture = re.sub(r"[^a-z0-9_]", "-", recipe.architecture)
    name = f"{f'ablate-{conditions}-{architecture}'[:36]}-{training.steps[0]}-s{recipe.seed}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(free for free in names if not (artifacts_folder() / free).exists())


# ---- results ----


def step_table(base: Recipe, seeds: Sequence[int], condition: Condition, groups: Mapping[str, object]) -> pd.DataFrame:
    """Return the figures of each step on the test part, and their differences from the step before.

    Args:
        groups: of every image id; what resampling keeps together (see metrics.counts_by_group).

    Returns:
        A row a step: `step` (key), `against` (key of the step it is compared with, "" for the first), `alternative`,
        `seeds` (finished networks), `wanted` (networks in all); every name of METRICS with `…_low` and `…_high`, the
        mean over finished seeds; ERROR likewise; `…_difference`, `…_difference_low`, `…_difference_high` over the
        seeds that both steps have; `verdict` (a value of Verdict), missing where there is no difference yet.
        A step is incomplete as long as `seeds` is less than `wanted`.
    """
    runs, by_step = _runs_by_recipe(base.data), recipes(base, seeds)
    networks: dict[str, dict[int, _Network]] = {}
    rows, previous = [], ""
    for step in ladder(base):
        networks[step.key] = dict(_evaluate(runs, by_step[step.key], step.decision, condition, groups))
        finished = len(networks[step.key])
        row = {"step": step.key, "against": previous, "alternative": step.alternative, "seeds": finished}
        row |= {"wanted": len(seeds)} | _values(networks[step.key]) | _difference(networks, step.key, previous)
        rows.append(row)
        previous = previous if step.alternative else step.key
    return pd.DataFrame(rows)


def overall_table(base: Recipe, seeds: Sequence[int], groups: Mapping[str, object]) -> pd.DataFrame:
    """Return the effect of the whole ladder on the test part: its last step against its first, a row a condition.

    Returns:
        `condition`; for the last step the columns of `step_table`, and its figures once more for the first step, with
        `first_` before their names.
    """
    runs, by_step = _runs_by_recipe(base.data), recipes(base, seeds)
    decisions = {step.key: step.decision for step in ladder(base)}
    first, last = end_steps(base)
    rows = []
    for condition in base.conditions:
        networks = {
            key: dict(_evaluate(runs, by_step[key], decisions[key], condition, groups)) for key in (first, last)
        }
        first_values = {f"first_{name}": value for name, value in _values(networks[first]).items()}
        differences = _difference(networks, last, first)
        rows.append({"condition": condition} | first_values | _values(networks[last]) | differences)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Network:
    """One evaluated network: its grades (groups, 4, 4) and its calibration error."""

    counts: Counts
    error: float


def _evaluate(
    runs: Mapping[Recipe, Run],
    step_recipes: Sequence[Recipe],
    decision: Decision,
    condition: Condition,
    groups: Mapping[str, object],
) -> Iterator[tuple[int, _Network]]:
    """Yield the seed and the evaluation of every finished network of a step."""
    for recipe in step_recipes:
        run = runs.get(recipe)
        if run is None or not run.finished:
            continue
        predictions = _decide(run, run.changed_ns, decision)
        counts = metrics.counts_by_group(predictions, condition, PART, groups)
        yield recipe.seed, _Network(counts, calibration.expected_calibration_error(predictions, condition, PART))


@lru_cache(maxsize=256)
def _decide(run: Run, changed_ns: int, decision: Decision) -> pd.DataFrame:
    raw = run.raw_predictions
    point = OperatingPoint() if decision is Decision.ARGMAX else _fit(run, changed_ns)
    if decision is Decision.CALIBRATED:
        argmax = {key: replace(rule, rule="argmax", tau=0.0) for key, rule in point.decisions.items()}
        point = replace(point, decisions=argmax)
    return point.apply(raw[raw["part"] == PART])


@lru_cache(maxsize=64)
def _fit(run: Run, _changed_ns: int) -> OperatingPoint:
    # Not read from the run, whose operating point may have been fitted anew with another floor.
    return operating_point.fit(run.raw_predictions, run.recipe.recall_floor, "ablation")


def _values(networks: Mapping[int, _Network]) -> dict[str, float]:
    if not networks:
        return {}
    estimates = paired_comparison.estimate(np.stack([network.counts for network in networks.values()]))
    error = float(np.mean([network.error for network in networks.values()]))
    return {ERROR: error, **_columns(estimates, "")}


def _difference(networks: Mapping[str, Mapping[int, _Network]], step: str, against: str) -> dict[str, object]:
    common = [seed for seed in networks[step] if seed in networks.get(against, {})]
    if not common:
        return {"verdict": None}
    counts = (np.stack([networks[key][seed].counts for seed in common]) for key in (step, against))
    differences = paired_comparison.difference(*counts)
    return {"verdict": differences.verdict.value, **_columns(differences, "_difference")}


def _columns(figures: paired_comparison.Estimates | paired_comparison.Differences, suffix: str) -> dict[str, float]:
    return {
        f"{name}{suffix}{end}": value
        for name in METRICS
        for end, value in zip(("", "_low", "_high"), vars(getattr(figures, name)).values(), strict=True)
    }
