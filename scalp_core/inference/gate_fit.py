"""Fitting the gate of a finished run on pictures of its dataset (`inference.input_gate`, docs/design/gate.md).

At most 4,000 pictures are read, and each is measured once more as another camera might have shown it. Grades decide
which of them a limit must let pass. The same run and dataset give the same gate.
"""

import zlib
from collections.abc import Callable, Hashable, Mapping, Sequence
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
from scalp_core.inference.gate_background import background_picture
from scalp_core.inference.gate_limits import Measurements, fit_limits
from scalp_core.inference.gate_variation import vary
from scalp_core.inference.image_stats import ImageStats, image_stats
from scalp_core.inference.input_gate import (
    VERSION,
    Floats,
    Gate,
    ScalpDistance,
    Vectors,
    signed_log1p,
    with_squares,
    write,
)
from scalp_core.labels import CONDITIONS
from scalp_core.parallel import cores
from scalp_core.runs.run import Run

Rows = npt.NDArray[np.intp]

MOST = 2000  # pictures of a split
FEWEST = 30  # pictures of a split; below 19 no limit would keep the share of marked ones at 5 %
BACKGROUND, BACKGROUND_FOR_EACH = 1500, 3  # pictures of no scalp: at most, and for each training picture
_REGULARISATION = 0.01  # inverse strength of the logistic regression
_SHRINKAGE = 0.02  # of the correlations of scalps, as there are few pictures for their number
_LEAST_DEVIATION = 0.01  # of the mean deviation; keeps features that hardly vary from deciding


class PictureStats(NamedTuple):
    """Measurements of n pictures: (n,) each of sharpness, overexposed and brightness, texture_features
    (n, TEXTURE_FEATURES).
    """

    sharpness: Floats
    overexposed: Floats
    brightness: Floats
    texture_features: Floats


class Sample(NamedTuple):
    """Measurements of n pictures of a split: as they are, as `gate_variation.vary` changes them, and their grades
    (n, conditions), NaN where unlabelled.
    """

    original: PictureStats
    varied: PictureStats
    grades: Floats


class Samples(NamedTuple):
    """Measurements that a gate is fitted on: both splits, and texture features (m, D) of pictures of no scalp."""

    trained: Sample
    calibrated: Sample
    background: Floats


def fit(run: Run, samples: Samples, dataset: Dataset) -> Gate:
    """Fit the gate of a finished run. The same run and samples give the same gate.

    Args:
        samples: of `measure_samples` with this dataset and the run's preprocessing.

    Raises:
        ScalpError: `too_few_pictures`.
    """
    facts = {
        "version": VERSION,
        "weights": run.manifest["files"]["model.safetensors"],
        "data": dataset.name,
        "index": dataset.index_hash,
        "synthetic": dataset.synthetic,
    }
    return fit_on(samples, max(run.preprocessing.width, run.preprocessing.height), facts)


def fit_on(samples: Samples, pixels: int, facts: Mapping[str, Any]) -> Gate:
    """Fit a gate on measured pictures.

    Args:
        pixels: along a side of the network's input.

    Raises:
        ScalpError: `too_few_pictures`.
    """
    trained, calibrated, _ = samples
    fewest = min(len(trained.grades), len(calibrated.grades))
    if fewest < FEWEST:
        raise _too_few(fewest)
    distance = fit_distance(samples)
    original, varied = (
        Measurements(stats.sharpness, stats.overexposed, stats.brightness, distance(stats.texture_features))
        for stats in (calibrated.original, calibrated.varied)
    )
    limits = fit_limits(pixels, original, varied, calibrated.grades)
    counts = {"trained_on": len(trained.grades), "calibrated_on": len(calibrated.grades)}
    return Gate(limits, distance, {**facts, **counts})


def fit_distance(samples: Samples) -> ScalpDistance:
    """Fit Gaussian and logistic regression on scalps of the training split, as they are and varied, and put distances
    into units of those of the calibration split.
    """
    # A second that whatever reads a gate, or only its texts, should not wait for.
    from sklearn.linear_model import LogisticRegression

    trained = samples.trained
    both = np.concatenate([trained.original.texture_features, trained.varied.texture_features])
    scalps, others = (signed_log1p(vectors).astype(np.float64) for vectors in (both, samples.background))
    mean, deviation = scalps.mean(axis=0), scalps.std(axis=0)
    scale = deviation + _LEAST_DEVIATION * deviation.mean() + 1e-6
    scalps, others = (scalps - mean) / scale, (others - mean) / scale
    vectors = with_squares(np.concatenate([scalps, others]))
    regression = LogisticRegression(C=_REGULARISATION, max_iter=2000)
    regression.fit(vectors, np.repeat([0, 1], [len(scalps), len(others)]))
    arrays = (mean, scale, _whitening(scalps), regression.coef_[0])
    single: list[Vectors] = [np.asarray(array, dtype=np.float32) for array in arrays]
    distance = ScalpDistance(single[0], single[1], single[2], single[3], float(regression.intercept_[0]))
    median, high = np.quantile(distance(samples.calibrated.original.texture_features), (0.5, 0.84))
    return replace(distance, median=float(median), spread=float(max(high - median, 0.01)))


