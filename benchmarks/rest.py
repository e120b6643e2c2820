"""`python -m benchmarks rest`: requests a second of the REST interface, beside the older system's way.

The old way: Flask's own server, a thread for every request, six networks of the family one after another (see
benchmarks.prediction). Ours: `python -m scalp_core.rest` with the same network at the same picture size, random
weights, by one process and by one a core. Every server has processes of its own on the loopback interface; they take
turns under the same clients, which keep their connections and ask again as soon as they are answered.
"""

import argparse
import http.client
import importlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.measuring import ROOT, machine, write_json
from benchmarks.prediction import old_way, write_pictures, write_run
from scalp_core import images
from scalp_core.parallel import cores
from scalp_core.runs.run import OUTPUTS, Run
from training.markdown import markdown_table

_OLD, _OURS, _SEVERAL = "old way", "ours", "ours, a worker a core"
_PICTURES = 8  # different ones
_PATIENCE = 180.0  # seconds until a missing answer is a failure
_STARTING = 120.0  # seconds until a server has to answer
_BATCH = 4  # pictures at once, where that is tried
_BOUNDARY = "between-the-parts"
_MEBIBYTE = 2**20


# --- Servers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        port: on the loopback interface.
        process: the first of its processes.
        ready: seconds from its start to its first answer.
    """

    port: int
    process: int
    ready: float

    @property
    def processes(self) -> list[int]:
        """Ids of the process and its children."""
        processes, waiting = [], [self.process]
        while waiting:
            processes.append(process := waiting.pop())
            waiting += map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
        return processes

    @property
    def resident(self) -> float:
        """MiB of all its processes; shared memory is counted for each."""
        pages = [int(Path(f"/proc/{process}/statm").read_text().split()[1]) for process in self.processes]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / _MEBIBYTE

    @property
    def spent(self) -> float:
        """Seconds of processor time of all its processes."""
        stats = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in self.processes]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(way: str, run: Run, log: Path) -> Iterator[Server]:
    """Yield a server of that way, ready to answer; it and its children end with the context."""
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks", "rest-old", "--folder", str(run.folder)]
    if way != _OLD:
        command = [sys.executable, "-m", "scalp_core.rest", "--workers", str(cores() if way == _SEVERAL else 1)]
    environment = {**os.environ, "SCALP_ARTIFACTS": str(run.folder.parent), "SCALP_DATA": str(run.folder.parent)}
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        _wait(process, port, "/api/ready" if way != _OLD else "/", log)
        yield Server(port, process.pid, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    end = time.monotonic() + _STARTING
    while not _answers(port, path):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"A server did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.01)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STARTING)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def serve_old(options: argparse.Namespace) -> None:
    """Run the old way's server: a process of its own, started by `serving`."""
    flask = _flask()
    run = Run(options.folder)
    grade = old_way(run.recipe.architecture, run.preprocessing)
    app = flask.Flask("old way")

    @app.get("/")
    def alive() -> str:
        return "alive"

    @app.post("/predict_all")
    def predict_all() -> dict[str, object]:
        return {"grades": grade(flask.request.files["image"].read())}

    app.run("127.0.0.1", options.port, threaded=True)


def _flask() -> Any:
    # By name, for it is no requirement: nothing of ours runs on it.
    try:
        return importlib.import_module("flask")
    except ModuleNotFoundError:
        raise SystemExit("The old way's server needs Flask: pip install -r tests/requirements.txt") from None


