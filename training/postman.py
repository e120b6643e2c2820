"""REST as a Postman collection, with a rendered picture: `python -m training.postman [--folder docs/postman]`."""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from scalp_core.access import Access
from scalp_core.labels import CONDITIONS
from scalp_core.rest import app
from scalp_core.rest.postman import COLLECTION, PICTURE, collection
from scalp_core.synthetic.drawing.frame import render
from scalp_core.synthetic.drawing.scene import CASTS, Camera, Scene
from training.command_line import explained

FOLDER = Path("docs") / "postman"
_JPEG_QUALITY = 80


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.postman", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write both (default %(default)s)")
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    described = collection(app.application(settings=Access).openapi())
    text = json.dumps(described, ensure_ascii=False, indent=1) + "\n"
    for name, content in ((COLLECTION, text.encode()), (PICTURE, _picture())):
        (folder / name).write_bytes(content)
        print(folder / name)
    return 0


def _picture() -> bytes:
    """Return a rendered picture of a healthy scalp, JPEG."""
    scene = Scene(dict.fromkeys(CONDITIONS, 0.0), CASTS[2], Camera(), direction=0.0)
    buffer = io.BytesIO()
    Image.fromarray(render(scene, np.random.default_rng(1))).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
