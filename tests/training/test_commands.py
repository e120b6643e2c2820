"""`python -m training.train`, `training.sweep` and `training.report` as a user types them."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TINY, Folders, Trained, processes, until
from support.same_process import measure_in_this_process, train_in_this_process

from scalp_core.architectures import FAMILIES, family
from scalp_core.data.dataset import NAME, Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run, State
from scalp_core.runs.store import find_run, list_runs
from scalp_core.synthetic import demonstration
from scalp_core.synthetic.generate import plan_pictures
from training import ablate, demo, report, sweep, train

_PATIENCE = 600.0  # seconds; several processes that import torch, perhaps on a busy machine

TINY_FLAGS = ["--data", "tiny", "--architecture", "test_efficientnet", "--weights", "none", "--image-size", "64"]
TINY_FLAGS += ["--loss", "cross_entropy"]


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


def test_train_interrupt_resume_and_report(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = start(
        "training.train",
        *TINY_FLAGS,
        "--epochs",
        "15",
        "--patience",
        "0",
        "--conditions",
        "dandruff",
        "6",
        "--name",
        "mine",
    )
    until(lambda: list_runs() and len(find_run("mine").history) >= 1, _PATIENCE)
    os.killpg(command.pid, signal.SIGINT)  # as Ctrl-C does: to everything of that terminal
    output, errors = command.communicate(timeout=_PATIENCE)
    assert command.returncode == 130
    assert "--resume mine" in output
    assert "Traceback" not in errors
    run = find_run("mine")
    until(lambda: run.state is State.PAUSED, _PATIENCE)
    assert [condition.code for condition in run.recipe.conditions] == ["dandruff", "hair_loss"]
    assert 1 <= len(run.history) < 15

    until(lambda: not processes("scalp_core", "train", str(run.folder)), _PATIENCE)
    train_in_this_process(monkeypatch)
    assert train.main(["--resume", "mine"]) == 0
    output, errors = capsys.readouterr()
    assert "finished in" in output
    assert "epoch  15" in output + errors
    assert run.state is State.FINISHED

    assert report.main(["--json", "--data", "tiny"]) == 0
    output, _ = capsys.readouterr()
    document = json.loads(output)
    (summary,) = document["runs"]
    assert (summary["run"], summary["architecture"], summary["synthetic"]) == ("mine", "test_efficientnet", True)
    assert summary["index_hash"] == tiny.index_hash
    assert {(row["condition"], row["part"]) for row in document["figures"]} == {
        (condition, "test") for condition in ("value_5", "value_6")
    }
    pictures = {row["condition"]: row["n"] for row in document["figures"]}
    for row in document["confusion"]:
        assert sum(map(sum, row["truth_by_prediction"])) == pictures[row["condition"]] > 0


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
    ["--loss", "absolute"],
    ["--condition-weights", "1", "2"],
    ["--condition-weights", "1", "1", "1", "1", "1", "-1"],
    ["--weights", "run:absent"],
    ["--weights", "none", "--learns", "head"],
    ["--lr", "nan", "--estimate"],
    ["--name", "../mine"],
    ["--resume", "absent"],
    ["--no-such-flag"],
]


@pytest.mark.parametrize("flags", WRONG, ids=" ".join)
def test_wrong_flag_ends_with_two_and_sentence(
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
    text = capsys.readouterr().out
    assert all(f"--{field.name.replace('_', '-')} " in text for field in fields(Recipe))
    assert "{none,square_root,full}" in text


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_recipe(parser)
    return parser.parse_args(words)


def test_missing_flags_give_the_default_recipe() -> None:
    assert train.recipe_of(options()) == Recipe()
    weighed = train.recipe_of(options("--condition-weights", "1", "2.5", "--conditions", "dandruff", "value_4"))
    assert weighed == Recipe(conditions=(Condition.DANDRUFF, Condition.PUSTULES), condition_weights=(1.0, 2.5))
    assert train.recipe_of(options(), architecture="resnet18") == Recipe(architecture="resnet18")


def test_sampled_shares_are_shown_before_the_start(tiny: Dataset) -> None:
    table = train.sampled_shares(Recipe(**TINY, sampling="full"))
    assert list(table.index) == [condition.code for condition in CONDITIONS]
    shares = [[float(share.strip("% ")) for share in cell.split("→")] for cell in table.to_numpy().ravel()]
    before, after = (np.array(side).reshape(table.shape) for side in zip(*shares, strict=True))
    labels = tiny.index.loc[tiny.index["part"] == "train", "value_1"].dropna()
    assert before[0] == pytest.approx([100 * (labels == grade).mean() for grade in range(4)], abs=0.051)
    assert after.sum(axis=1) == pytest.approx(100, abs=0.3)
    assert (after[:, 0] < before[:, 0]).any()


def test_estimate_measures_and_trains_nothing(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure_in_this_process(monkeypatch)
    assert train.main([*TINY_FLAGS, "--estimate", "--sampling", "square_root"]) == 0
    output = capsys.readouterr().out
    assert re.search(r"It takes about \d+ (s|min), less if it stops early \(start \d+ s, ", output)
    assert "pustules" in output
    assert list_runs() == []


def test_epoch_line_shows_best_patience_and_pieces() -> None:
    epochs = [
        {"epoch": n, "train_loss": 1.0, "valid_loss": 1.0, "valid_qwk": kappa, "seconds": 3.0, "at_once": 8}
        for n, kappa in enumerate((0.1, 0.3, 0.2, 0.3), start=1)
    ]
    recipe = Recipe(**TINY, patience=5)
    assert "best 0.300 in epoch 2, patience 2 of 5" in train._epoch_line(epochs, recipe)
    assert "patience" not in train._epoch_line(epochs, replace(recipe, patience=0))
    assert "pieces" not in train._epoch_line(epochs, recipe)
    assert "in pieces of 8 pictures" in train._epoch_line(epochs, replace(recipe, batch_size=16))


def test_epoch_line_of_undefined_kappa_has_dash() -> None:
    epochs = [
        {"epoch": n, "train_loss": 1.0, "valid_loss": loss, "valid_qwk": float("nan"), "seconds": 3.0, "at_once": 8}
        for n, loss in enumerate((0.9, 0.7, 0.8), start=1)
    ]
    line = train._epoch_line(epochs, Recipe(**TINY, patience=5))
    assert "valid QWK –" in line
    assert "best – in epoch 2" in line


def test_a_report_without_runs_says_what_to_do(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report", "--json"])
    assert report.main() == 1
    assert "training.train" in capsys.readouterr().err


@pytest.mark.usefixtures("trained")
def test_report_for_people_says_that_pictures_are_synthetic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report"])
    assert report.main() == 0
    text = capsys.readouterr().out
    assert "SYNTHETIC" in text
    assert "QWK" in text
    assert "hair_loss" in text


def test_a_run_that_grades_all_alike_is_explained(
    trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = folders.artifacts / "tiny"
    shutil.copytree(trained.run.folder, copied)
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
    table = pd.read_parquet(copied / "predictions.parquet")
    table.loc[table["condition"] == "value_2", PROBABILITIES] = (0.7, 0.1, 0.1, 0.1)
    table.to_parquet(copied / "predictions.parquet")
    Run(copied).write_manifest({key: value for key, value in Run(copied).manifest.items() if key != "files"})
    assert report.main([]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "One grade for every test picture" in line)
    assert "excess sebum" in line


def test_a_failed_training_says_how_to_go_on(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(folders.artifacts / "broken")
    run.folder.mkdir(parents=True)
    (run.folder / "error.txt").write_text("The disk is full.\n디스크가 가득 찼어요.\n", encoding="utf-8")
    assert train._report_end(run) == 1
    errors = capsys.readouterr().err
    assert "failed: The disk is full." in errors
    assert "--resume broken" in errors


SWEEP = ["training.sweep", *TINY_FLAGS[:2], *TINY_FLAGS[4:], "--prefix", "all", "--conditions", "dandruff", "6"]


def test_sweep_plans_trains_and_repeats_nothing(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train_in_this_process(monkeypatch)

    def run_here(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", list(arguments))
        code = sweep.main()
        return code, *capsys.readouterr()

    words = [*SWEEP, "--epochs", "1", "--architectures", "test_efficientnet", "--seeds", "2"]
    code, output, errors = run_here(*words, "--plan")
    assert code == 0, errors
    assert re.search(r"all-test_efficientnet-s1 +to train, about \d+ (s|min)", output)
    assert "2 runs, 0 there, 2 to train: about" in output
    assert list_runs() == []

    code, output, errors = run_here(*words)
    assert code == 0, errors
    runs = {run.id: run for run in list_runs()}
    assert set(runs) == {"all-test_efficientnet-s0", "all-test_efficientnet-s1"}
    assert [run.recipe.seed for run in runs.values()] == [0, 1]
    assert all(run.state is State.FINISHED and run.recipe.epochs == 1 for run in runs.values())
    results = re.findall(r"(\S+) +valid QWK -?\d\.\d{3}  test QWK -?\d\.\d{3}", output)
    assert results == list(runs)
    finished = {name: run.finished_ns for name, run in runs.items()}

    code, output, _ = run_here(*words)
    assert code == 0
    assert {run.id: run.finished_ns for run in list_runs()} == finished
    assert "2 runs, 2 there, 0 to train." in output

    code, _, errors = run_here(*words, "--lr", "0.01")
    assert code == 2
    assert "--prefix" in errors


def interrupt_when(fact: Callable[[], object]) -> None:
    """Wait for a fact beside what this process does, then press Ctrl-C."""

    def wait_and_interrupt() -> None:
        until(fact, _PATIENCE)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait_and_interrupt).start()


def test_interrupted_sweep_pauses_all_and_resumes(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SWEEP[1:], "--epochs", "12", "--patience", "0", "--architectures", "test_efficientnet", "--per-condition"]
    measure_in_this_process(monkeypatch)
    interrupt_when(lambda: len(list_runs()) == 2 and len(list_runs()[0].history) >= 1)
    assert sweep.main(words) == 130  # its worker and the training are processes of their own
    assert "The others are paused as well" in capsys.readouterr().out
    first, second = list_runs()
    until(lambda: first.state is State.PAUSED, _PATIENCE)
    until(lambda: not processes("scalp_core", "train", str(first.folder)), _PATIENCE)
    assert second.state is State.PAUSED
    assert [first.id, second.id] == ["all-test_efficientnet-dandruff-s0", "all-test_efficientnet-hair_loss-s0"]
    done = len(first.history)
    assert 1 <= done < 12
    assert second.history.empty

    train_in_this_process(monkeypatch)
    assert sweep.main(words) == 0
    output = capsys.readouterr().out
    assert f"paused after epoch {done}" in output
    assert [len(run.history) for run in (first, second)] == [12, 12]
    assert first.finished
    assert second.finished


def swept(*words: str) -> dict[str, Recipe]:
    return sweep._recipes(sweep._parser().parse_args(words))


def test_the_old_design_is_one_flag() -> None:
    recipes = swept("--data", "mine", "--per-condition")
    assert len(recipes) == 30
    assert {(recipe.architecture, recipe.conditions) for recipe in recipes.values()} == {
        (variants[0], (condition,)) for variants in FAMILIES.values() for condition in CONDITIONS
    }
    assert "sweep-mine-vgg11_bn-pustules-s0" in recipes
    assert len(swept("--per-condition", "--seeds", "3", "--seed", "5")) == 90


@pytest.fixture
def unlabelled(tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dataset "tiny" without a label of pustules, and most of its training pictures without any."""
    monkeypatch.setenv("SCALP_DATA", str(folders.data))
    rows = tiny.index.reset_index(drop=True).assign(value_4=None)
    train = rows.index[rows["part"] == "train"]
    rows.loc[train[6:], [condition.value for condition in CONDITIONS]] = None
    shutil.copytree(tiny.folder, folders.data / "tiny")
    write_dataset(folders.data / "tiny", "synthetic", {}, rows)


