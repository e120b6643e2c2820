"""Shares of the cells of a picture that are cue: masks, coarse enough to be kept for a whole dataset."""

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from scalp_core.data.dataset import Dataset
from scalp_core.labels import CONDITIONS
from scalp_core.parallel import parallel_map
from scalp_core.synthetic.generate import PlannedPicture, cue_masks
from scalp_core.synthetic.label_noise import clean_grades
from scalp_core.synthetic.masks import planned_pictures, seed_of

CELLS = 32  # a side; a cell is 20 × 15 pixels, about a pustule
_CHUNK = 16  # pictures that a worker draws between two reports

Shares = npt.NDArray[np.uint8]  # (…, 6, CELLS, CELLS), in order of CONDITIONS; 255: the cue covers the cell fully


def cue_shares(dataset: Dataset, image_ids: Sequence[str], report: Callable[[float], None] | None = None) -> Shares:
    """Return the shares of some pictures of a synthetic dataset, (images, 6, CELLS, CELLS), in their order.

    Traces below grade 1 are no cue.

    Args:
        report: called with the share of the pictures that are done.

    Raises:
        ScalpError: `no_masks`, pictures that this version did not draw.
    """
    pictures, seed = planned_pictures(dataset), seed_of(dataset)
    planned = [pictures[name] for name in image_ids]
    chunks = [(start, planned[start : start + _CHUNK]) for start in range(0, len(planned), _CHUNK)]
    shares = np.zeros((len(planned), len(CONDITIONS), CELLS, CELLS), dtype=np.uint8)
    for done, (start, drawn_again) in enumerate(parallel_map(partial(_shares_of, seed), chunks), start=1):
        shares[start : start + len(drawn_again)] = drawn_again
        if report:
            report(done / len(chunks))
    return shares


def shares_of(masks: npt.NDArray[np.uint8]) -> Shares:
    """Return the shares (6, CELLS, CELLS) of the masks of one picture, (6, height, width)."""
    return np.stack([cv2.resize(mask, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for mask in masks])


def _shares_of(seed: int, chunk: tuple[int, list[PlannedPicture]]) -> tuple[int, Shares]:
    start, pictures = chunk
    shares = np.stack([shares_of(cue_masks(picture, seed)) for picture in pictures])
    shares[clean_grades(np.array([picture.severities for picture in pictures])) == 0] = 0
    return start, shares
