"""The ablation ladder: which measure against losing rare grades does what. Knows no torch, no page, no process.

It leads from plain cross-entropy and the most probable grade to the recipe asked for. Every step stands on the one
before and is judged against it, under the same split and seeds (docs/design/evaluation.md).
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
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run, State, not_writable
from scalp_core.runs.store import create_run, list_runs

PART = "test"
METRICS = tuple(paired_comparison.Estimates.__dataclass_fields__)
ERROR = "expected_calibration_error"


class Decided(StrEnum):
    """How a step's networks come to their grades."""

    ARGMAX = "argmax"  # the most probable grade
    CALIBRATED = "calibrated"  # the most probable grade of calibrated probabilities
    FULL = "full"  # the operating point


@dataclass(frozen=True)
class Step:
    """One measure, on top of those before it.

    Attributes:
        name: for axes and tables.
        text: one sentence on what it does.
        changes: fields of the recipe that it sets; none where it only decides otherwise with the same networks.
        side: leads nowhere: shown against the end of the ladder, because of what it costs.
    """

    key: str
    name: Text
    text: Text
    changes: Mapping[str, Any] = field(default_factory=dict)
    decided: Decided = Decided.FULL
    side: bool = False


@dataclass(frozen=True)
class Training:
    """What the ladder needs trained: `steps` share it, `run` is there or asked for already."""

    steps: tuple[str, ...]
    recipe: Recipe
    run: Run | None


# What recipes began with, and every measure takes back by setting its fields to those of the recipe asked for.
_BEGINNING: Mapping[str, Any] = {
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
    decided=Decided.ARGMAX,
)
_COLOURS = Step(
    "colours",
    Text(f"+ {terms.WHITENING.en}", f"+ {terms.WHITENING.ko}"),
    Text(
        "Colour varies as much as lightness, so that a model trained from scratch can see faint redness.",
        "색의 변화를 명암만큼 키워, 처음부터 학습한 모델도 옅은 붉은색을 볼 수 있어요.",
    ),
    decided=Decided.ARGMAX,
)
_TEMPERATURE = Step(
    "temperature",
    Text("+ calibration", "+ 확률 보정"),
    Text(
        "Same models, probabilities calibrated on the calibration split; most probable grade.",
        "같은 모델의 확률을 보정 분할에서 보정하고, 확률이 가장 높은 등급을 골라요.",
    ),
    decided=Decided.CALIBRATED,
)
_RULE = Step(
    "rule",
    Text("+ decision rule", "+ 판정 규칙"),
    Text(
        "Same models with the decision rule fitted on the calibration split.",
        "같은 모델에 보정 분할에서 맞춘 판정 규칙을 써요.",
    ),
)

