"""The loop: it learns, masks, resumes exactly, takes smaller pieces where memory is short, and fails in words."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, Folders, Trained
from support.training_fixtures import (
    ALL_OPTIONS,
    HEAD_ONLY,
    RECIPE,
    assert_same_outcome,
    coloured_dataset,
    copy_source,
    load_weights,
    same_weights,
    train_run,
)

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS
from scalp_core.learning import loop as looping
from scalp_core.learning import process
from scalp_core.learning import train as training
from scalp_core.learning.augment import augment
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.loop import FINEST_ALONE, Loop
from scalp_core.learning.losses import teacher_loss
from scalp_core.learning.network import Network, build, logits
from scalp_core.learning.pixel_cache import cached_pixels
from scalp_core.learning.randomise import randomise
from scalp_core.learning.reporter import Reporter, Stopped
from scalp_core.learning.teacher import load_teacher
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run, State
from scalp_core.runs.training_labels import learned_rows


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # as for the run of conftest.py; process.main changes it


@pytest.fixture(autouse=True)
def _no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "write_export", lambda *_: None)  # slow, and not what this is about


@pytest.fixture
def coloured(folders: Folders) -> Dataset:
    return coloured_dataset(folders)


def loop_of(recipe: Recipe, dataset: Dataset, folders: Folders) -> Loop:
    """A loop on pictures that are noise."""
    network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, "none")
    shape = (len(dataset.index), recipe.image_size, recipe.image_size, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    run = create_run(recipe)
    return Loop(run, recipe, network, network.layers(), dataset, pixels, torch.device("cpu"))


# ---- learning ----


def test_network_learns_with_missing_labels_masked(coloured: Dataset) -> None:
    recipe = replace(RECIPE, data="coloured", epochs=8, lr=1e-2, augmentation="none", batch_size=16)
    run = create_run(recipe)
    train_run(run)
    losses = run.history["train_loss"]
    assert losses.iloc[-1] < 0.75 * losses.iloc[0]
    assert np.isfinite(run.history["valid_loss"]).all()
    predictions = run.predictions
    unlabelled = predictions["image"].str[1:].astype(int) % 16 < 8
    unknown = predictions["condition"].isin(["value_4", "value_5", "value_6"]) & unlabelled
    assert list(predictions["truth"].isna()) == list(unknown)
    assert predictions[["p0", "p1", "p2", "p3"]].notna().all(axis=None)


def test_evidence_learns_where_cues_lie(tiny: Dataset) -> None:
    runs = [create_run(replace(RECIPE, epochs=1, mask_weight=weight)) for weight in (0.0, 0.5)]
    for run in runs:
        train_run(run)
    plain, taught = (run.history["train_loss"].iloc[0] for run in runs)
    assert taught > plain + 0.5  # half of a cross-entropy over 256 cells
    assert not same_weights(*map(load_weights, runs))


def test_cues_of_photographs_cannot_be_learned(coloured: Dataset) -> None:
    with pytest.raises(ScalpError, match="mask_weight") as caught:
        create_run(replace(RECIPE, data=coloured.name, mask_weight=0.5))
    assert caught.value.code == "bad_recipe"


def test_network_learns_what_its_teacher_sees(trained: Trained, tiny: Dataset, folders: Folders) -> None:
    teacher = copy_source(trained, folders)
    recipe = replace(RECIPE, epochs=6, lr=1e-2, augmentation="none", batch_size=8)
    plain, taught = (
        create_run(replace(recipe, teacher=name, teacher_weight=20.0)) for name in ("", f"run:{teacher.id}")
    )
    pixels = torch.from_numpy(np.array(cached_pixels(tiny, teacher.preprocessing))).permute(0, 3, 1, 2).float()
    wanted = load_teacher(teacher, CONDITIONS, torch.device("cpu")).evidence(pixels)
    distances = []
    for run in (plain, taught):
        train_run(run)
        distances.append(float(teacher_loss(load_network(run)(pixels).detach(), wanted)))
    assert distances[1] < 0.5 * distances[0]
    assert taught.manifest["teacher"].startswith("run source sha256:")
    assert plain.manifest["teacher"] == ""


def test_teacher_of_other_size_and_conditions_is_understood(trained: Trained, folders: Folders) -> None:
    teacher = load_teacher(copy_source(trained, folders), (CONDITIONS[4], CONDITIONS[1]), torch.device("cpu"))
    pixels = torch.rand(2, 3, 64, 64) * 255
    whole = teacher.network(pixels)
    assert torch.equal(teacher.evidence(pixels), whole[:, [4, 1]])
    assert teacher.evidence(torch.rand(1, 3, 96, 96) * 255).shape == (1, 2, *whole.shape[2:])


def test_finest_map_is_judged_alone_later(tiny: Dataset, folders: Folders) -> None:
    loop = loop_of(replace(RECIPE, epochs=10, augmentation="none"), tiny, folders)
    rows = torch.from_numpy(np.resize(loop.parts["train"], 400))
    shares = [loop._batch(rows, int(part * 10 * loop.steps)).alone.float().mean().item() for part in (0, 0.25, 0.5, 1)]
    assert shares[0] == 0
    assert shares[1] == pytest.approx(FINEST_ALONE / 2, abs=0.1)
    assert shares[2:] == pytest.approx([FINEST_ALONE] * 2, abs=0.1)


def test_half_precision_learns_and_is_graded_in_full(coloured: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[bool, torch.dtype]] = set()
    forward = Network.forward

    def watched(self: Network, pixels: torch.Tensor, alone: torch.Tensor | None) -> torch.Tensor:
        evidence = forward(self, pixels, alone)
        seen.add((self.training, evidence.dtype))
        return evidence

    monkeypatch.setattr(Network, "forward", watched)
    recipe = replace(RECIPE, data="coloured", epochs=4, lr=1e-2, augmentation="none", batch_size=16)
    run = create_run(replace(recipe, precision="bfloat16"))
    train_run(run)
    assert (True, torch.bfloat16) in seen
    assert {kind for learning, kind in seen if not learning} == {torch.float32}
    losses = run.history["train_loss"]
    assert losses.iloc[-1] < 0.95 * losses.iloc[0]
    assert {weight.dtype for weight in load_network(run).parameters()} == {torch.float32}


def test_photographs_are_augmented_as_before(coloured: Dataset, folders: Folders) -> None:
    assert loop_of(replace(RECIPE, data="coloured"), coloured, folders).augment is augment


@pytest.mark.parametrize(
    ("name", "expected"), [("auto", randomise), ("standard", augment), ("randomised", randomise), ("none", None)]
)
def test_drawn_pictures_are_randomised_by_default(name: str, expected: object, tiny: Dataset, folders: Folders) -> None:
    assert loop_of(replace(RECIPE, augmentation=name), tiny, folders).augment is expected


def test_a_frozen_backbone_stands_still_and_then_learns(tiny: Dataset, folders: Folders) -> None:
    loop = loop_of(replace(ALL_OPTIONS, ema=0.0), tiny, folders)
    before = {name: tensor.clone() for name, tensor in loop.learner.state_dict().items()}
    reporter = Reporter(loop.run)
    loop.run_epoch(reporter)
    after = loop.learner.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items() if name.startswith("backbone."))
    assert not torch.equal(after["head.weight"], before["head.weight"])
    loop.run_epoch(reporter)
    learned = [name for name, _ in loop.learner.named_parameters()]
    assert not any(torch.equal(loop.learner.state_dict()[name], before[name]) for name in learned)


def test_early_layers_learn_more_slowly(tiny: Dataset, folders: Folders) -> None:
    loop = loop_of(replace(RECIPE, layer_decay=0.5), tiny, folders)
    loop.schedule.step_update(100)
    rates = {group["lr_scale"]: group["lr"] for group in loop.optimizer.param_groups}
    assert max(rates) == 1.0
    assert len(rates) >= 4
    assert all(rate == pytest.approx(scale * rates[1.0]) for scale, rate in rates.items())


def test_early_stopping_keeps_the_best_epoch(tiny: Dataset) -> None:
    run = create_run(replace(RECIPE, epochs=50, patience=2, lr=1e-7))
    train_run(run)
    assert len(run.history) < 50
    assert run.manifest["best_epoch"] == len(run.history) - 2


# ---- resuming ----


def in_pieces(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train it with a stop after every epoch, and other random numbers drawn in between."""

    def one_epoch(self: Loop, reporter: Reporter) -> None:
        real(self, reporter)
        raise Stopped

    real = Loop.run_epoch
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "run_epoch", one_epoch)
        while not run.finished:
            torch.rand(1000)
            try:
                train_run(run)
            except Stopped:
                assert run.state is State.INTERRUPTED


