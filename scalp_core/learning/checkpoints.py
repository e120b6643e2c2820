"""Weights on disk: checkpoints of a training in progress, and the network of a finished run.

A checkpoint is one safetensors file, with position and history in its header.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scalp_core.architectures import family
from scalp_core.learning.network import Network, adopt, build, strides_in
from scalp_core.runs.run import Run
from scalp_core.seals import BLANK, SEAL, write_sealed

State = dict[str, Tensor]
OptimizerState = dict[int, State]  # by number of the parameter


def copy_state(network: nn.Module) -> State:
    """Return a copy of the weights on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def write_checkpoint(path: Path, states: dict[str, State], optimizer: OptimizerState, position: dict[str, Any]) -> None:
    """Write a checkpoint.

    Args:
        states: weights by name: `network`, `best` and perhaps `average`.
        optimizer: its state, from `state_dict()["state"]`.
        position: how far the training is; JSON.
    """
    groups = states | {f"optimizer/{number}": state for number, state in optimizer.items()}
    # Transformers keep some weights transposed in memory, which the format does not store.
    tensors = {
        f"{group}/{name}": tensor.cpu().contiguous()
        for group, state in groups.items()
        for name, tensor in state.items()
    }
    metadata = {"position": json.dumps(position | {SEAL: BLANK})}
    write_sealed(path, lambda temporary: save_file(tensors, temporary, metadata))


def read_checkpoint(path: Path) -> tuple[dict[str, State], OptimizerState, dict[str, Any]]:
    """Return what `write_checkpoint` wrote: states, the optimiser's state, position."""
    with safe_open(path, "pt") as checkpoint:
        position = json.loads(checkpoint.metadata()["position"])
    states: dict[str, State] = {}
    optimizer: OptimizerState = {}
    for key, tensor in load_file(path).items():
        group, _, name = key.partition("/")
        if group == "optimizer":
            number, _, name = name.partition("/")
            optimizer.setdefault(int(number), {})[name] = tensor
        else:
            states.setdefault(group, {})[name] = tensor
    return states, optimizer, position


def load_network(run: Run) -> Network:
    """Return the network of a finished run with its weights, float32, in evaluation mode.

    Raises:
        ScalpError: a file is not what the manifest says.
    """
    run.verify()
    recipe = run.recipe
    strides = strides_in(run.weights_path)
    # timm begins a VGG with 120 million random weights of a classifier that is not kept. On torch's meta device nothing
    # is drawn, and nothing is lost: no tensor of a VGG but its weights and the normalisation is ever made.
    as_outline = family(recipe.architecture) == "VGG"
    with torch.device("meta" if as_outline else "cpu"):
        network, _ = build(recipe.architecture, len(recipe.conditions), recipe.image_size, "none", strides)
    if as_outline:
        network.to_empty(device="cpu")
    network.normalise(run.preprocessing)
    adopt(network, recipe.architecture, run.weights_path, recipe.conditions, recipe.conditions)
    return network.eval()
