"""A run: one folder per training, whose files are the whole protocol.

State is derived from which files exist and whether the training process holds the folder's lock, so nothing can go
stale. The table of files is in docs/design/runs.md; this is the only module that knows their names.
"""

import itertools
import json
import os
import platform
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock
from pyarrow import ArrowException

from scalp_core.errors import ScalpError, Text
from scalp_core.files import is_locked, read_json, sha256, write_json, write_text
from scalp_core.images import Preprocessing
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.operating_point import OperatingPoint, as_json, from_json
from scalp_core.runs.recipe import Recipe, recipe_from

# What the manifest vouches for: everything that made the run, in the order of writing. The export is made from the
# weights again at will, the log and the operating point may change later; the export carries its own check.
_VOUCHED = ("recipe.json", "history.jsonl", "model.safetensors", "preprocessing.json", "predictions.parquet")
# What the exported network gives for a picture, in this order.
OUTPUTS = ("probabilities", "evidence", "features")
_PREDICTED = {"image", "condition", "part", "truth", *PROBABILITIES}  # columns of a prediction table
_LOG_SHOWN = 20_000  # characters

# Long enough that a moment's look at the lock by somebody else cannot keep its owner out.
_LOCK_PATIENCE = 10.0  # seconds


@dataclass(frozen=True)
class Serving:
    """By which short cuts a run answers; each was checked to leave its grades what they are (`inference.optimize`).

    Attributes:
        reduced: JPEGs are decoded with no more pixels than the network needs.
        int8: the network computes with 8-bit numbers.
    """

    reduced: bool = False
    int8: bool = False


class State(StrEnum):
    """Where a run stands; derived, never stored."""

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # died by accident: the runner goes on with it
    PAUSED = "paused"  # asked to stop: waits until asked to go on
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def waiting(self) -> bool:
        """The runner would take it up."""
        return self in (State.QUEUED, State.INTERRUPTED)

    @property
    def active(self) -> bool:
        return self.waiting or self is State.RUNNING

    @property
    def text(self) -> Text:
        return _STATE_TEXT[self]


_STATE_TEXT = {
    State.QUEUED: Text("queued", "대기 중"),
    State.RUNNING: Text("running", "학습 중"),
    State.INTERRUPTED: Text("interrupted", "중단됨"),
    State.PAUSED: Text("paused", "일시 정지"),
    State.FINISHED: Text("finished", "완료"),
    State.FAILED: Text("failed", "실패"),
    State.CANCELLED: Text("cancelled", "취소됨"),
}


@dataclass(frozen=True)
class Progress:
    """How far a running training is.

    Attributes:
        phase: `preparing` (pictures are resized once), `training` or `grading`.
        done: share of the training, or of the pictures while they are prepared, 0–1.
        seconds_left: estimate; None before there is one.
    """

    phase: str
    epoch: int
    epochs: int
    done: float
    seconds_left: float | None


