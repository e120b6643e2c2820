"""Distance of drawn pictures from real ones, by the statistics of `picture_statistics`; no real picture is needed.

`real_statistics.json` beside this module holds, for 118 thumbnails of real frames that show a condition at grade 2–3,
mean, deviation and quantiles of each statistic with their correlations, and means and deviations of five whole frames.
It was measured on pictures that may not be passed on; it holds none of them and no name. Its `held_out` blocks say how
far as many other real thumbnails lie from these figures, its `drawn_generator_version_2` how far the drawings of that
version did.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist, pdist
from scipy.special import ndtr, ndtri
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from scalp_core.errors import ScalpError
from scalp_core.images import ENDINGS, FORMAT_NAMES, decode
from scalp_core.labels import CONDITIONS
from scalp_core.parallel import parallel_map
from scalp_core.sampling import evenly_spaced
from scalp_core.synthetic.generate import PlannedPicture, encode, plan_pictures, render_picture
from scalp_core.synthetic.picture_statistics import SIZES, Statistics, resized, statistics

Values = npt.NDArray[np.float64]

# Statistics by what they are about; the longest beginning of a name decides.
GROUPS: dict[str, tuple[str, ...]] = {
    "colour": ("skin_L", "skin_a_", "skin_b_", "skin_chroma", "slow", "centre"),
    "tones": ("tone", "L_", "burnt", "white", "black"),
    "octaves": ("band", "finest", "laplacian"),
    "hair": ("hair", "rim"),
    "bright blobs": ("glint", "bright", "white_"),
    "direction, relief": ("coherence", "skin_across", "furrows", "tops"),
}
ALL = "all"  # stands among the groups for every statistic

SHOWN_GRADE = 2  # least grade of a condition in the real pictures, and in those that are compared with them
_PLANNED_PER_PICTURE = 8  # of other heads mostly; the rarest condition has such a grade on an eighth of them
MOST_WHOLE_FRAMES = 40  # compared at full size: only five real ones stand against them, and each takes long

_STAND_INS = 400  # pictures drawn from the copula of the real statistics
_SHRINKING = 0.03  # of their correlations towards none: 118 pictures know them roughly
_FARTHEST = 6.0  # deviations from the mean beyond which a statistic counts as that far
_LEVELS = (1e-4, 1 - 1e-4)  # within which uniform numbers stay
_SKIPPED = 409  # numbers of the sequence before each dimension's first, times its place
_GOLDEN = 0.618  # of the base, is the stride by which digits are scrambled
_FEWEST, _FOLDS, _STRENGTH, _FARTHEST_FEATURE = 20, 5, 8.0, 5.0  # of the classifier that tells drawn from real


@dataclass(frozen=True)
class GroupRealism:
    """Distances of drawn pictures from real ones in a group of statistics; NaN where too few real ones were measured.

    Attributes:
        group: one of GROUPS, or ALL.
        mean_abs_z: mean distance of the means in deviations of the real pictures.
        energy_distance: between the two distributions over the mean distance of a pair; 0 where they are equal.
        auc: cross-validated AUC of a classifier of drawn and real; 0.5 where they are alike, 1 where any is told.
    """

    group: str
    mean_abs_z: float
    energy_distance: float = math.nan
    auc: float = math.nan


@dataclass(frozen=True)
class Realism:
    """Realism of drawn pictures at one of SIZES.

    Attributes:
        pictures: drawn ones.
        groups: ALL, then each of GROUPS.
        z: by statistic, the distance of the means in deviations of the real pictures.
    """

    scale: str
    pictures: int
    groups: tuple[GroupRealism, ...]
    z: Mapping[str, float]


@cache
def real_statistics(scale: str) -> dict[str, Any]:
    """Return the block of `real_statistics.json` about one of SIZES."""
    path = Path(__file__).with_name("real_statistics.json")
    block: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))[scale]
    return block


def group_of(name: str) -> str:
    """Return the member of GROUPS that a statistic belongs to."""
    starts = ((len(start), group) for group, starts in GROUPS.items() for start in starts if name.startswith(start))
    return max(starts)[1]


# --- The pictures that are compared ----------------------------------------------------------------------------------


def compared_pictures(count: int, seed: int) -> list[PlannedPicture]:
    """Plan pictures that show a condition at grade 2–3, each condition as often as among the real ones."""
    planned = plan_pictures(_PLANNED_PER_PICTURE * max(count, 2), seed, prior="tempered")
    order = np.random.default_rng(seed).permutation(len(planned))
    blocks = real_statistics("thumb")["by_condition"]
    total, before = sum(block["pictures"] for block in blocks.values()), 0
    places: dict[int, None] = {}
    for place, condition in enumerate(CONDITIONS):
        after = before + blocks.get(condition.code, {"pictures": 0})["pictures"]
        number = round(count * after / total) - round(count * before / total)
        fitting = (p for p in order.tolist() if planned[p].clean[place] >= SHOWN_GRADE and p not in places)
        places |= dict.fromkeys(list(islice(fitting, number)))
        before = after
    return [planned[place] for place in places]


def rendered_realism(count: int, seed: int, processes: int | None = None) -> list[Realism]:
    """Render `count` pictures and return their realism at each of SIZES; at full size of MOST_WHOLE_FRAMES at most."""
    pictures = list(enumerate(compared_pictures(count, seed)))
    return _compared(dict(parallel_map(partial(_measure_rendered, seed, count), pictures, processes)))


def folder_realism(folder: Path, most: int, processes: int | None = None) -> list[Realism]:
    """Return the realism of the pictures below a folder, as `rendered_realism` does, of `most` spread evenly over them.

    Raises:
        ScalpError: there is none, or a file is no picture.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if not files:
        raise ScalpError(
            "no_pictures",
            f"There are no pictures in {folder}: {FORMAT_NAMES}.",
            f"{folder}에 사진({FORMAT_NAMES})이 없어요.",
        )
    paths = [files[place] for place in evenly_spaced(len(files), most)]
    return _compared(dict(parallel_map(partial(_measure_file, len(paths)), list(enumerate(paths)), processes)))


