"""Folds of a dataset for cross-validation: datasets of the same pictures, each tested on another part of them.

Groups, and groups that share near-duplicates, are never divided. The pictures stay where they are.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from scalp_core.data.dataset import Dataset, claimed, list_datasets
from scalp_core.data.index_writer import write_dataset
from scalp_core.data.splits import COLUMNS, PART_SHARES, joined_groups, split_groups
from scalp_core.errors import ScalpError

MOST_FOLDS = 50


class FoldPlan(NamedTuple):
    """A cross-validation of a dataset.

    Attributes:
        folds: how many; None leaves out one group after another.
        by: `site` or `capture`, whose pictures stay together.
        seed: of the assignment.
    """

    folds: int | None
    by: str
    seed: int


def make_folds(dataset: Dataset, plan: FoldPlan) -> list[Dataset]:
    """Return the datasets of all folds, those that are there as they are.

    A fold is the test split of its dataset. The others are divided into training, validation and calibration by the
    usual shares.

    Raises:
        ScalpError: `too_few_groups`; `too_many_folds`; `dataset_exists`, another dataset has the name of a fold; a name
            is too long.
    """
    rows = dataset.index.reset_index(drop=True)
    numbers = _assign(rows, plan)
    folds = int(numbers.max()) + 1
    return [_make_fold(dataset, rows, numbers == number, number + 1, folds, plan) for number in range(folds)]


def _assign(rows: pd.DataFrame, plan: FoldPlan) -> np.ndarray:
    """Return the fold of each row, from 0."""
    members = joined_groups(rows, plan.by)
    groups = int(members.max(initial=-1)) + 1
    folds = plan.folds or groups
    if folds < 2 or groups < folds:
        raise ScalpError(
            "too_few_groups",
            f"{groups} groups by {plan.by} cannot fill {folds} folds, of which there have to be two or more.",
            f"{plan.by} 기준 그룹이 {groups}개라 폴드 {folds}개를 만들 수 없어요. 폴드는 두 개 이상이어야 해요.",
        )
    if folds > MOST_FOLDS:
        raise ScalpError(
            "too_many_folds",
            f"{folds} folds are more than {MOST_FOLDS}. Choose a number of folds.",
            f"폴드가 {folds}개로 {MOST_FOLDS}개를 넘어요. 폴드 수를 정하세요.",
        )
    if folds == groups:
        return members
    shares = {str(number): 1 / folds for number in range(folds)}
    return split_groups(rows, plan.by, plan.seed, shares).astype(int).to_numpy()


def _make_fold(
    dataset: Dataset, rows: pd.DataFrame, tested: np.ndarray, number: int, folds: int, plan: FoldPlan
) -> Dataset:
    name = f"{dataset.name}-fold-{number}-of-{folds}"
    fold = {"of": dataset.name, "number": number, "folds": folds, "by": plan.by, "seed": plan.seed}
    fold["index_hash"] = dataset.index_hash
    with claimed(name) as folder:
        existing = {made.name: made for made in list_datasets()}
        if name in existing or folder.exists():
            if name in existing and existing[name].fold == fold:
                return existing[name]
            raise ScalpError(
                "dataset_exists",
                f"“{name}” is there already, of other labels or another assignment. Delete it first.",
                f"“{name}”이(가) 다른 라벨이나 배정으로 이미 있어요. 삭제하고 다시 하세요.",
            )
        shares = {part: share for part, share in PART_SHARES.items() if part != "test"}
        parts = pd.Series("test", rows.index, dtype="string")
        others = rows.loc[~tested, [*COLUMNS, *(name for name in ("look_alikes",) if name in rows)]]
        parts[~tested] = split_groups(others, _finer(others, plan.by, len(shares)), plan.seed, shares)
        folder.mkdir()
        return write_dataset(
            folder,
            dataset.kind,
            dataset.made | {"fold": fold},
            rows.assign(part=parts),
            source=dataset.source or str(dataset.folder.resolve()),
            parts={"by": plan.by, "seed": plan.seed, "leaky": False, "fold": number},
        )


def _finer(rows: pd.DataFrame, by: str, parts: int) -> str:
    """Return what the rest of the pictures is divided by: captures where there are too few sites."""
    return by if int(joined_groups(rows, by).max(initial=-1)) + 1 >= parts else "capture"
