"""Graded pictures to take along: one HTML file to print and to keep, a page a picture, and a CSV. Knows no page.

Names of files come from people and are escaped, like all text.
"""

import base64
import hashlib
import io
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from scalp_core import __version__, images
from scalp_core.charts import dataset_charts
from scalp_core.errors import ScalpError, Text
from scalp_core.images import Pixels
from scalp_core.inference import results_table
from scalp_core.inference.evidence import AGAINST, FOR, decided_evidence
from scalp_core.inference.predict import Answer, Grading
from scalp_core.inference.uploads import region
from scalp_core.labels import CONDITIONS, GRADES, Condition, Severity
from scalp_core.metrics.operating_point import COVERAGE
from scalp_core.palette import SEVERITY_COLORS
from scalp_core.reports.html import RESEARCH, document, facts, paragraph, table
from scalp_core.runs.runs import Run

MOST = 100  # pictures with a page of their own; the table names all

_SIDE, _MAP_SIDE, _SMALL_SIDE = 720, 320, 96  # pixels: the picture, under an evidence map, in the table
_OPACITY = 0.6
_QUALITY = 82
_SCALP_TYPE = "scalp_type"  # the last column of the table

_WORDS = {
    "title": Text("Estimated grades of a scalp picture", "두피 사진 등급 추정 결과"),
    "title_several": Text("Estimated grades of {count} scalp pictures", "두피 사진 {count}장의 등급 추정 결과"),
    "synthetic": Text(
        "SYNTHETIC: the model learned from drawn pictures. Its grades mean nothing for real scalps.",
        "합성(SYNTHETIC) 데이터: 프로그램이 그린 사진으로 학습한 모델이므로 실제 두피에 대한 등급은 의미가 없습니다.",
    ),
    "made": Text("Made {date} with Scalp Lab {version}", "{date}, Scalp Lab {version}"),
    "picture": Text("Picture", "사진"),
    "region": Text("Region", "부위"),
    "file": Text("File", "파일"),
    "size": Text("{format}, {width} × {height} pixels", "{format}, {width} × {height} 픽셀"),
    "digest": Text("SHA-256", "SHA-256"),
    "gate": Text("Quality check", "품질 검사"),
    "gate_passed": Text("passed", "통과"),
    "gate_unknown": Text("not done: this model has no such check", "하지 않음(이 모델에는 품질 검사가 없음)"),
    "gate_failed": Text("not passed", "통과하지 못함"),
    "not_gradable": Text("This picture should not be graded.", "등급을 추정하기에 알맞지 않은 사진입니다."),
    "insisted": Text(
        "It was graded all the same, on request: do not rely on the grades below.",
        "요청에 따라 추정했으나 아래 등급은 신뢰하지 마십시오.",
    ),
    "withheld": Text("It was therefore not graded.", "따라서 등급을 추정하지 않았습니다."),
    "withheld_short": Text("not graded", "추정하지 않음"),
    "type": Text("Scalp type", "두피 유형"),
    "tendencies": Text("Weaker signs of: {names}.", "그보다 약한 경향: {names}."),
    "grades": Text("Grades and where they come from", "등급과 판단 근거"),
    "grade_set": Text("{share} range: {grades}", "{share} 범위: {grades}"),
    "grade_range": Text("{low} – {high}", "{low} – {high}"),
    "grade_set_note": Text(
        "Bars: calibrated probabilities. The range holds the label in {share} of pictures like those the model was "
        "calibrated on.",
        "막대는 보정된 확률입니다. 보정에 사용한 것과 비슷한 사진이라면 {share}에서 실제 라벨이 이 범위 안에 있습니다.",
    ),
    "bars_note": Text("Bars are the model's probabilities, not calibrated.", "막대는 보정되지 않은 모델의 확률입니다."),
    "against": Text("against the grade", "등급에 반대"),
    "for": Text("for the grade", "등급을 뒷받침"),
    "legend": Text(
        "rather than the other grades; full colour is ±{scale} logits in all maps",
        "다른 등급과 비교한 값. 가장 진한 색은 ±{scale} 로짓(모든 그림 공통)",
    ),
    "answered": Text("Who answered", "응답한 모델"),
    "conditions": Text("Conditions", "증상"),
    "all_conditions": Text("all six", "여섯 가지 모두"),
    "run": Text("Run", "학습 실행"),
    "architecture": Text("Architecture", "모델 구조"),
    "data": Text("Learned from", "학습 데이터"),
    "data_synthetic": Text("{data} (synthetic)", "{data} (합성)"),
    "point": Text("Operating point", "운영점"),
    "point_plain": Text("none: most probable grade", "없음(확률이 가장 높은 등급)"),
    "missing": Text("Nobody grades: {names}.", "등급을 추정할 모델이 없는 증상: {names}."),
    "overview_note": Text(
        "Numbers are grades: 0 normal, 1 mild, 2 moderate, 3 severe. “!” marks pictures that did not pass the quality "
        "check.",
        "숫자는 등급입니다(0 양호, 1 경증, 2 중등도, 3 중증). “!”는 품질 검사를 통과하지 못한 사진입니다.",
    ),
    "more": Text(
        "Only the first {count} pictures have a page of their own.", "앞의 {count}장만 개별 쪽으로 실었습니다."
    ),
    "alt": Text("The picture as it was graded", "등급을 추정한 사진"),
    "alt_map": Text("Evidence for “{condition}: {grade}”", "‘{condition}: {grade}’의 판단 근거"),
}


