"""The log-in at a provider: a real server, a real browser, and a provider of this machine."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
import streamlit as st
from conftest import ROOT, Folders
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest
from support.app_driver import open_page, page_text, texts
from support.browser import Server, Visitor, open_visitor
from support.identity_provider import CLIENT, SECRET, IdentityProvider, identity_provider
from support.rest_server import free_port

from scalp_core.data.dataset import Dataset
from scalp_core.data.thumbnails import address
from ui import login
from ui.shell import PAGES
from ui.words import Say

USERS = "kim@example.com, @lab.example.com"
KIM = {"sub": "1", "email": "Kim@Example.com", "email_verified": True}
PARK = {"sub": "2", "email": "park@example.com", "email_verified": True}
HOSTILE = "<b>[x](javascript:alert(1))</b>"


def documented() -> dict[str, str]:
    """Return the settings that the guide shows."""
    guide = (ROOT / "docs" / "guide" / "access.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    settings: dict[str, str] = tomllib.loads(block)["auth"]
    return settings


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as running:
        yield running


@pytest.fixture
def server(provider: IdentityProvider, tiny: Dataset, tmp_path: Path) -> Iterator[Server]:
    made = Server(tiny.folder.parent, tmp_path / "artifacts", tmp_path / "log.txt", free_port())
    settings = documented() | {
        "redirect_uri": f"{made.address}/oauth2callback",
        "cookie_secret": "at-least-thirty-two-characters-long",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "server_metadata_url": f"{provider.address}/.well-known/openid-configuration",
    }
    assert settings.keys() == documented().keys()
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    secrets.write_text("\n".join(["[auth]", *lines]), encoding="utf-8")
    made.environment = {"HOME": str(tmp_path), "SCALP_ALLOWED_USERS": USERS}
    made.start()
    yield made
    made.kill()
    assert "Traceback" not in made.log.read_text()


def log_in(visitor: Visitor) -> None:
    visitor.tab.get_by_role("button", name="Log in").click()
    visitor.tab.get_by_role("button", name="Log out").wait_for()
    visitor.settle()


def log_out(visitor: Visitor) -> None:
    visitor.tab.get_by_role("button", name="Log out").click()
    visitor.tab.get_by_role("button", name="Log in").wait_for()
    visitor.settle()


@pytest.mark.browser
def test_login_at_a_provider(chromium: Browser, server: Server, provider: IdentityProvider, tiny: Dataset) -> None:
    picture = f"{server.address}/{address(tiny, 3)}"
    closed = (picture, f"{server.address}/media/nothing.png", f"{server.address}/thumbnails/tiny/3-00000000.webp")
    assert [httpx.get(path).status_code for path in closed] == [401] * 3
    assert httpx.get(f"{server.address}/api/models").status_code == 401
    assert httpx.get(picture, cookies={"_streamlit_user": "forged"}).status_code == 401
    with open_visitor(chromium, server.address) as visitor:
        received: list[str | bytes] = []
        visitor.tab.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(frame)))

        def assert_closed() -> None:
            """The page, its WebSocket and the cookies show nothing of the dataset."""
            received.clear()
            visitor.go("/Dataset?lang=en")
            assert visitor.tab.locator("h1").all_inner_texts() == ["Log in"]
            expect(visitor.tab.get_by_test_id("stPageLink")).to_have_count(0)
            words = b"".join(frame if isinstance(frame, bytes) else frame.encode() for frame in received)
            assert b"Log in" in words
            assert b"tiny" not in words
            assert fetch(picture) == 401

        def fetch(path: str) -> int:
            status: int = visitor.tab.evaluate("async (path) => (await fetch(path)).status", path)
            return status

        assert_closed()
        provider.account = PARK
        log_in(visitor)
        expect(visitor.tab.get_by_text("This account may not use this server.")).to_be_visible()
        assert_closed()

        log_out(visitor)
        provider.account = KIM
        log_in(visitor)
        visitor.go("/Dataset?lang=en")
        expect(visitor.tab.get_by_test_id("stSidebar").get_by_text(KIM["email"], exact=True)).to_be_visible()
        expect(visitor.gallery("wall").first.locator("img")).to_have_js_property("complete", True)
        assert visitor.gallery("wall").first.locator("img").evaluate("image => image.naturalWidth") > 0
        assert b"tiny" in b"".join(frame for frame in received if isinstance(frame, bytes))
        assert [fetch(path) for path in closed] == [200, 404, 404]

        log_out(visitor)
        assert_closed()
        assert provider.logouts == 2
        assert all(url.startswith(provider.address) for url in visitor.foreign)
        visitor.foreign.clear()
        # The browser writes every refused picture down.
        visitor.errors = [error for error in visitor.errors if "401" not in error and "404" not in error]


def lines_of(at: AppTest) -> set[str]:
    return set(page_text(at).splitlines())


@pytest.mark.parametrize("name", PAGES)
def test_no_page_without_the_login(folders: Folders, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("SCALP_ALLOWED_USERS", USERS)
    say = Say("ko")
    at = open_page(name, "ko")
    assert texts(at.title) == [say("login_title")]
    assert lines_of(at) == {say("login_needed"), say("research_only")}
    assert [button.label for button in at.button] == [say("login_title")]
    at.user = {"is_logged_in": True, "email": HOSTILE}
    at.run()
    assert lines_of(at) == {say("login_refused"), say("research_only")}
    assert texts(at.sidebar.text) == [HOSTILE]
    assert [button.label for button in at.button] == [say("logout")]
    at.user = {"is_logged_in": True, "email": KIM["email"]}
    at.run()
    assert texts(at.title) == [say(f"title_{name}")]
    assert texts(at.sidebar.text) == [KIM["email"]]


WHOLE = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "at-least-thirty-two-characters-long",
    "client_id": CLIENT,
    "client_secret": SECRET,
    "server_metadata_url": "http://localhost:1/.well-known/openid-configuration",
}
SHARED = {name: WHOLE[name] for name in ("redirect_uri", "cookie_secret")}
OWN = {name: value for name, value in WHOLE.items() if name not in SHARED}


@pytest.mark.parametrize(
    ("users", "section", "problem"),
    [
        ("", {}, None),
        ("*", WHOLE, None),
        ("*", SHARED | {"google": OWN, "okta": OWN}, None),
        ("*", {}, "no section [auth]"),
        ("", WHOLE, "set SCALP_ALLOWED_USERS"),
        ("*", SHARED, "are missing the following keys"),
        ("*", OWN, 'missing the "redirect_uri" key'),
        ("*", SHARED | {"google": OWN, "okta": {"client_id": "1"}}, 'provider "okta" are missing'),
        ("*", WHOLE | {"cookie_secret": "short"}, "cookie_secret has fewer than 16 characters"),
    ],
)
def test_half_a_login_does_not_start(
    monkeypatch: pytest.MonkeyPatch, users: str, section: dict[str, object], problem: str | None
) -> None:
    monkeypatch.setenv("SCALP_ALLOWED_USERS", users)
    monkeypatch.setattr(st.secrets, "_secrets", {"auth": section} if section else {})
    monkeypatch.setattr(login, "is_authlib_installed", lambda: True)
    if problem is None:
        login.check_login()
        return
    with pytest.raises(SystemExit, match=re.escape(problem)):
        login.check_login()


def test_login_does_not_start_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_ALLOWED_USERS", "*")
    monkeypatch.setattr(st.secrets, "_secrets", {"auth": WHOLE})
    monkeypatch.setattr(login, "is_authlib_installed", lambda: False)
    with pytest.raises(SystemExit, match="Authlib"):
        login.check_login()


def test_secrets_that_cannot_be_read_do_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text("[auth\n", encoding="utf-8")
    st_get = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: [str(file)] if name == "secrets.files" else st_get(name))
    monkeypatch.setattr("streamlit.config.get_option", st.get_option)
    with pytest.raises(SystemExit, match="Error parsing secrets file"):
        login.check_login()


def test_every_provider_has_a_button(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st.secrets, "_secrets", {"auth": SHARED | {"google": OWN, "okta": OWN}})
    at = open_page("home")
    assert [button.label for button in at.button] == ["Log in with google", "Log in with okta"]
    at.user = {"is_logged_in": True, "email": KIM["email"]}
    at.run()
    assert Say("en")("login_refused") in lines_of(at), "no user is allowed where none is listed"
