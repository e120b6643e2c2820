"""Who answers: the run that grades each condition, for page and REST alike. Knows no pixels.

A promoted run if one is pinned in `artifacts/champions.json`; otherwise the best finished run on the validation part,
the smallest among those practically equal to it. The test part is never used to choose. Every change of the pins is
kept in `artifacts/champions.jsonl`.
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
from scalp_core.errors import ScalpError
from scalp_core.files import read_json, write_json, write_text
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import METRICS, counts_by_group, report
from scalp_core.paths import artifacts_folder
from scalp_core.runs.run import Run, not_writable
from scalp_core.runs.store import finished_runs

if TYPE_CHECKING:
    from scalp_core.metrics.paired_comparison import Differences

_KAPPA = METRICS["quadratic_weighted_kappa"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """The run that answers for a condition, and whether somebody chose it."""

    condition: Condition
    run: Run
    pinned: bool


@dataclass(frozen=True)
class Change:
    """Somebody's decision about who answers for a condition.

    Attributes:
        time: UTC, ISO 8601.
        before: id of the run that answered until then; empty if there was none.
        after: id of the run that answers from then on; likewise.
        pinned: `after` was promoted; otherwise it is back to the automatic choice.
        why: what the decision rested on, in words.
    """

    time: str
    condition: Condition
    before: str
    after: str
    pinned: bool
    why: str


def run_report(run: Run) -> pd.DataFrame:
    """The report of a finished run's predictions (see evaluate.report). Shared: do not change."""
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
    """Raises ScalpError, which names the file, unless all that judging a finished run takes can be read."""
    run.check_complete()
    _ = run.predictions, run.parameters
    run_report(run)


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
    finished, damaged = split_readable(finished_runs())
    for error in damaged.values():
        _log.warning("%s", error)
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
    found = (_champion(condition, finished, pinned.get(condition)) for condition in CONDITIONS)
    return {champion.condition: champion for champion in found if champion}


def _champion(condition: Condition, finished: Sequence[Run], pinned: str | None) -> Champion | None:
    able = [run for run in finished if condition in run.recipe.conditions]
    for run in able:
        if run.id == pinned:
            return Champion(condition, run, pinned=True)
    chosen = equals(_rivals(able, condition), condition)
    return Champion(condition, chosen[0], pinned=False) if chosen else None


def equals(runs: Iterable[Run], condition: Condition) -> list[Run]:
    """Those that nobody would tell apart from the best of these runs on the validation part; the smallest first.

    By size and not by time, so that the same runs answer on every machine.

    Args:
        runs: judged on the same pictures.
    """
    scores = {run: _valid_score(run, condition) for run in runs}
    near = [run for run, reached in scores.items() if reached >= max(scores.values()) - _KAPPA.negligible]
    return sorted(near, key=lambda run: (run.parameters, run.created))


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


# ---- promotion ----


def _pins_path() -> Path:
    return artifacts_folder() / "champions.json"


def _changes_path() -> Path:
    return artifacts_folder() / "champions.jsonl"


