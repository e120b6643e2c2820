"""The base path: how it may be written, and what is refused."""

import pytest

from scalp_core.base_path import base_path
from scalp_core.errors import ScalpError


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("/", ""),
        ("scalp", "/scalp"),
        ("/scalp", "/scalp"),
        (" /scalp/ ", "/scalp"),
        ("/lab-2/scalp_v1.0", "/lab-2/scalp_v1.0"),
    ],
)
def test_slashes_at_its_ends_do_not_matter(text: str, path: str) -> None:
    assert base_path({"SCALP_BASE_PATH": text}) == path
    assert base_path({}) == ""


@pytest.mark.parametrize(
    "text",
    [
        *(
            "/a b",
            "/a//b",
            "/../etc",
            "/.",
            "/.hidden",
            "/두피",
            "/a?b",
            "/a#b",
            "/a%20b",
            "/{path}",
            "https://lab.example",
        ),
        *("/media", "/_stcore/x", "/static/scalp"),
    ],
)
def test_others_are_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ScalpError, match=r"SCALP_BASE_PATH: .* write a path as in /scalp") as caught:
        base_path({"SCALP_BASE_PATH": text})
    assert caught.value.code == "bad_setting"
    assert "처럼 쓰세요" in caught.value.text.ko
