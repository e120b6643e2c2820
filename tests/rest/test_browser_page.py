"""The test page: built of its sources, in the product's words and colours, and used in a real browser."""

import gzip
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT, Trained
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Locator, expect
from support import browser as chrome
from support.browser import Visitor, open_visitor
from support.rest_client import assert_error_response
from support.rest_server import serving

from scalp_core import palette, terms
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.rest import app

SOURCES, BUILT = ROOT / "testpage", ROOT / "scalp_core" / "rest" / "test_page"
WORDS = json.loads((SOURCES / "src" / "words.json").read_text(encoding="utf-8"))
CODE = "".join(path.read_text(encoding="utf-8") for path in sorted((SOURCES / "src").glob("*.[vj][us]*")))
LARGEST = 150_000  # bytes, compressed, of all that a browser loads
TOKEN = "a token of this test"  # noqa: S105
PHONE = {"width": 400, "height": 900}  # pixels


def digests(folder: Path, below: str) -> dict[str, str]:
    """The hashes of the files in a folder and in one of its folders, as the build writes them down."""
    paths = [path for path in [*folder.iterdir(), *(folder / below).iterdir()] if path.is_file()]
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in paths}


# The files.


def test_built_files_are_those_of_the_sources() -> None:
    written = json.loads((BUILT / "build.json").read_text(encoding="utf-8"))
    remedy = "build the page anew: make testpage"
    assert written["sources"] == digests(SOURCES, "src"), remedy
    built = digests(BUILT, "test")
    del built["build.json"]
    assert written["built"] == built, remedy


def test_page_is_small() -> None:
    loaded = [BUILT / "index.html", *(BUILT / "test").iterdir()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in loaded) < LARGEST


def test_packages_come_from_the_ordinary_registry() -> None:
    packages = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    del packages[""]  # the page itself
    fetched = [package for package in packages.values() if not package.get("inBundle")]  # by itself, not in another
    assert {package["resolved"].split("/")[2] for package in fetched} == {"registry.npmjs.org"}
    assert all(package["integrity"].startswith("sha512-") for package in fetched)


def test_words_are_the_products() -> None:
    shared = {"research_only": terms.RESEARCH_ONLY, "synthetic_model": terms.SYNTHETIC_MODEL}
    shared |= {condition.value: condition.text for condition in CONDITIONS}
    shared |= {f"grade_{grade:d}": grade.text for grade in GRADES}
    assert {key: (WORDS[key]["en"], WORDS[key]["ko"]) for key in shared} == shared


def test_words_are_in_both_languages_and_used() -> None:
    same = {"status"}  # has no words
    for key, text in WORDS.items():
        assert list(text) == ["en", "ko"]
        assert re.findall(r"\{\w+\}", text["en"]) == re.findall(r"\{\w+\}", text["ko"]), key
        assert key in same or re.search("[가-힣]", text["ko"]), key
        assert not re.search("[가-힣]", text["en"]), key
        claims = re.search("diagnos|진단|처방|치료|prescri|patient|환자", "".join(text.values()), re.IGNORECASE)
        assert key == "research_only" or not claims, key
    used = set(re.findall(r"""["'](\w+)["']""", CODE)) | {
        f"{card}_{part}" for card in ("all", "single") for part in ("title", "note")
    }
    assert set(WORDS) <= used | {f"grade_{grade:d}" for grade in GRADES}


def test_colours_are_the_products() -> None:
    style = (SOURCES / "src" / "style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--color-([\w-]+): ([^;]+);", style))
    assert tuple(colours[f"grade-{grade:d}"] for grade in GRADES) == palette.SEVERITY_COLORS
    assert colours["outline"] == palette.OUTLINE
    assert colours["error"] == palette.FINDING_COLORS["error"]
    theme = (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    frame = (ROOT / "ui" / "components" / "frame.css").read_text(encoding="utf-8")
    for name, setting in (
        ("page", "background"),
        ("panel", "secondaryBackground"),
        ("ink", "text"),
        ("primary", "primary"),
    ):
        assert re.findall("#[0-9a-f]{6}", colours[name]) == re.findall(
            rf'^{setting}Color = "(#\w+)"', theme, re.MULTILINE
        )
    assert f"background: {colours['notice']}; color: {colours['on-notice']};" in frame


# The addresses.


def test_page_lets_in_nothing_from_elsewhere() -> None:
    client = TestClient(app.application(), base_url="http://localhost:8501")
    page = client.get("/test")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "'self'" in policy
    assert page.headers["cache-control"] == "no-cache"
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) == 3
    for address in addresses:
        assert address.startswith(("./test/", "data:")), "relative, for a server below another path"
    assert "<style" not in page.text
    assert " style=" not in page.text
    for address in addresses[1:]:
        file = client.get(address.removeprefix("."))
        assert file.headers["content-type"].split(";")[0] in ("text/javascript", "text/css")
        assert "immutable" in file.headers["cache-control"]
    for address in ("/test/", "/test/nothing.js", "/test/../build.json", "/test/%2e%2e/build.json"):
        assert_error_response(client.get(address), 404, "not_found")


