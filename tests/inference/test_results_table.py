"""Rows and columns of tables of answers: the same for bulk grading and for the page's download."""

import io
from dataclasses import replace

import pandas as pd
import pyarrow as pa
from conftest import Trained

from scalp_core.errors import ScalpError, Text
from scalp_core.inference import predict
from scalp_core.inference.input_gate import Reason
from scalp_core.inference.results_table import row, schema, write_csv
from scalp_core.labels import CONDITIONS, Condition

BLURRED = Reason("blurred", Text("It is blurred.", "흐립니다."), 1.0, 2.0)
DARK = Reason("too_dark", Text("It is dark.", "어둡습니다."), 1.0, 2.0)
UNUSUAL = Reason("unusual", Text("It is unusual.", "흔하지 않습니다."), 2.0, 1.0)
BAD = ScalpError("not_a_picture", "This is none.", "사진이 아닙니다.")


def test_row_has_nothing_that_schema_does_not_know(trained: Trained) -> None:
    columns = schema(CONDITIONS)
    answer = replace(predict.grade(trained.picture), reasons=(BLURRED, DARK))
    for result in (answer, replace(answer, reasons=()), replace(answer, reasons=None), BAD):
        assert set(row("a.jpg", result)) <= set(columns.names)
    table = pa.Table.from_pylist([row("a.jpg", answer), row("b.jpg", BAD)], columns).to_pylist()
    assert table[0]["status"] == "ok"
    assert table[0]["synthetic"] is True
    assert table[0]["value_6_refer"] is None
    referred = replace(answer.gradings[Condition.HAIR_LOSS], refer=True)
    gradings = {**answer.gradings, Condition.HAIR_LOSS: referred}
    assert row("a.jpg", replace(answer, gradings=gradings))["value_6_refer"] is True
    assert table[0]["value_6_p3"] == answer.gradings[Condition.HAIR_LOSS].probabilities[3]
    assert table[1] == dict.fromkeys(columns.names) | {
        "path": "b.jpg",
        "status": "not_a_picture",
        "message": "This is none.",
        "intended_use": "research_only",
    }


def test_what_the_gate_found(trained: Trained) -> None:
    answer = predict.grade(trained.picture)
    reasons_of_rows = (None, (), (BLURRED, DARK), (UNUSUAL,), (BLURRED, UNUSUAL))
    rows = [row("a", replace(answer, reasons=reasons)) for reasons in reasons_of_rows]
    assert [(cells["gradable"], cells["unusual"], cells.get("reasons")) for cells in rows] == [
        (None, None, None),
        (True, False, ""),
        (False, False, "blurred too_dark"),
        (True, True, "unusual"),
        (False, True, "blurred unusual"),
    ]


def test_withheld_row_says_why_and_has_no_grades(trained: Trained) -> None:
    answer = replace(predict.grade(trained.picture), reasons=(BLURRED, UNUSUAL))
    assert row("a", answer, "en", withheld=True) == {
        "path": "a",
        "intended_use": "research_only",
        "status": "withheld",
        "message": "It is blurred. It is unusual.",
        "gradable": False,
        "unusual": True,
        "reasons": "blurred unusual",
    }


def test_text_that_begins_like_formula_is_no_formula() -> None:
    file = io.StringIO(newline="")
    write_csv(file, ["path", "n"], [{"path": "=1+1", "n": -1}, {"path": "두피.jpg"}])
    read = pd.read_csv(io.StringIO(file.getvalue()))
    assert read["path"].tolist() == ["'=1+1", "두피.jpg"]
    assert read["n"].tolist()[0] == -1
