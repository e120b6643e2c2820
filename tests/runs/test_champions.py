"""Champions: selected on the validation split, never on the test split; real before rendered; pins first."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Folders

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import write_text
from scalp_core.images import Preprocessing
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.verdict import Verdict
from scalp_core.runs.champions import against, champions, changes, judged_on, pins, promote, unpin
from scalp_core.runs.election import run_report, score
from scalp_core.runs.run import Run
from scalp_core.seals import write_sealed_json

SEBUM, HAIR = Condition.EXCESS_SEBUM, Condition.HAIR_LOSS
TRUTH = np.arange(80) % 4


def finish(name: str, valid: int = 0, test: int = 0, **facts: Any) -> Run:
    """A finished run folder as training leaves it, with this many answers of 80 wrong by one grade in either part."""
    from scalp_core.paths import artifacts_folder

    folder = artifacts_folder() / name
    conditions = facts.get("conditions", CONDITIONS)
    recipe = {"architecture": "test_resnet", "data": "d", "conditions": list(conditions)}
    values = {
        "recipe": recipe,
        "index_hash": facts.get("index_hash", "same"),
        "evaluation_hash": facts.get("evaluation_hash", facts.get("index_hash", "same")),
        "synthetic": facts.get("synthetic", True),
        "created": facts.get("created", f"2026-01-01T00:00:00+00:00-{name}"),
    }
    run = Run(folder)
    run.write_recipe(values)
    run.write_history([])
    run.write_preprocessing(Preprocessing(64, 64, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    write_text(folder / "model.safetensors", "")
    parts = [table(c, "valid", valid, facts.get("images", 80)) for c in conditions]
    parts += [table(c, "test", test, 80) for c in conditions]
    pd.concat(parts).to_parquet(folder / "predictions.parquet")
    run.write_manifest({"parameters": facts.get("parameters", 1000)})
    return run


def table(condition: Condition, part: str, wrong: int, images: int) -> pd.DataFrame:
    truth = TRUTH[:images]
    predicted = np.where(np.arange(len(truth)) < wrong, truth ^ 1, truth)
    predictions = pd.DataFrame(np.eye(4)[predicted], columns=PROBABILITIES)
    images = [f"{part}-{number}" for number in range(len(truth))]
    return predictions.assign(image=images, condition=condition.value, part=part, truth=pd.array(truth, dtype="Int8"))


def answering(condition: Condition = SEBUM) -> str:
    return champions()[condition].run.id


def test_without_runs_nobody_answers(folders: Folders) -> None:
    assert champions() == {}


def test_validation_decides_and_the_test_part_does_not(folders: Folders) -> None:
    finish("good-on-test", valid=20, test=0)
    finish("good-on-valid", valid=5, test=40)
    assert answering() == "good-on-valid"
    assert not champions()[SEBUM].pinned


def test_among_practical_equals_the_smallest_answers(folders: Folders) -> None:
    best = finish("best", valid=0, parameters=9_000_000)
    near = finish("near", valid=1, parameters=1_000)
    finish("far", valid=10, parameters=10)
    assert 0 < score(best, SEBUM, "valid") - score(near, SEBUM, "valid") < 0.02
    assert answering() == "near"
    finish("smaller-equal", valid=0, parameters=500)
    assert answering() == "smaller-equal"


def test_of_two_the_same_the_elder_stays(folders: Folders) -> None:
    finish("b-elder", created="2026-01-01T00:00:00+00:00")
    finish("a-younger", created="2026-02-01T00:00:00+00:00")
    assert answering() == "b-elder"


def test_real_pictures_go_before_rendered_ones(folders: Folders) -> None:
    finish("rendered", valid=0, synthetic=True, index_hash="s")
    assert answering() == "rendered"
    finish("real", valid=30, synthetic=False, index_hash="r")
    assert answering() == "real"


def test_runs_of_different_splits_are_not_compared(folders: Folders) -> None:
    finish("many", valid=10, index_hash="many", images=80)
    finish("few", valid=0, index_hash="few", images=60)
    assert answering() == "many"


def test_runs_trained_on_more_are_compared(folders: Folders) -> None:
    finish("small", valid=10, index_hash="small", evaluation_hash="judged")
    finish("large", valid=0, index_hash="large", evaluation_hash="judged")
    finish("other", valid=0, index_hash="other", evaluation_hash="others", images=60)
    assert answering() == "large"


def test_data_set_lists_its_evaluated_runs(tiny: Dataset) -> None:
    here = {"evaluation_hash": tiny.evaluation_hash}
    finish("here", index_hash=tiny.index_hash, **here)
    finish("more", index_hash="more to learn from", **here)
    finish("elsewhere", index_hash=tiny.index_hash, evaluation_hash="elsewhere")
    assert {run.id for run in judged_on(tiny)} == {"here", "more"}


def test_a_run_answers_only_for_what_it_learned(folders: Folders) -> None:
    finish("sebum", conditions=[SEBUM])
    assert set(champions()) == {SEBUM}
    finish("hair", conditions=[HAIR])
    assert (answering(SEBUM), answering(HAIR)) == ("sebum", "hair")


def test_a_pin_wins_where_it_can(folders: Folders) -> None:
    finish("best", valid=0)
    finish("worse", valid=30)
    pins = folders.artifacts / "champions.json"
    write_sealed_json(pins, {SEBUM.value: "worse", HAIR.value: "gone"})
    current = champions()
    assert (current[SEBUM].run.id, current[SEBUM].pinned) == ("worse", True)
    assert (current[HAIR].run.id, current[HAIR].pinned) == ("best", False)
    assert answering(Condition.DANDRUFF) == "best"


@pytest.mark.parametrize("missing", ["manifest.json"])
def test_unfinished_failed_and_cancelled_runs_never_answer(folders: Folders, missing: str) -> None:
    finish("done", valid=30)
    (finish("unfinished").folder / missing).unlink()
    write_text((folders.artifacts / "unfinished") / "error.txt", "x\ny\n")
    assert answering() == "done"


def test_report_is_read_anew_when_predictions_change(folders: Folders, tmp_path: Path) -> None:
    run = finish("run", valid=0)
    assert score(run, SEBUM, "valid") == 1
    other = finish("other", valid=40)
    for name in ("predictions.parquet", "manifest.json"):
        (other.folder / name).replace(run.folder / name)
    assert score(run, SEBUM, "valid") < 1
    assert score(run, SEBUM, "calib") is None
    assert len(run_report(run)) == 12


def test_head_that_never_saw_label_answers_for_nothing(folders: Folders) -> None:
    finish("demo", valid=20)
    real = finish("real", valid=0, synthetic=False, index_hash="real")
    predictions = real.predictions.copy()
    predictions.loc[predictions["condition"] != HAIR, "truth"] = pd.NA
    predictions.to_parquet(real.folder / "predictions.parquet")
    real.write_manifest({"parameters": 1000})
    assert answering(HAIR) == "real"
    assert {champions()[condition].run.id for condition in CONDITIONS if condition != HAIR} == {"demo"}


@pytest.mark.parametrize("damage", ["manifest.json", "predictions.parquet", "recipe.json"])
def test_a_broken_run_does_not_silence_the_others(folders: Folders, damage: str) -> None:
    finish("sound", valid=20)
    assert answering() == "sound"
    broken = finish("broken", valid=0)
    write_text(broken.folder / "manifest.json", "{") if damage != "predictions.parquet" else None
    if damage == "recipe.json":
        write_text(broken.folder / damage, "{")
    if damage == "predictions.parquet":
        (broken.folder / damage).unlink()
    assert answering() == "sound"


@pytest.mark.parametrize("damage", ["predictions.parquet", "history.jsonl", "manifest.json", "model.safetensors"])
def test_run_with_broken_files_silences_no_other(folders: Folders, damage: str) -> None:
    finish("sound", valid=20)
    broken = finish("broken", valid=0)
    assert answering() == "broken"
    files = dict.fromkeys(broken.manifest["files"], "")
    nonsense = {"manifest.json": json.dumps({"files": files, "parameters": "many"})}
    write_text(broken.folder / damage, nonsense.get(damage, "PAR1 {"))
    assert answering() == "sound"


# ---- promotion ----


def test_promoted_run_answers_until_it_is_taken_back(folders: Folders) -> None:
    finish("best", valid=0)
    worse = finish("worse", valid=30)
    promote(SEBUM, worse, "it is smaller")
    assert (answering(SEBUM), answering(HAIR)) == ("worse", "best")
    assert pins() == {SEBUM: "worse"}
    promote(HAIR, worse)
    assert pins() == {SEBUM: "worse", HAIR: "worse"}
    unpin(SEBUM, "it was not better")
    assert (answering(SEBUM), answering(HAIR)) == ("best", "worse")
    assert pins() == {HAIR: "worse"}


def test_every_change_is_kept_and_nothing_else(folders: Folders) -> None:
    finish("best", valid=0)
    worse = finish("worse", valid=30)
    assert changes() == []
    promote(SEBUM, worse, "작아서")
    promote(SEBUM, worse, "again")
    unpin(HAIR)  # nothing was promoted
    unpin(SEBUM)
    history = [(change.condition, change.before, change.after, change.pinned, change.why) for change in changes()]
    assert history == [(SEBUM, "worse", "best", False, ""), (SEBUM, "best", "worse", True, "작아서")]
    assert changes()[0].time > changes()[1].time


def test_only_finished_run_of_condition_is_promoted(folders: Folders) -> None:
    finish("best")
    sebum = finish("sebum", conditions=[SEBUM])
    with pytest.raises(ScalpError, match="cannot be used"):
        promote(HAIR, sebum)
    (sebum.folder / "manifest.json").unlink()
    with pytest.raises(ScalpError, match="cannot be used"):
        promote(SEBUM, sebum)
    assert pins() == {}
    assert changes() == []


@pytest.mark.parametrize("broken", ["{", "[]", "3", '{"dandruff": "x"}', "\0"])
def test_broken_pins_are_told_and_nobody_is_silenced(folders: Folders, broken: str) -> None:
    best, worse = finish("best", valid=0), finish("worse", valid=30)
    promote(SEBUM, worse)
    (folders.artifacts / "champions.json").write_text(broken)
    assert answering() == best.id
    for touch in (pins, lambda: promote(SEBUM, worse), lambda: unpin(SEBUM)):
        with pytest.raises(ScalpError, match=r"champions\.json"):
            touch()
    assert (folders.artifacts / "champions.json").read_text() == broken  # for the user to mend


def test_broken_line_of_log_hides_no_other(folders: Folders) -> None:
    promote(SEBUM, finish("one"), "first")
    with (folders.artifacts / "champions.jsonl").open("a") as log:
        log.write('{"half\n{"condition": "value_9"}\n')
    unpin(SEBUM, "second")
    assert [change.why for change in changes()] == ["second", "first"]


def test_where_nothing_can_be_written_promotion_says_so(folders: Folders) -> None:
    run = finish("one")
    (folders.artifacts / "champions.jsonl").mkdir()
    with pytest.raises(ScalpError, match="cannot be written"):
        promote(SEBUM, run)


def test_a_challenger_is_compared_on_the_validation_pictures(tiny: Dataset) -> None:
    here = {"evaluation_hash": tiny.evaluation_hash, "index_hash": tiny.index_hash}
    good, poor = finish("good", valid=0, test=60, **here), finish("poor", valid=60, test=0, **here)
    assert against(good, poor, SEBUM).quadratic_weighted_kappa.value > 0
    assert against(poor, good, SEBUM).quadratic_weighted_kappa.value < 0
    assert against(good, good, SEBUM).verdict in (Verdict.PRACTICALLY_EQUAL, Verdict.UNDECIDED)


def test_only_runs_judged_on_same_pictures_are_compared(tiny: Dataset) -> None:
    here = finish("here", index_hash=tiny.index_hash, evaluation_hash=tiny.evaluation_hash)
    gone, like_gone = (finish(name, index_hash="gone", evaluation_hash="gone") for name in ("gone", "like-gone"))
    with pytest.raises(ScalpError, match="different pictures"):
        against(here, gone, SEBUM)
    with pytest.raises(ScalpError, match="not on this machine"):
        against(gone, like_gone, SEBUM)
