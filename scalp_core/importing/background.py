"""Imports started from a page: each is a process that outlives the tab and the server, with its state in files.

`data/<name>/import.json` exists while an import is requested and has not ended; `error.json` beside it: it failed. The
lock of the dataset is held while a process works on it.
"""

import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scalp_core.data.dataset import check_name, is_claimed
from scalp_core.errors import ScalpError, Text, forbidden
from scalp_core.files import UNREADABLE
from scalp_core.importing.importer import ImportRequest, check_request, import_tree
from scalp_core.paths import ROOT, data_folder
from scalp_core.processes import command, environment
from scalp_core.seals import read_sealed_json, write_sealed_json

_REQUEST, _PROGRESS, _ERROR, _LOG = "import.json", "progress.json", "error.json", "log.txt"
_MAX_STARTS = 3
_START_SECONDS = 20.0  # until a process that was started holds the lock
_PROGRESS_SECONDS = 0.5  # between two writings
STAGES = {
    "reading": Text("reading names and labels", "이름과 라벨 읽는 중"),
    "inspecting": Text("looking at the pictures", "사진 확인 중"),
    "writing": Text("writing the index", "색인 쓰는 중"),
}


@dataclass(frozen=True)
class ImportTask:
    """One import that has not succeeded yet.

    Attributes:
        working: a process is at work; otherwise it waits for `resume_imports`, unless there is an `error`.
        seconds_left: of this stage, None until it can be estimated.
    """

    name: str
    request: ImportRequest
    working: bool
    stage: str
    done: int
    total: int
    seconds_left: float | None
    error: Text | None


def allowed_folder() -> Path | None:
    """Return the folder below which pages may import, `SCALP_IMPORT_FROM`; None: pages import nothing.

    An import shows names and faults of what it reads, so that every visitor could read any table of the server.
    """
    folder = os.environ.get("SCALP_IMPORT_FROM")
    return Path(folder) if folder else None


def start_import(request: ImportRequest, name: str) -> None:
    """Start an import in a process of its own.

    Raises:
        ScalpError: as check_request; or a folder outside `allowed_folder`.
    """
    for path in filter(None, (request.source, request.table)):
        check_allowed(path)
    check_request(request, name)
    if is_claimed(name) or (data_folder() / name / _REQUEST).is_file():
        raise ScalpError(
            "already_making",
            f"“{name}” is already being imported.",
            f"“{name}”은(는) 이미 가져오는 중이에요.",
        )
    folder = data_folder() / name
    (folder / _ERROR).unlink(missing_ok=True)
    _launch(folder, request, 1)


def check_allowed(path: str) -> None:
    """Raise ScalpError for a path that pages may not read: one outside `allowed_folder`."""
    allowed = allowed_folder()
    # Not Path.resolve, which raises for names that are too long.
    if allowed is None or not Path(os.path.realpath(path)).is_relative_to(allowed.resolve()):
        raise _not_allowed(allowed)


def _not_allowed(allowed: Path | None) -> ScalpError:
    if allowed is None:
        return ScalpError(
            "not_allowed",
            "Pages of this server import nothing: SCALP_IMPORT_FROM is not set. Import on its command line.",
            "이 서버의 화면에서는 가져올 수 없어요. SCALP_IMPORT_FROM이 없어요. 서버의 명령줄에서 가져오세요.",
        )
    return ScalpError(
        "not_allowed",
        f"Only folders below {allowed} may be imported from this page. The administrator sets SCALP_IMPORT_FROM.",
        f"이 화면에서는 {allowed} 아래의 폴더만 가져올 수 있어요. 서버 관리자가 SCALP_IMPORT_FROM으로 정해요.",
    )


def list_imports() -> list[ImportTask]:
    """Return all imports that were requested and have not succeeded, by name."""
    tasks = (_task(path.parent) for path in sorted(data_folder().glob(f"*/{_REQUEST}")))
    return [task for task in tasks if task]


def resume_imports() -> None:
    """Restart interrupted imports; cheap enough for every rerun of a page."""
    for path in data_folder().glob(f"*/{_REQUEST}"):
        state = _read_request(path)
        if not state or isinstance(state, Text):  # it has just ended, or is damaged and waits for a person
            continue
        quiet = not is_claimed(path.parent.name) and not (path.parent / _ERROR).exists()
        # A clock that was set back says that it starts in the future: then it has started long ago.
        if not quiet or 0 <= time.time() - state["started"] < _START_SECONDS:
            continue
        if state["starts"] < _MAX_STARTS:
            _launch(path.parent, ImportRequest(**state["request"]), state["starts"] + 1)
        else:
            _write_error(
                path.parent,
                Text(
                    f"The import was ended from outside {_MAX_STARTS} times, perhaps for lack of memory; see {_LOG} "
                    "in its folder.",
                    f"가져오기가 외부에서 {_MAX_STARTS}번 종료되었어요 (메모리 부족일 수 있음). 폴더의 {_LOG}를 "
                    "보세요.",
                ),
            )


