"""Recipes and runs: a folder per training run is the whole protocol. Knows no torch, no metric, no process.

State is derived from which files exist and whether the training process holds the folder's lock, so nothing can go
stale. The table of files is in docs/design/runs.md; this is the only module that knows their names.
"""

import itertools
import json
import logging
import os
import platform
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock
from pyarrow import ArrowException

from scalp_core.architectures import ARCHITECTURE_NAME, weights_file
from scalp_core.data.dataset import NAME, Dataset, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.files import is_locked, read_json, sha256, write_json, write_text
from scalp_core.images import Preprocessing
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.operating_point import OperatingPoint, as_json, from_json

_log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parent.parent.parent

# What the manifest vouches for: everything that made the run, in the order of writing. The export is made from the
# weights again at will, the log and the operating point may change later; the export carries its own check.
_VOUCHED = ("recipe.json", "history.jsonl", "model.safetensors", "preprocessing.json", "predictions.parquet")
# What the exported network gives for a picture, in this order.
OUTPUTS = ("probabilities", "evidence", "features")
_PREDICTED = {"image", "condition", "part", "truth", *PROBABILITIES}  # columns of a prediction table
_LOG_SHOWN = 20_000  # characters
MAX_WAITING = 100  # runs; a sweep of thirty fits, a stuck key does not

# Long enough that a moment's look at the lock by somebody else cannot keep its owner out.
_LOCK_PATIENCE = 10.0  # seconds


def artifacts_folder() -> Path:
    """Where runs live: `SCALP_ARTIFACTS`, or `artifacts/` beside the code."""
    return Path(os.environ.get("SCALP_ARTIFACTS") or _ROOT / "artifacts")


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


def _asked(default: Any, en: str, ko: str, low: float | None = None, high: float | None = None) -> Any:
    """A recipe field with its explanation (command line and sidebar show it) and its limits."""
    return field(default=default, metadata={"help": Text(en, ko), "low": low, "high": high})


# Fields that take one of a few words.
CHOICES = {
    "learns": ("everything", "head"),
    "loss": ("cross_entropy", "smoothed", "triangular", "beta", "distance_weighted"),
    "sampling": ("none", "square_root", "full"),
    "grade_weights": ("none", "square_root", "full"),
    "colours": ("auto", "plain", "whitened"),
    "augmentation": ("standard", "none"),
    "precision": ("auto", "full", "bfloat16"),
}

