"""Calibration, decision rules, costs and grade sets on problems whose truth is known; decisions chosen by hand; the
command that fits them anew.
"""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from conftest import Folders, Trained, promote_everywhere
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import calibration, grade_sets, metrics
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.operating_point import (
    COSTS,
    MAX_LOSS,
    MAX_WHO,
    MAX_WHY,
    MIN_IMAGES,
    PART,
    RULES,
    SQUARED_DISTANCE,
    TAUS,
    Decision,
    OperatingPoint,
    as_json,
    best_decision,
    cost_of,
    decide_grades,
    evaluate_sets,
    fit,
    from_json,
    labelled_predictions,
    per_grade,
    set_rule,
    sign,
    tau_curves,
    with_decision,
)
from scalp_core.rest import app
from scalp_core.runs.run import Run
from training import calibrate

PUSTULES = Condition.PUSTULES
IMBALANCED = (0.86, 0.08, 0.04, 0.02)
Probabilities = npt.NDArray[np.float64]


def simulate(
    images: int, prior: tuple[float, ...] = IMBALANCED, thinks: tuple[float, ...] | None = None, noise: float = 0.8
) -> tuple[Probabilities, npt.NDArray[np.int64]]:
    """Pictures that show their grade with some noise, and what a perfect network says that takes `thinks` for prior."""
    generator = np.random.default_rng(images)
    truth = generator.choice(4, size=images, p=prior)
    seen = truth + noise * generator.standard_normal(images)
    likelihood = np.exp(-np.square((seen[:, np.newaxis] - np.arange(4)) / noise) / 2)
    posterior = likelihood * np.array(thinks or prior)
    return posterior / posterior.sum(axis=1, keepdims=True), truth


def table(
    probabilities: Probabilities, truth: npt.ArrayLike, part: str = "calib", condition: str = PUSTULES.value
) -> pd.DataFrame:
    """A run's raw prediction table."""
    predictions = pd.DataFrame(np.asarray(probabilities, dtype=np.float32), columns=PROBABILITIES)
    images = [f"{part}-{number}" for number in range(len(predictions))]
    return predictions.assign(image=images, condition=condition, part=part, truth=pd.array(truth, dtype="Int8"))


def sharpened(probabilities: Probabilities, power: float) -> Probabilities:
    raised = probabilities**power
    return raised / raised.sum(axis=1, keepdims=True)


def fitted(probabilities: Probabilities, truth: npt.ArrayLike, floor: float = 0.2) -> Decision:
    return fit(table(probabilities, truth), floor).decision(PUSTULES)


# Calibration.


@pytest.mark.parametrize("power", [0.5, 1.0, 2.5])
def test_over_and_underconfidence_are_calibrated(power: float) -> None:
    exact, truth = simulate(3000)
    raw = sharpened(exact, power)
    decision = fitted(raw, truth)
    assert decision.temperature == pytest.approx(power, rel=0.1)
    assert np.abs(decision.calibrated(raw) - exact).mean() < 0.02


def test_prior_that_balanced_training_moved_is_moved_back() -> None:
    exact, truth = simulate(3000)
    balanced, same = simulate(3000, thinks=(0.25, 0.25, 0.25, 0.25))
    assert (truth == same).all()
    decision = fitted(balanced, truth)
    moved = np.log(IMBALANCED) - np.log(IMBALANCED).mean()
    assert np.abs(np.array(decision.shift) - moved).max() < 0.4
    assert np.abs(decision.calibrated(balanced) - exact).mean() < 0.02
    raw, calibrated = table(balanced, truth), fit(table(balanced, truth)).apply(table(balanced, truth))
    errors = [
        calibration.expected_calibration_error(predictions, PUSTULES, "calib") for predictions in (raw, calibrated)
    ]
    assert errors[1] < 0.03 < errors[0]


def test_a_grade_without_a_picture_stays_possible() -> None:
    probabilities, truth = simulate(400, prior=(0.7, 0.2, 0.1, 0.0), thinks=IMBALANCED)
    decision = fitted(probabilities, truth)
    assert not (truth == 3).any()
    assert min(decision.shift) > -5
    assert decision.calibrated(np.array([0.01, 0.01, 0.01, 0.97])).argmax() == 3


