"""Imports a folder tree with zips and label files, class folders, or a table of labels as a dataset.

The steps: read names and labels, measure pictures, merge copies and labels to one row a picture, assign splits, write.
The state is kept in a database, so a killed import goes on and a repeated one has little to do. Readers see the old
index or the new one, and the tree is only ever read.
"""

import csv
import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scalp_core.data import quality
from scalp_core.data.dataset import (
    LABEL_COLUMNS,
    Dataset,
    check_name,
    claimed,
    list_datasets,
    name_taken,
    open_dataset,
)
from scalp_core.data.file_tree import Container, list_containers
from scalp_core.data.index_writer import write_dataset
from scalp_core.data.near_duplicates import LOOK_CROPS, find_near_duplicates, number_column
from scalp_core.data.splits import (
    COLUMNS,
    SplitAssignment,
    assign_splits,
    is_possible,
    safest_method,
    settle,
    tests_on_validation,
)
from scalp_core.data.zip_files import Fault, is_zip, read_stored
from scalp_core.errors import ScalpError, Text
from scalp_core.files import TEMPORARY, UNREADABLE, formula_safe, sha256, sweep, unquote_path, write_atomic
from scalp_core.images import FORMAT_NAMES, MAX_BYTES
from scalp_core.importing.container_reader import read_container
from scalp_core.importing.import_db import MEASURES, Contents, ImportDatabase, MeasuredRow, Pending, Place
from scalp_core.importing.merge import batches, merge
from scalp_core.importing.table_file import TableFile
from scalp_core.importing.table_labels import columns_of, read_table
from scalp_core.parallel import no_progress, parallel_map
from scalp_core.paths import data_folder
from scalp_core.seals import read_sealed_json, write_sealed_json

KINDS = ("aihub", "folders", "csv")
REPORT, FAULT_LIST = "import_report.json", "import_faults.csv"
MAX_LISTED = 1000  # faults of a kind in the report; the list beside it has all
_CHUNK = 32  # pictures handed to a worker at once
_TABLE_ROWS = 20_000  # rows of a table held in memory
_INDEX_ROWS = 16_384  # rows of the index held in memory
_MIN_FILES_FOR_WORKERS = 40_000  # fewer are read sooner than other processes start
_MIN_PICTURES_FOR_WORKERS = 400

