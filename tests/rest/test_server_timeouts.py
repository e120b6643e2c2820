"""Deadlines of connections: half heads, unread answers, pauses; and whose word on where they come from counts."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import ClassVar

import httpx2 as httpx
import pytest
import uvicorn
from conftest import until
from starlette.types import Receive, Scope, Send
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from scalp_core.errors import ScalpError
from scalp_core.rest import app
from scalp_core.rest.server import (
    LOOP,
    TimeoutH11Protocol,
    connection_options,
    keep_alive,
    listen,
    quiet_accept_errors,
    trusted_proxies,
)


class Hasty(TimeoutH11Protocol):
    head_seconds = 0.5
    hold_seconds = 0.1
    linger_seconds = 1.0
    read_seconds = 0.5
    undelayed: ClassVar[list[int]] = []  # of each connection, whether Nagle's algorithm is off

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.undelayed.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


@contextmanager
def serving(config: uvicorn.Config, listening: socket.socket | None = None) -> Iterator[int]:
    """Run a server in a thread of its own; yield its port."""
    listening = listening or listen("127.0.0.1", 0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        until(lambda: server.started)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def hasty() -> Iterator[int]:
    """The port of a server in a thread of its own, on a socket made as Streamlit's runner makes it."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that the system takes little of an answer
    with serving(uvicorn.Config(app.application(), http=Hasty, log_config=None), listening) as port:
        yield port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


REQUEST = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_responses_need_no_acknowledged_head(hasty: int) -> None:
    with connected(hasty) as client:
        client.sendall(REQUEST)
        assert client.recv(10).startswith(b"HTTP/1.1")
    assert all(Hasty.undelayed)


@pytest.mark.parametrize("begun", [b"", b"G", REQUEST[:-2]], ids=["nothing", "a letter", "half a head"])
def test_head_that_does_not_come_closes_connection(hasty: int, begun: bytes) -> None:
    with connected(hasty) as client:
        client.sendall(begun)
        assert client.recv(1000) == b""


def test_a_head_letter_by_letter_comes_too_late(hasty: int) -> None:
    with connected(hasty) as client:
        assert any(refused_letter(client, letter) for letter in REQUEST * 9)


def refused_letter(client: socket.socket, letter: int) -> bool:
    time.sleep(0.05)
    try:
        client.send(bytes([letter]))
    except OSError:
        return True
    return False


def whole_response(client: socket.socket) -> bytes:
    """Return a response of JSON, which may come in parts."""
    response = b""
    while not response.endswith(b"}"):
        part = client.recv(10_000)
        assert part, "the connection was closed"
        response += part
    return response


def test_a_second_head_has_its_own_time(hasty: int) -> None:
    """And the pause between two requests is no delay."""
    with connected(hasty) as client:
        for pause in (0.0, 1.0):
            time.sleep(pause)
            client.sendall(REQUEST)
            assert whole_response(client).startswith(b"HTTP/1.1 200 ")
        client.sendall(REQUEST[:9])
        assert client.recv(1000) == b""


def test_an_answer_that_is_not_read_is_dropped(hasty: int) -> None:
    large = "/api/docs/swagger-ui-bundle.js"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", hasty))
        client.sendall(f"GET {large} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(1.5)
        taken = b"".join(iter(lambda: client.recv(65_536), b""))
    whole = len(httpx.get(f"http://127.0.0.1:{hasty}{large}").content)
    assert taken.startswith(b"HTTP/1.1 200 ")
    assert len(taken) < whole  # a client that takes it gets all of it


def test_a_body_that_drips_after_its_answer_is_not_waited_for(hasty: int) -> None:
    with connected(hasty) as client:
        client.sendall(b"POST /api/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n")
        assert client.recv(10_000).startswith(b"HTTP/1.1 404 ")
        assert any(refused_letter(client, letter) for letter in b"a" * 200)


def test_a_body_that_ends_after_its_answer_keeps_the_connection(hasty: int) -> None:
    with connected(hasty) as client:
        client.sendall(b"POST /api/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        assert whole_response(client).startswith(b"HTTP/1.1 404 ")
        client.sendall(b"a" * 9)
        for _ in range(2):
            client.sendall(REQUEST)
            assert whole_response(client).startswith(b"HTTP/1.1 200 ")
            time.sleep(2 * Hasty.linger_seconds)


UPLOAD = b"POST /api/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"


class Patient(TimeoutH11Protocol):
    head_seconds = 60.0
    hold_seconds = 30.0


@pytest.fixture
def patient() -> Iterator[tuple[int, list[str]]]:
    """The port of a server that looks at dripping uploads late, and the paths that its application heard of."""
    paths: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            paths.append(scope["path"])
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})

    with serving(uvicorn.Config(application, http=Patient, log_config=None, lifespan="off")) as port:
        yield port, paths


