"""Folds: every picture is tested once, groups stay whole, and the dataset stays as it is."""

import shutil

import pandas as pd
import pytest
from conftest import Folders

from scalp_core.data.dataset import Dataset, list_datasets, offered_datasets, open_dataset
from scalp_core.data.folds import FoldPlan, make_folds
from scalp_core.data.index_writer import change_columns
from scalp_core.data.splits import PART_SHARES
from scalp_core.errors import ScalpError
from scalp_core.synthetic.generate import make_dataset


@pytest.fixture
def small(folders: Folders, tiny_data: Dataset) -> Dataset:
    """The tiny dataset in a folder of its own; two captures share a set of near-duplicates."""
    shutil.copytree(tiny_data.folder, folders.data / "tiny")
    dataset = open_dataset("tiny")
    captures = dataset.index["capture"].reset_index(drop=True)
    first, second = captures.unique()[:2]
    sets = pd.Series([7 if capture in (first, second) else None for capture in captures], dtype="Int64")
    return change_columns(dataset, {"look_alikes": sets})


@pytest.mark.parametrize(("folds", "by"), [(4, "capture"), (2, "site"), (None, "site")])
def test_each_picture_is_tested_once_and_groups_stay_whole(small: Dataset, folds: int | None, by: str) -> None:
    before = small.index_hash
    made = make_folds(small, FoldPlan(folds, by, 0))
    assert len(made) == (folds or small.index["site"].nunique() - 1)  # two sites share near-duplicates
    tested = pd.concat([fold.index.loc[fold.index["part"] == "test", "id"] for fold in made])
    assert sorted(tested) == sorted(small.index["id"])
    for number, fold in enumerate(made, 1):
        assert fold.name == f"tiny-fold-{number}-of-{len(made)}"
        assert set(fold.index["part"]) == set(PART_SHARES)
        test, others = (fold.index[(fold.index["part"] == "test") == held] for held in (True, False))
        for column in (by, "look_alikes"):
            assert not set(test[column].dropna()) & set(others[column].dropna())
        labels = [f"value_{condition}" for condition in range(1, 7)]
        assert fold.index[labels].equals(small.index.loc[fold.index.index, labels])
        assert fold.synthetic == small.synthetic
    assert small.read(tested.iloc[0]) == made[0].read(tested.iloc[0])
    assert open_dataset("tiny").index_hash == before
    assert [dataset.name for dataset in offered_datasets()] == ["tiny"]
    assert len(offered_datasets(made[0].name)) == 2
    assert len(list_datasets()) == 1 + len(made)


def test_folds_that_are_there_stay_and_others_are_refused(small: Dataset) -> None:
    plan = FoldPlan(3, "capture", 0)
    first = [fold.version for fold in make_folds(small, plan)]
    assert [fold.version for fold in make_folds(small, plan)] == first
    with pytest.raises(ScalpError, match="another assignment") as caught:
        make_folds(small, plan._replace(seed=1))
    assert caught.value.code == "dataset_exists"
    labels = small.index["value_1"].reset_index(drop=True)
    change_columns(small, {"value_1": 3 - labels})
    with pytest.raises(ScalpError, match="other labels"):
        make_folds(open_dataset("tiny"), plan)


@pytest.mark.parametrize(("folds", "code"), [(40, "too_few_groups"), (1, "too_few_groups"), (60, "too_few_groups")])
def test_impossible_folds_are_refused(small: Dataset, folds: int, code: str) -> None:
    with pytest.raises(ScalpError) as caught:
        make_folds(small, FoldPlan(folds, "site", 0))
    assert caught.value.code == code
    assert len(list_datasets()) == 1


def test_too_many_groups_to_leave_out_one_after_another(folders: Folders) -> None:
    dataset = make_dataset("many", 60, 0, processes=1)
    captures = pd.Series([f"c{number}" for number in range(60)])
    with pytest.raises(ScalpError, match="60 folds are more than 50"):
        make_folds(change_columns(dataset, {"capture": captures}), FoldPlan(None, "capture", 0))
