"""Renaming and deleting datasets that runs learned from: which runs name one, and when it is refused."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from scalp_core.data import removal
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.runs.queue import active_runs, creating
from scalp_core.runs.run import Run
from scalp_core.runs.store import list_runs


def runs_of(dataset: Dataset) -> list[Run]:
    """Return the runs whose recipe names the dataset, in order of creation."""
    return [run for run in list_runs() if run.recipe.data == dataset.name]


def runs_losing(dataset: Dataset) -> list[Run]:
    """Return the runs that lose their pictures with the dataset: those that name it, and those judged on the same."""
    judged = dataset.evaluation_hash
    return [run for run in list_runs() if run.recipe.data == dataset.name or run.evaluation_hash == judged]


def delete_dataset(dataset: Dataset) -> None:
    """Delete a dataset. Runs that learned from it keep their weights and predictions.

    Raises:
        ScalpError: `dataset_needed`, a run waits or trains on it; as `removal.take_away`.
    """
    with _unneeded(dataset):
        removed = removal.take_away(dataset)
    shutil.rmtree(removed, ignore_errors=True)


def rename_dataset(dataset: Dataset, name: str) -> Dataset:
    """Rename a dataset and return it. Recipes keep the old name; comparisons find its pictures by their hash.

    Raises:
        ScalpError: `dataset_needed`, a run waits or trains on it; as `removal.rename`.
    """
    with _unneeded(dataset):
        return removal.rename(dataset, name)


@contextmanager
def _unneeded(dataset: Dataset) -> Iterator[None]:
    """Let no run be created meanwhile, and refuse where one waits for the dataset or trains on it."""
    with creating():
        if needing := [run for run in active_runs() if run.recipe.data == dataset.name]:
            raise _needed(dataset, needing[0])
        yield


def _needed(dataset: Dataset, run: Run) -> ScalpError:
    return ScalpError(
        "dataset_needed",
        f"Run “{run.id}” learns from “{dataset.name}” and is {run.state.text.en}. Let it finish, or cancel it first.",
        f"“{run.id}” 실행({run.state.text.ko})이 “{dataset.name}” 데이터셋으로 학습해요. 끝나기를 기다리거나 먼저 "
        "취소하세요.",
    )
