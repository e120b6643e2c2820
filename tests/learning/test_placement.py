"""Placement: the grid of torch, computed faster."""

import pytest
import torch
from torch.nn.functional import affine_grid

from scalp_core.learning import placement as module


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 80)])
def test_the_grid_is_torch_s(height: int, width: int) -> None:
    placements = torch.randn(3, 2, 3)
    expected = affine_grid(placements, [3, 3, height, width], align_corners=False)
    torch.testing.assert_close(module._grid(placements, height, width), expected)
