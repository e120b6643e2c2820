"""Datasets that runs learned from: which runs are named, and what becomes of them."""

import shutil
from pathlib import Path

import pytest
from conftest import Trained
from support.changed_runs import change_recipe

from scalp_core.data.dataset import Dataset, list_datasets, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import list_candidates
from scalp_core.runs.data_use import delete_dataset, rename_dataset, runs_losing, runs_of
from scalp_core.runs.queue import create_run
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_run


@pytest.fixture
def dataset(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset of this test's own, from which a run learned; another run learned from elsewhere."""
    shutil.copytree(trained.dataset.folder, tmp_path / "data" / "tiny")
    for name in ("mine", "stranger"):
        shutil.copytree(trained.run.folder, tmp_path / "artifacts" / name)
    change_recipe(Run(tmp_path / "artifacts" / "stranger"), {"data": "elsewhere"})
    monkeypatch.setenv("SCALP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SCALP_ARTIFACTS", str(tmp_path / "artifacts"))
    return open_dataset("tiny")


def test_runs_that_name_a_dataset_are_listed(dataset: Dataset) -> None:
    assert [run.id for run in runs_of(dataset)] == ["mine"]
    assert {run.id for run in runs_losing(dataset)} == {"mine", "stranger"}  # both are judged on its pictures
    assert {run.id for run in runs_losing(rename_dataset(dataset, "renamed"))} == {"mine", "stranger"}


def test_runs_are_compared_on_the_renamed_dataset(dataset: Dataset) -> None:
    renamed = rename_dataset(dataset, "renamed")
    models, _ = list_candidates(renamed)
    assert "mine" in [run.id for model in models for run in model.runs]
    assert runs_of(renamed) == []
    assert find_run("mine").recipe.data == "tiny"


def test_runs_outlive_their_dataset(dataset: Dataset) -> None:
    delete_dataset(dataset)
    assert list_datasets() == []
    assert not [path for path in dataset.folder.parent.iterdir() if path.is_dir()]
    run = find_run("mine")
    run.check_complete()
    assert len(run.predictions)


def test_dataset_that_a_run_waits_for_stays(dataset: Dataset) -> None:
    waiting = create_run(find_run("mine").recipe, "waiting")
    for change in (lambda: rename_dataset(dataset, "renamed"), lambda: delete_dataset(dataset)):
        with pytest.raises(ScalpError, match="waiting") as raised:
            change()
        assert raised.value.code == "dataset_needed"
    assert dataset.folder.is_dir()
    waiting.cancel()
    assert rename_dataset(dataset, "renamed").folder.is_dir()
