"""Many pictures into one table: the numbers of page and REST, every source and fault, and going on after a kill."""

import csv
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Folders, Trained, promote_everywhere, until
from fastapi.testclient import TestClient
from filelock import FileLock
from PIL import Image
from support.sharpness_gate import euclidean_distance

from scalp_core.data.image_sources import find_images, read_images
from scalp_core.errors import ScalpError
from scalp_core.images import MAX_BYTES
from scalp_core.inference import batch, input_gate, predict
from scalp_core.inference.batch import BatchRequest, BatchResult, grade_all
from scalp_core.inference.gate_limits import FARTHEST, GateLimits
from scalp_core.inference.input_gate import VERSION, Gate
from scalp_core.inference.predict import graders
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.operating_point import Decision, OperatingPoint
from scalp_core.rest import app
from scalp_core.runs import champions
from scalp_core.runs.run import Run, Serving
from training.predict import main

PROBABILITIES = [f"{condition}_p{grade}" for condition in CONDITIONS for grade in range(4)]


@pytest.fixture
def pictures(trained: Trained, tmp_path: Path) -> Path:
    """A folder with twelve pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, image in enumerate(trained.dataset.index["id"].iloc[:12]):
        (folder / f"{number:02d}.jpg").write_bytes(trained.dataset.read(image))
    return folder


@pytest.fixture
def own_run(trained: Trained, folders: Folders) -> Run:
    """The finished run in a folder of this test's own."""
    return promote_everywhere(Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "own"))))


def graded(paths: Iterable[Path | str], table: Path, grade_anyway: bool = False, **options: object) -> BatchResult:
    request = BatchRequest(find_images([str(path) for path in paths]).sources, graders(), table, grade_anyway)
    return grade_all(request, **{"jobs": 1, **options})


class Killed(BaseException):
    """An exception that nothing catches, in place of a kill at an exact place."""


def graded_until(paths: Iterable[Path | str], table: Path, where: object, function: str) -> None:
    """Grade until that function is called."""

    def kill(*_: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, function, kill)
        with pytest.raises(Killed):
            graded(paths, table)


def copies(folder: Path, picture: bytes, number: int) -> Path:
    folder.mkdir()
    for place in range(number):
        (folder / f"{place:03d}.jpg").write_bytes(picture)
    return folder


# The numbers.


def test_table_page_and_rest_say_the_same(trained: Trained, pictures: Path, tmp_path: Path) -> None:
    graded([pictures], tmp_path / "table.parquet")
    row = pd.read_parquet(tmp_path / "table.parquet").iloc[3]
    content = (pictures / "03.jpg").read_bytes()
    page = predict.grade(content)
    with TestClient(app.api) as client:
        until(lambda: client.get("/api/ready").status_code == 200)
        response = client.post("/predict_all", files={"image": ("a.jpg", content)}).json()
    assert row["path"] == str(pictures / "03.jpg")
    assert row["status"] == "ok"
    assert row["scalp_type"] == page.scalp_type.key == response["scalp_type"]["key"]
    for condition, grading in page.gradings.items():
        (answer,) = response[condition.value]
        probabilities = row[[f"{condition}_p{grade}" for grade in range(4)]].to_numpy(dtype=float)
        assert np.abs(probabilities - grading.probabilities).max() < 1e-6
        assert np.abs(probabilities - answer["probabilities"]).max() < 1e-6
        assert row[f"{condition}_grade"] == grading.grade == answer["pr_num"]
        assert row[f"{condition}_run"] == trained.run.id == answer["run"]


def test_grade_sets_where_the_run_promises_them(own_run: Run, pictures: Path, tmp_path: Path) -> None:
    own_run.write_operating_point(OperatingPoint({Condition.DANDRUFF: Decision(images=100, set_threshold=0.5)}))
    graded([pictures], tmp_path / "table.parquet")
    table = pd.read_parquet(tmp_path / "table.parquet")
    assert (table["value_5_low"] <= table["value_5_grade"]).all()
    assert (table["value_5_grade"] <= table["value_5_high"]).all()
    assert table[["value_1_low", "value_1_high"]].isna().all(axis=None)