def test_impossible_is_not_infinite() -> None:
    truth = np.arange(200) % 4
    decision = fitted(np.eye(4)[np.where(np.arange(200) < 5, 0, truth)], truth)
    calibrated = decision.calibrated(np.eye(4))
    assert np.isfinite(calibrated).all()
    assert (decision.grade(calibrated) == np.arange(4)).all()


# The decision.


def test_the_plain_decision_is_argmax_to_the_bit() -> None:
    raw = table(*simulate(500))
    applied = OperatingPoint().apply(raw)
    assert (applied[PROBABILITIES].to_numpy() == raw[PROBABILITIES].to_numpy()).all()
    assert (applied["grade"].to_numpy(dtype=int) == raw[PROBABILITIES].to_numpy().argmax(axis=1)).all()
    assert applied[["low", "high"]].isna().all(axis=None), "nothing was fitted, so nothing is promised"
    low, high = Decision().grade_set(raw[PROBABILITIES].to_numpy())
    assert (low == 0).all()
    assert (high == 3).all()
    assert not Decision().fitted
    assert not OperatingPoint().fitted


def test_rules_by_hand() -> None:
    probabilities = np.array([0.45, 0.0, 0.2, 0.35])
    grades = {rule: int(Decision(rule=rule).grade(probabilities)) for rule in RULES}
    # Expected squared distance: 3.95 of grade 0, 2.05 of 1, 2.15 of 2, 4.25 of 3.
    assert grades == {"argmax": 0, "median": 2, "expected_cost": 1}
    assert Decision(tau=1.0, prior=(0.9, 0.04, 0.04, 0.02)).grade(np.array([0.9, 0.0, 0.0, 0.1])) == 3
    assert Decision(rule="median").grade(np.array([0.2, 0.3, 0.5, 0.0])) == 1, "half is reached"


def test_dead_grade_returns_without_losing_kappa() -> None:
    def told(point: OperatingPoint) -> metrics.Metrics:
        return metrics.measure(metrics.confusion(point.apply(fresh), PUSTULES, "test"))

    fresh = table(*simulate(8000, noise=1.1), part="test")
    plain, point = told(OperatingPoint()), told(fit(table(*simulate(1500, noise=1.1))))
    assert plain.worst_grade_recall < 0.05
    assert point.worst_grade_recall > 0.15
    assert point.quadratic_weighted_kappa > plain.quadratic_weighted_kappa + 0.05
    assert point.average_mean_absolute_error < plain.average_mean_absolute_error


@pytest.mark.parametrize("floor", [0.0, 0.2, 0.35, 0.45])
def test_recall_floor_holds_and_fit_report_is_true(floor: float) -> None:
    raw = table(*simulate(1500, noise=1.1))
    point = fit(raw, floor, "a test")
    measured, decision = (
        metrics.measure(metrics.confusion(point.apply(raw), PUSTULES, "calib")),
        point.decision(PUSTULES),
    )
    assert measured.worst_grade_recall >= floor
    assert (point.recall_floor, point.why) == (floor, "a test")
    assert decision.images == 1500
    assert decision.quadratic_weighted_kappa == pytest.approx(measured.quadratic_weighted_kappa)
    assert decision.worst_grade_recall == pytest.approx(measured.worst_grade_recall)


def test_a_floor_out_of_reach_brings_the_nearest() -> None:
    raw = table(*simulate(1500, noise=1.1))
    reached = [fit(raw, floor).decision(PUSTULES).worst_grade_recall or 0.0 for floor in (0.2, 0.99, 1.0)]
    assert reached[0] < reached[1] == reached[2] < 0.99


def test_who_learned_nothing_names_nobody_ill_at_random() -> None:
    probabilities, _ = simulate(600, noise=20.0)
    _, truth = simulate(600)
    decision = fitted(probabilities, np.random.default_rng(0).permutation(truth))
    assert (decision.rule, decision.tau) == ("argmax", 0.0)
    assert (decision.grade(decision.calibrated(probabilities)) == 0).all()


