"""Human beside model: each model's threshold from the calibration split, its outcome on the compared pictures."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Folders, Trained
from support.changed_runs import change_recipe

from scalp_core.charts.comparison_tables import referral_corners, referral_table
from scalp_core.data.dataset import Dataset
from scalp_core.evaluation.comparison import list_candidates
from scalp_core.evaluation.referral import compare_referral
from scalp_core.labels import Condition
from scalp_core.metrics.intervals import wilson
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.operating_point import PART
from scalp_core.runs.run import Run

SEBUM = Condition.EXCESS_SEBUM


def test_outcome_is_that_of_the_run_s_own_answers(trained: Trained) -> None:
    """Written out from the table of predictions."""
    models, _ = list_candidates(trained.dataset)
    (model,) = models
    (referral,) = compare_referral(trained.dataset, models, "test", SEBUM, 0.1)
    rows = trained.run.predictions
    rows = rows[rows["condition"] == SEBUM.value].dropna(subset="truth")
    distance = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    grades = rows["grade"].to_numpy(dtype=int)
    risk = (rows[PROBABILITIES].to_numpy() * (distance[grades] >= 2)).sum(axis=1)
    far = np.abs(rows["truth"].to_numpy(dtype=int) - grades) >= 2
    fitted, test = ((rows["part"] == part).to_numpy() for part in (PART, "test"))
    threshold = min(
        (
            value
            for value in [*sorted(risk[fitted], reverse=True), 0.0]
            if ((fitted & far & (risk < value)).sum() + 1) / (fitted.sum() + 1) <= 0.1
        ),
        default=0.0,
        key=lambda value: -value,
    )
    assert referral.quality is not None
    assert referral.quality.images == test.sum()
    assert referral.quality.far == (test & far).sum()
    assert referral.quality.unseen == (test & far & (risk < threshold)).sum()
    assert referral.curve["unseen"].iloc[0] == pytest.approx((test & far).sum() / test.sum())
    (row,) = referral_table([referral], {model.key: 1}).to_dict("records")
    low, high = wilson(referral.quality.unseen, referral.quality.images)
    assert (row["unseen_low"], row["unseen_high"]) == (pytest.approx(float(low)), pytest.approx(float(high)))


def test_seeds_of_a_model_count_together(trained: Trained, tiny: Dataset, folders: Folders) -> None:
    shutil.copytree(trained.run.folder, folders.artifacts / "first")
    (alone,) = compare_referral(tiny, list_candidates(tiny)[0], "test", SEBUM, 0.05)
    twin = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "twin")))
    change_recipe(twin, {"seed": twin.recipe.seed + 1})
    (model,) = list_candidates(tiny)[0]
    assert len(model.runs) == 2
    (both,) = compare_referral(tiny, [model], "test", SEBUM, 0.05)
    assert alone.quality is not None
    assert both.quality is not None
    assert both.quality.images == 2 * alone.quality.images
    assert both.quality.unseen_share == alone.quality.unseen_share
    table = referral_table([both], {model.key: 2})
    assert table["images"].tolist() == [alone.quality.images]
    single = referral_table([alone], {model.key: 1})
    assert table["unseen_high"].tolist() == pytest.approx(single["unseen_high"].tolist()), "no pictures were added"


def test_curve_is_drawn_by_its_corners(trained: Trained) -> None:
    (referral,) = compare_referral(trained.dataset, list_candidates(trained.dataset)[0], "test", SEBUM, 0.05)
    corners = referral_corners(referral.curve)
    places = np.linspace(0, 1, 101)
    whole = np.interp(places, referral.curve["referred"], referral.curve["unseen"])
    assert np.interp(places, corners["referred"], corners["unseen"]) == pytest.approx(whole)
    assert len(corners) <= len(referral.curve)
