"""Suspects: labels that models contradict, by answers that were given without having learned from the picture."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Folders, Trained
from support.changed_runs import vouch_again

from scalp_core.data.dataset import Dataset
from scalp_core.evaluation.label_review import suspects
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.operating_point import OperatingPoint
from scalp_core.runs.run import Run


@pytest.fixture
def runs(trained: Trained, tiny: Dataset, folders: Folders) -> list[Run]:
    """Two runs that answer otherwise, without operating points."""
    generator, copies = np.random.default_rng(0), []
    for name in ("first", "second"):
        run = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / name)))
        table = run.raw_predictions.copy()
        table[PROBABILITIES] = generator.dirichlet(np.ones(4), len(table)).astype(np.float32)
        table.to_parquet(run.predictions_path)
        vouch_again(run)
        run.write_operating_point(OperatingPoint())
        copies.append(run)
    return copies


def test_score_is_the_regret_of_the_label(runs: list[Run], tiny: Dataset) -> None:
    """Written out for every picture."""
    condition = CONDITIONS[1]
    table = suspects(tiny, condition)
    judged = runs[0].predictions
    judged = judged[judged["condition"] == condition].dropna(subset=["truth"])
    # A recipe and seed that were trained twice are one model: the later one answers.
    answers = runs[-1].predictions
    answers = answers[answers["condition"] == condition].set_index("image")
    assert sorted(table["image"]) == sorted(judged["image"])
    for row in table.itertuples():
        p = answers.loc[row.image, PROBABILITIES].to_numpy(dtype=float)
        distances = [sum(p[g] * abs(g - k) for g in range(4)) for k in range(4)]
        assert row.score == pytest.approx(distances[row.label] - min(distances), abs=1e-6)
        assert row.surprise == pytest.approx(1 - p[row.label], abs=1e-6)
        assert row.expected == pytest.approx(p @ np.arange(4), abs=1e-6)
        assert (row.label, row.part) == tuple(tiny.index.loc[row.image, [condition.value, "part"]])
    assert table["score"].is_monotonic_decreasing
    assert "train" not in set(table["part"]), "what was learned from has its label by heart"


def test_without_a_run_there_are_none(tiny: Dataset) -> None:
    table = suspects(tiny, CONDITIONS[0])
    assert table.empty
    assert {"image", "score", "label"} <= set(table)
    assert isinstance(table, pd.DataFrame)
