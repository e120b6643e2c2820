"""The READMEs promise commands: every line of their code blocks is run, or held to the file it speaks of."""

import csv
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.aihub_tree import Truth, build_tree, csv_table, folders_tree

from scalp_core.labels import CONDITIONS
from scalp_core.runs.runs import finished_runs
from scalp_core.synthetic.generate import plan_pictures
from scalp_core.synthetic.label_noise import best_kappa, label_chances
from training import demo
from training.report import markdown

ROOT = Path(__file__).resolve().parent.parent
READMES = ["README.md", "README.ko.md"]


@dataclass(frozen=True)
class Place:
    """A folder in which a reader follows the README, and the server that `make run` would have started.

    `own` are the reader's own pictures by the name of the data set that the README makes of them.
    """

    folder: Path
    environment: dict[str, str]
    address: str
    own: dict[str, Truth]


def blocks(readme: str, language: str) -> list[str]:
    """The fenced blocks of that language, in order; `` for those without one."""
    found, kind, lines = [], None, []
    for line in (ROOT / readme).read_text(encoding="utf-8").splitlines():
        if not line.startswith("```"):
            lines.append(line + "\n")
        elif kind is None:
            kind, lines = line.removeprefix("```"), []
        else:
            if kind == language:
                found.append("".join(lines))
            kind = None
    return found


