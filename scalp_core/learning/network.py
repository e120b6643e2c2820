"""The network: any backbone, and heads of evidence maps for six conditions × four grades.

feature maps of several stages of a backbone → a 1×1 convolution each → evidence maps, enlarged to the finest grid and
added up (N, conditions, 4, h, w) → logits = the mean of each map. The logit *is* the mean of its map, so the map is the
explanation, exactly, for CNN and transformer alike.
"""

import re
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import torch
from httpx2 import HTTPError
from huggingface_hub import constants as hub
from huggingface_hub import get_session, try_to_load_from_cache
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from scalp_core.architectures import ARCHITECTURES, NAMED_WEIGHTS, packaged_file, timm_name, weights_file
from scalp_core.errors import ScalpError
from scalp_core.files import sha256
from scalp_core.images import Preprocessing
from scalp_core.labels import GRADES, Condition
from scalp_core.learning.backbones import timm, torchvision_models
from scalp_core.learning.packaged import load_packaged, packaged_source

_PATIENCE = 5.0  # seconds for the host of weights to answer
_POSITIONS = "backbone.model.pos_embed"

# The published GoogLeNet weights were trained on pictures scaled to −1…1 (torchvision's `transform_input`).
_GOOGLENET_MEAN = _GOOGLENET_STD = (0.5, 0.5, 0.5)
_GOOGLENET_LAYERS = (
    *("conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b", "maxpool3"),
    *("inception4a", "inception4b", "inception4c", "inception4d", "inception4e", "maxpool4"),
    *("inception5a", "inception5b"),
)
_GOOGLENET_STAGES = ("conv3", "inception3b", "inception4e", "inception5b")

# Cells along a side of a map that can point at a pustule: at 14, a cell is 46 × 34 pixels of a frame of 640 × 480.
MIN_CELLS = 14
_SIDE_CHANNELS = (32, 64, 128)  # of the side network, halving the grid each time
_SIDE_GROUPS = 8
_OPTIONAL = ("finer.", "side.")  # weights that networks of one architecture have or not
_FINER_HEAD = re.compile(r"(?:^|/)finer\.(\d+)\.weight$")


class Network(nn.Module):
    """Backbone and evidence heads for some of the conditions.

    Input: (N, 3, height, width) float, 0–255, RGB; normalised inside. Output: evidence (N, conditions, 4, h, w).
    `logits` of that output are (N, conditions, 4).

    Attributes:
        head: of the backbone's last feature map.
        finer: heads of feature maps before it by their stride in pixels, finest first; none in networks of earlier
            versions, and where the last map is fine enough.
        side: a small network on the pixels with the finest map, where the backbone has none finer than its last.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, backbone: "_Backbone", conditions: int, preprocessing: Preprocessing, layout: "_Layout") -> None:
        super().__init__()
        self.backbone = backbone
        maps = conditions * len(GRADES)
        self.head = nn.Conv2d(layout.channels, maps, kernel_size=1)
        self.finer = nn.ModuleDict(
            {str(stride): nn.Conv2d(channels, maps, kernel_size=1) for stride, channels in layout.finer.items()}
        )
        for parameter in self.finer.parameters():
            nn.init.zeros_(parameter)  # a network that goes on from one without them begins where that ended
        self.side = _side_network(layout.side_stride) if layout.side_stride else None
        self.stages = layout.stages
        self.conditions = conditions
        # Constants of the preprocessing, not weights: they travel in preprocessing.json.
        self.register_buffer("mean", torch.zeros(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.zeros(3, 3, 1, 1), persistent=False)
        self.normalise(preprocessing)

    def normalise(self, preprocessing: Preprocessing) -> None:
        """Normalise pixels by `preprocessing` from now on."""
        scale = torch.diag(1 / torch.tensor(preprocessing.std))
        if preprocessing.whitening:
            scale = torch.tensor(preprocessing.whitening).view(3, 3)
        self.mean.copy_(255 * torch.tensor(preprocessing.mean).view(1, 3, 1, 1))
        self.scale.copy_(scale.view(3, 3, 1, 1) / 255)

    def features(self, pixels: Tensor) -> list[Tensor]:
        """Return the feature maps (N, C, h, w) of the heads, finest first; the last is the backbone's last."""
        return self.features_of(nn.functional.conv2d(pixels - self.mean, self.scale))

    def features_of(self, normalised: Tensor) -> list[Tensor]:
        """Return the feature maps of pixels that are normalised already."""
        maps: list[Tensor] = self.backbone(normalised, self.stages)
        return maps if self.side is None else [self.side(normalised), *maps]

    @property
    def heads(self) -> list[nn.Conv2d]:
        """The head of each of `features`."""
        return [*self.finer.values(), self.head]  # type: ignore[list-item]  # a ModuleDict does not say of what

    def evidence(self, features: Sequence[Tensor], alone: Tensor | None = None) -> Tensor:
        """Return the evidence (N, conditions, 4, h, w) of feature maps, on the grid of the first.

        Args:
            alone: (N,) bool, pictures whose evidence is to be that of the first map alone.
        """
        maps = [head(feature_map) for head, feature_map in zip(self.heads, features, strict=True)]
        finest, *coarser = maps
        for each in coarser:
            # Each cell is repeated: a map keeps its mean, so that features averaged over a picture give its logits.
            enlarged = _repeated(each, finest.shape[-1] // each.shape[-1])
            finest = finest + (enlarged if alone is None else enlarged * ~alone[:, None, None, None])
        return torch.unflatten(finest, 1, (self.conditions, len(GRADES)))

    def forward(self, pixels: Tensor, alone: Tensor | None = None) -> Tensor:
        return self.evidence(self.features(pixels), alone)

    def layers(self) -> dict[str, int]:
        """Return the depth of each parameter: from 0, next to the pixels, to the heads and the side network."""
        prefixed = {f"backbone.{name}": depth for name, depth in self.backbone.layers().items()}
        random = [name for name, _ in self.named_parameters() if not name.startswith("backbone.")]
        return prefixed | dict.fromkeys(random, max(prefixed.values()) + 1)


def logits(evidence: Tensor) -> Tensor:
    """Return the logits (N, conditions, 4): the mean of each evidence map (N, conditions, 4, h, w)."""
    return evidence.mean(dim=(-2, -1))


def _repeated(maps: Tensor, times: int) -> Tensor:
    """Return maps (N, C, h, w) on a grid that is so many times finer, each cell repeated."""
    return nn.functional.interpolate(maps, scale_factor=float(times), mode="nearest")


def _side_network(stride: int) -> nn.Sequential:
    """Return a small convolutional network that halves the grid of the pixels until a cell is `stride` pixels."""
    layers: list[nn.Module] = []
    before = 3
    for channels in _SIDE_CHANNELS[: _halvings(stride)]:
        # By groups, not by batches: a transformer's answer does not depend on the pictures beside it.
        layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.GroupNorm(_SIDE_GROUPS, channels), nn.ReLU()]
        before = channels
    return nn.Sequential(*layers)


