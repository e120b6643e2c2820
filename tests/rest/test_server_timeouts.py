"""Deadlines of connections: half heads, unread answers, pauses."""

import asyncio
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

from scalp_core.rest import app
from scalp_core.rest.server import LOOP, TimeoutH11Protocol, listen, quiet_accept_errors


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
        response += client.recv(10_000)
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
    with serving(uvicorn.Config(application, http=Crowded, ws="websockets-sansio", log_config=None)) as port:
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


def test_a_client_that_asks_keeps_its_place(crowded: int) -> None:
    """However long its connection has been open: those go that have waited longer since they were last answered."""
    with connected(crowded) as client, ExitStack() as opened:
        for _ in range(5):
            client.sendall(REQUEST)
            assert whole_response(client).startswith(b"HTTP/1.1 200 ")
            for _ in range(Crowded.most_open - 2):
                opened.enter_context(connected(crowded)).sendall(REQUEST[:-2])
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
