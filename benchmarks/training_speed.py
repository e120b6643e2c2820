"""`python -m benchmarks train`: pictures a second of our training, beside the usual loop.

The same network, files, batch size and threads, in turns within one process an architecture. Plain is: every JPEG
opened with Pillow, varied on its own by timm's (or torchvision's reference) transform, gathered by a DataLoader,
float32 in torch's usual layout, cross-entropy. The code for GPUs has not been run on one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler

from benchmarks.measuring import ROOT, machine, write_json
from scalp_core import processes
from scalp_core.data.dataset import Dataset
from scalp_core.files import unquote_path
from scalp_core.images import Preprocessing
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.learning.backbones import timm, transforms
from scalp_core.learning.loop import Inputs, Loop
from scalp_core.learning.network import Network, build, logits
from scalp_core.learning.pixel_cache import cached_pixels
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.synthetic.generate import make_dataset

_NAME, _SEED = "benchmark", 0
_UNLABELLED = -1
_WORKERS = (0, os.cpu_count() or 1)  # of the plain loop: the better one counts

Batches = Iterable[tuple[Tensor, Tensor]]  # pixels (n, 3, h, w), normalised; labels (n, conditions)
Way = Callable[[int], float]  # of so many steps, in seconds


# --- Ours -----------------------------------------------------------------------------------------------------------


def ours(recipe: Recipe, dataset: Dataset, pixels: Inputs, device: torch.device) -> Way:
    """Return the steps of our training loop."""
    network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, recipe.weights)
    network.to(device, memory_format=torch.channels_last)
    loop = Loop(Run(Path()), recipe, network, network.layers(), dataset, pixels, device)
    learned = torch.from_numpy(loop.parts["train"])

    def work(steps: int) -> float:
        batches = learned[torch.randint(len(learned), (steps, recipe.batch_size))]
        torch.use_deterministic_algorithms(True, warn_only=True)  # as the training process has it
        started = _now(device)
        for number, rows in enumerate(batches):
            _check(loop.step(rows, number))
        seconds = _now(device) - started
        torch.use_deterministic_algorithms(False)
        return seconds

    return work


# --- Plain ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Files:
    """A dataset as torch's DataLoader takes it: (pixels, labels) of one picture, opened and augmented on access."""

    paths: list[Path]
    labels: Tensor  # (pictures, conditions)
    transform: Callable[[Image.Image], Tensor]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.paths[number]) as image:
            return self.transform(image.convert("RGB")), self.labels[number]


def files_of(dataset: Dataset, transform: Callable[[Image.Image], Tensor]) -> Files:
    """Return the training split."""
    rows = dataset.index[dataset.index["part"] == "train"]
    labels = rows[[condition.value for condition in CONDITIONS]].fillna(_UNLABELLED).to_numpy(dtype="int64")
    return Files([dataset.folder / unquote_path(path) for path in rows["path"]], torch.from_numpy(labels), transform)


