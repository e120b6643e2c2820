"""Training of one run: the torch data set, the loop, the checkpoint. Knows no queue and no page.

Every epoch starts from a seed of its own (recipe seed and epoch), so a checkpoint at an epoch's end needs no random
states and a resumed training repeats exactly what an uninterrupted one would have done.
"""

import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from filelock import Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from scalp_core import evaluate, images
from scalp_core.backbones import timm, transforms
from scalp_core.dataset import Dataset, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.files import sweep, write_atomic
from scalp_core.images import Preprocessing
from scalp_core.labels import GRADES
from scalp_core.models import Network, build, export, logits, weights_source
from scalp_core.runs import Progress, Run

_EXPORT_PATIENCE = 600.0  # seconds
UNLABELLED = -100  # what cross_entropy leaves out
_GRADED_PARTS = ("valid", "calib", "test")
_SEEDS_APART = 10_007  # more than a training has epochs: no two of them share a seed

Arrays = npt.NDArray[np.uint8]  # (images, height, width, 3)


class Stopped(Exception):  # noqa: N818  asked for, so not an error
    """Somebody asked the run to stop; its last checkpoint stands."""


def train(run: Run) -> None:
    """Train `run` from its recipe or its last checkpoint to its manifest.

    Raises:
        ScalpError: why it cannot be trained, for the user.
        Stopped: it was cancelled or paused meanwhile.
    """
    started = time.monotonic()
    recipe, dataset = run.recipe, open_dataset(run.recipe.data)
    _check_unchanged(run, dataset)
    # Before the weights: they may take a download, and the first thing a page shows is that something happens.
    reporter = _Reporter(run, recipe.epochs)
    reporter.tell("preparing", 0, 0.0, None)
    torch.manual_seed(recipe.seed * _SEEDS_APART)  # the head, and the backbone if it starts random
    network, preprocessing = build(recipe.architecture, len(recipe.conditions), recipe.image_size, _weights(run))
    pixels = cached_pixels(dataset, preprocessing, reporter)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
    loop = _Loop(run, network, dataset, pixels, device)
    loop.restore()
    loop.weights_used = loop.weights_used or weights_source(recipe.architecture, recipe.weights)
    for epoch in range(loop.epochs_done + 1, recipe.epochs + 1):
        loop.run_epoch(epoch, reporter)
    network.load_state_dict(loop.best)
    reporter.tell("grading", recipe.epochs, 1.0, None)
    _finish(
        run,
        network,
        preprocessing,
        loop.grade_parts(_GRADED_PARTS),
        {
            "device": _device_name(device),
            "seconds": round(loop.seconds_before + time.monotonic() - started, 1),
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "best_epoch": loop.best_epoch,
            "weights_used": loop.weights_used,
            "versions": {name: version(name) for name in ("torch", "torchvision", "timm", "onnx", "onnxruntime")},
            "python": platform.python_version(),
        },
    )


def _check_unchanged(run: Run, dataset: Dataset) -> None:
    if run.index_hash != dataset.index_hash:
        raise ScalpError(
            "data_changed",
            f"Data set “{dataset.name}” is no longer the one this run was asked for: its labels or its split changed. "
            "Start a new run on it.",
            f"데이터 세트 “{dataset.name}”의 라벨이나 분할이 실행을 만든 뒤에 바뀌었습니다. 새 실행을 시작하십시오.",
        )


def _weights(run: Run) -> str:
    """A resumed run brings its own weights: nothing is downloaded twice."""
    return "none" if run.checkpoint_path.exists() else run.recipe.weights


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


class _Reporter:
    """Tells the run folder how far we are, at most once a second, and notices when we are asked to stop."""

    def __init__(self, run: Run, epochs: int) -> None:
        self.run, self.epochs, self.told = run, epochs, 0.0
        self.begun: tuple[float, float] | None = None

    def tell(self, phase: str, epoch: int, done: float, seconds_left: float | None, force: bool = True) -> None:
        if self.run.asked_to_stop:
            raise Stopped
        if force or time.monotonic() - self.told > 1:
            self.told = time.monotonic()
            self.run.write_progress(Progress(phase, epoch, self.epochs, round(done, 4), seconds_left))

    def step(self, epoch: int, done: float) -> None:
        """`done` is the share of the whole training; what this process did itself gives the estimate."""
        now = time.monotonic()
        self.begun = self.begun or (now, done)
        since, at = self.begun
        left = (now - since) / (done - at) * (1 - done) if done > at else None
        self.tell("training", epoch, done, None if left is None else round(left), force=False)


