"""The benchmark: that it measures what it says, at sizes where that takes a moment; never how long something takes."""

import json
import math
from pathlib import Path

import pytest
import torch
from conftest import TINY, Folders, labels_of

from scalp_core.dataset import LABEL_COLUMNS, PARTS, Dataset
from scalp_core.explore import Filters, filterable, measured, select, size, spearman
from scalp_core.images import Preprocessing
from scalp_core.importer import Order, import_tree, read_report
from scalp_core.runs import Recipe
from training import benchmark, benchmark_train
from training.benchmark_import import LAYOUTS, write_tree


@pytest.mark.parametrize("rows", [7, 3000])
def test_the_rows_look_like_imported_ones(folders: Folders, rows: int) -> None:
    dataset = benchmark.write_rows(folders.data / "made", rows, 0)
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


def test_rows_by_the_thousand_have_what_the_real_ones_have(folders: Folders) -> None:
    dataset = benchmark.write_rows(folders.data / "made", 6000, 1)
    everything = select(dataset, Filters())
    told = size(dataset, everything)
    assert told.sites == 190
    assert 3.2 < told.images / told.captures < 4.6
    assert set(dataset.index["part"]) == set(PARTS)
    assert 0 < dataset.index[list(LABEL_COLUMNS)].isna().any(axis=1).sum() < 200
    assert spearman(dataset, everything).loc["value_1", "value_2"] == pytest.approx(-0.6, abs=0.06)
    alike = dataset.index["look_alikes"].value_counts()
    assert 0 < alike.sum() < 200
    assert set(alike) <= {1, 2}


def test_a_seed_gives_the_same_rows(folders: Folders) -> None:
    first, again, other = (
        benchmark.write_rows(folders.data / name, 500, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first.index_hash == again.index_hash != other.index_hash


def test_interactions_are_measured_first_and_then_again() -> None:
    calls: list[int] = []
    seconds = benchmark.measure({"once more": calls.append})
    assert calls == list(range(6))
    assert set(seconds) == {"once more"}
    assert all(math.isfinite(value) and value >= 0 for value in seconds["once more"].values())


def test_the_dataset_page_is_measured_at_every_size(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    assert benchmark.main(["dataset-page", "--rows", "1000", "500", "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    assert figures["machine"]["cores"] >= 1
    assert [one["rows"] for one in figures["sizes"]] == [500, 1000]
    for one in figures["sizes"]:
        assert {"counts", "Spearman", "sort by sharpness", "open the page"} <= set(one["seconds"])
        assert all(took["first"] > 0 and took["median"] > 0 for took in one["seconds"].values())
        assert one["memory"]["page"]["peak"] >= one["memory"]["page"]["resident"] > 0
        assert one["index_mebibytes"] > 0
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "cores", "1,000", "500", "open the page", "× for 10 × rows", "MiB"):
        assert word in printed
    assert list(folders.data.iterdir()) == []  # it measures on a folder of its own


def test_a_page_that_fails_is_not_measured(folders: Folders) -> None:
    dataset = benchmark.write_rows(folders.data / "made", 50, 0)
    (dataset.folder / "index.parquet").write_bytes(b"broken")
    with pytest.raises(RuntimeError, match="page failed"):
        benchmark.open_page(dataset, {})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_tree_is_as_delivered(folders: Folders, tmp_path: Path, layout: str) -> None:
    pictures = write_tree(tmp_path / "tree", 500, layout)
    dataset = import_tree(Order("aihub", str(tmp_path / "tree")), "made", processes=1)
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


def test_an_import_is_measured_beside_plain_reading(
    folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    assert benchmark.main(["import", "--labels", "60", "--repeats", "1", "--json", str(written)]) == 0
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
    assert benchmark.main(["drawing", "--frames", "3", "--json", str(written)]) == 0
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
    words = ["train", "--architectures", "test_efficientnet", "--images", "24", "--image-size", "64"]
    words += ["--batch-size", "4", "--steps", "1", "--rounds", "1", "--against", "timm", "torchvision"]
    assert benchmark.main([*words, "--json", str(written)]) == 0
    figures = json.loads(written.read_text(encoding="utf-8"))
    assert figures["synthetic"] is True
    assert figures["machine"]["device"]
    (one,) = figures["architectures"]
    speeds = one["pictures_a_second"]
    assert {"ours", "ours, step alone", "plain, step alone", "ours, bfloat16", "timm, 0 workers"} <= set(speeds)
    assert all(math.isfinite(speed) and speed > 0 for speed in (*speeds.values(), one["prepared"]))
    assert one["recipe"]["precision"] == "full"
    for style in ("timm", "torchvision"):
        best = max(speed for way, speed in speeds.items() if way.startswith(style))
        assert one["against"][style]["ours_times_as_fast"] == pytest.approx(speeds["ours"] / best)
    printed = capsys.readouterr().out
    for word in ("SYNTHETIC", "cores", "test_efficientnet", "step alone", "ours against timm, geometric mean"):
        assert word in printed
    assert list(folders.data.iterdir()) == list(folders.artifacts.iterdir()) == []  # folders of its own


@pytest.mark.parametrize("style", benchmark_train.PLAIN)
def test_the_plain_loop_learns_from_the_files(tiny: Dataset, style: str) -> None:
    wanted = Preprocessing(64, 64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")
    files = benchmark_train.files_of(tiny, benchmark_train.PLAIN[style][0](wanted))
    assert len(files) == (tiny.index["part"] == "train").sum()
    pixels, labels = files[0]
    assert (pixels.shape, pixels.dtype) == ((3, 64, 64), torch.float32)
    assert -2 <= pixels.min() < pixels.max() <= 2  # normalised
    first = tiny.index[tiny.index["part"] == "train"].iloc[0]
    assert labels.tolist() == [-1 if grade is None else grade for grade in labels_of(first).values()]
    batches = list(benchmark_train.loaded(files, Recipe(**TINY), 0, torch.device("cpu"))(3))
    assert [tuple(pixels.shape) for pixels, _ in batches] == [(8, 3, 64, 64)] * 3
