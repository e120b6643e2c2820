"""The command line of `python -m benchmarks`: one command for each thing that is measured.

Figures compare sizes and ways within one run; they differ on another machine, or a busy one. Modules that need torch or
streamlit are imported only by their own commands.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from benchmarks import comparison, drawing, importing
from benchmarks.measuring import Commands
from scalp_core.architectures import FAMILIES
from training.train import add_recipe

_SMALLEST = [variants[0] for variants in FAMILIES.values()]
_QUICK_PREDICTION = {"architectures": ["test_efficientnet"], "image_sizes": [64], "rounds": 1, "pictures": 24}
_QUICK_REST = {
    "architecture": "test_efficientnet",
    "image_size": 64,
    "clients": [1, 4],
    "turn": 1.0,
    "rounds": 1,
    "seconds": 2.0,
}

Command = Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    options.command(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure time and memory.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_dataset_page(commands)
    importing.add_commands(commands)
    drawing.add_commands(commands)
    comparison.add_commands(commands)
    _add_compare_page(commands)
    _add_training(commands)
    _add_transfer(commands)
    _add_prediction(commands)
    _add_rest(commands)
    return parser


def _later(module: str, function: str) -> Command:
    """Return a command that imports its module only when it runs."""

    def command(options: argparse.Namespace) -> None:
        getattr(import_module(f"benchmarks.{module}"), function)(options)

    return command


def _quick(command: Command, options_if_quick: dict[str, object]) -> Command:
    """Return a command that takes these options with --quick."""

    def with_quick_options(options: argparse.Namespace) -> None:
        if options.quick:
            vars(options).update(options_if_quick)
        command(options)

    return with_quick_options


def _add_dataset_page(commands: Commands) -> None:
    sizes = (10_000, 100_000, 1_000_000)
    page = commands.add_parser("dataset-page", help="seconds of every interaction of the Dataset page, by rows")
    page.add_argument("--rows", type=int, nargs="+", default=sizes, help="sizes (default 10,000 100,000 1,000,000)")
    page.add_argument("--json", type=Path, help="write the figures to this file as well")
    page.set_defaults(command=_later("dataset_page", "run"))

    # Started by the first: a process of its own for every size.
    inner = commands.add_parser("dataset-page-measure")
    inner.add_argument("--json", type=Path, required=True)
    inner.set_defaults(command=_later("dataset_page", "measure_page"))


def _add_compare_page(commands: Commands) -> None:
    page = commands.add_parser("compare-page", help="seconds of every click on the Compare page, with five models")
    page.add_argument("--pictures", type=int, nargs="+", default=(10_000, 100_000), help="that are judged")
    page.set_defaults(command=_later("compare_page", "run"))

    # Started by the one above, once for every size.
    inner = commands.add_parser("compare-page-measure")
    inner.set_defaults(command=_later("compare_page", "measure_page"))
    for parser in (page, inner):
        parser.add_argument("--json", type=Path, required=parser is inner, help="write the figures to this file")


def _add_training(commands: Commands) -> None:
    train = commands.add_parser("train", help="pictures a second of our training, beside a plain loop")
    train.add_argument("--architectures", nargs="+", default=_SMALLEST, help=f"(default: {' '.join(_SMALLEST)})")
    train.set_defaults(command=_later("training_speed", "compare"))

    # Started by the one above, once for every architecture.
    inner = commands.add_parser("train-measure")
    inner.add_argument("architecture")
    inner.set_defaults(command=_later("training_speed", "measure"))

    for parser in (train, inner):
        parser.add_argument("--images", type=int, default=400, help="synthetic JPEGs that are rendered (default 400)")
        parser.add_argument("--image-size", type=int, default=128, help="what the network sees (default 128)")
        parser.add_argument("--batch-size", type=int, default=32, help="pictures a step (default 32)")
        parser.add_argument("--steps", type=int, default=8, help="a round (default 8)")
        parser.add_argument("--rounds", type=int, default=5, help="of all ways in turn; medians count (default 5)")
        parser.add_argument(
            "--against",
            nargs="+",
            choices=("timm", "torchvision"),
            default=["timm"],
            help="what plain is: timm's train.py (default), torchvision's references/classification, or both",
        )
        parser.add_argument("--json", type=Path, help="write the figures to this file as well")


def _add_transfer(commands: Commands) -> None:
    transfer = commands.add_parser(
        "transfer",
        help="kappa of networks of two datasets, and of the second randomised, each on the test split of both",
        description="Default of this command where recipes have others: resnet18 from random weights at 128 pixels, to "
        "the end (patience 0).",
    )
    transfer.add_argument("first", help="name of a dataset, for instance of older drawings")
    transfer.add_argument("second", help="name of another one, whose pictures are also randomised")
    transfer.add_argument("--prefix", default="transfer", help="runs are called PREFIX-DATA (default transfer)")
    transfer.add_argument("--json", type=Path, help="write the figures to this file as well")
    add_recipe(transfer, leave_out=("data", "augmentation"))
    transfer.set_defaults(
        command=_later("transfer", "run"), architecture="resnet18", weights="none", image_size=128, patience=0
    )


def _add_prediction(commands: Commands) -> None:
    single = commands.add_parser("predict", help="milliseconds and memory of grading a picture, beside the old way")
    single.set_defaults(command=_quick(_later("prediction", "predict_command"), _QUICK_PREDICTION), rounds=7)
    single.add_argument("--cores", type=int, nargs="+", help="that may be used (default: one, and all)")
    many = commands.add_parser("bulk", help="pictures a second into a table, beside the old way's plain loop")
    many.add_argument("--pictures", type=int, default=320, help="how many (default 320)")
    many.set_defaults(command=_quick(_later("prediction", "bulk_command"), _QUICK_PREDICTION), rounds=1)
    for parser in (single, many):
        parser.add_argument("--architectures", nargs="+", default=_SMALLEST, help=f"(default: {' '.join(_SMALLEST)})")
        parser.add_argument("--image-sizes", type=int, nargs="+", default=[128, 224], help="(default: 128 224)")
        parser.add_argument(
            "--rounds", type=int, help="of all ways in turn; medians count (default: predict 7, bulk 1)"
        )
        parser.add_argument("--quick", action="store_true", help="one small network, one round: to see that it runs")
        parser.add_argument("--json", type=Path, help="write the figures to this file as well")

    # Started by the two above, each time in a process of its own.
    inner_commands = {"predict-measure": "measure", "predict-memory": "measure_memory", "bulk-measure": "measure_bulk"}
    for name, function in inner_commands.items():
        inner = commands.add_parser(name)
        inner.set_defaults(command=_later("prediction", function))
        for flag in ("--run", "--way"):
            inner.add_argument(flag, default="")
        for flag in ("--cores", "--rounds"):
            inner.add_argument(flag, type=int, required=True)
        for flag in ("--folder", "--json"):
            inner.add_argument(flag, type=Path, required=True)


def _add_rest(commands: Commands) -> None:
    rest = commands.add_parser("rest", help="requests a second of the REST interface, beside the old way's server")
    rest.add_argument("--architecture", default="efficientnet_b0", help="(default efficientnet_b0)")
    rest.add_argument("--image-size", type=int, default=224, help="what the network sees (default 224)")
    rest.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64], help="at once (default 1 8 64)")
    rest.add_argument("--turn", type=float, default=10, help="seconds of each server under each load (default 10)")
    rest.add_argument("--rounds", type=int, default=2, help="of all servers in turn (default 2)")
    rest.add_argument("--seconds", type=float, default=60, help="of ours alone with the most clients (default 60)")
    rest.add_argument("--quick", action="store_true", help="a small network and some seconds: to see that it runs")
    rest.add_argument("--json", type=Path, help="write the figures to this file as well")
    rest.set_defaults(command=_quick(_later("rest", "rest_command"), _QUICK_REST))

    # Started by the one above.
    old = commands.add_parser("rest-old")
    old.add_argument("--folder", type=Path, required=True)
    old.add_argument("--port", type=int, required=True)
    old.set_defaults(command=_later("rest", "serve_old"))
