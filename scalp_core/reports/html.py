"""HTML to print and to keep: one file that asks for nothing elsewhere and in which nothing runs.

All text goes in escaped. Knows nothing of what is reported.
"""

from collections.abc import Iterable
from html import escape

from scalp_core.errors import Text

RESEARCH = Text(
    "Research only. Not a medical device; nothing here is a medical finding.",
    "연구용입니다. 의료기기가 아니며, 이 문서의 어떤 내용도 의학적 판단이 아닙니다.",
)


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """One paragraph; `research` and `synthetic` stand out, `note` stands back."""
    return f'<p class="{kind}">{escape(text)}</p>'


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """The first column names the row."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(f"<tr>{_row(*cells)}</tr>" for cells in rows)
    drawn = f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="wide" tabindex="0">{drawn}</div>'


def _row(name: str, *cells: str) -> str:
    return f'<th scope="row">{escape(name)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in cells)


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what they are, below each other."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in rows)}</dl>"


def document(language: str, name: str, body: str, style: str = "") -> str:
    """The whole file.

    Args:
        name: of the document, as plain text.
        body: HTML, escaped already.
        style: further CSS.
    """
    return f"""<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{escape(name)}</title>
<style>{_STYLE}{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


_STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #1f2937;
  font: 15px/1.55 system-ui, "Noto Sans KR", "Noto Sans CJK KR", "Malgun Gothic", "Apple SD Gothic Neo", sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.25; }
h2 { font-size: 1.25rem; margin: 2rem 0 .6rem; border-bottom: 2px solid #0f5f59; padding-bottom: .2rem; }
h3 { font-size: 1rem; }
h1, h2, dd, li, td, th, figcaption, p { word-break: keep-all; overflow-wrap: break-word; }
dd { overflow-wrap: anywhere; }
.research, .synthetic { padding: .5rem .8rem; border-left: 4px solid #0f5f59; background: #f1f7f6; }
.synthetic { border-color: #8f2317; background: #fdf0ee; font-weight: 600; }
.note { color: #4b5563; font-size: .9em; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .25rem 1rem; }
dt { color: #4b5563; }
dd { margin: 0; }
figcaption { color: #4b5563; font-size: .9em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .8rem 0; font-size: .85em; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid #d1d5db; text-align: left; vertical-align: top;
  min-width: 4.5rem; }
thead th { border-bottom: 2px solid #6b7280; }
tr { break-inside: avoid; }
@media print {
  @page { size: A4; margin: 15mm; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  .wide { overflow: visible; }
  th, td { min-width: 0; padding: .25rem .3rem; }
  table { font-size: .78em; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""
