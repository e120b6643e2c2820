"""The synthetic data set: names, labels, determinism, resumption."""

import json
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from scalp_core import synthetic
from scalp_core.dataset import LABEL_COLUMNS, PARTS, Dataset, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.files import TEMPORARY, sha256
from scalp_core.inspection import measure
from scalp_core.labels import CONDITIONS
from scalp_core.synthetic import MAKING, Picture, make_dataset, plan_pictures

# The names of all 91,156 real images.
REAL_NAME = re.compile(r"(\d{4})_((?:A2LEBJJDE|A1LCAIHDH|A2LCBJCAC)\w{6})_(\d{13})_([2-6])_(TH|LH|RH|BH)\.jpg")
REGIONS = {"2": "TH", "3": "TH", "4": "LH", "5": "RH", "6": "BH"}
IMAGES = 24


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(tmp_path_factory.mktemp("data")))
        return make_dataset("small", IMAGES, 5, processes=1)


@pytest.fixture(scope="module")
def plan() -> list[Picture]:
    return plan_pictures(3000, 1)


def table(pictures: list[Picture]) -> pd.DataFrame:
    rows = [(picture.image_id, picture.capture, picture.region, *picture.grades) for picture in pictures]
    return pd.DataFrame(rows, columns=["id", "capture", "region", *LABEL_COLUMNS])


def test_names_are_those_of_the_real_images(small: Dataset, plan: list[Picture]) -> None:
    files = [path.name for path in (small.folder / "images").iterdir()]
    assert len(files) == IMAGES
    for name in [*files, *(Path(picture.path).name for picture in plan)]:
        match = REAL_NAME.fullmatch(name)
        assert match, name
        assert len(match[2]) == 15
        assert REGIONS[match[4]] == match[5]


def test_label_files_have_exactly_the_real_keys(small: Dataset) -> None:
    for row in small.index.itertuples():
        path = small.folder / str(row.path)
        label = json.loads((small.folder / "labels" / f"{path.stem}.json").read_text(encoding="utf-8"))
        assert list(label) == ["image_id", "image_file_name", *LABEL_COLUMNS]
        assert label["image_id"] == row.id == path.stem.rsplit("_", 1)[0]
        assert label["image_file_name"] == path.name
        assert all(label[column] == str(getattr(row, column)) for column in LABEL_COLUMNS)
        assert all(label[column] in {"0", "1", "2", "3"} for column in LABEL_COLUMNS)


def test_images_are_640_by_480_jpegs_with_the_hash_of_the_index(small: Dataset) -> None:
    for row in small.index.head(4).itertuples():
        path = small.folder / str(row.path)
        assert cv2.imread(str(path)).shape == (480, 640, 3)
        assert sha256(path) == row.sha256


def test_no_site_lies_in_two_parts(small: Dataset) -> None:
    assert (small.index.groupby("site")["part"].nunique() == 1).all()
    assert set(small.index["part"]) == set(PARTS)
    assert small.index["site"].nunique() >= 4


