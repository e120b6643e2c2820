"""Balancing of rare grades: how often a picture is drawn, how much a label counts. Knows no network, no picture.

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


def grade_weights(labels: Labels, strength: str, drawn: Weights | None = None) -> Weights:
    """What a label of each grade counts in the loss, (conditions, 4); over a condition's labels 1 on average.

    Else the square root would take from the conditions with the rarest grades part of their say in a shared network.
    A grade that does not occur gets a number that nothing reads.

    Args:
        drawn: (pictures,), how often each is drawn, from `picture_weights`: what that has balanced is not balanced
            again. None: all alike.

    Raises:
        KeyError: the strength is not none, square_root or full.
    """
    counts = np.einsum("p,pcg->cg", np.ones(len(labels)) if drawn is None else drawn, _one_hot(labels))
    weights = _rarity(counts, strength)
    labelled, weighed = counts.sum(axis=1, keepdims=True), (counts * weights).sum(axis=1, keepdims=True)
    return np.asarray(weights * np.where(labelled > 0, labelled, 1) / np.where(labelled > 0, weighed, 1))


def picture_weights(labels: Labels, strength: str) -> Weights:
    """How often each picture is to be drawn in comparison, (pictures,), on average 1.

    A picture carries up to six labels, so the rarest grade on it decides: its weight is the largest of its labels'.
    That lets no rare grade go short, but whatever else such pictures show comes along: drawing for one condition
    shifts the others, and with several conditions even "full" leaves none uniform. `drawn_shares` tells what comes out.
    A picture without labels weighs what the others do on average.

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


def drawn_shares(labels: Labels, weights: Weights) -> Weights:
    """The expected share of each grade among the labelled pictures drawn, (conditions, 4).

    Rows sum to 1; a condition that no drawn picture has a label of gets zeros.

    Args:
        labels: of the pictures to draw from.
        weights: (pictures,), from `picture_weights`; only their ratios matter.
    """
    drawn = np.einsum("p,pcg->cg", weights, _one_hot(labels))
    totals = drawn.sum(axis=1, keepdims=True)
    return np.asarray(drawn / np.where(totals > 0, totals, 1))


def _rarity(counts: Weights, strength: str) -> Weights:
    """The formula above, of counts (conditions, 4); 1 for a grade that does not occur."""
    present = counts > 0
    labelled, kinds = counts.sum(axis=1, keepdims=True), present.sum(axis=1, keepdims=True)
    ratios = np.where(present, labelled / np.where(present, kinds * counts, 1), 1.0)
    return np.asarray(ratios ** _POWERS[strength])


def before_and_after(labels: Labels, strength: str) -> tuple[Weights, Weights]:
    """What sampling does to the grades: `drawn_shares` of the pictures as they are, and as they are drawn."""
    before, after = (drawn_shares(labels, picture_weights(labels, one)) for one in ("none", strength))
    return before, after


def _one_hot(labels: Labels) -> Weights:
    """(pictures, conditions, 4); zeros where there is no label, as NaN equals no grade."""
    return np.asarray(labels[..., None] == np.arange(len(GRADES)), dtype=np.float64)
