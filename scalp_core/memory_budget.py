"""Memory: a budget that all threads of a process share, telling that it ran out, and going on with less."""

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scalp_core.errors import ScalpError

MIN_AT_ONCE = 2  # pictures of a training step; a batch of one breaks batch normalisation

# torch, oneDNN, ONNX Runtime and Python's threads have no exception of their own for it, or one that only they know.
_WORDS_OF_MEMORY = (
    "out of memory",
    "allocate memory",
    "bad_alloc",
    "could not create a primitive",
    "could not create a memory",
    "can't start new thread",
)


def halved(at_once: int) -> int:
    """Return half of so many pictures, rounded up, to train with after memory ran out."""
    return (at_once + 1) // 2


class MemoryBudget:
    """Memory that the threads of this process share; who asks for more than is left waits.

    Attributes:
        limit: bytes. A single request that is larger still gets its turn, alone.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self._used, self._freed = limit, 0, threading.Condition()

    @contextmanager
    def reserved(self, size: int) -> Iterator[None]:
        """Wait until `size` bytes are left and hold them."""
        size = min(size, self.limit)
        with self._freed:
            self._freed.wait_for(lambda: self._used + size <= self.limit)
            self._used += size
        try:
            yield
        finally:
            with self._freed:
                self._used -= size
                self._freed.notify_all()


def fewer_at_once(at_once: int, least: int, error: Exception) -> int:
    """Return half of `at_once` pictures, to try again with after memory ran out in a training.

    Raises:
        ScalpError: `no_memory`, as not even `least` pictures fit.
    """
    if at_once <= least:
        raise no_memory_to_train(at_once) from error
    return halved(at_once)


def no_memory_to_train(at_once: int | None = None) -> ScalpError:
    """Return the error when even `at_once` pictures do not fit, or when the work cannot be done in smaller pieces."""
    even = f" even with {at_once} pictures at once" if at_once else ""
    even_ko = f"한 번에 {at_once}장만 처리해도 " if at_once else ""
    return ScalpError(
        "no_memory",
        f"Memory ran out{even}. Choose a smaller image_size or architecture, or free memory and resume.",
        f"{even_ko}메모리가 부족해요. image_size나 모델을 줄이거나 메모리를 확보한 뒤 재개하세요.",
    )


def out_of_memory(error: BaseException) -> bool:
    """Return whether `error` tells that memory ran out."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return not isinstance(error, OSError) and any(words in str(error) for words in _WORDS_OF_MEMORY)


def no_memory() -> ScalpError:
    """Return the error that memory ran out; waiting helps."""
    return ScalpError(
        "no_memory",
        "There is not enough memory for this picture at the moment. Try again, or send a smaller one.",
        "지금은 이 사진을 처리할 메모리가 부족해요. 다시 시도하거나 더 작은 사진을 보내세요.",
    )
