"""The dashboard below a base path, in a real browser on a real server."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from conftest import Trained, until
from playwright.sync_api import Browser, expect
from support.browser import Server, open_visitor
from support.rest_server import free_port

from ui.words import Say

pytestmark = pytest.mark.browser
BASE = "/lab/scalp"


@pytest.fixture
def server(trained: Trained, tmp_path: Path) -> Iterator[Server]:
    shutil.copytree(trained.run.folder.parent, tmp_path / "artifacts")
    environment = {"SCALP_BASE_PATH": BASE}
    made = Server(trained.dataset.folder.parent, tmp_path / "artifacts", tmp_path / "log.txt", free_port(), environment)
    made.start()
    until(lambda: httpx.get(f"{made.address}{BASE}/api/ready", timeout=60).status_code == 200, 120)
    yield made
    made.kill()
    assert "Traceback" not in made.log.read_text()


def test_pages_pictures_and_downloads_lie_below_it(chromium: Browser, server: Server, trained: Trained) -> None:
    """No address above it is asked for, which the visitor counts as foreign."""
    say = Say("en")
    with open_visitor(chromium, server.address + BASE) as visitor:
        visitor.go("/Dataset?lang=en")
        wall = visitor.gallery("wall").first.locator("img")
        expect(wall).to_have_js_property("complete", True)
        assert wall.evaluate("image => image.naturalWidth") > 0

        visitor.tab.get_by_test_id("stSidebar").get_by_role("link", name=say("page_diagnose")).click()
        visitor.tab.wait_for_url(f"{server.address}{BASE}/Diagnose*")
        visitor.settle()
        picture = {"name": "scalp.jpg", "mimeType": "image/jpeg", "buffer": trained.picture}
        visitor.tab.locator('input[type="file"]').set_input_files(picture)  # type: ignore[arg-type]
        visitor.tab.get_by_test_id("stPopover").get_by_role("button", name="Download").click()
        with visitor.tab.expect_download() as waiting:
            visitor.tab.get_by_role("button", name="JSON").click()
        assert json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))["value_1"]

        visitor.tab.reload()
        visitor.settle()
        expect(visitor.tab.locator("h1")).to_have_text(say("title_diagnose"))
        visitor.tab.goto(f"{server.address}{BASE}/api/docs")
        expect(visitor.tab.get_by_text("/api/predict_all").first).to_be_visible()
