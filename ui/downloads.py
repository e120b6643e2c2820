"""Tables, shown in the reader's words and offered as CSV for programs and as LaTeX; figures as SVG and PNG."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import pandas as pd
import streamlit as st

from scalp_core.charts.fonts import NO_KOREAN_FONT, language_of_figures
from scalp_core.files import formula_safe
from ui.markdown import Markdown
from ui.words import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SYNTHETIC = "SYNTHETIC"  # in file names and captions
_LONGEST_STEM = 120  # letters
_BYTE_ORDER_MARK = "\ufeff"  # spreadsheets need it to read Korean
_NUMBER = "%.3f"  # numbers with a point, where no other format is given

# Letters that LaTeX takes for a command, and letters that its usual fonts lack.
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": "$<$", ">": "$>$", "|": "$|$", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$"},
    **{"→": r"$\rightarrow$", "←": r"$\leftarrow$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "Δ": r"$\Delta$"},
    **{"–": "--", "…": r"\dots{}", "“": "``", "”": "''", "\n": " "},
}


def show_table(
    frame: pd.DataFrame, heads: Mapping[str, str], alt: str, formats: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Show the columns of `heads`, whose numbers stay numbers; return them under the reader's heads, for LaTeX.

    The browser's own download of the table has the frame's names and unrounded numbers.

    Args:
        heads: the reader's words for each of them.
        formats: of columns whose numbers are not shown with three decimals.
    """
    formats = dict.fromkeys(frame.select_dtypes("float"), _NUMBER) | dict(formats or {})
    columns = {
        name: st.column_config.NumberColumn(head, format=formats[name])
        if name in formats
        else st.column_config.Column(head)
        for name, head in heads.items()
    }
    displayed = frame[list(heads)]
    st.dataframe(displayed, hide_index=True, column_config=columns, placeholder="–", alt=alt)
    return displayed.rename(columns=heads)


def offer_table(
    displayed: pd.DataFrame, figures: pd.DataFrame | None, name: str, say: Say, caption: str = "", *, synthetic: bool
) -> None:
    """Offer a table as CSV and as LaTeX (booktabs). The files are made at the click.

    Args:
        displayed: as the page shows it, for LaTeX; its index is left out.
        figures: as programs read it, for CSV: English names, unrounded numbers, the same in both languages. None where
            another table of the page has these figures.
        name: file name without ending, unique on the page.
        caption: of the LaTeX table.
        synthetic: whether the pictures are; file names and caption say so.
    """
    stem = file_stem(name, synthetic)
    marked_caption = f"{caption} ({_SYNTHETIC} pictures)".strip() if synthetic else caption
    with st.popover(say("export_table"), icon=":material/download:"):
        if figures is not None:
            st.caption(say("export_table_note"))
            offer_file("CSV", lambda: as_csv(figures), f"{stem}.csv", "text/csv", width="stretch")
        offer_file(
            "LaTeX",
            lambda: as_latex(displayed, marked_caption, stem).encode(),
            f"{stem}.tex",
            "application/x-tex",
            width="stretch",
        )


def offer_figure(
    make: Callable[[], "Figure"], name: str, say: Say, *, synthetic: bool, label: Markdown | None = None
) -> None:
    """Offer a figure as SVG, PNG and PDF.

    Args:
        make: draws it with a function of scalp_core.charts.print_figures, which it imports itself: that takes a second.
        name: file name without ending, unique on the page.
        synthetic: whether the pictures are; file names say so.
        label: of the button; “Figure” unless the page offers several.
    """

    def svg() -> bytes:
        from scalp_core.charts import print_figures

        return print_figures.as_svg(make()).encode()

    def png() -> bytes:
        from scalp_core.charts import print_figures

        return print_figures.as_png(make())

    def pdf() -> bytes:
        from scalp_core.charts import print_figures

        return print_figures.as_pdf(make())

    stem = file_stem(name, synthetic)
    with st.popover(label or say("export_figure"), icon=":material/download:"):
        st.caption(say("export_figure_note"))
        if language_of_figures(say.language) != say.language:
            st.caption(say.plain(NO_KOREAN_FONT))
        offer_file("SVG", svg, f"{stem}.svg", "image/svg+xml", width="stretch")
        offer_file("PNG", png, f"{stem}.png", "image/png", width="stretch")
        offer_file("PDF", pdf, f"{stem}.pdf", "application/pdf", width="stretch")


def offer_file(
    label: Markdown,
    make: Callable[[], bytes],
    file_name: str,
    mime: str,
    *,
    icon: str = ":material/download:",
    width: Literal["stretch", "content"] = "content",
    note: Markdown | None = None,
) -> None:
    """Offer a file that `make` makes at the click.

    Args:
        note: shown under the pointer.
    """
    st.download_button(
        label, make, file_name, mime, key=f"export-{file_name}", icon=icon, width=width, on_click="ignore", help=note
    )


def file_stem(name: str, synthetic: bool) -> str:
    """Return a file name without ending that every system takes: letters, digits and `.-_` of ASCII."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:_LONGEST_STEM] or "export"
    return f"{plain}-{_SYNTHETIC}" if synthetic else plain


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return CSV in UTF-8 with byte order mark: numbers as they are, empty where undefined.

    Text that a spreadsheet would take for a formula gets an apostrophe.
    """
    safe = frame.map(_safe_cell).rename(columns=formula_safe)
    return (_BYTE_ORDER_MARK + safe.to_csv(index=False, lineterminator="\r\n")).encode()


def _safe_cell(value: object) -> object:
    return formula_safe(value) if isinstance(value, str) else value


def as_latex(frame: pd.DataFrame, caption: str, label: str) -> str:
    """Return a table of the package booktabs: numbers to the right, three decimals, all text escaped."""
    columns = "".join("r" if pd.api.types.is_numeric_dtype(kind) else "l" for kind in frame.dtypes)
    rows = [[_latex_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    lines = [
        r"% \usepackage{booktabs}; for Korean letters also \usepackage{kotex}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _latex_row([escape_latex(str(name)) for name in frame]),
        r"\midrule",
        *(_latex_row(row) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_cell(value: object) -> str:
    if pd.isna(value):
        return "--"
    return escape_latex(_latex_number(value) if isinstance(value, float) else str(value))


def _latex_number(value: float) -> str:
    """Return three decimals, or one digit of what they would round to zero, such as small p values."""
    return f"{value:.3f}" if abs(value) >= 0.0005 or value == 0 else f"{value:.1g}"


def escape_latex(text: str) -> str:
    """Replace letters that LaTeX takes for a command, or that its usual fonts lack, by commands that print them."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
