"""The document of `report --json`: every figure with its interval, every pair, null where nothing is defined."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Trained

from scalp_core.evaluation.comparison import compare_models, list_candidates
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.bootstrap import REPLICATES
from scalp_core.metrics.metrics import METRICS, PROBABILITIES
from scalp_core.runs.run import Run
from training import report

KAPPA = "quadratic_weighted_kappa"
BARE = Condition.PUSTULES  # not labelled in the test split


@pytest.fixture(scope="module")
def compared(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """Two runs of two architectures with other answers, judged on the same pictures."""
    artifacts = tmp_path_factory.mktemp("artifacts")
    for number, architecture in enumerate(("resnet18", "vgg11_bn")):
        copied = artifacts / architecture
        shutil.copytree(trained.run.folder, copied)
        document = json.loads((copied / "recipe.json").read_text())
        document["recipe"]["architecture"] = architecture
        (copied / "recipe.json").write_text(json.dumps(document))
        table = pd.read_parquet(copied / "predictions.parquet")
        table[PROBABILITIES] = np.roll(table[PROBABILITIES].to_numpy(), number, axis=1)
        table.loc[(table["condition"] == BARE) & (table["part"] == "test"), "truth"] = None
        table.to_parquet(copied / "predictions.parquet")
        Run(copied).write_manifest({key: value for key, value in Run(copied).manifest.items() if key != "files"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
        patch.setenv("SCALP_ARTIFACTS", str(artifacts))
        yield trained


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[dict[str, object]]]:
    assert report.main(["--json", *arguments]) == 0

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(capsys.readouterr().out, parse_constant=refuse)


def test_every_metric_comes_with_its_interval(compared: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    figures = pd.DataFrame(read(capsys)["figures"])
    assert len(figures) == 2 * len(CONDITIONS) * len(METRICS)
    models = list_candidates(compared.dataset)[0]
    comparison = compare_models(compared.dataset, models, "test")
    for row in figures.replace({np.nan: None}).to_dict("records"):
        estimate = comparison.estimate(row["metric"], row["run"], Condition(row["condition"]))
        ends = [None if np.isnan(value) else value for value in vars(estimate).values()]
        assert [row["value"], row["lower"], row["upper"]] == pytest.approx(ends)
        assert (row["how"], row["resamples"]) == (
            ("bootstrap", REPLICATES) if row["lower"] is not None else (None, None)
        )
    bare = figures[figures["condition"] == BARE]
    assert bare["value"].isna().all()
    assert (bare["n"] == 0).all()


def test_every_pair_is_compared_once(compared: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    document = read(capsys, "--data", "tiny", "--part", "valid")
    assert {row["part"] for key in ("figures", "comparisons", "confusion") for row in document[key]} == {"valid"}
    models = list_candidates(compared.dataset)[0]
    comparison = compare_models(compared.dataset, models, "valid")
    pairs = [row for row in document["comparisons"] if row["metric"] == KAPPA]
    assert {(row["model"], row["other"]) for row in pairs} == {("resnet18", "vgg11_bn")}
    for row in pairs:
        (expected, _) = comparison.pairs(KAPPA, Condition(row["condition"])).to_dict("records")
        assert row["verdict"] == expected["verdict"].value
        assert row["difference"] == pytest.approx(expected["difference"])
        assert (row["p"] is None) == np.isnan(expected["p"])
    assert [model["runs"] for model in document["models"]] == [["resnet18"], ["vgg11_bn"]]


def test_notes_go_with_the_figures(compared: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    document = read(capsys)
    assert document["intended_use"] == "research_only"
    assert document["synthetic"] is True
    assert "SYNTHETIC" in " ".join(document["notes"])
    assert {run["leaks"] for run in document["runs"]} == {False}
    assert all(run["learned_before"]["judged"]["test"] > 0 for run in document["runs"])


def test_without_its_dataset_figures_have_no_interval(
    compared: Trained, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    document = read(capsys)
    figures = pd.DataFrame(document["figures"])
    assert figures["value"].notna().any()
    assert figures[["lower", "upper", "how", "captures"]].isna().all(axis=None)
    assert document["comparisons"] == []
    assert {run["judged_on"] for run in document["runs"]} == {None}


def test_a_split_needs_a_form_that_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        report.main(["--part", "valid"])
    assert "--json" in capsys.readouterr().err
