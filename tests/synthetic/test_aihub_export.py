"""A written tree is AI Hub's in layout and in its leaks, the importer finds in it what was put in, and it is whole."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from conftest import ROOT, Folders

from scalp_core.data.aihub import META_FIELDS
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset, open_dataset
from scalp_core.data.index_writer import change_columns, write_dataset
from scalp_core.errors import ScalpError
from scalp_core.files import TEMPORARY
from scalp_core.importing.importer import ImportRequest, import_tree, read_report
from scalp_core.labels import CONDITIONS, META, Condition
from scalp_core.synthetic.aihub_export import TOP, ClassFolder, assign_folders, write_aihub_tree

SEED = 5


@pytest.fixture
def synthetic(folders: Folders, tiny_data: Dataset) -> Dataset:
    """Synthetic pictures with answers for some of them; one is healthy, one has a single condition."""
    shutil.copytree(tiny_data.folder, folders.data / "rendered")
    dataset = open_dataset("rendered")
    rows = dataset.index.reset_index(drop=True)
    columns = {column: rows[column].copy() for column in LABEL_COLUMNS}
    for column in LABEL_COLUMNS:
        columns[column][:2] = 0
    columns["value_6"][1] = 3
    answered = [number % 3 > 0 for number in range(len(rows))]
    for key, text in {"gender": "여", "age": "20대", "answers1": "1일 1회"}.items():
        columns[META + key] = pd.Series([text if has_answers else None for has_answers in answered], dtype="string")
    columns["meta_location"] = pd.Series(["정수리", *[None] * (len(rows) - 1)], dtype="string")
    return change_columns(dataset, columns)


def truth(dataset: Dataset, seed: int = SEED) -> pd.DataFrame:
    """Return the folders and parts that an import must find, by id."""
    index = dataset.index
    assigned = assign_folders(index["capture"].tolist(), index[list(LABEL_COLUMNS)].to_numpy(np.int64), seed)
    parts = [{place.part for place in places} for places in assigned]
    folders = [sorted(f"{place.condition}/{place.grade}" for place in places) for places in assigned]
    columns = {
        "official": ["both" if len(names) == 2 else "".join(names) for names in parts],
        "folders": [" ".join(names) for names in folders],
    }
    return pd.DataFrame(columns, index=index.index, dtype="string")


def members(folder: Path) -> dict[str, list[str]]:
    """Names in each zip file, by its path below `folder`."""
    names = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with ZipFile(path) as archive:
                names[path.relative_to(folder).as_posix()] = archive.namelist()
    return names


# ---- the tree ----


def test_an_import_finds_what_was_written(synthetic: Dataset, tmp_path: Path) -> None:
    summary = write_aihub_tree(synthetic, tmp_path / "내려받은 것", SEED)
    imported = import_tree(ImportRequest("aihub", str(tmp_path / "내려받은 것")), "found", processes=1)
    report = read_report(imported)
    assert report is not None
    assert (report["counts"], report["ignored"], report["images"]) == ({}, 0, synthetic.images)
    metas = [META + key for key in META_FIELDS if META + key in synthetic.index]
    same = ["id", "sha256", "site", "device", "capture", "region", *LABEL_COLUMNS, *metas]
    pd.testing.assert_frame_equal(imported.index[same], synthetic.index[same])
    pd.testing.assert_frame_equal(imported.index[["official", "folders"]], truth(synthetic))
    assert all(imported.read(image_id) == synthetic.read(image_id) for image_id in synthetic.index["id"])
    by_part = imported.index["official"].value_counts()
    assert by_part.to_dict() == {
        "train": summary.only_training,
        "valid": summary.only_validation,
        "both": summary.both,
    }
    assert summary.images == synthetic.images


def test_the_layout_is_the_publisher_s(synthetic: Dataset, tmp_path: Path) -> None:
    summary = write_aihub_tree(synthetic, tmp_path / "tree", SEED)
    zips = members(tmp_path / "tree")
    assert len(zips) == 2 * 48
    assert f"{TOP}/Training/[원천]탈모_3.중증.zip" in zips
    assert f"{TOP}/Validation/[라벨]모낭홍반농포_0.양호.zip" in zips
    assert sum(map(len, zips.values())) == summary.files
    for name, names in zips.items():
        assert [member for member in names if "/" in member] == []
        endings = {Path(member).suffix for member in names}
        assert endings <= ({".jpg"} if "[원천]" in name else {".json"})
        if "[원천]" in name:
            labels = zips[name.replace("[원천]", "[라벨]")]
            assert {Path(p).stem for p in names} == {Path(p).stem for p in labels if "_META" not in p}


def test_files_inside_are_the_publisher_s(synthetic: Dataset, tmp_path: Path) -> None:
    write_aihub_tree(synthetic, tmp_path / "tree", SEED)
    row = synthetic.index.iloc[1]  # hair loss 3 and nothing else
    (path,) = [
        path for path in (tmp_path / "tree").rglob("*라벨*탈모_3*") if row["id"] in " ".join(ZipFile(path).namelist())
    ]
    stem = f"{row['id']}_{row['region']}"
    assert re.fullmatch(r"\d{4}_[A-Z0-9]{15}_\d{13}_[2-6]_[TLRB]H", stem)
    with ZipFile(path) as archive:
        assert json.loads(archive.read(f"{stem}.json")) == {
            "image_id": row["id"],
            "image_file_name": f"{stem}.jpg",
            **dict.fromkeys(LABEL_COLUMNS, "0"),
            "value_6": "3",
        }
        meta = json.loads(archive.read(f"{stem}_META.json"))
        assert meta.items() >= {"gender": "여", "age": "20대", "answers1": "1일 1회"}.items()
    with ZipFile(path.with_name(path.name.replace("라벨", "원천"))) as archive:
        assert archive.read(f"{stem}.jpg") == synthetic.read(row["id"])
        assert {info.compress_type for info in archive.infolist()} == {ZIP_STORED}


def test_the_same_seed_gives_the_same_bytes(synthetic: Dataset, tmp_path: Path) -> None:
    def content(folder: Path) -> dict[Path, bytes]:
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.zip")}

    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_aihub_tree(synthetic, tmp_path / name, seed)
    assert content(tmp_path / "one") == content(tmp_path / "again")
    assert members(tmp_path / "one") != members(tmp_path / "other")


def test_progress_counts_files_from_none_to_all(synthetic: Dataset, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    summary = write_aihub_tree(synthetic, tmp_path / "tree", SEED, lambda *numbers: steps.append(numbers))
    assert steps == [(done, summary.files) for done in range(summary.files + 1)]


# ---- who lies where ----


class Crowd(NamedTuple):
    captures: list[str]
    grades: npt.NDArray[np.int64]


def crowd(images: int, seed: int) -> Crowd:
    """Captures as large, over as many sites, and labels as frequent as the real ones, without pixels."""
    generator = np.random.default_rng(seed)
    table = pd.read_csv(ROOT / "scalp_core" / "synthetic" / "label_joint_counts.csv")
    synthetic = generator.choice(len(table), images, p=table["n"] / table["n"].sum())
    sizes = 1 + generator.choice(5, images, p=(0.03, 0.07, 0.12, 0.35, 0.43))
    captures = [f"{number % 42:04d}_{number}" for number in np.repeat(np.arange(images), sizes)[:images]]
    return Crowd(captures, table[list(LABEL_COLUMNS)].to_numpy(np.int64)[synthetic])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_official_split_leaks_as_the_real_one(seed: int) -> None:
    many = crowd(20_000, seed)
    assigned = assign_folders(many.captures, many.grades, seed)
    rows = pd.DataFrame({"capture": many.captures, "site": [capture[:4] for capture in many.captures]})
    rows["train"] = [any(place.part == "train" for place in places) for places in assigned]
    rows["valid"] = [any(place.part == "valid" for place in places) for places in assigned]
    assert (rows["train"] & ~rows["valid"]).mean() == pytest.approx(0.741, abs=0.006)
    assert (rows["valid"] & ~rows["train"]).mean() == pytest.approx(0.206, abs=0.006)
    assert (rows["train"] & rows["valid"]).mean() == pytest.approx(0.052, abs=0.003)
    training, validation = rows[rows["train"]], rows[rows["valid"]]
    assert validation["train"].mean() == pytest.approx(0.202, abs=0.008)
    assert validation["capture"].isin(training["capture"]).mean() == pytest.approx(0.305, abs=0.015)
    assert validation["site"].isin(training["site"]).mean() > 0.95


def test_pictures_lie_once_in_each_condition_folder() -> None:
    many = crowd(5_000, 0)
    filed = 0
    for grades, places in zip(many.grades.tolist(), assign_folders(many.captures, many.grades, 0), strict=True):
        present = {(condition, grade) for condition, grade in zip(CONDITIONS, grades, strict=True) if grade}
        folders = {place[1:] for place in places}
        assert len(folders) == len(places) > 0
        assert folders <= present or not present
        filed += len(folders & present)
    assert 1 - filed / (many.grades > 0).sum() == pytest.approx(0.011, abs=0.003)


def test_healthy_pictures_lie_in_all_condition_folders() -> None:
    captures = [f"capture {number // 4}" for number in range(400)]
    assigned = assign_folders(captures, np.zeros((400, 6), dtype=np.int64), 0)
    for places in assigned:
        assert places == tuple(ClassFolder(places[0].part, condition, 0) for condition in CONDITIONS)
    assert {places[0].part for places in assigned} == {"train", "valid"}


def test_a_single_condition_is_never_in_both_parts() -> None:
    grades = np.zeros((400, 6), dtype=np.int64)
    grades[:, 5] = 2
    assigned = assign_folders([f"capture {number // 4}" for number in range(400)], grades, 0)
    assert {places[0][1:] for places in assigned} == {(Condition.HAIR_LOSS, 2)}
    assert {len(places) for places in assigned} == {1}


# ---- whole or not at all ----


def refused(dataset: Dataset, folder: Path) -> str:
    """The code of the error; nothing else is left of the attempt."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(ScalpError) as error:
        write_aihub_tree(dataset, folder, SEED)
    assert sorted(folder.parent.rglob("*")) == before
    assert error.value.text.ko
    return error.value.code


