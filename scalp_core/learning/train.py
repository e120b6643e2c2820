"""Training of one run, from its recipe to its manifest."""

import platform
import time
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.files import sha256, write_atomic
from scalp_core.images import Preprocessing, fit_whitening
from scalp_core.inference import gate_fit
from scalp_core.labels import CONDITIONS
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.export import write_export
from scalp_core.learning.head_only import HeadOnly, averaged_features
from scalp_core.learning.loop import GRADED_PARTS, SEED_STEP, CueShares, Inputs, Loop
from scalp_core.learning.network import Network, adopt, build, strides_in, weights_source
from scalp_core.learning.pixel_cache import cached_cue_shares, cached_pixels
from scalp_core.learning.reporter import Reporter, Stopped
from scalp_core.learning.teacher import Teacher, load_teacher
from scalp_core.metrics import operating_point
from scalp_core.runs.ancestry import overlap_of, write_learned
from scalp_core.runs.champions import log_finished
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.store import source_run, teacher_run
from scalp_core.runs.training_labels import unlabelled_text

_WHITENING_PICTURES = 500  # are enough to know how colours vary


def train(run: Run, at_once: int | None = None) -> None:
    """Train `run` from its recipe or its last checkpoint to its manifest.

    Args:
        at_once: the most pictures that pass through together, as the last try died of its memory.

    Raises:
        ScalpError: why it cannot be trained, for the user.
        Stopped: it was cancelled or paused meanwhile.
    """
    started = time.monotonic()
    recipe, dataset = run.recipe, open_dataset(run.recipe.data)
    _check_unchanged(run, dataset)
    # Before the weights: they may take a download, and a page shows first of all that the training has begun.
    reporter = Reporter(run)
    reporter.report("preparing", 0, 0.0, None)
    _make_again(run, dataset)
    overlap = overlap_of(run, dataset)
    for warning in (overlap.text(run.id), unlabelled_text(recipe)):
        if warning:
            print(warning.en, flush=True)
    torch.manual_seed(recipe.seed * SEED_STEP)  # the head, and the backbone if it starts random
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, pixels, weights_used = _start(run, dataset, reporter)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
    loop = _loop(run, network, dataset, pixels, weights_used, reporter)
    loop.weights_used = weights_used
    loop.restore()
    if at_once:
        loop.take_at_most(at_once, "The system ended the last try because memory ran out")
    while not loop.ended:
        loop.run_epoch(reporter)
    loop.judged.load_state_dict(loop.best)
    reporter.report("grading", loop.epochs_done, 1.0, None)
    predictions = loop.grade_parts(GRADED_PARTS)
    if isinstance(loop.judged, HeadOnly):
        loop.judged.copy_to(network.heads)
    else:
        network.load_state_dict(loop.best)
    reporter.report("exporting", loop.epochs_done, 1.0, None)
    facts = _facts(loop, network, loop.seconds_before + time.monotonic() - started)
    _finish(run, network, predictions, facts | {"learned_from_judged": overlap.leaks})


def _make_again(run: Run, dataset: Dataset) -> None:
    """Keep what is learned from, where it is not yet kept; remove a checkpoint that is not what was written."""
    try:
        learned = run.learned
    except ScalpError as error:
        print(f"{error.text.en} It is made again.", flush=True)
        learned = None
    if learned is None:
        write_learned(run, dataset)
    if run.checkpoint_path.exists() and not run.checkpoint_whole:
        print("The checkpoint is damaged: the training starts over.", flush=True)
        run.checkpoint_path.unlink()


def _check_unchanged(run: Run, dataset: Dataset) -> None:
    if run.index_hash != dataset.index_hash:
        raise ScalpError(
            "data_changed",
            f"Dataset “{dataset.name}” has changed since this run was created: other labels or another split. "
            "Start a new run on it.",
            f"데이터셋 “{dataset.name}”의 라벨이나 분할이 실행을 만든 뒤에 바뀌었어요. 새 실행을 시작하세요.",
        )


def _facts(loop: Loop, network: Network, seconds: float) -> dict[str, Any]:
    """Return the manifest's facts about a training."""
    return {
        "device": _device_name(loop.device),
        "seconds": round(seconds, 1),
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "best_epoch": loop.best_epoch,
        "pictures_learned": len(loop.parts["train"]),
        "pictures_unlabelled": int((loop.dataset.index["part"] == "train").sum()) - len(loop.parts["train"]),
        "at_once": loop.at_once,
        "augmentation": loop.recipe.augmentation_of(loop.dataset.synthetic),
        "weights_used": loop.weights_used,
        "teacher": loop.teacher.source if loop.teacher else "",
        "versions": {name: version(name) for name in ("torch", "torchvision", "timm", "onnx", "onnxruntime")},
        "python": platform.python_version(),
    }


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


# ---- the start ----


