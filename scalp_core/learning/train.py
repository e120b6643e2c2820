"""Training of one run, from its recipe to its manifest, and its export. Knows no queue and no page.

`python -m scalp_core.learning.train train|export FOLDER` is the process of one run; `… speed` measures a recipe.
"""

import copy
import hashlib
import json
import platform
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from filelock import Timeout
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.files import sha256, sweep, write_atomic
from scalp_core.images import Preprocessing, whitened
from scalp_core.inference import gate_fit
from scalp_core.learning.loop import (
    GRADED_PARTS,
    SEEDS_APART,
    Inputs,
    Loop,
    Reporter,
    Stopped,
    no_memory,
    out_of_memory,
)
from scalp_core.learning.network import Network, adopt, build, evidence, export, weights_source
from scalp_core.learning.pixel_cache import cached_features, cached_pixels
from scalp_core.metrics import operating_point
from scalp_core.parallel import cores
from scalp_core.runs.recipe import Recipe, recipe_from
from scalp_core.runs.run import OUTPUTS, Run
from scalp_core.runs.store import source_run

_EXPORT_PATIENCE = 600.0  # seconds
_WHITENED_BY = 500  # pictures are enough to know how colours vary
_AT_ONCE = 64  # pictures, where nothing is learned
_TIMED = 3  # steps, of which the median counts
_LEAST_SPREAD = 1e-6  # of a feature that is the same everywhere


def train(run: Run, at_once: int | None = None) -> None:
    """Train `run` from its recipe or its last checkpoint to its manifest.

    Args:
        at_once: no more pictures than these pass through together, as the last try died of its memory.

    Raises:
        ScalpError: why it cannot be trained, for the user.
        Stopped: it was cancelled or paused meanwhile.
    """
    started = time.monotonic()
    recipe, dataset = run.recipe, open_dataset(run.recipe.data)
    _check_unchanged(run, dataset)
    # Before the weights: they may take a download, and the first thing a page shows is that something happens.
    reporter = Reporter(run)
    reporter.tell("preparing", 0, 0.0, None)
    torch.manual_seed(recipe.seed * SEEDS_APART)  # the head, and the backbone if it starts random
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, pixels, weights_used = _start(run, dataset, reporter)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
    if recipe.learns == "head":
        features = _features(run, network, dataset, pixels, weights_used, reporter)
        head = _HeadAlone(network.head, features[dataset.index["part"] == "train"]).to(device)
        alike = dict.fromkeys(dict(head.named_parameters()), 0)
        loop = Loop(run, recipe, head, alike, dataset, features[:, None, None], device)
    else:
        loop = Loop(run, recipe, network, network.layers(), dataset, pixels, device)
    loop.weights_used = weights_used
    loop.restore()
    if at_once:
        loop.take_at_most(at_once, "The system ended the last try because memory ran out")
    while not loop.ended:
        loop.run_epoch(reporter)
    loop.judged.load_state_dict(loop.best)
    reporter.tell("grading", loop.epochs_done, 1.0, None)
    predictions = loop.grade_parts(GRADED_PARTS)
    if isinstance(loop.judged, _HeadAlone):
        loop.judged.give_back(network.head)
    else:
        network.load_state_dict(loop.best)
    _finish(
        run,
        network,
        predictions,
        {
            "device": _device_name(device),
            "seconds": round(loop.seconds_before + time.monotonic() - started, 1),
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "best_epoch": loop.best_epoch,
            "at_once": loop.at_once,
            "weights_used": loop.weights_used,
            "versions": {name: version(name) for name in ("torch", "torchvision", "timm", "onnx", "onnxruntime")},
            "python": platform.python_version(),
        },
    )


def _check_unchanged(run: Run, dataset: Dataset) -> None:
    if run.index_hash != dataset.index_hash:
        raise ScalpError(
            "data_changed",
            f"Dataset “{dataset.name}” has changed since this run was created: other labels or another split. "
            "Start a new run on it.",
            f"데이터셋 “{dataset.name}”의 라벨이나 분할이 실행을 만든 뒤에 바뀌었어요. 새 실행을 시작하세요.",
        )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


# ---- the start ----


