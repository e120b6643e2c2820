"""Referral: which pictures a model leaves to a person, so that few of its far errors go unseen."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.labels import GRADES
from scalp_core.metrics.alignment import FAR, AlignedPredictions
from scalp_core.metrics.bootstrap import LEVEL, effective_size, merge_groups, percentiles, resample
from scalp_core.metrics.calibration import Grades, Probabilities

# Shares of pictures that may be far wrong and go unseen; of these a reader chooses.
LIMITS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)

Risks = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_DISTANCE = np.abs(np.subtract.outer(np.arange(len(GRADES)), np.arange(len(GRADES))))


def far_risk(calibrated: Probabilities, grades: npt.NDArray[np.integer]) -> Risks:
    """Return the probability (…) that the truth is FAR grades or more from the decided grade.

    Referring by it is the best that calibrated probabilities (…, 4) allow (Chow 1970, with far errors as the loss).
    """
    risks: Risks = (calibrated * (_DISTANCE >= FAR)[grades]).sum(axis=-1)
    return risks


def far_errors(truth: npt.NDArray[np.integer], grades: npt.NDArray[np.integer]) -> Flags:
    """Return which grades (n,) are FAR grades or more from the truth (n,)."""
    errors: Flags = np.abs(truth.astype(np.int64) - grades) >= FAR
    return errors


def fit_referral(risks: Risks, errors: Flags, limit: float) -> float:
    """Return the risk from which pictures are referred so that at most `limit` of all are far wrong and not referred.

    Holds on average for pictures like these: with n pictures, (unseen far errors + 1) / (n + 1) ≤ limit (conformal risk
    control: Angelopoulos, Bates, Fisch, Lei & Schuster 2024). 0 refers every picture, which is all that helps where
    limit · (n + 1) < 1; 1 refers those alone that are certainly far wrong.

    Args:
        risks: of the pictures of the calibration split, (n,).
        errors: which of them are far wrong, (n,).
        limit: share of all pictures, 0–1.
    """
    spared = math.floor(limit * (len(risks) + 1) + 1e-9) - 1  # far errors that may go unseen
    if spared < 0:
        return 0.0
    ascending = np.sort(risks[errors])
    return float(ascending[spared]) if spared < len(ascending) else 1.0


@dataclass(frozen=True)
class ReferralQuality:
    """Outcome of a referral on labelled pictures. Shares are of all of them; NaN where there are none.

    Attributes:
        images: labelled pictures.
        referred: pictures left to a person.
        far: far errors of the model, referred or not.
        unseen: far errors that are not referred.
    """

    images: int
    referred: int
    far: int
    unseen: int

    @property
    def referred_share(self) -> float:
        """Share of pictures left to a person."""
        return self.referred / self.images if self.images else math.nan

    @property
    def far_share(self) -> float:
        """Share of pictures that the model grades far wrong."""
        return self.far / self.images if self.images else math.nan

    @property
    def unseen_share(self) -> float:
        """Share of pictures that are graded far wrong and not referred."""
        return self.unseen / self.images if self.images else math.nan


def referral_quality(truth: Grades, grades: Grades, referred: Flags) -> ReferralQuality:
    """Count what is referred and which far errors are not; truth, grades and referred are (n,)."""
    errors = far_errors(truth, grades)
    return ReferralQuality(len(truth), int(referred.sum()), int(errors.sum()), int((errors & ~referred).sum()))


def referral_curve(risks: Risks, errors: Flags) -> pd.DataFrame:
    """Return the share of unseen far errors over the share of referred pictures, the riskiest referred first.

    The generalised risk–coverage curve of Traub et al. 2024 (NeurIPS), with the referred share in place of coverage.

    Args:
        risks: (n,); pictures of equal risk are referred together.
        errors: (n,).

    Returns:
        referred, unseen, refer_from (the threshold; NaN where nothing is referred). The first row refers nothing, the
        last everything.
    """
    order = np.argsort(-risks, kind="stable")
    last = np.append(np.flatnonzero(np.diff(risks[order])), len(risks) - 1) if len(risks) else np.array([], dtype=int)
    caught = np.cumsum(errors[order])[last]
    images = max(len(risks), 1)
    return pd.DataFrame(
        {
            "referred": np.append(0, last + 1) / images,
            "unseen": (errors.sum() - np.append(0, caught)) / images,
            "refer_from": np.append(math.nan, risks[order][last]),
        }
    )


@dataclass(frozen=True)
class CurveArea:
    """Area under a referral curve, with its 95 % interval; NaN where it is undefined.

    It is the mean share of unseen far errors over all shares of referred pictures: 0 is best, half the share of far
    errors is chance.
    """

    value: float
    low: float
    high: float


def curve_area(risks: Risks, errors: Flags, groups: npt.NDArray[np.int64]) -> CurveArea:
    """Measure the area under the referral curve, resampling groups (captures).

    A picture counts as often as its group is sampled, so the area is a sum over pairs: a far error is unseen at every
    threshold above its risk.

    Args:
        risks: (n,).
        errors: (n,).
        groups: of each picture, (n,), 0 … G − 1.
    """
    if not len(risks):
        return CurveArea(math.nan, math.nan, math.nan)
    _, compact = np.unique(groups, return_inverse=True)
    groups = merge_groups(compact.astype(np.int64))
    count = int(groups.max()) + 1
    sizes = np.bincount(groups, minlength=count).astype(np.float32)
    far = np.flatnonzero(errors)
    # (G, far errors): pictures of each group that are as risky as the far error or more, half of those as risky.
    riskier = np.zeros((count, len(far)), dtype=np.float32)
    for place, picture in enumerate(far):
        weights = (risks > risks[picture]) + 0.5 * (risks == risks[picture])
        riskier[:, place] = np.bincount(groups, weights, minlength=count)
    value = float(riskier.sum()) / len(risks) ** 2
    sampled = resample(np.eye(count, dtype=np.float32))
    areas = ((sampled @ riskier) * sampled[:, groups[far]]).sum(axis=1) / np.square(sampled @ sizes)
    level = effective_size(np.array([count])).percentile_level if count > 1 else LEVEL
    low, high = percentiles(areas.astype(np.float64), level)
    return CurveArea(value, float(low), float(high))


def labelled_risks(aligned: AlignedPredictions, run: int, condition: int) -> tuple[Risks, Flags, npt.NDArray[np.int64]]:
    """Return risk, far error and group, each (n,), of the pictures that a run grades and that have a label."""
    judged = aligned.judged[run, condition]
    grades = aligned.grades[run, condition, judged].astype(np.int64)
    risks = far_risk(aligned.probabilities[run, condition, judged].astype(np.float64), grades)
    return risks, far_errors(aligned.truth[condition, judged], grades), aligned.groups[judged]
