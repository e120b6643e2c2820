"""A run's network, loaded, and what it says of pictures. Knows no operating point.

ONNX Runtime on the CPU answers, through an export that was checked against torch. `SCALP_RUNTIME=torch` lets torch
answer instead, on a GPU where there is one; without it, torch is never imported.
"""

import importlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime

from scalp_core import images
from scalp_core.errors import ScalpError
from scalp_core.images import Pixels, Preprocessing
from scalp_core.parallel import cores
from scalp_core.runs import worker
from scalp_core.runs.champions import champions
from scalp_core.runs.runs import OUTPUTS, Run, Serving

Pictures = npt.NDArray[np.uint8]  # (N, height, width, 3) at the size of a network
Floats = npt.NDArray[np.float32]
Item = TypeVar("Item")
Result = TypeVar("Result")

RUNTIMES = ("onnxruntime", "torch")
_MOST_THREADS = 4  # more divide so little work that they wait for each other
_MOST_LOADED = 8  # networks
_EXACT = Serving()


class Outputs(NamedTuple):
    """What a network says of pictures, before any operating point; without the first axis of a single one.

    Attributes:
        probabilities: (N, conditions, 4).
        evidence: (N, conditions, 4, h, w); the mean of a map is the logit of its grade.
        features: (N, C), the mean of the feature map that the evidence is made of.
    """

    probabilities: Floats
    evidence: Floats
    features: Floats


Network = Callable[[Pictures], Outputs]


class Session:
    """A run's network, ready to answer.

    Attributes:
        preprocessing: how it sees pictures.
        outputs: of pictures at its own size.
    """

    outputs: Network

    def __init__(self, run: Run, serving: Serving, threads: int, runtime: str = RUNTIMES[0]) -> None:
        run.verify()
        self.preprocessing = with_short_cuts(run, serving)
        self.outputs = _by_torch(run) if runtime == "torch" else _by_onnxruntime(run, serving, threads)

    def answer(self, pixels: Pixels) -> Outputs:
        """Of one picture of any size."""
        said = self.outputs(images.resize(pixels, self.preprocessing)[np.newaxis])
        return Outputs(*(values[0] for values in said))


def with_short_cuts(run: Run, serving: Serving) -> Preprocessing:
    """How the run's network sees pictures when it answers so."""
    return replace(run.preprocessing, reduced=run.preprocessing.reduced or serving.reduced)


def load(run: Run, serving: Serving) -> Session:
    """The run's network, loaded once for all who ask; the latest ones stay.

    Raises:
        ScalpError: the run is damaged, or cannot be exported; `bad_runtime`.
    """
    with _LOADING.setdefault(run, threading.Lock()):
        # A finished run's network never changes, but one made anew under the same name is another one.
        return _load(run, serving, _runtime(), run.finished_ns)


# Loading a run twice at once would only cost memory; its lock makes the second caller wait for the first.
_LOADING: dict[Run, threading.Lock] = {}


@lru_cache(maxsize=_MOST_LOADED)
def _load(run: Run, serving: Serving, runtime: str, _finished_ns: int) -> Session:
    return Session(run, serving, _threads(), runtime)


def outputs(run: Run, pictures: Pictures, serving: Serving = _EXACT) -> Outputs:
    """What the run's network says of pictures at its own size, without short cuts unless they are asked for.

    Raises:
        ScalpError: as `load`.
    """
    return load(run, serving).outputs(pictures)


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` of each: on several cores where there are several of them."""
    several = list(items)
    if len(several) == 1 or multiprocessing.parent_process():
        return [work(one) for one in several]
    return list(_passes().map(work, several))


@lru_cache(maxsize=1)
def _passes() -> ThreadPoolExecutor:
    """For all pictures that are graded at the same time: never more passes at once than cores."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="pass")


def milliseconds(run: Run, repeats: int = 15) -> float:
    """What a run needs for one picture on one core, decoded already: the median of some."""
    network = Session(run, run.serving, threads=1)
    frame = np.zeros((480, 640, 3), dtype=np.uint8)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        network.answer(frame)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds))


def _threads() -> int:
    """Of a session: what is left of the cores where several runs answer side by side; see docs/design/serving.md."""
    if multiprocessing.parent_process():
        return 1  # a worker has one core
    answering = {champion.run for champion in champions().values()}
    return max(1, min(_MOST_THREADS, cores() // max(1, len(answering))))


def _by_onnxruntime(run: Run, serving: Serving, threads: int) -> Network:
    if not run.exported:
        worker.export(run)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait by turning round take the core from those who would use it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = run.int8_path if serving.int8 else run.export_path
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pictures: Outputs(*session.run(OUTPUTS, {"pixels": pictures}))


def _by_torch(run: Run) -> Network:
    # Seconds and 300 MB that only those pay who ask for it; and what answers does not stand on what trains.
    made: Network = importlib.import_module("scalp_core.learning.torch_session").network(run)
    return made


def _runtime() -> str:
    wanted = os.environ.get("SCALP_RUNTIME") or RUNTIMES[0]
    if wanted not in RUNTIMES:
        raise ScalpError(
            "bad_runtime",
            f"SCALP_RUNTIME is “{wanted}”; it must be one of {', '.join(RUNTIMES)}.",
            f"SCALP_RUNTIME 값이 잘못되었어요: “{wanted}”. 가능한 값: {', '.join(RUNTIMES)}.",
        )
    return wanted
