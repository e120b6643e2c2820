"""The proxy of compose.yaml: a real nginx with its very configuration, the dashboard and two REST servers behind it."""

import asyncio
import base64
import hashlib
import io
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import ROOT, Trained, until
from PIL import Image
from playwright.sync_api import Browser, expect
from support.browser import Server, launch, open_visitor
from support.browser import chromium as program
from support.rest_server import free_port, serving
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from scalp_core.data.thumbnails import address
from scalp_core.images import MAX_BYTES
from scalp_core.inference.uploads import MAX_TOTAL_BYTES
from scalp_core.rest import server
from scalp_core.rest.middleware import BATCH_BODY, PICTURE_BODY, BodyLimits, too_large
from ui.words import Say

TEMPLATE = (ROOT / "docs" / "proxy" / "nginx.conf.template").read_text(encoding="utf-8")
HOST, EVIL = "lab.localhost", "evil.example"  # curl and Chromium look below .localhost on this machine
BASE = "/lab/scalp"
TOKEN = "a token of this test"  # noqa: S105
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
OPENSSL = shutil.which("openssl")


@dataclass
class Answer:
    """Answer that curl got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, str]:
        error: dict[str, str] = json.loads(self.body)["error"]
        return error

    @property
    def code(self) -> str:
        return self.error["code"]


@dataclass
class Site:
    """The proxy and what is behind it.

    Attributes:
        replicas: the REST servers' processes, each by its address.
    """

    folder: Path
    http: int
    https: int
    dashboard: Server
    replicas: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"https://{HOST}:{self.https}"

    def ask(self, url: str, *options: str, token: str = TOKEN) -> Answer:
        """Ask with curl: a path below the base path, or a whole address."""
        url = self.address + BASE + url if url.startswith("/") else url
        given = ["-H", f"Authorization: Bearer {token}"] if token else []
        line = ["curl", "-sS", "--cacert", str(self.folder / "certificate.pem"), "--noproxy", "*", "-D", "-", "-o"]
        body = self.folder / "answer"
        body.unlink(missing_ok=True)
        done = subprocess.run([*line, str(body), *given, *options, url], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        head = done.stdout.replace("\r", "").strip().split("\n\n")[-1]  # behind those of “100 Continue”
        first, *fields = head.split("\n")
        headers = dict(line.split(": ", 1) for line in fields if ": " in line)
        lower = {name.lower(): value for name, value in headers.items()}
        return Answer(int(first.split()[1]), lower, body.read_bytes() if body.exists() else b"")

    def upstreams(self, path: str) -> list[str]:
        """Return which server was asked at each request, from the proxy's log; two where the first did not answer."""
        lines = (self.folder / "nginx.log").read_text(encoding="utf-8").splitlines()
        return [line.split(" ", 6)[6] for line in lines if f" {BASE}{path} " in line and line.startswith("127.0.0.1 ")]


def rendered(base: str, ports: dict[str, int], **settings: str) -> str:
    """Return the configuration as the image of nginx fills it in, listening on other ports of this machine."""
    settings |= {"SCALP_BASE_PATH": base, "SCALP_HTTPS_PORT": str(ports["8443"])}
    text = re.sub(r"\$\{(SCALP_\w+)\}", lambda match: settings[match[1]], TEMPLATE)
    for usual, port in ports.items():
        text, replaced = re.subn(rf"listen (127\.0\.0\.1:)?{usual}\b", f"listen 127.0.0.1:{port}", text)
        assert replaced
    return text


