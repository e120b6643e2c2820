"""Train several architectures on one data set, one after another: `python -m training.sweep`.

`--demo` makes the runs again that travel in git: it renders their data set, trains what is missing, resumes what was
interrupted, and packs the weights in half precision. An hour and a half on two CPU cores.
"""

import argparse
import sys
from dataclasses import replace

from tqdm import tqdm

from scalp_core import runner
from scalp_core.architectures import FAMILIES
from scalp_core.errors import ScalpError
from scalp_core.runs import Recipe, Run, State, create_run, list_runs
from scalp_core.synthetic import make_dataset
from scalp_core.train import pack
from training import demo
from training.train import INTERRUPTED, add_recipe, chosen_recipe, watch

# The smallest variant of each family.
_ARCHITECTURES = tuple(variants[0] for variants in FAMILIES.values())


def main() -> int:
    options = _parser().parse_args()
    try:
        return _ship() if options.demo else _sweep(_recipes(options))
    except ScalpError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # while pictures were drawn
        print("\nInterrupted. What is done stays; start the same command again and it goes on.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.sweep", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="make the shipped runs again; other options do not count")
    parser.add_argument(
        "--architectures",
        nargs="+",
        default=_ARCHITECTURES,
        metavar="ARCHITECTURE",
        help=f"what to train (default: {' '.join(_ARCHITECTURES)})",
    )
    parser.add_argument(
        "--prefix", help="runs are called PREFIX-ARCHITECTURE (default: sweep-DATA); those there are not repeated"
    )
    add_recipe(parser, leave_out=("architecture",))
    return parser


def _recipes(options: argparse.Namespace) -> dict[str, Recipe]:
    recipe = chosen_recipe(options, architecture=options.architectures[0])
    prefix = options.prefix or f"sweep-{options.data}"
    return {
        f"{prefix}-{architecture.replace('.', '-')}": replace(recipe, architecture=architecture)
        for architecture in options.architectures
    }


def _ship() -> int:
    with tqdm(total=demo.TRAINING_IMAGES, unit=" images", desc=demo.TRAINING_NAME) as bar:
        make_dataset(
            demo.TRAINING_NAME,
            demo.TRAINING_IMAGES,
            demo.SEED,
            evaluation=demo.EVALUATION,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    if code := _sweep(demo.RECIPES):
        return code
    for run in list_runs():
        if run.id in demo.RECIPES and "stored_precision" not in run.manifest:
            pack(run)
            print(f"packed {run.id}: {sum(size for _, size in run.files) / 1e6:.1f} MB")
    return 0


def _sweep(recipes: dict[str, Recipe]) -> int:
    """Ask for all of them at once, then watch them one after another; the worst exit code."""
    runs = [_wanted(run_id, recipe) for run_id, recipe in recipes.items()]
    worst = 0
    for number, run in enumerate(runs):
        if run.finished:
            continue
        runner.ensure()
        code = watch(run)
        if code == INTERRUPTED:  # whoever interrupts one means all
            for waiting in runs[number + 1 :]:
                waiting.pause()
            print("The others of the sweep are paused as well. Start the same command again and it goes on.")
            return code
        worst = max(worst, code)
    return worst


def _wanted(run_id: str, recipe: Recipe) -> Run:
    """The run of that id, asked for or taken up again; never another recipe's."""
    known = {run.id: run for run in list_runs()}
    if run_id not in known:
        return create_run(recipe, run_id)
    run = known[run_id]
    if run.recipe != recipe:
        raise ScalpError(
            "run_exists",
            f"Run “{run_id}” exists with another recipe. Remove its folder or choose another --prefix.",
            f"“{run_id}” 실행이 다른 설정으로 이미 있습니다. 그 폴더를 지우거나 다른 --prefix를 고르십시오.",
        )
    if run.state in (State.PAUSED, State.FAILED, State.CANCELLED):
        run.resume()
    return run


if __name__ == "__main__":
    sys.exit(main())
