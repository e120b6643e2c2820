"""Somebody's pictures become a dataset: a folder tree with zips and label files, class folders, or a table of labels.

Read (names and labels), inspect (pixels), settle (one row a picture), deal (parts), write. What was read stands in a
journal, so a killed import goes on and a repeated one has little to do; readers see the old index or the new one, and
the tree is only ever read. Knows the order of things, not how any of them is done.
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

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scalp_core.data import quality
from scalp_core.data.dataset import Dataset, check_name, claimed, name_taken, open_dataset
from scalp_core.data.file_tree import Container, list_containers
from scalp_core.data.index_writer import write_dataset
from scalp_core.data.splits import COLUMNS, assign_splits, is_possible, safest_method
from scalp_core.data.zip_files import Fault, read_stored
from scalp_core.errors import ScalpError, Text
from scalp_core.files import TEMPORARY, formula_safe, read_json, sweep, unquote_path, write_atomic, write_json
from scalp_core.images import MAX_BYTES
from scalp_core.importing.container_reader import read_container
from scalp_core.importing.csv_labels import columns_of, read_table
from scalp_core.importing.import_db import MEASURES, Contents, ImportDatabase, Pending, Place
from scalp_core.importing.merge import batches, merge
from scalp_core.parallel import no_progress, parallel_map
from scalp_core.paths import data_folder

KINDS = ("aihub", "folders", "csv")
REPORT, FAULT_LIST = "import_report.json", "import_faults.csv"
LISTED = 1000  # faults of a kind in the report; the list beside it has all
_CHUNK = 32  # pictures a worker looks at between two looks of ours
_TABLE_ROWS = 20_000  # rows of a table that are kept at once
_ROWS = 16_384  # rows of the index that are kept at once
_FILES_FOR_WORKERS = 40_000  # fewer are read sooner than other processes are started
_PICTURES_FOR_WORKERS = 400

# What may be wrong in a tree. Nothing of it stops an import.
FAULTS: dict[str, Text] = {
    "bad_picture": Text("pictures that cannot be read; left out", "읽을 수 없는 사진 (제외됨)"),
    "label_without_picture": Text("labels whose picture is not there", "사진이 없는 라벨"),
    "picture_without_label": Text("pictures without any label; kept, unlabelled", "라벨이 없는 사진 (라벨 없이 유지)"),
    "bad_label": Text("label files that cannot be read", "읽을 수 없는 라벨 파일"),
    "bad_value": Text("label values outside 0–3; taken as missing", "0–3을 벗어난 라벨 값 (없는 것으로 처리)"),
    "conflicting_labels": Text(
        "pictures whose labels contradict each other; that condition is left open",
        "라벨이 서로 모순되는 사진 (해당 증상은 비워 둠)",
    ),
    "folder_disagrees": Text(
        "pictures in a class folder that their label contradicts; the label holds",
        "폴더 등급과 라벨이 다른 사진 (라벨을 따름)",
    ),
    "same_content": Text(
        "pictures that are there under another name as well; kept once", "이름만 다른 같은 사진 (한 번만 유지)"
    ),
    "same_name_other_content": Text(
        "copies of a picture that differ from the one that is used", "이름은 같지만 내용이 다른 사본"
    ),
    "odd_size": Text("pictures of another size than most", "대부분과 크기가 다른 사진"),
    "bad_zip": Text("zip files, or files in them, that are damaged", "손상된 zip 파일 또는 그 안의 파일"),
    "encrypted": Text("files behind a password", "암호가 걸린 파일"),
    "unsafe_name": Text(
        "names or links that lead out of the tree; not followed", "트리 밖을 가리키는 이름이나 링크 (따라가지 않음)"
    ),
    "too_large": Text(
        "files larger than any picture, or inflated ones; not read",
        "사진이라기엔 너무 크거나 부풀려진 파일 (읽지 않음)",
    ),
    "nested_zip": Text("zip files inside zip files; not opened", "zip 안의 zip (열지 않음)"),
    "partial_download": Text("downloads that were not finished", "완료되지 않은 다운로드"),
    "unreadable": Text(
        "folders or files that this system does not let us read", "시스템 권한 등으로 읽을 수 없는 폴더나 파일"
    ),
}
WARNINGS: dict[str, Text] = {
    "folder_labels_only": Text(
        "Labels come from folder names alone. In the usual trees grade 0 of a condition then means “healthy in "
        "everything”: a model never sees this condition absent while another is present. Import the label files too.",
        "라벨이 폴더 이름에서만 왔어요. 이런 트리에서 어떤 증상의 0등급은 보통 ‘모든 증상이 양호’라는 뜻이므로, "
        "다른 증상만 있는 사진을 모델이 보지 못해요. 라벨 파일도 함께 가져오세요.",
    ),
    "split_by_capture": Text(
        "Too few sites are known to split by site; parts are disjoint in captures only.",
        "기관 정보가 부족해 기관별로 나누지 못했어요. 분할은 촬영 단위로만 겹치지 않아요.",
    ),
    "no_captures": Text(
        "Nothing says which pictures show the same head, so the parts may share people. Name a column or use the "
        "publisher's file names.",
        "같은 사람의 사진인지 알 수 있는 정보가 없어 분할 사이에 같은 사람이 있을 수 있어요. 해당 열을 지정하거나 "
        "원래 파일 이름을 쓰세요.",
    ),
    "not_split": Text(
        "There are too few groups to split; everything is in the training split.",
        "묶음이 너무 적어 나누지 못했어요. 모두 학습 분할에 있어요.",
    ),
}

# Called with the stage, what is done and what there is to do.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ImportRequest:
    """What somebody wants imported.

    Attributes:
        kind: one of KINDS; `aihub` and `folders` read trees, `csv` a table beside a folder of pictures.
        source: the folder of the tree or of the pictures.
        table, columns: the CSV file, and which of its columns holds which field where the name does not tell.
        by: one of parts.WAYS; empty means the safest one, or what an earlier import of the same has.
        extract: copy the pictures into the dataset instead of reading them where they are.
    """

    kind: str
    source: str
    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    seed: int = 0
    extract: bool = False

    def check(self) -> None:
        """Raises ScalpError where there is nothing to read."""
        if self.kind not in KINDS or bool(self.table) != (self.kind == "csv"):
            raise _bad_order(f"kind “{self.kind}”", f"종류 “{self.kind}”")
        folder = Path(self.source)
        # Not Path.is_dir, which raises for names that are too long and folders that are closed to us.
        if not self.source or not os.path.isdir(folder):  # noqa: PTH112
            raise ScalpError(
                "no_source",
                f"There is no folder {self.source} on the machine where this runs.",
                f"프로그램이 실행되는 컴퓨터에 {self.source} 폴더가 없어요.",
            )
        ours = data_folder().resolve()
        if ours.is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(ours):
            raise _bad_order(
                "a folder that holds, or lies in, our own datasets",
                "우리 데이터셋을 담고 있거나 그 안에 있는 폴더",
            )

    @property
    def made(self) -> dict[str, object]:
        """What `dataset.json` says of where it came from."""
        source, table = str(Path(self.source).resolve()), str(Path(self.table).resolve()) if self.table else ""
        return {"importer": self.kind, "source": source, "table": table, "columns": dict(self.columns)}


def _bad_order(en: str, ko: str) -> ScalpError:
    return ScalpError("bad_import", f"This cannot be imported: {en}.", f"가져올 수 없어요: {ko}.")


def import_tree(
    order: ImportRequest, name: str, *, processes: int | None = None, progress: Progress | None = None
) -> Dataset:
    """Make or renew the dataset `name` from what lies on disk; an unchanged tree costs a look at its names.

    Writes `import_report.json`, `import_faults.csv` and, last, the index.

    Args:
        processes: None takes one a core where there is enough to do; 1 works in this process.
        progress: called with (stage, done, total); stages are `reading`, `inspecting`, `writing`.

    Raises:
        ScalpError: no such folder or table, a name that is taken, a tree with nothing in it, a full disk.
    """
    check_free(order, name)
    with claimed(name) as folder:
        sweep(folder)
        try:
            return _import(order, folder, processes, progress or no_progress)
        except OSError as error:
            raise _disk(folder, error) from error
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                journal_path(folder).unlink(missing_ok=True)  # a cache: the next import reads anew
            raise _disk(folder, error) from error


def check_free(order: ImportRequest, name: str) -> None:
    """Raises ScalpError where import_tree would do so before it begins."""
    check_name(name)
    order.check()
    if order.kind == "csv":
        columns_of(Path(order.table), order.columns)
    folder = data_folder() / name
    if (folder / "index.parquet").is_file():
        made = open_dataset(name).made
        if {key: made.get(key) for key in order.made} != order.made:
            raise name_taken(name)
    elif folder.is_dir() and not all(map(_is_own, folder.iterdir())):
        raise name_taken(name)


_OWN = {"cache", "images", REPORT, FAULT_LIST, "import.json", "progress.json", "error.json", "log.txt", "dataset.json"}


def _is_own(path: Path) -> bool:
    """Whether an import that has not ended, or was killed, may have left it."""
    return path.name in _OWN or path.name.startswith(TEMPORARY)


def _disk(folder: Path, error: OSError | sqlite3.DatabaseError) -> ScalpError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return ScalpError(
        "cannot_write",
        f"The dataset cannot be written to {folder}: {reason}. Make room or set SCALP_DATA to another folder, then "
        "start the same import again: it goes on where it stopped.",
        f"{folder}에 데이터셋을 쓸 수 없어요: {reason}. 공간을 확보하거나 SCALP_DATA를 다른 폴더로 바꾼 뒤 같은 "
        "가져오기를 다시 시작하면 이어서 진행돼요.",
    )


def journal_path(folder: Path) -> Path:
    """Where the journal of a dataset's import lies."""
    return folder / "cache" / "import.sqlite"