@pytest.mark.usefixtures("unlabelled")
def test_condition_without_labels_is_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*TINY_FLAGS, "--epochs", "1", "--batch-size", "4"]
    weights = ["--condition-weights", "1", "2", "3", "4", "5", "6"]
    run = train._run_of(train._parser().parse_args([*words, *weights]))
    assert run.recipe.conditions == tuple(c for c in CONDITIONS if c is not Condition.PUSTULES)
    assert run.recipe.condition_weights == (1, 2, 3, 5, 6)
    output = capsys.readouterr().out
    assert "Note: “tiny” has no labels to train and validate on for follicular erythema / pustules" in output
    assert re.search(r"Warning: Training leaves out \d+ of \d+ pictures, .* learns from 6", output)
    assert train.main([*words, "--conditions", "pustules"]) == 2
    assert "value_4" in capsys.readouterr().err
    some = train._run_of(train._parser().parse_args([*words, "--conditions", "dandruff", "1"]))
    assert some.recipe.conditions == (Condition.DANDRUFF, Condition.FINE_SCALING)
    assert "Note:" not in capsys.readouterr().out


@pytest.mark.usefixtures("unlabelled")
def test_sweep_leaves_out_conditions_without_labels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure_in_this_process(monkeypatch)
    words = [*TINY_FLAGS[:2], *TINY_FLAGS[4:], "--architectures", "test_efficientnet", "--plan"]
    assert sweep.main([*words, "--per-condition"]) == 0
    output = capsys.readouterr().out
    assert "follicular erythema / pustules: left out" in output
    assert "learns from 6" in output
    assert "5 runs, 0 there, 5 to train" in output
    assert "-pustules-" not in output


