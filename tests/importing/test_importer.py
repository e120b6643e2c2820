"""An import finds in a tree exactly what was built into it, writes nothing there, and survives being killed."""

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from unicodedata import normalize

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Folders, until
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from support.aihub_tree import TOP, Truth, build_tree, csv_table, folders_tree, jpeg, write_zip

from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset, list_datasets, open_dataset
from scalp_core.data.relocation import relocate
from scalp_core.errors import ScalpError
from scalp_core.importing import merge
from scalp_core.importing.import_db import digest_path
from scalp_core.importing.importer import FAULT_LIST, FAULTS, REPORT, WARNINGS, ImportRequest, import_tree
from scalp_core.labels import META
from training import prepare


def of_tree(source: Path, name: str = "mine") -> Dataset:
    return import_tree(ImportRequest("aihub", str(source)), name, processes=1)


def report(dataset: Dataset) -> dict:
    return json.loads((dataset.folder / REPORT).read_text(encoding="utf-8"))


def plain(name: str) -> str:
    """The picture's id where the name is the publisher's, else the file's own name."""
    match = re.search(r"\d{4}_[A-Z0-9]{15}_\d{9,13}_\d", name)
    return match[0] if match else PurePosixPath(name.replace("\\", "/")).name


def reported(dataset: Dataset) -> dict[str, set[str]]:
    return {kind: {plain(fault["name"]) for fault in faults} for kind, faults in report(dataset)["faults"].items()}


