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

# For two CPU cores in an hour and a half. From random weights: nothing is downloaded, so anybody can repeat it.
_FROM_SCRATCH = Recipe(data=TRAINING_NAME, weights="none", image_size=128, batch_size=32, warmup_epochs=1.0)
_RECIPES = (
    replace(_FROM_SCRATCH, architecture="vgg11_bn", epochs=5, lr=5e-4, batch_size=16, precision="bfloat16"),
    replace(_FROM_SCRATCH, architecture="resnet18", epochs=10, lr=1e-3, precision="bfloat16"),
    replace(_FROM_SCRATCH, architecture="efficientnet_b0", epochs=8, lr=1e-3, precision="full"),
    replace(_FROM_SCRATCH, architecture="googlenet", epochs=8, lr=1e-3, precision="bfloat16"),
    replace(_FROM_SCRATCH, architecture="vit_tiny", epochs=8, lr=5e-4, precision="bfloat16"),
)
# By the ids of the runs.
RECIPES = {f"demo-{recipe.architecture}": recipe for recipe in _RECIPES}
