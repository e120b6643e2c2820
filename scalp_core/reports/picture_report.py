"""Graded pictures to take along: one HTML file to print and to keep, with a page a picture; and a CSV."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from PIL import Image

from scalp_core import images, terms
from scalp_core.charts import dataset_charts
from scalp_core.errors import ScalpError, Text
from scalp_core.images import Pixels
from scalp_core.inference import results_table
from scalp_core.inference.evidence import COLOUR, FULL_GRADE, OPACITY, local_grade, overlay
from scalp_core.inference.predict import Answer, Grading
from scalp_core.inference.uploads import region
from scalp_core.labels import CONDITIONS, GRADES, Condition, Severity
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.palette import SEVERITY_COLORS
from scalp_core.reports.html import Table, render
from scalp_core.runs.run import Run
from scalp_core.terms import capitalized
from scalp_core.version import __version__

MOST_PAGES = 100  # pictures with a page of their own; the overview lists all

_PICTURE_EDGE, _MAP_EDGE, _THUMBNAIL_EDGE = 720, 320, 96  # longer edge, pixels
_JPEG_QUALITY = 82

_WORDS = {
    "title": Text("Estimated grades of a scalp picture", "두피 사진 등급 추정 결과"),
    "title_several": Text("Estimated grades of {count} scalp pictures", "두피 사진 {count}장의 등급 추정 결과"),
    "synthetic": terms.SYNTHETIC_MODEL,
    "made": Text("{date}, Scalp Lab {version}", "{date}, Scalp Lab {version}"),
    "picture": capitalized(terms.PICTURE),
    "region": capitalized(terms.REGION),
    "file": capitalized(terms.FILE),
    "size": Text("{format}, {width} × {height} pixels", "{format}, {width} × {height} 픽셀"),
    "digest": Text("SHA-256", "SHA-256"),
    "gate": capitalized(terms.QUALITY_CHECK),
    "gate_passed": Text("passed", "통과"),
    "gate_unknown": Text("not done: this model has no quality check", "하지 않음(이 모델에는 품질 검사가 없음)"),
    "gate_failed": Text("failed", "통과하지 못함"),
    "gate_unusual": Text("passed, but unusual", "통과했지만 흔하지 않음"),
    "not_gradable": Text("Quality check failed.", "품질 검사를 통과하지 못했어요."),
    "marked": Text("An unusual picture.", "흔하지 않은 사진이에요."),
    "insisted": Text(
        "Graded on request: do not rely on these grades.", "요청에 따라 추정했어요. 이 등급은 신뢰하지 마세요."
    ),
    "withheld": Text("Not graded.", "등급을 추정하지 않았어요."),
    "withheld_short": Text("not graded", "추정하지 않음"),
    "type": capitalized(terms.SCALP_TYPE),
    "tendencies": Text("Below the threshold: {names}.", "기준 미만의 증상: {names}."),
    "grades": Text("Grades and evidence", "등급과 근거"),
    "grade_set": Text(f"{terms.GRADE_SET.en}: {{grades}}", f"{terms.GRADE_SET.ko}: {{grades}}"),
    "grade_range": Text("{low} – {high}", "{low} – {high}"),
    "grade_set_note": Text(
        f"Bars: calibrated probabilities. {terms.GRADE_SET_NOTE.en}",
        f"막대는 보정된 확률이에요. {terms.GRADE_SET_NOTE.ko}",
    ),
    "bars_note": Text("Bars: uncalibrated probabilities.", "막대는 보정되지 않은 확률이에요."),
    "legend": terms.LOCAL_GRADE_NOTE,
    "answered": Text("Models", "사용한 모델"),
    "conditions": capitalized(terms.CONDITIONS),
    "all_conditions": Text("all six", "여섯 가지 모두"),
    "run": capitalized(terms.RUN),
    "architecture": capitalized(terms.ARCHITECTURE),
    "data": capitalized(terms.TRAINING_DATA),
    "data_synthetic": Text(f"{{data}} ({terms.SYNTHETIC.en})", f"{{data}} ({terms.SYNTHETIC.ko})"),
    "point": capitalized(terms.OPERATING_POINT),
    "point_plain": Text(f"none: {terms.MOST_PROBABLE.en}", f"없음({terms.MOST_PROBABLE.ko})"),
    "missing": Text("No model for: {names}.", "추정할 모델이 없는 증상: {names}."),
    "overview_note": Text(
        "Grades: 0 normal, 1 mild, 2 moderate, 3 severe. “!”: quality check failed. “?”: unusual.",
        "등급: 0 양호, 1 경증, 2 중등도, 3 중증. “!”는 품질 검사를 통과하지 못한 사진, “?”는 흔하지 않은 사진이에요.",
    ),
    "more": Text("Only the first {count} pictures have their own page.", "앞의 {count}장만 개별 쪽으로 실었어요."),
    "alt": Text("Graded picture", "등급을 추정한 사진"),
    "alt_map": Text("Places that look like “{condition}”", "‘{condition}’ 증상이 보이는 곳"),
}


class GradedPicture(NamedTuple):
    """One picture and its answer.

    Attributes:
        name: as readers know it.
        data: the bytes of its file; empty where there are none.
        answer: or the error that prevented it.
        withheld: the grades are left out, as the picture did not pass the gate and grading it was not insisted on.
    """

    name: str
    data: bytes
    answer: Answer | ScalpError
    withheld: bool = False


def render_html(graded: Sequence[GradedPicture], language: str, created: datetime) -> str:
    """Return one HTML document: of one picture a page, of several an overview and pages of the first MOST_PAGES.

    Pictures are embedded as the reader looks at them, smaller than their files.

    Args:
        graded: at least one.
        created: shown as it is, in its own time zone.
    """
    report = _Report(language)
    several = len(graded) > 1
    moment = f"{created:%Y-%m-%d %H:%M} {created.tzname() or ''}".strip()
    return render(
        "pictures.html.j2",
        language,
        report.say("title_several", count=f"{len(graded):,}") if several else report.say("title"),
        say=report.say,
        made=report.say("made", date=moment, version=__version__),
        severity_colours=SEVERITY_COLORS,
        evidence_colour=COLOUR,
        synthetic=any(_is_synthetic(picture) for picture in graded),
        conditions=[f"{condition.number} {report.of(condition.text)}" for condition in CONDITIONS],
        overview=[_overview_row(report, picture) for picture in graded] if several else [],
        omitted=report.say("more", count=MOST_PAGES) if len(graded) > MOST_PAGES else "",
        pages=[_page(report, picture) for picture in graded[:MOST_PAGES]],
    )


def to_csv(graded: Sequence[GradedPicture], language: str) -> bytes:
    """Return one row a picture, with the columns of results_table.schema and the picture's name as `path`.

    Where grades are withheld, the status is `withheld` and the message holds the reasons in `language`.
    """
    answers = [picture.answer for picture in graded if isinstance(picture.answer, Answer)]
    answered = {condition for answer in answers for condition in answer.gradings}
    columns = results_table.schema([condition for condition in CONDITIONS if condition in answered]).names
    rows = (results_table.row(picture.name, picture.answer, language, picture.withheld) for picture in graded)
    file = io.StringIO(newline="")
    results_table.write_csv(file, columns, rows)
    return file.getvalue().encode(results_table.ENCODING)


# ---- contents of the template ----


class _Report(NamedTuple):
    language: str

    def say(self, key: str, **values: object) -> str:
        return _WORDS[key](self.language).format(**values)

    def of(self, text: Text) -> str:
        return text(self.language)

    def names(self, conditions: Sequence[Condition]) -> str:
        return ", ".join(self.of(condition.text) for condition in conditions)

    def grade(self, grade: Severity) -> str:
        """Return `2 moderate`."""
        return dataset_charts.grade_name(grade, self.language)


class _Image(NamedTuple):
    """A JPEG as data URL."""

    source: str
    alt: str


class _Grade(NamedTuple):
    number: int
    text: str


class _OverviewRow(NamedTuple):
    """One picture of the overview; `message` stands in place of the grades.

    Attributes:
        grades: one a condition, None where no run grades it.
    """

    name: str
    thumbnail: _Image | None
    message: str = ""
    grades: Sequence[_Grade | None] = ()
    scalp_type: str = ""


class _Bar(NamedTuple):
    """One grade's probability: `share` to read, `width` in CSS."""

    grade: _Grade
    share: str
    width: str
    decided: bool