def _import(order: ImportRequest, folder: Path, processes: int | None, progress: Progress) -> Dataset:
    started = time.monotonic()
    with ImportDatabase(journal_path(folder), repr(sorted(order.made.items()))) as journal:
        _read(order, journal, processes, progress)
        before = open_dataset(folder.name) if (folder / "index.parquet").is_file() else None
        if before and journal.written and _as_ordered(order, before):
            return before
        _check_found(order, journal)
        _inspect(Path(order.source), journal, processes, progress)
        dataset = _write(order, folder, journal, before, started, progress)
        journal.mark_written()
        return dataset


def _as_ordered(order: ImportRequest, before: Dataset) -> bool:
    return (not order.by or (order.by, order.seed) == (before.parts.get("by"), before.parts.get("seed"))) and (
        order.extract == (not before.source)
    )


# ---- read ----


def _read(order: ImportRequest, journal: ImportDatabase, processes: int | None, progress: Progress) -> None:
    """Bring the journal up to what lies on disk."""
    root = Path(order.source)
    known = journal.stamps()
    found = {_address(one): one for one in list_containers(root)}
    if order.kind == "csv":
        found |= {one.path: one for one in _table_containers(Path(order.table))}
    stamps = {address: _stamp(one) for address, one in found.items()}
    changed = [address for address, stamp in stamps.items() if known.get(address) != stamp]
    gone = [address for address in known if address not in stamps and not address.startswith(f"{_TABLE}/")]
    if _TABLE in changed:
        gone += [address for address in known if address.startswith(f"{_TABLE}/")]
    if not changed and not gone:
        return
    journal.forget([*gone, *(address for address in changed if address in known)])
    faults = [one for one in (found[address] for address in changed) if isinstance(one, Fault)]
    for fault in faults:
        journal.add(Contents(Container(_address(fault), False, _stamp(fault), 0), faults=[fault]))
    _read_trees(
        order, root, journal, [one for a in changed if isinstance(one := found[a], Container)], processes, progress
    )
    if _TABLE in changed:
        _read_rows(Path(order.table), order.columns, journal, found[_TABLE])
    journal.prune()


