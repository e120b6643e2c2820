"""What every request passes before any route: id, limits of the body, headers, one line in the log, the counters.

Plain ASGI, as it has to see the bytes before anybody parses them. Knows no route and no picture.
"""

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scalp_core.errors import ScalpError
from scalp_core.rest.error_handlers import error_response, set_headers
from scalp_core.rest.prometheus import RequestMetrics

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# Asked every few seconds by machines: whoever wants to see these sets the level to DEBUG.
_POLLED = frozenset({"/api/health", "/api/ready", "/api/metrics"})


@dataclass
class RequestContext:
    """What is known of a request that goes on; routes add to it.

    Attributes:
        id: the client's own if it is a sane one.
        route: one of the routes' addresses, or `other`: never what a client made up.
        bytes: of the body, as far as it came.
        runs: ids of those that answered.
        outcome: `answered`, or the code of what was refused.
        pictures: what became of each; never a file name.
    """

    id: str
    route: str
    bytes: int = 0
    runs: list[str] = field(default_factory=list)
    outcome: str = "answered"
    pictures: list[dict[str, Any]] = field(default_factory=list)

    def line(self, status: int, seconds: float) -> str:
        """One line of JSON."""
        told: dict[str, Any] = {
            "id": self.id,
            "route": self.route,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "bytes": self.bytes,
            "runs": self.runs,
            "outcome": self.outcome,
        }
        return json.dumps(told | ({"pictures": self.pictures} if self.pictures else {}))


class RequestLogMiddleware:
    """Outermost: an id for every request, headers for every answer, a line and a count for both.

    What a route sets in the answer's headers stays.
    """

    def __init__(self, app: ASGIApp, routes: frozenset[str], request_metrics: RequestMetrics) -> None:
        self.app, self.routes, self.request_metrics = app, routes, request_metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"]
        context = RequestContext(_id_of(Headers(scope=scope)), path if path in self.routes else "other")
        scope.setdefault("state", {})["context"] = context
        began, status = time.perf_counter(), 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                set_headers(MutableHeaders(scope=message), context.id)
            await send(message)

        # Around everything, also what answers after a failure.
        try:
            await self.app(scope, receive, framed)
        finally:
            if not status:  # what failed passes through here and is answered further out
                status, context.outcome = 500, "internal_error"
            seconds = time.perf_counter() - began
            self.request_metrics.answered(context.route, status, seconds)
            level = logging.DEBUG if context.route in _POLLED and status < 400 else logging.INFO
            log.log(level, "%s", context.line(status, seconds))


def _id_of(headers: Headers) -> str:
    asked = headers.get("x-request-id", "")
    return asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(8)


@dataclass(frozen=True)
class BodyLimits:
    """What the body of a request may be.

    Attributes:
        pictures: the bytes that its pictures may have together.
        seconds: within which all of it has to be there; the server itself would wait for ever.
    """

    pictures: int
    seconds: float

    @property
    def bytes(self) -> int:
        """With what a form adds: boundaries, part headers and a few short fields."""
        return self.pictures + 64 * 2**10


class BodyLimitMiddleware:
    """Ends bodies that are too large, announced or streamed, or too slow, before and while they are read."""

    def __init__(self, app: ASGIApp, usual: BodyLimits, others: Mapping[str, BodyLimits]) -> None:
        self.app, self.usual, self.others = app, usual, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        context: RequestContext = scope["state"]["context"]
        body = self.others.get(context.route, self.usual)
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > body.bytes:
            context.outcome = "too_large"
            return await error_response(_too_large(body), context.id)(scope, receive, send)
        return await self.app(scope, _guarded(receive, body, context), send)


def _guarded(receive: Receive, body: BodyLimits, context: RequestContext) -> Receive:
    """`receive` that raises ScalpError `too_large` or `too_slow`."""
    deadline, complete = time.monotonic() + body.seconds, False

    async def guarded() -> Message:
        nonlocal complete
        if complete:  # from now on this only waits for the client to leave
            return await receive()
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                message = await receive()
        except TimeoutError as error:
            raise _too_slow(body) from error
        context.bytes += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if context.bytes > body.bytes:
            raise _too_large(body)
        return message

    return guarded


def _too_large(body: BodyLimits) -> ScalpError:
    megabytes = body.pictures // 2**20
    return ScalpError(
        "too_large",
        f"The request is too large: its pictures may have at most {megabytes} MB. Send less.",
        f"요청이 너무 커요. 사진은 모두 합해 {megabytes} MB까지 보낼 수 있어요. 크기를 줄여 보내세요.",
    )


def _too_slow(body: BodyLimits) -> ScalpError:
    return ScalpError(
        "too_slow",
        f"The request did not arrive within {body.seconds:.0f} seconds. Send less or try again.",
        f"{body.seconds:.0f}초 안에 요청이 도착하지 않았어요. 크기를 줄이거나 다시 시도하세요.",
    )
