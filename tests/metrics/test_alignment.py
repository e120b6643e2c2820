"""Answers of several runs side by side: what belongs together meets, and what cannot be compared is refused."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.prediction_tables import DANDRUFF, SEBUM, add_noise, align_tables, prediction_table

from scalp_core.labels import CONDITIONS
from scalp_core.metrics.alignment import (
    align,
    all_wrong,
    arrange,
    cell_counts,
    confusion,
    far_apart,
    in_cell,
    only_right,
)
from scalp_core.metrics.metrics import PROBABILITIES, ranked_probability_scores
from scalp_core.metrics.metrics import confusion as confusion_of_table


def two_runs() -> dict[str, pd.DataFrame]:
    generator = np.random.default_rng(0)
    truth, other = generator.integers(0, 4, 60), generator.integers(0, 4, 60)
    sebum = {name: prediction_table(truth, add_noise(truth, 0.4, generator)) for name in ("one", "two")}
    dandruff = prediction_table([None, *other[1:]], add_noise(other, 0.3, generator), DANDRUFF)
    elsewhere = prediction_table(truth, truth, part="valid")
    return {"one": pd.concat([sebum["one"], dandruff, elsewhere]), "two": sebum["two"]}


def test_matrices_and_sums_are_those_of_each_table() -> None:
    tables = two_runs()
    aligned = align_tables(tables, in_group=4)
    counts, sums = confusion(aligned), cell_counts(aligned)
    assert counts.shape == (2, 6, 4, 4)
    assert sums.shape == (15, 2, 6, 17)
    assert np.array_equal(sums[..., :16].sum(axis=0).reshape(counts.shape), counts)
    for run, predictions in tables.items():
        for condition in (SEBUM, DANDRUFF):
            expected = confusion_of_table(predictions, condition, "test")
            place = aligned.run(run), aligned.condition(condition)
            assert np.array_equal(counts[place], expected)
            if expected.sum():
                score = sums[:, *place, 16].sum() / expected.sum()
                rows = predictions[
                    (predictions["condition"] == condition)
                    & (predictions["part"] == "test")
                    & predictions["truth"].notna()
                ]
                scores = ranked_probability_scores(rows[PROBABILITIES].to_numpy(), rows["truth"].to_numpy(dtype=int))
                assert score == pytest.approx(scores.mean(), rel=1e-5)


def test_ungraded_condition_is_empty_for_its_run() -> None:
    aligned = align_tables(two_runs())
    dandruff = aligned.condition(DANDRUFF)
    assert (aligned.truth[dandruff] >= 0).sum() == 59  # one has no label
    assert aligned.judged[:, dandruff].sum(axis=1).tolist() == [59, 0]
    assert (aligned.grades[aligned.run("two"), dandruff] == -1).all()
    assert (aligned.low[aligned.run("two"), dandruff] == -1).all()
    assert (aligned.truth[aligned.condition(CONDITIONS[0])] == -1).all()


def test_what_run_said_of_picture_stays_with_it() -> None:
    tables = two_runs()
    aligned = align_tables(tables)
    row = tables["two"].iloc[17]
    place = list(aligned.images).index(row["image"])
    at = aligned.run("two"), aligned.condition(SEBUM), place
    assert (aligned.grades[at], aligned.low[at], aligned.high[at]) == (row["grade"], row["low"], row["high"])
    assert aligned.probabilities[at].tolist() == pytest.approx(row[["p0", "p1", "p2", "p3"]].tolist())
    assert aligned.truth[aligned.condition(SEBUM), place] == row["truth"]


def test_the_order_of_rows_changes_nothing() -> None:
    tables = two_runs()
    shuffled = {name: ordered.sample(frac=1, random_state=3) for name, ordered in tables.items()}
    ordered, other = align_tables(tables, 4), align_tables(shuffled, 4)
    for name in ("images", "groups", "truth", "grades", "low", "high", "probabilities"):
        assert np.array_equal(getattr(ordered, name), getattr(other, name))


def test_the_pictures_of_a_cell() -> None:
    tables = two_runs()
    aligned = align_tables(tables)
    counts = confusion(aligned)
    for truth, predicted in ((0, 1), (2, 2), (3, 2)):
        places = in_cell(aligned, "one", SEBUM, truth, predicted)
        assert len(places) == counts[0, aligned.condition(SEBUM), truth, predicted]
        rows = tables["one"].query("condition == 'value_2' and part == 'test'").set_index("image")
        members = rows.loc[list(aligned.images[places])]
        assert (members["truth"] == truth).all()
        assert (members["grade"] == predicted).all()
    assert len(in_cell(aligned, "two", DANDRUFF, 0, 0)) == 0


def test_picture_without_capture_is_group_of_its_own() -> None:
    answers = {"one": arrange(prediction_table([0, 1, 2, 3], [0, 1, 2, 3]), "test")}
    aligned = align(answers, {"000": "a", "001": None, "002": float("nan"), "003": "a"})
    assert aligned.groups.tolist() == [0, 1, 2, 0]
    assert align(answers, {}).groups.tolist() == [0, 1, 2, 3]


def test_other_pictures_or_labels_are_refused() -> None:
    first = prediction_table([0, 1, 2], [0, 1, 2])
    with pytest.raises(ValueError, match="same pictures"):
        align_tables({"one": first, "two": prediction_table([0, 1, 2], [0, 1, 2], images=["000", "001", "x"])})
    with pytest.raises(ValueError, match="same labels"):
        align_tables({"one": first, "two": prediction_table([0, 1, 3], [0, 1, 2])})
    with pytest.raises(ValueError, match="nothing"):
        align({}, {})


def test_a_part_without_pictures_is_empty() -> None:
    aligned = align({"one": arrange(prediction_table([0], [0], part="valid"), "test")}, {})
    assert len(aligned.images) == 0
    assert confusion(aligned).sum() == 0
    assert cell_counts(aligned).shape == (0, 1, 6, 17)


# ---- disagreement ----

# Pictures:        0  1  2  3   4   5
TRUTH = np.array([0, 1, 2, 3, -1, 2], dtype=np.int8)
GRADES = np.array(
    [
        [0, 2, 1, 0, 0, -1],
        [0, 1, 1, 2, 3, -1],
        [1, 2, 3, 2, 1, -1],
        [-1] * 6,  # grades other conditions
    ],
    dtype=np.int8,
)


def test_all_wrong_means_no_run_is_right() -> None:
    assert all_wrong(TRUTH, GRADES).tolist() == [2, 3]  # the last is not graded, the one before has no label


def test_only_right_is_right_alone() -> None:
    assert [only_right(TRUTH, GRADES, run).tolist() for run in range(4)] == [[], [1], [], []]


def test_only_right_needs_two_runs() -> None:
    assert only_right(TRUTH, GRADES[[1, 3]], 0).tolist() == []
    assert only_right(TRUTH, GRADES[:1], 0).tolist() == []


def test_far_apart_needs_no_label() -> None:
    assert far_apart(GRADES).tolist() == [2, 3, 4]
    assert far_apart(GRADES, distance=3).tolist() == [4]
    assert far_apart(GRADES[3:]).tolist() == []


@given(st.lists(st.tuples(st.integers(-1, 3), *[st.integers(-1, 3)] * 3), min_size=1))
def test_every_picture_is_sorted_as_by_hand(pictures: list[tuple[int, ...]]) -> None:
    table: npt.NDArray[np.int8] = np.array(pictures, dtype=np.int8).T
    truth, grades = table[0], table[1:]
    for place, (label, *answers) in enumerate(pictures):
        given_answers = [answer for answer in answers if answer >= 0]
        right = [label >= 0 and answer == label for answer in answers]
        assert (place in all_wrong(truth, grades)) == (label >= 0 and bool(given_answers) and not any(right))
        for run in range(3):
            alone = right[run] and sum(right) == 1 and len(given_answers) > 1
            assert (place in only_right(truth, grades, run)) == alone
        spread = max(given_answers) - min(given_answers) if given_answers else 0
        assert (place in far_apart(grades)) == (spread >= 2)


@pytest.mark.parametrize("function", [lambda: all_wrong(TRUTH[:0], GRADES[:, :0]), lambda: far_apart(GRADES[:, :0])])
def test_no_picture_is_no_trouble(function) -> None:
    assert function().tolist() == []
