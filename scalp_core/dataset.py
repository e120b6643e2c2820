"""The index of a data set: one row an image. Reading, writing, splitting. Knows no pixels and no network.

A data set is a folder `data/<name>/` with `dataset.json` (what it is and where it came from), `index.parquet` and,
for what we render ourselves, the pictures. `index.parquet` is written last: without it there is no data set.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.errors import ScalpError
from scalp_core.files import read_json, write_atomic, write_json
from scalp_core.labels import CONDITIONS, GRADES, Condition

PARTS = ("train", "valid", "calib", "test")
# Shares of images; calib is where operating points are fitted, test is only ever reported.
PART_SHARES = {"train": 0.60, "valid": 0.12, "calib": 0.13, "test": 0.15}

TEXT_COLUMNS = ("id", "path", "sha256", "site", "device", "capture", "region", "part")
LABEL_COLUMNS = tuple(condition.value for condition in CONDITIONS)

# Names become folder names and appear in addresses, so nothing else is let through.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_ROOT = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """Where data sets live: `SCALP_DATA`, or `data/` beside the code."""
    return Path(os.environ.get("SCALP_DATA") or _ROOT / "data")


@dataclass(frozen=True)
class Dataset:
    """One data set on disk, as `dataset.json` describes it.

    Attributes:
        kind: `synthetic` for what we render; anything else is somebody's pictures.
        folder: where it lies; image paths of the index are relative to it.
        made: how it was made (generator settings or import source), free-form.
    """

    name: str
    kind: str
    created: str
    made: dict[str, object]
    folder: Path

    @property
    def synthetic(self) -> bool:
        return self.kind == "synthetic"

    @property
    def index(self) -> pd.DataFrame:
        """One row an image, by id: text columns, `part` and `value_1` … `value_6` (Int8, null where unlabelled).

        The frame is shared between callers: copy before changing it.
        """
        path = self.folder / "index.parquet"
        return _read_index(path, path.stat().st_mtime_ns)

    @cached_property
    def index_hash(self) -> str:
        """SHA-256 over ids, parts and labels: two runs are comparable if they agree on this.

        Pixels are left out on purpose: the same seed gives the same scene everywhere, but JPEG encoders of different
        builds may differ in the last bit. Each file's own hash is in the index.
        """
        columns = ["id", "part", *LABEL_COLUMNS]
        rows = self.index.reset_index()[columns].sort_values("id")
        return hashlib.sha256(rows.to_csv(index=False, lineterminator="\n").encode()).hexdigest()

    def image_path(self, image_id: str) -> Path:
        """The file of one picture.

        Raises:
            ScalpError: no such id in the index, or its file is gone.
        """
        index = self.index
        # Ids come from addresses and old prediction tables: they are looked up, never joined into a path.
        path = self.folder / str(index.at[image_id, "path"]) if image_id in index.index else None
        if path is None or not path.is_file():
            raise ScalpError(
                "no_image",
                f"Data set “{self.name}” has no picture “{image_id[:80]}” on this machine.",
                f"데이터 세트 “{self.name}”에 “{image_id[:80]}” 사진이 없습니다.",
            )
        return path


@lru_cache(maxsize=8)
def _read_index(path: Path, _changed_ns: int) -> pd.DataFrame:
    return pd.read_parquet(path).set_index("id", drop=False).rename_axis(None)


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
        f"There is no data set “{name}” (known: {known}). Make one with: python -m training.prepare synthetic --name "
        f"{name}",
        f"데이터 세트 “{name}”이(가) 없습니다 (있는 것: {known}). 만들기: python -m training.prepare synthetic --name "
        f"{name}",
    )


def _open(folder: Path) -> Dataset:
    described = read_json(folder / "dataset.json")
    return Dataset(**described | {"name": folder.name}, folder=folder)  # a copied folder is a data set of its own


def check_name(name: str) -> None:
    """Raises ScalpError unless `name` may name a data set: lower-case letters, digits, `_`, `-`, at most 64."""
    if not NAME.fullmatch(name):
        raise ScalpError(
            "bad_name",
            f"“{name[:64]}” cannot name a data set: use lower-case letters, digits, “_” and “-”, at most 64 of them, "
            "starting with a letter or digit.",
            f"“{name[:64]}”은(는) 데이터 세트 이름으로 쓸 수 없습니다. 영문 소문자, 숫자, “_”, “-”로 64자 이내, "
            "첫 글자는 영문 소문자나 숫자여야 합니다.",
        )


def write_dataset(folder: Path, kind: str, made: dict[str, object], rows: pd.DataFrame) -> Dataset:
    """Describe `folder` as a data set; the index is written last.

    Args:
        rows: one row an image with all of TEXT_COLUMNS and LABEL_COLUMNS.

    Raises:
        ScalpError: a column is missing, an id appears twice, a part or a label is outside its range.
    """
    check_name(folder.name)
    index = _checked(rows)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    dataset = Dataset(folder.name, kind, created, made, folder)
    described = {key: value for key, value in asdict(dataset).items() if key != "folder"}
    write_json(folder / "dataset.json", described)
    write_atomic(folder / "index.parquet", lambda temporary: index.to_parquet(temporary, index=False))
    return dataset


def _checked(rows: pd.DataFrame) -> pd.DataFrame:
    missing = [column for column in (*TEXT_COLUMNS, *LABEL_COLUMNS) if column not in rows]
    if missing:
        raise _bad_index(f"columns are missing: {', '.join(missing)}", f"빠진 열: {', '.join(missing)}")
    extra = [column for column in rows if column not in TEXT_COLUMNS + LABEL_COLUMNS]
    index = rows[[*TEXT_COLUMNS, *LABEL_COLUMNS, *extra]].sort_values("id", ignore_index=True)
    if index["id"].duplicated().any():
        twice = index["id"][index["id"].duplicated()].iloc[0]
        raise _bad_index(f"the id “{twice}” appears twice", f"id “{twice}”이(가) 두 번 나옵니다")
    unknown = set(index["part"]) - set(PARTS)
    if unknown:
        raise _bad_index(f"unknown parts: {sorted(unknown)}", f"알 수 없는 분할: {sorted(unknown)}")
    outside = [path for path in index["path"] if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts]
    if outside:
        raise _bad_index(f"the path “{outside[0]}” leaves the folder", f"경로 “{outside[0]}”이(가) 폴더를 벗어납니다")
    labels = index[list(LABEL_COLUMNS)]
    if not (labels.isna() | labels.isin([int(grade) for grade in GRADES])).all(axis=None):
        raise _bad_index("a label is outside 0–3", "0–3을 벗어난 라벨이 있습니다")
    return index.astype(dict.fromkeys(TEXT_COLUMNS, "string") | dict.fromkeys(LABEL_COLUMNS, "Int8"))


def _bad_index(en: str, ko: str) -> ScalpError:
    return ScalpError("bad_index", f"The index of the data set is not usable: {en}.", f"데이터 세트 색인 오류: {ko}.")


def split(rows: pd.DataFrame, group: str, seed: int, shares: dict[str, float] | None = None) -> pd.Series:
    """Parts for `rows` such that no value of the column `group` lies in two of them.

    Of many random assignments of whole groups the one is kept that comes nearest to the wished shares, over all
    images and over the images of every grade of every condition; a grade absent from a part costs most. Deterministic
    for a seed.

    Returns:
        The part of each row, in the order of `rows`.

    Raises:
        ScalpError: fewer groups than parts.
    """
    shares = shares or PART_SHARES
    groups, members = np.unique(rows[group].to_numpy(dtype=str), return_inverse=True)
    if len(groups) < len(shares):
        raise ScalpError(
            "too_few_groups",
            f"{len(groups)} different values of “{group}” cannot fill {len(shares)} parts. Add data, or split by a "
            "finer column.",
            f"“{group}” 값이 {len(groups)}개뿐이라 {len(shares)}개로 나눌 수 없습니다. 데이터를 늘리거나 더 세밀한 "
            "기준으로 나누십시오.",
        )
    counts = _group_counts(rows, members, len(groups))
    generator = np.random.default_rng(seed)
    candidates = [_random_parts(counts[:, 0], list(shares.values()), generator) for _ in range(400)]
    best = min(candidates, key=lambda parts: _split_cost(parts, counts, list(shares.values())))
    return pd.Series(np.array(list(shares), dtype=object)[best[members]], index=rows.index, dtype="string")


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


def grade_counts(index: pd.DataFrame) -> pd.DataFrame:
    """Images by condition, grade and part: columns condition, grade, part, images. Unlabelled ones are left out."""
    long = index.melt(id_vars=["part"], value_vars=list(LABEL_COLUMNS), var_name="condition", value_name="grade")
    counted = long.dropna(subset="grade").groupby(["condition", "grade", "part"]).size()
    every = pd.MultiIndex.from_product(
        [LABEL_COLUMNS, [int(grade) for grade in GRADES], PARTS], names=["condition", "grade", "part"]
    )
    return counted.reindex(every, fill_value=0).rename("images").reset_index()


def labels_of(row: pd.Series) -> dict[Condition, int | None]:
    """The six labels of one index row, None where unlabelled."""
    return {c: None if pd.isna(row[c.value]) else int(row[c.value]) for c in CONDITIONS}
