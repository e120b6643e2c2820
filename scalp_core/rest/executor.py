"""Work that takes turns: as much at once as there are places, a queue with an end, and nobody waits for ever."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from scalp_core.errors import ScalpError

Result = TypeVar("Result")


class BoundedExecutor:
    """Threads for gradings, with room for some that wait.

    Args:
        places: how many work at once.
        waiting: how many may wait for a place besides.
        seconds: within which work asked for is done or given up.
    """

    def __init__(self, places: int, waiting: int, seconds: float) -> None:
        self.places, self.seconds = places, seconds
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="grading")
        self._counting = threading.Lock()
        self._free = places + waiting

    @property
    def free(self) -> int:
        """How many more may come."""
        return self._free

    async def submit(self, work: Callable[[], Result], seconds: float | None = None) -> Result:
        """The result of `work`, done in a thread when its turn has come.

        Args:
            seconds: left for this one; None: as many as for all.

        Raises:
            ScalpError: `busy` where the queue is full or the turn never came; `too_long` where it came, but the work
                did not end. Its thread keeps the place until it does: there are never more at work than places.
        """
        self._enter()
        future = self._threads.submit(work)
        future.add_done_callback(self._leave)
        within = self.seconds if seconds is None else max(seconds, 0.0)
        answered = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({answered}, timeout=within)
        if not done:
            raise _busy() if future.cancel() else _too_long(within)
        return answered.result()

    def _enter(self) -> None:
        with self._counting:
            if not self._free:
                raise _busy()
            self._free -= 1

    def _leave(self, _: object) -> None:
        with self._counting:
            self._free += 1


def _busy() -> ScalpError:
    return ScalpError(
        "busy",
        "Too many pictures are waiting already. Try again in a moment.",
        "이미 너무 많은 사진이 대기하고 있어요. 잠시 후 다시 시도하세요.",
    )


def _too_long(seconds: float) -> ScalpError:
    return ScalpError(
        "too_long",
        f"Grading took longer than {seconds:.0f} seconds and was given up. Try again later, or send a smaller picture.",
        f"등급 추정이 {seconds:.0f}초를 넘어 중단했어요. 나중에 다시 시도하거나 더 작은 사진을 보내세요.",
    )