def test_what_is_there_is_never_touched(synthetic: Dataset, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "사진.jpg").write_bytes(b"mine")
    assert refused(synthetic, tmp_path / "mine") == "folder_taken"
    assert refused(synthetic, tmp_path / "mine" / "사진.jpg") == "folder_taken"
    assert (tmp_path / "mine" / "사진.jpg").read_bytes() == b"mine"


def test_empty_folder_and_missing_ones_above_will_do(synthetic: Dataset, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "new" / "below"):
        write_aihub_tree(synthetic, folder, SEED)
        assert [path.name for path in folder.iterdir()] == [TOP]
        assert list(folder.parent.glob(f"{TEMPORARY}*")) == []


def test_imported_pictures_are_not_written(synthetic: Dataset, tmp_path: Path) -> None:
    real = write_dataset(synthetic.folder, "aihub", {}, synthetic.index.reset_index(drop=True))
    assert refused(real, tmp_path / "tree") == "not_synthetic"


def test_too_little_room_is_told_before(synthetic: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_aihub_tree(synthetic, tmp_path / "tree", SEED)
    size = sum(path.stat().st_size for path in (tmp_path / "tree").rglob("*.zip"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=size))
    assert refused(synthetic, tmp_path / "another") == "no_room"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=round(1.2 * size)))
    write_aihub_tree(synthetic, tmp_path / "another", SEED)


def test_a_picture_that_is_gone_leaves_nothing(synthetic: Dataset, tmp_path: Path) -> None:
    (synthetic.folder / str(synthetic.index["path"].iloc[-1])).unlink()
    assert refused(synthetic, tmp_path / "tree") == "no_image"


def test_place_where_nothing_can_be_written_is_explained(synthetic: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert refused(synthetic, tmp_path / "file" / "tree") == "cannot_write"


def test_an_interruption_leaves_nothing(synthetic: Dataset, tmp_path: Path) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_aihub_tree(synthetic, tmp_path / "new" / "tree", SEED, interrupt)
    assert list((tmp_path / "new").iterdir()) == []