# Kinds of faults in a tree. None of them stops an import.
FAULTS: dict[str, Text] = {
    "bad_picture": Text("unreadable pictures (excluded)", "읽을 수 없는 사진 (제외됨)"),
    "label_without_picture": Text("labels without a picture", "사진이 없는 라벨"),
    "picture_without_label": Text("pictures without a label (kept)", "라벨이 없는 사진 (유지)"),
    "bad_label": Text("unreadable label files", "읽을 수 없는 라벨 파일"),
    "bad_row": Text("rows of the table that could not be used", "쓸 수 없는 표의 행"),
    "bad_value": Text(
        "label values that are no grade 0–3 (treated as missing)", "0–3등급이 아닌 라벨 값 (없는 것으로 처리)"
    ),
    "conflicting_labels": Text(
        "pictures with contradictory labels (that condition left empty)",
        "라벨이 서로 모순되는 사진 (해당 증상은 비워 둠)",
    ),
    "folder_disagrees": Text(
        "pictures whose label contradicts the class folder (label used)",
        "폴더 등급과 라벨이 다른 사진 (라벨을 따름)",
    ),
    "same_content": Text("duplicate pictures under another name (kept once)", "이름만 다른 같은 사진 (한 번만 유지)"),
    "same_name_other_content": Text("copies of a picture with different content", "이름은 같지만 내용이 다른 사본"),
    "odd_size": Text("pictures of unusual size", "대부분과 크기가 다른 사진"),
    "other_format": Text(
        "pictures in formats that are not read (save them as JPEG or PNG)",
        "읽지 않는 형식의 사진 (JPEG나 PNG로 저장하세요)",
    ),
    "unknown_split": Text(
        "words for a published split that are not understood (not followed)",
        "배포처의 분할을 나타내는 알 수 없는 말 (따르지 않음)",
    ),
    "bad_zip": Text("damaged zip files or files in them", "손상된 zip 파일 또는 그 안의 파일"),
    "encrypted": Text("password-protected files", "암호가 걸린 파일"),
    "unsafe_name": Text(
        "names or links that lead out of the tree (not followed)", "트리 밖을 가리키는 이름이나 링크 (따라가지 않음)"
    ),
    "too_large": Text(
        "oversized files or zip bombs (not read)",
        "너무 크거나 압축 폭탄인 파일 (읽지 않음)",
    ),
    "nested_zip": Text("zip files in zip files (not opened)", "zip 안의 zip (열지 않음)"),
    "partial_download": Text("incomplete downloads", "완료되지 않은 다운로드"),
    "unreadable": Text("folders or files without read permission", "읽기 권한이 없는 폴더나 파일"),
}
WARNINGS: dict[str, Text] = {
    "folder_labels_only": Text(
        "Labels come from folder names only. Grade 0 of a condition then usually means normal in every condition: a "
        "model never sees another condition without this one. Import the label files too.",
        "라벨이 폴더 이름에서만 왔어요. 0등급은 보통 ‘모든 증상이 양호’라는 뜻이라, 모델이 다른 증상만 있는 사진을 "
        "보지 못해요. 라벨 파일도 함께 가져오세요.",
    ),
    "split_by_capture": Text(
        "Too few sites to split by site: split by capture instead.",
        "기관이 너무 적어 기관별 대신 촬영별로 나눴어요.",
    ),
    "split_as_published": Text(
        "Pictures marked test share sites and captures with nearly all others: split as published.",
        "테스트로 표시된 사진이 거의 모든 기관·촬영에 있어 배포처의 분할대로 나눴어요.",
    ),
    "marked_test": Text(
        "Pictures marked test by their publisher are in the test split, with all of their site or capture; none is "
        "learned from (prepare split --learn-from-test takes them as any others).",
        "배포처가 테스트로 표시한 사진은 같은 기관이나 촬영의 사진과 함께 테스트 분할에 있고 학습하지 않아요 "
        "(prepare split --learn-from-test를 주면 구별하지 않아요).",
    ),
    "learn_from_test": Text(
        "Pictures marked test by their publisher are taken as any others, as requested: some are learned from.",
        "요청한 대로 배포처가 테스트로 표시한 사진을 구별하지 않아요. 일부는 학습에 쓰여요.",
    ),
    "no_captures": Text(
        "Captures are unknown, so splits may share people. Name the column of people or visits (--map capture=COLUMN) "
        "or use the published file names.",
        "촬영 정보가 없어 분할 사이에 같은 사람이 있을 수 있어요. 사람이나 방문을 나타내는 열을 지정하거나"
        "(--map capture=열이름) 원래 파일 이름을 쓰세요.",
    ),
    "not_split": Text(
        "Too few groups to split: all pictures are in the training split.",
        "그룹이 너무 적어 나누지 못했어요. 모든 사진이 학습 분할에 있어요.",
    ),
}

# How a repeated import split the pictures.
KEPT = Text(
    "Of an earlier import {kept:,} pictures keep their split, {moved:,} change it and {gone:,} are gone; {new:,} are "
    "new.",
    "이전 가져오기의 사진 {kept:,}장은 분할이 그대로예요. {moved:,}장은 바뀌고 {gone:,}장은 없어졌어요. 새 사진은 "
    "{new:,}장이에요.",
)

