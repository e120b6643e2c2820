"""`python -m benchmarks predict|bulk`: speed of grading one picture, and many, beside the older system's way.

The old way: six networks, one a condition, each as its family builds it, with weights of its own; one after another
they open the JPEG with Pillow as it comes, resize, normalise, and go through torch eagerly, without gradients. Ways
take turns in one process with random weights, which cost the same time as learned ones. Pictures are synthetic.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import torch
from onnx import TensorProto, helper
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import ROOT, machine, measure_apart, memory, write_json
from scalp_core import images
from scalp_core.architectures import timm_name
from scalp_core.data.image_sources import find_images
from scalp_core.images import Preprocessing
from scalp_core.inference import batch, optimize, predict
from scalp_core.inference import session as runtime
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.learning.backbones import timm, torchvision_models
from scalp_core.learning.network import build, logits
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.parallel import cores
from scalp_core.runs import worker
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run, Serving
from scalp_core.synthetic import generate
from training.markdown import markdown_table

_SEED = 0
_OLD, _SHARED, _OURS, _INT8 = "old way", "shared, eager", "ours", "ours, 8 bit"
# The last one only where `python -m training.optimize` finds that the grades stay what they are.
_SERVINGS = {_OURS: Serving(), _INT8: Serving(int8=True)}
_WAYS = (_OLD, _SHARED, *_SERVINGS)
_DIFFERENT = 8  # pictures
_LONGEST = 20.0  # seconds that one process measures, before its last round
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

Work = Callable[[bytes], object]


# --- The ways -------------------------------------------------------------------------------------------------------


def old_way(architecture: str, preprocessing: Preprocessing) -> Work:
    """Return the older system's way: six networks of four grades each."""
    networks = [_classifier(architecture, preprocessing).eval() for _ in CONDITIONS]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    size, resampling = (preprocessing.width, preprocessing.height), _RESAMPLING[preprocessing.interpolation]

    def classify(network: nn.Module, content: bytes) -> Tensor:
        image = Image.open(io.BytesIO(content)).convert("RGB").resize(size, resampling)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
        return torch.softmax(network(((pixels - mean) / std).unsqueeze(0)), dim=1)

    @torch.no_grad()
    def work(content: bytes) -> list[list[float]]:
        return [classify(network, content)[0].tolist() for network in networks]

    return work


def _classifier(architecture: str, preprocessing: Preprocessing) -> nn.Module:
    """Build the whole network of a family, classifier included."""
    network: nn.Module
    if architecture == "googlenet":
        network = torchvision_models.googlenet(
            weights=None, aux_logits=False, init_weights=False, num_classes=len(GRADES)
        )
        return network
    options: dict[str, Any] = {"num_classes": len(GRADES), "pretrained": False}
    if timm.get_pretrained_cfg(timm_name(architecture)).fixed_input_size:
        options["img_size"] = preprocessing.height
    network = timm.create_model(timm_name(architecture), **options)
    return network


def shared_eager(architecture: str, size: int) -> Work:
    """Return our network in torch, which grades all six in one pass."""
    network, preprocessing = build(architecture, len(CONDITIONS), size, "none")
    network.eval()

    @torch.no_grad()
    def work(content: bytes) -> list[list[list[float]]]:
        small = images.resize(images.decode(content).pixels, preprocessing)
        pixels = torch.from_numpy(small.copy()).permute(2, 0, 1).unsqueeze(0).float()
        probabilities: list[list[list[float]]] = logits(network(pixels)).softmax(dim=-1).tolist()
        return probabilities

    return work


def ours(run: Run, how: Serving) -> Work:
    """Return the way of page, REST and bulk."""
    answering = predict.graders(run=run)
    return replace(answering, serving=dict.fromkeys(answering.serving, how)).grade


def _way(name: str, run: Run) -> Work:
    recipe = run.recipe
    if name == _OLD:
        return old_way(recipe.architecture, run.preprocessing)
    if name == _SHARED:
        return shared_eager(recipe.architecture, recipe.image_size)
    return ours(run, _SERVINGS[name])


