"""Reads labels from a CSV table: its columns by name, and its rows as labels."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from unicodedata import normalize

from scalp_core.data.aihub import label_values, official_part
from scalp_core.data.zip_files import Fault
from scalp_core.errors import ScalpError
from scalp_core.importing.container_reader import PICTURES, join_of, stem
from scalp_core.importing.import_db import LabelRow, grades_text
from scalp_core.labels import CONDITIONS, GRADES, META, Condition

# Fields of a row besides the six conditions, with the column names that mean them.
FIELDS = {
    "image": ("image", "image_file_name", "file", "filename", "file_name", "path", "image_path", "id", "사진", "파일"),
    "site": ("site", "clinic", "center", "centre", "기관"),
    "capture": ("capture", "subject", "patient", "person", "visit", "촬영"),
    "device": ("device", "camera", "기기"),
    "region": ("region", "부위"),
    "official": ("official", "split"),
}
_WORDS = {word: int(grade) for grade in GRADES for word in (grade.text.en, grade.text.ko)}
_MAX_META, _MAX_META_LENGTH = 20, 200  # columns; characters


def columns_of(table: Path, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return field → column of the table: as in `mapping`, else by name.

    Fields are those of FIELDS and `value_1` … `value_6`; further columns become `meta_<name>`.

    Raises:
        ScalpError: no such file, no header, a column or field that does not exist, no column of pictures or labels.
    """
    with _opened(table) as (_, header):
        for field, column in mapping.items():
            if field not in (*FIELDS, *Condition):
                fields = ", ".join((*FIELDS, *Condition))
                raise _bad_table(
                    f"there is no field “{field}” (known: {fields})", f"“{field}” 항목은 없어요 ({fields})"
                )
            if column not in header:
                there = f" ({', '.join(header)})" if _is_label_header(header) else ""
                raise _bad_table(f"it has no column “{column}”{there}", f"“{column}” 열이 없어요{there}")
        columns = {field: name for field, names in _all_names().items() if (name := _first(header, names))}
        columns |= mapping
        if "image" not in columns:
            raise _bad_table(
                "no column with picture names; set it with --map image=COLUMN",
                "사진 파일 이름 열을 알 수 없어요. --map image=열이름 으로 지정하세요",
            )
        if not any(condition.value in columns for condition in CONDITIONS):
            raise _bad_table(
                "no column with grades of a condition; set it with --map value_1=COLUMN",
                "증상 등급 열을 알 수 없어요. --map value_1=열이름 으로 지정하세요",
            )
        free = [name for name in header if name and name not in columns.values()]
        return columns | {f"{META}{name}": name for name in free[:_MAX_META]}


def _is_label_header(header: Sequence[str]) -> bool:
    """Return whether a condition is among the columns: the header of any other file is not repeated in a message."""
    names = _all_names()
    return any(_first(header, names[condition.value]) for condition in CONDITIONS)


def read_table(table: Path, columns: Mapping[str, str]) -> Iterator[LabelRow | Fault]:
    """Yield the rows of a table as labels."""
    with _opened(table) as (reader, _):
        for number, row in enumerate(reader, start=2):
            yield from _read_row(row, columns, number, f"{table.name}:{number}")


def _read_row(
    row: Mapping[str, str | None], columns: Mapping[str, str], number: int, where: str
) -> Iterator[LabelRow | Fault]:
    cells = {field: normalize("NFC", row.get(column) or "").strip() for field, column in columns.items()}
    image = cells["image"].replace("\\", "/")
    if not image:
        yield Fault("bad_label", "", where, "the row names no picture")
        return
    grades = {condition.value: _number(cells.get(condition.value, "")) for condition in CONDITIONS}
    values, problems = label_values({key: value for key, value in grades.items() if value})
    for problem in problems:
        yield Fault("bad_value", image, where, problem)
    extra = {field: cells[field][:_MAX_META_LENGTH] for field in columns if field not in (*Condition, "image")}
    if "official" in extra:
        extra["official"] = official_part(extra["official"]) or extra["official"]
    extra = {field: text for field, text in extra.items() if text} | {"image": _without_ending(image)}
    text = json.dumps(extra, ensure_ascii=False, sort_keys=True)
    name = image.rpartition("/")[2]
    own = stem(name) if name.casefold().endswith(PICTURES) else name
    yield join_of(own), image, number, grades_text(values.values()), text


def _without_ending(image: str) -> str:
    return image.rpartition(".")[0] if image.casefold().endswith(PICTURES) else image


def _number(cell: str) -> str:
    """Return the digit of a grade: `2`, `2.0` and `중등도` are all 2; any other text stays, to be reported."""
    if cell.casefold() in _WORDS:
        return str(_WORDS[cell.casefold()])
    if cell.casefold() in ("nan", "na", "none", "null", "-"):
        return ""
    return cell.removesuffix(".0")


def _all_names() -> dict[str, Sequence[str]]:
    conditions = {c.value: (c.value, c.code, c.text.en, c.text.ko) for c in CONDITIONS}
    return {**FIELDS, **conditions}


def _first(header: Sequence[str], names: Sequence[str]) -> str | None:
    by_plain = {_plain(column): column for column in reversed(header)}
    return next((by_plain[_plain(name)] for name in names if _plain(name) in by_plain), None)


def _plain(name: str) -> str:
    return normalize("NFC", name).casefold().replace(" ", "").replace("_", "").replace("/", "")


@contextmanager
def _opened(table: Path) -> Iterator[tuple["csv.DictReader[str]", list[str]]]:
    try:
        with _text(table) as file:
            sample = file.read(65_536)
            file.seek(0)
            delimiter = max(",;\t", key=sample.partition("\n")[0].count)
            reader = csv.DictReader(file, delimiter=delimiter)
            header = [name for name in reader.fieldnames or [] if name is not None]
            if not header:
                raise _bad_table("it is empty", "비어 있어요")
            yield reader, header
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _bad_table(f"{table}: {reason}", f"{table}: {reason}") from error


def _text(table: Path) -> TextIO:
    """Open a table in UTF-8 with or without BOM, or in cp949, which Korean Excel writes."""
    with table.open("rb") as file:
        for block in iter(lambda: file.readline(), b""):
            try:
                block.decode("utf-8-sig")
            except UnicodeDecodeError:
                return table.open(encoding="cp949", newline="")
    return table.open(encoding="utf-8-sig", newline="")


def _bad_table(en: str, ko: str) -> ScalpError:
    return ScalpError("bad_table", f"The table cannot be read: {en}.", f"표를 읽을 수 없어요: {ko}.")
