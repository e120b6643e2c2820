"""Election: which finished run may answer for a condition by itself, and which of these runs is the best.

A run stands only where its validation split can bear it. Promotion by a person is not bound by this (see champions).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from scalp_core.data.dataset import list_datasets
from scalp_core.errors import ScalpError, Text
from scalp_core.labels import Condition
from scalp_core.metrics.bootstrap import CONFIDENCE, REPLICATES, merge_groups, percentiles, resample
from scalp_core.metrics.metrics import HEADLINE, Counts, counts_by_group, kappas, quadratic_weighted_kappa, report
from scalp_core.metrics.verdict import NEGLIGIBLE
from scalp_core.runs.ancestry import MARK, judging_dataset, learned_from_judged
from scalp_core.runs.run import Run

_PART = "valid"

# The floor of the validation split (docs/design/evaluation.md).
MIN_IMAGES = 50  # labelled; the kappa of unrelated grades strays by 1 / √n, here by 0.14
# Labelled; in simulations 95 % intervals of 20 heads held the truth in 93 and 96 %, of 5 heads in 87 and 90 %.
MIN_CAPTURES = 20
MIN_OF_GRADE = 2  # pictures of every grade; with none or one, whether a grade is recognised is not known
_REPLICATES = REPLICATES // 2  # of a comparison's: whether 0 is inside does not hang on a third digit
# Of the percentiles of kappa: `EffectiveSize.percentile_level` of MIN_CAPTURES, which scipy would take 0.2 s to tell.
_LEVEL = 0.03

FLOOR = Text(
    f"{MIN_IMAGES} labelled validation pictures of {MIN_CAPTURES} captures, {MIN_OF_GRADE} of every grade, and a "
    f"{CONFIDENCE} interval of QWK above 0",
    f"라벨이 있는 검증 사진 {MIN_IMAGES}장, 촬영 {MIN_CAPTURES}건, 등급마다 {MIN_OF_GRADE}장, 0보다 높은 QWK "
    f"{CONFIDENCE} 신뢰 구간",
)


@dataclass(frozen=True)
class Shortfall:
    """A part of the floor that a run misses; `code` is for programs."""

    code: str
    text: Text


def run_report(run: Run) -> pd.DataFrame:
    """Return the report of a finished run's predictions (see metrics.report). Shared: do not change."""
    return _run_report(run, run.changed_ns)


@lru_cache(maxsize=256)
def _run_report(run: Run, _changed_ns: int) -> pd.DataFrame:
    return report(run.predictions)


def score(run: Run, condition: Condition, part: str) -> float | None:
    """Return the quadratic weighted kappa of a run in a split; None where it is undefined."""
    _, kappa = _measured(run, run.changed_ns).get((condition, part), (0, math.nan))
    return None if math.isnan(kappa) else kappa


@lru_cache(maxsize=256)
def _measured(run: Run, changed_ns: int) -> dict[tuple[str, str], tuple[int, float]]:
    """Return labelled pictures and kappa by condition and split, as elections look them up often."""
    table = _run_report(run, changed_ns)
    figures = zip(table["condition"], table["part"], table["images"], table[HEADLINE], strict=True)
    return {(condition, part): (int(images), float(kappa)) for condition, part, images, kappa in figures}


# ---- the best ----


def elect(runs: Iterable[Run], condition: Condition) -> Run | None:
    """Return the run that answers by itself: the first choice among those that reach the floor."""
    standing = [run for run in runs if not _leaks(run)]  # figures that are too good set no measure for others
    # The bootstrap takes its time: only the first choice is asked, then the next.
    while (best := first_choice(standing, condition)) and shortfalls(best, condition):
        standing.remove(best)
    return best


def first_choice(runs: Sequence[Run], condition: Condition) -> Run | None:
    """Return the run to prefer, whether it reaches the floor or not.

    Real pictures go before rendered ones, then the runs judged on most of them, then the latest; among runs judged on
    the same pictures the smallest of the best.
    """
    judged = {run: images for run in runs if (images := validation_images(run, condition))}
    if not judged:
        return None
    priority = {run.evaluation_hash: (not run.synthetic_data, images, run.created) for run, images in judged.items()}
    preferred = max(priority, key=lambda evaluation_hash: priority[evaluation_hash])
    return practically_equal([run for run in judged if run.evaluation_hash == preferred], condition)[0]


def practically_equal(runs: Iterable[Run], condition: Condition) -> list[Run]:
    """Return the runs that are practically equal to the best of these on the validation split; the smallest first.

    By size and not by time, so that the same runs answer on every machine.

    Args:
        runs: judged on the same pictures.
    """
    scores = {run: score(run, condition, _PART) or 0.0 for run in runs}
    best = max(scores.values(), default=0.0)
    equal = [run for run, kappa in scores.items() if kappa >= best - NEGLIGIBLE[HEADLINE]]
    return sorted(equal, key=lambda run: (run.parameters, run.created))


