"""A run: one folder per training, whose files are the whole protocol.

State is derived from which files exist and whether the training process holds the folder's lock, so nothing can go
stale. The table of files is in docs/design/runs.md; this is the only module that knows their names.
"""

import itertools
import json
import logging
import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from pyarrow import ArrowException

from scalp_core.architectures import ARCHITECTURE_NAME
from scalp_core.data.dataset import NAME
from scalp_core.errors import ScalpError, Text, forbidden
from scalp_core.files import (
    UNREADABLE,
    Signature,
    is_locked,
    read_json,
    sha256,
    signature,
    take_lock,
    write_text,
)
from scalp_core.images import Preprocessing
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.operating_point import OperatingPoint, as_json, fit, from_json
from scalp_core.runs.recipe import Recipe, recipe_from
from scalp_core.seals import (
    BLANK,
    SEAL,
    parse_sealed_json,
    read_sealed_json,
    require_seal,
    seal_holds,
    sealed_json,
    write_sealed,
    write_sealed_json,
)

# The files whose hashes the manifest holds: everything that made the run, in the order of writing. The others, and the
# manifest itself, have seals (scalp_core/seals.py); so have the first of these, which must hold before there is one.
_VOUCHED = ("recipe.json", "history.jsonl", "model.safetensors", "preprocessing.json", "predictions.parquet")
_LEARNED = "learned.parquet"  # vouched for where it is: runs of earlier versions have none
_WEIGHTS = "model.safetensors"
_SEALED_FIRST = ("recipe.json", "preprocessing.json", _LEARNED)  # read again until the manifest vouches for them
# Outputs of the exported network, in this order.
OUTPUTS = ("probabilities", "evidence", "features")
_PREDICTED = {"image", "condition", "part", "truth", *PROBABILITIES}  # columns of a prediction table
_log = logging.getLogger(__name__)

_LOG_SHOWN = 20_000  # characters

_LOCK_PATIENCE = 10.0  # seconds: longer than another process holds the lock to look at it


@dataclass(frozen=True)
class Serving:
    """The short cuts by which a run answers; each was checked to leave its grades alike (`inference.optimize`).

    Attributes:
        reduced: JPEGs are decoded with no more pixels than the network needs.
        int8: the network computes with 8-bit numbers.
    """

    reduced: bool = False
    int8: bool = False


