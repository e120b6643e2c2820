"""The command `python -m training.prepare`, as a user starts it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from training import prepare

ROOT = Path(__file__).resolve().parent.parent
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


def test_a_mistake_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    assert prepare.main(["synthetic", "--name", "Not A Name"]) == 2
    errors = capsys.readouterr().err
    assert "cannot name a data set" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("arguments", [["synthetic", "--processes", "0"], ["synthetic", "--seed", "-1"], []])
def test_bad_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        prepare.main(arguments)
    assert caught.value.code == 2


def test_an_interrupted_command_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(["synthetic", "--images", "2000", "--name", "long", "--processes", "1"], tmp_path)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("long/images/*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "same command again" in errors
    assert "Traceback" not in errors


def test_contact_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["contact-sheet", "--out", str(tmp_path / "sheet.jpg")]) == 0
    sheet = cv2.imdecode(np.fromfile(tmp_path / "sheet.jpg", dtype=np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape == (6 * 200, 4 * 240, 3)
    assert prepare.main(["contact-sheet", "--out", str(tmp_path / "sheet.txt")]) == 2
    assert "sheet.txt" in capsys.readouterr().err
