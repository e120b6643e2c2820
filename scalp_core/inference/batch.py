"""Many pictures graded into one table, Parquet or CSV. Knows neither networks nor where pictures lie.

Until all is graded it lies in parts in a folder beside the table, so that whoever was killed goes on behind the last
part and ends with the same table. All pictures of a table are graded by the same runs at the same operating points.
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

from scalp_core import __version__
from scalp_core.data.image_sources import ImageSource, contents
from scalp_core.errors import ScalpError, Text
from scalp_core.files import read_json, sha256, sweep, write_atomic, write_json
from scalp_core.inference.predict import INTENDED_USE, Answer, Graders
from scalp_core.inference.results_table import ENCODING, OK, row, schema, write_csv
from scalp_core.labels import Condition
from scalp_core.parallel import cores, no_progress, parallel_map
from scalp_core.runs.runs import Run

_ENDINGS = (".parquet", ".csv")
_CHUNK = 16  # pictures in a part: what a kill costs, for each job
_PICTURES_FOR_WORKERS = 100  # fewer are graded sooner than other processes have started
_ROW_GROUP = 8192  # rows that are in memory at once while the parts are joined
_FAULTS_TOLD = 10

_NOTE = "Research only: not a medical device, not for diagnosis."
_SYNTHETIC_NOTE = "Synthetic: learned from rendered pictures, so the grades mean nothing for real ones."

Facts = dict[str, Any]  # JSON

# Called with the pictures done and all there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BatchRequest:
    """What is graded, by whom, and into which table; its ending, .parquet or .csv, says which kind."""

    sources: Sequence[ImageSource]
    graders: Graders
    table: Path


@dataclass(frozen=True)
class BatchResult:
    """What became of the pictures.

    Attributes:
        statuses: how many of each status, the most frequent first.
        faults: path and message of the first few that could not be graded.
        not_gradable: how many the gate objects to; they are graded all the same, and their rows say why.
        before: how many had been graded before; all of them where the table was there already.
    """

    statuses: Mapping[str, int]
    faults: Sequence[tuple[str, str]]
    not_gradable: int
    before: int

    @property
    def graded(self) -> int:
        return self.statuses.get(OK, 0)

    @property
    def pictures(self) -> int:
        return sum(self.statuses.values())


def grade_all(
    order: BatchRequest, *, jobs: int | None = None, restart: bool = False, progress: Progress = no_progress
) -> BatchResult:
    """Grade them into the table, and say beside it, in `<table>.json`, what it holds and who graded.

    Where the table of these pictures by these graders is there already, nothing is done; where parts of it are, it goes
    on with them. Rows are in the order of the sources; for their columns see `schema`.

    Args:
        jobs: processes that grade, each on one core; None takes one a core where that is worth it.
        restart: grade again, and replace a table, or parts of one, of other pictures or by other graders.

    Raises:
        ScalpError: `bad_table` for another ending or another file in its place, `other_table` where only `restart`
            would do, `in_use`, `not_writable`, `worker_died`; a run is damaged or cannot be exported.
    """
    table, parts, facts = order.table, _parts_of(order.table), _facts(order)
    _check(table, facts, restart)
    known = None if restart else _outcome_of(table, facts)
    if known and not parts.exists():
        return known
    if not known:
        order.graders.load()
    with _alone_in(parts):
        if not known:
            known = _made(order, parts, facts, jobs, progress)
        with _writing(parts):
            shutil.rmtree(parts)
    return known


def _made(order: BatchRequest, parts: Path, facts: Facts, jobs: int | None, progress: Progress) -> BatchResult:
    with _writing(parts):
        _prepare(parts, facts)
    before = _grade_parts(order, parts, jobs, progress)
    with _writing(order.table):
        write_atomic(order.table, lambda path: _join(order, parts, facts, path))
        outcome = _counted(order, parts, before)
        made = {"made": datetime.now(UTC).isoformat(), "sha256": sha256(order.table)}
        write_json(_beside(order.table), facts | made | {name: getattr(outcome, name) for name in _COUNTED})
    return outcome


# ---- what the table is of, and whether it may be written ----


def _facts(order: BatchRequest) -> Facts:
    """All that decides what the table will hold, as JSON gives it back."""
    digest = hashlib.sha256()
    for source in order.sources:
        fault = source.fault.code if source.fault else ""
        digest.update(f"{source.path}\n{source.stamp}\n{fault}\n".encode())
    graders = order.graders
    conditions = {str(condition): _described(graders, condition, run) for condition, run in graders.runs.items()}
    synthetic = any(run.synthetic for run in graders.points)
    facts = {
        "intended_use": INTENDED_USE,
        "note": f"{_NOTE} {_SYNTHETIC_NOTE}" if synthetic else _NOTE,
        "pictures": {"count": len(order.sources), "sha256": digest.hexdigest()},
        "conditions": conditions,
        "columns": schema(list(graders.runs)).names,
        "gate": {"run": graders.main.id, "sha256": sha256(graders.main.gate_path)} if graders.gate else None,
        "versions": {"scalp_lab": __version__} | {name: version(name) for name in ("onnxruntime", "pillow", "numpy")},
    }
    return dict(json.loads(json.dumps(facts)))


def _described(graders: Graders, condition: Condition, run: Run) -> Facts:
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


def _parts_of(table: Path) -> Path:
    return table.with_name(f"{table.name}.parts")


def _beside(table: Path) -> Path:
    return table.with_name(f"{table.name}.json")


def _plan_of(parts: Path) -> Path:
    return parts / "plan.json"


def _check(table: Path, facts: Facts, restart: bool) -> None:
    """Raises ScalpError where grading would end in nothing, or in something that nobody asked to lose."""
    if table.suffix.lower() not in _ENDINGS:
        raise _bad_table(table, "its name must end in .parquet or .csv", "이름이 .parquet 또는 .csv로 끝나야 해요")
    begun = _read(_plan_of(_parts_of(table))) if any(_parts_of(table).glob("[0-9]*.arrow")) else {}
    there = _read(_beside(table)) if table.exists() else {}
    foreign = table.exists() and not (there or begun)
    if foreign or (_beside(table).exists() and not _read(_beside(table))):
        raise _bad_table(
            table,
            "another file is there, or beside it as .json, and is never replaced",
            "그 이름이나 .json을 붙인 이름의 다른 파일이 있으며 덮어쓰지 않아요",
        )
    if restart or not (begun or there):
        return
    for key, why in _CHANGED.items():
        if (begun or there).get(key) != facts[key]:
            raise _other_table(table, why)
    if not begun and there.get("sha256") != sha256(table):
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
    """What one of our files beside a table says; empty where there is none, or another's."""
    try:
        facts = read_json(path)
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and facts.get("intended_use") == INTENDED_USE else {}


