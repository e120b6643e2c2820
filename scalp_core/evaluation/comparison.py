"""Which runs may be compared on a data set, and their comparison: joins the statistics, which know no run, with the
runs and data sets. Knows no page.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.evaluation.baselines import PUBLISHED
from scalp_core.inference import session
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.alignment import AlignedPredictions, PartPredictions, align, arrange
from scalp_core.metrics.metrics import COUNTED, ranked_probability_scores
from scalp_core.metrics.paired_comparison import Comparison, compare
from scalp_core.runs.champions import check_readable, judged_on
from scalp_core.runs.runs import Recipe, Run, list_runs
from scalp_core.synthetic.label_noise import ceiling

_GRADES = len(GRADES)


@dataclass(frozen=True)
class Model:
    """Runs of one recipe that differ in their seed alone; most often a single one.

    Attributes:
        key: id of the earliest of them; stands in addresses.
        name: the architecture, and what tells it apart where there are several of it.
    """

    key: str
    name: str
    runs: tuple[Run, ...]

    @property
    def recipe(self) -> Recipe:
        return self.runs[0].recipe

    @property
    def parameters(self) -> int:
        return self.runs[0].parameters

    @property
    def milliseconds(self) -> float | None:
        """For one picture on one core of this machine; None where that was not measured yet."""
        return self.runs[0].milliseconds

    def measure_milliseconds(self) -> None:
        """Measure that, a second or two; the first time the network is exported too.

        Raises:
            ScalpError: the run is damaged or cannot be exported; the folder for runs cannot be written.
        """
        self.runs[0].write_milliseconds(session.milliseconds(self.runs[0]))


@dataclass(frozen=True)
class ExcludedRun:
    """A finished run that cannot be compared, and why."""

    run: Run
    reason: Text


def candidates(dataset: Dataset) -> tuple[list[Model], list[ExcludedRun]]:
    """What may be compared on the pictures of this data set, by architecture; and what may not."""
    finished, damaged = sound(run for run in list_runs() if run.finished)
    on_these = judged_on(dataset)
    judged = [run for run in finished if run in on_these]
    by_recipe: dict[tuple[Recipe, str], dict[int, list[Run]]] = {}
    for run in judged:
        seeds = by_recipe.setdefault((replace(run.recipe, seed=0), run.index_hash), {})
        seeds.setdefault(run.recipe.seed, []).append(run)
    left_out = [*damaged, *(ExcludedRun(run, _reason(run, dataset)) for run in finished if run not in judged)]
    for seeds in by_recipe.values():
        for *earlier, latest in seeds.values():
            left_out += [ExcludedRun(run, _trained_again(latest)) for run in earlier]
    sides = _named([tuple(seeds[seed][-1] for seed in sorted(seeds)) for seeds in by_recipe.values()])
    return sorted(sides, key=lambda side: side.name), left_out


def sound(runs: Iterable[Run]) -> tuple[list[Run], list[ExcludedRun]]:
    """Those that can be read, and those that cannot: one damaged run must not keep the others from being compared."""
    sound, damaged = [], []
    for run in runs:
        try:
            check_readable(run)
        except ScalpError as error:
            damaged.append(ExcludedRun(run, error.text))
        else:
            sound.append(run)
    return sound, damaged


def _reason(run: Run, dataset: Dataset) -> Text:
    if run.recipe.data == dataset.name:
        return Text(
            "judged on other pictures, labels or parts than the data set has now",
            "지금의 데이터 세트와 다른 사진·라벨·분할로 평가됨",
        )
    name = run.recipe.data
    return Text(f"judged on pictures of another data set, “{name}”", f"다른 데이터 세트 “{name}”의 사진으로 평가됨")


def _trained_again(run: Run) -> Text:
    return Text(f"trained again with the same recipe and seed: {run.id}", f"같은 설정과 시드로 다시 학습됨: {run.id}")


def _named(groups: Sequence[tuple[Run, ...]]) -> list[Model]:
    architectures = [runs[0].recipe.architecture for runs in groups]
    found = []
    for runs, architecture in zip(groups, architectures, strict=True):
        key = min(runs, key=lambda run: (run.created, run.id)).id
        alone = architectures.count(architecture) == 1
        found.append(Model(key, architecture if alone else f"{architecture} · {key}", runs))
    return found


# ---- lined up and compared; kept until a run or the data set changes ----

# What is kept: with five runs and 100,000 pictures in the part 57 MB of lined up answers and 5 MB a comparison, a run's
# own answers 20 MB.


def aligned(dataset: Dataset, runs: Iterable[Run], part: str) -> AlignedPredictions:
    """The answers of these runs to the pictures of a part, side by side. Shared: do not change.

    Raises:
        ScalpError: their tables are not about the same pictures with the same labels.
        ValueError: there is none.
    """
    return _aligned(dataset.name, dataset.version, tuple((run, run.changed_ns) for run in runs), part)


@lru_cache(maxsize=4)
def _aligned(data: str, version: int, runs: tuple[tuple[Run, int], ...], part: str) -> AlignedPredictions:
    answers = {run.id: _arranged(run, changed_ns, part) for run, changed_ns in runs}
    try:
        return align(answers, _captures(data, version, part))
    except ValueError as error:
        if not answers:
            raise
        raise _not_alike(answers) from error


@lru_cache(maxsize=4)
def _captures(data: str, _version: int, part: str) -> dict[str, object]:
    """The capture of every picture of the part: reading it out takes longer than all else of lining up."""
    dataset = open_dataset(data)
    rows = (dataset.column("part") == part).to_numpy()
    ids, captures = (dataset.column(name)[rows].to_numpy(dtype=object) for name in ("id", "capture"))
    return dict(zip(ids, captures, strict=True))


def _not_alike(runs: Iterable[str]) -> ScalpError:
    """Their recipes say that they were judged on the same pictures; somebody changed a table or a recipe."""
    listed = ", ".join(runs)
    return ScalpError(
        "not_alike",
        f"These runs' predictions are not about the same pictures and labels, although their recipes say so: {listed}. "
        "Take one off, or train it again.",
        f"설정에는 같은 사진과 라벨로 평가했다고 되어 있지만 predictions.parquet의 내용이 서로 달라요: {listed}. "
        "하나를 빼거나 다시 학습하세요.",
    )


@lru_cache(maxsize=32)
def _arranged(run: Run, _changed_ns: int, part: str) -> PartPredictions:
    return arrange(run.predictions, part)


def compared(dataset: Dataset, sides: Sequence[Model], part: str) -> Comparison:
    """The comparison of these sides, by their keys. Shared: do not change."""
    asked = tuple((side.key, tuple((run, run.changed_ns) for run in side.runs)) for side in sides)
    return _compared(dataset.name, dataset.version, asked, part)


@lru_cache(maxsize=16)
def _compared(
    data: str, _version: int, sides: tuple[tuple[str, tuple[tuple[Run, int], ...]], ...], part: str
) -> Comparison:
    runs = tuple(one for _, members in sides for one in members)
    members = {key: [run.id for run, _ in own] for key, own in sides}
    return compare(_aligned(data, _version, runs, part), members)


# ---- what figures are seen against ----


@dataclass(frozen=True)
class Reference:
    """A figure that needs no network, or that somebody published.

    Attributes:
        metric: as in evaluate.METRICS.
        protocol: how it comes about.
    """

    name: Text
    metric: str
    value: float
    protocol: Text


_MAJORITY = Text("majority grade", "최다 등급")
_ALWAYS = Text("always the commonest grade of the training part", "학습 분할에서 가장 흔한 등급만 답함")
_RANDOM = Text("random by frequency", "빈도에 따른 무작위")
_DRAWN = Text(
    "grades drawn at random as often as in the training part, on average",
    "학습 분할의 빈도대로 무작위로 답할 때의 기댓값",
)
_CEILING = Text("best to be expected", "기대할 수 있는 최고")
_NOISE = Text(
    "the best possible answers against labels as noisy as these; known for drawn pictures only",
    "이 정도의 라벨 잡음에서 가능한 최선의 답. 그려 낸 사진에서만 알 수 있음",
)


def references(dataset: Dataset, part: str) -> dict[Condition, list[Reference]]:
    """What the figures of a part are seen against, where it can say. Shared: do not change."""
    return _references(dataset.name, dataset.version, part)


@lru_cache(maxsize=16)
def _references(data: str, _version: int, part: str) -> dict[Condition, list[Reference]]:
    dataset = open_dataset(data)
    best = ceiling(dataset, part)
    found = {}
    for condition in CONDITIONS:
        truth, learned = (_labels(dataset, condition, one) for one in (part, "train"))
        known = [*_without_network(truth, learned), *_published(dataset, condition)]
        if condition in best:
            known.append(Reference(_CEILING, "quadratic_weighted_kappa", best[condition], _NOISE))
        found[condition] = [one for one in known if not math.isnan(one.value)]
    return found


def _labels(dataset: Dataset, condition: Condition, part: str) -> npt.NDArray[np.int64]:
    grades = dataset.grades((condition,), part)[:, 0]
    return grades[~np.isnan(grades)].astype(np.int64)


def _without_network(truth: npt.NDArray[np.int64], learned: npt.NDArray[np.int64]) -> list[Reference]:
    if not len(truth) or not len(learned):
        return []
    prior = np.bincount(learned, minlength=_GRADES) / len(learned)
    majority = np.eye(_GRADES)[prior.argmax()]
    found = []
    for name, protocol, answers in ((_MAJORITY, _ALWAYS, majority), (_RANDOM, _DRAWN, prior)):
        counts = np.outer(np.bincount(truth, minlength=_GRADES), answers)
        figures = {metric: float(of(counts)) for metric, of in COUNTED.items()}
        scores = ranked_probability_scores(np.broadcast_to(answers, (len(truth), _GRADES)), truth)
        figures["ranked_probability_score"] = float(scores.mean())
        found += [Reference(name, metric, value, protocol) for metric, value in figures.items()]
    return found


def _published(dataset: Dataset, condition: Condition) -> list[Reference]:
    """Only beside pictures of the same source."""
    if dataset.kind != "aihub":
        return []
    return [
        Reference(one.name, one.metric, one.values[condition], one.protocol)
        for one in PUBLISHED
        if condition in one.values
    ]
