"""Evidence maps over a picture, with the scale of their colours."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import streamlit as st

from scalp_core.charts.dataset_charts import overlay
from scalp_core.images import Pixels
from scalp_core.labels import Severity
from scalp_core.palette import DIVERGING
from ui.components.assets import asset
from ui.components.colors import channels
from ui.markdown import literal
from ui.words import Say

_AGAINST, _, _FOR = DIVERGING
_scale = st.components.v2.component(
    "scalp_evidence_scale",
    html=asset("evidence_maps.html"),
    css=asset("evidence_maps.css"),
    js=asset("elements.js") + asset("evidence_maps.js"),
)


def grade_set_name(ends: tuple[Severity, Severity] | None, say: Say) -> str:
    """Return “mild to moderate”, a single name for a set of one grade, or a dash without a set."""
    if ends is None:
        return "–"
    low, high = (say.of(grade.text) for grade in ends)
    return low if low == high else say("grade_range", low=low, high=high)


def show_evidence(pixels: Pixels, maps: Mapping[str, npt.NDArray[np.float32]], say: Say) -> None:
    """Show the picture under each of the maps, all on one scale, with a legend of the colours.

    A network that is sure of a grade may be so everywhere alike, and then every map is one colour. So the mean of each
    map can be taken off, and shown as a number, to see where the places differ.

    Args:
        maps: caption, which names the grade → (h, w) from evidence.evidence_for.
    """
    shows = st.segmented_control(
        say("evidence_shows"),
        ["whole", "within"],
        default="whole",
        format_func=lambda option: say(f"evidence_{option}"),
        key="evidence-shows",
        required=True,
    )
    if shows == "within":
        maps = {f"{name} ({values.mean():+.1f})": values - values.mean() for name, values in maps.items()}
    st.caption(say(f"evidence_{shows}_note"))
    left, right = st.columns([3, 2], vertical_alignment="center", gap="medium")
    with right:
        opacity = st.slider(say("opacity"), 0.0, 1.0, 0.6, 0.1, key="opacity")
    scale = max(float(abs(values).max()) for values in maps.values())
    with left:
        _show_scale(shows, scale, opacity, say)
    with st.grid("auto", min_column_width=240):
        for name, values in maps.items():
            st.image(overlay(pixels, values, scale, opacity), caption=literal(name), alt=name, width="stretch")


def _show_scale(shows: str, scale: float, opacity: float, say: Say) -> None:
    """Show the colours as they lie on the picture: none in the middle, at the ends as strong as the slider says."""
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
