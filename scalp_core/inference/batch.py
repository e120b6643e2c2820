"""Many pictures graded into one table, Parquet or CSV.

Until all are graded, the rows lie in chunks in a folder beside the table, so that a killed process goes on after the
last chunk and ends with the same table. All pictures of a table are graded by the same runs at the same operating
points.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from scalp_core import terms
from scalp_core.data.image_sources import ImageSource, read_images
from scalp_core.errors import ScalpError, Text
from scalp_core.files import sha256, sweep, write_atomic
from scalp_core.inference.predict import INTENDED_USE, Answer, Graders
from scalp_core.inference.results_table import ENCODING, OK, WITHHELD, row, schema, write_csv
from scalp_core.labels import Condition
from scalp_core.parallel import cores, no_progress, parallel_map
from scalp_core.runs.run import Run
from scalp_core.seals import BLANK, SEAL, read_sealed_json, seal_holds, write_sealed, write_sealed_json
from scalp_core.version import __version__

_ENDINGS = (".parquet", ".csv")
_CHUNK = 16  # pictures in a chunk: how many a kill costs, for each job
_PICTURES_FOR_WORKERS = 100  # fewer are graded sooner than other processes have started
_ROW_GROUP = 8192  # rows that are in memory at once while the chunks are joined
_MAX_FAULTS = 10  # listed in a result

_SYNTHETIC_NOTE = "Synthetic: learned from rendered pictures, so the grades mean nothing for real ones."

Facts = dict[str, Any]  # JSON

Progress = Callable[[int, int], None]  # called with (done, total) pictures


@dataclass(frozen=True)
class BatchRequest:
    """The pictures, the runs that grade them, and the table, whose ending (.parquet or .csv) says its kind.

    Attributes:
        grade_anyway: grades of pictures that the gate objects to are not withheld.
    """

    sources: Sequence[ImageSource]
    graders: Graders
    table: Path
    grade_anyway: bool = False


@dataclass(frozen=True)
class BatchResult:
    """Counts of a graded table.

    Attributes:
        statuses: pictures of each status, the most frequent first.
        faults: path and message of the first few that could not be read.
        not_gradable: pictures that the gate objects to; their rows say why.
        unusual: pictures that are graded, and marked by the gate.
        before: pictures that had been graded before; all of them where the table was there already.
    """

    statuses: Mapping[str, int]
    faults: Sequence[tuple[str, str]]
    not_gradable: int
    unusual: int
    before: int

    @property
    def graded(self) -> int:
        return self.statuses.get(OK, 0)

    @property
    def pictures(self) -> int:
        return sum(self.statuses.values())


def grade_all(
    request: BatchRequest, *, jobs: int | None = None, restart: bool = False, progress: Progress = no_progress
) -> BatchResult:
    """Grade the pictures into the table, and describe it beside it, in `<table>.json`.

    Where the table of these pictures by these graders is there already, nothing is done; where chunks of it are,
    grading goes on after them. Rows are in the order of the sources; for their columns see `schema`.

    Args:
        jobs: processes that grade, each on one core; None takes one a core where that is worth it.
        restart: grade again, and replace a table, or chunks of one, of other pictures or by other graders.

    Raises:
        ScalpError: `bad_table` for another ending or another file in its place, `other_table` where only `restart`
            would do, `in_use`, `not_writable`, `worker_died`; a run is damaged or cannot be exported.
    """
    table, chunks, facts = request.table, _chunks_folder(request.table), _facts(request)
    _check(table, facts, restart)
    result = None if restart else _existing_result(table, facts)
    if result and not chunks.exists():
        return result
    if not result:
        request.graders.load()
    with _locked(chunks):
        if not result:
            result = _grade_and_join(request, chunks, facts, jobs, progress)
        with _write_errors(chunks):
            shutil.rmtree(chunks)
    return result


def _grade_and_join(
    request: BatchRequest, chunks: Path, facts: Facts, jobs: int | None, progress: Progress
) -> BatchResult:
    with _write_errors(chunks):
        _prepare(chunks, facts)
    before = _grade_chunks(request, chunks, jobs, progress)
    with _write_errors(request.table):
        write_atomic(request.table, lambda path: _join(request, chunks, facts, path))
        result = _count(request, chunks, before)
        written = {"made": datetime.now(UTC).isoformat(), "sha256": sha256(request.table)}
        write_sealed_json(_beside(request.table), facts | written | {name: getattr(result, name) for name in _COUNTS})
    return result


# ---- the facts of a table, and whether it may be written ----


def _facts(request: BatchRequest) -> Facts:
    """Return all that decides the contents of the table, as JSON gives it back."""
    digest = hashlib.sha256()
    for source in request.sources:
        fault = source.fault.code if source.fault else ""
        digest.update(f"{source.path}\n{source.stamp}\n{fault}\n".encode())
    graders = request.graders
    conditions = {str(condition): _condition_facts(graders, condition, run) for condition, run in graders.runs.items()}
    synthetic = any(run.synthetic for run in graders.points)
    facts = {
        "intended_use": INTENDED_USE,
        "note": " ".join([terms.RESEARCH_ONLY_SHORT.en, *([_SYNTHETIC_NOTE] if synthetic else [])]),
        "pictures": {"count": len(request.sources), "sha256": digest.hexdigest()},
        "conditions": conditions,
        "columns": schema(list(graders.runs)).names,
        "gate": _gate_facts(request),
        "versions": {"scalp_lab": __version__} | {name: version(name) for name in ("onnxruntime", "pillow", "numpy")},
    }
    return dict(json.loads(json.dumps(facts)))


def _gate_facts(request: BatchRequest) -> Facts | None:
    main = request.graders.main
    if not request.graders.gate:
        return None
    return {"run": main.id, "sha256": sha256(main.gate_path), "grade_anyway": request.grade_anyway}


def _condition_facts(graders: Graders, condition: Condition, run: Run) -> Facts:
    point = graders.points[run]
    return {
        "name": condition.text.en,
        "run": run.id,
        "architecture": run.recipe.architecture,
        "data": run.recipe.data,
        "synthetic": run.synthetic,
        "weights_sha256": run.manifest["files"]["model.safetensors"],
        "operating_point": {"made": point.made, **asdict(point.decision(condition))},
        "serving": asdict(graders.serving[run]),
    }


def _chunks_folder(table: Path) -> Path:
    return table.with_name(f"{table.name}.parts")  # the folder's name that users know


def _beside(table: Path) -> Path:
    return table.with_name(f"{table.name}.json")


def _plan_path(chunks: Path) -> Path:
    return chunks / "plan.json"


def _check(table: Path, facts: Facts, restart: bool) -> None:
    """Check that grading would end in a table, and would replace none that `restart` does not allow it to.

    Raises:
        ScalpError: `bad_table`, `other_table`.
    """
    if table.suffix.lower() not in _ENDINGS:
        raise _bad_table(table, "its name must end in .parquet or .csv", "이름이 .parquet 또는 .csv로 끝나야 해요")
    chunks = _chunks_folder(table)
    begun = _read(_plan_path(chunks)) if any(chunks.glob("[0-9]*.arrow")) else {}
    finished = _read(_beside(table)) if table.exists() else {}
    foreign = table.exists() and not (finished or begun)
    if foreign or (_beside(table).exists() and not _read(_beside(table))):
        raise _bad_table(
            table,
            "another file is there, or beside it as .json, and is never replaced",
            "그 이름이나 .json을 붙인 이름의 다른 파일이 있으며 덮어쓰지 않아요",
        )
    if restart or not (begun or finished):
        return
    for key, reason in _CHANGED.items():
        if (begun or finished).get(key) != facts[key]:
            raise _other_table(table, reason)
    if not begun and finished.get("sha256") != sha256(table):
        raise _other_table(table, _EDITED)


_CHANGED = {
    "pictures": Text("the pictures are others, or have changed", "사진 목록이나 내용이 달라요"),
    "conditions": Text(
        "other runs answer now, or they decide or compute otherwise",
        "응답하는 실행이나 그 판정 기준(운영점), 계산 방식이 달라요",
    ),
    "gate": Text("pictures are checked otherwise before grading", "판정 전 사진 검사 기준이 달라요"),
    "versions": Text("the program or its libraries have another version", "프로그램이나 라이브러리 버전이 달라요"),
}
_EDITED = Text("the file was changed afterwards", "파일이 나중에 수정되었어요")


def _read(path: Path) -> Facts:
    """Read a description of ours beside a table; empty where there is none, or the file is another program's."""
    try:
        facts = read_sealed_json(path)
    except (OSError, ValueError):
        return {}
    return facts if facts.get("intended_use") == INTENDED_USE else {}


