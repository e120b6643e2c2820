"""Label review as readers drive it, without a browser: grading, undoing, a second reader, a conflict, a new dataset."""

import shutil
from typing import Any

import pandas as pd
import pytest
from conftest import Folders, Trained
from streamlit.testing.v1 import AppTest
from support.app_driver import LANGUAGES, assert_healthy, open_page, page_text, texts, widget

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.reviews import entries, reviewed_labels
from scalp_core.evaluation.label_review import suspects
from scalp_core.labels import Condition
from ui.words import Say

SEBUM = Condition.EXCESS_SEBUM
EN = Say("en")


@pytest.fixture
def mine(trained: Trained, tiny_data: Dataset, folders: Folders) -> Dataset:
    """The dataset and its run in folders of this test, as reviews lie beside the index."""
    shutil.copytree(tiny_data.folder, folders.data / "tiny")
    shutil.copytree(trained.run.folder, folders.artifacts / "tiny")
    return open_dataset("tiny")


def review(language: str = "en", reader: str = "", **address: str) -> AppTest:
    options = {"data": "tiny", "view": "review", "condition": SEBUM.value} | address
    at = assert_healthy(open_page("dataset", language, **options))
    return (
        assert_healthy(widget(at.main.text_input, Say(language)("review_reader")).set_value(reader).run())
        if reader
        else at
    )


def press(at: AppTest, key: str) -> AppTest:
    return assert_healthy(at.button(key=f"review-{SEBUM.value}-{key}").click().run())


def log(dataset: Dataset) -> list[tuple[Any, ...]]:
    table = entries(dataset)[["reader", "image", "kind", "grade"]]
    return [tuple(None if pd.isna(value) else value for value in row) for row in table.to_numpy(dtype=object)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_begins_with_a_name(mine: Dataset, language: str) -> None:
    at = review(language)
    assert Say(language)("review_begin") in texts(at.main.info)
    assert not [button for button in at.main.button if (button.key or "").startswith("review-")]
    assert not (mine.folder / "reviews.sqlite").exists(), "looking writes nothing"


def test_suspects_are_graded_one_after_another(mine: Dataset) -> None:
    order = suspects(mine, SEBUM)["image"].tolist()
    at = review(reader="Seoyeon")
    assert EN("review_progress", waiting=len(order), done=0) in texts(at.main.caption)
    at = press(press(press(at, "2"), "skip"), "0")
    assert log(mine) == [
        ("Seoyeon", order[0], "grade", 2),
        ("Seoyeon", order[1], "skip", None),
        ("Seoyeon", order[2], "grade", 0),
    ]
    at = press(at, "undo")
    assert EN("review_undone") in texts(at.toast)
    assert EN("review_progress", waiting=len(order) - 2, done=2) in texts(at.main.caption)
    at = press(at, "3")
    assert log(mine)[-1] == ("Seoyeon", order[2], "grade", 3)


def test_second_reader_is_blind_and_conflicts_are_settled(mine: Dataset) -> None:
    first = press(press(review(reader="Seoyeon"), "2"), "2")
    graded = [row[1] for row in log(mine)]
    second = review(reader="Min", list="second")
    assert EN("review_progress", waiting=2, done=0) in texts(second.main.caption)
    assert "Seoyeon" not in page_text(second)
    second = press(press(second, "2"), "1")
    assert {row[1] for row in log(mine)[2:]} == set(graded)
    assert EN("review_none_second") in texts(second.main.info)
    (conflict,) = reviewed_labels(entries(mine)).query("outcome == 'conflict'")["image"]
    settling = review(reader="Dr. Kim", list="conflicts")
    settling = press(settling, "1")
    assert log(mine)[-1] == ("Dr. Kim", conflict, "settle", 1)
    assert EN("review_none_conflicts") in texts(settling.main.info)
    (table,) = [frame.value for frame in settling.main.dataframe if "kappa" in frame.value]
    assert table["images"].tolist() == [2]
    assert first.query_params["view"]


def test_a_reviewed_dataset_is_made(mine: Dataset) -> None:
    at = press(review(reader="Seoyeon"), "3")
    (image,) = (row[1] for row in log(mine))
    at.text_input(key="review-name").set_value("tiny-2")
    button = next(item for item in at.main.button if item.label == EN("review_make"))
    at = assert_healthy(button.click().run())
    assert EN("review_made", name="tiny-2") in texts(at.toast)
    assert open_dataset("tiny-2").index.loc[image, SEBUM.value] == 3


def test_in_read_only_mode_nothing_is_graded(mine: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_READ_ONLY", "1")
    at = review(reader="Seoyeon")
    buttons = [button for button in at.main.button if (button.key or "").startswith("review-")]
    assert buttons
    assert all(button.disabled for button in buttons)
