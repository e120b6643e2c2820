"""Rules of the source: what may import what, and what is not written. Each test lists its offenders."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from conftest import ROOT

FOLDERS = ("scalp_core", "training", "benchmarks", "ui", "pages")
SOURCES = sorted([*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))])
CORE = [path for path in SOURCES if path.is_relative_to(ROOT / "scalp_core")]
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Room → the rooms it may import. Ground is what lies in scalp_core itself.
DIRECTION = {
    "ground": set(),
    "data": {"ground"},
    "metrics": {"ground"},
    "importing": {"ground", "data"},
    "synthetic": {"ground", "data"},
    "runs": {"ground", "data", "metrics"},
    "inference": {"ground", "data", "metrics", "runs"},
    "learning": {"ground", "data", "metrics", "runs", "inference", "synthetic"},
    "evaluation": {"ground", "data", "metrics", "runs", "inference", "synthetic"},
    "charts": {"ground", "data", "metrics", "runs", "inference", "synthetic", "evaluation"},
    "reports": {"ground", "data", "metrics", "runs", "inference", "synthetic", "evaluation", "charts"},
    "rest": {"ground", "data", "metrics", "runs", "inference"},
}
# `python -m scalp_core TASK` may start a process of any room.
ENTRANCES = {"scalp_core", "scalp_core.__main__"}

# Library or folder → the only files and folders that may import it.
RESERVED = {
    "streamlit": ("Home.py", "serve.py", "pages/", "ui/", "benchmarks/"),
    "torch": ("scalp_core/learning/", "benchmarks/training_speed.py", "benchmarks/prediction.py"),
    "dlordinal": ("scalp_core/learning/losses.py",),
    "scipy": (
        *("scalp_core/data/near_duplicates.py", "scalp_core/data/splits.py", "scalp_core/metrics/"),
        "scalp_core/synthetic/realism.py",
    ),
    "sklearn": (
        *("scalp_core/inference/", "scalp_core/synthetic/realism.py", "scalp_core/synthetic/oracle.py"),
        "benchmarks/comparison.py",
    ),
    "timm": ("scalp_core/learning/backbones.py",),
    "torchvision": ("scalp_core/learning/backbones.py",),
    "argparse": ("training/", "benchmarks/", "scalp_core/rest/__main__.py"),  # commands
    "pages": (),
    "Home": (),
    "serve": (),
    "ui": ("Home.py", "serve.py", "pages/", "ui/", "training/", "benchmarks/"),
    "training": ("training/", "benchmarks/"),
    "benchmarks": ("benchmarks/",),
    "tests": (),
    # They run code that a file brings along.
    "pickle": (),
    "shelve": (),
    "marshal": (),
    "joblib": (),
    "dill": (),
}
# Outside of learning these alone may import what imports torch; all other code starts a process for it.
TORCH_USERS = (
    "scalp_core/__init__.py",
    "scalp_core/__main__.py",
    "benchmarks/training_speed.py",
    "benchmarks/prediction.py",
    "benchmarks/transfer.py",
    "training/pointing.py",
    "training/sweep.py",
)

# What these print is the log of the run.
LOGGING = tuple(f"scalp_core/learning/{name}.py" for name in ("train", "loop", "process"))

BAD_BEGINNINGS = {"Of", "What", "With", "Those", "Where", "Whoever", "Who", "As", "How", "Which", "That"}
BAD_PRONOUNS = re.compile(r"\b(?:(?:some|no|any|every)body|(?:some|any|every)one|whoever)\b", re.IGNORECASE)
BAD_NAMES = {"one", "found", "told", "said", "chosen", "asked", "known", "drawn", "shown", "heard"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def place(path: Path, node: ast.AST | int) -> str:
    return f"{name_of(path)}:{node if isinstance(node, int) else getattr(node, 'lineno', 1)}"


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


def imports(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Dotted names of everything that a file imports, wherever in it."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


@cache
def calls(path: Path) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in nodes(path) if isinstance(node, ast.Call)]


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def room_of(module: str) -> str:
    steps = module.split(".")
    return steps[1] if len(steps) > 1 and (ROOT / "scalp_core" / steps[1]).is_dir() else "ground"


def references(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Modules of the core that a file imports, or names in a string to import or to start as a process."""
    modules = {module_of(path) for path in CORE}
    for name, node in imports(path):
        if name in modules and name != "scalp_core":
            yield name, node
    documentation = {id(node.value) for node in nodes(path) if isinstance(node, ast.Expr)}
    for node in nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            for name in re.findall(r"\bscalp_core(?:\.\w+)+", node.value):
                steps = name.split(".")
                candidates = (".".join(steps[:length]) for length in range(len(steps), 1, -1))
                yield from ((module, node) for module in [next((m for m in candidates if m in modules), "")] if module)


