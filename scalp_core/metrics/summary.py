"""What a person would say of a comparison, in both languages; pure. Knows no run and no page.

Names of networks are Latin and numbers are figures, after which Korean particles would depend on how they are read
aloud: a Korean noun stands between, or a form that does not change.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scalp_core.errors import Text
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison, Verdict

_COUNTS = {
    **{2: Text("two", "두"), 3: Text("three", "세"), 4: Text("four", "네"), 5: Text("five", "다섯")},
    **{6: Text("six", "여섯"), 7: Text("seven", "일곱"), 8: Text("eight", "여덟"), 9: Text("nine", "아홉")},
}


@dataclass(frozen=True)
class Cost:
    """What a side costs to use: the size of its network, and the time for one picture if that was measured."""

    parameters: int
    milliseconds: float | None


def opening(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], costs: Mapping[str, Cost], metric: str
) -> list[Text]:
    """Who leads in a condition, and what else must be known: who does not grade it, and who never sees some grade.

    Args:
        names: of every side, by key.
        costs: likewise; among those not told apart the cheapest is named.
        metric: a key of evaluate.METRICS, by which it is judged.
    """
    grading = _grading(comparison, condition)
    judged = comparison.graded(condition, metric)
    if not comparison.images[comparison.conditions.index(condition)]:
        return [_unlabelled(condition)]
    if not grading:
        return [_ungraded(condition)]
    if not judged:
        return [_constant(condition, metric)]
    told = [_only(comparison, condition, names[judged[0]], judged[0], metric)]
    if len(judged) > 1:
        told = [_leaders(comparison, condition, names, costs, metric)]
    return [*told, *_missing(comparison, condition, names, grading), *_dead(comparison, condition, names)]


def _grading(comparison: Comparison, condition: Condition) -> tuple[str, ...]:
    counts = comparison.counts[:, comparison.conditions.index(condition)].sum(axis=(1, 2))
    return tuple(side for side, images in zip(comparison.sides, counts, strict=True) if images)


# ---- where there is nothing to compare ----


def _unlabelled(condition: Condition) -> Text:
    return Text(
        f"Nothing can be said about {condition.text.en}: no picture of this part has a label for it.",
        f"{condition.text.ko}에 대해서는 말할 수 있는 것이 없어요. 이 분할에 라벨이 있는 사진이 없어요.",
    )


def _ungraded(condition: Condition) -> Text:
    return Text(
        f"None of the chosen models grades {condition.text.en}.",
        f"선택한 모델 가운데 {condition.text.ko} 등급을 추정하는 것이 없어요.",
    )


def _constant(condition: Condition, metric: str) -> Text:
    shown = METRICS[metric].text
    return Text(
        f"Nothing can be said about {condition.text.en}: the labels of this part do not vary enough for "
        f"{shown.en} to be worked out.",
        f"{condition.text.ko}에 대해서는 말할 수 있는 것이 없어요. 이 분할의 라벨이 다양하지 않아 {shown.ko} 값을 "
        "계산할 수 없어요.",
    )


def _only(comparison: Comparison, condition: Condition, name: str, side: str, metric: str) -> Text:
    found, shown = comparison.estimate(metric, side, condition), METRICS[metric].short
    reach = "" if math.isnan(found.low) else f" [{found.low:.2f}, {found.high:.2f}]"
    return Text(
        f"For {condition.text.en} there is nothing to compare {name} with; it reaches {shown.en} "
        f"{found.value:.2f}{reach}.",
        f"{condition.text.ko}에서는 {name} 모델과 비교할 다른 모델이 없어요. {shown.ko}: {found.value:.2f}{reach}.",
    )


# ---- who leads ----


def _leaders(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], costs: Mapping[str, Cost], metric: str
) -> Text:
    letters = comparison.tied(metric, condition)
    first = [side for side, letter in letters.items() if letter == "a"]
    if len(first) == 1:
        best = names[first[0]]
        return Text(
            f"For {condition.text.en} {best} is better than {'all others' if len(letters) > 2 else 'the other'}.",
            f"{condition.text.ko}에서는 {best} 모델이 {'나머지 모두' if len(letters) > 2 else '다른 모델'}보다 나아요.",
        )
    cheapest = _cheapest(first, names, costs)
    if len(first) < len(letters):
        many, listed = _many(len(first)), ", ".join(names[side] for side in first)
        return Text(
            f"For {condition.text.en} {many.en} models share the lead and cannot be told apart ({listed}); "
            f"{cheapest.en}",
            f"{condition.text.ko}에서는 {many.ko} 모델({listed})이 선두이며 서로 구별되지 않아요. {cheapest.ko}",
        )
    return _all_alike(comparison, condition, metric, cheapest)


def _all_alike(comparison: Comparison, condition: Condition, metric: str, cheapest: Text) -> Text:
    pairs, many = comparison.pairs(metric, condition), _many(len(comparison.graded(condition, metric)))
    if pairs["p"].isna().all():
        return Text(
            f"For {condition.text.en} nothing can be said yet: too few captures show every grade to know how far "
            "chance goes.",
            f"{condition.text.ko}에서는 아직 아무것도 말할 수 없어요. 각 등급이 나타난 촬영이 너무 적어 우연의 "
            "범위를 알 수 없어요.",
        )
    if (pairs["verdict"] == Verdict.PRACTICALLY_EQUAL).all():
        return Text(
            f"For {condition.text.en} the {many.en} models are practically equal; {cheapest.en}",
            f"{condition.text.ko}에서는 {many.ko} 모델이 사실상 같아요. {cheapest.ko}",
        )
    return Text(
        f"For {condition.text.en} nothing can be said yet: the differences between the {many.en} models lie within "
        f"chance. Until more is known: {cheapest.en}",
        f"{condition.text.ko}에서는 아직 아무것도 말할 수 없어요. {many.ko} 모델의 차이가 우연의 범위 안에 있어요. "
        f"참고로 {cheapest.ko}",
    )


def _cheapest(sides: Sequence[str], names: Mapping[str, str], costs: Mapping[str, Cost]) -> Text:
    """By time, then by size; by size alone while some time is not measured."""
    times = {side: costs[side].milliseconds for side in sides}
    known = {side: time for side, time in times.items() if time is not None}
    if len(known) == len(times):
        best = min(sides, key=lambda side: (known[side], costs[side].parameters))
        return Text(
            f"{names[best]} is the fastest of them ({known[best]:.1f} ms a picture).",
            f"그중 가장 빠른 것은 {names[best]} 모델이에요(사진 한 장에 {known[best]:.1f} ms).",
        )
    best = min(sides, key=lambda side: costs[side].parameters)
    size = costs[best].parameters
    return Text(
        f"{names[best]} is the smallest of them ({size / 1e6:.1f} million parameters).",
        f"그중 가장 작은 것은 {names[best]} 모델이에요(파라미터 {size / 1e4:,.0f}만 개).",
    )


def _many(count: int) -> Text:
    return _COUNTS.get(count, Text(str(count), f"{count}개"))


# ---- what else must be known ----


def _missing(
    comparison: Comparison, condition: Condition, names: Mapping[str, str], grading: Sequence[str]
) -> list[Text]:
    listed = ", ".join(names[side] for side in comparison.sides if side not in grading)
    if not listed:
        return []
    return [
        Text(
            f"Not trained to grade it: {listed}.",
            f"이 증상의 등급을 추정하지 않는 모델: {listed}.",
        )
    ]


def _dead(comparison: Comparison, condition: Condition, names: Mapping[str, str]) -> list[Text]:
    """A sentence for every side that never recognises a grade which occurs."""
    place, told = comparison.conditions.index(condition), []
    for side, counts in zip(comparison.sides, comparison.counts[:, place], strict=True):
        images = counts.sum(axis=1)
        grades = [grade for grade in GRADES if images[grade] and not np.diagonal(counts)[grade]]
        if grades:
            told.append(_never(names[side], {int(grade): round(images[grade]) for grade in grades}))
    return told


def _never(name: str, images: Mapping[int, int]) -> Text:
    en = " or ".join(f"grade {grade} ({_pictures(count)})" for grade, count in images.items())
    ko = ", ".join(f"{grade}등급(사진 {count:,}장)" for grade, count in images.items())
    return Text(f"{name} never recognises {en}.", f"{name} 모델은 {ko}을 한 번도 알아보지 못해요.")


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"


# ---- how far chance goes ----


def power(comparison: Comparison, condition: Condition, metric: str) -> Text | None:
    """How large a difference must be to be seen with so many captures; None where nothing is compared."""
    half, often = comparison.detectable(metric, condition)
    if math.isnan(half):
        return None
    shown, captures = METRICS[metric].short, f"{comparison.groups:,}"
    return Text(
        f"With {captures} captures a true difference of {_amount(half)} {shown.en} would be seen in about half of the "
        f"cases, one of {_amount(often)} in four of five.",
        f"촬영 {captures}건으로는 {shown.ko}의 실제 차이가 {_amount(half)} 정도면 두 번에 한 번꼴로, {_amount(often)} "
        "정도면 다섯 번에 네 번꼴로 드러나요.",
    )


def _amount(difference: float) -> str:
    return f"{difference:.2f}" if difference >= 0.02 else f"{difference:.3f}"


def luck(comparison: Comparison, condition: Condition, metric: str) -> Text | None:
    """How far the best of equal models would stand out all the same; None where nothing is compared."""
    sides, spread = comparison.graded(condition, metric), comparison.chance_spread(metric, condition)
    if len(sides) < 2 or math.isnan(spread):
        return None
    values = comparison.values(metric)[:, comparison.conditions.index(condition)]
    seen, shown, many = float(np.nanmax(values) - np.nanmin(values)), METRICS[metric].short, _many(len(sides))
    return Text(
        f"Of {many.en} equally good models the best would look {_amount(spread)} {shown.en} better than the worst by "
        f"chance alone; here it is {_amount(seen)}.",
        f"똑같이 좋은 모델 {len(sides)}개를 비교해도 우연만으로 가장 좋은 모델과 가장 나쁜 모델의 {shown.ko} "
        f"차이가 평균 {_amount(spread)} 정도 나요. 여기서는 {_amount(seen)}만큼 나요.",
    )