def _whitening(vectors: Floats) -> Floats:
    """Return the matrix (D, D) that whitens standardised vectors (n, D); correlations are shrunk a little."""
    covariance = (1 - _SHRINKAGE) * np.cov(vectors.T) + _SHRINKAGE * np.eye(vectors.shape[1])
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance)).T)


def sample_rows(dataset: Dataset, part: str) -> Rows:
    """Return at most MOST rows of a split, at random but always the same."""
    rows = np.flatnonzero((dataset.column("part") == part).to_numpy(dtype=bool))
    order = np.random.default_rng(0).permutation(len(rows))
    return np.sort(rows[order[:MOST]])


def measure_samples(dataset: Dataset, preprocessing: images.Preprocessing) -> Samples:
    """Measure at most MOST pictures each of the training and of the calibration split, as they are decoded for a
    network without short cuts, and pictures of no scalp. Pictures that cannot be read are left out.

    Raises:
        ScalpError: `too_few_pictures` in a split.
    """
    splits = [sample_rows(dataset, part) for part in ("train", "calib")]
    if (fewest := min(map(len, splits))) < FEWEST:
        raise _too_few(fewest)
    trained, calibrated = (_measure(dataset, rows, preprocessing.least) for rows in splits)
    return Samples(trained, calibrated, _measure_background(dataset, splits[0]))


def _measure(dataset: Dataset, rows: Rows, least: tuple[int, int] | None) -> Sample:
    ids = dataset.column("id").iloc[rows].tolist()
    with ThreadPoolExecutor(cores()) as pool:
        pairs = list(pool.map(partial(_measure_one, dataset, least), ids))
    readable = np.array([pair is not None for pair in pairs], dtype=bool)
    original, varied = ([pair[number] for pair in pairs if pair] for number in range(2))
    return Sample(_columns(original), _columns(varied), dataset.grades(CONDITIONS)[rows][readable])


def _columns(pictures: Sequence[ImageStats]) -> PictureStats:
    return PictureStats(*(np.array([getattr(picture, name) for picture in pictures]) for name in PictureStats._fields))


def _measure_one(dataset: Dataset, least: tuple[int, int] | None, image: str) -> tuple[ImageStats, ImageStats] | None:
    """Measure a picture as it is and varied, by chance that its id decides; None where it cannot be read."""
    try:
        pixels = images.decode(dataset.read(image), least).pixels
    except ScalpError:
        return None
    return image_stats(pixels), image_stats(vary(_shrunk(pixels), _chance(image)))


def _measure_background(dataset: Dataset, rows: Rows) -> Floats:
    """Return the texture features (m, D) of pictures of no scalp, some in the colours of these."""
    count = min(BACKGROUND, BACKGROUND_FOR_EACH * len(rows))
    ids = dataset.column("id").iloc[np.resize(rows, count)].tolist()
    with ThreadPoolExecutor(cores()) as pool:
        measured = pool.map(partial(_background_features, dataset), enumerate(ids))
    return np.array([features for features in measured if features is not None])


def _background_features(dataset: Dataset, numbered: tuple[int, str]) -> Vectors | None:
    number, image = numbered
    try:
        scalp = images.decode(dataset.read(image), (images.STATS_SIDE, images.STATS_SIDE)).pixels
    except ScalpError:
        return None
    return image_stats(background_picture(scalp, _chance(f"{number} {image}"))).texture_features


def _chance(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _shrunk(pixels: images.Pixels) -> images.Pixels:
    """Return the picture with at most twice as many pixels along its longer side as are measured."""
    scale = 2 * images.STATS_SIDE / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def refit(run: Run) -> Gate:
    """Fit the gate of a finished run on its dataset, and keep it in the run's folder.

    Raises:
        ScalpError: `too_few_pictures`; `no_such_data` when those pictures are not here.
        OSError: the folder cannot be written.
    """
    return refitter()(run)


def refitter() -> Callable[[Run], Gate]:
    """Return a function that does the same as `refit` for several runs, and measures the same pictures once."""
    measured: dict[Hashable, Samples] = {}

    def refit_run(run: Run) -> Gate:
        dataset = fitting_data(run)
        key = dataset.folder, dataset.version, run.preprocessing.least
        if key not in measured:
            measured[key] = measure_samples(dataset, run.preprocessing)
        gate = fit(run, measured[key], dataset)
        write(gate, run.gate_path)
        return gate

    return refit_run


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
