"""Renaming and deleting datasets: what moves, what is refused, and what a kill leaves behind."""

import json
import shutil

import pytest
from conftest import Folders
from support.index_rows import graded_rows

from scalp_core.data.dataset import Dataset, claimed, damaged_datasets, list_datasets, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.data.removal import rename, size_of, take_away
from scalp_core.errors import ScalpError


@pytest.fixture
def mine(folders: Folders) -> Dataset:
    write_dataset(folders.data / "other", "csv", {}, graded_rows(8, 8))
    return write_dataset(folders.data / "mine", "csv", {"importer": "csv"}, graded_rows(8, 8))


def names() -> list[str]:
    return [dataset.name for dataset in list_datasets()]


def test_renamed_dataset_is_the_same_under_another_name(mine: Dataset) -> None:
    index_hash = mine.index_hash
    renamed = rename(mine, "yours")
    assert names() == ["other", "yours"]
    assert open_dataset("yours") == renamed
    assert (renamed.index_hash, renamed.made) == (index_hash, {"importer": "csv"})
    assert json.loads((renamed.folder / "dataset.json").read_text())["name"] == "yours"
    assert rename(renamed, "mine") == mine


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("other", "name_taken"),
        ("mine", "name_taken"),
        ("begun", "name_taken"),
        ("../out", "bad_name"),
        ("A", "bad_name"),
    ],
)
def test_taken_and_malformed_names_are_refused(mine: Dataset, folders: Folders, name: str, code: str) -> None:
    (folders.data / "begun").mkdir()  # by an import that was killed, say
    with pytest.raises(ScalpError) as raised:
        rename(mine, name)
    assert raised.value.code == code
    assert names() == ["mine", "other"]


def test_dataset_that_is_being_written_stays(mine: Dataset, folders: Folders) -> None:
    for busy in ("mine", "new"):  # itself, and what is to have the name
        with claimed(busy), pytest.raises(ScalpError) as raised:
            rename(mine, "new")
        assert raised.value.code == "already_making"
    with claimed("mine"), pytest.raises(ScalpError):
        take_away(mine)
    assert names() == ["mine", "other"]


def test_dataset_that_an_import_is_to_renew_stays(mine: Dataset) -> None:
    (mine.folder / "import.json").write_text("{}")
    for change in (lambda: rename(mine, "new"), lambda: take_away(mine)):
        with pytest.raises(ScalpError) as raised:
            change()
        assert raised.value.code == "import_unfinished"
    assert names() == ["mine", "other"]


def test_deletion_that_is_cut_short_leaves_no_half_dataset(mine: Dataset, folders: Folders) -> None:
    assert size_of(mine) == sum(path.stat().st_size for path in mine.folder.iterdir())
    removed = take_away(mine)  # killed here, nothing is deleted yet
    assert names() == ["other"]
    assert damaged_datasets() == []
    assert next(path.name for path in removed.iterdir()).startswith("mine-")
    with pytest.raises(ScalpError) as raised:
        take_away(mine)
    assert raised.value.code == "no_dataset"
    assert take_away(open_dataset("other")) == removed  # what is left goes with the next
    shutil.rmtree(removed)
    assert not [path for path in folders.data.iterdir() if path.is_dir()]


def test_folder_that_cannot_be_written_is_told(mine: Dataset, folders: Folders) -> None:
    (folders.data / ".deleted").write_text("")  # whichever user runs the tests, no folder can be made here
    with pytest.raises(ScalpError) as raised:
        take_away(mine)
    assert raised.value.code == "cannot_write"
    assert names() == ["mine", "other"]
