"""Train several architectures on one dataset, one after another: `python -m training.sweep --data NAME --seeds 3`.

`--per-condition` trains a network for each condition instead of one for all six. First it lists finished runs, runs to
train and their duration. Finished runs are not repeated, so the same command goes on after a break.

`--folds 5` cross-validates: every recipe is trained on each of five folds, and judged on all pictures by the runs that
did not learn from them.

`--demo` makes the runs again that travel in git: it renders their dataset, trains what is missing, resumes what was
interrupted, and packs the weights in half precision. Some ten hours of one CPU core.
"""

import argparse
import hashlib
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product

from scalp_core import terms
from scalp_core.architectures import FAMILIES
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.folds import FoldPlan, make_folds
from scalp_core.errors import ScalpError, Text
from scalp_core.evaluation.cross_validation import (
    add_out_of_fold,
    compare_out_of_fold,
    kappas_by_fold,
    out_of_fold,
)
from scalp_core.metrics.metrics import HEADLINE
from scalp_core.metrics.paired_comparison import Comparison
from scalp_core.runs.duration import duration, estimate, measure
from scalp_core.runs.election import run_report
from scalp_core.runs.queue import MAX_WAITING, create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run, State
from scalp_core.runs.store import check_recipe, find_finished, finished_runs, list_runs
from scalp_core.runs.training_labels import unlabelled_text
from scalp_core.synthetic import demonstration
from scalp_core.synthetic.generate import make_dataset
from training import demo
from training.command_line import Bar, explained
from training.markdown import figure
from training.recipe_file import add_recipe_file, parse
from training.train import INTERRUPTED, add_recipe, labelled_recipe, recipe_of, train_all

# The smallest variant of each family.
_ARCHITECTURES = tuple(variants[0] for variants in FAMILIES.values())
_LONGEST_ID = 64  # characters


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parse(parser, arguments)
    if options.seeds < 1:
        parser.error("--seeds takes 1 or more")
    try:
        if options.demo:
            return _ship()
        base = labelled_recipe(recipe_of(options, architecture=options.architectures[0]))
        options.conditions, options.condition_weights = base.conditions, base.condition_weights
        if options.folds:
            return _cross_validate(options)
        return _sweep(_recipes(options), options.plan)
    except KeyboardInterrupt:  # while pictures were rendered, or a speed measured
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
        "--seeds", type=int, default=1, help="runs of each, with --seed and those after it (default: 1)"
    )
    parser.add_argument("--per-condition", action="store_true", help="a network for each of the conditions, not of all")
    parser.add_argument(
        "--folds", type=_folds, help="cross-validate with so many folds; “all”: leave out one group after another"
    )
    parser.add_argument(
        "--by", choices=("site", "capture"), default="site", help="what folds keep together (default: site)"
    )
    parser.add_argument("--plan", action="store_true", help="only say what would be trained and how long it takes")
    parser.add_argument(
        "--prefix",
        help="runs are called PREFIX-ARCHITECTURE-sSEED, or PREFIX-ARCHITECTURE-CONDITION-sSEED (default: sweep-DATA)",
    )
    add_recipe_file(parser)
    add_recipe(parser, leave_out=("architecture",))
    return parser


_EVERY_GROUP = "all"


def _folds(text: str) -> str:
    if text != _EVERY_GROUP and not (text.isdecimal() and int(text) >= 2):
        raise argparse.ArgumentTypeError(f"“{text}” is neither a number from 2 nor “{_EVERY_GROUP}”")
    return text


def _cross_validate(options: argparse.Namespace) -> int:
    """Train every recipe on each fold, then judge it on all pictures; return the worst exit code."""
    dataset = open_dataset(options.data)
    folds = None if options.folds == _EVERY_GROUP else int(options.folds)
    names = [fold.name for fold in make_folds(dataset, FoldPlan(folds, options.by, options.seed))]
    recipes = _recipes(options, names)
    code = _sweep(recipes, options.plan)
    if code == 0 and not options.plan:
        _judge_out_of_fold(options, dataset, recipes)
    return code


