"""The evidence pack: grades by itself as the product does, is the same twice, tells damage, and is made again."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pandas as pd
import pytest
from conftest import Trained
from PIL import ExifTags, Image, ImageCms
from support.changed_runs import change_recipe
from support.same_process import export_in_this_process, train_in_this_process

from scalp_core.errors import ScalpError
from scalp_core.inference.predict import grade_with_run
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.operating_point import Decision, OperatingPoint
from scalp_core.reports.claim import claim_items
from scalp_core.reports.evidence_pack import SUMS, pack_bytes, read_pack
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_run
from training import pack as command
from training import reproduce

POINT = OperatingPoint(
    {
        Condition.PUSTULES: Decision(temperature=2.0, shift=(0.0, 0.0, 1.0, 3.0), images=100, set_threshold=0.5),
        Condition.DANDRUFF: Decision(rule="median", tau=0.5, prior=(0.7, 0.1, 0.1, 0.1), images=100),
        Condition.ERYTHEMA: Decision(rule="expected_cost", far_limit=0.02, refer_from=0.2),
        Condition.HAIR_LOSS: Decision(far_limit=0.02, refer_from=1.0),
    },
    made="2026-01-01T00:00:00+00:00",
    who="서연",
    why="a reason of mine",
)


_IN_CARD = ("quadratic_weighted_kappa", "worst_grade_recall", "average_mean_absolute_error")


class Packed(NamedTuple):
    run: Run
    path: Path


@pytest.fixture(scope="module")
def packed(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    """A run with an operating point of its own, in a folder of runs of its own, and its pack."""
    folder = tmp_path_factory.mktemp("packed")
    run = Run(Path(shutil.copytree(trained.run.folder, folder / "artifacts" / "tiny")))
    run.write_operating_point(POINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_ARTIFACTS", str(folder / "artifacts"))
        assert command.main(["tiny", "--output", str(folder / "tiny.zip")]) == 0
        yield Packed(run, folder / "tiny.zip")


def test_it_grades_alone_as_the_product_does(packed: Packed, trained: Trained, tmp_path: Path) -> None:
    """In a process that cannot see the repository."""
    run = packed.run
    with zipfile.ZipFile(packed.path) as archive:
        archive.extractall(tmp_path / "elsewhere")
    folder = tmp_path / "elsewhere" / "tiny"
    pictures = [tmp_path / f"{place}" for place in range(len(_pictures(trained.picture)))]
    for path, content in zip(pictures, _pictures(trained.picture), strict=True):
        path.write_bytes(content)
    line = [sys.executable, "-I", str(folder / "grade.py"), *map(str, pictures)]
    done = subprocess.run(line, cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert "scalp_core" not in (folder / "grade.py").read_text(encoding="utf-8")
    for path, answer in zip(pictures, answers, strict=True):
        assert answer["intended_use"] == "research_only"
        for condition, grading in grade_with_run(run, path.read_bytes()).items():
            own = answer[condition.value]
            assert own["probabilities"] == pytest.approx(grading.probabilities, abs=1e-6)
            assert (own["grade"], own.get("refer")) == (int(grading.grade), grading.refer)
    assert {answers[0][key]["refer"] for key in ("value_3", "value_6")} == {True, False}
    properties = {entry.key: entry.value for entry in onnx.load(folder / "model.onnx").metadata_props}
    assert json.loads(properties["scalp_lab"]) == json.loads((folder / "model.json").read_text(encoding="utf-8"))


def _pictures(jpeg: bytes) -> list[bytes]:
    """The picture itself, lying on its side, see-through, of grey in 16 bits, and with profiles."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    side, clear = image.getexif(), image.copy()
    side[ExifTags.Base.Orientation] = 6
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    grey = Image.fromarray(np.asarray(image.convert("L"), dtype=np.uint16) * 257)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = profile.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)
    return [
        jpeg,
        _saved(image, "JPEG", exif=side),
        _saved(clear, "PNG"),
        _saved(grey, "PNG"),
        _saved(image, "PNG", icc_profile=exchanged),
        _saved(image, "PNG", icc_profile=b"no profile"),
    ]


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_same_bytes_twice_and_nothing_that_tells_of_people_or_machines(packed: Packed) -> None:
    run = packed.run
    assert command.main(["tiny", "--output", str(packed.path.with_name("other.zip"))]) == 0
    assert packed.path.with_name("other.zip").read_bytes() == packed.path.read_bytes(), "whatever the file is called"
    assert pack_bytes(run) == packed.path.read_bytes()
    pack = read_pack(packed.path)
    sums = dict(line.split("  ")[::-1] for line in _member(packed.path, SUMS).decode().splitlines())
    assert {name: hashlib.sha256(content).hexdigest() for name, content in pack.files.items()} == sums
    texts = {name: content.decode() for name, content in pack.files.items() if not name.endswith((".onnx", ".parquet"))}
    for name, text in texts.items():
        assert POINT.who not in text, name
        assert POINT.why not in text, name
        assert str(run.folder.parent) not in text, name
        assert not re.search(r"(?<![\w.])/(home|root|tmp|Users)/", text), name
    assert not [name for name in pack.files if name.endswith((".jpg", ".png"))]
    assert pack.predictions.equals(run.raw_predictions)
    assert len(pd.read_csv(zipfile.Path(packed.path, "tiny/predictions.csv").open())) == len(run.predictions)


