"""The READMEs and guides promise commands: every block of code is run, or held to the file it speaks of."""

import csv
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.aihub_tree import Truth, build_tree, csv_table, folders_tree
from support.onnx_networks import write_network
from support.rest_server import free_port
from support.same_process import train_in_this_process
from test_layers import DIRECTION

from scalp_core.labels import CONDITIONS
from scalp_core.runs.store import finished_runs
from scalp_core.synthetic import demonstration
from scalp_core.synthetic.generate import plan_pictures
from scalp_core.synthetic.label_noise import best_kappa, label_chances
from training import demo
from training.report import markdown

ROOT = Path(__file__).resolve().parent.parent
README_LIMIT = 9_000  # bytes
COMMAND_LIMIT = 400  # seconds

DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Korean documents show the same code as their English twins, which is run once.
TWINS = {"README.ko.md": "README.md"} | {
    name: name.replace("/ko/", "/") for name in DOCUMENTS if "/ko/" in name and name.replace("/ko/", "/") in DOCUMENTS
}


@dataclass(frozen=True, eq=False)
class Place:
    """A folder in which a reader follows the documents, and the server that `make run` would have started.

    `own` are the reader's own pictures by the name of the dataset that the guide makes of them.
    """

    folder: Path
    environment: dict[str, str]
    address: str
    own: dict[str, Truth]


