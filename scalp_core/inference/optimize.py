"""Short cuts of serving a run, each taken only where the grades stay what they are (docs/design/serving.md).

A short cut is taken where, on the calibration split and at the run's operating point, quadratic weighted kappa of every
condition stays what it is without short cuts, and where it is faster on this machine.
"""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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
from scalp_core.inference.session import open_onnx, with_short_cuts, write_folded
from scalp_core.labels import Condition
from scalp_core.metrics import metrics
from scalp_core.metrics.operating_point import MIN_IMAGES, PART
from scalp_core.parallel import cores, no_progress
from scalp_core.runs import worker
from scalp_core.runs.run import OUTPUTS, Run, Serving, not_writable

EXACT = Serving()
TOLERANCE = 0.005  # of quadratic weighted kappa, up and down
MOST_REFLAGGED = 0.01  # share of the pictures about which the gate may change its verdict
LEAST_GAIN = 1.1  # times as fast: less is not worth probabilities that are not those of the reports

_CALIBRATION_PICTURES = 64  # of the training split, for the ranges of numbers inside the 8-bit network
_BATCH = 16  # pictures
_ROUNDS = 15  # of timing
# Operations in 8 bits: those that multiply, and those between them. Sums and gates in 8 bits changed grades of one
# picture in ten (ViT, EfficientNet) and stay in 32 bits.
_WITH_8_BITS = ("Conv", "MatMul", "Gemm", "Relu", "MaxPool", "Concat")
_HEADS = ("network.head.", "network.finer.")  # their weights in an export

Grades = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]  # called with (done, total) pictures


@dataclass(frozen=True)
class Candidate:
    """A set of short cuts, compared with answering without them on the calibration split.

    Attributes:
        milliseconds: of one core's time for a picture of the dataset, from the file's bytes on.
        kappas: quadratic weighted kappa; NaN where it is undefined.
        changes: of kappa, against no short cuts; NaN where kappa is undefined but a grade changed.
        regraded: share of the grades, of all conditions, that changed.
        difference: the largest of a probability, before calibration.
        reflagged: share of the pictures about which the gate changes its verdict; None without a gate.
    """

    serving: Serving
    milliseconds: float
    kappas: Mapping[Condition, float]
    changes: Mapping[Condition, float]
    regraded: float
    difference: float
    reflagged: float | None

    def passed(self, tolerance: float = TOLERANCE) -> bool:
        """Tell whether every condition is graded as well as without short cuts, and the gate's verdicts are kept."""
        # A comparison that NaN cannot pass.
        alike = all(abs(change) <= tolerance for change in self.changes.values())
        return alike and (self.reflagged or 0.0) <= MOST_REFLAGGED


@dataclass(frozen=True)
class CheckResult:
    """The candidates that were tried, and the one that was taken.

    Attributes:
        candidates: the one without short cuts first.
        serving: taken.
        pictures: of the calibration split.
    """

    candidates: tuple[Candidate, ...]
    serving: Serving
    pictures: int


def optimize_run(
    run: Run, dataset: Dataset, int8: bool = False, progress: Progress = no_progress, tolerance: float = TOLERANCE
) -> CheckResult:
    """Try the short cuts, let the run be served with the fastest that pass, and record all figures in the run.

    Until the very end nothing is written into the run.

    Args:
        run: finished.
        dataset: of the pictures that the run was judged on.
        int8: try 8-bit numbers as well, besides decoding at reduced scale.

    Raises:
        ScalpError: the run is damaged, or cannot be exported or written; fewer than MIN_IMAGES pictures of the
            calibration split have a label; a picture cannot be read.
    """
    run.verify()
    ids = _labelled_ids(run, dataset)
    if not run.exported:
        worker.export(run)
    with tempfile.TemporaryDirectory(prefix="scalp-serving-") as folder:
        networks = {False: run.export_path}
        if int8:
            networks[True] = Path(folder) / "model.onnx"
            write_int8(run, _calibration_pictures(run, dataset), networks[True])
        candidates = _try_candidates(run, dataset, ids, networks, progress)
        result = CheckResult(candidates, choose(candidates, tolerance), len(ids))
        try:
            _apply(run, result, networks, _facts(run, dataset, result, tolerance))
        except OSError as error:
            raise not_writable(error) from error
    return result


