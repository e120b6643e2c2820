"""Which pictures of a data set a run's network takes for most like one picture. Knows no page."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scalp_core.data.dataset import Dataset
from scalp_core.inference.embeddings import Features, Progress, sample
from scalp_core.inference.embeddings import features as features_of
from scalp_core.runs.runs import Run

_LEAST = 1e-12  # length: a network that sees nothing at all in a picture has no direction


class Neighbor(NamedTuple):
    """A picture of the data set.

    Attributes:
        image: its id.
        distance: 1 − cosine of the angle between the features, 0 (alike) to 2.
    """

    image: str
    distance: float


def nearest_neighbors(
    run: Run,
    dataset: Dataset,
    features: npt.NDArray[np.float32],
    count: int = 8,
    most: int = 2000,
    progress: Progress | None = None,
    without: str = "",
) -> list[Neighbor]:
    """The nearest of a sample of the data set's pictures, the nearest first; of equally near ones by id.

    All of the sample are compared, so nothing nearer in it is missed. The sample is the same every time (see
    embedding.sample: rare grades are in it more often than in the data set), and its features are computed once.

    Args:
        features: (channels,) of the picture, as `predict.Answer.features` holds them for the run.
        most: pictures in the sample.
        progress: called with (done, total) of the pictures whose features have to be computed.
        without: SHA-256 of a file, in hexadecimal, that is left out: the picture itself. Nothing else is.

    Raises:
        ScalpError: the run is damaged or cannot be exported.
    """
    rows, known = features_of(run, dataset, sample(dataset, np.arange(dataset.images), most), progress)
    contents = dataset.column("sha256").iloc[rows].to_numpy(dtype=object)
    kept = contents != without
    rows, known = rows[kept], known[kept]
    if not len(rows):
        return []
    cosines = _directions(known) @ _directions(features[np.newaxis])[0]
    # Two files of one content are equally near, whatever the order in which products were summed.
    distances = np.round(1 - cosines, 9)
    first = np.argsort(distances, kind="stable")[:count]  # rows are in the order of ids
    ids = dataset.column("id").iloc[rows[first]]
    return [
        Neighbor(str(image), max(0.0, float(distance))) for image, distance in zip(ids, distances[first], strict=True)
    ]


def _directions(values: Features) -> npt.NDArray[np.float64]:
    """(n, channels) of length 1."""
    exact = values.astype(np.float64)
    directions: npt.NDArray[np.float64] = exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), _LEAST)
    return directions
