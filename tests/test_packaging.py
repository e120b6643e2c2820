"""`pip install .`: every package and file is in the wheel, and the console command runs what it names."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import ROOT

from training import cli

CODE = ("scalp_core", "training", "benchmarks", "ui")


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    modules = [path.relative_to(ROOT) for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    assert listed == {"scalp_lab"} | {".".join(path.parent.parts) for path in modules}


def test_help_screen_names_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "training.cli"], cwd=ROOT, capture_output=True, text=True, check=True)
    commands = {path.stem for path in (ROOT / "training").glob("*.py")} - {
        "__init__",
        "cli",
        "command_line",
        "recipe_file",
        "demo",
        "markdown",
    }
    named = {line.split()[0].replace("-", "_") for line in done.stdout.splitlines() if line.startswith("  ")}
    assert commands | {"serve", "benchmark"} == named
    assert len(done.stdout.splitlines()) <= 24, "one screen"


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for command in cli.COMMANDS:
        monkeypatch.setattr(sys, "argv", ["scalp-lab", command, "--help"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0, command
        assert "usage:" in capsys.readouterr().out


def test_unknown_command_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["scalp-lab", "nothing"])
    with pytest.raises(SystemExit, match="no command “nothing”"):
        cli.main()


@pytest.mark.index
def test_wheel_holds_code_pages_and_data(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns(".git", ".venv", "artifacts", "data", "docs", "tests", "build", "*.egg-info")
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=ignored)
    for folder in ("scalp_core", "ui"):  # whose rooms may be called as an ignored folder is
        shutil.copytree(ROOT / folder, source / folder, dirs_exist_ok=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(source)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "No matching distribution" in done.stderr:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(ZipFile(wheel).namelist())
    entries = [
        path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("pages/*.py"), ROOT / ".streamlit/config.toml"]
    ]
    assert names >= {f"scalp_lab/{name}" for name in ("Home.py", "serve.py", *entries)}
    suffixes = {".py", ".csv", ".json", ".css", ".js", ".html", ".j2"}
    files = [path for folder in CODE for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    assert names >= {path.relative_to(ROOT).as_posix() for path in files}
