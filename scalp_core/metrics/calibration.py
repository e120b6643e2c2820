"""Calibration: the temperature and shift that correct probabilities, and how far probabilities hold.

Unlike the metrics of grades these need every picture, not only counts.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.metrics import PROBABILITIES, labelled_rows

Probabilities = npt.NDArray[np.float64]  # (…, 4)
Grades = npt.NDArray[np.int64]

BINS = 15  # of the error
DIAGRAM_BINS = 10  # of the diagram: a line through forty pictures a point is mostly chance
_N = len(GRADES)
LEAST_PROBABILITY = 1e-12  # its logarithm has to be finite


# ---- how far probabilities hold ----


def reliability(predictions: pd.DataFrame, condition: str, part: str, bins: int = BINS) -> pd.DataFrame:
    """Return the reliability bins of one condition in one split of a prediction table; see `reliability_bins`."""
    rows = labelled_rows(predictions, condition, part)
    probabilities = rows[PROBABILITIES].to_numpy(dtype=np.float64)
    return reliability_bins(probabilities, rows["truth"].to_numpy(dtype=np.int64), bins)


def pooled_reliability(
    aligned: AlignedPredictions, runs: Sequence[str], condition: Condition, bins: int = DIAGRAM_BINS
) -> pd.DataFrame:
    """Return the reliability bins of several runs' answers together; see `reliability_bins`."""
    place = aligned.condition(condition)
    labelled = aligned.truth[place] >= 0
    probabilities = aligned.probabilities[[aligned.run(run_id) for run_id in runs], place][:, labelled]
    truth = np.tile(aligned.truth[place, labelled].astype(np.int64), len(runs))
    return reliability_bins(probabilities.astype(np.float64).reshape(len(truth), -1), truth, bins)


def reliability_bins(probabilities: Probabilities, truth: npt.NDArray[np.integer], bins: int = BINS) -> pd.DataFrame:
    """Compare confidence with accuracy in bins of about equally many pictures, the least confident first.

    Confidence is about the most probable grade and not the decided one, so that the table judges the probabilities
    whatever the decision rule.

    Args:
        probabilities: (n, 4).
        truth: (n,), every picture labelled.

    Returns:
        One row a bin: confidence (mean probability of the most probable grade), accuracy (share of pictures in which
        it is the true one), images.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    places = np.array_split(np.argsort(confidence, kind="stable"), bins)
    rows = [(confidence[members].mean(), right[members].mean(), len(members)) for members in places if len(members)]
    return pd.DataFrame(rows, columns=["confidence", "accuracy", "images"])


def expected_calibration_error(predictions: pd.DataFrame, condition: str, part: str, bins: int = BINS) -> float:
    """Return the expected calibration error of one condition in one split; see `calibration_error`."""
    return calibration_error(reliability(predictions, condition, part, bins))


def calibration_error(table: pd.DataFrame) -> float:
    """Return the mean distance between confidence and accuracy over bins of equal mass.

    Never 0 in practice: with forty pictures a bin chance alone makes 0.03–0.06. NaN where nothing is labelled.
    Source: Guo et al. 2017; bins of equal mass: Nguyen & O'Connor 2015.

    Args:
        table: as `reliability_bins` returns it.
    """
    if table.empty:
        return math.nan
    return float(np.average((table["confidence"] - table["accuracy"]).abs(), weights=table["images"]))


# ---- correction ----


def apply_calibration(raw: Probabilities, temperature: float, shift: npt.NDArray[np.float64]) -> Probabilities:
    """Return softmax(log(raw) / temperature + shift) over the last axis."""
    return _softmax(np.log(raw.clip(LEAST_PROBABILITY)) / temperature + shift)


def _softmax(scores: npt.NDArray[np.float64]) -> Probabilities:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def fit_calibration(raw: Probabilities, truth: Grades) -> tuple[float, npt.NDArray[np.float64]]:
    """Fit temperature and shift (4,) by their greatest posterior.

    The logarithm of the temperature and the shifts have a normal prior of variance 1. Beside hundreds of pictures the
    prior weighs nothing: it pulls at a shift of s as s pictures would. But a rare grade has three pictures, or none:
    its likelihood alone would send the shift to minus infinity, and the grade would never be decided again.
    Source: bias-corrected temperature scaling, Alexandari, Kundaje & Shrikumar 2020.

    Args:
        raw: (n, 4), the network's probabilities.
        truth: (n,).
    """
    # Pages and REST only apply calibrations, so they need not wait for scipy.
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    logarithms, labels = np.log(raw.clip(LEAST_PROBABILITY)), np.eye(_N)[truth]

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        scaled = logarithms * np.exp(-values[0])
        logs = log_softmax(scaled + values[1:], axis=1)
        residuals = np.exp(logs) - labels
        slope = np.concatenate([[-(residuals * scaled).sum()], residuals.sum(axis=0)])
        return float(-(labels * logs).sum() + values @ values / 2), slope + values

    optimum = minimize(loss, np.zeros(1 + _N), jac=True, method="L-BFGS-B").x
    return float(np.exp(optimum[0])), optimum[1:]
