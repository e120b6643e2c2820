"""Choosing rows and counting them: against plain pandas on the same rows."""

import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Folders

from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset
from scalp_core.data.filters import (
    ALL_PARTS,
    NONE,
    Filters,
    by_field,
    choices,
    cooccurrence,
    counts,
    filterable,
    grades,
    measured,
    neighbours,
    select,
    size,
    sort,
    sortable,
    spearman,
    to_csv,
)
from scalp_core.data.index_writer import change_columns, write_dataset

EVERYTHING = Filters()


def table(images: int = 600, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "id": [f"p{number:04d}" for number in range(images)],
            "path": "images/x.jpg",
            "sha256": "0" * 64,
            "site": generator.choice(["0013", "Seoul, 강남", "100%"], images),
            "device": generator.choice(["b", "a"], images),
            "capture": [f"c{number // 3}" for number in range(images)],
            "region": generator.choice(["TH", "BH", "neck"], images),
            "part": generator.choice(PARTS, images),
            "sharpness": generator.choice([5.5, 20, 80, np.nan], images),
            "bytes": generator.integers(100, 120, images),
            "look_alikes": pd.Series(
                generator.choice([0, 1, 2, -1], images, p=(0.02, 0.02, 0.02, 0.94)), dtype="Int32"
            ),
            "meta_gender": pd.Series(generator.choice(["남", "여"], images)).where(generator.random(images) > 0.2),
        }
    )
    rows["look_alikes"] = rows["look_alikes"].where(rows["look_alikes"] >= 0)
    for column in LABEL_COLUMNS:
        labels = pd.Series(generator.choice(4, images, p=(0.5, 0.3, 0.15, 0.05)), dtype="Int8")
        rows[column] = labels.where(generator.random(images) > 0.1)
    rows["value_2"] = (
        rows["value_2"].fillna(0) // 2 + rows["value_1"].fillna(0) // 2
    )  # goes with value_1, unlike others
    return rows


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """600 rows of three sites without pictures, with nulls everywhere."""
    return write_dataset(tmp_path_factory.mktemp("data") / "mixed", "csv", {}, table())


@pytest.fixture(scope="module")
def index(mixed: Dataset) -> pd.DataFrame:
    return mixed.index.reset_index(drop=True)


def chosen(dataset: Dataset, filters: Filters) -> list[int]:
    return select(dataset, filters).tolist()


def rows_where(condition: pd.Series) -> list[int]:
    return np.flatnonzero(condition.fillna(False)).tolist()


def test_without_filters_everything_is_chosen(mixed: Dataset) -> None:
    assert chosen(mixed, EVERYTHING) == list(range(600))
    assert Filters.of({"part": []}, {"sharpness": (-math.inf, math.inf)}, text="  ") == EVERYTHING


def test_values_of_a_column_widen_and_columns_narrow(mixed: Dataset, index: pd.DataFrame) -> None:
    filters = Filters.of({"value_1": [2, 3], "value_3": ["0"], "part": ["test", "train"], "meta_gender": ["여"]})
    labels = index["value_1"].isin([2, 3]) & (index["value_3"] == 0).fillna(False)
    texts = index["part"].isin(["test", "train"]) & (index["meta_gender"] == "여").fillna(False)
    assert chosen(mixed, filters) == rows_where(labels & texts)
    assert len(chosen(mixed, filters)) > 0


def test_what_has_no_value_can_be_chosen(mixed: Dataset, index: pd.DataFrame) -> None:
    assert chosen(mixed, Filters.of({"value_1": [NONE]})) == rows_where(index["value_1"].isna())
    several = Filters.of({"value_1": [1, NONE], "meta_gender": [NONE]})
    assert chosen(mixed, several) == rows_where(
        (index["value_1"].isna() | (index["value_1"] == 1)) & index["meta_gender"].isna()
    )


def test_ranges_include_ends_and_exclude_unmeasured(mixed: Dataset, index: pd.DataFrame) -> None:
    assert chosen(mixed, Filters.of(ranges={"sharpness": (5.5, 20)})) == rows_where(index["sharpness"].isin([5.5, 20]))
    open_ended = Filters.of(ranges={"sharpness": (-math.inf, 20), "bytes": (110, math.inf)})
    assert chosen(mixed, open_ended) == rows_where((index["sharpness"] <= 20) & (index["bytes"] >= 110))