def _read_trees(
    order: ImportRequest,
    root: Path,
    journal: ImportDatabase,
    changed: list[Container],
    processes: int | None,
    progress: Progress,
) -> None:
    # The largest first, so that no worker is left with one in the end.
    todo = sorted((one for one in changed if one.path != _TABLE), key=lambda one: (-one.files, one.path))
    total = sum(one.files for one in todo)
    if total < _FILES_FOR_WORKERS or len(todo) < 2:
        processes = processes or 1
    done = 0
    progress("reading", done, total)
    for contents in parallel_map(partial(read_container, root, label_files=order.kind != "csv"), todo, processes):
        journal.add(contents)
        done += contents.container.files
        progress("reading", done, total)


def _address(one: Container | Fault) -> str:
    return one.path if isinstance(one, Container) else f"//{one.kind}/{one.where}/{one.name}"


def _stamp(one: Container | Fault) -> str:
    return one.stamp if isinstance(one, Container) else one.detail


_TABLE = "//table"  # no path in a tree begins with two slashes


def _table_containers(table: Path) -> Iterator[Container]:
    status = table.stat()
    yield Container(_TABLE, False, f"{status.st_size}-{status.st_mtime_ns}", 0)


def _read_rows(table: Path, columns: Mapping[str, str], journal: ImportDatabase, whole: Container | Fault) -> None:
    rows = read_table(table, columns_of(table, columns))
    number = 0
    while some := list(islice(rows, _TABLE_ROWS)):
        place = Place(f"{table.name}:", labels=[one for one in some if not isinstance(one, Fault)])
        faults = [one for one in some if isinstance(one, Fault)]
        journal.add(Contents(Container(f"{_TABLE}/{number}", False, "", 0), [place], faults=faults))
        number += 1
    # Last: without it a killed reading is begun anew.
    journal.add(Contents(Container(_TABLE, False, _stamp(whole), 0)))


