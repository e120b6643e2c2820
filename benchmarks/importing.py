"""`python -m benchmarks import`: cost of importing an AI Hub tree, beside plain reading of the same files.

Trees are synthetic: tiny pictures of noise under the publisher's names. Every figure comes from a process of its own,
so that its memory is its own and nothing is cached but files by the operating system.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from shutil import rmtree
from statistics import median
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from benchmarks.measuring import REAL_SITES, Commands, label_vectors, machine, measure_apart, memory, write_json
from scalp_core.data import quality
from scalp_core.data.dataset import LABEL_COLUMNS, open_dataset
from scalp_core.importing.importer import ImportRequest, import_tree
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.synthetic.generate import FIRST_EPOCH_MS, REGION_OF_FRAME

_SIZES = (10_000, 100_000)  # label files
LAYOUTS = ("zips", "folders")
_NAME = "benchmark"
_WIDTH, _HEIGHT = 64, 48
_FRAMES = list(REGION_OF_FRAME)
_PER_CAPTURE = 4
_VALIDATED = 5  # of so many captures one is in the publisher's validation split
_CORES = os.cpu_count() or 1
# Pictures for the cost of decoding and measuring: as large as the real ones, about 230 kB each.
_SAMPLE, _SAMPLE_SIZE, _SAMPLE_QUALITY = 60, (640, 480), 100

Put = Callable[[str, str, str, bytes], None]


def add_commands(commands: Commands) -> None:
    """Add the command and the one that it starts."""
    imported = commands.add_parser("import", help="seconds and memory of an import, beside plain reading")
    imported.add_argument(
        "--labels", type=int, nargs="+", default=_SIZES, help="sizes in label files (default 10,000 100,000)"
    )
    imported.add_argument("--layout", choices=LAYOUTS, default="zips", help="as delivered (default), or unpacked")
    imported.add_argument("--repeats", type=int, default=3, help="of what is compared; the median counts (default 3)")
    imported.add_argument("--json", type=Path, help="write the figures to this file as well")
    imported.set_defaults(command=_import)

    # Started by the one above, once for every figure.
    inner = commands.add_parser("import-measure")
    inner.add_argument("what", choices=list(_WORK))
    inner.add_argument("tree", type=Path)
    inner.add_argument("--processes", type=int)
    inner.add_argument("--json", type=Path, required=True)
    inner.set_defaults(command=_measure)


# --- A tree ---------------------------------------------------------------------------------------------------------


def write_tree(folder: Path, labels: int, layout: str, seed: int = 0) -> int:
    """Write a tree as delivered with this many label files or a few more; return its number of different pictures.

    As in the real one, a picture lies, with its label file, in the class folders of all its conditions, or in all six
    of grade 0: 2.4 on average. Zip files are stored, which suits plain reading best.
    """
    generator = np.random.default_rng(seed)
    vectors, _, chances = label_vectors()
    with ExitStack() as stack:
        put = _into_zips(folder, stack) if layout == "zips" else _into_folders(folder)
        pictures = written = 0
        while written < labels:
            grades = vectors[generator.choice(len(vectors), p=chances)].tolist()
            written += _put_picture(put, pictures, grades, _noise(generator))
            pictures += 1
        return pictures


def _noise(generator: np.random.Generator) -> bytes:
    pixels = generator.integers(0, 256, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()


def _put_picture(put: Put, number: int, grades: list[int], picture: bytes) -> int:
    """Put a picture with its label file into all its class folders; return their number."""
    capture = number // _PER_CAPTURE
    site, frame = capture % REAL_SITES, _FRAMES[number % _PER_CAPTURE]
    image_id = f"{site:04d}_A2LEBJJDE{site:05d}O_{FIRST_EPOCH_MS + capture}_{frame}"
    stem = f"{image_id}_{REGION_OF_FRAME[frame]}"
    facts = {"image_id": image_id, "image_file_name": f"{stem}.jpg"}
    facts |= {name: str(grade) for name, grade in zip(LABEL_COLUMNS, grades, strict=True)}
    label = json.dumps(facts).encode()
    split = "Training" if capture % _VALIDATED else "Validation"
    all_classes = list(zip(CONDITIONS, grades, strict=True))
    classes = [(condition, grade) for condition, grade in all_classes if grade] or all_classes
    for condition, grade in classes:
        name = f"{condition.text.ko.replace('/', '')}_{grade}.{GRADES[grade].text.ko}"
        put(split, f"[원천]{name}", f"{stem}.jpg", picture)
        put(split, f"[라벨]{name}", f"{stem}.json", label)
    return len(classes)


def _into_zips(folder: Path, stack: ExitStack) -> Put:
    archives: dict[Path, zipfile.ZipFile] = {}

    def put(split: str, name: str, file: str, content: bytes) -> None:
        path = folder / split / f"{name}.zip"
        if path not in archives:
            path.parent.mkdir(parents=True, exist_ok=True)
            archives[path] = stack.enter_context(zipfile.ZipFile(path, "w"))
        archives[path].writestr(file, content)

    return put


def _into_folders(folder: Path) -> Put:
    def put(split: str, name: str, file: str, content: bytes) -> None:
        (folder / split / name).mkdir(parents=True, exist_ok=True)
        (folder / split / name / file).write_bytes(content)

    return put


# --- One figure, in a process of its own ----------------------------------------------------------------------------


def _measure(options: argparse.Namespace) -> None:
    seconds = _WORK[options.what](options.tree, options.processes)
    write_json(options.json, seconds | {"peak": memory()["peak"]})


def _plain(tree: Path, _: int | None) -> dict[str, float]:
    """Read in the simplest way: parse every label, ask Pillow for the size of every picture."""
    start = time.perf_counter()
    for path in sorted(tree.rglob("*.*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    with archive.open(name) as file:
                        _ = json.load(file) if name.endswith(".json") else Image.open(file).size
        elif path.suffix in (".json", ".jpg"):
            with path.open("rb") as file:
                _ = json.load(file) if path.suffix == ".json" else Image.open(file).size
    return {"seconds": time.perf_counter() - start}


class _EnoughError(Exception):
    """End of the measured part of an import."""


def _reading(tree: Path, processes: int | None) -> dict[str, float]:
    """Read names, labels and headers, until all of it is in the import database."""
    start, end = time.perf_counter(), 0.0

    def report(stage: str, _done: int, _total: int) -> None:
        nonlocal end
        if stage != "reading":
            raise _EnoughError
        end = time.perf_counter()

    try:
        import_tree(ImportRequest("aihub", str(tree)), _NAME, processes=processes, progress=report)
    except _EnoughError:
        return {"seconds": end - start}
    raise RuntimeError("the import had nothing to inspect")


def _whole(tree: Path, processes: int | None) -> dict[str, float]:
    ended = {"start": time.perf_counter()}

    def report(stage: str, _done: int, _total: int) -> None:
        ended[stage] = time.perf_counter()

    import_tree(ImportRequest("aihub", str(tree)), _NAME, processes=processes, progress=report)
    end = time.perf_counter()
    return {
        "reading": ended["reading"] - ended["start"],
        "inspecting": ended["inspecting"] - ended["reading"],
        "writing": end - ended["inspecting"],  # merging goes before it
        "seconds": end - ended["start"],
    }


def _again(tree: Path, processes: int | None) -> dict[str, float]:
    start = time.perf_counter()
    import_tree(ImportRequest("aihub", str(tree)), _NAME, processes=processes)
    return {"seconds": time.perf_counter() - start}


def _opening(_tree: Path, _: int | None) -> dict[str, float]:
    """Open the index: first labels and sizes, as plain reading does; then a page's filters; then all the rest."""
    columns_of = {
        "facts": ["id", *LABEL_COLUMNS, "width", "height"],
        "filters": ["part", "site", "device", "capture", "region", "official", "sharpness"],
    }
    seconds = {}
    start = time.perf_counter()
    dataset = open_dataset(_NAME)
    for name, columns in columns_of.items():
        for column in columns:
            dataset.column(column)
        start, seconds[name] = time.perf_counter(), time.perf_counter() - start
    rows = len(dataset.index)
    return seconds | {"index": time.perf_counter() - start, "rows": rows}


