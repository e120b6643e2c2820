"""Judging a finished run on another dataset than its own (`runs.evaluations` keeps the answers).

Each picture outside the training split goes through the run's export, as one that is uploaded does but without short
cuts. What is graded is written every minute, so that a judgement that was stopped goes on.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.data.dataset import PARTS, Dataset
from scalp_core.errors import ScalpError
from scalp_core.inference.dataset_outputs import Vector, dataset_outputs, read_vectors, write_vectors
from scalp_core.labels import GRADES
from scalp_core.parallel import no_progress
from scalp_core.runs.ancestry import learned_pictures
from scalp_core.runs.evaluations import EvaluatedRun, EvaluationFacts, evaluated_run, write_evaluation
from scalp_core.runs.prediction_table import prediction_table
from scalp_core.runs.run import Run, not_writable

_WRITE_SECONDS = 60.0  # between two writings of what is graded so far
_JUDGED = tuple(part for part in PARTS if part != "train")

Rows = npt.NDArray[np.intp]
Progress = Callable[[int, int], object]


class JudgedRows(NamedTuple):
    """Positions in a dataset's index outside the training split: of pictures to grade, and of those left out."""

    graded: Rows
    left_out: Rows


def judged_rows(run: Run, dataset: Dataset) -> JudgedRows:
    """Return the pictures that a run can be judged on: without those that it or an ancestor learned from."""
    outside = (dataset.column("part") != "train").to_numpy(dtype=bool)
    learned = dataset.column("sha256").isin(learned_pictures(run).sha256).to_numpy(dtype=bool)
    return JudgedRows(np.flatnonzero(outside & ~learned), np.flatnonzero(outside & learned))


def evaluate(run: Run, dataset: Dataset, progress: Progress = no_progress) -> EvaluatedRun:
    """Grade the pictures of a dataset outside its training split, and keep the answers beside the run.

    At once where they are there already. Pictures that the run or an ancestor learned from are left out, as are those
    that cannot be read; the facts count both.

    Args:
        progress: called with (done, total) pictures.

    Raises:
        ScalpError: `judged_already`, these are the run's own pictures; `nothing_to_judge`; `not_writable`; the run is
            damaged or cannot be exported.
    """
    run.check_exportable()
    run = Run(run.folder)
    if run.evaluation_hash == dataset.evaluation_hash:
        raise _judged_already(run, dataset)
    with suppress(ScalpError):  # damaged answers are made again, as are those without pictures that could not be read
        if (evaluated := evaluated_run(run, dataset)) and not evaluated.facts.unreadable:
            return evaluated
    rows = judged_rows(run, dataset)
    if not len(rows.graded):
        raise _nothing_to_judge(run, dataset, len(rows.left_out))
    try:
        return _evaluate(run, dataset, rows, progress)
    except OSError as error:
        raise not_writable(error) from error


def _evaluate(run: Run, dataset: Dataset, rows: JudgedRows, progress: Progress) -> EvaluatedRun:
    begun, judged = _begun_path(run, dataset), (dataset.evaluation_hash, dataset.version)
    contents, ids = (dataset.column(name).to_numpy(dtype=object) for name in ("sha256", "id"))
    answers = read_vectors(begun)
    missing = {contents[row]: row for row in rows.graded.tolist() if contents[row] not in answers}
    total = len(set(contents[rows.graded]))
    done, written, kept = total - len(missing), time.monotonic(), False
    progress(done, total)
    try:
        for chunk, outputs in dataset_outputs(run, dataset, missing.values()):
            answers |= {contents[row]: values.probabilities.ravel() for row, values in outputs.items()}
            if len(outputs) < len(chunk) and dataset.is_away:
                dataset.read(ids[chunk[0]])  # says so: all of them are away for now, and none is unreadable
            done += len(chunk)
            progress(done, total)
            if time.monotonic() - written > _WRITE_SECONDS:
                write_vectors(begun, answers)
                written = time.monotonic()
        if (dataset.evaluation_hash, dataset.version) != judged:
            raise _changed_meanwhile(dataset)
        readable = np.array([contents[row] in answers for row in rows.graded], dtype=bool)
        if not readable.any():
            raise _nothing_readable(dataset, len(readable))
        facts = _facts(run, dataset, ids[rows.left_out], ids[rows.graded[~readable]])
        evaluated = write_evaluation(run, facts, _table(run, dataset, rows.graded[readable], answers))
        kept = True
    finally:  # whatever stops it, a reader who leaves the page among them: what is graded stays
        if not kept:
            write_vectors(begun, answers)
    with suppress(OSError):
        begun.unlink(missing_ok=True)
    return evaluated


