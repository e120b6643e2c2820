"""Election: only a run whose validation split can bear it answers by itself; who answers instead is announced."""

import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import TINY, Folders

from scalp_core import terms
from scalp_core.data.dataset import Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.files import write_json, write_text
from scalp_core.images import Preprocessing
from scalp_core.inference.predict import graders
from scalp_core.labels import Condition
from scalp_core.metrics.bootstrap import CONFIDENCE, effective_size
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs import election
from scalp_core.runs.champions import Change, champions, changes, log_finished, passed_over, promote, unpin
from scalp_core.runs.election import MIN_CAPTURES, MIN_IMAGES, MIN_OF_GRADE, shortfalls
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run

HAIR = Condition.HAIR_LOSS
ENOUGH = np.arange(80) % 4


def finish(
    folders: Folders, name: str, truth: np.ndarray = ENOUGH, wrong: int = 10, captures: int = 80, **facts: Any
) -> Run:
    """A finished run for hair loss, judged on these labels; as many answers are wrong by one grade."""
    folder = folders.artifacts / name
    recipe = {"architecture": "test_resnet", "data": "d", "conditions": [HAIR]}
    values = {
        "recipe": recipe,
        "index_hash": "same",
        "evaluation_hash": facts.get("judged", "same"),
        "synthetic": facts.get("synthetic", False),
        "created": facts.get("created", f"2026-01-01T00:00:00+00:00-{name}"),
    }
    write_json(folder / "recipe.json", values)
    run = Run(folder)
    run.write_history([])
    run.write_preprocessing(Preprocessing(64, 64, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    write_text(folder / "model.safetensors", "")
    predicted = np.where(np.arange(len(truth)) < wrong, truth ^ 1, truth)
    table = pd.DataFrame(np.eye(4)[predicted], columns=PROBABILITIES).assign(
        image=[f"p{number}" for number in range(len(truth))],
        condition=HAIR.value,
        part="valid",
        truth=pd.array(truth, dtype="Int8"),
        capture=np.arange(len(truth)) % captures,
    )
    table.to_parquet(run.predictions_path)
    run.write_manifest({"parameters": 1000} | facts.get("manifest", {}))
    log_finished(run)
    return run


def codes(run: Run) -> list[str]:
    return [shortfall.code for shortfall in shortfalls(run, HAIR)]


def test_run_judged_on_one_picture_takes_nothing_over(folders: Folders) -> None:
    rendered = finish(folders, "rendered", synthetic=True, judged="rendered")
    photograph = finish(folders, "photograph", truth=np.array([2]), wrong=0)
    assert champions()[HAIR].run == rendered
    assert passed_over()[HAIR].run == photograph
    assert codes(photograph) == ["few_pictures", "few_captures", "missing_grades"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"truth": ENOUGH[: MIN_IMAGES - 2]}, "few_pictures"),
        ({"captures": MIN_CAPTURES - 1}, "few_captures"),
        ({"truth": np.where(ENOUGH == 3, 2, ENOUGH)}, "missing_grades"),
        ({"truth": np.r_[ENOUGH[ENOUGH < 3], [3] * (MIN_OF_GRADE - 1)]}, "missing_grades"),
        ({"wrong": 80}, "chance"),
        ({"manifest": {"learned_from_judged": True}}, "learned_from"),
    ],
)
def test_every_part_of_floor_keeps_run_back(folders: Folders, changed: dict[str, Any], code: str) -> None:
    run = finish(folders, "short", **changed)
    if code == "chance":
        table = pd.read_parquet(run.predictions_path)
        table[PROBABILITIES] = np.eye(4)[np.random.default_rng(0).permutation(ENOUGH)]
        table.to_parquet(run.predictions_path)
        run.write_manifest({"parameters": 1000})
    assert codes(run) == [code]
    assert champions() == {}
    with pytest.raises(ScalpError, match="run “short” does not answer by itself") as caught:
        graders([HAIR])
    assert shortfalls(run, HAIR)[0].text.ko in caught.value.text.ko