# Called with the stage, what is done and how much there is in all.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ImportRequest:
    """The source and the options of an import.

    Attributes:
        kind: one of KINDS; `aihub` and `folders` read trees, `csv` a table beside a folder of pictures.
        source: the folder of the tree or of the pictures.
        table, columns: the file of the table, and its column for each field that its name does not tell.
        separator, encoding: of a table whose content does not tell; see `table_file.TableFile`.
        by: one of splits.SPLIT_METHODS; empty means that of an earlier import of the same source, else the safest one.
            Pictures of an earlier import keep their split unless another method or seed is given.
        learn_from_test: take pictures marked test by their publisher as any others.
        extract: copy the pictures into the dataset instead of reading them where they are.
    """

    kind: str
    source: str
    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    seed: int = 0
    extract: bool = False
    separator: str = ""
    encoding: str = ""
    learn_from_test: bool = False

    def check(self) -> None:
        """Raise ScalpError if there is nothing to read."""
        if self.kind not in KINDS or bool(self.table) != (self.kind == "csv"):
            raise _bad_request(f"kind “{self.kind}”", f"종류 “{self.kind}”")
        folder = Path(self.source)
        if is_zip(folder.name) and os.path.isfile(folder):  # noqa: PTH113  see below
            raise _bad_request(
                f"{self.source} is a zip file. Name the folder that it lies in: zips are read without unpacking",
                f"{self.source}은(는) zip 파일이에요. 이 파일이 있는 폴더를 지정하세요. zip은 풀지 않고 읽어요",
            )
        # Not Path.is_dir, which raises for names that are too long and folders without permission.
        if not self.source or not os.path.isdir(folder):  # noqa: PTH112
            raise ScalpError(
                "no_source",
                f"No folder {self.source} on this machine.",
                f"이 컴퓨터에 {self.source} 폴더가 없어요.",
            )
        datasets = data_folder().resolve()
        if datasets.is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(datasets):
            raise _bad_request(
                "a folder that holds, or lies in, our own datasets",
                "우리 데이터셋을 담고 있거나 그 안에 있는 폴더",
            )

    @property
    def made(self) -> dict[str, Any]:
        """The origin as `dataset.json` keeps it."""
        source, table = str(Path(self.source).resolve()), str(Path(self.table).resolve()) if self.table else ""
        # Left out where they are not given, as in datasets made before there were any.
        given = {"separator": self.separator, "encoding": self.encoding}
        made = {"importer": self.kind, "source": source, "table": table, "columns": dict(self.columns)}
        return made | {key: value for key, value in given.items() if value}

    @property
    def table_file(self) -> TableFile:
        return TableFile(Path(self.table), self.separator, self.encoding)


def _bad_request(en: str, ko: str) -> ScalpError:
    return ScalpError("bad_import", f"Cannot import: {en}.", f"가져올 수 없어요: {ko}.")


def import_tree(
    request: ImportRequest, name: str, *, processes: int | None = None, progress: Progress | None = None
) -> Dataset:
    """Make or renew the dataset `name` from the files on disk; for an unchanged tree only its names are read.

    Writes `import_report.json`, `import_faults.csv` and, last, the index.

    Args:
        processes: None takes one a core if there is enough to do; 1 works in this process.
        progress: called with (stage, done, total); stages are `reading`, `inspecting`, `writing`.

    Raises:
        ScalpError: no such folder or table, a name that is taken, a tree with nothing in it, a full disk.
    """
    check_request(request, name)
    with claimed(name) as folder:
        sweep(folder)
        try:
            return _import(request, folder, processes, progress or no_progress)
        except OSError as error:
            raise _write_error(folder, error) from error
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                database_path(folder).unlink(missing_ok=True)  # a cache: the next import reads anew
            raise _write_error(folder, error) from error


def check_request(request: ImportRequest, name: str) -> None:
    """Raise ScalpError if import_tree would do so before it begins."""
    check_name(name)
    request.check()
    if request.kind == "csv":
        columns_of(request.table_file, request.columns)
    folder = data_folder() / name
    if (folder / "index.parquet").is_file():
        origin = open_dataset(name).made
        if {key: origin.get(key) for key in request.made} != request.made:
            raise name_taken(name)
    elif folder.is_dir() and not all(map(_is_own_file, folder.iterdir())):
        raise name_taken(name)


_OWN_FILES = {
    "cache",
    "images",
    REPORT,
    FAULT_LIST,
    "import.json",
    "progress.json",
    "error.json",
    "log.txt",
    "dataset.json",
}


def _is_own_file(path: Path) -> bool:
    """Return whether an unfinished or killed import may have left this file."""
    return path.name in _OWN_FILES or path.name.startswith(TEMPORARY)


def _write_error(folder: Path, error: OSError | sqlite3.DatabaseError) -> ScalpError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return ScalpError(
        "cannot_write",
        f"The dataset cannot be written to {folder}: {reason}. Make room or set SCALP_DATA to another folder, then "
        "start the same import again: it resumes.",
        f"{folder}에 데이터셋을 쓸 수 없어요: {reason}. 공간을 확보하거나 SCALP_DATA를 다른 폴더로 바꾼 뒤 같은 "
        "가져오기를 다시 시작하면 이어서 진행돼요.",
    )


