"""A comparison made by hand: four networks, and a condition for each thing that can come of comparing them."""

import numpy as np

from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.paired_comparison import Comparison, compare

ONE_BEST, TWO_LEAD, EQUAL, UNLABELLED, UNDECIDED, ONE_ALONE = CONDITIONS
RUNS_BY_MODEL = {"v": ("v",), "r": ("r0", "r1"), "e": ("e",), "g": ("g",)}
NAMES = {"v": "vgg11_bn", "r": "resnet18", "e": "efficientnet_b0", "g": "googlenet"}
PICTURES, A_GROUP = 400, 2

# Share of pictures that a side grades at random, by condition.
_GUESSES = {
    ONE_BEST: {"v": 0.05, "r": 0.7, "e": 0.7, "g": 0.7},
    TWO_LEAD: {"v": 0.1, "r": 0.1, "e": 0.8, "g": 0.8},
    EQUAL: dict.fromkeys(RUNS_BY_MODEL, 0.003),
    UNDECIDED: dict.fromkeys(RUNS_BY_MODEL, 0.3),
    ONE_ALONE: {"v": 0.2},
}


def aligned_predictions() -> AlignedPredictions:
    """Five runs (two of resnet18) on 400 pictures, two a group; of grade 3 in ONE_ALONE nothing is ever recognised."""
    generator = np.random.default_rng(7)
    runs = tuple(run for members in RUNS_BY_MODEL.values() for run in members)
    truth = generator.integers(0, 4, (len(CONDITIONS), PICTURES)).astype(np.int8)
    truth[CONDITIONS.index(UNLABELLED)] = -1
    truth[CONDITIONS.index(UNDECIDED), 12:] = -1
    grades = np.full((len(runs), len(CONDITIONS), PICTURES), -1, dtype=np.int8)
    for number, run in enumerate(runs):
        for place, condition in enumerate(CONDITIONS):
            share = _GUESSES.get(condition, {}).get(run[0])
            if share is None and condition is not UNLABELLED:
                continue
            guessed = generator.random(PICTURES) < (share or 0)
            answers = np.where(guessed, generator.integers(0, 4, PICTURES), np.maximum(truth[place], 0))
            grades[number, place] = np.minimum(answers, 2) if condition is ONE_ALONE else answers
    return AlignedPredictions(
        runs=runs,
        conditions=CONDITIONS,
        images=np.array([f"p{number:03}" for number in range(PICTURES)], dtype=object),
        groups=np.arange(PICTURES) // A_GROUP,
        truth=truth,
        grades=grades,
        low=grades,
        high=grades,
        probabilities=_probabilities(grades),
    )


def _probabilities(grades: np.ndarray) -> np.ndarray:
    """Seven tenths for the grade that is decided."""
    selected = np.eye(len(GRADES), dtype=np.float32)[np.maximum(grades, 0)]
    return 0.1 + 0.6 * selected


def make_comparison(sides: tuple[str, ...] = tuple(RUNS_BY_MODEL)) -> Comparison:
    """These sides of `aligned` compared."""
    return compare(aligned_predictions(), {side: RUNS_BY_MODEL[side] for side in sides}, replicates=300)


def condition_index(condition: Condition) -> int:
    return CONDITIONS.index(condition)
