"""Gradings as rows of a table: its columns, a row for an answer or an error, and CSV.

Batch grading writes such tables, and the dashboard offers them for download.
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
WITHHELD = "withheld"  # status of a picture whose grades the gate withholds
ENCODING = "utf-8-sig"  # with a byte order mark, as spreadsheets want it

Row = dict[str, object]


def schema(conditions: Sequence[Condition]) -> pa.Schema:
    """Return the columns: path, status, message, scalp_type, gradable, unusual, reasons, intended_use, synthetic and
    nine a condition.

    `gradable` is the verdict of the gate, `unusual` whether it marks the picture, both empty where the run has none;
    `reasons` are the codes of both with spaces between.
    `intended_use` is INTENDED_USE in every row, and `synthetic` whether one of the runs that graded learned from
    synthetic pictures: rows are copied without the file beside the table.
    Each condition has `value_1_grade`, `value_1_p0` … `value_1_p3` (calibrated, sum 1), `value_1_low` and
    `value_1_high` (the grade set, empty where the run has none), `value_1_refer` (whether it is left to a person, empty
    where the run's operating point sets no limit), and `value_1_run`. Where the status is not OK, only path, status,
    message and intended_use are there; where it is WITHHELD, the verdict of the gate as well.
    """
    fields = [(name, pa.string()) for name in ("path", "status", "message", "scalp_type")]
    fields += [("gradable", pa.bool_()), ("unusual", pa.bool_()), ("reasons", pa.string())]
    fields += [("intended_use", pa.string()), ("synthetic", pa.bool_())]
    for condition in conditions:
        fields.append((f"{condition}_grade", pa.int8()))
        fields += [(f"{condition}_p{int(grade)}", pa.float64()) for grade in GRADES]
        fields += [(f"{condition}_low", pa.int8()), (f"{condition}_high", pa.int8())]
        fields += [(f"{condition}_refer", pa.bool_()), (f"{condition}_run", pa.string())]
    return pa.schema(fields)


def row(path: str, result: Answer | ScalpError, language: str = "en", withheld: bool = False) -> Row:
    """Return the row of one picture, by columns of `schema`; empty columns are left out.

    Args:
        path: name of the picture in the table.
        result: its answer, or why it was not graded.
        language: of the message, "en" or "ko".
        withheld: whether an answer's grades are left out, and its message says why.
    """
    cells: Row = {"path": path, "intended_use": INTENDED_USE}
    if isinstance(result, ScalpError):
        return cells | {"status": result.code, "message": result.text(language)}
    cells |= {"gradable": result.gradable, "unusual": result.unusual}
    if result.reasons is not None:
        cells["reasons"] = " ".join(reason.code for reason in result.reasons)
    if withheld:
        message = " ".join(reason.text(language) for reason in result.reasons or ())
        return cells | {"status": WITHHELD, "message": message}
    cells |= {"status": OK, "scalp_type": result.scalp_type.key}
    cells["synthetic"] = any(grading.run.synthetic for grading in result.gradings.values())
    for condition, grading in result.gradings.items():
        low, high = grading.grade_set or (None, None)
        cells |= {f"{condition}_p{grade}": probability for grade, probability in enumerate(grading.probabilities)}
        cells |= {
            f"{condition}_{name}": value for name, value in (("grade", grading.grade), ("low", low), ("high", high))
        }
        cells |= {f"{condition}_refer": grading.refer, f"{condition}_run": grading.run.id}
    return cells


def write_csv(file: TextIO, names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write the rows under these names; text that begins like a formula gets an apostrophe.

    Args:
        file: opened with `newline=""`, and ENCODING where it becomes bytes.
    """
    writer = csv.writer(file)
    writer.writerow(names)
    for cells_by_name in rows:
        cells = (cells_by_name.get(name) for name in names)
        writer.writerow(formula_safe(cell) if isinstance(cell, str) else cell for cell in cells)
