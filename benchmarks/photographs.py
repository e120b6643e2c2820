"""Real photographs that travel in packages: crops of none of them show a scalp.

They are those of scikit-learn and, where it is installed, of scikit-image. Nothing is downloaded.
"""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.not_scalp_drawing import encoded

Pixels = npt.NDArray[np.uint8]

_FOLDERS = {"sklearn": ("datasets", "images"), "skimage": ("data",)}
# Drawn, tiny, or the other eye of a pair.
_LEFT_OUT = {"chessboard_GRAY", "chessboard_RGB", "color", "logo", "microaneurysms", "motorcycle_right", "page"}
_LEFT_OUT |= {"phantom", "text"}
_ENDINGS = (".jpg", ".png")
_SIZE = (640, 480)
_CROP = (0.35, 0.9)  # of the largest crop
_QUALITY = 92


def photographs() -> dict[str, Pixels]:
    """Return photographs (h, w, 3) by name, in the order of their names."""
    photograph_files = sorted(_photograph_files(), key=lambda file: file.name)
    return {file.name.rpartition(".")[0]: _opened(file) for file in photograph_files}


def _photograph_files() -> Iterator[Traversable]:
    for package, parts in _FOLDERS.items():
        if find_spec(package):
            for file in files(package).joinpath(*parts).iterdir():
                if file.name.endswith(_ENDINGS) and file.name.rpartition(".")[0] not in _LEFT_OUT:
                    yield file


def _opened(file: Traversable) -> Pixels:
    content = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1]


def crops(pixels: Pixels, count: int, seed: int) -> Iterator[bytes]:
    """Yield crops of 4 : 3 as JPEGs of 640 × 480: the first as large as it can be, the others smaller, at random."""
    height, width = pixels.shape[:2]
    for number in range(count):
        generator = np.random.default_rng((seed, number))
        share = generator.uniform(*_CROP) if number else 1.0
        tall = int(min(height, width * _SIZE[1] / _SIZE[0]) * share)
        wide = int(tall * _SIZE[0] / _SIZE[1])
        top, left = int(generator.integers(height - tall + 1)), int(generator.integers(width - wide + 1))
        crop = np.ascontiguousarray(pixels[top : top + tall, left : left + wide])
        smooth = cv2.INTER_AREA if tall > _SIZE[1] else cv2.INTER_CUBIC
        yield encoded(np.asarray(cv2.resize(crop, _SIZE, interpolation=smooth), dtype=np.uint8), _QUALITY)
