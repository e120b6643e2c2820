"""Spellings of conditions and grades in names of folders and columns of tables, in Korean and English."""

import re
from unicodedata import normalize

from scalp_core.labels import CONDITIONS, Condition, Severity


def _loose(name: str) -> str:
    """Return a pattern of the letters of `name` with any separators between: 피지 과다, hair-loss, 모낭홍반_농포."""
    return r"[\W_]*".join(re.findall(r"[^\W_]", name))


def _names(condition: Condition) -> str:
    more = {
        Condition.PUSTULES: ("모낭홍반", "농포", "follicular erythema"),
        Condition.HAIR_LOSS: ("alopecia",),
    }
    korean = (condition.text.ko, *more.get(condition, ()))
    names = sorted({*korean, condition.text.en, condition.code}, key=len, reverse=True)
    return "|".join([rf"{_loose(condition.value)}(?!\d)", *map(_loose, names)])


# A name inside a longer English word is not meant: “interfollicular erythema” is not “follicular erythema”.
CONDITION_WITHIN = re.compile("(?<![a-z])(?:" + "|".join(f"(?P<{c.name}>{_names(c)})" for c in CONDITIONS) + ")")

# Longer ones first: 중증 is severe, 중증도 a misspelt 중등도; 위증 is a misspelt 경증.
_GRADE_WORDS = {
    "양호": Severity.NORMAL,
    "정상": Severity.NORMAL,
    "경증": Severity.MILD,
    "위증": Severity.MILD,
    "중증도": Severity.MODERATE,
    "중등도": Severity.MODERATE,
    "중등": Severity.MODERATE,
    "중증": Severity.SEVERE,
    **{severity.text.en: severity for severity in Severity},
}
# No pattern here goes back over separators again: zip files can hold hostile names of 65,000 characters.
GRADE_WORD = re.compile(f"(?<![a-z])(?P<word>{'|'.join(map(_loose, _GRADE_WORDS))})(?![a-z])")
GRADE_DIGIT = re.compile(r"(?<![0-9a-z])(?:(?:grade|severity)[\W_]*)?(?P<digit>[0-3])(?![0-9])")
# A folder that is a grade and nothing else, as `3`, `0.양호`, `2등급`, `grade 1`, `mild`; without its separators.
GRADE_ALONE = re.compile(
    rf"(?:grade|severity|등급)?(?P<digit>[0-3])?(?:등급|단계)?(?P<word>{'|'.join(_GRADE_WORDS)})?(?:zip(?:file)?)?"
)


def grade_of(match: re.Match[str] | None) -> int | None:
    """Return the grade of a match of one of the patterns of grades."""
    groups = match.groupdict() if match else {}
    if groups.get("digit"):
        return int(groups["digit"])
    return int(_GRADE_WORDS[squeezed(groups["word"])]) if groups.get("word") else None


def squeezed(name: str) -> str:
    """Return a name without its separators, as `GRADE_ALONE` takes it."""
    return re.sub(r"[\W_]+", "", name)


# Signs that people set between a number and its word; any other, as in `-1` or `mild?`, says something else.
_GRADE_TEXT = re.compile(r"[(\[]?\w[\w\s.:()\[\]-]*")


def grade_in_words(text: str) -> int | None:
    """Return the grade of a text that is a grade and nothing else, as class folders are named; None for any other.

    Taken are `중등도`, `mild`, `0.양호`, `2단계`, `grade 1`; not `0.경증`, whose number and word differ.
    """
    lower = normalize("NFC", text).lower()
    match = GRADE_ALONE.fullmatch(squeezed(lower)) if _GRADE_TEXT.fullmatch(lower) else None
    if not match or not any(letter.isalpha() for letter in lower):
        return None
    word = match["word"]
    return grade_of(match) if not (match["digit"] and word) or int(match["digit"]) == _GRADE_WORDS[word] else None


_CONDITION_COLUMN = re.compile(
    "(?:"
    + "|".join(f"(?P<{c.name}>{_names(c)})" for c in CONDITIONS)
    + r")[\W_]*(?:등급|단계|점수|grade|severity|score)?"
)


def condition_named(text: str) -> Condition | None:
    """Return the condition of a text that names one and nothing else, in any spelling of class folders."""
    match = _CONDITION_COLUMN.fullmatch(normalize("NFC", text).strip().lower())
    return Condition[str(match.lastgroup)] if match else None