class GradedPicture(NamedTuple):
    """One picture and what became of it.

    Attributes:
        name: what it is called; for people.
        data: its bytes; empty where there are none.
        answer: or why it could not be graded.
        withheld: leave the grades out, because the gate has something against the picture and nobody insisted.
    """

    name: str
    data: bytes
    answer: Answer | ScalpError
    withheld: bool = False


def html(graded: Sequence[GradedPicture], language: str, made: datetime) -> str:
    """The whole document: of one picture a page, of several a table of all and a page for each of the first MOST.

    Pictures go in as they are looked at, smaller; nothing in it is asked for elsewhere and nothing in it runs.

    Args:
        graded: at least one.
        made: when it is made; shown as it is.
    """
    one = _Report(language, made)
    if len(graded) == 1:
        return document(language, one.say("title"), _page(one, graded[0]), _STYLE)
    pages = "".join(_page(one, each) for each in graded[:MOST])
    name = one.say("title_several", count=f"{len(graded):,}")
    return document(language, name, _overview(one, name, graded) + pages, _STYLE)


def csv(graded: Sequence[GradedPicture], language: str) -> bytes:
    """A row a picture, with the columns of answer_table.schema and the picture's name as `path`.

    Where grades are withheld, the status is `withheld` and the message says why, in this language.
    """
    answers = [one.answer for one in graded if isinstance(one.answer, Answer)]
    known = {condition for answer in answers for condition in answer.gradings}
    names = results_table.schema([condition for condition in CONDITIONS if condition in known]).names
    file = io.StringIO(newline="")
    results_table.write_csv(file, names, (_row(one, language) for one in graded))
    return file.getvalue().encode(results_table.ENCODING)


def _row(one: GradedPicture, language: str) -> results_table.Row:
    row = results_table.row(one.name, one.answer, language)
    if not one.withheld or isinstance(one.answer, ScalpError):
        return row
    message = " ".join(reason.text(language) for reason in one.answer.reasons or ())
    kept = {name: row.get(name) for name in ("path", "gradable", "reasons", "intended_use")}
    return kept | {"status": "withheld", "message": message}


class _Report(NamedTuple):
    """What all its pages need."""

    language: str
    made: datetime

    def say(self, key: str, **values: object) -> str:
        return _WORDS[key](self.language).format(**values)

    def of(self, text: Text) -> str:
        return text(self.language)

    def names(self, conditions: Sequence[Condition]) -> str:
        return ", ".join(self.of(condition.text) for condition in conditions)

    def grade(self, grade: Severity) -> str:
        """`2 moderate`."""
        return dataset_charts.grade_name(grade, self.language)


# ---- all of them ----


def _overview(one: _Report, name: str, graded: Sequence[GradedPicture]) -> str:
    heads = (one.say("picture"), *(f"{each.number} {one.of(each.text)}" for each in CONDITIONS), one.say("type"))
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    rows = "".join(_overview_row(one, each) for each in graded)
    left_out = paragraph(one.say("more", count=MOST), "note") if len(graded) > MOST else ""
    return (
        f"<section>{_top(one, name)}{_marks(one, graded)}"
        f'<table class="overview"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"{paragraph(one.say('overview_note'), 'note')}{left_out}</section>"
    )


