"""Counts behind the choices of filters: against plain pandas on the same rows."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset
from scalp_core.data.facets import facet_counts, histogram
from scalp_core.data.filters import NONE, Filters
from scalp_core.data.index_writer import write_dataset

IMAGES = 500


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_dataset(Path(tmp_path_factory.mktemp("data")) / "rows", "folder", {}, rows())


def rows() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "id": [f"p{number:04d}" for number in range(IMAGES)],
            "path": "images/x.jpg",
            "sha256": "0" * 64,
            "site": generator.choice(["a", "b"], IMAGES),
            "device": "d",
            "capture": [f"c{number}" for number in range(IMAGES)],
            "region": generator.choice(["TH", "BH"], IMAGES),
            "part": generator.choice(PARTS, IMAGES),
            "sharpness": np.where(generator.random(IMAGES) < 0.1, np.nan, generator.gamma(2, 50, IMAGES)),
            "clipped": 0.25,
        }
    )
    for column in LABEL_COLUMNS:
        labels = pd.Series(generator.choice(3, IMAGES), dtype="Int8")  # nothing is severe
        table[column] = labels.where(generator.random(IMAGES) > 0.1)
    return table


def test_a_facet_counts_what_other_filters_leave_and_not_its_own(dataset: Dataset) -> None:
    index = dataset.index
    filters = Filters.of({"value_1": ["2"], "part": ["train"]}, {"sharpness": (60, math.inf)})
    left = index[(index["part"] == "train") & (index["sharpness"] >= 60)]
    expected = {str(grade): int((left["value_1"] == grade).sum()) for grade in range(4)}
    assert facet_counts(dataset, filters, "value_1") == expected | {NONE: int(left["value_1"].isna().sum())}
    assert expected["3"] == 0
    both = index[(index["value_1"] == 2) & (index["sharpness"] >= 60)]
    assert facet_counts(dataset, filters, "part") == {part: int((both["part"] == part).sum()) for part in PARTS}


def test_a_histogram_counts_every_measured_picture_once(dataset: Dataset) -> None:
    index = dataset.index
    filters = Filters.of({"part": ["test"]}, {"sharpness": (10, 20)})
    bins = histogram(dataset, filters, "sharpness")
    test = index[index["part"] == "test"]
    assert sum(bins.values()) == int(test["sharpness"].notna().sum())
    assert (next(iter(bins)).low, list(bins)[-1].high) == (-math.inf, math.inf)
    for place, count in bins.items():
        assert count == int(test["sharpness"].between(place.low, place.high).sum())
    assert list(bins) == list(histogram(dataset, Filters(), "sharpness"))


def test_what_does_not_vary_has_no_histogram(dataset: Dataset) -> None:
    assert histogram(dataset, Filters(), "clipped") == {}


def test_one_filter_is_changed_and_the_others_stay() -> None:
    filters = Filters.of({"part": ["test"], "value_2": ["1"]}, {"sharpness": (1, 2)}, alike=True, text="x")
    assert filters.without("part") == Filters.of({"value_2": ["1"]}, {"sharpness": (1, 2)}, alike=True, text="x")
    assert filters.without("sharpness").ranges == ()
    assert filters.with_values("part", ["train"]).values("part") == ("train",)
    assert filters.with_values("part", []) == filters.without("part")
    assert filters.with_range("sharpness", -math.inf, math.inf) == filters.without("sharpness")
    assert filters.with_range("lightness", 3, 4).bounds("lightness") == (3, 4)