def test_of_equals_the_gentlest_decision_is_taken() -> None:
    truth = np.arange(400) % 4
    decision = fitted(0.9 * np.eye(4)[truth] + 0.025, truth)
    assert (decision.rule, decision.tau) == ("argmax", 0.0)


def test_only_the_calibration_part_is_looked_at() -> None:
    raw = table(*simulate(300))
    other = table(*simulate(301), part="test").assign(truth=pd.array([3] * 301, dtype="Int8"))
    unlabelled = table(*simulate(302)).assign(truth=pd.array([None] * 302, dtype="Int8"))
    assert fit(pd.concat([other, raw, unlabelled])).decisions == fit(raw).decisions


def test_decision_that_loses_kappa_on_validation_is_refused() -> None:
    probabilities, truth = simulate(300)
    graded_higher = table(probabilities, np.minimum(truth + 2, 3))  # by another clinic
    fresh = table(probabilities, truth, part="valid")
    raw = pd.concat([graded_higher, fresh])
    alone = fit(graded_higher).apply(fresh)
    point = fit(raw)
    plain, reached = point.refused[PUSTULES]
    kappas = [
        metrics.quadratic_weighted_kappa(metrics.confusion(predictions, PUSTULES, "valid"))
        for predictions in (OperatingPoint().apply(fresh), alone)
    ]
    assert [plain, reached] == pytest.approx(kappas)
    assert plain - reached > MAX_LOSS
    assert not point.decision(PUSTULES).fitted
    assert from_json(json.loads(json.dumps(as_json(point)))) == point
    by_hand = with_decision(point, PUSTULES, Decision(rule="median"), "Kim", "still")
    assert by_hand.refused == {}


def test_loss_for_recall_floor_is_no_reason_to_refuse() -> None:
    raw = table(*simulate(1500, noise=1.1))
    kept = fit(pd.concat([raw, raw.assign(part="valid")]), 0.99)
    assert kept.decision(PUSTULES).fitted
    assert kept.refused == {}


def test_what_cannot_be_fitted_stays_plain() -> None:
    probabilities, truth = simulate(MIN_IMAGES)
    truth[:2] = 0, 1
    few = table(probabilities[1:], truth[1:], condition="value_1")
    constant = table(probabilities, np.zeros(MIN_IMAGES, dtype=int), condition="value_2")
    enough = table(probabilities, truth, condition="value_3")
    point = fit(pd.concat([few, constant, enough]))
    assert list(point.decisions) == [Condition.ERYTHEMA]
    assert point.fitted
    assert point.decision("value_1") == Decision()
    applied = point.apply(pd.concat([few, enough]))
    assert applied["low"].isna().sum() == len(few)
    assert fit(few).decisions == {}
    assert fit(few.iloc[:0]).apply(few.iloc[:0]).empty


# Costs.


def test_costs_by_hand() -> None:
    probabilities = np.array([0.5, 0.1, 0.1, 0.3])

    def told(cost: npt.ArrayLike) -> int:
        return int(Decision(rule="expected_cost", cost=cost_of(cost)).grade(probabilities))

    assert told(1 - np.eye(4)) == 0, "all mistakes alike: the most probable grade"
    assert told(np.abs(np.subtract.outer(range(4), range(4)))) == 0, "the median"
    assert told(SQUARED_DISTANCE) == 1, "expected: 3.2 of grade 0, 1.8 of 1, 2.4 of 2, 5.0 of 3"
    missed = 1 - np.eye(4)
    missed[3] *= 2
    assert told(missed) == 3, "0.5 of grade 0 and 0.6 of 3 weighed: rows are the truth"
    assert told(missed.T) == 0, "columns the prediction"


def test_missing_point_costs_squared_distance() -> None:
    probabilities, _ = simulate(2000)
    decision = Decision(rule="expected_cost")
    squared = np.square(np.subtract.outer(np.arange(4), np.arange(4))).astype(np.float64)
    assert decision.cost == SQUARED_DISTANCE == COSTS["squared"].cost
    assert (decision.grade(probabilities) == (probabilities @ squared).argmin(axis=1)).all()


