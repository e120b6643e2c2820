"""An import that a page asks for goes on without the page, is told about, goes on when killed, and can be stopped."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from conftest import Folders, processes, until
from support.aihub_tree import build_tree, jpeg, write_zip

from scalp_core.data import background_jobs
from scalp_core.data.background_jobs import JobState
from scalp_core.data.dataset import is_claimed, list_datasets, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.importing import background
from scalp_core.importing.background import (
    ImportTask,
    allowed_folder,
    dismiss_import,
    list_imports,
    resume_imports,
    start_import,
)
from scalp_core.importing.importer import ImportRequest, import_tree
from scalp_core.seals import read_sealed_json, write_sealed_json

MANY = 400  # pictures of the real size, which take a second or two to look at


@pytest.fixture
def small(tmp_path: Path) -> ImportRequest:
    build_tree(tmp_path / "small", styles=("stored",), damaged=False, sites=3)
    return ImportRequest("aihub", str(tmp_path / "small"))


@pytest.fixture(scope="module")
def many_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "탈모_3.zip"
    write_zip(path, [(f"{number}.jpg", jpeg(number, (640, 480))) for number in range(MANY)])
    return path


@pytest.fixture
def long(many_pictures: Path, tmp_path: Path) -> ImportRequest:
    """A tree that takes long enough to be interrupted."""
    (tmp_path / "long").mkdir()
    shutil.copy(many_pictures, tmp_path / "long")
    return ImportRequest("aihub", str(tmp_path / "long"))


def workers(name: str) -> list[int]:
    return processes("scalp_core", "import", name)


def only() -> ImportTask:
    (task,) = list_imports()
    return task


def state() -> JobState:
    return only().state


def wait_for_pictures() -> None:
    """Until the one import has begun to look at pictures."""
    until(lambda: state().stage == "inspecting" and state().done > 0)


def test_import_reports_progress_and_ends(folders: Folders, long: ImportRequest) -> None:
    start_import(long, "mine")
    assert (only().name, only().request, state().error) == ("mine", long, None)
    wait_for_pictures()
    seen = state()
    assert seen.working
    assert 0 < seen.done <= seen.total == MANY
    assert seen.seconds_left is None or seen.seconds_left >= 0
    assert list_datasets() == []
    until(lambda: not list_imports())
    assert open_dataset("mine").images == MANY
    assert background.STAGES.keys() >= {"reading", "inspecting", "writing"}
    until(lambda: not workers("mine"))
    assert {path.name for path in folders.data.joinpath("mine").iterdir()} == {
        "cache",
        "dataset.json",
        "import_faults.csv",
        "import_report.json",
        "index.parquet",
        "log.txt",
    }


def test_second_import_of_a_name_is_refused(folders: Folders, long: ImportRequest, small: ImportRequest) -> None:
    start_import(long, "mine")
    for request in (long, small):
        with pytest.raises(ScalpError) as caught:
            start_import(request, "mine")
        assert caught.value.code == "already_making"
    wait_for_pictures()
    dismiss_import("mine")
    until(lambda: not workers("mine"))


def test_dismissed_import_leaves_nothing(folders: Folders, long: ImportRequest) -> None:
    start_import(long, "mine")
    dismiss_import("mine")
    until(lambda: workers("mine"))
    until(lambda: not workers("mine"))
    assert [path.name for path in folders.data.glob("[!.]*")] == []


def kill(name: str) -> None:
    for process in workers(name):
        os.kill(process, signal.SIGKILL)
    until(lambda: not is_claimed(name) and not workers(name))


def test_a_killed_one_goes_on_when_somebody_looks(
    folders: Folders, long: ImportRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_import(long, "mine")
    wait_for_pictures()
    resume_imports()
    assert len(workers("mine")) == 1
    kill("mine")
    assert not state().working
    assert state().error is None

    monkeypatch.setattr(background_jobs, "_START_SECONDS", 1e6)
    resume_imports()  # a process that was just started gets the time to begin
    assert workers("mine") == []
    monkeypatch.setattr(time, "time", lambda now=time.time: now() - 400 * 24 * 3600)  # the clock is set back
    resume_imports()
    until(lambda: not list_imports())
    assert open_dataset("mine").images == MANY


def test_repeatedly_killed_import_counts_as_failed(
    folders: Folders, long: ImportRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_file = folders.data / "mine" / "import.json"
    start_import(long, "mine")
    wait_for_pictures()
    kill("mine")
    write_sealed_json(request_file, read_sealed_json(request_file) | {"starts": 3})
    monkeypatch.setattr(background_jobs, "_START_SECONDS", 0.0)
    resume_imports()
    error = state().error
    assert error
    assert "3 times" in error.en
    assert "3번" in error.ko
    assert workers("mine") == []


def test_failed_import_explains_until_dismissed(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "tree" / "탈모_3").mkdir(parents=True)
    (tmp_path / "tree" / "탈모_3" / "1.jpg").write_bytes(b"no picture")
    request = ImportRequest("aihub", str(tmp_path / "tree"))
    start_import(request, "mine")
    until(lambda: state().error is not None)
    failed = state()
    assert failed.error
    assert "None of the pictures" in failed.error.en
    until(lambda: not workers("mine"))
    resume_imports()
    assert workers("mine") == []
    dismiss_import("mine")
    assert list_imports() == []

    (tmp_path / "tree" / "탈모_3" / "1.jpg").write_bytes(jpeg(1))
    start_import(request, "mine")
    until(lambda: not list_imports())
    assert open_dataset("mine").images == 1


def test_stopped_import_is_continued_by_the_next(folders: Folders, long: ImportRequest) -> None:
    start_import(long, "mine")
    wait_for_pictures()
    dismiss_import("mine")
    assert list_imports() == []
    until(lambda: not workers("mine") and not is_claimed("mine"))
    assert [path.name for path in (folders.data / "mine").iterdir()] == ["cache"]
    assert list_datasets() == []
    left: list[int] = []
    import_tree(long, "mine", processes=1, progress=lambda _stage, _done, total: left.append(total))
    assert 0 < left[0] < open_dataset("mine").images


def test_stopping_a_renewal_leaves_the_data_set(folders: Folders, small: ImportRequest, long: ImportRequest) -> None:
    start_import(small, "mine")
    until(lambda: not list_imports())
    before = open_dataset("mine")
    index = before.index
    Path(long.source, "탈모_3.zip").rename(Path(small.source, "탈모_3.zip"))
    start_import(small, "mine")
    wait_for_pictures()
    dismiss_import("mine")
    until(lambda: not workers("mine") and not is_claimed("mine"))
    assert open_dataset("mine") == before
    assert open_dataset("mine").index.equals(index)


def test_only_folders_that_the_server_allows(
    folders: Folders, small: ImportRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    monkeypatch.delenv("SCALP_IMPORT_FROM")
    assert allowed_folder() is None
    with pytest.raises(ScalpError, match="SCALP_IMPORT_FROM is not set"):
        start_import(small, "mine")
    monkeypatch.setenv("SCALP_IMPORT_FROM", str(allowed))
    outside = [small.source, f"{allowed}/../small", str(tmp_path)]
    (allowed / "link").symlink_to(small.source)
    for source in (*outside, str(allowed / "link")):
        with pytest.raises(ScalpError, match="SCALP_IMPORT_FROM") as caught:
            start_import(ImportRequest("aihub", source), "mine")
        assert caught.value.code == "not_allowed"
    table = tmp_path / "labels.csv"
    table.write_text("image,value_1\n1.jpg,1\n", encoding="utf-8")
    with pytest.raises(ScalpError, match="SCALP_IMPORT_FROM"):
        start_import(ImportRequest("csv", str(allowed), str(table)), "mine")
    assert list_imports() == []

    Path(small.source).rename(allowed / "small")
    start_import(ImportRequest("aihub", str(allowed / "small")), "mine")
    until(lambda: not list_imports())
    assert open_dataset("mine").images == 15


@pytest.mark.parametrize(
    ("name", "source", "code"),
    [("taken", "small", "name_taken"), ("Bad Name", "small", "bad_name"), ("mine", "nowhere", "no_source")],
)
def test_what_cannot_begin_is_refused_at_once(
    folders: Folders, small: ImportRequest, tmp_path: Path, name: str, source: str, code: str
) -> None:
    (folders.data / "taken").mkdir()
    (folders.data / "taken" / "somebody's.txt").write_text("hands off")
    with pytest.raises(ScalpError) as caught:
        start_import(ImportRequest("aihub", str(tmp_path / source)), name)
    assert caught.value.code == code
    assert list_imports() == []
    assert (folders.data / "taken" / "somebody's.txt").read_text() == "hands off"