@pytest.mark.parametrize("body", [b"", b"a", b"a" * 1000], ids=len)
def test_dripping_uploads_cost_the_application_nothing(patient: tuple[int, list[str]], body: bytes) -> None:
    port, paths = patient
    with connected(port) as client:
        client.sendall(UPLOAD + body)
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(100)
        assert not paths
        client.settimeout(20)
        client.sendall(b"a" * 3000)
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        UPLOAD.replace(b"100000", b"9") + b"a" * 9,
        UPLOAD.replace(b"Content-Length", b"Expect: 100-continue\r\nContent-Length"),
        UPLOAD.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\n\r\n",
        UPLOAD.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked\r\nExpect: 100-continue"),
        REQUEST.replace(b"\r", b""),
    ],
    ids=["no body", "whole body", "waits for us", "chunks", "chunks that wait for us", "bare line ends"],
)
def test_requests_that_wait_for_us_are_answered_at_once(patient: tuple[int, list[str]], request_: bytes) -> None:
    with connected(patient[0]) as client:
        for letter in (request_[:30], request_[30:]):
            client.sendall(letter)
            time.sleep(0.05)
        client.settimeout(10)
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_more_connections_wait_than_are_accepted_at_once() -> None:
    """Else the system of the client asks again only after a second."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        time.sleep(2)  # the event loop stands still

    config = uvicorn.Config(application, http=Hasty, loop=LOOP, backlog=4, log_config=None, lifespan="off")
    with serving(config) as port, ExitStack() as opened:
        opened.enter_context(connected(port)).sendall(REQUEST)
        time.sleep(0.3)
        for _ in range(100):
            client = opened.enter_context(socket.socket())
            client.settimeout(0.5)
            client.connect(("127.0.0.1", port))


class Crowded(Hasty):
    head_seconds = 60.0
    most_open = 8


@pytest.fixture
def crowded() -> Iterator[int]:
    """The port of a server of eight places, which has WebSockets too."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
        else:
            await rest(scope, receive, send)

    rest = app.application()
    config = uvicorn.Config(
        application,
        http=Crowded,
        ws="websockets-sansio",
        log_config=None,
        timeout_keep_alive=keep_alive({}),  # with uvicorn's 5 s a busy machine closes a client for another reason
    )
    with serving(config) as port:
        yield port


def test_more_connections_than_places_close_those_that_wait(crowded: int) -> None:
    """The longest-open one goes first, and a whole request is answered meanwhile."""
    clients = [connected(crowded) for _ in range(20)]
    for client in clients:
        client.sendall(REQUEST[:-2])
    assert httpx.get(f"http://127.0.0.1:{crowded}/api/health").status_code == 200
    clients[-1].sendall(REQUEST[-2:])
    assert clients[-1].recv(100).startswith(b"HTTP/1.1 200 ")
    assert [is_closed(client) for client in clients[:12]] == [True] * 12
    for client in clients:
        client.close()


def accepted(port: int) -> socket.socket:
    """Connect, and wait until the server knows: it may answer another client before it enters this one."""
    before = len(Crowded.undelayed)
    client = connected(port)
    until(lambda: len(Crowded.undelayed) > before)
    return client


def test_a_client_that_asks_keeps_its_place(crowded: int) -> None:
    """However long its connection has been open: those go that have waited longer since they were last answered."""
    with accepted(crowded) as client, ExitStack() as opened:
        for _ in range(5):
            client.sendall(REQUEST)
            assert whole_response(client).startswith(b"HTTP/1.1 200 ")
            for _ in range(Crowded.most_open - 2):
                opened.enter_context(accepted(crowded)).sendall(REQUEST[:-2])
        client.sendall(REQUEST)
        assert whole_response(client).startswith(b"HTTP/1.1 200 ")


