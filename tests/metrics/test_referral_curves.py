"""Referral: the riskiest first, the promise of the limit, the curve and its area, against computations of their own."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from scalp_core.labels import Condition
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.operating_point import (
    PART,
    Decision,
    LabelledPredictions,
    OperatingPoint,
    as_json,
    evaluate_referral,
    fit,
    from_json,
    labelled_predictions,
    set_rule,
    with_decision,
)
from scalp_core.metrics.referral import curve_area, far_errors, far_risk, fit_referral, referral_curve

SEBUM = Condition.EXCESS_SEBUM
Floats = npt.NDArray[np.float64]


def simulated(images: int, seed: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return probabilities (n, 4) of a noisy network and the truth (n,)."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(4, size=images, p=(0.6, 0.2, 0.12, 0.08))
    distances = truth[:, None] + 1.2 * generator.standard_normal((images, 1)) - np.arange(4)
    likelihood = np.exp(-np.square(distances) / 2)
    return likelihood / likelihood.sum(axis=1, keepdims=True), truth


def risks_and_errors(images: int, seed: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    probabilities, truth = simulated(images, seed)
    grades = probabilities.argmax(axis=1)
    return far_risk(probabilities, grades), far_errors(truth, grades)


def table(images: dict[str, int], condition: Condition = SEBUM, seed: int = 0) -> pd.DataFrame:
    parts = []
    for number, (part, count) in enumerate(images.items()):
        probabilities, truth = simulated(count, seed + number)
        rows = pd.DataFrame(probabilities.astype(np.float32), columns=PROBABILITIES)
        names = [f"{part}-{place}" for place in range(count)]
        parts.append(rows.assign(image=names, condition=condition.value, part=part, truth=pd.array(truth, "Int8")))
    return pd.concat(parts, ignore_index=True)


def test_risk_is_the_mass_two_or_more_grades_away() -> None:
    probabilities, truth = simulated(50, 1)
    grades = probabilities.argmax(axis=1)
    for row, grade, risk in zip(probabilities, grades, far_risk(probabilities, grades), strict=True):
        assert risk == pytest.approx(sum(share for other, share in enumerate(row) if abs(other - grade) >= 2))
    assert far_errors(truth, grades).tolist() == [abs(int(a) - int(b)) > 1 for a, b in zip(truth, grades, strict=True)]


@pytest.mark.parametrize("limit", [0.01, 0.03])
def test_limit_holds_on_average_and_refers_no_more_than_needed(limit: float) -> None:
    """Both bounds of conformal risk control: limit − 2 / (n + 1) ≤ mean ≤ limit."""
    images, repetitions, fresh = 300, 500, risks_and_errors(40_000, 1)
    unseen = []
    for seed in range(repetitions):
        threshold = fit_referral(*risks_and_errors(images, 100 + seed), limit)
        unseen.append((fresh[1] & (fresh[0] < threshold)).mean())
    error = np.std(unseen) / np.sqrt(repetitions) + np.sqrt(limit / 40_000)
    assert fresh[1].mean() > 2 * limit, "without a referral the limit is missed"
    assert limit - 2 / (images + 1) - 3 * error <= np.mean(unseen) <= limit + 3 * error


def test_few_pictures_promise_nothing_and_all_are_referred() -> None:
    risks, errors = risks_and_errors(60, 2)
    assert fit_referral(risks, errors, 0.01) == 0.0
    assert fit_referral(risks, np.zeros(60, dtype=bool), 0.01) == 0.0, "60 right answers do not show less than 1 %"
    assert fit_referral(np.array([]), np.array([], dtype=bool), 0.1) == 0.0
    assert fit_referral(*risks_and_errors(60, 2), 0.9) == 1.0, "there are fewer far errors than are allowed"


def test_curve_is_that_of_every_threshold() -> None:
    risks, errors = risks_and_errors(200, 3)
    risks = risks.round(2)  # with ties
    curve = referral_curve(risks, errors)
    assert curve.iloc[0][["referred", "unseen"]].tolist() == [0, errors.mean()]
    assert curve.iloc[-1][["referred", "unseen"]].tolist() == [1, 0]
    assert curve["refer_from"].iloc[1:].tolist() == sorted(set(risks), reverse=True)
    for _, row in curve.iloc[1:].iterrows():
        referred = risks >= row["refer_from"]
        assert row["referred"] == pytest.approx(referred.mean())
        assert row["unseen"] == pytest.approx((errors & ~referred).mean())


def test_area_and_its_interval_against_a_bootstrap_written_out() -> None:
    risks, errors = risks_and_errors(240, 4)
    groups = np.repeat(np.arange(60), 4)
    area = curve_area(risks, errors, groups * 10)

    def trapezoid(places: npt.NDArray[np.integer]) -> float:
        curve = referral_curve(risks[places], errors[places])
        return float(np.trapezoid(curve["unseen"], curve["referred"]))

    assert area.value == pytest.approx(trapezoid(np.arange(240)))
    assert area.value < errors.mean() / 2, "better than referring at random"
    generator = np.random.default_rng(9)
    samples = (generator.integers(0, 60, 60) for _ in range(2000))
    areas = [trapezoid(np.concatenate([np.flatnonzero(groups == group) for group in sample])) for sample in samples]
    low, high = np.quantile(areas, [0.025, 0.975])
    width = high - low
    assert area.low == pytest.approx(low, abs=0.1 * width)
    assert area.high == pytest.approx(high, abs=0.1 * width)
    assert np.isnan(curve_area(np.array([]), np.array([], dtype=bool), np.array([], dtype=int)).value)
    alone = curve_area(risks, errors, np.zeros(240, dtype=int))
    assert np.isnan(alone.low), "of one head nothing is certain"


# ---- in an operating point ----


def test_a_limit_is_fitted_kept_and_stored() -> None:
    raw = table({PART: 500, "valid": 400})
    point = fit(raw, far_limits={SEBUM: 0.02})
    decision = point.decision(SEBUM)
    calibration = labelled_predictions(raw, SEBUM, PART)
    quality = evaluate_referral(decision, calibration)
    assert (quality.unseen + 1) / (quality.images + 1) <= 0.02 < (quality.far + 1) / (quality.images + 1)
    assert 0 < quality.referred_share < 0.5
    assert fit(raw, 0.5, far_limits=point.far_limits).far_limits == {SEBUM: 0.02}
    assert from_json(as_json(point)) == point
    earlier = as_json(fit(raw))
    for name in ("far_limit", "refer_from"):
        del earlier["decisions"][SEBUM.value][name]
    assert not evaluate_referral(from_json(earlier).decision(SEBUM), calibration).referred


def test_another_rule_has_another_threshold() -> None:
    raw = table({PART: 500})
    calibration, decision = labelled_predictions(raw, SEBUM, PART), fit(raw, far_limits={SEBUM: 0.02}).decision(SEBUM)
    other = set_rule(decision, calibration, "argmax", 1.5, far_limit=0.02)
    assert other.refer_from != decision.refer_from
    quality = evaluate_referral(other, calibration)
    assert (quality.unseen + 1) / (quality.images + 1) <= 0.02
    assert set_rule(decision, calibration, "argmax", 1.5).far_limit is None
    with pytest.raises(ValueError, match="not a decision"):
        replace(decision, far_limit=1.5)


@pytest.mark.parametrize(("images", "referred"), [(20, 1.0), (0, 1.0)])
def test_a_condition_that_cannot_be_fitted_refers_all(images: int, referred: float) -> None:
    raw = table({PART: images, "valid": 30})
    decision = fit(raw, far_limits={SEBUM: 0.02}).decision(SEBUM)
    assert not decision.fitted
    assert evaluate_referral(decision, labelled_predictions(raw, SEBUM, "valid")).referred_share == referred


def test_a_refused_fit_keeps_its_limit() -> None:
    """Calibration and validation disagree, so that the fitted decision loses on validation."""
    raw = table({PART: 400, "valid": 400})
    swapped = raw["part"] == PART
    raw.loc[swapped, PROBABILITIES] = raw.loc[swapped, PROBABILITIES[::-1]].to_numpy()
    point = fit(raw, far_limits={SEBUM: 0.02})
    assert SEBUM in point.refused
    decision = point.decision(SEBUM)
    assert (decision.fitted, decision.rule, decision.far_limit) == (False, "argmax", 0.02)
    quality = evaluate_referral(decision, labelled_predictions(raw, SEBUM, PART))
    assert (quality.unseen + 1) / (quality.images + 1) <= 0.02


def test_nothing_is_referred_without_a_limit() -> None:
    probabilities, truth = simulated(100, 5)
    pictures = LabelledPredictions(np.arange(100).astype(object), probabilities, truth)
    assert evaluate_referral(Decision(), pictures).referred == 0
    assert with_decision(OperatingPoint(), SEBUM, Decision(far_limit=0.1, refer_from=0.0), "", "").far_limits == {
        SEBUM: 0.1
    }
    assert evaluate_referral(Decision(far_limit=0.1, refer_from=0.0), pictures).referred == 100
    assert OperatingPoint().far_limits == {}
