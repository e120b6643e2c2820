"""Messages to the reader: errors and toasts."""

from streamlit.testing.v1 import AppTest
from support.app_driver import texts


def _raise_file_not_found(language: str) -> None:
    from pathlib import Path

    from ui.feedback import errors
    from ui.words import Say

    with errors(Say(language)):
        Path("/nowhere/some-run/manifest.json").stat()


def test_errors_names_the_file_that_is_gone() -> None:
    at = AppTest.from_function(_raise_file_not_found, args=("ko",)).run()
    assert not at.exception
    (message,) = texts(at.error)
    assert "some-run/manifest.json" in message
    assert "없어졌어요" in message


def _toast_and_rerun() -> None:
    import streamlit as st

    from ui.feedback import show_pending_toast, toast_after_rerun

    show_pending_toast()
    if st.button("Save"):
        toast_after_rerun("Saved")
        st.rerun()


def test_toast_shows_once_after_the_rerun() -> None:
    at = AppTest.from_function(_toast_and_rerun).run()
    at.button[0].click().run()
    assert [toast.value for toast in at.toast] == ["Saved"]
    assert not at.run().toast
