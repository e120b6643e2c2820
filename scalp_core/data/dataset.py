"""The index of a data set: one row an image. Reading, writing, splitting. Knows no pixels and no network.

A data set is a folder `data/<name>/` with `index.parquet`, which also says what it is and where it came from, and,
for what we render ourselves, the pictures; somebody's own pictures stay where they are, in folders or zip files.
`index.parquet` is written last: without it there is no data set.
"""

import hashlib
import json
import os
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from scalp_core.errors import ScalpError
from scalp_core.files import is_locked, read_json, unquote_path, write_atomic, write_json
from scalp_core.labels import CONDITIONS, GRADES, META, Condition

PARTS = ("train", "valid", "calib", "test")
# Shares of images; calib is where operating points are fitted, test is only ever reported.
PART_SHARES = {"train": 0.60, "valid": 0.12, "calib": 0.13, "test": 0.15}

TEXT_COLUMNS = ("id", "path", "sha256", "site", "device", "capture", "region", "part")
LABEL_COLUMNS = tuple(condition.value for condition in CONDITIONS)
# What an index may have besides, with its type; columns `meta_…` are text as well.
OPTIONAL_COLUMNS = {
    # Where in the zip file `path` the stored bytes begin, how many they are, and whether they are deflated.
    "offset": "Int64",
    "length": "Int64",
    "deflated": "boolean",
    "official": "string",  # parts of the publisher's own split: `train`, `valid` or `both`
    "folders": "string",  # every class folder it lies in, as `value_2/1 value_6/3`
    # What scalp_core.data.quality measures.
    "bytes": "Int64",
    "width": "Int32",
    "height": "Int32",
    "sharpness": "float32",
    "lightness": "float32",
    "clipped": "float32",
    "cast_red": "float32",
    "cast_yellow": "float32",
    "look": "UInt64",
    "look_alikes": "Int32",
    # What is known of pictures that we draw (scalp_core.synthetic.label_noise): never a training input.
    **{f"severity_{number}": "float32" for number in range(1, len(CONDITIONS) + 1)},
    **{f"clean_{number}": "Int8" for number in range(1, len(CONDITIONS) + 1)},
    "confusers": "string",
}
# Few different values over many rows: read as categories, so that a filter compares small numbers.
_CATEGORIES = ("site", "device", "capture", "region", "part", "official", "folders")
_ROW_GROUP = 65_536  # rows
_LOCK_PATIENCE = 1.0  # seconds; a page that looks whether somebody is at work holds the lock for a moment

# Names become folder names and appear in addresses, so nothing else is let through.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_ROOT = Path(__file__).resolve().parent.parent.parent


def data_folder() -> Path:
    """Where data sets live: `SCALP_DATA`, or `data/` beside the code."""
    return Path(os.environ.get("SCALP_DATA") or _ROOT / "data")


