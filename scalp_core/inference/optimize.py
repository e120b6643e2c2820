"""Faster answers, checked: which short cuts a run takes without its grades becoming others. Imports no torch.

A short cut is taken where, on the calibration part and at the run's operating point, quadratic weighted kappa of every
condition stays what it is without short cuts, and where it is faster on this machine.
"""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import write_atomic
from scalp_core.inference import input_gate
from scalp_core.inference.input_gate import Gate
from scalp_core.inference.session import with_short_cuts
from scalp_core.labels import Condition
from scalp_core.metrics import metrics
from scalp_core.metrics.operating_point import MIN_IMAGES, PART
from scalp_core.parallel import cores, no_progress
from scalp_core.runs import worker
from scalp_core.runs.runs import OUTPUTS, Run, Serving, not_writable

EXACT = Serving()
TOLERANCE = 0.005  # of quadratic weighted kappa, either way
MOST_REFLAGGED = 0.01  # of the pictures, about which the gate may change its mind
LEAST_GAIN = 1.1  # times as fast: less is not worth probabilities that are not those of the reports

_RANGES_FROM = 64  # pictures of the training part that show which numbers occur inside the network
_AT_ONCE = 16
_ROUNDS = 15
# What is computed with 8 bits: what multiplies, and what lies between. Sums and gates in 8 bits changed grades of one
# picture in ten (ViT, EfficientNet) and stay as they are.
_WITH_8_BITS = ("Conv", "MatMul", "Gemm", "Relu", "MaxPool", "Concat")
_HEAVY = ("Conv", "MatMul", "Gemm")

Grades = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]  # is told how many pictures are done, and of how many


@dataclass(frozen=True)
class Candidate:
    """One way to answer, and what it makes of the calibration part.

    Attributes:
        milliseconds: of one core's time for a picture of the data set, from the file's bytes on.
        kappas: quadratic weighted kappa; NaN where the labels cannot tell.
        changes: by how much they differ from those without short cuts; NaN where there is no kappa but a grade changed.
        regraded: share of the grades, of all conditions, that are others.
        difference: the largest of a probability, before calibration.
        reflagged: share of the pictures about which the gate changes its mind; None without a gate.
    """

    serving: Serving
    milliseconds: float
    kappas: Mapping[Condition, float]
    changes: Mapping[Condition, float]
    regraded: float
    difference: float
    reflagged: float | None

    def passed(self, tolerance: float = TOLERANCE) -> bool:
        """Every condition is graded as well as without short cuts, and the gate lets through what it did."""
        # A comparison that NaN cannot pass.
        alike = all(abs(change) <= tolerance for change in self.changes.values())
        return alike and (self.reflagged or 0.0) <= MOST_REFLAGGED


@dataclass(frozen=True)
class CheckResult:
    """What was tried and what came of it.

    Attributes:
        ways: that without short cuts first.
        pictures: of the calibration part.
    """

    ways: tuple[Candidate, ...]
    chosen: Serving
    pictures: int


def optimize_run(
    run: Run, dataset: Dataset, int8: bool = False, progress: Progress = no_progress, tolerance: float = TOLERANCE
) -> CheckResult:
    """Try the short cuts and let the run take from now on what passes and is fastest; record it all in the run.

    Until the very end nothing is written into the run.

    Args:
        run: finished.
        dataset: the pictures it was judged on.
        int8: try 8-bit numbers as well, besides decoding at reduced scale.

    Raises:
        ScalpError: the run is damaged, or cannot be exported or written; fewer than MIN_IMAGES pictures of the
            calibration part have a label; a picture cannot be read.
    """
    run.verify()
    ids = _labelled(run, dataset)
    if not run.exported:
        worker.export(run)
    with tempfile.TemporaryDirectory(prefix="scalp-serving-") as folder:
        networks = {False: run.export_path}
        if int8:
            networks[True] = Path(folder) / "model.onnx"
            write_int8(run.export_path, _typical(run, dataset), networks[True])
        ways = _tried(run, dataset, ids, networks, progress)
        checked = CheckResult(ways, choose(ways, tolerance), len(ids))
        try:
            _take(run, checked, networks, _facts(run, dataset, checked, tolerance))
        except OSError as error:
            raise not_writable(error) from error
    return checked


def choose(ways: Sequence[Candidate], tolerance: float = TOLERANCE) -> Serving:
    """The fastest of those that pass; none where it gains next to nothing.

    Args:
        ways: that without short cuts first.
    """
    passed = [way for way in ways if way.passed(tolerance)]
    # The 8-bit file may get lost, and then the other short cut has to stand alone.
    if Serving(reduced=True) not in [way.serving for way in passed]:
        passed = [way for way in passed if not (way.serving.reduced and way.serving.int8)]
    fastest = min(passed, key=lambda way: way.milliseconds, default=ways[0])
    return fastest.serving if LEAST_GAIN * fastest.milliseconds <= ways[0].milliseconds else EXACT