# --- Clients --------------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """Answers and failures of clients.

    Attributes:
        seconds: of every answer.
        failures: the reason of each.
        lasted: seconds from the first question to the last answer.
        busy: cores' worth of processor time that the server took meanwhile.
    """

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lasted: float = 0.0
    busy: float = 0.0

    def figures(self) -> dict[str, Any]:
        """Return requests a second, failures, milliseconds of the median and the slowest answers."""
        taken = np.array(self.seconds or [np.nan]) * 1000
        return {
            "rate": len(self.seconds) / self.lasted,
            "answers": len(self.seconds),
            "failures": len(self.failures),
            "kinds": sorted(set(self.failures)),
            "p50": float(np.percentile(taken, 50)),
            "p99": float(np.percentile(taken, 99)),
            "busy": self.busy,
        }


def ask(server: Server, contents: Sequence[bytes], clients: int, seconds: float) -> Outcome:
    """Let this many clients ask for this long; wait for requests that are under way then."""
    outcome, bodies = Outcome(), [_form(content) for content in contents]
    spent, started = server.spent, time.monotonic()
    end = started + seconds
    threads = [
        threading.Thread(target=_client, args=(server.port, bodies, number, end, outcome)) for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.lasted = time.monotonic() - started
    outcome.busy = (server.spent - spent) / outcome.lasted
    return outcome


def _form(content: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="scalp.jpg"\r\n\r\n'
    return head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _client(port: int, bodies: Sequence[bytes], number: int, end: float, outcome: Outcome) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    while time.monotonic() < end:
        started = time.monotonic()
        try:
            failure = _question(connection, bodies[number % len(bodies)])
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            failure = type(error).__name__
        # Appending is atomic. A refused client asks again after a moment.
        if failure:
            outcome.failures.append(failure)
            time.sleep(0.05)
        else:
            outcome.seconds.append(time.monotonic() - started)
        number += 1
    connection.close()


def _question(connection: http.client.HTTPConnection, body: bytes) -> str:
    """Ask once; return why there was no answer, or an empty text."""
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    connection.request("POST", "/predict_all", body, headers)  # connects again where the server closed
    response = connection.getresponse()
    content = response.read()
    if response.status != http.client.OK:
        return str(response.status)
    return "" if content.startswith(b"{") else "no answer"


# --- One picture at a time, or several ------------------------------------------------------------------------------


def batching(run: Run, seconds: float) -> dict[str, float]:
    """Measure pictures a second of the network alone with all cores: one by one, and in batches."""
    preprocessing = run.preprocessing
    shape = (preprocessing.height, preprocessing.width, 3)
    pictures = np.random.default_rng(0).integers(0, 255, (_BATCH, *shape), dtype=np.uint8)
    ways = {
        "one by one, a session a core": (pictures[:1], cores(), 1),
        f"batches of {_BATCH}, a session a core": (pictures, cores(), 1),
        f"batches of {_BATCH}, one session on all cores": (pictures, 1, cores()),
    }
    return {name: _passes(run, *way, seconds) for name, way in ways.items()}


def _passes(run: Run, pictures: images.Pixels, streams: int, threads: int, seconds: float) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(run.export_path, options, providers=["CPUExecutionProvider"])
    done = [0] * streams

    def stream(number: int) -> None:
        while time.monotonic() < end:
            session.run(OUTPUTS, {"pixels": pictures})
            done[number] += len(pictures)

    session.run(OUTPUTS, {"pixels": pictures})
    started = time.monotonic()
    end = started + seconds
    working = [threading.Thread(target=stream, args=(number,)) for number in range(streams)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    return sum(done) / (time.monotonic() - started)


# --- The command ----------------------------------------------------------------------------------------------------


def rest_command(options: argparse.Namespace) -> None:
    """Run `rest`: throughput and tail by number of clients, then ours under load for longer."""
    _flask()
    started, about = time.monotonic(), machine()
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        folder = Path(temporary)
        contents = [path.read_bytes() for path in write_pictures(folder / "pictures", _PICTURES)]
        run = write_run(folder / "artifacts", options.architecture, options.image_size, contents)
        figures: dict[str, Any] = {
            "benchmark": "rest",
            "synthetic": True,
            "machine": about | {"cores": cores()},
            "architecture": options.architecture,
            "size": options.image_size,
            "batching": batching(run, options.turn / 2),
        }
        figures |= _side_by_side(run, contents, folder, options)
        figures["load"] = _under_load(run, contents, folder, options)
    figures["minutes"] = (time.monotonic() - started) / 60
    print(rest_report(figures))
    if options.json:
        write_json(options.json, figures)


def _side_by_side(run: Run, contents: Sequence[bytes], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    figures_of: dict[str, list[dict[str, Any]]] = {way: [] for way in (_OLD, _OURS, _SEVERAL)}
    with ExitStack() as stack:
        servers = {way: stack.enter_context(serving(way, run, folder / f"{way}.txt")) for way in figures_of}
        for server in servers.values():
            ask(server, contents, max(2, cores()), options.turn / 4)  # every worker has loaded and graded
        for clients in options.clients:
            rounds_of: dict[str, list[Outcome]] = {way: [] for way in figures_of}
            for number in range(options.rounds):
                print(f"{clients} clients, round {number + 1} …", file=sys.stderr)
                for way, server in servers.items():
                    rounds_of[way].append(ask(server, contents, clients, options.turn))
            for way, several in rounds_of.items():
                figures_of[way].append({"clients": clients} | together(several).figures())
        return {
            "found": figures_of,
            "ready": {way: server.ready for way, server in servers.items()},
            "resident": {way: server.resident for way, server in servers.items()},
        }


def together(rounds: Sequence[Outcome]) -> Outcome:
    """Merge several rounds into one."""
    lasted = sum(outcome.lasted for outcome in rounds)
    return Outcome(
        [seconds for outcome in rounds for seconds in outcome.seconds],
        [failure for outcome in rounds for failure in outcome.failures],
        lasted,
        sum(outcome.busy * outcome.lasted for outcome in rounds) / lasted,
    )


def _under_load(run: Run, contents: Sequence[bytes], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure ours alone, with the most clients, for the option's seconds."""
    clients = max(options.clients)
    print(f"{clients} clients for {options.seconds:.0f} seconds …", file=sys.stderr)
    with serving(_OURS, run, folder / "load.txt") as server:
        resident = {"ready": server.resident}
        ask(server, contents, clients, options.turn)
        resident["before"] = server.resident
        outcome = ask(server, contents, clients, options.seconds)
        resident["after"] = server.resident
    return {"clients": clients, "seconds": options.seconds, "resident": resident} | outcome.figures()


