"""Reads labels from a table: its columns by name, and its rows as labels."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from unicodedata import normalize
from urllib.parse import unquote

from scalp_core.data.aihub import label_values, official_part
from scalp_core.data.label_words import condition_named, grade_in_words
from scalp_core.data.zip_files import Fault
from scalp_core.importing.container_reader import join_of, own_name
from scalp_core.importing.import_db import LabelRow, grades_text
from scalp_core.importing.table_file import TableFile, bad_table, opened
from scalp_core.labels import CONDITIONS, META, Condition

# Fields of a row besides the six conditions, with the column names that mean them; the first of a table counts.
FIELDS = {
    "image": (
        *("image", "image_file_name", "file", "filename", "path", "image_path", "file_path", "image_file"),
        *("image_name", "img", "img_name", "picture", "picture_name", "photo", "photo_name"),
        *("사진", "파일", "파일명", "파일 이름", "사진 파일", "사진 파일명", "사진명", "사진 이름"),
        *("이미지", "이미지 파일", "이미지 파일명", "이미지명", "이미지 이름"),
        *("파일 경로", "사진 경로", "이미지 경로", "경로", "id", "image_id", "name"),
    ),
    "site": ("site", "clinic", "center", "centre", "기관", "기관명", "병원", "병원명", "의원", "센터"),
    "capture": (
        *("capture", "subject", "patient", "person", "subject_id", "patient_id", "person_id", "visit", "촬영"),
        *(
            "환자",
            "환자번호",
            "환자 ID",
            "피험자",
            "피험자번호",
            "피험자 ID",
            "대상자",
            "대상자번호",
            "방문",
            "촬영번호",
        ),
    ),
    "device": ("device", "camera", "기기", "장비", "카메라"),
    "region": ("region", "부위"),
    "official": ("official", "split"),
}
# As statistics programs, databases and people write that there is nothing.
_MISSING = {"", "nan", "na", "n/a", "#n/a", "#na", "<na>", "none", "null", "nil", r"\n", "?", ".", "-", "--", "–", "—"}
_MISSING |= {"결측", "결측치", "미상", "unknown", "missing"}
_MAX_META, _MAX_META_LENGTH = 20, 200  # columns; characters


def columns_of(table: TableFile, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return field → column of the table: as in `mapping`, else by name.

    Fields are those of FIELDS and `value_1` … `value_6`; further columns become `meta_<name>`.

    Raises:
        ScalpError: no such file, no header, a column or field that does not exist, a column that stands twice, no
            column of pictures or labels.
    """
    with opened(table, lambda header: _known(header, mapping)) as (header, _):
        for field, column in mapping.items():
            _check_mapping(header, field, column)
        if twice := [name for name, count in Counter(filter(None, header)).items() if count > 1]:
            raise _stands_twice(header, [place for place, name in enumerate(header) if name == twice[0]])
        columns = {field: name for field, names in FIELDS.items() if (name := _first(header, names))}
        for condition in CONDITIONS:
            places = [place for place, name in enumerate(header) if condition_named(name) == condition]
            if condition.value not in mapping and len(places) > 1:
                raise _stands_twice(header, places)
            if places:
                columns[condition.value] = header[places[0]]
        columns |= mapping
        if "image" not in columns:
            raise bad_table(
                "no column with picture names; set it with --map image=COLUMN",
                "사진 파일 이름 열을 알 수 없어요. --map image=열이름 으로 지정하세요",
            )
        if not any(condition.value in columns for condition in CONDITIONS):
            raise bad_table(
                "no column with grades of a condition; set it with --map value_1=COLUMN",
                "증상 등급 열을 알 수 없어요. --map value_1=열이름 으로 지정하세요",
            )
        free = [name for name in header if name and name not in columns.values()]
        return columns | {f"{META}{name}": name for name in free[:_MAX_META]}


def _known(header: Sequence[str], mapping: Mapping[str, str]) -> int:
    """Count the columns whose names mean something."""
    plain = {_plain(name) for names in FIELDS.values() for name in names}
    columns = set(mapping.values())
    return sum(_plain(name) in plain or name in columns or condition_named(name) is not None for name in header)


