"""Drawn frames against the ranges measured on real pictures; the measures themselves against shapes of known size."""

import hashlib
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic import fidelity
from scalp_core.synthetic.drawing.scene import CASTS, Hair, Shaft
from scalp_core.synthetic.fidelity import CUES, Check, Cue, Pair, checks, pair, pictures_of
from scalp_core.synthetic.generate import render_picture
from training import contact_sheets
from training import fidelity as command

SEEDS = 6  # frames behind each figure; the command takes 20
GROWTH_SEEDS = 3  # scalps that get worse
GROWING = [cue for cue in CUES if cue.growth]
BY_GRADE = [(cue.name, f"{severity:g}") for cue in CUES for severity in cue.targets]
BY_CAST = [(f"skin: {axis}*", cast.name) for axis in "Lab" for cast in CASTS]
SHARPNESS = [("dataset: Laplacian variance", f"{share}th percentile") for share in (10, 90)]
FIGURES = [*BY_GRADE, *BY_CAST, ("skin: casts told apart", "all"), *SHARPNESS]


def slug(figure: tuple[str, str]) -> str:
    """ASCII, so that it can be typed after `pytest -k`."""
    return re.sub("[^A-Za-z0-9.*]+", "-", "-".join(figure).replace("Δ", "delta "))


@dataclass(frozen=True)
class Growth:
    """One condition drawn at every half grade.

    Attributes:
        curves: of each growing cue, its measure by seed and severity.
        changed: by seed and whole grade, the share of the shrunk frame that changes visibly.
    """

    curves: dict[str, list[list[float]]]
    changed: list[list[float]]


# --- Against the real pictures ---------------------------------------------------------------------------------------


def test_figures_lie_in_the_ranges_of_real_pictures() -> None:
    assert {(check.cue, check.grade_or_cast) for check in checks(SEEDS)} == set(FIGURES)
    assert [check for check in checks(SEEDS) if not check.ok] == []


@cache
def growth(condition: Condition) -> Growth:
    """Draw every frame once for all cues of its condition."""
    cues = [cue for cue in GROWING if cue.condition is condition]
    curves: dict[str, list[list[float]]] = {cue.name: [] for cue in cues}
    changed = []
    for seed in range(GROWTH_SEEDS):
        pairs = {severity: pair(condition, severity, seed) for severity in np.arange(0.0, 3.5, 0.5)}
        for cue in cues:
            curves[cue.name].append([cue.measure(drawing) for drawing in pairs.values()])
        changed.append([changed_share(pairs[grade]) for grade in (1.0, 2.0, 3.0)])
    return Growth(curves, changed)


@pytest.mark.parametrize("cue", GROWING, ids=[slug((cue.name,)) for cue in GROWING])
def test_cues_grow_with_their_severity_alone(cue: Cue) -> None:
    """On average with every half a grade, and with every whole grade of nearly every single scalp."""
    grown = np.array(growth(cue.condition).curves[cue.name]) * cue.growth
    assert (np.diff(grown.mean(axis=0)) >= 0).all(), grown.mean(axis=0)
    assert (np.diff(grown[:, ::2]) > 0).mean() > 0.9, grown[:, ::2]


SHRUNK = 128  # px: what the networks see
VISIBLE = 4.0  # ΔE that is seen side by side


def squashed(frame: np.ndarray) -> np.ndarray:
    return fidelity.lab_of(cv2.resize(frame, (SHRUNK, SHRUNK), interpolation=cv2.INTER_AREA))


def changed_share(drawing: Pair) -> float:
    change = squashed(drawing.frame) - squashed(drawing.normal)
    return float((np.linalg.norm(change, axis=2) > VISIBLE).mean())


@pytest.mark.parametrize("condition", CONDITIONS, ids=[condition.code for condition in CONDITIONS])
def test_cues_stay_visible_at_network_size(condition: Condition) -> None:
    shares = np.mean(growth(condition).changed, axis=0).tolist()
    assert shares[0] > 0.003
    assert condition is Condition.HAIR_LOSS or shares == sorted(shares), shares


