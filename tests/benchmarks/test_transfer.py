"""The benchmark of transfer: three networks, both test splits, and nothing trained twice."""

import json
from pathlib import Path

import pytest
from conftest import TINY, Folders

from benchmarks import commands
from scalp_core.errors import ScalpError
from scalp_core.runs.store import find_run, list_runs
from scalp_core.synthetic.generate import make_dataset

WORDS = [
    *("transfer", "first", "second", "--epochs", "1", "--conditions", "value_3", "value_6", "--seed", "3"),
    *("--architecture", TINY["architecture"], "--loss", TINY["loss"]),
    *("--image-size", str(TINY["image_size"]), "--batch-size", str(TINY["batch_size"])),
]


def test_each_network_grades_both_test_splits(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, images, seed in (("first", 32, 1), ("second", 64, 2)):
        make_dataset(name, images, seed)
    written = tmp_path / "figures.json"
    assert commands.main([*WORDS, "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    ids = ["transfer-first", "transfer-second", "transfer-second-randomised"]
    assert [(row["run"], row["tested"]) for row in figures["rows"]] == [
        (run_id, name) for run_id in ids for name in ("first", "second")
    ]
    assert all(-1 <= row["mean"] <= 1 for row in figures["rows"])
    assert [find_run(run_id).manifest["augmentation"] for run_id in ids] == ["standard", "standard", "randomised"]
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "| run | tested on |", "erythema", "hair_loss", "| transfer-second-randomised | first |"):
        assert word in printed

    finished = {run.id: run.finished_ns for run in list_runs()}
    assert commands.main([*WORDS]) == 0
    assert {run.id: run.finished_ns for run in list_runs()} == finished
    with pytest.raises(ScalpError, match="another recipe"):
        commands.main([*WORDS[:-1], "4"])