def test_of_a_file_of_weights_it_has_the_name_alone(
    packed: Packed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(Path(shutil.copytree(packed.run.folder, tmp_path / "from-a-file")))
    change_recipe(run, {"weights": "/home/a-person/backbone.safetensors"})
    (tmp_path / "from-a-file.zip").write_bytes(pack_bytes(run))
    pack = read_pack(tmp_path / "from-a-file.zip")
    assert json.loads(pack.files["recipe.json"])["weights"] == "backbone.safetensors"
    assert not [name for name, content in pack.files.items() if b"a-person" in content]
    assert reproduce.main([str(tmp_path / "from-a-file.zip")]) == 2
    assert "“backbone.safetensors” is not a safetensors file" in capsys.readouterr().err


def test_damaged_weights_are_not_packed(packed: Packed, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(packed.run.folder, tmp_path / "damaged")))
    run.weights_path.write_bytes(run.weights_path.read_bytes()[:-1] + b"!")
    with pytest.raises(ScalpError, match="damaged"):
        pack_bytes(run)


def test_documents_say_where_figures_come_from(packed: Packed, trained: Trained) -> None:
    run = packed.run
    pack = read_pack(packed.path)
    card, korean, claim = (pack.files[name].decode() for name in ("README.md", "README.ko.md", "CLAIM.md"))
    front = card.split("---\n")[1]
    fields = {line.split(": ", 1)[0]: json.loads(line.split(": ", 1)[1]) for line in front.splitlines()}
    assert fields["library_name"] == "onnx"
    assert "synthetic-data" in fields["tags"]
    figures = {(row["condition"], row["metric"]): row for row in json.loads(pack.files["metrics-test.json"])["figures"]}
    with_interval = [row for row in figures.values() if row["metric"] in _IN_CARD and row["lower"] is not None]
    assert with_interval
    for row in with_interval:
        assert f"{row['value']:.3f} [{row['lower']:.3f}, {row['upper']:.3f}]" in card
    assert "SYNTHETIC" in card
    assert "합성" in korean
    for text in (card, korean):
        assert run.evaluation_hash in text
    assert claim.count("\n| ") == 44 + 1
    assert "2024 Update" in claim
    assert "SYNTHETIC" in claim
    assert fields["license"] == "unknown"
    assert "**to be filled in by the author**" in claim
    answered = {item.number for item in claim_items(run, trained.dataset) if item.answer}
    assert {19, 20, 22, 25, 28, 29} <= answered
    assert not {3, 5, 15, 16, 33, 34, 36, 42, 44} & answered, "only the author knows"
    alone = {item.number for item in claim_items(run, None) if item.answer}
    assert answered - alone == {20, 29}, "who was apart and intervals need the dataset; synthetic is known without"
    counts = next(item.answer for item in claim_items(run, None) if item.number == 19)
    tested = run.predictions.loc[run.predictions["part"] == "test", "image"].nunique()
    assert f"test {tested}" in counts


def _member(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"tiny/{name}")


def test_without_the_dataset_it_has_no_intervals_and_no_report(
    packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path / "none"))
    (tmp_path / "alone.zip").write_bytes(pack_bytes(packed.run))
    pack = read_pack(tmp_path / "alone.zip")
    assert "report.html" not in pack.files
    assert "Without intervals" in pack.files["README.md"].decode()


@pytest.mark.parametrize("damage", ["cut", "none", "changed", "further", "missing", "format"])
def test_a_damaged_pack_is_refused(
    packed: Packed, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(packed.path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    if damage == "changed":
        files["tiny/recipe.json"] += b" "
    elif damage == "further":
        files["tiny/virus.exe"] = b"x"
    elif damage == "missing":
        del files["tiny/model.onnx"]
    elif damage == "format":
        files["tiny/pack.json"] = files["tiny/pack.json"].replace(b'"format": 1', b'"format": 9')
    with zipfile.ZipFile(bad, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    if damage == "cut":
        bad.write_bytes(packed.path.read_bytes()[:-2000])
    elif damage == "none":
        bad.unlink()
    with pytest.raises(ScalpError) as caught:
        read_pack(bad)
    assert caught.value.code == "bad_pack"
    assert reproduce.main([str(bad)]) == 2
    assert "bad.zip cannot be used" in capsys.readouterr().err


def test_a_pack_is_checked_and_trained_again(packed: Packed, capsys: pytest.CaptureFixture[str]) -> None:
    run = packed.run
    assert reproduce.main([str(packed.path), "--check"]) == 0
    printed = capsys.readouterr().out
    assert "The same but for rounding." in printed
    assert len([line for line in printed.splitlines() if "100.0%" in line]) == len(CONDITIONS)
    with pytest.MonkeyPatch.context() as patch:
        train_in_this_process(patch)
        export_in_this_process(patch)
        code = reproduce.main([str(packed.path), "--id", "again"])
    printed = capsys.readouterr().out
    again = find_run("again")
    assert again.recipe == run.recipe
    assert "Began from: the same" in printed
    assert "Weights: the same" in printed
    assert "Versions: the same" in printed
    assert code == 1, "the new run has an operating point of its own"
    again.write_operating_point(POINT)
    assert again.predictions.equals(run.predictions)


def test_another_dataset_is_not_taken_for_it(
    packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path / "none"))
    assert reproduce.main([str(packed.path), "--check"]) == 2
    assert "No dataset here has the labels and splits of “tiny”" in capsys.readouterr().err