def test_one_and_two_processes_draw_the_same_pixels(
    small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    again = make_dataset("small", IMAGES, 5, processes=2)
    assert again.index_hash == small.index_hash
    assert again.index["sha256"].tolist() == small.index["sha256"].tolist()


def test_another_seed_gives_other_pictures() -> None:
    first, second = plan_pictures(IMAGES, 5), plan_pictures(IMAGES, 6)
    assert {picture.image_id for picture in first}.isdisjoint(picture.image_id for picture in second)
    assert (synthetic.draw_picture(first[0], 5) != synthetic.draw_picture(first[0], 6)).any()


def test_a_killed_call_is_resumed(small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    drawn: list[int] = []
    draw = synthetic.draw_picture

    def draw_until_killed(picture: Picture, seed: int) -> np.ndarray:
        if len(drawn) == IMAGES // 2:
            raise KeyboardInterrupt
        drawn.append(picture.number)
        return draw(picture, seed)

    monkeypatch.setattr(synthetic, "draw_picture", draw_until_killed)
    with pytest.raises(KeyboardInterrupt):
        make_dataset("small", IMAGES, 5, processes=1)
    assert (tmp_path / "small" / MAKING).is_file()
    images = tmp_path / "small" / "images"
    files = sorted(images.iterdir())
    files[0].write_bytes(files[0].read_bytes()[:1000])  # what a power cut may leave
    (images / f"{TEMPORARY}1-half.jpg").write_bytes(b"half")

    resumed: list[int] = []
    monkeypatch.setattr(
        synthetic, "draw_picture", lambda picture, seed: (resumed.append(picture.number), draw(picture, seed))[1]
    )
    dataset = make_dataset("small", IMAGES, 5, processes=1)
    assert len(resumed) == IMAGES // 2 + 1
    assert dataset.index["sha256"].tolist() == small.index["sha256"].tolist()
    assert len(list(images.iterdir())) == IMAGES
    assert not (tmp_path / "small" / MAKING).exists()


def test_pictures_are_measured_as_they_are_drawn(small: Dataset) -> None:
    for image_id in small.column("id").iloc[::7]:
        row, measures = small.row(image_id), measure(small.read(image_id))
        assert small.column("sharpness").iloc[row] == pytest.approx(measures.sharpness, rel=1e-6)
        assert small.column("look").iloc[row] == measures.look
    assert small.parts["by"] == "site"


def test_a_whole_data_set_is_returned_at_once(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(small.folder.parent))
    monkeypatch.setattr(synthetic, "plan_pictures", lambda *_: pytest.fail("it was planned again"))
    assert make_dataset("small", IMAGES, 5).created == small.created == open_dataset("small").created


def test_another_data_set_is_never_overwritten(small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(small.folder.parent))
    with pytest.raises(ScalpError, match="another name") as caught:
        make_dataset("small", IMAGES, 6)
    assert caught.value.code == "name_taken"

    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("a user's own")
    with pytest.raises(ScalpError, match="another name"):
        make_dataset("mine", IMAGES, 5)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["precious.txt"]


def test_two_commands_do_not_make_the_same_data_set_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    with FileLock(tmp_path / ".busy.lock"), pytest.raises(ScalpError) as caught:
        make_dataset("busy", IMAGES, 5)
    assert caught.value.code == "already_making"


@pytest.mark.parametrize(("name", "images", "code"), [("../out", IMAGES, "bad_name"), ("tiny", 3, "too_few_images")])
def test_bad_wishes_are_explained(
    name: str, images: int, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    with pytest.raises(ScalpError) as caught:
        make_dataset(name, images, 0)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_progress_runs_from_nothing_to_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    seen: list[tuple[int, int]] = []
    make_dataset("seen", 17, 0, processes=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 17), (8, 17), (16, 17), (17, 17)]


def test_captures_are_one_to_five_images_of_different_frames(plan: list[Picture]) -> None:
    frames: dict[str, list[int]] = {}
    for picture in plan:
        frames.setdefault(picture.capture, []).append(picture.frame)
    assert all(len(set(taken)) == len(taken) <= 5 for taken in frames.values())
    assert 3.7 < len(plan) / len(frames) < 4.3


def test_sites_have_one_or_two_devices(plan: list[Picture]) -> None:
    devices: dict[str, set[str]] = {}
    for picture in plan:
        devices.setdefault(picture.site, set()).add(picture.device)
    assert Counter(len(serials) for serials in devices.values()).keys() == {1, 2}
    assert len(devices) == 60


def test_every_grade_is_usable(plan: list[Picture]) -> None:
    labels = table(plan)
    for column in LABEL_COLUMNS:
        assert labels[column].value_counts(normalize=True).reindex(range(4), fill_value=0).min() >= 0.04, column


def test_scaling_and_sebum_exclude_each_other(plan: list[Picture]) -> None:
    assert table(plan)["value_1"].corr(table(plan)["value_2"], method="spearman") < -0.3


def test_regions_of_a_capture_resemble_each_other(plan: list[Picture]) -> None:
    labels = table(plan)
    pairs = labels.merge(labels, on="capture").query("id_x < id_y")
    for condition in CONDITIONS:
        correlation = pairs[f"{condition}_x"].corr(pairs[f"{condition}_y"])
        assert (0.05 if condition == "value_4" else 0.3) < correlation < 0.6, condition


def test_the_top_of_the_head_is_oilier_and_less_red(plan: list[Picture]) -> None:
    labels = table(plan)
    top, rest = labels[labels["region"] == "TH"], labels[labels["region"] != "TH"]
    assert top["value_2"].mean() > rest["value_2"].mean() + 0.1
    assert top["value_3"].mean() < rest["value_3"].mean() - 0.1
