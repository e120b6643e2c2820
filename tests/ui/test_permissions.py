"""The token and the read-only mode on the pages: what may change something, and clicks that a browser forged."""

import ast
import re
from typing import Any

import pytest
from conftest import ROOT, Folders, Trained
from streamlit.testing.v1 import AppTest
from support.app_driver import LANGUAGES, open_page, page_text, texts

from scalp_core.data.dataset import Dataset
from scalp_core.runs.champions import champions
from scalp_core.runs.store import list_runs
from ui.words import Say

TOKEN = "correct-horse-battery"  # noqa: S105
# Buttons that change what this session shows, and nothing that others see.
OWN_VIEW = {"lab-cost", "lab-to-optimum", "lab-to-stored", "insist", "upload_let_go", "filters_clear"}
OWN_VIEW |= {"login-", "logout", "retrain_result_close", "delete-keep"}


def shares_nothing(call: ast.Call) -> bool:
    return any(name in ast.unparse(call) for name in OWN_VIEW)


def test_every_button_that_changes_something_asks_for_permission() -> None:
    plain = []
    for path in [ROOT / "Home.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "ui").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_button = isinstance(node, ast.Call) and re.search(
                r"\b(button|form_submit_button)$", ast.unparse(node.func)
            )
            if is_button and "change_" not in ast.unparse(node.func) and not shares_nothing(node):
                plain.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)[:60]}")
    assert [button for button in plain if not button.startswith("ui/access.py")] == []


def forge_click(button: Any) -> AppTest:
    """Click as a browser can that ignores what is disabled."""
    button.proto.disabled = False
    at: AppTest = button.click().run()
    return at


def start(at: AppTest) -> AppTest:
    return forge_click(at.sidebar.button(key="retrain_start"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_changed_in_read_only_mode(
    tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("SCALP_READ_ONLY", "1")
    at = start(open_page("home", language))
    assert not at.exception
    assert at.sidebar.button(key="retrain_start").disabled
    assert Say(language)("access_read_only") in texts(at.sidebar.caption)
    assert list_runs() == []
    assert not [field for field in at.sidebar.text_input if field.key == "access-token"]


def test_token_opens_the_session_that_gives_it(
    tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scalp_core.runs.worker.ensure", lambda: None)
    monkeypatch.setenv("SCALP_TOKEN", TOKEN)
    say = Say("en")
    at = start(open_page("home"))
    assert at.sidebar.button(key="retrain_start").disabled
    assert list_runs() == []

    at = at.sidebar.text_input(key="access-token").set_value(TOKEN[:-1]).run()
    assert say("access_wrong") in texts(at.sidebar.error)
    assert list_runs() == []
    at = at.sidebar.text_input(key="access-token").set_value(TOKEN).run()
    assert not at.sidebar.button(key="retrain_start").disabled
    assert TOKEN not in page_text(at)
    start(at)
    assert len(list_runs()) == 1
    assert open_page("home").sidebar.button(key="retrain_start").disabled, "another session has shown nothing"


def test_a_forged_promotion_counts_for_nothing(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_READ_ONLY", "1")
    before = champions()
    at = open_page("compare", view="best", data="tiny")
    for button in at.main.button:
        if str(button.key).startswith(("promote", "unpin")):
            assert button.disabled
            at = forge_click(button)
    assert not at.exception
    assert champions() == before


def test_import_is_explained_where_pages_may_not(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCALP_IMPORT_FROM")
    for language in LANGUAGES:
        at = open_page("dataset", language, view="import")
        assert not at.exception
        assert Say(language)("import_not_here").replace("`", "") in page_text(at).replace("`", "")
        assert not [field for field in at.main.text_input if field.key == "import_source"]


def test_home_warns_where_others_can_change_things(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    say = Say("en")
    assert say("access_exposed") not in texts(open_page("home").warning)
    address, st_get = "0.0.0.0", st.get_option  # noqa: S104
    monkeypatch.setattr(st, "get_option", lambda name: address if name == "server.address" else st_get(name))
    assert say("access_exposed") in texts(open_page("home").warning)
    monkeypatch.setenv("SCALP_TOKEN", TOKEN)
    assert say("access_exposed") not in texts(open_page("home").warning)
