"""Erythema between the follicles: one or two warm red fields, and a faint net of vessels within them."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from scalp_core.synthetic.drawing.canvas import (
    COLUMNS,
    HEIGHT,
    ROWS,
    SOFT,
    SOFT_WIDTH,
    WIDTH,
    Field,
    Points,
    at_severity,
    fill,
    smoothstep,
    soft_noise,
)

ERYTHEMA_REDNESS = (0.0, 6.4, 14.0, 25.0)  # in a* at the reddest place; over the skin about +4 / +9 / +17
SEEN_REDNESS = 6.0  # in a*, from which a field is seen as red
DIFFUSE = 0.34  # share of the redness that the whole frame has
CENTRED_SHARE = 0.6  # of the frames, whose field lies in the middle, where the probe presses
OFF_CENTRE = 34.0  # px, deviation of the middle of such a field
SECOND_FIELD_SHARE = 0.35
FIELD_REACH = (0.62, 0.72, 0.8, 0.95)  # half width of a field, in half widths of the frame, by grade
SECOND_REACH = 0.62  # of the first
BORDER = 0.26  # how irregular a field's border is
# Δb* and ΔL* a unit of Δa*: red-orange with the one, magenta with the other.
YELLOWNESS, DARKNESS = (-0.12, 0.42), 0.26

TREES = 26  # vessels of a frame at the highest severity: they show one after the other
TREES_SHOW = (0.4, 3.2)  # severities
VESSEL_STRENGTH = (0.14, 0.42)  # low: seldom seen at the size of a thumbnail
VESSEL_WIDTHS = (1.0, 1.5, 2.3)  # px, of sprouts, twigs and trunks
FORKS = 2  # branches of a trunk, and again of each branch
TURN = 0.27  # radians between the steps of a vessel
STEPS = 14


@dataclass(frozen=True, eq=False)
class Redness:
    """The redness of a frame.

    Attributes:
        rise: what is added to a*, quarter size.
        field: where it lies, 0–1, quarter size; redness all over the frame is not part of it.
        yellowness: Δb* a unit of `rise`.
        vessels: full size, 0–1; None if there are none.
    """

    rise: Field
    field: Field
    yellowness: float
    vessels: Field | None


def plan_redness(severity: float, generator: np.random.Generator) -> Redness:
    """Plan one or two warm red fields with soft borders, and the vessels within them."""
    fields, trees = generator.spawn(2)
    yellowness = float(fields.uniform(*YELLOWNESS))
    field = _field(at_severity(severity, FIELD_REACH), fields)
    peak = np.float32(at_severity(severity, ERYTHEMA_REDNESS))
    rise = np.asarray(peak * (DIFFUSE + (1.0 - DIFFUSE) * field), dtype=np.float32)
    seen = np.asarray(field * min(1.0, float(peak) / SEEN_REDNESS), dtype=np.float32)
    return Redness(rise, seen, yellowness, _vessels(severity, field, trees))


def _field(reach: float, generator: np.random.Generator) -> Field:
    """Return the share of the full redness at every place, quarter size."""
    centred, second = generator.random(2)
    middles = generator.uniform((0.0, 0.0), (WIDTH, HEIGHT), (2, 2))
    near_middle = np.array([WIDTH, HEIGHT]) / 2 + generator.normal(0, OFF_CENTRE, 2)
    if centred < CENTRED_SHARE:
        middles[0] = near_middle
    border = np.float32(BORDER) * (soft_noise(generator, 120) + np.float32(0.5) * soft_noise(generator, 44))
    field = _spot(middles[0], reach, border)
    if second < SECOND_FIELD_SHARE:
        field = np.maximum(field, 0.8 * _spot(middles[1], SECOND_REACH * reach, border))
    return np.asarray(cv2.GaussianBlur(field, (0, 0), 3.0), dtype=np.float32)


def _spot(middle: Points, reach: float, border: Field) -> Field:
    x, y = middle / SOFT
    away = np.hypot((COLUMNS - np.float32(x)) / (SOFT_WIDTH / 2), (ROWS - np.float32(y)) / (SOFT_WIDTH / 2))
    return np.asarray(1.0 - smoothstep(away / np.float32(reach) + border, 0.25, 1.45), dtype=np.float32)


def redden(lab: Field, redness: Redness) -> None:
    """Add the red fields to the colours of the skin."""
    lab[..., 0] -= redness.rise * DARKNESS
    lab[..., 1] += redness.rise
    lab[..., 2] += redness.rise * redness.yellowness


def _vessels(severity: float, field: Field, generator: np.random.Generator) -> Field | None:
    """Return thin winding vessels that branch and taper, some deep and blurred, 0–1; None if there are none.

    They are seen within the red field alone.
    """
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
    within = cv2.resize(smoothstep(field, 0.25, 0.75), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(mask, within, scale=1 / 255.0, dtype=cv2.CV_32F), dtype=np.float32)


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
