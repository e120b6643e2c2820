"""The confusion matrices of one condition, each cell a way to its pictures on the Compare page."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.evaluation.comparison import Model, newest_and_best
from scalp_core.labels import Condition
from scalp_core.metrics.metrics import HEADLINE, confusion
from scalp_core.runs.champions import split_readable
from scalp_core.runs.election import score
from scalp_core.runs.run import Run
from scalp_core.runs.store import finished_runs
from ui.choices import link_params
from ui.compare.confusion_matrices import matrices_of
from ui.compare.leaderboard import outcome
from ui.compare.selection import ModelSelection
from ui.components.matrices import Matrix, MatrixCell, show_matrices
from ui.words import Say

_MOST_MODELS = 5
_PICKED = "home-picked-cell"
_COMPARE = "pages/2_Compare.py"


def show_home_matrices(dataset: Dataset | None, models: Sequence[Model], condition: Condition, say: Say) -> None:
    """Show who leads in the condition, and the matrices of up to five models; a click leads to the cell's pictures."""
    selection = _selection(dataset, models, condition)
    matrices = matrices_of(selection, say) if selection else _matrices_of_runs(condition)
    if not matrices:
        return
    if selection:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small"):
            st.markdown(f"**{say.plain(outcome(selection)[0])}**", width="content")
            st.page_link(
                _COMPARE,
                label=say("page_compare"),
                icon=":material/arrow_forward:",
                icon_position="right",
                query_params=link_params() | {"condition": condition.value},
            )
    show_matrices(matrices, None, None, "home-matrices", _remember, say)
    if cell := st.session_state.pop(_PICKED, None):
        st.switch_page(_COMPARE, query_params=link_params() | {"condition": condition.value, "cell": str(cell)})


def _remember(cell: MatrixCell) -> None:
    st.session_state[_PICKED] = cell  # callbacks cannot leave the page


def _selection(dataset: Dataset | None, models: Sequence[Model], condition: Condition) -> ModelSelection | None:
    keys = newest_and_best(models, condition, _MOST_MODELS)
    selected = tuple(model for model in models if model.key in keys)
    return ModelSelection(dataset, condition, "test", selected, HEADLINE) if dataset and selected else None


def _matrices_of_runs(condition: Condition) -> list[Matrix]:
    """Return the matrices of the best finished runs from their own tables, for as long as there is no dataset."""
    readable, _ = split_readable(finished_runs())

    def kappa(run: Run) -> float:
        return score(run, condition, "test") or 0.0

    runs = sorted((run for run in readable if condition in run.recipe.conditions), key=kappa, reverse=True)
    return [
        Matrix(run.id, run.recipe.architecture, "", confusion(run.predictions, condition, "test").astype(np.float64))
        for run in runs[:_MOST_MODELS]
    ]
