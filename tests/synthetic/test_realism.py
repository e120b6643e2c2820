"""Distances of pictures from the real ones: as the tool that measured the real ones tells them, and by what differs."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS
from scalp_core.synthetic.picture_statistics import SIZES, resized, statistics
from scalp_core.synthetic.realism import (
    ALL,
    GROUPS,
    Realism,
    compared_pictures,
    energy_distance,
    folder_realism,
    group_of,
    real_statistics,
    realism,
    realism_auc,
    stand_ins,
)
from training import fidelity as command

Pixels = npt.NDArray[np.uint8]


def photographs() -> list[Pixels]:
    """Return 24 cuts of 240 × 180 pixels out of scikit-learn's photographs, which never change."""
    whole = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    corners = [(top, left) for top in (10, 110, 210) for left in (0, 120, 240, 360)]
    return [picture[top : top + 180, left : left + 240] for picture in whole for top, left in corners]


@pytest.fixture(scope="module")
def measured() -> list[dict[str, float]]:
    return [statistics(resized(pixels, "thumb")) for pixels in photographs()]


# What the tool that measured the real pictures says of the same photographs.
SAMPLE = {
    **{"skin_L_mean": 82.5118, "slow_a_std": 2.4655, "centre_minus_edge_a": -0.8716, "tone_p1": 4.4790},
    **{"L_skew": -1.0379, "band0_a_skin": 0.1372, "band1_kurtosis": 1.9113, "band2_corr_Lb": -0.0471},
    **{"coherence_coarse": 0.2686, "hair_contrast": 40.2457, "rim_L": -2.4526, "glint_area_max": 3.3673},
    **{"bright_area_max": 2.3979, "bright_b_own": 7.7545},
}
AUC = {
    **{"colour": 0.958125, "tones": 0.9588541666666667, "octaves": 0.9975, "hair": 0.9780208333333333},
    **{"bright blobs": 0.928125, "direction, relief": 0.8588541666666667, ALL: 1.0},
}


def test_statistics_are_those_of_the_tool(measured: list[dict[str, float]]) -> None:
    assert {name: measured[0][name] for name in SAMPLE} == pytest.approx(SAMPLE, abs=2e-3)
    frame = statistics(resized(photographs()[0], "frame"))
    assert frame["band-2_a_skin"] == pytest.approx(-0.9039, abs=2e-3)
    for scale, values in (("thumb", measured[0]), ("frame", frame)):
        assert set(real_statistics(scale)["names"]) <= set(values)


def test_distances_are_those_of_the_tool(measured: list[dict[str, float]]) -> None:
    result = realism(measured, "thumb")
    groups = {group.group: group for group in result.groups}
    assert groups[ALL].mean_abs_z == pytest.approx(2.1267978, abs=1e-4)
    assert groups[ALL].energy_distance == pytest.approx(0.6118137, abs=1e-4)
    assert {name: group.auc for name, group in groups.items()} == pytest.approx(AUC, abs=2e-3)


def test_whole_frames_have_means_alone(measured: list[dict[str, float]]) -> None:
    rows = [statistics(resized(pixels, "frame")) for pixels in photographs()[:2]]
    whole = realism(rows, "frame").groups[0]
    assert whole.mean_abs_z == pytest.approx(3.6089013, abs=1e-3)
    assert math.isnan(whole.energy_distance)
    assert math.isnan(whole.auc)


def test_stand_ins_are_near_the_real_ones() -> None:
    """Halves of the stand-ins differ little from the whole, so what is far from them is far from the real ones."""
    values, real = stand_ins("thumb"), real_statistics("thumb")
    standard = (values - np.array(real["mean"])) / np.array(real["std"])
    assert abs(standard.mean(axis=0)).mean() < 0.1
    assert energy_distance(standard[::2], standard[1::2]) < 0.02
    assert energy_distance(standard[::2] + 1, standard[1::2]) > 0.3


def test_auc_is_half_where_nothing_differs() -> None:
    generator = np.random.default_rng(0)
    real, same = generator.normal(size=(200, 5)), generator.normal(size=(200, 5))
    assert realism_auc(real, same) == pytest.approx(0.5, abs=0.1)
    assert realism_auc(real, same + 3) > 0.99


def test_every_statistic_has_its_group() -> None:
    names = [name for scale in SIZES for name in real_statistics(scale)["names"]]
    assert {group_of(name) for name in names} == set(GROUPS)
    assert [group_of(name) for name in ("white", "white_share", "skin_across_hair", "skin_a_std")] == [
        "tones",
        "bright blobs",
        "direction, relief",
        "colour",
    ]


def test_compared_pictures_show_conditions_as_real_ones_do() -> None:
    pictures = compared_pictures(118, 0)
    assert len({picture.image_id for picture in pictures}) == 118
    for condition, least in zip(CONDITIONS, (23, 27, 23, 0, 18, 27), strict=True):
        grades = [picture.clean[CONDITIONS.index(condition)] for picture in pictures]
        assert sum(grade >= 2 for grade in grades) >= least, condition
    assert compared_pictures(118, 0) == pictures


def test_figures_do_not_hang_on_the_workers(tmp_path: Path) -> None:
    for number, pixels in enumerate(photographs()[:5]):
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    results = folder_realism(tmp_path, 4, processes=1)
    assert [(result.scale, result.pictures) for result in results] == [("thumb", 4), ("frame", 4)]
    assert folder_realism(tmp_path, 4, processes=2)[0] == results[0]


def test_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScalpError, match=r"no pictures in .*JPEG, PNG, WebP"):
        folder_realism(tmp_path, 4)


def test_command_prints_every_group(
    tmp_path: Path, measured: list[dict[str, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(photographs()[0]).save(tmp_path / "photograph.png")
    assert command.main(["--pictures", str(tmp_path), "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert "Realism of 1 thumbnails beside 118 real ones" in printed
    assert "Realism of 1 whole frames beside 5 real ones" in printed
    assert all(printed.count(f"| {group} |") == 2 for group in (ALL, *GROUPS))
    assert "| drawings of generator version 2 | 0.892 | 0.427 | 1.000 |" in printed
    result: Realism = realism(measured, "thumb")
    assert len(command.realism_rows(result)) == 1 + len(GROUPS) + 2
