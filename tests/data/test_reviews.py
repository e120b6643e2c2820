"""Label review: the log only grows, tabs side by side lose nothing, and the reviewed dataset leaves the other alone."""

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Folders
from sklearn.metrics import cohen_kappa_score

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.reviews import entries, make_reviewed, record, reviewed_labels, standing, undo
from scalp_core.errors import ScalpError
from scalp_core.evaluation.label_review import reader_agreements
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic.generate import make_dataset

SEBUM, DANDRUFF = Condition.EXCESS_SEBUM, Condition.DANDRUFF


@pytest.fixture
def small(folders: Folders) -> Dataset:
    return make_dataset("small", 20, 0, processes=1)


def read(dataset: Dataset, reader: str, grades: Sequence[int], condition: Condition = SEBUM) -> list[str]:
    ids = dataset.index["id"].tolist()[: len(grades)]
    for image, grade in zip(ids, grades, strict=True):
        record(dataset, reader, image, condition, "grade", grade)
    return ids


def outcomes(dataset: Dataset) -> dict[str, tuple[str, int | None]]:
    table = reviewed_labels(entries(dataset))
    return {row.image: (row.outcome, None if pd.isna(row.grade) else int(row.grade)) for row in table.itertuples()}


def test_readers_agree_contradict_and_are_settled(small: Dataset) -> None:
    first = read(small, "Seoyeon", [0, 1, 2, 3])
    read(small, " Min  Jun ", [0, 3])
    assert outcomes(small) == {
        first[0]: ("agreed", 0),
        first[1]: ("conflict", None),
        first[2]: ("single", 2),
        first[3]: ("single", 3),
    }
    record(small, "Seoyeon", first[1], SEBUM, "settle", 2)
    assert outcomes(small)[first[1]] == ("settled", 2)
    assert undo(small, "Seoyeon", SEBUM) == (first[1], SEBUM)
    assert outcomes(small)[first[1]] == ("conflict", None)
    log = entries(small)
    assert log["kind"].tolist() == ["grade"] * 6 + ["settle", "undo"]
    assert log["reader"].unique().tolist() == ["Seoyeon", "Min Jun"]
    labels = small.index.loc[log["image"], SEBUM.value].tolist()
    assert log["label"].tolist()[:7] == labels[:7]
    assert log["sha256"].tolist() == small.index.loc[log["image"], "sha256"].tolist()


def test_later_grade_of_a_reader_counts_and_undo_goes_back_one_by_one(small: Dataset) -> None:
    (image, *_) = read(small, "A", [1, 2])
    record(small, "A", image, SEBUM, "skip")
    assert image not in outcomes(small)
    record(small, "A", image, SEBUM, "grade", 3)
    record(small, "A", image, DANDRUFF, "grade", 0)
    assert outcomes(small)[image][1] in (0, 3)
    for grade in (None, 1, 1):
        assert undo(small, "A", SEBUM) is not None
        table = reviewed_labels(entries(small))
        own = table[(table["image"] == image) & (table["condition"] == SEBUM)]
        assert (int(own["grade"].iloc[0]) if len(own) else None) == grade
    assert undo(small, "B", SEBUM) is None
    assert len(standing(entries(small))) == 2


@pytest.mark.parametrize(
    ("reader", "image", "kind", "grade", "code"),
    [
        ("  ", "", "grade", 1, "no_reader"),
        ("A", "../x", "grade", 1, "bad_review"),
        ("A", "", "grade", 4, "bad_review"),
        ("A", "", "grade", None, "bad_review"),
        ("A", "", "skip", 1, "bad_review"),
        ("A", "", "undo", None, "bad_review"),
    ],
)
def test_what_is_no_grade_is_refused(
    small: Dataset, reader: str, image: str, kind: str, grade: int | None, code: str
) -> None:
    with pytest.raises(ScalpError) as caught:
        record(small, reader, image or small.index["id"].iloc[0], SEBUM, kind, grade)
    assert caught.value.code == code
    assert entries(small).empty


def test_two_tabs_lose_nothing(small: Dataset) -> None:
    ids = small.index["id"].tolist()

    def reads(reader: str) -> None:
        for image in ids:
            record(open_dataset("small"), reader, image, SEBUM, "grade", 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(reads, ["A", "B", "C", "D"]))
        taken = list(pool.map(lambda _: undo(small, "A", SEBUM), range(len(ids))))
    assert len(entries(small)) == 5 * len(ids)
    assert sorted(undone.image for undone in taken if undone) == sorted(ids), "each was taken back once"


def test_a_damaged_log_is_said_and_stays(small: Dataset) -> None:
    read(small, "A", [1])
    path = Path(small.folder / "reviews.sqlite")
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    before = path.read_bytes()
    for use in (lambda: entries(small), lambda: read(small, "A", [1]), lambda: undo(small, "A", SEBUM)):
        with pytest.raises(ScalpError) as caught:
            use()
        assert caught.value.code == "damaged_reviews"
    assert path.read_bytes() == before
    path.unlink()
    with sqlite3.connect(path) as log:  # of another program
        log.execute("CREATE TABLE entry (x)")
    with pytest.raises(ScalpError, match="cannot be used"):
        entries(small)


def test_reviewed_dataset_has_the_labels_and_the_other_stays(small: Dataset) -> None:
    before = small.index_hash
    labels = small.index[SEBUM.value].tolist()
    wanted = [3 - int(label) for label in labels[:3]]
    ids = read(small, "A", wanted)
    read(small, "B", [wanted[0], (wanted[1] + 1) % 4])
    made = make_reviewed(small, "small-reviewed")
    expected = [wanted[0], labels[1], wanted[2], *labels[3:]]  # a conflict keeps its label
    assert made.index[SEBUM.value].tolist() == expected
    others = [condition.value for condition in CONDITIONS if condition is not SEBUM]
    assert made.index[others].equals(small.index[others])
    assert made.index["part"].equals(small.index["part"])
    assert open_dataset("small").index_hash == before != made.index_hash
    assert made.made["review"]["changed"] == sum(a != b for a, b in zip(expected, labels, strict=True))
    assert made.read(ids[0]) == small.read(ids[0])
    assert made.synthetic
    for name, code in (("small-reviewed", "dataset_exists"), ("../x", "bad_name")):
        with pytest.raises(ScalpError) as caught:
            make_reviewed(small, name)
        assert caught.value.code == code
    with pytest.raises(ScalpError, match="No label was reviewed"):
        make_reviewed(made, "again")


def test_agreement_is_scikit_learn_s_kappa(small: Dataset) -> None:
    generator = np.random.default_rng(0)
    first = generator.integers(0, 4, 20)
    second = np.clip(first + generator.integers(-1, 2, 20), 0, 3)
    read(small, "A", first.tolist())
    read(small, "B", second[:15].tolist())
    read(small, "C", [1])
    pairs = {pair.readers: pair for pair in reader_agreements(small, entries(small), SEBUM)}
    assert next(iter(pairs)) == ("A", "B")
    pair = pairs["A", "B"]
    assert pair.images == 15
    assert pair.kappa == pytest.approx(cohen_kappa_score(first[:15], second[:15], labels=range(4), weights="quadratic"))
    assert pair.low < pair.kappa < pair.high
    assert np.isnan(pairs["A", "C"].low)
    assert reader_agreements(small, entries(small), DANDRUFF) == []
