"""Entry of the processes that train or export a run, or measure a recipe: exit codes, and messages of failures."""

import json
import os
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path

import torch
from filelock import Timeout
from safetensors import SafetensorError

from scalp_core.errors import ScalpError, Text
from scalp_core.files import sweep
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.export import write_export
from scalp_core.learning.reporter import Stopped
from scalp_core.learning.speed import speed
from scalp_core.learning.train import fit_gate, train
from scalp_core.memory_budget import no_memory_to_train, out_of_memory
from scalp_core.parallel import cores
from scalp_core.runs.recipe import recipe_from
from scalp_core.runs.run import Run
from scalp_core.runs.worker import LOCK_HANDED_OVER

_EXPORT_PATIENCE = 600.0  # seconds

_RESUMABLE = ("disk", "no_memory")  # what a person can mend, and the run goes on
_GOES_ON = Text("It goes on from its last checkpoint.", "마지막 체크포인트부터 이어서 진행해요.")
_STARTS_OVER = Text("No checkpoint was written yet: it starts over.", "저장된 체크포인트가 없어 처음부터 시작해요.")

_DONE, _FAILED, _LOCKED = 0, 1, 3  # exit codes; after any other the worker writes the error


def main(arguments: list[str]) -> int:
    """Run one task and return the exit code.

    Args:
        arguments: `train FOLDER [AT_ONCE]`, `export FOLDER`, or `speed` with a recipe on standard input.
    """
    _prepare_process()
    if arguments == ["speed"]:
        return _print_speed()
    task, run = arguments[0], Run(Path(arguments[1]))
    try:
        # The worker hands the lock over. It is worth waiting for an export by another process, not for a training.
        patience = _EXPORT_PATIENCE if task == "export" else None
        with nullcontext() if os.environ.pop(LOCK_HANDED_OVER, "") else run.lock().acquire(timeout=patience):
            if task == "export":
                if not run.exported:
                    write_export(run, load_network(run), run.preprocessing)
                return _DONE
            sweep(run.folder)
            train(run, *map(int, arguments[2:]))
            fit_gate(run)
    except Timeout:
        print("Another process works on this run.", flush=True)
        return _LOCKED
    except Stopped:
        return _DONE
    except ScalpError as error:
        return _fail(task, run, error)
    except (OSError, SafetensorError, RuntimeError, MemoryError) as error:
        if out_of_memory(error):
            return _fail(task, run, no_memory_to_train(), error)
        if isinstance(error, RuntimeError):  # a mistake of ours: the worker reports it, with the log
            raise
        return _fail(task, run, _disk_error(task, error), error)
    return _DONE


def _prepare_process() -> None:
    torch.set_num_threads(cores())
    torch.use_deterministic_algorithms(True, warn_only=True)


def _print_speed() -> int:
    """Read a recipe from standard input and print its speed, both JSON."""
    try:
        print(json.dumps(speed(recipe_from(json.load(sys.stdin)))))
    except ScalpError as error:
        print(error, file=sys.stderr)
        return _FAILED
    return _DONE


def _fail(task: str, run: Run, error: ScalpError, cause: Exception | None = None) -> int:
    if task == "train":
        sentence = _with_outlook(error.text, run) if error.code in _RESUMABLE else error.text
        run.write_error(sentence)  # before the log, which a full disk does not take
    if cause:
        traceback.print_exception(cause)
    print(error, flush=True)
    return _FAILED


def _with_outlook(sentence: Text, run: Run) -> Text:
    """Add what resuming the run goes on from, by what is on disk."""
    outlook = _GOES_ON if run.checkpoint_path.exists() else _STARTS_OVER
    return Text(f"{sentence.en} {outlook.en}", f"{sentence.ko} {outlook.ko}")


def _disk_error(task: str, error: Exception) -> ScalpError:
    """Return the error of a full disk or forbidden folder, for which safetensors has an exception of its own."""
    reason = getattr(error, "strerror", None) or error
    then, then_ko = ("resume the run", "실행을 재개하세요") if task == "train" else ("try again", "다시 시도하세요")
    return ScalpError(
        "disk",
        f"A file could not be read or written: {reason}. Make room on the disk or fix the folder's permissions, then "
        f"{then}.",
        f"파일을 읽거나 쓰지 못했어요: {reason}. 디스크 공간이나 폴더 권한을 확인한 뒤 {then_ko}.",
    )
