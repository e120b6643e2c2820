"""Shares of scalps and of other pictures that the gate refuses or marks: `python -m benchmarks.not_scalp [RUN …]`.

Renders pictures of many kinds (benchmarks/not_scalp_drawing.py), as they are and in the colours of a scalp, passes
them, crops of photographs (benchmarks/photographs.py) and the dataset's own through the gate of each run, and prints
Markdown tables: by kind, and the dataset's by condition and grade. The scalps are SYNTHETIC: nothing is known of real
ones.
"""

import argparse
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from benchmarks.not_scalp_drawing import KINDS, draw, drawing_of, encoded, in_colours_of, opened
from benchmarks.photographs import crops, photographs
from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import write_atomic
from scalp_core.inference import input_gate
from scalp_core.inference.gate_fit import fitting_data, sample_rows
from scalp_core.inference.gate_variation import vary
from scalp_core.inference.input_gate import Gate
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.parallel import parallel_map
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_run, finished_runs
from scalp_core.sampling import evenly_spaced

Pixels = npt.NDArray[np.uint8]

OWN = ("calib", "valid", "test")
JUDGED = ("valid", "test")  # the gate was fitted on none of them
PHOTOGRAPHS = "photographs"  # real ones, of packages
IN_SCALP_COLOURS = "in the colours of a scalp"
CROPS = 9  # of each photograph
COLOURS_APART = 7  # training pictures from one whose colours are taken to the next

Change = Callable[[Pixels], Pixels]


def _times(pixels: Pixels, gain: float) -> Pixels:
    return np.asarray(np.clip(pixels * gain, 0, 255), dtype=np.uint8)


def _blurred(pixels: Pixels, deviation: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), deviation), dtype=np.uint8)