def test_look_alikes_and_parts_of_ids(mixed: Dataset, index: pd.DataFrame) -> None:
    assert chosen(mixed, Filters.of(alike=True)) == rows_where(index["look_alikes"].notna())
    assert chosen(mixed, Filters.of(text=" P001 ")) == list(range(10, 20))
    assert chosen(mixed, Filters.of(text="p.0")) == []  # as it stands, no pattern
    assert chosen(mixed, Filters.of(text="p0012", alike=True)) == rows_where(
        index["look_alikes"].notna()[:13].iloc[12:]
    )


@pytest.mark.parametrize(
    "filters",
    [
        EVERYTHING,
        Filters.of({"value_2": [2, 0, NONE], "site": ["Seoul, 강남", "100%"], "meta_gender": ["남", NONE]}),
        Filters.of(ranges={"sharpness": (5.1, math.inf), "bytes": (-math.inf, 110)}, alike=True, text="P0, 1"),
        Filters.of({"region": ["neck", "TH"], "part": ["test"]}, {"sharpness": (1 / 3, 70)}),
    ],
)
def test_an_address_means_the_same_filters(mixed: Dataset, filters: Filters) -> None:
    address = filters.to_address()
    assert all(isinstance(text, str) for text in (*address, *address.values()))
    assert Filters.from_address(address, mixed) == filters
    assert hash(Filters.from_address(address, mixed)) == hash(filters)


def test_an_address_can_be_read(mixed: Dataset) -> None:
    filters = Filters.of({"value_2": ["3", "2"], "site": ["0013"]}, {"sharpness": (10, 50)}, alike=True)
    assert filters.to_address() == {"value_2": "2,3", "site": "0013", "sharpness": "10..50", "alike": "1"}
    assert (filters.values("value_2"), filters.values("part")) == (("2", "3"), ())
    assert (filters.bounds("sharpness"), filters.bounds("bytes")) == ((10, 50), (-math.inf, math.inf))


@pytest.mark.parametrize(
    "address",
    [
        {"lang": "ko", "image": "p0001", "grades": "2", "cast_red": "1..2", "meta_age": "20대", "id": "p0001"},
        {"value_2": "9,,x", "part": "holdout", "site": "nowhere%00", "region": "", "alike": "yes", "text": ""},
        {"sharpness": "5", "bytes": "x..y"},
        {"sharpness": "nan..nan", "bytes": "9..1"},
        {"sharpness": "..", "bytes": "1e999..", "value_1": "\ud800", "text": " \t"},
    ],
)
def test_invalid_filters_in_an_address_are_ignored(mixed: Dataset, address: dict[str, str]) -> None:
    filters = Filters.from_address(address, mixed)
    assert filters in (EVERYTHING, Filters.of(ranges={"sharpness": (5, math.inf)}))
    assert Filters.from_address(address | {"part": "test"}, mixed).values("part") == ("test",)
    assert len(select(mixed, Filters.from_address({"text": "\ud800" * 999}, mixed))) == 0


def test_columns_to_choose_from(mixed: Dataset, tiny_data: Dataset) -> None:
    assert set(filterable(mixed)) == {*LABEL_COLUMNS, "site", "device", "capture", "region", "part", "meta_gender"}
    assert set(measured(mixed)) == {"sharpness", "bytes"}
    assert set(sortable(mixed)) == {"id", "look_alikes", *filterable(mixed), *measured(mixed)}
    assert "sharpness" in measured(tiny_data)


def test_choices_count_every_value_in_order_to_show(mixed: Dataset, index: pd.DataFrame) -> None:
    regions = choices(mixed, "region")
    assert list(regions.index) == ["TH", "BH", "neck"]
    assert regions.to_dict() == index["region"].value_counts().to_dict()
    assert list(choices(mixed, "part").index) == list(PARTS)
    assert list(choices(mixed, "device").index) == ["a", "b"]
    labels = choices(mixed, "value_1")
    assert list(labels.index) == ["0", "1", "2", "3", NONE]
    assert labels[NONE] == index["value_1"].isna().sum()
    assert labels["3"] == (index["value_1"] == 3).sum()
    assert choices(mixed, "meta_gender")[NONE] == index["meta_gender"].isna().sum()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", ["id", "value_1", "sharpness", "bytes", "site", "capture", "meta_gender", "look_alikes"])
