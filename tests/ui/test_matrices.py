"""The wall of confusion matrices: what it hands to the browser. How it is clicked and drawn is in test_browser.py."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from support.app_driver import HOSTILE, LANGUAGES

from scalp_core.charts.run_charts import verdict_chart
from scalp_core.metrics.metrics import row_shares
from scalp_core.palette import DIVERGING, FAR_MARKS, MATRIX_COLORS
from ui.components.colors import blend, channels, ink, readable
from ui.components.matrices import FULL_DIFFERENCE, MatrixCell, parse_cell
from ui.words import Say

ONE = [[6, 3, 1, 0], [2, 6, 2, 0], [0, 0, 0, 0], [0, 1, 0, 3]]
OTHER = [[8, 2, 0, 0], [2, 6, 2, 0], [0, 0, 0, 0], [0, 1, 1, 2]]
MEAN = [[0.3, 1234.5, 0, 0], *ONE[1:]]


def wall_page(sides: dict[str, list[list[float]] | None], reference: str | None, language: str) -> None:
    import numpy as np

    from ui.components.matrices import Matrix, MatrixCell, show_matrices
    from ui.words import Say

    entries = [
        Matrix(key, f"name of {key}", "", None if counts is None else np.array(counts, dtype=float))
        for key, counts in sides.items()
    ]
    base = next((matrix for matrix in entries if matrix.key == reference), None)
    show_matrices(entries, base, MatrixCell("one", 0, 1), "wall", lambda cell: None, Say(language))


def wall(sides: dict[str, Any], reference: str | None = None, language: str = "en") -> dict[str, Any]:
    """Return the component's data."""
    at = AppTest.from_function(wall_page, default_timeout=120, args=(sides, reference, language)).run()
    assert not at.exception, [error.value for error in at.exception]
    (node,) = (node for node in at if node.type == "bidi_component")
    document: dict[str, Any] = json.loads(node.proto.json)
    return document


