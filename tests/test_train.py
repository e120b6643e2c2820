"""Training of one run, in this process and with real data: it learns, resumes exactly, stops and fails in words."""

import resource
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import TINY, Folders, Trained, until
from PIL import Image
from safetensors.torch import load_file, save_file

import scalp_core.runs
from scalp_core import train as training
from scalp_core.backbones import timm
from scalp_core.dataset import LABEL_COLUMNS, Dataset, open_dataset, write_dataset
from scalp_core.errors import ScalpError
from scalp_core.images import Preprocessing, decode, resize
from scalp_core.models import Network
from scalp_core.runs import Recipe, Run, State, create_run
from scalp_core.train import Stopped, cached_pixels, load_network, train

RECIPE = Recipe(**TINY)
HALF = Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # as for the run of conftest.py; training.main changes it


def work(run: Run) -> None:
    with run.lock():
        train(run)


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(weight, other[name]) for name, weight in one.items())


@pytest.fixture
def coloured(folders: Folders) -> Dataset:
    """64 small pictures whose colours say what the first three labels are; the last three half of them lack."""
    generator = np.random.default_rng(0)
    folder = folders.data / "coloured"
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(64):
        grades = generator.integers(0, 4, 3)
        pixels = np.full((64, 64, 3), 40, dtype=np.uint8) + (grades * 60).astype(np.uint8)
        name = f"p{number:02d}"
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
        row = dict.fromkeys(("sha256", "device", "capture", "region"), name) | {"id": name, "site": str(number % 16)}
        others = [None if number % 16 < 8 else 0] * 3
        labels = dict(zip(LABEL_COLUMNS, [*grades.tolist(), *others], strict=True))
        part = ("train", "train", "valid", "calib", "train", "test", "train", "train")[number % 8]
        rows.append(row | {"path": f"images/{name}.png", "part": part} | labels)
    return write_dataset(folder, "test", {}, pd.DataFrame(rows))


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
    assert run.manifest["parameters"] == sum(weight.numel() for weight in load_network(run).parameters())


def test_it_learns_and_labels_that_are_missing_are_masked(coloured: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)  # slow, and not what this is about
    recipe = replace(RECIPE, data="coloured", epochs=8, lr=1e-2, augmentation="none", image_size=64, batch_size=16)
    run = create_run(recipe)
    work(run)
    losses = run.history["train_loss"]
    assert losses.iloc[-1] < 0.75 * losses.iloc[0]
    assert np.isfinite(run.history["valid_loss"]).all()
    predictions = run.predictions
    unlabelled = predictions["image"].str[1:].astype(int) % 16 < 8
    unknown = predictions["condition"].isin(["value_4", "value_5", "value_6"]) & unlabelled
    assert list(predictions["truth"].isna()) == list(unknown)
    assert predictions[["p0", "p1", "p2", "p3"]].notna().all(axis=None)


def test_a_resumed_run_ends_exactly_as_an_uninterrupted_one(
    trained: Trained, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, epochs=2)
    straight, broken, reseeded = trained.run, create_run(recipe, "broken"), create_run(replace(recipe, seed=1), "other")
    assert straight.recipe == recipe

    def interrupt(self: training._Loop, epoch: int, reporter: training._Reporter) -> None:
        if epoch == 2:
            raise Stopped
        real_epoch(self, epoch, reporter)

    real_epoch = training._Loop.run_epoch
    with monkeypatch.context() as patch:
        patch.setattr(training._Loop, "run_epoch", interrupt)
        with pytest.raises(Stopped):
            work(broken)
    assert broken.state is State.INTERRUPTED
    assert len(broken.history) == 1
    torch.rand(1000)
    monkeypatch.setattr(training, "write_export", lambda *_: None)  # slow, and not what this is about
    work(broken)
    assert same(weights_of(straight), weights_of(broken))
    assert straight.predictions.equals(broken.predictions)
    columns = ["epoch", "train_loss", "valid_loss", "valid_qwk", "lr"]
    assert straight.history[columns].equals(broken.history[columns])
    work(reseeded)
    assert not same(weights_of(straight), weights_of(reseeded))


def test_half_precision_learns_and_is_graded_in_full(coloured: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)  # slow, and not what this is about
    seen: set[tuple[bool, torch.dtype]] = set()
    forward = Network.forward

    def watched(self: Network, pixels: torch.Tensor) -> torch.Tensor:
        evidence = forward(self, pixels)
        seen.add((self.training, evidence.dtype))
        return evidence

    monkeypatch.setattr(Network, "forward", watched)
    recipe = replace(RECIPE, data="coloured", epochs=4, lr=1e-2, augmentation="none", batch_size=16)
    run = create_run(replace(recipe, precision="bfloat16"))
    work(run)
    assert (True, torch.bfloat16) in seen
    assert {kind for learning, kind in seen if not learning} == {torch.float32}
    losses = run.history["train_loss"]
    assert losses.iloc[-1] < 0.95 * losses.iloc[0]
    assert {weight.dtype for weight in load_network(run).parameters()} == {torch.float32}


