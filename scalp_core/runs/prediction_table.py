"""The table of a run's raw predictions: a row for each picture and condition."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.data.dataset import Dataset
from scalp_core.labels import Condition
from scalp_core.metrics.metrics import PROBABILITIES


def prediction_table(
    dataset: Dataset,
    rows: npt.NDArray[np.intp],
    part: str,
    conditions: Sequence[Condition],
    probabilities: npt.NDArray[np.float32],
) -> pd.DataFrame:
    """Return predictions with the columns of Run.raw_predictions, and `capture`: a number, as names may be patients'.

    Args:
        rows: positions (n,) in the index of the pictures.
        part: their split.
        probabilities: (n, conditions, 4).
    """
    index = dataset.index
    captures, _ = pd.factorize(index["capture"])
    tables = []
    for number, condition in enumerate(conditions):
        table = pd.DataFrame(probabilities[:, number], columns=PROBABILITIES)
        table.insert(0, "image", index["id"].to_numpy()[rows])
        table.insert(1, "condition", condition.value)
        table.insert(2, "part", part)
        table.insert(3, "truth", index[condition.value].to_numpy()[rows])
        table.insert(4, "capture", pd.Series(captures[rows], dtype="Int32").where(captures[rows] >= 0))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
