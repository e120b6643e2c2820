"""`python -m benchmarks transfer FIRST SECOND`: how well networks of one dataset grade the pictures of another.

Three networks of one recipe take equally many steps: on the first dataset, on the second, and on the second with
randomisation. Each grades the test split of both. Finished runs are used again, so the same command goes on after a
break.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from benchmarks.measuring import write_json
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.loop import Loop
from scalp_core.learning.pixel_cache import cached_pixels
from scalp_core.metrics import metrics
from scalp_core.metrics.operating_point import OperatingPoint
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.training_labels import learned_pictures_count
from training.markdown import figure, markdown_table
from training.sweep import runs_to_train
from training.train import recipe_of, train_all

PART = "test"


def run(options: argparse.Namespace) -> None:
    """Train what is missing and print a Markdown table, a row a network and dataset."""
    runs = runs_to_train(recipes(options))
    if code := train_all(runs):
        sys.exit(code)
    rows = [transferred(trained, open_dataset(name)) for trained in runs for name in (options.first, options.second)]
    print(_heading(runs) + "\n")
    print(markdown_table(_cells(rows, runs[0].recipe)))
    if options.json:
        write_json(
            options.json, {"benchmark": "transfer", "synthetic": _synthetic(runs), "rows": list(map(_defined, rows))}
        )


def recipes(options: argparse.Namespace) -> dict[str, Recipe]:
    """Return the three recipes by the ids of their runs; epochs of the second dataset make equally many steps."""
    first = recipe_of(options, data=options.first, augmentation="standard")
    second = replace(first, data=options.second)
    second = replace(second, epochs=max(1, round(first.epochs * _steps(first) / _steps(second))))
    return {
        f"{options.prefix}-{first.data}": first,
        f"{options.prefix}-{second.data}": second,
        f"{options.prefix}-{second.data}-randomised": replace(second, augmentation="randomised"),
    }


def _steps(recipe: Recipe) -> int:
    """Return the steps of an epoch."""
    return max(1, learned_pictures_count(recipe)[0] // recipe.batch_size)


def transferred(run: Run, dataset: Dataset) -> dict[str, Any]:
    """Let a finished run grade the test split of a dataset, by its most probable grades.

    Returns:
        `run`, `tested` (name of the dataset), `pictures`, quadratic weighted kappa by condition, NaN where it is
        undefined, and `mean` of those that are defined.
    """
    network = load_network(run)
    recipe = replace(run.recipe, ema=0.0)  # these weights are judged, not an average
    pixels = cached_pixels(dataset, run.preprocessing)
    loop = Loop(run, recipe, network, network.layers(), dataset, pixels, network.mean.device)
    # Its own decision was fitted on pictures like those that it learned from.
    report = metrics.report(OperatingPoint().apply(loop.grade_parts([PART]))).set_index("condition")
    kappas: Mapping[str, float] = report["quadratic_weighted_kappa"].to_dict()
    mean = float(pd.Series(kappas).mean())
    return {"run": run.id, "tested": dataset.name, "pictures": len(loop.parts[PART]), **kappas, "mean": mean}


def _defined(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for JSON, which has no NaN: kappa is undefined where all grades are alike."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def _heading(runs: Iterable[Run]) -> str:
    first, *_ = networks = list(runs)
    recipe = first.recipe
    kind = "SYNTHETIC pictures" if _synthetic(networks) else "pictures"
    steps = ", ".join(f"{trained.id} {_steps(trained.recipe) * trained.recipe.epochs:,}" for trained in networks)
    return (
        f"QWK of the most probable grade on test splits of {kind}: {recipe.architecture}, {recipe.image_size} pixels, "
        f"seed {recipe.seed}; steps: {steps}."
    )


def _synthetic(runs: Iterable[Run]) -> bool:
    return any(trained.synthetic_data for trained in runs)


def _cells(rows: Iterable[Mapping[str, Any]], recipe: Recipe) -> list[list[str]]:
    heading = ["run", "tested on", "pictures", *(condition.code for condition in recipe.conditions), "mean"]
    figures = [*recipe.conditions, "mean"]
    return [
        heading,
        *(
            [row["run"], row["tested"], f"{row['pictures']:,}", *(figure(row[name], ".2f") for name in figures)]
            for row in rows
        ),
    ]
