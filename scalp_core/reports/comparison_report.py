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

from scalp_core import __version__
from scalp_core.charts import print_figures
from scalp_core.charts.fonts import NO_KOREAN_FONT, language_of_figures
from scalp_core.data.dataset import Dataset
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import find_baselines
from scalp_core.evaluation.comparison import ExcludedRun, Model, align_runs, compare_models
from scalp_core.files import sha256
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import summary
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.calibration import reliability_bins
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison, Estimate, Verdict
from scalp_core.reports.html import Table, render
from scalp_core.runs.run import Run

LEADING = "quadratic_weighted_kappa"
_LEADERBOARDS = (LEADING, "average_mean_absolute_error", "worst_grade_recall")
_CURVES = ("valid_qwk", "valid_loss")
_NBSP = "\N{NO-BREAK SPACE}"

_WORDS = {
    "title": Text("Comparison of models on “{data}”", "“{data}” 데이터 세트에서의 모델 비교"),
    "synthetic": Text(
        "SYNTHETIC: these pictures were drawn by a program. What is measured on them says nothing about real scalps.",
        "합성(SYNTHETIC) 데이터: 프로그램이 그린 사진입니다. 여기서 잰 값으로 실제 두피에 대해 말할 수 있는 것은 "
        "없습니다.",
    ),
    "compared": Text("What was compared", "비교 대상"),
    "data": Text("Data set", "데이터 세트"),
    "part": Text("Part", "분할"),
    "images": Text("Pictures", "사진 수"),
    "captures": Text("Captures", "촬영 수"),
    "models": Text("Models", "모델"),
    "index_hash": Text("Hash of the index", "색인 해시"),
    "evaluation_hash": Text("Hash of what is judged on", "평가 데이터 해시"),
    "version": Text("Program", "프로그램"),
    "date": Text("Date", "날짜"),
    "short": Text("In short", "요약"),
    "metrics": Text("All conditions", "전체 증상"),
    "board": Text(
        "Value and 95 % interval; below, what is reached without a network and, where it is known, the best to be "
        "expected.",
        "값과 95% 구간. 아래 줄은 모델 없이 얻는 값과, 알 수 있는 경우 기대할 수 있는 최고값입니다.",
    ),
    "intervals": Text(
        "Value, letter and [95 % interval]. Intervals come from resampling whole captures, {groups} of them. “a” marks "
        "the best of a condition and every model that is not told apart from it; comparisons are corrected for their "
        "number (Holm).",
        "값, 문자, [95% 구간]. 구간은 촬영 단위 재표집({groups}건)으로 구했습니다. “a”는 그 증상에서 가장 좋은 모델과, "
        "그와 통계적으로 구별되지 않는 모델을 뜻합니다. 비교가 여럿이므로 Holm 보정을 했습니다.",
    ),
    "higher": Text("higher is better", "클수록 좋음"),
    "lower": Text("lower is better", "작을수록 좋음"),
    "model": Text("Model", "모델"),
    "labelled": Text("labelled pictures: {images}", "라벨이 있는 사진: {images}장"),
    "wall": Text(
        "Confusion matrices, rows the label, columns the prediction, on one colour scale; pictures in the cells.",
        "혼동행렬. 행은 라벨, 열은 예측이며 색 척도는 모두 같습니다. 칸의 숫자는 사진 수입니다.",
    ),
    "forest": Text(
        "Differences from the best model, with Holm-corrected intervals. Inside the band nobody would notice them.",
        "가장 좋은 모델과의 차이와 Holm 보정 구간. 띠 안의 차이는 사실상 없는 것과 같습니다.",
    ),
    "recall": Text("Recall of every grade, with 95 % intervals.", "등급별 재현율과 95% 구간."),
    "reliability": Text(
        "How sure and how right, in bins of equally many pictures, with the expected calibration error; below the "
        "dashed line it is too sure.",
        "확신도와 실제로 맞은 비율(구간마다 같은 수의 사진), 기대 보정 오차. 점선 아래는 지나친 확신을 뜻합니다.",
    ),
    "costs": Text("What it costs", "비용"),
    "cost_of": Text("{condition}: {metric} and what it takes.", "{condition}: {metric} 값과 그에 드는 비용."),
    "cost_of_time": Text(
        "Against the time for one picture on one core of the machine that made this report.",
        "이 보고서를 만든 컴퓨터의 코어 하나에서 사진 한 장에 드는 시간과 함께 봅니다.",
    ),
    "cost_of_size": Text(
        "Against the size of the network: the time for a picture has not been measured for all of them.",
        "모델 크기와 함께 봅니다. 사진 한 장당 시간이 아직 모두 측정되지는 않았습니다.",
    ),
    "curves": Text("Learning curves", "학습 곡선"),
    "curves_of": Text("{measure} over the epochs, a line a run.", "에폭에 따른 {measure}, 실행마다 한 줄."),
    "difference": Text("Difference in {metric}", "{metric} 차이"),
    "against": Text("Against", "비교 대상"),
    "verdict": Text("Verdict", "판단"),
    "recipes": Text("Recipes", "학습 설정"),
    "differ": Text("Fields that differ", "서로 다른 항목"),
    "alike": Text("All recipes are the same but for their seeds.", "시드를 제외한 모든 설정이 같습니다."),
    "field": Text("Field", "항목"),
    "seeds": Text("seeds", "시드"),
    "whole": Text("Whole recipe of {run}", "{run}의 전체 설정"),
    "files": Text("Runs and their files", "실행과 파일"),
    "files_note": Text(
        "SHA-256 of every file that a run vouches for, and of the operating point that its grades were decided with.",
        "각 실행이 보증하는 파일과 등급 판정에 쓴 운영점 파일의 SHA-256입니다.",
    ),
    "run": Text("Run", "실행"),
    "trained": Text("Training time", "학습 시간"),
    "seed": Text("Seed", "시드"),
    "device": Text("Device", "장치"),
    "versions": Text("Libraries", "라이브러리"),
    "file": Text("File", "파일"),
    "left_out": Text("Runs left out", "비교에서 제외된 실행"),
    "nobody": Text("None.", "없습니다."),
    "reason": Text("Why", "이유"),
    "again": Text("To make this report again", "이 보고서를 다시 만들려면"),
    "part_train": Text("training", "학습"),
    "part_valid": Text("validation", "검증"),
    "part_calib": Text("calibration", "보정"),
    "part_test": Text("test", "테스트"),
    "valid_qwk": Text("QWK on validation", "검증 QWK"),
    "valid_loss": Text("Loss on validation", "검증 손실"),
}