class _Card(NamedTuple):
    condition: str
    grade: _Grade
    bars: Sequence[_Bar]
    grade_set: str
    refer: str
    evidence: _Image | None


class _Grades(NamedTuple):
    """The part of a page that is left out where grades are withheld."""

    scalp_type: str
    scalp_type_reason: str
    cards: Sequence[_Card]
    missing: str
    note: str
    runs: Table


class _Page(NamedTuple):
    """One picture's page; with an error it holds nothing beside the facts.

    Attributes:
        reasons: why the gate did not let the picture pass, or marks it.
        gradable: whether the reasons only mark it.
    """

    facts: Sequence[tuple[str, str]]
    error: str = ""
    synthetic: bool = False
    reasons: Sequence[str] = ()
    gradable: bool = True
    picture: _Image | None = None
    grades: _Grades | None = None


def _is_synthetic(picture: GradedPicture) -> bool:
    """Whether one of the answering runs learned from synthetic pictures."""
    answer = picture.answer
    return isinstance(answer, Answer) and any(grading.run.synthetic for grading in answer.gradings.values())


# ---- overview ----


def _overview_row(report: _Report, picture: GradedPicture) -> _OverviewRow:
    pixels, answer = _scaled(picture, _THUMBNAIL_EDGE), picture.answer
    thumbnail = _image(pixels, report.say("alt")) if pixels is not None else None
    if isinstance(answer, ScalpError):
        return _OverviewRow(picture.name, thumbnail, report.of(answer.text))
    if picture.withheld:
        return _OverviewRow(picture.name, thumbnail, f"! {report.say('withheld_short')}")
    gradings = [answer.gradings.get(condition) for condition in CONDITIONS]
    grades = [_Grade(int(grading.grade), report.of(grading.grade.text)) if grading else None for grading in gradings]
    mark = "! " if answer.refusals else "? " if answer.remarks else ""
    scalp_type = mark + report.of(answer.scalp_type.text)
    return _OverviewRow(picture.name, thumbnail, grades=grades, scalp_type=scalp_type)


