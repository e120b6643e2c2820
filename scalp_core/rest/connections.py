"""What uvicorn lacks in its connections: deadlines for clients that say nothing, or listen to nothing."""

import asyncio
import socket

import h11
import uvicorn.config
from uvicorn.protocols.http.h11_impl import H11Protocol


class TimeoutH11Protocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, for clients that say what they want and take what they get, and without waiting.

    Attributes:
        head_seconds: within which the head of a request has to be there, from its first byte or the connection on.
        read_seconds: within which a client has to take some of an answer that waits for it.
    """

    head_seconds = 10.0
    read_seconds = 30.0

    _head: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does so only for sockets that were made as TCP, which Streamlit's is not. With Nagle's algorithm on,
        # every answer on a kept connection waits 40 ms for the client's system to say that it got the head.
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
        """Between requests uvicorn's own keep-alive counts; a body's time is the application's."""
        waiting = self.conn.their_state is h11.IDLE
        if waiting and self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self.transport.close)
        if not waiting and self._head:
            self._head.cancel()
            self._head = None

    def _watch_reading(self) -> None:
        waits = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(self.read_seconds, self._check_reading, waits)

    def _check_reading(self, waited: int) -> None:
        if self.transport.get_write_buffer_size() < waited:
            self._watch_reading()
        else:
            self.transport.abort()


def use_timeout_protocol() -> None:
    """For servers of this process whose settings are not ours: uvicorn looks its default protocol up in this table."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{TimeoutH11Protocol.__name__}"