def test_cancelling_stops_within_a_step_and_keeps_what_was_finished(tiny: Dataset) -> None:
    run = create_run(replace(RECIPE, epochs=1000))
    stopped: list[BaseException] = []

    def target() -> None:
        try:
            work(run)
        except Stopped as error:
            stopped.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    until(lambda: len(run.history) >= 1)
    run.cancel()
    epochs = len(run.history)
    thread.join(20)
    assert not thread.is_alive()
    assert stopped
    assert run.state is State.CANCELLED
    assert len(run.history) <= epochs + 1
    assert (run.folder / "checkpoint.safetensors").exists()


def test_cancelling_while_pictures_are_prepared_stops_at_once(tiny: Dataset, folders: Folders) -> None:
    run = create_run(RECIPE)
    run.cancel()
    reporter = training._Reporter(run, 1)
    odd_size = replace(HALF, height=33)
    with pytest.raises(Stopped):
        cached_pixels(tiny, odd_size, reporter)
    assert not list((tiny.folder / "cache").glob("33x*"))
    assert not list((tiny.folder / "cache").glob(".tmp-*"))


def test_the_picture_cache_holds_the_pictures_in_order_and_is_made_once(tiny: Dataset) -> None:
    pixels = cached_pixels(tiny, HALF)
    assert pixels.shape == (48, 64, 64, 3)
    for row in (0, 17, 47):
        data = tiny.read(tiny.index["id"].iloc[row])
        assert np.array_equal(pixels[row], resize(decode(data).pixels, HALF))
    made = [path.stat().st_mtime_ns for path in (tiny.folder / "cache").iterdir()]
    cached_pixels(tiny, HALF)
    assert [path.stat().st_mtime_ns for path in (tiny.folder / "cache").iterdir()] == made


# ---- what fails, through the process's own door ----


@pytest.fixture
def own_copy(tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The data set "tiny", to be damaged."""
    shutil.copytree(tiny.folder, folders.data / "tiny", ignore=shutil.ignore_patterns("cache"))
    monkeypatch.setenv("SCALP_DATA", str(folders.data))
    return open_dataset("tiny")


def failure(run: Run) -> str:
    assert training.main(["train", str(run.folder)]) == 1
    assert run.state is State.FAILED
    assert run.error[0].en
    assert run.error[0].ko
    return run.error[0].en


def test_a_picture_that_is_missing_or_broken_is_named(own_copy: Dataset) -> None:
    image_id = own_copy.index["id"].iloc[5]
    path = own_copy.folder / own_copy.index.at[image_id, "path"]
    data = path.read_bytes()
    path.unlink()
    assert image_id in failure(create_run(RECIPE))
    path.write_bytes(data[:1000])
    assert f"Picture {image_id}" in failure(create_run(RECIPE))


def test_a_loss_that_is_no_number_fails_with_what_to_do(tiny: Dataset, tmp_path: Path) -> None:
    state = timm.create_model(RECIPE.architecture).state_dict()
    spoilt = {name: one.fill_(float("inf")) if one.is_floating_point() else one for name, one in state.items()}
    save_file(spoilt, tmp_path / "spoilt.safetensors")
    run = create_run(replace(RECIPE, weights=str(tmp_path / "spoilt.safetensors")))
    assert "lower lr" in failure(run)
    assert run.history.empty


def test_data_that_changed_since_are_not_trained_on(own_copy: Dataset) -> None:
    run = create_run(RECIPE)
    rows = own_copy.index.reset_index(drop=True)
    write_dataset(own_copy.folder, "synthetic", {}, rows.assign(value_1=3 - rows["value_1"]))
    assert "labels or its split changed" in failure(run)


def test_an_architecture_that_does_not_exist_fails_in_words(tiny: Dataset) -> None:
    assert "no_such_net" in failure(create_run(replace(RECIPE, architecture="no_such_net")))


def test_a_full_disk_fails_in_words_and_keeps_the_last_checkpoint(tiny: Dataset) -> None:
    cached_pixels(tiny, replace(HALF, interpolation="bicubic"))
    run = create_run(replace(RECIPE, epochs=3))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, limits[1]))  # pictures fit, a checkpoint does not
    try:
        message = failure(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "Make room" in message
    assert not list(run.folder.glob(".tmp-*"))


def test_two_processes_never_train_the_same_run(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scalp_core.runs, "_LOCK_PATIENCE", 0.2)
    run = create_run(RECIPE)
    with run.lock():
        assert training.main(["train", str(run.folder)]) == 3
    assert run.state is State.QUEUED


def test_what_a_killed_process_left_is_swept(tiny: Dataset) -> None:
    run = create_run(replace(RECIPE, architecture="no_such_net"))
    (run.folder / ".tmp-left").write_bytes(b"x")
    failure(run)
    assert not (run.folder / ".tmp-left").exists()


def test_the_network_of_a_damaged_run_is_not_loaded(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.run.folder, tmp_path / "copy")
    copy = Run(tmp_path / "copy")
    weights = copy.folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ScalpError, match=r"model\.safetensors"):
        load_network(copy)