def gate_that_wants_light(run: Run, least: float) -> Gate:
    """It lets through whatever is light enough."""
    facts = {"version": VERSION, "weights": run.manifest["files"]["model.safetensors"]}
    return Gate(GateLimits(1, 0.0, 1.0, least, FARTHEST, FARTHEST), euclidean_distance(), facts)


def encode(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120), (grey, grey, grey)).save(buffer, "PNG")
    return buffer.getvalue()


def test_gated_pictures_are_graded_on_request(
    own_run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "11.jpg").write_bytes(encode(0))
    (pictures / "12.jpg").write_text("no picture")
    table = tmp_path / "table.parquet"
    graded([pictures], table)
    assert pd.read_parquet(table)[["gradable", "reasons"]].isna().all(axis=None), "not checked"

    input_gate.write(gate_that_wants_light(own_run, 20), own_run.gate_path)
    with pytest.raises(ScalpError, match="checked otherwise before grading"):
        graded([pictures], table)
    code, out, _ = run_command(capsys, pictures, "--out", table, "--jobs", "1", "--restart")
    assert code == 0
    assert "1 failed the quality check and are not graded" in out
    rows = pd.read_parquet(table)
    assert rows["gradable"].tolist() == [True] * 11 + [False, None]
    assert rows["reasons"].fillna("not graded").tolist() == [""] * 11 + ["too_dark", "not graded"]
    assert rows["status"].tolist() == ["ok"] * 11 + ["withheld", "not_a_picture"]
    assert rows.loc[11, PROBABILITIES].isna().all()
    assert "Too dark" in rows.loc[11, "message"]
    assert json.loads((tmp_path / "table.parquet.json").read_text())["not_gradable"] == 1
    assert graded([pictures], table).not_gradable == 1, "the table is there already"

    with pytest.raises(ScalpError, match="checked otherwise before grading"):
        graded([pictures], table, grade_anyway=True)
    _, out, _ = run_command(capsys, pictures, "--out", table, "--jobs", "1", "--restart", "--grade-anyway")
    assert "1 failed the quality check: their column" in out
    rows = pd.read_parquet(table)
    assert rows["status"].tolist() == ["ok"] * 12 + ["not_a_picture"]
    assert rows["gradable"].tolist() == [True] * 11 + [False, None]
    assert rows.loc[11, PROBABILITIES].notna().all()


