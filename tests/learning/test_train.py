"""Training of one run, in this process and with real data: it finishes whole, starts from another, fails in words."""

import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import ROOT, Folders, Trained, until
from safetensors.torch import save_file
from support.training_fixtures import HEAD_ONLY, RECIPE, copy_source, load_weights, same_weights, train_run
from test_network import backbone_file, hub

import scalp_core.runs.run
from scalp_core import files, seals
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.inference import gate_fit, input_gate
from scalp_core.labels import CONDITIONS
from scalp_core.learning import export, loop, process
from scalp_core.learning import train as training
from scalp_core.learning.backbones import timm
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.pixel_cache import cached_pixels
from scalp_core.learning.reporter import Stopped
from scalp_core.learning.train import pack
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs.queue import create_run
from scalp_core.runs.run import Run, State


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # as for the run of conftest.py; process.main changes it


def test_a_finished_run_is_whole(trained: Trained) -> None:
    run, dataset = trained.run, trained.dataset
    assert run.state is State.FINISHED
    names = {name for name, _ in run.files}
    assert names.isdisjoint({"checkpoint.safetensors", "progress.json"})
    assert len(run.history) == 2
    predictions = run.predictions
    graded = dataset.index[dataset.index["part"] != "train"]
    assert len(predictions) == 6 * len(graded)
    assert set(predictions["part"]) == {"valid", "calib", "test"}
    assert predictions[["p0", "p1", "p2", "p3"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    joined = predictions.merge(graded[["value_4"]], left_on="image", right_index=True)
    of_fourth = joined[joined["condition"] == "value_4"]
    assert (of_fourth["truth"] == of_fourth["value_4"]).all()
    assert run.manifest["augmentation"] == "randomised"  # what “auto” came to
    assert run.manifest["parameters"] == sum(weight.numel() for weight in load_network(run).parameters())


def test_packed_run_is_half_as_large(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_fit, "FEWEST", 3)
    run = Run(Path(shutil.copytree(trained.run.folder, tmp_path / "packed")))
    before, bytes_before = run.predictions, run.weights_path.stat().st_size
    pack(run)
    assert run.weights_path.stat().st_size < 0.6 * bytes_before
    assert run.exported
    assert run.export_path.stat().st_size < 0.2 * run.weights_path.stat().st_size
    assert {name for name, _ in run.files}.isdisjoint({"log.txt", "speed.json", "serving.json", "model-int8.onnx"})
    run.verify()
    difference = run.predictions[PROBABILITIES].to_numpy() - before[PROBABILITIES].to_numpy()
    assert 0 < np.abs(difference).max() < 0.05
    assert input_gate.read(run.gate_path, run.manifest["files"]["model.safetensors"]) is not None


def test_cancelling_keeps_what_was_finished(tiny: Dataset) -> None:
    run = create_run(replace(RECIPE, epochs=1000, patience=0))
    stopped: list[BaseException] = []

    def target() -> None:
        try:
            train_run(run)
        except Stopped as error:
            stopped.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    until(lambda: len(run.history) >= 1)
    run.cancel()
    epochs = len(run.history)
    thread.join(120)
    assert not thread.is_alive()
    assert stopped
    assert run.state is State.CANCELLED
    assert len(run.history) <= epochs + 1
    assert (run.folder / "checkpoint.safetensors").exists()


# ---- what fails, through the process's own door ----


@pytest.fixture
def own_copy(tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The dataset "tiny", to be damaged."""
    shutil.copytree(tiny.folder, folders.data / "tiny", ignore=shutil.ignore_patterns("cache"))
    monkeypatch.setenv("SCALP_DATA", str(folders.data))
    return open_dataset("tiny")


def failure(run: Run) -> str:
    assert process.main(["train", str(run.folder)]) == 1
    assert run.state is State.FAILED
    assert run.error[0].en
    assert run.error[0].ko
    return run.error[0].en


def test_picture_that_is_missing_or_broken_is_named(own_copy: Dataset) -> None:
    image_id = own_copy.index["id"].iloc[5]
    path = own_copy.folder / own_copy.index.at[image_id, "path"]
    data = path.read_bytes()
    path.unlink()
    assert image_id in failure(create_run(RECIPE))
    path.write_bytes(data[:1000])
    assert f"Picture {image_id}" in failure(create_run(RECIPE))


def test_infinite_loss_fails_with_advice(tiny: Dataset, tmp_path: Path) -> None:
    state = timm.create_model(RECIPE.architecture).state_dict()
    spoilt = {
        name: tensor.fill_(float("inf")) if tensor.is_floating_point() else tensor for name, tensor in state.items()
    }
    save_file(spoilt, tmp_path / "spoilt.safetensors")
    run = create_run(replace(RECIPE, weights=str(tmp_path / "spoilt.safetensors")))
    assert "lower lr" in failure(run)
    assert run.history.empty


def test_data_that_changed_since_are_not_trained_on(own_copy: Dataset) -> None:
    run = create_run(RECIPE)
    rows = own_copy.index.reset_index(drop=True)
    write_dataset(own_copy.folder, "synthetic", {}, rows.assign(value_1=3 - rows["value_1"]))
    assert "other labels or another split" in failure(run)


def test_architecture_of_unknown_weights_fails_in_words(tiny: Dataset) -> None:
    assert "no_such_tag" in failure(create_run(replace(RECIPE, architecture="test_resnet.no_such_tag")))


# Every file that a training writes, and at which time its disk is full: after the first epoch in the middle.
WRITTEN = {
    **dict.fromkeys(("progress.json", "64x64", "preprocessing.json"), 1),
    "history.jsonl": 2,
    **dict.fromkeys(("checkpoint.safetensors", "model.safetensors", "predictions.parquet"), 1),
    **dict.fromkeys(("operating_point.json", "manifest.json"), 1),
}


def full_disk_at(name: str, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """Let the system itself refuse to write the file whose name begins so, the last of so many times."""
    real, hard = files.write_atomic, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    written: list[Path] = []

    def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
        if path.name.startswith(name):
            written.append(path)
        if not path.name.startswith(name) or len(written) < times:
            real(path, write)
            return
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            real(path, write)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    for module in (files, seals, export, training):
        monkeypatch.setattr(module, "write_atomic", write_atomic)


def test_full_disk_fails_and_resumes_exactly(
    trained: Trained, own_copy: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at every file in turn, and each time there is room again the run goes on."""
    monkeypatch.setattr(training, "write_export", lambda *_: None)
    monkeypatch.setattr(process, "_prepare_process", lambda: None)  # as many threads as the other run
    run, names = create_run(replace(RECIPE, epochs=2)), list(WRITTEN)
    for name, times in WRITTEN.items():
        with monkeypatch.context() as patch:
            full_disk_at(name, patch, times)
            sentence = failure(run)
        assert "Make room" in sentence, name
        assert ("last checkpoint" in sentence) == run.checkpoint_path.exists(), "it promises what is on disk"
        assert ("starts over" in sentence) != run.checkpoint_path.exists()
        assert not list(run.folder.glob(".tmp-*"))
        assert not list((own_copy.folder / "cache").glob(".tmp-*"))
        assert run.checkpoint_path.exists() == (names.index(name) >= names.index("history.jsonl"))
        run.resume()
    assert process.main(["train", str(run.folder)]) == 0
    assert same_weights(load_weights(trained.run), load_weights(run))
    assert trained.run.raw_predictions.equals(run.raw_predictions)
    assert trained.run.history.drop(columns="seconds").equals(run.history.drop(columns="seconds"))
    run.verify()


def test_full_disk_while_exporting_costs_no_training(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(replace(RECIPE, epochs=1))
    with monkeypatch.context() as patch:
        full_disk_at("model.onnx", patch)
        assert process.main(["train", str(run.folder)]) == 0
    assert not list(run.folder.glob(".tmp-*"))
    assert run.finished
    assert run.export_failure is None, "the network has no part in it: it is exported when it is needed"
    assert process.main(["export", str(run.folder)]) == 0
    assert run.exported


def test_full_disk_while_caching_features_fails(
    trained: Trained, own_copy: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)
    copy_source(trained, folders)
    run = create_run(replace(HEAD_ONLY, epochs=1))
    with monkeypatch.context() as patch:
        full_disk_at("features", patch)
        assert "Make room" in failure(run)
    assert not list((own_copy.folder / "cache").glob(".tmp-*"))
    run.resume()
    assert process.main(["train", str(run.folder)]) == 0
    assert run.finished


def test_two_processes_never_train_the_same_run(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scalp_core.runs.run, "_LOCK_PATIENCE", 0.2)
    run = create_run(RECIPE)
    with run.lock():
        assert process.main(["train", str(run.folder)]) == 3
    assert run.state is State.QUEUED


def test_what_a_killed_process_left_is_swept(tiny: Dataset) -> None:
    run = create_run(replace(RECIPE, architecture="test_resnet.no_such_tag"))
    (run.folder / ".tmp-left").write_bytes(b"x")
    failure(run)
    assert not (run.folder / ".tmp-left").exists()


def test_network_of_damaged_run_is_not_loaded(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.run.folder, tmp_path / "copy")
    copy = Run(tmp_path / "copy")
    weights = copy.folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ScalpError, match=r"model\.safetensors"):
        load_network(copy)


# ---- starting from another run ----


def test_head_only_learns_in_seconds(trained: Trained, tiny: Dataset, folders: Folders) -> None:
    source = copy_source(trained, folders)
    run = create_run(replace(HEAD_ONLY, epochs=30, patience=0))
    train_run(run)
    assert run.history["seconds"].sum() < 10
    before, after = load_weights(source), load_weights(run)
    assert before.keys() == after.keys()
    heads = ("head.", "finer.")
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items() if not name.startswith(heads))
    assert not torch.equal(before["head.weight"], after["head.weight"])
    assert run.manifest["weights_used"].startswith("run source sha256:")
    session = onnxruntime.InferenceSession(run.export_path, providers=["CPUExecutionProvider"])
    answers = session.run(["probabilities"], {"pixels": cached_pixels(tiny, run.preprocessing)})[0]
    of_fourth = run.raw_predictions[lambda table: table["condition"] == "value_4"]
    rows = tiny.index.index.get_indexer(of_fourth["image"])
    assert np.abs(answers[rows, 3] - of_fourth[["p0", "p1", "p2", "p3"]].to_numpy()).max() < 1e-4


@pytest.mark.parametrize("learns", ["everything", "head"])
def test_conditions_missing_in_the_source_start_fresh(
    learns: str, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)
    source = create_run(replace(RECIPE, conditions=CONDITIONS[:2], epochs=1), "source")
    train_run(source)
    recipe = replace(RECIPE, weights="run:source", learns=learns, epochs=1, lr=1e-7, ema=0.0)
    for conditions in (CONDITIONS, CONDITIONS[1:4], CONDITIONS[4:]):
        run = create_run(replace(recipe, conditions=conditions))
        train_run(run)
        assert run.finished
        assert set(run.predictions["condition"]) == {condition.value for condition in conditions}
        if CONDITIONS[1] in conditions:  # at next to no learning rate it still says what the source says
            before, after = (
                its_run.raw_predictions[lambda table: table["condition"] == "value_2"][["p0", "p1", "p2", "p3"]]
                for its_run in (source, run)
            )
            assert np.abs(before.to_numpy() - after.to_numpy()).max() < 0.05


def test_unusable_source_is_reported(
    trained: Trained, tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)
    source = copy_source(trained, folders)
    with pytest.raises(ScalpError, match="same architecture"):
        create_run(replace(RECIPE, weights="run:source", architecture="test_resnet"))
    with pytest.raises(ScalpError, match="nobody"):
        create_run(replace(RECIPE, weights="run:nobody"))
    run, damaged = (create_run(replace(RECIPE, weights="run:source")) for _ in range(2))
    weights = bytearray(source.weights_path.read_bytes())
    weights[-1] ^= 1
    source.weights_path.write_bytes(weights)
    assert "model.safetensors" in failure(damaged)
    shutil.rmtree(source.folder)
    assert "no run “source”" in failure(run)


def test_once_begun_it_needs_its_source_no_more(
    trained: Trained, tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)
    source = copy_source(trained, folders)
    run = create_run(replace(RECIPE, weights="run:source", epochs=2))
    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "ended", property(lambda self: self.epochs_done == 1))
        patch.setattr(training, "_finish", lambda *_: None)
        train_run(run)
    shutil.rmtree(source.folder)
    train_run(run)
    assert run.finished
    assert run.manifest["weights_used"].startswith("run source sha256:")


def test_a_transformer_goes_on_at_another_size(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)
    recipe = replace(RECIPE, architecture="test_vit", epochs=1)
    train_run(create_run(recipe, "source"))
    larger = create_run(replace(recipe, weights="run:source", image_size=96))
    train_run(larger)
    assert larger.finished
    assert larger.preprocessing.width == 96


def test_the_head_alone_learns_on_published_weights(tiny: Dataset, tmp_path: Path) -> None:
    published = backbone_file(tmp_path / "published.safetensors")
    run = create_run(replace(HEAD_ONLY, weights="pretrained", architecture="test_resnet", epochs=1))
    with hub(tmp_path / "published.safetensors") as (address, _):
        quiet = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and "HF_" not in name}
        done = subprocess.run(
            [sys.executable, "-m", "scalp_core", "train", str(run.folder)],
            cwd=ROOT,
            env=quiet | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": address},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    learned = load_weights(run)
    kept = [name for name in published if f"backbone.model.{name}" in learned]
    assert len(kept) > 10
    assert all(torch.equal(published[name], learned[f"backbone.model.{name}"]) for name in kept)
    assert run.manifest["weights_used"].startswith("timm ")
    assert run.preprocessing.whitening is None