@pytest.mark.usefixtures("unlabelled")
def test_ablation_leaves_out_conditions_without_labels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure_in_this_process(monkeypatch)
    words = [*TINY_FLAGS[:6], "--image-size", "64", "--plan", "--shared", "--seeds", "1"]
    assert ablate.main([*words, "--condition", "dandruff"]) == 0
    assert "follicular erythema / pustules: left out" in capsys.readouterr().err
    assert ablate.main([*words, "--condition", "pustules"]) == 2
    assert "“value_4”; it must be conditions for which “tiny” has labels" in capsys.readouterr().err


def test_ids_of_sweep_stay_apart_however_long_names() -> None:
    names = [f"vit_base_patch16_clip_quickgelu_224.openai_{end}" for end in ("ft_in12k", "ft_in1k")]
    recipes = swept("--architectures", *names, "--per-condition", "--data", "a-rather-long-name-of-a-set")
    assert len(recipes) == 12
    assert all(NAME.fullmatch(run_id) for run_id in recipes)


def test_sweep_too_long_for_queue_asks_for_nothing(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["training.sweep", *TINY_FLAGS[:2], *TINY_FLAGS[4:], "--seeds", "21"]
    monkeypatch.setattr(sys, "argv", words)
    assert sweep.main() == 2
    assert "105 runs would be queued" in capsys.readouterr().err
    assert list_runs() == []


def test_shipped_runs_cover_every_family() -> None:
    recipes = demo.RECIPES
    assert [family(recipe.architecture) for recipe in recipes.values()] == list(FAMILIES)
    for recipe in recipes.values():
        assert (recipe.data, recipe.conditions) == (demo.TRAINING_NAME, CONDITIONS)
    shipped = plan_pictures(**demonstration.settings())
    learned = plan_pictures(**{**demonstration.settings(), "images": demo.TRAINING_IMAGES})
    assert shipped == learned[: len(shipped)]
    assert sum(picture.part != "train" for picture in learned) == demonstration.EVALUATION


def test_sources_of_shipped_runs_are_trained_first() -> None:
    there: set[str] = set()
    for run_id, recipe in demo.to_train(()).items():
        assert recipe.data == demo.TRAINING_NAME
        assert recipe.weights in ("none", "packaged") or recipe.weights.removeprefix("run:") in there
        assert not recipe.teacher or recipe.teacher.removeprefix("run:") in there
        there.add(run_id)
    assert demo.RECIPES.keys() <= there
    missing = demo.to_train(demo.RECIPES.keys() - {"demo-googlenet"})
    assert {recipe.architecture for recipe in missing.values()} == {"googlenet"}
    assert demo.to_train(demo.RECIPES) == {}


@pytest.mark.usefixtures("trained")
def test_tables_of_readme_have_interval_and_ceiling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report", "--data", "tiny", "--markdown"])
    assert report.main() == 0
    text = capsys.readouterr().out
    assert "SYNTHETIC" in text
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    assert all(len(row) == 7 for row in rows[:4])
    assert any(re.fullmatch(r" -?\d\.\d\d \[-?\d\.\d\d, -?\d\.\d\d\] ", cell) for cell in rows[2])
    assert rows[3][0].strip() == "ceiling"
    assert any(re.fullmatch(r" 0\.\d\d ", cell) for cell in rows[3])
    assert float(rows[6][-1]) > 0  # milliseconds
    assert all(re.fullmatch(r" 0\.\d\d → 0\.\d\d; (\d\.\d\d \(\d\.\d\)|no sets) ", cell) for cell in rows[9][1:])


def test_tables_need_a_data_set(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report", "--markdown"])
    with pytest.raises(SystemExit) as end:
        report.main()
    assert end.value.code == 2
    assert "--data" in capsys.readouterr().err