def database_path(folder: Path) -> Path:
    """Return the path of the database of a dataset's import."""
    return folder / "cache" / "import.sqlite"


def _import(request: ImportRequest, folder: Path, processes: int | None, progress: Progress) -> Dataset:
    started = time.monotonic()
    with ImportDatabase(database_path(folder), repr(sorted(request.made.items()))) as database:
        _update_database(request, database, processes, progress)
        before = open_dataset(folder.name) if (folder / "index.parquet").is_file() else None
        if before and database.written and _is_current(request, before):
            return before
        _check_pictures(request, database)
        _measure_pictures(Path(request.source), database, processes, progress)
        dataset = _write(request, folder, database, before, started, progress)
        database.mark_written()
        return dataset


def _is_current(request: ImportRequest, before: Dataset) -> bool:
    return _splits_alike(request, before) and request.extract == (not before.source)


def _splits_alike(request: ImportRequest, before: Dataset) -> bool:
    """Return whether the request asks for the split that the dataset has."""
    same = (request.by, request.seed) == (before.parts.get("by"), before.parts.get("seed"))
    return request.learn_from_test <= bool(before.parts.get("learn_from_test")) and (not request.by or same)


# ---- read ----


def _update_database(
    request: ImportRequest, database: ImportDatabase, processes: int | None, progress: Progress
) -> None:
    """Bring the database up to date with the files on disk."""
    root = Path(request.source)
    read = database.stamps()
    containers = {_address(container): container for container in list_containers(root)}
    if request.kind == "csv":
        containers[_TABLE] = _table_container(Path(request.table))
    stamps = {address: _stamp(container) for address, container in containers.items()}
    changed = [address for address, stamp in stamps.items() if read.get(address) != stamp]
    gone = [address for address in read if address not in stamps and not address.startswith(f"{_TABLE}/")]
    if _TABLE in changed:
        gone += [address for address in read if address.startswith(f"{_TABLE}/")]
    if not changed and not gone:
        return
    database.forget([*gone, *(address for address in changed if address in read)])
    changes = [containers[address] for address in changed]
    for fault in changes:
        if isinstance(fault, Fault):
            database.add(Contents(Container(_address(fault), False, _stamp(fault), 0), faults=[fault]))
    _read_trees(request, root, database, [item for item in changes if isinstance(item, Container)], processes, progress)
    if _TABLE in changed:
        _read_rows(request.table_file, request.columns, database, containers[_TABLE])
    database.prune()


def _read_trees(
    request: ImportRequest,
    root: Path,
    database: ImportDatabase,
    changed: list[Container],
    processes: int | None,
    progress: Progress,
) -> None:
    # The largest first, so that no worker is left with one in the end.
    todo = [container for container in changed if container.path != _TABLE]
    todo.sort(key=lambda container: (-container.files, container.path))
    total = sum(container.files for container in todo)
    if total < _MIN_FILES_FOR_WORKERS or len(todo) < 2:
        processes = processes or 1
    done = 0
    progress("reading", done, total)
    for contents in parallel_map(partial(read_container, root, label_files=request.kind != "csv"), todo, processes):
        database.add(contents)
        done += contents.container.files
        progress("reading", done, total)


def _address(item: Container | Fault) -> str:
    return item.path if isinstance(item, Container) else f"//{item.kind}/{item.where}/{item.name}"


def _stamp(item: Container | Fault) -> str:
    return item.stamp if isinstance(item, Container) else item.detail


_TABLE = "//table"  # no path in a tree begins with two slashes


def _table_container(table: Path) -> Container:
    status = table.stat()
    return Container(_TABLE, False, f"{status.st_size}-{status.st_mtime_ns}", 0)


def _read_rows(
    table: TableFile, columns: Mapping[str, str], database: ImportDatabase, whole: Container | Fault
) -> None:
    rows = read_table(table, columns_of(table, columns))
    number = 0
    while batch := list(islice(rows, _TABLE_ROWS)):
        place = Place(f"{table.path.name}:", labels=[row for row in batch if not isinstance(row, Fault)])
        faults = [row for row in batch if isinstance(row, Fault)]
        database.add(Contents(Container(f"{_TABLE}/{number}", False, "", 0), [place], faults=faults))
        number += 1
    # Last: without it, reading starts anew after a kill.
    database.add(Contents(Container(_TABLE, False, _stamp(whole), 0)))


