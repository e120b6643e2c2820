"""Who answered, whether every way to ask says the same, and what can be taken along: JSON, a table, a printed page."""

from urllib.parse import urlsplit

import streamlit as st

from scalp_core.errors import ScalpError
from scalp_core.inference.predict import Answer
from scalp_core.labels import DEFAULT_THRESHOLD
from scalp_core.rest import parity
from scalp_core.rest.parity import Parity
from scalp_core.rest.schemas import predict_all_response
from ui.diagnose.grading import Graded, remembered
from ui.diagnose.overview import download, report, table
from ui.words import Say


def show_provenance(one: Graded, say: Say) -> None:
    """The runs that answered, and the check that page, REST and the trained network agree."""
    answer = one.graded
    runs = list(dict.fromkeys(grading.run for grading in answer.gradings.values()))
    st.markdown(say("diagnose_answered", runs=", ".join(f"`{run.id}` ({run.recipe.architecture})" for run in runs)))
    key = one.shot.digest, predict_all_response(answer).model_dump_json()
    with st.spinner(say("parity_working")):
        found = remembered("parity", key, lambda: _checked(one.data, answer))
    if isinstance(found, ScalpError):
        st.caption(f"⚠ {say('parity_refused')} {say.plain(found.text)}")
        return
    _badge(found, say)


def _checked(data: bytes, answer: Answer) -> Parity | ScalpError:
    try:
        return parity.check(data, answer)
    except ScalpError as error:
        return error


def _badge(found: Parity, say: Say) -> None:
    apart = difference(found.rest)
    rest = say("parity_rest", difference=apart) if found.same else say("parity_rest_other", difference=apart)
    torch = (
        say("parity_torch", difference=difference(found.torch)) if found.torch is not None else say("parity_unknown")
    )
    if found.holds:
        st.caption(f"✓ {rest} {torch}")
    else:
        st.warning(f"{rest} {torch}", icon=":material/difference:")


def difference(value: float) -> str:
    """“0”, “3 × 10⁻⁷”."""
    if value == 0:
        return "0"
    digits, power = f"{value:.0e}".split("e")
    return f"{digits} × 10{str(int(power)).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def show_taken(one: Graded, say: Say) -> None:
    """Downloads, and what a program gets that asks for the same."""
    told = predict_all_response(one.graded).model_dump_json(indent=1, exclude_none=True)
    with st.container(horizontal=True):
        download(say("download_json"), lambda: told.encode(), "scalp-grades.json", "application/json")
        download(say("download_csv"), lambda: table([one], say), "scalp-grades.csv", "text/csv")
        download(say("download_report"), lambda: report([one], say), "scalp-report.html", "text/html")
    st.caption(say("download_note"))
    with st.expander(say("client"), icon=":material/api:"):
        st.caption(say("client_note"))
        address, threshold = api_address(st.context.url or ""), int(one.graded.scalp_type.threshold)
        asked = address if threshold == DEFAULT_THRESHOLD else f"{address}?threshold={threshold}"
        st.code(f'curl -F "image=@scalp.jpg" "{asked}"', language="bash", wrap_lines=True)
        st.code(told, language="json", height=320)


def api_address(page: str) -> str:
    """Where this server's REST interface grades all conditions, from the address of one of its pages."""
    parts = urlsplit(page)
    server = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "http://127.0.0.1:8501"
    return f"{server}/api/predict_all"
