"""What a run's network sees in pictures, as points on a map: pooled features and their principal components.

Knows no page and no torch: features come out of the run's ONNX export.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import write_atomic
from scalp_core.inference import session
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.runs.runs import Run

Rows = npt.NDArray[np.intp]  # positions in the index
Features = npt.NDArray[np.float32]  # (pictures, channels)
Progress = Callable[[int, int], object]

_CHUNK = 32  # pictures passed through the network at once
_MOST_KEPT = 10_000  # features of so many pictures are kept on disk for each run, the latest ones


def sample(dataset: Dataset, rows: Rows, most: int = 2000, seed: int = 0) -> Rows:
    """At most `most` of these rows, ascending; the same rows and seed give the same sample.

    Half of it is shared among the grades of all conditions, so that rare ones are seen; shares are therefore not those
    of the rows. The rest is drawn at random.
    """
    if len(rows) <= most:
        return np.sort(rows)
    # Every row of the index has its place in one order: samples of different filters share pictures, and features.
    order = rows[np.argsort(np.random.default_rng(seed).random(dataset.images, dtype=np.float32)[rows])]
    share = most // (2 * len(CONDITIONS) * len(GRADES))
    chosen = np.zeros(len(order), dtype=bool)
    for condition in CONDITIONS:
        grades = dataset.column(condition.value).fillna(-1).to_numpy(dtype=np.int8)[order]
        for grade in GRADES:
            chosen[np.flatnonzero(grades == int(grade))[:share]] = True
    chosen[np.flatnonzero(~chosen)[: most - chosen.sum()]] = True
    return np.sort(order[chosen])


def features(run: Run, dataset: Dataset, rows: Rows, progress: Progress | None = None) -> tuple[Rows, Features]:
    """Mean feature map of each picture just before the run's evidence maps; their weights turn it into the logits.

    What was computed is kept in the data set's cache by the content of the pictures, however this ends.

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
    known = _read_kept(path)
    if not known.keys() >= set(contents):
        with _COMPUTING:  # a second visitor waits for the first and finds what that one computed
            known = _read_kept(path)
            wanted = {
                content: row for content, row in zip(contents, rows.tolist(), strict=True) if content not in known
            }
            _compute(run, dataset, wanted, known, path, progress)
    there = np.array([content in known for content in contents], dtype=bool)
    if not there.any():
        return rows[there], np.zeros((0, 0), dtype=np.float32)
    return rows[there], np.stack([known[content] for content in contents[there]])


def project(values: Features) -> tuple[Features, npt.NDArray[np.float64]]:
    """The first two principal components of features (n, channels): points (n, 2), and the share each one explains.

    The largest loading of each component is positive, so that a map does not flip from one look to the next.
    """
    if len(values) < 2:
        return np.zeros((len(values), 2), dtype=np.float32), np.zeros(2)
    centred = values - values.mean(axis=0)
    # Subspace iteration with room to spare (Halko, Martinsson and Tropp 2011): the whole decomposition would take
    # seconds, and only two directions are wanted.
    basis = np.random.default_rng(0).normal(size=(values.shape[1], 12)).astype(np.float32)
    for _ in range(16):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    _, strengths, turns = np.linalg.svd(centred @ basis, full_matrices=False)
    components = basis @ turns[:2].T
    components *= np.sign(components[np.abs(components).argmax(axis=0), [0, 1]])
    variances, total = np.square(strengths[:2], dtype=np.float64), np.square(centred, dtype=np.float64).sum()
    return centred @ components, variances / total if total else np.zeros(2)


_COMPUTING = threading.Lock()


def _compute(
    run: Run,
    dataset: Dataset,
    wanted: dict[str, int],
    known: dict[str, Features],
    path: Path,
    progress: Progress | None,
) -> None:
    """Add the features of the wanted pictures, content → row, to those known, and keep all."""
    preprocessing, ids = run.preprocessing, dataset.column("id")
    before, left, done = len(known), iter(wanted.items()), 0
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            while chunk := dict(islice(left, _CHUNK)):
                read = pool.map(lambda row: _small(dataset, str(ids.iloc[row]), preprocessing), chunk.values())
                pictures = {content: small for content, small in zip(chunk, read, strict=True) if small is not None}
                if pictures:
                    found = session.outputs(run, np.stack(list(pictures.values()))).features
                    known |= zip(pictures, found, strict=True)
                done += len(chunk)
                if progress:
                    progress(done, len(wanted))
    finally:
        if len(known) > before:
            _keep(path, known)


def _small(dataset: Dataset, image_id: str, preprocessing: images.Preprocessing) -> images.Pixels | None:
    try:
        return images.seen(dataset.read(image_id), preprocessing)
    except ScalpError:
        return None


def _read_kept(path: Path) -> dict[str, Features]:
    """Features by the content of their picture; none where none are kept."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        return {}
    values = table["features"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    return dict(zip(table["sha256"].to_pylist(), values, strict=True))


def _keep(path: Path, known: dict[str, Features]) -> None:
    contents = list(known)[-_MOST_KEPT:]
    values = np.stack([known[content] for content in contents])
    lists = pa.FixedSizeListArray.from_arrays(values.reshape(-1), values.shape[1])
    table = pa.table({"sha256": contents, "features": lists})
    with suppress(OSError):  # a folder that cannot be written only makes the next look slow
        write_atomic(path, lambda temporary: pq.write_table(table, temporary))
