"""Counts of a dataset as small histograms, whose bars are filters: by click, by dragging, or by keyboard."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from ui.components.assets import asset

_rail = st.components.v2.component(
    "scalp_facet_rail",
    html=asset("facet_rail.html"),
    css=asset("facet_rail.css"),
    js=asset("elements.js") + asset("facet_rail.js"),
)


@dataclass(frozen=True)
class Entry:
    """A bar or a row.

    Attributes:
        name: of the value; shown in rows.
        short: below a bar.
        text: the count as it is shown in rows.
        description: the whole in words.
        color: of the bar; empty for that of the page.
    """

    name: str
    count: int
    description: str
    short: str = ""
    text: str = ""
    color: str = ""
    selected: bool = False


@dataclass(frozen=True)
class Facet:
    """A column with its values or ranges.

    Attributes:
        rows: values are lines with their names, else bars.
        range: the bars are ranges of numbers from `low` to `high`; several that touch may be selected.
    """

    key: str
    name: str
    entries: tuple[Entry, ...]
    rows: bool = False
    range: bool = False
    low: str = ""
    high: str = ""


@dataclass(frozen=True)
class Pick:
    """Entries of a facet that were just clicked.

    Attributes:
        first: place of the entry in its facet; None takes a range off.
        last: the same, or the other end of a range.
    """

    facet: Facet
    first: int | None
    last: int | None


def show_facet_rail(facets: Sequence[Facet], key: str) -> Pick | None:
    """Show the facets and return what was clicked since the last run of the page."""
    data = {"facets": [asdict(facet) | {"key": str(number)} for number, facet in enumerate(facets)]}
    result = _rail(key=key, data=data, on_picked_change=lambda: None)
    return check_pick(result.picked, facets)


def check_pick(picked: object, facets: Sequence[Facet]) -> Pick | None:
    """Return the pick unless it is nonsense: browsers may send anything."""
    if not isinstance(picked, list) or not picked:
        return None
    try:
        number, *places = (int(item) for item in picked)
    except (TypeError, ValueError):
        return None
    if not 0 <= number < len(facets):
        return None
    facet = facets[number]
    if not places:
        return Pick(facet, None, None) if facet.range else None
    if not all(0 <= place < len(facet.entries) for place in places):
        return None
    return Pick(facet, min(places), max(places))
