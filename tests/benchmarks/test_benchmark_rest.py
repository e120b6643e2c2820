"""The benchmark of REST: that clients ask, count and add up; never how long something takes."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from conftest import Folders, Trained, until
from fastapi import FastAPI

from benchmarks import rest as benchmark_rest
from benchmarks.rest import Server, ask, rest_report
from scalp_core.rest import app as rest
from scalp_core.rest.server import listen


@contextmanager
def serving(app: FastAPI) -> Iterator[Server]:
    """A server in a thread of its own."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        until(lambda: server.started)
        yield Server(listening.getsockname()[1], os.getpid(), 1.0)
    finally:
        server.should_exit = True
        thread.join(20)


def test_clients_ask_until_the_time_is_up(trained: Trained) -> None:
    with serving(rest.application()) as server:
        figures = ask(server, [trained.picture], 3, 2.0).figures()
        assert figures["answers"] >= 3
        assert (figures["failures"], figures["kinds"]) == (0, [])
        assert 0 < figures["p50"] <= figures["p99"]
        assert figures["rate"] > 0
        assert server.resident > 50
        assert os.getpid() in server.processes


def test_refusals_and_silence_are_failures(trained: Trained, folders: Folders) -> None:
    def kinds() -> list[str]:
        """Ask until there is a failure: on a busy machine a fifth of a second may pass without any."""
        outcomes = (ask(server, [trained.picture], 2, 0.2).figures() for _ in range(100))
        figures = next(figures for figures in outcomes if figures["kinds"])
        assert figures["answers"] == 0
        return list(figures["kinds"])

    with serving(rest.application()) as server:
        assert kinds() == ["503"]
    assert kinds() == ["ConnectionRefusedError"]


def test_cells_of_several_rounds_are_added_up() -> None:
    first = benchmark_rest.Outcome([0.1, 0.3], ["503"], lasted=1.0, busy=2.0)
    second = benchmark_rest.Outcome([0.2], [], lasted=3.0, busy=1.0)
    figures = benchmark_rest.together([first, second]).figures()
    assert figures["rate"] == pytest.approx(3 / 4)
    assert (figures["answers"], figures["failures"]) == (3, 1)
    assert figures["p50"] == pytest.approx(200)
    assert figures["busy"] == pytest.approx(5 / 4)


def test_the_report_says_what_was_measured() -> None:
    cell = {"clients": 64, "rate": 2.0, "answers": 20, "failures": 0, "kinds": [], "p50": 9.0, "p99": 10.0, "busy": 1.9}
    failed = cell | {"rate": 0.5, "failures": 3, "kinds": ["503"]}
    ways = ("old way", "ours", "ours, a worker a core")
    figures = {
        "machine": {"cores": 2, "load": 0.1, "python": "3.11"},
        "architecture": "resnet18",
        "size": 224,
        "minutes": 1.0,
        "batching": {"one by one": 50.0},
        "found": dict(zip(ways, ([failed], [cell], [cell]), strict=True)),
        "ready": dict.fromkeys(ways, 1.0),
        "resident": dict.fromkeys(ways, 300.0),
        "load": cell | {"seconds": 60.0, "resident": {"ready": 200.0, "before": 210.0, "after": 211.5}},
    }
    report = rest_report(figures)
    assert "SYNTHETIC" in report
    assert "| 64 | ours | 2.0 | 4.0 | 0 | 9 | 10 | 1.9 | 950 |" in report
    assert "3 (503)" in report
    assert "growth 1.5 MiB" in report


def test_without_flask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(benchmark_rest.importlib, "import_module", missing)
    with pytest.raises(SystemExit, match="Flask"):
        benchmark_rest.rest_command(None)  # type: ignore[arg-type]
