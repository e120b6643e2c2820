"""Examples of answers and errors for the description of the interface, made by what makes the real ones."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData

from scalp_core import images
from scalp_core.errors import ScalpError, Text
from scalp_core.inference.input_gate import Reason
from scalp_core.inference.predict import INTENDED_USE, NO_MODEL, not_graded
from scalp_core.labels import CONDITIONS, Condition, Severity, scalp_type
from scalp_core.memory_budget import no_memory
from scalp_core.rest import access_control, executor, forms, middleware, warmup
from scalp_core.rest.error_handlers import NotGradableError, error_text, internal_error, status_of
from scalp_core.rest.schemas import (
    BatchEntry,
    ErrorResponse,
    GateReason,
    GradeResponse,
    HealthResponse,
    ImageSize,
    ModelScore,
    ModelsResponse,
    ModelSummary,
    OperatingPointSummary,
    PredictAllResponse,
    PredictBatchResponse,
    PredictResponse,
    ReadyResponse,
    grade_sentence,
    scalp_type_response,
)
from scalp_core.runs.run import Run, State, damaged
from scalp_core.runs.store import no_run, not_finished

REQUEST_ID = "9f86d081884c7d65"
_RUN, _ARCHITECTURE = "clinic-resnet18", "resnet18"
_GRADES = dict.fromkeys(CONDITIONS, Severity.NORMAL) | {
    Condition.EXCESS_SEBUM: Severity.MODERATE,
    Condition.ERYTHEMA: Severity.MILD,
}
_PROBABILITIES = {
    Severity.NORMAL: [0.91, 0.06, 0.02, 0.01],
    Severity.MILD: [0.08, 0.71, 0.16, 0.05],
    Severity.MODERATE: [0.03, 0.21, 0.68, 0.08],
}


# ---- errors ----


@cache
def errors() -> dict[str, ScalpError]:
    """Return an error of each code that a described address may answer with."""
    run = Run(Path(_RUN))
    fields = GateReason.model_fields
    blurred = Text(*((fields[name].examples or [""])[0] for name in ("message", "message_ko")))
    made = (
        forms.bad_form("Missing boundary in multipart.", 1),
        _raised_by(lambda: forms.parse_condition(None)),
        access_control.foreign_host(),
        access_control.no_token(),
        access_control.foreign_origin(),
        no_run(_RUN),
        not_finished(_RUN, State.RUNNING),
        middleware.too_slow(middleware.PICTURE_BODY),
        middleware.too_large(middleware.PICTURE_BODY),
        forms.too_many_pictures(forms.MAX_PICTURES),
        _raised_by(lambda: images.decode(b"no picture")),
        _raised_by(lambda: forms.parse_condition("7")),
        _raised_by(lambda: forms.parse_threshold(_request(""), FormData({"threshold": "4"}))),
        _raised_by(lambda: forms.parse_switch(_request("evidence=2"), "evidence")),
        _raised_by(lambda: forms.parse_switch(_request("strict=2"), "strict")),
        not_graded(run, [Condition.HAIR_LOSS]),
        NotGradableError([Reason("blurred", blurred, 4.2, 12.0)]),
        internal_error(REQUEST_ID),
        ScalpError("no_model", *NO_MODEL),
        executor.busy(),
        no_memory(),
        warmup.warming(),
        run.no_export(Text("The exported network answers differently.", "내보낸 네트워크의 답이 달라요.")),
        damaged(_RUN, "model.onnx"),
        executor.too_long(executor.ANSWER_SECONDS),
    )
    return {error.code: error for error in made}


def _raised_by(call: Callable[[], object]) -> ScalpError:
    try:
        call()
    except ScalpError as error:
        return error
    raise RuntimeError("this was made to be refused")


def _request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def error_body(code: str) -> dict[str, Any]:
    """Return the body of the answer with this code."""
    body = ErrorResponse(error=error_text(errors()[code]), intended_use=INTENDED_USE, request_id=REQUEST_ID)
    return body.model_dump(exclude_unset=True)


def status(code: str) -> int:
    """Return the status of the answer with this code."""
    return status_of(errors()[code])


# ---- answers ----


def _grade(condition: Condition, grade: Severity) -> GradeResponse:
    return GradeResponse(
        class_id=condition.number,
        class_name=condition.text.ko,
        pr_num=grade,
        pr_name=grade.text.ko,
        answer=grade_sentence(condition, grade),
        probabilities=_PROBABILITIES[grade],
        grade_set=[max(grade - 1, 0), grade],
        run=_RUN,
        architecture=_ARCHITECTURE,
        synthetic=False,
        operating_point=OperatingPointSummary(made="2026-11-02T09:30:00+00:00", fitted=True),
    )


def _answer(conditions: Iterable[Condition]) -> dict[str, Any]:
    """Return what answers for one and for all conditions share."""
    grades = {condition.value: [_grade(condition, _GRADES[condition])] for condition in conditions}
    picture = ImageSize(format="JPEG", width=640, height=480)
    gate = {"gradable": True, "reasons": [], "unusual": False, "remarks": []}
    return {**grades, "image": picture, "intended_use": INTENDED_USE, **gate}


_ALL = PredictAllResponse(**_answer(CONDITIONS), scalp_type=scalp_type_response(scalp_type(_GRADES)))
_ANSWERS: tuple[BaseModel, ...] = (
    _ALL,
    PredictResponse(**_answer([Condition.PUSTULES])),
    PredictBatchResponse(results=[BatchEntry(status=200, answer=_ALL)], intended_use=INTENDED_USE),
    HealthResponse(status="alive", intended_use=INTENDED_USE),
    ReadyResponse(status="ready", runs=[_RUN], intended_use=INTENDED_USE),
    ModelsResponse(
        models=[
            ModelSummary(
                key=condition.value,
                name=condition.text.ko,
                name_en=condition.text.en,
                run=_RUN,
                architecture=_ARCHITECTURE,
                pinned=False,
                data="clinic",
                synthetic=False,
                quadratic_weighted_kappa=ModelScore(valid=0.71, test=0.68),
                shortfalls=[],
            )
            for condition in CONDITIONS
        ],
        passed_over=[],
        intended_use=INTENDED_USE,
    ),
)


def answer_bodies() -> dict[str, dict[str, Any]]:
    """Return the example of each answer that is not an error, by the name of its schema."""
    return {type(body).__name__: body.model_dump(exclude_unset=True) for body in _ANSWERS}