class _Layout(NamedTuple):
    """Heads of a network.

    Attributes:
        channels: of the last feature map.
        finer: channels of the feature maps before it by their stride, finest first.
        stages: places among the backbone's stages of those that are its own.
        side_stride: of the side network; 0 without one.
    """

    channels: int
    finer: dict[int, int]
    stages: tuple[int, ...]
    side_stride: int


def _layout(backbone: "_Backbone", image_size: int, strides: Collection[int] | None) -> _Layout:
    """Lay out the heads of a backbone for pictures of `image_size` × `image_size` pixels.

    Heads stand on the last stage of each grid, from the coarsest grid of at least MIN_CELLS a side to the last. Where
    no stage is fine enough, a side network is. Grids whose cells do not fit into the last one's are left out.

    Args:
        strides: those of `finer` in weights that the network is to have; None for a new network.
    """
    pixels = torch.zeros(1, 3, image_size, image_size)
    with torch.inference_mode():
        stages, last = backbone.all_stages(pixels), backbone(pixels, ())[-1]
    channels, cells = last.shape[1], last.shape[-1]
    places = {
        image_size // stage.shape[-1]: place
        for place, stage in enumerate(stages)
        if stage.shape[-1] > cells and _fits(stage.shape[-1], cells, image_size)
    }
    if strides is None:
        strides = _fine_strides(places, cells, image_size)
    side = next((stride for stride in strides if stride not in places), 0)
    kept = {stride: places[stride] for stride in sorted(places) if stride in strides}
    finer = {stride: stages[place].shape[1] for stride, place in kept.items()}
    if side:
        finer = {side: _SIDE_CHANNELS[_halvings(side) - 1]} | finer
    return _Layout(channels, finer, tuple(kept.values()), side)


def _fits(finer: int, cells: int, image_size: int) -> bool:
    return finer % cells == 0 and image_size % finer == 0


