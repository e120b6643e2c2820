"""The ablation ladder: its steps, whose runs it uses, what it says about made-up networks, and the command itself."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from conftest import TINY
from support.changed_runs import change_recipe
from support.same_process import measure_in_this_process

from scalp_core.errors import ScalpError
from scalp_core.evaluation import ablation
from scalp_core.evaluation.ablation import (
    Decision,
    ensure_runs,
    ladder,
    plan_trainings,
    recipes,
    step_table,
)
from scalp_core.files import write_text
from scalp_core.images import Preprocessing
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.verdict import Verdict
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run, State
from scalp_core.runs.store import list_runs
from training import ablate

PUSTULES = Condition.PUSTULES
BASE = Recipe(
    **{**TINY, "conditions": (PUSTULES,), "epochs": 1, "loss": "triangular"},
    sampling="square_root",
    ema=0.9,
)
# The same network from first to last: three to train, with those aside.
PLAIN = replace(BASE, loss="cross_entropy", sampling="none", ema=0.0, colours="plain")


def keys(base: Recipe) -> list[str]:
    return [step.key for step in ladder(base)]


def find_trained(recipe: Recipe) -> Run | None:
    """Return the run that the ladder takes for a recipe."""
    return ablation._runs_by_recipe(recipe.data).get(recipe)


# ---- the steps ----


def test_ladder_adds_one_measure_a_step() -> None:
    assert keys(BASE) == ["seed", "colours", "temperature", "rule", "loss", "sampling", "average", "full"]
    by_step = {key: recipe for key, (recipe,) in recipes(BASE, [0]).items()}
    first = replace(BASE, loss="cross_entropy", sampling="none", ema=0.0, colours="plain")
    assert by_step["seed"] == first
    assert by_step["colours"] == by_step["temperature"] == by_step["rule"] == replace(first, colours="auto")
    assert by_step["loss"] == replace(BASE, sampling="none", ema=0.0)
    assert by_step["sampling"] == replace(BASE, ema=0.0)
    assert by_step["average"] == BASE
    assert by_step["full"] == replace(BASE, sampling="full")
    decisions = {step.key: step.decision for step in ladder(BASE)}
    assert [decisions.pop(key) for key in ("seed", "colours", "temperature")] == [
        Decision.ARGMAX,
        Decision.ARGMAX,
        Decision.CALIBRATED,
    ]
    assert set(decisions.values()) == {Decision.FULL}


@pytest.mark.parametrize(
    "base",
    [
        Recipe(),
        Recipe(weights="none"),
        Recipe(mixup=0.2, grade_weights="square_root", layer_decay=0.8),
        Recipe(sampling="full", conditions=(PUSTULES,)),
        PLAIN,
    ],
    ids=["default", "random weights", "everything", "full balance", "plain"],
)
def test_last_step_is_the_recipe_itself(base: Recipe) -> None:
    steps, wanted = ladder(base), recipes(base, [0, 7])
    leading = [step for step in steps if not step.alternative]
    assert wanted[leading[-1].key] == [replace(base, seed=0), replace(base, seed=7)]
    assert wanted["seed"][0].loss == "cross_entropy"
    states = [(step.decision, *wanted[step.key]) for step in steps]
    assert len(set(states)) == len(states)
    assert [step.alternative for step in steps] == sorted(step.alternative for step in steps)
    assert all(step.name.en and step.name.ko and step.text.en and step.text.ko for step in steps)


def test_colours_are_step_only_where_weights_start_random() -> None:
    assert "colours" not in keys(replace(BASE, weights="pretrained"))
    assert recipes(replace(BASE, weights="pretrained"), [0])["seed"][0].colours == "auto"


def test_skipped_measure_is_no_step() -> None:
    assert keys(PLAIN) == ["seed", "temperature", "rule", "square_root", "full"]
    assert [step.key for step in ladder(PLAIN) if step.alternative] == ["square_root", "full"]


# ---- whose runs ----


@pytest.mark.usefixtures("tiny")
def test_creating_makes_each_network_once() -> None:
    runs = ensure_runs(BASE, [0, 1])
    assert [run.id for run in runs][:4] == [
        "ablate-value_4-test_efficientnet-seed-s0",
        "ablate-value_4-test_efficientnet-seed-s1",
        "ablate-value_4-test_efficientnet-colours-s0",
        "ablate-value_4-test_efficientnet-colours-s1",
    ]
    assert len(runs) == len(list_runs()) == 12  # temperature and rule decide otherwise with the same networks
    assert all(run.state is State.QUEUED for run in runs)
    shared = [training.steps for training in plan_trainings(BASE, [0])]
    assert shared[1] == ("colours", "temperature", "rule")
    assert ensure_runs(BASE, [0, 1]) == runs
    assert len(list_runs()) == 12
    six = ensure_runs(
        replace(PLAIN, conditions=CONDITIONS, architecture="test_resnet.a_very_long_name_of_weights"), [0]
    )
    assert all(run.id.startswith("ablate-six-test_resnet-a_very_long") for run in six)


@pytest.mark.usefixtures("tiny")
def test_run_of_the_same_recipe_is_reused() -> None:
    mine = create_run(BASE, "from-a-sweep")
    others = create_run(replace(BASE, lr=1e-3), "ablate-value_4-test_efficientnet-loss-s0")
    assert find_trained(BASE) == mine
    assert find_trained(replace(BASE, seed=9)) is None
    runs = ensure_runs(BASE, [0])
    assert mine in runs
    assert others not in runs
    assert "ablate-value_4-test_efficientnet-loss-s0-2" in {run.id for run in runs}
    assert not any("-average-" in run.id for run in runs)


@pytest.mark.usefixtures("tiny")
def test_run_on_changed_labels_is_not_reused() -> None:
    old = create_run(BASE, "old")
    change_recipe(old, {}, index_hash="another")
    assert find_trained(BASE) is None


@pytest.mark.usefixtures("tiny")
def test_furthest_run_counts_and_cancelled_is_resumed() -> None:
    paused, cancelled = create_run(PLAIN, "paused"), create_run(PLAIN, "a-cancelled")
    paused.pause()
    cancelled.cancel()
    assert find_trained(PLAIN) == paused
    assert paused in ensure_runs(PLAIN, [0])
    assert paused.state is State.QUEUED
    assert cancelled.state is State.CANCELLED


@pytest.mark.usefixtures("tiny")
def test_two_clicks_make_one_ladder() -> None:
    with ThreadPoolExecutor(2) as clicks:
        first, second = clicks.map(lambda _: ensure_runs(PLAIN, [0]), range(2))
    assert first == second
    assert len(list_runs()) == 3


@pytest.mark.usefixtures("tiny")
def test_what_cannot_be_trained_makes_nothing() -> None:
    with pytest.raises(ScalpError):
        ensure_runs(replace(BASE, image_size=100), [0])
    assert list_runs() == []


# ---- what it says ----

SHARES = (0.7, 0.2, 0.08, 0.02)
GROUPS = {f"{part}-{number}": number // 4 for part in ("calib", "test") for number in range(800)}


def predictions(skill: float, seed: int, sure: float = 1.0) -> pd.DataFrame:
    """Return predictions of a network that saw rare grades rarely: the frequent ones are far too probable.

    Args:
        skill: what a step of distance to the truth costs, in logits.
        sure: above 1 exaggerates.
    """
    truth_of, tables = np.random.default_rng(0), []
    noise = np.random.default_rng(seed)
    for part in ("calib", "test"):
        truth = truth_of.choice(4, 800, p=SHARES)
        distance = np.abs(np.subtract.outer(truth, np.arange(4)))
        logits = np.log(SHARES) - skill * distance + noise.normal(0, 1, (800, 4))
        probabilities = np.exp(sure * logits)
        table = pd.DataFrame(probabilities / probabilities.sum(axis=1, keepdims=True), columns=PROBABILITIES)
        names = [f"{part}-{number}" for number in range(800)]
        tables.append(table.assign(image=names, condition=PUSTULES.value, part=part, truth=pd.array(truth, "Int8")))
    return pd.concat(tables, ignore_index=True)


def finish(run: Run, predictions: pd.DataFrame) -> None:
    """Bring the run to the state in which training leaves it."""
    run.write_history([])
    run.write_preprocessing(Preprocessing(64, 64, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    write_text(run.folder / "model.safetensors", "")
    predictions.to_parquet(run.predictions_path)
    run.write_manifest({"parameters": 1000})


@pytest.mark.usefixtures("tiny")
def test_steps_wait_until_their_networks_are_finished() -> None:
    rows = step_table(BASE, [0, 1], PUSTULES, GROUPS)
    assert list(rows["step"]) == keys(BASE)
    assert set(rows["seeds"]) == {0}
    assert set(rows["wanted"]) == {2}
    assert rows["verdict"].isna().all()
    ensure_runs(BASE, [0, 1])
    finish(find_trained(PLAIN), predictions(1.0, seed=1))
    rows = step_table(BASE, [0, 1], PUSTULES, GROUPS).set_index("step")
    assert rows["seeds"].to_dict() == {key: int(key == "seed") for key in keys(BASE)}
    assert 0 < rows.loc["seed", "quadratic_weighted_kappa"] < 1
    assert rows.loc[["colours", "loss"], "quadratic_weighted_kappa"].isna().all()


@pytest.mark.usefixtures("tiny")
def test_it_tells_what_helps_from_what_does_not() -> None:
    skills = {"seed": 1.0, "colours": 1.0, "loss": 2.5, "sampling": 2.5, "average": 2.5, "full": 1.5}
    for training, run in zip(plan_trainings(BASE, [1, 2]), ensure_runs(BASE, [1, 2]), strict=True):
        finish(run, predictions(skills[training.steps[0]], seed=training.recipe.seed, sure=2.0))
    rows = step_table(BASE, [1, 2], PUSTULES, GROUPS).set_index("step")
    assert rows["against"].to_dict() == dict(zip(keys(BASE), ["", *keys(BASE)[:-1]], strict=True))
    verdicts = rows["verdict"].to_dict()
    assert pd.isna(verdicts["seed"])
    assert verdicts["colours"] == verdicts["sampling"] == verdicts["average"] == Verdict.PRACTICALLY_EQUAL
    assert verdicts["loss"] == Verdict.BETTER
    assert verdicts["full"] == Verdict.WORSE
    assert rows.loc["temperature", ablation.ERROR] < rows.loc["colours", ablation.ERROR] / 2
    assert rows.loc["colours", "worst_grade_recall"] < 0.15
    assert verdicts["rule"] == Verdict.BETTER
    assert rows.loc["rule", "worst_grade_recall"] > 3 * rows.loc["colours", "worst_grade_recall"]
    assert rows.loc["rule", "average_mean_absolute_error_difference_high"] < 0
    for metric in ablation.METRICS:
        assert (rows[f"{metric}_low"] <= rows[metric]).all()
        assert (rows[metric] <= rows[f"{metric}_high"]).all()
        steps = rows[metric].diff()[1:]
        assert rows[f"{metric}_difference"][1:].to_numpy() == pytest.approx(steps.to_numpy())


# ---- the command ----

FLAGS = [
    *("--condition", "pustules", "--data", "tiny", "--architecture", "test_efficientnet", "--weights", "none"),
    *("--image-size", "64", "--batch-size", "8", "--seeds", "1", "--colours", "plain"),
    *("--loss", "cross_entropy", "--sampling", "none", "--ema", "0"),
]


def run_command(monkeypatch: pytest.MonkeyPatch, *flags: str) -> int:
    monkeypatch.setattr(sys, "argv", ["training.ablate", *FLAGS, *flags])
    return ablate.main()


@pytest.mark.usefixtures("tiny")
def test_a_plan_trains_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    measure_in_this_process(monkeypatch)
    assert run_command(monkeypatch, "--epochs", "1", "--plan") == 0
    output = capsys.readouterr().out
    assert "3 networks of test_efficientnet, 3 to train" in output
    assert "sampling = full" in output
    assert list_runs() == []
    assert run_command(monkeypatch, "--plan", "--epochs", "0") == 2
    with pytest.raises(SystemExit):
        run_command(monkeypatch, "--figure", "figure.gif")


@pytest.mark.usefixtures("tiny")
def test_a_trained_ladder_is_told_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scalp_core.learning.train import train

    for run in ensure_runs(PLAIN, [0]):
        with run.lock():
            train(run)
    capsys.readouterr()
    figure = tmp_path / "ladder.svg"
    assert run_command(monkeypatch, "--epochs", "1", "--markdown", "--figure", str(figure)) == 0
    output = capsys.readouterr()
    assert "0 to train" in output.err
    assert "SYNTHETIC" in output.out
    lines = [line.split(" | ") for line in output.out.splitlines() if line.startswith("|")]
    assert {len(line) for line in lines} == {9}
    assert [line[0].removeprefix("| ") for line in lines[2:]] == [
        "cross-entropy",
        "+ calibration",
        "+ decision rule",
        "(square-root oversampling)",
        "(balanced oversampling)",
    ]
    assert "waiting" not in output.out
    assert ElementTree.parse(figure).getroot().tag.endswith("svg")  # noqa: S314  our own
    assert run_command(monkeypatch, "--epochs", "1") == 0
    assert "calibration error" in capsys.readouterr().out