def _labelled(run: Run, dataset: Dataset) -> list[str]:
    """Pictures of the calibration part that have a label this run can be checked by."""
    known = ~np.isnan(dataset.grades(run.recipe.conditions, PART)).all(axis=1)
    ids = [
        str(one)
        for one in dataset.column("id").to_numpy(dtype=object)[(dataset.column("part") == PART).to_numpy()][known]
    ]
    if len(ids) < MIN_IMAGES:
        raise ScalpError(
            "too_few_pictures",
            f"The calibration split of “{dataset.name}” has {len(ids)} labelled pictures; whether grades stay the same "
            f"takes {MIN_IMAGES} at least. The run goes on answering without short cuts.",
            f"“{dataset.name}”의 보정 분할에 라벨이 있는 사진이 {len(ids)}장뿐이에요. 등급이 유지되는지 확인하려면 "
            f"{MIN_IMAGES}장 이상이 필요해요. 이 실행은 계속 원래 방식으로 응답해요.",
        )
    return ids


# ---- the 8-bit network ----


class _Ranges(CalibrationDataReader):  # type: ignore[misc]  # its module has no types
    """Pictures that show which numbers occur inside the network."""

    def __init__(self, pictures: npt.NDArray[np.uint8]) -> None:
        starts = range(0, len(pictures), _AT_ONCE)
        self.left = iter([{"pixels": pictures[start : start + _AT_ONCE]} for start in starts])

    def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
        return next(self.left, None)


def write_int8(exported: Path, pictures: npt.NDArray[np.uint8], path: Path) -> None:
    """Write an exported network with 8-bit weights and activations; the same bytes each time.

    Static quantisation (Jacob et al. 2018), with a scale of its own for each channel of weights. They have 7 bits, so
    that no processor's sums overflow and every machine gives the same answer. The normalisation stays as it is, since
    its colours have a wide range, and so does the head: evidence still adds up to the logits exactly.

    Args:
        pictures: (n, height, width, 3) at the network's size, which show how large the numbers inside it get.
    """
    model = onnx.load(exported)
    nodes = list(model.graph.node)
    heavy = [place for place, node in enumerate(nodes) if node.op_type in _HEAVY]
    head = next(place for place in reversed(heavy) if nodes[place].op_type == "Conv")
    exact = [*nodes[: heavy[0] + 1], *nodes[head:]]
    add_pre_process_metadata(model)  # the export has folded its normalisations and knows its shapes
    quantize_static(
        model,
        path,
        _Ranges(pictures),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(_WITH_8_BITS),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=[node.name for node in exact],
    )


