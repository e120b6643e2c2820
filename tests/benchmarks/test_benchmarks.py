"""The benchmark: that it measures what it says, at sizes where that takes a moment; never how long something takes."""

import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import sklearn.metrics
import torch
from conftest import TINY, Folders, labels_of
from PIL import Image
from support.prediction_tables import add_noise, align_tables, prediction_table
from support.same_process import export_in_this_process

from benchmarks import (
    commands,
    compare_page,
    comparison,
    dataset_page,
    importing,
    measuring,
    prediction,
    training_speed,
)
from benchmarks.importing import LAYOUTS, write_tree
from benchmarks.simulation import World, draw, error_for, shares_of, true_values
from benchmarks.synthetic_rows import write_rows
from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset
from scalp_core.data.filters import Filters, filterable, measured, select, size, spearman
from scalp_core.images import Preprocessing
from scalp_core.importing.importer import ImportRequest, import_tree, read_report
from scalp_core.labels import Condition
from scalp_core.metrics.alignment import confusion
from scalp_core.metrics.metrics import kappas
from scalp_core.metrics.paired_comparison import compare
from scalp_core.runs.recipe import Recipe


@pytest.fixture
def apart_is_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let be measured in this process what has one of its own, which would import torch or Streamlit again.

    The opening of an index and the benchmark of training keep theirs.
    """

    def measure_here(folder: Path, *arguments: str, **environment: str) -> dict[str, object]:
        if "opening" in arguments:
            return measuring.measure_apart(folder, *arguments, **environment)
        written = folder / "figures.json"
        folders = {"SCALP_DATA": str(folder / "data"), "SCALP_ARTIFACTS": str(folder / "artifacts")}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (folders | environment).items():
                patch.setenv(name, value)
            assert commands.main([*arguments, "--json", str(written)]) == 0
        return json.loads(written.read_text(encoding="utf-8"))

    threads, decoding_threads, cores = torch.get_num_threads(), cv2.getNumThreads(), os.sched_getaffinity(0)
    for module in (dataset_page, importing, prediction):
        monkeypatch.setattr(module, "measure_apart", measure_here)
    monkeypatch.setattr(measuring, "REPEATS", 1)
    monkeypatch.setattr(prediction, "cores", lambda: 1)
    monkeypatch.setattr(importing, "_CORES", 2)
    export_in_this_process(monkeypatch)
    yield
    torch.set_num_threads(threads)
    cv2.setNumThreads(decoding_threads)
    os.sched_setaffinity(0, cores)
    Image.core.set_blocks_max(0)


@pytest.mark.parametrize("rows", [7, 3000])
def test_the_rows_look_like_imported_ones(folders: Folders, rows: int) -> None:
    dataset = write_rows(folders.data / "made", rows, 0)
    index = dataset.index
    assert (dataset.images, len(index), dataset.synthetic) == (rows, rows, True)
    assert index["id"].str.fullmatch(r"\d{4}_A2LEBJJDE\d{4}[AB]_\d{13}_[2-6]").all()
    assert (index["id"].str.rsplit("_", n=1).str[0] == index["capture"]).all()
    assert (index.groupby("capture")[["site", "device", "part"]].nunique() == 1).all(axis=None)
    assert (index.groupby("site")["part"].nunique() == 1).all()
    assert {"sharpness", "lightness"} <= set(measured(dataset))
    assert {"meta_gender", "official"} <= set(filterable(dataset))
    assert index["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert index["sha256"].is_unique


def test_rows_by_thousand_have_what_real_ones_have(folders: Folders) -> None:
    dataset = write_rows(folders.data / "made", 6000, 1)
    everything = select(dataset, Filters())
    sizes = size(dataset, everything)
    assert sizes.sites == 190
    assert 3.2 < sizes.images / sizes.captures < 4.6
    assert set(dataset.index["part"]) == set(PARTS)
    assert 0 < dataset.index[list(LABEL_COLUMNS)].isna().any(axis=1).sum() < 200
    assert spearman(dataset, everything).loc["value_1", "value_2"] == pytest.approx(-0.6, abs=0.06)
    alike = dataset.index["look_alikes"].value_counts()
    assert 0 < alike.sum() < 200
    assert set(alike) <= {1, 2}


def test_a_seed_gives_the_same_rows(folders: Folders) -> None:
    first, again, other = (write_rows(folders.data / name, 500, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert first.index_hash == again.index_hash != other.index_hash


def test_interactions_are_measured_first_and_then_again() -> None:
    calls: list[int] = []
    seconds = measuring.measure({"once more": calls.append})
    assert calls == list(range(6))
    assert set(seconds) == {"once more"}
    assert all(math.isfinite(value) and value >= 0 for value in seconds["once more"].values())


@pytest.mark.usefixtures("apart_is_here")
def test_the_dataset_page_is_measured_at_every_size(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    assert commands.main(["dataset-page", "--rows", "1000", "500", "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    assert figures["machine"]["cores"] >= 1
    assert [entry["rows"] for entry in figures["sizes"]] == [500, 1000]
    for entry in figures["sizes"]:
        assert {"counts", "Spearman", "sort by sharpness", "open the page"} <= set(entry["seconds"])
        assert all(took["first"] > 0 and took["median"] > 0 for took in entry["seconds"].values())
        assert entry["memory"]["page"]["peak"] >= entry["memory"]["page"]["resident"] > 0
        assert entry["index_mebibytes"] > 0
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "cores", "1,000", "500", "open the page", "× for 10 × rows", "MiB"):
        assert word in printed
    assert list(folders.data.iterdir()) == []  # it measures on a folder of its own


def test_a_page_that_fails_is_not_measured(folders: Folders) -> None:
    dataset = write_rows(folders.data / "made", 50, 0)
    (dataset.folder / "index.parquet").write_bytes(b"broken")
    with pytest.raises(RuntimeError, match="page failed"):
        dataset_page.open_page(dataset, {})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_tree_is_as_delivered(folders: Folders, tmp_path: Path, layout: str) -> None:
    pictures = write_tree(tmp_path / "tree", 500, layout)
    dataset = import_tree(ImportRequest("aihub", str(tmp_path / "tree")), "made", processes=1)
    report = read_report(dataset)
    assert report
    assert dataset.images == pictures == dataset.index["sha256"].nunique()
    assert report["counts"] == {}
    assert report["files"] == report["labels"]
    assert 500 <= report["labels"] < 506
    assert 2 < report["labels"] / pictures < 2.8
    assert dataset.index[list(LABEL_COLUMNS)].notna().all(axis=None)
    assert set(dataset.index["official"]) == {"train", "valid"}
    lies_in = dataset.index["folders"].str.split().str.len()
    assert lies_in.sum() == report["files"]


@pytest.mark.usefixtures("apart_is_here")
def test_an_import_is_measured_beside_plain_reading(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    assert commands.main(["import", "--labels", "60", "--repeats", "1", "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert (figures["synthetic"], figures["layout"]) == (True, "zips")
    (size,) = figures["sizes"]
    assert size["labels"] == 60
    assert size["opening"]["rows"] == size["pictures"]
    for name in ("plain, 1", "reading, 1", "again"):
        assert size[name]["seconds"] > 0
        assert size[name]["peak"] > 0
    assert size["whole"]["seconds"] == pytest.approx(
        sum(size["whole"][name] for name in ("reading", "inspecting", "writing"))
    )
    assert min(size["inspection"].values()) > 0
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "cores", "zips", "60 labels", "times as fast as plain", "peak MiB"):
        assert word in printed
    assert list(folders.data.iterdir()) == []  # it measures on a folder of its own


def test_drawing_is_measured_beside_decoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "figures.json"
    assert commands.main(["drawing", "--frames", "3", "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    stages = [figures[stage] for stage in ("drawing", "encoding", "measuring")]
    assert min(stages) > 0
    assert figures["frames_per_second"] == pytest.approx(1000 / sum(stages))
    assert figures["against_decoding"] == pytest.approx(sum(stages) / figures["decoding"])
    assert "a second a core" in capsys.readouterr().out


def test_training_is_measured_beside_a_plain_loop(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    words = ["train", "--architectures", "test_efficientnet", "--images", "16", "--image-size", "64"]
    words += ["--batch-size", "4", "--steps", "1", "--rounds", "1", "--against", "timm", "torchvision"]
    assert commands.main([*words, "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    assert figures["machine"]["device"]
    (network,) = figures["architectures"]
    speeds = network["pictures_a_second"]
    assert {"ours", "ours, step alone", "plain, step alone", "ours, bfloat16", "timm, 0 workers"} <= set(speeds)
    assert all(math.isfinite(speed) and speed > 0 for speed in (*speeds.values(), network["prepared"]))
    assert network["recipe"]["precision"] == "full"
    for style in ("timm", "torchvision"):
        best = max(speed for way, speed in speeds.items() if way.startswith(style))
        assert network["against"][style]["ours_times_as_fast"] == pytest.approx(speeds["ours"] / best)
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "cores", "test_efficientnet", "step alone", "ours against timm, geometric mean"):
        assert word in printed
    assert list(folders.data.iterdir()) == list(folders.artifacts.iterdir()) == []  # folders of its own


@pytest.mark.parametrize("style", training_speed.PLAIN)
def test_the_plain_loop_learns_from_the_files(tiny: Dataset, style: str) -> None:
    wanted = Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")
    files = training_speed.files_of(tiny, training_speed.PLAIN[style][0](wanted))
    assert len(files) == (tiny.index["part"] == "train").sum()
    pixels, labels = files[0]
    assert (pixels.shape, pixels.dtype) == ((3, 64, 64), torch.float32)
    assert -2 <= pixels.min() < pixels.max() <= 2  # normalised
    first = tiny.index[tiny.index["part"] == "train"].iloc[0]
    assert labels.tolist() == [-1 if grade is None else grade for grade in labels_of(first).values()]
    batches = list(training_speed.loaded(files, Recipe(**TINY), 0, torch.device("cpu"))(3))
    assert [tuple(pixels.shape) for pixels, _ in batches] == [(8, 3, 64, 64)] * 3


def test_coverage_is_counted_for_heads_and_for_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "figures.json"
    words = ["--groups", "30", "--conditions", "value_2", "--repetitions", "60", "--replicates", "200"]
    assert commands.main(["coverage", *words, "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    rows = {row["metric"]: row for row in figures["rows"]}
    accuracy = rows["accuracy"]
    assert (accuracy["condition"], accuracy["heads"]) == ("excess_sebum", 30)
    assert 0.5 < accuracy["truth"] < 0.9
    # Pictures of one head err together: taken one by one they promise too much.
    assert accuracy["heads resampled"] > accuracy["pictures resampled"]
    assert accuracy["difference of two, heads"] > 0.8
    printed = capsys.readouterr().out
    for word in ("SIMULATED", "60 repetitions", "200 resamples", "pictures resampled", "excess_sebum"):
        assert word in printed


def test_verdicts_are_counted_for_equals_and_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "figures.json"
    words = ["--groups", "150", "--conditions", "value_2", "--repetitions", "12", "--replicates", "200"]
    assert commands.main(["verdicts", *words, "--json", str(written)]) == 0
    (row,) = json.loads(written.read_text(encoding="utf-8"))["rows"]
    shares = {name: value for name, value in row.items() if name not in ("condition", "heads")}
    assert all(0 <= value <= 1 for value in shares.values())
    assert row["uncorrected"] <= row["silent quadratic_weighted_kappa"]
    assert row["seen against all"] <= row["seen"] <= row["first"]
    assert row["detectable in half"] < row["detectable in four of five"]
    assert "SIMULATED" in capsys.readouterr().out


def test_a_simulated_world_is_as_asked() -> None:
    world = World(shares_of(Condition.EXCESS_SEBUM), (0.35, 0.35, 0.1))
    simulated = draw(world, 3000, np.random.default_rng(0))
    assert simulated.truth.shape == (6, 15_000)
    assert (np.bincount(simulated.groups) == 5).all()
    assert np.bincount(simulated.truth.ravel()) / simulated.truth.size == pytest.approx(world.shares, abs=0.01)
    first, second, best = kappas(confusion(simulated)).mean(axis=1)
    assert first == pytest.approx(second, abs=0.01)
    assert best > first + 0.02
    for gain in (0.03, -0.05):
        gained = true_values(replace(world, errors=(error_for(world, gain),)))["quadratic_weighted_kappa"]
        assert gained - true_values(world)["quadratic_weighted_kappa"] == pytest.approx(gain, abs=0.005)
    with pytest.raises(ValueError, match="share"):
        error_for(world, 0.5)


def test_a_comparison_is_measured_beside_a_loop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "figures.json"
    assert commands.main(["compare", "--images", "1000", "--repeats", "1", "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    assert [(entry["images"], entry["groups"]) for entry in figures["sizes"]] == [(1000, 200)]
    for entry in figures["sizes"]:
        assert min(entry["seconds"].values()) > 0
        assert {"arrange a run", "line up", "matrices", "compare"} <= set(entry["seconds"])
        assert entry["memory"]["peak"] >= entry["memory"]["before"] > 0
        assert entry["plain"]["replicates"] >= 1
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "cores", "1,000 pictures", "scaled to 2,000", "times as long"):
        assert word in printed


def test_the_loop_beside_it_finds_the_same_figures() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 4, 300)
    aligned = align_tables({"one": prediction_table(truth, add_noise(truth, 0.4, generator))}, in_group=5)
    place = aligned.condition(Condition.EXCESS_SEBUM)
    result = compare(aligned, {"one": ["one"]})
    of = (aligned.truth[place], aligned.grades[0, place], aligned.probabilities[0, place])
    for name, value in comparison.plain_metrics(sklearn.metrics, *of).items():
        assert result.values(name)[0, place] == pytest.approx(value), name


def test_clicks_on_the_compare_page_are_measured(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = write_rows(folders.data / "benchmark", 600, 0)
    runs = compare_page.write_runs(dataset, folders.artifacts)
    assert all(run.finished and run.complete for run in runs)
    monkeypatch.setattr(measuring, "REPEATS", 1)
    clicks = compare_page._clicks(dataset)
    some = {name: clicks[name] for name in ("leaderboard", "wall, a cell", "lab, another τ")}
    monkeypatch.setattr(compare_page, "_clicks", lambda _: some)
    seconds = compare_page.measure_clicks(dataset)
    assert set(seconds) == {*some, "leaderboard, after a decision was saved"}
    assert all(took["first"] > 0 and took["median"] > 0 for took in seconds.values())


def test_a_click_that_fails_is_not_measured(folders: Folders) -> None:
    dataset = write_rows(folders.data / "benchmark", 300, 0)
    compare_page.write_runs(dataset, folders.artifacts)
    (dataset.folder / "index.parquet").write_bytes(b"broken")
    with pytest.raises(RuntimeError, match="page failed"):
        compare_page.measure_clicks(dataset)


@pytest.mark.usefixtures("apart_is_here")
def test_grading_is_measured_beside_the_old_way(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    assert commands.main(["predict", "--quick", "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    (network,) = figures["found"]
    ways = {"old way", "shared, eager", "ours", "ours, 8 bit"}
    assert set(network["cores 1"]) == ways | {"network", "peak"}
    assert min(network["cores 1"].values()) > 0
    assert network["operations"] > 1e6
    assert network["memory"]["ours"] > 50
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "training.optimize", "GFLOP/s", "× ours", "Median of 1", "MiB"):
        assert word in printed
    assert list(folders.artifacts.iterdir()) == []


@pytest.mark.usefixtures("apart_is_here")
def test_bulk_grading_is_measured_beside_a_plain_loop(folders: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["bulk", "--quick"]) == 0
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "24 JPEGs", "plain", "× ours", "Starting the workers"):
        assert word in printed
    assert list(folders.artifacts.iterdir()) == []


def test_six_single_networks_grade_the_same_pictures(folders: Folders, tmp_path: Path) -> None:
    (content,) = (path.read_bytes() for path in prediction.write_pictures(tmp_path / "pictures", 1))
    preprocessing = Preprocessing(64, 64, (0.5,) * 3, (0.25,) * 3, "bicubic")
    answers = np.array(prediction.old_way("test_efficientnet", preprocessing)(content))
    assert answers.shape == (6, 4)
    assert answers.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    assert len({tuple(row) for row in answers}) == 6, "each network has weights of its own"
    assert np.shape(prediction.shared_eager("test_efficientnet", 64)(content)) == (1, 6, 4)