@pytest.mark.parametrize("rule", ["argmax", "median"])
def test_costs_are_for_their_rule_alone(rule: str) -> None:
    probabilities, _ = simulate(500)
    plain, dear = Decision(rule=rule), Decision(rule=rule, cost=COSTS["severe"].cost)
    assert (plain.grade(probabilities) == dear.grade(probabilities)).all()
    assert plain.way == dear.way


def test_missing_severe_grade_at_twice_cost_misses_fewer() -> None:
    probabilities, truth = simulate(4000, noise=1.2)
    severe = [
        np.mean(Decision(rule="expected_cost", cost=COSTS[name].cost).grade(probabilities)[truth == 3] == 3)
        for name in ("squared", "severe")
    ]
    assert severe[0] < severe[1]


GOOD_COSTS = st.lists(st.floats(0, 1000), min_size=12, max_size=12).map(
    lambda numbers: np.insert(np.array([*numbers[:-1], 1.0]), [0, 4, 8, 12], 0.0)
)


@given(numbers=GOOD_COSTS)
def test_any_cost_of_mistakes_from_nought_will_do(numbers: npt.NDArray[np.float64]) -> None:
    cost = cost_of(numbers)
    assert np.array(cost).ravel().tolist() == numbers.tolist()
    assert Decision(cost=cost).cost == cost_of(np.array(cost))
    assert (Decision(rule="expected_cost", cost=cost).grade(np.eye(4)) >= 0).all()


def changed(row: int, column: int, cost: object) -> list[list[object]]:
    rows: list[list[object]] = [list(costs) for costs in SQUARED_DISTANCE]
    rows[row][column] = cost
    return rows


@pytest.mark.parametrize(
    "costs",
    [
        *(changed(1, 2, cost) for cost in (-1, float("nan"), float("inf"), 1000.1, None, "much", 10**400)),
        *(changed(0, 0, 2), np.zeros((4, 4)), np.ones((4, 4)), np.eye(4), [], [1, 2, 3], np.ones(17), [[0, 1], [1]]),
    ],
)
def test_costs_that_nobody_can_decide_by_are_refused(costs: object) -> None:
    with pytest.raises(ScalpError) as caught:
        cost_of(costs)  # type: ignore[arg-type]
    assert caught.value.code == "bad_cost"
    assert "1000" in caught.value.text.ko


# By hand.


def calibration_of(*problem: object, **more: object) -> tuple[pd.DataFrame, Decision]:
    raw = table(*simulate(*problem, **more))  # type: ignore[arg-type]
    return raw, fit(raw).decision(PUSTULES)


@pytest.mark.parametrize(("rule", "tau"), [("argmax", 0.0), ("median", 1.0), ("expected_cost", 1.5)])
def test_a_decision_by_hand_is_whole(rule: str, tau: float) -> None:
    raw, before = calibration_of(900, noise=1.1)
    part = labelled_predictions(raw, PUSTULES, PART)
    decision = set_rule(before, part, rule, tau, COSTS["severe"].cost)
    assert (decision.rule, decision.tau, decision.cost) == (rule, tau, COSTS["severe"].cost)
    assert (decision.temperature, decision.shift, decision.prior) == (before.temperature, before.shift, before.prior)
    measured = metrics.measure(metrics.count(part.truth, decide_grades(decision, part)))
    assert decision.images == measured.images == 900
    assert decision.quadratic_weighted_kappa == measured.quadratic_weighted_kappa
    assert decision.worst_grade_recall == measured.worst_grade_recall
    fresh = labelled_predictions(table(*simulate(6000, noise=1.1), part="test"), PUSTULES, "test")
    quality = evaluate_sets(decision, fresh)
    assert quality.images == 6000
    assert quality.coverage > COVERAGE - 0.03, "its sets keep what they promise, whatever they begin with"


