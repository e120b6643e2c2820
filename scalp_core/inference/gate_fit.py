"""Fitting the gate of a finished run on pictures of its data set; `inference.input_gate` says what it decides.

Looks at 4,000 pictures at most, without labels, and gives the same gate for the same run and data set.
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
from scalp_core.inference.image_stats import ImageStats, image_stats
from scalp_core.inference.input_gate import (
    FALSE_ALARMS,
    FARTHEST,
    PPCA,
    VERSION,
    Floats,
    Gate,
    GateLimits,
    Vectors,
    signed_log1p,
    write,
)
from scalp_core.parallel import cores
from scalp_core.runs.runs import Run

Rows = npt.NDArray[np.intp]

MOST = 2000  # pictures of a part
FEWEST = 30  # pictures of a part; below 19 no limit would keep false alarms at 5 %
RANKS = {"features": 64, "looks": 20}
EXTREME = 0.005  # of calibration pictures that lie beyond each limit but that of the distance, before their margins
_MARGIN = 0.95  # of sharpness and light
_BURNT_MARGIN = 0.02  # of the picture
_CHUNK = 32  # pictures passed through the network at once


class Seen(NamedTuple):
    """What pictures are like: (n,) each of sharpness, burnt and light, (n, LOOKS), and the features (n, C)."""

    sharpness: Floats
    burnt: Floats
    light: Floats
    looks: Floats
    features: Floats


def fit(run: Run, dataset: Dataset) -> Gate:
    """The gate of a finished run, from at most MOST pictures of the training and of the calibration part each.

    The same run and data set give the same gate. Pictures that cannot be read are left out.

    Raises:
        ScalpError: `too_few_pictures` in a part; the run is damaged or cannot be exported.
    """
    parts = [drawn(dataset, part) for part in ("train", "calib")]
    if (fewest := min(map(len, parts))) < FEWEST:
        raise _too_few(fewest)
    trained, calibrated = (see(run, dataset, rows) for rows in parts)
    facts = {
        "version": VERSION,
        "weights": run.manifest["files"]["model.safetensors"],
        "data": dataset.name,
        "index": dataset.index_hash,
        "synthetic": dataset.synthetic,
    }
    return fit_on(trained, calibrated, max(run.preprocessing.width, run.preprocessing.height), facts)


def fit_on(trained: Seen, calibrated: Seen, pixels: int, facts: Mapping[str, Any]) -> Gate:
    """The gate of what pictures of the training and the calibration part are like.

    Args:
        pixels: along a side of what the network looks at.

    Raises:
        ScalpError: `too_few_pictures`.
    """
    fewest = min(len(trained.light), len(calibrated.light))
    if fewest < FEWEST:
        raise _too_few(fewest)
    clouds = {name: fit_ppca(getattr(trained, name), getattr(calibrated, name), rank) for name, rank in RANKS.items()}
    told = {**facts, "trained_on": len(trained.light), "calibrated_on": len(calibrated.light)}
    gate = Gate(GateLimits(pixels, 0.0, 1.0, 0.0, FARTHEST), **clouds, facts=told)
    limits = GateLimits(
        pixels,
        sharpness=_MARGIN * float(np.quantile(calibrated.sharpness, EXTREME)),
        burnt=_BURNT_MARGIN + float(np.quantile(calibrated.burnt, 1 - EXTREME)),
        light=_MARGIN * float(np.quantile(calibrated.light, EXTREME)),
        distance=_conformal(gate.distance(calibrated.features, calibrated.looks)),
    )
    return replace(gate, limits=limits)


def _conformal(distances: npt.NDArray[np.float64]) -> float:
    """What a new scalp passes with a chance of at most FALSE_ALARMS: the ⌈(n + 1)(1 − FALSE_ALARMS)⌉-th smallest
    (split conformal prediction, Vovk et al. 2005)."""
    place = int(np.ceil((len(distances) + 1) * (1 - FALSE_ALARMS)))
    return float(np.sort(distances)[min(place, len(distances)) - 1])


def fit_ppca(trained: Floats, calibrated: Floats, rank: int) -> PPCA:
    """The cloud of vectors (n, D) of training pictures, and how far from it those (m, D) of other scalps lie.

    A network knows the pictures it learned from too well: others lie farther, and only they tell how far is usual.
    """
    fitted = signed_log1p(trained).astype(np.float64)
    centre, deviation = fitted.mean(axis=0), fitted.std(axis=0)
    scale = deviation + 0.01 * deviation.mean() + 1e-6  # what hardly varies must not decide
    strengths, turns = np.linalg.svd((fitted - centre) / scale, full_matrices=False)[1:]
    variances = np.square(strengths) / len(fitted) + 1e-6
    kept = min(rank, len(fitted) // 4, len(variances) - 1)
    cloud = PPCA(
        centre.astype(np.float32),
        scale.astype(np.float32),
        turns[:kept].astype(np.float16).astype(np.float32),  # as the file keeps them: it decides alike afterwards
        variances[:kept].astype(np.float32),
        float(variances[kept:].sum() / max(1, fitted.shape[1] - kept)),
    )
    middle, usual = np.quantile(cloud.distance(calibrated), (0.5, 0.84))
    return replace(cloud, middle=float(middle), spread=float(max(usual - middle, 0.01)))


def drawn(dataset: Dataset, part: str) -> Rows:
    """At most MOST rows of the part, drawn at random but always the same."""
    rows = np.flatnonzero((dataset.column("part") == part).to_numpy(dtype=bool))
    order = np.random.default_rng(0).permutation(len(rows))
    return np.sort(rows[order[:MOST]])


def see(run: Run, dataset: Dataset, rows: Rows) -> Seen:
    """What the pictures of these rows are like, those that can be read, as the run sees them without short cuts."""
    ids = dataset.column("id").iloc[rows].tolist()
    found: list[tuple[ImageStats, Vectors]] = []
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(ids), _CHUNK):
            looked = list(pool.map(partial(_look, run, dataset), ids[start : start + _CHUNK]))
            there = [one for one in looked if one]
            if there:
                features = session.outputs(run, np.stack([small for _, small in there])).features
                found += zip((seen for seen, _ in there), features, strict=True)
    glances = [one for one, _ in found]
    sharpness, burnt, light = (np.array([getattr(one, name) for one in glances]) for name in ImageStats._fields[:3])
    return Seen(sharpness, burnt, light, np.array([one.looks for one in glances]), np.array([one for _, one in found]))


def _look(run: Run, dataset: Dataset, image: str) -> tuple[ImageStats, images.Pixels] | None:
    try:
        pixels = images.decode(dataset.read(image), run.preprocessing.least).pixels
    except ScalpError:
        return None
    return image_stats(pixels), images.resize(pixels, run.preprocessing)


def renew(run: Run) -> Gate:
    """Fit the gate of a finished run on the pictures it was judged on and learned from, and keep it in its folder.

    Raises:
        ScalpError: as `fit`; `no_such_data` when those pictures are not here.
        OSError: the folder cannot be written.
    """
    gate = fit(run, fitting_data(run))
    write(gate, run.gate_path)
    return gate


def fitting_data(run: Run) -> Dataset:
    """The data set that the run learned from, or else one that it was judged on as well.

    Raises:
        ScalpError: neither is here.
    """
    there = list_datasets()
    for known in (
        [one for one in there if one.index_hash == run.index_hash],
        [one for one in there if one.evaluation_hash == run.evaluation_hash],
    ):
        if known:
            return max(known, key=lambda one: one.images)
    raise ScalpError(
        "no_such_data",
        f"The pictures that run “{run.id}” learned from or was judged on are not here: its gate stays as it is.",
        f"“{run.id}” 실행이 학습하거나 평가받은 사진이 없어요. 품질 검사 기준은 그대로 둬요.",
    )


def _too_few(pictures: int) -> ScalpError:
    return ScalpError(
        "too_few_pictures",
        f"A gate needs {FEWEST} training and {FEWEST} calibration pictures that can be read; one of the parts has "
        f"{pictures}. Pictures are graded without being checked.",
        f"품질 검사 기준을 만들려면 학습·보정 분할에 읽을 수 있는 사진이 {FEWEST}장씩 필요한데 {pictures}장뿐인 분할이 "
        "있어요. 사진을 검사하지 않고 등급을 추정해요.",
    )
