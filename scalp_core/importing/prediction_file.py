"""Reads the predictions of a model from elsewhere, for the pictures of a dataset: CSV, .xlsx or Parquet, or a table.

A row answers for a picture and a condition: `image` (its id in the dataset), `condition` and either the probabilities
`p0` … `p3` or a `grade` alone.
"""

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import ArrowException

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.importing.table_file import TableFile, bad_table, opened
from scalp_core.labels import CONDITIONS, GRADES, find_condition

_PROBABILITIES = [f"p{grade}" for grade in GRADES]
_COLUMNS = ("image", "condition", *_PROBABILITIES, "grade")
_PARQUET = b"PAR1"
_MOST_BYTES = 2000  # of a row, and of a text in it
_MOST_OFF = 0.01  # of the sum of four probabilities from 1: three decimals add up to within half of it

Probabilities = npt.NDArray[np.float64]  # (rows, 4)


class Predictions(NamedTuple):
    """Predictions of a model from elsewhere.

    Attributes:
        table: columns image, condition (`value_1` … `value_6`), p0 … p3, which add up to 1, and `grade` where it came
            beside them: what the model decides.
        grades_alone: they came without probabilities; the given grade has 1.
    """

    table: pd.DataFrame
    grades_alone: bool


def read_predictions(source: Path | pd.DataFrame, dataset: Dataset) -> Predictions:
    """Read and check predictions for pictures of a dataset.

    Args:
        source: a file, or a table with these columns.

    Raises:
        ScalpError: `bad_table`; the message names the first row that is wrong and says why. `unknown_condition`.
    """
    most = len(CONDITIONS) * dataset.images
    table = _named(source) if isinstance(source, pd.DataFrame) else _read(source, most)
    missing = [name for name in ("image", "condition") if name not in table]
    if missing or not ("grade" in table or set(_PROBABILITIES) <= set(table)):
        raise bad_table(
            "it needs the columns image, condition, and either p0, p1, p2, p3 or grade",
            "image, condition 열과 함께 p0, p1, p2, p3 또는 grade 열이 필요해요",
        )
    if len(table) > most:
        raise bad_table(
            f"it has more than {most:,} rows, one a picture and condition of “{dataset.name}”",
            f"“{dataset.name}”의 사진과 증상마다 한 줄인 {most:,}줄보다 많아요",
        )
    if table.empty:
        raise bad_table("it has no rows", "데이터가 없어요")
    grades_alone = not set(_PROBABILITIES) <= set(table)
    for name in ("image", "condition"):
        table[name] = table[name].astype(str)
    table["condition"] = _conditions(table)
    table[_PROBABILITIES] = _of_grades(table) if grades_alone else _checked_probabilities(table)
    _require_pictures(table, dataset)
    columns = ["image", "condition", *_PROBABILITIES]
    if not grades_alone and "grade" in table and table["grade"].notna().any():
        table["grade"] = _of_grades(table).argmax(axis=1)
        columns.append("grade")
    return Predictions(table[columns].reset_index(drop=True), grades_alone)


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that are read, found by their names in any case, and the number of each row from 1."""
    places = {str(name).strip().lower(): place for place, name in reversed(list(enumerate(table.columns)))}
    named = {name: table.iloc[:, places[name]].to_numpy() for name in _COLUMNS if name in places}
    return pd.DataFrame(named, index=pd.RangeIndex(1, len(table) + 1))


def _read(path: Path, most: int) -> pd.DataFrame:
    try:
        with path.open("rb") as file:
            is_parquet = file.read(len(_PARQUET)) == _PARQUET
    except OSError as error:
        raise bad_table(f"{path.name}: {error.strerror}", f"{path.name}: {error.strerror}") from error
    return _read_parquet(path, most) if is_parquet else _read_text(path, most)


def _read_parquet(path: Path, most: int) -> pd.DataFrame:
    try:
        with pq.ParquetFile(path) as file:
            facts, schema = file.metadata, file.schema_arrow
        if facts.num_rows > most:  # before any of it is unpacked
            return pd.DataFrame(columns=list(_COLUMNS), index=range(most + 1))
        wanted = [field for field in schema if field.name.strip().lower() in _COLUMNS]
        if _unpacked_bytes(facts, {field.name for field in wanted}) > _MOST_BYTES * max(facts.num_rows, 1):
            raise _too_long()
        # A text that is repeated is stored once: read so, too, and looked at before it is spread over the rows.
        texts = [
            field.name for field in wanted if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read(columns=[field.name for field in wanted])
        dictionaries = [chunk.dictionary for name in texts for chunk in table.column(name).chunks]
        if any((pc.max(pc.binary_length(values)).as_py() or 0) > _MOST_BYTES for values in dictionaries):
            raise _too_long()
        return _named(table.to_pandas())
    except (ArrowException, OSError, ValueError) as error:
        raise bad_table("it is a damaged Parquet file", "손상된 Parquet 파일이에요") from error


def _unpacked_bytes(facts: pq.FileMetaData, names: Collection[str]) -> int:
    groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema.split(".")[0] in names)


def _too_long() -> ScalpError:
    return bad_table("it has texts that are no ids", "id라고 볼 수 없을 만큼 긴 글이 들어 있어요")


def _read_text(path: Path, most: int) -> pd.DataFrame:
    with opened(TableFile(path), _meaning) as (header, rows):
        numbered = list(islice(rows, most + 1))
    width = len(header)
    cells = [(row + [""] * width)[:width] for _, row in numbered]
    table = _named(pd.DataFrame(cells, columns=header))
    return table.set_axis([number for number, _ in numbered])


def _meaning(header: Sequence[str]) -> int:
    return len({name.strip().lower() for name in header} & set(_COLUMNS))


def _conditions(table: pd.DataFrame) -> pd.Series:
    return table["condition"].map({name: find_condition(name).value for name in table["condition"].unique()})


def _of_grades(table: pd.DataFrame) -> Probabilities:
    grades = pd.to_numeric(table["grade"], errors="coerce")
    _require(grades.isin([int(grade) for grade in GRADES]), table["grade"], "a grade 0 to 3", "0~3의 등급")
    certain: Probabilities = np.eye(len(GRADES))[grades.to_numpy(dtype=np.int64)]
    return certain


def _checked_probabilities(table: pd.DataFrame) -> Probabilities:
    numbers = table[_PROBABILITIES].apply(pd.to_numeric, errors="coerce")
    for name in _PROBABILITIES:
        in_range = numbers[name].between(0, 1)
        _require(in_range, table[name], f"a probability for {name}", f"{name}의 확률")
    sums = numbers.sum(axis=1)
    near = (sums - 1).abs() <= _MOST_OFF
    _require(near, sums.map("{:.3g}".format), "1, the sum of p0 … p3", "p0 … p3의 합인 1")
    probabilities: Probabilities = numbers.to_numpy(dtype=np.float64) / sums.to_numpy()[:, np.newaxis]
    return probabilities


def _require(holds: pd.Series, values: pd.Series, wanted: str, wanted_ko: str) -> None:
    """Raise the error about the first row for which it does not hold."""
    if not holds.all():
        number = holds.index[~holds.to_numpy()][0]
        value = str(values.loc[number])[:40]
        raise _bad_row(number, f"“{value}” is not {wanted}", f"“{value}”은(는) 쓸 수 없어요. 필요한 값: {wanted_ko}")


def _require_pictures(table: pd.DataFrame, dataset: Dataset) -> None:
    known_ids = table["image"].isin(dataset.column("id"))
    wanted, wanted_ko = f"the id of a picture of “{dataset.name}”", f"“{dataset.name}”에 있는 사진의 id"
    _require(known_ids, table["image"], wanted, wanted_ko)
    again = table.duplicated(["image", "condition"])
    if again.any():
        number = again.index[again.to_numpy()][0]
        answer = f"“{table['image'].loc[number]}”, {table['condition'].loc[number]}"
        raise _bad_row(number, f"{answer} was answered before", f"{answer}에는 이미 답이 있어요")


def _bad_row(number: object, en: str, ko: str) -> ScalpError:
    return bad_table(f"row {number}: {en}", f"{number}번째 줄: {ko}")