# In the browser.


@pytest.fixture(scope="module")
def address(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """REST alone, which asks for a token."""
    log = tmp_path_factory.mktemp("page") / "log.txt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_TOKEN", TOKEN)
        with serving(log) as (_, address):
            yield address


@pytest.fixture
def visitor(chromium: Browser, address: str) -> Iterator[Visitor]:
    with open_visitor(chromium, address) as made:
        yield made


def open_page(visitor: Visitor, language: str = "en", token: str = TOKEN) -> None:
    visitor.tab.goto(f"{visitor.address}/test?lang={language}")
    visitor.tab.get_by_label(WORDS["token"][language], exact=True).fill(token)


def card(visitor: Visitor, name: str, language: str = "en") -> Locator:
    return visitor.tab.get_by_role("region", name=WORDS[f"{name}_title"][language], exact=True)


def upload(part: Locator, content: bytes, language: str = "en") -> None:
    file = {"name": "scalp.jpg", "mimeType": "image/jpeg", "buffer": content}
    part.get_by_label(WORDS["file"][language]).set_input_files(file)  # type: ignore[arg-type]
    part.get_by_role("button", name=WORDS["upload"][language]).click()


def answer_in(part: Locator, language: str = "en") -> dict[str, list[dict[str, object]]]:
    """The JSON that the card shows, once it is there."""
    block = part.get_by_role("group", name=WORDS["answer"][language])
    expect(block).to_contain_text("research_only")
    answer: dict[str, list[dict[str, object]]] = json.loads(block.text_content() or "")
    return answer


def assert_can_be_read(visitor: Visitor, *schemes: str) -> None:
    """On a desktop and on a phone, in the first and second of these schemes: nothing is wider than the page, and
    axe-core finds nothing.
    """
    for size, scheme in zip((chrome.DESKTOP, PHONE), schemes, strict=True):
        visitor.look(size, scheme)
        assert visitor.tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        findings = Axe().run(visitor.tab).response["violations"]
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in findings] == [], scheme


def expect_refusal(visitor: Visitor, status: int) -> None:
    """The browser writes every answer of an error to its console."""
    (error,) = visitor.errors
    assert f"status of {status}" in error
    visitor.errors.clear()


@pytest.mark.browser
def test_all_classes_of_a_picture_are_drawn(visitor: Visitor, trained: Trained) -> None:
    open_page(visitor)
    everything = card(visitor, "all")
    upload(everything, trained.picture)
    answer = answer_in(everything)
    rows = everything.get_by_role("list", name=WORDS["grades"]["en"], exact=True).locator("> li")
    expect(rows).to_have_count(6)
    for condition, row in zip(CONDITIONS, rows.all(), strict=True):
        grade = answer[condition.value][0]["pr_num"]
        expect(row).to_contain_text(condition.text.en)
        expect(row.locator("span").nth(1)).to_have_text(GRADES[int(str(grade))].text.en)
    expect(everything).to_contain_text(re.compile(r"HTTP 200 · \d+ ms"))
    expect(everything).to_contain_text(terms.SYNTHETIC_MODEL.en)
    expect(everything.get_by_role("status").last).to_contain_text("fine scaling: ")
    expect(visitor.tab.get_by_text(terms.RESEARCH_ONLY.en)).to_be_visible()
    assert_can_be_read(visitor, "light", "dark")


