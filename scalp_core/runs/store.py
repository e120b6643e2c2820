"""The store of runs: list, find and create them, and check what a recipe refers to."""

import logging
import re
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from scalp_core.architectures import weights_file
from scalp_core.data.dataset import NAME, Dataset, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.files import write_json
from scalp_core.paths import artifacts_folder
from scalp_core.runs.recipe import Recipe, bad_field
from scalp_core.runs.run import Run, State, not_writable, utc_now

_log = logging.getLogger(__name__)

MAX_WAITING = 100  # runs; a sweep of thirty fits, a stuck key does not
_SUCH_A_RUN = Text("a finished run of the same architecture", "같은 구조로 완료된 실행")
_RUN = "run:"  # begins a recipe's `weights` that name another run
_ID_LETTERS = Text("lower-case letters, digits, “_” and “-”, at most 64", "영문 소문자, 숫자, “_”, “-”, 64자 이내")


def check_recipe(recipe: Recipe) -> None:
    """Check that a recipe can be trained here: its fields, its weights, and the labels of its dataset.

    Raises:
        ScalpError: `bad_recipe`, `no_dataset` and the like, at the first thing that is wrong.
    """
    recipe.check()
    _check_weights(recipe)
    _check_labels(recipe)


def source_run(recipe: Recipe) -> Run | None:
    """Return the run whose weights a recipe starts from (`weights="run:NAME"`), or None.

    Raises:
        ScalpError: `no_run`, there is none of that name.
    """
    return find_run(recipe.weights.removeprefix(_RUN)) if recipe.weights.startswith(_RUN) else None


def _check_weights(recipe: Recipe) -> None:
    if recipe.weights in ("none", "pretrained"):
        return
    source = source_run(recipe)
    if source is None:
        weights_file(recipe.weights)
    elif not source.finished or source.recipe.architecture != recipe.architecture:
        raise bad_field("weights", recipe.weights, *_SUCH_A_RUN)


def _check_labels(recipe: Recipe) -> None:
    index = open_dataset(recipe.data).index
    for condition in recipe.conditions:
        labelled = index.loc[index[condition.value].notna(), "part"]
        if not {"train", "valid"} <= set(labelled):
            raise bad_field(
                "conditions",
                condition.value,
                f"conditions for which “{recipe.data}” has labels to train on and to validate on",
                f"“{recipe.data}”의 학습 분할과 검증 분할에 라벨이 있는 증상",
            )


def list_runs() -> list[Run]:
    """Return all runs in order of creation. A folder whose recipe cannot be read is left out and logged."""
    runs = []
    for path in artifacts_folder().glob("*/recipe.json"):
        run = Run(path.parent)
        try:
            runs.append((run.created, run.id, run))
        except (OSError, ValueError, LookupError, TypeError):
            _log.warning("recipe.json of run %s cannot be read; the run is left out", run.id)
    return [run for _, _, run in sorted(runs, key=lambda entry: entry[:2])]


def finished_runs() -> list[Run]:
    """Return finished runs with all their files, in order of creation: those that can be compared and can answer."""
    return [run for run in list_runs() if run.finished and run.complete]


def find_run(run_id: str) -> Run:
    """Return the run of that id.

    Raises:
        ScalpError: there is none.
    """
    for run in list_runs():
        if run.id == run_id:
            return run
    raise ScalpError("no_run", f"There is no run “{run_id[:80]}”.", f"“{run_id[:80]}” 실행이 없어요.")


def find_finished(run_id: str) -> Run:
    """Return the finished run of that id.

    Raises:
        ScalpError: `no_run`; `run_not_finished`, or finished and not whole any more.
    """
    run = find_run(run_id)
    if not run.finished:
        raise ScalpError(
            "run_not_finished",
            f"Run “{run.id}” has not finished ({run.state.text.en}); only finished runs can be used.",
            f"“{run.id}” 실행이 아직 완료되지 않았어요({run.state.text.ko}). 완료된 실행만 사용할 수 있어요.",
        )
    run.check_complete()
    return run


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
        raise bad_field("id", name, *_ID_LETTERS)
    dataset, folder = open_dataset(recipe.data), artifacts_folder() / name
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / ".create.lock"):  # looking and making are one step
            same = None if run_id else _same_active(recipe, dataset.index_hash)
            return same or _make_run(folder, recipe, dataset)
    except OSError as error:
        raise not_writable(error) from error


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
    values = {
        "recipe": asdict(recipe),
        "index_hash": dataset.index_hash,
        "evaluation_hash": dataset.evaluation_hash,
        "synthetic": dataset.synthetic,
        "created": utc_now(),
    }
    write_json(folder / "recipe.json", values)
    return Run(folder)


def _new_id(architecture: str) -> str:
    name = re.sub(r"[^a-z0-9_]", "-", architecture)[:38]
    return f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def active_runs() -> list[Run]:
    """Return the running run, then the waiting ones in the order in which they are trained."""
    states = [(run, run.state) for run in list_runs()]
    active = [(run, state) for run, state in states if state.active]
    return [run for run, _ in sorted(active, key=lambda entry: entry[1] is not State.RUNNING)]