def test_manual_decision_equals_the_saved_point() -> None:
    raw, before = calibration_of(400)
    decision = set_rule(before, labelled_predictions(raw, PUSTULES, PART), "median", 0.75)
    other = pd.concat(
        [raw, table(*simulate(300), part="valid"), table(*simulate(200), part="valid", condition="value_1")]
    )
    applied = OperatingPoint({PUSTULES: decision}).apply(other)
    part = labelled_predictions(other, PUSTULES, "valid")
    rows = applied[(applied["part"] == "valid") & (applied["condition"] == PUSTULES)].set_index("image")
    assert (rows.loc[list(part.images), "grade"].to_numpy(dtype=int) == decide_grades(decision, part)).all()
    kept = grade_sets.measure_sets(applied, PUSTULES, "valid")
    assert evaluate_sets(decision, part) == kept


def test_by_hand_and_back_is_as_fitted() -> None:
    raw, before = calibration_of(900, noise=1.1)
    part = labelled_predictions(raw, PUSTULES, PART)
    away = set_rule(before, part, "argmax", 0.0)
    assert away != before
    assert best_decision(away, part, fit(raw).recall_floor) == before
    assert set_rule(away, part, before.rule, before.tau, before.cost) == before


def test_unfitted_condition_promises_nothing_by_hand() -> None:
    part = labelled_predictions(table(*simulate(50)), PUSTULES, PART)
    decision = set_rule(Decision(), part, "median", 0.5)
    assert (decision.rule, decision.tau, decision.fitted) == ("median", 0.5, False)
    assert evaluate_sets(decision, part).images == 0


def test_only_labelled_pictures_count_by_hand() -> None:
    labels = pd.array([0, None, 3], dtype="Int8")
    raw = table(np.full((3, 4), 0.25), [0, 1, 2]).assign(truth=labels)
    raw = pd.concat([raw, table(*simulate(5), part="test"), table(*simulate(5), condition="value_1")])
    part = labelled_predictions(raw, PUSTULES, PART)
    assert list(part.images) == ["calib-0", "calib-2"]
    assert part.truth.tolist() == [0, 3]
    assert part.raw.shape == (2, 4)
    assert labelled_predictions(raw, "value_6", PART).raw.shape == (0, 4)


@pytest.mark.parametrize("rule", RULES)
def test_over_the_taus(rule: str) -> None:
    raw, before = calibration_of(500, noise=1.1)
    part = labelled_predictions(raw, PUSTULES, PART)
    curves = tau_curves(replace(before, rule=rule), part)
    assert tuple(curves["tau"]) == TAUS
    for row in curves.itertuples():
        decision = set_rule(before, part, rule, row.tau)
        assert row.quadratic_weighted_kappa == decision.quadratic_weighted_kappa
        assert row.worst_grade_recall == decision.worst_grade_recall


def test_one_condition_is_decided_otherwise_and_signed() -> None:
    before = OperatingPoint({PUSTULES: Decision(tau=1.0), Condition.DANDRUFF: Decision()}, 0.3, "2026", "fitted", "we")
    after = with_decision(before, "value_5", Decision(rule="median"), " 김\n서연 ", "why\tnot " + 999 * "!")
    assert after.decisions == {**before.decisions, Condition.DANDRUFF: Decision(rule="median")}
    assert (after.recall_floor, after.who) == (0.3, "김 서연")
    assert after.why.startswith("why not !!!")
    assert len(after.why) == MAX_WHY
    assert after.made > before.made
    assert len(sign(after, 999 * "x", "").who) == MAX_WHO
    assert sign(after, "", "").decisions == after.decisions


def test_rest_follows_saved_decision_from_next_request(trained: Trained, folders: Folders) -> None:
    run = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "copy"))))
    always_severe = Decision(rule="expected_cost", cost=cost_of(np.outer([0, 0, 0, 1], [1, 1, 1, 0])))

    def told(client: TestClient) -> dict[str, int]:
        answer = client.post("/predict_all", files={"image": ("scalp.jpg", trained.picture)}).json()
        return {condition: answer[condition][0]["pr_num"] for condition in CONDITIONS}

    with TestClient(app.api) as client:
        before = told(client)
        run.change_operating_point(lambda point: with_decision(point, PUSTULES, always_severe, "me", "try"))
        assert told(client) == before | {PUSTULES: 3}
        (earlier, *_) = [*run.earlier_operating_points, OperatingPoint()]
        run.change_operating_point(lambda _: sign(earlier, "me", "back"))
        assert told(client) == before