def core_graph() -> dict[str, set[str]]:
    modules = {module_of(path) for path in CORE} - {"scalp_core"}
    return {module_of(path): {name for name, _ in imports(path)} & modules for path in CORE}


def assert_none(offenders: Iterable[str]) -> None:
    offenders = list(offenders)
    assert not offenders, f"{len(offenders)} offenders:\n" + "\n".join(offenders)


# Imports.


def test_reserved_imports_stay_in_their_places() -> None:
    offenders = [
        f"{place(path, node)} imports {name}"
        for path in SOURCES
        for name, node in imports(path)
        for reserved, places in RESERVED.items()
        if within(name, reserved) and not name_of(path).startswith(places)
    ]
    assert_none(offenders)


def test_no_import_is_relative() -> None:
    offenders = [
        place(path, node)
        for path in [*SOURCES, *TESTS]
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert_none(offenders)


def test_rooms_import_in_the_allowed_direction() -> None:
    offenders = []
    for path in CORE:
        module = module_of(path)
        room = room_of(module)
        for name, node in references(path):
            if module not in ENTRANCES and room_of(name) != room and room_of(name) not in DIRECTION[room]:
                offenders.append(f"{place(path, node)} {room} → {name}")
    assert_none(offenders)


def test_no_room_imports_the_package_s_face() -> None:
    """`scalp_core` itself stands above all rooms: only its modules are imported from it."""
    modules = {module_of(path) for path in CORE}
    offenders = [
        f"{place(path, node)} imports {alias.name} from scalp_core"
        for path in CORE
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and node.module == "scalp_core"
        for alias in node.names
        if f"scalp_core.{alias.name}" not in modules | {module.rpartition(".")[0] for module in modules}
    ]
    assert_none(offenders)


def test_every_room_has_its_direction() -> None:
    assert {room_of(module_of(path)) for path in CORE} == DIRECTION.keys()


def test_core_modules_form_no_cycle() -> None:
    waiting = core_graph()
    for entrance in ENTRANCES:
        waiting.pop(entrance, None)
    while free := [module for module, needs in waiting.items() if needs.isdisjoint(waiting)]:
        for module in free:
            del waiting[module]
    assert waiting == {}, "these import each other in a circle"


def test_lowest_modules_import_nothing() -> None:
    graph = core_graph()
    assert graph["scalp_core.errors"] == graph["scalp_core.files"] == set()
    assert graph["scalp_core.architectures"] == {"scalp_core.errors"}


def test_torch_is_reached_only_from_learning() -> None:
    graph = core_graph()
    reaching = {module_of(path) for path in CORE if any(within(name, "torch") for name, _ in imports(path))}
    while more := {module for module, needs in graph.items() if needs & reaching} - reaching:
        reaching |= {module for module in more if room_of(module) == "learning"}
        if not any(room_of(module) == "learning" for module in more):
            break
    offenders = [
        f"{place(path, node)} imports {name}"
        for path in SOURCES
        if not name_of(path).startswith(("scalp_core/learning/", *TORCH_USERS))
        for name, node in imports(path)
        if name in reaching
    ]
    assert "scalp_core.learning.network" in reaching
    assert_none(offenders)


# What is not written.


def test_no_code_runs_from_data_and_no_shell() -> None:
    offenders = []
    for path in SOURCES:
        for name, call in calls(path):
            if name in ("eval", "exec", "os.system", "os.popen", "subprocess.getoutput"):
                offenders.append(f"{place(path, call)} {name}")
            if name == "torch.load" and "weights_only=True" not in map(ast.unparse, call.keywords):
                offenders.append(f"{place(path, call)} {name}")
            offenders += [
                f"{place(path, call)} {keyword.arg}"
                for keyword in call.keywords
                if keyword.arg in ("shell", "allow_pickle")
                and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
            ]
    assert_none(offenders)


def is_constant_html(value: ast.expr, constants: set[str]) -> bool:
    """A constant, the content of a file beside our components, or a sum of these."""
    if isinstance(value, ast.BinOp):
        return is_constant_html(value.left, constants) and is_constant_html(value.right, constants)
    if isinstance(value, ast.Call):
        return ast.unparse(value.func) in ("asset", "asset_path") and all(
            isinstance(name, ast.Constant) for name in value.args
        )
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id in constants)