def _inspection(_tree: Path, _: int | None) -> dict[str, float]:
    """Measure the seconds a picture of the real size on one core: decoded by Pillow, and by us with all measures."""
    cv2.setNumThreads(1)
    pictures = list(_sample())
    plain, measured = [], []
    for picture in pictures:
        start = time.perf_counter()
        Image.open(BytesIO(picture)).convert("RGB")
        decoded = time.perf_counter()
        quality.measure(picture)
        plain.append(decoded - start)
        measured.append(time.perf_counter() - decoded)
    return {"plain": median(plain), "measured": median(measured), "bytes": float(median(map(len, pictures)))}


def _sample() -> Iterator[bytes]:
    generator = np.random.default_rng(0)
    width, height = _SAMPLE_SIZE
    for _ in range(_SAMPLE):
        coarse = generator.integers(60, 200, (12, 16, 3)).astype(np.float32)
        smooth = cv2.resize(coarse, _SAMPLE_SIZE, interpolation=cv2.INTER_CUBIC)
        pixels: npt.NDArray[np.float32] = smooth + generator.normal(0, 6, (height, width, 1)).astype(np.float32)
        buffer = BytesIO()
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(buffer, "JPEG", quality=_SAMPLE_QUALITY, subsampling="4:2:0")
        yield buffer.getvalue()


