"""ONNX files from elsewhere: judged as what they say they are, refused with a reason otherwise."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import Folders, Trained
from onnx import TensorProto, numpy_helper
from PIL import Image
from support.onnx_networks import write_network

import scalp_core
from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.inference import session
from scalp_core.inference.onnx_file import OnnxFile, OnnxPreprocessing, predict_dataset, read_preprocessing
from scalp_core.inference.session import write_folded
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.runs.external import all_external
from scalp_core.runs.run import Run
from training import evaluate as command

SEBUM, DANDRUFF = CONDITIONS[1], CONDITIONS[4]


def preprocessing(**fields: Any) -> OnnxPreprocessing:
    return OnnxPreprocessing(**({"height": 8, "width": 8} | fields))


def test_a_run_s_own_export_gives_the_run_s_answers(trained: Trained, tmp_path: Path) -> None:
    run, file = trained.run, tmp_path / "network.onnx"
    write_folded(run.export_path, run.weights_path, file)
    own = run.preprocessing
    fields = preprocessing(
        height=own.height,
        width=own.width,
        interpolation=own.interpolation,
        layout="NHWC",
        outputs=("probabilities",),
        activation="none",
    )
    table = predict_dataset(file, fields, trained.dataset)
    index = trained.dataset.index
    ids = index.loc[index["part"] != "train", "id"].tolist()
    assert table["image"].unique().tolist() == ids
    pixels = [images.resize(images.decode(trained.dataset.read(image)).pixels, own) for image in ids]
    expected = session.outputs(run, np.stack(pixels)).probabilities
    assert table[PROBABILITIES].to_numpy().reshape(expected.shape) == pytest.approx(expected, abs=1e-6)


def test_heads_of_four_grades_are_the_conditions_in_order(trained: Trained, tmp_path: Path) -> None:
    """Computed with numpy beside it, from the same pixels."""
    file = write_network(tmp_path / "two.onnx", (4, 4))
    fields = preprocessing(
        conditions=("value_5", "value_2"),
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
        channels="BGR",
        resize="center_crop",
    )
    dataset = trained.dataset
    table = predict_dataset(file, fields, dataset)
    assert table["condition"].unique().tolist() == [DANDRUFF, SEBUM]
    outside = dataset.index["part"] != "train"
    assert table["image"].unique().tolist() == dataset.index.loc[outside, "id"].tolist()
    weights = {each.name: numpy_helper.to_array(each) for each in onnx.load(file).graph.initializer}
    image = table["image"].iloc[0]
    picture = Image.fromarray(images.decode(dataset.read(image)).pixels)
    shorter = min(picture.size)
    scaled = picture.resize(
        (round(picture.width * 8 / shorter), round(picture.height * 8 / shorter)), Image.Resampling.BILINEAR
    )
    left, top = (scaled.width - 8) // 2, (scaled.height - 8) // 2
    crop = np.asarray(scaled)[top : top + 8, left : left + 8, ::-1].astype(np.float64) / 255
    colour = ((crop - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]).mean(axis=(0, 1))
    for number, condition in enumerate((DANDRUFF, SEBUM)):
        logits = np.exp(colour @ weights[f"w{number}"])
        row = table[(table["image"] == image) & (table["condition"] == condition)]
        assert row[PROBABILITIES].to_numpy()[0] == pytest.approx(logits / logits.sum(), abs=1e-4)


def test_fixed_batches_integers_and_one_joint_output(trained: Trained, tmp_path: Path) -> None:
    pixels = [np.full((8, 8, 3), level, dtype=np.uint8) for level in (1, 2, 3)]
    fields = preprocessing(conditions=("value_5", "value_2"))
    joint = OnnxFile(write_network(tmp_path / "joint.onnx", (8,), TensorProto.UINT8), fields)
    fixed = OnnxFile(write_network(tmp_path / "fixed.onnx", (8,), TensorProto.UINT8, batch=4), fields)
    assert (joint.batch > 1, fixed.batch) == (True, 4)
    answers = joint.probabilities(pixels)
    assert answers.shape == (3, 2, 4)
    assert fixed.probabilities(pixels) == pytest.approx(answers)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "name the conditions in the preprocessing"),
        ({"conditions": ("value_5", "value_2"), "activation": "none"}, "activation is “softmax”"),
        ({"conditions": ("value_5", "value_2"), "outputs": ("logits",)}, "no output logits"),
        ({"conditions": ("value_5", "value_2"), "height": 9}, "dimensions"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(
    trained: Trained, tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    file = write_network(tmp_path / "two.onnx", (4, 4))
    with pytest.raises(ScalpError, match=reason) as caught:
        predict_dataset(file, preprocessing(**fields), trained.dataset)
    assert caught.value.code == "bad_onnx"


@pytest.mark.parametrize("content", [b"", b"no network", b"\x08\x09" * 50])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "damaged.onnx"
    file.write_bytes(content)
    with pytest.raises(ScalpError, match="ONNX file cannot be used"):
        OnnxFile(file, preprocessing())
    with pytest.raises(ScalpError, match="No such file"):
        OnnxFile(tmp_path / "none.onnx", preprocessing())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"height": 8}', "width"),
        ('{"height": 0, "width": 8}', "height"),
        ('{"height": 8, "width": 8, "std": [1, 0, 1]}', "std.1"),
        ('{"height": 8, "width": 8, "conditions": ["value_9"]}', "conditions.0"),
        ('{"height": 8, "width": 8, "size": 3}', "size"),
        ("[]", "preprocessing.json"),
        ("{", "preprocessing.json"),
    ],
)
def test_a_preprocessing_names_the_field_that_is_wrong(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "preprocessing.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScalpError, match=place) as caught:
        read_preprocessing(file)
    assert caught.value.code == "bad_preprocessing"


def test_weights_in_further_files_are_not_read(tmp_path: Path) -> None:
    file = write_network(tmp_path / "two.onnx", (4, 4))
    model = onnx.load(file)
    onnx.save(model, file, save_as_external_data=True, location="elsewhere.bin", size_threshold=0)
    assert (tmp_path / "elsewhere.bin").exists()
    with pytest.raises(ScalpError, match="ONNX file cannot be used"):
        OnnxFile(file, preprocessing(conditions=("value_5", "value_2")))


def test_command_ranks_it_beside_the_run(
    trained: Trained, tiny: Dataset, folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "tiny")))
    file, fields = write_network(tmp_path / "six.onnx", (4,) * 6), tmp_path / "preprocessing.json"
    fields.write_text(json.dumps({"height": 8, "width": 8}), encoding="utf-8")
    arguments = ["--onnx", str(file), "--preprocessing", str(fields), "--name", "six", "--data", "tiny"]
    assert command.main(arguments) == 0
    assert "six is from elsewhere" in capsys.readouterr().out
    (model,) = all_external(tiny)
    assert model.origin.about.startswith("six.onnx, SHA-256 ")
    compared = scalp_core.compare(["tiny", model])
    assert set(compared["run"]) == {"tiny", "six"}
    assert command.main(arguments) == 2, "the name is taken, which is said before anything is graded"
    assert "six" in capsys.readouterr().err
    for wrong in (arguments[:2] + arguments[4:], [*arguments, "--predictions", "x.csv"], ["tiny", *arguments]):
        with pytest.raises(SystemExit):
            command.main(wrong)
