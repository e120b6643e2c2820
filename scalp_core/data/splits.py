"""Dealing the rows of a data set to parts: by site, by capture, or as its publisher did, and saying what that means.

Knows no files; `dataset.split` finds the assignment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scalp_core.data.dataset import (
    LABEL_COLUMNS,
    PART_SHARES,
    Dataset,
    change_columns,
    claimed,
    joined_groups,
    split,
)
from scalp_core.errors import ScalpError, Text

# What a split may go by; `all` puts everything into the training part.
WAYS = {
    "site": Text("by site: each site, so each person, in one split", "기관별: 한 기관(사람)의 사진은 한 분할에만"),
    "capture": Text("by capture: each capture in one split", "촬영별: 한 촬영의 사진은 한 분할에만"),
    "official": Text("the published split (leaks)", "배포처의 원래 분할 (누출 있음)"),
    "all": Text("all for training", "모두 학습용"),
}
_FEWEST_SITES = 8
COLUMNS = ("site", "capture", *LABEL_COLUMNS)


@dataclass(frozen=True)
class SplitAssignment:
    """Parts of rows, in their order, and what `dataset.json` keeps about how they came about."""

    parts: pd.Series
    described: dict[str, object]


def best_way(rows: pd.DataFrame) -> str:
    """The safest split these rows allow: by site where there are enough, else by capture, else none."""
    if joined_groups(rows, "site").max(initial=-1) + 1 >= _FEWEST_SITES:
        return "site"
    if joined_groups(rows, "capture").max(initial=-1) + 1 >= len(PART_SHARES):
        return "capture"
    return "all"


def possible(rows: pd.DataFrame, by: str) -> bool:
    """Whether these rows have groups, or tested pictures, enough for one of WAYS."""
    if by == "official":
        return "official" in rows and bool(rows["official"].isin(_OFFICIAL_TEST).any())
    return by == "all" or int(joined_groups(rows, by).max(initial=-1)) + 1 >= len(PART_SHARES)


def assign_splits(rows: pd.DataFrame, by: str, seed: int) -> SplitAssignment:
    """Parts by one of WAYS.

    Args:
        rows: COLUMNS, `look_alikes` if known, and `official` for that way.

    Raises:
        ScalpError: too few groups, an unknown way, or `official` where nobody has published a split.
    """
    if by not in WAYS:
        raise ScalpError(
            "bad_split",
            f"A dataset cannot be split by “{by[:40]}”; known are {', '.join(WAYS)}.",
            f"“{by[:40]}” 기준으로는 나눌 수 없어요. 가능한 값: {', '.join(WAYS)}.",
        )
    if by == "all":
        return SplitAssignment(
            pd.Series("train", index=rows.index, dtype="string"), {"by": by, "seed": seed, "leaky": False}
        )
    if by == "official":
        return _official(rows, seed)
    groups = int(joined_groups(rows, by).max(initial=-1)) + 1
    described = {"by": by, "seed": seed, "leaky": False, "values": int(rows[by].nunique()), "groups": groups}
    return SplitAssignment(split(rows, by, seed), described)


def _official(rows: pd.DataFrame, seed: int) -> SplitAssignment:
    """Everything that the publisher validates on is tested on; the rest is dealt to the other parts by site.

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
    sites = int(others["site"].nunique())
    by = "site" if sites >= len(shares) else "capture"
    parts[~tested] = split(others, by, seed, shares).to_numpy()
    return SplitAssignment(parts, {"by": "official", "seed": seed, "leaky": True, "overlap": overlap(rows, tested)})


def reassign_splits(dataset: Dataset, by: str, seed: int) -> Dataset:
    """The same data set with other parts. Raises ScalpError as `deal`."""
    with claimed(dataset.name):
        known = [name for name in ("official", "look_alikes") if name in dataset.columns]
        dealt = assign_splits(pd.DataFrame({name: dataset.column(name) for name in (*COLUMNS, *known)}), by, seed)
        return change_columns(dataset, {"part": dealt.parts}, dealt.described)


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
    """Shares of the tested pictures that training has as well: the file, a look-alike, the capture, the site."""
    chosen = np.asarray(tested, dtype=bool)
    test, train = rows[chosen], rows[~chosen]
    shares = {"file": float((test["official"] == "both").mean())}
    for column in ("look_alikes", "capture", "site"):
        if column in rows:
            # Whatever lies in both parts of the publisher is a training picture as well.
            seen = pd.concat([train[column], test.loc[test["official"] == "both", column]]).dropna()
            known = test[column].notna() & (test[column] != "")  # what nobody knows is shared by nobody
            shares[column] = float((test[column].isin(seen) & known).mean())
    return {name: round(share, 4) for name, share in shares.items()}