class State(StrEnum):
    """The state of a run; derived, never stored."""

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # died by accident: the worker goes on with it
    PAUSED = "paused"  # stopped by the user until it is resumed
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def waiting(self) -> bool:
        """Whether the worker would take it up."""
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
    """The progress of a running training.

    Attributes:
        phase: `preparing` (pictures are resized, once), `computing` (their features, for a training of the heads
            alone), `training`, `grading` or `exporting`.
        done: share of the training, or of the pictures while these or their features are prepared, 0–1.
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
        return _read_recipe(path, signature(path), signature(self._manifest_path))

    @property
    def index_hash(self) -> str:
        """Hash of the index (labels and split) that it trains on, see Dataset.index_hash."""
        return str(self._created_from[1]["index_hash"])

    @property
    def evaluation_hash(self) -> str:
        """Hash of the pictures it is judged on, see Dataset.evaluation_hash; runs that share it may be compared."""
        return str(self._created_from[1]["evaluation_hash"])

    @property
    def synthetic(self) -> bool:
        """Whether it, or a run that it started from or was taught by, learned from rendered pictures."""
        return bool(self._created_from[1]["synthetic"]) or any(source.synthetic for source in self._sources)

    @property
    def synthetic_data(self) -> bool:
        """Whether it learned from rendered pictures itself, and is judged on them."""
        values = self._created_from[1]
        return bool(values["synthetic"] and values.get("synthetic_data", True))

    @property
    def _sources(self) -> "list[Run]":
        """The runs that it started from or was taught by, of those there; earlier, or files could lead in a circle."""
        names = [name for name in (self.recipe.weights, self.recipe.teacher) if name.startswith("run:")]
        sources = [Run(self.folder.parent / name.removeprefix("run:")) for name in names]
        there = [source for source in sources if (source.folder / "recipe.json").is_file()]
        return [source for source in there if source.created < self.created]

    @property
    def fold(self) -> bool:
        """Whether it learned from a part of a dataset for cross-validation: a sample of its recipe, not its product."""
        return bool(self._created_from[1].get("fold"))

    @property
    def fold_of(self) -> tuple[str, str]:
        """Name and index hash of the dataset whose fold it learned from; empty where it is no run of a fold."""
        fold = self._created_from[1].get("fold") or {}
        return str(fold.get("of", "")), str(fold.get("index_hash", ""))

    @property
    def created(self) -> str:
        """Time of creation, UTC, ISO 8601; orders the queue."""
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
        """Whether a training process holds the folder. The kernel frees the lock however that process ends."""
        return is_locked(self.folder / ".lock")

    @property
    def trainable(self) -> bool:
        """Whether this user may write into its folder and take its lock."""
        lock = self.folder / ".lock"
        return _may(self.folder, os.W_OK | os.X_OK) and (not lock.exists() or _may(lock, os.R_OK | os.W_OK))

    def lock(self) -> FileLock:
        """Return the lock that the training process holds while it lives."""
        return FileLock(self.folder / ".lock", timeout=_LOCK_PATIENCE)

    def take_lock(self) -> int | None:
        """Take that lock for a training process and return its open file, which the process inherits; None if held.

        So there is no moment, not even while the training imports torch, in which the run looks free.
        """
        return take_lock(self.folder / ".lock", _LOCK_PATIENCE)

    @property
    def learned(self) -> tuple[frozenset[str], bool] | None:
        """SHA-256 of all pictures that it and its ancestors learned from, and whether these are all; None if not kept.

        Raises:
            ScalpError: they cannot be read.
        """
        path = self.folder / _LEARNED
        found_as = signature(path)
        return _read_learned(path, found_as, signature(self._manifest_path)) if found_as else None

    @property
    def history(self) -> pd.DataFrame:
        """One row a finished epoch: epoch, train_loss, valid_loss, valid_qwk, lr, seconds, and QWK by condition.

        NaN where kappa is undefined.

        Raises:
            ScalpError: it cannot be read.
        """
        path = self.folder / "history.jsonl"
        if not path.exists():
            return pd.DataFrame()
        try:
            content = path.read_bytes()
            if _manifest_vouches(path):
                lines = [dict(json.loads(line)) for line in content.splitlines()]
            else:
                lines = [parse_sealed_json(line) for line in content.splitlines(keepends=True)]
            history: pd.DataFrame = pd.DataFrame(lines).drop(columns=SEAL, errors="ignore")
            history = history.apply(pd.to_numeric)  # a column of nothing but null is not a number yet
            if len(history) and history["epoch"].isna().any():
                raise ValueError("an epoch without its number")
        except UNREADABLE as error:
            raise damaged(self.id, path.name, error) from error
        return history

    @property
    def progress(self) -> Progress | None:
        try:
            return Progress(**read_sealed_json(self.folder / "progress.json"))
        except UNREADABLE:  # before it began, just ended, or damaged: the next step writes it anew
            return None

    @property
    def error(self) -> tuple[Text, str]:
        """Why it failed, for the user, and technical details. Empty if it did not fail."""
        try:
            content = (self.folder / "error.txt").read_text(encoding="utf-8")
        except FileNotFoundError:  # it did not fail, or was just resumed
            return Text("", ""), ""
        except (OSError, ValueError) as error:
            return damaged(self.id, "error.txt", error).text, ""
        en, ko, details = (content + "\n\n").split("\n", 2)
        return Text(en, ko), details.strip()

    @property
    def log(self) -> str:
        """The end of the training process's output."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace")[-_LOG_SHOWN:] if path.is_file() else ""

    @property
    def manifest(self) -> dict[str, Any]:
        """SHA-256 by file, versions, device, seconds, parameters, weights used; of a finished run only.

        Raises:
            ScalpError: it cannot be read.
        """
        try:
            return dict(_read_manifest(self._manifest_path, signature(self._manifest_path)))
        except UNREADABLE as error:
            raise damaged(self.id, "manifest.json", error) from error

    @property
    def _manifest_path(self) -> Path:
        return self.folder / "manifest.json"

    @property
    def parameters(self) -> int:
        """Parameters of its network.

        Raises:
            ScalpError: the manifest does not hold them.
        """
        try:
            return int(self.manifest["parameters"])
        except (LookupError, ValueError, TypeError) as error:
            raise damaged(self.id, "manifest.json") from error

    @property
    def learned_from_judged(self) -> bool | None:
        """Whether it was judged on pictures that it or an ancestor learned from; None if that was not kept."""
        stored = self.manifest.get("learned_from_judged")
        return None if stored is None else bool(stored)

    @property
    def preprocessing(self) -> Preprocessing:
        try:
            values = _read_vouched_json(self.folder / "preprocessing.json")
            tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
            return Preprocessing(**values | tuples)
        except UNREADABLE as error:
            raise damaged(self.id, "preprocessing.json", error) from error

    @property
    def predictions(self) -> pd.DataFrame:
        """Columns image, condition, part, truth, p0 … p3, grade, low, high at the operating point. Shared: do not edit.

        p0 … p3 are calibrated probabilities; low and high bound the grade set (see OperatingPoint.apply).
        """
        return _apply(self, *map(signature, (self.predictions_path, self._manifest_path, self.operating_point_path)))

    @property
    def raw_predictions(self) -> pd.DataFrame:
        """Columns image, condition, part, truth (Int8), p0 … p3: the network's own. Shared: do not edit.

        Raises:
            ScalpError: they cannot be read.
        """
        return _read_predictions(self, *map(signature, (self.predictions_path, self._manifest_path)))

    @property
    def operating_point(self) -> OperatingPoint:
        """The current operating point; the default one where none was fitted.

        A damaged one is fitted again on the predictions; see `operating_point_damage`.

        Raises:
            ScalpError: it may not be read, or neither it nor the predictions can be.
        """
        path = self.operating_point_path
        try:
            return _read_operating_point(path, signature(path))
        except ScalpError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
            return _fit_again(self, _changed_ns(path), *map(signature, (self.predictions_path, self._manifest_path)))

    @property
    def operating_point_damage(self) -> ScalpError | None:
        """Why the operating point is not what was written; None where it is."""
        try:
            _read_operating_point(self.operating_point_path, signature(self.operating_point_path))
        except ScalpError as error:
            return error if isinstance(error.__cause__, PermissionError) else _fitted_again(self.id)
        return None

    @property
    def earlier_operating_points(self) -> list[OperatingPoint]:
        """Operating points that were replaced, the latest first."""
        paths = sorted(self.folder.glob("operating_point-*.json"), key=lambda path: path.stem, reverse=True)
        current, kept = self.operating_point, []
        for path in paths:
            try:
                kept.append(_read_operating_point(path, signature(path)))
            except ScalpError as error:  # the others can still be brought back
                _log.warning("%s", error)
        return [point for point in kept if point != current]  # a process killed while replacing it left it twice

    @property
    def operating_point_path(self) -> Path:
        return self.folder / "operating_point.json"

    def write_operating_point(self, point: OperatingPoint) -> None:
        """Replace the operating point. The one before is kept beside it, named by the time it was made.

        Raises:
            OSError: it cannot be written; the one before stays.
        """
        with self._deciding():
            self._replace_operating_point(point)

    def change_operating_point(self, change: Callable[[OperatingPoint], OperatingPoint]) -> None:
        """Replace the operating point by `change` of the current one, as `write_operating_point` does.

        Two changes at the same moment are both kept.

        Raises:
            ScalpError: it cannot be written, and the one before stays; a file is damaged.
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
        damage = self.operating_point_damage
        if damage and isinstance(damage.__cause__, PermissionError):
            raise damage
        if path.exists() and not damage:
            self._keep(path.read_text(encoding="utf-8"), self.operating_point.made)
        write_sealed_json(path, as_json(point))
        # The clock of files ticks every few milliseconds: within a tick readers would keep their cached values.
        later = max(before, _changed_ns(self.folder / "manifest.json")) + 1
        if _changed_ns(path) < later:
            os.utime(path, ns=(later, later))

    def _keep(self, content: str, made: str) -> None:
        """Keep a version that is about to be replaced, under a name that no other version has."""
        name = "operating_point-" + re.sub(r"[^0-9T]", "", made)[:21]
        again = (f"-{number:03d}" if number > 1 else "" for number in itertools.count(1))
        paths = (self.folder / f"{name}{suffix}.json" for suffix in again)
        write_text(next(path for path in paths if not path.exists() or path.read_text("utf-8") == content), content)

    @property
    def checkpoint_path(self) -> Path:
        """The file that a training goes on from; gone when it has finished."""
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
        """The gate that tells pictures that this run can grade from others; see inference.input_gate."""
        return self.folder / "gate.safetensors"

    @property
    def gate_damage(self) -> ScalpError | None:
        """Why pictures are not checked though there is a gate; None where they are, or there is none."""
        try:
            return None if signature(self.gate_path) is None or seal_holds(self.gate_path) else _no_gate(self.id)
        except OSError as error:
            return damaged(self.id, self.gate_path.name, error)

    @property
    def predictions_path(self) -> Path:
        return self.folder / "predictions.parquet"

    @property
    def files(self) -> list[tuple[str, int]]:
        """Names and bytes of the files in the folder."""
        present = (path for path in sorted(self.folder.iterdir()) if path.is_file() and not path.name.startswith("."))
        return [(path.name, path.stat().st_size) for path in present]

    def cancel(self) -> None:
        """Cancel it. A running training stops within a step."""
        if self.state.active or self.state is State.PAUSED:
            write_text(self.folder / "cancelled", utc_now() + "\n")

    def pause(self) -> None:
        """Stop at the last checkpoint until `resume`."""
        if self.state.active:
            write_text(self.folder / "paused", utc_now() + "\n")

    def resume(self) -> None:
        """Queue a paused, cancelled or failed run again, from its last checkpoint."""
        for name in ("paused", "cancelled", "error.txt"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def finished_ns(self) -> int:
        """Time at which it finished: changes when a run is made anew under the same name."""
        return (self.folder / "manifest.json").stat().st_mtime_ns

    @property
    def changed_ns(self) -> int:
        """Time of the last change of its predictions: it was made anew, or its operating point was replaced."""
        return max(self.finished_ns, _changed_ns(self.operating_point_path))

    @property
    def stop_requested(self) -> bool:
        return (self.folder / "cancelled").exists() or (self.folder / "paused").exists()

    # Written by the training process, in this order.

    def write_recipe(self, facts: Mapping[str, Any]) -> None:
        """Write the recipe and what it was created from, by which the run exists."""
        write_sealed_json(self.folder / "recipe.json", facts)

    def write_learned(self, pictures: Iterable[str], complete: bool) -> None:
        """Write the SHA-256 of all pictures that it and its ancestors learn from."""
        metadata = {_COMPLETE: str(complete), SEAL: BLANK}
        table = pa.table({"sha256": pa.array(sorted(pictures), pa.string())}, metadata=metadata)
        write_sealed(self.folder / _LEARNED, lambda path: pq.write_table(table, path, compression="zstd"))

    def write_progress(self, progress: Progress) -> None:
        write_sealed_json(self.folder / "progress.json", asdict(progress))

    def write_history(self, epochs: Iterable[dict[str, Any]]) -> None:
        """Write all finished epochs anew, so that a resumed run never shows an epoch twice."""
        write_text(self.folder / "history.jsonl", b"".join(map(sealed_json, epochs)).decode())

    def write_preprocessing(self, preprocessing: Preprocessing) -> None:
        write_sealed_json(self.folder / "preprocessing.json", asdict(preprocessing))

    @property
    def preprocessing_whole(self) -> bool:
        """Whether a training that goes on may read its preprocessing; otherwise it is made again."""
        try:
            return seal_holds(self.folder / "preprocessing.json")
        except OSError:
            return False

    @property
    def checkpoint_whole(self) -> bool:
        """Whether a training may go on from its checkpoint; False where there is none.

        Raises:
            OSError: it cannot be read.
        """
        return self.checkpoint_path.exists() and seal_holds(self.checkpoint_path)

    def write_manifest(self, facts: dict[str, Any]) -> None:
        """Write the hashes of the files, which declares the run finished; then remove files of running ones."""
        manifest = {"files": {name: sha256(self.folder / name) for name in self._vouched}, **facts}
        write_sealed_json(self._manifest_path, manifest)
        for name in ("checkpoint.safetensors", "progress.json", "paused", "cancelled"):
            (self.folder / name).unlink(missing_ok=True)

    @property
    def _vouched(self) -> tuple[str, ...]:
        return (*_VOUCHED, _LEARNED) if (self.folder / _LEARNED).is_file() else _VOUCHED

    def check_before_manifest(self) -> None:
        """Check that the files of the beginning are what was written, as the manifest will vouch for them.

        Raises:
            ScalpError: one is not.
        """
        for name in _SEALED_FIRST:
            try:
                require_seal(self.folder / name)
            except UNREADABLE as error:
                raise damaged(self.id, name, error) from error

    def drop_local_files(self) -> None:
        """Remove what stays on one machine: short cuts, speed and log, and operating points that were replaced."""
        earlier = (path.name for path in self.folder.glob("operating_point-*.json"))
        for name in ("model-int8.onnx", "serving.json", "speed.json", "log.txt", *earlier):
            (self.folder / name).unlink(missing_ok=True)

    def write_error(self, sentence: Text, details: str = "") -> None:
        (self.folder / "progress.json").unlink(missing_ok=True)  # first: on a full disk this makes room for the error
        write_text(self.folder / "error.txt", f"{sentence.en}\n{sentence.ko}\n\n{details}".strip() + "\n")

    @property
    def complete(self) -> bool:
        """Whether a finished run's files are what was written, but for the weights, which `verify` reads."""
        try:
            self.check_complete()
        except ScalpError:
            return False
        return True

    def check_complete(self) -> None:
        """Check that it is complete. Files that have not changed are not read again.

        Raises:
            ScalpError: it is not; the message names the file.
        """
        self._check_files(lambda name: name != _WEIGHTS)
        if not self.weights_path.is_file():
            raise damaged(self.id, _WEIGHTS)

    def verify(self) -> None:
        """Check that every file has the hash of the manifest: flipped bits would load without an error.

        Raises:
            ScalpError: one has not.
        """
        self._check_files(lambda name: True)

    def _check_files(self, wanted: Callable[[str], bool]) -> None:
        try:
            digests = dict(self.manifest["files"])
        except (LookupError, TypeError, ValueError) as error:
            raise damaged(self.id, "manifest.json") from error
        for name in filter(wanted, (*digests, *(name for name in self._vouched if name not in digests))):
            path = self.folder / name
            try:
                whole = path.is_file() and sha256(path) == digests.get(name)
            except OSError as error:
                raise damaged(self.id, name, error) from error
            if not whole:
                raise damaged(self.id, name)

    def write_export(self, facts: dict[str, Any]) -> None:
        """Write the hash of `model.onnx` and that of the weights it was made from."""
        hashes = {"model": sha256(self.export_path), "weights": sha256(self.weights_path)}
        write_sealed_json(self._export_facts_path, hashes | {"outputs": OUTPUTS} | facts)

    def write_export_failure(self, reason: Text) -> None:
        """Write why these weights could not be exported; an export that succeeds later takes its place."""
        facts = {"weights": sha256(self.weights_path), "failure": reason._asdict()}
        write_sealed_json(self._export_facts_path, facts)

    @property
    def export_failure(self) -> Text | None:
        """Why a finished run could not be exported and so cannot grade pictures; None where nothing is against it."""
        if not self.finished:
            return None
        return _read_export_failure(self, self.finished_ns, _changed_ns(self._export_facts_path))

    def check_exportable(self) -> None:
        """Check that no try to export it has failed.

        Raises:
            ScalpError: `no_export`, with the reason and how to try again.
        """
        if reason := self.export_failure:
            raise self.no_export(reason)

    def no_export(self, reason: Text) -> ScalpError:
        """Return the error that it cannot grade pictures as it could not be exported."""
        return ScalpError(
            "no_export",
            f"Run “{self.id}” could not be exported and cannot grade pictures. {reason.en} To try again: "
            "python -m training.export",
            f"“{self.id}” 실행을 내보내지 못해 등급 추정에 쓸 수 없어요. {reason.ko} 다시 시도하려면 "
            "python -m training.export를 실행하세요.",
        )

    @property
    def _export_facts_path(self) -> Path:
        return self.folder / "export.json"

    @property
    def export_difference(self) -> float | None:
        """The largest difference of a probability between the export and torch; None where it was not exported."""
        try:
            return float(read_sealed_json(self._export_facts_path)["largest_difference"])
        except UNREADABLE:  # never exported, or to be exported again
            return None

    def write_serving(self, serving: Serving, facts: dict[str, Any]) -> None:
        """Serve it with these short cuts from now on.

        Args:
            facts: of the check that they passed, kept along.
        """
        hashes = {"weights": self.manifest["files"]["model.safetensors"]}
        if serving.int8:
            hashes["model"] = sha256(self.int8_path)
        write_sealed_json(self._serving_path, asdict(serving) | hashes | facts)

    @property
    def serving(self) -> Serving:
        """The short cuts that it is served with; none unless they were checked with these very weights."""
        return _read_serving(self, *map(signature, (self._manifest_path, self._serving_path, self.int8_path)))

    @property
    def _serving_path(self) -> Path:
        return self.folder / "serving.json"

    @property
    def milliseconds(self) -> float | None:
        """Milliseconds a picture on one core of this machine; None where they were not measured here."""
        try:
            speed = read_sealed_json(self.folder / "speed.json")
            return float(speed["milliseconds"]) if speed["machine"] == _machine() else None
        except UNREADABLE:  # not measured yet; a damaged file is measured again
            return None

    def write_milliseconds(self, milliseconds: float) -> None:
        """Keep the measured milliseconds.

        Raises:
            ScalpError: the folder cannot be written.
        """
        try:
            write_sealed_json(self.folder / "speed.json", {"milliseconds": milliseconds, "machine": _machine()})
        except OSError as error:
            raise not_writable(error) from error

    @property
    def exported(self) -> bool:
        """Whether `model.onnx` is there, whole, and made from these weights; otherwise it is made again."""
        weights = self.manifest["files"]["model.safetensors"]
        try:
            facts = read_sealed_json(self._export_facts_path)
            if facts["weights"] != weights or facts.get("outputs") != [*OUTPUTS]:
                return False
            return bool(facts["model"] == sha256(self.export_path))
        except UNREADABLE:
            return False


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _machine() -> str:
    """Name this machine, as folders are copied to machines that are faster or slower."""
    return f"{platform.node()}, {os.cpu_count()} cores"