def _check_pictures(request: ImportRequest, database: ImportDatabase) -> None:
    if not next(database.rows("SELECT 1 FROM copy LIMIT 1"), None):
        faults = list(database.rows("SELECT kind, count(*), min(name) FROM fault GROUP BY kind ORDER BY 2 DESC"))
        en = "".join(f" {count:,} {FAULTS[kind].en}, as {name}." for kind, count, name in faults)
        ko = "".join(f" {FAULTS[kind].ko} {count:,}개 (예: {name})." for kind, count, name in faults)
        raise ScalpError(
            "nothing_found",
            f"No pictures ({FORMAT_NAMES}) in {request.source}, its folders or its zip files.{en}",
            f"{request.source} 폴더와 그 안의 하위 폴더, zip 파일에 사진({FORMAT_NAMES})이 없어요.{ko}",
        )
    # A file that is no label table of these pictures: its cells must not appear as faults.
    joined = "SELECT 1 FROM label WHERE joins IN (SELECT joins FROM copy)"
    if request.kind == "csv" and not next(database.rows(f"{joined} LIMIT 1"), None):
        raise ScalpError(
            "bad_table",
            f"No row of {request.table} names a picture in {request.source}. Check the folder and the column of file "
            "names.",
            f"{request.table}의 어느 행도 {request.source} 폴더의 사진 이름과 맞지 않아요. 폴더와 파일 이름 열을 "
            "확인하세요.",
        )
    graded = f"{joined} AND grades GLOB '*[0-3]*'", "SELECT 1 FROM placed WHERE grade IS NOT NULL"
    if not any(next(database.rows(f"{query} LIMIT 1"), None) for query in graded):
        raise _no_labels(request, database)


def _no_labels(request: ImportRequest, database: ImportDatabase) -> ScalpError:
    """Return the error for pictures of which none has a grade: nothing can be learned from them, nor measured."""
    kinds = "'bad_value', 'bad_label', 'bad_row', 'conflicting_labels', 'label_without_picture'"
    faults = f"SELECT location, kind, detail FROM fault WHERE kind IN ({kinds}) LIMIT 3"  # noqa: S608  constants
    listed = "; ".join(f"{place}: {detail or FAULTS[kind].en}" for place, kind, detail in database.rows(faults))
    why = Text("The cells of grades are empty.", "등급 칸이 비어 있어요.") if request.kind == "csv" else _UNLABELLED
    return ScalpError(
        "no_labels",
        f"No grade of {request.table or request.source} could be used. {f'{listed}.' if listed else why.en}",
        f"{request.table or request.source}에서 쓸 수 있는 등급이 하나도 없어요. {f'{listed}.' if listed else why.ko}",
    )


_UNLABELLED = Text(
    "No label file and no name of a folder has any. Pictures without labels are graded without an import: python -m "
    "training.predict FOLDER --out TABLE, or on the page “Grade a picture”.",
    "라벨 파일에도 폴더 이름에도 등급이 없어요. 라벨 없는 사진은 가져오지 않고도 등급을 추정할 수 있어요: python -m "
    "training.predict 폴더 --out 표, 또는 ‘사진 등급 추정’ 화면을 쓰세요.",
)


# ---- measure ----


def _measure_pictures(root: Path, database: ImportDatabase, processes: int | None, progress: Progress) -> None:
    database.index_pictures()
    while pending := database.pending():
        if len(pending) < _MIN_PICTURES_FOR_WORKERS:
            processes = processes or 1
        chunks = (database.copies(pending[start : start + _CHUNK]) for start in range(0, len(pending), _CHUNK))
        done = 0
        progress("inspecting", done, len(pending))
        for measured in parallel_map(partial(_measure_chunk, root), chunks, processes):
            database.add_pictures(measured)
            done += len(measured)
            progress("inspecting", done, len(pending))


_measures = attrgetter(*MEASURES)


def _measure_chunk(root: Path, chunk: list[Pending]) -> list[MeasuredRow]:
    rows: list[MeasuredRow] = []
    for picture in chunk:
        try:
            measured = zip(MEASURES, _measures(quality.measure(_read_picture(root, picture))), strict=True)
            # SQLite's numbers are signed.
            signed = (
                int(np.uint64(value).astype(np.int64)) if name.startswith("look") else value for name, value in measured
            )
            rows.append((picture, None, tuple(signed)))
        except (ScalpError, OSError, zlib.error) as error:
            rows.append((picture, str(error), ()))
    return rows