def _existing_result(table: Path, facts: Facts) -> BatchResult | None:
    """Return the result of the table that is there, if it is of these pictures by these graders."""
    stored = _read(_beside(table)) if table.exists() else {}
    unchanged = stored and all(stored.get(key) == value for key, value in facts.items())
    if not unchanged or stored.get("sha256") != sha256(table):
        return None
    faults = [(path, message) for path, message in stored["faults"]]
    counts = {name: stored[name] for name in ("statuses", "not_gradable", "unusual")}
    return BatchResult(**counts, faults=faults, before=facts["pictures"]["count"])


@contextmanager
def _locked(chunks: Path) -> Iterator[None]:
    lock = FileLock(chunks / ".lock", timeout=0)
    with _write_errors(chunks):
        chunks.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise _in_use(chunks) from error
    try:
        yield
    finally:
        lock.release()


def _prepare(chunks: Path, facts: Facts) -> None:
    """Keep chunks of this very table; remove all others, and the remains of a killed writer."""
    sweep(chunks)
    if _read(_plan_path(chunks)) == facts:
        return
    for chunk in chunks.glob("[0-9]*.arrow"):
        chunk.unlink()
    write_sealed_json(_plan_path(chunks), facts)


# ---- grading ----


def _grade_chunks(request: BatchRequest, chunks: Path, jobs: int | None, progress: Progress) -> int:
    """Grade the missing chunks. Returns the number of pictures in chunks that were there before."""
    everything = {_chunk_path(chunks, start): request.sources[start : start + _CHUNK] for start in _starts(request)}
    todo = [(chunk, sources) for chunk, sources in everything.items() if not _is_whole(chunk)]
    left = sum(len(sources) for _, sources in todo)
    before = done = len(request.sources) - left
    progress(done, len(request.sources))
    # Processes, because threads wait for each other: two did 15 to 20 % less on two cores, and more would lose more.
    processes = jobs or (cores() if left >= _PICTURES_FOR_WORKERS else 1)
    for graded in parallel_map(partial(_grade_chunk, request.graders, request.grade_anyway), todo, processes):
        done += graded
        progress(done, len(request.sources))
    return before


