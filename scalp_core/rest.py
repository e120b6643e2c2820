"""REST: bytes → predict → JSON. Translates and decides nothing; knows no streamlit and no torch.

`uvicorn scalp_core.rest:api` serves it alone, `serve.py` beside the dashboard on one port; the addresses are the same.

Two doors lead to the same functions. `POST /predict_all` and `POST /predict` keep the addresses, names and types of the
older system for its clients; everything lives under `/api` as well, where errors, documentation and health are at home.

What the answers carry beyond the old contract, and why old clients survive it:

* Inside each object there are further members (probabilities, run …). Readers of JSON objects skip what they do not ask
  for.
* At the top level `value_1` … `value_6` come first and are byte for byte in the old shape; `image`, `scalp_type` and
  `intended_use` follow. The contract names its keys, so clients look them up: the older system's page prints the whole
  answer, and no client is known that walks over all keys. One that did could be served only by leaving out that this is
  research, which every answer has to say. Wrapping the three in lists for its sake would spoil them for everybody else
  and still give it a list without `class_name`.
* A condition that no run answers for is left out; `scalp_type` then is `undetermined` and says what is missing.
"""

import asyncio
import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.datastructures import Headers, MutableHeaders, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scalp_core import __version__, predict
from scalp_core.answers import (
    AllAnswer,
    ErrorAnswer,
    ErrorText,
    HealthAnswer,
    Kappa,
    ModelAnswer,
    ModelsAnswer,
    OneAnswer,
    ReadyAnswer,
    all_answer,
    one_answer,
)
from scalp_core.champions import champions, score
from scalp_core.errors import ScalpError
from scalp_core.images import FORMAT_NAMES, MAX_BYTES
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, Condition
from scalp_core.predict import INTENDED_USE, Answer
from scalp_core.runs import Run

_log = logging.getLogger(__name__)

# What a picture's form may add to the picture: the boundary, part headers and a few short fields.
_MAX_BODY = MAX_BYTES + 64 * 2**10
_MAX_FIELDS = 4
_MAX_FIELD_BYTES = 1024
_BODY_SECONDS = 30.0  # for sending all of it; the server itself would wait for ever

# As many at once as there are cores; more only take turns (docs/design/rest.md). Behind them a queue with an end.
_GRADING = CapacityLimiter(os.cpu_count() or 1)
_MAX_WAITING = 100

_STATUS = {
    "bad_form": 400,
    "missing_field": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_slow": 408,
    "too_large": 413,
    "not_a_picture": 415,
    "bad_threshold": 422,
    "bad_value_num": 422,
    "no_model": 503,
    "no_export": 503,
    "damaged": 503,
    "warming": 503,
    "busy": 503,
}
# Seconds, where waiting helps. A missing model does not come by waiting.
_RETRY_AFTER = {"warming": 5, "busy": 2}


# What wraps every route: plain ASGI, as it has to see the bytes before anybody parses them.


class _BodyGuard:
    """Ends bodies that are too large, announced or streamed, or too slow, before and while they are read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced) > _MAX_BODY:
            _log.info("refused request=%s outcome=too_large", scope["state"]["request_id"])
            return await _refusal(_too_large())(scope, receive, send)
        deadline = time.monotonic() + _BODY_SECONDS
        received, complete = 0, False

        async def guarded() -> Message:
            nonlocal received, complete
            if complete:  # from now on this only waits for the client to leave
                return await receive()
            try:
                async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                    message = await receive()
            except TimeoutError as error:
                raise _too_slow() from error
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > _MAX_BODY:
                raise _too_large()
            return message

        return await self.app(scope, guarded, send)


class _AnswerHeaders:
    """Gives every request an id and every answer its headers; what a route sets itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _set_headers(MutableHeaders(scope=message), scope["state"]["request_id"])
            await send(message)

        return await self.app(scope, receive, framed)


def _set_headers(headers: MutableHeaders, request_id: str) -> None:
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("X-Request-ID", request_id)


# Errors: always the same shape, in both languages.


def _refusal(error: ScalpError, status: int | None = None) -> JSONResponse:
    status = status or _STATUS.get(error.code, 500)
    body = ErrorAnswer(
        error=ErrorText(code=error.code, message=error.text.en, message_ko=error.text.ko), intended_use=INTENDED_USE
    )
    headers = {}
    if error.code in _RETRY_AFTER:
        headers["Retry-After"] = str(_RETRY_AFTER[error.code])
    if status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body is not wanted
    return JSONResponse(body.model_dump(), status, headers)