def test_unusual_pictures_are_graded_and_marked(
    own_run: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = gate_that_wants_light(own_run, 0)
    input_gate.write(replace(gate, limits=replace(gate.limits, usual_distance=-FARTHEST)), own_run.gate_path)
    table = tmp_path / "table.parquet"
    _, out, _ = run_command(capsys, pictures, "--out", table, "--jobs", "1")
    rows = pd.read_parquet(table)
    assert f"{len(rows)} are unusual" in out
    assert rows["status"].tolist() == ["ok"] * len(rows)
    assert rows["gradable"].all()
    assert rows["unusual"].all()
    assert set(rows["reasons"]) == {"unusual"}
    assert rows[PROBABILITIES].notna().all(axis=None)


def test_other_short_cuts_make_another_table(own_run: Run, pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    graded([pictures], table)
    own_run.write_serving(Serving(reduced=True), {})
    with pytest.raises(ScalpError, match="decide or compute otherwise"):
        graded([pictures], table)
    graded([pictures], table, restart=True)
    page = predict.grade((pictures / "00.jpg").read_bytes())
    row = pd.read_parquet(table).iloc[0]
    for condition, grading in page.gradings.items():
        assert row[[f"{condition}_p{grade}" for grade in range(4)]].tolist() == pytest.approx(grading.probabilities)


def test_six_runs_of_one_condition_each(own_run: Run, folders: Folders, pictures: Path, tmp_path: Path) -> None:
    for condition in CONDITIONS:
        run = Run(Path(shutil.copytree(own_run.folder, folders.artifacts / f"for-{condition.number}")))
        run.write_operating_point(OperatingPoint({condition: Decision(temperature=1.0 + condition.number, images=50)}))
        champions.promote(condition, run)
    graded([pictures], tmp_path / "table.parquet")
    row = pd.read_parquet(tmp_path / "table.parquet").iloc[0]
    for condition, grading in predict.grade((pictures / "00.jpg").read_bytes()).gradings.items():
        assert row[f"{condition}_run"] == f"for-{condition.number}"
        probabilities = row[[f"{condition}_p{grade}" for grade in range(4)]].to_numpy(dtype=float)
        assert probabilities == pytest.approx(grading.probabilities, abs=1e-6)


def test_batch_table_names_run_and_research_use(trained: Trained, pictures: Path, tmp_path: Path) -> None:
    outcome = graded([pictures], tmp_path / "table.parquet")
    beside = json.loads((tmp_path / "table.parquet.json").read_text())
    within = json.loads(pq.read_schema(tmp_path / "table.parquet").metadata[b"scalp_lab"])
    assert within.items() <= beside.items()
    assert beside["intended_use"] == "research_only"
    assert "Synthetic" in beside["note"]
    assert beside["statuses"] == outcome.statuses == {"ok": 12}
    for condition in CONDITIONS:
        described = beside["conditions"][condition.value]
        assert described["run"] == trained.run.id
        assert described["operating_point"]["made"] == trained.run.operating_point.made
    assert not (tmp_path / "table.parquet.parts").exists()


def test_csv_has_the_same_rows_and_no_formulas(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pictures / "00.jpg").rename(pictures / "=1+1.jpg")
    monkeypatch.chdir(pictures)
    table, text = tmp_path / "table.parquet", tmp_path / "table.csv"
    for out in (table, text):
        graded(sorted(path.name for path in pictures.iterdir()), out)
    with text.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = pd.read_parquet(table)
    assert [row["path"].lstrip("'") for row in rows] == expected["path"].tolist()
    assert "'=1+1.jpg" in [row["path"] for row in rows]
    probabilities = [[float(row[name]) for name in PROBABILITIES] for row in rows]
    assert np.array(probabilities) == pytest.approx(expected[PROBABILITIES].to_numpy(), abs=1e-12)


# What there is to grade.


def test_every_picture_once_in_order_of_paths(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pictures / "below" / "넷").mkdir(parents=True)
    for number in (10, 11):
        (pictures / f"{number}.jpg").rename(pictures / "below" / "넷" / f"{number}.JPG")
    (pictures / "labels.json").write_text("{}")
    with zipfile.ZipFile(pictures / "more.zip", "w") as archive:
        archive.write(pictures / "00.jpg", "a/0.jpg")
        archive.write(pictures / "01.jpg", "b/1.jpg", zipfile.ZIP_DEFLATED)
        archive.writestr("a/notes.txt", "no picture")
    monkeypatch.chdir(pictures.parent)
    listing = find_images(["pictures/05.jpg", "pictures", "pictures/*.zip", str(pictures / "**")])
    expected = ["05", *(f"0{number}" for number in range(10) if number != 5)]
    assert [source.path for source in listing.sources] == [
        "pictures/05.jpg",
        "pictures/more.zip!a/0.jpg",
        "pictures/more.zip!b/1.jpg",
        *(f"pictures/{name}.jpg" for name in expected[1:]),
        "pictures/below/넷/10.JPG",
        "pictures/below/넷/11.JPG",
    ]
    assert set(listing.others) == {".json", ".txt"}
    by_path = {source.path: content for source, content in read_images(listing.sources)}
    assert by_path["pictures/more.zip!b/1.jpg"] == (pictures / "01.jpg").read_bytes()
    assert by_path["pictures/below/넷/10.JPG"] == (pictures / "below" / "넷" / "10.JPG").read_bytes()


def test_nothing_at_a_path_is_a_mistake(tmp_path: Path) -> None:
    for pattern in ("absent.jpg", "*.jpg", "absent/**/*.png"):
        with pytest.raises(ScalpError, match="There is nothing at"):
            find_images([str(tmp_path / pattern)])
    assert find_images([str(tmp_path)]).sources == ()


@pytest.fixture
def faulty(pictures: Path) -> Path:
    """The folder with one good picture left and everything that may be wrong with others."""
    for path in sorted(pictures.iterdir())[1:]:
        path.unlink()
    good = (pictures / "00.jpg").read_bytes()
    (pictures / "cut.jpg").write_bytes(good[: len(good) // 2])
    (pictures / "page.png").write_text("<html>")
    (pictures / "empty.webp").touch()
    (pictures / "scan.tiff").write_bytes(b"II*\0")
    (pictures / "half.jpg.crdownload").write_bytes(good)
    with (pictures / "huge.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (pictures / "link.jpg").symlink_to(pictures / "00.jpg")
    (pictures / "broken.zip").write_bytes(b"PK\3\4 no more")
    with zipfile.ZipFile(pictures / "some.zip", "w") as archive:
        archive.writestr("inner.zip", b"")
        archive.writestr("../outside.jpg", good)
        archive.writestr("flipped.jpg", good)
        archive.writestr("fine.jpg", good)
    content = bytearray((pictures / "some.zip").read_bytes())
    content[content.index(b"flipped.jpg") + len("flipped.jpg") + len(good) - 20] ^= 1
    (pictures / "some.zip").write_bytes(content)
    return pictures


def test_bad_files_have_explained_rows(faulty: Path, tmp_path: Path) -> None:
    outcome = graded([faulty], tmp_path / "table.parquet")
    table = pd.read_parquet(tmp_path / "table.parquet").set_index("path")
    table.index = [path.removeprefix(f"{faulty}/") for path in table.index]
    assert table["status"].to_dict() == {
        "00.jpg": "ok",
        "cut.jpg": "not_a_picture",
        "page.png": "not_a_picture",
        "empty.webp": "not_a_picture",
        "scan.tiff": "not_a_picture",
        "half.jpg.crdownload": "partial_download",
        "huge.jpg": "too_large",
        "link.jpg": "unsafe_name",
        "broken.zip": "bad_zip",
        "some.zip!inner.zip": "nested_zip",
        "some.zip!../outside.jpg": "unsafe_name",
        "some.zip!flipped.jpg": "bad_zip",
        "some.zip!fine.jpg": "ok",
    }
    good = table["status"] == "ok"
    assert table.loc[good, "message"].isna().all()
    assert table.loc[~good, "message"].str.len().min() > 10
    assert table.loc[~good, PROBABILITIES].isna().all(axis=None)
    assert table.loc["00.jpg", PROBABILITIES].tolist() == table.loc["some.zip!fine.jpg", PROBABILITIES].tolist()
    assert outcome.graded == 2
    assert len(outcome.faults) == 10


def test_names_of_no_encoding_are_told_and_read(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    Path(os.fsdecode(bytes(folder) + b"/\xb8\xf0.jpg")).write_bytes(trained.picture)
    (folder / "100%.jpg").write_bytes(trained.picture)
    graded([folder], tmp_path / "table.csv")
    rows = pd.read_csv(tmp_path / "table.csv")
    assert rows["path"].tolist() == [str(folder / "100%.jpg"), str(folder / "%B8%F0.jpg")]
    assert (rows["status"] == "ok").all()


def test_what_went_away_meanwhile_is_a_row(pictures: Path, tmp_path: Path) -> None:
    sources = find_images([str(pictures)]).sources
    (pictures / "04.jpg").unlink()
    outcome = grade_all(BatchRequest(sources, graders(), tmp_path / "table.parquet"), jobs=1)
    assert outcome.statuses == {"ok": 11, "unreadable": 1}
    assert outcome.faults[0][0].endswith("04.jpg")


# Going on, and not losing what is there.


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "training.predict", *map(str, arguments)]


def test_killed_batch_resumes_to_the_same_table(trained: Trained, tmp_path: Path) -> None:
    folder = copies(tmp_path / "many", trained.picture, 160)
    killed, whole = tmp_path / "killed.parquet", tmp_path / "whole.parquet"
    parts = tmp_path / "killed.parquet.parts"
    process = subprocess.Popen(
        command(folder, "--out", killed, "--jobs", "1"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: len(list(parts.glob("[0-9]*.arrow"))) >= 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.name: path.stat().st_mtime_ns for path in parts.glob("[0-9]*.arrow")}
    assert 2 <= len(done) < 10
    assert not killed.exists()
    (parts / ".tmp-torn.arrow").write_bytes(b"half")  # a kill in the middle of writing

    graded_until([folder], killed, batch, "_count")
    kept = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert done.items() <= kept.items(), "nothing is graded twice"
    assert ".tmp-torn.arrow" not in kept
    assert graded([folder], killed).graded == 160
    graded([folder], whole, jobs=2)
    assert killed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("step", ["table", "beside", "removing"])
def test_killed_while_ending_it_ends_the_same(step: str, pictures: Path, tmp_path: Path) -> None:
    table, expected = tmp_path / "table.parquet", tmp_path / "expected.parquet"
    graded([pictures], expected)
    where = {"table": (batch, "_join"), "beside": (batch, "sha256"), "removing": (batch.shutil, "rmtree")}
    graded_until([pictures], table, *where[step])
    outcome = graded([pictures], table)
    assert outcome.before == outcome.graded == 12
    assert table.read_bytes() == expected.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("table*")) == ["table.parquet", "table.parquet.json"]


def test_done_already_it_is_not_done_again(pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    graded([pictures], table)
    written_ns = table.stat().st_mtime_ns
    assert graded([pictures], table, jobs=2).before == 12
    assert table.stat().st_mtime_ns == written_ns
    assert graded([pictures], table, restart=True).before == 0


def test_other_pictures_or_graders_replace_nothing_unless_asked(own_run: Run, pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    graded([pictures], table)
    (pictures / "00.jpg").write_bytes((pictures / "01.jpg").read_bytes())
    with pytest.raises(ScalpError, match="the pictures are others, or have changed") as caught:
        graded([pictures], table)
    assert caught.value.code == "other_table"
    assert graded([pictures], table, restart=True).before == 0

    own_run.write_operating_point(OperatingPoint({Condition.DANDRUFF: Decision(temperature=2.0, images=100)}))
    with pytest.raises(ScalpError, match="other runs answer now, or they decide or compute otherwise"):
        graded([pictures], table)
    graded([pictures], table, restart=True)
    assert pd.read_parquet(table)["value_5_low"].notna().all()

    table.write_bytes(table.read_bytes() + b"edited")
    with pytest.raises(ScalpError, match="changed afterwards"):
        graded([pictures], table)


def test_parts_of_another_table_are_not_mixed_in(trained: Trained, pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    graded_until([pictures], table, batch, "_join")
    (pictures / "99.jpg").write_bytes(trained.picture)
    with pytest.raises(ScalpError, match="the pictures are others"):
        graded([pictures], table)
    outcome = graded([pictures], table, restart=True)
    assert (outcome.before, outcome.graded) == (0, 13)


def test_another_file_is_never_replaced(pictures: Path, tmp_path: Path) -> None:
    mine = tmp_path / "labels.csv"
    mine.write_text("mine")
    for restart in (False, True):
        with pytest.raises(ScalpError, match="never replaced"):
            graded([pictures], mine, restart=restart)
    assert mine.read_text() == "mine"
    (tmp_path / "table.csv.json").write_text("[]")
    with pytest.raises(ScalpError, match="never replaced"):
        graded([pictures], tmp_path / "table.csv")
    with pytest.raises(ScalpError, match=r"\.parquet or \.csv"):
        graded([pictures], tmp_path / "table.xlsx")


def test_two_at_once_do_not_write_same_table(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "table.parquet.parts").mkdir()
    with FileLock(tmp_path / "table.parquet.parts" / ".lock"), pytest.raises(ScalpError, match="Another process"):
        graded([pictures], tmp_path / "table.parquet")
    assert graded([pictures], tmp_path / "table.parquet").graded == 12


def test_a_full_disk_is_told_and_loses_nothing(trained: Trained, tmp_path: Path) -> None:
    folder, table = copies(tmp_path / "many", trained.picture, 60), tmp_path / "table.csv"
    done = subprocess.run(
        command(folder, "--out", table),
        cwd=ROOT,
        # As on a full disk, writing fails half-way; here when a file has as many bytes as a part but no table.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not table.exists()
    assert graded([folder], table).before == 60


# The command.


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:  # argparse's own way
        code = int(end.code or 0)
    output = capsys.readouterr()
    return code, output.out, output.err


def test_the_command_grades_and_tells(faulty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (faulty / "labels.json").write_text("{}")
    code, out, err = run_command(capsys, faulty, "--out", tmp_path / "new" / "table.parquet", "--jobs", "1")
    assert code == 0
    assert "2 of 13 pictures graded" in out
    assert "4 not_a_picture" in out
    assert "huge.jpg: It is larger than any picture (20.0 MB" in out
    assert "Research only" in out
    assert "SYNTHETIC" in out
    assert "1 .json" in err
    assert "13/13" in err


def test_the_command_takes_conditions_and_a_run(
    own_run: Run, folders: Folders, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Run(Path(shutil.copytree(own_run.folder, folders.artifacts / "other")))
    table = tmp_path / "table.parquet"
    code, out, _ = run_command(capsys, pictures, "--out", table, "--conditions", "dandruff", "1", "--run", other.id)
    assert code == 0
    assert "other graded fine scaling, dandruff" in out
    rows = pd.read_parquet(table)
    assert {name.rpartition("_")[0] for name in rows if name.startswith("value")} == {"value_1", "value_5"}
    assert set(rows["value_5_run"]) == {"other"}
    assert set(rows["scalp_type"]) == {"undetermined"}


def test_nothing_graded_ends_with_one(trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    code, _, err = run_command(capsys, tmp_path / "in", "--out", tmp_path / "table.csv")
    assert (code, err) == (1, f"There are no pictures in {tmp_path / 'in'}.\n")
    (tmp_path / "in" / "a.jpg").write_text("no picture")
    code, out, _ = run_command(capsys, tmp_path / "in", "--out", tmp_path / "table.csv")
    assert code == 1
    assert "0 of 1 pictures graded" in out


WRONG: list[Sequence[str]] = [
    ["absent", "--out", "table.csv"],
    [".", "--out", "table.txt"],
    [".", "--out", "00.jpg/table.csv"],
    [".", "--out", "table.csv", "--run", "absent"],
    [".", "--out", "table.csv", "--conditions", "value_9"],
    [".", "--out", "table.csv", "--jobs", "0"],
    ["."],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_mistake_ends_with_two_and_a_sentence(
    arguments: Sequence[str], pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(pictures)
    code, _, err = run_command(capsys, *arguments)
    assert code == 2
    assert len(err.strip()) > 10
    assert "Traceback" not in err
    assert len(list(pictures.iterdir())) == 12, "nothing was left behind"


def test_without_a_run_it_says_what_to_do(
    trained: Trained, folders: Folders, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run_command(capsys, pictures, "--out", tmp_path / "table.csv")
    assert code == 2
    assert "Train one" in err
