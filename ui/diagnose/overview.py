"""Several pictures at a glance: a row each with six coloured grades, the regions of one head together."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.errors import ScalpError
from scalp_core.inference.predict import Answer
from scalp_core.labels import CONDITIONS, Condition
from ui.components.grade_table import Block, GradeCell, Row, condition_columns, show_grade_table
from ui.diagnose.grading import GradedImage
from ui.diagnose.sources import InputImage, open_image
from ui.words import Say


def show_overview(graded_images: Sequence[GradedImage], opened: InputImage | None, say: Say) -> None:
    """Show all pictures as rows; a click opens one."""
    _show_counts(graded_images, say)
    labelled = any(graded.image.labels for graded in graded_images)
    opened_key = opened.key if opened else ""
    picked = show_grade_table(
        condition_columns(say),
        [_block(title, members, say) for title, members in _group_by_capture(graded_images, say)],
        "overview",
        say,
        corner=say("picture"),
        label=say("overview"),
        selected=opened_key,
        ringed=say("overview_ringed") if labelled else "",
    )
    if picked and picked != opened_key:
        open_image(next(graded.image for graded in graded_images if graded.image.key == picked))
        st.rerun()  # the table above still marks the picture that was open before
    if opened is None:
        st.info(say("overview_choose"), icon=":material/touch_app:")
    else:
        st.caption(say("overview_chosen"))


def _show_counts(graded_images: Sequence[GradedImage], say: Say) -> None:
    unreadable = sum(isinstance(graded.outcome, ScalpError) for graded in graded_images)
    withheld = sum(graded.withheld for graded in graded_images)
    counts = [say("overview_count", count=len(graded_images) - unreadable - withheld)]
    if withheld:
        counts.append(say("overview_withheld", count=withheld))
    if referred := sum(_referred(graded) for graded in graded_images):
        counts.append(say("overview_referred", count=referred))
    if unusual := sum(graded.unusual and not graded.withheld for graded in graded_images):
        counts.append(say("overview_unusual", count=unusual))
    if unreadable:
        counts.append(say("overview_bad", count=unreadable))
    st.markdown(" · ".join(counts))


def _referred(graded: GradedImage) -> bool:
    """Return whether a grade of the picture is left to a person."""
    if not isinstance(graded.outcome, Answer) or graded.withheld:
        return False
    return any(grading.refer for grading in graded.outcome.gradings.values())


def _group_by_capture(graded_images: Sequence[GradedImage], say: Say) -> list[tuple[str, list[GradedImage]]]:
    """Return titled groups: each capture of several pictures, then all other pictures in their order."""
    captures: dict[str, list[GradedImage]] = {}
    for graded in graded_images:
        captures.setdefault(graded.image.capture, []).append(graded)
    together = {capture: members for capture, members in captures.items() if capture and len(members) > 1}
    rest = [graded for graded in graded_images if graded.image.capture not in together]
    groups = [(say.text("overview_capture", capture=capture), members) for capture, members in together.items()]
    if rest:
        groups.append((say("overview_rest") if groups else "", rest))
    return groups


def _block(title: str, members: Sequence[GradedImage], say: Say) -> Block:
    rows = [_row(graded, name_of(graded, members, say), say) for graded in members]
    captures = {graded.image.capture for graded in members}
    one_head = len(members) > 1 and captures == {members[0].image.capture or None}
    return Block(title, (*rows, _highest_row(members, say)) if one_head else tuple(rows))


def name_of(graded: GradedImage, graded_images: Sequence[GradedImage], say: Say) -> str:
    """Return the name of the file or, beside other pictures of the same head, the region, numbered if repeated."""
    region, capture = graded.image.region, graded.image.capture
    head = [other for other in graded_images if capture and other.image.capture == capture]
    if region is None or len(head) < 2:
        return graded.image.name
    same = [other.image.key for other in head if other.image.region == region]
    return f"{say.of(region)} {same.index(graded.image.key) + 1}" if len(same) > 1 else say.of(region)


def _row(graded: GradedImage, name: str, say: Say) -> Row:
    description = say.text("overview_open", name=graded.image.name)
    row = Row(graded.image.key, name, description=description, picture=graded.thumbnail)
    if isinstance(graded.outcome, ScalpError):
        return replace(
            row, description=description if graded.image.digest else "", sentence=say.of(graded.outcome.text)
        )
    note = _gate_note(graded, say)
    if graded.withheld:
        return replace(row, note=note, flagged=True, sentence=say("overview_not_graded"))
    labels = graded.image.labels
    cells = tuple(grade_cell(graded.outcome, condition, labels.get(condition), say) for condition in CONDITIONS)
    scalp_type = say.of(graded.outcome.scalp_type.text)
    return replace(
        row,
        note=f"{note} · {scalp_type}" if note else scalp_type,
        flagged=graded.flagged or graded.unusual,
        cells=cells,
    )


def _gate_note(graded: GradedImage, say: Say) -> str:
    """Return “✓”, “⚠ blurred”, or nothing for a picture that was not checked."""
    if not isinstance(graded.outcome, Answer) or graded.outcome.reasons is None:
        return ""
    if not graded.outcome.reasons:
        return "✓"
    return f"⚠ {', '.join(dict.fromkeys(say(f'gate_{reason.code}') for reason in graded.reasons))}"


def grade_cell(answer: Answer, condition: Condition, label: int | None, say: Say, note: str = "") -> GradeCell:
    """Return the grade of one condition, ringed where it agrees with the label."""
    grading = answer.gradings.get(condition)
    if grading is None:
        return GradeCell(None, text="–")
    probability = f"{grading.probabilities[grading.grade]:.0%}"
    grade = grade_name(grading.grade, say.language)
    description = say.text("matrices_answer", name=say.of(condition.text), grade=grade, probability=probability)
    if label is not None:
        description = f"{description}; {say('label')}: {grade_name(label, say.language)}"
    if grading.refer:
        description, note = f"{description}; {say('refer')}", note or say.text("overview_refer")
    return GradeCell(int(grading.grade), description, note, ringed=label is not None and label == grading.grade)


def _highest_row(members: Sequence[GradedImage], say: Say) -> Row:
    """Return the row of a head: of each condition the highest grade of its regions."""
    answers = [graded.outcome for graded in members if isinstance(graded.outcome, Answer) and not graded.withheld]
    cells = tuple(_highest_cell(answers, condition, say) for condition in CONDITIONS)
    return Row("highest", say("overview_highest"), cells)


def _highest_cell(answers: Sequence[Answer], condition: Condition, say: Say) -> GradeCell:
    grades = [int(answer.gradings[condition].grade) for answer in answers if condition in answer.gradings]
    if not grades:
        return GradeCell(None, text="–")
    return GradeCell(max(grades), f"{say.of(condition.text)}: {grade_name(max(grades), say.language)}")
