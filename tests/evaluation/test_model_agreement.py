"""The runs that answer for their architecture about one picture, and how far they agree."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Folders, Trained
from support.changed_runs import change_recipe, vouch_again

from scalp_core.errors import ScalpError
from scalp_core.evaluation.model_agreement import (
    Agreement,
    CandidateResult,
    ModelAnswer,
    answers_by_condition,
    list_candidates,
    measure_agreement,
    predict_all_models,
)
from scalp_core.inference import predict
from scalp_core.labels import CONDITIONS, Condition, Severity
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs.election import score
from scalp_core.runs.run import Run

Copy = Callable[..., Run]


@pytest.fixture
def copied(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """Copy the finished run, under other names and with other facts, into folders of this test's own."""
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))

    def copy(name: str, recipe: dict[str, object] | None = None, **facts: object) -> Run:
        run = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / name)))
        change_recipe(run, recipe or {}, **facts)
        return run

    return copy


def vouched(run: Run) -> Run:
    """Make the manifest agree with the changed files of the folder."""
    vouch_again(run)
    return run


def always_right(run: Run, condition: Condition) -> Run:
    """Make the run grade that condition perfectly on the validation part."""
    table = pd.read_parquet(run.predictions_path)
    rows = ((table["part"] == "valid") & (table["condition"] == condition)).to_numpy()
    table.loc[rows, PROBABILITIES] = np.eye(4)[table.loc[rows, "truth"].to_numpy(dtype=int)]
    table.to_parquet(run.predictions_path)
    return vouched(run)


def test_best_run_on_validation_answers_for_its_architecture(copied: Copy) -> None:
    better = always_right(copied("better"), Condition.EXCESS_SEBUM)
    copied("other")
    resnet = copied("resnet", {"architecture": "resnet18"})
    assert score(better, Condition.EXCESS_SEBUM, "valid") == 1
    candidates, damaged = list_candidates()
    assert [(candidate.name, candidate.run) for candidate in candidates] == [
        ("resnet18", resnet),
        ("test_efficientnet", better),
    ]
    assert all(candidate.conditions == CONDITIONS for candidate in candidates)
    assert damaged == []


def test_runs_of_single_conditions_answer_together(copied: Copy) -> None:
    single = [copied(f"single-{condition.number}", {"conditions": [condition.value]}) for condition in CONDITIONS]
    candidates, _ = list_candidates()
    assert {candidate.run: candidate.conditions for candidate in candidates} == {
        run: (condition,) for run, condition in zip(single, CONDITIONS, strict=True)
    }
    whole = copied("whole")
    candidates, _ = list_candidates()
    assert [(candidate.run, candidate.conditions) for candidate in candidates] == [(whole, CONDITIONS)]


def test_synthetic_runs_are_no_candidates_beside_real_ones(copied: Copy) -> None:
    copied("rendered", {"architecture": "resnet18"})
    real = copied("real", synthetic=False)
    assert [candidate.run for candidate in list_candidates()[0]] == [real]


def test_damaged_runs_are_excluded_and_unfinished_ones_ignored(copied: Copy) -> None:
    sound, damaged, waiting = copied("sound"), copied("torn"), copied("waiting")
    damaged.predictions_path.unlink()
    (waiting.folder / "manifest.json").unlink()
    candidates, excluded = list_candidates()
    assert [candidate.run for candidate in candidates] == [sound]
    assert [exclusion.run for exclusion in excluded] == [damaged]
    assert "predictions.parquet" in excluded[0].reason.en


def test_a_failing_run_does_not_stop_the_others(trained: Trained, copied: Copy) -> None:
    predict.graders(run=trained.run).load()
    good, bad = copied("good"), copied("bad", {"architecture": "resnet18"})
    weights = bytearray(bad.weights_path.read_bytes())
    weights[-1] ^= 1
    bad.weights_path.write_bytes(weights)
    results = list(predict_all_models(trained.picture, list_candidates()[0]))
    outcomes = {result.candidate.run: result.outcome for result in results}
    assert isinstance(outcomes[bad], ScalpError)
    assert outcomes[bad].code == "damaged"
    answers = answers_by_condition(results)
    assert all([answer.run for answer in answers[condition]] == [good] for condition in CONDITIONS)
    page = predict.graders(run=good).grade(trained.picture)
    assert answers[Condition.DANDRUFF][0].grading.probabilities == page.gradings[Condition.DANDRUFF].probabilities


def test_candidates_predict_one_at_a_time(trained: Trained) -> None:
    candidate = list_candidates()[0][0]
    results = predict_all_models(trained.picture, [candidate, candidate, candidate])
    assert isinstance(next(results), CandidateResult)
    results.close()  # the page was left: the others are never asked


def test_agreement_counts_the_others(trained: Trained, tmp_path: Path) -> None:
    answered = replace(
        predict.grade(trained.picture).gradings[Condition.DANDRUFF], grade=Severity.MODERATE, run=trained.run
    )
    grades = (Severity.MODERATE, Severity.NORMAL, Severity.MODERATE)
    answers = [ModelAnswer("own", trained.run, answered)]
    answers += [
        ModelAnswer(f"{number}", Run(tmp_path / str(number)), replace(answered, grade=grade))
        for number, grade in enumerate(grades)
    ]
    assert measure_agreement(answered, answers) == Agreement(others=3, agreeing=2, lowest=0, highest=2)
    assert measure_agreement(answered, answers).spread == 2
    assert measure_agreement(answered, []) == Agreement(others=0, agreeing=0, lowest=2, highest=2)
