"""Tables and figures to take along: CSV and LaTeX, SVG and PNG. Knows neither what is in them nor how it is drawn."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from scalp_core.charts.fonts import NO_KOREAN_FONT, language_of_figures
from ui.words import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BYTE_ORDER_MARK = "\ufeff"  # spreadsheets need it to read Korean
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

# What LaTeX takes for a command, and what its usual fonts lack.
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": "$<$", ">": "$>$", "|": "$|$", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$"},
    **{"→": r"$\rightarrow$", "←": r"$\leftarrow$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "Δ": r"$\Delta$"},
    **{"–": "--", "…": r"\dots{}", "“": "``", "”": "''", "\n": " "},
}


def offer_table(frame: pd.DataFrame, name: str, say: Say, caption: str = "", *, synthetic: bool) -> None:
    """The table as CSV and as LaTeX (booktabs). Files are made when they are asked for.

    Args:
        frame: as it is shown; its index is left out.
        name: of the files, without ending; one of its kind on a page.
        caption: of the LaTeX table.
        synthetic: the pictures were drawn: names and caption say so.
    """
    stem = file_stem(name, synthetic)
    told = f"{caption} ({_SYNTHETIC} pictures)".strip() if synthetic else caption
    with st.popover(say("export_table"), icon=":material/download:"):
        st.caption(say("export_table_note"))
        _button("CSV", lambda: as_csv(frame), f"{stem}.csv", "text/csv")
        _button("LaTeX", lambda: as_latex(frame, told, stem).encode(), f"{stem}.tex", "application/x-tex")


def offer_figure(make: Callable[[], "Figure"], name: str, say: Say, *, synthetic: bool) -> None:
    """The figure as SVG and as PNG.

    Args:
        make: draws it with a function of scalp_core.charts.print_figures, which it imports itself: that takes a second.
        name: of the files, without ending; one of its kind on a page.
        synthetic: the pictures were drawn: names say so.
    """

    def svg() -> bytes:
        from scalp_core.charts import print_figures

        return print_figures.as_svg(make()).encode()

    def png() -> bytes:
        from scalp_core.charts import print_figures

        return print_figures.as_png(make())

    stem = file_stem(name, synthetic)
    with st.popover(say("export_figure"), icon=":material/download:"):
        st.caption(say("export_figure_note"))
        if language_of_figures(say.language) != say.language:
            st.caption(say.of(NO_KOREAN_FONT))
        _button("SVG", svg, f"{stem}.svg", "image/svg+xml")
        _button("PNG", png, f"{stem}.png", "image/png")


def _button(label: str, make: Callable[[], bytes], file_name: str, kind: str) -> None:
    st.download_button(
        label,
        make,
        file_name,
        kind,
        key=f"export-{file_name}",
        icon=":material/download:",
        width="stretch",
        on_click="ignore",
    )


_SYNTHETIC = "SYNTHETIC"


def file_stem(name: str, synthetic: bool) -> str:
    """A file name without ending that every system takes: letters, digits and `.-_` of ASCII, at most 120 of them."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:120] or "export"
    return f"{plain}-{_SYNTHETIC}" if synthetic else plain


def as_csv(frame: pd.DataFrame) -> bytes:
    """UTF-8 with byte order mark. Text that a spreadsheet would take for a formula gets an apostrophe."""
    safe = frame.map(_without_formula).rename(columns=_without_formula)
    return (_BYTE_ORDER_MARK + safe.to_csv(index=False, lineterminator="\r\n")).encode()


def _without_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def as_latex(frame: pd.DataFrame, caption: str, label: str) -> str:
    """A table of the package booktabs: numbers to the right, three decimals; all text escaped."""
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
    return escape_latex(f"{value:.3f}" if isinstance(value, float) else str(value))


def escape_latex(text: str) -> str:
    """Letters that mean something to LaTeX, or that its usual fonts lack, as what draws them."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
