"""The pictures of a dataset that the network takes for most like the graded one, with their labels; on demand."""

import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset, list_datasets
from scalp_core.data.filters import labels_of
from scalp_core.inference.embeddings import Neighbor, nearest_neighbors
from scalp_core.labels import CONDITIONS
from scalp_core.runs.run import Run
from ui.components.grade_table import Block, GradeCell, Row, condition_columns, show_grade_table
from ui.components.thumbnail_urls import thumbnail_source
from ui.diagnose.grading import GradedImage, cached_in_session
from ui.diagnose.overview import grade_cell
from ui.feedback import errors
from ui.words import Say

_NEIGHBORS = 8  # pictures that are shown
_SAMPLE = 1000  # pictures that are searched; their features are computed once, some 15 ms each


@st.fragment
def show_similar_images(graded: GradedImage, say: Say) -> None:
    """Show the nearest pictures with their labels, once the reader opens the box."""
    box = st.expander(say("nearest"), key="nearest", on_change="rerun", icon=":material/image_search:")
    with box, errors(say):
        if box.open:
            _show_neighbors(graded, say)


def _show_neighbors(graded: GradedImage, say: Say) -> None:
    run = graded.answer.main
    dataset = _dataset_for(run)
    if dataset is None:
        st.info(say("no_dataset"))
        return
    neighbors = _find_neighbors(graded, run, dataset, say)
    if not neighbors:
        st.info(say("nearest_none"))
        return
    st.caption(say("nearest_note", data=dataset.name, run=run.id, count=min(_SAMPLE, dataset.images)))
    if dataset.synthetic:
        st.caption(say("synthetic_data"))
    cells = tuple(grade_cell(graded.answer, condition, None, say) for condition in CONDITIONS)
    this = Row("this", say("nearest_this"), cells, picture=graded.thumbnail, note=say("nearest_this_note"))
    rows = tuple(_neighbor_row(dataset, neighbor, say) for neighbor in neighbors)
    show_grade_table(
        condition_columns(say),
        [Block("", (this,)), Block(say("nearest_labels"), rows)],
        "nearest-grid",
        say,
        corner=say("picture"),
        label=say("nearest"),
    )


def _dataset_for(run: Run) -> Dataset | None:
    """Return the dataset of the address, or the one that the run learned from, or any."""
    datasets = {dataset.name: dataset for dataset in list_datasets()}
    for name in (st.query_params.get("data", ""), run.recipe.data, *datasets):
        if name in datasets:
            return datasets[name]
    return None


def _find_neighbors(graded: GradedImage, run: Run, dataset: Dataset, say: Say) -> list[Neighbor]:
    def search() -> list[Neighbor]:
        bar = st.empty()
        neighbors = nearest_neighbors(
            run,
            dataset,
            graded.answer.features[run],
            _NEIGHBORS,
            _SAMPLE,
            progress=lambda done, total: bar.progress(done / total, text=say("map_working", done=done, total=total)),
            without=graded.image.digest,
        )
        bar.empty()
        return neighbors

    key = graded.image.digest, run.id, run.finished_ns, dataset.name, dataset.version
    return cached_in_session("nearest", key, search)


def _neighbor_row(dataset: Dataset, neighbor: Neighbor, say: Say) -> Row:
    row = dataset.row(neighbor.image)
    cells = []
    for condition, label in labels_of(dataset, row).items():
        words = f"{say.of(condition.text)}: {grade_name(label, say.language)}" if label is not None else ""
        cells.append(GradeCell(label, words, text="–"))
    part = say.part(str(dataset.column("part").iloc[row]))
    note = say.text("nearest_distance", distance=f"{neighbor.distance:.3f}", part=part)
    thumbnail = thumbnail_source(dataset, neighbor.image)
    return Row(neighbor.image, neighbor.image, tuple(cells), picture=thumbnail, note=note)