def facts(rows: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The columns of the truth; what an index leaves out or leaves blank is null."""
    table = rows.reset_index(drop=True).reindex(columns=truth.columns).astype(object)
    return table.where(table.notna() & (table != ""), None)


def assert_found(dataset: Dataset, truth: Truth, key: str = "id") -> None:
    rows = dataset.index.sort_values(key)
    pd.testing.assert_frame_equal(facts(rows, truth.rows), facts(truth.rows, truth.rows))
    metas = {name for name in truth.rows if name.startswith(META) and truth.rows[name].notna().any()}
    assert {name for name in rows if name.startswith(META) and rows[name].notna().any()} == metas
    for image_id, content in zip(rows["id"], rows[key], strict=True):
        assert dataset.read(image_id) == truth.contents[content]


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Size, time of change and of status change of everything below."""
    status_of = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        status_of[str(path)] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return status_of


# ---- a tree with everything ----


@dataclass(frozen=True)
class Whole:
    """A tree with every quirk and fault, imported once."""

    place: Path
    truth: Truth
    dataset: Dataset
    before: dict[str, tuple[int, int, int]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    place = tmp_path_factory.mktemp("place")
    truth = build_tree(place / "내려받은 것")
    before = snapshot(place)
    data = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(data))
        yield Whole(place, truth, of_tree(place / "내려받은 것"), before)


def test_tree_with_every_quirk_is_found(whole: Whole) -> None:
    assert_found(whole.dataset, whole.truth)


def test_every_planted_fault_is_named_and_nothing_else(whole: Whole) -> None:
    assert reported(whole.dataset) == whole.truth.faults


def test_counts_and_complete_list_agree_with_report(whole: Whole) -> None:
    contents = report(whole.dataset)
    for kind, names in whole.truth.faults.items():
        assert contents["counts"][kind] == len(contents["faults"][kind]) >= len(names)
        assert FAULTS[kind].ko
    assert contents["images"] == len(whole.truth.rows)
    assert contents["importer"] == "aihub"
    with (whole.dataset.folder / FAULT_LIST).open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.reader(file))[1:]
    assert len(listed) == sum(len(faults) for faults in contents["faults"].values())
    assert not [cell for row in listed for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_nothing_is_written_into_the_tree_or_outside(whole: Whole) -> None:
    assert snapshot(whole.place) == whole.before
    above = {whole.place.parent, whole.dataset.folder.parent.parent, Path("/")}
    assert [path for folder in above for path in folder.glob("*evil*")] == []
    assert [path for path in whole.dataset.folder.rglob("*") if "evil" in path.name or path.suffix == ".jpg"] == []


def test_outside_files_and_non_pictures_stay_out(whole: Whole) -> None:
    index = whole.dataset.index
    assert not index["id"].str.contains("0099_|evil|bomb|inner|encrypted").any()
    assert not index["path"].str.contains("..", regex=False).any()
    assert whole.dataset.source == str((whole.place / "내려받은 것").resolve())


def test_pictures_are_measured_and_hashed(whole: Whole) -> None:
    index = whole.dataset.index
    hashes = {image_id: sha256(content).hexdigest() for image_id, content in whole.truth.contents.items()}
    assert index["sha256"].to_dict() == hashes
    (odd,) = whole.truth.faults["odd_size"]
    assert (index.loc[odd, "width"], index.loc[odd, "height"]) == (800, 600)
    assert (index.drop(odd)["width"] == 64).all()
    assert index["sharpness"].notna().all()


def test_parts_share_no_site_and_all_are_there(whole: Whole) -> None:
    index = whole.dataset.index
    assert set(index["part"]) == set(PARTS)
    assert (index.groupby("site")["part"].nunique() == 1).all()
    assert whole.dataset.parts["by"] == "site"


def test_official_split_is_kept_and_called_leaky(folders: Folders, tmp_path: Path) -> None:
    truth = build_tree(tmp_path / "tree", damaged=False)
    dataset = import_tree(ImportRequest("aihub", str(tmp_path / "tree"), by="official"), "mine", processes=1)
    tested = truth.rows.set_index("id")["official"].isin(["valid", "both"])
    assert (dataset.index["part"] == "test").to_dict() == tested.to_dict()
    assert dataset.parts["leaky"] is True
    both = (truth.rows["official"] == "both").sum()
    assert dataset.parts["overlap"]["file"] == pytest.approx(both / tested.sum(), abs=1e-4)


def test_several_processes_agree_and_report_progress(folders: Folders, tmp_path: Path) -> None:
    build_tree(tmp_path / "tree", damaged=False, sites=9)
    steps_of: dict[str, list[tuple[int, int]]] = {}

    def tell(stage: str, done: int, total: int) -> None:
        steps_of.setdefault(stage, []).append((done, total))

    request = ImportRequest("aihub", str(tmp_path / "tree"))
    several = import_tree(request, "several", processes=2, progress=tell)
    pd.testing.assert_frame_equal(several.index, import_tree(request, "one", processes=1).index)
    for steps in steps_of.values():
        assert steps == sorted(steps)
    assert list(steps_of) == ["reading", "inspecting", "writing"]
    assert steps_of["writing"][-1] == (several.images, several.images)


# ---- the same pictures, packed otherwise ----


@pytest.mark.parametrize("style", ["stored", "deflated", "cp949", "unflagged", "folder", "nfd", "escaped", "english"])
def test_the_packing_does_not_matter(folders: Folders, tmp_path: Path, style: str) -> None:
    truth = build_tree(tmp_path / "tree", styles=(style,), damaged=False, sites=9)
    dataset = of_tree(tmp_path / "tree")
    assert_found(dataset, truth)
    assert reported(dataset) == {}
    assert report(dataset)["warnings"] == []


def test_root_folder_may_be_one_class_or_split(folders: Folders, tmp_path: Path) -> None:
    build_tree(tmp_path / "tree", styles=("folder",), damaged=False, labels=False)
    index = of_tree(tmp_path / "tree" / TOP / "Validation" / "[원천]탈모_1.경증").index
    assert set(index["folders"]) == {"value_6/1"}
    assert set(index["value_6"]) == {1}
    assert index[[column for column in LABEL_COLUMNS if column != "value_6"]].isna().all(axis=None)


def test_folders_alone_label_their_own_condition(folders: Folders, tmp_path: Path) -> None:
    truth = build_tree(tmp_path / "tree", damaged=False, labels=False)
    dataset = of_tree(tmp_path / "tree")
    assert_found(dataset, truth)
    assert truth.rows[list(LABEL_COLUMNS)].isna().any(axis=None)
    assert "folder_labels_only" in report(dataset)["warnings"]
    assert "normal in every condition" in WARNINGS["folder_labels_only"].en


def test_class_folders_whose_file_names_repeat(folders: Folders, tmp_path: Path) -> None:
    truth = folders_tree(tmp_path / "tree")
    dataset = import_tree(ImportRequest("folders", str(tmp_path / "tree")), "mine", processes=1)
    assert_found(dataset, truth, "sha256")
    assert reported(dataset) == truth.faults
    assert "only-here" in set(dataset.index["id"])
    assert "folder_labels_only" in report(dataset)["warnings"]


def test_a_table_names_pictures_and_grades(folders: Folders, tmp_path: Path) -> None:
    table, columns, truth = csv_table(tmp_path)
    request = ImportRequest("csv", str(tmp_path / "images"), str(table), columns)
    dataset = import_tree(request, "mine", processes=1)
    assert_found(dataset, truth, "sha256")
    assert reported(dataset) == truth.faults


@pytest.mark.parametrize(
    "written", ["{}.jpg", "pictures/{}.jpg", "./{}.jpg", "../x/pictures/{}.jpg", r"C:\x\pictures\{}.jpg"]
)
def test_a_table_may_count_paths_from_further_up(folders: Folders, tmp_path: Path, written: str) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        (pictures / f"{number}.jpg").write_bytes(jpeg(number))
    rows = "".join(f"{written.format(number)},{number}\n" for number in range(4))
    (tmp_path / "labels.csv").write_text(f"file,value_6\n{rows}")
    dataset = import_tree(ImportRequest("csv", str(pictures), str(tmp_path / "labels.csv")), "mine")
    assert dict(zip(dataset.index["id"], dataset.index["value_6"], strict=True)) == {str(n): n for n in range(4)}


def table_of(tmp_path: Path, names: list[str], rows: str) -> Dataset:
    """Import pictures of these names, each with the grades of these rows."""
    for number, name in enumerate(names):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / name).write_bytes(jpeg(number))
    (tmp_path / "labels.csv").write_text(f"file,value_6\n{rows}", encoding="utf-8")
    return import_tree(ImportRequest("csv", str(tmp_path / "pictures"), str(tmp_path / "labels.csv")), "mine")


