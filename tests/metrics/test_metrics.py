"""Metrics against scikit-learn and by hand."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, f1_score, recall_score

from scalp_core.metrics import metrics as evaluate
from scalp_core.metrics.metrics import COUNTED, KAPPA_IMAGES, confusion, count, measure, report, undefined_kappa

GRADES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(pairs=GRADES)
def test_as_scikit_learn_says(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs).T
    counts = count(truth, predicted)
    metrics = measure(counts)
    assert np.array_equal(counts, confusion_matrix(truth, predicted, labels=range(4)))
    assert metrics.images == len(pairs)
    assert metrics.accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert metrics.macro_f1 == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
    recalls = recall_score(truth, predicted, labels=np.unique(truth), average=None, zero_division=0)
    assert metrics.worst_grade_recall == pytest.approx(recalls.min())
    if len(set(truth)) > 1 and len(truth) >= KAPPA_IMAGES:
        kappa = cohen_kappa_score(truth, predicted, weights="quadratic", labels=range(4))
        assert metrics.quadratic_weighted_kappa == pytest.approx(kappa)


def test_by_hand() -> None:
    #                       truth 0: two right, one taken for 2; truth 3: one taken for 0; truth 1: right
    metrics = measure(count([0, 0, 0, 3, 1], [0, 0, 2, 0, 1]))
    assert metrics.average_mean_absolute_error == pytest.approx((2 / 3 + 0 + 3) / 3)
    assert metrics.worst_grade_recall == 0
    assert metrics.accuracy == pytest.approx(3 / 5)


def test_rows_are_the_truth() -> None:
    counts = count([3], [0])
    assert counts[3, 0] == 1
    assert counts.sum() == 1


def test_a_worse_mistake_costs_more() -> None:
    near, far = measure(count([0, 1, 2, 3], [0, 1, 2, 2])), measure(count([0, 1, 2, 3], [0, 1, 2, 0]))
    assert near.quadratic_weighted_kappa > far.quadratic_weighted_kappa
    assert near.average_mean_absolute_error < far.average_mean_absolute_error
    assert near.accuracy == far.accuracy


def test_nothing_labelled_says_nothing() -> None:
    metrics = measure(np.zeros((4, 4), dtype=np.int64))
    assert metrics.images == 0
    assert all(math.isnan(getattr(metrics, name)) for name in COUNTED)


def test_one_constant_grade_has_no_kappa_but_rest() -> None:
    metrics = measure(count([2, 2], [2, 2]))
    assert math.isnan(metrics.quadratic_weighted_kappa)
    assert (metrics.accuracy, metrics.macro_f1, metrics.worst_grade_recall) == (1, 1, 1)


@pytest.mark.parametrize(
    ("truth", "predicted", "reason"),
    [
        ([], [], "no labelled pictures"),
        ([2], [1], "only 1 labelled picture"),
        ([0, 3], [0, 3], "only 2 labelled pictures"),
        ([2, 2, 2, 2], [1, 0, 2, 3], "all labels are grade 2"),
    ],
)
def test_kappa_of_too_little_is_undefined(truth: list[int], predicted: list[int], reason: str) -> None:
    counts = count(truth, predicted)
    assert math.isnan(measure(counts).quadratic_weighted_kappa)
    assert (text := undefined_kappa(counts.sum(axis=1)))
    assert text.en == reason


def test_constant_answers_to_several_grades_have_kappa_zero() -> None:
    counts = count([0, 1, 2, 3], [1, 1, 1, 1])
    assert measure(counts).quadratic_weighted_kappa == 0
    assert undefined_kappa(counts.sum(axis=1)) is None


def table(
    truth: list[int | None], predicted: list[int], condition: str = "value_1", part: str = "test"
) -> pd.DataFrame:
    probabilities: npt.NDArray[np.float64] = np.eye(4)[predicted] * 0.9 + 0.025
    predictions = pd.DataFrame(probabilities, columns=evaluate.PROBABILITIES)
    return predictions.assign(
        image=[f"{number}" for number in range(len(truth))],
        condition=condition,
        part=part,
        truth=pd.array(truth, dtype="Int8"),
        grade=pd.array(predicted, dtype="Int8"),
    )


def test_report_separates_conditions_and_splits() -> None:
    predictions = pd.concat(
        [
            table([0, 1, None, 3], [0, 1, 2, 3]),
            table([0, 1, 2, 3], [3, 3, 3, 3], part="valid"),
            table([None, None], [1, 1], condition="value_4"),
        ]
    )
    rows = report(predictions).set_index(["condition", "part"])
    assert len(rows) == 3
    assert rows.loc[("value_1", "test"), "images"] == 3
    assert rows.loc[("value_1", "test"), "quadratic_weighted_kappa"] == 1
    assert rows.loc[("value_1", "valid"), "accuracy"] == 0.25
    assert rows.loc[("value_4", "test"), "images"] == 0
    assert math.isnan(rows.loc[("value_4", "test"), "accuracy"])
    assert confusion(predictions, "value_1", "test").trace() == 3


def test_grade_is_the_decided_not_most_probable() -> None:
    decided = table([2, 1, 0], [0, 1, 0]).assign(grade=pd.array([2, 1, 1], dtype="Int8"))
    assert confusion(decided, "value_1", "test")[2, 2] == 1
    assert confusion(decided, "value_1", "test")[0, 1] == 1
    assert report(decided)["accuracy"].item() == pytest.approx(2 / 3)


@given(pairs=st.lists(GRADES, min_size=1, max_size=5))
def test_many_matrices_at_once_are_measured_like_each(pairs: list[list[tuple[int, int]]]) -> None:
    counts = np.stack([count(*np.array(matrix).T) for matrix in pairs])
    kappas, recalls = evaluate.kappas(counts), evaluate.worst_recalls(counts)
    for number, matrix in enumerate(counts):
        metrics = measure(matrix)
        assert kappas[number] == pytest.approx(metrics.quadratic_weighted_kappa, nan_ok=True)
        assert recalls[number] == pytest.approx(metrics.worst_grade_recall)


# Probabilities and grade sets.


def test_ranked_probability_score_by_hand() -> None:
    def score(probabilities: list[float], truth: int) -> float:
        return float(evaluate.ranked_probability_scores(np.array([probabilities]), np.array([truth]))[0])

    assert score([0, 1, 0, 0], 1) == 0
    assert score([1, 0, 0, 0], 3) == 1
    assert score([0, 0, 1, 0], 3) == pytest.approx(1 / 3)
    assert score([0.5, 0, 0.5, 0], 1) == pytest.approx((0.25 + 0.25) / 3)


def grouped(sizes: np.ndarray, generator: np.random.Generator) -> pd.DataFrame:
    """Predictions of groups whose images share most of their error."""
    rows = []
    for group, size in enumerate(sizes):
        truth, error = generator.integers(0, 4, size), generator.integers(-1, 2)
        predicted = np.clip(truth + error, 0, 3)
        rows += [
            {"image": f"{group}-{n}", "condition": "value_1", "part": "test", "truth": truth[n], "grade": predicted[n]}
            for n in range(size)
        ]
    return pd.DataFrame(rows)


def test_tables_are_counted_by_group() -> None:
    table = grouped(np.full(60, 5), np.random.default_rng(0))
    captures = {image: image.split("-")[0] for image in table["image"]}
    by_group = evaluate.counts_by_group(table, "value_1", "test", captures)
    assert by_group.shape == (60, 4, 4)
    assert (by_group.sum(axis=0) == evaluate.confusion(table, "value_1", "test")).all()
    assert evaluate.counts_by_group(table, "value_1", "test", {}).shape == (300, 4, 4)  # each of its own


def test_best_of_metrics_and_what_they_rest_on() -> None:
    perfect, poor = count([0, 1, 2, 3], [0, 1, 2, 3]), count([0, 1, 2, 3], [2, 3, 0, 1])
    for name, metric in evaluate.METRICS.items():
        assert metric.text.en
        assert metric.short.ko
        assert all(grade in range(4) for stratum in metric.strata for grade in stratum)
        if metric.compute:
            better, worse = float(metric.compute(perfect)), float(metric.compute(poor))
            assert better > worse if metric.higher_is_better else better < worse, name
