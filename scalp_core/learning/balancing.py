"""Balancing of rare grades: how often a picture is sampled, how much a label counts.

A grade weighs (n / (k · n_g))^power: n labelled pictures of the condition, n_g of this grade, k grades that occur.
Power 1 makes the grades equal, which finds rare ones and over-calls them (quadratic weighted kappa and accuracy fall);
the square root stands between; 0 leaves the data as they are.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from scalp_core.labels import GRADES

Labels = npt.NDArray[np.floating[Any]]  # (pictures, conditions): 0–3, NaN where unlabelled
Weights = npt.NDArray[np.float64]

_POWERS = {"none": 0.0, "square_root": 0.5, "full": 1.0}


def grade_weights(labels: Labels, strength: str, sampling: Weights | None = None) -> Weights:
    """Return the weight of a label of each grade in the loss, (conditions, 4); 1 on average over a condition's labels.

    Without that average, the square root would weaken the conditions with the rarest grades in a shared network. The
    weight of a grade that does not occur is never read.

    Args:
        sampling: (pictures,), how often each is sampled, from `picture_weights`: what that has balanced is not balanced
            again. None: all alike.

    Raises:
        KeyError: the strength is not none, square_root or full.
    """
    counts = np.einsum("p,pcg->cg", np.ones(len(labels)) if sampling is None else sampling, _one_hot(labels))
    weights = _rarity(counts, strength)
    labelled, weighted = counts.sum(axis=1, keepdims=True), (counts * weights).sum(axis=1, keepdims=True)
    return np.asarray(weights * np.where(labelled > 0, labelled, 1) / np.where(labelled > 0, weighted, 1))


def picture_weights(labels: Labels, strength: str) -> Weights:
    """Return how often each picture is sampled in comparison, (pictures,), on average 1.

    A picture carries up to six labels, so the rarest grade on it decides: its weight is the largest of its labels'.
    That samples every rare grade often enough, but the other labels of such pictures come along: sampling for one
    condition shifts the others, and with several conditions even "full" leaves none uniform. `sampled_shares` computes
    the result. A picture without labels has the average weight of the others.

    Raises:
        KeyError: the strength is not none, square_root or full.
    """
    one_hot = _one_hot(labels)
    weights = (one_hot * _rarity(one_hot.sum(axis=0), strength)).max(axis=(1, 2), initial=0.0)
    labelled = weights > 0
    if not labelled.any():
        return np.ones(len(labels))
    mean = weights[labelled].mean()
    return np.where(labelled, weights / mean, 1.0)


def sampled_shares(labels: Labels, weights: Weights) -> Weights:
    """Return the expected share of each grade among the labelled pictures sampled, (conditions, 4).

    Rows sum to 1; a condition without a label on any sampled picture gets zeros.

    Args:
        labels: of the pictures to sample from.
        weights: (pictures,), from `picture_weights`; only their ratios matter.
    """
    sampled = np.einsum("p,pcg->cg", weights, _one_hot(labels))
    totals = sampled.sum(axis=1, keepdims=True)
    return np.asarray(sampled / np.where(totals > 0, totals, 1))


def _rarity(counts: Weights, strength: str) -> Weights:
    """Return the module's formula of counts (conditions, 4); 1 for a grade that does not occur."""
    present = counts > 0
    labelled, kinds = counts.sum(axis=1, keepdims=True), present.sum(axis=1, keepdims=True)
    ratios = np.where(present, labelled / np.where(present, kinds * counts, 1), 1.0)
    return np.asarray(ratios ** _POWERS[strength])


def before_and_after(labels: Labels, strength: str) -> tuple[Weights, Weights]:
    """Return the shares of grades in the data and as sampled, see `sampled_shares`."""
    before, after = (sampled_shares(labels, picture_weights(labels, power)) for power in ("none", strength))
    return before, after


def _one_hot(labels: Labels) -> Weights:
    """Return (pictures, conditions, 4); zeros where there is no label, as NaN equals no grade."""
    return np.asarray(labels[..., None] == np.arange(len(GRADES)), dtype=np.float64)
