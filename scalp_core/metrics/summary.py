"""A comparison summarised in sentences, in both languages.

Names of networks are Latin and numbers are figures, after which Korean particles would depend on how they are read
aloud: a Korean noun stands between, or a form that does not change.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalp_core.errors import Text
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.metrics import HEADLINE, METRICS, explain_undefined, undefined_kappa
from scalp_core.metrics.paired_comparison import Comparison
from scalp_core.metrics.verdict import Verdict
from scalp_core.terms import capitalized

_COUNTS = {
    **{2: Text("two", "두"), 3: Text("three", "세"), 4: Text("four", "네"), 5: Text("five", "다섯")},
    **{6: Text("six", "여섯"), 7: Text("seven", "일곱"), 8: Text("eight", "여덟"), 9: Text("nine", "아홉")},
}


@dataclass(frozen=True)
class Cost:
    """The cost of using a model: the size of its network if known, and the time for one picture if measured."""

    parameters: int | None
    milliseconds: float | None


def summarize(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], costs: Mapping[str, Cost], metric: str
) -> list[Text]:
    """Name the leading models in a condition, those that do not grade it, and those that never recognise some grade.

    Args:
        names: of every model, by key.
        costs: of every model, by key; the cheapest of the leading models is named.
        metric: a key of METRICS, by which models are judged.
    """
    grading = _grading(comparison, condition)
    judged = comparison.graded(condition, metric)
    if not comparison.images[comparison.conditions.index(condition)]:
        return [_unlabelled(condition)]
    if not grading:
        return [_ungraded(condition)]
    if not judged:
        return [_constant(condition, metric, _truths(comparison)[comparison.conditions.index(condition)])]
    if len(judged) > 1:
        verdict = _leaders(comparison, condition, names, costs, metric)
    else:
        verdict = _only(comparison, condition, names[judged[0]], judged[0], metric)
    return [verdict, *_missing(comparison, condition, names, grading), *_dead(comparison, condition, names)]


def _grading(comparison: Comparison, condition: Condition) -> tuple[str, ...]:
    counts = comparison.counts[:, comparison.conditions.index(condition)].sum(axis=(1, 2))
    return tuple(model for model, images in zip(comparison.models, counts, strict=True) if images)


# ---- where there is nothing to compare ----


def _unlabelled(condition: Condition) -> Text:
    return Text(
        f"{capitalized(condition.text).en}: no labels in this split.",
        f"{condition.text.ko}: 이 분할에 라벨이 있는 사진이 없어요.",
    )


def _ungraded(condition: Condition) -> Text:
    return Text(
        f"{capitalized(condition.text).en}: none of the selected models grades it.",
        f"{condition.text.ko}: 고른 모델 중 이 증상을 추정하는 모델이 없어요.",
    )


def _constant(condition: Condition, metric: str, truth: npt.NDArray[np.float64]) -> Text:
    label, reason = METRICS[metric].text, undefined_kappa(truth) if metric == HEADLINE else None
    return Text(
        f"{capitalized(condition.text).en}: the labels of this split vary too little for {label.en}"
        f"{f' ({reason.en})' if reason else ''}.",
        f"{condition.text.ko}: 이 분할의 라벨이 다양하지 않아 {label.ko} 값을 계산할 수 없어요"
        f"{f'({reason.ko})' if reason else ''}.",
    )


def undefined_kappas(comparison: Comparison) -> Text | None:
    """Say of which conditions kappa is undefined, and why; None where it is of none.

    Left out are labelled conditions that no model grades.
    """
    truths = zip(comparison.conditions, comparison.images, _truths(comparison), strict=True)
    return explain_undefined({condition: truth for condition, images, truth in truths if truth.any() or not images})


def _truths(comparison: Comparison) -> npt.NDArray[np.float64]:
    """Return the pictures of every true grade (C, 4); a model that does not grade a condition has none of it."""
    return np.asarray(comparison.counts.sum(axis=3).max(axis=0))


def _only(comparison: Comparison, condition: Condition, name: str, model: str, metric: str) -> Text:
    estimate, label = comparison.estimate(metric, model, condition), METRICS[metric].short
    interval = "" if math.isnan(estimate.low) else f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return Text(
        f"{capitalized(condition.text).en}: graded by {name} only ({label.en} {estimate.value:.2f}{interval}).",
        f"{condition.text.ko}: {name} 모델만 추정해요({label.ko} {estimate.value:.2f}{interval}).",
    )


# ---- who leads ----


def _leaders(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], costs: Mapping[str, Cost], metric: str
) -> Text:
    letters = comparison.tied(metric, condition)
    first = [model for model, letter in letters.items() if letter == "a"]
    if len(first) == 1:
        best = names[first[0]]
        return Text(
            f"{capitalized(condition.text).en}: {best} is significantly better than "
            f"{'all others' if len(letters) > 2 else 'the other'}.",
            f"{condition.text.ko}: {best} 모델이 {'나머지 모두' if len(letters) > 2 else '다른 모델'}보다 "
            "유의하게 나아요.",
        )
    cheapest = _cheapest(first, names, costs)
    if len(first) < len(letters):
        many, listed = _many(len(first)), ", ".join(names[model] for model in first)
        return Text(
            f"{capitalized(condition.text).en}: {many.en} models lead, not significantly different ({listed}). "
            f"{cheapest.en}".strip(),
            f"{condition.text.ko}: {many.ko} 모델({listed})이 선두이고 서로 유의한 차이가 없어요. "
            f"{cheapest.ko}".strip(),
        )
    return _all_alike(comparison, condition, metric, cheapest)


def _all_alike(comparison: Comparison, condition: Condition, metric: str, cheapest: Text) -> Text:
    pairs, many = comparison.pairs(metric, condition), _many(len(comparison.graded(condition, metric)))
    if pairs["p"].isna().all():
        return Text(
            f"{capitalized(condition.text).en}: too few captures of every grade for intervals.",
            f"{condition.text.ko}: 각 등급의 촬영이 너무 적어 신뢰 구간을 계산할 수 없어요.",
        )
    if (pairs["verdict"] == Verdict.PRACTICALLY_EQUAL).all():
        return Text(
            f"{capitalized(condition.text).en}: the {many.en} models are practically equal. {cheapest.en}".strip(),
            f"{condition.text.ko}: {many.ko} 모델이 사실상 같아요. {cheapest.ko}".strip(),
        )
    return Text(
        f"{capitalized(condition.text).en}: no significant difference between the {many.en} models. "
        f"{cheapest.en}".strip(),
        f"{condition.text.ko}: {many.ko} 모델 사이에 유의한 차이가 없어요. {cheapest.ko}".strip(),
    )


def _cheapest(models: Sequence[str], names: Mapping[str, str], costs: Mapping[str, Cost]) -> Text:
    """Name the cheapest model by time, then by size; by size alone while some time is not measured."""
    measured = {model: time for model in models if (time := costs[model].milliseconds) is not None}
    sizes = {model: size for model in models if (size := costs[model].parameters) is not None}
    if not sizes:
        return Text("", "")
    if len(measured) == len(models):
        best = min(models, key=lambda model: (measured[model], sizes.get(model, math.inf)))
        return Text(
            f"Fastest: {names[best]} ({measured[best]:.1f} ms per picture).",
            f"가장 빠른 모델: {names[best]}(사진당 {measured[best]:.1f} ms).",
        )
    best = min(sizes, key=lambda model: sizes[model])
    size = sizes[best]
    return Text(
        f"Smallest: {names[best]} ({size / 1e6:.1f} million parameters).",
        f"가장 작은 모델: {names[best]}(파라미터 {size / 1e4:,.0f}만 개).",
    )


def _many(count: int) -> Text:
    return _COUNTS.get(count, Text(str(count), f"{count}개"))


# ---- what else must be known ----


def _missing(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], grading: Sequence[str]
) -> list[Text]:
    listed = ", ".join(names[model] for model in comparison.models if model not in grading)
    if not listed:
        return []
    return [
        Text(
            f"Not graded by: {listed}.",
            f"추정하지 않는 모델: {listed}.",
        )
    ]


def _dead(comparison: Comparison, condition: Condition, names: Mapping[str, str]) -> list[Text]:
    """Return a sentence for every model that never recognises a grade which occurs."""
    place, sentences = comparison.conditions.index(condition), []
    for model, counts in zip(comparison.models, comparison.counts[:, place], strict=True):
        images = counts.sum(axis=1)
        grades = [grade for grade in GRADES if images[grade] and not np.diagonal(counts)[grade]]
        if grades:
            sentences.append(_never(names[model], {int(grade): round(images[grade]) for grade in grades}))
    return sentences


def _never(name: str, images: Mapping[int, int]) -> Text:
    en = " or ".join(f"grade {grade} ({_pictures(count)})" for grade, count in images.items())
    ko = ", ".join(f"{grade}등급(사진 {count:,}장)" for grade, count in images.items())
    return Text(f"{name}: recall 0 for {en}.", f"{name}: {ko} 재현율 0.")


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"


# ---- uncertainty ----


def detectable_differences(comparison: Comparison, condition: Condition, metric: str) -> Text | None:
    """Return the differences that the captures can detect; None where nothing is compared."""
    half, often = comparison.detectable(metric, condition)
    if math.isnan(half):
        return None
    label, captures = METRICS[metric].short, f"{comparison.groups:,}"
    return Text(
        f"Power with {captures} captures: 50% for a true {label.en} difference of {_amount(half)}, 80% for "
        f"{_amount(often)}.",
        f"촬영 {captures}건의 검정력: 실제 {label.ko} 차이가 {_amount(half)}이면 50%, {_amount(often)}이면 80%.",
    )


def _amount(difference: float) -> str:
    return f"{difference:.2f}" if difference >= 0.02 else f"{difference:.3f}"


def chance_spread(comparison: Comparison, condition: Condition, metric: str) -> Text | None:
    """Return the distance of best and worst that chance alone gives; None where nothing is compared."""
    models, spread = comparison.graded(condition, metric), comparison.chance_spread(metric, condition)
    if len(models) < 2 or math.isnan(spread):
        return None
    values = comparison.values(metric)[:, comparison.conditions.index(condition)]
    seen, label = float(np.nanmax(values) - np.nanmin(values)), METRICS[metric].short
    return Text(
        f"Best and worst differ by {_amount(seen)} {label.en}; chance alone would give about {_amount(spread)}.",
        f"최고와 최저의 {label.ko} 차이는 {_amount(seen)}이고, 우연만으로도 {_amount(spread)} 정도 나요.",
    )
