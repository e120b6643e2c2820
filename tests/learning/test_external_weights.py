"""Exports beside their weights: nothing is stored twice, nothing foreign is referred to, files may change later."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from safetensors.torch import save_file

from scalp_core.inference.session import open_onnx, write_folded
from scalp_core.labels import CONDITIONS
from scalp_core.learning.export import TOLERANCE, export
from scalp_core.learning.network import Network, adopt, build
from scalp_core.runs.run import OUTPUTS

ARCHITECTURES = ("test_resnet", "test_vit", "test_efficientnet")
PICTURES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


def store(folder: Path, architecture: str, dtype: torch.dtype) -> tuple[Network, Path]:
    """A network and the file of its weights, which hold what that type can say."""
    torch.manual_seed(0)
    network, _ = build(architecture, len(CONDITIONS), 64, "none")
    with torch.no_grad():  # normalisations of a network that has learned have no two values alike
        for tensor in (*network.parameters(), *(b for n, b in network.named_buffers() if "running" in n)):
            tensor.add_(0.01 * torch.rand_like(tensor))
    weights = folder / "model.safetensors"
    state = {name: t.to(dtype) if t.is_floating_point() else t for name, t in network.state_dict().items()}
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, weights)
    adopt(network, architecture, weights, CONDITIONS, CONDITIONS)
    return network.eval(), weights


def answers(model: Path, weights: Path | None) -> list[np.ndarray]:
    return list(open_onnx(model, 1, weights).run(OUTPUTS, {"pixels": PICTURES}))


def is_external(initializer: TensorProto) -> bool:
    return bool(initializer.data_location == TensorProto.EXTERNAL)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_weight_is_stored_twice(architecture: str, dtype: torch.dtype, tmp_path: Path) -> None:
    network, weights = store(tmp_path, architecture, dtype)
    model, whole = tmp_path / "model.onnx", tmp_path / "whole.onnx"
    assert export(network, PICTURES, model, OUTPUTS, weights) < TOLERANCE
    inside = [i.name for i in onnx.load(model, load_external_data=False).graph.initializer if not is_external(i)]
    assert not [name for name in inside if name.removeprefix("network.") in network.state_dict()]
    export(network, PICTURES, whole, OUTPUTS)
    assert model.stat().st_size < 0.2 * whole.stat().st_size
    for beside, alone in zip(answers(model, weights), answers(whole, None), strict=True):
        assert np.array_equal(beside, alone), "the same computation, wherever its weights lie"


def test_differing_weights_stay_in_the_export(tmp_path: Path) -> None:
    network, weights = store(tmp_path, "test_resnet", torch.float16)
    with torch.no_grad():
        network.head.weight[0, 0] += 1e-7
    model = tmp_path / "model.onnx"
    assert export(network, PICTURES, model, OUTPUTS, weights) < TOLERANCE
    inside = {i.name: i for i in onnx.load(model, load_external_data=False).graph.initializer if not is_external(i)}
    assert "network.head.weight" in inside
    kept = onnx.numpy_helper.to_array(inside["network.head.weight"])
    assert np.array_equal(kept, network.head.weight.detach().numpy())


def test_folding_leaves_no_casts_and_no_normalisation(tmp_path: Path) -> None:
    network, weights = store(tmp_path, "test_resnet", torch.float16)
    model, folded = tmp_path / "model.onnx", tmp_path / "folded.onnx"
    export(network, PICTURES, model, OUTPUTS, weights)
    before = Counter(node.op_type for node in onnx.load(model).graph.node)
    write_folded(model, weights, folded)
    after = Counter(node.op_type for node in onnx.load(folded).graph.node)
    assert before["BatchNormalization"] > 0
    assert after["BatchNormalization"] == 0
    assert (before["Cast"] > 1, after["Cast"]) == (True, 1), "only pixels are cast at every picture"
    for whole, referring in zip(answers(folded, None), answers(model, weights), strict=True):
        assert np.allclose(whole, referring, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_open_network_outlives_its_file(dtype: torch.dtype, tmp_path: Path) -> None:
    network, weights = store(tmp_path, "test_vit", dtype)
    model = tmp_path / "model.onnx"
    export(network, PICTURES, model, OUTPUTS, weights)
    session = open_onnx(model, 1, weights)
    before = session.run(OUTPUTS, {"pixels": PICTURES})
    weights.write_bytes(b"")
    for output, again in zip(before, session.run(OUTPUTS, {"pixels": PICTURES}), strict=True):
        assert np.array_equal(output, again)


def test_linked_files_and_folders_answer(tmp_path: Path) -> None:
    network, weights = store(tmp_path, "test_resnet", torch.float16)
    model = tmp_path / "model.onnx"
    export(network, PICTURES, model, OUTPUTS, weights)
    linked = tmp_path / "elsewhere" / "linked"
    linked.mkdir(parents=True)
    for file in (model, weights):
        (linked / file.name).symlink_to(file)
    folder = tmp_path / "elsewhere" / "folder"
    folder.symlink_to(linked, target_is_directory=True)
    here = answers(model, weights)
    for place in (linked, folder):
        there = answers(place / model.name, place / weights.name)
        assert all(np.array_equal(output, same) for output, same in zip(here, there, strict=True))
