"""Verdicts: whether one model is better, worse, or practically equal, read from the interval of a difference."""

from dataclasses import dataclass
from enum import StrEnum

from scalp_core.errors import Text
from scalp_core.metrics.metrics import METRICS

# Differences too small to matter, by metric: the models tie (docs/design/evaluation.md). Where kappa differs by 0.02,
# the ranked probability score differs by about 0.005: it is small wherever grade 0 is common.
NEGLIGIBLE = dict.fromkeys(METRICS, 0.02) | {"ranked_probability_score": 0.005}


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95 % interval (percentile bootstrap over groups). NaN where undefined.

    The interval is about other heads, not about other seeds: it treats the runs as given.
    """

    value: float
    low: float
    high: float


class Difference(Estimate):
    """One model's figure minus the other's."""


class Verdict(StrEnum):
    """The outcome of a comparison, in a word."""

    BETTER = "better"
    WORSE = "worse"
    PRACTICALLY_EQUAL = "practically_equal"
    UNDECIDED = "undecided"

    @property
    def text(self) -> Text:
        return _VERDICT_TEXT[self]


_VERDICT_TEXT = {
    Verdict.BETTER: Text("better", "더 좋음"),
    Verdict.WORSE: Text("worse", "더 나쁨"),
    Verdict.PRACTICALLY_EQUAL: Text("practically equal", "사실상 같음"),
    Verdict.UNDECIDED: Text("undecided", "판단 보류"),
}


def verdict(difference: Difference, negligible: float = NEGLIGIBLE["quadratic_weighted_kappa"]) -> Verdict:
    """Judge a difference of which more is better. Too small to matter goes before significantly above 0.

    Args:
        negligible: a difference too small to matter; see NEGLIGIBLE.
    """
    if difference.low >= -negligible and difference.high <= negligible:
        return Verdict.PRACTICALLY_EQUAL
    if difference.low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if difference.high < 0 else Verdict.UNDECIDED
