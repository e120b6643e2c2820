"""Parts keep together what belongs together, are the same for a seed, and say what they are worth."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import Folders

from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset, open_dataset
from scalp_core.data.splits import COLUMNS, WAYS, assign_splits, best_way, overlap, reassign_splits
from scalp_core.errors import ScalpError


def rows(sites: int, captures: int = 3, images: int = 2) -> pd.DataFrame:
    """So many images a capture and captures a site, with grades at random."""
    generator = np.random.default_rng(3)
    places = [
        (f"{site:04d}", f"{site:04d}_{capture}")
        for site in range(sites)
        for capture in range(captures)
        for _ in range(images)
    ]
    table = pd.DataFrame(places, columns=["site", "capture"])
    for column in LABEL_COLUMNS:
        table[column] = pd.array(generator.integers(0, 4, len(table)), dtype="Int8")
    return table[list(COLUMNS)]


def spread(table: pd.DataFrame, parts: pd.Series, column: str) -> int:
    """In how many parts the most scattered value of a column lies."""
    return int(parts.groupby(table[column].to_numpy()).nunique().max())


@pytest.mark.parametrize("way", ["site", "capture"])
def test_no_group_lies_in_two_parts_and_every_part_has_some(way: str) -> None:
    table = rows(12)
    dealt = assign_splits(table, way, 0)
    assert set(dealt.parts) == set(PARTS)
    assert spread(table, dealt.parts, way) == 1
    assert spread(table, dealt.parts, "capture") == 1
    assert dealt.described == {
        "by": way,
        "seed": 0,
        "leaky": False,
        "values": table[way].nunique(),
        "groups": table[way].nunique(),
    }


def test_a_seed_decides() -> None:
    table = rows(20)
    first, again, other = (assign_splits(table, "site", seed).parts for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_sites_with_near_duplicates_stay_together() -> None:
    table = rows(12)
    alike = pd.Series(pd.NA, index=table.index, dtype="Int32")
    alike.iloc[[0, 20, 40]] = 7
    for seed in range(5):
        dealt = assign_splits(table.assign(look_alikes=alike), "site", seed)
        assert dealt.parts.iloc[[0, 20, 40]].nunique() == 1
        assert (dealt.described["values"], dealt.described["groups"]) == (12, 10)


def test_the_safest_way_that_the_rows_allow() -> None:
    assert best_way(rows(8)) == "site"
    assert best_way(rows(7)) == "capture"
    assert best_way(rows(1, captures=4)) == "capture"
    assert best_way(rows(1, captures=3)) == "all"
    # Eight sites of which two share a picture are seven.
    assert best_way(rows(8).assign(look_alikes=pd.Series([1] + [None] * 6 + [1] + [None] * 40, dtype="Int32"))) == (
        "capture"
    )


def test_everything_for_training() -> None:
    dealt = assign_splits(rows(3), "all", 0)
    assert set(dealt.parts) == {"train"}
    assert dealt.described["leaky"] is False


@pytest.mark.parametrize(("way", "code"), [("person", "bad_split"), ("site", "too_few_groups")])
def test_what_cannot_be_dealt_is_refused(way: str, code: str) -> None:
    with pytest.raises(ScalpError) as caught:
        assign_splits(rows(3), way, 0)
    assert caught.value.code == code


@pytest.mark.parametrize("official", [None, [None] * 72, ["train"] * 72])
def test_the_publisher_s_split_needs_one(official: list[str | None] | None) -> None:
    table = rows(12) if official is None else rows(12).assign(official=pd.array(official, dtype="string"))
    with pytest.raises(ScalpError) as caught:
        assign_splits(table, "official", 0)
    assert caught.value.code == "no_official_split"


def published() -> pd.DataFrame:
    """Sites 0–8 are trained on, 9–11 validated; the first picture of site 9 lies in both."""
    table = rows(12)
    official = np.where(table["site"] < "0009", "train", "valid").astype(object)
    official[54] = "both"
    return table.assign(official=pd.array(official, dtype="string"))


def test_the_publisher_s_split_tests_on_what_it_validates_and_is_called_leaky() -> None:
    table = published()
    dealt = assign_splits(table, "official", 0)
    assert (dealt.parts == "test").tolist() == (table["official"] != "train").tolist()
    others = dealt.parts != "test"
    assert set(dealt.parts[others]) == set(PARTS) - {"test"}
    assert spread(table[others], dealt.parts[others], "site") == 1
    assert dealt.described["leaky"] is True


def test_overlap_counts_what_training_has_seen() -> None:
    table = published()
    tested = (table["official"] != "train").to_numpy()
    # Of 18: one file; its capture has two pictures and its site six.
    assert overlap(table, tested) == {"file": 0.0556, "capture": 0.1111, "site": 0.3333}

    table.loc[[71, 0], "look_alikes"] = 4
    table.loc[[70, 69], "look_alikes"] = 5
    assert overlap(table, tested)["look_alikes"] == 0.0556
    assert assign_splits(table, "official", 0).described["overlap"] == overlap(table, tested)


def test_a_data_set_is_dealt_anew_and_nothing_else_in_it_changes(folders: Folders, tiny_data: Dataset) -> None:
    shutil.copytree(tiny_data.folder, folders.data / "copy")
    before = open_dataset("copy")
    anew = reassign_splits(before, "capture", 5)
    assert anew.parts["by"] == "capture"
    assert open_dataset("copy").parts == anew.parts
    old, new = tiny_data.index, anew.index
    pd.testing.assert_frame_equal(new.drop(columns="part"), old.drop(columns="part"))
    assert not new["part"].equals(old["part"])
    assert spread(new, new["part"], "capture") == 1
    with pytest.raises(ScalpError, match="published split"):
        reassign_splits(anew, "official", 0)
    assert open_dataset("copy").parts == anew.parts


def test_ways_are_named_in_both_languages() -> None:
    assert set(WAYS) == {"site", "capture", "official", "all"}
    assert all(text.en and text.ko for text in WAYS.values())