# --- The same seed, the same pixels ----------------------------------------------------------------------------------

PICTURES = 4
HASH = f"""
import cv2, hashlib, sys
from scalp_core.synthetic.fidelity import pictures_of
from scalp_core.synthetic.generate import render_picture
cv2.setNumThreads(int(sys.argv[1]))
frames = [render_picture(picture, 3) for picture in pictures_of({PICTURES}, 3, "tempered")]
sys.stdout.write(hashlib.sha256(b"".join(frame.tobytes() for frame in frames)).hexdigest())
"""


def hashed_elsewhere(threads: int) -> str:
    environment = os.environ | {"PYTHONHASHSEED": str(threads)}
    command = [sys.executable, "-c", HASH, str(threads)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def test_same_seed_gives_same_pixels_in_any_process() -> None:
    here = [render_picture(picture, 3) for picture in pictures_of(PICTURES, 3, "tempered")]
    expected = hashlib.sha256(b"".join(frame.tobytes() for frame in here)).hexdigest()
    assert {hashed_elsewhere(1), hashed_elsewhere(2)} == {expected}
    assert len({frame.tobytes() for frame in here}) == PICTURES


# --- The measures, on shapes of known size ---------------------------------------------------------------------------

GREY = np.full((480, 640, 3), 150, dtype=np.uint8)
NO_HAIR = Hair((), ())


def pair_of(frame: np.ndarray) -> Pair:
    return Pair(frame, GREY, NO_HAIR, np.ones((480, 640), dtype=bool))


def with_discs(diameter: int, colour: tuple[int, int, int], count: int = 3) -> Pair:
    frame = GREY.copy()
    for number in range(count):
        cv2.circle(frame, (110 + 180 * number, 240), diameter // 2, colour, -1)
    return pair_of(frame)


def test_widths_are_those_of_the_shafts() -> None:
    path = np.stack([np.linspace(40, 600, 22), np.full(22, 100.0)], axis=1)
    below = np.array([0.0, 60.0])
    shafts = [
        Shaft(path + number * below, np.full(22, width), (20, 20, 20), above=False)
        for number, width in enumerate((4.0, 7.0, 7.0, 7.0, 12.0))
    ]
    measured_pair = Pair(GREY, GREY, Hair((), tuple(shafts)), np.ones((480, 640), dtype=bool))
    assert fidelity.median_width(measured_pair) == pytest.approx(7.0, abs=0.6)
    assert fidelity.upper_width(measured_pair) == pytest.approx(12.0, abs=0.6)
    assert fidelity.hair_coverage(measured_pair) == pytest.approx(560 * 37 / (640 * 480), rel=0.12)


@pytest.mark.parametrize("diameter", [26, 40, 60])
def test_halos_are_counted_and_sized(diameter: int) -> None:
    measured_pair = with_discs(diameter, (190, 130, 130))
    measured_pair.frame[:, 285:295] = 20  # a hair across one of them
    assert fidelity.halo_count(measured_pair) == 3
    assert fidelity.halo_size(measured_pair) == pytest.approx(diameter, abs=3)


@pytest.mark.parametrize("diameter", [6, 14, 24])
def test_highlights_and_domes_are_sized(diameter: int) -> None:
    measured_pair = with_discs(diameter, (250, 248, 240))
    assert fidelity.highlight_size(measured_pair) == pytest.approx(diameter, abs=2.5)
    assert fidelity.dome_size(measured_pair) == pytest.approx(diameter, abs=2.5)


def test_areas_are_shares() -> None:
    frame = GREY.copy()
    frame[:120] = (235, 232, 225)
    measured_pair = pair_of(frame)
    for share in (fidelity.plate_share, fidelity.scaled_share, fidelity.white_share, fidelity.gloss_share):
        assert share(measured_pair) == pytest.approx(0.25, abs=0.01), share.__name__
    assert fidelity.red_share(measured_pair) == fidelity.halo_share(measured_pair) == 0


def test_size_of_plate_is_that_of_large_ones() -> None:
    frame = GREY.copy()
    cv2.circle(frame, (200, 240), 50, (230, 230, 220), -1)
    for number in range(10):
        cv2.circle(frame, (320 + 30 * number, 60), 4, (230, 230, 220), -1)
    assert fidelity.plate_size(pair_of(frame)) == pytest.approx(98, abs=6)


def test_a_clean_frame_has_nothing_to_size() -> None:
    measured_pair = pair_of(GREY)
    for size in (fidelity.halo_size, fidelity.dome_size, fidelity.highlight_size, fidelity.plate_size):
        assert math.isnan(size(measured_pair)), size.__name__
    assert fidelity.halo_count(measured_pair) == 0


def test_measured_hair_is_drawn_hair() -> None:
    for seed in range(GROWTH_SEEDS):
        measured_pair = pair(Condition.HAIR_LOSS, 1.0, seed)
        core = cv2.erode(fidelity.hair_mask(measured_pair.hair), np.ones((3, 3), dtype=np.uint8)) > 0
        lightness = measured_pair.lab[..., 0]
        assert np.median(lightness[core]) < np.median(lightness[measured_pair.skin]) - 25


# --- Verdicts, the table and the sheets ------------------------------------------------------------------------------


def test_a_verdict_is_strict() -> None:
    verdicts = [Check("cue", "1", 1.0, 2.0, figure).ok for figure in (0.99, 1.0, 2.0, 2.01, math.nan)]
    assert verdicts == [False, True, True, False, False]


@pytest.mark.parametrize(("measured", "code"), [(1.5, 0), (3.0, 1)])
@pytest.mark.parametrize("style", [[], ["--markdown"]], ids=["text", "markdown"])
def test_the_table_shows_target_and_ours(
    measured: float, code: int, style: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (Check("gloss", "2", 1.0, 2.0, measured), Check("redness", "3", 0.6, 1.0, 0.7))
    monkeypatch.setattr(command, "checks", lambda _seeds: rows)
    assert command.main([*style, "--seeds", "3", "--frames", "0"]) == code
    printed = capsys.readouterr().out
    assert all(part in printed for part in ("gloss", "1 – 2", f"{measured:.3g}", "0.6 – 1"))
    assert ("OUTSIDE" in printed) == bool(code)
    assert printed.startswith("| cue |") == bool(style)


@pytest.mark.parametrize("seeds", ["0", "-3", "many"])
def test_nothing_is_measured_on_no_frames(seeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["--seeds", seeds])
    assert stopped.value.code == 2
    assert "--seeds" in capsys.readouterr().err


def test_sheets_are_stamped_and_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sheets of the documents, and fresh ones of fewer frames."""
    monkeypatch.setattr(contact_sheets, "CASTS", CASTS[:1])
    monkeypatch.setattr(contact_sheets, "MIXED_FRAMES", 4)
    assert contact_sheets.main(["--folder", str(tmp_path), "--seed", "2"]) == 0
    written = {path.stem: path for path in tmp_path.iterdir()}
    assert written.keys() == {*(condition.code for condition in CONDITIONS), "confusers", "mixed"}
    assert len(capsys.readouterr().out.splitlines()) == len(written)
    documents = {path.stem: path for path in (ROOT / "docs" / "contact_sheets").iterdir()}
    assert documents.keys() == written.keys()
    for path in (*written.values(), *documents.values()):
        sheet = cv2.imread(str(path)).astype(int)
        assert sheet.shape[1] <= 1400
        assert path.stat().st_size <= 350_000
        header = sheet[: contact_sheets.TITLE]
        assert (header[..., 2] - header[..., 0] > 80).sum() > 500, "no red stamp"


def test_the_pictures_looked_at_are_of_different_heads() -> None:
    pictures = pictures_of(40, 0)
    assert len({picture.capture for picture in pictures}) == len(pictures) == 40
