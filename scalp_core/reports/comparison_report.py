"""The report of a comparison as one HTML file, to print and to keep: figures, tables, and how to make it again.

Nothing in it is asked for elsewhere and nothing in it runs. Names of runs and data sets come from people: all text is
escaped.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from math import isnan

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

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
from scalp_core.reports.html import RESEARCH, document, heading, paragraph, table
from scalp_core.runs.runs import Run

LEADING = "quadratic_weighted_kappa"
_SHOWN = (LEADING, "average_mean_absolute_error", "worst_grade_recall")
_KEPT = "\N{NO-BREAK SPACE}"
_CURVES = ("valid_qwk", "valid_loss")

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
    """What all its chapters need, worked out once; see `report`."""

    def __init__(self, dataset: Dataset, sides: Sequence[Model], part: str, language: str) -> None:
        self.dataset, self.sides, self.part, self.language = dataset, sides, part, language
        self.names = {side.key: side.name for side in sides}
        self.comparison: Comparison = compare_models(dataset, sides, part)
        self.aligned: AlignedPredictions = align_runs(dataset, [run for side in sides for run in side.runs], part)

    def say(self, key: str, **values: object) -> str:
        return _WORDS[key](self.language).format(**values)

    def of(self, text: Text) -> str:
        return text(self.language)


def report(
    dataset: Dataset, sides: Sequence[Model], left_out: Sequence[ExcludedRun], part: str, language: str, date: str
) -> str:
    """The whole document.

    Args:
        sides: of comparison.candidates, at least one; they stand in this order.
        left_out: likewise; what was not compared is told with its reason.
        date: as it is to be shown.
    """
    one = _Report(dataset, sides, part, language)
    chapters = (
        _heading(one, date),
        _short(one),
        *(_leaderboard(one, metric) for metric in _SHOWN),
        *(_condition(one, condition) for condition in CONDITIONS),
        _costs(one),
        _learning(one),
        _recipes(one),
        _files(one),
        _left_out(one, left_out),
        _again(one),
    )
    return document(language, one.say("title", data=dataset.name), "\n".join(chapters), _STYLE)


# ---- chapters ----


def _heading(one: _Report, date: str) -> str:
    counts = ", ".join(
        f"{one.of(condition.text)} {images:,}"
        for condition, images in zip(one.comparison.conditions, one.comparison.images, strict=True)
    )
    facts = {
        "data": f"{one.dataset.name} ({one.dataset.kind})",
        "part": one.say(f"part_{one.part}"),
        "images": f"{len(one.aligned.images):,} · {one.say('labelled', images=counts)}",
        "captures": f"{one.comparison.groups:,}",
        "models": ", ".join(one.names.values()),
        "evaluation_hash": one.dataset.evaluation_hash,
        "index_hash": one.dataset.index_hash,
        "version": f"Scalp Lab {__version__}",
        "date": date,
    }
    rows = "".join(f"<dt>{escape(one.say(key))}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    marks = [paragraph(one.say("synthetic"), "synthetic")] if one.dataset.synthetic else []
    if language_of_figures(one.language) != one.language:
        marks.append(paragraph(one.of(NO_KOREAN_FONT), "note"))
    return "\n".join(
        (
            f"<h1>{escape(one.say('title', data=one.dataset.name))}</h1>",
            paragraph(RESEARCH(one.language), "research"),
            *marks,
            heading(one.say("compared")),
            f"<dl>{rows}</dl>",
        )
    )


def _short(one: _Report) -> str:
    items = (f"<li>{escape(' '.join(_opening(one, condition)))}</li>" for condition in CONDITIONS)
    return f"{heading(one.say('short'))}<ul>{''.join(items)}</ul>"


def _opening(one: _Report, condition: Condition) -> list[str]:
    costs = {side.key: summary.Cost(side.parameters, side.milliseconds) for side in one.sides}
    return [one.of(text) for text in summary.opening(one.comparison, condition, one.names, costs, LEADING)]


def _leaderboard(one: _Report, metric: str) -> str:
    shown, against = METRICS[metric], find_baselines(one.dataset, one.part)
    direction = one.say("higher" if shown.higher_is_better else "lower")
    drawn = print_figures.leaderboard(
        one.comparison, one.names, metric, against, one.language, synthetic=one.dataset.synthetic
    )
    letters = {condition: one.comparison.tied(metric, condition) for condition in CONDITIONS}
    rows = [
        [name, *(_cell(one.comparison.estimate(metric, key, each), letters[each].get(key, "")) for each in CONDITIONS)]
        for key, name in one.names.items()
    ]
    title = f"{one.say('metrics')}: {one.of(shown.text)} ({direction})"
    return _chapter(
        title,
        _figure(drawn, one.say("board")),
        table([one.say("model"), *(one.of(condition.text) for condition in CONDITIONS)], rows, "whole"),
        paragraph(one.say("intervals", groups=f"{one.comparison.groups:,}"), "note"),
    )


def _cell(found: Estimate, letter: str) -> str:
    if isnan(found.value):
        return "–"
    value = f"{_number(found.value)} {letter}".strip().replace(" ", _KEPT)
    return value if isnan(found.low) else f"{value} [{_number(found.low)},{_KEPT}{_number(found.high)}]"


def _number(value: float, form: str = "z.3f") -> str:
    return f"{value:{form}}".replace("-", "−")


def _condition(one: _Report, condition: Condition) -> str:
    title = f"{condition.number} · {one.of(condition.text)}"
    graded = one.comparison.graded(condition, LEADING)
    told = paragraph(" ".join(_opening(one, condition)))
    if not graded:
        return _chapter(title, told)
    known = (say_of(one.comparison, condition, LEADING) for say_of in (summary.luck, summary.power))
    chance = " ".join(one.of(text) for text in known if text)
    return _chapter(
        title,
        told,
        paragraph(chance, "note") if chance else "",
        _wall(one, condition),
        *(_differences(one, condition) if len(graded) > 1 else ()),
        _recall(one, condition),
        _reliability(one, condition),
    )


def _wall(one: _Report, condition: Condition) -> str:
    place = one.comparison.conditions.index(condition)
    counts = dict(zip(one.comparison.sides, one.comparison.counts[:, place], strict=True))
    graded = {name: counts[key] for key, name in one.names.items() if counts[key].any()}
    drawn = print_figures.wall(graded, condition, one.language, synthetic=one.dataset.synthetic)
    return _figure(drawn, one.say("wall"))


def _differences(one: _Report, condition: Condition) -> Iterable[str]:
    best, pairs = one.comparison.best(LEADING, condition), one.comparison.pairs(LEADING, condition)
    if best is None:
        return
    drawn = print_figures.forest(
        pairs, one.names, best, LEADING, one.language, condition=condition, synthetic=one.dataset.synthetic
    )
    yield _figure(drawn, one.say("forest"))
    rows = [
        [one.names[row["side"]], one.names[best], _difference(row), _p(row["p_holm"]), _verdict(one, row["verdict"])]
        for row in pairs[pairs["other"] == best].to_dict("records")
    ]
    metric = one.say("difference", metric=one.of(METRICS[LEADING].short))
    heads = [one.say("model"), one.say("against"), metric, "p (Holm)", one.say("verdict")]
    yield table(heads, rows, "whole")


def _difference(row: Mapping[object, float]) -> str:
    if isnan(row["low"]):
        return _number(row["difference"], "+z.3f")
    value, low, high = (_number(row[name], "+z.3f") for name in ("difference", "low", "high"))
    return f"{value} [{low},{_KEPT}{high}]"


def _p(value: float) -> str:
    if isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _verdict(one: _Report, verdict: str) -> str:
    return one.of(Verdict(verdict).text)


def _recall(one: _Report, condition: Condition) -> str:
    drawn = print_figures.recall(one.comparison, condition, one.names, one.language, synthetic=one.dataset.synthetic)
    return _figure(drawn, one.say("recall"))


def _reliability(one: _Report, condition: Condition) -> str:
    tables = {side.name: table for side in one.sides if not (table := _sureness(one.aligned, side, condition)).empty}
    drawn = print_figures.reliability(tables, one.language, condition=condition, synthetic=one.dataset.synthetic)
    return _figure(drawn, one.say("reliability"))


def _sureness(lined_up: AlignedPredictions, side: Model, condition: Condition) -> pd.DataFrame:
    """Of all its runs together."""
    runs, place = [lined_up.run(run.id) for run in side.runs], lined_up.condition(condition)
    known = lined_up.judged[runs, place]
    truth = np.broadcast_to(lined_up.truth[place], known.shape)[known]
    return reliability_bins(lined_up.probabilities[runs, place][known].astype(np.float64), truth.astype(np.int64))


def _costs(one: _Report) -> str:
    timed = all(side.milliseconds is not None for side in one.sides)
    judged = [condition for condition in CONDITIONS if one.comparison.graded(condition, LEADING)]
    drawn = (_pareto(one, condition, "milliseconds" if timed else "parameters") for condition in judged)
    return _chapter(one.say("costs"), paragraph(one.say("cost_of_time" if timed else "cost_of_size")), *drawn)


def _pareto(one: _Report, condition: Condition, cost: str) -> str:
    rows = []
    for side in one.sides:
        found = one.comparison.estimate(LEADING, side.key, condition)
        milliseconds = float("nan") if side.milliseconds is None else side.milliseconds
        rows.append((side.name, found.value, found.low, found.high, milliseconds, side.parameters))
    table = pd.DataFrame(rows, columns=["name", "value", "low", "high", "milliseconds", "parameters"])
    drawn = print_figures.pareto(
        table, LEADING, cost, one.language, condition=condition, synthetic=one.dataset.synthetic
    )
    caption = one.say("cost_of", metric=one.of(METRICS[LEADING].short), condition=one.of(condition.text))
    return _figure(drawn, caption)


def _learning(one: _Report) -> str:
    histories = {
        side.name if len(side.runs) == 1 else f"{side.name} · {one.say('seeds')} {run.recipe.seed}": run.history
        for side in one.sides
        for run in side.runs
    }
    known = {name: history for name, history in histories.items() if {"epoch", *_CURVES} <= set(history)}
    if not known:
        return ""
    drawn = (
        _figure(
            print_figures.curves(known, measure, one.language, synthetic=one.dataset.synthetic),
            one.say("curves_of", measure=one.say(measure)),
        )
        for measure in _CURVES
    )
    return _chapter(one.say("curves"), *drawn)


def _recipes(one: _Report) -> str:
    recipes = {side.name: _plain(side) for side in one.sides}
    keys = [key for key in next(iter(recipes.values())) if len({recipe[key] for recipe in recipes.values()}) > 1]
    rows = [[key, *(recipe[key] for recipe in recipes.values())] for key in keys]
    differing = table([one.say("field"), *recipes], rows) if rows else paragraph(one.say("alike"))
    whole = (
        f"<details><summary>{escape(one.say('whole', run=run.id))}</summary>"
        f"<pre>{escape(_as_json(asdict(run.recipe)))}</pre></details>"
        for side in one.sides
        for run in side.runs
    )
    return _chapter(one.say("recipes"), f"<h3>{escape(one.say('differ'))}</h3>", differing, *whole)


def _as_json(fields: Mapping[str, object]) -> str:
    """A line a field."""
    lines = (f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def _plain(side: Model) -> dict[str, str]:
    """Every field of its recipe as text; the seeds of all its runs."""
    fields = {key: json.dumps(value, ensure_ascii=False) for key, value in asdict(side.recipe).items()}
    return fields | {"seed": ", ".join(str(run.recipe.seed) for run in side.runs), "index": side.runs[0].index_hash}


def _files(one: _Report) -> str:
    runs = [run for side in one.sides for run in side.runs]
    hashes = [[run.id, name, digest] for run in runs for name, digest in _hashes(run).items()]
    return _chapter(
        one.say("files"),
        table([one.say(key) for key in ("run", "trained", "seed", "device", "versions")], map(_made, runs)),
        paragraph(one.say("files_note"), "note"),
        table([one.say("run"), one.say("file"), "SHA-256"], hashes, "hashes"),
    )


def _made(run: Run) -> list[str]:
    manifest = run.manifest
    versions = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    seconds = f"{manifest['seconds']:,.0f} s" if "seconds" in manifest else "–"
    return [run.id, seconds, str(run.recipe.seed), str(manifest.get("device", "–")), versions or "–"]


def _hashes(run: Run) -> dict[str, str]:
    point, hashes = run.operating_point_path, dict(run.manifest["files"])
    return hashes | ({point.name: sha256(point)} if point.exists() else {})


def _left_out(one: _Report, left_out: Sequence[ExcludedRun]) -> str:
    rows = [[each.run.id, one.of(each.reason)] for each in left_out]
    listed = table([one.say("run"), one.say("reason")], rows) if rows else paragraph(one.say("nobody"))
    return f"{heading(one.say('left_out'))}{listed}"


def _again(one: _Report) -> str:
    return f"{heading(one.say('again'))}<pre>{escape(command(one.dataset, one.sides, one.part, one.language))}</pre>"


def command(dataset: Dataset, sides: Sequence[Model], part: str, language: str) -> str:
    """What to type for this very report; nothing in it means more to a shell than it says."""
    runs = [run.id for side in sides for run in side.runs]
    words = ["python", "-m", "training.report", "--html", "report.html", "--data", dataset.name, "--part", part]
    return shlex.join([*words, "--language", language, "--runs", *runs])


# ---- HTML ----


def _chapter(title: str, *parts: str) -> str:
    return f"<section>{heading(title)}{''.join(parts)}</section>"


def _figure(drawn: Figure, words: str) -> str:
    picture, caption = _inline(print_figures.as_svg(drawn), words), f"<figcaption>{escape(words)}</figcaption>"
    return f'<figure><div class="wide" tabindex="0">{picture}</div>{caption}</figure>'


def _inline(svg: str, words: str) -> str:
    """Without what only a file of its own needs, and without names of groups, of which a page may have each once."""
    bare = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], count=1, flags=re.DOTALL)
    unnamed = re.sub(r'<g id="[^"]*">', "<g>", bare)
    return unnamed.replace("<svg ", f'<svg role="img" aria-label="{escape(words)}" ', 1)


_STYLE = """
.hashes td { overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; break-inside: avoid; }
svg { display: block; width: 100%; min-width: 34rem; height: auto; }
.whole { break-inside: avoid; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f4f6; padding: .6rem; font-size: .85em; }
summary { cursor: pointer; }
.hashes td:last-child { font-family: ui-monospace, monospace; font-size: .85em; min-width: 16rem; }
@media print {
  section { break-before: page; }
  section > h2 { margin-top: 0; }
  figure { margin: .6rem 0; }
  summary { break-after: avoid; }
  svg, .hashes td:last-child { min-width: 0; }
  .hashes { font-size: .7em; }
  pre { font-size: .7em; }
  details { break-inside: avoid; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; opacity: 1; }
}
"""
