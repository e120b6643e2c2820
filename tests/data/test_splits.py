"""Parts keep together what belongs together, are the same for a seed, and say what they are worth."""

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import Folders
from support.index_rows import graded_rows

from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset, open_dataset
from scalp_core.data.splits import (
    COLUMNS,
    PART_SHARES,
    SPLIT_METHODS,
    assign_splits,
    overlap,
    reassign_splits,
    safest_method,
    settle,
    split_groups,
)
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
def test_groups_stay_whole_and_splits_nonempty(way: str) -> None:
    table = rows(12)
    assignment = assign_splits(table, way, 0)
    assert set(assignment.parts) == set(PARTS)
    assert spread(table, assignment.parts, way) == 1
    assert spread(table, assignment.parts, "capture") == 1
    assert assignment.description == {
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
        assignment = assign_splits(table.assign(look_alikes=alike), "site", seed)
        assert assignment.parts.iloc[[0, 20, 40]].nunique() == 1
        assert (assignment.description["values"], assignment.description["groups"]) == (12, 10)


def test_the_safest_way_that_the_rows_allow() -> None:
    assert safest_method(rows(8)) == "site"
    assert safest_method(rows(7)) == "capture"
    assert safest_method(rows(1, captures=4)) == "capture"
    assert safest_method(rows(1, captures=3)) == "all"
    # Eight sites of which two share a picture are seven.
    assert safest_method(
        rows(8).assign(look_alikes=pd.Series([1] + [None] * 6 + [1] + [None] * 40, dtype="Int32"))
    ) == ("capture")


def test_everything_for_training() -> None:
    assignment = assign_splits(rows(3), "all", 0)
    assert set(assignment.parts) == {"train"}
    assert assignment.description["leaky"] is False


@pytest.mark.parametrize(("way", "code"), [("person", "bad_split"), ("site", "too_few_groups")])
def test_impossible_split_is_refused(way: str, code: str) -> None:
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


def test_official_split_tests_on_validation_and_leaks() -> None:
    table = published()
    assignment = assign_splits(table, "official", 0, validation_tests=True)
    assert (assignment.parts == "test").tolist() == (table["official"] != "train").tolist()
    others = assignment.parts != "test"
    assert set(assignment.parts[others]) == set(PARTS) - {"test"}
    assert spread(table[others], assignment.parts[others], "site") == 1
    assert assignment.description["leaky"] is True


def marked(*by_site: str) -> pd.DataFrame:
    """Two captures of two pictures a site, all of a site marked with one word."""
    table = rows(len(by_site), captures=2)
    words = [by_site[int(site)] for site in table["site"]]
    return table.assign(official=pd.array([word or None for word in words], dtype="string"))


def sites_by_part(table: pd.DataFrame, parts: pd.Series) -> dict[str, set[str]]:
    return {part: set(table.loc[parts == part, "site"]) for part in PARTS}


def test_official_split_is_followed_as_marked() -> None:
    table = marked(*["train"] * 6, *["valid"] * 4, *["test"] * 2)
    assignment = assign_splits(table, "official", 0)
    sites = sites_by_part(table, assignment.parts)
    assert sites["train"] == {f"{site:04d}" for site in range(6)}
    assert sites["test"] == {"0010", "0011"}
    assert sites["valid"] | sites["calib"] == {f"{site:04d}" for site in range(6, 10)}
    assert sites["valid"]
    assert sites["calib"]
    description = assignment.description
    assert (description["rule"], description["cut"], description["leaky"]) == ("as_marked", [], False)


@pytest.mark.parametrize(
    ("words", "cut"),
    [
        (["train"] * 8 + ["test"] * 2, ["valid", "calib"]),
        (["train"] * 8 + ["valid"] * 4, ["test"]),
        (["train"] * 8 + ["valid"] + ["calib"] + ["test"], []),
        (["train"] * 7 + [""] + ["calib"] + ["test"], ["valid"]),
    ],
)
def test_missing_splits_are_cut_from_training(words: list[str], cut: list[str]) -> None:
    table = marked(*words)
    assignment = assign_splits(table, "official", 0)
    assert assignment.description["cut"] == cut
    assert set(assignment.parts) == set(PARTS)
    assert spread(table, assignment.parts, "capture") == 1
    for part in ("calib", "test"):
        of_it = table["official"] == part
        assert (assignment.parts[of_it] == part).all()
    assert not assignment.parts[table["official"] == "valid"].isin(["train", "test"]).any()


def test_unknown_split_words_are_listed() -> None:
    with pytest.raises(ScalpError, match="“fold 1”, “fold 2”") as caught:
        assign_splits(marked("train", "fold 2", "test", "fold 1"), "official", 0)
    assert caught.value.code == "unknown_split"


@pytest.mark.parametrize("by", ["site", "capture", "all"])
@pytest.mark.parametrize("word", ["test", "train test", "external_test"])
def test_marked_pictures_are_tested_by_every_method(by: str, word: str) -> None:
    table = marked(*[""] * 8, *[word] * 2, "")
    alike = pd.Series(pd.NA, index=table.index, dtype="Int32")
    alike.iloc[[0, 39]] = 1  # a near-duplicate of a marked picture
    table = table.assign(look_alikes=alike)
    parts = assign_splits(table, by, 0).parts
    of_mark = table["official"].notna()
    assert (parts[of_mark] == "test").all()
    assert parts.iloc[0] == "test"
    assert spread(table.dropna(subset="look_alikes"), parts[alike.notna()], "look_alikes") == 1
    assert set(parts) == (set(PARTS) if by != "all" else {"train", "test"})


def test_marked_pictures_are_learned_from_when_requested() -> None:
    table = marked(*[""] * 3, "test")
    assert set(assign_splits(table, "all", 0, settle(table, learn_from_test=True)).parts) == {"train"}


def test_scattered_test_pictures_leave_the_published_split() -> None:
    table = rows(10).assign(official=pd.array(["train", "test"] * 30, dtype="string"))
    assert safest_method(table) == "official"
    assert (assign_splits(table, "official", 0).parts[1::2] == "test").all()
    with pytest.raises(ScalpError, match="settled"):
        assign_splits(table, "site", 0)


def test_settled_groups_keep_their_split() -> None:
    table = rows(20)
    before = assign_splits(table, "site", 0).parts
    more = pd.concat([table, rows(30).iloc[20 * 6 :]], ignore_index=True)
    parts = assign_splits(more, "site", 0, settle(more, before=before.reindex(more.index))).parts
    assert (parts.iloc[: len(table)] == before).all()
    assert spread(more, parts, "site") == 1
    assert set(parts.iloc[len(table) :]) == set(PARTS)
    # A new near-duplicate ties two of them: from test to training a picture may go, not back.
    train, test = (int(before[before == part].index[0]) for part in ("train", "test"))
    tied = pd.Series(pd.NA, index=more.index, dtype="Int32")
    tied.iloc[[train, test]] = 1
    parts = assign_splits(
        more.assign(look_alikes=tied), "site", 0, settle(more, before=before.reindex(more.index))
    ).parts
    assert parts.iloc[train] == parts.iloc[test] == "train"


def test_learned_pictures_stay_out_of_test() -> None:
    table = rows(20)
    learned = (table["site"] < "0010").to_numpy()
    parts = assign_splits(table, "site", 0, settle(table, learned=learned)).parts
    assert set(parts[learned]) == {"train"}
    assert set(parts) == set(PARTS)


def test_overlap_counts_what_training_has_seen() -> None:
    table = published()
    tested = (table["official"] != "train").to_numpy()
    # Of 18: one file; its capture has two pictures and its site six.
    assert overlap(table, tested) == {"file": 0.0556, "capture": 0.1111, "site": 0.3333}

    table.loc[[71, 0], "look_alikes"] = 4
    table.loc[[70, 69], "look_alikes"] = 5
    assert overlap(table, tested)["look_alikes"] == 0.0556
    assert assign_splits(table, "official", 0, validation_tests=True).description["overlap"] == overlap(table, tested)


def test_reassigning_splits_changes_nothing_else(folders: Folders, tiny_data: Dataset) -> None:
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
    assert set(SPLIT_METHODS) == {"site", "capture", "official", "all"}
    assert all(text.en and text.ko for text in SPLIT_METHODS.values())


@pytest.mark.parametrize("group", ["site", "capture"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_groups_stay_whole_and_shares_are_near(group: str, seed: int) -> None:
    table = graded_rows(seed=seed)
    table["part"] = split_groups(table, group, seed)
    assert (table.groupby(group)["part"].nunique() == 1).all()
    shares = table["part"].value_counts(normalize=True)
    for part in PARTS:
        assert shares[part] == pytest.approx(PART_SHARES[part], abs=0.04)


def test_every_grade_is_in_every_split() -> None:
    table = graded_rows(1000, 50)
    table["part"] = split_groups(table, "site", 0)
    for column in LABEL_COLUMNS:
        assert table.groupby(["part", column]).size().unstack(fill_value=0).to_numpy().min() > 0


def test_split_is_same_for_same_seed_only() -> None:
    table = graded_rows()
    first = split_groups(table, "site", 0)
    pd.testing.assert_series_equal(first, split_groups(table, "site", 0))
    assert not first.equals(split_groups(table, "site", 1))


def test_split_ignores_order_and_index() -> None:
    table = graded_rows()
    shuffled = table.sample(frac=1, random_state=0)
    by_id = dict(zip(table["id"], split_groups(table, "site", 0), strict=True))
    assert dict(zip(shuffled["id"], split_groups(shuffled, "site", 0), strict=True)) == by_id


def test_split_copes_with_missing_labels_and_uneven_groups() -> None:
    table = graded_rows().astype(dict.fromkeys(LABEL_COLUMNS, "Int8"))
    table.loc[table.index[::3], "value_4"] = pd.NA
    table["site"] = ["big"] * 150 + [f"s{number % 30}" for number in range(250)]
    table["part"] = split_groups(table, "site", 0)
    assert (table.groupby("site")["part"].nunique() == 1).all()
    assert set(table["part"]) == set(PARTS)


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(ScalpError, match="finer column"):
        split_groups(graded_rows(12, 3), "site", 0)
