"""REST without the dashboard, started as people start it: workers, signals, refusals, connections that only wait."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx2 as httpx
import pytest
from conftest import ROOT, Trained, until
from PIL import Image
from support.rest_client import image_form
from support.rest_server import alive, free_port, ready, serving

from scalp_core.rest import __main__ as command


def workers(parent: int) -> list[int]:
    """Return the children that serve; multiprocessing has one more that tidies up."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in lines.items() if b"spawn_main" in line]


def test_it_serves_with_short_memory_too_and_a_stop_ends_it(trained: Trained, tmp_path: Path) -> None:
    picture = BytesIO()
    Image.new("RGB", (6000, 6000)).save(picture, "PNG")  # 100 KB that take 500 MB
    with serving(tmp_path / "log.txt") as (process, address):
        assert_grades(address, trained)

        def status() -> int:
            return httpx.post(f"{address}/predict_all", files=image_form(picture.getvalue()), timeout=120).status_code

        if sys.platform == "linux":  # only Linux bounds the memory of another process
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + 50 * 2**20
            resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            assert [status(), status()] == [503, 503]
            assert ready(address)
            resource.prlimit(process.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert status() == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)
    assert_quiet(tmp_path / "log.txt")


def assert_grades(address: str, trained: Trained) -> None:
    response = httpx.post(f"{address}/predict_all?run=nobody", files=image_form(trained.picture), timeout=120)
    assert response.json()["error"]["code"] == "no_run"
    response = httpx.post(f"{address}/predict_all", files=image_form(trained.picture), timeout=120)
    assert response.json()["value_1"][0]["run"] == trained.run.id
    assert "server" not in response.headers


def assert_quiet(log: Path) -> None:
    text = log.read_text()
    assert "Traceback" not in text
    assert "nobody" not in text  # no query in any log


def test_workers_answer_for_each_other_and_a_stop_ends_all(trained: Trained, tmp_path: Path) -> None:
    with serving(tmp_path / "log.txt", "--workers", "2") as (process, address):
        assert_grades(address, trained)
        until(lambda: len(workers(process.pid)) == 2)
        for silent in workers(process.pid):
            os.kill(silent, signal.SIGSTOP)  # the other one has to
            until(lambda: ready(address))
            os.kill(silent, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches all of them at once, SIGTERM only the first
        assert process.wait(60) in (0, -signal.SIGTERM)
        until(lambda: not alive(process.pid))
    assert_quiet(tmp_path / "log.txt")


@contextmanager
def starting(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Two workers and their parent while they import."""
    alone = ["training.cli", "serve", "--api"]  # the same as scalp_core.rest
    line = [sys.executable, "-m", *alone, "--port", str(free_port()), "--workers", "2"]
    with log.open("wb") as out:
        process = subprocess.Popen(line, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    until(lambda: len(workers(process.pid)) == 2)
    yield process
    process.wait()
    until(lambda: not alive(process.pid))


def test_a_stop_while_workers_start_is_no_failure(tmp_path: Path) -> None:
    with starting(tmp_path / "log.txt") as process:
        time.sleep(0.2)  # by then they import
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    assert_quiet(tmp_path / "log.txt")


def test_lost_workers_are_replaced_and_all_end_with_the_first(tmp_path: Path) -> None:
    with starting(tmp_path / "log.txt") as process:
        os.kill(lost := workers(process.pid)[0], signal.SIGKILL)
        until(lambda: len(workers(process.pid)) == 2 and lost not in workers(process.pid))
        process.kill()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "0"], "the port is “0”; it must be a number from 1 to 65535"),
        (["--port", "８５０２"], "the port is “８５０２”"),
        (["--workers", "0"], "the number of workers is “0”; it must be a number from 1 to 64"),
        (["--workers", "many"], "the number of workers is “many”"),
    ],
)
def test_what_cannot_be_is_told(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err


def test_a_bad_port_in_the_environment_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "abc")
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 2
    assert "the port is “abc”; it must be a number from 1 to 65535" in capsys.readouterr().err


def test_an_address_that_cannot_be_had_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(SystemExit, match=f"Cannot listen on 127.0.0.1, port {port}: Address already in use"):
            command.main(["--port", port])
    with pytest.raises(SystemExit, match="Cannot listen on no host, port 8502"):
        command.main(["--host", "no host"])
