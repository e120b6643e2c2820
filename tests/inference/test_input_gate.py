"""The gate: what it holds back and why, its file, and fitting it on finished runs."""

import json
import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT, Folders, Trained
from safetensors.numpy import load_file, save_file

from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.images import Picture
from scalp_core.inference import gate_fit, input_gate, predict
from scalp_core.inference.gate_fit import FEWEST, PictureStats, Sample, Samples, fit_on
from scalp_core.inference.gate_limits import (
    REFUSED_OF_GRADE,
    REFUSED_OF_VARIED,
    REFUSED_OF_VARIED_GRADE,
    UNUSUAL_SHARE,
    grade_groups,
)
from scalp_core.inference.image_stats import SIDE, TEXTURE_FEATURES, image_stats
from scalp_core.inference.input_gate import Gate
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.runs.run import Run
from training import calibrate
from training.gate import main as gate_command

NETWORK_SIDE = 64
CODES = ("too_small", "blurred", "over_exposed", "too_dark", "not_a_scalp")


def measured(count: int, seed: int, spread: float = 1.0) -> PictureStats:
    """Simulate pictures whose texture features vary in a few directions, by so much."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(9).normal(size=(5, TEXTURE_FEATURES))
    vectors = spread * generator.normal(size=(count, 5)) @ directions
    vectors += 0.1 * generator.normal(size=vectors.shape)
    sharpness, overexposed = generator.uniform(0.5, 2, count), generator.uniform(0, 0.05, count)
    return PictureStats(sharpness, overexposed, np.full(count, 170.0), vectors)


def scalps(count: int, seed: int) -> Sample:
    """Simulate scalps, of which one in fifty is of the highest grade of each condition and strange."""
    generator = np.random.default_rng((seed, 1))
    grades = generator.choice([0.0, 1.0, 2.0, 3.0], p=(0.6, 0.3, 0.08, 0.02), size=(count, len(CONDITIONS)))
    original, varied = measured(count, seed), measured(count, seed + 1000, spread=1.3)
    for stats in (original, varied):
        stats.texture_features[grades[:, 0] == 3] += 0.8 * generator.normal(size=TEXTURE_FEATURES)
    return Sample(original, varied, grades)


def samples(trained: int = 300, calibrated: int = 400) -> Samples:
    background = np.random.default_rng(5).normal(size=(200, TEXTURE_FEATURES))
    return Samples(scalps(trained, 0), scalps(calibrated, 1), background)


@pytest.fixture(scope="module")
def fitted() -> Gate:
    return fit_on(samples(), NETWORK_SIDE, {"version": input_gate.VERSION, "weights": "w"})


def picture_of(pixels: np.ndarray) -> Picture:
    return Picture(pixels, "PNG", pixels.shape[1], pixels.shape[0])


def textured(mean: float = 150, deviation: float = 25, size: tuple[int, int] = (480, 640)) -> np.ndarray:
    """Patches of light and dark."""
    small = np.random.default_rng(0).normal(mean, deviation, (60, 80, 3))
    return np.clip(cv2.resize(small, size[::-1], interpolation=cv2.INTER_NEAREST), 0, 255).astype(np.uint8)


# ---- what it decides ----


def beyond(gate: Gate, stats: PictureStats, limit: float) -> np.ndarray:
    return gate.distance(stats.texture_features) > limit


def test_one_in_twenty_calibration_pictures_is_unusual(fitted: Gate) -> None:
    share = beyond(fitted, samples().calibrated.original, fitted.limits.usual_distance).mean()
    assert UNUSUAL_SHARE - 0.01 < share <= UNUSUAL_SHARE


def test_no_grade_of_calibration_part_is_refused_more(fitted: Gate) -> None:
    calibrated, limit = samples().calibrated, fitted.limits.distance
    for stats, share in ((calibrated.original, REFUSED_OF_GRADE), (calibrated.varied, REFUSED_OF_VARIED_GRADE)):
        refused = beyond(fitted, stats, limit)
        assert all(refused[group].mean() <= share for group in grade_groups(calibrated.grades))
    assert beyond(fitted, calibrated.varied, limit).mean() <= REFUSED_OF_VARIED


def test_other_scalps_are_refused_about_as_seldom(fitted: Gate) -> None:
    seen = scalps(3000, 2)
    assert beyond(fitted, seen.original, fitted.limits.distance).mean() < REFUSED_OF_GRADE
    severe = seen.grades[:, 0] == GRADES[-1]
    assert beyond(fitted, seen.original, fitted.limits.distance)[severe].mean() <= 0.1
    assert 0.02 < beyond(fitted, seen.original, fitted.limits.usual_distance).mean() < 0.09


def test_unlabelled_pictures_are_a_group_by_themselves() -> None:
    groups = grade_groups(np.array([[0.0, np.nan], [2.0, np.nan], [np.nan, np.nan]]))
    assert [group.tolist() for group in groups] == [[True, False, False], [False, True, False], [True, True, True]]


def test_strange_textures_are_no_scalps(fitted: Gate) -> None:
    seen = measured(50, 3).texture_features
    astray = seen + 4 * np.random.default_rng(0).normal(size=seen.shape)
    assert (fitted.distance(astray) > fitted.limits.distance).all()


def test_limits_leave_out_hardly_any_of_calibration_part(fitted: Gate) -> None:
    seen, limits = samples().calibrated.original, fitted.limits
    left_out = (
        (seen.sharpness < limits.sharpness)
        | (seen.overexposed > limits.overexposed)
        | (seen.brightness < limits.brightness)
    )
    assert left_out.mean() <= 0.01


def test_the_same_pictures_make_the_same_gate(fitted: Gate, tmp_path: Path) -> None:
    again = fit_on(samples(), NETWORK_SIDE, dict(fitted.facts))
    for name, gate in (("a", fitted), ("b", again)):
        input_gate.write(gate, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(("trained", "calibrated"), [(FEWEST - 1, 100), (100, FEWEST - 1), (0, 0)])
def test_from_too_few_pictures_no_gate_is_made(trained: int, calibrated: int) -> None:
    with pytest.raises(ScalpError) as refused:
        fit_on(samples(trained, calibrated), NETWORK_SIDE, {})
    assert refused.value.code == "too_few_pictures"


def test_pictures_that_are_all_alike_can_be_fitted() -> None:
    stats = PictureStats(*(np.repeat(column[:1], FEWEST, axis=0) for column in measured(1, 0)))
    alike = Sample(stats, stats, np.zeros((FEWEST, len(CONDITIONS))))
    limits = fit_on(Samples(alike, alike, samples().background), NETWORK_SIDE, {}).limits
    assert all(np.isfinite(value) for value in vars(limits).values())


# ---- what it says ----

BAD = {
    "too_small": textured(size=(40, 50)),
    "blurred": cv2.GaussianBlur(textured(), (0, 0), 40),
    "over_exposed": textured(mean=280),
    "too_dark": textured(mean=20, deviation=5),
    "not_a_scalp": textured(),
}


@pytest.mark.parametrize("code", CODES)
def test_reasons_name_figures_in_both_languages(fitted: Gate, code: str) -> None:
    reasons = {reason.code: reason for reason in fitted.check(picture_of(BAD[code]))}
    reason = reasons[code]
    worse = reason.value > reason.limit if code in ("over_exposed", "not_a_scalp") else reason.value < reason.limit
    assert worse
    assert any(f"{reason.limit:{form}}" in reason.text.en for form in (".0f", ".1f", ".2f", ".1%"))
    assert reason.text.en.endswith(".")
    assert reason.text.ko.endswith("세요.")
    assert reason.refuses
    assert any("가" <= letter <= "힣" for letter in reason.text.ko)


def around(gate: Gate, pixels: np.ndarray) -> Gate:
    """Return the gate with this picture in the middle of its scalps."""
    features = input_gate.signed_log1p(image_stats(pixels).texture_features)
    return replace(gate, distance=replace(gate.distance, mean=features))


def test_a_picture_like_the_others_passes(fitted: Gate) -> None:
    pixels = textured()
    assert around(fitted, pixels).check(picture_of(pixels)) == ()


def test_unusual_picture_is_marked_and_not_refused(fitted: Gate) -> None:
    pixels = textured()
    strict = around(fitted, pixels)
    strict = replace(strict, limits=replace(strict.limits, usual_distance=-1e6))
    (reason,) = strict.check(picture_of(pixels))
    assert (reason.code, reason.refuses) == ("unusual", False)
    assert "Another camera" in reason.text.en
    assert reason.text.ko.endswith("세요.")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_reason_promises_share_of_real_scalps(fitted: Gate, language: str) -> None:
    for pixels in BAD.values():
        for reason in fitted.check(picture_of(pixels)):
            if reason.code != "over_exposed":  # a share of the picture
                assert "%" not in reason.text(language)


def test_turned_on_its_side_picture_is_not_smaller(fitted: Gate) -> None:
    wide = Picture(textured(size=(640, 100)), "JPEG", 640, 100)  # the file's own size, before it was turned
    assert "too_small" not in {reason.code for reason in fitted.check(wide)}


SIZES = [(1, 1), (1, 2), (2, 1), (1, 3000), (3000, 1), (3, 5), (5, 161), (159, 160), (7, 2), (480, 640)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("value", [0, 128, 255, None], ids=str)
def test_no_picture_is_too_odd_for_it(fitted: Gate, size: tuple[int, int], value: int | None) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    pixels = noise if value is None else np.full((*size, 3), value, dtype=np.uint8)
    seen = image_stats(pixels)
    assert seen.texture_features.shape == (TEXTURE_FEATURES,)
    assert np.isfinite([*seen[:3], *seen.texture_features]).all()
    reasons = fitted.check(picture_of(pixels))
    assert all(np.isfinite([reason.value, reason.limit]).all() for reason in reasons)
    assert "not_a_scalp" in {reason.code for reason in reasons}


@pytest.mark.parametrize("value", [1e30, np.inf, -np.inf, np.nan])
def test_no_number_is_too_odd_for_it(fitted: Gate, value: float) -> None:
    (distance,) = fitted.distance(np.full((1, TEXTURE_FEATURES), value, dtype=np.float32))
    assert np.isfinite(distance)
    assert distance > fitted.limits.distance


# ---- at a glance ----


def test_a_glance_is_the_same_at_any_size() -> None:
    large = textured(size=(960, 1280))
    small = cv2.resize(large, (2 * SIDE, 3 * SIDE // 2), interpolation=cv2.INTER_AREA)
    for statistic, other in zip(image_stats(large)[:3], image_stats(small)[:3], strict=True):
        assert statistic == pytest.approx(other, rel=0.02, abs=0.01)
    np.testing.assert_allclose(
        image_stats(large).texture_features, image_stats(small).texture_features, atol=1.0, rtol=0.1
    )


def test_image_stats_survive_reduced_jpeg_scale(trained: Trained) -> None:
    whole, reduced = (image_stats(images.decode(trained.picture, least).pixels) for least in (None, (SIDE, SIDE)))
    assert reduced.sharpness == pytest.approx(whole.sharpness, rel=0.1)
    assert reduced.brightness == pytest.approx(whole.brightness, abs=3)
    assert reduced.overexposed == pytest.approx(whole.overexposed, abs=0.01)


def test_blur_lowers_sharpness_and_darkness_does_not() -> None:
    sharp = textured()
    assert image_stats(cv2.GaussianBlur(sharp, (0, 0), 8)).sharpness < 0.5 * image_stats(sharp).sharpness
    assert image_stats(sharp // 2).sharpness == pytest.approx(image_stats(sharp).sharpness, rel=0.1)


# ---- the file ----


def test_gate_decides_alike_after_reading(fitted: Gate, tmp_path: Path) -> None:
    input_gate.write(fitted, tmp_path / "gate.safetensors")
    back = input_gate.read(tmp_path / "gate.safetensors", "w")
    seen = measured(200, 4).texture_features
    assert back is not None
    assert back.limits == fitted.limits
    assert back.facts == dict(fitted.facts)
    np.testing.assert_array_equal(back.distance(seen), fitted.distance(seen))
    assert input_gate.read(tmp_path / "gate.safetensors", "w") is back  # kept until the file changes


def test_gate_of_other_weights_or_version_is_ignored(
    fitted: Gate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gate.safetensors"
    assert input_gate.read(path, "w") is None
    input_gate.write(fitted, path)
    assert input_gate.read(path, "other") is None
    input_gate.write(replace(fitted, facts={**fitted.facts, "version": input_gate.VERSION + 1}), tmp_path / "later")
    with caplog.at_level(logging.WARNING):
        assert input_gate.read(tmp_path / "later", "w") is None
    assert "training.gate" in caplog.text


def test_a_new_gate_is_seen_at_once(fitted: Gate, tmp_path: Path) -> None:
    path = tmp_path / "gate.safetensors"
    input_gate.write(fitted, path)
    assert input_gate.read(path, "w") is not None
    input_gate.write(replace(fitted, limits=replace(fitted.limits, pixels=7)), path)
    back = input_gate.read(path, "w")
    assert back is not None
    assert back.limits.pixels == 7


def damaged_files(fitted: Gate, folder: Path) -> dict[str, bytes]:
    path = folder / "whole"
    input_gate.write(fitted, path)
    whole, tensors = path.read_bytes(), load_file(path)
    header = {"facts": dict(fitted.facts), "limits": vars(fitted.limits), "distance": {}}
    damaged = {"empty": b"", "cut": whole[:-10], "text": b"gate", "zeros": bytes(len(whole))}
    others: dict[str, tuple[dict[str, np.ndarray], dict[str, str] | None]] = {
        "no facts": (tensors, None),
        "no json": (tensors, {"gate": "{"}),
        "no distance": (tensors, {"gate": json.dumps(header)}),
        "a list": (tensors, {"gate": "[]"}),
        "no tensors": ({"x": np.zeros(1)}, {"gate": _metadata(whole)}),
        "wrong shape": ({**tensors, "mean": np.zeros(3)}, {"gate": _metadata(whole)}),
    }
    for name, (values, metadata) in others.items():
        save_file(values, path, metadata)
        damaged[name] = path.read_bytes()
    return damaged


def _metadata(whole: bytes) -> str:
    length = int.from_bytes(whole[:8], "little")
    return json.loads(whole[8 : 8 + length])["__metadata__"]["gate"]


def test_damaged_gate_file_is_logged_and_ignored(
    fitted: Gate, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, content in damaged_files(fitted, tmp_path).items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert input_gate.read(path, "w") is None, name
        assert path.name in caplog.text


# ---- of finished runs ----


@pytest.fixture
def own_run(trained: Trained, folders: Folders, tiny: Dataset) -> Run:
    return Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "own")))


def test_run_gate_is_fitted_and_answers(own_run: Run, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    assert predict.graders(run=own_run).grade(trained.picture).gradable is None
    monkeypatch.setattr(gate_fit, "FEWEST", 5)
    gate = gate_fit.refit(own_run)
    before = own_run.gate_path.read_bytes()
    gate_fit.refit(own_run)
    assert own_run.gate_path.read_bytes() == before
    assert gate.facts["weights"] == own_run.manifest["files"]["model.safetensors"]
    assert (gate.facts["data"], gate.facts["synthetic"]) == ("tiny", True)
    assert gate.limits.pixels == own_run.preprocessing.width

    black = cv2.imencode(".png", np.zeros((480, 640, 3), np.uint8))[1].tobytes()
    answer = predict.graders(run=own_run).grade(black)
    assert answer.gradable is False
    assert "too_dark" in {reason.code for reason in answer.reasons}


def test_calibrating_fits_the_gate_as_well(
    own_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.calibrate", "own"])
    assert calibrate.main() == 0
    assert "quality check of own: A quality check needs 30 readable" in capsys.readouterr().out
    assert not own_run.gate_path.exists()

    monkeypatch.setattr(gate_fit, "FEWEST", 5)
    assert calibrate.main() == 0
    assert "quality check of own: fitted on" in capsys.readouterr().out
    assert own_run.gate_path.exists()


def test_gate_command_leaves_operating_point_as_it_is(
    own_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point = (own_run.folder / "operating_point.json").read_bytes()
    assert gate_command(["own"]) == 1
    assert "needs 30 readable" in capsys.readouterr().out
    monkeypatch.setattr(gate_fit, "FEWEST", 5)
    assert gate_command(["own", "own"]) == 0
    assert capsys.readouterr().out.count("quality check of own: fitted on") == 2
    assert (own_run.folder / "operating_point.json").read_bytes() == point
    assert predict.graders(run=own_run).gate is not None


def test_without_pictures_operating_point_is_fitted_all_same(
    own_run: Run, folders: Folders, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(folders.data))  # empty
    monkeypatch.setattr(sys, "argv", ["training.calibrate", "own"])
    assert calibrate.main() == 0
    assert "are not here" in capsys.readouterr().out


def test_finished_training_stands_whatever_comes_of_its_gate(
    own_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scalp_core.learning import train

    train.fit_gate(own_run)
    assert "No quality check: A quality check needs" in capsys.readouterr().out
    monkeypatch.setattr(gate_fit, "FEWEST", 5)
    own_run.gate_path.mkdir()  # nothing can be put there
    train.fit_gate(own_run)
    assert "No quality check" in capsys.readouterr().out
    assert own_run.finished
    assert not (own_run.folder / "error.txt").exists()


def test_the_shipped_runs_have_their_gates() -> None:
    shipped = [Run(path.parent) for path in sorted((ROOT / "artifacts").glob("demo-*/manifest.json"))]
    assert len(shipped) == 5
    for run in shipped:
        gate = input_gate.read(run.gate_path, run.manifest["files"]["model.safetensors"])
        assert gate is not None, run.id
        assert gate.limits.pixels == run.preprocessing.width
        assert gate.facts["synthetic"] is True
        assert run.gate_path.stat().st_size < 400_000
