"""Shares of cells that are cue, of a whole dataset."""

import numpy as np

from scalp_core.data.dataset import Dataset
from scalp_core.labels import CONDITIONS
from scalp_core.learning.pixel_cache import cached_cue_shares
from scalp_core.synthetic.cue_shares import CELLS, cue_shares, shares_of
from scalp_core.synthetic.label_noise import clean_grades
from scalp_core.synthetic.masks import masks_of, planned_pictures


def test_shares_are_means_of_masks(tiny_data: Dataset) -> None:
    ids = list(tiny_data.index.index)
    shares = cached_cue_shares(tiny_data)
    assert shares.shape == (tiny_data.images, len(CONDITIONS), CELLS, CELLS)
    severities = np.array([planned_pictures(tiny_data)[name].severities for name in ids])
    sick = clean_grades(severities) > 0
    assert not shares[~sick].any()
    assert (shares.max(axis=(2, 3))[sick] > 0).mean() > 0.8
    place = int(sick.sum(axis=1).argmax())
    ((_, masks),) = masks_of(tiny_data, [ids[place]])
    expected = shares_of(masks)
    expected[~sick[place]] = 0
    assert (shares[place] == expected).all()
    means = masks.reshape(len(CONDITIONS), CELLS, 15, CELLS, 20).mean(axis=(2, 4))
    assert np.abs(shares_of(masks) - means).max() <= 1


def test_shares_keep_the_order_asked_for(tiny_data: Dataset) -> None:
    ids = list(tiny_data.index.index)
    reported: list[float] = []
    forward, backward = cue_shares(tiny_data, ids[:3], reported.append), cue_shares(tiny_data, ids[2::-1])
    assert (forward == backward[::-1]).all()
    assert reported[-1] == 1