_HEADINGS = (
    *("clients", "server", "requests a second", "× old way", "failures"),
    *("p50 ms", "p99 ms", "cores busy", "processor ms"),
)


def rest_report(figures: Mapping[str, Any]) -> str:
    """Format the figures as Markdown."""
    about, load, cells_of = figures["machine"], figures["load"], figures["found"]
    rows = [[*_HEADINGS]]
    for place, old in enumerate(cells_of[_OLD]):
        rows += [_row(way, cells[place], old) for way, cells in cells_of.items()]
    ready = ", ".join(f"{way} {seconds:.1f} s" for way, seconds in figures["ready"].items())
    resident = ", ".join(f"{way} {size:.0f}" for way, size in figures["resident"].items())
    batches = ", ".join(f"{name} {rate:.0f}" for name, rate in figures["batching"].items())
    memory = load["resident"]
    return "\n".join(
        [
            f"SYNTHETIC pictures, random weights: {figures['architecture']}, {figures['size']} pixels; "
            f"{about['cores']} cores that server and clients share, load {about['load']} before, "
            f"Python {about['python']}; "
            f"{figures['minutes']:.1f} minutes.",
            "",
            markdown_table(rows),
            "",
            "“Processor”: what the server spends on an answer; it says most where others use the machine as well.",
            f"From the start of python to the first answer, one after another: {ready}.",
            f"Resident after this, MiB: {resident}.",
            "",
            f"Ours alone, {load['clients']} clients for {load['seconds']:.0f} s: {load['answers']} answers, "
            f"{load['failures']} failures, {load['rate']:.1f} a second, p50 {load['p50']:.0f} ms, p99 "
            f"{load['p99']:.0f} ms; resident {memory['ready']:.0f} MiB when ready, {memory['before']:.0f} after a "
            f"first load, {memory['after']:.0f} after this: growth {memory['after'] - memory['before']:.1f} MiB.",
            "",
            f"The network alone, pictures a second: {batches}.",
        ]
    )


def _row(way: str, cell: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    ratio = cell["rate"] / old["rate"] if old["rate"] else float("nan")
    failures = f"{cell['failures']} ({', '.join(cell['kinds'])})" if cell["failures"] else "0"
    figures = [f"{cell['rate']:.1f}", f"{ratio:.1f}", failures, f"{cell['p50']:.0f}", f"{cell['p99']:.0f}"]
    processor = 1000 * cell["busy"] / cell["rate"] if cell["rate"] else float("nan")
    return [str(cell["clients"]), way, *figures, f"{cell['busy']:.1f}", f"{processor:.0f}"]
