"""The error of a comparison that is most worth a look."""

from collections.abc import Mapping
from dataclasses import dataclass

from scalp_core.labels import GRADES
from scalp_core.metrics.alignment import FAR
from scalp_core.metrics.intervals import wilson
from scalp_core.metrics.metrics import Counts

_FEWEST = 2  # pictures; a single one is no pattern


@dataclass(frozen=True)
class FarError:
    """A cell of a model's matrix, two grades or more from the diagonal.

    Attributes:
        images: pictures in the cell.
        labelled: pictures of that true grade.
    """

    model: str
    truth: int
    predicted: int
    images: int
    labelled: int


def worst_far_error(counts: Mapping[str, Counts]) -> FarError | None:
    """Return the far error with the highest share of its row that is certain, weighted by its distance.

    Certain is the lower end of Wilson's interval, so that two of two pictures do not outdo 40 of 50.

    Args:
        counts: (4, 4) truth × prediction of each model, whole numbers.

    Returns:
        None where no cell has at least two pictures.
    """
    errors = [
        FarError(model, int(truth), int(predicted), int(cells[truth, predicted]), int(cells[truth].sum()))
        for model, cells in counts.items()
        for truth in GRADES
        for predicted in GRADES
        if abs(truth - predicted) >= FAR and cells[truth, predicted] >= _FEWEST
    ]
    return max(errors, key=_weight, default=None)


def _weight(error: FarError) -> float:
    return abs(error.truth - error.predicted) * float(wilson(error.images, error.labelled)[0])
