"""Masks of cues: where a condition is drawn, they say so, and nowhere else; of a frame, a picture and a dataset."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.images import decode
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic.drawing.cues import cues_of, masks_of_cues
from scalp_core.synthetic.drawing.frame import render
from scalp_core.synthetic.drawing.scene import Scene
from scalp_core.synthetic.fidelity import frame_of, hair_mask, hair_of, scene_of
from scalp_core.synthetic.generate import cue_masks, render_picture
from scalp_core.synthetic.masks import masks_of, planned_pictures
from training import masks as command

LOCAL = [Condition.FINE_SCALING, Condition.EXCESS_SEBUM, Condition.PUSTULES, Condition.DANDRUFF]
CLEARLY = 24  # grey levels by which a pixel differs beyond noise


def masks(scene: Scene, seed: int) -> np.ndarray:
    return masks_of_cues(cues_of(scene, np.random.default_rng(seed)))


def mask(severities: dict[Condition, float], condition: Condition, seed: int) -> np.ndarray:
    places = masks(scene_of(severities, seed), seed)
    assert places.shape == (6, 480, 640)
    assert places.dtype == np.uint8
    return places[CONDITIONS.index(condition)]


@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_scalp_has_empty_masks(seed: int) -> None:
    assert masks(scene_of({}, seed), seed).max(axis=(1, 2)).tolist() == [0] * 6


@pytest.mark.parametrize("condition", CONDITIONS, ids=[condition.code for condition in CONDITIONS])
def test_masks_grow_with_their_severity(condition: Condition) -> None:
    covered = [
        np.mean([mask({condition: severity}, condition, seed).mean() for seed in range(4)])
        for severity in (0.0, 1.0, 3.0)
    ]
    assert covered[0] == 0
    assert (np.diff(covered) > 0).all(), covered


@pytest.mark.parametrize("condition", LOCAL, ids=[condition.code for condition in LOCAL])
@pytest.mark.parametrize("severity", [1.0, 3.0])
def test_a_mask_covers_the_changed_pixels(condition: Condition, severity: float) -> None:
    """Most of what a severity changes clearly lies in its mask, most of the mask is changed; hairs left out."""
    inside, outside = [], []
    for seed in range(3):
        with_cue, without = scene_of({condition: severity}, seed), scene_of({}, seed)
        change = abs(frame_of(with_cue, seed).astype(int) - frame_of(without, seed)).max(axis=2)
        hair = hair_mask(hair_of(with_cue, seed)) | hair_mask(hair_of(without, seed))
        skin = cv2.dilate(hair, np.ones((9, 9), dtype=np.uint8)) == 0
        covered = mask({condition: severity}, condition, seed)
        near = cv2.dilate(covered, np.ones((7, 7), dtype=np.uint8)) > 20
        inside.append(change[(covered > 200) & skin].mean())
        outside.append((change[~near & skin] > CLEARLY).mean())
    assert np.mean(inside) > 20
    assert np.mean(outside) < 0.01


def test_a_red_field_is_where_it_is_red() -> None:
    severities = {Condition.ERYTHEMA: 2.0}
    rise = frame_of(scene_of(severities, 1), 1)[..., 1].astype(int) - frame_of(scene_of({}, 1), 1)[..., 1]
    red = mask(severities, Condition.ERYTHEMA, 1)
    assert rise[red > 180].mean() < rise[red < 70].mean() - 6  # red skin is darker in green


@pytest.mark.parametrize("other", CONDITIONS, ids=[condition.code for condition in CONDITIONS])
def test_a_mask_is_of_its_condition_alone(other: Condition) -> None:
    places = masks(scene_of({other: 3.0}, 2), 2)
    for condition, place in zip(CONDITIONS, places, strict=True):
        assert place.any() == (condition is other), condition.code


def test_bald_places_lie_off_the_hairs() -> None:
    scene = scene_of({Condition.HAIR_LOSS: 3.0}, 4)
    bald = mask({Condition.HAIR_LOSS: 3.0}, Condition.HAIR_LOSS, 4)
    assert bald[hair_mask(hair_of(scene, 4)) > 0].mean() < 0.6 * bald.mean()


def test_masks_leave_the_frame_as_it_was() -> None:
    scene = scene_of(dict.fromkeys(CONDITIONS, 2.0), 3)
    masks(scene, 3)
    assert (render(scene, np.random.default_rng(3)) == frame_of(scene, 3)).all()
    first, second = (masks(scene, 3).tobytes() for _ in range(2))
    assert first == second


# --- Of a dataset ----------------------------------------------------------------------------------------------------


def test_masks_of_a_dataset_fit_its_files(tiny: Dataset) -> None:
    index = tiny.index
    pictures = planned_pictures(tiny)
    assert sorted(pictures) == index["id"].tolist()
    image_id = str(index["id"].iloc[5])
    drawn_again = render_picture(pictures[image_id], 0)
    saved = decode(tiny.read(image_id)).pixels
    assert abs(saved.astype(int) - drawn_again).mean() < 6  # the JPEG alone
    ((named, masks),) = masks_of(tiny, [image_id])
    assert named == image_id
    assert (masks == cue_masks(pictures[image_id], 0)).all()


def test_pictures_of_another_version_have_none(tiny: Dataset) -> None:
    older = replace(tiny, made=tiny.made | {"version": 1})
    imported = replace(tiny, made={"source": "somewhere"})
    for dataset in (older, imported):
        with pytest.raises(ScalpError) as refused:
            list(masks_of(dataset, []))
        assert refused.value.code == "no_masks"


def test_unknown_pictures_have_no_mask(tiny: Dataset) -> None:
    with pytest.raises(ScalpError) as refused:
        list(masks_of(tiny, ["elsewhere"]))
    assert refused.value.code == "unknown_image"


def test_the_command_writes_a_sheet_a_picture(
    tiny: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([tiny.name, "--images", "2", "--folder", str(tmp_path / "sheets")]) == 0
    sheets = sorted((tmp_path / "sheets").iterdir())
    assert [sheet.stem for sheet in sheets] == [str(tiny.index["id"].iloc[0]), str(tiny.index["id"].iloc[-1])]
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert cv2.imread(str(sheets[0])).shape[1] == 4 * 292
    with pytest.raises(SystemExit):
        command.main([tiny.name, "--images", "0"])
