"""Runs judged on another dataset than their own: their answers to its pictures, kept beside the run.

A run's `predictions.parquet` stays the record of its training. What it answers to other pictures lies in
`evaluation-HASH.parquet`, named by the hash of these pictures (`Dataset.evaluation_hash`).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ArrowException

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.files import UNREADABLE, Signature, signature
from scalp_core.metrics.operating_point import OperatingPoint
from scalp_core.runs.run import Run, damaged
from scalp_core.runs.store import finished_runs
from scalp_core.seals import BLANK, SEAL, require_seal, write_sealed

_NAME = "evaluation-{}.parquet"
_HASH_DIGITS = 16  # of the pictures' hash, in the file's name
_FACTS = b"evaluation"


@dataclass(frozen=True)
class EvaluationFacts:
    """Origin of a run's answers to another dataset's pictures.

    Attributes:
        data: name of the dataset when it was judged on it.
        evaluation_hash: of the pictures, see Dataset.evaluation_hash.
        weights: SHA-256 of the weights that answered.
        synthetic: the pictures are rendered.
        left_out: ids of pictures that the run or an ancestor learned from.
        unreadable: ids of pictures that could not be read.
        made: UTC, ISO 8601.
        grades_alone: of a model from elsewhere: it gave grades without probabilities; each counts as certain.
    """

    data: str
    evaluation_hash: str
    weights: str
    synthetic: bool
    left_out: tuple[str, ...]
    unreadable: tuple[str, ...]
    made: str
    grades_alone: bool = False


@dataclass(frozen=True)
class EvaluatedRun(Run):
    """A finished run with its answers to another dataset's pictures in place of those to its own.

    Attributes:
        judged: hash of these pictures, see Dataset.evaluation_hash.
    """

    judged: str

    @property
    def evaluation_hash(self) -> str:
        return self.judged

    @property
    def synthetic_data(self) -> bool:
        return self.facts.synthetic

    @property
    def predictions_path(self) -> Path:
        return self.folder / _NAME.format(self.judged[:_HASH_DIGITS])

    @property
    def raw_predictions(self) -> pd.DataFrame:
        return _read(self, signature(self.predictions_path))[0]

    @property
    def operating_point(self) -> OperatingPoint:
        return Run(self.folder).operating_point

    @property
    def changed_ns(self) -> int:
        return max(super().changed_ns, self.predictions_path.stat().st_mtime_ns)

    @property
    def own_note(self) -> Text | None:
        """A sentence that holds for it alone; None where `evaluation_notes` says all."""
        return None

    @property
    def facts(self) -> EvaluationFacts:
        """Origin of these answers.

        Raises:
            ScalpError: the file cannot be read.
        """
        return _read(self, signature(self.predictions_path))[1]


def evaluated_run(run: Run, dataset: Dataset) -> EvaluatedRun | None:
    """Return a run with its answers to the pictures of a dataset; None where it was not judged on them.

    Answers of weights that the run no longer has count for nothing.

    Raises:
        ScalpError: the file of its answers is damaged.
    """
    evaluated = EvaluatedRun(run.folder, dataset.evaluation_hash)
    if not evaluated.predictions_path.is_file():
        return None
    facts = evaluated.facts
    current = (dataset.evaluation_hash, run.manifest["files"]["model.safetensors"])
    return evaluated if (facts.evaluation_hash, facts.weights) == current else None


def write_evaluation(run: Run, facts: EvaluationFacts, predictions: pd.DataFrame) -> EvaluatedRun:
    """Write a run's answers to the pictures of a dataset.

    Args:
        predictions: columns as Run.raw_predictions.

    Raises:
        OSError: they cannot be written.
    """
    evaluated = EvaluatedRun(run.folder, facts.evaluation_hash)
    table = pa.Table.from_pandas(predictions, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), _FACTS: json.dumps(asdict(facts)).encode(), SEAL: BLANK}
    table = table.replace_schema_metadata(metadata)
    write_sealed(evaluated.predictions_path, lambda path: pq.write_table(table, path, compression="zstd"))
    return evaluated


def evaluation_notes(runs: Iterable[Run]) -> list[Text]:
    """Return a sentence for runs that are judged on other pictures than their own, with what was left out.

    Runs of which the same is true share a sentence.
    """
    alike: dict[tuple[str, str, int, int], list[str]] = {}
    own: list[Text] = []
    for run in runs:
        if not isinstance(run, EvaluatedRun):
            continue
        if note := run.own_note:
            own.append(note)
            continue
        facts = run.facts
        key = (run.recipe.data, facts.made[:10], len(facts.left_out), len(facts.unreadable))
        alike.setdefault(key, []).append(run.id)
    return [_note(", ".join(run_ids), *key) for key, run_ids in alike.items()] + own


def _note(run_ids: str, data: str, day: str, left_out: int, unreadable: int) -> Text:
    sentences = [
        Text(
            f"Learned from “{data}” and judged on these pictures on {day}: {run_ids}.",
            f"“{data}”(으)로 학습하고 {day}에 이 사진으로 평가한 실행: {run_ids}.",
        )
    ]
    if left_out:
        sentences.append(
            Text(
                f"{left_out:,} pictures that were learned from, then or before, are left out.",
                f"이 실행이나 그 이전 실행이 학습에 쓴 사진 {left_out:,}장은 뺐어요.",
            )
        )
    if unreadable:
        sentences.append(Text(f"{unreadable:,} could not be read.", f"읽을 수 없는 사진이 {unreadable:,}장 있었어요."))
    return Text(" ".join(text.en for text in sentences), " ".join(text.ko for text in sentences))


@lru_cache(maxsize=32)
def _read(run: EvaluatedRun, _signature: Signature | None) -> tuple[pd.DataFrame, EvaluationFacts]:
    path = run.predictions_path
    try:
        require_seal(path)
        table = pq.read_table(path)
        stored = json.loads(table.schema.metadata[_FACTS])
        lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
        return table.to_pandas(), EvaluationFacts(**stored | lists)
    except (ArrowException, TypeError, *UNREADABLE) as error:
        raise _damaged_answers(run, error) from error


def _damaged_answers(run: Run, error: Exception) -> ScalpError:
    if isinstance(error, PermissionError):
        return damaged(run.id, run.predictions_path.name, error)
    return ScalpError(
        "damaged",
        f"{run.predictions_path.name} of run “{run.id}”, its answers to these pictures, is damaged. Judge it again.",
        f"“{run.id}” 실행이 이 사진들에 매긴 결과 파일 {run.predictions_path.name}이 손상되었어요. 다시 평가하세요.",
    )


def evaluated_runs(dataset: Dataset) -> tuple[list[EvaluatedRun], dict[Run, ScalpError]]:
    """Return the finished runs of other datasets that were judged on the pictures of this one, and damaged answers."""
    evaluated: list[EvaluatedRun] = []
    unreadable: dict[Run, ScalpError] = {}
    for run in finished_runs():
        if run.evaluation_hash == dataset.evaluation_hash:
            continue
        try:
            judged_here = evaluated_run(run, dataset)
        except ScalpError as error:
            unreadable[run] = error
        else:
            evaluated += [judged_here] if judged_here else []
    return evaluated, unreadable