def pins() -> dict[Condition, str]:
    """The promoted run's id by condition. A run that is gone, or grades something else, changes nothing.

    Raises:
        ScalpError: the file cannot be read; then every choice is automatic.
    """
    try:
        written = read_json(_pins_path())
        return {Condition(key): str(run_id) for key, run_id in written.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise ScalpError(
            "bad_pins",
            f"The file {_pins_path().name} in the folder for runs cannot be read, so nothing counts as promoted. Mend "
            "or remove it.",
            f"실행 폴더의 {_pins_path().name} 파일을 읽을 수 없어 지정된 실행이 모두 무시돼요. 파일을 고치거나 "
            "지우세요.",
        ) from error


def promote(condition: Condition, run: Run, why: str = "") -> None:
    """From now on this run answers for the condition, whatever comes after it.

    Raises:
        ScalpError: it has not finished or does not grade the condition; the folder for runs cannot be written.
    """
    if not (run.finished and run.complete and condition in run.recipe.conditions):
        raise ScalpError(
            "not_promotable",
            f"Run “{run.id}” cannot answer for “{condition.text.en}”: it must have finished and grade that condition.",
            f"“{run.id}” 실행은 ‘{condition.text.ko}’에 사용할 수 없어요. 완료되었고 그 증상의 등급을 추정하는 "
            "실행이어야 해요.",
        )
    _repin(condition, run.id, why)


def unpin(condition: Condition, why: str = "") -> None:
    """Back to the automatic choice.

    Raises:
        ScalpError: the folder for runs cannot be written.
    """
    _repin(condition, None, why)


def _repin(condition: Condition, run_id: str | None, why: str) -> None:
    try:
        with FileLock(artifacts_folder() / ".champions.lock"):  # of two at a time neither loses the other's change
            pinned, before = pins(), _answering(condition)
            if pinned.get(condition) == run_id:
                return
            others = {key.value: pin for key, pin in pinned.items() if key is not condition}
            write_json(_pins_path(), others | ({condition.value: run_id} if run_id else {}))
            now = datetime.now(UTC).isoformat()
            _remember(Change(now, condition, before, _answering(condition), run_id is not None, why))
    except OSError as error:
        raise not_writable(error) from error


def _answering(condition: Condition) -> str:
    champion = champions().get(condition)
    return champion.run.id if champion else ""


def _remember(change: Change) -> None:
    path = _changes_path()
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, written + json.dumps(asdict(change), ensure_ascii=False) + "\n")


def changes() -> list[Change]:
    """What was promoted and taken back, the latest first. A line that somebody broke is left out; the log says so."""
    path, found = _changes_path(), []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            values = json.loads(line)
            found.append(Change(**values | {"condition": Condition(values["condition"])}))
        except (ValueError, LookupError, TypeError):
            _log.warning("a line of %s cannot be read and is left out", path.name)
    return found[::-1]


def against(run: Run, incumbent: Run, condition: Condition) -> "Differences":
    """What `run` reaches beyond `incumbent` on the validation part: paired bootstrap over captures (see compare).

    Raises:
        ScalpError: they were not judged on the same pictures, or the data set that these are of is not here.
    """
    pictures = _pictures_of(finished_runs())
    if pictures[run] != pictures[incumbent]:
        raise ScalpError(
            "not_comparable",
            f"Runs “{run.id}” and “{incumbent.id}” were judged on other pictures and cannot be compared.",
            f"“{run.id}” 실행과 “{incumbent.id}” 실행은 서로 다른 사진으로 평가되어 비교할 수 없어요.",
        )
    dataset = _dataset_of(run, pictures[run])
    changed = (run.changed_ns, incumbent.changed_ns, dataset.version)
    return _against(run, incumbent, condition, dataset.name, changed)


def _dataset_of(run: Run, pictures: str) -> Dataset:
    """The data set that knows which capture the pictures belong to that a run was judged on."""
    for dataset in list_datasets():
        if {dataset.evaluation_hash, dataset.index_hash} & {pictures, run.evaluation_hash}:
            return dataset
    raise ScalpError(
        "no_captures",
        f"The pictures that run “{run.id}” was judged on are not on this machine, so nothing is known of how far "
        "chance goes.",
        f"“{run.id}” 실행을 평가한 사진이 이 컴퓨터에 없어 우연의 범위를 계산할 수 없어요.",
    )


@lru_cache(maxsize=256)
def _against(
    run: Run, incumbent: Run, condition: Condition, data: str, _changed: tuple[int, int, int]
) -> "Differences":
    # Answers are given without it: scipy, which comes along, takes 0.2 s that a server's start need not wait for.
    from scalp_core.metrics import paired_comparison

    dataset = open_dataset(data)
    captures: Mapping[str, object] = dict(zip(dataset.column("id"), dataset.column("capture"), strict=True))
    sides = (counts_by_group(one.predictions, condition, "valid", captures)[None] for one in (run, incumbent))
    return paired_comparison.difference(*sides)
