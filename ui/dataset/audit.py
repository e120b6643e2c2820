"""The findings of an audit, worst first, each with the pictures that show it."""

import pandas as pd
import streamlit as st

from scalp_core.data.audit import audit
from scalp_core.data.audit_messages import FIGURE_TEXT, Finding, FindingSeverity, percent
from scalp_core.data.dataset import Dataset
from scalp_core.data.splits import OVERLAPS
from scalp_core.palette import FINDING_COLORS
from ui.choices import settle_address, write_address
from ui.components.findings_table import FindingRow, show_findings_table
from ui.dataset.fields import field_name
from ui.dataset.gallery import PER_PAGE, rows_of, show_thumbnails
from ui.downloads import show_table
from ui.words import Say

_EXAMPLES = 3
_HEADS = ("severity", "finding", "share", "examples")


def show_audit(dataset: Dataset, say: Say) -> None:
    """Show all findings as a table, or the one of `?finding=` with its pictures and figures."""
    findings = _audit(str(dataset.folder), dataset.version, dataset)
    settle_address("finding")
    for finding in findings:
        if finding.key == st.query_params.get("finding") and finding.severity is not FindingSeverity.OK:
            _show_finding(dataset, finding, say)
            return
    _show_findings(dataset, findings, say)


# A hundred thousand rows take a third of a second: once for each version of the index is enough.
@st.cache_resource(max_entries=8, show_spinner=False)
def _audit(folder: str, version: int, _dataset: Dataset) -> list[Finding]:
    return audit(_dataset)


def _show_findings(dataset: Dataset, findings: list[Finding], say: Say) -> None:
    """Show the table; checks that found nothing wrong have a line each at the end."""
    amiss = [finding for finding in findings if finding.severity is not FindingSeverity.OK]
    rows = [_row(finding, say) for finding in amiss]
    if rows:
        heads = [say.text(f"audit_{head}") for head in _HEADS]
        picked = show_findings_table(dataset, rows, heads, say.text("view_audit"), "findings")
        if picked is not None:
            kind, name = picked
            write_address({kind: name})
            st.rerun()
    fine = [finding for finding in findings if finding.severity is FindingSeverity.OK]
    with st.expander(say("audit_fine", count=len(fine)), icon=":material/check_circle:"):
        for finding in fine:
            st.markdown(f"**{say.plain(finding.title)}** – {say.plain(finding.text)}")
    st.caption(say("audit_note"))


def _row(finding: Finding, say: Say) -> FindingRow:
    share = finding.share
    return FindingRow(
        key=finding.key,
        severity=say.of(finding.severity.text),
        color=FINDING_COLORS[finding.severity.value],
        title=say.of(finding.title),
        sentence=say.of(finding.text),
        share=share,
        amount=say.of(percent(finding.count, finding.whole)) if share is not None else f"{finding.count:,}",
        images=finding.images[:_EXAMPLES],
        action=say.text("audit_show") if finding.images else say.text("audit_details"),
    )


def _show_finding(dataset: Dataset, finding: Finding, say: Say) -> None:
    st.button(
        say("audit_back"),
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=write_address,
        args=({"finding": None},),
    )
    st.subheader(say.plain(finding.title), anchor=False)
    st.markdown(say.plain(finding.text))
    if finding.images:
        images = list(finding.images[:PER_PAGE])
        if len(images) < finding.count:
            st.caption(say("audit_first", count=len(images)))
        show_thumbnails(dataset, rows_of(dataset, images), finding.key, say)
    if finding.figures is not None:
        _show_figures(finding, finding.figures, say)


def _show_figures(finding: Finding, figures: pd.DataFrame, say: Say) -> None:
    """Show the table with heads and values in the reader's language."""
    words = {
        "condition": lambda value: field_name(value, say),
        "measure": lambda value: field_name(value, say),
        "by": lambda value: say.of(OVERLAPS[value]) if value in OVERLAPS else value,
        "part": say.part,
    }
    table = figures.assign(**{name: figures[name].map(word) for name, word in words.items() if name in figures})
    heads = {name: say.of(FIGURE_TEXT[name]) if name in FIGURE_TEXT else name for name in table}
    show_table(table, heads, say.of(finding.title))