def written(folder: Path, base: str, ports: dict[str, int], app: str, api: list[str]) -> list[str]:
    """Write configuration and certificate; return the command of nginx."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    make = ["/bin/sh", str(ROOT / "docs" / "proxy" / "certificate.sh"), str(folder), HOST]
    subprocess.run(make, check=True, capture_output=True)
    servers = {"SCALP_APP": app, "SCALP_API_1": api[0], "SCALP_API_2": api[1]}
    text = rendered(base, ports, SCALP_HOST=HOST, SCALP_TLS_FOLDER=str(folder), **servers)
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    return [NGINX, "-p", f"{folder}/", "-c", str(folder / "nginx.conf")]


@pytest.fixture(scope="module")
def site(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(trained.run.folder.parent, folder / "artifacts")
    settings = {
        "SCALP_ARTIFACTS": str(folder / "artifacts"),
        "SCALP_BASE_PATH": BASE,
        "SCALP_TOKEN": TOKEN,
        "SCALP_ALLOWED_HOSTS": HOST,
        "SCALP_TRUSTED_PROXIES": "127.0.0.1",
    }
    dashboard = Server(trained.dataset.folder.parent, folder / "artifacts", folder / "app.log", free_port(), settings)
    made = Site(folder, free_port(), free_port(), dashboard)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in settings.items():
            patch.setenv(name, value)
        stack.callback(dashboard.kill)
        dashboard.start()
        for number in (1, 2):
            process, address = stack.enter_context(serving(folder / f"api-{number}.log", base=BASE))
            made.replicas[address.removeprefix("http://")] = process
        stack.enter_context(proxy(made))
        yield made
    for log in ("app.log", "api-1.log", "api-2.log"):
        assert "Traceback" not in (folder / log).read_text(), log


@contextmanager
def proxy(made: Site) -> Iterator[None]:
    ports = {"8080": made.http, "8443": made.https, "8081": free_port()}
    command = written(made.folder, BASE, ports, f"127.0.0.1:{made.dashboard.port}", list(made.replicas))
    with (made.folder / "nginx.log").open("ab") as log:
        nginx = subprocess.Popen([*command, "-g", "daemon off;"], stdout=log, stderr=log)
    try:
        until(lambda: nginx.poll() is not None or listens(made.https), 30)
        assert nginx.poll() is None, (made.folder / "nginx.log").read_text()
        yield
    finally:
        nginx.terminate()
        nginx.wait(30)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def picture(trained: Trained, site: Site) -> str:
    """The form of a picture, for curl."""
    (site.folder / "picture.jpg").write_bytes(trained.picture)
    return f"image=@{site.folder / 'picture.jpg'}"


def bitmap(trained: Trained, side: int) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(trained.picture)).convert("RGB").resize((side, side)).save(file, "BMP")
    return file.getvalue()


@pytest.mark.parametrize("base", ["", BASE])
def test_nginx_takes_the_configuration(tmp_path: Path, base: str) -> None:
    ports = {"8080": free_port(), "8443": free_port(), "8081": free_port()}
    command = written(tmp_path, base, ports, "127.0.0.1:1", ["127.0.0.1:2", "127.0.0.1:3"])
    done = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_limits_are_those_of_the_product() -> None:
    sizes = {int(size) * 2**10 for size in re.findall(r"client_max_body_size (\d+)k;", TEMPLATE)}
    assert sizes == {PICTURE_BODY.bytes, BATCH_BODY.bytes, MAX_TOTAL_BYTES + 2**20}
    kept = {int(seconds) for seconds in re.findall(r"keepalive_timeout (\d+)s;", TEMPLATE)}
    assert max(kept) < server.keep_alive({})
    assert int(re.findall(r"proxy_read_timeout (\d+)s;", TEMPLATE)[0]) > BATCH_BODY.seconds


def test_certificate_is_made_once_and_foreign_ones_stay(tmp_path: Path) -> None:
    script, made = ROOT / "docs" / "proxy" / "certificate.sh", tmp_path / "certificate.pem"

    def certificate(host: str) -> bytes:
        subprocess.run(["/bin/sh", str(script), str(tmp_path), host], check=True, capture_output=True)
        return made.read_bytes()

    first = certificate("lab.example.com")
    assert certificate("lab.example.com") == first
    second = certificate("10.0.0.5")
    assert second != first
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o640
    read = [str(OPENSSL), "x509", "-in", str(made), "-noout", "-text"]
    printed = subprocess.run(read, capture_output=True, text=True, check=True)
    assert "IP Address:10.0.0.5" in printed.stdout
    own = [str(OPENSSL), "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1", "-subj", "/CN=own"]
    subprocess.run([*own, "-out", str(made), "-keyout", str(tmp_path / "key.pem")], check=True, capture_output=True)
    theirs = made.read_bytes()
    assert certificate("lab.example.com") == theirs


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/", 200), ("/Dataset", 200), ("/Diagnose", 200), ("/_stcore/health", 200)),
        *(("/api/health", 200), ("/api/ready", 200), ("/api/models", 200), ("/api/metrics", 200)),
        *(("/api/docs", 200), ("/api/openapi.json", 200), ("/test", 200), ("/predict_all", 405)),
        *(("/api/nothing", 404), ("/thumbnails/none/1.webp", 404)),
    ],
)
def test_everything_lies_below_the_base_path(site: Site, path: str, status: int) -> None:
    answer = site.ask(path)
    assert answer.status == status
    outside = site.ask(f"{site.address}{path}")
    assert outside.status == (200 if path == "/api/health" else 404)
    assert site.ask(path, "--head").status == status


def test_token_is_asked_for_by_rest(site: Site, picture: str) -> None:
    for path in ("/predict_all", "/api/predict_all"):
        assert site.ask(path, "-F", picture).status == 200
        for wrong in ("", "a wrong token of this test"):
            refused = site.ask(path, "-F", picture, token=wrong)
            assert (refused.status, refused.code) == (401, "no_token")
    assert site.ask("/predict", "-F", picture, "-F", "value_num=4").status == 200
    assert site.ask("/api/ready", token="").status == 200


def test_largest_picture_passes_and_larger_ones_get_a_sentence(site: Site, trained: Trained) -> None:
    largest, larger = site.folder / "largest.bmp", site.folder / "larger.bmp"
    largest.write_bytes(bitmap(trained, 2640))
    larger.write_bytes(bitmap(trained, 2720))
    assert 0.99 * MAX_BYTES < largest.stat().st_size <= MAX_BYTES < larger.stat().st_size
    assert site.ask("/predict_all", "-F", f"image=@{largest}").status == 200
    for spelling in ((), ("-H", "Transfer-Encoding: chunked")):
        refused = site.ask("/predict_all", "-F", f"image=@{larger}", *spelling)
        assert (refused.status, refused.error) == (413, said(PICTURE_BODY))
    assert site.ask("/api/predict_batch", "-F", f"image=@{larger}").status == 200
    with larger.open("r+b") as file:
        file.truncate(BATCH_BODY.bytes)
    refused = site.ask("/api/predict_batch", "-F", f"image=@{larger}")
    assert (refused.status, refused.error) == (413, said(BATCH_BODY))
    assert "upstream server temporarily disabled" not in (site.folder / "nginx.log").read_text(encoding="utf-8")


def said(limits: BodyLimits) -> dict[str, str]:
    """Return the product's own error."""
    error = too_large(limits)
    return {"code": error.code, "message": error.text.en, "message_ko": error.text.ko}