def grades_by_path(dataset: Dataset) -> dict[str, int | None]:
    grades = dataset.index["value_6"].astype(object).where(dataset.index["value_6"].notna(), None)
    return dict(zip(dataset.index["path"], grades, strict=True))


def test_table_may_write_names_otherwise(folders: Folders, tmp_path: Path) -> None:
    names = ["p1.jpg", "P2.JPG", "p3.jpg", "v1.2.jpg", "Left/p5.jpg"]
    rows = "P1.JPG,0\np2,1\np3.png,2\nv1.2,3\nfile:///C:/x%20y/left/P5.JPG?size=1,1\n"
    dataset = table_of(tmp_path, names, rows)
    assert grades_by_path(dataset) == dict(zip(names, (0, 1, 2, 3, 1), strict=True))
    assert reported(dataset) == {}


def test_table_means_the_name_that_fits_best(folders: Folders, tmp_path: Path) -> None:
    dataset = table_of(tmp_path, ["a.jpg", "A.jpg", "b.jpg", "b.png"], "a.jpg,0\nA.jpg,1\nb.png,2\n")
    assert grades_by_path(dataset) == {"a.jpg": 0, "A.jpg": 1, "b.png": 2, "b.jpg": None}
    assert reported(dataset) == {"picture_without_label": {"b.jpg"}}


def test_counts_of_a_table_count_pictures_and_rows(folders: Folders, tmp_path: Path) -> None:
    rows = "l/a.jpg,1\nr/a.jpg,1\nx.jpg,2\nx.jpg,2\nb.jpg,N/A\nc.jpg,7\n,1\n"
    dataset = table_of(tmp_path, ["l/a.jpg", "b.jpg", "c.jpg"], rows)
    assert report(dataset)["counts"] == {
        "label_without_picture": 3,
        "picture_without_label": 2,
        "bad_value": 1,
        "bad_row": 1,
    }


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("a.jpg,N/A\n", "cells of grades are empty"),
        ("a.jpg,7\n", "labels.csv:2: column 2, value_6 = 7"),
        ("a.jpg,1\na.jpg,2\n", "value_6: 1, 2"),
        ("other/x/a.jpg,1\n", "labels.csv:2: labels without a picture"),
    ],
)
def test_import_without_any_label_is_refused(folders: Folders, tmp_path: Path, rows: str, reason: str) -> None:
    with pytest.raises(ScalpError, match="No grade") as caught:
        table_of(tmp_path, ["x/a.jpg" if "/" not in rows else "y/a.jpg"], rows)
    assert reason in str(caught.value)
    with pytest.raises(ScalpError, match="No grade"):
        of_tree(tmp_path / "pictures", "other")
    assert list_datasets() == []


