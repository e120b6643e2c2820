"""Schemas of REST's answers, and the conversion of gradings into them.

The page offers the same JSON for download. Docstrings and descriptions of the classes are part of OpenAPI.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from scalp_core.inference.evidence import COLOUR, FULL_GRADE, data_url, local_grade
from scalp_core.inference.input_gate import Reason
from scalp_core.inference.predict import INTENDED_USE, Answer, Grading
from scalp_core.labels import Condition, ScalpType, Severity
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.runs.election import Shortfall

IntendedUse = Annotated[str, Field(description="Not a medical device.", json_schema_extra={"const": INTENDED_USE})]


class OperatingPointSummary(BaseModel):
    """The rule that turned the network's probabilities into this grade."""

    made: str | None = Field(
        description="When the run's operating point was fitted or chosen: UTC, ISO 8601. Null: it never was.",
        examples=["2026-11-02T09:30:00+00:00"],
    )
    fitted: bool = Field(
        description="It was fitted for this condition: `probabilities` are calibrated and `grade_set` is known. "
        "Otherwise the most probable grade was decided.",
        examples=[True],
    )
    damaged: bool = Field(
        default=False,
        description="Only where it is true: the stored one is damaged and this one was fitted again on the run's "
        "predictions, so grades may differ from earlier ones.",
        examples=[False],
    )


class EvidenceMap(BaseModel):
    """The grade that each place of the picture speaks for."""

    png: str = Field(
        description="Data URL of a PNG to be laid over the whole upright picture, stretched to its size. "
        f"Orange ({COLOUR}) where a place speaks for a grade above 0, the more opaque, the higher; transparent where "
        "it looks normal.",
        examples=["data:image/png;base64,iVBORw0KGgo…"],
    )
    scale: float = Field(description="Grade at full opacity, the same for all conditions.", examples=[FULL_GRADE])


class GradeResponse(BaseModel):
    """One condition's grade. The first five members are the older system's."""

    class_id: int = Field(description="Number of the condition, 1–6.", examples=[1])
    class_name: str = Field(description="Name of the condition, Korean.", examples=["미세각질"])
    pr_num: int = Field(description="Estimated grade: 0 normal, 1 mild, 2 moderate, 3 severe.", examples=[0])
    pr_name: str = Field(description="Name of the grade, Korean.", examples=["양호"])
    answer: str = Field(description="Both in a sentence, Korean.", examples=["미세각질의 상태가 양호 입니다."])
    probabilities: list[float] = Field(
        description="Of grades 0–3, sum 1; calibrated where `grade_set` is known.",
        min_length=4,
        max_length=4,
        examples=[[0.7, 0.2, 0.07, 0.03]],
    )
    grade_set: list[int] | None = Field(
        description=f"Lowest and highest grade. The truth lies within in {COVERAGE:.0%} of pictures like those the run "
        "was calibrated on, `pr_num` always. Null: the run was not calibrated for this condition.",
        min_length=2,
        max_length=2,
        examples=[[0, 1]],
    )
    run: str = Field(description="The training run that graded it.", examples=["demo-tf_efficientnet_lite0"])
    architecture: str = Field(description="Its architecture.", examples=["tf_efficientnet_lite0"])
    synthetic: bool = Field(
        description="Trained on synthetic pictures, or started from a run that was: its grades mean nothing for real "
        "scalps.",
        examples=[True],
    )
    operating_point: OperatingPointSummary = Field(description="How the grade was decided.")
    refer: bool | None = Field(
        default=None,
        description="Only where the run's operating point limits unseen far errors. True: leave this grade to a "
        "person. The share of pictures that are two or more grades wrong without it stays within the limit.",
        examples=[False],
    )
    evidence: EvidenceMap | None = Field(default=None, description="Only with `?evidence=1`.")


class ImageSize(BaseModel):
    """The picture as it was received."""

    format: str = Field(description="By its content, whatever the file is called.", examples=["JPEG"])
    width: int = Field(description="Pixels, before turning it upright.", examples=[640])
    height: int = Field(description="Pixels, before turning it upright.", examples=[480])


