"""Commands end with a sentence where they cannot read or write, and quietly where their output has no reader."""

import inspect
import io
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ROOT

from scalp_core.data.dataset import Dataset
from training import prepare, report, sweep, train
from training.cli import COMMANDS
from training.command_line import MISTAKE, READER_GONE, Bar, Main


@pytest.mark.parametrize("command", [["--help"], ["audit", "tiny"], ["audit", "tiny", "--json"]])
def test_output_without_a_reader_ends_quietly(tiny: Dataset, command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "training.prepare", *command],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == READER_GONE or command == ["--help"]  # argparse goes over it by itself


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (prepare.main, ["synthetic", "--images", "30", "--name", "new"]),
        (prepare.main, ["demo"]),
        (prepare.main, ["split", "new"]),
        (prepare.main, ["audit", "new"]),
        (prepare.main, ["aihub", "tests", "--name", "new"]),
        (prepare.main, ["csv", "tests", "--images", "tests", "--name", "new"]),
        (train.main, ["--data", "new"]),
        (sweep.main, ["--data", "new"]),
        (report.main, ["--data", "new"]),
    ],
)
def test_folders_that_cannot_be_used_are_named(
    main: Main,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SCALP_DATA", str(tmp_path / "file" / "data"))
    monkeypatch.setenv("SCALP_ARTIFACTS", str(tmp_path / "file" / "artifacts"))
    assert main(arguments) == MISTAKE
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert sentence.startswith((f"{tmp_path / 'file'}", "There is no dataset", "The table cannot be read"))


def test_progress_in_a_file_is_few_whole_lines() -> None:
    log = io.StringIO()
    with Bar(total=1000, desc="reading", file=log) as bar:
        for _ in range(1000):
            bar.update()
            bar.refresh()
        bar.write("a line of its own", file=log)
    first, line, last = log.getvalue().splitlines()
    assert (first[:12], line, last[:13]) == ("reading:   0", "a line of its own", "reading: 100%")
    assert "\r" not in log.getvalue()


@pytest.mark.parametrize("module", [module for module, _ in COMMANDS.values() if module.startswith("training")])
def test_every_command_explains_its_end(module: str) -> None:
    assert inspect.unwrap(main := import_module(module).main) is not main
