"""Fitting the gate of a finished run on pictures of its dataset (`inference.input_gate`, docs/design/gate.md).

At most 4,000 pictures are read, and each is measured once more as another camera might have shown it. Grades decide
which of them a limit must let pass. The same run and dataset give the same gate.
"""

import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core import images
from scalp_core.data.dataset import Dataset, list_datasets
from scalp_core.errors import ScalpError
from scalp_core.inference import session
from scalp_core.inference.gate_limits import FARTHEST, GateLimits, Measurements, fit_limits
from scalp_core.inference.gate_variation import vary
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


class Sample(NamedTuple):
    """Measurements of n pictures of a split: as they are, as `gate_variation.vary` changes them, and their grades
    (n, conditions), NaN where unlabelled.
    """

    original: PictureStats
    varied: PictureStats
    grades: Floats


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


def fit_on(trained: Sample, calibrated: Sample, pixels: int, facts: Mapping[str, Any]) -> Gate:
    """Fit a gate on measured pictures of the training and the calibration split.

    Args:
        pixels: along a side of the network's input.

    Raises:
        ScalpError: `too_few_pictures`.
    """
    fewest = min(len(trained.grades), len(calibrated.grades))
    if fewest < FEWEST:
        raise _too_few(fewest)
    gaussians = {name: _fit_gaussian(trained, calibrated, name, rank) for name, rank in RANKS.items()}
    counts = {"trained_on": len(trained.grades), "calibrated_on": len(calibrated.grades)}
    unlimited = GateLimits(pixels, 0.0, 1.0, 0.0, FARTHEST, FARTHEST)
    gate = Gate(unlimited, **gaussians, facts={**facts, **counts})
    original, varied = (_measurements(gate, stats) for stats in (calibrated.original, calibrated.varied))
    return replace(gate, limits=fit_limits(pixels, original, varied, calibrated.grades))


def _fit_gaussian(trained: Sample, calibrated: Sample, name: str, rank: int) -> PPCA:
    everything = np.concatenate([getattr(trained.original, name), getattr(trained.varied, name)])
    return fit_ppca(everything, getattr(calibrated.original, name), rank)


def _measurements(gate: Gate, stats: PictureStats) -> Measurements:
    distances = gate.distance(stats.features, stats.texture_features)
    return Measurements(stats.sharpness, stats.overexposed, stats.brightness, distances)


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


def measure(run: Run, dataset: Dataset, rows: Rows) -> Sample:
    """Measure the readable pictures of these rows as the run sees them without short cuts."""
    ids = dataset.column("id").iloc[rows].tolist()
    original, varied, read = _Collected(run), _Collected(run), []
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(ids), _CHUNK):
            pairs = list(pool.map(partial(_measure_one, run, dataset), ids[start : start + _CHUNK]))
            read += [pair is not None for pair in pairs]
            chunk = [pair for pair in pairs if pair]
            original.add([pair[0] for pair in chunk])
            varied.add([pair[1] for pair in chunk])
    grades = dataset.grades(run.recipe.conditions)[rows][np.array(read, dtype=bool)]
    return Sample(original.stats(), varied.stats(), grades)


class _Collected:
    """Measurements of pictures, as they come in."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.measured: list[ImageStats] = []
        self.features: list[Vectors] = []

    def add(self, chunk: Sequence[tuple[ImageStats, images.Pixels]]) -> None:
        """Add pictures: their measurements, and their pixels at the size of the network."""
        if chunk:
            self.measured += [measured for measured, _ in chunk]
            self.features += list(session.outputs(self.run, np.stack([pixels for _, pixels in chunk])).features)

    def stats(self) -> PictureStats:
        columns = {name: np.array([getattr(picture, name) for picture in self.measured]) for name in ImageStats._fields}
        return PictureStats(**columns, features=np.array(self.features))


_Measured = tuple[ImageStats, images.Pixels]


def _measure_one(run: Run, dataset: Dataset, image: str) -> tuple[_Measured, _Measured] | None:
    """Measure a picture as it is and varied, by chance that its id decides; None where it cannot be read."""
    try:
        pixels = images.decode(dataset.read(image), run.preprocessing.least).pixels
    except ScalpError:
        return None
    generator = np.random.default_rng(zlib.crc32(image.encode()))
    varied = vary(
        _shrunk(pixels, max(2 * images.STATS_SIDE, run.preprocessing.width, run.preprocessing.height)), generator
    )
    return (
        (image_stats(pixels), images.resize(pixels, run.preprocessing)),
        (image_stats(varied), images.resize(varied, run.preprocessing)),
    )


def _shrunk(pixels: images.Pixels, side: int) -> images.Pixels:
    """Return the picture with at most `side` px along its longer side: varying a larger one takes longer, no more."""
    scale = side / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


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
