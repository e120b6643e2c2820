"""The test page at `/test`: grades a picture from a browser, as the older system's page did.

Its sources are in `testpage/`; the files that Vite built of them lie in `test_page/` and travel with the package.
"""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

ADDRESS = "/test"
_BUILT = files("scalp_core.rest") / "test_page"
_TYPES = {"js": "text/javascript", "css": "text/css"}
# Script and style by name. Vite writes a hash of the content into each name, so that browsers may keep them.
_ASSETS = {asset.name: asset.read_bytes() for asset in (_BUILT / "test").iterdir()}
_KEPT = "max-age=31536000, immutable"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

pages = APIRouter(include_in_schema=False)

# They hold no data; what is asked for from the page needs the token as always.
OPEN_ADDRESSES = frozenset({ADDRESS} | {f"{ADDRESS}/{name}" for name in _ASSETS})


@pages.get(ADDRESS)
def page() -> HTMLResponse:
    """Return the page. Its addresses are relative, so that it may lie below any path."""
    html = (_BUILT / "index.html").read_text(encoding="utf-8")
    return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"})


@pages.get(f"{ADDRESS}/{{name}}")
def asset(name: str) -> Response:
    """Return its script or style sheet."""
    if name not in _ASSETS:
        raise HTTPException(404)
    media_type = _TYPES[name.rpartition(".")[2]]
    return Response(_ASSETS[name], media_type=media_type, headers={"Cache-Control": _KEPT})
