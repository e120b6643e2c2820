"""Groups of pictures by a column of the index (device, site, region, age), and the comparison of models by them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.filters import Filters, codes_of, filterable, measured
from scalp_core.evaluation.comparison import Model, VersionedModels, align_runs, versioned
from scalp_core.labels import Condition
from scalp_core.metrics import calibration, grade_sets
from scalp_core.metrics.group_comparison import GroupComparison, compare_groups
from scalp_core.metrics.metrics import labelled_rows
from scalp_core.runs.run import Run

_QUARTERS = (0.25, 0.5, 0.75)
_OWN_VALUES = ("part", "capture", "official")  # columns that are no groups of the pictures of a split


@dataclass(frozen=True)
class Grouping:
    """Groups of a dataset's pictures by a column.

    Attributes:
        column: of the index.
        names: of its groups: values, or ranges of a measure as `10..50`.
        codes: the group (n,) of each picture in the order of the index, a place in `names`; −1 for none.
        ranges: lowest and highest value of each group of a measured column.
    """

    column: str
    names: tuple[str, ...]
    codes: npt.NDArray[np.signedinteger]
    ranges: tuple[tuple[float, float], ...] = ()

    def filters(self, name: str) -> Filters:
        """Return the filters that select the pictures of a group."""
        if self.ranges:
            return Filters.of(ranges={self.column: self.ranges[self.names.index(name)]})
        return Filters.of({self.column: [name]})


def group_columns(dataset: Dataset, condition: Condition) -> list[str]:
    """Return the columns that pictures may be grouped by: of few values, or measured."""
    columns = [*filterable(dataset), *measured(dataset)]
    return [name for name in columns if name not in (*_OWN_VALUES, condition.value)]


def group_pictures(dataset: Dataset, column: str) -> Grouping:
    """Group the pictures of a dataset by a column; a measured one by its quarters."""
    if column not in measured(dataset):
        codes, values = codes_of(dataset, column)
        return Grouping(column, tuple(values), codes)
    numbers = dataset.column(column).to_numpy(dtype=np.float64, na_value=np.nan)
    measured_rows = np.flatnonzero(~np.isnan(numbers))
    if not len(measured_rows):
        return Grouping(column, (), np.full(len(numbers), -1))
    quarters = np.searchsorted(np.quantile(numbers[measured_rows], _QUARTERS), numbers[measured_rows], side="left")
    codes = np.full(len(numbers), -1)
    codes[measured_rows] = np.unique(quarters, return_inverse=True)[1]  # equal values leave quarters empty
    ranges = tuple(
        (values.min(), values.max()) for values in (numbers[codes == code] for code in range(codes.max() + 1))
    )
    return Grouping(column, tuple(f"{low:g}..{high:g}" for low, high in ranges), codes, ranges)


def compare_by_group(
    dataset: Dataset, models: Sequence[Model], part: str, condition: Condition, column: str
) -> GroupComparison:
    """Return the comparison of models by the groups of a column; shared, so not to be changed.

    Raises:
        ScalpError: as `comparison.align_runs`.
    """
    return _compare_by_group(dataset.name, dataset.version, versioned(models), part, condition, column)


@lru_cache(maxsize=8)
def _compare_by_group(
    data: str,
    _version: int,
    models: VersionedModels,
    part: str,
    condition: Condition,
    column: str,
) -> GroupComparison:
    dataset = open_dataset(data)
    aligned = align_runs(dataset, [run for _, runs in models for run, _ in runs], part)
    grouping = group_pictures(dataset, column)
    run_ids = {key: [run.id for run, _ in runs] for key, runs in models}
    return compare_groups(aligned, run_ids, condition, _codes_of(dataset, grouping, aligned.images), grouping.names)


def reliability_by_group(
    dataset: Dataset, run: Run, part: str, condition: Condition, column: str, names: Sequence[str]
) -> pd.DataFrame:
    """Return how far a run's probabilities and grade sets hold in groups of a column.

    Args:
        names: of the groups.

    Returns:
        group, calibration_error, coverage (of grade sets; NaN without), size (grades a set).
    """
    rows = labelled_rows(run.predictions, condition, part)
    grouping = group_pictures(dataset, column)
    codes = _codes_of(dataset, grouping, rows["image"])
    table = []
    for name in names:
        own = rows[codes == grouping.names.index(name)]
        sets = grade_sets.measure_sets(own, condition, part)
        error = calibration.expected_calibration_error(own, condition, part)
        table.append((name, error, sets.coverage, sets.size))
    return pd.DataFrame(table, columns=["group", "calibration_error", "coverage", "size"])


def _codes_of(dataset: Dataset, grouping: Grouping, images: Iterable[Any]) -> npt.NDArray[np.signedinteger]:
    places = pd.Index(dataset.column("id")).get_indexer(pd.Index(images))
    codes: npt.NDArray[np.signedinteger] = grouping.codes[places]
    return codes
