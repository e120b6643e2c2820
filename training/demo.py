"""What the demonstration is made of: the data set that every start renders, and the runs that travel in git.

The shipped runs learned from a larger data set with the same pictures to be judged on, so their figures and whatever
is trained on the demonstration data can be compared, and every picture behind a figure is there to be looked at.
"""

from dataclasses import replace

from scalp_core.runs import Recipe

# About a minute on two cores.
NAME, IMAGES, EVALUATION, SEED = "demo", 2400, 1700, 20260101
# What the shipped runs learned from: the same seed, so the same pictures and more.
TRAINING_NAME, TRAINING_IMAGES = "demo-training", 5700

# Two hours of one CPU core in all (measured). Nothing is downloaded, so anybody can repeat it. First, from random
# weights, at 64 px, where a step costs a quarter and many can be made: pustules, the smallest cue, are found after some
# two thousand. Then on from there at 128 px (VGG, for its time, at 96), which fine scaling and hair need.
_LEARNED = Recipe(data=TRAINING_NAME, batch_size=16)
_FROM_SCRATCH = replace(
    _LEARNED,
    weights="none",
    image_size=64,
    epochs=12,
    sampling="full",
    condition_weights=(1.0, 1.0, 1.0, 3.0, 1.0, 1.0),
    patience=0,
)
_AT_FULL_SIZE = replace(_LEARNED, warmup_epochs=0.5, condition_weights=(1.0, 1.0, 1.0, 2.0, 1.0, 1.0))
# Architecture, precision; learning rate of the first part; side in pixels, epochs and learning rate of the second.
_PLANS = (
    ("vgg11_bn", "bfloat16", 4e-4, 96, 2, 3e-4),
    ("resnet18", "bfloat16", 7e-4, 128, 3, 5e-4),
    ("efficientnet_b0", "full", 7e-4, 128, 3, 5e-4),
    ("googlenet", "bfloat16", 7e-4, 128, 3, 5e-4),
    ("vit_tiny", "bfloat16", 4e-4, 128, 3, 3e-4),
)


def _start(architecture: str) -> str:
    return f"base-{architecture}"


# By the ids of the runs: those that the shipped ones start from, and the shipped ones.
STARTS = {
    _start(architecture): replace(_FROM_SCRATCH, architecture=architecture, precision=precision, lr=lr)
    for architecture, precision, lr, *_ in _PLANS
}
RECIPES = {
    f"demo-{architecture}": replace(
        _AT_FULL_SIZE,
        architecture=architecture,
        precision=precision,
        weights=f"run:{_start(architecture)}",
        image_size=side,
        epochs=epochs,
        lr=lr,
    )
    for architecture, precision, _, side, epochs, lr in _PLANS
}
