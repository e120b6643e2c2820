"""Losses of recipes: the cost of a distribution over the four grades, and of evidence that points elsewhere.

Each of the grades is a 4 × 4 matrix, a row a true grade, times the cost of the probability of every grade. That is
linear in the target, so pictures mixed of two need no case of their own.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from scalp_core.labels import GRADES

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Matrix = npt.NDArray[np.float64]  # (4, 4): true grade × grade

_GRADES = len(GRADES)
_LEAST_SPREAD = 1e-6  # of a teacher that says the same everywhere
_LEAST_CUE = 1e-6  # cells; an empty cue stays empty
_SMOOTHING = 0.1  # as Szegedy et al. 2016 and most since
# An inner grade gives 5 % to each neighbour: labels that are off by one grade are 10 to 15 in a hundred.
_TRIANGULAR_SHARE = 0.05
# The grade of the lowest expected |distance|^alpha becomes the most probable one: at 2 that is the error quadratic
# weighted kappa charges. The paper tries more, but at 5 a far grade weighs 3^5 = 243 times a neighbour: its chance of a
# wrong label then moves every answer to the middle, and the ends are where the rare grades are.
DISTANCE_POWER = 2.0


def loss_of(name: str) -> Loss:
    """Return a loss by its name in recipes: cross_entropy, smoothed, triangular, beta or distance_weighted.

    Returns:
        A function of logits (n, 4), targets (n, 4), probabilities over the grades, and weights (n,), to the sum of the
        weighted losses, a scalar in float32. It does not divide.

    Raises:
        KeyError: there is no such loss.
    """
    matrix = torch.from_numpy(_MATRICES[name]()).float()
    costs = _costs_of_probability if name == "distance_weighted" else _costs_of_improbability

    def loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        each = ((targets @ matrix.to(targets.device)) * costs(logits.float())).sum(dim=-1)
        return (each * weights).sum()

    return loss


def cue_loss(evidence: Tensor, cues: Tensor) -> Tensor:
    """Return the cost of evidence for a condition that lies elsewhere than the condition's cue, a scalar.

    The cross-entropy between two distributions over the cells of a map: the cue, and the softmax over the cells of the
    evidence for grades 1–3 against grade 0. How much evidence there is in all costs nothing: that is for the grades.
    (Judging every cell by itself made networks that learned less of the grades, and pointed worse.)

    Args:
        evidence: (n, conditions, 4, h, w).
        cues: (n, conditions, cells, cells), how much of a cell is cue, 0–1, over the same picture; pairs without any
            cost nothing.

    Returns:
        The sum over pairs of a picture and a condition. It does not divide.
    """
    speaking = evidence[:, :, 1:].logsumexp(dim=2) - evidence[:, :, 0]
    height, width = speaking.shape[-2:]
    cells = adaptive_avg_pool2d(cues, (height, width)).flatten(2)
    wanted = cells / cells.sum(dim=-1, keepdim=True).clamp(min=_LEAST_CUE)
    return -(wanted * speaking.flatten(2).log_softmax(dim=-1)).sum()


def teacher_loss(evidence: Tensor, wanted: Tensor) -> Tensor:
    """Return how far evidence is from a teacher's, place by place, as a share of how much the teacher's varies.

    0 is the teacher's evidence, 1 about a network that says the same of every place and grade. What all four grades
    share tells nothing and costs nothing. Mean square errors, as Romero et al. 2015 for hidden layers; evidence has the
    same meaning in every network here, so no layer between is needed. Grids that differ are averaged to the coarser.

    Args:
        evidence, wanted: (n, conditions, 4, h, w), each on a grid of its own.

    Returns:
        A scalar: the mean over pictures and conditions.
    """
    cells = (min(evidence.shape[-2], wanted.shape[-2]), min(evidence.shape[-1], wanted.shape[-1]))
    learned, taught = _differences(evidence, cells), _differences(wanted, cells)
    dims = (0, 2, 3, 4)
    spread = taught.var(dim=dims, unbiased=False).clamp(min=_LEAST_SPREAD)
    return ((learned - taught).square().mean(dim=dims) / spread).mean()


def _differences(evidence: Tensor, cells: tuple[int, int]) -> Tensor:
    """Return the evidence of each grade against the mean of all, on a grid of `cells`."""
    against = evidence - evidence.mean(dim=2, keepdim=True)
    return torch.unflatten(adaptive_avg_pool2d(against.flatten(1, 2), cells), 1, evidence.shape[1:3])


def _costs_of_improbability(logits: Tensor) -> Tensor:
    """Return −log p of every grade."""
    return -logits.log_softmax(dim=-1)


def _costs_of_probability(logits: Tensor) -> Tensor:
    """Return −log(1 − p) of every grade, as the log-sum of the others: 1 − p itself is 0 once p is nearly 1."""
    itself = torch.eye(_GRADES, dtype=torch.bool, device=logits.device)
    others = logits.log_softmax(dim=-1).unsqueeze(-2).masked_fill(itself, -torch.inf)
    return -others.logsumexp(dim=-1)


def _untouched() -> Matrix:
    return np.eye(_GRADES)


def _smoothed() -> Matrix:
    return (1 - _SMOOTHING) * np.eye(_GRADES) + _SMOOTHING / _GRADES


def _triangular() -> Matrix:
    """Return soft labels with mass only on the true grade and its neighbours (Vargas et al. 2023)."""
    # Its statistics take a second to import, which only the recipes that want them pay.
    from dlordinal.soft_labelling import get_triangular_soft_labels

    labels: Matrix = get_triangular_soft_labels(_GRADES, alpha2=_TRIANGULAR_SHARE)
    # As published, grade 3 keeps more than grade 0 does; nothing tells our two ends apart.
    return (labels + labels[::-1, ::-1]) / 2


def _beta() -> Matrix:
    """Return soft labels of unimodal beta distributions, with more on the neighbours (Vargas et al. 2022)."""
    from dlordinal.soft_labelling import get_beta_soft_labels

    labels: Matrix = get_beta_soft_labels(_GRADES)
    return np.asarray(labels / labels.sum(axis=1, keepdims=True))  # they sum to one but for 1e-8


def _distances() -> Matrix:
    """Return |i − c|^alpha: class distance weighted cross-entropy (Polat et al. 2022)."""
    grades = np.arange(_GRADES)
    return np.asarray(np.abs(np.subtract.outer(grades, grades)) ** DISTANCE_POWER)


_MATRICES: dict[str, Callable[[], Matrix]] = {
    "cross_entropy": _untouched,
    "smoothed": _smoothed,
    "triangular": _triangular,
    "beta": _beta,
    "distance_weighted": _distances,
}
