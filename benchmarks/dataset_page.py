"""`python -m benchmarks dataset-page`: seconds of every interaction of the Dataset page, by number of rows."""

import argparse
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.measuring import (
    REPEATS,
    ROOT,
    WITHOUT_BROWSER,
    machine,
    measure,
    measure_apart,
    memory,
    write_json,
)
from benchmarks.synthetic_rows import write_rows
from scalp_core.data import filters
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.filters import Filters

_NAME, _SEED = "benchmark", 0
_PER_PAGE = 24
_MEBIBYTE = 2**20


def run(options: argparse.Namespace) -> None:
    """Measure every size in a process of its own, so that its memory is all that size's."""
    sizes = [_in_own_process(rows) for rows in sorted(options.rows)]
    figures = {"benchmark": "dataset-page", "synthetic": True, "machine": machine(), "sizes": sizes}
    _print(figures)
    if options.json:
        write_json(options.json, figures)


def _in_own_process(rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        folder = Path(temporary)
        print(f"{rows:,} rows: writing and measuring …", file=sys.stderr)
        dataset = write_rows(folder / "data" / _NAME, rows, _SEED)
        figures = measure_apart(folder, "dataset-page-measure", **WITHOUT_BROWSER)
        return {"rows": rows, "index_mebibytes": _mebibytes(dataset.folder / "index.parquet")} | figures


def _mebibytes(path: Path) -> float:
    return path.stat().st_size / _MEBIBYTE


def measure_page(options: argparse.Namespace) -> None:
    """Measure one size; started by `run`."""
    dataset = open_dataset(_NAME)
    start = memory()
    seconds = measure(_interactions(dataset))
    after_functions = memory()
    seconds |= measure(_openings(dataset))
    figures = {"seconds": seconds, "memory": {"start": start, "functions": after_functions, "page": memory()}}
    write_json(options.json, figures)


def _interactions(dataset: Dataset) -> dict[str, Callable[[int], object]]:
    """Return the page's computations by name; on all rows, or on those that filters leave."""
    everything = np.arange(dataset.images)

    def one_filter(repeat: int) -> Filters:
        return Filters.of({"value_2": ["2", "3"]}, text="" if repeat == 0 else f"_{repeat + 1}")

    def three_filters(repeat: int) -> Filters:
        return Filters.of({"value_2": ["2"], "part": ["train"]}, {"sharpness": (50 + repeat, math.inf)})

    def gallery_page(repeat: int) -> list[str]:
        rows = filters.sort(dataset, everything, "sharpness")
        begin = min(500 + repeat, len(rows) // _PER_PAGE) * _PER_PAGE
        return dataset.column("id").iloc[rows[begin : begin + _PER_PAGE]].tolist()

    return {
        "choices of all filters": lambda _: [filters.choices(dataset, name) for name in filters.filterable(dataset)],
        "select, one filter and text": lambda repeat: filters.select(dataset, one_filter(repeat)),
        "select, three filters": lambda repeat: filters.select(dataset, three_filters(repeat)),
        "size": lambda _: filters.size(dataset, everything),
        "counts": lambda _: filters.counts(dataset, everything),
        "Spearman": lambda _: filters.spearman(dataset, everything),
        "co-occurrence": lambda _: filters.cooccurrence(dataset, everything),
        "grades by region": lambda _: filters.by_field(dataset, everything, "region", "value_2"),
        "grades by site": lambda _: filters.by_field(dataset, everything, "site", "value_2"),
        "sort by sharpness": lambda _: filters.sort(dataset, everything, "sharpness"),
        "page 500 of the gallery": gallery_page,
        "row of an id": lambda repeat: dataset.row(str(dataset.column("id").iloc[-1 - repeat])),
        "neighbours": lambda repeat: filters.neighbours(dataset, str(dataset.column("id").iloc[-1 - repeat])),
        "CSV of three filters": lambda repeat: _length(dataset, filters.select(dataset, three_filters(repeat))),
        "CSV of everything": lambda _: _length(dataset, everything),
    }


def _length(dataset: Dataset, rows: filters.Rows) -> int:
    return sum(map(len, filters.to_csv(dataset, rows)))


def _openings(dataset: Dataset) -> dict[str, Callable[[int], object]]:
    """Return the openings of the page itself by name, each for a new visitor."""

    def two_filters(repeat: int) -> Filters:
        return Filters.of({"value_2": ["2", "3"], "part": ["train"]}, {"sharpness": (50 + repeat, math.inf)})

    return {
        "open the page": lambda _: open_page(dataset, {}),
        "open it with three filters": lambda repeat: open_page(dataset, two_filters(repeat).to_address()),
        "page 9 by sharpness": lambda _: open_page(dataset, {"sort": "sharpness", "page": "9"}),
        "its label statistics": lambda repeat: open_page(
            dataset, {"view": "labels"} | two_filters(repeat).to_address()
        ),
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
        raise RuntimeError(f"the page failed: {[error.value for error in (*visit.exception, *visit.error)]}")


def _print(figures: dict[str, Any]) -> None:
    sizes, computer = figures["sizes"], figures["machine"]
    print("Seconds on the Dataset page over SYNTHETIC rows without pictures;", end=" ")
    print(f"{computer['cores']} cores, Python {computer['python']}, load {computer['load']}.", end=" ")
    print(f"First: nothing read yet. Then: the median of {REPEATS}.")
    for kind, title in (("first", "first"), ("median", "then")):
        print("\n" + _table(sizes, title, lambda size, name, kind=kind: float(size["seconds"][name][kind])))
    print("\n" + _memory_table(sizes))


def _table(sizes: list[dict[str, Any]], title: str, value: Callable[[dict[str, Any], str], float]) -> str:
    names = list(sizes[0]["seconds"])
    table = pd.DataFrame({f"{size['rows']:,}": [value(size, name) for name in names] for size in sizes}, names)
    growth = [_growth(sizes, row) for row in table.to_numpy()]
    texts = table.map("{:.4f}".format).assign(**{"× for 10 × rows": growth})
    return str(texts.rename_axis(columns=f"{title}, seconds").to_string())


def _growth(sizes: list[dict[str, Any]], seconds: npt.NDArray[np.float64]) -> str:
    """Return the factor of the last step's time per tenfold rows: 10 is proportional."""
    if len(sizes) < 2 or sizes[-1]["rows"] == sizes[-2]["rows"]:
        return "–"
    steps = math.log10(sizes[-1]["rows"] / sizes[-2]["rows"])
    return f"{(seconds[-1] / seconds[-2]) ** (1 / steps):.1f}"


def _memory_table(sizes: list[dict[str, Any]]) -> str:
    columns = {
        f"{size['rows']:,}": {
            "index.parquet": size["index_mebibytes"],
            **{
                f"{moment}, {kind}": mebibytes
                for moment, measured in size["memory"].items()
                for kind, mebibytes in measured.items()
            },
        }
        for size in sizes
    }
    return str(pd.DataFrame(columns).map("{:.0f}".format).rename_axis(columns="memory, MiB").to_string())
