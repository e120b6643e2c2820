"""The application: routes that turn bytes into predictions into JSON.

`python -m scalp_core.rest` serves it alone, `serve.py` beside the dashboard on one port; the addresses are the same.

Two addresses lead to the same functions. `POST /predict_all` and `POST /predict` keep the addresses, names and types of
the older system for its clients; everything is available under `/api` as well, beside errors, documentation and health.

Answers extend the old contract without breaking its clients:

* Inside each object there are further members (probabilities, run …). JSON readers skip members they do not look up.
* At the top level `value_1` … `value_6` come first and are byte for byte in the old shape; `image`, `scalp_type` and
  `intended_use` follow. The contract names its keys, so clients look them up. The older system's page prints the whole
  answer, and no client is known that walks over all keys. Such a client could be served only by leaving out that this
  is research, which every answer has to say. Wrapping the three in lists would spoil them for every other client and
  still yield a list without `class_name`.
* A condition without an answering run is left out; `scalp_type` then is `undetermined` and lists what is missing.
"""

import asyncio
import hashlib
import logging
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

from scalp_core.access import access
from scalp_core.base_path import base_path
from scalp_core.errors import ScalpError
from scalp_core.inference import predict
from scalp_core.inference.predict import INTENDED_USE, Answer, no_model
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.parallel import end_with_parent
from scalp_core.rest import browser_page, forms, openapi, prometheus
from scalp_core.rest.access_control import CorsMiddleware, HostMiddleware, Settings, TokenMiddleware
from scalp_core.rest.error_handlers import (
    NotGradableError,
    error_text,
    on_disconnect,
    on_http_error,
    on_memory_error,
    on_scalp_error,
    on_unexpected_error,
    status_of,
)
from scalp_core.rest.executor import ANSWER_SECONDS, QUEUE_LENGTH, BoundedExecutor, share_of_cores
from scalp_core.rest.middleware import (
    BATCH_BODY,
    PICTURE_BODY,
    BasePathMiddleware,
    BodyLimitMiddleware,
    BodyLimits,
    HeadMiddleware,
    RequestContext,
    RequestLogMiddleware,
)
from scalp_core.rest.middleware import log as request_log
from scalp_core.rest.schemas import (
    BatchEntry,
    HealthResponse,
    ModelScore,
    ModelsResponse,
    ModelSummary,
    PassedOverSummary,
    PredictAllResponse,
    PredictBatchResponse,
    PredictResponse,
    ReadyResponse,
    floor_shortfalls,
    predict_all_response,
    predict_response,
)
from scalp_core.rest.server import quiet_accept_errors
from scalp_core.rest.warmup import Warmup
from scalp_core.runs.champions import champions, passed_over
from scalp_core.runs.election import score
from scalp_core.runs.run import Run
from scalp_core.version import __version__

ResponseBody = TypeVar("ResponseBody")

_BATCH = "/api/predict_batch"


@dataclass(frozen=True)
class ServiceLimits:
    """The load that one application accepts.

    Attributes:
        gradings: at the same time.
        queue_length: requests that may wait for a grading to end.
        answer_seconds: from the arrival of a request to its answer or refusal.
        picture_body: size and time of a body with one picture.
        batch_body: size and time of a body with a batch.
    """

    gradings: int = field(default_factory=share_of_cores)
    queue_length: int = QUEUE_LENGTH
    answer_seconds: float = ANSWER_SECONDS
    picture_body: BodyLimits = PICTURE_BODY
    batch_body: BodyLimits = BATCH_BODY


@dataclass(frozen=True)
class _Service:
    """State shared by the routes of one application."""

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
    """Run the routes' lifespan: requests are answered at once, models are loaded in the background."""
    quiet_accept_errors()
    request_log.setLevel(logging.INFO)
    if not request_log.hasHandlers():
        request_log.addHandler(logging.StreamHandler())
    end_with_parent()
    app.state.service.warmup.start()
    yield


# Routes. Their docstrings are the descriptions in OpenAPI.

routes = APIRouter()

