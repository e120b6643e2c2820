"""Models from elsewhere: their answers to the pictures of datasets, to be compared with runs. They never grade here.

Such a model is a folder among the runs with `external.json`, which says what it is, and `evaluation-HASH.parquet` for
each dataset, as runs have that were judged on another dataset than their own. Without a recipe it is no run.
"""

import shutil
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from scalp_core.data.dataset import NAME, PARTS, Dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.files import UNREADABLE, Signature, folders_with, put_away, sha256, signature
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.operating_point import OperatingPoint
from scalp_core.paths import artifacts_folder
from scalp_core.runs.evaluations import EvaluatedRun, EvaluationFacts, write_evaluation
from scalp_core.runs.prediction_table import prediction_table
from scalp_core.runs.queue import creating
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import damaged, not_writable, utc_now
from scalp_core.seals import read_sealed_json, write_sealed_json

MARK = "↗"  # behind the name of a model from elsewhere
MOST_LETTERS = 500  # of what is said about it, and of its link
_FACTS = "external.json"
_DECIDED = "decided"  # column of the grades that a model decided, beside its probabilities
_CERTAIN = Text(
    " It gives grades alone: measures of probabilities take each for certain.",
    " 등급만 있어서, 확률을 쓰는 지표에서는 그 등급의 확률을 1로 봐요.",
)


@dataclass(frozen=True)
class ExternalFacts:
    """Origin of a model from elsewhere, as was said when it was added.

    Attributes:
        about: what it is.
        link: where more is said about it.
        made: UTC, ISO 8601.
    """

    about: str
    link: str
    made: str


@dataclass(frozen=True)
class ExternalRun(EvaluatedRun):
    """A model from elsewhere with its answers to the pictures of a dataset."""

    @property
    def origin(self) -> ExternalFacts:
        """Origin, as it was said when it was added.

        Raises:
            ScalpError: the file cannot be read.
        """
        path = self.folder / _FACTS
        return _read_facts(self, signature(path))

    @property
    def recipe(self) -> Recipe:
        """Its name in place of an architecture, and what it was judged on; how it was trained is not known."""
        answered = set(self.raw_predictions["condition"].unique())
        conditions = tuple(condition for condition in CONDITIONS if condition.value in answered)
        return Recipe(architecture=self.id, data=self.facts.data, conditions=conditions)

    @property
    def index_hash(self) -> str:
        return ""  # what it learned from is not known

    @property
    def fold(self) -> bool:
        return False

    @property
    def synthetic(self) -> bool:
        return False

    @property
    def created(self) -> str:
        return self.facts.made

    @property
    def manifest(self) -> dict[str, Any]:
        paths = (self.folder / _FACTS, self.predictions_path)
        return {"files": {path.name: sha256(path) for path in paths}}

    @property
    def finished_ns(self) -> int:
        return self.predictions_path.stat().st_mtime_ns

    @property
    def changed_ns(self) -> int:
        return self.finished_ns

    @property
    def operating_point(self) -> OperatingPoint:
        return OperatingPoint()

    @property
    def predictions(self) -> pd.DataFrame:
        """Predictions as of any run, with the grades that the model decided where it said them."""
        return _with_decisions(self, signature(self.predictions_path))

    @property
    def operating_point_damage(self) -> None:
        return None

    def check_exportable(self) -> None:
        """Refuse to grade pictures.

        Raises:
            ScalpError: always.
        """
        raise ScalpError(
            "external",
            f"“{self.id}” is a model from elsewhere: only its predictions are here, so it grades no pictures.",
            f"“{self.id}”은(는) 외부 모델이라 예측만 있어요. 사진의 등급을 추정할 수 없어요.",
        )

    @property
    def own_note(self) -> Text:
        origin, pictures = self.origin, self.raw_predictions["image"].nunique()
        about = " · ".join(text for text in (origin.about, origin.link) if text)
        certain = _CERTAIN if self.facts.grades_alone else Text("", "")
        return Text(
            f"{MARK} {self.id} is from elsewhere and answers nothing here. Judged on {pictures:,} pictures."
            f"{certain.en} {about}".strip(),
            f"{MARK} {self.id}: 외부 모델이라 여기서 등급을 추정하지 않아요. 평가한 사진 {pictures:,}장.{certain.ko} "
            f"{about}".strip(),
        )


