"""Shared by tests of training: recipes, a training in this process, and whether two runs ended the same."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from conftest import TINY, Folders, Trained
from PIL import Image
from safetensors.torch import load_file

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.files import sha256
from scalp_core.learning.train import train
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run

RECIPE = Recipe(**TINY)

# All that has a memory of its own from step to step, at once.
ALL_OPTIONS = replace(
    RECIPE,
    epochs=3,
    lr=3e-3,
    loss="triangular",
    sampling="square_root",
    grade_weights="square_root",
    condition_weights=(1.0, 2.0, 1.0, 0.0, 1.0, 0.5),
    ema=0.9,
    mixup=0.3,
    frozen_epochs=1,
    layer_decay=0.8,
    patience=2,
    colours="whitened",
)
HEAD_ONLY = replace(ALL_OPTIONS, weights="run:source", learns="head", frozen_epochs=0, layer_decay=1.0, colours="auto")


def train_run(run: Run) -> None:
    """Train it here, as its process would."""
    with run.lock():
        train(run)


def load_weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.weights_path)


def same_weights(first: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return first.keys() == other.keys() and all(torch.equal(weight, other[name]) for name, weight in first.items())


def assert_same_outcome(first: Run, other: Run) -> None:
    """Bit for bit: weights, predictions, history but for its seconds, and what is decided by them."""
    assert first.finished
    assert other.finished
    assert same_weights(load_weights(first), load_weights(other))
    assert first.raw_predictions.equals(other.raw_predictions)
    assert first.history.drop(columns="seconds").equals(other.history.drop(columns="seconds"))
    assert first.operating_point.decisions == other.operating_point.decisions
    assert first.preprocessing == other.preprocessing
    message = ("parameters", "best_epoch", "at_once", "weights_used", "versions")
    assert [first.manifest[name] for name in message] == [other.manifest[name] for name in message]
    assert {name for name, _ in first.files} - {"log.txt"} == {name for name, _ in other.files} - {"log.txt"}


def copy_source(trained: Trained, folders: Folders) -> Run:
    """A copy of the finished run, to start from, under the name `source`."""
    shutil.copytree(trained.run.folder, folders.artifacts / "source")
    return Run(folders.artifacts / "source")


def coloured_dataset(folders: Folders, pictures: int = 64) -> Dataset:
    """Small pictures whose colours say what the first three labels are; the last three half of them lack."""
    generator = np.random.default_rng(0)
    folder = folders.data / "coloured"
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(pictures):
        grades = generator.integers(0, 4, 3)
        pixels = np.full((64, 64, 3), 40, dtype=np.uint8) + (grades * 60).astype(np.uint8)
        name = f"p{number:02d}"
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
        row = dict.fromkeys(("device", "capture", "region"), name) | {"id": name, "site": str(number % 16)}
        row["sha256"] = sha256(folder / "images" / f"{name}.png")
        others = [None if number % 16 < 8 else 0] * 3
        labels = dict(zip(LABEL_COLUMNS, [*grades.tolist(), *others], strict=True))
        part = ("train", "train", "valid", "calib", "train", "test", "train", "train")[number % 8]
        rows.append(row | {"path": f"images/{name}.png", "part": part} | labels)
    return write_dataset(folder, "test", {}, pd.DataFrame(rows))