def test_other_hosts_are_refused(site: Site) -> None:
    for url in (f"{site.address}{BASE}/", f"{site.address}{BASE}/api/health", f"http://{HOST}:{site.http}/"):
        refused = site.ask(url, "-H", f"Host: {EVIL}")
        assert (refused.status, refused.code) == (421, "foreign_host")
    # The name of the request's first line leads past the proxy's check; the product looks at the other.
    mixed = site.ask("/api/health", "-H", f"Host: {EVIL}", "--request-target", f"{site.address}{BASE}/api/health")
    assert (mixed.status, mixed.code) == (400, "foreign_host")


def test_other_origins_are_refused(site: Site, picture: str) -> None:
    for origin in (f"https://{EVIL}", f"https://{HOST}:1", "null"):
        refused = site.ask("/api/predict_all", "-F", picture, "-H", f"Origin: {origin}")
        assert (refused.status, refused.code) == (403, "foreign_origin")
        with pytest.raises(InvalidStatus, match="403"):
            stream(site, origin)
    assert site.ask("/api/predict_all", "-F", picture, "-H", f"Origin: {site.address}").status == 200
    stream(site, site.address)


def stream(site: Site, origin: str) -> None:
    """Open the WebSocket of the pages and wait until it answers a ping.

    In one thread: until Python 3.13 two threads that use one TLS connection at a time garble it, and `websockets.sync`
    reads in a thread of its own (one of 600 handshakes on a busy machine).
    """
    trusted = ssl.create_default_context(cafile=str(site.folder / "certificate.pem"))
    url = f"wss://{HOST}:{site.https}{BASE}/_stcore/stream"

    async def ping() -> None:
        place = {"host": "127.0.0.1", "port": site.https}
        async with connect(url, **place, ssl=trusted, origin=origin, proxy=None, open_timeout=60) as opened:  # type: ignore[arg-type]
            async with asyncio.timeout(60):
                await (await opened.ping())

    asyncio.run(ping())


