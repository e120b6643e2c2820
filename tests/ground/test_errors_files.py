"""Errors that travel between processes, and files that are old or new but never half."""

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from scalp_core.errors import ScalpError
from scalp_core.files import read_json, sha256, sweep, write_atomic, write_json, write_text

WRITER = """
import sys
from pathlib import Path
from scalp_core.files import write_atomic
path = Path(sys.argv[1])

def write(temporary):
    with temporary.open("wb") as file:
        for number in range(400):
            file.write(bytes([version % 256]) * 5_000)
            file.flush()

version = 1
while True:
    write_atomic(path, write)
    print(version, flush=True)
    version += 1
"""


def test_an_error_keeps_both_languages_across_processes() -> None:
    error = pickle.loads(pickle.dumps(ScalpError("code", "what to do", "할 일")))  # noqa: S301  what a pool does
    assert (error.code, str(error), error.text("en"), error.text("ko")) == ("code", "what to do", "what to do", "할 일")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    write_json(path, {"탈모": [1, None, 0.5]})
    assert read_json(path) == {"탈모": [1, None, 0.5]}
    assert "탈모" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [child.name for child in path.parent.iterdir()] == ["file.json"]


def test_failing_writer_leaves_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half of the n")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_atomic(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_leaves_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as good as full: a write ends half-way with OSError
    try:
        with pytest.raises(OSError, match="large"):
            write_text(path, "new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_killed_writers_never_leave_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    leftovers = 0
    for kill in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, env=os.environ
        )
        assert writer.stdout is not None
        writer.stdout.readline()  # one file is whole, the next one is begun
        time.sleep(0.0007 * kill)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        content = path.read_bytes()
        assert len(content) == 2_000_000
        assert len(set(content)) == 1  # of one version
        leftovers += len(list(tmp_path.glob(".tmp-*")))
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [path]
    assert leftovers > 0, "no kill came in the middle of writing: the test shows nothing"


def test_sha256_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")
