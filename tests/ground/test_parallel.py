"""Work is shared out among processes that do all of it, take no more than they must, and leave nothing running."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, until

from scalp_core.errors import ScalpError
from scalp_core.parallel import parallel_map, started_threads


def doubled(number: int) -> int:
    return 2 * number


def refused(number: int) -> int:
    raise ScalpError("odd", f"{number} is odd", f"{number}은 홀수입니다")


def killed(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def doubled_beside_threads(number: int) -> tuple[int, int]:
    import cv2

    return doubled(number), int(cv2.getNumThreads())


def test_every_item_is_done_once_here() -> None:
    assert sorted(parallel_map(doubled, range(50), 1)) == list(range(0, 100, 2))


def test_every_item_is_done_once_by_workers_that_keep_to_one_core() -> None:
    results = sorted(parallel_map(doubled_beside_threads, range(50), 2))
    assert results == [(number, 1) for number in range(0, 100, 2)]


def test_nothing_to_do() -> None:
    assert list(parallel_map(doubled, [], 2)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_few_items_are_taken_ahead(processes: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = parallel_map(doubled, items(), processes)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 4 * processes


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_arrives_as_it_was_raised(processes: int) -> None:
    with pytest.raises(ScalpError, match="3 is odd") as caught:
        list(parallel_map(refused, [3], processes))
    assert caught.value.text.ko == "3은 홀수입니다"


def test_dead_worker_raises_instead_of_hanging() -> None:
    with pytest.raises(ScalpError) as caught:
        list(parallel_map(killed, range(10), 2))
    assert caught.value.code == "worker_died"


SCRIPT = """
import time
from scalp_core.parallel import parallel_map, started_threads

print("imported", flush=True)
if __name__ == "__main__":
    for _ in parallel_map({work}, [{item}] * 4, 2):
        print("done", flush=True)
"""


def start(tmp_path: Path, work: str, item: str) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(work=work, item=item), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)


def test_workers_do_not_run_the_main_module_again(tmp_path: Path) -> None:
    output, _ = start(tmp_path, "abs", "-1").communicate(timeout=60)
    assert output.split() == ["imported"] + ["done"] * 4


def children(process: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def living(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    process = start(tmp_path, "time.sleep", "600")
    until(lambda: len(children(process.pid)) >= 2)
    workers = children(process.pid)
    time.sleep(0.5)  # as soon as they work, and while they do
    process.send_signal(how)
    process.communicate(timeout=60)
    until(lambda: not any(map(living, workers)))


def test_pool_begins_with_all_threads_running() -> None:
    with started_threads(3, "begun"):
        assert sum(thread.name.startswith("begun") for thread in threading.enumerate()) == 3
