"""The pictures that a run and the runs it started from, or was taught by, learned from, and on how many it is judged.

Every run keeps the hashes of these pictures in `learned.parquet`. A run of an earlier version has none: they are read
from its dataset where that is still the same, otherwise they are not known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from scalp_core import terms
from scalp_core.architectures import NAMED_WEIGHTS
from scalp_core.data.dataset import PARTS, Dataset, list_datasets, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.runs.evaluations import EvaluatedRun
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.runs.store import source_run, teacher_run

MARK = "†"  # behind the name of a run whose figures are too good
_JUDGED = tuple(part for part in PARTS if part != "train")


@dataclass(frozen=True)
class LearnedPictures:
    """SHA-256 of the pictures that were learned from.

    Attributes:
        complete: no run before it is unknown, nor the origin of weights from a file.
    """

    sha256: frozenset[str]
    complete: bool

    def __or__(self, other: "LearnedPictures") -> "LearnedPictures":
        return LearnedPictures(self.sha256 | other.sha256, self.complete and other.complete)


_NOTHING = LearnedPictures(frozenset(), True)
_UNKNOWN = LearnedPictures(frozenset(), False)


def write_learned(run: Run, dataset: Dataset) -> None:
    """Keep what a run that begins now will have learned from, with all that its ancestors did."""
    learned = learned_before(run.recipe) | _training_pictures(dataset)
    run.write_learned(learned.sha256, learned.complete)


def learned_pictures(run: Run) -> LearnedPictures:
    """Return the pictures that a run and its ancestors learned from."""
    stored = run.learned
    if stored is not None:
        return LearnedPictures(*stored)
    own = next((data for data in list_datasets() if data.index_hash == run.index_hash), None)
    return learned_before(run.recipe) | (_UNKNOWN if own is None else _training_pictures(own))


def learned_before(recipe: Recipe) -> LearnedPictures:
    """Return the pictures that are behind the weights which a recipe starts from, and behind its teacher."""
    behind_weights = _NOTHING if recipe.weights in NAMED_WEIGHTS else _learned_by(source_run, recipe)
    return behind_weights | _learned_by(teacher_run, recipe) if recipe.teacher else behind_weights


def _learned_by(run_of: Callable[[Recipe], Run | None], recipe: Recipe) -> LearnedPictures:
    try:
        source = run_of(recipe)
    except ScalpError:  # it was removed since
        return _UNKNOWN
    return _UNKNOWN if source is None else learned_pictures(source)


def _training_pictures(dataset: Dataset) -> LearnedPictures:
    learned = dataset.column("sha256")[(dataset.column("part") == "train").to_numpy(dtype=bool)]
    return LearnedPictures(frozenset(learned), True)


@dataclass(frozen=True)
class Overlap:
    """The pictures of each split but training that were learned from before.

    Attributes:
        seen, judged: pictures by split: learned from, and all.
        complete: whether all that was learned from is known.
    """

    seen: dict[str, int]
    judged: dict[str, int]
    complete: bool

    @property
    def leaks(self) -> bool:
        return any(self.seen.values())

    def text(self, name: str) -> Text | None:
        """Return the warning about figures of `name`; None where there is nothing to warn of."""
        if not self.leaks:
            return (
                None if self.complete else Text(_UNKNOWN_TEXT.en.format(name=name), _UNKNOWN_TEXT.ko.format(name=name))
            )
        en, ko = (
            ", ".join(
                _COUNT(language).format(
                    seen=self.seen[part], judged=self.judged[part], part=terms.SPLITS[part](language)
                )
                for part in reversed(_JUDGED)
                if self.seen[part]
            )
            for language in ("en", "ko")
        )
        return Text(_LEAK.en.format(name=name, counts=en), _LEAK.ko.format(name=name, counts=ko))


_COUNT = Text("{seen:,} of {judged:,} {part} pictures", "{part} 사진 {judged:,}장 중 {seen:,}장")
_LEAK = Text(
    "{name}, or a run that it started from, learned from pictures that it is judged on: {counts}. These figures are "
    "too good. `prepare split --keep-out-of-test RUN` keeps such pictures out of test.",
    "{name} 또는 그 출발점이 된 실행이 평가에 쓰는 사진으로 학습했어요: {counts}. 이 수치는 실제보다 좋게 나와요. "
    "`prepare split --keep-out-of-test 실행`을 쓰면 그런 사진이 테스트에서 빠져요.",
)
_UNKNOWN_TEXT = Text(
    "{name}: not known what it, or a run that it started from, learned from.",
    "{name}: 무엇으로 학습했는지, 또는 출발점이 된 실행이 무엇으로 학습했는지 알 수 없어요.",
)


def overlap_before(recipe: Recipe, dataset: Dataset) -> Overlap:
    """Return how many pictures that a recipe's run will be judged on its initial weights have learned from."""
    return _overlap(learned_before(recipe), dataset)


def overlap_of(run: Run, dataset: Dataset) -> Overlap:
    """Return how many pictures that a run is judged on it, or an ancestor, has learned from; cached.

    Of a run of another dataset those pictures count that it answered: what it was known to have learned from was left
    out when it was judged on these.

    Args:
        dataset: holds the pictures that it is judged on.
    """
    versions = tuple((data.name, data.version) for data in list_datasets()) if run.learned is None else ()
    made = (run.created, run.changed_ns) if isinstance(run, EvaluatedRun) else run.created
    return _cached_overlap(run, made, versions, dataset.name, dataset.version)


def judging_dataset(run: Run) -> Dataset | None:
    """Return a dataset with the pictures that a run is judged on, its own before others; None where there is none."""
    datasets = [data for data in list_datasets() if data.evaluation_hash == run.evaluation_hash]
    return min(datasets, key=lambda data: data.name != run.recipe.data, default=None)


def learned_from_judged(run: Run) -> bool:
    """Return whether a finished run is judged on pictures that it or an ancestor has learned from, as far as is known.

    By its manifest, so that it is the same on every machine; of a run of an earlier version by the dataset here.

    Raises:
        ScalpError: what it learned from cannot be read.
    """
    if (stored := run.learned_from_judged) is not None:
        return stored
    _ = run.learned
    dataset = judging_dataset(run)
    try:
        return dataset is not None and overlap_of(run, dataset).leaks
    except ScalpError:  # the dataset is damaged, which its own page says: as if it were not here
        return False


@lru_cache(maxsize=256)
def _cached_overlap(run: Run, _made: object, _versions: tuple[object, ...], data: str, _version: int) -> Overlap:
    dataset = open_dataset(data)
    if isinstance(run, EvaluatedRun):
        answered = dataset.column("id").isin(run.raw_predictions["image"].unique()).to_numpy(dtype=bool)
        return _overlap(learned_pictures(run), dataset, answered)
    return _overlap(learned_pictures(run), dataset)


def _overlap(learned: LearnedPictures, dataset: Dataset, answered: npt.NDArray[np.bool_] | None = None) -> Overlap:
    parts, seen = dataset.column("part"), dataset.column("sha256").isin(learned.sha256).to_numpy(dtype=bool)
    of_part = {part: (parts == part).to_numpy(dtype=bool) for part in _JUDGED}
    if answered is not None:
        of_part = {part: flags & answered for part, flags in of_part.items()}
    counts = {part: int((flags & seen).sum()) for part, flags in of_part.items()}
    return Overlap(counts, {part: int(flags.sum()) for part, flags in of_part.items()}, learned.complete)