@dataclass(frozen=True)
class Run:
    """One run folder. Reading it never changes it."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def recipe(self) -> Recipe:
        return self._created_from[0]

    @property
    def _created_from(self) -> tuple[Recipe, dict[str, Any]]:
        path = self.folder / "recipe.json"
        return _read_recipe(path, path.stat().st_mtime_ns)

    @property
    def index_hash(self) -> str:
        """The index (labels and split) it trains on, see Dataset.index_hash."""
        return str(self._created_from[1]["index_hash"])

    @property
    def evaluation_hash(self) -> str:
        """The pictures it is judged on, see Dataset.evaluation_hash; runs that share it may be compared."""
        return str(self._created_from[1]["evaluation_hash"])

    @property
    def synthetic(self) -> bool:
        """It learned from rendered pictures."""
        return bool(self._created_from[1]["synthetic"])

    @property
    def created(self) -> str:
        """UTC, ISO 8601; orders the queue."""
        return str(self._created_from[1]["created"])

    @property
    def state(self) -> State:
        for name, state in (
            ("manifest.json", State.FINISHED),
            ("error.txt", State.FAILED),
            ("cancelled", State.CANCELLED),
        ):
            if (self.folder / name).exists():
                return state
        if self.locked:
            return State.RUNNING
        if (self.folder / "paused").exists():
            return State.PAUSED
        started = (self.folder / "history.jsonl").exists() or self.checkpoint_path.exists()
        return State.INTERRUPTED if started else State.QUEUED

    @property
    def finished(self) -> bool:
        return self.state is State.FINISHED

    @property
    def locked(self) -> bool:
        """A training process holds the folder. The kernel frees the lock however that process ends."""
        return is_locked(self.folder / ".lock")

    def lock(self) -> FileLock:
        """The lock that the training process holds while it lives."""
        return FileLock(self.folder / ".lock", timeout=_LOCK_PATIENCE)

    @property
    def history(self) -> pd.DataFrame:
        """One row a finished epoch: epoch, train_loss, valid_loss, valid_qwk, lr, seconds, and QWK by condition.

        Raises:
            ScalpError: it cannot be read.
        """
        path = self.folder / "history.jsonl"
        if not path.exists():
            return pd.DataFrame()
        lines = path.read_text(encoding="utf-8").splitlines()
        try:
            return pd.DataFrame([json.loads(line) for line in lines])
        except ValueError as error:
            raise _damaged(self.id, path.name) from error

    @property
    def progress(self) -> Progress | None:
        try:
            return Progress(**read_json(self.folder / "progress.json"))
        except FileNotFoundError:  # before it began, or just ended
            return None

    @property
    def error(self) -> tuple[Text, str]:
        """Why it failed, for the user, and details for whoever mends it. Empty if it did not fail."""
        try:
            written = (self.folder / "error.txt").read_text(encoding="utf-8")
        except FileNotFoundError:  # it did not fail, or somebody just resumed it
            return Text("", ""), ""
        en, ko, details = (written + "\n\n").split("\n", 2)
        return Text(en, ko), details.strip()

    @property
    def log(self) -> str:
        """The end of what the training process printed."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace")[-_LOG_SHOWN:] if path.exists() else ""

    @property
    def manifest(self) -> dict[str, Any]:
        """SHA-256 by file, versions, device, seconds, parameters, weights used. Only of a finished run.

        Raises:
            ScalpError: it cannot be read.
        """
        try:
            manifest: dict[str, Any] = read_json(self.folder / "manifest.json")
        except (OSError, ValueError) as error:
            raise _damaged(self.id, "manifest.json") from error
        return manifest

    @property
    def parameters(self) -> int:
        """Of its network. Raises ScalpError if the manifest does not say."""
        try:
            return int(self.manifest["parameters"])
        except (LookupError, ValueError, TypeError) as error:
            raise _damaged(self.id, "manifest.json") from error

    @property
    def preprocessing(self) -> Preprocessing:
        values = read_json(self.folder / "preprocessing.json")
        tuples = {name: tuple(one) for name, one in values.items() if isinstance(one, list)}
        return Preprocessing(**values | tuples)

    @property
    def predictions(self) -> pd.DataFrame:
        """Columns image, condition, part, truth, p0 … p3, grade, low, high at the operating point. Shared: do not edit.

        p0 … p3 are calibrated probabilities; low and high bound the grade set (see OperatingPoint.apply).
        """
        return _apply(self, self.predictions_path.stat().st_mtime_ns, _changed_ns(self.operating_point_path))

    @property
    def raw_predictions(self) -> pd.DataFrame:
        """Columns image, condition, part, truth (Int8), p0 … p3: what the network says. Shared: do not change.

        Raises:
            ScalpError: they cannot be read.
        """
        path = self.predictions_path
        return _read_predictions(path, path.stat().st_mtime_ns)

    @property
    def operating_point(self) -> OperatingPoint:
        """How probabilities become grades; the plain one where none was fitted."""
        return _read_operating_point(self.operating_point_path, _changed_ns(self.operating_point_path))

    @property
    def earlier_operating_points(self) -> list[OperatingPoint]:
        """Those that were replaced, the latest first."""
        paths = sorted(self.folder.glob("operating_point-*.json"), key=lambda path: path.stem, reverse=True)
        kept, in_force = [_read_operating_point(path, _changed_ns(path)) for path in paths], self.operating_point
        return [point for point in kept if point != in_force]  # whoever was killed while replacing it left it twice

    @property
    def operating_point_path(self) -> Path:
        return self.folder / "operating_point.json"

    def write_operating_point(self, point: OperatingPoint) -> None:
        """Decide by `point` from now on. The one before is kept beside it under the moment it was made.

        Raises:
            OSError: it cannot be written; the one before stays in force.
        """
        with self._deciding():
            self._replace_operating_point(point)

    def change_operating_point(self, change: Callable[[OperatingPoint], OperatingPoint]) -> None:
        """Decide from now on by what `change` makes of the point in force, as `write_operating_point` does.

        Of two who change something else at the same moment neither takes back what the other did.

        Raises:
            ScalpError: it cannot be written; the one before stays in force. A file is damaged.
        """
        try:
            with self._deciding():
                self._replace_operating_point(change(self.operating_point))
        except OSError as error:
            raise not_writable(error) from error

    def _deciding(self) -> FileLock:
        # One for all runs, beside them: shipped runs travel in git without it.
        return FileLock(self.folder.parent / ".operating_points.lock")

    def _replace_operating_point(self, point: OperatingPoint) -> None:
        path, before = self.operating_point_path, _changed_ns(self.operating_point_path)
        if path.exists():
            self._keep(path.read_text(encoding="utf-8"), self.operating_point.made)
        write_json(path, as_json(point))
        # The clock of files ticks every few milliseconds: within a tick readers would keep what they had.
        later = max(before, _changed_ns(self.folder / "manifest.json")) + 1
        if _changed_ns(path) < later:
            os.utime(path, ns=(later, later))

    def _keep(self, written: str, made: str) -> None:
        """A version that is about to be replaced, under a name that no other version has."""
        name = "operating_point-" + re.sub(r"[^0-9T]", "", made)[:21]
        again = (f"-{number:03d}" if number > 1 else "" for number in itertools.count(1))
        paths = (self.folder / f"{name}{suffix}.json" for suffix in again)
        write_text(next(path for path in paths if not path.exists() or path.read_text("utf-8") == written), written)

    @property
    def checkpoint_path(self) -> Path:
        """Where a training goes on from; gone when it has finished."""
        return self.folder / "checkpoint.safetensors"

    @property
    def weights_path(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def export_path(self) -> Path:
        """The ONNX file that answers; `exported` says whether it may."""
        return self.folder / "model.onnx"

    @property
    def int8_path(self) -> Path:
        """The ONNX file that answers where `serving` says int8."""
        return self.folder / "model-int8.onnx"

    @property
    def gate_path(self) -> Path:
        """What tells pictures that this run can grade from others; see scalp_core.inference.input_gate."""
        return self.folder / "gate.safetensors"

    @property
    def predictions_path(self) -> Path:
        return self.folder / "predictions.parquet"

    @property
    def files(self) -> list[tuple[str, int]]:
        """Names and bytes of what lies in the folder."""
        present = (path for path in sorted(self.folder.iterdir()) if path.is_file() and not path.name.startswith("."))
        return [(path.name, path.stat().st_size) for path in present]

    def cancel(self) -> None:
        """Give it up. A running training notices within a step and stops."""
        if self.state.active or self.state is State.PAUSED:
            write_text(self.folder / "cancelled", utc_now() + "\n")

    def pause(self) -> None:
        """Stop after what the last checkpoint holds and wait for `resume`."""
        if self.state.active:
            write_text(self.folder / "paused", utc_now() + "\n")

    def resume(self) -> None:
        """Make it wait for the runner again, from its last checkpoint. For paused, cancelled and failed runs."""
        for name in ("paused", "cancelled", "error.txt"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def finished_ns(self) -> int:
        """When it finished: changes when a run is made anew under the same name."""
        return (self.folder / "manifest.json").stat().st_mtime_ns

    @property
    def changed_ns(self) -> int:
        """Changes when it is made anew or decides otherwise: until then, what its predictions say is valid."""
        return max(self.finished_ns, _changed_ns(self.operating_point_path))

    @property
    def stop_requested(self) -> bool:
        return (self.folder / "cancelled").exists() or (self.folder / "paused").exists()

    # What the training process writes, in this order.

    def write_progress(self, progress: Progress) -> None:
        write_json(self.folder / "progress.json", asdict(progress))

    def write_history(self, epochs: Iterable[dict[str, Any]]) -> None:
        """All finished epochs; rewritten whole, so that a resumed run never shows an epoch twice."""
        write_text(self.folder / "history.jsonl", "".join(json.dumps(epoch) + "\n" for epoch in epochs))

    def write_preprocessing(self, preprocessing: Preprocessing) -> None:
        write_json(self.folder / "preprocessing.json", asdict(preprocessing))

    def write_manifest(self, facts: dict[str, Any]) -> None:
        """Vouch for the files and so declare the run finished; then tidy what only a running one needs."""
        manifest = {"files": {name: sha256(self.folder / name) for name in _VOUCHED}, **facts}
        write_json(self.folder / "manifest.json", manifest)
        for name in ("checkpoint.safetensors", "progress.json", "paused", "cancelled"):
            (self.folder / name).unlink(missing_ok=True)

    def drop_derived(self) -> None:
        """Remove what can be made again from the rest: the export. And speed and log, which tell of one machine."""
        earlier = (path.name for path in self.folder.glob("operating_point-*.json"))
        for name in ("model.onnx", "export.json", "model-int8.onnx", "serving.json", "speed.json", "log.txt", *earlier):
            (self.folder / name).unlink(missing_ok=True)

    def write_error(self, sentence: Text, details: str = "") -> None:
        (self.folder / "progress.json").unlink(missing_ok=True)  # first: on a full disk this makes the room to say why
        write_text(self.folder / "error.txt", f"{sentence.en}\n{sentence.ko}\n\n{details}".strip() + "\n")

    @property
    def complete(self) -> bool:
        """A finished run's manifest can be read and what it vouches for is there. `verify` looks into the files."""
        try:
            self.check_complete()
        except ScalpError:
            return False
        return True

    def check_complete(self) -> None:
        """Raises ScalpError, which names the file, unless it is complete."""
        try:
            missing = [name for name in self.manifest["files"] if not (self.folder / name).is_file()]
        except (LookupError, TypeError) as error:
            raise _damaged(self.id, "manifest.json") from error
        if missing:
            raise _damaged(self.id, missing[0])

    def verify(self) -> None:
        """Raises ScalpError unless every file is as the manifest says: flipped bits load without a murmur otherwise."""
        digests = self.manifest.get("files", {})
        for name in _VOUCHED:
            path = self.folder / name
            if not path.is_file() or sha256(path) != digests.get(name):
                raise _damaged(self.id, name)

    def write_export(self, facts: dict[str, Any]) -> None:
        """Vouch for `model.onnx`: its own hash and that of the weights it was made from."""
        hashes = {"model": sha256(self.export_path), "weights": sha256(self.weights_path)}
        write_json(self.folder / "export.json", hashes | {"outputs": OUTPUTS} | facts)

    @property
    def export_difference(self) -> float | None:
        """The largest difference of a probability between the export and torch; None where it was not exported."""
        path = self.folder / "export.json"
        return float(read_json(path)["largest_difference"]) if path.exists() else None

    def write_serving(self, serving: Serving, facts: dict[str, Any]) -> None:
        """Let it answer so from now on; what was checked for that travels along."""
        hashes = {"weights": self.manifest["files"]["model.safetensors"]}
        if serving.int8:
            hashes["model"] = sha256(self.int8_path)
        write_json(self._serving_path, asdict(serving) | hashes | facts)

    @property
    def serving(self) -> Serving:
        """How it answers: without short cuts unless they were checked with these very weights."""
        return _read_serving(self, self.finished_ns, _changed_ns(self._serving_path), _changed_ns(self.int8_path))

    @property
    def _serving_path(self) -> Path:
        return self.folder / "serving.json"

    @property
    def milliseconds(self) -> float | None:
        """What one picture takes it on one core of this machine; None where that was not measured here."""
        try:
            written = read_json(self.folder / "speed.json")
            return float(written["milliseconds"]) if written["machine"] == _machine() else None
        except (FileNotFoundError, ValueError, LookupError, TypeError):  # what is broken is measured again
            return None

    def write_milliseconds(self, milliseconds: float) -> None:
        """Keep that. Raises ScalpError where the folder cannot be written."""
        try:
            write_json(self.folder / "speed.json", {"milliseconds": milliseconds, "machine": _machine()})
        except OSError as error:
            raise not_writable(error) from error

    @property
    def exported(self) -> bool:
        """`model.onnx` is there, whole, and made from these weights. What is not is simply made again."""
        model, facts = self.export_path, self.folder / "export.json"
        if not model.exists() or not facts.exists():
            return False
        hashes = read_json(facts)
        if hashes["weights"] != self.manifest["files"]["model.safetensors"] or hashes.get("outputs") != [*OUTPUTS]:
            return False
        return bool(hashes["model"] == sha256(model))


def _machine() -> str:
    """Folders are copied to other machines, which are faster or slower."""
    return f"{platform.node()}, {os.cpu_count()} cores"


def _damaged(run_id: str, name: str) -> ScalpError:
    return ScalpError(
        "damaged",
        f"{name} of run “{run_id}” is missing or not what was written when it finished. Restore it or train again.",
        f"“{run_id}” 실행의 {name} 파일이 없거나 완료 당시와 달라요. 복원하거나 다시 학습하세요.",
    )


@lru_cache(maxsize=1024)
def _read_recipe(path: Path, _changed_ns: int) -> tuple[Recipe, dict[str, Any]]:
    values = read_json(path)
    return recipe_from(values.pop("recipe")), values


@lru_cache(maxsize=64)
def _read_predictions(path: Path, _changed_ns: int) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (ArrowException, OSError, ValueError) as error:
        raise _damaged(path.parent.name, path.name) from error
    if not set(table) >= _PREDICTED or not set(table["condition"].unique()) <= set(CONDITIONS):
        raise _damaged(path.parent.name, path.name)
    return table


@lru_cache(maxsize=64)
def _apply(run: Run, _predicted_ns: int, _decided_ns: int) -> pd.DataFrame:
    return run.operating_point.apply(run.raw_predictions)


@lru_cache(maxsize=1024)
def _read_operating_point(path: Path, changed_ns: int) -> OperatingPoint:
    if not changed_ns:
        return OperatingPoint()
    try:
        return from_json(read_json(path))
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(path.parent.name, path.name) from error


@lru_cache(maxsize=64)
def _read_serving(run: Run, _finished_ns: int, changed_ns: int, int8_changed_ns: int) -> Serving:
    if not changed_ns:
        return Serving()
    try:
        told = read_json(run.folder / "serving.json")
        if told["weights"] != run.manifest["files"]["model.safetensors"]:
            return Serving()
        # The 8-bit network is made from the others' weights and stays behind when a run travels.
        int8 = bool(told["int8"]) and int8_changed_ns > 0 and told["model"] == sha256(run.int8_path)
        return Serving(bool(told["reduced"]), int8)
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(run.id, "serving.json") from error


def _changed_ns(path: Path) -> int:
    """0 where there is no such file."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def utc_now() -> str:
    return datetime.now(UTC).isoformat()


def not_writable(error: OSError) -> ScalpError:
    """The error for whoever wants to train, promote or save where nothing can be written."""
    return ScalpError(
        "not_writable",
        f"The folder for runs cannot be written ({error.strerror}): the artifacts folder must be writable.",
        f"실행 폴더에 쓸 수 없어요({error.strerror}). artifacts 폴더에 쓰기 권한이 필요해요.",
    )