def _too_large() -> ScalpError:
    megabytes = MAX_BYTES // 2**20
    return ScalpError(
        "too_large",
        f"The request is too large: a picture may have at most {megabytes} MB. Send a smaller one.",
        f"요청이 너무 큽니다. 사진은 {megabytes} MB까지 보낼 수 있습니다. 더 작은 사진을 보내십시오.",
    )


def _too_slow() -> ScalpError:
    return ScalpError(
        "too_slow",
        f"The picture did not arrive within {_BODY_SECONDS:.0f} seconds. Send a smaller one or try again.",
        f"{_BODY_SECONDS:.0f}초 안에 사진이 도착하지 않았습니다. 더 작은 사진을 보내거나 다시 시도하십시오.",
    )


def _missing(field: str, en: str, ko: str) -> ScalpError:
    return ScalpError(
        "missing_field",
        f"The form field “{field}” is missing: send {en} as multipart/form-data.",
        f"“{field}” 항목이 없습니다. {ko} multipart/form-data로 보내십시오.",
    )


async def _on_scalp_error(request: Request, error: ScalpError) -> Response:
    _log.info("refused request=%s outcome=%s", request.state.request_id, error.code)
    return _refusal(error)


async def _on_http_error(_request: Request, error: HTTPException) -> Response:
    """What the framework refuses: unknown addresses and methods."""
    refused = {
        404: ScalpError(
            "not_found",
            "There is nothing at this address. See /api/docs.",
            "이 주소에는 아무것도 없습니다. /api/docs를 보십시오.",
        ),
        405: ScalpError(
            "method_not_allowed",
            "This address does not know this method. See /api/docs.",
            "이 주소에서 쓸 수 없는 메서드입니다. /api/docs를 보십시오.",
        ),
    }.get(error.status_code) or ScalpError(
        "refused", f"The request was refused: {error.detail}", f"요청이 거부되었습니다: {error.detail}"
    )
    answer = _refusal(refused, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _on_disconnect(request: Request, _error: ClientDisconnect) -> Response:
    _log.info("left request=%s outcome=client_left", request.state.request_id)
    return Response(status_code=400)  # nobody reads it


async def _on_anything_else(request: Request, _error: Exception) -> Response:
    """The last resort. Starlette raises the error again after the answer, so the server logs its traceback."""
    request_id = request.scope.get("state", {}).get("request_id", "-")
    _log.error("failed request=%s outcome=internal_error", request_id)
    answer = _refusal(
        ScalpError(
            "internal_error",
            f"Something unexpected went wrong. The server's log has the details under {request_id}.",
            f"예상하지 못한 오류가 발생했습니다. 자세한 내용은 서버 로그의 {request_id}에 있습니다.",
        )
    )
    _set_headers(answer.headers, request_id)  # this answer passes outside of _AnswerHeaders
    return answer


# Readiness.


class _Warmth:
    """Which answering runs are loaded. Loads in a thread of its own, so that everything else answers meanwhile."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loaded: list[Run] = []
        self._error: ScalpError | None = None

    def start(self) -> None:
        """Begin loading unless it is going on. The thread does not keep the server from stopping."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._load, name="warm", daemon=True)
                self._thread.start()

    def _load(self) -> None:
        try:
            self._loaded, self._error = predict.warm(), None
        except ScalpError as error:
            _log.error("not ready: %s", error)
            self._error = error

    def check(self) -> list[Run]:
        """The answering runs when all are loaded; otherwise loading begins.

        Raises:
            ScalpError: `warming`, `no_model`, or why the last attempt to load failed.
        """
        answering = list(dict.fromkeys(champion.run for champion in champions().values()))
        if not answering:
            raise ScalpError(
                "no_model",
                "No finished run answers yet. Train one from the sidebar or with python -m training.train.",
                "아직 등급을 추정할 완료된 실행이 없습니다. 사이드바나 python -m training.train 으로 학습하십시오.",
            )
        if set(answering) <= set(self._loaded):
            return answering
        self.start()
        raise self._error or ScalpError(
            "warming",
            "The models are being loaded. Ask again in a moment.",
            "모델을 불러오는 중입니다. 잠시 후 다시 확인하십시오.",
        )


_warmth = _Warmth()


@asynccontextmanager
async def answering(_app: object) -> AsyncIterator[None]:
    """For the lifespan of whoever serves the routes: answers at once, loads the models in the background."""
    _log.setLevel(logging.INFO)
    if not _log.hasHandlers():
        _log.addHandler(logging.StreamHandler())
    _warmth.start()
    yield


# The routes.

_DESCRIPTION = (
    "Estimates how severe six scalp conditions look in a picture. **Research only**: not a medical device, not for "
    "diagnosis. 두피 사진의 여섯 가지 증상 등급을 추정합니다. **연구용**이며 의료기기가 아닙니다."
)

api = FastAPI(
    title="Scalp Lab",
    version=__version__,
    description=_DESCRIPTION,
    openapi_url="/api/openapi.json",
    docs_url=None,  # FastAPI's own page fetches its scripts from elsewhere
    redoc_url=None,
    redirect_slashes=False,
    lifespan=answering,
    exception_handlers={
        ScalpError: _on_scalp_error,
        HTTPException: _on_http_error,
        ClientDisconnect: _on_disconnect,
        Exception: _on_anything_else,
    },
)
api.add_middleware(_BodyGuard)
api.add_middleware(_AnswerHeaders)

_IMAGE_FIELD = {"type": "string", "format": "binary", "description": f"A picture: {FORMAT_NAMES}, at most 20 MB."}
_NUMBER_FIELD = {
    "type": "string",
    "enum": [str(condition.number) for condition in CONDITIONS],
    "description": "Number of the condition, 1–6.",
}
_THRESHOLD = {
    "type": "string",
    "enum": ["1", "2", "3"],
    "default": str(int(DEFAULT_THRESHOLD)),
    "description": "For the scalp type: a condition counts as present from this grade on. Also as ?threshold=.",
}


def _form(fields: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """The multipart form in the words of OpenAPI. We read forms ourselves to keep them small."""
    schema = {"type": "object", "properties": fields, "required": list(required)}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _refusals(**reasons: str) -> dict[int | str, dict[str, Any]]:
    statuses = {int(name.removeprefix("on_")): reason for name, reason in reasons.items()}
    return {status: {"model": ErrorAnswer, "description": reason} for status, reason in statuses.items()}


_PICTURE_REFUSALS = _refusals(
    on_400="A field is missing or the form cannot be read.",
    on_408="The picture did not arrive in time.",
    on_413="Over 20 MB or too many pixels.",
    on_415="Not a picture we read.",
    on_422="value_num is not 1–6, or threshold is not 1–3.",
    on_500="Something unexpected.",
    on_503="No run answers, or too many wait already.",
)


# Both doors of a route say the same about themselves.
_ALL: dict[str, Any] = {
    "response_model_exclude_unset": True,
    "responses": _PICTURE_REFUSALS,
    "openapi_extra": {
        "requestBody": _form({"image": _IMAGE_FIELD, "threshold": _THRESHOLD}, ["image"]),
    },
}
_ONE: dict[str, Any] = {
    "response_model_exclude_unset": True,
    "responses": _PICTURE_REFUSALS,
    "openapi_extra": {
        "requestBody": _form({"image": _IMAGE_FIELD, "value_num": _NUMBER_FIELD}, ["image", "value_num"]),
    },
}


@api.post("/predict_all", tags=["older clients"], summary="Grade all six conditions, the older address", **_ALL)
@api.post("/api/predict_all", tags=["grading"], summary="Grade all six conditions", **_ALL)
async def predict_all(request: Request) -> AllAnswer:
    """All conditions of one picture, with the scalp type they add up to."""
    upload = await _read(request)
    threshold = _threshold(upload.fields.get("threshold", request.query_params.get("threshold", "")))
    answer = await _grade(request, upload.image, CONDITIONS, threshold)
    return all_answer(answer)


@api.post("/predict", tags=["older clients"], summary="Grade one condition, the older address", **_ONE)
@api.post("/api/predict", tags=["grading"], summary="Grade one condition", **_ONE)
async def predict_one(request: Request) -> OneAnswer:
    """One condition of one picture. The scalp type needs all six, so it is not given."""
    upload = await _read(request)
    condition = _condition(upload.fields.get("value_num"))
    answer = await _grade(request, upload.image, [condition], DEFAULT_THRESHOLD)
    return one_answer(answer)


@api.get("/api/health", tags=["service"], summary="Is the process alive?")
async def health() -> HealthAnswer:
    """Answers at once, whatever else goes on."""
    return HealthAnswer(status="alive", intended_use=INTENDED_USE)


@api.get(
    "/api/ready",
    tags=["service"],
    summary="Are the answering runs loaded?",
    responses=_refusals(on_503="Not yet, or there is none."),
)
def ready() -> ReadyAnswer:
    """Names the runs that answer once all of them are loaded."""
    return ReadyAnswer(status="ready", runs=[run.id for run in _warmth.check()], intended_use=INTENDED_USE)


@api.get("/api/models", tags=["service"], summary="Which run answers for which condition?")
def models() -> ModelsAnswer:
    """One entry a condition, with how well its run does. Empty when nothing was trained yet."""
    return ModelsAnswer(
        models=[
            ModelAnswer(
                key=condition.value,
                name=condition.text.ko,
                name_en=condition.text.en,
                run=champion.run.id,
                architecture=champion.run.recipe.architecture,
                pinned=champion.pinned,
                data=champion.run.recipe.data,
                synthetic=champion.run.synthetic,
                quadratic_weighted_kappa=Kappa(
                    valid=score(champion.run, condition, "valid"), test=score(champion.run, condition, "test")
                ),
            )
            for condition, champion in champions().items()
        ],
        intended_use=INTENDED_USE,
    )


# The documentation page: Swagger UI from a package, started by a script of our own, nothing from elsewhere.

_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Scalp Lab API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="docs"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_DOCS_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  validatorUrl: null,
  tryItOutEnabled: true,
  deepLinking: true,
});
"""
_DOCS_TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


@api.get("/api/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    return HTMLResponse(_DOCS_PAGE, headers={"Content-Security-Policy": _DOCS_POLICY})


@api.get("/api/docs/{name}", include_in_schema=False)
def docs_asset(name: str) -> Response:
    if name == "start.js":
        return Response(_DOCS_START, media_type="text/javascript")
    if name not in _DOCS_TYPES:
        raise HTTPException(404)
    content = files("fastapi_swagger").joinpath("resources", name).read_bytes()
    return Response(content, media_type=_DOCS_TYPES[name], headers={"Cache-Control": "max-age=86400"})


# From the request.


@dataclass(frozen=True)
class _Upload:
    image: bytes
    fields: Mapping[str, str]


async def _read(request: Request) -> _Upload:
    """The picture and the text fields of the form.

    Raises:
        ScalpError: `missing_field`, `bad_form`, or what the body guard has against it.
    """
    try:
        async with request.form(max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES) as form:
            image = form.get("image")
            content = await image.read() if isinstance(image, UploadFile) else b""
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
    except HTTPException as error:
        raise ScalpError(
            "bad_form",
            f"The form cannot be read: {error.detail} Send one picture and at most {_MAX_FIELDS} short fields.",
            f"양식을 읽을 수 없습니다({error.detail}). 사진 하나와 짧은 항목 {_MAX_FIELDS}개까지 보내십시오.",
        ) from error
    # Browsers send a nameless empty file for a form in which none was chosen.
    if not isinstance(image, UploadFile) or not (content or image.filename):
        raise _missing("image", "a picture as a file", "사진 파일을")
    return _Upload(content, fields)


def _condition(number: str | None) -> Condition:
    if number is None:
        raise _missing("value_num", "a number from 1 to 6", "1에서 6까지의 숫자를")
    # Compared as text: int() would take “１” and “٣”, and the older system took “0” and “-1”.
    for condition in CONDITIONS:
        if number.strip() == str(condition.number):
            return condition
    raise ScalpError(
        "bad_value_num",
        f"value_num is “{number[:20]}”; it must be a number from 1 to 6.",
        f"value_num 값이 “{number[:20]}”입니다. 1에서 6까지의 숫자여야 합니다.",
    )


def _threshold(text: str) -> int:
    if not text.strip():
        return DEFAULT_THRESHOLD
    if text.strip() not in ("1", "2", "3"):
        raise ScalpError(
            "bad_threshold",
            f"threshold is “{text[:20]}”; it must be 1, 2 or 3.",
            f"threshold 값이 “{text[:20]}”입니다. 1, 2, 3 가운데 하나여야 합니다.",
        )
    return int(text)


async def _grade(request: Request, image: bytes, conditions: Sequence[Condition], threshold: int) -> Answer:
    """predict.grade in a thread, logged without any name that came from outside."""
    if _GRADING.statistics().tasks_waiting >= _MAX_WAITING:
        raise ScalpError(
            "busy",
            "Too many pictures are waiting already. Try again in a moment.",
            "이미 너무 많은 사진이 대기하고 있습니다. 잠시 후 다시 시도하십시오.",
        )
    began, picture_format, outcome = time.perf_counter(), "-", "internal_error"
    try:
        answer = await to_thread.run_sync(predict.grade, image, conditions, threshold, limiter=_GRADING)
        picture_format, outcome = answer.picture.format, "graded"
    except ScalpError as error:
        outcome = error.code
        raise
    finally:
        _log.info(
            "picture request=%s sha256=%s format=%s bytes=%d ms=%.0f outcome=%s",
            request.state.request_id,
            hashlib.sha256(image).hexdigest()[:12],
            picture_format,
            len(image),
            (time.perf_counter() - began) * 1000,
            outcome,
        )
    return answer
