"""The report of a comparison as one HTML file, to print and to keep: figures, tables and the command that makes it."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan, nan
from typing import NamedTuple

import matplotlib.figure
import numpy as np
import pandas as pd

from scalp_core import terms
from scalp_core.charts import print_figures
from scalp_core.charts.dataset_charts import AXES
from scalp_core.charts.fonts import NO_KOREAN_FONT, language_of_figures
from scalp_core.data.dataset import Dataset
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import find_baselines
from scalp_core.evaluation.comparison import ExcludedRun, Model, align_runs, compare_models, leak_warnings
from scalp_core.files import sha256
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import summary
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.calibration import reliability_bins
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison
from scalp_core.metrics.verdict import Estimate, Verdict
from scalp_core.reports.html import Table, render
from scalp_core.runs.evaluations import EvaluatedRun, evaluation_notes
from scalp_core.runs.external import ExternalRun
from scalp_core.runs.run import Run
from scalp_core.terms import capitalized
from scalp_core.version import __version__

LEADING = "quadratic_weighted_kappa"
_LEADERBOARDS = (LEADING, "average_mean_absolute_error", "worst_grade_recall")
_CURVES = ("valid_qwk", "valid_loss")
_NBSP = "\N{NO-BREAK SPACE}"

_WORDS = {
    "title": Text("Comparison of models on “{data}”", "“{data}” 데이터셋의 모델 비교"),
    "synthetic": terms.SYNTHETIC_DATA,
    "compared": Text("Compared", "비교 대상"),
    "data": capitalized(terms.DATASET),
    "part": capitalized(terms.SPLIT),
    "images": capitalized(terms.PICTURES),
    "captures": capitalized(terms.CAPTURES),
    "models": Text("Models", "모델"),
    "index_hash": Text("Hash of the index", "색인 해시"),
    "evaluation_hash": Text("Hash of the evaluation data", "평가 데이터 해시"),
    "version": Text("Version", "버전"),
    "date": Text("Date", "날짜"),
    "short": Text("Summary", "요약"),
    "metrics": Text("All conditions", "전체 증상"),
    "board": Text(
        "Value and 95% CI; below: baselines and, where known, the ceiling.",
        "값과 95% 신뢰 구간. 아래 줄은 기준선과, 알 수 있는 경우 기대 최고값이에요.",
    ),
    "intervals": Text(
        "Value, letter and [95% CI]; bootstrap over {groups} captures. a: the best of a condition and every model not "
        "significantly different from it (Holm-corrected).",
        "값, 글자, [95% 신뢰 구간]. 촬영 {groups}건의 부트스트랩이에요. a는 그 증상의 최고 모델과, 그와 유의한 차이가 "
        "없는 모델이에요(Holm 보정).",
    ),
    "higher": terms.HIGHER_IS_BETTER,
    "lower": terms.LOWER_IS_BETTER,
    "model": capitalized(terms.MODEL),
    "labelled": Text("labelled pictures: {images}", "라벨이 있는 사진: {images}장"),
    "matrices": Text(
        "Confusion matrices (rows: label, columns: prediction) with numbers of pictures, on one colour scale.",
        "혼동 행렬(행은 라벨, 열은 예측)과 사진 수. 색 척도는 모두 같아요.",
    ),
    "forest": Text(
        "Differences from the best model with Holm-corrected 95% CI. Band: practically equal.",
        "가장 좋은 모델과의 차이와 Holm 보정 95% 신뢰 구간. 띠 안의 차이는 사실상 같아요.",
    ),
    "recall": Text("Recall by grade with 95% CI.", "등급별 재현율과 95% 신뢰 구간."),
    "reliability": Text(
        "Reliability diagram in bins of equal size, with the expected calibration error; below the dashed line: "
        "overconfident.",
        "신뢰도 다이어그램(같은 크기의 구간)과 기대 보정 오차(ECE). 점선 아래는 과신이에요.",
    ),
    "costs": Text("Cost", "비용"),
    "cost_of": Text("{condition}: {metric} and cost.", "{condition}: {metric} 값과 비용."),
    "cost_of_time": Text(
        "Time: one picture on one core of the machine that made this report.",
        "시간은 이 보고서를 만든 컴퓨터의 코어 하나로 사진 한 장을 처리하는 시간이에요.",
    ),
    "cost_of_size": Text(
        "By model size: times are not measured for all models yet.",
        "모델 크기 기준이에요. 시간은 아직 모든 모델에서 측정하지 않았어요.",
    ),
    "curves": capitalized(terms.LEARNING_CURVES),
    "curves_of": Text("{measure} by epoch, one line per run.", "에폭별 {measure}, 실행마다 한 줄."),
    "difference": Text("{metric} difference", "{metric} 차이"),
    "against": Text("Against", "비교 대상"),
    "verdict": capitalized(terms.VERDICT),
    "recipes": Text("Recipes", "학습 설정"),
    "differ": Text("Fields that differ", "서로 다른 항목"),
    "alike": Text("All recipes are the same except for seeds.", "시드를 제외한 모든 설정이 같아요."),
    "field": Text("Field", "항목"),
    "seeds": terms.SEED,
    "whole": Text("Full recipe of {run}", "{run}의 전체 학습 설정"),
    "files": Text("Runs and files", "실행과 파일"),
    "files_note": Text(
        "SHA-256 of the files of each run and of its operating point.",
        "각 실행의 파일과 운영점 파일의 SHA-256이에요.",
    ),
    "run": capitalized(terms.RUN),
    "trained": Text("Training time", "학습 시간"),
    "seed": capitalized(terms.SEED),
    "device": Text("Device", "장치"),
    "versions": Text("Libraries", "라이브러리"),
    "file": capitalized(terms.FILE),
    "left_out": Text("Excluded runs", "비교에서 제외된 실행"),
    "none": Text("None.", "없어요."),
    "reason": capitalized(terms.REASON),
    "again": Text("Reproduce this report", "보고서 재현 명령"),
    "part_train": terms.SPLITS["train"],
    "part_valid": terms.SPLITS["valid"],
    "part_calib": terms.SPLITS["calib"],
    "part_test": terms.SPLITS["test"],
    "valid_qwk": capitalized(terms.VALID_QWK),
    "valid_loss": capitalized(terms.VALID_LOSS),
}


_RENDERED = terms.SYNTHETIC_MODEL


class _Report:
    """All that the chapters share, computed once."""

    def __init__(self, dataset: Dataset, models: Sequence[Model], part: str, language: str) -> None:
        self.dataset, self.models, self.part, self.language = dataset, models, part, language
        self.names = {model.key: model.name for model in models}
        self.runs = [run for model in models for run in model.runs]
        self.trained_runs = [run for run in self.runs if not isinstance(run, ExternalRun)]
        self.comparison: Comparison = compare_models(dataset, models, part)
        self.predictions: AlignedPredictions = align_runs(dataset, self.runs, part)

    @property
    def synthetic(self) -> bool:
        return self.dataset.synthetic

    @property
    def warnings(self) -> list[Text]:
        """Return what spoils figures.

        Pictures learned from before, runs that learned from synthetic pictures, and grades as frequent as they never
        are.
        """
        runs = ", ".join(run.id for run in self.runs if run.synthetic and not self.synthetic)
        origin = [Text(f"{runs}: {_RENDERED.en}", f"{runs}: {_RENDERED.ko}")] if runs else []
        leaks, notes = leak_warnings(self.models)
        prior = [terms.TEMPERED_DATA] if self.dataset.tempered else []
        return leaks + origin + prior + evaluation_notes(self.runs) + notes

    def say(self, key: str, **values: object) -> str:
        return _WORDS[key](self.language).format(**values)

    def of(self, text: Text) -> str:
        return text(self.language)


class _Figure(NamedTuple):
    """One figure with its caption.

    Attributes:
        drawing: SVG without the opening `<svg`, which the template writes with the caption as its label.
    """

    drawing: str
    caption: str


class _FigureWithTable(NamedTuple):
    figure: _Figure
    table: Table
    title: str = ""


class _Chapter(NamedTuple):
    """One condition; without figures where no model grades it."""

    title: str
    opening: str
    chance: str = ""
    matrices: _Figure | None = None
    differences: _FigureWithTable | None = None
    recall: _Figure | None = None
    reliability: _Figure | None = None


class _Costs(NamedTuple):
    note: str
    figures: Sequence[_Figure]


def render_report(
    dataset: Dataset, models: Sequence[Model], excluded: Sequence[ExcludedRun], part: str, language: str, date: str
) -> str:
    """Return the report as one HTML document.

    Args:
        models: of `list_candidates`, at least one; shown in this order.
        excluded: of `list_candidates`; listed with their reasons.
        date: as it is to be shown.
    """
    report = _Report(dataset, models, part, language)
    return render(
        "comparison.html.j2",
        language,
        report.say("title", data=dataset.name),
        say=report.say,
        synthetic=report.synthetic,
        warnings=[report.of(text) for text in report.warnings],
        font_note="" if language_of_figures(language) == language else report.of(NO_KOREAN_FONT),
        facts=_facts(report, date),
        groups=f"{report.comparison.groups:,}",
        openings=[_opening(report, condition) for condition in CONDITIONS],
        leaderboards=[_leaderboard(report, metric) for metric in _LEADERBOARDS],
        conditions=[_chapter(report, condition) for condition in CONDITIONS],
        costs=_costs(report),
        curves=_learning_curves(report),
        differing_fields=_differing_fields(report),
        recipes=[(run.id, _as_json(asdict(run.recipe.without_folder))) for run in report.trained_runs],
        trainings=_trainings(report),
        hashes=_hashes(report),
        excluded=_excluded(report, excluded),
        command=command(dataset, models, part, language),
    )


def command(dataset: Dataset, models: Sequence[Model], part: str, language: str) -> str:
    """Return the shell command that makes the same report, quoted."""
    run_ids = [run.id for model in models for run in model.runs]
    words = ["python", "-m", "training.report", "--html", "report.html", "--data", dataset.name, "--part", part]
    return shlex.join([*words, "--language", language, "--runs", *run_ids])


# ---- overview ----


def _facts(report: _Report, date: str) -> list[tuple[str, str]]:
    comparison, dataset = report.comparison, report.dataset
    counts = ", ".join(
        f"{report.of(condition.text)} {images:,}"
        for condition, images in zip(comparison.conditions, comparison.images, strict=True)
    )
    facts = {
        "data": f"{dataset.name} ({dataset.kind})",
        "part": report.say(f"part_{report.part}"),
        "images": f"{len(report.predictions.images):,} · {report.say('labelled', images=counts)}",
        "captures": f"{comparison.groups:,}",
        "models": ", ".join(report.names.values()),
        "evaluation_hash": dataset.evaluation_hash,
        "index_hash": dataset.index_hash,
        "version": f"Scalp Lab {__version__}",
        "date": date,
    }
    return [(report.say(key), value) for key, value in facts.items()]


def _opening(report: _Report, condition: Condition) -> str:
    costs = {model.key: summary.Cost(model.parameters, model.milliseconds) for model in report.models}
    sentences = summary.summarize(report.comparison, condition, report.names, costs, LEADING)
    return " ".join(report.of(sentence) for sentence in sentences)


def _leaderboard(report: _Report, metric_key: str) -> _FigureWithTable:
    comparison, metric = report.comparison, METRICS[metric_key]
    baselines = find_baselines(report.dataset, report.part)
    drawing = print_figures.leaderboard(
        comparison, report.names, metric_key, baselines, report.language, synthetic=report.synthetic
    )
    letters = {condition: comparison.tied(metric_key, condition) for condition in CONDITIONS}
    means = comparison.mean_estimates(metric_key)
    rows = [
        [
            name,
            *(
                _estimate(comparison.estimate(metric_key, key, condition), letters[condition].get(key, ""))
                for condition in CONDITIONS
            ),
            _estimate(means[key], ""),
        ]
        for key, name in report.names.items()
    ]
    heads = [report.say("model"), *(report.of(condition.text) for condition in CONDITIONS), report.of(AXES["mean"])]
    direction = report.say("higher" if metric.higher_is_better else "lower")
    title = f"{report.say('metrics')}: {report.of(metric.text)} ({direction})"
    return _FigureWithTable(_figure(drawing, report.say("board")), Table(heads, rows, "whole"), title)


# ---- one condition ----


def _chapter(report: _Report, condition: Condition) -> _Chapter:
    title = f"{condition.number} · {report.of(condition.text)}"
    opening = _opening(report, condition)
    graded = report.comparison.graded(condition, LEADING)
    if not graded:
        return _Chapter(title, opening)
    texts = (
        describe(report.comparison, condition, LEADING)
        for describe in (summary.chance_spread, summary.detectable_differences)
    )
    return _Chapter(
        title,
        opening,
        " ".join(report.of(text) for text in texts if text),
        _matrices(report, condition),
        _differences(report, condition) if len(graded) > 1 else None,
        _recall(report, condition),
        _reliability(report, condition),
    )


def _matrices(report: _Report, condition: Condition) -> _Figure:
    comparison = report.comparison
    counts = dict(zip(comparison.models, comparison.counts[:, comparison.conditions.index(condition)], strict=True))
    graded = {name: counts[key] for key, name in report.names.items() if counts[key].any()}
    drawing = print_figures.confusion_matrices(graded, condition, report.language, synthetic=report.synthetic)
    return _figure(drawing, report.say("matrices"))


def _differences(report: _Report, condition: Condition) -> _FigureWithTable | None:
    best, pairs = report.comparison.best(LEADING, condition), report.comparison.pairs(LEADING, condition)
    if best is None:
        return None
    names = report.names
    drawing = print_figures.forest(
        pairs, names, best, LEADING, report.language, condition=condition, synthetic=report.synthetic
    )
    rows = [
        [
            names[row["model"]],
            names[best],
            _difference(row),
            _p_value(row["p_holm"]),
            report.of(Verdict(row["verdict"]).text),
        ]
        for row in pairs[pairs["other"] == best].to_dict("records")
    ]
    difference = report.say("difference", metric=report.of(METRICS[LEADING].short))
    heads = [report.say("model"), report.say("against"), difference, report.of(terms.P_HOLM), report.say("verdict")]
    return _FigureWithTable(_figure(drawing, report.say("forest")), Table(heads, rows, "whole"))


def _recall(report: _Report, condition: Condition) -> _Figure:
    drawing = print_figures.recall(
        report.comparison, condition, report.names, report.language, synthetic=report.synthetic
    )
    return _figure(drawing, report.say("recall"))


def _reliability(report: _Report, condition: Condition) -> _Figure:
    bins = {model.name: _reliability_bins(report.predictions, model, condition) for model in report.models}
    drawing = print_figures.reliability(
        {name: table for name, table in bins.items() if not table.empty},
        report.language,
        condition=condition,
        synthetic=report.synthetic,
    )
    return _figure(drawing, report.say("reliability"))


def _reliability_bins(predictions: AlignedPredictions, model: Model, condition: Condition) -> pd.DataFrame:
    """Return the bins over all runs of the model together."""
    runs, place = [predictions.run(run.id) for run in model.runs], predictions.condition(condition)
    judged = predictions.judged[runs, place]
    truth = np.broadcast_to(predictions.truth[place], judged.shape)[judged]
    probabilities = predictions.probabilities[runs, place][judged]
    return reliability_bins(probabilities.astype(np.float64), truth.astype(np.int64))


# ---- costs and learning curves ----


def _costs(report: _Report) -> _Costs:
    timed = all(model.milliseconds is not None for model in report.models if not model.external)
    graded = [condition for condition in CONDITIONS if report.comparison.graded(condition, LEADING)]
    figures = [_pareto(report, condition, "milliseconds" if timed else "parameters") for condition in graded]
    return _Costs(report.say("cost_of_time" if timed else "cost_of_size"), figures)


def _pareto(report: _Report, condition: Condition, cost: str) -> _Figure:
    rows = []
    for model in report.models:
        estimate = report.comparison.estimate(LEADING, model.key, condition)
        milliseconds = nan if model.milliseconds is None else model.milliseconds
        size = nan if model.parameters is None else model.parameters
        rows.append((model.name, estimate.value, estimate.low, estimate.high, milliseconds, size))
    table = pd.DataFrame(rows, columns=["name", "value", "low", "high", "milliseconds", "parameters"])
    drawing = print_figures.pareto(
        table, LEADING, cost, report.language, condition=condition, synthetic=report.synthetic
    )
    metric = report.of(METRICS[LEADING].short)
    return _figure(drawing, report.say("cost_of", metric=metric, condition=report.of(condition.text)))


def _learning_curves(report: _Report) -> list[_Figure]:
    """Return no figure where no run has a history."""
    histories = {
        model.name if len(model.runs) == 1 else f"{model.name} · {report.say('seeds')} {run.recipe.seed}": run.history
        for model in report.models
        for run in model.runs
    }
    histories = {name: history for name, history in histories.items() if {"epoch", *_CURVES} <= set(history)}
    if not histories:
        return []
    return [
        _figure(
            print_figures.curves(histories, measure, report.language, synthetic=report.synthetic),
            report.say("curves_of", measure=report.say(measure)),
        )
        for measure in _CURVES
    ]


# ---- recipes and files ----


def _differing_fields(report: _Report) -> Table:
    recipes = {model.name: _recipe_fields(model) for model in report.models if not model.external}
    fields = [
        field for field in next(iter(recipes.values()), {}) if len({recipe[field] for recipe in recipes.values()}) > 1
    ]
    rows = [[field, *(recipe[field] for recipe in recipes.values())] for field in fields]
    return Table([report.say("field"), *recipes], rows)


def _recipe_fields(model: Model) -> dict[str, str]:
    """Return every field of the recipe as text, with the seeds of all runs and the hash of the index."""
    recipe = asdict(model.recipe.without_folder)
    fields = {name: json.dumps(value, ensure_ascii=False) for name, value in recipe.items()}
    seeds = ", ".join(str(run.recipe.seed) for run in model.runs)
    return fields | {"seed": seeds, "index": model.runs[0].index_hash}


def _as_json(fields: Mapping[str, object]) -> str:
    """Return JSON with one line a field."""
    lines = (f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def _trainings(report: _Report) -> Table:
    heads = [report.say(key) for key in ("run", "trained", "seed", "device", "versions")]
    return Table(heads, [_training(run) for run in report.trained_runs])


def _training(run: Run) -> list[str]:
    manifest = run.manifest
    versions = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    seconds = f"{manifest['seconds']:,.0f} s" if "seconds" in manifest else "–"
    return [run.id, seconds, str(run.recipe.seed), str(manifest.get("device", "–")), versions or "–"]


def _hashes(report: _Report) -> Table:
    rows = [[run.id, name, digest] for run in report.runs for name, digest in _file_hashes(run).items()]
    return Table([report.say("run"), report.say("file"), "SHA-256"], rows, "hashes")


def _file_hashes(run: Run) -> dict[str, str]:
    beside = [run.operating_point_path, *([run.predictions_path] if isinstance(run, EvaluatedRun) else [])]
    return dict(run.manifest["files"]) | {path.name: sha256(path) for path in beside if path.exists()}


def _excluded(report: _Report, excluded: Sequence[ExcludedRun]) -> Table:
    rows = [[exclusion.run.id, report.of(exclusion.reason)] for exclusion in excluded]
    return Table([report.say("run"), report.say("reason")], rows)


# ---- numbers ----


def _estimate(estimate: Estimate, letter: str) -> str:
    if isnan(estimate.value):
        return "–"
    value = f"{_number(estimate.value)} {letter}".strip().replace(" ", _NBSP)
    return value if isnan(estimate.low) else f"{value} [{_number(estimate.low)},{_NBSP}{_number(estimate.high)}]"


def _difference(row: Mapping[object, float]) -> str:
    if isnan(row["low"]):
        return _number(row["difference"], "+z.3f")
    value, low, high = (_number(row[name], "+z.3f") for name in ("difference", "low", "high"))
    return f"{value} [{low},{_NBSP}{high}]"


def _number(value: float, form: str = "z.3f") -> str:
    return f"{value:{form}}".replace("-", "−")


def _p_value(p: float) -> str:
    if isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


# ---- drawings ----


def _figure(drawing: matplotlib.figure.Figure, caption: str) -> _Figure:
    svg = print_figures.as_svg(drawing)
    svg = svg[svg.index("<svg ") + len("<svg ") :]
    # Metadata is for a file of its own. A document may have each id of a group once only.
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    return _Figure(re.sub(r'<g id="[^"]*">', "<g>", svg), caption)
