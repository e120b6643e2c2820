"""The demonstration is drawn beside a server: once, on after a kill, and with a sentence where it cannot be."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Folders, until
from support.core_processes import drawers
from support.privileges import bound_by_modes

from scalp_core.data import background_jobs
from scalp_core.data.dataset import Dataset, is_claimed, list_datasets, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.synthetic import demonstration
from scalp_core.synthetic.demonstration import drawing, is_missing, renews, resume_drawing, start_drawing
from scalp_core.synthetic.generate import make_dataset

FEW, MANY = 16, 64  # pictures; the many take some seconds


@pytest.fixture
def images(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Few pictures, and no process that outlives the test."""
    monkeypatch.setenv("SCALP_DEMO_IMAGES", str(FEW))
    yield monkeypatch
    shutil.rmtree(folders.data, ignore_errors=True)
    until(lambda: not drawers(folders.data))


def job_folder(folders: Folders) -> Path:
    return folders.data / ".demo-drawing"


def kill(folders: Folders) -> None:
    for number in drawers(folders.data):
        os.kill(number, signal.SIGKILL)
    until(lambda: not is_claimed("demo") and not drawers(folders.data))


def wait_for_pictures() -> None:
    until(lambda: (state := drawing()) is not None and state.done > 0)


def test_drawing_reports_progress_goes_on_after_a_kill_and_ends(folders: Folders, images: pytest.MonkeyPatch) -> None:
    images.setenv("SCALP_DEMO_IMAGES", str(MANY))
    start_drawing()
    assert (state := drawing())
    assert (state.error, state.total, renews(state)) == (None, 0, False)
    start_drawing()
    assert 1 <= len(drawers(folders.data)) <= 2  # the second may have seen the lock of the first already
    wait_for_pictures()
    assert (state := drawing())
    assert state.working
    assert 0 < state.done <= state.total == MANY
    assert list_datasets() == []
    until(lambda: len(drawers(folders.data)) == 1)
    start_drawing()
    assert len(drawers(folders.data)) == 1

    kill(folders)
    pictures = {path: path.stat().st_mtime_ns for path in folders.data.glob("demo/images/*.jpg")}
    assert 0 < len(pictures) < MANY
    images.setattr(background_jobs, "_START_SECONDS", 1e6)
    resume_drawing()  # a process that was just started gets the time to begin
    assert drawers(folders.data) == []
    images.setattr(background_jobs, "_START_SECONDS", 0.0)
    resume_drawing()
    until(lambda: drawing() is None)
    dataset = open_dataset("demo")
    assert dataset.images == MANY
    assert pictures.items() <= {path: path.stat().st_mtime_ns for path in pictures}.items()
    assert dataset.made["evaluation"] == MANY * demonstration.EVALUATION // demonstration.IMAGES
    until(lambda: not job_folder(folders).exists())
    assert not is_missing()


def test_earlier_version_is_drawn_anew(folders: Folders, images: pytest.MonkeyPatch, tiny_data: Dataset) -> None:
    shutil.copytree(tiny_data.folder, folders.data / "demo")
    assert is_missing()
    start_drawing()
    assert (state := drawing())
    assert renews(state)
    until(lambda: drawing() is None)
    assert open_dataset("demo").images == FEW


def test_name_stays_with_what_servers_draw(folders: Folders, images: pytest.MonkeyPatch, tiny_data: Dataset) -> None:
    demonstration.check_changeable("tiny")
    with pytest.raises(ScalpError, match="SCALP_DEMO_IMAGES"):  # no other dataset gets the name
        demonstration.check_changeable("demo")
    shutil.copytree(tiny_data.folder, folders.data / "demo")
    with pytest.raises(ScalpError, match="SCALP_DEMO_IMAGES"):
        demonstration.check_changeable("demo")
    images.setenv("SCALP_DEMO_IMAGES", "0")
    demonstration.check_changeable("demo")
    images.setenv("SCALP_DEMO_IMAGES", str(FEW))
    write_dataset(folders.data / "demo", "import", {}, open_dataset("demo").index.reset_index(drop=True))
    demonstration.check_changeable("demo")  # pictures of one's own, which no server replaces


@pytest.mark.parametrize("reason", ["setting", "another's"])
def test_nothing_is_drawn(folders: Folders, images: pytest.MonkeyPatch, tiny_data: Dataset, reason: str) -> None:
    if reason == "setting":
        images.setenv("SCALP_DEMO_IMAGES", "0")
    else:
        shutil.copytree(tiny_data.folder, folders.data / "demo")
        rows = open_dataset("demo").index.reset_index(drop=True)
        write_dataset(folders.data / "demo", "import", {}, rows)
    start_drawing()
    resume_drawing()
    assert drawing() is None
    assert not job_folder(folders).exists()


def test_a_name_in_use_is_an_error(folders: Folders, images: pytest.MonkeyPatch) -> None:
    (folders.data / "demo").mkdir()
    (folders.data / "demo" / "notes.txt").write_text("hands off")
    start_drawing()
    until(lambda: (state := drawing()) and state.error)
    assert (state := drawing())
    assert state.error
    assert "Another dataset has the name “demo”" in state.error.en
    until(lambda: not drawers(folders.data))
    resume_drawing()
    assert drawers(folders.data) == [], "what failed waits for the next start of a server"
    shutil.rmtree(folders.data / "demo")
    start_drawing()
    until(lambda: drawing() is None)
    assert open_dataset("demo").images == FEW


def test_drawing_by_command_is_seen(folders: Folders, images: pytest.MonkeyPatch) -> None:
    def look(done: int, total: int) -> None:
        state = drawing()
        assert state
        assert state.working
        start_drawing()
        assert drawers(folders.data) == []

    settings = demonstration.settings()
    demonstration.draw(settings, processes=1, progress=look)
    assert drawing() is None
    assert make_dataset("demo", **settings) == open_dataset("demo")


@pytest.mark.parametrize("text", ["many", "-1", "２４"])
def test_bad_setting_is_a_sentence(images: pytest.MonkeyPatch, text: str) -> None:
    images.setenv("SCALP_DEMO_IMAGES", text)
    with pytest.raises(ScalpError, match="SCALP_DEMO_IMAGES"):
        start_drawing()


def test_closed_folder_is_a_sentence(folders: Folders, images: pytest.MonkeyPatch) -> None:
    folders.data.chmod(0o555)
    try:
        with bound_by_modes():
            for attempt in (start_drawing, resume_drawing):
                with pytest.raises(ScalpError, match=r"cannot be written: Permission denied.*SCALP_DATA"):
                    attempt()
            assert drawing() is None
    finally:
        folders.data.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_full_disk_is_a_sentence(folders: Folders, images: pytest.MonkeyPatch) -> None:
    images.setenv("SCALP_DEMO_IMAGES", str(MANY))
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folders.data)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this system mounts nothing")
    try:
        start_drawing()
        until(lambda: drawers(folders.data), 120)
        until(lambda: not drawers(folders.data), 120)
        images.setattr(background_jobs, "_START_SECONDS", 0.0)
        assert "No space left" in refusal()
        assert list_datasets() == []
    finally:
        kill(folders)
        command = ["umount", "--lazy", str(folders.data)]  # workers may be ending
        subprocess.run(command, check=True)


def refusal() -> str:
    """Why the drawing does not go on: kept by its process, or met by the next look."""
    try:
        resume_drawing()
    except ScalpError as error:
        return str(error)
    state = drawing()
    return state.error.en if state and state.error else ""
