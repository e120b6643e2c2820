"""Evidence maps over a picture, with the scale of their colours."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import streamlit as st

from scalp_core.images import Pixels
from scalp_core.inference.evidence import FULL_GRADE, OPACITY, evidence_for, local_grade, overlay
from scalp_core.labels import Severity
from scalp_core.palette import EVIDENCE_COLORS
from ui.components.assets import asset
from ui.components.colors import channels
from ui.components.picture_urls import picture_url
from ui.markdown import literal
from ui.words import Say

_AGAINST, _, _FOR = EVIDENCE_COLORS
_scale = st.components.v2.component(
    "scalp_evidence_scale",
    html=asset("evidence_maps.html"),
    css=asset("evidence_maps.css"),
    js=asset("elements.js") + asset("evidence_maps.js"),
)


class GradeEvidence(NamedTuple):
    """Evidence (4, h, w) of a condition in a picture, and the grade that it is to be shown for or against.

    Attributes:
        probabilities: (4,) of the picture's grades.
    """

    evidence: npt.NDArray[np.float32]
    probabilities: npt.ArrayLike
    grade: int


def grade_set_name(ends: tuple[Severity, Severity] | None, say: Say) -> str:
    """Return “mild to moderate”, a single name for a set of one grade, or a dash without a set."""
    if ends is None:
        return "–"
    low, high = (say.of(grade.text) for grade in ends)
    return low if low == high else say("grade_range", low=low, high=high)


def show_evidence(pixels: Pixels, evidence_by_caption: Mapping[str, GradeEvidence], say: Say) -> None:
    """Show the picture under each of the maps, all on one scale, with a legend of the colours.

    First the local grade, which lights up nothing on a healthy scalp. Then what the score is made of: a network that
    is sure of a grade may be so everywhere alike, and then every map is one colour. So the mean of each map can be
    taken off, and shown as a number, to see where the places differ.

    Args:
        evidence_by_caption: caption, which names the grade → what the map is made of.
    """
    shows = st.segmented_control(
        say("evidence_shows"),
        ["local", "whole", "within"],
        default="local",
        format_func=lambda option: say(f"evidence_{option}"),
        key="evidence-shows",
        required=True,
    )
    maps, scale = _maps_of(evidence_by_caption, shows)
    st.caption(say(f"evidence_{shows}_note"))
    left, right = st.columns([3, 2], vertical_alignment="center", gap="medium")
    with right:
        opacity = st.slider(say("opacity"), 0.0, 1.0, OPACITY, 0.1, key="opacity")
    with left:
        _show_scale(shows, scale, opacity, say)
    with st.grid("auto", min_column_width=240):
        for name, values in maps.items():
            blended = picture_url(overlay(pixels, values, scale, opacity))
            st.image(blended, caption=literal(name), alt=name, width="stretch")


def _maps_of(made_of: Mapping[str, GradeEvidence], shows: str) -> tuple[dict[str, npt.NDArray[np.float32]], float]:
    """Return the maps (h, w) by caption, and the value that is drawn in full colour."""
    if shows == "local":
        return {name: local_grade(made.evidence, made.probabilities) for name, made in made_of.items()}, FULL_GRADE
    maps = {name: evidence_for(made.evidence, made.grade) for name, made in made_of.items()}
    if shows == "within":
        maps = {f"{name} ({values.mean():+.1f})": values - values.mean() for name, values in maps.items()}
    return maps, max(float(abs(values).max()) for values in maps.values())


def _show_scale(shows: str, scale: float, opacity: float, say: Say) -> None:
    """Show the colours as they lie on the picture, as strong as the slider says."""
    against, speaks = (", ".join(map(str, channels(color))) for color in (_AGAINST, _FOR))
    colors = [f"rgba({speaks}, 0)", f"rgba({speaks}, {opacity})"]
    if shows != "local":
        colors = [f"rgba({against}, {opacity})", f"rgba({against}, 0) 50%", f"rgba({speaks}, 0) 50%", colors[1]]
    _scale(
        key="evidence-scale",
        data={
            "colors": colors,
            "lowest": "0" if shows == "local" else f"−{scale:.1f}",
            "highest": f"{scale:.0f}" if shows == "local" else f"+{scale:.1f}",
            "against": say(f"evidence_{shows}_against"),
            "speaks": say(f"evidence_{shows}_for"),
            "note": say("evidence_scale_local") if shows == "local" else say("evidence_scale"),
        },
    )
