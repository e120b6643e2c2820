"""How a grading is said, and where in the picture it comes from. Knows no run and no page."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import streamlit as st

from scalp_core.charts import overlay
from scalp_core.images import Pixels
from scalp_core.labels import Severity
from ui.words import Say


def grade_set_name(ends: tuple[Severity, Severity] | None, say: Say) -> str:
    """“mild to moderate”; one name where one grade is enough, a dash where nothing is promised."""
    if ends is None:
        return "–"
    low, high = (say.of(grade.text) for grade in ends)
    return low if low == high else say("grade_range", low=low, high=high)


def show_evidence(pixels: Pixels, speaking: Mapping[str, npt.NDArray[np.float32]], say: Say) -> None:
    """The picture under each of these maps, all on one scale, with what the colours mean.

    Args:
        speaking: (h, w) from charts.evidence_for, by what is written below: it names the grade.
    """
    st.caption(say("evidence_note"))
    opacity = st.slider(say("opacity"), 0.0, 1.0, 0.6, 0.1, key="opacity")
    scale = max(float(abs(values).max()) for values in speaking.values())
    with st.grid("auto", min_column_width=240):
        for name, values in speaking.items():
            st.image(overlay(pixels, values, scale, opacity), caption=name, alt=name, width="stretch")
