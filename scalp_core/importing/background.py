"""Imports started from a page: jobs (`data/background_jobs.py`) whose files lie in the folder of the dataset."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from scalp_core.data.background_jobs import IMPORT, Job, JobState
from scalp_core.data.dataset import check_name, is_claimed
from scalp_core.errors import ScalpError, Text
from scalp_core.importing.importer import ImportRequest, check_request, import_tree
from scalp_core.paths import data_folder

_SUBJECT = Text("The import", "가져오기")
STAGES = {
    "reading": Text("reading names and labels", "이름과 라벨 읽는 중"),
    "inspecting": Text("looking at the pictures", "사진 확인 중"),
    "writing": Text("writing the index", "색인 쓰는 중"),
}


@dataclass(frozen=True)
class ImportTask:
    """One import that has not succeeded yet.

    Attributes:
        name: of the dataset that it makes.
        state: how far it is; one that is not at work waits for `resume_imports`, unless it has an `error`.
    """

    name: str
    request: ImportRequest
    state: JobState


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
    job = _job(name)
    if is_claimed(name) or job.request_path.is_file():
        raise ScalpError(
            "already_making",
            f"“{name}” is already being imported.",
            f"“{name}”은(는) 이미 가져오는 중이에요.",
        )
    job.launch(asdict(request))


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
    return [task for task in map(_task, _jobs()) if task]


def resume_imports() -> None:
    """Restart interrupted imports; cheap enough for every rerun of a page."""
    for job in _jobs():
        task = _task(job)
        if task and task.state.error is None:
            job.resume()


def dismiss_import(name: str) -> None:
    """Stop an import, or put away a failed one. Its database stays and serves the next one."""
    check_name(name)
    _job(name).dismiss()


def main(name: str) -> None:
    """Do the import that `import.json` of the dataset `name` requests: the process that `start_import` starts."""
    _job(name).work(lambda request, progress: import_tree(ImportRequest(**request), name, progress=progress))


def _job(name: str) -> Job:
    return Job(IMPORT, name, data_folder() / name, _SUBJECT)


def _jobs() -> Iterator[Job]:
    """Yield the jobs that were requested, by name."""
    for path in sorted(data_folder().glob(f"*/{IMPORT}.json")):
        yield _job(path.parent.name)


def _task(job: Job) -> ImportTask | None:
    state = job.state()
    if state is None:  # it has just ended
        return None
    request = ImportRequest("aihub", "")
    if state.request is not None:
        try:
            request = ImportRequest(**state.request)
        except TypeError:  # of another version
            state = replace(state, error=job.damaged)
    return ImportTask(job.dataset, request, state)
