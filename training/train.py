"""Train one run and watch it: `python -m training.train --architecture efficientnet_b0 --data demo --epochs 5`.

The flags are the fields of Recipe; `--recipe FILE` takes those that are not given from a file. The run itself belongs
to the runner, exactly as if the sidebar had started it. Before it starts: how often each grade will be sampled, and how
long it will take if this machine's speed is known.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any, TextIO

import numpy as np
import pandas as pd

from scalp_core.data.dataset import open_dataset
from scalp_core.labels import GRADES, find_condition
from scalp_core.learning.balancing import before_and_after
from scalp_core.runs import worker
from scalp_core.runs.ancestry import overlap_before
from scalp_core.runs.duration import DurationEstimate, estimate, measure
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import CHOICES, Recipe
from scalp_core.runs.run import Run, State
from scalp_core.runs.store import check_recipe, find_run
from scalp_core.runs.training_labels import left_out_text, unlabelled_text, without_unlabelled
from training.command_line import Bar, explained
from training.markdown import figure
from training.recipe_file import add_recipe_file, parse

_POLL = 0.5  # seconds
INTERRUPTED = 130  # exit code, as shells have it


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parse(_parser(), arguments)
    if options.estimate:
        recipe = labelled_recipe(recipe_of(options))
        check_recipe(recipe)
        _print_plan(recipe, measured=True)
        return 0
    return watch(_run_of(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    add_recipe_file(parser)
    add_recipe(parser)
    parser.add_argument("--name", help="the run's own name; otherwise made of architecture and time")
    parser.add_argument("--resume", metavar="RUN", help="go on with a paused, cancelled or failed run instead")
    parser.add_argument("--estimate", action="store_true", help="measure how long it would take, and do not train")
    return parser


def add_recipe(parser: argparse.ArgumentParser, leave_out: Sequence[str] = ()) -> None:
    """Add an option for every field of a recipe."""
    for field in fields(Recipe):
        if field.name not in leave_out:
            parser.add_argument(f"--{field.name.replace('_', '-')}", default=field.default, **_option(field))


def _option(field: "Field[Any]") -> dict[str, Any]:
    """Return argparse's settings for a field. Several values make a tuple; conditions are looked up by name later."""
    explanation = field.metadata["help"].en.replace("%", "%%")
    if field.name in CHOICES:
        return {"choices": CHOICES[field.name], "help": f"{explanation} (default: {field.default})"}
    if not isinstance(field.default, tuple):
        return {"type": type(field.default), "help": f"{explanation} (default: {field.default})"}
    if field.name == "conditions":
        return {"nargs": "+", "metavar": "CONDITION", "help": f"{explanation} (default: all six that have labels)"}
    return {"nargs": "*", "type": float, "metavar": "NUMBER", "help": explanation}


def recipe_of(options: argparse.Namespace, **others: object) -> Recipe:
    """Return the recipe of the options of `add_recipe`; `others` are the fields left out there."""
    values = {
        field.name: others.get(field.name, getattr(options, field.name, field.default)) for field in fields(Recipe)
    }
    values["conditions"] = tuple(map(find_condition, values["conditions"]))
    values["condition_weights"] = tuple(values["condition_weights"])
    return Recipe(**values)


def labelled_recipe(recipe: Recipe, file: TextIO | None = None) -> Recipe:
    """Return the recipe without the conditions of all six that its dataset has no labels for, and print which."""
    labelled = without_unlabelled(recipe)
    if labelled != recipe and (note := left_out_text(recipe.data)):
        print(f"Note: {note.en}", file=file)
    return labelled


def _run_of(options: argparse.Namespace) -> Run:
    if options.resume:
        run = find_run(options.resume)
        run.resume()
        return run
    recipe = labelled_recipe(recipe_of(options))
    check_recipe(recipe)
    _print_plan(recipe, measured=False)
    return create_run(recipe, options.name)


# ---- before it starts ----


def _print_plan(recipe: Recipe, measured: bool) -> None:
    """Print how often grades are sampled and how long the training takes: measured now, or if it is known already."""
    expected = measure(recipe) if measured else estimate(recipe)
    overlap = overlap_before(recipe, open_dataset(recipe.data)).text(recipe.weights)
    for warning in (overlap, unlabelled_text(recipe)):
        if warning:
            print(f"Warning: {warning.en}")
    if recipe.sampling != "none":
        print(f"Training split, {recipe.sampling} sampling (share of each grade, in the data → as sampled):")
        print(sampled_shares(recipe).to_string())
    if expected:
        print(duration_text(expected))