# --- A run with random weights --------------------------------------------------------------------------------------


def write_run(artifacts: Path, architecture: str, size: int, contents: Sequence[bytes]) -> Run:
    """Write a finished run that learned nothing, with export and 8-bit network, in place of the previous one."""
    shutil.rmtree(artifacts, ignore_errors=True)
    folder = artifacts / architecture
    folder.mkdir(parents=True)
    torch.manual_seed(_SEED)
    network, preprocessing = build(architecture, len(CONDITIONS), size, "none")
    run, recipe = Run(folder), Recipe(architecture=architecture, image_size=size, weights="none")
    hashes = {"index_hash": "", "evaluation_hash": ""}  # of no dataset
    request = {"recipe": asdict(recipe), "synthetic": True, "created": datetime.now(UTC).isoformat()} | hashes
    run.write_recipe(request)
    run.write_history([])
    save_file(network.state_dict(), run.weights_path)
    run.write_preprocessing(preprocessing)
    _predictions().to_parquet(run.predictions_path)
    parameters = sum(tensor.numel() for tensor in network.parameters())
    run.write_manifest({"parameters": parameters, "operations": _operations(network, preprocessing)})
    worker.export(run)
    pictures = np.stack([images.resize(images.decode(content).pixels, preprocessing) for content in contents])
    optimize.write_int8(run, pictures, run.int8_path)
    return run


def _predictions() -> pd.DataFrame:
    """Return just enough predictions for a finished run."""
    rows = [
        {"image": str(number), "condition": condition.value, "part": "valid", "truth": number % len(GRADES)}
        for condition in CONDITIONS
        for number in range(2 * len(GRADES))
    ]
    return pd.DataFrame(rows).assign(**dict.fromkeys(PROBABILITIES, 1 / len(GRADES))).astype({"truth": "Int8"})


