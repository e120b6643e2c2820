"""Short cuts of answering: checked before they are taken, never half taken, and gone when what they need is gone."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Folders, Trained, promote_everywhere, with_all_pixels
from scipy.special import softmax
from sklearn.metrics import cohen_kappa_score

from scalp_core.data.dataset import Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.inference import optimize, predict
from scalp_core.inference.optimize import EXACT, LEAST_GAIN, TOLERANCE, Candidate, choose, optimize_run
from scalp_core.inference.session import open_onnx
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs.run import OUTPUTS, Run, Serving
from training.optimize import main

REDUCED, INT8, BOTH = Serving(reduced=True), Serving(int8=True), Serving(reduced=True, int8=True)
ANYTHING_PASSES = 2.0  # no two kappas lie farther apart


@pytest.fixture
def judged(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The session's pictures, most of them dealt to the calibration part."""
    rows = trained.dataset.index.reset_index(drop=True)
    rows["part"] = ["train"] * 8 + ["calib"] * (len(rows) - 8)
    folder = folders.data / "judged"
    folder.mkdir()
    return write_dataset(folder, "synthetic", {}, rows, source=str(trained.dataset.folder))


@pytest.fixture
def run(trained: Trained, judged: Dataset, folders: Folders) -> Run:
    """The finished run as if it had been judged on them."""
    copy = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "own")))
    path = copy.folder / "recipe.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"evaluation_hash": judged.evaluation_hash}))
    with_all_pixels(copy)
    return promote_everywhere(copy)


def way(how: Serving, milliseconds: float, change: float = 0.0, **others: object) -> Candidate:
    changes = dict.fromkeys(CONDITIONS, 0.0) | {Condition.DANDRUFF: change}
    candidate = Candidate(how, milliseconds, dict.fromkeys(CONDITIONS, 0.8), changes, 0.0, 0.0, None)
    return replace(candidate, **others)


def content_of(run: Run) -> dict[str, bytes]:
    return {name: (run.folder / name).read_bytes() for name, _ in run.files}


# What is chosen.


def test_the_fastest_that_passes_is_chosen() -> None:
    ways = [way(EXACT, 10), way(REDUCED, 8, 0.005), way(INT8, 5, -0.004), way(BOTH, 3, 0.001)]
    assert choose(ways) == BOTH
    assert choose([*ways[:3], way(BOTH, 3, -0.006)]) == INT8
    assert choose([*ways[:2], way(INT8, 5, 0.006), way(BOTH, 3, 0.006)]) == REDUCED
    assert (
        choose([ways[0], *(replace(candidate, changes={Condition.DANDRUFF: 0.02}) for candidate in ways[1:])]) == EXACT
    )


def test_lossy_8_bit_leaves_the_other_candidate() -> None:
    assert choose([way(EXACT, 10), way(REDUCED, 9, 0.02), way(INT8, 6), way(BOTH, 3)]) == INT8


def test_negligible_gain_is_not_taken() -> None:
    assert choose([way(EXACT, 10), way(REDUCED, 10.5 / LEAST_GAIN)]) == EXACT
    assert choose([way(EXACT, 10), way(REDUCED, 9.9 / LEAST_GAIN)]) == REDUCED


def test_incomparable_candidates_do_not_pass() -> None:
    assert way(REDUCED, 1, TOLERANCE).passed()
    assert not way(REDUCED, 1, float("nan")).passed()
    assert way(REDUCED, 1, reflagged=0.01).passed()
    assert not way(REDUCED, 1, reflagged=0.02).passed()


# What is checked.


def test_figures_are_those_of_the_answers(run: Run, judged: Dataset) -> None:
    checked = optimize_run(run, judged, int8=True, tolerance=ANYTHING_PASSES)
    assert [candidate.serving for candidate in checked.candidates] == [EXACT, REDUCED, INT8, BOTH]
    index = judged.index[judged.index["part"] == "calib"]
    assert checked.pictures == len(index) == 40
    exact = checked.candidates[0]
    assert (exact.regraded, exact.difference) == (0, 0)
    graders = predict.graders(run=run)
    for candidate in checked.candidates[:2]:
        asking = replace(graders, serving={run: candidate.serving})
        answers = [asking.grade(judged.read(str(image))).gradings for image in index["id"]]
        for condition in CONDITIONS:
            grades = [int(answer[condition].grade) for answer in answers]
            expected = cohen_kappa_score(index[condition.value].astype(int), grades, weights="quadratic")
            assert candidate.kappas[condition] == pytest.approx(expected, abs=1e-6, nan_ok=True)
            assert candidate.milliseconds > 0


def test_what_passes_is_taken_and_recorded(run: Run, judged: Dataset) -> None:
    progress: list[tuple[int, int]] = []
    checked = optimize_run(run, judged, True, lambda *numbers: progress.append(numbers), ANYTHING_PASSES)
    assert progress[-1] == (40, 40)
    assert run.serving == checked.serving == choose(checked.candidates, ANYTHING_PASSES)
    assert run.int8_path.exists() == checked.serving.int8
    written = json.loads((run.folder / "serving.json").read_text())
    assert (written["data"], written["part"], written["pictures"], written["synthetic"]) == (
        "judged",
        "calib",
        40,
        True,
    )
    assert [way["passed"] for way in written["ways"]] == [True] * 4
    assert all(way["milliseconds"] > 0 for way in written["ways"])
    assert set(written["ways"][1]["changes"]) == {condition.value for condition in CONDITIONS}
    run.verify()


