"""The findings of an audit as a table: severity, sentence, share as a bar, examples, and a button to see them all."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import streamlit as st

from scalp_core.data.dataset import Dataset
from ui.components.assets import asset
from ui.components.colors import ink
from ui.components.thumbnail_urls import thumbnail_source

_table = st.components.v2.component(
    "scalp_findings_table",
    html=asset("findings_table.html"),
    css=asset("thumbnail.css") + asset("findings_table.css"),
    js=asset("elements.js") + asset("findings_table.js"),
)

Kind = Literal["finding", "image"]


@dataclass(frozen=True)
class FindingRow:
    """One finding.

    Attributes:
        share: 0 to 1, drawn as a bar; None for no bar.
        amount: share or count as text.
        images: ids of the examples.
        action: words of the button; empty for no button.
    """

    key: str
    severity: str
    color: str
    title: str
    sentence: str
    share: float | None
    amount: str
    images: tuple[str, ...]
    action: str


def show_findings_table(
    dataset: Dataset, rows: Sequence[FindingRow], heads: Sequence[str], description: str, key: str
) -> tuple[Kind, str] | None:
    """Show the table and return what was just clicked: a finding by its key, or an example by its id."""
    data = {"rows": [_row(dataset, row) for row in rows], "heads": list(heads), "description": description}
    result = _table(key=key, data=data, on_picked_change=lambda: None)
    return _checked(result.picked, rows)


def _row(dataset: Dataset, row: FindingRow) -> dict[str, object]:
    examples = [{"id": image_id, "source": thumbnail_source(dataset, image_id)} for image_id in row.images]
    return asdict(row) | {"ink": ink(row.color), "examples": examples}


def _checked(picked: object, rows: Sequence[FindingRow]) -> tuple[Kind, str] | None:
    """Return the pick unless it names what is not in the table: browsers may send anything."""
    for row in rows:
        if picked == ["finding", row.key]:
            return "finding", row.key
        for image_id in row.images:
            if picked == ["image", image_id]:
                return "image", image_id
    return None
