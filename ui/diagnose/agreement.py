"""The grades of all architectures on one picture."""

from collections.abc import Mapping, Sequence

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.errors import ScalpError
from scalp_core.evaluation import model_agreement
from scalp_core.evaluation.model_agreement import Candidate, CandidateResult, ModelAnswer
from scalp_core.inference.predict import Grading
from scalp_core.labels import Condition
from ui.components.grade_table import Block, Column, GradeCell, Row, show_grade_table
from ui.diagnose.grading import GradedImage, cached_in_session
from ui.markdown import code
from ui.words import Say


def answers_of_architectures(graded: GradedImage, say: Say) -> Mapping[Condition, Sequence[ModelAnswer]]:
    """Return every architecture's answer about each condition of the picture; the first time it shows progress."""
    return model_agreement.answers_by_condition(_predict(graded, model_agreement.list_candidates()[0], say))


def show_agreement(graded: GradedImage, say: Say) -> None:
    """Show a row per condition with the grade of each architecture, and the runs that could not answer."""
    with st.expander(say("agreement"), icon=":material/groups:"):
        _show_answers(graded, say)


def _show_answers(graded: GradedImage, say: Say) -> None:
    candidates, damaged = model_agreement.list_candidates()
    results = _predict(graded, candidates, say)
    answers = model_agreement.answers_by_condition(results)
    names = list(dict.fromkeys(candidate.name for candidate in candidates))
    gradings = graded.answer.gradings
    rows = [_row(grading, answers[condition], names, say) for condition, grading in gradings.items()]
    st.caption(say("agreement_note"))
    show_grade_table(
        [Column(name, str(number)) for number, name in enumerate(names, 1)],
        [Block("", tuple(rows))],
        "agreement-grid",
        say,
        corner=say("condition"),
        label=say("agreement"),
        ringed=say("agreement_ringed"),
        first="25%",
    )
    for result in results:
        if isinstance(result.outcome, ScalpError):
            st.warning(f"{code(result.candidate.run.id)}: {say.plain(result.outcome.text)}")
    for excluded in damaged:
        st.warning(f"{code(excluded.run.id)}: {say.plain(excluded.reason)}")


def _predict(graded: GradedImage, candidates: Sequence[Candidate], say: Say) -> list[CandidateResult]:
    """Ask every candidate, with progress: a network that is new on this machine is exported first, for seconds."""

    def predict() -> list[CandidateResult]:
        bar, results = st.empty(), []
        bar.progress(0.0, text=say("answers_working", name=candidates[0].name if candidates else ""))
        for result in model_agreement.predict_all_models(graded.data, candidates):
            results.append(result)
            next_name = candidates[len(results)].name if len(results) < len(candidates) else ""
            bar.progress(len(results) / len(candidates), text=say("answers_working", name=next_name))
        bar.empty()
        return results

    runs = [candidate.run for candidate in candidates]
    identity = tuple((run.id, run.finished_ns, repr(run.operating_point)) for run in runs)
    return cached_in_session("agreement", (graded.image.digest, identity), predict)


def count_agreeing(grading: Grading, answers: Sequence[ModelAnswer]) -> int:
    """Return how many of the architectures give the grade of the run that answers."""
    others = model_agreement.measure_agreement(grading, answers)
    return others.agreeing + len(answers) - others.others


def _row(grading: Grading, answers: Sequence[ModelAnswer], names: Sequence[str], say: Say) -> Row:
    cells = {answer.name: _cell(answer, answer.run == grading.run, say) for answer in answers}
    agreement = model_agreement.measure_agreement(grading, answers)
    note = say.text("agreement_of", agreeing=count_agreeing(grading, answers), all=len(answers))
    if agreement.spread:
        note += f" ({agreement.lowest}–{agreement.highest})"
    row = tuple(cells.get(name, GradeCell(None, text="–")) for name in names)
    return Row(grading.condition.value, say.of(grading.condition.text), row, note=note)


def _cell(answer: ModelAnswer, champion: bool, say: Say) -> GradeCell:
    grading = answer.grading
    probability = f"{grading.probabilities[grading.grade]:.0%}"
    grade = grade_name(grading.grade, say.language)
    description = say.text("matrices_answer", name=answer.name, grade=grade, probability=probability)
    return GradeCell(int(grading.grade), description, probability, ringed=champion)
