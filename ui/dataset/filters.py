"""The panel of filters, kept in the address so that every selection is a link."""

import math

import numpy as np
import streamlit as st

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.filters import Filters, choices, filterable, measured
from ui.choices import address_moved, write_address
from ui.dataset.facets import show_facets
from ui.dataset.fields import field_label, value_name
from ui.words import Say

_MOST_CHOICES = 1000  # values of a column; captures and file sizes, which have more, are for links and sorting
_RANGES = ("sharpness", "lightness", "clipped")
_RENEWED = "filters-renewed"


def choose_filters(dataset: Dataset, say: Say) -> Filters:
    """Offer the filters as histograms, and all of them on demand, and return them."""
    current = Filters.from_address(st.query_params, dataset)
    if address_moved(*_keys(dataset)):
        _renew_widgets()
    version = f"{dataset.name}-{say.language}-{st.session_state.get(_RENEWED, 0)}"
    with st.container(horizontal=True, gap="small"):
        with st.popover(
            say("filters_all"), icon=":material/filter_alt:", key=f"filters-{dataset.name}", width="content"
        ):
            filters = _show_panel(dataset, current, version, say)
        if filters != Filters():
            st.button(
                say("filters_clear"),
                icon=":material/filter_alt_off:",
                type="tertiary",
                on_click=_clear,
                args=(tuple(filters.to_address()),),
            )
    _write_filters(dataset, filters)
    picked = show_facets(dataset, filters, say)
    if picked is not None and picked != filters:
        _write_filters(dataset, picked)
        _renew_widgets()
        st.rerun()
    return filters


def _renew_widgets() -> None:
    """Make the widgets of the panel anew, from the address: those of before would keep their values."""
    st.session_state[_RENEWED] = st.session_state.get(_RENEWED, 0) + 1


def _keys(dataset: Dataset) -> list[str]:
    return [*filterable(dataset), *measured(dataset), "alike", "text"]


def _show_panel(dataset: Dataset, current: Filters, version: str, say: Say) -> Filters:
    st.caption(say("filters_note"))
    columns = st.columns(2)
    values_by_column = {}
    for number, name in enumerate(filterable(dataset)):
        values = choices(dataset, name)
        if name not in LABEL_COLUMNS and len(values) < 2 and not current.values(name):
            continue  # nothing to choose
        options = list(values.index) if len(values) <= _MOST_CHOICES else list(current.values(name))
        # An address may name values that this dataset has none of, such as pictures without a label.
        options += [value for value in current.values(name) if value not in options]
        if not options:
            continue
        with columns[number % len(columns)]:
            values_by_column[name] = st.multiselect(
                field_label(name, say),
                options,
                default=current.values(name),
                format_func=lambda value, name=name, values=values: (
                    f"{value_name(name, value, say)} ({values.get(value, 0):,})"
                ),
                placeholder=say("filters_any"),
                key=f"filter-{name}-{version}",
            )
    ranges = {
        name: _choose_range(dataset, name, current, version, say) for name in measured(dataset) if name in _RANGES
    }
    left, right = st.columns(2, vertical_alignment="bottom")
    text = left.text_input(say("filters_text"), current.text, key=f"filter-text-{version}", max_chars=200)
    alike = right.toggle(say("filters_alike"), current.alike, key=f"filter-alike-{version}", disabled=not ranges)
    return Filters.of(values_by_column, ranges, alike, text)


def _choose_range(dataset: Dataset, name: str, current: Filters, version: str, say: Say) -> tuple[float, float]:
    """Offer both ends of a measure; an end that is not moved stays open and keeps pictures without a measurement."""
    lowest, highest = _bounds(str(dataset.folder), dataset.version, name, dataset)
    if lowest >= highest:
        return -math.inf, math.inf
    low, high = (float(np.clip(end, lowest, highest)) for end in current.bounds(name))
    low_end, high_end = st.slider(
        field_label(name, say), lowest, highest, (low, high), step=_step(highest), key=f"filter-{name}-{version}"
    )
    return -math.inf if low_end <= lowest else low_end, math.inf if high_end >= highest else high_end


@st.cache_data(max_entries=64, show_spinner=False)
def _bounds(folder: str, version: int, name: str, _dataset: Dataset) -> tuple[float, float]:
    numbers = _dataset.column(name).to_numpy(dtype=np.float64, na_value=math.nan)
    if np.isnan(numbers).all():
        return 0.0, 0.0
    step = _step(float(np.nanmax(numbers)))
    return float(np.nanmin(numbers) // step * step), float(-(-np.nanmax(numbers) // step) * step)


def _step(highest: float) -> float:
    return 0.01 if highest <= 1 else 1.0


def _write_filters(dataset: Dataset, filters: Filters) -> None:
    """Write the filters into the address and keep everything else in it."""
    write_address(dict.fromkeys(_keys(dataset)) | filters.to_address())


def _clear(keys: tuple[str, ...]) -> None:
    write_address(dict.fromkeys(keys))
    _renew_widgets()
