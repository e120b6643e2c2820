"""Serves the application alone, by one process or several: uvicorn, with deadlines for slow clients."""

import asyncio
import gc
import logging
import os
import re
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from ipaddress import ip_network
from typing import Any, ClassVar, TypeVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.supervisors import Multiprocess

from scalp_core.access import access, bad_setting, is_exposed, setting_entries
from scalp_core.base_path import base_path
from scalp_core.errors import ScalpError
from scalp_core.parallel import ignore_sigint

MAX_WORKERS = 64

# Imported by every worker for itself.
LOOP = "scalp_core.rest.server:LongQueueEventLoop"
_APPLICATION = "scalp_core.rest.app:api"

_MAX_CONNECTIONS = 512  # of a process, at most
_ACCEPT_LOG_SECONDS = 60.0
_KEEP_ALIVE_SECONDS = 75  # between requests; proxies in front keep their connections for 60 s as a rule
_MAX_KEEP_ALIVE_SECONDS = 3600
_TRUSTED_PROXIES = ("127.0.0.1", "::1")
_STOP_SECONDS = 30  # for requests that are under way
_MAX_ACCEPTED = 64  # connections in one turn of the event loop
_QUEUE = 4096  # connections that wait to be accepted; the system takes fewer where its own limit is lower
_BEGUN = 2048  # bytes of a body, or of a head, that show that more is coming
_HEAD_END = re.compile(rb"\n\r?\n")  # as h11 takes it
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,9})")

_log = logging.getLogger("uvicorn.error")  # uvicorn's own lines go there

Value = TypeVar("Value")


def serve(host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or Ctrl-C; exit with a message where the address cannot be listened on."""
    check_settings(host)
    try:
        listening = listen(host, port)
    except OSError as error:
        where = f"{host}, port {port}"
        sys.exit(f"Cannot listen on {where}: {error.strerror}. Choose another --host or --port.")
    os.environ["WEB_CONCURRENCY"] = str(workers)  # read by uvicorn and by executor.share_of_cores
    config = uvicorn.Config(
        _APPLICATION,
        ws="none",
        workers=workers,
        access_log=False,  # the application has its own, which names no query
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        **setting(connection_options),
    )
    _log.info("Listening on http://%s:%d, %d at work", host, port, workers)
    if workers == 1:
        _import_application()
        uvicorn.Server(config).run([listening])
    else:
        _Workers(config, [listening]).run()


def _import_application() -> None:
    """Import the application without collections of garbage, which take a sixth of that time and find none.

    What is imported stays, and is left out of later collections too.
    """
    gc.disable()
    import_module(_APPLICATION.partition(":")[0])
    gc.freeze()
    gc.enable()


def check_settings(host: str) -> None:
    """Exit where the settings make no sense; warn where others may reach this server and change things."""
    setting(base_path)
    settings = setting(access)
    if is_exposed(host, settings):
        _log.warning(
            "ANYONE who reaches %s can use this server: it listens beyond this machine, without a token. "
            "Set SCALP_TOKEN, or SCALP_READ_ONLY=1.",
            host or "this machine",
        )


def setting(read: Callable[[], Value]) -> Value:
    """Return what a function reads from the settings; exit with its sentence where they make no sense."""
    try:
        return read()
    except ScalpError as error:
        sys.exit(str(error))


def connection_options() -> dict[str, Any]:
    """Return what uvicorn must know of connections, for REST alone and for the dashboard.

    Raises:
        ScalpError: `bad_setting`.
    """
    return {
        "http": TimeoutH11Protocol,
        "loop": LOOP,
        "backlog": _most_accepted(),
        "timeout_keep_alive": keep_alive(),
        "proxy_headers": True,
        "forwarded_allow_ips": trusted_proxies(),
    }


def keep_alive(environment: Mapping[str, str] = os.environ) -> int:
    """Return for how many seconds a connection may wait for its next request: `SCALP_KEEP_ALIVE`.

    It must be longer than a proxy's: one that sends a request just when we close the connection answers 502.

    Raises:
        ScalpError: `bad_setting`.
    """
    text = environment.get("SCALP_KEEP_ALIVE", "").strip() or str(_KEEP_ALIVE_SECONDS)
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_KEEP_ALIVE_SECONDS):
        raise bad_setting(
            "SCALP_KEEP_ALIVE",
            f"“{text[:20]}” is no number of seconds from 1 to {_MAX_KEEP_ALIVE_SECONDS}",
            f"“{text[:20]}”은(는) 1에서 {_MAX_KEEP_ALIVE_SECONDS}까지의 초가 아니에요",
        )
    return int(text)


def trusted_proxies(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: `SCALP_TRUSTED_PROXIES`.

    Raises:
        ScalpError: `bad_setting`; uvicorn would take what is no address for a name that never matches.
    """
    proxies = setting_entries(environment, "SCALP_TRUSTED_PROXIES")
    for entry in proxies:
        try:
            ip_network(entry)
        except ValueError as error:
            raise bad_setting(
                "SCALP_TRUSTED_PROXIES",
                f"“{entry}” is neither an address nor a network; write 10.0.0.5,10.1.0.0/16",
                f"“{entry}”은(는) 주소도 네트워크도 아니에요. 10.0.0.5,10.1.0.0/16처럼 쓰세요",
            ) from error
    return proxies or list(_TRUSTED_PROXIES)


def most_connections() -> int:
    """Return how many connections a process may have: half of its files, the other half is for what it reads."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(_MAX_CONNECTIONS, files // 2)


class _Workers(Multiprocess):
    """uvicorn's workers, deaf to Ctrl-C until they serve: during their imports it would be a traceback."""

    def init_processes(self) -> None:
        with ignore_sigint():
            super().init_processes()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, for one process or several.

    Raises:
        OSError: no such host, not an address of this machine, taken, not allowed.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_QUEUE)
    except OSError:
        listening.close()
        raise
    return listening


