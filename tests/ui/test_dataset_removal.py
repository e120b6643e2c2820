"""Renaming and deleting datasets on the Dataset page: what is told before, asked, refused and done."""

import shutil

import pytest
from conftest import Folders, Trained
from streamlit.testing.v1 import AppTest
from support.app_driver import LANGUAGES, assert_healthy, open_page, texts

from scalp_core.data.dataset import list_datasets, open_dataset
from ui.words import Say


@pytest.fixture
def two(trained: Trained, folders: Folders) -> Folders:
    """Two datasets; a run learned from the first."""
    for name in ("tiny", "zwei"):
        shutil.copytree(trained.dataset.folder, folders.data / name)
    shutil.copytree(trained.run.folder, folders.artifacts / "mine")
    return folders


def manage(language: str, name: str) -> AppTest:
    return assert_healthy(open_page("dataset", language, view="import", data=name))


@pytest.mark.parametrize("language", LANGUAGES)
def test_dataset_is_renamed_with_its_runs_told(two: Folders, language: str) -> None:
    say = Say(language)
    at = manage(language, "tiny")
    assert say("manage_data_named", count=1, runs="mine") in texts(at.caption)
    at.text_input(key="name-data.tiny").set_value("Not allowed!")
    assert "Not allowed" in "".join(texts(at.button(key="rename-data.tiny").click().run().error))
    at.text_input(key="name-data.tiny").set_value("renamed")
    at = assert_healthy(at.button(key="rename-data.tiny").click().run())
    assert say("manage_data_renamed", before="tiny", after="renamed") in texts(at.toast)
    assert at.main.selectbox[0].value == "renamed"
    assert at.query_params["data"] in ("renamed", ["renamed"])
    assert [dataset.name for dataset in list_datasets()] == ["renamed", "zwei"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_dataset_is_deleted_after_a_question(two: Folders, language: str) -> None:
    say, images = Say(language), open_dataset("tiny").images
    at = manage(language, "tiny")
    at = assert_healthy(at.button(key="delete-data.tiny").click().run())
    (question,) = [text for text in texts(at.main.warning) if "tiny" in text]
    for losses in (say("manage_data_runs", count=1, runs="mine"), say("manage_data_pictures", images=images)):
        assert losses in question
    assert (two.data / "tiny").is_dir()
    at = assert_healthy(at.button(key="delete-keep-data.tiny").click().run())
    assert not [text for text in texts(at.main.warning) if "tiny" in text]
    at = assert_healthy(at.button(key="delete-data.tiny").click().run())
    at = assert_healthy(at.button(key="delete-now-data.tiny").click().run())
    assert any("tiny" in text for text in texts(at.toast))
    assert [dataset.name for dataset in list_datasets()] == ["zwei"]
    assert at.main.selectbox[0].value == "zwei"


def test_the_demonstration_says_why_it_stays(two: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(two.data / "zwei", two.data / "demo")
    at = manage("en", "demo")
    assert "delete-data.demo" in [button.key for button in at.main.button]  # as no server draws it here
    monkeypatch.setenv("SCALP_DEMO_IMAGES", "16")
    monkeypatch.setattr("scalp_core.synthetic.demonstration.is_missing", lambda: False)
    at = manage("en", "demo")
    assert [text for text in texts(at.caption) if "SCALP_DEMO_IMAGES=0" in text]
    assert not [button for button in at.main.button if str(button.key).endswith("data.demo")]
    at = manage("en", "tiny")
    at.text_input(key="name-data.tiny").set_value("demo")
    assert "SCALP_DEMO_IMAGES=0" in "".join(texts(at.button(key="rename-data.tiny").click().run().error))
    assert (two.data / "tiny").is_dir()


def test_dataset_stays_in_read_only_mode(two: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_READ_ONLY", "1")
    at = manage("en", "tiny")
    button = at.button(key="delete-data.tiny")
    assert button.disabled
    button.proto.disabled = False  # as a forged click does
    at = button.click().run()
    assert not texts(at.main.warning)
    assert [dataset.name for dataset in list_datasets()] == ["tiny", "zwei"]
