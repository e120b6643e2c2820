"""Forms with a picture, and assertions about error responses, for tests of the REST interface."""

import re
from typing import Any


def image_form(content: bytes, name: str = "scalp.jpg") -> dict[str, tuple[str, bytes]]:
    return {"image": (name, content)}


def assert_error_response(response: Any, status: int, code: str) -> None:
    """The answer is an error of the one shape, in both languages, under the request's id."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error", "intended_use", "request_id"}
    assert body["intended_use"] == "research_only"
    assert body["request_id"] == response.headers["x-request-id"]
    assert_error_detail(body["error"], code)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "Traceback" not in response.text


def assert_error_detail(error: dict[str, str], code: str) -> None:
    assert set(error) == {"code", "message", "message_ko"}
    assert error["code"] == code
    assert re.search("[a-z]", error["message"])
    assert re.search("[가-힣]", error["message_ko"])
