"""Metrics and confusion matrices of finished runs: `python -m training.report [--data NAME] [--json | --markdown]`."""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from scalp_core import evaluate
from scalp_core.champions import judged_on, run_report
from scalp_core.dataset import open_dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.operating_point import COVERAGE, OperatingPoint
from scalp_core.predict import time_of_grading
from scalp_core.runs import Run, finished_runs
from scalp_core.truth import ceiling
from training.measuring import markdown_table

_SHOWN = {
    "quadratic_weighted_kappa": "QWK",
    "average_mean_absolute_error": "AMAE",
    "worst_grade_recall": "worst recall",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__)
    parser.add_argument("--data", help="only runs that were judged on the pictures of this data set")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="machine-readable, with confusion matrices")
    form.add_argument("--markdown", action="store_true", help="the tables of the README: needs --data")
    options = parser.parse_args()
    if options.markdown and not options.data:
        parser.error("--markdown needs --data")
    try:
        return _report(options)
    except ScalpError as error:
        print(error, file=sys.stderr)
        return 2


def _report(options: argparse.Namespace) -> int:
    dataset = open_dataset(options.data) if options.data else None
    runs = judged_on(dataset) if dataset else finished_runs()
    if not runs:
        print("No finished run to report on. Train one with: python -m training.train", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([_as_json(run) for run in runs], indent=1))
    elif options.markdown and dataset:
        captures = dict(zip(dataset.column("id"), dataset.column("capture"), strict=True))
        print(markdown(runs, captures, ceiling(dataset, "test"), [time_of_grading(run) for run in runs]))
    else:
        for run in runs:
            _print(run)
    return 0


def _as_json(run: Run) -> dict[str, Any]:
    table = run_report(run)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    for row in rows:
        counts = evaluate.confusion(run.predictions, row["condition"], row["part"])
        row["confusion_truth_by_prediction"] = counts.tolist()
    return {
        "run": run.id,
        "architecture": run.recipe.architecture,
        "data": run.recipe.data,
        "synthetic": run.synthetic,
        "index_hash": run.index_hash,
        "evaluation_hash": run.evaluation_hash,
        "metrics": rows,
    }


def _print(run: Run) -> None:
    kind = "SYNTHETIC pictures" if run.synthetic else "pictures"
    print(f"\n{run.id}: {run.recipe.architecture} on {kind} “{run.recipe.data}”, {run.manifest['device']}")
    table = run_report(run)
    table = table[table["part"].isin(["valid", "test"])].rename(columns=_SHOWN)
    table["condition"] = [Condition(key).code for key in table["condition"]]
    with pd.option_context("display.width", 140, "display.max_columns", None):
        print(table.to_string(index=False, float_format="{:.3f}".format))


# ---- the README's tables ----


def markdown(
    runs: Sequence[Run],
    captures: Mapping[str, object],
    best: Mapping[Condition, float],
    milliseconds: Sequence[float],
) -> str:
    """Three tables of the test part, a row a run: QWK with its 95 % interval; AMAE and the worst grade's recall;
    calibration and grade sets.

    Args:
        captures: of every image id.
        best: the ceiling of each condition; empty where no truth is known.
        milliseconds: a picture, of each run.
    """
    predictions = runs[0].predictions
    tested = predictions.loc[predictions["part"] == "test", "image"].unique()
    groups = len({captures[image] for image in tested})
    kind = "**SYNTHETIC** " if runs[0].synthetic else ""
    return "\n\n".join(
        (
            f"{len(tested):,} {kind}test pictures of {groups:,} captures. Quadratic weighted kappa, 95 % interval:",
            _kappas(runs, captures, best),
            "AMAE · recall of the worst grade; parameters; milliseconds a picture on one core:",
            _others(runs, milliseconds),
            "Expected calibration error of the network → at the operating point; share of pictures whose "
            f"{COVERAGE:.0%} grade set holds the truth (grades in a set, on average):",
            _calibration(runs),
        )
    )


def _kappas(runs: Sequence[Run], captures: Mapping[str, object], best: Mapping[Condition, float]) -> str:
    rows = [[f"`{run.id}`", *(_kappa(run, condition, captures) for condition in CONDITIONS)] for run in runs]
    if best:
        rows.append(["best to be expected", *(_figure(best[condition]) for condition in CONDITIONS)])
    return markdown_table([["QWK", *_NAMES], *rows])


def _kappa(run: Run, condition: Condition, captures: Mapping[str, object]) -> str:
    if condition not in run.recipe.conditions:
        return "–"
    counts = evaluate.counts_by_group(run.predictions, condition, "test", captures)
    kappa, (low, high) = evaluate.quadratic_weighted_kappa(counts.sum(axis=0)), evaluate.kappa_interval(counts)
    return _figure(kappa) if math.isnan(low) else f"{kappa:.2f} [{low:.2f}, {high:.2f}]"


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _others(runs: Sequence[Run], milliseconds: Sequence[float]) -> str:
    rows = []
    for run, needed in zip(runs, milliseconds, strict=True):
        cells = [_errors(run, condition) for condition in CONDITIONS]
        rows.append([f"`{run.id}`", *cells, f"{run.manifest['parameters'] / 1e6:.1f} M", f"{needed:.0f}"])
    return markdown_table([["AMAE · recall", *_NAMES, "parameters", "ms"], *rows])


def _errors(run: Run, condition: Condition) -> str:
    if condition not in run.recipe.conditions:
        return "–"
    measured = evaluate.measure(evaluate.confusion(run.predictions, condition, "test"))
    return f"{_figure(measured.average_mean_absolute_error)} · {_figure(measured.worst_grade_recall)}"


def _calibration(runs: Sequence[Run]) -> str:
    rows = [[f"`{run.id}`", *(_calibrated(run, condition) for condition in CONDITIONS)] for run in runs]
    return markdown_table([["calibration", *_NAMES], *rows])


def _calibrated(run: Run, condition: Condition) -> str:
    if condition not in run.recipe.conditions:
        return "–"
    plain = OperatingPoint().apply(run.raw_predictions)
    before, after = (evaluate.expected_calibration_error(one, condition, "test") for one in (plain, run.predictions))
    sets = evaluate.measure_sets(run.predictions, condition, "test")
    promised = f"{sets.coverage:.2f} ({sets.size:.1f})" if sets.images else "no sets"
    return f"{_figure(before)} → {_figure(after)}; {promised}"


_NAMES = [condition.code.replace("_", " ") for condition in CONDITIONS]


if __name__ == "__main__":
    sys.exit(main())
