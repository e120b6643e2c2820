"""Human beside model: how many pictures each model has to leave to a person so that few of its far errors go unseen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.evaluation.comparison import Model, VersionedModels, align_runs, versioned
from scalp_core.labels import Condition
from scalp_core.metrics.operating_point import (
    PART,
    LabelledPredictions,
    evaluate_referral,
    labelled_predictions,
    set_rule,
)
from scalp_core.metrics.referral import CurveArea, ReferralQuality, curve_area, labelled_risks, referral_curve
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
    calibration = labelled_predictions(run.raw_predictions, condition, PART)
    if not len(calibration.truth):
        return None
    stored = run.operating_point.decision(condition)
    decision = set_rule(stored, calibration, stored.rule, stored.tau, stored.cost, limit)
    answers = labelled_predictions(run.raw_predictions, condition, part)
    kept = np.isin(answers.images, list(compared))
    return evaluate_referral(
        decision, LabelledPredictions(answers.images[kept], answers.raw[kept], answers.truth[kept])
    )


def _sum(qualities: Sequence[ReferralQuality | None]) -> ReferralQuality | None:
    measured = [quality for quality in qualities if quality is not None]
    if len(measured) < len(qualities):
        return None
    counts = (sum(getattr(quality, name) for quality in measured) for name in ("images", "referred", "far", "unseen"))
    return ReferralQuality(*counts)