class ScalpTypeResponse(BaseModel):
    """The scalp type that the six grades add up to by the criteria table."""

    key: str = Field(description="For programs; stays the same.", examples=["oily"])
    name: str = Field(description="Korean.", examples=["지성"])
    name_en: str = Field(description="English.", examples=["oily"])
    threshold: int = Field(description="A condition counts as present from this grade on, 1–3.", examples=[2])
    present: list[str] = Field(description="Keys of the conditions that count.", examples=[["value_2"]])
    tendencies: list[str] = Field(description="Above normal but below the threshold.", examples=[["value_1"]])
    missing: list[str] = Field(description="Conditions without a run in use.", examples=[[]])
    reason: str = Field(description="Why this type, Korean.", examples=["‘중등도’ 이상인 증상: 피지과다."])
    reason_en: str = Field(description="Why this type, English.", examples=["Excess sebum is “moderate” or worse."])


class GateReason(BaseModel):
    """Reason of the quality check against the picture, or for its mark."""

    code: str = Field(description="For programs; stays the same.", examples=["blurred"])
    message: str = Field(
        description="What is wrong, with its figures, and what to do about it.",
        examples=["Blurred: sharpness 4.20, minimum 12.00. Focus, hold still and retake."],
    )
    message_ko: str = Field(
        description="The same in Korean.",
        examples=["사진이 흐려요. 선명도: 4.20(최소 12.00). 초점을 맞추고 흔들리지 않게 다시 촬영하세요."],
    )


_IMAGE = Field(description="Format and size of what was sent.")
_GRADABLE = Field(
    description="False: the picture fails the quality check, see `reasons`; its grades mean nothing. Null: not "
    "checked, as the run has no quality check.",
    examples=[True],
)
_REASONS = Field(description="Why the quality check fails; empty if it passes.", examples=[[]])
_UNUSUAL = Field(
    description="True: unlike the pictures that the run learned from, as another camera's are, yet no reason against "
    "grading it, see `remarks`. Null: not checked.",
    examples=[False],
)
_REMARKS = Field(description="Why the picture is marked although it was graded; empty if it is not.", examples=[[]])


class _Grades(BaseModel):
    value_1: list[GradeResponse] | None = Field(None, description="Fine scaling, 미세각질.", max_length=1)
    value_2: list[GradeResponse] | None = Field(None, description="Excess sebum, 피지과다.", max_length=1)
    value_3: list[GradeResponse] | None = Field(
        None, description="Interfollicular erythema, 모낭사이홍반.", max_length=1
    )
    value_4: list[GradeResponse] | None = Field(
        None, description="Follicular erythema / pustules, 모낭홍반/농포.", max_length=1
    )
    value_5: list[GradeResponse] | None = Field(None, description="Dandruff, 비듬.", max_length=1)
    value_6: list[GradeResponse] | None = Field(None, description="Hair loss, 탈모.", max_length=1)


class PredictAllResponse(_Grades):
    """Every condition that a run answers for, each a list of one."""

    image: ImageSize = _IMAGE
    scalp_type: ScalpTypeResponse = Field(description="The type that the six grades add up to.")
    intended_use: IntendedUse
    gradable: bool | None = _GRADABLE
    reasons: list[GateReason] = _REASONS
    unusual: bool | None = _UNUSUAL
    remarks: list[GateReason] = _REMARKS


class PredictResponse(_Grades):
    """The one condition asked for, under its key."""

    image: ImageSize = _IMAGE
    intended_use: IntendedUse
    gradable: bool | None = _GRADABLE
    reasons: list[GateReason] = _REASONS
    unusual: bool | None = _UNUSUAL
    remarks: list[GateReason] = _REMARKS


class ErrorDetail(BaseModel):
    """An error, for programs and for people."""

    code: str = Field(description="For programs; stays the same.", examples=["bad_value_num"])
    message: str = Field(
        description="What went wrong and what to do about it.",
        examples=["value_num is “7”; it must be a number from 1 to 6."],
    )
    message_ko: str = Field(
        description="The same in Korean.",
        examples=["value_num 값이 잘못되었어요: “7”. 1에서 6까지의 숫자여야 해요."],
    )
    reasons: list[GateReason] = Field(default=[], description="Only with `not_gradable`: why the quality check fails.")


