"""Nothing marked test is learned from, and no group crosses splits: read from indexes and run folders alone."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from conftest import Folders
from support.aihub_tree import REGIONS, Picture, jpeg, label_json

from scalp_core.importing.importer import ImportRequest, import_tree, read_report
from scalp_core.labels import CONDITIONS

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


@pytest.mark.parametrize("name", KINDS)
def test_no_picture_crosses_splits_after_imports(name: str, folders: Folders, tmp_path: Path) -> None:
    kind, place = KINDS[name], tmp_path / "place"
    place.mkdir()
    for site in range(SITES):
        kind.write(place, site, mark_of(site))
    first = import_tree(kind.request(place), "mine", processes=1)
    before = first.index.set_index("sha256")["part"]
    assert_no_leak(first.index, kind.group)
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
    kept = before.index.intersection(after.index)
    assert before[kept].equals(after[kept])
    assert set(before.index) - set(kept) <= {lost}
    report = read_report(again)
    assert report is not None
    new = len(after) - len(kept)
    assert report["splits"] == {"kept": len(kept), "moved": 0, "new": new, "gone": len(before) - len(kept)}
    assert new >= 4 * (MORE - SITES)