def _operations(network: nn.Module, preprocessing: Preprocessing) -> int:
    """Count floating-point operations of one picture; a multiplication and an addition are two."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, preprocessing.height, preprocessing.width))
    return int(counter.get_total_flops())


def write_pictures(folder: Path, count: int) -> list[Path]:
    """Write synthetic JPEGs of 640 × 480; a few different ones again and again, none the same to the byte."""
    folder.mkdir(parents=True)
    plans = generate.plan_pictures(generate.MIN_IMAGES, _SEED)[: min(count, _DIFFERENT)]
    files = [generate.encode(generate.render_picture(plan, _SEED), plan.camera.quality) for plan in plans]
    paths = [folder / f"{number:05d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(files[number % len(files)] + number.to_bytes(4, "big"))  # after the end of the JPEG
    return paths


# --- One picture ----------------------------------------------------------------------------------------------------


def predict_command(options: argparse.Namespace) -> None:
    """Run `predict`: milliseconds a picture, by family, size and number of cores."""
    started, about = time.monotonic(), machine()
    everything = [1] if options.quick else sorted({min(count, cores()) for count in options.cores or (1, cores())})
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        folder = Path(temporary)
        contents = [path.read_bytes() for path in write_pictures(folder / "pictures", _DIFFERENT)]
        networks = []
        for architecture in options.architectures:
            for size in options.image_sizes:
                print(f"{architecture}, {size} pixels …", file=sys.stderr)
                run = write_run(folder / "artifacts", architecture, size, contents)
                figures: dict[str, Any] = {"architecture": architecture, "size": size}
                figures["operations"] = run.manifest["operations"]
                for count in everything:
                    figures[f"cores {count}"] = _in_own_process(folder, "predict-measure", run.id, count, options)
                if size == max(options.image_sizes):
                    figures["memory"] = _memories(folder, run.id, options)
                networks.append(figures)
    report = {"benchmark": "predict", "synthetic": True, "machine": about, "cores": everything, "found": networks}
    report["seconds"] = time.monotonic() - started
    print(predict_report(report))
    if options.json:
        write_json(options.json, report)


def _in_own_process(
    folder: Path, command: str, run_id: str, count: int, options: argparse.Namespace, way: str = ""
) -> dict[str, Any]:
    """Measure in a fresh process with this many cores."""
    arguments = [command, "--cores", str(count), "--rounds", str(options.rounds)]
    arguments += ["--folder", str(folder), "--run", run_id, "--way", way]
    # torch's threads spin while they wait for each other; where another process wants a core, each waits for a slice
    # of time. Asleep they cost the old way next to nothing on a quiet machine and spare it much on a busy one.
    return measure_apart(folder, *arguments, OMP_WAIT_POLICY="PASSIVE")


def measure(options: argparse.Namespace) -> None:
    """Measure the milliseconds of every way, in turns; started by `predict_command`."""
    _use(options.cores)
    run, contents = _run_and_pictures(options)
    ways = {name: _way(name, run) for name in _WAYS}
    spent: dict[str, list[float]] = {name: [] for name in (*ways, "network")}
    # Of one core its own time: what other processes do meanwhile does not count. Several cores wait for each other.
    clock = time.process_time if options.cores == 1 else time.perf_counter
    small = images.resize(images.decode(contents[0]).pixels, run.preprocessing)[np.newaxis]
    for number in _rounds(options.rounds):
        content = contents[number % len(contents)]
        for name, work in ways.items():
            # Pillow as it comes gives the memory of a picture back; ours keeps it.
            Image.core.set_blocks_max(0 if name == _OLD else 4)
            work(content)  # the way before has filled the caches
            spent[name].append(_milliseconds(lambda work=work, content=content: work(content), clock))
        spent["network"].append(_milliseconds(lambda: runtime.outputs(run, small), clock))
    figures = {name: median(values) for name, values in spent.items()}
    write_json(options.json, figures | {"peak": convolution_peak(options.cores, 10 * options.rounds, clock)})


def _rounds(most: int) -> Iterator[int]:
    """Yield numbers of rounds, fewer where they take long."""
    end = time.monotonic() + _LONGEST
    for number in range(most):
        yield number
        if time.monotonic() > end:
            return


def _use(count: int) -> None:
    if sys.platform == "linux":
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:count]))
    torch.set_num_threads(count)


def _run_and_pictures(options: argparse.Namespace) -> tuple[Run, list[bytes]]:
    pictures = sorted((options.folder / "pictures").iterdir())[:_DIFFERENT]
    return Run(options.folder / "artifacts" / options.run), [path.read_bytes() for path in pictures]


def _milliseconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    work()
    return 1000 * (clock() - started)


def convolution_peak(threads: int, repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Measure operations a second of one large convolution in ONNX Runtime, the best of some: no network is faster."""
    channels, side = 256, 56
    weights = np.random.default_rng(_SEED).normal(size=(channels, channels, 3, 3)).astype(np.float32)
    shape = (1, channels, side, side)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), session_options, ["CPUExecutionProvider"])
    pixels = {"x": np.ones(shape, dtype=np.float32)}
    best = min(_milliseconds(lambda: session.run(None, pixels), clock) for _ in range(repeats))
    return float(2 * weights.size * side * side / best * 1000)


def _memories(folder: Path, run_id: str, options: argparse.Namespace) -> dict[str, float]:
    """Measure the peak MiB of a process that grades in one way and no other, on one core."""
    ways = () if options.quick else (_OLD, _SHARED)
    others = {way: _in_own_process(folder, "predict-memory", run_id, 1, options, way)["peak"] for way in ways}
    return others | {_OURS: _peak_of_ours(folder, run_id)}


def measure_memory(options: argparse.Namespace) -> None:
    """Grade a few pictures in one way; started by `predict_command`."""
    _use(options.cores)
    run, contents = _run_and_pictures(options)
    work = _way(options.way, run)
    for content in contents:
        work(content)
    write_json(options.json, memory())


