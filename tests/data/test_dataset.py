"""The index: checking, hashing, finding; and that no name whatsoever opens a file elsewhere."""

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import ROOT, Folders, labels_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.index_rows import graded_rows

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset, list_datasets, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import Condition
from scalp_core.paths import data_folder


def with_values(**columns: Any) -> pd.DataFrame:
    return graded_rows(8, 8).assign(**columns)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (with_values().drop(columns="value_3"), "missing: value_3"),
        (with_values(id="same"), "appears twice"),
        (with_values(part="holdout"), "holdout"),
        (with_values(value_1=4), "0–3"),
        (with_values(value_1=-1), "0–3"),
        (with_values(value_6=1.5), "0–3"),
    ],
)
def test_bad_index_is_refused_and_nothing_is_written(folders: Folders, table: pd.DataFrame, message: str) -> None:
    with pytest.raises(ScalpError, match=message):
        write_dataset(folders.data / "bad", "test", {}, table)
    assert list_datasets() == []
    assert not (folders.data / "bad").exists()


def test_copied_folder_is_data_set_of_its_own(folders: Folders) -> None:
    first = write_dataset(folders.data / "first", "csv", {}, with_values())
    shutil.copytree(first.folder, folders.data / "second")
    assert [dataset.name for dataset in list_datasets()] == ["first", "second"]
    with pytest.raises(ScalpError, match="Clinic"):
        write_dataset(folders.data / "Clinic", "csv", {}, with_values())


@pytest.mark.parametrize("path", ["/etc/passwd", "../other/picture.jpg"])
def test_pictures_lie_in_their_data_set(folders: Folders, path: str) -> None:
    table = with_values()
    table.loc[0, "path"] = path
    with pytest.raises(ScalpError, match="leaves the folder"):
        write_dataset(folders.data / "first", "csv", {}, table)


def test_what_is_written_is_read_again(folders: Folders) -> None:
    table = with_values(note="extra column").astype(dict.fromkeys(LABEL_COLUMNS, "Int8"))
    table.loc[2, "value_2"] = pd.NA
    written = write_dataset(folders.data / "mine", "aihub", {"from": "/somewhere"}, table.sample(frac=1))
    opened = open_dataset("mine")
    assert opened == written
    assert (opened.kind, opened.synthetic, opened.made) == ("aihub", False, {"from": "/somewhere"})
    assert list(opened.index["id"]) == sorted(table["id"])
    assert opened.index.loc["p0003", "note"] == "extra column"
    assert labels_of(opened.index.loc["p0002"])[Condition.EXCESS_SEBUM] is None
    assert labels_of(opened.index.loc["p0003"])[Condition.EXCESS_SEBUM] == table.loc[3, "value_2"]


def test_index_hash_follows_labels_and_splits_only(folders: Folders) -> None:
    def hash_of(name: str, table: pd.DataFrame) -> str:
        return write_dataset(folders.data / name, "test", {}, table).index_hash

    table = with_values()
    reference = hash_of("a", table)
    assert hash_of("b", table.sample(frac=1, random_state=1)) == reference
    assert hash_of("c", table.assign(sha256="1" * 64)) == reference
    assert hash_of("d", table.assign(value_1=(table["value_1"] + 1) % 4)) != reference
    assert hash_of("e", table.assign(part="test")) != reference


def test_evaluation_hash_ignores_training_rows(folders: Folders) -> None:
    def dataset_of(name: str, table: pd.DataFrame) -> Dataset:
        return write_dataset(folders.data / name, "test", {}, table)

    table = with_values(part=["train", "valid", "calib", "test"] * 2)
    learned = table["part"] == "train"
    changed = (table["value_1"] + 1) % 4
    reference = dataset_of("a", table)
    fewer = dataset_of("b", table[~learned])
    relabelled = dataset_of("c", table.assign(value_1=changed.where(learned, table["value_1"])))
    judged_anew = dataset_of("d", table.assign(value_1=changed.where(~learned, table["value_1"])))
    assert reference.evaluation_hash == fewer.evaluation_hash == relabelled.evaluation_hash
    assert len({dataset.index_hash for dataset in (reference, fewer, relabelled)}) == 3
    assert judged_anew.evaluation_hash != reference.evaluation_hash


