"""Six conditions, four severities, and the scalp type they add up to; their names are among the terms.

Conditions are always looked up by key (`value_1` … `value_6`), never by position: lists read from elsewhere come in
three different orders.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from unicodedata import normalize

from scalp_core import terms
from scalp_core.errors import ScalpError, Text


class Severity(IntEnum):
    """The four ordinal grades. 0 taken for 3 is far worse than 2 taken for 3."""

    NORMAL = 0
    MILD = 1
    MODERATE = 2
    SEVERE = 3

    @property
    def text(self) -> Text:
        return terms.SEVERITY_NAMES[self]


class Condition(StrEnum):
    """The six conditions by the key that label files and the REST interface use."""

    FINE_SCALING = "value_1"
    EXCESS_SEBUM = "value_2"
    ERYTHEMA = "value_3"
    PUSTULES = "value_4"
    DANDRUFF = "value_5"
    HAIR_LOSS = "value_6"

    @property
    def number(self) -> int:
        """1 … 6, what old clients send as `value_num`."""
        return int(self.value.removeprefix("value_"))

    @property
    def code(self) -> str:
        """The name in code and tables, such as `fine_scaling`."""
        return self.name.lower()

    @property
    def text(self) -> Text:
        return terms.CONDITION_NAMES[self.code]


CONDITIONS: tuple[Condition, ...] = tuple(Condition)
GRADES: tuple[Severity, ...] = tuple(Severity)

# How the names of index columns begin that hold further facts, such as answers of a questionnaire.
META = "meta_"


def find_condition(name: str) -> Condition:
    """Return a condition by its key, its number, its code, or its name in either language, in any spelling of them.

    Raises:
        ScalpError: the name means none of the six.
    """
    for condition in CONDITIONS:
        spellings = (condition.value, str(condition.number), condition.code, condition.text.en, condition.text.ko)
        if _plain(name) in map(_plain, spellings):
            return condition
    names = ", ".join(f"{condition.value} ({condition.code}, {condition.text.ko})" for condition in CONDITIONS)
    raise ScalpError(
        "unknown_condition",
        f"There is no condition “{name[:64]}”. Known are: {names}.",
        f"“{name[:64]}”이라는 증상은 없어요. 가능한 값: {names}.",
    )


def _plain(name: str) -> str:
    # Only between letters: a sign before a number belongs to it.
    return re.sub(r"(?<=[^\W_])[\W_]+(?=[^\W_])", "", normalize("NFC", name).strip().casefold())


@dataclass(frozen=True)
class ScalpTypeRule:
    """A row of the criteria table: what must be present, what may be; everything else must be absent."""

    key: str
    text: Text
    required: frozenset[Condition]
    allowed: frozenset[Condition] = frozenset()

    def matches(self, present: frozenset[Condition]) -> bool:
        return self.required <= present <= self.required | self.allowed


_SCALING, _SEBUM, _ERYTHEMA, _PUSTULES, _DANDRUFF, _HAIR_LOSS = CONDITIONS

SCALP_TYPE_RULES: tuple[ScalpTypeRule, ...] = (
    ScalpTypeRule("normal", Text("normal", "양호"), frozenset()),
    ScalpTypeRule("dry", Text("dry", "건성"), frozenset({_SCALING})),
    ScalpTypeRule("oily", Text("oily", "지성"), frozenset({_SEBUM})),
    ScalpTypeRule("sensitive", Text("sensitive", "민감성"), frozenset({_ERYTHEMA}), frozenset({_SCALING})),
    ScalpTypeRule("seborrheic", Text("seborrheic", "지루성"), frozenset({_SEBUM, _ERYTHEMA}), frozenset({_SCALING})),
    ScalpTypeRule(
        "inflammatory",
        Text("inflammatory", "염증성"),
        frozenset({_PUSTULES}),
        frozenset({_SCALING, _SEBUM, _DANDRUFF}),
    ),
    ScalpTypeRule("dandruff", Text("dandruff", "비듬성"), frozenset({_DANDRUFF}), frozenset({_SCALING, _SEBUM})),
    ScalpTypeRule("alopecia", Text("alopecia", "탈모성"), frozenset({_HAIR_LOSS})),
)
MIXED = ScalpTypeRule("mixed", Text("mixed", "복합성"), frozenset())
UNDETERMINED = ScalpTypeRule("undetermined", Text("undetermined", "유형 미정"), frozenset())

# At ≥ 1 the table leaves 47 % of the real label vectors without a type; at ≥ 2 only 9 %.
DEFAULT_THRESHOLD = Severity.MODERATE


@dataclass(frozen=True)
class ScalpType:
    """The type with what led to it. `tendencies` are conditions above normal but below the threshold."""

    key: str
    text: Text
    threshold: Severity
    present: tuple[Condition, ...]
    tendencies: tuple[Condition, ...]
    missing: tuple[Condition, ...]
    reason: Text


def scalp_type(grades: Mapping[Condition, int | None], threshold: int = DEFAULT_THRESHOLD) -> ScalpType:
    """Return the scalp type of six severities by the criteria table, with its reason.

    Args:
        grades: severity 0–3 by condition; None or absent where nothing is known.
        threshold: a condition counts as present from this severity on, 1–3.

    Raises:
        ScalpError: the threshold is not 1, 2 or 3.
    """
    if threshold not in (1, 2, 3):
        raise ScalpError(
            "bad_threshold",
            f"The threshold of the scalp type is {threshold}; it must be 1, 2 or 3.",
            f"두피 유형 기준값이 잘못되었어요: {threshold}. 1, 2, 3 가운데 하나여야 해요.",
        )
    graded = {condition: grade for condition in CONDITIONS if (grade := grades.get(condition)) is not None}
    present = tuple(condition for condition, grade in graded.items() if grade >= threshold)
    tendencies = tuple(condition for condition, grade in graded.items() if 0 < grade < threshold)
    missing = tuple(condition for condition in CONDITIONS if condition not in graded)
    rule = UNDETERMINED if missing else _matching_rule(frozenset(present))
    reason = _reason(rule, present, missing, Severity(threshold))
    return ScalpType(rule.key, rule.text, Severity(threshold), present, tendencies, missing, reason)


def _matching_rule(present: frozenset[Condition]) -> ScalpTypeRule:
    return next((rule for rule in SCALP_TYPE_RULES if rule.matches(present)), MIXED)


def _reason(
    rule: ScalpTypeRule, present: tuple[Condition, ...], missing: tuple[Condition, ...], threshold: Severity
) -> Text:
    from_en, from_ko = f"“{threshold.text.en}” or worse", f"‘{threshold.text.ko}’ 이상"
    if rule is UNDETERMINED:
        return Text(
            f"No grade is known for {_list(missing, 'en')}, and the type needs all six.",
            f"{_list(missing, 'ko')}의 등급이 없어 유형을 정할 수 없어요. 여섯 가지가 모두 필요해요.",
        )
    if not present:
        return Text(f"No condition is {from_en}.", f"{from_ko}인 증상이 없어요.")
    names = _list(present, "en")
    sentence = Text(
        f"{names[0].upper()}{names[1:]} {'is' if len(present) == 1 else 'are'} {from_en}.",
        f"{from_ko}인 증상: {_list(present, 'ko')}.",
    )
    if rule is MIXED:
        return Text(
            f"{sentence.en} No single type of the table covers this combination.",
            f"{sentence.ko} 이 조합에 해당하는 단일 유형이 기준표에 없어요.",
        )
    return sentence


def _list(conditions: tuple[Condition, ...], language: str) -> str:
    names = [condition.text(language) for condition in conditions]
    if language == "ko" or len(names) < 2:
        return ", ".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