# A process of its own for ours: this module needs torch, which grading does not.
_ALONE = """
import sys
from pathlib import Path
from scalp_core.inference import predict
from scalp_core.runs.run import Run
from benchmarks.measuring import memory, write_json
answering = predict.graders(run=Run(Path(sys.argv[1])))
for path in sorted(Path(sys.argv[2]).iterdir())[:8]:
    answering.grade(path.read_bytes())
assert "torch" not in sys.modules
write_json(Path(sys.argv[3]), memory())
"""


def _peak_of_ours(folder: Path, run_id: str) -> float:
    written = folder / "memory.json"
    arguments = [folder / "artifacts" / run_id, folder / "pictures", written]
    environment = {**os.environ, "SCALP_ARTIFACTS": str(folder / "artifacts")}
    subprocess.run([sys.executable, "-c", _ALONE, *map(str, arguments)], check=True, cwd=ROOT, env=environment)
    return float(json.loads(written.read_text(encoding="utf-8"))["peak"])


def predict_report(figures: Mapping[str, Any]) -> str:
    """Format the figures as Markdown."""
    about = (
        f"Milliseconds a picture, from the bytes of a JPEG of 640 × 480: of one core its own time, of several the "
        f"clock's. {_NOTE}"
    )
    lines = [_heading(figures), "", about]
    for count in figures["cores"]:
        key = f"cores {count}"
        peak = median(network[key]["peak"] for network in figures["found"])
        lines += ["", f"**Cores: {count}**; convolution peak {peak / 1e9:.0f} GFLOP/s", ""]
        rows = [["network", "pixels", *_WAYS, *(f"× {way}" for way in _WAYS[1:]), "share of the peak"]]
        rows += [_latencies(network, network[key], peak) for network in figures["found"]]
        lines += [markdown_table(rows), "", _medians(figures["found"], key)]
    lines += ["", "Peak memory of a process that does nothing else, MiB:", "", _memory_table(figures["found"])]
    return "\n".join(lines)


_NOTE = (
    "Ours decodes at reduced scale, as runs learn; “8 bit” is only for those that python -m training.optimize passes."
)


def _heading(figures: Mapping[str, Any]) -> str:
    computer = figures["machine"]
    return (
        f"SYNTHETIC pictures, random weights; {computer['cores']} cores, load {computer['load']}, "
        f"Python {computer['python']}; "
        f"{figures['seconds'] / 60:.1f} minutes. Medians of rounds in which the ways take turns; × against the old way."
        + (_BUSY if computer["load"] > computer["cores"] / 2 else "")
    )


_BUSY = " THE MACHINE WAS BUSY: figures for several cores say little."


def _latencies(network: Mapping[str, Any], measured: Mapping[str, float], peak: float) -> list[str]:
    share = network["operations"] / (measured["network"] / 1000) / peak
    ratios = [f"{measured[_OLD] / measured[way]:.1f}" for way in _WAYS[1:]]
    return [
        network["architecture"],
        str(network["size"]),
        *(f"{measured[way]:.1f}" for way in _WAYS),
        *ratios,
        f"{share:.0%}",
    ]


def _medians(networks: Sequence[Mapping[str, Any]], key: str) -> str:
    sizes = sorted({network["size"] for network in networks})
    lines = []
    for size in sizes:
        several = [network[key] for network in networks if network["size"] == size]
        ratios = [f"{way} {median(network[_OLD] / network[way] for network in several):.1f}×" for way in _WAYS[1:]]
        lines.append(f"Median of {len(several)} at {size} pixels: {', '.join(ratios)}.")
    return "\n".join(lines)


def _memory_table(networks: Sequence[Mapping[str, Any]]) -> str:
    measured = [network for network in networks if "memory" in network]
    ways = list(measured[0]["memory"])
    rows = [
        [network["architecture"], str(network["size"]), *(f"{network['memory'][way]:.0f}" for way in ways)]
        for network in measured
    ]
    return markdown_table([["network", "pixels", *ways], *rows])