@pytest.mark.browser
def test_single_class_in_korean_and_its_request_as_code(visitor: Visitor, trained: Trained, tmp_path: Path) -> None:
    open_page(visitor, "ko")
    single = card(visitor, "single", "ko")
    single.get_by_label(WORDS["condition"]["ko"]).select_option("4")
    upload(single, trained.picture, "ko")
    answer = answer_in(single, "ko")
    assert answer["value_4"]
    assert "value_1" not in answer
    rows = single.get_by_role("list", name=WORDS["grades"]["ko"], exact=True).locator("> li")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("모낭홍반/농포")
    expect(visitor.tab.get_by_text(terms.RESEARCH_ONLY.ko)).to_be_visible()
    assert visitor.tab.evaluate("document.documentElement.lang") == "ko"
    assert_can_be_read(visitor, "dark", "light")
    visitor.look(chrome.DESKTOP, "light")
    code = single.get_by_role("group", name=WORDS["request"]["ko"])
    for client, word in (("Python (requests)", "requests.post("), ("axios", "axios.post(")):
        single.get_by_role("button", name=client).click()
        expect(code).to_contain_text(word)
        expect(code).to_contain_text("SCALP_TOKEN")
    single.get_by_role("button", name="curl").click()
    (tmp_path / "scalp.jpg").write_bytes(trained.picture)
    words = shlex.split((code.text_content() or "").replace("$SCALP_TOKEN", TOKEN))
    done = subprocess.run([*words, "--silent"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == answer
    visitor.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    single.get_by_role("button", name=WORDS["copy"]["ko"]).click()
    expect(single.get_by_text(WORDS["copied"]["ko"])).to_be_visible()
    assert visitor.tab.evaluate("navigator.clipboard.readText()") == code.text_content()


@pytest.mark.browser
def test_errors_are_shown_as_the_api_words_them(visitor: Visitor, trained: Trained) -> None:
    open_page(visitor, token="")
    everything = card(visitor, "all")
    upload(everything, trained.picture)
    expect(everything).to_contain_text("HTTP 401")
    expect(everything).to_contain_text("A token is needed")
    expect_refusal(visitor, 401)
    visitor.tab.get_by_label(WORDS["token"]["en"], exact=True).fill(TOKEN)
    upload(everything, b"no picture")
    expect(everything).to_contain_text("HTTP 415")
    expect(everything).to_contain_text("Not a readable picture")
    expect_refusal(visitor, 415)
    visitor.tab.get_by_role("button", name="한국어").click()
    expect(card(visitor, "all", "ko")).to_contain_text("읽을 수 있는 사진")
    assert visitor.tab.url.endswith("?lang=ko")
    assert_can_be_read(visitor, "dark", "light")


@pytest.mark.browser
def test_an_upload_is_cancelled(visitor: Visitor) -> None:
    open_page(visitor)
    tools = visitor.tab.context.new_cdp_session(visitor.tab)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 50_000}
    tools.send("Network.enable")
    tools.send("Network.emulateNetworkConditions", slow)
    everything = card(visitor, "all")
    upload(everything, bytes(2_000_000))
    expect(everything.get_by_role("progressbar")).to_be_visible()
    everything.get_by_role("button", name=WORDS["cancel"]["en"]).click()
    expect(everything.get_by_text(WORDS["cancelled"]["en"]).last).to_be_visible()
    expect(everything.get_by_role("button", name=WORDS["upload"]["en"])).to_be_focused()


@pytest.mark.browser
def test_camera_and_drop_bring_a_picture(visitor: Visitor, trained: Trained) -> None:
    open_page(visitor)
    everything, single = card(visitor, "all"), card(visitor, "single")
    everything.get_by_role("button", name=WORDS["camera"]["en"], exact=True).click()
    everything.get_by_role("button", name=WORDS["take"]["en"]).click()
    expect(everything.get_by_text("camera.jpg")).to_be_visible()
    everything.get_by_role("button", name=WORDS["upload"]["en"]).click()
    assert answer_in(everything)["image"] == {"format": "JPEG", "width": 640, "height": 480}
    transfer = visitor.tab.evaluate_handle(
        """content => {
          const transfer = new DataTransfer()
          transfer.items.add(new File([new Uint8Array(content)], "dropped.jpg", { type: "image/jpeg" }))
          return transfer
        }""",
        list(trained.picture),
    )
    single.get_by_text(WORDS["drop"]["en"]).dispatch_event("drop", {"dataTransfer": transfer})
    expect(single.get_by_text("dropped.jpg")).to_be_visible()
    single.get_by_role("button", name=WORDS["upload"]["en"]).click()
    assert answer_in(single)["value_1"]
