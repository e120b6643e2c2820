"""Selects, sorts and counts rows of an index, and exports them as CSV.

A row is a position in the order of ids. All work is on whole columns, which the dataset caches: a million rows are
counted in a fraction of a second.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset
from scalp_core.files import FORMULA_STARTS
from scalp_core.labels import CONDITIONS, GRADES, META, Condition
from scalp_core.terms import REGIONS

Rows = npt.NDArray[np.intp]
Array = TypeVar("Array", bound=npt.NDArray[np.generic])

NONE = "none"  # selected like a value: rows without a label or a value
ALL_PARTS = "all"  # in counts: the images of all splits together
NAMED = ("part", "region", "device", "site", "capture", "official")
MEASURED = ("sharpness", "lightness", "clipped", "cast_red", "cast_yellow", "bytes", "width", "height")

_LABELS = len(GRADES) + 1  # with unlabelled, the last
_MAX_TEXT = 200  # characters


@dataclass(frozen=True)
class Filters:
    """A selection of rows: every filter holds, and of the values of one column any does.

    Made by `of` or `from_address`, so that equal selections are equal objects.

    Attributes:
        selected: column → values; grades as text, `none` for rows without a value.
        ranges: measured column → lowest and highest, both included; infinite where open.
        alike: only pictures with near-duplicates.
        text: part of the id, in capitals or not.
    """

    selected: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ranges: tuple[tuple[str, tuple[float, float]], ...] = ()
    alike: bool = False
    text: str = ""

    @classmethod
    def of(
        cls,
        selected: Mapping[str, Iterable[object]] | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        alike: bool = False,
        text: str = "",
    ) -> "Filters":
        """Return filters of the values in widgets, without empty columns and ranges open at both ends."""
        texts = {name: tuple(sorted({str(value) for value in values})) for name, values in (selected or {}).items()}
        bounded = {name: ends for name, ends in (ranges or {}).items() if ends != (-math.inf, math.inf)}
        return cls(
            tuple(sorted((name, values) for name, values in texts.items() if values)),
            tuple(sorted((name, (float(low), float(high))) for name, (low, high) in bounded.items())),
            alike,
            # Half a surrogate pair, which an address may hold, is no text that can be searched for.
            text.encode(errors="replace").decode().strip()[:_MAX_TEXT],
        )

    @classmethod
    def from_address(cls, address: Mapping[str, str], dataset: Dataset) -> "Filters":
        """Return the filters in the address of a page, without columns and values that this dataset lacks."""
        selected = {name: _existing(address[name], dataset, name) for name in filterable(dataset) if name in address}
        ranges = {name: _range(address[name]) for name in measured(dataset) if name in address}
        alike = address.get("alike") == "1" and "look_alikes" in dataset.columns
        return cls.of(selected, ranges, alike, address.get("text", ""))

    def to_address(self) -> dict[str, str]:
        """Return the filters as short texts: `value_2=2,3`, `site=0013`, `sharpness=10..50`, `alike=1`, `text=…`."""
        address = {name: ",".join(map(_quote, values)) for name, values in self.selected}
        address |= {name: f"{_number(low)}..{_number(high)}" for name, (low, high) in self.ranges}
        address |= {"alike": "1"} if self.alike else {}
        return address | ({"text": self.text} if self.text else {})

    def without(self, name: str) -> "Filters":
        """Return the same filters but that of one column."""
        selected = tuple(item for item in self.selected if item[0] != name)
        return replace(self, selected=selected, ranges=tuple(item for item in self.ranges if item[0] != name))

    def with_values(self, name: str, values: Iterable[str]) -> "Filters":
        """Return the same filters with these values of a column; none means all."""
        return Filters.of(dict(self.selected) | {name: values}, dict(self.ranges), self.alike, self.text)

    def with_range(self, name: str, low: float, high: float) -> "Filters":
        """Return the same filters with this range of a measured column, infinite where open."""
        return Filters.of(dict(self.selected), dict(self.ranges) | {name: (low, high)}, self.alike, self.text)

    def values(self, name: str) -> tuple[str, ...]:
        """Return the selected values of a column; none means all."""
        return dict(self.selected).get(name, ())

    def bounds(self, name: str) -> tuple[float, float]:
        """Return the lowest and the highest value of a measured column, infinite where open."""
        return dict(self.ranges).get(name, (-math.inf, math.inf))


def _existing(text: str, dataset: Dataset, name: str) -> list[str]:
    values = choices(dataset, name).index
    return [value for value in map(unquote, text.split(",")) if value == NONE or value in values]


def _quote(value: str) -> str:
    return value.replace("%", "%25").replace(",", "%2C")


def _number(end: float) -> str:
    return "" if math.isinf(end) else repr(end).removesuffix(".0")


def _range(text: str) -> tuple[float, float]:
    """Return both ends of `10..50`, `..50` or `10..`; open for any other text."""
    lowest, _, highest = text.partition("..")
    try:
        low, high = float(lowest or -math.inf), float(highest or math.inf)
    except ValueError:
        return -math.inf, math.inf
    sensible = low <= high and low < math.inf and high > -math.inf
    return (low, high) if sensible else (-math.inf, math.inf)


def filterable(dataset: Dataset) -> list[str]:
    """Return the columns of few values that `Filters.selected` may name."""
    return [name for name in dataset.columns if name in (*LABEL_COLUMNS, *NAMED) or name.startswith(META)]


def measured(dataset: Dataset) -> list[str]:
    """Return the columns of numbers that `Filters.ranges` may name."""
    return [name for name in MEASURED if name in dataset.columns]


def sortable(dataset: Dataset) -> list[str]:
    """Return the columns that `sort` takes."""
    alike = [name for name in ("look_alikes",) if name in dataset.columns]
    return ["id", *filterable(dataset), *measured(dataset), *alike]


# --- Columns as numbers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IndexVersion:
    """One version of the index of a dataset: the key of caches."""

    folder: Path
    version: int
    dataset: Dataset = field(compare=False)


def index_version(dataset: Dataset) -> IndexVersion:
    """Return the key under which what is computed from this version of the index may be kept."""
    return IndexVersion(dataset.folder, dataset.version, dataset)


@dataclass(frozen=True)
class _Coded:
    """A column of few values as numbers: the value of a row is `values[codes[row]]`; the code -1 means none."""

    codes: npt.NDArray[np.signedinteger]
    values: pd.Index


def grades(dataset: Dataset, condition: str) -> npt.NDArray[np.int8]:
    """Return the grade of every picture in a condition, shape (rows,), -1 where unlabelled; read-only."""
    return np.asarray(_coded(index_version(dataset), condition).codes, np.int8)


def labels_of(dataset: Dataset, row: int) -> dict[Condition, int | None]:
    """Return the six labels of one picture, None where unlabelled."""
    labels = {condition: int(grades(dataset, condition)[row]) for condition in CONDITIONS}
    return {condition: None if grade < 0 else grade for condition, grade in labels.items()}


def codes_of(dataset: Dataset, name: str) -> tuple[npt.NDArray[np.signedinteger], pd.Index]:
    """Return a `filterable` column as read-only codes and values: `values[codes[row]]` of a row, -1 for none."""
    coded = _coded(index_version(dataset), name)
    return coded.codes, coded.values


@lru_cache(maxsize=64)
def _coded(at: IndexVersion, name: str) -> _Coded:
    column = at.dataset.column(name)
    if name in LABEL_COLUMNS:
        codes = _read_only(np.nan_to_num(column.to_numpy(np.float32), nan=-1).astype(np.int8))
        return _Coded(codes, pd.Index([str(int(grade)) for grade in GRADES]))
    values = pd.Index(_in_order(name, column.cat.categories.tolist()), dtype="str")
    # One more for the code -1, which counts from the end.
    places = np.append(values.get_indexer(column.cat.categories), -1).astype(np.int32)
    return _Coded(_read_only(places[column.cat.codes.to_numpy()]), values)


def _in_order(name: str, values: list[str]) -> list[str]:
    if name == "part":
        return list(PARTS)
    regions = [value for value in REGIONS if value in values] if name == "region" else []
    return [*regions, *sorted(set(values).difference(regions))]


def _read_only(array: Array) -> Array:
    array.flags.writeable = False  # kept and shared between callers
    return array


def choices(dataset: Dataset, name: str) -> pd.Series:
    """Count the images of each value of a `filterable` column: value → images, in the order to show.

    All grades and splits are included; `none` comes last, if there are any. Shared between callers.
    """
    return _choices(index_version(dataset), name)


@lru_cache(maxsize=64)
def _choices(at: IndexVersion, name: str) -> pd.Series:
    coded = _coded(at, name)
    without, *counted = np.bincount(coded.codes + 1, minlength=len(coded.values) + 1).tolist()
    images = pd.Series(counted, coded.values, dtype=np.int64)
    if without:
        images[NONE] = images.get(NONE, 0) + without
    return images


# --- Selecting and sorting -------------------------------------------------------------------------------------------


def select(dataset: Dataset, filters: Filters) -> Rows:
    """Return the rows that pass, in the order of ids; cached for the latest filters and read-only."""
    return _select(index_version(dataset), filters)


@lru_cache(maxsize=32)
def _select(at: IndexVersion, filters: Filters) -> Rows:
    passing = np.ones(len(at.dataset.column("part")), dtype=bool)
    for name, values in filters.selected:
        coded = _coded(at, name)
        passing &= np.append(coded.values.isin(values), NONE in values)[coded.codes]
    for name, (low, high) in filters.ranges:
        numbers = at.dataset.column(name).to_numpy()
        passing &= (numbers >= low) & (numbers <= high)
    if filters.alike:
        passing &= at.dataset.column("look_alikes").notna().to_numpy()
    if filters.text:
        passing &= at.dataset.column("id").str.contains(filters.text, case=False, regex=False).to_numpy(bool)
    return _read_only(np.flatnonzero(passing))


def sort(dataset: Dataset, rows: Rows, by: str, descending: bool = False) -> Rows:
    """Return the rows in the order of a `sortable` column; equal ones by id, those without a value last."""
    order: Rows = _order(index_version(dataset), by, descending)
    wanted = np.zeros(len(order), dtype=bool)
    wanted[rows] = True
    ordered: Rows = order[wanted[order]]
    return ordered


@lru_cache(maxsize=8)
def _order(at: IndexVersion, by: str, descending: bool) -> Rows:
    """Return all rows in the order of a column; sorted once for all selections."""
    keys = _sort_keys(at, by)
    return _read_only(np.argsort(-keys if descending else keys, kind="stable"))


def _sort_keys(at: IndexVersion, by: str) -> npt.NDArray[np.float64]:
    if by == "id":
        return np.arange(len(at.dataset.column(by)), dtype=np.float64)
    if by in filterable(at.dataset):
        codes = _coded(at, by).codes
        return np.where(codes < 0, np.nan, codes)
    return np.asarray(at.dataset.column(by), dtype=np.float64)


def neighbours(dataset: Dataset, image_id: str) -> tuple[Rows, Rows]:
    """Return the other rows of the same capture, and the near-duplicates; none for an unknown id."""
    row = dataset.row(image_id)
    captures = _coded(index_version(dataset), "capture").codes
    alike = dataset.column("look_alikes").fillna(-1).to_numpy() if "look_alikes" in dataset.columns else captures[:0]
    return _others(captures, row), _others(alike, row)


def _others(numbers: npt.NDArray[np.number], row: int) -> Rows:
    """Return the other rows with the number of this row; -1 means no number."""
    if row < 0 or not len(numbers) or numbers[row] < 0:
        return np.empty(0, np.intp)
    same = np.flatnonzero(numbers == numbers[row])
    return np.delete(same, np.searchsorted(same, row))


# --- Counting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """The number of images, and of different captures, sites and devices."""

    images: int
    captures: int
    sites: int
    devices: int


def size(dataset: Dataset, rows: Rows) -> Size:
    """Count the images of these rows, and their different captures, sites and devices."""
    at = index_version(dataset)
    one_cell = np.zeros(len(rows), np.intp)
    captures, sites, devices = (
        int(_seen(one_cell, 1, _coded(at, name), rows).sum()) for name in ("capture", "site", "device")
    )
    return Size(len(rows), captures, sites, devices)


def counts(dataset: Dataset, rows: Rows) -> pd.DataFrame:
    """Count images, captures and sites by condition, grade and split, zeros included.

    Columns condition, grade (Int8, null for unlabelled), part (of PARTS, or `all`), images, captures, sites. A capture
    or site may be in several grades, and in several splits of a leaky assignment: over `all` it counts once.
    """
    at = index_version(dataset)
    parts = _coded(at, "part").codes[rows].astype(np.intp)
    cells = [_label(dataset, condition, rows) * len(PARTS) + parts for condition in LABEL_COLUMNS]
    keys = product(LABEL_COLUMNS, (*map(int, GRADES), pd.NA), (*PARTS, ALL_PARTS))
    table = pd.DataFrame(keys, columns=["condition", "grade", "part"]).astype({"grade": "Int8"})
    images = [np.bincount(cell, minlength=_LABELS * len(PARTS)).reshape(_LABELS, len(PARTS)) for cell in cells]
    table["images"] = np.ravel([np.column_stack([grid, grid.sum(axis=1)]) for grid in images])
    for name, column in (("captures", "capture"), ("sites", "site")):
        table[name] = np.ravel([_group_counts(cell, _coded(at, column), rows) for cell in cells])
    return table


def _label(dataset: Dataset, condition: str, rows: Rows) -> npt.NDArray[np.intp]:
    """Return the grades of the rows, 4 where unlabelled."""
    return grades(dataset, condition)[rows].astype(np.intp) % _LABELS


def _group_counts(cells: npt.NDArray[np.intp], groups: _Coded, rows: Rows) -> npt.NDArray[np.intp]:
    """Count the groups with images in each cell, shape (labels, splits and all splits)."""
    seen = _seen(cells, _LABELS * len(PARTS), groups, rows).reshape(_LABELS, len(PARTS), -1)
    return np.column_stack([seen.sum(axis=2), seen.any(axis=1).sum(axis=1)])


def _seen(cells: npt.NDArray[np.intp], count: int, groups: _Coded, rows: Rows) -> npt.NDArray[np.bool_]:
    """Return whether any row of a group is in a cell, shape (cells, groups). Marking needs no sorting."""
    width = len(groups.values) + 1  # the last is for rows of no group, whose code is -1
    seen = np.zeros(count * width, dtype=bool)
    seen[cells * width + groups.codes[rows] % width] = True
    return seen.reshape(count, width)[:, :-1]


def spearman(dataset: Dataset, rows: Rows) -> pd.DataFrame:
    """Return Spearman's rank correlation of every two conditions over the images labelled in both.

    Equal grades share ranks. Shape (6, 6) by `value_1` … `value_6`; NaN where a condition has a single grade or no
    labels.
    """
    joint = _joint_counts(dataset, rows)
    table = [[_spearman(_pair(joint, first, second)) for second in range(joint.ndim)] for first in range(joint.ndim)]
    return pd.DataFrame(table, list(LABEL_COLUMNS), list(LABEL_COLUMNS))


def _spearman(table: npt.NDArray[np.int64]) -> float:
    """Return Pearson's correlation of mid-ranks from a contingency table (4, 4) (Spearman 1904, with ties)."""
    first, second = table.sum(axis=1), table.sum(axis=0)
    # The mean rank is half the number of images; it is taken off at once.
    ranks, other_ranks = (np.cumsum(images) - (images + images.sum()) / 2 for images in (first, second))
    spread = math.sqrt(float(ranks**2 @ first)) * math.sqrt(float(other_ranks**2 @ second))
    return float(ranks @ table @ other_ranks) / spread if spread else math.nan