@pytest.mark.parametrize("ending", [".png", ".webp", ".jfif", ".JPE", "", ".05", ".tif", ".bmp"])
def test_pictures_of_every_format_are_taken(folders: Folders, tmp_path: Path, ending: str) -> None:
    for grade in range(4):
        place = tmp_path / "tree" / "hair_loss" / str(grade) / f"p{grade}{ending}"
        place.parent.mkdir(parents=True)
        noise = np.random.default_rng(grade).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        note = PngInfo()
        note.add_text("comment", "x" * 4000)
        form = {".webp": "WEBP", ".png": "PNG", ".tif": "TIFF", ".bmp": "BMP"}.get(ending, "JPEG")
        Image.fromarray(noise).save(place, format=form, **({"pnginfo": note} if ending == ".png" else {}))
    dataset = import_tree(ImportRequest("folders", str(tmp_path / "tree")), "mine")
    assert (dataset.images, reported(dataset)) == (4, {})
    assert sorted(dataset.index["id"]) == [f"p{grade}{ending if ending == '.05' else ''}" for grade in range(4)]


def test_unread_formats_and_other_files_are_named(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree" / "hair_loss" / "2"
    tree.mkdir(parents=True)
    (tree / "1.jpg").write_bytes(jpeg(1))
    for ending in (".gif", ".heic"):
        Image.new("RGB", (64, 48)).save(tree / f"2{ending}", "GIF")
    (tree / "README").write_text("no picture")
    (tree / "notes.txt").write_text("no picture")
    dataset = of_tree(tmp_path / "tree")
    assert (dataset.images, reported(dataset)) == (1, {"other_format": {"2.gif", "2.heic"}})
    assert report(dataset)["ignored_endings"] == {"": 1, ".txt": 1}
    (tree / "1.jpg").unlink()
    with pytest.raises(ScalpError, match=r"2 pictures in formats that are not read .+ as 2\.gif"):
        of_tree(tmp_path / "tree", "other")


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", ".thumbnails", "@eaDir", "__MACOSX", "$RECYCLE.BIN"])
def test_hidden_folders_are_passed_over(folders: Folders, tmp_path: Path, hidden: str) -> None:
    for place in ("탈모_2", f"탈모_2/{hidden}"):
        (tmp_path / "tree" / place).mkdir(parents=True)
        (tmp_path / "tree" / place / "1.jpg").write_bytes(jpeg(len(place)))
    write_zip(tmp_path / "tree" / "탈모_3.zip", [(f"{hidden}/2.jpg", jpeg(2)), ("3.jpg", jpeg(3))])
    dataset = of_tree(tmp_path / "tree")
    assert (sorted(dataset.index["id"]), reported(dataset)) == (["1", "3"], {})


def test_zip_file_for_a_folder_is_named(folders: Folders, tmp_path: Path) -> None:
    write_zip(tmp_path / "탈모_3.zip", [("1.jpg", jpeg(1))])
    with pytest.raises(ScalpError, match=r"탈모_3\.zip is a zip file\. Name the folder"):
        of_tree(tmp_path / "탈모_3.zip")


def test_tree_of_locked_zips_says_so(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    write_zip(tmp_path / "tree" / "탈모_3.zip", [("1.jpg", jpeg(1))])
    content = bytearray((tmp_path / "tree" / "탈모_3.zip").read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of a member behind a password
    (tmp_path / "tree" / "탈모_3.zip").write_bytes(content)
    with pytest.raises(ScalpError, match=r"1 password-protected files, as 1\.jpg"):
        of_tree(tmp_path / "tree")


def test_shrinking_tree_is_split_where_possible(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    build_tree(tree, styles=("folder",), damaged=False, sites=10)
    assert of_tree(tree).parts["by"] == "site"
    sites = sorted(set(open_dataset("mine").index["site"]))
    for path in tree.rglob("*"):
        if path.is_file() and not path.name.startswith(tuple(sites[:2])):
            path.unlink()
    smaller = of_tree(tree)
    assert smaller.parts["by"] != "site"
    assert set(smaller.index["site"]) <= set(sites[:2])


@pytest.mark.parametrize("killed", [False, True])
def test_damaged_database_is_replaced(folders: Folders, tmp_path: Path, killed: bool) -> None:
    tree = tmp_path / "tree"
    build_tree(tree, styles=("folder",), damaged=False, sites=8)
    first = of_tree(tree).index
    database = folders.data / "mine" / "cache" / "import.sqlite"
    content = bytearray(database.read_bytes())
    half = len(content) // 2  # its first pages say that all is well
    content[half:] = b"\x5a" * (len(content) - half)
    database.write_bytes(content)
    if killed:  # nothing vouches for what it left: only what cannot be read is noticed
        digest_path(database).unlink()
        (tree / "new.jpg").write_bytes(jpeg(999))
        with pytest.raises(ScalpError, match="start the same import again"):
            of_tree(tree)
        (tree / "new.jpg").unlink()
    pd.testing.assert_frame_equal(of_tree(tree).index, first)


def test_a_table_without_the_named_column_is_refused(folders: Folders, tmp_path: Path) -> None:
    table, columns, _ = csv_table(tmp_path)
    request = ImportRequest("csv", str(tmp_path / "images"), str(table), columns | {"value_2": "없는 열"})
    with pytest.raises(ScalpError, match="없는 열"):
        import_tree(request, "mine")
    assert list_datasets() == []


def test_renamed_pictures_and_labels_join_within_their_class(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for number, folder in enumerate(("탈모/3", "비듬/1", "비듬/2")):
        for role in ("data", "label"):
            (tree / role / folder).mkdir(parents=True)
        picture = "환자 1.jpg" if number else normalize("NFD", "환자 1.JPG")
        (tree / "data" / folder / picture).write_bytes(jpeg(number))
        label = {column: str((number + place) % 4) for place, column in enumerate(LABEL_COLUMNS)}
        label |= {"value_6": "3", "value_5": str(number)}
        (tree / "label" / folder / "환자 1.json").write_text(json.dumps(label), encoding="utf-8")
    (tree / "data" / "탈모" / "3" / "혼자.png").write_bytes(jpeg(7))
    index = of_tree(tree).index.set_index("sha256")
    assert len(index) == 4
    for number in range(3):
        row = index.loc[sha256(jpeg(number)).hexdigest()]
        assert [row[column] for column in LABEL_COLUMNS] == [*((number + place) % 4 for place in range(4)), number, 3]
    assert index.loc[sha256(jpeg(7)).hexdigest(), "id"] == "혼자"


HOSTILE_LABELS = [
    b'{"value_6": "\\ud800"}',
    b'{"image_file_name": "\\ud800.jpg", "value_6": "2"}',
    b'{"image_file_name": "../../evil.jpg", "value_6": "2"}',
    b'{"image_file_name": ["x"], "value_6": {"a": 1}}',
    b'{"value_6": ' + b"9" * 5000 + b"}",
    b'{"value_6": NaN, "value_1": Infinity}',
    b'{"value_6": "' + b"x" * 3_000_000 + b'"}',
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b"\x00" * 1000,
    '{"value_6": "２"}'.encode("utf-16"),
]


@pytest.mark.parametrize("number", range(len(HOSTILE_LABELS)))
def test_no_label_file_whatsoever_stops_an_import(folders: Folders, tmp_path: Path, number: int) -> None:
    folder = tmp_path / "tree" / "Training" / "탈모_2"
    folder.mkdir(parents=True)
    name = "0001_A2LEBJJDE00001O_1602578303771_2_TH"
    (folder / f"{name}.jpg").write_bytes(jpeg(1))
    (folder / "2.jpg").write_bytes(jpeg(2))  # without any label an import would be of no use
    (folder / f"{name}.json").write_bytes(HOSTILE_LABELS[number])
    (folder / f"{name}_META.json").write_bytes(HOSTILE_LABELS[number].replace(b"value_6", b"gender"))
    dataset = of_tree(tmp_path / "tree")
    assert dataset.read("0001_A2LEBJJDE00001O_1602578303771_2") == jpeg(1)
    assert sum(report(dataset)["counts"].values()) > 0


def test_batch_of_rows_may_know_less_than_next(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "_BATCH", 3)
    for number in range(12):
        folder = tmp_path / "tree" / ("비듬" if number < 6 else "Training/탈모_2")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02d}.jpg").write_bytes(jpeg(number))
    (tmp_path / "tree" / "비듬" / "00.json").write_text('{"value_5": 1}', encoding="utf-8")
    (tmp_path / "tree" / "Training" / "탈모_2" / "11_META.json").write_text('{"age": "20대"}', encoding="utf-8")
    index = of_tree(tmp_path / "tree").index
    assert index["official"].fillna("").tolist() == [""] * 6 + ["train"] * 6
    assert index["folders"].fillna("").tolist() == [""] * 6 + ["value_6/2"] * 6
    assert index["meta_age"].fillna("").tolist() == [""] * 11 + ["20대"]
    assert index["value_5"].isna().tolist() == [False] + [True] * 11


# ---- again ----


def test_second_import_changes_nothing(folders: Folders, tmp_path: Path) -> None:
    build_tree(tmp_path / "tree", sites=6)
    first = of_tree(tmp_path / "tree")
    written = {name: (first.folder / name).stat().st_mtime_ns for name in ("index.parquet", "dataset.json", REPORT)}
    assert of_tree(tmp_path / "tree") == first
    assert {name: (first.folder / name).stat().st_mtime_ns for name in written} == written


def test_what_is_added_changed_or_removed_is_noticed(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    truth = build_tree(tree, styles=("folder",), damaged=False, sites=6)
    before = of_tree(tree).index

    added = "0077_A2LEBJJDE00077O_1602578303771_2"
    write_zip(tree / TOP / "Training" / "[원천]탈모_3.중증.zip", [(f"{added}_TH.jpg", jpeg(77))])
    index = of_tree(tree).index
    assert set(index["id"]) - set(before["id"]) == {added}
    assert index.loc[added, "value_6"] == 3

    gone, changed = truth.rows["id"][0], truth.rows["id"][1]
    for path in tree.rglob(f"{gone}_*.jpg"):
        path.unlink()
    for path in tree.rglob(f"{changed}_*.jpg"):
        path.write_bytes(jpeg(78))
    dataset = of_tree(tree)
    assert set(dataset.index["id"]) == {*before["id"], added} - {gone}
    assert dataset.read(changed) == jpeg(78)
    assert reported(dataset) == {"label_without_picture": {gone}}


def test_extracted_data_set_needs_its_tree_no_more(folders: Folders, tmp_path: Path) -> None:
    truth = build_tree(tmp_path / "tree", damaged=False, sites=6)
    dataset = import_tree(replace(ImportRequest("aihub", str(tmp_path / "tree")), extract=True), "mine", processes=1)
    (tmp_path / "tree").rename(tmp_path / "elsewhere")
    assert_found(dataset, truth)


# ---- nothing to import ----


def test_a_folder_that_is_not_there_is_named(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(ScalpError, match="nowhere"):
        of_tree(tmp_path / "nowhere")
    assert list_datasets() == []


def test_vanished_tree_leaves_the_data_set(folders: Folders, tmp_path: Path) -> None:
    truth = build_tree(tmp_path / "tree", damaged=False, sites=6)
    dataset = of_tree(tmp_path / "tree")
    (tmp_path / "tree").rename(tmp_path / "elsewhere")
    with pytest.raises(ScalpError, match="No folder"):
        of_tree(tmp_path / "tree")
    assert open_dataset("mine").images == len(truth.rows)
    with pytest.raises(ScalpError, match=r"is gone: .+tree\. .+ relocate mine FOLDER"):
        dataset.read(truth.rows["id"][0])


def test_moved_tree_is_pointed_to_by_content(folders: Folders, tmp_path: Path) -> None:
    truth = build_tree(tmp_path / "tree", damaged=False, sites=6)
    hashes = of_tree(tmp_path / "tree").index_hash, open_dataset("mine").evaluation_hash
    (tmp_path / "tree").rename(tmp_path / "elsewhere")
    assert prepare.main(["relocate", "mine", str(tmp_path / "elsewhere")]) == 0
    dataset = open_dataset("mine")
    assert_found(dataset, truth)
    assert (dataset.index_hash, dataset.evaluation_hash) == hashes
    assert of_tree(tmp_path / "elsewhere").index_hash == hashes[0]


def test_another_folder_is_no_moved_one(folders: Folders, tmp_path: Path) -> None:
    for number, name in enumerate(("tree", "other", "empty")):
        (tmp_path / name / "탈모_2").mkdir(parents=True)
        if name != "empty":
            (tmp_path / name / "탈모_2" / "1.jpg").write_bytes(jpeg(number))
    dataset = of_tree(tmp_path / "tree")
    for name, reason in (("other", "is another picture"), ("empty", "No such file"), ("nowhere", "No such file")):
        with pytest.raises(ScalpError, match=reason):
            relocate(dataset, tmp_path / name)
    assert open_dataset("mine").source == str(tmp_path / "tree")


def test_a_tree_with_nothing_in_it_is_refused(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "readme.txt").write_text("soon")
    (tree / "Thumbs.db").write_bytes(b"junk")
    (tree / "broken.zip").write_bytes(b"PK")
    with pytest.raises(ScalpError) as caught:
        of_tree(tree)
    assert caught.value.code == "nothing_found"
    assert list_datasets() == []


def test_a_tree_with_damaged_pictures_only_is_refused(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "tree" / "탈모_3").mkdir(parents=True)
    (tmp_path / "tree" / "탈모_3" / "1.jpg").write_bytes(jpeg(1)[:300])
    with pytest.raises(ScalpError) as caught:
        of_tree(tmp_path / "tree")
    assert caught.value.code == "nothing_found"
    assert list_datasets() == []


def test_another_data_set_of_that_name_is_kept(folders: Folders, tmp_path: Path) -> None:
    for name in ("first", "second"):
        build_tree(tmp_path / name, damaged=False, sites=6)
    first = of_tree(tmp_path / "first")
    with pytest.raises(ScalpError) as caught:
        of_tree(tmp_path / "second")
    assert caught.value.code == "name_taken"
    assert open_dataset("mine") == first


# ---- killed ----


def start(source: Path, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "training.prepare", "aihub", str(source), "--name", name, "--processes", "1"]
    with log_of(source).open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


def log_of(source: Path) -> Path:
    return source.with_name("log.txt")


def wait_for(pictures: int, process: subprocess.Popen[bytes], source: Path, folder: Path) -> None:
    """Until an import under way has looked at so many."""
    until(lambda: process.poll() is not None or kept(folder) >= pictures)
    assert process.poll() is None, f"it ended before it could be killed: {log_of(source).read_text()}"


def kept(folder: Path) -> int:
    """Count the pictures in the database of an unfinished import."""
    path = folder / "cache" / "import.sqlite"
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM picture").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet, or just being written
        return 0


def test_killed_import_goes_on_to_same_index(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    truth = build_tree(tree, damaged=False, sites=40, size=(640, 480))
    calm = of_tree(tree, "calm")
    killed = folders.data / "killed"

    seen = 0
    for more in (32, 64):
        process = start(tree, "killed")
        wait_for(seen + more, process, tree, killed)
        assert [dataset.name for dataset in list_datasets()] == ["calm"]
        with pytest.raises(ScalpError, match="no dataset"):
            open_dataset("killed")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert kept(killed) >= seen + more
        seen = kept(killed)
    assert seen < len(truth.rows)

    assert start(tree, "killed").wait() == 0, log_of(tree).read_text()
    assert_same(open_dataset("killed"), calm)


# An import that ends as if killed from outside, at a chosen moment.
KILLED_AT = """
import os, signal, sys
from pathlib import Path
from scalp_core.importing import import_db, importer

moment, source, extract = sys.argv[1:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def tell(stage, done, total):
    if stage == moment and done:
        die()

def replace(self, target, really=Path.replace):
    if Path(target).name == moment or Path(target).suffix == moment:
        die()
    return really(self, target)

Path.replace = replace
if moment == "written":
    import_db.ImportDatabase.mark_written = die
importer.import_tree(
    importer.ImportRequest("aihub", source, extract=bool(extract)), "killed", processes=1, progress=tell
)
"""


def kill_at(moment: str, source: Path, extract: bool = False) -> None:
    command = [sys.executable, "-c", KILLED_AT, moment, str(source), "extract" if extract else ""]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize("moment", ["writing", "index.parquet", "written"])
def test_killed_at_any_moment_next_import_makes_same(folders: Folders, tmp_path: Path, moment: str) -> None:
    build_tree(tmp_path / "tree", styles=("stored",), damaged=False, sites=3)
    (tmp_path / "tree" / "broken.zip").write_bytes(b"PK")
    kill_at(moment, tmp_path / "tree")
    assert [dataset.name for dataset in list_datasets()] == (["killed"] if moment == "written" else [])
    assert_same(of_tree(tmp_path / "tree", "killed"), of_tree(tmp_path / "tree", "calm"))


def test_a_killed_renewal_leaves_the_old_pictures_readable(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    truth = build_tree(tree, styles=("stored",), damaged=False, sites=9)
    of_tree(tree, "killed")
    of_tree(tree, "calm")
    added = "0077_A2LEBJJDE00077O_1602578303771_2"
    write_zip(tree / TOP / "Training" / "[원천]탈모_3.더.zip", [(f"{added}_TH.jpg", jpeg(77))])
    kill_at("index.parquet", tree)
    old = open_dataset("killed")
    assert {image_id: old.read(image_id) for image_id in old.index["id"]} == truth.contents
    assert_same(of_tree(tree, "killed"), of_tree(tree, "calm"))


def test_a_killed_extraction_leaves_nothing_behind(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    build_tree(tree, styles=("stored",), damaged=False, sites=3)
    kill_at(".jpg", tree, extract=True)
    request = ImportRequest("aihub", str(tree), extract=True)
    assert list(folders.data.rglob(".tmp-*.jpg"))
    assert_same(import_tree(request, "killed", processes=1), import_tree(request, "calm", processes=1))


def assert_same(first: Dataset, second: Dataset) -> None:
    """Two datasets with nothing that differs but their names, and nothing left over."""
    pd.testing.assert_frame_equal(first.index, second.index)
    assert (first.index_hash, first.parts) == (second.index_hash, second.parts)
    assert report(first)["counts"] == report(second)["counts"]
    assert files(first.folder) == files(second.folder)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_import_under_way_keeps_old_index_readable(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    build_tree(tree, styles=("stored",), damaged=False, sites=6)
    before = of_tree(tree)
    count = before.images
    more = [(f"{900 + n:04d}_A2LEBJJDE00{900 + n:04d}_1602578303771_2_TH.jpg", jpeg(n, (640, 480))) for n in range(200)]
    write_zip(tree / TOP / "Training" / "[원천]탈모_3.더.zip", more)
    process = start(tree, "mine")
    wait_for(count + 32, process, tree, before.folder)
    assert open_dataset("mine").images == count
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert open_dataset("mine").images == count
    assert of_tree(tree).images == count + 200


def test_cells_of_a_file_that_is_no_label_table_stay_unsaid(folders: Folders, tmp_path: Path) -> None:
    """Otherwise an import from a page would show any text file of the server as a list of faults."""
    table, _, _ = csv_table(tmp_path / "clinic")
    secret = tmp_path / "secret.txt"
    secret.write_text("first line\nroot:x:0:0\ndaemon:x:1:1\n", encoding="utf-8")
    columns = {"image": "first line", "value_1": "first line"}
    with pytest.raises(ScalpError, match="names a picture") as caught:
        import_tree(ImportRequest("csv", str(table.parent / "images"), str(secret), columns), "mine", processes=1)
    assert "daemon" not in str(caught.value)
    assert [path.name for path in (folders.data / "mine").rglob("*.csv")] == []
