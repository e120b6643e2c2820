"""Judge finished runs on another dataset than their own: `python -m training.evaluate RUN … --data NAME`.

The answers stay beside each run, and Compare and `report --data NAME` show it among those judged on the same pictures.
A model from elsewhere is judged by a file of its predictions, `--predictions FILE --name NAME --data NAME`, or as an
ONNX file with its preprocessing, `--onnx FILE --preprocessing FILE`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import scalp_core
from scalp_core import terms
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.inference.evaluate import evaluate
from scalp_core.labels import Condition
from scalp_core.runs.ancestry import overlap_of
from scalp_core.runs.evaluations import EvaluatedRun, evaluation_notes
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_finished
from training.command_line import MISTAKE, Bar, explained

_INTERRUPTED = 130
_BAR_SECONDS = 0.5  # what is there already shows none


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if every run was judged, 2 after a mistake, 130 if interrupted."""
    options = _parse(arguments)
    dataset = open_dataset(options.data)
    if options.name:
        _print(_add(options), dataset)
        print(terms.RESEARCH_ONLY_SHORT.en)
        return 0
    runs, refused = [find_finished(name) for name in options.runs], 0
    try:
        for run in runs:
            try:
                _print(_judge(run, dataset), dataset)
            except ScalpError as error:  # the others are judged all the same
                print(f"{run.id}: {error}", file=sys.stderr)
                refused += 1
    except KeyboardInterrupt:
        print("\nInterrupted. What is graded stays; start the same command again and it goes on.", file=sys.stderr)
        return _INTERRUPTED
    print(terms.RESEARCH_ONLY_SHORT.en)
    return MISTAKE if refused else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="finished runs")
    parser.add_argument("--data", required=True, metavar="NAME", help="the dataset; its training split is left out")
    external = parser.add_argument_group("a model from elsewhere, in place of runs")
    external.add_argument(
        "--predictions",
        type=Path,
        metavar="FILE",
        help="CSV, .xlsx or Parquet with the columns image (id), condition and p0 … p3, or grade alone",
    )
    external.add_argument("--onnx", type=Path, metavar="FILE", help="the network; it grades the pictures here")
    external.add_argument(
        "--preprocessing", type=Path, metavar="FILE", help="of --onnx, JSON: height, width and what differs from usual"
    )
    external.add_argument("--name", help="its name among the runs")
    external.add_argument("--about", default="", metavar="TEXT", help="what it is")
    external.add_argument("--link", default="", metavar="ADDRESS", help="where more is said about it")
    options = parser.parse_args(arguments)
    files = [options.predictions, options.onnx and options.preprocessing]
    if bool(options.runs) == bool(options.name) or sum(map(bool, files)) != bool(options.name):
        parser.error(
            "name runs, or --name of a model from elsewhere with either --predictions, or --onnx and --preprocessing"
        )
    return options


def _add(options: argparse.Namespace) -> Run:
    source = (options.name, options.data)
    if options.predictions:
        return scalp_core.add_external(*source, options.predictions, options.about, options.link)
    with Bar(unit=" pictures", desc=options.name, dynamic_ncols=True, leave=False, delay=_BAR_SECONDS) as bar:
        files = (options.onnx, options.preprocessing)
        return scalp_core.add_onnx(*source, *files, options.about, options.link, bar.show)


def _judge(run: Run, dataset: Dataset) -> EvaluatedRun:
    with Bar(unit=" pictures", desc=run.id, dynamic_ncols=True, leave=False, delay=_BAR_SECONDS) as bar:
        return evaluate(run, dataset, bar.show)


def _print(run: Run, dataset: Dataset) -> None:
    overlap = overlap_of(run, dataset).text(run.id)
    print("\n".join(note.en for note in (*evaluation_notes([run]), *([overlap] if overlap else []))))
    synthetic = " (synthetic)" if dataset.synthetic else ""
    print(f"Quadratic weighted kappa on the test pictures of “{dataset.name}”{synthetic}, with 95 % intervals:")
    for row in scalp_core.compare([run]).itertuples():
        condition = Condition(row.condition).text.en
        print(f"  {condition:<32}{row.value:.3f} [{row.low:.3f}, {row.high:.3f}], n = {row.images}")
    print()


if __name__ == "__main__":
    sys.exit(main())