# What recipes written before a field existed were trained with.
_BEFORE = {
    "loss": "cross_entropy",
    "sampling": "none",
    "colours": "plain",
    "ema": 0.0,
    "patience": 0,
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training. The flags of the command line and the sidebar's form are these fields."""

    architecture: str = _asked(
        "efficientnet_b0",
        "a variant of the five families, or any timm name",
        "다섯 계열의 모델 구조 또는 timm 이름",
    )
    data: str = _asked("demo", "name of the dataset", "데이터셋 이름")
    conditions: tuple[Condition, ...] = _asked(
        CONDITIONS,
        "conditions to grade: all six with a shared backbone, or one",
        "추정할 증상: 백본을 공유하는 여섯 가지 또는 하나",
    )
    epochs: int = _asked(20, "epochs over the training split", "학습 분할 반복 횟수", 1, 1000)
    image_size: int = _asked(
        224,
        "side of the square model input in pixels, a multiple of 32",
        "정사각형 모델 입력의 한 변, 픽셀, 32의 배수",
        64,
        1024,
    )
    batch_size: int = _asked(32, "pictures per training step", "학습 단계당 사진 수", 2, 1024)
    lr: float = _asked(3e-4, "peak learning rate of AdamW", "AdamW 최대 학습률", 1e-7, 1.0)
    weight_decay: float = _asked(0.05, "weight decay of AdamW", "AdamW 가중치 감쇠", 0.0, 1.0)
    warmup_epochs: float = _asked(
        1.0, "epochs of linear warm-up before cosine decay", "코사인 감쇠 전 워밍업 에폭 수", 0.0, 100.0
    )
    augmentation: str = _asked(
        "standard",
        "“standard” (flips, rotations, crops, colour) or “none”",
        "“standard”(뒤집기·회전·자르기·색) 또는 “none”",
    )
    learns: str = _asked(
        "everything",
        "layers to train: “everything”, or only the “head” on features computed once (seconds)",
        "학습할 층: “everything”(전체) 또는 한 번 계산한 특징 위의 “head”(헤드만, 몇 초)",
    )
    frozen_epochs: int = _asked(
        0,
        "first epochs that train only the head; protects pretrained weights",
        "헤드만 학습하는 처음 에폭 수. 사전 학습 가중치를 보호",
        0,
        1000,
    )
    layer_decay: float = _asked(
        1.0,
        "learning rate of each layer relative to the next; below 1 protects early pretrained layers",
        "다음 층 대비 앞 층의 학습률 비율. 1보다 작으면 사전 학습된 앞 층이 덜 바뀜",
        0.1,
        1.0,
    )
    loss: str = _asked(
        "triangular",
        "“cross_entropy”; “smoothed” (label smoothing); soft labels over neighbouring grades, “triangular” or “beta”; "
        "“distance_weighted”: far errors cost more (CDW-CE)",
        "손실 함수: “cross_entropy”, “smoothed”(라벨 스무딩), 이웃 등급에 나눠 주는 소프트 라벨 “triangular”·“beta”, "
        "먼 오류에 더 큰 벌점을 주는 “distance_weighted”(CDW-CE)",
    )
    sampling: str = _asked(
        "square_root",
        "oversampling of rare grades: “none”, “square_root” or “full” balance",
        "드문 등급의 오버샘플링: “none”(없음), “square_root”(제곱근), “full”(완전 균형)",
    )
    grade_weights: str = _asked(
        "none",
        "class weights of rare grades in the loss: “none”, “square_root” or “full” balance",
        "드문 등급의 손실 클래스 가중치: “none”, “square_root”, “full”",
    )
    condition_weights: tuple[float, ...] = _asked(
        (),
        "loss weight of each condition of a shared model, in order; empty: equal",
        "공유 모델의 손실에서 증상별 가중치(순서대로). 비우면 모두 같음",
        0.0,
        100.0,
    )
    mixup: float = _asked(
        0.0,
        "mixup: pairs of pictures are blended with Beta(mixup, mixup); 0 is off",
        "믹스업: 사진 두 장을 Beta(mixup, mixup) 비율로 섞음. 0이면 사용하지 않음",
        0.0,
        10.0,
    )
    ema: float = _asked(
        0.99,
        "decay per step of the moving average of the weights (EMA), which is validated and kept; 0 is off",
        "가중치 이동 평균(EMA)의 단계별 감쇠. 평균한 가중치를 검증하고 저장함. 0이면 사용하지 않음",
        0.0,
        0.9999,
    )
    patience: int = _asked(
        8,
        "early stopping: epochs without a better validation QWK; 0 is off",
        "조기 종료: 검증 QWK가 나아지지 않는 에폭 수. 0이면 끝까지",
        0,
        1000,
    )
    recall_floor: float = _asked(
        0.2,
        "minimum worst-grade recall of the decision rule on the calibration split",
        "판정 규칙이 보정 분할에서 지켜야 할 등급별 최저 재현율",
        0.0,
        1.0,
    )
    colours: str = _asked(
        "auto",
        "“whitened”: colour whitening, so that faint redness counts as much as lightness; “plain”: per channel, as "
        "pretrained weights need; “auto”: whitened for random weights",
        "“whitened”: 색 화이트닝, 옅은 붉은색도 명암만큼 반영. “plain”: 채널별 정규화(사전 학습 가중치용). “auto”: "
        "무작위 가중치일 때 whitened",
    )
    precision: str = _asked(
        "auto",
        "“auto” (bfloat16 on GPUs that support it), “full” or “bfloat16” (up to twice as fast on CPUs with native "
        "support, slower on others)",
        "학습 단계의 연산 정밀도: “auto”(지원하는 GPU에서 bfloat16), “full” 또는 “bfloat16”(전용 명령어가 있는 CPU에서 "
        "최대 두 배 빠르고, 없으면 느림)",
    )
    weights: str = _asked(
        "pretrained",
        "initial weights: “pretrained” (downloaded), “none” (random), a safetensors file of the backbone, or "
        "“run:NAME”, a finished run",
        "초기 가중치: “pretrained”(내려받기), “none”(무작위), 백본의 safetensors 파일, 또는 완료된 실행 “run:이름”",
    )
    seed: int = _asked(0, "random seed", "난수 시드", 0, 2**31 - 1)

    def check(self) -> None:
        """Raises ScalpError at the first field that cannot be trained with; widgets' limits are not relied upon."""
        if not ARCHITECTURE_NAME.fullmatch(self.architecture):
            raise _bad_field("architecture", self.architecture, *_ARCHITECTURE_NAMES)
        if not self.conditions or len(set(self.conditions)) != len(self.conditions):
            raise _bad_field("conditions", self.conditions, *_SOME_CONDITIONS)
        for one in fields(self):
            value, low, high = getattr(self, one.name), one.metadata["low"], one.metadata["high"]
            if isinstance(one.default, int) and not isinstance(value, int):
                raise _bad_field(one.name, value, "a whole number", "정수")
            # A comparison that NaN cannot pass.
            numbers = value if isinstance(value, tuple) else (value,)
            if low is not None and not all(low <= number <= high for number in numbers):
                raise _bad_field(one.name, value, f"{low} to {high}", f"{low}–{high}")
        if self.condition_weights and len(self.condition_weights) != len(self.conditions):
            raise _bad_field("condition_weights", self.condition_weights, *_WEIGHT_EACH)
        if self.condition_weights and not any(self.condition_weights):
            raise _bad_field("condition_weights", self.condition_weights, *_WEIGHT_SOME)
        if self.image_size % 32:
            raise _bad_field("image_size", self.image_size, "divisible by 32", "32의 배수")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                listed = ", ".join(f"“{one}”" for one in known)
                raise _bad_field(name, getattr(self, name), f"one of {listed}", listed)
        self._check_weights()
        if self.learns == "head" and self.weights == "none":
            raise _bad_field("learns", self.learns, *_NOTHING_LEARNED)
        self._check_labels()

    @property
    def source(self) -> "Run | None":
        """The run whose weights it starts from, of `weights="run:NAME"`. Raises ScalpError if there is no such run."""
        return find_run(self.weights.removeprefix(_RUN)) if self.weights.startswith(_RUN) else None

    def _check_weights(self) -> None:
        if self.weights in ("none", "pretrained"):
            return
        source = self.source
        if source is None:
            weights_file(self.weights)
        elif not source.finished or source.recipe.architecture != self.architecture:
            raise _bad_field("weights", self.weights, *_SUCH_A_RUN)

    def _check_labels(self) -> None:
        index = open_dataset(self.data).index
        for condition in self.conditions:
            labelled = index.loc[index[condition.value].notna(), "part"]
            if not {"train", "valid"} <= set(labelled):
                raise _bad_field(
                    "conditions",
                    condition.value,
                    f"conditions for which “{self.data}” has labels to train on and to validate on",
                    f"“{self.data}”의 학습 분할과 검증 분할에 라벨이 있는 증상",
                )


_ARCHITECTURE_NAMES = Text("a name such as efficientnet_b0 or a timm name", "efficientnet_b0 같은 이름 또는 timm 이름")
_SOME_CONDITIONS = Text("one or more of the six, each once", "여섯 증상 가운데 하나 이상, 한 번씩")
_WEIGHT_EACH = Text("empty or one number a condition", "비우거나 증상마다 숫자 하나")
_WEIGHT_SOME = Text("above 0 for some condition", "하나 이상의 증상에서 0보다 큰 값")
_SUCH_A_RUN = Text("a finished run of the same architecture", "같은 구조로 완료된 실행")
_NOTHING_LEARNED = Text("“everything” when weights start random", "무작위 가중치로 시작할 때는 “everything”")
_RUN = "run:"
_ID_LETTERS = Text("up to 64 lower-case letters, digits, “_” and “-”", "영문 소문자, 숫자, “_”, “-”, 64자 이내")


def _bad_field(name: str, value: object, en: str, ko: str) -> ScalpError:
    return ScalpError(
        "bad_recipe",
        f"The recipe's {name} is “{str(value)[:80]}”; it must be {en}.",
        f"학습 설정 {name}의 값 “{str(value)[:80]}”은(는) 사용할 수 없어요. 가능한 값: {ko}.",
    )


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
        return self._asked[0]

    @property
    def _asked(self) -> tuple[Recipe, dict[str, Any]]:
        path = self.folder / "recipe.json"
        return _read_recipe(path, path.stat().st_mtime_ns)

    @property
    def index_hash(self) -> str:
        """The index (labels and split) it trains on, see Dataset.index_hash."""
        return str(self._asked[1]["index_hash"])

    @property
    def evaluation_hash(self) -> str:
        """The pictures it is judged on, see Dataset.evaluation_hash; runs that share it may be compared."""
        asked = self._asked[1]
        return str(asked.get("evaluation_hash", asked["index_hash"]))  # asked for before there was one: only its like

    @property
    def synthetic(self) -> bool:
        """It learned from rendered pictures."""
        return bool(self._asked[1]["synthetic"])

    @property
    def created(self) -> str:
        """UTC, ISO 8601; orders the queue."""
        return str(self._asked[1]["created"])

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
            write_text(self.folder / "cancelled", _now() + "\n")

    def pause(self) -> None:
        """Stop after what the last checkpoint holds and wait for `resume`."""
        if self.state.active:
            write_text(self.folder / "paused", _now() + "\n")

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
    def asked_to_stop(self) -> bool:
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
    return recipe_from(_BEFORE | values.pop("recipe")), values


def recipe_from(values: Mapping[str, Any]) -> Recipe:
    """The recipe of which `asdict` and JSON made these values."""
    tuples = {
        "conditions": tuple(Condition(key) for key in values["conditions"]),
        "condition_weights": tuple(float(weight) for weight in values.get("condition_weights", ())),
    }
    return Recipe(**{**values, **tuples})


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


def _now() -> str:
    return datetime.now(UTC).isoformat()


def list_runs() -> list[Run]:
    """All runs in order of creation. A folder whose recipe somebody broke is left out, and the log says so."""
    found = []
    for path in artifacts_folder().glob("*/recipe.json"):
        run = Run(path.parent)
        try:
            found.append((run.created, run.id, run))
        except (OSError, ValueError, LookupError, TypeError):
            _log.warning("recipe.json of run %s cannot be read; the run is left out", run.id)
    return [run for _, _, run in sorted(found, key=lambda one: one[:2])]


def finished_runs() -> list[Run]:
    """Finished runs with all their files, in order of creation: those that can be compared and can answer."""
    return [run for run in list_runs() if run.finished and run.complete]


def find_run(run_id: str) -> Run:
    """The run of that id, looked up among the known ones.

    Raises:
        ScalpError: there is none.
    """
    for run in list_runs():
        if run.id == run_id:
            return run
    raise ScalpError("no_run", f"There is no run “{run_id[:80]}”.", f"“{run_id[:80]}” 실행이 없어요.")


def find_finished(run_id: str) -> Run:
    """As `find_run`, for whoever wants to use it.

    Raises:
        ScalpError: `no_run`; `run_not_finished`, or finished and not whole any more.
    """
    run = find_run(run_id)
    if not run.finished:
        raise ScalpError(
            "run_not_finished",
            f"Run “{run.id}” has not finished ({run.state.text.en}); only finished runs can be used.",
            f"“{run.id}” 실행이 아직 완료되지 않았어요({run.state.text.ko}). 완료된 실행만 사용할 수 있어요.",
        )
    run.check_complete()
    return run


def create_run(recipe: Recipe, run_id: str | None = None) -> Run:
    """Ask for a training: check the recipe and write it. From then on it is queued.

    Without an id of its own, what is asked for twice is made once: while a run of the same recipe on the same index
    waits or trains, that one is returned.

    Args:
        run_id: for runs with a name of their own; otherwise architecture, time and four random digits.

    Raises:
        ScalpError: the recipe cannot be trained, the id is taken or malformed, the folder cannot be written.
    """
    recipe.check()
    made = run_id or _new_id(recipe.architecture)
    if not NAME.fullmatch(made):
        raise _bad_field("id", made, *_ID_LETTERS)
    dataset, folder = open_dataset(recipe.data), artifacts_folder() / made
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / ".create.lock"):  # looking and making are one step
            same = None if run_id else _same_active(recipe, dataset.index_hash)
            return same or _make_run(folder, recipe, dataset)
    except OSError as error:
        raise not_writable(error) from error