def _recipes(options: argparse.Namespace, folds: Sequence[str] = ()) -> dict[str, Recipe]:
    """Return the recipes by the ids of their runs.

    Args:
        folds: names of their datasets; none for the dataset itself.
    """
    base, prefix = recipe_of(options, architecture=options.architectures[0]), _prefix(options)
    graded = [(condition,) for condition in base.conditions] if options.per_condition else [base.conditions]
    seeds = range(base.seed, base.seed + options.seeds)
    data = {f"f{number}": name for number, name in enumerate(folds, 1)} or {"": options.data}
    recipes = {}
    for architecture, conditions, seed, (fold, name) in product(options.architectures, graded, seeds, data.items()):
        recipe = replace(base, architecture=architecture, conditions=conditions, seed=seed, data=name)
        words = [conditions[0].code if options.per_condition else "", fold, f"s{seed}"]
        recipes[_run_id(prefix, architecture, [word for word in words if word])] = recipe
    return recipes


def _prefix(options: argparse.Namespace) -> str:
    return options.prefix or f"sweep-{options.data}"


def _run_id(prefix: str, architecture: str, words: Sequence[str]) -> str:
    """Make a readable id; of a long timm name its beginning and four digits of its hash."""
    name = architecture.replace(".", "-")
    room = _LONGEST_ID - len("-".join([prefix, "", *words]))
    if len(name) > room:
        name = f"{name[: max(0, room - 5)]}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"
    return "-".join([prefix, name, *words])


def _ship() -> int:
    from scalp_core.learning.train import pack  # imports torch, which --plan and --help need not wait for

    with Bar(total=demo.TRAINING_IMAGES, unit=" images", desc=demo.TRAINING_NAME) as bar:
        make_dataset(
            demo.TRAINING_NAME,
            demo.TRAINING_IMAGES,
            demonstration.SEED,
            evaluation=demonstration.EVALUATION,
            evaluation_prior=demonstration.EVALUATION_PRIOR,
            progress=bar.show,
        )
    # One by one: a run can only start from one that has finished.
    for run_id, recipe in demo.to_train({run.id for run in finished_runs()}).items():
        if code := train_all(runs_to_train({run_id: recipe})):
            return code
    for run in list_runs():
        if run.id in demo.RECIPES and "stored_precision" not in run.manifest:
            pack(run)
            print(f"packed {run.id}: {sum(size for _, size in run.files) / 1e6:.1f} MB")
    return 0


def _sweep(recipes: Mapping[str, Recipe], only_plan: bool) -> int:
    """Print the plan, create all runs at once, watch them one by one; return the worst exit code."""
    existing = _existing_runs(recipes)
    _print_plan(recipes, existing)
    if only_plan:
        return 0
    runs = runs_to_train(recipes)
    code = train_all(runs)
    _print_results([run for run in runs if run.finished])
    return code


# ---- before: finished runs, runs to train ----


def _existing_runs(recipes: Mapping[str, Recipe]) -> dict[str, Run]:
    """Return the existing runs of these ids. Raise ScalpError where one has another recipe, or there are too many."""
    runs = list_runs()
    existing = {run.id: run for run in runs if run.id in recipes}
    for run_id, run in existing.items():
        if run.recipe != recipes[run_id]:
            raise ScalpError(
                "run_exists",
                f"Run “{run_id}” exists with another recipe. Remove its folder or choose another --prefix.",
                f"“{run_id}” 실행이 다른 설정으로 이미 있어요. 그 폴더를 지우거나 다른 --prefix를 고르세요.",
            )
    waiting = len(recipes) - len(existing) + sum(run.state.waiting for run in runs)
    if waiting > MAX_WAITING:
        raise ScalpError(
            "queue_full",
            f"With these, {waiting} runs would be queued; the limit is {MAX_WAITING}. Sweep fewer --architectures, "
            "--conditions or --seeds at a time.",
            f"이 실행들을 더하면 대기 중인 실행이 {waiting}개가 되어 한도 {MAX_WAITING}개를 넘어요. --architectures, "
            "--conditions, --seeds를 나누어 실행하세요.",
        )
    return existing


