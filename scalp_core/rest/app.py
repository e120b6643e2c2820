"""REST: bytes → predict → JSON. Translates and decides nothing; knows no streamlit and no torch.

`python -m scalp_core.rest` serves it alone, `serve.py` beside the dashboard on one port; the addresses are the same.

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
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from scalp_core import __version__
from scalp_core.errors import ScalpError
from scalp_core.images import MAX_BYTES
from scalp_core.inference import predict
from scalp_core.inference.predict import INTENDED_USE, Answer, no_model
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, Condition
from scalp_core.parallel import cores, end_with_parent
from scalp_core.rest import openapi, prometheus
from scalp_core.rest.error_handlers import (
    NotGradableError,
    error_text,
    on_disconnect,
    on_http_error,
    on_scalp_error,
    on_unexpected_error,
    status_of,
)
from scalp_core.rest.executor import BoundedExecutor
from scalp_core.rest.middleware import BodyLimitMiddleware, BodyLimits, RequestContext, RequestLogMiddleware
from scalp_core.rest.middleware import log as request_log
from scalp_core.rest.schemas import (
    BatchEntry,
    HealthResponse,
    ModelScore,
    ModelsResponse,
    ModelSummary,
    PredictAllResponse,
    PredictBatchResponse,
    PredictResponse,
    ReadyResponse,
    predict_all_response,
    predict_response,
)
from scalp_core.rest.warmup import Warmup
from scalp_core.runs.champions import champions, score
from scalp_core.runs.runs import Run

Said = TypeVar("Said")

_MAX_FIELDS = 4
_MAX_FIELD_BYTES = 1024
_MAX_PICTURES = 16
_BATCH = "/api/predict_batch"


def _places() -> int:
    """This process's share of the cores: uvicorn's workers know by this name how many they are."""
    return max(1, cores() // int(os.environ.get("WEB_CONCURRENCY") or 1))


@dataclass(frozen=True)
class ServiceLimits:
    """What an application takes on at once.

    Attributes:
        gradings: at once. More than cores only take turns (docs/design/rest.md).
        waiting: for a place among these.
        answer_seconds: within which a request is graded once it has arrived, or refused.
        body_seconds: within which the body with one picture has to arrive.
        batch_bytes: of all pictures of a batch.
        batch_seconds: within which its body has to arrive.
    """

    gradings: int = field(default_factory=_places)
    waiting: int = 64
    answer_seconds: float = 60.0
    body_seconds: float = 30.0
    batch_bytes: int = 64 * 2**20
    batch_seconds: float = 90.0


@dataclass(frozen=True)
class _Service:
    """What the routes of one application share."""

    executor: BoundedExecutor
    warmup: Warmup
    request_metrics: prometheus.RequestMetrics


def _service(request: Request) -> _Service:
    service: _Service = request.app.state.service
    return service


def _context(request: Request) -> RequestContext:
    context: RequestContext = request.state.context
    return context


@asynccontextmanager
async def answering(app: FastAPI) -> AsyncIterator[None]:
    """For the lifespan of whoever serves the routes: answers at once, loads the models in the background."""
    request_log.setLevel(logging.INFO)
    if not request_log.hasHandlers():
        request_log.addHandler(logging.StreamHandler())
    end_with_parent()
    app.state.service.warmup.start()
    yield


# The routes.

routes = APIRouter()

# Both doors of a route say the same about themselves.
_ALL: dict[str, Any] = {
    "response_model_exclude_unset": True,
    "responses": openapi.PICTURE_REFUSALS,
    "openapi_extra": openapi.ALL,
}
_ONE: dict[str, Any] = {
    "response_model_exclude_unset": True,
    "responses": openapi.PICTURE_REFUSALS,
    "openapi_extra": openapi.ONE,
}


@routes.post("/predict_all", tags=["older clients"], summary="Grade all six conditions, the older address", **_ALL)
@routes.post("/api/predict_all", tags=["grading"], summary="Grade all six conditions", **_ALL)
async def predict_all(request: Request) -> PredictAllResponse:
    """All conditions of one picture, with the scalp type they add up to."""
    async with _form(request) as form:
        image = await _picture(form)
        asked = await _asked(request, form)
    return await _graded(request, image, CONDITIONS, asked, predict_all_response)


@routes.post("/predict", tags=["older clients"], summary="Grade one condition, the older address", **_ONE)
@routes.post("/api/predict", tags=["grading"], summary="Grade one condition", **_ONE)
async def predict_one(request: Request) -> PredictResponse:
    """One condition of one picture. The scalp type needs all six, so it is not given."""
    async with _form(request) as form:
        image = await _picture(form)
        condition = _condition(form.get("value_num"))
        asked = await _asked(request)
    return await _graded(request, image, [condition], asked, predict_response)


@routes.post(
    _BATCH,
    tags=["grading"],
    summary="Grade all six conditions of several pictures",
    response_model_exclude_unset=True,
    responses=openapi.BATCH_REFUSALS,
    openapi_extra=openapi.batch(_MAX_PICTURES, ServiceLimits.batch_bytes // 2**20),
)
async def predict_batch(request: Request) -> PredictBatchResponse:
    """An answer or an error for each picture, in the order in which they were sent.

    A picture that cannot be graded does not keep the others from it: look at each entry's `status`.
    """
    executor = _service(request).executor
    async with _form(request, _MAX_PICTURES) as form:
        sent = form.getlist("image")
        if not any(_is_picture(one) for one in sent):
            raise _missing("image", "pictures as files", "사진 파일을")
        asked = await _asked(request, form)
        if not asked.run and not await to_thread.run_sync(champions):
            raise no_model()
        # A batch never has more in the queue than there are places: others' pictures come in between.
        places, until = asyncio.Semaphore(executor.places), time.monotonic() + executor.seconds
        results = await asyncio.gather(*(_entry(request, one, asked, places, until) for one in sent))
    return PredictBatchResponse(results=results, intended_use=INTENDED_USE)


async def _entry(
    request: Request, sent: UploadFile | str, asked: "_Asked", places: asyncio.Semaphore, until: float
) -> BatchEntry:
    async with places:
        try:
            if not isinstance(sent, UploadFile):
                raise _missing("image", "pictures as files", "사진 파일을")
            image = await sent.read()  # now, so that they are not all in memory
            answer = await _graded(request, image, CONDITIONS, asked, predict_all_response, until - time.monotonic())
        except ScalpError as error:
            return BatchEntry(status=status_of(error), error=error_text(error))
    return BatchEntry(status=200, answer=answer)


@routes.get("/api/health", tags=["service"], summary="Is the process alive?")
async def health() -> HealthResponse:
    """Answers at once, whatever else goes on."""
    return HealthResponse(status="alive", intended_use=INTENDED_USE)


@routes.get(
    "/api/ready",
    tags=["service"],
    summary="Are the answering runs loaded?",
    responses=openapi.refusals(on_503="Not yet, or there is none."),
)
def ready(request: Request) -> ReadyResponse:
    """Names the runs that answer once all of them are loaded."""
    answering = _service(request).warmup.check()
    return ReadyResponse(status="ready", runs=[run.id for run in answering], intended_use=INTENDED_USE)


@routes.get("/api/models", tags=["service"], summary="Which run answers for which condition?")
def models() -> ModelsResponse:
    """One entry a condition, with how well its run does. Empty when nothing was trained yet."""
    return ModelsResponse(
        models=[
            ModelSummary(
                key=condition.value,
                name=condition.text.ko,
                name_en=condition.text.en,
                run=champion.run.id,
                architecture=champion.run.recipe.architecture,
                pinned=champion.pinned,
                data=champion.run.recipe.data,
                synthetic=champion.run.synthetic,
                quadratic_weighted_kappa=ModelScore(
                    valid=score(champion.run, condition, "valid"), test=score(champion.run, condition, "test")
                ),
            )
            for condition, champion in champions().items()
        ],
        intended_use=INTENDED_USE,
    )


@routes.get(
    "/api/metrics",
    tags=["service"],
    summary="Counters for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request) -> Response:
    """Requests by route and status, how long they took, gradings by condition and grade; of this process."""
    return Response(_service(request).request_metrics.text(), media_type=prometheus.CONTENT_TYPE)


# The application.


def application(limits: ServiceLimits | None = None) -> FastAPI:
    """The routes with counters, queue and loaded runs of their own."""
    limits = limits or ServiceLimits()
    counters = prometheus.RequestMetrics()
    app = FastAPI(
        title="Scalp Lab",
        version=__version__,
        description=openapi.DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's own page fetches its scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=answering,
        exception_handlers={
            ScalpError: on_scalp_error,
            HTTPException: on_http_error,
            ClientDisconnect: on_disconnect,
            Exception: on_unexpected_error,
        },
    )
    app.state.service = _Service(
        BoundedExecutor(limits.gradings, limits.waiting, limits.answer_seconds), Warmup(), counters
    )
    app.include_router(routes)
    app.include_router(openapi.pages)
    usual, batch = BodyLimits(MAX_BYTES, limits.body_seconds), BodyLimits(limits.batch_bytes, limits.batch_seconds)
    app.add_middleware(BodyLimitMiddleware, usual=usual, others={_BATCH: batch})
    app.add_middleware(RequestLogMiddleware, routes=_ADDRESSES, request_metrics=counters)
    return app


_ADDRESSES = frozenset(
    {"/api/openapi.json", *(route.path for router in (routes, openapi.pages) for route in router.routes)}  # type: ignore[attr-defined]
)

api = application()


# From the request.


@dataclass(frozen=True)
class _Asked:
    """How a picture is to be graded.

    Attributes:
        run: that answers instead of the champions.
        evidence: with evidence maps.
        strict: not at all where the gate has something against the picture.
        threshold: of the scalp type.
    """

    run: Run | None
    evidence: bool
    strict: bool
    threshold: int


@asynccontextmanager
async def _form(request: Request, pictures: int = 1) -> AsyncIterator[FormData]:
    """The form with at most so many files.

    Raises:
        ScalpError: `bad_form`, `too_many_pictures`, or what the body guard has against it.
    """
    try:
        form = await request.form(max_files=pictures, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES)
    except HTTPException as error:
        if pictures > 1 and "Too many files" in error.detail:
            raise _too_many(pictures) from error
        raise _bad_form(error.detail, pictures) from error
    try:
        yield form
    finally:
        await form.close()


async def _picture(form: FormData) -> bytes:
    image = form.get("image")
    if not isinstance(image, UploadFile) or not _is_picture(image):
        raise _missing("image", "a picture as a file", "사진 파일을")
    return await image.read()


def _is_picture(sent: UploadFile | str | None) -> bool:
    # Browsers send a nameless empty file for a form in which none was chosen.
    return isinstance(sent, UploadFile) and bool(sent.size or sent.filename)


async def _asked(request: Request, form: FormData | None = None) -> _Asked:
    """Raises ScalpError where something of it makes no sense or the run cannot answer."""
    query = request.query_params
    field = form.get("threshold") if form else None
    threshold = _threshold(field if isinstance(field, str) else query.get("threshold", ""))
    evidence, strict = (_switch(name, query.get(name, "")) for name in ("evidence", "strict"))
    if not query.get("run"):
        return _Asked(None, evidence, strict, threshold)
    run = await to_thread.run_sync(_service(request).warmup.run, query["run"])
    return _Asked(run, evidence, strict, threshold)


def _condition(number: UploadFile | str | None) -> Condition:
    if not isinstance(number, str):
        raise _missing("value_num", "a number from 1 to 6", "1에서 6까지의 숫자를")
    # Compared as text: int() would take “１” and “٣”, and the older system took “0” and “-1”.
    for condition in CONDITIONS:
        if number.strip() == str(condition.number):
            return condition
    raise ScalpError(
        "bad_value_num",
        f"value_num is “{number[:20]}”; it must be a number from 1 to 6.",
        f"value_num 값이 잘못되었어요: “{number[:20]}”. 1에서 6까지의 숫자여야 해요.",
    )


def _threshold(text: str) -> int:
    if not text.strip():
        return DEFAULT_THRESHOLD
    if text.strip() not in ("1", "2", "3"):
        raise ScalpError(
            "bad_threshold",
            f"threshold is “{text[:20]}”; it must be 1, 2 or 3.",
            f"threshold 값이 잘못되었어요: “{text[:20]}”. 1, 2, 3 가운데 하나여야 해요.",
        )
    return int(text)


def _switch(name: str, text: str) -> bool:
    if text not in ("", "0", "1"):
        raise ScalpError(
            f"bad_{name}",
            f"{name} is “{text[:20]}”; it must be 0 or 1.",
            f"{name} 값이 잘못되었어요: “{text[:20]}”. 0이나 1이어야 해요.",
        )
    return text == "1"


# Grading.


async def _graded(
    request: Request,
    image: bytes,
    conditions: Sequence[Condition],
    asked: _Asked,
    say: Callable[[Answer, bool], Said],
    seconds: float | None = None,
) -> Said:
    """What `say` makes of the answer, when its turn has come. Noted without any name that came from outside.

    Args:
        seconds: left for it; None: the usual.
    """
    service, context = _service(request), _context(request)
    noted: dict[str, Any] = {"bytes": len(image), "outcome": "internal_error"}
    context.pictures.append(noted)

    def work() -> tuple[Answer, Said]:
        noted["sha256"] = hashlib.sha256(image).hexdigest()[:12]
        answer = _grade(image, conditions, asked)
        return answer, say(answer, asked.evidence)

    try:
        answer, said = await service.executor.submit(work, seconds)
    except ScalpError as error:
        noted["outcome"] = error.code
        raise
    _note_gate(service, noted, answer)
    context.runs = sorted({*context.runs, *(grading.run.id for grading in answer.gradings.values())})
    if asked.strict and answer.reasons:
        noted["outcome"] = "not_gradable"
        raise NotGradableError(answer.reasons)
    noted["outcome"] = "graded"
    service.request_metrics.graded((condition, grading.grade) for condition, grading in answer.gradings.items())
    return said


def _note_gate(service: _Service, noted: dict[str, Any], answer: Answer) -> None:
    """By codes alone: a reason's words hold figures of the picture."""
    codes = None if answer.reasons is None else [reason.code for reason in answer.reasons]
    service.request_metrics.checked(codes)
    noted["format"] = answer.picture.format
    if codes:
        noted["reasons"] = codes