def test_sorting_is_stable_and_puts_nulls_last(mixed: Dataset, index: pd.DataFrame, by: str, descending: bool) -> None:
    rows = select(mixed, Filters.of({"part": ["train", "test"]}))
    expected = index.iloc[rows].sort_values(by, ascending=not descending, kind="stable", na_position="last")
    assert sort(mixed, rows, by, descending).tolist() == expected.index.tolist()


def test_neighbours_are_of_same_capture_or_look_alike(mixed: Dataset, index: pd.DataFrame) -> None:
    for row in (0, rows_where(index["look_alikes"] == 1)[0]):
        same, alike = neighbours(mixed, index["id"][row])
        assert same.tolist() == [
            other for other in rows_where(index["capture"] == index["capture"][row]) if other != row
        ]
        assert row not in alike
        assert sorted([*alike, row]) == (rows_where(index["look_alikes"] == index["look_alikes"][row]) or [row])
    lonely = rows_where(index["look_alikes"].isna())[0]
    assert len(neighbours(mixed, index["id"][lonely])[1]) == 0
    assert [len(rows) for rows in neighbours(mixed, "nobody")] == [0, 0]


def test_neighbours_where_nothing_was_measured(tiny_data: Dataset) -> None:
    index = tiny_data.index.reset_index(drop=True)
    same, alike = neighbours(tiny_data, index["id"][0])
    assert set(index["capture"][same]) <= {index["capture"][0]}
    assert len(alike) == 0


SELECTIONS = [EVERYTHING, Filters.of({"value_1": [1, 2, NONE], "part": ["train", "calib"]}), Filters.of(text="nobody")]


@pytest.mark.parametrize("filters", SELECTIONS)
def test_counts_are_those_of_the_chosen_rows(mixed: Dataset, index: pd.DataFrame, filters: Filters) -> None:
    rows = select(mixed, filters)
    counted = counts(mixed, rows)
    assert len(counted) == len(LABEL_COLUMNS) * 5 * 5
    chosen_rows = index.iloc[rows]
    for condition, grade, part, images, captures, sites in counted.itertuples(index=False):
        mine = chosen_rows[chosen_rows[condition].isna() if pd.isna(grade) else chosen_rows[condition] == grade]
        mine = mine if part == ALL_PARTS else mine[mine["part"] == part]
        assert (images, captures, sites) == (len(mine), mine["capture"].nunique(), mine["site"].nunique())


@pytest.mark.parametrize("filters", SELECTIONS)
def test_the_size_is_that_of_the_chosen_rows(mixed: Dataset, index: pd.DataFrame, filters: Filters) -> None:
    rows = select(mixed, filters)
    table = size(mixed, rows)
    of = index.iloc[rows][["capture", "site", "device"]].nunique()
    assert (table.images, table.captures, table.sites, table.devices) == (len(rows), *of)


@pytest.mark.parametrize("filters", SELECTIONS)
def test_correlations_equal_those_of_pandas(mixed: Dataset, index: pd.DataFrame, filters: Filters) -> None:
    rows = select(mixed, filters)
    expected = index.iloc[rows][list(LABEL_COLUMNS)].astype("float64").corr("spearman")
    pd.testing.assert_frame_equal(spearman(mixed, rows), expected, atol=1e-12, check_dtype=False)


def test_a_condition_of_one_grade_correlates_with_nothing(mixed: Dataset) -> None:
    rows = select(mixed, Filters.of({"value_3": [0]}))
    correlations = spearman(mixed, rows)
    assert correlations["value_3"].isna().all()
    assert correlations.loc["value_3"].isna().all()
    assert correlations.loc["value_1", "value_1"] == pytest.approx(1)
    assert correlations.loc["value_1", "value_2"] > 0.3


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_conditions_that_come_together(mixed: Dataset, index: pd.DataFrame, threshold: int) -> None:
    rows = select(mixed, SELECTIONS[1])
    table, chosen_rows = cooccurrence(mixed, rows, threshold), index.iloc[rows]
    assert len(table) == 36
    for condition, other, images, share in table.itertuples(index=False):
        both = chosen_rows[[condition, other]].dropna() if condition != other else chosen_rows[[condition]].dropna()
        conditional = both[both[condition] >= threshold]
        assert images == (conditional[other] >= threshold).sum()
        if len(conditional):
            assert share == pytest.approx(images / len(conditional))
        else:
            assert math.isnan(share)


