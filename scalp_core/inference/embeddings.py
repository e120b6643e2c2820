"""Pooled features of a dataset's pictures, as a run's network computes them, their map and the nearest neighbours.

Features come out of the run's ONNX export and are kept in the dataset's cache.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scalp_core.data.dataset import Dataset
from scalp_core.inference.dataset_outputs import dataset_outputs, read_vectors, write_vectors
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.runs.run import Run

Rows = npt.NDArray[np.intp]  # positions in the index
Features = npt.NDArray[np.float32]  # (pictures, channels)
Progress = Callable[[int, int], object]

_MOST_KEPT = 10_000  # pictures whose features are kept on disk for each run, the latest ones
_COMPONENTS, _ITERATIONS = 30, 500  # of t-SNE: principal components that it starts from
_FEWEST_NEIGHBORS = 8  # pictures; fewer have no neighbourhoods
_DECIMALS = 9  # of distances: two files of one content are equally near, in whatever order products were summed


class Neighbor(NamedTuple):
    """A picture of the dataset near another picture.

    Attributes:
        image: its id.
        distance: 1 − cosine of the angle between the features, 0 (alike) to 2.
    """

    image: str
    distance: float


def sample(dataset: Dataset, rows: Rows, most: int = 2000, seed: int = 0) -> Rows:
    """Return at most `most` of these rows, ascending; the same rows and seed give the same sample.

    Half of it is shared among the grades of all conditions, so that rare ones are seen; shares are therefore not those
    of the rows. The rest is sampled at random.
    """
    if len(rows) <= most:
        return np.sort(rows)
    # Every row of the index has its place in one order: samples of different filters share pictures, and features.
    order = rows[np.argsort(np.random.default_rng(seed).random(dataset.images, dtype=np.float32)[rows])]
    share = most // (2 * len(CONDITIONS) * len(GRADES))
    in_sample = np.zeros(len(order), dtype=bool)
    for condition in CONDITIONS:
        grades = dataset.column(condition.value).fillna(-1).to_numpy(dtype=np.int8)[order]
        for grade in GRADES:
            in_sample[np.flatnonzero(grades == int(grade))[:share]] = True
    in_sample[np.flatnonzero(~in_sample)[: most - in_sample.sum()]] = True
    return np.sort(order[in_sample])


def features(run: Run, dataset: Dataset, rows: Rows, progress: Progress | None = None) -> tuple[Rows, Features]:
    """Return the mean of each picture's feature map just before the evidence maps, whose weights turn it into logits.

    Computed features are kept in the dataset's cache by the content of the pictures, even if this is interrupted.

    Args:
        progress: called with (done, total) of the pictures that have to be computed.

    Returns:
        The rows whose pictures could be read, in the order given, and their features (pictures, channels).

    Raises:
        ScalpError: the run is damaged or cannot be exported.
    """
    weights = str(run.manifest["files"]["model.safetensors"])
    path = dataset.folder / "cache" / f"embedding-{run.id}-{weights[:12]}.parquet"
    contents = dataset.column("sha256").iloc[rows].to_numpy(dtype=object)
    cached = read_vectors(path)
    if not cached.keys() >= set(contents):
        with _COMPUTING:  # a second visitor waits for the first and then reads what the first computed
            cached = read_vectors(path)
            missing = {
                content: row for content, row in zip(contents, rows.tolist(), strict=True) if content not in cached
            }
            _compute(run, dataset, missing, cached, path, progress)
    readable = np.array([content in cached for content in contents], dtype=bool)
    if not readable.any():
        return rows[readable], np.zeros((0, 0), dtype=np.float32)
    return rows[readable], np.stack([cached[content] for content in contents[readable]])


def project(values: Features) -> tuple[Features, npt.NDArray[np.float64]]:
    """Project features (n, channels) onto their first two principal components.

    The largest loading of each component is positive, so that a map does not flip from one look to the next.

    Returns:
        Points (n, 2), and the share of the variance that each component explains (2,).
    """
    if not len(values) or not np.ptp(values, axis=0).any():
        return np.zeros((len(values), 2), dtype=np.float32), np.zeros(2)
    # Half a second that neither a server's start nor another page should wait for.
    from sklearn.decomposition import PCA

    # Many iterations (Halko, Martinsson and Tropp 2011), as the spectrum of features falls slowly.
    pca = PCA(n_components=2, iterated_power=16, random_state=0)
    return pca.fit_transform(values), np.asarray(pca.explained_variance_ratio_, dtype=np.float64)


def neighbor_map(values: Features) -> Features:
    """Place features (n, channels) in a plane so that near ones stay near (t-SNE, van der Maaten and Hinton 2008).

    Distances between far groups mean nothing. The same features give the same map.

    Returns:
        Points (n, 2).
    """
    if len(values) < _FEWEST_NEIGHBORS or not np.ptp(values, axis=0).any():
        return project(values)[0]
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    components = PCA(n_components=min(_COMPONENTS, *values.shape), random_state=0).fit_transform(values)
    tsne = TSNE(
        perplexity=min(30, (len(values) - 1) / 3),
        init="pca",
        learning_rate="auto",
        max_iter=_ITERATIONS,
        random_state=0,
    )
    with threadpool_limits(1):  # threads that wait for each other take four times as long beside other work
        points: Features = tsne.fit_transform(components)
    return points


def rank_map(values: Features) -> Features:
    """Place features (n, channels) by rank in the first two principal components, 0 to 1: outliers squash nothing.

    Returns:
        Points (n, 2).
    """
    points, _ = project(values)
    return (np.argsort(np.argsort(points, axis=0, kind="stable"), axis=0) / max(len(points) - 1, 1)).astype(np.float32)


def nearest_neighbors(
    run: Run,
    dataset: Dataset,
    query: Features,
    count: int,
    most: int = 2000,
    progress: Progress | None = None,
    without: str = "",
) -> list[Neighbor]:
    """Return the nearest of a sample of the dataset's pictures, the nearest first; equally near ones by id.

    All of the sample are compared, so nothing nearer in it is missed. The sample is the same every time (see `sample`:
    rare grades are in it more often than in the dataset), and its features are computed once.

    Args:
        query: features (channels,) of the picture, as `predict.Answer.features` holds them for the run.
        most: pictures in the sample.
        progress: called with (done, total) of the pictures whose features have to be computed.
        without: SHA-256, in hexadecimal, of the one file that is left out: the picture itself.

    Raises:
        ScalpError: the run is damaged or cannot be exported.
    """
    rows, values = features(run, dataset, sample(dataset, np.arange(dataset.images), most), progress)
    kept = dataset.column("sha256").iloc[rows].to_numpy(dtype=object) != without
    rows, values = rows[kept], values[kept]
    if not len(rows):
        return []
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=len(rows), algorithm="brute", metric="cosine").fit(values.astype(np.float64))
    distances, places = (row[0] for row in search.kneighbors(query[np.newaxis].astype(np.float64)))
    distances = distances.round(_DECIMALS)
    nearest = np.lexsort((places, distances))[:count]  # rows are in the order of ids
    ids = dataset.column("id").iloc[rows[places[nearest]]]
    return [Neighbor(str(image), float(distance)) for image, distance in zip(ids, distances[nearest], strict=True)]


_COMPUTING = threading.Lock()


def _compute(
    run: Run,
    dataset: Dataset,
    missing: dict[str, int],
    cached: dict[str, Features],
    path: Path,
    progress: Progress | None,
) -> None:
    """Add the features of the missing pictures, content → row, to the cached ones, and keep all."""
    before, done = len(cached), 0
    content_of = {row: content for content, row in missing.items()}
    try:
        for chunk, outputs in dataset_outputs(run, dataset, missing.values()):
            cached |= {content_of[row]: values.features for row, values in outputs.items()}
            done += len(chunk)
            if progress:
                progress(done, len(missing))
    finally:
        if len(cached) > before:
            write_vectors(path, dict(list(cached.items())[-_MOST_KEPT:]))
