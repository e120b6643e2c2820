"""The gate before grading: checks whether a run can grade a picture, and says why not (docs/design/gate.md).

It is fitted on the run's own dataset (`inference.gate_fit`): on how far pictures lie from the scalps that the network
learned from, and on how sharp and bright such pictures are. It has two levels: an unusual picture is graded and marked,
any other objection withholds the grades until they are asked for.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from scalp_core.errors import Text
from scalp_core.files import Signature, signature
from scalp_core.images import Picture
from scalp_core.inference.gate_limits import FARTHEST, GateLimits
from scalp_core.inference.image_stats import ImageStats, image_stats
from scalp_core.seals import BLANK, SEAL, require_seal, write_sealed

_log = logging.getLogger(__name__)
Floats = npt.NDArray[np.floating]
Vectors = npt.NDArray[np.float32]

VERSION = 2  # of the file; raised when the same picture would measure otherwise, or be judged otherwise
UNUSUAL = "unusual"  # code of the only reason that marks a picture without speaking against grading it


@dataclass(frozen=True)
class Reason:
    """Why a picture should not be graded, or only with a mark.

    Attributes:
        code: too_small, blurred, over_exposed, too_dark, not_a_scalp or unusual.
        text: the problem, with the figures, and what to do.
        value: measured.
        limit: that the value should not have passed.
    """

    code: str
    text: Text
    value: float
    limit: float

    @property
    def refuses(self) -> bool:
        """Whether it speaks against grading, beyond a mark."""
        return self.code != UNUSUAL


@dataclass(frozen=True, eq=False)
class PPCA:
    """A Gaussian of low rank with equal variance in all other directions (probabilistic principal component analysis,
    Tipping and Bishop 1999) of vectors of scalps, in standardised coordinates.

    Attributes:
        mean, scale: (D,).
        components: (k, D), orthonormal.
        variances: (k,), along the components.
        noise_variance: along any other direction.
        median: of the logarithm of the squared Mahalanobis distance of scalps that were not fitted.
        spread: how far above the median the 84 % quantile of the same lies.
    """

    mean: Vectors
    scale: Vectors
    components: Vectors
    variances: Vectors
    noise_variance: float
    median: float = 0.0
    spread: float = 1.0

    def distance(self, vectors: Floats) -> npt.NDArray[np.float64]:
        """Return the distances (n,) of vectors (n, D): 0 is an ordinary scalp, 1 is farther than five of six."""
        distances = (np.log(self._squared_mahalanobis(vectors)) - self.median) / self.spread
        return np.nan_to_num(np.minimum(distances, FARTHEST), nan=FARTHEST)

    def _squared_mahalanobis(self, vectors: Floats) -> npt.NDArray[np.float64]:
        centred = (signed_log1p(vectors) - self.mean) / self.scale
        along = centred @ self.components.T
        rest = np.square(centred).sum(axis=1) - np.square(along).sum(axis=1)
        return np.asarray(
            np.square(along) @ (1 / self.variances) + np.maximum(rest, 1e-9) / self.noise_variance, dtype=np.float64
        )


def signed_log1p(vectors: Floats) -> Floats:
    """Return sign(x) · log(1 + |x|). Few features are large in few pictures; their logarithms are nearer to normal."""
    return np.asarray(np.sign(vectors) * np.log1p(np.abs(vectors)))


@dataclass(frozen=True, eq=False)
class Gate:
    """Limits and Gaussians that tell pictures that a run can grade from others.

    Attributes:
        features: of the run's pooled features.
        texture_features: of colours and textures.
        facts: the weights it belongs to and what it was fitted on.
    """

    limits: GateLimits
    features: PPCA
    texture_features: PPCA
    facts: Mapping[str, Any]

    def check(self, picture: Picture, features: Vectors) -> tuple[Reason, ...]:
        """Return why the picture should not be graded, or is marked; empty for a usual picture.

        Args:
            features: (C,), the run's pooled features of the picture.
        """
        stats = image_stats(picture.pixels)
        distance = float(self.distance(features[None], stats.texture_features[None])[0])
        return tuple(self._reasons(picture, stats, distance))

    def distance(self, features: Floats, texture_features: Floats) -> npt.NDArray[np.float64]:
        """Return the larger of both distances (n,), so that a picture must pass for a scalp in both spaces."""
        return np.maximum(self.features.distance(features), self.texture_features.distance(texture_features))

    def _reasons(self, picture: Picture, stats: ImageStats, distance: float) -> Iterator[Reason]:
        limits = self.limits
        if (shorter := min(picture.width, picture.height)) < limits.pixels:
            yield _too_small(picture, shorter, limits.pixels)
        if stats.sharpness < limits.sharpness:
            yield _blurred(stats.sharpness, limits.sharpness)
        if stats.overexposed > limits.overexposed:
            yield _over_exposed(stats.overexposed, limits.overexposed)
        if stats.brightness < limits.brightness:
            yield _too_dark(stats.brightness, limits.brightness)
        if distance > limits.distance:
            yield _not_a_scalp(distance, limits.distance)
        elif distance > limits.usual_distance:
            yield _unusual(distance, limits.usual_distance)


# ---- texts ----


def _too_small(picture: Picture, shorter: int, limit: int) -> Reason:
    size = f"{picture.width} × {picture.height}"
    text = Text(
        f"Too small: {size} pixels; the model needs {limit} × {limit}. Send the original picture.",
        f"사진이 너무 작아요. {size} 픽셀이고, 모델에는 {limit} × {limit} 픽셀이 필요해요. 원본 크기로 보내세요.",
    )
    return Reason("too_small", text, shorter, limit)


def _blurred(sharpness: float, limit: float) -> Reason:
    text = Text(
        f"Blurred: sharpness {sharpness:.2f}, minimum {limit:.2f}. Focus, hold still and retake.",
        f"사진이 흐려요. 선명도: {sharpness:.2f}(최소 {limit:.2f}). 초점을 맞추고 흔들리지 않게 다시 촬영하세요.",
    )
    return Reason("blurred", text, sharpness, limit)


def _over_exposed(share: float, limit: float) -> Reason:
    text = Text(
        f"Over-exposed: {share:.1%} of the picture is saturated, maximum {limit:.1%}. Lower the exposure or the light "
        "and retake.",
        f"노출이 과다해요. 사진의 {share:.1%}가 너무 밝아요(최대 {limit:.1%}). 노출이나 조명을 낮추어 다시 촬영하세요.",
    )
    return Reason("over_exposed", text, share, limit)


def _too_dark(brightness: float, limit: float) -> Reason:
    text = Text(
        f"Too dark: the brightest areas reach {brightness:.0f} of 255, minimum {limit:.0f}. Turn on the light or raise "
        "the exposure.",
        f"사진이 너무 어두워요. 밝은 부분의 밝기: {brightness:.0f}(0–255, 최소 {limit:.0f}). 조명을 켜거나 "
        "노출을 높이세요.",
    )
    return Reason("too_dark", text, brightness, limit)


def _not_a_scalp(distance: float, limit: float) -> Reason:
    text = Text(
        f"Not like a scalp: distance {distance:.1f} from the training data, maximum {limit:.1f}. Check that it shows "
        "a scalp from near; if it does, have it graded anyway and read its grades with caution.",
        f"두피 사진과 달라요. 학습 데이터와의 거리: {distance:.1f}(최대 {limit:.1f}). 두피를 가까이에서 찍은 사진인지 "
        "확인하세요. 두피 사진이 맞다면 그래도 추정하게 하고 등급을 신중하게 해석하세요.",
    )
    return Reason("not_a_scalp", text, distance, limit)


def _unusual(distance: float, limit: float) -> Reason:
    text = Text(
        f"Unusual: distance {distance:.1f} from the training data, usual up to {limit:.1f}. Another camera, light or "
        "hair may be the reason; read the grades with caution.",
        f"흔하지 않은 사진이에요. 학습 데이터와의 거리: {distance:.1f}(보통 {limit:.1f} 이하). 카메라, 조명이나 "
        "모발이 다르기 때문일 수 있어요. 등급을 신중하게 해석하세요.",
    )
    return Reason(UNUSUAL, text, distance, limit)


# ---- the file ----

# Names in the file, where they are not those of the attributes. The shipped runs have these.
_STORED = {
    "texture_features": "looks",
    "overexposed": "burnt",
    "brightness": "light",
    "mean": "centre",
    "noise_variance": "rest",
    "median": "middle",
}
_GAUSSIANS = ("features", "texture_features")
_ARRAYS = ("mean", "scale", "components", "variances")
_NUMBERS = ("noise_variance", "median", "spread")


def _stored(name: str) -> str:
    return _STORED.get(name, name)


def read(path: Path, weights: str) -> Gate | None:
    """Read a gate; None where the file is missing, belongs to other weights, or is damaged (which is logged).

    Args:
        weights: SHA-256 of the run's weights.
    """
    current = signature(path)
    gate = _read(path, current) if current else None
    return gate if gate and gate.facts["weights"] == weights else None


@lru_cache(maxsize=32)
def _read(path: Path, _signature: Signature) -> Gate | None:
    try:
        require_seal(path)
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})["gate"])
            tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
        if (version := header["facts"]["version"]) != VERSION:
            _log.warning(
                "%s is of version %s: fit it anew with “python -m training.gate %s”", path, version, path.parent.name
            )
            return None
        limits = {field.name: header["limits"][_stored(field.name)] for field in fields(GateLimits)}
        gaussians = {name: _gaussian(_stored(name), tensors, header["clouds"][_stored(name)]) for name in _GAUSSIANS}
        return Gate(GateLimits(**limits), **gaussians, facts=header["facts"])
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        _log.warning("%s cannot be read, pictures are graded without a gate: %s", path, error)
        return None


def _gaussian(stored_name: str, tensors: Mapping[str, Vectors], numbers: Mapping[str, float]) -> PPCA:
    mean, scale, components, variances = (tensors[f"{stored_name}.{_stored(name)}"] for name in _ARRAYS)
    if components.shape != (len(variances), len(mean)) or scale.shape != mean.shape:
        raise ValueError(f"the shapes of {stored_name} do not fit")
    return PPCA(mean, scale, components, variances, *(float(numbers[_stored(name)]) for name in _NUMBERS))


def write(gate: Gate, path: Path) -> None:
    """Write a gate; components in half precision, which moves distances by less than a thousandth."""
    gaussians: dict[str, PPCA] = {_stored(name): getattr(gate, name) for name in _GAUSSIANS}
    tensors = {
        f"{key}.{_stored(name)}": getattr(gaussian, name) for key, gaussian in gaussians.items() for name in _ARRAYS
    }
    halved = {
        name: tensor.astype(np.float16) if name.endswith("components") else tensor for name, tensor in tensors.items()
    }
    header = {
        "facts": dict(gate.facts),
        "limits": {_stored(name): value for name, value in asdict(gate.limits).items()},
        "clouds": {
            key: {_stored(name): getattr(gaussian, name) for name in _NUMBERS} for key, gaussian in gaussians.items()
        },
    }
    # In one entry: safetensors writes several in any order, and the same gate shall be the same file.
    metadata = {"gate": json.dumps(header | {SEAL: BLANK}, sort_keys=True)}
    write_sealed(path, partial(save_file, halved, metadata=metadata))
