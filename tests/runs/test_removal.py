"""Deleting and renaming runs: what is refused, what follows, and what is left behind."""

import shutil
from pathlib import Path

import pytest
from conftest import Trained
from support.changed_runs import change_recipe

from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs import champions
from scalp_core.runs.parents import children_of, compare_with_parent, parent_of
from scalp_core.runs.removal import consequences, delete_run, rename_run
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_run, list_runs


@pytest.fixture
def pair(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Run]:
    """A run, and another that started from it."""
    for name in ("first", "second"):
        shutil.copytree(trained.run.folder, tmp_path / name)
    change_recipe(Run(tmp_path / "second"), {"weights": "run:first"})
    monkeypatch.setenv("SCALP_ARTIFACTS", str(tmp_path))
    return find_run("first"), find_run("second")


def test_parent_and_children_are_named(pair: tuple[Run, Run]) -> None:
    first, second = pair
    assert (parent_of(first), parent_of(second)) == (None, first)
    assert (children_of(first), children_of(second)) == ([second], [])
    comparison = compare_with_parent(second)
    assert comparison is not None
    assert comparison.before == comparison.after  # one and the same network
    assert compare_with_parent(first) is None


def test_taught_run_is_child_of_its_teacher(pair: tuple[Run, Run]) -> None:
    first, second = pair
    change_recipe(second, {"weights": "none", "teacher": "run:first"})
    assert children_of(first) == [find_run("second")]
    assert parent_of(find_run("second")) is None
    with pytest.raises(ScalpError, match="second"):
        rename_run(first, "third")


def test_deletion_frees_what_is_told_and_lets_another_answer(pair: tuple[Run, Run]) -> None:
    first, _ = pair
    condition = Condition("value_2")
    champions.promote(condition, first)
    hanging = consequences(first)
    assert condition in hanging.answers
    assert [child.id for child in hanging.children] == ["second"]
    assert hanging.size == sum(path.stat().st_size for path in first.folder.iterdir())
    delete_run(first)
    assert [run.id for run in list_runs()] == ["second"]
    assert [path.name for path in first.folder.parent.iterdir() if path.is_dir()] == ["second"]
    assert champions.pins() == {}
    assert parent_of(find_run("second")) is None


def test_run_in_progress_and_what_it_starts_from_stay(pair: tuple[Run, Run]) -> None:
    first, second = pair
    (second.folder / "manifest.json").unlink()
    for run, code in ((second, "run_active"), (first, "run_needed")):
        with pytest.raises(ScalpError) as raised:
            delete_run(run)
        assert raised.value.code == code
        assert run.folder.is_dir()


def test_run_that_another_process_works_on_stays(pair: tuple[Run, Run]) -> None:
    _, second = pair
    with second.lock(), pytest.raises(ScalpError, match="second"):
        delete_run(second)
    assert second.folder.is_dir()


def test_promotions_follow_a_new_name(pair: tuple[Run, Run]) -> None:
    _, second = pair
    for condition in CONDITIONS[:2]:
        champions.promote(condition, second)
    renamed = rename_run(second, "renamed")
    assert renamed == find_run("renamed")
    assert set(champions.pins().values()) == {"renamed"}
    assert champions.champions()[CONDITIONS[0]].run == renamed


@pytest.mark.parametrize(("name", "code"), [("first", "run_exists"), ("../out", "bad_recipe"), ("A", "bad_recipe")])
def test_taken_and_malformed_names_are_refused(pair: tuple[Run, Run], name: str, code: str) -> None:
    with pytest.raises(ScalpError) as raised:
        rename_run(pair[1], name)
    assert raised.value.code == code


def test_name_that_another_run_names_stays(pair: tuple[Run, Run]) -> None:
    with pytest.raises(ScalpError, match="second"):
        rename_run(pair[0], "other")
