"""Choices kept in the address, so that every view is a link that means the same in both languages. Knows no figures.

Streamlit's own binding writes the shown label into the address, which here depends on the language.

What is written while a page is drawn, the browser keeps as a page of its own to go back to. So only choices that
somebody made are written: what the address does not say is the default. And whoever goes back changes the address
behind the widgets' backs: then they follow it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset, list_datasets
from scalp_core.data.splits import OVERLAPS
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, GRADES, Condition
from ui.words import Say

LINK_PARAMS = ("lang", "data", "condition")  # what a link to another page takes along


def choose(label: str, options: Mapping[str, str], key: str, default: str, language: str) -> str:
    """One of `options` (value in the address → what is shown) as a row of buttons."""
    widget = f"{key}-{language}"  # another language is another widget, which starts from the address
    asked = _asked(key, options, default)
    chosen = st.segmented_control(
        label,
        list(options),
        default=None if _followed(key, widget, asked) else asked,
        format_func=lambda value: options.get(value, value),
        key=widget,
        on_change=_write,
        args=(key, language),
        required=True,
        wrap=True,
    )
    return _kept(key, chosen if chosen in options else default, default)


def choose_from_list(label: str, options: Mapping[str, str], key: str, language: str) -> str:
    """The same as a drop-down list, for many options; the first is the default."""
    values, widget = list(options), f"{key}-{language}"
    asked = _asked(key, options, values[0])
    chosen = st.selectbox(
        label,
        values,
        index=0 if _followed(key, widget, asked) else values.index(asked),
        format_func=lambda value: options.get(value, value),
        key=widget,
        on_change=_write,
        args=(key, language),
    )
    return _kept(key, chosen if chosen in options else values[0], values[0])


def choose_some(label: str, options: Mapping[str, str], key: str, default: Sequence[str], language: str) -> list[str]:
    """Several of `options`, in their order; none of them is an answer too. The address keeps them behind commas, and
    keeps nothing while it is the default.
    """
    written = st.query_params.get(key)
    usual = [value for value in options if value in default]
    asked = usual if written is None else [value for value in options if value in written.split(",")]
    # Other options or another language are another widget, which starts from the address.
    widget = f"{key}-{language}-{hash(tuple(options))}"
    chosen = st.multiselect(
        label,
        list(options),
        default=None if _followed(key, widget, asked) else asked,
        format_func=lambda value: options.get(value, value),
        key=widget,
    )
    kept = [value for value in options if value in chosen]
    if kept == usual:
        st.query_params.pop(key, None)
    elif written != ",".join(kept):
        st.query_params[key] = ",".join(kept)
    settle(key)
    return kept


def choose_page(pages: int, leafed: str) -> int:
    """The page of `?page=`. When something else is leafed through than before, it starts from the first again."""
    if st.session_state.setdefault("leafed", leafed) != leafed:
        st.session_state["leafed"] = leafed
        if not moved("page"):
            write_address({"page": None})
    asked, widget = _asked("page", {str(number): "" for number in range(1, pages + 1)}, "1"), f"page-{leafed}"
    page = st.pagination(pages, default=1 if _followed("page", widget, int(asked)) else int(asked), key=widget)
    return int(_kept("page", str(page), "1"))


def link_params() -> dict[str, str]:
    """What links to other pages take along from this address."""
    return {key: st.query_params[key] for key in LINK_PARAMS if key in st.query_params}


def _asked(key: str, options: Mapping[str, str], default: str) -> str:
    asked = st.query_params.get(key, default)
    return asked if asked in options else default


def write_address(changes: Mapping[str, str | None]) -> None:
    """All at once, which is one page to go back to; None takes a key away."""
    before = st.query_params.to_dict()
    after = {key: value for key, value in (before | changes).items() if value is not None}
    if after != before:
        st.query_params.from_dict(after)
    settle(*changes)


@contextmanager
def following() -> Iterator[None]:
    """Within, and not in fragments drawn later, widgets follow an address that moved while the page was at rest.

    A click that comes while the page is still being drawn brings along the address from before: that is no going back.
    """
    st.session_state[_FOLLOWING] = st.session_state.get(_RESTED, True)
    st.session_state[_RESTED] = False
    yield
    st.session_state[_FOLLOWING] = False
    st.session_state[_RESTED] = True


def moved(*keys: str) -> bool:
    """The address says otherwise of these than when they were last settled: somebody went back, forward, or along a
    link to this page.
    """
    if not st.session_state.get(_FOLLOWING, True):
        return False
    return any(st.session_state.get(_SEEN + key, _NEVER) not in (_NEVER, st.query_params.get(key)) for key in keys)


def settle(*keys: str) -> None:
    """What the address says of these is what the page shows."""
    for key in keys:
        st.session_state[_SEEN + key] = st.query_params.get(key)


_SEEN, _NEVER = "address-", object()
_FOLLOWING, _RESTED = "following-address", "rested"


def _followed(key: str, widget: str, asked: object) -> bool:
    """The widget was moved to what the address asks for; a default besides would be one too many."""
    if not moved(key) or widget not in st.session_state:
        return False
    st.session_state[widget] = asked
    return True


def _write(key: str, language: str) -> None:
    # Before the page is drawn: its first links, the navigation, already take the new choice along.
    st.query_params[key] = st.session_state[f"{key}-{language}"]
    settle(key)
    if key == "data":
        st.query_params.pop("image", None)  # a picture of the other one


def _kept(key: str, value: str, default: str) -> str:
    if st.query_params.get(key, default) != value:
        st.query_params[key] = value
    settle(key)
    return value


def choose_dataset(say: Say) -> Dataset | None:
    """The data set of `?data=`, said to be synthetic or split with leaks if it is; None when there is none at all."""
    datasets = _datasets(say)
    if not datasets:
        return None
    dataset = datasets[choose_from_list(say("data_set"), {name: name for name in datasets}, "data", say.language)]
    if dataset.synthetic:
        st.warning(say("synthetic_data"), icon=":material/draw:")
    _tell_leak(dataset, say)
    return dataset


def asked_dataset(say: Say) -> Dataset | None:
    """The data set of `?data=`, for pages that offer no choice of it; None when there is none at all."""
    datasets = _datasets(say)
    return datasets[_asked("data", dict.fromkeys(datasets, ""), next(iter(datasets)))] if datasets else None


def _datasets(say: Say) -> dict[str, Dataset]:
    """All, by name; where there are none, or not the one that a link asks for, that is said."""
    datasets = {dataset.name: dataset for dataset in list_datasets()}
    if not datasets:
        st.warning(say("no_dataset"))
    elif st.query_params.get("data", "") not in ("", *datasets):
        st.warning(say("other_dataset", shown=next(iter(datasets))), icon=":material/link_off:")
    return datasets


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
