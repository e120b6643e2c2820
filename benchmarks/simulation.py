"""Simulated heads and networks with a known truth, to test statistics on.

An ordinal latent-variable model. A picture's severity is normal and partly its head's; the true grade is which of the
cut points it passes, and these give the grades the shares that they have in the real data. A network sees the severity
with errors: of the head and of the picture, shared by all networks, and of its own, again of head and picture.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import label_vectors
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.alignment import AlignedPredictions, confusion
from scalp_core.metrics.metrics import COUNTED, kappas

_OF_HEAD = 0.6  # share of the severity's variance
_SHARED_OF_HEAD, _SHARED_OF_PICTURE = 0.35, 0.25  # errors of all networks, in standard deviations of the severity
_OWN_OF_HEAD = 0.6  # share of the deviation of a network's own error; with 0.8 of the picture it adds up to one
_OWN_OF_PICTURE = 0.8
OWN, _LARGEST_ERROR = 0.35, 2.0
_MANY, _TIMES = 4_000, 25  # heads of a condition, and simulations, to measure the truth on


@dataclass(frozen=True)
class World:
    """Parameters of the simulation.

    Attributes:
        shares: of grades 0 … 3 among the pictures.
        errors: deviation of each network's own error; the smaller, the better it is.
        images: of a head.
    """

    shares: tuple[float, ...]
    errors: tuple[float, ...] = (OWN,)
    images: int = 5


def shares_of(condition: Condition) -> tuple[float, ...]:
    """Return the share of each grade of a condition among the real pictures."""
    vectors, _, chances = label_vectors()
    grades = vectors[:, CONDITIONS.index(condition)]
    return tuple(np.bincount(grades, chances, minlength=len(GRADES)).tolist())


def draw(world: World, groups: int, generator: np.random.Generator) -> AlignedPredictions:
    """Simulate answers of the world's networks to the pictures of this many heads.

    The six conditions are six independent repetitions, so that one comparison tests six. Probabilities are all on the
    decided grade.
    """
    repetitions, networks = len(CONDITIONS), len(world.errors)

    def normal(*of: int) -> npt.NDArray[np.float32]:
        return generator.standard_normal((*of, repetitions, groups, 1), dtype=np.float32)

    def of_pictures(*of: int) -> npt.NDArray[np.float32]:
        return generator.standard_normal((*of, repetitions, groups, world.images), dtype=np.float32)

    severity = _OF_HEAD**0.5 * normal() + (1 - _OF_HEAD) ** 0.5 * of_pictures()
    seen = severity + _SHARED_OF_HEAD * normal() + _SHARED_OF_PICTURE * of_pictures()
    own = np.array(world.errors, dtype=np.float32)[:, np.newaxis, np.newaxis, np.newaxis]
    answers = seen + own * (_OWN_OF_HEAD * normal(networks) + _OWN_OF_PICTURE * of_pictures(networks))
    return _graded(world, severity.reshape(repetitions, -1), answers.reshape(networks, repetitions, -1))


def _graded(world: World, severity: npt.NDArray[np.float32], answers: npt.NDArray[np.float32]) -> AlignedPredictions:
    cuts = [NormalDist().inv_cdf(share) for share in np.cumsum(world.shares)[:-1]]
    truth, grades = (np.searchsorted(cuts, values).astype(np.int8) for values in (severity, answers))
    images = np.arange(severity.shape[1])
    return AlignedPredictions(
        runs=tuple(f"network {number}" for number in range(len(world.errors))),
        conditions=CONDITIONS,
        images=images.astype(object),
        groups=images // world.images,
        truth=truth,
        grades=grades,
        low=np.full_like(grades, -1),
        high=np.full_like(grades, -1),
        probabilities=np.eye(len(GRADES), dtype=np.float32)[grades],
    )


@lru_cache(maxsize=64)
def true_values(world: World) -> dict[str, float]:
    """Return every counted metric of the world's first network, on 600,000 heads."""
    alone, generator = replace(world, errors=world.errors[:1]), np.random.default_rng(1)
    counts = sum(confusion(draw(alone, _MANY, generator)).sum(axis=(0, 1)) for _ in range(_TIMES))
    return {name: float(of(np.asarray(counts))) for name, of in COUNTED.items()}


def error_for(world: World, gain: float) -> float:
    """Return the error of a network whose quadratic weighted kappa is `gain` above (or below) the world's first.

    Found by bisection on the same 24,000 heads; exact to about 0.003.

    Raises:
        ValueError: there is none: errors that all networks share are too large.
    """

    def kappa(error: float) -> float:
        simulated = draw(replace(world, errors=(error,)), _MANY, np.random.default_rng(2))
        return float(kappas(confusion(simulated).sum(axis=(0, 1))))

    low, high, wanted = 0.0, _LARGEST_ERROR, kappa(world.errors[0]) + gain
    if not kappa(high) < wanted < kappa(low):
        raise ValueError("no network differs so much: the rest of the error is what all networks share")
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if kappa(middle) > wanted else (low, middle)
    return (low + high) / 2