def test_index_and_what_it_is_are_one_file(folders: Folders) -> None:
    written = write_dataset(folders.data / "mine", "aihub", {"from": "/a"}, with_values(), parts={"by": "site"})
    # A kill between the two files of a renewal leaves the new one beside the old one.
    (written.folder / "dataset.json").write_text('{"kind": "synthetic", "made": {}, "created": "", "name": "mine"}')
    assert open_dataset("mine") == written
    assert [dataset.kind for dataset in list_datasets()] == ["aihub"]


def test_a_changed_index_is_read_anew(folders: Folders) -> None:
    write_dataset(folders.data / "mine", "test", {}, with_values())
    assert open_dataset("mine").index["part"].iloc[0] == "train"
    write_dataset(folders.data / "mine", "test", {}, with_values(part="calib"))
    assert open_dataset("mine").index["part"].iloc[0] == "calib"


def test_unindexed_folder_is_skipped_real_sets_first(folders: Folders) -> None:
    write_dataset(folders.data / "zz", "aihub", {}, with_values())
    write_dataset(folders.data / "aa", "synthetic", {}, with_values())
    write_dataset(folders.data / "half", "aihub", {}, with_values())
    (folders.data / "half" / "index.parquet").unlink()
    assert [dataset.name for dataset in list_datasets()] == ["zz", "aa"]
    with pytest.raises(ScalpError, match="known: aa, zz"):
        open_dataset("half")


# ---- names that mean harm ----

HOSTILE = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="./\\%2e:$\0~#аａ．／", max_size=40),
    st.lists(st.sampled_from(["..", ".", "%2e%2e", "outside", "secret.jpg", "", "\0", "/"]), max_size=8).map("/".join),
)


class _Opened:
    """Every path opened in this process while `watch` is on; audit hooks cannot be removed, so there is one."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.watch = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watch and event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename"):
            self.paths.append(str(arguments[0]))


OPENED = _Opened()


@settings(max_examples=500)
@given(name=HOSTILE)
@example(name="../outside")
@example(name="..")
@example(name="/etc/passwd")
@example(name="images/../../outside/secret.jpg")
@example(name="mine\0")
@example(name="mine/.")
@example(name="x" * 4096)
def test_hostile_names_never_open_a_file_outside(name: str, hostile_ground: tuple[Path, Dataset]) -> None:
    root, mine = hostile_ground
    OPENED.paths.clear()
    OPENED.watch = True
    try:
        with pytest.raises(ScalpError):
            open_dataset(name)
        with pytest.raises(ScalpError):
            mine.read(name)
    finally:
        OPENED.watch = False
    assert [path for path in OPENED.paths if not Path(path).resolve().is_relative_to(root)] == []


@pytest.fixture
def hostile_ground(folders: Folders) -> tuple[Path, Dataset]:
    folder = folders.data / "mine"
    mine = open_dataset("mine") if folder.exists() else write_dataset(folder, "test", {}, with_values())
    outside = folders.data.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret.jpg").write_bytes(b"secret")
    (outside / "index.parquet").write_bytes(b"secret")
    return folders.data, mine


def test_a_picture_that_is_gone_is_named(folders: Folders) -> None:
    content = hashlib.sha256(b"x").hexdigest()
    mine = write_dataset(folders.data / "mine", "test", {}, with_values().assign(sha256=content))
    (mine.folder / "images").mkdir()
    (mine.folder / "images" / "p0001.jpg").write_bytes(b"x")
    assert mine.read("p0001") == b"x"
    with pytest.raises(ScalpError, match="no picture “p0002”"):
        mine.read("p0002")


def test_a_picture_that_has_changed_is_named(folders: Folders) -> None:
    mine = write_dataset(folders.data / "mine", "test", {}, with_values())
    (mine.folder / "images").mkdir()
    (mine.folder / "images" / "p0001.jpg").write_bytes(b"x")
    with pytest.raises(ScalpError, match="“p0001” of dataset “mine” has changed"):
        mine.read("p0001")


def test_folders_default_to_beside_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCALP_DATA", raising=False)
    assert data_folder() == ROOT / "data"