def _begun_path(run: Run, dataset: Dataset) -> Path:
    """Return the file that keeps the answers of a judgement which is not finished."""
    weights = run.manifest["files"]["model.safetensors"]
    return dataset.folder / "cache" / f"evaluation-{run.id}-{weights[:12]}.parquet"


def _table(run: Run, dataset: Dataset, rows: Rows, answers: dict[str, Vector]) -> pd.DataFrame:
    parts, contents = (dataset.column(name).to_numpy(dtype=object) for name in ("part", "sha256"))
    conditions, tables = run.recipe.conditions, []
    for part in _JUDGED:
        of_part = rows[parts[rows] == part]
        values = np.array([answers[contents[row]] for row in of_part], dtype=np.float32)
        values = values.reshape(len(of_part), len(conditions), len(GRADES))
        tables.append(prediction_table(dataset, of_part, part, conditions, values))
    return pd.concat(tables, ignore_index=True)


def _facts(run: Run, dataset: Dataset, left_out: Iterable[str], unreadable: Iterable[str]) -> EvaluationFacts:
    return EvaluationFacts(
        data=dataset.name,
        evaluation_hash=dataset.evaluation_hash,
        weights=run.manifest["files"]["model.safetensors"],
        synthetic=dataset.synthetic,
        left_out=tuple(left_out),
        unreadable=tuple(unreadable),
        made=datetime.now(UTC).isoformat(),
    )


def _judged_already(run: Run, dataset: Dataset) -> ScalpError:
    return ScalpError(
        "judged_already",
        f"Run “{run.id}” was judged on the pictures of “{dataset.name}” when it was trained.",
        f"“{run.id}” 실행은 학습할 때 이미 “{dataset.name}”의 사진으로 평가했어요.",
    )


def _changed_meanwhile(dataset: Dataset) -> ScalpError:
    return ScalpError(
        "data_changed",
        f"Dataset “{dataset.name}” has changed while it was graded: pictures, labels or split. Judge again.",
        f"등급을 매기는 동안 “{dataset.name}” 데이터셋의 사진이나 라벨, 분할이 바뀌었어요. 다시 평가하세요.",
    )


def _nothing_readable(dataset: Dataset, unreadable: int) -> ScalpError:
    return ScalpError(
        "nothing_to_judge",
        f"None of {unreadable:,} pictures of “{dataset.name}” could be read.",
        f"“{dataset.name}”의 사진 {unreadable:,}장을 하나도 읽을 수 없어요.",
    )


def _nothing_to_judge(run: Run, dataset: Dataset, left_out: int) -> ScalpError:
    return ScalpError(
        "nothing_to_judge",
        f"“{dataset.name}” has no picture outside its training split that “{run.id}” could be judged on; "
        f"{left_out:,} are left out, as it or a run before it learned from them. Split the dataset anew: python -m "
        f"training.prepare split {dataset.name}",
        f"“{dataset.name}”의 학습 분할 밖에는 “{run.id}” 실행을 평가할 사진이 없어요. 이 실행이나 그 이전 실행이 "
        f"학습에 쓴 사진 {left_out:,}장은 뺐어요. 데이터셋을 다시 나누세요: "
        f"python -m training.prepare split {dataset.name}",
    )
