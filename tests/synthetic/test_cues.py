"""Cues as real frames show them: threads, sparkles, fields, droplets, translucent pieces."""

import cv2
import numpy as np
import pytest

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.synthetic.drawing.cues import Cues, cues_of, masks_of_cues
from scalp_core.synthetic.drawing.scaling import shown
from scalp_core.synthetic.fidelity import frame_of, hair_mask, hair_of, lab_of, scene_of

SEEDS = range(3)


def cues(severities: dict[Condition, float], seed: int) -> Cues:
    return cues_of(scene_of(severities, seed), np.random.default_rng(seed))


def change(condition: Condition, severity: float, seed: int) -> np.ndarray:
    """ΔL*, Δa*, Δb* by the condition, and NaN under hair."""
    with_cue, without = scene_of({condition: severity}, seed), scene_of({}, seed)
    rise = lab_of(frame_of(with_cue, seed)) - lab_of(frame_of(without, seed))
    hair = hair_mask(hair_of(with_cue, seed)) | hair_mask(hair_of(without, seed))
    rise[cv2.dilate(hair, np.ones((11, 11), dtype=np.uint8)) > 0] = np.nan
    return rise


def pieces(mask: np.ndarray) -> np.ndarray:
    """Area, width and height of the connected parts of a mask."""
    return cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2][1:, [cv2.CC_STAT_AREA, 2, 3]]


def test_things_show_after_the_other() -> None:
    assert shown(2.5, 4).tolist() == [1.0, 1.0, 0.5, 0.0]


@pytest.mark.parametrize("condition", [Condition.FINE_SCALING, Condition.PUSTULES], ids=lambda c: c.code)
def test_a_higher_severity_keeps_the_lower_cue(condition: Condition) -> None:
    """Nothing jumps: what shows at grade 1 shows at grade 3 too."""
    for seed in SEEDS:
        mild, severe = (masks_of_cues(cues({condition: level}, seed))[CONDITIONS.index(condition)] for level in (1, 3))
        assert (severe[mild > 100] > 60).mean() > 0.95


def test_scales_are_thin_and_long() -> None:
    """Threads of 2–4 px, not plates: what is bright is hardly anywhere wider."""
    for seed in SEEDS:
        white = cues({Condition.FINE_SCALING: 2.0}, seed).scales.opacity > 0.35
        depth = cv2.distanceTransform(white.astype(np.uint8), cv2.DIST_L2, 3)
        assert np.percentile(depth[white], 95) < 4.5
        whole = pieces(white)
        assert np.percentile(whole[whole[:, 0] > 12, 1:].max(axis=1), 90) > 25


def test_sparkles_are_small_round_and_everywhere() -> None:
    for seed in SEEDS:
        shine = cues({Condition.EXCESS_SEBUM: 2.0}, seed).oil.shine
        parts = pieces(shine > 60)
        assert 3 < np.median(np.sqrt(parts[:, 0])) < 9
        assert np.median(parts[:, 1:].max(axis=1) / parts[:, 1:].min(axis=1)) < 1.6
        cells = cv2.resize((shine > 60).astype(np.float32), (8, 6), interpolation=cv2.INTER_AREA)
        assert (cells > 0).all()


def test_oil_neither_yellows_nor_blows_out() -> None:
    for seed in SEEDS:
        lightness, _, b = np.moveaxis(change(Condition.EXCESS_SEBUM, 3.0, seed), 2, 0)
        assert abs(np.nanmedian(b)) < 1
        assert np.nanmean(lightness > 28) < 0.003


def test_oily_hair_clumps() -> None:
    for seed in SEEDS:
        clumps = [(cues({Condition.EXCESS_SEBUM: level}, seed).oil.clumps > 100).sum() for level in (1.0, 3.0)]
        assert clumps[1] > clumps[0] >= 0


def test_erythema_is_a_field_off_the_edge() -> None:
    """Most fields lie in the middle: on average it is redder than the edge by what real frames of grades 2–3 have."""
    rises = np.mean([cues({Condition.ERYTHEMA: 2.5}, seed).redness.rise for seed in range(30)], axis=0)
    inner = rises[40:80, 55:105].mean()
    edge = np.concatenate([rises[:12].ravel(), rises[-12:].ravel(), rises[:, :16].ravel(), rises[:, -16:].ravel()])
    assert 4 < inner - edge.mean() < 11


def test_vessels_stay_within_the_red_field() -> None:
    for seed in SEEDS:
        redness = cues({Condition.ERYTHEMA: 3.0}, seed).redness
        field = cv2.resize(redness.field, (640, 480))
        assert redness.vessels[field < 0.2].max(initial=0) < 0.02
        assert redness.vessels.max() > 0.1


def test_flakes_are_translucent_within_a_rim() -> None:
    for seed in SEEDS:
        flakes = cues({Condition.DANDRUFF: 2.5}, seed).flakes
        depth = cv2.distanceTransform((flakes.cream > 0).astype(np.uint8), cv2.DIST_L2, 3)
        inner, rim = depth > 9, (depth > 1) & (depth < 4)
        assert flakes.bright[rim].mean() > 1.5 * flakes.bright[inner].mean()
        assert np.ptp(np.percentile(flakes.cream[inner], (5, 95))) > 60


def test_severe_pustules_are_clearly_more() -> None:
    counts = np.array(
        [[len(cues({Condition.PUSTULES: level}, seed).pustules) for level in (1, 2, 3)] for seed in SEEDS]
    )
    assert (counts[:, 0] == 1).all()
    assert (counts[:, 2] - counts[:, 1] >= 3).all()


def test_most_droplets_are_clear() -> None:
    pustules = [p for seed in range(12) for p in cues({Condition.PUSTULES: 3.0}, seed).pustules if p.dome]
    assert 0.5 < np.mean([p.clear for p in pustules]) < 0.95
    assert all(7 <= 2 * p.dome <= 30 for p in pustules)