def blocks(document: str) -> list[tuple[str, str]]:
    """The fenced blocks of a document in order: their language (empty for those without one) and their text."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def in_reading_order() -> list[str]:
    """The documents whose code is run: guides use datasets and runs that the guides before them made."""
    guides = [f"docs/guide/{name}" for name in _indexed("docs/guide/README.md") if f"docs/guide/{name}" in DOCUMENTS]
    first = ["README.md", *guides]
    return [*first, *(name for name in DOCUMENTS if name not in first and name not in TWINS)]


def _indexed(index: str) -> list[str]:
    """The guides that an index links to, in its order."""
    return list(dict.fromkeys(re.findall(r"^\| \[[\w.]+\]\(([\w./]+)\)", _text(index), re.MULTILINE)))


def _text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def place(trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(os.environ["SCALP_DATA"], folder / "data")
    shutil.copytree(folder / "data" / "tiny", folder / "data" / "demo")  # stands in for what `make run` renders
    shutil.copytree(os.environ["SCALP_ARTIFACTS"], folder / "artifacts")
    (folder / "picture.jpg").write_bytes(trained.picture)
    write_network(folder / "network.onnx", (4,) * 6)
    (folder / "network.json").write_text('{"height": 8, "width": 8}', encoding="utf-8")
    own = _own_pictures(folder)
    environment = {
        **os.environ,
        "SCALP_DATA": str(folder / "data"),
        "SCALP_ARTIFACTS": str(folder / "artifacts"),
        "PYTHONPATH": str(ROOT),
        "PORT": str(free_port()),
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
    """The pictures that the guide imports: an AI Hub tree with every fault, a table with its own headings, folders."""
    table, columns, clinic = csv_table(folder)
    heading, rows = table.read_text(encoding="utf-8-sig").split("\n", 1)
    for field, named in {"image": "file", "site": "hospital", "value_2": "피지과다", "value_6": "loss"}.items():
        heading = heading.replace(columns[field], named)
    table.write_text(f"{heading}\n{rows}", encoding="utf-8")
    return {"aihub": build_tree(folder), "clinic": clinic, "classes": folders_tree(folder / "classes")}


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


def test_every_block_of_code_does_what_it_says(place: Place) -> None:
    for document in in_reading_order():
        scripts = []
        for language, text in blocks(document):
            match language:
                case "bash":
                    for line in text.replace("\\\n", " ").splitlines():
                        _follow(line.strip(), place)
                case "json":
                    _assert_shape(json.loads(text), _predict_all(place))
                case "python":
                    scripts.append(text.replace("resnet18", "test_efficientnet"))
                case "toml":
                    assert document == "docs/guide/access.md"  # tests/ui/test_login.py logs in with it
                case _:
                    assert document == "docs/design/layout.md", (
                        f"{document} has a block of code that is not run: {text}"
                    )
        if scripts:
            _run([sys.executable, "-c", "\n".join(scripts)], place)
    for name, truth in place.own.items():
        _assert_imported(name, truth, place)


def _follow(line: str, place: Place) -> None:
    """Run one line, or hold it to the file it speaks of. A line of a kind not known here fails."""
    words = shlex.split(line)
    match words[0]:
        case ".venv/bin/python" if words[2] == "scalp_core.rest":
            _answers_alone(words, place)
        case ".venv/bin/python":
            if words[2:] == ["training.sweep", "--demo"]:  # more than an hour; its recipes and runs are tested below
                return
            if words[2] == "training.fidelity":  # a minute; its figures and its exit code are tests of their own
                return
            _run_once(tuple(_lighter(words[1:])), place)
        case "curl":
            command = [word.replace("http://localhost:8501", place.address) for word in ["curl", "-sf", *words[1:]]]
            assert "research_only" in _run(command, place)
        case "make":
            plan = _run(["make", "--dry-run", *words[1:]], place, cwd=ROOT)
            assert ("serve.py" if words[1] == "run" else "pytest" if words[1] == "test" else "ruff") in plan
        case "docker":
            assert (ROOT / "Dockerfile").is_file()
            if "-p" in words:
                assert "8501" in (ROOT / "Dockerfile").read_text()
        case _:
            pytest.fail(f"a document shows a command that no test follows: {line}")


@cache
def _run_once(words: tuple[str, ...], place: Place) -> None:
    """Run `-m module …` in this process: each of its own would import the same packages again, for seconds.

    So do trainings, but for the README's own, which the worker and a process of its own do as they do for a reader.
    """
    if words[0] != "-m":
        _run([sys.executable, *words], place)
        return
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        for name, value in place.environment.items():
            patch.setenv(name, value)
        patch.chdir(place.folder)
        if "trial" not in words:
            train_in_this_process(patch)
        patch.setattr(sys, "argv", ["", *words[2:]])
        patch.delitem(sys.modules, words[1], raising=False)
        with pytest.raises(SystemExit) as end:
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    assert not end.value.code, f"{shlex.join(words)}\n{printed.getvalue()[-4000:]}"


def _predict_all(place: Place) -> object:
    return json.loads(_run(["curl", "-sf", "-F", "image=@picture.jpg", f"{place.address}/predict_all"], place))


def _assert_shape(example: object, answer: object) -> None:
    """The answer has everything that the example has, of the same types."""
    assert type(example) is type(answer)
    if isinstance(example, dict) and isinstance(answer, dict):
        for key, value in example.items():
            assert key in answer
            _assert_shape(value, answer[key])
    if isinstance(example, list) and isinstance(answer, list):
        assert len(example) == len(answer)
        for value, answered in zip(example, answer, strict=True):
            _assert_shape(value, answered)


def _lighter(words: list[str]) -> list[str]:
    """The same command with fewer pictures and a smaller network."""
    lighter = {
        **{"400": "24", "5700": "32", "1700": "16", "resnet18": "test_efficientnet", "vgg11_bn": "test_vit"},
        **{"run:base-resnet18": "none", "--markdown": "--plan" if "training.ablate" in words else "--markdown"},
    }
    added = []
    if "synthetic" in words:
        added = ["--processes", "1"]  # drawn sooner than other processes start
    elif "training.ablate" in words and "--image-size" not in words:
        added = ["--image-size", "64"]  # at which each network of the plan is measured
    return [*(lighter.get(word, word) for word in words), *added]


def _run(command: list[str], place: Place, cwd: Path | None = None) -> str:
    process = subprocess.run(
        command,
        cwd=cwd or place.folder,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT,
        check=False,
    )
    assert process.returncode == 0, f"{shlex.join(command)}\n{process.stdout[-2000:]}\n{process.stderr[-2000:]}"
    return process.stdout


def _answers_alone(words: list[str], place: Place) -> None:
    port = str(free_port())
    command = [sys.executable, *[port if word == "8502" else word for word in words[1:]]]
    server = subprocess.Popen(command, cwd=place.folder, env=place.environment, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://localhost:{port}/api/ready")
    finally:
        server.terminate()
        server.wait(15)


def _assert_imported(name: str, truth: Truth, place: Place) -> None:
    """The dataset has every picture of the folder, and its report every fault."""
    dataset = place.folder / "data" / name
    index = pd.read_parquet(dataset / "index.parquet")
    assert set(index["sha256"]) == {sha256(content).hexdigest() for content in truth.contents.values()}
    assert set(index["part"]) == {"train", "valid", "calib", "test"}
    report = json.loads((dataset / "import_report.json").read_text(encoding="utf-8"))
    assert set(report["counts"]) == set(truth.faults)
    with (dataset / "import_faults.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == sum(report["counts"].values())


@pytest.mark.parametrize("korean", sorted(TWINS))
def test_both_languages_show_the_same_code(korean: str) -> None:
    assert blocks(korean) == blocks(TWINS[korean])
    assert _levels(korean) == _levels(TWINS[korean])


def _levels(document: str) -> list[str]:
    """The levels of its headings, in order."""
    return re.findall(
        r"^(#+) ", re.sub(r"^ *```.*?^ *```$", "", _text(document), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_readme_is_short(readme: str) -> None:
    assert len((ROOT / readme).read_bytes()) <= README_LIMIT


@pytest.mark.parametrize("folder", ["docs/guide", "docs/guide/ko"])
def test_index_names_every_guide(folder: str) -> None:
    here = {path.name for path in (ROOT / folder).glob("*.md")} - {"README.md"}
    assert {Path(name).name for name in _indexed(f"{folder}/README.md")} == here | {"notebook.md"}


def test_every_file_pointed_to_is_there() -> None:
    dead = []
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", _text(document)):
            path, _, anchor = target.partition("#")
            file = (ROOT / document).parent / path
            if not file.exists() or (anchor and anchor not in _anchors(file.read_text(encoding="utf-8"))):
                dead.append(f"{document}: {target}")
    assert dead == []


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_address_leads_to_a_page(place: Place) -> None:
    """Streamlit answers every address with its own page, so names are held to the files."""
    pages = {path.stem.split("_", 1)[1] for path in (ROOT / "pages").glob("*.py")} | {""}
    text = "".join(map(_text, DOCUMENTS))
    for path in set(re.findall(r"[<(]http://localhost:8501/?([\w/]*)[^>)]*[>)]", text)):
        if path == "test" or path.startswith("api/"):
            _wait_for(f"{place.address}/{path}")
        else:
            assert path in pages


def test_layout_names_every_module_once() -> None:
    ((_, tree),) = blocks("docs/design/layout.md")
    named, folders = [], []
    for line in tree.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            named.append("".join([*folders, name]))
    modules = [
        path.relative_to(ROOT).as_posix()
        for folder in ("scalp_core", "ui", "training", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert sorted(named) == sorted(modules)


def test_directions_are_those_that_are_held() -> None:
    documented = {}
    for folders, imports in cells(_text("docs/design/README.md").split("## Directions")[1])[2:]:
        documented |= {folder: {"ground", *re.findall(r"\w+", imports)} for folder in re.findall(r"\w+", folders)}
    assert documented == {folder: allowed for folder, allowed in DIRECTION.items() if folder != "ground"}


@pytest.fixture(scope="module")
def tables() -> list[list[str]]:
    """Cells of the tables that the report makes of the shipped runs; their pictures are planned, not drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SCALP_ARTIFACTS", raising=False)
        runs = [run for run in finished_runs() if run.id in demo.RECIPES]
        assert {run.id for run in runs} == set(demo.RECIPES)
        pictures = plan_pictures(**demonstration.settings())
        captures = {picture.image_id: picture.capture for picture in pictures}
        chances = label_chances(np.array([picture.severities for picture in pictures if picture.part == "test"]))
        best = {condition: best_kappa(chances[:, place]) for place, condition in enumerate(CONDITIONS)}
        return cells(markdown(runs, captures, best, [0.0] * len(runs)))


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_result_tables_are_what_the_report_says(tables: list[list[str]]) -> None:
    documented = cells(_text("docs/results.md").split("<!-- results -->")[1].split("\n## ")[0])
    assert [row[:1] for row in documented] == [row[:1] for row in tables]
    for row, computed in zip(documented, tables, strict=True):
        timed = len(computed) == 9 and computed[0].startswith("`")  # milliseconds are the machine's
        assert row[1 : -1 if timed else None] == computed[1 : -1 if timed else None]


