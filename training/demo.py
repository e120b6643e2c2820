"""Recipes of the runs that travel in git, and the dataset that they learned from.

The shipped runs learned from a larger dataset with the same pictures to be judged on. So they can be compared with
runs trained on the demonstration data, and every picture behind a figure is available.
"""

from collections.abc import Collection
from dataclasses import replace

from scalp_core.runs.recipe import Recipe

# The same seed as the demonstration's (scalp_core/synthetic/demonstration.py), so the same pictures and more.
TRAINING_NAME, TRAINING_IMAGES = "demo-training", 10_000

# Some ten hours of one CPU core in all (docs/design/training.md). Nothing is downloaded, so it can be repeated.
# EfficientNet-Lite begins with weights from photographs; then it teaches the others, which began with random weights.
_RANDOMISED = Recipe(
    data=TRAINING_NAME, image_size=128, augmentation="randomised", mask_weight=0.1, patience=0, precision="bfloat16"
)
_FROM_PHOTOGRAPHS = replace(
    _RANDOMISED,
    weights="packaged",
    epochs=5,
    batch_size=32,
    lr=6e-4,
    condition_weights=(1.0, 1.0, 1.0, 2.0, 1.0, 1.0),
    precision="full",
)
_TAUGHT = replace(_RANDOMISED, warmup_epochs=0.5, batch_size=16, lr=5e-4, teacher="run:demo-tf_efficientnet_lite0")

# Random weights begin at 64 px, where a step costs a quarter and many can be made: pustules, the smallest cue, are
# found after some two thousand. Then on from there at 128 px (VGG, for its time, at 96), which fine scaling and hair
# need. These parts of the shipped runs learned from drawings of generator version 2, not from what is drawn now.
_BASE = Recipe(data=TRAINING_NAME, batch_size=16, augmentation="standard", precision="bfloat16")
_FROM_SCRATCH = replace(
    _BASE,
    weights="none",
    image_size=64,
    epochs=12,
    lr=7e-4,
    sampling="full",
    condition_weights=(1.0, 1.0, 1.0, 3.0, 1.0, 1.0),
    patience=0,
)
_AT_FULL_SIZE = replace(
    _BASE, image_size=128, epochs=3, warmup_epochs=0.5, lr=5e-4, condition_weights=(1.0, 1.0, 1.0, 2.0, 1.0, 1.0)
)
_FOR_HAIR = replace(_AT_FULL_SIZE, epochs=4, lr=3e-4, condition_weights=(1.0, 1.0, 1.0, 1.0, 1.0, 3.0))

# Architecture and its recipes, each but the first starting from the one before. GoogLeNet and ViT learn slowly from
# random weights: they get a part more. ResNet is taught twice, the rate rising once more.
_PLANS: dict[str, tuple[Recipe, ...]] = {
    "vgg11_bn": (
        replace(_FROM_SCRATCH, lr=4e-4),
        replace(_AT_FULL_SIZE, image_size=96, epochs=2, lr=3e-4),
        replace(_TAUGHT, image_size=96, epochs=5, lr=3e-4),
    ),
    "resnet18": (_FROM_SCRATCH, _AT_FULL_SIZE, replace(_TAUGHT, epochs=7), replace(_TAUGHT, epochs=9)),
    "tf_efficientnet_lite0": (_FROM_PHOTOGRAPHS,),
    "googlenet": (_FROM_SCRATCH, replace(_AT_FULL_SIZE, epochs=9), _FOR_HAIR, replace(_TAUGHT, epochs=12)),
    "vit_tiny": (
        replace(_FROM_SCRATCH, lr=4e-4),
        replace(_AT_FULL_SIZE, epochs=6, lr=3e-4),
        replace(_AT_FULL_SIZE, epochs=5, lr=3e-4),
        replace(_TAUGHT, epochs=10, lr=3e-4),
    ),
}


def _chain(architecture: str, parts: tuple[Recipe, ...]) -> dict[str, Recipe]:
    """Return a chain's recipes by id: `base-…`, `base-…-2`, and `demo-…` for the last."""
    ids = [f"base-{architecture}" + (f"-{number}" if number > 1 else "") for number in range(1, len(parts))]
    starts = [parts[0].weights, *(f"run:{run_id}" for run_id in ids)]
    return {
        run_id: replace(part, architecture=architecture, weights=start)
        for run_id, part, start in zip((*ids, f"demo-{architecture}"), parts, starts, strict=True)
    }


_CHAINS = tuple(_chain(architecture, parts) for architecture, parts in _PLANS.items())
# The shipped runs, by id.
RECIPES = {run_id: recipe for chain in _CHAINS for run_id, recipe in chain.items() if run_id.startswith("demo-")}


def to_train(there: Collection[str]) -> dict[str, Recipe]:
    """Return the recipes of missing shipped runs by id, each after those that it starts from or is taught by."""
    missing = [chain for chain in _CHAINS if not RECIPES.keys() & chain.keys() <= set(there)]
    missing.sort(key=lambda chain: any(recipe.teacher for recipe in chain.values()))
    return {run_id: recipe for chain in missing for run_id, recipe in chain.items()}
