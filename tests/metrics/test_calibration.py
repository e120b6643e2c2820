"""Calibration error and grade sets by hand and on simulated answers whose confidence is known."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from support.prediction_tables import SEBUM, prediction_table

from scalp_core.metrics.calibration import expected_calibration_error, reliability
from scalp_core.metrics.grade_sets import measure_sets
from scalp_core.metrics.metrics import PROBABILITIES, ranked_probability_scores


def with_probabilities(probabilities: npt.ArrayLike, truth: list[int]) -> pd.DataFrame:
    predictions = prediction_table(truth, [0] * len(truth))
    predictions[PROBABILITIES] = np.asarray(probabilities, dtype=np.float64)
    return predictions


def test_calibration_error_by_hand() -> None:
    sure, unsure = [0.9, 0.1, 0.0, 0.0], [0.4, 0.6, 0.0, 0.0]
    predictions = with_probabilities([sure] * 4 + [unsure] * 4, [0, 0, 0, 1, 1, 1, 1, 1])
    assert reliability(predictions, SEBUM, "test", bins=2).to_numpy().tolist() == [
        pytest.approx([0.6, 1.0, 4]),
        pytest.approx([0.9, 0.75, 4]),
    ]
    error = expected_calibration_error(predictions, SEBUM, "test", bins=2)
    assert error == pytest.approx((0.4 + 0.15) / 2)


def test_calibration_error_tells_honest_from_overconfident() -> None:
    generator = np.random.default_rng(0)
    honest = generator.dirichlet([1, 1, 1, 1], size=20000)
    truth = (honest.cumsum(axis=1) < generator.random(20000)[:, None]).sum(axis=1).clip(max=3)
    overconfident = honest**2 / (honest**2).sum(axis=1, keepdims=True)
    tables = [with_probabilities(probabilities, truth.tolist()) for probabilities in (honest, overconfident)]
    errors = [expected_calibration_error(predictions, SEBUM, "test") for predictions in tables]
    assert errors[0] < 0.015
    assert errors[1] > 0.1
    scores = [ranked_probability_scores(probabilities, truth).mean() for probabilities in (honest, overconfident)]
    assert scores[0] < scores[1]


def test_measure_sets_counts_labelled_pictures_with_a_set() -> None:
    predictions = prediction_table([0, 1, 3, None, 2], [0, 0, 2, 1, 2]).assign(
        low=pd.array([0, 0, 1, 0, None], dtype="Int8"), high=pd.array([0, 1, 2, 3, None], dtype="Int8")
    )
    quality = measure_sets(predictions, SEBUM, "test")
    assert (quality.images, quality.coverage, quality.size) == (3, pytest.approx(2 / 3), pytest.approx(5 / 3))


def test_calibration_without_labels_is_nan() -> None:
    unlabelled = prediction_table([None], [1])
    assert math.isnan(expected_calibration_error(unlabelled, SEBUM, "test"))
    assert reliability(unlabelled, SEBUM, "test").empty
    quality = measure_sets(unlabelled, SEBUM, "test")
    assert quality.images == 0
    assert math.isnan(quality.coverage)
