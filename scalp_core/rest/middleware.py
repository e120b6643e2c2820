"""Middleware around every route: base path, request id, limits of the body, headers, one log line, the counters.

Plain ASGI, as it has to see the bytes before they are parsed.
"""

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scalp_core.base_path import base_path
from scalp_core.errors import ScalpError
from scalp_core.images import MAX_BYTES
from scalp_core.rest.error_handlers import error_response, not_found, set_headers
from scalp_core.rest.prometheus import RequestMetrics

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_FORM_OVERHEAD = 64 * 2**10  # bytes that a form adds: boundaries, part headers and a few short fields
# Requested every few seconds by machines, so logged at DEBUG.
HEALTH = "/api/health"
_POLLED = frozenset({HEALTH, "/api/ready", "/api/metrics"})


class BasePathMiddleware:
    """Outermost: takes the base path off addresses, so that all else is as without one; 404 for every other address.

    Health answers without it as well, to the checks of containers, which know no proxy.
    """

    def __init__(self, app: ASGIApp, base: Callable[[], str] = base_path) -> None:
        self.app, self.base = app, base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        base = self.base()
        if scope["type"] != "http" or not base or scope["path"] == HEALTH:
            return await self.app(scope, receive, send)
        if not scope["path"].startswith(f"{base}/"):
            request_id = _id_of(Headers(scope=scope))
            response = error_response(not_found(), request_id)
            set_headers(response.headers, request_id)
            return await response(scope, receive, send)
        scope.setdefault("state", {})  # shared with the handler of unexpected errors, which stands outside
        return await self.app({**scope, "path": scope["path"].removeprefix(base)}, receive, send)


@dataclass
class RequestContext:
    """Facts of one request for its log line; routes add to them.

    Attributes:
        id: the client's own if it is a sane one.
        route: one of the routes' addresses, or `other`: never a client's invention.
        bytes: of the body, as far as it came.
        runs: ids of those that answered.
        outcome: `answered`, or the code of the refusal.
        pictures: facts of each; never a file name.
    """

    id: str
    route: str
    bytes: int = 0
    runs: list[str] = field(default_factory=list)
    outcome: str = "answered"
    pictures: list[dict[str, Any]] = field(default_factory=list)

    def line(self, status: int, seconds: float) -> str:
        """Return the log line, JSON."""
        facts: dict[str, Any] = {
            "id": self.id,
            "route": self.route,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "bytes": self.bytes,
            "runs": self.runs,
            "outcome": self.outcome,
        }
        return json.dumps(facts | ({"pictures": self.pictures} if self.pictures else {}))


class RequestLogMiddleware:
    """An id for every request, headers for every answer, a log line and a count for both.

    Headers that a route set itself stay.
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

        # Around everything, also the handler that answers after a failure.
        try:
            await self.app(scope, receive, framed)
        finally:
            if not status:  # an unexpected error passes through here and is answered further out
                status, context.outcome = 500, "internal_error"
            seconds = time.perf_counter() - began
            self.request_metrics.answered(context.route, status, seconds)
            level = logging.DEBUG if context.route in _POLLED and status < 400 else logging.INFO
            log.log(level, "%s", context.line(status, seconds))


def _id_of(headers: Headers) -> str:
    client_id = headers.get("x-request-id", "")
    return client_id if _REQUEST_ID.fullmatch(client_id) else secrets.token_hex(8)


class HeadMiddleware:
    """Answers HEAD wherever GET is answered: the same status and headers, no body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self.app(scope, receive, send)

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        return await self.app({**scope, "method": "GET"}, receive, send_without_body)


@dataclass(frozen=True)
class BodyLimits:
    """Size and time that the body of a request may take.

    Attributes:
        pictures: bytes of its pictures together.
        seconds: until all of it has arrived; the server itself would wait for ever.
    """

    pictures: int
    seconds: float

    @property
    def bytes(self) -> int:
        """Size of the whole body."""
        return self.pictures + _FORM_OVERHEAD


PICTURE_BODY = BodyLimits(MAX_BYTES, seconds=30.0)
BATCH_BODY = BodyLimits(64 * 2**20, seconds=90.0)


class BodyLimitMiddleware:
    """Refuses bodies that are too large, announced or streamed, or too slow, before and while they are read."""

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
            return await error_response(too_large(body), context.id)(scope, receive, send)
        return await self.app(scope, _guarded(receive, body, context), send)


def _guarded(receive: Receive, body: BodyLimits, context: RequestContext) -> Receive:
    """Return a `receive` that raises ScalpError `too_large` or `too_slow`."""
    deadline, complete = time.monotonic() + body.seconds, False

    async def guarded() -> Message:
        nonlocal complete
        if complete:  # from now on this only waits for the client to leave
            return await receive()
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                message = await receive()
        except TimeoutError as error:
            raise too_slow(body) from error
        context.bytes += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if context.bytes > body.bytes:
            raise too_large(body)
        return message

    return guarded


def too_large(body: BodyLimits) -> ScalpError:
    """Return the error of a body over these limits."""
    megabytes = body.pictures // 2**20
    return ScalpError(
        "too_large",
        f"The request is too large: its pictures may have at most {megabytes} MB. Send less.",
        f"요청이 너무 커요. 사진은 모두 합해 {megabytes} MB까지 보낼 수 있어요. 크기를 줄여 보내세요.",
    )


def too_slow(body: BodyLimits) -> ScalpError:
    """Return the error of a body that took longer than these limits allow."""
    return ScalpError(
        "too_slow",
        f"The request did not arrive within {body.seconds:.0f} seconds. Send less or try again.",
        f"{body.seconds:.0f}초 안에 요청이 도착하지 않았어요. 크기를 줄이거나 다시 시도하세요.",
    )