def _print_plan(recipes: Mapping[str, Recipe], existing: Mapping[str, Run]) -> None:
    """Print a line a run and the time of all. Each new speed is measured, once an architecture."""
    seconds, early = 0.0, ""
    warnings: list[Text] = []
    for run_id, recipe in recipes.items():
        state = existing[run_id].state if run_id in existing else State.QUEUED
        if state is State.FINISHED:
            print(f"{run_id:<{_LONGEST_ID}}  is there")
            continue
        check_recipe(recipe)
        if (warning := unlabelled_text(recipe)) and warning not in warnings:
            warnings.append(warning)
            print(f"Warning: {', '.join(condition.code for condition in recipe.conditions)}: {warning.en}")
        expected = estimate(recipe) or measure(recipe)
        seconds += expected.seconds
        early = ", less where runs stop early" if expected.may_end_early else early
        done = f", {state.text.en} after epoch {len(existing[run_id].history)}" if run_id in existing else ""
        print(f"{run_id:<{_LONGEST_ID}}  to train, {duration(expected.seconds).en}{done}", flush=True)
    missing = sum(run_id not in existing or not existing[run_id].finished for run_id in recipes)
    print(f"{len(recipes)} runs, {len(recipes) - missing} there, {missing} to train", end="")
    print(f": {duration(seconds).en}{early}." if missing else ".", flush=True)


def runs_to_train(recipes: Mapping[str, Recipe]) -> list[Run]:
    """Create or resume the runs of these ids; never another recipe's.

    Raises:
        ScalpError: `run_exists`, an id is another recipe's; `queue_full`; a recipe cannot be trained.
    """
    existing = _existing_runs(recipes)
    runs = [existing.get(run_id) or create_run(recipe, run_id) for run_id, recipe in recipes.items()]
    for run in runs:
        if run.state in (State.PAUSED, State.FAILED, State.CANCELLED):
            run.resume()
    return runs


# ---- after ----


def _judge_out_of_fold(options: argparse.Namespace, dataset: Dataset, recipes: Mapping[str, Recipe]) -> None:
    """Print what each recipe reaches on all pictures, and add it to the models that Compare has."""
    runs: dict[tuple[str, int], list[Run]] = {}
    for run_id, recipe in recipes.items():
        runs.setdefault((recipe.architecture, recipe.seed), []).append(find_finished(run_id))
    models = {
        _run_id(_prefix(options), architecture, ["cv", f"s{seed}"]): out_of_fold(of_recipe)
        for (architecture, seed), of_recipe in runs.items()
    }
    comparison = compare_out_of_fold(dataset, models)
    synthetic = ", SYNTHETIC" if dataset.synthetic else ""
    print(f"\nOut of fold, all pictures of “{dataset.name}”{synthetic}: QWK [95 %], lowest and highest fold")
    for name, table in models.items():
        folds = kappas_by_fold(table).groupby("condition", observed=True)["value"].agg(["min", "max"])
        for condition in comparison.conditions:
            if name in comparison.graded(condition, HEADLINE):
                estimate = comparison.estimate(HEADLINE, name, condition)
                ends = " to ".join(figure(folds.loc[condition.value, end]) for end in ("min", "max"))
                interval = f"{figure(estimate.value)} [{figure(estimate.low)}, {figure(estimate.high)}]"
                print(f"{name:<{_LONGEST_ID}}  {condition.code:<12}  {interval}  {ends}")
    _print_pairs(comparison)
    for name, of_recipe in zip(models, runs.values(), strict=True):
        with suppress(ScalpError):  # from the command before
            add_out_of_fold(name, dataset, models[name], f"Out of fold: {', '.join(run.id for run in of_recipe)}")
    print(terms.RESEARCH_ONLY_SHORT.en)


def _print_pairs(comparison: Comparison) -> None:
    """Print the differences of every two models, corrected over all pairs."""
    for condition in comparison.conditions if len(comparison.models) > 1 else ():
        for row in comparison.pairs(HEADLINE, condition).itertuples():
            if comparison.models.index(row.model) < comparison.models.index(row.other):
                interval = f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"
                print(f"{condition.code:<12}  {row.model} against {row.other}: {interval}, {row.verdict.text.en}")


def _print_results(runs: Sequence[Run]) -> None:
    """Print mean kappas over the conditions, on the validation and the test split."""
    for run in runs:
        means = run_report(run).groupby("part")["quadratic_weighted_kappa"].mean()
        valid, test = (means.get(part, math.nan) for part in ("valid", "test"))
        print(f"{run.id:<{_LONGEST_ID}}  valid QWK {figure(valid)}  test QWK {figure(test)}")


if __name__ == "__main__":
    sys.exit(main())
