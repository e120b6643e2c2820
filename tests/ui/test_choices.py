"""Choices in the address: only what was chosen is written, and widgets follow the way back."""

import pytest
from streamlit.testing.v1 import AppTest
from support.app_driver import assert_healthy


def _choices() -> None:
    import streamlit as st

    from ui.choices import choose, choose_from_list, choose_page, choose_some

    options = {"a": "A", "b": "B", "c": "C"}
    entries = [
        choose("buttons", options, "buttons", "b", "en"),
        choose_from_list("list", options, "list", "en"),
        ",".join(choose_some("some", options, "some", ["a", "b"], "en")),
        str(choose_page(9, "content")),
    ]
    st.write(" ".join(entries))


def opened(**address: str) -> AppTest:
    at = AppTest.from_function(_choices)
    for key, value in address.items():
        at.query_params[key] = value
    return assert_healthy(at.run())


def shown(at: AppTest) -> str:
    return str(at.markdown[0].value)


def test_defaults_are_not_written_into_the_address() -> None:
    at = opened()
    assert shown(at) == "b a a,b 1"
    assert not at.query_params


def test_what_is_chosen_is_written() -> None:
    at = opened()
    at.button_group(key="buttons-en").set_value("c").run()
    at.selectbox(key="list-en").select("b").run()
    at.multiselect[0].unselect("a").run()
    assert shown(at) == "c b b 1"
    assert dict(at.query_params) == {"buttons": "c", "list": "b", "some": "b"}


def test_default_is_written_once_after_going_back() -> None:
    at = opened(buttons="c")
    at.button_group(key="buttons-en").set_value("b").run()
    assert shown(at).startswith("b ")
    assert at.query_params["buttons"] == "b"


@pytest.mark.parametrize("value", ["", "z", "a,b", "nan", "\0"])
def test_what_cannot_be_chosen_is_put_right(value: str) -> None:
    at = opened(buttons=value, list=value, page=value)
    assert shown(at).startswith("b a ")
    assert shown(at).endswith(" 1")


def test_widgets_follow_address_that_changed_behind_their_backs() -> None:
    at = opened(buttons="c", list="b", some="c", page="4")
    assert shown(at) == "c b c 4"
    at.button_group(key="buttons-en").set_value("a").run()
    assert shown(at) == "a b c 4"
    for key in tuple(at.query_params):  # the browser goes back to where nothing was chosen
        del at.query_params[key]
    assert shown(assert_healthy(at.run())) == "b a a,b 1"
    assert not at.query_params
    for key, value in {"buttons": "a", "list": "c", "some": "a,c", "page": "9"}.items():  # and forward
        at.query_params[key] = value
    assert shown(assert_healthy(at.run())) == "a c a,c 9"
    at.selectbox(key="list-en").select("b").run()  # from there on they are widgets as ever
    assert shown(at) == "a b a,c 9"


def _page() -> None:
    import streamlit as st

    from ui.choices import choose, follow_address

    with follow_address():
        selected = choose("buttons", {"a": "A", "b": "B"}, "buttons", "a", "en")
        st.write(selected)
        if st.session_state.pop("interrupted", False):
            st.stop()


def test_old_address_after_quick_click_is_ignored() -> None:
    at = AppTest.from_function(_page).run()
    at.session_state["interrupted"] = True
    at.button_group(key="buttons-en").set_value("b").run()
    del at.query_params["buttons"]  # the next click, elsewhere, left before the answer to this one came
    assert shown(assert_healthy(at.run())) == "b"
    assert at.query_params["buttons"] == "b"
    del at.query_params["buttons"]  # at rest it is
    assert shown(assert_healthy(at.run())) == "a"
