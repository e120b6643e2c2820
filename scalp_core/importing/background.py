"""Imports that a page asks for: each a process that outlives the tab and the server, told about in files.

`data/<name>/import.json` exists = it was asked for and has not ended; `error.json` beside it = it failed; whether
somebody works on it says the lock of the dataset. Knows no Streamlit.
"""

import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scalp_core.data.dataset import check_name, is_claimed
from scalp_core.errors import ScalpError, Text
from scalp_core.files import read_json, write_json
from scalp_core.importing.importer import ImportRequest, check_free, import_tree
from scalp_core.paths import ROOT, data_folder
from scalp_core.processes import command, environment

_ASKED, _PROGRESS, _ERROR, _LOG = "import.json", "progress.json", "error.json", "log.txt"
_MOST_STARTS = 3
_START_SECONDS = 20.0  # until a process that was started holds the lock
_TELL_SECONDS = 0.5
STAGES = {
    "reading": Text("reading names and labels", "이름과 라벨 읽는 중"),
    "inspecting": Text("looking at the pictures", "사진 확인 중"),
    "writing": Text("writing the index", "색인 쓰는 중"),
}


@dataclass(frozen=True)
class ImportTask:
    """One import that has not ended well yet.

    Attributes:
        working: somebody is at it; otherwise it waits for `ensure`, unless there is an `error`.
        seconds_left: of this stage, None as long as nothing can be said.
    """

    name: str
    order: ImportRequest
    working: bool
    stage: str
    done: int
    total: int
    seconds_left: float | None
    error: Text | None


def allowed_folder() -> Path:
    """Pages import from below here only: `SCALP_IMPORT_FROM`, or anywhere. Commands may read what their user may."""
    return Path(os.environ.get("SCALP_IMPORT_FROM") or "/")


def start(order: ImportRequest, name: str) -> None:
    """Begin an import beside the server.

    Raises:
        ScalpError: as import_tree, as far as can be told at once; or a folder outside `allowed_folder`.
    """
    for asked in filter(None, (order.source, order.table)):
        # Not Path.resolve, which raises for names that are too long.
        if not Path(os.path.realpath(asked)).is_relative_to(allowed_folder().resolve()):
            raise ScalpError(
                "not_allowed",
                f"Only folders below {allowed_folder()} may be imported from this page. Whoever runs the server sets "
                "SCALP_IMPORT_FROM.",
                f"이 화면에서는 {allowed_folder()} 아래의 폴더만 가져올 수 있어요. 서버 관리자가 "
                "SCALP_IMPORT_FROM으로 정해요.",
            )
    check_free(order, name)
    if is_claimed(name) or (data_folder() / name / _ASKED).is_file():
        raise ScalpError(
            "already_making",
            f"“{name}” is being imported already.",
            f"“{name}”은(는) 이미 가져오는 중이에요.",
        )
    folder = data_folder() / name
    (folder / _ERROR).unlink(missing_ok=True)
    _launch(folder, order, 1)


def imports() -> list[ImportTask]:
    """All that were asked for and have not ended well, by name."""
    found = (_import(path.parent) for path in sorted(data_folder().glob(f"*/{_ASKED}")))
    return [one for one in found if one]


def ensure() -> None:
    """Go on with what was interrupted. Cheap enough for every look at the page."""
    for path in data_folder().glob(f"*/{_ASKED}"):
        asked = _read(path)
        if not asked:  # it has just ended
            continue
        quiet = not is_claimed(path.parent.name) and not (path.parent / _ERROR).is_file()
        if not quiet or time.time() - asked["started"] < _START_SECONDS:
            continue
        if asked["starts"] < _MOST_STARTS:
            _launch(path.parent, ImportRequest(**asked["order"]), asked["starts"] + 1)
        else:
            _tell_error(
                path.parent,
                Text(
                    f"The import was ended from outside {_MOST_STARTS} times, perhaps for lack of memory; see {_LOG} "
                    "in its folder.",
                    f"가져오기가 외부에서 {_MOST_STARTS}번 종료되었어요 (메모리 부족일 수 있음). 폴더의 {_LOG}를 "
                    "보세요.",
                ),
            )


def dismiss(name: str) -> None:
    """Stop an import, or put away one that failed. What it has read stays and serves the next one."""
    check_name(name)
    for file in (_ASKED, _ERROR, _PROGRESS):
        (data_folder() / name / file).unlink(missing_ok=True)


def _launch(folder: Path, order: ImportRequest, starts: int) -> None:
    write_json(folder / _ASKED, {"order": asdict(order), "starts": starts, "started": time.time()})
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


def _import(folder: Path) -> ImportTask | None:
    asked, progress, error = (_read(folder / name) for name in (_ASKED, _PROGRESS, _ERROR))
    if not asked:  # it has just ended
        return None
    done, total = int(progress.get("done", 0)), int(progress.get("total", 0))
    passed = float(progress.get("seconds", 0.0))
    return ImportTask(
        folder.name,
        ImportRequest(**asked["order"]),
        is_claimed(folder.name),
        str(progress.get("stage", "")),
        done,
        total,
        passed / done * (total - done) if done and passed > 1 else None,
        Text(error["en"], error["ko"]) if error else None,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path))
    except FileNotFoundError:
        return {}


def _tell_error(folder: Path, text: Text) -> None:
    write_json(folder / _ERROR, text._asdict())


class _Teller:
    """Writes progress now and then, and ends the import when nobody wants it any longer."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stage = folder, ""
        self.began = self.told = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.began, self.told = stage, now, 0.0
        if now - self.told < _TELL_SECONDS and done < total:
            return
        if not (self.folder / _ASKED).is_file():
            raise ScalpError("stopped", "The import was stopped.", "가져오기를 중지했어요.")
        self.told = now
        progress = {"stage": stage, "done": done, "total": total, "seconds": now - self.began}
        write_json(self.folder / _PROGRESS, progress)


def main(name: str) -> None:
    """Import what `import.json` of the data set `name` asks for: the process that `start` starts."""
    folder = data_folder() / name
    asked = _read(folder / _ASKED)
    if not asked:  # put away before it began
        _tidy(folder)
        return
    os.nice(5)  # pages and answers come first
    try:
        import_tree(ImportRequest(**asked["order"]), folder.name, progress=_Teller(folder))
    except ScalpError as error:
        if error.code == "stopped":
            _tidy(folder)
        elif error.code != "already_making":
            _tell_error(folder, error.text)
        return
    dismiss(folder.name)


def _tidy(folder: Path) -> None:
    """Leave of an unwanted import only what the next one need not read again, if it has read anything."""
    for file in (_LOG, _PROGRESS):
        (folder / file).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
