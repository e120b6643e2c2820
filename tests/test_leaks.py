"""Nothing marked test is learned from, and no group crosses splits: read from indexes and run folders alone."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY, Folders, Trained
from support.aihub_tree import REGIONS, Picture, jpeg, label_json
from support.app_driver import open_page
from support.training_fixtures import train_run

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.evaluation.comparison import list_candidates
from scalp_core.importing.importer import ImportRequest, import_tree, read_report
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.learning import train as training
from scalp_core.runs.ancestry import MARK, learned_pictures, overlap_before, overlap_of, write_learned
from scalp_core.runs.election import shortfalls
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from training import prepare, report, train


@pytest.fixture(autouse=True)
def _no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)  # slow, and not what this is about


# Whatever the kind of data: captures of two pictures at each site, the last sites marked as the kind marks them.
SITES, MORE = 12, 15


@dataclass(frozen=True)
class Kind:
    """One kind of data.

    Attributes:
        write: writes the pictures of one site; the mark is `train`, `valid` or `test`.
        request: the import of the folder.
        group: what never lies in two splits; empty: nothing but near-duplicates.
    """

    write: Callable[[Path, int, str], None]
    request: Callable[[Path], ImportRequest]
    group: str = "site"


def mark_of(site: int) -> str:
    return ("train", "train", "train", "train", "valid", "test")[site % 6]


def grades(number: int) -> dict[str, int]:
    return {condition.value: (number + condition.number) % 4 for condition in CONDITIONS}


def picture(number: int) -> bytes:
    """A picture of its own; the last of each site is the first in lower quality."""
    return jpeg(number - 3, quality=60) if number % 4 == 3 else jpeg(number)


def write_table(place: Path, site: int, mark: str) -> None:
    table = place / "labels.csv"
    new = not table.is_file()
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["file", "site", "capture", "split", *grades(0)])
        for number in range(site * 4, site * 4 + 4):
            (place / "images").mkdir(exist_ok=True)
            (place / "images" / f"p{number}.jpg").write_bytes(picture(number))
            writer.writerow([f"p{number}.jpg", f"s{site}", f"c{number // 2}", mark, *grades(number).values()])


def write_folders(place: Path, site: int, mark: str) -> None:
    for number in range(site * 4, site * 4 + 4):
        folder = place / "tree" / {"valid": "val"}.get(mark, mark) / "hair_loss" / str(number % 4)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"p{number}.jpg").write_bytes(picture(number))


def write_unmarked(place: Path, site: int, _mark: str) -> None:
    for number in range(site * 4, site * 4 + 4):
        folder = place / "tree" / "hair_loss" / str(number % 4)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"p{number}.jpg").write_bytes(picture(number))


def write_aihub(place: Path, site: int, mark: str) -> None:
    split = {"train": "Training", "valid": "Validation", "test": "Test"}[mark]
    for frame in range(2, 6):
        values = {condition: (site + frame + condition.number) % 4 for condition in CONDITIONS}
        made = Picture(f"{site + 1:04d}", frame, values, picture(site * 4 + frame - 2))
        folder = place / "tree" / split / "[원천]탈모_1.경증"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{made.id}_{REGIONS[frame]}.jpg").write_bytes(made.data)
        (folder / f"{made.stem}.json").write_bytes(label_json(made, values))


def write_published(place: Path, site: int, mark: str) -> None:
    write_aihub(place, site, {"test": "valid"}.get(mark, mark))


def table_request(by: str) -> Callable[[Path], ImportRequest]:
    return lambda place: ImportRequest("csv", str(place / "images"), str(place / "labels.csv"), by=by)


def tree_request(kind: str, by: str = "") -> Callable[[Path], ImportRequest]:
    return lambda place: ImportRequest(kind, str(place / "tree"), by=by)


KINDS = {
    "table, as marked": Kind(write_table, table_request("official")),
    "table, by site": Kind(write_table, table_request("")),
    "folders, as marked": Kind(write_folders, tree_request("folders", "official"), ""),
    "folders without marks": Kind(write_unmarked, tree_request("folders"), "capture"),
    "AI Hub with a test folder": Kind(write_aihub, tree_request("aihub")),
    "AI Hub as delivered": Kind(write_published, tree_request("aihub")),
}


def assert_no_leak(index: pd.DataFrame, group: str) -> None:
    """Check what an index says of itself: marks, groups, near-duplicates and contents."""
    marked = index["official"].fillna("").str.contains("test")
    assert set(index.loc[marked, "part"]) <= {"test"}
    alike = index[index["look_alikes"].notna()]
    assert len(alike) > 0, "there are near-duplicates to be kept together"
    assert (alike.groupby("look_alikes")["part"].nunique() == 1).all()
    assert (index.groupby("sha256")["part"].nunique() == 1).all()
    if group:
        assert (index.groupby(group)["part"].nunique() == 1).all()


def assert_nothing_judged_was_learned(folders: Folders) -> None:
    """Check what index and run folders say, whatever the program thinks: of every run, and of those it started from."""
    index = pd.read_parquet(folders.data / "mine" / "index.parquet")
    marked = index["official"].fillna("").str.contains("test")
    judged = set(index.loc[marked | (index["part"] != "train"), "sha256"])
    for recipe_file in folders.artifacts.glob("*/recipe.json"):
        learned = set(pd.read_parquet(recipe_file.with_name("learned.parquet"))["sha256"])
        assert learned
        assert not learned & judged
        weights = json.loads(recipe_file.read_text(encoding="utf-8"))["recipe"]["weights"]
        if weights.startswith("run:"):
            before = folders.artifacts / weights.removeprefix("run:") / "learned.parquet"
            assert set(pd.read_parquet(before)["sha256"]) <= learned


@pytest.mark.parametrize("name", KINDS)
def test_no_picture_crosses_splits_after_imports(name: str, folders: Folders, tmp_path: Path) -> None:
    kind, place = KINDS[name], tmp_path / "place"
    place.mkdir()
    for site in range(SITES):
        kind.write(place, site, mark_of(site))
    first = import_tree(kind.request(place), "mine", processes=1)
    before = first.index.set_index("sha256")["part"]
    assert_no_leak(first.index, kind.group)
    recipe = Recipe(**TINY | {"data": "mine"}, conditions=(Condition.HAIR_LOSS,), epochs=1)
    train_run(create_run(recipe, "first"))
    assert_nothing_judged_was_learned(folders)
    assert {"train", "valid", "calib", "test"} == set(before)

    # Imported again with new sites, and one picture gone.
    for site in range(SITES, MORE):
        kind.write(place, site, mark_of(site))
    gone = next(path for path in sorted(place.rglob("*.jpg")) if sha256(path.read_bytes()).hexdigest() in before.index)
    lost = sha256(gone.read_bytes()).hexdigest()
    gone.unlink()
    again = import_tree(kind.request(place), "mine", processes=1)
    after = again.index.set_index("sha256")["part"]
    assert_no_leak(again.index, kind.group)
    train_run(create_run(replace(recipe, weights="run:first", learns="head"), "second"))
    assert_nothing_judged_was_learned(folders)
    kept = before.index.intersection(after.index)
    assert before[kept].equals(after[kept])
    assert set(before.index) - set(kept) <= {lost}
    report = read_report(again)
    assert report is not None
    new = len(after) - len(kept)
    assert report["splits"] == {"kept": len(kept), "moved": 0, "new": new, "gone": len(before) - len(kept)}
    assert new >= 4 * (MORE - SITES)


# ---- runs ----


def photographs(folders: Folders, source: Dataset, parts: dict[str, str]) -> Dataset:
    """The pictures of a dataset as if they were photographs, each split under another name."""
    rows = source.index.reset_index(drop=True).drop(columns=[name for name in source.columns if "severity" in name])
    rows["part"] = rows["part"].astype("object").map(lambda part: parts.get(part, part))
    return write_dataset(folders.data / "photographs", "csv", {}, rows, source=str(source.folder))


@pytest.fixture
def source(trained: Trained, folders: Folders) -> Run:
    """A finished run on synthetic pictures, and its dataset, in this test's own folders."""
    shutil.copytree(trained.dataset.folder, folders.data / "tiny")
    shutil.copytree(trained.run.folder, folders.artifacts / "source")
    return Run(folders.artifacts / "source")


