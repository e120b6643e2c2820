"""Embeddings: features that explain its answers exactly, computed once, and their map."""

import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Folders, Trained
from PIL import Image

from scalp_core import images
from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.inference import predict
from scalp_core.inference.embeddings import features, nearest_neighbors, neighbor_map, project, rank_map, sample
from scalp_core.inference.predict import grade
from scalp_core.runs.run import Run

ALL = np.arange(48)


@pytest.fixture
def mine(folders: Folders, tiny_data: Dataset) -> Dataset:
    """A copy of "tiny" that a test may spoil, without cache."""
    shutil.copytree(tiny_data.folder, folders.data / "tiny", ignore=shutil.ignore_patterns("cache"))
    return open_dataset("tiny")


@pytest.fixture
def steps() -> list[tuple[int, int]]:
    """Progress of a computation, as it was reported."""
    return []


def copied(run: Run, folder: Path) -> Run:
    """The same run, to be spoiled."""
    shutil.copytree(run.folder, folder / run.id)
    return Run(folder / run.id)


def kept(dataset: Dataset) -> list[Path]:
    return sorted((dataset.folder / "cache").glob("*"))


def test_features_explain_the_answer_exactly(trained: Trained) -> None:
    rows, values = features(trained.run, trained.dataset, np.array([7, 2, 30]))
    assert rows.tolist() == [7, 2, 30]
    assert values.dtype == np.float32
    for row, features_of_row in zip(rows, values, strict=True):
        answer = grade(trained.dataset.read(trained.dataset.column("id").iloc[row]))
        assert np.abs(answer.features[trained.run] - features_of_row).max() < 1e-4
    assert np.abs(values[0] - values[1]).max() > 1e-3  # so the comparison says something


def test_they_are_computed_once(trained: Trained, mine: Dataset, steps: list[tuple[int, int]]) -> None:
    _, first = features(trained.run, mine, ALL[:40], lambda *step: steps.append(step))
    assert steps == [(32, 40), (40, 40)]
    shutil.rmtree(mine.folder / "images")
    rows, again = features(trained.run, mine, ALL[:40][::-1], lambda *step: steps.append(step))
    assert len(steps) == 2
    assert np.array_equal(again, first[::-1])
    assert np.array_equal(rows, ALL[:40][::-1])


def test_a_larger_sample_takes_up_what_is_known(trained: Trained, mine: Dataset, steps: list[tuple[int, int]]) -> None:
    _, some = features(trained.run, mine, ALL[10:20])
    _, every = features(trained.run, mine, ALL, lambda *step: steps.append(step))
    assert steps[-1] == (38, 38)
    assert np.array_equal(every[10:20], some)
    assert len(kept(mine)) == 1