def _measure_rendered(seed: int, count: int, numbered: tuple[int, PlannedPicture]) -> tuple[int, dict[str, Statistics]]:
    number, picture = numbered
    # Through the JPEG that a dataset is written as: real pictures have been through one too.
    return number, _measure(encode(render_picture(picture, seed)), _is_whole(number, count))


def _measure_file(count: int, numbered: tuple[int, Path]) -> tuple[int, dict[str, Statistics]]:
    number, path = numbered
    return number, _measure(path.read_bytes(), _is_whole(number, count))


def _is_whole(number: int, count: int) -> bool:
    """Return whether the picture is among MOST_WHOLE_FRAMES, spread evenly over all."""
    return number * MOST_WHOLE_FRAMES // count != (number - 1) * MOST_WHOLE_FRAMES // count


def _measure(content: bytes, whole: bool) -> dict[str, Statistics]:
    pixels = decode(content).pixels
    return {scale: statistics(resized(pixels, scale)) for scale in SIZES if whole or scale != "frame"}


def _compared(measured: Mapping[int, Mapping[str, Statistics]]) -> list[Realism]:
    """Compare statistics by number of the picture: which worker was first must not count."""
    in_order = [measured[number] for number in sorted(measured)]
    return [realism([row[scale] for row in in_order if scale in row], scale) for scale in SIZES]


# --- Distances -------------------------------------------------------------------------------------------------------


def realism(measured: Sequence[Statistics], scale: str) -> Realism:
    """Compare the statistics of drawn pictures at one of SIZES, in their order, with those of the real ones."""
    real = real_statistics(scale)
    names, mean = real["names"], np.array(real["mean"])
    spread = np.maximum(np.array(real["std"]), 1e-6)
    standard = (np.array([[row[name] for name in names] for row in measured], dtype=np.float64) - mean) / spread
    z = standard.mean(axis=0)
    theirs = (stand_ins(scale) - mean) / spread if "rank_correlation" in real else None
    groups = np.array([group_of(name) for name in names])
    members = {ALL: np.ones(len(names), dtype=bool)} | {group: groups == group for group in GROUPS}
    compared = [
        _group_realism(group, standard[:, of_group], None if theirs is None else theirs[:, of_group])
        for group, of_group in members.items()
    ]
    return Realism(scale, len(measured), tuple(compared), dict(zip(names, z.tolist(), strict=True)))