# Grade sets.


@pytest.mark.parametrize("noise", [0.5, 0.8, 1.5])
@pytest.mark.parametrize("prior", [IMBALANCED, (0.25, 0.35, 0.3, 0.1)])
def test_sets_keep_what_they_promise_on_other_pictures(noise: float, prior: tuple[float, ...]) -> None:
    point = fit(table(*simulate(600, prior, noise=noise)))
    fresh = point.apply(table(*simulate(6000, prior, noise=noise), part="test"))
    quality = grade_sets.measure_sets(fresh, PUSTULES, "test")
    assert quality.images == 6000
    assert quality.coverage > COVERAGE - 0.03  # 600 pictures: a standard error of 0.012
    assert quality.size < 3.5


def test_grade_set_grows_towards_the_likelier_neighbour() -> None:
    probabilities = np.array([0.1, 0.5, 0.3, 0.1])

    def found(threshold: float) -> tuple[int, int]:
        low, high = Decision(set_threshold=threshold, images=100).grade_set(probabilities)
        return int(low), int(high)

    assert [found(threshold) for threshold in (0.0, 0.49, 0.51, 0.79, 0.81, 0.91)] == [
        (1, 1),
        (1, 1),
        (1, 2),
        (1, 2),
        (0, 2),
        (0, 3),
    ]


ROWS = st.lists(st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4), min_size=1, max_size=8)
SHIFTS = st.tuples(*[st.floats(-4, 4)] * 4)
PRIORS = st.tuples(*[st.floats(0.001, 1)] * 4)
DECISIONS = st.builds(
    Decision,
    temperature=st.floats(0.1, 10),
    shift=SHIFTS,
    rule=st.sampled_from(RULES),
    tau=st.floats(0, 1.5),
    prior=PRIORS,
    set_threshold=st.floats(0, 1),
    cost=GOOD_COSTS.map(cost_of),
)


@given(rows=ROWS, decision=DECISIONS)
def test_grade_set_holds_the_grade_and_grows(rows: list[list[float]], decision: Decision) -> None:
    probabilities = np.array(rows) + 1e-6
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    calibrated = decision.calibrated(probabilities)
    assert calibrated.sum(axis=1) == pytest.approx(np.ones(len(probabilities)))
    grades, (low, high) = decision.grade(calibrated), decision.grade_set(calibrated)
    assert ((low >= 0) & (low <= grades) & (grades <= high) & (high <= 3)).all()
    wider_low, wider_high = replace(decision, set_threshold=min(1.0, decision.set_threshold + 0.2)).grade_set(
        calibrated
    )
    assert ((wider_low <= low) & (high <= wider_high)).all()
    all_low, all_high = replace(decision, set_threshold=1.0).grade_set(calibrated)
    assert (all_high - all_low == 3).all()


@given(rows=ROWS, decision=DECISIONS)
def test_one_picture_is_decided_like_many(rows: list[list[float]], decision: Decision) -> None:
    calibrated = decision.calibrated(np.array(rows))
    for number, row in enumerate(rows):
        alone = decision.calibrated(np.array(row))
        assert alone == pytest.approx(calibrated[number])
        assert decision.grade(calibrated[number]) == decision.grade(calibrated)[number]
        assert decision.grade_set(calibrated[number])[1] == decision.grade_set(calibrated)[1][number]
    stacked = decision.calibrated(np.array([rows, rows]))
    assert decision.grade(stacked).shape == (2, len(rows))


# As it is stored.


@given(decision=DECISIONS)
def test_what_is_stored_comes_back(decision: Decision) -> None:
    point = OperatingPoint({PUSTULES: replace(decision, images=7)}, 0.25, "2026-01-01T00:00:00+00:00", "왜", "누구")
    assert from_json(json.loads(json.dumps(as_json(point)))) == point
    assert from_json(json.loads(json.dumps(as_json(OperatingPoint())))) == OperatingPoint()


