"""Local grades and evidence, and how they lie over a picture."""

import numpy as np
import pytest

from scalp_core.inference.evidence import evidence_for, local_grade, overlay
from scalp_core.labels import GRADES


def test_local_grade_is_that_of_the_picture_at_the_strongest_place_and_less_elsewhere() -> None:
    evidence = np.zeros((4, 16, 16), dtype=np.float32)
    evidence[0] = 12.0  # normal everywhere
    evidence[3, 4, 5], evidence[1, 9, 9] = 30.0, 30.0 - np.log(4)  # but for a place, and another a quarter as likely
    grades = local_grade(evidence, (0, 0, 0, 1))
    assert grades[4, 5] == pytest.approx(3)
    assert grades[9, 9] == pytest.approx(3 / 4, rel=1e-5)
    grades[4, 5] = grades[9, 9] = 0
    assert grades.max() < 1e-3
    assert local_grade(evidence + 64.0, (0, 0, 0, 1)) == pytest.approx(local_grade(evidence, (0, 0, 0, 1)), abs=1e-3)


def test_local_grade_tells_places_apart_where_the_whole_picture_is_sick() -> None:
    evidence = np.zeros((4, 16, 16), dtype=np.float32)
    evidence[2] = 8.0  # as a network says it that is sure of the picture as a whole
    evidence[2, 3, 3] = 10.0
    grades = local_grade(evidence, (0, 0, 1, 0))
    assert grades[3, 3] == pytest.approx(2)
    assert np.delete(grades.ravel(), 3 * 16 + 3).max() < 0.5


def test_local_grade_is_dark_on_a_healthy_scalp() -> None:
    evidence = np.random.default_rng(0).normal(size=(4, 16, 16)).astype(np.float32)
    assert local_grade(evidence, (0.95, 0.05, 0, 0)).max() == pytest.approx(0.05)


@pytest.mark.parametrize("grade", [int(grade) for grade in GRADES])
def test_evidence_adds_up_to_the_difference_of_logits(grade: int) -> None:
    evidence = np.random.default_rng(grade).normal(size=(4, 7, 5)).astype(np.float32)
    logits = evidence.mean(axis=(1, 2))
    speaking = evidence_for(evidence, grade)
    assert speaking.shape == (7, 5)
    assert speaking.mean() == pytest.approx(logits[grade] - np.delete(logits, grade).mean(), abs=1e-6)
    # What all four maps share says nothing for any of them.
    assert evidence_for(evidence + 3, grade) == pytest.approx(speaking, abs=1e-5)


def picture(height: int = 90, width: int = 120) -> np.ndarray:
    return np.random.default_rng(0).integers(60, 180, (height, width, 3), dtype=np.uint8)


def test_nothing_to_say_leaves_the_picture_alone() -> None:
    pixels = picture()
    neutral = np.zeros((3, 4), np.float32)
    assert (overlay(pixels, neutral, 1.0, 1.0, edge=120) == pixels).all()
    assert (overlay(pixels, neutral, 0.0, 1.0, edge=120) == pixels).all()  # no reasons anywhere
    assert (overlay(pixels, neutral + 5, 1.0, 0.0, edge=120) == pixels).all()  # colours turned off


def test_orange_is_for_and_blue_against() -> None:
    pixels = np.full((40, 80, 3), 128, np.uint8)
    speaking = np.zeros((4, 8), np.float32)
    speaking[:, :3], speaking[:, 5:] = 2.0, -2.0
    blended = overlay(pixels, speaking, 2.0, 0.5, edge=80).astype(int)
    red, green, blue = np.moveaxis(blended, -1, 0)
    assert (red[:, :25] > blue[:, :25] + 40).all()
    assert (blue[:, -25:] > red[:, -25:] + 40).all()
    assert (np.abs(red - green)[:, 39:41] < 25).all()
    assert blended[0, 0].tolist() == [179, 112, 64]  # half grey, half orange
    louder = overlay(pixels, speaking * 10, 2.0, 0.5, edge=80)
    assert louder[0, 0].tolist() == [179, 112, 64]  # clipped at the scale


@pytest.mark.parametrize(("height", "width"), [(90, 120), (10, 2000), (300, 20), (16_384, 1)])
def test_an_overlay_keeps_the_picture_s_shape(height: int, width: int) -> None:
    blended = overlay(picture(height, width), np.ones((7, 7), np.float32), 1.0, 0.6)
    assert blended.dtype == np.uint8
    longest = max(height, width)
    # However long and thin the picture: an overlay never takes more memory than a square one.
    assert blended.shape == (max(1, round(height * 480 / longest)), max(1, round(width * 480 / longest)), 3)
