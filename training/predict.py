"""Grade many pictures into one table: `python -m training.predict PATH … --out results.parquet`.

Stopped or killed, it goes on when the same command is started again.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from scalp_core import terms
from scalp_core.data.image_sources import Listing, find_images
from scalp_core.errors import ScalpError
from scalp_core.inference.batch import BatchRequest, BatchResult, grade_all
from scalp_core.inference.predict import Graders, graders
from scalp_core.inference.results_table import OK, WITHHELD
from scalp_core.labels import CONDITIONS, Condition, find_condition
from scalp_core.runs.store import find_finished
from training.command_line import Bar, explained


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if any picture was graded, 1 if none, 2 after a mistake, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return _predict(options)
    except KeyboardInterrupt:
        print("\nInterrupted. What is graded stays; start the same command again and it goes on.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.predict", description=__doc__)
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="pictures, folders with everything below them, zip files, patterns"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="TABLE", help="the table: .parquet or .csv")
    parser.add_argument(
        "--conditions",
        nargs="+",
        type=_condition,
        default=list(CONDITIONS),
        metavar="CONDITION",
        help="by key, number or name, such as value_5, 5 or dandruff (default: all six)",
    )
    parser.add_argument("--run", help="a finished run that grades in place of the champions")
    parser.add_argument(
        "--jobs", "--processes", type=_jobs, metavar="N", help="processes, each on one core (default: one a core)"
    )
    parser.add_argument(
        "--grade-anyway",
        action="store_true",
        help="grade pictures that fail the quality check as well (default: their rows say why they have no grades)",
    )
    parser.add_argument(
        "--restart", action="store_true", help="grade again, and replace a table of other pictures or by other runs"
    )
    return parser


def _condition(name: str) -> Condition:
    try:
        return find_condition(name)
    except ScalpError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def _predict(options: argparse.Namespace) -> int:
    answering = graders(_in_order(options.conditions), find_finished(options.run) if options.run else None)
    listing = find_images(options.paths)
    _report_left_out(listing, options.conditions, answering)
    if not listing.sources:
        print(f"There are no pictures in {shlex.join(options.paths)}.", file=sys.stderr)
        return 1
    started = time.monotonic()
    with _Bar() as bar:
        request = BatchRequest(listing.sources, answering, options.out, options.grade_anyway)
        outcome = grade_all(request, jobs=options.jobs, restart=options.restart, progress=bar)
    _report(outcome, answering, options.out, time.monotonic() - started)
    return 0 if outcome.graded else 1


class _Bar:
    """Progress bar with the remaining time; appears when grading begins."""

    def __init__(self) -> None:
        self.bar = Bar(disable=True)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, done: int, total: int) -> None:
        if self.bar.disable:  # pictures graded before say nothing about the speed
            self.bar = Bar(total=total, initial=done, unit=" pictures", desc="grading", dynamic_ncols=True)
        self.bar.update(done - self.bar.n)


def _in_order(conditions: Sequence[Condition]) -> list[Condition]:
    return [condition for condition in CONDITIONS if condition in conditions]


def _report_left_out(listing: Listing, wanted: Sequence[Condition], answering: Graders) -> None:
    if listing.others:
        print(f"Left out, being no pictures by their names: {_counts(listing.others)}.", file=sys.stderr)
    if missing := [condition.text.en for condition in _in_order(wanted) if condition not in answering.runs]:
        print(f"No run grades {', '.join(missing)}: the table has no columns for that.", file=sys.stderr)


def _report(outcome: BatchResult, answering: Graders, out: Path, seconds: float) -> None:
    graded_now = outcome.pictures - outcome.before
    if not graded_now:
        print(f"{out} is there already, of these pictures by these runs. Grade again with --restart.")
    elif outcome.before:
        print(f"Gone on with: {outcome.before:,} of the pictures were graded before.")
    speed = f" ({graded_now / seconds:.1f} a second)" if graded_now else ""
    print(f"{outcome.graded:,} of {outcome.pictures:,} pictures graded{speed}: {out}, and beside it {out.name}.json")
    bad = {status: count for status, count in outcome.statuses.items() if status not in (OK, WITHHELD)}
    if bad:
        print(f"Not graded: {_counts(bad)}. Their rows in the table say why; the first of them:")
        for path, message in outcome.faults:
            print(f"  {path}: {message}")
    if answering.gate is None:
        print("Not checked: the run has no quality check. Fit one: python -m training.gate RUN.")
    _report_gate(outcome)
    for run, point in answering.points.items():
        names = ", ".join(condition.text.en for condition, its_run in answering.runs.items() if its_run == run)
        print(f"{run.id} graded {names}{f'; operating point of {point.made[:10]}' if point.made else ''}.")
    if any(run.synthetic for run in answering.points):
        print(terms.SYNTHETIC_MODEL.en)
    print(terms.RESEARCH_ONLY_SHORT.en)


def _report_gate(outcome: BatchResult) -> None:
    if withheld := outcome.statuses.get(WITHHELD, 0):
        print(
            f"{withheld:,} failed the quality check and are not graded: their column “reasons” says why. "
            "--grade-anyway --restart grades them too."
        )
    elif outcome.not_gradable:
        print(
            f"{outcome.not_gradable:,} failed the quality check: their column “reasons” says why, and their grades are "
            "not to be relied upon."
        )
    if outcome.unusual:
        print(f"{outcome.unusual:,} are unusual, perhaps of another camera: they are graded and marked in “unusual”.")


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in numbers.items())


if __name__ == "__main__":
    sys.exit(main())