class LongQueueEventLoop(asyncio.SelectorEventLoop):
    """An event loop that lets more connections wait than it accepts in one turn, for which asyncio takes one number.

    Who finds the queue full is not refused: its system asks again after one second, then two, then four.
    """

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        server = await super().create_server(*args, **options)
        if listening := options.get("sock"):
            listening.listen(_QUEUE)
        return server


class TimeoutH11Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 with the limits it lacks: for heads, bodies and readers that are slow, and for connections.

    Attributes:
        head_seconds: from the connection, or the first byte of a later request, to the end of the request's head.
        hold_seconds: from the first byte of a connection until the application hears of a request that has hardly
            begun. In a flood of uploads that drip most are closed before, at a tenth of the cost.
        read_seconds: without the client taking any of an answer that waits for it.
        linger_seconds: from the end of an answer to that of a body which the answer did not wait for.
        most_open: connections of this process, WebSockets among them. One more closes the one that has waited longest
            for its client, of the address that has the most; where none waits, the oldest WebSocket by the same rule.
    """

    head_seconds = 10.0
    hold_seconds = 3.0
    read_seconds = 30.0
    linger_seconds = 2.0
    most_open = most_connections()

    # By address, those first that have waited longest since they opened or were last answered.
    _open: ClassVar[dict[str, dict[asyncio.Transport, "TimeoutH11Protocol"]]] = {}
    _websockets: ClassVar[dict[asyncio.Transport, str]] = {}  # the oldest first, with their addresses
    _address = ""
    _held: bytes | None = b""  # received, but not handed on yet; None once the first request was
    _holding: asyncio.TimerHandle | None = None
    _head: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _lingering: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._enter()
        self._make_room()
        # asyncio does so only for sockets that were made as TCP, which Streamlit's is not. With Nagle's algorithm on,
        # every answer on a kept connection waits 40 ms for the client's system to acknowledge the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        if self._held is not None:
            self._held += data
            if not _has_begun(self._held):
                self._holding = self._holding or self.loop.call_later(self.hold_seconds, self._hand_on)
                return
            data, self._held = self._held, None
        super().data_received(data)
        self._watch_head()

    def _hand_on(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self.data_received(held)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._leave()
        for timer in (self._head, self._holding, self._reading, self._lingering):
            if timer:
                timer.cancel()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._leave()
        self._websockets[self.transport] = self._address
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._leave():
            self._enter()  # behind those that have waited longer
        # uvicorn would wait for the rest of the body as long as a byte comes now and then.
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._lingering = self.loop.call_later(self.linger_seconds, self._end_lingering, self.cycle)

    def _end_lingering(self, answered: RequestResponseCycle) -> None:
        if self.cycle is answered and self.conn.their_state is h11.SEND_BODY:  # and no later request
            self.transport.close()

    def _enter(self) -> None:
        self._open.setdefault(self._address, {})[self.transport] = self

    def _leave(self) -> bool:
        """Give the place up; return whether there was one."""
        connections = self._open.get(self._address, {})
        had_place = connections.pop(self.transport, None) is not None
        if had_place and not connections:
            del self._open[self._address]
        return had_place

    def _make_room(self) -> None:
        """Close a connection whose client keeps us waiting; without one a WebSocket; without either this one."""
        if self._taken() <= self.most_open:
            return
        for transport in [transport for transport in self._websockets if transport.is_closing()]:
            del self._websockets[transport]  # their protocol is no longer this one, which would have seen them go
        if self._taken() <= self.most_open:
            return
        waiting = self._longest_waiting()
        if waiting or not self._websockets:
            victim = waiting or self
            victim._leave()
            victim.transport.abort()
        else:
            self._close_websocket()

    def _taken(self) -> int:
        return sum(map(len, self._open.values())) + len(self._websockets)

    def _longest_waiting(self) -> "TimeoutH11Protocol | None":
        """Return the connection in question of the address that has the most; a flood meets it first in line."""
        for connections in sorted(self._open.values(), key=len, reverse=True):
            for protocol in connections.values():
                if protocol is not self and _waits_for_client(protocol):
                    return protocol
        return None

    def _close_websocket(self) -> None:
        held = Counter(self._websockets.values())
        victim = max(self._websockets, key=lambda transport: held[self._websockets[transport]])
        del self._websockets[victim]
        victim.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading:
            self._reading.cancel()

    def _watch_head(self) -> None:
        """Start or stop the head's timer. Between requests uvicorn's keep-alive counts, for a body the application."""
        waiting = self.conn.their_state is h11.IDLE
        if waiting and self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self.transport.close)
        if not waiting and self._head:
            self._head.cancel()
            self._head = None

    def _watch_reading(self) -> None:
        buffered = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(self.read_seconds, self._check_reading, buffered)

    def _check_reading(self, buffered: int) -> None:
        if self.transport.get_write_buffer_size() < buffered:
            self._watch_reading()
        else:
            self.transport.abort()


def _has_begun(received: bytes) -> bool:
    """Return whether a request is complete, waits for us, or has brought enough to be taken for more than a drip.

    It decides when h11 reads the request, not how: all bytes are handed on as they came.
    """
    end = _HEAD_END.search(received)
    if not end:
        return len(received) >= _BEGUN
    fields, body = received[: end.start()].lower(), received[end.end() :]
    if len(body) >= _BEGUN or b"\nexpect:" in fields:
        return True
    if b"\ntransfer-encoding:" in fields:
        return body.endswith(b"0\r\n\r\n")
    length = _LENGTH.search(fields)
    return not length or len(body) >= int(length[1])


def _waits_for_client(protocol: H11Protocol) -> bool:
    """Return whether a connection has no whole request at the moment."""
    return protocol.conn.their_state in (h11.IDLE, h11.SEND_BODY)


def quiet_accept_errors() -> None:
    """Let the running loop say at most once a minute that no more connections can be accepted.

    asyncio says so for every connection that waits, thousands a second (155 MB of log in 36 s), and then goes on.
    """
    loop = asyncio.get_running_loop()
    logged_at = -_ACCEPT_LOG_SECONDS

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal logged_at
        if "out of system resource" not in context.get("message", ""):
            loop.default_exception_handler(context)
        elif time.monotonic() - logged_at >= _ACCEPT_LOG_SECONDS:
            logged_at = time.monotonic()
            _log.error("No more connections can be accepted: too many open files. Said once a minute.")

    loop.set_exception_handler(handle)


def limit_streamlit_server() -> None:
    """Give the server of Streamlit's runner our options of connections, which the runner cannot hand on, or exit."""
    limited = partial(uvicorn.Config, **setting(connection_options))
    uvicorn.Config = limited  # type: ignore[misc, assignment]


def _most_accepted() -> int:
    """Return how many connections are accepted in one turn: a burst must not use up the files."""
    return min(_MAX_ACCEPTED, most_connections() // 2)