def damaged(run_id: str, name: str, error: Exception | None = None) -> ScalpError:
    """Return the error of a file of a run that is missing or not what was written; `error`: of reading it."""
    if isinstance(error, PermissionError):
        return forbidden("damaged", f"{name} of run “{run_id}”", f"“{run_id}” 실행의 {name}")
    return ScalpError(
        "damaged",
        f"{name} of run “{run_id}” is missing or not what was written when it finished. Restore it or train again.",
        f"“{run_id}” 실행의 {name} 파일이 없거나 완료 당시와 달라요. 복원하거나 다시 학습하세요.",
    )


def _fitted_again(run_id: str) -> ScalpError:
    return ScalpError(
        "damaged_point",
        f"operating_point.json of run “{run_id}” is damaged; until you restore it, the run decides by an operating "
        "point fitted anew on its predictions, so its grades may differ. To keep that one: python -m "
        f"training.calibrate {run_id}",
        f"“{run_id}” 실행의 operating_point.json이 손상되었어요. 파일을 복원할 때까지 저장된 예측에 다시 맞춘 운영점을 "
        f"쓰므로 등급이 달라질 수 있어요. 이 운영점을 계속 쓰려면: python -m training.calibrate {run_id}",
    )


def _no_gate(run_id: str) -> ScalpError:
    return ScalpError(
        "damaged_gate",
        f"gate.safetensors of run “{run_id}” is damaged, or of an earlier version: pictures are graded without a "
        f"quality check. Restore it, or have it fitted again: python -m training.calibrate {run_id}",
        f"“{run_id}” 실행의 gate.safetensors가 손상되었거나 이전 버전의 것이어서 품질 검사 없이 등급을 추정해요. "
        f"파일을 복원하거나 다시 맞추세요: python -m training.calibrate {run_id}",
    )


