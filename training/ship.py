"""Make the runs that travel in git, on the demonstration data: `python -m training.ship`.

Trains what is missing, resumes what was interrupted, and packs the weights in half precision. About an hour on two
CPU cores.
"""

import sys

from scalp_core import runner
from scalp_core.errors import ScalpError
from scalp_core.runs import Recipe, Run, State, create_run, list_runs
from scalp_core.train import pack
from training.train import watch

# From random weights: nothing is downloaded, so anybody can repeat it. Transformers learn slower from so few pictures.
RECIPES = {
    "demo-efficientnet_b0": Recipe(
        architecture="efficientnet_b0",
        weights="none",
        image_size=128,
        batch_size=16,
        epochs=30,
        lr=1e-3,
        warmup_epochs=2.0,
    ),
    "demo-vit_tiny": Recipe(
        architecture="vit_tiny",
        weights="none",
        image_size=128,
        batch_size=16,
        epochs=28,
        lr=5e-4,
        warmup_epochs=4.0,
    ),
}


def main() -> int:
    try:
        for name, recipe in RECIPES.items():
            run = _wanted(name, recipe)
            if run.state is not State.FINISHED:
                runner.ensure()
                if code := watch(run):
                    return code
            if "stored_precision" not in run.manifest:
                pack(run)
                print(f"packed {name}: {sum(size for _, size in run.files) / 1e6:.1f} MB")
    except ScalpError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _wanted(name: str, recipe: Recipe) -> Run:
    known = {run.id: run for run in list_runs()}
    return known[name] if name in known else create_run(recipe, name)


if __name__ == "__main__":
    sys.exit(main())
