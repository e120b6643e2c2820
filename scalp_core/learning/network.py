"""The network: any backbone, six conditions × four grades of evidence maps, and its export. Knows no run, no data set.

feature map (N, C, h, w) of a backbone → 1×1 convolution → evidence maps (N, conditions, 4, h, w) → logits = the mean of
each map. The logit *is* the mean of its map, so the map is the explanation, exactly, for CNN and transformer alike.
"""

import warnings
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from httpx2 import HTTPError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from scalp_core.architectures import ARCHITECTURES, timm_name, weights_file
from scalp_core.errors import ScalpError
from scalp_core.files import sha256
from scalp_core.images import Preprocessing
from scalp_core.labels import GRADES, Condition
from scalp_core.learning.backbones import timm, torchvision_models

MAX_EXPORT_DIFFERENCE = 1e-4
_POSITIONS = "backbone.model.pos_embed"

# The published GoogLeNet weights were trained on pictures scaled to −1…1 (torchvision's `transform_input`).
_GOOGLENET_MEAN = _GOOGLENET_STD = (0.5, 0.5, 0.5)
_GOOGLENET_LAYERS = (
    *("conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b", "maxpool3"),
    *("inception4a", "inception4b", "inception4c", "inception4d", "inception4e", "maxpool4"),
    *("inception5a", "inception5b"),
)


class Network(nn.Module):
    """Backbone and evidence head for some of the conditions.

    Input: (N, 3, height, width) float, 0–255, RGB; normalised inside. Output: evidence (N, conditions, 4, h, w).
    `logits` of that output are (N, conditions, 4).
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, backbone: nn.Module, channels: int, conditions: int, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Conv2d(channels, conditions * len(GRADES), kernel_size=1)
        self.conditions = conditions
        # Constants of the preprocessing, not weights: they travel in preprocessing.json.
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.zeros(3, 3, 1, 1), persistent=False)
        self.normalise(preprocessing)

    def normalise(self, preprocessing: Preprocessing) -> None:
        """Take pixels as `preprocessing` says from now on."""
        scale = torch.diag(1 / torch.tensor(preprocessing.std))
        if preprocessing.whitening:
            scale = torch.tensor(preprocessing.whitening).view(3, 3)
        self.mean.copy_(255 * torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.scale.copy_(scale.view(3, 3, 1, 1) / 255)

    def features(self, pixels: Tensor) -> Tensor:
        """(N, C, h, w): what the backbone makes of the pixels."""
        features: Tensor = self.backbone(nn.functional.conv2d(pixels - self.mean, self.scale))
        return features

    def forward(self, pixels: Tensor) -> Tensor:
        return evidence(self.head, self.features(pixels))

    def layers(self) -> dict[str, int]:
        """How deep each parameter lies: from 0, next to the pixels, to the head."""
        depths: dict[str, int] = self.backbone.layers()  # type: ignore[operator]  # both of ours have it
        names = [name for name, _ in self.named_parameters() if name.startswith("head.")]
        prefixed = {f"backbone.{name}": depth for name, depth in depths.items()}
        return prefixed | dict.fromkeys(names, max(depths.values()) + 1)


def evidence(head: nn.Conv2d, features: Tensor) -> Tensor:
    """(N, conditions, 4, h, w) of a head on features (N, C, h, w)."""
    return torch.unflatten(head(features), 1, (head.out_channels // len(GRADES), len(GRADES)))


def logits(evidence: Tensor) -> Tensor:
    """(N, conditions, 4): the mean of each evidence map (N, conditions, 4, h, w)."""
    return evidence.mean(dim=(-2, -1))


class _FeatureMap(nn.Module):
    """A timm model's last feature map as (N, C, h, w), whatever layout it keeps inside."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.model.forward_features(pixels)
        if features.ndim == 3:  # tokens (N, prefix + h·w, C) of a transformer
            grid = self.model.patch_embed.grid_size
            patches = features[:, self.model.num_prefix_tokens :]
            return torch.unflatten(patches.transpose(1, 2), 2, grid)
        if features.shape[1] != self.model.num_features:  # (N, h, w, C), as Swin keeps it
            return features.permute(0, 3, 1, 2)
        return features

    def layers(self) -> dict[str, int]:
        """The depth of each parameter, as timm groups them."""
        grouped = timm.models.group_parameters(self.model, self.model.group_matcher(coarse=False), reverse=True)
        return {f"model.{name}": int(depth) for name, depth in grouped.items()}