_WORK: dict[str, Callable[[Path, int | None], dict[str, float]]] = {
    "plain": _plain,
    "reading": _reading,
    "whole": _whole,
    "again": _again,
    "opening": _opening,
    "inspection": _inspection,
}


# --- All of them ----------------------------------------------------------------------------------------------------


def _import(options: argparse.Namespace) -> None:
    sizes = [_one_size(labels, options.layout, options.repeats) for labels in sorted(options.labels)]
    figures = {
        "benchmark": "import",
        "synthetic": True,
        "layout": options.layout,
        "machine": machine(),
        "sizes": sizes,
    }
    _print(figures)
    if options.json:
        write_json(options.json, figures)


def _one_size(labels: int, layout: str, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        folder = Path(temporary)
        print(f"{labels:,} label files: writing and measuring …", file=sys.stderr)
        figures: dict[str, Any] = {"labels": labels, "pictures": write_tree(folder / "tree", labels, layout)}
        # In turns, so that a busy moment meets both.
        compared = [("plain", 1), *(("reading", number) for number in sorted({1, _CORES}))] * repeats
        repeats_of: dict[str, list[dict[str, float]]] = {}
        for figure, processes in compared:
            repeats_of.setdefault(f"{figure}, {processes}", []).append(_in_own_process(folder, figure, processes))
            rmtree(folder / "data", ignore_errors=True)
        figures |= {name: _median(results) for name, results in repeats_of.items()}
        figures["whole"] = _in_own_process(folder, "whole", None)
        for figure in ("again", "opening", "inspection"):
            figures[figure] = _median([_in_own_process(folder, figure, None) for _ in range(repeats)])
        return figures


def _median(results: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(result[name] for result in results) for name in results[0]}


def _in_own_process(folder: Path, what: str, processes: int | None) -> dict[str, float]:
    apart = ["--processes", str(processes)] if processes else []
    return measure_apart(folder, "import-measure", what, str(folder / "tree"), *apart)


def _print(figures: dict[str, Any]) -> None:
    computer = figures["machine"]
    print(
        f"Importing SYNTHETIC trees of tiny pictures ({figures['layout']}); {computer['cores']} cores, Python", end=" "
    )
    print(f"{computer['python']}, load {computer['load']}. The files are in the cache of the operating system.")
    columns = {f"{size['labels']:,} labels": _column(size) for size in figures["sizes"]}
    print(pd.DataFrame(columns).to_string(justify="right"))


def _column(size: dict[str, Any]) -> dict[str, str]:
    """Format one size. Ratios are against plain reading of the same files in the same minutes."""
    plain, whole, opening, inspected = (size[name] for name in ("plain, 1", "whole", "opening", "inspection"))
    rows = {"pictures": f"{size['pictures']:,}", "plain json and Pillow sizes, s": _seconds(plain["seconds"])}
    for number in sorted({1, _CORES}):
        seconds = size[f"reading, {number}"]["seconds"]
        rows[f"reading, processes: {number}, s"] = _seconds(seconds)
        rows[f"  times as fast as plain, processes: {number}"] = f"{plain['seconds'] / seconds:.1f}"
    return rows | {
        "inspecting, s": _seconds(whole["inspecting"]),
        "settling and writing, s": _seconds(whole["writing"]),
        "second import, nothing changed, s": _seconds(size["again"]["seconds"]),
        "opening: labels and sizes, s": _seconds(opening["facts"]),
        "  times as fast as plain reading": f"{plain['seconds'] / opening['facts']:.0f}",
        "opening: columns of the filters, s": _seconds(opening["filters"]),
        "opening: the whole index, s": _seconds(opening["index"]),
        "a picture of 640 × 480: decoded by Pillow, ms": f"{1000 * inspected['plain']:.1f}",
        "  and measured, ms": f"{1000 * inspected['measured']:.1f}",
        "peak MiB, plain": f"{plain['peak']:.0f}",
        "peak MiB, reading in one process": f"{size['reading, 1']['peak']:.0f}",
        f"peak MiB, reading with {_CORES}, without these": f"{size[f'reading, {_CORES}']['peak']:.0f}",
        "peak MiB, whole import, without its workers": f"{whole['peak']:.0f}",
        "peak MiB, second import": f"{size['again']['peak']:.0f}",
    }


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.1f}"
