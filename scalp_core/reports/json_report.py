"""Runs and their comparisons as one JSON document for programs: every metric with its interval, every pair of models.

The document is described in docs/guide/comparing.md.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from scalp_core import terms
from scalp_core.data.dataset import Dataset
from scalp_core.evaluation.comparison import Model, compare_models, list_candidates, without_partial
from scalp_core.inference.predict import INTENDED_USE
from scalp_core.metrics import metrics
from scalp_core.metrics.alignment import align, arrange
from scalp_core.metrics.bootstrap import LEVEL, REPLICATES
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison, compare
from scalp_core.runs.ancestry import judging_dataset, overlap_of
from scalp_core.runs.evaluations import evaluation_notes
from scalp_core.runs.external import ExternalRun
from scalp_core.runs.run import Run
from scalp_core.version import __version__

FORMAT = 2  # raised when a key changes its name or meaning; 1 was a list of runs without intervals


def json_report(runs: Sequence[Run], part: str) -> dict[str, Any]:
    """Return the document about finished runs, judged on one split; None stands for what is undefined."""
    by_pictures: dict[str, list[Run]] = {}
    for run in runs:
        by_pictures.setdefault(run.evaluation_hash, []).append(run)
    figures, comparisons, models, notes = [], [], [], _notes(runs)
    for judged_alike in by_pictures.values():
        dataset = judging_dataset(judged_alike[0])
        figures += [row for run in judged_alike for row in _run_figures(run, dataset, part)]
        if dataset is not None:
            candidates = [model for model in list_candidates(dataset)[0] if set(model.runs) <= set(judged_alike)]
            models += [_model_row(model, dataset) for model in candidates]
            whole, partial = without_partial(candidates, dataset, part)
            comparisons += list(_pair_rows(whole, dataset, part))
            notes += [f"{excluded.run.id}: {excluded.reason.en}." for excluded in partial]
    document = {
        "format": FORMAT,
        "version": __version__,
        "intended_use": INTENDED_USE,
        "notes": notes,
        "synthetic": any(run.synthetic for run in runs),
        "part": part,
        "confidence_level": 1 - LEVEL,
        "runs": [_run_row(run) for run in runs],
        "models": models,
        "figures": figures,
        "confusion": [_confusion_row(run, condition, part) for run in runs for condition in run.recipe.conditions],
        "comparisons": comparisons,
    }
    defined: dict[str, Any] = _defined(document)
    return defined


def _notes(runs: Sequence[Run]) -> list[str]:
    """Return the sentences that go wherever the figures go."""
    notes = [terms.RESEARCH_ONLY.en]
    if any(run.synthetic_data for run in runs):
        notes.append(terms.SYNTHETIC_DATA.en)
    if any(run.synthetic for run in runs):
        notes.append(terms.SYNTHETIC_MODEL.en)
    judging = {run: judging_dataset(run) for run in runs}
    if any(dataset and dataset.tempered for dataset in judging.values()):
        notes.append(terms.TEMPERED_DATA.en)
    for run, dataset in judging.items():
        text = overlap_of(run, dataset).text(run.id) if dataset else None
        notes += [text.en] if text else []
    return notes + [text.en for text in evaluation_notes(runs)]


def _run_row(run: Run) -> dict[str, Any]:
    dataset = judging_dataset(run)
    overlap = overlap_of(run, dataset) if dataset else None
    return {
        "run": run.id,
        "architecture": None if isinstance(run, ExternalRun) else run.recipe.architecture,
        "external": isinstance(run, ExternalRun),
        "data": None if isinstance(run, ExternalRun) else run.recipe.data,
        "seed": None if isinstance(run, ExternalRun) else run.recipe.seed,
        "conditions": [condition.value for condition in run.recipe.conditions],
        "judged_on": dataset.name if dataset else None,
        "synthetic_pictures": run.synthetic_data,
        "synthetic": run.synthetic,
        "leaks": overlap.leaks if overlap else None,
        "learned_before": overlap and {"pictures": overlap.seen, "judged": overlap.judged, "known": overlap.complete},
        "export_failure": (failure := run.export_failure) and failure.en,
        "parameters": None if isinstance(run, ExternalRun) else run.parameters,
        "milliseconds": run.milliseconds,
        "index_hash": run.index_hash,
        "evaluation_hash": run.evaluation_hash,
    }


def _model_row(model: Model, dataset: Dataset) -> dict[str, Any]:
    runs = [run.id for run in model.runs]
    architecture = None if model.external else model.recipe.architecture
    return {"model": model.key, "judged_on": dataset.name, "architecture": architecture, "runs": runs}


# ---- figures ----


def _run_figures(run: Run, dataset: Dataset | None, part: str) -> Iterator[dict[str, Any]]:
    compared = _compare_alone(run, dataset, part)
    for condition in run.recipe.conditions:
        place = compared.conditions.index(condition)
        for metric in METRICS:
            estimate = compared.estimate(metric, run.id, condition)
            resampled = not math.isnan(estimate.low)
            yield {
                "run": run.id,
                "condition": condition.value,
                "part": part,
                "metric": metric,
                "value": estimate.value,
                "lower": estimate.low,
                "upper": estimate.high,
                "how": "bootstrap" if resampled else None,
                "resamples": REPLICATES if resampled else None,
                "n": int(compared.images[place]),
                "captures": compared.groups if dataset else None,
            }


def _compare_alone(run: Run, dataset: Dataset | None, part: str) -> Comparison:
    if dataset is not None:
        return compare_models(dataset, [Model(run.id, run.id, (run,))], part)
    predictions = arrange(run.predictions, part)
    # Captures are in the dataset. Without it all pictures are taken for one, of which nothing can be resampled.
    return compare(align({run.id: predictions}, dict.fromkeys(predictions.images, "")), {run.id: [run.id]})


def _confusion_row(run: Run, condition: str, part: str) -> dict[str, Any]:
    counts = metrics.confusion(run.predictions, condition, part).tolist()
    return {"run": run.id, "condition": str(condition), "part": part, "truth_by_prediction": counts}


# ---- pairs ----


def _pair_rows(models: Sequence[Model], dataset: Dataset, part: str) -> Iterator[dict[str, Any]]:
    """Yield every pair of models once for each metric and condition that both have."""
    if len(models) < 2:
        return
    compared, order = compare_models(dataset, models, part), [model.key for model in models]
    for place, condition in enumerate(compared.conditions):
        for metric in METRICS:
            for pair in compared.pairs(metric, condition).to_dict("records"):
                if order.index(pair["model"]) > order.index(pair["other"]):
                    continue
                resampled = not math.isnan(pair["low"])
                yield {
                    "judged_on": dataset.name,
                    "condition": condition.value,
                    "part": part,
                    "metric": metric,
                    "model": pair["model"],
                    "other": pair["other"],
                    "difference": pair["difference"],
                    "lower": pair["low"],
                    "upper": pair["high"],
                    "p": pair["p"],
                    "p_holm": pair["p_holm"],
                    "verdict": pair["verdict"].value,
                    "how": "paired bootstrap" if resampled else None,
                    "resamples": REPLICATES if resampled else None,
                    "n": int(compared.images[place]),
                }


def _defined(value: Any) -> Any:
    """Return the value with None in place of every NaN, which JSON has no word for."""
    if isinstance(value, dict):
        return {key: _defined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_defined(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
