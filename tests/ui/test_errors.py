"""What goes wrong is said in words."""

import pytest
from headless import LANGUAGES, texts
from streamlit.testing.v1 import AppTest


def _vanished(language: str) -> None:
    from pathlib import Path

    from ui.errors import errors
    from ui.words import Say

    with errors(Say(language)):
        Path("/nowhere/some-run/manifest.json").stat()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_that_was_removed_meanwhile_is_told(language: str) -> None:
    at = AppTest.from_function(_vanished, args=(language,)).run()
    assert not at.exception
    (said,) = texts(at.error)
    assert "some-run/manifest.json" in said
    assert ("없어졌어요" in said) == (language == "ko")
