"""The runs that answered, the check that page and REST agree, and the answer as a REST request."""

from urllib.parse import urlsplit

import streamlit as st

from scalp_core.base_path import base_path
from scalp_core.errors import ScalpError
from scalp_core.inference.predict import Answer
from scalp_core.labels import DEFAULT_THRESHOLD
from scalp_core.rest import parity
from scalp_core.rest.parity import Parity
from scalp_core.rest.schemas import predict_all_response
from ui.diagnose.grading import GradedImage, cached_in_session
from ui.feedback import errors
from ui.markdown import Markdown, code, literal
from ui.words import Say

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@st.fragment
def show_provenance(graded: GradedImage, say: Say) -> None:
    """Show the runs that answered, whether page, REST and the trained network agree, and the request, once opened."""
    box = st.expander(say("client"), key="provenance", on_change="rerun", icon=":material/api:")
    with box, errors(say):
        if box.open:
            _show_runs(graded, say)
            _show_request(graded, say)


def _show_runs(graded: GradedImage, say: Say) -> None:
    answer = graded.answer
    runs = list(dict.fromkeys(grading.run for grading in answer.gradings.values()))
    names = Markdown(", ".join(f"{code(run.id)} ({literal(run.recipe.architecture)})" for run in runs))
    st.markdown(say("diagnose_answered", runs=names))
    key = graded.image.digest, predict_all_response(answer).model_dump_json()
    with st.spinner(say("parity_working")):
        result = cached_in_session("parity", key, lambda: _check_parity(graded.data, answer))
    if isinstance(result, ScalpError):
        st.caption(f"⚠ {say('parity_refused')} {say.plain(result.text)}")
        return
    _show_parity(result, say)


def _check_parity(data: bytes, answer: Answer) -> Parity | ScalpError:
    try:
        return parity.check(data, answer)
    except ScalpError as error:
        return error


def _show_parity(result: Parity, say: Say) -> None:
    difference = in_powers_of_ten(result.rest)
    rest = say("parity_rest", difference=difference) if result.same else say("parity_rest_other", difference=difference)
    torch = say("parity_unknown")
    if result.torch is not None:
        torch = say("parity_torch", difference=in_powers_of_ten(result.torch))
    if result.holds:
        st.caption(f"✓ {rest} {torch}")
    else:
        st.warning(f"{rest} {torch}", icon=":material/difference:")


def in_powers_of_ten(value: float) -> str:
    """Return “0” or “3 × 10⁻⁷”."""
    if value == 0:
        return "0"
    digits, power = f"{value:.0e}".split("e")
    return f"{digits} × 10{str(int(power)).translate(_SUPERSCRIPTS)}"


def _show_request(graded: GradedImage, say: Say) -> None:
    """Show the REST request that returns the same, and its response."""
    st.caption(say("client_note"))
    address, threshold = api_address(st.context.url or ""), int(graded.answer.scalp_type.threshold)
    query = "" if threshold == DEFAULT_THRESHOLD else f"?threshold={threshold}"
    st.code(f'curl -F "image=@scalp.jpg" "{address}{query}"', language=None, wrap_lines=True)
    response = predict_all_response(graded.answer).model_dump_json(indent=1, exclude_none=True)
    st.code(response, language=None, height=320)


def api_address(page: str) -> str:
    """Return the address of this server's REST interface for all conditions, from the address of a page."""
    parts = urlsplit(page)
    server = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "http://127.0.0.1:8501"
    return f"{server}{base_path()}/api/predict_all"
