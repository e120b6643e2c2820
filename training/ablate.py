"""Effect of each measure against losing rare grades: `python -m training.ablate --condition value_4`.

Trains the ladder from plain cross-entropy to the recipe that the flags say, one network a condition (or `--shared`,
all six in one) and seed, and prints what each step adds to the one before. Runs that are there already are used.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.evaluation import ablation
from scalp_core.labels import CONDITIONS, Condition, find_condition
from scalp_core.metrics.bootstrap import CONFIDENCE
from scalp_core.metrics.verdict import Verdict
from scalp_core.runs.duration import duration, estimate, measure
from scalp_core.runs.recipe import Recipe
from training.command_line import explained
from training.markdown import figure, interval, markdown_table
from training.train import INTERRUPTED, add_recipe, labelled_recipe, recipe_of, train_all

_FIGURES = (".svg", ".png")
_HEADINGS = {
    "quadratic_weighted_kappa": "QWK ↑",
    "average_mean_absolute_error": "AMAE ↓",
    "worst_grade_recall": "worst recall ↑",
}


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.figure and options.figure.suffix not in _FIGURES:
        parser.error(f"--figure takes a file that ends with {' or '.join(_FIGURES)}")
    if options.seeds < 1:
        parser.error("--seeds takes 1 or more")
    try:
        return _ablate(options)
    except KeyboardInterrupt:  # while a speed was measured or tables were made
        print("\nInterrupted. Start the same command again and it goes on.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.ablate", description=__doc__)
    judged = parser.add_mutually_exclusive_group(required=True)
    judged.add_argument("--condition", help="whose grades are judged: key, name or number")
    judged.add_argument(
        "--altogether", action="store_true", help="the last step against the first alone, for each of six conditions"
    )
    parser.add_argument("--shared", action="store_true", help="networks of all six conditions, not of that one alone")
    parser.add_argument("--seeds", type=int, default=3, help="networks a step, seeds 0, 1, … (default: 3)")
    parser.add_argument("--plan", action="store_true", help="only say what is there and what would be trained")
    parser.add_argument("--markdown", action="store_true", help="the table in Markdown")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw it as well, as .svg or .png")
    add_recipe(parser, leave_out=("conditions", "seed"))
    return parser


def _ablate(options: argparse.Namespace) -> int:
    seeds = range(options.seeds)
    shared = options.shared or options.altogether
    graded = CONDITIONS if shared else (find_condition(options.condition),)
    base = labelled_recipe(recipe_of(options, conditions=graded, seed=seeds[0]), sys.stderr)
    ablation.check(base, base.conditions[0] if options.altogether else find_condition(options.condition))
    only = ablation.end_steps(base) if options.altogether else ()
    print(_plan(base, seeds, only), file=sys.stdout if options.plan else sys.stderr)
    if options.plan:
        return 0
    code = train_all(ablation.ensure_runs(base, seeds, only))
    if code == INTERRUPTED:
        return code
    dataset = open_dataset(base.data)
    captures = dict(zip(dataset.column("id"), dataset.column("capture"), strict=True))
    if options.altogether:
        print(_heading(dataset, None, captures, base, len(seeds)) + "\n")
        print(markdown_table(_altogether(ablation.overall_table(base, seeds, captures))))
        return code
    condition = find_condition(options.condition)
    table = ablation.step_table(base, seeds, condition, captures)
    names = {step.key: step.name.en for step in ablation.ladder(base)}
    print(_heading(dataset, condition, captures, base, len(seeds)) + "\n")
    print(markdown(table, names) if options.markdown else _plain(table, names))
    if options.figure:
        title = f"{condition.text.en}, {base.architecture}, pictures “{base.data}”"
        draw(table, names, options.figure, title, dataset.synthetic)
    return code


# ---- texts and tables ----


def _plan(base: Recipe, seeds: Sequence[int], only: Sequence[str]) -> str:
    """Tabulate each step's changes and finished networks, and estimate the time of the others."""
    trainings, rows = ablation.plan_trainings(base, seeds, only), [["step", "changes", "finished"]]
    for step in (step for step in ablation.ladder(base) if step.key in only or not only):
        its = [training for training in trainings if step.key in training.steps]
        finished = sum(training.run is not None and training.run.finished for training in its)
        changes = ", ".join(f"{name} = {value}" for name, value in step.changes.items()) or "the same networks"
        rows.append([step.name.en, changes, f"{finished} of {len(its)}"])
    missing = [needed.recipe for needed in trainings if needed.run is None or not needed.run.finished]
    seconds = sum((estimate(recipe) or measure(recipe)).seconds for recipe in missing)
    time = f": {duration(seconds).en} at most" if missing else ""
    return (
        f"{markdown_table(rows)}\n\n{len(trainings)} networks of {base.architecture}, {len(missing)} to train{time}.\n"
    )


