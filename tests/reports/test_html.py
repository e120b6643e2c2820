"""Templates of printed reports: escaped, complete and part of the package."""

import tomllib

import jinja2
import pytest
from conftest import ROOT

from scalp_core.reports import html

HOSTILE = "<script>alert(1)</script>"


def render_text(source: str, **values: object) -> str:
    return html._ENVIRONMENT.from_string(source).render(**values)


def test_render_escapes_values_in_text_and_attributes() -> None:
    document = render_text('<p title="{{ text }}">{{ text }}</p>', text=f'"{HOSTILE}')
    assert HOSTILE not in document
    assert '""' not in document


def test_render_refuses_undefined_variables() -> None:
    with pytest.raises(jinja2.UndefinedError):
        html.render("pictures.html.j2", "en", "no values")


def test_table_names_rows_and_columns() -> None:
    source = '{% from "macros.html.j2" import table_of %}{{ table_of(table) }}'
    table = html.Table(["model", "kappa"], [["vit_tiny", HOSTILE]], "whole")
    document = render_text(source, table=table)
    assert '<table class="whole">' in document
    assert '<th scope="col">kappa</th>' in document
    assert '<th scope="row">vit_tiny</th><td>&lt;script&gt;' in document


def test_templates_mark_only_drawings_as_safe() -> None:
    folder = ROOT / "scalp_core/reports/templates"
    safe = {path.name: path.read_text(encoding="utf-8").count("| safe") for path in folder.iterdir()}
    assert {name: count for name, count in safe.items() if count} == {"comparison.html.j2": 1}


def test_templates_are_installed_with_the_package() -> None:
    packaging = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert packaging["package-data"]["scalp_core.reports"] == ["templates/*"]