def _check_mapping(header: Sequence[str], field: str, column: str) -> None:
    if field not in (*FIELDS, *Condition):
        fields = ", ".join((*FIELDS, *Condition))
        raise bad_table(f"there is no field “{field}” (known: {fields})", f"“{field}” 항목은 없어요 ({fields})")
    if column not in header:
        there = f" ({', '.join(header)})" if _is_label_header(header) else ""
        raise bad_table(f"it has no column “{column}”{there}", f"“{column}” 열이 없어요{there}")


def _stands_twice(header: Sequence[str], places: Sequence[int]) -> Exception:
    """Return the error for columns of one meaning: which of them counts is not ours to guess."""
    numbers = ", ".join(str(place + 1) for place in places)
    names = f" ({', '.join(dict.fromkeys(header[place] for place in places))})" if _is_label_header(header) else ""
    return bad_table(
        f"columns {numbers}{names} mean the same. Remove one or give it another name",
        f"{numbers}번 열{names}의 뜻이 같아요. 하나를 지우거나 이름을 바꾸세요",
    )


def _is_label_header(header: Sequence[str]) -> bool:
    """Return whether a condition is among the columns: the header of any other file is not repeated in a message."""
    return any(map(condition_named, header))


def read_table(table: TableFile, columns: Mapping[str, str]) -> Iterator[LabelRow | Fault]:
    """Yield the rows of a table as labels."""
    with opened(table, lambda header: _known(header, columns)) as (header, rows):
        places = {field: header.index(column) for field, column in columns.items()}
        for number, cells in rows:
            where = f"{table.path.name}:{number}"
            filled = max(place for place, cell in enumerate(cells, start=1) if cell)
            if filled > len(header):
                # A cell with a separator of its own has moved all that follow.
                yield Fault("bad_row", "", where, f"{filled} cells under {len(header)} columns")
                continue
            cells += [""] * (len(header) - len(cells))
            yield from _read_row(cells, places, columns, number, where)


def _read_row(
    cells: Sequence[str], places: Mapping[str, int], columns: Mapping[str, str], number: int, where: str
) -> Iterator[LabelRow | Fault]:
    texts = {field: normalize("NFC", cells[place]) for field, place in places.items()}
    image = _path(texts["image"])
    if not image:
        yield Fault("bad_row", "", where, "it names no picture")
        return
    grades = {condition.value: _number(texts.get(condition.value, "")) for condition in CONDITIONS}
    values, _ = label_values({key: value for key, value in grades.items() if value})
    for condition, grade in values.items():
        if grades[condition] and grade is None:
            written = f"{columns[condition]} = {texts[condition][:40]}"
            yield Fault("bad_value", image, where, f"column {places[condition] + 1}, {written}")
    extra = {field: texts[field][:_MAX_META_LENGTH] for field in places if field not in (*Condition, "image")}
    if "official" in extra:
        extra["official"] = official_part(extra["official"]) or extra["official"]
    extra = {field: text for field, text in extra.items() if text} | {"image": image}
    text = json.dumps(extra, ensure_ascii=False, sort_keys=True)
    yield join_of(own_name(image.rpartition("/")[2])), image, number, grades_text(values.values()), text


def _path(cell: str) -> str:
    """Return the path of a picture with slashes: Windows' has others, an address more around it."""
    if "://" in cell:
        return unquote(re.split("[?#]", cell.partition("://")[2])[0])
    return cell.replace("\\", "/")


def _number(cell: str) -> str:
    """Return the digit of a grade: `2`, `2.0` and `중등도` are all 2; any other text stays, to be reported."""
    # Excel keeps a number as text behind an apostrophe or in a formula, ="2".
    bare = cell.removeprefix("=").strip("\"'“”‘’ ")
    if bare.casefold() in _MISSING:
        return ""
    grade = grade_in_words(bare)
    return bare if grade is None else str(grade)


def _first(header: Sequence[str], names: Sequence[str]) -> str | None:
    by_plain = {_plain(column): column for column in reversed(header)}
    return next((by_plain[_plain(name)] for name in names if _plain(name) in by_plain), None)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", normalize("NFC", name).casefold())
