"""Counters of an application for Prometheus: requests, their durations, gradings.

Every application has a registry of its own, for a process may serve several. Labels are routes, statuses, conditions,
grades and the gate's codes: few, and never a word from outside.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from scalp_core.labels import Condition, Severity

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Seconds. One picture takes hundredths on an idle core, a full queue seconds.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class RequestMetrics:
    """Counters of one application since it started."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("scalp_requests", "Requests answered.", ["route", "status"], registry=self._registry)
        self._seconds = Histogram(
            "scalp_request_seconds",
            "From the head of a request to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._gradings = Counter(
            "scalp_gradings",
            "Gradings by condition and decided grade.",
            ["condition", "grade"],
            registry=self._registry,
        )
        self._gate = Counter(
            "scalp_gate", "Pictures by what the gate said of them.", ["gradable"], registry=self._registry
        )
        self._reasons = Counter(
            "scalp_gate_reasons",
            "Why pictures should not be graded, or are marked.",
            ["code"],
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request that is over."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def graded(self, grades: Iterable[tuple[Condition, Severity]]) -> None:
        """Count the grades of a picture."""
        for condition, grade in grades:
            self._gradings.labels(condition.value, str(int(grade))).inc()

    def checked(self, gradable: bool | None, codes: Iterable[str]) -> None:
        """Count a picture's verdict by the gate.

        Args:
            gradable: None: there is no gate.
            codes: of the reasons against the picture, or for its mark.
        """
        self._gate.labels("unknown" if gradable is None else "yes" if gradable else "no").inc()
        for code in codes:
            self._reasons.labels(code).inc()

    def text(self) -> bytes:
        """Return all counters in Prometheus' text format."""
        return generate_latest(self._registry)