# ---- pixels ----


def cached_pixels(dataset: Dataset, preprocessing: Preprocessing, reporter: "_Reporter | None" = None) -> Arrays:
    """All pictures of the data set, resized, in the order of the index; decoded once and then memory-mapped.

    Raises:
        ScalpError: a picture of the index is gone or cannot be read; its name is in the message.
    """
    index = dataset.index
    name = f"{preprocessing.height}x{preprocessing.width}-{preprocessing.interpolation}-{_pixel_hash(index)}.npy"
    path = dataset.folder / "cache" / name
    if not path.exists():
        sweep(path.parent)  # only one training runs at a time, so whatever lies there is a killed one's
        write_atomic(path, lambda temporary: _fill_cache(temporary, dataset, preprocessing, reporter))
    array: Arrays = np.load(path, mmap_mode="r")
    return array


def _pixel_hash(index: pd.DataFrame) -> str:
    return f"{pd.util.hash_pandas_object(index[['id', 'sha256']], index=False).sum():016x}"


def _fill_cache(path: Path, dataset: Dataset, preprocessing: Preprocessing, reporter: "_Reporter | None") -> None:
    ids = list(dataset.index.index)
    shape = (len(ids), preprocessing.height, preprocessing.width, 3)
    # Pillow lets go of the interpreter lock while it decodes and resizes, so threads are enough.
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        pictures = pool.map(lambda image_id: _small(dataset, image_id, preprocessing), ids)
        # Written, not mapped: a full disk is then an error that can be told, not a SIGBUS.
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for number, picture in enumerate(pictures):
                file.write(picture.tobytes())
                if reporter:
                    reporter.tell("preparing", 0, number / len(ids), None, force=False)
    finally:
        pool.shutdown(cancel_futures=True)  # whoever stops does not wait for the pictures that are left


def _small(dataset: Dataset, image_id: str, preprocessing: Preprocessing) -> images.Pixels:
    try:
        return images.resize(images.decode(dataset.read(image_id)).pixels, preprocessing)
    except ScalpError as error:
        en, ko = error.text
        raise ScalpError(error.code, f"Picture {image_id}: {en}", f"사진 {image_id}: {ko}") from error


class _Pictures(TorchDataset[tuple[Tensor, Tensor]]):
    """Rows of the pixel cache with their labels: ((3, h, w) uint8, (conditions,) int64 with UNLABELLED)."""

    def __init__(self, pixels: Arrays, rows: npt.NDArray[np.intp], labels: Tensor, augment: Any = None) -> None:
        self.pixels, self.rows, self.labels, self.augment = pixels, rows, labels, augment

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        row = int(self.rows[number])
        picture = torch.from_numpy(np.array(self.pixels[row])).permute(2, 0, 1)
        return (self.augment(picture) if self.augment else picture), self.labels[row]


