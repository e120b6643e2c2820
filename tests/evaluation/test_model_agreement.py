"""Which runs speak for their architecture about one picture, and how far they agree."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Folders, Trained

from scalp_core.errors import ScalpError
from scalp_core.evaluation.model_agreement import (
    Agreement,
    CandidateResult,
    ModelAnswer,
    agreement,
    answers_by_condition,
    candidates,
    predict_all_models,
)
from scalp_core.files import read_json, sha256, write_json
from scalp_core.inference import predict
from scalp_core.labels import CONDITIONS, Condition, Severity
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs.champions import score
from scalp_core.runs.runs import Run

Copy = Callable[..., Run]


@pytest.fixture
def copied(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """Makes copies of the finished run, under other names and with other facts, in folders of this test's own."""
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))

    def copy(name: str, recipe: dict[str, object] | None = None, **facts: object) -> Run:
        folder = Path(shutil.copytree(trained.run.folder, folders.artifacts / name))
        asked = read_json(folder / "recipe.json")
        write_json(folder / "recipe.json", asked | facts | {"recipe": asked["recipe"] | (recipe or {})})
        return vouched(Run(folder))

    return copy


def vouched(run: Run) -> Run:
    """With a manifest that agrees with what was changed in the folder."""
    manifest = read_json(run.folder / "manifest.json")
    hashes = {name: sha256(run.folder / name) for name in manifest["files"]}
    write_json(run.folder / "manifest.json", manifest | {"files": hashes})
    return run


def always_right(run: Run, condition: Condition) -> Run:
    """On the validation part, about that condition."""
    table = pd.read_parquet(run.predictions_path)
    rows = ((table["part"] == "valid") & (table["condition"] == condition)).to_numpy()
    table.loc[rows, PROBABILITIES] = np.eye(4)[table.loc[rows, "truth"].to_numpy(dtype=int)]
    table.to_parquet(run.predictions_path)
    return vouched(run)


def test_one_voice_an_architecture_the_best_on_validation(copied: Copy) -> None:
    better = always_right(copied("better"), Condition.EXCESS_SEBUM)
    copied("other")
    resnet = copied("resnet", {"architecture": "resnet18"})
    assert score(better, Condition.EXCESS_SEBUM, "valid") == 1
    found, damaged = candidates()
    assert [(one.name, one.run) for one in found] == [("resnet18", resnet), ("test_efficientnet", better)]
    assert all(one.conditions == CONDITIONS for one in found)
    assert damaged == []


def test_runs_of_single_conditions_speak_for_their_architecture_together(copied: Copy) -> None:
    single = [copied(f"single-{one.number}", {"conditions": [one.value]}) for one in CONDITIONS]
    found, _ = candidates()
    assert {one.run: one.conditions for one in found} == {
        run: (condition,) for run, condition in zip(single, CONDITIONS, strict=True)
    }
    whole = copied("whole")
    found, _ = candidates()
    assert [(one.run, one.conditions) for one in found] == [(whole, CONDITIONS)]


def test_runs_that_learned_from_drawn_pictures_are_silent_beside_real_ones(copied: Copy) -> None:
    copied("drawn", {"architecture": "resnet18"})
    real = copied("real", synthetic=False)
    assert [one.run for one in candidates()[0]] == [real]


def test_damaged_runs_are_named_and_unfinished_ones_are_not(copied: Copy) -> None:
    sound, damaged, waiting = copied("sound"), copied("torn"), copied("waiting")
    damaged.predictions_path.unlink()
    (waiting.folder / "manifest.json").unlink()
    found, left_out = candidates()
    assert [one.run for one in found] == [sound]
    assert [one.run for one in left_out] == [damaged]
    assert "predictions.parquet" in left_out[0].reason.en


def test_a_run_that_cannot_answer_is_told_and_the_others_are_heard(trained: Trained, copied: Copy) -> None:
    predict.graders(run=trained.run).load()
    good, bad = copied("good"), copied("bad", {"architecture": "resnet18"})
    weights = bytearray(bad.weights_path.read_bytes())
    weights[-1] ^= 1
    bad.weights_path.write_bytes(weights)
    heard = list(predict_all_models(trained.picture, candidates()[0]))
    told = {one.speaker.run: one.said for one in heard}
    assert isinstance(told[bad], ScalpError)
    assert told[bad].code == "damaged"
    said = answers_by_condition(heard)
    assert all([voice.run for voice in said[condition]] == [good] for condition in CONDITIONS)
    page = predict.graders(run=good).grade(trained.picture)
    assert said[Condition.DANDRUFF][0].grading.probabilities == page.gradings[Condition.DANDRUFF].probabilities


def test_pictures_are_asked_about_one_speaker_at_a_time(trained: Trained) -> None:
    one = candidates()[0][0]
    asked = predict_all_models(trained.picture, [one, one, one])
    assert isinstance(next(asked), CandidateResult)
    asked.close()  # the page was left: nobody else is asked


def test_agreement_counts_the_others(trained: Trained, tmp_path: Path) -> None:
    answered = replace(
        predict.grade(trained.picture).gradings[Condition.DANDRUFF], grade=Severity.MODERATE, run=trained.run
    )
    grades = (Severity.MODERATE, Severity.NORMAL, Severity.MODERATE)
    said = [ModelAnswer("own", trained.run, answered)]
    said += [
        ModelAnswer(f"{number}", Run(tmp_path / str(number)), replace(answered, grade=grade))
        for number, grade in enumerate(grades)
    ]
    assert agreement(answered, said) == Agreement(others=3, agreeing=2, lowest=0, highest=2)
    assert agreement(answered, said).spread == 2
    assert agreement(answered, []) == Agreement(others=0, agreeing=0, lowest=2, highest=2)
