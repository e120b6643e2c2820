"""Colours, one meaning each on every page and in print, light and dark.

Severities grow from light to dark, so that they can be told apart in print and by colour-blind readers. Families of
networks have the colour-blind safe colours of Okabe & Ito (2008), and a shape each beside.
"""

from scalp_core.architectures import family

SEVERITY_COLORS = ("#bfe3dc", "#f3c969", "#dd7a33", "#8f2317")
MATRIX_COLORS = ("#f1f7f6", "#0f5f59")  # shares, 0 to 1
DIVERGING = ("#2166ac", "#f7f7f7", "#e66101")  # below zero, zero, above
EVIDENCE_COLORS = DIVERGING  # against a grade, neither, for it
FAR_MARKS = ("#c2410c", "#ffedd5", "#6f1a05")  # the first that contrasts with a cell marks errors of two grades or more
SELECTED = "#e11d48"
# Colour and opacity of the local grades 0, 1, 2, 3 over a grey picture; what lies between is blended.
LOCAL_GRADE_COLORS = (
    (SEVERITY_COLORS[1], 0.0),
    (SEVERITY_COLORS[1], 0.5),
    (SEVERITY_COLORS[2], 0.58),
    (SEVERITY_COLORS[3], 0.68),
)
# Of words in charts, and of marks whose fill may be as light, or as dark, as the page: 4.3 : 1 on white and on dark.
OUTLINE = "#707a8a"
FINDING_COLORS = {"error": "#b42318", "warning": "#f7c56b", "note": "#bcd7f5", "ok": "#bfe3c6"}
UNKNOWN = "#9ca3af"  # unlabelled, or a missing value
# Tableau 10 without its grey, which is UNKNOWN's.
CATEGORY_COLORS = (
    *("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f"),
    *("#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#1b1b3a"),
)
_FAMILY_COLORS = {
    "VGG": "#e69f00",
    "ResNet": "#0072b2",
    "EfficientNet": "#009e73",
    "GoogLeNet": "#d55e00",
    "ViT": "#cc79a7",
    "other": "#7f8c8d",
}
_FAMILY_SHAPES = {
    "VGG": "square",
    "ResNet": "circle",
    "EfficientNet": "diamond",
    "GoogLeNet": "triangle-up",
    "ViT": "cross",
    "other": "triangle-down",
}


def architecture_color(architecture: str) -> str:
    """Return the colour of the architecture's family."""
    return _FAMILY_COLORS[family(architecture)]


def architecture_shape(architecture: str) -> str:
    """Return the shape of points of the architecture's family, by Vega's names."""
    return _FAMILY_SHAPES[family(architecture)]
