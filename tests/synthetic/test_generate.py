"""The synthetic dataset: names, labels, determinism, resumption."""

import json
import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from scalp_core.data.aihub import META_ANSWERS
from scalp_core.data.dataset import LABEL_COLUMNS, PARTS, Dataset, open_dataset
from scalp_core.data.quality import measure
from scalp_core.errors import ScalpError
from scalp_core.files import TEMPORARY, sha256
from scalp_core.labels import CONDITIONS
from scalp_core.synthetic import generate
from scalp_core.synthetic.generate import MAKING, PlannedPicture, make_dataset, plan_pictures
from scalp_core.synthetic.label_noise import CLEAN_COLUMNS, SEVERITY_COLUMNS
from scalp_core.synthetic.masks import planned_pictures

# The names of all 91,156 real images.
REAL_NAME = re.compile(r"(\d{4})_((?:A2LEBJJDE|A1LCAIHDH|A2LCBJCAC)\w{6})_(\d{13}|\d{9})_([2-6])_(TH|LH|RH|BH)\.jpg")
REGIONS = {"2": "TH", "3": "TH", "4": "LH", "5": "RH", "6": "BH"}
IMAGES = 16


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(tmp_path_factory.mktemp("data")))
        return make_dataset("small", IMAGES, 5, processes=1)


@pytest.fixture(scope="module")
def plan() -> list[PlannedPicture]:
    return plan_pictures(5000, 1, evaluation=3000, prior="tempered")


def table(pictures: list[PlannedPicture]) -> pd.DataFrame:
    rows = [(p.image_id, p.part, p.capture, p.region, p.frame, *p.labels) for p in pictures]
    return pd.DataFrame(rows, columns=["id", "part", "capture", "region", "frame", *LABEL_COLUMNS])


def test_names_are_those_of_the_real_images(small: Dataset, plan: list[PlannedPicture]) -> None:
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


def test_images_are_jpegs_with_the_indexed_hash(small: Dataset) -> None:
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
    assert (generate.render_picture(first[0], 5) != generate.render_picture(first[0], 6)).any()


