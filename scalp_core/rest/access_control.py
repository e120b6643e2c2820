"""Access control: foreign hosts, foreign origins and missing tokens are refused before anything else; CORS.

`scalp_core.access` reads the settings. Plain ASGI, so that it guards REST, pages and WebSockets alike.
"""

import secrets
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from scalp_core.access import Access, access
from scalp_core.errors import ScalpError
from scalp_core.rest.error_handlers import error_response, set_headers

Settings = Callable[[], Access]

# What a front end of another origin may send, and read of an answer beside its body.
_CORS_METHODS = ("GET", "HEAD", "POST")
_CORS_REQUEST_HEADERS = ("Authorization", "X-API-Key", "X-Request-ID")
_CORS_RESPONSE_HEADERS = ("Retry-After", "WWW-Authenticate", "X-Request-ID")


class HostMiddleware:
    """Refuse foreign hosts with 400, foreign origins with 403; WebSockets before they are accepted.

    Attributes:
        is_shared: tells the requests that front ends of `SCALP_CORS_ORIGINS` may make.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings = access, is_shared: Callable[[Scope], bool] = lambda _scope: False
    ) -> None:
        self.app, self.settings, self.is_shared = app, settings, is_shared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        if refusal := self._refusal(scope):
            return await _refuse(scope, receive, send, refusal)
        return await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ScalpError | None:
        headers, settings = Headers(scope=scope), self.settings()
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        local_address = (scope.get("server") or ("", None))[0]
        if len(hosts) != 1 or not settings.answers_to(hosts[0], local_address):
            return foreign_host()
        if not origins:
            return None
        is_own = len(origins) == 1 and settings.accepts_origin(origins[0], hosts[0])
        is_listed = len(origins) == 1 and settings.shares_with(origins[0]) and self.is_shared(scope)
        return None if is_own or is_listed else foreign_origin()


class CorsMiddleware:
    """Let pages of `SCALP_CORS_ORIGINS` read answers, and answer their preflights, which carry no token.

    Without credentials: REST knows no cookies, and a page sends the token as a header of its own.
    """

    def __init__(self, app: ASGIApp, settings: Settings = access) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self.settings()
        if scope["type"] != "http" or not settings.shares_with(Headers(scope=scope).get("origin", "")):
            return await self.app(scope, receive, send)
        shared = CORSMiddleware(
            self.app,
            allow_origins=settings.cors_origins,
            allow_methods=_CORS_METHODS,
            allow_headers=_CORS_REQUEST_HEADERS,
            expose_headers=_CORS_RESPONSE_HEADERS,
        )
        return await shared(scope, receive, send)


class TokenMiddleware:
    """Ask for the token, as `Authorization: Bearer TOKEN` or `X-API-Key: TOKEN`, everywhere but at open addresses."""

    def __init__(self, app: ASGIApp, open_addresses: Iterable[str], settings: Settings = access) -> None:
        self.app, self.open_addresses, self.settings = app, frozenset(open_addresses), settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.open_addresses:
            return await self.app(scope, receive, send)
        settings = self.settings()
        if not settings.accepts_token(_shown_token(Headers(scope=scope))):
            return await _refuse(scope, receive, send, no_token() if settings.token else _rest_closed())
        return await self.app(scope, receive, send)


def _shown_token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else headers.get("x-api-key", "").strip()


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: ScalpError) -> None:
    if scope["type"] == "websocket":  # closed before it was accepted: the server answers 403
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
        return
    context = scope.get("state", {}).get("context")
    if context:
        context.outcome = refusal.code
    request_id = context.id if context else secrets.token_hex(8)
    response = error_response(refusal, request_id)
    set_headers(response.headers, request_id)
    await response(scope, receive, send)


def foreign_host() -> ScalpError:
    """Return the error of a host name that is none of this server's."""
    return ScalpError(
        "foreign_host",
        "This server does not answer to this host name. Use localhost, or list the name in SCALP_ALLOWED_HOSTS.",
        "이 서버는 이 호스트 이름으로 응답하지 않아요. localhost를 쓰거나 SCALP_ALLOWED_HOSTS에 이름을 추가하세요.",
    )


def foreign_origin() -> ScalpError:
    """Return the error of a request from a page of another server."""
    return ScalpError(
        "foreign_origin",
        "Requests from pages of other servers are refused. List the host of the page in SCALP_ALLOWED_HOSTS, or the "
        "origin of another front end in SCALP_CORS_ORIGINS.",
        "다른 서버의 페이지에서 보낸 요청은 거부돼요. 페이지의 호스트를 SCALP_ALLOWED_HOSTS에, 다른 프런트엔드라면 "
        "출처를 SCALP_CORS_ORIGINS에 추가하세요.",
    )


def no_token() -> ScalpError:
    """Return the error of a request that does not show the token."""
    return ScalpError(
        "no_token",
        "A token is needed: send it as “Authorization: Bearer TOKEN” or “X-API-Key: TOKEN”.",
        "토큰이 필요해요. “Authorization: Bearer 토큰” 또는 “X-API-Key: 토큰”으로 보내세요.",
    )


def _rest_closed() -> ScalpError:
    return ScalpError(
        "no_token",
        "Users of this server log in on its pages, and REST has no log-in. To open it, set SCALP_TOKEN on the server.",
        "이 서버는 화면에서 로그인해서 사용해요. REST에는 로그인이 없으니, 열려면 서버에 SCALP_TOKEN을 설정하세요.",
    )
