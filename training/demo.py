"""Recipes of the runs that travel in git, and the dataset that they learned from.

The shipped runs learned from a larger dataset with the same pictures to be judged on. So they can be compared with
runs trained on the demonstration data, and every picture behind a figure is available.
"""

from collections.abc import Collection
from dataclasses import replace

from scalp_core.runs.recipe import Recipe

# The same seed as the demonstration's (scalp_core/synthetic/demonstration.py), so the same pictures and more.
TRAINING_NAME, TRAINING_IMAGES = "demo-training", 5700

# About three hours of one CPU core in all (measured). Nothing is downloaded, so it can be repeated. First, from
# random weights, at 64 px, where a step costs a quarter and many can be made: pustules, the smallest cue, are found
# after some two thousand. Then on from there at 128 px (VGG, for its time, at 96), which fine scaling and hair need.
# They learned before there was randomisation.
_LEARNED = Recipe(data=TRAINING_NAME, batch_size=16, augmentation="standard")
_FROM_SCRATCH = replace(
    _LEARNED,
    weights="none",
    image_size=64,
    epochs=12,
    sampling="full",
    condition_weights=(1.0, 1.0, 1.0, 3.0, 1.0, 1.0),
    patience=0,
)
_AT_FULL_SIZE = replace(
    _LEARNED, image_size=128, epochs=3, warmup_epochs=0.5, lr=5e-4, condition_weights=(1.0, 1.0, 1.0, 2.0, 1.0, 1.0)
)
_FOR_HAIR = replace(_AT_FULL_SIZE, epochs=4, lr=3e-4, condition_weights=(1.0, 1.0, 1.0, 1.0, 1.0, 3.0))

# Architecture, precision, and its recipes, each starting from the one before. GoogLeNet and ViT learn slowly from
# random weights: they get more epochs, and a last part in which the rate rises once more, GoogLeNet's for hair loss.
_PLANS = (
    (
        "vgg11_bn",
        "bfloat16",
        (replace(_FROM_SCRATCH, lr=4e-4), replace(_AT_FULL_SIZE, image_size=96, epochs=2, lr=3e-4)),
    ),
    ("resnet18", "bfloat16", (replace(_FROM_SCRATCH, lr=7e-4), _AT_FULL_SIZE)),
    ("efficientnet_b0", "full", (replace(_FROM_SCRATCH, lr=7e-4), _AT_FULL_SIZE)),
    ("googlenet", "bfloat16", (replace(_FROM_SCRATCH, lr=7e-4), replace(_AT_FULL_SIZE, epochs=9), _FOR_HAIR)),
    (
        "vit_tiny",
        "bfloat16",
        (
            replace(_FROM_SCRATCH, lr=4e-4),
            replace(_AT_FULL_SIZE, epochs=6, lr=3e-4),
            replace(_AT_FULL_SIZE, epochs=5, lr=3e-4),
        ),
    ),
)


def _chain(architecture: str, precision: str, parts: tuple[Recipe, ...]) -> dict[str, Recipe]:
    """Return a chain's recipes by id: `base-…`, `base-…-2`, and `demo-…` for the last."""
    ids = [f"base-{architecture}" + (f"-{number}" if number > 1 else "") for number in range(1, len(parts))]
    starts = ["none", *(f"run:{run_id}" for run_id in ids)]
    return {
        run_id: replace(part, architecture=architecture, precision=precision, weights=start)
        for run_id, part, start in zip((*ids, f"demo-{architecture}"), parts, starts, strict=True)
    }


_CHAINS = tuple(_chain(*plan) for plan in _PLANS)
# The shipped runs, by id.
RECIPES = {run_id: recipe for chain in _CHAINS for run_id, recipe in chain.items() if run_id.startswith("demo-")}


def to_train(there: Collection[str]) -> dict[str, Recipe]:
    """Return the recipes of missing shipped runs by id, each after the one that it starts from."""
    missing = [chain for chain in _CHAINS if not RECIPES.keys() & chain.keys() <= set(there)]
    return {run_id: recipe for chain in missing for run_id, recipe in chain.items()}
