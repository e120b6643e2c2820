"""Hooks of schemathesis: its forms hold real pictures, and text."""

import io
from typing import Any

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
def filter_body(_context: schemathesis.HookContext, body: Any) -> bool:
    """Keep bodies whose fields are text and files: a form sends nothing else.

    A number is sent as its digits and rightly accepted. Schemathesis notices, but not in a form with a file.
    """
    fields = getattr(body, "body", body)
    return not isinstance(fields, dict) or all(isinstance(fields[name], str) for name in fields if name != "image")
