"""The queue of runs: create them, and list those that wait or train."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from scalp_core.data.dataset import NAME, Dataset, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.paths import artifacts_folder
from scalp_core.runs.recipe import Recipe, bad_field
from scalp_core.runs.run import Run, State, not_writable, utc_now
from scalp_core.runs.store import check_recipe, list_runs, source_run, teacher_run

MAX_WAITING = 100  # runs; a sweep of thirty fits, a stuck key does not
_ID_LETTERS = Text("lower-case letters, digits, “_” and “-”, at most 64", "영문 소문자, 숫자, “_”, “-”, 64자 이내")


def create_run(recipe: Recipe, run_id: str | None = None) -> Run:
    """Create a run: check the recipe and write it. From then on it is queued.

    Without an id, two equal requests create one run: while a run of the same recipe on the same index waits or trains,
    that one is returned.

    Args:
        run_id: for runs with a name of their own; otherwise architecture, time and four random digits.

    Raises:
        ScalpError: the recipe cannot be trained, the id is taken or malformed, the folder cannot be written.
    """
    check_recipe(recipe)
    name = run_id or _new_id(recipe.architecture)
    if not NAME.fullmatch(name):
        raise bad_id(name)
    with creating():  # looking and making are one step
        dataset = open_dataset(recipe.data)
        same = None if run_id else _same_active(recipe, dataset.index_hash)
        return same or _make_run(artifacts_folder() / name, recipe, dataset)


@contextmanager
def creating() -> Iterator[None]:
    """Hold the lock under which runs are created and named, so that none comes or goes meanwhile.

    Raises:
        ScalpError: `not_writable`, the folder for runs cannot be written, now or within.
    """
    try:
        artifacts_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(artifacts_folder() / ".create.lock"):
            yield
    except OSError as error:
        raise not_writable(error) from error


def bad_id(name: str) -> ScalpError:
    """Return the error about a name that a run must not have."""
    return bad_field("id", name, *_ID_LETTERS)


def _same_active(recipe: Recipe, index_hash: str) -> Run | None:
    return next((run for run in active_runs() if run.recipe == recipe and run.index_hash == index_hash), None)


def _make_run(folder: Path, recipe: Recipe, dataset: Dataset) -> Run:
    if sum(run.state.waiting for run in list_runs()) >= MAX_WAITING:
        raise ScalpError(
            "queue_full",
            f"{MAX_WAITING} runs are queued already. Let some finish, or cancel some on the Training runs page.",
            f"이미 {MAX_WAITING}개의 학습이 대기 중이에요. 끝나기를 기다리거나 학습 실행 화면에서 취소하세요.",
        )
    try:
        folder.mkdir()
    except FileExistsError as error:
        name = folder.name
        raise ScalpError("run_exists", f"Run “{name}” exists already.", f"“{name}” 실행이 이미 있어요.") from error
    sources = [source for source in (source_run(recipe), teacher_run(recipe)) if source]
    values = {
        "recipe": asdict(recipe),
        "index_hash": dataset.index_hash,
        "evaluation_hash": dataset.evaluation_hash,
        "synthetic": dataset.synthetic or any(source.synthetic for source in sources),
        "synthetic_data": dataset.synthetic,
        **({"fold": dataset.fold} if dataset.fold else {}),
        "created": utc_now(),
    }
    run = Run(folder)
    run.write_recipe(values)
    return run


def _new_id(architecture: str) -> str:
    name = re.sub(r"[^a-z0-9_]", "-", architecture)[:38]
    return f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def active_runs() -> list[Run]:
    """Return the running run, then the waiting ones in the order in which they are trained."""
    states = [(run, run.state) for run in list_runs()]
    active = [(run, state) for run, state in states if state.active]
    return [run for run, _ in sorted(active, key=lambda entry: entry[1] is not State.RUNNING)]