def _check_found(order: ImportRequest, journal: ImportDatabase) -> None:
    if next(journal.rows("SELECT 1 FROM copy LIMIT 1"), None):
        return
    raise ScalpError(
        "nothing_found",
        f"There is no picture (JPEG, PNG, WebP) in {order.source}, in its folders or in its zip files.",
        f"{order.source} 폴더와 그 안의 하위 폴더, zip 파일에 사진(JPEG, PNG, WebP)이 없어요.",
    )


# ---- inspect ----


def _inspect(root: Path, journal: ImportDatabase, processes: int | None, progress: Progress) -> None:
    journal.index_pictures()
    while pending := journal.pending():
        if len(pending) < _PICTURES_FOR_WORKERS:
            processes = processes or 1
        chunks = (journal.copies(pending[start : start + _CHUNK]) for start in range(0, len(pending), _CHUNK))
        done = 0
        progress("inspecting", done, len(pending))
        for seen in parallel_map(partial(_look, root), chunks, processes):
            journal.add_pictures(seen)
            done += len(seen)
            progress("inspecting", done, len(pending))


_measures = attrgetter(*MEASURES)


def _look(root: Path, chunk: list[Pending]) -> list[tuple[Pending, str | None, tuple[object, ...]]]:
    seen: list[tuple[Pending, str | None, tuple[object, ...]]] = []
    for one in chunk:
        try:
            measured = quality.measure(_content(root, one))
            *others, look = _measures(measured)
            # SQLite's numbers are signed.
            seen.append((one, None, (*others, int(np.uint64(look).astype(np.int64)))))
        except (ScalpError, OSError, zlib.error) as error:
            seen.append((one, str(error), ()))
    return seen


def _content(root: Path, one: Pending) -> bytes:
    content = _content_at(root / unquote_path(one.path), one.offset, one.length, bool(one.deflated))
    if one.offset is not None and zlib.crc32(content) != one.stamp:
        raise OSError("its checksum in the zip file does not fit")
    return content


def _content_at(path: Path, offset: int | None, length: int | None, deflated: bool) -> bytes:
    if offset is not None and length is not None:
        return read_stored(path, offset, length, deflated)
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


# ---- write ----


def _write(
    order: ImportRequest,
    folder: Path,
    journal: ImportDatabase,
    before: Dataset | None,
    started: float,
    progress: Progress,
) -> Dataset:
    merge(journal)
    ((images,),) = journal.rows("SELECT count(*) FROM entry WHERE keeper = id")
    staged = folder / f"{TEMPORARY}rows.parquet"
    try:
        if images:
            frames = _extracted(order, folder, batches(journal)) if order.extract else batches(journal)
            _stage(staged, frames, int(images), progress)
        warnings = _warnings(journal)
        if not images:
            _report(order, folder, journal, 0, warnings, started)
            raise _nothing_readable(folder)
        rows = _for_dealing(staged)
        rows["look_alikes"] = quality.number_column(quality.find_near_duplicates(rows["look"].to_numpy(np.uint64)))
        way, seed = _way(order, before, rows)
        dealt = assign_splits(rows, way, seed)
        _report(order, folder, journal, int(images), warnings + _warnings_of_split(rows, way), started)
        dataset = write_dataset(
            folder,
            order.kind,
            order.made | {"labels": _label_source(order, journal)},
            _dealt(staged, dealt.parts, rows["look_alikes"]),
            source="" if order.extract else str(Path(order.source).resolve()),
            parts=dealt.description,
        )
        _remove_others(dataset)
        return dataset
    finally:
        staged.unlink(missing_ok=True)


def _way(order: ImportRequest, before: Dataset | None, rows: pd.DataFrame) -> tuple[str, int]:
    """As ordered, else as before where that is still possible, else the safest way."""
    if order.by:
        return order.by, order.seed
    if before and before.parts["by"] != "all" and is_possible(rows, str(before.parts["by"])):
        return str(before.parts["by"]), int(str(before.parts["seed"]))
    return safest_method(rows), order.seed


def _nothing_readable(folder: Path) -> ScalpError:
    return ScalpError(
        "nothing_found",
        f"Not one of the pictures can be read; {folder / REPORT} says what is wrong with each.",
        f"읽을 수 있는 사진이 하나도 없어요. 사진별 이유는 {folder / REPORT}에 있어요.",
    )


