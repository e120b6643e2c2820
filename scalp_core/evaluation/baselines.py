"""Baselines beside measured figures: what answers without a network reach, and what has been published.

The protocol of every published figure differs from ours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.metrics import COUNTED, ranked_probability_scores
from scalp_core.synthetic.label_noise import ceiling

_GRADES = len(GRADES)


@dataclass(frozen=True)
class Baseline:
    """One figure that measured ones are compared with.

    Attributes:
        metric: a key of metrics.METRICS.
        protocol: how the figure comes about.
    """

    name: Text
    metric: str
    value: float
    protocol: Text


@dataclass(frozen=True)
class PublishedResult:
    """One published metric of one model.

    Attributes:
        metric: a key of metrics.METRICS.
        values: by condition; unpublished ones are left out.
        protocol: the pictures it was measured on, and why it cannot be compared with ours directly.
    """

    name: Text
    metric: str
    values: dict[Condition, float]
    protocol: Text


def find_baselines(dataset: Dataset, part: str) -> dict[Condition, list[Baseline]]:
    """Return the baselines of every condition in one part of a dataset; shared, so not to be changed."""
    return _find_baselines(dataset.name, dataset.version, part)


@lru_cache(maxsize=16)
def _find_baselines(data: str, _version: int, part: str) -> dict[Condition, list[Baseline]]:
    dataset = open_dataset(data)
    best_kappas = ceiling(dataset, part)
    baselines = {}
    for condition in CONDITIONS:
        truth, training_labels = (_labels(dataset, condition, name) for name in (part, "train"))
        rows = [*_without_network(truth, training_labels), *_published(dataset, condition)]
        if condition in best_kappas:
            rows.append(Baseline(_CEILING, "quadratic_weighted_kappa", best_kappas[condition], _NOISE))
        baselines[condition] = [row for row in rows if not math.isnan(row.value)]
    return baselines


def _labels(dataset: Dataset, condition: Condition, part: str) -> npt.NDArray[np.int64]:
    grades = dataset.grades((condition,), part)[:, 0]
    return grades[~np.isnan(grades)].astype(np.int64)


# ---- without a network ----

_MAJORITY = Text("majority grade", "최빈 등급")
_ALWAYS = Text("always the most frequent grade of the training split", "학습 분할의 최빈 등급만 예측")
_RANDOM = Text("random by frequency", "빈도 비례 무작위")
_EXPECTED = Text(
    "expected value of random grades with the frequencies of the training split",
    "학습 분할의 빈도대로 무작위로 예측할 때의 기댓값",
)
_CEILING = Text("ceiling", "기대 최고값")
_NOISE = Text(
    "best possible predictions given the label noise; known for synthetic data only",
    "라벨 잡음에서 가능한 최고값. 합성 데이터에서만 알 수 있음",
)


def _without_network(truth: npt.NDArray[np.int64], training_labels: npt.NDArray[np.int64]) -> list[Baseline]:
    if not len(truth) or not len(training_labels):
        return []
    prior = np.bincount(training_labels, minlength=_GRADES) / len(training_labels)
    majority = np.eye(_GRADES)[prior.argmax()]
    baselines = []
    for name, protocol, probabilities in ((_MAJORITY, _ALWAYS, majority), (_RANDOM, _EXPECTED, prior)):
        counts = np.outer(np.bincount(truth, minlength=_GRADES), probabilities)
        values = {metric: float(compute(counts)) for metric, compute in COUNTED.items()}
        scores = ranked_probability_scores(np.broadcast_to(probabilities, (len(truth), _GRADES)), truth)
        values["ranked_probability_score"] = float(scores.mean())
        baselines += [Baseline(name, metric, value, protocol) for metric, value in values.items()]
    return baselines


# ---- published on the AI Hub pictures ----


def _published(dataset: Dataset, condition: Condition) -> list[Baseline]:
    if dataset.kind != "aihub":
        return []
    return [
        Baseline(result.name, result.metric, result.values[condition], result.protocol)
        for result in PUBLISHED
        if condition in result.values
    ]


_FOLDERS = Text(
    "pictures by condition folder, grade 0 only from the all-normal one; training and validation share captures",
    "증상별 폴더의 사진, 0등급은 전체 양호 폴더만 사용, 학습과 검증에 같은 사람의 사진이 섞여 있음",
)
_UNIQUE = Text(
    "unique pictures of the official validation split, which shares captures with the training split",
    "공식 검증 분할의 중복 없는 사진, 학습 분할과 같은 사람의 사진이 섞여 있음",
)


def _result(source: str, metric: str, values: Sequence[float | None], protocol: Text) -> PublishedResult:
    by_condition = {condition: value for condition, value in zip(CONDITIONS, values, strict=True) if value is not None}
    return PublishedResult(Text(source, source), metric, by_condition, protocol)


PUBLISHED = (
    _result("AI Hub, EfficientNet-B7 (600 px)", "accuracy", (0.913, 0.905, 0.896, 0.873, 0.952, 0.890), _FOLDERS),
    _result(
        "Appl. Sci. 14(17) 7574 (2024), EfficientNet-B0", "accuracy", (0.75, None, 0.82, None, None, None), _FOLDERS
    ),
    _result("scalp-vision-agent, EfficientNet-B0", "accuracy", (0.844, 0.591, 0.696, 0.952, 0.733, 0.761), _UNIQUE),
    _result("scalp-vision-agent, EfficientNet-B0", "macro_f1", (0.472, 0.543, 0.650, 0.436, 0.656, 0.553), _UNIQUE),
)
