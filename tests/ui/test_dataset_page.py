"""The dataset page as a researcher uses it, without a browser: finding pictures, looking closer, taking them along."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Folders, Trained, labels_of
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Table
from support.app_driver import (
    HOSTILE,
    LANGUAGES,
    Downloads,
    assert_healthy,
    capture_downloads,
    chart_data,
    components,
    galleries,
    open_page,
    page_text,
    texts,
    unescape,
    visible_words,
    widget,
)

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.audit import audit
from scalp_core.data.audit_messages import FindingSeverity
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset, open_dataset
from scalp_core.data.index_writer import change_columns, write_dataset
from scalp_core.data.thumbnails import address, thumbnail_at
from scalp_core.errors import ScalpError, Text
from scalp_core.labels import CONDITIONS
from scalp_core.terms import REGIONS
from ui.components.facet_rail import Entry, Facet, Pick, check_pick
from ui.dataset.gallery import PER_PAGE
from ui.words import Say

VIEWS = ("pictures", "labels", "map", "audit", "review", "import")
# What stays as it is in Korean: names, units and what people type.
NOT_TRANSLATED = {"mine", "tiny", "AI", "Hub", "CSV", "xlsx", "zip", "CIE", "px", "kB", "SNE", "Training", "Validation"}
MARKUP = "<b onclick=alert(1)>**[x](javascript:alert(1))**</b>"

Change = Callable[[pd.DataFrame], pd.DataFrame]


def thrice(tiny: Dataset) -> pd.DataFrame:
    """The rows of "tiny" three times, with all that an import may know: enough pictures for three pages of the wall."""
    index = tiny.index.reset_index(drop=True)
    rows = pd.concat(
        [index.assign(id=f"{n}-" + index["id"], capture=f"{n}-" + index["capture"]) for n in range(3)],
        ignore_index=True,
    )
    number = np.arange(len(rows))
    rows["look_alikes"] = pd.Series(number % len(index), dtype="Int32").where(number % len(index) < 5)
    rows["official"] = np.take(["train", "valid", "both"], number % 3)
    rows["meta_gender"] = pd.Series(np.take(["남", "여"], number % 2)).where(number % 5 > 0)
    rows["meta_answers1"] = "1일 1회"
    rows["value_1"] = rows["value_1"].where(number % 7 > 0)
    # The second time in training, so that this split leaks.
    rows.loc[(number // len(index) == 1) & (rows["part"] == "test"), "part"] = "train"
    return rows


@pytest.fixture
def made(folders: Folders, tiny_data: Dataset) -> Callable[[Change], Dataset]:
    """Makes the dataset "mine" of the rows of `thrice`, after a change."""

    def make(change: Change) -> Dataset:
        rows = change(thrice(tiny_data))
        return write_dataset(folders.data / "mine", "aihub", {}, rows, source=str(tiny_data.folder))

    return make


@pytest.fixture(scope="module")
def mine_to_copy(tiny_data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what `mine` is a copy of."""
    folder = tmp_path_factory.mktemp("dataset") / "mine"
    return write_dataset(folder, "aihub", {}, thrice(tiny_data), source=str(tiny_data.folder)).folder


@pytest.fixture
def mine(mine_to_copy: Path, folders: Folders) -> Dataset:
    shutil.copytree(mine_to_copy, folders.data / "mine")
    return open_dataset("mine")