def _shrunk(pixels: Pixels, side: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (side, side * 3 // 4), interpolation=cv2.INTER_AREA), dtype=np.uint8)


# Faults of a scalp picture of 640 × 480.
SPOILT: Mapping[str, Change] = {
    "blurred, 4 px": partial(_blurred, deviation=4),
    "blurred, 6 px": partial(_blurred, deviation=6),
    "blurred, 10 px": partial(_blurred, deviation=10),
    "light × 1.5": partial(_times, gain=1.5),
    "light × 2": partial(_times, gain=2),
    "light × 0.5": partial(_times, gain=0.5),
    "light × 0.25": partial(_times, gain=0.25),
    "80 × 60 px": partial(_shrunk, side=80),
}


def _zoomed(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    middle = pixels[height // 6 : -height // 6, width // 6 : -width // 6]
    return np.asarray(cv2.resize(middle, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _warmer(pixels: Pixels) -> Pixels:
    return np.asarray(np.clip(pixels * np.array([1.08, 1.0, 0.92]), 0, 255), dtype=np.uint8)


def _coarsely_kept(pixels: Pixels) -> Pixels:
    return opened(encoded(pixels, 40))


def _seen_by_another_camera(pixels: Pixels) -> Pixels:
    return vary(pixels, np.random.default_rng(zlib.crc32(pixels.tobytes())))


def _upright(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels))


# Still scalps that can be graded, but unlike those of the dataset: each one flagged is a false alarm.
SEEN_OTHERWISE: Mapping[str, Change] = {
    "scalps held upright": _upright,
    "scalps from nearer, × 1.5": _zoomed,
    "scalps in a warmer light": _warmer,
    "scalps at JPEG quality 40": _coarsely_kept,
    "scalps of another camera": _seen_by_another_camera,
}
CHANGED = {**SEEN_OTHERWISE, **SPOILT}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.not_scalp", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="finished runs with a gate (default: all that have one)")
    parser.add_argument("--pictures", type=int, default=40, help="of each kind (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed renders the same pictures (default 0)")
    parser.add_argument("--sheet", type=Path, help="write some of each kind to this picture, and measure nothing")
    options = parser.parse_args(arguments)
    if options.pictures < 1 or options.seed < 0:
        parser.error("--pictures must be at least 1 and --seed not negative")
    if options.sheet:
        _write_sheet(options.sheet, options.seed)
        return 0
    try:
        gates = _gates([find_run(name) for name in options.runs] or finished_runs())
        measured = measure(gates, fitting_data(next(iter(gates))), options.pictures, options.seed)
        print(markdown(measured), markdown_of_grades(measured), sep="\n\n")
    except ScalpError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _gates(runs: Iterable[Run]) -> dict[Run, Gate]:
    gate_of = {run: input_gate.read(run.gate_path, run.manifest["files"]["model.safetensors"]) for run in runs}
    gates = {run: gate for run, gate in gate_of.items() if gate}
    if not gates:
        raise ScalpError(
            "no_gate",
            "No finished run has a quality check. Fit one: python -m training.gate RUN.",
            "품질 검사 기준이 있는 완료된 실행이 없어요. python -m training.gate RUN으로 만드세요.",
        )
    return gates


# ---- measuring ----


class SamplePicture(NamedTuple):
    """A picture of a kind, and its grades where it is one of the dataset's own."""

    kind: str
    data: bytes
    grades: Sequence[float] = ()


def measure(gates: Mapping[Run, Gate], dataset: Dataset, pictures: int, seed: int = 0) -> pd.DataFrame:
    """Return a row a picture and run: kind, run, refused as no scalp, refused for any reason, marked as unusual, and
    value_1 … value_6 of the dataset's own.

    Args:
        dataset: whose calibration, validation and test pictures are the scalps.
        pictures: rendered of each kind, and changed in each way.
    """
    rows: list[dict[str, object]] = []
    for sample in tqdm(_pictures(dataset, pictures, seed), total=_total(dataset, pictures), desc="pictures"):
        grades = dict(zip(CONDITIONS, sample.grades, strict=False))
        for run, gate in gates.items():
            reasons = gate.check(images.decode(sample.data, run.preprocessing.least))
            codes = {reason.code for reason in reasons}
            verdict = {name: name in codes for name in ("not_a_scalp", "unusual")}
            refused = any(reason.refuses for reason in reasons)
            rows.append({"kind": sample.kind, "run": run.id, **verdict, "any": refused, **grades})
    return pd.DataFrame(rows)


def _total(dataset: Dataset, pictures: int) -> int:
    own = sum(len(sample_rows(dataset, part)) for part in OWN)
    others = len(KINDS) * pictures + CROPS * len(photographs())
    return own + min(pictures, len(sample_rows(dataset, "test"))) * len(CHANGED) + 2 * others


def _pictures(dataset: Dataset, pictures: int, seed: int) -> Iterator[SamplePicture]:
    """Yield those of the dataset, then changed ones, then those of no scalp."""
    ids, grades = dataset.column("id"), dataset.grades(CONDITIONS)
    for part in OWN:
        for row in sample_rows(dataset, part):
            yield SamplePicture(f"scalps, {part} part", dataset.read(str(ids.iloc[row])), grades[row].tolist())
    tested, trained = sample_rows(dataset, "test"), sample_rows(dataset, "train")
    for number in evenly_spaced(len(tested), pictures):
        pixels = opened(dataset.read(str(ids.iloc[tested[number]])))
        yield from (SamplePicture(name, encoded(change(pixels), 90)) for name, change in CHANGED.items())
    for kind, number, data in _no_scalps(pictures, seed):
        yield SamplePicture(kind, data)
        like = dataset.read(str(ids.iloc[trained[COLOURS_APART * number % len(trained)]]))
        yield SamplePicture(f"{kind}, {IN_SCALP_COLOURS}", in_colours_of(data, like))


def _no_scalps(pictures: int, seed: int) -> Iterator[tuple[str, int, bytes]]:
    """Yield kind, number and file of each picture of no scalp."""
    yield from parallel_map(drawing_of, [(kind, seed + number) for kind in KINDS for number in range(pictures)])
    for place, pixels in enumerate(photographs().values()):
        for number, data in enumerate(crops(pixels, CROPS, seed)):
            yield PHOTOGRAPHS, CROPS * place + number, data


# ---- reporting ----


def markdown(measured: pd.DataFrame) -> str:
    """Format percents refused as no scalp, refused for any reason, and marked: a row a kind, a column a run."""
    verdicts = ["not_a_scalp", "any", "unusual"]
    shares = measured.groupby(["kind", "run"], sort=False)[verdicts].mean() * 100
    pictures = measured[measured["run"] == measured["run"].iloc[0]].groupby("kind", sort=False).size()
    runs = list(dict.fromkeys(measured["run"]))
    lines = [f"| SYNTHETIC scalps | n | {' | '.join(runs)} |", f"|---|---{'|---' * len(runs)}|"]
    for kind in _ordered(pictures.index):
        cells = (" / ".join(f"{share:.0f}" for share in shares.loc[(kind, run)]) for run in runs)
        lines.append(f"| {kind.replace('_', ' ')} | {pictures[kind]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def markdown_of_grades(measured: pd.DataFrame) -> str:
    """Format percents refused for any reason of each condition and grade on validation and test, the worst run's, the
    worst first.
    """
    judged = measured[measured["kind"].isin([f"scalps, {part} part" for part in JUDGED])]
    rows = []
    for condition in CONDITIONS:
        for grade in GRADES:
            pictures = judged[judged[condition] == int(grade)]
            if len(pictures):
                shares = 100 * pictures.groupby("run")[["any", "unusual"]].mean()
                count = len(pictures) // pictures["run"].nunique()
                rows.append((*shares.max(), f"{condition.text.en} {int(grade)}", count))
    rows.sort(key=lambda row: (-row[0], -row[1]))
    lines = ["| SYNTHETIC scalps, validation and test | n | refused | unusual |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {n} | {any_:.1f} | {unusual:.1f} |" for any_, unusual, name, n in rows)])


def _ordered(kinds: Iterable[str]) -> list[str]:
    """Sort kinds: scalps, changed ones, each kind as rendered, each in the colours of a scalp."""
    kinds_of_no_scalp = (*KINDS, PHOTOGRAPHS)
    order = [
        *(f"scalps, {part} part" for part in OWN),
        *CHANGED,
        *kinds_of_no_scalp,
        *(f"{kind}, {IN_SCALP_COLOURS}" for kind in kinds_of_no_scalp),
    ]
    return sorted(kinds, key=order.index)


TILE, TITLE, COLUMNS = (200, 150), 110, 8  # px


def _write_sheet(path: Path, seed: int) -> None:
    """Write pictures of every kind, a row a kind."""
    rows = []
    for kind in tqdm(KINDS, desc="kinds"):
        label = np.full((TILE[1], TITLE, 3), 255, dtype=np.uint8)
        cv2.putText(
            label, kind.replace("_", " "), (4, 80), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (30, 30, 30), 1, cv2.LINE_AA
        )
        rows.append(np.hstack([label, *(_tile(opened(draw(kind, seed + number))) for number in range(COLUMNS))]))
    sheet = np.vstack(rows)
    cv2.putText(sheet, "SYNTHETIC", (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (190, 20, 20), 1, cv2.LINE_AA)
    content = cv2.imencode(path.suffix or ".png", sheet[..., ::-1])[1].tobytes()
    write_atomic(path, lambda temporary: temporary.write_bytes(content))


def _tile(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = min(TILE[0] / width, TILE[1] / height)
    small = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    tile = np.full((TILE[1], TILE[0], 3), 255, dtype=np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    return tile


if __name__ == "__main__":
    sys.exit(main())