def _start(run: Run, dataset: Dataset, reporter: Reporter) -> tuple[Network, Inputs, str]:
    """The network as it begins, the pictures as it wants them, and where its weights come from."""
    recipe = run.recipe
    if run.checkpoint_path.exists() and recipe.learns == "everything":  # its own weights: nothing is downloaded twice
        network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, "none")
        network.normalise(run.preprocessing)
        return network, cached_pixels(dataset, run.preprocessing, reporter.prepared), ""
    network, preprocessing, weights_used = _first(recipe)
    pixels = cached_pixels(dataset, preprocessing, reporter.prepared)
    if recipe.colours == "whitened" or (recipe.colours == "auto" and recipe.weights == "none"):
        learned = np.flatnonzero(dataset.index["part"] == "train")
        chosen = learned[:: max(1, len(learned) // _WHITENED_BY)]
        preprocessing = whitened(preprocessing, pixels[chosen])
        network.normalise(preprocessing)
    run.write_preprocessing(preprocessing)
    return network, pixels, weights_used


def _first(recipe: Recipe) -> tuple[Network, Preprocessing, str]:
    source, conditions = source_run(recipe), recipe.conditions
    if source is None:
        built = build(recipe.architecture, len(conditions), recipe.image_size, recipe.weights)
        return *built, weights_source(recipe.architecture, recipe.weights)
    source.verify()
    network, _ = build(recipe.architecture, len(conditions), recipe.image_size, "none")
    adopt(network, recipe.architecture, source.weights_path, conditions, source.recipe.conditions)
    preprocessing = replace(source.preprocessing, height=recipe.image_size, width=recipe.image_size)
    network.normalise(preprocessing)
    return network, preprocessing, f"run {source.id} sha256:{sha256(source.weights_path)}"


# ---- the head alone ----


def _features(
    run: Run, network: Network, dataset: Dataset, pixels: Inputs, weights_used: str, reporter: Reporter
) -> npt.NDArray[np.float32]:
    """(images, channels): the features of each picture, averaged over it."""
    device = network.mean.device
    whose = f"{weights_used} {asdict(run.preprocessing)}"

    def compute() -> npt.NDArray[np.float32]:
        found = []
        network.eval()
        with torch.inference_mode():
            for start in range(0, len(pixels), _AT_ONCE):
                reporter.prepared(start / len(pixels))
                batch = torch.from_numpy(np.array(pixels[start : start + _AT_ONCE])).to(
                    device
                )  # mapped ones are read-only
                found.append(network.features(batch.permute(0, 3, 1, 2).float()).mean(dim=(-2, -1)).cpu().numpy())
        return np.concatenate(found)

    return cached_features(dataset, hashlib.sha256(whose.encode()).hexdigest()[:16], compute)


class _HeadAlone(nn.Module):
    """The head on features averaged over each picture. A logit is the mean of evidence, so this learns the same.

    The features are standardised, so that one learning rate suits every backbone; `give_back` undoes it.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, head: nn.Conv2d, features: npt.NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(features.mean(axis=0)), persistent=False)
        self.register_buffer("scale", torch.from_numpy(features.std(axis=0) + _LEAST_SPREAD), persistent=False)
        self.head = copy.deepcopy(head)
        with torch.no_grad():
            _bias(self.head).add_((head.weight[..., 0, 0] * self.mean).sum(dim=1))
            self.head.weight *= self.scale[:, None, None]

    def forward(self, features: Tensor) -> Tensor:
        standardised = (features - self.mean[:, None, None]) / self.scale[:, None, None]
        return evidence(self.head, standardised)

    def give_back(self, head: nn.Conv2d) -> None:
        """Let `head`, which takes features as they are, say the same."""
        with torch.no_grad():
            head.weight.copy_(self.head.weight / self.scale[:, None, None])
            _bias(head).copy_(_bias(self.head) - (head.weight[..., 0, 0] * self.mean).sum(dim=1))


def _bias(head: nn.Conv2d) -> Tensor:
    assert head.bias is not None
    return head.bias


# ---- the end ----


def _finish(run: Run, network: Network, predictions: pd.DataFrame, facts: dict[str, Any]) -> None:
    weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(run.weights_path, lambda path: save_file(weights, path))
    write_export(run, network.cpu(), run.preprocessing)
    if run.stop_requested:
        raise Stopped
    run.operating_point_path.unlink(missing_ok=True)  # of a try that was killed before its last word
    _write_predictions(run, predictions, "fitted when the training ended")
    run.write_manifest(facts)


def _write_predictions(run: Run, predictions: pd.DataFrame, why: str) -> None:
    write_atomic(run.predictions_path, lambda path: predictions.to_parquet(path, index=False))
    run.write_operating_point(operating_point.fit(predictions, run.recipe.recall_floor, why))


def fit_gate(run: Run) -> None:
    """Fit the gate of a run that has finished already: whatever comes of it, the log tells, and the run stands."""
    try:
        gate_fit.refit(run)
    except (ScalpError, OSError, SafetensorError, MemoryError) as error:
        print(f"The run has no gate: {error}", flush=True)


def load_network(run: Run) -> Network:
    """The network of a finished run with its weights (float32, in evaluation mode).

    Raises:
        ScalpError: a file is not what the manifest says.
    """
    run.verify()
    recipe = run.recipe
    network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, "none")
    network.normalise(run.preprocessing)
    adopt(network, recipe.architecture, run.weights_path, recipe.conditions, recipe.conditions)
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
    recipe = replace(run.recipe, ema=0.0)  # these are the weights to be judged
    loop = Loop(run, recipe, network, network.layers(), dataset, pixels, torch.device("cpu"))
    facts = {key: value for key, value in run.manifest.items() if key != "files"}
    predictions = loop.grade_parts(GRADED_PARTS)
    write_atomic(run.weights_path, lambda path: save_file(halved, path))
    _write_predictions(run, predictions, "fitted when the weights were packed")
    run.write_manifest(facts | {"stored_precision": "float16"})
    write_export(run, network, run.preprocessing)
    fit_gate(run)  # it belongs to these very weights
    run.drop_derived()


def write_export(run: Run, network: Network, preprocessing: Preprocessing) -> None:
    """Export the network into the run folder and vouch for it."""
    differences: list[float] = []
    write_atomic(run.export_path, lambda path: differences.append(export(network, preprocessing, path, OUTPUTS)))
    run.write_export({"largest_difference": differences[0], "onnxruntime": version("onnxruntime")})


# ---- how fast a recipe is here ----


def speed(recipe: Recipe) -> dict[str, float]:
    """Pictures a second that this machine learns from and grades by a recipe; its weights and pixels do not matter.

    Raises:
        ScalpError: the recipe cannot be trained.
    """
    dataset, device = open_dataset(recipe.data), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, "none")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape = (len(dataset.index), recipe.image_size, recipe.image_size, 3)
    blank = np.broadcast_to(np.uint8(0), shape)  # one pixel for all of them
    loop = Loop(Run(Path()), recipe, network, network.layers(), dataset, blank, device)
    rows = torch.from_numpy(np.resize(loop.parts["train"], recipe.batch_size))
    loop.step(rows, 0)  # the first one also lays out memory
    learned = [_seconds(lambda: loop.step(rows, 0).item()) for _ in range(_TIMED)]
    graded = [_seconds(lambda: loop.probabilities(rows.numpy())) for _ in range(_TIMED)]
    pictures = recipe.batch_size
    return {"learned": pictures / float(np.median(learned)), "graded": pictures / float(np.median(graded))}


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# ---- the process ----


def _prepare_process() -> None:
    torch.set_num_threads(cores())
    torch.use_deterministic_algorithms(True, warn_only=True)


def main(arguments: list[str]) -> int:
    """Train or export a run in this process: `python -m scalp_core.learning.train train|export FOLDER [AT_ONCE]`."""
    _prepare_process()
    if arguments == ["speed"]:
        return _tell_speed()
    task, run = arguments[0], Run(Path(arguments[1]))
    try:
        # An export that somebody else is making is worth waiting for; a training that somebody else does is not.
        with run.lock().acquire(timeout=_EXPORT_PATIENCE if task == "export" else None):
            if task == "export":
                if not run.exported:
                    write_export(run, load_network(run), run.preprocessing)
                return 0
            sweep(run.folder)
            train(run, *map(int, arguments[2:]))
            fit_gate(run)
    except Timeout:
        print("Another process works on this run.", flush=True)
        return 3
    except Stopped:
        return 0
    except ScalpError as error:
        return _fail(task, run, error)
    except (OSError, SafetensorError, RuntimeError, MemoryError) as error:
        if out_of_memory(error):
            return _fail(task, run, no_memory(), error)
        if isinstance(error, RuntimeError):  # a mistake of ours: the runner tells of it, with the log
            raise
        return _fail(task, run, _disk_error(error), error)
    return 0


def _tell_speed() -> int:
    """A recipe on standard input, its speed on standard output, both JSON."""
    try:
        print(json.dumps(speed(recipe_from(json.load(sys.stdin)))))
    except ScalpError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _fail(task: str, run: Run, error: ScalpError, cause: Exception | None = None) -> int:
    if task == "train":
        run.write_error(error.text)  # before the log, which a full disk does not take
    if cause:
        traceback.print_exception(cause)
    print(error, flush=True)
    return 1


def _disk_error(error: Exception) -> ScalpError:
    """A full disk or forbidden folder: safetensors says so in an error of its own."""
    reason = getattr(error, "strerror", None) or error
    return ScalpError(
        "disk",
        f"A file could not be read or written: {reason}. Make room on the disk or fix the folder's permissions, then "
        "resume the run; the last checkpoint is kept.",
        f"파일을 읽거나 쓰지 못했어요: {reason}. 디스크 공간이나 폴더 권한을 확인한 뒤 실행을 재개하세요. 마지막 "
        "체크포인트는 남아 있어요.",
    )