def _overview_row(one: _Report, graded: GradedPicture) -> str:
    shown = _shown(graded, _SMALL_SIDE)
    small = _image(shown, one.say("alt")) if shown is not None else ""
    answer, width = graded.answer, len(CONDITIONS) + 1
    name = f'<th scope="row"><span class="named">{small}<span>{escape(graded.name)}</span></span></th>'
    if isinstance(answer, ScalpError):
        return f'<tr>{name}<td colspan="{width}">{escape(one.of(answer.text))}</td></tr>'
    if graded.withheld:
        return f'<tr>{name}<td colspan="{width}">{escape("! " + one.say("withheld_short"))}</td></tr>'
    cells = "".join(f"<td>{_badge(one, answer.gradings.get(each))}</td>" for each in CONDITIONS)
    mark = "! " if answer.reasons else ""
    return f"<tr>{name}{cells}<td>{escape(mark + one.of(answer.scalp_type.text))}</td></tr>"


def _badge(one: _Report, grading: Grading | None) -> str:
    if not grading:
        return "–"
    told = escape(one.of(grading.grade.text))
    return f'<span class="grade g{int(grading.grade)}" title="{told}">{int(grading.grade)}</span>'


# ---- one of them ----


def _page(one: _Report, graded: GradedPicture) -> str:
    body = _refused(one, graded) if isinstance(graded.answer, ScalpError) else _answered(one, graded, graded.answer)
    return f'<section class="page">{_top(one, one.say("title"))}{body}</section>'


def _top(one: _Report, name: str) -> str:
    moment = f"{one.made:%Y-%m-%d %H:%M} {one.made.tzname() or ''}".strip()
    made = one.say("made", date=moment, version=__version__)
    return f'<header><h1>{escape(name)}</h1><p class="note">{escape(made)}</p></header>'


def _marks(one: _Report, graded: Sequence[GradedPicture]) -> str:
    answers = [each.answer for each in graded if isinstance(each.answer, Answer)]
    synthetic = any(grading.run.synthetic for answer in answers for grading in answer.gradings.values())
    return paragraph(RESEARCH(one.language), "research") + (
        paragraph(one.say("synthetic"), "synthetic") if synthetic else ""
    )


def _refused(one: _Report, graded: GradedPicture) -> str:
    error = graded.answer
    told = one.of(error.text) if isinstance(error, ScalpError) else ""
    return _marks(one, [graded]) + facts(_file(one, graded)) + paragraph(told, "warning")


def _answered(one: _Report, graded: GradedPicture, answer: Answer) -> str:
    shown = _shown(graded, _SIDE)
    picture = _image(shown, one.say("alt")) if shown is not None else ""
    told = facts((*_file(one, graded), (one.say("gate"), _gate(one, answer))))
    above = f'<div class="above"><div class="picture">{picture}</div><div>{told}'
    if graded.withheld:
        return f"{_marks(one, [graded])}{_warning(one, graded, answer)}{above}</div></div>"
    return (
        f"{_marks(one, [graded])}{_warning(one, graded, answer)}{above}{_type(one, answer)}</div></div>"
        f"{_gradings(one, answer, shown)}{_who(one, answer)}"
    )


def _file(one: _Report, graded: GradedPicture) -> list[tuple[str, str]]:
    """What is known of the file, as far as it is."""
    found, shown = [(one.say("picture"), graded.name)], region(graded.name)
    if shown:
        found.append((one.say("region"), one.of(shown)))
    if isinstance(graded.answer, Answer):
        of = graded.answer.picture
        found.append((one.say("file"), one.say("size", format=of.format, width=of.width, height=of.height)))
    if graded.data:
        found.append((one.say("digest"), hashlib.sha256(graded.data).hexdigest()))
    return found


def _gate(one: _Report, answer: Answer) -> str:
    if answer.gradable is None:
        return one.say("gate_unknown")
    return one.say("gate_passed" if answer.gradable else "gate_failed")


def _warning(one: _Report, graded: GradedPicture, answer: Answer) -> str:
    """What the gate has against the picture."""
    if not answer.reasons:
        return ""
    reasons = "".join(f"<li>{escape(one.of(reason.text))}</li>" for reason in answer.reasons)
    after = one.say("withheld" if graded.withheld else "insisted")
    return (
        f'<div class="warning"><p><strong>{escape(one.say("not_gradable"))}</strong> {escape(after)}</p>'
        f"<ul>{reasons}</ul></div>"
    )


