"""Champions: the run that grades each condition, for dashboard and REST alike.

It is the promoted run if one is pinned in `artifacts/champions.json`; otherwise the best finished run on the validation
split, the smallest among those practically equal to it. A run that could not be exported never answers. The test
split is never used to choose. Every change of the pins is kept in `artifacts/champions.jsonl`.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from filelock import FileLock

from scalp_core.data.dataset import Dataset, list_datasets, open_dataset
from scalp_core.errors import ScalpError, forbidden
from scalp_core.files import UNREADABLE, read_json, write_json, write_text
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import counts_by_group, report
from scalp_core.metrics.verdict import NEGLIGIBLE
from scalp_core.paths import artifacts_folder
from scalp_core.runs.run import Run, not_writable
from scalp_core.runs.store import finished_runs

if TYPE_CHECKING:
    from scalp_core.metrics.paired_comparison import Differences

_KAPPA = "quadratic_weighted_kappa"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """The run that answers for a condition, and whether it was promoted."""

    condition: Condition
    run: Run
    pinned: bool


@dataclass(frozen=True)
class Change:
    """A change of the run that answers for a condition.

    Attributes:
        time: UTC, ISO 8601.
        before: id of the run that answered until then; empty if there was none.
        after: id of the run that answers from then on; empty if there is none.
        pinned: `after` was promoted; otherwise the choice is automatic again.
        why: the reasons, in words.
    """

    time: str
    condition: Condition
    before: str
    after: str
    pinned: bool
    why: str


def run_report(run: Run) -> pd.DataFrame:
    """Return the report of a finished run's predictions (see metrics.report). Shared: do not change."""
    return _run_report(run, run.changed_ns)


@lru_cache(maxsize=256)
def _run_report(run: Run, _changed_ns: int) -> pd.DataFrame:
    return report(run.predictions)


def split_readable(runs: Iterable[Run]) -> tuple[list[Run], dict[Run, ScalpError]]:
    """Return the finished runs that can be judged, and the damaged ones with their errors.

    One damaged run so never keeps the others from being compared or from answering.
    """
    readable, damaged = [], {}
    for run in runs:
        try:
            check_readable(run)
        except ScalpError as error:
            damaged[run] = error
        else:
            readable.append(run)
    return readable, damaged


def check_readable(run: Run) -> None:
    """Read everything that judging a finished run takes.

    Raises:
        ScalpError: a file cannot be read; the message names it.
    """
    run.check_complete()
    _ = run.predictions, run.parameters, run.preprocessing
    run_report(run)


def score(run: Run, condition: Condition, part: str) -> float | None:
    """Return the quadratic weighted kappa of a run in a split; None where it is undefined."""
    table = run_report(run)
    values = table.loc[(table["condition"] == condition) & (table["part"] == part), "quadratic_weighted_kappa"]
    return float(values.iloc[0]) if values.notna().any() else None


def judged_on(dataset: Dataset) -> list[Run]:
    """Return the finished runs that were judged on the pictures of this dataset, whatever they learned from."""
    return [run for run in finished_runs() if run.evaluation_hash == dataset.evaluation_hash]


def champions() -> dict[Condition, Champion]:
    """Return the champion of every condition that has one. Cheap at every request: computed when runs change."""
    finished, damaged = split_readable(finished_runs())
    for error in damaged.values():
        _log.warning("%s", error)
    finished = [run for run in finished if run.export_failure is None]
    changed = (*(run.changed_ns for run in finished), _changed_ns(_pins_path()))
    return dict(_champions(tuple(finished), _pins_path(), changed))


def _changed_ns(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=4)
def _champions(finished: tuple[Run, ...], _pins: Path, _changed: tuple[int, ...]) -> dict[Condition, Champion]:
    try:
        pinned = pins()
    except ScalpError as error:  # grading goes on with the automatic choice; the pages say why, see `pins`
        _log.warning("%s", error)
        pinned = {}
    candidates = (_champion(condition, finished, pinned.get(condition)) for condition in CONDITIONS)
    return {champion.condition: champion for champion in candidates if champion}