def _group_realism(group: str, ours: Values, theirs: Values | None) -> GroupRealism:
    """Compare standardised statistics; five whole frames have means, and no distribution to be compared with."""
    mean_abs_z = float(abs(ours.mean(axis=0)).mean())
    if theirs is None or len(ours) < 2:
        return GroupRealism(group, mean_abs_z)
    ours, theirs = (np.clip(values, -_FARTHEST, _FARTHEST) for values in (ours, theirs))
    auc = realism_auc(theirs, ours) if len(ours) >= _FEWEST else math.nan
    return GroupRealism(group, mean_abs_z, energy_distance(ours, theirs), auc)


def energy_distance(ours: Values, theirs: Values) -> float:
    """Return 2 E|X−Y| − E|X−X′| − E|Y−Y′| over E|X−Y|, of standardised statistics (pictures, statistics)."""
    between = cdist(ours, theirs).mean()
    return float((2 * between - pdist(ours).mean() - pdist(theirs).mean()) / between)


def realism_auc(real: Values, ours: Values) -> float:
    """Return the AUC of ridge logistic regression that tells `ours` from `real`; folds are taken in turns."""
    features = np.vstack([real, ours])
    is_ours = np.repeat([0, 1], [len(real), len(ours)])
    turns = np.concatenate([np.arange(len(real)), np.arange(len(ours))]) % _FOLDS
    scores = np.zeros(len(features))
    for turn in range(_FOLDS):
        train = turns != turn
        middle, spread = features[train].mean(axis=0), features[train].std(axis=0) + 1e-9
        scaled = np.clip((features - middle) / spread, -_FARTHEST_FEATURE, _FARTHEST_FEATURE)
        model = LogisticRegression(C=1 / _STRENGTH, solver="newton-cholesky", tol=1e-9, max_iter=100)
        scores[~train] = model.fit(scaled[train], is_ours[train]).decision_function(scaled[~train])
    return float(roc_auc_score(is_ours, scores))


# --- Stand-ins of the real pictures ----------------------------------------------------------------------------------


@cache
def stand_ins(scale: str) -> Values:
    """Return statistics (pictures, statistics) as the real pictures have them, in the order of `names`.

    A Gaussian copula ties the real quantiles together by the real rank correlations. It is drawn from a fixed sequence
    of low discrepancy, so every call gives the same.
    """
    real = real_statistics(scale)
    correlation = np.array(real["rank_correlation"])
    shrunk = (1 - _SHRINKING) * correlation + _SHRINKING * np.eye(len(correlation))
    values, vectors = np.linalg.eigh(shrunk)
    root = vectors * np.sqrt(np.maximum(values, 1e-6))
    levels = ndtr(ndtri(_halton(_STAND_INS, len(correlation))) @ root.T)
    quantiles = [real["quantiles"][name] for name in real["names"]]
    return np.stack([np.interp(levels[:, i], real["quantile_levels"], row) for i, row in enumerate(quantiles)], axis=1)


def _halton(count: int, dimensions: int) -> Values:
    """Return a Halton sequence (count, dimensions) within (0, 1), its digits scrambled by a stride.

    The plain digits of large bases are correlated.
    """
    return np.clip(
        np.stack([_radical_inverse(count, base, place) for place, base in enumerate(_primes(dimensions))], axis=1),
        *_LEVELS,
    )


def _radical_inverse(count: int, base: int, place: int) -> Values:
    stride = next((s for s in range(int(base * _GOLDEN), base + 1) if math.gcd(s, base) == 1), 1) if base > 2 else 1
    rest = np.arange(1, count + 1) + _SKIPPED * (place + 1)
    fraction, value = 1.0, np.zeros(count)
    while rest.any():
        fraction /= base
        value += fraction * ((rest % base) * stride % base)
        rest //= base
    return value


def _primes(count: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes
