"""Near-duplicates: perceptual hashes of pictures, and the sets of pictures whose hashes are near each other.

A picture has one hash of the whole and some of itself with its edges cut off, so that a crop of it meets one of them. A
mirrored picture needs none: mirroring changes the signs of known coefficients.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scalp_core.data.dataset import OPTIONAL_COLUMNS

Looks = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.intp]

# The perceptual hash: signs of 64 coefficients of the cosine transform of a 32 × 32 grey picture, lowest frequencies
# first, without the five very lowest, which show how the device lights the skin rather than the skin.
_LOOK_SIDE, _SHADING, _LOOK_BITS = 32, 5, 64
_FREQUENCIES = sorted(
    ((row, column) for row in range(_LOOK_SIDE) for column in range(_LOOK_SIDE) if row + column),
    key=lambda frequency: (frequency[0] ** 2 + frequency[1] ** 2, frequency),
)[_SHADING : _SHADING + _LOOK_BITS]
_LOOK_ROWS, _LOOK_COLUMNS = (list(numbers) for numbers in zip(*_FREQUENCIES, strict=True))
# Below this root mean square of the coefficients the signs are noise; skin has 18 and more, a noisy flat wall under 6.
_FLAT = 8.0
FEATURELESS = 0
# Bits by which the looks of near-duplicates may differ. With crops and mirrors there are 23 times as many comparisons,
# so one bit less keeps the pairs that chance joins about as rare.
MAX_BITS_APART, _MAX_BITS_OF_VARIANTS = 6, 5

# Columns of the looks of crops, and what each cuts off left, right, top and bottom, in shares of the side.
_CUT = 0.025
_HALVED_FROM = 240  # pixels: crops of larger pictures are hashed at half the size, in a third of the time
LOOK_CROPS: Mapping[str, tuple[float, float, float, float]] = {
    "look_inner": (_CUT, _CUT, _CUT, _CUT),
    "look_right_below": (_CUT, 0.0, _CUT, 0.0),
    "look_left_below": (0.0, _CUT, _CUT, 0.0),
    "look_right_above": (_CUT, 0.0, 0.0, _CUT),
    "look_left_above": (0.0, _CUT, 0.0, _CUT),
}

_MAX_PENDING_PAIRS = 1_000_000  # held before they are joined
# Rows that share two bytes and are compared with each: usually a handful, but a crowd must not take hours. Near looks
# that pass each other in one crowd still meet where they share other bytes.
_MAX_COMPARED = 2_000


def look_hash(grey: npt.NDArray[np.uint8]) -> int:
    """Return the 64-bit perceptual hash of a grey picture, or FEATURELESS for a flat one.

    Source: Zauner 2010, “Implementation and benchmarking of perceptual image hash functions”, with the signs of other
    coefficients.
    """
    small = cv2.resize(grey, (_LOOK_SIDE, _LOOK_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    coefficients = cv2.dct(small)[_LOOK_ROWS, _LOOK_COLUMNS]
    if np.sqrt(np.mean(np.square(coefficients))) < _FLAT:
        return FEATURELESS
    return int.from_bytes(np.packbits(coefficients > 0).tobytes(), "big")


def crop_looks(grey: npt.NDArray[np.uint8]) -> tuple[int, ...]:
    """Return the perceptual hashes of the crops of LOOK_CROPS; the picture itself where nothing would be left."""
    if min(grey.shape) >= _HALVED_FROM:
        grey = np.asarray(cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA))
    height, width = grey.shape
    crops = (
        grey[round(top * height) : height - round(bottom * height), round(left * width) : width - round(right * width)]
        for left, right, top, bottom in LOOK_CROPS.values()
    )
    return tuple(look_hash(crop if crop.size else grey) for crop in crops)


def _mirror(odd: list[bool]) -> np.uint64:
    return np.uint64(int.from_bytes(np.packbits(odd).tobytes(), "big"))


# Mirroring a picture turns the signs of all odd frequencies of that direction.
_SIDEWAYS, _UPSIDE_DOWN = (_mirror([place % 2 == 1 for place in places]) for places in (_LOOK_COLUMNS, _LOOK_ROWS))
_MIRRORS = (np.uint64(0), _SIDEWAYS, _UPSIDE_DOWN, _SIDEWAYS ^ _UPSIDE_DOWN)


def find_near_duplicates(
    looks: Looks, sha256: pd.Series | npt.NDArray[np.str_] | None = None, crops: Mapping[str, Looks] | None = None
) -> npt.NDArray[np.int32]:
    """Number the sets of near-duplicates from 0 in order of appearance; -1 for a picture in no set.

    Two pictures are near-duplicates if their looks differ in at most MAX_BITS_APART of 64 bits, if the look of one is
    near a mirrored look or a crop of the other, or if their files are equal; sets are the connected components of these
    pairs. What is found is measured in docs/design/data.md. Looks of different pictures differ almost as coins would:
    among 100,000 not even one pair is expected to be joined by chance. FEATURELESS pictures are in no set, or all black
    pictures would join their sites.

    Args:
        looks: shape (n,).
        sha256: hashes of the files, shape (n,), null where unknown.
        crops: looks of crops, each of shape (n,); None: only whole pictures are compared, mirrored ones too.
    """
    sets = np.arange(len(looks))
    pending: list[tuple[Rows, Rows]] = []
    waiting = 0
    for first, second in _near_duplicate_pairs(looks, sha256, list((crops or {}).values())):
        apart = sets[first] != sets[second]
        pending.append((first[apart], second[apart]))
        waiting += int(apart.sum())
        if waiting > _MAX_PENDING_PAIRS:
            sets, pending, waiting = _join(sets, pending), [], 0
    sets = _join(sets, pending)
    in_set = np.bincount(sets, minlength=len(looks))[sets] > 1
    numbers = np.full(len(looks), -1, dtype=np.int32)
    numbers[in_set] = pd.factorize(sets[in_set])[0]
    return numbers


def _near_duplicate_pairs(
    looks: Looks, sha256: pd.Series | npt.NDArray[np.str_] | None, crops: list[Looks]
) -> Iterator[tuple[Rows, Rows]]:
    """Yield pairs of rows, shapes (k,) and (k,), that connect all near-duplicates."""
    if sha256 is not None:
        codes = pd.factorize(sha256)[0]
        hashed = np.flatnonzero(codes >= 0)
        firsts, inverse = np.unique(codes[hashed], return_index=True, return_inverse=True)[1:]
        yield hashed, hashed[firsts[inverse]]
    featured = np.flatnonzero(looks != FEATURELESS)
    firsts, inverse = np.unique(looks[featured], return_index=True, return_inverse=True)[1:]
    yield featured, featured[firsts[inverse]]
    # One row of each look is enough: thousands of equal looks would otherwise make millions of pairs.
    yield from _near_pairs(looks, featured[firsts], MAX_BITS_APART)
    for variant in (looks, *crops):
        rows = np.flatnonzero(variant != FEATURELESS)
        rows = rows[np.unique(variant[rows], return_index=True)[1]]
        for mirror in _MIRRORS:
            if variant is not looks or mirror:
                yield from _variant_pairs(looks, featured[firsts], variant ^ mirror, rows)


def _variant_pairs(looks: Looks, rows: Rows, variant: Looks, variant_rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yield pairs of a row and another whose variant is near its look."""
    both = np.concatenate([looks[rows], variant[variant_rows]])
    owners = np.concatenate([rows, variant_rows])
    for first, second in _near_pairs(both, np.arange(len(both)), _MAX_BITS_OF_VARIANTS):
        across = (first < len(rows)) != (second < len(rows))
        yield owners[first[across]], owners[second[across]]