@pytest.mark.parametrize("field", ["region", "site", "part", "meta_gender", "value_5"])
def test_grades_by_another_column(mixed: Dataset, index: pd.DataFrame, field: str) -> None:
    rows = select(mixed, Filters.of({"part": ["train", "test"]}))
    table, chosen_rows = by_field(mixed, rows, field, "value_1"), index.iloc[rows].dropna(subset="value_1")
    texts = chosen_rows[field].map(str, na_action="ignore").fillna(NONE)
    assert set(table["value"]) == set(texts)
    for value, grade, images, share in table.itertuples(index=False):
        mine = chosen_rows[texts == value]
        assert images == (mine["value_1"] == grade).sum()
        assert share == pytest.approx(images / len(mine))
    assert list(dict.fromkeys(table["value"])) == [v for v in choices(mixed, field).index if v in set(texts)]


def test_grades_by_nothing(mixed: Dataset) -> None:
    assert by_field(mixed, np.empty(0, np.intp), "region", "value_1").empty


def test_grades_as_an_array(mixed: Dataset, index: pd.DataFrame) -> None:
    assert grades(mixed, "value_1").tolist() == index["value_1"].fillna(-1).tolist()
    with pytest.raises(ValueError, match="read-only"):
        select(mixed, EVERYTHING)[0] = 5


def read_csv(parts: list[bytes]) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(b"".join(parts)), encoding="utf-8-sig", dtype=str, keep_default_na=False)


def test_a_csv_holds_the_chosen_rows(mixed: Dataset, index: pd.DataFrame) -> None:
    rows = sort(mixed, select(mixed, Filters.of({"part": ["test"]})), "sharpness")
    parts = list(to_csv(mixed, rows))
    assert parts[0].startswith(b"\xef\xbb\xbf")  # or Excel garbles Korean
    exported = read_csv(parts)
    assert list(exported.columns) == mixed.columns
    assert exported["id"].tolist() == index["id"].iloc[np.sort(rows)].tolist()
    for row, place in enumerate(np.sort(rows)):
        grade = index["value_1"][place]
        assert exported["value_1"][row] == ("" if pd.isna(grade) else str(grade))
        assert exported["site"][row] == index["site"][place]
    assert set(exported["meta_gender"]) == {"남", "여", ""}


def test_a_csv_of_some_columns_or_of_nothing(mixed: Dataset) -> None:
    exported = read_csv(list(to_csv(mixed, np.array([3, 1]), ["site", "id"])))
    assert list(exported.columns) == ["site", "id"]
    assert exported["id"].tolist() == ["p0001", "p0003"]
    assert len(read_csv(list(to_csv(mixed, np.empty(0, np.intp))))) == 0


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x","y")', "＝1", "\n=1"]
)
def test_a_spreadsheet_runs_nothing(folders: Folders, text: str) -> None:
    rows = (
        table(8).assign(device=text, meta_gender=["plain", text] * 4, sharpness=-1.5).rename(columns={"bytes": "=cmd"})
    )
    exported = read_csv(list(to_csv(write_dataset(folders.data / "bad", "csv", {}, rows), np.arange(8))))
    assert set(exported["device"]) == {"'" + text}
    assert set(exported["meta_gender"]) == {"plain", "'" + text}
    assert "'=cmd" in exported.columns
    assert set(exported["sharpness"]) == {"-1.5"}  # a number is no formula


def test_zip_member_paths_are_not_exported(folders: Folders) -> None:
    rows = table(8).assign(offset=1, length=2, deflated=True)
    exported = read_csv(list(to_csv(write_dataset(folders.data / "zipped", "aihub", {}, rows), np.arange(8))))
    assert {"offset", "length", "deflated"}.isdisjoint(exported.columns)
    assert "path" in exported.columns


def test_a_changed_index_is_counted_anew(folders: Folders, tmp_path: Path) -> None:
    dataset = write_dataset(folders.data / "mine", "csv", {}, table(40))
    before = len(select(dataset, Filters.of({"part": ["test"]})))
    assert before < 40
    changed = change_columns(dataset, {"part": pd.Series(["test"] * 40)})
    assert len(select(changed, Filters.of({"part": ["test"]}))) == 40
    assert choices(changed, "part").to_dict() == {"train": 0, "valid": 0, "calib": 0, "test": 40}
    table_of_all = counts(changed, select(changed, EVERYTHING)).query("condition == 'value_1' and part == 'train'")
    assert table_of_all["images"].sum() == 0