def _read_picture(root: Path, picture: Pending) -> bytes:
    content = _read_file(root / unquote_path(picture.path), picture.offset, picture.length, bool(picture.deflated))
    if picture.offset is not None and zlib.crc32(content) != picture.stamp:
        raise OSError("its checksum in the zip file does not fit")
    return content


def _read_file(path: Path, offset: int | None, length: int | None, deflated: bool) -> bytes:
    if offset is not None and length is not None:
        return read_stored(path, offset, length, deflated)
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


# ---- write ----


def _write(
    request: ImportRequest,
    folder: Path,
    database: ImportDatabase,
    before: Dataset | None,
    started: float,
    progress: Progress,
) -> Dataset:
    merge(database)
    ((images,),) = database.rows("SELECT count(*) FROM entry WHERE keeper = id")
    staged = folder / f"{TEMPORARY}rows.parquet"
    try:
        if images:
            frames = _extract(request, folder, batches(database)) if request.extract else batches(database)
            _stage(staged, frames, int(images), progress)
        warnings = _warnings(database)
        if not images:
            _write_report(request, folder, database, 0, warnings, started)
            raise _nothing_readable(folder)
        rows = _split_rows(staged)
        if rows[list(LABEL_COLUMNS)].isna().all(axis=None):  # contradictory, or of pictures in other folders
            _write_report(request, folder, database, 0, warnings, started)
            raise _no_labels(request, database)
        looks, *crops = (rows[name].to_numpy(np.uint64) for name in ("look", *LOOK_CROPS))
        sets = find_near_duplicates(looks, crops=dict(zip(LOOK_CROPS, crops, strict=True)))
        rows["look_alikes"] = number_column(sets)
        assignment = _assign(request, before, rows)
        warnings += _split_warnings(request, before, rows, assignment)
        _write_report(request, folder, database, int(images), warnings, started, _changes(before, rows, assignment))
        dataset = write_dataset(
            folder,
            request.kind,
            request.made | {"labels": _label_source(request, database)} | _rendered(rows),
            _indexed(staged, assignment.parts, rows["look_alikes"]),
            source="" if request.extract else str(Path(request.source).resolve()),
            parts=assignment.description,
        )
        _remove_old_copies(dataset)
        return dataset
    finally:
        staged.unlink(missing_ok=True)


def _assign(request: ImportRequest, before: Dataset | None, rows: pd.DataFrame) -> SplitAssignment:
    """Split as requested, else as before if that is still possible, else by the safest method.

    Rows of before keep their split, so that no test picture becomes one to learn from, or the other way round.
    """
    alike = before is not None and _splits_alike(request, before)
    learn_from_test = request.learn_from_test or bool(alike and before and before.parts.get("learn_from_test"))
    keeps = before if alike and before and before.parts["by"] != "all" else None  # nothing was trained on that
    parts = _parts_before(keeps, rows) if keeps else None
    settled = settle(rows, learn_from_test=learn_from_test, before=parts)
    by, seed = request.by, request.seed
    if not by and keeps and is_possible(rows, str(keeps.parts["by"]), settled):
        by, seed = str(keeps.parts["by"]), int(str(keeps.parts["seed"]))
    by = by or safest_method(rows, settled)
    assignment = assign_splits(rows, by, seed, settled, validation_tests=tests_on_validation(request.kind))
    if not learn_from_test:
        return assignment
    return SplitAssignment(assignment.parts, assignment.description | {"learn_from_test": True})


def _parts_before(before: Dataset, rows: pd.DataFrame) -> pd.Series:
    """Return the split that each row had: by its content, else by its id; null for a new row."""
    parts = before.column("part").astype("object")
    by_content = dict(zip(before.column("sha256"), parts, strict=True))
    by_id = dict(zip(before.column("id"), parts, strict=True))
    return rows["sha256"].map(by_content).fillna(rows["id"].map(by_id))