def test_what_fails_is_told_and_not_taken(run: Run, judged: Dataset) -> None:
    run.int8_path.write_bytes(b"of an earlier time")
    before = predict.grade(judged.read(str(judged.column("id").iloc[-1])))
    checked = optimize_run(run, judged, int8=True, tolerance=-1)
    assert checked.serving == run.serving == EXACT
    assert not run.int8_path.exists()
    written = json.loads((run.folder / "serving.json").read_text())
    assert [entry["passed"] for entry in written["ways"]] == [False] * 4
    after = predict.grade(judged.read(str(judged.column("id").iloc[-1])))
    assert [entry.probabilities for entry in before.gradings.values()] == [
        entry.probabilities for entry in after.gradings.values()
    ]


def test_too_few_pictures_tell_nothing(run: Run, trained: Trained) -> None:
    before = content_of(run)
    with pytest.raises(ScalpError, match="labelled pictures"):
        optimize_run(run, trained.dataset)
    assert content_of(run) == before


# What a kill leaves.


class Killed(BaseException):
    """An exception that nothing catches."""


def test_killed_midway_the_run_is_as_it_was(run: Run, judged: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(*_: object) -> None:
        raise Killed

    predict.graders(run=run).load()
    before = content_of(run)
    with pytest.raises(Killed):
        optimize_run(run, judged, True, kill)
    assert content_of(run) == before

    monkeypatch.setattr(optimize, "choose", lambda *_: BOTH)
    monkeypatch.setattr(Run, "write_serving", kill)
    with pytest.raises(Killed):
        optimize_run(run, judged, int8=True)
    assert run.serving == EXACT, "the 8-bit file alone changes nothing"
    assert {name: content for name, content in content_of(run).items() if name != run.int8_path.name} == before


# The 8-bit network.


def int8_of(run: Run, path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    optimize.write_int8(run, pictures, path)


def test_8_bit_network_is_deterministic_with_evidence(run: Run, judged: Dataset, tmp_path: Path) -> None:
    predict.graders(run=run).load()
    int8_of(run, run.int8_path)
    int8_of(run, tmp_path / "again.onnx")
    assert run.int8_path.read_bytes() == (tmp_path / "again.onnx").read_bytes()

    content = judged.read(str(judged.column("id").iloc[0]))
    exact = predict.grade(content)
    run.write_serving(INT8, {})
    quick = predict.grade(content)
    assert quick.gradings[Condition.DANDRUFF].probabilities != exact.gradings[Condition.DANDRUFF].probabilities
    for grading in quick.gradings.values():
        probabilities = softmax(grading.evidence.astype(np.float64).mean(axis=(1, 2)))
        decision = run.operating_point.decision(grading.condition)
        assert decision.calibrated(probabilities) == pytest.approx(np.array(grading.probabilities), abs=1e-6)
    assert quick.features[run].shape == exact.features[run].shape


def test_8_bit_efficientnet_keeps_its_padding(tmp_path: Path) -> None:
    """EfficientNet-Lite computes in the network how much it pads."""
    shipped, eight_bits = Run(ROOT / "artifacts" / "demo-tf_efficientnet_lite0"), tmp_path / "model-int8.onnx"
    blocks = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    pictures = blocks.repeat(8, axis=1).repeat(8, axis=2)
    optimize.write_int8(shipped, pictures, eight_bits)
    quick = open_onnx(eight_bits, threads=1).run(OUTPUTS, {"pixels": pictures})
    exact = open_onnx(shipped.export_path, threads=1, weights=shipped.weights_path).run(OUTPUTS, {"pixels": pictures})
    assert [values.shape for values in quick] == [values.shape for values in exact]
    assert np.corrcoef(quick[1].ravel(), exact[1].ravel())[0, 1] > 0.8


@pytest.mark.parametrize("damage", ["missing", "damaged", "other weights"])
def test_unchecked_8_bit_network_does_not_answer(damage: str, run: Run, judged: Dataset) -> None:
    content = judged.read(str(judged.column("id").iloc[0]))
    exact = predict.grade(content)
    int8_of(run, run.int8_path)
    run.write_serving(INT8, {})
    assert run.serving == INT8
    if damage == "missing":
        run.int8_path.unlink()
    elif damage == "damaged":
        run.int8_path.write_bytes(run.int8_path.read_bytes()[:-1] + b"x")
    else:
        written = json.loads((run.folder / "serving.json").read_text())
        (run.folder / "serving.json").write_text(json.dumps(written | {"weights": "others"}))
    assert run.serving == EXACT
    assert [grading.probabilities for grading in predict.grade(content).gradings.values()] == [
        grading.probabilities for grading in exact.gradings.values()
    ]


# The command.


def test_the_command_tells_what_passed(run: Run, judged: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([run.id]) == 0
    output = capsys.readouterr().out
    assert "40 SYNTHETIC pictures of the calibration split of “judged”" in output
    assert "| reduced decoding, 32 bit |" in output
    assert "8 bit" not in output
    assert "From now on: " in output
    assert (run.folder / "serving.json").exists()


def test_the_command_explains_what_it_cannot_try(
    trained: Trained, run: Run, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained.run.folder, folders.artifacts / "elsewhere")
    assert main(["absent", "elsewhere"]) == 2
    output = capsys.readouterr().err
    assert "no run “absent”" in output
    assert "“elsewhere” was evaluated on are not on this machine" in output
    for wrong in ([], ["--all", "own"]):
        with pytest.raises(SystemExit):
            main(wrong)


def test_checking_needs_no_torch() -> None:
    script = "import sys, scalp_core.inference.optimize; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