def _outcome_of(table: Path, facts: Facts) -> BatchResult | None:
    """Of the table that is there, if it is of these pictures by these graders."""
    told = _read(_beside(table)) if table.exists() else {}
    if not told or any(told.get(key) != value for key, value in facts.items()) or told.get("sha256") != sha256(table):
        return None
    faults = [(path, message) for path, message in told["faults"]]
    return BatchResult(told["statuses"], faults, told["not_gradable"], facts["pictures"]["count"])


@contextmanager
def _alone_in(parts: Path) -> Iterator[None]:
    lock = FileLock(parts / ".lock", timeout=0)
    with _writing(parts):
        parts.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise _in_use(parts) from error
    try:
        yield
    finally:
        lock.release()


def _prepare(parts: Path, facts: Facts) -> None:
    """Keep parts of this very table and remove all others, and what a killed writer left."""
    sweep(parts)
    if _read(_plan_of(parts)) == facts:
        return
    for part in parts.glob("[0-9]*.arrow"):
        part.unlink()
    write_json(_plan_of(parts), facts)


# ---- grading ----


def _grade_parts(order: BatchRequest, parts: Path, jobs: int | None, progress: Progress) -> int:
    """Grade what is not in a part yet. Returns how many pictures were in one."""
    everything = {_part(parts, start): order.sources[start : start + _CHUNK] for start in _starts(order)}
    todo = [(part, sources) for part, sources in everything.items() if not part.exists()]
    left = sum(len(sources) for _, sources in todo)
    before = done = len(order.sources) - left
    progress(done, len(order.sources))
    # Processes, because threads wait for each other: two did 15 to 20 % less on two cores, and more would lose more.
    processes = jobs or (cores() if left >= _PICTURES_FOR_WORKERS else 1)
    for graded in parallel_map(partial(_grade_part, order.graders), todo, processes):
        done += graded
        progress(done, len(order.sources))
    return before


