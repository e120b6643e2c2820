"""Judging a run of another dataset from the Compare page."""

import shutil

import pytest
from conftest import Folders, Trained
from streamlit.testing.v1 import AppTest
from support.app_driver import LANGUAGES, assert_healthy, open_page, page_text

from scalp_core.data.index_writer import write_dataset
from scalp_core.runs.run import Run
from ui.words import Say


@pytest.fixture
def run(trained: Trained, folders: Folders) -> Run:
    """A finished run, and a dataset “clinic” that it was not judged on."""
    shutil.copytree(trained.run.folder, folders.artifacts / "judge")
    rows = trained.dataset.index.reset_index(drop=True)
    rows["part"] = rows["part"].replace({"valid": "test", "test": "valid"})
    (folders.data / "clinic").mkdir()
    write_dataset(folders.data / "clinic", "csv", {}, rows, source=str(trained.dataset.folder))
    return Run(folders.artifacts / "judge")


def judge(at: AppTest, say: Say) -> AppTest:
    label = say("compare_judge", data="clinic")
    next(button for button in at.button if button.label == label).click()
    return at.run()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_of_other_data_is_judged_by_a_click(run: Run, language: str) -> None:
    say = Say(language)
    at = assert_healthy(open_page("compare", language, data="clinic"))
    assert say("compare_none", data="clinic") in [info.value for info in at.info]
    at = assert_healthy(judge(at, say))
    assert not at.info
    assert run.id in page_text(at)  # whose answers they are
    assert say("compare_left_out", count=1) not in [expander.label for expander in at.expander]


def test_a_reader_who_may_change_nothing_judges_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_READ_ONLY", "1")
    at = open_page("compare", "en", data="clinic")
    assert [button.disabled for button in at.button if button.label == Say("en")("compare_judge", data="clinic")] == [
        True
    ]
