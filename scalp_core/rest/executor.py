"""A thread pool with a bounded queue and deadlines."""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from scalp_core.errors import ScalpError
from scalp_core.parallel import cores, started_threads

Result = TypeVar("Result")

QUEUE_LENGTH = 64  # gradings that may wait for a place; further ones are refused
ANSWER_SECONDS = 60.0  # from the arrival of a request to its answer or refusal


def share_of_cores() -> int:
    """Return how many gradings run at once in this process: more than cores only take turns (docs/design/rest.md).

    uvicorn's workers share the cores; WEB_CONCURRENCY is their number.
    """
    return max(1, cores() // int(os.environ.get("WEB_CONCURRENCY") or 1))


class BoundedExecutor:
    """Threads for gradings and a queue before them.

    Args:
        places: gradings at the same time.
        queue_length: gradings that may wait for a place.
        seconds: until a submitted grading is done or given up.
    """

    def __init__(self, places: int, queue_length: int, seconds: float) -> None:
        self.places, self.seconds = places, seconds
        self._threads = started_threads(places, "grading")
        self._counting = threading.Lock()
        self._free = places + queue_length

    @property
    def free(self) -> int:
        """Number of gradings that would be accepted now."""
        return self._free

    async def submit(self, work: Callable[[], Result], seconds: float | None = None) -> Result:
        """Return the result of `work`, which a thread does when there is a place.

        Args:
            seconds: for this work; None: as many as for all.

        Raises:
            ScalpError: `busy` where the queue is full or no place became free; `too_long` where the work began but did
                not end. Its thread keeps the place until it does: there are never more at work than places.
        """
        self._enter()
        future = self._threads.submit(work)
        future.add_done_callback(self._leave)
        limit = self.seconds if seconds is None else max(seconds, 0.0)
        result = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({result}, timeout=limit)
        if not done:
            raise busy() if future.cancel() else too_long(limit)
        return result.result()

    def _enter(self) -> None:
        with self._counting:
            if not self._free:
                raise busy()
            self._free -= 1

    def _leave(self, _: object) -> None:
        with self._counting:
            self._free += 1


def busy() -> ScalpError:
    """Return the error that the queue is full, or that the turn never came."""
    return ScalpError(
        "busy",
        "Too many pictures are waiting. Try again in a moment.",
        "이미 너무 많은 사진이 대기하고 있어요. 잠시 후 다시 시도하세요.",
    )


def too_long(seconds: float) -> ScalpError:
    """Return the error of a grading that did not end in time."""
    return ScalpError(
        "too_long",
        f"Grading took over {seconds:.0f} seconds and was cancelled. Try again later, or send a smaller picture.",
        f"등급 추정이 {seconds:.0f}초를 넘어 중단했어요. 나중에 다시 시도하거나 더 작은 사진을 보내세요.",
    )
