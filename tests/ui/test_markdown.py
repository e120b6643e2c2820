"""Text from outside is never Markdown: how it is escaped, and that no element of a page takes it unescaped."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from support.app_driver import unescape
from support.hostile_names import WORDS

from scalp_core.errors import Text
from ui.markdown import Markdown, code, literal, literal_cells
from ui.words import WORDS as SENTENCES
from ui.words import Say

MAKERS = {ROOT / "ui/markdown.py", ROOT / "ui/words/__init__.py"}  # of what is safe
SOURCES = [ROOT / "Home.py", *(path for folder in ("pages", "ui") for path in sorted((ROOT / folder).rglob("*.py")))]

# Methods of Streamlit that show Markdown in their first argument, and the other arguments that show it anywhere.
FIRST = set(
    re.findall(
        r"\w+",
        "badge button camera_input caption checkbox dialog download_button error expander file_uploader header info "
        "form_submit_button link_button markdown metric multiselect number_input pills popover radio select_slider "
        "segmented_control selectbox slider spinner status subheader success table tabs text_area text_input title "
        "toast toggle warning write",
    )
)
BY_NAME = {"body", "caption", "help", "label", "text"}
OPTIONS = {"pills", "radio", "segmented_control"}  # their options are Markdown, as format_func names them
NUMBERS = tuple(",%defgG")  # how the format of a number ends


# ---- what is escaped ----


@pytest.mark.parametrize("word", WORDS)
def test_literal_text_reads_as_it_was(word: str) -> None:
    for text in (word, f"a {word}", f"{word} {word}"):
        assert unescape(literal(text)) == text


def test_markdown_is_escaped_once() -> None:
    assert literal(literal("[x](y)")) == literal("[x](y)") != "[x](y)"
    say = Say("en")
    assert say("compare_none", data="**x**").count(r"\*") == 4
    assert say("compare_none", data=Markdown("**x**")).count("**") == 2
    assert "**x**" in say.text("compare_none", data="**x**")
    assert say.plain(Text("a\n\n    b", "")) == "a b"


@pytest.mark.parametrize("name", ["demo-tf_efficientnet_lite0", "0.71", "-0.2", "2 moderate", "b0, 3 × 4 %"])
def test_usual_names_need_no_escape(name: str) -> None:
    assert literal(name) == name


@pytest.mark.parametrize(("name", "span"), [("a_b", "`a_b`"), ("a`b", "`` a`b ``"), ("`` ` a", "``` `` ` a ```")])
def test_backticks_never_end_their_code(name: str, span: str) -> None:
    assert code(name) == span


def test_cells_and_headings_of_table_are_text() -> None:
    table = literal_cells(pd.DataFrame({"$x$": ["[x](y)", 1]}, index=["*a*", "b"]))
    assert list(table.columns) == [r"\$x\$"]
    assert table.index.tolist() == [r"\*a\*", "b"]
    assert table[r"\$x\$"].tolist() == [r"\[x\]\(y\)", "1"]


def test_no_placeholder_stands_in_code() -> None:
    # Escapes would be seen there.
    inside = [key for key, text in SENTENCES.items() for words in text if "{" in "".join(words.split("`")[1::2])]
    assert inside == []


# ---- where it is given ----


@dataclass(frozen=True)
class Module:
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}


def is_markdown(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation) == "Markdown"


class Checker(ast.NodeVisitor):
    """Collects arguments that are given as Markdown and may hold text from outside."""

    def __init__(self, module: Module, everywhere: dict[str, ast.FunctionDef]) -> None:
        self.module, self.known = module, everywhere | module.functions
        self.scopes: list[ast.AST] = [module.tree]
        self.offenders: list[str] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self.scopes.append(node)
        for statement in node.body:
            self.visit(statement)
        if is_markdown(node.returns):
            returned = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
            self.hold(node, [value for value in returned if value])
        self.scopes.pop()

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in FIRST | {"progress", "image"}:
            given = [keyword.value for keyword in node.keywords if keyword.arg in BY_NAME]
            if node.func.attr in FIRST:
                given += node.args[:1]
            if node.func.attr in OPTIONS:
                given += [keyword.value for keyword in node.keywords if keyword.arg == "format_func"]
            self.hold(node, given)
        elif isinstance(node.func, ast.Name) and (function := self.known.get(node.func.id)):
            parameters = [*function.args.args, *function.args.kwonlyargs]
            expected = {parameter.arg for parameter in parameters if is_markdown(parameter.annotation)} | {"help"}
            given = [
                value for parameter, value in zip(parameters, node.args, strict=False) if parameter.arg in expected
            ]
            given += [keyword.value for keyword in node.keywords if keyword.arg in expected]
            self.hold(node, given)
        elif ast.unparse(node.func) == "Markdown":
            self.hold(node, node.args)

    def hold(self, node: ast.AST, given: list[ast.expr]) -> None:
        self.offenders += [
            f"{self.module.path.name}:{getattr(node, 'lineno', 0)} {ast.unparse(value)}"
            for value in given
            if not self.safe(value)
        ]

    def safe(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant():
                return True
            case ast.Lambda(body=body):
                return self.safe(body)
            case ast.JoinedStr(values=parts):
                return all(self.safe(part) for part in parts)
            case ast.FormattedValue(value=value, format_spec=ast.JoinedStr(values=[ast.Constant(value=str(spec))])):
                return spec.endswith(NUMBERS) or self.safe(value)
            case ast.FormattedValue(value=value) | ast.Starred(value=value):
                return self.safe(value)
            case ast.IfExp(body=body, orelse=other):
                return self.safe(body) and self.safe(other)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.safe(left) and self.safe(right)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return all(self.safe(part) for part in parts)
            case ast.GeneratorExp(elt=part) | ast.ListComp(elt=part):
                return self.safe(part)
            case ast.Subscript(value=ast.Name(id=name)):
                return name.isupper()  # a constant of ours
            case ast.Name(id=name):
                return name.isupper() or name == "literal" or self._safe_name(name)
            case ast.Call():
                return self._safe_call(node)
        return False

    def _safe_call(self, node: ast.Call) -> bool:
        name = ast.unparse(node.func)
        if name in ("say", "say.plain", "literal", "code", "literal_cells", "bullets", "as_sentence", "Markdown"):
            return True  # what Markdown(…) holds is checked by itself
        if name.startswith("literal_cells("):
            return True  # with a style
        if isinstance(node.func, ast.Attribute) and node.func.attr == "join":
            return self.safe(node.func.value) and self.safe(node.args[0])
        return name in self.known and is_markdown(self.known[name].returns)

    def _safe_name(self, name: str) -> bool:
        values = list(self._values(name))
        return bool(values) and all(value is None or self.safe(value) for value in values)

    def _values(self, name: str) -> Iterator[ast.expr | None]:
        """Everything that the innermost function with this name puts into it; None for what is Markdown."""
        for scope in reversed(self.scopes):
            if isinstance(scope, ast.FunctionDef):
                parameters = [*scope.args.args, *scope.args.kwonlyargs]
                for parameter in parameters:
                    if parameter.arg == name:
                        yield None if is_markdown(parameter.annotation) else parameter_value(name)
            for node in ast.walk(scope):
                match node:
                    case ast.Assign(targets=[target], value=value) | ast.NamedExpr(target=target, value=value):
                        yield from bound(target, value, name)
                    case ast.For(target=ast.Name(id=looped)) if looped == name:
                        yield parameter_value(name)
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=extended), attr="append"), args=[value]):
                        if extended == name:
                            yield value
            if any(True for _ in self._bindings(scope, name)):
                return

    def _bindings(self, scope: ast.AST, name: str) -> Iterator[ast.AST]:
        for node in ast.walk(scope):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
                yield node
            if isinstance(node, ast.arg) and node.arg == name:
                yield node


def parameter_value(name: str) -> ast.expr:
    """Stands for a value that may be anything."""
    return ast.Attribute(ast.Name(name, ast.Load()), "unknown", ast.Load())


def bound(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    """Return the values that an assignment gives a name."""
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple):
        for place, part in enumerate(target.elts):
            if isinstance(part, ast.Name) and part.id == name:
                yield value.elts[place] if isinstance(value, ast.Tuple) else value


def offenders(paths: list[Path]) -> list[str]:
    modules = [Module(path) for path in paths]
    everywhere = {
        name: function for module in modules for name, function in module.functions.items() if not name.startswith("_")
    }
    collected = []
    for module in modules:
        checker = Checker(module, everywhere)
        checker.visit(module.tree)
        collected += checker.offenders
    return collected


def test_elements_take_only_escaped_text() -> None:
    unsafe = offenders([path for path in SOURCES if path not in MAKERS])
    assert not unsafe, "\n".join(unsafe)


@pytest.mark.parametrize(
    "source",
    [
        "st.markdown(run.id)",
        "st.error(f\"{say('x')}: {run.id}\")",
        "st.warning(say.of(error.text))",
        "words = say.of(error.text)\nst.info(words)",
        "def show(label: str, column):\n    column.expander(label)",
        "def show(label: Markdown):\n    st.button(label)\nshow(run.id)",
        "def name(run) -> Markdown:\n    return run.id",
        "st.image(pixels, caption=name)",
        "st.radio(say('x'), options, format_func=str)",
        "st.table(table)",
        "Markdown(run.id)",
        'words = [say("x")]\nwords.append(run.id)\nst.caption(" · ".join(words))',
    ],
)
def test_text_from_outside_is_noticed(source: str, tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text(source)
    assert len(offenders([path])) == 1
