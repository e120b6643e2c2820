"""Glints over pictures: how many get some, what they look like, and what goes where they are removed."""

import pytest
import torch

from scalp_core.learning import glint_overlay as module
from scalp_core.learning.glint_overlay import vary_glints


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_some_pictures_get_glints_and_some_none() -> None:
    varied = vary_glints(torch.full((300, 3, 96, 96), 150.0))
    changed = (varied != 150).any(dim=1).flatten(1).float().mean(dim=1)
    assert 0.5 < (changed > 0).float().mean() < 0.7
    assert varied.min() >= 150
    covered = (varied.mean(dim=1) > 175).flatten(1).float().mean(dim=1)[changed > 0]
    assert 0.002 < covered.mean() < 0.1  # of the skin; real frames .06
    assert covered.max() < 0.2
    assert covered.std() / covered.mean() > 0.4


def test_glints_are_bluish_white() -> None:
    varied = vary_glints(torch.full((60, 3, 96, 96), 150.0))
    brightest = varied[(varied.mean(dim=1) > 225)[:, None].expand_as(varied)].view(-1)
    assert len(brightest)
    reds, blues = varied[:, 0][varied[:, 0] > 220], varied[:, 2][varied[:, 0] > 220]
    assert (blues > reds).all()


def test_as_much_is_covered_at_any_size() -> None:
    shares = []
    for size in (64, 256):
        torch.manual_seed(0)
        varied = vary_glints(torch.full((100, 3, size, size), 150.0))
        shares.append(float((varied - 150).mean()))
    assert shares[0] == pytest.approx(shares[1], rel=0.15)


def test_small_bright_spots_are_removed_alone() -> None:
    pixels = torch.full((1, 3, 128, 128), 150.0)
    pixels[:, :, 20:22, 20:22] = 230.0
    pixels[:, :, 60:90, 60:90] = 230.0
    pixels[:, :, :, 110:113] = 40.0
    cleaned = module._without_glints(pixels)
    assert cleaned[:, :, 18:24, 18:24].max() < 155
    assert torch.equal(cleaned[:, :, 60:90, 60:90], pixels[:, :, 60:90, 60:90])
    assert torch.equal(cleaned[:, :, :, 110:113], pixels[:, :, :, 110:113])


def test_brighter_things_are_not_darkened() -> None:
    assert vary_glints(torch.full((60, 3, 64, 64), 254.0)).min() >= 254
