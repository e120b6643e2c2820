"""Choices kept in the address, so that every view is a link that means the same in both languages. Knows no figures.

Streamlit's own binding writes the shown label into the address, which here depends on the language.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from scalp_core.charts import grade_name
from scalp_core.dataset import Dataset, list_datasets
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, GRADES, Condition
from scalp_core.parts import OVERLAPS
from ui.words import Say

CARRIED = ("lang", "data", "condition")  # what a link to another page takes along


def choose(label: str, options: Mapping[str, str], key: str, default: str, language: str) -> str:
    """One of `options` (value in the address → what is shown) as a row of buttons."""
    chosen = st.segmented_control(
        label,
        list(options),
        default=_asked(key, options, default),
        format_func=lambda value: options.get(value, value),
        key=f"{key}-{language}",  # another language is another widget, which starts from the address
        on_change=_write,
        args=(key, language),
        required=True,
        wrap=True,
    )
    return _kept(key, chosen if chosen in options else default)


def choose_from_list(label: str, options: Mapping[str, str], key: str, language: str) -> str:
    """The same as a drop-down list, for many options; the first is the default."""
    values = list(options)
    asked = _asked(key, options, values[0])
    chosen = st.selectbox(
        label,
        values,
        index=values.index(asked),
        format_func=lambda value: options.get(value, value),
        key=f"{key}-{language}",
        on_change=_write,
        args=(key, language),
    )
    return _kept(key, chosen if chosen in options else values[0])


def choose_some(label: str, options: Mapping[str, str], key: str, default: Sequence[str], language: str) -> list[str]:
    """Several of `options`, in their order; none of them is an answer too. The address keeps them behind commas, and
    keeps nothing while it is the default.
    """
    written = st.query_params.get(key)
    usual = [value for value in options if value in default]
    asked = usual if written is None else [value for value in options if value in written.split(",")]
    chosen = st.multiselect(
        label,
        list(options),
        default=asked,
        format_func=lambda value: options.get(value, value),
        # Other options or another language are another widget, which starts from the address.
        key=f"{key}-{language}-{hash(tuple(options))}",
    )
    kept = [value for value in options if value in chosen]
    if kept == usual:
        st.query_params.pop(key, None)
    elif written != ",".join(kept):
        st.query_params[key] = ",".join(kept)
    return kept


def choose_page(pages: int, leafed: str) -> int:
    """The page of `?page=`. When something else is leafed through than before, it starts from the first again."""
    if st.session_state.setdefault("leafed", leafed) != leafed:
        st.session_state["leafed"] = leafed
        st.query_params.pop("page", None)
    asked = _asked("page", {str(number): "" for number in range(1, pages + 1)}, "1")
    page = st.pagination(pages, default=int(asked), key=f"page-{leafed}")
    return int(_kept("page", str(page)))


def carried() -> dict[str, str]:
    """What links to other pages take along from this address."""
    return {key: st.query_params[key] for key in CARRIED if key in st.query_params}


def _asked(key: str, options: Mapping[str, str], default: str) -> str:
    asked = st.query_params.get(key, default)
    return asked if asked in options else default


def _write(key: str, language: str) -> None:
    # Before the page is drawn: its first links, the navigation, already take the new choice along.
    st.query_params[key] = st.session_state[f"{key}-{language}"]
    if key == "data":
        st.query_params.pop("image", None)  # a picture of the other one


def _kept(key: str, value: str) -> str:
    if st.query_params.get(key) != value:
        st.query_params[key] = value
    return value


def choose_dataset(say: Say) -> Dataset | None:
    """The data set of `?data=`, said to be synthetic or split with leaks if it is; None when there is none at all."""
    datasets = {dataset.name: dataset for dataset in list_datasets()}
    if not datasets:
        st.warning(say("no_dataset"))
        return None
    dataset = datasets[choose_from_list(say("data_set"), {name: name for name in datasets}, "data", say.language)]
    if dataset.synthetic:
        st.warning(say("synthetic_data"), icon=":material/draw:")
    _tell_leak(dataset, say)
    return dataset


def _tell_leak(dataset: Dataset, say: Say) -> None:
    """What is measured on a split that leaks must never be taken for more than it is."""
    overlap = dataset.parts.get("overlap")
    if isinstance(overlap, dict):
        shares = ", ".join(f"{say.of(OVERLAPS[key])} {100 * share:.1f} %" for key, share in overlap.items())
        st.error(say("split_leaks", shares=shares), icon=":material/error:")


def choose_condition(say: Say) -> Condition:
    """The condition of `?condition=`."""
    options = {condition.value: say.of(condition.text) for condition in CONDITIONS}
    return Condition(choose(say("condition"), options, "condition", CONDITIONS[0].value, say.language))


def choose_threshold(say: Say) -> int:
    """The grade from which on a condition counts as present, of `?threshold=`."""
    options = {str(int(grade)): grade_name(grade, say.language) for grade in GRADES[1:]}
    return int(choose(say("threshold"), options, "threshold", str(int(DEFAULT_THRESHOLD)), say.language))
