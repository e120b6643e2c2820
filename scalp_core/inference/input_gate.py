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
from scalp_core.inference.image_stats import TEXTURE_FEATURES, ImageStats, image_stats
from scalp_core.seals import BLANK, SEAL, require_seal, write_sealed

_log = logging.getLogger(__name__)
Floats = npt.NDArray[np.floating]
Vectors = npt.NDArray[np.float32]

VERSION = 2  # of the file; raised when the same picture would measure otherwise, or be judged otherwise
ODDS_SHARE = 0.2  # of the log-odds in the distance
HIGHEST_SQUARE = 25.0  # of a standardised feature
HIGHEST_ODDS = 25.0  # of the log-odds, either way: beyond what was fitted they go on growing without a meaning
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
class ScalpDistance:
    """Distance of texture features from those of scalps: the logarithm of the squared Mahalanobis distance from a
    Gaussian of scalps, plus a share of the log-odds of a logistic regression that the picture shows none.

    The Gaussian alone lets much pass that lies between a usual scalp and a strange one; the odds alone say nothing of
    what was never drawn. D is TEXTURE_FEATURES.

    Attributes:
        mean, scale: (D,), of scalps.
        whitening: (D, D), which turns standardised vectors into uncorrelated ones of variance 1.
        weights: (2D,), of the standardised features and of their squares, which are cut at HIGHEST_SQUARE.
        intercept: of the log-odds.
        median: of the sum, of scalps that were not fitted.
        spread: how far above the median the 84 % quantile of the same lies.
    """

    mean: Vectors
    scale: Vectors
    whitening: Vectors
    weights: Vectors
    intercept: float
    median: float = 0.0
    spread: float = 1.0

    def __call__(self, texture_features: Floats) -> npt.NDArray[np.float64]:
        """Return the distances (n,) of vectors (n, D): 0 is an ordinary scalp, 1 is farther than five of six."""
        standardised = (signed_log1p(texture_features) - self.mean) / self.scale
        squared = np.square(standardised @ self.whitening.T).sum(axis=1)
        odds = np.clip(with_squares(standardised) @ self.weights + self.intercept, -HIGHEST_ODDS, HIGHEST_ODDS)
        distances = (np.log(squared + 1e-9) + ODDS_SHARE * odds - self.median) / self.spread
        return np.asarray(np.nan_to_num(np.minimum(distances, FARTHEST), nan=FARTHEST), dtype=np.float64)


def with_squares(standardised: Floats) -> Floats:
    """Return the vectors (n, D) with their squares behind them (n, 2D), cut where one strange number would decide."""
    return np.concatenate([standardised, np.minimum(np.square(standardised), HIGHEST_SQUARE)], axis=1)


def signed_log1p(vectors: Floats) -> Floats:
    """Return sign(x) · log(1 + |x|). Few features are large in few pictures; their logarithms are nearer to normal."""
    return np.asarray(np.sign(vectors) * np.log1p(np.abs(vectors)))


@dataclass(frozen=True, eq=False)
class Gate:
    """Limits and the distance that tell pictures that a run can grade from others.

    Attributes:
        facts: the weights it belongs to and what it was fitted on.
    """

    limits: GateLimits
    distance: ScalpDistance
    facts: Mapping[str, Any]

    def check(self, picture: Picture) -> tuple[Reason, ...]:
        """Return why the picture should not be graded, or is marked; empty for a usual picture."""
        stats = image_stats(picture.pixels)
        return tuple(self._reasons(picture, stats, float(self.distance(stats.texture_features[None])[0])))

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

_ARRAYS = ("mean", "scale", "whitening", "weights")
_NUMBERS = ("intercept", "median", "spread")


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
        limits = GateLimits(**{field.name: header["limits"][field.name] for field in fields(GateLimits)})
        return Gate(limits, _distance(tensors, header["distance"]), header["facts"])
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        _log.warning("%s cannot be read, pictures are graded without a gate: %s", path, error)
        return None


def _distance(tensors: Mapping[str, Vectors], numbers: Mapping[str, float]) -> ScalpDistance:
    arrays = {name: tensors[name] for name in _ARRAYS}
    size = TEXTURE_FEATURES
    shapes = {"mean": (size,), "scale": (size,), "whitening": (size, size), "weights": (2 * size,)}
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("the shapes do not fit")
    mean, scale, whitening, weights = (arrays[name] for name in _ARRAYS)
    return ScalpDistance(mean, scale, whitening, weights, *(float(numbers[name]) for name in _NUMBERS))


def write(gate: Gate, path: Path) -> None:
    """Write a gate."""
    header = {
        "facts": dict(gate.facts),
        "limits": asdict(gate.limits),
        "distance": {name: getattr(gate.distance, name) for name in _NUMBERS},
    }
    # In one entry: safetensors writes several in any order, and the same gate shall be the same file.
    metadata = {"gate": json.dumps(header | {SEAL: BLANK}, sort_keys=True)}
    # In C order: safetensors writes the memory as it lies.
    arrays = {name: np.ascontiguousarray(getattr(gate.distance, name), dtype=np.float32) for name in _ARRAYS}
    write_sealed(path, partial(save_file, arrays, metadata=metadata))
