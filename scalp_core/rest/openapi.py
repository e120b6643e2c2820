"""OpenAPI description of the interface, and its page, which needs no network.

The page is Swagger UI from a package, started by a script of our own.
"""

import copy
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from scalp_core.images import FORMAT_NAMES, FORMATS, MAX_BYTES
from scalp_core.inference.evidence import COLOUR
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD
from scalp_core.rest.examples import REQUEST_ID, answer_bodies, error_body, status
from scalp_core.rest.forms import MAX_FIELD_BYTES, MAX_FIELDS
from scalp_core.rest.schemas import ErrorResponse

DESCRIPTION = f"""Estimates how severe six scalp conditions look in a picture. **Research only**: not a medical device,
not for diagnosis. 두피 사진의 여섯 가지 증상 등급을 추정해요. **연구용**이며 의료기기가 아니에요.

* Runs: for each condition the run that is best on the validation split, or a promoted one. `/api/models` names them,
  and those that were judged on too little to answer by themselves; `?run=` asks any other finished one. Every grade
  names its run and when its operating point was made.
* Quality check (`gradable`, `reasons`): a blurred, over-exposed or too small picture, or one that is no scalp, is
  graded and marked; with `?strict=1` it is refused (422). A picture that is only unlike those that the run learned from
  (`unusual`, `remarks`) is never refused.
* Evidence maps (`?evidence=1`): orange `{COLOUR}` where a place speaks for a grade above 0, the more opaque, the
  higher; transparent where it looks normal.
* Requests have an id: yours from the header `X-Request-ID` (1–64 letters, digits, `-`, `_`), otherwise one of ours. It
  comes back in the header, in errors, and stands in the server's log.
* Where the server has a token, send it as `Authorization: Bearer TOKEN` or `X-API-Key: TOKEN`; health, readiness and
  this page need none. Foreign host names and pages of other servers are refused.
* Errors have one shape: a code that stays the same and a message in both languages. Where waiting helps, `Retry-After`
  says how many seconds.
"""

# Where the empty text is a value, it counts as absent: some clients send every field.
_SWITCH = {"type": "string", "enum": ["", "0", "1"], "default": "0"}
_IMAGE = {
    "type": "string",
    "format": "binary",
    "description": f"A picture: {FORMAT_NAMES}, at most {MAX_BYTES // 2**20} MB.",
}
_VALUE_NUM = {
    "type": "string",
    "enum": [str(condition.number) for condition in CONDITIONS],
    "examples": ["4"],
    "description": "Number of the condition, 1–6.",
}
_THRESHOLD = {
    "type": "string",
    "enum": ["", "1", "2", "3"],
    "default": str(int(DEFAULT_THRESHOLD)),
    "examples": ["2"],
    "description": "For the scalp type: a condition counts as present from this grade on. Also as ?threshold=.",
}


def _query(name: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


_PARAMETERS = [
    _query(
        "run",
        {"type": "string"},
        "Id of a finished run that answers instead of those in force. Where it was never exported, that is begun and "
        "the answer is 503 with Retry-After.",
    ),
    _query(
        "evidence",
        _SWITCH,
        "1: with a map of the grades that the places of the picture speak for.",
    ),
    _query(
        "strict",
        _SWITCH,
        "1: a picture that is not gradable is refused, 422 `not_gradable` with the reasons, instead of graded and "
        "marked. A picture that could not be checked is graded.",
    ),
    {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},  # no pattern: others are accepted, and replaced
        "description": "Your id of this request, 1–64 letters, digits, `-` or `_`; comes back in the answer's header "
        "and in errors. Any other value is replaced by one of ours.",
    },
]


def _form_description(fields: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """Describe a multipart form. FastAPI cannot: `forms` reads them itself to keep them small."""
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "maxProperties": 1 + MAX_FIELDS,
        "additionalProperties": {
            "type": "string",
            "maxLength": MAX_FIELD_BYTES,
            "description": f"Ignored. At most {MAX_FIELDS} fields beside pictures, each of {MAX_FIELD_BYTES} bytes.",
        },
    }
    encoding = {"image": {"contentType": ", ".join(f"image/{name.lower()}" for name in FORMATS)}}
    form = {"required": True, "content": {"multipart/form-data": {"schema": schema, "encoding": encoding}}}
    return {"requestBody": form, "parameters": _PARAMETERS}


ALL = _form_description({"image": _IMAGE, "threshold": _THRESHOLD}, ["image"])
ONE = _form_description({"image": _IMAGE, "value_num": _VALUE_NUM}, ["image", "value_num"])


def batch(pictures: int, megabytes: int) -> dict[str, Any]:
    """Describe the form of at most this many pictures."""
    images = {
        "type": "array",
        "items": _IMAGE,
        "minItems": 1,
        "maxItems": pictures,
        "description": f"1 to {pictures} pictures, each under this name, together at most {megabytes} MB.",
    }
    return _form_description({"image": images, "threshold": _THRESHOLD}, ["image"])