def _stage(path: Path, frames: Iterable[pd.DataFrame], images: int, progress: Progress) -> None:
    """The rows without their parts, on disk: parts need all of them, memory has room for a few."""
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


def _for_dealing(staged: Path) -> pd.DataFrame:
    """What parts are dealt by. All rows at once, the only time that they are: as little of each as will do."""
    table = pq.read_table(
        staged, columns=[*COLUMNS, "official", "look"], read_dictionary=["site", "capture", "official"]
    )
    rows: pd.DataFrame = table.unify_dictionaries().to_pandas()
    return rows


def _dealt(staged: Path, parts: pd.Series, alike: pd.Series) -> Iterator[pd.DataFrame]:
    start = 0
    for batch in pq.ParquetFile(staged).iter_batches(_ROWS):
        frame = batch.to_pandas()
        end = start + len(frame)
        yield frame.assign(part=parts.iloc[start:end].to_numpy(), look_alikes=alike.iloc[start:end].to_numpy())
        start = end


def _extracted(order: ImportRequest, folder: Path, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same rows with their pictures copied into the dataset, under the hash of their content."""
    root = Path(order.source)
    for below in (folder / "images").glob("*"):
        sweep(below)
    for frame in frames:
        # Plain numbers and None instead of pandas' own.
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
        content = _content_at(root / unquote_path(path), offset, length, deflated)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise OSError(f"{unquote_path(path)} has changed since it was looked at")
        write_atomic(folder / to, lambda temporary: temporary.write_bytes(content))
    return to


def _remove_others(dataset: Dataset) -> None:
    """Copies of pictures that are no longer in the index: somebody may have taken them out of the tree for a reason."""
    copies = list((dataset.folder / "images").glob("*/*"))
    kept = set() if dataset.source or not copies else set(dataset.column("path"))
    for path in copies:
        if path.relative_to(dataset.folder).as_posix() not in kept:
            path.unlink()


def _label_source(order: ImportRequest, journal: ImportDatabase) -> str:
    """`table`, `files`, or `folders` where only class folders say anything."""
    if order.kind == "csv":
        return "table"
    return "files" if next(journal.rows("SELECT 1 FROM label LIMIT 1"), None) else "folders"


def _warnings(journal: ImportDatabase) -> list[str]:
    labels = next(journal.rows("SELECT 1 FROM label LIMIT 1"), None)
    folders = next(journal.rows("SELECT 1 FROM placed WHERE condition IS NOT NULL LIMIT 1"), None)
    return ["folder_labels_only"] if folders and not labels else []


def _warnings_of_split(rows: pd.DataFrame, way: str) -> list[str]:
    warnings = {"capture": ["split_by_capture"], "all": ["not_split"]}.get(way, [])
    return warnings + (["no_captures"] if rows["capture"].nunique() == len(rows) > 1 else [])


def _report(
    order: ImportRequest, folder: Path, journal: ImportDatabase, images: int, warnings: list[str], started: float
) -> None:
    counts = dict(journal.rows("SELECT kind, count(*) FROM fault GROUP BY kind ORDER BY kind"))
    ((ignored,),) = journal.rows("SELECT coalesce(sum(ignored), 0) FROM container")
    report = {
        **order.made,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
        "images": images,
        "files": next(journal.rows("SELECT count(*) FROM copy"))[0],
        "labels": next(journal.rows("SELECT count(*) FROM label"))[0],
        "ignored": ignored,
        "warnings": warnings,
        "counts": counts,
        "faults": {kind: _listed(journal, kind) for kind in counts},
    }
    write_json(folder / REPORT, report)
    write_atomic(folder / FAULT_LIST, lambda temporary: _list_faults(temporary, journal))


def _listed(journal: ImportDatabase, kind: str) -> list[dict[str, str]]:
    query = f"SELECT name, location, detail FROM fault WHERE kind = ? ORDER BY name, location LIMIT {LISTED}"  # noqa: S608
    return [dict(zip(("name", "where", "detail"), row, strict=True)) for row in journal.rows(query, kind)]


def _list_faults(path: Path, journal: ImportDatabase) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "name", "where", "detail"])
        rows = journal.rows("SELECT kind, name, location, detail FROM fault ORDER BY kind, name, location")
        writer.writerows([formula_safe(str(cell)) for cell in row] for row in rows)


def read_report(dataset: Dataset) -> dict[str, object] | None:
    """What `import_report.json` says, None for a dataset that was not imported."""
    path = dataset.folder / REPORT
    return dict(read_json(path)) if path.is_file() else None