def test_run_that_just_reaches_floor_answers(folders: Folders) -> None:
    truth = np.r_[np.arange(MIN_IMAGES - MIN_OF_GRADE) % 3, [3] * MIN_OF_GRADE]
    run = finish(folders, "enough", truth=truth, wrong=5, captures=MIN_CAPTURES)
    assert codes(run) == []
    assert champions()[HAIR].run == run
    assert passed_over() == {}


def test_leaking_run_sets_no_measure_for_others(folders: Folders) -> None:
    finish(folders, "leaking", wrong=0, manifest={"learned_from_judged": True})
    finish(folders, "a", wrong=10)
    assert champions()[HAIR].run.id == "a"
    assert passed_over()[HAIR].run.id == "leaking"


def test_promoted_run_answers_below_floor_and_says_so(folders: Folders) -> None:
    finish(folders, "rendered", synthetic=True, judged="rendered")
    few = finish(folders, "few", truth=np.array([0, 3, 1, 2]), wrong=0)
    promote(HAIR, few)
    champion = champions()[HAIR]
    assert (champion.run, champion.pinned) == (few, True)
    assert [shortfall.code for shortfall in champion.shortfalls] == ["few_pictures", "few_captures", "missing_grades"]
    assert passed_over() == {}
    unpin(HAIR)
    assert champions()[HAIR].run.id == "rendered"


def test_captures_of_earlier_run_come_from_its_dataset(folders: Folders, tiny_data: Dataset) -> None:
    (folders.data / "copy").mkdir()
    rows = tiny_data.index.reset_index(drop=True).assign(capture="the only one")
    dataset = write_dataset(folders.data / "copy", "synthetic", {}, rows)
    run = finish(folders, "earlier", truth=ENOUGH[:52], judged=dataset.evaluation_hash)
    table = pd.read_parquet(run.predictions_path).drop(columns="capture")
    table["image"] = [*rows["id"], *"abcd"]
    table.to_parquet(run.predictions_path)
    run.write_manifest({"parameters": 1000})
    assert codes(run) == ["few_captures"]
    shutil.rmtree(dataset.folder)
    assert codes(run) == []


# ---- announced ----


def elections() -> list[Change]:
    return [change for change in changes() if change.elected]


def test_finished_run_that_takes_over_is_logged(folders: Folders) -> None:
    first = finish(folders, "first", wrong=30)
    better = finish(folders, "second", wrong=5)
    finish(folders, "third", wrong=40)
    latest, earliest = elections()
    assert (earliest.before, earliest.after) == ("", first.id)
    assert (latest.condition, latest.before, latest.after, latest.pinned) == (HAIR, first.id, better.id, False)
    assert latest.why.startswith("validation QWK 0.97")
    assert latest.reasons.ko != latest.reasons.en


def test_run_on_real_pictures_says_why_it_takes_over(folders: Folders) -> None:
    finish(folders, "rendered", synthetic=True, judged="rendered", wrong=0)
    finish(folders, "real")
    assert elections()[0].why == "it is judged on real pictures"


def test_promoted_condition_has_no_elections(folders: Folders) -> None:
    promote(HAIR, finish(folders, "first", wrong=30))
    finish(folders, "second", wrong=5)
    assert [change.after for change in elections()] == ["first"]


def test_training_keeps_what_election_needs(tiny: Dataset, folders: Folders) -> None:
    from scalp_core.learning.train import train

    run = create_run(replace(Recipe(**TINY), epochs=1), "new")
    with run.lock():
        train(run)
    assert run.learned_from_judged is False
    table = run.raw_predictions
    captures = dict(zip(tiny.column("id"), tiny.column("capture"), strict=True))
    assert table.groupby("capture")["image"].agg(lambda ids: len({captures[image] for image in ids})).eq(1).all()
    assert table["capture"].nunique() == len({captures[image] for image in table["image"]})


def test_floor_and_words_have_the_level_of_all_intervals() -> None:
    assert round(effective_size(np.array([MIN_CAPTURES])).percentile_level, 2) == election._LEVEL
    for words in (*election.FLOOR, *terms.INTERVAL):
        assert CONFIDENCE in words