def refusals(**codes: str) -> dict[int | str, dict[str, Any]]:
    """Describe refusals from keywords `<code>=reason`, by status, with an example of each code."""
    described: dict[int | str, dict[str, Any]] = {}
    for code, reason in codes.items():
        refusal = described.setdefault(
            status(code), {"model": ErrorResponse, "description": "", "content": {"application/json": {"examples": {}}}}
        )
        refusal["description"] = f"{refusal['description']} `{code}`: {reason}".lstrip()
        refusal["content"]["application/json"]["examples"][code] = {"summary": reason, "value": error_body(code)}
    return described


_COMMON = {
    "foreign_host": "the host name is none of this server's.",
    "no_token": "the server has a token, and the request does not show it.",
    "foreign_origin": "the request comes from a page of another server.",
    "too_large": "too many bytes, or pixels of a picture.",
    "internal_error": "something unexpected.",
}
_FORM = {
    "missing_field": "a field of the form is missing.",
    "bad_form": "the form cannot be read.",
    "no_run": "there is no such `run`.",
    "run_not_finished": "`run` has not finished.",
    "too_slow": "the request did not arrive in time.",
    "bad_threshold": "threshold is not 1–3.",
    "bad_evidence": "evidence is not 0 or 1.",
    "bad_strict": "strict is not 0 or 1.",
    "no_model": "no run answers for what is asked.",
    "busy": "too many wait already.",
    "warming": "`run` is being made ready.",
    "no_export": "`run` could not be made ready.",
    "damaged": "a file of the run is damaged.",
    "no_memory": "memory is short at the moment.",
}
_PICTURE = {
    "not_a_picture": "not a picture we read.",
    "not_gradable": "with strict=1, the picture should not be graded.",
    "too_long": "grading took too long.",
}
COMMON_REFUSALS = refusals(**_COMMON)
ALL_REFUSALS = refusals(**_COMMON, **_FORM, **_PICTURE)
ONE_REFUSALS = refusals(
    **_COMMON,
    **_FORM,
    **_PICTURE,
    bad_value_num="value_num is not 1–6.",
    not_graded="`run` does not grade the condition.",
)
BATCH_REFUSALS = refusals(**_COMMON, **_FORM, too_many_pictures="more pictures than one request may have.")


def run_link(pointer: str) -> dict[int | str, dict[str, Any]]:
    """Describe where an answer names a run that `?run=` takes."""
    link = {
        "operationId": "predict_all_api_predict_all_post",
        "parameters": {"query.run": f"$response.body#{pointer}"},
        "description": "A run in use can be asked by name.",
    }
    return {200: {"links": {"grade": link}}}


# Headers of answers: of every one, and of those with a status.
_ID_HEADER = {"X-Request-ID": "RequestId"}
_STATUS_HEADERS = {
    "401": {"WWW-Authenticate": "Scheme"},
    "503": {"Retry-After": "RetryAfter"},
    "504": {"Retry-After": "RetryAfter"},
}
_HEADERS = {
    "RequestId": {
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        "description": "Id of the request: the client's own, or one of ours.",
        "example": REQUEST_ID,
    },
    "Scheme": {"required": True, "schema": {"type": "string", "const": "Bearer"}},
    "RetryAfter": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds, where waiting helps."},
}
_TOKEN_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def completed(description: Mapping[str, Any], asks_token: bool, base: str) -> dict[str, Any]:
    """Return FastAPI's description with what the middleware adds: base path, token, headers of answers.

    Args:
        asks_token: whether the server has a token; one that has none must not be said to check it.
        base: the base path.
    """
    complete = copy.deepcopy(dict(description))
    if base:
        complete["servers"] = [{"url": base}]
    complete["components"] |= {"headers": _HEADERS, "securitySchemes": _TOKEN_SCHEMES}
    for path, operations in complete["paths"].items():
        for operation in operations.values():
            if path in OPEN_ADDRESSES:
                del operation["responses"]["401"]
            elif asks_token:
                operation["security"] = [{name: []} for name in _TOKEN_SCHEMES]
            for answered, response in operation["responses"].items():
                names = _ID_HEADER | _STATUS_HEADERS.get(answered, {})
                response["headers"] = {
                    header: {"$ref": f"#/components/headers/{name}"} for header, name in names.items()
                }
            _add_example(operation["responses"]["200"])
    return complete


def _add_example(response: dict[str, Any]) -> None:
    for content in response["content"].values():
        schema = content["schema"].get("$ref", "").rpartition("/")[2]
        if schema in answer_bodies():
            content["example"] = answer_bodies()[schema]


_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
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
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  validatorUrl: null,
  tryItOutEnabled: true,
  deepLinking: true,
});
"""
_TYPES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}

pages = APIRouter(include_in_schema=False)

# Addresses that need no token: they tell whether the server works and how it is asked, and hold no data.
OPEN_ADDRESSES = frozenset(
    {"/api/health", "/api/ready", "/api/openapi.json", "/api/docs"}
    | {f"/api/docs/{name}" for name in (*_TYPES, "start.js")}
)


@pages.get("/api/docs")
async def docs() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})


@pages.get("/api/docs/{name}")
def docs_asset(name: str) -> Response:
    """Return a script or style sheet of the page."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _TYPES:
        raise HTTPException(404)
    content = files("fastapi_swagger").joinpath("resources", name).read_bytes()
    return Response(content, media_type=_TYPES[name], headers={"Cache-Control": "max-age=86400"})
