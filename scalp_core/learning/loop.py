"""The training loop: batches, steps, validation, checkpoints.

Every epoch starts from a seed of its own (recipe seed and epoch). So a checkpoint at an epoch's end needs no random
states, and a resumed training repeats exactly the steps of an uninterrupted one.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import GRADES
from scalp_core.learning.augment import augment
from scalp_core.learning.backbones import timm
from scalp_core.learning.balancing import grade_weights, picture_weights
from scalp_core.learning.checkpoints import State, copy_state, read_checkpoint, write_checkpoint
from scalp_core.learning.losses import cue_loss, loss_of, teacher_loss
from scalp_core.learning.network import logits
from scalp_core.learning.randomise import randomise
from scalp_core.learning.reporter import Reporter, Stopped
from scalp_core.learning.teacher import Teacher
from scalp_core.memory_budget import MIN_AT_ONCE, fewer_at_once, out_of_memory
from scalp_core.metrics import metrics
from scalp_core.metrics.operating_point import OperatingPoint
from scalp_core.runs.prediction_table import prediction_table
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.training_labels import learned_rows

GRADED_PARTS = ("valid", "calib", "test")
SEED_STEP = 10_007  # between recipe seeds; more than a training has epochs, so no two epochs share a seed
_GRADED_AT_ONCE = 64
_UNLABELLED = -1
# Of the pictures of a training step: these are judged by the finest map of evidence alone. Otherwise the coarse maps,
# which see more of the picture, would carry the whole score, and the finest would never learn to point. Their share
# rises from 0 within this part of the training: the finest map of random weights knows nothing, and ResNet-18 learned
# half as fast (docs/design/training.md).
FINEST_ALONE = 0.5
_ALONE_RISES = 0.5
_AUGMENTATIONS: dict[str, Callable[..., Any] | None] = {
    "none": None,
    "standard": augment,
    "randomised": randomise,
}

Inputs = npt.NDArray[np.uint8] | npt.NDArray[np.float32]  # (images, height, width, channels): pixels, or features
CueShares = npt.NDArray[np.uint8]  # (images, conditions of the recipe, cells, cells): how much of a cell is cue, 0–255


class Batch(NamedTuple):
    """The pictures of one step.

    Attributes:
        inputs: (n, channels, h, w).
        targets: (n, conditions, 4), distributions over the grades.
        weights: (n, conditions), 0 where there is no label.
        alone: (n,) bool, judged by their finest map alone.
        cues: (n, conditions, cells, cells), the share of a cell that is cue; without cells where that is not learned.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    alone: Tensor
    cues: Tensor

    def split(self, pieces: int) -> Iterator["Batch"]:
        """Yield nearly equal pieces."""
        return (Batch(*tensors) for tensors in zip(*(tensor.tensor_split(pieces) for tensor in self), strict=True))