def _fine_strides(stages: Collection[int], cells: int, image_size: int) -> set[int]:
    """Return the strides of the maps before the last one, which has `cells` a side; see `_layout`."""
    if cells >= MIN_CELLS:
        return set()
    possible = {stride for stride in stages if image_size // stride >= MIN_CELLS}
    if not possible:
        halved = (2**halvings for halvings in range(1, len(_SIDE_CHANNELS) + 1))
        possible = {stride for stride in halved if _fits(image_size // stride, cells, image_size)}
        possible = {stride for stride in possible if image_size // stride >= MIN_CELLS}
    finest = max(possible, default=0)
    return {stride for stride in (*stages, finest) if stride >= finest > 0}


def _halvings(stride: int) -> int:
    return stride.bit_length() - 1


def strides_in(weights: Path) -> tuple[int, ...]:
    """Return the strides of the finer heads in a file of weights or a checkpoint; none in those of earlier versions."""
    with safe_open(weights, "pt") as file:
        names = list(file.keys())
    return tuple(sorted({int(match[1]) for name in names if (match := _FINER_HEAD.search(name))}))


class _FeatureMap(nn.Module):
    """A timm model's feature maps as (N, C, h, w), whatever its own layout."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor, stages: Sequence[int]) -> list[Tensor]:
        """Return the feature maps of some stages, by their places among all, and then the last one."""
        if not stages:
            return [self._laid_out(self.model.forward_features(pixels))]
        last, maps = self.model.forward_intermediates(pixels, indices=list(stages))
        return [*maps, self._laid_out(last)]

    def all_stages(self, pixels: Tensor) -> list[Tensor]:
        """Return the feature maps of all stages; none where timm has no access to those of a model."""
        if not hasattr(self.model, "forward_intermediates"):
            return []
        maps: list[Tensor] = self.model.forward_intermediates(pixels, intermediates_only=True)
        return maps

    def _laid_out(self, features: Tensor) -> Tensor:
        if features.ndim == 3:  # tokens (N, prefix + h·w, C) of a transformer
            grid = self.model.patch_embed.grid_size
            patches = features[:, self.model.num_prefix_tokens :]
            return torch.unflatten(patches.transpose(1, 2), 2, grid)
        if features.shape[1] != self.model.num_features:  # (N, h, w, C), as Swin keeps it
            return features.permute(0, 3, 1, 2)
        return features

    def layers(self) -> dict[str, int]:
        """Return the depth of each parameter, as timm groups them."""
        grouped = timm.models.group_parameters(self.model, self.model.group_matcher(coarse=False), reverse=True)
        return {f"model.{name}": int(depth) for name, depth in grouped.items()}


class _GoogLeNet(nn.Module):
    """torchvision's GoogLeNet up to its last feature map; timm has none. Without the auxiliary classifiers."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name in _GOOGLENET_LAYERS:
            self.add_module(name, getattr(model, name))

    def forward(self, pixels: Tensor, stages: Sequence[int]) -> list[Tensor]:
        """Return the feature maps of some stages, by their places among all, and then the last one."""
        maps = self.all_stages(pixels)
        return [*(maps[place] for place in stages), maps[-1]]

    def all_stages(self, pixels: Tensor) -> list[Tensor]:
        """Return the feature maps of all stages."""
        features, maps = pixels, []
        for name in _GOOGLENET_LAYERS:
            features = getattr(self, name)(features)
            if name in _GOOGLENET_STAGES:
                maps.append(features)
        return maps

    def layers(self) -> dict[str, int]:
        """Return the depth of each parameter, by its block."""
        return {name: _GOOGLENET_LAYERS.index(name.split(".")[0]) for name, _ in self.named_parameters()}


_Backbone = _FeatureMap | _GoogLeNet


def build(
    architecture: str, conditions: int, image_size: int, weights: str, strides: Collection[int] | None = None
) -> tuple[Network, Preprocessing]:
    """Build a network with its preprocessing; the heads always start without what was learned.

    Args:
        architecture: a variant of the five families or any timm name.
        weights: `none` (random), `pretrained` (downloaded by timm or torchvision), `packaged` (carried by an installed
            package) or the path of a safetensors file with the backbone's weights under the names timm or torchvision
            gives them.
        strides: of the finer heads, from `strides_in`, for a network that is to have weights that exist; None for a new
            one, whose maps have at least MIN_CELLS cells a side where the architecture lets them.

    Raises:
        ScalpError: unknown architecture, an image size it cannot take, weights that cannot be had or do not fit.
    """
    if weights == "packaged":
        packaged_file(architecture)  # said before anything is built
    if architecture == "googlenet":
        preprocessing = Preprocessing(image_size, image_size, _GOOGLENET_MEAN, _GOOGLENET_STD, "bilinear", reduced=True)
        backbone: _Backbone = _GoogLeNet(_googlenet(weights))
    else:
        model, preprocessing = _timm_model(architecture, image_size, weights)
        backbone = _FeatureMap(model)
    backbone.eval()
    try:  # a size that an architecture cannot take fails here, not after the data are cached
        layout = _layout(backbone, image_size, strides)
    except (RuntimeError, AssertionError, AttributeError, ValueError) as error:
        raise _misfit(architecture, image_size, "none", error) from error
    return Network(backbone, conditions, preprocessing, layout).train(), preprocessing


def adopt(
    network: Network, architecture: str, weights: Path, conditions: Sequence[Condition], learned: Sequence[Condition]
) -> None:
    """Adopt the weights of a finished run: its backbone, and its heads for the conditions that both grade.

    Finer heads, and layers of the side network, that either has not keep the weights they start with.

    Args:
        conditions, learned: graded by this network, and by the network of these weights, in their order.

    Raises:
        ScalpError: they do not fit.
    """
    state = {name: w.float() if w.is_floating_point() else w for name, w in load_file(weights).items()}
    own = network.state_dict()
    missing = {name: fresh for name, fresh in own.items() if name.startswith(_OPTIONAL) and name not in state}
    needless = [name for name in state if name.startswith(_OPTIONAL) and name not in own]
    state = {name: weights for name, weights in state.items() if name not in needless}
    try:
        for name, fresh in own.items():
            if name.startswith(("head.", "finer.")) and name not in missing:
                state[name] = _by_condition(fresh, state[name], conditions, learned)
        network.load_state_dict(_with_positions_of(network, state | missing))
    except (RuntimeError, KeyError) as error:
        raise _misfit(architecture, 0, weights.parent.name, error) from error


def _by_condition(
    fresh: Tensor, adopted: Tensor, conditions: Sequence[Condition], learned: Sequence[Condition]
) -> Tensor:
    """Return a head's weights or biases: adopted for the conditions that were learned, fresh for the others."""
    by_condition = fresh.clone().view(len(conditions), len(GRADES), *fresh.shape[1:])
    weights = adopted.view(len(learned), len(GRADES), *fresh.shape[1:])
    for place, condition in enumerate(conditions):
        if condition in learned:
            by_condition[place] = weights[learned.index(condition)]
    return by_condition.view_as(fresh)


def _with_positions_of(network: Network, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with a transformer's position embeddings resampled to this network's grid."""
    expected, positions = network.state_dict().get(_POSITIONS), state.get(_POSITIONS)
    if expected is None or positions is None or expected.shape == positions.shape:
        return state
    model: Any = network.backbone.model
    resized: Tensor = timm.layers.resample_abs_pos_embed(
        positions, list(model.patch_embed.grid_size), num_prefix_tokens=model.num_prefix_tokens
    )
    return {**state, _POSITIONS: resized}


def weights_source(architecture: str, weights: str) -> str:
    """Return the source of a backbone's weights for the manifest: hub name and tag, or name and hash of a file.

    Those of a package also have its version and licence.
    """
    if weights == "none":
        return "random"
    if weights == "packaged":
        return packaged_source(architecture)
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
    options: dict[str, Any] = {"num_classes": 0, "pretrained": weights not in ("none", "packaged")}
    if config.fixed_input_size:  # transformers: position embeddings are resized to the wanted grid
        options["img_size"] = image_size
    if weights not in NAMED_WEIGHTS:
        # Some ViTs have a loader of their own for the files they were first published in.
        options["pretrained_cfg_overlay"] = {"file": str(weights_file(weights)), "custom_load": False}
    try:
        if weights == "pretrained":
            _check_hub(config.hf_hub_id)
        model = timm.create_model(name, **options)
    except (OSError, HTTPError) as error:  # HTTPError: the connection broke while it was downloading
        raise _no_weights(architecture) from error
    except (RuntimeError, SafetensorError) as error:
        raise _misfit(architecture, image_size, weights, error) from error
    if isinstance(getattr(model, "pre_logits", None), timm.models.vgg.ConvMlp):
        model.pre_logits = nn.Identity()  # VGG's fully connected head: 120 M parameters that evidence maps replace
    if weights == "packaged":
        load_packaged(model, architecture)
    if weights not in NAMED_WEIGHTS:
        _check_names(model, architecture, image_size, weights)
    interpolation = config.interpolation if config.interpolation in ("bilinear", "bicubic") else "bicubic"
    return model, Preprocessing(image_size, image_size, config.mean, config.std, interpolation, reduced=True)


def _check_hub(repository: str | None) -> None:
    """Raise OSError or HTTPError at once where weights have to be downloaded and the hub cannot be reached.

    Its library tries each of several files six times, which takes a minute.
    """
    files = ("model.safetensors", "pytorch_model.bin")
    if repository and not any(try_to_load_from_cache(repository, file) for file in files):
        get_session().head(hub.ENDPOINT, timeout=_PATIENCE)


@contextmanager
def _impatient() -> Iterator[None]:
    """Let downloads end where nothing comes; torchvision's own would wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _check_names(model: nn.Module, architecture: str, image_size: int, weights: str) -> None:
    """Refuse a file that lacks weights: timm silently leaves those random."""
    with safe_open(weights_file(weights), "pt") as file:
        names = set(file.keys())
    missing = [name for name in model.state_dict() if name not in names and not name.endswith("num_batches_tracked")]
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
            with _impatient():
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
