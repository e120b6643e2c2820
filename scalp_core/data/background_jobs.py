"""Jobs that make a dataset: each is a process that outlives the tab and the server, with its state in files.

The request file of a job exists while it is requested and has not ended; `error.json` beside it: it failed. The lock of
the dataset is held while a process works on it.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalp_core.data.dataset import is_claimed
from scalp_core.errors import ScalpError, Text, forbidden
from scalp_core.files import UNREADABLE
from scalp_core.paths import data_folder
from scalp_core.processes import start
from scalp_core.seals import read_sealed_json, write_sealed_json

IMPORT = "import"  # the task whose files lie in the folder of the dataset itself
_PROGRESS, _ERROR, _LOG = "progress.json", "error.json", "log.txt"
_MAX_STARTS = 3
_START_SECONDS = 20.0  # until a process that was started holds the lock
_PROGRESS_SECONDS = 0.5  # between two writings
_ESTIMATE_SECONDS = 1.0  # of a stage, before its speed says when it ends


@dataclass(frozen=True)
class JobState:
    """Progress of a job that has not succeeded yet.

    Attributes:
        request: what `launch` was given; None where the request file cannot be read, which `error` then explains.
        working: a process is at work; otherwise it waits for `resume`, unless there is an `error`.
        seconds_left: of this stage, None until it can be estimated.
    """

    request: dict[str, Any] | None
    working: bool
    stage: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    error: Text | None = None


@dataclass(frozen=True)
class Job:
    """A kind of work on one dataset.

    Attributes:
        task: of `scalp_core/__main__.py`, which gets the dataset's name; the request file is `TASK.json`.
        dataset: name of the dataset that is made.
        folder: where the files of the job lie.
        subject: begins sentences about the job: “The import”; in Korean a noun that ends in a vowel.
    """

    task: str
    dataset: str
    folder: Path
    subject: Text

    @property
    def request_path(self) -> Path:
        return self.folder / f"{self.task}.json"

    @property
    def failed(self) -> bool:
        """Whether it ended with an error, which is kept."""
        return (self.folder / _ERROR).exists()

    # ---- for those who ask for it and look at it ----

    def launch(self, request: Mapping[str, Any], starts: int = 1) -> None:
        """Start the process.

        Args:
            request: what it is to do, as JSON.
            starts: how often it was started for this request, this time included.

        Raises:
            ScalpError: `cannot_write`, its files cannot be written.
        """
        try:
            (self.folder / _ERROR).unlink(missing_ok=True)
            state = {"request": dict(request), "starts": starts, "started": time.time()}
            write_sealed_json(self.request_path, state)
            log = (self.folder / _LOG).open("wb")
        except OSError as error:
            raise cannot_write(error) from error
        with log:
            start(log, self.task, self.dataset)

    def resume(self) -> None:
        """Start an interrupted job again; cheap enough for every rerun of a page.

        Raises:
            ScalpError: as `launch`.
        """
        state = self._read_request()
        if not state or isinstance(state, Text):  # it has just ended, or is damaged and waits for a person
            return
        # A clock that was set back says that it starts in the future: then it has started long ago.
        starting = 0 <= time.time() - state["started"] < _START_SECONDS
        if is_claimed(self.dataset) or self.failed or starting:
            return
        if state["starts"] < _MAX_STARTS:
            self.launch(state["request"], state["starts"] + 1)
        else:
            self._write_error(self._killed())

    def state(self) -> JobState | None:
        """Return how far it is; None where it is not requested, or has ended well."""
        state, progress = self._read_request(), _read(self.folder / _PROGRESS)
        if not state:
            return None
        if isinstance(state, Text):
            return JobState(None, False, error=state)
        done, total = int(progress.get("done", 0)), int(progress.get("total", 0))
        elapsed = float(progress.get("seconds", 0.0))
        return JobState(
            state["request"],
            is_claimed(self.dataset),
            str(progress.get("stage", "")),
            done,
            total,
            elapsed / done * (total - done) if done and elapsed > _ESTIMATE_SECONDS else None,
            self._error_text() if self.failed else None,
        )

    def dismiss(self) -> None:
        """Stop it, or put away what is kept of its failure.

        Raises:
            ScalpError: `cannot_write`, a file cannot be removed.
        """
        for path in (self.request_path, self.folder / _ERROR, self.folder / _PROGRESS):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise ScalpError(
                    "cannot_write",
                    f"{path} cannot be removed: {error.strerror}. Remove it by hand.",
                    f"{path}을(를) 지울 수 없어요: {error.strerror}. 직접 지우세요.",
                ) from error

    # ---- for its process ----

    def work(self, make: Callable[[dict[str, Any], "ProgressWriter"], object]) -> bool:
        """Do the job in this process, at a low priority, and return whether it succeeded.

        Args:
            make: gets the request and what reports its progress.
        """
        state = self._read_request()
        if not state or isinstance(state, Text):  # dismissed before it began
            self.clean_up()
            return False
        os.nice(5)  # pages and predictions come first
        try:
            make(state["request"], ProgressWriter(self))
        except ScalpError as error:
            if error.code == "stopped":
                self.clean_up()
            elif error.code != "already_making":
                self._write_error(error.text)
            return False
        self.dismiss()
        return True

    def clean_up(self) -> None:
        """Remove log and progress of a job that has ended, and its folder if nothing else is left there."""
        for file in (_LOG, _PROGRESS):
            (self.folder / file).unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    # ---- files ----

    def _read_request(self) -> dict[str, Any] | Text:
        """Return the state of the job; why it cannot be read; or nothing where there is none, or it has just ended."""
        name = self.request_path.name
        try:
            state = read_sealed_json(self.request_path)
            dict(state["request"]), int(state["starts"]), float(state["started"])
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except PermissionError:
            return forbidden("cannot_read", name, name).text
        except UNREADABLE:
            return self.damaged
        return state

    @property
    def damaged(self) -> Text:
        """The sentence for a request file that is not what was written."""
        name = self.request_path.name
        return Text(
            f"{name} is damaged. {self.subject.en} can be put away and started again: it resumes.",
            f"{name} 파일이 손상되었어요. {self.subject.ko}를 닫고 다시 시작하면 이어서 진행돼요.",
        )

    def _write_error(self, text: Text) -> None:
        write_sealed_json(self.folder / _ERROR, text._asdict())

    def _error_text(self) -> Text:
        error = _read(self.folder / _ERROR)
        unknown = Text(
            f"{self.subject.en} failed; see {_LOG} in its folder.",
            f"{self.subject.ko}에 실패했어요. 폴더의 {_LOG}를 보세요.",
        )
        return Text(str(error.get("en", unknown.en)), str(error.get("ko", unknown.ko)))

    def _killed(self) -> Text:
        return Text(
            f"{self.subject.en} was ended from outside {_MAX_STARTS} times, perhaps for lack of memory; see {_LOG} "
            "in its folder.",
            f"{self.subject.ko}가 외부에서 {_MAX_STARTS}번 종료되었어요 (메모리 부족일 수 있음). 폴더의 {_LOG}를 "
            "보세요.",
        )


class ProgressWriter:
    """Writes the progress of a job now and then, and stops a job that was dismissed."""

    def __init__(self, job: Job) -> None:
        self.job, self.stage = job, ""
        self.started = self.written = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.started, self.written = stage, now, 0.0
        if now - self.written < _PROGRESS_SECONDS and done < total:
            return
        if not self.job.request_path.is_file():
            subject = self.job.subject
            raise ScalpError("stopped", f"{subject.en} was stopped.", f"{subject.ko}를 중지했어요.")
        self.written = now
        progress = {"stage": stage, "done": done, "total": total, "seconds": now - self.started}
        write_sealed_json(self.job.folder / _PROGRESS, progress)


def _read(path: Path) -> dict[str, Any]:
    """Return progress or error of a job; nothing where there is none or it is damaged."""
    try:
        return read_sealed_json(path)
    except UNREADABLE:
        return {}


def cannot_write(error: OSError) -> ScalpError:
    """Return the error that the folder of datasets cannot be written."""
    folder, reason = data_folder(), error.strerror or error
    return ScalpError(
        "cannot_write",
        f"{folder} cannot be written: {reason}. Make room, or set SCALP_DATA to a folder that can be written.",
        f"{folder}에 쓸 수 없어요: {reason}. 공간을 확보하거나 SCALP_DATA를 쓸 수 있는 폴더로 바꾸세요.",
    )
