"""Speed of a recipe on this machine."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from scalp_core.data.dataset import open_dataset
from scalp_core.learning.loop import Loop
from scalp_core.learning.network import build
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run

_TIMED = 3  # steps, of which the median counts


def speed(recipe: Recipe) -> dict[str, float]:
    """Measure the pictures a second that this machine learns from (`learned`) and grades (`graded`).

    Weights and pixels do not matter, so the network is random and the pictures are black.

    Raises:
        ScalpError: the recipe cannot be trained.
    """
    dataset, device = open_dataset(recipe.data), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, "none")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape = (len(dataset.index), recipe.image_size, recipe.image_size, 3)
    black = np.broadcast_to(np.uint8(0), shape)  # one pixel in memory for all of them
    loop = Loop(Run(Path()), recipe, network, network.layers(), dataset, black, device)
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
