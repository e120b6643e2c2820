"""The benchmark of transfer: three networks, both test splits, and nothing trained twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TINY, Folders
from support.same_process import train_in_this_process
from support.training_fixtures import train_run

from benchmarks import commands
from scalp_core.errors import ScalpError
from scalp_core.labels import Condition
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.store import find_run, list_runs
from scalp_core.synthetic.generate import make_dataset

WORDS = [
    *("transfer", "first", "second", "--epochs", "2", "--conditions", "value_3", "value_6"),
    *("--architecture", TINY["architecture"], "--loss", TINY["loss"]),
    *("--image-size", str(TINY["image_size"]), "--batch-size", str(TINY["batch_size"])),
]
RECIPE = Recipe(
    **{**TINY, "data": "first"},
    conditions=(Condition.ERYTHEMA, Condition.HAIR_LOSS),
    epochs=2,
    patience=0,
    augmentation="standard",
)


def test_each_network_grades_both_test_splits(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train_in_this_process(monkeypatch)
    for name, images, seed in (("first", 32, 1), ("second", 64, 2)):
        make_dataset(name, images, seed, processes=1)
    train_run(create_run(RECIPE, "transfer-first"))
    # Half as many epochs, as an epoch has twice as many steps.
    train_run(create_run(replace(RECIPE, data="second", epochs=1), "transfer-second"))
    finished = {run.id: run.finished_ns for run in list_runs()}
    written = tmp_path / "figures.json"
    assert commands.main([*WORDS, "--json", str(written)]) == 0
    assert {run_id: find_run(run_id).finished_ns for run_id in finished} == finished

    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    ids = ["transfer-first", "transfer-second", "transfer-second-randomised"]
    assert [(row["run"], row["tested"]) for row in figures["rows"]] == [
        (run_id, name) for run_id in ids for name in ("first", "second")
    ]
    assert {row["pictures"] for row in figures["rows"]} == {
        int((find_run(run_id).raw_predictions["part"] == "test").sum() / 2) for run_id in ids
    }
    assert all(-1 <= row["mean"] <= 1 for row in figures["rows"])
    kappas = [row[code] for row in figures["rows"] for code in ("value_3", "value_6")]
    assert all(kappa is None or -1 <= kappa <= 1 for kappa in kappas)  # None: nothing but one grade
    assert [find_run(run_id).manifest["augmentation"] for run_id in ids] == ["standard", "standard", "randomised"]
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "| run | tested on |", "erythema", "hair_loss", "| transfer-second-randomised | first |"):
        assert word in printed
    with pytest.raises(ScalpError, match="another recipe"):
        commands.main([*WORDS, "--seed", "4"])