# ---- one page ----


def _page(report: _Report, picture: GradedPicture) -> _Page:
    answer, facts = picture.answer, _file_facts(report, picture)
    if isinstance(answer, ScalpError):
        return _Page(facts, error=report.of(answer.text))
    pixels = _scaled(picture, _PICTURE_EDGE)
    return _Page(
        [*facts, (report.say("gate"), _gate(report, answer))],
        synthetic=_is_synthetic(picture),
        reasons=[report.of(reason.text) for reason in answer.reasons or ()],
        gradable=answer.gradable is not False,
        picture=_image(pixels, report.say("alt")) if pixels is not None else None,
        grades=None if picture.withheld else _grades(report, answer, pixels),
    )


def _file_facts(report: _Report, picture: GradedPicture) -> list[tuple[str, str]]:
    facts, region_text = [(report.say("picture"), picture.name)], region(picture.name)
    if region_text:
        facts.append((report.say("region"), report.of(region_text)))
    if isinstance(picture.answer, Answer):
        header = picture.answer.picture
        size = report.say("size", format=header.format, width=header.width, height=header.height)
        facts.append((report.say("file"), size))
    if picture.data:
        facts.append((report.say("digest"), hashlib.sha256(picture.data).hexdigest()))
    return facts


def _gate(report: _Report, answer: Answer) -> str:
    if answer.gradable is None:
        return report.say("gate_unknown")
    if not answer.gradable:
        return report.say("gate_failed")
    return report.say("gate_unusual" if answer.unusual else "gate_passed")