def test_a_killed_call_is_resumed(small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    rendered: list[str] = []
    draw = generate.render_picture

    def draw_until_killed(picture: PlannedPicture, seed: int) -> np.ndarray:
        if len(rendered) == IMAGES // 2:
            raise KeyboardInterrupt
        rendered.append(picture.image_id)
        return draw(picture, seed)

    monkeypatch.setattr(generate, "render_picture", draw_until_killed)
    with pytest.raises(KeyboardInterrupt):
        make_dataset("small", IMAGES, 5, processes=1)
    assert (tmp_path / "small" / MAKING).is_file()
    images = tmp_path / "small" / "images"
    files = sorted(images.iterdir())
    files[0].write_bytes(files[0].read_bytes()[:1000])  # what a power cut may leave
    (images / f"{TEMPORARY}1-half.jpg").write_bytes(b"half")

    resumed: list[str] = []
    monkeypatch.setattr(
        generate, "render_picture", lambda picture, seed: (resumed.append(picture.image_id), draw(picture, seed))[1]
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
    monkeypatch.setattr(generate, "plan_pictures", lambda *_: pytest.fail("it was planned again"))
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


def test_concurrent_commands_make_one_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    with FileLock(tmp_path / ".busy.lock"), pytest.raises(ScalpError) as caught:
        make_dataset("busy", IMAGES, 5)
    assert caught.value.code == "already_making"


@pytest.mark.parametrize(
    ("name", "images", "more", "code"),
    [
        ("../out", IMAGES, {}, "bad_name"),
        ("tiny", 3, {}, "too_few_images"),
        ("all", IMAGES, {"evaluation": IMAGES}, "bad_evaluation"),
        ("none", IMAGES, {"evaluation": 0}, "bad_evaluation"),
        ("odd", IMAGES, {"prior": "flat"}, "bad_prior"),
        ("odder", IMAGES, {"evaluation_prior": "flat"}, "bad_prior"),
    ],
)
def test_bad_wishes_are_explained(
    name: str, images: int, more: dict, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    with pytest.raises(ScalpError) as caught:
        make_dataset(name, images, 0, **more)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def draw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the frames black, which takes no time."""
    monkeypatch.setattr(generate, "render_picture", lambda *_: np.zeros((480, 640, 3), dtype=np.uint8))


def test_progress_runs_from_nothing_to_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    draw_nothing(monkeypatch)
    seen: list[tuple[int, int]] = []
    make_dataset("seen", 17, 0, processes=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 17), (8, 17), (16, 17), (17, 17)]


def test_captures_have_one_to_five_different_frames(plan: list[PlannedPicture]) -> None:
    frames: dict[str, list[int]] = {}
    for picture in plan:
        frames.setdefault(picture.capture, []).append(picture.frame)
    assert all(len(set(taken)) == len(taken) <= 5 for taken in frames.values())
    assert 3.7 < len(plan) / len(frames) < 4.3


def test_heads_keep_one_hair_and_one_person(plan: list[PlannedPicture]) -> None:
    heads: dict[str, set[tuple[object, ...]]] = {}
    for picture in plan:
        heads.setdefault(picture.capture, set()).add((picture.hair, picture.answers, picture.device))
    assert all(len(facts) == 1 for facts in heads.values())
    dye = list(generate.ANSWERS).index("answers3")
    assert "하지 않음" not in {picture.answers[dye] for picture in plan if picture.hair == "dyed"}


def test_every_answer_can_be_read_in_both_languages() -> None:
    for answers in generate.ANSWERS.values():
        assert all(META_ANSWERS[answer].en.isascii() or "–" in META_ANSWERS[answer].en for answer in answers)


def test_sites_have_one_or_two_devices(plan: list[PlannedPicture]) -> None:
    devices: dict[str, set[str]] = {}
    for picture in plan:
        devices.setdefault(picture.site, set()).add(picture.device)
    assert Counter(len(serials) for serials in devices.values()).keys() == {1, 2}
    assert 80 < len(devices) < 125


def test_casts_spread_like_real_lamps(plan: list[PlannedPicture]) -> None:
    casts = {picture.capture: picture.cast for picture in plan}
    colours = np.array([(cast.lightness, cast.a, cast.b) for cast in casts.values()])
    assert colours.mean(axis=0) == pytest.approx(generate.CAST_MEAN, abs=2.0)
    assert (colours.std(axis=0) > (1.5, 3.5, 3.5)).all()
    assert len(set(casts.values())) == len(casts)
    assert np.corrcoef(colours.T)[0, 1] < 0


def test_frames_of_a_head_share_its_cast(plan: list[PlannedPicture]) -> None:
    casts = {(picture.capture, picture.cast) for picture in plan}
    assert len(casts) == len({capture for capture, _ in casts})


def test_a_file_has_the_quality_of_its_device(plan: list[PlannedPicture]) -> None:
    qualities = {picture.camera.quality for picture in plan}
    assert min(qualities) >= generate.JPEG_QUALITIES[0]
    assert max(qualities) <= generate.JPEG_QUALITIES[1]
    assert len(qualities) > 5
    pixels = generate.render_picture(plan[0], 1)
    assert len(generate.encode(pixels, 100)) > 1.5 * len(generate.encode(pixels, 88))


def test_some_names_carry_nine_digits() -> None:
    stamps = [picture.capture.rsplit("_", 1)[1] for picture in plan_pictures(5000, 2)]
    assert {len(stamp) for stamp in stamps} == {9, 13}
    assert sum(len(stamp) == 9 for stamp in stamps) < 100


# How often each grade occurs among the 91,156 real images.
REAL = {
    "value_1": (0.828, 0.063, 0.077, 0.032),
    "value_2": (0.199, 0.397, 0.350, 0.054),
    "value_3": (0.324, 0.430, 0.185, 0.061),
    "value_4": (0.953, 0.031, 0.011, 0.005),
    "value_5": (0.598, 0.235, 0.135, 0.032),
    "value_6": (0.741, 0.193, 0.054, 0.012),
}


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    """Labels of many pictures to be judged on."""
    labels = table(plan_pictures(12_000, 3, evaluation=11_900))
    return labels[labels["part"] != "train"]


@pytest.mark.parametrize("column", LABEL_COLUMNS)
def test_what_is_judged_on_has_the_real_imbalance(column: str, judged: pd.DataFrame) -> None:
    shares = judged[column].value_counts(normalize=True).reindex(range(4), fill_value=0.0)
    for grade, real in enumerate(REAL[column]):
        assert shares[grade] == pytest.approx(real, abs=0.03 + 0.2 * real), grade


@pytest.mark.parametrize("part", ["valid", "calib", "test"])
def test_every_grade_is_in_every_part(part: str, plan: list[PlannedPicture]) -> None:
    labels = table(plan)
    for column in LABEL_COLUMNS:
        assert set(labels.loc[labels["part"] == part, column]) == {0, 1, 2, 3}, column


def test_the_tempered_prior_shows_rare_grades_more_often(plan: list[PlannedPicture]) -> None:
    learned = table(plan).query("part == 'train'")
    real = table(plan_pictures(5000, 1, evaluation=3000, prior="real")).query("part == 'train'")
    for column in LABEL_COLUMNS:
        assert (learned[column] == 3).mean() > 1.15 * (real[column] == 3).mean(), column
        assert learned[column].value_counts(normalize=True).reindex(range(4), fill_value=0).min() > 0.02, column


@pytest.mark.parametrize("seed", [20260101, 2, 7])
def test_tempered_evaluation_fills_every_grade(seed: int) -> None:
    labels = table(plan_pictures(1704, seed, evaluation=1700, evaluation_prior="tempered"))
    for part, least in (("valid", 15), ("calib", 15), ("test", 25)):
        columns = labels.loc[labels["part"] == part, list(LABEL_COLUMNS)]
        counts = columns.apply(lambda column: column.value_counts().reindex(range(4), fill_value=0))
        assert counts.to_numpy().min() >= least, (part, counts)


def test_evaluation_prior_leaves_training_pictures_alone(plan: list[PlannedPicture]) -> None:
    tempered = plan_pictures(5000, 1, evaluation=3000, evaluation_prior="tempered")
    assert [p for p in tempered if p.part == "train"] == [p for p in plan if p.part == "train"]


def test_settings_name_only_another_evaluation_prior(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of datasets from before that choice stay equal, so they are opened and not refused."""
    monkeypatch.setenv("SCALP_DATA", str(tmp_path))
    draw_nothing(monkeypatch)
    real = make_dataset("real", 16, 5, processes=1, evaluation_prior="real")
    tempered = make_dataset("tempered", 16, 5, processes=1, evaluation_prior="tempered")
    assert "evaluation_prior" not in real.made
    assert tempered.made == real.made | {"evaluation_prior": "tempered"}
    assert (real.tempered, tempered.tempered) == (False, True)
    assert planned_pictures(tempered).keys() == set(tempered.column("id"))
    assert make_dataset("tempered", 16, 5, evaluation_prior="tempered").created == tempered.created
    with pytest.raises(ScalpError):
        make_dataset("tempered", 16, 5, evaluation_prior="real")


def test_a_larger_data_set_contains_the_smaller_one(plan: list[PlannedPicture]) -> None:
    smaller = {picture.image_id: picture for picture in plan_pictures(3400, 1, evaluation=3000, prior="tempered")}
    larger = {picture.image_id: picture for picture in plan}
    assert len(larger) == len(plan)
    assert all(larger[image_id] == picture for image_id, picture in smaller.items())


def test_labels_are_drawn_grades_with_rater_s_errors(plan: list[PlannedPicture]) -> None:
    labelled = np.array([picture.labels for picture in plan])
    clean = np.array([picture.clean for picture in plan])
    severities = np.array([picture.severities for picture in plan])
    assert (abs(severities - clean) <= 0.5).all()
    present = clean > 0
    for place, condition in enumerate(CONDITIONS):
        wrong = (labelled != clean)[present[:, place], place].mean()
        assert 0.1 < wrong < 0.22, condition
    assert (abs(labelled - clean) > 1).mean() < 0.002


def test_the_index_knows_its_truth(small: Dataset) -> None:
    planned = {picture.image_id: picture for picture in plan_pictures(IMAGES, 5)}
    for row in small.index.itertuples():
        picture = planned[row.id]
        assert tuple(getattr(row, name) for name in CLEAN_COLUMNS) == picture.clean
        assert [getattr(row, name) for name in SEVERITY_COLUMNS] == pytest.approx(picture.severities, abs=1e-6)
        assert row.confusers == " ".join(sorted(picture.confusers))
        assert row.meta_gender in ("남", "여")


def test_scaling_and_sebum_exclude_each_other(judged: pd.DataFrame) -> None:
    assert judged["value_1"].corr(judged["value_2"], method="spearman") < -0.45


def test_regions_of_a_capture_resemble_each_other(judged: pd.DataFrame) -> None:
    pairs = judged.merge(judged, on="capture").query("id_x < id_y and region_x != region_y")
    for condition in CONDITIONS:
        correlation = pairs[f"{condition}_x"].corr(pairs[f"{condition}_y"])
        assert (0.05 if condition == "value_4" else 0.3) < correlation < 0.6, condition


def test_two_frames_of_a_region_show_the_same(judged: pd.DataFrame) -> None:
    pairs = judged.merge(judged, on=["capture", "region"]).query("id_x < id_y")
    assert len(pairs) > 500
    for condition in CONDITIONS:
        assert (abs(pairs[f"{condition}_x"] - pairs[f"{condition}_y"]) > 1).mean() < 0.01, condition


def test_top_of_head_is_oilier_and_less_red(judged: pd.DataFrame) -> None:
    top, rest = judged[judged["region"] == "TH"], judged[judged["region"] != "TH"]
    assert top["value_2"].mean() > rest["value_2"].mean() + 0.15
    assert top["value_3"].mean() < rest["value_3"].mean() - 0.2
