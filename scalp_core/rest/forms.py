"""Reads forms and query parameters of grading requests, and refuses what cannot be read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, DEFAULT_THRESHOLD, Condition
from scalp_core.rest.multipart import parse_form

MAX_PICTURES = 16  # of one batch
MAX_FIELDS = 4  # short fields besides the pictures
MAX_FIELD_BYTES = 1024
_PICTURE_FIELD = "image"


@asynccontextmanager
async def read_form(request: Request, pictures: int = 1) -> AsyncIterator[FormData]:
    """Yield the form, which may hold at most this many files.

    Raises:
        ScalpError: `bad_form`, `too_many_pictures`, or `too_large` and `too_slow` of the body.
    """
    try:
        form = await parse_form(request, _PICTURE_FIELD, pictures, MAX_FIELDS, MAX_FIELD_BYTES)
    except HTTPException as error:
        if pictures > 1 and "Too many files" in error.detail:
            raise too_many_pictures(pictures) from error
        raise bad_form(error.detail, pictures) from error
    try:
        yield form
    finally:
        await form.close()


async def read_picture(form: FormData) -> bytes:
    """Return the bytes of the form's one picture.

    Raises:
        ScalpError: `missing_field`.
    """
    image = form.get(_PICTURE_FIELD)
    if not isinstance(image, UploadFile) or not _is_picture(image):
        raise _missing_field(_PICTURE_FIELD, "a picture as a file", "사진 파일을")
    return await image.read()


def picture_fields(form: FormData) -> list[UploadFile]:
    """Return every file under `image`, of which at least one is a picture.

    Raises:
        ScalpError: `missing_field`.
    """
    fields = [field for field in form.getlist(_PICTURE_FIELD) if isinstance(field, UploadFile)]
    if not any(map(_is_picture, fields)):
        raise _missing_field(_PICTURE_FIELD, "pictures as files", "사진 파일을")
    return fields


def _is_picture(field: UploadFile) -> bool:
    """Tell a file from the nameless empty one of browsers where none was selected."""
    return bool(field.size or field.filename)


def parse_condition(number: UploadFile | str | None) -> Condition:
    """Return the condition with this number.

    Raises:
        ScalpError: `missing_field`, `bad_value_num`.
    """
    if not isinstance(number, str):
        raise _missing_field("value_num", "a number from 1 to 6", "1에서 6까지의 숫자를")
    # Compared as text: int() would take “１” and “٣”, and the older system took “0” and “-1”.
    for condition in CONDITIONS:
        if number.strip() == str(condition.number):
            return condition
    raise ScalpError(
        "bad_value_num",
        f"value_num is “{number[:20]}”; it must be a number from 1 to 6.",
        f"value_num 값이 잘못되었어요: “{number[:20]}”. 1에서 6까지의 숫자여야 해요.",
    )


def parse_threshold(request: Request, form: FormData | None) -> int:
    """Return the scalp type's threshold: the form's, or else the query's.

    Raises:
        ScalpError: `bad_threshold`.
    """
    field = form.get("threshold") if form else None
    text = field if isinstance(field, str) else request.query_params.get("threshold", "")
    if not text.strip():
        return DEFAULT_THRESHOLD
    if text.strip() not in ("1", "2", "3"):
        raise ScalpError(
            "bad_threshold",
            f"threshold is “{text[:20]}”; it must be 1, 2 or 3.",
            f"threshold 값이 잘못되었어요: “{text[:20]}”. 1, 2, 3 가운데 하나여야 해요.",
        )
    return int(text)


def parse_switch(request: Request, name: str) -> bool:
    """Return whether a query parameter is 1 and not 0 or absent.

    Raises:
        ScalpError: `bad_<name>`.
    """
    text = request.query_params.get(name, "")
    if text not in ("", "0", "1"):
        raise ScalpError(
            f"bad_{name}",
            f"{name} is “{text[:20]}”; it must be 0 or 1.",
            f"{name} 값이 잘못되었어요: “{text[:20]}”. 0이나 1이어야 해요.",
        )
    return text == "1"


def _missing_field(field: str, en: str, ko: str) -> ScalpError:
    """Return the error; `en` and `ko` are the object of “send”."""
    return ScalpError(
        "missing_field",
        f"The form field “{field}” is missing: send {en} as multipart/form-data.",
        f"“{field}” 항목이 없어요. {ko} multipart/form-data로 보내세요.",
    )


def bad_form(detail: str, pictures: int) -> ScalpError:
    """Return the error of a form that cannot be read where at most this many pictures are."""
    files_en = "one picture" if pictures == 1 else f"at most {pictures} pictures"
    files_ko = "사진 하나" if pictures == 1 else f"사진 {pictures}장까지"
    return ScalpError(
        "bad_form",
        f"The form cannot be read: {detail} Send {files_en} and at most {MAX_FIELDS} short fields.",
        f"양식을 읽을 수 없어요({detail}). {files_ko}와 짧은 항목 {MAX_FIELDS}개까지 보내세요.",
    )


def too_many_pictures(pictures: int) -> ScalpError:
    """Return the error of more than this many pictures."""
    return ScalpError(
        "too_many_pictures",
        f"A request may have at most {pictures} pictures. Send the rest in another one.",
        f"한 요청에 사진을 {pictures}장까지 보낼 수 있어요. 나머지는 다른 요청으로 보내세요.",
    )
