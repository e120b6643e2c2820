"""Parses file names, folder names and label files of AI Hub's scalp pictures, and class folders named like them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast
from unicodedata import normalize

from scalp_core.data.label_words import (
    CONDITION_WITHIN,
    GRADE_ALONE,
    GRADE_DIGIT,
    GRADE_WORD,
    grade_of,
    squeezed,
)
from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS, GRADES, META, Condition

Official = Literal["train", "valid", "calib", "test"]
Role = Literal["images", "labels"]

# ---- encodings ----

# One syllable alone may be chance: “Ä” and “r” of a German name happen to be one in cp949.
_KOREAN = re.compile("[가-힣]{2}")
_ESCAPED = re.compile("[\udc80-\udcff]")


def readable(raw: bytes | str, utf8: bool = False) -> str:
    """Return a name as it was meant, in composed form (NFC).

    Archives made on Korean Windows hold cp949 and do not say so; programs that unpack them take it for something else
    and leave names such as `┼╗╕≡` for 탈모. Such a text is turned back only if that makes Korean of it.

    Args:
        raw: the bytes of a zip member's name; or text, as a file system gives it.
        utf8: the zip member says that its name is UTF-8. Has no meaning for text.
    """
    if isinstance(raw, str) and (raw.isascii() or not _ESCAPED.search(raw)):
        return raw if raw.isascii() else _repaired(normalize("NFC", raw))
    stored = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
    return _repaired(normalize("NFC", _decoded(stored, utf8)))


def _decoded(stored: bytes, utf8: bool) -> str:
    for encoding in ("utf-8",) if utf8 else ("utf-8", "cp949"):
        try:
            return stored.decode(encoding)
        except UnicodeDecodeError:
            continue
    return stored.decode("cp437")  # what zip means where it says nothing; there is no byte that it does not know


def _repaired(name: str) -> str:
    if name.isascii() or _KOREAN.search(name):
        return name
    for taken_for in ("cp437", "latin-1"):
        for meant in ("utf-8", "cp949"):
            try:
                repaired = normalize("NFC", name.encode(taken_for).decode(meant))
            except UnicodeError:
                continue
            if _KOREAN.search(repaired):
                return repaired
    return name


# ---- file names ----


@dataclass(frozen=True, slots=True)
class PictureName:
    """The parts of the file name of a picture.

    Attributes:
        site: the four-digit number of a place, not of a person.
        device: the serial of the microscope.
        capture: one head at one sitting: site, device and time.
        frame: the number of the picture in its capture.
        region: `TH`, `LH`, `RH` or `BH`.
        image_id: capture and frame, as label files call the picture.
    """

    site: str
    device: str
    capture: str
    frame: int
    region: str
    image_id: str


# Some times have nine digits instead of the thirteen of milliseconds.
_PICTURE = re.compile(r"(((\d{4})_([A-Z0-9]{15})_\d{9,13})_(\d))_([TLRB]H)", re.ASCII)


def picture_name(stem: str) -> PictureName | None:
    """Parse a name such as `0013_A2LEBJJDE00060O_1602578303771_2_TH`, upper case; None for any other name."""
    match = _PICTURE.fullmatch(stem.upper())
    if not match:
        return None
    image_id, capture, site, device, frame, region = match.groups()
    return PictureName(site, device, capture, int(frame), region, image_id)


def published_name(stem: str) -> str | None:
    """Return such a name in upper case, which is how two of them compare; None for any other name."""
    upper = stem.upper()
    return upper if _PICTURE.fullmatch(upper) else None


# ---- folder names ----


@dataclass(frozen=True)
class FolderName:
    """Facts in the names of the folders above a file; None where they say nothing.

    Attributes:
        official: of the publisher's own split.
        role: whether it is the place for pictures or for label files; only a hint.
    """

    condition: Condition | None
    grade: int | None
    official: Official | None
    role: Role | None


# What browsers add to the name of a file that they have saved before.
_COPY = re.compile(r"\s\(\d+\)\s*$")

# A part of a split as a name of its own, without separators: `Training`, `2validation`, `test set 1`, 검증용.
_PART_ALONE = re.compile(
    r"\d*(?:(?P<train>train|training|학습|훈련)|(?P<valid>valid|validation|val|dev|development|검증)"
    r"|(?P<calib>calib|calibration|보정)|(?P<test>test|testing|holdout|heldout|테스트|시험|평가))"
    r"(?:data|dataset|set|split|part|images|용|데이터|세트|셋|자료|분할)*\d*"
)
_PART_WITHIN = re.compile(
    r"(?<![a-z])(?:(?P<train>train)|(?P<valid>valid|val(?![a-z]))|(?P<test>test(?:ing|s|set)?(?![a-z])))"
)
_ROLE = re.compile(
    r"(?P<labels>라벨|레이블|(?<![a-z])(?:label|annotation))|(?P<images>원천|(?<![a-z])(?:image|source)|\Adata\Z)"
)


def folder_name(parts: Sequence[str]) -> FolderName:
    """Parse the names of folders and zip files above a file, in all spellings seen in the wild; the innermost counts.

    A grade is read from the name that holds the condition, or from the one right below it; its digit beats its word.

    Args:
        parts: from the outermost in: folders, the zip file, folders in the zip file.
    """
    names = [readable(part).lower() for part in parts]
    condition, grade = _condition_and_grade(names)
    return FolderName(condition, grade, _official(names), cast(Role | None, _innermost(_ROLE, names)))


def _official(names: Sequence[str]) -> Official | None:
    """Return the part of the publisher's split: what the innermost name says, but for `test/training hospital`.

    A name with several parts in it, as `train_test_split`, says nothing.
    """
    alone = next((part for name in reversed(names) if (part := official_part(name))), None)
    within = ({str(match.lastgroup) for match in _PART_WITHIN.finditer(name)} for name in reversed(names))
    innermost = next((part for parts in within if len(parts) == 1 for part in parts), None)
    return "test" if "test" in (alone, innermost) else cast(Official | None, innermost or alone)


def official_part(word: str) -> Official | None:
    """Return the part of a split that a word means, in either language; None where it is not understood."""
    match = _PART_ALONE.fullmatch(squeezed(word.casefold()))
    return cast(Official, match.lastgroup) if match else None


_BOTH = "both"


def official_text(parts: Iterable[str]) -> str:
    """Return the parts of the publisher's split as the index has them: `train`, `both`, `valid test`; "" for none.

    `both` is training and validation. A word that is no part stays as it is.
    """
    marks = sorted(set(parts), key=lambda part: (_PARTS.index(part) if part in _PARTS else len(_PARTS), part))
    return _BOTH if marks == ["train", "valid"] else " ".join(marks)


def official_parts(text: str) -> frozenset[Official]:
    """Return the parts that `official_text` wrote; none where it has words that are no part."""
    words = ("train", "valid") if text == _BOTH else text.split()
    return frozenset(cast(Official, word) for word in words) if set(words) <= set(_PARTS) else frozenset()


def is_called_test(text: str) -> bool:
    """Return whether a text of `official_text` has `test` in it, be it in a word like `external_test`."""
    return any(match.lastgroup == "test" for match in _PART_WITHIN.finditer(text.casefold()))


_PARTS: tuple[Official, ...] = ("train", "valid", "calib", "test")


def _innermost(pattern: re.Pattern[str], names: Sequence[str]) -> str | None:
    """Return the name of the group that matched in the last of the names in which any did."""
    return next((match.lastgroup for name in reversed(names) if (match := pattern.search(name))), None)


def _condition_and_grade(names: Sequence[str]) -> tuple[Condition | None, int | None]:
    for place in reversed(range(len(names))):
        match = CONDITION_WITHIN.search(names[place])
        if not match:
            continue
        condition = Condition[str(match.lastgroup)]
        grade = _grade_beside(names[place], match.start())
        if grade is None and place + 1 < len(names):
            grade = grade_of(GRADE_ALONE.fullmatch(squeezed(names[place + 1])))
        return condition, grade
    return None, None


def _grade_beside(name: str, start: int) -> int | None:
    """Return the grade in a name whose condition begins at `start`; a number before that counts conditions."""
    rest = CONDITION_WITHIN.sub(" ", _COPY.sub("", name[start:]))
    grade = grade_of(GRADE_DIGIT.search(rest))
    return grade_of(GRADE_WORD.search(name)) if grade is None else grade


# ---- label files ----

_GRADES = {str(int(grade)): int(grade) for grade in GRADES}
_VALUE = re.compile(r"([0-3])(?:[.,]0*)?", re.ASCII)  # spreadsheets write 2.00, in half of Europe 2,00


def label_values(document: object) -> tuple[dict[Condition, int | None], list[str]]:
    """Return the six grades of a parsed label file or table row by key, and the faulty values, as `value_2 = 7`.

    Numbers and texts are taken alike; a grade that is missing, null or blank is None and no fault.
    """
    if not isinstance(document, Mapping):
        return dict.fromkeys(CONDITIONS), [f"{type(document).__name__} instead of an object"]
    values: dict[Condition, int | None] = {}
    problems = []
    for condition in CONDITIONS:
        value = document.get(condition)
        if type(value) is str and value in _GRADES:  # nearly always, and a hundred thousand times
            values[condition] = _GRADES[value]
            continue
        text = _plain(value)
        match = _VALUE.fullmatch(text)
        values[condition] = int(match[1]) if match else None
        if text and not match:
            problems.append(f"{condition} = {text[:40]}")
    return values, problems


# The keys of `…_META.json`. What the publisher asked in the last two is not documented.
META_FIELDS: Mapping[str, Text] = {
    "gender": Text("gender", "성별"),
    "age": Text("age group", "연령대"),
    "location": Text("location", "촬영 위치"),
    "answers1": Text("shampoo frequency", "샴푸 사용 빈도"),
    "answers2": Text("perm", "펌 주기"),
    "answers3": Text("hair dye", "염색 주기"),
    "answers4": Text("hair state", "모발 상태"),
    "answers5": Text("hair products", "사용 제품"),
    "answers6": Text("answer 6", "문항 6"),
    "answers7": Text("answer 7", "문항 7"),
}

# Answers in the reader's language, as far as there is a translation; any other is shown as it was written.
META_ANSWERS: Mapping[str, Text] = {
    text.ko: text
    for text in (
        Text("male", "남"),
        Text("female", "여"),
        Text("teens", "10대"),
        *(Text(f"{decade}s", f"{decade}대") for decade in (20, 30, 40, 50)),
        Text("60s and over", "60대 이상"),
        *(Text(*place) for place in (("Seoul", "서울"), ("Gyeonggi", "경기"), ("Busan", "부산"), ("Daegu", "대구"))),
        Text("Gwangju", "광주"),
        Text("once a day", "1일 1회"),
        Text("twice a day", "1일 2회"),
        Text("once in 2–3 days", "2~3일에 1회"),
        Text("never", "하지 않음"),
        Text("1–2 times a year", "1년에 1~2회"),
        Text("3 times a year or more", "1년에 3회 이상"),
        Text("healthy", "건강"),
        Text("damaged", "손상"),
        Text("badly damaged", "심한 손상"),
        Text("shampoo", "샴푸"),
        Text("shampoo, conditioner", "샴푸, 린스"),
        Text("shampoo, treatment, essence", "샴푸, 트리트먼트, 에센스"),
    )
}


def meta_values(document: object) -> dict[str, str]:
    """Return the facts of a parsed `…_META.json` by index column, such as `meta_gender`; blanks are left out."""
    if not isinstance(document, Mapping):
        return {}
    texts = {META + key: _plain(document.get(key)) for key in META_FIELDS}
    return {name: text for name, text in texts.items() if text}


def _plain(value: object) -> str:
    """Return a text or number as text; blank for null; for anything else its type, which is no grade's spelling."""
    if isinstance(value, str | int | float) or value is None:
        # Half a surrogate pair, which JSON may escape, can be stored nowhere.
        text = "" if value is None else str(value).encode("utf-8", "replace").decode()
        return normalize("NFC", text).strip()
    return type(value).__name__
