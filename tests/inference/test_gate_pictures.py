"""Pictures that the gate is fitted on: scalps as other cameras show them, and pictures of no scalp."""

import numpy as np
import pytest
from conftest import Trained

from scalp_core import images
from scalp_core.images import Pixels
from scalp_core.inference.gate_background import background_picture
from scalp_core.inference.gate_variation import vary
from scalp_core.inference.image_stats import image_stats
from scalp_core.inference.image_structure import STRUCTURE_FEATURES, structure_features

SEEDS = range(6)


@pytest.fixture(scope="module")
def scalp(trained: Trained) -> Pixels:
    return images.decode(trained.picture, (320, 240)).pixels


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_variation_repeats_and_keeps_the_size(scalp: Pixels, seed: int) -> None:
    before = scalp.copy()
    varied = vary(scalp, generator(seed))
    assert varied.shape == scalp.shape
    assert varied.dtype == np.uint8
    assert varied.std() > 5
    np.testing.assert_array_equal(varied, vary(scalp, generator(seed)))
    assert (varied != vary(scalp, generator(seed + 100))).any()
    np.testing.assert_array_equal(scalp, before)


def test_variation_changes_colours_and_sharpness(scalp: Pixels) -> None:
    varied = [vary(scalp, generator(seed)) for seed in range(24)]
    assert np.std([picture.mean(axis=(0, 1)) for picture in varied], axis=0).min() > 5
    sharpness = [image_stats(picture).sharpness for picture in varied]
    assert max(sharpness) > 1.5 * min(sharpness)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (48, 64)], ids=str)
def test_variation_takes_pictures_of_any_size(size: tuple[int, int]) -> None:
    pixels = generator(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert all(vary(pixels, generator(seed)).shape == pixels.shape for seed in SEEDS)


@pytest.mark.parametrize("seed", range(12))
def test_background_repeats_at_size_that_is_measured(scalp: Pixels, seed: int) -> None:
    picture = background_picture(scalp, generator(seed))
    assert picture.shape == (120, 160, 3)
    np.testing.assert_array_equal(picture, background_picture(scalp, generator(seed)))


def test_dark_lines_are_told_from_specks() -> None:
    lines, specks = np.full((120, 160), 150, np.uint8), np.full((120, 160), 150, np.uint8)
    lines[:, ::16] = 40
    places = generator(0).permutation(specks.size)[: (lines == 40).sum()]
    specks.reshape(-1)[places] = 40
    along, scattered = structure_features(lines), structure_features(specks)
    assert along.shape == scattered.shape == (STRUCTURE_FEATURES,)
    assert along[8] > 1.3 * scattered[8]  # marks along their own direction rather than across
    assert along[11] < scattered[11]  # in few directions
    assert along[16] > 2 * scattered[16]  # coherence


def test_bright_marks_are_counted_apart_from_dark() -> None:
    dark = np.full((120, 160), 150, np.uint8)
    dark[40:60, ::10] = 90
    features, inverted = structure_features(dark), structure_features(np.asarray(300 - dark.astype(int), np.uint8))
    np.testing.assert_allclose(features[:2], inverted[2:4], rtol=0.1)
