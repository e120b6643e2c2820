"""Confidence intervals of shares, against published ones."""

import numpy as np
import pytest

from scalp_core.metrics.intervals import wilson


def test_wilson_s_interval_is_the_published_one() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    low, high = wilson([81, 15, 0, 1], [263, 148, 20, 29])
    assert low == pytest.approx([0.2553, 0.0624, 0.0, 0.0061], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)
    assert np.isnan(wilson([0], [0])).all()