@lru_cache(maxsize=8)
def _with_decisions(run: ExternalRun, _signature: Signature | None) -> pd.DataFrame:
    table = OperatingPoint().apply(run.raw_predictions)
    return table.assign(grade=table[_DECIDED]).drop(columns=_DECIDED) if _DECIDED in table else table


@lru_cache(maxsize=64)
def _read_facts(run: ExternalRun, _signature: Signature | None) -> ExternalFacts:
    try:
        return ExternalFacts(**read_sealed_json(run.folder / _FACTS))
    except (TypeError, *UNREADABLE) as error:
        raise _damaged_model(run, error) from error


def _damaged_model(run: ExternalRun, error: Exception) -> ScalpError:
    if isinstance(error, PermissionError):
        return damaged(run.id, _FACTS, error)
    return ScalpError(
        "damaged",
        f"{_FACTS} of “{run.id}”, a model from elsewhere, is damaged. Delete it and add it again.",
        f"외부 모델 “{run.id}”의 {_FACTS} 파일이 손상되었어요. 삭제하고 다시 추가하세요.",
    )


def all_external(dataset: Dataset) -> list[ExternalRun]:
    """Return every model from elsewhere, by name, as judged on a dataset, whether it has answers to it or not."""
    return [ExternalRun(folder, dataset.evaluation_hash) for folder in folders_with(_FACTS, artifacts_folder())]


def external_runs(dataset: Dataset) -> tuple[list[ExternalRun], dict[ExternalRun, ScalpError]]:
    """Return the models from elsewhere with answers to the pictures of a dataset, by name, and damaged ones."""
    runs: list[ExternalRun] = []
    unreadable: dict[ExternalRun, ScalpError] = {}
    for run in all_external(dataset):
        try:
            if run.predictions_path.is_file():
                _ = run.origin, run.facts
                runs.append(run)
        except (ScalpError, PermissionError) as error:
            unreadable[run] = error if isinstance(error, ScalpError) else _damaged_model(run, error)
    return runs, unreadable


def add_external(
    name: str, dataset: Dataset, predictions: pd.DataFrame, about: str = "", link: str = "", grades_alone: bool = False
) -> ExternalRun:
    """Add a model from elsewhere by its answers to the pictures of a dataset.

    A model that is there gets answers to a further dataset, and keeps what was said about it unless more is said.

    Args:
        predictions: columns image, condition, p0 … p3, as `importing.prediction_file` reads them, and perhaps `grade`,
            what the model decides by them; the most probable one where it is missing. Rows of the training split are
            left out.

    Raises:
        ScalpError: the name is malformed or taken; `nothing_to_judge`; the folder cannot be written.
    """
    run = check_free(name, dataset)
    table = _table(dataset, predictions)
    made = utc_now()
    with creating():
        check_free(name, dataset)
        exists = (run.folder / _FACTS).exists()
        origin = ExternalFacts(_short(about), _short(link), made)
        facts = EvaluationFacts(
            dataset.name, dataset.evaluation_hash, "", dataset.synthetic, (), (), made, grades_alone
        )
        run.folder.mkdir(exist_ok=True)
        try:
            write_evaluation(run, facts, table)
            if not exists or origin.about or origin.link:
                write_sealed_json(run.folder / _FACTS, asdict(origin))
        except OSError:
            if not exists:  # half a model would keep the name
                shutil.rmtree(run.folder, ignore_errors=True)
            raise
    return run


