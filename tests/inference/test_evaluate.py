"""Runs judged on another dataset than their own: the answers, what is left out, and going on after a stop."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Folders, Trained

import scalp_core
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import align_runs, list_candidates
from scalp_core.inference import dataset_outputs
from scalp_core.inference import evaluate as module
from scalp_core.inference.evaluate import evaluate, judged_rows
from scalp_core.inference.predict import graders
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs.ancestry import LearnedPictures, learned_pictures, overlap_of
from scalp_core.runs.election import elect
from scalp_core.runs.evaluations import evaluated_run, evaluated_runs, evaluation_notes
from scalp_core.runs.run import Run
from training import evaluate as command
from training import report

PARTS = ("test", "valid", "calib", "train")


@pytest.fixture
def run(trained: Trained, folders: Folders) -> Run:
    """A copy of the finished run, in a folder of runs of its own."""
    shutil.copytree(trained.run.folder, folders.artifacts / "judge")
    return Run(folders.artifacts / "judge")


@pytest.fixture
def clinic(trained: Trained, folders: Folders, run: Run) -> Dataset:
    """The same pictures as another dataset, split anew, so that the run learned from some of those it is judged on."""
    del run
    rows = trained.dataset.index.reset_index(drop=True)
    rows["part"] = [PARTS[number % len(PARTS)] for number in range(len(rows))]
    folder = folders.data / "clinic"
    folder.mkdir()
    return write_dataset(folder, "csv", {}, rows, source=str(trained.dataset.folder))


def test_answers_are_those_that_an_upload_gets(run: Run, clinic: Dataset) -> None:
    """Calibrated at the run's operating point, and nothing that it learned from is among them."""
    evaluated = evaluate(run, clinic)
    predictions = evaluated.predictions
    learned = learned_pictures(run).sha256
    index = clinic.index
    wanted = index[(index["part"] != "train") & ~index["sha256"].isin(learned)]
    assert 0 < len(wanted) < (index["part"] != "train").sum()
    assert set(predictions["image"]) == set(wanted["id"])
    assert len(evaluated.facts.left_out) == (index["part"] != "train").sum() - len(wanted)
    image = wanted["id"].iloc[0]
    answer = graders(run=run).grade(clinic.read(image))
    rows = predictions[predictions["image"] == image].set_index("condition")
    for condition in CONDITIONS:
        grading = answer.gradings[condition]
        assert rows.loc[condition.value, "grade"] == grading.grade
        assert rows.loc[condition.value, PROBABILITIES].to_numpy(dtype=float) == pytest.approx(
            grading.probabilities, abs=1e-5
        )
        assert rows.loc[condition.value, "truth"] == index.loc[image, condition.value]
        assert rows.loc[condition.value, "part"] == index.loc[image, "part"]


def test_the_run_s_own_answers_stay_what_they_were(run: Run, clinic: Dataset) -> None:
    before, hash_before = run.predictions.copy(), run.evaluation_hash
    evaluate(run, clinic)
    assert Run(run.folder).predictions.equals(before)
    assert Run(run.folder).evaluation_hash == hash_before != clinic.evaluation_hash
    assert Run(run.folder).complete
    assert elect([run], CONDITIONS[0]) is None  # as before: its own pictures are too few


def test_it_is_compared_with_runs_of_the_dataset(trained: Trained, folders: Folders, run: Run, clinic: Dataset) -> None:
    """All are judged on the pictures that it did not learn from."""
    candidates, excluded = list_candidates(clinic)
    assert [(entry.run.id, entry.can_be_judged) for entry in excluded] == [("judge", True)]
    assert not candidates
    shutil.copytree(run.folder, folders.artifacts / "other")
    other = Run(folders.artifacts / "other")
    evaluate(run, clinic)
    full = replace_left_out(evaluate(other, clinic), clinic)
    (models, excluded) = list_candidates(clinic)
    assert not excluded or {entry.run.id for entry in excluded} <= {"judge", "other"}
    aligned = align_runs(clinic, [evaluated_run(run, clinic), full], "test")
    common = set(evaluated_run(run, clinic).predictions.query("part == 'test'")["image"])
    assert set(aligned.images) == common
    assert [model.evaluated for model in models] == [True] * len(models)
    assert not overlap_of(evaluated_run(run, clinic), clinic).leaks
    assert overlap_of(full, clinic).leaks  # as one that answers what it learned from


