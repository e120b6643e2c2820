"""The cache of pictures and features: right, made once, and nothing half made stays."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from conftest import TINY, Folders

from scalp_core.data.dataset import Dataset
from scalp_core.images import Preprocessing, decode, resize
from scalp_core.learning.pixel_cache import cached_features, cached_pixels
from scalp_core.learning.reporter import Reporter, Stopped
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe

HALF = Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")


def test_pixel_cache_is_ordered_and_made_once(tiny: Dataset) -> None:
    pixels = cached_pixels(tiny, HALF)
    assert pixels.shape == (48, 64, 64, 3)
    for row in (0, 17, 47):
        data = tiny.read(tiny.index["id"].iloc[row])
        assert np.array_equal(pixels[row], resize(decode(data).pixels, HALF))
    changed = {path: path.stat().st_mtime_ns for path in (tiny.folder / "cache").iterdir()}
    cached_pixels(tiny, replace(HALF, mean=(0.4, 0.4, 0.4), whitening=(1.0,) * 9))  # pixels are the same before it
    assert {path: path.stat().st_mtime_ns for path in (tiny.folder / "cache").iterdir()} == changed


def test_stop_request_ends_the_preparation_at_once(tiny: Dataset, folders: Folders) -> None:
    run = create_run(Recipe(**TINY))
    run.cancel()
    with pytest.raises(Stopped):
        cached_pixels(tiny, replace(HALF, height=33), Reporter(run).prepared)
    assert not list((tiny.folder / "cache").glob("33x*"))
    assert not list((tiny.folder / "cache").glob(".tmp-*"))


def test_features_are_computed_once_and_leftovers_swept(tiny: Dataset) -> None:
    computed: list[int] = []

    def compute() -> npt.NDArray[np.float32]:
        computed.append(1)
        return np.arange(48, dtype=np.float32).reshape(48, 1)

    cached_pixels(tiny, HALF)
    remains = tiny.folder / "cache" / ".tmp-killed.npy"
    remains.write_bytes(b"x")
    first, second = (cached_features(tiny, "some", compute) for _ in range(2))
    assert np.array_equal(first, second)
    assert computed == [1]
    assert not remains.exists()
    cached_features(tiny, "others", compute)
    assert computed == [1, 1]
