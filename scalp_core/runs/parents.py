"""The parent of a run, which its weights come from, and how the two compare on validation."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from scalp_core.errors import ScalpError
from scalp_core.labels import Condition
from scalp_core.metrics.verdict import Difference, Verdict
from scalp_core.runs.champions import against
from scalp_core.runs.election import score
from scalp_core.runs.run import Run
from scalp_core.runs.store import list_runs, source_run


@dataclass(frozen=True)
class Comparison:
    """A run against its parent, on the conditions that both grade.

    Attributes:
        before, after: mean validation kappa of the parent and of the run.
        verdicts: none where no interval can be computed.
    """

    parent: Run
    before: float
    after: float
    verdicts: dict[Condition, Verdict]

    def count(self, verdict: Verdict) -> int:
        """Return in how many conditions the run has this verdict."""
        return sum(other is verdict for other in self.verdicts.values())


def parent_of(run: Run) -> Run | None:
    """Return the run that this one started from; None where it has none, or where that is gone or incomplete."""
    try:
        parent = source_run(run.recipe)
    except ScalpError:
        return None
    return parent if parent is not None and parent.finished and parent.complete else None


def kappas(run: Run, parent: Run) -> tuple[float, float] | None:
    """Return the mean validation kappa of the parent and of the run; None where they cannot be compared."""
    if run.evaluation_hash != parent.evaluation_hash or not run.finished:
        return None
    pairs = [(score(parent, condition, "valid"), score(run, condition, "valid")) for condition in _shared(run, parent)]
    defined = [(before, after) for before, after in pairs if before is not None and after is not None]
    if not defined:
        return None
    return fmean(before for before, _ in defined), fmean(after for _, after in defined)


def compare_with_parent(run: Run) -> Comparison | None:
    """Compare a finished run with its parent; None where it has none, or was judged on other pictures."""
    parent = parent_of(run)
    means = kappas(run, parent) if parent else None
    if parent is None or means is None:
        return None
    differences = kappa_differences(run, parent, run.recipe.conditions)
    return Comparison(parent, *means, {condition: verdict for condition, (_, verdict) in differences.items()})


def kappa_differences(
    run: Run, other: Run, conditions: Iterable[Condition]
) -> dict[Condition, tuple[Difference, Verdict]]:
    """Return the difference of kappa on validation, with its verdict, where it is defined."""
    differences = {}
    for condition in conditions:
        if condition not in other.recipe.conditions:
            continue
        try:
            both = against(run, other, condition)
        except ScalpError:  # other pictures, or these are not here
            continue
        if not math.isnan(both.quadratic_weighted_kappa.low):
            differences[condition] = (both.quadratic_weighted_kappa, both.verdict)
    return differences


def children_of(run: Run) -> list[Run]:
    """Return the runs that started from this one or were taught by it."""
    return [child for child in list_runs() if f"run:{run.id}" in (child.recipe.weights, child.recipe.teacher)]


def _shared(run: Run, other: Run) -> list[Condition]:
    return [condition for condition in run.recipe.conditions if condition in other.recipe.conditions]
