"""Upload a picture, or take an example; six graded conditions with their reasons."""

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core import predict
from scalp_core.answers import all_answer
from scalp_core.charts import evidence_for, grade_name, probabilities_chart
from scalp_core.dataset import Dataset, list_datasets
from scalp_core.explore import Filters, grades, labels_of, select
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.operating_point import COVERAGE
from scalp_core.predict import Answer
from ui.choices import choose, choose_threshold
from ui.gallery import gallery
from ui.gradings import grade_set_name, show_evidence
from ui.shell import show
from ui.words import Say

EXAMPLES = 12


def diagnose(say: Say) -> None:
    sources = {source: say(f"source_{source}") for source in ("upload", "example")}
    source = choose(say("diagnose_source"), sources, "source", "upload", say.language)
    data, labels = _uploaded(say) if source == "upload" else _example(say)
    if data is None:
        st.info(say("diagnose_wait"))
        return
    threshold = choose_threshold(say)
    with st.spinner(say("diagnose_working")):
        answer = predict.grade(data, threshold=threshold)
    _overview(say, answer, labels)
    _evidence(say, answer)
    _provenance(say, answer)


def _uploaded(say: Say) -> tuple[bytes | None, dict[Condition, int | None]]:
    file = st.file_uploader(
        say("upload"), type=["jpg", "jpeg", "png", "webp"], key="upload", help=say("upload_privacy")
    )
    return (file.getvalue() if file else None), {}


def _example(say: Say) -> tuple[bytes | None, dict[Condition, int | None]]:
    """A picture of a data set, chosen here or by `?data=…&image=…`."""
    datasets = {dataset.name: dataset for dataset in list_datasets()}
    if not datasets:
        st.warning(say("no_dataset"))
        return None, {}
    dataset = datasets.get(st.query_params.get("data", ""), next(iter(datasets.values())))
    chosen = st.query_params.get("image")
    st.caption(say("example_pick", data=dataset.name))
    examples = _examples(dataset)
    picked = gallery(dataset, examples, [""] * len(examples), key="examples", chosen=chosen)
    if picked and picked != chosen:
        st.query_params["image"] = picked
        st.rerun()  # the wall is drawn already, with the one chosen before marked
    if chosen is None:
        return None, {}
    return dataset.read(chosen), labels_of(dataset, dataset.row(chosen))


def _examples(dataset: Dataset) -> list[str]:
    """Test pictures with much to see, each from another capture."""
    rows = select(dataset, Filters.of({"part": ["test"]}))
    rows = rows[~dataset.column("capture").iloc[rows].duplicated().to_numpy()]
    severity = np.sum([grades(dataset, condition)[rows].clip(0) for condition in CONDITIONS], axis=0)
    return dataset.column("id").iloc[rows[np.argsort(-severity, kind="stable")[:EXAMPLES]]].tolist()


def _overview(say: Say, answer: Answer, labels: dict[Condition, int | None]) -> None:
    left, right = st.columns([2, 3])
    left.image(answer.picture.pixels, width="stretch", alt=say("picture"))
    with left:
        _scalp_type(say, answer)
    with right:
        st.subheader(say("diagnose_grades"))
        rows, share = [], f"{COVERAGE:.0%}"
        promised = any(grading.grade_set for grading in answer.gradings.values())
        for condition, grading in answer.gradings.items():
            row = {
                say("condition"): say.of(condition.text),
                say("grade"): grade_name(grading.grade, say.language),
                say("probability_of_grade"): f"{grading.probabilities[grading.grade]:.0%}",
            }
            if promised:
                row[say("grade_set", coverage=share)] = grade_set_name(grading.grade_set, say)
            if labels:
                label = labels[condition]
                row[say("label_known")] = say("unlabelled") if label is None else grade_name(label, say.language)
            rows.append(row)
        st.table(pd.DataFrame(rows).set_index(say("condition")))
        if promised:
            st.caption(say("grade_set_note", coverage=share))
        table = pd.DataFrame(
            [
                {"name": say.of(condition.text), **{f"p{n}": p for n, p in enumerate(grading.probabilities)}}
                for condition, grading in answer.gradings.items()
            ]
        )
        st.altair_chart(probabilities_chart(table, say.language), alt=say("diagnose_probabilities"))


def _scalp_type(say: Say, answer: Answer) -> None:
    found = answer.scalp_type
    st.subheader(say("diagnose_type", name=say.of(found.text)))
    st.markdown(say.of(found.reason))
    if found.tendencies:
        st.caption(say("diagnose_tendencies", names=", ".join(say.of(one.text) for one in found.tendencies)))


def _evidence(say: Say, answer: Answer) -> None:
    st.subheader(say("diagnose_evidence"))
    speaking = {}
    for condition, grading in answer.gradings.items():
        name = f"{say.of(condition.text)}: {grade_name(grading.grade, say.language)}"
        speaking[name] = evidence_for(grading.evidence, int(grading.grade))
    show_evidence(answer.picture.pixels, speaking, say)


def _provenance(say: Say, answer: Answer) -> None:
    runs = list(dict.fromkeys(grading.run for grading in answer.gradings.values()))
    if any(run.synthetic for run in runs):
        st.warning(say("diagnose_synthetic"), icon=":material/draw:")
    st.markdown(say("diagnose_answered", runs=", ".join(f"`{run.id}` ({run.recipe.architecture})" for run in runs)))
    st.download_button(
        say("download_json"),
        all_answer(answer).model_dump_json(indent=1, exclude_none=True),
        file_name="scalp-grades.json",
        mime="application/json",
        icon=":material/download:",
    )


show("diagnose", diagnose)
