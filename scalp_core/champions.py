"""Who answers: the run that grades each condition, for page and REST alike. Knows no pixels.

A promoted run if one is pinned in `artifacts/champions.json`; otherwise the best finished run on the validation part,
the smallest among those practically equal to it. The test part is never used to choose.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from scalp_core.dataset import Dataset
from scalp_core.evaluate import report
from scalp_core.files import read_json
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs import Run, artifacts_folder, finished_runs

# Runs within this distance of the best validation QWK count as its equals (docs/design/evaluation.md).
PRACTICALLY_EQUAL = 0.02


@dataclass(frozen=True)
class Champion:
    """The run that answers for a condition, and whether somebody chose it."""

    condition: Condition
    run: Run
    pinned: bool


def run_report(run: Run) -> pd.DataFrame:
    """The report of a finished run's predictions (see evaluate.report). Shared: do not change."""
    return _run_report(run, run.finished_ns)


@lru_cache(maxsize=256)
def _run_report(run: Run, _finished_ns: int) -> pd.DataFrame:
    return report(run.predictions)


def score(run: Run, condition: Condition, part: str) -> float | None:
    """Quadratic weighted kappa of a run; None where the part cannot say."""
    table = run_report(run)
    values = table.loc[(table["condition"] == condition) & (table["part"] == part), "quadratic_weighted_kappa"]
    return float(values.iloc[0]) if values.notna().any() else None


def judged_on(dataset: Dataset) -> list[Run]:
    """Finished runs that were judged on the pictures of this data set, whatever else they learned from."""
    # The index's own hash stands for both in runs of an earlier version.
    return [run for run in finished_runs() if run.evaluation_hash in (dataset.evaluation_hash, dataset.index_hash)]


def champions() -> dict[Condition, Champion]:
    """The answering run of every condition that has one. Asked at every request, worked out when runs change."""
    finished = tuple(finished_runs())
    pins = artifacts_folder() / "champions.json"
    changed = (*(run.finished_ns for run in finished), _changed_ns(pins))
    return dict(_champions(finished, pins, changed))


def _changed_ns(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=4)
def _champions(finished: tuple[Run, ...], pins: Path, _changed: tuple[int, ...]) -> dict[Condition, Champion]:
    pinned = read_json(pins) if pins.exists() else {}
    found = (_champion(condition, finished, pinned.get(condition.value)) for condition in CONDITIONS)
    return {champion.condition: champion for champion in found if champion}


def _champion(condition: Condition, finished: Sequence[Run], pinned: str | None) -> Champion | None:
    able = [run for run in finished if condition in run.recipe.conditions]
    for run in able:
        if run.id == pinned:
            return Champion(condition, run, pinned=True)
    scores = {run: _valid_score(run, condition) for run in _rivals(able, condition)}
    if not scores:
        return None
    equals = [run for run, reached in scores.items() if reached >= max(scores.values()) - PRACTICALLY_EQUAL]
    return Champion(condition, min(equals, key=lambda run: (run.manifest["parameters"], run.created)), pinned=False)


def _valid_score(run: Run, condition: Condition) -> float:
    # A constant prediction of a constant truth agrees in nothing beyond chance.
    return score(run, condition, "valid") or 0.0


def _rivals(able: Sequence[Run], condition: Condition) -> list[Run]:
    """Runs that may be compared: those judged on the same pictures, some of them labelled for the condition.

    Real pictures go before rendered ones, then the runs judged on most of them, then the latest.
    """
    judged = {run: images for run in able if (images := _validated(run, condition))}
    if not judged:
        return []
    pictures = _pictures_of(judged)
    standing = {pictures[run]: (not run.synthetic, images, run.created) for run, images in judged.items()}
    chosen = max(standing, key=lambda one: standing[one])
    return [run for run in judged if pictures[run] == chosen]


def _pictures_of(runs: Iterable[Run]) -> dict[Run, str]:
    """The hash of the pictures that each run was judged on.

    Runs of an earlier version know their index alone; a run of this version on the same index knows what it stands for.
    """
    known = {run.index_hash: run.evaluation_hash for run in runs if run.evaluation_hash != run.index_hash}
    return {run: known.get(run.evaluation_hash, run.evaluation_hash) for run in runs}


def _validated(run: Run, condition: Condition) -> int:
    table = run_report(run)
    return int(table.loc[(table["condition"] == condition) & (table["part"] == "valid"), "images"].sum())
