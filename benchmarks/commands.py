"""`python -m benchmarks`: how time and memory grow with the data. The only place that measures seconds.

Figures are for comparing sizes and ways within one run; on another machine, or a busy one, they differ.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import comparison, drawing, importing
from benchmarks.measuring import (
    REAL_SITES,
    ROOT,
    WITHOUT_BROWSER,
    label_vectors,
    machine,
    measured_apart,
    memory,
    write_json,
)
from scalp_core.architectures import FAMILIES
from scalp_core.data import filters as explore
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset, open_dataset
from scalp_core.data.filters import Filters
from scalp_core.data.index_writer import write_dataset
from scalp_core.data.splits import PART_SHARES
from scalp_core.synthetic.generate import CAPTURE_SIZES, FIRST_EPOCH_MS, FRAMES, LAST_EPOCH_MS, REGION_OF_FRAME

_SIZES = (10_000, 100_000, 1_000_000)
_NAME, _SEED = "benchmark", 0
_REPEATS = 5
_BATCH = 65_536  # rows
_PER_PAGE = 24
_MEBIBYTE = 2**20

Measured = dict[str, dict[str, float]]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    options.command(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commands", description="Measure time and memory.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    page = commands.add_parser("dataset-page", help="seconds of every interaction of the Dataset page, by rows")
    page.add_argument("--rows", type=int, nargs="+", default=_SIZES, help="sizes (default 10,000 100,000 1,000,000)")
    page.add_argument("--json", type=Path, help="write the figures to this file as well")
    page.set_defaults(command=_dataset_page)

    importing.add_commands(commands)
    drawing.add_commands(commands)
    comparison.add_commands(commands)
    _add_compare_page(commands)
    _add_training(commands)
    _add_predicting(commands)
    _add_rest(commands)

    # Started by the first: a process of its own for every size.
    inner = commands.add_parser("dataset-page-measure")
    inner.add_argument("--json", type=Path, required=True)
    inner.set_defaults(command=_measure_dataset_page)
    return parser


# --- The Compare page, whose benchmark begins with the rows made here -----------------------------------------------


def _add_compare_page(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    page = commands.add_parser("compare-page", help="seconds of every click on the Compare page, with five models")
    page.add_argument("--pictures", type=int, nargs="+", default=(10_000, 100_000), help="that are judged")
    page.set_defaults(command=lambda options: _compare_page().run(options))

    # Started by the one above, once for every size.
    inner = commands.add_parser("compare-page-measure")
    inner.set_defaults(command=lambda options: _compare_page().measure_page(options))
    for parser in (page, inner):
        parser.add_argument("--json", type=Path, required=parser is inner, help="write the figures to this file")


def _compare_page() -> ModuleType:
    from benchmarks import compare_page

    return compare_page


# --- Training, which alone needs torch ------------------------------------------------------------------------------


def _add_training(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    smallest = [variants[0] for variants in FAMILIES.values()]
    train = commands.add_parser("train", help="pictures a second of our training, beside a plain loop")
    train.add_argument("--architectures", nargs="+", default=smallest, help=f"(default: {' '.join(smallest)})")
    train.set_defaults(command=lambda options: _training().compare(options))

    # Started by the one above, once for every architecture.
    inner = commands.add_parser("train-measure")
    inner.add_argument("architecture")
    inner.set_defaults(command=lambda options: _training().measure(options))

    for parser in (train, inner):
        parser.add_argument("--images", type=int, default=400, help="synthetic JPEGs that are drawn (default 400)")
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


def _training() -> ModuleType:
    from benchmarks import training_speed  # some seconds and 300 MB, which the other figures do without

    return training_speed


# --- Grading, whose old way needs torch ------------------------------------------------------------------------------


def _add_predicting(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    smallest = [variants[0] for variants in FAMILIES.values()]
    one = commands.add_parser("predict", help="milliseconds and memory of grading a picture, beside the old way")
    one.set_defaults(command=lambda options: _predicting().predict_command(_quick(options)), rounds=7)
    one.add_argument("--cores", type=int, nargs="+", help="that may be used (default: one, and all)")
    many = commands.add_parser("bulk", help="pictures a second into a table, beside the old way's plain loop")
    many.add_argument("--pictures", type=int, default=320, help="how many (default 320)")
    many.set_defaults(command=lambda options: _predicting().bulk_command(_quick(options)), rounds=1)
    for parser in (one, many):
        parser.add_argument("--architectures", nargs="+", default=smallest, help=f"(default: {' '.join(smallest)})")
        parser.add_argument("--image-sizes", type=int, nargs="+", default=[128, 224], help="(default: 128 224)")
        parser.add_argument(
            "--rounds", type=int, help="of all ways in turn; medians count (default: predict 7, bulk 1)"
        )
        parser.add_argument("--quick", action="store_true", help="one small network, one round: to see that it runs")
        parser.add_argument("--json", type=Path, help="write the figures to this file as well")

    # Started by the two above, each time in a process of its own.
    for name in ("predict-measure", "predict-memory", "bulk-measure"):
        inner = commands.add_parser(name)
        inner.set_defaults(command=lambda options, name=name: _measured(name)(options))
        for flag in ("--run", "--way"):
            inner.add_argument(flag, default="")
        for flag in ("--cores", "--rounds"):
            inner.add_argument(flag, type=int, required=True)
        for flag in ("--folder", "--json"):
            inner.add_argument(flag, type=Path, required=True)


def _quick(options: argparse.Namespace) -> argparse.Namespace:
    if options.quick:
        options.architectures, options.image_sizes, options.rounds = ["test_efficientnet"], [64], 1
        options.pictures = 24
    return options


def _measured(name: str) -> Callable[[argparse.Namespace], None]:
    module = _predicting()
    found: dict[str, Callable[[argparse.Namespace], None]] = {
        "predict-measure": module.measure,
        "predict-memory": module.measure_memory,
        "bulk-measure": module.measure_bulk,
    }
    return found[name]


def _predicting() -> ModuleType:
    from benchmarks import prediction

    return prediction


# --- REST, likewise -------------------------------------------------------------------------------------------------


def _add_rest(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    rest = commands.add_parser("rest", help="requests a second of the REST interface, beside the old way's server")
    rest.add_argument("--architecture", default="efficientnet_b0", help="(default efficientnet_b0)")
    rest.add_argument("--image-size", type=int, default=224, help="what the network sees (default 224)")
    rest.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64], help="at once (default 1 8 64)")
    rest.add_argument("--turn", type=float, default=10, help="seconds of each server under each load (default 10)")
    rest.add_argument("--rounds", type=int, default=2, help="of all servers in turn (default 2)")
    rest.add_argument("--seconds", type=float, default=60, help="of ours alone with the most clients (default 60)")
    rest.add_argument("--quick", action="store_true", help="a small network and some seconds: to see that it runs")
    rest.add_argument("--json", type=Path, help="write the figures to this file as well")
    rest.set_defaults(command=lambda options: _rest().rest_command(_quick_rest(options)))

    # Started by the one above.
    old = commands.add_parser("rest-old")
    old.add_argument("--folder", type=Path, required=True)
    old.add_argument("--port", type=int, required=True)
    old.set_defaults(command=lambda options: _rest().serve_old(options))


def _quick_rest(options: argparse.Namespace) -> argparse.Namespace:
    if options.quick:
        options.architecture, options.image_size = "test_efficientnet", 64
        options.clients, options.turn, options.rounds, options.seconds = [1, 4], 1.0, 1, 2.0
    return options


def _rest() -> ModuleType:
    from benchmarks import rest as benchmark_rest

    return benchmark_rest


# --- An index without pictures --------------------------------------------------------------------------------------


def write_rows(folder: Path, rows: int, seed: int) -> Dataset:
    """A data set of `rows` synthetic rows that look like the imported real ones; its pictures do not exist.

    190 sites, captures of about four, labels as often together as in the real data, one row in a hundred unlabelled,
    quality, answers of a questionnaire and a few look-alikes. Written in batches: memory stays flat.
    """
    made: dict[str, object] = {"generator": "benchmarks", "rows": rows, "seed": seed}
    return write_dataset(folder, "synthetic", made, _batches(rows, seed))


def _batches(rows: int, seed: int) -> Iterator[pd.DataFrame]:
    generator = np.random.default_rng(seed)
    sites = min(REAL_SITES, rows)
    ends = np.linspace(0, rows, sites + 1).astype(int)
    waiting: list[pd.DataFrame] = []
    written = 0
    for site, images in enumerate(np.diff(ends)):
        waiting.append(_site_rows(site, int(images), generator))
        if site == sites - 1 or ends[site + 1] - written >= _BATCH:
            yield _with_columns(pd.concat(waiting, ignore_index=True), written, generator)
            waiting, written = [], ends[site + 1]


def _site_rows(site: int, images: int, generator: np.random.Generator) -> pd.DataFrame:
    """Who and where, in the order of ids: site, device, moment, frame."""
    devices = np.sort(generator.integers(2, size=images))  # at most one capture an image
    moments = np.sort(generator.choice(LAST_EPOCH_MS - FIRST_EPOCH_MS, images, replace=False)) + FIRST_EPOCH_MS
    sizes = generator.choice(len(CAPTURE_SIZES), images, p=CAPTURE_SIZES) + 1
    chance = generator.random((images, len(FRAMES)))
    capture, frame = np.nonzero(chance.argsort(axis=1).argsort(axis=1) < sizes[:, np.newaxis])
    capture, frames = capture[:images], np.array(FRAMES)[frame[:images]]
    serials = np.array([f"A2LEBJJDE{site:04d}{letter}" for letter in "AB"])[devices]
    captures = np.array([f"{site:04d}_{serial}_{moment}" for serial, moment in zip(serials, moments, strict=True)])
    part = generator.choice(list(PART_SHARES), p=list(PART_SHARES.values()))
    table = pd.DataFrame({"site": f"{site:04d}", "device": serials[capture], "capture": captures[capture]})
    table["region"] = pd.Series(frames).map(REGION_OF_FRAME)
    table["id"] = table["capture"] + "_" + frames.astype(str)
    return table.assign(part=part, path="images/" + table["id"] + "_" + table["region"] + ".jpg")


def _with_columns(rows: pd.DataFrame, first: int, generator: np.random.Generator) -> pd.DataFrame:
    """Labels, quality and answers; `first` is the place of the first row, which numbers the look-alikes."""
    count = len(rows)
    vectors, folders, chances = label_vectors()
    drawn = generator.choice(len(vectors), count, p=chances)
    labels = pd.DataFrame(vectors[drawn], columns=list(LABEL_COLUMNS), dtype="Int8")
    labels[generator.random(count) < 0.01] = pd.NA
    hashes = generator.bytes(32 * count).hex()
    few = generator.random(count) < 0.01
    columns: dict[str, Any] = {
        "sha256": [hashes[place : place + 64] for place in range(0, len(hashes), 64)],
        "official": generator.choice(["train", "valid", "both"], count, p=(0.74, 0.21, 0.05)),
        "folders": folders[drawn],
        "bytes": generator.integers(220_000, 250_000, count),
        "width": 640,
        "height": 480,
        "sharpness": generator.lognormal(4.6, 0.5, count),
        "lightness": generator.normal(64, 5, count),
        "clipped": generator.beta(1, 40, count),
        "cast_red": generator.normal(4, 6, count),
        "cast_yellow": generator.normal(6, 4, count),
        "look": generator.integers(2**63, size=count, dtype=np.uint64),
        "look_alikes": pd.Series(first + (np.cumsum(few) - 1) // 2, dtype="Int32").where(few),
        "meta_gender": generator.choice(["남", "여"], count),
        "meta_age": generator.choice(["20대", "30대", "40대", "50대"], count),
        "meta_answers1": generator.choice(["매일", "이틀에 한 번", "사흘에 한 번"], count),
    }
    return pd.concat([rows, labels], axis=1).assign(**columns)


# --- The Dataset page -----------------------------------------------------------------------------------------------


def _dataset_page(options: argparse.Namespace) -> None:
    found = [_in_own_process(rows) for rows in sorted(options.rows)]
    figures = {"benchmark": "dataset-page", "synthetic": True, "machine": machine(), "sizes": found}
    _print(figures)
    if options.json:
        write_json(options.json, figures)


def _in_own_process(rows: int) -> dict[str, Any]:
    """Figures for one size: read by a fresh process, so that its memory is all that size's."""
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        folder = Path(temporary)
        print(f"{rows:,} rows: writing and measuring …", file=sys.stderr)
        dataset = write_rows(folder / "data" / _NAME, rows, _SEED)
        found = measured_apart(folder, "dataset-page-measure", **WITHOUT_BROWSER)
        return {"rows": rows, "index_mebibytes": _mebibytes(dataset.folder / "index.parquet")} | found


