"""Groups of a dataset's pictures: values, quarters of a measure, and filters that select just their pictures."""

import math

import numpy as np
import pytest
from conftest import Trained

from scalp_core.data.filters import select
from scalp_core.evaluation.comparison import list_candidates
from scalp_core.evaluation.groups import compare_by_group, group_columns, group_pictures, reliability_by_group
from scalp_core.labels import CONDITIONS
from scalp_core.metrics import calibration
from scalp_core.metrics.metrics import PROBABILITIES


@pytest.mark.parametrize("column", ["region", "device", "value_6", "sharpness", "bytes"])
def test_filters_of_a_group_select_its_pictures(trained: Trained, column: str) -> None:
    grouping = group_pictures(trained.dataset, column)
    assert len(grouping.names) > 1
    for code, name in enumerate(grouping.names):
        rows = select(trained.dataset, grouping.filters(name))
        assert np.array_equal(rows, np.flatnonzero(grouping.codes == code))


def test_quarters_are_about_equal(trained: Trained) -> None:
    grouping = group_pictures(trained.dataset, "sharpness")
    counts = np.bincount(grouping.codes)
    assert len(counts) == 4
    assert counts.max() - counts.min() <= 2


def test_no_condition_is_grouped_by_its_own_label(trained: Trained) -> None:
    columns = group_columns(trained.dataset, CONDITIONS[0])
    assert {"region", "device", "site", "sharpness", "value_2"} <= set(columns)
    assert not {"value_1", "part", "capture", "id"} & set(columns)


def test_groups_add_up_to_the_split(trained: Trained) -> None:
    models, _ = list_candidates(trained.dataset)
    compared = compare_by_group(trained.dataset, models, "test", CONDITIONS[1], "region")
    assert compared.images.sum() == (trained.dataset.index["part"] == "test").sum()
    assert set(compared.names) <= set(trained.dataset.index["region"])


def test_reliability_is_that_of_the_group_s_predictions(trained: Trained) -> None:
    condition = CONDITIONS[1]
    names = group_pictures(trained.dataset, "region").names
    table = reliability_by_group(trained.dataset, trained.run, "test", condition, "region", names).set_index("group")
    rows = trained.run.predictions
    rows = rows[(rows["condition"] == condition.value) & (rows["part"] == "test")].dropna(subset="truth")
    region = rows["image"].map(trained.dataset.index["region"].astype(str))
    for name in table.index:
        own = rows[region == name]
        bins = calibration.reliability_bins(own[PROBABILITIES].to_numpy(dtype=float), own["truth"].to_numpy(dtype=int))
        holds = (own["low"] <= own["truth"]) & (own["truth"] <= own["high"])
        assert table.loc[name, "coverage"] == pytest.approx(
            holds.mean() if own["low"].notna().any() else math.nan, nan_ok=True
        )
        assert table.loc[name, "calibration_error"] == pytest.approx(
            calibration.calibration_error(bins), abs=1e-6, nan_ok=True
        )
