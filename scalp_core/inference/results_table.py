"""What is said about pictures, as rows of a table: its columns, a row for an answer or an error, and as CSV.

Bulk grading writes such tables, the page offers them for download. Knows neither networks nor files.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

import pyarrow as pa

from scalp_core.errors import ScalpError
from scalp_core.files import formula_safe
from scalp_core.inference.predict import INTENDED_USE, Answer
from scalp_core.labels import GRADES, Condition

OK = "ok"  # status of a graded picture; of any other it is the code of what went wrong
ENCODING = "utf-8-sig"  # with a byte order mark, as spreadsheets want it

Row = dict[str, object]


def schema(conditions: Sequence[Condition]) -> pa.Schema:
    """The columns: path, status, message, scalp_type, gradable, reasons, intended_use, synthetic, eight a condition.

    `gradable` is what the gate found, empty where the run has none; `reasons` are its codes with spaces between.
    `intended_use` is INTENDED_USE in every row, and `synthetic` whether one of the runs that graded learned from drawn
    pictures: rows are copied without the file beside the table.
    `value_1_grade`, `value_1_p0` … `value_1_p3` (calibrated, sum 1), `value_1_low` and `value_1_high` (the grade set,
    empty where the run promises none), `value_1_run`. Where the status is not OK, only path, status, message and
    intended_use are there.
    """
    fields = [(name, pa.string()) for name in ("path", "status", "message", "scalp_type")]
    fields += [("gradable", pa.bool_()), ("reasons", pa.string())]
    fields += [("intended_use", pa.string()), ("synthetic", pa.bool_())]
    for condition in conditions:
        fields.append((f"{condition}_grade", pa.int8()))
        fields += [(f"{condition}_p{int(grade)}", pa.float64()) for grade in GRADES]
        fields += [(f"{condition}_low", pa.int8()), (f"{condition}_high", pa.int8()), (f"{condition}_run", pa.string())]
    return pa.schema(fields)


def row(path: str, said: Answer | ScalpError, language: str = "en") -> Row:
    """What became of one picture, by columns of `schema`; those that it does not have are empty.

    Args:
        path: what the picture is called in the table.
        language: of the message, "en" or "ko".
    """
    named: Row = {"path": path, "intended_use": INTENDED_USE}
    if isinstance(said, ScalpError):
        return named | {"status": said.code, "message": said.text(language)}
    found = named | {"status": OK, "scalp_type": said.scalp_type.key, "gradable": said.gradable}
    found["synthetic"] = any(grading.run.synthetic for grading in said.gradings.values())
    if said.reasons is not None:
        found["reasons"] = " ".join(reason.code for reason in said.reasons)
    for condition, grading in said.gradings.items():
        low, high = grading.grade_set or (None, None)
        found |= {f"{condition}_p{grade}": probability for grade, probability in enumerate(grading.probabilities)}
        found |= {
            f"{condition}_{name}": value for name, value in (("grade", grading.grade), ("low", low), ("high", high))
        }
        found[f"{condition}_run"] = grading.run.id
    return found


def write_csv(file: TextIO, names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """The rows under these names; text that begins like a formula gets an apostrophe.

    Args:
        file: opened with `newline=""`, and ENCODING where it becomes bytes.
    """
    writer = csv.writer(file)
    writer.writerow(names)
    for one in rows:
        cells = (one.get(name) for name in names)
        writer.writerow(formula_safe(cell) if isinstance(cell, str) else cell for cell in cells)