def _mebibytes(path: Path) -> float:
    return path.stat().st_size / _MEBIBYTE


def _measure_dataset_page(options: argparse.Namespace) -> None:
    dataset = open_dataset(_NAME)
    before = memory()
    seconds = measure(_interactions(dataset))
    of_functions = memory()
    seconds |= measure(_openings(dataset))
    figures = {"seconds": seconds, "memory": {"start": before, "functions": of_functions, "page": memory()}}
    write_json(options.json, figures)


def measure(interactions: dict[str, Callable[[int], object]]) -> Measured:
    """Seconds of each: the first time in this process, and the median of the next five.

    Each is called with the number of the repetition, so that it need not ask twice for what is kept.
    """
    seconds = {}
    for name, interaction in interactions.items():
        first, *others = [_seconds(interaction, repeat) for repeat in range(_REPEATS + 1)]
        seconds[name] = {"first": first, "median": median(others)}
    return seconds


def _seconds(interaction: Callable[[int], object], repeat: int) -> float:
    start = time.perf_counter()
    interaction(repeat)
    return time.perf_counter() - start


def _interactions(dataset: Dataset) -> dict[str, Callable[[int], object]]:
    """What the page asks for, by name; on all rows, or on those that filters leave."""
    everything = np.arange(dataset.images)

    def one_filter(repeat: int) -> Filters:
        return Filters.of({"value_2": ["2", "3"]}, text="" if repeat == 0 else f"_{repeat + 1}")

    def three_filters(repeat: int) -> Filters:
        return Filters.of({"value_2": ["2"], "part": ["train"]}, {"sharpness": (50 + repeat, math.inf)})

    def gallery_page(repeat: int) -> list[str]:
        shown = explore.sort(dataset, everything, "sharpness")
        begin = min(500 + repeat, len(shown) // _PER_PAGE) * _PER_PAGE
        return dataset.column("id").iloc[shown[begin : begin + _PER_PAGE]].tolist()

    return {
        "choices of all filters": lambda _: [explore.choices(dataset, name) for name in explore.filterable(dataset)],
        "select, one filter and text": lambda repeat: explore.select(dataset, one_filter(repeat)),
        "select, three filters": lambda repeat: explore.select(dataset, three_filters(repeat)),
        "size": lambda _: explore.size(dataset, everything),
        "counts": lambda _: explore.counts(dataset, everything),
        "Spearman": lambda _: explore.spearman(dataset, everything),
        "co-occurrence": lambda _: explore.cooccurrence(dataset, everything),
        "grades by region": lambda _: explore.by_field(dataset, everything, "region", "value_2"),
        "grades by site": lambda _: explore.by_field(dataset, everything, "site", "value_2"),
        "sort by sharpness": lambda _: explore.sort(dataset, everything, "sharpness"),
        "page 500 of the gallery": gallery_page,
        "row of an id": lambda repeat: dataset.row(str(dataset.column("id").iloc[-1 - repeat])),
        "neighbours": lambda repeat: explore.neighbours(dataset, str(dataset.column("id").iloc[-1 - repeat])),
        "CSV of three filters": lambda repeat: _length(dataset, explore.select(dataset, three_filters(repeat))),
        "CSV of everything": lambda _: _length(dataset, everything),
    }


def _length(dataset: Dataset, rows: explore.Rows) -> int:
    return sum(map(len, explore.to_csv(dataset, rows)))


def _openings(dataset: Dataset) -> dict[str, Callable[[int], object]]:
    """The page itself, each time for a visitor who was not there before."""

    def filters(repeat: int) -> Filters:
        return Filters.of({"value_2": ["2", "3"], "part": ["train"]}, {"sharpness": (50 + repeat, math.inf)})

    return {
        "open the page": lambda _: open_page(dataset, {}),
        "open it with three filters": lambda repeat: open_page(dataset, filters(repeat).to_address()),
        "page 9 by sharpness": lambda _: open_page(dataset, {"sort": "sharpness", "page": "9"}),
        "its label statistics": lambda repeat: open_page(dataset, {"view": "labels"} | filters(repeat).to_address()),
        "its audit": lambda _: open_page(dataset, {"view": "audit"}),
    }


def open_page(dataset: Dataset, address: dict[str, str]) -> None:
    """Run the Dataset page as a browser's first visit does; without a browser's own part.

    Raises:
        RuntimeError: the page failed, so its time means nothing.
    """
    from streamlit.testing.v1 import AppTest

    visit = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=600)
    visit.switch_page("pages/1_Dataset.py")
    for key, value in ({"lang": "en", "data": dataset.name} | address).items():
        visit.query_params[key] = value
    visit.run()
    if visit.exception or visit.error:
        raise RuntimeError(f"the page failed: {[one.value for one in (*visit.exception, *visit.error)]}")