class _GoogLeNet(nn.Module):
    """torchvision's GoogLeNet up to its last feature map; timm has none. Without the auxiliary classifiers."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name in _GOOGLENET_LAYERS:
            self.add_module(name, getattr(model, name))

    def forward(self, pixels: Tensor) -> Tensor:
        features = pixels
        for name in _GOOGLENET_LAYERS:
            features = getattr(self, name)(features)
        return features

    def layers(self) -> dict[str, int]:
        """The depth of each parameter, by the block it lies in."""
        return {name: _GOOGLENET_LAYERS.index(name.split(".")[0]) for name, _ in self.named_parameters()}


def build(architecture: str, conditions: int, image_size: int, weights: str) -> tuple[Network, Preprocessing]:
    """A network with its preprocessing; the head starts random whatever the backbone starts from.

    Args:
        architecture: a variant of the five families or any timm name.
        weights: `none` (random), `pretrained` (downloaded by timm or torchvision) or the path of a safetensors file
            with the backbone's weights under the names timm or torchvision gives them.

    Raises:
        ScalpError: unknown architecture, an image size it cannot take, weights that cannot be had or do not fit.
    """
    if architecture == "googlenet":
        preprocessing = Preprocessing(image_size, image_size, _GOOGLENET_MEAN, _GOOGLENET_STD, "bilinear", reduced=True)
        backbone: nn.Module = _GoogLeNet(_googlenet(weights))
        channels = 1024
    else:
        model, preprocessing = _timm_model(architecture, image_size, weights)
        backbone, channels = _FeatureMap(model), model.num_features
    network = Network(backbone, channels, conditions, preprocessing)
    _check_forward(network, architecture, preprocessing)
    return network, preprocessing


def adopt(
    network: Network, architecture: str, weights: Path, conditions: Sequence[Condition], known: Sequence[Condition]
) -> None:
    """Take over the weights of a finished run: its backbone, and its head for the conditions that both grade.

    Args:
        conditions, known: what this network grades, and what the network of these weights does, in their order.

    Raises:
        ScalpError: they do not fit.
    """
    state = {name: w.float() if w.is_floating_point() else w for name, w in load_file(weights).items()}
    try:
        for name, fresh in network.head.state_dict(prefix="head.").items():
            by_condition = fresh.clone().view(len(conditions), len(GRADES), *fresh.shape[1:])
            learned = state[name].view(len(known), len(GRADES), *fresh.shape[1:])
            for place, condition in enumerate(conditions):
                if condition in known:
                    by_condition[place] = learned[known.index(condition)]
            state[name] = by_condition.view_as(fresh)
        network.load_state_dict(_with_positions_of(network, state))
    except (RuntimeError, KeyError) as error:
        raise _misfit(architecture, 0, weights.parent.name, error) from error


def _with_positions_of(network: Network, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights with a transformer's position embeddings on the grid of this network's pictures."""
    wanted, given = network.state_dict().get(_POSITIONS), state.get(_POSITIONS)
    if wanted is None or given is None or wanted.shape == given.shape:
        return state
    model: Any = network.backbone.model
    resized: Tensor = timm.layers.resample_abs_pos_embed(
        given, list(model.patch_embed.grid_size), num_prefix_tokens=model.num_prefix_tokens
    )
    return {**state, _POSITIONS: resized}


def weights_source(architecture: str, weights: str) -> str:
    """Where a backbone's weights come from, for the record: hub name and tag, or a file's name and hash."""
    if weights == "none":
        return "random"
    if weights != "pretrained":
        path = weights_file(weights)
        return f"file {path.name} sha256:{sha256(path)}"
    if architecture == "googlenet":
        return f"torchvision {torchvision_models.GoogLeNet_Weights.IMAGENET1K_V1}"
    return f"timm {timm.get_pretrained_cfg(timm_name(architecture)).hf_hub_id}"


def _timm_model(architecture: str, image_size: int, weights: str) -> tuple[Any, Preprocessing]:
    name = timm_name(architecture)
    if not timm.is_model(name):
        raise _unknown(name)
    try:
        config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError as error:  # the tag behind the dot is none of this architecture's
        raise _unknown(name) from error
    options: dict[str, Any] = {"num_classes": 0, "pretrained": weights != "none"}
    if config.fixed_input_size:  # transformers: position embeddings are resized to the wanted grid
        options["img_size"] = image_size
    if weights not in ("none", "pretrained"):
        # Some ViTs have a loader of their own for the files they were first published in.
        options["pretrained_cfg_overlay"] = {"file": str(weights_file(weights)), "custom_load": False}
    try:
        model = timm.create_model(name, **options)
    except (OSError, HTTPError) as error:  # HTTPError: the connection broke while it was downloading
        raise _no_weights(architecture) from error
    except (RuntimeError, SafetensorError) as error:
        raise _misfit(architecture, image_size, weights, error) from error
    if isinstance(getattr(model, "pre_logits", None), timm.models.vgg.ConvMlp):
        model.pre_logits = nn.Identity()  # VGG's fully connected head: 120 M parameters that evidence maps replace
    if weights not in ("none", "pretrained"):
        _check_names(model, architecture, image_size, weights)
    interpolation = config.interpolation if config.interpolation in ("bilinear", "bicubic") else "bicubic"
    return model, Preprocessing(image_size, image_size, config.mean, config.std, interpolation, reduced=True)


def _check_names(model: nn.Module, architecture: str, image_size: int, weights: str) -> None:
    """timm leaves weights that a file does not have at random, without a word."""
    with safe_open(weights_file(weights), "pt") as file:
        given = set(file.keys())
    missing = [name for name in model.state_dict() if name not in given and not name.endswith("num_batches_tracked")]
    if missing:
        error = KeyError(f"the file has no “{missing[0]}” ({len(missing)} such)")
        raise _misfit(architecture, image_size, weights, error)


