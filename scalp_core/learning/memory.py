"""Running out of memory in a training: going on with fewer pictures at once."""

from scalp_core.errors import ScalpError
from scalp_core.memory_budget import halved


def fewer_at_once(at_once: int, least: int, error: Exception) -> int:
    """Return half of `at_once` pictures, rounded up, to try again with after memory ran out.

    Raises:
        ScalpError: `no_memory`, as not even `least` pictures fit.
    """
    if at_once <= least:
        raise no_memory(at_once) from error
    return halved(at_once)


def no_memory(at_once: int | None = None) -> ScalpError:
    """Return the error when even `at_once` pictures do not fit, or when the work cannot be done in smaller pieces."""
    even = f" even with {at_once} pictures at once" if at_once else ""
    even_ko = f"한 번에 {at_once}장만 처리해도 " if at_once else ""
    return ScalpError(
        "no_memory",
        f"Memory ran out{even}. Choose a smaller image_size or architecture, or free memory and resume.",
        f"{even_ko}메모리가 부족해요. image_size나 모델을 줄이거나 메모리를 확보한 뒤 재개하세요.",
    )