# ---- reading: once, until a file changes ----


@lru_cache(maxsize=1024)
def _read_manifest(path: Path, _signature: Signature | None) -> dict[str, Any]:
    return read_sealed_json(path)


def _manifest_vouches(path: Path) -> bool:
    """Return whether a file has the hash that the manifest beside it says.

    Raises:
        OSError: the file cannot be read.
    """
    manifest = path.with_name("manifest.json")
    try:
        digest = _read_manifest(manifest, signature(manifest))["files"][path.name]
    except UNREADABLE:
        return False
    return bool(sha256(path) == digest)


def _require_vouched(path: Path) -> None:
    """Raise SealBrokenError unless the manifest vouches for a file or, before there is one, its own seal."""
    if not _manifest_vouches(path):
        require_seal(path)


def _read_vouched_json(path: Path) -> dict[str, Any]:
    _require_vouched(path)
    values = dict(read_json(path))
    values.pop(SEAL, None)
    return values


@lru_cache(maxsize=1024)
def _read_recipe(path: Path, *_signatures: Signature | None) -> tuple[Recipe, dict[str, Any]]:
    values = _read_vouched_json(path)
    missing = {"recipe", "index_hash", "evaluation_hash", "synthetic", "created"} - set(values)
    if missing:
        raise LookupError(f"{path} lacks {', '.join(sorted(missing))}")
    recipe = recipe_from(values.pop("recipe"))
    # Shown as they are, in tables and headings: a file from elsewhere must not bring links along.
    if not ARCHITECTURE_NAME.fullmatch(recipe.architecture) or not NAME.fullmatch(recipe.data):
        raise ValueError(f"{path} names no architecture or no dataset")
    return recipe, values