def texts(matrix: dict[str, Any], field: str = "text") -> list[list[str]]:
    return [[cell[field] for cell in row] for row in matrix["cells"]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_cells_hold_per_cent_and_pictures_and_say_in_words_which(language: str) -> None:
    message = wall({"one": ONE}, language=language)
    (matrix,) = message["matrices"]
    assert message["selected"] == "one.0.1"
    assert matrix["description"] == Say(language)("matrices_matrix", name="name of one")
    assert texts(matrix) == [["60", "30", "10", "0"], ["20", "60", "20", "0"], ["–"] * 4, ["0", "25", "0", "75"]]
    assert texts(matrix, "count") == [["6", "3", "1", "0"], ["2", "6", "2", "0"], [""] * 4, ["0", "1", "0", "3"]]
    assert matrix["foot"] == Say(language)("matrices_foot", accuracy="62%", far="8%")
    assert matrix["images"] == ["n = 10", "n = 10", "n = 0", "n = 4"]
    messages = texts(matrix, "description")
    if language == "en":
        assert messages[0][1] == "label normal, prediction mild: 3 pictures, 30% of the row"
        assert messages[2][1] == "label moderate, prediction mild: no pictures with this label"
        assert message["words"]["grades"] == ["normal", "mild", "moderate", "severe"]
    else:
        assert messages[0][1] == "라벨 양호, 예측 경증: 사진 3장, 행의 30%"


def test_far_errors_are_marked_where_there_are_any() -> None:
    kinds = texts(wall({"one": ONE})["matrices"][0], "kind")
    assert kinds == [["right", "", "far", ""], ["", "right", "", ""], ["empty"] * 4, ["", "far", "", "right"]]


def test_far_marks_contrast_with_every_cell() -> None:
    for place in np.linspace(0, 1, 21):
        for colors in (MATRIX_COLORS, DIVERGING):
            color = blend(colors, place)
            assert contrast(readable(FAR_MARKS, color), color) >= 3


def test_all_matrices_share_one_scale_of_row_shares() -> None:
    first, other = (texts(matrix, "color") for matrix in wall({"one": ONE, "other": OTHER})["matrices"])
    assert first[1] == other[1]
    assert first[0][0] == blend(MATRIX_COLORS, 0.6)
    assert other[0][0] == blend(MATRIX_COLORS, 0.8)
    assert first[2] == [""] * 4


def test_small_seed_means_are_never_rounded_to_zero() -> None:
    message = wall({"one": MEAN})["matrices"][0]
    assert texts(message, "count")[0] == ["<1", "1,235", "0", "0"]
    assert texts(message)[0] == ["<1", "100", "0", "0"]


def test_differences_are_against_an_unchanged_reference() -> None:
    message = wall({"one": ONE, "other": OTHER, "blind": None}, reference="other")
    first, other, blind = message["matrices"]
    assert texts(first) == [["−20", "+10", "+10", "0"], ["0"] * 4, ["–"] * 4, ["0", "0", "−25", "+25"]]
    assert texts(other) == texts(wall({"other": OTHER})["matrices"][0])
    assert blind["missing"] == Say("en")("matrices_not_graded")
    assert texts(first, "color")[1] == [DIVERGING[1]] * 4
    better, worse = (blend(DIVERGING, 0.5 + points / FULL_DIFFERENCE / 2) for points in (0.25, -0.25))
    assert texts(first, "color")[3] == [DIVERGING[1], DIVERGING[1], better, better]  # fewer errors, more hits
    assert texts(first, "color")[0][:2] == [blend(DIVERGING, 0.3), blend(DIVERGING, 0.4)]
    assert worse not in texts(first, "color")[3]
    assert texts(first, "description")[0][0].endswith("60% of the row; −20 points against the reference")
    assert message["legend"]["colors"] == list(DIVERGING)
    assert "name of other" in message["legend"]["high"]
    assert wall({"one": ONE}, reference="nobody")["legend"]["colors"] == list(MATRIX_COLORS)


def test_names_from_elsewhere_stay_text() -> None:
    name = "<img src=x onerror=alert(1)>"
    assert wall({name: ONE})["matrices"][0]["name"] == f"name of {name}"


def test_row_shares_add_up_where_something_is_labelled() -> None:
    shares = row_shares(np.array([ONE, OTHER], dtype=float))
    assert shares[:, [0, 1, 3]].sum(axis=-1) == pytest.approx(1)
    assert np.isnan(shares[:, 2]).all()
    assert shares[0, 3].tolist() == [0, 0.25, 0, 0.75]


def test_a_cell_in_the_address_is_found_again() -> None:
    for cell in (MatrixCell("demo-vgg11_bn", 0, 3), MatrixCell("with.dots.1.2", 2, 1)):
        assert parse_cell(str(cell), [cell.matrix, "another"]) == cell


@pytest.mark.parametrize(
    "text", [*HOSTILE, "one", "one.1", "one.1.4", "one.-1.1", "one.1.²", "one.1.1.1", "two.1.1", ".1.1", "one..1"]
)
def test_what_means_no_cell_is_none(text: str) -> None:
    assert parse_cell(text, ["one"]) is None


def test_cell_text_contrasts_with_its_colour() -> None:
    assert blend(("#000000", "#ffffff"), 0.5) == "#808080"
    assert blend(DIVERGING, 0) == DIVERGING[0]
    assert blend(DIVERGING, 0.5) == DIVERGING[1]
    assert blend(DIVERGING, 7) == DIVERGING[2]
    for place in np.linspace(0, 1, 21):
        for colors in (MATRIX_COLORS, DIVERGING):
            assert contrast(blend(colors, place), ink(blend(colors, place))) >= 4.5


def test_words_beside_verdicts_are_read_on_light_and_dark_pages() -> None:
    verdict = {"condition": "dandruff", "against": "before", "difference": -0.1, "low": -0.2, "high": -0.05}
    chart = verdict_chart(pd.DataFrame([verdict | {"verdict": "worse"}]), "en").to_dict()
    (words,) = (layer["mark"] for layer in chart["layer"] if layer["mark"]["type"] == "text")
    assert min(contrast(words["color"], page) for page in ("#ffffff", "#0e1416")) >= 4


def contrast(first: str, other: str) -> float:
    def light(color: str) -> float:
        shares = np.array(channels(color)) / 255
        return float(np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4) @ WEIGHTS)

    low, high = sorted((light(first), light(other)))
    return (high + 0.05) / (low + 0.05)


WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
