"""Turns errors into HTTP answers of one shape: a code, a message in both languages, the request's id."""

import logging
from collections.abc import Sequence

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from scalp_core.base_path import base_path
from scalp_core.errors import ScalpError
from scalp_core.inference.input_gate import Reason
from scalp_core.inference.predict import INTENDED_USE
from scalp_core.memory_budget import no_memory, out_of_memory
from scalp_core.rest.schemas import ErrorDetail, ErrorResponse, gate_reasons

_log = logging.getLogger(__name__)

_STATUS = {
    "bad_form": 400,
    "foreign_host": 400,
    "missing_field": 400,
    "no_token": 401,
    "foreign_origin": 403,
    "no_run": 404,
    "run_not_finished": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_slow": 408,
    "too_large": 413,
    "too_many_pictures": 413,
    "not_a_picture": 415,
    "bad_evidence": 422,
    "bad_strict": 422,
    "bad_threshold": 422,
    "bad_value_num": 422,
    "not_gradable": 422,
    "not_graded": 422,
    "no_memory": 503,
    "no_model": 503,
    "no_export": 503,
    "damaged": 503,
    "warming": 503,
    "busy": 503,
    "too_long": 504,
}
# Seconds, where waiting helps. A missing model does not come by waiting.
_RETRY_AFTER = {"no_memory": 5, "warming": 5, "busy": 2, "too_long": 10}


class NotGradableError(ScalpError):
    """Refusal of a picture that the gate advises against, for clients that asked for it with `strict`."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        super().__init__(
            "not_gradable",
            " ".join(["This picture was not graded.", *(reason.text.en for reason in reasons)]),
            " ".join(["이 사진은 등급을 추정하지 않았어요.", *(reason.text.ko for reason in reasons)]),
        )
        self.reasons = reasons


def status_of(error: ScalpError) -> int:
    """Return the HTTP status of an error's code, 500 for codes without one."""
    return _STATUS.get(error.code, 500)


def error_text(error: ScalpError) -> ErrorDetail:
    """Return an error as a member of an answer."""
    reasons = {"reasons": gate_reasons(error.reasons)} if isinstance(error, NotGradableError) else {}
    return ErrorDetail(code=error.code, message=error.text.en, message_ko=error.text.ko, **reasons)


def error_response(error: ScalpError, request_id: str, status: int | None = None) -> JSONResponse:
    """Return the answer to a request that cannot be served; `status` where it is not the code's own."""
    status = status or status_of(error)
    body = ErrorResponse(error=error_text(error), intended_use=INTENDED_USE, request_id=request_id)
    headers = {}
    if error.code in _RETRY_AFTER:
        headers["Retry-After"] = str(_RETRY_AFTER[error.code])
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body is not wanted
    return JSONResponse(body.model_dump(exclude_unset=True), status, headers)


def set_headers(headers: MutableHeaders, request_id: str) -> None:
    """Add the headers of every answer; those that a route set itself stay."""
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("X-Request-ID", request_id)


def request_id_of(request: Request) -> str:
    """Return the id from the middleware, or a dash where the request never passed through it."""
    context = request.scope.get("state", {}).get("context")
    return context.id if context else "-"


def internal_error(request_id: str) -> ScalpError:
    """Return the error of which the log alone has the details."""
    return ScalpError(
        "internal_error",
        f"Internal error. Details are in the server's log under {request_id}.",
        f"예상하지 못한 오류가 발생했어요. 자세한 내용은 서버 로그의 {request_id}에 있어요.",
    )


def not_found() -> ScalpError:
    """Return the error of an address that has no route."""
    return ScalpError(
        "not_found",
        f"There is nothing at this address. See {base_path()}/api/docs.",
        f"이 주소에는 아무것도 없어요. {base_path()}/api/docs를 보세요.",
    )


async def on_scalp_error(request: Request, error: ScalpError) -> Response:
    """Answer with one of our own refusals."""
    request.state.context.outcome = error.code
    return error_response(error, request_id_of(request))


async def on_http_error(request: Request, error: HTTPException) -> Response:
    """Answer with one of the framework's refusals: unknown addresses and methods."""
    refusal = {
        404: not_found(),
        405: ScalpError(
            "method_not_allowed",
            f"Method not allowed at this address. See {base_path()}/api/docs.",
            f"이 주소에서 쓸 수 없는 메서드예요. {base_path()}/api/docs를 보세요.",
        ),
    }.get(error.status_code) or ScalpError(
        "refused", f"The request was refused: {error.detail}", f"요청이 거부되었어요: {error.detail}"
    )
    request.state.context.outcome = refusal.code
    answer = error_response(refusal, request_id_of(request), error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def on_disconnect(request: Request, _error: ClientDisconnect) -> Response:
    """Note that the client left while sending."""
    request.state.context.outcome = "client_left"
    return Response(status_code=400)  # there is no client to read it


async def on_memory_error(request: Request, _error: Exception) -> Response:
    """Answer where memory ran out anywhere but in decoding."""
    return await on_scalp_error(request, no_memory())


async def on_unexpected_error(request: Request, error: Exception) -> Response:
    """Answer after any other error. Starlette then raises it again, so the server logs its traceback."""
    request_id = request_id_of(request)
    _log.error("request %s failed", request_id)
    answer = error_response(no_memory() if out_of_memory(error) else internal_error(request_id), request_id)
    set_headers(answer.headers, request_id)  # this answer passes outside of the middleware
    return answer
