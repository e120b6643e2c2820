"""The command that tells where evidence points."""

import pytest
from conftest import Trained

from training.pointing import main


def test_table_has_a_row_per_condition(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([trained.run.id, "--data", trained.dataset.name, "--images", "4"]) == 0
    _, ruler, *rows = capsys.readouterr().out.splitlines()
    assert set(ruler) <= set("| -")
    assert [row.split(" | ")[1] for row in rows] == [condition.text.en for condition in trained.run.recipe.conditions]


def test_runs_that_are_not_there_are_named(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere", "--data", trained.dataset.name]) != 0
    assert "nowhere" in capsys.readouterr().err
