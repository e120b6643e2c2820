"""Opens datasets and reads their index: one row an image.

A dataset is a folder `data/<name>/` with `index.parquet`, which also says what it is and where it came from. Synthetic
pictures lie in the same folder; imported pictures stay where they are, in folders or zip files. `index.parquet` is
written last: without it there is no dataset.
"""

import hashlib
import json
import os
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from pyarrow.lib import ArrowException

from scalp_core.data.zip_files import read_stored
from scalp_core.errors import ScalpError, forbidden
from scalp_core.files import UNREADABLE, Signature, folders_with, is_locked, signature, unquote_path
from scalp_core.labels import CONDITIONS, META, Condition
from scalp_core.paths import data_folder
from scalp_core.seals import SealBrokenError, require_seal

PARTS = ("train", "valid", "calib", "test")

TEXT_COLUMNS = ("id", "path", "sha256", "site", "device", "capture", "region", "part")
LABEL_COLUMNS = tuple(condition.value for condition in CONDITIONS)
# Further columns that an index may have, with their types; columns `meta_…` are text as well.
OPTIONAL_COLUMNS = {
    # Where in the zip file `path` the stored bytes begin, how many they are, and whether they are deflated.
    "offset": "Int64",
    "length": "Int64",
    "deflated": "boolean",
    "official": "string",  # parts of the publisher's own split: `train`, `valid` or `both`
    "folders": "string",  # every class folder it lies in, as `value_2/1 value_6/3`
    # Measured by scalp_core.data.quality.
    "bytes": "Int64",
    "width": "Int32",
    "height": "Int32",
    "sharpness": "float32",
    "lightness": "float32",
    "clipped": "float32",
    "cast_red": "float32",
    "cast_yellow": "float32",
    "look": "UInt64",
    "look_inner": "UInt64",
    "look_right_below": "UInt64",
    "look_left_below": "UInt64",
    "look_right_above": "UInt64",
    "look_left_above": "UInt64",
    "look_alikes": "Int32",
    # Of synthetic pictures (scalp_core.synthetic.label_noise): never a training input.
    **{f"severity_{number}": "float32" for number in range(1, len(CONDITIONS) + 1)},
    **{f"clean_{number}": "Int8" for number in range(1, len(CONDITIONS) + 1)},
    "confusers": "string",
}
# Few different values over many rows: read as categories, so that a filter compares small numbers.
_CATEGORIES = ("site", "device", "capture", "region", "part", "official", "folders")
_LOCK_TIMEOUT = 1.0  # seconds; a page that asks whether the lock is held holds it for a moment itself

# Keys of the metadata of `index.parquet`.
INDEX_HASH_KEY, EVALUATION_HASH_KEY, DESCRIPTION_KEY = b"index_hash", b"evaluation_hash", b"dataset"

