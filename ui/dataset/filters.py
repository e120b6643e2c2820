"""The panel of filters: what is chosen stands in the address, so that every selection is a link. Knows no figures."""

import math

import numpy as np
import streamlit as st

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.filters import Filters, choices, filterable, measured
from ui.dataset.fields import field_label, field_name, value_name
from ui.words import Say

# Captures and file sizes are for links and sorting: nobody chooses among thousands.
_MOST_CHOICES = 1000
_RANGES = ("sharpness", "lightness", "clipped")


def choose_filters(dataset: Dataset, say: Say) -> Filters:
    """The panel, folded up; what it says is what is chosen."""
    asked = Filters.from_address(st.query_params, dataset)
    many = len(asked.selected) + len(asked.ranges) + asked.alike + bool(asked.text)
    title = say("filters_active", count=many) if many else say("filters")
    # Clearing makes every widget anew: emptied ones would keep what they show.
    place = f"{dataset.name}-{say.language}-{st.session_state.get('filters_cleared', 0)}"
    with st.expander(title, icon=":material/filter_alt:", key=f"filters-{place}"):
        filters = _panel(dataset, asked, place, say)
        if many:
            st.button(say("filters_clear"), icon=":material/filter_alt_off:", on_click=_clear, args=(asked,))
    _write(dataset, filters)
    if filters != asked:
        st.rerun()  # the title above, drawn before, says what was chosen
    return filters


def _panel(dataset: Dataset, asked: Filters, place: str, say: Say) -> Filters:
    st.caption(say("filters_note"))
    columns = st.columns(3)
    chosen = {}
    for number, name in enumerate(filterable(dataset)):
        values = choices(dataset, name)
        if name not in LABEL_COLUMNS and len(values) < 2 and not asked.values(name):
            continue  # nothing to choose
        options = list(values.index) if len(values) <= _MOST_CHOICES else list(asked.values(name))
        # An address may ask for what this data set has none of, such as pictures without a label.
        options += [value for value in asked.values(name) if value not in options]
        if not options:
            continue
        with columns[number % len(columns)]:
            chosen[name] = st.multiselect(
                field_label(name, say),
                options,
                default=asked.values(name),
                format_func=lambda value, name=name, values=values: (
                    f"{value_name(name, value, say)} ({values.get(value, 0):,})"
                ),
                placeholder=say("filters_any"),
                key=f"filter-{name}-{place}",
            )
    ranges = {name: _range(dataset, name, asked, place, say) for name in measured(dataset) if name in _RANGES}
    left, right = st.columns(2, vertical_alignment="bottom")
    text = left.text_input(say("filters_text"), asked.text, key=f"filter-text-{place}", max_chars=200)
    alike = right.toggle(say("filters_alike"), asked.alike, key=f"filter-alike-{place}", disabled=not ranges)
    return Filters.of(chosen, ranges, alike, text)


def _range(dataset: Dataset, name: str, asked: Filters, place: str, say: Say) -> tuple[float, float]:
    """Both ends of a measure; an end that is not moved stays open, so that what was not measured stays in."""
    lowest, highest = _ends(str(dataset.folder), dataset.version, name, dataset)
    if lowest >= highest:
        return -math.inf, math.inf
    low, high = (float(np.clip(end, lowest, highest)) for end in asked.bounds(name))
    shown = st.slider(
        field_name(name, say), lowest, highest, (low, high), step=_step(highest), key=f"filter-{name}-{place}"
    )
    return (-math.inf if shown[0] <= lowest else shown[0], math.inf if shown[1] >= highest else shown[1])


@st.cache_data(max_entries=64, show_spinner=False)
def _ends(folder: str, version: int, name: str, _dataset: Dataset) -> tuple[float, float]:
    numbers = _dataset.column(name).to_numpy(dtype=np.float64, na_value=math.nan)
    if np.isnan(numbers).all():
        return 0.0, 0.0
    step = _step(float(np.nanmax(numbers)))
    return float(np.nanmin(numbers) // step * step), float(-(-np.nanmax(numbers) // step) * step)


def _step(highest: float) -> float:
    return 0.01 if highest <= 1 else 1.0


def _write(dataset: Dataset, filters: Filters) -> None:
    """The address says what the panel says; whatever else is in it stays."""
    address = filters.to_address()
    for key in (*filterable(dataset), *measured(dataset), "alike", "text"):
        if key in address:
            if st.query_params.get(key) != address[key]:
                st.query_params[key] = address[key]
        elif key in st.query_params:
            del st.query_params[key]


def _clear(asked: Filters) -> None:
    for key in asked.to_address():
        st.query_params.pop(key, None)
    st.session_state["filters_cleared"] = st.session_state.get("filters_cleared", 0) + 1
