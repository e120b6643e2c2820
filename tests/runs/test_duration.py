"""Estimates of duration: the arithmetic, and that they hold for this machine and this kind of training alone."""

import io
import json
import math
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import TINY, Folders

from scalp_core import processes
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS
from scalp_core.learning import process
from scalp_core.runs import duration as module
from scalp_core.runs.duration import Speed, duration, estimate, estimate_at, measure
from scalp_core.runs.recipe import Recipe
from scalp_core.seals import read_sealed_json, write_sealed_json

SPEED = Speed(prepared=20.0, learned=2.0, graded=10.0, start=6.0, measured="2026-01-01T00:00:00+00:00")
PLAIN = Recipe(**TINY, epochs=10, patience=0)


def seconds(recipe: Recipe) -> dict[str, float]:
    return {stage.name.en: stage.seconds for stage in estimate_at(recipe, SPEED).stages}


def test_pictures_over_speed_piece_by_piece(tiny: Dataset) -> None:
    parts = tiny.index["part"].value_counts()
    learned = parts["train"] // PLAIN.batch_size * PLAIN.batch_size
    stages = seconds(PLAIN)
    prepared = 0 if any((tiny.folder / "cache").glob("64x64-*")) else tiny.images / SPEED.prepared
    assert stages.get("preparing pictures", 0) == pytest.approx(prepared)
    assert stages["start"] == SPEED.start
    assert stages["grading"] == pytest.approx((tiny.images - parts["train"]) / SPEED.graded)
    on_pictures = 10 * (learned / SPEED.learned + parts["valid"] / SPEED.graded)
    assert on_pictures < stages["10 epochs"] < on_pictures + 10  # and what an epoch costs beside them
    assert estimate_at(PLAIN, SPEED).seconds == pytest.approx(sum(stages.values()))