def _grade_chunk(graders: Graders, grade_anyway: bool, work: tuple[Path, Sequence[ImageSource]]) -> int:
    """Grade these sources into that chunk. Returns how many they were."""
    chunk, sources = work
    outcomes = ((source.path, _grade(graders, content)) for source, content in read_images(sources))
    rows = [row(path, result, withheld=not grade_anyway and _refused(result)) for path, result in outcomes]
    table = pa.Table.from_pylist(rows, schema(list(graders.runs)))
    with _write_errors(chunk.parent):
        write_sealed(chunk, lambda path: _write_chunk(path, table))
    return len(rows)


def _grade(graders: Graders, content: bytes | ScalpError) -> Answer | ScalpError:
    if isinstance(content, ScalpError):
        return content
    try:
        return graders.grade(content)
    except ScalpError as error:
        return error


def _refused(result: Answer | ScalpError) -> bool:
    return isinstance(result, Answer) and bool(result.refusals)


# ---- files ----


def _starts(request: BatchRequest) -> range:
    return range(0, len(request.sources), _CHUNK)


def _chunk_path(chunks: Path, start: int) -> Path:
    return chunks / f"{start:09d}.arrow"


def _write_chunk(path: Path, table: pa.Table) -> None:
    sealed = table.replace_schema_metadata({SEAL: BLANK})
    # A file opened by Python: Arrow words the system's errors otherwise.
    with path.open("wb") as file, pa.ipc.new_file(file, sealed.schema) as writer:
        writer.write_table(sealed)


