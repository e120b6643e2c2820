"""Who may import what, and what nobody may write: read from the source, as docs/design/README.md puts it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

SOURCES = sorted(
    path
    for folder in (".", "scalp_core", "training", "benchmarks", "ui", "pages")
    for path in (ROOT.glob("*.py") if folder == "." else (ROOT / folder).rglob("*.py"))
)
CORE = [path for path in SOURCES if path.is_relative_to(ROOT / "scalp_core")]

_BENCHMARKS = ("benchmarks/training_speed.py", "benchmarks/prediction.py")
_TRAINING = (
    "scalp_core/learning/network.py",
    "scalp_core/learning/loop.py",
    "scalp_core/learning/train.py",
    *_BENCHMARKS,
)
_TORCH_ANSWERS = "scalp_core/learning/torch_session.py"

# What each of these may be imported by; anything else may be imported by anyone.
ALLOWED = {
    "streamlit": ("Home.py", "serve.py", "pages/", "ui/", "benchmarks/"),  # they time the pages
    "torch": (
        *_TRAINING,
        _TORCH_ANSWERS,
        "scalp_core/learning/backbones.py",
        "scalp_core/learning/losses.py",
        "scalp_core/learning/augment.py",
    ),
    "dlordinal": ("scalp_core/learning/losses.py",),
    "scipy": (
        "scalp_core/metrics/calibration.py",
        "scalp_core/metrics/paired_comparison.py",
        "scalp_core/metrics/bootstrap.py",
    ),
    "timm": ("scalp_core/learning/backbones.py",),
    "torchvision": ("scalp_core/learning/backbones.py",),
    "argparse": ("training/", "benchmarks/", "scalp_core/rest/server.py"),  # commands
    "scalp_core.learning.backbones": _TRAINING,
    "scalp_core.learning.network": (*_TRAINING, _TORCH_ANSWERS),
    "scalp_core.learning.loop": _TRAINING,
    "scalp_core.learning.train": ("training/sweep.py", _TORCH_ANSWERS),  # other commands start processes
    "pages": (),
    "pickle": (),
    "shelve": (),
    "marshal": (),
    "joblib": (),
    "dill": (),
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(path: Path) -> Iterator[str]:
    """Dotted names of everything a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nobody_imports_what_is_not_theirs(path: Path) -> None:
    for name in imported(path):
        for guarded, places in ALLOWED.items():
            if name == guarded or name.startswith(f"{guarded}."):
                assert name_of(path).startswith(places), f"{name_of(path)} imports {name}"


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_knows_nothing_of_what_stands_on_it(path: Path) -> None:
    above = {"ui", "pages", "training", "benchmarks", "Home", "serve", "tests"}
    assert above.isdisjoint(name.split(".")[0] for name in imported(path))


def core_graph() -> dict[str, set[str]]:
    named = [path for path in CORE if path.stem != "__init__"]
    modules = {name_of(path).removesuffix(".py").replace("/", "."): path for path in named}
    return {module: set(imported(path)) & modules.keys() for module, path in modules.items()}


def test_the_core_s_imports_go_one_way() -> None:
    waiting = core_graph()
    while free := [module for module, needs in waiting.items() if needs.isdisjoint(waiting)]:
        for module in free:
            del waiting[module]
    assert waiting == {}, "these import each other in a circle"


def test_the_bottom_is_the_bottom_and_the_top_the_top() -> None:
    def below(module: str) -> set[str]:
        return graph[module].union(*map(below, graph[module]))

    graph = core_graph()
    assert graph["scalp_core.errors"] == graph["scalp_core.files"] == set()
    assert graph["scalp_core.architectures"] == {"scalp_core.errors"}
    for module in (
        "labels",
        "images",
        "data.dataset",
        "runs.runs",
        "metrics.metrics",
        "runs.champions",
        "inference.predict",
    ):
        reached = below(f"scalp_core.{module}")
        assert reached.isdisjoint(
            {"scalp_core.learning.train", "scalp_core.learning.network", "scalp_core.learning.backbones"}
        ), module
    assert "scalp_core.runs.runs" not in below("scalp_core.metrics.metrics")
    assert "scalp_core.inference.predict" not in below("scalp_core.runs.champions")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_code_runs_from_data_and_no_shell_from_names(path: Path) -> None:
    for name, call in calls(path):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        assert name not in ("eval", "exec", "os.system", "os.popen", "torch.load", "subprocess.getoutput"), name
        shell = keywords.get("shell")
        assert shell is None or (isinstance(shell, ast.Constant) and shell.value is False), "shell=True"
        unpickles = keywords.get("allow_pickle")
        assert unpickles is None or (isinstance(unpickles, ast.Constant) and unpickles.value is False), "allow_pickle"


def is_constant_html(value: ast.expr, constants: set[str]) -> bool:
    """A constant, the content of a file beside our components, or a sum of these."""
    if isinstance(value, ast.BinOp):
        return is_constant_html(value.left, constants) and is_constant_html(value.right, constants)
    if isinstance(value, ast.Call):
        return ast.unparse(value.func) == "asset" and all(isinstance(name, ast.Constant) for name in value.args)
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id in constants)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_raw_html_is_only_ever_a_constant(path: Path) -> None:
    constants = {
        target.id
        for node in tree(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for name, call in calls(path):
        if name.endswith("components.v2.component"):
            contents = [keyword.value for keyword in call.keywords]
        elif name.endswith("st.html") or name == "html" or "unsafe_allow_html" in {word.arg for word in call.keywords}:
            assert call.args, f"{name_of(path)}: the HTML goes first"
            contents = call.args[:1]
        else:
            continue
        made = [content for content in contents if not is_constant_html(content, constants)]
        assert not made, f"{name_of(path)} line {call.lineno}: HTML that is made"


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_prints_nothing(path: Path) -> None:
    # What these print is the log of the run.
    logging = name_of(path) in ("scalp_core/learning/train.py", "scalp_core/learning/loop.py")
    assert logging or "print" not in {name for name, _ in calls(path)}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_says_first_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_caught_broadly(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{name_of(path)} line {node.lineno}: bare except"
            assert ast.unparse(node.type) not in ("Exception", "BaseException"), f"{name_of(path)} line {node.lineno}"
