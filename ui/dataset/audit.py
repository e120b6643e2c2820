"""The findings of an audit, worst first, each with the pictures that show it."""

import pandas as pd
import streamlit as st

from scalp_core.data.audit import audit
from scalp_core.data.audit_messages import FIGURE_TEXT, Finding, FindingSeverity
from scalp_core.data.dataset import Dataset
from scalp_core.data.splits import OVERLAPS
from scalp_core.labels import Condition
from ui.dataset.fields import field_name
from ui.dataset.gallery import PER_PAGE, rows_of, show_thumbnails
from ui.downloads import show_table
from ui.words import Say

_BADGES = {
    FindingSeverity.ERROR: (":material/error:", "red"),
    FindingSeverity.WARNING: (":material/warning:", "orange"),
    FindingSeverity.NOTE: (":material/info:", "blue"),
    FindingSeverity.OK: (":material/check_circle:", "green"),
}


def show_audit(dataset: Dataset, condition: Condition, say: Say) -> None:
    """Show all findings; checks that found nothing wrong have a line each at the end."""
    st.caption(say("audit_note"))
    findings = _audit(str(dataset.folder), dataset.version, dataset)
    for finding in findings:
        if finding.severity is not FindingSeverity.OK:
            _show_finding(dataset, finding, condition, say)
    fine = [finding for finding in findings if finding.severity is FindingSeverity.OK]
    with st.expander(say("audit_fine", count=len(fine)), icon=":material/check_circle:"):
        for finding in fine:
            st.markdown(f"**{say.plain(finding.title)}** – {say.plain(finding.text)}")


# A hundred thousand rows take a third of a second: once for each version of the index is enough.
@st.cache_resource(max_entries=8, show_spinner=False)
def _audit(folder: str, version: int, _dataset: Dataset) -> list[Finding]:
    return audit(_dataset)


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


def _show_finding(dataset: Dataset, finding: Finding, condition: Condition, say: Say) -> None:
    icon, colour = _BADGES[finding.severity]
    with st.container(border=True):
        severity = f":{colour}-badge[{icon} {say.plain(finding.severity.text)}]"
        closed = finding.severity is not FindingSeverity.ERROR  # the title says enough until it is opened
        st.markdown(f"{severity} **{say.plain(finding.title)}**" + ("" if closed else f"  \n{say.plain(finding.text)}"))
        if closed or finding.figures is not None:
            with st.expander(say("audit_figures")):
                if closed:
                    st.markdown(say.plain(finding.text))
                if finding.figures is not None:
                    _show_figures(finding, finding.figures, say)
        if finding.images and st.toggle(say("audit_images"), key=f"audit-{finding.key}"):
            show_thumbnails(dataset, rows_of(dataset, list(finding.images[:PER_PAGE])), condition, finding.key, say)
