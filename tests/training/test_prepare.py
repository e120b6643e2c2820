"""The command `python -m training.prepare`, as a user starts it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import Folders
from support.aihub_tree import build_tree, csv_table, folders_tree, jpeg

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset, open_dataset
from scalp_core.data.index_writer import write_dataset
from training import prepare

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGES = "24"


def start(arguments: list[str], data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "training.prepare", *arguments],
        cwd=ROOT,
        env=os.environ | {"SCALP_DATA": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_synthetic_end_to_end(tmp_path: Path) -> None:
    command = ["synthetic", "--images", IMAGES, "--seed", "3", "--name", "small", "--processes", "1"]
    process = start(command, tmp_path)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert str(tmp_path / "small") in output
    assert "synthetic" in output
    for part in ("train", "valid", "calib", "test"):
        assert part in output
    assert len(list((tmp_path / "small" / "images").glob("*.jpg"))) == int(IMAGES)
    assert "24/24" in errors


@pytest.mark.parametrize("damage", ["other version", "no seal", "another's"])
def test_demonstration_of_earlier_version_is_renewed(
    damage: str,
    folders: Folders,
    tiny_data: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """But never a dataset of the same name that this program did not render."""
    monkeypatch.setenv("SCALP_DEMO_IMAGES", "24")
    shutil.copytree(tiny_data.folder, folders.data / "demo")
    index, facts = folders.data / "demo" / "index.parquet", folders.data / "demo" / "dataset.json"
    if damage == "no seal":
        index.write_bytes(index.read_bytes().replace(b"sealed-sha256:", b"plain-sha-256:"))
    if damage == "another's":
        write_dataset(facts.parent, "import", {}, open_dataset("demo").index.reset_index(drop=True))
    code = prepare.main(["demo", "--processes", "1"])
    if damage == "another's":
        assert code == 2
        assert open_dataset("demo").kind == "import"
    else:
        assert code == 0
        assert "rendered anew" in capsys.readouterr().out
        assert open_dataset("demo").images == 24
        assert [path.name for path in folders.data.iterdir() if path.is_dir()] == ["demo"]


def test_a_mistake_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    assert prepare.main(["synthetic", "--name", "Not A Name"]) == 2
    errors = capsys.readouterr().err
    assert "cannot name a dataset" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("arguments", [["synthetic", "--processes", "0"], ["synthetic", "--seed", "-1"], []])
def test_bad_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        prepare.main(arguments)
    assert caught.value.code == 2


def test_an_interrupted_command_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(["synthetic", "--images", "2000", "--name", "long", "--processes", "1"], tmp_path)
    deadline = time.monotonic() + 30
    # Not at the first: Pillow loads its plugins there, and a Ctrl-C while code in a string is run makes Python
    # end by that signal later on, even if it was caught. For a shell both are 130.
    while len(list(tmp_path.glob("long/images/*.jpg"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "same command again" in errors
    assert "Traceback" not in errors


def test_a_synthetic_tree_is_imported_again(folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    command = ["synthetic", "--images", IMAGES, "--name", "drawn", "--prior", "real", "--as-aihub", str(tree)]
    assert prepare.main([*command, "--processes", "1"]) == 0
    assert prepare.main(["aihub", str(tree), "--name", "mine", "--processes", "1"]) == 0
    rendered, mine = open_dataset("drawn").index, open_dataset("mine").index
    shared = ["sha256", "site", "device", "capture", "region", *LABEL_COLUMNS, "meta_gender", "meta_answers3"]
    pd.testing.assert_frame_equal(rendered[shared], mine[shared], check_dtype=False)
    assert "severity_1" not in mine  # the truth stays with what was drawn


# ---- imported pictures ----


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_aihub_import_reports_its_faults(tmp_path: Path) -> None:
    truth = build_tree(tmp_path / "tree")
    data = tmp_path / "data"
    process = start(["aihub", str(tmp_path / "tree"), "--name", "mine", "--processes", "1"], data)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert f"Dataset “mine”: {len(truth.rows)} images" in output
    assert f"{len(truth.faults['bad_picture']):,}  unreadable pictures (excluded)" in output
    assert f"Each is listed in {data / 'mine' / 'import_faults.csv'}" in output
    assert "Warning" not in output
    for stage in ("reading", "inspecting", "writing"):
        assert f"{stage}: 100%" in errors
    assert (data / "mine" / "import_faults.csv").is_file()


def test_folders_are_extracted_and_warned_of(
    tmp_path: Path, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = folders_tree(tmp_path / "classes", copies=1)
    assert prepare.main(["folders", str(tmp_path / "classes"), "--name", "classes", "--extract"]) == 0
    assert any("folder names only" in line for line in lines(capsys))
    dataset = open_dataset("classes")
    assert dataset.source == ""
    (tmp_path / "classes").rename(tmp_path / "gone")
    contents = {dataset.read(image_id) for image_id in dataset.column("id")}
    assert contents == set(truth.contents.values())


def test_table_is_read_by_columns_that_are_named(tmp_path: Path, folders: Folders) -> None:
    table, columns, truth = csv_table(tmp_path)
    named = [word for field, column in columns.items() for word in ("--map", f"{field}={column}")]
    command = ["csv", str(table), "--images", str(tmp_path / "images"), "--name", "clinic", "--by", "all"]
    assert prepare.main([*command, *named]) == 0
    index = open_dataset("clinic").index
    assert set(index["sha256"]) == set(truth.rows["sha256"])
    assert index["value_6"].value_counts().to_dict() == truth.rows["value_6"].value_counts().to_dict()
    assert set(index["part"]) == {"train"}


@pytest.fixture
def imported(tmp_path: Path, folders: Folders) -> Dataset:
    """A small tree without faults, split by site."""
    build_tree(tmp_path / "tree", damaged=False, styles=("stored",), sites=8)
    assert prepare.main(["aihub", str(tmp_path / "tree"), "--name", "mine"]) == 0
    return open_dataset("mine")


def test_a_table_of_unknown_columns_is_explained(
    tmp_path: Path, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(12):
        (pictures / f"{number}.jpg").write_bytes(jpeg(number))
    rows = [f"{number}.jpg,{number % 4},p{number % 3}" for number in range(12)] + ["lost.jpg,0,p1"]
    table = tmp_path / "labels.csv"
    table.write_text("file,탈모,누구\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert prepare.main(["csv", str(table), "--images", str(pictures), "--name", "clinic", "--processes", "1"]) == 0
    output = capsys.readouterr().out
    assert "sites" not in output.partition("Images of grade")[0]
    assert "Columns kept as facts: 누구." in output
    assert "--map capture=COLUMN" in output
    assert "split by capture instead" not in output  # nothing is known of captures
    assert "labels.csv:14: lost.jpg" in output


def test_pictures_without_labels_are_sent_to_grading(
    tmp_path: Path, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.jpg").write_bytes(jpeg(1))
    assert prepare.main(["folders", str(tmp_path / "pictures"), "--name", "plain", "--processes", "1"]) == 2
    assert "training.predict FOLDER --out TABLE" in capsys.readouterr().err


def test_split_deals_anew_and_says_what_leaks(imported: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["split", "mine", "--by", "capture", "--seed", "3"]) == 0
    assert not any("LEAKS" in line for line in lines(capsys))
    rows = open_dataset("mine")
    assert (rows.parts["by"], rows.parts["seed"]) == ("capture", 3)
    assert (rows.index.groupby("capture")["part"].nunique() == 1).all()

    assert prepare.main(["split", "mine", "--by", "official"]) == 0
    (leak,) = (line for line in lines(capsys) if "LEAKS" in line)
    index = open_dataset("mine").index
    tested = index[index["part"] == "test"]
    assert set(tested["official"]) == {"valid", "both"}
    assert f"{100 * (tested['official'] == 'both').mean():.1f} % the same file" in leak


def test_marked_test_is_learned_from_on_request(
    tmp_path: Path, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "images").mkdir()
    lines_of_table = ["file,site,value_1,split"]
    for number in range(20):
        (tmp_path / "images" / f"{number}.jpg").write_bytes(jpeg(number))
        lines_of_table.append(f"{number}.jpg,s{number},{number % 4},{'test' if number < 4 else 'train'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines_of_table))
    command = ["csv", str(tmp_path / "labels.csv"), "--images", str(tmp_path / "images"), "--name", "mine"]
    assert prepare.main(command) == 0
    index = open_dataset("mine").index
    assert set(index.loc[index["official"] == "test", "part"]) == {"test"}
    assert any("marked test" in line for line in lines(capsys))
    assert prepare.main(["split", "mine", "--by", "official"]) == 0
    output = lines(capsys)
    assert any("test pictures as published" in line for line in output)
    assert "Cut from training: valid, calib." in output
    assert prepare.main(["split", "mine", "--by", "all", "--learn-from-test"]) == 0
    assert set(open_dataset("mine").index["part"]) == {"train"}
    assert any("as requested" in line for line in lines(capsys))


def test_audit_speaks_to_people_and_to_programs(imported: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert prepare.main(["audit", "mine"]) == 0
    output = lines(capsys)
    assert prepare.main(["audit", "mine", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert len([line for line in output if line.startswith("[")]) == len(findings)
    assert {"key", "severity", "text"} <= findings[0].keys()
    assert "official_overlap" in {finding["key"] for finding in findings}


TABLE = ["csv", "{tmp}/table.csv", "--images", "{tmp}/empty", "--name", "x"]
WRONG = [
    (["aihub", "{tmp}/absent", "--name", "x"], "No folder"),
    (["folders", "{tmp}/empty", "--name", "x"], "No pictures"),
    (["aihub", "{tmp}/data", "--name", "x"], "our own datasets"),
    (["aihub", "{tmp}/empty", "--name", "Not A Name"], "cannot name a dataset"),
    (["csv", "{tmp}/absent.csv", "--images", "{tmp}/empty", "--name", "x"], "No such file"),
    (TABLE, "no column with grades"),
    ([*TABLE, "--map", "value_1=grade"], "no column “grade”"),
    ([*TABLE, "--map", "grade=file"], "no field “grade”"),
    ([*TABLE, "--map", "file"], "is not FIELD=COLUMN"),
    (["aihub", "{tmp}/empty", "--name", "x", "--by", "colour"], "invalid choice: 'colour'"),
    (["split", "absent"], "There is no dataset “absent”"),
    (["audit", "absent"], "There is no dataset “absent”"),
    (["audit", "../data"], "cannot name a dataset"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_what_cannot_be_done_is_a_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "table.csv").write_text("file,note\na.jpg,b\n", encoding="utf-8")
    try:
        code = prepare.main([argument.format(tmp=tmp_path) for argument in arguments])
    except SystemExit as end:  # argparse's own way
        code = end.code
    assert code == 2
    errors = capsys.readouterr().err
    assert sentence in errors
    assert "Traceback" not in errors
    assert not list(folders.data.glob("*/index.parquet"))


def test_a_name_that_is_taken_is_kept(imported: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders_tree(tmp_path / "classes", copies=1)
    before = imported.version
    assert prepare.main(["folders", str(tmp_path / "classes"), "--name", "mine"]) == 2
    assert "Another dataset has the name “mine”" in capsys.readouterr().err
    assert open_dataset("mine").version == before


def test_split_without_a_published_one_is_refused(
    tmp_path: Path, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    folders_tree(tmp_path / "classes", copies=1)
    assert prepare.main(["folders", str(tmp_path / "classes"), "--name", "classes"]) == 0
    assert prepare.main(["split", "classes", "--by", "official"]) == 2
    assert "no published split" in capsys.readouterr().err