def _heading(
    dataset: Dataset, condition: Condition | None, captures: Mapping[str, object], base: Recipe, networks: int
) -> str:
    index = dataset.index[dataset.index["part"] == ablation.PART]
    tested = index["id"] if condition is None else index.loc[index[condition.value].notna(), "id"]
    kind = "SYNTHETIC " if dataset.synthetic else ""
    alone = "all six conditions" if len(base.conditions) > 1 else "this condition alone"
    judged = (
        "First step → last step, and their difference,"
        if condition is None
        else ("Differences are to the step before (of those aside, to the last step),")
    )
    return (
        f"{f'{condition.value} ({condition.code}): ' if condition else ''}{len(tested):,} {kind}test pictures of "
        f"{len({captures[image] for image in tested}):,} captures, {base.architecture} for {alone}, mean of {networks} "
        f"seeds. {judged} with the {CONFIDENCE} interval of the paired bootstrap over captures; the verdict is by QWK."
    )


def _altogether(table: pd.DataFrame) -> list[list[str]]:
    rows = [["condition", *_HEADINGS.values(), "calibration error ↓", "Δ QWK", "verdict"]]
    for row in table.to_dict("records"):
        reached = [f"{_figure(row, f'first_{metric}', '.2f')} → {_figure(row, metric, '.2f')}" for metric in _HEADINGS]
        errors = " → ".join(figure(row.get(name, math.nan)) for name in (f"first_{ablation.ERROR}", ablation.ERROR))
        verdict = "–" if pd.isna(row["verdict"]) else Verdict(row["verdict"]).text.en
        condition = Condition(row["condition"])
        name = f"{condition.value} {condition.code.replace('_', ' ')}"
        rows.append([name, *reached, errors, _figure(row, "quadratic_weighted_kappa_difference", "+.2f"), verdict])
    return rows


def markdown(table: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Return a row a step: its metrics and its differences, with intervals.

    Args:
        table: of ablation.table.
        names: of the steps by their keys.
    """
    return markdown_table(_cells(table, names))


def _plain(table: pd.DataFrame, names: Mapping[str, str]) -> str:
    heading, *rows = _cells(table, names)
    return str(pd.DataFrame(rows, columns=heading).to_string(index=False))


def _cells(table: pd.DataFrame, names: Mapping[str, str]) -> list[list[str]]:
    differences = [f"Δ {heading}" for heading in _HEADINGS.values()]
    return [["step", *_HEADINGS.values(), "calibration error ↓", *differences, "verdict"], *_rows(table, names)]


def _rows(table: pd.DataFrame, names: Mapping[str, str]) -> list[list[str]]:
    rows = []
    for row in table.to_dict("records"):
        name = f"({names[row['step']]})" if row["alternative"] else names[row["step"]]
        if row["seeds"] < row["wanted"]:
            name = f"{name}, waiting: {row['seeds']} of {row['wanted']}"
        reached = [_figure(row, metric, ".3f") for metric in _HEADINGS]
        added = [_figure(row, f"{metric}_difference", "+.3f") for metric in _HEADINGS]
        verdict = "–" if pd.isna(row["verdict"]) else Verdict(row["verdict"]).text.en
        rows.append([name, *reached, figure(row.get(ablation.ERROR, math.nan)), *added, verdict])
    return rows


def _figure(row: Mapping[str, float], name: str, form: str) -> str:
    value, low, high = (row.get(f"{name}{end}", math.nan) for end in ("", "_low", "_high"))
    return interval(value, low, high, form)


# ---- the printed figure ----

_FIGURE_METRICS = ("quadratic_weighted_kappa", "worst_grade_recall")


def draw(table: pd.DataFrame, names: Mapping[str, str], path: Path, title: str, synthetic: bool) -> None:
    """Write the figure of kappa and worst-grade recall by step with their intervals; see print_figures.ladder."""
    from scalp_core.charts import print_figures  # seaborn takes a second to import, for this alone

    headings = {metric: _HEADINGS[metric] for metric in _FIGURE_METRICS}
    figure = print_figures.ladder(table, names, headings, title, synthetic=synthetic)
    if path.suffix == ".svg":
        path.write_text(print_figures.as_svg(figure), encoding="utf-8")
    else:
        path.write_bytes(print_figures.as_png(figure))


if __name__ == "__main__":
    sys.exit(main())