def _googlenet(weights: str) -> nn.Module:
    model: nn.Module
    if weights == "none":
        model = torchvision_models.googlenet(weights=None, aux_logits=False, init_weights=True)
        return model
    if weights == "pretrained":
        try:
            model = torchvision_models.googlenet(weights=torchvision_models.GoogLeNet_Weights.IMAGENET1K_V1)
        except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: its hash is wrong, so cut short
            raise _no_weights("googlenet") from error
        return model
    model = torchvision_models.googlenet(weights=None, aux_logits=False, init_weights=False)
    try:
        missing = model.load_state_dict(load_file(weights_file(weights)), strict=False).missing_keys
    except (RuntimeError, SafetensorError) as error:
        raise _misfit("googlenet", 0, weights, error) from error
    if [key for key in missing if not key.startswith("fc.")]:
        raise _misfit("googlenet", 0, weights, KeyError(missing[0]))
    return model


def _check_forward(network: Network, architecture: str, preprocessing: Preprocessing) -> None:
    """One picture through it: a size that an architecture cannot take shows here, not after the data are cached."""
    network.eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, preprocessing.height, preprocessing.width))
    except (RuntimeError, AssertionError, AttributeError, ValueError) as error:
        raise _misfit(architecture, preprocessing.height, "none", error) from error
    network.train()


def _unknown(name: str) -> ScalpError:
    return ScalpError(
        "unknown_architecture",
        f"timm {timm.__version__} has no architecture “{name}”. Use one of {', '.join(ARCHITECTURES)}, and every "
        "name that timm.list_models() gives.",
        f"timm {timm.__version__}에 “{name}” 구조가 없어요. {', '.join(ARCHITECTURES)} 또는 timm.list_models()에 "
        "나오는 이름을 쓰세요.",
    )


def _no_weights(architecture: str) -> ScalpError:
    return ScalpError(
        "no_download",
        f"The pretrained weights of {architecture} could not be downloaded. Check the network and try again, start "
        "from random weights (weights: none), or give a safetensors file you have (weights: PATH).",
        f"{architecture}의 사전 학습 가중치를 내려받지 못했어요. 네트워크를 확인하고 다시 시도하거나, "
        "무작위 가중치로 시작하거나(weights: none), 가지고 있는 safetensors 파일을 지정하세요(weights: 경로).",
    )


def _misfit(architecture: str, image_size: int, weights: str, error: Exception) -> ScalpError:
    reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    size = f" at {image_size} × {image_size} pixels" if image_size else ""
    size_ko = f"{image_size}픽셀, " if image_size else ""
    return ScalpError(
        "misfit",
        f"{architecture} cannot be built{size} with weights “{weights}”: {reason}. Transformers with patches of 16 "
        "need a size divisible by 16; weights must be those of the same architecture.",
        f"{architecture} 구조를 만들 수 없어요({size_ko}가중치 “{weights[:100]}”): {reason}. "
        "16픽셀 패치 트랜스포머는 16의 배수 크기가 필요하며, 가중치는 같은 구조의 것이어야 해요.",
    )


class Exported(nn.Module):
    """What is written to ONNX: 8-bit pixels in; probabilities, evidence maps and the mean feature map out."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.network.features(pixels.permute(0, 3, 1, 2).float())
        maps = evidence(self.network.head, features)
        return logits(maps).softmax(dim=-1), maps, features.mean(dim=(-2, -1))


def export(network: Network, preprocessing: Preprocessing, path: Path, outputs: Sequence[str]) -> float:
    """Write the network as ONNX and check it against torch in ONNX Runtime.

    Input `pixels` (N, height, width, 3) uint8; outputs, float32: probabilities (N, conditions, 4), evidence
    (N, conditions, 4, h, w) and features (N, C), the mean of the feature map that the evidence is made of.

    Args:
        outputs: their names.

    Returns:
        The largest absolute difference of a probability between the two, over a few random pictures.

    Raises:
        ScalpError: they differ by more than 1e-4.
    """
    exported = Exported(network).eval()
    generator = torch.Generator().manual_seed(0)
    shape = (3, preprocessing.height, preprocessing.width, 3)
    pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations; the check below is what counts
        program = torch.onnx.export(
            exported,
            (pixels,),
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_shapes={"pixels": {0: torch.export.Dim("pictures", min=1)}},
            verbose=False,
        )
    assert program is not None
    program.save(path)
    with torch.inference_mode():
        expected = exported(pixels)[0].numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    got = session.run(outputs[:1], {"pixels": pixels.numpy()})[0]
    single = session.run(outputs[:1], {"pixels": pixels[:1].numpy()})[0]
    difference = float(max(np.abs(got - expected).max(), np.abs(single - expected[:1]).max()))
    if difference > MAX_EXPORT_DIFFERENCE:
        raise ScalpError(
            "export_differs",
            f"The exported model differs from the trained one by {difference:.2g} and is not used.",
            f"내보낸 모델이 학습된 모델과 {difference:.2g}만큼 달라 사용하지 않아요.",
        )
    return difference