@lru_cache(maxsize=64)
def _read_predictions(run: Run, *_signatures: Signature | None) -> pd.DataFrame:
    path = run.predictions_path
    try:
        if not _manifest_vouches(path):
            raise damaged(run.id, path.name)
        table = pd.read_parquet(path)
    except (ArrowException, OSError, ValueError) as error:
        raise damaged(run.id, path.name, error) from error
    if not set(table) >= _PREDICTED or not set(table["condition"].unique()) <= set(CONDITIONS):
        raise damaged(run.id, path.name)
    return table


_COMPLETE = b"complete"


@lru_cache(maxsize=64)
def _read_learned(path: Path, *_signatures: Signature | None) -> tuple[frozenset[str], bool]:
    try:
        _require_vouched(path)
        table = pq.read_table(path)
        return frozenset(table.column("sha256").to_pylist()), table.schema.metadata[_COMPLETE] == b"True"
    except (ArrowException, *UNREADABLE) as error:
        raise damaged(path.parent.name, path.name) from error


@lru_cache(maxsize=64)
def _apply(run: Run, *_signatures: Signature | None) -> pd.DataFrame:
    return run.operating_point.apply(run.raw_predictions)


@lru_cache(maxsize=1024)
def _read_operating_point(path: Path, found_as: Signature | None) -> OperatingPoint:
    if not found_as:
        return OperatingPoint()
    try:
        return from_json(read_sealed_json(path))
    except UNREADABLE as error:
        raise damaged(path.parent.name, path.name, error) from error