def _typical(run: Run, dataset: Dataset) -> npt.NDArray[np.uint8]:
    """Pictures of the training part, from all over it; of the calibration part where there is none."""
    parts = dataset.column("part")
    part = "train" if (parts == "train").any() else PART
    ids = dataset.column("id")[(parts == part).to_numpy()].to_numpy(dtype=object)
    some = ids[:: max(1, len(ids) // _RANGES_FROM)][:_RANGES_FROM]
    return np.stack([images.seen(dataset.read(str(one)), run.preprocessing) for one in some])


# ---- what each way makes of the calibration part ----


@dataclass(frozen=True)
class _Said:
    """Probabilities (n, conditions, 4) and whether the gate objects (n,); empty without a gate."""

    probabilities: npt.NDArray[np.float32]
    flagged: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Answering:
    """A way to answer, ready."""

    run: Run
    serving: Serving
    session: onnxruntime.InferenceSession
    gate: Gate | None

    def seen(self, data: bytes) -> tuple[images.Picture, images.Pixels]:
        wanted = with_short_cuts(self.run, self.serving)
        picture = images.decode(data, wanted.least)
        return picture, images.resize(picture.pixels, wanted)

    def say(self, seen: Sequence[tuple[images.Picture, images.Pixels]]) -> _Said:
        pixels = np.stack([small for _, small in seen])
        probabilities, _, features = self.session.run(OUTPUTS, {"pixels": pixels})
        reasons = [self.gate.check(one, row) for (one, _), row in zip(seen, features, strict=True)] if self.gate else []
        return _Said(probabilities, np.array([bool(one) for one in reasons], dtype=bool))


def _tried(
    run: Run, dataset: Dataset, ids: Sequence[str], networks: Mapping[bool, Path], progress: Progress
) -> tuple[Candidate, ...]:
    # Whoever learned from pictures at reduced scale sees no others.
    scales = (False,) if run.preprocessing.reduced else (False, True)
    servings = [Serving(reduced, int8) for int8 in networks for reduced in scales]
    found = input_gate.read(run.gate_path, run.manifest["files"]["model.safetensors"])
    ways = [_Answering(run, one, _session(networks[one.int8], cores()), found) for one in servings]
    said = _said(ways, dataset, ids, progress)
    milliseconds = _milliseconds(ways, networks, [dataset.read(one) for one in ids[:_ROUNDS]])
    rows = [dataset.row(one) for one in ids]
    truths = dataset.grades(run.recipe.conditions)[rows]
    exact = _graded(run, said[EXACT].probabilities)
    return tuple(
        _way(
            run,
            one,
            milliseconds[one],
            truths,
            (exact, _graded(run, said[one].probabilities)),
            (said[EXACT], said[one]),
        )
        for one in servings
    )


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as in predict
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _said(ways: Sequence[_Answering], dataset: Dataset, ids: Sequence[str], progress: Progress) -> dict[Serving, _Said]:
    """By all ways about all pictures; few pictures are in memory at once."""
    found: dict[Serving, list[_Said]] = {way.serving: [] for way in ways}
    done = 0
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            contents = [dataset.read(one) for one in some]
            for way in ways:
                found[way.serving].append(way.say(list(pool.map(way.seen, contents))))
            done += len(some)
            progress(done, len(ids))
    return {serving: _joined(several) for serving, several in found.items()}


def _joined(several: Sequence[_Said]) -> _Said:
    return _Said(
        np.concatenate([one.probabilities for one in several]), np.concatenate([one.flagged for one in several])
    )


def _milliseconds(
    ways: Sequence[_Answering], networks: Mapping[bool, Path], contents: Sequence[bytes]
) -> dict[Serving, float]:
    """Of one picture by each way on one core: medians of rounds in which they take turns."""
    alone = {path: _session(path, 1) for path in networks.values()}
    several = [_Answering(way.run, way.serving, alone[networks[way.serving.int8]], way.gate) for way in ways]
    spent: dict[Serving, list[float]] = {way.serving: [] for way in ways}
    for content in (contents[0], *contents):  # the first is for warming up
        for way in several:
            started = time.process_time()  # what other processes do meanwhile does not count
            way.say([way.seen(content)])
            spent[way.serving].append(1000 * (time.process_time() - started))
    return {serving: median(seconds[1:]) for serving, seconds in spent.items()}


def _graded(run: Run, probabilities: npt.NDArray[np.float32]) -> Grades:
    """(n, conditions) at the run's operating point."""
    point = run.operating_point
    decisions = [point.decision(condition) for condition in run.recipe.conditions]
    grades = [one.grade(one.calibrated(probabilities[:, place])) for place, one in enumerate(decisions)]
    return np.stack(grades, axis=1)


def _way(
    run: Run,
    serving: Serving,
    milliseconds: float,
    truths: npt.NDArray[np.float64],
    grades: tuple[Grades, Grades],
    said: tuple[_Said, _Said],
) -> Candidate:
    """Of grades and of what was said, each without short cuts and by this way."""
    exact, here = (
        {condition: _kappa(truths[:, place], one[:, place]) for place, condition in enumerate(run.recipe.conditions)}
        for one in grades
    )
    others = grades[0] != grades[1]
    changes = {
        condition: 0.0 if not others[:, place].any() else here[condition] - exact[condition]
        for place, condition in enumerate(run.recipe.conditions)
    }
    reflagged = float((said[0].flagged != said[1].flagged).mean()) if len(said[0].flagged) else None
    difference = float(np.abs(said[0].probabilities - said[1].probabilities).max())
    return Candidate(serving, milliseconds, here, changes, float(others.mean()), difference, reflagged)


def _kappa(truth: npt.NDArray[np.float64], grades: Grades) -> float:
    known = ~np.isnan(truth)
    return metrics.quadratic_weighted_kappa(metrics.count(truth[known].astype(np.int64), grades[known]))


# ---- what stays in the run ----


def _take(run: Run, checked: CheckResult, networks: Mapping[bool, Path], facts: dict[str, Any]) -> None:
    if checked.chosen.int8:
        write_atomic(run.int8_path, lambda path: shutil.copyfile(networks[True], path))
    run.write_serving(checked.chosen, facts)
    if not checked.chosen.int8:
        run.int8_path.unlink(missing_ok=True)


def _facts(run: Run, dataset: Dataset, checked: CheckResult, tolerance: float) -> dict[str, Any]:
    return {
        "made": datetime.now(UTC).isoformat(),
        "data": dataset.name,
        "synthetic": dataset.synthetic,
        "part": PART,
        "pictures": checked.pictures,
        "tolerance": tolerance,
        "operating_point": run.operating_point.made,
        "ways": [_told(way, tolerance) for way in checked.ways],
        "versions": {name: version(name) for name in ("onnxruntime", "pillow", "numpy")},
    }


def _told(way: Candidate, tolerance: float) -> dict[str, Any]:
    return {
        "reduced": way.serving.reduced,
        "int8": way.serving.int8,
        "passed": way.passed(tolerance),
        "milliseconds": round(way.milliseconds, 2),
        "kappas": {condition: _rounded(value) for condition, value in way.kappas.items()},
        "changes": {condition: _rounded(value) for condition, value in way.changes.items()},
        "regraded": _rounded(way.regraded),
        "largest_difference": _rounded(way.difference),
        "reflagged": None if way.reflagged is None else _rounded(way.reflagged),
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)