def test_what_was_computed_before_visitor_left_is_kept(
    trained: Trained, mine: Dataset, steps: list[tuple[int, int]]
) -> None:
    def leave(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        features(trained.run, mine, ALL, leave)
    features(trained.run, mine, ALL, lambda *step: steps.append(step))
    assert steps == [(16, 16)]


def test_what_cannot_be_read_is_left_out(trained: Trained, mine: Dataset) -> None:
    (mine.folder / mine.column("path").iloc[1]).unlink()
    (mine.folder / mine.column("path").iloc[3]).write_bytes(b"not a picture")
    rows, values = features(trained.run, mine, ALL[:5])
    assert rows.tolist() == [0, 2, 4]
    assert len(values) == 3
    rows, values = features(trained.run, mine, np.array([1, 3]))
    assert (len(rows), len(values)) == (0, 0)
    points, _ = project(values)
    assert points.shape == (0, 2)


def test_two_rows_of_one_content_have_same_features(trained: Trained, mine: Dataset) -> None:
    rows = mine.index.reset_index(drop=True)
    rows.loc[1, ["sha256", "path"]] = rows.loc[0, ["sha256", "path"]]
    mine = write_dataset(mine.folder, mine.kind, mine.made, rows)
    readable, values = features(trained.run, mine, ALL[:3])
    assert readable.tolist() == [0, 1, 2]
    assert np.array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


def test_folder_that_cannot_be_written_only_keeps_nothing(trained: Trained, mine: Dataset) -> None:
    (mine.folder / "cache").write_bytes(b"a file where the folder should be")
    _, first = features(trained.run, mine, ALL[:3])
    _, again = features(trained.run, mine, ALL[:3])
    assert np.array_equal(first, again)


def test_a_spoiled_cache_is_made_again(trained: Trained, mine: Dataset) -> None:
    _, first = features(trained.run, mine, ALL[:3])
    (path,) = kept(mine)
    path.write_bytes(path.read_bytes()[:100])
    _, again = features(trained.run, mine, ALL[:3])
    assert np.array_equal(first, again)


def test_features_of_other_weights_are_computed_anew(
    trained: Trained, mine: Dataset, tmp_path: Path, steps: list[tuple[int, int]]
) -> None:
    features(trained.run, mine, ALL[:3])
    other = copied(trained.run, tmp_path)
    weights = bytearray(other.weights_path.read_bytes())
    weights[-1] ^= 1
    other.weights_path.write_bytes(weights)
    other.write_manifest({key: value for key, value in other.manifest.items() if key != "files"})
    other.write_export({})
    features(other, mine, ALL[:3], lambda *step: steps.append(step))
    assert steps == [(3, 3)]
    assert len(kept(mine)) == 2


def test_a_damaged_run_computes_nothing(trained: Trained, mine: Dataset, tmp_path: Path) -> None:
    damaged = copied(trained.run, tmp_path)
    damaged.weights_path.write_bytes(b"")
    with pytest.raises(ScalpError) as caught:
        features(damaged, mine, ALL[:3])
    assert caught.value.code == "damaged"


# The sample.


@pytest.fixture
def large(folders: Folders, tiny_data: Dataset) -> Dataset:
    """5,000 rows without pictures; of value_2, grade 3 is there five times."""
    generator = np.random.default_rng(1)
    rows = tiny_data.index.reset_index(drop=True).iloc[np.zeros(5000, dtype=int)].reset_index(drop=True)
    rows["id"] = [f"{number:05d}" for number in range(5000)]
    rows["part"] = generator.choice(PARTS, 5000)
    for column in LABEL_COLUMNS:
        rows[column] = generator.choice(3, 5000, p=[0.9, 0.08, 0.02])
        rows[column] = rows[column].astype("Int8")
    rows.loc[generator.choice(5000, 5, replace=False), "value_2"] = 3
    rows.loc[:99, "value_3"] = None
    (folders.data / "large").mkdir()
    return write_dataset(folders.data / "large", "import", {}, rows)


def test_sample_is_reproducible_within_the_rows(large: Dataset) -> None:
    rows = np.arange(0, 5000, 2)
    sampled = sample(large, rows, 600)
    assert len(sampled) == len(np.unique(sampled)) == 600
    assert np.isin(sampled, rows).all()
    assert np.array_equal(sampled, np.sort(sampled))
    assert np.array_equal(sampled, sample(large, np.random.default_rng(0).permutation(rows), 600))
    assert not np.array_equal(sampled, sample(large, rows, 600, seed=1))


def test_a_sample_keeps_rare_grades(large: Dataset) -> None:
    sampled = sample(large, np.arange(5000), 600)
    grades = large.column("value_2").iloc[sampled]
    assert (grades == 3).sum() == 5  # of 5,000; drawn at random it would be one, or none
    assert (grades == 0).sum() > 300
    assert large.column("value_3").iloc[sampled].isna().any()


def test_samples_of_different_filters_share_pictures(large: Dataset) -> None:
    narrow = np.flatnonzero(large.column("part") == "train")
    some = sample(large, narrow, 600)
    shared = np.isin(sample(large, np.arange(5000), 600), some).sum()
    by_chance = 600 * 600 / 5000
    assert shared > 1.5 * by_chance


def test_few_rows_are_all_taken(large: Dataset) -> None:
    assert sample(large, np.array([9, 3, 5]), 3).tolist() == [3, 5, 9]
    assert sample(large, np.array([], dtype=np.intp), 3).tolist() == []


# The map.


@pytest.mark.parametrize(("pictures", "channels"), [(200, 40), (30, 400), (3, 20), (40, 3)])
def test_points_are_the_first_two_principal_components(pictures: int, channels: int) -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(pictures, channels)) * np.linspace(3, 0.1, channels) + 5
    values = values.astype(np.float32)
    points, explained = project(values)
    assert points.dtype == np.float32
    left, strengths, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    expected = left[:, :2] * strengths[:2]
    expected *= np.sign((expected * points).sum(axis=0))
    assert np.abs(points - expected).max() < 1e-2 * np.abs(expected).max()
    assert explained == pytest.approx((strengths**2 / (strengths**2).sum())[:2], rel=1e-2)


def test_the_map_does_not_flip() -> None:
    values = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    points, _ = project(values)
    turned, _ = project(values[::-1].copy())
    assert np.abs(points - turned[::-1]).max() < 1e-3


