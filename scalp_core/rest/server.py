"""Serves the application alone, by one process or several: uvicorn, with deadlines for slow clients."""

import asyncio
import logging
import os
import socket
import sys

import h11
import uvicorn
import uvicorn.config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.supervisors import Multiprocess

from scalp_core.access import access, is_exposed
from scalp_core.errors import ScalpError
from scalp_core.parallel import ignore_sigint

MAX_WORKERS = 64

_APPLICATION = "scalp_core.rest.app:api"  # imported by every worker for itself
_MAX_CONNECTIONS = 512  # of a worker; further ones are answered 503 at once
_STOP_SECONDS = 30  # for requests that are under way
_BACKLOG = 1024  # connections that wait to be accepted

_log = logging.getLogger("uvicorn.error")  # uvicorn's own lines go there


def serve(host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or Ctrl-C; exit with a message where the address cannot be listened on."""
    check_access(host)
    try:
        listening = listen(host, port)
    except OSError as error:
        where = f"{host}, port {port}"
        sys.exit(f"Cannot listen on {where}: {error.strerror}. Choose another --host or --port.")
    os.environ["WEB_CONCURRENCY"] = str(workers)  # read by uvicorn and by executor.share_of_cores
    config = uvicorn.Config(
        _APPLICATION,
        http=TimeoutH11Protocol,
        ws="none",
        workers=workers,
        access_log=False,  # the application has its own, which names no query
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    _log.info("Listening on http://%s:%d, %d at work", host, port, workers)
    if workers == 1:
        uvicorn.Server(config).run([listening])
    else:
        _Workers(config, [listening]).run()


def check_access(host: str) -> None:
    """Exit where the access settings make no sense; warn where others may reach this server and change things."""
    try:
        settings = access()
    except ScalpError as error:
        sys.exit(str(error))
    if is_exposed(host, settings):
        _log.warning(
            "ANYONE who reaches %s can use this server: it listens beyond this machine, without a token. "
            "Set SCALP_TOKEN, or SCALP_READ_ONLY=1.",
            host,
        )


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
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


class TimeoutH11Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 with the deadlines it lacks: for request heads that do not come and answers not taken.

    Attributes:
        head_seconds: from the connection, or the first byte of a later request, to the end of the request's head.
        read_seconds: without the client taking any of an answer that waits for it.
    """

    head_seconds = 10.0
    read_seconds = 30.0

    _head: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does so only for sockets that were made as TCP, which Streamlit's is not. With Nagle's algorithm on,
        # every answer on a kept connection waits 40 ms for the client's system to acknowledge the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._head, self._reading):
            if timer:
                timer.cancel()

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


def use_timeout_protocol() -> None:
    """Make the protocol uvicorn's default, for servers of this process whose settings are not ours."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{TimeoutH11Protocol.__name__}"