# Names become folder names and appear in addresses, so nothing else is let through.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Dataset:
    """One dataset on disk, as `dataset.json` describes it.

    Attributes:
        kind: `synthetic` for rendered pictures; an importer's kind for real ones.
        folder: where it lies.
        made: generator settings or import source, free-form.
        source: the folder that image paths of the index are relative to; empty means `folder` itself.
        parts: how images were assigned to splits: `by`, `seed` and the result, free-form.
    """

    name: str
    kind: str
    created: str
    made: dict[str, object]
    folder: Path
    source: str = ""
    parts: dict[str, object] = field(default_factory=dict)

    @property
    def synthetic(self) -> bool:
        """Whether it holds rendered pictures; an import counts those that it found among others."""
        return self.kind == "synthetic" or bool(self.made.get("synthetic"))

    @property
    def fold(self) -> dict[str, object]:
        """Fold of another dataset that it is (see `folds.make_folds`); empty where it is none."""
        fold = self.made.get("fold")
        return fold if isinstance(fold, dict) else {}

    @property
    def tempered(self) -> bool:
        """Whether rare grades are more frequent in what is judged on than they really are."""
        return self.made.get("evaluation_prior", "real") != "real"

    @property
    def _index_path(self) -> Path:
        return self.folder / "index.parquet"

    @property
    def version(self) -> int:
        """A number that changes whenever the index is written anew; a key for caches."""
        return self._index_path.stat().st_mtime_ns

    @property
    def _signature(self) -> Signature | None:
        return signature(self._index_path)

    @property
    def index(self) -> pd.DataFrame:
        """One row an image, by id: text columns, `part` and `value_1` … `value_6` (Int8, null where unlabelled).

        The frame is shared between callers: copy before changing it. Pages, which need few columns of perhaps a
        million rows, read a `column`.
        """
        return _read_index(self._index_path, self._signature)

    @property
    def columns(self) -> list[str]:
        """Names of all columns of the index."""
        return list(_schema(self._index_path, self._signature).names)

    @property
    def images(self) -> int:
        """Rows of the index, from its footer alone."""
        with _reading(self._index_path):
            return int(pq.read_metadata(self._index_path).num_rows)

    def column(self, name: str) -> pd.Series:
        """Return one column in the order of ids; text of few values comes as categories.

        It is read once and shared between callers, as `index` is.
        """
        return _read_column(self._index_path, self._signature, name)

    def batches(self, rows: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield these columns in the order of ids, so many rows at a time, without keeping them."""
        with _reading(self._index_path):
            yield from pq.ParquetFile(self._index_path).iter_batches(rows, columns=list(columns))

    def grades(self, conditions: Sequence[Condition], part: str | None = None) -> npt.NDArray[np.float64]:
        """Return labels, shape (images, conditions), in the order of ids; NaN where unlabelled.

        Args:
            part: a split; None takes all images.
        """
        columns = (self.column(condition.value).to_numpy(dtype=np.float64, na_value=np.nan) for condition in conditions)
        labels = np.stack(list(columns), axis=1)
        return labels if part is None else labels[(self.column("part") == part).to_numpy()]

    def row(self, image_id: str) -> int:
        """Return the position of an id in the index, -1 if it is not there."""
        ids = _ids(self._index_path, self._signature)
        place = bisect_left(range(len(ids)), image_id, key=lambda number: str(ids[number].as_py()))
        return place if place < len(ids) and ids[place].as_py() == image_id else -1

    @property
    def index_hash(self) -> str:
        """SHA-256 over ids, splits and labels: all that a run learns from and is evaluated on.

        Pixels are left out on purpose: the same seed gives the same scene everywhere, but JPEG encoders of different
        builds may differ in the last bit. Each file's own hash is in the index.
        """
        return _digest(self._index_path, INDEX_HASH_KEY)

    @property
    def evaluation_hash(self) -> str:
        """SHA-256 over ids, splits and labels of all pictures outside the training split.

        Runs may be compared if they agree on this: they were evaluated on the same pictures, whatever each of them
        learned from.
        """
        return _digest(self._index_path, EVALUATION_HASH_KEY)

    def read(self, image_id: str) -> bytes:
        """Return the file of one picture, out of its folder or zip file.

        Raises:
            ScalpError: no such id in the index, or its file is gone or has changed since it was imported.
        """
        # Ids come from addresses and old prediction tables: they are looked up, never joined into a path.
        if self.row(image_id) < 0:
            raise self._no_image(image_id)
        try:
            return self.read_file(image_id)
        except PermissionError as error:
            raise forbidden("no_image", f"Picture “{image_id[:80]}” of dataset “{self.name}”", "사진") from error
        except SealBrokenError as error:
            raise self._changed(image_id) from error
        except (OSError, zlib.error) as error:
            raise (self._moved() if self.is_away else self._no_image(image_id)) from error

    def read_file(self, image_id: str) -> bytes:
        """Return the file of a picture that is in the index.

        Raises:
            OSError, zlib.error: it is gone.
            SealBrokenError: its content has changed.
        """
        row = self.row(image_id)
        content = self._read_row(row)
        if hashlib.sha256(content).hexdigest() != self.column("sha256").iloc[row]:
            raise SealBrokenError(f"the content of {image_id} has changed")
        return content

    def _read_row(self, row: int) -> bytes:
        path = Path(self.source or self.folder) / unquote_path(str(self.column("path").iloc[row]))
        if "offset" not in self.columns or pd.isna(self.column("offset").iloc[row]):
            return path.read_bytes()
        offset, length = (int(self.column(name).iloc[row]) for name in ("offset", "length"))
        return read_stored(path, offset, length, bool(self.column("deflated").iloc[row]))

    @property
    def is_away(self) -> bool:
        """Whether the folder of its pictures is gone: moved, renamed, or on a disk that is not there."""
        return bool(self.source) and not os.path.isdir(self.source)  # noqa: PTH112  Path's raises without permission

    def _moved(self) -> ScalpError:
        return ScalpError(
            "moved",
            f"The folder of the pictures of “{self.name}” is gone: {self.source}. Bring it back, or say where it is "
            f"now: python -m training.prepare relocate {self.name} FOLDER",
            f"“{self.name}”의 사진 폴더가 없어졌어요: {self.source}. 되돌려 놓거나 새 위치를 알려 주세요: "
            f"python -m training.prepare relocate {self.name} 폴더",
        )

    def _changed(self, image_id: str) -> ScalpError:
        return ScalpError(
            "changed_picture",
            f"The file of picture “{image_id[:80]}” of dataset “{self.name}” has changed since it was imported, or is "
            "damaged. Restore it, or import again.",
            f"“{self.name}” 데이터셋의 “{image_id[:80]}” 사진 파일이 가져온 뒤에 바뀌었거나 손상되었어요. 복원하거나 "
            "다시 가져오세요.",
        )

    def _no_image(self, image_id: str) -> ScalpError:
        return ScalpError(
            "no_image",
            f"Dataset “{self.name}” has no picture “{image_id[:80]}” on this machine.",
            f"데이터셋 “{self.name}”에 “{image_id[:80]}” 사진이 없어요.",
        )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Read an index that is what was written; otherwise raise a ScalpError. That it is gone is another matter."""
    try:
        require_seal(path)
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (ArrowException, *UNREADABLE) as error:
        raise _damaged_dataset(path.parent.name, error) from error


def _damaged_dataset(name: str, error: Exception) -> ScalpError:
    if isinstance(error, PermissionError):
        return forbidden("damaged_dataset", f"The index of dataset “{name}”", f"“{name}” 데이터셋의 색인")
    return ScalpError(
        "damaged_dataset",
        f"The index of dataset “{name}” is damaged, or of an earlier version, and the dataset is left out. Restore "
        "index.parquet, or remove the dataset’s folder and import or render it again.",
        f"“{name}” 데이터셋의 색인이 손상되었거나 이전 버전의 것이어서 목록에서 제외했어요. index.parquet을 "
        "복원하거나, 데이터셋 폴더를 지우고 다시 가져오거나 만드세요.",
    )


@lru_cache(maxsize=8)
def _read_index(path: Path, _signature: Signature | None) -> pd.DataFrame:
    with _reading(path):
        return pd.read_parquet(path).set_index("id", drop=False).rename_axis(None)


@lru_cache(maxsize=16)
def _schema(path: Path, _signature: Signature | None) -> pa.Schema:
    with _reading(path):
        return pq.read_schema(path)


@lru_cache(maxsize=256)
def _metadata(path: Path, _signature: Signature | None) -> dict[bytes, bytes]:
    with _reading(path):
        return dict(pq.read_metadata(path).metadata or {})


@lru_cache(maxsize=96)
def _read_column(path: Path, _signature: Signature | None, name: str) -> pd.Series:
    categories = [name] if name in _CATEGORIES or name.startswith(META) else None
    # A hash of 64 bits does not survive as a floating-point number, which a null would make of it.
    types = {pa.uint64(): pd.UInt64Dtype()}
    with _reading(path):
        # Half the time of pq.read_table, which would look for a whole folder of files.
        table = pq.ParquetFile(path, read_dictionary=categories).read([name])
        column: pd.Series = table.unify_dictionaries().column(0).to_pandas(types_mapper=types.get)
    return column


@lru_cache(maxsize=8)
def _ids(path: Path, _signature: Signature | None) -> pa.Array:
    with _reading(path):
        return pq.read_table(path, columns=["id"]).column(0).combine_chunks()


def _digest(path: Path, key: bytes) -> str:
    with _reading(path):
        return _metadata(path, signature(path))[key].decode("ascii")


def list_datasets() -> list[Dataset]:
    """Return all complete datasets, real ones first, then by name. Damaged ones are left out; see below."""
    return sorted(_all_datasets()[0], key=lambda dataset: (dataset.synthetic, dataset.name))


def offered_datasets(wanted: str = "") -> list[Dataset]:
    """Return the datasets that a page offers: without folds of others, but for the one that is wanted."""
    return [dataset for dataset in list_datasets() if not dataset.fold or dataset.name == wanted]


def damaged_datasets() -> list[ScalpError]:
    """Return an error for every dataset that is left out because it is damaged; the message names it."""
    return _all_datasets()[1]


def _all_datasets() -> tuple[list[Dataset], list[ScalpError]]:
    datasets: list[Dataset] = []
    damaged: list[ScalpError] = []
    try:
        folders = folders_with("index.parquet", data_folder())
    except PermissionError:
        return [], [forbidden("damaged_dataset", f"The folder of datasets, {data_folder()},", "데이터셋 폴더")]
    for folder in folders:
        try:
            datasets.append(_open(folder))
        except FileNotFoundError:  # removed meanwhile
            continue
        except ScalpError as error:
            damaged.append(error)
    return datasets, damaged


def open_dataset(name: str) -> Dataset:
    """Return the dataset of that name.

    Raises:
        ScalpError: there is none of that name, or its index is damaged.
    """
    check_name(name)
    folder = data_folder() / name
    with suppress(FileNotFoundError, NotADirectoryError):
        return _open(folder)
    names = ", ".join(path.parent.name for path in sorted(data_folder().glob("*/index.parquet"))) or "–"
    raise ScalpError(
        "no_dataset",
        f"There is no dataset “{name}” (known: {names}). Import your own or make a synthetic one: "
        "python -m training.prepare --help",
        f"데이터셋 “{name}”이(가) 없어요 (있는 것: {names}). 가져오거나 합성 데이터를 만드세요: "
        "python -m training.prepare --help",
    )


def _open(folder: Path) -> Dataset:
    path = folder / "index.parquet"
    # Index and description are one file, so they always fit each other; dataset.json beside it is for people.
    with _reading(path):
        description = json.loads(_metadata(path, signature(path))[DESCRIPTION_KEY])
        return Dataset(**description | {"name": folder.name}, folder=folder)  # a copied folder is a dataset of its own


@contextmanager
def claimed(name: str) -> Iterator[Path]:
    """Hold the lock of a dataset while it is written; yields its folder.

    Raises:
        ScalpError: another process holds it, or the name is not allowed.
    """
    check_name(name)
    folder = data_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(_lock(folder), timeout=_LOCK_TIMEOUT):
            yield folder
    except Timeout as error:
        raise ScalpError(
            "already_making",
            f"Another command is creating dataset “{name}”. Wait for it, or choose another name.",
            f"다른 명령이 데이터셋 “{name}”을(를) 만들고 있어요. 기다리거나 다른 이름을 고르세요.",
        ) from error


def is_claimed(name: str) -> bool:
    """Return whether a process is writing this dataset."""
    return is_locked(_lock(data_folder() / name))


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def name_taken(name: str) -> ScalpError:
    """Return the error for writing another dataset under a name in use."""
    return ScalpError(
        "name_taken",
        f"Another dataset has the name “{name}”. Choose another name, or remove {data_folder() / name} first.",
        f"“{name}” 이름의 다른 데이터셋이 이미 있어요. 다른 이름을 고르거나 먼저 {data_folder() / name} 폴더를 "
        "지우세요.",
    )


def check_name(name: str) -> None:
    """Raise ScalpError unless `name` may name a dataset: lower-case letters, digits, `_`, `-`, at most 64."""
    if not NAME.fullmatch(name):
        raise ScalpError(
            "bad_name",
            f"“{name[:64]}” cannot name a dataset: use lower-case letters, digits, “_” and “-”, at most 64 of them, "
            "starting with a letter or digit.",
            f"“{name[:64]}”은(는) 데이터셋 이름으로 쓸 수 없어요. 영문 소문자, 숫자, “_”, “-”로 64자 이내, "
            "첫 글자는 영문 소문자나 숫자여야 해요.",
        )
