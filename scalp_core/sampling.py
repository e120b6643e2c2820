"""Picks at equal distances: some of many things, from the first to the last."""

import numpy as np


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return the places of at most `most` of `count` things at equal distances, ascending and rounded down."""
    places: list[int] = np.linspace(0, count - 1, min(most, count)).astype(int).tolist()
    return places