def _is_whole(chunk: Path) -> bool:
    return chunk.exists() and seal_holds(chunk)


def _read_chunks(request: BatchRequest, chunks: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the chunks in their order, several at a time."""
    tables: list[pa.Table] = []
    for start in _starts(request):
        with _chunk_path(chunks, start).open("rb") as file:
            table = pa.ipc.open_file(file).read_all()
        table = table.replace_schema_metadata(None)
        tables.append(table.select(columns) if columns else table)
        if sum(map(len, tables)) >= _ROW_GROUP:
            yield pa.concat_tables(tables)
            tables = []
    if tables:
        yield pa.concat_tables(tables)


_COUNTS = ("statuses", "faults", "not_gradable", "unusual")  # of a result, kept beside the table


def _count(request: BatchRequest, chunks: Path, before: int) -> BatchResult:
    statuses: Counter[str] = Counter()
    faults: list[tuple[str, str]] = []
    not_gradable = unusual = 0
    for table in _read_chunks(request, chunks, ("path", "status", "message", "gradable", "unusual")):
        rows = table.to_pylist()
        statuses.update(row["status"] for row in rows)
        not_gradable += sum(row["gradable"] is False for row in rows)
        unusual += sum(row["status"] == OK and row["unusual"] is True for row in rows)
        bad = (row for row in rows if row["status"] not in (OK, WITHHELD))
        faults += [(row["path"], row["message"]) for row in islice(bad, _MAX_FAULTS - len(faults))]
    return BatchResult(dict(statuses.most_common()), faults, not_gradable, unusual, before)


def _join(request: BatchRequest, chunks: Path, facts: Facts, path: Path) -> None:
    columns = schema(list(request.graders.runs))
    tables = _read_chunks(request, chunks)
    if path.suffix.lower() == ".csv":
        _write_csv(path, columns.names, tables)
        return
    described = columns.with_metadata({"scalp_lab": json.dumps(facts, ensure_ascii=False)})
    with path.open("wb") as file, pq.ParquetWriter(file, described, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.cast(described))


def _write_csv(path: Path, names: Sequence[str], tables: Iterable[pa.Table]) -> None:
    with path.open("w", encoding=ENCODING, newline="") as file:
        write_csv(file, names, (cells for table in tables for cells in table.to_pylist()))


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScalpError(
            "not_writable",
            f"“{path}” cannot be written: {reason}. Fix that and start the same command again: it goes on where it "
            "stopped.",
            f"“{path}”에 쓸 수 없어요: {reason}. 해결한 뒤 같은 명령을 다시 실행하면 이어서 진행돼요.",
        ) from error


def _bad_table(table: Path, en: str, ko: str) -> ScalpError:
    return ScalpError(
        "bad_table", f"The table cannot be written to “{table}”: {en}.", f"“{table}”에 표를 쓸 수 없어요. {ko}."
    )


def _other_table(table: Path, reason: Text) -> ScalpError:
    return ScalpError(
        "other_table",
        f"“{table}”, or a part of it, is there from before, and {reason.en}. Name another table, or replace it with "
        "--restart.",
        f"“{table}” 또는 그 일부가 이미 있는데 {reason.ko}. 다른 이름을 쓰거나 --restart로 다시 만드세요.",
    )


def _in_use(chunks: Path) -> ScalpError:
    return ScalpError(
        "in_use",
        f"Another process is writing this table (it holds “{chunks}”).",
        f"다른 프로세스가 이 표를 쓰고 있어요(“{chunks}” 사용 중).",
    )
