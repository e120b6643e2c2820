"""Metrics and confusion matrices of finished runs: `python -m training.report [--data NAME] [--json]`."""

import argparse
import json
import sys
from typing import Any

import pandas as pd

from scalp_core import evaluate
from scalp_core.champions import run_report
from scalp_core.labels import Condition
from scalp_core.runs import Run, finished_runs

_SHOWN = {
    "quadratic_weighted_kappa": "QWK",
    "average_mean_absolute_error": "AMAE",
    "worst_grade_recall": "worst recall",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__)
    parser.add_argument("--data", help="only runs on this data set")
    parser.add_argument("--json", action="store_true", help="machine-readable, with confusion matrices")
    arguments = parser.parse_args()
    runs = [run for run in finished_runs() if arguments.data in (None, run.recipe.data)]
    if not runs:
        print("No finished run to report on. Train one with: python -m training.train", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps([_as_json(run) for run in runs], indent=1))
        return 0
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


if __name__ == "__main__":
    sys.exit(main())
