"""Places that maps point at: against cues that are drawn, by local grades and by Grad-CAM."""

import numpy as np
import pytest
import torch

from scalp_core.labels import Condition
from scalp_core.learning.network import build
from scalp_core.learning.pointing import grad_cam, maps_of, pointing
from scalp_core.metrics.operating_point import Decision


def test_pointing_counts_hits_and_mass() -> None:
    on_cue = np.zeros((3, 4, 4), dtype=bool)
    on_cue[:2, 1, 1:3] = True  # the third picture is healthy
    ours = np.zeros((3, 4, 4), dtype=np.float32)
    ours[0, 1, 1], ours[1, 0, 0], ours[1, 1, 2], ours[2, 3, 3] = 3, 2, 1, 2
    dark = np.zeros((3, 4, 4), dtype=np.float32)
    measured = pointing(Condition.PUSTULES, ours, dark, on_cue)
    assert measured.pictures == 2
    assert measured.chance == pytest.approx(2 / 16)
    assert measured.ours == pytest.approx(1 / 2)
    assert measured.ours_mass == pytest.approx((1 + 1 / 3) / 2)
    assert (measured.grad_cam, measured.grad_cam_mass) == (0, 0)
    assert measured.lit_healthy == pytest.approx(1 / 16)


def test_grad_cam_lights_what_raises_the_grade() -> None:
    features = torch.zeros(1, 2, 3, 3)
    features[0, 0, 0, 1], features[0, 1, 2, 2] = 1, 1
    features.requires_grad_()
    zero = torch.zeros_like(features[:, :1])
    evidence = torch.stack([features[:, 1:], zero, zero, features[:, :1]], dim=2)  # the second channel speaks for 0
    cam = grad_cam(features, evidence)
    assert cam.shape == (1, 1, 3, 3)
    assert cam[0, 0, 0, 1] > 0
    assert (cam > 0).sum() == 1


@pytest.mark.parametrize("architecture", ["test_resnet", "test_vit"])
def test_both_maps_have_the_evidence_grid(architecture: str) -> None:
    network, _ = build(architecture, 6, 64, "none")
    ours, cams = maps_of(network.eval(), torch.rand(2, 3, 64, 64) * 255, [Decision()] * 6)
    assert ours.shape == cams.shape == (2, 6, 16, 16)
    assert (ours.min(), cams.min()) >= (0, 0)
    assert ours.max() <= 3