def dismiss_import(name: str) -> None:
    """Stop an import, or put away a failed one. Its database stays and serves the next one."""
    check_name(name)
    for file in (_REQUEST, _ERROR, _PROGRESS):
        path = data_folder() / name / file
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ScalpError(
                "cannot_write",
                f"{path} cannot be removed: {error.strerror}. Remove it by hand.",
                f"{path}을(를) 지울 수 없어요: {error.strerror}. 직접 지우세요.",
            ) from error


def _launch(folder: Path, request: ImportRequest, starts: int) -> None:
    write_sealed_json(folder / _REQUEST, {"request": asdict(request), "starts": starts, "started": time.time()})
    with (folder / _LOG).open("wb") as log:
        subprocess.Popen(
            command("import", folder.name),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=ROOT,
            env=environment(),
        )


def _task(folder: Path) -> ImportTask | None:
    state, progress, error = _read_request(folder / _REQUEST), _read(folder / _PROGRESS), _read(folder / _ERROR)
    if not state:  # it has just ended
        return None
    if isinstance(state, Text):
        return ImportTask(folder.name, ImportRequest("aihub", ""), False, "", 0, 0, None, state)
    done, total = int(progress.get("done", 0)), int(progress.get("total", 0))
    elapsed = float(progress.get("seconds", 0.0))
    return ImportTask(
        folder.name,
        ImportRequest(**state["request"]),
        is_claimed(folder.name),
        str(progress.get("stage", "")),
        done,
        total,
        elapsed / done * (total - done) if done and elapsed > 1 else None,
        _error_text(error) if (folder / _ERROR).exists() else None,
    )


def _error_text(error: dict[str, Any]) -> Text:
    unknown = Text(f"The import failed; see {_LOG} in its folder.", f"가져오기에 실패했어요. 폴더의 {_LOG}를 보세요.")
    return Text(str(error.get("en", unknown.en)), str(error.get("ko", unknown.ko)))


def _read_request(path: Path) -> dict[str, Any] | Text:
    """Return the state of an import; why it cannot be read; or nothing where it has just ended."""
    try:
        state = read_sealed_json(path)
        ImportRequest(**state["request"]), int(state["starts"]), float(state["started"])
    except FileNotFoundError:
        return {}
    except PermissionError:
        return forbidden("cannot_read", _REQUEST, _REQUEST).text
    except UNREADABLE:
        return Text(
            f"{_REQUEST} is damaged. Put this import away and start it again: it resumes.",
            f"{_REQUEST} 파일이 손상되었어요. 이 가져오기를 닫고 다시 시작하면 이어서 진행돼요.",
        )
    return state


def _read(path: Path) -> dict[str, Any]:
    """Return progress or error of an import; nothing where there is none or it is damaged."""
    try:
        return read_sealed_json(path)
    except UNREADABLE:
        return {}


def _write_error(folder: Path, text: Text) -> None:
    write_sealed_json(folder / _ERROR, text._asdict())


class _ProgressWriter:
    """Writes the progress of an import now and then, and stops an import that was dismissed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stage = folder, ""
        self.started = self.written = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.started, self.written = stage, now, 0.0
        if now - self.written < _PROGRESS_SECONDS and done < total:
            return
        if not (self.folder / _REQUEST).is_file():
            raise ScalpError("stopped", "The import was stopped.", "가져오기를 중지했어요.")
        self.written = now
        progress = {"stage": stage, "done": done, "total": total, "seconds": now - self.started}
        write_sealed_json(self.folder / _PROGRESS, progress)


def main(name: str) -> None:
    """Do the import that `import.json` of the dataset `name` requests: the process that `start_import` starts."""
    folder = data_folder() / name
    state = _read_request(folder / _REQUEST)
    if not state or isinstance(state, Text):  # dismissed before it began
        _clean_up(folder)
        return
    os.nice(5)  # pages and predictions come first
    try:
        import_tree(ImportRequest(**state["request"]), folder.name, progress=_ProgressWriter(folder))
    except ScalpError as error:
        if error.code == "stopped":
            _clean_up(folder)
        elif error.code != "already_making":
            _write_error(folder, error.text)
        return
    dismiss_import(folder.name)


def _clean_up(folder: Path) -> None:
    """Remove the files of a dismissed import, but for the database that the next one reads."""
    for file in (_LOG, _PROGRESS):
        (folder / file).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
