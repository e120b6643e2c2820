"""Label review: what readers grade anew, in a log that is only ever added to, and the dataset with their labels.

The log is `reviews.sqlite` in the dataset's folder. Nothing in it is changed or removed: undoing is an entry of its
own. SQLite writes each entry whole or not at all, and several tabs and processes at once.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import pandas as pd

from scalp_core.data.dataset import Dataset, claimed, list_datasets
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, GRADES, Condition

MOST_LETTERS = 80  # of a reader's name
KINDS = ("grade", "skip", "settle", "undo")
OUTCOMES = ("settled", "agreed", "single", "conflict")
_WAIT = 30.0  # seconds for another process to finish writing
_TABLE = """
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT, made TEXT NOT NULL, reader TEXT NOT NULL, image TEXT NOT NULL,
    sha256 TEXT NOT NULL, condition TEXT NOT NULL, kind TEXT NOT NULL, grade INTEGER, label INTEGER, undoes INTEGER)
"""
_COLUMNS = ("number", "made", "reader", "image", "sha256", "condition", "kind", "grade", "label", "undoes")


class Undone(NamedTuple):
    """The entry that was taken back: its picture and condition."""

    image: str
    condition: Condition


def record(
    dataset: Dataset, reader: str, image: str, condition: Condition, kind: str, grade: int | None = None
) -> None:
    """Add an entry: a grade of a reader, a picture that she skips, or a grade that settles a conflict.

    Args:
        kind: `grade`, `skip` or `settle`.
        grade: 0–3; None for `skip`.

    Raises:
        ScalpError: the reader has no name; no such picture; the log is damaged or cannot be written.
    """
    row, name = dataset.row(image), " ".join(reader.split())[:MOST_LETTERS]
    if not name:
        raise ScalpError("no_reader", "Write your name first.", "먼저 이름을 적으세요.")
    if row < 0 or kind not in KINDS[:3] or (grade in tuple(map(int, GRADES))) != (kind != "skip"):
        raise ScalpError("bad_review", "This is no grade of a picture here.", "여기 있는 사진의 등급이 아니에요.")
    label = dataset.column(condition.value).iloc[row]
    content = str(dataset.column("sha256").iloc[row])
    with _log(dataset) as log:
        _add(log, name, image, content, condition, kind, grade, None if pd.isna(label) else int(label), None)


def undo(dataset: Dataset, reader: str, condition: Condition) -> Undone | None:
    """Take back the reader's latest entry in a condition that still stands; None where there is none.

    Raises:
        ScalpError: the log is damaged or cannot be written.
    """
    name = " ".join(reader.split())[:MOST_LETTERS]
    with _log(dataset) as log:
        log.execute("BEGIN IMMEDIATE")  # two tabs would take back the same one
        latest = log.execute(
            "SELECT number, image, sha256 FROM entry WHERE reader = ? AND condition = ? AND kind <> 'undo' AND number "
            "NOT IN (SELECT undoes FROM entry WHERE undoes IS NOT NULL) ORDER BY number DESC LIMIT 1",
            (name, condition.value),
        ).fetchone()
        if latest is None:
            return None
        number, image, content = latest
        _add(log, name, image, content, condition, "undo", None, None, number)
    return Undone(image, condition)


def _add(log: sqlite3.Connection, *values: object) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    log.execute(
        "INSERT INTO entry (made, reader, image, sha256, condition, kind, grade, label, undoes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (now, *(value.value if isinstance(value, Condition) else value for value in values)),
    )


def entries(dataset: Dataset) -> pd.DataFrame:
    """Return the whole log in its order.

    Returns:
        number, made (UTC, ISO 8601), reader, image, sha256 (of the picture), condition, kind (of KINDS), grade, label
        (in the index then), undoes (a number).

    Raises:
        ScalpError: the log is damaged.
    """
    if not (dataset.folder / "reviews.sqlite").exists():
        rows = []
    else:
        with _log(dataset) as log:
            rows = log.execute(f"SELECT {', '.join(_COLUMNS)} FROM entry ORDER BY number").fetchall()  # noqa: S608
    numbers = dict.fromkeys(("number", "grade", "label", "undoes"), "Int64")
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(numbers)


def standing(log: pd.DataFrame) -> pd.DataFrame:
    """Return the entries that were not taken back: the latest of each reader, picture, condition and kind."""
    kept = log[(log["kind"] != "undo") & ~log["number"].isin(log["undoes"].dropna())]
    kinds = kept["kind"].replace("skip", "grade")  # a grade takes the place of an earlier skip, and the reverse
    return kept[~kept.assign(kind=kinds).duplicated(["reader", "image", "condition", "kind"], keep="last")]


@contextmanager
def _log(dataset: Dataset) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(dataset.folder / "reviews.sqlite", timeout=_WAIT)) as log, log:
            log.execute(_TABLE)
            yield log
    except sqlite3.Error as error:
        raise ScalpError(
            "damaged_reviews",
            f"reviews.sqlite of dataset “{dataset.name}” cannot be used ({error}). Restore it, or move it away to "
            "begin anew.",
            f"“{dataset.name}” 데이터셋의 reviews.sqlite를 쓸 수 없어요({error}). 복원하거나, 새로 시작하려면 다른 "
            "곳으로 옮기세요.",
        ) from error


# ---- what comes of it ----


def reviewed_labels(log: pd.DataFrame) -> pd.DataFrame:
    """Return the grade of each picture and condition that readers graded.

    Returns:
        image, condition, readers (how many graded it), grade (missing in a conflict), outcome: `settled`, `agreed` by
        all readers, `single` reader, or `conflict`.
    """
    rows = []
    entries_that_count = standing(log)
    entries_that_count = entries_that_count[entries_that_count["kind"].isin(("grade", "settle"))]
    for (image, condition), group in entries_that_count.groupby(["image", "condition"], sort=True):
        settled = group[group["kind"] == "settle"]
        read = group[group["kind"] == "grade"]
        if len(settled):
            outcome, grade = "settled", int(settled.sort_values("number")["grade"].iloc[-1])
        elif read["grade"].nunique() == 1:
            outcome, grade = ("agreed" if len(read) > 1 else "single"), int(read["grade"].iloc[0])
        else:
            outcome, grade = "conflict", None
        rows.append((image, condition, len(read), grade, outcome))
    table = pd.DataFrame(rows, columns=["image", "condition", "readers", "grade", "outcome"])
    return table.astype({"grade": "Int64"})


def make_reviewed(dataset: Dataset, name: str) -> Dataset:
    """Make a dataset of the same pictures and splits with the labels that readers agreed on.

    Conflicts that are not settled keep their label. The dataset that was reviewed stays as it is, so its runs do, too.

    Raises:
        ScalpError: nothing was graded; `dataset_exists`; the name is malformed.
    """
    labels = reviewed_labels(entries(dataset)).dropna(subset=["grade"])
    labels = labels[labels["image"].isin(dataset.column("id"))]
    if labels.empty:
        raise ScalpError("nothing_reviewed", "No label was reviewed yet.", "아직 검수한 라벨이 없어요.")
    rows = dataset.index.copy()
    for condition in CONDITIONS:
        own = labels[labels["condition"] == condition.value].set_index("image")["grade"]
        rows.loc[own.index, condition.value] = own.astype("Int8")
    changed = int((rows[list(CONDITIONS)] != dataset.index[list(CONDITIONS)]).fillna(True).to_numpy().sum())
    with claimed(name) as folder:
        if name in {each.name for each in list_datasets()} or folder.exists():
            raise ScalpError(
                "dataset_exists",
                f"There is a dataset “{name}” already. Choose another name.",
                f"“{name}” 데이터셋이 이미 있어요. 다른 이름을 쓰세요.",
            )
        folder.mkdir()
        review = {"of": dataset.name, "index_hash": dataset.index_hash, "labels": len(labels), "changed": changed}
        return write_dataset(
            folder,
            dataset.kind,
            dataset.made | {"review": review},
            rows.reset_index(drop=True),
            source=dataset.source or str(dataset.folder.resolve()),
            parts=dataset.parts,
        )
