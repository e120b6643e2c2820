"""Champions: the run that grades each condition, for dashboard and REST alike.

It is the promoted run if one is pinned in `artifacts/champions.json`; otherwise the one that `election` elects on the
validation split. The test split is never used to choose. A run that could not be exported never answers. Every change
is kept in `artifacts/champions.jsonl`.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from scalp_core.data.dataset import Dataset, list_datasets, open_dataset
from scalp_core.errors import ScalpError, Text, forbidden
from scalp_core.files import UNREADABLE, write_text
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import HEADLINE, counts_by_group
from scalp_core.metrics.verdict import NEGLIGIBLE
from scalp_core.paths import artifacts_folder
from scalp_core.runs import election
from scalp_core.runs.election import Shortfall, run_report
from scalp_core.runs.run import Run, not_writable
from scalp_core.runs.store import finished_runs
from scalp_core.seals import parse_sealed_json, read_sealed_json, sealed_json, write_sealed_json
from scalp_core.terms import capitalized

if TYPE_CHECKING:
    from scalp_core.metrics.paired_comparison import Differences

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """The run that answers for a condition, and whether it was promoted."""

    condition: Condition
    run: Run
    pinned: bool

    @property
    def shortfalls(self) -> tuple[Shortfall, ...]:
        """The parts of the floor that it misses: only a promoted run may."""
        return election.shortfalls(self.run, self.condition) if self.pinned else ()


@dataclass(frozen=True)
class PassedOver:
    """The run that would answer for a condition by itself, and the parts of the floor that it misses."""

    condition: Condition
    run: Run
    shortfalls: tuple[Shortfall, ...]

    @property
    def text(self) -> Text:
        """Say so in a sentence."""
        en, ko = (listed(self.shortfalls, language) for language in ("en", "ko"))
        return Text(
            f"{capitalized(self.condition.text).en}: run “{self.run.id}” does not answer by itself ({en}).",
            f"{self.condition.text.ko}: “{self.run.id}” 실행은 자동으로 사용되지 않아요({ko}).",
        )


def listed(shortfalls: Iterable[Shortfall], language: str) -> str:
    """Return shortfalls as part of a sentence."""
    return "; ".join(shortfall.text(language) for shortfall in shortfalls)


@dataclass(frozen=True)
class Change:
    """A change of the run that answers for a condition.

    Attributes:
        time: UTC, ISO 8601.
        before: id of the run that answered until then; empty if there was none.
        after: id of the run that answers from then on; empty if there is none.
        pinned: `after` was promoted; otherwise the choice is automatic again.
        why: the reasons, in words; of an election in English.
        why_ko: the reasons of an election in Korean.
        elected: the automatic choice changed, without a person's decision.
    """

    time: str
    condition: Condition
    before: str
    after: str
    pinned: bool
    why: str
    why_ko: str = ""
    elected: bool = False

    @property
    def reasons(self) -> Text:
        return Text(self.why, self.why_ko or self.why)


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


def judged_on(dataset: Dataset) -> list[Run]:
    """Return the finished runs that were judged on the pictures of this dataset, whatever they learned from."""
    return [run for run in finished_runs() if run.evaluation_hash == dataset.evaluation_hash]


def champions() -> dict[Condition, Champion]:
    """Return the champion of every condition that has one. Cheap at every request: computed when runs change."""
    (answering, _), errors = _current()
    for error in errors:
        _log_once(str(error))
    return dict(answering)


def passed_over() -> dict[Condition, PassedOver]:
    """Return the runs that would answer if they reached the floor; none for promoted conditions."""
    (_, waiting), _ = _current()
    return dict(waiting)


def left_out() -> list[ScalpError]:
    """Return an error for every run that would answer, were its files what was written; the message names it."""
    return _current()[1]


_Outcome = tuple[dict[Condition, Champion], dict[Condition, PassedOver]]


def _current(without: Run | None = None) -> tuple[_Outcome, list[ScalpError]]:
    finished, damaged = split_readable(run for run in finished_runs() if run != without)
    finished, errors = [run for run in finished if run.export_failure is None], list(damaged.values())
    while True:
        changed = (*(run.changed_ns for run in finished), _changed_ns(_pins_path()), election.dataset_versions())
        outcome = _outcome(tuple(finished), _pins_path(), changed)
        spoilt = _with_damaged_weights({champion.run for champion in outcome[0].values()})
        if not spoilt:
            return outcome, errors
        errors += spoilt.values()
        finished = [run for run in finished if run not in spoilt]


@lru_cache(maxsize=256)
def _log_once(sentence: str) -> None:
    _log.warning("%s", sentence)  # this happens at every request


def _with_damaged_weights(runs: Iterable[Run]) -> dict[Run, ScalpError]:
    """Return the runs whose weights are not what was written; they are large, so only those of runs that answer."""
    spoilt = {}
    for run in runs:
        try:
            run.verify()
        except ScalpError as error:
            spoilt[run] = error
    return spoilt


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # missing, or in a folder that may not be read: an error where it is read
        return 0


@lru_cache(maxsize=4)
def _outcome(finished: tuple[Run, ...], _pins: Path, _changed: tuple[object, ...]) -> _Outcome:
    try:
        pinned = pins()
    except ScalpError as error:  # grading goes on with the automatic choice; the pages say why, see `pins`
        _log.warning("%s", error)
        pinned = {}
    answering: dict[Condition, Champion] = {}
    waiting: dict[Condition, PassedOver] = {}
    for condition in CONDITIONS:
        grading = [run for run in finished if condition in run.recipe.conditions]
        if promoted := next((run for run in grading if run.id == pinned.get(condition)), None):
            answering[condition] = Champion(condition, promoted, pinned=True)
            continue
        standing = [run for run in grading if not run.fold]
        elected, preferred = election.elect(standing, condition), election.first_choice(standing, condition)
        if elected:
            answering[condition] = Champion(condition, elected, pinned=False)
        if preferred and preferred != elected and (missing := election.shortfalls(preferred, condition)):
            waiting[condition] = PassedOver(condition, preferred, missing)
    return answering, waiting


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
        return {Condition(key): str(run_id) for key, run_id in read_sealed_json(_pins_path()).items()}
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


def move_pins(before: str, after: str) -> None:
    """Let the promotions of a run that was renamed name it anew.

    Raises:
        ScalpError: the folder for runs cannot be written.
    """
    try:
        with FileLock(artifacts_folder() / ".champions.lock"):
            pinned = pins()
            if before in pinned.values():
                moved = {key.value: after if name == before else name for key, name in pinned.items()}
                write_sealed_json(_pins_path(), moved)
    except OSError as error:
        raise not_writable(error) from error


def _repin(condition: Condition, run_id: str | None, why: str) -> None:
    try:
        with FileLock(artifacts_folder() / ".champions.lock"):  # two at a time would lose one change
            pinned, before = pins(), _champion_id(condition)
            if pinned.get(condition) == run_id:
                return
            earlier = _log_lines(_changes_path())  # one that cannot be read is not overwritten
            others = {key.value: pin for key, pin in pinned.items() if key is not condition}
            write_sealed_json(_pins_path(), others | ({condition.value: run_id} if run_id else {}))
            now = datetime.now(UTC).isoformat()
            after = _champion_id(condition)
            _log_changes(earlier, [Change(now, condition, before, after, run_id is not None, why)])
    except OSError as error:
        raise not_writable(error) from error


def _champion_id(condition: Condition) -> str:
    champion = champions().get(condition)
    return champion.run.id if champion else ""


def _log_changes(earlier: Iterable[str], changed: Iterable[Change]) -> None:
    lines = [*(f"{line}\n" for line in earlier), *(sealed_json(asdict(change)).decode() for change in changed)]
    write_text(_changes_path(), "".join(lines))


def _log_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def log_finished(run: Run) -> None:
    """Keep in the log what a run that has just finished changes in the automatic choice."""
    (before, _), _ = _current(without=run)
    _log_elections(before, champions())


@contextmanager
def logged_elections() -> Iterator[None]:
    """Keep in the log what changes within in the automatic choice, as when an operating point is replaced."""
    before = champions()
    yield
    _log_elections(before, champions())


def _log_elections(before: Mapping[Condition, Champion], after: Mapping[Condition, Champion]) -> None:
    """Log the differences. What cannot be written is left out: who answers does not hang on it."""
    now = datetime.now(UTC).isoformat()
    changed = [change for condition in CONDITIONS if (change := _election(now, condition, before, after))]
    if not changed:
        return
    try:
        with FileLock(artifacts_folder() / ".champions.lock"):
            _log_changes(_log_lines(_changes_path()), changed)
    except OSError as error:
        _log.warning("who answers has changed, which could not be kept in %s: %s", _changes_path().name, error)


def _election(
    now: str, condition: Condition, before: Mapping[Condition, Champion], after: Mapping[Condition, Champion]
) -> Change | None:
    old, new = (
        None if (champion := champions.get(condition)) is None else champion.run for champions in (before, after)
    )
    if old == new:
        return None
    why, (old_id, new_id) = _reasons(condition, old, new), (run.id if run else "" for run in (old, new))
    return Change(now, condition, old_id, new_id, pinned=False, why=why.en, why_ko=why.ko, elected=True)


def _reasons(condition: Condition, old: Run | None, new: Run | None) -> Text:
    """Say why the automatic choice went from one run to the other."""
    if new is None:
        return Text("no run reaches the floor any more", "기준을 충족하는 실행이 더는 없음")
    reached = election.score(new, condition, "valid") or 0.0
    if old is None:
        return Text(f"it reaches the floor, validation QWK {reached:.3f}", f"기준을 충족함, 검증 QWK {reached:.3f}")
    if old.synthetic_data and not new.synthetic_data:
        return Text("it is judged on real pictures", "실제 사진으로 평가됨")
    if old.evaluation_hash != new.evaluation_hash:
        images, earlier = (election.validation_images(run, condition) for run in (new, old))
        return Text(
            f"it is judged on other pictures, {images:,} of validation instead of {earlier:,}",
            f"다른 사진으로 평가됨, 검증 사진 {earlier:,}장 대신 {images:,}장",
        )
    left = election.score(old, condition, "valid") or 0.0
    if reached - left > NEGLIGIBLE[HEADLINE]:
        return Text(
            f"validation QWK {reached:.3f} instead of {left:.3f}", f"검증 QWK {left:.3f}보다 높은 {reached:.3f}"
        )
    return Text(
        f"validation QWK {reached:.3f} and {left:.3f}: by the best of all runs and size",
        f"검증 QWK {reached:.3f}, 이전 {left:.3f}: 최고 실행과의 차이와 크기로 고름",
    )


def changes() -> list[Change]:
    """Read all changes of the run that answers, the latest first. Broken lines are logged and left out."""
    path, history = _changes_path(), []
    try:
        lines = _log_lines(path)
    except OSError as error:
        _log.warning("%s cannot be read: %s", path.name, error)
        return []
    for line in lines:
        try:
            values = parse_sealed_json(f"{line}\n".encode())
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
