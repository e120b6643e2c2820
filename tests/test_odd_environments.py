"""Odd environments, with real processes: closed streams, a user without a home, few open files, a reader that left."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest
from conftest import ROOT, TINY, Folders, processes, until
from support.privileges import become
from test_serve import serving

from scalp_core.data.dataset import Dataset
from scalp_core.files import is_locked
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import State

USER = 54321  # has no entry and no home
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
RECIPE = Recipe(**TINY, epochs=1, conditions=Recipe.conditions[:1])


def close_streams() -> None:
    for stream in range(3):
        os.close(stream)


def become_a_stranger() -> None:
    """Take away the streams, and all but the fewest files that are promised to do, as well."""
    close_streams()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    become(USER)


def without_home() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME")}


def run(*command: str, **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, check=False, text=True, timeout=300, **({"env": os.environ} | options)
    )


@pytest.fixture
def own_tiny(tiny_data: Dataset, folders: Folders) -> Folders:
    """The dataset in a folder of this test's own."""
    shutil.copytree(tiny_data.folder, folders.data / "tiny")
    return folders


@pytest.mark.parametrize("closed", [(0, 1, 2), (1,), (0, 2)])
def test_closed_streams_lead_nowhere(closed: tuple[int, ...], tmp_path: Path) -> None:
    """The next file must not get the number of a stream, or others would print into it."""
    script = "import os, sys, training; file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR); assert file > 2, file\n"
    script += "print('out'); print('err', file=sys.stderr); sys.stdin.read(); os.write(1, b'1'); os.write(2, b'2')"
    done = run(
        *("-c", script, str(tmp_path / "file")),
        preexec_fn=lambda: [os.close(number) for number in closed],
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0
    assert (tmp_path / "file").read_bytes() == b""


def test_rest_alone_starts_without_streams(folders: Folders) -> None:
    with serving(folders.data.parent / "log.txt", "-m", "scalp_core.rest", prepare=close_streams) as (server, _):
        for stream in range(3):
            assert str(Path(f"/proc/{server.pid}/fd/{stream}").readlink()) == os.devnull


@NEEDS_ROOT
def test_a_stranger_serves_and_trains(own_tiny: Folders) -> None:
    foreign, own = create_run(RECIPE, "foreign"), create_run(RECIPE, "own")
    for path in (own_tiny.artifacts, *own_tiny.artifacts.glob(".*"), own.folder, *own.folder.iterdir()):
        os.chown(path, USER, USER)
    for path in (own_tiny.data / "tiny", *(own_tiny.data / "tiny").rglob("*")):
        os.chown(path, USER, USER)
    log = own_tiny.data.parent / "log.txt"
    with serving(log, prepare=become_a_stranger, environment=without_home()) as (server, address):
        assert httpx.get(f"{address}/compare", timeout=120).status_code == 200
        assert Path(f"/proc/{server.pid}").stat().st_uid == USER
        until(lambda: not own.state.active, 300)
    assert own.state is State.FINISHED, (own.error, (own_tiny.artifacts / "runner.log").read_text())
    assert foreign.state is State.QUEUED, "its folder is closed to the stranger, and holds up no other"
    until(lambda: not processes("scalp_core", "worker") or not is_locked(own_tiny.artifacts / ".runner.lock"))


@NEEDS_ROOT
def test_a_stranger_s_home_is_the_root() -> None:
    script = "import scalp_core, pathlib; print(pathlib.Path.home())"
    done = run("-c", script, env=without_home(), preexec_fn=lambda: become(USER), stdout=subprocess.PIPE)
    assert done.stdout == "/\n"


def test_the_runtime_reports_to_no_maker(tmp_path: Path) -> None:
    done = run("-c", "import scalp_core, onnxruntime", env={**os.environ, "HOME": str(tmp_path), "CI": ""})
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
