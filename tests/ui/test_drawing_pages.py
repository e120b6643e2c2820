"""Pages while the demonstration is drawn beside the server: what is happening, why it cannot be, and its end."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from conftest import Folders, until
from playwright.sync_api import Browser
from support.app_driver import LANGUAGES, open_page, page_text, texts
from support.browser import Server, open_visitor, started
from support.core_processes import drawers
from support.privileges import bound_by_modes
from support.rest_server import free_port

from scalp_core.data.dataset import Dataset, is_claimed, open_dataset
from scalp_core.synthetic.demonstration import drawing
from ui.words import Say

IMAGES = 48  # pictures, which take a second or two


@pytest.fixture
def images(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A demonstration that is drawn, and no process that outlives the test."""
    monkeypatch.setenv("SCALP_DEMO_IMAGES", str(IMAGES))
    yield monkeypatch
    shutil.rmtree(folders.data, ignore_errors=True)
    until(lambda: not drawers(folders.data))


@contextmanager
def halted(data: Path) -> Iterator[None]:
    """Stop the drawing after its first pictures, so that pages find it under way; the process lives on."""
    until(lambda: (state := drawing()) is not None and state.done > 0)
    numbers = drawers(data)
    for number in numbers:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in numbers:
            with suppress(ProcessLookupError):  # the test killed it
                os.kill(number, signal.SIGCONT)


def test_pages_say_how_far_it_is(folders: Folders, images: pytest.MonkeyPatch) -> None:
    open_page("home")  # a look begins what is missing
    with halted(folders.data):
        for language in LANGUAGES:
            say = Say(language)
            for page in ("home", "dataset", "compare", "diagnose"):
                at = open_page(page, language, source="example", data="demo")
                assert not at.exception, page
                (bar,) = at.get("progress")
                assert re.match(rf"{say('drawing')} · \d+ / {IMAGES}", bar.proto.text), page
                assert say("no_dataset") not in page_text(at), page
            assert say("retrain_waits") in texts(at.sidebar.caption)
        assert len(drawers(folders.data)) == 1
    until(lambda: drawing() is None)
    at = open_page("dataset")
    assert not at.get("progress")
    assert at.selectbox[0].value == "demo"
    assert open_dataset("demo").images == IMAGES


def test_other_pictures_need_no_demonstration(tiny: Dataset, images: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = shutil.copytree(tiny.folder.parent, tmp_path / "own")
    images.setenv("SCALP_DATA", str(data))
    data.chmod(0o555)
    try:
        with bound_by_modes():
            at = open_page("home")
    finally:
        data.chmod(0o755)
    assert not at.exception
    assert "cannot be written" not in page_text(at)
    assert not drawers(data)


def test_closed_folder_is_named(folders: Folders, images: pytest.MonkeyPatch) -> None:
    folders.data.chmod(0o555)
    try:
        with bound_by_modes():
            at = open_page("home", "ko")
    finally:
        folders.data.chmod(0o755)
    assert not at.exception
    (message,) = [text for text in texts(at.error) if "쓸 수 없어요" in text]
    assert "SCALP_DATA" in message


def test_read_only_server_names_the_command(folders: Folders, images: pytest.MonkeyPatch) -> None:
    images.setenv("SCALP_READ_ONLY", "1")
    for page in ("home", "dataset", "compare"):
        at = open_page(page)
        assert Say("en")("drawing_read_only") in texts(at.info)
    assert not drawers(folders.data)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as chromium:
        yield chromium


@pytest.mark.browser
def test_open_page_turns_to_the_pictures(browser: Browser, images: pytest.MonkeyPatch, folders: Folders) -> None:
    server = Server(folders.data, folders.artifacts, folders.data.parent / "log.txt", free_port())
    try:
        with ThreadPoolExecutor() as pool, ExitStack() as stack:
            starting = pool.submit(server.start)
            stack.enter_context(halted(folders.data))  # it might end before a slow machine has shown the page
            starting.result()
            visitor = stack.enter_context(open_visitor(browser, server.address))
            visitor.go("/Dataset?lang=en")
            visitor.tab.get_by_text("Drawing the demonstration pictures ·").first.wait_for()
            for number in drawers(folders.data):
                os.kill(number, signal.SIGKILL)
            until(lambda: not is_claimed("demo"))
            visitor.tab.get_by_text(f"{IMAGES} pictures").first.wait_for()  # after the time that a new process has
    finally:
        server.kill()
