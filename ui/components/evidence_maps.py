"""How a grading is said, and where in the picture it comes from. Knows no run and no page."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import streamlit as st

from scalp_core.charts.dataset_charts import overlay
from scalp_core.images import Pixels
from scalp_core.labels import Severity
from scalp_core.palette import DIVERGING
from ui.components.style import ELEMENTS, channels
from ui.words import Say

_AGAINST, _, _FOR = DIVERGING
_HTML = "<div class='scale'></div>"
_CSS = """
.scale { display: flex; flex-wrap: wrap; align-items: center; gap: 3px 10px; color: var(--st-text-color);
  font: 13px/1.4 var(--st-font); margin-bottom: 2px; }
.end { display: inline-flex; align-items: baseline; gap: 6px; }
.end b { font-weight: 600; font-variant-numeric: tabular-nums; }
.bar { flex: 1 1 140px; max-width: 300px; height: 14px; border-radius: 4px;
  box-shadow: inset 0 0 0 1px var(--st-border-color); }
.note { flex-basis: 100%; opacity: 0.8; font-size: 12px; }
"""
_JS = """
export default function ({ data, parentElement }) {
  const bar = element("span", "bar")
  bar.style.background = "linear-gradient(to right, " + data.colors.join(", ") + ")"
  parentElement.querySelector(".scale").replaceChildren(
    element("span", "end", data.against, element("b", "", "−" + data.scale)), bar,
    element("span", "end", element("b", "", "+" + data.scale), data.speaks),
    element("span", "note", data.note))
}
"""
_scale = st.components.v2.component("scalp_evidence_scale", html=_HTML, css=_CSS, js=ELEMENTS + _JS)


def grade_set_name(ends: tuple[Severity, Severity] | None, say: Say) -> str:
    """“mild to moderate”; one name where one grade is enough, a dash where nothing is promised."""
    if ends is None:
        return "–"
    low, high = (say.of(grade.text) for grade in ends)
    return low if low == high else say("grade_range", low=low, high=high)


def show_evidence(pixels: Pixels, speaking: Mapping[str, npt.NDArray[np.float32]], say: Say) -> None:
    """The picture under each of these maps, all on one scale, with what the colours mean.

    A network that is sure of a grade may be so everywhere alike, and then all is one colour: the reader can have the
    mean taken off, and said, to see the places differ.

    Args:
        speaking: (h, w) from evidence.evidence_for, by what is written below: it names the grade.
    """
    shows = st.segmented_control(
        say("evidence_shows"),
        ["whole", "within"],
        default="whole",
        format_func=lambda one: say(f"evidence_{one}"),
        key="evidence-shows",
        required=True,
    )
    if shows == "within":
        speaking = {f"{name} ({values.mean():+.1f})": values - values.mean() for name, values in speaking.items()}
    st.caption(say(f"evidence_{shows}_note"))
    left, right = st.columns([3, 2], vertical_alignment="center", gap="medium")
    with right:
        opacity = st.slider(say("opacity"), 0.0, 1.0, 0.6, 0.1, key="opacity")
    scale = max(float(abs(values).max()) for values in speaking.values())
    with left:
        _legend(shows, scale, opacity, say)
    with st.grid("auto", min_column_width=240):
        for name, values in speaking.items():
            st.image(overlay(pixels, values, scale, opacity), caption=name, alt=name, width="stretch")


def _legend(shows: str, scale: float, opacity: float, say: Say) -> None:
    """The colours as they lie on the picture: none in the middle, at the ends as strong as the slider says."""
    ends = [f"rgba({', '.join(map(str, channels(color)))}, {opacity})" for color in (_AGAINST, _FOR)]
    clear = [f"rgba({', '.join(map(str, channels(color)))}, 0)" for color in (_AGAINST, _FOR)]
    _scale(
        key="evidence-scale",
        data={
            "colors": [ends[0], f"{clear[0]} 50%", f"{clear[1]} 50%", ends[1]],
            "scale": f"{scale:.1f}",
            "against": say(f"evidence_{shows}_against"),
            "speaks": say(f"evidence_{shows}_for"),
            "note": say("evidence_scale"),
        },
    )