# Both addresses of a route have the same description.
_ALL: dict[str, Any] = {
    "response_model_exclude_unset": True,
    "responses": openapi.ALL_REFUSALS,
    "openapi_extra": openapi.ALL,
}
_ONE: dict[str, Any] = {
    "response_model_exclude_unset": True,
    "responses": openapi.ONE_REFUSALS,
    "openapi_extra": openapi.ONE,
}


@routes.post("/predict_all", tags=["older clients"], summary="Grade all six conditions, the older address", **_ALL)
@routes.post("/api/predict_all", tags=["grading"], summary="Grade all six conditions", **_ALL)
async def predict_all(request: Request) -> PredictAllResponse:
    """All conditions of one picture, with the scalp type they add up to."""
    async with forms.read_form(request) as form:
        image = await forms.read_picture(form)
        options = await _grading_options(request, form)
    return await _grade_in_turn(request, image, CONDITIONS, options, predict_all_response)


@routes.post("/predict", tags=["older clients"], summary="Grade one condition, the older address", **_ONE)
@routes.post("/api/predict", tags=["grading"], summary="Grade one condition", **_ONE)
async def predict_one(request: Request) -> PredictResponse:
    """One condition of one picture. The scalp type needs all six, so it is not given."""
    async with forms.read_form(request) as form:
        image = await forms.read_picture(form)
        condition = forms.parse_condition(form.get("value_num"))
        options = await _grading_options(request)
    return await _grade_in_turn(request, image, [condition], options, predict_response)


@routes.post(
    _BATCH,
    tags=["grading"],
    summary="Grade all six conditions of several pictures",
    response_model_exclude_unset=True,
    responses=openapi.BATCH_REFUSALS,
    openapi_extra=openapi.batch(forms.MAX_PICTURES, BATCH_BODY.pictures // 2**20),
)
async def predict_batch(request: Request) -> PredictBatchResponse:
    """An answer or an error for each picture, in the order in which they were sent.

    A picture that cannot be graded does not keep the others from it: look at each entry's `status`.
    """
    executor = _service(request).executor
    async with forms.read_form(request, forms.MAX_PICTURES) as form:
        fields = forms.picture_fields(form)
        options = await _grading_options(request, form)
        if not options.run and not await to_thread.run_sync(champions):
            raise no_model()
        # A batch never has more in the queue than there are places: pictures of other requests come in between.
        places, deadline = asyncio.Semaphore(executor.places), time.monotonic() + executor.seconds
        results = await asyncio.gather(*(_batch_entry(request, field, options, places, deadline) for field in fields))
    return PredictBatchResponse(results=results, intended_use=INTENDED_USE)


async def _batch_entry(
    request: Request,
    field: UploadFile,
    options: "_GradingOptions",
    places: asyncio.Semaphore,
    deadline: float,
) -> BatchEntry:
    async with places:
        try:
            image = await field.read()  # only now, so that the pictures are not all in memory
            seconds = deadline - time.monotonic()
            answer = await _grade_in_turn(request, image, CONDITIONS, options, predict_all_response, seconds)
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
    responses=openapi.run_link("/runs/0") | openapi.refusals(warming="not yet.", no_model="there is none."),
)
def ready(request: Request) -> ReadyResponse:
    """Names the runs that answer once all of them are loaded."""
    runs = _service(request).warmup.check()
    return ReadyResponse(status="ready", runs=[run.id for run in runs], intended_use=INTENDED_USE)