@lru_cache(maxsize=64)
def _fit_again(run: Run, changed_ns: int, *_signatures: Signature | None) -> OperatingPoint:
    _log.warning("%s", _fitted_again(run.id))
    point = fit(run.raw_predictions, run.recipe.recall_floor, "fitted again, as operating_point.json was damaged")
    # The same in every process: tables of grades name the point by it.
    return replace(point, made=datetime.fromtimestamp(changed_ns / 1e9, UTC).isoformat())


@lru_cache(maxsize=64)
def _read_serving(
    run: Run, _finished_as: Signature | None, found_as: Signature | None, int8_found_as: Signature | None
) -> Serving:
    if not found_as:
        return Serving()
    try:
        stored = read_sealed_json(run.folder / "serving.json")
        if stored["weights"] != run.manifest["files"]["model.safetensors"]:
            return Serving()
        # The 8-bit network is made from the weights and stays behind when a run is copied.
        int8 = bool(stored["int8"]) and int8_found_as is not None and stored["model"] == sha256(run.int8_path)
        return Serving(bool(stored["reduced"]), int8)
    except UNREADABLE:
        # Short cuts only save time: without them the run answers as it was judged.
        _log.warning("serving.json of run %s cannot be read; it answers without short cuts", run.id)
        return Serving()


@lru_cache(maxsize=1024)
def _read_export_failure(run: Run, finished_ns: int, changed_ns: int) -> Text | None:
    if not finished_ns or not changed_ns:
        return None
    try:
        facts = read_sealed_json(run.folder / "export.json")
        if facts["weights"] != run.manifest["files"]["model.safetensors"]:
            return None
        return Text(str(facts["failure"]["en"]), str(facts["failure"]["ko"]))
    except (ScalpError, *UNREADABLE):  # no failure in it, or damaged: it is exported again, or the manifest is told of
        return None


def _changed_ns(path: Path) -> int:
    """Return the time of the last change; 0 where there is no such file."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def utc_now() -> str:
    return datetime.now(UTC).isoformat()


def not_writable(error: OSError) -> ScalpError:
    """Return the error that the folder for runs cannot be written."""
    return ScalpError(
        "not_writable",
        f"The folder for runs cannot be written ({error.strerror}): the artifacts folder must be writable.",
        f"실행 폴더에 쓸 수 없어요({error.strerror}). artifacts 폴더에 쓰기 권한이 필요해요.",
    )