def check_free(name: str, dataset: Dataset) -> ExternalRun:
    """Return the model of this name, to which answers to a dataset can be added.

    Raises:
        ScalpError: the name is malformed or taken.
    """
    _check_name(name)
    run = ExternalRun(artifacts_folder() / name, dataset.evaluation_hash)
    if run.predictions_path.exists() or (run.folder.exists() and not (run.folder / _FACTS).exists()):
        raise _exists(name)
    return run


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ScalpError(
            "bad_name",
            f"“{name[:64]}” is no name for a model: lower-case letters, digits, “_” and “-”, at most 64.",
            f"“{name[:64]}”은(는) 모델 이름으로 쓸 수 없어요. 영문 소문자, 숫자, “_”, “-”를 64자 이내로 쓰세요.",
        )


def _exists(name: str) -> ScalpError:
    return ScalpError(
        "run_exists",
        f"There is a run or a model “{name}” already. Choose another name.",
        f"“{name}”(이)라는 실행이나 모델이 이미 있어요. 다른 이름을 쓰세요.",
    )


def _short(text: str) -> str:
    return " ".join(text.split())[:MOST_LETTERS]


def _table(dataset: Dataset, predictions: pd.DataFrame) -> pd.DataFrame:
    conditions = [condition for condition in CONDITIONS if condition.value in set(predictions["condition"])]
    decided = "grade" in predictions
    answers = _complete_answers(predictions, conditions, [*PROBABILITIES, *(["grade"] if decided else [])])
    ids, parts = (dataset.column(name).to_numpy(dtype=object) for name in ("id", "part"))
    tables = []
    for part in PARTS:
        rows = np.flatnonzero((parts == part) & pd.Index(ids).isin(answers.index))
        if part == "train" or not len(rows):
            continue
        cube = answers.loc[ids[rows]].to_numpy(dtype=np.float32).reshape(len(rows), len(conditions), -1)
        table = prediction_table(dataset, rows, part, conditions, cube[..., : len(GRADES)])
        if decided:
            grades = np.concatenate([cube[:, number, -1] for number in range(len(conditions))])
            table[_DECIDED] = pd.array(grades.astype(np.int64), dtype="Int8")
        tables.append(table)
    if not tables:
        raise ScalpError(
            "nothing_to_judge",
            f"No row is about a picture of “{dataset.name}” outside its training split.",
            f"“{dataset.name}”의 학습 분할 밖에 있는 사진에 대한 줄이 없어요.",
        )
    return pd.concat(tables, ignore_index=True)


def _complete_answers(predictions: pd.DataFrame, conditions: list[Condition], columns: list[str]) -> pd.DataFrame:
    """Return a row a picture, with these columns of all conditions side by side."""
    by_condition = [
        predictions[predictions["condition"] == condition.value].set_index("image")[columns] for condition in conditions
    ]
    answers = pd.concat(by_condition, axis=1)
    if (lacking := answers.isna().any(axis=1)).any():
        image = answers.index[lacking][0]
        raise ScalpError(
            "bad_table",
            f"“{image}” lacks an answer for a condition that other pictures have one for; so do {lacking.sum():,} in "
            "all.",
            f"다른 사진에는 있는 증상의 답이 “{image}”에는 없어요. 그런 사진이 {lacking.sum():,}장 있어요.",
        )
    return answers


def rename_external(run: ExternalRun, name: str) -> ExternalRun:
    """Rename a model from elsewhere and return it under its new name.

    Raises:
        ScalpError: the name is malformed or taken; the folder cannot be written.
    """
    _check_name(name)
    renamed = ExternalRun(run.folder.with_name(name), run.judged)
    with creating():
        if renamed.folder.exists():
            raise _exists(name)
        run.folder.rename(renamed.folder)
    return renamed


def remove_external(run: ExternalRun) -> None:
    """Remove a model from elsewhere with all its answers.

    Raises:
        ScalpError: the folder cannot be written.
    """
    try:
        with creating():
            removed = put_away(run.folder)
        shutil.rmtree(removed, ignore_errors=True)
    except OSError as error:
        raise not_writable(error) from error
