"""Make the runs that travel in git, on the demonstration data: `python -m training.ship`.

Trains what is missing, resumes what was interrupted, and packs the weights in half precision. About an hour on two
CPU cores.
"""

import sys
from dataclasses import replace

from scalp_core import runner
from scalp_core.errors import ScalpError
from scalp_core.runs import Recipe, Run, create_run, list_runs
from scalp_core.train import pack
from training.train import watch

# From random weights: nothing is downloaded, so anybody can repeat it.
_FROM_SCRATCH = Recipe(weights="none", image_size=128, batch_size=16)
RECIPES = {
    "demo-efficientnet_b0": replace(
        _FROM_SCRATCH, architecture="efficientnet_b0", epochs=30, lr=1e-3, warmup_epochs=2.0
    ),
    "demo-vit_tiny": replace(_FROM_SCRATCH, architecture="vit_tiny", epochs=28, lr=5e-4, warmup_epochs=4.0),
}


def main() -> int:
    try:
        for name, recipe in RECIPES.items():
            run = _wanted(name, recipe)
            if not run.finished:
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