def replace_left_out(evaluated: Run, dataset: Dataset) -> Run:
    """Give a run answers to all pictures, as one has that was trained on this dataset."""
    from dataclasses import replace

    from scalp_core.runs.evaluations import EvaluatedRun, write_evaluation
    from scalp_core.runs.prediction_table import prediction_table

    assert isinstance(evaluated, EvaluatedRun)
    rows = np.flatnonzero(dataset.column("part") == "test")
    values = np.full((len(rows), len(CONDITIONS), 4), 0.25, dtype=np.float32)
    table = prediction_table(dataset, rows, "test", CONDITIONS, values)
    return write_evaluation(Run(evaluated.folder), replace(evaluated.facts, left_out=()), table)


def test_interrupted_it_goes_on(run: Run, clinic: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_outputs, "_CHUNK", 4)
    whole = evaluate(run, clinic).raw_predictions
    evaluated_run(run, clinic).predictions_path.unlink()

    def stop(done: int, total: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(run, clinic, stop)
    assert evaluated_run(run, clinic) is None
    steps: list[int] = []
    again = evaluate(run, clinic, lambda done, total: steps.append(done)).raw_predictions
    assert steps[0] == 8
    pd.testing.assert_frame_equal(again, whole, rtol=1e-5)
    assert not list((clinic.folder / "cache").glob("evaluation-*"))
    evaluate(run, clinic, lambda done, total: pytest.fail("graded again"))


def test_what_cannot_be_judged_says_why(run: Run, trained: Trained, clinic: Dataset, folders: Folders) -> None:
    shutil.copytree(trained.dataset.folder, folders.data / "tiny")
    with pytest.raises(ScalpError, match="was judged on the pictures of “tiny” when it was trained"):
        evaluate(run, open_dataset("tiny"))
    rows = clinic.index[clinic.index["sha256"].isin(learned_pictures(run).sha256)].reset_index(drop=True)
    (folders.data / "learned_alone").mkdir()
    learned_alone = write_dataset(folders.data / "learned_alone", "csv", {}, rows, source=clinic.source)
    assert not len(judged_rows(run, learned_alone).graded)
    with pytest.raises(ScalpError, match="has no picture outside its training split"):
        evaluate(run, learned_alone)


def test_damaged_answers_are_said_and_made_again(run: Run, clinic: Dataset) -> None:
    path = evaluate(run, clinic).predictions_path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    evaluated, damaged = evaluated_runs(clinic)
    assert not evaluated
    assert "evaluation-" in str(damaged[run])
    (_, excluded) = list_candidates(clinic)
    assert ["evaluation-" in entry.reason.en and entry.can_be_judged for entry in excluded] == [True]
    assert evaluate(run, clinic).predictions is not None


def test_unreadable_pictures_are_counted(run: Run, trained: Trained, folders: Folders, clinic: Dataset) -> None:
    rows = clinic.index.reset_index(drop=True)
    unlearned = rows[(rows["part"] == "test") & ~rows["sha256"].isin(learned_pictures(run).sha256)].index[0]
    rows.loc[unlearned, "path"] = "gone.jpg"
    rows[list(LABEL_COLUMNS)] = rows[list(LABEL_COLUMNS)].fillna(0)
    (folders.data / "torn").mkdir()
    torn = write_dataset(folders.data / "torn", "csv", {}, rows, source=clinic.source)
    evaluated = evaluate(run, torn)
    assert evaluated.facts.unreadable == (rows.loc[unlearned, "id"],)
    assert "1 could not be read" in evaluation_notes([evaluated])[0].en


def test_one_that_cannot_be_judged_leaves_the_others(
    run: Run, clinic: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Path(shutil.copytree(run.folder, run.folder.with_name("broken")))
    for name in ("model.onnx", "export.json", "model.safetensors"):
        (broken / name).write_bytes(b"")
    assert command.main(["broken", "judge", "--data", "clinic"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("broken: ")
    assert "judged on these pictures" in printed.out
    assert evaluated_run(run, clinic)


def test_command_reports_and_interface_agree(
    run: Run, clinic: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "comparison.html"
    assert command.main(["judge", "--data", "clinic"]) == 0
    printed = capsys.readouterr().out
    assert "Learned from “tiny” and judged on these pictures" in printed
    assert "that were learned from, then or before, are left out" in printed
    evaluated = scalp_core.evaluate("judge", "clinic")
    table = scalp_core.compare([evaluated])
    assert f"n = {table['images'].iloc[0]}" in printed
    assert list(scalp_core.predictions(evaluated)["image"]) == list(evaluated.predictions["image"])
    assert report.main(["--data", "clinic"]) == 0
    assert "judge: test_efficientnet" in capsys.readouterr().out
    left_out = "that were learned from, then or before, are left out"
    assert report.main(["--data", "clinic", "--json"]) == 0
    assert left_out in " ".join(json.loads(capsys.readouterr().out)["notes"])
    assert report.main(["--data", "clinic", "--html", str(page)]) == 0
    assert evaluated.predictions_path.name in page.read_text(encoding="utf-8")  # with its hash
    assert left_out in page.read_text(encoding="utf-8")


def test_pictures_that_are_away_are_not_unreadable(run: Run, clinic: Dataset, tmp_path: Path) -> None:
    """Nothing is kept of a disk that is not there, and what could not be read is graded when it can be."""
    source = Path(clinic.source)
    away = source.rename(source.with_name("away"))
    try:
        with pytest.raises(ScalpError, match="The folder of the pictures of “clinic” is gone"):
            evaluate(run, clinic)
        assert evaluated_run(run, clinic) is None
    finally:
        away.rename(source)
    image = evaluate(run, clinic).predictions["image"].iloc[0]
    evaluated_run(run, clinic).predictions_path.unlink()
    path = source / clinic.index.loc[image, "path"]
    moved = path.rename(tmp_path / "moved")
    try:
        assert evaluate(run, clinic).facts.unreadable == (image,)
    finally:
        moved.rename(path)
    assert evaluate(run, clinic).facts.unreadable == ()


def test_a_dataset_that_changes_meanwhile_is_judged_again(run: Run, clinic: Dataset) -> None:
    def split_anew(done: int, total: int) -> None:
        if done == total:
            rows = clinic.index.reset_index(drop=True)
            rows["part"] = rows["part"].replace({"valid": "test", "test": "valid"})
            write_dataset(clinic.folder, "csv", {}, rows, source=clinic.source)

    with pytest.raises(ScalpError, match="has changed while it was graded"):
        evaluate(run, clinic, split_anew)
    assert evaluated_run(run, open_dataset("clinic")) is None
    assert evaluate(run, open_dataset("clinic")).evaluation_hash == open_dataset("clinic").evaluation_hash


def test_what_was_learned_and_is_known_later_is_a_leak(
    run: Run, clinic: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "learned_pictures", lambda _: LearnedPictures(frozenset(), False))
    evaluated = evaluate(run, clinic)
    assert evaluated.facts.left_out == ()
    assert overlap_of(evaluated, clinic).leaks


def test_only_what_was_judged_alike_is_compared(run: Run, clinic: Dataset) -> None:
    evaluated = evaluate(run, clinic)
    for sides in ([evaluated, run], [evaluated, evaluated]):
        with pytest.raises(ScalpError, match="were not judged on the same pictures, or one is named twice"):
            scalp_core.compare(sides)
    assert evaluate(evaluated, clinic) == evaluated
    assert report.main(["--data", "clinic", "--markdown"]) in (0, 1)  # its tables leave such runs out
