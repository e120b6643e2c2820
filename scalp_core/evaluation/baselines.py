"""What others have published on the AI Hub pictures, for reference lines. Mind the protocols: none is like ours."""

from collections.abc import Sequence
from dataclasses import dataclass

from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS, Condition

_FOLDERS = Text(
    "pictures by condition folder, grade 0 only from the all-healthy one; training and validation share heads",
    "증상별 폴더의 사진, 0등급은 전체 양호 폴더만 사용, 학습과 검증에 같은 사람의 사진이 섞여 있음",
)
_UNIQUE = Text(
    "unique pictures of the official validation part, which shares heads with the training part",
    "공식 검증 분할의 중복 없는 사진, 학습 분할과 같은 사람의 사진이 섞여 있음",
)


@dataclass(frozen=True)
class Published:
    """One published figure a condition.

    Attributes:
        metric: as in evaluate.METRICS.
        values: by condition; what was not published is left out.
        protocol: what it was measured on, and why it cannot be set against ours.
    """

    name: Text
    metric: str
    values: dict[Condition, float]
    protocol: Text


def _published(source: str, metric: str, values: Sequence[float | None], protocol: Text) -> Published:
    known = {condition: value for condition, value in zip(CONDITIONS, values, strict=True) if value is not None}
    return Published(Text(source, source), metric, known, protocol)


PUBLISHED = (
    _published("AI Hub, EfficientNet-B7 (600 px)", "accuracy", (0.913, 0.905, 0.896, 0.873, 0.952, 0.890), _FOLDERS),
    _published(
        "Appl. Sci. 14(17) 7574 (2024), EfficientNet-B0", "accuracy", (0.75, None, 0.82, None, None, None), _FOLDERS
    ),
    _published("scalp-vision-agent, EfficientNet-B0", "accuracy", (0.844, 0.591, 0.696, 0.952, 0.733, 0.761), _UNIQUE),
    _published("scalp-vision-agent, EfficientNet-B0", "macro_f1", (0.472, 0.543, 0.650, 0.436, 0.656, 0.553), _UNIQUE),
)
