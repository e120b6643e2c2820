"""The rail of facets: how many pictures each value or range has, and the filters that a click on it makes."""

import math

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.facets import Bin, facet_counts, histogram
from scalp_core.data.filters import NONE, Filters, filterable, measured
from scalp_core.labels import Condition
from scalp_core.palette import SEVERITY_COLORS, UNKNOWN
from ui.components.facet_rail import Entry, Facet, Pick, show_facet_rail
from ui.dataset.fields import field_name, value_name
from ui.words import Say

_FIELDS = ("part", "official", "region")  # besides the conditions; others only while they filter
_MEASURES = ("sharpness", "lightness", "clipped")
_MOST_ROWS = 8  # of the values that do not filter


def show_facets(dataset: Dataset, filters: Filters, say: Say) -> Filters | None:
    """Show the rail and return the filters after the click that was just made on it."""
    values: dict[str, list[str]] = {}
    bins: dict[str, list[Bin]] = {}
    facets = []
    for name in _columns(dataset, filters):
        if name in measured(dataset):
            counts = histogram(dataset, filters, name)
            if counts:
                bins[name] = list(counts)
                facets.append(_range_facet(name, counts, filters, say))
            continue
        pictures = _shown(facet_counts(dataset, filters, name), filters.values(name))
        if name in LABEL_COLUMNS or len(pictures) > 1 or filters.values(name):
            values[name] = list(pictures)
            facets.append(_value_facet(name, pictures, filters, say))
    picked = show_facet_rail(facets, f"facets-{dataset.name}")
    return None if picked is None else _apply(picked, filters, values, bins)


def _columns(dataset: Dataset, filters: Filters) -> list[str]:
    names = [*LABEL_COLUMNS, *_FIELDS, *_MEASURES]
    active = [name for name, _ in (*filters.selected, *filters.ranges) if name not in names]
    return [name for name in (*names, *active) if name in (*filterable(dataset), *measured(dataset))]


def _shown(counts: dict[str, int], selected: tuple[str, ...]) -> dict[str, int]:
    """Return all of few values, and of many those selected and those of the most pictures; what is absent has none."""
    counts = counts | {value: counts.get(value, 0) for value in selected}
    largest = sorted((value for value in counts if value not in selected), key=lambda value: -counts[value])
    kept = {*selected, *largest[:_MOST_ROWS]}
    return {value: count for value, count in counts.items() if value in kept}


def _value_facet(name: str, counts: dict[str, int], filters: Filters, say: Say) -> Facet:
    title, graded = field_name(name, say), name in LABEL_COLUMNS
    if graded:
        title = f"{Condition(name).number} {title}"
    entries = []
    for value, count in counts.items():
        words = value_name(name, value, say)
        entries.append(
            Entry(
                words,
                count,
                say.text("facet_entry", facet=title, value=words, count=count),
                short="–" if value == NONE else value,
                text=f"{count:,}",
                color=_color(value) if graded else "",
                selected=value in filters.values(name),
            )
        )
    return Facet(name, title, tuple(entries), rows=not graded)


def _color(value: str) -> str:
    return UNKNOWN if value == NONE else SEVERITY_COLORS[int(value)]


def _range_facet(name: str, counts: dict[Bin, int], filters: Filters, say: Say) -> Facet:
    title, (low, high) = field_name(name, say), filters.bounds(name)
    filtering = (low, high) != (-math.inf, math.inf)
    entries = tuple(
        Entry(
            "",
            count,
            say.text("facet_entry", facet=title, value=_range_name(place), count=count),
            selected=filtering and place.low < high and place.high > low,
        )
        for place, count in counts.items()
    )
    edges = [place.high for place in counts]
    return Facet(name, title, entries, range=True, low=f"≤ {edges[0]:g}", high=f"≥ {edges[-2]:g}")


def _range_name(place: Bin) -> str:
    if math.isinf(place.low):
        return f"≤ {place.high:g}"
    return f"≥ {place.low:g}" if math.isinf(place.high) else f"{place.low:g}–{place.high:g}"


def _apply(picked: Pick, filters: Filters, values: dict[str, list[str]], bins: dict[str, list[Bin]]) -> Filters:
    """Return the filters with the picked value added, or taken off where it was selected, or with the picked range."""
    name = picked.facet.key
    if picked.first is None or picked.last is None:
        return filters.with_range(name, -math.inf, math.inf)
    if name in bins:
        return filters.with_range(name, bins[name][picked.first].low, bins[name][picked.last].high)
    value = values[name][picked.first]
    return filters.with_values(name, set(filters.values(name)) ^ {value})
