"""The Python interface: tables, gradings, comparisons and a training from `import scalp_core`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TINY, Trained
from PIL import Image

import scalp_core as scalp


def test_importing_loads_neither_numpy_nor_torch() -> None:
    code = "import sys, scalp_core; sys.exit(bool({'numpy', 'pandas', 'torch', 'streamlit'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_exported_name_is_there() -> None:
    assert all(getattr(scalp, name) is not None for name in scalp.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        scalp.nothing  # noqa: B018


def test_datasets_and_runs_are_tables(trained: Trained) -> None:
    images = scalp.open_dataset("tiny")
    assert set(images["part"]) == {"train", "valid", "calib", "test"}
    images["part"] = "changed"
    assert "changed" not in set(scalp.open_dataset("tiny")["part"]), "the table is the caller's own"
    runs = scalp.list_runs().set_index("id")
    assert runs.loc["tiny", "state"] == "finished"
    assert runs.loc["tiny", "synthetic"]
    table = scalp.predictions("tiny")
    assert set(table["image"]) <= set(images.get("id", images.index))
    assert np.allclose(table[["p0", "p1", "p2", "p3"]].sum(axis=1), 1)


def test_grade_takes_every_kind_of_picture(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(trained.picture)
    by_bytes = scalp.grade(trained.picture)
    assert scalp.grade(path).gradings.keys() == by_bytes.gradings.keys()
    assert scalp.grade(str(path)).scalp_type == by_bytes.scalp_type
    image = Image.open(path).convert("RGB")
    by_image, by_array = scalp.grade(image), scalp.grade(np.asarray(image))
    for condition, grading in by_image.gradings.items():
        assert grading.probabilities == by_array.gradings[condition].probabilities
    with pytest.raises(scalp.ScalpError) as refused:
        scalp.grade(b"nothing")
    assert refused.value.code == "not_a_picture"


def test_grade_many_keeps_a_row_for_each_picture(trained: Trained) -> None:
    table = scalp.grade_many([trained.picture, b"nothing"], run="tiny")
    assert list(table["status"]) == ["ok", "not_a_picture"]
    assert table.loc[0, "value_1_grade"] == int(scalp.grade(trained.picture).gradings[scalp.CONDITIONS[0]].grade)
    assert set(table["intended_use"]) == {"research_only"}


def test_compare_gives_values_with_intervals(trained: Trained) -> None:
    table = scalp.compare(["tiny"], split="test")
    expected = table.dropna(subset=["low", "high"])
    assert (expected["low"] <= expected["value"]).all()
    assert (expected["value"] <= expected["high"]).all()
    assert list(scalp.compare_pairs(["tiny"], scalp.CONDITIONS[0]).columns)[:3] == ["run", "other", "difference"]


def test_train_returns_a_finished_run(tiny: object) -> None:
    run = scalp.train(scalp.Recipe(**TINY, epochs=1, conditions=scalp.CONDITIONS[:1]), "mine")
    assert run.finished
    assert isinstance(run.history, pd.DataFrame)
    with pytest.raises(scalp.ScalpError) as taken:
        scalp.train(scalp.Recipe(**TINY), "mine")
    assert taken.value.code == "run_exists"