def _grades(report: _Report, answer: Answer, pixels: Pixels | None) -> _Grades:
    cards = [_card(report, grading, _evidence_map(report, grading, pixels)) for grading in answer.gradings.values()]
    missing = [condition for condition in CONDITIONS if condition not in answer.gradings]
    calibrated = any(grading.grade_set for grading in answer.gradings.values())
    tendencies = answer.scalp_type.tendencies
    weaker = report.say("tendencies", names=report.names(tendencies)) if tendencies else ""
    return _Grades(
        scalp_type=report.of(answer.scalp_type.text),
        scalp_type_reason=f"{report.of(answer.scalp_type.reason)} {weaker}".strip(),
        cards=cards,
        missing=report.say("missing", names=report.names(missing)) if missing else "",
        note=report.say("grade_set_note", coverage=f"{COVERAGE:.0%}") if calibrated else report.say("bars_note"),
        runs=_runs(report, answer.gradings),
    )


def _card(report: _Report, grading: Grading, evidence: _Image | None) -> _Card:
    grade_set, refer = "", report.of(terms.REFER) if grading.refer else ""
    if grading.grade_set:
        grades = _range(report, *grading.grade_set)
        grade_set = report.say("grade_set", coverage=f"{COVERAGE:.0%}", grades=grades)
    return _Card(
        condition=f"{grading.condition.number} {report.of(grading.condition.text)}",
        grade=_Grade(int(grading.grade), report.grade(grading.grade)),
        bars=[_bar(report, grading, grade) for grade in GRADES],
        grade_set=grade_set,
        refer=refer,
        evidence=evidence,
    )


def _bar(report: _Report, grading: Grading, grade: Severity) -> _Bar:
    share = grading.probabilities[grade]
    name = _Grade(int(grade), report.grade(grade))
    return _Bar(name, f"{share:.0%}", f"{100 * share:.1f}%", decided=grade is grading.grade)


def _range(report: _Report, low: Severity, high: Severity) -> str:
    if low is high:
        return report.grade(low)
    return report.say("grade_range", low=report.grade(low), high=report.grade(high))


def _runs(report: _Report, gradings: Mapping[Condition, Grading]) -> Table:
    by_run: dict[Run, list[Condition]] = {}
    for condition, grading in gradings.items():
        by_run.setdefault(grading.run, []).append(condition)
    heads = [report.say(key) for key in ("conditions", "run", "architecture", "data", "point")]
    return Table(heads, [_run_row(report, run, conditions) for run, conditions in by_run.items()])


def _run_row(report: _Report, run: Run, conditions: Sequence[Condition]) -> tuple[str, ...]:
    recipe, fitted = run.recipe, run.operating_point.made
    data = report.say("data_synthetic", data=recipe.data) if run.synthetic else recipe.data
    names = report.say("all_conditions") if len(conditions) == len(CONDITIONS) else report.names(conditions)
    return names, run.id, recipe.architecture, data, fitted[:16].replace("T", " ") or report.say("point_plain")


# ---- images ----


def _scaled(picture: GradedPicture, edge: int) -> Pixels | None:
    """Return the picture with its longer edge at most `edge` pixels; None where it cannot be decoded."""
    try:
        image = Image.fromarray(images.decode(picture.data, (edge, edge)).pixels)
    except ScalpError:
        return None
    image.thumbnail((edge, edge))
    return np.asarray(image)


def _evidence_map(report: _Report, grading: Grading, pixels: Pixels | None) -> _Image | None:
    if pixels is None:
        return None
    blended = overlay(pixels, local_grade(grading.evidence, grading.probabilities), FULL_GRADE, OPACITY, _MAP_EDGE)
    return _image(blended, report.say("alt_map", condition=report.of(grading.condition.text)))


def _image(pixels: Pixels, alt: str) -> _Image:
    return _Image(images.data_url(Image.fromarray(pixels), "JPEG", quality=_JPEG_QUALITY), alt)