def validation_images(run: Run, condition: Condition) -> int:
    """Return the number of labelled validation pictures that a run was judged on."""
    images, _ = _measured(run, run.changed_ns).get((condition, _PART), (0, math.nan))
    return images


# ---- the floor ----


def shortfalls(run: Run, condition: Condition) -> tuple[Shortfall, ...]:
    """Return what keeps a finished run from answering for a condition by itself; none if it may. Cached."""
    return _shortfalls(run, condition, run.changed_ns, dataset_versions())


def dataset_versions() -> tuple[tuple[str, int], ...]:
    """Return what shortfalls depend on beside the run: of a run of an earlier version its dataset knows more."""
    return tuple((dataset.name, dataset.version) for dataset in list_datasets())


@lru_cache(maxsize=1024)
def _shortfalls(
    run: Run, condition: Condition, _changed_ns: int, _versions: tuple[tuple[str, int], ...]
) -> tuple[Shortfall, ...]:
    counts = counts_by_group(run.predictions, condition, _PART, _captures(run, _changed_ns, _versions))
    truth = counts.sum(axis=(0, 2))
    missing = []
    if (images := int(truth.sum())) < MIN_IMAGES:
        missing.append(_too_few("few_pictures", images, MIN_IMAGES, _PICTURES))
    if len(counts) < MIN_CAPTURES:
        missing.append(_too_few("few_captures", len(counts), MIN_CAPTURES, _CAPTURES))
    if grades := [str(grade) for grade in np.flatnonzero(truth < MIN_OF_GRADE)]:
        missing.append(_missing_grades(grades))
    missing += _leaks(run)
    # An interval from less than the floor would say nothing.
    return tuple(missing or _chance(counts))


@lru_cache(maxsize=64)  # for all conditions of a run in turn
def _captures(run: Run, _changed_ns: int, _versions: tuple[tuple[str, int], ...]) -> Mapping[str, object]:
    """Return the capture of each picture; a picture that has none counts as a capture of its own."""
    predictions = run.raw_predictions
    if "capture" in predictions:
        rows = predictions.loc[predictions["part"] == _PART, ["image", "capture"]].drop_duplicates("image")
        return dict(zip(rows["image"], rows["capture"], strict=True))
    dataset = judging_dataset(run)  # of a run of an earlier version
    try:
        return {} if dataset is None else dict(zip(dataset.column("id"), dataset.column("capture"), strict=True))
    except ScalpError:  # damaged, which its own page says: as if it were not here
        return {}


_PICTURES = Text(
    "{count} labelled validation {pictures}, {least} needed", "라벨이 있는 검증 사진 {count}장, {least}장 필요"
)
_CAPTURES = Text("{count} validation {captures}, {least} needed", "검증 촬영 {count}건, {least}건 필요")


def _too_few(code: str, count: int, least: int, text: Text) -> Shortfall:
    plural = "" if count == 1 else "s"
    words = {"pictures": f"picture{plural}", "captures": f"capture{plural}", "count": count, "least": least}
    return Shortfall(code, Text(text.en.format(**words), text.ko.format(**words)))


def _missing_grades(grades: Sequence[str]) -> Shortfall:
    listed = ", ".join(grades)
    return Shortfall(
        "missing_grades",
        Text(
            f"fewer than {MIN_OF_GRADE} validation pictures of grade {listed}",
            f"{listed}등급 검증 사진이 {MIN_OF_GRADE}장 미만",
        ),
    )


def _leaks(run: Run) -> tuple[Shortfall, ...]:
    try:
        leaks = learned_from_judged(run)
    except ScalpError as error:  # what it learned from cannot be read, so it may be anything
        return (Shortfall(error.code, error.text),)
    text = Text(
        f"judged on pictures that it, or a run that it started from, learned from ({MARK})",
        f"이 실행이나 출발점이 된 실행이 학습한 사진으로 평가됨({MARK})",
    )
    return (Shortfall("learned_from", text),) if leaks else ()


def _chance(counts: Counts) -> tuple[Shortfall, ...]:
    """Return the shortfall where the interval of kappa holds 0, of counts by capture (captures, 4, 4)."""
    groups = merge_groups(np.arange(len(counts)))
    sums = np.zeros((int(groups.max()) + 1, *counts.shape[1:]), dtype=np.float32)
    np.add.at(sums, groups, counts)
    replicates = kappas(resample(sums, _REPLICATES).astype(np.float64))
    low, high = percentiles(replicates, _LEVEL)
    if low > 0:
        return ()
    figures = f"{quadratic_weighted_kappa(counts.sum(axis=0)):.2f} [{low:.2f}, {high:.2f}]"
    text = Text(f"validation QWK {figures} is not above chance", f"검증 QWK {figures}, 우연 수준보다 높다고 할 수 없음")
    return (Shortfall("chance", text),)