def choose(candidates: Sequence[Candidate], tolerance: float = TOLERANCE) -> Serving:
    """Return the fastest short cuts that pass; none where they gain next to nothing.

    Args:
        candidates: the one without short cuts first.
    """
    passed = [candidate for candidate in candidates if candidate.passed(tolerance)]
    # The 8-bit file may get lost, and then the other short cut has to stand alone.
    if Serving(reduced=True) not in [candidate.serving for candidate in passed]:
        passed = [candidate for candidate in passed if not (candidate.serving.reduced and candidate.serving.int8)]
    exact = candidates[0]
    fastest = min(passed, key=lambda candidate: candidate.milliseconds, default=exact)
    return fastest.serving if LEAST_GAIN * fastest.milliseconds <= exact.milliseconds else EXACT


def _labelled_ids(run: Run, dataset: Dataset) -> list[str]:
    """Return the pictures of the calibration split with a label of a condition that the run grades."""
    labelled = ~np.isnan(dataset.grades(run.recipe.conditions, PART)).all(axis=1)
    in_split = (dataset.column("part") == PART).to_numpy()
    ids = [str(image) for image in dataset.column("id").to_numpy(dtype=object)[in_split][labelled]]
    if len(ids) < MIN_IMAGES:
        raise ScalpError(
            "too_few_pictures",
            f"The calibration split of “{dataset.name}” has {len(ids)} labelled pictures; the check needs "
            f"{MIN_IMAGES}. The run stays unoptimized.",
            f"“{dataset.name}”의 보정 분할에 라벨이 있는 사진이 {len(ids)}장뿐이에요. 등급이 유지되는지 확인하려면 "
            f"{MIN_IMAGES}장 이상이 필요해요. 이 실행은 계속 원래 방식으로 응답해요.",
        )
    return ids


# ---- the 8-bit network ----


class _Ranges(CalibrationDataReader):  # type: ignore[misc]  # its module has no types
    """Pictures from which the ranges of numbers inside the network are taken."""

    def __init__(self, pictures: npt.NDArray[np.uint8]) -> None:
        starts = range(0, len(pictures), _BATCH)
        self.left = iter([{"pixels": pictures[start : start + _BATCH]} for start in starts])

    def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
        return next(self.left, None)


def write_int8(run: Run, pictures: npt.NDArray[np.uint8], path: Path) -> None:
    """Write the exported network of a run with 8-bit weights and activations; the same bytes each time.

    Static quantisation (Jacob et al. 2018), with a scale of its own for each channel of weights. Weights have 7 bits,
    so that no processor's sums overflow and every machine gives the same answer. The normalisation stays in 32 bits,
    since its colours have a wide range, and so do the heads: evidence still adds up to the logits exactly.

    Args:
        pictures: (n, height, width, 3) at the network's size, from which the ranges inside it are taken.
    """
    with tempfile.TemporaryDirectory(prefix="scalp-serving-") as folder:
        folded = Path(folder) / "folded.onnx"
        write_folded(run.export_path, run.weights_path, folded)
        model = onnx.load(folded)
    nodes = list(model.graph.node)
    convolutions = [place for place, node in enumerate(nodes) if node.op_type == "Conv"]
    heads = next(place for place in convolutions if any(name.startswith(_HEADS) for name in nodes[place].input))
    # Sizes are no colours: rounded to 8 bits, EfficientNet's padding was gone.
    exact = [*nodes[: convolutions[0] + 1], *nodes[heads:], *_nodes_of_sizes(model.graph)]
    add_pre_process_metadata(model)  # normalisations are part of convolutions, and shapes are known
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


def _nodes_of_sizes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes whose results depend on the sizes of tensors alone, as a transformer's grid and padding do."""
    constants, sizes, of_sizes = {tensor.name for tensor in graph.initializer}, set[str](), []
    for node in graph.node:
        computed = {name for name in node.input if name and name not in constants}
        if node.op_type == "Shape" or (computed and computed <= sizes):
            sizes.update(node.output)
            of_sizes.append(node)
    return of_sizes