def _near_pairs(looks: Looks, rows: Rows, bits: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield the pairs of rows whose looks differ in at most so many bits, six or fewer.

    Six bits spoil at most six of eight bytes, so near looks agree in two bytes at least: for every two of them it is
    enough to compare the rows that share both, about 1 in 65,536.
    """
    octets = looks[rows].view(np.uint8).reshape(-1, 8).astype(np.uint16)
    for first, second in combinations(range(8), 2):
        shared = (octets[:, first] << 8 | octets[:, second]).astype(np.uint16)
        order = np.argsort(shared, kind="stable")
        yield from _near_neighbours(looks, rows[order], shared[order], bits)


def _near_neighbours(
    looks: Looks, rows: Rows, shared: npt.NDArray[np.uint16], bits: int
) -> Iterator[tuple[Rows, Rows]]:
    """Yield near looks among rows with the same `shared`, which is sorted: each with the next, the next but one, …"""
    ends = np.searchsorted(shared, shared, side="right")
    sorted_looks, places = looks[rows], np.arange(len(rows))
    step = 1
    while step <= _MAX_COMPARED and (places := places[places + step < ends[places]]).size:
        bits_apart = np.bitwise_count(sorted_looks[places] ^ sorted_looks[places + step])
        near = places[bits_apart <= bits]
        yield rows[near], rows[near + step]
        step += 1


def _join(sets: Rows, pairs: list[tuple[Rows, Rows]]) -> Rows:
    """Return the sets, shape (n,), after joining those of the rows of each pair."""
    if not pairs:
        return sets
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    edges = coo_array((np.ones(len(first), dtype=bool), (sets[first], sets[second])), shape=(len(sets), len(sets)))
    return np.asarray(connected_components(edges, directed=False)[1][sets], dtype=np.intp)


def number_column(sets: npt.NDArray[np.int32]) -> pd.Series:
    """Return the numbers of `find_near_duplicates` as a column of an index: null for a picture in no set."""
    numbers = pd.Series(sets, dtype=OPTIONAL_COLUMNS["look_alikes"])
    return numbers.mask(numbers < 0)