def test_plain_http_leads_to_tls(site: Site) -> None:
    answer = site.ask(f"http://{HOST}:{site.http}{BASE}/Dataset?lang=en")
    assert (answer.status, answer.headers["location"]) == (308, f"{site.address}{BASE}/Dataset?lang=en")


def test_headers_say_that_it_is_tls(site: Site) -> None:
    """Whatever a client says that was forwarded."""
    forged = ["-H", "X-Forwarded-Proto: http", "-H", f"X-Forwarded-Host: {EVIL}", "-H", "Forwarded: proto=http"]
    for path in ("/", "/api/health", "/api/nothing"):
        answer = site.ask(path, *forged)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "content-security-policy" in answer.headers
    moved = site.ask(f"{site.address}{BASE}", *forged)
    assert (moved.status, moved.headers["location"]) == (307, f"{site.address}{BASE}/")
    assert "; Secure" in site.ask("/_stcore/health", *forged).headers["set-cookie"]


@contextmanager
def trusting(chromium: Browser, site: Site) -> Iterator[Browser]:
    """Start a Chromium that trusts the key of the site's certificate.

    One told to pass over errors of TLS meets the error at each connection, asks again, and gives up after 32 times.
    """
    public = [str(OPENSSL), "x509", "-in", str(site.folder / "certificate.pem"), "-noout", "-pubkey"]
    lines = subprocess.run(public, check=True, capture_output=True, text=True).stdout.splitlines()
    digest = hashlib.sha256(base64.b64decode("".join(lines[1:-1]))).digest()
    flag = f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"
    browser = launch(chromium.browser_type, str(program()), flag)
    try:
        yield browser
    finally:
        browser.close()


@pytest.mark.browser
def test_visitor_uploads_and_gets_grades(chromium: Browser, site: Site, trained: Trained) -> None:
    """The script runs over the WebSocket, the picture goes through its own address, and nothing else is asked for."""
    say = Say("en")
    with trusting(chromium, site) as browser, open_visitor(browser, site.address + BASE) as visitor:
        visitor.go("/Diagnose?lang=en")
        picture = {"name": "scalp.bmp", "mimeType": "image/bmp", "buffer": bitmap(trained, 1500)}
        visitor.tab.locator('input[type="file"]').set_input_files(picture)  # type: ignore[arg-type]
        expect(visitor.tab.get_by_test_id("stPopover").get_by_role("button", name="Download")).to_be_visible()
        expect(visitor.tab.locator("h1")).to_have_text(say("title_diagnose"))
        cookies = visitor.tab.context.cookies()
        assert cookies
        assert all(cookie["secure"] for cookie in cookies)  # type: ignore[typeddict-item]


def test_thumbnails_come_through(site: Site, trained: Trained) -> None:
    answer = site.ask(f"/{address(trained.dataset, 3)}", token="")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/webp")


def test_requests_go_on_while_one_replica_is_left(site: Site, picture: str) -> None:
    """The last test: it ends both."""
    before = len(site.upstreams("/predict_all"))
    for _ in range(8):
        assert site.ask("/predict_all", "-F", picture).status == 200
    assert set(site.upstreams("/predict_all")[before:]) == set(site.replicas)
    first, second = site.replicas.values()
    first.kill()
    first.wait()
    before = len(site.upstreams("/predict_all"))
    for _ in range(8):
        assert site.ask("/predict_all", "-F", picture).status == 200
    assert any(", " in servers for servers in site.upstreams("/predict_all")[before:]), "the dead one was never asked"
    assert [site.ask("/api/models").status for _ in range(8)] == [200] * 8
    second.kill()
    second.wait()
    refused = site.ask("/api/models")
    assert (refused.status, refused.code) == (502, "no_server")
    assert site.ask("/").status == 200
