"""The worker: one process that trains waiting runs one after another and ends when none is left.

`ensure` is called after a run was added. The worker has a session of its own, so it outlives the server, the terminal
and the browser tab that started it; each training is a process of its own, so the worker survives its death.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from scalp_core.errors import ScalpError, Text
from scalp_core.files import is_locked
from scalp_core.memory_budget import MIN_AT_ONCE, halved
from scalp_core.paths import ROOT, artifacts_folder
from scalp_core.processes import command, environment, start
from scalp_core.runs.run import Run, State, not_writable
from scalp_core.runs.store import list_runs

_LOCK = ".runner.lock"
LOCK_HANDED_OVER = "SCALP_LOCK_HANDED_OVER"  # in the environment of a training: it holds its run's lock already
_NICENESS, _MOST_NICENESS = 10, 19
_NICENESS_SETTING = "SCALP_NICE"
_MAX_DEATHS = 3  # in a row without a finished epoch between them
# Signals by which the kernel or the process itself ends what went wrong; all others come from outside.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGSYS, signal.SIGTRAP}
_LOG_CAP = 2**20  # bytes
_OWN_GROUP = Path("/proc/self/cgroup")  # Linux alone has these
_GROUPS = Path("/sys/fs/cgroup")


def ensure() -> None:
    """Start the worker if runs wait and none is alive. Cheap enough for every page."""
    folder = artifacts_folder()
    if is_locked(folder / _LOCK) or not _next_run():
        return
    try:
        log = (folder / "runner.log").open("ab")
    except OSError as error:
        raise not_writable(error) from error
    with log:
        start(log, "worker")


def main() -> None:
    """Train waiting runs at a low priority: the entry of the process that `ensure` starts."""
    _give_way()
    work()


def work() -> None:
    """Train waiting runs until none is left. Returns at once when another worker is active."""
    while _next_run():
        # Repeated after the lock is released: a run added in between has started no worker, as the lock was taken.
        try:
            with FileLock(artifacts_folder() / _LOCK, timeout=2):
                _work_through()
        except Timeout:
            return


def _work_through() -> None:
    deaths: dict[tuple[str, int], int] = {}
    at_once: dict[str, int] = {}  # of runs that the kernel ended for their memory
    while _next_run():
        _wait_for_strays()
        if not (run := _next_run()):  # it was paused or cancelled meanwhile
            continue
        kills = _memory_kills()
        code = _train(run, at_once.get(run.id))
        memory_ran_out = _memory_kills() > kills
        if not run.state.waiting or code == 0:  # 0: paused, and resumed before the process had ended
            continue
        # It died without an error of its own.
        tried = min(at_once.get(run.id, run.recipe.batch_size), _reached_at_once(run))
        if memory_ran_out and tried > MIN_AT_ONCE:
            at_once[run.id] = halved(tried)
            continue
        reached = (run.id, len(_history(run)))
        deaths[reached] = deaths.get(reached, 0) + 1
        if code > 0 or deaths[reached] >= _MAX_DEATHS:
            del deaths[reached]  # for when it is resumed
            run.write_error(_death_sentence(code, memory_ran_out), run.log[-4000:])


def _next_run() -> Run | None:
    """Return the run that is trained next. Another user's that is closed to this one holds up no other."""
    return next((run for run in list_runs() if run.state.waiting and run.trainable), None)


def _history(run: Run) -> pd.DataFrame:
    """Return its finished epochs; none where they are damaged: the training writes them anew from its checkpoint."""
    try:
        return run.history
    except ScalpError:
        return pd.DataFrame()


def _reached_at_once(run: Run) -> int:
    """Return how many pictures went through together in its last epoch; training may have lowered it."""
    history = _history(run)
    return int(history["at_once"].iloc[-1]) if "at_once" in history else run.recipe.batch_size


def _memory_kills() -> int:
    """Count the processes of our control group that the kernel ended as memory ran out; 0 where it has no count.

    Source: the kernel's documentation, admin-guide/cgroup-v2 (memory.events) and cgroup-v1/memory (memory.oom_control).
    """
    for path in _counters():
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return 0