def _changes(before: Dataset | None, rows: pd.DataFrame, assignment: SplitAssignment) -> dict[str, int] | None:
    """Count the rows that keep, change and lost their split, and new ones; None for a first import."""
    if before is None:
        return None
    parts = _parts_before(before, rows)
    kept = int((parts == assignment.parts).sum())
    new = int(parts.isna().sum())
    gone = int((~before.column("sha256").isin(rows["sha256"]) & ~before.column("id").isin(rows["id"])).sum())
    return {"kept": kept, "moved": len(rows) - kept - new, "new": new, "gone": gone}


def _rendered(rows: pd.DataFrame) -> dict[str, int]:
    """Count the pictures that a synthetic dataset of this machine has as well; empty where there are none."""
    rendered = [dataset.column("sha256") for dataset in list_datasets() if dataset.kind == "synthetic"]
    count = int(rows["sha256"].isin(pd.concat(rendered)).sum()) if rendered else 0
    return {"synthetic": count} if count else {}


def _nothing_readable(folder: Path) -> ScalpError:
    return ScalpError(
        "nothing_found",
        f"None of the pictures can be read; reasons are in {folder / REPORT}.",
        f"읽을 수 있는 사진이 하나도 없어요. 사진별 이유는 {folder / REPORT}에 있어요.",
    )


def _stage(path: Path, frames: Iterable[pd.DataFrame], images: int, progress: Progress) -> None:
    """Write the rows without their splits to disk: splitting needs all of them, memory has room for a few."""
    writer, done = None, 0
    progress("writing", done, images)
    try:
        for frame in frames:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table.cast(writer.schema))
            done += len(frame)
            progress("writing", done, images)
    finally:
        if writer:
            writer.close()


def _split_rows(staged: Path) -> pd.DataFrame:
    """Read the columns that splits are assigned by: of all rows at once, so only these."""
    columns = ["id", "sha256", *COLUMNS, "official", "look", *LOOK_CROPS]
    table = pq.read_table(staged, columns=columns, read_dictionary=["site", "capture", "official"])
    rows: pd.DataFrame = table.unify_dictionaries().to_pandas()
    return rows


def _indexed(staged: Path, parts: pd.Series, look_alikes: pd.Series) -> Iterator[pd.DataFrame]:
    """Yield the staged rows with their splits and near-duplicates."""
    start = 0
    for batch in pq.ParquetFile(staged).iter_batches(_INDEX_ROWS):
        frame = batch.to_pandas()
        end = start + len(frame)
        yield frame.assign(part=parts.iloc[start:end].to_numpy(), look_alikes=look_alikes.iloc[start:end].to_numpy())
        start = end