def raw_html(name: str, call: ast.Call) -> list[ast.expr | None]:
    """The arguments of a call that reach the page as HTML, CSS or JavaScript; None for one that is missing."""
    if name.endswith("components.v2.component"):
        return [keyword.value for keyword in call.keywords]
    if name.endswith("st.html") or name == "html" or "unsafe_allow_html" in {keyword.arg for keyword in call.keywords}:
        return [call.args[0] if call.args else None]
    return []


def test_raw_html_is_always_a_constant() -> None:
    offenders = []
    for path in SOURCES:
        constants = {
            target.id
            for node in tree(path).body
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for name, call in calls(path):
            if any(html is None or not is_constant_html(html, constants) for html in raw_html(name, call)):
                offenders.append(place(path, call))
    assert_none(offenders)


def test_core_prints_nothing() -> None:
    offenders = [
        place(path, call)
        for path in CORE
        if name_of(path) not in LOGGING
        for name, call in calls(path)
        if name == "print"
    ]
    assert_none(offenders)


def test_nothing_is_caught_broadly() -> None:
    offenders = [
        place(path, node)
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    ]
    assert_none(offenders)


# Prose and names.


def docstrings(path: Path) -> Iterator[tuple[str, ast.AST]]:
    for node in nodes(path):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text, node


def comments(path: Path) -> Iterator[tuple[str, int]]:
    text = path.read_text(encoding="utf-8")
    if not BAD_PRONOUNS.search(text):  # breaking up a file takes long
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string, token.start[0]


def bindings(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Names of variables and parameters."""
    for node in nodes(path):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node
        elif isinstance(node, ast.arg):
            yield node.arg, node


def test_every_module_has_a_docstring() -> None:
    assert_none([name_of(path) for path in SOURCES if not ast.get_docstring(tree(path))])


def test_docstrings_begin_with_a_verb_or_noun() -> None:
    offenders = [
        f"{place(path, node)} {text.splitlines()[0]}"
        for path in [*SOURCES, *TESTS]
        for text, node in docstrings(path)
        if re.split(r"\W", text, maxsplit=1)[0] in BAD_BEGINNINGS
    ]
    assert_none(offenders)


def test_prose_names_no_somebody() -> None:
    offenders = [
        f"{place(path, node)} {word}"
        for path in [*SOURCES, *TESTS]
        for text, node in [*docstrings(path), *comments(path)]
        for word in BAD_PRONOUNS.findall(text)
    ]
    assert_none(offenders)


def test_variables_say_what_they_hold() -> None:
    offenders = [
        f"{place(path, node)} {name}"
        for path in [*SOURCES, *TESTS]
        for name, node in bindings(path)
        if name in BAD_NAMES
    ]
    assert_none(offenders)
