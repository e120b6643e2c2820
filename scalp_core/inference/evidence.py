"""What speaks for a grade, and such maps as small pictures that clients lay over their own. Knows no route."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from scalp_core.inference.predict import Grading
from scalp_core.palette import DIVERGING

AGAINST, _, FOR = DIVERGING
_SIDE = 160  # pixels along the longer edge: a map has a few cells a side, so more would show nothing more


def evidence_for(evidence: npt.NDArray[np.float32], grade: int) -> npt.NDArray[np.float32]:
    """(h, w): where the picture speaks for `grade` rather than the other three, in logits.

    A softmax sees only differences of logits, so the map of the mean over the others is taken off. The mean of the
    result is the grade's logit minus the mean of the others', exactly.

    Args:
        evidence: (4, h, w) of one condition.
    """
    others = np.delete(evidence, grade, axis=0).mean(axis=0)
    difference: npt.NDArray[np.float32] = evidence[grade] - others
    return difference


def speaking_for(grading: Grading) -> npt.NDArray[np.float32]:
    """(h, w): where the picture speaks for the decided grade rather than the others, in logits."""
    return evidence_for(grading.evidence, int(grading.grade))


def data_url(speaking: npt.NDArray[np.float32], scale: float, aspect: float) -> str:
    """A PNG of one map, transparent where nothing speaks, as a data URL of a few kilobytes.

    Args:
        speaking: (h, w) from `speaking_for`.
        scale: value drawn opaque; larger ones are clipped.
        aspect: width of the picture by its height. The map covers all of it, whatever shape its own cells have.
    """
    size = (_SIDE, max(1, round(_SIDE / aspect))) if aspect >= 1 else (max(1, round(_SIDE * aspect)), _SIDE)
    values = np.asarray(Image.fromarray(speaking.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    drawn = np.empty((*values.shape, 4), dtype=np.uint8)
    drawn[..., :3] = np.where(values[..., np.newaxis] > 0, _rgb(FOR), _rgb(AGAINST))
    drawn[..., 3] = (np.abs(values) / max(scale, 1e-9)).clip(0, 1) * 255
    buffer = io.BytesIO()
    Image.fromarray(drawn).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour.removeprefix("#")))
