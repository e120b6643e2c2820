"""Cross-validation by command: every picture is answered by the run that did not learn from it, pooled and compared."""

import numpy as np
import pandas as pd
import pytest
from conftest import TINY, Folders
from sklearn.metrics import cohen_kappa_score
from support.same_process import export_in_this_process, train_in_this_process

import scalp_core
from scalp_core.data.dataset import Dataset, list_datasets, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import list_candidates
from scalp_core.evaluation.cross_validation import out_of_fold
from scalp_core.evaluation.label_review import suspects
from scalp_core.labels import CONDITIONS
from scalp_core.runs.champions import champions
from scalp_core.runs.external import all_external
from scalp_core.runs.store import find_run, list_runs
from training import sweep


def test_folds_are_trained_pooled_and_compared(
    tiny: Dataset, folders: Folders, capsys: pytest.CaptureFixture[str]
) -> None:
    architecture = str(TINY["architecture"])
    command = ["--folds", "3", "--by", "capture", "--data", "tiny", "--architectures", architecture, "--seeds", "2"]
    command += ["--epochs", "1", "--image-size", str(TINY["image_size"]), "--weights", "none", "--prefix", "cv"]
    with pytest.MonkeyPatch.context() as patch:
        train_in_this_process(patch)
        export_in_this_process(patch)
        assert sweep.main(command) == 0
        printed = capsys.readouterr().out
        assert sweep.main(command) == 0, "what is there is not repeated"
    assert printed.splitlines()[-1] == capsys.readouterr().out.splitlines()[-1] != ""
    runs = [find_run(f"cv-{architecture}-f{number}-s0") for number in (1, 2, 3)]
    assert len(list_runs()) == 6
    assert all(run.fold for run in runs)
    assert champions() == {}, "a run of a fold never answers by itself"
    table = out_of_fold(runs)
    assert sorted(table["image"].unique()) == sorted(tiny.index["id"])
    assert len(table) == len(CONDITIONS) * tiny.images
    for run in runs:  # nothing was learned from that is judged
        learned = open_dataset(run.recipe.data).index.query("part == 'train'")["id"]
        assert not set(table.loc[table["run"] == run.id, "image"]) & set(learned)
    for condition in CONDITIONS:
        rows = table[table["condition"] == condition.value].dropna(subset=["truth"])
        truth, grades = (rows[name].to_numpy(dtype=int) for name in ("truth", "grade"))
        if len(np.unique(truth)) > 1:
            kappa = cohen_kappa_score(truth, grades, labels=[0, 1, 2, 3], weights="quadratic")
            (line,) = (
                line
                for line in printed.splitlines()
                if line.startswith(f"cv-{architecture}-cv-s0 ") and condition.code in line
            )
            assert f"  {kappa:.3f} [" in line
    assert f"cv-{architecture}-cv-s0 against cv-{architecture}-cv-s1" in printed
    assert "SYNTHETIC" in printed
    ranked = suspects(tiny, CONDITIONS[1])
    assert sorted(ranked["image"]) == sorted(tiny.index["id"]), "folds reach the training pictures, too"
    _assert_on_compare(tiny, table, f"cv-{architecture}-cv-s0")
    with pytest.raises(ScalpError, match="several test the same pictures"):
        out_of_fold([*runs, find_run(f"cv-{architecture}-f1-s1")])


def _assert_on_compare(tiny: Dataset, table: pd.DataFrame, name: str) -> None:
    """Assert that Compare has the pooled model with the grades that were decided, and no run of a fold."""
    models, excluded = list_candidates(tiny)
    assert {model.runs[0].id for model in models} == {run.id for run in all_external(tiny)}
    assert excluded == []
    pooled = next(model.runs[0] for model in models if model.runs[0].id == name)
    keys = ["image", "condition"]
    decided = table.set_index(keys)["grade"].astype(int)
    here = scalp_core.predictions(pooled).set_index(keys)["grade"].astype(int)
    assert (here == decided.loc[here.index]).all()
    assert set(scalp_core.compare([pooled])["run"]) == {name}
    assert len(list_datasets()) == 4
