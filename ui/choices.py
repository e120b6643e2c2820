"""Choices kept in the address, so that every view is a link that means the same in both languages.

Streamlit's own binding writes the label of an option into the address, and labels here depend on the language.

The browser keeps every address that is written during a run of the page as an entry to go back to. So only choices that
the reader made are written, and a missing key means the default. Going back changes the address behind the widgets'
backs; the widgets then follow the address.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset, damaged_datasets, offered_datasets
from scalp_core.data.splits import OVERLAPS
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, GRADES, Condition
from scalp_core.synthetic.demonstration import NAME
from ui.demonstration import show_drawing
from ui.feedback import show_damaged
from ui.frame import mark, notices
from ui.markdown import Markdown, literal
from ui.words import Say

LINK_PARAMS = ("lang", "data", "condition")  # a link to another page takes these along

# ---- any choice ----


def choose(
    label: Markdown, options: Mapping[str, str], key: str, default: str, language: str, *, in_menu: bool = False
) -> str:
    """Offer a row of buttons and return the chosen value.

    Args:
        options: value in the address → label.
        key: name in the address.
        language: of the labels; another language is another widget, which starts from the address.
        in_menu: the buttons stand in a popover. While it is closed the browser has no such widget, which could follow
            the address; so another widget takes its place.
    """
    widget = f"{key}-{language}"
    if in_menu:
        times = st.session_state.get(_MOVES + key, 0) + address_moved(key)
        st.session_state[_MOVES + key] = times
        widget += f"-{times}" if times else ""
    value = value_of_address(key, options, default)
    choice = st.segmented_control(
        label,
        list(options),
        default=None if _follow(key, widget, value) else value,
        format_func=lambda option: literal(options.get(option, option)),
        key=widget,
        on_change=_write_choice,
        args=(key, widget),
        required=True,
        wrap=True,
    )
    return _keep(key, choice if choice in options else default, default)


def choose_from_list(label: Markdown, options: Mapping[str, str], key: str, language: str) -> str:
    """Offer a drop-down list, for many options, and return the chosen value; the first is the default."""
    values, widget = list(options), f"{key}-{language}"
    value = value_of_address(key, options, values[0])
    choice = st.selectbox(
        label,
        values,
        index=0 if _follow(key, widget, value) else values.index(value),
        format_func=lambda option: options.get(option, option),
        key=widget,
        on_change=_write_choice,
        args=(key, widget),
    )
    return _keep(key, choice if choice in options else values[0], values[0])


def choose_some(
    label: Markdown, options: Mapping[str, str], key: str, default: Sequence[str], language: str
) -> list[str]:
    """Offer several of `options` and return the chosen ones, perhaps none, in the order of the options.

    The address keeps them between commas, and keeps nothing while they are the default.
    """
    written = st.query_params.get(key)
    usual = [value for value in options if value in default]
    values = values_of_address(key, options, default)
    # Other options or another language are another widget, which starts from the address.
    widget = f"{key}-{language}-{hash(tuple(options))}"
    choices = st.multiselect(
        label,
        list(options),
        default=None if _follow(key, widget, values) else values,
        format_func=lambda option: options.get(option, option),
        key=widget,
        on_change=_write_choices,
        args=(key, widget, tuple(options), usual),
    )
    kept = [value for value in options if value in choices]
    if kept == usual:
        st.query_params.pop(key, None)
    elif written != ",".join(kept):
        st.query_params[key] = ",".join(kept)
    settle_address(key)
    return kept


def choose_page(pages: int, content: str) -> int:
    """Offer the page numbers and return that of `?page=`; other content starts from the first page again.

    Args:
        content: identifies what the pages show.
    """
    if st.session_state.setdefault(_PAGED, content) != content:
        st.session_state[_PAGED] = content
        if not address_moved("page"):
            write_address({"page": None})
    numbers = {str(number): "" for number in range(1, pages + 1)}
    value, widget = value_of_address("page", numbers, "1"), f"page-{content}"
    page = st.pagination(pages, default=1 if _follow("page", widget, int(value)) else int(value), key=widget)
    return int(_keep("page", str(page), "1"))


def value_of_address(key: str, options: Collection[str], default: str) -> str:
    """Return the value of `key` in the address, `default` where it is none of the options."""
    value = st.query_params.get(key, default)
    return value if value in options else default


def values_of_address(key: str, options: Iterable[str], default: Sequence[str]) -> list[str]:
    """Return the values of `key` in the address, in the order of the options; where it is missing, the default."""
    written = st.query_params.get(key)
    return [value for value in options if value in (default if written is None else written.split(","))]


def turn_to_value(key: str, value: str) -> None:
    """Write `value` into the address, and let the widget of `key` follow; for callbacks, which run before the page."""
    st.session_state[_RESTED] = True  # even where a run was going on
    st.query_params[key] = value


def _write_choice(key: str, widget: str) -> None:
    # Runs before the page does: its first links, the navigation, already take the new choice along.
    st.query_params[key] = st.session_state[widget]
    settle_address(key)
    if key == "data":
        st.query_params.pop("image", None)  # a picture of the other dataset


def _write_choices(key: str, widget: str, options: Sequence[str], usual: Sequence[str]) -> None:
    # Runs before the page does, whose label of a folded choice tells how many are chosen.
    kept = [value for value in options if value in st.session_state[widget]]
    write_address({key: None if kept == list(usual) else ",".join(kept)})


def _keep(key: str, value: str, default: str) -> str:
    if st.query_params.get(key, default) != value:
        st.query_params[key] = value
    settle_address(key)
    return value


# ---- the address ----

_PAGED, _CLOSED = "paged-content", "closed-over-page"
_SETTLED, _NEVER = "settled-address-", object()
_FOLLOWING, _RESTED = "following-address", "rested"
_MOVES = "moves-of-the-address-"


def link_params() -> dict[str, str]:
    """Return the parameters that links to other pages take along from this address."""
    return {key: st.query_params[key] for key in LINK_PARAMS if key in st.query_params}


def write_address(changes: Mapping[str, str | None]) -> None:
    """Write all changes at once, which is one entry to go back to; None removes a key."""
    before = st.query_params.to_dict()
    after = {key: value for key, value in (before | changes).items() if value is not None}
    if after != before:
        st.query_params.from_dict(after)
    settle_address(*changes)


def open_over_page(key: str, value: str) -> None:
    """Write into the address what a dialog is to show."""
    st.query_params[key] = value
    mark_opened(key)


def close_over_page(key: str) -> None:
    """Take it out of the address again; going back to that address then opens nothing."""
    mark_closed(key)
    st.query_params.pop(key, None)


def over_page(key: str) -> str | None:
    """Return what the dialog of `key` shows; None where there is nothing, or it was closed in this session."""
    return None if was_closed(key) else st.query_params.get(key)


def mark_opened(*keys: str) -> None:
    """Forget that the dialog for these values of `keys` was closed."""
    st.session_state.get(_CLOSED, set()).discard(_values(keys))


def mark_closed(*keys: str) -> None:
    """Remember that the dialog for these values of `keys` was closed in this session."""
    st.session_state.setdefault(_CLOSED, set()).add(_values(keys))


def was_closed(*keys: str) -> bool:
    """Return whether the dialog for these values of `keys` was closed in this session."""
    return _values(keys) in st.session_state.get(_CLOSED, ())


def _values(keys: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    return tuple((key, st.query_params.get(key)) for key in keys)


@contextmanager
def follow_address() -> Iterator[None]:
    """Let the widgets within, but not those in fragments that run later, follow an address that moved at rest.

    A click during a run of the page brings along the address from before the run: that is no going back.
    """
    st.session_state[_FOLLOWING] = st.session_state.get(_RESTED, True)
    st.session_state[_RESTED] = False
    yield
    st.session_state[_FOLLOWING] = False
    st.session_state[_RESTED] = True


def address_moved(*keys: str) -> bool:
    """Return whether the address says otherwise of any of `keys` than when they were last settled.

    It does after going back or forward, and after following a link to this page.
    """
    if not st.session_state.get(_FOLLOWING, True):
        return False
    return any(st.session_state.get(_SETTLED + key, _NEVER) not in (_NEVER, st.query_params.get(key)) for key in keys)


def settle_address(*keys: str) -> None:
    """Record that the page shows what the address says of `keys`."""
    for key in keys:
        st.session_state[_SETTLED + key] = st.query_params.get(key)


def _follow(key: str, widget: str, value: object) -> bool:
    """Move the widget to the value of the address if that moved; a default besides would be one too many."""
    if not address_moved(key) or widget not in st.session_state:
        return False
    st.session_state[widget] = value
    return True


# ---- the choices that several pages share ----


def choose_dataset(say: Say) -> Dataset | None:
    """Offer the datasets and return that of `?data=`; a chip says that it is synthetic, an error that its split leaks.

    Returns:
        None where there is no dataset at all.
    """
    datasets = _list_by_name(say)
    if not datasets:
        return None
    dataset = datasets[choose_from_list(say("data_set"), {name: name for name in datasets}, "data", say.language)]
    if dataset.synthetic:
        mark("synthetic", say("synthetic_data"))
    if dataset.tempered:
        mark("tempered", say("tempered_data"))
    _show_leak(dataset, say)
    return dataset


def turn_to_dataset(name: str) -> None:
    """Let the choice of datasets, offered later in this run, follow to `name`, even in a run that a click began."""
    turn_to({"data": name})


def turn_to(changes: Mapping[str, str]) -> None:
    """Write all changes at once, and let the choices of these keys, offered later in this run, follow to them."""
    st.session_state[_FOLLOWING] = True
    st.query_params.from_dict({**st.query_params.to_dict(), **changes})


def address_dataset() -> Dataset | None:
    """Return the dataset of `?data=` without a word on those that are missing; None where there is no dataset."""
    datasets = {dataset.name: dataset for dataset in offered_datasets(st.query_params.get("data", ""))}
    return datasets[value_of_address("data", datasets, next(iter(datasets)))] if datasets else None


def dataset_of_address(say: Say) -> Dataset | None:
    """Return the dataset of `?data=`, for pages that offer no choice; None where there is no dataset at all."""
    datasets = _list_by_name(say)
    return datasets[value_of_address("data", dict.fromkeys(datasets, ""), next(iter(datasets)))] if datasets else None


def _list_by_name(say: Say) -> dict[str, Dataset]:
    """List the datasets by name, with a message where there are none, or not the one of the address."""
    if damaged := damaged_datasets():
        with notices():
            show_damaged(damaged, say)
    wanted = st.query_params.get("data", "")
    datasets = {dataset.name: dataset for dataset in offered_datasets(wanted)}
    if not datasets or (wanted == NAME and NAME not in datasets):
        with notices():
            being_drawn = show_drawing(say)
            if not datasets and not being_drawn:
                st.warning(say("no_dataset"))
    if datasets and wanted not in ("", *datasets):
        notices().warning(say("other_dataset", shown=next(iter(datasets))), icon=":material/link_off:")
    return datasets


def _show_leak(dataset: Dataset, say: Say) -> None:
    """Show an error where pictures of one split are in another too: figures on such a split are too good."""
    overlap = dataset.parts.get("overlap")
    if isinstance(overlap, dict):
        shares = ", ".join(f"{say.of(OVERLAPS[key])} {100 * share:.1f} %" for key, share in overlap.items())
        notices().error(say("split_leaks", shares=shares), icon=":material/error:")


def choose_condition(say: Say) -> Condition:
    """Offer the conditions and return that of `?condition=`."""
    options = {condition.value: say.of(condition.text) for condition in CONDITIONS}
    return Condition(choose(say("condition"), options, "condition", CONDITIONS[0].value, say.language))


def choose_threshold(say: Say) -> int:
    """Offer the grades, in a menu, and return that of `?threshold=`, from which on a condition counts as present."""
    options = {str(int(grade)): grade_name(grade, say.language) for grade in GRADES[1:]}
    return int(choose(say("threshold"), options, "threshold", str(int(DEFAULT_THRESHOLD)), say.language, in_menu=True))
