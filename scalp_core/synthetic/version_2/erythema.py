"""Erythema between the follicles: red fields and vessels."""

import math

import cv2
import numpy as np

from scalp_core.synthetic.version_2.canvas import (
    HEIGHT,
    WIDTH,
    Field,
    Points,
    at_severity,
    fill,
    smoothstep,
    soft_noise,
    threshold,
)

ERYTHEMA_REDNESS = (0.0, 8.1, 15.2, 22.5)  # in a* at the reddest place; over the skin about +4 / +9 / +17
ERYTHEMA_AREA = (0.3, 0.4, 0.52, 0.75)  # share of the frame within the red fields

TREES = 26  # vessels of a frame at the highest severity: they show one after the other
TREES_SHOW = (0.4, 3.2)  # severities
VESSEL_STRENGTH = (0.22, 0.6)
VESSEL_WIDTHS = (1.0, 1.5, 2.3)  # px, of sprouts, twigs and trunks
FORKS = 2  # branches of a trunk, and again of each branch
TURN = 0.27  # radians between the steps of a vessel
STEPS = 14


def redden(lab: Field, severity: float, generator: np.random.Generator) -> None:
    """Add the diffuse red field between the follicles, with soft borders."""
    field = 0.7 * soft_noise(generator, 130) + 0.45 * soft_noise(generator, 48)
    edge = threshold(field, at_severity(severity, ERYTHEMA_AREA))
    patches = smoothstep(field, edge - 1.0, edge + 1.0)
    patches = np.asarray(cv2.GaussianBlur(patches, (0, 0), 5.0), dtype=np.float32)
    redness = at_severity(severity, ERYTHEMA_REDNESS) * (0.16 + 0.84 * patches)
    lab[..., 1] += redness
    lab[..., 2] += redness * 0.16
    lab[..., 0] -= redness * 0.28


def vessel_mask(severity: float, generator: np.random.Generator) -> Field | None:
    """Return thin winding vessels that branch and taper, some deep and blurred, 0–1; None if there are none."""
    visible = np.clip((severity - generator.uniform(*TREES_SHOW, TREES)) / 0.5, 0.0, 1.0)
    if not visible.any():
        return None
    strengths = 255.0 * visible * generator.uniform(*VESSEL_STRENGTH, TREES)
    deep, shallow = (np.zeros((HEIGHT, WIDTH), dtype=np.uint8) for _ in range(2))
    for vessels, width in zip(_trees(generator), VESSEL_WIDTHS, strict=True):
        of_tree = np.arange(len(vessels)) * TREES // len(vessels)
        for tree, outline in zip(of_tree, _tapered(vessels, width), strict=True):
            if strengths[tree]:
                fill(deep if tree % 2 else shallow, outline, (strengths[tree],))
    mask = cv2.add(cv2.GaussianBlur(shallow, (5, 5), 0.9), cv2.GaussianBlur(deep, (9, 9), 1.8))
    return np.asarray(mask * np.float32(1.0 / 255.0), dtype=np.float32)


def _trees(generator: np.random.Generator) -> tuple[Points, Points, Points]:
    """Return the paths of the sprouts, twigs and trunks of all vessels, those of one tree next to each other."""
    starts = generator.uniform((0, 0), (WIDTH, HEIGHT), (TREES, 2))
    angles, lengths = generator.uniform(0, 2 * math.pi, TREES), generator.uniform(70, 170, TREES)
    trunks = _winding(starts, angles, lengths, generator)
    twigs = _branches(trunks, generator)
    return _branches(twigs, generator), twigs, trunks


def _winding(starts: Points, angles: Points, lengths: Points, generator: np.random.Generator) -> Points:
    """Return tortuous paths, (count, STEPS, 2)."""
    turned = angles[:, None] + np.cumsum(generator.normal(0, TURN, (len(starts), STEPS)), axis=1)
    turned += 0.55 * np.sin(np.arange(STEPS) * 1.1 + angles[:, None])
    steps = np.stack([np.cos(turned), np.sin(turned)], axis=2) * (lengths / STEPS)[:, None, None]
    return np.asarray(starts[:, None] + np.cumsum(steps, axis=1))


def _branches(paths: Points, generator: np.random.Generator) -> Points:
    """Return FORKS thinner vessels out of each path, to either side."""
    parents = np.repeat(paths, FORKS, axis=0)
    count = len(parents)
    forks = generator.integers(2, STEPS - 2, count)
    places = parents[np.arange(count), forks]
    ahead = parents[np.arange(count), forks + 1] - places
    lengths = np.linalg.norm(parents[:, -1] - parents[:, 0], axis=1) * generator.uniform(0.3, 0.7, count)
    sides = generator.choice((-1.0, 1.0), count) * generator.uniform(0.4, 1.0, count)
    return _winding(places, np.arctan2(ahead[:, 1], ahead[:, 0]) + sides, lengths, generator)


def _tapered(paths: Points, width: float) -> Points:
    """Return outlines of vessels that end in a point."""
    along = np.gradient(paths, axis=1)
    across = np.stack([-along[..., 1], along[..., 0]], axis=2) / np.linalg.norm(along, axis=2, keepdims=True)
    half = across * np.linspace(width / 2, 0.1, STEPS)[:, None]
    return np.concatenate([paths + half, (paths - half)[:, ::-1]], axis=1)