def cooccurrence(dataset: Dataset, rows: Rows, threshold: int = 1) -> pd.DataFrame:
    """Count how often two conditions come together, each at `threshold` or above; 36 rows.

    Columns condition, other, images (with both), share (of the images with `condition` that are labelled in `other`;
    NaN if there are none).
    """
    joint = _joint_counts(dataset, rows)
    rates = []
    for first, second in product(range(joint.ndim), repeat=2):
        table = _pair(joint, first, second)
        both, total = int(table[threshold:, threshold:].sum()), int(table[threshold:].sum())
        rates.append((LABEL_COLUMNS[first], LABEL_COLUMNS[second], both, both / total if total else math.nan))
    return pd.DataFrame(rates, columns=["condition", "other", "images", "share"])


def _pair(joint: npt.NDArray[np.int64], first: int, second: int) -> npt.NDArray[np.int64]:
    """Count the images labelled in two conditions by their grades, shape (4, 4)."""
    others = tuple(axis for axis in range(joint.ndim) if axis not in (first, second))
    table: npt.NDArray[np.int64] = joint.sum(axis=others)
    if first == second:
        return np.diag(table[:-1])
    return (table if first < second else table.T)[:-1, :-1]


def _joint_counts(dataset: Dataset, rows: Rows) -> npt.NDArray[np.int64]:
    """Count images by the grades of all six conditions, shape (5, 5, 5, 5, 5, 5), the last of each unlabelled."""
    shape = (_LABELS,) * len(LABEL_COLUMNS)
    return np.bincount(_joint(index_version(dataset))[rows], minlength=math.prod(shape)).reshape(shape)


