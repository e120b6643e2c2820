"""Cache of the pictures and features of a training: made once, then memory-mapped."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from filelock import FileLock

from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import sweep
from scalp_core.images import Preprocessing
from scalp_core.parallel import cores
from scalp_core.seals import BLANK, seal_holds, write_sealed
from scalp_core.synthetic.cue_shares import CELLS, cue_shares
from scalp_core.synthetic.generate import GENERATOR_VERSION

Arrays = npt.NDArray[np.uint8]  # (images, height, width, 3)
Report = Callable[[float], None]  # called with the share that is done; may raise to stop


def cached_pixels(dataset: Dataset, preprocessing: Preprocessing, report: Report | None = None) -> Arrays:
    """Return all pictures of the dataset, resized, in the order of the index; decoded once and then memory-mapped.

    Raises:
        ScalpError: a picture of the index is gone or cannot be read; its name is in the message.
    """
    scale = "-reduced" if preprocessing.reduced else ""
    name = f"{preprocessing.height}x{preprocessing.width}-{preprocessing.interpolation}{scale}"
    path = _ensure(_path(dataset, name), lambda temporary: _fill(temporary, dataset, preprocessing, report))
    array: Arrays = np.load(path, mmap_mode="r")
    return array


def cached_features(
    dataset: Dataset, name: str, compute: Callable[[], npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """Return the features of all pictures in the order of the index; `name` identifies all that they depend on."""
    path = _ensure(_path(dataset, f"features-{name}"), lambda temporary: np.save(temporary, compute()))
    array: npt.NDArray[np.float32] = np.load(path)
    return array


def cached_cue_shares(dataset: Dataset, report: Report | None = None) -> npt.NDArray[np.uint8]:
    """Return how much of each cell is cue, of all pictures in the order of the index; see `cue_shares`.

    Raises:
        ScalpError: `no_masks`, the pictures were not drawn by this version.
    """
    name = f"cues-{GENERATOR_VERSION}-{CELLS}"
    ids = list(dataset.index.index)
    path = _ensure(_path(dataset, name), lambda temporary: np.save(temporary, cue_shares(dataset, ids, report)))
    array: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return array


def _ensure(path: Path, make: Callable[[Path], object]) -> Path:
    """Return `path`, made first if it is missing or damaged. Of two trainings of two artifacts folders, one waits.

    All of it is read once in each training, at the speed of the disk; decoding the pictures took far longer.
    """
    if not _is_whole(path):
        path.parent.mkdir(exist_ok=True)
        with FileLock(path.parent / ".lock"):
            sweep(path.parent)
            if not _is_whole(path):
                write_sealed(path, partial(_make_with_seal, make))
    return path


def _is_whole(path: Path) -> bool:
    return path.exists() and seal_holds(path)


def _make_with_seal(make: Callable[[Path], object], path: Path) -> None:
    make(path)
    with path.open("ab") as file:  # numpy reads no farther than its header says
        file.write(BLANK.encode())


def _path(dataset: Dataset, name: str) -> Path:
    index = dataset.index
    pictures = pd.util.hash_pandas_object(index[["id", "sha256"]], index=False).sum()
    return dataset.folder / "cache" / f"{name}-{pictures:016x}.npy"


def _fill(path: Path, dataset: Dataset, preprocessing: Preprocessing, report: Report | None) -> None:
    ids = list(dataset.index.index)
    shape = (len(ids), preprocessing.height, preprocessing.width, 3)
    # Pillow lets go of the interpreter lock while it decodes and resizes, so threads are enough.
    pool = ThreadPoolExecutor(cores())
    try:
        pictures = pool.map(lambda image_id: _small(dataset, image_id, preprocessing), ids)
        # Written, not mapped: a full disk is then an error that can be reported, not a SIGBUS.
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for number, picture in enumerate(pictures):
                file.write(picture.tobytes())
                if report:
                    report(number / len(ids))
    finally:
        pool.shutdown(cancel_futures=True)  # a stop does not wait for the remaining pictures


def _small(dataset: Dataset, image_id: str, preprocessing: Preprocessing) -> images.Pixels:
    try:
        return images.preprocess(dataset.read(image_id), preprocessing)
    except ScalpError as error:
        en, ko = error.text
        raise ScalpError(error.code, f"Picture {image_id}: {en}", f"사진 {image_id}: {ko}") from error