def _start(run: Run, dataset: Dataset, reporter: Reporter) -> tuple[Network, Inputs, str]:
    """Return the network as it begins, the pictures as its input, and the source of its weights."""
    recipe = run.recipe
    going_on = run.checkpoint_path.exists() and run.preprocessing_whole
    if going_on and recipe.learns == "everything":  # its own weights: nothing is downloaded twice
        strides = strides_in(run.checkpoint_path)
        network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, "none", strides)
        network.normalise(run.preprocessing)
        return network, cached_pixels(dataset, run.preprocessing, reporter.prepared), ""
    network, preprocessing, weights_used = _initial_network(recipe)
    pixels = cached_pixels(dataset, preprocessing, reporter.prepared)
    if recipe.colours == "whitened" or (recipe.colours == "auto" and recipe.weights == "none"):
        learned = np.flatnonzero(dataset.index["part"] == "train")
        sample = learned[:: max(1, len(learned) // _WHITENING_PICTURES)]
        preprocessing = fit_whitening(preprocessing, pixels[sample])
        network.normalise(preprocessing)
    run.write_preprocessing(preprocessing)
    return network, pixels, weights_used


def _initial_network(recipe: Recipe) -> tuple[Network, Preprocessing, str]:
    source, conditions = source_run(recipe), recipe.conditions
    if source is None:
        built = build(recipe.architecture, len(conditions), recipe.image_size, recipe.weights)
        return *built, weights_source(recipe.architecture, recipe.weights)
    source.verify()
    network, _ = build(recipe.architecture, len(conditions), recipe.image_size, "none")
    adopt(network, recipe.architecture, source.weights_path, conditions, source.recipe.conditions)
    preprocessing = replace(source.preprocessing, height=recipe.image_size, width=recipe.image_size)
    network.normalise(preprocessing)
    return network, preprocessing, f"run {source.id} sha256:{sha256(source.weights_path)}"


def _loop(run: Run, network: Network, dataset: Dataset, pixels: Inputs, weights_used: str, reporter: Reporter) -> Loop:
    """Return the loop over the whole network, or over its head alone."""
    recipe, device = run.recipe, network.mean.device
    if recipe.learns != "head":
        cues, teacher = _cues(recipe, dataset, reporter), _teacher(recipe, device)
        return Loop(run, recipe, network, network.layers(), dataset, pixels, device, cues, teacher)
    features = averaged_features(network, dataset, pixels, weights_used, run.preprocessing, reporter)
    head = HeadOnly(network.heads, features[dataset.index["part"] == "train"]).to(device)
    one_layer = dict.fromkeys(dict(head.named_parameters()), 0)
    return Loop(run, recipe, head, one_layer, dataset, features[:, None, None], device)


def _cues(recipe: Recipe, dataset: Dataset, reporter: Reporter) -> CueShares | None:
    """Return where the cues of the recipe's conditions lie, where evidence is to learn to point at them."""
    if not recipe.mask_weight:
        return None
    shares = cached_cue_shares(dataset, reporter.prepared)
    return np.asarray(shares[:, [CONDITIONS.index(condition) for condition in recipe.conditions]])


def _teacher(recipe: Recipe, device: torch.device) -> Teacher | None:
    run = teacher_run(recipe)
    return load_teacher(run, recipe.conditions, device) if run else None


# ---- the end ----


def _finish(run: Run, network: Network, predictions: pd.DataFrame, facts: dict[str, Any]) -> None:
    run.check_before_manifest()
    weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomic(run.weights_path, lambda path: save_file(weights, path))
    _try_export(run, network.cpu())
    if run.stop_requested:
        raise Stopped
    run.operating_point_path.unlink(missing_ok=True)  # of a try that was killed just before its manifest
    _write_predictions(run, predictions, "fitted when the training ended")
    run.write_manifest(facts)
    log_finished(run)


def _try_export(run: Run, network: Network) -> None:
    """Export it. A failure costs no training: its weights and its figures stand, and it can be exported later."""
    try:
        write_export(run, network, run.preprocessing)
    except (ScalpError, OSError, RuntimeError, MemoryError) as error:
        print(f"Not exported: {error}", flush=True)


def _write_predictions(run: Run, predictions: pd.DataFrame, why: str) -> None:
    write_atomic(run.predictions_path, lambda path: predictions.to_parquet(path, index=False))
    run.write_operating_point(operating_point.fit(predictions, run.recipe.recall_floor, why))


def fit_gate(run: Run) -> None:
    """Fit the gate of a run that has finished already; a failure is logged, and the run stands."""
    try:
        gate_fit.refit(run)
    except (ScalpError, OSError, SafetensorError, MemoryError) as error:
        print(f"No quality check: {error}", flush=True)


def pack(run: Run) -> None:
    """Make a finished run fit to travel in git: weights in half precision, the export, nothing of this machine.

    Predictions and export are made anew with the stored weights, so that they describe the shipped network.

    Raises:
        ScalpError: a file is not what the manifest says, the dataset is not here, or the network cannot be exported.
    """
    network, dataset = load_network(run), open_dataset(run.recipe.data)
    _check_unchanged(run, dataset)
    halved = {name: w.half() if w.is_floating_point() else w for name, w in network.state_dict().items()}
    network.load_state_dict({name: w.float() if w.is_floating_point() else w for name, w in halved.items()})
    pixels = cached_pixels(dataset, run.preprocessing)
    recipe = replace(run.recipe, ema=0.0)  # these weights are judged, not an average
    loop = Loop(run, recipe, network, network.layers(), dataset, pixels, torch.device("cpu"))
    facts = {key: value for key, value in run.manifest.items() if key != "files"}
    predictions = loop.grade_parts(GRADED_PARTS)
    write_atomic(run.weights_path, lambda path: save_file(halved, path))
    _write_predictions(run, predictions, "fitted when the weights were packed")
    run.write_manifest(facts | {"stored_precision": "float16"})
    write_export(run, network, run.preprocessing)
    fit_gate(run)  # it belongs to these very weights
    run.drop_local_files()