@lru_cache(maxsize=4)
def _joint(at: IndexVersion) -> npt.NDArray[np.int16]:
    """Return the six labels of each row as one number below 5⁶: one count serves all pairs."""
    codes = np.zeros(len(at.dataset.column("part")), dtype=np.int16)
    for condition in LABEL_COLUMNS:
        codes = codes * _LABELS + _coded(at, condition).codes % _LABELS
    return codes.astype(np.int16)


def by_field(dataset: Dataset, rows: Rows, name: str, condition: str) -> pd.DataFrame:
    """Count the grades of a condition by the values of another column, such as region, device or `meta_age`.

    Columns value, grade, images, share (of the labelled images of the value); zeros included, values without labelled
    images left out.
    """
    coded = _coded(index_version(dataset), name)
    cells = (coded.codes[rows] + 1).astype(np.intp) * _LABELS + _label(dataset, condition, rows)
    images = np.bincount(cells, minlength=(len(coded.values) + 1) * _LABELS).reshape(-1, _LABELS)[:, :-1]
    images = np.roll(images, -1, axis=0)  # rows without a value come last
    totals = images.sum(axis=1, keepdims=True)
    labelled = totals[:, 0] > 0
    values = np.array([*coded.values, NONE], dtype=object)[labelled]
    table = pd.DataFrame(product(values, map(int, GRADES)), columns=["value", "grade"])
    return table.assign(images=images[labelled].ravel(), share=(images[labelled] / totals[labelled]).ravel())


