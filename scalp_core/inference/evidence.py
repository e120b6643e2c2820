"""Local grades and evidence of the places of a picture, drawn over it, or alone for other programs."""

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from scalp_core import images
from scalp_core.images import Pixels
from scalp_core.labels import GRADES
from scalp_core.palette import EVIDENCE_COLORS

COLOUR = EVIDENCE_COLORS[2]  # of a place that looks sick
_AGAINST, _, _FOR = (np.array(list(bytes.fromhex(colour[1:]))) for colour in EVIDENCE_COLORS)  # red, green, blue
FULL_GRADE = float(max(GRADES))  # the local grade that is drawn opaque
OPACITY = 0.6  # over a picture, of a place that is drawn in full colour; a reader may choose another
_OVERLAY_SIDE = 480  # px along the longer edge of a picture with a map over it
_SIDE = 160  # px along the longer edge: a map has a few cells a side, so more would show nothing more


def local_grade(evidence: npt.NDArray[np.float32], probabilities: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the local grade (h, w) of each cell, 0–3: the picture's expected grade, shared out by odds of disease.

    It is what a person is shown. The strongest cell has the expected grade of the picture; a cell whose odds of grades
    1–3 against 0 are half as high has half of it. So a healthy scalp is dark, and places differ where the network is
    sure of the picture as a whole. Its mean is not the picture's grade; the mean of the evidence is the logits.

    Args:
        evidence: (4, h, w) of one condition.
        probabilities: (4,) of the picture's grades.
    """
    log_odds = np.logaddexp.reduce(evidence[1:], axis=0) - evidence[0]
    expected = np.dot(probabilities, np.arange(len(GRADES)))
    grades: npt.NDArray[np.float32] = (expected * np.exp(log_odds - log_odds.max())).astype(np.float32)
    return grades


def evidence_for(evidence: npt.NDArray[np.float32], grade: int) -> npt.NDArray[np.float32]:
    """Return the evidence (h, w) for `grade` against the other three, in logits.

    A softmax sees only differences of logits, so the mean map of the others is subtracted. The mean of the result is
    the grade's logit minus the mean of the others', exactly.

    Args:
        evidence: (4, h, w) of one condition.
    """
    others = np.delete(evidence, grade, axis=0).mean(axis=0)
    difference: npt.NDArray[np.float32] = evidence[grade] - others
    return difference


def overlay(
    pixels: Pixels, evidence: npt.NDArray[np.float32], scale: float, opacity: float, edge: int = _OVERLAY_SIDE
) -> Pixels:
    """Return a picture under an evidence map: orange for the grade, blue against it, transparent where there is none.

    Args:
        pixels: (height, width, 3).
        evidence: (h, w) from `evidence_for` or `local_grade`.
        scale: evidence that is drawn with the full `opacity` (0–1); stronger evidence is clipped.
        edge: longer edge of the result, pixels.
    """
    factor = edge / max(pixels.shape[:2])
    height, width = (max(1, round(length * factor)) for length in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    # The map covers the whole picture, so stretching it to the same size puts every value over its place.
    values = cv2.resize(evidence.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) / max(scale, 1e-9)
    weight = (np.abs(values).clip(0, 1) * opacity)[..., np.newaxis]
    colour = np.where(values[..., np.newaxis] > 0, _FOR, _AGAINST)
    blended: Pixels = (small * (1 - weight) + colour * weight).round().astype(np.uint8)
    return blended


def data_url(grades: npt.NDArray[np.float32], aspect: float) -> str:
    """Render one map as a PNG in a data URL of a few kilobytes: transparent at grade 0, opaque at FULL_GRADE.

    Args:
        grades: (h, w) from `local_grade`.
        aspect: width of the picture by its height. The map covers all of it, whatever the shape of its cells.
    """
    size = (_SIDE, max(1, round(_SIDE / aspect))) if aspect >= 1 else (max(1, round(_SIDE * aspect)), _SIDE)
    values = np.asarray(Image.fromarray(grades.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    pixels = np.empty((*values.shape, 4), dtype=np.uint8)
    pixels[..., :3] = _FOR
    pixels[..., 3] = (values / FULL_GRADE).clip(0, 1) * 255
    return images.data_url(Image.fromarray(pixels), "PNG", optimize=True)