def test_point_of_earlier_version_decides_as_it_did() -> None:
    raw = table(*simulate(900, noise=1.1))
    point = replace(fit(raw), who="")
    stored = json.loads(json.dumps(as_json(point)))
    del stored["who"]
    for decision in stored["decisions"].values():
        del decision["cost"]
    assert from_json(stored) == point
    assert from_json(stored).apply(raw).equals(point.apply(raw))


@pytest.mark.parametrize(
    "change",
    [
        *({"rule": "mean"}, {"temperature": 0.0}, {"temperature": float("nan")}, {"shift": (0.0, 0.0)}, {"x": 1}),
        *({"tau": float("nan")}, {"cost": 1}, {"cost": [1, 2]}, {"cost": [[0, 1], [1]]}, {"cost": [["a"] * 4] * 4}),
        *({"cost": [[0.0] * 4] * 4}, {"cost": [[float("nan")] * 4] * 4}),
    ],
    ids=str,
)
def test_malformed_point_is_refused(change: dict[str, object]) -> None:
    stored = as_json(OperatingPoint({PUSTULES: Decision()}))
    stored["decisions"]["value_4"] |= change
    with pytest.raises((ValueError, TypeError)):
        from_json(stored)


def test_four_numbers() -> None:
    assert per_grade(np.array([1.0, 2.0, 3.0, 4.0])) == (1.0, 2.0, 3.0, 4.0)


# The command.


@pytest.fixture
def run(trained: Trained, folders: Folders) -> Run:
    """A finished run whose predictions are of an imbalanced problem, as an earlier version left it."""
    copied = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "mine")))
    parts = [
        table(*simulate(images, noise=1.1), part=part, condition=condition.value)
        for condition in CONDITIONS
        for part, images in (("calib", 900), ("valid", 901), ("test", 902))
    ]
    pd.concat(parts).to_parquet(copied.predictions_path)
    copied.operating_point_path.unlink(missing_ok=True)
    copied.write_manifest({key: value for key, value in copied.manifest.items() if key != "files"})
    return copied


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["calibrate", *arguments])
    return calibrate.main()


def test_an_old_run_learns_to_decide(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = metrics.measure(metrics.confusion(run.predictions, PUSTULES, "test"))
    assert command(monkeypatch, "mine", "--why", "older than the point", "--recall-floor", "0.3") == 0
    after = metrics.measure(metrics.confusion(run.predictions, PUSTULES, "test"))
    assert before.worst_grade_recall < 0.05 < 0.1 < after.worst_grade_recall
    assert (run.operating_point.why, run.operating_point.recall_floor) == ("older than the point", 0.3)
    output = capsys.readouterr().out
    for condition in CONDITIONS:
        assert f"{condition.code}: temperature" in output
    measured = [
        f"{metrics.measure(metrics.confusion(table, PUSTULES, 'valid')).quadratic_weighted_kappa:.3f}"
        for table in (OperatingPoint().apply(run.raw_predictions), run.predictions)
    ]
    assert " → ".join(measured) in output
    run.verify()  # the manifest does not vouch for what may be replaced


def test_the_point_before_is_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for why in ("first", "second"):
        assert command(monkeypatch, "mine", "--why", why) == 0
    (earlier,) = run.folder.glob("operating_point-*.json")
    assert json.loads(earlier.read_text())["why"] == "first"
    assert run.operating_point.why == "second"


def test_too_few_pictures_are_told(
    trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained.run.folder, folders.artifacts / "mine")
    assert command(monkeypatch, "mine") == 0
    assert f"needs {MIN_IMAGES} labelled pictures" in capsys.readouterr().out


def test_runs_that_cannot_be_calibrated(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "mine", "absent") == 2
    assert "no run “absent”" in capsys.readouterr().err
    assert not run.operating_point.fitted, "looked up before anything was changed"
    with pytest.raises(SystemExit):
        command(monkeypatch, "mine", "--recall-floor", "nan")
    assert "from 0 to 1" in capsys.readouterr().err
    run.predictions_path.write_bytes(b"broken")
    assert command(monkeypatch, "mine") == 2
    assert "predictions.parquet" in capsys.readouterr().err
    (run.folder / "manifest.json").unlink()
    assert command(monkeypatch, "mine") == 2
    assert "has not finished" in capsys.readouterr().err
