"""HTML to print and to keep: a template filled in to one file that loads nothing from elsewhere and runs nothing.

Every text is escaped; the only markup that comes from outside a template is what matplotlib draws.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

from scalp_core import terms

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Table(NamedTuple):
    """One table of texts; the first cell of every row names the row.

    Attributes:
        kind: CSS class.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    kind: str = ""


def render(template: str, language: str, title: str, **values: object) -> str:
    """Return the document of a template that extends `document.html.j2`.

    Args:
        template: file name.
        title: of the document, plain text.
        values: the template's variables.

    Raises:
        jinja2.UndefinedError: the template uses a variable that `values` lacks.
    """
    return _ENVIRONMENT.get_template(template).render(
        language=language, title=title, research=terms.RESEARCH_ONLY(language), **values
    )
