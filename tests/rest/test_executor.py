"""Taking executor: places, the queue's end, deadlines."""

import asyncio
import threading

import pytest
from conftest import until

from scalp_core.errors import ScalpError
from scalp_core.rest.executor import BoundedExecutor


def test_results_and_errors_come_back() -> None:
    executor = BoundedExecutor(2, 4, 30)
    assert asyncio.run(executor.submit(lambda: 7)) == 7
    with pytest.raises(ZeroDivisionError):
        asyncio.run(executor.submit(lambda: 1 // 0))
    until(lambda: executor.free == 6)


def test_the_queue_has_an_end_and_opens_again() -> None:
    executor, go_on = BoundedExecutor(1, 1, 30), threading.Event()

    async def three() -> list[object]:
        tasks = [asyncio.create_task(executor.submit(lambda: go_on.wait(30))) for _ in range(3)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(three())
    assert (first, second) == (True, True)
    assert isinstance(third, ScalpError)
    assert third.code == "busy"
    until(lambda: executor.free == 2)
    assert asyncio.run(executor.submit(lambda: 7)) == 7


def test_expired_waiting_requests_are_not_run() -> None:
    executor, go_on, worked = BoundedExecutor(1, 4, 30), threading.Event(), []

    async def two() -> list[object]:
        first = asyncio.create_task(executor.submit(lambda: go_on.wait(30)))
        second = asyncio.create_task(executor.submit(lambda: worked.append(2), 0.05))
        await asyncio.wait({second})
        go_on.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = asyncio.run(two())
    assert first is True
    assert isinstance(second, ScalpError)
    assert second.code == "busy"
    until(lambda: executor.free == 5)
    assert worked == []


def test_timed_out_work_keeps_its_place() -> None:
    executor, go_on = BoundedExecutor(1, 4, 0.05), threading.Event()
    with pytest.raises(ScalpError) as error:
        asyncio.run(executor.submit(lambda: go_on.wait(30)))
    assert error.value.code == "too_long"
    assert executor.free == 4
    with pytest.raises(ScalpError) as error:
        asyncio.run(executor.submit(lambda: 7))
    assert error.value.code == "busy"
    go_on.set()
    until(lambda: executor.free == 5)
    assert asyncio.run(executor.submit(lambda: 7, 30)) == 7
