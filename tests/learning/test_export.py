"""The export after a training: compared on pictures, and never at the training's expense."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Folders, Trained, promote_everywhere
from support.prediction_tables import reach_floor
from support.same_process import perform
from support.training_fixtures import RECIPE

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.evaluation.model_agreement import list_candidates
from scalp_core.images import Preprocessing, preprocess
from scalp_core.inference import predict
from scalp_core.labels import CONDITIONS
from scalp_core.learning import export
from scalp_core.learning.network import build
from scalp_core.runs.champions import champions, promote
from scalp_core.runs.queue import create_run
from scalp_core.runs.run import OUTPUTS, Run, State
from training import report, train


@pytest.fixture(autouse=True)
def _settings_of_trainings() -> Iterator[None]:
    """Take back what the process of a training sets for itself."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def test_small_training_finishes_with_its_export(tiny: Dataset) -> None:
    # After so few steps even noise drives the evidence to thousands, where nothing but rounding is compared.
    recipe = replace(RECIPE, architecture="efficientnet_b0", batch_size=2, epochs=2, seed=4)
    run = create_run(recipe)
    assert perform("train", str(run.folder)) == 0
    assert run.state is State.FINISHED
    assert run.exported
    assert run.export_difference is not None
    assert run.export_difference < export.TOLERANCE
    assert run.export_failure is None


def test_the_pictures_compared_are_of_the_validation_split(trained: Trained) -> None:
    run, index = trained.run, trained.dataset.index
    validated = [
        preprocess(trained.dataset.read(image_id), run.preprocessing)
        for image_id in index.loc[index["part"] == "valid", "id"]
    ]
    compared = export.comparison_pictures(run, run.preprocessing)
    assert len(compared) > 1
    assert all(any(np.array_equal(picture, other) for other in validated) for picture in compared)


def test_run_without_its_pictures_is_exported(trained: Trained, folders: Folders) -> None:
    run = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "shipped")))
    run.drop_local_files()
    run.export_path.unlink()
    assert perform("export", str(run.folder)) == 0
    assert run.exported


@pytest.mark.parametrize("whitening", [None, (9.0, -3.0, -3.0, -3.0, 12.0, -6.0, -3.0, -6.0, 11.0)])
def test_made_up_pictures_look_usual_to_the_network(whitening: tuple[float, ...] | None, folders: Folders) -> None:
    run = Run(folders.artifacts / "gone")
    run.folder.mkdir()
    (run.folder / "recipe.json").write_text(
        '{"recipe": {"architecture": "test_resnet", "data": "gone", "conditions": ["value_1"]}, "index_hash": "",'
        '"evaluation_hash": "", "synthetic": false, "created": ""}'
    )
    colours = Preprocessing(96, 64, (0.6, 0.5, 0.4), (0.2, 0.2, 0.2), "bicubic", whitening=whitening)
    pictures = export.comparison_pictures(run, colours)
    assert pictures.shape == (4, 96, 64, 3)
    assert pictures.dtype == np.uint8
    network, _ = build("test_resnet", 1, 64, "none")
    network.normalise(colours)
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    seen = torch.einsum("oc,nchw->nohw", network.scale[..., 0, 0], pixels - network.mean)
    assert seen.std().item() == pytest.approx(1, abs=0.2)
    steps = (seen[..., 1:] - seen[..., :-1]).std()
    assert steps < 0.7 * seen.std(), "neighbours are alike, as in a photograph"


def test_large_evidence_is_held_to_its_own_size(tmp_path: Path) -> None:
    network, _ = build("test_resnet", 6, 64, "none")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    with torch.no_grad():
        assert network.head.bias is not None
        network.head.bias += 3000 * torch.arange(24) % 7000  # grades far apart, so that probabilities are sure
    assert export.export(network, pictures, tmp_path / "model.onnx", OUTPUTS) <= export.TOLERANCE


@pytest.fixture(scope="module")
def unlike(tiny_data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training whose export failed, as nothing was alike enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(tiny_data.folder.parent))
        patch.setenv("SCALP_ARTIFACTS", str(tmp_path_factory.mktemp("artifacts")))
        patch.setattr(export, "TOLERANCE", -1.0)
        run = create_run(replace(RECIPE, epochs=1), "unlike")
        assert perform("train", str(run.folder)) == 0
    return run


@pytest.fixture
def unexported(tiny: Dataset, unlike: Run, folders: Folders) -> Run:
    """A copy of it, among the runs of one test."""
    return Run(Path(shutil.copytree(unlike.folder, folders.artifacts / "unlike")))


def test_failing_export_costs_no_training(unexported: Run) -> None:
    run = unexported
    assert run.state is State.FINISHED
    assert run.complete
    run.verify()
    assert not run.predictions.empty
    assert run.export_failure is not None
    assert "differs" in run.export_failure.en
    assert not run.exported


def test_run_without_export_grades_nothing(unexported: Run, trained: Trained, folders: Folders) -> None:
    assert champions() == {}
    with pytest.raises(ScalpError, match="could not be exported") as caught:
        predict.graders(run=unexported).load()
    assert caught.value.code == "no_export"
    with pytest.raises(ScalpError, match="could not be exported"):
        promote(CONDITIONS[0], unexported)
    with pytest.raises(ScalpError, match="“unlike” could not be exported"):
        predict.graders()
    candidates, excluded = list_candidates()
    assert candidates == []
    assert "differs" in excluded[0].reason.en
    other = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "other")))
    reach_floor(other)
    assert {champion.run for champion in champions().values()} == {other}


def test_an_export_is_made_again(unexported: Run) -> None:
    assert perform("export", str(unexported.folder)) == 0
    assert unexported.exported
    assert unexported.export_failure is None
    promote_everywhere(unexported)
    assert {champion.run for champion in champions().values()} == {unexported}


def test_failure_belongs_to_its_weights(unexported: Run) -> None:
    weights = unexported.weights_path
    weights.write_bytes(weights.read_bytes() + b"\0")
    unexported.write_manifest({"parameters": 1})
    assert unexported.export_failure is None


def test_commands_say_that_nothing_was_exported(unexported: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.watch(unexported) == 0
    assert "could not be exported" in capsys.readouterr().err
    assert report.main([]) == 0
    assert "“unlike” could not be exported" in capsys.readouterr().out
    assert report.main(["--json"]) == 0
    assert '"export_failure": "The exported model differs' in capsys.readouterr().out
    assert report.main(["--markdown", "--data", "tiny"]) == 0
    assert "“unlike” could not be exported" in capsys.readouterr().out


def test_network_that_cannot_be_traced_finishes(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_OPSET", 1)  # a version of ONNX without these operators
    run = create_run(replace(RECIPE, epochs=1))
    assert perform("train", str(run.folder)) == 0
    assert run.finished
    assert run.export_failure is not None
    assert "converted to ONNX" in run.export_failure.en