class ErrorResponse(BaseModel):
    """Every answer with a status of 400 and above."""

    error: ErrorDetail = Field(description="What went wrong.")
    intended_use: IntendedUse
    request_id: str = Field(
        description="Of this request, also in the header X-Request-ID and in the server's log.",
        examples=["9f86d081884c7d65"],
    )


class BatchEntry(BaseModel):
    """The result for one picture: `answer` with status 200, otherwise `error`."""

    status: int = Field(description="The status that this picture alone would have had.", examples=[200])
    answer: PredictAllResponse | None = Field(
        default=None, description="With status 200: as `/api/predict_all` answers."
    )
    error: ErrorDetail | None = Field(default=None, description="With any other status: why it was not graded.")


class PredictBatchResponse(BaseModel):
    """One entry a picture, in the order in which they were sent."""

    results: list[BatchEntry] = Field(description="As many as pictures were sent.")
    intended_use: IntendedUse


class HealthResponse(BaseModel):
    status: Literal["alive"] = Field(description="The process answers.")
    intended_use: IntendedUse


class ReadyResponse(BaseModel):
    status: Literal["ready"] = Field(description="Every run in use is loaded.")
    runs: list[str] = Field(description="The runs in use, loaded.", examples=[["demo-tf_efficientnet_lite0"]])
    intended_use: IntendedUse


class ModelScore(BaseModel):
    """Quadratic weighted kappa: 1 agrees with the labels, 0 is chance."""

    valid: float | None = Field(
        description="On the validation split, by which runs are selected. Null: undefined.", examples=[0.71]
    )
    test: float | None = Field(description="On the test split, reported only. Null: undefined.", examples=[0.68])


class FloorShortfall(BaseModel):
    """A part of the floor of the validation split that a run misses."""

    code: str = Field(description="For programs; stays the same.", examples=["few_pictures"])
    message: str = Field(
        description="What the run misses, with its figures.", examples=["40 labelled validation pictures, 200 needed"]
    )
    message_ko: str = Field(description="The same in Korean.", examples=["라벨이 있는 검증 사진 40장, 200장 필요"])


class ModelSummary(BaseModel):
    """The run that answers for one condition."""

    key: str = Field(description="Of the condition.", examples=["value_1"])
    name: str = Field(description="Korean.", examples=["미세각질"])
    name_en: str = Field(description="English.", examples=["fine scaling"])
    run: str = Field(description="Its id, which `?run=` takes.", examples=["demo-tf_efficientnet_lite0"])
    architecture: str = Field(description="Of its network.", examples=["tf_efficientnet_lite0"])
    pinned: bool = Field(
        description="Promoted by a user; otherwise the best on the validation split.", examples=[False]
    )
    data: str = Field(description="The dataset it was trained on.", examples=["demo"])
    synthetic: bool = Field(
        description="Trained on synthetic pictures, or started from a run that was.", examples=[True]
    )
    quadratic_weighted_kappa: ModelScore = Field(description="How well it agrees with the labels.")
    shortfalls: list[FloorShortfall] = Field(
        description="Of a promoted run: the parts of the floor for answering by itself that it misses."
    )


class PassedOverSummary(BaseModel):
    """The run that would answer for a condition by itself if it reached the floor."""

    key: str = Field(description="Of the condition.", examples=["value_1"])
    run: str = Field(description="Its id, which `?run=` takes.", examples=["clinic-resnet18"])
    shortfalls: list[FloorShortfall] = Field(description="The parts of the floor that it misses.")


class ModelsResponse(BaseModel):
    models: list[ModelSummary] = Field(description="Conditions with a run in use, in their order.")
    passed_over: list[PassedOverSummary] = Field(
        description="Runs that go before the one in use, or would be the only one, but do not answer by themselves."
    )
    intended_use: IntendedUse