@pytest.mark.parametrize("values", [np.zeros((0, 0)), np.ones((1, 5)), np.ones((7, 5))])
def test_nothing_to_tell_apart_is_one_point(values: np.ndarray) -> None:
    points, explained = project(values.astype(np.float32))
    assert points.shape == (len(values), 2)
    assert not points.any()
    assert explained.tolist() == [0, 0]


def test_outliers_squash_no_map_by_rank() -> None:
    values = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    values[0] = 1e4
    points = rank_map(values)
    assert points.dtype == np.float32
    for axis in points.T:
        assert sorted(axis) == pytest.approx(np.linspace(0, 1, 100))


def test_near_pictures_stay_near_on_the_map() -> None:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(3, 20)) * 10
    values = (np.repeat(centres, 20, axis=0) + generator.normal(size=(60, 20))).astype(np.float32)
    points = neighbor_map(values)
    assert np.array_equal(points, neighbor_map(values))
    groups = points.reshape(3, 20, 2)
    spread = np.abs(groups - groups.mean(axis=1, keepdims=True)).max()
    apart = [
        np.linalg.norm(groups[first].mean(0) - groups[second].mean(0)) for first, second in ((0, 1), (0, 2), (1, 2))
    ]
    assert min(apart) > 2 * spread


@pytest.mark.parametrize("values", [np.ones((1, 5)), np.ones((30, 5)), np.eye(4, 5)], ids=["one", "equal", "few"])
def test_a_map_of_little_needs_no_neighbours(values: np.ndarray) -> None:
    assert neighbor_map(values.astype(np.float32)).shape == (len(values), 2)
    assert np.isfinite(neighbor_map(values.astype(np.float32))).all()


# Nearest neighbours.


@pytest.fixture
def searched(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The pictures of the dataset, with a cache of its own."""
    shutil.copytree(trained.dataset.folder, folders.data / "tiny", ignore=shutil.ignore_patterns("cache"))
    monkeypatch.setenv("SCALP_ARTIFACTS", str(trained.run.folder.parent))
    return open_dataset("tiny")


def features_of(trained: Trained, data: bytes) -> np.ndarray:
    return predict.graders(run=trained.run).grade(data).features[trained.run]


def encoded_again(data: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(images.decode(data).pixels).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def test_picture_that_was_encoded_again_is_found_first(trained: Trained, searched: Dataset) -> None:
    for image in searched.column("id").iloc[[0, 17, 40]]:
        again = encoded_again(searched.read(image))
        neighbors = nearest_neighbors(trained.run, searched, features_of(trained, again), count=3)
        assert neighbors[0].image == image
        assert neighbors[0].distance < neighbors[1].distance
        assert [neighbor.distance for neighbor in neighbors] == sorted(neighbor.distance for neighbor in neighbors)


def test_picture_itself_is_left_out_only_when_asked(trained: Trained, searched: Dataset) -> None:
    image = str(searched.column("id").iloc[5])
    data = searched.read(image)
    seen = features_of(trained, data)
    first = nearest_neighbors(trained.run, searched, seen, count=searched.images + 5)
    assert first[0].image == image
    assert first[0].distance == pytest.approx(0, abs=1e-6)
    assert len(first) == searched.images
    without = nearest_neighbors(
        trained.run, searched, seen, count=searched.images, without=hashlib.sha256(data).hexdigest()
    )
    assert without == first[1:]


def test_distances_are_one_minus_the_cosine(trained: Trained, searched: Dataset) -> None:
    seen = features_of(trained, trained.picture)
    (neighbor,) = nearest_neighbors(trained.run, searched, -seen, count=1)
    other = features_of(trained, searched.read(neighbor.image))
    cosine = float(seen @ other / np.linalg.norm(seen) / np.linalg.norm(other))
    assert neighbor.distance == pytest.approx(1 + cosine, abs=1e-5)


def test_a_sample_and_progress(trained: Trained, searched: Dataset) -> None:
    progress: list[tuple[int, int]] = []
    seen = features_of(trained, trained.picture)
    neighbors = nearest_neighbors(
        trained.run, searched, seen, count=8, most=6, progress=lambda done, total: progress.append((done, total))
    )
    assert len(neighbors) == 6
    assert progress[-1] == (6, 6)
    assert nearest_neighbors(trained.run, searched, seen, count=8, most=6) == neighbors, (
        "the sample is the same every time"
    )


def test_ties_are_ordered_by_id(trained: Trained, searched: Dataset) -> None:
    nothing = np.zeros_like(features_of(trained, trained.picture))
    neighbors = nearest_neighbors(trained.run, searched, nothing, count=5)
    assert [neighbor.image for neighbor in neighbors] == searched.column("id").iloc[:5].tolist()
    assert {neighbor.distance for neighbor in neighbors} == {1.0}
