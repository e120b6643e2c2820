"""Who answers: the run that grades each condition, for page and REST alike. Knows no pixels.

A promoted run if one is pinned in `artifacts/champions.json`; otherwise the best finished run on the validation part,
the smallest among those practically equal to it. The test part is never used to choose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd

from scalp_core.evaluate import report
from scalp_core.files import read_json
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs import Run, State, artifacts_folder, list_runs

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
    path = run.folder / "predictions.parquet"
    return _run_report(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _run_report(path: Path, _changed_ns: int) -> pd.DataFrame:
    return report(pd.read_parquet(path))


def score(run: Run, condition: Condition, part: str) -> float:
    """Quadratic weighted kappa of a run; 0 where the part cannot say."""
    table = run_report(run)
    values = table.loc[(table["condition"] == condition) & (table["part"] == part), "quadratic_weighted_kappa"]
    return float(values.fillna(0.0).max()) if len(values) else 0.0


def champions() -> dict[Condition, Champion]:
    """The answering run of every condition that has one. Asked at every request, worked out when runs change."""
    finished = tuple(run for run in list_runs() if run.state is State.FINISHED)
    pins = artifacts_folder() / "champions.json"
    changed = (*((run.folder / "manifest.json").stat().st_mtime_ns for run in finished), _changed_ns(pins))
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
    rivals = _rivals(able)
    if not rivals:
        return None
    best = max(score(run, condition, "valid") for run in rivals)
    equals = [run for run in rivals if score(run, condition, "valid") >= best - PRACTICALLY_EQUAL]
    return Champion(condition, min(equals, key=lambda run: (run.manifest["parameters"], run.created)), pinned=False)


def _rivals(able: Sequence[Run]) -> list[Run]:
    """Runs that may be compared: those of one index. Real pictures go before rendered ones, then most, then latest."""
    if not able:
        return []
    standing = {run.index_hash: (not run.synthetic, _validated(run), run.created) for run in able}
    chosen = max(standing, key=lambda index_hash: standing[index_hash])
    return [run for run in able if run.index_hash == chosen]


def _validated(run: Run) -> int:
    table = run_report(run)
    return int(table.loc[table["part"] == "valid", "images"].max())