@dataclass
class Loop:
    """One training in progress: network, optimiser, history.

    Attributes:
        learner: the network that learns; maps (n, channels, h, w) to evidence (n, conditions, 4, h, w).
        layers: depth of each of its parameters, for rates that differ from layer to layer.
        inputs: of all pictures, in the order of the index.
        cues: of all pictures, where evidence is to learn to point at them.
        teacher: whose evidence is learned beside the labels.
        judged: the network that is validated and kept.
        at_once: pictures that learn together; fewer than a batch when memory is short.
        graded_at_once: pictures that are graded together.
        best: weights of the best epoch so far.
    """

    run: Run
    recipe: Recipe
    learner: nn.Module
    layers: dict[str, int]
    dataset: Dataset
    inputs: Inputs
    device: torch.device
    cues: CueShares | None = None
    teacher: Teacher | None = None

    def __post_init__(self) -> None:
        recipe, index = self.recipe, self.dataset.index
        labels = self.dataset.grades(recipe.conditions)
        self.labels = torch.from_numpy(np.nan_to_num(labels, nan=_UNLABELLED)).long()
        self.parts = {part: np.flatnonzero(index["part"] == part) for part in GRADED_PARTS}
        self.parts["train"] = learned_rows(recipe, self.dataset)
        learned = labels[self.parts["train"]]
        sampling = picture_weights(learned, recipe.sampling)
        self.sampling = torch.from_numpy(sampling)
        by_condition = torch.tensor(recipe.condition_weights or [1.0] * len(recipe.conditions))
        self.weights = (
            torch.from_numpy(grade_weights(learned, recipe.grade_weights, sampling)).float() * by_condition[:, None]
        )
        self.loss = loss_of(recipe.loss)
        self.augment = _AUGMENTATIONS[recipe.augmentation_of(self.dataset.synthetic)]
        self.steps = max(1, len(learned) // recipe.batch_size)
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.learner, self.layers, recipe), lr=recipe.lr)
        self.schedule = timm.scheduler.CosineLRScheduler(
            self.optimizer,
            t_initial=recipe.epochs * self.steps,
            warmup_t=min(int(recipe.warmup_epochs * self.steps), recipe.epochs * self.steps - 1),
            warmup_lr_init=recipe.lr / 100,
            lr_min=recipe.lr / 100,
            t_in_epochs=False,
        )
        # With a constant decay, the average of the first steps would be mostly of the start.
        self.average = timm.utils.ModelEmaV3(self.learner, decay=recipe.ema, use_warmup=True) if recipe.ema else None
        self.at_once, self.graded_at_once = recipe.batch_size, _GRADED_AT_ONCE
        self.epochs_done, self.best_epoch, self.seconds_before, self.weights_used = 0, 0, 0.0, ""
        self.best_score = (-1.0, float("-inf"))
        self.best: State = copy_state(self.judged)
        self.history: list[dict[str, Any]] = []

    @property
    def judged(self) -> nn.Module:
        """Return the network that is validated and kept: the average of the weights, if there is one."""
        return self.learner if self.average is None else self.average.module

    @property
    def ended(self) -> bool:
        """Whether all epochs are done, or nothing got better for as long as the recipe's patience."""
        recipe = self.recipe
        waited = self.epochs_done - self.best_epoch
        return self.epochs_done >= recipe.epochs or bool(recipe.patience and waited >= recipe.patience)

    def run_epoch(self, reporter: Reporter) -> None:
        """Train one epoch, validate it, keep it if it is the best so far, and write history and checkpoint."""
        started, epoch = time.monotonic(), self.epochs_done + 1
        train_loss = self._train_epoch(epoch, reporter)
        valid = self.grade_parts(["valid"])
        if not np.isfinite(valid[metrics.PROBABILITIES]).all(axis=None):  # the last step may have spoilt the weights
            raise _diverged(epoch, self.recipe.lr)
        report = metrics.report(OperatingPoint().apply(valid)).set_index("condition")
        kappas = report.loc[report["images"] > 0, "quadratic_weighted_kappa"]
        line = {
            "epoch": epoch,
            "train_loss": round(train_loss, 6),
            "valid_loss": round(_mean_loss(valid), 6),
            "valid_qwk": _figure(kappas.mean()),
            **{f"qwk_{condition}": _figure(kappas[condition]) for condition in kappas.index},
            "lr": max(group["lr"] for group in self.optimizer.param_groups),
            "at_once": self.at_once,
            "seconds": round(time.monotonic() - started, 2),
        }
        self.history.append(line)
        score = (line["valid_qwk"] or 0.0, -line["valid_loss"])  # where kappa is undefined the loss decides
        if score > self.best_score:
            self.best_score, self.best_epoch, self.best = score, epoch, copy_state(self.judged)
        self.epochs_done = epoch
        self.run.write_history(self.history)
        self._save_checkpoint()
        print(json.dumps(line), flush=True)

    def _train_epoch(self, epoch: int, reporter: Reporter) -> float:
        recipe = self.recipe
        torch.manual_seed(recipe.seed * SEED_STEP + epoch)
        self._set_trainable(epoch)
        losses = []
        for step, rows in enumerate(self._sample_batches()):
            finished = (epoch - 1) * self.steps + step
            reporter.step(epoch, finished / (recipe.epochs * self.steps))
            losses.append(self.step(rows, finished))
            if not torch.isfinite(losses[-1]):
                raise _diverged(epoch, recipe.lr)
        return float(torch.stack(losses).mean())

    def step(self, rows: Tensor, finished: int) -> Tensor:
        """Learn from these rows of the inputs, after `finished` steps; return the loss."""
        self.schedule.step_update(finished)
        loss = self._learn(self._batch(rows, finished))
        torch.nn.utils.clip_grad_norm_(self.learner.parameters(), max_norm=1.0)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.learner, step=finished)
        return loss

    def _set_trainable(self, epoch: int) -> None:
        """Let everything learn, or in the first epochs of some recipes the head alone, on constant features."""
        self.learner.train()
        if isinstance(backbone := getattr(self.learner, "backbone", None), nn.Module):
            awake = epoch > self.recipe.frozen_epochs
            backbone.requires_grad_(awake).train(awake)

    def _sample_batches(self) -> Iterator[Tensor]:
        """Yield rows of the training split, a batch at a time; the last, smaller one is left out."""
        recipe, pictures = self.recipe, len(self.sampling)
        wanted = min(pictures, self.steps * recipe.batch_size)
        if recipe.sampling == "none":
            sampled = torch.randperm(pictures)[:wanted]
        else:
            sampled = torch.multinomial(self.sampling, wanted, replacement=True)
        rows = torch.from_numpy(self.parts["train"])
        yield from torch.split(rows[sampled], recipe.batch_size)

    def _batch(self, rows: Tensor, finished: int) -> Batch:
        """Return the pictures of these rows as they are learned from: augmented, mixed, weighted."""
        recipe, labels = self.recipe, self.labels[rows]
        inputs, cues = self._inputs(rows.numpy()), self._cues(rows.numpy())
        if self.augment is not None and inputs.shape[1] == 3:  # pixels, not features
            inputs, cues = self.augment(inputs, cues) if cues.numel() else (self.augment(inputs), cues)
        targets = one_hot(labels.clamp(min=0), len(GRADES)).float()
        weights = (targets * self.weights).sum(dim=-1) * (labels != _UNLABELLED)
        if recipe.mixup:
            share = torch.distributions.Beta(recipe.mixup, recipe.mixup).sample()
            partner = torch.randperm(len(rows))
            there = partner.to(self.device)
            inputs = torch.lerp(inputs[there], inputs, share.to(self.device))
            cues = torch.lerp(cues[there], cues, share.to(self.device))
            targets = torch.lerp(targets[partner], targets, share)
            both = (weights > 0) & (weights[partner] > 0)
            weights = torch.lerp(weights[partner], weights, share) * both
        risen = min(1.0, finished / (_ALONE_RISES * recipe.epochs * self.steps))
        alone = torch.rand(len(rows)) < FINEST_ALONE * risen
        return Batch(inputs, targets.to(self.device), weights.to(self.device), alone.to(self.device), cues)

    def _inputs(self, rows: npt.NDArray[np.intp]) -> Tensor:
        # Rows of height × width × channels are torch's channels last, the fastest layout for convolutions.
        return torch.from_numpy(self.inputs[rows]).to(self.device).permute(0, 3, 1, 2).float()

    def _cues(self, rows: npt.NDArray[np.intp]) -> Tensor:
        if self.cues is None:
            return torch.zeros(len(rows), len(self.recipe.conditions), 0, 0, device=self.device)
        return torch.from_numpy(self.cues[rows]).to(self.device) / 255

    def _learn(self, batch: Batch) -> Tensor:
        """Return the loss of one batch and compute its gradients, in smaller pieces once memory ran out."""
        while True:
            try:
                return self._gradients(batch)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                fewer = fewer_at_once(self.at_once, MIN_AT_ONCE, error)
                self._make_room()
                self.take_at_most(fewer, "Memory ran out")

    def _gradients(self, batch: Batch) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        # With a floor of one: a batch without any label, or any cue, gives 0, not NaN.
        whole, cues = batch.weights.sum().clamp(min=1), batch.cues.any(dim=(2, 3)).sum().clamp(min=1)
        total = torch.zeros((), device=self.device)
        for piece in batch.split(_pieces(len(batch.inputs), self.at_once)):
            evidence = self._evidence(piece.inputs, piece.alone)
            scores, targets = logits(evidence).flatten(0, 1), piece.targets.flatten(0, 1)
            loss = self.loss(scores, targets, piece.weights.flatten()) / whole
            if piece.cues.numel():
                loss = loss + self.recipe.mask_weight * cue_loss(evidence, piece.cues) / cues
            if self.teacher is not None:
                share = self.recipe.teacher_weight * len(piece.inputs) / len(batch.inputs)
                loss = loss + share * teacher_loss(evidence, self._taught(self.teacher, piece.inputs))
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            total += loss.detach()
        return total

    def take_at_most(self, pictures: int, why: str) -> None:
        """Let at most this many pictures pass through together from now on, and log why."""
        self.at_once = min(self.at_once, pictures)
        self.graded_at_once = min(self.graded_at_once, pictures)
        print(f"{why}; batches now pass in pieces of {self.at_once} pictures.", flush=True)

    def _make_room(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _evidence(self, inputs: Tensor, alone: Tensor | None = None) -> Tensor:
        # Grading stays in full precision, as the export answers: predictions tell of the model that is used.
        learning = torch.is_grad_enabled()
        with self._precision() if learning else nullcontext():
            network = self.learner if learning else self.judged
            evidence: Tensor = network(inputs.contiguous(memory_format=torch.channels_last), alone)
        return evidence.float()

    def _taught(self, teacher: Teacher, inputs: Tensor) -> Tensor:
        with self._precision():
            return teacher.evidence(inputs)

    def _precision(self) -> AbstractContextManager[object]:
        """Return the context that a training step computes in."""
        return torch.autocast(self.device.type, torch.bfloat16) if self._in_bfloat16() else nullcontext()

    def _in_bfloat16(self) -> bool:
        precision = self.recipe.precision
        if precision == "auto":  # CPUs without instructions for it emulate it (0.4× measured)
            return self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        return precision == "bfloat16"

    def grade_parts(self, parts: list[str] | tuple[str, ...]) -> pd.DataFrame:
        """Return the predictions of the judged network for these splits; see Run.raw_predictions."""
        return pd.concat([self._grade_part(part) for part in parts], ignore_index=True)

    def _grade_part(self, part: str) -> pd.DataFrame:
        rows = self.parts[part]
        return prediction_table(self.dataset, rows, part, self.recipe.conditions, self.probabilities(rows))

    def probabilities(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """Return the probabilities (rows, conditions, 4) of the judged network."""
        self.judged.eval()
        graded = torch.empty(len(rows), len(self.recipe.conditions), len(GRADES))
        done = 0
        while done < len(rows):
            if self.run.stop_requested:
                raise Stopped
            batch = rows[done : done + self.graded_at_once]
            try:
                graded[done : done + len(batch)] = self._probabilities(batch)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                fewer = fewer_at_once(self.graded_at_once, 1, error)
                self._make_room()
                self.graded_at_once = fewer
                print(f"Memory ran out; {self.graded_at_once} pictures are now graded at once.", flush=True)
                continue
            done += len(batch)
        probabilities: npt.NDArray[np.float32] = graded.numpy()
        return probabilities

    def _probabilities(self, rows: npt.NDArray[np.intp]) -> Tensor:
        with torch.inference_mode():
            return logits(self._evidence(self._inputs(rows))).softmax(dim=-1).cpu()

    # ---- checkpoints ----

    def _save_checkpoint(self) -> None:
        states = {"network": self.learner.state_dict(), "best": self.best}
        if self.average is not None:
            states["average"] = self.average.module.state_dict()
        position = {
            "epochs_done": self.epochs_done,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "at_once": self.at_once,
            "weights_used": self.weights_used,
            "seconds": sum(line["seconds"] for line in self.history),
            "history": self.history,
        }
        write_checkpoint(self.run.checkpoint_path, states, self.optimizer.state_dict()["state"], position)

    def restore(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        path = self.run.checkpoint_path
        if not path.exists():
            return
        states, optimizer, position = read_checkpoint(path)
        self.learner.load_state_dict(states["network"])
        if self.average is not None:
            self.average.module.load_state_dict(states["average"])
        self.best = states["best"]
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": optimizer, "param_groups": groups})
        self.epochs_done, self.best_epoch = position["epochs_done"], position["best_epoch"]
        self.at_once, self.weights_used = position["at_once"], position["weights_used"]
        self.best_score = (position["best_score"][0], position["best_score"][1])
        self.seconds_before, self.history = position["seconds"], position["history"]
        # An epoch may have been written down just before a kill kept it from the checkpoint.
        self.run.write_history(self.history)


def _parameter_groups(learner: nn.Module, layers: dict[str, int], recipe: Recipe) -> list[dict[str, Any]]:
    """Group parameters by depth. Biases and normalisation do not decay (they have one dimension)."""
    deepest = max(layers.values())
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in learner.named_parameters():
        depth = layers[name] if recipe.layer_decay < 1 else deepest
        groups.setdefault((depth, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": recipe.weight_decay if decays else 0.0,
            "lr_scale": recipe.layer_decay ** (deepest - depth),
        }
        for (depth, decays), parameters in groups.items()
    ]


def _pieces(pictures: int, at_once: int) -> int:
    """Return the number of nearly equal pieces of a batch; none of a single picture, see MIN_AT_ONCE."""
    return max(1, min(math.ceil(pictures / at_once), pictures // MIN_AT_ONCE))


def _diverged(epoch: int, lr: float) -> ScalpError:
    return ScalpError(
        "diverged",
        f"The loss diverged in epoch {epoch}. Train again with a lower lr (it was {lr:g}).",
        f"{epoch}번째 에폭에서 손실이 발산했어요. lr을 {lr:g}보다 낮춰 다시 학습하세요.",
    )


def _figure(value: float) -> float | None:
    """Return a figure of the history, of which JSON has none for NaN."""
    return None if math.isnan(value) else round(float(value), 6)


def _mean_loss(predictions: pd.DataFrame) -> float:
    """Return the cross-entropy of predictions over labelled rows; 0 when there are none."""
    rows = predictions.dropna(subset="truth")
    if rows.empty:
        return 0.0
    of_truth = rows[metrics.PROBABILITIES].to_numpy()[np.arange(len(rows)), rows["truth"].to_numpy(dtype=np.int64)]
    return float(-np.log(np.clip(of_truth, 1e-12, None)).mean())