def sampled_shares(recipe: Recipe) -> pd.DataFrame:
    """Return a row a condition, a column a grade: its share of the labels in the data → as the recipe samples them."""
    labels = open_dataset(recipe.data).grades(recipe.conditions, "train")
    before, after = before_and_after(labels, recipe.sampling)
    cells = [[f"{a:5.1%} → {b:5.1%}" for a, b in zip(*rows, strict=True)] for rows in zip(before, after, strict=True)]
    return pd.DataFrame(cells, [condition.code for condition in recipe.conditions], [grade.text.en for grade in GRADES])


def duration_text(expected: DurationEstimate) -> str:
    """Return one line: the duration, its stages, the date of measurement."""
    stages = ", ".join(f"{stage.name.en} {stage.seconds:.0f} s" for stage in expected.stages)
    return f"It takes {expected.text.en} ({stages}; speed of this machine as of {expected.measured[:10]})."


# ---- while it trains ----


def train_all(runs: Sequence[Run]) -> int:
    """Watch runs one after another; return the worst exit code. Ctrl-C pauses all of them."""
    worst = 0
    for number, run in enumerate(runs):
        if run.finished:
            continue
        code = watch(run)
        if code == INTERRUPTED:
            for waiting in runs[number + 1 :]:
                waiting.pause()
            print("The others are paused as well. Start the same command again and it goes on.")
            return code
        worst = max(worst, code)
    return worst


def watch(run: Run) -> int:
    """Show the progress of a run until it ends; return the exit code. Ctrl-C pauses it."""
    print(f"run {run.id}")
    try:
        with Bar(total=1000, bar_format="{desc:44}|{bar}| {percentage:3.0f} %", desc="queued") as bar:
            printed = 0
            while run.state.active:
                worker.ensure()  # starts it, and again if it was killed
                printed = _show(run, bar, printed)
                time.sleep(_POLL)
            _show(run, bar, printed)
    except KeyboardInterrupt:
        run.pause()
        print(f"\nPaused. Finished epochs are kept. Go on with: python -m training.train --resume {run.id}")
        return INTERRUPTED
    return _report_end(run)


def _show(run: Run, bar: Bar, printed: int) -> int:
    history = run.history
    lines = history.to_dict("records")
    for number in range(printed, len(lines)):
        bar.write(_epoch_line(lines[: number + 1], run.recipe))
    if progress := run.progress:
        seconds = progress.seconds_left
        bar.n = round(1000 * progress.done)
        left = "" if seconds is None else f", {seconds // 60:.0f} min {seconds % 60:02.0f} s left"
        bar.set_description_str(f"{progress.phase}, epoch {progress.epoch} of {progress.epochs}{left}")
    return len(history)


def _epoch_line(epochs: Sequence[dict[str, Any]], recipe: Recipe) -> str:
    """Describe the last of these epochs, beside the best of them."""
    last = epochs[-1]
    # As in training: where kappa is undefined, in all epochs alike, the loss decides.
    best = max(epochs, key=lambda epoch: (np.nan_to_num(epoch["valid_qwk"]), -epoch["valid_loss"]))
    line = (
        f"epoch {last['epoch']:3d}  train loss {last['train_loss']:.4f}  valid loss {last['valid_loss']:.4f}  "
        f"valid QWK {figure(last['valid_qwk'])}  {last['seconds']:.0f} s"
    )
    if recipe.patience:
        waited = last["epoch"] - best["epoch"]
        line += f"  best {figure(best['valid_qwk'])} in epoch {best['epoch']}, patience {waited} of {recipe.patience}"
    if last.get("at_once", recipe.batch_size) < recipe.batch_size:
        line += f"  in pieces of {last['at_once']:.0f} pictures: memory is short"
    return line


def _report_end(run: Run) -> int:
    state = run.state
    if state is State.FINISHED:
        manifest = run.manifest
        print(
            f"finished in {manifest['seconds']:.0f} s on {manifest['device']}, best epoch {manifest['best_epoch']}. "
            f"See it on the Compare page or with: python -m training.report --data {run.recipe.data}"
        )
        if failure := run.export_failure:
            print(f"Warning: {run.no_export(failure)}", file=sys.stderr)
        return 0
    sentence, details = run.error
    print(f"{state.text.en}: {sentence.en or run.id}\n{details}".strip(), file=sys.stderr)
    print(f"Finished epochs are kept. Go on with: python -m training.train --resume {run.id}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