# --- Many pictures --------------------------------------------------------------------------------------------------


def bulk_command(options: argparse.Namespace) -> None:
    """Run `bulk`: pictures a second with all cores, beside the plain loop of the old way."""
    started, about = time.monotonic(), machine()
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        folder = Path(temporary)
        contents = [path.read_bytes() for path in write_pictures(folder / "pictures", options.pictures)[:_DIFFERENT]]
        networks = []
        for architecture in options.architectures:
            for size in options.image_sizes:
                print(f"{architecture}, {size} pixels …", file=sys.stderr)
                run = write_run(folder / "artifacts", architecture, size, contents)
                figures = _in_own_process(folder, "bulk-measure", run.id, cores(), options)
                networks.append({"architecture": architecture, "size": size} | figures)
    report = {"benchmark": "bulk", "synthetic": True, "machine": about, "pictures": options.pictures, "found": networks}
    report["seconds"] = time.monotonic() - started
    print(bulk_report(report))
    if options.json:
        write_json(options.json, report)


def measure_bulk(options: argparse.Namespace) -> None:
    """Measure pictures a second of every way, in turns; started by `bulk_command`."""
    _use(options.cores)
    run, contents = _run_and_pictures(options)
    old, answering = old_way(run.recipe.architecture, run.preprocessing), predict.graders(run=run)
    listing = find_images([str(options.folder / "pictures")])
    rates: dict[str, list[float]] = {}
    for number in _rounds(options.rounds):
        Image.core.set_blocks_max(0)
        rates.setdefault(_OLD, []).append(
            1000 / median(_milliseconds(lambda content=content: old(content)) for content in contents)
        )
        for name, serving in _SERVINGS.items():
            graders = replace(answering, serving={run: serving})
            table = options.folder / f"{run.id}-{number}-{serving.int8}.parquet"
            steady, whole = _rates(batch.BatchRequest(listing.sources, graders, table, grade_anyway=True))
            rates.setdefault(name, []).append(steady)
            rates.setdefault(f"{name}, with starting", []).append(whole)
    write_json(options.json, {name: median(values) for name, values in rates.items()})


def _rates(request: batch.BatchRequest) -> tuple[float, float]:
    """Measure pictures a second from the first part of the table on, and from the start on."""
    seen: list[tuple[float, int]] = []
    started = time.perf_counter()

    def report(done: int, _: int) -> None:
        seen.append((time.perf_counter(), done))

    outcome = batch.grade_all(request, jobs=cores(), restart=True, progress=report)
    ended = time.perf_counter()
    if outcome.graded != len(request.sources):
        raise RuntimeError(f"only {outcome.graded} of {len(request.sources)} pictures were graded: {outcome.faults}")
    (first, begun), (last, done) = next(progress for progress in seen if progress[1]), seen[-1]
    steady = (done - begun) / (last - first) if done > begun else done / (ended - started)
    return steady, done / (ended - started)


def bulk_report(figures: Mapping[str, Any]) -> str:
    """Format the figures as Markdown."""
    rows = [["network", "pixels", *(way for way in _WAYS if way != _SHARED), *(f"× {way}" for way in _SERVINGS)]]
    for network in figures["found"]:
        rates = [f"{network[way]:.1f}" for way in (_OLD, *_SERVINGS)]
        ratios = [f"{network[way] / network[_OLD]:.1f}" for way in _SERVINGS]
        rows.append([network["architecture"], str(network["size"]), *rates, *ratios])
    starting = [
        figures["pictures"] / network[f"{_OURS}, with starting"] - figures["pictures"] / network[_OURS]
        for network in figures["found"]
    ]
    return "\n".join(
        [
            _heading(figures),
            "",
            f"Pictures a second, {figures['pictures']} JPEGs of 640 × 480 into a table, all cores; the old way: a "
            f"plain loop. {_NOTE}",
            "",
            markdown_table(rows),
            "",
            f"Starting the workers costs {median(starting):.1f} s once, which is not in these figures.",
        ]
    )