# --- Export ---------------------------------------------------------------------------------------------------------

_NOT_EXPORTED = ("offset", "length", "deflated")  # where in a zip file: of no use without it
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it Excel takes Korean for another encoding
_BATCH = 65_536  # rows


def to_csv(dataset: Dataset, rows: Rows, columns: Sequence[str] | None = None) -> Iterator[bytes]:
    """Yield these rows of the index as CSV, piece by piece, in the order of ids.

    UTF-8 with byte order mark, as spreadsheets want it; text that begins like a formula gets a leading apostrophe;
    nulls are empty.

    Args:
        columns: in the order wanted; None takes all but those of a picture's place in a zip file.
    """
    names = list(columns or (name for name in dataset.columns if name not in _NOT_EXPORTED))
    wanted, first = np.sort(rows), 0
    yield _BYTE_ORDER_MARK + _csv_lines(pa.table({name: [name] for name in names}))
    for batch in dataset.batches(_BATCH, names):
        begin, end = np.searchsorted(wanted, (first, first + len(batch)))
        if begin < end:
            yield _csv_lines(pa.Table.from_batches([batch]).select(names).take(wanted[begin:end] - first))
        first += len(batch)


def _csv_lines(table: pa.Table) -> bytes:
    buffer = BytesIO()
    safe = [_without_formulas(column) for column in table.columns]
    # Names go in as a first row: they, too, come from an imported file.
    pa_csv.write_csv(pa.table(safe, table.column_names), buffer, pa_csv.WriteOptions(include_header=False))
    return buffer.getvalue()


def _without_formulas(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    begins = pc.is_in(pc.utf8_slice_codeunits(column, 0, 1), value_set=pa.array(FORMULA_STARTS, column.type))
    if not pc.any(begins).as_py():
        return column
    apostrophe, between = (pa.scalar(text, column.type) for text in ("'", ""))
    return pc.if_else(begins, pc.binary_join_element_wise(apostrophe, column, between), column)
