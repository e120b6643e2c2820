"""`python -m training.train`, `training.sweep` and `training.report` as a user types them."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from conftest import ROOT, Folders, processes, until

from scalp_core.architectures import FAMILIES, family
from scalp_core.dataset import Dataset
from scalp_core.labels import CONDITIONS
from scalp_core.runs import State, find_run, list_runs
from scalp_core.synthetic import plan_pictures
from training import demo, report, train

TINY_FLAGS = ["--data", "tiny", "--architecture", "test_efficientnet", "--weights", "none", "--image-size", "64"]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_train_interrupt_resume_and_report(tiny: Dataset, folders: Folders) -> None:
    command = start("training.train", *TINY_FLAGS, "--epochs", "25", "--conditions", "dandruff", "6", "--name", "mine")
    until(lambda: list_runs() and len(find_run("mine").history) >= 1)
    os.killpg(command.pid, signal.SIGINT)  # as Ctrl-C does: to everything of that terminal
    output, errors = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "--resume mine" in output
    assert "Traceback" not in errors
    run = find_run("mine")
    until(lambda: run.state is State.PAUSED)
    assert [condition.code for condition in run.recipe.conditions] == ["dandruff", "hair_loss"]
    assert 1 <= len(run.history) < 25

    command = start("training.train", "--resume", "mine")
    output, errors = command.communicate(timeout=120)
    assert command.returncode == 0, errors
    assert "finished in" in output
    assert "epoch  25" in output + errors
    assert run.state is State.FINISHED

    command = start("training.report", "--json", "--data", "tiny")
    output, errors = command.communicate(timeout=60)
    assert command.returncode == 0, errors
    (told,) = json.loads(output)
    assert (told["run"], told["architecture"], told["synthetic"]) == ("mine", "test_efficientnet", True)
    assert told["index_hash"] == tiny.index_hash
    assert {(row["condition"], row["part"]) for row in told["metrics"]} == {
        (condition, part) for condition in ("value_5", "value_6") for part in ("valid", "calib", "test")
    }
    for row in told["metrics"]:
        assert sum(map(sum, row["confusion_truth_by_prediction"])) == row["images"] > 0
        assert 0 <= row["accuracy"] <= 1
    until(lambda: not processes("scalp_core.train", str(run.folder)))


WRONG = [
    ["--lr", "nan"],
    ["--lr", "fast"],
    ["--epochs", "0"],
    ["--epochs", "2.5"],
    ["--image-size", "100"],
    ["--batch-size", "-3"],
    ["--conditions", "value_9"],
    ["--conditions", "dandruff", "value_5"],
    ["--data", "absent"],
    ["--data", "../tiny"],
    ["--architecture", "a/b"],
    ["--augmentation", "wild"],
    ["--precision", "double"],
    ["--name", "../mine"],
    ["--resume", "absent"],
    ["--no-such-flag"],
]


@pytest.mark.parametrize("flags", WRONG, ids=" ".join)
def test_a_wrong_flag_ends_with_two_and_a_sentence(
    flags: list[str], tiny: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.train", *TINY_FLAGS, *flags])
    try:
        code = train.main()
    except SystemExit as end:  # argparse's own way
        code = end.code
    assert code == 2
    errors = capsys.readouterr().err
    assert errors.strip()
    assert "Traceback" not in errors
    assert list_runs() == []


def test_help_names_every_field_of_a_recipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.train", "--help"])
    with pytest.raises(SystemExit) as end:
        train.main()
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert all(flag in told for flag in ("--architecture", "--image-size", "--lr", "--weights", "--resume"))


def test_a_report_without_runs_says_what_to_do(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report", "--json"])
    assert report.main() == 1
    assert "training.train" in capsys.readouterr().err


@pytest.mark.usefixtures("trained")
def test_a_report_for_people_says_that_the_pictures_are_synthetic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report"])
    assert report.main() == 0
    told = capsys.readouterr().out
    assert "SYNTHETIC" in told
    assert "QWK" in told
    assert "hair_loss" in told


def test_a_sweep_trains_every_architecture_and_repeats_none(tiny: Dataset) -> None:
    words = ["training.sweep", *TINY_FLAGS[:2], *TINY_FLAGS[4:], "--epochs", "1", "--prefix", "all"]
    words += ["--architectures", "test_efficientnet", "test_resnet", "--conditions", "dandruff"]
    command = start(*words)
    _, errors = command.communicate(timeout=180)
    assert command.returncode == 0, errors
    runs = {run.id: run for run in list_runs()}
    assert set(runs) == {"all-test_efficientnet", "all-test_resnet"}
    assert all(run.state is State.FINISHED and run.recipe.epochs == 1 for run in runs.values())
    finished = {name: run.finished_ns for name, run in runs.items()}

    command = start(*words)
    command.communicate(timeout=60)
    assert command.returncode == 0
    assert {run.id: run.finished_ns for run in list_runs()} == finished

    command = start(*words, "--seed", "5")
    _, errors = command.communicate(timeout=60)
    assert command.returncode == 2
    assert "--prefix" in errors


def test_the_shipped_runs_are_one_of_each_family_on_the_demonstration_s_pictures() -> None:
    recipes = demo.RECIPES
    assert [family(recipe.architecture) for recipe in recipes.values()] == list(FAMILIES)
    for recipe in recipes.values():
        assert (recipe.data, recipe.conditions, recipe.weights) == (demo.TRAINING_NAME, CONDITIONS, "none")
    shown = plan_pictures(demo.IMAGES, demo.SEED, evaluation=demo.EVALUATION)
    learned = plan_pictures(demo.TRAINING_IMAGES, demo.SEED, evaluation=demo.EVALUATION)
    assert shown == learned[: len(shown)]
    assert sum(picture.part != "train" for picture in learned) == demo.EVALUATION


@pytest.mark.usefixtures("trained")
def test_the_tables_of_the_readme_have_an_interval_and_a_ceiling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report", "--data", "tiny", "--markdown"])
    assert report.main() == 0
    told = capsys.readouterr().out
    assert "SYNTHETIC" in told
    rows = [line.split("|")[1:-1] for line in told.splitlines() if line.startswith("|")]
    assert all(len(row) == 7 for row in rows[:4])
    assert any(re.fullmatch(r" -?\d\.\d\d \[-?\d\.\d\d, -?\d\.\d\d\] ", cell) for cell in rows[2])
    assert rows[3][0].strip() == "best to be expected"
    assert any(re.fullmatch(r" 0\.\d\d ", cell) for cell in rows[3])
    assert float(rows[-1][-1]) > 0  # milliseconds


def test_tables_need_a_data_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report", "--markdown"])
    with pytest.raises(SystemExit) as end:
        report.main()
    assert end.value.code == 2
    assert "--data" in capsys.readouterr().err