def floor_shortfalls(shortfalls: Sequence[Shortfall]) -> list[FloorShortfall]:
    """Return the parts of the floor that a run misses as members of an answer."""
    return [FloorShortfall(code=each.code, message=each.text.en, message_ko=each.text.ko) for each in shortfalls]


def predict_all_response(answer: Answer, evidence: bool = False) -> PredictAllResponse:
    """Return the body of `/predict_all`; the page offers the same for download."""
    scalp_type = scalp_type_response(answer.scalp_type)
    return PredictAllResponse.model_validate(
        _grades(answer, evidence) | {"scalp_type": scalp_type, "intended_use": INTENDED_USE} | _gate(answer)
    )


def predict_response(answer: Answer, evidence: bool = False) -> PredictResponse:
    """Return the body of `/predict` from an answer that holds one condition."""
    return PredictResponse.model_validate(_grades(answer, evidence) | {"intended_use": INTENDED_USE} | _gate(answer))


def gate_reasons(reasons: Sequence[Reason]) -> list[GateReason]:
    """Return the gate's reasons as members of an answer."""
    return [GateReason(code=reason.code, message=reason.text.en, message_ko=reason.text.ko) for reason in reasons]


def _gate(answer: Answer) -> dict[str, Any]:
    return {
        "gradable": answer.gradable,
        "reasons": gate_reasons(answer.refusals),
        "unusual": answer.unusual,
        "remarks": gate_reasons(answer.remarks),
    }


def _grades(answer: Answer, evidence: bool) -> dict[str, Any]:
    picture = answer.picture
    image = ImageSize(format=picture.format, width=picture.width, height=picture.height)
    grades = {condition.value: _grade_answer(grading) for condition, grading in answer.gradings.items()}
    if evidence:
        for key, evidence_map in _evidence(answer).items():
            grades[key].evidence = evidence_map
    return {**{key: [grade] for key, grade in grades.items()}, "image": image}


def _evidence(answer: Answer) -> dict[str, EvidenceMap]:
    """Return the maps by key of the condition, all on one scale."""
    height, width = answer.picture.pixels.shape[:2]
    return {
        condition.value: EvidenceMap(
            png=data_url(local_grade(grading.evidence, grading.probabilities), width / height), scale=FULL_GRADE
        )
        for condition, grading in answer.gradings.items()
    }


def _grade_answer(grading: Grading) -> GradeResponse:
    refer: dict[str, Any] = {} if grading.refer is None else {"refer": grading.refer}
    return GradeResponse(
        class_id=grading.condition.number,
        class_name=grading.condition.text.ko,
        pr_num=int(grading.grade),
        pr_name=grading.grade.text.ko,
        answer=grade_sentence(grading.condition, grading.grade),
        probabilities=list(grading.probabilities),
        grade_set=[int(grade) for grade in grading.grade_set] if grading.grade_set else None,
        run=grading.run.id,
        architecture=grading.run.recipe.architecture,
        synthetic=grading.run.synthetic,
        operating_point=OperatingPointSummary(
            made=grading.run.operating_point.made or None,
            fitted=grading.grade_set is not None,
            **({"damaged": True} if grading.run.operating_point_damage else {}),
        ),
        **refer,
    )


def grade_sentence(condition: Condition, grade: Severity) -> str:
    """Return condition and grade in the older system's sentence."""
    return f"{condition.text.ko}의 상태가 {grade.text.ko} 입니다."


def scalp_type_response(scalp_type: ScalpType) -> ScalpTypeResponse:
    """Return a scalp type as a member of an answer."""
    return ScalpTypeResponse(
        key=scalp_type.key,
        name=scalp_type.text.ko,
        name_en=scalp_type.text.en,
        threshold=int(scalp_type.threshold),
        present=[condition.value for condition in scalp_type.present],
        tendencies=[condition.value for condition in scalp_type.tendencies],
        missing=[condition.value for condition in scalp_type.missing],
        reason=scalp_type.reason.ko,
        reason_en=scalp_type.reason.en,
    )