class _Report:
    """All that the chapters share, computed once."""

    def __init__(self, dataset: Dataset, models: Sequence[Model], part: str, language: str) -> None:
        self.dataset, self.models, self.part, self.language = dataset, models, part, language
        self.names = {model.key: model.name for model in models}
        self.runs = [run for model in models for run in model.runs]
        self.comparison: Comparison = compare_models(dataset, models, part)
        self.predictions: AlignedPredictions = align_runs(dataset, self.runs, part)

    @property
    def synthetic(self) -> bool:
        return self.dataset.synthetic

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
        font_note="" if language_of_figures(language) == language else report.of(NO_KOREAN_FONT),
        facts=_facts(report, date),
        groups=f"{report.comparison.groups:,}",
        openings=[_opening(report, condition) for condition in CONDITIONS],
        leaderboards=[_leaderboard(report, metric) for metric in _LEADERBOARDS],
        conditions=[_chapter(report, condition) for condition in CONDITIONS],
        costs=_costs(report),
        curves=_learning_curves(report),
        differing_fields=_differing_fields(report),
        recipes=[(run.id, _as_json(asdict(run.recipe))) for run in report.runs],
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
    rows = [
        [
            name,
            *(
                _estimate(comparison.estimate(metric_key, key, condition), letters[condition].get(key, ""))
                for condition in CONDITIONS
            ),
        ]
        for key, name in report.names.items()
    ]
    heads = [report.say("model"), *(report.of(condition.text) for condition in CONDITIONS)]
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
    counts = dict(zip(comparison.sides, comparison.counts[:, comparison.conditions.index(condition)], strict=True))
    graded = {name: counts[key] for key, name in report.names.items() if counts[key].any()}
    drawing = print_figures.confusion_matrices(graded, condition, report.language, synthetic=report.synthetic)
    return _figure(drawing, report.say("wall"))


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
            names[row["side"]],
            names[best],
            _difference(row),
            _p_value(row["p_holm"]),
            report.of(Verdict(row["verdict"]).text),
        ]
        for row in pairs[pairs["other"] == best].to_dict("records")
    ]
    difference = report.say("difference", metric=report.of(METRICS[LEADING].short))
    heads = [report.say("model"), report.say("against"), difference, "p (Holm)", report.say("verdict")]
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
    timed = all(model.milliseconds is not None for model in report.models)
    graded = [condition for condition in CONDITIONS if report.comparison.graded(condition, LEADING)]
    figures = [_pareto(report, condition, "milliseconds" if timed else "parameters") for condition in graded]
    return _Costs(report.say("cost_of_time" if timed else "cost_of_size"), figures)


def _pareto(report: _Report, condition: Condition, cost: str) -> _Figure:
    rows = []
    for model in report.models:
        estimate = report.comparison.estimate(LEADING, model.key, condition)
        milliseconds = nan if model.milliseconds is None else model.milliseconds
        rows.append((model.name, estimate.value, estimate.low, estimate.high, milliseconds, model.parameters))
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
    recipes = {model.name: _recipe_fields(model) for model in report.models}
    fields = [
        field for field in next(iter(recipes.values())) if len({recipe[field] for recipe in recipes.values()}) > 1
    ]
    rows = [[field, *(recipe[field] for recipe in recipes.values())] for field in fields]
    return Table([report.say("field"), *recipes], rows)


def _recipe_fields(model: Model) -> dict[str, str]:
    """Return every field of the recipe as text, with the seeds of all runs and the hash of the index."""
    fields = {name: json.dumps(value, ensure_ascii=False) for name, value in asdict(model.recipe).items()}
    seeds = ", ".join(str(run.recipe.seed) for run in model.runs)
    return fields | {"seed": seeds, "index": model.runs[0].index_hash}


def _as_json(fields: Mapping[str, object]) -> str:
    """Return JSON with one line a field."""
    lines = (f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def _trainings(report: _Report) -> Table:
    heads = [report.say(key) for key in ("run", "trained", "seed", "device", "versions")]
    return Table(heads, [_training(run) for run in report.runs])


def _training(run: Run) -> list[str]:
    manifest = run.manifest
    versions = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    seconds = f"{manifest['seconds']:,.0f} s" if "seconds" in manifest else "–"
    return [run.id, seconds, str(run.recipe.seed), str(manifest.get("device", "–")), versions or "–"]


def _hashes(report: _Report) -> Table:
    rows = [[run.id, name, digest] for run in report.runs for name, digest in _file_hashes(run).items()]
    return Table([report.say("run"), report.say("file"), "SHA-256"], rows, "hashes")


def _file_hashes(run: Run) -> dict[str, str]:
    point = run.operating_point_path
    return dict(run.manifest["files"]) | ({point.name: sha256(point)} if point.exists() else {})


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
