"""The demonstration dataset: what it is made of, and its drawing beside a server that has already started.

The drawing is a job (`data/background_jobs.py`) whose files lie in `data/.demo-drawing/` until it has ended well.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from scalp_core.data.background_jobs import Job, JobState, ProgressWriter
from scalp_core.data.dataset import Dataset, is_claimed, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.files import put_away
from scalp_core.paths import data_folder
from scalp_core.synthetic.generate import GENERATOR_VERSION, Progress, is_rendered, make_dataset

NAME, IMAGES, EVALUATION, SEED = "demo", 2400, 1700, 20260101
EVALUATION_PRIOR = "tempered"
_SETTING = "SCALP_DEMO_IMAGES"
_STAGE = "drawing"
_RENEWS = "renews"  # member of a request: earlier pictures are replaced


def settings() -> dict[str, Any]:
    """Return how the dataset is to be made, as arguments of `make_dataset`.

    Fewer or more pictures than `IMAGES`, by `SCALP_DEMO_IMAGES`, have the same share to be judged on; 0 stands for
    `IMAGES` here, as it only keeps servers from drawing.

    Raises:
        ScalpError: `bad_setting`.
    """
    images = _images() or IMAGES
    evaluation = EVALUATION * images // IMAGES
    return {"images": images, "evaluation": evaluation, "evaluation_prior": EVALUATION_PRIOR, "seed": SEED}


def _images() -> int:
    """Return how many pictures a server draws at its start; 0: none."""
    text = os.environ.get(_SETTING, "").strip() or str(IMAGES)
    if not (text.isascii() and text.isdigit()):
        raise ScalpError(
            "bad_setting",
            f"{_SETTING}: “{text[:20]}” is no number of pictures; 0 draws none.",
            f"{_SETTING}: “{text[:20]}”은(는) 사진 수가 아니에요. 0이면 그리지 않아요.",
        )
    return int(text)


def draw(
    made: Mapping[str, Any],
    processes: int | None = None,
    progress: Progress | None = None,
    renewing: Callable[[], None] = lambda: None,
) -> Dataset:
    """Draw the dataset, or go on where an earlier call was killed; one that an earlier version drew is replaced.

    Args:
        made: as `settings`.
        processes: worker processes; None takes one a core.
        progress: called with (done, total) now and then.
        renewing: called before earlier pictures are removed.

    Raises:
        ScalpError: as `make_dataset`; `name_taken` where this program did not draw what has the name.
    """
    folder = data_folder() / NAME
    try:
        return make_dataset(NAME, **made, processes=processes, progress=progress)
    except ScalpError as error:
        if error.code not in ("name_taken", "damaged_dataset") or not is_rendered(folder):
            raise
    renewing()
    shutil.rmtree(put_away(folder))
    return make_dataset(NAME, **made, processes=processes, progress=progress)


# ---- beside a server ----


def check_changeable(name: str) -> None:
    """Check that a dataset of this name may get another one or go, or that another dataset may take the name.

    Raises:
        ScalpError: `demonstration`, a server would draw the demonstration there again; `bad_setting`.
    """
    if name == NAME and _images() and _is_drawn_here():
        raise ScalpError(
            "demonstration",
            f"“{NAME}” is the demonstration dataset: the server draws it again where it is missing, so it keeps its "
            f"name and stays. With {_SETTING}=0 the server draws none.",
            f"“{NAME}”은(는) 데모 데이터셋이에요. 없어지면 서버가 다시 그리므로 이름을 바꾸거나 삭제할 수 없어요. "
            f"{_SETTING}=0으로 두면 서버가 그리지 않아요.",
        )


def _is_drawn_here() -> bool:
    folder = data_folder() / NAME
    try:
        return is_rendered(folder) or not folder.exists()
    except PermissionError:  # it is another user's
        return False


def is_missing() -> bool:
    """Return whether a server is to draw: the dataset is not there, damaged, or of an earlier version.

    Raises:
        ScalpError: `bad_setting`.
    """
    if not _images():
        return False
    folder, wanted = data_folder() / NAME, {**settings(), "version": GENERATOR_VERSION}
    try:
        if not (folder / "index.parquet").exists():
            return True
        made = {"evaluation_prior": "real", **open_dataset(NAME).made}  # only another one is recorded
    except PermissionError:  # it is another user's
        return False
    except ScalpError:
        return is_rendered(folder)
    return any(made.get(key) != value for key, value in wanted.items()) and is_rendered(folder)


def start_drawing() -> None:
    """Start drawing where the dataset is missing, also after a failure: at the start of a server.

    A process too many, of two servers that start at once, ends by itself: the dataset has a lock.

    Raises:
        ScalpError: `cannot_write`, `bad_setting`.
    """
    if is_missing() and not is_claimed(NAME):
        _job().launch(_request())


def resume_drawing() -> None:
    """Start a drawing that was interrupted, or could not begin; cheap enough for every rerun of a page.

    Raises:
        ScalpError: `cannot_write`, `bad_setting`.
    """
    if not is_missing():
        return
    job = _job()
    state = job.state()
    if state is None or state.request is None:
        start_drawing()
    else:
        job.resume()


def drawing() -> JobState | None:
    """Return how far the drawing is; None where it is not needed, or has not been started.

    Raises:
        ScalpError: `bad_setting`.
    """
    if not is_missing():
        return None
    by_command = JobState({}, True) if is_claimed(NAME) else None
    return _job().state() or by_command


def renews(state: JobState) -> bool:
    """Return whether a drawing replaces pictures of an earlier version."""
    return bool((state.request or {}).get(_RENEWS))


def main(_name: str) -> None:
    """Draw as `draw.json` requests: the process that `start_drawing` starts."""
    job = _job()
    if job.work(_draw_requested):
        job.clean_up()


def _draw_requested(request: dict[str, Any], report: ProgressWriter) -> None:
    made = {key: value for key, value in request.items() if key != _RENEWS}
    draw(made, progress=lambda done, total: report(_STAGE, done, total))


def _job() -> Job:
    # Beside the folder of the dataset: drawing begins in an empty one.
    subject = Text("The drawing of the demonstration pictures", "데모 사진 그리기")
    return Job("draw", NAME, data_folder() / f".{NAME}-drawing", subject)


def _request() -> dict[str, Any]:
    return {**settings(), _RENEWS: (data_folder() / NAME / "index.parquet").exists()}
