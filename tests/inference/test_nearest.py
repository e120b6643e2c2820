"""The nearest pictures of a data set: found whatever was done to the file, and the same every time."""

import hashlib
import io
import shutil

import numpy as np
import pytest
from conftest import Folders, Trained
from PIL import Image

from scalp_core import images
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.inference import predict
from scalp_core.inference.nearest import nearest_neighbors


@pytest.fixture
def dataset(trained: Trained, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The pictures of the data set, with a cache of its own."""
    shutil.copytree(trained.dataset.folder, folders.data / "tiny", ignore=shutil.ignore_patterns("cache"))
    monkeypatch.setenv("SCALP_ARTIFACTS", str(trained.run.folder.parent))
    return open_dataset("tiny")


def features(trained: Trained, data: bytes) -> np.ndarray:
    return predict.graders(run=trained.run).grade(data).features[trained.run]


def encoded_again(data: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(images.decode(data).pixels).save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def test_a_picture_that_was_encoded_again_is_found_first(trained: Trained, dataset: Dataset) -> None:
    for image in dataset.column("id").iloc[[0, 17, 40]]:
        again = encoded_again(dataset.read(image))
        found = nearest_neighbors(trained.run, dataset, features(trained, again), count=3)
        assert found[0].image == image
        assert found[0].distance < found[1].distance
        assert [one.distance for one in found] == sorted(one.distance for one in found)


def test_the_picture_itself_is_left_out_only_when_asked(trained: Trained, dataset: Dataset) -> None:
    image = str(dataset.column("id").iloc[5])
    data = dataset.read(image)
    seen = features(trained, data)
    first = nearest_neighbors(trained.run, dataset, seen, count=dataset.images + 5)
    assert first[0].image == image
    assert first[0].distance == pytest.approx(0, abs=1e-6)
    assert len(first) == dataset.images
    without = nearest_neighbors(
        trained.run, dataset, seen, count=dataset.images, without=hashlib.sha256(data).hexdigest()
    )
    assert without == first[1:]


def test_distances_are_one_minus_the_cosine(trained: Trained, dataset: Dataset) -> None:
    seen = features(trained, trained.picture)
    (one,) = nearest_neighbors(trained.run, dataset, -seen, count=1)
    other = features(trained, dataset.read(one.image))
    cosine = float(seen @ other / np.linalg.norm(seen) / np.linalg.norm(other))
    assert one.distance == pytest.approx(1 + cosine, abs=1e-5)


def test_a_sample_and_progress(trained: Trained, dataset: Dataset) -> None:
    told: list[tuple[int, int]] = []
    seen = features(trained, trained.picture)
    found = nearest_neighbors(
        trained.run, dataset, seen, most=6, progress=lambda done, total: told.append((done, total))
    )
    assert len(found) == 6
    assert told[-1] == (6, 6)
    assert nearest_neighbors(trained.run, dataset, seen, most=6) == found, "the sample is the same every time"


def test_equally_near_ones_are_in_the_order_of_their_ids(trained: Trained, dataset: Dataset) -> None:
    nothing = np.zeros_like(features(trained, trained.picture))
    found = nearest_neighbors(trained.run, dataset, nothing, count=5)
    assert [one.image for one in found] == dataset.column("id").iloc[:5].tolist()
    assert {one.distance for one in found} == {1.0}