def _grade_part(graders: Graders, work: tuple[Path, Sequence[ImageSource]]) -> int:
    """Grade these into that part; how many they were."""
    part, sources = work
    rows = [row(source.path, _said(graders, content)) for source, content in contents(sources)]
    table = pa.Table.from_pylist(rows, schema(list(graders.runs)))
    with _writing(part.parent):
        write_atomic(part, lambda path: _write_part(path, table))
    return len(rows)


def _said(graders: Graders, content: bytes | ScalpError) -> Answer | ScalpError:
    if isinstance(content, ScalpError):
        return content
    try:
        return graders.grade(content)
    except ScalpError as error:
        return error


# ---- files ----


def _starts(order: BatchRequest) -> range:
    return range(0, len(order.sources), _CHUNK)


def _part(parts: Path, start: int) -> Path:
    return parts / f"{start:09d}.arrow"


def _write_part(path: Path, table: pa.Table) -> None:
    # Files of our own: Arrow's tell in other words what the system has against them.
    with path.open("wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _read_parts(order: BatchRequest, parts: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The parts in their order, several at a time."""
    some: list[pa.Table] = []
    for start in _starts(order):
        with _part(parts, start).open("rb") as file:
            table = pa.ipc.open_file(file).read_all()
        some.append(table.select(columns) if columns else table)
        if sum(map(len, some)) >= _ROW_GROUP:
            yield pa.concat_tables(some)
            some = []
    if some:
        yield pa.concat_tables(some)


# What is kept of an outcome beside the table.
_COUNTED = ("statuses", "faults", "not_gradable")


def _counted(order: BatchRequest, parts: Path, before: int) -> BatchResult:
    statuses: Counter[str] = Counter()
    faults: list[tuple[str, str]] = []
    not_gradable = 0
    for table in _read_parts(order, parts, ("path", "status", "message", "gradable")):
        statuses.update(table["status"].to_pylist())
        not_gradable += table["gradable"].to_pylist().count(False)
        bad = (row for row in table.to_pylist() if row["status"] != OK)
        faults += [(row["path"], row["message"]) for row in islice(bad, _FAULTS_TOLD - len(faults))]
    return BatchResult(dict(statuses.most_common()), faults, not_gradable, before)


def _join(order: BatchRequest, parts: Path, facts: Facts, path: Path) -> None:
    columns = schema(list(order.graders.runs))
    tables = _read_parts(order, parts)
    if path.suffix.lower() == ".csv":
        _write_csv(path, columns.names, tables)
    else:
        told = columns.with_metadata({"scalp_lab": json.dumps(facts, ensure_ascii=False)})
        with path.open("wb") as file, pq.ParquetWriter(file, told, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table.cast(told))


def _write_csv(path: Path, names: Sequence[str], tables: Iterable[pa.Table]) -> None:
    with path.open("w", encoding=ENCODING, newline="") as file:
        write_csv(file, names, (one for table in tables for one in table.to_pylist()))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScalpError(
            "not_writable",
            f"“{path}” cannot be written: {reason}. Mend that and start the same command again: it goes on where it "
            "stopped.",
            f"“{path}”에 쓸 수 없어요: {reason}. 해결한 뒤 같은 명령을 다시 실행하면 이어서 진행돼요.",
        ) from error


def _bad_table(table: Path, en: str, ko: str) -> ScalpError:
    return ScalpError(
        "bad_table", f"The table cannot be written to “{table}”: {en}.", f"“{table}”에 표를 쓸 수 없어요. {ko}."
    )


def _other_table(table: Path, why: Text) -> ScalpError:
    return ScalpError(
        "other_table",
        f"“{table}”, or a part of it, is there from before, and {why.en}. Name another table, or replace it with "
        "--restart.",
        f"“{table}” 또는 그 일부가 이미 있는데 {why.ko}. 다른 이름을 쓰거나 --restart로 다시 만드세요.",
    )


def _in_use(parts: Path) -> ScalpError:
    return ScalpError(
        "in_use",
        f"Another process is writing this table (it holds “{parts}”).",
        f"다른 프로세스가 이 표를 쓰고 있어요(“{parts}” 사용 중).",
    )