def _champion(condition: Condition, finished: Sequence[Run], pinned: str | None) -> Champion | None:
    grading = [run for run in finished if condition in run.recipe.conditions]
    for run in grading:
        if run.id == pinned:
            return Champion(condition, run, pinned=True)
    best = practically_equal(_comparable(grading, condition), condition)
    return Champion(condition, best[0], pinned=False) if best else None


def practically_equal(runs: Iterable[Run], condition: Condition) -> list[Run]:
    """Return the runs that are practically equal to the best of these on the validation split; the smallest first.

    By size and not by time, so that the same runs answer on every machine.

    Args:
        runs: judged on the same pictures.
    """
    scores = {run: _valid_score(run, condition) for run in runs}
    best = max(scores.values(), default=0.0)
    equal = [run for run, kappa in scores.items() if kappa >= best - NEGLIGIBLE[_KAPPA]]
    return sorted(equal, key=lambda run: (run.parameters, run.created))


def _valid_score(run: Run, condition: Condition) -> float:
    # A constant prediction of a constant truth agrees in nothing beyond chance.
    return score(run, condition, "valid") or 0.0


def _comparable(runs: Sequence[Run], condition: Condition) -> list[Run]:
    """Return the runs judged on the same pictures, some of them labelled for the condition.

    Real pictures go before rendered ones, then the runs judged on most of them, then the latest.
    """
    judged = {run: images for run in runs if (images := _validated(run, condition))}
    if not judged:
        return []
    priority = {run.evaluation_hash: (not run.synthetic_data, images, run.created) for run, images in judged.items()}
    preferred = max(priority, key=lambda evaluation_hash: priority[evaluation_hash])
    return [run for run in judged if run.evaluation_hash == preferred]


def _validated(run: Run, condition: Condition) -> int:
    table = run_report(run)
    return int(table.loc[(table["condition"] == condition) & (table["part"] == "valid"), "images"].sum())


# ---- promotion ----


def _pins_path() -> Path:
    return artifacts_folder() / "champions.json"


def _changes_path() -> Path:
    return artifacts_folder() / "champions.jsonl"


def pins() -> dict[Condition, str]:
    """Read the promoted run's id by condition. A run that is gone, or grades other conditions, changes nothing.

    Raises:
        ScalpError: the file cannot be read; then every choice is automatic.
    """
    try:
        return {Condition(key): str(run_id) for key, run_id in read_json(_pins_path()).items()}
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise forbidden("bad_pins", _pins_path().name, _pins_path().name) from error
    except UNREADABLE as error:
        raise ScalpError(
            "bad_pins",
            f"The file {_pins_path().name} in the folder for runs cannot be read, so nothing counts as promoted. Mend "
            "or remove it.",
            f"실행 폴더의 {_pins_path().name} 파일을 읽을 수 없어 지정된 실행이 모두 무시돼요. 파일을 고치거나 "
            "지우세요.",
        ) from error


def promote(condition: Condition, run: Run, why: str = "") -> None:
    """Let this run answer for the condition from now on, whatever runs finish later.

    Raises:
        ScalpError: it has not finished, does not grade the condition or could not be exported; the folder for runs
            cannot be written.
    """
    if not (run.finished and run.complete and condition in run.recipe.conditions):
        raise ScalpError(
            "not_promotable",
            f"Run “{run.id}” cannot be used for “{condition.text.en}”: it must be finished and grade that condition.",
            f"“{run.id}” 실행은 ‘{condition.text.ko}’에 사용할 수 없어요. 완료되었고 그 증상의 등급을 추정하는 "
            "실행이어야 해요.",
        )
    run.check_exportable()
    _repin(condition, run.id, why)