@pytest.fixture(scope="module")
def place(trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(os.environ["SCALP_DATA"], folder / "data")
    shutil.copytree(os.environ["SCALP_ARTIFACTS"], folder / "artifacts")
    (folder / "picture.jpg").write_bytes(trained.picture)
    own = _own_pictures(folder)
    environment = {
        **os.environ,
        "SCALP_DATA": str(folder / "data"),
        "SCALP_ARTIFACTS": str(folder / "artifacts"),
        "PYTHONPATH": str(ROOT),
        "PORT": str(_free_port()),
    }
    address = f"http://localhost:{environment['PORT']}"
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen([sys.executable, "serve.py"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"{address}/api/ready")
        yield Place(folder, environment, address, own)
        assert server.poll() is None, (folder / "server.log").read_text()
    finally:
        server.terminate()
        server.wait(15)


def _own_pictures(folder: Path) -> dict[str, Truth]:
    """What the README imports: an AI Hub tree with every fault, a table with headings of its own, class folders."""
    table, columns, clinic = csv_table(folder)
    heading, rows = table.read_text(encoding="utf-8-sig").split("\n", 1)
    for field, named in {"image": "file", "site": "hospital", "value_2": "피지과다", "value_6": "loss"}.items():
        heading = heading.replace(columns[field], named)
    table.write_text(f"{heading}\n{rows}", encoding="utf-8")
    return {"aihub": build_tree(folder), "clinic": clinic, "classes": folders_tree(folder / "classes")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310  our own server
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


@pytest.mark.parametrize("readme", READMES)
def test_every_shell_line_does_what_it_says(readme: str, place: Place) -> None:
    for made in (
        *(Path("data", name) for name in place.own),
        Path("drawn-tree"),
        Path("graded"),
        Path("artifacts", "first"),
    ):
        shutil.rmtree(place.folder / made, ignore_errors=True)  # the other language starts from nothing as well
    for line in "".join(blocks(readme, "bash")).splitlines():
        _follow(line, place)
    for name, truth in place.own.items():
        _assert_imported(name, truth, place)


def _follow(line: str, place: Place) -> None:
    """Run one line, or hold it to the file it speaks of. A line of a kind not known here fails."""
    words = shlex.split(line)
    match words[0]:
        case "python" if words[2] == "scalp_core.rest":
            _answers_alone(words, place)
        case "python":
            if words[2:] == ["training.sweep", "--demo"]:  # more than an hour; its recipes and runs are tested below
                return
            _run([sys.executable, *_lighter(words[1:])], place)
        case "curl":
            body = _run(
                [word.replace("http://localhost:8501", place.address) for word in ["curl", "-sf", *words[1:]]], place
            )
            assert "research_only" in body
        case "make":
            plan = _run(["make", "--dry-run", *words[1:]], place, cwd=ROOT)
            assert ("serve.py" if words[1] == "run" else "pytest" if words[1] == "test" else "ruff") in plan
        case "docker":
            assert (ROOT / "Dockerfile").is_file()
            if words[1] == "run":
                assert "8501" in (ROOT / "Dockerfile").read_text()
        case _:
            pytest.fail(f"the README shows a command that no test follows: {line}")


def _lighter(words: list[str]) -> list[str]:
    """The same command with fewer pictures and a smaller network."""
    lighter = {"400": "24", "resnet18": "test_efficientnet", "vgg11_bn": "test_vit"}
    return [lighter.get(word, word) for word in words]


def _run(command: list[str], place: Place, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd or place.folder,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def _answers_alone(words: list[str], place: Place) -> None:
    port = str(_free_port())
    command = [sys.executable, *[port if word == "8502" else word for word in words[1:]]]
    server = subprocess.Popen(command, cwd=place.folder, env=place.environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://localhost:{port}/api/ready")
    finally:
        server.terminate()
        server.wait(15)


def _assert_imported(name: str, truth: Truth, place: Place) -> None:
    """The commands made what was there, and say of each fault as the README says they do."""
    made = place.folder / "data" / name
    index = pd.read_parquet(made / "index.parquet")
    assert set(index["sha256"]) == {sha256(content).hexdigest() for content in truth.contents.values()}
    assert set(index["part"]) == {"train", "valid", "calib", "test"}
    report = json.loads((made / "import_report.json").read_text(encoding="utf-8"))
    assert set(report["counts"]) == set(truth.faults)
    with (made / "import_faults.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == sum(report["counts"].values())


def test_both_languages_promise_the_same() -> None:
    english, korean = READMES
    for language in ("bash", "json"):
        assert blocks(english, language) == blocks(korean, language)
    assert _headings(english) == _headings(korean)


def _headings(readme: str) -> int:
    return len(re.findall(r"^## ", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("readme", [*READMES, "CONTRIBUTING.md"])
def test_every_file_it_points_to_is_there(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_the_tree_names_what_is_there(readme: str) -> None:
    (tree,) = blocks(readme, "")
    named = set(re.findall(r"^  (\w+\.py)", tree, re.MULTILINE)) | {"errors.py", "files.py", "__init__.py"}
    assert named == {path.name for path in (ROOT / "scalp_core").glob("*.py")}


@pytest.fixture(scope="module")
def tables() -> list[list[str]]:
    """Cells of the tables that the report makes of the shipped runs; their pictures are planned, not drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SCALP_ARTIFACTS", raising=False)
        runs = [run for run in finished_runs() if run.id in demo.RECIPES]
        assert {run.id for run in runs} == set(demo.RECIPES)
        pictures = plan_pictures(demo.IMAGES, demo.SEED, evaluation=demo.EVALUATION)
        captures = {picture.image_id: picture.capture for picture in pictures}
        chances = label_chances(np.array([picture.severities for picture in pictures if picture.part == "test"]))
        best = {condition: best_kappa(chances[:, place]) for place, condition in enumerate(CONDITIONS)}
        return cells(markdown(runs, captures, best, [0.0] * len(runs)))


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("readme", READMES)
def test_the_tables_of_results_are_what_the_report_says(readme: str, tables: list[list[str]]) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8").split("<!-- results -->")[1].split("\n## ")[0]
    said = cells(text)
    assert [row[:1] for row in said] == [row[:1] for row in tables]
    for told, computed in zip(said, tables, strict=True):
        timed = len(computed) == 9 and computed[0].startswith("`")  # milliseconds are the machine's
        assert told[1 : -1 if timed else None] == computed[1 : -1 if timed else None]


SHIPPED = (
    *("recipe.json", "history.jsonl", "model.safetensors", "preprocessing.json", "predictions.parquet"),
    "manifest.json",
)


def test_the_shipped_runs_are_those_of_the_sweep() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SCALP_ARTIFACTS", raising=False)
        shipped = {run.id: run for run in finished_runs()}
    for name, recipe in demo.RECIPES.items():
        assert shipped[name].recipe == recipe
        assert shipped[name].manifest["stored_precision"] == "float16"
    travelling = [ROOT / "artifacts" / name / file for name in demo.RECIPES for file in SHIPPED]
    assert sum(path.stat().st_size for path in travelling) < 75e6


def test_the_shipped_runs_were_judged_on_the_demonstration_s_pictures() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SCALP_ARTIFACTS", raising=False)
        shipped = [run for run in finished_runs() if run.id in demo.RECIPES]
    planned = plan_pictures(demo.IMAGES, demo.SEED, evaluation=demo.EVALUATION)
    labels = {(p.image_id, c.value): (p.part, p.labels[n]) for p in planned for n, c in enumerate(CONDITIONS)}
    for run in shipped:
        told = run.predictions[["image", "condition", "part", "truth"]].itertuples(index=False)
        assert {(row.image, row.condition): (row.part, row.truth) for row in told} == {
            key: value for key, value in labels.items() if value[0] != "train"
        }
