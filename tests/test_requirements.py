"""Installed packages are pinned, recent enough to be safe, and nothing else is imported."""

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from conftest import ROOT, Trained

# Older ones have known security holes.
FLOORS = {
    "pillow": "13.0.0",
    "torch": "2.10.0",
    "streamlit": "1.54.0",
    "starlette": "1.3.0",
    "python-multipart": "0.0.22",
    "safetensors": "0.8",
}
PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([0-9][0-9a-z.]*)")


def listed(file: str) -> dict[str, str]:
    """Version by name of every line; the line itself must be a pin."""
    lines = (line.split("#")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
    pins = [PIN.fullmatch(line) or line for line in lines if line and not line.startswith("-r")]
    assert [pin for pin in pins if isinstance(pin, str)] == [], "not pinned to one version"
    names = [normalised(pin[1]) for pin in pins]
    assert len(names) == len(set(names)), "listed twice"
    return dict(zip(names, (pin[2] for pin in pins), strict=True))


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text.split("+")[0]))


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_line_is_pinned() -> None:
    assert all(len(listed(file)) > 5 for file in ("requirements.txt", "tests/requirements.txt"))


def test_both_lists_agree() -> None:
    product = listed("requirements.txt")
    wanted = listed("tests/requirements.txt")
    assert [name for name, pinned in wanted.items() if product.get(name, pinned) != pinned] == []


def test_pinned_versions_are_installed() -> None:
    pins = listed("requirements.txt")
    installed = {name: version(name).split("+")[0] for name in pins}  # torch calls its builds 2.13.0+cpu
    assert installed == pins


def test_no_version_with_known_holes() -> None:
    assert [(name, version(name)) for name, floor in FLOORS.items() if numbers(version(name)) < numbers(floor)] == []


def third_party(path: Path) -> set[str]:
    result = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            result |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            result.add(node.module.split(".")[0])
    return result - sys.stdlib_module_names - own_modules()


@cache
def own_modules() -> frozenset[str]:
    top = ["support", "scalp_core", "training", "benchmarks", "ui", "pages"]
    return frozenset([*top, *(path.stem for path in [*ROOT.glob("*.py"), *(ROOT / "tests").rglob("*.py")])])


distributions = cache(packages_distributions)


@pytest.mark.parametrize(
    ("folders", "files"),
    [
        (("", "scalp_core", "training", "benchmarks", "ui", "pages"), ["requirements.txt"]),
        (("tests",), ["requirements.txt", "tests/requirements.txt"]),
    ],
    ids=["product", "tests"],
)
def test_imports_are_listed(folders: tuple[str, ...], files: list[str]) -> None:
    names = {name for file in files for name in listed(file)}
    provided = distributions()
    missing = {
        (path.relative_to(ROOT).as_posix(), module)
        for folder in folders
        for path in ((ROOT / folder).rglob("*.py") if folder else ROOT.glob("*.py"))
        for module in third_party(path)
        if names.isdisjoint(normalised(name) for name in provided.get(module, []))
    }
    assert missing == set()


def test_rest_alone_imports_what_is_marked_for_it(trained: Trained, tmp_path: Path) -> None:
    """The image `api` has only the packages of lines that are marked `# api`, and what these need."""
    picture = tmp_path / "scalp.jpg"
    picture.write_bytes(trained.picture)
    command = [sys.executable, str(ROOT / "tests" / "support" / "rest_process.py"), str(picture)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    imported = {normalised(name) for name in json.loads(done.stdout)}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    marked = {normalised(line.split("==")[0]) for line in lines if " # api" in line}
    assert imported & listed("requirements.txt").keys() == marked
