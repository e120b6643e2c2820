"""Measures of pictures, near-duplicates, and the columns of an index."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from scalp_core.data.dataset import OPTIONAL_COLUMNS, Dataset
from scalp_core.data.near_duplicates import FEATURELESS, MAX_BITS_APART, find_near_duplicates
from scalp_core.data.quality import ImageMeasures, measure, measure_columns, measure_pixels
from scalp_core.errors import ScalpError
from scalp_core.images import Pixels, decode

Change = Callable[[Pixels], Pixels]


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def plain(colour: tuple[int, int, int]) -> Pixels:
    return np.full((480, 640, 3), colour, dtype=np.uint8)


@pytest.fixture(scope="module")
def pictures(tiny_data: Dataset) -> list[Pixels]:
    return [decode(tiny_data.read(image_id)).pixels for image_id in tiny_data.column("id")]


# --- Measures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((119, 119, 119), (50.0, 0, 0)),
        ((255, 0, 0), (53.2, 80.1, 67.2)),
        ((0, 0, 255), (32.3, 79.2, -107.9)),
    ],
)
def test_lightness_and_cast_are_those_of_the_cie(colour: tuple[int, int, int], lab: tuple[float, ...]) -> None:
    measures = measure_pixels(plain(colour), b"")
    assert (measures.lightness, measures.cast_red, measures.cast_yellow) == pytest.approx(lab, abs=0.3)


def test_only_all_channel_extremes_are_clipped() -> None:
    quarters = plain((128, 128, 128))
    quarters[:240, :320] = 255
    quarters[:240, 320:] = 2
    quarters[240:, :320] = (255, 0, 0)
    assert measure_pixels(quarters, b"").clipped == pytest.approx(0.5)


def test_blur_is_seen_at_every_size(pictures: list[Pixels]) -> None:
    sharp, blurred = pictures[0], cv2.GaussianBlur(pictures[0], (0, 0), 3)
    large, small = (cv2.resize(sharp, size, interpolation=cv2.INTER_CUBIC) for size in ((1280, 960), (600, 450)))
    reference = measure_pixels(sharp, b"").sharpness
    assert measure_pixels(blurred, b"").sharpness < reference / 5
    assert measure_pixels(large, b"").sharpness == pytest.approx(reference, rel=0.4)
    assert measure_pixels(small, b"").sharpness == pytest.approx(reference, rel=0.4)


def test_a_picture_on_its_side_measures_the_same(pictures: list[Pixels]) -> None:
    upright = measure_pixels(np.ascontiguousarray(np.rot90(pictures[0])), b"")
    assert (upright.width, upright.height) == (480, 640)
    assert upright.sharpness == pytest.approx(measure_pixels(pictures[0], b"").sharpness, rel=0.01)


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (700, 1)])
def test_the_smallest_and_longest_pictures_are_measured(size: tuple[int, int]) -> None:
    measures = measure_pixels(np.zeros((*size, 3), dtype=np.uint8), b"")
    assert (measures.height, measures.width, measures.look) == (*size, FEATURELESS)


def test_a_damaged_file_has_no_measures(tiny_data: Dataset) -> None:
    data = tiny_data.read(tiny_data.column("id").iloc[0])
    assert measure(data).bytes == len(data)
    assert measure(data).sha256 == tiny_data.column("sha256").iloc[0]
    with pytest.raises(ScalpError, match="cut short"):
        measure(data[: len(data) // 2])


# --- Near-duplicates --------------------------------------------------------------------------------------------------


def looks_of(pictures: list[Pixels]) -> npt.NDArray[np.uint64]:
    return np.array([measure_pixels(pixels, b"").look for pixels in pictures], dtype=np.uint64)


def compressed(quality: int) -> Change:
    return lambda pixels: decode(encode_jpeg(pixels, quality)).pixels


def resized(width: int, height: int) -> Change:
    return lambda pixels: np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))


def lighter(factor: float) -> Change:
    return lambda pixels: (pixels * factor).clip(0, 255).astype(np.uint8)


def trimmed(pixels: Pixels) -> Pixels:
    return pixels[5:-5, 6:-6]


CHANGES = {
    "quality 60": compressed(60),
    "quality 95": compressed(95),
    "320 × 240": resized(320, 240),
    "512 × 384": resized(512, 384),
    "darker": lighter(0.95),
    "lighter": lighter(1.05),
    "trimmed": trimmed,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_same_picture_alone_is_found_again(pictures: list[Pixels], change: Change) -> None:
    pictures = pictures[::2]
    sets = find_near_duplicates(looks_of(pictures + [change(pixels) for pixels in pictures]))
    first, second = sets[: len(pictures)], sets[len(pictures) :]
    again = (first == second) & (first >= 0)
    assert len(set(first[again])) == again.sum()  # none is taken for another
    # Of 24 drawn pictures one, full of fine detail, may look otherwise once its rim is cut off.
    assert again.mean() >= (0.95 if change is trimmed else 1.0)


def test_different_pictures_are_like_no_other(pictures: list[Pixels]) -> None:
    np.testing.assert_array_equal(find_near_duplicates(looks_of(pictures)), -1)


def cut(left: float, right: float, top: float, bottom: float) -> Change:
    def change(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        rows = slice(round(top * height), height - round(bottom * height))
        return pixels[rows, round(left * width) : width - round(right * width)]

    return change


CUTS = {
    "cut 3 % all around": cut(0.03, 0.03, 0.03, 0.03),
    "cut 2 % all around": cut(0.02, 0.02, 0.02, 0.02),
    "cut 3 % of a corner": cut(0.0, 0.03, 0.03, 0.0),
    "cut 2 % of a corner": cut(0.02, 0.0, 0.0, 0.02),
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "turned by half": lambda pixels: pixels[::-1, ::-1],
    "mirrored and cut": lambda pixels: cut(0.03, 0.03, 0.03, 0.03)(pixels[:, ::-1]),
    "cut and lossy": lambda pixels: compressed(70)(cut(0.03, 0.03, 0.03, 0.03)(pixels)),
}


@pytest.mark.parametrize("change", CUTS.values(), ids=CUTS.keys())
def test_cut_and_mirrored_pictures_are_found_again(pictures: list[Pixels], change: Change) -> None:
    pictures = pictures[::2]
    both = [np.ascontiguousarray(pixels) for pixels in (*pictures, *map(change, pictures))]
    measured = measure_columns([measure_pixels(pixels, f"{number}".encode()) for number, pixels in enumerate(both)])
    sets = measured["look_alikes"].fillna(-1).to_numpy(dtype=int)
    originals, changed = sets[: len(pictures)], sets[len(pictures) :]
    np.testing.assert_array_equal(originals, changed)
    assert len(set(originals[originals >= 0])) == (originals >= 0).sum() >= 0.9 * len(pictures)


def test_flat_pictures_match_only_themselves() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 4, (480, 640, 3))
    flat = [plain((0, 0, 0)), plain((9, 9, 9)), plain((255, 255, 255)), (128 + noise).astype(np.uint8)]
    looks = looks_of(flat)
    np.testing.assert_array_equal(looks, FEATURELESS)
    np.testing.assert_array_equal(find_near_duplicates(looks), -1)
    np.testing.assert_array_equal(find_near_duplicates(looks, np.array(["a", "b", "a", "c"])), [0, -1, 0, -1])


def closure(looks: npt.NDArray[np.uint64], sha256: npt.NDArray[np.str_]) -> list[set[int]]:
    """Sets of near-duplicates the slow way: every pair, again and again."""
    near = np.bitwise_count(looks[:, None] ^ looks[None]) <= MAX_BITS_APART
    near = (near & (looks != FEATURELESS) & (looks != FEATURELESS)[:, None]) | (sha256[:, None] == sha256[None])
    while (further := near @ near).sum() > near.sum():
        near = further
    return sorted({tuple(np.flatnonzero(row)) for row in near if row.sum() > 1})


@pytest.mark.parametrize("seed", range(6))
def test_sets_are_those_of_comparing_every_pair(seed: int) -> None:
    generator = np.random.default_rng(seed)
    looks = generator.integers(0, 2**64, 400, dtype=np.uint64)
    for row in range(100, 400):  # chains and stars of near ones, some a bit too far
        flipped = generator.choice(64, generator.integers(0, 10), replace=False).astype(np.uint64)
        looks[row] = looks[generator.integers(0, row)] ^ np.bitwise_or.reduce(np.uint64(1) << flipped, initial=0)
    looks[generator.choice(400, 20)] = FEATURELESS
    sha256 = np.array([f"{number:x}" for number in generator.permutation(400) % 390])
    sets = find_near_duplicates(looks, sha256)
    members = sorted(tuple(np.flatnonzero(sets == number)) for number in range(sets.max() + 1))
    assert members == closure(looks, sha256)
    firsts = [int(np.flatnonzero(sets == number)[0]) for number in range(sets.max() + 1)]
    assert firsts == sorted(firsts), "numbered in order of appearance"


@pytest.mark.parametrize("bits", [(0, 8, 16, 24, 32, 40), (58, 59, 60, 61, 62, 63), (7, 15, 23, 31, 47, 63)])
def test_six_differing_bits_match_seven_do_not(bits: tuple[int, ...]) -> None:
    look = 0x0123456789ABCDEF
    six = look ^ sum(1 << bit for bit in bits)
    seven = six ^ (1 << 50)
    assert list(find_near_duplicates(np.array([look, six], dtype=np.uint64))) == [0, 0]
    assert list(find_near_duplicates(np.array([look, seven], dtype=np.uint64))) == [-1, -1]


def test_very_many_equal_pictures_are_one_set() -> None:
    looks = np.random.default_rng(0).integers(1, 2**64, 200_000, dtype=np.uint64)
    looks[::2] = 77  # 5 · 10⁹ pairs, would they be compared
    sets = find_near_duplicates(looks)
    np.testing.assert_array_equal(sets[::2], 0)
    assert (sets[1::2] == -1).mean() > 0.999


def test_none_and_one_picture_have_no_duplicates() -> None:
    assert find_near_duplicates(np.array([], dtype=np.uint64)).size == 0
    assert list(find_near_duplicates(np.array([5], dtype=np.uint64), np.array(["a"]))) == [-1]


# --- Columns of an index ----------------------------------------------------------------------------------------------


def test_columns_have_the_types_of_an_index(tiny_data: Dataset) -> None:
    ids = list(tiny_data.column("id")[:3])
    measures = [measure(tiny_data.read(image_id)) for image_id in [*ids, ids[0]]]
    columns = measure_columns(measures)
    assert {name: str(columns[name].dtype) for name in columns} == {name: OPTIONAL_COLUMNS[name] for name in columns}
    assert set(columns) == {*ImageMeasures.__dataclass_fields__, "look_alikes"} - {"sha256"}
    assert list(columns["look"]) == [picture.look for picture in measures]
    assert columns["sharpness"].to_list() == pytest.approx([picture.sharpness for picture in measures])
    assert columns["look_alikes"].to_list() == [0, pd.NA, pd.NA, 0]
