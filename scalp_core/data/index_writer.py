"""Writes the index of a dataset: rows are checked, hashed and described in one Parquet file.

The index is written last and replaced as a whole, so a reader sees the old one or the new one.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scalp_core.data.dataset import (
    DESCRIPTION_KEY,
    EVALUATION_HASH_KEY,
    INDEX_HASH_KEY,
    LABEL_COLUMNS,
    OPTIONAL_COLUMNS,
    PARTS,
    TEXT_COLUMNS,
    Dataset,
    check_name,
)
from scalp_core.errors import ScalpError
from scalp_core.files import unquote_path, write_json
from scalp_core.labels import GRADES, META
from scalp_core.seals import BLANK, SEAL, write_sealed

_ROW_GROUP = 65_536  # rows
_HASHED_COLUMNS = ("id", "part", *LABEL_COLUMNS)


def write_dataset(
    folder: Path,
    kind: str,
    made: dict[str, object],
    rows: pd.DataFrame | Iterable[pd.DataFrame],
    *,
    source: str = "",
    parts: dict[str, object] | None = None,
    created: str = "",
) -> Dataset:
    """Describe `folder` as a dataset; the index is written last.

    Args:
        rows: one row an image with all of TEXT_COLUMNS and LABEL_COLUMNS, in any order; or batches of them with the
            same columns in ascending order of ids, for more rows than fit into memory.
        source: the folder that `path` is relative to, if it is not `folder`.
        created: ISO 8601 time; empty means now.

    Raises:
        ScalpError: a column is missing, an id appears twice, a part or a label is outside its range.
    """
    check_name(folder.name)
    created = created or datetime.now(UTC).isoformat(timespec="seconds")
    dataset = Dataset(folder.name, kind, created, made, folder, source, parts or {})
    batches = [_checked(_sorted(rows))] if isinstance(rows, pd.DataFrame) else map(_checked, rows)

    def write(temporary: Path) -> None:
        _write_index(temporary, batches, json.dumps(_description(dataset)))
        write_description(dataset)

    write_sealed(folder / "index.parquet", write)
    return dataset


def write_description(dataset: Dataset) -> None:
    """Write `dataset.json`, which is there for people: programs read the description in the index."""
    write_json(dataset.folder / "dataset.json", _description(dataset))


def _description(dataset: Dataset) -> dict[str, object]:
    return {key: value for key, value in asdict(dataset).items() if key != "folder"}


def change_columns(dataset: Dataset, columns: dict[str, pd.Series], parts: dict[str, object] | None = None) -> Dataset:
    """Replace or add columns, given in the order of the index; everything else stays."""
    rows = dataset.index.reset_index(drop=True).assign(**columns)
    return write_dataset(
        dataset.folder,
        dataset.kind,
        dataset.made,
        rows,
        source=dataset.source,
        parts=parts or dataset.parts,
        created=dataset.created,
    )


def _write_index(path: Path, batches: Iterable[pd.DataFrame], description: str) -> None:
    hashes, last_id, writer = _Hashes(), "", None
    try:
        for batch in batches:
            if len(batch) and batch["id"].iloc[0] <= last_id:
                raise _duplicate_id(batch["id"].iloc[0])
            last_id = batch["id"].iloc[-1] if len(batch) else last_id
            hashes.add(batch)
            table = pa.Table.from_pandas(batch, preserve_index=False)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table, row_group_size=_ROW_GROUP)
        if writer is None:
            raise _bad_index("it has no rows", "행이 없어요")
        writer.add_key_value_metadata(hashes.digests | {DESCRIPTION_KEY: description, SEAL: BLANK})
    finally:
        if writer:
            writer.close()


class _Hashes:
    """The index hash and the evaluation hash of rows in the order of ids, batch by batch."""

    def __init__(self) -> None:
        header = hashlib.sha256(",".join(_HASHED_COLUMNS).encode() + b"\n")
        self._running = {INDEX_HASH_KEY: header, EVALUATION_HASH_KEY: header.copy()}

    def add(self, rows: pd.DataFrame) -> None:
        self._update(INDEX_HASH_KEY, rows)
        self._update(EVALUATION_HASH_KEY, rows[rows["part"] != "train"])

    def _update(self, key: bytes, rows: pd.DataFrame) -> None:
        lines = rows[list(_HASHED_COLUMNS)].to_csv(index=False, header=False, lineterminator="\n")
        self._running[key].update(lines.encode())

    @property
    def digests(self) -> dict[bytes, str]:
        return {key: running.hexdigest() for key, running in self._running.items()}


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    missing = [column for column in (*TEXT_COLUMNS, *LABEL_COLUMNS) if column not in rows]
    if missing:
        raise _bad_index(f"columns are missing: {', '.join(missing)}", f"빠진 열: {', '.join(missing)}")
    return rows.sort_values("id")


def _checked(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their columns in order and in the types of an index."""
    further = [column for column in rows if column not in TEXT_COLUMNS + LABEL_COLUMNS]
    index = rows[[*TEXT_COLUMNS, *LABEL_COLUMNS, *further]].reset_index(drop=True)
    if index["id"].duplicated().any():
        raise _duplicate_id(index["id"][index["id"].duplicated()].iloc[0])
    if not index["id"].is_monotonic_increasing:
        raise _bad_index("ids are not in ascending order", "id가 오름차순이 아니에요")
    unknown = set(index["part"]) - set(PARTS)
    if unknown:
        raise _bad_index(f"unknown splits: {sorted(unknown)}", f"알 수 없는 분할: {sorted(unknown)}")
    _check_paths(index["path"])
    labels = index[list(LABEL_COLUMNS)]
    if not (labels.isna() | labels.isin([int(grade) for grade in GRADES])).all(axis=None):
        raise _bad_index("a label is outside 0–3", "0–3을 벗어난 라벨이 있어요")
    types = dict.fromkeys(TEXT_COLUMNS, "string") | dict.fromkeys(LABEL_COLUMNS, "Int8")
    types |= {name: kind for name, kind in OPTIONAL_COLUMNS.items() if name in index}
    types |= {str(name): "string" for name in further if str(name).startswith(META)}
    return index.astype(types)


def _check_paths(paths: pd.Series) -> None:
    for text in paths.unique():  # a zip file holds thousands
        path = PurePosixPath(unquote_path(text) if "%" in text else text)
        if path.is_absolute() or ".." in path.parts:
            raise _bad_index(f"the path “{text}” leaves the folder", f"경로 “{text}”이(가) 폴더를 벗어나요")


def _duplicate_id(image_id: str) -> ScalpError:
    return _bad_index(f"the id “{image_id}” appears twice", f"id “{image_id}”이(가) 두 번 나와요")


def _bad_index(en: str, ko: str) -> ScalpError:
    return ScalpError("bad_index", f"The dataset index is invalid: {en}.", f"데이터셋 색인 오류: {ko}.")