def _print(figures: dict[str, Any]) -> None:
    sizes = figures["sizes"]
    told = figures["machine"]
    print(f"Seconds on the Dataset page over SYNTHETIC rows without pictures; {told['cores']} cores, Python", end=" ")
    print(f"{told['python']}, load {told['load']}. First: nothing read yet. Then: the median of {_REPEATS}.")
    for kind, title in (("first", "first"), ("median", "then")):
        print("\n" + _table(sizes, title, lambda size, name, kind=kind: float(size["seconds"][name][kind])))
    print("\n" + _memory_table(sizes))


def _table(sizes: list[dict[str, Any]], title: str, value: Callable[[dict[str, Any], str], float]) -> str:
    names = list(sizes[0]["seconds"])
    table = pd.DataFrame({f"{size['rows']:,}": [value(size, name) for name in names] for size in sizes}, names)
    growth = [_growth(sizes, row) for row in table.to_numpy()]
    shown = table.map("{:.4f}".format).assign(**{"× for 10 × rows": growth})
    return str(shown.rename_axis(columns=f"{title}, seconds").to_string())


def _growth(sizes: list[dict[str, Any]], seconds: npt.NDArray[np.float64]) -> str:
    """By how much the last step multiplies the time, per tenfold rows: 10 is proportional."""
    if len(sizes) < 2 or sizes[-1]["rows"] == sizes[-2]["rows"]:
        return "–"
    steps = math.log10(sizes[-1]["rows"] / sizes[-2]["rows"])
    return f"{(seconds[-1] / seconds[-2]) ** (1 / steps):.1f}"


def _memory_table(sizes: list[dict[str, Any]]) -> str:
    columns = {
        f"{size['rows']:,}": {
            "index.parquet": size["index_mebibytes"],
            **{
                f"{when}, {what}": mebibytes
                for when, told in size["memory"].items()
                for what, mebibytes in told.items()
            },
        }
        for size in sizes
    }
    return str(pd.DataFrame(columns).map("{:.0f}".format).rename_axis(columns="memory, MiB").to_string())


if __name__ == "__main__":
    sys.exit(main())