@contextmanager
def _one_thread() -> Iterator[None]:
    """For work on small pictures, one after another: two threads that wait for each other take twice as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def augmentation(name: str) -> Any:
    """What a microscope allows: any side may be up, colour follows the lamp, the crop stays close to the whole."""
    if name == "none":
        return None
    return transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomVerticalFlip(),
            transforms.RandomAffine(degrees=10, translate=(0.06, 0.06), scale=(0.95, 1.15), fill=128),
            transforms.ColorJitter(brightness=0.15, contrast=0.15, saturation=0.15, hue=0.02),
        ]
    )


# ---- the loop ----


@dataclass
class _Loop:
    """One training in progress: network, optimiser and what has been reached."""

    run: Run
    network: Network
    dataset: Dataset
    pixels: Arrays
    device: torch.device

    def __post_init__(self) -> None:
        recipe = self.run.recipe
        index = self.dataset.index
        columns = [condition.value for condition in recipe.conditions]
        self.labels = torch.from_numpy(index[columns].fillna(UNLABELLED).to_numpy(dtype=np.int64))
        self.parts = {part: np.flatnonzero(index["part"] == part) for part in (*_GRADED_PARTS, "train")}
        self.steps = max(1, len(self.parts["train"]) // recipe.batch_size)
        self.optimizer = timm.optim.create_optimizer_v2(
            self.network, opt="adamw", lr=recipe.lr, weight_decay=recipe.weight_decay
        )
        self.schedule = timm.scheduler.CosineLRScheduler(
            self.optimizer,
            t_initial=recipe.epochs * self.steps,
            warmup_t=min(int(recipe.warmup_epochs * self.steps), recipe.epochs * self.steps - 1),
            warmup_lr_init=recipe.lr / 100,
            lr_min=recipe.lr / 100,
            t_in_epochs=False,
        )
        self.epochs_done, self.best_epoch, self.seconds_before, self.weights_used = 0, 0, 0.0, ""
        self.best_score = (-1.0, float("-inf"))
        self.best: dict[str, Tensor] = self._weights()
        self.history: list[dict[str, Any]] = []

    def run_epoch(self, epoch: int, reporter: _Reporter) -> None:
        """Train one epoch, validate it, remember it if it is the best so far, and write it all down."""
        started = time.monotonic()
        train_loss = self._train_epoch(epoch, reporter)
        valid = self.grade_parts(["valid"])
        if not np.isfinite(valid[evaluate.PROBABILITIES]).all(axis=None):  # the last step may have spoilt the weights
            raise _diverged(epoch, self.run.recipe.lr)
        report = evaluate.report(valid).set_index("condition")
        # A constant prediction of a constant truth agrees in nothing beyond chance.
        kappas = report.loc[report["images"] > 0, "quadratic_weighted_kappa"].fillna(0.0)
        line = {
            "epoch": epoch,
            "train_loss": round(train_loss, 6),
            "valid_loss": round(_mean_loss(valid), 6),
            "valid_qwk": round(float(kappas.mean()), 6),
            **{f"qwk_{condition}": round(float(kappas[condition]), 6) for condition in kappas.index},
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": round(time.monotonic() - started, 2),
        }
        self.history.append(line)
        score = (line["valid_qwk"], -line["valid_loss"])
        if score > self.best_score:
            self.best_score, self.best_epoch, self.best = score, epoch, self._weights()
        self.epochs_done = epoch
        self.run.write_history(self.history)
        self._save_checkpoint()
        print(json.dumps(line), flush=True)

    def _train_epoch(self, epoch: int, reporter: _Reporter) -> float:
        recipe = self.run.recipe
        torch.manual_seed(recipe.seed * _SEEDS_APART + epoch)
        pictures = _Pictures(self.pixels, self.parts["train"], self.labels, augmentation(recipe.augmentation))
        self.network.train()
        losses = []
        for step, (batch, labels) in enumerate(self._batches(pictures, recipe.batch_size, shuffle=True)):
            done = ((epoch - 1) * self.steps + step) / (recipe.epochs * self.steps)
            reporter.step(epoch, done)
            self.schedule.step_update((epoch - 1) * self.steps + step)
            loss = self._loss(self._evidence(batch), labels.to(self.device))
            if not torch.isfinite(loss):
                raise _diverged(epoch, recipe.lr)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), max_norm=1.0)
            self.optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    def _evidence(self, batch: Tensor) -> Tensor:
        # Grading stays in full precision, as the export answers: predictions tell of the model that is used.
        with torch.autocast(self.device.type, torch.bfloat16) if self._in_bfloat16() else nullcontext():
            pixels = batch.to(self.device, non_blocking=True).float()
            evidence: Tensor = self.network(pixels.contiguous(memory_format=torch.channels_last))
        return evidence.float()

    def _in_bfloat16(self) -> bool:
        """Whether this step computes in bfloat16 where that is safe."""
        precision = self.run.recipe.precision
        if precision == "auto":  # CPUs without instructions for it emulate it (0.4× measured)
            precision = "bfloat16" if self.device.type == "cuda" and torch.cuda.is_bf16_supported() else "full"
        return torch.is_grad_enabled() and precision == "bfloat16"

    def _loss(self, evidence: Tensor, labels: Tensor) -> Tensor:
        """Mean over labelled conditions of the cross-entropy; unlabelled ones are masked."""
        # The sum with a floor of one: a batch without any label gives 0, not NaN.
        total = cross_entropy(
            logits(evidence).flatten(0, 1), labels.flatten(), ignore_index=UNLABELLED, reduction="sum"
        )
        return total / (labels != UNLABELLED).sum().clamp(min=1)

    def _batches(self, pictures: _Pictures, batch_size: int, shuffle: bool) -> Iterator[tuple[Tensor, Tensor]]:
        # On a CPU the network needs every core; beside a GPU the cores would idle.
        workers = min(8, (os.cpu_count() or 2) // 2) if self.device.type == "cuda" else 0
        full = shuffle and len(pictures) >= batch_size  # a last batch of one breaks batch normalisation
        batches = iter(DataLoader(pictures, batch_size, shuffle=shuffle, drop_last=full, num_workers=workers))
        while True:
            with _one_thread():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch[0], batch[1]

    def grade_parts(self, parts: list[str] | tuple[str, ...]) -> pd.DataFrame:
        """The prediction table of these parts, with the network as it is now."""
        return pd.concat([self._grade_part(part) for part in parts], ignore_index=True)

    def _grade_part(self, part: str) -> pd.DataFrame:
        recipe, rows = self.run.recipe, self.parts[part]
        pictures = _Pictures(self.pixels, rows, self.labels)
        self.network.eval()
        with torch.inference_mode():
            batches = []
            for batch, _ in self._batches(pictures, 64, shuffle=False):
                if self.run.asked_to_stop:
                    raise Stopped
                batches.append(logits(self._evidence(batch)).softmax(dim=-1).cpu())
        probabilities = torch.cat(batches or [torch.empty(0, len(recipe.conditions), len(GRADES))]).numpy()
        ids = self.dataset.index["id"].to_numpy()[rows]
        tables = []
        for number, condition in enumerate(recipe.conditions):
            table = pd.DataFrame(probabilities[:, number], columns=evaluate.PROBABILITIES)
            table.insert(0, "image", ids)
            table.insert(1, "condition", condition.value)
            table.insert(2, "part", part)
            table.insert(3, "truth", self.dataset.index[condition.value].to_numpy()[rows])
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    # ---- checkpoint: one safetensors file, position and history in its header ----

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}

    def _save_checkpoint(self) -> None:
        tensors = {f"network/{name}": tensor for name, tensor in self._weights().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{name}": tensor.cpu() for name, tensor in state.items()}
        position = {
            "epochs_done": self.epochs_done,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "weights_used": self.weights_used,
            "seconds": sum(line["seconds"] for line in self.history),
            "history": self.history,
        }
        # Transformers keep some weights transposed in memory, which the format does not store.
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        metadata = {"position": json.dumps(position)}
        write_atomic(self.run.checkpoint_path, lambda path: save_file(tensors, path, metadata))

    def restore(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        path = self.run.checkpoint_path
        if not path.exists():
            return
        with safe_open(path, "pt") as checkpoint:
            position = json.loads(checkpoint.metadata()["position"])
        groups: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "optimizer": {}}
        for name, tensor in load_file(path).items():
            group, _, rest = name.partition("/")
            groups[group][rest] = tensor
        self.network.load_state_dict(groups["network"])
        self.best = groups["best"]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in groups["optimizer"].items():
            number, _, rest = name.partition("/")
            state.setdefault(int(number), {})[rest] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self.epochs_done, self.best_epoch = position["epochs_done"], position["best_epoch"]
        self.weights_used = position["weights_used"]
        self.best_score = (position["best_score"][0], position["best_score"][1])
        self.seconds_before, self.history = position["seconds"], position["history"]
        # An epoch may have been written down just before a kill kept it from the checkpoint.
        self.run.write_history(self.history)


def _diverged(epoch: int, lr: float) -> ScalpError:
    return ScalpError(
        "diverged",
        f"The loss stopped being a number in epoch {epoch}. Train again with a lower lr (it was {lr:g}).",
        f"{epoch}번째 에폭에서 손실이 발산했습니다. lr을 {lr:g}보다 낮춰 다시 학습하십시오.",
    )


def _mean_loss(predictions: pd.DataFrame) -> float:
    """Cross-entropy of a prediction table over its labelled rows; 0 when there are none."""
    rows = predictions.dropna(subset="truth")
    if rows.empty:
        return 0.0
    chosen = rows[evaluate.PROBABILITIES].to_numpy()[np.arange(len(rows)), rows["truth"].to_numpy(dtype=np.int64)]
    return float(-np.log(np.clip(chosen, 1e-12, None)).mean())


# ---- the end ----


def _finish(
    run: Run, network: Network, preprocessing: Preprocessing, predictions: pd.DataFrame, facts: dict[str, Any]
) -> None:
    weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(run.weights_path, lambda path: save_file(weights, path))
    run.write_preprocessing(preprocessing)
    write_export(run, network.cpu(), preprocessing)
    if run.asked_to_stop:
        raise Stopped
    write_atomic(run.predictions_path, lambda path: predictions.to_parquet(path, index=False))
    run.write_manifest(facts)


def load_network(run: Run) -> Network:
    """The network of a finished run with its weights (float32, in evaluation mode).

    Raises:
        ScalpError: a file is not what the manifest says.
    """
    run.verify()
    recipe = run.recipe
    network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, "none")
    weights = load_file(run.weights_path)
    # Shipped runs store half precision; counters stay integers.
    network.load_state_dict({name: w.float() if w.is_floating_point() else w for name, w in weights.items()})
    return network.eval()


def pack(run: Run) -> None:
    """Make a finished run fit to travel in git: weights in half precision, nothing that can be made again.

    The predictions are made anew with the weights as they are stored, so that they tell of what is shipped.

    Raises:
        ScalpError: a file is not what the manifest says, or the data set is not here.
    """
    network, dataset = load_network(run), open_dataset(run.recipe.data)
    _check_unchanged(run, dataset)
    halved = {name: w.half() if w.is_floating_point() else w for name, w in network.state_dict().items()}
    network.load_state_dict({name: w.float() if w.is_floating_point() else w for name, w in halved.items()})
    pixels = cached_pixels(dataset, run.preprocessing)
    predictions = _Loop(run, network, dataset, pixels, torch.device("cpu")).grade_parts(_GRADED_PARTS)
    facts = {key: value for key, value in run.manifest.items() if key != "files"}
    write_atomic(run.weights_path, lambda path: save_file(halved, path))
    write_atomic(run.predictions_path, lambda path: predictions.to_parquet(path, index=False))
    run.write_manifest(facts | {"stored_precision": "float16"})
    run.drop_derived()


def write_export(run: Run, network: Network, preprocessing: Preprocessing) -> None:
    """Export the network into the run folder and vouch for it."""
    differences: list[float] = []
    write_atomic(run.export_path, lambda path: differences.append(export(network, preprocessing, path)))
    run.write_export({"largest_difference": differences[0], "onnxruntime": version("onnxruntime")})


def _prepare_process() -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    torch.use_deterministic_algorithms(True, warn_only=True)


def main(arguments: list[str]) -> int:
    """The process of one training, or of one export: `python -m scalp_core.train train|export FOLDER`."""
    task, run = arguments[0], Run(Path(arguments[1]))
    _prepare_process()
    try:
        # An export that somebody else is making is worth waiting for; a training that somebody else does is not.
        with run.lock().acquire(timeout=_EXPORT_PATIENCE if task == "export" else None):
            if task == "export":
                if not run.exported:
                    write_export(run, load_network(run), run.preprocessing)
                return 0
            sweep(run.folder)
            train(run)
    except Timeout:
        print("Another process works on this run.", flush=True)
        return 3
    except Stopped:
        return 0
    except ScalpError as error:
        return _fail(task, run, error)
    except (OSError, SafetensorError) as error:
        traceback.print_exc()
        return _fail(task, run, _disk_error(error))
    return 0


def _fail(task: str, run: Run, error: ScalpError) -> int:
    print(error, flush=True)
    if task == "train":
        run.write_error(error.text)
    return 1


def _disk_error(error: Exception) -> ScalpError:
    """A full disk or forbidden folder: safetensors says so in an error of its own."""
    reason = getattr(error, "strerror", None) or error
    return ScalpError(
        "disk",
        f"A file could not be read or written: {reason}. Make room on the disk or mend the folder's permissions, then "
        "resume the run; the last checkpoint is kept.",
        f"파일을 읽거나 쓰지 못했습니다: {reason}. 디스크 공간이나 폴더 권한을 확인한 뒤 실행을 재개하십시오. 마지막 "
        "체크포인트는 남아 있습니다.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
