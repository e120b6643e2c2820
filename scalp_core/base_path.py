"""The base path, for proxies that pass on what lies below one path: every address of this server begins with it."""

import os
import re
from collections.abc import Mapping

from scalp_core.access import bad_setting
from scalp_core.errors import ScalpError

_STEP = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
# First steps of Streamlit's own addresses, which its routes keep for themselves.
_RESERVED = frozenset({"_stcore", "component", "media", "static"})


def base_path(environment: Mapping[str, str] = os.environ) -> str:
    """Return `SCALP_BASE_PATH` with a slash before it and none behind it: `/scalp`; empty: there is none.

    Raises:
        ScalpError: `bad_setting`.
    """
    text = environment.get("SCALP_BASE_PATH", "").strip()
    path = text.strip("/")
    steps = path.split("/") if path else []
    if not all(_STEP.fullmatch(step) for step in steps):
        raise _bad(
            text, "has more than letters, digits and - . _ between its slashes", "에 글자, 숫자, - . _ 외의 것이 있어요"
        )
    if steps and steps[0] in _RESERVED:
        raise _bad(text, "begins as addresses of Streamlit do", "은(는) Streamlit의 주소와 같게 시작해요")
    return f"/{path}" if path else ""


def _bad(text: str, en: str, ko: str) -> ScalpError:
    return bad_setting(
        "SCALP_BASE_PATH", f"“{text[:80]}” {en}; write a path as in /scalp", f"“{text[:80]}”{ko}. /scalp처럼 쓰세요"
    )