def _grade(image: bytes, conditions: Sequence[Condition], asked: _Asked) -> Answer:
    """By the champions, or by the run asked for: those conditions that it knows."""
    return predict.graders(conditions, asked.run).grade(image, asked.threshold)


# What requests are refused for.


def _missing(field: str, en: str, ko: str) -> ScalpError:
    return ScalpError(
        "missing_field",
        f"The form field “{field}” is missing: send {en} as multipart/form-data.",
        f"“{field}” 항목이 없어요. {ko} multipart/form-data로 보내세요.",
    )


def _bad_form(detail: str, pictures: int) -> ScalpError:
    files_en = "one picture" if pictures == 1 else f"at most {pictures} pictures"
    files_ko = "사진 하나" if pictures == 1 else f"사진 {pictures}장까지"
    return ScalpError(
        "bad_form",
        f"The form cannot be read: {detail} Send {files_en} and at most {_MAX_FIELDS} short fields.",
        f"양식을 읽을 수 없어요({detail}). {files_ko}와 짧은 항목 {_MAX_FIELDS}개까지 보내세요.",
    )


def _too_many(pictures: int) -> ScalpError:
    return ScalpError(
        "too_many_pictures",
        f"A request may have at most {pictures} pictures. Send the rest in another one.",
        f"한 요청에 사진을 {pictures}장까지 보낼 수 있어요. 나머지는 다른 요청으로 보내세요.",
    )


if __name__ == "__main__":
    from scalp_core.rest import server

    server.main("scalp_core.rest.app:api", "python -m scalp_core.rest")
