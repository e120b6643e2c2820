"""Fitting the gate of a finished run on pictures of its dataset (`inference.input_gate`, docs/design/gate.md).

At most 4,000 pictures are read, without their labels. The same run and dataset give the same gate.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scalp_core import images
from scalp_core.data.dataset import Dataset, list_datasets
from scalp_core.errors import ScalpError
from scalp_core.inference import session
from scalp_core.inference.gate_limits import FARTHEST, GateLimits, fit_limits
from scalp_core.inference.image_stats import ImageStats, image_stats
from scalp_core.inference.input_gate import PPCA, VERSION, Floats, Gate, Vectors, signed_log1p, write
from scalp_core.parallel import cores
from scalp_core.runs.run import Run

Rows = npt.NDArray[np.intp]

MOST = 2000  # pictures of a split
FEWEST = 30  # pictures of a split; below 19 no limit would keep false alarms at 5 %
RANKS = {"features": 64, "texture_features": 20}
_CHUNK = 32  # pictures passed through the network at once


class PictureStats(NamedTuple):
    """Measurements of n pictures: (n,) each of sharpness, overexposed and brightness, texture_features
    (n, TEXTURE_FEATURES), and the run's pooled features (n, C).
    """

    sharpness: Floats
    overexposed: Floats
    brightness: Floats
    texture_features: Floats
    features: Floats


def fit(run: Run, dataset: Dataset) -> Gate:
    """Fit the gate of a finished run on at most MOST pictures each of the training and of the calibration split.

    The same run and dataset give the same gate. Pictures that cannot be read are left out.

    Raises:
        ScalpError: `too_few_pictures` in a split; the run is damaged or cannot be exported.
    """
    splits = [sample_rows(dataset, part) for part in ("train", "calib")]
    if (fewest := min(map(len, splits))) < FEWEST:
        raise _too_few(fewest)
    trained, calibrated = (measure(run, dataset, rows) for rows in splits)
    facts = {
        "version": VERSION,
        "weights": run.manifest["files"]["model.safetensors"],
        "data": dataset.name,
        "index": dataset.index_hash,
        "synthetic": dataset.synthetic,
    }
    return fit_on(trained, calibrated, max(run.preprocessing.width, run.preprocessing.height), facts)


def fit_on(trained: PictureStats, calibrated: PictureStats, pixels: int, facts: Mapping[str, Any]) -> Gate:
    """Fit a gate on measured pictures of the training and the calibration split.

    Args:
        pixels: along a side of the network's input.

    Raises:
        ScalpError: `too_few_pictures`.
    """
    fewest = min(len(trained.brightness), len(calibrated.brightness))
    if fewest < FEWEST:
        raise _too_few(fewest)
    gaussians = {
        name: fit_ppca(getattr(trained, name), getattr(calibrated, name), rank) for name, rank in RANKS.items()
    }
    counts = {"trained_on": len(trained.brightness), "calibrated_on": len(calibrated.brightness)}
    unlimited = GateLimits(pixels, 0.0, 1.0, 0.0, FARTHEST)
    gate = Gate(unlimited, **gaussians, facts={**facts, **counts})
    distances = gate.distance(calibrated.features, calibrated.texture_features)
    limits = fit_limits(pixels, calibrated.sharpness, calibrated.overexposed, calibrated.brightness, distances)
    return replace(gate, limits=limits)


def fit_ppca(trained: Floats, calibrated: Floats, rank: int) -> PPCA:
    """Fit the Gaussian of vectors (n, D) of training pictures, and scale its distances by those of (m, D) others.

    A network knows the pictures it learned from too well: others lie farther, and only they tell how far is usual.
    """
    # A second that whatever reads a gate, or only its texts, should not wait for.
    from sklearn.decomposition import PCA

    vectors = signed_log1p(trained).astype(np.float64)
    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    scale = deviation + 0.01 * deviation.mean() + 1e-6  # keeps directions that hardly vary from deciding
    pca = PCA(svd_solver="full").fit((vectors - mean) / scale)
    variances = pca.explained_variance_ * (len(vectors) - 1) / len(vectors) + 1e-6
    kept = min(rank, len(vectors) // 4, len(variances) - 1)
    gaussian = PPCA(
        mean.astype(np.float32),
        scale.astype(np.float32),
        # As in the file, so that both decide alike. In C order: safetensors writes the memory as it lies.
        pca.components_[:kept].astype(np.float16, order="C").astype(np.float32),
        variances[:kept].astype(np.float32),
        float(variances[kept:].sum() / max(1, vectors.shape[1] - kept)),
    )
    median, high = np.quantile(gaussian.distance(calibrated), (0.5, 0.84))
    return replace(gaussian, median=float(median), spread=float(max(high - median, 0.01)))


def sample_rows(dataset: Dataset, part: str) -> Rows:
    """Return at most MOST rows of a split, at random but always the same."""
    rows = np.flatnonzero((dataset.column("part") == part).to_numpy(dtype=bool))
    order = np.random.default_rng(0).permutation(len(rows))
    return np.sort(rows[order[:MOST]])


def measure(run: Run, dataset: Dataset, rows: Rows) -> PictureStats:
    """Measure the readable pictures of these rows as the run sees them without short cuts."""
    ids = dataset.column("id").iloc[rows].tolist()
    stats: list[ImageStats] = []
    features: list[Vectors] = []
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(ids), _CHUNK):
            read = pool.map(partial(_measure_one, run, dataset), ids[start : start + _CHUNK])
            chunk = [measured for measured in read if measured]
            if chunk:
                stats += [picture_stats for picture_stats, _ in chunk]
                features += list(session.outputs(run, np.stack([pixels for _, pixels in chunk])).features)
    columns = {name: np.array([getattr(picture, name) for picture in stats]) for name in ImageStats._fields}
    return PictureStats(**columns, features=np.array(features))


def _measure_one(run: Run, dataset: Dataset, image: str) -> tuple[ImageStats, images.Pixels] | None:
    try:
        pixels = images.decode(dataset.read(image), run.preprocessing.least).pixels
    except ScalpError:
        return None
    return image_stats(pixels), images.resize(pixels, run.preprocessing)


def refit(run: Run) -> Gate:
    """Fit the gate of a finished run on its dataset, and keep it in the run's folder.

    Raises:
        ScalpError: as `fit`; `no_such_data` when those pictures are not here.
        OSError: the folder cannot be written.
    """
    gate = fit(run, fitting_data(run))
    write(gate, run.gate_path)
    return gate


def fitting_data(run: Run) -> Dataset:
    """Return the dataset that the run learned from, or else one with the pictures that it was judged on.

    Raises:
        ScalpError: neither is here.
    """
    datasets = list_datasets()
    for candidates in (
        [dataset for dataset in datasets if dataset.index_hash == run.index_hash],
        [dataset for dataset in datasets if dataset.evaluation_hash == run.evaluation_hash],
    ):
        if candidates:
            return max(candidates, key=lambda dataset: dataset.images)
    raise ScalpError(
        "no_such_data",
        f"The pictures that run “{run.id}” was trained or evaluated on are not here: its quality check stays as it is.",
        f"“{run.id}” 실행이 학습하거나 평가받은 사진이 없어요. 품질 검사 기준은 그대로 둬요.",
    )


def _too_few(pictures: int) -> ScalpError:
    return ScalpError(
        "too_few_pictures",
        f"A quality check needs {FEWEST} readable pictures in training and calibration; one split has "
        f"{pictures}. Pictures are graded without being checked.",
        f"품질 검사 기준을 만들려면 학습·보정 분할에 읽을 수 있는 사진이 {FEWEST}장씩 필요한데 {pictures}장뿐인 분할이 "
        "있어요. 사진을 검사하지 않고 등급을 추정해요.",
    )