# The steps that need other networks, each with the fields that are its own.
_LATER: tuple[tuple[Step, tuple[str, ...]], ...] = (
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

_SIDES = (
    Step(
        "square_root",
        Text("square-root oversampling", "제곱근 오버샘플링"),
        Text(
            "Variant: rare grades are sampled more often, by the square root of their rarity.",
            "변형: 드문 등급을 희소도의 제곱근만큼 더 자주 뽑아요.",
        ),
        {"sampling": "square_root"},
        side=True,
    ),
    Step(
        "full",
        Text("balanced oversampling", "완전 균형 오버샘플링"),
        Text(
            "Variant: all grades are sampled equally often; helps the worst grade, may lower QWK.",
            "변형: 모든 등급을 똑같이 자주 뽑아요. 최저 재현율은 오르지만 QWK는 낮아질 수 있어요.",
        ),
        {"sampling": "full"},
        side=True,
    ),
)


def ladder(base: Recipe) -> tuple[Step, ...]:
    """The steps that lead to `base`, the last of them `base` itself; then those aside.

    A measure that `base` does not take is no step. From random weights the colours come right after the beginning:
    without them such a network does not find red spots at all, and nothing after it could be told apart.
    """
    beginning = dict(_BEGINNING)
    colours: tuple[Step, ...] = ()
    if base.weights == "none" and base.colours != "plain":
        beginning["colours"] = "plain"
        colours = (replace(_COLOURS, changes={"colours": base.colours}),)
    later = (replace(step, changes={name: getattr(base, name) for name in names}) for step, names in _LATER)
    return (
        replace(_SEED, changes=beginning),
        *colours,
        _TEMPERATURE,
        _RULE,
        *(step for step in later if any(beginning[name] != value for name, value in step.changes.items())),
        *(step for step in _SIDES if replace(base, **step.changes) != base),
    )


def recipes(base: Recipe, seeds: Sequence[int]) -> dict[str, list[Recipe]]:
    """By the key of each step the recipes of its networks, one a seed."""
    made, reached = {}, base
    for step in ladder(base):
        recipe = replace(base if step.side else reached, **step.changes)
        made[step.key] = [replace(recipe, seed=seed) for seed in seeds]
        reached = recipe
    return made


# ---- runs ----


def found(recipe: Recipe) -> Run | None:
    """The run of that recipe on the data set as it is now, whatever it is called; the furthest one of several."""
    return _known(recipe.data).get(recipe)


# The furthest first.
_STATES = (State.FINISHED, State.RUNNING, State.INTERRUPTED, State.QUEUED, State.PAUSED, State.FAILED, State.CANCELLED)


def _known(data: str) -> dict[Recipe, Run]:
    index_hash = open_dataset(data).index_hash
    states = {run: run.state for run in list_runs() if run.index_hash == index_hash}
    whole = [run for run, state in states.items() if state is not State.FINISHED or run.complete]
    return {run.recipe: run for run in sorted(whole, key=lambda run: _STATES.index(states[run]), reverse=True)}


def ends(base: Recipe) -> tuple[str, str]:
    """The keys of the first step and of the last."""
    upwards = [step.key for step in ladder(base) if not step.side]
    return upwards[0], upwards[-1]


def plan(base: Recipe, seeds: Sequence[int], only: Sequence[str] = ()) -> list[Training]:
    """Every training that the ladder needs, once, in its order; with the run where there is one.

    Args:
        only: keys of the steps that matter; none means all.
    """
    known = _known(base.data)
    steps: dict[Recipe, list[str]] = {}
    for key, wanted in recipes(base, seeds).items():
        for recipe in wanted if key in only or not only else ():
            steps.setdefault(recipe, []).append(key)
    return [Training(tuple(keys), recipe, known.get(recipe)) for recipe, keys in steps.items()]


def ask(base: Recipe, seeds: Sequence[int], only: Sequence[str] = ()) -> list[Run]:
    """Ask for what is missing and take up what was given up; all runs of the ladder, or of `only` some steps.

    Raises:
        ScalpError: a recipe cannot be trained, too many runs wait, or nothing can be written.
    """
    try:
        artifacts_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(artifacts_folder() / ".ablation.lock"):  # two clicks make one ladder
            return [_wanted(training) for training in plan(base, seeds, only)]
    except OSError as error:
        raise not_writable(error) from error


def _wanted(training: Training) -> Run:
    run = training.run or create_run(training.recipe, _name(training))
    if run.state in (State.PAUSED, State.FAILED, State.CANCELLED):
        run.resume()
    return run


def _name(training: Training) -> str:
    """`ablate-value_4-efficientnet_b0-loss-s0`, with a number behind it if there is one already."""
    recipe = training.recipe
    conditions = "six" if len(recipe.conditions) == len(CONDITIONS) else "_".join(recipe.conditions)
    architecture = re.sub(r"[^a-z0-9_]", "-", recipe.architecture)
    name = f"{f'ablate-{conditions}-{architecture}'[:36]}-{training.steps[0]}-s{recipe.seed}"
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(free for free in names if not (artifacts_folder() / free).exists())


# ---- what each step brings ----


def version(base: Recipe, seeds: Sequence[int]) -> tuple[int, ...]:
    """What `table` was made of: changes with every network that finishes. For whoever keeps a table."""
    runs = (training.run for training in plan(base, seeds))
    return tuple(run.changed_ns if run and run.finished else 0 for run in runs)


def table(base: Recipe, seeds: Sequence[int], condition: Condition, groups: Mapping[str, object]) -> pd.DataFrame:
    """What each step reaches on the test part, and what it adds to the one before.

    Args:
        groups: of every image id; what resampling keeps together (see evaluate.counts_by_group).

    Returns:
        A row a step: `step` (key), `against` (key of the step it is judged against, "" for the first), `side`,
        `seeds` (networks finished), `asked` (networks in all); every name of METRICS with `…_low` and `…_high`, the
        mean over finished seeds; ERROR likewise; `…_difference`, `…_difference_low`, `…_difference_high` over the
        seeds that both steps have; `verdict` (a value of compare.Verdict), missing where there is no difference yet.
        A step waits as long as `seeds` is less than `asked`.
    """
    known, asked = _known(base.data), recipes(base, seeds)
    judged: dict[str, dict[int, _Judged]] = {}
    rows, before = [], ""
    for step in ladder(base):
        judged[step.key] = dict(_judged(known, asked[step.key], step.decided, condition, groups))
        row = {"step": step.key, "against": before, "side": step.side, "seeds": len(judged[step.key])}
        rows.append(row | {"asked": len(seeds)} | _reached(judged[step.key]) | _added(judged, step.key, before))
        before = before if step.side else step.key
    return pd.DataFrame(rows)


def altogether(base: Recipe, seeds: Sequence[int], groups: Mapping[str, object]) -> pd.DataFrame:
    """What the whole ladder brings on the test part: a row a condition of `base`, its last step against its first.

    Returns:
        `condition`; for the last step the columns of `table`, and those that say what it reaches once more for the
        first one, with `first_` before their names.
    """
    known, asked = _known(base.data), recipes(base, seeds)
    decided = {step.key: step.decided for step in ladder(base)}
    first, last = ends(base)
    rows = []
    for condition in base.conditions:
        judged = {key: dict(_judged(known, asked[key], decided[key], condition, groups)) for key in (first, last)}
        begun = {f"first_{name}": value for name, value in _reached(judged[first]).items()}
        rows.append({"condition": condition} | begun | _reached(judged[last]) | _added(judged, last, first))
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Judged:
    """One network's grades: (groups, 4, 4), and its calibration error."""

    counts: Counts
    error: float


def _judged(
    known: Mapping[Recipe, Run],
    asked: Sequence[Recipe],
    decided: Decided,
    condition: Condition,
    groups: Mapping[str, object],
) -> Iterator[tuple[int, _Judged]]:
    for recipe in asked:
        run = known.get(recipe)
        if run is None or not run.finished:
            continue
        predictions = _decide(run, run.changed_ns, decided)
        counts = metrics.counts_by_group(predictions, condition, PART, groups)
        yield recipe.seed, _Judged(counts, calibration.expected_calibration_error(predictions, condition, PART))


@lru_cache(maxsize=256)
def _decide(run: Run, changed_ns: int, decided: Decided) -> pd.DataFrame:
    """The rows of the test part, decided that way."""
    raw = run.raw_predictions
    point = OperatingPoint() if decided is Decided.ARGMAX else _fitted(run, changed_ns)
    if decided is Decided.CALIBRATED:
        plain = {key: replace(decision, rule="argmax", tau=0.0) for key, decision in point.decisions.items()}
        point = replace(point, decisions=plain)
    return point.apply(raw[raw["part"] == PART])


@lru_cache(maxsize=64)
def _fitted(run: Run, _changed_ns: int) -> OperatingPoint:
    # Fitted here rather than read from the run: somebody may have fitted that one anew with another floor.
    return operating_point.fit(run.raw_predictions, run.recipe.recall_floor, "ablation")


def _reached(networks: Mapping[int, _Judged]) -> dict[str, float]:
    if not networks:
        return {}
    reached = paired_comparison.estimate(np.stack([network.counts for network in networks.values()]))
    error = float(np.mean([network.error for network in networks.values()]))
    return {ERROR: error, **_columns(reached, "")}


def _added(judged: Mapping[str, Mapping[int, _Judged]], step: str, against: str) -> dict[str, object]:
    common = [seed for seed in judged[step] if seed in judged.get(against, {})]
    if not common:
        return {"verdict": None}
    sides = (np.stack([judged[key][seed].counts for seed in common]) for key in (step, against))
    added = paired_comparison.difference(*sides)
    return {"verdict": added.verdict.value, **_columns(added, "_difference")}


def _columns(figures: paired_comparison.Estimates | paired_comparison.Differences, suffix: str) -> dict[str, float]:
    return {
        f"{name}{suffix}{end}": value
        for name in METRICS
        for end, value in zip(("", "_low", "_high"), vars(getattr(figures, name)).values(), strict=True)
    }
