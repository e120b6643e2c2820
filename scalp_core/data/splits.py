"""Assigns the rows of a dataset to splits: by site, by capture, or as its publisher did.

Groups, and groups that share near-duplicates, are never divided. Pictures that their publisher marked test are in the
test split whatever the method, and rows of an earlier import keep their split.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scalp_core.data.aihub import is_called_test, official_parts
from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset, claimed
from scalp_core.data.index_writer import change_columns
from scalp_core.errors import ScalpError, Text
from scalp_core.labels import CONDITIONS, GRADES

# Shares of images; operating points are fitted on calib, test is only ever reported.
PART_SHARES = {"train": 0.60, "valid": 0.12, "calib": 0.13, "test": 0.15}
# What a split may go by; `all` puts everything into the training split.
SPLIT_METHODS = {
    "site": Text("by site: each site, so each person, in one split", "기관별: 한 기관(사람)의 사진은 한 분할에만"),
    "capture": Text("by capture: each capture in one split", "촬영별: 한 촬영의 사진은 한 분할에만"),
    "official": Text("the published split (may leak)", "배포처의 원래 분할 (누출 가능)"),
    "all": Text("all for training", "모두 학습용"),
}
# What following the published split means.
OFFICIAL_RULES = {
    "as_marked": Text(
        "test pictures as published; published validation is divided into validation and calibration; splits that "
        "were not published are cut from training by groups",
        "테스트는 배포처가 정한 그대로예요. 배포처의 검증은 검증과 보정으로 나누고, 없는 분할은 학습에서 그룹 단위로 "
        "떼어 내요",
    ),
    "validation_tests": Text(
        "no test split was published, so published validation pictures are tested on, as published results are",
        "배포처의 테스트 분할이 없어, 공개된 결과처럼 배포처의 검증 사진으로 테스트해요",
    ),
}
MIN_SITES = 8  # fewer are not split by site unless asked for
COLUMNS = ("site", "capture", *LABEL_COLUMNS)

# Random assignments compared: so many of groups together, within these bounds. Many groups even each other out.
_GROUPS_COMPARED = 200_000
_MIN_CANDIDATES, _MAX_CANDIDATES = 8, 400
_TRAIN, _TEST = PARTS.index("train"), PARTS.index("test")
_NEW = -1  # in place of a place in PARTS

Groups = npt.NDArray[np.intp]  # (rows,): numbers from 0
Counts = npt.NDArray[np.float64]  # (groups, 1 + conditions × grades)
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SplitAssignment:
    """The split of each row, and what `dataset.json` keeps about how it was assigned."""

    parts: pd.Series
    description: dict[str, object]


@dataclass(frozen=True)
class Settled:
    """Facts about the rows that are settled before their groups are assigned; a group follows any of its rows.

    Attributes:
        test: rows that their publisher marked test. Their groups are tested on, whatever else is settled.
        train: rows that an earlier run learned from. Their groups are learned from, and never judged on.
        before: place in PARTS of the split before, -1 for a new row. Where a new near-duplicate ties groups of
            several splits, the earliest counts: a picture may go from test to training, but not back.
    """

    test: Flags
    train: Flags
    before: Groups

    def of(self, rows: Flags) -> "Settled":
        return Settled(self.test[rows], self.train[rows], self.before[rows])

    @property
    def repeated(self) -> bool:
        return bool((self.before != _NEW).any())


def settle(
    rows: pd.DataFrame, *, learn_from_test: bool = False, learned: Flags | None = None, before: pd.Series | None = None
) -> Settled:
    """Return what is settled about these rows.

    Args:
        rows: `official` if known.
        learn_from_test: take pictures marked test as any others.
        learned: rows that an earlier run learned from.
        before: the split of each row in an earlier index, null for a new row.
    """
    test = np.zeros(len(rows), dtype=bool)
    if "official" in rows and not learn_from_test:
        test = marked_test(rows["official"])
    train = np.zeros(len(rows), dtype=bool) if learned is None else learned
    return Settled(test, train, np.full(len(rows), _NEW) if before is None else _places(before))


def _places(parts: pd.Series) -> Groups:
    """Return the place in PARTS of each value, -1 for null."""
    places = {part: place for place, part in enumerate(PARTS)}
    return np.array([places.get(part, _NEW) for part in parts.astype("object")], dtype=np.intp)


def marked_test(official: pd.Series) -> Flags:
    """Return which rows their publisher called test."""
    return np.asarray(official.isin([text for text in official.dropna().unique() if is_called_test(str(text))]))


def safest_method(rows: pd.DataFrame, settled: Settled | None = None) -> str:
    """Return the safest split method for these rows: by site if there are enough, else by capture, as published, none.

    As published only where test pictures lie in so many captures that too few are left to learn from.
    """
    settled = settled or settle(rows)
    if _group_count(rows, "site") >= MIN_SITES and is_possible(rows, "site", settled):
        return "site"
    if is_possible(rows, "capture", settled):
        return "capture"
    return "official" if settled.test.any() and not settled.test.all() and _is_understood(rows) else "all"


def is_possible(rows: pd.DataFrame, method: str, settled: Settled | None = None) -> bool:
    """Return whether these rows have enough groups, or a published split, for one of SPLIT_METHODS."""
    if method == "official":
        return "official" in rows and bool(set(rows["official"].dropna().unique()) - {"train"})
    if method == "all":
        return True
    settled = settled or settle(rows)
    members = joined_groups(rows, method)
    assigned = _settled_groups(members, settled, list(PARTS))
    return _lacking(assigned, len(PARTS)) <= 0


def assign_splits(
    rows: pd.DataFrame, by: str, seed: int, settled: Settled | None = None, *, validation_tests: bool = False
) -> SplitAssignment:
    """Assign every row to a split by one of SPLIT_METHODS; deterministic for a seed.

    Args:
        rows: COLUMNS, `look_alikes` if known, and `official` for that method.
        settled: None takes that of the rows alone.
        validation_tests: where no test split was published, test on published validation pictures.

    Raises:
        ScalpError: too few groups, an unknown method, or `official` without a published split or with words in it
            that are not understood.
    """
    if by not in SPLIT_METHODS:
        raise ScalpError(
            "bad_split",
            f"Cannot split a dataset by “{by[:40]}”. Use one of: {', '.join(SPLIT_METHODS)}.",
            f"“{by[:40]}” 기준으로는 나눌 수 없어요. 가능한 값: {', '.join(SPLIT_METHODS)}.",
        )
    settled = settled or settle(rows)
    if by == "official":
        return _assign_official(rows, seed, settled, validation_tests)
    description: dict[str, object] = {"by": by, "seed": seed, "leaky": False}
    if settled.test.any():
        description["marked_test"] = int(settled.test.sum())
    if by == "all":
        members = joined_groups(rows, "capture")
        tested = np.isin(members, members[settled.test])
        return SplitAssignment(pd.Series(np.where(tested, "test", "train"), rows.index, "string"), description)
    values, groups = int(rows[by].nunique()), _group_count(rows, by)
    description |= {"values": values, "groups": groups}
    return SplitAssignment(split_groups(rows, by, seed, settled=settled), description)


def reassign_splits(
    dataset: Dataset, by: str, seed: int, *, learn_from_test: bool = False, learned: frozenset[str] = frozenset()
) -> Dataset:
    """Assign the rows of a dataset anew. Raises ScalpError as `assign_splits`.

    Args:
        learn_from_test: take pictures marked test by their publisher as any others.
        learned: SHA-256 of pictures that an earlier run learned from: they stay out of test.
    """
    with claimed(dataset.name):
        optional = [name for name in ("official", "look_alikes") if name in dataset.columns]
        rows = pd.DataFrame({name: dataset.column(name) for name in (*COLUMNS, *optional)})
        seen = dataset.column("sha256").isin(learned).to_numpy(dtype=bool)
        settled = settle(rows, learn_from_test=learn_from_test, learned=seen)
        assignment = assign_splits(rows, by, seed, settled, validation_tests=tests_on_validation(dataset.kind))
        description = assignment.description | ({"learn_from_test": True} if learn_from_test else {})
        return change_columns(dataset, {"part": assignment.parts}, description)


def tests_on_validation(kind: str) -> bool:
    """Return whether published results of this kind of dataset are those of its validation split."""
    return kind == "aihub"


# --- The published split ----------------------------------------------------------------------------------------------


def _assign_official(rows: pd.DataFrame, seed: int, settled: Settled, validation_tests: bool) -> SplitAssignment:
    """Follow the publisher's split by one of OFFICIAL_RULES.

    A picture with several marks has the one that is furthest from learning: copies of it in training show as overlap.
    """
    marks = _last_marks(rows)
    rule = "validation_tests" if validation_tests and not (marks == _TEST).any() else "as_marked"
    if rule == "validation_tests":
        marks[marks == PARTS.index("valid")] = _TEST
    else:
        _divide_validation(rows, marks, seed, settled)
    cut = [part for place, part in enumerate(PARTS) if place != _TRAIN and not (marks == place).any()]
    pool = marks <= _TRAIN
    if cut:
        shares = {part: PART_SHARES[part] for part in ("train", *cut)}
        by = "site" if _group_count(rows[pool], "site") >= len(shares) else "capture"
        parts = split_groups(rows[pool], by, seed, shares, settled.of(pool))
        marks[pool] = _places(parts)
    else:
        marks[pool] = _TRAIN
    tested = marks == _TEST
    shared = overlap(rows, tested)
    leaky = rule == "validation_tests" or any(shared.values())
    description = {"by": "official", "rule": rule, "cut": cut, "seed": seed, "leaky": leaky}
    parts = pd.Series(np.array(PARTS, dtype=object)[marks], index=rows.index, dtype="string")
    return SplitAssignment(parts, description | ({"overlap": shared} if leaky else {}))


def _last_marks(rows: pd.DataFrame) -> Groups:
    """Return the place in PARTS of each row's last mark, -1 where it has none.

    Raises:
        ScalpError: no picture is marked for anything but training; words that are not understood.
    """
    texts = [] if "official" not in rows else [str(text) for text in rows["official"].dropna().unique()]
    marks = {text: official_parts(text) for text in texts}
    if unknown := sorted(text for text, parts in marks.items() if not parts):
        listed = ", ".join(f"“{word[:40]}”" for word in unknown[:20])
        raise ScalpError(
            "unknown_split",
            f"The published split has words that are not understood: {listed}. Write train, val, calib or test, or "
            "split by site or capture.",
            f"배포처의 분할에 알 수 없는 말이 있어요: {listed}. train, val, calib, test로 쓰거나 기관별·촬영별로 "
            "나누세요.",
        )
    if not any(parts - {"train"} for parts in marks.values()):
        raise ScalpError(
            "no_official_split",
            "This dataset has no published split: no picture is marked validation or test, neither by a folder "
            "(train, val, test) nor by a column “split” or “official” of a table.",
            "이 데이터셋에는 배포처의 분할이 없어요. 검증이나 테스트로 표시된 사진이 폴더(train, val, test)에도 표의 "
            "“split”·“official” 열에도 없어요.",
        )
    places = {text: max(map(PARTS.index, parts)) for text, parts in marks.items()}
    return np.array([places.get(text, _NEW) for text in rows["official"].astype("object")], dtype=np.intp)


def _is_understood(rows: pd.DataFrame) -> bool:
    return all(official_parts(str(text)) for text in rows["official"].dropna().unique())


def _divide_validation(rows: pd.DataFrame, marks: Groups, seed: int, settled: Settled) -> None:
    """Make calibration of some groups of the validation pictures, unless there is some or they are a single group."""
    if (marks == PARTS.index("calib")).any():
        return
    valid = marks == PARTS.index("valid")
    by = next((group for group in ("site", "capture") if _group_count(rows[valid], group) > 1), None)
    if by:
        shares = {part: PART_SHARES[part] for part in ("valid", "calib")}
        parts = split_groups(rows[valid], by, seed, shares, settled.of(valid))
        marks[valid] = _places(parts)


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
    # A picture in several of the publisher's splits is a training picture as well.
    several = test["official"].map(lambda text: len(official_parts(str(text))) > 1).to_numpy(dtype=bool)
    shares = {"file": float(several.mean()) if len(several) else 0.0}
    for column in ("look_alikes", "capture", "site"):
        if column in rows:
            trained = pd.concat([train[column], test.loc[several, column]]).dropna()
            has_value = test[column].notna() & (test[column] != "")
            shares[column] = float((test[column].isin(trained) & has_value).mean()) if len(test) else 0.0
    return {name: round(share, 4) for name, share in shares.items()}


# --- The algorithm ----------------------------------------------------------------------------------------------------


def split_groups(
    rows: pd.DataFrame,
    group: str,
    seed: int,
    shares: dict[str, float] | None = None,
    settled: Settled | None = None,
) -> pd.Series:
    """Split `rows` so that no value of the column `group`, and no set of near-duplicates, lies in two splits.

    Of many random assignments of whole groups, the one nearest to the target shares is kept, over all images and over
    the images of every grade of every condition; a grade absent from a split costs most. Deterministic for a seed.

    Args:
        rows: the column `group`, the labels, and perhaps `look_alikes`: numbers of sets of near-duplicates, null for
            pictures in no set. Groups that share such a set stay together.
        shares: split, or a fold's number, → share of the images; None takes PART_SHARES.
        settled: groups with settled rows are not assigned any more; None: all are.

    Returns:
        The split of each row, in the order of `rows`.

    Raises:
        ScalpError: fewer groups than splits, but for an import that is repeated.
    """
    shares = shares or PART_SHARES
    members = joined_groups(rows, group)
    groups = int(members.max(initial=-1)) + 1
    assigned = _settled_groups(members, settled, list(shares))
    if _lacking(assigned, len(shares)) > 0 and not (settled and settled.repeated):
        raise ScalpError(
            "too_few_groups",
            f"{groups} different values of “{group}” cannot fill {len(shares)} splits{_held(assigned, 'en')}. Add "
            "data, or split by a finer column.",
            f"“{group}” 값이 {groups}개뿐이라 {len(shares)}개로 나눌 수 없어요{_held(assigned, 'ko')}. 데이터를 "
            "늘리거나 더 세밀한 기준으로 나누세요.",
        )
    counts = _group_counts(rows, members, groups)
    generator = np.random.default_rng(seed)
    target = np.array(list(shares.values())) / sum(shares.values())
    candidates = max(_MIN_CANDIDATES, min(_MAX_CANDIDATES, _GROUPS_COMPARED // groups))
    assignments = [_random_assignment(counts[:, 0], target, assigned, generator) for _ in range(candidates)]
    best = min(assignments, key=lambda assignment: _cost(assignment, counts, target))
    return pd.Series(np.array(list(shares), dtype=object)[best[members]], index=rows.index, dtype="string")


def _settled_groups(members: Groups, settled: Settled | None, parts: Sequence[str]) -> Groups:
    """Return the place in `parts` of each settled group, -1 of each that is still to be assigned."""
    groups = int(members.max(initial=-1)) + 1
    assigned = np.full(groups, len(PARTS))
    if settled is not None:
        places = np.where(settled.train, _TRAIN, np.where(settled.before == _NEW, len(PARTS), settled.before))
        np.minimum.at(assigned, members, places)
        assigned[members[settled.test]] = _TEST
    places_of = {PARTS.index(part): place for place, part in enumerate(parts) if part in PARTS}
    return np.array([places_of.get(place, _NEW) for place in assigned.tolist()], dtype=np.intp)


def _lacking(assigned: Groups, parts: int) -> int:
    """Return how many groups too few there are to fill the splits that no settled group fills."""
    filled = len(set(assigned.tolist()) - {_NEW})
    return parts - filled - int((assigned == _NEW).sum())


def _held(assigned: Groups, language: str) -> str:
    """Say how many groups are not free for every split."""
    settled = int((assigned != _NEW).sum())
    words = Text(
        f" ({settled} are settled: pictures marked test, or learned from before)",
        f" ({settled}개는 이미 정해져 있음: 테스트로 표시되었거나 이전에 학습한 사진)",
    )
    return words(language) if settled else ""


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
    sizes: npt.NDArray[np.float64], target: npt.NDArray[np.float64], assigned: Groups, generator: np.random.Generator
) -> Groups:
    """Assign the groups that are not yet in random order, each to the split that lacks most images of its share."""
    settled = assigned != _NEW
    lacking = target * sizes.sum() - np.bincount(assigned[settled], sizes[settled], len(target))
    assignment = assigned.copy()
    for group in generator.permutation(len(sizes)):
        if not settled[group]:
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
