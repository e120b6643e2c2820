"""The gate before grading: is this a picture that the run can grade, and if not, why? See docs/design/gate.md.

Fitted on the run's own data set (`inference.gate_fit`): how far a picture lies from the scalps that the network
learned from, and how sharp and light such pictures are. It warns and never forbids. Knows no label and no network.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from scalp_core.errors import Text
from scalp_core.files import write_atomic
from scalp_core.images import Picture
from scalp_core.inference.image_stats import ImageStats, image_stats

_log = logging.getLogger(__name__)
Floats = npt.NDArray[np.floating]
Vectors = npt.NDArray[np.float32]

VERSION = 1  # of the file; raised when the same picture would measure otherwise
FALSE_ALARMS = 0.05  # of calibration pictures that lie beyond the limit of the distance
_CLOUDS = ("features", "looks")
FARTHEST = 1e6


@dataclass(frozen=True)
class Reason:
    """Why a picture should not be graded.

    Attributes:
        code: too_small, blurred, over_exposed, too_dark or not_a_scalp.
        text: what is wrong, with the figures, and what to do.
        value: what was measured.
        limit: what it should not have passed.
    """

    code: str
    text: Text
    value: float
    limit: float


@dataclass(frozen=True)
class GateLimits:
    """What a picture must not pass.

    Attributes:
        pixels: fewest along either side: what the network looks at.
        sharpness, light: lowest; see Glance.
        burnt: highest share.
        distance: highest; in deviations of the logarithm from the middle of scalps, see Cloud.
    """

    pixels: int
    sharpness: float
    burnt: float
    light: float
    distance: float


@dataclass(frozen=True, eq=False)
class PPCA:
    """Where vectors of scalps lie: a Gaussian of low rank with equal variance in all other directions (probabilistic
    principal components, Tipping and Bishop 1999) in standardised coordinates.

    Attributes:
        centre, scale: (D,).
        components: (k, D), orthonormal.
        variances: (k,), along the components.
        rest: variance along any other direction.
        middle, spread: median of the logarithm of the squared Mahalanobis distance, and how far above it lies what
            84 % are below, of scalps that were not fitted.
    """

    centre: Vectors
    scale: Vectors
    components: Vectors
    variances: Vectors
    rest: float
    middle: float = 0.0
    spread: float = 1.0

    def distance(self, vectors: Floats) -> npt.NDArray[np.float64]:
        """Of vectors (n, D): 0 is an ordinary scalp, 1 is farther than five of six."""
        found = (np.log(self._squared(vectors)) - self.middle) / self.spread
        return np.nan_to_num(np.minimum(found, FARTHEST), nan=FARTHEST)

    def _squared(self, vectors: Floats) -> npt.NDArray[np.float64]:
        centred = (signed_log1p(vectors) - self.centre) / self.scale
        along = centred @ self.components.T
        rest = np.square(centred).sum(axis=1) - np.square(along).sum(axis=1)
        return np.asarray(
            np.square(along) @ (1 / self.variances) + np.maximum(rest, 1e-9) / self.rest, dtype=np.float64
        )


def signed_log1p(vectors: Floats) -> Floats:
    """Few features are large in few pictures; their logarithms lie more like a Gaussian."""
    return np.asarray(np.sign(vectors) * np.log1p(np.abs(vectors)))


@dataclass(frozen=True, eq=False)
class Gate:
    """What tells pictures that a run can grade from others.

    Attributes:
        features, looks: where scalps lie in the run's feature space, and in colours and textures.
        facts: the weights it belongs to and what it was fitted on.
    """

    limits: GateLimits
    features: PPCA
    looks: PPCA
    facts: Mapping[str, Any]

    def check(self, picture: Picture, features: Vectors) -> tuple[Reason, ...]:
        """Why the picture should not be graded; empty where nothing speaks against it.

        Args:
            features: (C,), what the run's network saw in it.
        """
        seen = image_stats(picture.pixels)
        return tuple(self._reasons(picture, seen, float(self.distance(features[None], seen.looks[None])[0])))

    def distance(self, features: Floats, looks: Floats) -> npt.NDArray[np.float64]:
        """(n,): the farther of the two, so that a picture must pass for a scalp to the network and at a glance."""
        return np.maximum(self.features.distance(features), self.looks.distance(looks))

    def _reasons(self, picture: Picture, seen: ImageStats, distance: float) -> Iterator[Reason]:
        limits = self.limits
        if (shorter := min(picture.width, picture.height)) < limits.pixels:
            yield _too_small(picture, shorter, limits.pixels)
        if seen.sharpness < limits.sharpness:
            yield _blurred(seen.sharpness, limits.sharpness)
        if seen.burnt > limits.burnt:
            yield _over_exposed(seen.burnt, limits.burnt)
        if seen.light < limits.light:
            yield _too_dark(seen.light, limits.light)
        if distance > limits.distance:
            yield _not_a_scalp(distance, limits.distance)


# ---- what people read ----


def _too_small(picture: Picture, shorter: int, limit: int) -> Reason:
    size = f"{picture.width} × {picture.height}"
    text = Text(
        f"Too small: the picture has {size} pixels and the network looks at {limit} × {limit}. Send it as the camera "
        "took it.",
        f"사진이 너무 작아요. {size} 픽셀이며, 모델은 {limit} × {limit} 픽셀을 봐요. 촬영한 원본 크기로 보내세요.",
    )
    return Reason("too_small", text, shorter, limit)


def _blurred(sharpness: float, limit: float) -> Reason:
    text = Text(
        f"Blurred: sharpness {sharpness:.2f}, at least {limit:.2f} is needed. Focus, hold still and take it again.",
        f"사진이 흐려요. 선명도: {sharpness:.2f}(최소 {limit:.2f}). 초점을 맞추고 흔들리지 않게 다시 촬영하세요.",
    )
    return Reason("blurred", text, sharpness, limit)


def _over_exposed(burnt: float, limit: float) -> Reason:
    text = Text(
        f"Over-exposed: {burnt:.1%} of the picture is brighter than the camera can tell, at most {limit:.1%} may be. "
        "Lower the exposure or the lamp and take it again.",
        f"노출이 과다해요. 사진의 {burnt:.1%}가 너무 밝아 색이 사라졌어요(허용 {limit:.1%}). 노출이나 조명을 "
        "낮추어 다시 촬영하세요.",
    )
    return Reason("over_exposed", text, burnt, limit)


def _too_dark(light: float, limit: float) -> Reason:
    text = Text(
        f"Too dark: its light parts reach a grey level of {light:.0f} of 255, at least {limit:.0f} is needed. Switch "
        "the lamp on or raise the exposure.",
        f"사진이 너무 어두워요. 밝은 부분의 밝기: {light:.0f}(0–255, 최소 {limit:.0f}). 조명을 켜거나 노출을 높이세요.",
    )
    return Reason("too_dark", text, light, limit)


def _not_a_scalp(distance: float, limit: float) -> Reason:
    text = Text(
        f"Not like a scalp: distance {distance:.1f} from the pictures that the network learned from, beyond "
        f"{limit:.1f}. So are {FALSE_ALARMS:.0%} of scalp pictures; if this is one, look at its grades with doubt.",
        f"두피 사진과 달라요. 학습한 사진들과의 거리: {distance:.1f}(기준 {limit:.1f} 이하). 두피 사진도 "
        f"{FALSE_ALARMS:.0%}는 이 기준을 넘어요. 두피 사진이 맞다면 등급을 신중하게 해석하세요.",
    )
    return Reason("not_a_scalp", text, distance, limit)


# ---- the file ----


def read(path: Path, weights: str) -> Gate | None:
    """The gate in this file; None where there is none, or it belongs to other weights, or is damaged (the log says so).

    Args:
        weights: SHA-256 of the run's weights.
    """
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    gate = _read(path, changed)
    return gate if gate and gate.facts["weights"] == weights else None


@lru_cache(maxsize=32)
def _read(path: Path, _changed_ns: int) -> Gate | None:
    try:
        with safe_open(path, framework="np") as file:
            told = json.loads((file.metadata() or {})["gate"])
            tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
        if told["facts"]["version"] != VERSION:
            return None
        clouds = {name: _cloud(name, tensors, told["clouds"][name]) for name in _CLOUDS}
        return Gate(GateLimits(**told["limits"]), **clouds, facts=told["facts"])
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        _log.warning("%s cannot be read, pictures are graded without a gate: %s", path, error)
        return None


def _cloud(name: str, tensors: Mapping[str, Vectors], numbers: Mapping[str, float]) -> PPCA:
    centre, scale, components, variances = (tensors[f"{name}.{one}"] for one in _ARRAYS)
    if components.shape != (len(variances), len(centre)) or scale.shape != centre.shape:
        raise ValueError(f"the shapes of {name} do not fit")
    return PPCA(centre, scale, components, variances, *(float(numbers[one]) for one in _NUMBERS))


_ARRAYS = ("centre", "scale", "components", "variances")
_NUMBERS = ("rest", "middle", "spread")


def write(gate: Gate, path: Path) -> None:
    """Put it into a file; components in half precision, which moves distances by less than a thousandth."""
    clouds = {name: getattr(gate, name) for name in _CLOUDS}
    tensors = {f"{name}.{one}": getattr(cloud, one) for name, cloud in clouds.items() for one in _ARRAYS}
    halved = {name: one.astype(np.float16) if name.endswith("components") else one for name, one in tensors.items()}
    numbers = {name: {one: getattr(cloud, one) for one in _NUMBERS} for name, cloud in clouds.items()}
    told = json.dumps({"facts": dict(gate.facts), "limits": asdict(gate.limits), "clouds": numbers}, sort_keys=True)
    write_atomic(path, partial(save_file, halved, metadata={"gate": told}))
