"""Figures from tables."""

import numpy as np
import pandas as pd
import pytest

from scalp_core.charts.dataset_charts import (
    ablation_chart,
    by_field_chart,
    cooccurrence_chart,
    counts_chart,
    grade_name,
    map_chart,
    probabilities_chart,
    spearman_chart,
)
from scalp_core.data.dataset import Dataset
from scalp_core.data.filters import Filters, by_field, cooccurrence, counts, select, spearman
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.palette import SEVERITY_COLORS

LANGUAGES = ("ko", "en")
NAMES = {
    "ko": ["0 양호", "1 경증", "2 중등도", "3 중증"],
    "en": ["0 normal", "1 mild", "2 moderate", "3 severe"],
}


def rows_of(chart: dict) -> list[dict]:
    """The one table in a chart."""
    (rows,) = chart["datasets"].values()
    return rows


@pytest.mark.parametrize("language", LANGUAGES)
def test_grades_have_number_and_name(language: str) -> None:
    assert [grade_name(grade, language) for grade in GRADES] == NAMES[language]
    assert grade_name(np.int64(2), language) == NAMES[language][2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_counts_are_those_of_all_parts(tiny_data: Dataset, language: str) -> None:
    chart = counts_chart(counts(tiny_data, select(tiny_data, Filters())), language).to_dict()
    rows = rows_of(chart)
    assert len(rows) == len(CONDITIONS) * len(GRADES)
    for condition in CONDITIONS:
        mine = [row for row in rows if row["condition"] == condition.value]
        assert sum(row["images"] for row in mine) == tiny_data.index[condition.value].notna().sum()
        assert {row["name"] for row in mine} == {condition.text(language)}
    assert chart["encoding"]["y"]["sort"] == [condition.text(language) for condition in CONDITIONS]
    assert chart["encoding"]["color"]["scale"] == {"domain": NAMES[language], "range": list(SEVERITY_COLORS)}
    assert "yOffset" not in chart["encoding"]


def test_captures_and_sites_are_not_stacked(tiny_data: Dataset) -> None:
    counted = counts(tiny_data, select(tiny_data, Filters()))
    for measure in ("captures", "sites"):
        encoding = counts_chart(counted, "en", measure).to_dict()["encoding"]
        assert encoding["x"]["field"] == measure
        assert encoding["yOffset"]["field"] == "grade"  # one capture may have several grades


@pytest.mark.parametrize("language", LANGUAGES)
def test_unlabelled_images_are_shown_where_there_are_some(tiny_data: Dataset, language: str) -> None:
    counted = counts(tiny_data, select(tiny_data, Filters()))
    counted.loc[counted["grade"].isna() & (counted["condition"] == "value_4"), "images"] = 7
    chart = counts_chart(counted, language).to_dict()
    (row,) = [row for row in rows_of(chart) if row["grade"] == len(GRADES)]
    assert (row["condition"], row["images"]) == ("value_4", 7)
    assert row["grade_name"] == chart["encoding"]["color"]["scale"]["domain"][-1]
    assert row["grade_name"] not in NAMES[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_correlations_have_a_cell_each(tiny_data: Dataset, language: str) -> None:
    matrix = spearman(tiny_data, select(tiny_data, Filters()))
    matrix.loc["value_1", "value_2"] = -0.604
    matrix.loc["value_1", "value_3"] = np.nan
    chart = spearman_chart(matrix, language).to_dict()
    cells = {(row["condition"], row["other"]): row for row in rows_of(chart)}
    assert len(cells) == 36
    assert [cells["value_1", f"value_{number}"]["text"] for number in (1, 2, 3)] == ["1.00", "−.60", "–"]
    assert cells["value_6", "value_5"]["correlation"] == pytest.approx(matrix.loc["value_6", "value_5"])
    names = [f"{condition.number} {condition.text(language)}" for condition in CONDITIONS]
    boxes, texts = chart["layer"]
    assert boxes["encoding"]["x"]["sort"] == boxes["encoding"]["y"]["sort"] == names
    assert boxes["encoding"]["color"]["scale"]["domain"] == [-1, 0, 1]  # white is zero, whatever the data
    assert texts["encoding"]["text"]["field"] == "text"


@pytest.mark.parametrize("language", LANGUAGES)
def test_shares_of_conditions_that_come_together(tiny_data: Dataset, language: str) -> None:
    table = cooccurrence(tiny_data, select(tiny_data, Filters()))
    table.loc[5, "share"] = np.nan
    cells = {(row["condition"], row["other"]): row for row in rows_of(cooccurrence_chart(table, language).to_dict())}
    assert len(cells) == 36
    assert cells["value_2", "value_2"]["text"] == "100%"
    assert cells["value_1", "value_6"]["text"] == "–"
    assert cells["value_3", "value_1"]["images"] == cells["value_1", "value_3"]["images"]
    assert cells["value_4", "value_1"]["row"] == f"4 {CONDITIONS[3].text(language)}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_grades_by_region_have_a_bar_each(tiny_data: Dataset, language: str) -> None:
    table = by_field(tiny_data, select(tiny_data, Filters()), "region", "value_2")
    chart = by_field_chart(table, language).to_dict()
    rows = rows_of(chart)
    assert len(rows) == len(table)
    of_top = tiny_data.index["region"] == "TH"
    assert f"TH ({of_top.sum()})" in chart["encoding"]["y"]["sort"]
    assert sum(row["images"] for row in rows) == len(tiny_data.index)


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_many_values_rare_ones_share_bar(language: str) -> None:
    values = [f"s{number:02d}" for number in range(30)]
    table = pd.DataFrame([(value, grade, 1 + place) for place, value in enumerate(values) for grade in range(4)])
    table.columns = ["value", "grade", "images"]
    chart = by_field_chart(table.assign(share=0.25), language).to_dict()
    names = chart["encoding"]["y"]["sort"]
    assert len(names) == 20
    assert names[:2] == ["s11 (48)", "s12 (52)"]  # the largest, in the order they came
    assert names[-1] == {"en": "11 more (264)", "ko": "그 외 11개 (264)"}[language]
    assert sum(row["images"] for row in rows_of(chart)) == table["images"].sum()


def points(colour: list[object]) -> pd.DataFrame:
    numbers = np.arange(len(colour), dtype=float)
    return pd.DataFrame(
        {"x": numbers, "y": -numbers, "id": [f"p{number:.0f}" for number in numbers], "colour": colour, "image": ""}
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_map_by_grade(language: str) -> None:
    chart = map_chart(points([3, 0, None, 2]), language, "grade").to_dict()
    scale = chart["encoding"]["color"]["scale"]
    unlabelled = {"en": "no label", "ko": "라벨 없음"}[language]
    assert scale["domain"] == [NAMES[language][0], NAMES[language][2], NAMES[language][3], unlabelled]
    assert scale["range"][:3] == [SEVERITY_COLORS[grade] for grade in (0, 2, 3)]
    assert {row["id"]: row["colour"] for row in rows_of(chart)}["p2"] == unlabelled
    assert rows_of(chart)[0]["id"] == "p2"  # drawn first, so that none of the others is hidden


def test_a_map_of_many_sites_names_the_commonest() -> None:
    sites = [f"s{number}" for number in range(30) for _ in range(number + 1)]
    chart = map_chart(points(sites), "en", "category").to_dict()
    scale = chart["encoding"]["color"]["scale"]
    assert len(scale["domain"]) == 10
    assert scale["domain"][-1] == "others"
    assert {"s29", "s21"} <= set(scale["domain"])
    assert len(set(scale["range"])) == 10
    few = map_chart(points(["b", "a", None]), "en", "category").to_dict()
    assert few["encoding"]["color"]["scale"]["domain"] == ["a", "b", "unknown"]


def test_map_by_number_keeps_what_was_not_measured() -> None:
    chart = map_chart(points([1.5, np.nan, 3.0]), "en", "number").to_dict()
    assert {row["id"]: row["colour"] for row in rows_of(chart)} == {"p0": 1.5, "p1": None, "p2": 3.0}
    assert chart["mark"]["invalid"] is None
    assert chart["config"]["scale"]["invalid"]["color"]["value"]


def test_points_can_be_clicked_or_boxed() -> None:
    chart = map_chart(points(["a", "b"]), "ko", "category").to_dict()
    kinds = {param["name"]: param["select"] for param in chart["params"]}
    assert (kinds["pick"]["type"], kinds["pick"]["fields"]) == ("point", ["id"])
    assert kinds["box"]["type"] == "interval"
    # A tooltip fetches what is called “image” as one: that is the thumbnail, and nothing else.
    assert [tip["field"] for tip in chart["encoding"]["tooltip"] if tip.get("title", "image") == "image"] == ["image"]


def test_the_rarest_points_lie_on_top() -> None:
    chart = map_chart(points([0, 3, 0, 2, 2, 0, None]), "en", "grade").to_dict()
    assert [row["id"] for row in rows_of(chart)] == ["p6", "p0", "p2", "p5", "p3", "p4", "p1"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_probabilities_are_stacked_to_one(language: str) -> None:
    table = pd.DataFrame({"name": ["b", "a"], "p0": [0.1, 0.4], "p1": [0.2, 0.3], "p2": [0.3, 0.2], "p3": [0.4, 0.1]})
    chart = probabilities_chart(table, language).to_dict()
    rows = rows_of(chart)
    assert len(rows) == 8
    assert {row["grade_name"] for row in rows} == set(NAMES[language])
    assert [row["probability"] for row in rows if row["name"] == "a"] == [0.4, 0.3, 0.2, 0.1]
    assert chart["encoding"]["y"]["sort"] == ["b", "a"]  # as given, not by the alphabet
    assert chart["encoding"]["x"]["scale"]["domain"] == [0, 1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_ladder_shows_kappa_and_recall_with_intervals(language: str) -> None:
    reached = {
        **{"quadratic_weighted_kappa": 0.5, "quadratic_weighted_kappa_low": 0.4, "quadratic_weighted_kappa_high": 0.6},
        **{"worst_grade_recall": 0.0, "worst_grade_recall_low": 0.0, "worst_grade_recall_high": 0.1},
    }
    steps = [{"name": "one", "alternative": False} | reached, {"name": "waits", "alternative": False}]
    chart = ablation_chart(pd.DataFrame([*steps, {"name": "aside", "alternative": True} | reached]), language).to_dict()
    rows = {(row["name"], row["title"]): row for row in rows_of(chart)}
    assert len(rows) == 6
    titles = {"ko": ["이차 가중 카파", "등급별 최저 재현율"], "en": ["quadratic weighted kappa", "worst-grade recall"]}
    kappa, recall = (rows["one", title] for title in titles[language])
    assert (kappa["value"], kappa["low"], kappa["high"], kappa["interval"]) == (0.5, 0.4, 0.6, "0.400 – 0.600")
    assert (recall["value"], recall["high"]) == (0, 0.1)
    assert rows["waits", titles[language][0]]["value"] is None
    assert [layer["mark"]["type"] for layer in chart["layer"]] == ["rule", "point"]
    for layer in chart["layer"]:
        assert layer["encoding"]["y"]["sort"] == ["one", "waits", "aside"]  # those that wait keep their place
        assert layer["encoding"]["opacity"]["condition"] == {"test": "datum.alternative", "value": 0.5}


def test_a_ladder_of_nobody_has_its_steps() -> None:
    table = pd.DataFrame({"name": ["one", "two"], "alternative": [False, False]})
    rows = rows_of(ablation_chart(table, "en").to_dict())
    assert [row["name"] for row in rows] == ["one", "two"] * 2
    assert {row["value"] for row in rows} == {None}