@routes.get(
    "/api/models",
    tags=["service"],
    summary="Which run answers for which condition?",
    responses=openapi.run_link("/models/0/run"),
)
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
                shortfalls=floor_shortfalls(champion.shortfalls),
            )
            for condition, champion in champions().items()
        ],
        passed_over=[
            PassedOverSummary(key=condition.value, run=passed.run.id, shortfalls=floor_shortfalls(passed.shortfalls))
            for condition, passed in passed_over().items()
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


# Grading.


@dataclass(frozen=True)
class _GradingOptions:
    """The request's choices for the grading of its pictures.

    Attributes:
        run: answers instead of the champions.
        evidence: whether the answer has evidence maps.
        strict: whether a picture is refused that the gate advises against.
        threshold: of the scalp type.
    """

    run: Run | None
    evidence: bool
    strict: bool
    threshold: int


async def _grading_options(request: Request, form: FormData | None = None) -> _GradingOptions:
    """Read the options.

    Raises:
        ScalpError: a value makes no sense, or the run cannot answer.
    """
    threshold = forms.parse_threshold(request, form)
    evidence, strict = forms.parse_switch(request, "evidence"), forms.parse_switch(request, "strict")
    run_id = request.query_params.get("run")
    run = await to_thread.run_sync(_service(request).warmup.run, run_id) if run_id else None
    return _GradingOptions(run, evidence, strict, threshold)


async def _grade_in_turn(
    request: Request,
    image: bytes,
    conditions: Sequence[Condition],
    options: _GradingOptions,
    to_response: Callable[[Answer, bool], ResponseBody],
    seconds: float | None = None,
) -> ResponseBody:
    """Grade a picture in the executor and note the outcome, without any name from outside, for the log.

    Args:
        to_response: turns the answer, with evidence or not, into the response.
        seconds: left until the deadline; None: the executor's.
    """
    service, context = _service(request), _context(request)
    entry: dict[str, Any] = {"bytes": len(image), "outcome": "internal_error"}
    context.pictures.append(entry)

    def work() -> tuple[Answer, ResponseBody]:
        entry["sha256"] = hashlib.sha256(image).hexdigest()[:12]
        answer = predict.graders(conditions, options.run).grade(image, options.threshold)
        return answer, to_response(answer, options.evidence)

    try:
        answer, response = await service.executor.submit(work, seconds)
    except ScalpError as error:
        entry["outcome"] = error.code
        raise
    _note_gate(service, entry, answer)
    context.runs = sorted({*context.runs, *(grading.run.id for grading in answer.gradings.values())})
    if options.strict and answer.refusals:
        entry["outcome"] = "not_gradable"
        raise NotGradableError(answer.refusals)
    entry["outcome"] = "graded"
    service.request_metrics.graded((condition, grading.grade) for condition, grading in answer.gradings.items())
    return response


def _note_gate(service: _Service, entry: dict[str, Any], answer: Answer) -> None:
    """Count and log the gate's reasons by code: their texts hold figures of the picture."""
    codes = [reason.code for reason in answer.reasons or ()]
    service.request_metrics.checked(answer.gradable, codes)
    entry["format"] = answer.picture.format
    if codes:
        entry["reasons"] = codes


# The application.


def application(
    limits: ServiceLimits | None = None, settings: Settings = access, base: Callable[[], str] = base_path
) -> FastAPI:
    """Return the routes with counters, queue and loaded runs of their own.

    Args:
        settings: returns who may ask, for each request anew.
        base: returns the base path, likewise.
    """
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
            MemoryError: on_memory_error,
            Exception: on_unexpected_error,
        },
    )
    app.state.service = _Service(
        BoundedExecutor(limits.gradings, limits.queue_length, limits.answer_seconds), Warmup(), counters
    )
    app.include_router(routes, responses=openapi.COMMON_REFUSALS)
    app.include_router(openapi.pages)
    app.include_router(browser_page.pages)
    description = app.openapi  # FastAPI's own, kept
    app.openapi = lambda: openapi.completed(description(), bool(settings().token), base())  # type: ignore[method-assign]
    app.add_middleware(HeadMiddleware)
    app.add_middleware(BodyLimitMiddleware, usual=limits.picture_body, others={_BATCH: limits.batch_body})
    app.add_middleware(TokenMiddleware, open_addresses=_OPEN_ADDRESSES, settings=settings)
    app.add_middleware(CorsMiddleware, settings=settings)
    app.add_middleware(HostMiddleware, settings=settings, is_shared=lambda _scope: True)
    app.add_middleware(RequestLogMiddleware, routes=_ADDRESSES, request_metrics=counters)
    app.add_middleware(BasePathMiddleware, base=base)
    return app


_ROUTERS = (routes, openapi.pages, browser_page.pages)
_ADDRESSES = frozenset({"/api/openapi.json", *(route.path for router in _ROUTERS for route in router.routes)})  # type: ignore[attr-defined]
_OPEN_ADDRESSES = openapi.OPEN_ADDRESSES | browser_page.OPEN_ADDRESSES

api = application()