def _counters() -> Iterator[Path]:
    """Yield possible paths of the counter. In a container the group's path is the host's, and its own is the root."""
    try:
        groups = [line.split(":", 2) for line in _OWN_GROUP.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return
    for _, controllers, path in groups:
        if "memory" in controllers.split(","):
            yield from (_GROUPS / "memory" / group / "memory.oom_control" for group in (path.lstrip("/"), ""))
        elif not controllers:
            yield from (_GROUPS / group / "memory.events" for group in (path.lstrip("/"), ""))


def _wait_for_strays() -> None:
    """Wait for the training of a killed worker, which goes on without it; two at a time would slow each other down."""
    while any(run.state is State.RUNNING for run in list_runs()):
        time.sleep(1)


def _train(run: Run, at_once: int | None = None) -> int:
    log = run.folder / "log.txt"
    if log.exists() and log.stat().st_size > _LOG_CAP:
        log.write_bytes(log.read_bytes()[-_LOG_CAP // 2 :])
    lock = run.take_lock()
    if lock is None:  # another process has just begun to work on it
        return 0
    try:
        with log.open("ab") as out:
            process = subprocess.Popen(
                command("train", str(run.folder), *([str(at_once)] if at_once else [])),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env=environment() | {LOCK_HANDED_OVER: str(lock)},
                preexec_fn=_be_nice,
                pass_fds=[lock],
            )
    finally:
        os.close(lock)
    return process.wait()


def _give_way() -> None:
    """Lower the priority of this whole session, where the kernel shares the processor among sessions.

    There the niceness of a process counts within its own session alone (sched(7), autogrouping).
    """
    group = Path("/proc/self/autogroup")
    if os.access(group, os.W_OK):  # absent from other systems, read-only in some containers
        group.write_text(str(_niceness()), encoding="ascii")


def _be_nice() -> None:
    os.nice(_niceness())  # pages and answers come first
    out_of_memory = Path("/proc/self/oom_score_adj")  # Linux alone has it
    if out_of_memory.exists():
        out_of_memory.write_text("500", encoding="ascii")  # where memory runs out, the training goes, not the server


def _niceness() -> int:
    """Return how far trainings stand back, as `SCALP_NICE` says; text that says nothing is passed over."""
    text = os.environ.get(_NICENESS_SETTING, "")
    return int(text) if text.isdecimal() and int(text) <= _MOST_NICENESS else _NICENESS


def _death_sentence(code: int, memory_ran_out: bool) -> Text:
    if code < 0 and memory_ran_out:
        return Text(
            f"The system ended the training process {_MAX_DEATHS} times as memory ran out. Try a smaller batch_size or "
            "image_size, then resume.",
            f"메모리가 부족해 시스템이 학습 프로세스를 {_MAX_DEATHS}번 종료했어요. batch_size나 image_size를 줄이고 "
            "다시 시작하세요.",
        )
    if -code in _CRASHES:
        return Text(
            f"The training process crashed ({_signal_name(-code)}) {_MAX_DEATHS} times without finishing an epoch: a "
            "fault of a library or of this machine, or a file that was cut while it was read. The log may say more. It "
            "waits until it is resumed.",
            f"학습 프로세스가 에폭을 마치지 못하고 {_MAX_DEATHS}번 비정상 종료되었어요({_signal_name(-code)}). "
            "라이브러리나 컴퓨터의 오류, 또는 읽는 도중 잘린 파일 때문일 수 있어요. 자세한 내용은 로그를 보세요. 다시 "
            "시작할 때까지 기다려요.",
        )
    if code < 0:
        return Text(
            f"The training process was ended from outside ({_signal_name(-code)}) {_MAX_DEATHS} times without "
            "finishing an epoch, by a person or a program. It waits until it is resumed.",
            f"학습 프로세스가 에폭을 마치지 못하고 외부에서 {_MAX_DEATHS}번 종료되었어요({_signal_name(-code)}). "
            "사람이나 다른 프로그램이 종료한 거예요. 다시 시작할 때까지 기다려요.",
        )
    return Text(
        "The training process stopped with an unexpected error; the details are below and in the log.",
        "학습 프로세스가 예상하지 못한 오류로 멈췄어요. 자세한 내용은 아래와 로그에 있어요.",
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"


def export(run: Run, again: bool = False) -> None:
    """Make `model.onnx` of a finished run in a process of its own, so that serving never imports torch.

    Args:
        again: also where it failed before; otherwise every picture would wait for it to fail once more.

    Raises:
        ScalpError: it could not be made; the message carries the reason.
    """
    if not again:
        run.check_exportable()
    process = subprocess.run(
        command("export", str(run.folder.resolve())),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        check=False,
    )
    if process.returncode:
        last = " ".join((process.stdout.strip() or process.stderr.strip()).splitlines()[-1:])
        raise run.no_export(run.export_failure or Text(last, last))
