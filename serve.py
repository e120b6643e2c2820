"""Serve the dashboard, its thumbnails and REST in one process on one port: `python serve.py`.

`PORT` (8501) and `HOST` (127.0.0.1) say where it listens, `SCALP_BASE_PATH` below which path. `streamlit run serve.py`
serves the same, without options of connections, as it makes its server before this file is read.
"""

import base64
import hashlib
import os
import re
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path

import streamlit as st
from anyio import CapacityLimiter, to_thread
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnected

from scalp_core.access import access
from scalp_core.base_path import base_path
from scalp_core.data.thumbnails import thumbnail_at
from scalp_core.errors import ScalpError
from scalp_core.rest import app as rest
from scalp_core.rest.access_control import HostMiddleware
from scalp_core.rest.middleware import HEALTH
from scalp_core.rest.server import check_settings, limit_streamlit_server, setting
from scalp_core.runs import worker
from ui.components.assets import asset
from ui.login import check_login, is_logged_in, needs_login

HOME = Path(__file__).resolve().parent / "Home.py"
_DEFAULT_PORT, _DEFAULT_HOST = "8501", "127.0.0.1"
_BASE = setting(base_path)


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Draw the demonstration, resume trainings that a restart interrupted, and load the models, all beside serving."""
    check_settings(str(st.get_option("server.address") or ""))
    if (streamlit_base := str(st.get_option("server.baseUrlPath")).strip("/")) != _BASE.strip("/"):
        sys.exit(f"Streamlit's server.baseUrlPath is “{streamlit_base}”; set SCALP_BASE_PATH to the same, or neither.")
    check_login()
    # In a thread of its own: a folder that cannot be written is no reason not to show its content.
    if not access().read_only:
        threading.Thread(target=worker.ensure, name="ensure", daemon=True).start()
        threading.Thread(target=_start_drawing, name="drawing", daemon=True).start()
    async with rest.answering(rest.api):
        yield


def _start_drawing() -> None:
    from scalp_core.synthetic import demonstration  # imports the drawing, which the first page need not wait for

    # Pages try again, and show why it cannot be.
    with suppress(ScalpError):
        demonstration.start_drawing()


# ---- pages ----

_PAGES = sorted(path.stem.split("_", 1)[1] for path in (HOME.parent / "pages").glob("*.py"))
# Otherwise the browser looks for the server below the page's own path first, which costs it a 404 and a second.
_BACKEND_SCRIPT = (
    "window.__streamlit = {BACKEND_BASE_URL: "
    f'(location.origin + location.pathname).replace(/\\/({"|".join(_PAGES)})\\/?$/, "/")}}'
)


def _page_html() -> str:
    """Return the HTML that Streamlit serves for every page, with the address of the server and the frame's style.

    A page brings that style along itself, but only after its first words.
    """
    html = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    head = f"<style>{asset('frame.css')}</style>\n    <script>{_BACKEND_SCRIPT}</script>\n    "
    return html.replace("<script", f"{head}<script", 1)


async def page(request: Request) -> Response:
    """Serve a page."""
    return HTMLResponse(_PAGE_HTML, headers={"Cache-Control": "no-cache"})


_PAGE_HTML = _page_html()


class _PageHeadersMiddleware:
    """Add the security headers that Streamlit's own responses lack."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.policy = _content_security_policy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("Content-Security-Policy", self.policy)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _content_security_policy() -> str:
    """Allow a page the files of its own server and nothing else, even if hostile text slipped into it.

    Streamlit's page has inline scripts; their hashes come from the installed version. Its camera hands a picture to its
    own script as a `data:` address, which leads nowhere else.
    """
    scripts = re.findall(r"<script>(.*?)</script>", _PAGE_HTML, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    hashes = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'self'; script-src 'self' blob: {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' data:; "
        "frame-ancestors 'self'; base-uri 'self'; object-src 'none'; form-action 'self'"
    )


class _ClosedTabMiddleware:
    """End the connection of a tab that was closed without a traceback in the log.

    Streamlit takes a socket that closed between two messages for one that got text, and closes it again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(WebSocketDisconnected) if scope["type"] == "websocket" else nullcontext():
            await self.app(scope, receive, send)


# ---- log-in ----


class _LoginMiddleware:
    """Keep what pages show at addresses of its own from those who have not logged in: thumbnails, pictures, uploads.

    Pages ask for the log-in themselves, REST for the token.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.closed = tuple(f"{_BASE}/{folder}/" for folder in ("thumbnails", "media", "_stcore/upload_file"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_closed(scope["path"]) or not needs_login():
            return await self.app(scope, receive, send)
        if not is_logged_in(Request(scope).cookies):
            return await Response(status_code=401, headers={"Cache-Control": "no-store"})(scope, receive, send)

        async def send_varying(message: Message) -> None:
            if message["type"] == "http.response.start":  # what the browser kept is not shown after the log-out
                MutableHeaders(scope=message).add_vary_header("Cookie")
            await send(message)

        return await self.app(scope, receive, send_varying)

    def _is_closed(self, path: str) -> bool:
        return path.startswith(self.closed)


# ---- thumbnails ----

# Thumbnails made at once: one per core. A page of two hundred then waits in line and leaves the pages' threads alone.
_THUMBNAIL_LIMITER = CapacityLimiter(os.cpu_count() or 1)
_THUMBNAIL_HEADERS = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def thumbnail(request: Request) -> Response:
    """Serve the thumbnail of an address that `scalp_core.data.thumbnails` gave; 404 for every other address."""
    path = f"thumbnails/{request.path_params['picture']}"
    try:
        content = await to_thread.run_sync(thumbnail_at, path, limiter=_THUMBNAIL_LIMITER)
    except ScalpError:
        return Response(status_code=404, headers={"Cache-Control": "no-store"})
    return Response(content, media_type="image/webp", headers=_THUMBNAIL_HEADERS)


# ---- the server ----

# Routes, not mounts: the path arrives whole, so REST has the same addresses here and alone. GET /predict is a page.
_REST_ROUTES = [
    Route(HEALTH, rest.api),  # without the base path too
    Route(f"{_BASE}/api", rest.api),
    Route(f"{_BASE}/api/{{path:path}}", rest.api),
    Route(f"{_BASE}/predict_all", rest.api, methods=["POST", "OPTIONS"]),
    Route(f"{_BASE}/predict", rest.api, methods=["POST", "OPTIONS"]),
    Route(f"{_BASE}/test", rest.api),
    Route(f"{_BASE}/test/{{path:path}}", rest.api),
]


def _is_rest(scope: Scope) -> bool:
    return scope["type"] == "http" and any(route.matches(scope)[0] is Match.FULL for route in _REST_ROUTES)


app = st.App(
    HOME,
    lifespan=lifespan,
    middleware=[
        Middleware(HostMiddleware, is_shared=_is_rest),
        Middleware(_ClosedTabMiddleware),
        Middleware(_PageHeadersMiddleware),
        Middleware(_LoginMiddleware),
    ],
    routes=[
        *_REST_ROUTES,
        Route(f"{_BASE}/thumbnails/{{picture:path}}", thumbnail),
        *(Route(f"{_BASE}/{name}", page, methods=["GET"]) for name in ("", *_PAGES)),
    ],
)


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    port = os.environ.get("PORT") or _DEFAULT_PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        sys.exit(f"PORT is “{port}”; it must be a number from 1 to 65535.")
    limit_streamlit_server()
    app.run(
        config={
            "server.port": int(port),
            "server.address": os.environ.get("HOST") or _DEFAULT_HOST,
            "server.headless": True,
            **({"server.baseUrlPath": _BASE} if _BASE else {}),
            "browser.gatherUsageStats": False,
        }
    )


if __name__ == "__main__":
    main()
