"""Several pictures at a glance: a row each with six coloured grades, the regions of one head together."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.errors import ScalpError
from scalp_core.inference.predict import Answer
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.reports import picture_report
from ui.components.grade_table import Block, GradeCell, Row, condition_columns, show_grade_table
from ui.diagnose.grading import Graded
from ui.diagnose.sources import InputImage, open_shot
from ui.words import Say


def show_overview(graded: Sequence[Graded], chosen: InputImage | None, say: Say) -> None:
    """All of them; clicking one opens it."""
    _counts(graded, say)
    labelled = any(one.shot.labels for one in graded)
    picked = show_grade_table(
        condition_columns(say),
        [_block(title, members, say) for title, members in blocks(graded, say)],
        "overview",
        say,
        corner=say("picture"),
        label=say("overview"),
        selected=chosen.key if chosen else "",
        ringed=say("overview_ringed") if labelled else "",
    )
    if picked and picked != (chosen.key if chosen else ""):
        open_shot(next(one.shot for one in graded if one.shot.key == picked))
        st.rerun()  # the table is drawn already, with the one chosen before marked
    offer_all(graded, say)
    if chosen is None:
        st.info(say("overview_choose"), icon=":material/touch_app:")
    else:
        st.caption(say("overview_chosen"))


def _counts(graded: Sequence[Graded], say: Say) -> None:
    bad = sum(isinstance(one.answer, ScalpError) for one in graded)
    withheld = sum(one.withheld for one in graded)
    said = [say("overview_count", count=len(graded) - bad - withheld)]
    if withheld:
        said.append(say("overview_withheld", count=withheld))
    if bad:
        said.append(say("overview_bad", count=bad))
    st.markdown(" · ".join(said))


def blocks(graded: Sequence[Graded], say: Say) -> list[tuple[str, list[Graded]]]:
    """Pictures of one capture together, where there are several of it; the others in one block, in their order."""
    captures: dict[str, list[Graded]] = {}
    for one in graded:
        captures.setdefault(one.shot.capture, []).append(one)
    together = {capture: members for capture, members in captures.items() if capture and len(members) > 1}
    rest = [one for one in graded if one.shot.capture not in together]
    found = [(say("overview_capture", capture=capture), members) for capture, members in together.items()]
    if rest:
        found.append((say("overview_rest") if found else "", rest))
    return found


def _block(title: str, members: Sequence[Graded], say: Say) -> Block:
    rows = [_row(one, name_of(one, members, say), say) for one in members]
    one_head = len(members) > 1 and {one.shot.capture for one in members} == {members[0].shot.capture or None}
    return Block(title, (*rows, _highest(members, say)) if one_head else tuple(rows))


def name_of(one: Graded, graded: Sequence[Graded], say: Say) -> str:
    """Beside others of the same head its region, numbered where there are several of it; otherwise its file's name."""
    region, capture = one.shot.region, one.shot.capture
    head = [other for other in graded if capture and other.shot.capture == capture]
    if region is None or len(head) < 2:
        return one.shot.name
    same = [other.shot.key for other in head if other.shot.region == region]
    return f"{say.of(region)} {same.index(one.shot.key) + 1}" if len(same) > 1 else say.of(region)


def _row(one: Graded, name: str, say: Say) -> Row:
    row = Row(one.shot.key, name, description=say("overview_open", name=one.shot.name), picture=one.thumbnail)
    if isinstance(one.answer, ScalpError):
        return replace(row, description=row.description if one.shot.digest else "", sentence=say.of(one.answer.text))
    note = gate_note(one, say)
    if one.withheld:
        return replace(row, note=note, flagged=True, sentence=say("overview_not_graded"))
    cells = [grade_cell(one.answer, condition, one.shot.labels.get(condition), say) for condition in CONDITIONS]
    kind = say.of(one.answer.scalp_type.text)
    return replace(row, note=f"{note} · {kind}" if note else kind, flagged=one.flagged, cells=tuple(cells))


def gate_note(one: Graded, say: Say) -> str:
    """“✓”, “⚠ blurred”; nothing where nobody checked."""
    if not isinstance(one.answer, Answer) or one.answer.gradable is None:
        return ""
    if one.answer.gradable:
        return "✓"
    return f"⚠ {', '.join(dict.fromkeys(say(f'gate_{reason.code}') for reason in one.reasons))}"


def grade_cell(answer: Answer, condition: Condition, label: int | None, say: Say, note: str = "") -> GradeCell:
    """One condition of an answer, ringed where it is what the label says."""
    grading = answer.gradings.get(condition)
    if grading is None:
        return GradeCell(None, text="–")
    probability = f"{grading.probabilities[grading.grade]:.0%}"
    grade = grade_name(grading.grade, say.language)
    said = say("matrices_answer", name=say.of(condition.text), grade=grade, probability=probability)
    if label is not None:
        said = f"{said}; {say('label')}: {grade_name(label, say.language)}"
    return GradeCell(int(grading.grade), said, note, ringed=label is not None and label == grading.grade)


def _highest(members: Sequence[Graded], say: Say) -> Row:
    """Of the regions of one head: what one of them has, the head has."""
    answers = [one.answer for one in members if isinstance(one.answer, Answer) and not one.withheld]
    cells = []
    for condition in CONDITIONS:
        grades = [int(answer.gradings[condition].grade) for answer in answers if condition in answer.gradings]
        said = say.of(condition.text)
        cells.append(
            GradeCell(max(grades), f"{said}: {grade_name(max(grades), say.language)}")
            if grades
            else GradeCell(None, text="–")
        )
    return Row("highest", say("overview_highest"), tuple(cells))


# ---- downloads ----


def _taken_along(graded: Sequence[Graded]) -> list[picture_report.GradedPicture]:
    """For reports and tables: grades that are withheld on the page are withheld there too."""
    return [picture_report.GradedPicture(one.shot.name, _data(one), one.answer, one.withheld) for one in graded]


def _data(one: Graded) -> bytes:
    return one.shot.data if isinstance(one.shot.data, bytes) else b""


def offer_all(graded: Sequence[Graded], say: Say) -> None:
    """Table and report of all of them. Files are made when they are asked for."""
    with st.container(horizontal=True):
        download(say("download_csv_all"), lambda: table(graded, say), "scalp-grades-all.csv", "text/csv")
        download(say("download_report_all"), lambda: report(graded, say), "scalp-report-all.html", "text/html")


def table(graded: Sequence[Graded], say: Say) -> bytes:
    return picture_report.to_csv(_taken_along(graded), say.language)


def report(graded: Sequence[Graded], say: Say) -> bytes:
    """The printable page, in the reader's language."""
    return picture_report.render_html(_taken_along(graded), say.language, datetime.now(UTC)).encode()


def download(label: str, make: Callable[[], bytes], file_name: str, kind: str) -> None:
    st.download_button(
        label, make, file_name, kind, key=f"take-{file_name}", icon=":material/download:", on_click="ignore"
    )
