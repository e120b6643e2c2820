"""Assigns the rows of a dataset to splits: by site, by capture, or as its publisher did.

Groups, and groups that share near-duplicates, are never divided.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset, claimed
from scalp_core.data.index_writer import change_columns
from scalp_core.errors import ScalpError, Text
from scalp_core.labels import CONDITIONS, GRADES

# Shares of images; operating points are fitted on calib, test is only ever reported.
PART_SHARES = {"train": 0.60, "valid": 0.12, "calib": 0.13, "test": 0.15}
# What a split may go by; `all` puts everything into the training split.
SPLIT_METHODS = {
    "site": Text("by site: each site, so each person, in one split", "기관별: 한 기관(사람)의 사진은 한 분할에만"),
    "capture": Text("by capture: each capture in one split", "촬영별: 한 촬영의 사진은 한 분할에만"),
    "official": Text("the published split (leaks)", "배포처의 원래 분할 (누출 있음)"),
    "all": Text("all for training", "모두 학습용"),
}
MIN_SITES = 8  # fewer are not split by site unless asked for
COLUMNS = ("site", "capture", *LABEL_COLUMNS)

# Random assignments compared: so many of groups together, within these bounds. Many groups even each other out.
_GROUPS_COMPARED = 200_000
_MIN_CANDIDATES, _MAX_CANDIDATES = 8, 400

Groups = npt.NDArray[np.intp]  # (rows,): numbers from 0
Counts = npt.NDArray[np.float64]  # (groups, 1 + conditions × grades)


@dataclass(frozen=True)
class SplitAssignment:
    """The split of each row, and what `dataset.json` keeps about how it was assigned."""

    parts: pd.Series
    description: dict[str, object]


def safest_method(rows: pd.DataFrame) -> str:
    """Return the safest split method for these rows: by site if there are enough, else by capture, else none."""
    if _group_count(rows, "site") >= MIN_SITES:
        return "site"
    return "capture" if _group_count(rows, "capture") >= len(PART_SHARES) else "all"


def is_possible(rows: pd.DataFrame, method: str) -> bool:
    """Return whether these rows have enough groups, or a published test split, for one of SPLIT_METHODS."""
    if method == "official":
        return "official" in rows and bool(rows["official"].isin(_OFFICIAL_TEST).any())
    return method == "all" or _group_count(rows, method) >= len(PART_SHARES)


def assign_splits(rows: pd.DataFrame, by: str, seed: int) -> SplitAssignment:
    """Assign every row to a split by one of SPLIT_METHODS; deterministic for a seed.

    Args:
        rows: COLUMNS, `look_alikes` if known, and `official` for that method.

    Raises:
        ScalpError: too few groups, an unknown method, or `official` without a published split.
    """
    if by not in SPLIT_METHODS:
        raise ScalpError(
            "bad_split",
            f"Cannot split a dataset by “{by[:40]}”. Use one of: {', '.join(SPLIT_METHODS)}.",
            f"“{by[:40]}” 기준으로는 나눌 수 없어요. 가능한 값: {', '.join(SPLIT_METHODS)}.",
        )
    if by == "all":
        parts = pd.Series("train", index=rows.index, dtype="string")
        return SplitAssignment(parts, {"by": by, "seed": seed, "leaky": False})
    if by == "official":
        return _assign_official(rows, seed)
    values, groups = int(rows[by].nunique()), _group_count(rows, by)
    description = {"by": by, "seed": seed, "leaky": False, "values": values, "groups": groups}
    return SplitAssignment(split_groups(rows, by, seed), description)


def _assign_official(rows: pd.DataFrame, seed: int) -> SplitAssignment:
    """Test on the publisher's validation pictures and assign the rest to the other splits by site.

    A picture that the publisher has in both lies in one row here, and is tested on, as published results do.
    """
    if "official" not in rows or not set(_OFFICIAL_TEST) & set(rows["official"].dropna()):
        raise ScalpError(
            "no_official_split",
            "This dataset has no published split: its tree had no Training and Validation folders.",
            "이 데이터셋에는 배포처의 분할이 없어요 (Training, Validation 폴더가 없었어요).",
        )
    tested = rows["official"].isin(_OFFICIAL_TEST).to_numpy(dtype=bool)
    others = rows[~tested].drop(columns="look_alikes", errors="ignore")
    parts = pd.Series("test", index=rows.index, dtype="string")
    shares = {part: share for part, share in PART_SHARES.items() if part != "test"}
    by = "site" if others["site"].nunique() >= len(shares) else "capture"
    parts[~tested] = split_groups(others, by, seed, shares).to_numpy()
    return SplitAssignment(parts, {"by": "official", "seed": seed, "leaky": True, "overlap": overlap(rows, tested)})


def reassign_splits(dataset: Dataset, by: str, seed: int) -> Dataset:
    """Assign the rows of a dataset anew. Raises ScalpError as `assign_splits`."""
    with claimed(dataset.name):
        optional = [name for name in ("official", "look_alikes") if name in dataset.columns]
        rows = pd.DataFrame({name: dataset.column(name) for name in (*COLUMNS, *optional)})
        assignment = assign_splits(rows, by, seed)
        return change_columns(dataset, {"part": assignment.parts}, assignment.description)


_OFFICIAL_TEST = ("valid", "both")
# What a tested picture may share with one that was trained on.
OVERLAPS = {
    "file": Text("the same file", "같은 파일"),
    "sha256": Text("the same content", "같은 내용"),
    "look_alikes": Text("a near-duplicate", "거의 같은 사진"),
    "capture": Text("the same capture", "같은 촬영"),
    "site": Text("the same site", "같은 기관"),
}


def overlap(rows: pd.DataFrame, tested: Sequence[bool] | np.ndarray) -> dict[str, float]:
    """Return the shares of tested pictures of which training has the file, a near-duplicate, the capture, the site."""
    is_tested = np.asarray(tested, dtype=bool)
    test, train = rows[is_tested], rows[~is_tested]
    shares = {"file": float((test["official"] == "both").mean())}
    for column in ("look_alikes", "capture", "site"):
        if column in rows:
            # A picture in both of the publisher's splits is a training picture as well.
            trained = pd.concat([train[column], test.loc[test["official"] == "both", column]]).dropna()
            has_value = test[column].notna() & (test[column] != "")
            shares[column] = float((test[column].isin(trained) & has_value).mean())
    return {name: round(share, 4) for name, share in shares.items()}


# --- The algorithm ----------------------------------------------------------------------------------------------------


def split_groups(rows: pd.DataFrame, group: str, seed: int, shares: dict[str, float] | None = None) -> pd.Series:
    """Split `rows` so that no value of the column `group`, and no set of near-duplicates, lies in two splits.

    Of many random assignments of whole groups, the one nearest to the target shares is kept, over all images and over
    the images of every grade of every condition; a grade absent from a split costs most. Deterministic for a seed.

    Args:
        rows: the column `group`, the labels, and perhaps `look_alikes`: numbers of sets of near-duplicates, null for
            pictures in no set. Groups that share such a set stay together.
        shares: split → share of the images; None takes PART_SHARES.

    Returns:
        The split of each row, in the order of `rows`.

    Raises:
        ScalpError: fewer groups than splits.
    """
    shares = shares or PART_SHARES
    members = joined_groups(rows, group)
    groups = int(members.max(initial=-1)) + 1
    if groups < len(shares):
        raise ScalpError(
            "too_few_groups",
            f"{groups} different values of “{group}” cannot fill {len(shares)} splits. Add data, or split by a "
            "finer column.",
            f"“{group}” 값이 {groups}개뿐이라 {len(shares)}개로 나눌 수 없어요. 데이터를 늘리거나 더 세밀한 "
            "기준으로 나누세요.",
        )
    counts = _group_counts(rows, members, groups)
    generator = np.random.default_rng(seed)
    target = np.array(list(shares.values())) / sum(shares.values())
    candidates = max(_MIN_CANDIDATES, min(_MAX_CANDIDATES, _GROUPS_COMPARED // groups))
    assignments = [_random_assignment(counts[:, 0], target, generator) for _ in range(candidates)]
    best = min(assignments, key=lambda assignment: _cost(assignment, counts, target))
    return pd.Series(np.array(list(shares), dtype=object)[best[members]], index=rows.index, dtype="string")


def joined_groups(rows: pd.DataFrame, group: str) -> Groups:
    """Number the rows by group; groups that share near-duplicates have one number."""
    members = pd.factorize(rows[group].astype("object"), sort=True, use_na_sentinel=False)[0].astype(np.intp)
    if "look_alikes" not in rows:
        return members
    in_set = rows["look_alikes"].notna().to_numpy()
    sets = pd.factorize(rows["look_alikes"][in_set])[0]
    # A graph of groups and sets: an edge joins a group to each set that it has a picture of.
    groups = int(members.max(initial=-1)) + 1
    nodes = groups + int(sets.max(initial=-1)) + 1
    edges = coo_array((np.ones(len(sets), dtype=bool), (members[in_set], groups + sets)), shape=(nodes, nodes))
    components = connected_components(edges, directed=False)[1]
    return np.unique(components[members], return_inverse=True)[1]


def _group_count(rows: pd.DataFrame, group: str) -> int:
    return int(joined_groups(rows, group).max(initial=-1)) + 1


def _group_counts(rows: pd.DataFrame, members: Groups, groups: int) -> Counts:
    """Count the images of each group, then those of each grade of each condition."""
    columns = [np.ones(len(rows))]
    for condition in CONDITIONS:
        for grade in GRADES:
            columns.append(np.asarray((rows[condition.value] == int(grade)).fillna(False), dtype=np.float64))
    return np.stack([np.bincount(members, weights=column, minlength=groups) for column in columns], axis=1)


def _random_assignment(
    sizes: npt.NDArray[np.float64], target: npt.NDArray[np.float64], generator: np.random.Generator
) -> Groups:
    """Assign the groups in random order, each to the split that lacks most images of its share."""
    lacking = target * sizes.sum()
    assignment = np.empty(len(sizes), dtype=np.intp)
    for group in generator.permutation(len(sizes)):
        assignment[group] = np.argmax(lacking)
        lacking[assignment[group]] -= sizes[group]
    return assignment


def _cost(assignment: Groups, counts: Counts, target: npt.NDArray[np.float64]) -> float:
    """Return the mean deviation from the target shares plus the number of grades absent from a split."""
    totals = counts.sum(axis=0)
    present = totals > 0
    shares = np.stack([counts[assignment == part].sum(axis=0) for part in range(len(target))])[:, present]
    shares /= totals[present]
    return float(np.abs(shares - target[:, None]).mean() + (shares == 0).sum())