def _type(one: _Report, answer: Answer) -> str:
    found = answer.scalp_type
    tendencies = one.say("tendencies", names=one.names(found.tendencies)) if found.tendencies else ""
    told = f"{one.of(found.reason)} {tendencies}".strip()
    return (
        f'<h2>{escape(one.say("type"))}: <span class="type">{escape(one.of(found.text))}</span></h2>{paragraph(told)}'
    )


def _gradings(one: _Report, answer: Answer, shown: Pixels | None) -> str:
    speaking = {condition: decided_evidence(grading) for condition, grading in answer.gradings.items()}
    scale = max(float(np.abs(values).max()) for values in speaking.values())
    cards = "".join(
        _card(one, grading, _evidence(one, grading, shown, speaking[condition], scale))
        for condition, grading in answer.gradings.items()
    )
    missing = [condition for condition in CONDITIONS if condition not in answer.gradings]
    nobody = paragraph(one.say("missing", names=one.names(missing)), "note") if missing else ""
    promised = any(grading.grade_set for grading in answer.gradings.values())
    note = one.say("grade_set_note", share=f"{COVERAGE:.0%}") if promised else one.say("bars_note")
    return (
        f'<h2>{escape(one.say("grades"))}</h2><div class="cards">{cards}</div>{nobody}'
        f"{_legend(one, scale)}{paragraph(note, 'note')}"
    )


def _evidence(
    one: _Report, grading: Grading, shown: Pixels | None, speaking: npt.NDArray[np.float32], scale: float
) -> str:
    if shown is None:
        return "<div></div>"
    drawn = dataset_charts.overlay(shown, speaking, scale, _OPACITY, _MAP_SIDE)
    told = one.say("alt_map", condition=one.of(grading.condition.text), grade=one.of(grading.grade.text))
    return _image(drawn, told)


def _card(one: _Report, grading: Grading, evidence: str) -> str:
    name = f"{grading.condition.number} {one.of(grading.condition.text)}"
    bars = "".join(_bar(one, grading, grade) for grade in GRADES)
    ends = grading.grade_set
    promised = one.say("grade_set", share=f"{COVERAGE:.0%}", grades=_range(one, *ends)) if ends else ""
    return (
        f'<article>{evidence}<div><h3>{escape(name)} <span class="grade g{int(grading.grade)}">'
        f'{escape(one.grade(grading.grade))}</span></h3><table class="bars"><tbody>{bars}</tbody></table>'
        f"{paragraph(promised, 'note') if promised else ''}</div></article>"
    )


def _bar(one: _Report, grading: Grading, grade: Severity) -> str:
    share = grading.probabilities[grade]
    kind = ' class="decided"' if grade is grading.grade else ""
    return (
        f'<tr{kind}><th scope="row">{escape(one.grade(grade))}</th>'
        f'<td><span class="bar g{int(grade)}" style="width: {100 * share:.1f}%"></span></td><td>{share:.0%}</td></tr>'
    )


def _range(one: _Report, low: Severity, high: Severity) -> str:
    if low is high:
        return one.grade(low)
    return one.say("grade_range", low=one.grade(low), high=one.grade(high))


def _legend(one: _Report, scale: float) -> str:
    return (
        f'<p class="legend"><span>{escape(one.say("against"))}</span> <span class="scale"></span> '
        f"<span>{escape(one.say('for'))}</span> <span>{escape(one.say('legend', scale=f'{scale:.1f}'))}</span></p>"
    )


def _who(one: _Report, answer: Answer) -> str:
    by_run: dict[Run, list[Condition]] = {}
    for condition, grading in answer.gradings.items():
        by_run.setdefault(grading.run, []).append(condition)
    heads = [one.say(key) for key in ("conditions", "run", "architecture", "data", "point")]
    rows = [_run(one, run, conditions) for run, conditions in by_run.items()]
    return f"<h2>{escape(one.say('answered'))}</h2>{table(heads, rows)}"


def _run(one: _Report, run: Run, conditions: Sequence[Condition]) -> tuple[str, ...]:
    recipe, made = run.recipe, run.operating_point.made
    data = one.say("data_synthetic", data=recipe.data) if run.synthetic else recipe.data
    about = one.say("all_conditions") if len(conditions) == len(CONDITIONS) else one.names(conditions)
    return about, run.id, recipe.architecture, data, made[:16].replace("T", " ") or one.say("point_plain")


