"""The six conditions at a glance: pictures of the grades, the model in use and its kappa."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.data.filters import Filters, grades, select
from scalp_core.evaluation.comparison import Model, compare_models
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.metrics import HEADLINE
from scalp_core.metrics.verdict import Estimate
from scalp_core.runs.champions import Champion
from scalp_core.runs.election import score
from ui.choices import write_address
from ui.components.condition_tiles import Tile, show_condition_tiles
from ui.components.thumbnail_urls import thumbnail_source
from ui.runs.promotion import run_words
from ui.words import Say


def show_conditions(
    dataset: Dataset | None,
    models: Sequence[Model],
    answering: Mapping[Condition, Champion],
    selected: Condition,
    say: Say,
) -> None:
    """Show a tile for each condition; a click selects it in the address.

    Args:
        models: judged on the dataset; those in use have their interval from the comparison of all.
    """
    pictures = _pictures_by_grade(dataset.name, dataset.version, dataset) if dataset else {}
    tiles = [
        Tile(
            condition,
            pictures.get(condition, {}),
            _model_words(answering.get(condition), say),
            run_words(answering.get(condition), say),
            _kappa(dataset, models, answering.get(condition)),
        )
        for condition in CONDITIONS
    ]
    show_condition_tiles(tiles, selected, "conditions", _select, say)


def _model_words(champion: Champion | None, say: Say) -> str:
    if champion is None:
        return "–"
    name = champion.run.recipe.architecture
    return f"{name} · {say.text('pinned')}" if champion.pinned else name


def _select(condition: Condition) -> None:
    write_address({"condition": condition.value})


def _kappa(dataset: Dataset | None, models: Sequence[Model], champion: Champion | None) -> Estimate:
    """Return kappa of a champion on the test split; without interval where it is not judged on this dataset."""
    if champion is None:
        return Estimate(math.nan, math.nan, math.nan)
    key = next((model.key for model in models if [run.id for run in model.runs] == [champion.run.id]), None)
    if dataset is None or key is None:
        kappa = score(champion.run, champion.condition, "test")
        return Estimate(math.nan if kappa is None else kappa, math.nan, math.nan)
    return compare_models(dataset, models, "test").estimate(HEADLINE, key, champion.condition)


@st.cache_data(max_entries=8, show_spinner=False)
def _pictures_by_grade(name: str, version: int, _dataset: Dataset) -> dict[Condition, dict[int, str]]:
    """Return for each condition the address of a test picture of grade 1, 2 and 3 that shows little else."""
    rows = select(_dataset, Filters.of({"part": ["test"]}))
    labels = np.array([grades(_dataset, condition)[rows] for condition in CONDITIONS])
    total = labels.clip(0).sum(axis=0)
    ids = _dataset.column("id").iloc[rows]
    pictures: dict[Condition, dict[int, str]] = {}
    for condition, own in zip(CONDITIONS, labels, strict=True):
        for grade in GRADES[1:]:
            places = np.flatnonzero(own == grade)
            if len(places):
                place = places[np.argmin(total[places])]
                pictures.setdefault(condition, {})[int(grade)] = thumbnail_source(_dataset, str(ids.iloc[place]))
    return pictures
