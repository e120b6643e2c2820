"""Let finished runs answer faster where their grades do not change: `python -m training.optimize RUN …|--all [--int8]`.

Tries to decode pictures at reduced scale, and with --int8 to compute with 8-bit numbers. Each is checked on the
calibration split of the run's dataset at its operating point; one that passes and is faster is used from then on.
"""

import argparse
import sys
from collections.abc import Sequence

from scalp_core.data.dataset import Dataset, list_datasets
from scalp_core.errors import ScalpError
from scalp_core.inference import optimize
from scalp_core.inference.optimize import EXACT, LEAST_GAIN, MOST_REFLAGGED, TOLERANCE, Candidate, CheckResult
from scalp_core.runs.champions import judged_on
from scalp_core.runs.run import Run, Serving
from scalp_core.runs.store import find_finished, finished_runs
from training.command_line import Bar, explained
from training.markdown import figure, markdown_table


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if all were tried, 2 if some could not be."""
    parser = argparse.ArgumentParser(prog="python -m training.optimize", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="finished runs")
    parser.add_argument("--all", action="store_true", help="all finished runs")
    parser.add_argument(
        "--int8", action="store_true", help="also make an 8-bit network, which stays on this machine, and try it"
    )
    options = parser.parse_args(arguments)
    if options.all == bool(options.runs):
        parser.error("name some runs, or give --all")
    names = [run.id for run in finished_runs()] if options.all else options.runs
    failed = False
    for name in names:
        try:
            _optimize(find_finished(name), options.int8)
        except ScalpError as error:
            print(error, file=sys.stderr)
            failed = True
    return 2 if failed else 0


def _judged_on(run: Run) -> Dataset:
    for dataset in list_datasets():
        if run in judged_on(dataset):
            return dataset
    raise ScalpError(
        "no_pictures",
        f"The pictures that run “{run.id}” was evaluated on are not on this machine: nothing can be checked, and it "
        "stays as it is.",
        f"“{run.id}” 실행을 평가한 사진이 이 컴퓨터에 없어 확인할 수 없어요. 지금까지와 같은 방식으로 응답해요.",
    )


def _optimize(run: Run, int8: bool) -> None:
    dataset = _judged_on(run)
    with Bar(desc=run.id, unit=" pictures", dynamic_ncols=True, leave=False, disable=None) as bar:
        result = optimize.optimize_run(run, dataset, int8, bar.show)
    print(f"\n{run.id}: {_heading(dataset, result)}\n")
    print(_table(run, result))
    print(f"\nFrom now on: {_name(result.serving)}.{_why(result)}")


def _why(result: CheckResult) -> str:
    """Explain why the exact way stays although another one passed."""
    passed = any(candidate.passed() for candidate in result.candidates[1:])
    gain = f"{LEAST_GAIN - 1:.0%}"
    return f" What passed is not {gain} faster." if passed and result.serving == EXACT else ""


def _heading(dataset: Dataset, result: CheckResult) -> str:
    kind = " SYNTHETIC" if dataset.synthetic else ""
    return (
        f"{result.pictures:,}{kind} pictures of the calibration split of “{dataset.name}”. Quadratic weighted kappa "
        f"of every condition may change by {TOLERANCE:g}, and the gate its mind about {MOST_REFLAGGED:.0%} of them."
    )


def _table(run: Run, result: CheckResult) -> str:
    codes = [condition.code for condition in run.recipe.conditions]
    rows = [["way", "ms, one core", *codes, "grades changed", "gate", "passed"]]
    return markdown_table(
        [*rows, *(_row(run, candidate, candidate is result.candidates[0]) for candidate in result.candidates)]
    )


def _row(run: Run, candidate: Candidate, exact: bool) -> list[str]:
    """Return one way's row: the kappas of the exact way, changes of kappa of the others."""
    kappas = [
        figure(candidate.kappas[condition], ".4f") if exact else figure(candidate.changes[condition], "+.4f")
        for condition in run.recipe.conditions
    ]
    gate = "–" if candidate.reflagged is None else f"{candidate.reflagged:.1%}"
    passed = "–" if exact else "yes" if candidate.passed() else "no"
    return [
        _name(candidate.serving),
        f"{candidate.milliseconds:.1f}",
        *kappas,
        f"{candidate.regraded:.1%}",
        gate,
        passed,
    ]


def _name(serving: Serving) -> str:
    return f"{'reduced decoding' if serving.reduced else 'all pixels'}, {'8' if serving.int8 else '32'} bit"


if __name__ == "__main__":
    sys.exit(main())
