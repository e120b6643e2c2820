"""Hooks of schemathesis: its forms hold real pictures, and text."""

import io

import numpy as np
import schemathesis
from hypothesis import strategies
from PIL import Image

from scalp_core.images import FORMATS
from scalp_core.labels import CONDITIONS
from scalp_core.synthetic.drawing.frame import render
from scalp_core.synthetic.drawing.scene import CASTS, Camera, Scene


def scalp(file_format: str) -> bytes:
    """Return a picture that the gates of the shipped runs let pass, so that `strict=1` accepts it."""
    scene = Scene(dict.fromkeys(CONDITIONS, 0.0), CASTS[2], Camera(), direction=0.0)
    buffer = io.BytesIO()
    Image.fromarray(render(scene, np.random.default_rng(1))).resize((320, 240)).save(buffer, file_format)
    return buffer.getvalue()


# To a schema any bytes are a picture, to the interface they are none.
schemathesis.openapi.format("binary", strategies.sampled_from([scalp(file_format) for file_format in FORMATS]))


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Keep requests whose fields are text and whose pictures are files: a form sends nothing else.

    A number is sent as its digits and rightly accepted. Schemathesis notices, but not in a form with a file. Text in
    place of a list of pictures is sent as one part without a file name: a list of one file with these letters.
    """
    fields = getattr(case.body, "body", case.body)
    if not isinstance(fields, dict):
        return True
    pictures = fields.get("image", [])
    if not isinstance(pictures, list):
        pictures = [None if case.operation.path == "/api/predict_batch" else pictures]
    texts = [fields[name] for name in fields if name != "image"]
    return all(isinstance(value, str) for value in texts) and all(isinstance(item, str | bytes) for item in pictures)
