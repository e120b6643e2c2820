"""REST without the dashboard, started as people start it: workers, signals, refusals, connections that only wait."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest
import uvicorn
from asking import as_file
from conftest import ROOT, Trained, until

from scalp_core import rest, standalone
from scalp_core.standalone import Impatient, listen


@contextmanager
def serving(log: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`python -m scalp_core.rest` on a free port, the first of a group of processes; its address when it is ready."""
    command = [sys.executable, "-m", "scalp_core.rest", "--port", str(port := free_port()), *arguments]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    try:
        until(lambda: process.poll() is not None or ready(address))
        assert process.poll() is None, log.read_text()
        yield process, address
    finally:
        if alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/api/ready").status_code == 200
    except httpx.TransportError:
        return False


def alive(group: int) -> bool:
    """Whether anybody of that group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def workers(parent: int) -> list[int]:
    """Those of its children that serve; multiprocessing has one more that tidies up."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in lines.items() if b"spawn_main" in line]


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_it_serves_and_a_stop_ends_everybody(trained: Trained, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with serving(tmp_path / "log.txt", *arguments) as (process, address):
        response = httpx.post(f"{address}/predict_all?run=nobody", files=as_file(trained.picture))
        assert response.json()["error"]["code"] == "no_run"
        response = httpx.post(f"{address}/predict_all", files=as_file(trained.picture))
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
    command = [sys.executable, "-m", "scalp_core.rest", "--port", str(free_port()), "--workers", "2"]
    with (tmp_path / "log.txt").open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    until(lambda: len(workers(process.pid)) == 2)
    time.sleep(0.2)  # by then they import
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 0
    until(lambda: not alive(process.pid))
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


def test_every_worker_answers_and_nobody_outlives_the_first(trained: Trained, tmp_path: Path) -> None:
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
    ("arguments", "told"),
    [
        (["--port", "0"], "the port is “0”; it must be a number from 1 to 65535"),
        (["--port", "８５０２"], "the port is “８５０２”"),
        (["--workers", "0"], "the number of workers is “0”; it must be a number from 1 to 64"),
        (["--workers", "many"], "the number of workers is “many”"),
    ],
)
def test_what_cannot_be_is_told(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rest", *arguments])
    with pytest.raises(SystemExit):
        standalone.main("scalp_core.rest:api", "rest")
    assert told in capsys.readouterr().err


def test_a_bad_port_in_the_environment_is_told() -> None:
    environment = {**os.environ, "PORT": "abc"}
    command = [sys.executable, "-m", "scalp_core.rest"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "the port is “abc”; it must be a number from 1 to 65535" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        monkeypatch.setattr(sys, "argv", ["rest", "--port", port])
        with pytest.raises(SystemExit, match=f"Cannot listen on 127.0.0.1, port {port}: Address already in use"):
            standalone.main("scalp_core.rest:api", "rest")
    monkeypatch.setattr(sys, "argv", ["rest", "--host", "no host"])
    with pytest.raises(SystemExit, match="Cannot listen on no host, port 8502"):
        standalone.main("scalp_core.rest:api", "rest")


# Connections that only wait.


class Hasty(Impatient):
    head_seconds = 0.5
    read_seconds = 0.5


@pytest.fixture(scope="module")
def hasty() -> Iterator[int]:
    """The port of a server in a thread of its own."""
    listening = listen("127.0.0.1", 0)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that the system takes little of an answer
    server = uvicorn.Server(uvicorn.Config(rest.application(), http=Hasty, log_config=None))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        until(lambda: server.started)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def test_an_answer_s_end_does_not_wait_for_its_head_to_be_acknowledged() -> None:
    """asyncio switches Nagle's algorithm off only for sockets that say they are TCP."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


ASKED = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("begun", [b"", b"G", ASKED[:-2]], ids=["nothing", "a letter", "half a head"])
def test_a_head_that_does_not_come_closes_the_connection(hasty: int, begun: bytes) -> None:
    with connected(hasty) as client:
        client.sendall(begun)
        assert client.recv(1000) == b""


def test_a_head_letter_by_letter_comes_too_late(hasty: int) -> None:
    with connected(hasty) as client:
        assert any(refused_letter(client, letter) for letter in ASKED * 9)


def refused_letter(client: socket.socket, letter: int) -> bool:
    time.sleep(0.05)
    try:
        client.send(bytes([letter]))
    except OSError:
        return True
    return False


def test_a_second_head_has_its_own_time(hasty: int) -> None:
    """And the pause between two requests is no delay."""
    with connected(hasty) as client:
        for pause in (0.0, 1.0):
            time.sleep(pause)
            client.sendall(ASKED)
            told = b""
            while not told.endswith(b"}"):
                told += client.recv(10_000)
            assert told.startswith(b"HTTP/1.1 200 ")
        client.sendall(ASKED[:9])
        assert client.recv(1000) == b""


def test_an_answer_that_nobody_takes_is_given_up(hasty: int) -> None:
    large = "/api/docs/swagger-ui-bundle.js"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(20)
        client.connect(("127.0.0.1", hasty))
        client.sendall(f"GET {large} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(1.5)
        taken = b"".join(iter(lambda: client.recv(65_536), b""))
    whole = len(httpx.get(f"http://127.0.0.1:{hasty}{large}").content)
    assert taken.startswith(b"HTTP/1.1 200 ")
    assert len(taken) < whole  # whoever takes it gets it
