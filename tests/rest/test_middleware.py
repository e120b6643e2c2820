"""Request ids, limits of the body, the log and the counters."""

import asyncio
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from conftest import Trained, until
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from support.rest_client import assert_error_response, image_form

from scalp_core.access import Access
from scalp_core.inference import predict
from scalp_core.rest import app as rest
from scalp_core.rest.middleware import BodyLimits


@pytest.fixture
def app() -> FastAPI:
    return rest.application()


@pytest.fixture
def client(app: FastAPI, trained: Trained) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("sane", ["a", "Abc-123_x", "9" * 64])
def test_a_sane_id_is_kept(client: TestClient, sane: str) -> None:
    headers = {"X-Request-ID": sane}
    assert client.get("/api/health", headers=headers).headers["x-request-id"] == sane
    assert_error_response(client.post("/predict_all", headers=headers), 400, "missing_field")
    response = client.post("/predict_all", content=b"x", headers=headers | {"content-length": "100000000000"})
    assert_error_response(response, 413, "too_large")
    assert response.json()["request_id"] == sane
    assert client.get("/api/nothing", headers=headers).json()["request_id"] == sane


@pytest.mark.parametrize(
    "other", ["", "9" * 65, "a b", "a\tb", "<x>", "../x", "a\u00e9".encode().decode("latin-1"), "a;b"]
)
def test_any_other_id_is_replaced(client: TestClient, other: str) -> None:
    request_id = client.get("/api/health", headers={"X-Request-ID": other.encode("latin-1")}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{16}", request_id)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "scalp_core.rest.middleware"]


def test_requests_log_one_json_line_without_file_names(
    client: TestClient, trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="scalp_core.rest.middleware")
    headers = {"X-Request-ID": "mine"}
    client.post("/predict_all", files=image_form(trained.picture, "김철수.jpg"), headers=headers)
    client.post("/predict_all?run=김철수", files=image_form(b"GIF89a", "김철수.gif"), data={"note": "김철수"})
    client.post("/predict_all", files=image_form(b"GIF89a", "김철수.gif"))
    client.get("/김철수?김철수=1")
    client.get("/api/health")  # asked every few seconds: not told
    assert "김철수" not in caplog.text
    graded, unknown_run, no_picture, elsewhere = lines(caplog)
    assert graded.pop("ms") > 0
    assert graded.pop("bytes") > len(trained.picture)
    (picture,) = graded.pop("pictures")
    assert re.fullmatch("[0-9a-f]{12}", picture.pop("sha256"))
    assert picture == {"bytes": len(trained.picture), "format": "JPEG", "outcome": "graded"}
    assert graded == {
        "id": "mine",
        "route": "/predict_all",
        "status": 200,
        "runs": [trained.run.id],
        "outcome": "answered",
    }
    assert (unknown_run["status"], unknown_run["outcome"], unknown_run["runs"]) == (404, "no_run", [])
    assert (no_picture["status"], no_picture["outcome"]) == (415, "not_a_picture")
    assert no_picture["pictures"][0]["outcome"] == "not_a_picture"
    assert (elsewhere["status"], elsewhere["route"]) == (404, "other")


def test_what_fails_is_told_as_well(
    client: TestClient, trained: Trained, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(predict.Graders, "grade", broken)
    caplog.set_level(logging.INFO, logger="scalp_core.rest.middleware")
    response = client.post("/predict_all", files=image_form(trained.picture), headers={"X-Request-ID": "mine"})
    assert_error_response(response, 500, "internal_error")
    (line,) = lines(caplog)
    assert (line["id"], line["status"], line["outcome"]) == ("mine", 500, "internal_error")


def counted(client: TestClient) -> dict[tuple[str, ...], float]:
    """Samples by name and values of the labels, in order of the labels' names."""
    families = text_string_to_metric_families(client.get("/api/metrics").text)
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_count_requests_and_gradings(client: TestClient, trained: Trained) -> None:
    gradings = predict.grade(trained.picture).gradings
    for _ in range(3):
        client.post("/predict_all", files=image_form(trained.picture))
    client.post("/api/predict", files=image_form(trained.picture), data={"value_num": "2"})
    client.post("/predict_all", files=image_form(b"GIF89a"))
    for elsewhere in ("/api/one", "/api/two"):
        client.get(elsewhere)
    samples = counted(client)
    assert samples["scalp_requests_total", "/predict_all", "200"] == 3
    assert samples["scalp_requests_total", "/predict_all", "415"] == 1
    assert samples["scalp_requests_total", "/api/predict", "200"] == 1
    assert samples["scalp_requests_total", "other", "404"] == 2
    assert samples["scalp_request_seconds_count", "/predict_all"] == 4
    assert samples["scalp_request_seconds_bucket", "+Inf", "/predict_all"] == 4
    for condition, grading in gradings.items():
        times = 4 if condition.number == 2 else 3
        assert samples["scalp_gradings_total", condition.value, str(int(grading.grade))] == times
    assert samples["process_resident_memory_bytes",] > 0


def test_every_application_counts_for_itself(client: TestClient, trained: Trained) -> None:
    with TestClient(rest.application()) as other:
        other.get("/api/health")
        assert ("scalp_requests_total", "/api/health", "200") in counted(other)
    assert ("scalp_requests_total", "/api/health", "200") not in counted(client)
    assert not [name for name in REGISTRY._names_to_collectors if name.startswith("scalp_")]
    assert client.get("/api/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


async def half(app: FastAPI, path: str) -> list[Any]:
    """Return what a client receives that sends the beginning of a form and then nothing."""
    form = [
        (b"host", b"localhost"),
        (b"content-type", b"multipart/form-data; boundary=x"),
        (b"content-length", b"1000"),
    ]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": form}
    start = iter([{"type": "http.request", "body": b"--x\r\n", "more_body": True}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(start, None) or await asyncio.sleep(30)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize("path", ["/predict_all", "/api/predict_batch"])
def test_a_body_that_does_not_come(path: str) -> None:
    short = BodyLimits(2**20, 0.1)
    impatient = rest.application(rest.ServiceLimits(picture_body=short, batch_body=short))
    began = time.monotonic()
    head, body = asyncio.run(half(impatient, path))
    assert time.monotonic() - began < 5
    assert head["status"] == 408
    assert (b"connection", b"close") in head["headers"]
    assert json.loads(body["body"])["error"]["code"] == "too_slow"


def test_grading_that_does_not_end_is_given_up(trained: Trained, monkeypatch: Any) -> None:
    real = predict.Graders.grade
    monkeypatch.setattr(predict.Graders, "grade", lambda *headers: time.sleep(0.5) or real(*headers))
    impatient = rest.application(rest.ServiceLimits(gradings=1, answer_seconds=0.1))
    with TestClient(impatient) as client:
        assert_error_response(client.post("/predict_all", files=image_form(trained.picture)), 504, "too_long")
        response = client.post("/predict_all", files=image_form(trained.picture))
        assert_error_response(response, 503, "busy")
        assert int(response.headers["retry-after"]) > 0
        monkeypatch.setattr(predict.Graders, "grade", real)
        until(lambda: client.post("/predict_all", files=image_form(trained.picture)).status_code == 200)


def test_a_half_open_connection_is_answered_and_closed(trained: Trained) -> None:
    """On a real server: a client that sends half of what it announced does not keep its connection."""
    impatient = rest.application(rest.ServiceLimits(picture_body=BodyLimits(2**20, 0.2)))
    with serving(impatient) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        head = "POST /predict_all HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        client.sendall(f"{head}Content-Length: 100000\r\n\r\n--x\r\n".encode())
        samples = b"".join(iter(lambda: client.recv(65_536), b""))  # until the server closes
    assert samples.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"too_slow"' in samples


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """The port of a server in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


def test_head_is_get_without_a_body(client: TestClient) -> None:
    """Wherever GET is answered, and where it is refused."""
    until(lambda: client.get("/api/ready").status_code == 200)
    paths = ["/api/health", "/api/ready", "/api/models", "/api/metrics", "/api/openapi.json", "/api/docs"]
    paths += ["/api/docs/swagger-ui.css", "/api/nothing", "/predict_all"]
    for path in paths:
        head, get = (client.request(method, path, headers={"X-Request-ID": "1"}) for method in ("HEAD", "GET"))
        assert head.status_code == get.status_code, path
        assert head.content == b""
        assert int(head.headers["content-length"]) > 0
        if path != "/api/metrics":  # they have counted the HEAD when GET asks
            assert head.headers == get.headers


def test_below_a_base_path_all_is_as_without(trained: Trained) -> None:
    """Alone, with a token, for which the open addresses stay open; even below the path of REST itself."""
    for base in ("/scalp", "/api"):
        app = rest.application(settings=lambda: Access(token="t" * 16), base=lambda base=base: base)
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            headers = {"X-API-Key": "t" * 16}
            answer = client.post(f"{base}/predict_all", files=image_form(trained.picture), headers=headers)
            assert answer.status_code in (200, 503)
            assert client.get(f"{base}/api/docs").status_code == 200
            assert client.get(f"{base}/api/models").status_code == 401
            assert client.head(f"{base}/api/models", headers=headers).status_code == 200
            assert client.get("/api/health").status_code == client.get(f"{base}/api/health").status_code == 200
            for path in ("/api/models", f"{base}", f"{base}x/api/models", f"{base}/nothing"):
                assert_error_response(client.get(path, headers=headers), 404, "not_found")
            counted = client.get(f"{base}/api/metrics", headers=headers).text
            assert 'scalp_requests_total{route="/predict_all"' in counted