HEAD = Recipe(**TINY | {"data": "photographs", "weights": "run:source"}, learns="head", epochs=1)


def test_a_run_remembers_what_its_ancestors_learned(
    source: Run, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = photographs(folders, open_dataset("tiny"), {"train": "test", "test": "train"})
    learned_there = set(open_dataset("tiny").index.query("part == 'train'")["sha256"])
    train._print_plan(HEAD, measured=False)
    assert "learned from pictures that it is judged on" in capsys.readouterr().out
    train_run(create_run(HEAD, "second"))
    second = Run(folders.artifacts / "second")
    third = create_run(replace(HEAD, weights="run:second"), "third")
    train_run(third)
    assert "learned from pictures" in capsys.readouterr().out

    for run in (second, third):
        table = pd.read_parquet(run.folder / "learned.parquet")
        assert set(table["sha256"]) == learned_there | set(mine.index.query("part == 'train'")["sha256"])
        assert learned_pictures(run).complete
        overlap = overlap_of(run, mine)
        assert overlap.seen == {"valid": 0, "calib": 0, "test": len(learned_there)}
        assert overlap.judged["test"] == len(learned_there)
        run.verify()
        assert run.synthetic
        assert not run.synthetic_data
        assert run.learned_from_judged
        earlier = {key: value for key, value in run.manifest.items() if key not in ("files", "learned_from_judged")}
        run.write_manifest(earlier)  # a run of an earlier version asks its dataset
        for condition in run.recipe.conditions:
            assert "learned_from" in [shortfall.code for shortfall in shortfalls(run, condition)]
    models, _ = list_candidates(mine)
    assert [model.name.endswith(MARK) for model in models] == [True, True]
    assert report.main(["--data", "photographs"]) == 0
    output = capsys.readouterr().out
    assert f"third {MARK}" in output
    assert f"{len(learned_there)} of {len(learned_there)} test pictures" in output
    assert "SYNTHETIC" in output

    at = open_page("compare", "en", data="photographs")
    assert not at.exception
    assert [MARK in error.value and "test pictures" in error.value for error in at.error] == [True, True]
    assert any("second" in warning.value or "third" in warning.value for warning in at.warning)

    # What was learned from is still known when the runs before are gone; a run without its file does not know.
    shutil.rmtree(source.folder)
    shutil.rmtree(second.folder)
    assert third.synthetic
    assert learned_pictures(third).complete
    (third.folder / "learned.parquet").unlink()
    assert not learned_pictures(third).complete
    assert "not known" in str(overlap_of(third, photographs(folders, mine, {})).text("third"))


def test_taught_run_remembers_what_its_teacher_learned(source: Run, folders: Folders) -> None:
    mine = photographs(folders, open_dataset("tiny"), {"train": "test", "test": "train"})
    learned_there = set(open_dataset("tiny").index.query("part == 'train'")["sha256"])
    recipe = Recipe(**TINY | {"data": "photographs", "teacher": "run:source"}, epochs=1)
    assert overlap_before(recipe, mine).seen["test"] == len(learned_there)
    taught = create_run(recipe, "taught")
    assert taught.synthetic
    write_learned(taught, mine)
    assert learned_there < learned_pictures(taught).sha256
    assert overlap_of(taught, mine).leaks


def test_split_keeps_earlier_learning_out_of_test(source: Run, folders: Folders) -> None:
    mine = photographs(folders, open_dataset("tiny"), {"train": "test", "test": "train"})
    before = overlap_before(HEAD, mine)
    assert before.leaks
    assert prepare.main(["split", "photographs", "--by", "capture", "--keep-out-of-test", "source"]) == 0
    after = overlap_before(HEAD, open_dataset("photographs"))
    assert not after.leaks
    assert all(after.judged.values())


def test_runs_of_earlier_versions_are_derived_or_unknown(source: Run, folders: Folders) -> None:
    (source.folder / "learned.parquet").unlink()
    tiny = open_dataset("tiny")
    assert learned_pictures(source).sha256 == set(tiny.index.query("part == 'train'")["sha256"])
    assert learned_pictures(source).complete
    shutil.rmtree(tiny.folder)
    assert not learned_pictures(source).complete


def test_rendered_pictures_among_others_are_counted(source: Run, folders: Folders, tmp_path: Path) -> None:
    tiny = open_dataset("tiny")
    folder = tmp_path / "tree" / "hair_loss" / "1"
    folder.mkdir(parents=True)
    for number, name in enumerate(tiny.index["path"].iloc[:3]):
        shutil.copy(tiny.folder / name, folder / f"r{number}.jpg")
    (folder / "p.jpg").write_bytes(jpeg(1))
    mixed = import_tree(ImportRequest("folders", str(tmp_path / "tree")), "mixed", processes=1)
    assert mixed.synthetic
    assert mixed.made["synthetic"] == 3
