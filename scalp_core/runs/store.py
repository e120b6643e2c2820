"""The store of runs: list and find them, and check what a recipe refers to."""

import logging

from scalp_core.architectures import NAMED_WEIGHTS, check_architecture, packaged_file, weights_file
from scalp_core.data.dataset import open_dataset
from scalp_core.errors import ScalpError, Text, forbidden
from scalp_core.files import UNREADABLE, folders_with
from scalp_core.paths import artifacts_folder
from scalp_core.runs.recipe import Recipe, bad_field
from scalp_core.runs.run import Run, State
from scalp_core.runs.training_labels import learned_pictures_count, trainable_conditions

_log = logging.getLogger(__name__)

_SUCH_A_RUN = Text("a finished run of the same architecture", "같은 구조로 완료된 실행")
_SUCH_A_TEACHER = Text(
    "“run:NAME” of a finished run that grades these conditions", "이 증상들을 추정하는 완료된 실행의 “run:이름”"
)
_LABELS_WEIGHED = Text(
    "above 0 for a condition that training pictures have labels for", "학습 사진에 라벨이 있는 증상에서 0보다 큰 값"
)
_NO_CUES = Text("0 for photographs: where their cues lie is not known", "증상 위치를 알 수 없는 실제 사진에서는 0")
_RUN = "run:"  # begins a recipe's `weights` or `teacher` that name another run


def check_recipe(recipe: Recipe) -> None:
    """Check that a recipe can be trained here: its fields, architecture, weights, and the labels and cues of its
    dataset.

    Raises:
        ScalpError: `bad_recipe`, `no_dataset` and the like, at the first thing that is wrong.
    """
    recipe.check()
    check_architecture(recipe.architecture)
    _check_weights(recipe)
    _check_teacher(recipe)
    _check_labels(recipe)
    _check_cues(recipe)


def source_run(recipe: Recipe) -> Run | None:
    """Return the run whose weights a recipe starts from (`weights="run:NAME"`), or None.

    Raises:
        ScalpError: `no_run`, there is none of that name.
    """
    return find_run(recipe.weights.removeprefix(_RUN)) if recipe.weights.startswith(_RUN) else None


def teacher_run(recipe: Recipe) -> Run | None:
    """Return the run that a recipe's network is taught by beside the labels (`teacher="run:NAME"`), or None.

    Raises:
        ScalpError: `no_run`, there is none of that name.
    """
    return find_run(recipe.teacher.removeprefix(_RUN)) if recipe.teacher else None


def _check_weights(recipe: Recipe) -> None:
    if recipe.weights == "packaged":
        packaged_file(recipe.architecture)
    if recipe.weights in NAMED_WEIGHTS:
        return
    source = source_run(recipe)
    if source is None:
        weights_file(recipe.weights)
    elif not source.finished or source.recipe.architecture != recipe.architecture:
        raise bad_field("weights", recipe.weights, *_SUCH_A_RUN)


def _check_teacher(recipe: Recipe) -> None:
    if not recipe.teacher:
        return
    teacher = teacher_run(recipe) if recipe.teacher.startswith(_RUN) else None
    if teacher is None or not teacher.finished or not set(recipe.conditions) <= set(teacher.recipe.conditions):
        raise bad_field("teacher", recipe.teacher, *_SUCH_A_TEACHER)


def _check_labels(recipe: Recipe) -> None:
    trainable = trainable_conditions(open_dataset(recipe.data))
    unlabelled = [condition.value for condition in recipe.conditions if condition not in trainable]
    if unlabelled:
        raise bad_field(
            "conditions",
            ", ".join(unlabelled),
            f"conditions for which “{recipe.data}” has labels to train on and to validate on"
            + (f": {', '.join(trainable)}" if trainable else ", and it has none"),
            f"“{recipe.data}”의 학습 분할과 검증 분할에 라벨이 있는 증상"
            + (f": {', '.join(trainable)}" if trainable else "(하나도 없어요)"),
        )
    if not learned_pictures_count(recipe)[0]:
        raise bad_field("condition_weights", recipe.condition_weights, *_LABELS_WEIGHED)


def _check_cues(recipe: Recipe) -> None:
    if recipe.mask_weight and not open_dataset(recipe.data).synthetic:
        raise bad_field("mask_weight", recipe.mask_weight, *_NO_CUES)


def list_runs() -> list[Run]:
    """Return all runs in order of creation. A folder whose recipe cannot be read is left out; see `damaged_runs`."""
    return [run for _, _, run in sorted(_all_runs()[0], key=lambda entry: entry[:2])]


def damaged_runs() -> list[ScalpError]:
    """Return an error for every run that is left out as a file of it is damaged; the message names both.

    Also for every finished run that is not left out, but decides or checks pictures otherwise since it is damaged.
    """
    runs, damaged = _all_runs()
    return damaged + [error for _, _, run in runs if run.finished for error in _damages(run)]


def _damages(run: Run) -> list[ScalpError]:
    try:
        run.check_complete()
    except ScalpError as error:
        return [error]
    return [error for error in (run.operating_point_damage, run.gate_damage) if error]


def _all_runs() -> tuple[list[tuple[str, str, Run]], list[ScalpError]]:
    runs: list[tuple[str, str, Run]] = []
    damaged: list[ScalpError] = []
    try:
        folders = folders_with("recipe.json", artifacts_folder())
    except PermissionError:
        return [], [forbidden("damaged_recipe", f"The folder for runs, {artifacts_folder()},", "실행 폴더")]
    for run in map(Run, folders):
        try:
            runs.append((run.created, run.id, run))
        except FileNotFoundError:  # removed meanwhile
            continue
        except UNREADABLE as error:
            _log.warning("recipe.json of run %s cannot be read; the run is left out", run.id)
            damaged.append(_left_out(run.id, error))
    return runs, damaged


def _left_out(name: str, error: Exception) -> ScalpError:
    if isinstance(error, PermissionError):
        return forbidden("damaged_recipe", f"Run “{name}” is left out: recipe.json", f"“{name}” 실행의 recipe.json")
    return ScalpError(
        "damaged_recipe",
        f"recipe.json of run “{name}” cannot be read; the run is left out. Restore the file, or remove the folder.",
        f"“{name}” 실행의 recipe.json을 읽을 수 없어 목록에서 제외했어요. 파일을 복원하거나 폴더를 지우세요.",
    )


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
    raise no_run(run_id)


def no_run(run_id: str) -> ScalpError:
    """Return the error that there is no run of that id."""
    return ScalpError("no_run", f"There is no run “{run_id[:80]}”.", f"“{run_id[:80]}” 실행이 없어요.")


def find_finished(run_id: str) -> Run:
    """Return the finished run of that id.

    Raises:
        ScalpError: `no_run`; `run_not_finished`, or finished and not whole any more.
    """
    run = find_run(run_id)
    if not run.finished:
        raise not_finished(run.id, run.state)
    run.check_complete()
    return run


def not_finished(run_id: str, state: State) -> ScalpError:
    """Return the error of a run that is still in this state."""
    return ScalpError(
        "run_not_finished",
        f"Run “{run_id}” has not finished ({state.text.en}); only finished runs can be used.",
        f"“{run_id}” 실행이 아직 완료되지 않았어요({state.text.ko}). 완료된 실행만 사용할 수 있어요.",
    )