@pytest.fixture
def seen_by_a_run(mine: Dataset, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The same, and one finished run that can draw a map of it."""
    monkeypatch.setenv("SCALP_ARTIFACTS", str(trained.run.folder.parent))
    return mine


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Downloads:
    return capture_downloads(monkeypatch)


def wall(at: AppTest, key: str = "wall") -> list[str]:
    return [picture["id"] for picture in galleries(at)[key]]


def size_of(rows: pd.DataFrame, whole: int, say: Say) -> str:
    words = say("dataset_size", images=len(rows), captures=rows["capture"].nunique(), sites=rows["site"].nunique())
    return words if len(rows) == whole else f"{words} {say('dataset_of', whole=whole)}"


# Every view.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_speaks_the_reader_s_language(seen_by_a_run: Dataset, view: str, language: str) -> None:
    image = seen_by_a_run.column("id").iloc[0]
    at = assert_healthy(open_page("dataset", language, view=view, image=image, sharpness="5.."))
    for toggle in at.main.toggle:
        at = toggle.set_value(True).run()
    words = [
        re.sub(r"`[^`]*`|:[a-z]+-badge|:material/\w+:", "", unescape(item))
        for item in visible_words(assert_healthy(at).main)
    ]
    words += [*visible_words(at._tree[2])]  # what lies over the page
    assert len([item for item in words if item]) > 10
    assert not [
        item for item in words if re.search(r"\b(value_\d|meta_\w+|[a-z]+_[a-z]+\w*|none|nan|NaN|<NA>)\b", item)
    ]
    if language == "ko":
        plain = [word for item in words for word in re.findall(r"[A-Za-z]+", re.sub(r"\w*\d\w*", "", item))]
        assert {word for word in plain if len(word) > 1} - NOT_TRANSLATED == set()
    else:
        assert not [item for item in words if re.search("[가-힣]", item) and not re.search("남|여|1일 1회", item)]


def test_another_view_keeps_the_choice(mine: Dataset) -> None:
    at = assert_healthy(open_page("dataset", value_2="3", condition="value_3"))
    result = int((mine.index["value_2"] == 3).sum())
    assert len(wall(at)) == result
    at = assert_healthy(at.button_group(key="view-en").set_value("labels").run())
    assert at.query_params["view"] == "labels"
    assert at.query_params["value_2"] == "3"
    table = at.dataframe[0].value
    assert table.loc["excess sebum", "all splits"].sum() == result
    assert Say("en")("by_field", condition="interfollicular erythema") in texts(at.subheader)


def test_nothing_in_the_address_breaks_it(seen_by_a_run: Dataset) -> None:
    keys = ("view", "value_2", "part", "region", "meta_gender", "sharpness", "alike", "text", "sort", "order", "page")
    keys += ("run", "colour", "sample", "count", "by", "grades", "parts", "regions")
    for view in VIEWS:
        for value in (*HOSTILE, "nan..nan", "..", "-1", "0"):
            at = open_page("dataset", **(dict.fromkeys(keys, value) | {"view": view}))
            assert_healthy(at)


# Filters.

FILTERS: list[tuple[dict[str, str], Callable[[pd.DataFrame], pd.Series]]] = [
    ({}, lambda rows: rows["id"] != ""),
    ({"value_2": "2"}, lambda rows: rows["value_2"] == 2),
    ({"value_1": "none"}, lambda rows: rows["value_1"].isna()),
    (
        {"value_1": "0,none", "part": "train,valid"},
        lambda rows: ~rows["value_1"].isin([1, 2, 3]) & rows["part"].isin(["train", "valid"]),
    ),
    ({"region": "TH", "value_3": "0,1"}, lambda rows: (rows["region"] == "TH") & (rows["value_3"] <= 1)),
    ({"meta_gender": "여"}, lambda rows: rows["meta_gender"].eq("여").fillna(False)),
    ({"official": "both", "alike": "1"}, lambda rows: (rows["official"] == "both") & rows["look_alikes"].notna()),
    ({"sharpness": "120.."}, lambda rows: rows["sharpness"] >= 120),
    ({"lightness": "..60", "text": "1-"}, lambda r: (r["lightness"] <= 60) & r["id"].str.startswith("1-")),
]


@pytest.mark.parametrize(("query", "passes"), FILTERS, ids=[str(entry) for entry, _ in FILTERS])
def test_filters_of_the_address_hold_together(
    mine: Dataset, query: dict[str, str], passes: Callable[[pd.DataFrame], pd.Series]
) -> None:
    say = Say("en")
    at = assert_healthy(open_page("dataset", sort="id", **query))
    wanted = mine.index[passes(mine.index).to_numpy(bool)]
    assert 0 < len(wanted) < mine.images or not query
    assert size_of(wanted, mine.images, say) in texts(at.markdown)
    assert wall(at) == list(wanted["id"])[:PER_PAGE]
    assert {key: at.query_params[key] for key in query} == query
    assert (say("filters_clear") in [button.label for button in at.main.button]) == bool(query)


@pytest.mark.parametrize(
    "junk",
    [
        {"value_2": "9,x,"},
        {"part": "nowhere", "meta_gender": "?"},
        {"sharpness": "abc..", "lightness": "9..1"},
        {"alike": "yes"},
        {"grades": "2", "parts": "train", "regions": "TH"},
    ],
    ids=str,
)
def test_unknown_values_leave_the_address(mine: Dataset, junk: dict[str, str]) -> None:
    at = assert_healthy(open_page("dataset", **junk))
    assert size_of(mine.index, mine.images, Say("en")) in texts(at.markdown)
    assert not {"value_2", "part", "meta_gender", "sharpness", "lightness", "alike"} & set(at.query_params)


def test_junk_beside_sense_is_dropped(mine: Dataset) -> None:
    at = assert_healthy(open_page("dataset", value_2="2,9,zzz", part="test,nowhere"))
    assert (at.query_params["value_2"], at.query_params["part"]) == ("2", "test")
    rows = mine.index
    assert wall(at) == list(rows.loc[(rows["value_2"] == 2) & (rows["part"] == "test"), "id"])


def test_what_is_chosen_in_panel_stands_in_address(mine: Dataset) -> None:
    say, rows = Say("ko"), mine.index
    at = open_page("dataset", "ko")
    at = assert_healthy(widget(at.multiselect, say("field_part")).select("test").run())
    assert at.query_params["part"] == "test"
    rows = rows[rows["part"] == "test"]
    assert size_of(rows, mine.images, say) in texts(at.markdown)
    top = say.of(REGIONS["TH"])
    assert f"{top} ({(mine.index['region'] == 'TH').sum()})" in widget(at.multiselect, say("field_region")).options
    at = assert_healthy(widget(at.multiselect, say("field_region")).select("TH").run())
    rows = rows[rows["region"] == "TH"]
    assert at.query_params["region"] == "TH"
    slider = widget(at.slider, say("field_sharpness"))
    middle = float(np.floor(rows["sharpness"].median()))
    at = assert_healthy(slider.set_value((middle, slider.max)).run())
    rows = rows[rows["sharpness"] >= middle]
    assert at.query_params["sharpness"] == f"{middle:.0f}.."
    assert wall(at) == list(rows["id"])
    at = assert_healthy(widget(at.multiselect, say("field_part")).unselect("test").run())
    assert "part" not in at.query_params
    assert len(wall(at)) > len(rows)
    at = assert_healthy(widget(at.text_input, say("filters_text")).input(rows["id"].iloc[0]).run())
    assert wall(at) == [rows["id"].iloc[0]]


def test_clearing_takes_all_filters_off_and_nothing_else(mine: Dataset) -> None:
    selected = {"value_2": "2", "sharpness": "100..", "alike": "1", "text": "0"}
    at = assert_healthy(open_page("dataset", condition="value_3", sort="sharpness", order="down", **selected))
    at = assert_healthy(widget(at.button, "Clear").click().run())
    assert not selected.keys() & set(at.query_params)
    assert {key: at.query_params[key] for key in ("condition", "sort", "order")} == {
        "condition": "value_3",
        "sort": "sharpness",
        "order": "down",
    }
    assert size_of(mine.index, mine.images, Say("en")) in texts(at.markdown)
    assert all(not item.value for item in at.main.multiselect)
    assert not at.main.toggle[0].value
    assert widget(at.text_input, "File name contains").value == ""
    assert "Clear" not in [button.label for button in at.button]


@pytest.mark.parametrize("view", ["pictures", "labels", "map"])
def test_filters_that_nothing_passes_say_so(mine: Dataset, view: str) -> None:
    say = Say("ko")
    at = assert_healthy(open_page("dataset", "ko", view=view, text="no such picture"))
    assert say("dataset_none") in texts(at.info)
    assert galleries(at) == {}
    assert say("filters_clear") in [button.label for button in at.button]


def dialog_tables(at: AppTest) -> list[Table]:
    """Tables of the picture's dialog, which belongs to neither the page's main part nor the sidebar."""
    return list(at.table)[len(at.sidebar.table) :]


def test_other_data_set_drops_unknown_filters(mine: Dataset, tiny_data: Dataset, folders: Folders) -> None:
    shutil.copytree(tiny_data.folder, folders.data / "tiny")
    image = mine.column("id").iloc[0]
    at = assert_healthy(open_page("dataset", data="mine", image=image, official="valid", value_2="1"))
    assert len(dialog_tables(at)) == 1
    at = assert_healthy(at.selectbox(key="data-en").set_value("tiny").run())
    assert at.query_params["data"] == "tiny"
    assert "image" not in at.query_params
    assert wall(at) == list(tiny_data.index.query("value_2 == 1")["id"])
    assert len(dialog_tables(at)) == 0


# The wall.


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", ["id", "sharpness", "value_1", "device"])
def test_the_wall_is_sorted(mine: Dataset, by: str, descending: bool) -> None:
    at = assert_healthy(open_page("dataset", condition="value_1", sort=by, order="down" if descending else "up"))
    index = mine.index
    wanted = index.sort_values(by, ascending=not descending, kind="stable", na_position="last")
    assert wall(at) == list(wanted["id"])[:PER_PAGE]
    grades = [grade_name(int(grade), "en") if pd.notna(grade) else "no label" for grade in wanted["value_1"]]
    pictures = galleries(at)["wall"]
    first = Say("en").of(CONDITIONS[0].text)
    marks = [picture["marks"][0]["description"] for picture in pictures]
    assert marks == [f"{first}: {grade}" for grade in grades[:PER_PAGE]]
    for picture in pictures[:3]:
        row = mine.row(picture["id"])
        assert picture["source"] == f"/{address(mine, row)}"
        assert thumbnail_at(picture["source"].removeprefix("/")).startswith(b"RIFF")


def test_paging_restarts_with_another_order(mine: Dataset) -> None:
    ids = list(mine.column("id"))
    at = assert_healthy(open_page("dataset", page="2"))
    assert at.pagination[0].num_pages == 3
    assert wall(at) == ids[PER_PAGE : 2 * PER_PAGE]
    at = assert_healthy(at.pagination[0].set_value(3).run())
    assert at.query_params["page"] == "3"
    assert wall(at) == ids[2 * PER_PAGE :]
    at = assert_healthy(at.selectbox(key="order-en").set_value("down").run())
    assert (at.query_params.get("page", "1"), at.query_params["order"]) == ("1", "down")
    assert wall(at) == ids[::-1][:PER_PAGE]
    at = assert_healthy(at.pagination[0].set_value(2).run())
    at = assert_healthy(widget(at.multiselect, "Split").select("train").run())
    assert at.query_params.get("page", "1") == "1"
    assert wall(assert_healthy(open_page("dataset", page="99"))) == ids[:PER_PAGE]


# One picture.


@pytest.mark.parametrize("language", LANGUAGES)
def test_picture_tells_all_that_is_known_of_it(mine: Dataset, language: str) -> None:
    say, row = Say(language), mine.index.iloc[1]
    at = assert_healthy(open_page("dataset", language, image=row["id"]))
    table = dialog_tables(at)[0].value
    assert list(table.index) == [condition.text(language) for condition in CONDITIONS]
    assert list(table[say("label")]) == [grade_name(label, language) for label in labels_of(row).values()]
    assert texts(at.code) == [row["id"]]
    (facts,) = texts(at.text)
    gender, shampoo = (
        ("성별: 여", "샴푸 사용 빈도: 1일 1회")
        if language == "ko"
        else ("gender: female", "shampoo frequency: once a day")
    )
    for fact in (
        f"{say('field_site')}: {row['site']}",
        f"{say('field_device')}: {row['device']}",
        f"{say('field_region')}: {say.of(REGIONS[row['region']])}",
        f"{say('field_part')}: {say.part(row['part'])}",
        f"{say('field_official')}: {say('official_valid')}",
        gender,
        shampoo,
        f"{row['width']} × {row['height']} px, {row['bytes'] / 1000:.0f} kB",
        f"{say('field_sharpness')}: {row['sharpness']:.3g}",
        f"{say('field_cast_red')}: {row['cast_red']:.3g}",
    ):
        assert fact in facts.split("\n")
    link = next(link for link in at.get("page_link") if link.label == say("grade_this"))
    assert f"image={row['id']}" in link.proto.query_string


def test_unknown_fields_of_a_picture_are_hidden(mine: Dataset) -> None:
    row = mine.index.iloc[0]
    assert pd.isna(row["value_1"])
    at = assert_healthy(open_page("dataset", image=row["id"]))
    assert dialog_tables(at)[0].value["Label"].iloc[0] == "no label"
    (facts,) = texts(at.text)
    assert "gender" not in facts
    assert "nan" not in facts.lower()


def test_capture_and_near_duplicates_stand_beside_a_picture(mine: Dataset) -> None:
    index = mine.index
    row = index[index["look_alikes"].notna() & index["capture"].duplicated(keep=False)].iloc[0]
    at = assert_healthy(open_page("dataset", "ko", image=row["id"]))
    capture = index[(index["capture"] == row["capture"]) & (index["id"] != row["id"])]
    alike = index[(index["look_alikes"] == row["look_alikes"]).fillna(False) & (index["id"] != row["id"])]
    assert len(alike) == 2
    assert wall(at, "same_capture") == list(capture["id"])
    assert wall(at, "look_alikes") == list(alike["id"])
    regions = [REGIONS[region]("ko") for region in capture["region"]]
    assert [picture["caption"] for picture in galleries(at)["same_capture"]] == regions
    alone = index[index["look_alikes"].isna()].iloc[0]
    assert "look_alikes" not in galleries(assert_healthy(open_page("dataset", image=alone["id"])))


def test_picture_outside_the_filters_is_still_shown(mine: Dataset) -> None:
    row = mine.index.iloc[0]
    other = "valid" if row["part"] != "valid" else "train"
    at = assert_healthy(open_page("dataset", part=other, image=row["id"]))
    assert row["id"] not in wall(at)
    assert texts(at.code) == [row["id"]]


@pytest.mark.parametrize("view", ["pictures", "audit"])
def test_names_and_answers_from_a_folder_are_text(made: Callable[[Change], Dataset], view: str) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        rows["id"] = rows["id"] + MARKUP
        rows[["site", "device", "meta_gender", f"meta_{MARKUP}"]] = MARKUP
        rows.loc[0, f"meta_{MARKUP}"] = "else"
        return rows

    dataset = made(change)
    image = dataset.column("id").iloc[0]
    at = assert_healthy(open_page("dataset", view=view, image=image))
    assert texts(at.code) == [image]
    (facts,) = texts(at.text)
    assert f"gender: {MARKUP}" in facts
    # Labels and these elements may hold markup, so there every sign of it is escaped.
    entries = [item.value for item in (*at.markdown, *at.caption, *at.info, *at.warning, *at.subheader)]
    entries += [item.label for item in (*at.multiselect, *at.slider, *at.expander, *at.toggle)]
    escaped = Say("en").plain(Text(MARKUP, MARKUP))
    assert all(escaped in item for item in entries if "onclick" in item)
    assert view != "pictures" or any("onclick" in item for item in entries)


@pytest.mark.parametrize("content", [None, b"not a picture"], ids=["gone", "broken"])
def test_unreadable_picture_leaves_an_explained_gap(
    folders: Folders, tiny_data: Dataset, content: bytes | None
) -> None:
    copied = folders.data / "tiny"
    shutil.copytree(tiny_data.folder, copied, ignore=shutil.ignore_patterns("cache"))
    image, path = (tiny_data.index[name].iloc[0] for name in ("id", "path"))
    (copied / path).unlink()
    if content:
        (copied / path).write_bytes(content)
    pictures = galleries(assert_healthy(open_page("dataset", "ko")))["wall"]
    assert thumbnail_at(pictures[1]["source"].removeprefix("/"))
    with pytest.raises(ScalpError):
        thumbnail_at(pictures[0]["source"].removeprefix("/"))
    at = open_page("dataset", "ko", image=image)
    assert not at.exception
    (message,) = texts(at.error)
    assert re.search("[가-힣]", message)
    assert wall(at)  # the rest of the page is there


# Export.


@pytest.mark.parametrize("view", ["pictures", "labels", "map"])
def test_the_csv_holds_exactly_the_chosen_rows(mine: Dataset, downloads: Downloads, view: str) -> None:
    assert_healthy(open_page("dataset", view=view, value_2="1,2", part="train"))
    table = downloads.table("mine-filtered.csv")
    rows = mine.index[mine.index["value_2"].isin([1, 2]) & (mine.index["part"] == "train")]
    assert list(table["id"]) == list(rows["id"])
    assert list(table["value_2"]) == [str(grade) for grade in rows["value_2"]]
    assert list(table["meta_gender"]) == list(rows["meta_gender"].fillna(""))


def test_a_spreadsheet_runs_nothing_of_the_csv(made: Callable[[Change], Dataset], downloads: Downloads) -> None:
    dataset = made(lambda rows: rows.assign(meta_gender="=HYPERLINK(1)", site="@SUM(1)"))
    assert_healthy(open_page("dataset"))
    table = downloads.table("mine.csv")
    assert len(table) == dataset.images
    assert set(table["meta_gender"]) == {"'=HYPERLINK(1)"}
    assert set(table["site"]) == {"'@SUM(1)"}


# Labels.


@pytest.mark.parametrize("measure", ["images", "captures", "sites"])
def test_label_counts_follow_the_filters(mine: Dataset, measure: str) -> None:
    say = Say("ko")
    at = assert_healthy(open_page("dataset", "ko", view="labels", count=measure, part="train,test"))
    table = at.dataframe[0].value
    rows = mine.index[mine.index["part"].isin(["train", "test"])]
    names = {"captures": "capture", "sites": "site"}
    for condition in CONDITIONS:
        for grade in range(4):
            selected = rows[rows[condition.value] == grade]
            for part, heading in (("train", say.part("train")), ("test", say.part("test")), (None, say("all_parts"))):
                there = selected[selected["part"] == part] if part else selected
                wanted = there[names[measure]].nunique() if measure in names else len(there)
                assert table.loc[(say.of(condition.text), grade_name(grade, "ko")), heading] == wanted
    assert (say.of(CONDITIONS[0].text), say("unlabelled")) in table.index
    assert (say.of(CONDITIONS[1].text), say("unlabelled")) not in table.index


def test_correlations_and_shares_follow_the_filters(mine: Dataset) -> None:
    whole, selected = (
        chart_data(assert_healthy(open_page("dataset", view="labels", part=part))) for part in ("", "valid")
    )
    assert len(whole) == len(selected) == 4
    assert all(not entry.equals(other) for entry, other in zip(whole, selected, strict=True))
    rows = mine.index[mine.index["part"] == "valid"]
    wanted = rows[list(LABEL_COLUMNS)].astype(float).corr("spearman").loc["value_2", "value_3"]
    entries = [value for name in selected[1].select_dtypes("number") for value in selected[1][name]]
    assert any(value == pytest.approx(wanted) for value in entries)


@pytest.mark.parametrize("by", ["region", "device", "official", "meta_gender", "value_3"])
def test_grades_by_any_field(mine: Dataset, by: str) -> None:
    at = assert_healthy(open_page("dataset", "ko", view="labels", condition="value_2", by=by, part="train"))
    table = chart_data(at)[-1]
    rows = mine.index[mine.index["part"] == "train"]
    assert table["images"].sum() == len(rows)
    assert table["value"].nunique() == rows[by].nunique(dropna=False)
    expected = {"region": REGIONS["TH"]("ko"), "official": Say("ko")("official_both"), "meta_gender": "여"}
    assert expected.get(by, table["value"].iloc[0]) in set(table["value"])
    assert "none" not in set(table["value"])


def test_field_is_chosen_and_stands_in_address(mine: Dataset) -> None:
    at = assert_healthy(open_page("dataset", view="labels"))
    assert at.selectbox(key="by-en").value == "region"
    at = assert_healthy(at.selectbox(key="by-en").set_value("device").run())
    assert at.query_params["by"] == "device"
    assert set(chart_data(at)[-1]["value"]) == set(mine.index["device"])


@pytest.mark.parametrize("key", ["value_1", "site", "device"])
def test_address_may_name_absent_values(trained: Trained, key: str) -> None:
    at = assert_healthy(open_page("dataset", **{key: "none"}))
    assert Say("en")("dataset_none") in texts(at.info)


# The map.


def chosen_on_the_map(at: AppTest, **selection: Any) -> AppTest:
    data, run, colour, layout, sample = (
        next(box.value for box in at.main.selectbox if str(box.key).startswith(f"{name}-"))
        for name in ("data", "run", "colour", "layout", "sample")
    )
    at.session_state[f"map-{data}-{run}-{colour}-{layout}-{sample}"] = {
        "selection": {"pick": [], "box": {}} | selection
    }
    return assert_healthy(at.run())


def test_point_or_box_on_map_shows_its_pictures(seen_by_a_run: Dataset) -> None:
    say = Say("ko")
    at = assert_healthy(open_page("dataset", "ko", view="map", part="train"))
    points = chart_data(at)[0]
    assert set(points["id"]) == set(seen_by_a_run.index.query("part == 'train'")["id"])
    assert galleries(at) == {}
    first = points["id"].iloc[3]
    at = chosen_on_the_map(at, pick=[{"id": first}])
    assert wall(at, "map-wall") == [first]
    left, right = sorted(points["x"].iloc[:2])
    bottom, top = points["y"].min(), points["y"].median()
    inside = points[points["x"].between(left, right) & points["y"].between(bottom, top)]
    at = chosen_on_the_map(at, pick=[{"id": first}], box={"x": [right, left], "y": [bottom, top]})
    assert sorted(wall(at, "map-wall")) == sorted(inside["id"])[:PER_PAGE]
    assert say("dataset_shown", count=len(inside)) in texts(at.caption)


def test_selected_point_outside_the_filters_is_dropped(seen_by_a_run: Dataset) -> None:
    first = seen_by_a_run.index.query("part == 'train'")["id"].iloc[0]
    at = chosen_on_the_map(assert_healthy(open_page("dataset", view="map")), pick=[{"id": first}])
    assert wall(at, "map-wall") == [first]
    at = assert_healthy(widget(at.multiselect, "Split").select("valid").run())
    at = chosen_on_the_map(at, pick=[{"id": first}])
    assert galleries(at) == {}


def test_a_box_around_very_many_shows_the_first(seen_by_a_run: Dataset) -> None:
    at = assert_healthy(open_page("dataset", view="map"))
    at = chosen_on_the_map(at, box={"x": [-1e9, 1e9], "y": [-1e9, 1e9]})
    assert Say("en")("dataset_shown", count=seen_by_a_run.images) in texts(at.caption)
    assert Say("en")("compare_first", count=PER_PAGE) in texts(at.caption)
    assert len(wall(at, "map-wall")) == PER_PAGE


@pytest.mark.parametrize("colour", ["value_2", "part", "meta_gender", "sharpness", "region"])
def test_a_map_in_any_colour(seen_by_a_run: Dataset, colour: str) -> None:
    at = assert_healthy(open_page("dataset", "ko", view="map", colour=colour, sample="500"))
    points = chart_data(at)[0].set_index("id")
    assert len(points) == seen_by_a_run.images
    index = seen_by_a_run.index
    test = index[index["part"] == "test"]["id"].iloc[0]
    if colour == "part":
        assert points.at[test, "colour"] == Say("ko").part("test")
    if colour == "value_2":
        assert points.at[test, "colour"] == grade_name(int(index.at[test, "value_2"]), "ko")
    if colour == "sharpness":
        assert points.at[test, "colour"] == pytest.approx(index.at[test, "sharpness"])


def test_impossible_map_is_explained(seen_by_a_run: Dataset, folders: Folders) -> None:
    say = Say("ko")
    first = seen_by_a_run.column("id").iloc[0]
    at = assert_healthy(open_page("dataset", "ko", view="map", text=first))
    assert say("map_few") in texts(at.info)
    assert chart_data(at) == []


def test_a_map_needs_a_run(mine: Dataset) -> None:
    at = assert_healthy(open_page("dataset", "ko", view="map"))
    assert Say("ko")("none_finished") in texts(at.info)


# The audit.


def findings_of(at: AppTest) -> list[dict[str, Any]]:
    """Return the rows of the table of findings."""
    (table,) = components(at, "findings_table")
    return list(table["rows"])


def test_audit_lists_what_it_found_worst_first(mine: Dataset) -> None:
    say, findings = Say("ko"), audit(mine)
    at = assert_healthy(open_page("dataset", "ko", view="audit", part="valid"))  # whatever the filters say
    amiss = [item for item in findings if item.severity is not FindingSeverity.OK]
    assert amiss[0].severity is FindingSeverity.ERROR
    rows = findings_of(at)
    assert [(row["key"], row["sentence"], row["share"]) for row in rows] == [
        (item.key, say.of(item.text), item.share) for item in amiss
    ]
    assert [[example["id"] for example in row["examples"]] for row in rows] == [list(item.images[:3]) for item in amiss]
    fine = [item for item in findings if item not in amiss]
    assert all(unescape(say.plain(item.text)) in page_text(at) for item in fine)
    assert say("audit_fine", count=len(fine)) in [box.label for box in at.expander]


def test_a_finding_has_an_address_and_shows_its_pictures(mine: Dataset) -> None:
    leak = next(item for item in audit(mine) if item.key == "overlap_content")
    at = assert_healthy(open_page("dataset", view="audit"))
    assert galleries(at) == {}
    at = assert_healthy(open_page("dataset", view="audit", finding="overlap_content"))
    assert wall(at, "overlap_content") == list(leak.images[:PER_PAGE])
    assert Say("en").of(leak.text) in page_text(at)
    at = assert_healthy(widget(at.button, Say("en")("audit_back")).click().run())
    assert "finding" not in at.query_params
    assert findings_of(at)


def test_an_audit_follows_the_index(mine: Dataset) -> None:
    assert "overlap_content" in [row["key"] for row in findings_of(open_page("dataset", view="audit"))]
    change_columns(mine, {"part": pd.Series("train", index=range(mine.images), dtype="string")})
    assert "overlap_content" not in [row["key"] for row in findings_of(open_page("dataset", view="audit"))]


# The facets.


def facets_of(at: AppTest) -> dict[str, dict[str, int]]:
    """Return the counts of each facet by its name, by the description of the bar."""
    (rail,) = components(at, "facet_rail")
    return {
        facet["name"]: {entry["description"]: entry["count"] for entry in facet["entries"]} for facet in rail["facets"]
    }


def test_facets_count_what_the_other_filters_leave(mine: Dataset) -> None:
    say, rows = Say("en"), mine.index
    at = assert_healthy(open_page("dataset", part="test", value_2="2"))
    facets = facets_of(at)
    test, second = rows["part"] == "test", rows["value_2"] == 2
    split = say("field_part")
    assert sum(facets[split].values()) == int(second.sum())
    name = f"2 {say.of(CONDITIONS[1].text)}"
    assert list(facets[name].values()) == [int((test & (rows["value_2"] == grade)).sum()) for grade in range(4)]
    first = list(facets[f"1 {say.of(CONDITIONS[0].text)}"].values())
    assert sum(first) == int((test & second).sum())
    assert sum(facets[say("field_sharpness")].values()) == int((test & second).sum())


def test_a_column_of_many_values_is_a_facet_while_it_filters(mine: Dataset) -> None:
    site = str(mine.index["site"].iloc[0])
    heading = Say("en")("field_site")
    assert heading not in facets_of(open_page("dataset"))
    assert any(site in name for name in facets_of(open_page("dataset", site=site))[heading])


@pytest.mark.parametrize(
    "nonsense", [None, "x", [], ["a"], [99], [0], [0, 99], [0, -1], [0, None], {"0": 1}, [[0], [1]]], ids=str
)
def test_nonsense_from_the_browser_picks_nothing(nonsense: object) -> None:
    facet = Facet("part", "Split", (Entry("train", 1, "train"), Entry("test", 2, "test")))
    assert check_pick(nonsense, [facet]) is None


def test_a_range_is_picked_from_both_ends() -> None:
    facet = Facet("sharpness", "Sharpness", (Entry("", 1, "a"), Entry("", 2, "b")), range=True)
    assert check_pick([0, 1, 0], [facet]) == Pick(facet, 0, 1)
    assert check_pick([0], [facet]) == Pick(facet, None, None)
