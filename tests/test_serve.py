"""Dashboard, thumbnails and REST on one port: a real server, started as people start it."""

import base64
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx2 as httpx
import pytest
from conftest import ROOT, Folders, Trained, processes, until
from support.core_processes import drawers, runners
from support.rest_server import free_port

from scalp_core.data.dataset import Dataset
from scalp_core.data.thumbnails import address, thumbnail
from scalp_core.files import is_locked
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe

# However busy the machine is.
get, post, delete = (partial(method, timeout=120) for method in (httpx.get, httpx.post, httpx.delete))


@contextmanager
def serving(
    log: Path,
    *command: str,
    prepare: Callable[[], None] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server on a free port, from another folder, `serve.py` or another command; its address when it answers."""
    environment = {**environment, "PORT": str(port := free_port()), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *(command or [str(ROOT / "serve.py")])],
            cwd=log.parent,
            env=environment,
            stdout=out,
            stderr=out,
            preexec_fn=prepare,
        )
    try:
        until(lambda: process.poll() is not None or _answers(address))
        assert process.poll() is None, log.read_text()
        yield process, address
    finally:
        process.kill()
        process.wait()


def _answers(address: str) -> bool:
    try:
        return get(f"{address}/api/health").status_code == 200
    except httpx.TransportError:
        return False


FRONT_END = "https://app.example.com"


@pytest.fixture(scope="module")
def server(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    environment = {**os.environ, "SCALP_CORS_ORIGINS": FRONT_END}
    with serving(tmp_path_factory.mktemp("serve") / "log.txt", environment=environment) as (_, address):
        until(lambda: get(f"{address}/api/ready").status_code == 200)
        yield address


def test_pages_and_routes_share_the_port(server: str, trained: Trained) -> None:
    assert get(f"{server}/_stcore/health").text == "ok"
    for path in ("/", "/predict", "/predict_all", "/Compare"):
        page = get(server + path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    picture = {"image": ("scalp.jpg", trained.picture)}
    everything = post(f"{server}/predict_all", files=picture)
    assert everything.json() == post(f"{server}/api/predict_all", files=picture).json()
    assert "미세각질" in everything.text
    assert everything.headers["content-security-policy"].startswith("default-src 'none'")
    for door in ("", "/api"):
        body = post(f"{server}{door}/predict", files=picture, data={"value_num": "6"}).json()
        assert body["value_6"] == everything.json()["value_6"]


def test_pages_say_where_their_server_is(server: str) -> None:
    page = get(f"{server}/Compare")
    (script,) = re.findall(r"<script>(window.__streamlit = .*?)</script>", page.text)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page.headers["content-security-policy"]
    assert "BACKEND_BASE_URL" in script
    assert all(name in script for name in ("Compare", "Dataset", "Diagnose", "Runs"))


def test_what_is_under_api_is_the_interface_s(server: str) -> None:
    for path in ("/api", "/api/", "/api/nothing"):
        response = get(server + path)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"
    assert get(f"{server}/api/docs").status_code == 200
    assert get(f"{server}/api/docs/swagger-ui-bundle.js").status_code == 200
    assert delete(f"{server}/api/health").status_code == 405
    assert get(f"{server}/api/models").json()["models"]


def test_test_page_is_the_interface_s(server: str) -> None:
    page = get(f"{server}/test")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    for file in re.findall(r'"\./(test/[^"]+)"', page.text):
        assert get(f"{server}/{file}").status_code == 200
    assert get(f"{server}/test/").json()["error"]["code"] == "not_found"


def test_a_front_end_elsewhere_reads_rest_alone(server: str, trained: Trained) -> None:
    headers = {"Origin": FRONT_END}
    for path in ("/predict_all", "/predict", "/api/predict_all"):
        method = {"Access-Control-Request-Method": "POST"}
        preflight = httpx.request("OPTIONS", server + path, headers=headers | method, timeout=120)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, FRONT_END)
    picture = {"image": ("scalp.jpg", trained.picture)}
    answer = post(f"{server}/predict_all", files=picture, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, FRONT_END)
    for path in ("/", "/predict", "/_stcore/stream", f"/{address(trained.dataset, 3)}"):
        page = get(server + path, headers=headers)
        assert page.status_code == 403
        assert "access-control-allow-origin" not in page.headers
    assert post(f"{server}/predict_all", files=picture, headers={"Origin": "https://evil.example"}).status_code == 403


def test_thumbnails_have_addresses_of_their_own(server: str, trained: Trained) -> None:
    response = get(f"{server}/{address(trained.dataset, 3)}")
    assert response.status_code == 200
    assert response.content == thumbnail(trained.dataset, 3)
    headers = response.headers
    assert headers["content-type"] == "image/webp"
    assert headers["cache-control"] == "private, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tiny",
        "tiny/3-00000000.webp",
        "nothing/3-00000000.webp",
        "tiny/" + "9" * 5000 + "-00000000.webp",
        "tiny/dataset.json",
    ],
)
def test_nothing_else_is_below_their_address(server: str, path: str) -> None:
    response = get(f"{server}/thumbnails/{path}")
    assert (response.status_code, response.content) == (404, b"")
    assert response.headers["cache-control"] == "no-store"  # what is mended must be seen


@pytest.mark.parametrize("path", ["tiny/%2e%2e/dataset.json", "..%2f..%2fetc%2fpasswd", "tiny/3-%00.webp"])
def test_no_path_leaves_the_data(server: str, path: str) -> None:
    assert get(f"{server}/thumbnails/{path}").status_code in (400, 404)


def test_a_wall_of_thumbnails_comes_at_once(server: str, trained: Trained) -> None:
    addresses = [f"{server}/{address(trained.dataset, row)}" for row in range(48)]
    with ThreadPoolExecutor(12) as visitors:
        answers = list(visitors.map(get, addresses * 2))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 48


def test_a_stream_without_length_ends_at_the_limit(server: str) -> None:
    connection = http.client.HTTPConnection(server.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/predict_all")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    connection.send(b"%x\r\n%b\r\n" % (len(head), head))
    sent = 0
    try:
        while sent < 400:
            connection.send(b"100000\r\n" + b"x" * 2**20 + b"\r\n")
            sent += 1
    except OSError:
        assert sent < 100  # it closed the door; whether its answer still comes through is up to the sockets
        return
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["error"]["code"] == "too_large"


def test_head_that_does_not_come_closes_connection(server: str) -> None:
    where = httpx.URL(server)
    with socket.create_connection((where.host, where.port), timeout=30) as client:
        client.sendall(b"GET /api/hea")
        assert client.recv(1000) == b""  # after the 10 s that every connection has


def test_start_resumes_the_queue_and_stop_keeps_it(folders: Folders, tiny: Dataset, tmp_path: Path) -> None:
    """After an ordinary stop the runner goes on; after the machine went down the next start takes the run up again.

    How far the run has come by then makes no difference here: tests/runs/test_kills.py kills at any moment.
    """
    recipe = Recipe(architecture="test_efficientnet", data="tiny", weights="none", image_size=64, epochs=2)
    run, runner = create_run(recipe), folders.artifacts / ".runner.lock"

    def trainings() -> list[int]:
        return processes("scalp_core", "train", str(run.folder))

    with serving(tmp_path / "log.txt") as (process, _):
        until(trainings)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
    assert is_locked(runner)

    for process_id in (*runners(folders.artifacts), *trainings()):
        os.kill(process_id, signal.SIGKILL)
    until(lambda: not run.locked and not is_locked(runner))
    assert not run.finished
    with serving(tmp_path / "log.txt"):
        until(lambda: run.finished)
    assert run.history["epoch"].tolist() == [1, 2]
    until(lambda: not is_locked(runner))


def test_demonstration_is_drawn_beside_serving(folders: Folders, tmp_path: Path) -> None:
    """Once, whatever starts and dies meanwhile."""
    environment = {**os.environ, "SCALP_DEMO_IMAGES": "32"}
    index = folders.data / "demo" / "index.parquet"

    def pictures() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folders.data.glob("demo/images/[!.]*.jpg")}

    with serving(tmp_path / "first.txt", environment=environment) as (_, address):
        assert get(address).status_code == 200
        until(pictures)
    assert drawers(folders.data), "it goes on without the server"
    for process_id in drawers(folders.data):
        os.kill(process_id, signal.SIGKILL)
    until(lambda: not drawers(folders.data))
    assert not index.exists()
    before = pictures()
    with serving(tmp_path / "second.txt", environment=environment):
        until(index.exists)
    until(lambda: not drawers(folders.data))
    assert len(pictures()) == 32
    assert before.items() <= pictures().items()
    assert "Traceback" not in "".join((tmp_path / f"{name}.txt").read_text() for name in ("first", "second"))


def test_all_addresses_begin_with_the_base_path(trained: Trained, tmp_path: Path) -> None:
    """Behind a proxy with TLS that passes them on unchanged."""
    environment = {**os.environ, "SCALP_BASE_PATH": "/lab/scalp"}
    picture = {"image": ("scalp.jpg", trained.picture)}
    with serving(tmp_path / "log.txt", environment=environment) as (_, server):
        below = f"{server}/lab/scalp"
        until(lambda: get(f"{below}/api/ready").status_code == 200)
        for path in ("/", "/Compare", "/predict"):
            page = get(below + path)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        start = get(below, headers={"X-Forwarded-Proto": "https"}, follow_redirects=False)
        assert (start.status_code, start.headers["location"]) == (307, f"{below}/".replace("http:", "https:"))
        assert get(f"{below}/_stcore/health").text == "ok"
        assert get(f"{below}/{address(trained.dataset, 3)}").content == thumbnail(trained.dataset, 3)
        answers = [post(f"{below}{path}/predict_all", files=picture) for path in ("", "/api")]
        assert [answer.status_code for answer in answers] == [200, 200]
        for path in ("/api/health", "/api/models", "/api/docs", "/api/docs/start.js", "/api/metrics"):
            assert get(below + path).status_code == 200
        assert get(f"{below}/api/openapi.json").json()["servers"] == [{"url": "/lab/scalp"}]
        assert "/lab/scalp/api/docs" in get(f"{below}/api/nothing").json()["error"]["message"]

        assert get(f"{server}/api/health").status_code == 200
        outside = [
            "/",
            "/Compare",
            "/predict",
            "/predict_all",
            "/api/models",
            "/api/ready",
            "/api/docs",
            "/lab",
            "/lab/",
        ]
        outside += ["/_stcore/health", "/lab/scalpx/", "/lab/scalpx/api/models", f"/{address(trained.dataset, 3)}"]
        assert {path: get(server + path).status_code for path in outside} == dict.fromkeys(outside, 404)
        assert post(f"{server}/predict_all", files=picture).status_code == 404
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SCALP_BASE_PATH": "/a b"}, "SCALP_BASE_PATH: “/a b” has more than letters, digits"),
        ({"HOME": "{folder}"}, "server.baseUrlPath is “lab”; set SCALP_BASE_PATH to the same"),
        ({"SCALP_KEEP_ALIVE": "long"}, "SCALP_KEEP_ALIVE: “long” is no number of seconds"),
    ],
)
def test_settings_without_sense_do_not_start(
    folders: Folders, tmp_path: Path, settings: Mapping[str, str], sentence: str
) -> None:
    """Streamlit's own come from a file in the home folder."""
    (tmp_path / "settings" / ".streamlit").mkdir(parents=True)
    (tmp_path / "settings" / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "lab"\n')
    environment = {**os.environ, "PORT": str(free_port())}
    environment |= {name: value.format(folder=tmp_path / "settings") for name, value in settings.items()}
    ended = subprocess.run(
        [sys.executable, "serve.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode != 0
    assert sentence in ended.stdout + ended.stderr


CLOSED_TAB = """
import asyncio
import os
import serve
from starlette.websockets import WebSocketDisconnected

async def closed(scope, receive, send):
    raise WebSocketDisconnected("closed")

application = serve._ClosedTabMiddleware(closed)
asyncio.run(application({"type": "websocket"}, None, None))
try:
    asyncio.run(application({"type": "http"}, None, None))
except WebSocketDisconnected:
    print("only a tab may close", flush=True)
os.environ["PORT"] = "８５０１"
serve.main()
"""


def test_closed_tab_leaves_no_traceback_and_a_bad_port_is_told() -> None:
    """Streamlit meets a closed tab now and then on a busy machine, never when it is asked for; so it is raised here."""
    ended = subprocess.run([sys.executable, "-c", CLOSED_TAB], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "only a tab may close", ended.stderr
    assert ended.returncode == 1
    assert ended.stderr.strip() == "PORT is “８５０１”; it must be a number from 1 to 65535."
