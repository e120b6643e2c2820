"""A run's loaded network, which maps pictures to probabilities, evidence and features, before any operating point.

ONNX Runtime on the CPU answers, through an export that was checked against torch. `SCALP_RUNTIME=torch` lets torch
answer instead, on a GPU where there is one; without it, torch is never imported.
"""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

from scalp_core import images
from scalp_core.errors import ScalpError
from scalp_core.images import Pixels, Preprocessing
from scalp_core.memory_budget import no_memory, out_of_memory
from scalp_core.parallel import cores, started_threads
from scalp_core.runs import worker
from scalp_core.runs.champions import champions
from scalp_core.runs.run import OUTPUTS, Run, Serving

Pictures = npt.NDArray[np.uint8]  # (N, height, width, 3) at the size of a network
Floats = npt.NDArray[np.float32]
Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_THREADS = 4  # of a session; more divide so little work that they wait for each other
_MOST_LOADED = 8  # networks
_EXACT = Serving()


class Outputs(NamedTuple):
    """A network's outputs for N pictures, before any operating point; without the first axis for a single picture.

    Attributes:
        probabilities: (N, conditions, 4).
        evidence: (N, conditions, 4, h, w); the mean of a map is the logit of its grade.
        features: (N, C), the mean of the feature map that the evidence is computed from.
    """

    probabilities: Floats
    evidence: Floats
    features: Floats


Network = Callable[[Pictures], Outputs]


class Session:
    """A run's network, ready to answer.

    Attributes:
        preprocessing: of the pictures that it is given.
        outputs: maps pictures at the network's own size to its outputs.
    """

    outputs: Network

    def __init__(self, run: Run, serving: Serving, threads: int, runtime: str = "onnxruntime") -> None:
        run.verify()
        self.preprocessing = with_short_cuts(run, serving)
        self.outputs = RUNTIMES[runtime](run, serving, threads)

    def answer(self, pixels: Pixels) -> Outputs:
        """Return the outputs for one picture of any size."""
        with _memory_errors():
            outputs = self.outputs(images.resize(pixels, self.preprocessing)[np.newaxis])
        return Outputs(*(values[0] for values in outputs))


def with_short_cuts(run: Run, serving: Serving) -> Preprocessing:
    """Return the run's preprocessing with the short cuts that it is served with."""
    return replace(run.preprocessing, reduced=run.preprocessing.reduced or serving.reduced)


def load(run: Run, serving: Serving) -> Session:
    """Load the run's network, once for all callers; the latest networks stay loaded.

    Raises:
        ScalpError: the run is damaged, or cannot be exported; `bad_runtime`; `no_memory`.
    """
    with _LOADING.setdefault(run, threading.Lock()), _memory_errors():
        # A finished run's network never changes, but one made anew under the same name is another one.
        return _load(run, serving, _runtime(), run.finished_ns)


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise `no_memory` where a runtime tells, in its own way, that memory ran out."""
    try:
        yield
    except (RuntimeError, MemoryError, Fail, RuntimeException) as error:
        if not out_of_memory(error):
            raise
        raise no_memory() from error


# Loading a run twice at once would only cost memory; its lock makes the second caller wait for the first.
_LOADING: dict[Run, threading.Lock] = {}


@lru_cache(maxsize=_MOST_LOADED)
def _load(run: Run, serving: Serving, runtime: str, _finished_ns: int) -> Session:
    return Session(run, serving, _threads(), runtime)


def outputs(run: Run, pictures: Pictures, serving: Serving = _EXACT) -> Outputs:
    """Return the outputs of the run's network for pictures at its own size, by default without short cuts.

    Raises:
        ScalpError: as `load`.
    """
    with _memory_errors():
        return load(run, serving).outputs(pictures)


def map_concurrently(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return `work` of each item, computed on several cores except in a worker process, which has one."""
    everything = list(items)
    if len(everything) == 1 or multiprocessing.parent_process():
        return [work(item) for item in everything]
    return list(_pool().map(work, everything))


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Return the pool of all pictures that are graded at the same time: never more passes at once than cores."""
    return started_threads(cores(), "pass")


def milliseconds(run: Run, repeats: int = 15) -> float:
    """Measure the milliseconds that a run needs for one decoded picture on one core: the median of `repeats`."""
    network = Session(run, run.serving, threads=1)
    frame = np.zeros((480, 640, 3), dtype=np.uint8)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        network.answer(frame)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds))


def _threads() -> int:
    """Return a session's share of the cores where several runs answer concurrently; see docs/design/serving.md."""
    if multiprocessing.parent_process():
        return 1  # each grading process of a batch has one core
    answering = {champion.run for champion in champions().values()}
    return max(1, min(_MOST_THREADS, cores() // max(1, len(answering))))


def _by_onnxruntime(run: Run, serving: Serving, threads: int) -> Network:
    if not run.exported:
        worker.export(run)
    path, weights = (run.int8_path, None) if serving.int8 else (run.export_path, run.weights_path)
    session = open_onnx(path, threads, weights)
    return lambda pictures: Outputs(*session.run(OUTPUTS, {"pixels": pictures}))


def open_onnx(path: Path, threads: int, weights: Path | None = None) -> onnxruntime.InferenceSession:
    """Open an exported network in ONNX Runtime with so many threads.

    Args:
        weights: the file beside it that it refers to; None where it holds all of its weights itself.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait by spinning take the core from threads with work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return _open(path, weights, options)


def write_folded(path: Path, weights: Path, folded: Path) -> None:
    """Write an exported network with its weights inside, and with all computed that no picture changes.

    Without what is faster on this machine alone: the same file everywhere.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    _open(path, weights, options)


def _open(path: Path, weights: Path | None, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    if weights:
        # Read into memory: ONNX Runtime itself would map the file, so that cutting it later would end the process, and
        # would refuse a link to another folder.
        content = weights.read_bytes()
        options.add_external_initializers_from_files_in_memory([weights.name], [content], [len(content)])
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


# Builders of a run's network, by the name that SCALP_RUNTIME gives. `learning.torch_session` adds "torch".
RUNTIMES: dict[str, Callable[[Run, Serving, int], Network]] = {"onnxruntime": _by_onnxruntime}


def _runtime() -> str:
    wanted = os.environ.get("SCALP_RUNTIME") or "onnxruntime"
    if wanted not in RUNTIMES:
        raise ScalpError(
            "bad_runtime",
            f"SCALP_RUNTIME is “{wanted}”; it must be onnxruntime or torch, set before the program starts.",
            f"SCALP_RUNTIME 값이 “{wanted}”이에요. 프로그램을 시작하기 전에 onnxruntime 또는 torch로 설정하세요.",
        )
    return wanted
