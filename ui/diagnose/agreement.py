"""What stands beside the answer, opened on demand: all architectures on this picture, and its nearest pictures."""

from collections.abc import Sequence

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset, list_datasets
from scalp_core.data.filters import labels_of
from scalp_core.errors import ScalpError
from scalp_core.evaluation import model_agreement
from scalp_core.evaluation.comparison import ExcludedRun
from scalp_core.evaluation.model_agreement import Candidate, CandidateResult
from scalp_core.inference.embeddings import Neighbor, nearest_neighbors
from scalp_core.inference.predict import Grading
from scalp_core.labels import CONDITIONS
from scalp_core.runs.run import Run
from ui.components.grade_table import Block, Column, GradeCell, Row, condition_columns, show_grade_table
from ui.components.thumbnails import thumbnail_source
from ui.diagnose.grading import Graded, remembered
from ui.diagnose.overview import grade_cell
from ui.feedback import errors
from ui.words import Say

_SAMPLE = 1000  # pictures that are searched; their features are computed once, some 15 ms each

# ---- all architectures ----


@st.fragment
def show_agreement(one: Graded, say: Say) -> None:
    """A strip per condition: each architecture's grade and how sure it is of it."""
    with (
        st.expander(say("agreement"), key="agreement", on_change="rerun", icon=":material/groups:") as box,
        errors(say),
    ):
        if box.open:
            _agreement(one, say)


def _agreement(one: Graded, say: Say) -> None:
    asked, damaged = model_agreement.list_candidates()
    heard = _heard(one, asked, say)
    said = model_agreement.answers_by_condition(heard)
    names = list(dict.fromkeys(speaker.name for speaker in asked))
    columns = [Column(name, str(number)) for number, name in enumerate(names, 1)]
    rows = [_strip(grading, said[condition], names, say) for condition, grading in one.graded.gradings.items()]
    st.caption(say("agreement_note"))
    show_grade_table(
        columns,
        [Block("", tuple(rows))],
        "agreement-grid",
        say,
        corner=say("condition"),
        label=say("agreement"),
        ringed=say("agreement_ringed"),
        first="25%",
    )
    _silent(heard, damaged, say)


def _heard(one: Graded, asked: Sequence[Candidate], say: Say) -> list[CandidateResult]:
    """What all of them say; the first time on a machine a network is exported, which takes seconds."""

    def ask() -> list[CandidateResult]:
        bar, heard = st.empty(), []
        bar.progress(0.0, text=say("answers_working", name=asked[0].name if asked else ""))
        for one_heard in model_agreement.predict_all_models(one.data, asked):
            heard.append(one_heard)
            following = asked[len(heard)].name if len(heard) < len(asked) else ""
            bar.progress(len(heard) / len(asked), text=say("answers_working", name=following))
        bar.empty()
        return heard

    who = [(speaker.run.id, speaker.run.finished_ns, repr(speaker.run.operating_point)) for speaker in asked]
    return remembered("agreement", (one.shot.digest, tuple(who)), ask)


def _strip(answered: Grading, said: Sequence[model_agreement.ModelAnswer], names: Sequence[str], say: Say) -> Row:
    cells = {voice.name: _voice(voice, voice.run == answered.run, say) for voice in said}
    found = model_agreement.measure_agreement(answered, said)
    told_share = say("agreement_of", agreeing=found.agreeing, others=found.others)
    if found.spread:
        told_share += f" ({found.lowest}–{found.highest})"
    strip = tuple(cells.get(name, GradeCell(None, text="–")) for name in names)
    return Row(answered.condition.value, say.of(answered.condition.text), strip, note=told_share)


def _voice(voice: model_agreement.ModelAnswer, answers: bool, say: Say) -> GradeCell:
    grading = voice.grading
    probability = f"{grading.probabilities[grading.grade]:.0%}"
    grade = grade_name(grading.grade, say.language)
    said = say("matrices_answer", name=voice.name, grade=grade, probability=probability)
    return GradeCell(int(grading.grade), said, probability, ringed=answers)


def _silent(heard: Sequence[CandidateResult], damaged: Sequence[ExcludedRun], say: Say) -> None:
    for one in heard:
        if isinstance(one.outcome, ScalpError):
            st.warning(f"`{one.candidate.run.id}`: {say.plain(one.outcome.text)}")
    for left_out in damaged:
        st.warning(f"`{left_out.run.id}`: {say.plain(left_out.reason)}")


# ---- nearest pictures ----


@st.fragment
def show_nearest(one: Graded, say: Say) -> None:
    """Pictures of the data set that the network takes for most like this one, with their labels."""
    with (
        st.expander(say("nearest"), key="nearest", on_change="rerun", icon=":material/image_search:") as box,
        errors(say),
    ):
        if box.open:
            _nearest(one, say)


def _nearest(one: Graded, say: Say) -> None:
    answer = one.graded
    run = answer.main
    dataset = _dataset(run)
    if dataset is None:
        st.info(say("no_dataset"))
        return
    found = _found(one, run, dataset, say)
    if not found:
        st.info(say("nearest_none"))
        return
    st.caption(say("nearest_note", data=dataset.name, run=run.id, count=min(_SAMPLE, dataset.images)))
    if dataset.synthetic:
        st.caption(say("synthetic_data"))
    cells = tuple(grade_cell(answer, condition, None, say) for condition in CONDITIONS)
    this = Row("this", say("nearest_this"), cells, picture=one.thumbnail, note=say("nearest_this_note"))
    show_grade_table(
        condition_columns(say),
        [Block("", (this,)), Block(say("nearest_labels"), tuple(_near(dataset, near, say) for near in found))],
        "nearest-grid",
        say,
        corner=say("picture"),
        label=say("nearest"),
    )


def _dataset(run: Run) -> Dataset | None:
    """The data set of the address, or the one that the run learned from, or any."""
    datasets = {dataset.name: dataset for dataset in list_datasets()}
    for name in (st.query_params.get("data", ""), run.recipe.data, *datasets):
        if name in datasets:
            return datasets[name]
    return None


def _found(one: Graded, run: Run, dataset: Dataset, say: Say) -> list[Neighbor]:
    def search() -> list[Neighbor]:
        bar = st.empty()
        near = nearest_neighbors(
            run,
            dataset,
            one.graded.features[run],
            most=_SAMPLE,
            progress=lambda done, total: bar.progress(done / total, text=say("map_working", done=done, total=total)),
            without=one.shot.digest,
        )
        bar.empty()
        return near

    return remembered("nearest", (one.shot.digest, run.id, run.finished_ns, dataset.name, dataset.version), search)


def _near(dataset: Dataset, near: Neighbor, say: Say) -> Row:
    row = dataset.row(near.image)
    cells = []
    for condition, label in labels_of(dataset, row).items():
        name = say.of(condition.text)
        said = f"{name}: {grade_name(label, say.language)}" if label is not None else ""
        cells.append(GradeCell(label, said, text="–"))
    part = say.part(str(dataset.column("part").iloc[row]))
    note = say("nearest_distance", distance=f"{near.distance:.3f}", part=part)
    return Row(near.image, near.image, tuple(cells), picture=thumbnail_source(dataset, near.image), note=note)
