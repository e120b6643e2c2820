"""Foreign hosts, foreign origins and missing tokens, at REST alone and at the dashboard with its WebSocket."""

import logging

import httpx2 as httpx
import pytest
from conftest import Trained
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from support.rest_client import assert_error_response, image_form

from scalp_core.access import Access
from scalp_core.rest import app
from scalp_core.rest.access_control import HostMiddleware

TOKEN = "correct-horse-battery"  # noqa: S105
OPEN = ("/api/health", "/api/openapi.json", "/api/docs", "/api/docs/start.js", "/test")
GUARDED = ("/api/models", "/api/metrics")


def client_of(settings: Access) -> TestClient:
    return TestClient(app.application(settings=lambda: settings), base_url="http://localhost:8501")


@pytest.mark.parametrize("path", [*OPEN, *GUARDED, "/nowhere"])
def test_foreign_hosts_and_origins_are_refused_everywhere(path: str) -> None:
    client = client_of(Access())
    for headers, status, code in (
        ({"Host": "evil.example:8501"}, 400, "foreign_host"),
        ({"Host": ""}, 400, "foreign_host"),
        ({"Origin": "http://evil.example"}, 403, "foreign_origin"),
        ({"Origin": "http://localhost:8502"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
    ):
        response = client.get(path, headers=headers)
        assert_error_response(response, status, code)
    assert client.get(path, headers={"Origin": "http://localhost:8501"}).status_code in (200, 404)


FRONT_END = "https://app.example.com"
CORS = (
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
)


def preflight(client: TestClient, origin: str, path: str = "/predict_all", **fields: str) -> httpx.Response:
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    wanted |= {f"Access-Control-Request-{name.title()}": value for name, value in fields.items()}
    return client.options(path, headers={"Origin": origin, **wanted})


def test_a_listed_front_end_asks_and_reads(trained: Trained) -> None:
    """The token comes with the request alone, not with its preflight; refusals can be read too."""
    client = client_of(Access(token=TOKEN, cors_origins=frozenset({FRONT_END})))
    for path in ("/predict_all", "/predict", "/api/predict_batch", "/api/models", "/api/health"):
        answer = preflight(client, FRONT_END, path)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == FRONT_END
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "X-API-Key" in answer.headers["access-control-allow-headers"]
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
    assert preflight(client, FRONT_END, method="DELETE").status_code == 400
    assert preflight(client, FRONT_END, headers="x-other").status_code == 400
    form = image_form(trained.picture)
    for headers, status in (({"X-API-Key": TOKEN}, 200), ({}, 401)):
        answer = client.post("/predict_all", files=form, headers={"Origin": FRONT_END, **headers})
        assert answer.status_code in (status, 503)
        assert answer.headers["access-control-allow-origin"] == FRONT_END
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("listed", [frozenset[str](), frozenset({FRONT_END})])
def test_others_get_no_cors_headers(listed: frozenset[str]) -> None:
    client = client_of(Access(hosts=frozenset({"lab.example.com"}), cors_origins=listed))
    for origin in ("https://evil.example", "http://app.example.com", f"{FRONT_END}.evil.example", "null"):
        for answer in (client.get("/api/health", headers={"Origin": origin}), preflight(client, origin)):
            assert_error_response(answer, 403, "foreign_origin")
            assert not set(CORS) & set(answer.headers)
    for origin in ("http://localhost:8501", "https://lab.example.com"):
        answer = client.get("/api/health", headers={"Origin": origin})
        assert answer.status_code == 200
        assert not set(CORS) & set(answer.headers)


def test_all_front_ends_may_be_let_in_without_credentials() -> None:
    client = client_of(Access(cors_origins=frozenset({"*"})))
    for answer in (
        preflight(client, "https://anywhere.example"),
        client.get("/api/health", headers={"Origin": "null"}),
    ):
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    assert client.get("/api/health", headers={"Host": "evil.example", "Origin": "null"}).status_code == 400


def test_a_refused_picture_is_not_graded(trained: Trained) -> None:
    client = client_of(Access())
    form = image_form(trained.picture)
    assert client.post("/predict_all", files=form).status_code in (200, 503)
    assert client.post("/predict_all", files=form, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post("/predict_all", files=form, headers={"Host": "evil.example"}).status_code == 400


def test_token_is_needed_for_all_but_open_addresses(trained: Trained, caplog: pytest.LogCaptureFixture) -> None:
    client = client_of(Access(token=TOKEN))
    wrong = TOKEN[:-1] + "X"
    with caplog.at_level(logging.DEBUG):
        for path in OPEN:
            assert client.get(path).status_code == 200
        for headers in ({}, {"Authorization": f"Bearer {wrong}"}, {"Authorization": TOKEN}, {"X-API-Key": wrong}):
            for path in GUARDED:
                response = client.get(path, headers=headers)
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert_error_response(response, 401, "no_token")
            assert client.post("/predict_all", files=image_form(trained.picture), headers=headers).status_code == 401
        for headers in (
            {"Authorization": f"Bearer {TOKEN}"},
            {"authorization": f"bearer  {TOKEN}"},
            {"X-API-Key": TOKEN},
        ):
            for path in GUARDED:
                assert client.get(path, headers=headers).status_code == 200
    assert wrong not in caplog.text
    assert TOKEN not in caplog.text


def test_websockets_are_refused_before_they_open() -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    guarded = HostMiddleware(Starlette(routes=[WebSocketRoute("/stream", echo)]), lambda: Access())
    client = TestClient(guarded, base_url="http://localhost:8501")
    with client.websocket_connect(
        "/stream", headers={"Origin": "http://localhost:8501", "Host": "localhost:8501"}
    ) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    for headers in ({"Host": "evil.example"}, {"Host": "localhost:8501", "Origin": "http://evil.example"}):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/stream", headers=headers):
            pass