@pytest.mark.parametrize("recipe", [ALL_OPTIONS, HEAD_ONLY], ids=["everything", "head"])
def test_interruption_after_every_epoch_changes_nothing(
    recipe: Recipe, trained: Trained, tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_source(trained, folders)
    straight, broken = create_run(recipe, "straight"), create_run(recipe, "broken")
    train_run(straight)
    in_pieces(broken, monkeypatch)
    assert len(straight.history) >= 2
    assert_same_outcome(straight, broken)


def test_plain_recipe_resumes_exactly_other_seed_differs(
    trained: Trained, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, epochs=2)
    straight, broken, reseeded = trained.run, create_run(recipe, "broken"), create_run(replace(recipe, seed=1), "other")
    assert straight.recipe == recipe
    in_pieces(broken, monkeypatch)
    assert same_weights(load_weights(straight), load_weights(broken))
    assert straight.raw_predictions.equals(broken.raw_predictions)
    train_run(reseeded)
    assert not same_weights(load_weights(straight), load_weights(reseeded))


# ---- memory ----

# In a process of its own: address space is counted from where a first small step has left it.
LIMITED = """
import resource, sys
from pathlib import Path
import torch
from scalp_core.learning import process
from scalp_core.learning import train as training
from scalp_core.learning.loop import Loop
from scalp_core.runs.run import Run

room = int(sys.argv[2])
training.write_export = lambda *_: None
real = Loop.run_epoch

def limited(loop, reporter):
    if loop.epochs_done == 0:
        torch.set_num_threads(1)
        loop.step(torch.from_numpy(loop.parts["train"][:2]), 0)
        loop.probabilities(loop.parts["train"][:1])
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + room * 2**20, resource.RLIM_INFINITY))
    real(loop, reporter)

Loop.run_epoch = limited
sys.exit(process.main(["train", sys.argv[1]]))
"""


def train_within(run: Run, megabytes: int) -> str:
    """Train it with so much memory more than a step of two pictures takes; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(run.folder), str(megabytes)],
        cwd=ROOT,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    return f"{done.stdout}{done.stderr}ended with {done.returncode}"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of address space is Linux's")
def test_short_memory_splits_batches(tiny: Dataset) -> None:
    # About 20 MB a picture: 24 of them need clearly more than there is, 12 clearly less.
    run = create_run(replace(RECIPE, image_size=256, batch_size=24, epochs=1, augmentation="none"))
    printed = train_within(run, 370)
    assert run.state is State.FINISHED, printed
    assert "Memory ran out; batches now pass in pieces of 12 pictures." in printed
    assert run.history["at_once"].iloc[-1] == run.manifest["at_once"] < 24
    assert np.isfinite(run.history["train_loss"]).all()


def failing_above(pictures: int, error: Exception, real: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def evidence(self: Loop, inputs: torch.Tensor, alone: torch.Tensor | None = None) -> torch.Tensor:
        if len(inputs) > pictures:
            raise error
        return real(self, inputs, alone)

    return evidence


def test_memory_below_two_pictures_fails(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_prepare_process", lambda: None)
    monkeypatch.setattr(Loop, "_evidence", failing_above(1, MemoryError(), Loop._evidence))
    run = create_run(replace(RECIPE, epochs=2))
    assert process.main(["train", str(run.folder)]) == 1
    assert run.state is State.FAILED
    assert "Memory ran out" in run.error[0].en
    assert "image_size" in run.error[0].ko


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("could not create a primitive"),
        RuntimeError("std::bad_alloc"),
        torch.OutOfMemoryError("CUDA out of memory."),
        np._core._exceptions._ArrayMemoryError((2**40,), np.dtype("f4")),
        MemoryError(),
    ],
    ids=["torch", "oneDNN", "C++", "CUDA", "numpy", "Python"],
)
def test_every_way_of_saying_it_is_understood(
    error: Exception, tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = loop_of(RECIPE, tiny, folders)
    monkeypatch.setattr(Loop, "_evidence", failing_above(3, error, Loop._evidence))
    assert torch.isfinite(loop.step(torch.from_numpy(loop.parts["train"][:8]), 0))
    assert loop.at_once == 2
    assert loop.probabilities(loop.parts["train"]).shape == (len(loop.parts["train"]), 6, 4)
    monkeypatch.setattr(Loop, "_evidence", failing_above(0, error, Loop._evidence))
    with pytest.raises(ScalpError, match="even with 2 pictures"):
        loop.step(torch.from_numpy(loop.parts["train"][:8]), 0)
    with pytest.raises(ScalpError, match="even with 1 pictures"):
        loop.probabilities(loop.parts["train"])


def test_other_errors_are_not_taken_for_it(tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = loop_of(RECIPE, tiny, folders)
    monkeypatch.setattr(Loop, "_evidence", failing_above(0, RuntimeError("shapes do not fit"), Loop._evidence))
    with pytest.raises(RuntimeError, match="shapes"):
        loop.step(torch.from_numpy(loop.parts["train"][:8]), 0)
    assert loop.at_once == 8


def test_pieces_hold_all_pictures_and_never_one_alone() -> None:
    for pictures in range(1, 70):
        for at_once in range(2, 70):
            pieces = torch.tensor_split(torch.arange(pictures), looping._pieces(pictures, at_once))
            sizes = [len(piece) for piece in pieces]
            assert sum(sizes) == pictures
            assert max(sizes) <= at_once + (at_once == 2)
            assert min(sizes) >= 2 or pictures == 1


def test_gradients_in_pieces_are_those_of_whole_batch(tiny: Dataset, folders: Folders) -> None:
    recipe = replace(RECIPE, augmentation="none", architecture="test_vit", grade_weights="full")  # no batch statistics
    loop = loop_of(recipe, tiny, folders)
    batch = loop._batch(torch.from_numpy(loop.parts["train"][:7]), 0)
    whole = loop._gradients(batch)
    expected = [weight.grad.clone() for weight in loop.learner.parameters() if weight.grad is not None]
    loop.at_once = 3
    assert loop._gradients(batch) == pytest.approx(float(whole), rel=1e-5)
    gradients = [weight.grad for weight in loop.learner.parameters() if weight.grad is not None]
    assert all(
        torch.allclose(in_pieces, whole_batch, atol=1e-6)
        for in_pieces, whole_batch in zip(expected, gradients, strict=True)
    )


def test_a_run_told_to_take_fewer_says_so(
    tiny: Dataset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_prepare_process", lambda: None)
    run = create_run(replace(RECIPE, epochs=1))
    assert process.main(["train", str(run.folder), "4"]) == 0
    assert "memory ran out; batches now pass in pieces of 4 pictures" in capsys.readouterr().out
    assert run.history["at_once"].tolist() == [4]
    assert run.manifest["at_once"] == 4


# ---- what is no number ----


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_weights_spoilt_by_the_last_step_are_discarded(
    ema: float, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(replace(RECIPE, epochs=2, ema=ema))
    last = 2 * max(1, int((tiny.index["part"] == "train").sum()) // RECIPE.batch_size) - 1
    real = torch.optim.AdamW.step
    steps = iter(range(last + 1))

    def spoiling(self: torch.optim.AdamW, closure: None = None) -> None:
        real(self, closure)
        if next(steps) == last:
            with torch.no_grad():
                self.param_groups[0]["params"][0].fill_(float("nan"))

    monkeypatch.setattr(torch.optim.AdamW, "step", spoiling)
    with pytest.raises(ScalpError, match="lower lr"):
        train_run(run)
    assert next(steps, None) is None
    assert len(run.history) == 1
    assert run.checkpoint_path.exists()


# ---- labels ----


def relabelled(dataset: Dataset, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Dataset:
    return write_dataset(dataset.folder, "test", {}, change(dataset.index.reset_index(drop=True)))


def test_condition_without_calibration_labels_stays(coloured: Dataset) -> None:
    def without(rows: pd.DataFrame) -> pd.DataFrame:
        rows.loc[rows["part"].isin(["calib", "test"]), "value_2"] = None
        return rows

    relabelled(coloured, without)
    run = create_run(replace(RECIPE, data="coloured", epochs=1))
    train_run(run)
    assert run.finished
    assert not run.operating_point.decision("value_2").fitted
    assert run.predictions[["p0", "p1", "p2", "p3"]].notna().all(axis=None)


def test_a_condition_without_any_label_is_refused_beforehand(coloured: Dataset) -> None:
    relabelled(coloured, lambda rows: rows.assign(value_5=None))
    with pytest.raises(ScalpError, match="value_5"):
        create_run(replace(RECIPE, data="coloured"))
    run = create_run(replace(RECIPE, data="coloured", conditions=CONDITIONS[:4], epochs=1))
    train_run(run)
    assert run.finished


def labelled_few(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave six pictures of the training split their labels, the last of them a single one."""
    train = rows.index[rows["part"] == "train"]
    rows.loc[train[6:], list(LABEL_COLUMNS)] = None
    rows.loc[train[5], list(LABEL_COLUMNS[1:])] = None
    return rows


@pytest.mark.parametrize("sampling", ["none", "full"])
def test_pictures_without_labels_are_not_sampled(
    sampling: str, coloured: Dataset, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = relabelled(coloured, labelled_few)
    pictures = int((dataset.index["part"] == "train").sum())
    recipe = replace(RECIPE, data="coloured", sampling=sampling, conditions=CONDITIONS[:3], batch_size=4)
    loop = loop_of(recipe, dataset, folders)
    labelled = set(np.flatnonzero((dataset.index["part"] == "train") & dataset.index["value_1"].notna()))
    assert len(labelled) == 6
    assert loop.steps == 1
    for _ in range(20):
        (rows,) = loop._sample_batches()
        assert set(rows.tolist()) <= labelled
    run = create_run(recipe)
    train_run(run)
    assert (run.history["train_loss"] > 0.1).all()
    assert f"leaves out {pictures - 6} of {pictures} pictures" in capsys.readouterr().out
    assert (run.manifest["pictures_learned"], run.manifest["pictures_unlabelled"]) == (6, pictures - 6)


def test_label_that_weighs_nothing_is_none(coloured: Dataset, folders: Folders) -> None:
    dataset = relabelled(coloured, labelled_few)
    recipe = replace(RECIPE, data="coloured", conditions=CONDITIONS[:2])
    assert len(learned_rows(recipe, dataset)) == 6
    assert len(learned_rows(replace(recipe, condition_weights=(0.0, 1.0)), dataset)) == 5
    unlabelled = relabelled(coloured, lambda rows: rows.assign(value_2=rows["value_2"].where(rows["part"] != "train")))
    assert len(learned_rows(replace(recipe, condition_weights=(0.0, 1.0)), unlabelled)) == 0


def test_loss_is_averaged_over_labelled_entries(coloured: Dataset, folders: Folders) -> None:
    dataset = relabelled(coloured, labelled_few)
    loop = loop_of(replace(RECIPE, data="coloured", conditions=CONDITIONS[:3], augmentation="none"), dataset, folders)
    rows = torch.from_numpy(learned_rows(loop.recipe, dataset))
    batch = loop._batch(rows, 0)
    loop.learner.eval()
    loss = loop._learn(batch)
    with torch.inference_mode():
        scores = logits(loop.learner(batch.inputs, batch.alone))
    expected = torch.nn.functional.cross_entropy(scores.flatten(0, 1), loop.labels[rows].flatten(), ignore_index=-1)
    assert int((batch.weights > 0).sum()) == 5 * 3 + 1
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_training_split_without_any_label_is_refused(coloured: Dataset) -> None:
    relabelled(
        coloured,
        lambda rows: rows.assign(**{name: rows[name].where(rows["part"] != "train") for name in LABEL_COLUMNS}),
    )
    for conditions in (CONDITIONS, CONDITIONS[:1]):
        with pytest.raises(ScalpError, match="labels to train on"):
            create_run(replace(RECIPE, data="coloured", conditions=conditions))


@pytest.mark.parametrize("architecture", ["test_efficientnet", "test_resnet"])
@pytest.mark.parametrize("pictures", [1, 3])
def test_fewer_pictures_than_a_batch_are_learned(pictures: int, architecture: str, coloured: Dataset) -> None:
    def few(rows: pd.DataFrame) -> pd.DataFrame:
        rows[["value_4", "value_5", "value_6"]] = 1
        train = rows.index[rows["part"] == "train"]
        return rows.drop(train[pictures:])

    relabelled(coloured, few)
    recipe = replace(ALL_OPTIONS, architecture=architecture, data="coloured", epochs=2, batch_size=32)
    run = create_run(recipe)
    train_run(run)
    assert run.finished
    assert len(run.history) == 2
    assert run.history["qwk_value_4"].isna().all()  # one grade alone
