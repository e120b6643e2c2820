"""A real server and a real Chromium for the tests that are marked `browser`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import pytest
from conftest import ROOT, until
from playwright.sync_api import Browser, BrowserType, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A camera that shows a test pattern, and no question whether a page may use it.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
DESKTOP = {"width": 1280, "height": 900}  # pixels
# Motion would be drawn 60 times a second while a page works, which costs as much as all else: as for readers who ask
# their system for little of it.
_PREFERENCES = {"locale": "en-US", "viewport": DESKTOP, "color_scheme": "light", "reduced_motion": "reduce"}
PATIENCE = 120_000  # ms; the machine may be training

# A page that was just clicked is at rest until the server's first word comes. So the document is marked as asking from
# a click or key on, and longer from what is sent, until the script runs, or until it is clear that it will not.
_ASKING = """
const asking = (ms) => {
  clearTimeout(window.asked)
  document.documentElement?.setAttribute("data-asking", "")
  window.asked = setTimeout(answered, ms)
}
const answered = () => document.documentElement?.removeAttribute("data-asking")
for (const kind of ["click", "keydown", "change"]) addEventListener(kind, () => asking(200), true)
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (data) { asking(5000); return send.call(this, data) }
new MutationObserver((changes) => {
  if (changes.some(({ target }) => target.dataset.testScriptState === "running")) {
    clearTimeout(window.asked)
    answered()
  }
}).observe(document, { subtree: true, attributeFilter: ["data-test-script-state"] })
"""


def chromium() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def launch(kind: BrowserType, program: str, *flags: str) -> Browser:
    return kind.launch(executable_path=program, args=[*FLAGS, *flags])


@contextmanager
def started() -> Iterator[Browser]:
    """A Chromium for the tests of a module; they are skipped with a reason where there is none."""
    program = chromium()
    if program is None:
        reason = f"no Chromium on this machine (looked for {', '.join(NAMES)})"
        if os.environ.get("SCALP_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium, program)
        yield browser
        browser.close()


_CLIENT = httpx.Client()  # one for all questions: each reads the authorities anew, which takes longer than an answer


@dataclass
class Server:
    """`python serve.py` on a free port, with folders of its own."""

    data: Path
    artifacts: Path
    log: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ,
            "SCALP_DATA": str(self.data),
            "SCALP_ARTIFACTS": str(self.artifacts),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "serve.py"], cwd=ROOT, env=environment, stdout=out, stderr=out
            )
        until(lambda: self._ended() or self.says("health"), 120)
        assert not self._ended(), self.log.read_text()

    def kill(self) -> None:
        """End the server with SIGKILL, as the kernel does."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def says(self, word: str) -> bool:
        """`/api/health`: it answers. `/api/ready`: with a model."""
        try:
            return _CLIENT.get(f"{self.address}/api/{word}").status_code == 200
        except httpx.TransportError:
            return False


@dataclass
class Visitor:
    """One tab, and what it saw that it should not have seen."""

    tab: Page
    address: str
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tab.set_default_timeout(PATIENCE)
        self.tab.set_default_navigation_timeout(PATIENCE)
        self.tab.on("request", lambda request: self._request(request.url))
        self.tab.on("websocket", lambda socket: self._request(socket.url))
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda message: self._console(message.type, message.text, message.location["url"]))

    def _request(self, url: str) -> None:
        own = (self.address + "/", self.address.replace("http", "ws", 1) + "/", "data:", "blob:")
        if not url.startswith(own):
            self.foreign.append(url)

    def _console(self, kind: str, text: str, url: str) -> None:
        if kind == "error" or text.startswith("WARN "):  # so Vega begins what is wrong with a chart
            self.errors.append(f"{text} {url}")

    def begin_anew(self) -> None:
        """Make the tab like a new one, which costs a process and reading Streamlit's scripts again."""
        if self.tab.url.startswith(self.address):
            self.tab.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
        self.tab.goto("about:blank")
        self.tab.context.clear_cookies()
        tools = self.tab.context.new_cdp_session(self.tab)
        tools.send("Page.resetNavigationHistory")
        tools.detach()
        self.tab.mouse.move(0, 0)
        self.look(DESKTOP, "light")
        self.foreign.clear()
        self.errors.clear()

    def look(self, size: dict[str, int], scheme: str) -> None:
        """Turn to a screen of this size whose system asks for a light or dark page."""
        self.tab.set_viewport_size(size)  # type: ignore[arg-type]
        self.tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    def assert_nothing_amiss(self) -> None:
        """Nothing foreign was asked for and no error was written."""
        assert not self.foreign, self.foreign
        assert not self.errors, self.errors

    def go(self, path: str) -> None:
        self.tab.goto(self.address + path)
        self.settle()

    def settle(self) -> None:
        """Wait until the page is drawn and its script at rest."""
        self.tab.locator("h1").first.wait_for()
        self.tab.locator(
            'html:not([data-asking]) [data-testid="stApp"][data-test-script-state="notRunning"]'
        ).wait_for()

    def choose(self, combobox: Locator, option: str | re.Pattern[str]) -> None:
        """By keyboard: a click that has to scroll first closes the list again."""
        wanted = self.tab.get_by_role("option", name=option)
        for _ in range(6):
            self.settle()  # a list drawn anew between pressing and releasing the button takes no click
            combobox.focus()
            self.tab.keyboard.press("ArrowDown")
            try:
                wanted.click(timeout=20_000)
            except PlaywrightTimeout:  # the page was just being drawn anew, which closes the list
                combobox.blur()
                continue
            return
        wanted.click()

    def gallery(self, key: str) -> Locator:
        return self.tab.locator(f".st-key-{key} .wall button")


@contextmanager
def open_visitor(browser: Browser, address: str, **options: object) -> Iterator[Visitor]:
    """A visitor with a fresh profile; on leaving, nothing foreign was asked for and no error was written."""
    context = browser.new_context(**(_PREFERENCES | options))  # type: ignore[arg-type]
    context.add_init_script(_ASKING)
    try:
        visitor = Visitor(context.new_page(), address)
        yield visitor
        visitor.assert_nothing_amiss()
    finally:
        context.close()