SHIPPED = (
    *("recipe.json", "history.jsonl", "model.safetensors", "preprocessing.json", "predictions.parquet"),
    *("manifest.json", "model.onnx", "export.json", "gate.safetensors", "operating_point.json"),
)
LARGEST_EXPORT = 300_000  # bytes: each new set of shipped runs enters the history with its exports


def test_shipped_runs_are_those_of_the_sweep() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SCALP_ARTIFACTS", raising=False)
        shipped = {run.id: run for run in finished_runs()}
    for name, recipe in demo.RECIPES.items():
        assert shipped[name].recipe == recipe
        assert shipped[name].manifest["stored_precision"] == "float16"
        assert shipped[name].exported, "a first start would have to make its export"
        assert shipped[name].export_path.stat().st_size < LARGEST_EXPORT
    travelling = [ROOT / "artifacts" / name / file for name in demo.RECIPES for file in SHIPPED]
    assert sum(path.stat().st_size for path in travelling) < 75e6


def test_shipped_runs_were_evaluated_on_the_demonstration() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SCALP_ARTIFACTS", raising=False)
        shipped = [run for run in finished_runs() if run.id in demo.RECIPES]
    planned = plan_pictures(**demonstration.settings())
    labels = {(p.image_id, c.value): (p.part, p.labels[n]) for p in planned for n, c in enumerate(CONDITIONS)}
    for run in shipped:
        rows = run.predictions[["image", "condition", "part", "truth"]].itertuples(index=False)
        assert {(row.image, row.condition): (row.part, row.truth) for row in rows} == {
            key: value for key, value in labels.items() if value[0] != "train"
        }