def test_pictures_without_labels_take_no_time(tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALP_DATA", str(folders.data))
    rows = tiny.index.reset_index(drop=True)
    train = rows.index[rows["part"] == "train"]
    rows.loc[train[8:], list(LABEL_COLUMNS)] = None
    shutil.copytree(tiny.folder, folders.data / "tiny")
    write_dataset(folders.data / "tiny", "synthetic", {}, rows)
    on_pictures = 10 * (8 / SPEED.learned + (rows["part"] == "valid").sum() / SPEED.graded)
    assert on_pictures < seconds(PLAIN)["10 epochs"] < on_pictures + 10


def test_twice_the_epochs_take_twice_as_long(tiny: Dataset) -> None:
    twice = seconds(replace(PLAIN, epochs=20))["20 epochs"]
    assert twice == pytest.approx(2 * seconds(PLAIN)["10 epochs"])


def test_prepared_pictures_cost_nothing_again(tiny: Dataset) -> None:
    fresh = replace(PLAIN, image_size=192)  # a size that no other test has prepared
    assert seconds(fresh)["preparing pictures"] == pytest.approx(tiny.images / SPEED.prepared)
    cache = tiny.folder / "cache" / "192x192-bicubic-0.npy"
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(b"")
    try:
        assert "preparing pictures" not in seconds(fresh)
    finally:
        cache.unlink()


def test_frozen_backbone_learns_at_grading_speed(tiny: Dataset) -> None:
    learned = (tiny.index["part"] == "train").sum() // PLAIN.batch_size * PLAIN.batch_size
    saved = learned / SPEED.learned - learned / SPEED.graded
    whole = seconds(PLAIN)["10 epochs"]
    assert seconds(replace(PLAIN, frozen_epochs=4))["10 epochs"] == pytest.approx(whole - 4 * saved)
    assert seconds(replace(PLAIN, frozen_epochs=40))["10 epochs"] == pytest.approx(whole - 10 * saved)


def test_the_head_alone_computes_features_once(tiny: Dataset) -> None:
    head = seconds(replace(PLAIN, learns="head", weights="pretrained"))
    assert head["features"] == pytest.approx(tiny.images / SPEED.graded)
    assert head["10 epochs"] < seconds(PLAIN)["10 epochs"] / 5


def test_patient_run_may_end_early(tiny: Dataset) -> None:
    assert "early" not in estimate_at(PLAIN, SPEED).text.en
    text = estimate_at(replace(PLAIN, patience=3), SPEED).text
    assert "less if it stops early" in text.en
    assert "더 짧음" in text.ko


@pytest.mark.parametrize(
    ("in_seconds", "en", "ko"),
    [
        (0.4, "about 5 s", "약 5초"),
        (42, "about 40 s", "약 40초"),
        (89, "about 90 s", "약 90초"),
        (700, "about 12 min", "약 12분"),
        (3 * 3600 + 1100, "about 3 h 20 min", "약 3시간 20분"),
        (7190, "about 2 h", "약 2시간"),
    ],
)
def test_durations_in_words(in_seconds: float, en: str, ko: str) -> None:
    assert duration(in_seconds) == (en, ko)


def test_measured_once_for_its_like_on_this_machine(
    tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert estimate(PLAIN) is None
    measured = measure(PLAIN)
    assert measured == estimate(PLAIN)
    assert datetime.now(UTC) - datetime.fromisoformat(measured.measured) < timedelta(minutes=5)
    assert list(folders.artifacts.iterdir()) == [folders.artifacts / ".speeds.json"]
    # The speed is the same, so other lengths and losses are known as well ...
    for change in ({"epochs": 3}, {"loss": "cross_entropy"}, {"seed": 7}, {"sampling": "none"}):
        assert estimate(replace(PLAIN, **change)), change
    # ... and what decides the speed makes another one.
    others = (
        {"architecture": "test_resnet"},
        {"image_size": 96},
        {"batch_size": 4},
        {"conditions": CONDITIONS[:1]},
        {"precision": "bfloat16"},
        {"augmentation": "none"},
        {"ema": 0.0},
    )
    for other in others:
        assert estimate(replace(PLAIN, **other)) is None, other
    with monkeypatch.context() as patch:
        patch.setattr(module.platform, "node", lambda: "elsewhere")  # the folder was copied
        assert estimate(PLAIN) is None
    file = folders.artifacts / ".speeds.json"
    ((key, values),) = read_sealed_json(file).items()
    for wrong in (0, -1, math.nan, math.inf, "fast", None):
        write_sealed_json(file, {key: values | {"learned": wrong}})
        assert estimate(PLAIN) is None, wrong


@pytest.mark.parametrize("broken", ["", "[]", "{", '{"a": 1}', '{"a": {"learned": 1}}'])
def test_a_broken_file_is_forgotten(broken: str, tiny: Dataset, folders: Folders) -> None:
    (folders.artifacts / ".speeds.json").write_text(broken, encoding="utf-8")
    assert estimate(PLAIN) is None


@pytest.mark.parametrize(
    ("script", "reason"),
    [("exit 1", "exit code 1"), ("echo Traceback >&2; echo no such thing >&2; exit 1", "no such thing")],
)
def test_a_process_that_dies_is_told_of(
    script: str, reason: str, tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = tmp_path / "failing"
    failing.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    failing.chmod(0o755)
    monkeypatch.setattr(processes.sys, "executable", str(failing))
    with pytest.raises(ScalpError) as raised:
        measure(PLAIN)
    assert raised.value.text.en.endswith(f"test_efficientnet on this machine could not be measured: {reason}")
    assert "Traceback" not in raised.value.text.en


def test_the_process_says_why_it_cannot_measure(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "_prepare_process", lambda: None)
    recipe = replace(PLAIN, architecture="no_such_network")
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(asdict(recipe))))
    assert process.main(["speed"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no_such_network" in line


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"lr": float("nan")}, "lr"),
        ({"data": "absent"}, "absent"),
    ],
)
def test_what_cannot_be_measured_is_said_in_words(
    wrong: dict[str, object], word: str, tiny: Dataset, folders: Folders
) -> None:
    with pytest.raises(ScalpError) as raised:
        measure(replace(PLAIN, **wrong))
    assert all(word in text for text in raised.value.text)
    assert "Traceback" not in raised.value.text.en
    assert not (folders.artifacts / ".speeds.json").exists()
