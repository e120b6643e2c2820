"""REST without the dashboard, started as people start it: workers, signals, refusals, connections that only wait."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import pytest
from conftest import ROOT, Trained, until
from support.rest_client import image_form
from support.rest_server import alive, free_port, ready, serving

from scalp_core.rest import __main__ as command


def workers(parent: int) -> list[int]:
    """Return the children that serve; multiprocessing has one more that tidies up."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in lines.items() if b"spawn_main" in line]


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_it_serves_and_a_stop_ends_all(trained: Trained, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with serving(tmp_path / "log.txt", *arguments) as (process, address):
        response = httpx.post(f"{address}/predict_all?run=nobody", files=image_form(trained.picture))
        assert response.json()["error"]["code"] == "no_run"
        response = httpx.post(f"{address}/predict_all", files=image_form(trained.picture))
        assert response.json()["value_1"][0]["run"] == trained.run.id
        assert "server" not in response.headers
        # Ctrl-C reaches all of them at once, SIGTERM only the first.
        os.killpg(process.pid, signal.SIGINT) if arguments else process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
        until(lambda: not alive(process.pid), 5)
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback" not in log
    assert "nobody" not in log  # no query in any log


def test_a_stop_while_workers_start_is_no_failure(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "scalp_core.rest", "--port", str(free_port()), "--workers", "2"]
    with (tmp_path / "log.txt").open("wb") as out:
        process = subprocess.Popen(line, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    until(lambda: len(workers(process.pid)) == 2)
    time.sleep(0.2)  # by then they import
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 0
    until(lambda: not alive(process.pid))
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def test_workers_answer_and_end_with_the_first(trained: Trained, tmp_path: Path) -> None:
    with serving(tmp_path / "log.txt", "--workers", "2") as (process, address):
        until(lambda: len(workers(process.pid)) == 2)
        for silent in workers(process.pid):
            os.kill(silent, signal.SIGSTOP)  # the other one has to
            until(lambda: ready(address))
            os.kill(silent, signal.SIGCONT)
        os.kill(lost := workers(process.pid)[0], signal.SIGKILL)
        until(lambda: len(workers(process.pid)) == 2 and lost not in workers(process.pid))
        process.kill()
        process.wait()
        until(lambda: not alive(process.pid))


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


def test_a_bad_port_in_the_environment_is_told() -> None:
    environment = {**os.environ, "PORT": "abc"}
    line = [sys.executable, "-m", "scalp_core.rest"]
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "the port is “abc”; it must be a number from 1 to 65535" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_cannot_be_had_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(SystemExit, match=f"Cannot listen on 127.0.0.1, port {port}: Address already in use"):
            command.main(["--port", port])
    with pytest.raises(SystemExit, match="Cannot listen on no host, port 8502"):
        command.main(["--host", "no host"])
