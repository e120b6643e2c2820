"""Evidence maps of a grade, and their rendering as small transparent pictures that clients lay over their own."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from scalp_core.inference.predict import Grading
from scalp_core.palette import DIVERGING

AGAINST, _, FOR = DIVERGING
_SIDE = 160  # px along the longer edge: a map has a few cells a side, so more would show nothing more


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


def decided_evidence(grading: Grading) -> npt.NDArray[np.float32]:
    """Return the evidence (h, w) for the decided grade against the others, in logits."""
    return evidence_for(grading.evidence, int(grading.grade))


def data_url(evidence: npt.NDArray[np.float32], scale: float, aspect: float) -> str:
    """Render one map as a PNG in a data URL of a few kilobytes; the less evidence, the more transparent.

    Args:
        evidence: (h, w) from `decided_evidence`.
        scale: value rendered opaque; larger ones are clipped.
        aspect: width of the picture by its height. The map covers all of it, whatever the shape of its cells.
    """
    size = (_SIDE, max(1, round(_SIDE / aspect))) if aspect >= 1 else (max(1, round(_SIDE * aspect)), _SIDE)
    values = np.asarray(Image.fromarray(evidence.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    pixels = np.empty((*values.shape, 4), dtype=np.uint8)
    pixels[..., :3] = np.where(values[..., np.newaxis] > 0, _rgb(FOR), _rgb(AGAINST))
    pixels[..., 3] = (np.abs(values) / max(scale, 1e-9)).clip(0, 1) * 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour.removeprefix("#")))
