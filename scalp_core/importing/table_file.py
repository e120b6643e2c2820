"""Reads the rows of a table as people save it: CSV in the encodings and separators of spreadsheets, or .xlsx."""

import codecs
import csv
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile

from scalp_core.data.zip_files import Fault, list_members
from scalp_core.errors import ScalpError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_HEAD = 65_536  # characters or bytes; enough for a header
_MAX_ROWS, _MAX_COLUMNS = 1_048_576, 256  # of a sheet: a cell may claim to lie anywhere
_BLOCK = 2**20

_ZIP, _OLD_OFFICE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # what Excel writes and reads before a header
# What openpyxl raises on half a file, or on a zip file of another kind.
_NO_SHEET = (
    *(BadZipFile, zlib.error, KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError),
    SyntaxError,  # of XML
)

Row = tuple[int, list[str]]  # its number as a spreadsheet counts, from 1; its cells


@dataclass(frozen=True)
class TableFile:
    """A table on disk.

    Attributes:
        separator: one of SEPARATORS or a single character; empty: the one that makes most sense of the header.
        encoding: as Python names it; empty: by its content.
    """

    path: Path
    separator: str = ""
    encoding: str = ""


@contextmanager
def opened(table: TableFile, meaning: Callable[[Sequence[str]], int]) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """Yield the header, which is the first row that is not blank, and the rows below it that are not.

    Its content decides what a table is, not its name.

    Args:
        meaning: how many of these column names mean something; see `TableFile.separator`.

    Raises:
        ScalpError: no such file, no table, an encoding or separator that does not exist, no row.
    """
    try:
        with table.path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(_OLD_OFFICE):
            raise bad_table(
                "it is an old Excel file (.xls), or one behind a password. Save it as .xlsx or CSV",
                "예전 Excel 파일(.xls)이거나 암호가 걸린 파일이에요. .xlsx나 CSV로 저장하세요",
            )
        rows = _sheet_rows(table.path) if head.startswith(_ZIP) else _text_rows(table, head, meaning)
        filled = ((number, cells) for number, cells in rows if any(cells))
        _, header = next(filled, (0, []))
        if not header:
            raise bad_table("it is empty", "비어 있어요")
        yield header, filled
    except (OSError, UnicodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise bad_table(f"{table.path}: {reason}", f"{table.path}: {reason}") from error


def bad_table(en: str, ko: str) -> ScalpError:
    """Return the error for a table that cannot be read."""
    return ScalpError("bad_table", f"The table cannot be read: {en}.", f"표를 읽을 수 없어요: {ko}.")


# ---- text ----


def _text_rows(table: TableFile, head: bytes, meaning: Callable[[Sequence[str]], int]) -> Iterator[Row]:
    given = _separator(table)
    with table.path.open(encoding=_encoding(table, head), newline="") as file:
        lines = file.read(_HEAD).splitlines(keepends=True)
        file.seek(0)
        named = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
        separator = given or (named[1] if named else _best_separator(lines, meaning))
        rows = enumerate(csv.reader(file, delimiter=separator), start=1)
        for number, cells in islice(rows, 1 if named else 0, None):
            yield number, [cell.strip() for cell in cells]


def _separator(table: TableFile) -> str:
    separator = SEPARATORS.get(table.separator, table.separator)
    if len(separator) > 1 or separator in ("\r", "\n", '"'):
        names = ", ".join(SEPARATORS)
        raise bad_table(
            f"a separator is one character or one of {names}, not “{separator[:20]}”",
            f"구분자는 한 글자이거나 {names} 가운데 하나여야 해요 (“{separator[:20]}” 아님)",
        )
    return separator


def _best_separator(lines: Iterable[str], meaning: Callable[[Sequence[str]], int]) -> str:
    """Return the separator by which the header has most columns that mean something, then most columns.

    Those within quotes count for nothing, as it is read the way that its table will be.
    """

    def sense(separator: str) -> tuple[int, int]:
        header = next((row for row in csv.reader(lines, delimiter=separator) if any(map(str.strip, row))), [])
        return meaning(header), len(header)

    return max(SEPARATORS.values(), key=sense)


def _encoding(table: TableFile, head: bytes) -> str:
    """Return the encoding: as it says itself, else UTF-8, else cp949, which Korean Excel writes."""
    if table.encoding:
        try:
            "".encode(table.encoding)  # codecs.lookup knows some that are no text
        except LookupError as error:
            raise bad_table(
                f"there is no encoding “{table.encoding[:40]}”", f"“{table.encoding[:40]}” 인코딩은 없어요"
            ) from error
        return table.encoding
    if marked := next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), ""):
        return marked
    if b"\0" in head:
        # Separators and line ends are ASCII in every language: in UTF-16 each has its zero on the same side.
        big, little = 0 in head[::2], 0 in head[1::2]
        return _no_text() if big and little else "utf-16-be" if big else "utf-16-le"
    return next((encoding for encoding in ("utf-8", "cp949") if _decodes(table.path, encoding)), "") or _no_text()


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            for block in iter(partial(file.read, _BLOCK), b""):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _no_text() -> str:
    raise bad_table(
        "it is no .xlsx and no text in UTF-8, UTF-16 or cp949. Name another encoding with --encoding",
        ".xlsx가 아니고 UTF-8, UTF-16, cp949 텍스트도 아니에요. 다른 인코딩이면 --encoding으로 지정하세요",
    )


# ---- sheets ----


def _sheet_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the first sheet of an .xlsx file, one at a time."""
    content = path.read_bytes()
    # The limits of every zip file: openpyxl would inflate whatever is in it.
    members = list_members(BytesIO(content), content, path.name)
    if fault := next((member for member in members if isinstance(member, Fault)), None):
        raise bad_table(
            f"{fault.name} in it is damaged or too large ({fault.detail}). Save it as CSV",
            f"안의 {fault.name}이(가) 손상되었거나 너무 커요 ({fault.detail}). CSV로 저장하세요",
        )
    import openpyxl  # takes as long as a page does to answer, and few tables need it

    try:
        workbook = openpyxl.load_workbook(BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = workbook.worksheets[0]
        sheet.reset_dimensions()  # some programs write a wrong size, which would cut the rows
        for number, cells in enumerate(islice(sheet.iter_rows(values_only=True), _MAX_ROWS), start=1):
            yield number, [_text_of(cell) for cell in cells[:_MAX_COLUMNS]]
    except _NO_SHEET as error:
        raise bad_table(
            "it is a damaged .xlsx file, or a zip file of another kind. Save the table as .xlsx or CSV",
            "손상된 .xlsx이거나 다른 종류의 zip 파일이에요. 표를 .xlsx나 CSV로 저장하세요",
        ) from error


def _text_of(cell: object) -> str:
    """Return a cell as the spreadsheet shows it: numbers are all floating-point numbers there."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date | datetime) else str(cell).strip()