def unpin(condition: Condition, why: str = "") -> None:
    """Return a condition to the automatic choice.

    Raises:
        ScalpError: the folder for runs cannot be written.
    """
    _repin(condition, None, why)


def _repin(condition: Condition, run_id: str | None, why: str) -> None:
    try:
        with FileLock(artifacts_folder() / ".champions.lock"):  # two at a time would lose one change
            pinned, before = pins(), _champion_id(condition)
            if pinned.get(condition) == run_id:
                return
            earlier = _log_lines(_changes_path())  # one that cannot be read is not overwritten
            others = {key.value: pin for key, pin in pinned.items() if key is not condition}
            write_json(_pins_path(), others | ({condition.value: run_id} if run_id else {}))
            now = datetime.now(UTC).isoformat()
            _log_change(earlier, Change(now, condition, before, _champion_id(condition), run_id is not None, why))
    except OSError as error:
        raise not_writable(error) from error


def _champion_id(condition: Condition) -> str:
    champion = champions().get(condition)
    return champion.run.id if champion else ""


def _log_change(earlier: Iterable[str], change: Change) -> None:
    lines = "".join(f"{line}\n" for line in earlier)
    write_text(_changes_path(), lines + json.dumps(asdict(change), ensure_ascii=False) + "\n")


def _log_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def changes() -> list[Change]:
    """Read all changes of the pins, the latest first. Broken lines are logged and left out."""
    path, history = _changes_path(), []
    try:
        lines = _log_lines(path)
    except OSError as error:
        _log.warning("%s cannot be read: %s", path.name, error)
        return []
    for line in lines:
        try:
            values = json.loads(line)
            history.append(Change(**values | {"condition": Condition(values["condition"])}))
        except UNREADABLE:
            _log.warning("a line of %s cannot be read and is left out", path.name)
    return history[::-1]


def against(run: Run, incumbent: Run, condition: Condition) -> "Differences":
    """Compare `run` with `incumbent` on the validation split, by a paired bootstrap over captures.

    Raises:
        ScalpError: they were not judged on the same pictures, or the dataset that these are of is not here.
    """
    if run.evaluation_hash != incumbent.evaluation_hash:
        raise ScalpError(
            "not_comparable",
            f"Runs “{run.id}” and “{incumbent.id}” were evaluated on different pictures and cannot be compared.",
            f"“{run.id}” 실행과 “{incumbent.id}” 실행은 서로 다른 사진으로 평가되어 비교할 수 없어요.",
        )
    dataset = evaluation_dataset(run)
    changed = (run.changed_ns, incumbent.changed_ns, dataset.version)
    return _difference(run, incumbent, condition, dataset.name, changed)


def evaluation_dataset(run: Run) -> Dataset:
    """Return the dataset with the pictures that a run was evaluated on, whatever set it learned from.

    Raises:
        ScalpError: `no_captures`, it is not on this machine.
    """
    for dataset in list_datasets():
        if dataset.evaluation_hash == run.evaluation_hash:
            return dataset
    raise ScalpError(
        "no_captures",
        f"The pictures that run “{run.id}” was evaluated on are not on this machine: no interval can be computed.",
        f"“{run.id}” 실행을 평가한 사진이 이 컴퓨터에 없어 신뢰 구간을 계산할 수 없어요.",
    )


@lru_cache(maxsize=256)
def _difference(
    run: Run, incumbent: Run, condition: Condition, data: str, _changed: tuple[int, int, int]
) -> "Differences":
    # scipy, which this imports, takes 0.2 s that a server's start need not wait for.
    from scalp_core.metrics import paired_comparison

    dataset = open_dataset(data)
    captures: Mapping[str, object] = dict(zip(dataset.column("id"), dataset.column("capture"), strict=True))
    sides = (counts_by_group(side.predictions, condition, "valid", captures)[None] for side in (run, incumbent))
    return paired_comparison.difference(*sides)