def _extract(request: ImportRequest, folder: Path, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Copy the pictures of the rows into the dataset, under the hash of their content; yields the changed rows."""
    root = Path(request.source)
    for below in (folder / "images").glob("*"):
        sweep(below)
    for frame in frames:
        # Plain numbers and None instead of pandas' own types.
        names = ["path", "offset", "length", "deflated", "sha256"]
        places = frame[names].astype(object).where(frame[names].notna(), None).itertuples(index=False, name=None)
        frame["path"] = [_copy(root, folder, *place) for place in places]
        frame["offset"] = frame["length"] = pd.array([None] * len(frame), dtype="Int64")
        frame["deflated"] = False
        yield frame


def _copy(
    root: Path, folder: Path, path: str, offset: int | None, length: int | None, deflated: bool, sha256: str
) -> str:
    to = f"images/{sha256[:2]}/{sha256}.jpg"  # browsers and decoders go by content, not by the ending
    if not (folder / to).is_file():
        content = _read_file(root / unquote_path(path), offset, length, deflated)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise OSError(f"{unquote_path(path)} has changed since it was measured")
        write_atomic(folder / to, lambda temporary: temporary.write_bytes(content))
    return to


def _remove_old_copies(dataset: Dataset) -> None:
    """Remove copies of pictures that are no longer in the tree: they may have been withdrawn."""
    copies = list((dataset.folder / "images").glob("*/*"))
    kept = set() if dataset.source or not copies else set(dataset.column("path"))
    for path in copies:
        if path.relative_to(dataset.folder).as_posix() not in kept:
            path.unlink()


def _label_source(request: ImportRequest, database: ImportDatabase) -> str:
    """Return `table`, `files`, or `folders` if all labels come from class folders."""
    if request.kind == "csv":
        return "table"
    return "files" if next(database.rows("SELECT 1 FROM label LIMIT 1"), None) else "folders"


def _warnings(database: ImportDatabase) -> list[str]:
    labels = next(database.rows("SELECT 1 FROM label LIMIT 1"), None)
    folders = next(database.rows("SELECT 1 FROM placed WHERE condition IS NOT NULL LIMIT 1"), None)
    return ["folder_labels_only"] if folders and not labels else []


def _split_warnings(
    request: ImportRequest, before: Dataset | None, rows: pd.DataFrame, assignment: SplitAssignment
) -> list[str]:
    by, description = str(assignment.description["by"]), assignment.description
    captures_unknown = rows["capture"].nunique() == len(rows) > 1
    warnings = {"capture": [] if captures_unknown else ["split_by_capture"], "all": ["not_split"]}.get(by, [])
    if by == "official" and not request.by and (before is None or before.parts["by"] != by):
        warnings = ["split_as_published"]
    warnings += [warning for warning in ("marked_test", "learn_from_test") if description.get(warning)]
    return warnings + (["no_captures"] if captures_unknown else [])


def _write_report(
    request: ImportRequest,
    folder: Path,
    database: ImportDatabase,
    images: int,
    warnings: list[str],
    started: float,
    changes: dict[str, int] | None = None,
) -> None:
    counts = dict(database.rows("SELECT kind, count(*) FROM fault GROUP BY kind ORDER BY kind"))
    ignored = dict(
        database.rows("SELECT key, sum(value) FROM container, json_each(ignored) GROUP BY key ORDER BY 2 DESC, key")
    )
    report = {
        **request.made,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
        "images": images,
        "files": next(database.rows("SELECT count(*) FROM copy"))[0],
        "labels": next(database.rows("SELECT count(*) FROM label"))[0],
        "ignored": sum(ignored.values()),
        "ignored_endings": ignored,
        "warnings": warnings,
        "splits": changes,
        "counts": counts,
        "faults": {kind: _first_faults(database, kind) for kind in counts},
    }
    write_atomic(folder / FAULT_LIST, lambda temporary: _write_faults(temporary, database))
    write_sealed_json(folder / REPORT, report | {"fault_list": sha256(folder / FAULT_LIST)})


def _first_faults(database: ImportDatabase, kind: str) -> list[dict[str, str]]:
    query = f"SELECT name, location, detail FROM fault WHERE kind = ? ORDER BY name, location LIMIT {MAX_LISTED}"  # noqa: S608
    return [dict(zip(("name", "where", "detail"), row, strict=True)) for row in database.rows(query, kind)]


def _write_faults(path: Path, database: ImportDatabase) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "name", "where", "detail"])
        rows = database.rows("SELECT kind, name, location, detail FROM fault ORDER BY kind, name, location")
        writer.writerows([formula_safe(str(cell)) for cell in row] for row in rows)


def read_report(dataset: Dataset) -> dict[str, object] | None:
    """Return `import_report.json`, None for a dataset that was not imported.

    Raises:
        ScalpError: it is damaged.
    """
    path = dataset.folder / REPORT
    if not path.is_file():
        return None
    try:
        report = read_sealed_json(path)
        del report["fault_list"]
    except UNREADABLE as error:
        raise _damaged_report(dataset.name, REPORT) from error
    return report


def read_fault_list(dataset: Dataset) -> bytes:
    """Return `import_faults.csv`.

    Raises:
        ScalpError: it, or the report that vouches for it, is damaged.
    """
    path = dataset.folder / FAULT_LIST
    try:
        whole = read_sealed_json(dataset.folder / REPORT)["fault_list"] == sha256(path)
    except UNREADABLE as error:
        raise _damaged_report(dataset.name, REPORT) from error
    if not whole:
        raise _damaged_report(dataset.name, FAULT_LIST)
    return path.read_bytes()


def _damaged_report(name: str, file: str) -> ScalpError:
    return ScalpError(
        "damaged_report",
        f"{file} of dataset “{name}” is damaged, or of an earlier version. The dataset itself is whole. To have it "
        "written again, remove cache/import.sqlite in the dataset’s folder and import again.",
        f"“{name}” 데이터셋의 {file} 파일이 손상되었거나 이전 버전의 것이에요. 데이터셋은 그대로예요. 다시 만들려면 "
        "데이터셋 폴더의 cache/import.sqlite를 지우고 다시 가져오세요.",
    )