def timm_transform(preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
    """Return the default augmentation of timm's train.py."""
    size = (3, preprocessing.height, preprocessing.width)
    normal = {"mean": preprocessing.mean, "std": preprocessing.std}
    augment: Callable[[Image.Image], Tensor] = timm.data.create_transform(size, is_training=True, **normal)
    return augment


def torchvision_transform(preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
    """Return the default augmentation of torchvision's references/classification."""
    augment: Callable[[Image.Image], Tensor] = transforms.Compose(
        [
            transforms.PILToTensor(),
            transforms.RandomResizedCrop((preprocessing.height, preprocessing.width), antialias=True),
            transforms.RandomHorizontalFlip(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    return augment


# The usual loops: how pictures are augmented, and the optimiser that goes with it.
PLAIN: dict[str, tuple[Callable[..., Callable[[Image.Image], Tensor]], Callable[..., torch.optim.Optimizer]]] = {
    "timm": (timm_transform, lambda parameters: torch.optim.AdamW(parameters, lr=3e-4, weight_decay=0.05)),
    "torchvision": (torchvision_transform, lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9)),
}


def plain(style: str, recipe: Recipe, batches: Callable[[int], Batches], device: torch.device) -> Way:
    """Return the steps of the usual loop over these batches, with one before them that is not timed."""
    network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, recipe.weights)
    network.to(device)
    optimizer = PLAIN[style][1](network.parameters())

    def work(steps: int) -> float:
        waiting = iter(batches(steps + 1))
        _plain_step(network, optimizer, next(waiting), device)  # workers start meanwhile
        started = _now(device)
        for batch in waiting:
            _check(_plain_step(network, optimizer, batch, device))
        return _now(device) - started

    return work


def _plain_step(
    network: Network, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor], device: torch.device
) -> Tensor:
    pixels, labels = (tensor.to(device, non_blocking=True) for tensor in batch)
    optimizer.zero_grad()
    scores = logits(network.evidence(network.features_of(pixels)))  # normalised already
    loss = nn.functional.cross_entropy(scores.reshape(-1, len(GRADES)), labels.reshape(-1), ignore_index=_UNLABELLED)
    loss.backward()
    optimizer.step()
    return loss


def loaded(files: Files, recipe: Recipe, workers: int, device: torch.device) -> Callable[[int], Batches]:
    """Return batches of randomly sampled pictures through torch's DataLoader."""

    def batches(number: int) -> Batches:
        sampler = RandomSampler(files, replacement=True, num_samples=number * recipe.batch_size)
        pinned = device.type == "cuda"
        return DataLoader(files, recipe.batch_size, sampler=sampler, num_workers=workers, pin_memory=pinned)

    return batches


def ready(recipe: Recipe) -> Callable[[int], Batches]:
    """Return the same batch again and again: only the step takes time."""
    pixels = torch.randn(recipe.batch_size, 3, recipe.image_size, recipe.image_size)
    labels = torch.randint(len(GRADES), (recipe.batch_size, len(recipe.conditions)))
    return lambda number: [(pixels, labels)] * number


# --- One architecture, in a process of its own -----------------------------------------------------------------------


def measure(options: argparse.Namespace) -> None:
    """Measure pictures a second of every way, the median of the rounds."""
    torch.set_num_threads(os.cpu_count() or 1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataset = make_dataset(_NAME, options.images, _SEED)
    recipe = Recipe(
        architecture=options.architecture,
        data=_NAME,
        weights="none",
        image_size=options.image_size,
        batch_size=options.batch_size,
        precision="full",
        augmentation="standard",  # as much as the plain loops do
    )
    _, preprocessing = build(recipe.architecture, len(recipe.conditions), recipe.image_size, recipe.weights)
    started = time.perf_counter()
    pixels = cached_pixels(dataset, preprocessing)
    prepared = dataset.images / (time.perf_counter() - started)
    speeds = in_turns(ways(recipe, dataset, preprocessing, pixels, options.against, device), options)
    figures = {"architecture": recipe.architecture, "device": _device_name(device), "recipe": asdict(recipe)}
    write_json(options.json, figures | {"prepared": prepared, "pictures_a_second": speeds})


def ways(
    recipe: Recipe,
    dataset: Dataset,
    preprocessing: Preprocessing,
    pixels: Inputs,
    against: Iterable[str],
    device: torch.device,
) -> dict[str, Way]:
    """Return the compared ways by name."""
    bare = replace(recipe, augmentation="none", ema=0.0)
    compared = {
        "ours": ours(recipe, dataset, pixels, device),
        "ours, step alone": ours(bare, dataset, pixels, device),
        "plain, step alone": plain("timm", recipe, ready(recipe), device),
        "ours, bfloat16": ours(replace(recipe, precision="bfloat16"), dataset, pixels, device),
    }
    for style in against:
        files = files_of(dataset, PLAIN[style][0](preprocessing))
        for workers in _WORKERS:
            compared[f"{style}, {workers} workers"] = plain(
                style, recipe, loaded(files, recipe, workers, device), device
            )
    return compared


def in_turns(compared: dict[str, Way], options: argparse.Namespace) -> dict[str, float]:
    """Run each once to warm up, then all of them in every round, so that a busy moment meets all."""
    for way in compared.values():
        way(1)
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(options.rounds):
        for name, way in compared.items():
            seconds[name].append(way(options.steps))
    pictures = options.steps * options.batch_size
    return {name: pictures / median(taken) for name, taken in seconds.items()}


def _check(loss: Tensor) -> None:
    """Fail on a loss that is no number. Every loop checks it, and a GPU waits for it."""
    if not torch.isfinite(loss):
        raise RuntimeError("the loss is no number: the speed of such a training means nothing")


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "CPU"


# --- All of them ----------------------------------------------------------------------------------------------------


def compare(options: argparse.Namespace) -> None:
    """Measure every architecture and print the figures."""
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        architectures = [
            _in_own_process(architecture, options, Path(temporary)) for architecture in options.architectures
        ]
    figures = {
        "benchmark": "train",
        "synthetic": True,
        "machine": machine() | {"torch": torch.__version__, "device": architectures[0]["device"]},
        "architectures": architectures,
    }
    _print(figures, options)
    if options.json:
        write_json(options.json, figures)


def _in_own_process(architecture: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    print(f"{architecture}: measuring …", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks", "train-measure", architecture]
    command += ["--json", str(folder / "found.json"), "--against", *options.against]
    for name in ("images", "image_size", "batch_size", "steps", "rounds"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    # The plain loop, too, gets the environment of our trainings: threads that sleep while they wait.
    environment = {
        **processes.environment(),
        "SCALP_DATA": str(folder / "data"),
        "SCALP_ARTIFACTS": str(folder / "runs"),
    }
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    figures: dict[str, Any] = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return figures | {"against": {style: _best(figures, style) for style in options.against}}


def _best(figures: dict[str, Any], style: str) -> dict[str, Any]:
    """Return the plain loop's best number of workers, and how many times as fast ours is."""
    speeds = figures["pictures_a_second"]
    way = max((f"{style}, {workers} workers" for workers in _WORKERS), key=speeds.__getitem__)
    return {"way": way, "pictures_a_second": speeds[way], "ours_times_as_fast": speeds["ours"] / speeds[way]}


def _print(figures: dict[str, Any], options: argparse.Namespace) -> None:
    computer = figures["machine"]
    print(f"Pictures a second of trainings on SYNTHETIC pictures of 640 × 480, {options.image_size} × ", end="")
    print(f"{options.image_size}, batches of {options.batch_size}, float32; {computer['device']},", end=" ")
    print(f"{computer['cores']} cores,")
    print(f"torch {computer['torch']}, load {computer['load']};", end=" ")
    print(f"medians of {options.rounds} rounds of {options.steps} steps.\n")
    networks = figures["architectures"]
    print(pd.DataFrame({network["architecture"]: _column(network) for network in networks}).to_string())
    for style in options.against:
        ratios = [network["against"][style]["ours_times_as_fast"] for network in networks]
        print(f"\nours against {style}, geometric mean: {geometric_mean(ratios):.2f} times as fast")


def _column(figures: dict[str, Any]) -> dict[str, str]:
    """Format one architecture."""
    speeds = figures["pictures_a_second"]
    rows = {name: f"{speed:.1f}" for name, speed in speeds.items()}
    for style, best in figures["against"].items():
        rows[f"ours, times as fast as {style} at its best"] = f"{best['ours_times_as_fast']:.2f}"
    alone = speeds["ours, step alone"] / speeds["plain, step alone"]
    return rows | {
        "step alone, ours times as fast": f"{alone:.2f}",
        "ours in bfloat16, times as fast as in float32": f"{speeds['ours, bfloat16'] / speeds['ours']:.2f}",
        "once for all epochs: pictures prepared a second": f"{figures['prepared']:.1f}",
    }