def _same_active(recipe: Recipe, index_hash: str) -> Run | None:
    return next((run for run in active_runs() if run.recipe == recipe and run.index_hash == index_hash), None)


def _make_run(folder: Path, recipe: Recipe, dataset: Dataset) -> Run:
    if sum(run.state.waiting for run in list_runs()) >= MAX_WAITING:
        raise ScalpError(
            "queue_full",
            f"{MAX_WAITING} runs wait already. Let some finish, or cancel some on the Training runs page.",
            f"이미 {MAX_WAITING}개의 학습이 대기 중이에요. 끝나기를 기다리거나 학습 실행 화면에서 취소하세요.",
        )
    try:
        folder.mkdir()
    except FileExistsError as error:
        made = folder.name
        raise ScalpError("run_exists", f"Run “{made}” exists already.", f"“{made}” 실행이 이미 있어요.") from error
    asked = {
        "recipe": asdict(recipe),
        "index_hash": dataset.index_hash,
        "evaluation_hash": dataset.evaluation_hash,
        "synthetic": dataset.synthetic,
        "created": _now(),
    }
    write_json(folder / "recipe.json", asked)
    return Run(folder)


def not_writable(error: OSError) -> ScalpError:
    """The error for whoever wants to train, promote or save where nothing can be written."""
    return ScalpError(
        "not_writable",
        f"The folder for runs cannot be written ({error.strerror}): the artifacts folder must be writable.",
        f"실행 폴더에 쓸 수 없어요({error.strerror}). artifacts 폴더에 쓰기 권한이 필요해요.",
    )


def _new_id(architecture: str) -> str:
    name = re.sub(r"[^a-z0-9_]", "-", architecture)[:38]
    return f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def active_runs() -> list[Run]:
    """The running one, then the waiting ones in the order in which they are taken up."""
    states = [(run, run.state) for run in list_runs()]
    active = [(run, state) for run, state in states if state.active]
    return [run for run, _ in sorted(active, key=lambda one: one[1] is not State.RUNNING)]