def test_websockets_count_and_leave_room_for_requests(crowded: int) -> None:
    """The oldest one goes where all places are WebSockets; one that was closed takes no place."""
    address = f"ws://127.0.0.1:{crowded}"
    with ExitStack() as opened:
        websockets = [opened.enter_context(connect(address)) for _ in range(Crowded.most_open)]
        websockets[3].close()
        assert httpx.get(f"http://127.0.0.1:{crowded}/api/health").status_code == 200
        websockets[0].ping().wait(5)
        opened.enter_context(connect(address))
        assert httpx.get(f"http://127.0.0.1:{crowded}/api/health").status_code == 200
        with pytest.raises(ConnectionClosed):
            websockets[0].recv(timeout=5)
        assert websockets[1].ping().wait(5)


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_too_many_open_files_are_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async def flood() -> None:
        quiet_accept_errors()
        loop = asyncio.get_running_loop()
        for _ in range(1000):
            loop.call_exception_handler({"message": "socket.accept() out of system resource"})
        loop.call_exception_handler({"message": "something else"})

    asyncio.run(flood())
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "No more connections can be accepted",
        "something else",
    ]


# Behind a proxy.


async def origin(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with where a request seems to come from."""
    body = json.dumps([scope["client"][0], scope["scheme"]]).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def behind(port: int, forwarded: str) -> list[str]:
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    seen: list[str] = httpx.get(f"http://127.0.0.1:{port}", headers=headers, timeout=60).json()
    return seen


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        ("", "203.0.113.7", ["203.0.113.7", "https"]),
        ("", "192.0.2.1, 203.0.113.7", ["203.0.113.7", "https"]),  # the client's own invention comes first
        ("127.0.0.0/8, 10.0.0.0/8", "203.0.113.7, 10.1.2.3", ["203.0.113.7", "https"]),
        ("10.0.0.0/8, ::1", "203.0.113.7", ["127.0.0.1", "http"]),
        ("127.0.0.2", "127.0.0.2", ["127.0.0.1", "http"]),
    ],
)
def test_only_trusted_proxies_say_who_asks(
    monkeypatch: pytest.MonkeyPatch, proxies: str, forwarded: str, seen: list[str]
) -> None:
    monkeypatch.setenv("SCALP_TRUSTED_PROXIES", proxies)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own variable opens nothing
    with serving(uvicorn.Config(origin, lifespan="off", log_config=None, **connection_options())) as port:
        assert behind(port, forwarded) == seen


@pytest.mark.parametrize(("seconds", "pause", "kept"), [("", 6.0, True), ("1", 3.0, False)])
def test_connections_are_kept_longer_than_a_proxy_s(
    monkeypatch: pytest.MonkeyPatch, seconds: str, pause: float, kept: bool
) -> None:
    """By default for 75 s: the option is compared, and more than uvicorn's 5 s is waited for."""
    monkeypatch.setenv("SCALP_KEEP_ALIVE", seconds)
    config = uvicorn.Config(origin, lifespan="off", log_config=None, **connection_options())
    assert config.timeout_keep_alive == int(seconds or 75)
    limits = httpx.Limits(keepalive_expiry=60)  # of the client itself
    with serving(config) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=limits) as client:
        sockets = [client.get("/").extensions["network_stream"].get_extra_info("socket")]
        time.sleep(pause)
        sockets.append(client.get("/").extensions["network_stream"].get_extra_info("socket"))
    assert (sockets[0] is sockets[1]) is kept


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "3601", "７５", "forever"])
def test_pauses_without_sense_are_refused(text: str) -> None:
    with pytest.raises(ScalpError, match=r"SCALP_KEEP_ALIVE: “.*” is no number of seconds from 1 to 3600"):
        keep_alive({"SCALP_KEEP_ALIVE": text})


@pytest.mark.parametrize("text", ["*", "proxy.example.com", "10.0.0.1/8", "10.0.0.256", "10.0.0.5 10.0.0.6"])
def test_proxies_without_an_address_are_refused(text: str) -> None:
    with pytest.raises(ScalpError, match=r"SCALP_TRUSTED_PROXIES: “.*” is neither an address nor a network"):
        trusted_proxies({"SCALP_TRUSTED_PROXIES": text})
    assert trusted_proxies({}) == ["127.0.0.1", "::1"]
