"""Out-of-fold predictions: each picture as the run answers that did not learn from its fold, all folds as one model."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.alignment import align, arrange
from scalp_core.metrics.metrics import HEADLINE, PROBABILITIES, count, measure
from scalp_core.metrics.paired_comparison import Comparison, compare
from scalp_core.runs.external import ExternalRun, add_external
from scalp_core.runs.run import Run

_COLUMNS = ["image", "condition", "part", "truth", *PROBABILITIES, "grade", "low", "high"]


def out_of_fold(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the test predictions of the runs of all folds, each at its own operating point, as one table.

    Args:
        runs: of one recipe, one a fold; several for a fold where each grades another condition.

    Returns:
        The columns of Run.predictions, and `run`.

    Raises:
        ScalpError: `not_folds`, two runs answer for the same picture and condition.
    """
    tables = [run.predictions.loc[run.predictions["part"] == "test", _COLUMNS].assign(run=run.id) for run in runs]
    table = pd.concat(tables, ignore_index=True)
    if table.duplicated(["image", "condition"]).any():
        listed = ", ".join(run.id for run in runs)
        raise ScalpError(
            "not_folds",
            f"These runs are not of the folds of one cross-validation, as several test the same pictures: {listed}.",
            f"같은 사진을 여러 실행이 테스트하므로 한 교차 검증의 폴드가 아니에요: {listed}.",
        )
    return table


def compare_out_of_fold(dataset: Dataset, models: Mapping[str, pd.DataFrame]) -> Comparison:
    """Return the comparison of cross-validated models on all pictures of a dataset, its captures resampled.

    Args:
        models: of `out_of_fold`, by name.

    Raises:
        ValueError: they are not about the same pictures with the same labels.
    """
    ids, captures = (dataset.column(name).to_numpy(dtype=object) for name in ("id", "capture"))
    answers = {name: arrange(table, "test") for name, table in models.items()}
    return compare(align(answers, dict(zip(ids, captures, strict=True))), {name: [name] for name in models})


def kappas_by_fold(table: pd.DataFrame) -> pd.DataFrame:
    """Return quadratic weighted kappa of each fold: a row a run and condition; columns run, condition, value.

    Args:
        table: of `out_of_fold`.
    """
    rows = []
    for (run, condition), part in table.dropna(subset=["truth"]).groupby(["run", "condition"], observed=True):
        truth, grades = (part[name].to_numpy(dtype=np.int64) for name in ("truth", "grade"))
        rows.append((run, condition, getattr(measure(count(truth, grades)), HEADLINE)))
    return pd.DataFrame(rows, columns=["run", "condition", "value"])


def add_out_of_fold(name: str, dataset: Dataset, table: pd.DataFrame, about: str) -> ExternalRun:
    """Add a cross-validated model to those from elsewhere, so that Compare has it beside the runs of a dataset.

    Its answers to the dataset's own training split are left out there.

    Raises:
        ScalpError: as `external.add_external`.
    """
    order = [condition.value for condition in CONDITIONS]
    predictions = table.sort_values("condition", key=lambda values: values.map(order.index), kind="stable")
    return add_external(name, dataset, predictions[["image", "condition", *PROBABILITIES, "grade"]], about)
