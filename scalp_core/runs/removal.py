"""Deleting and renaming runs: what hangs on a run, and what is refused."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scalp_core.data.dataset import NAME, list_datasets
from scalp_core.errors import ScalpError
from scalp_core.files import put_away, take_lock
from scalp_core.labels import Condition
from scalp_core.runs import champions
from scalp_core.runs.parents import children_of
from scalp_core.runs.queue import bad_id, creating
from scalp_core.runs.run import Run, not_writable


@dataclass(frozen=True)
class Consequences:
    """Consequences of deleting a run.

    Attributes:
        answers: the conditions that it is in use for.
        children: the runs that started from it.
        size: bytes that its deletion frees.
    """

    answers: tuple[Condition, ...]
    children: tuple[Run, ...]
    size: int


def consequences(run: Run) -> Consequences:
    """Return what hangs on a run."""
    answers = tuple(condition for condition, champion in champions.champions().items() if champion.run == run)
    files = [path for path in run.folder.rglob("*") if path.is_file()] + _features(run)
    return Consequences(answers, tuple(children_of(run)), sum(path.stat().st_size for path in files))


def delete_run(run: Run) -> None:
    """Delete a run and its cached features. Conditions that it was promoted for return to the automatic choice.

    Raises:
        ScalpError: it waits or trains, or a run that waits or trains starts from it; the folder cannot be written.
    """
    _refuse_active(run)
    if needing := [child.id for child in children_of(run) if child.state.active]:
        raise ScalpError(
            "run_needed",
            f"Run “{needing[0]}” is to start from “{run.id}”. Let it finish, or cancel it first.",
            f"“{needing[0]}” 실행이 “{run.id}”에서 시작해요. 끝나기를 기다리거나 먼저 취소하세요.",
        )
    for condition, name in champions.pins().items():
        if name == run.id:
            champions.unpin(condition)
    features = _features(run)
    with champions.logged_elections(), _held(run):
        removed = put_away(run.folder)
    shutil.rmtree(removed, ignore_errors=True)
    for path in features:
        path.unlink(missing_ok=True)


def rename_run(run: Run, name: str) -> Run:
    """Rename a run and return it under its new name. Promotions follow.

    Raises:
        ScalpError: the name is malformed or taken; it waits or trains; another run started from it and names it; the
            folder cannot be written.
    """
    if not NAME.fullmatch(name):
        raise bad_id(name)
    _refuse_active(run)
    if children := children_of(run):
        raise ScalpError(
            "run_needed",
            f"Run “{children[0].id}” started from “{run.id}” and names it, so the name stays.",
            f"“{children[0].id}” 실행이 “{run.id}”에서 시작했고 그 이름을 기록하고 있어 이름을 바꿀 수 없어요.",
        )
    renamed, features = Run(run.folder.with_name(name)), _features(run)
    with _held(run), creating():
        if renamed.folder.exists():
            raise ScalpError("run_exists", f"Run “{name}” exists already.", f"“{name}” 실행이 이미 있어요.")
        run.folder.rename(renamed.folder)
        for path in features:
            path.rename(path.with_name(path.name.replace(f"embedding-{run.id}-", f"embedding-{name}-", 1)))
    champions.move_pins(run.id, name)
    return renamed


def _refuse_active(run: Run) -> None:
    if run.state.active:
        raise ScalpError(
            "run_active",
            f"Run “{run.id}” is {run.state.text.en}. Let it finish, or cancel it first.",
            f"“{run.id}” 실행은 {run.state.text.ko} 상태예요. 끝나기를 기다리거나 먼저 취소하세요.",
        )


@contextmanager
def _held(run: Run) -> Iterator[None]:
    """Hold the lock of a run, so that no training or export works in its folder meanwhile."""
    try:
        lock = take_lock(run.folder / ".lock", 1.0)
        if lock is None:
            raise ScalpError(
                "run_active",
                f"Another process works on run “{run.id}”. Try again in a moment.",
                f"다른 프로세스가 “{run.id}” 실행을 사용하고 있어요. 잠시 뒤에 다시 시도하세요.",
            )
        try:
            yield
        finally:
            os.close(lock)  # which frees it
    except OSError as error:
        raise not_writable(error) from error


def _features(run: Run) -> list[Path]:
    """Return the files of its cached features, in the folders of the datasets."""
    name = re.compile(rf"embedding-{re.escape(run.id)}-[0-9a-f]{{12}}\.parquet")
    folders = [dataset.folder / "cache" for dataset in list_datasets()]
    return [path for folder in folders if folder.is_dir() for path in folder.iterdir() if name.fullmatch(path.name)]
