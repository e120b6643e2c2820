"""The check behind the badge: page and REST say the same, and it is noticed when they do not."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Folders, Trained

from scalp_core.errors import ScalpError
from scalp_core.inference import predict
from scalp_core.inference.predict import Answer
from scalp_core.labels import CONDITIONS, Condition, Severity, scalp_type
from scalp_core.rest import parity
from scalp_core.rest.parity import Parity, check
from scalp_core.runs import champions
from scalp_core.runs.run import Run
from scalp_core.seals import read_sealed_json, write_sealed_json


@pytest.fixture
def runs(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Two runs of this test's own."""
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
    predict.graders(run=trained.run).load()  # exported once for both
    return [Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / name))) for name in ("one", "other")]


def test_page_and_rest_say_the_same(trained: Trained) -> None:
    for threshold in (1, 2, 3):
        result = check(trained.picture, predict.graders().grade(trained.picture, threshold))
        assert result.rest == 0
        assert result.torch is not None
        assert result.torch < parity.OTHER_RUNTIME
        assert result.same
        assert result.holds


def test_parity_of_a_run_without_a_condition(trained: Trained, runs: list[Run]) -> None:
    for condition in CONDITIONS:
        champions.promote(condition, runs[0])
    assert check(trained.picture, predict.graders(run=runs[1]).grade(trained.picture)).holds


def test_runs_that_share_the_conditions(trained: Trained, runs: list[Run]) -> None:
    for condition in CONDITIONS:
        champions.promote(condition, runs[condition is Condition.DANDRUFF])
    answer = predict.grade(trained.picture)
    assert check(trained.picture, answer).holds
    champions.promote(Condition.HAIR_LOSS, runs[1])
    with pytest.raises(ScalpError) as error:
        check(trained.picture, answer)
    assert error.value.code == "others_answer"


def altered(answer: Answer, **changes: object) -> Answer:
    changed = replace(answer.gradings[Condition.DANDRUFF], **changes)
    return replace(answer, gradings=answer.gradings | {Condition.DANDRUFF: changed})


def test_a_difference_is_noticed(trained: Trained) -> None:
    answer = predict.grade(trained.picture)
    grading = answer.gradings[Condition.DANDRUFF]
    first, second, *others = grading.probabilities
    apart = check(trained.picture, altered(answer, probabilities=(first - 1e-5, second + 1e-5, *others)))
    assert apart.rest == pytest.approx(1e-5)
    assert apart.same
    assert not apart.holds
    assert not check(trained.picture, altered(answer, grade=Severity((grading.grade + 1) % 4))).same
    other_type = scalp_type(dict.fromkeys(CONDITIONS, 3))
    assert not check(trained.picture, replace(answer, scalp_type=other_type)).same


def test_what_rest_refuses_is_told(trained: Trained) -> None:
    answer = predict.grade(trained.picture)
    with pytest.raises(ScalpError) as error:
        check(b"no picture", answer)
    assert error.value.code == "not_a_picture"
    assert error.value.text.en != error.value.text.ko


def test_the_export_s_own_difference_counts(trained: Trained, runs: list[Run]) -> None:
    facts = read_sealed_json(runs[0].folder / "export.json")
    write_sealed_json(runs[0].folder / "export.json", facts | {"largest_difference": 0.25})
    parity = check(trained.picture, predict.graders(run=runs[0]).grade(trained.picture))
    assert parity.torch == 0.25
    assert not parity.holds
    assert Parity(0.0, None, same=True).holds
