"""Labels that models contradict, the most suspicious first, and agreement between readers."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from scalp_core.data.dataset import Dataset
from scalp_core.data.reviews import standing
from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import list_candidates
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.bootstrap import effective_size, percentiles, resample
from scalp_core.metrics.metrics import PROBABILITIES, count, kappas, quadratic_weighted_kappa
from scalp_core.runs.run import Run
from scalp_core.runs.store import list_runs

_DISTANCE = np.abs(np.subtract.outer(np.arange(len(GRADES)), np.arange(len(GRADES))))


def suspects(dataset: Dataset, condition: Condition) -> pd.DataFrame:
    """Rank the labelled pictures of a dataset by how far models are from the label.

    The score is how much farther the label is expected to lie from the truth than the best grade does, by the mean p of
    all models' calibrated probabilities: Σ p(g) · |g − label| − min over k of Σ p(g) · |g − k|, in grades. Where models
    are unsure, no grade is much better than the label. Only answers count that were given without having learned from
    the picture: of runs judged on these pictures those of validation, calibration and test, of runs of the dataset's
    folds those of their test split (`training.sweep --folds`), which reach every picture.

    Returns:
        image, part, label, score, surprise (1 − p(label): confidence alone), expected (mean grade), models; highest
        score first.
    """
    answers = [table for run in _runs(dataset) if (table := _answers(run, condition)) is not None]
    columns = ["image", "part", "label", "score", "surprise", "expected", "models"]
    if not answers:
        return pd.DataFrame(columns=columns)
    by_image = pd.concat(answers, ignore_index=True).groupby("image")[PROBABILITIES]
    table = by_image.mean().assign(models=by_image.size())
    table = table.join(_labels(dataset, condition), how="inner")
    label, probabilities = table["label"].to_numpy(), table[PROBABILITIES].to_numpy(dtype=np.float64)
    distances, place = probabilities @ _DISTANCE, np.arange(len(table))
    ranked = table.assign(
        score=distances[place, label] - distances.min(axis=1),
        surprise=1 - probabilities[place, label],
        expected=probabilities @ np.arange(len(GRADES)),
    ).reset_index(names="image")
    return ranked.sort_values(["score", "image"], ascending=[False, True], ignore_index=True)[columns]


def _labels(dataset: Dataset, condition: Condition) -> pd.DataFrame:
    """Return part and label of the labelled pictures, by image."""
    ids, parts = (dataset.column(name).to_numpy(dtype=object) for name in ("id", "part"))
    labels = pd.DataFrame({"part": parts, "label": dataset.column(condition.value).to_numpy()}, index=ids)
    return labels.dropna(subset="label").astype({"label": np.int64})


def _runs(dataset: Dataset) -> list[Run]:
    """Return the runs whose answers count: those that are compared here, and those of the dataset's folds."""
    models, _ = list_candidates(dataset)
    judged = [run for model in models for run in model.runs if not any(overlap.leaks for overlap in model.overlaps)]
    return judged + [run for run in list_runs() if run.finished and run.fold_of == (dataset.name, dataset.index_hash)]


def _answers(run: Run, condition: Condition) -> pd.DataFrame | None:
    try:
        predictions = run.predictions
    except ScalpError:  # damaged, which its own page says
        return None
    rows = predictions[predictions["condition"] == condition.value]
    if run.fold:
        rows = rows[rows["part"] == "test"]
    return rows[["image", *PROBABILITIES]]


class ReaderAgreement(NamedTuple):
    """Quadratic weighted kappa of two readers, with its 95 % interval over captures; NaN where undefined.

    Attributes:
        images: pictures that both graded.
    """

    readers: tuple[str, str]
    images: int
    kappa: float
    low: float
    high: float


def reader_agreements(dataset: Dataset, log: pd.DataFrame, condition: Condition) -> list[ReaderAgreement]:
    """Return the agreement of every two readers in a condition, the two with most pictures in common first.

    Args:
        log: of `reviews.entries`.
    """
    kept = standing(log)
    kept = kept[(kept["kind"] == "grade") & (kept["condition"] == condition.value)]
    grades = kept.pivot_table(index="image", columns="reader", values="grade", aggfunc="last")
    captures = dict(zip(dataset.column("id"), dataset.column("capture").astype(object), strict=True))
    names = [str(name) for name in grades.columns]
    pairs = [(first, second) for place, first in enumerate(names) for second in names[place + 1 :]]
    agreements = [_agreement(pair, grades[list(pair)].dropna(), captures) for pair in pairs]
    return sorted((pair for pair in agreements if pair.images), key=lambda pair: -pair.images)


def _agreement(readers: tuple[str, str], grades: pd.DataFrame, captures: dict[str, object]) -> ReaderAgreement:
    first, second = (grades[reader].to_numpy(dtype=np.int64) for reader in readers)
    kappa = float(quadratic_weighted_kappa(count(first, second))) if len(grades) else float("nan")
    codes, names = pd.factorize(np.array([str(captures.get(image) or image) for image in grades.index], dtype=object))
    cells = codes * len(GRADES) ** 2 + first * len(GRADES) + second
    counts = np.bincount(cells, minlength=len(names) * len(GRADES) ** 2).reshape(-1, len(GRADES), len(GRADES))
    replicates = kappas(resample(counts.astype(np.float32)).astype(np.float64))
    level = effective_size(np.array([len(names)])).percentile_level if len(names) > 1 else float("nan")
    low, high = percentiles(replicates, level)
    return ReaderAgreement(readers, len(grades), kappa, float(low), float(high))
