"""Models from elsewhere on the Compare page: added by a file, renamed and removed."""

import shutil

import pandas as pd
import pytest
from conftest import Folders, Trained
from streamlit.testing.v1 import AppTest
from support.app_driver import LANGUAGES, assert_healthy, open_page, page_text, texts

from scalp_core.labels import CONDITIONS
from scalp_core.runs.external import add_external, external_runs
from ui.words import Say

SHARES = {"p0": 0.1, "p1": 0.6, "p2": 0.2, "p3": 0.1}


@pytest.fixture
def data(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The finished run in a folder of runs of its own."""
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
    shutil.copytree(trained.run.folder, folders.artifacts / trained.run.id)
    return trained


def predictions(trained: Trained) -> pd.DataFrame:
    rows = [(image, condition.value) for condition in CONDITIONS for image in trained.dataset.index["id"]]
    return pd.DataFrame(rows, columns=["image", "condition"]).assign(**SHARES)


def add(at: AppTest, say: Say, name: str, table: pd.DataFrame | None) -> AppTest:
    if table is not None:
        at.file_uploader(key="external-file").set_value(("theirs.csv", table.to_csv(index=False).encode(), "text/csv"))
    at.text_input(key="external-name").set_value(name)
    at.text_input(key="external-about").set_value("a *forest*")
    label = say("external_add", data="tiny")
    next(button for button in at.button if button.label == label).click()
    return at.run()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_is_compared_renamed_and_removed(data: Trained, language: str) -> None:
    say = Say(language)
    at = assert_healthy(open_page("compare", language, data="tiny"))
    at = assert_healthy(add(at, say, "theirs", predictions(data)))
    assert "↗ theirs" in page_text(at)
    (run,) = external_runs(data.dataset)[0]
    assert run.own_note(language) in texts(at.main.caption)  # its stars are no markup
    at.text_input(key="name-theirs").set_value("newer")
    at = assert_healthy(at.button(key="rename-theirs").click().run())
    assert "↗ newer" in page_text(at)
    at = at.button(key="delete-newer").click().run()
    at = assert_healthy(at.button(key="delete-now-newer").click().run())
    assert external_runs(data.dataset) == ([], {})
    assert "↗" not in page_text(at)


def test_pictures_that_not_all_answer_are_counted(data: Trained) -> None:
    say, table, index = Say("en"), predictions(data), data.dataset.index
    for name, part in (("some", "test"), ("none", "valid")):
        ids = list(index[index["part"] == part]["id"])[:3]
        add_external(name, data.dataset, table[table["image"].isin(ids)])
    at = assert_healthy(open_page("compare", "en", data="tiny", runs="tiny,some"))
    whole = int((index["part"] == "test").sum())
    assert say("compare_common", count=3, whole=whole) in [caption.value for caption in at.main.caption]
    at = assert_healthy(open_page("compare", "en", data="tiny", runs="tiny,none"))
    assert say("compare_nothing_common") in [info.value for info in at.main.info]
    for view in ("best", "pareto", "decision", "curves"):
        assert_healthy(open_page("compare", "en", data="tiny", runs="some", view=view))


def test_a_damaged_one_can_be_deleted(data: Trained) -> None:
    external = add_external("theirs", data.dataset, predictions(data))
    (external.folder / "external.json").write_text("{}")
    at = assert_healthy(open_page("compare", "en", data="tiny"))
    at = at.button(key="delete-theirs").click().run()
    assert_healthy(at.button(key="delete-now-theirs").click().run())
    assert not external.folder.exists()


def test_what_cannot_be_read_or_is_missing_is_said(data: Trained) -> None:
    say = Say("ko")
    at = add(open_page("compare", "ko", data="tiny"), say, "theirs", predictions(data).assign(p0=3))
    assert any("2번째 줄: “3”" in text for text in texts(at.error))
    at = add(open_page("compare", "ko", data="tiny"), say, "theirs", None)
    assert say("external_incomplete") in texts(at.warning)
    assert external_runs(data.dataset) == ([], {})


def test_a_reader_who_may_change_nothing_adds_nothing(data: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_READ_ONLY", "1")
    at = open_page("compare", "en", data="tiny")
    label = Say("en")("external_add", data="tiny")
    assert [button.disabled for button in at.button if button.label == label] == [True]
