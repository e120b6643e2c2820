"""Human beside model: how many pictures each model has to leave to a person so that few of its far errors go unseen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.evaluation.comparison import Model, VersionedModels, align_runs, versioned
from scalp_core.labels import Condition
from scalp_core.metrics.calibration import Grades
from scalp_core.metrics.metrics import PROBABILITIES, labelled_rows
from scalp_core.metrics.operating_point import PART
from scalp_core.metrics.referral import (
    CurveArea,
    Flags,
    ReferralQuality,
    Risks,
    curve_area,
    far_errors,
    far_risk,
    fit_referral,
    labelled_risks,
    referral_curve,
    referral_quality,
)
from scalp_core.runs.run import Run


@dataclass(frozen=True, eq=False)
class ModelReferral:
    """A model beside a person, in one condition and split.

    Attributes:
        model: its key.
        name: of the model.
        curve: of `referral.referral_curve`.
        area: under it.
        quality: with the threshold of the limit, which is chosen on the calibration split; None where the model answers
            no labelled picture of it.
    """

    model: str
    name: str
    curve: pd.DataFrame
    area: CurveArea
    quality: ReferralQuality | None


def compare_referral(
    dataset: Dataset, models: Sequence[Model], part: str, condition: Condition, limit: float
) -> list[ModelReferral]:
    """Return what each model leaves to a person, on the pictures that all of them answer; shared, not to be changed.

    Of a model of several seeds the answers of all are taken together.

    Args:
        limit: share of pictures that may be far wrong and go unseen.

    Raises:
        ScalpError: as `comparison.align_runs`.
    """
    names = tuple((model.key, model.name) for model in models)
    return _compare_referral(dataset.name, dataset.version, versioned(models), names, part, condition, limit)


@lru_cache(maxsize=32)
def _compare_referral(
    data: str,
    _version: int,
    models: VersionedModels,
    names: tuple[tuple[str, str], ...],
    part: str,
    condition: Condition,
    limit: float,
) -> list[ModelReferral]:
    aligned = align_runs(open_dataset(data), [run for _, runs in models for run, _ in runs], part)
    place, compared, by_key = aligned.condition(condition), set(aligned.images), dict(names)
    referrals = []
    for key, runs in models:
        answers = [labelled_risks(aligned, aligned.run(run.id), place) for run, _ in runs]
        risks, errors, groups = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        qualities = [_quality(run, condition, part, limit, compared) for run, _ in runs]
        referrals.append(
            ModelReferral(
                key, by_key[key], referral_curve(risks, errors), curve_area(risks, errors, groups), _sum(qualities)
            )
        )
    return referrals


def _quality(run: Run, condition: Condition, part: str, limit: float, compared: set[str]) -> ReferralQuality | None:
    """Refer by the threshold of the calibration split, and count on the compared pictures of the split."""
    calibration = labelled_rows(run.predictions, condition, PART)
    if not len(calibration):
        return None
    _, _, risks, errors = _outcomes(calibration)
    threshold = fit_referral(risks, errors, limit)
    rows = labelled_rows(run.predictions, condition, part)
    truth, grades, risks, _ = _outcomes(rows[rows["image"].isin(compared)])
    return referral_quality(truth, grades, risks >= threshold)


class _Outcomes(NamedTuple):
    truth: Grades
    grades: Grades
    risks: Risks
    errors: Flags


def _outcomes(rows: pd.DataFrame) -> _Outcomes:
    """Return truth, decided grade, risk and far error of labelled rows of a prediction table; each (n,)."""
    truth, grades = (rows[name].to_numpy(dtype=np.int64) for name in ("truth", "grade"))
    risks = far_risk(rows[PROBABILITIES].to_numpy(dtype=np.float64), grades)
    return _Outcomes(truth, grades, risks, far_errors(truth, grades))


def _sum(qualities: Sequence[ReferralQuality | None]) -> ReferralQuality | None:
    measured = [quality for quality in qualities if quality is not None]
    if len(measured) < len(qualities):
        return None
    counts = (sum(getattr(quality, name) for quality in measured) for name in ("images", "referred", "far", "unseen"))
    return ReferralQuality(*counts)