# ---- pictures ----


def _shown(graded: GradedPicture, side: int) -> Pixels | None:
    """The picture as it is looked at; None where it cannot be."""
    try:
        image = Image.fromarray(images.decode(graded.data, (side, side)).pixels)
    except ScalpError:
        return None
    image.thumbnail((side, side))
    return np.asarray(image)


def _image(pixels: Pixels, told: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{encoded}" alt="{escape(told)}">'


_GRADES = "\n".join(f".g{grade} {{ background: {colour}; }}" for grade, colour in enumerate(SEVERITY_COLORS))

_STYLE = f"""
{_GRADES}
.g3.grade {{ color: #fff; }}
.scale {{ background: linear-gradient(to right, {AGAINST}, #f7f7f7, {FOR}); }}
"""
_STYLE += """
h1 { margin: 0; font-size: 1.35rem; }
h2 { margin: .8rem 0 .4rem; font-size: 1.05rem; border-width: 1px; }
table { margin: .3rem 0; }
header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 0 1rem; }
header p, .research, .synthetic, .warning, .warning p { margin: .35rem 0; }
.research, .synthetic, .warning { padding: .3rem .7rem; font-size: .9em; }
.warning { border-left: 4px solid #8f2317; background: #fdf0ee; }
.warning ul { margin: .2rem 0; padding-left: 1.2rem; }
.above { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 0 1.2rem;
  align-items: start; }
.above dl, .above p { margin: .2rem 0; font-size: .92em; }
.above dl { gap: .1rem .8rem; grid-template-columns: max-content 1fr; }
.above h2 { border: 0; margin: .5rem 0 .1rem; }
img { display: block; max-width: 100%; height: auto; }
.picture img { width: 100%; max-height: 20rem; object-fit: contain; object-position: left top; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: .6rem 1rem; }
article { display: grid; grid-template-columns: 2fr 3fr; gap: .7rem; align-items: start; break-inside: avoid; }
article h3 { margin: 0 0 .2rem; font-size: .92rem; line-height: 1.35; }
article p { margin: .1rem 0 0; }
article img { width: 100%; max-height: 12rem; object-fit: contain; object-position: left top; }
.grade { display: inline-block; padding: 0 .5em; border-radius: 1em; color: #1f2937; white-space: nowrap; }
.bars { margin: 0; font-size: .82em; }
.bars th, .bars td { padding: 0 .3rem 0 0; border: 0; min-width: 0; font-weight: 400; white-space: nowrap;
  vertical-align: middle; }
.bars td:nth-child(2) { width: 100%; background: linear-gradient(#eef0f2, #eef0f2) center / 100% .55rem no-repeat;
  padding: 0; }
.bars td:last-child { padding-left: .4rem; text-align: right; }
.bars .decided th, .bars .decided td { font-weight: 700; }
.bar { display: block; height: .55rem; box-shadow: inset 0 0 0 1px #0003; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .5rem; align-items: center; margin: .5rem 0 .1rem; }
.legend, .note { font-size: .85em; color: #4b5563; }
.scale { width: 6rem; height: .6rem; display: inline-block; }
.note { margin: .1rem 0; }
.overview { table-layout: fixed; }
.overview th, .overview td { min-width: 0; vertical-align: middle; }
.overview thead th { width: 10.5%; font-size: .88em; vertical-align: bottom; hyphens: auto; }
.overview thead th:first-child { width: 26%; }
.overview .named { display: flex; gap: .5rem; align-items: center; font-weight: 400; overflow-wrap: anywhere; }
.overview img { width: 3.2rem; flex: none; }
.page { margin-top: 2.5rem; }
.page:first-child { margin-top: 0; }
@media print {
  @page { size: A4; margin: 12mm; }
  body { font-size: 9.25pt; line-height: 1.35; }
  h1 { font-size: 1.3em; }
  .page { margin: 0; }
  section + .page { break-before: page; }
  .above { grid-template-columns: 68mm 1fr; }
  .picture img { max-height: 52mm; }
  .cards { grid-template-columns: 1fr 1fr; gap: 2.5mm 5mm; }
  article { grid-template-columns: 34mm 1fr; gap: 3mm; }
  article img { max-height: 32mm; }
  article h3 { font-size: 1em; }
  th, td { padding: .12rem .3rem; }
}
"""