@dataclass(frozen=True)
class Dataset:
    """One data set on disk, as `dataset.json` describes it.

    Attributes:
        kind: `synthetic` for what we render; anything else is somebody's pictures.
        folder: where it lies.
        made: how it was made (generator settings or import source), free-form.
        source: the folder that image paths of the index are relative to; empty means `folder` itself.
        parts: how images were dealt to the parts: `by`, `seed` and what came of it, free-form.
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
        return self.kind == "synthetic"

    @property
    def _index_path(self) -> Path:
        return self.folder / "index.parquet"

    @property
    def version(self) -> int:
        """Changes whenever the index is written anew; a key for what is computed from it."""
        return self._index_path.stat().st_mtime_ns

    @property
    def index(self) -> pd.DataFrame:
        """One row an image, by id: text columns, `part` and `value_1` … `value_6` (Int8, null where unlabelled).

        The frame is shared between callers: copy before changing it. Pages, which want few columns of perhaps a
        million rows, ask for a `column`.
        """
        return _read_index(self._index_path, self.version)

    @property
    def columns(self) -> list[str]:
        """Names of all columns of the index."""
        return list(_schema(self._index_path, self.version).names)

    @property
    def images(self) -> int:
        """Rows of the index, from its footer alone."""
        return int(pq.read_metadata(self._index_path).num_rows)

    def column(self, name: str) -> pd.Series:
        """One column in the order of ids, read when it is first asked for; few-valued text comes as categories.

        Shared between callers, as `index` is.
        """
        return _read_column(self._index_path, self.version, name)

    def grades(self, conditions: Sequence[Condition], part: str | None = None) -> npt.NDArray[np.float64]:
        """(images, conditions) labels in the order of ids, of all images or one part; NaN where unlabelled."""
        columns = (self.column(condition.value).to_numpy(dtype=np.float64, na_value=np.nan) for condition in conditions)
        labels = np.stack(list(columns), axis=1)
        return labels if part is None else labels[(self.column("part") == part).to_numpy()]

    def row(self, image_id: str) -> int:
        """The position of an id in the index, -1 where there is none."""
        ids = _ids(self._index_path, self.version)
        place = bisect_left(range(len(ids)), image_id, key=lambda number: str(ids[number].as_py()))
        return place if place < len(ids) and ids[place].as_py() == image_id else -1

    @property
    def index_hash(self) -> str:
        """SHA-256 over ids, parts and labels: what a run was asked to learn from and be judged on.

        Pixels are left out on purpose: the same seed gives the same scene everywhere, but JPEG encoders of different
        builds may differ in the last bit. Each file's own hash is in the index.
        """
        return _hash(self._index_path, self.version, _INDEX_HASH)

    @property
    def evaluation_hash(self) -> str:
        """SHA-256 over ids, parts and labels of all pictures but those to train on.

        Runs may be compared if they agree on this: they were judged on the same pictures, however many others each of
        them learned from.
        """
        return _hash(self._index_path, self.version, _EVALUATION_HASH)

    def read(self, image_id: str) -> bytes:
        """The file of one picture, out of its folder or zip file.

        Raises:
            ScalpError: no such id in the index, or its file is gone or has changed.
        """
        # Ids come from addresses and old prediction tables: they are looked up, never joined into a path.
        row = self.row(image_id)
        if row < 0:
            raise self._no_image(image_id)
        path = Path(self.source or self.folder) / unquote_path(str(self.column("path").iloc[row]))
        try:
            if "offset" not in self.columns or pd.isna(self.column("offset").iloc[row]):
                return path.read_bytes()
            offset, length = (int(self.column(name).iloc[row]) for name in ("offset", "length"))
            return read_stored(path, offset, length, bool(self.column("deflated").iloc[row]))
        except (OSError, zlib.error) as error:
            raise self._no_image(image_id) from error

    def _no_image(self, image_id: str) -> ScalpError:
        return ScalpError(
            "no_image",
            f"Dataset “{self.name}” has no picture “{image_id[:80]}” on this machine.",
            f"데이터셋 “{self.name}”에 “{image_id[:80]}” 사진이 없어요.",
        )


# More than any picture that images.decode takes: a deflated member cannot fill the memory.
_MOST_BYTES = 64 * 2**20


def read_stored(path: Path, offset: int, length: int, deflated: bool) -> bytes:
    """The content of a member of a zip file, by the place of its data.

    The zip's directory is not read again: with tens of thousands of members that would take longer than the picture,
    and an open archive cannot be shared by forked workers.

    Raises:
        OSError, zlib.error: it is gone, shorter than it was, or not what it was.
    """
    with path.open("rb") as file:
        file.seek(offset)
        stored = file.read(length)
    if len(stored) < length:
        raise OSError(f"{path.name} is shorter than it was")
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, _MOST_BYTES) if deflated else stored


@lru_cache(maxsize=8)
def _read_index(path: Path, _changed_ns: int) -> pd.DataFrame:
    return pd.read_parquet(path).set_index("id", drop=False).rename_axis(None)


@lru_cache(maxsize=16)
def _schema(path: Path, _changed_ns: int) -> pa.Schema:
    return pq.read_schema(path)


@lru_cache(maxsize=256)
def _told(path: Path, _changed_ns: int) -> dict[bytes, bytes]:
    """What the file says about itself, besides its columns."""
    return dict(pq.read_metadata(path).metadata or {})


@lru_cache(maxsize=96)
def _read_column(path: Path, _changed_ns: int, name: str) -> pd.Series:
    categories = [name] if name in _CATEGORIES or name.startswith(META) else None
    # Half the time of pq.read_table, which would look for a whole folder of files.
    table = pq.ParquetFile(path, read_dictionary=categories).read([name])
    # A hash of 64 bits does not survive as a floating-point number, which a null would make of it.
    types = {pa.uint64(): pd.UInt64Dtype()}
    column: pd.Series = table.unify_dictionaries().column(0).to_pandas(types_mapper=types.get)
    return column


@lru_cache(maxsize=8)
def _ids(path: Path, _changed_ns: int) -> pa.Array:
    return pq.read_table(path, columns=["id"]).column(0).combine_chunks()


@lru_cache(maxsize=32)
def _hash(path: Path, changed_ns: int, key: bytes) -> str:
    written = _told(path, changed_ns).get(key)
    if written:
        return str(written.decode("ascii"))
    # Written before this hash stood in the file.
    hashes = _Hashes()
    hashes.add(pd.read_parquet(path, columns=list(_HASHED)))
    return hashes.texts[key]


def list_datasets() -> list[Dataset]:
    """All data sets that are whole, real ones first, then by name."""
    folders = sorted(data_folder().glob("*/index.parquet"))
    return sorted((_open(path.parent) for path in folders), key=lambda dataset: (dataset.synthetic, dataset.name))


def open_dataset(name: str) -> Dataset:
    """The data set of that name.

    Raises:
        ScalpError: there is none.
    """
    check_name(name)
    folder = data_folder() / name
    if (folder / "index.parquet").is_file():
        return _open(folder)
    known = ", ".join(path.parent.name for path in sorted(data_folder().glob("*/index.parquet"))) or "–"
    raise ScalpError(
        "no_dataset",
        f"There is no dataset “{name}” (known: {known}). Import your own or make a synthetic one: "
        "python -m training.prepare --help",
        f"데이터셋 “{name}”이(가) 없어요 (있는 것: {known}). 가져오거나 합성 데이터를 만드세요: "
        "python -m training.prepare --help",
    )


def _open(folder: Path) -> Dataset:
    path = folder / "index.parquet"
    written = _told(path, path.stat().st_mtime_ns).get(_DESCRIPTION)
    # Index and description are one file, so that nobody reads the one with the other's predecessor; dataset.json is
    # the same for people, and all there is beside an index of an earlier version.
    described = json.loads(written) if written else read_json(folder / "dataset.json")
    return Dataset(**described | {"name": folder.name}, folder=folder)  # a copied folder is a data set of its own


@contextmanager
def claimed(name: str) -> Iterator[Path]:
    """The folder of a data set, with nobody else making it as long as this lasts.

    Raises:
        ScalpError: somebody does, or the name can be none.
    """
    check_name(name)
    folder = data_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(_lock(folder), timeout=_LOCK_PATIENCE):
            yield folder
    except Timeout as error:
        raise ScalpError(
            "already_making",
            f"Another command is just making dataset “{name}”. Wait for it, or choose another name.",
            f"다른 명령이 데이터셋 “{name}”을(를) 만들고 있어요. 기다리거나 다른 이름을 고르세요.",
        ) from error


def is_claimed(name: str) -> bool:
    """Whether somebody makes it just now."""
    return is_locked(_lock(data_folder() / name))


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def name_taken(name: str) -> ScalpError:
    """For whoever would put something else under the name of what is there."""
    return ScalpError(
        "name_taken",
        f"Another dataset stands under the name “{name}”. Choose another name, or remove {data_folder() / name} first.",
        f"“{name}” 이름의 다른 데이터셋이 이미 있어요. 다른 이름을 고르거나 먼저 {data_folder() / name} 폴더를 "
        "지우세요.",
    )


def check_name(name: str) -> None:
    """Raises ScalpError unless `name` may name a data set: lower-case letters, digits, `_`, `-`, at most 64."""
    if not NAME.fullmatch(name):
        raise ScalpError(
            "bad_name",
            f"“{name[:64]}” cannot name a dataset: use lower-case letters, digits, “_” and “-”, at most 64 of them, "
            "starting with a letter or digit.",
            f"“{name[:64]}”은(는) 데이터셋 이름으로 쓸 수 없어요. 영문 소문자, 숫자, “_”, “-”로 64자 이내, "
            "첫 글자는 영문 소문자나 숫자여야 해요.",
        )


_HASHED = ("id", "part", *LABEL_COLUMNS)
# Keys of the file's metadata.
_INDEX_HASH, _EVALUATION_HASH, _DESCRIPTION = b"index_hash", b"evaluation_hash", b"dataset"


class _Hashes:
    """Both hashes of rows in the order of ids, batch by batch."""

    def __init__(self) -> None:
        begun = hashlib.sha256(",".join(_HASHED).encode() + b"\n")
        self._running = {_INDEX_HASH: begun, _EVALUATION_HASH: begun.copy()}

    def add(self, rows: pd.DataFrame) -> None:
        self._update(_INDEX_HASH, rows)
        self._update(_EVALUATION_HASH, rows[rows["part"] != "train"])

    def _update(self, key: bytes, rows: pd.DataFrame) -> None:
        self._running[key].update(rows[list(_HASHED)].to_csv(index=False, header=False, lineterminator="\n").encode())

    @property
    def texts(self) -> dict[bytes, str]:
        return {key: running.hexdigest() for key, running in self._running.items()}


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
    """Describe `folder` as a data set; the index is written last.

    Args:
        rows: one row an image with all of TEXT_COLUMNS and LABEL_COLUMNS, in any order; or batches of them with the
            same columns in ascending order of ids, for more than one would hold in memory.
        source: the folder that `path` is relative to, if it is not `folder`.
        created: when, if not now.

    Raises:
        ScalpError: a column is missing, an id appears twice, a part or a label is outside its range.
    """
    check_name(folder.name)
    created = created or datetime.now(UTC).isoformat(timespec="seconds")
    dataset = Dataset(folder.name, kind, created, made, folder, source, parts or {})
    batches = [_checked(_sorted(rows))] if isinstance(rows, pd.DataFrame) else map(_checked, rows)

    described = {key: value for key, value in asdict(dataset).items() if key != "folder"}

    def write(temporary: Path) -> None:
        _write_index(temporary, batches, json.dumps(described))
        write_json(folder / "dataset.json", described)

    write_atomic(folder / "index.parquet", write)
    return dataset


def _write_index(path: Path, batches: Iterable[pd.DataFrame], described: str) -> None:
    hashes, last, writer = _Hashes(), "", None
    try:
        for batch in batches:
            if len(batch) and batch["id"].iloc[0] <= last:
                raise _twice(batch["id"].iloc[0])
            last = batch["id"].iloc[-1] if len(batch) else last
            hashes.add(batch)
            table = pa.Table.from_pandas(batch, preserve_index=False)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table, row_group_size=_ROW_GROUP)
        if writer is None:
            raise _bad_index("it has no rows", "행이 없어요")
        writer.add_key_value_metadata(hashes.texts | {_DESCRIPTION: described})
    finally:
        if writer:
            writer.close()


def change_columns(dataset: Dataset, columns: dict[str, pd.Series], parts: dict[str, object] | None = None) -> Dataset:
    """The same data set with columns replaced or added, in the order of its rows; everything else stays."""
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


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    missing = [column for column in (*TEXT_COLUMNS, *LABEL_COLUMNS) if column not in rows]
    if missing:
        raise _bad_index(f"columns are missing: {', '.join(missing)}", f"빠진 열: {', '.join(missing)}")
    return rows.sort_values("id")


def _checked(rows: pd.DataFrame) -> pd.DataFrame:
    extra = [column for column in rows if column not in TEXT_COLUMNS + LABEL_COLUMNS]
    index = rows[[*TEXT_COLUMNS, *LABEL_COLUMNS, *extra]].reset_index(drop=True)
    if index["id"].duplicated().any():
        raise _twice(index["id"][index["id"].duplicated()].iloc[0])
    if not index["id"].is_monotonic_increasing:
        raise _bad_index("ids are not in ascending order", "id가 오름차순이 아니에요")
    unknown = set(index["part"]) - set(PARTS)
    if unknown:
        raise _bad_index(f"unknown parts: {sorted(unknown)}", f"알 수 없는 분할: {sorted(unknown)}")
    _check_paths(index["path"])
    labels = index[list(LABEL_COLUMNS)]
    if not (labels.isna() | labels.isin([int(grade) for grade in GRADES])).all(axis=None):
        raise _bad_index("a label is outside 0–3", "0–3을 벗어난 라벨이 있어요")
    types = dict.fromkeys(TEXT_COLUMNS, "string") | dict.fromkeys(LABEL_COLUMNS, "Int8")
    types |= {name: kind for name, kind in OPTIONAL_COLUMNS.items() if name in index}
    types |= {str(name): "string" for name in extra if str(name).startswith(META)}
    return index.astype(types)


def _check_paths(paths: pd.Series) -> None:
    for text in paths.unique():  # a zip file holds thousands
        path = PurePosixPath(unquote_path(text) if "%" in text else text)
        if path.is_absolute() or ".." in path.parts:
            raise _bad_index(f"the path “{text}” leaves the folder", f"경로 “{text}”이(가) 폴더를 벗어나요")


def _twice(image_id: str) -> ScalpError:
    return _bad_index(f"the id “{image_id}” appears twice", f"id “{image_id}”이(가) 두 번 나와요")


def _bad_index(en: str, ko: str) -> ScalpError:
    return ScalpError("bad_index", f"The index of the dataset is not usable: {en}.", f"데이터셋 색인 오류: {ko}.")


def split(rows: pd.DataFrame, group: str, seed: int, shares: dict[str, float] | None = None) -> pd.Series:
    """Parts for `rows` such that no value of the column `group` lies in two of them, nor any two look-alikes.

    Of many random assignments of whole groups the one is kept that comes nearest to the wished shares, over all
    images and over the images of every grade of every condition; a grade absent from a part costs most. Deterministic
    for a seed.

    Args:
        rows: the column `group`, the labels, and perhaps `look_alikes`: numbers of sets of near-duplicates, null or
            absent for pictures that are like no other. Groups that share such a set stay together.

    Returns:
        The part of each row, in the order of `rows`.

    Raises:
        ScalpError: fewer groups than parts.
    """
    shares = shares or PART_SHARES
    members = joined_groups(rows, group)
    groups = int(members.max(initial=-1)) + 1
    if groups < len(shares):
        raise ScalpError(
            "too_few_groups",
            f"{groups} different values of “{group}” cannot fill {len(shares)} parts. Add data, or split by a "
            "finer column.",
            f"“{group}” 값이 {groups}개뿐이라 {len(shares)}개로 나눌 수 없어요. 데이터를 늘리거나 더 세밀한 "
            "기준으로 나누세요.",
        )
    counts = _group_counts(rows, members, groups)
    generator = np.random.default_rng(seed)
    # Many groups even each other out, so fewer tries do.
    tries = max(8, min(400, 200_000 // groups))
    candidates = [_random_parts(counts[:, 0], list(shares.values()), generator) for _ in range(tries)]
    best = min(candidates, key=lambda parts: _split_cost(parts, counts, list(shares.values())))
    return pd.Series(np.array(list(shares), dtype=object)[best[members]], index=rows.index, dtype="string")


def joined_groups(rows: pd.DataFrame, group: str) -> npt.NDArray[np.intp]:
    """A number from 0 for each row: the same for rows of one group, and for groups that share look-alikes."""
    members = pd.factorize(rows[group].astype("object"), sort=True, use_na_sentinel=False)[0].astype(np.intp)
    if "look_alikes" not in rows:
        return members
    like = rows["look_alikes"].notna().to_numpy()
    pairs = np.unique(np.stack([rows["look_alikes"][like].to_numpy(dtype=np.int64), members[like]], axis=1), axis=0)
    root = np.arange(members.max(initial=-1) + 1)

    def find(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    for (alike, first), (also_alike, second) in pairwise(pairs.tolist()):
        if alike == also_alike:
            root[find(second)] = find(first)
    joined = np.array([find(number) for number in root.tolist()], dtype=np.intp)
    return np.unique(joined[members], return_inverse=True)[1]


def _group_counts(rows: pd.DataFrame, members: npt.NDArray[np.intp], groups: int) -> npt.NDArray[np.float64]:
    """Per group: images, then images of each grade of each condition. Shape (groups, 1 + 24)."""
    columns = [np.ones(len(rows))]
    for condition in CONDITIONS:
        for grade in GRADES:
            columns.append(np.asarray((rows[condition.value] == int(grade)).fillna(False), dtype=np.float64))
    return np.stack([np.bincount(members, weights=column, minlength=groups) for column in columns], axis=1)


def _random_parts(
    sizes: npt.NDArray[np.float64], shares: Sequence[float], generator: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Deal the groups in random order to whichever part lacks most of its share."""
    wanted = np.array(shares) / sum(shares) * sizes.sum()
    parts = np.empty(len(sizes), dtype=np.intp)
    for group in generator.permutation(len(sizes)):
        parts[group] = np.argmax(wanted)
        wanted[parts[group]] -= sizes[group]
    return parts


def _split_cost(parts: npt.NDArray[np.intp], counts: npt.NDArray[np.float64], shares: Sequence[float]) -> float:
    totals = counts.sum(axis=0)
    seen = totals > 0
    got = np.stack([counts[parts == part].sum(axis=0) for part in range(len(shares))])[:, seen] / totals[seen]
    wanted = np.array(shares)[:, None] / sum(shares)
    return float(np.abs(got - wanted).mean() + (got == 0).sum())
