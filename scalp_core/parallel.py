"""Spreads work over processes, one a core, that end with their parent."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import TypeVar

from scalp_core.errors import ScalpError

Work = TypeVar("Work")
Result = TypeVar("Result")


def cores() -> int:
    """Return the cores this process may use: fewer than the machine has if a scheduler or a container says so."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def parallel_map(
    work: Callable[[Work], Result], items: Iterable[Work], processes: int | None = None
) -> Iterator[Result]:
    """Yield `work(item)` of every item, in the order they are done; few items are taken ahead of the workers.

    Args:
        work: a function of a module other than the main one, which can be sent to another process, as its items and
            results.
        processes: None takes one a core; 1 works in this process.

    Raises:
        ScalpError: `worker_died`, besides whatever `work` raises.
    """
    processes = processes or cores()
    if processes == 1:
        yield from map(work, items)
        return
    # Spawned, because a fork of a process with threads (OpenCV, a test) may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, initializer=_start_worker)
    left = iter(items)
    try:
        with ignore_sigint(), _without_main_module():
            waiting: set[Future[Result]] = {pool.submit(work, item) for item in islice(left, 2 * processes)}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            waiting |= {pool.submit(work, item) for item in islice(left, len(finished))}
            yield from (future.result() for future in finished)
    except BrokenProcessPool as error:
        raise ScalpError(
            "worker_died",
            "A worker process was killed, perhaps for lack of memory. Start the same command again: it "
            "goes on where it stopped; with --processes 1 it needs least memory.",
            "작업 프로세스가 외부에서 종료되었어요 (메모리 부족일 수 있음). 같은 명령을 다시 실행하면 이어서 "
            "진행되며, --processes 1이면 메모리를 가장 적게 써요.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def started_threads(count: int, name: str) -> ThreadPoolExecutor:
    """Return a pool whose threads all run already.

    Python waits for ever for a thread that finds no memory to begin, and so would whatever hands work to the pool.
    """
    pool, all_run = ThreadPoolExecutor(count, thread_name_prefix=name), threading.Barrier(count + 1)
    for _ in range(count):
        pool.submit(all_run.wait)
    all_run.wait()
    return pool


@contextmanager
def ignore_sigint() -> Iterator[None]:
    """Have workers started in this context ignore Ctrl-C, and leave it to their parent from the first moment."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may change, and only it receives, signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Have workers started in this context import what their work needs, but not the command that started them.

    A spawned process runs the main module again, which takes a command's imports a second.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker() -> None:
    """Limit a worker to one core and to the life of its parent."""
    os.environ["OPENCV_FOR_THREADS_NUM"] = "1"  # read when OpenCV is imported, which not all work needs
    end_with_parent()


def end_with_parent() -> None:
    """End this process at once when the one that started it does, in whatever way; nothing in a first process."""
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_after, args=(parent,), name="parent", daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)  # no process is left to take a result or an error


def no_progress(*_: object) -> None:
    """Ignore progress."""