def _calibration_pictures(run: Run, dataset: Dataset) -> npt.NDArray[np.uint8]:
    """Return pictures from all over the training split; of the calibration split where there is none."""
    parts = dataset.column("part")
    part = "train" if (parts == "train").any() else PART
    ids = dataset.column("id")[(parts == part).to_numpy()].to_numpy(dtype=object)
    sampled = ids[:: max(1, len(ids) // _CALIBRATION_PICTURES)][:_CALIBRATION_PICTURES]
    return np.stack([images.preprocess(dataset.read(str(image)), run.preprocessing) for image in sampled])


# ---- comparing candidates on the calibration split ----


@dataclass(frozen=True)
class _Predictions:
    """Probabilities (n, conditions, 4), and whether the gate objects (n,), which is empty without a gate."""

    probabilities: Probabilities
    flagged: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Predictor:
    """A run with some short cuts, loaded."""

    run: Run
    serving: Serving
    session: onnxruntime.InferenceSession
    gate: Gate | None

    def prepare(self, data: bytes) -> tuple[images.Picture, images.Pixels]:
        """Decode a picture and resize it to the network's size."""
        preprocessing = with_short_cuts(self.run, self.serving)
        picture = images.decode(data, preprocessing.least)
        return picture, images.resize(picture.pixels, preprocessing)

    def predict(self, prepared: Sequence[tuple[images.Picture, images.Pixels]]) -> _Predictions:
        """Grade prepared pictures in one pass, and check them."""
        pixels = np.stack([small for _, small in prepared])
        probabilities = self.session.run(OUTPUTS, {"pixels": pixels})[0]
        flagged = []
        if self.gate:
            flagged = [any(reason.refuses for reason in self.gate.check(picture)) for picture, _ in prepared]
        return _Predictions(probabilities, np.array(flagged, dtype=bool))


def _try_candidates(
    run: Run, dataset: Dataset, ids: Sequence[str], networks: Mapping[bool, Path], progress: Progress
) -> tuple[Candidate, ...]:
    # A run that learned from pictures at reduced scale is always served with them.
    scales = (False,) if run.preprocessing.reduced else (False, True)
    servings = [Serving(reduced, int8) for int8 in networks for reduced in scales]
    gate = input_gate.read(run.gate_path, run.manifest["files"]["model.safetensors"])
    sessions = _open(run, networks, cores())
    predictors = [_Predictor(run, serving, sessions[serving.int8], gate) for serving in servings]
    predictions = _predict(predictors, dataset, ids, progress)
    milliseconds = _time(predictors, networks, [dataset.read(image) for image in ids[:_ROUNDS]])
    truths = dataset.grades(run.recipe.conditions)[[dataset.row(image) for image in ids]]
    return tuple(
        _compare(run, serving, milliseconds[serving], truths, predictions[EXACT], predictions[serving])
        for serving in servings
    )


def _open(run: Run, networks: Mapping[bool, Path], threads: int) -> dict[bool, onnxruntime.InferenceSession]:
    """Open the exact network and, where there is one, the 8-bit network, which holds its weights itself."""
    weights = {False: run.weights_path, True: None}
    return {int8: open_onnx(path, threads, weights[int8]) for int8, path in networks.items()}


def _predict(
    predictors: Sequence[_Predictor], dataset: Dataset, ids: Sequence[str], progress: Progress
) -> dict[Serving, _Predictions]:
    """Predict all pictures by all predictors; few pictures are in memory at once."""
    batches: dict[Serving, list[_Predictions]] = {predictor.serving: [] for predictor in predictors}
    done = 0
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(ids), _BATCH):
            contents = [dataset.read(image) for image in ids[start : start + _BATCH]]
            for predictor in predictors:
                batches[predictor.serving].append(predictor.predict(list(pool.map(predictor.prepare, contents))))
            done += len(contents)
            progress(done, len(ids))
    return {serving: _concatenate(several) for serving, several in batches.items()}


def _concatenate(batches: Sequence[_Predictions]) -> _Predictions:
    probabilities = np.concatenate([batch.probabilities for batch in batches])
    return _Predictions(probabilities, np.concatenate([batch.flagged for batch in batches]))


def _time(
    predictors: Sequence[_Predictor], networks: Mapping[bool, Path], contents: Sequence[bytes]
) -> dict[Serving, float]:
    """Measure milliseconds a picture on one core: medians of rounds in which the predictors take turns."""
    single = _open(predictors[0].run, networks, 1)
    timed = [replace(predictor, session=single[predictor.serving.int8]) for predictor in predictors]
    milliseconds: dict[Serving, list[float]] = {predictor.serving: [] for predictor in timed}
    for content in (contents[0], *contents):  # the first is for warming up
        for predictor in timed:
            started = time.process_time()  # leaves out other processes
            predictor.predict([predictor.prepare(content)])
            milliseconds[predictor.serving].append(1000 * (time.process_time() - started))
    return {serving: median(rounds[1:]) for serving, rounds in milliseconds.items()}


def _compare(
    run: Run,
    serving: Serving,
    milliseconds: float,
    truths: npt.NDArray[np.float64],
    exact: _Predictions,
    predictions: _Predictions,
) -> Candidate:
    """Compare predictions with short cuts with exact ones, both of the same pictures with labels (n, conditions)."""
    exact_grades, grades = _decide(run, exact.probabilities), _decide(run, predictions.probabilities)
    exact_kappas, kappas = _kappas(run, truths, exact_grades), _kappas(run, truths, grades)
    changed = exact_grades != grades
    changes = {
        condition: kappas[condition] - exact_kappas[condition] if changed[:, place].any() else 0.0
        for place, condition in enumerate(run.recipe.conditions)
    }
    reflagged = float((exact.flagged != predictions.flagged).mean()) if len(exact.flagged) else None
    difference = float(np.abs(exact.probabilities - predictions.probabilities).max())
    return Candidate(serving, milliseconds, kappas, changes, float(changed.mean()), difference, reflagged)


def _decide(run: Run, probabilities: Probabilities) -> Grades:
    """Return the grades (n, conditions) at the run's operating point."""
    point = run.operating_point
    decisions = [point.decision(condition) for condition in run.recipe.conditions]
    grades = [decision.grade(decision.calibrated(probabilities[:, place])) for place, decision in enumerate(decisions)]
    return np.stack(grades, axis=1)


def _kappas(run: Run, truths: npt.NDArray[np.float64], grades: Grades) -> dict[Condition, float]:
    return {
        condition: _kappa(truths[:, place], grades[:, place]) for place, condition in enumerate(run.recipe.conditions)
    }


def _kappa(truth: npt.NDArray[np.float64], grades: Grades) -> float:
    labelled = ~np.isnan(truth)
    return metrics.quadratic_weighted_kappa(metrics.count(truth[labelled].astype(np.int64), grades[labelled]))


# ---- records in the run ----


def _apply(run: Run, result: CheckResult, networks: Mapping[bool, Path], facts: dict[str, Any]) -> None:
    if result.serving.int8:
        write_atomic(run.int8_path, lambda path: shutil.copyfile(networks[True], path))
    run.write_serving(result.serving, facts)
    if not result.serving.int8:
        run.int8_path.unlink(missing_ok=True)


def _facts(run: Run, dataset: Dataset, result: CheckResult, tolerance: float) -> dict[str, Any]:
    return {
        "made": datetime.now(UTC).isoformat(),
        "data": dataset.name,
        "synthetic": dataset.synthetic,
        "part": PART,
        "pictures": result.pictures,
        "tolerance": tolerance,
        "operating_point": run.operating_point.made,
        "ways": [_candidate_facts(candidate, tolerance) for candidate in result.candidates],
        "versions": {name: version(name) for name in ("onnxruntime", "pillow", "numpy")},
    }


def _candidate_facts(candidate: Candidate, tolerance: float) -> dict[str, Any]:
    return {
        "reduced": candidate.serving.reduced,
        "int8": candidate.serving.int8,
        "passed": candidate.passed(tolerance),
        "milliseconds": round(candidate.milliseconds, 2),
        "kappas": {condition: _round(value) for condition, value in candidate.kappas.items()},
        "changes": {condition: _round(value) for condition, value in candidate.changes.items()},
        "regraded": _round(candidate.regraded),
        "largest_difference": _round(candidate.difference),
        "reflagged": None if candidate.reflagged is None else _round(candidate.reflagged),
    }


def _round(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)
