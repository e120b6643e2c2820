"""The single prediction path: the numbers of the network itself, one pass a run, and no torch."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, Folders, Trained, promote_everywhere, with_all_pixels
from support.changed_runs import change_recipe
from torch.nn.modules.module import register_module_forward_hook

from scalp_core import images
from scalp_core.errors import ScalpError
from scalp_core.inference import session
from scalp_core.inference.predict import grade, grade_with_run, graders, warm_up
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.export import ExportedNetwork
from scalp_core.learning.network import logits
from scalp_core.memory_budget import out_of_memory
from scalp_core.metrics.operating_point import Decision, OperatingPoint
from scalp_core.runs.champions import promote
from scalp_core.runs.run import Run, Serving


def test_the_answer_is_what_the_network_says(trained: Trained) -> None:
    answer = grade(trained.picture)
    network = load_network(trained.run)
    pixels = images.preprocess(trained.picture, trained.run.preprocessing)
    with torch.inference_mode():
        evidence = network(torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float())
    expected = logits(evidence).softmax(-1)[0].numpy()
    assert list(answer.gradings) == list(CONDITIONS)
    for number, grading in enumerate(answer.gradings.values()):
        assert np.abs(np.array(grading.probabilities) - expected[number]).max() < 1e-5
        assert np.abs(grading.evidence - evidence[0, number].numpy()).max() < 1e-4
        assert grading.grade == expected[number].argmax()
        assert sum(grading.probabilities) == pytest.approx(1, abs=1e-5)
        assert grading.run == trained.run
        softmax = np.exp(grading.evidence.mean(axis=(1, 2)))
        assert np.abs(softmax / softmax.sum() - grading.probabilities).max() < 1e-5  # the map is the explanation
    assert set(answer.scalp_type.missing) == set()


def test_it_agrees_with_the_predictions_the_run_recorded(trained: Trained) -> None:
    recorded = trained.run.predictions
    test_part = recorded[recorded["part"] == "test"]
    answer = grade(trained.picture)
    first = test_part[test_part["image"] == test_part["image"].iloc[0]].set_index("condition")
    for condition, grading in answer.gradings.items():
        expected = first.loc[condition.value, ["p0", "p1", "p2", "p3"]].to_numpy(dtype=float)
        assert np.abs(expected - grading.probabilities).max() < 1e-4


def test_one_pass_answers_for_all_conditions_of_run(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    real = session.Session.answer
    monkeypatch.setattr(session.Session, "answer", lambda self, pixels: passes.append(1) or real(self, pixels))
    grade(trained.picture)
    assert len(passes) == 1


POINT = OperatingPoint(
    {
        Condition.PUSTULES: Decision(temperature=2.0, shift=(0.0, 0.0, 1.0, 3.0), set_threshold=0.5, images=100),
        Condition.DANDRUFF: Decision(rule="median", tau=0.5, prior=(0.7, 0.1, 0.1, 0.1), images=100),
        Condition.EXCESS_SEBUM: Decision(far_limit=0.01, refer_from=0.0),
        Condition.ERYTHEMA: Decision(far_limit=0.01, refer_from=1.0),
    },
    made="2026-01-01T00:00:00+00:00",
)


def test_new_operating_point_applies_without_reload(
    trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "copy"))))
    (run.folder / "operating_point.json").unlink(missing_ok=True)
    before = grade(trained.picture).gradings
    assert {grading.grade_set for grading in before.values()} == {None}, "nothing promised that was not fitted"
    network = session.load(run, run.serving)
    run.write_operating_point(POINT)
    after = grade(trained.picture).gradings
    assert session.load(run, run.serving) is network
    for condition, grading in after.items():
        decision = POINT.decision(condition)
        expected = decision.calibrated(before[condition].probabilities)
        assert grading.probabilities == pytest.approx(expected.tolist())
        assert grading.grade == decision.grade(expected)
        assert (grading.grade_set is not None) == decision.fitted
        if grading.grade_set:
            assert grading.grade_set == decision.grade_set(expected)
            assert grading.grade_set[0] <= grading.grade <= grading.grade_set[1]
        assert (grading.evidence == before[condition].evidence).all()
    limited = {condition: grading.refer for condition, grading in after.items() if grading.refer is not None}
    assert limited == {Condition.EXCESS_SEBUM: True, Condition.ERYTHEMA: False}
    assert {grading.refer for grading in before.values()} == {None}
    assert after[Condition.PUSTULES].grade == 3 != before[Condition.PUSTULES].grade


def test_predict_agrees_with_the_prediction_table(trained: Trained, folders: Folders) -> None:
    run = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "copy"))))
    run.write_operating_point(POINT)
    recorded = run.predictions[run.predictions["part"] == "test"]
    first = recorded[recorded["image"] == recorded["image"].iloc[0]].set_index("condition")
    for condition, grading in grade(trained.picture).gradings.items():
        row = first.loc[condition.value]
        assert np.abs(row[["p0", "p1", "p2", "p3"]].to_numpy(dtype=float) - grading.probabilities).max() < 1e-4
        assert grading.grade == row["grade"]
        recorded_set = None if row["low"] is pd.NA else (row["low"], row["high"])
        assert grading.grade_set == recorded_set


def test_some_conditions_only_and_threshold_of_ones_own(trained: Trained) -> None:
    wanted = (Condition.HAIR_LOSS, Condition.DANDRUFF)
    answer = grade(trained.picture, wanted, threshold=1)
    assert tuple(answer.gradings) == wanted
    assert answer.scalp_type.key == "undetermined"
    assert answer.scalp_type.threshold == 1
    with pytest.raises(ScalpError, match="1, 2 or 3"):
        grade(trained.picture, threshold=0)


def test_any_run_can_be_asked_whoever_is_champion(trained: Trained, folders: Folders) -> None:
    champion = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "champion")))
    other = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "other")))
    other.write_operating_point(POINT)
    plain = grade_with_run(champion, trained.picture)
    decided = grade_with_run(other, trained.picture)
    assert list(decided) == list(CONDITIONS)
    for condition, grading in decided.items():
        assert grading.run == other
        assert (grading.evidence == plain[condition].evidence).all()
        expected = POINT.decision(condition).calibrated(plain[condition].probabilities)
        assert grading.probabilities == pytest.approx(expected.tolist())


def test_several_runs_answer_as_each_alone(trained: Trained, folders: Folders) -> None:
    runs = [Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / name))) for name in ("a", "b", "c")]
    for run in runs[1:]:
        with_all_pixels(run)
    runs[1].write_serving(Serving(reduced=True), {})
    for condition, run in zip(CONDITIONS, runs * 2, strict=True):
        promote(condition, run)
    together = grade(trained.picture)
    assert graders().main == runs[0]
    assert {condition: grading.run for condition, grading in together.gradings.items()} == dict(
        zip(CONDITIONS, runs * 2, strict=True)
    )
    for run in runs:
        alone = grade_with_run(run, trained.picture)
        for condition, grading in together.gradings.items():
            if grading.run == run:
                assert grading.probabilities == pytest.approx(alone[condition].probabilities, abs=1e-6)


def test_short_cut_is_taken_where_run_says_so(trained: Trained, folders: Folders) -> None:
    run = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "copy"))))
    with_all_pixels(run)
    whole = grade(trained.picture)
    assert whole.picture.pixels.shape[:2] == (whole.picture.height, whole.picture.width)
    run.write_serving(Serving(reduced=True), {})
    fewer = grade(trained.picture)
    assert fewer.picture.pixels.size < whole.picture.pixels.size
    assert (fewer.picture.width, fewer.picture.height) == (whole.picture.width, whole.picture.height)
    for condition, grading in fewer.gradings.items():
        probabilities = whole.gradings[condition].probabilities
        assert grading.probabilities != probabilities
        assert grading.probabilities == pytest.approx(probabilities, abs=0.1)


def test_torch_says_the_same(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    by_onnxruntime = grade(trained.picture)
    importlib.import_module("scalp_core.learning.torch_session")  # as the package does where a program starts so
    monkeypatch.setenv("SCALP_RUNTIME", "torch")
    modules = set()
    hook = register_module_forward_hook(lambda module, *_: modules.add(type(module)))
    by_torch = grade(trained.picture)
    hook.remove()
    assert ExportedNetwork in modules
    for condition, grading in by_torch.gradings.items():
        other = by_onnxruntime.gradings[condition]
        assert grading.probabilities == pytest.approx(other.probabilities, abs=1e-4)
        assert np.abs(grading.evidence - other.evidence).max() < 1e-3
    assert by_torch.features[trained.run] == pytest.approx(by_onnxruntime.features[trained.run], abs=1e-3)


def test_an_unknown_runtime_is_told(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_RUNTIME", "tensorrt")
    with pytest.raises(ScalpError, match="onnxruntime or torch"):
        grade(trained.picture)


def test_evidence_is_made_of_features_that_are_told(trained: Trained) -> None:
    answer = grade(trained.picture)
    network = load_network(trained.run)
    pixels = np.array(images.preprocess(trained.picture, trained.run.preprocessing))
    batch = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        finer = [maps.mean(dim=(-2, -1), keepdim=True) for maps in network.features(batch)[:-1]]
        averaged = [*finer, torch.from_numpy(answer.features[trained.run])[None, :, None, None]]
        expected = network.evidence(averaged)[0, ..., 0, 0].numpy()
    for number, grading in enumerate(answer.gradings.values()):
        assert np.abs(grading.evidence.mean(axis=(1, 2)) - expected[number]).max() < 1e-4


def test_graders_stay_as_they_were_chosen(trained: Trained, folders: Folders) -> None:
    first = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "first"))))
    current = graders()
    before = current.grade(trained.picture)
    later = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "later")))
    promote(Condition.DANDRUFF, later)
    first.write_operating_point(POINT)
    after = current.grade(trained.picture)
    for condition, grading in after.gradings.items():
        assert grading.run == first
        assert grading.probabilities == before.gradings[condition].probabilities
    now = grade(trained.picture).gradings
    assert now[Condition.DANDRUFF].run == later
    assert now[Condition.PUSTULES].grade == 3 != after.gradings[Condition.PUSTULES].grade


def test_graders_of_a_run_know_its_conditions(trained: Trained, folders: Folders) -> None:
    run = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "some")))
    change_recipe(run, {"conditions": ["value_5"]})
    assert list(graders(run=run).runs) == [Condition.DANDRUFF]
    with pytest.raises(ScalpError, match="does not grade “hair loss”") as caught:
        graders([Condition.HAIR_LOSS], run)
    assert caught.value.code == "not_graded"


def test_runs_are_loaded_once(trained: Trained) -> None:
    assert warm_up() == [trained.run]
    loaded = session.load(trained.run, trained.run.serving)
    assert session.load(trained.run, trained.run.serving) is loaded


def test_without_a_picture_there_is_no_answer(trained: Trained) -> None:
    with pytest.raises(ScalpError) as caught:
        grade(b"<html>")
    assert caught.value.code == "not_a_picture"


def test_without_a_run_there_is_no_answer(trained: Trained, folders: Folders) -> None:
    with pytest.raises(ScalpError, match="Train one") as caught:
        grade(trained.picture)
    assert caught.value.code == "no_model"


def test_a_damaged_run_does_not_answer(trained: Trained, folders: Folders) -> None:
    copy = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "copy")))).folder
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ScalpError, match=r"model\.safetensors") as caught:
        grade(trained.picture)
    assert caught.value.code == "no_model"


GRADE = """
import json, sys
from pathlib import Path
from scalp_core.inference.predict import grade
answer = grade(Path(sys.argv[1]).read_bytes())
assert not {"torch", "timm", "torchvision", "streamlit"} & set(sys.modules), "loaded what answering must not need"
print(json.dumps([grading.probabilities for grading in answer.gradings.values()]))
"""


def test_answering_needs_no_torch_and_makes_missing_export(trained: Trained, folders: Folders, tmp_path: Path) -> None:
    copy = promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "copy")))).folder
    (copy / "model.onnx").unlink()
    (copy / "export.json").unlink()
    picture = tmp_path / "picture"
    picture.write_bytes(trained.picture)
    done = subprocess.run(
        [sys.executable, "-c", GRADE, str(picture)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (copy / "model.onnx").is_file()
    here = [grading.probabilities for grading in grade(trained.picture).gradings.values()]
    assert np.abs(np.array(json.loads(done.stdout)) - np.array(here)).max() < 1e-6


# Loads a run with no memory left for it, then with enough, in a process whose limit is its own.
LOADED = """
import resource, sys
from pathlib import Path
from scalp_core.errors import ScalpError
from scalp_core.inference import session
from scalp_core.runs.run import Run, Serving
run, pages = Run(Path(sys.argv[1])), int(Path("/proc/self/statm").read_text().split()[0])
for limit in pages * resource.getpagesize() + 2**18, resource.RLIM_INFINITY:
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        session.load(run, Serving())
        print("loaded")
    except ScalpError as error:
        print(error.code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory so")
def test_a_run_is_loaded_once_memory_allows(trained: Trained) -> None:
    warm_up()  # exports it
    process = subprocess.run(
        [sys.executable, "-c", LOADED, str(trained.run.folder)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert [line for line in process.stdout.split() if line in ("no_memory", "loaded")] == ["no_memory", "loaded"]


@pytest.mark.parametrize(
    "words",
    [
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: std::bad_alloc",
        "PosixThread::PosixThread(…) pthread_create failed, error code: 12 error msg: Cannot allocate memory",
        "can't start new thread",
    ],
)
def test_runtimes_tell_of_memory_in_words(words: str) -> None:
    assert out_of_memory(RuntimeError(words))
    assert not out_of_memory(RuntimeError("a mistake"))
    assert not out_of_memory(OSError(2, "allocate memory"))
